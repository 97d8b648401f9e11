//! Every fault on every wire, in one piece and streamed: what comes of it, to the last field.

use crate::asking::{clock, endpoint, upstream};
use callboard_routing::chat::{Assembly, Chat, Event, Finish, Part, Remaining, Reply};
use callboard_routing::failure::{Failure, FailureKind};
use callboard_routing::upstream::{Deadlines, Upstream};
use callboard_routing::wire::{Mode, Wire};
use callboard_telemetry::{Counted, Tokens, Usage};
use callboard_tests::upstream::{Asked, Upstream as Scripted};
use futures_util::future::join_all;
use std::net::TcpListener;
use std::time::Duration;

/// What a fault leaves to see.
struct Fault {
    name: &'static str,
    kind: FailureKind,
    /// The HTTP status, and those of wires that use another.
    status: Option<u16>,
    other: Option<(Wire, u16)>,
    retry_after_ms: Option<u64>,
    /// The provider's word: OpenAI's and Anthropic's, and Google's.
    word: Option<&'static str>,
    google: Option<&'static str>,
    /// A part of the answer comes before it, when it is streamed.
    late: bool,
    /// It is told by the headers of an answer.
    answered: bool,
    deadlines: Deadlines,
}

/// Long: no cell waits for one of these unless it is about it.
const PATIENT: Deadlines = Deadlines {
    connect: Duration::from_secs(60),
    first_byte: Duration::from_secs(60),
    between: Duration::from_secs(60),
    total: Duration::from_secs(120),
};
/// What cells that wait for a deadline wait. Long enough for the loaded machine to get as far as the deadline's cause.
const SOON: Duration = Duration::from_secs(1);

fn fault(name: &'static str, kind: FailureKind, status: u16) -> Fault {
    Fault {
        name,
        kind,
        status: Some(status),
        other: None,
        retry_after_ms: None,
        word: None,
        google: None,
        late: false,
        answered: true,
        deadlines: PATIENT,
    }
}

impl Fault {
    fn words(self, word: &'static str, google: &'static str) -> Fault {
        Fault {
            word: Some(word),
            google: Some(google),
            ..self
        }
    }

    fn on(self, wire: Wire, status: u16) -> Fault {
        Fault {
            other: Some((wire, status)),
            ..self
        }
    }

    fn wait(self, ms: u64) -> Fault {
        Fault {
            retry_after_ms: Some(ms),
            ..self
        }
    }

    fn late(self) -> Fault {
        Fault { late: true, ..self }
    }

    fn without_answer(self) -> Fault {
        Fault {
            status: None,
            answered: false,
            ..self
        }
    }

    fn within(self, deadlines: Deadlines) -> Fault {
        Fault { deadlines, ..self }
    }

    fn status(&self, wire: Wire) -> Option<u16> {
        match self.other {
            Some((other, status)) if other == wire => Some(status),
            _ => self.status,
        }
    }

    fn code(&self, wire: Wire) -> Option<&'static str> {
        match wire {
            Wire::OpenAi => self.word,
            Wire::Anthropic if self.name == "quota" => Some("invalid_request_error"),
            Wire::Anthropic => self.word,
            Wire::Gemini => self.google,
            Wire::Ollama => None,
        }
    }

    fn request_id(&self, wire: Wire) -> Option<&'static str> {
        let names = matches!(wire, Wire::OpenAi | Wire::Anthropic);
        (names && self.answered).then_some("req_1")
    }

    /// Anthropic says at the beginning what was sent.
    fn usage(&self, wire: Wire, mode: Mode) -> Option<Usage> {
        let begun = self.late && mode == Mode::Stream && wire == Wire::Anthropic;
        begun.then(|| usage(wire, 1))
    }
}

