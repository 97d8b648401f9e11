//! Numbers of tokens as providers say them: whatever they are, nothing breaks, and none that can't be true is believed.

use super::{asked, head, relayed};
use callboard_routing::gateway::{Dialect, Tap};
use callboard_routing::wire::Wire;
use callboard_telemetry::{Counted, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

/// More than this no call uses.
const MOST: u64 = 100_000_000;

/// An answer in one piece with these numbers, in whatever members the wire has for them.
fn answer(wire: Wire, numbers: &[u64; 6]) -> Value {
    let [a, b, c, d, e, f] = numbers;
    match wire {
        Wire::OpenAi => json!({
            "id": "1", "model": "m", "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": a, "completion_tokens": b, "total_tokens": c,
                "prompt_tokens_details": {"cached_tokens": d, "cache_write_tokens": e},
                "completion_tokens_details": {"reasoning_tokens": f}},
        }),
        Wire::Anthropic => json!({
            "id": "1", "model": "m", "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn",
            "usage": {"input_tokens": a, "output_tokens": b, "cache_read_input_tokens": c,
                "cache_creation_input_tokens": d, "cache_creation": {"ephemeral_1h_input_tokens": e}},
        }),
        Wire::Gemini => json!({
            "candidates": [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": a, "candidatesTokenCount": b, "toolUsePromptTokenCount": c,
                "cachedContentTokenCount": d, "thoughtsTokenCount": f},
        }),
        Wire::Ollama => json!({
            "model": "m", "message": {"content": "hi"}, "done": true, "prompt_eval_count": a, "eval_count": b,
        }),
    }
}

fn usage(wire: Wire, numbers: &[u64; 6]) -> Option<Usage> {
    let body = answer(wire, numbers).to_string();
    wire.decode(&head(200), body.as_bytes()).unwrap().usage
}

#[test]
fn what_no_call_can_use_is_not_believed() {
    for wire in Wire::ALL {
        let good = usage(wire, &[7, 5, 0, 0, 0, 0]).unwrap();
        assert_eq!((good.tokens.input, good.tokens.output), (7, 5), "{wire}");
        for large in [MOST + 1, u64::MAX] {
            assert_eq!(usage(wire, &[large, 5, 0, 0, 0, 0]), None, "{wire}");
            assert_eq!(usage(wire, &[7, large, 0, 0, 0, 0]), None, "{wire}");
        }
        assert!(usage(wire, &[MOST, MOST, 0, 0, 0, 0]).is_some(), "{wire}");
    }
    // Sums over the end of the range.
    let max = u64::MAX;
    assert_eq!(usage(Wire::OpenAi, &[5, 5, max, 0, 0, max]), None);
    assert_eq!(usage(Wire::Anthropic, &[max, 5, 7, 7, 7, 0]), None);
    assert_eq!(usage(Wire::Gemini, &[max, 5, 7, 0, 0, 0]), None);
    assert_eq!(usage(Wire::Gemini, &[7, 5, 0, 0, 0, max]), None);
}

/// What was said at the beginning does not stand for the whole when the end can't be true.
#[test]
fn an_end_that_can_not_be_true_leaves_nothing_known() {
    let mut tap = Tap::new(Wire::Anthropic, head(200));
    let mut feed = |piece: Value| {
        tap.feed(format!("data: {piece}\n\n").as_bytes());
        tap.so_far().usage.map(|said| said.tokens.input)
    };
    let usage = json!({"input_tokens": 9, "output_tokens": 1});
    let begun = feed(json!({"type": "message_start", "message": {"id": "1", "usage": usage}}));
    assert_eq!(begun, Some(9));
    let usage = json!({"output_tokens": u64::MAX});
    let delta = json!({"stop_reason": "end_turn"});
    feed(json!({"type": "message_delta", "delta": delta, "usage": usage}));
    feed(json!({"type": "message_stop"}));
    let seen = tap.end();
    assert_eq!((seen.usage, seen.failure), (None, None));
    assert!(seen.finish.is_some());
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..3_000_u64,
        (MOST - 2)..(MOST + 2),
        (u64::MAX - 2)..=u64::MAX,
        any::<u64>(),
    ]
}

proptest! {
    #[test]
    fn whatever_a_provider_counts_parts_are_no_more_than_the_whole(
        numbers in prop::array::uniform6(number()),
        wire in prop::sample::select(Wire::ALL.to_vec()),
    ) {
        if let Some(usage) = usage(wire, &numbers) {
            let tokens = usage.tokens;
            prop_assert_eq!(usage.counted, Counted::Reported);
            prop_assert!(tokens.input <= MOST && tokens.output <= MOST, "{:?}", tokens);
            prop_assert!(tokens.cached + tokens.cache_write <= tokens.input, "{:?}", tokens);
            prop_assert!(tokens.cache_write_1h <= tokens.cache_write, "{:?}", tokens);
            prop_assert!(tokens.reasoning <= tokens.output, "{:?}", tokens);
        }
        // And in every client's words.
        let bytes = answer(wire, &numbers).to_string();
        for dialect in [Dialect::Messages, Dialect::Completions, Dialect::Responses] {
            let said = json!([{"role": "user", "content": "hi"}]);
            let body = match dialect {
                Dialect::Responses => json!({"model": "m", "stream": true, "input": said}),
                _ => json!({"model": "m", "stream": true, "max_tokens": 9, "messages": said}),
            };
            relayed(&asked(dialect, &body), wire, bytes.as_bytes());
        }
    }
}
