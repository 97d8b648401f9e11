//! `callboard serve`, and who talks to it.

use super::web::{Reply, Request, initialize};
use callboard_tests::{Home, wait_until};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub struct Site {
    pub home: Home,
    child: Served,
    pub address: SocketAddr,
    said: Arc<Mutex<String>>,
}

/// The process; it ends with the test.
struct Served(Child);

impl Site {
    /// One that lets this machine in, however often it comes.
    pub fn open() -> Site {
        Site::with("access.loopback = \"admin\"\n")
    }

    /// One that asks for a token, however often one comes without.
    pub fn asking_for_tokens() -> Site {
        Site::with("access.rate = 0\naccess.rate_unauthenticated = 0\n")
    }

    fn with(config: &str) -> Site {
        let home = Home::new();
        home.write(&home.path().join("config/callboard/config.toml"), config);
        let mut child = home
            .command("callboard")
            .args(["serve", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (mut errors, heard) = (child.stderr.take().unwrap(), Arc::clone(&said));
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = errors.read(&mut piece) {
                let text = String::from_utf8_lossy(&piece[..read]);
                heard.lock().unwrap().push_str(&text);
            }
        });
        let mut first = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut first).unwrap();
        let address = first.trim().rsplit("http://").next().unwrap().parse();
        let address = address.unwrap_or_else(|_| panic!("{first}: {}", said.lock().unwrap()));
        Site {
            home,
            child: Served(child),
            address,
            said,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// A request with what every one needs.
    pub fn post(&self, path: &str, body: &[u8]) -> Request {
        Request::post(path, body).with("host", &self.address.to_string())
    }

    /// A session of a server.
    pub fn session(&self, server: &str) -> String {
        self.begin(server, None)
    }

    /// A session of a server, begun with this token.
    pub fn session_with(&self, server: &str, token: &str) -> String {
        self.begin(server, Some(token))
    }

    fn begin(&self, server: &str, token: Option<&str>) -> String {
        let path = format!("/{server}/mcp");
        let post = |body: &Value| {
            let request = self.post(&path, body.to_string().as_bytes());
            match token {
                Some(token) => request.with("authorization", &format!("Bearer {token}")),
                None => request,
            }
        };
        let begin = post(&initialize());
        let reply = begin.send(self.address).unwrap().expect("an answer");
        let session = reply
            .header("mcp-session-id")
            .expect("a session")
            .to_owned();
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let ready = post(&ready).with("mcp-session-id", &session);
        assert_eq!(
            ready.send(self.address).unwrap().expect("an answer").status,
            202
        );
        session
    }

    /// Whether it answers, in this session too.
    pub fn lives(&self, session: &str) -> Result<(), String> {
        let ping = json!({"jsonrpc": "2.0", "id": "there?", "method": "ping"});
        let ping = self.post("/assigner/mcp", ping.to_string().as_bytes());
        let reply = ping.with("mcp-session-id", session).send(self.address)?;
        let reply = reply.ok_or("the connection was closed")?;
        match reply.messages().as_slice() {
            [pong] if pong["result"] == json!({}) => Ok(()),
            other => Err(format!("{}: {other:?}", reply.status)),
        }
    }

    /// Asks it to end, and tells how it did and what it said on standard error.
    pub fn end(self) -> (Option<i32>, String) {
        let (code, said, _) = self.end_at_home();
        (code, said)
    }

    /// The same, and its home.
    pub fn end_at_home(mut self) -> (Option<i32>, String, Home) {
        let pid = rustix::process::Pid::from_child(&self.child.0);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let mut code = None;
        wait_until(Duration::from_secs(60), || {
            code = self.child.0.try_wait().unwrap();
            code.is_some()
        });
        let said = self.said.lock().unwrap().clone();
        (code.and_then(|code| code.code()), said, self.home)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The answer with this id among what came, or the only error.
pub fn answer(reply: &Reply, id: Option<&Value>) -> Option<Value> {
    let messages = reply.messages();
    let ours = |message: &&Value| {
        message.get("method").is_none()
            && (message.get("error").is_some() || message.get("result").is_some())
            && id.is_none_or(|id| message["id"] == *id || message["id"].is_null())
    };
    messages.iter().find(ours).cloned()
}
