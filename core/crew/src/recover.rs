//! Putting in order what an earlier process left: processes, attempts, merges, worktrees.
//!
//! Every step can be repeated: a crash in the middle of recovery is mended by the next recovery.

use crate::error::CrewError;
use crate::project::Project;
use crate::upkeep;
use callboard_console::ProcessId;
use callboard_scheduling::{self as scheduling, Attempt, Outcome, State, Task};
use callboard_store::actor;
use callboard_worktree::Oid;
use callboard_worktree::pr::{PullRequestState, PullRequests};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long git processes that outlived their parent may take to end by themselves.
const GIT_PATIENCE: Duration = Duration::from_secs(10);
/// How long ended processes may take to disappear.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

impl Project {
    /// Recovers; answers what was found, in words.
    pub(crate) async fn recover(&self) -> Result<Vec<String>, CrewError> {
        let mut found = Vec::new();
        found.extend(self.end_leftovers().await?);
        found.extend(self.bury_the_dead().await?);
        found.extend(self.recognise_merges().await?);
        found.extend(self.ask_about_pull_requests().await?);
        found.extend(self.remove_idle_worktrees().await?);
        Ok(found)
    }

    /// Processes of attempts that nobody leads any more, and git processes that are still writing.
    async fn end_leftovers(&self) -> Result<Vec<String>, CrewError> {
        let open = self.store.read(|c| scheduling::attempts_open(c)).await?;
        let led: Vec<String> = open
            .iter()
            .filter(|attempt| attempt.process().is_some_and(upkeep::is_alive))
            .map(|attempt| attempt.id.clone())
            .collect();
        let (store, key) = (self.store.clone(), self.key.clone());
        let worktrees = self.board.join("worktrees");
        actor::spawn_blocking(move || {
            let mut found = Vec::new();
            let ended = end_unled(&store, &worktrees, &led);
            if ended > 0 {
                found.push(format!(
                    "ended {ended} processes of attempts whose leader had died"
                ));
            }
            wait_for_git(&key);
            found
        })
        .await
        .map_err(|error| CrewError::Internal(error.to_string()))
    }

    async fn bury_the_dead(&self) -> Result<Vec<String>, CrewError> {
        let processes = self.store.read(|c| scheduling::processes_open(c)).await?;
        let dead: Vec<_> = processes
            .into_iter()
            .filter(|process| !upkeep::is_alive(*process))
            .collect();
        let tasks = upkeep::bury(&self.store, self.now(), dead).await?;
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![format!(
            "{} interrupted attempts go back to the queue",
            tasks.len()
        )])
    }

    /// An attempt may have died between moving the branch and saying so: its merge is recorded, and the
    /// branch contains it, so its item is done.
    async fn recognise_merges(&self) -> Result<Vec<String>, CrewError> {
        let Some(head) = self.git(|project| project.integration_head()).await? else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for task in self.tasks().await? {
            if matches!(
                task.state,
                State::Done | State::Running | State::Cancelled | State::Dead
            ) {
                continue;
            }
            let Some(attempt) = self.last_attempt(&task).await? else {
                continue;
            };
            let Some(merge) = attempt
                .facts
                .merge
                .as_deref()
                .and_then(|merge| Oid::parse(merge).ok())
            else {
                continue;
            };
            if attempt.outcome != Outcome::Interrupted || !self.contains(&head, merge).await? {
                continue;
            }
            let now = self.now();
            let (id, attempt) = (task.id.clone(), attempt.id.clone());
            self.store
                .write(move |c| scheduling::task_resolve(c, now, &id, Some(&attempt)))
                .await?;
            found.push(format!("{:?} had been merged already", task.title));
        }
        Ok(found)
    }

    async fn contains(&self, head: &Oid, commit: Oid) -> Result<bool, CrewError> {
        let head = head.clone();
        self.git(move |project| {
            // A commit object that a crash kept from being written is not on the branch.
            Ok(project.repo.resolve(commit.as_str())?.is_some()
                && project.repo.is_ancestor(&commit, &head)?)
        })
        .await
    }

    async fn last_attempt(&self, task: &Task) -> Result<Option<Attempt>, CrewError> {
        let id = task.id.clone();
        Ok(self
            .store
            .read(move |c| scheduling::attempts_of(c, &id))
            .await?
            .pop())
    }

    /// Parked items whose pull request was merged meanwhile are done.
    async fn ask_about_pull_requests(&self) -> Result<Vec<String>, CrewError> {
        let Some(remote) = self.integration.remote.clone() else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for task in self.tasks().await? {
            if task.state != State::Parked {
                continue;
            }
            let Some(attempt) = self.last_attempt(&task).await? else {
                continue;
            };
            let Some(url) = attempt.facts.pr.clone() else {
                continue;
            };
            let remote = remote.clone();
            let state = self
                .git(
                    move |project| match PullRequests::detect(&project.repo, &remote) {
                        Ok(requests) => Ok(Some(requests.state(&url)?)),
                        Err(_) => Ok(None),
                    },
                )
                .await?;
            if let Some(PullRequestState::Merged { .. }) = state {
                let (now, id) = (self.now(), task.id.clone());
                self.store
                    .write(move |c| scheduling::task_resolve(c, now, &id, None))
                    .await?;
                found.push(format!("the pull request of {:?} was merged", task.title));
            }
        }
        Ok(found)
    }

    async fn remove_idle_worktrees(&self) -> Result<Vec<String>, CrewError> {
        let repo = self.root.to_string_lossy().into_owned();
        let rows = self
            .store
            .read(move |c| scheduling::worktrees_idle(c, &repo))
            .await?;
        let mut found = Vec::new();
        for row in rows {
            if row.branch.is_none() {
                self.drop_checkout(row).await?;
                continue;
            }
            let path = row.path.clone();
            let kept = self.remove_worktree(row).await?;
            found.push(match kept {
                Some(kept) => format!("removed the worktree {path}; its work is kept as {kept}"),
                None => format!("removed the worktree {path}; it held nothing unmerged"),
            });
        }
        let directory = self.board.join("worktrees");
        self.git(move |project| Ok(project.repo.worktree_sweep(&directory)?))
            .await?;
        Ok(found)
    }
}

