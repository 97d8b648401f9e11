//! From rows to figures.
//! For: which row adds what to which metric. Not for: names (see `names`) or the page.

use std::sync::atomic::{AtomicI64, AtomicU64};

use callboard_store::{Conn, Row, StoreError, params};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::labels::{Pairs, key, value};
use crate::names::{self, Kind, Metric, attribute};

type Labels = Vec<(String, String)>;
type Count = Family<Labels, Counter>;
type Spread = Family<Labels, Histogram, Bounds>;

/// Up to where rows were taken in.
pub(super) struct Seen {
    pub(super) llm: i64,
    pub(super) calls: i64,
}

#[derive(Clone)]
pub(super) struct Bounds(&'static [f64]);

impl MetricConstructor<Histogram> for Bounds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

pub(super) struct Families {
    duration: Spread,
    first_chunk: Spread,
    token_usage: Spread,
    queue: Spread,
    mcp_duration: Spread,
    llm_calls: Count,
    llm_errors: Count,
    llm_tokens: Count,
    llm_cost: Family<Labels, Counter<f64, AtomicU64>>,
    llm_unknown_cost: Count,
    llm_unpriced: Gauge<i64, AtomicI64>,
    calls: Count,
    dropped: Gauge<i64, AtomicI64>,
    models: Pairs,
    tools: Pairs,
}

impl Families {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let families = Self {
            duration: spread(&names::DURATION),
            first_chunk: spread(&names::FIRST_CHUNK),
            token_usage: spread(&names::TOKEN_USAGE),
            queue: spread(&names::QUEUE),
            mcp_duration: spread(&names::MCP_DURATION),
            llm_calls: Count::default(),
            llm_errors: Count::default(),
            llm_tokens: Count::default(),
            llm_cost: Family::default(),
            llm_unknown_cost: Count::default(),
            llm_unpriced: Gauge::default(),
            calls: Count::default(),
            dropped: Gauge::default(),
            models: Pairs::at_most(50),
            tools: Pairs::at_most(200),
        };
        register(registry, &names::DURATION, families.duration.clone());
        register(registry, &names::FIRST_CHUNK, families.first_chunk.clone());
        register(registry, &names::TOKEN_USAGE, families.token_usage.clone());
        register(registry, &names::QUEUE, families.queue.clone());
        register(
            registry,
            &names::MCP_DURATION,
            families.mcp_duration.clone(),
        );
        register(registry, &names::LLM_CALLS, families.llm_calls.clone());
        register(registry, &names::LLM_ERRORS, families.llm_errors.clone());
        register(registry, &names::LLM_TOKENS, families.llm_tokens.clone());
        register(registry, &names::LLM_COST, families.llm_cost.clone());
        register(
            registry,
            &names::LLM_UNKNOWN_COST,
            families.llm_unknown_cost.clone(),
        );
        register(
            registry,
            &names::LLM_UNPRICED,
            families.llm_unpriced.clone(),
        );
        register(registry, &names::CALLS, families.calls.clone());
        register(registry, &names::DROPPED, families.dropped.clone());
        families
    }
}

fn spread(metric: &Metric) -> Spread {
    let bounds: &'static [f64] = match metric.kind {
        Kind::Histogram(bounds) => bounds,
        Kind::Counter | Kind::Gauge => &[],
    };
    Family::new_with_constructor(Bounds(bounds))
}

fn register(
    registry: &mut Registry,
    metric: &Metric,
    family: impl prometheus_client::registry::Metric,
) {
    registry.register(metric.prometheus(), metric.help, family);
}

/// Adds calls to models after the row `seen`, at most `most`.
pub(super) fn take_in_llm(
    c: &mut dyn Conn,
    families: &mut Families,
    seen: &mut i64,
    most: u32,
) -> Result<(), StoreError> {
    let rows = c.query(
        "SELECT rowid, provider, COALESCE(model_answered, model), outcome, error, total_us, first_byte_us,
                queue_us, counted, input, cached, cache_write, output, reasoning, cost, vendor
         FROM llm_call WHERE rowid > ?1 ORDER BY rowid LIMIT ?2",
        params![*seen, most],
        llm_row,
    )?;
    // Only now, when nothing can fail any more, does anything count.
    for row in rows {
        *seen = row.rowid;
        add_llm(families, &row);
    }
    Ok(())
}

struct LlmRow {
    rowid: i64,
    provider: String,
    vendor: Option<String>,
    model: String,
    outcome: String,
    error: Option<String>,
    total_us: Option<i64>,
    first_byte_us: Option<i64>,
    queue_us: Option<i64>,
    tokens: Option<[i64; 5]>,
    cost: Option<i64>,
}

fn llm_row(row: &dyn Row) -> Result<LlmRow, StoreError> {
    let tokens = match row.opt_text(8)? {
        Some(_) => {
            let count = |index| Ok::<_, StoreError>(row.opt_int(index)?.unwrap_or(0));
            Some([count(9)?, count(10)?, count(11)?, count(12)?, count(13)?])
        }
        None => None,
    };
    Ok(LlmRow {
        rowid: row.int(0)?,
        provider: row.text(1)?,
        model: row.text(2)?,
        outcome: row.text(3)?,
        error: row.opt_text(4)?,
        total_us: row.opt_int(5)?,
        first_byte_us: row.opt_int(6)?,
        queue_us: row.opt_int(7)?,
        tokens,
        cost: row.opt_int(14)?,
        vendor: row.opt_text(15)?,
    })
}

