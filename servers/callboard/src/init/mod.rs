//! `callboard init`: puts our servers into a client's file of MCP servers, and takes them out again.
//! For: adding or mending our own entries, keeping everything else, and saying what changed.
//! Not for: starting anything, or what a token is (`token` makes and keeps it).

mod client;
mod file;
mod json;
mod ours;
mod shown;
mod toml;
mod url;

pub use client::{Client, Scope, Transport};

use crate::token::local::{self, LocalToken};
use anyhow::{Context, bail};
use callboard_config::{Config, Environment, Overrides};
use callboard_store::actor::{Actor, scope_now};
use client::{Format, TOKEN_INPUT};
use serde_json::{Map, Value, json};
use shown::Told;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// The servers that every project gets, with what each is for.
const SERVERS: &[(&str, &str)] = &[
    ("assigner", "tasks: post, claim, watch, finish"),
    ("roadmap", "ROADMAP.md: load it, work it to its end"),
    ("llm", "models: ask, compare, limits, budgets"),
    ("telemetry", "calls to models: costs, speed, errors"),
];

/// Arguments of `callboard init`.
#[derive(Debug, Clone, clap::Args)]
pub struct InitArgs {
    /// Whose file to write
    #[arg(long, value_enum, default_value_t = Client::ClaudeCode)]
    pub client: Client,
    /// The project's file or the user's own [default: what the client is used with most]
    #[arg(long, value_enum)]
    pub scope: Option<Scope>,
    /// Whether the client starts the servers or connects to `callboard serve`
    #[arg(long, value_enum, default_value_t = Transport::Stdio)]
    pub transport: Transport,
    /// Where `callboard serve` listens, for --transport http
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL)]
    pub url: String,
    /// Root of the project
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub path: PathBuf,
    /// Show what would change and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Put the file back as it was before the last time
    #[arg(long, conflicts_with_all = ["transport", "url", "dry_run"])]
    pub undo: bool,
}

const DEFAULT_URL: &str = "http://127.0.0.1:22552";

/// Adds our servers to the client's file, or puts it back.
///
/// # Errors
/// A file that can't be read as what it should be (with the line), or that has another server by one of our names.
/// Nothing is written then.
pub fn init(
    args: &InitArgs,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let exe = std::env::current_exe().context("finding this program")?;
    init_as(&exe, args, environment, out)?;
    Ok(ExitCode::SUCCESS)
}

/// The same for a program at this absolute path.
fn init_as(
    exe: &Path,
    args: &InitArgs,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let given = environment.cwd().join(&args.path);
    let Some(dir) = given.canonicalize().ok().filter(|dir| dir.is_dir()) else {
        bail!(
            "{} is no directory; give the root of the project with --path",
            given.display()
        );
    };
    let scope = args.scope.unwrap_or(args.client.default_scope());
    let file = args.client.file(scope, &dir, environment)?;
    if scope == Scope::Project {
        file::stays_inside(&dir, &file)?;
    }
    if args.undo {
        return undo(environment, &file, out);
    }
    if args.transport == Transport::Http {
        url::check(&args.url)?;
    }
    let before = file::read(&file)?;
    let command = Command::of(environment, exe, args.client)?;
    let Planned {
        text,
        changes,
        difference,
    } = with_servers(before.as_deref().unwrap_or_default(), args, &command)
        .with_context(|| format!("{}: nothing was written", file.display()))?;
    let changed = before.as_deref() != Some(&text);
    if changed {
        file::check_replaceable(&file)?;
    }
    let token = match (args.transport, args.dry_run) {
        (Transport::Http, false) => Some(make_token(environment, &dir)?),
        _ => None,
    };
    let backup = if changed && !args.dry_run {
        file::write_undoable(environment, &file, before.as_deref(), &text)?
    } else {
        None
    };
    let told = Told {
        file: &file,
        command: &command,
        changes: &changes,
        backup: backup.as_deref(),
        token: token.as_ref(),
        difference: &difference,
        changed,
    };
    told.say(args, out)
}

