//! How the vault stands, for `callboard doctor`.
//! For: whether it opens, and whether it has what the user's configuration names. Not for: mending or making it.

use crate::doctor::{Check, State};
use callboard_config::{Config, Environment, Overrides, Passphrase};
use callboard_crew::{PASSPHRASE_WITHIN, passphrase};
use callboard_store::vault::{LockKind, Vault};
use callboard_store::{Options, SystemClock};
use std::collections::BTreeSet;
use std::sync::Arc;

const GROUP: &str = "vault";

/// What there is to say; nothing where nobody uses the vault.
pub(crate) fn standing(environment: &Environment) -> Vec<Check> {
    // The vault is the user's, whatever project this is; what is wrong with the configuration is told elsewhere.
    let Ok(config) = Config::load(environment, None, &Overrides::default()) else {
        return Vec::new();
    };
    let named = config.agents.values().flat_map(|agent| agent.env.values());
    let mut named: BTreeSet<String> = named.flat_map(|template| template.names()).collect();
    let providers = config.models.providers.values();
    named.extend(providers.flat_map(callboard_config::Provider::secrets));
    match look(environment, &config, &named) {
        Ok(checks) => checks,
        Err(why) => vec![Check::new(GROUP, "vault", State::Problem, why)],
    }
}

fn look(
    environment: &Environment,
    config: &Config,
    named: &BTreeSet<String>,
) -> Result<Vec<Check>, String> {
    let options = Options {
        signal_dir: None,
        ..Options::board(&config.board.value)
    };
    let mut present = BTreeSet::new();
    let mut checks = Vec::new();
    if options.path.is_file() {
        let store = callboard_board::open_with(options).map_err(|error| error.to_string())?;
        let data = environment.data_dir().map_err(|error| error.to_string())?;
        let vault = Vault::new(store, &data, Arc::new(SystemClock));
        let list = vault.list().map_err(|error| error.to_string())?;
        present.extend(list.into_iter().map(|listed| listed.name));
        checks.extend(lock(&vault, environment, config, !named.is_empty())?);
    }
    for name in named.difference(&present) {
        checks.push(
            Check::new(
                GROUP,
                name,
                State::Missing,
                "named by your config.toml, not in the vault",
            )
            .advice(format!("callboard vault set {name}")),
        );
    }
    Ok(checks)
}

fn lock(
    vault: &Vault,
    environment: &Environment,
    config: &Config,
    needed: bool,
) -> Result<Option<Check>, String> {
    let Some(status) = vault.status().map_err(|error| error.to_string())? else {
        return Ok(None);
    };
    let opens = match status.lock {
        LockKind::Passphrase => match passphrase(environment, config, PASSPHRASE_WITHIN) {
            Some(configured) => vault.clone().asking(configured).unlock(),
            None => Ok(()),
        },
        LockKind::KeyFile => vault.unlock(),
    };
    let by = match (&status.key_file, config.vault.passphrase().value) {
        (Some(file), _) => format!("opened by {}", file.display()),
        (None, Passphrase::File(file)) => {
            format!("locked with the passphrase in {}", file.display())
        }
        (None, Passphrase::Command(words)) => format!(
            "locked with the passphrase that {} prints",
            words.first().map(String::as_str).unwrap_or_default()
        ),
        (None, Passphrase::Asked) => {
            "locked with a passphrase, asked for on the terminal".to_owned()
        }
    };
    let found = format!("{}, {by}", super::count(status.secrets));
    Ok(Some(match opens {
        Ok(()) => Check::new(GROUP, "vault", State::Ok, found),
        Err(error) => {
            let state = if needed { State::Problem } else { State::Note };
            Check::new(GROUP, "vault", state, super::count(status.secrets))
                .advice(error.to_string())
        }
    }))
}
