//! `item_set_status` and `item_check`.

use crate::rig::{ROADMAP, Rig};
use callboard_mcp::ErrorKind;
use serde_json::json;

#[tokio::test]
async fn a_status_is_set_in_the_users_file() {
    let rig = Rig::new();
    let client = rig.client().await;
    let arguments = json!({"path": rig.path(), "item": "priority-2", "status": "in_progress"});
    let edited = client.call("item_set_status", arguments.clone()).await;
    assert_eq!(
        (&edited["changed"], &edited["line"]),
        (&json!(true), &json!(13))
    );
    assert_ne!(edited["before"], edited["after"]);
    let after = rig.read("ROADMAP.md");
    let (old, new): (Vec<&str>, Vec<&str>) = (ROADMAP.lines().collect(), after.lines().collect());
    let changed: Vec<usize> = (0..old.len())
        .filter(|line| old[*line] != new[*line])
        .collect();
    assert_eq!((changed, old.len()), (vec![12], new.len()), "{after}");
    assert!(
        new[12].to_lowercase().contains("in progress"),
        "{}",
        new[12]
    );
    assert_eq!(rig.git(&["status", "--porcelain"]), " M ROADMAP.md\n");

    let again = client.call("item_set_status", arguments).await;
    assert_eq!(again["changed"], false);
    assert_eq!(rig.read("ROADMAP.md"), after);
    client.close().await;
}

#[tokio::test]
async fn a_deliverable_is_ticked_by_text_and_by_number() {
    let rig = Rig::new();
    let client = rig.client().await;
    let ticked = client
        .call(
            "item_check",
            json!({"item": "priority-1", "deliverable": "A file", "done": true}),
        )
        .await;
    assert_eq!(
        (&ticked["changed"], &ticked["line"]),
        (&json!(true), &json!(9))
    );
    assert_eq!(
        rig.read("ROADMAP.md"),
        ROADMAP.replace("- [ ] A file", "- [x] A file")
    );
    client
        .call(
            "item_check",
            json!({"item": "priority-1", "deliverable": "2", "done": false}),
        )
        .await;
    let expected = ROADMAP
        .replace("- [x] A name", "- [ ] A name")
        .replace("- [ ] A file", "- [x] A file");
    assert_eq!(rig.read("ROADMAP.md"), expected);
    client.close().await;
}

#[tokio::test]
async fn calls_at_the_same_time_lose_nothing() {
    let boxes: String = (1..=20).map(|n| format!("- [ ] thing {n}.\n")).collect();
    let rig = Rig::with(
        &format!("# R\n\n## PRIORITY 1: A\n**Status**: Planned\n\n**Deliverables**:\n{boxes}"),
        None,
    );
    let (one, other) = (rig.client().await, rig.client().await);
    let calls = (1..=20).map(|n| {
        let client = if n % 2 == 0 { &one } else { &other };
        client.call(
            "item_check",
            json!({"item": "priority-1", "deliverable": n.to_string(), "done": true}),
        )
    });
    let mut calls: Vec<_> = calls.map(Box::pin).collect();
    std::future::poll_fn(|task| {
        calls.retain_mut(|call| call.as_mut().poll(task).is_pending());
        if calls.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    let text = rig.read("ROADMAP.md");
    assert_eq!(text.matches("- [x] thing").count(), 20, "{text}");
    drop(calls);
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn what_is_not_there_is_refused_and_nothing_is_written() {
    let rig = Rig::new();
    let client = rig.client().await;
    let text = client
        .refusal(
            "item_set_status",
            json!({"item": "priority-9", "status": "done"}),
            ErrorKind::NotFound,
        )
        .await;
    assert!(text.contains("roadmap_read"), "{text}");
    let unknown = json!({"item": "priority-1", "deliverable": "A castle", "done": true});
    let text = client
        .refusal("item_check", unknown, ErrorKind::NotFound)
        .await;
    assert!(text.contains("A file") && text.contains("A name"), "{text}");
    let outside = json!({"item": "priority-1", "status": "done", "roadmap": "../ROADMAP.md"});
    client
        .refusal("item_set_status", outside, ErrorKind::InvalidInput)
        .await;
    assert_eq!(rig.read("ROADMAP.md"), ROADMAP);
    client.close().await;
}

#[tokio::test]
async fn a_link_that_leads_out_is_not_followed() {
    let rig = Rig::new();
    let client = rig.client().await;
    let outside = rig.outside("OTHER.md");
    std::fs::copy(rig.root.join("ROADMAP.md"), &outside).unwrap();
    std::fs::remove_file(rig.root.join("ROADMAP.md")).unwrap();
    std::os::unix::fs::symlink(&outside, rig.root.join("ROADMAP.md")).unwrap();
    for (tool, arguments) in [
        (
            "item_set_status",
            json!({"item": "priority-1", "status": "done"}),
        ),
        (
            "item_check",
            json!({"item": "priority-1", "deliverable": "1", "done": true}),
        ),
    ] {
        client
            .refusal(tool, arguments, ErrorKind::InvalidInput)
            .await;
    }
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), ROADMAP);
    client.close().await;
}
