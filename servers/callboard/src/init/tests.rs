use super::*;
use std::os::unix::fs::PermissionsExt;

const MEMBER: &str = "mcpServers";

fn parse(text: &str) -> Map<String, Value> {
    json::Document::new(text, true).parse().unwrap()
}

fn args(client: Client) -> InitArgs {
    InitArgs {
        client,
        scope: None,
        transport: Transport::Stdio,
        url: DEFAULT_URL.to_owned(),
        path: ".".into(),
        dry_run: false,
        undo: false,
    }
}

struct Rig {
    dir: tempfile::TempDir,
    environment: Environment,
    exe: PathBuf,
}

fn rig(on_path: bool) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let bin = dir.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::create_dir(dir.path().join("project")).unwrap();
    let exe = bin.join("callboard");
    let file = std::fs::File::create(&exe).unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(0o755))
        .unwrap();
    let path = if on_path {
        bin
    } else {
        PathBuf::from("/nowhere")
    };
    let environment = Environment::of(
        [("PATH", path), ("HOME", dir.path().join("home"))],
        dir.path().join("project"),
    );
    Rig {
        dir,
        environment,
        exe,
    }
}

impl Rig {
    fn file(&self) -> PathBuf {
        self.dir.path().join("project/.mcp.json")
    }

    fn put(&self, text: &str) {
        std::fs::File::create(self.file())
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    fn run_with(&self, client: Client, dry_run: bool) -> anyhow::Result<String> {
        let args = InitArgs {
            dry_run,
            ..args(client)
        };
        let mut out = Vec::new();
        init_as(&self.exe, &args, &self.environment, &mut out)?;
        Ok(String::from_utf8(out)?)
    }

    fn run(&self) -> anyhow::Result<String> {
        self.run_with(Client::ClaudeCode, false)
    }

    fn files(&self) -> Vec<String> {
        let dir = self.dir.path().join("project");
        let names = std::fs::read_dir(dir).unwrap();
        let mut names: Vec<String> = names
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

const FRESH: &str = r#"{
  "mcpServers": {
    "assigner": {
      "type": "stdio",
      "command": "callboard",
      "args": [
        "assigner"
      ]
    },
    "roadmap": {
      "type": "stdio",
      "command": "callboard",
      "args": [
        "roadmap"
      ]
    },
    "llm": {
      "type": "stdio",
      "command": "callboard",
      "args": [
        "llm"
      ]
    },
    "telemetry": {
      "type": "stdio",
      "command": "callboard",
      "args": [
        "telemetry"
      ]
    }
  }
}
"#;

#[test]
fn writes_a_new_file_and_does_nothing_twice() {
    let rig = rig(true);
    let said = rig.run().unwrap();
    assert!(
        said.contains(".mcp.json: written") && said.contains("added     assigner"),
        "{said}"
    );
    assert_eq!(rig.text(), FRESH);
    let again = rig.run().unwrap();
    assert!(again.contains("has all of it already"), "{again}");
    assert_eq!(rig.text(), FRESH);
    assert_eq!(rig.files(), [".mcp.json"]);
}

#[test]
fn an_empty_file_counts_as_none() {
    let rig = rig(true);
    rig.put("\n");
    rig.run().unwrap();
    assert_eq!(rig.text(), FRESH);
}

#[test]
fn every_other_byte_is_kept() {
    for before in [
        "{\"mcpServers\":{}}",
        "{}",
        "{ \"other\" : [1,  2] }\n",
        "\u{feff}{\n\t\"z\": 1,\n\t\"mcpServers\": {\n\t\t\"linear\": {\"url\": \"https://x/{}\\\"\"}\n\t},\n\t\"a\": 1e3\n}\n",
        "{\r\n    \"mcpServers\": {\r\n        \"b\": {\"command\": \"b\",   \"args\": [\"}\"]}\r\n    }\r\n}\r\n",
    ] {
        let rig = rig(true);
        rig.put(before);
        rig.run().unwrap();
        let after = rig.text();
        assert_is_insertion(before, &after);
        let mut expected = parse(before);
        let servers = expected
            .entry(MEMBER)
            .or_insert(json!({}))
            .as_object_mut()
            .unwrap();
        servers.extend(parse(FRESH)[MEMBER].as_object().unwrap().clone());
        assert_eq!(Value::Object(parse(&after)), Value::Object(expected));
        let lone = after.replace("\r\n", "").contains('\n');
        assert!(
            !before.contains("\r\n") || !lone,
            "mixed line ends: {after:?}"
        );
        rig.run().unwrap();
        assert_eq!(rig.text(), after);
    }
}

/// `after` is `before` with text put in at one place (white space before a lone `}` aside).
fn assert_is_insertion(before: &str, after: &str) {
    let head = before
        .bytes()
        .zip(after.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let tail = before
        .bytes()
        .rev()
        .zip(after.bytes().rev())
        .take_while(|(a, b)| a == b)
        .count();
    assert!(head + tail >= before.len(), "{before:?} became {after:?}");
}

#[test]
fn new_entries_look_like_their_neighbours() {
    let rig = rig(true);
    rig.put("{\n    \"mcpServers\": {\n        \"b\": {}\n    }\n}\n");
    rig.run().unwrap();
    let head = "{\n    \"mcpServers\": {\n        \"b\": {},\n        \"assigner\": {\n            \"type\": \"stdio\",\n";
    assert!(rig.text().starts_with(head), "{}", rig.text());
}

#[test]
fn our_own_entry_is_mended_and_keeps_what_the_user_added() {
    let rig = rig(true);
    rig.put(&FRESH.replace("\"callboard\",\n      \"args\": [\n        \"assigner\"\n      ]", "\"/old/callboard\",\n      \"args\": [\n        \"assigner\"\n      ],\n      \"timeout\": 9000"));
    let said = rig.run().unwrap();
    assert!(
        said.contains("updated   assigner") && said.contains("unchanged roadmap"),
        "{said}"
    );
    let entry = parse(&rig.text())[MEMBER]["assigner"].clone();
    assert_eq!(
        entry,
        json!({"type": "stdio", "command": "callboard", "args": ["assigner"], "timeout": 9000})
    );
}

#[test]
fn the_file_as_it_was_is_kept_and_so_are_earlier_backups() {
    let rig = rig(true);
    rig.put("{}");
    rig.run().unwrap();
    rig.put("{ }");
    rig.run().unwrap();
    assert_eq!(
        rig.files(),
        [".mcp.json", ".mcp.json.bak", ".mcp.json.bak1"]
    );
    let backup = rig.file().with_file_name(".mcp.json.bak");
    assert_eq!(std::fs::read_to_string(backup).unwrap(), "{}");
}

#[test]
fn what_it_cannot_read_it_never_overwrites() {
    for (text, why) in [
        ("{\n  \"mcpServers\": {,}\n}", "line 2"),
        ("// mine\n{}", "line 1"),
        ("[]", "no JSON object"),
        ("{\"mcpServers\": []}", "is no object"),
        (
            "{\"mcpServers\": {\"roadmap\": {\"command\": \"other\"}}}",
            "another server",
        ),
    ] {
        let rig = rig(true);
        rig.put(text);
        let error = format!("{:#}", rig.run().unwrap_err());
        assert!(
            error.contains(why) && error.contains("nothing was written"),
            "{error}"
        );
        assert_eq!(rig.text(), text);
        assert_eq!(rig.files(), [".mcp.json"]);
    }
}

#[test]
fn a_dry_run_writes_nothing() {
    let rig = rig(true);
    let said = rig.run_with(Client::ClaudeCode, true).unwrap();
    assert!(said.contains("would change"), "{said}");
    assert_eq!(rig.files(), Vec::<String>::new());
}

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
fn links_and_missing_directories_are_refused() {
    let rig = rig(true);
    let outside = rig.dir.path().join("settings.json");
    std::fs::File::create(&outside)
        .unwrap()
        .write_all(b"{}")
        .unwrap();
    std::os::unix::fs::symlink(&outside, rig.file()).unwrap();
    assert!(rig.run().unwrap_err().to_string().contains("symbolic link"));
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "{}");
    let args = InitArgs {
        path: "none".into(),
        ..args(Client::Generic)
    };
    assert!(init_as(&rig.exe, &args, &rig.environment, &mut Vec::new()).is_err());
}

impl Rig {
    /// Writes `before` where this client looks, runs, and gives what is there then.
    fn there(&self, args: &InitArgs, before: Option<&str>) -> (PathBuf, anyhow::Result<String>) {
        let dir = self.dir.path().join("project").canonicalize().unwrap();
        let scope = args.scope.unwrap_or(args.client.default_scope());
        let file = args.client.file(scope, &dir, &self.environment).unwrap();
        if let Some(text) = before {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::File::create(&file)
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
        }
        let mut out = Vec::new();
        let done = init_as(&self.exe, args, &self.environment, &mut out);
        (file, done.map(|()| String::from_utf8(out).unwrap()))
    }
}

fn content(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap()
}

const CLIENTS: [Client; 6] = [
    Client::ClaudeCode,
    Client::ClaudeDesktop,
    Client::Codex,
    Client::Cursor,
    Client::Vscode,
    Client::Generic,
];

#[test]
fn each_client_s_file_is_written_once_and_undone() {
    for client in CLIENTS {
        let rig = rig(true);
        let args = args(client);
        let (file, said) = rig.there(&args, None);
        let said = said.unwrap();
        assert!(said.contains("written") && said.contains("  + "), "{said}");
        let text = content(&file);
        assert!(
            text.contains("assigner") && text.contains("roadmap"),
            "{text}"
        );
        let (_, again) = rig.there(&args, None);
        assert!(again.unwrap().contains("has all of it already"));
        assert_eq!(content(&file), text);
        let back = InitArgs { undo: true, ..args };
        let (_, undone) = rig.there(&back, None);
        assert!(undone.unwrap().contains("removed"));
        assert!(!file.exists());
        let (_, twice) = rig.there(&back, None);
        assert!(format!("{:#}", twice.unwrap_err()).contains("nothing there that could be undone"));
    }
}

#[test]
fn undo_restores_every_byte_and_the_mode() {
    let rig = rig(true);
    let args = InitArgs {
        scope: Some(Scope::User),
        ..args(Client::ClaudeCode)
    };
    let before = "{\"numStartups\": 3,\n \"mcpServers\": {\"x\": {\"env\": {\"K\": \"s3cret\"}}}}";
    let (file, _) = rig.there(&args, Some(before));
    let back = InitArgs {
        undo: true,
        ..args.clone()
    };
    rig.there(&back, None).1.unwrap();
    assert_eq!(content(&file), before);

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let said = rig.there(&args, None).1.unwrap();
    let backup = said
        .lines()
        .find_map(|line| line.strip_prefix("The file as it was: "))
        .unwrap();
    for path in [&file, Path::new(backup)] {
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
}

#[test]
fn what_was_changed_since_is_not_undone() {
    let rig = rig(true);
    let args = args(Client::Cursor);
    let (file, _) = rig.there(&args, Some("{}"));
    let mine = content(&file).replace("roadmap", "roadmaps");
    let (_, refused) = rig.there(&InitArgs { undo: true, ..args }, Some(&mine));
    let error = format!("{:#}", refused.unwrap_err());
    assert!(
        error.contains("was changed since") && error.contains(".bak"),
        "{error}"
    );
    assert_eq!(content(&file), mine);
}

#[test]
fn comments_and_trailing_commas_stay_where_the_client_takes_them() {
    let before = "// servers of ours\n{\n  \"servers\": {\n    // the first, \"quoted\"\n    \"a\": { \"command\": \"a // no comment\" }, // its own\n  },\n  /* and */ \"inputs\": [],\n}\n";
    let rig = rig(true);
    let (file, said) = rig.there(&args(Client::Vscode), Some(before));
    said.unwrap();
    let text = content(&file);
    for kept in before.lines().filter(|line| line.contains('/')) {
        assert!(text.lines().any(|line| line == kept), "{kept:?} in {text}");
    }
    let servers = parse(&text)["servers"].clone();
    assert_eq!(servers["a"]["command"], "a // no comment");
    assert_eq!(
        servers["assigner"],
        json!({"type": "stdio", "command": "callboard", "args": ["assigner"]})
    );
    assert_eq!(servers["roadmap"]["args"], json!(["roadmap"]));
    // The same file is refused for a client that takes no comments.
    let (_, refused) = rig.there(&args(Client::Generic), Some(before));
    assert!(format!("{:#}", refused.unwrap_err()).contains("line 1"));
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
        "",
    ] {
        let wrong = InitArgs {
            url: url.to_owned(),
            ..over_http(Client::Generic)
        };
        assert!(rig.there(&wrong, None).1.is_err(), "{url}");
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
fn codex_keeps_its_comments_and_other_tables() {
    let before = "# mine\nmodel = \"m\" # the model\n\n[mcp_servers.docs]\ncommand = \"docs\"\n\n[mcp_servers.assigner]\ncommand = \"/old/callboard\"\nargs = [\"assigner\"]\nstartup_timeout_sec = 20 # slow disk\n";
    let rig = rig(true);
    let (file, said) = rig.there(&args(Client::Codex), Some(before));
    let said = said.unwrap();
    assert!(
        said.contains("updated   assigner") && said.contains("added     roadmap"),
        "{said}"
    );
    let text = content(&file);
    let forwarded = "env_vars = [\"CALLBOARD_BOARD\", \"CALLBOARD_DATA_DIR\", \"XDG_CONFIG_HOME\", \"XDG_DATA_HOME\"]\n";
    let expected = before.replace("/old/callboard", "callboard")
        + forwarded
        + "\n[mcp_servers.roadmap]\ncommand = \"callboard\"\nargs = [\"roadmap\"]\n"
        + forwarded
        + "\n[mcp_servers.llm]\ncommand = \"callboard\"\nargs = [\"llm\"]\n"
        + forwarded
        + "\n[mcp_servers.telemetry]\ncommand = \"callboard\"\nargs = [\"telemetry\"]\n"
        + forwarded;
    assert_eq!(text, expected);
    rig.there(
        &InitArgs {
            transport: Transport::Http,
            ..args(Client::Codex)
        },
        None,
    )
    .1
    .unwrap();
    let text = content(&file);
    assert!(
        text.contains("bearer_token_env_var = \"CALLBOARD_TOKEN\""),
        "{text}"
    );
    assert!(
        text.contains("startup_timeout_sec = 20 # slow disk"),
        "{text}"
    );
    assert!(
        !text.contains("\"/old") && !text.contains("args = [\"assigner\"]"),
        "{text}"
    );
    let (_, refused) = rig.there(&args(Client::Codex), Some("model = \n"));
    assert!(format!("{:#}", refused.unwrap_err()).contains("no TOML"));
    let foreign = "[mcp_servers.roadmap]\ncommand = \"other\"\n";
    let (_, refused) = rig.there(&args(Client::Codex), Some(foreign));
    assert!(format!("{:#}", refused.unwrap_err()).contains("another server"));
    assert_eq!(content(&file), foreign);
}

#[test]
fn codex_hands_on_where_things_are_beside_what_the_user_names() {
    let before = "[mcp_servers.assigner]\ncommand = \"callboard\"\nargs = [\"assigner\"]\nenv_vars = [\n    \"SSH_AUTH_SOCK\", # to push\n    { name = \"XDG_DATA_HOME\", source = \"local\" },\n]\n\n[mcp_servers.assigner.env]\nRUST_LOG = \"info\"\n";
    let rig = rig(true);
    let (file, said) = rig.there(&args(Client::Codex), Some(before));
    assert!(said.unwrap().contains("updated   assigner"));
    let text = content(&file);
    for line in before.lines() {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    let ours = text.split("[mcp_servers.roadmap]").next().unwrap();
    for name in callboard_config::PLACES {
        assert_eq!(ours.matches(name).count(), 1, "{name} in {text}");
    }
    let (_, again) = rig.there(&args(Client::Codex), None);
    assert!(again.unwrap().contains("has all of it already"));
    assert_eq!(content(&file), text);
}

/// An entry with a member of the other transport keeps Codex from starting at all.
#[test]
fn codex_is_left_no_member_of_the_other_transport() {
    let before = "[mcp_servers.assigner]\ncommand = \"callboard\"\nargs = [\"assigner\"]\ncwd = \"/x\"\nenabled = true\n\n[mcp_servers.assigner.env]\nRUST_LOG = \"info\"\n";
    let rig = rig(true);
    let over_http = InitArgs {
        transport: Transport::Http,
        ..args(Client::Codex)
    };
    let (file, said) = rig.there(&over_http, Some(before));
    said.unwrap();
    let text = content(&file);
    for gone in ["cwd", "env_vars", ".env]", "RUST_LOG", "command", "args"] {
        assert!(!text.contains(gone), "{gone} in {text}");
    }
    assert!(text.contains("enabled = true"), "{text}");

    let with_header = text.replacen("url =", "http_headers = { X = \"1\" }\nurl =", 1);
    let (_, said) = rig.there(&args(Client::Codex), Some(&with_header));
    said.unwrap();
    let text = content(&file);
    for gone in ["http_headers", "url", "bearer_token_env_var"] {
        assert!(!text.contains(gone), "{gone} in {text}");
    }
    assert!(text.contains("enabled = true"), "{text}");
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

#[test]
fn codex_keeps_every_byte_of_others_and_their_secrets_are_not_shown() {
    let before = "\u{feff}# mine\r\nmodel = \"m\"\n\r\n[mcp_servers.other]\r\ncommand = \"o\" # c\r\nargs = [\r\n  \"a\",\r\n]\r\n\
                  [mcp_servers.other.env]\r\nAPI_KEY = \"sk-secret\"\r\n";
    let rig = rig(true);
    let (file, said) = rig.there(&args(Client::Codex), Some(before));
    let (said, text) = (said.unwrap(), content(&file));
    let added = text.strip_prefix(before).expect(&text);
    assert!(added.contains("[mcp_servers.assigner]\r\n"), "{added:?}");
    assert_eq!(added.matches('\n').count(), added.matches("\r\n").count());
    let shown: Vec<&str> = said
        .lines()
        .filter_map(|line| line.strip_prefix("  + "))
        .filter(|line| !line.is_empty())
        .collect();
    let lines: Vec<&str> = added.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(shown, lines, "{said}");
    assert!(
        !said.contains("sk-secret") && !said.contains("  - "),
        "{said}"
    );
    let undo = InitArgs {
        undo: true,
        ..args(Client::Codex)
    };
    rig.there(&undo, None).1.unwrap();
    assert_eq!(content(&file), before);
}

#[test]
fn what_others_have_on_the_same_line_is_not_shown() {
    for before in [
        r#"{"mcpServers": {"other": {"command": "o", "env": {"KEY": "sk-secret"}}}}"#,
        "{\n  \"mcpServers\": {\n    \"other\": {\"env\": {\"KEY\": \"sk-secret\"}}\n  }\n}\n",
        "{\n  \"key\": \"sk-secret\"\n}\n",
    ] {
        let rig = rig(true);
        let (file, said) = rig.there(&args(Client::Generic), Some(before));
        let said = said.unwrap();
        assert!(content(&file).contains("sk-secret"));
        assert!(!said.contains("sk-secret"), "{said}");
        assert!(said.contains("\"assigner\""), "{said}");
    }
}

#[test]
fn a_server_of_somebody_else_s_is_left_alone_whatever_its_path() {
    let entry = |url: &str, more: &str| {
        format!(r#"{{"mcpServers": {{"assigner": {{"type": "http", "url": "{url}"{more}}}}}}}"#)
    };
    let foreign = entry(
        "https://corp.example/assigner/mcp",
        r#", "headers": {"Authorization": "Bearer corp-secret"}"#,
    );
    let rig = rig(true);
    let (file, refused) = rig.there(&args(Client::Generic), Some(&foreign));
    let refused = format!("{:#}", refused.unwrap_err());
    assert!(refused.contains("another server"), "{refused}");
    assert!(!refused.contains("corp-secret"), "{refused}");
    assert_eq!(content(&file), foreign);
    for ours in [
        entry("http://127.0.0.1:9/assigner/mcp", ""),
        entry("http://[::1]:9/assigner/mcp", ""),
        entry(
            "https://corp.example/base/assigner/mcp",
            r#", "headers": {"Authorization": "Bearer ${CALLBOARD_TOKEN}"}"#,
        ),
    ] {
        let (_, said) = rig.there(&args(Client::Generic), Some(&ours));
        assert!(said.unwrap().contains("updated   assigner"), "{ours}");
    }
}

#[test]
fn nothing_is_written_out_of_the_project_or_over_a_read_only_file() {
    let rig = rig(true);
    let outside = rig.dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let link = rig.dir.path().join("project/.cursor");
    std::os::unix::fs::symlink(&outside, link).unwrap();
    let (_, refused) = rig.there(&args(Client::Cursor), None);
    let refused = format!("{:#}", refused.unwrap_err());
    assert!(refused.contains("symbolic link"), "{refused}");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);

    rig.put("{}");
    std::fs::set_permissions(rig.file(), PermissionsExt::from_mode(0o444)).unwrap();
    let over_http = InitArgs {
        transport: Transport::Http,
        ..args(Client::ClaudeCode)
    };
    for args in [args(Client::ClaudeCode), over_http] {
        let (_, refused) = rig.there(&args, None);
        let refused = format!("{:#}", refused.unwrap_err());
        assert!(refused.contains("is read-only"), "{refused}");
    }
    assert_eq!(rig.text(), "{}");
    assert!(!rig.dir.path().join("home").exists(), "a token was made");
}

#[test]
fn a_token_inside_a_repository_is_kept_out_of_it() {
    let rig = rig(true);
    let home = rig.dir.path().join("home");
    std::fs::create_dir_all(home.join(".git")).unwrap();
    let over_http = InitArgs {
        transport: Transport::Http,
        ..args(Client::Generic)
    };
    let said = rig.there(&over_http, None).1.unwrap();
    let ignore = home.join(".local/share/callboard/.gitignore");
    assert!(
        said.contains("git work tree") && said.contains(&ignore.display().to_string()),
        "{said}"
    );
    assert!(content(&ignore).lines().any(|line| line == "*"));
    // One that lets the token through is the user's: it is not changed, and no token is put beside it.
    let token = home.join(".local/share/callboard/token");
    std::fs::remove_file(&token).unwrap();
    std::fs::remove_file(&ignore).unwrap();
    std::fs::File::create(&ignore)
        .unwrap()
        .write_all(b"*\n!token\n")
        .unwrap();
    std::fs::remove_file(rig.dir.path().join("project/mcp.json")).unwrap();
    let refused = rig.there(&over_http, None).1.unwrap_err();
    assert!(format!("{refused:#}").contains(".gitignore"), "{refused:#}");
    assert!(!token.exists());
}
