//! The one wrapper that every call goes through.
//!
//! For: the span, the time, the row in the call log, the panic guard, cancellation and the time limit.
//! Not for: decoding arguments or shaping answers (the registry does), or knowing any tool.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use callboard_store::Clock;
use callboard_store::actor::{self, Actor};
use callboard_telemetry::audit::{self, Refusals};
use callboard_telemetry::{CallLog, CallRow, Outcome};
use rmcp::RoleServer;
use rmcp::model::{ErrorData, InputRequiredResult, JsonObject};
use rmcp::service::RequestContext;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::ask::{Asker, Asking, Brought};
use crate::content::Size;
use crate::context::{http_request, over_network};
use crate::log::{Levels, is_modern};
use crate::long::rows::LongRow;
use crate::long::{Longs, Slot};
use crate::memory::Memory;
use crate::{
    ANSWER_CHARS, CallContext, Caller, ErrorKind, Level, Refusal, Role, ToolError, clip, digest,
};

/// Nothing may block past 45 s; this ends what does in spite of it.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(55);
/// What a call that was given up has to end by itself: short writes finish, waits notice.
pub(crate) const GRACE: Duration = Duration::from_millis(300);

/// A future on the heap, as handlers behind pointers return it.
pub type BoxFuture<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

/// What every call of one server shares; clones share it.
#[derive(Clone)]
pub(crate) struct Wrapper {
    pub(crate) server: &'static str,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) call_log: CallLog,
    /// Who calls where the transport does not say: the user whose client started this process.
    pub(crate) caller: Arc<Caller>,
    /// What clients want to hear of, where log messages are offered.
    pub(crate) levels: Option<Arc<Levels>>,
    /// Cancelled when the server ends: over standard input and output, when its one connection does.
    pub(crate) closing: CancellationToken,
    /// Counts the calls at work.
    pub(crate) running: TaskTracker,
    /// Where questions are kept.
    pub(crate) memory: Memory,
    /// The calls that go on after their first answer.
    pub(crate) longs: Arc<Longs>,
    /// Where calls that a role may not make are written down.
    pub(crate) refusals: Option<Refusals>,
}

/// What is recorded of a call besides how it ended.
pub(crate) struct Labels {
    pub(crate) name: Cow<'static, str>,
    pub(crate) request_bytes: usize,
    /// What the caller must be.
    pub(crate) role: Role,
    /// What tells the call from others, for questions.
    pub(crate) digest: String,
    /// Whether it can take something away.
    pub(crate) strict: bool,
    /// What the client brings from an earlier round.
    pub(crate) brought: Brought,
}

/// How a call came out, for whoever puts it on the wire.
pub(crate) enum Called<T> {
    Ended(Result<T, ToolError>),
    /// The client is to answer something and to call again.
    Asks(InputRequiredResult),
    /// It goes on, and is asked about by its id.
    Later(Box<LongRow>),
}

/// A call that is under way.
pub(crate) struct Begun {
    /// In whose name it writes.
    pub(crate) actor: Arc<Actor>,
    name: Cow<'static, str>,
    request_bytes: usize,
    at_ms: i64,
    began: Instant,
    pub(crate) given_up: CancellationToken,
    pub(crate) context: CallContext,
    pub(crate) span: tracing::Span,
}

impl Begun {
    /// Completes when the caller would not be let in any more.
    pub(crate) async fn is_shut_out(&self) {
        match self.context.pass() {
            Some(pass) => {
                pass.over().await;
            }
            None => std::future::pending().await,
        }
    }

    /// Why the caller would not be let in any more, if the call was given up and that is so.
    fn shut_out(&self) -> Option<&Refusal> {
        let pass = self.context.pass()?;
        self.given_up.is_cancelled().then(|| pass.ask()).flatten()
    }
}

pub(crate) enum Ending<T> {
    Returned(Result<T, ToolError>),
    Panicked,
    GivenUp,
    TimedOut,
}

impl Wrapper {
    /// Who calls.
    pub(crate) fn caller(&self, request: &RequestContext<RoleServer>) -> Arc<Caller> {
        over_network(request).unwrap_or_else(|| Arc::clone(&self.caller))
    }

