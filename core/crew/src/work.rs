//! One attempt at one item: worktree, agent, tests, commit, push, merge. Each step's intent is on the
//! board before the step's effect, under the fence of the attempt's lease.

use crate::agent::AgentReport;
use crate::brief::{self, Brief};
use crate::checks::{self, TestCommand};
use crate::child::{Ended, Job, complaint, tail};
use crate::error::CrewError;
use crate::events::{Event, Step};
use crate::keys::{self, AttemptKey};
use crate::project::Project;
use crate::secrets;
use crate::voice::Voice;
use callboard_roadmap::ItemKey;
use callboard_scheduling::{
    self as scheduling, Attempt, Facts, Failure, Lease, Outcome, SchedulingError, Task, WorktreeRow,
};
use callboard_worktree::{GitError, Keep, Message, Oid, PushOutcome, Worktree};
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How much of a failing command's output goes into the error that the next attempt is told.
const TAIL: usize = 4_000;

/// Why an attempt does not end with a merged item.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It failed and may be tried again.
    Failed {
        outcome: Outcome,
        failure: Failure,
        error: String,
    },
    /// Its result does not fit onto the integration branch as it is now.
    Conflict { error: String },
    /// A person has to decide.
    Person { why: String },
    /// A pull request waits.
    PullRequest { url: String },
    /// Work was stopped.
    Stopped,
    /// The lease is gone: whatever was done must not be used.
    Lost { why: String },
}

impl From<CrewError> for Trouble {
    fn from(error: CrewError) -> Self {
        match error {
            CrewError::Scheduling(SchedulingError::Stale { why, .. }) => Trouble::Lost { why },
            other => Trouble::failed(other.advice()),
        }
    }
}

impl From<SchedulingError> for Trouble {
    fn from(error: SchedulingError) -> Self {
        CrewError::from(error).into()
    }
}

impl Trouble {
    pub(crate) fn failed(error: impl Into<String>) -> Self {
        Trouble::Failed {
            outcome: Outcome::Failed,
            failure: Failure::Retry,
            error: error.into(),
        }
    }
}

/// An attempt at work.
pub(crate) struct Working {
    pub(crate) project: Project,
    pub(crate) voice: Voice,
    pub(crate) task: Task,
    pub(crate) attempt: String,
    pub(crate) lease: Lease,
    pub(crate) item: ItemKey,
    pub(crate) facts: Facts,
    pub(crate) earlier: Vec<Attempt>,
    pub(crate) stop: CancellationToken,
    /// The agent's key for models, held until nothing of the attempt is written any more.
    pub(crate) key: Option<AttemptKey>,
}

/// What the verified work on a branch is, ready to be merged.
pub(crate) struct Verified {
    pub(crate) commit: Oid,
    pub(crate) base: Oid,
    pub(crate) message: Message,
    pub(crate) report: AgentReport,
    pub(crate) tests: TestCommand,
}

impl Working {
    /// Works the item to its merge, or says why not.
    pub(crate) async fn work(&mut self) -> Result<(), Trouble> {
        let base = self.make_worktree().await?;
        let before = self.test_command();
        let report = self.run_agent(&base).await?;
        self.stage(&base).await?;
        let tests = self.run_tests(before.as_ref()).await?;
        let verified = self.commit(base, report, tests).await?;
        self.push(&verified).await?;
        match self.pull_requests().await? {
            Some(requests) => self.open_pull_request(requests, &verified).await,
            None => self.land(verified).await,
        }
    }

    /// Puts the step on the board, then says it. A stale lease ends the attempt here, before the effect.
    pub(crate) async fn begin(
        &mut self,
        step: Step,
        detail: Option<String>,
    ) -> Result<(), Trouble> {
        if self.stop.is_cancelled() {
            return Err(Trouble::Stopped);
        }
        self.facts.step = Some(step.as_str().to_owned());
        self.record().await?;
        self.voice.say(Event::Step {
            item: self.item.to_string(),
            attempt: self.attempt.clone(),
            step,
            detail,
        });
        Ok(())
    }

