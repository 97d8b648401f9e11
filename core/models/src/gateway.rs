//! The gateway of `callboard serve` as one of its clients sees it.
//! For: whether it is there and knows a key, before an agent is started with it. Not for: asking models through it.

use callboard_redact::Secret;
use callboard_routing::failure::FailureKind;
use callboard_routing::upstream::{Deadlines, Endpoint, Upstream};
use callboard_routing::wire::Wire;
use callboard_store::SystemClock;
use std::sync::Arc;
use std::time::Duration;

/// It answers from memory, on this machine or near it.
const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(5),
    first_byte: Duration::from_secs(10),
    between: Duration::from_secs(5),
    total: Duration::from_secs(15),
};

/// Whether the gateway at `url` lets in who shows `key`. It asks no provider.
///
/// # Errors
/// Why not, and what to do about it.
pub async fn gateway_knows(url: &str, key: &Secret) -> Result<(), String> {
    let endpoint = Endpoint {
        name: "the gateway".to_owned(),
        wire: Wire::OpenAi,
        base_url: format!("{url}/v1"),
        key: Some(key.clone()),
        account: String::new(),
        headers: Vec::new(),
        deadlines: DEADLINES,
    };
    let upstream = Upstream::new(endpoint, Arc::new(SystemClock));
    let upstream = upstream.map_err(|failure| failure.message.clone())?;
    let Err(failure) = upstream.models().await else {
        return Ok(());
    };
    Err(match failure.kind {
        FailureKind::BadKey => format!(
            "the gateway at {url} does not know a key of this board: `callboard serve` has to run on the same board"
        ),
        FailureKind::WrongUrl | FailureKind::NotJson | FailureKind::NoSuchModel => format!(
            "there is no gateway at {url}: gateway.enabled may be false there, or gateway.url wrong"
        ),
        _ => format!(
            "the gateway at {url} does not answer ({}): start `callboard serve`, or say in gateway.url where it is",
            failure.message
        ),
    })
}
