//! A server under test, on loopback; ended with the test.

use callboard_tests::{Home, binaries, root, wait_until};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// How long a server may take until it listens, and until it has ended.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Served {
    /// Whose list of expected failures counts.
    pub list: &'static str,
    pub url: String,
    child: Child,
    home: Home,
}

impl Served {
    /// The example server with the suites' fixtures.
    pub fn fixtures() -> Served {
        let program = binaries().join("examples").join("fixtures");
        assert!(
            program.is_file(),
            "{} is missing: run tests/run, or cargo build -p callboard-mcp --example fixtures",
            program.display()
        );
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0"]);
        Served::start("fixtures", "fixtures", Home::new(), command)
    }

    /// One of the servers behind `callboard serve`, with a board of its own and a project with a roadmap.
    pub fn server(name: &'static str) -> Served {
        let home = Home::new();
        let roadmap = std::fs::read_to_string(root().join("examples/tally/ROADMAP.md")).unwrap();
        let project = home.repository("project", &[("ROADMAP.md", &roadmap)]);
        let mut command = home.command("callboard");
        command.current_dir(project);
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        // The suites have no token to show.
        command.env("CALLBOARD_ACCESS_LOOPBACK", "admin");
        Served::start(name, "servers", home, command)
    }

    /// A directory that goes with the server.
    pub fn home(&self) -> &Home {
        &self.home
    }

    fn start(name: &str, list: &'static str, home: Home, mut command: Command) -> Served {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let mut served = Served {
            list,
            url: String::new(),
            child,
            home,
        };
        let said = lines
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("{name} does not say where it listens"));
        let address = said.split_whitespace().last().unwrap_or_default();
        served.url = if address.ends_with("/mcp") {
            address.to_owned()
        } else {
            format!("{address}/{name}/mcp")
        };
        served
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        if !wait_until(PATIENCE, || !matches!(self.child.try_wait(), Ok(None))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
