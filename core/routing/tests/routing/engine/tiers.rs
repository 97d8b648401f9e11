//! Tiers of service and the provider's own tools: what they cost, what is unknown, and what no budget lets through.

use super::rig::{PATIENT, Rig, provider, rig, settings};
use crate::asking;
use callboard_limits::{Limit, PriceTable, Resource, Scope, Span};
use callboard_routing::chat::Chat;
use callboard_routing::engine::{
    CallError, Handed, Passed, Passing, Provider, Settings, Terms, Wanted, row_of,
};
use callboard_routing::route::Rejection;
use callboard_routing::upstream::Upstream;
use callboard_routing::wire::Wire;
use callboard_telemetry::MicroDollars;
use callboard_tests::upstream::Upstream as Scripted;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;

/// A micro-dollar a token of input, four for output; flex costs half, a search a cent.
const PRICES: &str = "
version = \"test\"
[provider.acme]
tiers = { flex = 0.5 }
tools = { web_search = 0.01, web_fetch = 0 }
[[price]]
provider = \"acme\"
model = \"m\"
source = \"here\"
input = 1
output = 4
";

/// A provider of this wire that answers one question after the other with these bytes.
fn answers(wire: Wire, answers: Vec<String>) -> Provider {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (stream, body) in listener.incoming().map_while(Result::ok).zip(answers) {
            let (mut reader, mut length) = (BufReader::new(&stream), 0);
            for line in reader.by_ref().lines().map_while(Result::ok) {
                let line = line.to_lowercase();
                if let Some(said) = line.strip_prefix("content-length:") {
                    length = said.trim().parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            reader.read_exact(&mut vec![0; length]).unwrap();
            let kind = if body.starts_with('{') {
                "application/json"
            } else {
                "text/event-stream"
            };
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            (&stream).write_all(answer.as_bytes()).unwrap();
        }
    });
    let scripted = Scripted::start();
    let mut endpoint = asking::endpoint(&scripted, wire, PATIENT);
    endpoint.base_url = format!("http://{address}");
    endpoint.account = String::new();
    provider(Upstream::new(endpoint, asking::clock()).unwrap())
}

fn with(main: Provider) -> Settings {
    let mut settings = settings(vec![("main", main)], &[("main", "m")]);
    settings.prices = Arc::new(PriceTable::empty().with(PRICES).unwrap());
    settings
}

fn passing(wire: Wire, asks: &str) -> Passing {
    let comma = if asks.is_empty() { "" } else { "," };
    let body = format!(r#"{{"model":"m","max_tokens":9{comma}{asks},"messages":[]}}"#);
    let mut passing = Passing::new(wire, "/x", body.into_bytes()).unwrap();
    passing.target = Wanted::Route("r".to_owned());
    passing
}

async fn read(mut passed: Passed) -> Vec<u8> {
    let mut answer = Vec::new();
    while let Some(chunk) = passed.chunk().await {
        answer.extend_from_slice(&chunk.unwrap());
    }
    answer
}

/// A thousand tokens sent and a hundred made, with this beside them.
fn openai(says: &str, streams: bool) -> String {
    let usage = r#""usage":{"prompt_tokens":1000,"completion_tokens":100}"#;
    if streams {
        return format!(
            "data: {{\"id\":\"1\"{says},\"choices\":[{{\"delta\":{{\"content\":\"hi\"}},\"finish_reason\":\"stop\"}}]}}\n\n\
             data: {{\"id\":\"1\"{says},\"choices\":[],{usage}}}\n\ndata: [DONE]\n\n"
        );
    }
    format!(
        r#"{{"id":"1"{says},"choices":[{{"message":{{"content":"hi"}},"finish_reason":"stop"}}],{usage}}}"#
    )
}

fn anthropic(says: &str, streams: bool) -> String {
    let usage = format!(r#"{{"input_tokens":1000,"output_tokens":100{says}}}"#);
    if streams {
        let events = [
            r#"{"type":"message_start","message":{"id":"1","model":"m","usage":{"input_tokens":1000,"output_tokens":1}}}"#.to_owned(),
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"hi"}}"#.to_owned(),
            r#"{"type":"content_block_stop","index":0}"#.to_owned(),
            format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{usage}}}"#),
            r#"{"type":"message_stop"}"#.to_owned(),
        ];
        return events.map(|event| format!("data: {event}\n\n")).concat();
    }
    format!(
        r#"{{"id":"1","type":"message","model":"m","content":[{{"type":"text","text":"hi"}}],"stop_reason":"end_turn","usage":{usage}}}"#
    )
}

