//! `callboard init`: puts our servers into a client's file of MCP servers, and takes them out again.
//! For: adding or mending our own entries, keeping everything else, and saying what changed.
//! Not for: starting anything, or what a token is (`token` makes and keeps it).

mod client;
mod file;
mod json;
mod toml;
mod url;

pub use client::{Client, Scope, Transport};

use crate::token::local::{self, LocalToken};
use anyhow::{Context, bail};
use callboard_config::{Config, Environment, Overrides};
use callboard_store::actor::{Actor, scope_now};
use client::{FORWARDED, Format, TOKEN_INPUT, TOKEN_VARIABLE};
use serde_json::{Map, Value, json};
use similar::{ChangeTag, TextDiff};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use url::is_loopback;

/// The servers that every project gets, with what each is for.
const SERVERS: &[(&str, &str)] = &[
    ("assigner", "tasks: post, claim, watch, finish"),
    ("roadmap", "ROADMAP.md: load it, work it to its end"),
    ("llm", "models: ask, compare, limits, budgets"),
    ("telemetry", "calls to models: costs, speed, errors"),
];

/// Members of an entry that say how the server is reached; everything else in it is the user's.
const OURS: &[&str] = &[
    "type",
    "command",
    "args",
    "url",
    "headers",
    "headersHelper",
    "bearer_token_env_var",
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

/// Stands for what is not shown.
const ELIDED: &str = "…";

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
    let (text, changes) = with_servers(before.as_deref().unwrap_or_default(), args, &command)
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
        diff: difference(before.as_deref().unwrap_or_default(), &text),
        verb: match (changed, args.dry_run) {
            (false, _) => "has all of it already",
            (true, true) => "would change",
            (true, false) => "written",
        },
    };
    told.say(args, changed, out)
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

/// The text with all of our servers in it, and a line about each.
fn with_servers(
    before: &str,
    args: &InitArgs,
    command: &Command,
) -> anyhow::Result<(String, Vec<String>)> {
    let client = args.client;
    let mut text = before.to_owned();
    let mut changes = Vec::new();
    for (name, purpose) in SERVERS {
        let (entry, how) = match args.transport {
            Transport::Stdio => (
                client.stdio_entry(&command.name, name),
                format!("{} {name}", command.name),
            ),
            Transport::Http => {
                let entry = client.http_entry(&command.name, &args.url, name)?;
                let url = entry["url"].as_str().unwrap_or_default().to_owned();
                (entry, url)
            }
        };
        let refused = client.refuses(args.transport);
        let merge = |present: &Value| merged(name, present, &entry, refused);
        let (after, change) = match client.format() {
            Format::Json { member, comments } => {
                json::Document::new(&text, comments).with_server(member, name, &entry, merge)?
            }
            Format::Toml => toml::with_server(&text, name, &entry, merge)?,
        };
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
        text = json::Document::new(&text, true).with_element("inputs", TOKEN_INPUT, &input)?;
    }
    Ok((text, changes))
}

/// What changed, as lines with a sign before each; empty if nothing did. Nothing of others is shown: such a file may
/// hold other servers' secrets, on the next line or on the same one.
fn difference(before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    let mut shown = String::new();
    for group in diff.grouped_ops(0) {
        if !shown.is_empty() {
            shown.push_str("    …\n");
        }
        let (mut old, mut new) = (String::new(), String::new());
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            match change.tag() {
                ChangeTag::Delete => old.push_str(change.value()),
                ChangeTag::Insert => new.push_str(change.value()),
                ChangeTag::Equal => {}
            }
        }
        let (old, new) = without_common(&old, &new);
        for (sign, text) in [('-', old), ('+', new)] {
            for line in text.lines().filter(|line| *line != ELIDED) {
                shown.push_str(&format!("  {sign} {}\n", line.trim_end()));
            }
        }
    }
    shown
}

/// Two texts, without what both begin and end with where that is others': beside a mere insertion (a comma behind
/// somebody's last member), or more than one entry on a line.
fn without_common(old: &str, new: &str) -> (String, String) {
    let head = common(old.chars(), new.chars());
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail = common(old_rest.chars().rev(), new_rest.chars().rev());
    let only_more = old_rest.len() == tail || new_rest.len() == tail;
    let elided = |text: &str| {
        let others = text.chars().any(char::is_alphanumeric) && (only_more || text.contains('{'));
        let kept = if others { ELIDED } else { text };
        // The line's end stays.
        let end = if others && text.ends_with('\n') {
            "\n"
        } else {
            ""
        };
        format!("{kept}{end}")
    };
    let shown = |text: &str| {
        let (first, rest) = text.split_at(head);
        let (middle, last) = rest.split_at(rest.len() - tail);
        format!("{}{middle}{}", elided(first), elided(last))
    };
    (shown(old), shown(new))
}

/// How many bytes two texts have in common.
fn common(one: impl Iterator<Item = char>, other: impl Iterator<Item = char>) -> usize {
    one.zip(other)
        .take_while(|(one, other)| one == other)
        .map(|(one, _)| one.len_utf8())
        .sum()
}

