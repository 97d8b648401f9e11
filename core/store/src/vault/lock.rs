//! Opening the data key.
//! For: each kind of lock, and the data key as long as it is in use. Not for: changing a lock (see `change`).

use super::error::VaultError;
use super::passphrase::{self, Cost};
use super::seal::{Key, Sealed, open, random, seal};
use super::table::{self, LockRow};
use super::{Vault, key_file};
use callboard_redact::Secret;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

/// What opens a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// A file in the user's data directory.
    KeyFile,
    /// A passphrase.
    Passphrase,
}

impl LockKind {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeyFile => "key_file",
            Self::Passphrase => "passphrase",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::KeyFile, Self::Passphrase]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// What a vault is to be locked with from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewLock {
    /// A new key in a file.
    KeyFile,
    /// This passphrase.
    Passphrase(Secret),
}

/// The data key of one generation of a vault.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) row: Arc<LockRow>,
    pub(super) key: Arc<Key>,
}

/// A lock that is made but not on the board yet.
pub(super) struct Prepared {
    pub(super) row: LockRow,
    pub(super) key: Arc<Key>,
    pub(super) file: Option<PathBuf>,
}

impl Vault {
    /// The data key as the board has it now; what another process has changed is noticed by its generation.
    pub(super) fn opened(&self) -> Result<Opened, VaultError> {
        for _ in 0..super::values::TRIES {
            let row = self.row()?.ok_or(VaultError::NoVault)?;
            let mut cached = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(opened) = cached.as_ref().filter(|opened| *opened.row == row) {
                return Ok(opened.clone());
            }
            match self.unlock_row(&row) {
                Ok(key) => {
                    let opened = Opened {
                        row: Arc::new(row),
                        key: Arc::new(key),
                    };
                    *cached = Some(opened.clone());
                    return Ok(opened);
                }
                // The key file may be gone because the lock was changed just now.
                Err(error) if self.row()?.as_ref() == Some(&row) => return Err(error),
                Err(_) => {}
            }
        }
        Err(VaultError::Changed)
    }

    pub(super) fn row(&self) -> Result<Option<LockRow>, VaultError> {
        self.store.read_now(table::lock_row)
    }

    fn unlock_row(&self, row: &LockRow) -> Result<Key, VaultError> {
        match row.kind {
            LockKind::KeyFile => {
                let path = key_file::place(&self.keys, &row.vault_id, &row.key_id);
                let key = key_file::read(&path)?;
                unwrap(row, &key).ok_or(VaultError::WrongKey { path })
            }
            LockKind::Passphrase => self.unlock_with((self.ask)()?, row),
        }
    }

    pub(super) fn unlock_with(&self, passphrase: Secret, row: &LockRow) -> Result<Key, VaultError> {
        let key = passphrase::key(&passphrase, &row.key_id, row.cost)?;
        unwrap(row, &key).ok_or(VaultError::WrongPassphrase)
    }
}

fn unwrap(row: &LockRow, key: &Key) -> Option<Key> {
    let plain = open(key, &row.bound(), &row.wrapped).ok()?;
    let bytes: [u8; super::seal::KEY] = plain.as_slice().try_into().ok()?;
    Some(Key::new(bytes))
}

/// Makes a lock for a data key. For a key file the file is on the disk afterwards.
pub(super) fn prepare(
    keys: &Path,
    new: &NewLock,
    vault_id: &[u8],
    generation: i64,
    (created_ms, now_ms): (i64, i64),
) -> Result<Prepared, VaultError> {
    let data_key = super::seal::new_key()?;
    let (kind, cost) = match new {
        NewLock::KeyFile => (LockKind::KeyFile, Cost::NONE),
        NewLock::Passphrase(_) => (LockKind::Passphrase, Cost::RECOMMENDED),
    };
    let mut row = LockRow {
        vault_id: vault_id.to_vec(),
        generation,
        kind,
        key_id: random::<16>()?.to_vec(),
        cost,
        wrapped: Sealed {
            nonce: Vec::new(),
            bytes: Vec::new(),
        },
        created_ms,
        changed_ms: now_ms,
    };
    let (outer, file) = match new {
        NewLock::KeyFile => {
            let path = key_file::place(keys, vault_id, &row.key_id);
            let key = super::seal::new_key()?;
            key_file::write(&path, &key)?;
            (key, Some(path))
        }
        NewLock::Passphrase(word) => {
            passphrase::check_new(word)?;
            (passphrase::key(word, &row.key_id, cost)?, None)
        }
    };
    row.wrapped = seal(&outer, &row.bound(), data_key.as_slice())?;
    Ok(Prepared {
        row,
        key: Arc::new(data_key),
        file,
    })
}
