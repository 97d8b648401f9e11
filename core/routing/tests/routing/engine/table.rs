//! Every fault on every wire, whole, streamed and passed: who is asked next, which rows there are, what is paid.

use super::rig::{ONCE, PATIENT, Rig, hi, named, prices, provider, read, rig, settings};
use callboard_limits::{BreakerState, Call, CallState};
use callboard_routing::chat::Chat;
use callboard_routing::engine::{CallError, Hop, Passing, Wanted, row_of};
use callboard_routing::failure::{Failure, FailureKind};
use callboard_routing::upstream::{Deadlines, Upstream};
use callboard_routing::wire::{Mode, Wire};
use callboard_telemetry::errors::ErrorClass;
use callboard_telemetry::llm::LlmOutcome;
use callboard_telemetry::{Counted, MicroDollars, Tokens, Usage};
use callboard_tests::upstream::Upstream as Scripted;
use futures_util::future::join_all;
use std::time::Duration;

/// What a fault does to a call.
#[derive(Clone, Copy)]
struct Fault {
    name: &'static str,
    kind: FailureKind,
    class: ErrorClass,
    /// What is counted for it.
    pays: Pays,
    /// What the breaker makes of it.
    breaker: Option<BreakerState>,
    /// A part of a streamed answer comes before it.
    late: bool,
    deadlines: Deadlines,
}

#[derive(Clone, Copy, PartialEq)]
enum Pays {
    /// A request, and no money.
    Request,
    /// Nobody knows: what was sent is estimated.
    Estimate,
}

/// What cells that wait for a deadline wait. Long enough for a loaded machine to get as far as the deadline's cause.
const SOON: Duration = Duration::from_secs(4);

#[expect(clippy::too_many_lines, reason = "a table")]
fn faults() -> Vec<Fault> {
    use BreakerState::{Closed, Cooling};
    use ErrorClass as Class;
    use FailureKind as Kind;
    use Pays::{Estimate, Request};
    let of = |name, kind, class, pays, breaker| Fault {
        name,
        kind,
        class,
        pays,
        breaker,
        late: false,
        deadlines: PATIENT,
    };
    let late = |fault: Fault| Fault {
        late: true,
        ..fault
    };
    let within = |deadlines, fault: Fault| Fault { deadlines, ..fault };
    let first_byte = Deadlines {
        first_byte: SOON,
        ..PATIENT
    };
    let between = Deadlines {
        between: SOON,
        ..PATIENT
    };
    let total = Deadlines {
        total: SOON,
        ..PATIENT
    };
    let (counts, cools) = (Some(Closed), Some(Cooling));
    vec![
        of("429", Kind::RateLimited, Class::RateLimited, Request, cools),
        of(
            "429-date",
            Kind::RateLimited,
            Class::RateLimited,
            Request,
            cools,
        ),
        of(
            "429-body",
            Kind::RateLimited,
            Class::RateLimited,
            Request,
            cools,
        ),
        of(
            "quota",
            Kind::QuotaExhausted,
            Class::QuotaExhausted,
            Request,
            None,
        ),
        of("500", Kind::Server, Class::Server, Request, counts),
        of(
            "overloaded",
            Kind::Overloaded,
            Class::Overloaded,
            Request,
            counts,
        ),
        of("html-502", Kind::Server, Class::Server, Request, counts),
        of("401", Kind::BadKey, Class::BadKey, Request, None),
        of("403", Kind::Forbidden, Class::Forbidden, Request, None),
        of("400", Kind::BadRequest, Class::BadRequest, Request, None),
        of("404", Kind::NoSuchModel, Class::NoSuchModel, Request, None),
        of(
            "long",
            Kind::ContextTooLong,
            Class::ContextTooLong,
            Request,
            None,
        ),
        of("refused", Kind::Refused, Class::Refused, Request, None),
        of("redirect", Kind::WrongUrl, Class::WrongUrl, Request, None),
        of("html", Kind::NotJson, Class::BadAnswer, Request, counts),
        of(
            "malformed",
            Kind::Malformed,
            Class::BadAnswer,
            Estimate,
            counts,
        ),
        of("empty", Kind::Truncated, Class::CutOff, Estimate, counts),
        late(of(
            "midcut",
            Kind::Truncated,
            Class::CutOff,
            Estimate,
            counts,
        )),
        late(of(
            "noend",
            Kind::Truncated,
            Class::CutOff,
            Estimate,
            counts,
        )),
        late(of("inband", Kind::Server, Class::Server, Estimate, counts)),
        late(of(
            "inband-overloaded",
            Kind::Overloaded,
            Class::Overloaded,
            Estimate,
            counts,
        )),
        of("reset", Kind::Truncated, Class::CutOff, Estimate, counts),
        within(
            first_byte,
            of(
                "hang",
                Kind::StalledFirstByte,
                Class::TimedOut,
                Estimate,
                counts,
            ),
        ),
        within(
            first_byte,
            of(
                "head-stall",
                Kind::StalledFirstByte,
                Class::TimedOut,
                Estimate,
                counts,
            ),
        ),
        within(
            between,
            late(of(
                "stall",
                Kind::StalledBetween,
                Class::TimedOut,
                Estimate,
                counts,
            )),
        ),
        within(
            total,
            late(of("drip", Kind::Deadline, Class::TimedOut, Estimate, None)),
        ),
    ]
}

