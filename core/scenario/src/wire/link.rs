//! What carries messages, and where those go that come.

use super::answers::Answers;
use super::http::Http;
use super::inbox::{Inbox, Item, Kept};
use super::older::Sse;
use super::stdio::Stdio;
use super::traffic::{Traffic, Way};
use crate::values::Wrong;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// A message that came, on its way to whoever waits for it; requests of the server's are answered.
#[derive(Debug, Clone)]
pub(super) struct Router {
    pub(super) inbox: Arc<Inbox>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) answers: Arc<Answers>,
    pub(super) outgoing: mpsc::Sender<Value>,
}

impl Router {
    /// Takes a message in.
    pub(super) fn take_in(&self, message: Value) {
        if let (Some(id), Some(method)) = (message.get("id"), message["method"].as_str()) {
            let answer = self.answers.to(method, &message["params"]);
            let (reply, after) = match answer {
                Some((result, after)) => {
                    (json!({"jsonrpc": "2.0", "id": id, "result": result}), after)
                }
                None => (
                    json!({"jsonrpc": "2.0", "id": id, "error": {
                        "code": -32601, "message": format!("this client does not answer {method}")}}),
                    Duration::ZERO,
                ),
            };
            match self.outgoing.clone().try_reserve_owned() {
                Ok(place) => drop(tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    place.send(reply);
                })),
                Err(_) => self.traffic.add(
                    Way::Noted,
                    "the server asks faster than it takes answers: this one gets none",
                ),
            }
        }
        if self.inbox.is_one_too_many(&message) {
            let id = &message["id"];
            self.traffic
                .add(Way::Noted, &format!("request {id} was answered before"));
        }
        self.put(Item::Message(message));
    }

    /// Puts something that came into the inbox.
    pub(super) fn put(&self, item: Item) {
        if self.inbox.add(item) == Kept::ForTheFirstTimeNotAll {
            self.traffic.add(Way::Noted, super::inbox::DROPPED);
        }
    }

    /// Nothing more is read, for this reason.
    pub(super) fn broke(&self, why: &str) {
        self.traffic.add(Way::Noted, why);
        self.inbox.close(why);
    }

    /// Notes a text that came, and takes it in: a message, a batch, or neither.
    pub(super) fn take_text(&self, text: &str) {
        self.traffic.add(Way::Received, text);
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Array(batch)) => batch.into_iter().for_each(|message| self.take_in(message)),
            Ok(message @ Value::Object(_)) => self.take_in(message),
            Ok(_) | Err(_) => self.put(Item::Junk(text.to_owned())),
        }
    }
}

/// What carries messages.
#[derive(Debug, Clone)]
pub(super) enum Link {
    Stdio(Arc<Stdio>),
    Http(Arc<Http>),
    Sse(Arc<Sse>),
}

impl Link {
    pub(super) async fn send(
        &self,
        message: &Value,
        headers: &BTreeMap<String, String>,
        modern: Option<&str>,
    ) -> Result<(), Wrong> {
        match self {
            Link::Stdio(stdio) => stdio.line(&message.to_string()).await,
            Link::Http(http) => {
                http.send(message, headers, modern);
                Ok(())
            }
            Link::Sse(sse) => {
                sse.send(message, headers);
                Ok(())
            }
        }
    }
}
