//! Requests that were turned away, in the audit, without letting whoever sends them fill the disk.
//!
//! For: the first of a kind from an address at once, the rest of its minute as one number. Not for:
//! deciding what to turn away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use callboard_store::actor::{self, Actor};
use callboard_store::{Clock, Store, StoreError, Value};

use super::audit_add;

/// How long refusals of one kind are counted together.
const MINUTE: Duration = Duration::from_secs(60);
/// Kinds and addresses that are told apart within a minute; more are counted under no address.
const TOLD_APART: usize = 64;

/// A request that was turned away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// One word for the reason: `unauthorized`, `forbidden`, `rate`, `host`, `origin`, ….
    pub reason: &'static str,
    /// Whose request it was, as far as that is known, from where, and for what.
    pub actor: Actor,
}

/// Takes refusals and writes them; clones share one count.
#[derive(Clone)]
pub struct Refusals(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    minute: Mutex<HashMap<Kind, Counted>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Kind {
    reason: &'static str,
    token: Option<String>,
    from: Option<String>,
}

struct Counted {
    last: Actor,
    more: i64,
}

impl Refusals {
    /// Writes into `store`, which has the audit's tables.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Refusals(Arc::new(Inner {
            store,
            clock,
            minute: Mutex::default(),
        }))
    }

    /// Takes one. The first of its kind in a minute is written at once, behind the caller's back; the others
    /// are counted, and written as one row when the minute is over. Call inside a runtime.
    pub fn record(&self, refusal: Refusal) {
        let mut minute = self.lock();
        let first_of_all = minute.is_empty();
        let kind = told_apart(&minute, &refusal);
        if let Some(counted) = minute.get_mut(&kind) {
            counted.more += 1;
            counted.last = refusal.actor;
            return;
        }
        let mut last = refusal.actor;
        last.from.clone_from(&kind.from);
        last.token.clone_from(&kind.token);
        minute.insert(
            kind,
            Counted {
                last: last.clone(),
                more: 0,
            },
        );
        drop(minute);
        let this = self.clone();
        tokio::spawn(async move {
            warn_of(this.write(vec![(refusal.reason, last, 1)]).await);
            if first_of_all {
                tokio::time::sleep(MINUTE).await;
                this.flush().await;
            }
        });
    }

    /// Writes what was counted so far: at the end of a minute, and when the program ends.
    pub async fn flush(&self) {
        let minute = std::mem::take(&mut *self.lock());
        let rows: Vec<_> = minute
            .into_iter()
            .filter(|(_, counted)| counted.more > 0)
            .map(|(kind, counted)| (kind.reason, counted.last, counted.more))
            .collect();
        if !rows.is_empty() {
            warn_of(self.write(rows).await);
        }
    }

    async fn write(&self, rows: Vec<(&'static str, Actor, i64)>) -> Result<(), StoreError> {
        let now = self.0.clock.now_ms();
        for (reason, actor, count) in rows {
            let write = self.0.store.write(move |c| {
                audit_add(c, now, "refused", reason, &[("count", Value::Int(count))])
            });
            actor::scope(Arc::new(actor), write).await?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Kind, Counted>> {
        // Counts are sound whoever panicked while holding them.
        self.0.minute.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told_apart(minute: &HashMap<Kind, Counted>, refusal: &Refusal) -> Kind {
    let kind = Kind {
        reason: refusal.reason,
        token: refusal.actor.token.clone(),
        from: refusal.actor.from.clone(),
    };
    if minute.len() < TOLD_APART || minute.contains_key(&kind) {
        return kind;
    }
    Kind {
        token: None,
        from: None,
        ..kind
    }
}

fn warn_of(written: Result<(), StoreError>) {
    if let Err(error) = written {
        tracing::warn!(%error, "a refusal is missing from the audit");
    }
}
