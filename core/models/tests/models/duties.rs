//! What is done beside calls: rows of ended ones, calls whose process was killed, costs that become known, one at work
//! at a time.

use crate::rig::{configure, open};
use callboard_config::Environment;
use callboard_console::ProcessId;
use callboard_limits::{
    Ask, Call, CallState, Estimate, LimitError, Owner, Settlement, Subject, call_get, reserve,
    settle,
};
use callboard_models::{Models, no_secrets, this_process, tick};
use callboard_scheduling::{Process, SchedulingError, duty_take};
use callboard_telemetry::llm::{LlmCall, LlmOutcome, llm_call};
use callboard_telemetry::{Counted, MicroDollars, Tokens, Usage};
use std::path::Path;
use std::process::Command;

struct Rig {
    dir: tempfile::TempDir,
    models: Models,
}

impl Rig {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = "[providers.acme]\nwire = \"openai\"\nbase_url = \"http://127.0.0.1:9\"\nprices = \"vendor\"\n";
        configure(dir.path(), text);
        let models = open_in(dir.path()).await;
        Self { dir, models }
    }

    fn now(&self) -> i64 {
        self.models.clock().now_ms()
    }

    /// A call that holds something in the name of a process.
    async fn hold(&self, id: &str, owner: Owner, until: i64) {
        let now = self.now();
        let ask = Ask {
            call: id.to_owned(),
            subject: Subject {
                provider: Some("acme".to_owned()),
                model: Some("one".to_owned()),
                ..Subject::default()
            },
            owner,
            until,
            estimate: Estimate::default(),
            detail: "{}".to_owned(),
        };
        let held: Result<_, LimitError> = self
            .models
            .store()
            .write(move |c| reserve(c, now, &ask))
            .await;
        held.unwrap();
    }

    async fn settle(&self, id: &str) {
        self.answered(id, "{\"end\":{\"outcome\":\"ok\"}}").await;
    }

    /// It ends with an answer, of which this is said.
    async fn answered(&self, id: &str, detail: &str) {
        let (now, id) = (self.now(), id.to_owned());
        let usage = Usage {
            tokens: Tokens {
                input: 1_000_000,
                output: 500_000,
                ..Tokens::default()
            },
            counted: Counted::Reported,
        };
        let settlement = Settlement {
            usage: Some(usage),
            cost: None,
            detail: detail.to_owned(),
        };
        let done: Result<bool, LimitError> = self
            .models
            .store()
            .write(move |c| settle(c, now, &id, &settlement))
            .await;
        assert!(done.unwrap());
    }

    /// A price of this model becomes known.
    fn price(&self, model: &str) {
        self.price_with(model, "");
    }

    /// The same, with this beside it.
    fn price_with(&self, model: &str, more: &str) {
        let data = self.dir.path().join(".local/share/callboard");
        std::fs::create_dir_all(&data).unwrap();
        let prices = format!(
            "version = \"2999-01-01\"\n{more}[[price]]\nprovider = \"vendor\"\nmodel = \"{model}\"\ninput = 2.0\noutput = 9.0\nsource = \"x\"\n"
        );
        std::fs::write(data.join("prices.toml"), prices).unwrap();
    }

    async fn call(&self, id: &str) -> Call {
        let id = id.to_owned();
        let got: Result<Call, LimitError> =
            self.models.store().read(move |c| call_get(c, &id)).await;
        got.unwrap()
    }

    async fn row(&self, id: &str) -> Option<LlmCall> {
        let id = id.to_owned();
        let log = self.models.log();
        log.query(move |c| llm_call(c, &id)).await.unwrap()
    }
}

async fn open_in(home: &Path) -> Models {
    let environment = Environment::of([("HOME", home)], home);
    open(environment, None, &home.join("board"), no_secrets()).await
}

/// A process that was there and is gone.
fn gone() -> Owner {
    let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
    let id = ProcessId::of(child.id()).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    Owner {
        pid: id.pid,
        start: id.start_ticks,
    }
}

const LATER: i64 = 3_600_000;

