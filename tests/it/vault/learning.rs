//! Processes that keep every value of the vault out of what they say, though nobody gave them one.

use super::rig::*;
use crate::workshop::{PATIENCE, WAIT_FOR, WORK};
use callboard_tests::http::Served;
use callboard_tests::{Client, Home, Running, wait_until};
use serde_json::{Value, json};

/// What a caller who knows the values might send: to a server that never had to open the vault.
fn leaks(value: &str) -> Vec<(&'static str, Value)> {
    let long = format!("{}{value}", "a".repeat(70));
    let escaped: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let call = |name: &str, arguments: Value| {
        let params = json!({"name": name, "arguments": arguments});
        ("tools/call", params)
    };
    vec![
        call("task_add", json!({"title": format!("use {value}")})),
        call("task_add", json!({"title": "t", value: 1})),
        call("task_add", json!({"title": "t", &long: 1})),
        call("task_add", json!({"title": "t", "priority": value})),
        call("task_get", json!({"id": value})),
        call("task_list", json!({})),
        call("roadmap_read", json!({"path": format!("/nowhere/{value}")})),
        call("roadmap_read", json!({value: 1})),
        call(&long, json!({})),
        (
            "resources/read",
            json!({"uri": format!("callboard://{value}")}),
        ),
        (
            "resources/read",
            json!({"uri": format!("callboard://{}{escaped}", "a".repeat(180))}),
        ),
        ("prompts/get", json!({"name": value})),
        (
            "prompts/get",
            json!({"name": "triage_failures", "arguments": {value: value}}),
        ),
    ]
}

fn assert_board_clean(home: &Home) {
    let mut found = Vec::new();
    files(home.path(), &mut found);
    assert!(found.iter().any(|path| path.ends_with("board.db")));
    for path in &found {
        assert_clean(&path.display().to_string(), std::fs::read(path).unwrap());
    }
}

#[test]
fn a_fresh_server_keeps_the_vault_out_of_what_it_says_and_stores() {
    let home = Home::new();
    must(given(&home, &["vault", "set", "PLAIN"], PLAIN));
    must(given(&home, &["vault", "set", "ODD"], ODD));
    for server in ["assigner", "roadmap", "llm", "telemetry"] {
        let mut client = Client::start(logged(&home, &[server], "")).hello();
        for value in [PLAIN, ODD] {
            for (method, params) in leaks(value) {
                let answer = client.request(method, &params);
                assert_clean(&format!("{server} {method} {params}"), answer.to_string());
            }
        }
        if server == "assigner" {
            let listed = client.must("task_list", &json!({}));
            assert!(listed.to_string().contains("use [vault:PLAIN]"), "{listed}");
        }
        client.close();
    }
    assert_board_clean(&home);
}

#[test]
fn fresh_servers_over_http_keep_the_vault_out_of_what_they_say_and_store() {
    let home = Home::new();
    must(given(&home, &["vault", "set", "PLAIN"], PLAIN));
    must(given(&home, &["vault", "set", "ODD"], ODD));
    let mut served = Served::start(&home, "");
    for value in [PLAIN, ODD] {
        for (method, params) in leaks(value) {
            for server in ["assigner", "roadmap", "llm", "telemetry"] {
                // A header can't carry every name; that is refused, and not shown either.
                let named = params["name"].as_str().is_none_or(|name| name.is_ascii());
                if named {
                    let answer = served.modern(server, 1, method, params.clone()).body();
                    assert_clean(&format!("{server} {method} {params}"), answer);
                }
                let session = served.session(server, "2025-11-25");
                let answer = served
                    .in_session(server, &session, 2, method, &params)
                    .body();
                assert_clean(&format!("{server} {method} {params}"), answer);
            }
        }
        let escaped: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let long = format!("/{}{escaped}", "a".repeat(100));
        for path in [format!("/{escaped}"), long, format!("/assigner/{escaped}")] {
            let mut answer = served.get(&path);
            let body = answer.body();
            assert_eq!(answer.status, 404, "{body}");
            assert_clean(&path, body.as_bytes());
            assert!(!body.contains(&escaped), "{body}");
        }
    }
    let mut nowhere = served.get(&format!("/{PLAIN}"));
    assert!(nowhere.body().contains("nothing at /[vault:PLAIN]"));
    served.terminate();
    assert_clean("standard error", served.ended().1);
    assert_board_clean(&home);
}

