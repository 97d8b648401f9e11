//! Tasks that end, and calls that were made for them, become counts by class and model.

use crate::rig::{configure, open};
use callboard_config::Environment;
use callboard_limits::{LimitError, RouteTallies, RouteTally, outcomes_tally};
use callboard_models::{Models, learn, no_secrets, tick};
use callboard_routing::chat::Chat;
use callboard_routing::engine::{Ask, Explained, Wanted};
use callboard_routing::route::TaskClass;
use callboard_scheduling::{
    Claim, Failure, Lease, NewTask, Outcome, SchedulingError, task_add, task_claim, task_fail,
    task_finish, task_get,
};
use callboard_store::{Conn, Store, StoreError};
use callboard_telemetry::CallLog;
use callboard_telemetry::llm::{LlmCall, LlmOutcome, llm_call, record_llm};
use callboard_tests::upstream::Upstream;
use std::path::Path;

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

const CONFIG: &str = r#"
[providers.main]
wire = "openai"
base_url = "URL"
key_env = "MAIN_KEY"
prices = "acme"

[routes.work]
candidates = ["main/dear", "main/poor", "main/cheap"]
class = "simple"
learn = 1

[prices]
file = "~/prices.toml"
"#;

async fn models(home: &Path, upstream: &Upstream) -> Models {
    let text = CONFIG.replace("URL", &upstream.base("openai"));
    configure(home, &text);
    let mut prices = "version = \"2999-01-01\"\n".to_owned();
    for (model, rate) in [("dear", 10.0), ("cheap", 1.0), ("poor", 0.1)] {
        prices.push_str(&format!(
            "[[price]]\nprovider = \"acme\"\nmodel = \"{model}\"\ninput = {rate:?}\noutput = {rate:?}\nsource = \"x\"\n"
        ));
    }
    std::fs::write(home.join("prices.toml"), prices).unwrap();
    let vars = [("HOME", home.to_str().unwrap()), ("MAIN_KEY", "sk-main")];
    let environment = Environment::of(vars, home);
    open(environment, None, &home.join("board"), no_secrets()).await
}

/// A task whose worker asks one model twice, and then finishes or fails.
async fn worked(models: &Models, n: usize, target: &Wanted, done: bool) {
    let (task, attempt) = (format!("t_{n}"), format!("a_{n}"));
    let began = models.clock().now_ms();
    let claimed: Result<Lease, SchedulingError> = {
        let (task, attempt) = (task.clone(), attempt.clone());
        let claim = move |c: &mut dyn Conn| {
            task_add(c, began, &task, &NewTask::titled("a task"))?;
            task_claim(c, began, &attempt, &Claim::by("w"))?;
            let task = task_get(c, &task)?;
            Ok(Lease {
                task: task.id,
                fence: task.fence,
            })
        };
        models.store().write(claim).await
    };
    let lease = claimed.unwrap();
    for _ in 0..2 {
        let mut ask = Ask::new(Chat::ask("", "hi")).to(target.clone());
        ask.who.task = Some(task.clone());
        ask.terms.class = Some(TaskClass::Simple);
        models.router().complete(ask).await.unwrap();
    }
    let ended = models.clock().now_ms();
    let done: Result<(), SchedulingError> = models
        .store()
        .write(move |c| match done {
            true => task_finish(c, ended, &lease, &serde_json::json!("ok")).map(|_| ()),
            false => task_fail(c, ended, &lease, Outcome::Failed, Failure::Final, "no").map(|_| ()),
        })
        .await;
    done.unwrap();
}

/// From the tasks of a board to the order of a route: calls are made, rows written, tasks ended, counts taken, and the
/// cheapest model that does is asked first from then on.
#[tokio::test]
async fn a_route_learns_from_the_tasks_of_its_board() {
    let home = tempfile::tempdir().unwrap();
    let upstream = Upstream::start();
    let models = models(home.path(), &upstream).await;
    let by_route = || Ask::new(Chat::ask("", "hi")).to(Wanted::Route("work".to_owned()));
    let first = |explained: &Explained| {
        let choice = &explained.decision.order[0];
        let model = explained.candidates[choice.at].target().model;
        (model, choice.why.clone())
    };
    let before = models.router().explain(&by_route()).await.unwrap();
    assert_eq!(
        first(&before),
        (
            "dear".to_owned(),
            "no simple task was tried with it; place 1 of the route".to_owned()
        )
    );
    let told = [("dear", true), ("cheap", true), ("poor", false)];
    for n in 0..30 {
        let (model, done) = told[n % 3];
        let target = Wanted::Model {
            provider: "main".to_owned(),
            model: model.to_owned(),
        };
        worked(&models, n, &target, done).await;
    }
    assert_eq!(tick(&models).await.unwrap().logged, 60);
    // Attempts are looked at a minute after their end.
    let later = models.clock().now_ms() + 60_000;
    let learned = learn(models.store(), models.log(), later).await.unwrap();
    assert_eq!(learned, 30);
    let of = |model: &str, succeeded, failed| (model.to_owned(), succeeded, failed);
    assert_eq!(
        counts(models.store(), "simple").await,
        [of("cheap", 10, 0), of("dear", 10, 0), of("poor", 0, 10)]
    );

    let answered = models.router().complete(by_route()).await.unwrap();
    assert_eq!(answered.target.model, "cheap");
    assert_eq!(tick(&models).await.unwrap().logged, 1);
    let id = answered.call.clone();
    let row = models.log().query(move |c| llm_call(c, &id)).await;
    let decision = row.unwrap().unwrap().decision.unwrap();
    let order: serde_json::Value = serde_json::from_str(&decision).unwrap();
    let order: Vec<(&str, &str)> = order["order"]
        .as_array()
        .unwrap()
        .iter()
        .map(|choice| {
            (
                choice["model"].as_str().unwrap(),
                choice["why"].as_str().unwrap(),
            )
        })
        .collect();
    let names: Vec<&str> = order.iter().map(|(model, _)| *model).collect();
    assert_eq!(names, ["main/cheap", "main/dear", "main/poor"]);
    assert!(
        order[0]
            .1
            .starts_with("10 of 10 simple tasks succeeded: as good as the best, and costs $"),
        "{decision}"
    );
    assert_eq!(
        order[2].1,
        "0 of 10 simple tasks succeeded, fewer than 50 %; place 2 of the route"
    );
    let after = models.router().explain(&by_route()).await.unwrap();
    assert_eq!(first(&after).1, order[0].1);
}
