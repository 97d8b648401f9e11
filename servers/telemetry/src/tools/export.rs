//! `export`.

use std::io;
use std::sync::Arc;

use callboard_mcp::{CallContext, Effect, Limit, Line, Render, Role, Tool, ToolError};
use callboard_store::{Conn, StoreError, actor};
use callboard_telemetry::query::{LlmFilter, Order, costs, each_call, find_calls};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::errors::no_page;
use crate::files::{Draft, named, unwritten};
use crate::key::{Key, keys};
use crate::only::Only;
use crate::period::Word;
use crate::tools::calls::full;
use crate::tools::costs::drawn;
use crate::views::Sum;
use crate::{Telemetry, csv};

/// Characters of rows in an answer.
const ANSWER: usize = 8_000;
/// Rows of costs in a file.
const COSTS: u32 = 100_000;

/// Writes calls or costs out.
pub struct Export;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum What {
    #[default]
    Calls,
    Costs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Csv,
    Json,
    Svg,
    Png,
}

impl Format {
    fn ending(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Json => "json",
            Format::Svg => "svg",
            Format::Png => "png",
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    #[serde(default)]
    what: What,
    /// svg and png: the chart of costs, with file.
    #[serde(default)]
    format: Format,
    /// A plain name: all rows go into a new file in the board's directory exports. Without it the answer has the rows, page by page.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    file: Option<Line<200>>,
    /// As in costs.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    period: Option<Word>,
    /// Of costs; default day, model.
    #[serde(default)]
    by: Vec<Key>,
    #[serde(default)]
    only: Only,
    /// `next` of the page before, with the same arguments.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    cursor: Option<Line<200>>,
    #[serde(default)]
    limit: Limit<50, 200>,
}

/// Where the rows are.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Exported {
    what: What,
    format: Format,
    period: String,
    rows: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// The rows themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl Render for Exported {
    fn text(&self) -> String {
        let rows = match self.format {
            Format::Csv | Format::Json => format!("{} rows", self.rows),
            Format::Svg | Format::Png => "a chart".to_owned(),
        };
        let mut out = format!(
            "{}: {rows} of {}",
            self.period,
            match self.what {
                What::Calls => "calls",
                What::Costs => "costs",
            }
        );
        if let (Some(file), Some(bytes)) = (&self.file, self.bytes) {
            out.push_str(&format!(" in {file} ({bytes} bytes)"));
        }
        if let Some(data) = &self.data {
            out.push_str("\n\n");
            out.push_str(data);
        }
        if let Some(next) = &self.next {
            out.push_str(&format!("\nmore: cursor {next}"));
        }
        out
    }
}

impl Tool<Telemetry> for Export {
    const NAME: &'static str = "export";
    const TITLE: &'static str = "Export";
    const DESCRIPTION: &'static str = "Writes calls to models, or their costs, as CSV or JSON: into a new file, or into the answer with a cursor. \
Unknown costs are empty. Never texts of requests or answers.";
    const EFFECT: Effect = Effect::Write {
        destructive: false,
        idempotent: false,
    };
    const ROLE: Role = Role::Developer;
    type Params = Params;
    type Output = Exported;

    async fn call(
        state: Arc<Telemetry>,
        params: Params,
        _: CallContext,
    ) -> Result<Exported, ToolError> {
        let period = state.period(params.period.as_deref())?;
        let words = period.words(state.now());
        let filter = params.only.filter(&period)?;
        let mut by = keys(&params.by)?;
        if by.is_empty() {
            by = vec![Key::Day, Key::Model];
        }
        let job = Job {
            what: params.what,
            format: params.format,
            filter,
            by,
            words,
        };
        job.check(params.file.is_some())?;
        match params.file {
            Some(name) => into_file(&state, job, &name).await,
            None => {
                let cursor = params.cursor.map(String::from);
                into_answer(&state, job, cursor, params.limit.get()).await
            }
        }
    }
}

/// What is to be written.
struct Job {
    what: What,
    format: Format,
    filter: LlmFilter,
    by: Vec<Key>,
    words: String,
}

impl Job {
    fn check(&self, file: bool) -> Result<(), ToolError> {
        if matches!(self.format, Format::Csv | Format::Json) {
            return Ok(());
        }
        if self.what != What::Costs {
            return Err(
                ToolError::invalid("format: svg and png are charts of costs")
                    .hint("call with what: costs, or take csv or json"),
            );
        }
        if !file {
            return Err(ToolError::invalid("file: a chart needs one")
                .hint("name a file; to see a chart, call costs with chart: true"));
        }
        Ok(())
    }

    fn done(self, rows: u64) -> Exported {
        Exported {
            what: self.what,
            format: self.format,
            period: self.words,
            rows,
            file: None,
            bytes: None,
            data: None,
            next: None,
        }
    }
}

