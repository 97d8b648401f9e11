//! Hints between processes that something changed.
//!
//! For: one datagram to every socket in a directory after a commit. A hint says "look", never what
//! changed, and may be lost: listeners poll slowly besides. Not for: carrying data.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

use crate::random::Random;

/// How long a listener waits for a hint before it looks without one.
pub(crate) const POLL: Duration = Duration::from_millis(250);
/// As [`POLL`], while somebody watches closely.
pub(crate) const CLOSE_POLL: Duration = Duration::from_millis(80);

/// How old a list of sockets may get. The directory's time stamp shows most additions at once, but has
/// the resolution of a scheduler tick.
const LIST_AGE: Duration = Duration::from_secs(1);

/// The counter that callers watch, shared by everything in this process that learns of a change.
#[derive(Debug, Clone)]
pub(crate) struct Changes {
    counter: Arc<watch::Sender<u64>>,
    /// The name of this process's own socket, once it listens.
    own: Arc<OnceLock<String>>,
    /// How many watch closely.
    close: Arc<AtomicUsize>,
}

impl Changes {
    pub(crate) fn new() -> Self {
        Self {
            counter: Arc::new(watch::Sender::new(0)),
            own: Arc::default(),
            close: Arc::default(),
        }
    }

    pub(crate) fn bump(&self) {
        self.counter.send_modify(|count| *count += 1);
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.counter.subscribe()
    }

    /// Whoever is the first has to end the wait that is under way: it was begun with the slow poll.
    pub(crate) fn subscribe_closely(&self) -> (CloseChanges, bool) {
        let first = self.close.fetch_add(1, Ordering::SeqCst) == 0;
        let watching = CloseChanges {
            counter: self.subscribe(),
            close: Arc::clone(&self.close),
        };
        (watching, first)
    }

    /// How long to wait for a hint before looking without one.
    pub(crate) fn poll(&self) -> Duration {
        if self.close.load(Ordering::SeqCst) == 0 {
            POLL
        } else {
            CLOSE_POLL
        }
    }
}

/// The counter of [`Store::changes`](crate::Store::changes) for somebody who wants to know soon even when a hint
/// got lost: while any of these lives, the store looks for commits of other processes every 80 ms.
#[derive(Debug)]
pub struct CloseChanges {
    counter: watch::Receiver<u64>,
    close: Arc<AtomicUsize>,
}

impl CloseChanges {
    /// Waits for the next change that was not seen yet. Never, once the store is closed.
    pub async fn changed(&mut self) {
        if self.counter.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for CloseChanges {
    fn drop(&mut self) {
        self.close.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A directory of sockets, addressed through its descriptor: a socket's address holds 108 bytes, and a
/// board may lie deeper than that.
#[derive(Debug)]
struct Sockets {
    dir: File,
    path: PathBuf,
}

impl Sockets {
    fn open(path: &Path) -> io::Result<Self> {
        let dir = File::open(path)?;
        Ok(Self {
            dir,
            path: path.to_owned(),
        })
    }

    fn address(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.dir.as_raw_fd()))
    }

    fn modified(&self) -> Option<SystemTime> {
        self.dir.metadata().and_then(|data| data.modified()).ok()
    }

    fn names(&self) -> BTreeSet<String> {
        let entries = std::fs::read_dir(&self.path)
            .into_iter()
            .flatten()
            .flatten();
        entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| name.ends_with(".sock"))
            .collect()
    }

    fn remove(&self, name: &str) {
        // Another process may have removed it first.
        drop(std::fs::remove_file(self.path.join(name)));
    }
}

/// The sending side, owned by the writer.
pub(crate) struct Announcer {
    changes: Changes,
    peers: Option<Peers>,
}

impl Announcer {
    /// Without a directory, or where sockets are impossible, only this process is told.
    pub(crate) fn new(changes: Changes, dir: Option<&Path>) -> Self {
        let peers = dir.and_then(|dir| {
            Peers::open(dir)
                .inspect_err(|error| tracing::warn!(dir = %dir.display(), %error, "no change hints to other processes"))
                .ok()
        });
        Self { changes, peers }
    }

    /// Tells this process that a commit changed something.
    pub(crate) fn here(&self) {
        self.changes.bump();
    }

    /// Tells the other processes. One that dies just before leaves its peers to their slow poll.
    pub(crate) fn others(&mut self) {
        if let Some(peers) = &mut self.peers {
            peers.hint(self.changes.own.get());
        }
    }
}

struct Peers {
    sockets: Sockets,
    from: UnixDatagram,
    names: BTreeSet<String>,
    listed: Option<(Instant, Option<SystemTime>)>,
}

impl Peers {
    fn open(dir: &Path) -> io::Result<Self> {
        let from = UnixDatagram::unbound()?;
        from.set_nonblocking(true)?;
        Ok(Self {
            sockets: Sockets::open(dir)?,
            from,
            names: BTreeSet::new(),
            listed: None,
        })
    }

    fn hint(&mut self, own: Option<&String>) {
        self.refresh();
        let Self {
            sockets,
            from,
            names,
            ..
        } = self;
        names.retain(|name| Some(name) == own || reached(sockets, from, name));
    }

