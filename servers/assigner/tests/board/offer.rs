use callboard_assigner_server::{Assigner, server};
use callboard_telemetry::CallLog;
use std::sync::Arc;
#[test]
fn x() {
    let dir = tempfile::tempdir().unwrap();
    let s = server(
        Arc::new(Assigner::open(dir.path()).unwrap()),
        CallLog::disabled(),
    );
    let v: serde_json::Value = serde_json::from_str(&s.tools_list_json()).unwrap();
    for t in v["tools"].as_array().unwrap() {
        println!(
            "{} {}\n  in {}\n  out {}",
            t["name"],
            t.to_string().len(),
            t["inputSchema"],
            t["outputSchema"]
        );
    }
    println!("{} {:?}", s.token_estimate(), s.problems());
}
