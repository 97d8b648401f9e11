//! What went wrong, in words that say what to do.

use super::{Endpoint, Upstream, is_header};
use crate::failure::{Failure, FailureKind};
use crate::wire::Model;
use reqwest::Url;
use std::error::Error as _;

/// The most names of models that a message lists.
const MOST_NAMES: usize = 12;

/// Whether an endpoint can be used at all.
pub(super) fn checked(endpoint: &Endpoint) -> Result<(), Failure> {
    let wrong = |what: &str| {
        let usual = endpoint.wire.usual_base();
        let message = format!(
            "{}: base_url {what}; the {} wire is usually at {usual}",
            endpoint.name, endpoint.wire
        );
        Failure::new(FailureKind::WrongUrl, message)
    };
    let url =
        Url::parse(&endpoint.base_url).map_err(|error| wrong(&format!("is no URL ({error})")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("does not begin with http:// or https:// and a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("has a password in it, which belongs into the key"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has a query or a fragment"));
    }
    if let Some((name, _)) = endpoint.headers.iter().find(|(name, _)| !is_header(name)) {
        let message = format!("{}: {name:?} is no name of a header", endpoint.name);
        return Err(Failure::new(FailureKind::BadRequest, message));
    }
    let sendable = |value: &str| value.chars().all(|c| !c.is_control()) && value.is_ascii();
    if endpoint
        .key
        .as_ref()
        .is_some_and(|key| !sendable(key.expose()))
    {
        let mut failure = unsendable();
        failure.message = format!("{}: {}", endpoint.name, failure.message);
        return Err(failure);
    }
    Ok(())
}

pub(super) fn unsendable() -> Failure {
    let message = "the key has characters that no key has, such as the end of a line: set it again";
    Failure::new(FailureKind::BadKey, message)
}

pub(super) fn overdue() -> Failure {
    Failure::new(
        FailureKind::Deadline,
        "the time for the whole call was over",
    )
}

pub(super) fn stalled_first_byte() -> Failure {
    Failure::new(
        FailureKind::StalledFirstByte,
        "the answer did not begin in time",
    )
}

pub(super) fn stalled_between() -> Failure {
    Failure::new(
        FailureKind::StalledBetween,
        "the answer stood still in the middle",
    )
}

/// No answer began.
pub(super) fn not_sent(error: reqwest::Error) -> Failure {
    let kind = match () {
        () if error.is_connect() && error.is_timeout() => FailureKind::StalledConnect,
        () if error.is_connect() => FailureKind::Connect,
        // The connection stood, and was closed in the place of an answer.
        () => FailureKind::Truncated,
    };
    Failure::new(kind, root(&error.without_url()))
}

/// The body broke off.
pub(super) fn broken(error: reqwest::Error) -> Failure {
    let cause = root(&error.without_url());
    let message = format!("the answer broke off before its end ({cause})");
    Failure::new(FailureKind::Truncated, message)
}

/// What an error says at its bottom: the layers above only say that something went wrong.
fn root(error: &reqwest::Error) -> String {
    let (mut deepest, mut text) = (error.source(), error.to_string());
    while let Some(cause) = deepest {
        text = cause.to_string();
        deepest = cause.source();
    }
    text
}

pub(super) fn no_such_model(provider: &str, name: &str, models: &[Model]) -> Failure {
    let mut names: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
    // Those that begin alike first.
    let alike = |id: &str| {
        id.bytes()
            .zip(name.bytes())
            .take_while(|(a, b)| a == b)
            .count()
    };
    names.sort_by_key(|id| (std::cmp::Reverse(alike(id)), *id));
    let shown = names.iter().take(MOST_NAMES).copied().collect::<Vec<_>>();
    let more = match names.len().saturating_sub(MOST_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!(
        "{provider} has no model {name:?}; it has {}{more}",
        shown.join(", ")
    );
    Failure::new(FailureKind::NoSuchModel, message)
}

impl Upstream {
    /// Says whose failure it is and what to do.
    pub(super) fn explain(&self, mut failure: Failure, model: Option<&str>) -> Failure {
        let Endpoint {
            name,
            wire,
            base_url,
            key,
            ..
        } = self.endpoint();
        let said = &failure.message;
        failure.message = match (failure.kind, model) {
            (FailureKind::BadKey, _) if key.is_none() => {
                format!("{name} wants a key and none is set ({said}): set the key of this provider")
            }
            (FailureKind::BadKey, _) => format!(
                "{name} does not take its key ({said}): set the key of this provider again, and look whether it is of this provider and account"
            ),
            (FailureKind::WrongUrl | FailureKind::NotJson, _) => format!(
                "{name}: nothing speaks the {wire} wire at {base_url} ({said}): check base_url; the wire is usually at {}",
                wire.usual_base()
            ),
            (FailureKind::NoSuchModel, Some(model)) => format!(
                "{name} has no model {model:?} ({said}): list its models, and name one of them"
            ),
            (FailureKind::Connect | FailureKind::StalledConnect, _) => format!(
                "{name}: no connection to {base_url} ({said}): is it running, and is base_url right?"
            ),
            _ => format!("{name}: {said}"),
        };
        failure.message = callboard_redact::scrub(&failure.message).into_owned();
        failure
    }
}
