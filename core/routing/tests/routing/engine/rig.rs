//! A board, a router over it, and providers that fail as they are told to.

use crate::asking;
use callboard_limits::{
    Breaker, Call, Limit, LimitError, MIGRATIONS, Owner, PriceTable, breakers, calls_unlogged,
    limit_set,
};
use callboard_routing::chat::{Assembly, Chat, Event, Reply};
use callboard_routing::engine::{
    Answering, Ask, Parts, Patience, Provider, RouteSettings, Router, Settings, Target, Wanted,
};
use callboard_routing::failure::Failure;
use callboard_routing::route::Offer;
use callboard_routing::upstream::{Deadlines, Upstream};
use callboard_routing::wire::Wire;
use callboard_store::{Clock, Conn, Options, Store, StoreError, SystemClock, params};
use callboard_telemetry::CallLog;
use callboard_tests::upstream::Upstream as Scripted;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Long: no test waits for one of these unless it is about it.
pub const PATIENT: Deadlines = Deadlines {
    connect: Duration::from_secs(60),
    first_byte: Duration::from_secs(60),
    between: Duration::from_secs(60),
    total: Duration::from_secs(120),
};

/// Asks each candidate once.
pub const ONCE: Patience = Patience {
    retries: 0,
    pause_ms: 1,
    longest_pause_ms: 2,
    waits_beside_others_ms: 1,
    restarts: false,
};

/// One micro-dollar a token of input, a tenth from the cache, one and a quarter into it, two for an hour, four for output.
const RATES: &str = "input = 1\noutput = 4\ncached = 0.1\ncache_write = 1.25\ncache_write_1h = 2\n";

pub fn prices(models: &[&str]) -> Arc<PriceTable> {
    let mut text = "version = \"test\"\n".to_owned();
    for model in models {
        text.push_str(&format!(
            "[[price]]\nprovider = \"acme\"\nmodel = \"{model}\"\nsource = \"here\"\n{RATES}"
        ));
    }
    Arc::new(PriceTable::empty().with(&text).unwrap())
}

pub fn open(dir: &Path) -> Store {
    let tables = [callboard_telemetry::audit::MIGRATIONS, MIGRATIONS];
    Store::open(Options::board(dir), &tables).unwrap()
}

pub struct Rig {
    pub dir: TempDir,
    pub store: Store,
    pub router: Router,
}

pub fn parts(store: &Store, log: CallLog) -> Parts {
    Parts {
        store: store.clone(),
        log,
        clock: Arc::new(SystemClock),
        owner: Owner { pid: 1, start: 1 },
    }
}

pub fn rig(settings: Settings) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let router = Router::new(parts(&store, CallLog::disabled()), settings);
    Rig { dir, store, router }
}

/// A provider of the scripted upstream's by this name.
pub fn named(scripted: &Scripted, name: &str, wire: Wire, deadlines: Deadlines) -> Upstream {
    let mut endpoint = asking::endpoint(scripted, wire, deadlines);
    endpoint.name = name.to_owned();
    endpoint.account = String::new();
    // The clock by which the scripted upstream says its dates.
    Upstream::new(endpoint, asking::clock()).unwrap()
}

pub fn provider(upstream: Upstream) -> Provider {
    Provider {
        upstream,
        prices_as: "acme".to_owned(),
        models: BTreeMap::new(),
        offer: Offer::default(),
        confirm: false,
    }
}

/// Providers by name, and a route `r` over these candidates.
pub fn settings(providers: Vec<(&str, Provider)>, route: &[(&str, &str)]) -> Settings {
    let mut models: Vec<&str> = route.iter().map(|(_, model)| *model).collect();
    models.sort_unstable();
    models.dedup();
    let candidates = route
        .iter()
        .map(|(provider, model)| Target::new(*provider, *model));
    let chain = RouteSettings {
        candidates: candidates.collect(),
        ..RouteSettings::default()
    };
    Settings {
        providers: providers
            .into_iter()
            .map(|(name, provider)| (name.to_owned(), provider))
            .collect(),
        routes: BTreeMap::from([("r".to_owned(), chain)]),
        prices: prices(&models),
        patience: ONCE,
        ..Settings::default()
    }
}

/// One provider `main` on this wire, and a route over models of it.
pub fn simple(scripted: &Scripted, wire: Wire, models: &[&str]) -> Settings {
    let route: Vec<(&str, &str)> = models.iter().map(|model| ("main", *model)).collect();
    let main = provider(named(scripted, "main", wire, PATIENT));
    settings(vec![("main", main)], &route)
}

pub fn hi() -> Ask {
    Ask::new(Chat::ask("", "hi")).to(Wanted::Route("r".to_owned()))
}

impl Rig {
    /// Every call that has ended, in the order of their reservations.
    pub fn ended(&self) -> Vec<Call> {
        self.store.read_now(|c| calls_unlogged(c, 1_000)).unwrap()
    }

    pub fn held(&self) -> i64 {
        self.number("SELECT count(*) FROM reservations WHERE state = 'held'")
    }

    pub fn number(&self, sql: &str) -> i64 {
        let found: Result<Option<i64>, StoreError> = self
            .store
            .read_now(|c| c.query_one(sql, params![], |row| row.int(0)));
        found.unwrap().unwrap()
    }

    pub fn breakers(&self) -> Vec<Breaker> {
        let now = SystemClock.now_ms();
        self.store.read_now(|c| breakers(c, now)).unwrap()
    }

    /// Lets everybody be asked again.
    pub async fn forget_breakers(&self) {
        let forgotten = self.store.write(|c| {
            c.execute("DELETE FROM breakers", &[])?;
            Ok::<_, StoreError>(())
        });
        forgotten.await.unwrap();
    }

    pub async fn limit(&self, limit: Limit) {
        let set = move |c: &mut dyn Conn| limit_set(c, SystemClock.now_ms(), &limit);
        let set: Result<(), LimitError> = self.store.write(set).await;
        set.unwrap();
    }

    /// Waits until this many calls have ended and none is under way.
    pub async fn settled(&self, calls: usize) -> Vec<Call> {
        until(|| self.held() == 0 && self.ended().len() >= calls).await;
        let ended = self.ended();
        assert_eq!(ended.len(), calls, "{ended:?}");
        ended
    }
}

/// Waits without standing in the way of the connections, which need the same thread.
pub async fn until(done: impl Fn() -> bool) {
    let patience = tokio::time::timeout(Duration::from_secs(60), async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    patience.await.expect("it never came");
}

/// Reads a streamed answer to its end.
pub async fn read(answering: &mut Answering) -> Result<Reply, Failure> {
    let mut assembly = Assembly::default();
    while let Some(event) = answering.next().await {
        let event: Event = event?;
        assembly.take(event);
    }
    let reply = assembly.reply(None, Default::default());
    Ok(reply.expect("an end without its event"))
}