    pub(crate) async fn record(&self) -> Result<(), Trouble> {
        let (now, lease, facts) = (self.project.now(), self.lease.clone(), self.facts.clone());
        self.project
            .store
            .write(move |c| scheduling::attempt_record(c, now, &lease, &facts))
            .await?;
        Ok(())
    }

    async fn make_worktree(&mut self) -> Result<Oid, Trouble> {
        let base = self
            .project
            .git(|project| project.integration_tip())
            .await?;
        let branch = callboard_worktree::branch_name(&self.attempt, &self.task.title);
        let path = self.project.worktree_path(&self.attempt);
        self.facts.branch = Some(branch.clone());
        self.facts.base = Some(base.to_string());
        self.facts.log = Some(
            self.project
                .log_path(&self.attempt)
                .to_string_lossy()
                .into_owned(),
        );
        self.begin(Step::Worktree, Some(branch.clone())).await?;
        let row = WorktreeRow {
            attempt: self.attempt.clone(),
            repo: self.project.root.to_string_lossy().into_owned(),
            path: path.to_string_lossy().into_owned(),
            branch: Some(branch.clone()),
            base: base.to_string(),
        };
        let now = self.project.now();
        // A crash from here on leaves a row; recovery removes whatever is at its path.
        self.project
            .store
            .write(move |c| scheduling::worktree_intend(c, now, &row))
            .await?;
        let from = base.clone();
        self.project
            .git(move |project| Ok(project.repo.worktree_add(&path, &branch, &from)?))
            .await?;
        Ok(base)
    }

    async fn run_agent(&mut self, base: &Oid) -> Result<AgentReport, Trouble> {
        let desk = self.project.desk_path(&self.attempt);
        let (prompt_file, report_file) = (desk.join("prompt.md"), desk.join("report.json"));
        let prompt = self.brief(base, &report_file).await?;
        let own_env = secrets::variables(&self.project)
            .await
            .map_err(|error| Trouble::Person {
                why: format!("the agent was not started: {}", error.advice()),
            })?;
        let timeout = self.project.agent.timeout;
        let timeout = timeout.unwrap_or(self.project.config.run.task_timeout.value);
        self.begin(Step::Agent, Some(self.project.agent.name.clone()))
            .await?;
        write_file(&desk, &prompt_file, prompt.as_bytes())?;
        let log = self.project.log_path(&self.attempt);
        let own_env = self.with_key(own_env, timeout).await?;
        let ended = self
            .project
            .run_child(
                Job {
                    argv: &self.project.agent.argv,
                    cwd: &self.project.worktree_path(&self.attempt),
                    log: log.clone(),
                    stdin: Some(prompt.into_bytes()),
                    timeout,
                    pass_env: &self.project.agent.pass_env,
                    own_env,
                    task_env: &self.task.env,
                    marks: self.marks(&prompt_file, &report_file),
                },
                &self.stop,
            )
            .await;
        if let Some(key) = &self.key {
            key.end(&self.project).await;
        }
        let ending = match ended? {
            Ended::Stopped => return Err(Trouble::Stopped),
            Ended::Itself(ending) => ending,
        };
        if let Some(complaint) =
            complaint(&ending, &format!("the agent {}", self.project.agent.name))
        {
            let outcome = match ending.outcome {
                callboard_console::Outcome::TimedOut => Outcome::TimedOut,
                _ => Outcome::Failed,
            };
            let error = with_tail(&complaint, &tail(&log, TAIL));
            return Err(Trouble::Failed {
                outcome,
                failure: Failure::Retry,
                error,
            });
        }
        let report = AgentReport::read(&report_file).map_err(Trouble::failed)?;
        match &report.needs_person {
            Some(why) => Err(Trouble::Person {
                why: format!("the agent says: {why}"),
            }),
            None => Ok(report),
        }
    }

