//! Routes whose order is learned: what a call does with what the board's tasks have taught.

use super::rig::{Rig, hi, rig, simple};
use callboard_limits::{LearnCursor, LimitError, PriceTable, RouteOutcome, outcomes_record};
use callboard_routing::bandit::{COUNTED_MS, Policy};
use callboard_routing::engine::{Ask, Escalate, Explained, Settings, row_of};
use callboard_routing::route::TaskClass;
use callboard_routing::wire::Wire;
use callboard_store::{Clock, SystemClock};
use callboard_tests::upstream::Upstream as Scripted;
use std::sync::Arc;

/// A route over two models, the first of which costs ten times as much as the second.
fn dear_and_cheap(scripted: &Scripted, learn: Option<Policy>) -> Settings {
    let mut with = simple(scripted, Wire::OpenAi, &["dear", "cheap"]);
    let price = |model: &str, rate: u32| {
        format!(
            "[[price]]\nprovider = \"acme\"\nmodel = \"{model}\"\nsource = \"here\"\ninput = {rate}\noutput = {rate}\n"
        )
    };
    let table = format!(
        "version = \"test\"\n{}{}",
        price("dear", 10),
        price("cheap", 1)
    );
    with.prices = Arc::new(PriceTable::empty().with(&table).unwrap());
    let route = with.routes.get_mut("r").unwrap();
    (route.class, route.learn) = (Some(TaskClass::Simple), learn);
    with
}

fn for_task(task: &str) -> Ask {
    let mut ask = hi();
    ask.who.task = Some(task.to_owned());
    ask
}

/// Whoever is asked first, and all the reasons in order.
fn order(explained: &Explained) -> Vec<(String, String)> {
    let choices = explained.decision.order.iter();
    let told = choices.map(|choice| {
        let model = explained.candidates[choice.at].target().model;
        (model, choice.why.clone())
    });
    told.collect()
}

impl Rig {
    /// Attempts of simple tasks that a model did, so long ago.
    async fn seen(&self, model: &str, succeeded: usize, failed: usize, ago: i64) {
        let at = SystemClock.now_ms() - ago;
        let outcomes: Vec<RouteOutcome> = (0..succeeded + failed)
            .map(|n| RouteOutcome {
                attempt: format!("{model}-{ago}-{n}"),
                at,
                class: "simple".to_owned(),
                provider: "main".to_owned(),
                model: model.to_owned(),
                succeeded: n < succeeded,
            })
            .collect();
        let done: Result<(), LimitError> = self
            .store
            .write(move |c| outcomes_record(c, &outcomes, LearnCursor { at, seq: 1 }))
            .await;
        done.unwrap();
    }
}

#[tokio::test]
async fn without_the_setting_the_class_or_any_task_nothing_changes() {
    let scripted = Scripted::start();
    let rig = rig(dear_and_cheap(&scripted, None));
    rig.seen("dear", 20, 0, 0).await;
    rig.seen("cheap", 20, 0, 0).await;
    let off = rig.router.explain(&for_task("t_1")).await.unwrap();
    let places = [
        ("dear".to_owned(), "place 1 of the route".to_owned()),
        ("cheap".to_owned(), "place 2 of the route".to_owned()),
    ];
    assert_eq!(order(&off), places);

    let mut unclassed = dear_and_cheap(&scripted, Some(Policy::default()));
    unclassed.routes.get_mut("r").unwrap().class = None;
    rig.router.replace(unclassed);
    let without = rig.router.explain(&for_task("t_1")).await.unwrap();
    assert_eq!(order(&without), places);

    // Of complex tasks nothing is known.
    let learns = dear_and_cheap(&scripted, Some(Policy::default()));
    rig.router.replace(learns);
    let mut ask = hi();
    ask.terms.class = Some(TaskClass::Complex);
    let unknown = order(&rig.router.explain(&ask).await.unwrap());
    assert_eq!(
        unknown[0],
        (
            "dear".to_owned(),
            "no complex task was tried with it; place 1 of the route".to_owned()
        )
    );
}

