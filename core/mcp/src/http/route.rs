//! The way of a request: named, checked, let in, bounded, sent to its server.
//!
//! For: everything that is decided before a server sees a request, in one place and one order. Not for: the
//! transports behind the paths.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::answer::{self, Answer, code};
use super::endpoint::{Endpoints, Lent, Voice};
use super::held::hold;
use super::mount::Mount;
use super::page::Page;
use super::peek::{HEADER_SESSION, Peek, session_named, session_shown};
use super::place::Place;
use super::refusals::{
    forgotten, is_ending, no_session, no_such_session, not_taken, not_that_method, too_late,
    turn_away, unweighed,
};
use super::session::{Owner, Quota, Session, SessionError, Style};
use super::watched::{Awaited, watch};
use super::{
    Http, Limits, Names, RequestId, browser, endpoint, many, pages, request_id, unfit, weigh,
};
use crate::batch;
use crate::message::{Refusal as Unread, read_line};
use crate::pass::Pass;
use crate::{Arrival, Caller, Gate, Refusal, Via};

/// What every connection shares.
pub(crate) struct Site {
    gate: Arc<dyn Gate>,
    names: Names,
    pub(crate) limits: Limits,
    pub(crate) mounts: Vec<Arc<Mount>>,
    pages: Vec<Page>,
    endpoints: Vec<Arc<dyn Endpoints>>,
    /// Said when exchanges with endpoints have to end.
    pub(crate) give_up: CancellationToken,
    pub(crate) quota: Arc<Quota>,
    /// Set when the process has been asked to end.
    ending: AtomicBool,
    /// Messages that are being answered, waits and streams excepted.
    pub(crate) exchanges: TaskTracker,
}

impl Site {
    pub(crate) fn new(http: Http) -> Self {
        let exchanges = TaskTracker::new();
        exchanges.close();
        let limits = http.limits;
        let quota = Quota::new(limits.sessions, limits.sessions_per_caller);
        let mounts = http
            .mounts
            .into_iter()
            .map(|server| Arc::new(Mount::new(server, &limits, &quota)));
        Site {
            gate: http.gate,
            names: http.names,
            mounts: mounts.collect(),
            pages: http.pages,
            endpoints: http.endpoints,
            give_up: CancellationToken::new(),
            quota,
            limits,
            ending: AtomicBool::new(false),
            exchanges,
        }
    }

