//! `callboard serve` as a process, and an HTTP client that speaks bare bytes and can hang up at any moment.

use crate::Home;
use crate::response::{Next, Response, message};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// The revisions with a handshake.
pub const OLDER: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
/// The one without.
pub const MODERN: &str = "2026-07-28";

/// The servers of a home over HTTP. Killed with the test.
pub struct Served {
    child: Child,
    err: Option<JoinHandle<String>>,
    /// Where they listen.
    pub address: SocketAddr,
    bearer: Option<String>,
    named: Option<String>,
}

impl Served {
    /// Starts them on a free port, with these settings below `[serve]`.
    #[must_use]
    pub fn start(home: &Home, settings: &str) -> Served {
        let file = home.path().join("config/callboard/config.toml");
        home.write(&file, &format!("[serve]\n{settings}\n"));
        Served::at(home, "127.0.0.1:0")
    }

    /// Starts them where `listen` says, with the settings there are.
    #[must_use]
    pub fn at(home: &Home, listen: &str) -> Served {
        let header = home.callboard(&["token", "header", "--plain"]);
        let bearer = (header.code == 0).then(|| format!("Bearer {}", header.out.trim()));
        let mut command = home.command("callboard");
        command
            .args(["serve", "--listen", listen])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let err = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = err.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let (send, first) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(out).read_line(&mut line);
            let _ = send.send(line);
        });
        let line = first.recv_timeout(PATIENCE).unwrap_or_default();
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .and_then(|address| address.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            panic!("it says {line:?}; {}", err.join().unwrap_or_default());
        };
        Served {
            child,
            err: Some(err),
            address,
            bearer,
            named: None,
        }
    }

    /// From now on requests show this token instead of the user's own.
    pub fn show(&mut self, token: &str) {
        self.bearer = Some(format!("Bearer {token}"));
    }

    /// From now on requests bear this id.
    pub fn name(&mut self, request: &str) {
        self.named = Some(request.to_owned());
    }

    /// Asks it to end, as a service manager does.
    pub fn terminate(&self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
    }

    /// Waits for its end; answers its exit code and what it wrote to standard error.
    ///
    /// # Panics
    /// When it does not end.
    pub fn ended(&mut self) -> (i32, String) {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                let err = self.err.take().map(|err| err.join().unwrap());
                return (status.code().unwrap_or(-1), err.unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the servers do not end");
    }

    /// Sends one request with a token and reads the head of its answer.
    #[must_use]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Exchange {
        let mut exchange = Exchange::connect(self.address);
        exchange.raw(self.request(method, path, headers, body).as_bytes());
        exchange.head();
        exchange
    }

    /// A request as bytes, with a token unless `headers` say otherwise.
    #[must_use]
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> String {
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        let says = |name: &str| headers.iter().any(|(said, _)| *said == name);
        if !says("host") {
            text.push_str("host: localhost\r\n");
        }
        let own = [
            ("authorization", &self.bearer),
            ("x-request-id", &self.named),
        ];
        for (name, value) in own {
            if let Some(value) = value.as_ref().filter(|_| !says(name)) {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        text
    }

    /// Looks at a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Exchange {
        self.send("GET", path, &[], "")
    }

    /// A message of Streamable HTTP.
    #[must_use]
    pub fn post(&self, server: &str, more: &[(&str, &str)], message: &Value) -> Exchange {
        let mut headers = vec![
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        headers.extend_from_slice(more);
        self.send(
            "POST",
            &format!("/{server}/mcp"),
            &headers,
            &message.to_string(),
        )
    }

    /// A request of the era without sessions, as [`Served::post`].
    #[must_use]
    pub fn modern(&self, server: &str, id: u64, method: &str, params: Value) -> Exchange {
        let named = ["name", "uri", "taskId"].map(|member| params[member].as_str());
        let name = named.into_iter().flatten().next().map(str::to_owned);
        let mut params = params;
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "rig", "version": "1"},
            "progressToken": id,
        });
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let mut headers = vec![("mcp-protocol-version", MODERN), ("mcp-method", method)];
        if let Some(name) = &name {
            headers.push(("mcp-name", name));
        }
        self.post(server, &headers, &message)
    }

    /// Begins a session of Streamable HTTP; answers its id.
    #[must_use]
    pub fn session(&self, server: &str, revision: &str) -> String {
        let mut begun = self.post(server, &[], &initialize(revision));
        assert!(begun.status == 200, "{}", begun.body());
        let answer = begun.message().expect("an answer to initialize");
        assert_eq!(answer["result"]["protocolVersion"], revision, "{answer}");
        let id = begun
            .header("mcp-session-id")
            .expect("a session")
            .to_owned();
        let told = self.post(server, &[("mcp-session-id", &id)], &initialized());
        assert_eq!(told.status, 202);
        id
    }

    /// A request in a session, as [`Served::post`].
    #[must_use]
    pub fn in_session(
        &self,
        server: &str,
        session: &str,
        id: u64,
        method: &str,
        params: &Value,
    ) -> Exchange {
        self.post(
            server,
            &[("mcp-session-id", session)],
            &request(id, method, params),
        )
    }

    /// Begins a session of the older transport: its stream, and where its messages go.
    #[must_use]
    pub fn sse(&self, server: &str, revision: &str) -> (Exchange, String) {
        let mut stream = self.get(&format!("/{server}/sse"));
        assert!(stream.status == 200, "{}", stream.body());
        let event = stream.event().expect("where messages go");
        let endpoint = event
            .strip_prefix("event: endpoint\ndata: ")
            .unwrap_or_else(|| panic!("no endpoint: {event}"))
            .trim()
            .to_owned();
        self.tell(&endpoint, &initialize(revision));
        let answer = stream.message().expect("an answer to initialize");
        assert_eq!(answer["result"]["protocolVersion"], revision, "{answer}");
        self.tell(&endpoint, &initialized());
        (stream, endpoint)
    }

    /// Sends a message to a session of the older transport.
    pub fn tell(&self, endpoint: &str, message: &Value) {
        let headers = [("content-type", "application/json")];
        let mut told = self.send("POST", endpoint, &headers, &message.to_string());
        let said = told.body();
        assert_eq!(told.status, 202, "{said}");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `initialize` of this revision.
#[must_use]
pub fn initialize(revision: &str) -> Value {
    let params = json!({"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "rig", "version": "1"}});
    request(0, "initialize", &params)
}

fn initialized() -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
}

/// A request; calls ask for progress.
#[must_use]
pub fn request(id: u64, method: &str, params: &Value) -> Value {
    let mut params = params.clone();
    if method == "tools/call" {
        params["_meta"] = json!({"progressToken": id});
    }
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// One connection and the answer on it.
pub struct Exchange {
    stream: TcpStream,
    answer: Response,
    /// 0 until a head was read.
    pub status: u16,
}

impl Exchange {
    /// Connects and says nothing.
    #[must_use]
    pub fn connect(address: SocketAddr) -> Exchange {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Exchange {
            stream,
            answer: Response::default(),
            status: 0,
        }
    }

    /// Sends bytes; `false` when the server has closed.
    pub fn raw(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// More bytes; `false` when the server closed.
    fn fill(&mut self) -> bool {
        let mut piece = [0; 16 * 1024];
        let count = match self.stream.read(&mut piece) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("nothing came: {error}"),
        };
        self.answer.feed(&piece[..count]);
        count > 0
    }

    fn next<T>(&mut self, read: impl Fn(&mut Response) -> Next<T>) -> Option<T> {
        loop {
            match read(&mut self.answer) {
                Next::Is(read) => return Some(read),
                Next::End => return None,
                Next::Unknown => self.fill(),
            };
        }
    }

    /// Reads the answer's head; the status stays 0 when the server closed instead.
    pub fn head(&mut self) {
        self.next(Response::head);
        self.status = self.answer.status();
    }

    /// A header of the answer.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.answer.header(name)
    }

    /// The whole body.
    pub fn body(&mut self) -> String {
        self.next(Response::body).unwrap_or_default()
    }

    /// The body as JSON.
    pub fn json(&mut self) -> Value {
        let body = self.body();
        serde_json::from_str(&body).unwrap_or_else(|_| panic!("no JSON: {body}"))
    }

    /// The next event of a stream; nothing at its end.
    pub fn event(&mut self) -> Option<String> {
        self.next(Response::event)
    }

    /// The next message of a stream; nothing at its end.
    pub fn message(&mut self) -> Option<Value> {
        loop {
            if let Some(message) = message(&self.event()?) {
                return Some(message);
            }
        }
    }

    /// The next answer of a stream, and how many notifications came before it.
    ///
    /// # Panics
    /// When the stream ends before.
    pub fn answer(&mut self) -> (Value, usize) {
        let mut before = 0;
        loop {
            let message = self.message().expect("the stream ended without an answer");
            if message.get("method").is_none() {
                return (message, before);
            }
            before += 1;
        }
    }

    /// The answer, whether it comes alone or on a stream.
    pub fn reply(&mut self) -> Value {
        let streams = self
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/event-stream"));
        if streams {
            self.answer().0
        } else {
            self.json()
        }
    }

    /// Waits until the server closes the connection.
    pub fn closed(&mut self) {
        while self.fill() {}
    }
}
