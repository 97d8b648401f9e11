//! How a connection begins: the handshake that a revision asks for, if any.

use super::super::inbox::{Gone, Item};
use super::super::link::Link;
use super::{Conn, Dress, MODERN};
use crate::format::Protocol;
use crate::values::Wrong;
use serde_json::{Value, json};

/// The newest revision with `initialize`.
const WITH_HELLO: &str = "2025-11-25";

impl Conn {
    pub(super) async fn greet(&mut self, protocol: Option<Protocol>) -> Result<(), Wrong> {
        let Some(protocol) = protocol else {
            return self.initialize(WITH_HELLO, true).await;
        };
        match protocol {
            Protocol::None => Ok(()),
            Protocol::V2026_07_28 => {
                self.revision = Some(MODERN);
                Ok(())
            }
            Protocol::Auto => {
                self.revision = Some(MODERN);
                let found = self.plain("server/discover", json!({})).await;
                if let Ok(found) = found
                    && found["supportedVersions"]
                        .as_array()
                        .is_some_and(|all| all.iter().any(|one| one == MODERN))
                {
                    self.hello = found;
                    return Ok(());
                }
                self.revision = None;
                self.initialize(WITH_HELLO, true).await
            }
            other => {
                self.initialize(other.revision().unwrap_or(WITH_HELLO), false)
                    .await
            }
        }
    }

    async fn initialize(&mut self, revision: &'static str, any: bool) -> Result<(), Wrong> {
        let params = json!({
            "protocolVersion": revision,
            "capabilities": self.capabilities,
            "clientInfo": self.client,
        });
        let result = self.plain("initialize", params).await?;
        let answered = result["protocolVersion"].as_str().unwrap_or_default();
        let agreed = [
            Protocol::V2024_11_05,
            Protocol::V2025_03_26,
            Protocol::V2025_06_18,
            Protocol::V2025_11_25,
        ]
        .into_iter()
        .filter_map(Protocol::revision)
        .find(|known| *known == answered);
        match agreed {
            Some(agreed) if any || agreed == revision => self.revision = Some(agreed),
            _ => {
                return Err(format!(
                    "asked for {revision}, the server speaks {answered:?}; say so with `protocol`"
                ));
            }
        }
        if let Link::Http(http) = &self.link {
            http.agreed(self.revision);
        }
        self.hello = result;
        self.notify("notifications/initialized", None).await?;
        if let Link::Http(http) = &self.link {
            http.listen();
        }
        Ok(())
    }

    /// A request whose error is a failure of the connection.
    async fn plain(&self, method: &str, params: Value) -> Result<Value, Wrong> {
        let pending = self.request(method, params, Dress::default()).await?;
        match self.reply(&pending).await {
            Ok(Item::Message(message)) if message.get("result").is_some() => {
                Ok(message["result"].clone())
            }
            Ok(Item::Message(message)) => {
                Err(format!("{method} was answered with {}", message["error"]))
            }
            Ok(Item::Failed {
                message, status, ..
            }) => Err(format!(
                "{method} failed{}: {message}",
                status.map_or_else(String::new, |status| format!(" with HTTP {status}"))
            )),
            Ok(Item::Junk(line)) => Err(format!("{method} was answered with {line:?}")),
            Err(Gone(why)) => Err(format!("no answer to {method}: {why}")),
        }
    }
}