async fn into_file(state: &Telemetry, job: Job, name: &str) -> Result<Exported, ToolError> {
    let name = named(name, job.format.ending())?;
    let refused = |error: io::Error| unwritten(&error, &name);
    let mut draft = Draft::new(state.exports(), &name).map_err(refused)?;
    let rows = match (job.what, job.format) {
        (_, Format::Svg | Format::Png) => {
            let chart = drawn(state, job.filter.clone(), job.by.clone(), job.words.clone()).await?;
            let bytes = match job.format {
                Format::Svg => chart.svg().map(String::into_bytes),
                _ => chart.png(),
            };
            let bytes = bytes.ok_or_else(|| {
                ToolError::internal("the chart could not be drawn").hint("take csv or json")
            })?;
            draft.write(&bytes).map_err(refused)?;
            0
        }
        (what, format) => {
            let (filter, by) = (job.filter.clone(), job.by.clone());
            let written = state
                .read(move |c| Ok((all_rows(c, what, format, &filter, &by, &mut draft), draft)))
                .await?;
            draft = written.1;
            match written.0 {
                Ok(rows) => rows,
                Err(Broken::File(error)) => return Err(refused(error)),
                Err(Broken::Store(error)) => return Err(crate::errors::unread(&error.into())),
            }
        }
    };
    let bytes = draft.bytes;
    let kept = actor::spawn_blocking(move || draft.keep()).await;
    let kept = kept.unwrap_or_else(|_| Err(io::Error::other("the writer panicked")));
    let path = kept.map_err(refused)?;
    let path = path.to_string_lossy().into_owned();
    state.write_down("export", &name, rows, bytes).await?;
    Ok(Exported {
        file: Some(path),
        bytes: Some(bytes),
        ..job.done(rows)
    })
}

/// Why not every row is in the file.
enum Broken {
    File(io::Error),
    Store(StoreError),
}

fn all_rows(
    c: &mut dyn Conn,
    what: What,
    format: Format,
    filter: &LlmFilter,
    by: &[Key],
    draft: &mut Draft,
) -> Result<u64, Broken> {
    let mut rows = 0;
    let json = format == Format::Json;
    let head = match (json, what) {
        (true, _) => "[".to_owned(),
        (false, What::Calls) => csv::CALLS.to_owned(),
        (false, What::Costs) => csv::costs_head(by),
    };
    draft.write(head.as_bytes()).map_err(Broken::File)?;
    let mut put = |csv: String, value: &mut dyn FnMut() -> Value| {
        let text = match (json, rows) {
            (false, _) => csv,
            (true, 0) => format!("\n{}", value()),
            (true, _) => format!(",\n{}", value()),
        };
        rows += 1;
        draft.write(text.as_bytes())
    };
    match what {
        What::Calls => {
            let mut failed = None;
            let read = each_call(c, filter, &mut |call| {
                put(csv::call(&call), &mut || Value::Object(full(&call))).map_err(|error| {
                    failed = Some(error);
                    StoreError::Row("the file could not be written".to_owned())
                })
            });
            match (failed, read) {
                (Some(error), _) => return Err(Broken::File(error)),
                (None, Err(error)) => return Err(Broken::Store(error)),
                (None, Ok(())) => {}
            }
        }
        What::Costs => {
            let keys: Vec<_> = by.iter().map(|key| key.by()).collect();
            let found = costs(c, filter, &keys, COSTS).map_err(Broken::Store)?;
            for row in &found.rows {
                put(
                    csv::costs(row),
                    &mut || json!({"key": row.key, "sum": Sum::of(&row.totals)}),
                )
                .map_err(Broken::File)?;
            }
        }
    }
    if json {
        draft.write(b"\n]\n").map_err(Broken::File)?;
    }
    Ok(rows)
}

/// A page of rows, fewer than asked for where they would not fit.
async fn into_answer(
    state: &Telemetry,
    job: Job,
    cursor: Option<String>,
    limit: u32,
) -> Result<Exported, ToolError> {
    if job.what == What::Costs {
        return costs_answered(state, job, limit).await;
    }
    let first = cursor.is_none();
    let mut limit = limit;
    loop {
        let (filter, from) = (job.filter.clone(), cursor.clone());
        let page = state
            .read(move |c| {
                Ok(find_calls(
                    c,
                    &filter,
                    Order::Latest,
                    from.as_deref(),
                    limit,
                ))
            })
            .await?
            .map_err(no_page)?;
        let data = match job.format {
            Format::Json => {
                let calls = page
                    .calls
                    .iter()
                    .map(|call| Value::Object(full(call)).to_string());
                format!("[{}]", calls.collect::<Vec<_>>().join(",\n"))
            }
            _ => {
                let head = if first { csv::CALLS } else { "" };
                let lines: String = page.calls.iter().map(csv::call).collect();
                format!("{head}{lines}")
            }
        };
        if data.len() > ANSWER && limit > 1 {
            limit /= 2;
            continue;
        }
        let rows = page.calls.len() as u64;
        return Ok(Exported {
            data: Some(data),
            next: page.next,
            ..job.done(rows)
        });
    }
}

async fn costs_answered(state: &Telemetry, job: Job, limit: u32) -> Result<Exported, ToolError> {
    let (filter, by) = (job.filter.clone(), job.by.clone());
    let keys: Vec<_> = by.iter().map(|key| key.by()).collect();
    let found = state.read(move |c| costs(c, &filter, &keys, limit)).await?;
    let data = match job.format {
        Format::Json => {
            let rows = found.rows.iter();
            let rows =
                rows.map(|row| json!({"key": row.key, "sum": Sum::of(&row.totals)}).to_string());
            format!("[{}]", rows.collect::<Vec<_>>().join(",\n"))
        }
        _ => csv::costs_head(&by) + &found.rows.iter().map(csv::costs).collect::<String>(),
    };
    if data.len() > ANSWER || found.left_out > 0 {
        return Err(ToolError::new(
            callboard_mcp::ErrorKind::Limit,
            format!(
                "{} rows of costs do not fit into an answer",
                found.rows.len() as u64 + found.left_out
            ),
        )
        .hint("name a file, or take a shorter period, fewer keys in by, or narrow with only"));
    }
    let rows = found.rows.len() as u64;
    Ok(Exported {
        data: Some(data),
        ..job.done(rows)
    })
}
