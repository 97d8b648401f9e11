//! The branch of results: bringing it up to date before work begins, and reading the roadmap on it.

use crate::error::CrewError;
use crate::project::{Integration, Project};
use callboard_roadmap::Roadmap;
use callboard_worktree::{Edit, Lease, Merge, Message, Oid, PushOutcome, Rejection};

/// A person's roadmap with the statuses and ticks that we have set since `before`, where they left them.
fn rejoin(before: &[u8], ours: &[u8], theirs: Vec<u8>) -> Result<Vec<u8>, CrewError> {
    let (before, ours) = (
        callboard_roadmap::parse(before)?,
        callboard_roadmap::parse(ours)?,
    );
    let mut joined = theirs;
    for item in &ours.items {
        let was = before.status_of(&item.key);
        let is = item.status.as_ref().map(|mark| mark.status);
        for deliverable in item
            .deliverables
            .iter()
            .filter(|deliverable| deliverable.done)
        {
            if let Ok(edited) =
                callboard_roadmap::set_deliverable(&joined, &item.key, &deliverable.text, true)
            {
                joined = edited.bytes;
            }
        }
        let theirs = callboard_roadmap::parse(&joined)?.status_of(&item.key);
        if let Some(is) = is
            && Some(is) != was
            && theirs == was
            && let Ok(edited) = callboard_roadmap::set_status(&joined, &item.key, is)
        {
            joined = edited.bytes;
        }
    }
    Ok(joined)
}

impl Project {
    /// The last commit of the results, where there are any.
    pub(crate) fn integration_head(&self) -> Result<Option<Oid>, CrewError> {
        Ok(self.repo.reference(&self.integration.reference)?)
    }

    /// The last commit of the results, with what a person has committed on the branch meanwhile.
    pub(crate) fn integration_tip(&self) -> Result<Oid, CrewError> {
        let head = self.integration_head()?.ok_or_else(|| {
            CrewError::refused(
                format!("{} has vanished", self.integration.reference),
                "run again: it is made anew from the branch",
            )
        })?;
        match self.repo.branch(&self.integration.branch)? {
            Some(branch) => self.join(&head, &branch, &self.integration.branch),
            None => Ok(head),
        }
    }

    /// Makes the results contain what the branch and its remote have, what the user has committed since,
    /// and what was merged into the user's branch at the remote (pull requests). Answers their head and
    /// what a person should know.
    pub(crate) fn prepare_integration(&self) -> Result<(Oid, Vec<String>), CrewError> {
        let Integration {
            branch, reference, ..
        } = &self.integration;
        let user = self.repo.head()?;
        let here = self.repo.branch(branch)?;
        let there = self.fetch_integration()?;
        let mut notes = Vec::new();
        if here.is_none() && there.is_none() {
            notes.extend(self.start_over()?);
        }
        let mut head = match self.integration_head()? {
            Some(head) => head,
            None => {
                let from = here
                    .clone()
                    .or(there.clone())
                    .unwrap_or(user.commit.clone());
                self.repo.ref_update(reference, &from, None)?;
                from
            }
        };
        for (commit, name) in [
            (here, branch.clone()),
            (there, format!("the remote's {branch}")),
        ] {
            if let Some(commit) = commit {
                head = self.join(&head, &commit, &name)?;
            }
        }
        let name = user.branch.as_deref().unwrap_or("the checked-out commit");
        let mut news = vec![(user.commit.clone(), name.to_owned())];
        news.extend(self.fetch_users_branch(user.branch.as_deref())?);
        for (commit, name) in news {
            match self.join(&head, &commit, &name) {
                Ok(joined) => head = joined,
                Err(CrewError::Refused { message, .. }) => {
                    notes.push(format!(
                        "{message}: work goes on without its newest commits; merge them by hand"
                    ));
                }
                Err(error) => return Err(error),
            }
        }
        notes.extend(self.publish(&head)?);
        Ok((self.integration_head()?.unwrap_or(head), notes))
    }

    /// The branch that the user has checked out, as it is at the remote: there pull requests are merged.
    fn fetch_users_branch(&self, branch: Option<&str>) -> Result<Option<(Oid, String)>, CrewError> {
        let (Some(branch), Some(remote)) = (branch, &self.integration.remote) else {
            return Ok(None);
        };
        if branch == self.integration.branch {
            return Ok(None);
        }
        let there = self.repo.fetch_branch(&remote.name, branch)?;
        Ok(there.map(|commit| (commit, format!("{}/{branch}", remote.name))))
    }

