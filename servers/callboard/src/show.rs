//! What `callboard run` shows: a live view on a terminal, plain lines where it is not one, JSON for
//! programs, and the table at the end.

use callboard_config::Environment;
use callboard_crew::{AttemptReport, Event, ItemOutcome, ItemReport, Report};
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A line for each attempt at work, redrawn.
    Live,
    /// A line for each event.
    Lines,
    /// A JSON object for each event.
    Json,
}

/// Shows events until there are no more.
pub async fn follow(mut events: Receiver<Event>, style: Style) {
    let mut view = View::new(style);
    loop {
        match events.recv().await {
            Ok(event) => {
                // A closed pipe (`| head`) must not end the work.
                let _ = view.show(&event);
            }
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "events went by too fast to show")
            }
            Err(RecvError::Closed) => break,
        }
    }
    view.clear();
}

struct View {
    style: Style,
    started: Instant,
    bars: MultiProgress,
    live: HashMap<String, ProgressBar>,
    titles: HashMap<String, String>,
}

impl View {
    fn new(style: Style) -> Self {
        let target = match style {
            Style::Live => ProgressDrawTarget::stderr(),
            Style::Lines | Style::Json => ProgressDrawTarget::hidden(),
        };
        View {
            style,
            started: Instant::now(),
            bars: MultiProgress::with_draw_target(target),
            live: HashMap::new(),
            titles: HashMap::new(),
        }
    }

    fn show(&mut self, event: &Event) -> io::Result<()> {
        if self.style == Style::Json {
            let line = serde_json::to_string(event).map_err(io::Error::other)?;
            return writeln!(io::stdout(), "{line}");
        }
        if let Event::Attempt {
            item,
            title,
            attempt,
            number,
            ..
        } = event
        {
            self.titles.insert(item.clone(), title.clone());
            self.begin(attempt, title, *number);
        }
        if let Event::Step {
            item,
            attempt,
            step,
            ..
        } = event
        {
            self.step(item, attempt, step.as_str());
        }
        if let Event::Done { attempt, .. } | Event::Failed { attempt, .. } = event
            && let Some(bar) = self.live.remove(attempt)
        {
            bar.finish_and_clear();
        }
        match self.line(event) {
            Some(line) => self.print(&line),
            None => Ok(()),
        }
    }

    fn begin(&mut self, attempt: &str, title: &str, number: u32) {
        let bar = self.bars.add(ProgressBar::new_spinner());
        if let Ok(style) =
            ProgressStyle::with_template("  {spinner} {prefix:.bold} {msg} {elapsed:.dim}")
        {
            bar.set_style(style);
        }
        bar.set_prefix(if number > 1 {
            format!("{title} (attempt {number})")
        } else {
            title.to_owned()
        });
        bar.enable_steady_tick(Duration::from_millis(120));
        self.live.insert(attempt.to_owned(), bar);
    }

    fn step(&self, _item: &str, attempt: &str, step: &str) {
        if let Some(bar) = self.live.get(attempt) {
            bar.set_message(step.to_owned());
        }
    }

    fn print(&self, line: &str) -> io::Result<()> {
        match self.style {
            Style::Live => self.bars.println(line),
            Style::Lines => writeln!(
                io::stdout(),
                "{:>6.1}s  {line}",
                self.started.elapsed().as_secs_f64()
            ),
            Style::Json => Ok(()),
        }
    }

    fn clear(&self) {
        let _ = self.bars.clear();
    }

    fn title<'a>(&'a self, item: &'a str) -> &'a str {
        self.titles.get(item).map_or(item, String::as_str)
    }

    /// The event as a line, or nothing where the live view shows it better.
    fn line(&self, event: &Event) -> Option<String> {
        let lines = self.style == Style::Lines;
        Some(match event {
            Event::Started {
                items,
                agents,
                agent,
                integration,
                board,
                ..
            } => format!(
                "{items} open items, {agents} agents at once ({agent}), results go to {integration}; board {board}"
            ),
            Event::Recovered { found } => format!("recovered: {}", found.join("; ")),
            Event::Attempt {
                title, number: 1, ..
            } if lines => format!("start  {title}"),
            Event::Attempt {
                title,
                number,
                after,
                ..
            } if lines => format!(
                "again  {title}, attempt {number}{}",
                after
                    .as_deref()
                    .map(|after| format!(" (before: {})", first_line(after)))
                    .unwrap_or_default()
            ),
            Event::Attempt { .. } => return None,
            Event::Step {
                item, step, detail, ..
            } if lines => format!(
                "  {:<9} {}{}",
                step.as_str(),
                self.title(item),
                detail
                    .as_deref()
                    .map(|detail| format!(": {detail}"))
                    .unwrap_or_default()
            ),
            Event::Step { .. } => return None,
            Event::Failed {
                item,
                outcome,
                error,
                next,
                ..
            } => {
                format!(
                    "✗ {}: {} - {}; {next}",
                    self.title(item),
                    words(outcome),
                    first_line(error)
                )
            }
            Event::Done {
                item,
                tests,
                pr: Some(pr),
                ..
            } => {
                format!("✓ {}: pull request {pr}, tests {tests}", self.title(item))
            }
            Event::Done {
                item, tests, merge, ..
            } => format!(
                "✓ {}: merged{}, tests {tests}",
                self.title(item),
                merge
                    .as_deref()
                    .map(|merge| format!(" as {}", short(merge)))
                    .unwrap_or_default()
            ),
            Event::Note { text } => format!("note: {text}"),
            Event::Finished { .. } => return None,
        })
    }
}

