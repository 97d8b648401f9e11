//! What the server offers: small, complete, annotated.

use callboard_assigner_server::{Assigner, server};
use callboard_mcp::{Effect, Server};
use callboard_telemetry::CallLog;
use std::sync::Arc;

fn offered() -> (tempfile::TempDir, Server<Assigner>) {
    let dir = tempfile::tempdir().unwrap();
    let board = Arc::new(Assigner::open(dir.path()).unwrap());
    (dir, server(board, CallLog::disabled()))
}

#[test]
fn the_offer_is_as_small_as_promised() {
    let (_dir, server) = offered();
    assert_eq!(server.problems(), Vec::<String>::new());
    assert!(
        server.token_estimate() <= 2_500,
        "{} tokens",
        server.token_estimate()
    );
    assert_eq!(
        server.tool_names(),
        [
            "task_add",
            "task_add_many",
            "task_list",
            "task_get",
            "task_wait",
            "task_update",
            "task_control",
            "task_claim",
            "task_heartbeat",
            "task_finish",
            "task_fail",
            "task_release",
        ]
    );
    assert_eq!(server.prompt_names(), ["report_status", "triage_failures"]);
    let uris: Vec<&str> = server
        .resource_uris()
        .into_iter()
        .map(|(_, uri)| uri)
        .collect();
    assert_eq!(
        uris,
        [
            "callboard://board",
            "callboard://task/{id}{?cursor}",
            "callboard://task/{id}/log{?cursor}"
        ]
    );
}

#[test]
fn effects_are_declared_as_they_are() {
    let (_dir, server) = offered();
    let reading: Vec<&str> = server
        .tools()
        .filter(|facts| facts.effect == Effect::ReadOnly)
        .map(|facts| facts.name)
        .collect();
    assert_eq!(reading, ["task_list", "task_get", "task_wait"]);
    let destructive: Vec<&str> = server
        .tools()
        .filter(|facts| {
            matches!(
                facts.effect,
                Effect::Write {
                    destructive: true,
                    ..
                }
            )
        })
        .map(|facts| facts.name)
        .collect();
    assert_eq!(destructive, ["task_update", "task_control"]);
    assert!(
        server.tools().all(|facts| !facts.open_world),
        "nothing leaves this machine"
    );
}
