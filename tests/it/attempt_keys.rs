//! Agents of `callboard run` that ask models through the gateway, each attempt with a key of its own.

use crate::workshop::{PATIENCE, WORK, Workshop, item, report};
use callboard_tests::gatewayed::{CANARY, configure};
use callboard_tests::http::Served;
use callboard_tests::upstream::Upstream;
use callboard_tests::{Home, wait_until};
use rustix::process::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks both protocols as clients are told to, keeps what came, and shows the key wherever it can but in its work.
const ASKS: &str = r#"
mkdir -p "$HOME/seen"
at="$HOME/seen/$CALLBOARD_TRY"
printf %s "$OPENAI_API_KEY" >"$at.key"
env | grep -E '^(ANTHROPIC|OPENAI|CALLBOARD)_' >"$at.env"
base=${ANTHROPIC_BASE_URL#http://}
ask() {
    exec 3<>"/dev/tcp/${base%:*}/${base##*:}"
    printf 'POST %s HTTP/1.1\r\nhost: %s\r\nconnection: close\r\nauthorization: Bearer %s\r\ncontent-length: %s\r\n\r\n%s' \
        "$1" "$base" "$2" "${#3}" "$3" >&3
    cat <&3
    exec 3<&-
}
said='{"model":"main","max_tokens":50,"messages":[{"role":"user","content":"Hello?"}]}'
ask /v1/messages "$ANTHROPIC_AUTH_TOKEN" "$said" >"$at.messages"
ask "/${OPENAI_BASE_URL#http://*/}/chat/completions" "$OPENAI_API_KEY" "$said" >"$at.chat"
echo "my key is $OPENAI_API_KEY"
printf %s "$OPENAI_API_KEY" | base64 -w0 >&2
printf '{"summary": "asked with %s", "commit": {"type": "feat", "subject": "use %s"}}' "$OPENAI_API_KEY" "$OPENAI_API_KEY" \
    >"$CALLBOARD_REPORT_FILE"
"#;

const ROUTES: &str = "[routes.main]\ncandidates = [\"claude/ok\"]\n[llm]\ndefault_route = \"main\"\nretries = 0\n\
                      [log]\nlevel = \"trace\"\n";

/// The settings, with an agent that asks the gateway at `url`.
fn agent(home: &Home, upstream: &Upstream, url: &str, more: &str) {
    let script = home.path().join("agent.sh");
    let claude = upstream.base("anthropic");
    let settings = format!(
        "[providers.claude]\nwire = \"anthropic\"\nbase_url = \"{claude}\"\nkey = \"${{vault:MODELS}}\"\n\
         {ROUTES}[gateway]\nurl = \"{url}\"\n[run]\nagent = \"worker\"\nattempts = 1\n\
         [agents.worker]\ncommand = [\"bash\", {script:?}]\ngateway = true\ntimeout = \"2m\"\n{more}"
    );
    home.write(&home.path().join("config/callboard/config.toml"), &settings);
}

/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:9";

struct Rig {
    shop: Workshop,
    upstream: Upstream,
    served: Served,
}

/// A gateway, and a project whose agent goes there and plays this script.
fn rig(script: &str) -> Rig {
    let shop = Workshop::new(&[("Alpha part", "")]);
    let upstream = Upstream::start();
    let claude = upstream.base("anthropic");
    configure(&shop.home, &[("claude", "anthropic", &claude)], ROUTES);
    let served = Served::at(&shop.home, "127.0.0.1:0");
    agent(&shop.home, &upstream, &url(&served), "");
    shop.agent(script);
    Rig {
        shop,
        upstream,
        served,
    }
}

fn url(served: &Served) -> String {
    format!("http://{}", served.address)
}

/// The keys that were issued to attempts, as `token list` has them.
fn keys(home: &Home) -> Vec<Value> {
    let listed = home.callboard(&["token", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed.out).unwrap();
    let all = listed["tokens"].as_array().unwrap().iter();
    let of_attempts = all.filter(|token| token["name"].as_str().unwrap().starts_with("attempt-"));
    of_attempts.cloned().collect()
}

/// Looks at all command lines for what has the shape of a token.
fn watch(stop: Arc<AtomicBool>) -> std::thread::JoinHandle<(u64, Vec<String>)> {
    let is_token = |word: &[u8]| {
        word.windows(16).any(|part| {
            part.starts_with(b"cb_")
                && part[15] == b'_'
                && part[3..15].iter().all(u8::is_ascii_hexdigit)
        })
    };
    std::thread::spawn(move || {
        let (mut looks, mut seen) = (0, Vec::new());
        while !stop.load(Ordering::Relaxed) {
            for entry in std::fs::read_dir("/proc").unwrap().flatten() {
                let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                if is_token(&line) {
                    seen.push(String::from_utf8_lossy(&line).into_owned());
                }
            }
            looks += 1;
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        (looks, seen)
    })
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

#[test]
fn an_attempt_asks_with_a_key_of_its_own_that_ends_with_it() {
    let mut rig = rig(&format!("{ASKS}{WORK}"));
    let shop = &rig.shop;
    let stop = Arc::new(AtomicBool::new(false));
    let watching = watch(Arc::clone(&stop));
    let root = shop.root.to_str().unwrap();
    let done = shop
        .home
        .callboard(&["run", root, "--json", "--agents", "1"]);
    stop.store(true, Ordering::Relaxed);
    let (looks, seen) = watching.join().unwrap();
    assert!(looks > 0 && seen.is_empty(), "{seen:?}");
    assert_eq!(done.code, 0, "{done:?}");
    for answer in ["1.messages", "1.chat"] {
        let said = shop.seen(answer);
        assert!(said.starts_with("HTTP/1.1 200"), "{answer}: {said}");
        assert!(!said.contains(CANARY), "{said}");
    }
    let told = shop.seen("1.env");
    assert!(
        told.contains("CALLBOARD_SECRETS=ANTHROPIC_AUTH_TOKEN,OPENAI_API_KEY"),
        "{told}"
    );
    assert!(!told.contains(CANARY), "{told}");
    // Counted for the task, by the name under which the agent works.
    let task = told
        .lines()
        .find_map(|line| line.strip_prefix("CALLBOARD_TASK="));
    let task = task.unwrap();
    let calls = crate::gateway::calls(&shop.home);
    assert_eq!(calls.len(), 2, "{calls:#?}");
    for call in &calls {
        assert_eq!(call["task"], task, "{call:#}");
        assert_eq!(call["detail"]["for"]["agent"], "worker-1", "{call:#}");
    }
    // It opens nothing any more.
    let key = shop.seen("1.key");
    rig.served.show(&key);
    let mut refused = rig.served.get("/v1/models");
    assert_eq!(refused.status, 401);
    assert!(refused.body().contains("revoked"));
    let listed = keys(&shop.home);
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0]["state"], "revoked");
    assert_eq!(listed[0]["gateway"]["task"], task);
    // And nothing that is kept or said holds it.
    let log = shop.git(&["log", "-p", "--format=%B", "callboard/integration"]);
    assert!(log.contains("use [vault:"), "scrubbed: {log}");
    let mut found = Vec::new();
    files(&shop.home.board(), &mut found);
    assert!(
        found.iter().any(|path| path.ends_with("board.db")),
        "{found:?}"
    );
    let mut said = found
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect::<Vec<_>>();
    said.extend([
        log.into_bytes(),
        done.out.into_bytes(),
        done.err.into_bytes(),
    ]);
    rig.served.terminate();
    let (code, err) = rig.served.ended();
    assert_eq!(code, 0, "{err}");
    said.push(err.into_bytes());
    let finder = callboard_redact::Scrubber::new([("KEY", key.as_str())]);
    for bytes in said {
        assert_eq!(
            finder.sighted(&bytes),
            None,
            "{}",
            String::from_utf8_lossy(&bytes)
        );
    }
    shop.assert_tidy();
    assert_eq!(rig.upstream.asked().len(), 2);
}

#[test]
fn work_that_holds_its_key_goes_nowhere() {
    let rig = rig("mkdir -p parts\nprintf %s \"$OPENAI_API_KEY\" >parts/key\n");
    let done = rig
        .shop
        .home
        .callboard(&["run", rig.shop.root.to_str().unwrap(), "--json"]);
    assert_eq!(done.code, 2, "{done:?}");
    let alpha = item(&report(&done), "priority-1");
    assert!(alpha.to_string().contains("the attempt's key"), "{alpha}");
    assert_eq!(keys(&rig.shop.home)[0]["state"], "revoked");
}

/// Nobody can end the key of a run that was killed; its time does.
#[test]
fn a_killed_run_leaves_a_key_that_ends_by_itself() {
    let rig = rig("mkdir -p \"$HOME/seen\"\ntouch \"$HOME/seen/begun\"\nsleep 600\n");
    let shop = &rig.shop;
    let before = shop.home.processes();
    let run = shop
        .home
        .start(&["run", shop.root.to_str().unwrap(), "--json"]);
    shop.await_seen("begun");
    run.signal(Signal::KILL);
    assert_ne!(run.finish().code, 0);
    let alone = || keys(&shop.home).len() == 1 && shop.home.processes() == before;
    assert!(wait_until(PATIENCE, alone), "{:?}", keys(&shop.home));
    let key = &keys(&shop.home)[0];
    assert_eq!(key["state"], "good", "{key}");
    let lasts = key["expires_at"].as_i64().unwrap() - key["created_at"].as_i64().unwrap();
    assert_eq!(lasts, 150_000, "the agent's time and what its end may take");
}

#[test]
fn nothing_begins_where_the_gateway_is_not() {
    let mut rig = rig(WORK);
    let shop = &rig.shop;
    let other = Home::new();
    let elsewhere = Served::at(&other, "127.0.0.1:0");
    let run = || shop.home.callboard(&["run", shop.root.to_str().unwrap()]);
    for (where_, more, says) in [
        (NOWHERE.to_owned(), "", "start `callboard serve`"),
        (url(&elsewhere), "", "does not know a key of this board"),
        (
            url(&rig.served),
            "[agents.worker.env]\nOPENAI_API_KEY = \"x\"\n",
            "remove OPENAI_API_KEY",
        ),
    ] {
        agent(&shop.home, &rig.upstream, &where_, more);
        let done = run();
        assert_eq!(done.code, 1, "{says}: {done:?}");
        assert!(done.err.contains(says), "{says}: {}", done.err);
    }
    assert_eq!(keys(&shop.home), Vec::<Value>::new());
    // One that goes away after the start holds up what comes then, and says so.
    agent(&shop.home, &rig.upstream, &url(&rig.served), "");
    rig.served.terminate();
    rig.served.ended();
    assert_eq!(run().code, 1);
}
