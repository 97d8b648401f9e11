//! The serial step: a verified branch is merged into the integration branch, and its item's status set,
//! in one commit. Or a pull request is opened that will do the same.

use crate::error::CrewError;
use crate::events::{Event, Step};
use crate::project::Project;
use crate::work::{Trouble, Verified, Working};
use callboard_roadmap::{EditError, ItemKey, Status};
use callboard_scheduling::{self as scheduling};
use callboard_worktree::pr::{NewPullRequest, PullRequests};
use callboard_worktree::{Edit, GitError, MergeTree, MergedTree, Message, Oid, PushOutcome};
use serde_json::json;
use std::path::PathBuf;

/// How often a merge is made anew because somebody else moved the branch under it.
const MOVES: usize = 5;

/// A merge that was made and is not yet on the branch.
struct Candidate {
    commit: Oid,
    onto: Oid,
    tested: bool,
}

impl Working {
    /// Merges, tests the merge where it is not what was tested already, and moves the branch.
    pub(crate) async fn land(&mut self, verified: Verified) -> Result<(), Trouble> {
        let lock = self.project.merging.clone();
        let _serial = lock.lock().await;
        self.begin(Step::Merge, Some(self.project.integration.branch.clone()))
            .await?;
        for _ in 0..MOVES {
            let candidate = self.make_merge(&verified).await?;
            if !candidate.tested && self.project.config.run.test_merges.value {
                self.test_merge(&verified, &candidate).await?;
            }
            if self.move_branch(candidate).await? {
                return self.finish().await;
            }
        }
        Err(Trouble::failed(format!(
            "somebody else moves {} all the time",
            self.project.integration.branch
        )))
    }

