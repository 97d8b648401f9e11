//! Who may do what, through the real programs, and what the audit says of it.

use callboard_tests::Home;
use callboard_tests::http::Served;
use serde_json::{Value, json};

/// The rows of the audit as the command shows them.
pub fn audit(home: &Home) -> Vec<Value> {
    let shown = home.callboard(&["audit", "--json", "--limit", "100000"]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    let lines = shown.out.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A new token.
pub fn token(home: &Home, args: &[&str]) -> String {
    let made = home.callboard(&[&["token", "add"], args].concat());
    assert_eq!(made.code, 0, "{}", made.err);
    made.out.trim().to_owned()
}

#[test]
fn a_change_and_its_maker_are_one_row() {
    let home = Home::new();
    let mut client = home.server("assigner").hello();
    let id = client.must("task_add", &json!({"title": "Audit me"}))["id"].clone();
    let rows = audit(&home);
    let row = rows.iter().find(|row| row["verb"] == "task_add").unwrap();
    assert_eq!(row["subject"], id);
    assert_eq!(row["via"], "stdio");
    assert_eq!(row["action"], "assigner.task_add");
    assert_eq!(row["client"], "rig 1");
    assert!(!row.to_string().contains("Audit me"), "{row}");
}

#[test]
fn the_audit_begins_at_a_day_a_time_or_so_long_ago() {
    let home = Home::new();
    let id = token(&home, &["ci"]);
    assert!(!id.is_empty());
    let shown = |since: &str| {
        let shown = home.callboard(&["audit", "--json", "--since", since]);
        assert_eq!(shown.code, 0, "{since}: {}", shown.err);
        shown.out.lines().count()
    };
    let all = audit(&home).len();
    assert!(all > 0);
    for since in ["1h", "2001-01-01", "2001-01-01T14:00:00+02:00"] {
        assert_eq!(shown(since), all, "{since}");
    }
    for since in ["0s", "2199-01-01", "2199-01-01T14:00Z"] {
        assert_eq!(shown(since), 0, "{since}");
    }
    let refused = home.callboard(&["audit", "--since", "yesterday"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("2026-11-21"), "{}", refused.err);
}

#[test]
fn stdio_has_the_configured_role_and_what_it_may_not_do_is_written_down() {
    let home = Home::new();
    let file = home.path().join("config/callboard/config.toml");
    home.write(&file, "[access]\nstdio_role = \"viewer\"\n");
    let mut client = home.server("assigner").hello();
    client.must("task_list", &json!({}));
    let refused = client.call("task_add", &json!({"title": "No"}));
    assert!(
        refused.is_error && refused.text.starts_with("forbidden"),
        "{}",
        refused.text
    );
    let written = callboard_tests::wait_until(std::time::Duration::from_secs(30), || {
        let forbidden = |row: &Value| row["verb"] == "refused" && row["subject"] == "forbidden";
        audit(&home).iter().any(forbidden)
    });
    assert!(written);
    assert!(!audit(&home).iter().any(|row| row["verb"] == "task_add"));
}

#[test]
fn a_key_for_models_opens_no_server() {
    let home = Home::new();
    let mut served = Served::start(&home, "");
    served.show(&token(&home, &["bot", "--gateway", "--agent", "robin"]));
    for path in ["/metrics", "/assigner/sse", "/assigner/mcp"] {
        let mut refused = served.get(path);
        let said = refused.body();
        assert_eq!(refused.status, 403, "{path}: {said}");
    }
    let mut refused = served.modern("assigner", 1, "tools/list", json!({}));
    assert_eq!(refused.status, 403);
    let said = refused.json();
    assert!(
        said["error"]["message"]
            .as_str()
            .unwrap()
            .contains("gateway"),
        "{said}"
    );
    let written = callboard_tests::wait_until(std::time::Duration::from_secs(30), || {
        let scope = |row: &&Value| row["verb"] == "refused" && row["subject"] == "scope";
        let rows = audit(&home);
        let rows: Vec<_> = rows.iter().filter(scope).collect();
        rows.iter().any(|row| row["name"] == "bot")
    });
    assert!(written, "{:#?}", audit(&home));
}

#[test]
fn a_token_of_another_process_is_good_until_it_is_revoked() {
    let home = Home::new();
    let served = Served::start(&home, "");
    let token = token(&home, &["ci", "--role", "viewer"]);
    let status = |token: &str| {
        let text = format!(
            "GET /nothing HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        let mut exchange = callboard_tests::http::Exchange::connect(served.address);
        exchange.raw(text.as_bytes());
        exchange.head();
        exchange.status
    };
    assert_eq!(status(&token), 404, "let in, and there is nothing");
    assert_eq!(status("cb_000000000000_0"), 401);
    let revoked = home.callboard(&["token", "revoke", "ci"]);
    assert_eq!(revoked.code, 0, "{}", revoked.err);
    assert_eq!(status(&token), 401, "at once");
}

#[test]
fn foreign_hosts_and_pages_are_in_the_audit() {
    let home = Home::new();
    let mut served = Served::start(&home, "");
    let foreign = [("host", "evil.example"), ("origin", "https://evil.example")];
    let doors = [
        ("POST", "/assigner/mcp", "http"),
        ("GET", "/roadmap/sse", "sse"),
        ("GET", "/health", "http"),
    ];
    let mut sent = Vec::new();
    for (name, value) in foreign {
        for (method, path, via) in doors {
            let id = format!("{name}-{}", sent.len());
            let headers = [(name, value), ("x-request-id", &id)];
            let mut refused = served.send(method, path, &headers, "{}");
            assert_eq!(refused.status, 403, "{name} {path}");
            let said = refused.json();
            assert_eq!(said["error"]["data"]["kind"], "forbidden", "{said}");
            assert_eq!(said["error"]["data"]["requestId"], id, "{said}");
            sent.push((name, path, via, id));
        }
    }
    served.terminate();
    assert_eq!(served.ended().0, 0);
    let rows = audit(&home);
    for (name, ..) in foreign {
        let rows: Vec<_> = rows
            .iter()
            .filter(|row| row["verb"] == "refused" && row["subject"] == name)
            .collect();
        // The first at once, those of the same minute as one row.
        let count: i64 = rows
            .iter()
            .map(|row| row["detail"]["count"].as_i64().unwrap())
            .sum();
        assert_eq!(count, 3, "{rows:?}");
        for row in rows {
            assert_eq!(row["address"], "127.0.0.1", "{row}");
            let (_, path, via, _) = sent
                .iter()
                .find(|(.., id)| row["request"] == *id)
                .unwrap_or_else(|| panic!("of no request of ours: {row}"));
            assert_eq!((&row["action"], &row["via"]), (&json!(path), &json!(via)));
        }
    }
}
