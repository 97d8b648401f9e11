//! Duties: one process at a time, the next one takes over.

use crate::fixture::{Answer, Board, SECOND};
use callboard_scheduling::{self as scheduling, Duty, Process, SchedulingError};

const ONE: Process = Process { pid: 1, start: 10 };
const TWO: Process = Process { pid: 2, start: 10 };
const TTL: i64 = 5 * SECOND;

fn take(board: &Board, process: Process, gone: Option<Process>) -> Answer<Duty> {
    let now = board.now();
    board.run(move |c| scheduling::duty_take(c, now, "upkeep", process, TTL, "note", gone))
}

fn holder(board: &Board) -> Option<Duty> {
    board.look(|c| scheduling::duty_get(c, "upkeep"))
}

fn drop_by(board: &Board, process: Process) {
    board
        .run(move |c| scheduling::duty_drop(c, "upkeep", process))
        .unwrap();
}

#[test]
fn one_takes_it_and_the_other_is_told_who_has_it() {
    let board = Board::new();
    assert_eq!(holder(&board), None);
    let duty = take(&board, ONE, None).unwrap();
    assert_eq!(Some(duty.clone()), holder(&board));
    assert_eq!(
        (duty.process, duty.since, duty.until),
        (ONE, board.now(), board.now() + TTL)
    );
    assert_eq!(duty.note, "note");
    let error = take(&board, TWO, None).unwrap_err();
    assert!(
        matches!(&error, SchedulingError::Held { name, pid: 1, since_ms } if name == "upkeep" && *since_ms == board.now())
    );
    assert!(error.hint().unwrap().contains("wait for that process"));
    assert_eq!(holder(&board), Some(duty));
}

#[test]
fn its_holder_extends_it() {
    let board = Board::new();
    let since = take(&board, ONE, None).unwrap().since;
    board.advance(4 * SECOND);
    let duty = take(&board, ONE, None).unwrap();
    assert_eq!((duty.since, duty.until), (since, board.now() + TTL));
    board.advance(4 * SECOND);
    assert!(take(&board, TWO, None).is_err());
}

#[test]
fn it_is_free_after_its_time() {
    let board = Board::new();
    take(&board, ONE, None).unwrap();
    board.advance(TTL);
    assert!(
        take(&board, TWO, None).is_err(),
        "the last millisecond is still its holder's"
    );
    board.advance(1);
    let duty = take(&board, TWO, None).unwrap();
    assert_eq!((duty.process, duty.since), (TWO, board.now()));
    assert!(
        take(&board, ONE, None).is_err(),
        "the old holder comes too late"
    );
}

#[test]
fn it_is_free_when_its_holder_is_gone() {
    let board = Board::new();
    take(&board, ONE, None).unwrap();
    let namesake = Process { pid: 1, start: 11 };
    assert!(take(&board, TWO, Some(namesake)).is_err());
    assert_eq!(take(&board, TWO, Some(ONE)).unwrap().process, TWO);
    assert!(
        take(&board, ONE, Some(ONE)).is_err(),
        "news of the old holder does not unseat the new one"
    );
}

#[test]
fn only_its_holder_gives_it_back() {
    let board = Board::new();
    take(&board, ONE, None).unwrap();
    drop_by(&board, TWO);
    drop_by(&board, Process { pid: 1, start: 11 });
    assert!(holder(&board).is_some());
    drop_by(&board, ONE);
    assert_eq!(holder(&board), None);
    take(&board, TWO, None).unwrap();
}

#[test]
fn duties_are_apart_by_name() {
    let board = Board::new();
    take(&board, ONE, None).unwrap();
    let now = board.now();
    board
        .run(move |c| scheduling::duty_take(c, now, "merge /repo", TWO, TTL, "", None))
        .unwrap();
}
