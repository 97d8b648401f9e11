//! The calls that this router is making.
//! For: extending their reservations while they last. Not for: anything that has to survive the process.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use callboard_limits::{LimitError, reservation_extend};

use super::attempt::LEASE_MS;
use super::router::Inner;

/// How often reservations are extended: three times before one would end.
const EACH: Duration = Duration::from_millis(LEASE_MS as u64 / 4);

/// Calls in the air, and whether somebody sees to them.
#[derive(Default)]
pub(super) struct Flights(Mutex<State>);

#[derive(Default)]
struct State {
    calls: HashSet<String>,
    tended: bool,
}

impl Flights {
    /// A call begins.
    pub(super) fn takes_off(&self, inner: &Arc<Inner>, call: &str) {
        let mut state = self.lock();
        state.calls.insert(call.to_owned());
        if !state.tended {
            state.tended = true;
            tokio::spawn(tend(Arc::downgrade(inner)));
        }
    }

    /// It is over.
    pub(super) fn lands(&self, call: &str) {
        self.lock().calls.remove(call);
    }

    fn all(&self) -> Vec<String> {
        let mut state = self.lock();
        // Nobody is in the air: whoever takes off next sends for somebody again.
        state.tended = !state.calls.is_empty();
        state.calls.iter().cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Extends reservations until there are none or the router is gone.
async fn tend(router: Weak<Inner>) {
    let _leaves = Leaves(router.clone());
    loop {
        tokio::time::sleep(EACH).await;
        let Some(inner) = router.upgrade() else {
            return;
        };
        let calls = inner.flights.all();
        if calls.is_empty() {
            return;
        }
        extend(&inner, calls).await;
    }
}

pub(super) async fn extend(inner: &Inner, calls: Vec<String>) {
    let until = inner.parts.clock.now_ms() + LEASE_MS;
    let extending = inner
        .parts
        .store
        .write_relaxed(move |c| -> Result<(), LimitError> {
            for call in &calls {
                reservation_extend(c, call, until)?;
            }
            Ok(())
        });
    if let Err(error) = extending.await {
        tracing::warn!(%error, "reservations of calls under way could not be extended");
    }
}

/// A runtime that ends takes the task with it; the next one is to have another.
struct Leaves(Weak<Inner>);

impl Drop for Leaves {
    fn drop(&mut self) {
        if let Some(inner) = self.0.upgrade() {
            inner.flights.lock().tended = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Parts, Router, Settings};
    use callboard_limits::{Ask, Estimate, MIGRATIONS, Owner, Subject, call_get, reserve};
    use callboard_store::{FixedClock, Options, Store};
    use callboard_telemetry::CallLog;

    #[tokio::test]
    async fn a_call_that_lasts_keeps_what_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let tables = [callboard_telemetry::audit::MIGRATIONS, MIGRATIONS];
        let store = Store::open(Options::board(dir.path()), &tables).unwrap();
        let clock = Arc::new(FixedClock::new(1_000));
        let parts = Parts {
            store: store.clone(),
            log: CallLog::disabled(),
            clock: clock.clone(),
            owner: Owner { pid: 1, start: 1 },
        };
        let router = Router::new(parts, Settings::default());
        let ask = Ask {
            call: "c_1".to_owned(),
            subject: Subject::default(),
            owner: Owner { pid: 1, start: 1 },
            until: 1_000 + LEASE_MS,
            estimate: Estimate::default(),
            detail: "{}".to_owned(),
        };
        let reserved = store.write_relaxed(move |c| reserve(c, 1_000, &ask).map(drop));
        reserved.await.unwrap();
        let flights = &router.inner.flights;
        flights.takes_off(&router.inner, "c_1");
        clock.advance(30_000);
        extend(&router.inner, flights.all()).await;
        let until = |id: &str| store.read_now(|c| call_get(c, id)).unwrap().until;
        assert_eq!(until("c_1"), 31_000 + LEASE_MS);
        flights.lands("c_1");
        assert!(flights.all().is_empty());
        // Whoever comes next is seen to again.
        assert!(!flights.lock().tended);
    }
}
