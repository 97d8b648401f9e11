//! What the vault is locked with.
//! For: telling it, changing it, and where the passphrase comes from. Not for: the secrets in it.

use super::{Desk, With, count};
use crate::{hidden, when};
use anyhow::{Context as _, bail};
use callboard_config::{Passphrase, Setting};
use callboard_redact::Secret;
use callboard_store::vault::{
    AskPassphrase, LONGEST_PASSPHRASE, LockKind, NewLock, Status, VaultError, read_passphrase,
};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

impl Desk {
    pub(super) fn status(&self, as_json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
        let status = self.vault.status()?;
        if as_json {
            let told = status.map(|status| {
                json!({
                    "lock": status.lock.as_str(), "key_file": status.key_file,
                    "passphrase": self.passphrase_json(&status),
                    "stale_key_files": status.stale_key_files, "secrets": status.secrets,
                    "created_ms": status.created_ms, "locked_ms": status.locked_ms,
                })
            });
            writeln!(out, "{}", serde_json::to_string_pretty(&told)?)?;
            return Ok(());
        }
        let Some(status) = status else {
            bail!(VaultError::NoVault);
        };
        writeln!(
            out,
            "{} since {}",
            count(status.secrets),
            when::utc(status.created_ms)
        )?;
        self.tell_lock(&self.config.vault.passphrase(), out)
    }

    fn passphrase_json(&self, status: &Status) -> Value {
        let said = self.config.vault.passphrase();
        let place = said.source.to_string();
        match (status.lock, &said.value) {
            (LockKind::KeyFile, _) => Value::Null,
            (_, Passphrase::Asked) => json!({"from": "terminal"}),
            (_, Passphrase::File(file)) => {
                json!({"from": "file", "file": file, "said_in": place})
            }
            (_, Passphrase::Command(words)) => {
                json!({"from": "command", "program": words.first(), "said_in": place})
            }
        }
    }

    pub(super) fn tell_lock(
        &self,
        passphrase: &Setting<Passphrase>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let Some(status) = self.vault.status()? else {
            return Ok(());
        };
        match (&status.key_file, status.lock) {
            (Some(file), _) => writeln!(
                out,
                "The key that opens the vault: {}\nKeep a copy of it apart from copies of the board: without it the \
                 secrets can't be read, with it anybody can.",
                file.display()
            )?,
            (None, _) => writeln!(
                out,
                "The vault is locked with a passphrase. {}",
                whence(passphrase)
            )?,
        }
        for file in &status.stale_key_files {
            writeln!(out, "{} opens nothing any more: remove it", file.display())?;
        }
        Ok(())
    }

    pub(super) fn lock(
        &self,
        with: With,
        file: Option<PathBuf>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let new = match (with, file) {
            (With::KeyFile, None) => NewLock::KeyFile,
            (With::KeyFile, Some(_)) => {
                bail!("--new-passphrase-file goes with `callboard vault lock passphrase`")
            }
            (With::Passphrase, Some(file)) => NewLock::Passphrase(read_passphrase(&file)?),
            (With::Passphrase, None) => NewLock::Passphrase(self.new_passphrase()?),
        };
        self.vault.lock_with(&new)?;
        let (said, configured) = &self.lasting;
        self.tell_lock(said, out)?;
        if let (NewLock::Passphrase(new), Some(configured)) = (&new, configured)
            && !configured().is_ok_and(|there| there == *new)
        {
            writeln!(
                out,
                "The new passphrase is not what is found there: store it there before a program without a terminal needs it."
            )?;
        }
        Ok(())
    }

    /// What the configured program or file says is the new passphrase where there was none; a change of a passphrase
    /// needs two, so the new one is asked for.
    fn new_passphrase(&self) -> anyhow::Result<Secret> {
        let kind = self.vault.status()?.map(|status| status.lock);
        if let Some(configured) = &self.passphrase
            && kind != Some(LockKind::Passphrase)
        {
            return Ok(configured()?);
        }
        let first = hidden::ask("New passphrase of the vault: ", LONGEST_PASSPHRASE).context(
            "asking for a new passphrase (--new-passphrase-file FILE names a file with it)",
        )?;
        let again = hidden::ask("Once more: ", LONGEST_PASSPHRASE)?;
        if first != again {
            bail!("the two differ, so nothing was changed: try again");
        }
        Ok(first)
    }
}

/// Where the passphrase comes from, as a sentence.
fn whence(said: &Setting<Passphrase>) -> String {
    let place = &said.source;
    match &said.value {
        Passphrase::Asked => {
            "It is asked for when a secret is needed; programs without a terminal get it from the program or the file \
             that vault.passphrase_command or vault.passphrase_file in your config.toml names."
                .to_owned()
        }
        Passphrase::File(file) => format!("It is read from {} ({place}).", file.display()),
        Passphrase::Command(words) => {
            let program = words.first().map(String::as_str).unwrap_or_default();
            format!("{program} prints it ({place}).")
        }
    }
}

/// Asks for the passphrase on the terminal.
pub(crate) fn asking() -> AskPassphrase {
    Arc::new(|| {
        hidden::ask("Passphrase of the vault: ", LONGEST_PASSPHRASE).map_err(|why| match why {
            hidden::NoAnswer::NoTerminal => VaultError::PassphraseNeeded,
            other => VaultError::BadPassphrase(other.to_string()),
        })
    })
}