#[test]
fn a_value_that_is_set_while_a_server_runs_is_kept_out_soon() {
    let home = Home::new();
    let mut assigner = Client::start(logged(&home, &["assigner"], "")).hello();
    // It begins without a board of its own.
    let mut roadmap = Client::start(logged(&home, &["roadmap"], "")).hello();
    let soon = |client: &mut Client, value: &str| {
        let uri = json!({"uri": format!("callboard://{value}")});
        assert!(wait_until(PATIENCE, || {
            let answer = client.request("resources/read", &uri);
            canaries().sighted(answer.to_string().as_bytes()).is_none()
        }));
    };
    must(given(&home, &["vault", "set", "PLAIN"], PLAIN));
    soon(&mut assigner, PLAIN);
    soon(&mut roadmap, PLAIN);
    must(given(&home, &["vault", "rotate", "PLAIN"], ODD));
    for value in [ODD, PLAIN] {
        soon(&mut assigner, value);
        soon(&mut roadmap, value);
    }
    assigner.close();
    roadmap.close();
}

#[test]
fn a_vault_that_does_not_open_is_warned_of_and_the_server_serves() {
    let home = Home::new();
    must(given(&home, &["vault", "set", "PLAIN"], PLAIN));
    std::fs::remove_dir_all(home.board().join("keys")).unwrap();
    let mut client = Client::start(logged(&home, &["assigner"], "")).hello();
    client.must("task_add", &json!({"title": "as ever"}));
    client.close();
    let said = std::fs::read_to_string(home.path().join("server.err")).unwrap();
    assert!(
        said.contains("WARN") && said.contains("can't be kept free of them"),
        "{said}"
    );
    assert_clean("the log", said);
}

#[test]
fn a_run_keeps_values_out_that_no_agent_was_given() {
    let shop = filled(&[("Alpha part", "")]);
    shop.home.write(
        &shop.home.path().join("config/callboard/config.toml"),
        "[log]\nlevel = \"trace\"\n",
    );
    // It has the value from elsewhere, and its script does not show it.
    let knowing = "a=canary-pl\nb=ain-7d1f0c93ab\ncase \"$(env)\" in *\"$a$b\"*) exit 9;; esac\necho \"it is $a$b\"\n\
                   echo \"so $a$b\" >&2\nprintf '{\"summary\": \"used %s\", \"commit\": {\"type\": \"feat\", \"subject\": \
                   \"use %s\"}}' \"$a$b\" \"$a$b\" >\"$CALLBOARD_REPORT_FILE\"\n";
    let watch = Watch::begin();
    let done = shop.run(&format!("{knowing}{WORK}"), &[]);
    watch.end();
    assert_eq!(done.code, 0, "{done:?}");
    assert_clean("stdout", &done.out);
    assert_clean("stderr", &done.err);
    let log = shop.git(&["log", "--format=%B", "callboard/integration"]);
    assert!(log.contains("use [vault:PLAIN]"), "{log}");
    let mut found = Vec::new();
    files(&shop.home.board(), &mut found);
    let kept = |path: &std::path::PathBuf| {
        let text = std::fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        text.contains("it is [vault:PLAIN]") && text.contains("so [vault:PLAIN]")
    };
    assert!(found.iter().any(kept), "{found:?}");
    assert_nothing_holds_a_value(&shop, &["callboard/integration"]);
}

#[test]
fn a_value_that_is_rotated_while_an_agent_works_is_kept_out_of_all_it_said() {
    let shop = filled(&[("Alpha part", "")]);
    let settings = "[log]\nlevel = \"trace\"\n";
    let file = shop.home.path().join("config/callboard/config.toml");
    shop.home.write(&file, settings);
    let knowing = "mkdir -p \"$HOME/seen\"\na=canary-la\nb=ter-9c41d7e2ff\necho \"it is $a$b\"\n\
                   touch \"$HOME/seen/waiting\"\nwait_for go\necho \"so $a$b\"\nprintf '{\"commit\": {\"type\": \"feat\", \
                   \"subject\": \"use %s\"}}' \"$a$b\" >\"$CALLBOARD_REPORT_FILE\"\n";
    let agent = shop.agent(&format!("{WAIT_FOR}{knowing}{WORK}"));
    let root = shop.root.to_str().unwrap();
    let args = ["run", root, "--json", "--agent", &agent];
    let watch = Watch::begin();
    let run = Running::of(logged(&shop.home, &args, ">run.out"));
    shop.await_seen("waiting");
    must(given(&shop.home, &["vault", "rotate", "PLAIN"], LATER));
    let log = shop.home.path().join("server.err");
    let known = || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        text.matches("the values in the vault are known here")
            .count()
            == 2
    };
    assert!(wait_until(PATIENCE, known));
    shop.release("go");
    let done = run.finish();
    watch.end();
    assert_eq!(done.code, 0, "{done:?}");
    let subject = shop.git(&["log", "--format=%B", "callboard/integration"]);
    assert!(subject.contains("use [vault:PLAIN]"), "{subject}");
    let mut found = Vec::new();
    files(&shop.home.board(), &mut found);
    // Also what the agent said before the value was in the vault.
    let kept = |path: &std::path::PathBuf| {
        let text = std::fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        text.contains("it is [vault:PLAIN]") && text.contains("so [vault:PLAIN]")
    };
    assert!(found.iter().any(kept), "{found:?}");
    assert_nothing_holds_a_value(&shop, &["callboard/integration"]);
}