fn add_llm(families: &mut Families, row: &LlmRow) {
    let (configured, model) = families.models.labels(&row.provider, &row.model);
    // What stands for the others is nobody's.
    let provider = if Pairs::is_other(&configured, &model) {
        configured.clone()
    } else {
        value(names::provider(row.vendor.as_deref(), &row.provider))
    };
    let own = vec![
        (key(attribute::PROVIDER), provider),
        (key(attribute::CONFIGURED), configured),
        (key(attribute::RESPONSE_MODEL), model),
    ];
    let with = |name: &str, label: &str| {
        let mut labels = own.clone();
        labels.push((key(name), value(label)));
        labels
    };
    families
        .llm_calls
        .get_or_create(&with(attribute::OUTCOME, &row.outcome))
        .inc();
    let mut timed = own.clone();
    if row.outcome == "error" {
        let class = row.error.as_deref().unwrap_or("unknown");
        timed.push((key(attribute::ERROR), value(class)));
        families
            .llm_errors
            .get_or_create(&with(attribute::ERROR, class))
            .inc();
    }
    for (spread, us) in [
        (&families.duration, row.total_us),
        (&families.first_chunk, row.first_byte_us),
        (&families.queue, row.queue_us),
    ] {
        if let Some(us) = us {
            spread.get_or_create(&timed).observe(seconds(us));
        }
    }
    if let Some([input, cached, cache_write, output, reasoning]) = row.tokens {
        for (kind, count) in [
            ("input", input),
            ("cached", cached),
            ("cache_write", cache_write),
            ("output", output),
            ("reasoning", reasoning),
        ] {
            let counter = families
                .llm_tokens
                .get_or_create(&with(attribute::KIND, kind));
            counter.inc_by(u64::try_from(count).unwrap_or(0));
        }
        for (kind, count) in [("input", input), ("output", output)] {
            let labels = with(attribute::TOKEN_TYPE, kind);
            families
                .token_usage
                .get_or_create(&labels)
                .observe(real(count));
        }
    }
    match row.cost {
        Some(cost) => {
            // A counter never falls; a credit, should there be one, is in the tables.
            families
                .llm_cost
                .get_or_create(&own)
                .inc_by(real(cost.max(0)) / 1e6);
        }
        None => {
            families.llm_unknown_cost.get_or_create(&own).inc();
        }
    }
}

/// Adds calls of tools after the row `seen`, at most `most`.
pub(super) fn take_in_calls(
    c: &mut dyn Conn,
    families: &mut Families,
    seen: &mut i64,
    most: u32,
) -> Result<(), StoreError> {
    let rows = c.query(
        "SELECT id, server, tool, outcome, error_kind, duration_us FROM call WHERE id > ?1 ORDER BY id LIMIT ?2",
        params![*seen, most],
        |row| {
            Ok((
                row.int(0)?,
                row.text(1)?,
                row.text(2)?,
                row.text(3)?,
                row.opt_text(4)?,
                row.int(5)?,
            ))
        },
    )?;
    for (id, server, tool, outcome, error, duration_us) in rows {
        *seen = id;
        let (method, target) = method(&tool);
        let (server, target) = families.tools.labels(&server, target);
        let own = vec![
            (key(attribute::SERVER), server),
            (key(attribute::TOOL), target),
        ];
        let mut ended = own.clone();
        ended.push((key(attribute::OUTCOME), value(&outcome)));
        families.calls.get_or_create(&ended).inc();
        let mut timed = own;
        timed.push((key(attribute::MCP_METHOD), method.to_owned()));
        if outcome != "ok" {
            timed.push((
                key(attribute::ERROR),
                value(error.as_deref().unwrap_or(&outcome)),
            ));
        }
        families
            .mcp_duration
            .get_or_create(&timed)
            .observe(seconds(duration_us));
    }
    Ok(())
}

/// The method of MCP and its target, from the column `tool`.
fn method(tool: &str) -> (&'static str, &str) {
    if let Some(name) = tool.strip_prefix("resource:") {
        return ("resources/read", name);
    }
    if let Some(name) = tool.strip_prefix("prompt:") {
        return ("prompts/get", name);
    }
    ("tools/call", tool)
}

/// What is true just now.
pub(super) fn look(c: &mut dyn Conn, families: &Families) -> Result<(), StoreError> {
    let mut number =
        |sql| Ok::<i64, StoreError>(c.query_one(sql, params![], |row| row.int(0))?.unwrap_or(0));
    let unpriced =
        number("SELECT count(*) FROM llm_call WHERE cost IS NULL AND counted IS NOT NULL")?;
    let dropped = number("SELECT COALESCE(SUM(dropped), 0) FROM call_drop")?;
    families.llm_unpriced.set(unpriced);
    families.dropped.set(dropped);
    Ok(())
}

fn seconds(us: i64) -> f64 {
    real(us) / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "figures for a graph")]
fn real(count: i64) -> f64 {
    count as f64
}
