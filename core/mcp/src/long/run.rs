//! Running a call that may become a long one.
//!
//! For: a task of its own for the handler, so that it goes on when the client has got its first answer; its
//! end on the board. Not for: calls that can't (`call`).

use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_store::actor;
use callboard_telemetry::Outcome;
use rmcp::RoleServer;
use rmcp::model::{ClientCapabilities, ErrorCode, ErrorData, JsonObject};
use rmcp::service::RequestContext;
use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::Instrument;

use super::rows::{self, KEPT_MS, LongRow, NewCall, Standing};
use super::{Long, LongCall, Offer, Slot};
use crate::call::{Begun, BoxFuture, Called, Ending, GRACE, Labels, TIME_LIMIT, Wrapper, guarded};
use crate::digest;
use crate::memory::unsaved;
use crate::{Answer, CallContext, ErrorKind, ToolError};

/// The handler of a call that may become a long one.
pub(crate) struct LongWork {
    pub(crate) arguments: Option<JsonObject>,
    pub(crate) handler: Handler,
}

type Handler = Box<dyn FnOnce(CallContext) -> BoxFuture<'static, Result<Answer, ToolError>> + Send>;

/// Whether the client that sent this can follow a task.
pub(crate) fn can_follow(request: &RequestContext<RoleServer>) -> bool {
    let client = request.client_capabilities();
    client.is_some_and(|client| client.supports_tasks())
}

impl Wrapper {
    /// As [`Wrapper::call`], for tools that say [`Tool::LONG`](crate::Tool::LONG).
    pub(crate) async fn call_long(
        &self,
        long: Long,
        labels: Labels,
        request: &RequestContext<RoleServer>,
        work: LongWork,
    ) -> Result<Called<Answer>, ErrorData> {
        let follows = can_follow(request) && self.memory.keeps();
        if long == Long::Only && !follows {
            self.refused(labels.name.clone(), ErrorKind::InvalidInput);
            let needed = ClientCapabilities::builder().enable_tasks().build();
            return Err(ErrorData::missing_required_client_capability(needed));
        }
        let (tell, mut told) = oneshot::channel();
        let given_up = self.closing.child_token();
        let slot = if follows {
            Slot::offered(self.offer(&labels, request, &work, &given_up, tell))
        } else {
            Slot::default()
        };
        let begun = self.begin(&labels, request, given_up.clone(), slot);
        let running = self.running.token();
        if let Some(refused) = self.admitted(labels, &begun).await? {
            let (_, answer) = self.ended(&begun, Ending::Returned(Err(refused)), Answer::size);
            return Ok(Called::Ended(answer));
        }
        // Whoever drops this call, as a client does that goes away, gives it up, until it is a long one.
        let guard = given_up.drop_guard();
        let asking = Arc::clone(begun.context.asking());
        let (send, mut ended) = oneshot::channel();
        let job = Job {
            wrapper: self.clone(),
            begun,
            by_client: request.ct.clone(),
            running: Some(running),
        };
        job.begin(work.handler, Some(send));
        tokio::select! {
            Ok(row) = &mut told => {
                guard.disarm();
                Ok(Called::Later(row))
            }
            Ok(answer) = &mut ended => match answer {
                Err(error) if error.kind == ErrorKind::Suspended => asking.round().await.map(Called::Asks),
                answer => Ok(Called::Ended(answer)),
            },
            else => Err(ErrorData::internal_error("the call got lost: a bug", None)),
        }
    }

    fn offer(
        &self,
        labels: &Labels,
        request: &RequestContext<RoleServer>,
        work: &LongWork,
        given_up: &CancellationToken,
        tell: oneshot::Sender<Box<LongRow>>,
    ) -> Offer {
        let caller = self.caller(request);
        Offer {
            longs: Arc::clone(&self.longs),
            memory: self.memory.clone(),
            clock: Arc::clone(&self.clock),
            new: NewCall {
                id: String::new(),
                server: self.server,
                tool: labels.name.clone().into_owned(),
                arguments: work.arguments.clone(),
                owner: digest::owner(&caller),
                caller: caller.name.clone(),
                replies: Default::default(),
                process: self.longs.process(),
            },
            given_up: given_up.clone(),
            told: Mutex::new(Some(tell)),
        }
    }

    /// Runs a call again whose process is gone. False: somebody else was first.
    pub(crate) async fn resume(
        &self,
        row: &LongRow,
        labels: Labels,
        request: &RequestContext<RoleServer>,
        work: LongWork,
    ) -> Result<bool, ErrorData> {
        let Some(store) = self
            .memory
            .if_there()
            .await
            .map_err(ToolError::into_protocol)?
        else {
            return Ok(false);
        };
        let given_up = self.closing.child_token();
        let process = self.longs.process();
        let call = Arc::new(LongCall {
            id: row.id.clone(),
            store: store.clone(),
            clock: Arc::clone(&self.clock),
            process,
            given_up: given_up.clone(),
            by_client: AtomicBool::new(false),
            changed: Notify::new(),
            said: Mutex::default(),
        });
        if !self.longs.enter(&call) {
            return Ok(false);
        }
        let (id, now, from) = (row.id.clone(), self.clock.now_ms(), row.process);
        let adopted = store
            .write(move |c| rows::adopt(c, now, &id, from, process))
            .await
            .map_err(unsaved);
        if !matches!(adopted, Ok(true)) {
            self.longs.leave(&row.id);
            return adopted.map_err(ToolError::into_protocol);
        }
        let begun = self.begin(&labels, request, given_up, Slot::taken(call));
        begun.context.asking().remember(&row.replies);
        tracing::info!(call = %row.id, tool = %row.tool, "a long call of a process that is gone is run again");
        let job = Job {
            wrapper: self.clone(),
            begun,
            by_client: CancellationToken::new(),
            running: None,
        };
        job.begin(work.handler, None);
        Ok(true)
    }
}

