//! `callboard serve` at work.

use crate::{Home, wait_until};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// How long it may take until it listens, and until it has ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// Every server over HTTP, in a home; ended with the test.
pub struct Serving {
    child: Child,
    url: String,
}

impl Serving {
    /// Starts it at this address; port 0 takes a free one.
    ///
    /// # Panics
    /// When it does not come to listen, with what it said.
    #[must_use]
    pub fn start(home: &Home, listen: &str) -> Serving {
        let said = home.path().join("serve.log");
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&said)
            .unwrap();
        let mut child = home
            .command("callboard")
            .args(["serve", "--listen", listen])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        let mut serving = Serving {
            child,
            url: String::new(),
        };
        let (send, first) = channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(output).lines().map_while(Result::ok);
            if let Some(line) = lines.next() {
                let _ = send.send(line);
            }
        });
        let line = first.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            let said = std::fs::read_to_string(&said).unwrap_or_default();
            panic!("callboard serve does not say where it listens:\n{said}")
        });
        serving.url = line.split_whitespace().last().unwrap().to_owned();
        serving
    }

    /// Where it is, without a path.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as a crash would and starts it again at the same address.
    #[must_use]
    pub fn after_a_crash(mut self, home: &Home) -> Serving {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let address = self.url.trim_start_matches("http://").to_owned();
        drop(self);
        Serving::start(home, &address)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        if !wait_until(PATIENCE, || !matches!(self.child.try_wait(), Ok(None))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
