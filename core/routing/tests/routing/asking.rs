//! A provider of the scripted upstream's, as a client has it.

use callboard_redact::Secret;
use callboard_routing::upstream::{Deadlines, Endpoint, Upstream};
use callboard_routing::wire::Wire;
use callboard_store::{Clock, FixedClock};
use callboard_tests::upstream::Upstream as Scripted;
use std::sync::Arc;

/// 2026-11-21T20:00:00Z, by which the scripted upstream says its dates.
pub const NOW: i64 = 1_795_291_200_000;

pub fn clock() -> Arc<dyn Clock> {
    Arc::new(FixedClock::new(NOW))
}

pub fn endpoint(scripted: &Scripted, wire: Wire, deadlines: Deadlines) -> Endpoint {
    Endpoint {
        name: "main".to_owned(),
        wire,
        base_url: scripted.base(wire.as_str()),
        key: Some(Secret::new("sk-asking-0c55".to_owned())),
        account: "default".to_owned(),
        headers: Vec::new(),
        deadlines,
    }
}

pub fn upstream(scripted: &Scripted, wire: Wire, deadlines: Deadlines) -> Upstream {
    Upstream::new(endpoint(scripted, wire, deadlines), clock()).unwrap()
}
