//! The vault: named secrets, encrypted at rest, in the board's file.
//!
//! For: keeping values under a data key of this vault, which a key file or a passphrase opens; handing them out to
//! the code that uses them, registered so that they are kept out of what is written. Not for: showing a value to
//! anybody, or deciding who may name one (configuration does).
//!
//! A row of `vault` holds the data key (256 random bits), sealed by a key that is elsewhere. Each row of
//! `vault_secret` is sealed by the data key with XChaCha20-Poly1305; vault, name and version are associated data, so a
//! row opens in its own place only. A change of the lock makes a new data key and seals every row again, in one
//! transaction.

mod change;
mod error;
mod key_file;
mod learn;
mod lock;
mod passphrase;
mod seal;
mod table;
#[cfg(test)]
mod tests;
mod values;

pub use error::VaultError;
pub use learn::Mark;
pub use lock::{LockKind, NewLock};
pub use passphrase::{LONGEST_PASSPHRASE, SHORTEST_PASSPHRASE, passphrase_of, read_passphrase};
pub use table::{Listed, MIGRATIONS};
pub use values::{LONGEST_VALUE, MOST_SECRETS, check_name};

use crate::{Clock, Conn, Store, StoreError};
use callboard_redact::Secret;
use lock::Opened;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Asks for the passphrase when it is needed.
pub type AskPassphrase = Arc<dyn Fn() -> Result<Secret, VaultError> + Send + Sync>;

/// Is told of every change, inside its transaction: the audit.
pub type Witness = Arc<dyn Fn(&mut dyn Conn, &Change<'_>) -> Result<(), StoreError> + Send + Sync>;

/// What is done to a vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<'c> {
    /// It was made, with a lock of this kind.
    Made(LockKind),
    /// A secret was added.
    Set(&'c str),
    /// A secret has a new value, of this version.
    Rotated(&'c str, i64),
    /// A secret was deleted.
    Deleted(&'c str),
    /// Every secret was sealed anew under a lock of this kind.
    Locked(LockKind),
}

/// The vault in a board's file. Opening it reads nothing; it is unlocked when a value is needed.
#[derive(Clone)]
pub struct Vault {
    store: Store,
    keys: PathBuf,
    clock: Arc<dyn Clock>,
    ask: AskPassphrase,
    witness: Option<Witness>,
    /// The data key, as long as nobody has changed it.
    opened: Arc<Mutex<Option<Opened>>>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Vault").field(&self.store).finish()
    }
}

/// How a vault stands, without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What opens it.
    pub lock: LockKind,
    /// The key file that belongs to it, if it is locked by one.
    pub key_file: Option<PathBuf>,
    /// Key files of this vault that open nothing any more, left by a change that was cut short.
    pub stale_key_files: Vec<PathBuf>,
    /// How many secrets it holds.
    pub secrets: usize,
    /// How often its lock was changed, its making included.
    pub generation: i64,
    /// When it was made, ms since 1970 UTC.
    pub created_ms: i64,
    /// When its lock was changed last, ms since 1970 UTC.
    pub locked_ms: i64,
}

impl Vault {
    /// The vault in `store` (opened with [`MIGRATIONS`] among its lists), with its key files below `data_dir`.
    #[must_use]
    pub fn new(store: Store, data_dir: &Path, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            keys: data_dir.join("keys"),
            clock,
            ask: Arc::new(|| Err(VaultError::PassphraseNeeded)),
            witness: None,
            opened: Arc::default(),
        }
    }

    /// The same, with a way to get at the passphrase.
    #[must_use]
    pub fn asking(mut self, ask: AskPassphrase) -> Self {
        self.ask = ask;
        self
    }

    /// The same, with a witness of every change.
    #[must_use]
    pub fn witnessed(mut self, witness: Witness) -> Self {
        self.witness = Some(witness);
        self
    }

    /// How it stands; `None` when nothing was ever set.
    ///
    /// # Errors
    /// The board or the directory of the keys can't be read.
    pub fn status(&self) -> Result<Option<Status>, VaultError> {
        let found = self.store.read_now(|c| {
            let row = table::lock_row(c)?;
            Ok::<_, VaultError>(row.zip(Some(table::count(c)?)))
        })?;
        let Some((row, secrets)) = found else {
            return Ok(None);
        };
        let place = row.key_file(&self.keys);
        let mut stale = key_file::all_of(&self.keys, &row.vault_id)?;
        stale.retain(|path| Some(path) != place.as_ref());
        Ok(Some(Status {
            lock: row.kind,
            key_file: place,
            stale_key_files: stale,
            secrets,
            generation: row.generation,
            created_ms: row.created_ms,
            locked_ms: row.changed_ms,
        }))
    }

    fn tell(&self, c: &mut dyn Conn, change: &Change<'_>) -> Result<(), StoreError> {
        self.witness
            .as_ref()
            .map_or(Ok(()), |witness| witness(c, change))
    }
}
