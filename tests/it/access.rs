//! Who may do what, through the real programs, and what the audit says of it.

use callboard_tests::Home;
use callboard_tests::http::Served;
use serde_json::{Value, json};

fn audit(home: &Home) -> Vec<Value> {
    let shown = home.callboard(&["audit", "--json"]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    let lines = shown.out.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
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
fn a_token_of_another_process_is_good_until_it_is_revoked() {
    let home = Home::new();
    let served = Served::start(&home, "");
    let made = home.callboard(&["token", "add", "ci", "--role", "viewer"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let status = |token: &str| {
        let text = format!(
            "GET /nothing HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        let mut exchange = callboard_tests::http::Exchange::connect(served.address);
        exchange.raw(text.as_bytes());
        exchange.head();
        exchange.status
    };
    let token = made.out.trim();
    assert_eq!(status(token), 404, "let in, and there is nothing");
    assert_eq!(status("cb_000000000000_0"), 401);
    let revoked = home.callboard(&["token", "revoke", "ci"]);
    assert_eq!(revoked.code, 0, "{}", revoked.err);
    assert_eq!(status(token), 401, "at once");
}