fn words(outcome: &str) -> String {
    outcome.replace('_', " ")
}

fn short(commit: &str) -> &str {
    commit.get(..8).unwrap_or(commit)
}

/// The first line, without what makes it long.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() > 160 {
        format!("{}…", line.chars().take(160).collect::<String>())
    } else {
        line.to_owned()
    }
}

/// The table at the end, and why earlier attempts did not succeed.
///
/// # Errors
/// When the output can't be written.
pub fn table(out: &mut dyn Write, report: &Report) -> io::Result<()> {
    if report.items.is_empty() {
        return writeln!(out, "The roadmap has no open item.");
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header([
        "Item", "Attempts", "Time", "Commits", "Diff", "Tests", "Outcome",
    ]);
    for item in &report.items {
        table.add_row(row(item));
    }
    for column in [1, 2, 3] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    writeln!(out, "\n{table}")?;
    for item in &report.items {
        explain(out, item)?;
    }
    let head = report
        .head
        .as_deref()
        .map(|head| format!(" at {}", short(head)))
        .unwrap_or_default();
    writeln!(
        out,
        "\n{}; results are on {}{head}",
        report.summary(),
        report.integration
    )
}

fn row(item: &ItemReport) -> [String; 7] {
    [
        item.title.clone(),
        item.attempts.len().to_string(),
        format!("{:.1} s", seconds(item.time_ms)),
        item.commits.to_string(),
        item.diff
            .map_or_else(String::new, |(files, added, removed)| {
                format!(
                    "{files} file{} +{added} -{removed}",
                    if files == 1 { "" } else { "s" }
                )
            }),
        item.tests.clone().unwrap_or_default(),
        item.outcome.as_str().to_owned(),
    ]
}

fn seconds(ms: i64) -> f64 {
    f64::from(i32::try_from(ms).unwrap_or(i32::MAX)) / 1000.0
}

fn explain(out: &mut dyn Write, item: &ItemReport) -> io::Result<()> {
    let failed: Vec<_> = item
        .attempts
        .iter()
        .filter(|attempt| attempt.error.is_some())
        .collect();
    if failed.is_empty() && item.outcome == ItemOutcome::Done {
        return Ok(());
    }
    writeln!(out, "\n{}", item.title)?;
    for attempt in &item.attempts {
        let why = attempt
            .error
            .as_deref()
            .map(|error| format!(": {}", first_line(error)))
            .unwrap_or_default();
        writeln!(
            out,
            "  attempt {} {}{why}",
            attempt.number,
            words(&attempt.outcome)
        )?;
        if let Some(kept) = &attempt.kept {
            writeln!(out, "    its work is kept: git show {kept}")?;
        }
    }
    if item.outcome == ItemOutcome::Done {
        return Ok(());
    }
    if let Some(why) = &item.why {
        writeln!(out, "  {}", first_line(why))?;
    }
    match item.attempts.last() {
        Some(last) => last_words(out, last),
        None => Ok(()),
    }
}

/// How an attempt that was the last one ended: the end of what it said, and where the rest is.
fn last_words(out: &mut dyn Write, attempt: &AttemptReport) -> io::Result<()> {
    const SHOWN: usize = 8;
    let error = attempt.error.as_deref().unwrap_or_default();
    let lines: Vec<&str> = error
        .lines()
        .skip(1)
        .filter(|line| !line.trim().is_empty())
        .collect();
    for line in lines.iter().skip(lines.len().saturating_sub(SHOWN)) {
        writeln!(out, "    | {}", first_line(line))?;
    }
    match &attempt.log {
        Some(log) => writeln!(out, "    log: {log}"),
        None => Ok(()),
    }
}

/// How to type `callboard run` for a path: by name where PATH leads to a `callboard`, else by where this
/// program is (`cargo run` does not put it on PATH).
#[must_use]
pub fn run_again(environment: &Environment, path: &Path) -> String {
    let program = match (environment.which("callboard"), std::env::current_exe()) {
        (None, Ok(exe)) => quoted(&exe),
        _ => "callboard".to_owned(),
    };
    format!("{program} run {}", quoted(path))
}

/// A path as it can be typed into a shell.
#[must_use]
pub fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}
