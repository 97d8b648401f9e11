//! HTTP costs little more than the protocol library's own server, and many sessions need little.
//!
//! The client is as thin as it can be: it writes a request, reads the answer to its end and looks for an
//! error. The bare server is an echo as rmcp's documentation writes one, with Nagle's algorithm off as in
//! ours: left on, a call takes 40 ms.

use crate::echo;
use crate::report::{Bound, Report};
use crate::sample::{Sample, ratio};
use crate::scratch;
use crate::sizes::Sizes;
use crate::stdio::{OneCore, Product, add_one};
use std::io::{BufRead as _, BufReader as Lines};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

const INITIALIZE: &str = r#""method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}"#;
const REST: Duration = Duration::from_secs(1);
/// Each of the many sessions calls this often.
const EVERY: Duration = Duration::from_millis(500);
/// How many connections share the steady stream of calls.
const STREAMS: u32 = 50;
const A_SECOND: u32 = 500;

pub fn measure(sizes: &Sizes, report: &mut Report) {
    let board = scratch::directory();
    let Some(product) = Product::built(board.path()) else {
        return report.unmeasured(
            "http",
            "no callboard: cargo build --release --workspace first".to_owned(),
        );
    };
    room_for_connections();
    let task = add_one(&product);
    memory(&product, sizes, report);
    calls(&product, &task, sizes, report);
    let served = Arc::new(Served::product(&product));
    many(&served, &task, sizes, report);
    steady(&served, &task, sizes, report);
}

/// Both ends of a thousand connections need more than the usual thousand files.
fn room_for_connections() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn many_threads() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// What a session costs whose client keeps its connection open and says nothing.
fn memory(product: &Product, sizes: &Sizes, report: &mut Report) {
    let served = Served::product(product);
    let runtime = one_thread();
    let begin = |count: u32| {
        runtime.block_on(async {
            let mut lines = Vec::new();
            for _ in 0..count {
                lines.push(served.session().await);
            }
            lines
        })
    };
    let resident = || {
        std::thread::sleep(REST);
        served.resident_kb()
    };
    drop(begin(sizes.sessions / 10));
    let before = resident();
    let open = begin(sizes.sessions);
    let with_connections = resident();
    drop(open);
    let each = |after: f64| (after - before) / f64::from(sizes.sessions);
    report.bounded(
        "memory of an idle session over HTTP, its connection open",
        each(with_connections),
        "KB",
        Bound::Below(50.0),
        format!(
            "{} sessions; {:.1} MB with all of them",
            sizes.sessions,
            with_connections / 1024.0
        ),
    );
}

