//! Where the passphrase of a vault comes from.
//! For: the two settings below `vault.`, and which of them holds.
//! Not for: reading a passphrase or running anything (the crew does).

use crate::error::{Problem, Source};
use crate::settings::Setting;
use crate::take::{Take, row};
use std::path::PathBuf;

/// The keys.
const FILE: &str = "vault.passphrase_file";
const COMMAND: &str = "vault.passphrase_command";

/// How the vault's passphrase is had without asking for it. At most one holds; see [`Vault::passphrase`].
#[derive(Debug, Clone)]
pub struct Vault {
    /// File with the passphrase, absolute, where one is named.
    pub passphrase_file: Setting<Option<PathBuf>>,
    /// Program with its arguments that prints the passphrase.
    pub passphrase_command: Setting<Option<Vec<String>>>,
}

/// Where the passphrase comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passphrase {
    /// It is asked for on the terminal.
    Asked,
    /// A file holds it.
    File(PathBuf),
    /// A program prints it; at least the program.
    Command(Vec<String>),
}

impl Vault {
    pub(crate) fn take(take: &mut Take, problems: &mut Vec<Problem>) -> Self {
        let file = take.path(FILE).map_or(
            Setting {
                value: None,
                source: Source::Default,
            },
            |said| said.map(Some),
        );
        let vault = Self {
            passphrase_file: file,
            passphrase_command: take.words(COMMAND),
        };
        let (file, command) = (&vault.passphrase_file, &vault.passphrase_command);
        let both = file.value.is_some() && command.value.is_some();
        if both && rank(&file.source) == rank(&command.source) {
            problems.push(Problem {
                place: command.source.clone(),
                key: COMMAND.to_owned(),
                message: format!(
                    "{FILE} is set too ({}): a passphrase comes from one place, so remove one of the two",
                    file.source
                ),
            });
        }
        vault
    }

    /// The one that holds: of two in different places, what was said closer to the command.
    #[must_use]
    pub fn passphrase(&self) -> Setting<Passphrase> {
        let file = &self.passphrase_file;
        let file = file.value.clone().map(|path| Setting {
            value: Passphrase::File(path),
            source: file.source.clone(),
        });
        let command = &self.passphrase_command;
        let command = command.value.clone().map(|words| Setting {
            value: Passphrase::Command(words),
            source: command.source.clone(),
        });
        let all = [file, command].into_iter().flatten();
        all.max_by_key(|said| rank(&said.source))
            .unwrap_or(Setting {
                value: Passphrase::Asked,
                source: Source::Default,
            })
    }

    /// As text with its place, in the order of the reference.
    pub(crate) fn rows(&self) -> [(String, String, Source); 2] {
        [
            row(FILE, &self.passphrase_file, |file| {
                file.as_ref().map_or_else(
                    || "(asked for)".to_owned(),
                    |file| file.display().to_string(),
                )
            }),
            row(COMMAND, &self.passphrase_command, |words| {
                words
                    .as_deref()
                    .map_or_else(|| "(asked for)".to_owned(), crate::settings::command_line)
            }),
        ]
    }
}

/// The order of the layers.
fn rank(source: &Source) -> u8 {
    match source {
        Source::Default => 0,
        Source::User { .. } => 1,
        Source::Project { .. } => 2,
        Source::Register { .. } => 3,
        Source::Environment { .. } => 4,
        Source::Flag { .. } => 5,
    }
}
