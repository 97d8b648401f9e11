//! For: a repository with a roadmap, its tests and prepared edits, away from the user's own directories, and a
//! client that speaks to the server in memory. Not for: assertions about one tool.

#![expect(
    clippy::disallowed_methods,
    reason = "tests prepare files and run git themselves"
)]

use callboard_config::{Config, Environment, Overrides};
use callboard_mcp::{ErrorKind, Server};
use callboard_roadmap_server::{Roadmaps, server};
use callboard_telemetry::CallLog;
use rmcp::handler::client::ClientHandler;
use rmcp::model::{CallToolRequestParams, ProgressNotificationParam};
use rmcp::service::{NotificationContext, RunningService};
use rmcp::{RoleClient, ServiceExt};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

/// Our own program: it supervises and plays the stand-in.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_callboard-roadmap-server");

pub const ROADMAP: &str = "\
# Plan

### PRIORITY 1: First file
**Status**: 📝 Planned
**Estimated Duration**: 1-2 days
**Dependency**: None

**Deliverables**:
- [ ] A file
- [x] A name

### PRIORITY 2: Second file
**Status**: 📝 Planned
**Dependency**: PRIORITY 1

### PRIORITY 3: A decision
**Status**: ⏸️ Blocked
";

/// Every text file of the project must say good.
const TESTS: &str = "for f in *.txt; do grep -q good \"$f\" || { echo \"$f is not good\"; exit 1; }; done\necho all good\n";

/// Edits for the two open items; the first is bad at the first attempt.
const PREPARED: &str = r#"
format = 1
[[items.priority-1.tries]]
edits = [{ file = "one.txt", create = "bad\n" }]
[[items.priority-1.tries]]
edits = [{ file = "one.txt", create = "good\n" }]
[items.priority-1.report]
summary = "Made the first file."
deliverables = ["A file"]
commit = { type = "feat", subject = "add the first file" }
[[items.priority-2.tries]]
edits = [{ file = "two.txt", create = "good\n" }]
[items.priority-2.report]
summary = "Made the second file."
deliverables = []
commit = { type = "feat", subject = "add the second file" }
"#;

/// Edits whose first item never ends.
const HANGING: &str = r#"
format = 1
[[items.priority-1.tries]]
hang = true
edits = []
[items.priority-1.report]
summary = "Never."
deliverables = []
commit = { type = "feat", subject = "never" }
[[items.priority-2.tries]]
edits = []
[items.priority-2.report]
summary = "Never."
deliverables = []
commit = { type = "feat", subject = "never" }
"#;

pub struct Rig {
    dir: tempfile::TempDir,
    pub root: PathBuf,
}

impl Rig {
    /// A repository whose open items are done by prepared edits.
    pub fn new() -> Rig {
        Rig::with(ROADMAP, Some(PREPARED))
    }

    /// A repository whose first item is never done.
    pub fn hanging() -> Rig {
        Rig::with(ROADMAP, Some(HANGING))
    }

    pub fn with(roadmap: &str, prepared: Option<&str>) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("project");
        std::fs::create_dir_all(root.join(".callboard")).unwrap();
        let rig = Rig { dir, root };
        rig.git(&["init", "-q", "-b", "main"]);
        rig.git(&["config", "user.name", "Tester"]);
        rig.git(&["config", "user.email", "tester@localhost"]);
        rig.write("ROADMAP.md", roadmap);
        rig.write("test.sh", TESTS);
        rig.write("base.txt", "good\n");
        if let Some(prepared) = prepared {
            rig.write(".callboard/prepared.toml", prepared);
        }
        rig.commit("chore: start");
        rig
    }

    pub fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.root.join(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.root.join(name)).unwrap()
    }

    pub fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git")
            .args(args)
            .current_dir(&self.root)
            .env("HOME", self.home())
            .env("XDG_CONFIG_HOME", self.home())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .expect("git is missing: install the package `git`");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "git {args:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    pub fn home(&self) -> PathBuf {
        let home = self.outside("home");
        std::fs::create_dir_all(&home).unwrap();
        home
    }

    /// A path beside the repository.
    pub fn outside(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    pub fn path(&self) -> String {
        self.root.to_str().unwrap().to_owned()
    }

    /// The user's configuration.
    pub fn configure(&self, toml: &str) {
        let dir = self.home().join("config/callboard");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("config.toml"), toml).unwrap();
    }

    pub fn environment(&self) -> Environment {
        let path = |path: PathBuf| path.into_os_string();
        Environment::of(
            [
                ("PATH", std::env::var_os("PATH").unwrap()),
                ("HOME", path(self.home())),
                ("XDG_CONFIG_HOME", path(self.home().join("config"))),
                ("XDG_DATA_HOME", path(self.home().join("data"))),
            ],
            self.root.clone(),
        )
    }

    pub fn board(&self) -> PathBuf {
        self.home().join("data/callboard")
    }

    /// Live processes that belong to attempts of this repository's board.
    pub fn agents(&self) -> Vec<u32> {
        let ours = self.board();
        callboard_console::processes_with_env("CALLBOARD_WORKTREE", None)
            .into_iter()
            .filter(|marked| Path::new(&marked.1).starts_with(&ours))
            .map(|marked| marked.0.pid)
            .collect()
    }

    pub fn state(&self) -> Arc<Roadmaps> {
        let environment = self.environment();
        let config = Config::load(&environment, None, &Overrides::default()).unwrap();
        Arc::new(Roadmaps::new(environment, config, PathBuf::from(PROGRAM)))
    }

    pub async fn client(&self) -> Client {
        Client::open(server(self.state(), CallLog::disabled())).await
    }
}