#[tokio::test]
async fn ended_calls_get_their_row_once() {
    let rig = Rig::new().await;
    let until = rig.now() + LATER;
    rig.hold("c_1", this_process(), until).await;
    rig.hold("c_2", this_process(), until).await;
    rig.settle("c_1").await;
    assert_eq!(tick(&rig.models).await.unwrap().logged, 1);
    let row = rig.row("c_1").await.unwrap();
    assert_eq!((row.provider.as_str(), row.model.as_str()), ("acme", "one"));
    assert_eq!((row.outcome, row.cost), (LlmOutcome::Ok, None));
    assert_eq!(row.usage.unwrap().tokens.output, 500_000);
    assert_eq!(rig.row("c_2").await, None, "it has not ended");
    assert_eq!(tick(&rig.models).await.unwrap().logged, 0);
}

#[tokio::test]
async fn calls_of_processes_that_are_gone_end_as_lost() {
    let rig = Rig::new().await;
    let until = rig.now() + LATER;
    let mine = this_process();
    // The number is in use again, by somebody else.
    let reused = Owner {
        start: mine.start + 1,
        ..mine
    };
    rig.hold("c_gone", gone(), until).await;
    rig.hold("c_reused", reused, until).await;
    rig.hold("c_mine", mine, until).await;
    rig.hold("c_late", mine, rig.now() - 1).await;
    let done = tick(&rig.models).await.unwrap();
    assert_eq!((done.lost, done.logged), (3, 3));
    for id in ["c_gone", "c_reused", "c_late"] {
        assert_eq!(rig.call(id).await.state, CallState::Expired, "{id}");
        assert_eq!(rig.row(id).await.unwrap().outcome, LlmOutcome::Lost, "{id}");
    }
    assert_eq!(rig.call("c_mine").await.state, CallState::Held);
    // It was not lost after all: what is known replaces the word for not knowing.
    rig.settle("c_late").await;
    assert_eq!(tick(&rig.models).await.unwrap().logged, 1);
    assert_eq!(rig.row("c_late").await.unwrap().outcome, LlmOutcome::Ok);
}

#[tokio::test]
async fn costs_become_known_when_prices_do() {
    let rig = Rig::new().await;
    rig.hold("c_1", this_process(), rig.now() + LATER).await;
    rig.settle("c_1").await;
    assert_eq!(tick(&rig.models).await.unwrap().priced, 0);
    assert_eq!(rig.row("c_1").await.unwrap().cost, None);
    rig.price("one");
    assert_eq!(tick(&rig.models).await.unwrap().priced, 1);
    assert_eq!(rig.models.prices().version(), "2999-01-01");
    let (call, row) = (rig.call("c_1").await, rig.row("c_1").await.unwrap());
    let cost = Some(MicroDollars(6_500_000));
    assert_eq!((call.cost, row.cost), (cost, cost));
    assert_eq!(row.price.as_deref(), Some("2999-01-01"));
}

#[tokio::test]
async fn what_answered_under_another_name_is_priced_by_that_in_one_round() {
    let rig = Rig::new().await;
    rig.hold("c_1", this_process(), rig.now() + LATER).await;
    let detail = "{\"end\":{\"outcome\":\"ok\",\"model\":\"later\"}}";
    rig.answered("c_1", detail).await;
    rig.price("later");
    let done = tick(&rig.models).await.unwrap();
    assert_eq!((done.logged, done.priced), (1, 1));
    let (call, row) = (rig.call("c_1").await, rig.row("c_1").await.unwrap());
    let cost = Some(MicroDollars(6_500_000));
    assert_eq!((call.cost, row.cost), (cost, cost));
}

