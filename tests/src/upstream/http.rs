//! As much of HTTP/1.1 as clients of models need: many requests on a connection, and ways to break it.

use super::Asked;
use super::act::{Act, Then};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a client may take to send or to read.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between looks whether the client is still there, and between the pieces of `drip`.
const LOOK: Duration = Duration::from_millis(20);

/// How a request ended.
pub(super) enum End {
    /// Another may follow.
    Again,
    /// The connection is over.
    Closed,
    /// The client closed it before its answer was whole.
    HungUp,
}

/// A connection.
pub(super) struct Connection<'s> {
    stream: &'s TcpStream,
    reader: BufReader<&'s TcpStream>,
}

impl<'s> Connection<'s> {
    pub(super) fn new(stream: &'s TcpStream) -> std::io::Result<Connection<'s>> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection {
            stream,
            reader: BufReader::new(stream),
        })
    }

    /// The next request; nothing when the client is done.
    pub(super) fn read(&mut self) -> Option<Asked> {
        self.stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let mut line = String::new();
        self.reader
            .read_line(&mut line)
            .ok()
            .filter(|read| *read > 0)?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, path) = (words.next()?, words.next()?);
        let (mut headers, mut length) = (Vec::new(), 0);
        loop {
            let mut header = String::new();
            self.reader.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim_end().split_once(':') else {
                break;
            };
            let (name, value) = (name.to_ascii_lowercase(), value.trim().to_owned());
            if name == "content-length" {
                length = value.parse().ok()?;
            }
            headers.push((name, value));
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).ok()?;
        Some(Asked {
            method,
            path,
            headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        })
    }

    /// Does what is to be done.
    pub(super) fn play(&mut self, act: Act, over: &AtomicBool) -> End {
        match act {
            Act::Whole {
                status,
                headers,
                kind,
                body,
            } => {
                let length = ("content-length", body.len().to_string());
                let head = head(status, kind, headers.into_iter().chain([length]));
                match self.write(&format!("{head}{body}")) {
                    true => End::Again,
                    false => End::HungUp,
                }
            }
            Act::Pieces {
                headers,
                kind,
                pieces,
                then,
            } => {
                let chunked = ("transfer-encoding", "chunked".to_owned());
                let mut all = head(200, kind, headers.into_iter().chain([chunked]));
                all.extend(pieces.iter().map(|piece| chunk(piece)));
                // At once, so that what a client has seen before a stall does not depend on the machine's load.
                let sent = self.write(&all);
                match then {
                    _ if !sent => End::HungUp,
                    Then::End if self.write("0\r\n\r\n") => End::Again,
                    Then::End => End::HungUp,
                    Then::Break => End::Closed,
                    Then::Stall => self.wait(over, ""),
                    Then::Drip => self.wait(over, &chunk("\n")),
                }
            }
            Act::Reset => End::Closed,
            Act::Hang => self.wait(over, ""),
        }
    }

    fn write(&mut self, text: &str) -> bool {
        (&mut &*self.stream).write_all(text.as_bytes()).is_ok()
    }

    /// Until the client closes; meanwhile says this again and again.
    fn wait(&mut self, over: &AtomicBool, say: &str) -> End {
        let _ = self.stream.set_read_timeout(Some(LOOK));
        let mut byte = [0];
        while !over.load(Ordering::Relaxed) {
            match self.reader.read(&mut byte) {
                Ok(0) => return End::HungUp,
                Ok(_) => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return End::HungUp,
            }
            if !self.write(say) {
                return End::HungUp;
            }
        }
        End::Closed
    }
}

fn head(status: u16, kind: &str, headers: impl Iterator<Item = (&'static str, String)>) -> String {
    let mut head = format!("HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head
}

fn chunk(piece: &str) -> String {
    format!("{:x}\r\n{piece}\r\n", piece.len())
}
