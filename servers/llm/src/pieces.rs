//! An answer as it is made: told to the client piece by piece, and put together.

use std::time::Duration;

use callboard_mcp::CallContext;
use callboard_routing::chat::{Assembly, Event, Remaining, Reply};
use callboard_routing::engine::{Ask, CallError, Hop, Router, Target};
use callboard_routing::failure::{Failure, FailureKind};
use callboard_telemetry::{MicroDollars, Usage};
use tokio::time::Instant;

/// A client is told at most five times a second; what comes in between goes into the next piece.
const BETWEEN: Duration = Duration::from_millis(210);
/// Characters of one report.
const MOST: usize = 4_000;

/// A whole answer, however it came.
pub(crate) struct Got {
    pub reply: Reply,
    pub call: String,
    pub target: Target,
    pub route: String,
    pub usage: Option<Usage>,
    pub cost: Option<MicroDollars>,
    pub price_version: Option<String>,
    pub unmet: Option<String>,
    pub hops: Vec<Hop>,
    pub warnings: Vec<callboard_limits::Standing>,
    pub first_ms: Option<u64>,
}

/// Asks, and tells the client every word as progress. A break in the middle begins anew with the next candidate: only
/// progress has been seen of it.
pub(crate) async fn streamed(
    router: &Router,
    mut ask: Ask,
    ctx: &CallContext,
) -> Result<Got, CallError> {
    let began = Instant::now();
    let mut patience = ask.patience.unwrap_or(router.settings().patience);
    patience.restarts = true;
    ask.patience = Some(patience);
    let mut answering = router.stream(ask).await?;
    let mut assembly = Assembly::default();
    let mut telling = Telling::default();
    let mut first_ms = None;
    while let Some(event) = answering.next().await {
        let event = event.map_err(|failure| CallError::Failed {
            failure,
            hops: answering.hops().to_vec(),
        })?;
        match &event {
            Event::Started { .. } => assembly = Assembly::default(),
            Event::Text { text } => telling.add(text, ctx).await,
            _ => {}
        }
        if event.is_content() && first_ms.is_none() {
            first_ms = u64::try_from(began.elapsed().as_millis()).ok();
        }
        assembly.take(event);
    }
    let reply = assembly.reply(None, Remaining::default());
    let reply = reply.ok_or_else(|| CallError::Failed {
        failure: Failure::new(FailureKind::Truncated, "the answer ended before its end"),
        hops: answering.hops().to_vec(),
    })?;
    Ok(Got {
        reply,
        call: answering.call().to_owned(),
        target: answering.target().clone(),
        route: answering.route().to_owned(),
        usage: answering.usage(),
        cost: answering.cost(),
        price_version: answering.price_version().map(str::to_owned),
        unmet: None,
        hops: answering.hops().to_vec(),
        warnings: answering.warnings().to_vec(),
        first_ms,
    })
}

/// Asks for a whole answer, as one has to be that is looked at before it counts.
pub(crate) async fn whole(router: &Router, ask: Ask) -> Result<Got, CallError> {
    let answered = router.complete(ask).await?;
    Ok(Got {
        reply: answered.reply,
        call: answered.call,
        target: answered.target,
        route: answered.route,
        usage: answered.usage,
        cost: answered.cost,
        price_version: answered.price_version,
        unmet: answered.unmet.map(|unmet| unmet.to_string()),
        hops: answered.hops,
        warnings: answered.warnings,
        first_ms: answered
            .first_byte
            .and_then(|first| u64::try_from(first.as_millis()).ok()),
    })
}

/// What the client was told of.
#[derive(Default)]
struct Telling {
    waiting: String,
    told: u64,
    last: Option<Instant>,
}

impl Telling {
    async fn add(&mut self, text: &str, ctx: &CallContext) {
        self.waiting.push_str(text);
        if self.last.is_some_and(|last| last.elapsed() < BETWEEN) || self.waiting.is_empty() {
            return;
        }
        let piece = callboard_mcp::clip(&self.waiting, MOST).into_owned();
        self.told += self.waiting.chars().count() as u64;
        self.waiting.clear();
        ctx.progress(self.told, None, &piece).await;
        self.last = Some(Instant::now());
    }
}
