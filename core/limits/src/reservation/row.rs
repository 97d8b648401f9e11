//! A call's row.

use callboard_store::{Row, StoreError};
use callboard_telemetry::usage::{Counted, MicroDollars, Tokens, Usage};

use super::{Ask, Estimate, MOST, Owner, Settlement, Subject, clamped};
use crate::rule::{word, words};

words! {
    /// Where a call stands.
    CallState {
        /// It is being made, and holds its estimate.
        Held = "held",
        /// It has ended, and what it used is counted.
        Settled = "settled",
        /// It never reached the provider; nothing is counted.
        Released = "released",
        /// Its process died or it took too long: one request is counted.
        Expired = "expired",
    }
}

/// A call, from its reservation on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its id.
    pub id: String,
    /// Where it stands.
    pub state: CallState,
    /// Whom it is for.
    pub subject: Subject,
    /// The process that makes it.
    pub owner: Owner,
    /// When it was reserved, ms since 1970 UTC: the windows that it lies in count it.
    pub reserved_at: i64,
    /// Until when it will have ended.
    pub until: i64,
    /// When it ended, or was found to have.
    pub ended_at: Option<i64>,
    /// What it holds, or held.
    pub estimate: Estimate,
    /// What it used, where it is settled and that is known.
    pub usage: Option<Usage>,
    /// What it cost, where it is settled and that is known.
    pub cost: Option<MicroDollars>,
    /// The version of the prices by which it was reckoned.
    pub price_version: Option<String>,
    /// More about it, as a JSON object.
    pub detail: String,
}

pub(super) const CALL_COLUMNS: &str = "id, state, provider, model, account, project, task, pid, pid_start, reserved_at, until, ended_at, held_input, held_output, held_money, input, cached, cache_write, cache_write_1h, output, reasoning, counted, money, price_version, detail";

pub(super) fn call_from(row: &dyn Row) -> Result<Call, StoreError> {
    let tokens = |column| {
        row.int(column)
            .map(|amount| u64::try_from(amount).unwrap_or(0))
    };
    let money = |column| row.opt_int(column).map(|amount| amount.map(MicroDollars));
    let counted = match row.opt_text(21)?.as_deref() {
        None => None,
        Some("reported") => Some(Counted::Reported),
        Some("estimated") => Some(Counted::Estimated),
        Some(other) => return Err(StoreError::Row(format!("unknown word {other:?}"))),
    };
    let used = Tokens {
        input: tokens(15)?,
        cached: tokens(16)?,
        cache_write: tokens(17)?,
        cache_write_1h: tokens(18)?,
        output: tokens(19)?,
        reasoning: tokens(20)?,
    };
    Ok(Call {
        id: row.text(0)?,
        state: word(&row.text(1)?, CallState::parse)?,
        subject: Subject {
            provider: row.opt_text(2)?,
            model: row.opt_text(3)?,
            account: row.opt_text(4)?,
            project: row.opt_text(5)?,
            task: row.opt_text(6)?,
        },
        owner: Owner {
            pid: u32::try_from(row.int(7)?).unwrap_or(0),
            start: u64::try_from(row.int(8)?).unwrap_or(0),
        },
        reserved_at: row.int(9)?,
        until: row.int(10)?,
        ended_at: row.opt_int(11)?,
        estimate: Estimate {
            input: tokens(12)?,
            output: tokens(13)?,
            cost: money(14)?,
        },
        usage: counted.map(|counted| Usage {
            tokens: used,
            counted,
        }),
        cost: money(22)?,
        price_version: row.opt_text(23)?,
        detail: row.text(24)?,
    })
}

impl Call {
    /// As it is when it has just been granted.
    pub(super) fn held(now: i64, ask: &Ask) -> Call {
        let bounded = |amount: u64| u64::try_from(clamped(amount)).unwrap_or(0);
        Call {
            id: ask.call.clone(),
            state: CallState::Held,
            subject: ask.subject.clone(),
            owner: ask.owner,
            reserved_at: now,
            until: ask.until,
            ended_at: None,
            estimate: Estimate {
                input: bounded(ask.estimate.input),
                output: bounded(ask.estimate.output),
                cost: ask.estimate.cost.map(payable),
            },
            usage: None,
            cost: None,
            price_version: None,
            detail: ask.detail.clone(),
        }
    }

    /// As it is when what it used is known.
    pub(super) fn settled(&self, now: i64, settlement: &Settlement) -> Call {
        Call {
            state: CallState::Settled,
            ended_at: Some(now),
            usage: settlement.usage,
            cost: settlement.cost.as_ref().map(|priced| payable(priced.cost)),
            price_version: settlement
                .cost
                .as_ref()
                .map(|priced| priced.version.clone()),
            detail: settlement.detail.clone(),
            ..self.clone()
        }
    }
}

/// An amount of money that sums can hold.
pub(super) fn payable(cost: MicroDollars) -> MicroDollars {
    MicroDollars(cost.0.clamp(0, MOST))
}
