//! A server under test, as a client is told of it.

use callboard_tests::{Home, alive, binary, wait_until};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// How clients reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Stdio,
}

/// The assigner with a board of its own.
pub struct Place {
    home: Home,
    transport: Transport,
}

impl Place {
    pub fn new(transport: Transport) -> Place {
        Place {
            home: Home::new(),
            transport,
        }
    }

    /// With its home below this directory.
    pub fn below(dir: &Path, transport: Transport) -> Place {
        Place {
            home: Home::below(dir),
            transport,
        }
    }

    pub fn home(&self) -> &Home {
        &self.home
    }

    /// What a client's program is told: how to start the server, or where it is.
    pub fn plan(&self) -> Value {
        match self.transport {
            Transport::Stdio => json!({
                "transport": "stdio",
                "command": binary("callboard"),
                "args": ["assigner"],
                "env": self.environment(),
            }),
        }
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
        match self.transport {
            Transport::Stdio => {
                let servers = self.servers();
                assert_eq!(servers.len(), 1, "one server for one client");
                for pid in &servers {
                    kill(*pid);
                }
                assert!(
                    wait_until(Duration::from_secs(10), || servers
                        .iter()
                        .all(|pid| !alive(*pid))),
                    "a killed server lives"
                );
            }
        }
    }

    /// The process that this place itself started, where the client starts none.
    pub fn served(&self) -> Option<u32> {
        match self.transport {
            Transport::Stdio => None,
        }
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
