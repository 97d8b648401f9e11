//! How often a failure is given the right name, on error bodies that providers really send.
//!
//! `llm_errors.json` holds them, each with where it comes from; `quoted` says whether it stands there as it
//! is, or was put together from the words and the shape that the provider's documentation names. Labels say
//! what would help: a spent quota of the day is `quota_exhausted`, a limit that passes within minutes is
//! `rate_limited`, and a single request larger than a minute's limit is `context_too_long`.
//!
//! Half of them, by a hash of the id, is for working on the rules; the other half only judges. A failure of
//! the judging half is shown as counts, never as a body. Whoever collected the bodies wrote the rules too.

use std::collections::BTreeMap;

use callboard_telemetry::errors::{Confidence, ErrorClass, ErrorFacts, Phase, classify};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    id: String,
    provider: String,
    status: Option<u16>,
    phase: String,
    label: String,
    source: String,
    text: String,
}

impl Case {
    fn facts(&self) -> ErrorFacts<'_> {
        let phase = match self.phase.as_str() {
            "connecting" => Phase::Connecting,
            "waiting" => Phase::Waiting,
            "streaming" => Phase::Streaming,
            "answered" => Phase::Answered,
            other => panic!("{}: no phase {other}", self.id),
        };
        ErrorFacts {
            provider: &self.provider,
            status: self.status,
            code: None,
            text: &self.text,
            phase,
        }
    }

    /// FNV-1a of the id.
    fn judges(&self) -> bool {
        let hash = self
            .id
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        hash >> 32 & 1 == 1
    }
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("llm_errors.json")).expect("the collection is JSON")
}

/// Right ones, and how often each label was given another class.
fn judge(cases: &[&Case]) -> (usize, BTreeMap<(String, &'static str), usize>) {
    let mut wrong = BTreeMap::new();
    let mut right = 0;
    for case in cases {
        let class = classify(&case.facts()).class.as_str();
        if class == case.label {
            right += 1;
        } else {
            *wrong.entry((case.label.clone(), class)).or_default() += 1;
        }
    }
    (right, wrong)
}

#[test]
fn the_collection_is_what_it_says() {
    let cases = cases();
    assert!(cases.len() >= 150, "{}", cases.len());
    let judging = cases.iter().filter(|case| case.judges()).count();
    assert!(
        judging * 10 >= cases.len() * 4 && judging * 10 <= cases.len() * 6,
        "{judging}"
    );
    for case in &cases {
        assert_eq!(
            ErrorClass::parse(&case.label).as_str(),
            case.label,
            "{}",
            case.id
        );
        assert!(case.source.starts_with("https://"), "{}", case.id);
    }
    for class in ErrorClass::ALL
        .into_iter()
        .filter(|class| *class != ErrorClass::Unknown)
    {
        let bodies = cases
            .iter()
            .filter(|case| case.label == class.as_str())
            .count();
        assert!(bodies >= 5, "{class:?}: {bodies}");
    }
}

#[test]
fn at_least_nine_of_ten_are_named_right_on_the_half_that_only_judges() {
    let cases = cases();
    let (judging, working): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|case| case.judges());
    let (right, wrong) = judge(&working);
    println!("development: {right} of {}", working.len());
    for ((label, class), times) in wrong {
        println!("  {label} taken for {class}: {times}");
    }
    for case in &working {
        let class = classify(&case.facts()).class.as_str();
        if class != case.label {
            println!(
                "  {} {:?} {}: {class}: {}",
                case.label, case.status, case.provider, case.text
            );
        }
    }
    let (right, wrong) = judge(&judging);
    println!(
        "judging: {right} of {} ({} %)",
        judging.len(),
        right * 100 / judging.len()
    );
    for ((label, class), times) in wrong {
        println!("  {label} taken for {class}: {times}");
    }
    assert!(
        right * 10 >= judging.len() * 9,
        "{right} of {}",
        judging.len()
    );
}

#[test]
fn what_says_nothing_is_not_guessed_at() {
    let facts = ErrorFacts {
        provider: "acme",
        text: "oops",
        ..ErrorFacts::default()
    };
    let named = classify(&facts);
    assert_eq!(
        (named.class, named.confidence),
        (ErrorClass::Unknown, Confidence::Low)
    );
}

#[test]
fn the_status_alone_is_a_guess_and_the_providers_own_code_is_not() {
    let status = ErrorFacts {
        status: Some(503),
        ..ErrorFacts::default()
    };
    let named = classify(&status);
    assert_eq!(
        (named.class, named.confidence),
        (ErrorClass::Overloaded, Confidence::Medium)
    );
    let code = ErrorFacts {
        status: Some(429),
        code: Some("insufficient_quota"),
        ..ErrorFacts::default()
    };
    let named = classify(&code);
    assert_eq!(
        (named.class, named.confidence),
        (ErrorClass::QuotaExhausted, Confidence::High)
    );
    assert!(!named.advice().is_empty());
}

#[test]
fn a_huge_or_odd_body_is_survived() {
    let huge = "é*\\".repeat(100_000);
    for text in [huge.as_str(), "", "\\", "\u{0}", "\"code\":", "<html"] {
        for status in [None, Some(0), Some(200), Some(599), Some(u16::MAX)] {
            let facts = ErrorFacts {
                status,
                text,
                ..ErrorFacts::default()
            };
            let _ = classify(&facts);
        }
    }
}
