//! One pass of a client's program: started with its plan, given what it asks for, judged by what it reports.

use crate::place::{Place, Transport};
use callboard_tests::wait_until;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How long a program may be silent.
const PATIENCE: Duration = Duration::from_secs(90);

const ROADMAP: &str = "\
# Plan

### PRIORITY 1: Storage
**Status**: 📝 Planned

#### Option A: One file
**Estimate**: 1d

#### Option B: Many files
**Estimate**: 2d
";

/// Only the second option can be done.
const PREPARED: &str = r#"
format = 1
[[items.option-b.tries]]
edits = [{ file = "many.txt", create = "good\n" }]
[items.option-b.report]
summary = "Made many files."
deliverables = []
commit = { type = "feat", subject = "add many files" }
"#;

/// What the client was told to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// 2026-07-28: no handshake.
    Modern,
    /// 2025-11-25: `initialize`.
    Legacy,
}

impl Era {
    pub fn word(self) -> &'static str {
        match self {
            Era::Modern => "modern",
            Era::Legacy => "legacy",
        }
    }

    pub fn version(self) -> &'static str {
        match self {
            Era::Modern => "2026-07-28",
            Era::Legacy => "2025-11-25",
        }
    }
}

/// Runs a client's program over a new server and checks all that it reports.
pub fn check(program: Command, transport: Transport, era: Era, more: &Value) {
    let mut place = Place::new(transport);
    let report = report(
        program,
        &mut place,
        &json!({"pass": "whole", "era": era.word()}),
        more,
    );
    judge(&report, transport, era);
    let over = || place.servers() == Vec::from_iter(place.served());
    assert!(
        wait_until(Duration::from_secs(10), over),
        "the client ended and its server did not: {:?}",
        place.servers()
    );
}

/// Runs a client's program with a token that nobody made: its user is told so, as far as this client tells anything.
pub fn check_refusal(program: Command, transport: Transport, era: Era, told: &str, more: &Value) {
    let mut place = Place::new(transport);
    let plan = json!({
        "pass": "enters",
        "era": era.word(),
        "headers": {"Authorization": format!("Bearer {}", place.wrong_token())},
    });
    let report = report(program, &mut place, &plan, more);
    let refused = report["refused"]
        .as_str()
        .unwrap_or_else(|| panic!("{report:#}"));
    assert!(refused.contains(told), "{refused}");
}

/// Works a roadmap that leaves one choice to its user, whom the client asks.
pub fn check_choice(program: Command, transport: Transport, era: Era, more: &Value) {
    let mut place = Place::new(transport);
    let files = [
        ("ROADMAP.md", ROADMAP),
        (".callboard/prepared.toml", PREPARED),
        ("test.sh", "test \"$(cat many.txt)\" = good\n"),
    ];
    let path = place.home().repository("project", &files);
    let plan = json!({
        "pass": "decides",
        "server": "roadmap",
        "era": era.word(),
        "path": path,
    });
    let report = report(program, &mut place, &plan, more);
    assert_eq!(report["version"], era.version(), "{report:#}");
    let asked = report["asked"].as_array().unwrap();
    assert!(
        asked.len() == 1 && asked[0].as_str().unwrap().contains("Storage"),
        "{report:#}"
    );
    let git = |what: &str| place.home().git(&path, &["show", what]);
    assert_eq!(git("callboard/integration:many.txt"), "good", "{report:#}");
    let done = git("callboard/integration:ROADMAP.md");
    assert!(done.contains("Many files"), "{done}");
}

/// What a client's program reports of this place, by the place's plan and by what else it is told.
pub fn report(mut program: Command, place: &mut Place, plan: &Value, more: &Value) -> Value {
    let mut whole = place.plan(plan["server"].as_str().unwrap_or("assigner"));
    for part in [plan, more] {
        for (name, value) in part.as_object().unwrap() {
            whole[name] = value.clone();
        }
    }
    program.arg(whole.to_string());
    Program::start(program).report(place)
}

fn judge(report: &Value, transport: Transport, era: Era) {
    assert_eq!(report["version"], era.version(), "{report:#}");
    assert_eq!(report["server"], "assigner", "{report:#}");
    lists(&report["listed"]);
    let task = &report["task"];
    assert_eq!(report["called"]["id"], *task, "{report:#}");
    assert_eq!(report["called"]["priority"], 3, "{report:#}");
    assert_eq!(report["refused"]["is_error"], true, "{report:#}");
    let refusal = report["refused"]["text"].as_str().unwrap();
    assert!(
        refusal.contains("titel") && refusal.contains("title (text, required)"),
        "{refusal}"
    );
    progress(&report["progress"]);
    let cancelled = &report["cancelled"];
    assert!(
        cancelled["posted"].is_string() && cancelled["posted"] == cancelled["claimed"],
        "the call that was given up took the task: {cancelled:#}"
    );
    texts(report, task.as_str().unwrap());
    reconnects(report, transport, era);
}

