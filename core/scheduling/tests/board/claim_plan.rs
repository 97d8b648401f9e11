//! A claim reads the first entry of one index, however many tasks there are.

use crate::fixture::Board;
use callboard_scheduling::{self as scheduling, Claim, SchedulingError};
use callboard_store::{Conn, Row, StoreError, Value};

/// Passes everything on and keeps the statements.
struct Recorder<'c> {
    inner: &'c mut dyn Conn,
    statements: Vec<(String, usize)>,
}

impl Recorder<'_> {
    fn keep(&mut self, sql: &str, params: &[Value<'_>]) {
        self.statements.push((sql.to_owned(), params.len()));
    }
}

impl Conn for Recorder<'_> {
    fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<usize, StoreError> {
        self.keep(sql, params);
        self.inner.execute(sql, params)
    }

    fn for_each(
        &mut self,
        sql: &str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&dyn Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.keep(sql, params);
        self.inner.for_each(sql, params, each)
    }

    fn actor(&self) -> std::sync::Arc<callboard_store::actor::Actor> {
        self.inner.actor()
    }
}

/// The engine's plan for each statement that `op` runs: `(statement, plan)`.
fn plans(
    board: &Board,
    op: impl Fn(&mut dyn Conn) -> Result<(), SchedulingError> + Send + 'static,
) -> Vec<(String, String)> {
    board
        .run(move |c| {
            let mut recorder = Recorder {
                inner: c,
                statements: Vec::new(),
            };
            op(&mut recorder)?;
            let statements = recorder.statements;
            let mut plans = Vec::new();
            for (sql, count) in statements {
                let nulls = vec![Value::Null; count];
                let steps = c.query(&format!("EXPLAIN QUERY PLAN {sql}"), &nulls, |row| {
                    row.text(3)
                })?;
                plans.push((sql, steps.join("\n")));
            }
            Ok(plans)
        })
        .unwrap()
}

#[test]
fn the_inner_select_of_a_claim_reads_the_ready_index_and_sorts_nothing() {
    let board = Board::new();
    board.titled("task");
    let now = board.now();
    let plans = plans(&board, move |c| {
        scheduling::task_claim(c, now, "a_1", &Claim::by("w")).map(|task| assert!(task.is_some()))
    });
    let (_, claim) = plans
        .iter()
        .find(|(sql, _)| sql.starts_with("UPDATE tasks SET state = 'running'"))
        .unwrap();
    assert!(claim.contains("tasks_ready (queue=?)"), "{claim}");
    for (sql, plan) in &plans {
        assert!(!plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
        assert!(!plan.contains("SCAN"), "{sql}\n{plan}");
    }
}

#[test]
fn a_sweep_reads_only_what_is_due() {
    let board = Board::new();
    let now = board.now();
    let plans = plans(&board, move |c| scheduling::sweep(c, now).map(drop));
    assert_eq!(plans.len(), 2);
    for (sql, plan) in plans {
        assert!(
            !plan.contains("SCAN") && !plan.contains("TEMP B-TREE"),
            "{sql}\n{plan}"
        );
        assert!(
            plan.contains("tasks_due") || plan.contains("tasks_leases"),
            "{sql}\n{plan}"
        );
    }
}

#[test]
fn no_step_of_a_tasks_life_scans_the_board() {
    let board = Board::new();
    let need = board.titled("need");
    let next = board.after("next", &[&need]);
    let now = board.now();
    let plans = plans(&board, move |c| {
        let claim = |c: &mut dyn Conn, attempt: &str| {
            scheduling::task_claim(c, now, attempt, &Claim::by("w"))
                .map(|task| crate::fixture::lease_of(&task.unwrap()))
        };
        let lease = claim(c, "a_1")?;
        scheduling::lease_extend(c, now, &lease, 1_000, Some("x"))?;
        scheduling::task_release(c, now, &lease, scheduling::Outcome::Released, "x")?;
        let lease = claim(c, "a_2")?;
        scheduling::task_finish(c, now, &lease, &serde_json::json!(1))?;
        scheduling::task_cancel(c, now, &next, "x")?;
        scheduling::task_rerun(c, now, &need)?;
        scheduling::task_rerun(c, now, &next)?;
        scheduling::task_depend(c, now, &next, &[])
    });
    assert!(plans.len() > 20);
    for (sql, plan) in plans {
        let scans: Vec<&str> = plan
            .lines()
            .filter(|step| step.starts_with("SCAN tasks"))
            .collect();
        assert!(scans.is_empty(), "{sql}\n{plan}");
    }
}

#[test]
fn the_reason_of_a_ready_task_counts_along_the_index() {
    let board = Board::new();
    let id = board.titled("task");
    let now = board.now();
    let plans = plans(&board, move |c| {
        assert!(scheduling::queue_ready(c, "default")?);
        scheduling::task_reason(c, now, &id).map(drop)
    });
    let counting: Vec<&(String, String)> = plans
        .iter()
        .filter(|(sql, _)| sql.contains("ready"))
        .collect();
    assert_eq!(counting.len(), 2);
    for (sql, plan) in counting {
        assert!(plan.contains("tasks_ready (queue=?"), "{sql}\n{plan}");
    }
}

#[test]
fn what_stands_around_a_task_is_read_without_scans_and_sorts() {
    let board = Board::new();
    let id = board.titled("task");
    board.after("next", &[&id]);
    let plans = plans(&board, move |c| {
        scheduling::task_links(c, &id)?;
        scheduling::attempts_of(c, &id)?;
        scheduling::attempts_open(c).map(drop)
    });
    assert_eq!(plans.len(), 4);
    for (sql, plan) in plans {
        assert!(!plan.contains("SCAN"), "{sql}\n{plan}");
        let sorted = plan.contains("TEMP B-TREE");
        assert_eq!(sorted, sql.contains("ended_at IS NULL"), "{sql}\n{plan}");
    }
}
