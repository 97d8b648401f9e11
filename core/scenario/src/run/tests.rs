use super::*;
use callboard_redact::Secret;

/// Runs a scenario of this text; what failed, in words.
async fn failures(text: &str) -> Vec<String> {
    let file = PathBuf::from("it.yaml");
    let scenario = crate::parse(&file, text).unwrap();
    let options = Options {
        program: PathBuf::from("/nowhere"),
        env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        secrets: Secrets::default(),
        jobs: 1,
        traffic: 5,
        stop: CancellationToken::new(),
    };
    let report = run(vec![(file, scenario)], &options, |_| {}).await;
    let failures = report.outcomes.iter().flat_map(|one| &one.failures);
    failures.map(|failure| failure.message.clone()).collect()
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
