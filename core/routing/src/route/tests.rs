use super::*;
use crate::chat::{Chat, Image, Output, Part, ToolSpec};
use callboard_telemetry::MicroDollars;
use proptest::prelude::{Just, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as _;

fn model(name: &str) -> Candidate {
    Candidate {
        provider: "p".to_owned(),
        model: name.to_owned(),
        cost: Some(MicroDollars(100)),
        ..Candidate::default()
    }
}

fn with(name: &str, change: impl FnOnce(&mut Candidate)) -> Candidate {
    let mut model = model(name);
    change(&mut model);
    model
}

fn route(strategy: Strategy, candidates: Vec<Candidate>) -> Route {
    Route {
        name: "r".to_owned(),
        strategy,
        candidates,
    }
}

fn order(route: &Route, need: &Need) -> Vec<String> {
    let decision = decide(route, need);
    let model = |choice: &Choice| route.candidates[choice.at].model.clone();
    decision.order.iter().map(model).collect()
}

/// The words of all that speaks against the only candidate.
fn against(candidate: Candidate, need: &Need) -> Vec<String> {
    let decision = decide(&route(Strategy::Sequential, vec![candidate]), need);
    assert_eq!(decision.order.is_empty(), !decision.rejected.is_empty());
    let why = decision
        .rejected
        .into_iter()
        .flat_map(|rejected| rejected.why);
    why.map(|why| why.to_string()).collect()
}

#[test]
fn what_a_request_needs_decides_first() {
    let need = |change: fn(&mut Need)| {
        let mut need = Need {
            input: 1_000,
            ..Need::default()
        };
        change(&mut need);
        need
    };
    type Change = fn(&mut Candidate);
    let cases: [(Need, Change, &str); 14] = [
        (
            need(|_| ()),
            |c| c.offer.window = Some(1_000),
            "needs 1000 tokens, has a window of 1000",
        ),
        (
            need(|n| n.output = Some(500)),
            |c| c.offer.window = Some(1_500),
            "needs 1500 tokens, has a window of 1500",
        ),
        (
            need(|n| n.output = Some(500)),
            |c| c.offer.max_output = Some(499),
            "may need an answer of 500 tokens, gives 499",
        ),
        (
            need(|n| n.tools = true),
            |c| c.offer.tools = Some(false),
            "has no tools",
        ),
        (
            need(|n| n.images = true),
            |c| c.offer.images = Some(false),
            "has no images",
        ),
        (
            need(|n| n.format = Format::Json),
            |c| c.offer.json = Some(false),
            "has no json",
        ),
        (
            need(|n| n.format = Format::Schema),
            |c| c.offer.schema = Some(false),
            "has no schema",
        ),
        (
            need(|n| n.privacy = Privacy::LocalOnly),
            |_| (),
            "is not on this machine",
        ),
        (
            need(|n| n.regions = vec!["eu".to_owned()]),
            |c| c.offer.region = Some("us".to_owned()),
            "runs in us, the prompt may go to eu only",
        ),
        (
            need(|n| n.regions = vec!["eu".to_owned()]),
            |_| (),
            "its region is not known, the prompt may go to eu only",
        ),
        (
            need(|n| n.max_cost = Some(MicroDollars(99))),
            |_| (),
            "may cost $0.0001, more than $0.000099",
        ),
        (
            need(|n| n.max_cost = Some(MicroDollars(99))),
            |c| c.cost = None,
            "its price is not known, so $0.000099 can't be held",
        ),
        (
            need(|n| n.within_ms = Some(800)),
            |c| c.health.recent.p50_ms = Some(801),
            "lately took 801 ms, there are 800",
        ),
        (
            need(|n| n.class = Some(TaskClass::Complex)),
            |c| c.offer.classes = vec![TaskClass::Simple],
            "is not meant for complex work",
        ),
    ];
    for (need, change, words) in cases {
        assert_eq!(against(with("m", change), &need), [words]);
    }
}

#[test]
fn what_just_suffices_is_taken() {
    let need = Need {
        input: 1_000,
        output: Some(500),
        tools: true,
        images: true,
        format: Format::Json,
        privacy: Privacy::LocalOnly,
        regions: vec!["eu".to_owned()],
        max_cost: Some(MicroDollars(100)),
        within_ms: Some(800),
        class: Some(TaskClass::Simple),
    };
    let candidate = with("m", |c| {
        c.offer.window = Some(1_501);
        c.offer.max_output = Some(500);
        c.offer.local = true;
        c.offer.tools = Some(true);
        c.offer.classes = vec![TaskClass::Simple];
        c.health.recent.p50_ms = Some(800);
    });
    assert!(against(candidate, &need).is_empty());
}

#[test]
fn who_can_not_be_asked_now_is_told_apart_from_who_never_can() {
    let need = Need::default();
    let open = with("open", |c| c.health.open_for_ms = Some(60_000));
    let cooling = with("cooling", |c| c.health.cools_for_ms = Some(20_000));
    let limited = with("limited", |c| {
        c.health.limited = Some(("no money left".to_owned(), None));
    });
    let never = with("never", |c| c.offer.window = Some(0));
    let decision = decide(
        &route(Strategy::Smart, vec![open, cooling, limited, never]),
        &need,
    );
    assert!(decision.order.is_empty());
    assert_eq!(decision.rejected.len(), 4);
    assert_eq!(decision.retry_in_ms(), Some(20_000));
    let unfit_too = with("m", |c| {
        c.health.cools_for_ms = Some(5);
        c.offer.window = Some(0);
    });
    let decision = decide(&route(Strategy::Smart, vec![unfit_too]), &need);
    assert_eq!(
        decision.retry_in_ms(),
        None,
        "waiting does not widen a window"
    );
}

#[test]
fn simple_work_goes_to_stronger_models_and_never_the_other_way() {
    let class = |class| Need {
        class: Some(class),
        ..Need::default()
    };
    let standard = with("standard", |c| c.offer.classes = vec![TaskClass::Standard]);
    let complex = with("complex", |c| c.offer.classes = vec![TaskClass::Complex]);
    let both = route(Strategy::Sequential, vec![complex, standard.clone()]);
    assert_eq!(order(&both, &class(TaskClass::Standard)), ["standard"]);
    let decision = decide(&both, &class(TaskClass::Simple));
    assert_eq!(decision.raised_to, Some(TaskClass::Standard));
    assert_eq!(order(&both, &class(TaskClass::Simple)), ["standard"]);
    let one = route(Strategy::Sequential, vec![standard]);
    assert!(order(&one, &class(TaskClass::Complex)).is_empty());
    // Without a word about it, any will do.
    assert_eq!(order(&both, &Need::default()), ["complex", "standard"]);
}

#[test]
fn the_strategies_order_what_is_left() {
    let recent = |calls, failures, p50_ms| Window {
        calls,
        failures,
        p50_ms,
    };
    let candidates = vec![
        with("dear and fast", |c| {
            c.cost = Some(MicroDollars(500));
            c.health.recent = recent(40, 1, Some(400));
        }),
        with("price unknown", |c| {
            c.cost = None;
            c.health.recent = recent(40, 0, Some(1_200));
        }),
        with("cheap and shaky", |c| {
            c.cost = Some(MicroDollars(5));
            c.health.recent = recent(40, 36, Some(950));
        }),
        with("new", |c| c.cost = Some(MicroDollars(50))),
    ];
    for (strategy, expected) in [
        (
            Strategy::Sequential,
            ["dear and fast", "price unknown", "cheap and shaky", "new"],
        ),
        (
            Strategy::Smart,
            ["dear and fast", "new", "price unknown", "cheap and shaky"],
        ),
        (
            Strategy::Cost,
            ["cheap and shaky", "new", "dear and fast", "price unknown"],
        ),
    ] {
        assert_eq!(
            order(&route(strategy, candidates.clone()), &Need::default()),
            expected
        );
    }
}

#[test]
fn needs_are_read_from_the_request() {
    let mut chat = Chat::ask("m", "hello");
    assert_eq!(
        Need::of(&chat, 7),
        Need {
            input: 7,
            ..Need::default()
        }
    );
    chat.tools.push(ToolSpec {
        name: "t".to_owned(),
        description: String::new(),
        parameters: serde_json::json!({"type": "object"}),
        strict: None,
    });
    chat.max_output = Some(9);
    chat.output = Output::Schema {
        name: "s".to_owned(),
        schema: serde_json::json!({}),
    };
    let url = "https://example.org/p.png".to_owned();
    chat.messages[0].parts.push(Part::ToolResult {
        id: "1".to_owned(),
        name: String::new(),
        parts: vec![Part::Image(Image::Url { url })],
        is_error: false,
    });
    let need = Need::of(&chat, 7);
    assert!(need.tools && need.images);
    assert_eq!(need.format, Format::Schema);
    assert_eq!(need.output, Some(9));
}

fn any_candidate() -> impl proptest::strategy::Strategy<Value = Candidate> {
    (
        any::<Option<u64>>(),
        any::<Option<bool>>(),
        any::<bool>(),
        proptest::option::of(0..1_000_i64),
        (0..50_u64, 0..50_u64, proptest::option::of(0..10_000_u64)),
        proptest::option::of(0..100_u64),
    )
        .prop_map(
            |(window, tools, local, cost, (calls, failures, p50_ms), open)| {
                with("m", |c| {
                    c.offer.window = window;
                    c.offer.tools = tools;
                    c.offer.local = local;
                    c.cost = cost.map(MicroDollars);
                    c.health.recent = Window {
                        calls,
                        failures,
                        p50_ms,
                    };
                    c.health.open_for_ms = open;
                })
            },
        )
}

proptest! {
    #[test]
    fn each_candidate_is_either_asked_or_refused_with_a_reason(
        candidates in proptest::collection::vec(any_candidate(), 0..8),
        strategy in prop_oneof![Just(Strategy::Sequential), Just(Strategy::Smart), Just(Strategy::Cost)],
        input in any::<u64>(),
        tools in any::<bool>(),
        max_cost in proptest::option::of(0..1_000_i64),
    ) {
        let need = Need { input, tools, max_cost: max_cost.map(MicroDollars), ..Need::default() };
        let route = route(strategy, candidates);
        let decision = decide(&route, &need);
        let mut seen: Vec<usize> = decision.order.iter().map(|choice| choice.at).collect();
        seen.extend(decision.rejected.iter().map(|rejected| rejected.at));
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..route.candidates.len()).collect::<Vec<_>>());
        prop_assert!(decision.rejected.iter().all(|rejected| !rejected.why.is_empty()));
        for choice in &decision.order {
            let chosen = &route.candidates[choice.at];
            prop_assert!(chosen.health.open_for_ms.is_none());
            prop_assert!(chosen.offer.window.is_none_or(|window| input < window));
            prop_assert!(need.max_cost.is_none_or(|most| chosen.cost.is_some_and(|cost| cost <= most)));
        }
        prop_assert_eq!(&decide(&route, &need), &decision);
    }
}