    /// The agent's variables, with those that send it to the gateway if it is to go there.
    async fn with_key(
        &mut self,
        own_env: Vec<(String, String)>,
        timeout: Duration,
    ) -> Result<Vec<(String, String)>, Trouble> {
        let issued = keys::of_attempt(&self.project, &self.task, &self.attempt, timeout).await;
        self.key = issued.map_err(|error| Trouble::Person {
            why: format!("the agent was not started: {}", error.advice()),
        })?;
        Ok(match &self.key {
            Some(key) => key.told(own_env),
            None => own_env,
        })
    }

    async fn brief(&self, base: &Oid, report_file: &Path) -> Result<String, Trouble> {
        let (base, item) = (base.clone(), self.item.clone());
        let worktree = self.project.worktree_path(&self.attempt);
        let (text, tests) = self
            .project
            .git(move |project| {
                let (roadmap, _) = project.roadmap_at(&base)?;
                let open = roadmap
                    .status_of(&item)
                    .is_some_and(|status| !status.is_settled());
                let text = open.then(|| roadmap.text_of(&item).unwrap_or_default().to_owned());
                let tests =
                    checks::test_command(project.config.tests.command.value.as_deref(), &worktree);
                Ok((text, tests))
            })
            .await?;
        let Some(text) = text else {
            return Err(Trouble::Person {
                why: format!(
                    "the item {} is not open in {} any more",
                    self.item,
                    self.project.roadmap.display()
                ),
            });
        };
        let tests = tests.map(|tests| tests.argv.join(" "));
        Ok(Brief {
            title: &self.task.title,
            roadmap: &self.project.roadmap.to_string_lossy(),
            text: &text,
            tests: tests.as_deref(),
            report_file: &report_file.to_string_lossy(),
            earlier: &self.earlier,
        }
        .write())
    }

