//! What the server offers: small, complete, annotated.

use callboard_limits::PriceTable;
use callboard_mcp::{Effect, Role, Server};
use callboard_store::FixedClock;
use callboard_telemetry::CallLog;
use callboard_telemetry_server::{Telemetry, server};
use std::sync::Arc;

fn offered() -> (tempfile::TempDir, Server<Telemetry>) {
    let dir = tempfile::tempdir().unwrap();
    let store = callboard_board::open(dir.path()).unwrap();
    let prices = Arc::new(PriceTable::empty());
    let clock = Arc::new(FixedClock::new(0));
    let state = Telemetry::new(store, dir.path(), CallLog::disabled(), clock, prices);
    (dir, server(Arc::new(state), CallLog::disabled()))
}

#[test]
fn the_offer_is_as_small_as_promised() {
    let (_dir, server) = offered();
    assert_eq!(server.problems(), Vec::<String>::new());
    let tokens = server.token_estimate();
    assert!(tokens <= 2_500, "{tokens} tokens");
    assert_eq!(
        server.tool_names(),
        [
            "costs",
            "calls",
            "performance",
            "errors",
            "savings",
            "export"
        ]
    );
    assert_eq!(server.prompt_names(), ["report_costs"]);
}

#[test]
fn only_the_export_changes_anything() {
    let (_dir, server) = offered();
    for facts in server.tools() {
        let reads = facts.effect == Effect::ReadOnly;
        assert_eq!(reads, facts.name != "export", "{}", facts.name);
        let role = if reads { Role::Viewer } else { Role::Developer };
        assert_eq!(facts.role, role, "{}", facts.name);
        assert!(!facts.open_world, "{}", facts.name);
    }
}
