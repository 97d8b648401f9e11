//! A home with a vault, what looks for its values, and what is started in it.

use crate::workshop::{PATIENCE, Workshop};
use callboard_redact::Scrubber;
use callboard_tests::{Finished, Home, Running, wait_until};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

pub(super) const PLAIN: &str = "canary-plain-7d1f0c93ab";
/// Every spelling of it differs.
pub(super) const ODD: &str = "canary \"odd\" <\\5e&'ü> 20c4/77";

/// What a secret is rotated to.
pub(super) const LATER: &str = "canary-later-9c41d7e2ff";
/// The passphrase.
pub(super) const WORDS: &str = "canary horse battery 5e07";

/// What finds them all, however they are written.
pub(super) fn canaries() -> Scrubber {
    Scrubber::new([
        ("PLAIN", PLAIN),
        ("ODD", ODD),
        ("LATER", LATER),
        ("WORDS", WORDS),
    ])
}

/// Runs `callboard` with this on its standard input, without a terminal.
pub(super) fn given(home: &Home, args: &[&str], input: &str) -> Finished {
    given_with(home, args, input, &[])
}

/// The same, with these variables.
pub(super) fn given_with(
    home: &Home,
    args: &[&str],
    input: &str,
    variables: &[(&str, &str)],
) -> Finished {
    let ours = home.command("callboard");
    let mut command = Command::new("setsid");
    command.arg("-w").arg(ours.get_program()).args(args);
    dress(&mut command, home, &ours);
    let mut child = command
        .envs(variables.iter().copied())
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
pub(super) fn dress(command: &mut Command, home: &Home, like: &Command) {
    command.env_clear().current_dir(home.path());
    for (name, value) in like.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
}

pub(super) fn must(done: Finished) -> Finished {
    assert_eq!(done.code, 0, "{done:?}");
    done
}

pub(super) fn configure(shop: &Workshop, script: &str, more: &str) {
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

pub(super) fn filled(items: &[(&str, &str)]) -> Workshop {
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
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    seen: JoinHandle<(u64, Vec<String>)>,
}

impl Watch {
    pub(super) fn begin() -> Self {
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

    pub(super) fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        let (looks, seen) = self.seen.join().unwrap();
        assert!(looks > 0 && seen.is_empty(), "{looks} looks: {seen:?}");
    }
}

/// Every file below a directory.
pub(super) fn files(dir: &Path, found: &mut Vec<PathBuf>) {
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

pub(super) fn assert_clean(what: &str, bytes: impl AsRef<[u8]>) {
    let bytes = bytes.as_ref();
    assert_eq!(
        canaries().sighted(bytes),
        None,
        "{what}: {}",
        String::from_utf8_lossy(bytes)
    );
}

/// Everything in the home, and everything that git has under these names.
pub(super) fn assert_nothing_holds_a_value(shop: &Workshop, refs: &[&str]) {
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
    // The search itself can fail: the board (or its journal, until that is taken over) is where a value would be.
    let table = Scrubber::new([("N", "vault_secret")]);
    let boards = found
        .iter()
        .filter(|path| path.starts_with(shop.home.board()));
    let mut boards = boards.map(|path| std::fs::read(path).unwrap());
    assert!(boards.any(|board| table.sighted(&board).is_some()));
}

/// Shows what it was given in every way it can think of, but makes its part without it.
pub(super) const CHATTY: &str = r#"
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
printf %s "$HEADER" | sed 's/[\\"]/\\&/g; s/&/\\u0026/g; s/</\\u003c/g; s/>/\\u003E/g; s/ü/\\u00fc/g; s:/:\\/:g'
printf '"%s"' "$HEADER" | sed 's/[\\"]/\\&/g; s/&/\\u0026/g; s/</\\u003c/g; s/>/\\u003E/g' | sed 's/[\\"]/\\&/g' >&2
printf %s "$HEADER" | od -An -tx1 | tr -d ' \n'
printf 'can'; sleep 0.1; printf 'ary-plain-7d1f'; sleep 0.1; printf '0c93ab\n'
printf '{"summary": "used %s", "commit": {"type": "feat", "subject": "use %s"}}' "$PLAIN" "$PLAIN" >"$CALLBOARD_REPORT_FILE"
"#;

pub(super) fn sha256(text: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("text");
    std::fs::write(&path, text).unwrap();
    let done = Command::new("sha256sum")
        .stdin(std::fs::File::open(path).unwrap())
        .output();
    String::from_utf8(done.unwrap().stdout).unwrap()
}

/// A server whose log is a file of the home.
pub(super) fn logged(home: &Home, args: &[&str], out: &str) -> Command {
    let ours = home.command("callboard");
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!("exec \"$0\" \"$@\" 2>>server.err {out}"));
    shell.arg(ours.get_program()).args(args);
    dress(&mut shell, home, &ours);
    shell
}

/// A file of the home with these permissions; answers its path.
pub(super) fn file(home: &Home, name: &str, text: &str, mode: u32) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let path = home.path().join(name);
    home.write(&path, text);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// `callboard serve` with its log in `server.err`, its address, and the user's token.
pub(super) fn serving(home: &Home) -> (Running, String, Option<String>) {
    let serve = logged(home, &["serve", "--listen", "127.0.0.1:0"], ">serve.out");
    let serve = Running::of(serve);
    let told = home.path().join("serve.out");
    let address = || {
        let text = std::fs::read_to_string(&told).ok()?;
        let address = text.strip_prefix("listening on http://")?;
        address.strip_suffix('\n').map(str::to_owned)
    };
    assert!(wait_until(PATIENCE, || address().is_some()));
    let token = home.callboard(&["token", "header", "--plain"]);
    let token = (token.code == 0).then(|| token.out.trim().to_owned());
    (serve, address().unwrap(), token)
}

/// Posts a request of the era without sessions; answers the body.
pub(super) fn posted(
    address: &str,
    token: Option<&str>,
    server: &str,
    method: &str,
    mut params: Value,
) -> String {
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
        "POST /{server}/mcp HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
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
