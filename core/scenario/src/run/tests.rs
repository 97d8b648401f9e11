use super::*;
use callboard_redact::Secret;

/// Runs a scenario of this text; what failed, in words.
async fn failures(text: &str) -> Vec<String> {
    failures_until(text, CancellationToken::new()).await
}

async fn failures_until(text: &str, stop: CancellationToken) -> Vec<String> {
    let report = reported(text, stop).await;
    let failures = report.outcomes.iter().flat_map(|one| &one.failures);
    failures.map(|failure| failure.message.clone()).collect()
}

async fn reported(text: &str, stop: CancellationToken) -> Report {
    let file = PathBuf::from("it.yaml");
    let scenario = crate::parse(&file, text).unwrap();
    let env = [
        ("PATH", "/usr/bin:/bin"),
        ("ONE", "canary-one"),
        ("TWO", "canary-two"),
        ("THREE", "canary-three"),
    ];
    let options = Options {
        program: PathBuf::from("/nowhere"),
        env: env
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        secrets: Secrets::default(),
        jobs: 1,
        traffic: 5,
        stop,
    };
    run(vec![(file, scenario)], &options, |_| {}).await
}

#[tokio::test]
async fn a_secret_that_was_captured_goes_nowhere_but_to_servers() {
    let secret = Secret::new("canary-that-was-captured".to_owned());
    callboard_redact::register("CAPTURED", &secret).unwrap();
    for step in [
        "run: [echo, \"x${s}\"]",
        "run: \"echo ${s}\"",
        "{run: [env], env: {A: \"${s}\"}}",
        "{run: [cat], stdin: \"${s}\"}",
        "{file: a, text: \"${s}\"}",
        "{file: a, append: \"${s}\"}",
        "{file: a, json: {a: \"${s}\"}}",
        "{file: \"${s}\", text: a}",
        "call: x",
        "{call: x, on: web}",
        "start: p",
    ] {
        let text = format!(
            "servers:\n  it: {{command: sh, args: [-c, \"echo ${{s}}\"]}}\n  web: {{url: \"http://127.0.0.1:1/${{s}}\"}}\n\
             processes:\n  p: {{command: sh, env: {{A: \"${{s}}\"}}}}\n\
             steps:\n- set: {{s: canary-that-was-captured}}\n- {}\n",
            if step == "call: x" {
                "{call: x, on: it}"
            } else {
                step
            }
        );
        let failed = failures(&text).await;
        assert!(
            failed.len() == 1 && failed[0].contains("`${vault:CAPTURED}` can stand only in"),
            "{step}: {failed:?}"
        );
    }
    let fine = "steps:\n- set: {s: canary-that-was-captured}\n- {check: \"${s}\", expect: {count: 24}}\n\
                - run: [echo, canary]\n";
    assert_eq!(failures(fine).await, Vec::<String>::new());
}

/// Steps that wait for nothing, over and over: longer than anybody would wait.
const ENDLESS: &str = "  - repeat: 1000000\n    steps:\n    - for_each: [1, 2]\n      steps:\n      - repeat: 1000000\n        \
                       steps: [{set: {a: 1}}, {check: \"${a}\", expect: {equals: 1}}]\n";

#[tokio::test]
async fn a_loop_that_never_waits_ends_with_its_limit() {
    let whole = failures(&format!("limit: 200ms\nsteps:\n{ENDLESS}")).await;
    assert!(
        whole.len() == 1 && whole[0].starts_with("not done within 0 s, the scenario's limit"),
        "{whole:?}"
    );
    let step = failures(&format!("steps:\n{ENDLESS}    timeout: 200ms\n")).await;
    assert_eq!(step, ["not done within 0.2 s"]);
}

#[tokio::test]
async fn a_loop_that_never_waits_ends_with_the_run() {
    let stop = CancellationToken::new();
    let ends = stop.clone();
    let other = tokio::spawn(async move { ends.cancel() });
    let failed = failures_until(&format!("steps:\n{ENDLESS}"), stop).await;
    assert_eq!(failed, ["interrupted"]);
    other.await.unwrap();
}