/// The wire, what is asked, what is answered; how the row says that it was made, and what it cost.
const CALLS: &[(Wire, &str, &str, &str, Option<i64>)] = &[
    (Wire::OpenAi, "", "", "", Some(1_400)),
    (
        Wire::OpenAi,
        r#""service_tier":"auto""#,
        r#","service_tier":"default""#,
        "",
        Some(1_400),
    ),
    (
        Wire::OpenAi,
        r#""service_tier":"flex""#,
        r#","service_tier":"flex""#,
        "flex",
        Some(700),
    ),
    // A provider that does not say which it was.
    (
        Wire::OpenAi,
        r#""service_tier":"flex""#,
        r#","service_tier":null"#,
        "flex",
        Some(700),
    ),
    (
        Wire::OpenAi,
        r#""service_tier":"priority""#,
        r#","service_tier":"priority""#,
        "priority",
        None,
    ),
    // It was too much to be served so, and is paid as any other.
    (
        Wire::OpenAi,
        r#""service_tier":"priority""#,
        r#","service_tier":"default""#,
        "",
        Some(1_400),
    ),
    // A setting of the account's, which nobody asked for.
    (
        Wire::OpenAi,
        "",
        r#","service_tier":"priority""#,
        "priority",
        None,
    ),
    (
        Wire::OpenAi,
        r#""web_search_options":{}"#,
        "",
        "web_search_options=?",
        None,
    ),
    (
        Wire::Anthropic,
        r#""service_tier":"auto""#,
        r#","service_tier":"standard""#,
        "",
        Some(1_400),
    ),
    (
        Wire::Anthropic,
        "",
        r#","service_tier":"priority""#,
        "priority",
        None,
    ),
    (
        Wire::Anthropic,
        "",
        r#","service_tier":"batch""#,
        "batch",
        None,
    ),
    (
        Wire::Anthropic,
        r#""speed":"fast""#,
        r#","speed":"fast""#,
        "speed:fast",
        None,
    ),
    (
        Wire::Anthropic,
        "",
        r#","inference_geo":"us""#,
        "inference_geo:us",
        None,
    ),
    (
        Wire::Anthropic,
        "",
        r#","inference_geo":"not_available""#,
        "",
        Some(1_400),
    ),
    (
        Wire::Anthropic,
        r#""tools":[{"type":"web_search_20250305","name":"web_search","max_uses":8}]"#,
        r#","server_tool_use":{"web_search_requests":3}"#,
        "web_search=3",
        Some(31_400),
    ),
    (
        Wire::Anthropic,
        r#""tools":[{"type":"web_search_20250305","name":"web_search","max_uses":8}]"#,
        "",
        "",
        Some(1_400),
    ),
    (
        Wire::Anthropic,
        r#""tools":[{"type":"code_execution_20250825","name":"code_execution"}]"#,
        r#","server_tool_use":null"#,
        "code_execution=?",
        None,
    ),
];

#[tokio::test]
async fn a_call_costs_what_its_tier_and_its_tools_cost_or_nobody_knows() {
    for streams in [false, true] {
        for (wire, asks, says, mode, cost) in CALLS {
            let answer = match wire {
                Wire::Anthropic => anthropic(says, streams),
                _ => openai(says, streams),
            };
            let rig = rig(with(answers(*wire, vec![answer.clone()])));
            let passed = rig.router.pass(passing(*wire, asks)).await.unwrap();
            assert_eq!(read(passed).await, answer.into_bytes());
            let call = &rig.settled(1).await[0];
            let row = row_of(call);
            let told = format!("{wire} {asks} {says} {streams}");
            assert_eq!(row.mode.to_string(), *mode, "{told}");
            let vendor = (*wire == Wire::Anthropic).then_some("anthropic");
            assert_eq!(row.vendor.as_deref(), vendor, "{told}");
            assert_eq!(
                (row.cost, call.cost),
                (cost.map(MicroDollars), cost.map(MicroDollars)),
                "{told}"
            );
            // Held for it was no price that it does not have.
            let held = call.estimate.cost.is_none();
            assert!(!held || row.mode.to_string() != "flex", "{told}");
        }
    }
}