/// How a call is made.
#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    Whole,
    Streamed,
    PassedWhole,
    PassedStreamed,
}

impl How {
    const ALL: [How; 4] = [
        How::Whole,
        How::Streamed,
        How::PassedWhole,
        How::PassedStreamed,
    ];

    fn streams(self) -> bool {
        matches!(self, How::Streamed | How::PassedStreamed)
    }

    fn passes(self) -> bool {
        matches!(self, How::PassedWhole | How::PassedStreamed)
    }

    /// Gemini names the model in the path, not in the body.
    fn possible(self, wire: Wire) -> bool {
        !self.passes() || wire != Wire::Gemini
    }
}

/// A bad and a good provider of a wire; clients are made once.
struct Pair {
    bad: Upstream,
    good: Upstream,
}

fn pairs(scripted: &Scripted, deadlines: Deadlines) -> Vec<Pair> {
    let pair = |wire| Pair {
        bad: named(scripted, "bad", wire, deadlines),
        good: named(scripted, "good", wire, PATIENT),
    };
    Wire::ALL.map(pair).into()
}

#[tokio::test]
async fn each_fault_has_its_end_its_rows_and_its_price() {
    let scripted = Scripted::start();
    let patient = pairs(&scripted, PATIENT);
    let mut cells = 0;
    for fault in faults() {
        let own;
        let pairs = if fault.deadlines == PATIENT {
            &patient
        } else {
            own = pairs(&scripted, fault.deadlines);
            &own
        };
        let all = pairs
            .iter()
            .flat_map(|pair| How::ALL.map(|how| (pair, how)));
        let all = all.filter(|(pair, how)| how.possible(pair.bad.endpoint().wire));
        // At the same time: some wait for a deadline.
        cells += join_all(all.map(|(pair, how)| judge(pair, fault, how)))
            .await
            .len();
    }
    assert_eq!(cells, 26 * (4 + 4 + 3 + 3));
}

async fn judge(pair: &Pair, fault: Fault, how: How) {
    let wire = pair.bad.endpoint().wire;
    let cell = format!("{} on {wire}, {how:?}", fault.name);
    let mut settings = settings(
        vec![
            ("bad", provider(pair.bad.clone())),
            ("good", provider(pair.good.clone())),
        ],
        &[("bad", fault.name), ("good", "ok")],
    );
    settings.prices = prices(&[fault.name, "ok"]);
    let rig = rig(settings);
    let late = fault.late && how.streams();
    let fails_over = fault.kind.may_fail_over() && !late;

    let outcome = Box::pin(call(&rig, wire, how, &cell)).await;
    match outcome {
        Outcome::Answered { by, hops } => {
            assert!(fails_over, "{cell}: answered by {by}");
            assert_eq!(by, "good/ok", "{cell}");
            let tried: Vec<_> = hops
                .iter()
                .map(|hop| (hop.target.to_string(), hop.kind))
                .collect();
            assert_eq!(
                tried,
                [(format!("bad/{}", fault.name), fault.kind)],
                "{cell}"
            );
        }
        Outcome::Failed(kind) => {
            assert!(!fails_over && !late, "{cell}: {kind}");
            assert_eq!(kind, fault.kind, "{cell}");
        }
        Outcome::Broke(kind) => {
            assert!(late, "{cell}: broke off with {kind:?}");
            // What passes says itself what went wrong, if the connection does not.
            assert!(
                kind == Some(fault.kind) || (kind.is_none() && how.passes()),
                "{cell}: {kind:?}"
            );
        }
    }

    let rows = rig.ended();
    assert_eq!(rig.held(), 0, "{cell}");
    assert_eq!(rows.len(), 1 + usize::from(fails_over), "{cell}: {rows:?}");
    failed_row(&rows[0], fault, wire, how, &cell);
    if let Some(good) = rows.get(1) {
        good_row(good, wire, how, &cell);
    }
    breaker(&rig, fault, &cell);
}