    /// What every process of the attempt carries: it tells an agent its place, and a recovering process
    /// whose it is.
    fn marks(&self, prompt_file: &Path, report_file: &Path) -> Vec<(String, String)> {
        let worktree = self.project.worktree_path(&self.attempt);
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let tried = self
            .earlier
            .iter()
            .filter(|attempt| brief::counts(attempt.outcome))
            .count();
        let mut marks = vec![
            ("CALLBOARD_TASK", self.task.id.clone()),
            ("CALLBOARD_ATTEMPT", self.attempt.clone()),
            (
                "CALLBOARD_WORKER",
                self.task.worker.clone().unwrap_or_default(),
            ),
            ("CALLBOARD_TRY", (tried + 1).to_string()),
            ("CALLBOARD_ITEM", self.item.to_string()),
            ("CALLBOARD_WORKTREE", text(&worktree)),
            ("CALLBOARD_PROMPT_FILE", text(prompt_file)),
            ("CALLBOARD_REPORT_FILE", text(report_file)),
        ];
        if self.conflicts() > 0 {
            marks.push(("CALLBOARD_CONFLICT", "1".to_owned()));
        }
        marks
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// How often this task's results did not merge.
    pub(crate) fn conflicts(&self) -> usize {
        self.earlier
            .iter()
            .filter(|attempt| attempt.outcome == Outcome::Conflict)
            .count()
    }

    fn test_command(&self) -> Option<TestCommand> {
        let configured = self.project.config.tests.command.value.as_deref();
        checks::test_command(configured, &self.project.worktree_path(&self.attempt))
    }

    async fn run_tests(&mut self, before: Option<&TestCommand>) -> Result<TestCommand, Trouble> {
        let Some(command) = self.test_command() else {
            return Err(no_tests(before));
        };
        let worktree = self.project.worktree_path(&self.attempt);
        self.begin(Step::Tests, Some(command.argv.join(" ")))
            .await?;
        let said = self.test(&command, &worktree, "tests").await?;
        self.facts.tests = Some(said);
        Ok(command)
    }

    /// Runs the tests in a directory; answers what they said in a line.
    pub(crate) async fn test(
        &self,
        command: &TestCommand,
        cwd: &Path,
        name: &str,
    ) -> Result<String, Trouble> {
        let log = self.project.log_path(&format!("{}.{name}", self.attempt));
        let mark = ("CALLBOARD_ATTEMPT".to_owned(), self.attempt.clone());
        let ended = self
            .project
            .run_child(
                Job {
                    argv: &command.argv,
                    cwd,
                    log: log.clone(),
                    stdin: None,
                    timeout: self.project.config.tests.timeout.value,
                    pass_env: &[],
                    own_env: Vec::new(),
                    task_env: &self.task.env,
                    marks: vec![mark],
                },
                &self.stop,
            )
            .await?;
        let Ended::Itself(ending) = ended else {
            return Err(Trouble::Stopped);
        };
        let output = tail(&log, 64 * 1024);
        let counted = checks::count_tests(&output);
        if let Some(complaint) = complaint(&ending, &format!("`{}`", command.argv.join(" "))) {
            let many = match counted {
                Some(counted) if counted.failed > 0 => {
                    format!(
                        "{} of {} tests failed",
                        counted.failed,
                        counted.failed + counted.passed
                    )
                }
                _ => "the tests failed".to_owned(),
            };
            let said = format!("{many}: {complaint}");
            return Err(Trouble::failed(with_tail(&said, &tail(&log, TAIL))));
        }
        match counted {
            Some(counted) if counted.passed == 0 => Err(Trouble::failed(with_tail(
                &format!("`{}` succeeded but ran no test", command.argv.join(" ")),
                &tail(&log, TAIL),
            ))),
            Some(counted) => Ok(format!("{} passed", counted.passed)),
            None => Ok("passed (exit code 0)".to_owned()),
        }
    }

    /// Takes what the agent made, before the tests run: what those leave behind is no part of the work. The
    /// roadmap goes back to what it was.
    async fn stage(&mut self, base: &Oid) -> Result<(), Trouble> {
        let attempt = self.attempt.clone();
        let (path, from) = (self.project.worktree_path(&self.attempt), base.clone());
        let branch = self.facts.branch.clone().unwrap_or_default();
        self.project
            .git(move |project| {
                let worktree = project.repo.worktree_open(&path, &from)?;
                on_branch(&worktree, &branch)?;
                worktree.stage_all(std::slice::from_ref(&project.roadmap))?;
                secrets::check_work(&worktree, &from, &attempt)
            })
            .await?;
        Ok(())
    }

    async fn commit(
        &mut self,
        base: Oid,
        report: AgentReport,
        tests: TestCommand,
    ) -> Result<Verified, Trouble> {
        self.begin(Step::Commit, None).await?;
        let message = self.message(&report);
        let (path, from, commit_message) = (
            self.project.worktree_path(&self.attempt),
            base.clone(),
            message.clone(),
        );
        let branch = self.facts.branch.clone().unwrap_or_default();
        let (commit, commits, diff) = self
            .project
            .git(move |project| {
                let worktree = project.repo.worktree_open(&path, &from)?;
                on_branch(&worktree, &branch)?;
                worktree.commit_staged(&commit_message)?;
                measured(&worktree, &from)
            })
            .await?;
        if commits == 0 || diff.0 == 0 {
            return Err(Trouble::failed(
                "the agent ended with success but changed nothing",
            ));
        }
        self.facts.commit = Some(commit.to_string());
        self.facts.commits = Some(commits);
        self.facts.diff = Some(diff);
        self.facts.summary = report
            .summary
            .as_deref()
            .map(|summary| summary.chars().take(500).collect());
        self.record().await?;
        Ok(Verified {
            commit,
            base,
            message,
            report,
            tests,
        })
    }

    fn message(&self, report: &AgentReport) -> Message {
        let wish = &report.commit;
        let subject = wish.subject.clone().unwrap_or_else(|| self.bare_title());
        let mut message = match &wish.kind {
            Some(kind) => Message::new(kind, wish.scope.as_deref(), &subject),
            None => {
                let guessed = Message::from_title(&subject);
                Message::new(guessed.kind(), wish.scope.as_deref(), &subject)
            }
        };
        if let Some(summary) = &report.summary {
            message = message.with_body(summary);
        }
        message
            .with_trailer("Callboard-Item", self.item.as_str())
            .with_trailer("Callboard-Task", &self.task.id)
            .with_trailer("Callboard-Attempt", &self.attempt)
    }

    /// The title without its label: "PRIORITY 3: Add totals" makes a poor subject.
    fn bare_title(&self) -> String {
        match self.task.title.split_once(": ") {
            Some((label, rest))
                if label.chars().any(|c| c.is_ascii_digit()) && label.len() < 30 =>
            {
                rest.to_owned()
            }
            _ => self.task.title.clone(),
        }
    }

    async fn push(&mut self, verified: &Verified) -> Result<(), Trouble> {
        let Some(remote) = self.project.integration.remote.clone() else {
            return Ok(());
        };
        let branch = self.facts.branch.clone().unwrap_or_default();
        self.begin(Step::Push, Some(format!("{}/{branch}", remote.name)))
            .await?;
        let commit = verified.commit.clone();
        let pushed = self
            .project
            .git(move |project| {
                // The branch is this attempt's own: at the remote it is either missing or ours.
                let pushed = project.repo.push(
                    &remote.name,
                    &commit,
                    &branch,
                    &callboard_worktree::Lease::FastForward,
                )?;
                let there = project.repo.remote_branch(&remote.name, &branch)?;
                Ok((pushed, there.as_ref() == Some(&commit)))
            })
            .await?;
        match pushed {
            (PushOutcome::Rejected { reason, .. }, _) => {
                Err(Trouble::failed(format!("the push was refused: {reason}")))
            }
            (_, false) => Err(Trouble::failed(
                "the push was accepted, but the branch is not there",
            )),
            (_, true) => {
                self.facts.pushed = Some(true);
                self.record().await
            }
        }
    }

    /// Removes the worktree. Work that is not on the integration branch is kept under a ref.
    pub(crate) async fn clean_up(&mut self) -> Result<(), CrewError> {
        let row = WorktreeRow {
            attempt: self.attempt.clone(),
            repo: self.project.root.to_string_lossy().into_owned(),
            path: self
                .project
                .worktree_path(&self.attempt)
                .to_string_lossy()
                .into_owned(),
            branch: self.facts.branch.clone(),
            base: self.facts.base.clone().unwrap_or_default(),
        };
        let kept = self.project.remove_worktree(row).await?;
        self.facts.kept = kept.or(self.facts.kept.take());
        Ok(())
    }
}

impl Project {
    /// Whether an attempt's work is merged, or pushed as a pull request: then its worktree holds nothing
    /// besides but what the tests left.
    async fn is_delivered(&self, attempt: &str) -> Result<bool, CrewError> {
        let id = attempt.to_owned();
        let attempt = self
            .store
            .read(move |c| scheduling::attempt_get(c, &id))
            .await?;
        Ok(attempt.outcome == Outcome::Done || attempt.facts.pr.is_some())
    }

