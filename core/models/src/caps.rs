//! Budgets and limits of the configuration as rows of the board.
//! For: the rows, and whose they are. Not for: counting.

use callboard_config::{Cap, Models as Said};
use callboard_limits::{EACH, Limit, Resource, Scope, Span, Unpriced};
use sha2::{Digest, Sha256};
use std::path::Path;

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
