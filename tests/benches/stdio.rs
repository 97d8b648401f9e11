//! A server on standard input and output starts at once and answers as a bare one does.
//!
//! The client is as thin as it can be: it writes a line, reads a line and looks for the id. Servers take
//! turns in rounds. The bound is against an echo as rmcp's documentation writes one; beside it stands the
//! fastest echo that rmcp allows, on the transport that our servers use too.

use crate::echo;
use crate::report::{Bound, Report};
use crate::sample::{Sample, ratio, said};
use crate::scratch;
use crate::sizes::Sizes;
use callboard_tests::Home;
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const INITIALIZE: &str = r#""method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}"#;
const DISCOVER: &str = r#""method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"}}}"#;
const REST: Duration = Duration::from_secs(1);

pub fn measure(sizes: &Sizes, report: &mut Report) {
    let board = scratch::directory();
    let Some(product) = Product::built(board.path()) else {
        let why = format!(
            "no {}: cargo build --release --workspace first",
            binary().display()
        );
        return report.unmeasured("stdio", why);
    };
    let task = add_one(&product);
    starts(&product, sizes, report);
    calls(&product, &task, sizes, report);
}

/// The command under test, in a home of its own, with its board in a given directory.
pub struct Product {
    home: Home,
    board: PathBuf,
}

impl Product {
    /// Nothing if it was not built.
    pub fn built(board: &Path) -> Option<Self> {
        let there = binary().is_file();
        there.then(|| Product {
            home: Home::new(),
            board: board.to_owned(),
        })
    }

    /// Starts the server for tasks.
    pub fn assigner(&self) -> Wire {
        Wire::start(self.command(&["assigner"]))
    }

    /// The command with these words, on that board.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = self.home.command("callboard");
        command.args(words).arg("--board").arg(&self.board);
        command
    }
}

fn binary() -> PathBuf {
    callboard_tests::binaries().join("callboard")
}

fn echo(flavour: &str) -> Wire {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([echo::HIDDEN, flavour]);
    Wire::start(command)
}