    /// What tells this call from others.
    pub(crate) fn digest(
        &self,
        name: &str,
        arguments: Option<&JsonObject>,
        request: &RequestContext<RoleServer>,
    ) -> String {
        digest::of_call(self.server, name, arguments, &self.caller(request))
    }

    /// Runs `work` to one of its ends and records it. `size` tells how much an answer is.
    ///
    /// # Errors
    /// What the client brought from an earlier round is not good.
    pub(crate) async fn call<'w, T, W>(
        &self,
        labels: Labels,
        request: &RequestContext<RoleServer>,
        size: impl FnOnce(&T) -> Size,
        work: W,
    ) -> Result<Called<T>, ErrorData>
    where
        W: FnOnce(CallContext) -> BoxFuture<'w, Result<T, ToolError>>,
    {
        let _running = self.running.token();
        let begun = self.begin(
            &labels,
            request,
            self.closing.child_token(),
            Slot::default(),
        );
        let ending = match self.admitted(labels, &begun).await? {
            Some(refused) => Ending::Returned(Err(refused)),
            None => {
                let by = Arc::clone(&begun.actor);
                let work = actor::scope_now(Arc::clone(&by), || work(begun.context.clone()));
                supervise(Box::pin(actor::scope(by, work)), &begun, &request.ct)
                    .instrument(begun.span.clone())
                    .await
            }
        };
        let (_, answer) = self.ended(&begun, ending, size);
        let asking = begun.context.asking();
        asking.finish(&answer).await;
        match answer {
            Err(error) if error.kind == ErrorKind::Suspended => {
                asking.round().await.map(Called::Asks)
            }
            ended => Ok(Called::Ended(ended)),
        }
    }

    pub(crate) fn begin(
        &self,
        labels: &Labels,
        request: &RequestContext<RoleServer>,
        given_up: CancellationToken,
        slot: Slot,
    ) -> Begun {
        let caller = self.caller(request);
        let asker = Asker {
            server: self.server,
            tool: &labels.name,
            digest: labels.digest.clone(),
            strict: labels.strict,
            caller: &caller,
            memory: &self.memory,
            clock: &self.clock,
            slot,
        };
        let asking = Asking::new(request, asker);
        let context = CallContext::new(request, given_up.clone(), Arc::clone(&caller), asking)
            .logging(self.server, self.wanted_logs(request));
        let trace = context.trace();
        let span = tracing::info_span!("call", name = %labels.name, request = %request.id, caller = %caller.name, http = context.http_request().map(tracing::field::display), trace);
        Begun {
            actor: Arc::new(self.actor_of(&labels.name, request)),
            name: labels.name.clone(),
            request_bytes: labels.request_bytes,
            at_ms: self.clock.now_ms(),
            began: Instant::now(),
            given_up,
            context,
            span,
        }
    }

    /// Why the caller may not, if so.
    ///
    /// # Errors
    /// What the client brought from an earlier round is not good.
    pub(crate) async fn admitted(
        &self,
        labels: Labels,
        begun: &Begun,
    ) -> Result<Option<ToolError>, ErrorData> {
        let caller = begun.context.caller();
        if caller.role < labels.role {
            self.write_down("forbidden", &begun.actor);
            return Ok(Some(forbidden(&labels.name, labels.role, caller)));
        }
        let taken = begun.context.asking().take_in(labels.brought).await;
        taken.inspect_err(|_| self.refused(labels.name.clone(), ErrorKind::InvalidInput))?;
        Ok(None)
    }

    /// Records how a call ended. `size` tells how much an answer is.
    pub(crate) fn ended<T>(
        &self,
        begun: &Begun,
        ending: Ending<T>,
        size: impl FnOnce(&T) -> Size,
    ) -> (Outcome, Result<T, ToolError>) {
        let (outcome, answer) = match (conclude(ending, &begun.name), begun.shut_out()) {
            ((outcome, _), Some(refusal)) if outcome != Outcome::Panic => {
                self.write_down(refusal.reason, &begun.actor);
                (Outcome::Cancelled, Err(stopped(&begun.name, refusal)))
            }
            (ended, _) => ended,
        };
        let is_long = begun.context.asking().slot().call().is_some();
        let answer = answer.map_err(|error| match error.kind {
            // The client still waits: it did not give up, we do.
            ErrorKind::Cancelled if self.closing.is_cancelled() && !is_long => ending_soon(),
            _ => error,
        });
        let size = answer
            .as_ref()
            .map_or_else(|error| Size::text(error.to_string().len()), size);
        let row = CallRow {
            at_ms: begun.at_ms,
            server: self.server.into(),
            tool: begun.name.clone(),
            outcome,
            error_kind: answer
                .as_ref()
                .err()
                .map(|error| error.kind.as_str().into()),
            duration_us: begun
                .began
                .elapsed()
                .as_micros()
                .try_into()
                .unwrap_or(u64::MAX),
            request_bytes: begun.request_bytes as u64,
            response_bytes: size.all as u64,
            trace: begun.context.trace().map(str::to_owned),
            agent: begun.actor.agent.clone(),
        };
        begun.span.in_scope(|| log(&row, size));
        self.call_log.record(row);
        (outcome, answer)
    }

    /// In whose name a request writes.
    pub(crate) fn actor_of(&self, name: &str, request: &RequestContext<RoleServer>) -> Actor {
        let caller = self.caller(request);
        let id = match http_request(request) {
            Some(id) => id.as_str().to_owned(),
            None => clip(&request.id.to_string(), 80).into_owned(),
        };
        Actor {
            token: caller.token.clone(),
            client: client(request),
            agent: caller.agent.clone(),
            from: caller.from.map(|from| from.to_string()),
            request: Some(id),
            ..Actor::new(
                &caller.name,
                caller.via.as_str(),
                &format!("{}.{name}", self.server),
            )
        }
    }

    fn write_down(&self, reason: &'static str, actor: &Actor) {
        if let Some(refusals) = &self.refusals {
            refusals.record(audit::Refusal {
                reason,
                actor: actor.clone(),
            });
        }
    }

    fn wanted_logs(&self, request: &RequestContext<RoleServer>) -> Option<Level> {
        self.levels.as_ref()?.wanted(request)
    }

    /// Records a request that named nothing we have.
    pub(crate) fn unknown(&self, what: &'static str) {
        self.refused(what.into(), ErrorKind::NotFound);
    }

    pub(crate) fn refused(&self, what: Cow<'static, str>, kind: ErrorKind) {
        self.call_log.record(CallRow {
            at_ms: self.clock.now_ms(),
            server: self.server.into(),
            tool: what,
            outcome: Outcome::Error,
            error_kind: Some(kind.as_str().into()),
            duration_us: 0,
            request_bytes: 0,
            response_bytes: 0,
            trace: None,
            agent: None,
        });
    }
}

