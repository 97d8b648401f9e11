//! Clients for URLs.
//!
//! For: how they are made, and what is common to all that comes back. Not for: messages.

use crate::values::Wrong;
use reqwest::Response;
use std::sync::Once;
use std::time::Duration;

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);

/// A client for a URL, which neither follows redirects nor uses a proxy to reach this machine.
pub(super) fn client(url: &str) -> Result<reqwest::Client, Wrong> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Somebody else may have installed one before.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let parsed = reqwest::Url::parse(url).map_err(|error| format!("{url:?} is no URL: {error}"))?;
    let mut builder = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none());
    if parsed
        .host_str()
        .is_some_and(|host| host == "localhost" || host.starts_with("127.") || host == "[::1]")
    {
        builder = builder.no_proxy();
    }
    builder
        .build()
        .map_err(|error| format!("no HTTP client can be made: {error}"))
}

/// Waits until a URL answers with a status below 400; the caller bounds the wait.
pub(crate) async fn wait_http(url: &str) -> Result<(), Wrong> {
    let client = client(url)?;
    loop {
        if client
            .get(url)
            .send()
            .await
            .is_ok_and(|response| response.status().as_u16() < 400)
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(super) fn is_stream(response: &Response) -> bool {
    header(response, "content-type").is_some_and(|kind| kind.starts_with("text/event-stream"))
}

pub(super) fn header(response: &Response, name: &str) -> Option<String> {
    response
        .headers()
        .get(name)?
        .to_str()
        .ok()
        .map(str::to_owned)
}

/// An error with its causes ("error sending request" alone helps nobody), and what to look at.
pub(super) fn told(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    if error.is_connect() {
        text.push_str("; is the server running, at this address?");
    }
    text
}