    /// The branch is gone here and at the remote: somebody threw the results away, and new ones begin
    /// from the user's commit. The old ones stay under a ref.
    fn start_over(&self) -> Result<Option<String>, CrewError> {
        let Some(old) = self.integration_head()? else {
            return Ok(None);
        };
        let kept = format!("refs/callboard/kept/results-{}", old.short());
        if self.repo.reference(&kept)?.is_none() {
            self.repo.ref_update(&kept, &old, None)?;
        }
        self.repo.ref_delete(&self.integration.reference, &old)?;
        Ok(Some(format!(
            "{} was deleted: results start anew, the old ones are kept as {kept}",
            self.integration.branch
        )))
    }

    fn fetch_integration(&self) -> Result<Option<Oid>, CrewError> {
        let Integration { branch, remote, .. } = &self.integration;
        match remote {
            Some(remote) => Ok(self.repo.fetch_branch(&remote.name, branch)?),
            None => Ok(None),
        }
    }

    /// Moves the results on to contain `commit`: nothing, a fast-forward, or a merge.
    fn join(&self, head: &Oid, commit: &Oid, name: &str) -> Result<Oid, CrewError> {
        if self.repo.is_ancestor(commit, head)? {
            return Ok(head.clone());
        }
        let joined = if self.repo.is_ancestor(head, commit)? {
            commit.clone()
        } else {
            self.merge_in(head, commit, name)?
        };
        self.repo
            .ref_update(&self.integration.reference, &joined, Some(head))?;
        Ok(joined)
    }

    fn merge_in(&self, head: &Oid, commit: &Oid, name: &str) -> Result<Oid, CrewError> {
        let results = &self.integration.branch;
        let message = Message::new("chore", None, &format!("merge {name}"));
        match self.repo.merge(head, commit, &[], &message)? {
            Merge::Made(made) => Ok(made.commit),
            Merge::AlreadyContained => Ok(head.clone()),
            Merge::Conflict(conflict) if conflict.paths == [self.roadmap.clone()] => {
                self.merge_roadmaps(head, commit, &message)
            }
            Merge::Conflict(conflict) => {
                let paths: Vec<String> = conflict
                    .paths
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect();
                Err(CrewError::refused(
                    format!(
                        "{name} does not merge into the results for {results} (conflict in {})",
                        paths.join(", ")
                    ),
                    format!(
                        "merge by hand: git switch {results}; git merge {} {}; git push; then run again",
                        self.integration.reference,
                        commit.short()
                    ),
                ))
            }
        }
    }

    /// Only the roadmap conflicts, because a person edited lines next to statuses that we set: their file is
    /// taken, and our statuses are set in it once more. Both sides get that same file, and then they merge.
    fn merge_roadmaps(
        &self,
        head: &Oid,
        commit: &Oid,
        message: &Message,
    ) -> Result<Oid, CrewError> {
        let base = self.repo.merge_base(head, commit)?;
        let before = match &base {
            Some(base) => self.repo.file_at(base, &self.roadmap)?.unwrap_or_default(),
            None => Vec::new(),
        };
        let (_, ours) = self.roadmap_at(head)?;
        let (_, theirs) = self.roadmap_at(commit)?;
        let joined = rejoin(&before, &ours, theirs)?;
        let aligned = Message::new(
            "chore",
            Some("roadmap"),
            "align the statuses before a merge",
        );
        let edit = || [Edit::new(&self.roadmap, joined.clone())];
        let side = |onto: &Oid| -> Result<Oid, CrewError> {
            let made = self.repo.edit_commit(onto, &edit(), &aligned)?;
            Ok(made.map_or_else(|| onto.clone(), |made| made.commit))
        };
        match self
            .repo
            .merge(&side(head)?, &side(commit)?, &[], message)?
        {
            Merge::Made(made) => Ok(made.commit),
            Merge::AlreadyContained => side(head),
            Merge::Conflict(_) => Err(CrewError::refused(
                format!("{} does not merge into the results", self.roadmap.display()),
                format!(
                    "merge by hand: git merge {}; then run again",
                    self.integration.reference
                ),
            )),
        }
    }