/// Polls `work` to its end, or until it is given up and its grace is over, or until its time is up.
async fn supervise<T>(
    work: BoxFuture<'_, Result<T, ToolError>>,
    begun: &Begun,
    by_client: &CancellationToken,
) -> Ending<T> {
    let given_up = &begun.given_up;
    let mut work = pin!(guarded(work));
    let limit = pin!(tokio::time::sleep(TIME_LIMIT));
    tokio::select! {
        biased;
        ending = &mut work => return ending,
        () = by_client.cancelled() => given_up.cancel(),
        () = given_up.cancelled() => {}
        () = begun.is_shut_out() => given_up.cancel(),
        () = limit => return Ending::TimedOut,
    }
    tokio::time::timeout(GRACE, work)
        .await
        .unwrap_or(Ending::GivenUp)
}

/// The work with its panics caught. The handler's state is behind an `Arc`, shared with other calls that go
/// on in any case; nothing else outlives a panicked call.
pub(crate) async fn guarded<T>(mut work: BoxFuture<'_, Result<T, ToolError>>) -> Ending<T> {
    std::future::poll_fn(move |task| {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(task)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(answer)) => Poll::Ready(Ending::Returned(answer)),
            Err(_) => Poll::Ready(Ending::Panicked),
        }
    })
    .await
}

fn conclude<T>(ending: Ending<T>, name: &str) -> (Outcome, Result<T, ToolError>) {
    match ending {
        Ending::Returned(Ok(answer)) => (Outcome::Ok, Ok(answer)),
        Ending::Returned(Err(error)) if error.kind == ErrorKind::Cancelled => {
            (Outcome::Cancelled, Err(error))
        }
        Ending::Returned(Err(error)) if error.kind == ErrorKind::Suspended => {
            (Outcome::Ok, Err(error))
        }
        Ending::Returned(Err(error)) => (Outcome::Error, Err(error.scrubbed())),
        Ending::Panicked => (Outcome::Panic, Err(bug(name))),
        Ending::GivenUp => (Outcome::Cancelled, Err(ToolError::cancelled())),
        Ending::TimedOut => (Outcome::Cancelled, Err(too_slow(name))),
    }
}

