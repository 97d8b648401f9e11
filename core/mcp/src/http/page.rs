//! Pages of text beside the servers.
//!
//! For: figures and the like, at a path of their own, for whoever the gate lets in. Not for: anything that
//! answers a message, or that may be seen without a token.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::json;

use super::RequestId;
use super::answer::{self, Answer};
use super::pages::is_look;
use super::refusals::not_that_method;
use crate::ErrorKind;
use crate::call::BoxFuture;

/// What a page may take to be written.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

type Write = Arc<dyn Fn() -> BoxFuture<'static, Result<String, String>> + Send + Sync>;

/// A page that is written anew for each request.
pub(crate) struct Page {
    path: &'static str,
    content_type: &'static str,
    write: Write,
}

impl Page {
    pub(super) fn new<F>(
        path: &'static str,
        content_type: &'static str,
        write: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<String, String>> + Send + 'static,
    {
        Page {
            path,
            content_type,
            write: Arc::new(move || Box::pin(write())),
        }
    }

    pub(super) fn is_at(&self, path: &str) -> bool {
        self.path == path
    }

    pub(super) async fn answer(&self, method: &Method, id: &RequestId) -> Answer {
        if !is_look(method) {
            return not_that_method("GET, HEAD", id);
        }
        let written = tokio::time::timeout(WRITTEN_WITHIN, (self.write)()).await;
        let text = match written {
            Ok(Ok(text)) => text,
            Ok(Err(what)) => return not_now(&what, id),
            Err(_) => return not_now("it took too long to write", id),
        };
        let mut answer = Response::new(answer::full(text));
        let headers = answer.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.content_type),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }
}

fn not_now(what: &str, id: &RequestId) -> Answer {
    let value = json!({
        "error": {
            "kind": ErrorKind::Internal.as_str(),
            "message": format!("this page could not be written: {}", callboard_redact::scrub(what)),
            "hint": "ask again in a moment; the log of `callboard serve` has more",
            "requestId": id.as_str(),
        },
    });
    answer::json(StatusCode::SERVICE_UNAVAILABLE, &value)
}