enum Outcome {
    Answered {
        by: String,
        hops: Vec<Hop>,
    },
    Failed(FailureKind),
    /// After a part of the answer.
    Broke(Option<FailureKind>),
}

async fn call(rig: &Rig, wire: Wire, how: How, cell: &str) -> Outcome {
    let failed = |error: CallError| match error {
        CallError::Failed { failure, hops } => {
            assert_eq!(
                hops.last().map(|hop| hop.kind),
                Some(failure.kind),
                "{cell}"
            );
            Outcome::Failed(failure.kind)
        }
        other => panic!("{cell}: {other:?}"),
    };
    match how {
        How::Whole => match rig.router.complete(hi()).await {
            Err(error) => failed(error),
            Ok(answered) => {
                assert_eq!(answered.reply.text(), "Hello from ok", "{cell}");
                assert_eq!(
                    answered.cost,
                    Some(price_of(&ok_usage(wire).tokens)),
                    "{cell}"
                );
                let (by, hops) = (answered.target.to_string(), answered.hops);
                Outcome::Answered { by, hops }
            }
        },
        How::Streamed => match rig.router.stream(hi()).await {
            Err(error) => failed(error),
            Ok(mut answering) => match read(&mut answering).await {
                Err(failure) => {
                    assert!(failure.after_bytes, "{cell}");
                    assert!(answering.next().await.is_none(), "{cell}");
                    Outcome::Broke(Some(failure.kind))
                }
                Ok(reply) => {
                    assert_eq!(reply.text(), "Hello from ok", "{cell}");
                    assert_eq!(answering.usage(), Some(ok_usage(wire)), "{cell}");
                    let (by, hops) = (answering.target().to_string(), answering.hops().to_vec());
                    Outcome::Answered { by, hops }
                }
            },
        },
        How::PassedWhole | How::PassedStreamed => {
            let passing = passing(wire, how);
            match rig.router.pass(passing).await {
                Err(error) => failed(error),
                Ok(mut passed) => {
                    let mut bytes = Vec::new();
                    let mut broken: Option<Failure> = None;
                    while let Some(chunk) = passed.chunk().await {
                        match chunk {
                            Ok(chunk) => bytes.extend_from_slice(&chunk),
                            Err(failure) => broken = Some(failure),
                        }
                    }
                    let text = String::from_utf8(bytes).unwrap();
                    if passed.target().provider == "bad" {
                        assert!(text.contains("Hello "), "{cell}: {text}");
                        return Outcome::Broke(broken.map(|failure| failure.kind));
                    }
                    assert!(text.contains("from ok"), "{cell}: {text}");
                    assert_eq!(broken, None, "{cell}");
                    assert_eq!(passed.usage(), Some(ok_usage(wire)), "{cell}");
                    let (by, hops) = (passed.target().to_string(), passed.hops().to_vec());
                    Outcome::Answered { by, hops }
                }
            }
        }
    }
}

fn passing(wire: Wire, how: How) -> Passing {
    let mode = if how.streams() {
        Mode::Stream
    } else {
        Mode::Plain
    };
    let request = wire.encode(&Chat::ask("whatever", "hi"), mode).unwrap();
    let mut passing = Passing::new(wire, request.path, request.body).unwrap();
    passing.target = Wanted::Route("r".to_owned());
    passing.patience = Some(ONCE);
    assert_eq!(passing.streams(), how.streams());
    passing
}

/// What the scripted upstream says that an answer used.
fn ok_usage(wire: Wire) -> Usage {
    let base = Tokens {
        input: 1_200,
        output: 27,
        ..Tokens::default()
    };
    let tokens = match wire {
        Wire::OpenAi | Wire::Gemini => Tokens {
            cached: 1_024,
            reasoning: 20,
            ..base
        },
        Wire::Anthropic => Tokens {
            cached: 1_024,
            cache_write: 76,
            cache_write_1h: 26,
            ..base
        },
        Wire::Ollama => base,
    };
    Usage {
        tokens,
        counted: Counted::Reported,
    }
}

