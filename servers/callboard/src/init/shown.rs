//! What a person is told of a change.
//! For: the difference that our own entries make, without secrets, and what comes next.
//! Not for: any other text of the file: it may hold other servers' secrets on the next line or on the same one, so it
//! never comes here.

use super::client::{Client, FORWARDED, Format, Transport};
use super::ours::is_our_program;
use super::{Command, InitArgs, json, toml};
use crate::token::local::LocalToken;
use callboard_config::wrong_url;
use serde_json::{Map, Value};
use similar::{ChangeTag, TextDiff};
use std::io::Write;
use std::path::Path;

/// Stands for what is not shown.
const ELIDED: &str = "…";

/// What changed in one of our entries, as lines with a sign before each; `ours` is what we write into it.
pub fn difference(
    format: Format,
    name: &str,
    old: Option<&Value>,
    new: &Value,
    ours: &Map<String, Value>,
) -> anyhow::Result<String> {
    let text = |entry: &Value| {
        let entry = entry.as_object().map(|entry| without_secrets(entry, ours));
        let entry = entry.unwrap_or_default();
        match format {
            Format::Json { .. } => json::member(name, &Value::Object(entry)),
            Format::Toml => toml::fresh(name, &entry),
        }
    };
    let old = old.map_or_else(|| Ok(String::new()), text)?;
    Ok(signed(&old, &text(new)?))
}

/// All lines of two texts, with a sign before those that only one has.
pub fn signed(old: &str, new: &str) -> String {
    let mut shown = String::new();
    for change in TextDiff::from_lines(old, new).iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        shown.push_str(&format!("  {sign} {}\n", change.value().trim_end()));
    }
    shown
}

/// An entry with its names, and with those values that can't be secrets: what we write, and what we know.
fn without_secrets(entry: &Map<String, Value>, ours: &Map<String, Value>) -> Map<String, Value> {
    let shown = |(key, value): (&String, &Value)| {
        let value = match (key.as_str(), value) {
            _ if ours.get(key) == Some(value) => value.clone(),
            (_, Value::Null | Value::Bool(_) | Value::Number(_)) => value.clone(),
            ("type", Value::String(_)) => value.clone(),
            ("command", Value::String(command)) if is_our_program(command) => value.clone(),
            // An address that has no more in it than that.
            ("url", Value::String(url)) if wrong_url(url).is_none() => value.clone(),
            ("args", Value::Array(args)) if is_server(args) => value.clone(),
            (FORWARDED, Value::Array(names)) => names.iter().map(variable).collect(),
            (_, Value::Object(members)) => names_of(members, ours.get(key)),
            _ => Value::from(ELIDED),
        };
        (key.clone(), value)
    };
    entry.iter().map(shown).collect()
}

/// Whether arguments are no more than one server's name.
fn is_server(args: &[Value]) -> bool {
    let known = |arg: &Value| super::SERVERS.iter().any(|(name, _)| arg == name);
    args.len() == 1 && args.iter().all(known)
}

/// The name of a variable, by itself or as the `name` of an object.
fn variable(one: &Value) -> Value {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    match one {
        Value::String(name) if name.chars().all(plain) => one.clone(),
        Value::Object(members) => names_of(members, None),
        _ => Value::from(ELIDED),
    }
}

/// An object with the values that are ours, and of the others only the names.
fn names_of(members: &Map<String, Value>, ours: Option<&Value>) -> Value {
    let shown = members.iter().map(|(name, value)| {
        let is_ours = ours.and_then(|ours| ours.get(name)) == Some(value);
        let value = if is_ours {
            value.clone()
        } else {
            Value::from(ELIDED)
        };
        (name.clone(), value)
    });
    Value::Object(shown.collect())
}

/// What is told at the end.
pub struct Told<'a> {
    pub file: &'a Path,
    pub command: &'a Command,
    /// A line about each server.
    pub changes: &'a [String],
    pub backup: Option<&'a Path>,
    /// The user's own token.
    pub token: Option<&'a LocalToken>,
    /// What our entries become.
    pub difference: &'a str,
    pub changed: bool,
}

impl Told<'_> {
    /// Tells it.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn say(&self, args: &InitArgs, out: &mut dyn Write) -> anyhow::Result<()> {
        let verb = match (self.changed, args.dry_run) {
            (false, _) => "has all of it already",
            (true, true) => "would change",
            (true, false) => "written",
        };
        writeln!(out, "{}: {verb}", self.file.display())?;
        for line in self.changes {
            writeln!(out, "{line}")?;
        }
        if self.changed {
            write!(out, "\n{}\n", self.difference)?;
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
        let written = self.changed && !args.dry_run;
        if written {
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
        if written && let Some(next) = args.client.next_step(args.transport) {
            writeln!(out, "{next}")?;
        }
        Ok(())
    }
}