    /// Moves the integration branch to the merge; false when somebody else has moved it meanwhile.
    async fn move_branch(&mut self, candidate: Candidate) -> Result<bool, Trouble> {
        self.facts.merge = Some(candidate.commit.to_string());
        // A crash after this leaves the merge recorded: recovery looks whether the branch contains it,
        // and then the item is done, else the attempt counts as interrupted.
        self.record().await?;
        let moved = self
            .project
            .git(move |project| {
                let Candidate { commit, onto, .. } = candidate;
                if project.branch_is_ahead(&commit)? {
                    return Ok(None);
                }
                let reference = &project.integration.reference;
                match project.repo.ref_update(reference, &commit, Some(&onto)) {
                    Ok(()) => Ok(Some(project.publish(&commit)?)),
                    Err(GitError::Moved { .. }) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            })
            .await?;
        for note in moved.iter().flatten() {
            self.voice.note(note.clone());
        }
        Ok(moved.is_some())
    }

    async fn make_merge(&self, verified: &Verified) -> Result<Candidate, Trouble> {
        let (commit, base) = (verified.commit.clone(), verified.base.clone());
        let message = self.merge_message(verified);
        let (item, wishes) = (self.item.clone(), verified.report.deliverables.clone());
        self.project
            .git(move |project| {
                let onto = project.integration_tip()?;
                let merged = match project.repo.merge_tree(&onto, &commit)? {
                    MergeTree::Clean(merged) => merged,
                    MergeTree::Conflict(conflict) => {
                        return Ok(Err(conflicted(&conflict.paths, &conflict.text)));
                    }
                    MergeTree::AlreadyContained => {
                        return Ok(Err(Trouble::failed(
                            "its commits are on the integration branch already",
                        )));
                    }
                };
                let edit = match mark_done(project, &merged, &item, &wishes)? {
                    Ok(edit) => edit,
                    Err(trouble) => return Ok(Err(trouble)),
                };
                let made = project.repo.merge_commit(&merged, &[edit], &message)?;
                // An agent may have taken its branch back behind its base.
                let tested = onto == base && project.repo.is_ancestor(&base, &commit)?;
                Ok(Ok(Candidate {
                    commit: made.commit,
                    onto,
                    tested,
                }))
            })
            .await?
    }

    fn merge_message(&self, verified: &Verified) -> Message {
        let subject = verified.message.header();
        Message::new("chore", Some("roadmap"), &format!("merge {}", self.item))
            .with_body(&format!("{subject}\n\n{}", self.task.title))
            .with_trailer("Callboard-Item", self.item.as_str())
            .with_trailer("Callboard-Task", &self.task.id)
            .with_trailer("Callboard-Attempt", &self.attempt)
    }

    /// Two branches that pass by themselves may fail together.
    async fn test_merge(&self, verified: &Verified, candidate: &Candidate) -> Result<(), Trouble> {
        let path = self
            .project
            .worktree_path(&format!("{}-merge", self.attempt));
        let (at, commit) = (path.clone(), candidate.commit.clone());
        let now = self.project.now();
        let row = scheduling::WorktreeRow {
            attempt: format!("{}-merge", self.attempt),
            repo: self.project.root.to_string_lossy().into_owned(),
            path: path.to_string_lossy().into_owned(),
            branch: None,
            base: commit.to_string(),
        };
        let written = row.clone();
        self.project
            .store
            .write(move |c| scheduling::worktree_intend(c, now, &written))
            .await?;
        self.project
            .git(move |project| Ok(project.repo.worktree_add_detached(&at, &commit)?))
            .await?;
        let tested = self.test(&verified.tests, &path, "merge").await;
        self.project.drop_checkout(row).await?;
        match tested {
            Ok(_) => Ok(()),
            Err(Trouble::Failed { error, .. }) => Err(Trouble::Conflict {
                error: format!(
                    "merged onto the newest {}, {error}",
                    self.project.integration.branch
                ),
            }),
            Err(other) => Err(other),
        }
    }

    async fn finish(&mut self) -> Result<(), Trouble> {
        let (now, lease) = (self.project.now(), self.lease.clone());
        let result = json!({
            "branch": self.facts.branch,
            "commit": self.facts.commit,
            "merge": self.facts.merge,
            "tests": self.facts.tests,
            "summary": self.facts.summary,
        });
        self.project
            .store
            .write(move |c| scheduling::task_finish(c, now, &lease, &result))
            .await?;
        self.voice.say(Event::Done {
            item: self.item.to_string(),
            attempt: self.attempt.clone(),
            merge: self.facts.merge.clone(),
            pr: None,
            tests: self.facts.tests.clone().unwrap_or_default(),
        });
        Ok(())
    }

    /// Whether results go out as pull requests: `gh` is there, logged in, and the remote has a host.
    pub(crate) async fn pull_requests(&self) -> Result<Option<PullRequests>, Trouble> {
        let Some(remote) = self.project.integration.remote.clone() else {
            return Ok(None);
        };
        Ok(self
            .project
            .git(move |project| {
                Ok(PullRequests::detect(&project.repo, &remote)
                    .map_err(|why| tracing::debug!(%why, "no pull requests"))
                    .ok())
            })
            .await?)
    }

    /// The status goes onto the branch itself, so that merging the request sets it.
    pub(crate) async fn open_pull_request(
        &mut self,
        requests: PullRequests,
        verified: &Verified,
    ) -> Result<(), Trouble> {
        let lock = self.project.merging.clone();
        let _serial = lock.lock().await;
        self.begin(Step::PullRequest, None).await?;
        let branch = self.facts.branch.clone().unwrap_or_default();
        let (item, wishes) = (self.item.clone(), verified.report.deliverables.clone());
        let title = verified.message.header();
        let body = format!(
            "{}\n\n{}\n\nTests: {}\n",
            self.task.title,
            verified.report.summary.as_deref().unwrap_or(""),
            self.facts.tests.as_deref().unwrap_or("")
        );
        let commit = verified.commit.clone();
        let url = self
            .project
            .git(move |project| {
                let edits = match done_edit(project, &commit, &item, &wishes)? {
                    Ok(edit) => [edit],
                    Err(trouble) => return Ok(Err(trouble)),
                };
                let message =
                    Message::new("docs", Some("roadmap"), &format!("mark {item} as done"));
                let marked = project.repo.edit_commit(&commit, &edits, &message)?;
                let tip = marked.map_or(commit, |made| made.commit);
                let remote = project
                    .integration
                    .remote
                    .as_ref()
                    .map_or("origin", |remote| remote.name.as_str());
                let lease = callboard_worktree::Lease::FastForward;
                if let PushOutcome::Rejected { reason, .. } =
                    project.repo.push(remote, &tip, &branch, &lease)?
                {
                    return Ok(Err(Trouble::failed(format!(
                        "the push was refused: {reason}"
                    ))));
                }
                let base = project
                    .repo
                    .head()?
                    .branch
                    .unwrap_or_else(|| "main".to_owned());
                let new = NewPullRequest {
                    base: &base,
                    head: &branch,
                    title: &title,
                    body: &body,
                };
                Ok(Ok(requests.create(&new)?))
            })
            .await??;
        self.facts.pr = Some(url.clone());
        self.record().await?;
        Err(Trouble::PullRequest { url })
    }
}

impl Project {
    /// Removes a checkout that was made only to test something.
    pub(crate) async fn drop_checkout(
        &self,
        row: scheduling::WorktreeRow,
    ) -> Result<(), CrewError> {
        let path = PathBuf::from(&row.path);
        self.git(move |project| {
            project
                .repo
                .worktree_remove(&path, &callboard_worktree::Keep::Nothing)?;
            Ok(())
        })
        .await?;
        self.store
            .write(move |c| scheduling::worktree_forget(c, &row.attempt))
            .await?;
        Ok(())
    }
}

fn conflicted(paths: &[PathBuf], text: &str) -> Trouble {
    let paths: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let plain: String = text
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .take(8_000)
        .collect();
    Trouble::Conflict {
        error: format!("merge conflict in {}\n\n{plain}", paths.join(", ")),
    }
}

/// The roadmap of a merged tree with the item done, as an edit of that file.
fn mark_done(
    project: &Project,
    merged: &MergedTree,
    item: &ItemKey,
    deliverables: &[String],
) -> Result<Result<Edit, Trouble>, CrewError> {
    done_edit(project, &merged.tree, item, deliverables)
}

fn done_edit(
    project: &Project,
    tree: &Oid,
    item: &ItemKey,
    deliverables: &[String],
) -> Result<Result<Edit, Trouble>, CrewError> {
    let person = |why: String| Ok(Err(Trouble::Person { why }));
    let Some(mut bytes) = project.repo.file_at(tree, &project.roadmap)? else {
        return person(format!(
            "{} is gone from the integration branch; the work is on its branch",
            project.roadmap.display()
        ));
    };
    // A box that is not there (any more) is the agent's slip, not a reason to refuse its work.
    for wish in deliverables {
        // The roadmap knows boxes by their text without markup; agents copy the line as it is written.
        let plain = wish.replace(['`', '*'], "");
        if let Ok(edited) = callboard_roadmap::set_deliverable(&bytes, item, &plain, true) {
            bytes = edited.bytes;
        }
    }
    bytes = match callboard_roadmap::set_status(&bytes, item, Status::Done) {
        Ok(edited) => edited.bytes,
        Err(error @ EditError::Document(_)) => return Ok(Err(Trouble::failed(error.to_string()))),
        Err(error) => return person(format!("{error}; the work is on its branch")),
    };
    Ok(Ok(Edit::new(&project.roadmap, settle_parents(bytes, item))))
}

/// A container whose parts are all settled is done with its last part.
fn settle_parents(mut bytes: Vec<u8>, item: &ItemKey) -> Vec<u8> {
    for _ in 0..10 {
        let Ok(roadmap) = callboard_roadmap::parse(&bytes) else {
            return bytes;
        };
        let above = ancestors(&roadmap, item);
        let Some(parent) = roadmap
            .finished_parents()
            .into_iter()
            .find(|parent| above.contains(&parent.key))
        else {
            return bytes;
        };
        match callboard_roadmap::set_status(&bytes, &parent.key, Status::Done) {
            Ok(edited) if edited.changed => bytes = edited.bytes,
            _ => return bytes,
        }
    }
    bytes
}

fn ancestors(roadmap: &callboard_roadmap::Roadmap, item: &ItemKey) -> Vec<ItemKey> {
    let mut above = Vec::new();
    let mut at = roadmap.item(item).and_then(|item| item.parent.clone());
    while let Some(key) = at {
        at = roadmap.item(&key).and_then(|item| item.parent.clone());
        above.push(key);
    }
    above
}