/// By hand, in thousandths of a micro-dollar, rounded once.
fn price_of(tokens: &Tokens) -> MicroDollars {
    let plain = tokens.input - tokens.cached - tokens.cache_write;
    let short = tokens.cache_write - tokens.cache_write_1h;
    let sum = plain * 1_000
        + tokens.cached * 100
        + short * 1_250
        + tokens.cache_write_1h * 2_000
        + tokens.output * 4_000;
    MicroDollars(i64::try_from((sum + 500) / 1_000).unwrap())
}

fn failed_row(call: &Call, fault: Fault, wire: Wire, how: How, cell: &str) {
    let row = row_of(call);
    assert_eq!(call.state, CallState::Settled, "{cell}");
    assert_eq!(
        (row.provider.as_str(), row.model.as_str()),
        ("bad", fault.name),
        "{cell}"
    );
    assert_eq!(row.outcome, LlmOutcome::Error, "{cell}");
    assert_eq!(row.error, Some(fault.class), "{cell}");
    assert_eq!((row.attempt, row.hop), (1, 0), "{cell}");
    assert_eq!(row.streamed, how.streams(), "{cell}");
    assert_eq!(row.route.as_deref(), Some("r"), "{cell}");
    let decision = row.decision.expect(cell);
    assert!(
        decision.contains("\"good/ok\"") && decision.contains("sequential"),
        "{decision}"
    );
    assert!(row.queue_us.is_some() && row.total_us.is_some(), "{cell}");
    assert!(row.bytes_out.is_some_and(|bytes| bytes > 20), "{cell}");
    // Gemini refuses with a status of success.
    let told = fault.pays == Pays::Request && !(fault.name == "refused" && wire == Wire::Gemini);
    if told {
        assert_eq!(
            (row.usage, row.cost),
            (None, Some(MicroDollars::ZERO)),
            "{cell}"
        );
        return;
    }
    let late = fault.late && how.streams();
    // "Hello " is two tokens; Anthropic says at the beginning what was sent.
    let output = if late { 2 } else { 0 };
    let mut tokens = Tokens {
        input: call.estimate.input,
        output,
        ..Tokens::default()
    };
    if late && wire == Wire::Anthropic {
        tokens = Tokens {
            output,
            ..ok_usage(wire).tokens
        };
    }
    let usage = Usage {
        tokens,
        counted: Counted::Estimated,
    };
    assert_eq!(row.usage, Some(usage), "{cell}");
    assert_eq!(row.cost, Some(price_of(&tokens)), "{cell}");
    if !how.passes() {
        assert_eq!(call.estimate.input, 5, "{cell}");
    }
}

fn good_row(call: &Call, wire: Wire, how: How, cell: &str) {
    let row = row_of(call);
    assert_eq!(call.state, CallState::Settled, "{cell}");
    assert_eq!(
        (row.provider.as_str(), row.model.as_str()),
        ("good", "ok"),
        "{cell}"
    );
    assert_eq!(
        (row.outcome, row.error, row.status),
        (LlmOutcome::Ok, None, None),
        "{cell}"
    );
    assert_eq!((row.attempt, row.hop), (1, 1), "{cell}");
    assert_eq!(row.usage, Some(ok_usage(wire)), "{cell}");
    assert_eq!(row.cost, Some(price_of(&ok_usage(wire).tokens)), "{cell}");
    assert_eq!(row.price.as_deref(), Some("test"), "{cell}");
    assert!(
        row.first_byte_us.is_some() && row.finish.is_some(),
        "{cell}"
    );
    assert!(row.bytes_in.is_some_and(|bytes| bytes > 50), "{cell}");
    assert_eq!(row.streamed, how.streams(), "{cell}");
    assert!(row.decision.expect(cell).contains("after"), "{cell}");
}

fn breaker(rig: &Rig, fault: Fault, cell: &str) {
    let breakers = rig.breakers();
    let of = |provider: &str| {
        let mut found = breakers
            .iter()
            .filter(|breaker| breaker.target.provider == provider);
        found.next()
    };
    assert!(
        of("good").is_none_or(|breaker| breaker.failures == 0),
        "{cell}"
    );
    let bad = of("bad");
    assert_eq!(bad.map(|breaker| breaker.state), fault.breaker, "{cell}");
    let counted = bad.map_or(0, |breaker| breaker.failures);
    assert_eq!(
        counted,
        u32::from(fault.breaker == Some(BreakerState::Closed)),
        "{cell}"
    );
}
