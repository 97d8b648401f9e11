//! The branch of results: bringing it up to date before work begins, and reading the roadmap on it.

use crate::error::CrewError;
use crate::project::{Integration, Project};
use callboard_roadmap::Roadmap;
use callboard_worktree::{Lease, Merge, Message, Oid, PushOutcome};

impl Project {
    /// The last commit of the integration branch, where there is one.
    pub(crate) fn integration_head(&self) -> Result<Option<Oid>, CrewError> {
        Ok(self.repo.reference(&self.integration.reference)?)
    }

    /// The last commit of the integration branch, which must be there.
    pub(crate) fn integration_tip(&self) -> Result<Oid, CrewError> {
        self.integration_head()?.ok_or_else(|| {
            CrewError::refused(
                format!("the branch {} has vanished", self.integration.branch),
                "run again: it is made anew from your branch, or from the remote's",
            )
        })
    }

    /// Makes the integration branch contain what its remote has and what the user has committed since.
    /// Answers its head and what a person should know.
    pub(crate) fn prepare_integration(&self) -> Result<(Oid, Vec<String>), CrewError> {
        let mut notes = Vec::new();
        let user = self.repo.head()?;
        let mut head = self.start_from_remote(&user.commit)?;
        if !self.repo.is_ancestor(&user.commit, &head)? {
            match self.take_in(&head, &user.commit, user.branch.as_deref())? {
                Ok(merged) => head = merged,
                Err(note) => notes.push(note),
            }
        }
        if let Some(note) = self.push_integration(&head)? {
            notes.push(note);
        }
        Ok((head, notes))
    }

    fn start_from_remote(&self, user: &Oid) -> Result<Oid, CrewError> {
        let reference = &self.integration.reference;
        let local = self.integration_head()?;
        let remote = self.fetch_integration()?;
        let (from, old) = match (local, remote) {
            (None, None) => (user.clone(), None),
            (None, Some(remote)) => (remote, None),
            (Some(local), None) => return Ok(local),
            (Some(local), Some(remote)) if self.repo.is_ancestor(&remote, &local)? => {
                return Ok(local);
            }
            (Some(local), Some(remote)) if self.repo.is_ancestor(&local, &remote)? => {
                (remote, Some(local))
            }
            (Some(local), Some(remote)) => return Err(self.diverged(&local, &remote)),
        };
        self.repo.ref_update(reference, &from, old.as_ref())?;
        Ok(from)
    }

    fn diverged(&self, local: &Oid, remote: &Oid) -> CrewError {
        let branch = &self.integration.branch;
        CrewError::refused(
            format!(
                "{branch} has gone two ways: {} here and {} at the remote",
                local.short(),
                remote.short()
            ),
            format!(
                "merge them by hand (git switch {branch}; git merge {}), push, and run again",
                remote.short()
            ),
        )
    }

    fn fetch_integration(&self) -> Result<Option<Oid>, CrewError> {
        let Integration { branch, remote, .. } = &self.integration;
        match remote {
            Some(remote) => Ok(self.repo.fetch_branch(&remote.name, branch)?),
            None => Ok(None),
        }
    }

    /// Merges the user's commits: new items of the roadmap, and whatever else they did meanwhile.
    fn take_in(
        &self,
        head: &Oid,
        user: &Oid,
        branch: Option<&str>,
    ) -> Result<Result<Oid, String>, CrewError> {
        let name = branch.unwrap_or("the checked-out commit");
        let message = Message::new(
            "chore",
            None,
            &format!("merge {name} into {}", self.integration.branch),
        );
        match self.repo.merge(head, user, &[], &message)? {
            Merge::Made(made) => {
                self.repo
                    .ref_update(&self.integration.reference, &made.commit, Some(head))?;
                Ok(Ok(made.commit))
            }
            Merge::AlreadyContained => Ok(Ok(head.clone())),
            Merge::Conflict(conflict) => {
                let paths: Vec<String> = conflict
                    .paths
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect();
                Ok(Err(format!(
                    "{name} does not merge into {} (conflict in {}): work goes on without its newest commits; merge them by hand",
                    self.integration.branch,
                    paths.join(", ")
                )))
            }
        }
    }

    /// Pushes the integration branch. A refusal is a note, not an error: the merges are safe here.
    pub(crate) fn push_integration(&self, head: &Oid) -> Result<Option<String>, CrewError> {
        let Integration { branch, remote, .. } = &self.integration;
        let Some(remote) = remote else {
            return Ok(None);
        };
        let refused = match self
            .repo
            .push(&remote.name, head, branch, &Lease::FastForward)
        {
            Ok(PushOutcome::Pushed | PushOutcome::UpToDate) => return Ok(None),
            Ok(PushOutcome::Rejected { reason, .. }) => reason,
            Err(error) => error.to_string(),
        };
        Ok(Some(format!(
            "{branch} could not be pushed to {}: {refused}; the next run tries again",
            remote.name
        )))
    }

    /// The roadmap as it is in a commit.
    pub(crate) fn roadmap_at(&self, commit: &Oid) -> Result<(Roadmap, Vec<u8>), CrewError> {
        let bytes = self.repo.file_at(commit, &self.roadmap)?.ok_or_else(|| {
            CrewError::refused(
                format!(
                    "{} is not in commit {}",
                    self.roadmap.display(),
                    commit.short()
                ),
                "commit it (git add, git commit), or name another file with --roadmap",
            )
        })?;
        Ok((callboard_roadmap::parse(&bytes)?, bytes))
    }
}
