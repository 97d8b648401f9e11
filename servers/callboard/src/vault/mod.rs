//! `callboard vault`: named secrets that configuration names and agents get.
//! For: setting, listing, rotating and deleting them, and how the vault is locked. A value comes from standard input
//! or a prompt, never from the command line, and is never shown again. Not for: handing a value to anybody.

mod lock;
mod standing;
mod typed;

use crate::when;
use anyhow::bail;
use callboard_config::{Config, Environment, Overrides, Passphrase, Setting, Source};
use callboard_crew::{PASSPHRASE_WITHIN, passphrase, users_vault};
use callboard_store::SystemClock;
use callboard_store::actor::{Actor, scope_now};
use callboard_store::vault::{AskPassphrase, LockKind, Vault, VaultError};
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) use lock::asking;
pub(crate) use standing::standing;
pub(crate) use typed::refuse_shown_values;

/// What `callboard vault` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct VaultArgs {
    #[command(subcommand)]
    command: VaultCommand,
    /// A file with the vault's passphrase, if it has one; readable by you alone
    #[arg(long, value_name = "FILE", global = true)]
    passphrase_file: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum VaultCommand {
    /// Add a secret; its value is read from standard input, or asked for without showing it
    Set(Named),
    /// Give a secret a new value, read in the same way
    Rotate(Named),
    /// Show the names of the secrets, and which agents get them; never a value
    List {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Delete a secret
    Delete(Named),
    /// Tell how the vault is locked
    Status {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Change what the vault is locked with: a key file, or a passphrase
    Lock {
        #[arg(value_enum)]
        with: With,
        /// A file with the new passphrase; without it, it is asked for
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
    },
    /// Make a new key and encrypt every secret anew, for when the key file may have been seen
    Rekey,
}

#[derive(Debug, clap::Args)]
struct Named {
    /// The secret's name, such as ANTHROPIC_API_KEY
    name: String,
    // A value here would be in the list of processes and the shell's history. It is taken, so that the refusal can say
    // so without repeating it.
    #[arg(hide = true, allow_hyphen_values = true, trailing_var_arg = true)]
    shown: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum With {
    /// A key in a file of your data directory, readable by you alone
    KeyFile,
    /// A passphrase, asked for when a secret is needed
    Passphrase,
}

/// Does what was asked, and says what became of it.
///
/// # Errors
/// Whatever keeps it from being done; no message holds a value.
pub(crate) fn vault(
    args: &VaultArgs,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(args, environment)?;
    let action = format!("vault {}", args.command.word());
    let actor = Arc::new(Actor::command(&environment.user(), &action));
    scope_now(actor, || desk.act(&args.command, environment, out)).map_err(with_flag)?;
    Ok(ExitCode::SUCCESS)
}

impl VaultCommand {
    fn word(&self) -> &'static str {
        match self {
            Self::Set(_) => "set",
            Self::Rotate(_) => "rotate",
            Self::List { .. } => "list",
            Self::Delete(_) => "delete",
            Self::Status { .. } => "status",
            Self::Lock { .. } => "lock",
            Self::Rekey => "rekey",
        }
    }
}

struct Desk {
    vault: Vault,
    config: Config,
    /// How the passphrase is had without asking.
    passphrase: Option<AskPassphrase>,
    /// The same without what was said for this once.
    lasting: (Setting<Passphrase>, Option<AskPassphrase>),
}

impl Desk {
    fn open(args: &VaultArgs, environment: &Environment) -> anyhow::Result<Self> {
        // The vault is the user's, whatever project this is.
        let mut config = Config::load(environment, None, &Overrides::default())?;
        let lasting = (
            config.vault.passphrase(),
            passphrase(environment, &config, PASSPHRASE_WITHIN),
        );
        if let Some(file) = &args.passphrase_file {
            config.vault.passphrase_file = Setting {
                value: Some(environment.cwd().join(file)),
                source: Source::Flag {
                    name: "--passphrase-file",
                },
            };
        }
        let vault = users_vault(environment, &config, Arc::new(SystemClock), Some(asking()))()?;
        let passphrase = passphrase(environment, &config, PASSPHRASE_WITHIN);
        Ok(Self {
            vault,
            config,
            passphrase,
            lasting,
        })
    }

    fn act(
        &self,
        command: &VaultCommand,
        environment: &Environment,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        match command {
            VaultCommand::Set(named) => self.set(named, out),
            VaultCommand::Rotate(named) => self.rotate(named, out),
            VaultCommand::List { json } => self.list(*json, out),
            VaultCommand::Delete(named) => self.delete(named, out),
            VaultCommand::Status { json } => self.status(*json, out),
            VaultCommand::Lock {
                with,
                new_passphrase_file,
            } => {
                let file = new_passphrase_file
                    .as_ref()
                    .map(|file| environment.cwd().join(file));
                self.lock(*with, file, out)
            }
            VaultCommand::Rekey => {
                self.vault.rotate_key()?;
                writeln!(
                    out,
                    "The vault has a new key, and every secret is encrypted with it."
                )?;
                self.tell_lock(&self.lasting.0, out)
            }
        }
    }

    fn set(&self, named: &Named, out: &mut dyn Write) -> anyhow::Result<()> {
        let name = named.checked()?;
        let there = self
            .vault
            .list()?
            .into_iter()
            .any(|listed| listed.name == name);
        if there {
            return Err(VaultError::Exists(name.to_owned()).into());
        }
        let is_first = self.vault.status()?.is_none();
        if !is_first {
            // Before anybody types a value.
            self.vault.unlock()?;
        }
        self.vault.set(name, &typed::value(name)?)?;
        writeln!(
            out,
            "{name} is in the vault. To hand it to an agent, put into your config.toml:\n\n  [agents.NAME.env]\n  {} = \
             \"${{vault:{name}}}\"",
            variable_of(name)
        )?;
        if is_first {
            writeln!(out)?;
            self.tell_lock(&self.lasting.0, out)?;
        }
        Ok(())
    }

    fn rotate(&self, named: &Named, out: &mut dyn Write) -> anyhow::Result<()> {
        let name = named.checked()?;
        // Both before anybody types a value.
        self.vault.must_have(name)?;
        self.vault.unlock()?;
        let version = self.vault.rotate(name, &typed::value(name)?)?;
        writeln!(
            out,
            "{name} has a new value, its version {version}. Agents that run already keep the old one."
        )?;
        Ok(())
    }

    fn delete(&self, named: &Named, out: &mut dyn Write) -> anyhow::Result<()> {
        let name = named.checked()?;
        self.vault.must_have(name)?;
        let lock = self.vault.status()?.map(|status| status.lock);
        // A passphrase that is shown must be the right one; without any, a secret nobody can open can still be deleted.
        if lock == Some(LockKind::Passphrase) && self.passphrase.is_some() {
            self.vault.unlock()?;
        }
        self.vault.delete(name)?;
        writeln!(out, "{name} is deleted.")?;
        for place in self.uses().remove(name).unwrap_or_default() {
            writeln!(
                out,
                "{place} still names it: that agent can't be started until it does not."
            )?;
        }
        Ok(())
    }

    fn list(&self, as_json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
        let mut uses = self.uses();
        let rows = self.vault.list()?;
        if as_json {
            let rows: Vec<_> = rows
                .iter()
                .map(|row| {
                    json!({
                        "name": row.name, "version": row.version, "created_ms": row.created_ms,
                        "changed_ms": row.changed_ms, "used_by": uses.remove(&row.name).unwrap_or_default(),
                    })
                })
                .collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
            return Ok(());
        }
        if rows.is_empty() {
            writeln!(
                out,
                "There are no secrets; `callboard vault set NAME` adds one."
            )?;
        } else {
            let mut table = comfy_table::Table::new();
            table.load_style(comfy_table::presets::NOTHING);
            table.set_header(["Name", "Version", "Changed", "Used by"]);
            for row in rows {
                let used = uses.remove(&row.name).unwrap_or_default().join(", ");
                table.add_row([
                    row.name,
                    row.version.to_string(),
                    when::utc(row.changed_ms),
                    used,
                ]);
            }
            for line in table.to_string().lines() {
                writeln!(out, "{}", line.trim())?;
            }
        }
        for (name, places) in uses {
            writeln!(
                out,
                "{name} is not in the vault, but {} names it: `callboard vault set {name}`",
                places.join(", ")
            )?;
        }
        Ok(())
    }

    /// Which places of the user's configuration name each secret.
    fn uses(&self) -> BTreeMap<String, Vec<String>> {
        let mut uses: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (agent, settings) in &self.config.agents {
            for (variable, template) in &settings.env {
                for name in template.names() {
                    uses.entry(name)
                        .or_default()
                        .push(format!("agents.{agent}.env.{variable}"));
                }
            }
        }
        for provider in self.config.models.providers.values() {
            for name in provider.secrets() {
                let user = format!("providers.{}", provider.name);
                uses.entry(name).or_default().push(user);
            }
        }
        uses
    }
}

impl Named {
    /// The name, if it is one and nothing follows it. What was typed is not repeated: it may be the value.
    fn checked(&self) -> anyhow::Result<&str> {
        let shown_by = if !self.shown.is_empty() {
            "something follows the name"
        } else if self.name.contains('=') {
            "there is a `=` in the name"
        } else {
            return callboard_store::vault::check_name(&self.name)
                .map(|()| self.name.as_str())
                .map_err(|_| {
                    anyhow::anyhow!(
                        "that can't be the name of a secret: use 1 to 64 of a-z, A-Z, 0-9, `_`, `.` and `-`"
                    )
                });
        };
        bail!(
            "{shown_by}, and a value is never taken from the command line: there it is in the list of \
             processes and in your shell's history, so if that was one, have a new one made\nHint: type the name alone \
             and the value is asked for, or pipe it: callboard vault set NAME < FILE"
        )
    }
}

fn count(secrets: usize) -> String {
    let plural = if secrets == 1 { "" } else { "s" };
    format!("{secrets} secret{plural}")
}

/// A name that an environment can have.
fn variable_of(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    let text: String = name.chars().map(plain).collect();
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        format!("_{text}")
    } else {
        text
    }
}

/// A hint at the flag, which only `callboard vault` has.
fn with_flag(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<VaultError>() {
        Some(VaultError::PassphraseNeeded) => {
            anyhow::anyhow!("{error}\nHint: --passphrase-file FILE names such a file for this once")
        }
        _ => error,
    }
}
