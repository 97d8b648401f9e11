//! Tasks that end, and calls that were made for them, become counts by class and model.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail loudly")]

use callboard_limits::{LimitError, RouteTallies, RouteTally, outcomes_tally};
use callboard_models::learn;
use callboard_scheduling::{
    Claim, Failure, Lease, NewTask, Outcome, SchedulingError, task_add, task_claim, task_fail,
    task_finish, task_get,
};
use callboard_store::{Store, StoreError};
use callboard_telemetry::CallLog;
use callboard_telemetry::llm::{LlmCall, LlmOutcome, record_llm};

const START: i64 = 1_795_262_400_000;
const MINUTE: i64 = 60_000;

/// What somebody tells of a task: which models answered, of which class, and how it ended.
struct Told {
    answers: &'static [(&'static str, LlmOutcome)],
    class: Option<&'static str>,
    end: End,
}

enum End {
    Done,
    Failed,
    Conflict,
}

async fn tell(store: &Store, log: &CallLog, n: i64, told: &Told) {
    let (task, attempt) = (format!("t_{n}"), format!("a_{n}"));
    let began = START + n * MINUTE;
    let done: Result<(), SchedulingError> = {
        let (task, attempt) = (task.clone(), attempt.clone());
        let end = match told.end {
            End::Done => None,
            End::Failed => Some(Outcome::Failed),
            End::Conflict => Some(Outcome::Conflict),
        };
        store
            .write(move |c| {
                task_add(c, began, &task, &NewTask::titled("a task"))?;
                task_claim(c, began, &attempt, &Claim::by("w"))?;
                let task = task_get(c, &task)?;
                let lease = Lease {
                    task: task.id,
                    fence: task.fence,
                };
                let ended = began + MINUTE / 2;
                match end {
                    None => task_finish(c, ended, &lease, &serde_json::json!("ok"))?,
                    Some(end) => task_fail(c, ended, &lease, end, Failure::Final, "no")?,
                };
                Ok(())
            })
            .await
    };
    done.unwrap();
    let calls: Vec<LlmCall> = (1..)
        .zip(told.answers)
        .map(|(at, (model, outcome))| LlmCall {
            id: format!("c_{n}_{at}"),
            at: began + at,
            task: Some(task.clone()),
            provider: "acme".to_owned(),
            model: (*model).to_owned(),
            decision: told
                .class
                .map(|class| format!("{{\"class\": \"{class}\"}}")),
            outcome: *outcome,
            attempt: 1,
            ..LlmCall::default()
        })
        .collect();
    let rows = log.store().await.unwrap();
    let written: Result<(), StoreError> = rows
        .write(move |c| calls.iter().try_for_each(|call| record_llm(c, call)))
        .await;
    written.unwrap();
}

async fn counts(store: &Store, class: &'static str) -> Vec<(String, u64, u64)> {
    let read: Result<RouteTallies, LimitError> =
        store.read(move |c| outcomes_tally(c, class, 0)).await;
    let counts = read.unwrap().into_iter();
    counts
        .map(|((_, model), RouteTally { succeeded, failed })| (model, succeeded, failed))
        .collect()
}

#[tokio::test]
async fn ended_tasks_count_once_for_the_model_that_did_them() {
    const OK: LlmOutcome = LlmOutcome::Ok;
    let dir = tempfile::tempdir().unwrap();
    let store = callboard_board::open(dir.path()).unwrap();
    let log = CallLog::open(dir.path());
    let small: &[_] = &[("small", OK), ("small", OK)];
    let simple = |answers, end| Told {
        answers,
        class: Some("simple"),
        end,
    };
    let told = [
        simple(small, End::Done),
        simple(small, End::Failed),
        simple(small, End::Conflict),
        simple(&[("small", LlmOutcome::Error), ("large", OK)], End::Done),
        simple(&[("small", OK), ("large", OK)], End::Done),
        Told {
            class: None,
            ..simple(small, End::Done)
        },
        Told {
            class: Some("complex"),
            ..simple(small, End::Failed)
        },
    ];
    for (n, told) in (0..).zip(&told) {
        tell(&store, &log, n, told).await;
    }
    let last = START + 6 * MINUTE + MINUTE / 2;
    // The last one ended a moment ago: calls of it may still be on their way into the log.
    assert_eq!(learn(&store, &log, last + 59_999).await.unwrap(), 3);
    assert_eq!(counts(&store, "complex").await, []);
    assert_eq!(learn(&store, &log, last + 60_000).await.unwrap(), 1);
    assert_eq!(learn(&store, &log, last + MINUTE * 9).await.unwrap(), 0);
    let of = |model: &str, succeeded, failed| (model.to_owned(), succeeded, failed);
    assert_eq!(
        counts(&store, "simple").await,
        [of("large", 1, 0), of("small", 1, 1)]
    );
    assert_eq!(counts(&store, "complex").await, [of("small", 0, 1)]);
}
