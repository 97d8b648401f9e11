//! What is mended on a board: calls whose process is gone, and costs that were not known.
//! For: each step by itself, safe to run twice. Not for: when, or by whom.

use crate::error::ModelsError;
use crate::models::Models;
use callboard_console::ProcessId;
use callboard_limits::{
    Call, LimitError, Mode, Owner, PriceTable, Priced, call_price, calls_prune, calls_unpriced,
    expire, owners,
};
use callboard_routing::engine::row_of;
use callboard_store::{Store, StoreError};
use callboard_telemetry::llm::{self, PriceOf, Retention};
use callboard_telemetry::{CallLog, Tokens};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Calls whose cost is not known that are looked at, and priced, in one step.
const UNPRICED: u32 = 200;
/// Rows that are forgotten in one step.
const FORGOTTEN: u32 = 200;
/// Steps of one round at most, so that a round ends.
const STEPS: u32 = 500;

/// Whether a process is gone: by its number and when it started, so that a re-used number is not taken for it.
fn is_gone(owner: Owner) -> bool {
    let id = ProcessId {
        pid: owner.pid,
        start_ticks: owner.start,
    };
    !id.is_alive()
}

/// Ends calls that are overdue or whose process is gone; answers how many. Nothing is written while there are none.
pub(crate) async fn expire_lost(store: &Store, now: i64) -> Result<usize, LimitError> {
    let holders = store.read(owners).await?;
    if holders.is_empty() {
        return Ok(0);
    }
    let gone: Arc<[Owner]> = holders
        .into_iter()
        .filter(|owner| is_gone(*owner))
        .collect();
    let mut lost = 0;
    for _ in 0..STEPS {
        let gone = Arc::clone(&gone);
        let step = store
            .write(move |c| expire(c, now, &|owner| gone.contains(&owner)))
            .await?;
        if step.is_empty() {
            break;
        }
        lost += step.len();
    }
    Ok(lost)
}

/// Prices by the names that calls have: a provider's configured name stands for a vendor of the table, whether the
/// provider can be used now or not.
#[derive(Clone)]
pub(crate) struct Prices {
    table: Arc<PriceTable>,
    vendors: Arc<BTreeMap<String, String>>,
}

impl Prices {
    pub(crate) fn of_models(models: &Models) -> Prices {
        let providers = models.config().models.providers.values();
        let vendors = providers.map(|said| (said.name.clone(), said.prices.value.clone()));
        Prices {
            table: Arc::clone(&models.router().settings().prices),
            vendors: Arc::new(vendors.collect()),
        }
    }

    fn of(
        &self,
        provider: &str,
        models: [Option<&str>; 2],
        at: i64,
        tokens: &Tokens,
        mode: &Mode,
    ) -> Option<Priced> {
        let vendor = self.vendors.get(provider).map_or(provider, String::as_str);
        let mut models = models.into_iter().flatten();
        models.find_map(|model| self.table.cost(vendor, model, at, tokens, mode))
    }

    fn of_call(&self, call: &Call) -> Option<Priced> {
        let provider = call.subject.provider.as_deref()?;
        let tokens = call.usage.as_ref()?.tokens;
        let row = row_of(call);
        let models = [call.subject.model.as_deref(), row.model_answered.as_deref()];
        // By how it was made: no price of the standard tier is that of another.
        self.of(provider, models, call.reserved_at, &tokens, &row.mode)
    }
}

/// Prices calls on the board and in the log that had no price when they were made; answers how many of each.
pub(crate) async fn reprice(
    store: &Store,
    log: &CallLog,
    prices: &Prices,
) -> Result<(usize, usize), ModelsError> {
    let (mut on_board, mut after) = (0, 0);
    // All of them, not the oldest only: some have no price ever.
    for _ in 0..STEPS {
        let calls = store
            .read(move |c| calls_unpriced(c, after, UNPRICED))
            .await?;
        let Some((last, _)) = calls.last() else {
            break;
        };
        after = *last;
        let known: Vec<(String, Priced)> = calls
            .iter()
            .filter_map(|(_, call)| Some((call.id.clone(), prices.of_call(call)?)))
            .collect();
        if known.is_empty() {
            continue;
        }
        on_board += known.len();
        store
            .write(move |c| {
                known
                    .iter()
                    .try_for_each(|(id, priced)| call_price(c, id, priced).map(drop))
            })
            .await
            .map_err(|error: LimitError| error)?;
    }
    let by = prices.clone();
    let price: PriceOf = Arc::new(move |call: &llm::Unpriced| {
        let models = [Some(call.model.as_str()), call.model_answered.as_deref()];
        let priced = by.of(&call.provider, models, call.at, &call.tokens, &call.mode)?;
        Some(llm::Priced {
            cost: priced.cost,
            version: priced.version,
        })
    });
    let in_log = log.reprice(price).await?.priced;
    Ok((on_board, in_log))
}

/// Forgets ended calls of the board, and rows of the log that are too old or too many.
pub(crate) async fn forget(
    store: &Store,
    log: &CallLog,
    now: i64,
    retention: Retention,
) -> Result<(), ModelsError> {
    for _ in 0..STEPS {
        if store.write(move |c| calls_prune(c, now)).await? == 0 {
            break;
        }
    }
    let rows = log.store().await?;
    for _ in 0..STEPS {
        let step: Result<llm::Forgotten, StoreError> = rows
            .write(move |c| llm::forget(c, now, &retention, FORGOTTEN))
            .await;
        if step?.is_done() {
            break;
        }
    }
    Ok(())
}
