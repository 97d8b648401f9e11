//! Secrets: who gets them, and that nothing else has them. Each test plants values that are found nowhere else, and looks
//! for them, in every usual spelling, in everything that was written.

use crate::workshop::{PATIENCE, WORK, Workshop, attempts, item, report, why};
use callboard_redact::Scrubber;
use callboard_tests::http::Served;
use callboard_tests::{Client, Finished, Home, Running, wait_until};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const PLAIN: &str = "canary-plain-7d1f0c93ab";
/// Every spelling of it differs.
const ODD: &str = "canary \"odd\" <\\5e&'ü> 20c4/77";

/// What finds both, however they are written.
fn canaries() -> Scrubber {
    Scrubber::new([("PLAIN", PLAIN), ("ODD", ODD)])
}

/// Runs `callboard` with this on its standard input, without a terminal.
fn given(home: &Home, args: &[&str], input: &str) -> Finished {
    let ours = home.command("callboard");
    let mut command = Command::new("setsid");
    command.arg("-w").arg(ours.get_program()).args(args);
    dress(&mut command, home, &ours);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may refuse before it reads.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Finished {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The environment that a command of this home has, for one that starts it.
fn dress(command: &mut Command, home: &Home, like: &Command) {
    command.env_clear().current_dir(home.path());
    for (name, value) in like.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
}

fn must(done: Finished) -> Finished {
    assert_eq!(done.code, 0, "{done:?}");
    done
}

fn configure(shop: &Workshop, script: &str, more: &str) {
    shop.agent(script);
    let text = format!(
        "[run]\nagent = \"worker\"\nattempts = 1\n[log]\nlevel = \"trace\"\n[agents.worker]\ncommand = [\"sh\", {:?}]\n\
         [agents.worker.env]\nPLAIN = \"${{vault:PLAIN}}\"\nHEADER = \"Bearer ${{vault:ODD}}\"\nMODE = \"fast\"\n{more}",
        shop.home.path().join("agent.sh")
    );
    shop.home.write(
        &shop.home.path().join("config/callboard/config.toml"),
        &text,
    );
}

fn filled(items: &[(&str, &str)]) -> Workshop {
    let shop = Workshop::new(items);
    must(given(
        &shop.home,
        &["vault", "set", "PLAIN"],
        &format!("{PLAIN}\n"),
    ));
    must(given(&shop.home, &["vault", "set", "ODD"], ODD));
    shop
}

/// Looks at the command lines of all processes until it is told to stop.
struct Watch {
    stop: Arc<AtomicBool>,
    seen: JoinHandle<(u64, Vec<String>)>,
}

impl Watch {
    fn begin() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let seen = std::thread::spawn(move || {
            let (canaries, mut looks, mut seen) = (canaries(), 0, Vec::new());
            while !told.load(Ordering::Relaxed) {
                for entry in std::fs::read_dir("/proc").unwrap().flatten() {
                    let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                    if canaries.sighted(&line).is_some() {
                        seen.push(String::from_utf8_lossy(&line).into_owned());
                    }
                }
                looks += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
            (looks, seen)
        });
        Self { stop, seen }
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        let (looks, seen) = self.seen.join().unwrap();
        assert!(looks > 0 && seen.is_empty(), "{looks} looks: {seen:?}");
    }
}

/// Every file below a directory.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files(&path, found);
        } else if kind.is_file() {
            found.push(path);
        }
    }
}

fn assert_clean(what: &str, bytes: impl AsRef<[u8]>) {
    let bytes = bytes.as_ref();
    assert_eq!(
        canaries().sighted(bytes),
        None,
        "{what}: {}",
        String::from_utf8_lossy(bytes)
    );
}

/// Everything in the home, and everything that git has under these names.
fn assert_nothing_holds_a_value(shop: &Workshop, refs: &[&str]) {
    let mut found = Vec::new();
    files(shop.home.path(), &mut found);
    let has = |end: &str| {
        found
            .iter()
            .any(|path| path.to_string_lossy().ends_with(end))
    };
    assert!(has("board.db") && has(".log"), "{found:?}");
    for path in &found {
        assert_clean(&path.display().to_string(), std::fs::read(path).unwrap());
    }
    for name in refs {
        assert_clean(name, shop.git(&["log", "-p", "--format=%B %an %ae", name]));
    }
    // The search itself can fail: the board is where a value would be.
    let board = std::fs::read(shop.home.board().join("board.db")).unwrap();
    assert!(
        Scrubber::new([("N", "vault_secret")])
            .sighted(&board)
            .is_some()
    );
}

