//! Asking the user, whatever the client can.
//!
//! For: one call for a handler, [`CallContext::ask`], which is answered over another round of the same
//! request (clients since 2026-07-28), by a request to the client (older ones), or by a person at a command
//! line. Not for: forms and replies (`question`), or the rows of stored questions (`questions`).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use callboard_store::Clock;
use rmcp::model::{
    CancelledNotificationParam, ClientCapabilities, InputRequest, InputRequiredResult,
    InputResponses, RequestId, SealOptions, ServerRequest,
};
use rmcp::service::{PeerRequestOptions, RequestContext, ServiceError};
use rmcp::{ErrorData, Peer, RoleServer};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::call::BoxFuture;
use crate::log::is_modern;
use crate::long::Slot;
use crate::memory::{Memory, random_id, unsaved};
use crate::questions::{self, Asked, QuestionError, StoredQuestion};
use crate::{CallContext, Caller, ErrorKind, Question, Reply, ToolError, digest};

/// How long a person may take while an older client's call waits: nothing may block past 45 s.
const PATIENCE: Duration = Duration::from_secs(35);
/// How long a person may take between two rounds of a request.
const STATE_TTL: Duration = Duration::from_secs(60 * 60);
/// How many replies one call may collect.
const MAX_REPLIES: usize = 32;

/// What one call has asked and been told.
pub(crate) struct Asking {
    way: Way,
    can: Can,
    /// Replies count only with a state that we sealed: for what can take something away.
    strict: bool,
    memory: Memory,
    clock: Arc<dyn Clock>,
    subject: Subject,
    began: Instant,
    slot: Slot,
    told: Mutex<Told>,
}

/// Which call it is.
struct Subject {
    server: &'static str,
    tool: String,
    digest: String,
    caller: Arc<Caller>,
}

/// How the client can be asked.
enum Way {
    /// The answer says what is wanted; the client sends the request again with it.
    Rounds,
    /// A request to the client while the call waits.
    Peer(Peer<RoleServer>),
}

/// What the client can be asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Can {
    pub(crate) elicit: bool,
    pub(crate) sample: bool,
    pub(crate) roots: bool,
}

impl Can {
    pub(crate) fn of(client: Option<&ClientCapabilities>) -> Self {
        let Some(client) = client else {
            return Self::default();
        };
        let form = |elicitation: &rmcp::model::ElicitationCapability| {
            elicitation.form.is_some() || elicitation.url.is_none()
        };
        Can {
            elicit: client.elicitation.as_ref().is_some_and(form),
            sample: client.sampling.is_some(),
            roots: client.roots.is_some(),
        }
    }

    fn allows(self, request: &InputRequest) -> bool {
        match request {
            InputRequest::Elicitation(_) => self.elicit,
            InputRequest::CreateMessage(_) => self.sample,
            InputRequest::ListRoots(_) => self.roots,
            _ => false,
        }
    }
}

#[derive(Default)]
struct Told {
    /// What the client has answered, by key.
    given: BTreeMap<String, Value>,
    /// Those of them that came just now, and that the audit has no row of yet.
    fresh: BTreeSet<String>,
    /// What it is to answer next.
    wanted: BTreeMap<String, InputRequest>,
    /// Stored replies that this call has taken.
    taken: Vec<String>,
    /// What the client sent that no handler can do anything with.
    fault: Option<String>,
}

/// What came of asking the client.
pub(crate) enum Obtained {
    Value(Value),
    /// The client can't be asked this.
    Nobody,
    /// Nobody answered in time.
    Late,
}

/// What a request brings along besides its arguments.
#[derive(Default)]
pub(crate) struct Brought {
    pub(crate) responses: Option<InputResponses>,
    pub(crate) state: Option<String>,
}

/// Which call may ask, and with what.
pub(crate) struct Asker<'a> {
    pub(crate) server: &'static str,
    pub(crate) tool: &'a str,
    /// Of [`digest::of_call`].
    pub(crate) digest: String,
    pub(crate) strict: bool,
    pub(crate) caller: &'a Arc<Caller>,
    pub(crate) memory: &'a Memory,
    pub(crate) clock: &'a Arc<dyn Clock>,
    pub(crate) slot: Slot,
}

