//! Which file and which form each client wants.

use super::*;

#[test]
fn off_the_path_the_command_is_absolute_and_that_is_said() {
    let rig = rig(false);
    let said = rig.run().unwrap();
    assert!(said.contains("absolute path"), "{said}");
    let command = parse(&rig.text())[MEMBER]["assigner"]["command"].clone();
    assert_eq!(command, json!(rig.exe.to_str().unwrap()));
}

#[test]
fn other_clients_have_a_file_of_their_own() {
    let rig = rig(true);
    rig.run_with(Client::Generic, false).unwrap();
    assert_eq!(rig.files(), ["mcp.json"]);
    let text = std::fs::read_to_string(rig.file().with_file_name("mcp.json")).unwrap();
    let entry = parse(&text)[MEMBER]["roadmap"].clone();
    assert_eq!(entry, json!({"command": "callboard", "args": ["roadmap"]}));
}

#[test]
fn over_http_each_client_is_told_where_the_token_is() {
    let rig = rig(true);
    let over_http = |client| InitArgs {
        transport: Transport::Http,
        ..args(client)
    };
    let (file, said) = rig.there(&over_http(Client::ClaudeCode), Some(FRESH));
    assert!(said.unwrap().contains("updated   assigner"));
    let entry = parse(&content(&file))[MEMBER]["assigner"].clone();
    let url = format!("{DEFAULT_URL}/assigner/mcp");
    assert_eq!(
        entry,
        json!({"type": "http", "url": url, "headersHelper": "callboard token header"})
    );
    // And back to stdio: it is our own entry in either form.
    rig.there(&args(Client::ClaudeCode), None).1.unwrap();
    assert_eq!(content(&file), FRESH);

    let (file, said) = rig.there(&over_http(Client::Vscode), None);
    said.unwrap();
    rig.there(&over_http(Client::Vscode), None).1.unwrap();
    let written = parse(&content(&file));
    assert_eq!(written["inputs"].as_array().unwrap().len(), 1);
    assert_eq!(written["inputs"][0]["password"], true);
    let header = &written["servers"]["roadmap"]["headers"]["Authorization"];
    assert_eq!(header, "Bearer ${input:callboard-token}");

    let (_, refused) = rig.there(&over_http(Client::ClaudeDesktop), None);
    assert!(format!("{:#}", refused.unwrap_err()).contains("stdio only"));
    for url in [
        "http://example.com:1",
        "ftp://127.0.0.1",
        "127.0.0.1:8700",
        "http://[::1]:1/?t=1",
        "http://127.0.0.1:1/#x",
        "https://cb_hush@example.com",
        "http://user:cb_hush@127.0.0.1:1",
        "https://example.com/?key=cb_hush",
        "",
    ] {
        let wrong = InitArgs {
            url: url.to_owned(),
            ..over_http(Client::Generic)
        };
        let (file, refused) = rig.there(&wrong, None);
        let refused = format!("{:#}", refused.expect_err(url));
        assert!(refused.contains("--url"), "{url}: {refused}");
        assert!(!refused.contains("cb_hush"), "{refused}");
        assert!(!file.exists(), "{url}");
    }
    for url in [
        "http://[::1]:1",
        "https://example.com/board",
        "http://localhost:2/",
    ] {
        let right = InitArgs {
            url: url.to_owned(),
            dry_run: true,
            ..over_http(Client::Generic)
        };
        rig.there(&right, None).1.unwrap();
    }
}

#[test]
fn files_are_where_each_client_looks() {
    let rig = rig(true);
    let project = Path::new("/p");
    let at = |client: Client, scope| client.file(scope, project, &rig.environment);
    let home = rig.dir.path().join("home");
    for (client, in_project, for_user) in [
        (Client::ClaudeCode, ".mcp.json", ".claude.json"),
        (Client::Codex, ".codex/config.toml", ".codex/config.toml"),
        (Client::Cursor, ".cursor/mcp.json", ".cursor/mcp.json"),
    ] {
        assert_eq!(
            at(client, Scope::Project).unwrap(),
            project.join(in_project)
        );
        assert_eq!(at(client, Scope::User).unwrap(), home.join(for_user));
    }
    assert!(at(Client::ClaudeDesktop, Scope::Project).is_err());
    assert!(at(Client::Generic, Scope::User).is_err());
}