    /// From now on nothing new begins.
    pub(crate) fn begin_to_end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Answers one request; whatever comes of it carries the request's id.
    pub(crate) async fn answer(&self, request: Request<Incoming>, from: IpAddr) -> Answer {
        let id = RequestId::of(request.headers());
        let span = tracing::info_span!("http", request = %id, method = %request.method(), path = %pages::shown(request.uri().path()));
        let (head, body) = request.into_parts();
        let page = head.headers.get(header::ORIGIN).cloned();
        let expects = head.headers.contains_key(header::EXPECT);
        let mut body = Some(body);
        let routed = self.routed(Request::from_parts(head, ()), &mut body, from, &id);
        let mut answer = routed.instrument(span).await;
        // Who waits for a word before it sends its body need not send it any more.
        if let Some(rest) = body.filter(|_| !expects) {
            weigh::swallow(rest, &self.limits, &mut answer).await;
        }
        answer.headers_mut().insert(request_id::HEADER, id.header());
        if let Some(page) = page.filter(|page| self.names.knows_page(page)) {
            browser::let_read(page, answer.headers_mut());
        }
        if self.is_ending() {
            answer
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    /// Takes the body if it gets that far.
    async fn routed(
        &self,
        request: Request<()>,
        body: &mut Option<Incoming>,
        from: IpAddr,
        id: &RequestId,
    ) -> Answer {
        let path = request.uri().path();
        let place = Place::of(path, &self.pages, &self.endpoints, &self.mounts);
        let arrival = Arrival {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            from,
            via: match place {
                Place::Stream(_) | Place::Message(_) => Via::Sse,
                Place::Endpoints(_) => Via::Gateway,
                _ => Via::Http,
            },
            request_id: id.as_str(),
        };
        let voice = match place {
            Place::Endpoints(endpoints) => Some(Voice {
                endpoints,
                head: &request,
                id,
            }),
            _ => None,
        };
        let say = |refusal: &Refusal| match &voice {
            Some(voice) => voice.say(refusal),
            None => turn_away(refusal, id),
        };
        if let Err(refusal) = self.names.check(arrival.uri, arrival.headers) {
            self.gate.turned_away(arrival, None, &refusal).await;
            return say(&refusal);
        }
        let too_large = |refusal: &Refusal| match &voice {
            Some(voice) => voice.say(refusal),
            None => unweighed(refusal, id),
        };
        if let Err(refused) = weigh::head(&request, &self.limits, &too_large) {
            return *refused;
        }
        if browser::is_preflight(&request) {
            return browser::preflight();
        }
        match place {
            Place::Health => return pages::health(request.method(), id),
            Place::Ready => {
                let ending = self.is_ending();
                return pages::ready(&self.mounts, ending, request.method(), id).await;
            }
            _ => {}
        }
        let caller = match self.gate.admit(arrival).await {
            Ok(caller) => Arc::new(caller),
            Err(refusal) => return say(&refusal),
        };
        let closed = match place {
            Place::Endpoints(endpoints) => endpoint::closed_to(&caller, endpoints),
            _ => endpoint::bound_to_endpoints(&caller),
        };
        if let Some(refusal) = closed {
            self.gate
                .turned_away(arrival, Some(&caller), &refusal)
                .await;
            return say(&refusal);
        }
        if let Some(voice) = voice {
            return self.endpoint(voice, arrival, caller, body).await;
        }
        let owner = Owner::of(&caller);
        let shown = match place {
            Place::Streamable(mount) => session_shown(&request).and_then(|id| mount.session(&id)),
            Place::Message(mount) => session_named(&request).and_then(|id| mount.session(&id)),
            _ => None,
        };
        if shown
            .as_ref()
            .is_some_and(|session| *session.owner() != owner)
        {
            // To its caller it is as if there were none.
            let refusal = no_session();
            self.gate
                .turned_away(arrival, Some(&caller), &refusal)
                .await;
            return no_such_session(id);
        }
        let ends_none = matches!(place, Place::Streamable(_))
            && request.method() == Method::DELETE
            && request.headers().contains_key(&HEADER_SESSION)
            && shown.is_none();
        if ends_none {
            return no_such_session(id);
        }
        let watching = Arc::clone(&caller);
        let pass = Pass::new(&self.gate, &caller);
        let let_in = LetIn { pass, owner, id };
        let answer = match place {
            Place::Streamable(mount) => {
                self.streamable(mount, shown, (request, body), let_in).await
            }
            Place::Stream(mount) => self.stream(mount, request.method(), let_in),
            Place::Message(mount) => self.message(mount, shown, (request, body), let_in).await,
            Place::Page(page) => page.answer(request.method(), id).await,
            _ => pages::nowhere(&self.mounts, request.uri().path(), id),
        };
        watch(answer, &self.gate, watching)
    }

    async fn endpoint(
        &self,
        voice: Voice<'_>,
        arrival: Arrival<'_>,
        caller: Arc<Caller>,
        body: &mut Option<Incoming>,
    ) -> Answer {
        let lent = Lent {
            limits: &self.limits,
            is_ending: self.is_ending(),
            exchanges: &self.exchanges,
            give_up: &self.give_up,
        };
        let pass = Pass::new(&self.gate, &caller);
        let answer = tokio::select! {
            biased;
            answer = endpoint::answer(voice, Arc::clone(&caller), body, lent) => answer,
            refusal = pass.over() => {
                self.gate.turned_away(arrival, Some(&caller), refusal).await;
                voice.say(refusal)
            }
        };
        watch(answer, &self.gate, caller)
    }

    /// The answer to a request whose body took so long to come that whoever sends it would not be let in any more.
    async fn shut_out(&self, head: &Parts, let_in: &LetIn<'_>) -> Option<Answer> {
        let refusal = let_in.pass.ask_again()?;
        let caller = let_in.pass.caller();
        let arrival = Arrival {
            method: &head.method,
            uri: &head.uri,
            headers: &head.headers,
            from: caller.from?,
            via: caller.via,
            request_id: let_in.id.as_str(),
        };
        self.gate.turned_away(arrival, Some(caller), refusal).await;
        Some(turn_away(refusal, let_in.id))
    }

    async fn streamable(
        &self,
        mount: &Arc<Mount>,
        session: Option<Arc<Session>>,
        (request, body): (Request<()>, &mut Option<Incoming>),
        let_in: LetIn<'_>,
    ) -> Answer {
        let id = let_in.id;
        let (head, ()) = request.into_parts();
        let say = |refusal: &Refusal| unweighed(refusal, id);
        let body = match weigh::body(&head, body.take(), &self.limits, &say).await {
            Ok(body) => body,
            Err(refused) => return *refused,
        };
        if let Some(refused) = self.shut_out(&head, &let_in).await {
            return refused;
        }
        if head.method == Method::GET
            && let Some(session) = &session
            && last_event(&head).is_some_and(|last| session.has_forgotten(last))
        {
            return forgotten(id);
        }
        let session = session.filter(|_| head.method == Method::POST);
        match session.and_then(|session| batch_in(&session, &body)) {
            Some(Ok(pieces)) => return self.batch(mount, head, pieces, let_in).await,
            Some(Err(refusal)) => return unfit::refused(*refusal, id),
            None => {}
        }
        let peek = if head.method == Method::POST {
            match Peek::at(&body) {
                Some(peek) => peek,
                None => return unfit::no_message(&body, id),
            }
        } else {
            Peek::default()
        };
        if self.is_ending() && peek.is_request() {
            return answer::refusal(&is_ending(), peek.id, id);
        }
        if peek.method.as_deref() == Some("initialize") && !self.quota.has_room(&let_in.owner) {
            return answer::refusal(&not_taken(SessionError::Full), peek.id, id);
        }
        let exchange = peek.is_exchange().then(|| self.exchanges.token());
        let pass = let_in.pass.clone();
        let (head, owner) = let_in.mark(head);
        let request = Request::from_parts(head, Full::new(body.clone()));
        let answering = mount.streamable(request, owner);
        let Ok(mut answered) = tokio::time::timeout(self.limits.answer_within, answering).await
        else {
            let status = StatusCode::GATEWAY_TIMEOUT;
            return answer::error(status, code::INTERNAL, &too_late(), peek.id, id);
        };
        if let Some(refusal) = pass.lost() {
            // Whatever the answer is, nobody may read it.
            return answer::refusal(refusal, peek.id, id);
        }
        if answered.status().is_client_error() || answered.status().is_server_error() {
            return unfit::explained(answered, &body, peek.id, id).await;
        }
        if exchange.is_some() {
            answered.extensions_mut().insert(Awaited::Its);
        }
        // The exchange is over when its last byte is out.
        hold(answered, exchange)
    }

    async fn batch(
        &self,
        mount: &Arc<Mount>,
        head: Parts,
        pieces: Vec<Vec<u8>>,
        let_in: LetIn<'_>,
    ) -> Answer {
        let asks = many::any_request(&pieces);
        if self.is_ending() && asks {
            return answer::refusal(&is_ending(), None, let_in.id);
        }
        let exchange = asks.then(|| self.exchanges.token());
        let (head, owner) = let_in.mark(head);
        let within = self.limits.answer_within;
        let mut answered = many::streamable(mount, &head, &owner, pieces, within).await;
        answered.extensions_mut().insert(Awaited::Its);
        hold(answered, exchange)
    }

    fn stream(&self, mount: &Arc<Mount>, method: &Method, let_in: LetIn<'_>) -> Answer {
        if method != Method::GET {
            return not_that_method("GET", let_in.id);
        }
        if self.is_ending() {
            return answer::refusal(&is_ending(), None, let_in.id);
        }
        match mount.stream(let_in.owner) {
            Ok(answer) => answer,
            Err(error) => answer::refusal(&not_taken(error), None, let_in.id),
        }
    }

    async fn message(
        &self,
        mount: &Arc<Mount>,
        session: Option<Arc<Session>>,
        (request, body): (Request<()>, &mut Option<Incoming>),
        let_in: LetIn<'_>,
    ) -> Answer {
        let id = let_in.id;
        if request.method() != Method::POST {
            return not_that_method("POST", id);
        }
        let session = session.filter(|session| session.style() == Style::Single);
        let Some(session) = session else {
            return no_such_session(id);
        };
        let (head, ()) = request.into_parts();
        let say = |refusal: &Refusal| unweighed(refusal, id);
        let body = match weigh::body(&head, body.take(), &self.limits, &say).await {
            Ok(body) => body,
            Err(refused) => return *refused,
        };
        if let Some(refused) = self.shut_out(&head, &let_in).await {
            return refused;
        }
        match batch_in(&session, &body) {
            Some(Ok(pieces)) if self.is_ending() && many::any_request(&pieces) => {
                return answer::refusal(&is_ending(), None, id);
            }
            Some(Ok(pieces)) => {
                let (head, _) = let_in.mark(head);
                return many::single(mount, &session, &head, pieces, id);
            }
            Some(Err(refusal)) => return unfit::refused(*refusal, id),
            None => {}
        }
        let Some(peek) = Peek::at(&body) else {
            return unfit::no_message(&body, id);
        };
        if self.is_ending() && peek.is_request() {
            return answer::refusal(&is_ending(), peek.id, id);
        }
        let message = match read_line(&body) {
            Ok(Some(message)) => message,
            Ok(None) => return unfit::accepted(),
            Err(refused) => return unfit::refused(*refused, id),
        };
        let (head, _) = let_in.mark(head);
        match mount.message(&session, message, head) {
            Ok(()) => unfit::accepted(),
            Err(error) => answer::refusal(&not_taken(error), peek.id, id),
        }
    }
}

/// The event after which a client wants to go on.
fn last_event(head: &Parts) -> Option<&str> {
    let last = head.headers.get("last-event-id")?;
    // One that is no text is no event's either.
    Some(last.to_str().unwrap_or_default())
}

/// The messages of a batch, where the session's revision has batches.
fn batch_in(session: &Session, body: &[u8]) -> Option<Result<Vec<Vec<u8>>, Box<Unread>>> {
    session
        .takes_batches()
        .then(|| batch::pieces(body))
        .flatten()
}

/// Who was let in, and with which request.
struct LetIn<'r> {
    pass: Pass,
    owner: Owner,
    id: &'r RequestId,
}

impl LetIn<'_> {
    /// The head of the request, which now says who makes it.
    fn mark(self, mut head: Parts) -> (Parts, Owner) {
        head.extensions.insert(Arc::clone(self.pass.caller()));
        head.extensions.insert(self.pass);
        head.extensions.insert(self.id.clone());
        // Nothing behind the gate needs the token, and what is not there can't be told.
        head.headers.remove(header::AUTHORIZATION);
        head.headers.remove(header::COOKIE);
        (head, self.owner)
    }
}