#[test]
fn whose_models_a_provider_has_shows_in_its_prices_or_its_wire() {
    for (wire, prices, vendor) in [
        (Wire::OpenAi, "openai", Some("openai")),
        (Wire::OpenAi, "groq", Some("groq")),
        (Wire::OpenAi, "lab", None),
        (Wire::Anthropic, "lab", Some("anthropic")),
        (Wire::Gemini, "lab", Some("gemini")),
        (Wire::Gemini, "google", Some("google")),
        (Wire::Ollama, "lab", Some("ollama")),
    ] {
        let mut provider = answers(wire, Vec::new());
        provider.prices_as = prices.to_owned();
        assert_eq!(provider.vendor(), vendor, "{wire} {prices}");
    }
}

#[tokio::test]
async fn what_a_chat_is_answered_counts_as_what_passes() {
    for streams in [false, true] {
        let answer = openai(r#","service_tier":"priority""#, streams);
        let rig = rig(with(answers(Wire::OpenAi, vec![answer])));
        let ask = super::rig::hi();
        let cost = if streams {
            let mut answering = rig.router.stream(ask).await.unwrap();
            super::rig::read(&mut answering).await.unwrap();
            answering.cost()
        } else {
            rig.router.complete(ask).await.unwrap().cost
        };
        assert_eq!(cost, None);
        let row = row_of(&rig.settled(1).await[0]);
        assert_eq!(
            (row.mode.to_string().as_str(), row.cost),
            ("priority", None)
        );
    }
}

async fn with_a_dollar_a_day(settings: Settings) -> Rig {
    let rig = rig(settings);
    let dollar = Limit::new(Scope::All, "", Resource::Money, Span::Day, 1_000_000);
    rig.limit(dollar).await;
    rig
}

fn why(error: &CallError) -> String {
    let CallError::Nobody(nobody) = error else {
        panic!("{error:?}")
    };
    let why = &nobody.candidates[0].1;
    assert!(matches!(why[..], [Rejection::Unpriced(_)]), "{why:?}");
    assert_eq!(nobody.retry_in_ms, None, "waiting does not help");
    why[0].to_string()
}

/// What a budget keeps out, and what it says.
const KEPT_OUT: [(Wire, &str, &str); 6] = [
    (
        Wire::OpenAi,
        r#""service_tier":"priority""#,
        "the price of service tier priority isn't known, and a money limit applies: ask for the standard tier, or give this one a price",
    ),
    (
        Wire::Anthropic,
        r#""speed":"fast""#,
        "the price of service tier speed:fast isn't known, and a money limit applies: ask for the standard tier, or give this one a price",
    ),
    (
        Wire::Anthropic,
        r#""tools":[{"type":"code_execution_20250825","name":"x"}]"#,
        "the price of the provider's tool code_execution isn't known, and a money limit applies: leave it out, or give it a price",
    ),
    (
        Wire::OpenAi,
        r#""tools":[{"type":"browser_search"}]"#,
        "the price of the provider's tool browser_search isn't known, and a money limit applies: leave it out, or give it a price",
    ),
    (
        Wire::OpenAi,
        r#""web_search_options":{}"#,
        "the price of the provider's tool web_search_options isn't known, and a money limit applies: leave it out, or give it a price",
    ),
    (
        Wire::Anthropic,
        r#""tools":[{"type":"web_search_20250305","name":"web_search"}]"#,
        "how often the tool web_search is used isn't known, and a money limit applies: say how often at most, in its max_uses",
    ),
];

#[tokio::test]
async fn where_money_is_limited_nothing_without_a_price_is_asked_for() {
    for (wire, asks, says) in KEPT_OUT {
        let rig = with_a_dollar_a_day(with(answers(wire, Vec::new()))).await;
        let error = rig.router.pass(passing(wire, asks)).await.unwrap_err();
        assert_eq!(why(&error), says);
        assert!(rig.ended().is_empty(), "nothing was reserved");
        // The same where only this call may cost no more than so much.
        let rig = super::rig::rig(with(answers(wire, Vec::new())));
        let mut capped = passing(wire, asks);
        capped.terms = Terms {
            max_cost: Some(MicroDollars(1_000_000)),
            ..Terms::default()
        };
        assert_eq!(why(&rig.router.pass(capped).await.unwrap_err()), says);
    }
}

#[tokio::test]
async fn what_has_a_price_is_held_at_it() {
    let search = r#""tools":[{"type":"web_search_20250305","name":"web_search","max_uses":7}]"#;
    let answer = anthropic(r#","server_tool_use":{"web_search_requests":2}"#, false);
    let rig = with_a_dollar_a_day(with(answers(Wire::Anthropic, vec![answer]))).await;
    read(
        rig.router
            .pass(passing(Wire::Anthropic, search))
            .await
            .unwrap(),
    )
    .await;
    let call = &rig.settled(1).await[0];
    let tokens = i64::try_from(call.estimate.input + 4 * 9).unwrap();
    assert_eq!(call.estimate.cost, Some(MicroDollars(70_000 + tokens)));
    assert_eq!(call.cost, Some(MicroDollars(21_400)));
    // A hundred searches may cost a dollar, and two cents of it are gone.
    let more = search.replace('7', "100");
    let error = rig
        .router
        .pass(passing(Wire::Anthropic, &more))
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::Denied(_)), "{error:?}");
    let flex = openai(r#","service_tier":"flex""#, false);
    let rig = with_a_dollar_a_day(with(answers(Wire::OpenAi, vec![flex]))).await;
    let asks = r#""service_tier":"flex""#;
    read(rig.router.pass(passing(Wire::OpenAi, asks)).await.unwrap()).await;
    let call = &rig.settled(1).await[0];
    let tokens = i64::try_from(call.estimate.input + 4 * 9).unwrap();
    assert_eq!(call.estimate.cost, Some(MicroDollars((tokens + 1) / 2)));
}

#[tokio::test]
async fn what_costs_nothing_or_has_no_price_anyhow_is_not_kept_out_for_its_tier() {
    // Only the model's own price is missing: what becomes of such calls the limit says.
    let mut unknown = with(answers(Wire::OpenAi, vec![openai("", false)]));
    unknown.prices = Arc::new(PriceTable::empty());
    let rig = with_a_dollar_a_day(unknown).await;
    let asks = r#""service_tier":"priority""#;
    read(rig.router.pass(passing(Wire::OpenAi, asks)).await.unwrap()).await;
    assert_eq!(rig.settled(1).await[0].cost, None);
    let here = "version = \"1\"\n[provider.acme]\nlocal = true\n";
    let mut local = with(answers(Wire::OpenAi, vec![openai("", false)]));
    local.prices = Arc::new(PriceTable::empty().with(here).unwrap());
    let rig = with_a_dollar_a_day(local).await;
    read(rig.router.pass(passing(Wire::OpenAi, asks)).await.unwrap()).await;
    assert_eq!(rig.settled(1).await[0].cost, Some(MicroDollars::ZERO));
    // Counting tokens is no call.
    let rig = with_a_dollar_a_day(with(answers(Wire::OpenAi, Vec::new()))).await;
    let count = rig
        .router
        .count_passing(passing(Wire::OpenAi, asks), Ok(Chat::ask("m", "hi")));
    assert!(count.await.unwrap().tokens > 0);
}

#[tokio::test]
async fn a_translation_asks_for_no_tier() {
    let main = answers(Wire::Anthropic, vec![anthropic("", false)]);
    let rig = with_a_dollar_a_day(with(main)).await;
    let body = passing(Wire::OpenAi, r#""service_tier":"auto""#);
    let handed = rig
        .router
        .hand(body, Ok(Chat::ask("m", "hi")))
        .await
        .unwrap();
    assert!(matches!(handed, Handed::Answered(_)), "{handed:?}");
    assert_eq!(rig.settled(1).await[0].cost, Some(MicroDollars(1_400)));
}

#[tokio::test]
async fn searches_of_an_answer_that_breaks_off_are_paid_for() {
    let mut answer = anthropic("", true);
    answer.truncate(answer.find("data: {\"type\":\"message_delta\"").unwrap());
    let search = "data: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\",\"input\":{}}}\n\n";
    answer.push_str(&search.repeat(2));
    let rig = rig(with(answers(Wire::Anthropic, vec![answer])));
    let asks = r#""stream":true,"tools":[{"type":"web_search_20250305","max_uses":8}]"#;
    let mut passed = rig
        .router
        .pass(passing(Wire::Anthropic, asks))
        .await
        .unwrap();
    while passed.chunk().await.is_some() {}
    let row = row_of(&rig.settled(1).await[0]);
    assert_eq!(row.mode.to_string(), "web_search=2");
    assert_eq!(row.cost, Some(MicroDollars(21_004)));
}