/// How a server gets at the vault.
#[derive(Clone, Copy, Debug)]
enum Opened {
    KeyFile,
    PassphraseFile,
    Command,
}

/// Sets and rotates a value while `callboard serve` and a server on stdio run, and looks for it in everything.
fn set_and_rotated_while_servers_run(how: Opened) {
    let home = Home::new();
    // Not in the home, which is looked through.
    let apart = tempfile::tempdir().unwrap();
    let mut settings = "[log]\nlevel = \"trace\"\n".to_owned();
    match how {
        Opened::KeyFile => {}
        Opened::PassphraseFile => {
            let path = apart.path().join("words");
            std::fs::write(&path, WORDS).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&path, mode).unwrap();
            settings += &format!("[vault]\npassphrase_file = {path:?}\n");
        }
        Opened::Command => {
            let script = "#!/bin/sh\necho \"canary horse\" \"battery 5e07\"\n";
            let path = file(&home, "words.sh", script, 0o700);
            settings += &format!("[vault]\npassphrase_command = [{path:?}]\n");
        }
    }
    home.write(&home.path().join("config/callboard/config.toml"), &settings);
    if !matches!(how, Opened::KeyFile) {
        must(given(&home, &["vault", "lock", "passphrase"], ""));
    }
    let watch = Watch::begin();
    let (serve, address, token) = serving(&home);
    let mut stdio = logged(&home, &["assigner"], "");
    // The shell of `logged` has the name of its log in its script, so another is given by the directory.
    std::fs::create_dir(home.path().join("stdio")).unwrap();
    stdio.current_dir(home.path().join("stdio"));
    let mut stdio = Client::start(stdio).hello();
    let logs = [
        home.path().join("server.err"),
        home.path().join("stdio/server.err"),
    ];
    let known = |times: usize| {
        let told = |log: &std::path::PathBuf| {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            text.matches("the values in the vault are known here")
                .count()
                >= times
        };
        assert!(
            wait_until(PATIENCE, || logs.iter().all(told)),
            "{how:?} {times}"
        );
    };
    must(given(&home, &["vault", "set", "PLAIN"], PLAIN));
    known(1);
    must(given(&home, &["vault", "rotate", "PLAIN"], LATER));
    known(2);
    for value in [PLAIN, LATER] {
        for (method, params) in leaks(value) {
            for server in ["assigner", "roadmap", "llm", "telemetry"] {
                let answer = posted(&address, token.as_deref(), server, method, params.clone());
                assert_clean(&format!("{how:?} {server} {method} {params}"), answer);
            }
            let answer = stdio.request(method, &params);
            assert_clean(&format!("{how:?} {method} {params}"), answer.to_string());
        }
    }
    let listed = stdio.must("task_list", &json!({})).to_string();
    assert!(listed.contains("use [vault:PLAIN]"), "{listed}");
    stdio.close();
    stdio.ended();
    serve.signal(rustix::process::Signal::TERM);
    assert_eq!(serve.finish().code, 0);
    watch.end();
    for log in &logs {
        let text = std::fs::read_to_string(log).unwrap();
        assert!(
            !text.contains("can't be kept free of them"),
            "{how:?}: {text}"
        );
    }
    assert_board_clean(&home);
}

#[test]
fn values_set_and_rotated_later_are_learned_with_a_key_file() {
    set_and_rotated_while_servers_run(Opened::KeyFile);
}

#[test]
fn values_set_and_rotated_later_are_learned_with_a_passphrase_file() {
    set_and_rotated_while_servers_run(Opened::PassphraseFile);
}

#[test]
fn values_set_and_rotated_later_are_learned_with_a_passphrase_command() {
    set_and_rotated_while_servers_run(Opened::Command);
}
