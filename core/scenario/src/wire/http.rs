//! A server over Streamable HTTP.

use super::bounds::{TooLong, read_text};
use super::client::{client, header, is_stream, told};
use super::header::{encoded, name_of};
use super::inbox::Item;
use super::link::Router;
use super::sse::{Event, Parser};
use super::traffic::Way;
use crate::values::Wrong;
use futures_util::StreamExt as _;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::AbortHandle;

/// How long leaving may take.
const FAREWELL: Duration = Duration::from_secs(2);
/// The least time between two attempts to open a stream.
const AT_LEAST: Duration = Duration::from_millis(100);
/// How much of an answer that is no message is kept.
const BODY_CHARS: usize = 2_000;

/// A Streamable HTTP endpoint.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) client: reqwest::Client,
    pub(super) url: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) router: Router,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    session: Option<String>,
    revision: Option<&'static str>,
    tasks: HashMap<String, AbortHandle>,
    listening: Option<AbortHandle>,
}

impl Http {
    pub(super) fn new(
        url: &str,
        headers: BTreeMap<String, String>,
        router: Router,
    ) -> Result<Http, Wrong> {
        Ok(Http {
            client: client(url)?,
            url: url.to_owned(),
            headers,
            router,
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on requests carry this revision.
    pub(super) fn agreed(&self, revision: Option<&'static str>) {
        // The header came with 2025-06-18.
        self.state().revision = revision.filter(|revision| *revision >= "2025-06-18");
    }

    /// A request with the headers of this connection; `more` come last and win.
    pub(super) fn build(&self, method: Method, more: &BTreeMap<String, String>) -> RequestBuilder {
        let mut headers = BTreeMap::new();
        let mut set = |name: &str, value: String| headers.insert(name.to_ascii_lowercase(), value);
        set("accept", "application/json, text/event-stream".to_owned());
        {
            let state = self.state();
            if let Some(session) = &state.session {
                set("mcp-session-id", session.clone());
            }
            if let Some(revision) = state.revision {
                set("mcp-protocol-version", revision.to_owned());
            }
        }
        for (name, value) in self.headers.iter().chain(more) {
            set(name, value.clone());
        }
        headers.into_iter().fold(
            self.client.request(method, &self.url),
            |request, (name, value)| request.header(name, value),
        )
    }

    /// Sends a message; what comes back goes into the inbox.
    pub(super) fn send(
        self: &Arc<Self>,
        message: &Value,
        more: &BTreeMap<String, String>,
        modern: Option<&str>,
    ) {
        let mut headers =
            BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
        if let Some(revision) = modern {
            headers.insert("mcp-protocol-version".to_owned(), revision.to_owned());
            if let Some(method) = message["method"].as_str() {
                headers.insert("mcp-method".to_owned(), method.to_owned());
                if let Some(name) = name_of(method, &message["params"]) {
                    headers.insert("mcp-name".to_owned(), encoded(name));
                }
            }
        }
        headers.extend(
            more.iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value.clone())),
        );
        let text = message.to_string();
        self.post(
            text,
            headers,
            message.get("id").cloned(),
            message["method"] == "initialize",
        );
    }

    /// Posts a body as it is.
    pub(super) fn post(
        self: &Arc<Self>,
        body: String,
        headers: BTreeMap<String, String>,
        id: Option<Value>,
        hello: bool,
    ) {
        self.router.traffic.add(Way::Sent, &body);
        let request = self.build(Method::POST, &headers).body(body);
        let this = Arc::clone(self);
        let key = id.as_ref().map(Value::to_string);
        let done = key.clone();
        let task = tokio::spawn(async move {
            this.exchange(request, id, hello).await;
            if let Some(key) = done {
                this.state().tasks.remove(&key);
            }
        });
        if let Some(key) = key {
            self.state().tasks.insert(key, task.abort_handle());
        }
    }

    async fn exchange(&self, request: RequestBuilder, id: Option<Value>, hello: bool) {
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return self.failed(id, None, &told(&error), None),
        };
        if hello && let Some(session) = header(&response, "mcp-session-id") {
            self.state().session = Some(session);
        }
        let status = response.status();
        let number = u64::from(status.as_u16());
        if status.is_success() && is_stream(&response) {
            return self.stream(response, id).await;
        }
        let text = match read_text(response).await {
            Ok(text) => text,
            Err(wrong) => return self.failed(id, Some(number), &wrong.to_string(), None),
        };
        let body = serde_json::from_str::<Value>(&text).ok();
        if !status.is_success() {
            let kept: String = callboard_redact::scrub(&text)
                .chars()
                .take(BODY_CHARS)
                .collect();
            return self.failed(id, Some(number), &kept, body);
        }
        let has_answer = body
            .as_ref()
            .is_some_and(|body| body.is_array() || body.get("id").is_some());
        if !text.trim().is_empty() {
            self.router.take_text(&text);
        }
        if id.is_some() && !has_answer {
            self.failed(
                id,
                Some(number),
                "the request was accepted without an answer",
                None,
            );
        }
    }

