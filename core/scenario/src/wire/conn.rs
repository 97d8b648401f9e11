//! A connection: requests and notifications as a revision of the protocol dresses them, and what comes back.

mod greet;

use super::answers::Answers;
use super::http::Http;
use super::inbox::{Gone, Inbox, Item};
use super::link::{Link, Router};
use super::older::Sse;
use super::stdio::Stdio;
use super::traffic::{Traffic, Way};
use crate::format::Protocol;
use crate::rig::Child;
use crate::values::Wrong;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::process::ChildStdout;
use tokio::sync::mpsc;

/// How often a question may come back on one request.
const ROUNDS: usize = 10;
/// The revision without `initialize`.
const MODERN: &str = "2026-07-28";
/// How many answers to the server's own requests may wait to be sent.
const ANSWERS: usize = 1_000;
const META: &str = "io.modelcontextprotocol/";

/// What to connect to.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) address: Address,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) client: Value,
    pub(crate) capabilities: Map<String, Value>,
    pub(crate) answers: Arc<Answers>,
    pub(crate) traffic: Arc<Traffic>,
}

/// Where the server is.
#[derive(Debug)]
pub(crate) enum Address {
    Stdio(Arc<Child>, ChildStdout),
    Http {
        url: String,
        headers: BTreeMap<String, String>,
    },
    Sse {
        url: String,
        headers: BTreeMap<String, String>,
    },
}

/// What goes with one request besides its parameters.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dress {
    pub(crate) meta: Map<String, Value>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) progress: bool,
}

/// A request that was sent.
#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) id: Value,
    pub(crate) method: String,
    pub(crate) began: Instant,
    params: Value,
    dress: Dress,
    since: usize,
    first: usize,
}

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) traffic: Arc<Traffic>,
    /// What the server said of itself, or null.
    pub(crate) hello: Value,
    pub(super) link: Link,
    pub(super) revision: Option<&'static str>,
    pub(super) listening: Mutex<Vec<(Vec<String>, Pending)>>,
    client: Value,
    capabilities: Map<String, Value>,
    answers: Arc<Answers>,
    next: AtomicU64,
    replies: tokio::task::JoinHandle<()>,
}

impl Conn {
    /// Connects and says hello as the revision asks; the caller bounds the wait.
    pub(crate) async fn open(target: Target) -> Result<Conn, Wrong> {
        let inbox = Arc::new(Inbox::new());
        let traffic = target.traffic;
        let (outgoing, mut replies) = mpsc::channel::<Value>(ANSWERS);
        let router = Router {
            inbox: Arc::clone(&inbox),
            traffic: Arc::clone(&traffic),
            answers: Arc::clone(&target.answers),
            outgoing,
        };
        let link = match target.address {
            Address::Stdio(child, output) => {
                Link::Stdio(Arc::new(Stdio::new(child, output, router)))
            }
            Address::Http { url, headers } => {
                Link::Http(Arc::new(Http::new(&url, headers, router)?))
            }
            Address::Sse { url, headers } => {
                Link::Sse(Arc::new(Sse::open(&url, headers, router).await?))
            }
        };
        let answering = link.clone();
        let replies = tokio::spawn(async move {
            while let Some(reply) = replies.recv().await {
                let _ = answering.send(&reply, &BTreeMap::new(), None).await;
            }
        });
        let mut conn = Conn {
            inbox,
            traffic,
            hello: Value::Null,
            link,
            revision: None,
            listening: Mutex::default(),
            client: target.client,
            capabilities: target.capabilities,
            answers: target.answers,
            next: AtomicU64::new(1),
            replies,
        };
        conn.greet(target.protocol).await?;
        Ok(conn)
    }

    pub(crate) fn is_modern(&self) -> bool {
        self.revision == Some(MODERN)
    }

    fn dressed(&self, params: Value, dress: &Dress, id: &Value) -> Value {
        let mut meta = Map::new();
        if self.is_modern() {
            meta.insert(format!("{META}protocolVersion"), json!(MODERN));
            meta.insert(format!("{META}clientInfo"), self.client.clone());
            meta.insert(
                format!("{META}clientCapabilities"),
                json!(self.capabilities),
            );
        }
        if dress.progress {
            meta.insert("progressToken".to_owned(), token(id));
        }
        meta.extend(dress.meta.clone());
        match params {
            Value::Object(mut map) if !meta.is_empty() => {
                if let Some(Value::Object(own)) = map.get("_meta") {
                    meta.extend(own.clone());
                }
                map.insert("_meta".to_owned(), Value::Object(meta));
                Value::Object(map)
            }
            other => other,
        }
    }

    /// Sends a request.
    pub(crate) async fn request(
        &self,
        method: &str,
        params: Value,
        dress: Dress,
    ) -> Result<Pending, Wrong> {
        let first = self.inbox.len();
        self.send_request(method, params, dress, first).await
    }