/// Sees to it that the user has a token that is good on the board that the project has; answers where it is kept.
fn make_token(environment: &Environment, project: &Path) -> anyhow::Result<LocalToken> {
    let (config, _) = Config::load_cautious(environment, Some(project), &Overrides::default())?;
    let store = callboard_board::open(&config.board)
        .with_context(|| format!("opening the board in {}", config.board.display()))?;
    let actor = Arc::new(Actor::command(&environment.user(), "init"));
    scope_now(actor, || local::ensure(environment, &store))
}

fn undo(environment: &Environment, file: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    match file::undo(environment, file)? {
        file::Undone::Removed => writeln!(out, "{}: removed, as before", file.display())?,
        file::Undone::Restored => writeln!(out, "{}: as it was before", file.display())?,
    }
    Ok(())
}

/// The text with all of our servers in it, and what is told of it.
struct Planned {
    text: String,
    /// A line about each server.
    changes: Vec<String>,
    /// What our entries become.
    difference: String,
}

fn with_servers(before: &str, args: &InitArgs, command: &Command) -> anyhow::Result<Planned> {
    let client = args.client;
    let refused = client.refuses(args.transport);
    let mut text = before.to_owned();
    let mut changes = Vec::new();
    let mut difference = String::new();
    for (name, purpose) in SERVERS {
        let (entry, how) = entry(name, args, command)?;
        let mut merge = None;
        let merged = |present: &Value| {
            let wanted = ours::merged(name, present, &entry, refused)?;
            merge = Some((present.clone(), wanted.clone()));
            Ok(wanted)
        };
        let (after, change) = match client.format() {
            Format::Json { member, comments } => {
                json::Document::new(&text, comments).with_server(member, name, &entry, merged)?
            }
            Format::Toml => toml::with_server(&text, name, &entry, merged)?,
        };
        if change != Change::Unchanged {
            let (old, new) = match merge {
                Some((old, new)) => (Some(old), new),
                None => (None, Value::Object(entry.clone())),
            };
            let shown = shown::difference(client.format(), name, old.as_ref(), &new, &entry)?;
            difference.push_str(&shown);
        }
        text = after;
        changes.push(format!("  {change:<9} {name:<9} {how}   ({purpose})"));
    }
    if client == Client::Vscode && args.transport == Transport::Http {
        let input = json!({
            "type": "promptString",
            "id": TOKEN_INPUT,
            "description": "Callboard token",
            "password": true,
        });
        let after = json::Document::new(&text, true).with_element("inputs", TOKEN_INPUT, &input)?;
        if after != text {
            let shown = json::member("inputs", &json!([input]))?;
            difference.push_str(&shown::signed("", &shown));
        }
        text = after;
    }
    Ok(Planned {
        text,
        changes,
        difference,
    })
}

/// The entry for one server, and how it is reached in a few words.
fn entry(
    name: &str,
    args: &InitArgs,
    command: &Command,
) -> anyhow::Result<(Map<String, Value>, String)> {
    Ok(match args.transport {
        Transport::Stdio => (
            args.client.stdio_entry(&command.name, name),
            format!("{} {name}", command.name),
        ),
        Transport::Http => {
            let entry = args.client.http_entry(&command.name, &args.url, name)?;
            let url = entry["url"].as_str().unwrap_or_default().to_owned();
            (entry, url)
        }
    })
}

/// How a client starts us.
struct Command {
    name: String,
    /// The entries hold an absolute path although the client would take a name.
    off_path: bool,
}

impl Command {
    /// By name where the name means this very program; a path is right on this machine only.
    fn of(environment: &Environment, exe: &Path, client: Client) -> anyhow::Result<Self> {
        let same = |found: PathBuf| found.canonicalize().ok() == exe.canonicalize().ok();
        let on_path = environment.which("callboard").is_some_and(same);
        if on_path && !client.wants_absolute_command() {
            return Ok(Self {
                name: "callboard".to_owned(),
                off_path: false,
            });
        }
        let name = exe.to_str().with_context(|| {
            format!("{} is not UTF-8, so the file can't hold it", exe.display())
        })?;
        Ok(Self {
            name: name.to_owned(),
            off_path: !on_path,
        })
    }
}

/// What happened to one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Added,
    Updated,
    Unchanged,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Added => "added",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        })
    }
}

#[cfg(test)]
mod tests;