impl Asking {
    pub(crate) fn new(request: &RequestContext<RoleServer>, asker: Asker<'_>) -> Self {
        Asking {
            way: if is_modern(request) {
                Way::Rounds
            } else {
                Way::Peer(request.peer.clone())
            },
            can: Can::of(request.client_capabilities().as_ref()),
            strict: asker.strict,
            memory: asker.memory.clone(),
            clock: Arc::clone(asker.clock),
            subject: Subject {
                server: asker.server,
                tool: asker.tool.to_owned(),
                digest: asker.digest,
                caller: Arc::clone(asker.caller),
            },
            began: Instant::now(),
            slot: asker.slot,
            told: Mutex::default(),
        }
    }

    pub(crate) fn slot(&self) -> &Slot {
        &self.slot
    }

    /// What an earlier run of the same call was told.
    pub(crate) fn remember(&self, replies: &BTreeMap<String, Value>) {
        self.told().given.extend(replies.clone());
    }

    pub(crate) async fn detach(&self) -> Result<bool, ToolError> {
        let replies = self.told().given.clone();
        self.slot.detach(replies).await
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Takes in what the client brought from the round before.
    pub(crate) async fn take_in(&self, brought: Brought) -> Result<(), ErrorData> {
        if let Some(state) = &brought.state {
            let known = self.opened(state).await?;
            self.told().given.extend(known);
        } else if self.strict || matches!(self.way, Way::Peer(_)) {
            return Ok(());
        }
        let mut told = self.told();
        // What the state already holds was answered before, and is not answered again.
        for (key, value) in brought.responses.unwrap_or_default() {
            if let Entry::Vacant(room) = told.given.entry(key.clone()) {
                room.insert(value);
                told.fresh.insert(key);
            }
        }
        if told.given.len() > MAX_REPLIES {
            let many = told.given.len();
            return Err(ErrorData::invalid_params(
                format!("inputResponses: {many} replies; at most {MAX_REPLIES}"),
                None,
            ));
        }
        Ok(())
    }

    async fn opened(&self, state: &str) -> Result<BTreeMap<String, Value>, ErrorData> {
        let codec = self
            .memory
            .codec(self.now())
            .await
            .map_err(ToolError::into_protocol)?;
        codec
            .open_json_with(state, self.subject.digest.as_bytes())
            .map_err(|error| {
                tracing::info!(%error, tool = %self.subject.tool, "a request state was refused");
                ErrorData::invalid_params(
                    "requestState: it was changed, has expired, or belongs to another call, other arguments or \
                     another caller; make the call again without requestState and inputResponses",
                    None,
                )
            })
    }

    /// What the client is asked, where the call ended by asking.
    pub(crate) async fn round(&self) -> Result<InputRequiredResult, ErrorData> {
        let (wanted, given) = {
            let mut told = self.told();
            if let Some(fault) = told.fault.take() {
                return Err(ErrorData::invalid_params(fault, None));
            }
            (std::mem::take(&mut told.wanted), told.given.clone())
        };
        if wanted.is_empty() {
            return Err(ErrorData::internal_error(
                "the call waits for nothing: a bug",
                None,
            ));
        }
        let codec = self
            .memory
            .codec(self.now())
            .await
            .map_err(ToolError::into_protocol)?;
        let options = SealOptions::new()
            .associated_data(self.subject.digest.as_bytes())
            .ttl(STATE_TTL);
        let state = codec
            .seal_json_with(&given, &options)
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        Ok(InputRequiredResult::new(Some(wanted), Some(state)))
    }

    /// The call has ended: its stored replies are used up, unless it ended by asking more.
    pub(crate) async fn finish<T>(&self, ended: &Result<T, ToolError>) {
        let taken = std::mem::take(&mut self.told().taken);
        if taken.is_empty() {
            return;
        }
        let asks =
            |error: &ToolError| matches!(error.kind, ErrorKind::Suspended | ErrorKind::NeedsPerson);
        let used = !ended.as_ref().is_err_and(asks);
        if let Ok(Some(store)) = self.memory.if_there().await {
            let ended = store
                .write(move |c| questions::replies_end(c, &taken, used))
                .await;
            if let Err(error) = ended {
                tracing::warn!(%error, "a reply that was used stays marked as taken");
            }
        }
    }

    fn asked(&self, key: &str, question: &Question) -> Asked {
        Asked {
            digest: self.subject.digest.clone(),
            key: key.to_owned(),
            server: self.subject.server.to_owned(),
            tool: self.subject.tool.clone(),
            owner: digest::owner(&self.subject.caller),
            caller: self.subject.caller.name.clone(),
            message: question.message().to_owned(),
            form: question.form(),
        }
    }

    /// A reply that a person has left on the board.
    async fn left(&self, asked: &Asked) -> Result<Option<Reply>, ToolError> {
        let Some(store) = self.memory.if_there().await? else {
            return Ok(None);
        };
        let now = self.now();
        if !store
            .read_now(|c| questions::reply_waits(c, now, asked))
            .map_err(unsaved)?
        {
            return Ok(None);
        }
        let wanted = asked.clone();
        let taken = store
            .write(move |c| questions::reply_take(c, now, &wanted))
            .await
            .map_err(unsaved)?;
        Ok(taken.map(|(id, reply)| {
            self.told().taken.push(id);
            reply
        }))
    }

    /// Keeps the question for a person, and says where to answer it.
    async fn leave(&self, asked: Asked) -> ToolError {
        match self.kept(asked.clone()).await {
            Ok(Some(question)) => needs_person(&question),
            Ok(None) => ToolError::new(
                ErrorKind::NeedsPerson,
                format!("a person must answer first: {}", asked.message),
            )
            .hint(
                "use a client that can ask its user (elicitation); this server keeps no questions",
            ),
            Err(error) => error,
        }
    }

    async fn kept(&self, asked: Asked) -> Result<Option<StoredQuestion>, ToolError> {
        let Some(store) = self.memory.store().await? else {
            return Ok(None);
        };
        let (now, id) = (self.now(), random_id("q_", 8)?);
        let kept = store
            .write(move |c| questions::question_keep(c, now, &id, &asked))
            .await;
        kept.map(Some).map_err(|error| match error {
            QuestionError::Store(error) => unsaved(error),
            other => ToolError::new(ErrorKind::Limit, other.to_string())
                .hint("a person answers them with `callboard answer`"),
        })
    }

    /// A live answer decides something: its row comes before whatever is done because of it, and each answer has
    /// one, however often its call is run again. That of a long call was written when it was taken in.
    async fn answered(&self, asked: &Asked, reply: &Reply) -> Result<(), ToolError> {
        if !self.told().fresh.remove(&asked.key) {
            return Ok(());
        }
        let Some(store) = self.memory.store().await? else {
            return Ok(());
        };
        let (now, asked) = (self.now(), asked.clone());
        let reply = match reply {
            Reply::Accepted(_) => "accepted",
            Reply::Declined => "declined",
            Reply::Dismissed => "dismissed",
        };
        store
            .write(move |c| questions::answered_live(c, now, &asked, reply))
            .await
            .map_err(unsaved)
    }

    /// A live answer makes the stored question pointless.
    async fn withdraw(&self, asked: Asked) {
        let Ok(Some(store)) = self.memory.if_there().await else {
            return;
        };
        if let Ok(true) = store.read_now(|c| questions::question_waits(c, &asked)) {
            let withdrawn = store
                .write(move |c| questions::question_withdraw(c, &asked))
                .await;
            if let Err(error) = withdrawn {
                tracing::debug!(%error, "an answered question stays listed until it expires");
            }
        }
    }

    /// The client's answer to a request, as far as it can be asked.
    pub(crate) async fn obtain(
        &self,
        key: &str,
        request: InputRequest,
        cancelled: &CancellationToken,
    ) -> Result<Obtained, ToolError> {
        if let Some(value) = self.told().given.get(key) {
            return Ok(Obtained::Value(value.clone()));
        }
        if !self.can.allows(&request) {
            return Ok(Obtained::Nobody);
        }
        if let Some(call) = self.slot.call() {
            let value = call.obtain(key, &request, cancelled).await?;
            self.told().given.insert(key.to_owned(), value.clone());
            return Ok(Obtained::Value(value));
        }
        match &self.way {
            Way::Rounds => {
                self.told().wanted.insert(key.to_owned(), request);
                // Others that are asked beside this one get to say so before the call ends.
                tokio::task::yield_now().await;
                Err(suspended())
            }
            Way::Peer(peer) => {
                let obtained = self.of_peer(peer, request, cancelled).await?;
                if let Obtained::Value(value) = &obtained {
                    let mut told = self.told();
                    told.given.insert(key.to_owned(), value.clone());
                    told.fresh.insert(key.to_owned());
                }
                Ok(obtained)
            }
        }
    }

    async fn of_peer(
        &self,
        peer: &Peer<RoleServer>,
        request: InputRequest,
        cancelled: &CancellationToken,
    ) -> Result<Obtained, ToolError> {
        let request = match request {
            InputRequest::Elicitation(request) => ServerRequest::ElicitRequest(request),
            InputRequest::CreateMessage(request) => ServerRequest::CreateMessageRequest(request),
            InputRequest::ListRoots(request) => ServerRequest::ListRootsRequest(request),
            _ => return Ok(Obtained::Nobody),
        };
        let left = PATIENCE.saturating_sub(self.began.elapsed());
        if left.is_zero() {
            return Ok(Obtained::Late);
        }
        let sent = peer
            .send_cancellable_request(request, PeerRequestOptions::with_timeout(left))
            .await;
        let handle = match sent {
            Ok(handle) => handle,
            Err(error) => {
                tracing::debug!(%error, "the client can't be asked");
                return Ok(Obtained::Nobody);
            }
        };
        let (id, peer) = (handle.id.clone(), handle.peer.clone());
        let answer = tokio::select! {
            biased;
            answer = handle.await_response() => answer,
            () = cancelled.cancelled() => {
                // The client may still show the form: it is told that nobody waits for it.
                let _ = peer.notify_cancelled(given_up(id)).await;
                return Err(ToolError::cancelled());
            }
        };
        match answer {
            Ok(result) => serde_json::to_value(result)
                .map(Obtained::Value)
                .map_err(|error| ToolError::internal(error.to_string())),
            Err(ServiceError::Timeout { .. }) => Ok(Obtained::Late),
            Err(ServiceError::TransportClosed) => Err(ToolError::cancelled()),
            Err(error) => {
                tracing::debug!(%error, "the client did not ask its user");
                Ok(Obtained::Nobody)
            }
        }
    }

    /// What the client sent for `key` is no reply to what was asked.
    pub(crate) fn misfit(&self, key: &str, why: &str) -> ToolError {
        match self.way {
            Way::Rounds if self.slot.call().is_none() => {
                self.told().fault = Some(format!("inputResponses.{key}: {why}"));
                suspended()
            }
            _ => ToolError::invalid(format!("the client's reply to {key:?}: {why}"))
                .hint("answer the form as it asks; make the call again"),
        }
    }
}

fn given_up(id: RequestId) -> CancelledNotificationParam {
    CancelledNotificationParam::new(Some(id), Some("the call was given up".to_owned()))
}

/// Unwinds the handler; the wrapper then answers with what is wanted.
fn suspended() -> ToolError {
    ToolError::new(
        ErrorKind::Suspended,
        "the call goes on with the client's answer",
    )
}

fn needs_person(question: &StoredQuestion) -> ToolError {
    let fields = question.fields();
    let wanted = match fields.as_slice() {
        [(_, words)] => words.clone(),
        several => several
            .iter()
            .map(|(name, words)| format!("{name}: {words}"))
            .collect::<Vec<_>>()
            .join("; "),
    };
    ToolError::new(
        ErrorKind::NeedsPerson,
        format!(
            "a person must answer first: {}\nQuestion {} ({wanted})",
            question.message, question.id
        ),
    )
    .hint(format!(
        "the user answers with `{}`; then call again with the same arguments",
        question.command()
    ))
}

impl CallContext {
    /// Asks the user, and answers when there is a reply.
    ///
    /// The handler may be run again from its start with the reply at hand, so ask before changing anything,
    /// and pass the error on with `?`. `key` names the question within the call. Questions asked beside
    /// each other (`tokio::join!`) reach the user together.
    ///
    /// # Errors
    /// [`ErrorKind::Suspended`] unwinds the handler until the reply is there. [`ErrorKind::NeedsPerson`]:
    /// the client can't ask, or nobody answered in time; the question is kept, and the same call goes on
    /// once a person has answered it with `callboard answer`.
    pub fn ask<'a>(
        &'a self,
        key: &'a str,
        question: Question,
    ) -> BoxFuture<'a, Result<Reply, ToolError>> {
        Box::pin(async move {
            let asking = self.asking();
            let request = question.request()?;
            let asked = asking.asked(key, &question);
            if let Some(reply) = asking.left(&asked).await? {
                return Ok(reply);
            }
            match asking.obtain(key, request, &self.cancellation()).await? {
                Obtained::Value(value) => {
                    let reply =
                        Reply::read(&value, &asked.form).map_err(|why| asking.misfit(key, &why))?;
                    asking.answered(&asked, &reply).await?;
                    asking.withdraw(asked).await;
                    Ok(reply)
                }
                Obtained::Nobody | Obtained::Late => Err(asking.leave(asked).await),
            }
        })
    }

    /// Whether the client can put a form to its user.
    pub fn can_ask(&self) -> bool {
        self.asking().can.elicit
    }
}
