//! What is shown of a file: our own entries, and of those no secrets.

use super::*;

#[test]
fn what_others_have_is_not_shown_wherever_it_stands() {
    let ours =
        r#""assigner": {"command":"/old/callboard","args":["assigner"],"env":{"MINE":"sk-hush"}}"#;
    let other = r#""other": {"command":"z","args":["sk-hush"],"env":{"K":"sk-hush"}}"#;
    let roadmap = r#""roadmap": {"command":"callboard","args":["roadmap"]}"#;
    let files = [
        (Client::ClaudeCode, format!("{{\"mcpServers\": {{\n{ours},\n{other}\n}}}}\n")),
        (Client::ClaudeCode, format!("{{\"mcpServers\": {{\n{other},\n{ours}\n}}}}\n")),
        (Client::ClaudeDesktop, format!("{{\"mcpServers\": {{{ours}, {other}}}, \"k\": \"sk-hush\"}}")),
        (Client::ClaudeDesktop, format!("{{\"k\": \"sk-hush\", \"mcpServers\": {{{other}, {ours}, {roadmap}}}}}")),
        (Client::Cursor, format!("{{\"mcpServers\": {{{other}, {ours} /* sk-hush */, // sk-hush\n}}}}")),
        (
            Client::Codex,
            "[mcp_servers]\nother = { command = \"z\", env = { K = \"sk-hush\" } }\n\
             assigner = { command = \"/old/callboard\", args = [\"assigner\"], env = { MINE = \"sk-hush\" } } # sk-hush\n"
                .to_owned(),
        ),
    ];
    for (client, before) in files {
        let rig = rig(true);
        let dry = InitArgs {
            dry_run: true,
            ..args(client)
        };
        let (file, said) = rig.there(&dry, Some(&before));
        let said = said.unwrap();
        assert!(!said.contains("sk-hush"), "{said}");
        for told in [
            "updated   assigner",
            "/old/callboard",
            "MINE",
            "  - ",
            "  + ",
        ] {
            assert!(said.contains(told), "{told:?} in {said}");
        }
        assert_eq!(content(&file), before);
    }
}

#[test]
fn headers_of_the_user_stay_and_no_token_is_shown() {
    let before = r#"{"mcpServers": {"assigner": {"type": "http", "url": "http://u:cb_hush@127.0.0.1:9/assigner/mcp",
        "headers": {"authorization": "Bearer cb_hush", "X-Api-Key": "sk-hush"}, "note": "sk-hush", "timeout": 5}}}"#;
    let over_http = |client| InitArgs {
        transport: Transport::Http,
        ..args(client)
    };
    let (bearer, key) = ("Bearer ${CALLBOARD_TOKEN}", "sk-hush");
    let both = json!({"Authorization": bearer, "X-Api-Key": key});
    for (args, headers) in [
        (over_http(Client::ClaudeCode), json!({"X-Api-Key": key})),
        (over_http(Client::Generic), both),
        (args(Client::ClaudeCode), json!({"X-Api-Key": key})),
    ] {
        let rig = rig(true);
        let (file, said) = rig.there(&args, Some(before));
        let said = said.unwrap();
        assert!(!said.contains("hush"), "{said}");
        assert!(
            said.contains("X-Api-Key") && said.contains("note"),
            "{said}"
        );
        let entry = parse(&content(&file))[MEMBER]["assigner"].clone();
        assert_eq!(entry["headers"], headers, "{entry}");
        assert_eq!(entry["note"], key);
        assert_eq!(entry["timeout"], 5);
        assert!(!entry.to_string().contains("cb_hush"), "{entry}");
        let (_, again) = rig.there(&args, None);
        assert!(again.unwrap().contains("has all of it already"));
    }
}

#[test]
fn a_line_that_cannot_be_read_is_named_and_not_shown() {
    let rig = rig(true);
    let before = "[mcp_servers.other.env]\nURL = \"u\"\nAPI_KEY = sk-hush\n";
    let (file, refused) = rig.there(&args(Client::Codex), Some(before));
    let refused = format!("{:#}", refused.unwrap_err());
    assert!(refused.contains("line 3 is no TOML"), "{refused}");
    assert!(!refused.contains("sk-hush"), "{refused}");
    let before = "{\n\"mcpServers\": {\"other\": {\"env\": {\"KEY\": sk-hush}}}}";
    let (_, refused) = rig.there(&args(Client::Cursor), Some(before));
    let refused = format!("{:#}", refused.unwrap_err());
    assert!(refused.contains("line 2"), "{refused}");
    assert!(!refused.contains("sk-hush"), "{refused}");
    assert_eq!(content(&file).matches("sk-hush").count(), 1);
}
