//! A server over HTTP with server-sent events, as in 2024-11-05.

use super::bounds::read_text;
use super::client::{is_stream, told};
use super::http::Http;
use super::link::Router;
use super::sse::Parser;
use super::traffic::Way;
use crate::values::Wrong;
use futures_util::StreamExt as _;
use reqwest::{Method, Response};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::AbortHandle;

/// An endpoint of 2024-11-05: a stream, and an address to post to.
#[derive(Debug)]
pub(super) struct Sse {
    pub(super) http: Arc<Http>,
    reader: AbortHandle,
}

impl Sse {
    pub(super) async fn open(
        url: &str,
        headers: BTreeMap<String, String>,
        router: Router,
    ) -> Result<Sse, Wrong> {
        let mut http = Http::new(url, headers, router.clone())?;
        let accept = BTreeMap::from([("accept".to_owned(), "text/event-stream".to_owned())]);
        let response = http.build(Method::GET, &accept).send().await;
        let response = response.map_err(|error| format!("{url}: {}", told(&error)))?;
        if !response.status().is_success() || !is_stream(&response) {
            let status = response.status();
            let text = read_text(response)
                .await
                .unwrap_or_else(|wrong| wrong.to_string());
            return Err(format!(
                "{url} answers {status} instead of a stream of events: {text}"
            ));
        }
        let (tell, endpoint) = tokio::sync::oneshot::channel();
        let reader = tokio::spawn(follow(response, router, tell)).abort_handle();
        let path = endpoint
            .await
            .map_err(|_| "the stream ended before it named its endpoint")?;
        let base = reqwest::Url::parse(url).map_err(|error| error.to_string())?;
        let address = base
            .join(&path)
            .map_err(|error| format!("endpoint {path:?}: {error}"))?;
        // What the scenario's headers hold is for the server that it names.
        if address.origin() != base.origin() {
            reader.abort();
            return Err(format!(
                "the server at {url} names an endpoint elsewhere, {address}: messages only go where the scenario says"
            ));
        }
        http.url = address.to_string();
        Ok(Sse {
            http: Arc::new(http),
            reader,
        })
    }

    pub(super) fn send(&self, message: &Value, more: &BTreeMap<String, String>) {
        let mut headers =
            BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
        headers.extend(more.clone());
        self.post(message.to_string(), headers, message.get("id").cloned());
    }

    /// Posts a body as it is; the answer comes on the stream.
    pub(super) fn post(&self, body: String, headers: BTreeMap<String, String>, id: Option<Value>) {
        self.http.router.traffic.add(Way::Sent, &body);
        let request = self.http.build(Method::POST, &headers).body(body);
        let http = Arc::clone(&self.http);
        tokio::spawn(async move {
            match request.send().await {
                Ok(response) if response.status().is_success() => {}
                Ok(response) => {
                    let status = u64::from(response.status().as_u16());
                    let text = read_text(response)
                        .await
                        .unwrap_or_else(|wrong| wrong.to_string());
                    let body = serde_json::from_str(&text).ok();
                    http.failed(id, Some(status), &text, body);
                }
                Err(error) => http.failed(id, None, &told(&error), None),
            }
        });
    }

    pub(super) fn close(&self) {
        self.reader.abort();
        self.http
            .router
            .inbox
            .close("the scenario closed the connection");
    }
}

impl Drop for Sse {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn follow(response: Response, router: Router, tell: tokio::sync::oneshot::Sender<String>) {
    let mut tell = Some(tell);
    let mut parser = Parser::default();
    let mut bytes = response.bytes_stream();
    while let Some(Ok(piece)) = bytes.next().await {
        let events = match parser.push(&piece) {
            Ok(events) => events,
            Err(wrong) => return router.broke(&wrong.to_string()),
        };
        for event in events {
            match (event.name.as_deref(), &mut tell) {
                (Some("endpoint"), waiting) => {
                    if let Some(tell) = waiting.take() {
                        let _ = tell.send(event.data);
                    }
                }
                _ if !event.data.is_empty() => router.take_text(&event.data),
                _ => {}
            }
        }
    }
    router.traffic.add(Way::Noted, "the stream ended");
    router.inbox.close("the stream of events ended");
}
