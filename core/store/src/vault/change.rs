//! Changing what a vault is locked with.
//! For: its making, a new key of the same kind, from key file to passphrase and back. A crash at any point leaves a
//! vault that opens with what the board says, and at most a key file too many.
//! Not for: single secrets.

use super::error::VaultError;
use super::lock::{LockKind, NewLock, Opened, Prepared, prepare};
use super::seal::{bound_to_secret, open, random, seal};
use super::{Change, Vault, key_file, table};
use crate::{Conn, StoreError};
use std::sync::{Arc, PoisonError};

impl Vault {
    /// Gives the vault a new data key under a new lock of the same kind, and seals every secret anew. The passphrase
    /// stays as it is.
    ///
    /// # Errors
    /// It does not open; a secret does not open ([`VaultError::Damaged`]). Then nothing has changed.
    pub fn rotate_key(&self) -> Result<(), VaultError> {
        let _held = key_file::hold(&self.keys)?;
        let row = self.row()?.ok_or(VaultError::NoVault)?;
        match row.kind {
            LockKind::KeyFile => self.relock(&NewLock::KeyFile, self.opened()?),
            LockKind::Passphrase => {
                let word = (self.ask)()?;
                let key = Arc::new(self.unlock_with(word.clone(), &row)?);
                self.relock(
                    &NewLock::Passphrase(word),
                    Opened {
                        row: Arc::new(row),
                        key,
                    },
                )
            }
        }
    }

    /// Locks the vault with something else, under a new data key. A vault that does not exist yet is made with it.
    ///
    /// # Errors
    /// As [`Vault::rotate_key`]; [`VaultError::BadPassphrase`].
    pub fn lock_with(&self, new: &NewLock) -> Result<(), VaultError> {
        let _held = key_file::hold(&self.keys)?;
        match self.row()? {
            Some(_) => self.relock(new, self.opened()?),
            None => self.make(new),
        }
    }

    /// Makes the vault with a key file, unless there is one.
    pub(super) fn make_if_missing(&self) -> Result<(), VaultError> {
        if self.row()?.is_some() {
            return Ok(());
        }
        let _held = key_file::hold(&self.keys)?;
        match self.row()? {
            Some(_) => Ok(()),
            None => self.make(&NewLock::KeyFile),
        }
    }

    fn make(&self, new: &NewLock) -> Result<(), VaultError> {
        let (vault_id, now) = (random::<16>()?, self.clock.now_ms());
        // A crash from here on leaves a key file that nothing names; it opens nothing.
        let prepared = prepare(&self.keys, new, &vault_id, 1, (now, now))?;
        let (this, row) = (self.clone(), prepared.row.clone());
        let made = self.store.write_blocking(move |c| {
            if !table::insert_lock(c, &row)? {
                return Err(VaultError::Changed);
            }
            Ok(this.tell(c, &Change::Made(row.kind))?)
        });
        self.settle(made, prepared)
    }

    /// The caller holds the lock on the keys.
    fn relock(&self, new: &NewLock, old: Opened) -> Result<(), VaultError> {
        let now = self.clock.now_ms();
        let (vault_id, generation) = (&old.row.vault_id, old.row.generation + 1);
        // A crash from here on leaves a key file that nothing names; the next change removes it.
        let prepared = prepare(
            &self.keys,
            new,
            vault_id,
            generation,
            (old.row.created_ms, now),
        )?;
        let (this, row, key) = (
            self.clone(),
            prepared.row.clone(),
            Arc::clone(&prepared.key),
        );
        let done = self.store.write_blocking(move |c| {
            if !table::replace_lock(c, &row)? {
                return Err(VaultError::Changed);
            }
            reseal_all(
                c,
                &old,
                &Opened {
                    row: Arc::new(row.clone()),
                    key: Arc::clone(&key),
                },
            )?;
            Ok(this.tell(c, &Change::Locked(row.kind))?)
        });
        // A crash from here on leaves the old key file, which opens nothing any more; the next change removes it.
        self.settle(done, prepared)
    }

    /// Keeps the key files that the board names. When the answer got lost, the board is asked which those are.
    fn settle(&self, done: Result<(), VaultError>, prepared: Prepared) -> Result<(), VaultError> {
        let lost = matches!(
            done,
            Err(VaultError::Store(
                StoreError::Closed | StoreError::Commit(_)
            ))
        );
        let done = match done {
            Err(error) if lost => match self.row() {
                Ok(Some(row)) if row == prepared.row => Ok(()),
                Ok(_) => Err(error),
                // Nothing is known, so nothing is removed.
                Err(_) => return Err(error),
            },
            known => known,
        };
        match (&done, &prepared.file) {
            (Ok(()), _) => {
                let opened = Opened {
                    row: Arc::new(prepared.row.clone()),
                    key: prepared.key,
                };
                *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(opened);
                for path in key_file::all_of(&self.keys, &prepared.row.vault_id)? {
                    if Some(&path) != prepared.file.as_ref() {
                        key_file::remove(&path);
                    }
                }
            }
            (Err(_), Some(path)) => key_file::remove(path),
            (Err(_), None) => {}
        }
        done
    }
}

fn reseal_all(c: &mut dyn Conn, old: &Opened, new: &Opened) -> Result<(), VaultError> {
    for row in table::secrets(c)? {
        let bound = bound_to_secret(&old.row.vault_id, &row.name, row.version);
        let plain = open(&old.key, &bound, &row.sealed)
            .map_err(|_| VaultError::Damaged(row.name.clone()))?;
        table::reseal(c, &row.name, &seal(&new.key, &bound, &plain)?)?;
    }
    Ok(())
}
