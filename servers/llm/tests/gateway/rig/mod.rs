//! The gateway over real HTTP, with a scripted provider behind it that speaks the four wires.

pub mod ask;

use callboard_board as board;
use callboard_limits::{Owner, PriceTable, calls_unlogged};
use callboard_llm_server::gateway::Gateway;
use callboard_mcp::access::{NewToken, Policy, TokenGate, TokenText, token_add, token_revoke};
use callboard_mcp::http::{Http, Limits, Listener, Plaintext, Stop};
use callboard_mcp::{Gate, Grant, Role};
use callboard_redact::Secret;
use callboard_routing::engine::{
    Parts, Patience, Provider, RouteSettings, Router, Settings, Target, row_of,
};
use callboard_routing::route::Offer;
use callboard_routing::upstream::{Deadlines, Endpoint, Upstream};
use callboard_routing::wire::Wire;
use callboard_store::{Clock, Store, SystemClock};
use callboard_telemetry::llm::LlmCall;
use callboard_telemetry::{CallLog, llm};
use callboard_tests::http::Exchange;
use callboard_tests::upstream::Upstream as Scripted;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What each provider is asked with; nobody else may ever see it.
pub const CANARY: &str = "sk-canary-0123456789abcdef";

/// A gateway at work. Its routes have the names of the wires, and `ROUTE--FAULT` asks for a provider's fault.
pub struct Rig {
    pub scripted: Scripted,
    pub store: Store,
    pub stop: Stop,
    pub address: SocketAddr,
    pub token: String,
    /// Serves as long as the rig lives.
    _runtime: tokio::runtime::Runtime,
    _dir: tempfile::TempDir,
}

fn provider(scripted: &Scripted, wire: Wire) -> Provider {
    let endpoint = Endpoint {
        name: wire.as_str().to_owned(),
        wire,
        base_url: scripted.base(wire.as_str()),
        key: Some(Secret::new(CANARY.to_owned())),
        account: String::new(),
        headers: Vec::new(),
        deadlines: Deadlines {
            first_byte: Duration::from_secs(20),
            ..Deadlines::default()
        },
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Provider {
        upstream: Upstream::new(endpoint, clock).unwrap(),
        prices_as: wire.as_str().to_owned(),
        models: BTreeMap::from([("ok".to_owned(), Offer::default())]),
        offer: Offer::default(),
        confirm: false,
    }
}

/// Each wire is a provider, with a route of its name to its model `ok`.
pub fn settings(scripted: &Scripted) -> Settings {
    let providers = Wire::ALL.map(|wire| (wire.as_str().to_owned(), provider(scripted, wire)));
    let routes = Wire::ALL.map(|wire| {
        let route = RouteSettings {
            candidates: vec![Target::new(wire.as_str(), "ok")],
            ..RouteSettings::default()
        };
        (wire.as_str().to_owned(), route)
    });
    Settings {
        providers: providers.into(),
        routes: routes.into(),
        default_route: Some("anthropic".to_owned()),
        prices: Arc::new(PriceTable::default()),
        patience: Patience::default(),
        breaker: callboard_limits::Patience::default(),
        privacy: llm::Privacy::default(),
    }
}

impl Rig {
    pub fn new() -> Rig {
        Rig::with(|_, _| {})
    }

    /// With other settings.
    pub fn with(change: impl FnOnce(&Scripted, &mut Settings)) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let store = board::open(dir.path()).unwrap();
        let scripted = Scripted::start();
        let mut settings = settings(&scripted);
        change(&scripted, &mut settings);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let parts = Parts {
            store: store.clone(),
            log: CallLog::open(dir.path()),
            clock: Arc::clone(&clock),
            owner: Owner {
                pid: std::process::id(),
                start: 1,
            },
        };
        let router = Router::new(parts, settings);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let stop = Stop::new();
        let gate = TokenGate::new(store.clone(), Arc::clone(&clock), Policy::default());
        let gateway = Gateway::new(router, clock);
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let listening = Listener::plain(local, Plaintext::Loopback);
        let listener = runtime.block_on(listening).unwrap();
        let address = listener.address();
        let http = Http::new(Arc::new(gate) as Arc<dyn Gate>)
            .limits(Limits {
                ending: Duration::from_millis(200),
                ..Limits::default()
            })
            .endpoints(Arc::new(gateway));
        runtime.spawn(http.serve(listener, stop.clone()));
        let mut rig = Rig {
            scripted,
            store,
            stop,
            address,
            token: String::new(),
            _runtime: runtime,
            _dir: dir,
        };
        let grant = Grant {
            agent: Some("robin".to_owned()),
            project: Some("site".to_owned()),
            ..Grant::default()
        };
        rig.token = rig.add("agent", Role::Viewer, Some(grant));
        rig
    }

    /// A new token.
    pub fn add(&self, name: &str, role: Role, grant: Option<Grant>) -> String {
        let text = TokenText::generate().unwrap();
        let new = NewToken {
            name: name.to_owned(),
            role,
            grant,
            lifetime_ms: Some(3_600_000),
        };
        let (now, kept) = (SystemClock.now_ms(), text.clone());
        let added = self
            .store
            .write_blocking(move |c| token_add(c, now, &kept, &new));
        added.unwrap();
        text.reveal().to_owned()
    }

    pub fn revoke(&self, name: &'static str) {
        let now = SystemClock.now_ms();
        let revoked = self
            .store
            .write_blocking(move |c| token_revoke(c, now, name));
        revoked.unwrap();
    }

    /// Sends a request with these headers alone, and does not wait.
    pub fn begin(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Exchange {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        let mut exchange = Exchange::connect(self.address);
        exchange.raw(text.as_bytes());
        exchange.raw(body.as_bytes());
        exchange
    }

    /// The same, with the head of the answer.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Exchange {
        let mut exchange = self.begin(method, path, headers, body);
        exchange.head();
        exchange
    }

    /// Posts JSON with the agent's token.
    pub fn post(&self, path: &str, body: &Value) -> Exchange {
        let bearer = format!("Bearer {}", self.token);
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("x-request-id", "r-1"),
        ];
        self.send("POST", path, &headers, &body.to_string())
    }

    pub fn get(&self, path: &str, more: &[(&str, &str)]) -> Exchange {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend_from_slice(more);
        self.send("GET", path, &headers, "")
    }

    /// The rows of the calls that have ended, oldest first, once there are that many.
    pub fn rows(&self, count: usize) -> Vec<LlmCall> {
        let mut rows = Vec::new();
        self.until("as many calls have ended", || {
            let ended = self.store.read_now(|c| calls_unlogged(c, 1_000));
            rows = ended.unwrap().iter().map(row_of).collect();
            rows.len() >= count
        });
        assert_eq!(rows.len(), count, "{rows:#?}");
        rows
    }

    /// Lets everybody be asked again.
    pub fn forget_breakers(&self) {
        let forgotten = self.store.write_blocking(|c| {
            c.execute("DELETE FROM breakers", &[])?;
            Ok::<_, callboard_store::StoreError>(())
        });
        forgotten.unwrap();
    }

    /// Waits until something holds.
    pub fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let held = callboard_tests::wait_until(Duration::from_secs(30), &mut holds);
        assert!(held, "never: {what}");
    }
}

/// Everything that an answer streams.
pub fn events(exchange: &mut Exchange) -> Vec<String> {
    std::iter::from_fn(|| exchange.event()).collect()
}
