//! The table of calls to models.
//! For: writing a row so that writing it again changes nothing, and reading it back. Not for: adding rows up.

use std::sync::LazyLock;

use callboard_store::{Conn, Migration, Row, StoreError, Value};

use super::{LlmCall, LlmOutcome};
use crate::errors::ErrorClass;
use crate::{Counted, MicroDollars, Mode, Tokens, Usage};

pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        component: "llm_call",
        version: 1,
        sql: FIRST,
    },
    // How a call was made; nothing for an ordinary one.
    Migration {
        component: "llm_call",
        version: 2,
        sql: "ALTER TABLE llm_call ADD COLUMN mode TEXT;",
    },
    // Whose models the provider has, whatever its configured name.
    Migration {
        component: "llm_call",
        version: 3,
        sql: "ALTER TABLE llm_call ADD COLUMN vendor TEXT;",
    },
];

const FIRST: &str = "
CREATE TABLE llm_call (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    trace TEXT,
    parent TEXT,
    server TEXT,
    tool TEXT,
    agent TEXT,
    task TEXT,
    project TEXT,
    route TEXT,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    model_answered TEXT,
    account TEXT,
    decision TEXT,
    input INTEGER,
    cached INTEGER,
    cache_write INTEGER,
    cache_write_1h INTEGER,
    output INTEGER,
    reasoning INTEGER,
    counted TEXT,
    cost INTEGER,
    price TEXT,
    queue_us INTEGER,
    first_byte_us INTEGER,
    total_us INTEGER,
    outcome TEXT NOT NULL,
    error TEXT,
    error_code TEXT,
    status INTEGER,
    finish TEXT,
    attempt INTEGER NOT NULL,
    hop INTEGER NOT NULL,
    bytes_in INTEGER,
    bytes_out INTEGER,
    streamed INTEGER NOT NULL
) STRICT;
CREATE INDEX llm_call_at ON llm_call (at, id);
CREATE INDEX llm_call_task ON llm_call (task, at) WHERE task IS NOT NULL;
CREATE INDEX llm_call_trace ON llm_call (trace) WHERE trace IS NOT NULL;
CREATE INDEX llm_call_unpriced ON llm_call (at, id) WHERE cost IS NULL AND counted IS NOT NULL;
CREATE TABLE llm_text (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    request TEXT NOT NULL,
    answer TEXT NOT NULL
) STRICT;
CREATE INDEX llm_text_at ON llm_text (at, id);
";

/// How a column is settled when its row is written again.
#[derive(Clone, Copy, PartialEq)]
enum Again {
    /// The first value that is known stays.
    First,
    /// Tokens come as one: what the provider reported replaces what was estimated.
    Tokens,
    /// Belongs to the tokens that it was reckoned from.
    Cost,
    /// What is known replaces the word for not knowing.
    Ending,
}

const FIELDS: [(&str, Again); 39] = {
    use Again::{Cost, Ending, First, Tokens};
    [
        ("id", First),
        ("at", First),
        ("trace", First),
        ("parent", First),
        ("server", First),
        ("tool", First),
        ("agent", First),
        ("task", First),
        ("project", First),
        ("route", First),
        ("provider", First),
        ("model", First),
        ("model_answered", First),
        ("account", First),
        ("decision", First),
        ("input", Tokens),
        ("cached", Tokens),
        ("cache_write", Tokens),
        ("cache_write_1h", Tokens),
        ("output", Tokens),
        ("reasoning", Tokens),
        ("counted", Tokens),
        ("cost", Cost),
        ("price", Cost),
        ("queue_us", First),
        ("first_byte_us", First),
        ("total_us", First),
        ("outcome", Ending),
        ("error", First),
        ("error_code", First),
        ("status", First),
        ("finish", First),
        ("attempt", Ending),
        ("hop", Ending),
        ("bytes_in", First),
        ("bytes_out", First),
        ("streamed", Ending),
        ("mode", Tokens),
        ("vendor", First),
    ]
};

/// The columns in the order in which [`from_row`] reads them.
pub(crate) static COLUMNS: LazyLock<String> =
    LazyLock::new(|| FIELDS.map(|(column, _)| column).join(", "));

static UPSERT: LazyLock<String> = LazyLock::new(|| {
    let counts_better = "(llm_call.counted IS NULL OR (llm_call.counted = 'estimated' AND excluded.counted = 'reported'))";
    let settled = FIELDS.iter().skip(1).map(|(column, again)| match again {
        Again::First => format!("{column} = COALESCE(llm_call.{column}, excluded.{column})"),
        Again::Tokens => format!(
            "{column} = CASE WHEN {counts_better} THEN excluded.{column} ELSE llm_call.{column} END"
        ),
        Again::Cost => format!(
            "{column} = CASE WHEN llm_call.cost IS NULL OR ({counts_better} AND excluded.counted IS NOT NULL)
             THEN excluded.{column} ELSE llm_call.{column} END"
        ),
        Again::Ending => format!(
            "{column} = CASE WHEN llm_call.outcome = 'lost' THEN excluded.{column} ELSE llm_call.{column} END"
        ),
    });
    let settled: Vec<String> = settled.collect();
    let places: Vec<String> = (1..=FIELDS.len())
        .map(|place| format!("?{place}"))
        .collect();
    format!(
        "INSERT INTO llm_call ({}) VALUES ({}) ON CONFLICT (id) DO UPDATE SET {}",
        *COLUMNS,
        places.join(", "),
        settled.join(", ")
    )
});