    /// Reads a stream to its end; one that breaks off before the answer is taken up again where it can be.
    async fn stream(&self, response: Response, id: Option<Value>) {
        let mut next = Some(response);
        while let Some(response) = next.take() {
            let read = read_stream(response, &self.router, id.as_ref()).await;
            let Some(id) = id.as_ref().filter(|_| !read.answered) else {
                return;
            };
            if let Some(wrong) = read.broken {
                return self.failed(Some(id.clone()), Some(200), &wrong.to_string(), None);
            }
            let Some(event) = read.last_id else {
                self.failed(
                    Some(id.clone()),
                    Some(200),
                    "the stream ended without the answer",
                    None,
                );
                return;
            };
            tokio::time::sleep(pause(read.retry_ms)).await;
            self.router.traffic.add(
                Way::Noted,
                &format!("takes the stream up after event {event}"),
            );
            let more = BTreeMap::from([("last-event-id".to_owned(), event)]);
            match self.build(Method::GET, &more).send().await {
                Ok(response) if response.status().is_success() && is_stream(&response) => {
                    next = Some(response)
                }
                _ => self.failed(
                    Some(id.clone()),
                    None,
                    "the stream ended without the answer and can't be taken up",
                    None,
                ),
            }
        }
    }

    pub(super) fn failed(
        &self,
        id: Option<Value>,
        status: Option<u64>,
        message: &str,
        body: Option<Value>,
    ) {
        let told = status.map_or_else(String::new, |status| format!("HTTP {status} "));
        self.router
            .traffic
            .add(Way::Received, &format!("{told}{message}"));
        self.router.put(Item::Failed {
            id,
            status,
            message: message.to_owned(),
            body,
        });
    }

    /// Opens the stream for what the server says unasked, where it has one.
    pub(super) fn listen(self: &Arc<Self>) {
        let this = Arc::clone(self);
        let task = tokio::spawn(async move {
            let mut last_id: Option<String> = None;
            loop {
                let mut headers =
                    BTreeMap::from([("accept".to_owned(), "text/event-stream".to_owned())]);
                if let Some(event) = &last_id {
                    headers.insert("last-event-id".to_owned(), event.clone());
                }
                let Ok(response) = this.build(Method::GET, &headers).send().await else {
                    return;
                };
                if !response.status().is_success() || !is_stream(&response) {
                    return;
                }
                let read = read_stream(response, &this.router, None).await;
                if let Some(wrong) = read.broken {
                    return this.router.traffic.add(Way::Noted, &wrong.to_string());
                }
                last_id = read.last_id.or(last_id);
                tokio::time::sleep(pause(read.retry_ms)).await;
            }
        });
        self.state().listening = Some(task.abort_handle());
    }

    /// Closes the stream of a request.
    pub(super) fn abandon(&self, id: &Value) {
        if let Some(task) = self.state().tasks.remove(&id.to_string()) {
            task.abort();
        }
    }

    pub(super) async fn close(&self) {
        let session = {
            let mut state = self.state();
            state.tasks.drain().for_each(|(_, task)| task.abort());
            state.listening.take().inspect(AbortHandle::abort);
            state.session.is_some()
        };
        if session {
            let farewell = self.build(Method::DELETE, &BTreeMap::new()).send();
            let _ = tokio::time::timeout(FAREWELL, farewell).await;
        }
        self.state().session = None;
        self.router
            .inbox
            .close("the scenario closed the connection");
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        let mut state = self.state();
        state.tasks.drain().for_each(|(_, task)| task.abort());
        state.listening.take().inspect(AbortHandle::abort);
    }
}

struct StreamRead {
    answered: bool,
    last_id: Option<String>,
    retry_ms: Option<u64>,
    broken: Option<TooLong>,
}

/// How long to wait before a stream is opened again: as the server says, but never so short that it is a flood.
fn pause(retry_ms: Option<u64>) -> Duration {
    Duration::from_millis(retry_ms.unwrap_or(500)).max(AT_LEAST)
}

async fn read_stream(response: Response, router: &Router, id: Option<&Value>) -> StreamRead {
    let mut read = StreamRead {
        answered: false,
        last_id: None,
        retry_ms: None,
        broken: None,
    };
    let mut parser = Parser::default();
    let mut bytes = response.bytes_stream();
    while let Some(Ok(piece)) = bytes.next().await {
        let events = match parser.push(&piece) {
            Ok(events) => events,
            Err(wrong) => {
                read.broken = Some(wrong);
                return read;
            }
        };
        for event in events {
            let Event {
                data,
                id: event_id,
                retry_ms,
                ..
            } = event;
            read.last_id = event_id.or(read.last_id);
            read.retry_ms = retry_ms.or(read.retry_ms);
            if data.is_empty() {
                continue;
            }
            read.answered |= id.is_some() && is_answer(&data, id);
            router.take_text(&data);
        }
    }
    read
}

fn is_answer(text: &str, id: Option<&Value>) -> bool {
    serde_json::from_str::<Value>(text)
        .is_ok_and(|message| message.get("method").is_none() && message.get("id") == id)
}
