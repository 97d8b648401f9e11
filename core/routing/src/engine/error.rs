//! Why a call got no answer.
//! For: one type whose words say what to do. Not for: what went wrong at a provider (`failure` has that).

use std::fmt::Write as _;

use callboard_limits::{Denied, Frees, LimitError};
use callboard_store::StoreError;
use callboard_telemetry::MicroDollars;

use super::Target;
use crate::check::Unmet;
use crate::failure::{Failure, FailureKind};
use crate::route::Rejection;

/// A call that got no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// A route or provider of this name is not configured, or there is none to take.
    #[error("{}", unknown(what, name, known))]
    Unknown {
        /// What: `route`, `provider`, or `default route`.
        what: &'static str,
        /// The name.
        name: String,
        /// The names that are.
        known: Vec<String>,
    },
    /// No route knows this role of work: by which class its questions go can't be told.
    #[error("{}", no_role(role, known))]
    Role {
        /// The role, as the request or its key names it.
        role: String,
        /// The roles that routes know.
        known: Vec<String>,
    },
    /// A limit is used up, and everybody who fits is under one.
    #[error("{0}")]
    Denied(Box<Denied>),
    /// Nobody of the route can take this request, or nobody can now.
    #[error("{}", nobody(.0))]
    Nobody(Box<Nobody>),
    /// A person has to agree first.
    #[error("calls to {target} need a person's word{}", may_cost(.cost.as_ref()))]
    Confirm {
        /// Who would be asked.
        target: Target,
        /// What it would cost at most; `None`: that is not known.
        cost: Option<MicroDollars>,
    },
    /// Everybody who was asked failed.
    #[error("{failure}{}", after(.hops))]
    Failed {
        /// The last failure.
        failure: Failure,
        /// Everything that was tried, the last one too.
        hops: Vec<Hop>,
    },
    /// The board's file could not be read or written, so nothing was asked: a call without a reservation is not made.
    #[error("the board's file does not answer: {0}")]
    Board(#[from] LimitError),
}

impl From<StoreError> for CallError {
    fn from(error: StoreError) -> Self {
        CallError::Board(error.into())
    }
}

impl CallError {
    /// The same as a failure, for those who have words for nothing else: a client of the gateway, a stream that is
    /// under way.
    #[must_use]
    pub fn into_failure(self) -> Failure {
        let message = self.to_string();
        let (kind, retry_after_ms) = match self {
            CallError::Failed { failure, .. } => return failure,
            CallError::Unknown { .. } => (FailureKind::NoSuchModel, None),
            CallError::Role { .. } => (FailureKind::BadRequest, None),
            CallError::Denied(denied) => match denied.frees {
                Frees::At(at) => {
                    let ms = u64::try_from(at.saturating_sub(denied.at)).unwrap_or(0);
                    (FailureKind::RateLimited, Some(ms))
                }
                Frees::WhenACallEnds => (FailureKind::RateLimited, Some(1_000)),
                Frees::Never => (FailureKind::QuotaExhausted, None),
            },
            CallError::Nobody(nobody) => match nobody.retry_in_ms {
                Some(ms) => (FailureKind::Overloaded, Some(ms)),
                None => (FailureKind::BadRequest, None),
            },
            CallError::Confirm { .. } => (FailureKind::Forbidden, None),
            CallError::Board(_) => (FailureKind::Server, None),
        };
        let mut failure = Failure::new(kind, message);
        failure.retry_after_ms = retry_after_ms;
        failure
    }
}

/// Why nobody was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Nobody {
    /// The route, or the model that was wanted.
    pub route: String,
    /// Everybody, and all that speaks against each.
    pub candidates: Vec<(Target, Vec<Rejection>)>,
    /// Milliseconds until somebody may be asked; `None`: waiting does not help.
    pub retry_in_ms: Option<u64>,
}

/// One attempt that failed, or whose answer would not do.
#[derive(Debug, Clone, PartialEq)]
pub struct Hop {
    /// Its row: the call's id.
    pub call: String,
    /// Who was asked.
    pub target: Target,
    /// What went wrong; of an answer that would not do, the kind that comes nearest.
    pub kind: FailureKind,
    /// Why its answer would not do.
    pub unmet: Option<Unmet>,
}

fn unknown(what: &str, name: &str, known: &[String]) -> String {
    let mut text = if name.is_empty() {
        format!("no {what} is configured")
    } else {
        format!("no {what} {name:?} is configured")
    };
    if !known.is_empty() {
        let _ = write!(text, "; there are: {}", known.join(", "));
    }
    text
}

