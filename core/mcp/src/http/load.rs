//! How much a server is doing just now.

use std::sync::{Arc, OnceLock, Weak};

use tokio_util::task::TaskTracker;

use super::route::Site;

/// Counts of what is open; for whoever wants to see that nothing stays behind.
#[derive(Clone, Default)]
pub struct Load(Arc<OnceLock<(Weak<Site>, TaskTracker)>>);

impl Load {
    pub(crate) fn begin(&self, site: &Arc<Site>, connections: &TaskTracker) {
        let _ = self.0.set((Arc::downgrade(site), connections.clone()));
    }

    /// Connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.get().map_or(0, |(_, connections)| connections.len())
    }

    /// Sessions, of all servers together.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.site().map_or(0, |site| site.quota.taken_seats())
    }

    /// Calls at work.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.site().map_or(0, |site| {
            site.mounts.iter().map(|mount| mount.calls()).sum()
        })
    }

    fn site(&self) -> Option<Arc<Site>> {
        self.0.get().and_then(|(site, _)| site.upgrade())
    }
}
