//! Work is handed out only where there is money for it.

use callboard_limits::{Limit, LimitError, Resource, Scope, Span, limit_drop, limit_set};
use callboard_models::{Dispatched, dispatch, task_stop};
use callboard_scheduling::{Claim, NewTask, SchedulingError, State, task_add, task_get};
use callboard_store::Store;

/// 2026-11-21T12:00:00Z.
const NOW: i64 = 1_795_262_400_000;

struct Board {
    store: Store,
    _dir: tempfile::TempDir,
}

impl Board {
    fn new() -> Board {
        let dir = tempfile::tempdir().unwrap();
        let store = callboard_board::open(dir.path()).unwrap();
        Board { store, _dir: dir }
    }

    fn post(&self, id: &'static str, project: Option<&'static str>) {
        let posted: Result<_, SchedulingError> = self.store.write_blocking(move |c| {
            let mut task = NewTask::titled(id);
            task.project = project.map(str::to_owned);
            task_add(c, NOW, id, &task)
        });
        posted.unwrap();
    }

    fn set(&self, limit: Limit) {
        let set: Result<(), LimitError> = self
            .store
            .write_blocking(move |c| limit_set(c, NOW, &limit));
        set.unwrap();
    }

    fn claim(&self, attempt: &'static str) -> Dispatched {
        let claim = Claim::by("ada");
        let claimed = self
            .store
            .write_blocking(move |c| dispatch(c, NOW, attempt, &claim));
        claimed.unwrap()
    }
}

fn none(scope: Scope, name: &str, span: Span) -> Limit {
    Limit::new(scope, name, Resource::Money, span, 0)
}

#[test]
fn a_stopped_task_stays_ready_and_the_next_one_is_taken() {
    let board = Board::new();
    board.post("t_dear", Some("site"));
    board.post("t_cheap", None);
    board.set(none(Scope::Project, "site", Span::Day));
    let Dispatched::Task(task) = board.claim("a_1") else {
        panic!("nothing was handed out");
    };
    assert_eq!(task.id, "t_cheap");
    let Dispatched::Stopped(stop) = board.claim("a_2") else {
        panic!("it was handed out");
    };
    assert!(
        stop.why.contains("$0.00 a day for project site"),
        "{}",
        stop.why
    );
    // Nothing is ever left of nothing.
    assert_eq!(stop.until, None);
    let seen = board.store.read_now(|c| {
        let task = task_get(c, "t_dear")?;
        let stop = task_stop(c, NOW, &task)?;
        Ok::<_, SchedulingError>((task.state, stop))
    });
    assert_eq!(seen.unwrap(), (State::Ready, Some(stop)));
    let dropped: Result<bool, LimitError> = board
        .store
        .write_blocking(|c| limit_drop(c, NOW, &none(Scope::Project, "site", Span::Day)));
    assert!(dropped.unwrap());
    assert!(matches!(board.claim("a_3"), Dispatched::Task(task) if task.id == "t_dear"));
    assert_eq!(board.claim("a_4"), Dispatched::Nothing);
}

#[test]
fn limits_on_anything_but_money_and_on_models_stop_no_work() {
    let board = Board::new();
    board.set(Limit::new(Scope::All, "", Resource::Requests, Span::Day, 0));
    board.set(none(Scope::Provider, "groq", Span::Day));
    board.set(none(Scope::Task, "t_other", Span::Ever));
    board.post("t_1", Some("site"));
    assert!(matches!(board.claim("a_1"), Dispatched::Task(_)));
}

#[test]
fn a_claim_that_makes_no_sense_is_told_also_where_money_is_limited() {
    let board = Board::new();
    board.set(none(Scope::All, "", Span::Month));
    let claim = Claim::by("");
    let refused: Result<_, SchedulingError> = board
        .store
        .write_blocking(move |c| dispatch(c, NOW, "a_1", &claim));
    assert!(
        matches!(refused, Err(SchedulingError::Invalid { .. })),
        "{refused:?}"
    );
}