#[tokio::test]
async fn a_call_in_a_tier_is_never_priced_as_an_ordinary_one() {
    let rig = Rig::new().await;
    // The second one is in the log before there is any price, the first comes there with it.
    for (id, mode) in [("c_1", "priority"), ("c_2", "flex"), ("c_3", "search=4")] {
        rig.hold(id, this_process(), rig.now() + LATER).await;
        let detail = format!("{{\"mode\":\"{mode}\",\"end\":{{\"outcome\":\"ok\"}}}}");
        rig.answered(id, &detail).await;
    }
    tick(&rig.models).await.unwrap();
    rig.price("one");
    let done = tick(&rig.models).await.unwrap();
    assert_eq!(done.priced, 0);
    for (id, mode) in [("c_1", "priority"), ("c_2", "flex"), ("c_3", "search=4")] {
        let (call, row) = (rig.call(id).await, rig.row(id).await.unwrap());
        assert_eq!((call.cost, row.cost), (None, None), "{id}");
        assert_eq!(row.mode.to_string(), mode);
    }
    // Two dollars of input and four and a half of output, at half; and four searches for a cent each.
    rig.price_with(
        "one",
        "[provider.vendor]\ntiers = { flex = 0.5 }\ntools = { search = 0.01 }\n",
    );
    assert_eq!(tick(&rig.models).await.unwrap().priced, 2);
    for (id, cost) in [
        ("c_1", None),
        ("c_2", Some(3_250_000)),
        ("c_3", Some(6_540_000)),
    ] {
        let (call, row) = (rig.call(id).await, rig.row(id).await.unwrap());
        let cost = cost.map(MicroDollars);
        assert_eq!((call.cost, row.cost), (cost, cost), "{id}");
    }
}

#[tokio::test]
async fn calls_that_no_price_is_known_for_do_not_keep_later_ones_from_theirs() {
    let rig = Rig::new().await;
    let (now, mine) = (rig.now(), this_process());
    let made: Result<(), LimitError> = rig
        .models
        .store()
        .write(move |c| {
            for n in 0..201 {
                let known = n == 200;
                let ask = Ask {
                    call: format!("c_{n}"),
                    subject: Subject {
                        provider: Some("acme".to_owned()),
                        model: Some(if known { "one" } else { "strange" }.to_owned()),
                        ..Subject::default()
                    },
                    owner: mine,
                    until: now + LATER,
                    estimate: Estimate::default(),
                    detail: "{}".to_owned(),
                };
                reserve(c, now, &ask)?;
                let settlement = Settlement {
                    usage: Some(Usage {
                        tokens: Tokens::default(),
                        counted: Counted::Reported,
                    }),
                    cost: None,
                    detail: "{}".to_owned(),
                };
                settle(c, now, &ask.call, &settlement)?;
            }
            Ok(())
        })
        .await;
    made.unwrap();
    rig.price("one");
    assert_eq!(tick(&rig.models).await.unwrap().priced, 1);
    assert_eq!(rig.call("c_200").await.cost, Some(MicroDollars::ZERO));
    assert_eq!(rig.call("c_199").await.cost, None);
}

#[tokio::test]
async fn one_process_acts_at_a_time_and_the_next_takes_over() {
    let rig = Rig::new().await;
    rig.hold("c_1", this_process(), rig.now() + LATER).await;
    rig.settle("c_1").await;
    // Somebody else who lives holds the duty.
    let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
    let id = ProcessId::of(child.id()).unwrap();
    let other = Process {
        pid: id.pid,
        start: id.start_ticks,
    };
    let now = rig.now();
    let taken: Result<_, SchedulingError> = rig
        .models
        .store()
        .write(move |c| duty_take(c, now, "models", other, LATER, "", None))
        .await;
    taken.unwrap();
    assert_eq!(tick(&rig.models).await.unwrap().logged, 0);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(tick(&rig.models).await.unwrap().logged, 1);
}

#[tokio::test]
async fn they_run_by_themselves_until_they_are_dropped() {
    let rig = Rig::new().await;
    let duties = rig.models.keep();
    rig.hold("c_1", this_process(), rig.now() + LATER).await;
    rig.settle("c_1").await;
    let logged = async {
        while rig.row("c_1").await.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let limit = std::time::Duration::from_secs(30);
    tokio::time::timeout(limit, logged).await.unwrap();
    duties.end().await;
    let left: Result<_, SchedulingError> = rig
        .models
        .store()
        .read(|c| callboard_scheduling::duty_get(c, "models"))
        .await;
    assert_eq!(left.unwrap(), None, "the next need not wait");
}
