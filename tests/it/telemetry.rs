//! What was recorded: sent to a collector where one is named, backed up, and made a board of again.

use callboard_tests::{Client, Home, wait_until};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(30);

/// The first line and the body of each request.
type Seen = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

fn collector() -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let kept = Arc::clone(&seen);
    // Ends with the test's process.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || answer(stream, &kept));
        }
    });
    (address, seen)
}

fn answer(stream: TcpStream, seen: &Seen) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    while reader.read_line(&mut first).is_ok_and(|bytes| bytes > 0) {
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        seen.lock()
            .unwrap()
            .push((std::mem::take(&mut first), body));
        let done = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        reader.get_mut().write_all(done).unwrap();
    }
}

fn spans_of(server: &str, tool: &str) {
    let home = Home::new();
    let (address, seen) = collector();
    let mut command = home.command("callboard");
    command
        .arg(server)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", address);
    let mut client = Client::start(command).hello();
    let name = format!("tools/call {tool}");
    let sent = || {
        let seen = seen.lock().unwrap();
        seen.iter().any(|(first, body)| {
            let body = String::from_utf8_lossy(body);
            assert!(!body.contains("needle"), "an argument was sent");
            first.starts_with("POST /v1/traces ") && body.contains(&name)
        })
    };
    // What was recorded before the exporter began is not sent, so one call may not be enough.
    let came = wait_until(LONG, || {
        client.call(
            tool,
            &json!({"only": {"model": "needle"}, "text": "needle"}),
        );
        sent()
    });
    assert!(came, "{server}: no span of {tool}");
    client.close();
    assert_eq!(client.ended().0, 0);
}

#[test]
fn calls_of_tools_are_sent_to_the_collector_that_the_environment_names() {
    spans_of("assigner", "task_list");
    spans_of("telemetry", "costs");
}

fn costs(home: &Home, board: &str) -> Value {
    let mut command = home.command("callboard");
    command.args(["telemetry", "--board", board]);
    let mut client = Client::start(command).hello();
    client.must("costs", &json!({"period": "all"}))["total"].clone()
}

#[test]
fn a_backup_becomes_a_board_with_all_that_was_recorded() {
    let home = Home::new();
    let board = home.board();
    let mut client = home.server("assigner").hello();
    client.must("task_add", &json!({"title": "keep me"}));
    let mut rows = std::process::Command::new(callboard_tests::binary("call-rows"))
        .arg(&board)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let line = json!({"id": "c_1", "input": 10, "output": 1, "cost_micro": 1_250_000});
    writeln!(rows.stdin.take().unwrap(), "{line}").unwrap();
    assert!(rows.wait().unwrap().success());

    // While a server is at work on the board.
    let done = home.callboard(&["backup", "copies"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("key file"), "{done:?}");
    let again = home.callboard(&["backup", "copies"]);
    assert!(
        again.code == 1 && again.err.contains("exists already"),
        "{again:?}"
    );
    client.must("task_add", &json!({"title": "too late"}));
    client.close();
    client.ended();

    let over = home.callboard(&["restore", "copies"]);
    assert!(
        over.code == 1 && over.err.contains("move its directory away"),
        "{over:?}"
    );
    let other = home.path().join("other");
    let other = other.to_str().unwrap();
    let done = home.callboard(&["restore", "copies", "--board", other]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(costs(&home, other)["cost_usd"], 1.25);
    let mut command = home.command("callboard");
    command.args(["assigner", "--board", other]);
    let listed = Client::start(command).hello().must("task_list", &json!({}));
    let titles: Vec<&Value> = listed["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| &task["title"])
        .collect();
    assert_eq!(titles, ["keep me"]);

    // A broken copy makes no board.
    let copy = home.path().join("copies").join("board.db");
    let mut bytes = std::fs::read(&copy).unwrap();
    let middle = bytes.len() / 2;
    bytes[4_096..middle].fill(0xA5);
    std::fs::write(&copy, bytes).unwrap();
    let broken = home.path().join("broken");
    let done = home.callboard(&["restore", "copies", "--board", broken.to_str().unwrap()]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(!broken.join("board.db").exists());
}
