//! How each model has done lately, looked up at most once a second.
//! For: values for decisions that cost a call nothing. Not for: whether it may be asked (breakers know).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use callboard_telemetry::CallLog;
use callboard_telemetry::query::{Recent, recent};

use crate::route::Window;

/// How far back is looked.
const LOOKED_BACK_MS: i64 = 15 * 60 * 1_000;
/// How old what is known may be.
const FRESH: Duration = Duration::from_secs(1);
/// How long a look may take before what is known must do.
const PATIENCE: Duration = Duration::from_millis(250);

pub(super) type Known = HashMap<(String, String, String), Window>;

/// What is known, and since when. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Health {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    known: Arc<Known>,
    looked: Option<Instant>,
}

impl Health {
    /// What is known. Where that is old, somebody looks beside the call, for those that come after it.
    pub(super) fn known_for(&self, log: &CallLog, now: i64) -> Arc<Known> {
        if self.due() {
            let (health, log) = (self.clone(), log.clone());
            tokio::spawn(async move { health.look(&log, now).await });
        }
        self.known()
    }

    /// What is known after a look, if it was time for one.
    pub(super) async fn fresh(&self, log: &CallLog, now: i64) -> Arc<Known> {
        if self.due() {
            self.look(log, now).await;
        }
        self.known()
    }

    async fn look(&self, log: &CallLog, now: i64) {
        let since = now - LOOKED_BACK_MS;
        let found = tokio::time::timeout(PATIENCE, log.query(move |c| recent(c, since))).await;
        // Without a log nothing is known, and nobody is thought ill of.
        if let Ok(Ok(found)) = found {
            self.lock().known = Arc::new(found.into_iter().map(entry).collect());
        }
    }

    fn due(&self) -> bool {
        let mut state = self.lock();
        let due = state.looked.is_none_or(|looked| looked.elapsed() >= FRESH);
        if due {
            state.looked = Some(Instant::now());
        }
        due
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.lock().known)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn entry(recent: Recent) -> ((String, String, String), Window) {
    let window = Window {
        calls: recent.calls,
        failures: recent.failures,
        p50_ms: recent.p50_us.map(|us| us.div_ceil(1_000)),
    };
    ((recent.provider, recent.model, recent.account), window)
}
