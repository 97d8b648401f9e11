//! For: reading and moving refs. Every move names the value it replaces, so a race is refused, not lost.
//! Reads ask libgit2, which needs no process; where it cannot open the repository (reftable, SHA-256), git is asked.
//! Not for: the user's checkout: moving the branch it is on makes its files look changed; ask `checked_out_at` first.

use crate::repo::records;
use crate::{GitError, Oid, Repo, check_branch, check_ref};

impl Repo {
    /// Where a ref (full name) points.
    pub fn reference(&self, name: &str) -> Result<Option<Oid>, GitError> {
        check_ref(name)?;
        if let Some(known) = self.library().and_then(|library| look_up(&library, name)) {
            return known.map(|oid| Oid::parse(&oid.to_string())).transpose();
        }
        let found = self.refs(name)?;
        Ok(found
            .into_iter()
            .find(|(full, _)| full == name)
            .map(|(_, oid)| oid))
    }

    /// All refs below a prefix such as `refs/callboard/` (or the one ref of that name), in order of name.
    pub fn refs(&self, prefix: &str) -> Result<Vec<(String, Oid)>, GitError> {
        check_ref(&format!("{}/x", prefix.trim_end_matches('/')))?;
        let call = self
            .call()
            .reading()
            .args(["for-each-ref", "--format=%(objectname) %(refname)%00"]);
        let answer = call.arg("--").arg(prefix.trim_end_matches('/')).run()?;
        let lines = records(&answer.stdout).filter_map(|line| std::str::from_utf8(line).ok());
        lines
            .filter_map(|line| line.trim().split_once(' '))
            .map(|(oid, name)| Ok((name.to_owned(), Oid::parse(oid)?)))
            .collect()
    }

    /// Moves a ref (full name) from `old` to `new`; `old: None` means that it must not exist yet.
    /// [`GitError::Moved`] when it is elsewhere; then nothing was changed.
    pub fn ref_update(&self, name: &str, new: &Oid, old: Option<&Oid>) -> Result<(), GitError> {
        check_ref(name)?;
        let expected = old.map_or_else(|| new.zero(), Oid::to_string);
        let arguments = [
            "update-ref",
            "-m",
            "callboard",
            name,
            new.as_str(),
            &expected,
        ];
        self.move_ref(arguments.as_slice(), name, old)
    }

    /// Deletes a ref (full name) that is at `old`. A ref that is gone already is fine.
    pub fn ref_delete(&self, name: &str, old: &Oid) -> Result<(), GitError> {
        check_ref(name)?;
        if self.reference(name)?.is_none() {
            return Ok(());
        }
        self.move_ref(&["update-ref", "-d", name, old.as_str()], name, Some(old))
    }

    fn move_ref(&self, arguments: &[&str], name: &str, old: Option<&Oid>) -> Result<(), GitError> {
        let Err(error) = self.call().args(arguments).run() else {
            return Ok(());
        };
        let found = self.reference(name)?;
        if found.as_ref() == old {
            return Err(error);
        }
        Err(GitError::Moved {
            reference: name.to_owned(),
            expected: old.cloned(),
            found,
        })
    }

    /// Deletes a branch whose commits are all in `within` and that no worktree has checked out. Says whether it did
    /// (a branch that does not exist counts as deleted).
    pub fn branch_delete_if_contained(&self, name: &str, within: &Oid) -> Result<bool, GitError> {
        check_branch(name)?;
        let Some(tip) = self.branch(name)? else {
            return Ok(true);
        };
        if !self.is_ancestor(&tip, within)? || self.checked_out_at(name)?.is_some() {
            return Ok(false);
        }
        self.ref_delete(&format!("refs/heads/{name}"), &tip)?;
        Ok(true)
    }

    /// The repository as libgit2 sees it, if it can open it. Opened anew each time (under a millisecond), because a
    /// handle kept open would have to be shared across threads and may miss a repack.
    pub(crate) fn library(&self) -> Option<git2::Repository> {
        git2::Repository::open(self.git_dir()).ok()
    }
}

/// `None`: not known here, ask git. `Some(None)`: there is no such ref.
fn look_up(library: &git2::Repository, name: &str) -> Option<Option<git2::Oid>> {
    match library
        .find_reference(name)
        .and_then(|found| found.peel_to_commit())
    {
        Ok(commit) => Some(Some(commit.id())),
        Err(error)
            if error.class() == git2::ErrorClass::Reference
                && error.code() == git2::ErrorCode::NotFound =>
        {
            Some(None)
        }
        Err(_) => None,
    }
}
