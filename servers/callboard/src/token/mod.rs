//! `callboard token`: who may use the servers over HTTP.
//! For: making, showing and revoking tokens on a board, and handing the user's own to a client. Not for: judging a
//! request (callboard_mcp's gate does), or keeping what was made for others.

pub mod local;

use crate::when;
use anyhow::Context;
use callboard_config::{Config, Environment, Overrides, parse_duration};
use callboard_mcp::access::{NewToken, TokenRow, TokenText, token_add, token_list, token_revoke};
use callboard_mcp::{Grant, Role};
use callboard_store::actor::{Actor, scope_now};
use callboard_store::{Clock, Store, SystemClock};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Arguments of `callboard token`.
#[derive(Debug, clap::Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, clap::Subcommand)]
enum TokenCommand {
    /// Make a token and print it, this once: only its hash is kept
    Add {
        /// What to call it: letters, digits, `-`, `_` and `.`
        name: String,
        /// What its holder may do: look, work, or everything
        #[arg(long, value_name = "ROLE", default_value = "developer", value_parser = role)]
        role: Role,
        #[command(flatten)]
        whom: Whom,
        /// How long it is good for, at most 366d
        #[arg(long, value_name = "TIME", default_value = "90d", value_parser = parse_duration)]
        expires: Duration,
        #[command(flatten)]
        board: Board,
    },
    /// Show the tokens, never what they are
    List {
        /// For programs
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        board: Board,
    },
    /// End a token at once and for good
    Revoke {
        /// Its name or its id
        which: String,
        #[command(flatten)]
        board: Board,
    },
    /// Print the user's own token as a header, in the JSON that Claude Code's headersHelper wants
    Header {
        /// Print the token alone, for CALLBOARD_TOKEN
        #[arg(long)]
        plain: bool,
        #[command(flatten)]
        board: Board,
    },
}

/// For whom a token of the gateway is.
#[derive(Debug, clap::Args)]
struct Whom {
    /// Make a key for models: it opens the gateway (/v1/…) and nothing else
    #[arg(long, conflicts_with = "role")]
    gateway: bool,
    /// Whose key it is: what is asked with it is counted as this agent's
    #[arg(long, value_name = "NAME", requires = "gateway")]
    agent: Option<String>,
    /// The project that it is counted for
    #[arg(long, value_name = "NAME", requires = "gateway")]
    project: Option<String>,
    /// The task that it is counted for
    #[arg(long, value_name = "ID", requires = "gateway")]
    task: Option<String>,
    /// The role of its work, as routes.<name>.roles has it: how hard what it asks is
    #[arg(long, value_name = "NAME", requires = "gateway")]
    work_role: Option<String>,
}

impl Whom {
    fn grant(&self) -> Option<Grant> {
        self.gateway.then(|| Grant {
            agent: self.agent.clone(),
            project: self.project.clone(),
            task: self.task.clone(),
            work_role: self.work_role.clone(),
        })
    }
}

#[derive(Debug, clap::Args)]
struct Board {
    /// The directory of the board.
    #[arg(long, value_name = "DIR")]
    board: Option<PathBuf>,
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "the roles are viewer, developer and admin".to_owned())
}

