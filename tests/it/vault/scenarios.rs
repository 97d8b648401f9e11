//! Secrets in scenarios: the servers get them, the reports do not.

use super::rig::*;
use crate::workshop::PATIENCE;
use callboard_tests::{Home, wait_until};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::thread::JoinHandle;

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
        assert_eq!((done.code, done.err.as_str()), (1, ""), "{done:?}");
        for part in ["a.yaml:5: ", "0 passed, 1 failed"].iter().chain(parts) {
            assert!(done.out.contains(part), "{part:?} is not in {}", done.out);
        }
    };
    write("PLAIM");
    told(&["`${vault:PLAIM}`: ", "`callboard vault set PLAIM`"]);
    must(given(&home, &["vault", "set", "PLAIN"], PLAIN));
    told(&["the vault has no secret PLAIM"]);
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
        "`${vault:PLAIN}`: the vault is locked with a passphrase",
        "vault.passphrase_file",
        "CALLBOARD_VAULT_PASSPHRASE_FILE",
    ]);
    assert!(!home.path().join("ran").exists(), "something ran");
}

/// A stream that names an endpoint at `elsewhere`.
fn names_an_endpoint(elsewhere: std::net::SocketAddr) -> (String, JoinHandle<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/sse", listener.local_addr().unwrap());
    let answered = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (mut got, mut piece) = (Vec::new(), [0; 4096]);
        while !got.ends_with(b"\r\n\r\n") {
            let count = stream.read(&mut piece).unwrap();
            assert!(count > 0);
            got.extend_from_slice(&piece[..count]);
        }
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
        let event = format!("event: endpoint\ndata: http://{elsewhere}/message\n\n");
        stream
            .write_all((head.to_owned() + &event).as_bytes())
            .unwrap();
        // Until the other side has seen enough.
        drop(stream.read(&mut piece));
    });
    (url, answered)
}

#[test]
fn headers_go_nowhere_but_where_the_scenario_says() {
    let home = Home::new();
    must(given(&home, &["vault", "set", "PLAIN"], PLAIN));
    let trap = std::net::TcpListener::bind("127.0.0.2:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let (url, answered) = names_an_endpoint(trap.local_addr().unwrap());
    let file = home.path().join("a.yaml");
    home.write(
        &file,
        &format!(
            "servers:\n  one:\n    url: {url}\n    transport: sse\n    headers: {{authorization: \"Bearer ${{vault:PLAIN}}\"}}\nsteps:\n  - call: t\n"
        ),
    );
    let done = home.callboard(&["test", &file.to_string_lossy()]);
    assert_eq!(done.code, 1, "{} {}", done.out, done.err);
    assert!(
        done.out.contains("names an endpoint elsewhere"),
        "{}",
        done.out
    );
    assert!(trap.accept().is_err(), "it was called");
    answered.join().unwrap();
}