fn calls(product: &Product, task: &str, sizes: &Sizes, report: &mut Report) {
    let one_core = OneCore::keep();
    let runtime = one_thread();
    let (ours, bare) = (Served::product(product), Served::echo());
    let read = format!(r#"{{"id":"{task}"}}"#);
    let echoed = format!(r#"{{"text":"{task}"}}"#);
    let mut took = [Sample::default(), Sample::default()];
    runtime.block_on(async {
        let mut lines = [ours.session().await, bare.session().await];
        let called = [("task_get", &read), ("echo", &echoed)];
        for round in 0..=sizes.call_rounds {
            for ((line, (tool, arguments)), took) in lines.iter_mut().zip(called).zip(&mut took) {
                for _ in 0..sizes.calls {
                    let began = Instant::now();
                    line.call(tool, arguments).await.unwrap();
                    if round > 0 {
                        took.push(began.elapsed());
                    }
                }
            }
        }
    });
    drop(one_core);
    let [get, echo] = &took;
    report.bounded(
        "task_get over HTTP against a bare rmcp echo, p50",
        ratio(get.p50(), echo.p50()),
        "",
        Bound::AtMost(1.5),
        format!("{} against {}", get.said(), echo.said()),
    );
}

/// Many sessions at once: each calls now and then, then all of them without a pause.
fn many(served: &Arc<Served>, task: &str, sizes: &Sizes, report: &mut Report) {
    let runtime = many_threads();
    let arguments = format!(r#"{{"id":"{task}"}}"#);
    let lines = runtime.block_on(async {
        let mut lines = Vec::new();
        for _ in 0..sizes.crowd {
            lines.push(served.session().await);
        }
        lines
    });
    let (lines, paced, failed) =
        runtime.block_on(crowd(lines, &arguments, sizes.crowd_calls, EVERY));
    report.bounded(
        &format!("{} sessions, two calls a second each, p99", sizes.crowd),
        paced.p99().as_secs_f64() * 1e3,
        "ms",
        Bound::Below(250.0),
        paced.said(),
    );
    report.bounded(
        "  calls that failed",
        f64::from(failed),
        "",
        Bound::AtMost(0.0),
        String::new(),
    );
    let began = Instant::now();
    let (_, rushed, failed) =
        runtime.block_on(crowd(lines, &arguments, sizes.crowd_calls, Duration::ZERO));
    let calls = f64::from(sizes.crowd) * f64::from(sizes.crowd_calls);
    report.plain(
        "  the same without a pause",
        format!("{:.0}/s", calls / began.elapsed().as_secs_f64()),
        format!("{}; {failed} failed", rushed.said()),
    );
}

async fn crowd(
    lines: Vec<Line>,
    arguments: &str,
    calls: u32,
    every: Duration,
) -> (Vec<Line>, Sample, u32) {
    let (count, start) = (u32::try_from(lines.len()).unwrap(), Instant::now());
    let mut at_work = JoinSet::new();
    for (place, mut line) in (0..count).zip(lines) {
        let arguments = arguments.to_owned();
        at_work.spawn(async move {
            let (mut took, mut failed) = (Vec::new(), 0);
            for call in 0..calls {
                let due = start + every * call + every * place / count;
                tokio::time::sleep_until(due.into()).await;
                let began = Instant::now();
                failed += u32::from(line.call("task_get", &arguments).await.is_err());
                took.push(began.elapsed());
            }
            (line, took, failed)
        });
    }
    let (mut lines, mut all, mut failures) = (Vec::new(), Sample::default(), 0);
    while let Some(done) = at_work.join_next().await {
        let (line, took, failed) = done.unwrap();
        lines.push(line);
        all.extend(took);
        failures += failed;
    }
    (lines, all, failures)
}

/// Calls that come at their time whether the last one was answered or not; every second one writes.
fn steady(served: &Arc<Served>, task: &str, sizes: &Sizes, report: &mut Report) {
    let runtime = many_threads();
    let read = format!(r#"{{"id":"{task}"}}"#);
    let every = Duration::from_secs(1) * STREAMS / A_SECOND;
    let each = u32::try_from(sizes.steady.as_millis() / every.as_millis()).unwrap();
    let (took, failed, seconds) = runtime.block_on(async {
        let mut lines = Vec::new();
        for _ in 0..STREAMS {
            lines.push(served.session().await);
        }
        let mut at_work = JoinSet::new();
        let began = Instant::now();
        for (place, mut line) in (0..STREAMS).zip(lines) {
            let read = read.clone();
            at_work.spawn(async move {
                let first = began + every * place / STREAMS;
                let mut due = tokio::time::interval_at(first.into(), every);
                due.set_missed_tick_behavior(MissedTickBehavior::Burst);
                let (mut took, mut failed) = (Vec::new(), 0);
                for call in 0..each {
                    let due = due.tick().await;
                    let answered = match call % 2 {
                        0 => line.call("task_get", &read).await,
                        _ => line.call("task_add", r#"{"title":"one of many"}"#).await,
                    };
                    failed += u32::from(answered.is_err());
                    took.push(due.elapsed());
                }
                (took, failed)
            });
        }
        let (mut all, mut failures) = (Sample::default(), 0);
        while let Some(done) = at_work.join_next().await {
            let (took, failed) = done.unwrap();
            all.extend(took);
            failures += failed;
        }
        (all, failures, began.elapsed().as_secs_f64())
    });
    report.bounded(
        "calls a second over HTTP, half of them writes",
        f64::from(each * STREAMS - failed) / seconds,
        "/s",
        Bound::AtLeast(f64::from(A_SECOND) * 0.99),
        format!("{} from when each was due; {failed} failed", took.said()),
    );
}

/// A server over HTTP. Killed when dropped.
pub struct Served {
    child: Child,
    address: SocketAddr,
    path: &'static str,
    bearer: String,
}

impl Served {
    pub fn product(product: &Product) -> Served {
        let token = product
            .command(&["token", "header", "--plain"])
            .output()
            .unwrap();
        let token = String::from_utf8_lossy(&token.stdout).trim().to_owned();
        let mut command = product.command(&["serve", "--listen", "127.0.0.1:0"]);
        // The limit on a token's rate is not what is measured.
        command
            .env("CALLBOARD_ACCESS_RATE", "0")
            .env("CALLBOARD_LOG_LEVEL", "error");
        Served::start(command, "/assigner/mcp", &token)
    }

    fn echo() -> Served {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([echo::HIDDEN, echo::HTTP]);
        Served::start(command, "/mcp", "")
    }

    fn start(mut command: Command, path: &'static str, token: &str) -> Served {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        Lines::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().rsplit("http://").next().unwrap();
        let address = address
            .parse()
            .unwrap_or_else(|_| panic!("no address: {line:?}"));
        let bearer = if token.is_empty() {
            String::new()
        } else {
            format!("authorization: Bearer {token}\r\n")
        };
        Served {
            child,
            address,
            path,
            bearer,
        }
    }

    pub async fn session(&self) -> Line {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: localhost\r\n{}content-type: application/json\r\naccept: application/json, text/event-stream\r\n",
            self.path, self.bearer
        );
        let mut line = Line {
            stream: BufReader::new(stream),
            head,
            session: None,
            text: Vec::new(),
            next: 0,
        };
        line.ask(INITIALIZE).await.unwrap();
        let session = line.session.take().expect("a session");
        line.head.push_str(&format!(
            "mcp-session-id: {session}\r\nmcp-protocol-version: 2025-11-25\r\n"
        ));
        line.post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            .await
            .unwrap();
        line
    }

    #[allow(clippy::cast_precision_loss, reason = "kilobytes")]
    fn resident_kb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kilobytes as f64
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A session and its connection, which stays open between calls.
pub struct Line {
    stream: BufReader<TcpStream>,
    head: String,
    session: Option<String>,
    text: Vec<u8>,
    next: u64,
}

/// A call that was not answered as it should have been.
#[derive(Debug)]
pub struct Failed;

impl From<std::io::Error> for Failed {
    fn from(_: std::io::Error) -> Self {
        Failed
    }
}

impl Line {
    async fn call(&mut self, tool: &str, arguments: &str) -> Result<(), Failed> {
        self.ask(&format!(
            r#""method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}"#
        ))
        .await
    }

    pub async fn ask(&mut self, request: &str) -> Result<(), Failed> {
        self.next += 1;
        let body = format!("{{\"jsonrpc\":\"2.0\",\"id\":{},{request}}}", self.next);
        self.post(&body).await?;
        let text = String::from_utf8_lossy(&self.text);
        let good = text.contains(r#""result""#) && !text.contains(r#""isError":true"#);
        good.then_some(()).ok_or(Failed)
    }

    /// Another connection, on which the session's own stream comes.
    pub async fn stream(&self, served: &Served) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let head = self.head.replacen("POST", "GET", 1) + "\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        BufReader::new(stream)
    }

    /// Sends a message and reads the answer to its end.
    async fn post(&mut self, body: &str) -> Result<(), Failed> {
        let request = format!("{}content-length: {}\r\n\r\n{body}", self.head, body.len());
        self.stream.write_all(request.as_bytes()).await?;
        self.text.clear();
        let (mut line, mut length, mut chunked) = (String::new(), 0, false);
        self.stream.read_line(&mut line).await?;
        if !line.starts_with("HTTP/1.1 2") {
            return Err(Failed);
        }
        loop {
            line.clear();
            self.stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name {
                "content-length" => length = value.parse().map_err(|_| Failed)?,
                "transfer-encoding" => chunked = true,
                "mcp-session-id" => self.session = Some(value.to_owned()),
                _ => {}
            }
        }
        while chunked {
            line.clear();
            self.stream.read_line(&mut line).await?;
            let size = usize::from_str_radix(line.trim(), 16).map_err(|_| Failed)?;
            self.take(size + 2).await?;
            chunked = size > 0;
        }
        self.take(length).await
    }

    async fn take(&mut self, count: usize) -> Result<(), Failed> {
        let before = self.text.len();
        self.text.resize(before + count, 0);
        self.stream.read_exact(&mut self.text[before..]).await?;
        Ok(())
    }
}