    async fn send_request(
        &self,
        method: &str,
        params: Value,
        dress: Dress,
        first: usize,
    ) -> Result<Pending, Wrong> {
        let id = Value::from(self.next.fetch_add(1, Ordering::Relaxed));
        let message = json!({
            "jsonrpc": "2.0",
            "id": id,
            "method": method,
            "params": self.dressed(params.clone(), &dress, &id),
        });
        let pending = Pending {
            id,
            method: method.to_owned(),
            began: Instant::now(),
            params,
            since: self.inbox.len(),
            first,
            dress,
        };
        self.inbox.asks(&message);
        self.link
            .send(&message, &pending.dress.headers, self.modern_headers())
            .await?;
        Ok(pending)
    }

    /// Over HTTP the modern revision repeats method and name in headers.
    fn modern_headers(&self) -> Option<&'static str> {
        self.is_modern().then_some(MODERN)
    }

    /// Sends a notification.
    pub(crate) async fn notify(&self, method: &str, params: Option<Value>) -> Result<(), Wrong> {
        let mut message = json!({"jsonrpc": "2.0", "method": method});
        if let Some(params) = params {
            message["params"] = params;
        }
        self.link
            .send(&message, &BTreeMap::new(), self.modern_headers())
            .await
    }

    /// Waits for the answer; the caller bounds the wait.
    pub(crate) async fn reply(&self, pending: &Pending) -> Result<Item, Gone> {
        self.inbox
            .take(pending.since, |item| answers(item, &pending.id))
            .await
    }

    /// As [`Conn::reply`], answering the questions that come instead of a result.
    pub(crate) async fn answer(&self, pending: &mut Pending) -> Result<Item, Gone> {
        for _ in 0..ROUNDS {
            let item = self.reply(pending).await?;
            let Item::Message(message) = &item else {
                return Ok(item);
            };
            let Some((params, after)) = self.with_responses(pending, &message["result"]) else {
                return Ok(item);
            };
            tokio::time::sleep(after).await;
            let began = pending.began;
            let sent = self
                .send_request(
                    &pending.method,
                    params,
                    pending.dress.clone(),
                    pending.first,
                )
                .await
                .map_err(Gone)?;
            *pending = Pending { began, ..sent };
        }
        Err(Gone(format!("the server asked again {ROUNDS} times")))
    }

    fn with_responses(&self, pending: &Pending, result: &Value) -> Option<(Value, Duration)> {
        if result["resultType"] != "input_required" {
            return None;
        }
        let mut responses = Map::new();
        let mut longest = Duration::ZERO;
        for (key, asked) in result["inputRequests"].as_object().into_iter().flatten() {
            let (answer, after) = self
                .answers
                .to(asked["method"].as_str()?, &asked["params"])?;
            longest = longest.max(after);
            responses.insert(key.clone(), answer);
        }
        let mut params = pending.params.clone();
        params["inputResponses"] = Value::Object(responses);
        if let Some(state) = result.get("requestState") {
            params["requestState"] = state.clone();
        }
        Some((params, longest))
    }

    /// How many progress notifications came for a request so far.
    pub(crate) fn progress(&self, pending: &Pending) -> u64 {
        let token = token(&pending.id);
        self.inbox.count(pending.first, |message| {
            message["method"] == "notifications/progress"
                && message["params"]["progressToken"] == token
        })
    }

    /// Gives a request up.
    pub(crate) async fn cancel(&self, pending: &Pending) -> Result<(), Wrong> {
        if let (Link::Http(http), true) = (&self.link, self.is_modern()) {
            http.abandon(&pending.id);
            self.traffic.add(
                Way::Noted,
                &format!("closed the stream of request {}", pending.id),
            );
            return Ok(());
        }
        let params = json!({"requestId": pending.id, "reason": "given up by the scenario"});
        self.notify("notifications/cancelled", Some(params)).await
    }

    /// The process of a server on stdio.
    pub(crate) fn child(&self) -> Option<&Child> {
        match &self.link {
            Link::Stdio(stdio) => Some(stdio.child()),
            Link::Http(_) | Link::Sse(_) => None,
        }
    }

    /// Closes the connection as a client that leaves: the input of a process, the requests and session over HTTP.
    pub(crate) async fn close(&self) {
        self.traffic.add(Way::Noted, "closed");
        match &self.link {
            Link::Stdio(stdio) => stdio.close().await,
            Link::Http(http) => http.close().await,
            Link::Sse(sse) => sse.close(),
        }
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.replies.abort();
        for (_, pending) in self
            .listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            if let Link::Http(http) = &self.link {
                http.abandon(&pending.id);
            }
        }
    }
}

fn token(id: &Value) -> Value {
    Value::String(format!("progress-{id}"))
}

fn answers(item: &Item, id: &Value) -> bool {
    match item {
        Item::Message(message) => message.get("method").is_none() && message.get("id") == Some(id),
        Item::Failed { id: of, .. } => of.as_ref() == Some(id),
        Item::Junk(_) => false,
    }
}
