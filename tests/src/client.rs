//! An MCP client that speaks the wire format itself, so that no library's leniency hides a fault.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server on stdio and its client.
pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<Value>,
    aside: VecDeque<Value>,
    next: u64,
}

/// A tool's answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Whether the tool says that it failed.
    pub is_error: bool,
    /// `structuredContent`, or null.
    pub value: Value,
    /// The text blocks, joined.
    pub text: String,
}

impl Client {
    /// Starts a server; nothing is sent yet.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn start(mut command: Command) -> Client {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let output = child.stdout.take().expect("piped");
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line)
                    .unwrap_or_else(|error| panic!("not JSON on stdout ({error}): {line}"));
                if send.send(value).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        Client {
            child,
            input,
            lines,
            aside: VecDeque::new(),
            next: 0,
        }
    }

    /// Says hello as a client of 2025-11-25 does.
    #[must_use]
    pub fn hello(mut self) -> Client {
        let answer = self.request(
            "initialize",
            &json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "rig", "version": "1"}}),
        );
        assert_eq!(
            answer["result"]["protocolVersion"], "2025-11-25",
            "{answer}"
        );
        self.notify("notifications/initialized", &json!({}));
        self
    }

    /// The process number of the server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a request and waits for its answer.
    pub fn request(&mut self, method: &str, params: &Value) -> Value {
        let id = self.send(method, params);
        self.answer(id)
    }

    /// Sends a request without waiting; answers its id.
    pub fn send(&mut self, method: &str, params: &Value) -> u64 {
        self.next += 1;
        let id = self.next;
        self.raw(
            &json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string(),
        );
        id
    }

    /// Sends a notification.
    pub fn notify(&mut self, method: &str, params: &Value) {
        self.raw(&json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string());
    }

    /// Sends a line as it is.
    ///
    /// # Panics
    /// When the server has closed its input.
    pub fn raw(&mut self, line: &str) {
        let input = self.input.as_mut().expect("not closed");
        writeln!(input, "{line}")
            .and_then(|()| input.flush())
            .expect("the server reads");
    }

    /// Waits for the answer to a request; what comes between is set aside.
    ///
    /// # Panics
    /// When it does not come in time.
    pub fn answer(&mut self, id: u64) -> Value {
        self.wait_for(|message| message["id"] == json!(id) && message.get("method").is_none())
            .unwrap_or_else(|| panic!("no answer to request {id} within {PATIENCE:?}"))
    }

    /// Waits for a notification.
    pub fn notification(&mut self, method: &str) -> Option<Value> {
        self.wait_for(|message| message["method"] == json!(method))
    }

    fn wait_for(&mut self, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        if let Some(at) = self.aside.iter().position(&wanted) {
            return self.aside.remove(at);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(message) if wanted(&message) => return Some(message),
                Ok(message) => self.aside.push_back(message),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Calls a tool.
    pub fn call(&mut self, tool: &str, arguments: &Value) -> Answer {
        let message = self.request("tools/call", &json!({"name": tool, "arguments": arguments}));
        Answer::of(&message)
    }

    /// Calls a tool that must succeed; answers its structured content.
    ///
    /// # Panics
    /// When the tool says that it failed.
    pub fn must(&mut self, tool: &str, arguments: &Value) -> Value {
        let answer = self.call(tool, arguments);
        assert!(!answer.is_error, "{tool} {arguments}: {}", answer.text);
        answer.value
    }

    /// Closes the server's input.
    pub fn close(&mut self) {
        self.input = None;
    }

    /// Waits for the server's end; answers its exit code and how long it took.
    ///
    /// # Panics
    /// When it does not end.
    pub fn ended(&mut self) -> (i32, Duration) {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return (status.code().unwrap_or(-1), start.elapsed());
            }
            assert!(start.elapsed() < PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills the server as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    /// Reads a `tools/call` answer.
    ///
    /// # Panics
    /// When it is a protocol error.
    #[must_use]
    pub fn of(message: &Value) -> Answer {
        let result = message
            .get("result")
            .unwrap_or_else(|| panic!("a protocol error: {message}"));
        let blocks = result["content"].as_array().cloned().unwrap_or_default();
        let text: Vec<&str> = blocks
            .iter()
            .filter_map(|block| block["text"].as_str())
            .collect();
        Answer {
            is_error: result["isError"].as_bool().unwrap_or(false),
            value: result
                .get("structuredContent")
                .cloned()
                .unwrap_or(Value::Null),
            text: text.join("\n"),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.kill();
    }
}