    /// Removes a worktree, its branch where that is safe, and its row. Answers the ref that keeps its work.
    /// Doing it again is harmless: a crash after any step is mended by the next call.
    pub(crate) async fn remove_worktree(
        &self,
        row: WorktreeRow,
    ) -> Result<Option<String>, CrewError> {
        let attempt = row.attempt.clone();
        let delivered = self.is_delivered(&attempt).await?;
        let kept = self
            .git(move |project| {
                let head = project.integration_head()?;
                let safe = match head {
                    Some(head) => Some(head),
                    None => Oid::parse(&row.base).ok(),
                };
                let keep = if delivered {
                    Keep::Nothing
                } else {
                    Keep::Rescue {
                        reference: format!("refs/callboard/kept/{}", row.attempt),
                        merged_into: safe.clone(),
                    }
                };
                let removed = project.repo.worktree_remove(Path::new(&row.path), &keep)?;
                if let Some(branch) = &row.branch {
                    drop_branch(
                        project,
                        branch,
                        safe.as_ref(),
                        removed.rescued.as_ref().map(|r| &r.commit),
                    )?;
                }
                Ok(removed.rescued.map(|rescued| rescued.reference))
            })
            .await?;
        // Before the row goes: without it nobody would come back for them.
        let desk = self.desk_path(&attempt);
        if let Err(error) = std::fs::remove_dir_all(&desk)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %desk.display(), %error, "an attempt's files could not be removed");
        }
        let (id, reference, now) = (attempt.clone(), kept.clone(), self.now());
        self.store
            .write(move |c| {
                if let Some(reference) = &reference {
                    scheduling::attempt_amend(c, now, &id, |facts| {
                        facts.kept = Some(reference.clone())
                    })?;
                }
                scheduling::worktree_forget(c, &id)
            })
            .await?;
        Ok(kept)
    }
}