/// Characters of a role that are told again.
const ROLE_SHOWN: usize = 80;

fn no_role(role: &str, known: &[String]) -> String {
    let shown: String = role.chars().take(ROLE_SHOWN).collect();
    let mut text =
        format!("no route knows the role of work {shown:?}, which the request or its key names");
    if known.is_empty() {
        text.push_str("; none is configured");
    } else {
        let _ = write!(text, "; there are: {}", known.join(", "));
    }
    text
}

fn nobody(nobody: &Nobody) -> String {
    let mut text = format!("nobody of {} can be asked", nobody.route);
    if nobody.candidates.is_empty() {
        text.push_str(": it has no candidates");
    }
    for (at, (target, why)) in nobody.candidates.iter().enumerate() {
        let why: Vec<String> = why.iter().map(Rejection::to_string).collect();
        let lead = if at == 0 { ": " } else { "; " };
        let _ = write!(text, "{lead}{target} {}", why.join(", "));
    }
    if let Some(ms) = nobody.retry_in_ms {
        let _ = write!(text, "; try again in {} s", ms.div_ceil(1_000));
    }
    text
}

fn may_cost(cost: Option<&MicroDollars>) -> String {
    cost.map_or_else(String::new, |cost| format!(" (it may cost {cost})"))
}

fn after(hops: &[Hop]) -> String {
    let [before @ .., _] = hops else {
        return String::new();
    };
    if before.is_empty() {
        return String::new();
    }
    let mut told: Vec<(String, usize)> = Vec::new();
    for hop in before {
        let failed = format!("{} ({})", hop.target, hop.kind);
        match told.iter_mut().find(|(same, _)| *same == failed) {
            Some((_, times)) => *times += 1,
            None => told.push((failed, 1)),
        }
    }
    let told = told.into_iter().map(|(failed, times)| match times {
        1 => failed,
        2 => format!("{failed} twice"),
        _ => format!("{failed} {times} times"),
    });
    format!("; before that: {}", told.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_what_to_do() {
        let error = CallError::Unknown {
            what: "route",
            name: "x".to_owned(),
            known: vec!["cheap".to_owned(), "best".to_owned()],
        };
        let expected = "no route \"x\" is configured; there are: cheap, best";
        assert_eq!(error.to_string(), expected);
        let no_role = |known: &[&str]| {
            let role = "x".repeat(500);
            let known = known.iter().map(ToString::to_string).collect();
            CallError::Role { role, known }.to_string()
        };
        let told = no_role(&["architect", "reviewer"]);
        assert!(told.ends_with("there are: architect, reviewer"), "{told}");
        assert!(told.len() < 220, "{told}");
        assert!(no_role(&[]).ends_with("none is configured"));
        let target = Target::new("groq", "small");
        let nobody = Nobody {
            route: "cheap".to_owned(),
            candidates: vec![(target.clone(), vec![Rejection::Open { for_ms: 4_001 }])],
            retry_in_ms: Some(4_001),
        };
        assert_eq!(
            CallError::Nobody(Box::new(nobody)).to_string(),
            "nobody of cheap can be asked: groq/small its breaker is open for 4001 ms more; try again in 5 s"
        );
        let hop = |kind| Hop {
            call: "c_1".to_owned(),
            target: target.clone(),
            kind,
            unmet: None,
        };
        let failed = CallError::Failed {
            failure: Failure::new(FailureKind::Server, "it broke"),
            hops: vec![hop(FailureKind::RateLimited), hop(FailureKind::Server)],
        };
        let expected = "it broke; before that: groq/small (rate_limited)";
        assert_eq!(failed.to_string(), expected);
        let kinds = [
            FailureKind::NotJson,
            FailureKind::NotJson,
            FailureKind::Server,
            FailureKind::NotJson,
            FailureKind::Server,
        ];
        for (most, expected) in [
            (3, "it broke; before that: groq/small (not_json) twice"),
            (
                5,
                "it broke; before that: groq/small (not_json) 3 times, groq/small (server)",
            ),
        ] {
            let failed = CallError::Failed {
                failure: Failure::new(FailureKind::Server, "it broke"),
                hops: kinds[..most].iter().copied().map(hop).collect(),
            };
            assert_eq!(failed.to_string(), expected);
        }
        let confirm = CallError::Confirm {
            target,
            cost: Some(MicroDollars(250_000)),
        };
        let expected = "calls to groq/small need a person's word (it may cost $0.25)";
        assert_eq!(confirm.to_string(), expected);
    }
}
