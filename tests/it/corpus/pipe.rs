//! A server on stdio, spoken to in bytes.

use callboard_tests::{Home, wait_until};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long an answer may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Pipe {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    said: Arc<Mutex<Vec<u8>>>,
    pings: u64,
}

impl Pipe {
    pub fn to(home: &Home, server: &str) -> Pipe {
        let mut child = home
            .command("callboard")
            .arg(server)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = channel();
        let output = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let said = Arc::new(Mutex::new(Vec::new()));
        let (mut errors, heard) = (child.stderr.take().unwrap(), Arc::clone(&said));
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = errors.read(&mut piece) {
                heard.lock().unwrap().extend_from_slice(&piece[..read]);
            }
        });
        Pipe {
            input: child.stdin.take(),
            child,
            lines,
            said,
            pings: 0,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes these bytes; whether the server took them.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        let Some(input) = self.input.as_mut() else {
            return false;
        };
        input.write_all(bytes).and_then(|()| input.flush()).is_ok()
    }

    pub fn line(&mut self, bytes: &[u8]) -> bool {
        self.write(&[bytes, b"\n"].concat())
    }

    pub fn send(&mut self, message: &Value) -> bool {
        self.line(message.to_string().as_bytes())
    }

    /// The next message, answers and others; nothing at the end of output.
    pub fn next(&mut self) -> Result<Option<Value>, String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => serde_json::from_str(&line)
                .map(Some)
                .map_err(|error| format!("{error}: {}", super::clip(&line))),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err("nothing comes any more".to_owned()),
        }
    }

    /// Answers that come until the one `done` says; that one is the last of them. Notifications are passed
    /// over.
    pub fn answers(&mut self, done: impl Fn(&Value) -> bool) -> Result<Vec<Value>, String> {
        let mut answers = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let Some(message) = self.next()? else {
                return Err("the server has closed its output".to_owned());
            };
            if message.get("method").is_some() {
                continue;
            }
            let last = done(&message);
            answers.push(message);
            if last {
                return Ok(answers);
            }
        }
        Err("other answers come and come".to_owned())
    }

    /// Answers that come until a ping of ours is answered, that one excepted.
    pub fn until_ping(&mut self, meta: Option<&Value>) -> Result<Vec<Value>, String> {
        self.pings += 1;
        let id = json!(format!("there? {}", self.pings));
        let mut ping = json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
        if let Some(meta) = meta {
            ping["method"] = json!("prompts/list");
            ping["params"] = json!({"_meta": meta});
        }
        if !self.send(&ping) {
            return Err("the server reads no more".to_owned());
        }
        let mut answers = self.answers(|answer| answer["id"] == id)?;
        let pong = answers.pop().unwrap_or_default();
        if pong["result"].is_object() {
            Ok(answers)
        } else {
            Err(format!("the ping got {pong}"))
        }
    }

    /// Ends the input, and tells how the process ended and what it said on standard error.
    pub fn end(mut self) -> (Option<i32>, String) {
        self.input = None;
        let mut code = None;
        wait_until(PATIENCE, || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        let said = String::from_utf8_lossy(&self.said.lock().unwrap()).into_owned();
        (code.and_then(|code| code.code()), said)
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