/// Writes the row. A row of the same id is there once: what it did not know is filled in, tokens that a
/// provider reported replace estimated ones together with their cost, and a call that was lost becomes
/// what came of it. Nothing else that is known changes, so that writing a row again is safe.
///
/// # Errors
/// Only when the store fails.
pub fn record_llm(c: &mut dyn Conn, call: &LlmCall) -> Result<(), StoreError> {
    let tokens = call.usage.map(|usage| usage.tokens);
    let count = |of: fn(&Tokens) -> u64| opt(tokens.as_ref().map(of));
    let mode = (!call.mode.is_standard()).then(|| call.mode.to_string());
    let values: [Value<'_>; FIELDS.len()] = [
        (&call.id).into(),
        call.at.into(),
        call.trace.as_deref().into(),
        call.parent.as_deref().into(),
        call.server.as_deref().into(),
        call.tool.as_deref().into(),
        call.agent.as_deref().into(),
        call.task.as_deref().into(),
        call.project.as_deref().into(),
        call.route.as_deref().into(),
        (&call.provider).into(),
        (&call.model).into(),
        call.model_answered.as_deref().into(),
        call.account.as_deref().into(),
        call.decision.as_deref().into(),
        count(|tokens| tokens.input),
        count(|tokens| tokens.cached),
        count(|tokens| tokens.cache_write),
        count(|tokens| tokens.cache_write_1h),
        count(|tokens| tokens.output),
        count(|tokens| tokens.reasoning),
        call.usage.map(|usage| counted_word(usage.counted)).into(),
        call.cost.map(|cost| cost.0).into(),
        call.price.as_deref().into(),
        opt(call.queue_us),
        opt(call.first_byte_us),
        opt(call.total_us),
        call.outcome.as_str().into(),
        call.error.map(ErrorClass::as_str).into(),
        call.error_code.as_deref().into(),
        call.status.map(u32::from).into(),
        call.finish.as_deref().into(),
        call.attempt.into(),
        call.hop.into(),
        opt(call.bytes_in),
        opt(call.bytes_out),
        call.streamed.into(),
        mode.as_deref().into(),
        call.vendor.as_deref().into(),
    ];
    c.execute(&UPSERT, &values)?;
    Ok(())
}

/// The row of this id.
///
/// # Errors
/// Only when the store fails.
pub fn llm_call(c: &mut dyn Conn, id: &str) -> Result<Option<LlmCall>, StoreError> {
    let sql = format!("SELECT {} FROM llm_call WHERE id = ?1", *COLUMNS);
    c.query_one(&sql, &[id.into()], from_row)
}

pub(crate) fn from_row(row: &dyn Row) -> Result<LlmCall, StoreError> {
    Ok(LlmCall {
        id: row.text(0)?,
        at: row.int(1)?,
        trace: row.opt_text(2)?,
        parent: row.opt_text(3)?,
        server: row.opt_text(4)?,
        tool: row.opt_text(5)?,
        agent: row.opt_text(6)?,
        task: row.opt_text(7)?,
        project: row.opt_text(8)?,
        route: row.opt_text(9)?,
        provider: row.text(10)?,
        model: row.text(11)?,
        model_answered: row.opt_text(12)?,
        account: row.opt_text(13)?,
        decision: row.opt_text(14)?,
        usage: usage(row, 15)?,
        cost: row.opt_int(22)?.map(MicroDollars),
        price: row.opt_text(23)?,
        queue_us: count(row, 24)?,
        first_byte_us: count(row, 25)?,
        total_us: count(row, 26)?,
        outcome: LlmOutcome::parse(&row.text(27)?)?,
        error: row.opt_text(28)?.map(|word| ErrorClass::parse(&word)),
        error_code: row.opt_text(29)?,
        status: row
            .opt_int(30)?
            .and_then(|status| u16::try_from(status).ok()),
        finish: row.opt_text(31)?,
        attempt: small(row, 32)?,
        hop: small(row, 33)?,
        bytes_in: count(row, 34)?,
        bytes_out: count(row, 35)?,
        streamed: row.int(36)? != 0,
        mode: row.opt_text(37)?.map(Mode::from).unwrap_or_default(),
        vendor: row.opt_text(38)?,
    })
}

/// Six columns of tokens from `first` on, and who counted them.
pub(crate) fn usage(row: &dyn Row, first: usize) -> Result<Option<Usage>, StoreError> {
    let Some(counted) = row.opt_text(first + 6)? else {
        return Ok(None);
    };
    let tokens = Tokens {
        input: count(row, first)?.unwrap_or(0),
        cached: count(row, first + 1)?.unwrap_or(0),
        cache_write: count(row, first + 2)?.unwrap_or(0),
        cache_write_1h: count(row, first + 3)?.unwrap_or(0),
        output: count(row, first + 4)?.unwrap_or(0),
        reasoning: count(row, first + 5)?.unwrap_or(0),
    };
    let counted = match counted.as_str() {
        "reported" => Counted::Reported,
        _ => Counted::Estimated,
    };
    Ok(Some(Usage { tokens, counted }))
}

fn counted_word(counted: Counted) -> &'static str {
    match counted {
        Counted::Reported => "reported",
        Counted::Estimated => "estimated",
    }
}

fn count(row: &dyn Row, index: usize) -> Result<Option<u64>, StoreError> {
    Ok(row
        .opt_int(index)?
        .map(|count| u64::try_from(count).unwrap_or(0)))
}

fn small(row: &dyn Row, index: usize) -> Result<u32, StoreError> {
    Ok(u32::try_from(row.int(index)?).unwrap_or(0))
}

fn opt(count: Option<u64>) -> Value<'static> {
    count
        .map(|count| i64::try_from(count).unwrap_or(i64::MAX))
        .into()
}
