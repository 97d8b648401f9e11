//! Knowing what to keep out of sight.
//! For: registering every value of the vault, and telling cheaply whether there may be new ones.
//! Not for: handing values out (see `values`).

use super::error::VaultError;
use super::values::{is_current, value_of};
use super::{Vault, table};

/// What the vault held at one time, without a value: equal as long as nothing was set, rotated, deleted or sealed anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(Vec<Vec<u8>>);

impl Mark {
    /// Whether there was no secret.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Vault {
    /// What it holds now. The vault need not open for it.
    ///
    /// # Errors
    /// The board can't be read.
    pub fn mark(&self) -> Result<Mark, VaultError> {
        Ok(Mark(self.store.read_now(table::nonces)?))
    }

    /// Registers every value, so that this process keeps them all out of what it writes. One that can't be had does not
    /// keep it from the others.
    ///
    /// # Errors
    /// The vault does not open; [`VaultError::Damaged`] or [`VaultError::Full`] for the first value that is not known.
    pub fn learn(&self) -> Result<(), VaultError> {
        let values = self.again(|opened| {
            self.store.read_now(|c| {
                is_current(c, &opened)?;
                let rows = table::secrets(c)?.into_iter();
                let open = |row: table::SecretRow| (row.name.clone(), value_of(&opened, row));
                Ok(rows.map(open).collect::<Vec<_>>())
            })
        })?;
        let mut first = Ok(());
        for (name, value) in values {
            let known = value.and_then(|value| Ok(callboard_redact::register(&name, &value)?));
            first = first.and(known);
        }
        first
    }
}