/// The client and its version: since 2026-07-28 each request says it, before that the handshake did. A client
/// of today that keeps it to itself has none; what the library then has at hand is its own name.
fn client(request: &RequestContext<RoleServer>) -> Option<String> {
    let said = request.meta.client_info().or_else(|| {
        let session = request.peer.peer_info().filter(|_| !is_modern(request))?;
        Some(session.client_info.clone())
    })?;
    let text = format!("{} {}", said.name, said.version);
    Some(clip(&text, 80).into_owned())
}

fn forbidden(name: &str, needed: Role, caller: &Caller) -> ToolError {
    let has = caller.role;
    ToolError::new(
        ErrorKind::Forbidden,
        format!("{name} needs the role {needed}; `{}` is {has}", caller.name),
    )
    .hint("ask the owner of this Callboard for a token with that role")
}

fn stopped(name: &str, refusal: &Refusal) -> ToolError {
    let why = &refusal.error.message;
    ToolError::new(
        ErrorKind::Unauthorized,
        format!("{why}, so {name} was stopped"),
    )
    .hint("look at the state with a token that is good, part of the work may be done")
}

fn bug(name: &str) -> ToolError {
    ToolError::internal(format!("{name} failed in a way it should not: this is a bug; the server goes on"))
        .hint("look at the state before calling again, part of the work may be done; report the bug with the server's standard error")
}

fn ending_soon() -> ToolError {
    ToolError::new(ErrorKind::Cancelled, "the server is ending and gave the call up")
        .hint("call again when the server has been started again; look at the state first, part of the work may be done")
}

fn too_slow(name: &str) -> ToolError {
    let seconds = TIME_LIMIT.as_secs();
    ToolError::new(ErrorKind::Limit, format!("{name} had not ended after {seconds} s and was stopped"))
        .hint("look at the state before calling again, part of the work may be done; ask for less at once, or for a shorter wait")
}

fn log(row: &CallRow, size: Size) {
    let outcome = row.outcome.as_str();
    let kind = row.error_kind.as_deref();
    let us = row.duration_us;
    if row.outcome == Outcome::Panic {
        tracing::error!(outcome, us, "a call panicked");
    } else if row.outcome == Outcome::Ok {
        // The row in the call log says as much; a line for each would be written while the client waits.
        tracing::debug!(outcome, us, "call ended");
    } else {
        tracing::info!(outcome, kind, us, "call ended");
    }
    // What is no text fills nobody's context as text does, and has no pages.
    if size.text > ANSWER_CHARS * 2 {
        tracing::warn!(tool = %row.tool, text_bytes = size.text, response_bytes = row.response_bytes, "an answer is too long; offer a cursor or a resource");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tracing::span;

    /// Counts warnings.
    #[derive(Clone, Default)]
    struct Warnings(Arc<Mutex<u32>>);

    impl tracing::Subscriber for Warnings {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            let warns = *event.metadata().level() == tracing::Level::WARN;
            *self.0.lock().unwrap() += u32::from(warns);
        }
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    fn warned(size: Size) -> u32 {
        let row = CallRow {
            at_ms: 0,
            server: "s".into(),
            tool: "chart".into(),
            outcome: Outcome::Ok,
            error_kind: None,
            duration_us: 1,
            request_bytes: 1,
            response_bytes: size.all as u64,
            trace: None,
            agent: None,
        };
        let warnings = Warnings::default();
        tracing::subscriber::with_default(warnings.clone(), || log(&row, size));
        *warnings.0.lock().unwrap()
    }

    #[test]
    fn only_text_makes_an_answer_too_long() {
        let most = ANSWER_CHARS * 2;
        for (all, text, warns) in [
            (10_000_000, 0, 0),
            (10_000_000, most, 0),
            (10_000_000, most + 1, 1),
            (most + 1, most + 1, 1),
        ] {
            assert_eq!(warned(Size { all, text }), warns, "{all} {text}");
        }
    }
}