/// Shows what it was given in every way it can think of, but makes its part without it.
const CHATTY: &str = r#"
mkdir -p "$HOME/seen"
printf %s "$PLAIN" | sha256sum >"$HOME/seen/plain"
printf %s "$HEADER" | sha256sum >"$HOME/seen/header"
grep 'core file' /proc/self/limits >"$HOME/seen/core"
echo "$MODE $CALLBOARD_SECRETS" >"$HOME/seen/mode"
echo "my key is $PLAIN, my header $HEADER"
env
env >&2
printf %s "$PLAIN" | base64
printf 'user:%s' "$PLAIN" | base64 -w0 >&2
printf %s "$HEADER" | od -An -tx1 | tr -d ' \n'
printf 'can'; sleep 0.1; printf 'ary-plain-7d1f'; sleep 0.1; printf '0c93ab\n'
printf '{"summary": "used %s", "commit": {"type": "feat", "subject": "use %s"}}' "$PLAIN" "$PLAIN" >"$CALLBOARD_REPORT_FILE"
"#;

fn sha256(text: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("text");
    std::fs::write(&path, text).unwrap();
    let done = Command::new("sha256sum")
        .stdin(std::fs::File::open(path).unwrap())
        .output();
    String::from_utf8(done.unwrap().stdout).unwrap()
}

#[test]
fn an_agent_gets_its_secrets_and_nothing_that_is_written_holds_them() {
    let shop = filled(&[("Alpha part", "")]);
    configure(&shop, &format!("{CHATTY}{WORK}"), "");
    let watch = Watch::begin();
    let done = shop
        .home
        .callboard(&["run", shop.root.to_str().unwrap(), "--json"]);
    watch.end();
    assert_eq!(done.code, 0, "{done:?}");
    // The agent had the real ones, and no core of it or of us would be written.
    assert_eq!(shop.seen("plain"), sha256(PLAIN));
    assert_eq!(shop.seen("header"), sha256(&format!("Bearer {ODD}")));
    assert_eq!(shop.seen("mode").trim(), "fast HEADER,PLAIN");
    let core: Vec<String> = shop
        .seen("core")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    assert!(["0", "1"].contains(&core[4].as_str()), "{core:?}");

    assert_clean("stdout", &done.out);
    assert_clean("stderr", &done.err);
    let log = shop.git(&["log", "--format=%B", "callboard/integration"]);
    assert!(
        log.contains("use [vault:PLAIN]"),
        "the report, scrubbed: {log}"
    );
    let mut found = Vec::new();
    files(&shop.home.board(), &mut found);
    let said = |path: &PathBuf| {
        std::fs::read(path).is_ok_and(|bytes| {
            String::from_utf8_lossy(&bytes).contains("my key is [vault:PLAIN], my header")
        })
    };
    assert!(
        found.iter().any(said),
        "the agent's output is kept: {found:?}"
    );
    assert_nothing_holds_a_value(&shop, &["callboard/integration"]);
    shop.assert_tidy();
}

#[test]
fn work_that_holds_a_secret_goes_nowhere() {
    let shop = filled(&[("Alpha part", "")]).with_origin();
    configure(
        &shop,
        "mkdir -p parts\necho \"key = $PLAIN\" >parts/config\n",
        "",
    );
    let done = shop
        .home
        .callboard(&["run", shop.root.to_str().unwrap(), "--json"]);
    assert_eq!(done.code, 2, "{done:?}");
    let report = report(&done);
    let alpha = item(&report, "priority-1");
    assert_ne!(attempts(&alpha), ["done"]);
    assert!(
        alpha
            .to_string()
            .contains("holds the value of the secret PLAIN"),
        "{alpha} {}",
        why(&alpha)
    );
    assert_clean("stdout", &done.out);
    for name in shop
        .at_origin(&["for-each-ref", "--format=%(refname)"])
        .lines()
    {
        assert_clean(name, shop.at_origin(&["log", "-p", name]));
    }
    let names = shop.git(&["for-each-ref", "--format=%(refname)"]);
    for name in names
        .lines()
        .filter(|name| !name.starts_with("refs/callboard/kept/"))
    {
        assert_clean(name, shop.git(&["log", "-p", name]));
    }
}