/// Ends every process of this board's attempts that no live process leads: what carries the attempt's mark,
/// and what dropped it but still stands in the attempt's worktree.
fn end_unled(store: &callboard_store::Store, worktrees: &Path, led: &[String]) -> usize {
    let known = |attempt: &str| {
        store
            .read_now(|c| scheduling::attempt_get(c, attempt))
            .is_ok()
    };
    let marked = callboard_console::processes_with_env("CALLBOARD_ATTEMPT", None);
    let marked = marked
        .into_iter()
        .filter(|(_, attempt)| !led.contains(attempt) && known(attempt));
    let real = worktrees
        .canonicalize()
        .unwrap_or_else(|_| worktrees.to_path_buf());
    let standing = callboard_console::processes_within(&real);
    let standing = standing.into_iter().filter(|(process, at)| {
        let name = at
            .strip_prefix(&real)
            .ok()
            .and_then(|inside| inside.iter().next());
        let name = name
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let attempt = name.strip_suffix("-merge").unwrap_or(&name);
        // A person may be looking around in there; what an attempt started has no terminal.
        !led.iter().any(|led| led == attempt)
            && known(attempt)
            && !callboard_console::has_terminal(*process)
    });
    let ours: Vec<ProcessId> = marked
        .map(|(process, _)| process)
        .chain(standing.map(|(process, _)| process))
        .collect();
    if ours.is_empty() {
        return 0;
    }
    let left = callboard_console::end_processes(&ours, KILL_PATIENCE);
    if !left.is_empty() {
        tracing::warn!(
            count = left.len(),
            "processes of ended attempts could not be ended"
        );
    }
    ours.len()
}

/// Git is let finish: ended in the middle it would leave locks behind.
fn wait_for_git(tag: &str) {
    let deadline = Instant::now() + GIT_PATIENCE;
    loop {
        let mut running = callboard_console::processes_with_env("CALLBOARD_GIT", Some(tag));
        running.retain(|(process, _)| is_git(process.pid));
        if running.is_empty() {
            return;
        }
        if Instant::now() >= deadline {
            let ids: Vec<ProcessId> = running.into_iter().map(|process| process.0).collect();
            callboard_console::end_processes(&ids, KILL_PATIENCE);
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Git may have started daemons that are the user's (an agent for keys, a master connection): only git
/// itself is waited for.
fn is_git(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm"))
        .is_ok_and(|name| name.trim_end().starts_with("git"))
}
