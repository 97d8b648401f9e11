//! A board in a directory of its own, and short ways to ask it.

use callboard_limits::{
    Ask, Denied, Estimate, Limit, LimitError, MIGRATIONS, Owner, Priced, Reservation, Resource,
    Scope, Settlement, Span, Standing, Subject, limit_set, reserve, settle, standings,
};
use callboard_store::{Conn, Options, Store, StoreError, params};
use callboard_telemetry::usage::{Counted, MicroDollars, Tokens, Usage};
use std::path::Path;
use tempfile::TempDir;

/// Saturday 2026-11-21, 12:00:10 UTC.
pub const NOW: i64 = 1_795_262_410_000;
pub const MINUTE: i64 = 60_000;
pub const DAY: i64 = 86_400_000;
pub const ME: Owner = Owner { pid: 1, start: 1 };

pub struct Board {
    #[expect(dead_code, reason = "removed when dropped")]
    pub dir: TempDir,
    pub store: Store,
}

pub fn open(dir: &Path) -> Store {
    let tables = [callboard_telemetry::audit::MIGRATIONS, MIGRATIONS];
    Store::open(Options::board(dir), &tables).unwrap()
}

pub fn board() -> Board {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    Board { dir, store }
}

pub fn limit(scope: Scope, name: &str, resource: Resource, span: Span, amount: i64) -> Limit {
    Limit::new(scope, name, resource, span, amount)
}

pub fn subject(provider: &str, task: &str) -> Subject {
    Subject {
        provider: Some(provider.to_owned()),
        model: Some("m".to_owned()),
        account: Some("a".to_owned()),
        project: Some("p".to_owned()),
        task: Some(task.to_owned()),
    }
}

pub fn ask(call: &str, cost: i64) -> Ask {
    Ask {
        call: call.to_owned(),
        subject: subject("groq", "t"),
        owner: ME,
        until: NOW + 1_000 * DAY,
        estimate: Estimate {
            input: 100,
            output: 50,
            cost: Some(MicroDollars(cost)),
        },
        detail: "{}".to_owned(),
    }
}

pub fn used(input: u64, output: u64, cost: Option<i64>) -> Settlement {
    Settlement {
        usage: Some(Usage {
            tokens: Tokens {
                input,
                output,
                ..Tokens::default()
            },
            counted: Counted::Reported,
        }),
        cost: cost.map(|cost| Priced {
            cost: MicroDollars(cost),
            version: "v".to_owned(),
        }),
        detail: "{\"route\":\"r\"}".to_owned(),
    }
}

impl Board {
    pub fn write<T: Send + 'static>(
        &self,
        op: impl Fn(&mut dyn Conn) -> Result<T, LimitError> + Send + 'static,
    ) -> Result<T, LimitError> {
        self.store.write_blocking(op)
    }

    pub fn set(&self, limit: &Limit) {
        let limit = limit.clone();
        self.write(move |c| limit_set(c, NOW, &limit)).unwrap();
    }

    pub fn reserve(&self, now: i64, ask: &Ask) -> Result<Reservation, LimitError> {
        let ask = ask.clone();
        self.write(move |c| reserve(c, now, &ask))
    }

    pub fn denied(&self, now: i64, ask: &Ask) -> Denied {
        match self.reserve(now, ask) {
            Err(LimitError::Denied(denied)) => *denied,
            other => panic!("not denied: {other:?}"),
        }
    }

    pub fn settle(&self, now: i64, call: &str, settlement: &Settlement) -> bool {
        let (call, settlement) = (call.to_owned(), settlement.clone());
        self.write(move |c| settle(c, now, &call, &settlement))
            .unwrap()
    }

    pub fn release(&self, now: i64, call: &str) -> bool {
        let call = call.to_owned();
        self.write(move |c| callboard_limits::release(c, now, &call, "{}"))
            .unwrap()
    }

    pub fn standing(&self, now: i64) -> Vec<Standing> {
        self.store.read_now(|c| standings(c, now)).unwrap()
    }

    /// Used and held of the only limit.
    pub fn sums(&self, now: i64) -> (i64, i64) {
        let standings = self.standing(now);
        assert_eq!(standings.len(), 1, "{standings:?}");
        (standings[0].used, standings[0].held)
    }

    pub fn number(&self, sql: &str) -> i64 {
        number(&self.store, sql)
    }
}

pub fn number(store: &Store, sql: &str) -> i64 {
    let found = store.read_now(|c| c.query_one(sql, params![], |row| row.int(0)));
    let found: Result<Option<i64>, StoreError> = found;
    found.unwrap().unwrap()
}
