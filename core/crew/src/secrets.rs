//! The secrets that an agent's configuration names.
//! For: looking before anything is posted, and filling them in when the agent is started; what an agent made is
//! looked through before it is committed. Not for: storing them, or showing any of it.

use crate::agent::Agent;
use crate::error::CrewError;
use crate::passphrase::{PASSPHRASE_WITHIN, passphrase};
use crate::project::Project;
use callboard_config::{Config, Environment, Template};
use callboard_redact::{SECRETS_VARIABLE, Secret};
use callboard_store::vault::{self, AskPassphrase, Vault};
use callboard_store::{Clock, Options, Store, actor};
use callboard_telemetry::audit;
use callboard_worktree::{Oid, Worktree};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Opens the vault when the first secret is needed. An agent without secrets needs no vault, and no board for one.
pub type OpenVault = Arc<dyn Fn() -> Result<Vault, CrewError> + Send + Sync>;

/// The vault of the user who runs this process, opened once. Its passphrase, if it has one, comes from the program or the
/// file that the configuration names, or else is asked for with `ask`, if that is given.
#[must_use]
pub fn users_vault(
    environment: &Environment,
    config: &Config,
    clock: Arc<dyn Clock>,
    ask: Option<AskPassphrase>,
) -> OpenVault {
    let ask = passphrase(environment, config, PASSPHRASE_WITHIN).or(ask);
    let environment = environment.clone();
    let opened: Mutex<Option<Vault>> = Mutex::new(None);
    Arc::new(move || {
        let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(vault) = opened.as_ref() {
            return Ok(vault.clone());
        }
        let board = Config::users_board(&environment)?;
        let tables = [audit::MIGRATIONS, vault::MIGRATIONS];
        let store = Store::open(Options::board(&board), &tables)?;
        let mut vault = Vault::new(store, &environment.data_dir()?, Arc::clone(&clock))
            .witnessed(audit::vault_witness(Arc::clone(&clock)));
        if let Some(ask) = &ask {
            vault = vault.asking(Arc::clone(ask));
        }
        *opened = Some(vault.clone());
        Ok(vault)
    })
}

/// Finds values by their names. An error's text says what to do, and holds no value.
pub type LookUp =
    Arc<dyn Fn(&BTreeSet<String>) -> Result<BTreeMap<String, Secret>, String> + Send + Sync>;

/// Looks secrets up in a vault, which is opened when the first one is needed: for the keys of providers. It may take a
/// third of a second of pure computing, so call it where that may be.
#[must_use]
pub fn look_up(vault: OpenVault) -> LookUp {
    Arc::new(move |names| {
        let vault = vault().map_err(|error| error.advice())?;
        vault.resolve(names).map_err(|error| error.to_string())
    })
}

/// The secrets that this agent's variables name.
#[must_use]
pub fn names_of(agent: &Agent) -> BTreeSet<String> {
    agent.env.values().flat_map(Template::names).collect()
}

/// The agent's own variables with their values, and the mark that names those which hold secrets.
pub(crate) async fn variables(project: &Project) -> Result<Vec<(String, String)>, CrewError> {
    let values = resolve(project).await?;
    let mut variables = Vec::with_capacity(project.agent.env.len() + 1);
    let mut secret = Vec::new();
    for (name, template) in &project.agent.env {
        let filled = template.fill(|name| values.get(name).map(Secret::expose));
        let filled =
            filled.map_err(|name| CrewError::Internal(format!("the secret {name} got lost")))?;
        variables.push((name.clone(), filled));
        if !template.names().is_empty() {
            secret.push(name.as_str());
        }
    }
    if !secret.is_empty() {
        variables.push((SECRETS_VARIABLE.to_owned(), secret.join(",")));
    }
    Ok(variables)
}

/// Whether everything that the agent's configuration names is there and opens, before anything is done.
pub(crate) async fn check(project: &Project) -> Result<(), CrewError> {
    resolve(project).await.map(drop)
}

/// Refuses work that holds a secret: once it is merged and pushed, it is everybody's.
pub(crate) fn check_work(worktree: &Worktree, base: &Oid, attempt: &str) -> Result<(), CrewError> {
    if callboard_redact::is_empty() {
        return Ok(());
    }
    let mut found = None;
    worktree.made_since(base, &mut |bytes| {
        found = found.take().or_else(|| callboard_redact::sighted(bytes));
    })?;
    match found {
        None => Ok(()),
        Some(name) => Err(CrewError::refused(
            format!("the work holds the value of the secret {name}, so it is not merged or pushed"),
            format!(
                "read it from the environment where it is needed, and write its name, never its value. What was made \
                 is kept in this repository alone, as refs/callboard/kept/{attempt}: delete that ref when it is not needed"
            ),
        )),
    }
}

async fn resolve(project: &Project) -> Result<BTreeMap<String, Secret>, CrewError> {
    let names = names_of(&project.agent);
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let open = Arc::clone(&project.vault);
    // A passphrase takes a third of a second of pure computing.
    actor::spawn_blocking(move || Ok(open()?.resolve(&names)?))
        .await
        .map_err(|error| CrewError::Internal(error.to_string()))?
}
