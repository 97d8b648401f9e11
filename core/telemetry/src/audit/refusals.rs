//! Requests that were turned away, in the audit, without letting whoever sends them fill the disk.
//!
//! For: the first of a kind from an address at once, the rest of its minute as one number. Not for:
//! deciding what to turn away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use callboard_store::actor::{self, Actor};
use callboard_store::{Clock, Store, StoreError, Value};
use tokio::task::JoinHandle;

use super::audit_add;

/// How long refusals of one kind are counted together.
const MINUTE: Duration = Duration::from_secs(60);
/// Kinds that are told apart within a minute of requests without a good token, whose paths and addresses anybody
/// can make up, and as many more of those with one. What is beyond is counted together.
const TOLD_APART: usize = 64;
const TOLD_APART_OF_TOKENS: usize = 256;
/// What those are counted under.
const BEYOND: &str = "many";

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
    /// Rows that are on their way to the board.
    writing: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Kind {
    reason: &'static str,
    whose: Option<Whose>,
}

/// Nobody's is everything that is not told apart any more.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Whose {
    token: Option<String>,
    from: Option<String>,
    /// The tool or the path.
    action: String,
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
            writing: Mutex::default(),
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
            if kind.whose.is_some() {
                counted.last = refusal.actor;
            }
            return;
        }
        let reason = kind.reason;
        let last = match &kind.whose {
            Some(_) => refusal.actor,
            None => Actor::new("-", refusal.actor.via, "-"),
        };
        minute.insert(
            kind,
            Counted {
                last: last.clone(),
                more: 0,
            },
        );
        drop(minute);
        let this = self.clone();
        let written =
            tokio::spawn(async move { warn_of(this.write(vec![(reason, last, 1)]).await) });
        let mut writing = self.writing();
        writing.retain(|row| !row.is_finished());
        writing.push(written);
        drop(writing);
        if first_of_all {
            let this = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(MINUTE).await;
                this.flush().await;
            });
        }
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
        let writing = std::mem::take(&mut *self.writing());
        for row in writing {
            // One that failed has said so.
            let _ = row.await;
        }
    }

    fn writing(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.0
            .writing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
    let (reason, actor) = (refusal.reason, &refusal.actor);
    let kind = Kind {
        reason,
        whose: Some(Whose {
            token: actor.token.clone(),
            from: actor.from.clone(),
            action: actor.action.clone(),
        }),
    };
    if minute.contains_key(&kind) {
        return kind;
    }
    let with_token = |whose: &Whose| whose.token.is_some();
    let like_it = |known: &&Kind| {
        let known = known.whose.as_ref().map(with_token);
        known == Some(actor.token.is_some())
    };
    let most = match actor.token {
        Some(_) => TOLD_APART_OF_TOKENS,
        None => TOLD_APART,
    };
    if minute.keys().filter(like_it).count() < most {
        return kind;
    }
    let (reason, whose) = (BEYOND, None);
    Kind { reason, whose }
}

fn warn_of(written: Result<(), StoreError>) {
    if let Err(error) = written {
        tracing::warn!(%error, "a refusal is missing from the audit");
    }
}
