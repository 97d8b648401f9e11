//! Secrets one by one.
//! For: set, rotate, delete, list, and handing values to the code that uses them.
//! Not for: how the vault is locked.

use super::error::VaultError;
use super::lock::Opened;
use super::seal::{bound_to_secret, open, seal};
use super::table::{self, Listed, SecretRow};
use super::{Change, Vault};
use crate::Conn;
use callboard_redact::Secret;
use std::collections::{BTreeMap, BTreeSet};
use zeroize::Zeroizing;

/// The longest value, bytes: half of what one variable of an environment can hold.
pub const LONGEST_VALUE: usize = 64 * 1024;
/// The most secrets of one vault.
pub const MOST_SECRETS: usize = 1_000;
/// How often an operation begins again because another process changed the vault under it.
pub(super) const TRIES: u32 = 5;

/// Whether this can be the name of a secret.
///
/// # Errors
/// [`VaultError::BadName`].
pub fn check_name(name: &str) -> Result<(), VaultError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if (1..=64).contains(&name.len()) && name.chars().all(plain) {
        return Ok(());
    }
    let shown: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    Err(VaultError::BadName(shown))
}

fn check_value(value: &Secret) -> Result<(), VaultError> {
    let text = value.expose();
    if text.len() < callboard_redact::SHORTEST {
        return Err(VaultError::BadValue(
            "the value has fewer than 8 bytes: it could not be told from other text, so it could not be kept out of \
             logs and answers",
        ));
    }
    if text.len() > LONGEST_VALUE {
        return Err(VaultError::BadValue(
            "the value has more than 64 KiB: keep it in a file of its own",
        ));
    }
    if text.contains('\0') {
        return Err(VaultError::BadValue(
            "the value holds a NUL character, which no environment can carry",
        ));
    }
    Ok(())
}

/// Whether a value must be new or must be there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Put {
    New,
    Replacing,
}

impl Vault {
    /// Adds a secret. The first one makes the vault, with a key file.
    ///
    /// # Errors
    /// [`VaultError::Exists`]; a name or value that is not taken; the vault does not open.
    pub fn set(&self, name: &str, value: &Secret) -> Result<(), VaultError> {
        check_name(name)?;
        check_value(value)?;
        self.make_if_missing()?;
        self.put(name, value, Put::New).map(drop)
    }

    /// Gives a secret a new value; returns its version.
    ///
    /// # Errors
    /// [`VaultError::Missing`]; as [`Vault::set`].
    pub fn rotate(&self, name: &str, value: &Secret) -> Result<i64, VaultError> {
        check_name(name)?;
        check_value(value)?;
        self.put(name, value, Put::Replacing)
    }

    fn put(&self, name: &str, value: &Secret, how: Put) -> Result<i64, VaultError> {
        // A value that is stored is never to be seen again, not even in an error of this very call.
        callboard_redact::register(name, value)?;
        self.again(|opened| {
            let (this, name, value, now) = (
                self.clone(),
                name.to_owned(),
                value.clone(),
                self.clock.now_ms(),
            );
            self.store.write_blocking(move |c| {
                is_current(c, &opened)?;
                let version = next_version(c, &name, how)?;
                let bound = bound_to_secret(&opened.row.vault_id, &name, version);
                let sealed = seal(&opened.key, &bound, value.expose().as_bytes())?;
                table::put_secret(
                    c,
                    &SecretRow {
                        name: name.clone(),
                        version,
                        sealed,
                    },
                    now,
                )?;
                let change = match how {
                    Put::New => Change::Set(&name),
                    Put::Replacing => Change::Rotated(&name, version),
                };
                this.tell(c, &change)?;
                Ok(version)
            })
        })
    }

    /// Deletes a secret. The vault need not open for it.
    ///
    /// # Errors
    /// [`VaultError::Missing`].
    pub fn delete(&self, name: &str) -> Result<(), VaultError> {
        check_name(name)?;
        let (this, name) = (self.clone(), name.to_owned());
        self.store.write_blocking(move |c| {
            if !table::delete_secret(c, &name)? {
                return Err(missing(c, vec![name.clone()])?);
            }
            Ok(this.tell(c, &Change::Deleted(&name))?)
        })
    }

