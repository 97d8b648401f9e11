//! Many tasks in one call, and posting the same task twice.

use crate::fixture::{Answer, Board, refusal};
use callboard_scheduling::{
    self as scheduling, BulkTask, MAX_BULK, NewTask, Posted, SchedulingError, State, Task,
};

fn keyed(key: &str, needs: &[&str]) -> BulkTask {
    BulkTask {
        key: Some(key.to_owned()),
        task: NewTask {
            depends_on: needs.iter().map(|need| (*need).to_owned()).collect(),
            ..NewTask::titled(format!("task {key}"))
        },
    }
}

fn post(board: &Board, tasks: Vec<BulkTask>) -> Answer<Vec<(Task, Posted)>> {
    let now = board.now();
    let ids: Vec<String> = tasks.iter().map(|_| board.id("t_")).collect();
    board.run(move |c| scheduling::task_add_many(c, now, &ids, &tasks))
}

fn on_the_board(board: &Board) -> u32 {
    let counts = board.look(|c| scheduling::board_counts(c));
    counts.iter().map(|count| count.tasks).sum()
}

#[test]
fn keys_may_be_named_before_they_appear() {
    let board = Board::new();
    let old = board.titled("old");
    let posted = post(
        &board,
        vec![
            keyed("c", &["b", "a"]),
            keyed("b", &["a", &old]),
            keyed("a", &[]),
        ],
    );
    let tasks: Vec<Task> = posted.unwrap().into_iter().map(|(task, _)| task).collect();
    let titles: Vec<&str> = tasks.iter().map(|task| task.title.as_str()).collect();
    assert_eq!(
        titles,
        ["task c", "task b", "task a"],
        "answered in the order of the call"
    );
    let waits: Vec<u32> = tasks.iter().map(|task| task.waiting_on).collect();
    assert_eq!(waits, [2, 2, 0]);
    let (needs, _) = board.look(|c| scheduling::task_links(c, &tasks[0].id));
    assert_eq!(needs, [tasks[2].id.clone(), tasks[1].id.clone()]);
}

#[test]
fn one_bad_task_and_nothing_is_posted() {
    let board = Board::new();
    let mut bad = vec![keyed("a", &[]), keyed("b", &["a"])];
    bad[1].task.priority = 11;
    assert_eq!(
        refusal(post(&board, bad)),
        "tasks[1].priority: is 11, allowed are 0 to 10"
    );
    let unknown = vec![keyed("a", &[]), keyed("b", &["z"])];
    assert_eq!(refusal(post(&board, unknown)), "no task z on this board");
    let twice = vec![keyed("a", &[]), keyed("a", &[])];
    assert_eq!(
        refusal(post(&board, twice)),
        "tasks[1].key: \"a\" is used twice in this call"
    );
    assert_eq!(on_the_board(&board), 0);
}

#[test]
fn keys_in_a_circle_are_refused_by_name() {
    let board = Board::new();
    let circle = vec![
        keyed("x", &["a"]),
        keyed("a", &["b"]),
        keyed("b", &["c"]),
        keyed("c", &["a"]),
    ];
    let error = post(&board, circle).unwrap_err();
    assert!(
        matches!(&error, SchedulingError::Cycle { path } if *path == ["a", "b", "c", "a"]),
        "{error}"
    );
    let error = post(&board, vec![keyed("a", &["a"])]).unwrap_err();
    assert!(
        matches!(&error, SchedulingError::Cycle { path } if *path == ["a", "a"]),
        "{error}"
    );
    assert_eq!(on_the_board(&board), 0);
}

#[test]
fn a_thousand_in_one_chain_and_not_one_more() {
    let board = Board::new();
    let chain = |length: usize| -> Vec<BulkTask> {
        (0..length)
            // The last first, so that the deepest way of ordering them is taken.
            .map(|n| {
                let need = (n + 1).to_string();
                let needs: &[&str] = if n + 1 < length { &[&need] } else { &[] };
                keyed(&n.to_string(), needs)
            })
            .collect()
    };
    assert_eq!(
        refusal(post(&board, chain(MAX_BULK + 1))),
        "tasks: has 1001 entries, allowed are 1 to 1000"
    );
    assert_eq!(
        refusal(post(&board, Vec::new())),
        "tasks: has 0 entries, allowed are 1 to 1000"
    );
    let posted = post(&board, chain(MAX_BULK)).unwrap();
    assert_eq!(posted.len(), MAX_BULK);
    assert_eq!(posted[MAX_BULK - 1].0.state, State::Ready);
    assert!(
        posted[..MAX_BULK - 1]
            .iter()
            .all(|(task, _)| task.waiting_on == 1)
    );
    assert_eq!(on_the_board(&board), 1_000);
}

fn with_dedup(key: &str) -> NewTask {
    NewTask {
        dedup_key: Some(key.to_owned()),
        ..NewTask::titled("once")
    }
}

#[test]
fn the_same_key_gives_the_same_task() {
    let board = Board::new();
    let first = board.add(with_dedup("item 4"));
    assert_eq!(board.add(with_dedup("item 4")), first);
    assert_ne!(board.add(with_dedup("item 5")), first);
    let lease = board.claim();
    board.finish(&lease).unwrap();
    assert_eq!(
        board.add(with_dedup("item 4")),
        first,
        "also when it is done"
    );
    let found = board.look(|c| scheduling::task_by_key(c, "item 4"));
    assert_eq!(found.map(|task| task.id), Some(first));
    assert_eq!(board.look(|c| scheduling::task_by_key(c, "item 6")), None);
    assert_eq!(on_the_board(&board), 2);
}

#[test]
fn a_bulk_may_be_posted_twice() {
    let board = Board::new();
    let call = || {
        let mut tasks = vec![keyed("a", &[]), keyed("b", &["a"])];
        for task in &mut tasks {
            task.task.dedup_key.clone_from(&task.key);
        }
        tasks.push(keyed("c", &["b"]));
        tasks
    };
    let first = post(&board, call()).unwrap();
    let again = post(&board, call()).unwrap();
    let kinds: Vec<Posted> = again.iter().map(|(_, posted)| *posted).collect();
    assert_eq!(kinds, [Posted::Existing, Posted::Existing, Posted::Created]);
    assert_eq!(again[1].0.id, first[1].0.id);
    let (needs, _) = board.look(|c| scheduling::task_links(c, &again[2].0.id));
    assert_eq!(
        needs,
        [first[1].0.id.clone()],
        "a key means the task that is there"
    );
}
