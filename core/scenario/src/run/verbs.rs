//! What each verb does, and what it brings.

use super::actor::{Actor, Behind, Miss};
use super::evidence::{evidence, read, sent};
use crate::format::{Await, ListKind, Raw, Step};
use crate::judge::{Evidence, holds};
use crate::read::verb;
use crate::values::{Scope, Wrong, brief};
use crate::wire::{Conn, Dress, Gone, Item, Seen, unhex};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How many pages of a list are followed.
const PAGES: usize = 1_000;
/// How long a notification that must not come is waited for, unless the step says.
const ABSENT: Duration = Duration::from_millis(500);

impl Actor {
    /// Does what the step says.
    pub(super) async fn perform(&mut self, step: &Step) -> Result<Evidence, Miss> {
        match verb(step) {
            "call" | "read" | "prompt" | "complete" | "request" => self.ask(step).await,
            "list" => self.list(step).await,
            "subscribe" | "unsubscribe" => self.subscribe(step).await,
            "notification" => self.notification(step).await,
            "notify" => {
                let conn = self.conn(step).await?;
                let method = self.scope.text(given(&step.notify)?)?;
                let params = step
                    .params
                    .as_ref()
                    .map(|params| self.scope.value(params))
                    .transpose()?;
                Ok(sent(conn.notify(&method, params).await))
            }
            "raw" => self.raw(step).await,
            "malformed" => {
                let conn = self.conn(step).await?;
                let line = self.scope.text(given(&step.malformed)?)?;
                let done = conn
                    .raw(format!("{line}\n").into_bytes(), 1, &Seen::Nothing)
                    .await;
                Ok(sent(done.map(|_| ())))
            }
            "cancel" => {
                let behind = self.behind(given(&step.cancel)?)?;
                Ok(sent(behind.conn.cancel(&behind.pending).await))
            }
            "await" => {
                let Behind { conn, mut pending } = self.behind(given(&step.r#await)?)?;
                let reply = conn.answer(&mut pending).await;
                Ok(evidence(&conn, &pending, reply))
            }
            "sleep" => {
                tokio::time::sleep(step.sleep.map_or(Duration::ZERO, |time| time.0)).await;
                Ok(Evidence::default())
            }
            "run" => self.run(step).await,
            "file" => self.file(step).await,
            "set" => {
                let map = self.scope.map(given(&step.set)?)?;
                self.scope.vars.extend(map.clone());
                Ok(Evidence::of(Value::Object(map)))
            }
            "check" => Ok(Evidence::of(self.scope.value(given(&step.check)?)?)),
            "repeat" | "for_each" | "parallel" | "branches" => self.block(step).await,
            _ => self.fault(step).await,
        }
    }

    pub(super) async fn conn(&mut self, step: &Step) -> Result<Arc<Conn>, Wrong> {
        let name = self.server(step).ok_or("the step names no server")?;
        let stage = Arc::clone(&self.stage);
        stage.conn(&name, &mut self.scope).await
    }

    fn behind(&self, name: &str) -> Result<Behind, Wrong> {
        self.behind.get(name).cloned().ok_or_else(|| {
            format!(
                "no call is in the background as {name:?}{}",
                crate::nearest::hint(name, self.behind.keys().map(String::as_str))
            )
        })
    }

    fn dress(&self, step: &Step) -> Result<Dress, Wrong> {
        let wanted = step
            .expect
            .as_ref()
            .is_some_and(|expect| expect.progress.is_some());
        let headers = self
            .scope
            .texts(step.headers.as_ref().unwrap_or(&Default::default()))?;
        self.stage.secrets.headers(&headers, &self.scope.taken());
        Ok(Dress {
            meta: self.scope.map(step.meta.as_ref().unwrap_or(&Map::new()))?,
            headers,
            progress: step.progress.unwrap_or(wanted),
        })
    }

    async fn ask(&mut self, step: &Step) -> Result<Evidence, Miss> {
        let conn = self.conn(step).await?;
        let (method, params) = self.request(step)?;
        let mut pending = match conn.request(&method, params, self.dress(step)?).await {
            Ok(pending) => pending,
            Err(wrong) => return Ok(sent(Err(wrong))),
        };
        if let Some(name) = &step.background {
            self.behind.insert(name.clone(), Behind { conn, pending });
            return Ok(Evidence::default());
        }
        let reply = if step.answer == Some(false) {
            conn.reply(&pending).await
        } else {
            conn.answer(&mut pending).await
        };
        Ok(evidence(&conn, &pending, reply))
    }

    fn request(&self, step: &Step) -> Result<(String, Value), Wrong> {
        let scope = &self.scope;
        let arguments = || {
            step.arguments
                .as_ref()
                .map(|arguments| scope.value(arguments))
                .transpose()
        };
        Ok(match verb(step) {
            "call" => {
                let arguments = arguments()?.unwrap_or_else(|| json!({}));
                let name = scope.text(given(&step.call)?)?;
                (
                    "tools/call".to_owned(),
                    json!({"name": name, "arguments": arguments}),
                )
            }
            "read" => {
                let uri = scope.text(given(&step.read)?)?;
                ("resources/read".to_owned(), json!({"uri": uri}))
            }
            "prompt" => {
                let mut params = json!({"name": scope.text(given(&step.prompt)?)?});
                if let Some(arguments) = arguments()? {
                    params["arguments"] = arguments;
                }
                ("prompts/get".to_owned(), params)
            }
            "complete" => {
                let params = scope.map(given(&step.complete)?)?;
                ("completion/complete".to_owned(), Value::Object(params))
            }
            _ => {
                let params = step
                    .params
                    .as_ref()
                    .map(|params| scope.value(params))
                    .transpose()?;
                (
                    scope.text(given(&step.request)?)?,
                    params.unwrap_or_else(|| json!({})),
                )
            }
        })
    }

    /// All pages of a list, or the one that the step asks for.
    async fn list(&mut self, step: &Step) -> Result<Evidence, Miss> {
        let conn = self.conn(step).await?;
        let (method, key) = match given(&step.list)? {
            ListKind::Tools => ("tools/list", "tools"),
            ListKind::Resources => ("resources/list", "resources"),
            ListKind::Templates => ("resources/templates/list", "resourceTemplates"),
            ListKind::Prompts => ("prompts/list", "prompts"),
        };
        let dress = self.dress(step)?;
        let mut cursor = step
            .cursor
            .as_deref()
            .map(|cursor| self.scope.text(cursor))
            .transpose()?;
        let mut items = Vec::new();
        for _ in 0..PAGES {
            let mut params = json!({});
            if let Some(cursor) = cursor.as_ref().filter(|cursor| !cursor.is_empty()) {
                params["cursor"] = json!(cursor);
            }
            let pending = match conn.request(method, params, dress.clone()).await {
                Ok(pending) => pending,
                Err(wrong) => return Ok(sent(Err(wrong))),
            };
            let mut page = evidence(&conn, &pending, conn.reply(&pending).await);
            let result = page.result.clone().unwrap_or(Value::Null);
            if page.fault.is_some() {
                return Ok(page);
            }
            items.extend(result[key].as_array().cloned().unwrap_or_default());
            cursor = result["nextCursor"].as_str().map(str::to_owned);
            if cursor.is_none() || step.cursor.is_some() {
                page.value = Some(Value::Array(items));
                page.text = None;
                return Ok(page);
            }
        }
        Err(Miss::Wrong(format!(
            "{method} did not end after {PAGES} pages"
        )))
    }

    async fn subscribe(&mut self, step: &Step) -> Result<Evidence, Miss> {
        let conn = self.conn(step).await?;
        let words = step.subscribe.as_ref().or(step.unsubscribe.as_ref());
        let words = self
            .scope
            .list(&words.map(|words| words.0.clone()).unwrap_or_default())?;
        let done = if step.subscribe.is_some() {
            conn.subscribe(&words, self.dress(step)?).await
        } else {
            conn.unsubscribe(&words).await
        };
        Ok(done.map_or_else(|wrong| sent(Err(wrong)), |reply| read(reply, "subscribe")))
    }

    async fn notification(&mut self, step: &Step) -> Result<Evidence, Miss> {
        let conn = self.conn(step).await?;
        let method = self.scope.text(given(&step.notification)?)?;
        let wanted = step
            .params
            .as_ref()
            .map(|params| self.scope.value(params))
            .transpose()?;
        let fits = |item: &Item| match item {
            Item::Message(message) => {
                message["method"] == method.as_str()
                    && wanted
                        .as_ref()
                        .is_none_or(|wanted| holds(wanted, &message["params"]))
            }
            _ => false,
        };
        let absent = step.absent == Some(true);
        let waiting = conn.inbox.take(0, fits);
        let limit = step
            .within
            .map(|within| within.0)
            .or(absent.then_some(ABSENT));
        let found = match limit {
            Some(limit) => tokio::time::timeout(limit, waiting).await.ok(),
            None => Some(waiting.await),
        };
        match (absent, found) {
            (true, Some(Ok(item))) => Err(Miss::Wrong(format!(
                "{method} came, but must not: {}",
                match item {
                    Item::Message(message) => brief(&message["params"]),
                    _ => String::new(),
                }
            ))),
            (true, _) => Ok(Evidence::default()),
            (false, Some(Ok(Item::Message(message)))) => Ok(Evidence {
                value: Some(message.get("params").cloned().unwrap_or(Value::Null)),
                message: Some(message),
                ..Evidence::default()
            }),
            (false, Some(Err(Gone(why)))) => {
                Err(Miss::Wrong(format!("{method} did not come: {why}")))
            }
            (false, _) => {
                let others = conn
                    .inbox
                    .count(0, |message| message["method"] == method.as_str());
                let dropped = match conn.inbox.dropped() {
                    0 => String::new(),
                    dropped => format!(", and {dropped} messages that no step took were dropped"),
                };
                Err(Miss::Wrong(format!(
                    "no {method}{} within {:.1} s ({others} of this method came in all{dropped})",
                    wanted.map_or_else(String::new, |wanted| format!(" with {}", brief(&wanted))),
                    limit.map_or(0.0, |limit| limit.as_secs_f64())
                )))
            }
        }
    }

    async fn raw(&mut self, step: &Step) -> Result<Evidence, Miss> {
        let conn = self.conn(step).await?;
        let raw = given(&step.raw)?;
        if let Some(http) = &raw.http {
            let body = match (&http.json, &http.body) {
                (Some(json), _) => Some(self.scope.value(json)?.to_string()),
                (None, Some(body)) => Some(self.scope.text(body)?),
                (None, None) => None,
            };
            let path = http
                .path
                .as_deref()
                .map(|path| self.scope.text(path))
                .transpose()?;
            let headers = self.scope.texts(&http.headers)?;
            self.stage.secrets.headers(&headers, &self.scope.taken());
            let method = http.method.as_deref().unwrap_or("POST");
            let done = conn.raw_http(method, path.as_deref(), &headers, body).await;
            return Ok(done.map_or_else(
                |wrong| sent(Err(wrong)),
                |answer| Evidence {
                    text: answer["body"].as_str().map(str::to_owned),
                    ..Evidence::of(answer)
                },
            ));
        }
        if let Some(text) = &raw.tcp {
            let done = conn.raw_tcp(&self.scope.text(text)?).await;
            return Ok(done.map_or_else(
                |wrong| sent(Err(wrong)),
                |text| Evidence::of(Value::String(text)),
            ));
        }
        let (bytes, seen) = bytes(raw, &self.scope)?;
        let pieces = raw
            .pieces
            .map_or(1, |pieces| usize::try_from(pieces).unwrap_or(1));
        let done = conn.raw(bytes, pieces, &seen).await;
        Ok(done.map_or_else(|wrong| sent(Err(wrong)), |reply| read(reply, "raw")))
    }
}

/// What a raw step sends, and what it waits for.
fn bytes(raw: &Raw, scope: &Scope) -> Result<(Vec<u8>, Seen), Wrong> {
    let json = raw
        .json
        .as_ref()
        .map(|json| scope.value(json))
        .transpose()?;
    let mut bytes = match (&json, &raw.text, &raw.hex) {
        (Some(json), _, _) => json.to_string().into_bytes(),
        (None, Some(text), _) => scope.text(text)?.into_bytes(),
        (None, None, hex) => unhex(hex.as_deref().unwrap_or_default()).ok_or("not hexadecimal")?,
    };
    if let Some(times) = &raw.times {
        bytes = bytes.repeat(usize::try_from(scope.amount(times)?).unwrap_or(usize::MAX));
    }
    if raw.newline != Some(false) {
        bytes.push(b'\n');
    }
    let id = raw.id.as_ref().map(|id| scope.value(id)).transpose()?;
    let of_request = json
        .as_ref()
        .filter(|json| json.get("method").is_some())
        .and_then(|json| json.get("id").cloned());
    let seen = match (raw.answer, id.or(of_request)) {
        (Some(Await::None), _) | (None, None) => Seen::Nothing,
        (Some(Await::Any), _) => Seen::Any,
        (Some(Await::Closed), _) => Seen::Closed,
        (Some(Await::Id) | None, Some(id)) => Seen::Id(id),
        (Some(Await::Id), None) => return Err("`answer: id` needs `id`".to_owned()),
    };
    Ok((bytes, seen))
}

/// The file was checked when it was read, so what a verb needs is there.
pub(super) fn given<T>(value: &Option<T>) -> Result<&T, Wrong> {
    value
        .as_ref()
        .ok_or_else(|| "the step lacks what its verb needs".to_owned())
}
