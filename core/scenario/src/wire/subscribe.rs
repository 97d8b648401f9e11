//! Subscriptions in both eras.

use super::conn::{Conn, Dress};
use super::inbox::{Gone, Item};
use crate::values::Wrong;
use serde_json::{Map, Value, json};
use std::sync::PoisonError;

const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

impl Conn {
    /// Subscribes; answers what the server said. In 2026-07-28 one long request listens, and its acknowledgement is
    /// the answer.
    pub(crate) async fn subscribe(
        &self,
        wanted: &[String],
        dress: Dress,
    ) -> Result<Result<Item, Gone>, Wrong> {
        if !self.is_modern() {
            let mut last = Ok(Item::Message(json!({"result": {}})));
            for uri in wanted.iter().filter(|word| !is_list(word)) {
                let pending = self
                    .request("resources/subscribe", json!({"uri": uri}), dress.clone())
                    .await?;
                last = self.reply(&pending).await;
                if !matches!(&last, Ok(Item::Message(message)) if message.get("result").is_some()) {
                    break;
                }
            }
            return Ok(last);
        }
        let mut notifications = Map::new();
        let uris: Vec<&String> = wanted.iter().filter(|word| !is_list(word)).collect();
        if !uris.is_empty() {
            notifications.insert("resourceSubscriptions".to_owned(), json!(uris));
        }
        for word in wanted.iter().filter(|word| is_list(word)) {
            notifications.insert(format!("{word}ListChanged"), Value::Bool(true));
        }
        let from = self.inbox.len();
        let pending = self
            .request(
                "subscriptions/listen",
                json!({"notifications": notifications}),
                dress,
            )
            .await?;
        let id = pending.id.clone();
        let first = self
            .inbox
            .take(from, |item| match item {
                Item::Message(message) if message["method"] == ACKNOWLEDGED => {
                    let of = &message["params"]["_meta"][SUBSCRIPTION];
                    of.is_null() || *of == id
                }
                Item::Message(message) => message.get("method").is_none() && message["id"] == id,
                Item::Failed { id: of, .. } => of.as_ref() == Some(&id),
                Item::Junk(_) => false,
            })
            .await;
        let mut listening = self
            .listening
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listening.push((wanted.to_vec(), pending));
        Ok(first.map(|item| match item {
            Item::Message(message) if message["method"] == ACKNOWLEDGED => {
                Item::Message(json!({"result": message["params"]}))
            }
            other => other,
        }))
    }

    /// Ends subscriptions; in 2026-07-28 the listening requests that name them.
    pub(crate) async fn unsubscribe(&self, wanted: &[String]) -> Result<Result<Item, Gone>, Wrong> {
        let mut last = Ok(Item::Message(json!({"result": {}})));
        if !self.is_modern() {
            for uri in wanted {
                let pending = self
                    .request(
                        "resources/unsubscribe",
                        json!({"uri": uri}),
                        Dress::default(),
                    )
                    .await?;
                last = self.reply(&pending).await;
            }
            return Ok(last);
        }
        let ended = {
            let mut listening = self
                .listening
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let (ended, kept) = std::mem::take(&mut *listening)
                .into_iter()
                .partition::<Vec<_>, _>(|(words, _)| {
                    words.iter().any(|word| wanted.contains(word))
                });
            *listening = kept;
            ended
        };
        if ended.is_empty() {
            return Err(format!("nothing listens to {}", wanted.join(", ")));
        }
        for (_, pending) in ended {
            self.cancel(&pending).await?;
        }
        Ok(last)
    }
}

fn is_list(word: &str) -> bool {
    ["tools", "prompts", "resources"].contains(&word)
}
