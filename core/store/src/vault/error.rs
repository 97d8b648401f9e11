//! What a vault refuses, and what to do about it.
//! For: typed errors whose text never holds a value, a key or a passphrase.
//! Not for: errors of the board itself, which pass through.

use crate::StoreError;
use std::path::PathBuf;

/// Why a vault does not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum VaultError {
    /// Nothing was ever set.
    #[error("there is no vault yet: `callboard vault set NAME` makes it with its first secret")]
    NoVault,
    /// No name of a secret.
    #[error("{0:?} can't be the name of a secret: use 1 to 64 of a-z, A-Z, 0-9, `_`, `.` and `-`")]
    BadName(String),
    /// Secrets that are not there.
    #[error("the vault has no secret {}: `callboard vault set {}` adds it{}", names.join(", "), names[0], hint(near))]
    Missing {
        /// At least one.
        names: Vec<String>,
        /// A name that is there and looks like it.
        near: Option<String>,
    },
    /// It is there already.
    #[error("the vault has {0} already: `callboard vault rotate {0}` gives it a new value")]
    Exists(String),
    /// A value that can't be kept.
    #[error("{0}")]
    BadValue(&'static str),
    /// Full.
    #[error("the vault holds {0} secrets, the most there can be: delete one first")]
    TooMany(usize),
    /// It is locked with a passphrase and nobody can be asked.
    #[error(
        "the vault is locked with a passphrase and there is no terminal to ask on: name a program that prints it, or a \
         file that holds it, with vault.passphrase_command or vault.passphrase_file in your config.toml, or with \
         CALLBOARD_VAULT_PASSPHRASE_COMMAND or CALLBOARD_VAULT_PASSPHRASE_FILE"
    )]
    PassphraseNeeded,
    /// It does not open.
    #[error("the passphrase is wrong (or the vault's own row in the board was changed)")]
    WrongPassphrase,
    /// A passphrase that is not taken.
    #[error("{0}")]
    BadPassphrase(String),
    /// The program that is to print the passphrase did not.
    #[error("vault.passphrase_command: {program}: {why}")]
    PassphraseCommand {
        /// The program, without its arguments.
        program: String,
        /// What it did and what to do about it; nothing that it printed.
        why: String,
    },
    /// The key file is not there, or not safe, or no key.
    #[error("the vault's key file {}: {why}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong and what mends it.
        why: String,
    },
    /// The key does not open the vault.
    #[error(
        "{} does not open the vault: the file is another vault's or was changed, or the vault's own row in the board was; \
         put back the copy that belongs to this board",
        path.display()
    )]
    WrongKey {
        /// The key file.
        path: PathBuf,
    },
    /// A secret's row does not open.
    #[error(
        "the secret {0} does not open: its row was changed, cut, moved or comes from another vault; nothing of it was \
         used. Restore the board from a backup, or `callboard vault delete {0}` and set it again"
    )]
    Damaged(String),
    /// What is stored of the lock makes no sense.
    #[error(
        "the vault's own row in the board makes no sense ({0}): restore the board from a backup"
    )]
    BadLock(&'static str),
    /// It is locked with something that this version does not know.
    #[error(
        "the vault is locked with {0:?}, which this version of callboard does not know: it was made by a newer version, \
         so use that one (or restore the board from a backup, if nobody has)"
    )]
    Newer(String),
    /// Another process was faster, again and again.
    #[error("another process keeps changing the vault: try again")]
    Changed,
    /// Another process holds the lock on the keys.
    #[error("another process is changing the vault's lock ({}): try again", .0.display())]
    Busy(PathBuf),
    /// Too many values were used in this process.
    #[error("{0}")]
    Full(String),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// The board.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn hint(near: &Option<String>) -> String {
    near.as_ref()
        .map(|near| format!(" (did you mean {near}?)"))
        .unwrap_or_default()
}

impl From<callboard_redact::AtMost> for VaultError {
    fn from(full: callboard_redact::AtMost) -> Self {
        Self::Full(full.to_string())
    }
}
