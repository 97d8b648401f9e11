//! What a reservation's row says beside what limits count: all that the call log's row is made from.
//!
//! For: writing it down before and after an attempt, and making the log's row of an ended reservation, which any
//! process can do and do again. Not for: deciding.

use callboard_limits::{Call, CallState};
use callboard_telemetry::errors::ErrorClass;
use callboard_telemetry::llm::{LlmCall, LlmOutcome};
use callboard_telemetry::{MicroDollars, Mode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Who;
use crate::failure::{Failure, FailureKind};

/// The reservation's detail, as JSON. Unknown members, a newer program's, are passed over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Detail {
    #[serde(rename = "for")]
    pub(super) origin: Origin,
    /// Whose models its provider has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vendor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) route: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decision: Option<Value>,
    pub(super) attempt: u32,
    pub(super) hop: u32,
    #[serde(skip_serializing_if = "is_not")]
    pub(super) streamed: bool,
    /// How it is made, as far as its price depends on that; after it, how it was.
    #[serde(skip_serializing_if = "Mode::is_standard")]
    pub(super) mode: Mode,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) queue_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end: Option<End>,
}

/// For whom it was made. Project and task are the reservation's own columns.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Origin {
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
}

impl From<&Who> for Origin {
    fn from(who: &Who) -> Self {
        Origin {
            trace: who.trace.clone(),
            parent: who.parent.clone(),
            server: who.server.clone(),
            tool: who.tool.clone(),
            agent: who.agent.clone(),
            client: who.client.clone(),
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct End {
    /// `ok`, `error` or `cancelled`.
    pub(super) outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finish: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_byte_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) total_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes_out: Option<u64>,
}

fn is_not(flag: &bool) -> bool {
    !flag
}

impl Detail {
    pub(super) fn to_json(&self) -> String {
        // Strings and numbers always can be written; nothing at all is still a row.
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }
}

/// The word for a failure in the log; `None` for a call that was called off.
pub(super) fn class_of(failure: &Failure) -> Option<ErrorClass> {
    Some(match failure.kind {
        FailureKind::BadKey => ErrorClass::BadKey,
        FailureKind::Forbidden => ErrorClass::Forbidden,
        FailureKind::WrongUrl => ErrorClass::WrongUrl,
        FailureKind::NoSuchModel => ErrorClass::NoSuchModel,
        FailureKind::BadRequest => ErrorClass::BadRequest,
        FailureKind::ContextTooLong => ErrorClass::ContextTooLong,
        FailureKind::Refused => ErrorClass::Refused,
        FailureKind::RateLimited => ErrorClass::RateLimited,
        FailureKind::QuotaExhausted => ErrorClass::QuotaExhausted,
        FailureKind::Overloaded => ErrorClass::Overloaded,
        FailureKind::Server => ErrorClass::Server,
        FailureKind::NotJson | FailureKind::Malformed => ErrorClass::BadAnswer,
        FailureKind::Truncated => ErrorClass::CutOff,
        FailureKind::Connect => ErrorClass::Unreachable,
        FailureKind::StalledConnect
        | FailureKind::StalledFirstByte
        | FailureKind::StalledBetween
        | FailureKind::Deadline => ErrorClass::TimedOut,
        FailureKind::Cancelled => return None,
    })
}

/// The call log's row of a call, from its reservation alone: the same row from whichever process makes it. A call that
/// expired was lost with its process; one that has not ended yet has no row worth writing, and reads as lost too.
#[must_use]
pub fn row_of(call: &Call) -> LlmCall {
    let detail: Detail = serde_json::from_str(&call.detail).unwrap_or_default();
    let ended = matches!(call.state, CallState::Settled | CallState::Released);
    let end = detail.end.filter(|_| ended);
    let outcome = match end.as_ref().map(|end| end.outcome.as_str()) {
        Some("ok") => LlmOutcome::Ok,
        Some("error") => LlmOutcome::Error,
        Some("cancelled") => LlmOutcome::Cancelled,
        _ => LlmOutcome::Lost,
    };
    let end = end.unwrap_or_default();
    let origin = detail.origin;
    LlmCall {
        id: call.id.clone(),
        at: call.reserved_at,
        trace: origin.trace,
        parent: origin.parent,
        server: origin.server,
        tool: origin.tool,
        agent: origin.agent,
        task: call.subject.task.clone(),
        project: call.subject.project.clone(),
        route: detail.route,
        provider: call.subject.provider.clone().unwrap_or_default(),
        vendor: detail.vendor,
        model: call.subject.model.clone().unwrap_or_default(),
        model_answered: end.model,
        account: call.subject.account.clone(),
        decision: detail.decision.map(|decision| decision.to_string()),
        usage: call.usage,
        mode: detail.mode,
        // What never reached a provider costs nothing, whatever its prices are.
        cost: match call.state {
            CallState::Released => Some(MicroDollars::ZERO),
            _ => call.cost,
        },
        price: call.price_version.clone(),
        queue_us: detail.queue_us,
        first_byte_us: end.first_byte_us,
        total_us: end.total_us,
        outcome,
        error: end.error.map(|word| ErrorClass::parse(&word)),
        error_code: end.error_code,
        status: end.status,
        finish: end.finish,
        attempt: detail.attempt.max(1),
        hop: detail.hop,
        bytes_in: end.bytes_in,
        bytes_out: end.bytes_out,
        streamed: detail.streamed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard_limits::{Estimate, Owner, Subject};

    fn call(state: CallState, detail: &str) -> Call {
        Call {
            id: "c_1".to_owned(),
            state,
            subject: Subject {
                provider: Some("groq".to_owned()),
                model: Some("small".to_owned()),
                task: Some("t_1".to_owned()),
                ..Subject::default()
            },
            owner: Owner { pid: 1, start: 2 },
            reserved_at: 1_000,
            until: 2_000,
            ended_at: Some(1_500),
            estimate: Estimate::default(),
            usage: None,
            cost: Some(MicroDollars(7)),
            price_version: Some("v".to_owned()),
            detail: detail.to_owned(),
        }
    }

    #[test]
    fn a_row_is_made_of_the_reservation_alone() {
        let who = Who {
            agent: Some("a_1".to_owned()),
            trace: Some("0f".repeat(16)),
            ..Who::default()
        };
        let detail = Detail {
            origin: Origin::from(&who),
            route: Some("cheap".to_owned()),
            attempt: 2,
            hop: 1,
            streamed: true,
            end: Some(End {
                outcome: "error".to_owned(),
                error: Some("rate_limited".to_owned()),
                status: Some(429),
                ..End::default()
            }),
            ..Detail::default()
        };
        let text = detail.to_json();
        assert_eq!(serde_json::from_str::<Detail>(&text).unwrap(), detail);
        let row = row_of(&call(CallState::Settled, &text));
        assert_eq!((row.attempt, row.hop, row.streamed), (2, 1, true));
        assert_eq!((row.at, row.cost), (1_000, Some(MicroDollars(7))));
        assert_eq!(row.outcome, LlmOutcome::Error);
        assert_eq!(row.error, Some(ErrorClass::RateLimited));
        assert_eq!(row.agent.as_deref(), Some("a_1"));
        assert_eq!(row.task.as_deref(), Some("t_1"));
        // What its process never said is not known.
        let lost = row_of(&call(CallState::Expired, &text));
        assert_eq!((lost.outcome, lost.error), (LlmOutcome::Lost, None));
        assert_eq!(lost.agent.as_deref(), Some("a_1"));
        let bare = row_of(&call(CallState::Expired, "nonsense"));
        assert_eq!((bare.outcome, bare.attempt), (LlmOutcome::Lost, 1));
    }

    #[test]
    fn what_never_reached_its_provider_costs_nothing_and_what_was_lost_is_not_known() {
        let unpriced = |state| Call {
            cost: None,
            price_version: None,
            ..call(
                state,
                "{\"end\":{\"outcome\":\"error\",\"error\":\"unreachable\"}}",
            )
        };
        let released = row_of(&unpriced(CallState::Released));
        assert_eq!(
            (released.outcome, released.cost),
            (LlmOutcome::Error, Some(MicroDollars::ZERO))
        );
        for state in [CallState::Expired, CallState::Settled] {
            assert_eq!(row_of(&unpriced(state)).cost, None, "{state:?}");
        }
    }
}