/// A handler at work, on a task of its own.
struct Job {
    wrapper: Wrapper,
    begun: Begun,
    by_client: CancellationToken,
    /// Counts it among the calls that the end of the process waits for, until it is a long one.
    running: Option<TaskTrackerToken>,
}

impl Job {
    /// Sets it to work in the name of whoever called.
    fn begin(self, handler: Handler, reply: Option<oneshot::Sender<Result<Answer, ToolError>>>) {
        let by = Arc::clone(&self.begun.actor);
        actor::scope_now(by, || actor::spawn(self.run(handler, reply)));
    }

    async fn run(
        mut self,
        handler: Handler,
        reply: Option<oneshot::Sender<Result<Answer, ToolError>>>,
    ) {
        let span = self.begun.span.clone();
        let work = handler(self.begun.context.clone());
        let ending = self.supervise(work).instrument(span).await;
        let was_closing = self.wrapper.closing.is_cancelled();
        let (outcome, answer) = self.wrapper.ended(&self.begun, ending, Answer::size);
        let asking = Arc::clone(self.begun.context.asking());
        asking.finish(&answer).await;
        let Some(call) = asking.slot().call() else {
            if let Some(reply) = reply {
                let _ = reply.send(answer);
            }
            return;
        };
        let (standing, ending) = self.standing(outcome, answer);
        if standing == Standing::Cancelled && was_closing && !call.was_stopped() {
            // The server ends, not the call: the next process goes on with it, or says that it is lost.
            tracing::info!(call = %call.id, "a long call is left to the next process");
        } else {
            call.end(standing, ending).await;
        }
        self.wrapper.longs.leave(&call.id);
    }

    async fn supervise(
        &mut self,
        work: BoxFuture<'static, Result<Answer, ToolError>>,
    ) -> Ending<Answer> {
        let given_up = self.begun.given_up.clone();
        let asking = Arc::clone(self.begun.context.asking());
        let mut work = pin!(guarded(work));
        let limit = tokio::time::sleep(TIME_LIMIT);
        let long = tokio::select! {
            biased;
            ending = &mut work => return ending,
            () = asking.slot().became_long() => true,
            () = self.by_client.cancelled() => false,
            () = given_up.cancelled() => false,
            () = self.begun.is_shut_out() => false,
            () = limit => return Ending::TimedOut,
        };
        if let Some(call) = asking.slot().call().filter(|_| long) {
            self.running = None;
            let a_day = Duration::from_millis(KEPT_MS.unsigned_abs());
            tokio::select! {
                biased;
                ending = &mut work => return ending,
                () = given_up.cancelled() => {}
                () = call.ended_elsewhere() => {}
                () = self.begun.is_shut_out() => {}
                () = tokio::time::sleep(a_day) => return Ending::TimedOut,
            }
        }
        given_up.cancel();
        tokio::time::timeout(GRACE, work)
            .await
            .unwrap_or(Ending::GivenUp)
    }

    /// How the call ended, for the board.
    fn standing(
        &self,
        outcome: Outcome,
        answer: Result<Answer, ToolError>,
    ) -> (Standing, Option<JsonObject>) {
        let context = &self.begun.context;
        let result = match answer {
            Err(error) if error.kind == ErrorKind::Cancelled => return (Standing::Cancelled, None),
            // Whoever called may not even ask what became of it.
            Err(error)
                if error.kind == ErrorKind::Unauthorized && outcome == Outcome::Cancelled =>
            {
                return (Standing::Cancelled, None);
            }
            Err(error) if outcome == Outcome::Panic => Err(failure(&error)),
            Err(error) => error.into_answer(context.is_modern(), context.http_request().cloned()),
            Ok(answer) => Ok(answer.into_result()),
        };
        let written = result.and_then(|result| {
            serde_json::to_value(result)
                .map_err(|error| ErrorData::internal_error(error.to_string(), None))
        });
        match written {
            Ok(Value::Object(result)) => (Standing::Completed, Some(result)),
            Ok(_) => (
                Standing::Failed,
                Some(error_object(&ErrorData::internal_error("no result", None))),
            ),
            Err(error) => (Standing::Failed, Some(error_object(&error))),
        }
    }
}

fn failure(error: &ToolError) -> ErrorData {
    let data = json!({ "kind": error.kind.as_str() });
    ErrorData::new(ErrorCode::INTERNAL_ERROR, error.to_string(), Some(data))
}

/// The error of a call that nobody runs any more.
pub(crate) fn interrupted(tool: &str) -> JsonObject {
    let error = ToolError::new(
        ErrorKind::Unavailable,
        format!("the process that ran {tool} ended before the call did"),
    )
    .hint("look at the state before calling again, part of the work may be done");
    error_object(&failure(&error))
}

fn error_object(error: &ErrorData) -> JsonObject {
    match serde_json::to_value(error) {
        Ok(Value::Object(error)) => error,
        _ => JsonObject::new(),
    }
}
