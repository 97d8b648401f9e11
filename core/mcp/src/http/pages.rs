//! What is answered without asking a server: whether the process is well, and what is where.
//!
//! For: `/health`, `/ready`, and every path that leads nowhere. Not for: MCP.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;

use super::RequestId;
use super::answer::{self, Answer};
use super::mount::Mount;
use super::refusals::not_that_method;
use crate::ErrorKind;

/// What a server has to say whether it is ready.
const ASKED: Duration = Duration::from_secs(2);

pub(super) fn health(method: &Method, id: &RequestId) -> Answer {
    if !is_look(method) {
        return not_that_method("GET, HEAD", id);
    }
    answer::json(StatusCode::OK, &json!({ "status": "alive" }))
}

/// Whether every server could answer now; a process that ends could not.
pub(super) async fn ready(
    mounts: &[Arc<Mount>],
    is_ending: bool,
    method: &Method,
    id: &RequestId,
) -> Answer {
    if !is_look(method) {
        return not_that_method("GET, HEAD", id);
    }
    let mut missing = serde_json::Map::new();
    if is_ending {
        missing.insert("callboard".to_owned(), json!("is ending"));
    }
    for mount in mounts {
        let asked = tokio::time::timeout(ASKED, mount.ready()).await;
        let found = asked.unwrap_or_else(|_| Err("does not answer".to_owned()));
        if let Err(what) = found {
            missing.insert(mount.name().to_owned(), json!(what));
        }
    }
    if missing.is_empty() {
        let servers: Vec<_> = mounts.iter().map(|mount| mount.name()).collect();
        let value = json!({ "status": "ready", "servers": servers });
        return answer::json(StatusCode::OK, &value);
    }
    let value = json!({
        "status": "not ready",
        "not_ready": missing,
        "requestId": id.as_str(),
    });
    answer::json(StatusCode::SERVICE_UNAVAILABLE, &value)
}

/// There is nothing at `path`; what there is instead.
pub(super) fn nowhere(mounts: &[Arc<Mount>], path: &str, id: &RequestId) -> Answer {
    let servers = mounts.iter().map(|mount| {
        let name = mount.name();
        json!({ "name": name, "mcp": format!("/{name}/mcp"), "sse": format!("/{name}/sse") })
    });
    let value = json!({
        "error": {
            "kind": ErrorKind::NotFound.as_str(),
            "message": format!("there is nothing at {}", shown(path)),
            "hint": "point an MCP client at one of `servers`; /health and /ready tell how the process is",
            "requestId": id.as_str(),
        },
        "servers": servers.collect::<Vec<_>>(),
    });
    answer::json(StatusCode::NOT_FOUND, &value)
}

pub(super) fn is_look(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// A path as it may be shown.
pub(super) fn shown(path: &str) -> String {
    crate::clip(&crate::scrub::url(path), 120)
        .escape_debug()
        .to_string()
}
