//! Noticing that a resource is another one than before.
//!
//! For: one task for each resource that somebody is subscribed to; it sleeps until something stirs, looks, and
//! counts the looks that saw another content. Not for: telling clients.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use callboard_store::actor;
use futures_util::FutureExt as _;
use futures_util::future::select_all;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::call::BoxFuture;
use crate::watch::{Sight, Stamp};
use crate::{ErrorKind, ToolError};

/// How often files are asked for. With [`REST`] and a look it stays well under the 250 ms in which a subscriber
/// is to know.
const TICK: Duration = Duration::from_millis(100);
/// What comes sooner after a look waits this long: a burst of changes is told in few notices, the last included.
const REST: Duration = Duration::from_millis(50);
/// After a look that failed.
const RETRY: Duration = Duration::from_millis(500);
/// The longest look.
const LOOK: Duration = Duration::from_secs(10);
/// Resources of one server that may be watched at once.
const MAX_POSTS: usize = 4_096;

/// One look at one resource.
pub(crate) type Look = Arc<dyn Fn() -> BoxFuture<'static, Result<Sight, ToolError>> + Send + Sync>;

/// The lookouts of one server, each there while somebody is subscribed.
#[derive(Default)]
pub(crate) struct Lookouts {
    posts: Mutex<HashMap<String, Weak<Post>>>,
}

/// One lookout; it ends with the last that holds it.
struct Post {
    key: String,
    seen: watch::Receiver<Seen>,
    task: AbortHandle,
    home: Weak<Lookouts>,
}

#[derive(Clone)]
enum Seen {
    /// The first look is under way.
    Nothing,
    /// How many looks saw something new since.
    Changes(u64),
    /// The first look found nothing to watch.
    Failed(ToolError),
}

/// A subscriber's hold on a lookout.
pub(crate) struct Watching {
    seen: watch::Receiver<Seen>,
    _post: Arc<Post>,
}

impl Watching {
    /// Waits for the next change that this subscriber does not know of; many may have become one.
    pub(crate) async fn changed(&mut self) {
        if self.seen.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Lookouts {
    /// Waits until the resource `key` was looked at once; what changes from then on is told.
    pub(crate) async fn join(
        self: &Arc<Self>,
        key: String,
        look: Look,
    ) -> Result<Watching, ToolError> {
        let post = self.post(key, look)?;
        let mut seen = post.seen.clone();
        let first = seen
            .wait_for(|seen| !matches!(seen, Seen::Nothing))
            .await
            .map(|seen| seen.clone());
        match first {
            Ok(Seen::Failed(error)) => Err(error),
            Ok(_) => Ok(Watching { seen, _post: post }),
            Err(_) => Err(ToolError::unavailable("the server is shutting down")),
        }
    }

    /// How many resources are watched.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.locked().len()
    }

    fn post(self: &Arc<Self>, key: String, look: Look) -> Result<Arc<Post>, ToolError> {
        let mut posts = self.locked();
        if let Some(post) = posts.get(&key).and_then(Weak::upgrade) {
            return Ok(post);
        }
        if posts.len() >= MAX_POSTS {
            return Err(ToolError::new(
                ErrorKind::Limit,
                format!("{MAX_POSTS} resources of this server are subscribed to already"),
            )
            .hint("end subscriptions that are no longer needed"));
        }
        let (tell, seen) = watch::channel(Seen::Nothing);
        let post = Arc::new(Post {
            key: key.clone(),
            seen,
            task: actor::spawn(keep_looking(look, tell)).abort_handle(),
            home: Arc::downgrade(self),
        });
        posts.insert(key, Arc::downgrade(&post));
        Ok(post)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<String, Weak<Post>>> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(home) = self.home.upgrade() {
            let mut posts = home.locked();
            // Somebody may have come just now and have a new one.
            if posts
                .get(&self.key)
                .is_some_and(|post| post.strong_count() == 0)
            {
                posts.remove(&self.key);
            }
        }
    }
}

async fn keep_looking(look: Look, tell: watch::Sender<Seen>) {
    let mut sight = match look_once(&look).await {
        Ok(sight) => sight,
        Err(error) => {
            tell.send_replace(Seen::Failed(error));
            // The sender has to live until whoever waits has read it.
            return std::future::pending().await;
        }
    };
    tell.send_replace(Seen::Changes(0));
    let mut settling = Some(Instant::now()).filter(|_| !sight.files.is_empty());
    loop {
        stirred(&mut sight, settling).await;
        let next = match look_once(&look).await {
            Ok(next) => next,
            Err(error) => {
                tracing::debug!(kind = %error.kind, error = error.message, hint = error.hint, "a subscribed resource could not be looked at");
                sleep(RETRY).await;
                settling = Some(Instant::now());
                sight.signals.clear();
                continue;
            }
        };
        settling = if next.files == sight.files {
            settling.filter(|since| since.elapsed() < TICK)
        } else {
            Some(Instant::now())
        };
        let changed = next.digest != sight.digest;
        sight = next;
        if changed {
            tell.send_modify(|seen| {
                if let Seen::Changes(count) = seen {
                    *count += 1;
                }
            });
        }
        sleep(REST).await;
    }
}

async fn look_once(look: &Look) -> Result<Sight, ToolError> {
    let looking = AssertUnwindSafe(async { look().await }).catch_unwind();
    match timeout(LOOK, looking).await {
        Ok(Ok(seen)) => seen,
        Ok(Err(_)) => Err(ToolError::internal(
            "looking at the resource failed in a way it should not: this is a bug; the server goes on",
        )
        .hint("report the bug with the server's standard error")),
        Err(_) => Err(ToolError::unavailable("looking at the resource took too long")
            .hint("subscribe again later")),
    }
}

/// Waits until something stirs that `sight` named. A file that changed just now is looked at once more: two
/// writes within one tick of the file system's clock bear the same stamp, and the first may have been read.
async fn stirred(sight: &mut Sight, settling: Option<Instant>) {
    // After a look that failed there is nothing to wait for but the next.
    if sight.signals.is_empty() && sight.files.is_empty() {
        return sleep(RETRY).await;
    }
    let signals = &mut sight.signals;
    let signalled = async {
        if signals.is_empty() {
            std::future::pending::<()>().await;
        }
        select_all(signals.iter_mut()).await;
    };
    let touched = async {
        if sight.files.is_empty() {
            std::future::pending::<()>().await;
        }
        loop {
            sleep(TICK).await;
            if settling.is_some() || any_differs(sight.files.clone()).await {
                return;
            }
        }
    };
    tokio::select! {
        () = signalled => {}
        () = touched => {}
    }
}

/// On a thread for blocking work: a file system may take its time.
async fn any_differs(files: Vec<(PathBuf, Option<Stamp>)>) -> bool {
    let asked =
        actor::spawn_blocking(move || files.iter().any(|(path, stamp)| Stamp::of(path) != *stamp));
    asked.await.unwrap_or(false)
}

#[cfg(test)]
mod tests;
