//! A provider that fails as it is told to, on loopback, on the four wires.
//!
//! For: whatever calls models, tested without one. The fault is the model's name, or what comes after its last `--`
//! (`cheap--429`), so that one upstream plays many providers:
//!
//! | name | what happens |
//! |---|---|
//! | `ok`, anything else | an answer: "Hello from MODEL", 1,200 tokens in, 27 out |
//! | `tools` | the same with a call of the tool `weather` |
//! | `words-N` | the same with N words more: ` ä1 ä2 …` |
//! | `delay-N` | the same after N milliseconds |
//! | `flaky-N` | the same, but every Nth request ends as `500` |
//! | `429`, `429-date`, `429-body` | limited; when to come back is in seconds, as a date, or in the body |
//! | `429-in-N` | limited for N seconds |
//! | `quota` | the account has nothing left |
//! | `500`, `overloaded`, `html-502` | the provider's own trouble |
//! | `401`, `403`, `400`, `404`, `long`, `refused` | key, right, request, model, context, filter |
//! | `redirect` | 307 to somewhere else |
//! | `html`, `malformed`, `empty` | 200 with a page, with no JSON, with nothing |
//! | `midcut`, `noend` | the connection breaks in the middle; it ends well, but the answer does not |
//! | `inband`, `inband-overloaded` | 200, and an error in the place of the rest |
//! | `huge` | 33 MiB of nothing |
//! | `reset`, `hang`, `head-stall`, `stall`, `drip` | closed at once; no byte; no body; a piece, then nothing; small pieces for ever |
//!
//! A test may have a model behave otherwise for a while ([`Upstream::turn`]). The key `bad-key`, or none where the wire
//! wants one, is refused. Not for: judging what a client sends.

mod act;
mod faults;
mod http;
mod wires;

use act::Act;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use wires::Wire;

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `GET` or `POST`.
    pub method: String,
    /// With its query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// JSON, or null.
    pub body: Value,
}

impl Asked {
    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }
}

/// The provider; ends with the test.
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// How often a model was asked, and how often it answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Requests for an answer of it.
    pub asked: usize,
    /// Of those, the ones that got a whole answer, or would have if they had waited for it.
    pub served: usize,
}

#[derive(Default)]
struct Shared {
    asked: Mutex<Vec<Asked>>,
    counts: Mutex<BTreeMap<String, usize>>,
    turned: Mutex<BTreeMap<String, String>>,
    wanted: Mutex<BTreeMap<String, Wanted>>,
    hung_up: AtomicUsize,
    connections: AtomicUsize,
    over: AtomicBool,
}

impl Upstream {
    /// Starts it.
    ///
    /// # Panics
    /// When no port can be had.
    #[must_use]
    pub fn start() -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if for_thread.over.load(Ordering::Relaxed) {
                    return;
                }
                for_thread.connections.fetch_add(1, Ordering::SeqCst);
                let shared = Arc::clone(&for_thread);
                std::thread::spawn(move || shared.serve(&stream));
            }
        });
        Upstream { address, shared }
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base URL of a wire: `openai`, `anthropic`, `gemini` or `ollama`.
    ///
    /// # Panics
    /// When there is no such wire.
    #[must_use]
    pub fn base(&self, wire: &str) -> String {
        let wire = Wire::named(wire).expect("a wire");
        format!("{}{}", self.url(), wire.base())
    }

    /// All that was asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared.asked).clone()
    }

    /// From now on every request for the model ends as this name of the table says; `None`: as the model's own name
    /// says again.
    pub fn turn(&self, model: &str, fault: Option<&str>) {
        let mut turned = lock(&self.shared.turned);
        match fault {
            Some(fault) => turned.insert(model.to_owned(), fault.to_owned()),
            None => turned.remove(model),
        };
    }

    /// How often a model was asked so far, and how often it answered.
    #[must_use]
    pub fn wanted(&self, model: &str) -> Wanted {
        let wanted = lock(&self.shared.wanted);
        wanted.get(model).copied().unwrap_or_default()
    }

    /// How often a client closed its connection before its answer was whole.
    #[must_use]
    pub fn hung_up(&self) -> usize {
        self.shared.hung_up.load(Ordering::SeqCst)
    }

    /// How many connections were made.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) {
        let Ok(mut connection) = http::Connection::new(stream) else {
            return;
        };
        while let Some(asked) = connection.read() {
            let act = self.decide(&asked);
            lock(&self.asked).push(asked);
            match connection.play(act, &self.over) {
                http::End::Again => {}
                http::End::Closed => return,
                http::End::HungUp => {
                    self.hung_up.fetch_add(1, Ordering::SeqCst);
                    return;
                }
            }
        }
    }

    fn decide(&self, asked: &Asked) -> Act {
        let path = asked.path.split('?').next().unwrap_or_default();
        let Some((wire, rest)) = Wire::of_path(path) else {
            return Act::plain(404, "text/plain", "404 page not found");
        };
        if wire.key(asked).is_none_or(|key| key == "bad-key") && wire != Wire::Ollama {
            return faults::fault(wire, "401", "").expect("a fault");
        }
        let (model, stream) = match wire.request(&asked.method, rest, &asked.body) {
            wires::Request::Chat { model, stream } => (model, stream),
            wires::Request::Models => return Act::json(200, &wires::models(wire)),
            wires::Request::Count => return Act::json(200, &wires::count(wire)),
            wires::Request::Embeddings => return Act::json(200, &wires::embeddings()),
            wires::Request::Other => return wires::nowhere(wire),
        };
        let turned = lock(&self.turned).get(&model).cloned();
        let fault = turned
            .as_deref()
            .unwrap_or_else(|| model.rsplit("--").next().unwrap_or_default());
        let number = |prefix: &str| fault.strip_prefix(prefix)?.parse::<usize>().ok();
        if let Some(each) = number("flaky-") {
            let mut counts = lock(&self.counts);
            let count = counts.entry(model.clone()).or_default();
            *count += 1;
            if each > 0 && count.is_multiple_of(each) {
                return faults::fault(wire, "500", &model).expect("a fault");
            }
        }
        if let Some(milliseconds) = number("delay-") {
            std::thread::sleep(std::time::Duration::from_millis(milliseconds as u64));
        }
        let act = faults::fault(wire, fault, &model)
            .unwrap_or_else(|| act::answer(wire, fault, &model, stream));
        let mut wanted = lock(&self.wanted);
        let wanted = wanted.entry(model).or_default();
        wanted.asked += 1;
        wanted.served += usize::from(act.is_whole());
        act
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