/// Deletes an attempt's branch where its commits are on the integration branch or under a kept ref.
fn drop_branch(
    project: &Project,
    branch: &str,
    safe: Option<&Oid>,
    kept: Option<&Oid>,
) -> Result<(), CrewError> {
    for within in [safe, kept].into_iter().flatten() {
        if project.repo.branch(branch)?.is_none()
            || project.repo.branch_delete_if_contained(branch, within)?
        {
            return Ok(());
        }
    }
    Ok(())
}

/// Only an agent that has taken the tests away is worth another try.
fn no_tests(before: Option<&TestCommand>) -> Trouble {
    match before {
        Some(command) => Trouble::failed(format!(
            "the project's tests are gone: `{}` ran them before; leave them where they are",
            command.argv.join(" ")
        )),
        None => Trouble::Failed {
            outcome: Outcome::Failed,
            failure: Failure::Final,
            error: "no tests were found, so nothing can be verified: set tests.command in the configuration, \
                    or add tests that cargo, npm, go, pytest, unittest or make run"
                .to_owned(),
        },
    }
}

/// An agent that has switched branches would have its work committed where nobody looks for it.
fn on_branch(worktree: &Worktree, expected: &str) -> Result<(), CrewError> {
    match worktree.branch() {
        Some(branch) if branch == expected => Ok(()),
        found => Err(GitError::WrongBranch {
            path: worktree.path().to_path_buf(),
            expected: expected.to_owned(),
            found: found.map_or_else(|| "detached".to_owned(), |name| format!("on {name}")),
        }
        .into()),
    }
}

/// The head of a worktree's branch, how many commits it has, and the files, lines added and removed.
type Measured = (Oid, u32, (u32, u32, u32));

/// What an agent's work amounts to.
fn measured(worktree: &Worktree, base: &Oid) -> Result<Measured, CrewError> {
    let head = worktree.head()?;
    let commits = worktree.commits(base)?.len();
    let stat = worktree.diff_stat(base)?;
    let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    Ok((
        head,
        u32::try_from(commits).unwrap_or(u32::MAX),
        (
            small(stat.files),
            small(stat.insertions),
            small(stat.deletions),
        ),
    ))
}

fn with_tail(what: &str, tail: &str) -> String {
    let plain: String = tail
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect();
    if plain.is_empty() {
        what.to_owned()
    } else {
        format!("{what}\n\n{plain}")
    }
}

fn write_file(dir: &Path, path: &Path, bytes: &[u8]) -> Result<(), CrewError> {
    use std::io::Write as _;
    let write = || {
        std::fs::create_dir_all(dir)?;
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|error: std::io::Error| CrewError::file(path, error))
}