/// A server whose log is a file of the home.
fn logged(home: &Home, args: &[&str], out: &str) -> Command {
    let ours = home.command("callboard");
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!("exec \"$0\" \"$@\" 2>>server.err {out}"));
    shell.arg(ours.get_program()).args(args);
    dress(&mut shell, home, &ours);
    shell
}

#[test]
fn answers_over_stdio_are_free_of_secrets() {
    let shop = filled(&[("Alpha part", "")]);
    configure(&shop, &format!("{CHATTY}{WORK}"), "");
    let watch = Watch::begin();
    let mut client = Client::start(logged(&shop.home, &["roadmap"], "")).hello();
    let mut said = String::new();
    let ask = &mut |method: &str, params: Value| {
        let answer = client.request(method, &params);
        said.push_str(&answer.to_string());
        answer
    };
    over(&json!(shop.root), ask);
    assert_clean("answers over stdio", &said);
    assert!(
        said.contains("[vault:PLAIN]") && said.contains("[vault:ODD]"),
        "{said}"
    );
    client.close();
    client.ended();
    watch.end();
    assert_nothing_holds_a_value(&shop, &[]);
}

#[test]
fn answers_over_http_are_free_of_secrets() {
    let shop = filled(&[("Alpha part", "")]);
    configure(&shop, &format!("{CHATTY}{WORK}"), "");
    let watch = Watch::begin();
    let serve = logged(
        &shop.home,
        &["serve", "--listen", "127.0.0.1:0"],
        ">serve.out",
    );
    let serve = Running::of(serve);
    let told = shop.home.path().join("serve.out");
    let address = || {
        let text = std::fs::read_to_string(&told).ok()?;
        Some(
            text.strip_prefix("listening on http://")?
                .trim_end()
                .to_owned(),
        )
    };
    assert!(wait_until(PATIENCE, || address().is_some_and(|text| !text.is_empty())));
    let address = address().unwrap();
    let token = shop.home.callboard(&["token", "header", "--plain"]);
    let token = (token.code == 0).then(|| token.out.trim().to_owned());

    let mut said = String::new();
    let ask = &mut |method: &str, params: Value| {
        let body = posted(&address, token.as_deref(), method, params);
        said.push_str(&body);
        let line = body
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .find(|line| line.contains("\"result\""));
        serde_json::from_str(line.unwrap_or(&body)).unwrap_or_default()
    };
    over(&json!(shop.root), ask);
    assert_clean("answers over HTTP", &said);
    assert!(
        said.contains("[vault:PLAIN]") && said.contains("[vault:ODD]"),
        "{said}"
    );
    serve.signal(rustix::process::Signal::TERM);
    assert_eq!(serve.finish().code, 0);
    watch.end();
    assert_nothing_holds_a_value(&shop, &[]);
}

/// Works the roadmap, then sends secrets as arguments and names: by now the process knows them.
fn over(path: &Value, ask: &mut dyn FnMut(&str, Value) -> Value) {
    let mut call = |tool: &str, arguments: Value| {
        ask("tools/call", json!({"name": tool, "arguments": arguments}))
    };
    call("roadmap_start", json!({"path": path}));
    for _ in 0..20 {
        let waited = call("roadmap_wait", json!({"path": path, "timeout_s": 20}));
        let state = &waited["result"]["structuredContent"]["state"];
        if !["starting", "running", "stopping"].contains(&state.as_str().unwrap_or_default()) {
            break;
        }
    }
    call("roadmap_status", json!({"path": path}));
    call(
        "roadmap_status",
        json!({"path": format!("/nowhere/{PLAIN}")}),
    );
    call("roadmap_status", json!({"path": format!("/nowhere/{ODD}")}));
    call("roadmap_status", json!({"path": path, PLAIN: ODD}));
    call("roadmap_status", json!({"path": [PLAIN]}));
    call(
        "item_check",
        json!({"path": path, "item": PLAIN, "text": ODD}),
    );
    ask(
        "resources/read",
        json!({"uri": format!("callboard://nothing/{PLAIN}")}),
    );
    ask(
        "prompts/get",
        json!({"name": "plan_roadmap", "arguments": {"path": path, "goal": PLAIN}}),
    );
    ask("prompts/get", json!({"name": ODD}));
}

