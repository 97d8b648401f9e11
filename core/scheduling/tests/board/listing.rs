//! Lists: filters, search, pages, counts.

use crate::fixture::{Board, MINUTE};
use callboard_scheduling::{
    self as scheduling, Filter, MAX_PAGE, NewTask, State, StateCount, board_counts, task_list,
};

fn titles(board: &Board, filter: &Filter) -> Vec<String> {
    let page = board.look(|c| task_list(c, filter));
    page.tasks.into_iter().map(|task| task.title).collect()
}

fn all() -> Filter {
    Filter {
        limit: 50,
        ..Filter::default()
    }
}

fn filled() -> Board {
    let board = Board::new();
    for (title, queue, kind, project, tag) in [
        ("one", "default", "task", None, "a"),
        ("two", "gpu", "task", Some("/p"), "b"),
        ("three", "default", "review", Some("/p"), "ab"),
    ] {
        board.add(NewTask {
            queue: queue.to_owned(),
            kind: kind.to_owned(),
            project: project.map(str::to_owned),
            tags: vec![tag.to_owned(), "all".to_owned()],
            ..NewTask::titled(title)
        });
    }
    board
}

#[test]
fn each_filter_keeps_what_it_names() {
    let board = filled();
    let some = |text: &str| Some(text.to_owned());
    let cases: [(Filter, &[&str]); 9] = [
        (all(), &["three", "two", "one"]),
        (
            Filter {
                queue: some("default"),
                ..all()
            },
            &["three", "one"],
        ),
        (
            Filter {
                kind: some("review"),
                ..all()
            },
            &["three"],
        ),
        (
            Filter {
                project: some("/p"),
                ..all()
            },
            &["three", "two"],
        ),
        (
            Filter {
                tag: some("a"),
                ..all()
            },
            &["one"],
        ),
        (
            Filter {
                tag: some("all"),
                ..all()
            },
            &["three", "two", "one"],
        ),
        (
            Filter {
                states: vec![State::Done, State::Dead],
                ..all()
            },
            &[],
        ),
        (
            Filter {
                states: vec![State::Ready],
                queue: some("gpu"),
                ..all()
            },
            &["two"],
        ),
        (
            Filter {
                queue: some("x' OR '1'='1"),
                ..all()
            },
            &[],
        ),
    ];
    for (filter, expected) in cases {
        assert_eq!(titles(&board, &filter), expected, "{filter:?}");
    }
}

#[test]
fn changed_since_is_inclusive() {
    let board = filled();
    board.advance(MINUTE);
    let lease = board.claim();
    board.finish(&lease).unwrap();
    let since = |at| Filter {
        updated_since: Some(at),
        ..all()
    };
    assert_eq!(titles(&board, &since(board.now())), ["one"]);
    assert!(titles(&board, &since(board.now() + 1)).is_empty());
}

#[test]
fn search_takes_its_text_literally() {
    let board = Board::new();
    for (title, prompt) in [
        ("100% sure", ""),
        ("100 times", "snake_case"),
        ("snakeXcase", ""),
        ("it's \"quoted\"", ""),
        ("back\\slash", ""),
        ("Shout", "in the PROMPT"),
    ] {
        board.add(NewTask {
            prompt: prompt.to_owned(),
            ..NewTask::titled(title)
        });
    }
    let cases: [(&str, &[&str]); 10] = [
        ("100%", &["100% sure"]),
        ("%", &["100% sure"]),
        ("snake_case", &["100 times"]),
        ("it's", &["it's \"quoted\""]),
        ("\"quoted\"", &["it's \"quoted\""]),
        ("\\", &["back\\slash"]),
        ("k\\s", &["back\\slash"]),
        ("sHOUT", &["Shout"]),
        ("prompt", &["Shout"]),
        ("'; DROP TABLE tasks; --", &[]),
    ];
    for (text, expected) in cases {
        let filter = Filter {
            text: Some(text.to_owned()),
            ..all()
        };
        assert_eq!(titles(&board, &filter), expected, "{text}");
    }
    let filter = Filter {
        text: Some("a\u{0}".to_owned()),
        ..all()
    };
    let refused = board.store.read_now(|c| task_list(c, &filter));
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .starts_with("text: has the control character")
    );
    let filter = Filter {
        text: Some("x".repeat(201)),
        ..all()
    };
    assert!(board.store.read_now(|c| task_list(c, &filter)).is_err());
}

#[test]
fn tags_with_odd_characters_are_found_and_not_confused() {
    let board = Board::new();
    let odd = ["50%", "a_b", "say \"hi\"", "back\\slash", "plain"];
    for tag in odd {
        board.add(NewTask {
            tags: vec![tag.to_owned()],
            ..NewTask::titled(format!("tagged {tag}"))
        });
    }
    for tag in odd {
        let filter = Filter {
            tag: Some(tag.to_owned()),
            ..all()
        };
        assert_eq!(titles(&board, &filter), [format!("tagged {tag}")]);
    }
    for tag in ["%", "_", "a%b", "pla", "\""] {
        let filter = Filter {
            tag: Some(tag.to_owned()),
            ..all()
        };
        assert!(titles(&board, &filter).is_empty(), "{tag}");
    }
}

#[test]
fn pages_join_up_even_when_tasks_come_in_between() {
    let board = Board::new();
    for n in 0..25 {
        board.titled(&format!("{n}"));
    }
    let mut seen = Vec::new();
    let mut filter = Filter {
        limit: 10,
        ..Filter::default()
    };
    loop {
        let page = board.look(|c| task_list(c, &filter));
        assert!(page.tasks.len() <= 10);
        seen.extend(page.tasks.into_iter().map(|task| task.title));
        board.titled("newcomer");
        match page.next {
            Some(next) => filter.after = Some(next),
            None => break,
        }
    }
    let expected: Vec<String> = (0..25).rev().map(|n| n.to_string()).collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_page_that_is_just_full_is_the_last() {
    let board = Board::new();
    for n in 0..3 {
        board.titled(&format!("{n}"));
    }
    let page = board.look(|c| {
        task_list(
            c,
            &Filter {
                limit: 3,
                ..Filter::default()
            },
        )
    });
    assert_eq!((page.tasks.len(), page.next), (3, None));
}

#[test]
fn a_page_has_an_upper_bound() {
    let board = Board::new();
    for n in 0..=MAX_PAGE {
        board.titled(&format!("{n}"));
    }
    for limit in [MAX_PAGE, u32::MAX] {
        let page = board.look(|c| {
            task_list(
                c,
                &Filter {
                    limit,
                    ..Filter::default()
                },
            )
        });
        assert_eq!(page.tasks.len(), MAX_PAGE as usize);
        assert!(page.next.is_some());
    }
    let page = board.look(|c| task_list(c, &Filter::default()));
    assert_eq!(page.tasks.len(), 1, "0 is not a page");
}

#[test]
fn counts_are_by_queue_and_state() {
    let board = filled();
    let lease = board.claim();
    board.finish(&lease).unwrap();
    let count = |queue: &str, state, tasks| StateCount {
        queue: queue.to_owned(),
        state,
        tasks,
    };
    assert_eq!(
        board.look(|c| board_counts(c)),
        [
            count("default", State::Done, 1),
            count("default", State::Ready, 1),
            count("gpu", State::Ready, 1),
        ]
    );
    board
        .shelve(&lease.task, scheduling::Shelf::Archive)
        .unwrap();
    assert_eq!(board.look(|c| board_counts(c)).len(), 2);
}