fn faults() -> Vec<Fault> {
    use FailureKind::{
        BadKey, BadRequest, ContextTooLong, Deadline, Forbidden, Malformed, NoSuchModel, NotJson,
        Overloaded, QuotaExhausted, RateLimited, Refused, Server, StalledBetween, StalledFirstByte,
        Truncated, WrongUrl,
    };
    let slow = ("rate_limit_error", "RESOURCE_EXHAUSTED");
    let wrong = ("invalid_request_error", "INVALID_ARGUMENT");
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
    vec![
        fault("429", RateLimited, 429)
            .words(slow.0, slow.1)
            .wait(7_000),
        fault("429-date", RateLimited, 429)
            .words(slow.0, slow.1)
            .wait(7_000),
        fault("429-body", RateLimited, 429)
            .words(slow.0, slow.1)
            .wait(1_200),
        fault("quota", QuotaExhausted, 429)
            .words("insufficient_quota", "RESOURCE_EXHAUSTED")
            .on(Wire::Anthropic, 400),
        fault("500", Server, 500).words("api_error", "INTERNAL"),
        fault("overloaded", Overloaded, 503)
            .words("overloaded_error", "UNAVAILABLE")
            .on(Wire::Anthropic, 529),
        fault("html-502", Server, 502),
        fault("401", BadKey, 401)
            .words("authentication_error", "INVALID_ARGUMENT")
            .on(Wire::Gemini, 400),
        fault("403", Forbidden, 403).words("permission_error", "PERMISSION_DENIED"),
        fault("400", BadRequest, 400).words(wrong.0, wrong.1),
        fault("404", NoSuchModel, 404).words("not_found_error", "NOT_FOUND"),
        fault("long", ContextTooLong, 400).words(wrong.0, wrong.1),
        fault("refused", Refused, 400)
            .words("content_filter", "SAFETY")
            .on(Wire::Gemini, 200),
        fault("redirect", WrongUrl, 307),
        fault("html", NotJson, 200),
        fault("malformed", Malformed, 200),
        fault("empty", Truncated, 200),
        fault("midcut", Truncated, 200).late(),
        fault("noend", Truncated, 200).late(),
        fault("inband", Server, 200)
            .words("api_error", "INTERNAL")
            .late(),
        fault("inband-overloaded", Overloaded, 200)
            .words("overloaded_error", "UNAVAILABLE")
            .late(),
        fault("reset", Truncated, 0).without_answer(),
        fault("hang", StalledFirstByte, 0)
            .without_answer()
            .within(first_byte),
        fault("head-stall", StalledFirstByte, 200).within(first_byte),
        fault("stall", StalledBetween, 200).late().within(between),
        fault("drip", Deadline, 200).late().within(total),
    ]
}