/// Posts a request of the era without sessions; answers the body.
fn posted(address: &str, token: Option<&str>, method: &str, mut params: Value) -> String {
    let name = params["name"]
        .as_str()
        .or(params["uri"].as_str())
        .unwrap_or_default();
    // In a header there is no room for more.
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let name = if plain {
        format!("Mcp-Name: {name}\r\n")
    } else {
        String::new()
    };
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "rig", "version": "1"},
    });
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
    let token = token.map_or_else(String::new, |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "POST /roadmap/mcp HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n\
         {name}{token}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    if head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        whole(body)
    } else {
        body.to_owned()
    }
}

/// The body of its chunks.
fn whole(mut chunks: &str) -> String {
    let mut body = String::new();
    while let Some((size, rest)) = chunks.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        body.push_str(&rest[..size]);
        chunks = &rest[(size + 2).min(rest.len())..];
        if size == 0 {
            break;
        }
    }
    body
}

#[test]
fn a_vault_that_does_not_open_stops_a_run_before_it_begins() {
    let shop = filled(&[("Alpha part", "")]);
    configure(&shop, WORK, "");
    let run = || {
        shop.home
            .callboard(&["run", shop.root.to_str().unwrap(), "--json"])
    };
    let refused = |done: &Finished, words: &[&str]| {
        assert_eq!(done.code, 1, "{done:?}");
        for word in words {
            assert!(done.err.contains(word), "{word}: {done:?}");
        }
        assert_clean("output", format!("{}{}", done.out, done.err));
        assert!(!shop.has_seen("order"));
    };
    let key = std::fs::read_dir(shop.home.board().join("keys"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "key"))
        .unwrap();
    let whole = std::fs::read(&key).unwrap();
    for length in [0, 10, 60, 85] {
        std::fs::File::options()
            .write(true)
            .open(&key)
            .unwrap()
            .set_len(length)
            .unwrap();
        refused(&run(), &["key file", "put back the copy"]);
        std::fs::write(&key, &whole).unwrap();
    }
    let mut flipped = whole.clone();
    flipped[30] = if flipped[30] == b'0' { b'1' } else { b'0' };
    std::fs::write(&key, &flipped).unwrap();
    refused(&run(), &["does not open the vault"]);
    std::fs::write(&key, &whole).unwrap();

    let sql = |text: &str| {
        let board = rusqlite::Connection::open(shop.home.board().join("board.db")).unwrap();
        board.execute_batch(text).unwrap();
    };
    sql("UPDATE vault_secret SET name = 'X' WHERE name = 'ODD'; UPDATE vault_secret SET name = 'ODD' WHERE name = 'PLAIN';
         UPDATE vault_secret SET name = 'PLAIN' WHERE name = 'X'");
    refused(&run(), &["does not open", "its row was changed"]);
    sql("UPDATE vault_secret SET name = 'X' WHERE name = 'ODD'; UPDATE vault_secret SET name = 'ODD' WHERE name = 'PLAIN';
         UPDATE vault_secret SET name = 'PLAIN' WHERE name = 'X'");

    std::fs::rename(&key, key.with_extension("away")).unwrap();
    refused(&run(), &["is not there"]);
    std::fs::rename(key.with_extension("away"), &key).unwrap();
    must(shop.home.callboard(&["vault", "delete", "ODD"]));
    refused(
        &run(),
        &["the vault has no secret ODD", "callboard vault set ODD"],
    );
    let doctor = shop.home.callboard(&["doctor"]);
    assert!(doctor.out.contains("callboard vault set ODD"), "{doctor:?}");
}

#[test]
fn a_passphrase_opens_it_and_no_other() {
    let shop = filled(&[("Alpha part", "")]);
    configure(&shop, WORK, "");
    let file = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        let path = shop.home.path().join(name);
        shop.home.write(&path, text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let right = file("right", "correct horse battery\n");
    let wrong = file("wrong", "correct horse batterx\n");
    must(given(
        &shop.home,
        &[
            "vault",
            "lock",
            "passphrase",
            "--new-passphrase-file",
            &right,
        ],
        "",
    ));
    let keys = std::fs::read_dir(shop.home.board().join("keys")).unwrap();
    let left = keys.filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|end| end == "key")
    });
    assert_eq!(left.count(), 0);
    let set = |file: &[&str]| {
        given(
            &shop.home,
            &[&["vault", "set", "NEW"], file].concat(),
            "a new value\n",
        )
    };
    let none = set(&[]);
    assert!(
        none.code == 1 && none.err.contains("no terminal to ask on"),
        "{none:?}"
    );
    let bad = set(&["--passphrase-file", &wrong]);
    assert!(
        bad.code == 1 && bad.err.contains("the passphrase is wrong"),
        "{bad:?}"
    );
    must(set(&["--passphrase-file", &right]));

    let delete = |file: &str| {
        given(
            &shop.home,
            &["vault", "delete", "NEW", "--passphrase-file", file],
            "",
        )
    };
    let bad = delete(&wrong);
    assert!(
        bad.code == 1 && bad.err.contains("the passphrase is wrong"),
        "{bad:?}"
    );
    assert!(shop.home.callboard(&["vault", "list"]).out.contains("NEW"));
    must(delete(&right));

    let run = |file: &str| {
        let mut command = shop.home.command("callboard");
        command.args(["run", shop.root.to_str().unwrap(), "--json"]);
        command.env("CALLBOARD_VAULT_PASSPHRASE_FILE", file);
        Running::of(command).finish()
    };
    let bad = run(&wrong);
    assert!(
        bad.code == 1 && bad.err.contains("the passphrase is wrong"),
        "{bad:?}"
    );
    assert_eq!(must(run(&right)).code, 0);
    assert_nothing_holds_a_value(&shop, &["callboard/integration"]);
}

