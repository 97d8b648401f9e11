//! A client that is as thin as it can be: it writes a request, and reads the answer to its end.

use super::{Thoughts, question};
use crate::sample::Sample;
use std::io::{BufRead as _, BufReader as Lines};
use std::net::SocketAddr;
use std::process::ChildStdout;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The address in the first line that a server prints.
pub fn address_of(output: ChildStdout) -> SocketAddr {
    let mut lines = Lines::new(output);
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    // What it says later goes nowhere, and does not stop it.
    std::thread::spawn(move || lines.lines().map_while(Result::ok).for_each(drop));
    let address = line.trim().rsplit("http://").next().unwrap();
    address
        .parse()
        .unwrap_or_else(|_| panic!("no address: {line:?}"))
}

/// What is asked, and where.
#[derive(Clone)]
pub struct Place {
    address: SocketAddr,
    path: String,
    key: String,
    model: String,
    stream: bool,
    thinks: bool,
}

impl Place {
    /// Asks a model that answers at once.
    pub fn new(address: SocketAddr, path: &str, key: &str, model: &str) -> Place {
        Place {
            address,
            path: path.to_owned(),
            key: key.to_owned(),
            model: model.to_owned(),
            stream: false,
            thinks: false,
        }
    }

    pub fn streaming(self) -> Place {
        Place {
            stream: true,
            ..self
        }
    }

    /// The model thinks before it answers.
    pub fn thinking(self) -> Place {
        Place {
            thinks: true,
            ..self
        }
    }

    fn request(&self, thinks: Duration) -> String {
        let body = question(&self.model, self.stream, thinks);
        let Place {
            address, path, key, ..
        } = self;
        format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// What many calls took beyond what the model thought.
#[derive(Default)]
pub struct Load {
    /// Until the first byte of the answer's body.
    pub first: Sample,
    /// Until its end.
    pub whole: Sample,
    pub failed: u32,
    pub calls: u32,
    pub seconds: f64,
}

impl Load {
    /// Calls that were answered, a second.
    pub fn rate(&self) -> f64 {
        f64::from(self.calls - self.failed) / self.seconds
    }

    fn adds(&mut self, other: Load) {
        self.first.extend(other.first);
        self.whole.extend(other.whole);
        self.failed += other.failed;
        self.calls += other.calls;
        self.seconds += other.seconds;
    }
}

/// The places take turns, `rounds` times after one that warms them up: in a turn so many connections make `calls` calls
/// each, one after the other.
pub async fn loads<const N: usize>(
    places: [&Place; N],
    at_once: u32,
    rounds: u32,
    calls: u32,
) -> [Load; N] {
    let mut all: [Load; N] = std::array::from_fn(|_| Load::default());
    for round in 0..=rounds {
        for (place, all) in places.iter().zip(&mut all) {
            let load = load(place, at_once, calls).await;
            if round > 0 {
                all.adds(load);
            }
        }
    }
    all
}

pub async fn load(place: &Place, at_once: u32, calls: u32) -> Load {
    let mut at_work = JoinSet::new();
    let began = Instant::now();
    for caller in 0..at_once {
        let place = place.clone();
        at_work.spawn(async move {
            let mut load = Load::default();
            let mut asker = Asker::to(&place).await;
            let mut thoughts = Thoughts::of(caller);
            let mut request = place.request(Duration::ZERO);
            let mut thinks = Duration::ZERO;
            for _ in 0..calls {
                load.calls += 1;
                if place.thinks {
                    thinks = thoughts.next();
                    request = place.request(thinks);
                }
                match tokio::time::timeout(PATIENCE, asker.ask(&request)).await {
                    Ok(Ok((first, whole))) => {
                        load.first.push(first.saturating_sub(thinks));
                        load.whole.push(whole.saturating_sub(thinks));
                    }
                    _ => {
                        load.failed += 1;
                        asker = Asker::to(&place).await;
                    }
                }
            }
            load
        });
    }
    let mut all = Load::default();
    while let Some(done) = at_work.join_next().await {
        all.adds(done.unwrap());
    }
    all.seconds = began.elapsed().as_secs_f64();
    all
}

/// An answer that was not 200, or no answer.
struct Failed;

impl From<std::io::Error> for Failed {
    fn from(_: std::io::Error) -> Self {
        Failed
    }
}

struct Asker {
    stream: BufReader<TcpStream>,
    line: String,
    body: Vec<u8>,
}

impl Asker {
    async fn to(place: &Place) -> Asker {
        let stream = TcpStream::connect(place.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Asker {
            stream: BufReader::new(stream),
            line: String::new(),
            body: Vec::new(),
        }
    }

    async fn line(&mut self) -> Result<&str, Failed> {
        self.line.clear();
        let read = self.stream.read_line(&mut self.line).await?;
        if read == 0 {
            return Err(Failed);
        }
        Ok(self.line.trim_end())
    }

    async fn takes(&mut self, count: usize) -> Result<(), Failed> {
        self.body.resize(count, 0);
        self.stream.read_exact(&mut self.body).await?;
        Ok(())
    }

    async fn ask(&mut self, request: &str) -> Result<(Duration, Duration), Failed> {
        let began = Instant::now();
        self.stream.write_all(request.as_bytes()).await?;
        if !self.line().await?.starts_with("HTTP/1.1 200") {
            return Err(Failed);
        }
        let (mut length, mut chunked) = (0, false);
        while let Some((name, value)) = self.line().await?.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().map_err(|_| Failed)?,
                "transfer-encoding" => chunked = true,
                _ => {}
            }
        }
        if !chunked {
            self.takes(length).await?;
            return Ok((began.elapsed(), began.elapsed()));
        }
        let mut first = None;
        loop {
            let size = usize::from_str_radix(self.line().await?, 16).map_err(|_| Failed)?;
            self.takes(size + 2).await?;
            let now = began.elapsed();
            if size == 0 {
                return Ok((first.unwrap_or(now), now));
            }
            first.get_or_insert(now);
        }
    }
}