fn usage(wire: Wire, output: u64) -> Usage {
    let base = Tokens {
        input: 1_200,
        output,
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

/// How a call ended, and what it is known to have used by then.
async fn ask(
    provider: &Upstream,
    model: &str,
    mode: Mode,
) -> (Result<Reply, Failure>, Option<Usage>) {
    let chat = Chat::ask(model, "hi");
    if mode == Mode::Plain {
        let reply = provider.complete(&chat).await;
        let usage = reply.as_ref().ok().and_then(|reply| reply.usage);
        return (reply, usage);
    }
    let mut stream = match provider.stream(&chat).await {
        Ok(stream) => stream,
        Err(failure) => return (Err(failure), None),
    };
    let mut assembly = Assembly::default();
    while let Some(event) = stream.next().await {
        match event {
            Ok(event) => assembly.take(event),
            Err(failure) => {
                assert!(stream.next().await.is_none(), "it goes on after a failure");
                let spoke = !assembly.parts().is_empty();
                assert_eq!(spoke, failure.after_bytes, "{model}: {failure:?}");
                return (Err(failure), assembly.usage());
            }
        }
    }
    let usage = assembly.usage();
    let reply = assembly.reply(stream.request_id(), stream.remaining());
    (Ok(reply.expect("an end without its event")), usage)
}

#[tokio::test]
async fn each_fault_ends_as_it_should() {
    let scripted = Scripted::start();
    let patient = ready(&scripted, PATIENT).await;
    let mut cells = 0;
    for fault in faults() {
        let own = match fault.deadlines == PATIENT {
            true => patient.clone(),
            false => ready(&scripted, fault.deadlines).await,
        };
        let modes = [Mode::Plain, Mode::Stream];
        let all = own.iter().flat_map(|one| modes.map(|mode| (one, mode)));
        // At the same time: some wait for a deadline.
        let ended = join_all(all.map(|(one, mode)| judge(one, &fault, mode))).await;
        cells += ended.len();
    }
    assert_eq!(cells, 26 * 8);
    let asked = scripted.asked();
    let about = |asked: &&Asked| asked.body["model"] != "ok" && !asked.path.contains("/ok:");
    let count = asked.iter().filter(about).count();
    assert_eq!(
        count, cells,
        "a request was repeated, or a redirect followed"
    );
}

/// A provider on each wire that has been asked before: making a client reads the system's certificates, which takes
/// longer than a call.
async fn ready(scripted: &Scripted, deadlines: Deadlines) -> Vec<Upstream> {
    let mut all = Vec::new();
    for wire in Wire::ALL {
        let provider = upstream(scripted, wire, deadlines);
        let _ = provider.complete(&Chat::ask("ok", "hi")).await;
        all.push(provider);
    }
    all
}

async fn judge(provider: &Upstream, fault: &Fault, mode: Mode) {
    let wire = provider.endpoint().wire;
    let cell = format!("{} on {wire}, {mode:?}", fault.name);
    let (ended, used) = ask(provider, fault.name, mode).await;
    let failure = ended.expect_err(&cell);
    assert_eq!(failure.kind, fault.kind, "{cell}: {failure:?}");
    assert_eq!(failure.status, fault.status(wire), "{cell}: {failure:?}");
    let code = failure.code.as_deref();
    assert_eq!(code, fault.code(wire), "{cell}: {failure:?}");
    assert_eq!(failure.retry_after_ms, fault.retry_after_ms, "{cell}");
    let id = failure.request_id.as_deref();
    assert_eq!(id, fault.request_id(wire), "{cell}");
    let late = fault.late && mode == Mode::Stream;
    assert_eq!(failure.after_bytes, late, "{cell}: {failure:?}");
    assert_eq!(used, fault.usage(wire, mode), "{cell}");
    assert!(failure.message.starts_with("main"), "{cell}: {failure}");
    let again = fault.kind.may_retry() && !late;
    assert_eq!(failure.may_retry(), again, "{cell}");
}

#[tokio::test]
async fn good_answers_are_whole() {
    let scripted = Scripted::start();
    for (model, tools) in [("ok", false), ("tools", true), ("cheap--delay-1", false)] {
        for wire in Wire::ALL {
            for mode in [Mode::Plain, Mode::Stream] {
                let cell = format!("{model} on {wire}, {mode:?}");
                let provider = upstream(&scripted, wire, PATIENT);
                let (reply, used) = ask(&provider, model, mode).await;
                let reply = reply.expect(&cell);
                assert_eq!(reply.text(), format!("Hello from {model}"), "{cell}");
                assert_eq!(used, Some(usage(wire, 27)), "{cell}");
                let finish = if tools {
                    Finish::ToolCalls
                } else {
                    Finish::Stop
                };
                assert_eq!(reply.finish, finish, "{cell}");
                let calls = reply.parts.iter().filter_map(|part| match part {
                    Part::ToolCall {
                        id,
                        name,
                        arguments,
                        ..
                    } => Some((id, name, arguments)),
                    _ => None,
                });
                let expected = ["call_1", "weather", "{\"city\":\"Paris\"}"].map(str::to_owned);
                let expected = (&expected[0], &expected[1], &expected[2]);
                assert!(calls.eq(tools.then_some(expected)), "{cell}: {reply:?}");
                let names = matches!(wire, Wire::OpenAi | Wire::Anthropic);
                assert_eq!(reply.request_id.is_some(), names, "{cell}");
                let left = reply
                    .remaining
                    .requests
                    .map(|of| (of.limit, of.left, of.reset_ms));
                let known = names.then_some((Some(60), 59, Some(1_000)));
                assert_eq!(left, known, "{cell}");
            }
        }
    }
}

#[tokio::test]
async fn without_a_connection_nothing_is_asked() {
    let scripted = Scripted::start();
    // A port that nobody listens on, and one that never finishes the handshake.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("https://{}", mute.local_addr().unwrap());
    let short = Deadlines {
        connect: SOON,
        ..PATIENT
    };
    for (base, kind, deadlines) in [
        (&refused, FailureKind::Connect, PATIENT),
        (&silent, FailureKind::StalledConnect, short),
    ] {
        for wire in Wire::ALL {
            for mode in [Mode::Plain, Mode::Stream] {
                let mut endpoint = endpoint(&scripted, wire, deadlines);
                endpoint.base_url.clone_from(base);
                let provider = Upstream::new(endpoint, clock()).unwrap();
                let (ended, used) = ask(&provider, "ok", mode).await;
                let failure = ended.unwrap_err();
                assert_eq!(failure.kind, kind, "{wire}, {mode:?}: {failure:?}");
                assert_eq!(
                    (failure.status, failure.after_bytes, used),
                    (None, false, None)
                );
                assert_eq!(failure.remaining, Remaining::default());
                assert!(failure.message.contains("is it running"), "{failure}");
                assert!(failure.may_retry() && failure.may_fail_over());
            }
        }
    }
    assert!(scripted.asked().is_empty());
}

#[tokio::test]
async fn a_provider_that_fails_now_and_then_fails_then() {
    let scripted = Scripted::start();
    let provider = upstream(&scripted, Wire::OpenAi, PATIENT);
    let mut failed = Vec::new();
    for _ in 0..6 {
        let (ended, _) = ask(&provider, "m--flaky-3", Mode::Stream).await;
        failed.push(ended.is_err());
    }
    assert_eq!(failed, [false, false, true, false, false, true]);
}

/// The stream has the same in it as the events that `next` gives.
#[tokio::test]
async fn a_stream_is_a_stream() {
    use futures_util::StreamExt as _;
    let scripted = Scripted::start();
    let provider = upstream(&scripted, Wire::Anthropic, PATIENT);
    let stream = provider.stream(&Chat::ask("ok", "hi")).await.unwrap();
    let events: Vec<_> = stream.into_stream().collect().await;
    assert!(events.iter().all(Result::is_ok));
    assert!(matches!(events.last(), Some(Ok(Event::Finished { .. }))));
}