/// Makes the board and a task on it; answers the task's id.
pub fn add_one(product: &Product) -> String {
    let mut wire = product.assigner().hello();
    let answer = wire.call("task_add", r#"{"title":"a task to be read"}"#);
    let answer: serde_json::Value = serde_json::from_str(answer).unwrap();
    let id = &answer["result"]["structuredContent"]["id"];
    id.as_str()
        .unwrap_or_else(|| panic!("no id in {answer}"))
        .to_owned()
}

fn starts(product: &Product, sizes: &Sizes, report: &mut Report) {
    let mut samples = [Sample::default(), Sample::default(), Sample::default()];
    for _ in 0..sizes.starts {
        samples[0].push(first_answer(INITIALIZE, || product.assigner()));
        samples[1].push(first_answer(DISCOVER, || product.assigner()));
        samples[2].push(first_answer(INITIALIZE, || echo(echo::FLAVOURS[0])));
    }
    let [initialize, discover, bare] = &samples;
    let rows = [
        (
            "stdio start to the answer of initialize, p50",
            initialize,
            format!("{}; bare echo: {}", initialize.said(), bare.said()),
        ),
        (
            "stdio start to the answer of server/discover, p50",
            discover,
            discover.said(),
        ),
    ];
    for (what, sample, beside) in rows {
        report.bounded(
            what,
            sample.p50().as_secs_f64() * 1e3,
            "ms",
            Bound::Below(10.0),
            beside,
        );
    }
}

fn first_answer(request: &str, start: impl FnOnce() -> Wire) -> Duration {
    let began = Instant::now();
    let mut wire = start();
    wire.ask(request);
    began.elapsed()
}

/// While it lives, this thread and the processes that it starts stay on one core. Where client and server
/// are on two, a call takes twice as long, and the kernel's choice would decide the ratio.
pub struct OneCore {
    before: CpuSet,
}

impl OneCore {
    pub fn keep() -> Self {
        let before = sched_getaffinity(None).unwrap();
        let mut one = CpuSet::new();
        one.set(sched_getcpu());
        sched_setaffinity(None, &one).unwrap();
        OneCore { before }
    }
}

impl Drop for OneCore {
    fn drop(&mut self) {
        sched_setaffinity(None, &self.before).unwrap();
    }
}

/// A server, what is called on it, and how long that took.
struct Callee {
    wire: Wire,
    tool: &'static str,
    arguments: String,
    took: Sample,
}

impl Callee {
    fn new(wire: Wire, tool: &'static str, field: &str, task: &str) -> Self {
        Callee {
            wire: wire.hello(),
            tool,
            arguments: format!(r#"{{"{field}":"{task}"}}"#),
            took: Sample::default(),
        }
    }

    fn round(&mut self, calls: u32) {
        for _ in 0..calls {
            let began = Instant::now();
            self.wire.call(self.tool, &self.arguments);
            self.took.push(began.elapsed());
        }
    }
}

fn calls(product: &Product, task: &str, sizes: &Sizes, report: &mut Report) {
    let one_core = OneCore::keep();
    let mut ours = Callee::new(product.assigner(), "task_get", "id", task);
    let mut bare = echo::FLAVOURS.map(|flavour| Callee::new(echo(flavour), "echo", "text", task));
    for round in 0..=sizes.call_rounds {
        ours.round(sizes.calls);
        bare.iter_mut().for_each(|one| one.round(sizes.calls));
        if round == 0 {
            // It warmed them up.
            ours.took = Sample::default();
            bare.iter_mut().for_each(|one| one.took = Sample::default());
        }
    }
    drop(one_core);
    let [one, many, fastest] = bare.map(|one| one.took.p50());
    let get = &ours.took;
    report.bounded(
        "task_get over stdio against a bare rmcp echo, p50",
        ratio(get.p50(), one.min(many)),
        "",
        Bound::AtMost(2.0),
        format!(
            "{} against {} on one thread, {} on many",
            get.said(),
            said(one),
            said(many)
        ),
    );
    report.plain(
        "  against an echo on our transport, one thread",
        format!("{:.2}", ratio(get.p50(), fastest)),
        format!("{}: the fastest that rmcp can be", said(fastest)),
    );
    std::thread::sleep(REST);
    report.bounded(
        "memory of the server at rest",
        ours.wire.resident_mb(),
        "MB",
        Bound::Below(25.0),
        "resident, after the calls above".to_owned(),
    );
}

/// One server and its pipes. Killed when dropped.
pub struct Wire {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    line: String,
    next: u64,
}

impl Wire {
    fn start(mut command: Command) -> Wire {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Wire {
            child,
            input,
            output,
            line: String::new(),
            next: 0,
        }
    }

    pub fn hello(mut self) -> Wire {
        self.ask(INITIALIZE);
        self.input
            .write_all(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n")
            .unwrap();
        self
    }

    /// Calls a tool that must succeed and answers the line that came.
    pub fn call(&mut self, tool: &str, arguments: &str) -> &str {
        self.ask(&format!(
            r#""method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}"#
        ))
    }

    pub fn ask(&mut self, request: &str) -> &str {
        self.next += 1;
        let mark = format!(r#""id":{}"#, self.next);
        let request = format!("{{\"jsonrpc\":\"2.0\",{mark},{request}}}\n");
        self.input.write_all(request.as_bytes()).unwrap();
        self.until(&mark);
        let failed = !self.line.contains(r#""result""#) || self.line.contains(r#""isError":true"#);
        assert!(!failed, "{request} was answered by {}", self.line);
        &self.line
    }

    /// Reads until a line has `mark`.
    pub fn until(&mut self, mark: &str) {
        loop {
            self.line.clear();
            assert!(
                self.output.read_line(&mut self.line).unwrap() > 0,
                "the server is gone before {mark}"
            );
            if self.line.contains(mark) {
                break;
            }
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "kilobytes")]
    fn resident_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kilobytes as f64 / 1024.0
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
