//! `roadmap_read`.

use crate::rig::{Rig, row};
use callboard_mcp::ErrorKind;
use serde_json::{Value, json};

#[tokio::test]
async fn items_are_listed_as_they_are_understood() {
    let rig = Rig::new();
    let client = rig.client().await;
    let read = client
        .call("roadmap_read", json!({"path": rig.path()}))
        .await;
    assert_eq!(
        (&read["file"], &read["title"], &read["total"]),
        (&json!("ROADMAP.md"), &json!("Plan"), &json!(3))
    );
    assert_eq!(read["open"], 2);
    let first = row(&read, "priority-1");
    assert_eq!(
        (&first["status"], &first["duration"], &first["line"]),
        (&json!("planned"), &json!("1-2 days"), &json!(3))
    );
    assert_eq!(first["deliverables"], "1/2");
    assert_eq!(
        row(&read, "priority-2")["depends_on"],
        json!(["priority-1"])
    );
    assert_eq!(row(&read, "priority-3")["status"], "blocked");
    assert!(read.get("not_understood").is_none(), "{read}");
    client.close().await;
}

#[tokio::test]
async fn what_was_not_understood_is_told_with_its_line() {
    let text = "# R\n\n## PRIORITY 1: A\n**Status**: flummoxed\n**Dependency**: PRIORITY 77\n";
    let rig = Rig::with(text, None);
    let client = rig.client().await;
    let read = client.call("roadmap_read", json!({})).await;
    let unread = read["not_understood"].as_array().unwrap();
    let words = |line: &Value| {
        line.as_str().unwrap().starts_with("line 4: ") && line.to_string().contains("flummoxed")
    };
    assert!(unread.iter().any(words), "{read}");
    client.close().await;
}

#[tokio::test]
async fn one_item_is_read_in_full_with_its_deliverables() {
    let rig = Rig::new();
    let client = rig.client().await;
    let read = client
        .call("roadmap_read", json!({"item": "priority-1"}))
        .await;
    assert!(
        read["text"].as_str().unwrap().contains("- [x] A name"),
        "{read}"
    );
    assert_eq!(read["items"].as_array().unwrap().len(), 1);
    let second = &read["deliverables"][1];
    assert_eq!(second, &json!({"text": "A name", "done": true, "line": 10}));
    let text = client
        .refusal(
            "roadmap_read",
            json!({"item": "priority-9"}),
            ErrorKind::NotFound,
        )
        .await;
    assert!(text.contains("priority-9"), "{text}");
    client.close().await;
}

#[tokio::test]
async fn a_commit_is_read_beside_the_files() {
    let rig = Rig::new();
    rig.write(
        "ROADMAP.md",
        &rig.read("ROADMAP.md")
            .replace("Second file", "Another file"),
    );
    let client = rig.client().await;
    let files = client.call("roadmap_read", json!({})).await;
    assert_eq!(
        row(&files, "priority-2")["title"],
        "PRIORITY 2: Another file"
    );
    let committed = client
        .call("roadmap_read", json!({"revision": "HEAD"}))
        .await;
    assert_eq!(
        row(&committed, "priority-2")["title"],
        "PRIORITY 2: Second file"
    );
    assert_eq!(
        committed["commit"].as_str().unwrap(),
        rig.git(&["rev-parse", "HEAD"]).trim()
    );
    client
        .refusal(
            "roadmap_read",
            json!({"revision": "--all"}),
            ErrorKind::NotFound,
        )
        .await;
    client.close().await;
}

#[tokio::test]
async fn a_long_roadmap_comes_in_pages() {
    let items: String = (1..=400)
        .map(|n| {
            format!(
                "## PRIORITY {n}: {}\n**Status**: Planned\n\n",
                "long title ".repeat(8)
            )
        })
        .collect();
    let rig = Rig::with(&format!("# R\n\n{items}"), None);
    let client = rig.client().await;
    let (mut seen, mut from, mut pages): (Vec<Value>, Value, u32) = (Vec::new(), json!(0), 0);
    loop {
        let read = client.call("roadmap_read", json!({"from": from})).await;
        seen.extend(
            read["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["key"].clone()),
        );
        pages += 1;
        let Some(next) = read.get("next") else { break };
        from = next.clone();
    }
    let expected: Vec<Value> = (1..=400).map(|n| json!(format!("priority-{n}"))).collect();
    assert_eq!(seen, expected);
    assert!(pages > 3, "{pages}");
    client.close().await;
}

#[tokio::test]
async fn a_long_item_comes_in_pages() {
    let words: String = (0..2_000).map(|n| format!("wörd{n} ")).collect();
    let rig = Rig::with(
        &format!("# R\n\n## PRIORITY 1: A\n**Status**: Planned\n\n{words}\n"),
        None,
    );
    let client = rig.client().await;
    let (mut text, mut from) = (String::new(), json!(0));
    loop {
        let read = client
            .call("roadmap_read", json!({"item": "priority-1", "from": from}))
            .await;
        text.push_str(read["text"].as_str().unwrap());
        let Some(next) = read.get("next") else { break };
        from = next.clone();
    }
    assert!(text.contains(words.trim()));
    client.close().await;
}

#[tokio::test]
async fn documents_that_are_none_are_refused() {
    let rig = Rig::new();
    let client = rig.client().await;
    std::os::unix::fs::symlink("/etc/hostname", rig.root.join("OUT.md")).unwrap();
    rig.write("LARGE.md", &"# x\n".repeat(5 << 18));
    for (name, kind) in [
        ("../outside.md", ErrorKind::InvalidInput),
        ("/etc/hostname", ErrorKind::InvalidInput),
        ("OUT.md", ErrorKind::InvalidInput),
        (".git", ErrorKind::InvalidInput),
        ("MISSING.md", ErrorKind::NotFound),
        ("LARGE.md", ErrorKind::Limit),
    ] {
        client
            .refusal("roadmap_read", json!({"roadmap": name}), kind)
            .await;
    }
    let latin = [b"# x\n\n## PRIORITY 1: caf".as_slice(), &[0xe9, b'\n']].concat();
    std::io::Write::write_all(
        &mut std::fs::File::create(rig.root.join("latin.md")).unwrap(),
        &latin,
    )
    .unwrap();
    let text = client
        .refusal(
            "roadmap_read",
            json!({"roadmap": "latin.md"}),
            ErrorKind::InvalidInput,
        )
        .await;
    assert!(text.contains("line 3"), "{text}");
    client.close().await;
}