/// Runs one of the commands.
///
/// # Errors
/// A board that can't be opened, or what the command says.
pub fn token(
    args: &TokenArgs,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let actor = |what: &str| Arc::new(Actor::command(&environment.user(), what));
    match &args.command {
        TokenCommand::Add {
            name,
            role,
            whom,
            expires,
            board,
        } => {
            let config = config(environment, board)?;
            let store = open_board(&config)?;
            if let Some(warning) = unknown_role(&config, whom.work_role.as_deref()) {
                let _ = writeln!(std::io::stderr(), "{warning}");
            }
            let new = NewToken {
                name: name.clone(),
                role: *role,
                grant: whom.grant(),
                lifetime_ms: Some(i64::try_from(expires.as_millis()).unwrap_or(i64::MAX)),
            };
            let added = scope_now(actor("token add"), || add(&store, new))?;
            tell_added(&added, out)?;
        }
        TokenCommand::List { json, board } => {
            let rows = open(environment, board)?.read_now(token_list)?;
            let now = SystemClock.now_ms();
            if *json {
                write_json(&rows, now, out)?;
            } else {
                list(&rows, now, out)?;
            }
        }
        TokenCommand::Revoke { which, board } => {
            let store = open(environment, board)?;
            let now = SystemClock.now_ms();
            let named = which.clone();
            let row = scope_now(actor("token revoke"), || {
                store.write_blocking(move |c| token_revoke(c, now, &named))
            })?;
            writeln!(out, "{} ({}) is revoked.", row.name, row.id)?;
        }
        TokenCommand::Header { plain, board } => {
            let store = open(environment, board)?;
            let local = scope_now(actor("token header"), || local::ensure(environment, &store))?;
            if let Some(kept_out) = &local.kept_out {
                // Standard output is for the client alone.
                let _ = writeln!(
                    std::io::stderr(),
                    "The token is in {}. {kept_out}",
                    local.file.display()
                );
            }
            let text = local.text.reveal();
            if *plain {
                writeln!(out, "{text}")?;
            } else {
                let header = json!({ "Authorization": format!("Bearer {text}") });
                writeln!(out, "{header}")?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn open(environment: &Environment, board: &Board) -> anyhow::Result<Store> {
    open_board(&config(environment, board)?)
}

/// The settings that name the board: also where the project's own file can't be trusted, as a server does.
fn config(environment: &Environment, board: &Board) -> anyhow::Result<Config> {
    let flags = Overrides {
        board: board.board.clone(),
        ..Overrides::default()
    };
    Ok(Config::for_server(environment, &flags)?)
}

fn open_board(config: &Config) -> anyhow::Result<Store> {
    callboard_board::open(&config.board)
        .with_context(|| format!("opening the board in {}", config.board.display()))
}

/// What to say of a role of work that no route knows here. The key is made all the same: routes may come later, and a
/// server may have others.
fn unknown_role(config: &Config, role: Option<&str>) -> Option<String> {
    let role = role?;
    let routes = config.models.routes.values();
    let known: BTreeSet<&str> = routes
        .flat_map(|route| route.roles.keys().map(String::as_str))
        .collect();
    if known.contains(role) {
        return None;
    }
    let known: Vec<&str> = known.into_iter().collect();
    let there = match known.is_empty() {
        true => "none is configured".to_owned(),
        false => format!("there are {}", known.join(", ")),
    };
    Some(format!(
        "No route knows the role of work {role:?} ({there}): until one has it in routes.<name>.roles, what is asked with \
         this key is refused."
    ))
}

struct Added {
    row: TokenRow,
    text: TokenText,
}

fn add(store: &Store, new: NewToken) -> anyhow::Result<Added> {
    let text = TokenText::generate()?;
    let (now, kept) = (SystemClock.now_ms(), text.clone());
    let row = store.write_blocking(move |c| token_add(c, now, &kept, &new))?;
    Ok(Added { row, text })
}

/// The token alone on standard output, so that it can be piped; the words beside it.
fn tell_added(added: &Added, out: &mut dyn Write) -> anyhow::Result<()> {
    let Added { row, text } = added;
    writeln!(out, "{}", text.reveal())?;
    out.flush()?;
    let until = row
        .expires_at
        .map_or_else(|| "it is revoked".to_owned(), when::utc);
    let _ = writeln!(
        std::io::stderr(),
        "{} ({}), {}, good until {until}. It is not shown again: only its hash is kept.",
        row.name,
        row.id,
        opens(row),
    );
    Ok(())
}

/// What a token is good for: a role, or the gateway and for whom.
fn opens(row: &TokenRow) -> String {
    let Some(grant) = &row.grant else {
        return row.role.to_string();
    };
    let named = [
        ("agent", &grant.agent),
        ("project", &grant.project),
        ("task", &grant.task),
        ("work role", &grant.work_role),
    ];
    let named = named.iter().filter_map(|(what, name)| {
        let name = name.as_ref()?;
        Some(format!("{what} {name}"))
    });
    let named: Vec<_> = named.collect();
    match named.as_slice() {
        [] => "gateway".to_owned(),
        named => format!("gateway ({})", named.join(", ")),
    }
}

fn state(row: &TokenRow, now: i64) -> &'static str {
    if row.revoked_at.is_some() {
        "revoked"
    } else if row.has_expired(now) {
        "expired"
    } else {
        "good"
    }
}

fn list(rows: &[TokenRow], now: i64, out: &mut dyn Write) -> anyhow::Result<()> {
    if rows.is_empty() {
        writeln!(
            out,
            "There are no tokens; `callboard token add NAME` makes one."
        )?;
        return Ok(());
    }
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["name", "id", "opens", "state", "until", "last use"]);
    for row in rows {
        table.add_row([
            row.name.clone(),
            row.id.clone(),
            opens(row),
            state(row, now).to_owned(),
            row.expires_at
                .map_or_else(|| "no end".to_owned(), when::utc),
            row.used_at.map_or_else(|| "never".to_owned(), when::utc),
        ]);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim())?;
    }
    Ok(())
}

fn write_json(rows: &[TokenRow], now: i64, out: &mut dyn Write) -> anyhow::Result<()> {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "name": row.name,
                "id": row.id,
                "role": row.grant.is_none().then(|| row.role.as_str()),
                "gateway": row.grant.as_ref().map(|grant| json!({
                    "agent": grant.agent,
                    "project": grant.project,
                    "task": grant.task,
                    "work_role": grant.work_role,
                })),
                "state": state(row, now),
                "created_at": row.created_at,
                "expires_at": row.expires_at,
                "revoked_at": row.revoked_at,
                "used_at": row.used_at,
            })
        })
        .collect();
    serde_json::to_writer_pretty(&mut *out, &json!({ "tokens": rows }))?;
    writeln!(out)?;
    Ok(())
}

#[cfg(test)]
mod tests;
