//! Budgets and limits of the configuration as rows of the board.
//! For: the rows, whose they are, and putting them there. Not for: counting.

use callboard_config::{Cap, Config, Models as Said};
use callboard_limits::{EACH, Limit, LimitError, Resource, Scope, Span, Unpriced, limits_sync};
use callboard_store::actor::{self, Actor};
use callboard_store::{Clock, Store, SystemClock};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

/// Makes the limits of the board what the configuration says: all that whoever hands out work needs of the models,
/// without prices or keys. Every process does: what is so already is not written.
///
/// # Errors
/// Where the board does not answer.
pub async fn set_limits(
    config: &Config,
    project: Option<&Path>,
    store: &Store,
    now: i64,
) -> Result<(), LimitError> {
    let limits = limits(&config.models, project);
    let writing = store.write(move |c| {
        limits
            .iter()
            .try_for_each(|(origin, limits)| limits_sync(c, now, origin, limits).map(drop))
    });
    actor::scope(Arc::new(Actor::program("configuration")), writing).await
}

/// As [`set_limits`], for who has other work to do beside: what is wrong is told in the log.
pub async fn try_set_limits(config: &Config, project: Option<&Path>, store: &Store) {
    let set = set_limits(config, project, store, SystemClock.now_ms()).await;
    if let Err(error) = set {
        tracing::warn!("the board does not have the configured limits: {error}");
    }
}

/// The origin of what the user's own configuration says.
pub(crate) const USERS: &str = "config";

/// The origin of what a project's file says. Rows of different origin stand beside each other, so that a project adds
/// to what the user said and takes nothing away, and two projects on one board do not undo each other's.
pub(crate) fn projects(root: &Path) -> String {
    let hash = Sha256::digest(root.as_os_str().as_encoded_bytes());
    let hex: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("project:{hex}")
}

/// The limits by their origin. A project that says none still has its place, so that what it said before ends.
pub(crate) fn limits(said: &Said, project: Option<&Path>) -> Vec<(String, Vec<Limit>)> {
    let of = |projects: bool, origin: String| {
        let caps = said.caps.iter().filter(|cap| cap.is_projects() == projects);
        let limits = caps.filter_map(|cap| limit(cap, said.utc_offset.value, &origin));
        let limits = limits.collect();
        (origin, limits)
    };
    let mut all = vec![of(false, USERS.to_owned())];
    all.extend(project.map(|root| of(true, projects(root))));
    all
}

/// The words are checked where they are read, so each means something.
fn limit(cap: &Cap, offset_min: i32, origin: &str) -> Option<Limit> {
    let scope = Scope::parse(&cap.scope)?;
    let name = match (scope, &cap.of) {
        (Scope::All, _) => String::new(),
        (_, None) => EACH.to_owned(),
        (_, Some(of)) => of.clone(),
    };
    let mut limit = Limit::new(
        scope,
        name,
        Resource::parse(cap.resource)?,
        Span::parse(cap.span)?,
        cap.amount,
    );
    limit.warn = u16::try_from(cap.warn * 10).unwrap_or(1_000);
    limit.offset_min = offset_min;
    limit.unpriced = if cap.deny_unpriced {
        Unpriced::Deny
    } else {
        Unpriced::Allow
    };
    origin.clone_into(&mut limit.origin);
    Some(limit)
}