#[tokio::test]
async fn the_cheapest_that_does_about_as_well_is_asked_first_and_the_row_says_why() {
    let scripted = Scripted::start();
    let rig = rig(dear_and_cheap(&scripted, Some(Policy::default())));
    rig.seen("dear", 20, 0, 0).await;
    rig.seen("cheap", 19, 1, 0).await;
    // Too long ago to count.
    rig.seen("cheap", 0, 400, COUNTED_MS + 60_000).await;
    let explained = rig.router.explain(&hi()).await.unwrap();
    let learned = order(&explained);
    assert_eq!(
        learned
            .iter()
            .map(|(model, _)| model.as_str())
            .collect::<Vec<_>>(),
        ["cheap", "dear"]
    );
    let cost = explained.candidates[1].estimate.cost.unwrap();
    let why = format!(
        "19 of 20 simple tasks succeeded: as good as the best, and costs {cost} at most; place 2 of the route"
    );
    assert_eq!(learned[0].1, why);
    let answered = rig.router.complete(hi()).await.unwrap();
    assert_eq!(answered.target.model, "cheap");
    let row = row_of(&rig.settled(1).await[0]);
    let decision: serde_json::Value = serde_json::from_str(&row.decision.unwrap()).unwrap();
    assert_eq!(decision["order"][0]["why"], why.as_str());

    // What it fails at later counts against it.
    rig.seen("cheap", 0, 40, 1).await;
    let answered = rig.router.complete(hi()).await.unwrap();
    assert_eq!(answered.target.model, "dear");
    let row = row_of(&rig.settled(2).await[1]);
    let decision = row.decision.unwrap();
    assert!(
        decision.contains("19 of 60 simple tasks succeeded, fewer than 50 %"),
        "{decision}"
    );
}

#[tokio::test]
async fn few_tasks_try_another_and_each_does_with_all_of_its_calls() {
    let scripted = Scripted::start();
    let policy = Policy {
        explore: 0,
        ..Policy::default()
    };
    let rig = rig(dear_and_cheap(&scripted, Some(policy)));
    rig.seen("dear", 20, 0, 0).await;
    rig.seen("cheap", 20, 0, 0).await;
    // By the names of the tasks, so it is the same ones each time: about 1 % of them, which is the floor.
    let mut explored = Vec::new();
    for n in 0..1_000 {
        let task = format!("t_{n}");
        let explained = rig.router.explain(&for_task(&task)).await.unwrap();
        let (model, why) = order(&explained).remove(0);
        if model == "dear" {
            assert!(
                why.starts_with("explored, as 1 % of the tasks are; 20 of 20 simple tasks"),
                "{why}"
            );
            explored.push(task);
        }
    }
    assert!((4..=20).contains(&explored.len()), "{explored:?}");
    for _ in 0..3 {
        let answered = rig.router.complete(for_task(&explored[0])).await.unwrap();
        assert_eq!(answered.target.model, "dear");
        // Nothing could be learned from a call for no task.
        let answered = rig.router.complete(hi()).await.unwrap();
        assert_eq!(answered.target.model, "cheap");
    }
}

#[tokio::test]
async fn each_row_of_a_task_says_its_class() {
    let scripted = Scripted::start();
    let mut with = simple(&scripted, Wire::OpenAi, &["m--500", "ok"]);
    let route = with.routes.get_mut("r").unwrap();
    route.class = Some(TaskClass::Simple);
    // The answer is judged by its own model, which is a call for the task too.
    route.escalate = Some(Escalate {
        least_score: Some(60),
    });
    let rig = rig(with);
    rig.router.complete(for_task("t_1")).await.unwrap();
    let rows: Vec<_> = rig.settled(3).await.iter().map(row_of).collect();
    for row in rows {
        let decision: serde_json::Value = serde_json::from_str(&row.decision.unwrap()).unwrap();
        assert_eq!(decision["class"], "simple", "{decision}");
    }
}
