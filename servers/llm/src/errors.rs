//! The one edge at which errors of models become what a caller reads: kind, message, hint.

use callboard_limits::LimitError;
use callboard_mcp::{ErrorKind, ToolError};
use callboard_models::Unready;
use callboard_routing::engine::{CallError, Hop, Settings};
use callboard_routing::failure::{Failure, FailureKind};

/// Names that a message lists.
const MOST_NAMES: usize = 12;

/// Why a call got no answer.
pub(crate) fn call(error: CallError) -> ToolError {
    let message = error.to_string();
    match error {
        CallError::Unknown { what, name, known } => {
            let error = ToolError::not_found(message);
            match (what, known.is_empty()) {
                ("default route", false) => error.hint(
                    "name a model or a route (models lists them), or set llm.default_route in the configuration",
                ),
                (_, false) => error.hint(format!("{name:?} is none of them; models lists what is configured")),
                ("provider", true) => error.hint("add [providers.NAME] to the user's configuration"),
                (_, true) => error.hint(
                    "name a model as provider/model, or add [routes.NAME] with its candidates to the configuration",
                ),
            }
        }
        CallError::Role { .. } => ToolError::invalid(message).hint(
            "name one of them or leave role out; routes.NAME.roles in the configuration says which class a role has",
        ),
        CallError::Denied(_) => ToolError::new(ErrorKind::Limit, message).hint(
            "budgets shows where all limits stand; an admin raises one with budget_set, or in the configuration",
        ),
        CallError::Nobody(nobody) => match nobody.retry_in_ms {
            Some(ms) => ToolError::unavailable(message).hint(format!(
                "try again in {} s; providers shows why",
                ms.div_ceil(1_000)
            )),
            None => ToolError::invalid(message)
                .hint("waiting does not help: ask for less, or name another route or model; route_explain compares them"),
        },
        CallError::Confirm { .. } => ToolError::new(ErrorKind::NeedsPerson, message)
            .hint("a person has to agree: call from a client that can ask its user, or take another model"),
        CallError::Failed { failure, hops } => failed(&failure, &hops, message),
        CallError::Board(error) => refused(error),
    }
}

/// What a provider said in the place of an answer, with what to do about it.
fn failed(failure: &Failure, hops: &[Hop], message: String) -> ToolError {
    let provider = hops
        .last()
        .map_or("NAME", |hop| hop.target.provider.as_str());
    let wait = failure.retry_after_ms.map(|ms| ms.div_ceil(1_000));
    let later = || match wait {
        Some(seconds) => format!("it asks to wait {seconds} s"),
        None => "try again later".to_owned(),
    };
    let (kind, hint) = match failure.kind {
        FailureKind::BadKey => (
            ErrorKind::Unavailable,
            format!(
                "the key is wrong: `callboard vault set NAME` with the name that providers.{provider}.key has, or set the variable of key_env, then start this server again"
            ),
        ),
        FailureKind::WrongUrl | FailureKind::NotJson => (
            ErrorKind::Unavailable,
            format!(
                "the address is wrong: correct providers.{provider}.base_url in the configuration, and its wire"
            ),
        ),
        FailureKind::NoSuchModel => (
            ErrorKind::NotFound,
            format!(
                "the model is wrong: models with provider: {provider:?} and discover: true lists those that it has"
            ),
        ),
        FailureKind::Forbidden => (
            ErrorKind::Unavailable,
            "the key is known there and may not do this: look at its rights with the provider"
                .to_owned(),
        ),
        FailureKind::BadRequest => (
            ErrorKind::InvalidInput,
            "the provider does not take this request: change what it names".to_owned(),
        ),
        FailureKind::ContextTooLong => (
            ErrorKind::Limit,
            "send less, or name a model with a larger window; route_explain shows windows"
                .to_owned(),
        ),
        FailureKind::Refused => (
            ErrorKind::InvalidInput,
            "the provider's filter declined the prompt: change it, or name another provider"
                .to_owned(),
        ),
        FailureKind::RateLimited => (
            ErrorKind::Limit,
            format!("{}, or add a candidate to the route", later()),
        ),
        FailureKind::QuotaExhausted => (
            ErrorKind::Limit,
            "the account has nothing left: see to it with the provider, or name another one"
                .to_owned(),
        ),
        FailureKind::Connect | FailureKind::StalledConnect => (
            ErrorKind::Unavailable,
            format!("look whether it runs and whether providers.{provider}.base_url is right"),
        ),
        FailureKind::Deadline => (
            ErrorKind::Unavailable,
            "give it more time with deadline_s, or ask for less with max_tokens".to_owned(),
        ),
        FailureKind::Cancelled => return ToolError::cancelled(),
        FailureKind::Overloaded
        | FailureKind::Server
        | FailureKind::Malformed
        | FailureKind::Truncated
        | FailureKind::StalledFirstByte
        | FailureKind::StalledBetween => (
            ErrorKind::Unavailable,
            format!(
                "{}; providers shows how it has done; another candidate in the route would have been asked",
                later()
            ),
        ),
    };
    ToolError::new(kind, message).hint(hint)
}

/// What a provider said when it was asked about itself.
pub(crate) fn asked(provider: &str, failure: &Failure) -> ToolError {
    let hop = Hop {
        call: String::new(),
        target: callboard_routing::engine::Target::new(provider, ""),
        kind: failure.kind,
        unmet: None,
    };
    failed(failure, &[hop], failure.to_string())
}

/// Why the board did not do it.
pub(crate) fn refused(error: LimitError) -> ToolError {
    match error {
        LimitError::Invalid { .. } => ToolError::invalid(error.to_string())
            .hint("correct it and call again; budgets shows limits that make sense"),
        LimitError::Denied(_) => ToolError::new(ErrorKind::Limit, error.to_string()),
        LimitError::Store(_) => ToolError::unavailable(error.to_string())
            .hint("call again; if it stays, `callboard doctor` looks at the board's directory"),
        LimitError::Twice { .. } | LimitError::Unknown { .. } => {
            ToolError::internal(error.to_string())
        }
    }
}

/// A provider that is configured and can't be used.
pub(crate) fn unready(unready: &Unready) -> ToolError {
    ToolError::unavailable(format!(
        "the provider {} can't be used: {}",
        unready.provider, unready.why
    ))
    .hint("mend that, then start this server again; `callboard doctor` says whether it is well")
}

/// No configured thing has this name.
pub(crate) fn no_model(name: &str, settings: &Settings) -> ToolError {
    let routes = settings
        .routes
        .keys()
        .map(|route| format!("{route} (route)"));
    let providers = settings
        .providers
        .keys()
        .map(|provider| format!("{provider}/…"));
    let mut known: Vec<String> = routes.chain(providers).collect();
    let more = known.len().saturating_sub(MOST_NAMES);
    known.truncate(MOST_NAMES);
    let mut there = match known.is_empty() {
        true => "none is configured".to_owned(),
        false => format!("there are {}", known.join(", ")),
    };
    if more > 0 {
        there.push_str(&format!(" and {more} more"));
    }
    ToolError::not_found(format!(
        "model: nothing is called {:?}; {there}",
        callboard_mcp::clip(name, 80)
    ))
    .hint("write provider/model with a configured provider; models lists them")
}