    /// Lets the branch and its remote follow the results. What can't follow is a note, not an error: the
    /// results are safe under their ref, and the next run tries again.
    pub(crate) fn publish(&self, head: &Oid) -> Result<Vec<String>, CrewError> {
        let mut notes = Vec::new();
        notes.extend(self.push_integration(head)?);
        // Pushing may have taken in what somebody else had pushed.
        let head = self.integration_head()?.unwrap_or_else(|| head.clone());
        notes.extend(self.move_branch(&head)?);
        Ok(notes)
    }

    /// Whether somebody has committed on the branch what `results` lacks.
    pub(crate) fn branch_is_ahead(&self, results: &Oid) -> Result<bool, CrewError> {
        match self.repo.branch(&self.integration.branch)? {
            Some(branch) => Ok(!self.repo.is_ancestor(&branch, results)?),
            None => Ok(false),
        }
    }

    /// Moving a branch under somebody who has it checked out would make their files look changed.
    fn move_branch(&self, head: &Oid) -> Result<Option<String>, CrewError> {
        let branch = &self.integration.branch;
        let here = self.repo.branch(branch)?;
        if here.as_ref() == Some(head) {
            return Ok(None);
        }
        if self.branch_is_ahead(head)? {
            return Ok(Some(format!(
                "somebody has committed on {branch} just now: the next merge takes it in"
            )));
        }
        if let Some(at) = self.repo.checked_out_at(branch)? {
            let how = match &self.integration.remote {
                Some(_) => "git pull".to_owned(),
                None => format!("git merge --ff-only {}", self.integration.reference),
            };
            return Ok(Some(format!(
                "{branch} is checked out in {} and was left where it is; to follow: {how}",
                at.display()
            )));
        }
        match self
            .repo
            .ref_update(&format!("refs/heads/{branch}"), head, here.as_ref())
        {
            Ok(()) => Ok(None),
            Err(error) => Ok(Some(format!(
                "{branch} could not be moved: {error}; the next merge tries again"
            ))),
        }
    }

    fn push_integration(&self, head: &Oid) -> Result<Option<String>, CrewError> {
        let Integration { branch, remote, .. } = &self.integration;
        let Some(remote) = remote else {
            return Ok(None);
        };
        let push = |head: &Oid| {
            self.repo
                .push(&remote.name, head, branch, &Lease::FastForward)
        };
        let mut pushed = push(head);
        if let Ok(PushOutcome::Rejected {
            rejection: Rejection::Moved,
            ..
        }) = &pushed
        {
            pushed = match self.join_remote(head) {
                Ok(joined) => push(&joined),
                Err(CrewError::Refused { message, hint }) => {
                    return Ok(Some(format!("{message}; {hint}")));
                }
                Err(error) => return Err(error),
            };
        }
        let refused = match pushed {
            Ok(PushOutcome::Pushed | PushOutcome::UpToDate) => return Ok(None),
            Ok(PushOutcome::Rejected { reason, .. }) => reason,
            Err(error) => error.to_string(),
        };
        Ok(Some(format!(
            "{branch} could not be pushed to {}: {refused}; the next run tries again",
            remote.name
        )))
    }

    fn join_remote(&self, head: &Oid) -> Result<Oid, CrewError> {
        match self.fetch_integration()? {
            Some(remote) => {
                let name = format!("the remote's {}", self.integration.branch);
                self.join(head, &remote, &name)
            }
            None => Ok(head.clone()),
        }
    }

    /// The roadmap as it is in a commit.
    pub(crate) fn roadmap_at(&self, commit: &Oid) -> Result<(Roadmap, Vec<u8>), CrewError> {
        let bytes = self.repo.file_at(commit, &self.roadmap)?.ok_or_else(|| {
            let name = self.roadmap.display();
            if self.root.join(&self.roadmap).is_symlink() {
                return CrewError::refused(
                    format!("{name} is a symbolic link, which can't be changed in a commit"),
                    "name the file that it leads to with --roadmap",
                );
            }
            CrewError::refused(
                format!("{name} is not in commit {}", commit.short()),
                "commit it (git add, git commit), or name another file with --roadmap",
            )
        })?;
        Ok((callboard_roadmap::parse(&bytes)?, bytes))
    }
}
