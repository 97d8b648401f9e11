//! Rows that are written out.

use crate::rig::{NOW, Rig, call, record_texts, used};
use callboard_store::Store;
use callboard_telemetry::audit::{AuditFilter, audit_list};
use callboard_telemetry::llm::LlmCall;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[tokio::test]
async fn all_calls_go_into_a_new_file_once() {
    let rig = Rig::new().await;
    record_texts(rig.dir.path(), "c_2", "a secret plan", "a secret answer").await;
    let (done, _) = rig
        .ok("export", json!({"file": "calls", "period": "all"}))
        .await;
    let path = rig.dir.path().join("exports").join("calls.csv");
    assert_eq!(done["file"], path.to_str().unwrap());
    assert_eq!(done["rows"], 5);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 6);
    assert!(text.starts_with("id,at,provider,"), "{text}");
    assert!(
        text.contains(",2.500001,") && !text.contains("secret"),
        "{text}"
    );
    let again = rig.refused("export", json!({"file": "calls.csv"})).await;
    assert!(
        again.starts_with("conflict: file: calls.csv exists already"),
        "{again}"
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);

    let (done, _) = rig
        .ok(
            "export",
            json!({"file": "calls", "format": "json", "period": "all"}),
        )
        .await;
    let json: Value =
        serde_json::from_str(&std::fs::read_to_string(done["file"].as_str().unwrap()).unwrap())
            .unwrap();
    assert_eq!(json.as_array().unwrap().len(), 5);
    assert_eq!(json[0]["id"], "c_5");
    assert_eq!(json[4]["cost"], "unknown");
    assert_eq!(audited(&rig), ["calls.csv", "calls.json"]);
}

fn audited(rig: &Rig) -> Vec<String> {
    let store: Store = callboard_board::open(rig.dir.path()).unwrap();
    let rows = store.read_now(|c| audit_list(c, &AuditFilter::default(), 100));
    let rows = rows.unwrap().into_iter().filter(|row| row.verb == "export");
    let mut files: Vec<String> = rows.map(|row| row.subject).collect();
    files.sort();
    files
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    let rig = Rig::new().await;
    for name in ["../x", "/etc/x", "a/b", ".hidden", "-x", "a b", "x\\y"] {
        let text = rig.refused("export", json!({"file": name})).await;
        assert!(text.contains("is not a plain name"), "{text}");
    }
    assert!(!rig.dir.path().join("exports").exists());
}

#[tokio::test]
async fn pages_in_answers_have_every_call_once() {
    let calls = (0..180).map(|n| LlmCall {
        usage: used(10, 0, 1),
        ..call(&format!("c_{n:03}"), NOW - 1_000 - n)
    });
    let rig = Rig::with(calls.collect()).await;
    for format in ["csv", "json"] {
        let (mut ids, mut rows) = (BTreeSet::new(), 0);
        let mut arguments = json!({"format": format, "limit": 200});
        loop {
            let (page, text) = rig.ok("export", arguments.clone()).await;
            assert!(text.len() < 10_000, "{} bytes", text.len());
            let data = page["data"].as_str().unwrap();
            rows += page["rows"].as_u64().unwrap();
            if format == "json" {
                let calls: Value = serde_json::from_str(data).unwrap();
                ids.extend(
                    calls
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|call| call["id"].to_string()),
                );
            } else {
                let lines = data.lines().filter(|line| line.starts_with("c_"));
                ids.extend(lines.map(|line| line.split(',').next().unwrap().to_owned()));
                assert_eq!(data.starts_with("id,"), arguments.get("cursor").is_none());
            }
            match page.get("next") {
                Some(next) => arguments["cursor"] = next.clone(),
                None => break,
            }
        }
        assert_eq!((ids.len(), rows), (180, 180));
    }
}

#[tokio::test]
async fn costs_are_rows_too() {
    let rig = Rig::new().await;
    let export = json!({"what": "costs", "period": "all", "by": ["model"]});
    let (page, _) = rig.ok("export", export).await;
    let data = page["data"].as_str().unwrap();
    let lines: Vec<&str> = data.lines().collect();
    assert_eq!(lines.len(), 4, "{data}");
    assert!(
        lines[0]
            .starts_with("model,calls,ok,failed,cancelled_or_lost,cost_usd,unknown_cost_calls,")
    );
    assert!(
        lines[1].starts_with("acme/large,2,2,0,0,4.000001,0,2000,1200,"),
        "{data}"
    );
    assert!(
        lines[2].starts_with("acme/small,2,0,1,1,,2,"),
        "unknown is empty: {data}"
    );
}
