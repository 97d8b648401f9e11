//! What a server author writes for a resource that clients may subscribe to.
//!
//! For: one look at a resource: a digest of what is in it, and where a change of it would show first. Not for:
//! who is subscribed, or when the next look is due (see `subscribe`).

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use callboard_store::CloseChanges;
use sha2::{Digest, Sha256};

use crate::call::BoxFuture;
use crate::{Resource, ResourceRequest, ToolError};

/// A resource that clients may subscribe to.
pub trait Watched<S: Send + Sync + 'static>: Resource<S> {
    /// Looks at it. Called when somebody subscribes, and again when something that the last [`Sight`] named has
    /// stirred; subscribers are told when the content is another one than before.
    ///
    /// What the content says about the passing of time ("3 min ago") must not count, or every look is a change.
    ///
    /// # Errors
    /// Where there is no such thing to subscribe to. Something that may come, such as a file that is missing
    /// for a moment, is no error but content.
    fn look(
        server: Arc<S>,
        request: ResourceRequest,
    ) -> impl Future<Output = Result<Sight, ToolError>> + Send;
}

/// Where a change would show. Name each source *before* reading from it, so that no change slips in between.
#[derive(Default)]
pub struct Watch {
    files: Vec<(PathBuf, Option<Stamp>)>,
    signals: Vec<BoxFuture<'static, ()>>,
}

/// What a look saw.
pub struct Sight {
    pub(crate) digest: [u8; 32],
    pub(crate) files: Vec<(PathBuf, Option<Stamp>)>,
    pub(crate) signals: Vec<BoxFuture<'static, ()>>,
}

impl Watch {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Watch::default()
    }

    /// Look again when anything is committed on this board.
    #[must_use]
    pub fn board(self, mut changes: CloseChanges) -> Self {
        self.signal(async move { changes.changed().await })
    }

    /// Look again when this completes.
    #[must_use]
    pub fn signal(mut self, signal: impl Future<Output = ()> + Send + 'static) -> Self {
        self.signals.push(Box::pin(signal));
        self
    }

    /// Look again when this file is written, replaced, made or removed. It is asked for ten times a second while
    /// somebody is subscribed: editors replace files, so the system's own notices would have to be about
    /// directories, and on network and container file systems they do not come at all.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let stamp = Stamp::of(&path);
        self.files.push((path, stamp));
        self
    }

    /// What was seen.
    pub fn saw(self, content: impl AsRef<[u8]>) -> Sight {
        Sight {
            digest: Sha256::digest(content.as_ref()).into(),
            files: self.files,
            signals: self.signals,
        }
    }
}

/// Which file it is and when it was last written to, as the file system says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().as_ref().map(Stamp::from)
    }
}

impl From<&Metadata> for Stamp {
    fn from(data: &Metadata) -> Self {
        Stamp {
            device: data.dev(),
            inode: data.ino(),
            bytes: data.size(),
            modified: (data.mtime(), data.mtime_nsec()),
            changed: (data.ctime(), data.ctime_nsec()),
        }
    }
}