#[test]
fn a_value_is_never_taken_from_the_command_line() {
    let home = Home::new();
    for wrong in [
        &["set", "NAME", PLAIN][..],
        &["set", "NAME", "--value", PLAIN],
        &["set", "--value", PLAIN, "NAME"],
        &["set", &format!("--value={PLAIN}"), "NAME"],
        &["set", &format!("NAME={PLAIN}")],
        &["set", &format!("a/{PLAIN}")],
        &["list", PLAIN],
        &["lock", PLAIN],
        &["delete", &format!("no/{PLAIN}")],
    ] {
        let done = given(&home, &[&["vault"], wrong].concat(), "some other value\n");
        assert_eq!(done.code, 1, "{wrong:?}: {done:?}");
        assert!(!done.err.is_empty());
        assert_clean("output", format!("{}{}", done.out, done.err));
    }
    assert!(
        must(given(&home, &["vault", "list"], ""))
            .out
            .contains("no secrets")
    );
    for (input, word) in [
        ("", "empty"),
        ("\n", "empty"),
        ("short\n", "fewer than 8"),
        (&"x".repeat(70_000), "64 KiB"),
    ] {
        let done = given(&home, &["vault", "set", "NAME"], input);
        assert!(
            done.code == 1 && done.err.contains(word),
            "{word}: {done:?}"
        );
    }
}

/// Answers one call over HTTP with the head of its request, and then tells that head.
fn echo() -> (String, JoinHandle<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    let answered = std::thread::spawn(move || {
        let mut stream = None;
        assert!(wait_until(PATIENCE, || {
            stream = listener.accept().ok();
            stream.is_some()
        }));
        let (mut stream, _) = stream.unwrap();
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (mut got, mut piece) = (Vec::new(), [0; 4096]);
        let (head, body) = loop {
            let count = stream.read(&mut piece).unwrap();
            assert!(count > 0, "{}", String::from_utf8_lossy(&got));
            got.extend_from_slice(&piece[..count]);
            let text = String::from_utf8_lossy(&got).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n")
                && let Ok(body) = serde_json::from_str::<Value>(body)
            {
                break (head.to_owned(), body);
            }
        };
        let content = json!([{"type": "text", "text": format!("I got {head}")}]);
        let result = json!({"resultType": "complete", "content": content, "isError": false});
        let body = json!({"jsonrpc": "2.0", "id": body["id"], "result": result}).to_string();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).unwrap();
        head
    });
    (url, answered)
}

