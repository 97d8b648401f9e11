//! A server under test, as a client is told of it.

use callboard_tests::{Home, Serving, alive, binary, wait_until};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// How clients reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// The client starts the server.
    Stdio,
    /// Streamable HTTP.
    Http,
    /// HTTP with server-sent events, as in 2024-11-05.
    Sse,
}

/// The servers with a board of their own.
pub struct Place {
    // First, so that it ends before its home goes.
    serving: Option<Serving>,
    home: Home,
    transport: Transport,
}

impl Place {
    pub fn new(transport: Transport) -> Place {
        Place::at(Home::new(), transport)
    }

    /// With its home below this directory.
    pub fn below(dir: &Path, transport: Transport) -> Place {
        Place::at(Home::below(dir), transport)
    }

    fn at(home: Home, transport: Transport) -> Place {
        let serving = match transport {
            Transport::Stdio => None,
            Transport::Http | Transport::Sse => Some(Serving::start(&home, "127.0.0.1:0")),
        };
        Place {
            serving,
            home,
            transport,
        }
    }

    pub fn home(&self) -> &Home {
        &self.home
    }

    /// What a client's program is told: how to start the server, or where it is and what to show it.
    pub fn plan(&self, server: &str) -> Value {
        let (transport, end) = match self.transport {
            Transport::Stdio => {
                return json!({
                    "transport": "stdio",
                    "command": binary("callboard"),
                    "args": [server],
                    "env": self.environment(),
                });
            }
            Transport::Http => ("http", "mcp"),
            Transport::Sse => ("sse", "sse"),
        };
        json!({
            "transport": transport,
            "url": format!("{}/{server}/{end}", self.url()),
            "headers": {"Authorization": format!("Bearer {}", self.token())},
        })
    }

    /// Where `callboard serve` is.
    pub fn url(&self) -> &str {
        self.serving.as_ref().unwrap().url()
    }

    /// The token of the user whose home this is.
    pub fn token(&self) -> String {
        let told = self.home.callboard(&["token", "header", "--plain"]);
        assert_eq!(told.code, 0, "{told:#?}");
        told.out.trim().to_owned()
    }

    /// A token that looks like one of ours, and is none.
    pub fn wrong_token(&self) -> String {
        let mut token = self.token().into_bytes();
        let last = token.last_mut().unwrap();
        *last = if *last == b'a' { b'b' } else { b'a' };
        String::from_utf8(token).unwrap()
    }

    /// The environment of a server that a client starts.
    pub fn environment(&self) -> serde_json::Map<String, Value> {
        let command = self.home.command("callboard");
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), json!(value?.to_str()?))))
            .collect()
    }

    /// Kills the server as a crash would; over the network, starts it again at the same address.
    pub fn restart(&mut self) {
        if let Some(serving) = self.serving.take() {
            self.serving = Some(serving.after_a_crash(&self.home));
            return;
        }
        let servers = self.servers();
        assert_eq!(servers.len(), 1, "one server for one client");
        for pid in &servers {
            kill(*pid);
        }
        let over = || servers.iter().all(|pid| !alive(*pid));
        assert!(
            wait_until(Duration::from_secs(10), over),
            "a killed server lives"
        );
    }

    /// The process that this place itself started, where the client starts none.
    pub fn served(&self) -> Option<u32> {
        self.serving.as_ref().map(Serving::pid)
    }

    /// Processes of ours that serve this board.
    pub fn servers(&self) -> Vec<u32> {
        let program = binary("callboard");
        let mut processes = self.home.processes();
        processes.retain(|pid| {
            std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program)
        });
        processes
    }

    /// How many calls of this tool ended so, by the board's call log.
    pub fn outcomes(&self, tool: &str, outcome: &str) -> i64 {
        let log = self.home.board().join("telemetry.db");
        let options = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let count = rusqlite::Connection::open_with_flags(log, options).and_then(|log| {
            let count = "SELECT count(*) FROM call WHERE tool = ?1 AND outcome = ?2";
            log.query_row(count, [tool, outcome], |row| row.get(0))
        });
        // A file that is not there yet, or is being written, has nothing to tell.
        count.unwrap_or(0)
    }

    /// Waits until a call of this tool has ended so.
    pub fn await_outcome(&self, tool: &str, outcome: &str) {
        let ended = || self.outcomes(tool, outcome) > 0;
        assert!(
            wait_until(Duration::from_secs(30), ended),
            "no call of {tool} ended as {outcome}"
        );
    }
}

fn kill(pid: u32) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}
