//! Backups: one file, checked, that appears whole or not at all.
//!
//! For: `VACUUM INTO` beside the target, an integrity check, a flush, then the name. (The backup
//! interface in small steps never finished under writing processes: each write restarts it.) Not for:
//! schedules and retention.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::conn::engine_error;
use super::connect;
use crate::StoreError;
use crate::random::Random;

/// Writes a copy of the database at `from` to `to`, which must not exist. A crash leaves a hidden
/// temporary file beside the target, never a half target.
pub(super) fn backup(from: &Path, to: &Path) -> Result<(), StoreError> {
    if to.symlink_metadata().is_ok() {
        return Err(exists(to));
    }
    let draft = Draft::beside(to)?;
    let source = connect::reader(from, connect::BUSY_LIMIT)?;
    // VACUUM INTO writes another file; the connection itself stays unchanged.
    source
        .execute_batch("PRAGMA query_only=OFF")
        .map_err(engine_error)?;
    let target = draft.path.to_str().ok_or_else(|| {
        StoreError::Backup(format!(
            "{} is not UTF-8: choose another name",
            to.display()
        ))
    })?;
    source
        .execute("VACUUM INTO ?1", [target])
        .map_err(engine_error)?;
    check(&draft.path)?;
    publish(&draft, to).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(to),
        _ => failed(to, &error),
    })
}

fn check(path: &Path) -> Result<(), StoreError> {
    let copy = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(engine_error)?;
    let verdict: String = copy
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(engine_error)?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(StoreError::Backup(format!(
        "the copy failed its integrity check: {verdict}"
    )))
}

/// Flushes the copy and gives it its name, without replacing anything.
fn publish(draft: &Draft, to: &Path) -> io::Result<()> {
    File::open(&draft.path)?.sync_all()?;
    match renameat_with(CWD, &draft.path, CWD, to, RenameFlags::NOREPLACE) {
        // A file system without that flag: a link refuses an existing name too.
        Err(Errno::INVAL | Errno::NOSYS) => std::fs::hard_link(&draft.path, to)?,
        renamed => renamed?,
    }
    File::open(directory(to))?.sync_all()
}

/// The unfinished copy, removed when dropped.
struct Draft {
    path: PathBuf,
}

impl Draft {
    /// An empty file that only its owner reads; VACUUM INTO accepts it.
    fn beside(to: &Path) -> Result<Self, StoreError> {
        let name = format!(".backup-{:016x}.tmp", Random::from_system().next());
        let path = directory(to).join(name);
        OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| failed(to, &error))?;
        Ok(Self { path })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Already gone when it was renamed.
        drop(std::fs::remove_file(&self.path));
    }
}

fn directory(to: &Path) -> &Path {
    match to.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

fn exists(to: &Path) -> StoreError {
    StoreError::Backup(format!(
        "{} exists already: choose another name",
        to.display()
    ))
}

fn failed(to: &Path, error: &io::Error) -> StoreError {
    StoreError::Backup(format!("cannot write {}: {error}", to.display()))
}
