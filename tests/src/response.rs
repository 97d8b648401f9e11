//! An answer of HTTP/1.1, read from bytes as they come.
//!
//! For: tests that speak bare HTTP, on whatever kind of connection. Not for: connections, or what a lenient client
//! would put up with.

use serde_json::Value;

/// What has come of an answer.
#[derive(Debug, Default)]
pub struct Response {
    raw: Vec<u8>,
    decoded: Vec<u8>,
    status: u16,
    headers: Vec<(String, String)>,
    over: bool,
    closed: bool,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<T> {
    /// This.
    Is(T),
    /// Only the connection knows: [`Response::feed`] it more.
    Unknown,
    /// Nothing.
    End,
}

impl Response {
    /// More bytes of the connection; none when it was closed.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        self.closed |= bytes.is_empty();
    }

    /// Reads the head; an end when the connection was closed before there was one.
    ///
    /// # Panics
    /// When it is no head.
    pub fn head(&mut self) -> Next<()> {
        let Some(end) = find(&self.raw, b"\r\n\r\n") else {
            return if self.closed {
                Next::End
            } else {
                Next::Unknown
            };
        };
        let head = String::from_utf8(self.raw.drain(..end + 4).collect()).unwrap();
        let mut lines = head.lines();
        let first = lines.next().unwrap_or_default();
        self.status = first.split(' ').nth(1).unwrap().parse().unwrap();
        self.headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Next::Is(())
    }

    /// 0 until the head was read.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// A header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }

    /// The whole body, or what has not been read of it.
    ///
    /// # Panics
    /// When it is no text, or ends before its end.
    pub fn body(&mut self) -> Next<String> {
        while !self.over {
            if self.piece() == Next::Unknown {
                return Next::Unknown;
            }
        }
        Next::Is(String::from_utf8(std::mem::take(&mut self.decoded)).unwrap())
    }

    /// The next event of a stream.
    ///
    /// # Panics
    /// When it is no text, or ends before its end.
    pub fn event(&mut self) -> Next<String> {
        loop {
            if let Some(end) = find(&self.decoded, b"\n\n") {
                let event = self.decoded.drain(..end + 2).collect();
                return Next::Is(String::from_utf8(event).unwrap());
            }
            match self.piece() {
                Next::Is(()) => {}
                Next::Unknown => return Next::Unknown,
                Next::End => {
                    assert!(self.decoded.is_empty(), "half an event");
                    return Next::End;
                }
            }
        }
    }

    /// Decodes the next piece of the body.
    fn piece(&mut self) -> Next<()> {
        if self.over {
            return Next::End;
        }
        let decoded = match self.header("content-length") {
            Some(length) => self.counted(length.parse().unwrap()),
            None => self.chunk(),
        };
        assert!(
            decoded != Next::Unknown || !self.closed,
            "the body ended without its end"
        );
        decoded
    }

    fn counted(&mut self, length: usize) -> Next<()> {
        if self.raw.len() < length {
            return Next::Unknown;
        }
        self.decoded.append(&mut self.raw);
        self.over = true;
        Next::Is(())
    }

    fn chunk(&mut self) -> Next<()> {
        let Some(end) = find(&self.raw, b"\r\n") else {
            return Next::Unknown;
        };
        let size = std::str::from_utf8(&self.raw[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let whole = end + 2 + size + 2;
        if self.raw.len() < whole {
            return Next::Unknown;
        }
        self.decoded
            .extend_from_slice(&self.raw[end + 2..end + 2 + size]);
        self.raw.drain(..whole);
        self.over = size == 0;
        if self.over { Next::End } else { Next::Is(()) }
    }
}

/// The message that an event carries.
#[must_use]
pub fn message(event: &str) -> Option<Value> {
    let data = event.lines().find_map(|line| line.strip_prefix("data:"))?;
    serde_json::from_str(data).ok()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
