//! `callboard audit`: who changed what on the board, why and from where.
//! For: reading the rows. Not for: writing them; each change does, in its own transaction.

use crate::when::{self, Since};
use anyhow::Context;
use callboard_config::{Config, Environment, Overrides};
use callboard_store::{Clock, SystemClock};
use callboard_telemetry::audit::{AuditFilter, AuditRow, audit_list};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `callboard audit`.
#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    /// Only what is not older: a length of time (7d, 1h30m), a day (2026-11-21) or a time (2026-11-21T14:00Z); days are UTC's
    #[arg(long, value_name = "TIME", value_parser = when::since)]
    since: Option<Since>,
    /// Only changes of this: a task, a token, a secret
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Only what this name or token did, or what was done for this agent
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// How many rows at most, the latest
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,
    /// One JSON object a line, for programs
    #[arg(long)]
    json: bool,
    /// The directory of the board
    #[arg(long, value_name = "DIR")]
    board: Option<PathBuf>,
}

/// Shows the rows, the latest last.
///
/// # Errors
/// A board that can't be opened or read.
pub fn audit(
    args: &AuditArgs,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let flags = Overrides {
        board: args.board.clone(),
        ..Overrides::default()
    };
    let config = Config::for_server(environment, &flags)?;
    let store = callboard_board::open(&config.board)
        .with_context(|| format!("opening the board in {}", config.board.display()))?;
    let since = args.since.map(|since| since.at(SystemClock.now_ms()));
    let filter = AuditFilter {
        since,
        subject: args.subject.clone(),
        who: args.who.clone(),
    };
    let rows = store.read_now(|c| audit_list(c, &filter, args.limit))?;
    for row in &rows {
        if args.json {
            writeln!(out, "{}", object(row))?;
        } else {
            writeln!(out, "{}", line(row))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Names and clients come from others: nothing in them may steer a terminal.
fn plain(text: &str) -> String {
    text.escape_debug().to_string().replace("\\\"", "\"")
}

fn line(row: &AuditRow) -> String {
    let mut who = row.name.clone();
    if let Some(token) = &row.token {
        who += &format!(" ({token})");
    }
    if let Some(agent) = &row.agent {
        who += &format!(" for {agent}");
    }
    let mut from = row.via.clone();
    for part in [&row.address, &row.client, &row.request]
        .into_iter()
        .flatten()
    {
        from += &format!(" {part}");
    }
    let (verb, subject, detail) = (&row.verb, &row.subject, &row.detail);
    let text = format!(
        "{} {verb} {subject} {detail} by {who} through {} [{from}]",
        when::utc(row.at),
        row.action
    );
    format!("{:>6} {}", row.seq, plain(&text))
}

fn object(row: &AuditRow) -> Value {
    json!({
        "seq": row.seq,
        "at": row.at,
        "verb": row.verb,
        "subject": row.subject,
        "detail": serde_json::from_str::<Value>(&row.detail).unwrap_or_default(),
        "name": row.name,
        "token": row.token,
        "client": row.client,
        "agent": row.agent,
        "via": row.via,
        "address": row.address,
        "action": row.action,
        "request": row.request,
    })
}