#[tokio::test]
async fn a_variable_may_not_say_more_turns_than_a_number() {
    let text =
        "steps:\n- set: {n: 1000001}\n- repeat: ${n}\n  steps: [{check: 1, expect: {equals: 1}}]\n";
    let failed = failures(text).await;
    assert!(
        failed.len() == 1 && failed[0].contains("`repeat: 1000001` is too often"),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_request_has_one_answer() {
    let answers = |id: u64, times: usize| {
        let line = format!(
            "echo '{{\\\"jsonrpc\\\": \\\"2.0\\\", \\\"id\\\": {id}, \\\"result\\\": {{\\\"content\\\": []}}}}'; "
        );
        format!("read x; {}", line.repeat(times))
    };
    let raw = "- raw: {json: {jsonrpc: \"2.0\", id: 1, method: ping}, answer: none}\n";
    for (script, first, wrong) in [
        (answers(1, 1), "", None),
        (answers(1, 2) + &answers(2, 1), "", Some(1)),
        (answers(1, 1) + &answers(2, 3), "", Some(2)),
        (answers(1, 1) + &answers(1, 1), raw, None),
        (answers(1, 1) + &answers(1, 2), raw, Some(1)),
    ] {
        let calls = "- call: x\n".repeat(if script.contains("id\\\": 2") { 2 } else { 1 });
        let text = format!(
            "servers:\n  it: {{command: sh, args: [-c, \"{script}cat >&2\"], protocol: 2026-07-28}}\nsteps:\n{first}{calls}"
        );
        let told = wrong.map(|id| {
            format!("server \"it\" answered request {id} more than once; a request has one answer")
        });
        assert_eq!(failures(&text).await, Vec::from_iter(told), "{text}");
    }
}

/// One that shows what it was asked with, and answers each request with an error.
fn shows_headers(listener: &std::net::TcpListener) {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    let (stream, _) = listener.accept().unwrap();
    let mut from = BufReader::new(&stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && from.read_line(&mut head).unwrap_or(0) > 0 {}
    let lower = head.to_ascii_lowercase();
    let length = lower
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    from.read_exact(&mut vec![0; length]).unwrap();
    let _ = write!(
        &stream,
        "HTTP/1.1 500 No\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{head}",
        head.len()
    );
}

#[tokio::test]
async fn what_headers_have_from_the_environment_is_in_no_report() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || shows_headers(&listener));
    let text = format!(
        "servers:\n  it:\n    url: \"http://{address}/\"\n    protocol: 2026-07-28\n    headers:\n      \
         cookie: \"session=${{env:ONE}}; theme=dark-mode\"\n      x-signed: \"v1 ${{env:TWO}}\"\n      \
         x-auth-token: token-of-the-test\n      x-plain: plainly-seen\nsteps:\n- set: {{s: \"${{env:THREE}}\"}}\n\
         - {{call: t, headers: {{x-step: \"${{s}}!\"}}}}\n"
    );
    let report = reported(&text, CancellationToken::new()).await;
    server.join().unwrap();
    let told = crate::report::to_json(&report).to_string();
    for secret in [
        "canary-one",
        "dark-mode",
        "canary-two",
        "canary-three",
        "token-of-the-test",
    ] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
    for shown in [
        "session=***; theme=***",
        "v1 ***",
        "x-auth-token: ***",
        "x-step: ***!",
        "plainly-seen",
    ] {
        assert!(told.contains(shown), "{shown}: {told}");
    }
}

#[tokio::test]
async fn a_line_without_end_breaks_the_connection_and_says_so() {
    let text = "servers:\n  it: {command: sh, args: [-c, \"read x; yes | tr -d '\\\\n'\"]}\n\
                steps: [{call: x}]\n";
    let failed = failures(text).await;
    assert!(
        failed[0].contains("the server sent a line of more than 16 MiB"),
        "{failed:?}"
    );
}

/// Answers `initialize`, and each GET with a stream that names an event, wants to be opened again at once, and ends.
fn never_lets_listen(listener: &std::net::TcpListener, heads: &std::sync::mpsc::Sender<String>) {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    while let Ok((stream, _)) = listener.accept() {
        let mut from = BufReader::new(&stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && from.read_line(&mut head).unwrap_or(0) > 0 {}
        let head = head.to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        from.read_exact(&mut body).unwrap();
        let message: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let (kind, answer) = if head.starts_with("get ") {
            ("text/event-stream", "retry: 0\nid: 7\n\n".to_owned())
        } else if message["method"] == "initialize" {
            let result = serde_json::json!({"protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {}, "serverInfo": {"name": "x", "version": "1"}});
            let answer =
                serde_json::json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
            ("application/json", answer.to_string())
        } else {
            ("application/json", String::new())
        };
        let status = if answer.is_empty() {
            "202 Accepted"
        } else {
            "200 OK"
        };
        let _ = write!(
            &stream,
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
            answer.len()
        );
        if heads.send(head).is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_stream_that_always_ends_is_taken_up_where_it_was_and_without_haste() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, heads) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || never_lets_listen(&listener, &tell));
    let text = format!(
        "servers: {{it: {{url: \"http://{address}/mcp\"}}}}\nsteps: [{{start: it}}, {{sleep: 1s}}]\n"
    );
    assert_eq!(failures(&text).await, Vec::<String>::new());
    let gets: Vec<String> = heads
        .try_iter()
        .filter(|head| head.starts_with("get "))
        .collect();
    // It has a tenth of a second each.
    assert!((2..=12).contains(&gets.len()), "{}", gets.len());
    assert!(!gets[0].contains("last-event-id"), "{}", gets[0]);
    assert!(gets[1].contains("last-event-id: 7"), "{}", gets[1]);
    drop(heads);
    drop(std::net::TcpStream::connect(address));
    server.join().unwrap();
}