    /// What there is, by name; no values, and the vault need not open for it.
    ///
    /// # Errors
    /// The board can't be read.
    pub fn list(&self) -> Result<Vec<Listed>, VaultError> {
        Ok(self.store.read_now(table::list)?)
    }

    /// Whether there is a secret of this name. The vault need not open for it.
    ///
    /// # Errors
    /// [`VaultError::Missing`].
    pub fn must_have(&self, name: &str) -> Result<(), VaultError> {
        check_name(name)?;
        self.store.read_now(|c| match table::secret(c, name)? {
            Some(_) => Ok(()),
            None => Err(missing(c, vec![name.to_owned()])?),
        })
    }

    /// Opens the vault, so that what is wrong with its lock is known before anything else is done.
    ///
    /// # Errors
    /// [`VaultError::NoVault`]; it does not open.
    pub fn unlock(&self) -> Result<(), VaultError> {
        self.opened().map(drop)
    }

    /// The values of these secrets, for the code that is about to use them. Each is registered first, so that it is
    /// kept out of whatever this process writes from now on.
    ///
    /// # Errors
    /// [`VaultError::Missing`] with all that are missing; [`VaultError::Damaged`]; the vault does not open.
    pub fn resolve(
        &self,
        names: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Secret>, VaultError> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let values = self.again(|opened| {
            self.store.read_now(|c| {
                is_current(c, &opened)?;
                open_all(c, &opened, names)
            })
        })?;
        for (name, value) in &values {
            callboard_redact::register(name, value)?;
        }
        Ok(values)
    }

    /// Does it with the data key; once more when another process changed the lock meanwhile.
    pub(super) fn again<T>(
        &self,
        mut work: impl FnMut(Opened) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        for _ in 0..TRIES {
            match work(self.opened()?) {
                Err(VaultError::Changed) => {}
                done => return done,
            }
        }
        Err(VaultError::Changed)
    }
}

pub(super) fn is_current(c: &mut dyn Conn, opened: &Opened) -> Result<(), VaultError> {
    match table::lock_row(c)? {
        Some(row) if row == *opened.row => Ok(()),
        _ => Err(VaultError::Changed),
    }
}

fn next_version(c: &mut dyn Conn, name: &str, how: Put) -> Result<i64, VaultError> {
    let present = table::secret(c, name)?;
    match (how, present) {
        (Put::New, Some(_)) => Err(VaultError::Exists(name.to_owned())),
        (Put::New, None) if table::count(c)? >= MOST_SECRETS => {
            Err(VaultError::TooMany(MOST_SECRETS))
        }
        (Put::New, None) => Ok(1),
        (Put::Replacing, Some(row)) => Ok(row.version.saturating_add(1)),
        (Put::Replacing, None) => Err(missing(c, vec![name.to_owned()])?),
    }
}

fn open_all(
    c: &mut dyn Conn,
    opened: &Opened,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, Secret>, VaultError> {
    let mut values = BTreeMap::new();
    let mut absent = Vec::new();
    for name in names {
        match table::secret(c, name)? {
            Some(row) => drop(values.insert(name.clone(), value_of(opened, row)?)),
            None => absent.push(name.clone()),
        }
    }
    if absent.is_empty() {
        return Ok(values);
    }
    Err(missing(c, absent)?)
}

pub(super) fn value_of(opened: &Opened, row: SecretRow) -> Result<Secret, VaultError> {
    let bound = bound_to_secret(&opened.row.vault_id, &row.name, row.version);
    let mut plain = open(&opened.key, &bound, &row.sealed)
        .map_err(|_| VaultError::Damaged(row.name.clone()))?;
    let text = String::from_utf8(std::mem::take(&mut *plain)).map_err(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        VaultError::Damaged(row.name.clone())
    })?;
    Ok(Secret::new(text))
}

/// The error for names that are not there, with a name that is.
fn missing(c: &mut dyn Conn, names: Vec<String>) -> Result<VaultError, VaultError> {
    let there = table::list(c)?;
    let same = |a: &str, b: &str| {
        let bare = |text: &str| text.to_ascii_lowercase().replace(['-', '.', '_'], "");
        bare(a) == bare(b)
    };
    let near = there
        .into_iter()
        .map(|listed| listed.name)
        .find(|name| same(name, &names[0]));
    Ok(VaultError::Missing { names, near })
}
