//! How each model has done lately.
//! For: one look at the latest rows, for whoever chooses among models. Not for: figures for people ([`speed`](super::speed)).

use std::collections::BTreeMap;

use callboard_store::{Conn, StoreError, params};

use crate::errors::{Category, ErrorClass};

/// Rows that are looked at, the latest ones.
const LOOKED_AT: u32 = 2_000;

/// The latest calls of one model at a provider, by the name that was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recent {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The account; empty where there is but one.
    pub account: String,
    /// Calls that ended in an answer or in a failure of the provider's.
    pub calls: u64,
    /// How many of them failed.
    pub failures: u64,
    /// Half of the answered ones took no longer, in microseconds.
    pub p50_us: Option<u64>,
}

/// Whether an error says something about the provider, not about the request, the key or the limits.
fn counts(class: ErrorClass) -> bool {
    matches!(
        class.category(),
        Category::Provider | Category::Connection | Category::Unknown
    )
}

/// How each model has done since then, by the latest 2,000 calls.
///
/// # Errors
/// Only when the store fails.
pub fn recent(c: &mut dyn Conn, since: i64) -> Result<Vec<Recent>, StoreError> {
    let mut found: BTreeMap<(String, String, String), (Recent, Vec<u64>)> = BTreeMap::new();
    c.for_each(
        "SELECT provider, model, account, outcome, error, total_us FROM llm_call
         WHERE at >= ?1 ORDER BY at DESC, id DESC LIMIT ?2",
        params![since, LOOKED_AT],
        &mut |row| {
            let answered = row.text(3)? == "ok";
            let failed = row
                .opt_text(4)?
                .is_some_and(|word| counts(ErrorClass::parse(&word)));
            if !answered && !failed {
                return Ok(());
            }
            let key = (
                row.text(0)?,
                row.text(1)?,
                row.opt_text(2)?.unwrap_or_default(),
            );
            let (recent, times) = found.entry(key).or_default();
            recent.calls += 1;
            if answered {
                times.extend(row.opt_int(5)?.and_then(|us| u64::try_from(us).ok()));
            } else {
                recent.failures += 1;
            }
            Ok(())
        },
    )?;
    let named = found
        .into_iter()
        .map(|((provider, model, account), (recent, mut times))| {
            times.sort_unstable();
            let middle = times.len().saturating_sub(1) / 2;
            Recent {
                provider,
                model,
                account,
                p50_us: times.get(middle).copied(),
                ..recent
            }
        });
    Ok(named.collect())
}
