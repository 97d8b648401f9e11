//! For: questions about commits: what lies between two, which one carries a trailer.
//! A trailer in a merge commit is how a finished task is known again after a crash.
//! Not for: file contents (tree) or differences (work).

use serde::Serialize;

use crate::message::{clean_key, clean_value};
use crate::{GitError, Oid, Repo};

/// A commit in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Commit {
    /// Its name.
    pub id: Oid,
    /// The first line of its message.
    pub subject: String,
}

/// Which commits a search visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lineage {
    /// Only the branch's own line: merges made on it, not the commits merged. What an agent wrote is not believed.
    FirstParent,
    /// Everything reachable.
    Everything,
}

impl Repo {
    /// The commits reachable from `head` and not from `base`, newest first, at most 1,000.
    pub fn commits_between(&self, base: &Oid, head: &Oid) -> Result<Vec<Commit>, GitError> {
        let call = self
            .call()
            .reading()
            .args(["log", "--max-count=1000", "--format=%H %s"]);
        let text = call.arg(head).arg(format!("^{base}")).arg("--").text()?;
        let commit = |line: &str| {
            let (id, subject) = line.split_once(' ').unwrap_or((line, ""));
            Ok(Commit {
                id: Oid::parse(id)?,
                subject: subject.to_owned(),
            })
        };
        text.lines().map(commit).collect()
    }

    /// The newest commit reachable from `start` (and not from `since`) with the trailer `key: value`.
    pub fn find_trailer(
        &self,
        start: &Oid,
        since: Option<&Oid>,
        key: &str,
        value: &str,
        lineage: Lineage,
    ) -> Result<Option<Oid>, GitError> {
        let (key, value) = (clean_key(key), clean_value(value));
        // The grep narrows the walk, the trailer block decides: a body may quote a trailer.
        let format =
            format!("--format=%H%x1f%(trailers:key={key},valueonly,unfold,separator=%x1f)%x00");
        let grep = format!("--grep={key}: {value}");
        let mut call = self
            .call()
            .reading()
            .args(["log", "--fixed-strings", &grep, &format]);
        if lineage == Lineage::FirstParent {
            call = call.arg("--first-parent");
        }
        call = call.arg(start);
        if let Some(since) = since {
            call = call.arg(format!("^{since}"));
        }
        let text = call.arg("--").text()?;
        let found = text
            .split('\0')
            .map(str::trim)
            .find(|record| record.split('\u{1f}').skip(1).any(|v| v.trim() == value));
        found
            .and_then(|record| record.split('\u{1f}').next())
            .map(Oid::parse)
            .transpose()
    }
}
