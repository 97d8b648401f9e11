//! Getting at the vault's passphrase without asking anybody.
//! For: reading the file or running the program that the user's configuration names. Not for: asking on a terminal (the
//! command does), or keeping a passphrase.

use callboard_config::{Config, Environment, Passphrase};
use callboard_console::{Asked, answer};
use callboard_redact::Secret;
use callboard_store::vault::{self, AskPassphrase, LONGEST_PASSPHRASE, VaultError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long the program may take that prints the passphrase: somebody may have to unlock a keyring.
pub const PASSPHRASE_WITHIN: Duration = Duration::from_secs(30);

/// How the passphrase is had where the configuration says so; `None`: somebody has to be asked. The program may take
/// `within`.
#[must_use]
pub fn passphrase(
    environment: &Environment,
    config: &Config,
    within: Duration,
) -> Option<AskPassphrase> {
    match config.vault.passphrase().value {
        Passphrase::Asked => None,
        Passphrase::File(file) => Some(Arc::new(move || vault::read_passphrase(&file))),
        Passphrase::Command(words) => {
            let asked = asked(environment, &words, within);
            Some(Arc::new(move || printed_by(&asked)))
        }
    }
}

/// It starts at home, so that no repository has a say in what runs. A keyring is reached by the user's own environment.
fn asked(environment: &Environment, words: &[String], within: Duration) -> Asked {
    let home = environment.home().ok().filter(|home| home.is_dir());
    Asked {
        program: words.first().cloned().unwrap_or_default(),
        args: words.iter().skip(1).cloned().collect(),
        cwd: home.unwrap_or_else(|| PathBuf::from("/")),
        env: environment.texts().into_iter().collect(),
        within,
        // With a line end.
        most: LONGEST_PASSPHRASE + 2,
    }
}

fn printed_by(asked: &Asked) -> Result<Secret, VaultError> {
    let refuse = |why: String, what_to_do: &str| VaultError::PassphraseCommand {
        program: asked.program.clone(),
        why: format!("{why}{what_to_do}"),
    };
    if asked.program.contains('/') && !asked.program.starts_with('/') {
        let why = "is named by a relative path: give its full path, or a name in your PATH";
        return Err(refuse(why.to_owned(), ""));
    }
    let bytes = answer(asked).map_err(|error| {
        let hint = match error {
            callboard_console::NoAnswer::TimedOut(_) => {
                ": it may wait for a keyring to be unlocked; run it by hand and see what it asks"
            }
            callboard_console::NoAnswer::Failed(_) => ": run it by hand to see why",
            callboard_console::NoAnswer::TooMuch(_) => {
                ": it must print the passphrase and nothing else"
            }
            _ => "",
        };
        refuse(error.to_string(), hint)
    })?;
    vault::passphrase_of(&bytes).map_err(|why| {
        let hint = "; it must print the passphrase on standard output and nothing else: run it by hand to see";
        refuse(format!("what it printed {why}"), hint)
    })
}