/// What is told at the end.
struct Told<'a> {
    file: &'a Path,
    command: &'a Command,
    changes: &'a [String],
    backup: Option<&'a Path>,
    /// The user's own token.
    token: Option<&'a LocalToken>,
    diff: String,
    verb: &'a str,
}

impl Told<'_> {
    fn say(&self, args: &InitArgs, changed: bool, out: &mut dyn Write) -> anyhow::Result<()> {
        writeln!(out, "{}: {}", self.file.display(), self.verb)?;
        for line in self.changes {
            writeln!(out, "{line}")?;
        }
        if changed {
            write!(out, "\n{}\n", self.diff)?;
        }
        if let Some(backup) = self.backup {
            writeln!(out, "The file as it was: {}", backup.display())?;
        }
        if let Some(token) = self.token {
            writeln!(
                out,
                "The token is in {}, which only you can read; the client's file says how to get it, not what it is.",
                token.file.display()
            )?;
            if let Some(kept_out) = &token.kept_out {
                writeln!(out, "{kept_out}")?;
            }
        }
        if changed && !args.dry_run {
            writeln!(out, "To undo it: the same command with --undo.")?;
        }
        let starts_us = args.transport == Transport::Stdio || args.client == Client::ClaudeCode;
        if self.command.off_path && starts_us {
            writeln!(
                out,
                "`callboard` is not on your PATH as this program, so the entries hold its absolute path: put it on the \
                 PATH and run `callboard init` again before you share the file."
            )?;
        }
        if changed
            && !args.dry_run
            && let Some(next) = args.client.next_step(args.transport)
        {
            writeln!(out, "{next}")?;
        }
        Ok(())
    }
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

/// Our entry as it should be: what the user added to it (environment, time limits) stays, but for what its client
/// refuses in an entry of this kind.
fn merged(
    name: &str,
    present: &Value,
    entry: &Map<String, Value>,
    refused: &[&str],
) -> anyhow::Result<Value> {
    let Some(old) = present.as_object().filter(|old| is_ours(old, name, entry)) else {
        bail!(
            "{name} is another server already; rename it there, or add \"{name}\" under another name by hand"
        );
    };
    let mut merged = entry.clone();
    if let Some(names) = merged.get_mut(FORWARDED) {
        *names = with_all(old.get(FORWARDED), names);
    }
    let same_way = merged.iter().all(|(key, one)| {
        old.get(key) == Some(one) || (key == "type" && !old.contains_key("type"))
    });
    // The order and what the user added are kept; only what says how the server is reached is ours.
    let goes = |key: &str| OURS.contains(&key) || refused.contains(&key);
    for (key, one) in old.iter().filter(|(key, _)| !goes(key)) {
        merged.entry(key).or_insert_with(|| one.clone());
    }
    let nothing_else = old.keys().all(|key| !goes(key) || entry.contains_key(key));
    Ok(if same_way && nothing_else {
        present.clone()
    } else {
        Value::Object(merged)
    })
}

/// The list that is there, and behind it what it does not name yet: by itself, or as the `name` of an object.
fn with_all(present: Option<&Value>, wanted: &Value) -> Value {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut all = present.map(list).unwrap_or_default();
    for one in list(wanted) {
        if !all
            .iter()
            .any(|there| *there == one || there["name"] == one)
        {
            all.push(one);
        }
    }
    Value::Array(all)
}

/// Whether an entry starts our program for this server, or reaches it where `callboard serve` may be.
fn is_ours(old: &Map<String, Value>, name: &str, entry: &Map<String, Value>) -> bool {
    let command = old.get("command").and_then(Value::as_str);
    let by_name = command
        .map(Path::new)
        .and_then(Path::file_name)
        .is_some_and(|file| file == "callboard");
    let same = command.is_some() && old.get("command") == entry.get("command");
    let starts = (by_name || same) && old.get("args") == Some(&json!([name]));
    starts || reaches(old, name, entry)
}

/// Whether an entry's URL is this server's: on this machine, where it is to be now, or with our token.
fn reaches(old: &Map<String, Value>, name: &str, entry: &Map<String, Value>) -> bool {
    let Some(url) = old.get("url").and_then(Value::as_str) else {
        return false;
    };
    let Some(uri) = url.parse::<http::Uri>().ok() else {
        return false;
    };
    let here = uri.path() == format!("/{name}/mcp") && is_loopback(&uri);
    let token = ["headers", "headersHelper", "bearer_token_env_var"]
        .iter()
        .filter_map(|key| old.get(*key))
        .any(|value| {
            let text = value.to_string();
            [TOKEN_VARIABLE, TOKEN_INPUT, "token header"]
                .iter()
                .any(|ours| text.contains(ours))
        });
    let same = old.get("url") == entry.get("url");
    here || same || (token && uri.path().ends_with(&format!("/{name}/mcp")))
}

#[cfg(test)]
mod tests;
