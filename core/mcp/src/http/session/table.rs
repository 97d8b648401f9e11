//! Which sessions there are, and how many there may be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Bounds, LOOK, Session, SessionError, Style};
use crate::Caller;
use crate::http::random;

/// Whose a session is: the token, or the caller's name where no token was shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Owner(String);

impl Owner {
    pub(crate) fn of(caller: &Caller) -> Self {
        Owner(match &caller.token {
            Some(token) => format!("token {token}"),
            None => format!("name {}", caller.name),
        })
    }
}

/// How many sessions there may be, of all servers together.
pub(crate) struct Quota {
    total: usize,
    each: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    total: usize,
    by: HashMap<Owner, usize>,
}

/// A session's place; given back when it is dropped.
pub(crate) struct Seat {
    quota: Arc<Quota>,
    owner: Owner,
}

impl Quota {
    pub(crate) fn new(total: usize, each: usize) -> Arc<Self> {
        Arc::new(Quota {
            total,
            each,
            taken: Mutex::default(),
        })
    }

    /// Whether a session of `owner`'s would get a place.
    pub(crate) fn has_room(&self, owner: &Owner) -> bool {
        let taken = self.taken();
        let his = taken.by.get(owner).copied().unwrap_or(0);
        taken.total < self.total && his < self.each
    }

    /// A place for a session of `owner`'s, if there is one.
    pub(crate) fn seat(self: &Arc<Self>, owner: Owner) -> Option<Seat> {
        let mut taken = self.taken();
        let his = taken.by.get(&owner).copied().unwrap_or(0);
        if taken.total >= self.total || his >= self.each {
            return None;
        }
        taken.total += 1;
        *taken.by.entry(owner.clone()).or_default() += 1;
        drop(taken);
        Some(Seat {
            quota: Arc::clone(self),
            owner,
        })
    }

    /// How many sessions there are.
    pub(crate) fn taken_seats(&self) -> usize {
        self.taken().total
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    pub(crate) fn owner(&self) -> &Owner {
        &self.owner
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.quota.taken();
        taken.total -= 1;
        if let Some(his) = taken.by.get_mut(&self.owner) {
            *his -= 1;
            if *his == 0 {
                taken.by.remove(&self.owner);
            }
        }
    }
}

/// The sessions of one server.
pub(crate) struct Table {
    quota: Arc<Quota>,
    bounds: Bounds,
    idle: Duration,
    open: Mutex<HashMap<Arc<str>, Arc<Session>>>,
}

impl Table {
    pub(crate) fn new(quota: Arc<Quota>, bounds: Bounds, idle: Duration) -> Arc<Self> {
        Arc::new(Table {
            quota,
            bounds,
            idle,
            open: Mutex::default(),
        })
    }

    pub(crate) fn begin(&self, owner: Owner, style: Style) -> Result<Arc<Session>, SessionError> {
        let seat = self.quota.seat(owner).ok_or(SessionError::Full)?;
        let id: Arc<str> = random::hex::<16>("s_").into();
        let session = Session::new(Arc::clone(&id), style, self.bounds, seat);
        self.open().insert(id, Arc::clone(&session));
        Ok(session)
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Session>> {
        self.open().get(id).cloned()
    }

    /// Ends the session of that id, if there is one.
    pub(crate) fn end(&self, id: &str) {
        let ended = self.open().remove(id);
        if let Some(session) = ended {
            session.close();
        }
    }

    /// Completes when no session waits for an answer of the server's.
    pub(crate) async fn answered(&self) {
        while self.open().values().any(|session| session.at_work() > 0) {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends every session, and tells which.
    pub(crate) fn end_all(&self) -> Vec<Arc<Session>> {
        let ended: Vec<_> = self.open().drain().map(|(_, session)| session).collect();
        for session in &ended {
            session.close();
        }
        ended
    }

    /// Ends the sessions nobody uses.
    pub(crate) fn sweep(&self) {
        let open: Vec<_> = self.open().values().cloned().collect();
        for session in &open {
            session.forget();
        }
        for session in open.iter().filter(|session| session.is_idle(self.idle)) {
            tracing::debug!(session = session.short_id(), "an idle session ends");
            self.end(&session.id);
            session.end_streams();
        }
    }

    /// How often to sweep.
    pub(crate) fn sweep_every(&self) -> Duration {
        (self.idle / 4).clamp(Duration::from_millis(20), Duration::from_secs(30))
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Session>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