/// A client that keeps the progress it is told.
pub struct Client {
    pub session: RunningService<RoleClient, Listener>,
    served: tokio::task::JoinHandle<Result<(), callboard_mcp::ServeError>>,
}

#[derive(Clone, Default)]
pub struct Listener(pub Arc<Mutex<Vec<String>>>);

impl ClientHandler for Listener {
    async fn on_progress(
        &self,
        progress: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.0
            .lock()
            .unwrap()
            .push(progress.message.unwrap_or_default());
    }
}

impl Client {
    pub async fn open(server: Server<Roadmaps>) -> Client {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let (read, write) = tokio::io::split(theirs);
        let served = tokio::spawn(callboard_mcp::serve_on(server, read, write));
        let session = Listener::default().serve(ours).await.unwrap();
        Client { session, served }
    }

    /// The whole result of a call.
    pub async fn result(&self, tool: &str, arguments: Value) -> Value {
        let params = CallToolRequestParams::new(tool.to_owned())
            .with_arguments(arguments.as_object().cloned().unwrap());
        serde_json::to_value(self.session.call_tool(params).await.unwrap()).unwrap()
    }

    /// The structured answer of a call that must go well, with a text beside it, both short enough.
    pub async fn call(&self, tool: &str, arguments: Value) -> Value {
        let result = self.result(tool, arguments).await;
        assert_ne!(result["isError"], true, "{tool}: {result}");
        let text = result["content"][0]["text"].as_str().unwrap();
        let structured = &result["structuredContent"];
        assert!(
            !text.is_empty() && text.chars().count() < callboard_mcp::ANSWER_CHARS,
            "{tool}: {text}"
        );
        assert!(
            structured.to_string().chars().count() < callboard_mcp::ANSWER_CHARS,
            "{tool}: {structured}"
        );
        structured.clone()
    }

    /// The text of a call that must be refused, with a hint.
    pub async fn refusal(&self, tool: &str, arguments: Value, kind: ErrorKind) -> String {
        let shown: String = arguments.to_string().chars().take(200).collect();
        let result = self.result(tool, arguments).await;
        assert_eq!(result["isError"], true, "{tool} {shown}: {result}");
        assert!(
            result.get("structuredContent").is_none_or(Value::is_null),
            "{tool} {shown}: {result}"
        );
        let text = result["content"][0]["text"].as_str().unwrap().to_owned();
        assert!(
            text.starts_with(&format!("{kind}: ")),
            "{tool} {shown}: {text}"
        );
        assert!(text.contains("\nHint: "), "{tool} {shown}: {text}");
        text
    }

    /// Waits until the run has ended; the answer of the last wait.
    pub async fn wait_to_the_end(&self) -> Value {
        loop {
            let waited = self.call("roadmap_wait", json!({ "timeout_s": 45 })).await;
            if !["starting", "running", "stopping", "elsewhere"]
                .contains(&waited["state"].as_str().unwrap())
            {
                return waited;
            }
        }
    }

    /// Waits until an agent works whose row says `word`; the table then.
    pub async fn wait_for_agent(&self, rig: &Rig, word: &str) -> Value {
        loop {
            let table = self.call("roadmap_status", json!({})).await;
            let is_meant =
                |item: &Value| item["now"].as_str().is_some_and(|now| now.contains(word));
            let items = table["items"].as_array().unwrap();
            if items.iter().any(is_meant) && !rig.agents().is_empty() {
                return table;
            }
            assert!(
                !["failed", "ended"].contains(&table["state"].as_str().unwrap()),
                "{table}"
            );
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Ends the input and waits for the server's end.
    pub async fn close(self) {
        self.session.cancel().await.unwrap();
        self.served.await.unwrap().unwrap();
    }
}

/// The row of an item.
pub fn row<'a>(table: &'a Value, item: &str) -> &'a Value {
    table["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["item"] == item || row["key"] == item)
        .unwrap()
}