#[test]
fn scenarios_hand_secrets_to_servers_and_no_report_shows_them() {
    let home = Home::new();
    must(given(&home, &["vault", "set", "PLAIN"], PLAIN));
    must(given(&home, &["vault", "set", "ODD"], ODD));
    let (url, answered) = echo();
    let scenarios = home.path().join("scenarios");
    home.write(
        &scenarios.join("a.yaml"),
        &format!(
            "servers:\n  echo:\n    url: {url}\n    protocol: 2026-07-28\n    headers:\n      authorization: Bearer \
             ${{vault:PLAIN}}\n      x-key: k-${{vault:PLAIN}}\nsteps:\n  - {{call: t, expect: {{text: nothing}}}}\n"
        ),
    );
    let seen = home.path().join("seen");
    home.write(
        &scenarios.join("b.yaml"),
        &format!(
            "servers:\n  shell:\n    command: sh\n    args: [-c, 'printf %s \"$KEY\" | sha256sum >{}; printf \"mine is %s of %s\\n\" \"$KEY\" \
             \"$CALLBOARD_SECRETS\" >&2; read line; printf \"no JSON: %s\\n\" \"$KEY\"; exit 3']\n    env: {{KEY: 'k ${{vault:ODD}}'}}\n\
             steps:\n  - call: t\n",
            seen.display()
        ),
    );
    let (json, junit) = (home.path().join("r.json"), home.path().join("r.xml"));
    let watch = Watch::begin();
    let done = home.callboard(&[
        "test",
        scenarios.to_str().unwrap(),
        "--report=text",
        &format!("--report=json={}", json.display()),
        &format!("--report=junit={}", junit.display()),
    ]);
    watch.end();
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.out.contains("0 passed, 2 failed"), "{done:?}");
    // The servers had the real ones.
    let head = answered.join().unwrap().to_ascii_lowercase();
    assert!(
        head.contains(&format!("authorization: bearer {PLAIN}")),
        "{head}"
    );
    assert!(head.contains(&format!("x-key: k-{PLAIN}")), "{head}");
    assert_eq!(
        std::fs::read_to_string(&seen).unwrap(),
        sha256(&format!("k {ODD}"))
    );
    let reports = [
        done.out,
        std::fs::read_to_string(json).unwrap(),
        std::fs::read_to_string(junit).unwrap(),
    ];
    for report in &reports {
        for part in [
            "earer [vault:PLAIN]",
            "x-key: k-[vault:PLAIN]",
            "mine is k [vault:ODD] of KEY",
            "no JSON: k [vault:ODD]",
        ] {
            assert!(report.contains(part), "{part:?} is not in {report}");
        }
        assert_clean("a report", report);
    }
    assert_clean("standard error", &done.err);
    let mut found = Vec::new();
    files(home.path(), &mut found);
    for path in &found {
        assert_clean(&path.display().to_string(), std::fs::read(path).unwrap());
    }
}

#[test]
fn a_scenario_whose_secret_cannot_be_had_is_told_where_and_what_to_type() {
    let home = Home::new();
    let file = home.path().join("a.yaml");
    let write = |name: &str| {
        let text = format!(
            "servers:\n  it:\n    command: touch\n    args: [{}]\n    env: {{KEY: '${{vault:{name}}}'}}\nsteps: [{{call: t}}]\n",
            home.path().join("ran").display()
        );
        home.write(&file, &text);
    };
    let told = |parts: &[&str]| {
        let done = given(&home, &["test", file.to_str().unwrap()], "");
        assert_eq!((done.code, done.out.as_str()), (1, ""), "{done:?}");
        for part in parts {
            assert!(done.err.contains(part), "{part:?} is not in {}", done.err);
        }
    };
    write("PLAIM");
    told(&[
        "a.yaml:5:16: `${vault:PLAIM}`: ",
        "`callboard vault set PLAIM`",
    ]);
    must(given(&home, &["vault", "set", "PLAIN"], PLAIN));
    told(&["a.yaml:5:16: ", "the vault has no secret PLAIM"]);
    write("PLAIN");
    let passphrase = home.path().join("passphrase");
    let mut options = std::fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(options.write(true).create_new(true), 0o600)
        .open(&passphrase)
        .unwrap()
        .write_all(b"correct horse battery staple\n")
        .unwrap();
    let new = ["vault", "lock", "passphrase", "--new-passphrase-file"];
    must(given(
        &home,
        &[&new[..], &[passphrase.to_str().unwrap()]].concat(),
        "",
    ));
    told(&[
        "a.yaml:5:16: `${vault:PLAIN}`: the vault is locked with a passphrase",
        "vault.passphrase_file",
        "CALLBOARD_VAULT_PASSPHRASE_FILE",
    ]);
    assert!(!home.path().join("ran").exists(), "something ran");
}

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
    for server in ["assigner", "roadmap"] {
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
            for server in ["assigner", "roadmap"] {
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