fn lists(listed: &Value) {
    let names = |of: &str| -> Vec<&str> {
        let names = listed[of].as_array().unwrap();
        names.iter().filter_map(Value::as_str).collect()
    };
    let tools = names("tools");
    assert_eq!(tools.len(), 12, "{listed:#}");
    for tool in ["task_add", "task_claim", "task_wait"] {
        assert!(tools.contains(&tool), "{tool}: {listed:#}");
    }
    assert_eq!(names("prompts"), ["report_status", "triage_failures"]);
    assert_eq!(names("resources"), ["callboard://board"]);
    assert_eq!(
        names("templates"),
        [
            "callboard://task/{id}/log{?cursor}",
            "callboard://task/{id}{?cursor}"
        ]
    );
}

fn progress(progress: &Value) {
    assert_eq!(progress["settled"], true, "{progress:#}");
    assert_eq!(progress["open"], 0, "{progress:#}");
    let seen = progress["seen"].as_array().unwrap();
    let done: Vec<f64> = seen
        .iter()
        .map(|one| one["progress"].as_f64().unwrap())
        .collect();
    assert!(
        done.len() >= 2 && done.is_sorted_by(|a, b| a < b),
        "{progress:#}"
    );
    assert!(
        seen.iter()
            .all(|one| one["total"].as_f64() == Some(40.0) && one["message"].is_string()),
        "{progress:#}"
    );
}

fn texts(report: &Value, task: &str) {
    let read = &report["read"];
    assert_eq!(read["mime"], "text/markdown", "{read:#}");
    assert!(read["board"].as_str().unwrap().contains(task), "{read:#}");
    assert!(read["task"].as_str().unwrap().contains(task), "{read:#}");
    assert!(
        [json!(-32602), json!(-32002)].contains(&read["missing"]),
        "{read:#}"
    );
    let prompt = &report["prompt"];
    assert_eq!(prompt["role"], "user", "{prompt:#}");
    let text = prompt["text"].as_str().unwrap();
    assert!(
        text.contains("to the night shift") && text.contains(task),
        "{text}"
    );
}

/// After the server died and came back in the same place: what has no session works on as if nothing had happened, the
/// rest is told so at once, and the same client gets a session of its own in which everything works.
fn reconnects(report: &Value, transport: Transport, era: Era) {
    let after = &report["after_restart"];
    if transport == Transport::Http && era == Era::Modern {
        assert_eq!(after["task"], report["task"], "{report:#}");
    } else {
        let told = after["error"].as_str();
        let told = told.unwrap_or_else(|| panic!("a session outlived its server: {report:#}"));
        let waited = told.to_lowercase().contains("timed out");
        assert!(!waited, "the call waited in vain: {report:#}");
    }
    let again = &report["again"];
    assert_eq!(again["version"], report["version"], "{report:#}");
    assert_eq!(again["server"], "assigner", "{report:#}");
    assert_eq!(again["task"], report["task"], "{report:#}");
    lists(&again["listed"]);
    progress(&again["progress"]);
}

/// A client's program at work; ended with the test.
struct Program {
    child: Child,
}

impl Program {
    fn start(mut command: Command) -> Program {
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Program { child }
    }

    /// Does what the program asks for until it reports.
    fn report(mut self, place: &mut Place) -> Value {
        let mut input = self.child.stdin.take().unwrap();
        let output = self.child.stdout.take().unwrap();
        let mut errors = self.child.stderr.take().unwrap();
        let said = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = errors.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        loop {
            let line = match lines.recv_timeout(PATIENCE) {
                Ok(line) => line,
                Err(end) => {
                    let _ = self.child.kill();
                    let why = match end {
                        RecvTimeoutError::Timeout => "is silent",
                        RecvTimeoutError::Disconnected => "ended without a report",
                    };
                    panic!("the client {why}:\n{}", said.join().unwrap());
                }
            };
            let line: Value = serde_json::from_str(&line).unwrap();
            if let Some(report) = line.get("report") {
                let ended = || self.child.try_wait().unwrap().is_some();
                assert!(
                    wait_until(Duration::from_secs(20), ended),
                    "the client does not end"
                );
                return report.clone();
            }
            match line["ask"].as_str() {
                Some("cancelled") => {
                    place.await_outcome(line["tool"].as_str().unwrap(), "cancelled");
                }
                Some("restart") => place.restart(),
                _ => panic!("asks for what nobody knows: {line}"),
            }
            writeln!(input, "done").unwrap();
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
