//! Bytes as they are, past all dressing.

use super::bounds::{TooLong, read_text};
use super::client::{is_stream, told};
use super::conn::Conn;
use super::http::Http;
use super::inbox::{Gone, Item};
use super::link::Link;
use super::sse::Parser;
use super::traffic::Way;
use crate::values::Wrong;
use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// How much of an answer is read.
const LONGEST: usize = 4 << 20;

/// What a raw message waits for.
#[derive(Debug, Clone)]
pub(crate) enum Seen {
    Nothing,
    Any,
    Id(Value),
    Closed,
}

/// Bytes from hexadecimal digits, blanks allowed.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16))
        .collect::<Option<_>>()?;
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    });
    pairs.collect()
}

impl Conn {
    /// Sends bytes as they are and waits for what is asked for; the caller bounds the wait.
    pub(crate) async fn raw(
        &self,
        bytes: Vec<u8>,
        pieces: usize,
        seen: &Seen,
    ) -> Result<Result<Item, Gone>, Wrong> {
        let from = self.inbox.len();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.inbox.asks_raw(&text);
        let id = match seen {
            Seen::Id(id) => Some(id.clone()),
            Seen::Any => Some(Value::from("raw")),
            Seen::Nothing | Seen::Closed => None,
        };
        let headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
        match &self.link {
            Link::Stdio(stdio) => {
                self.traffic.add(Way::Sent, &text);
                stdio.write(&bytes, pieces).await?;
            }
            Link::Http(http) => http.post(text, headers, id, false),
            Link::Sse(sse) => sse.post(text, headers, id),
        }
        Ok(match seen {
            Seen::Nothing => Ok(Item::Message(Value::Null)),
            Seen::Any => self.inbox.take(from, |_| true).await,
            Seen::Id(id) => {
                let fits = |item: &Item| match item {
                    Item::Message(message) => {
                        message.get("method").is_none() && message.get("id") == Some(id)
                    }
                    Item::Failed { id: of, .. } => of.as_ref() == Some(id),
                    Item::Junk(_) => false,
                };
                self.inbox.take(from, fits).await
            }
            Seen::Closed => {
                let why = self.inbox.closed().await;
                Ok(Item::Message(json!({"closed": why})))
            }
        })
    }

    fn http(&self) -> Result<&Arc<Http>, Wrong> {
        match &self.link {
            Link::Http(http) => Ok(http),
            Link::Sse(sse) => Ok(&sse.http),
            Link::Stdio(_) => Err("the server is not spoken to over HTTP".to_owned()),
        }
    }

    /// An HTTP request as written, to the server's address; the caller bounds the wait.
    pub(crate) async fn raw_http(
        &self,
        method: &str,
        path: Option<&str>,
        headers: &BTreeMap<String, String>,
        body: Option<String>,
    ) -> Result<Value, Wrong> {
        let http = self.http()?;
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| format!("{method:?} is no HTTP method"))?;
        let base = reqwest::Url::parse(&http.url).map_err(|error| error.to_string())?;
        let url = match path {
            Some(path) => base
                .join(path)
                .map_err(|error| format!("{path:?}: {error}"))?,
            None => base,
        };
        self.traffic.add(
            Way::Sent,
            &format!("{method} {url} {}", body.as_deref().unwrap_or_default()),
        );
        // Over the older transport the answer comes on the stream.
        self.inbox.asks_raw(body.as_deref().unwrap_or("null"));
        let mut request = http.client.request(method, url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.map_err(|error| told(&error))?;
        let mut found = Map::new();
        for (name, value) in response.headers() {
            found.insert(
                name.to_string(),
                Value::from(String::from_utf8_lossy(value.as_bytes())),
            );
        }
        let status = response.status().as_u16();
        let streams = is_stream(&response);
        let (body, events) = if streams {
            events(response).await
        } else {
            whole(response).await.map(|body| (body, Vec::new()))
        }
        .map_err(|wrong| wrong.to_string())?;
        let answer = json!({"status": status, "headers": found, "body": body, "events": events});
        self.traffic
            .add(Way::Received, &format!("HTTP {status} {body}"));
        Ok(answer)
    }

    /// Text over a connection of its own; what comes back until it closes. The caller bounds the wait.
    pub(crate) async fn raw_tcp(&self, text: &str) -> Result<String, Wrong> {
        let url = reqwest::Url::parse(&self.http()?.url).map_err(|error| error.to_string())?;
        let address = (
            url.host_str().unwrap_or("127.0.0.1"),
            url.port_or_known_default().unwrap_or(80),
        );
        let failed = |error: std::io::Error| format!("{}:{}: {error}", address.0, address.1);
        let mut stream = tokio::net::TcpStream::connect(address)
            .await
            .map_err(failed)?;
        self.traffic.add(Way::Sent, text);
        self.inbox.asks_raw(text);
        // A server may refuse and close before it has read all.
        let _ = stream.write_all(text.as_bytes()).await;
        let mut bytes = Vec::new();
        let _ = (&mut stream)
            .take(LONGEST as u64)
            .read_to_end(&mut bytes)
            .await;
        let answer = String::from_utf8_lossy(&bytes).into_owned();
        self.traffic.add(Way::Received, &answer);
        Ok(answer)
    }
}

async fn whole(response: reqwest::Response) -> Result<Value, TooLong> {
    let text = read_text(response).await?;
    Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Events until the stream ends or an answer came, and that answer.
async fn events(response: reqwest::Response) -> Result<(Value, Vec<Value>), TooLong> {
    let mut parser = Parser::default();
    let mut bytes = response.bytes_stream();
    let mut events = Vec::new();
    while let Some(Ok(piece)) = bytes.next().await {
        for event in parser.push(&piece)? {
            let data =
                serde_json::from_str::<Value>(&event.data).unwrap_or(Value::String(event.data));
            let answers = data.get("result").is_some() || data.get("error").is_some();
            events.push(json!({"event": event.name, "id": event.id, "data": data}));
            // The older transport names its endpoint first and then is silent.
            if answers || event.name.as_deref() == Some("endpoint") {
                return Ok((data, events));
            }
        }
    }
    Ok((Value::Null, events))
}
