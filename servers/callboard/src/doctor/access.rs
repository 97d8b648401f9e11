//! Who may use the servers over HTTP, as far as it can be seen without changing anything.

use super::{Check, State};
use crate::token::local;
use callboard_config::{Config, Environment};
use callboard_mcp::access::{token_get, token_list};
use callboard_store::{Clock, Options, Store, SystemClock};
use std::path::Path;

const GROUP: &str = "access";

pub(super) fn checks(environment: &Environment, config: &Config) -> Vec<Check> {
    let store = existing_board(config);
    let mut checks = vec![own_token(environment, store.as_ref())];
    checks.extend(store.as_ref().and_then(tokens));
    if let Some(role) = *config.access.loopback {
        let found = format!(
            "everybody on this machine is {} without a token",
            role.as_str()
        );
        checks.push(
            Check::new(GROUP, "loopback", State::Note, found)
                .advice(format!("set at {}", config.access.loopback.source)),
        );
    }
    checks
}

/// Looking must not make one; what is wrong with it is told elsewhere.
fn existing_board(config: &Config) -> Option<Store> {
    let options = Options {
        signal_dir: None,
        ..Options::board(&config.board)
    };
    if !options.path.is_file() {
        return None;
    }
    callboard_board::open_with(options).ok()
}

fn own_token(environment: &Environment, store: Option<&Store>) -> Check {
    let name = "your token";
    let missing = |found: String| {
        Check::new(GROUP, name, State::Missing, found)
            .needed_by("clients of `callboard serve`")
            .advice("made by `callboard serve`, `callboard init --transport http` and `callboard token header`")
    };
    let file = match local::file(environment) {
        Ok(file) => file,
        Err(error) => return missing(error.to_string()),
    };
    let token = match local::read(&file) {
        Ok(Some(token)) => token,
        Ok(None) => return missing(format!("none at {}", file.display())),
        Err(error) => return Check::new(GROUP, name, State::Note, format!("{error:#}")),
    };
    if let Some(check) = in_a_repository(name, &file) {
        return check;
    }
    let row = store.and_then(|store| store.read_now(|c| token_get(c, token.id())).ok()?);
    let shown = file.display();
    match row {
        Some(row) if row.is_of(&token) && row.is_good(SystemClock.now_ms()) => {
            Check::new(GROUP, name, State::Ok, shown.to_string())
        }
        Some(_) => Check::new(
            GROUP,
            name,
            State::Note,
            format!("{shown}: revoked on this board"),
        )
        .advice("`callboard token header` makes another"),
        None => Check::new(
            GROUP,
            name,
            State::Ok,
            format!("{shown} (not used on this board yet)"),
        ),
    }
}

/// A token that a commit of everything would publish.
fn in_a_repository(name: &'static str, file: &Path) -> Option<Check> {
    let dir = file.parent()?;
    let tree = local::work_tree(dir)?;
    if local::is_ignored(dir) {
        return None;
    }
    let found = format!(
        "{} is inside the git work tree {}, which does not ignore it",
        file.display(),
        tree.display()
    );
    Some(Check::new(GROUP, name, State::Note, found).advice(
        "`callboard token header` puts a .gitignore beside it; revoke it if it was ever committed",
    ))
}

fn tokens(store: &Store) -> Option<Check> {
    let rows = store.read_now(token_list).ok()?;
    let now = SystemClock.now_ms();
    let good = rows.iter().filter(|row| row.is_good(now)).count();
    let expired = rows
        .iter()
        .filter(|row| row.revoked_at.is_none() && row.has_expired(now))
        .count();
    let mut found = format!("{good} good");
    if expired > 0 {
        found += &format!(", {expired} expired");
    }
    Some(Check::new(GROUP, "tokens", State::Ok, found))
}