    fn refresh(&mut self) {
        let modified = self.sockets.modified();
        let current = self
            .listed
            .is_some_and(|(at, stamp)| at.elapsed() < LIST_AGE && stamp == modified);
        if !current {
            self.names = self.sockets.names();
            self.listed = Some((Instant::now(), modified));
        }
    }
}

/// False if nobody will ever listen there again.
fn reached(sockets: &Sockets, from: &UnixDatagram, name: &str) -> bool {
    match from.send_to(&[1], sockets.address(name)) {
        // A datagram socket listens from the moment it exists: its process is gone.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            sockets.remove(name);
            false
        }
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        // A full queue holds hints enough.
        _ => true,
    }
}

/// The receiving side: one socket of this process, removed when dropped.
pub(crate) struct Mailbox {
    sockets: Sockets,
    socket: UnixDatagram,
    name: String,
    patience: Cell<Duration>,
}

impl Mailbox {
    /// A fresh socket in `dir`; hints from this process's own writer do not come here.
    pub(crate) fn open(dir: &Path, changes: &Changes) -> io::Result<Self> {
        let sockets = Sockets::open(dir)?;
        let name = format!(
            "{}-{:016x}.sock",
            std::process::id(),
            Random::from_system().next()
        );
        let socket = UnixDatagram::bind(sockets.address(&name))?;
        socket.set_read_timeout(Some(POLL))?;
        drop(changes.own.set(name.clone()));
        Ok(Self {
            sockets,
            socket,
            name,
            patience: Cell::new(POLL),
        })
    }

    /// Waits for a hint, at most `patience`, and swallows those that came with it.
    pub(crate) fn wait(&self, patience: Duration) {
        if self.patience.replace(patience) != patience {
            drop(self.socket.set_read_timeout(Some(patience)));
        }
        match self.socket.recv(&mut [0]) {
            Ok(_) => self.drain(),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            // Whatever else: poll, but do not spin.
            Err(_) => std::thread::sleep(POLL),
        }
    }

    fn drain(&self) {
        drop(self.socket.set_nonblocking(true));
        while self.socket.recv(&mut [0]).is_ok() {}
        drop(self.socket.set_nonblocking(false));
    }

    /// A way to end another thread's [`wait`](Self::wait) early.
    pub(crate) fn waker(&self) -> Option<UnixDatagram> {
        let waker = UnixDatagram::unbound().ok()?;
        waker.connect(self.sockets.address(&self.name)).ok()?;
        waker.set_nonblocking(true).ok()?;
        Some(waker)
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.sockets.remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Announcer {
        fn announce(&mut self) {
            self.here();
            self.others();
        }
    }

    fn hinted(mailbox: &Mailbox) -> bool {
        mailbox.socket.set_nonblocking(true).unwrap();
        mailbox.socket.recv(&mut [0]).is_ok()
    }

    #[test]
    fn a_hint_reaches_every_other_mailbox_but_not_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let (here, there) = (Changes::new(), Changes::new());
        let own = Mailbox::open(dir.path(), &here).unwrap();
        let other = Mailbox::open(dir.path(), &there).unwrap();
        let watched = here.subscribe();
        Announcer::new(here.clone(), Some(dir.path())).announce();
        // A datagram on a local socket is there once it has been sent.
        assert!(hinted(&other));
        assert!(!hinted(&own));
        assert!(watched.has_changed().unwrap());
    }

    #[test]
    fn the_poll_is_close_only_while_somebody_watches_closely() {
        let changes = Changes::new();
        let _slow = changes.subscribe();
        assert_eq!(changes.poll(), POLL);
        let (one, first) = changes.subscribe_closely();
        let (other, second) = changes.subscribe_closely();
        assert!(first && !second);
        drop(one);
        assert_eq!(changes.poll(), CLOSE_POLL);
        drop(other);
        assert_eq!(changes.poll(), POLL);
        assert!(changes.subscribe_closely().1);
    }

    #[test]
    fn a_mailbox_that_appears_later_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let mut announcer = Announcer::new(Changes::new(), Some(dir.path()));
        announcer.announce();
        let late = Mailbox::open(dir.path(), &Changes::new()).unwrap();
        // As if the list had aged: the directory's time stamp may be too coarse to tell.
        announcer.peers.as_mut().unwrap().listed = None;
        announcer.announce();
        assert!(hinted(&late));
    }

    #[test]
    fn the_socket_of_a_dead_process_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let dead = dir.path().join("1-dead.sock");
        drop(UnixDatagram::bind(&dead).unwrap());
        assert!(dead.exists());
        Announcer::new(Changes::new(), Some(dir.path())).announce();
        assert!(!dead.exists());
    }

    #[test]
    fn a_full_mailbox_keeps_nobody_waiting_and_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let mailbox = Mailbox::open(dir.path(), &Changes::new()).unwrap();
        let mut announcer = Announcer::new(Changes::new(), Some(dir.path()));
        for _ in 0..5_000 {
            announcer.announce();
        }
        assert!(hinted(&mailbox));
        mailbox.drain();
        announcer.announce();
        assert!(hinted(&mailbox));
    }

    #[test]
    fn a_mailbox_removes_its_socket_and_works_below_a_deep_directory() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(100)).join("e".repeat(100));
        std::fs::create_dir_all(&deep).unwrap();
        let mailbox = Mailbox::open(&deep, &Changes::new()).unwrap();
        Announcer::new(Changes::new(), Some(&deep)).announce();
        assert!(hinted(&mailbox));
        drop(mailbox);
        assert_eq!(std::fs::read_dir(&deep).unwrap().count(), 0);
    }
}
