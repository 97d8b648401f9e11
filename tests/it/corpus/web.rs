//! HTTP in bytes, so that no library refuses to send what is wrong.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection.
pub struct Line {
    read: BufReader<TcpStream>,
}

/// One answer.
#[derive(Debug, Default)]
pub struct Reply {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Line {
    pub fn to(address: SocketAddr) -> Line {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Line {
            read: BufReader::new(stream),
        }
    }

    /// Writes as much of this as is taken: who refuses need not read to the end.
    pub fn write(&mut self, bytes: &[u8]) {
        let _ = self.read.get_mut().write_all(bytes);
    }

    /// Says that nothing follows.
    pub fn end(&mut self) {
        let _ = self.read.get_mut().shutdown(Shutdown::Write);
    }

    /// The next answer; nothing where the connection is closed before it.
    pub fn reply(&mut self, to_head: bool) -> Result<Option<Reply>, String> {
        let Some(first) = self.text_line()? else {
            return Ok(None);
        };
        let mut words = first.split(' ');
        let version = words.next().unwrap_or_default();
        let status = words.next().and_then(|status| status.parse().ok());
        let (true, Some(status)) = (version.starts_with("HTTP/1."), status) else {
            return Err(format!("no status line: {first:?}"));
        };
        let mut reply = Reply {
            status,
            ..Reply::default()
        };
        loop {
            let line = self
                .text_line()?
                .ok_or("the head of an answer ends early")?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            reply
                .headers
                .push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        if !to_head && status >= 200 && status != 204 && status != 304 {
            reply.body = self.body(&reply)?;
        }
        Ok(Some(reply))
    }

    fn body(&mut self, reply: &Reply) -> Result<Vec<u8>, String> {
        let mut body = Vec::new();
        if reply.header("transfer-encoding").is_some() {
            loop {
                let size = self.text_line()?.ok_or("an answer ends early")?;
                let size = usize::from_str_radix(size.trim(), 16).map_err(|e| e.to_string())?;
                let mut piece = vec![0; size + 2];
                self.read
                    .read_exact(&mut piece)
                    .map_err(|e| e.to_string())?;
                if size == 0 {
                    return Ok(body);
                }
                body.extend_from_slice(&piece[..size]);
            }
        }
        match reply
            .header("content-length")
            .and_then(|length| length.parse().ok())
        {
            Some(length) => {
                body.resize(length, 0);
                self.read.read_exact(&mut body).map_err(|e| e.to_string())?;
            }
            None => {
                self.read
                    .read_to_end(&mut body)
                    .map_err(|e| e.to_string())?;
            }
        }
        Ok(body)
    }

    /// A line without its end; nothing at the end of the connection, however it came.
    pub fn text_line(&mut self) -> Result<Option<String>, String> {
        let mut line = Vec::new();
        match self.read.read_until(b'\n', &mut line) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(
                String::from_utf8_lossy(&line)
                    .trim_end_matches(['\r', '\n'])
                    .to_owned(),
            )),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(format!("nothing came within {PATIENCE:?}"))
            }
            Err(_) => Ok(None),
        }
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The messages in it, whether they came as one or as events.
    pub fn messages(&self) -> Vec<Value> {
        let text = String::from_utf8_lossy(&self.body);
        if self.header("content-type") == Some("text/event-stream") {
            let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
            return data
                .filter_map(|data| serde_json::from_str(data.trim()).ok())
                .collect();
        }
        serde_json::from_str(&text).into_iter().collect()
    }
}

/// A request.
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn post(path: &str, body: &[u8]) -> Request {
        Request {
            method: "POST".to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: body.to_vec(),
        }
        .with("content-type", "application/json")
        .with("accept", "application/json, text/event-stream")
    }

    pub fn with(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this header instead of the one there was, or without it.
    pub fn set(&mut self, name: &str, value: Option<String>) {
        self.headers.retain(|(known, _)| known != name);
        if let Some(value) = value {
            self.headers.push((name.to_owned(), value));
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || self.method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        [head.as_bytes(), &self.body].concat()
    }

    /// Sends it on a connection of its own.
    pub fn send(&self, to: SocketAddr) -> Result<Option<Reply>, String> {
        let mut line = Line::to(to);
        line.write(&self.bytes());
        line.reply(self.method == "HEAD")
    }
}

pub fn initialize() -> Value {
    json!({"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "corpus", "version": "1"}}})
}
