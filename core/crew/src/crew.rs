//! The loop that works a roadmap: several attempts at once, one merge at a time, until nothing is left
//! that could be done without a person.

use crate::decide::OpenChoice;
use crate::error::CrewError;
use crate::events::{Event, HELD};
use crate::keys;
use crate::posting::{PostedItem, item_of};
use crate::project::{Project, Setup};
use crate::report::Report;
use crate::secrets;
use crate::tabulate::report;
use crate::upkeep;
use crate::voice::Voice;
use crate::work::{Trouble, Working};
use callboard_models::Dispatched;
use callboard_roadmap::NotUnderstood;
use callboard_scheduling::{
    self as scheduling, Claim, Facts, Lease, Outcome, SchedulingError, State, Task,
};
use callboard_store::actor::{self, Actor};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// How long an attempt's lease holds without a heartbeat of ours.
const LEASE_MS: i64 = 60_000;
/// How often the lease is extended.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long the right to work a project holds without an extension.
const DUTY_MS: i64 = 30_000;
/// How often that right is extended.
const DUTY_TICK: Duration = Duration::from_secs(10);
/// How long a worker without work waits before it looks again, if nothing changes on the board.
const IDLE: Duration = Duration::from_millis(500);

/// A project and its workers.
#[derive(Clone)]
pub struct Crew {
    project: Project,
    voice: Voice,
}

/// What a roadmap asks for, before any of it is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// Its open items, with their tasks where they were posted.
    pub items: Vec<PostedItem>,
    /// Lines that look like a part of the plan and were not understood.
    pub not_understood: Vec<NotUnderstood>,
    /// What a person should know.
    pub notes: Vec<String>,
}

impl Crew {
    /// Opens a repository for work. Nothing is changed yet.
    ///
    /// # Errors
    /// When the path is no repository, or the integration branch can't be moved.
    pub fn open(setup: Setup) -> Result<Crew, CrewError> {
        Ok(Crew {
            project: Project::open(setup)?,
            voice: Voice::new(),
        })
    }

    /// What happens, from now on. A listener that is too slow misses the oldest events.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.voice.listen()
    }

    /// The queue in which the roadmap's tasks are.
    #[must_use]
    pub fn queue(&self) -> String {
        self.project.queue()
    }

    /// The repository's root.
    #[must_use]
    pub fn root(&self) -> &std::path::Path {
        &self.project.root
    }

    /// The choices of the committed roadmap that nobody has made: what they offer is left for a person until
    /// [`Setup::chosen`] names an option or the document does.
    ///
    /// # Errors
    /// When the roadmap can't be read.
    pub fn choices(&self) -> BoxFuture<'_, Result<Vec<OpenChoice>, CrewError>> {
        Box::pin(async move { self.project.git(Project::open_choices).await })
    }

    /// Posts a task for each open item and puts in order what an earlier process left. Only one process
    /// at a time may do this for a project.
    ///
    /// # Errors
    /// [`SchedulingError::Held`] while another process works the project; whatever keeps the roadmap from
    /// being read.
    pub fn load(&self) -> BoxFuture<'_, Result<Loaded, CrewError>> {
        Box::pin(async move {
            let duty = self.take_duty().await?;
            let loaded = self.load_held().await;
            self.drop_duty(&duty).await;
            loaded
        })
    }

    /// Works the roadmap until nothing is left that could be done without a person, or until `stop`.
    ///
    /// # Errors
    /// As [`Crew::load`]; the board failing.
    pub fn run(&self, stop: CancellationToken) -> BoxFuture<'_, Result<Report, CrewError>> {
        Box::pin(async move {
            let duty = self.take_duty().await?;
            let ended = self.run_held(&stop, &duty).await;
            self.drop_duty(&duty).await;
            let report = ended?;
            self.voice.say(Event::Finished {
                report: report.clone(),
            });
            Ok(report)
        })
    }

    /// The table as the board has it now.
    ///
    /// # Errors
    /// When the board or the roadmap can't be read.
    pub fn report(&self) -> BoxFuture<'_, Result<Report, CrewError>> {
        Box::pin(async move { report(&self.project, &[], Vec::new()).await })
    }

    async fn load_held(&self) -> Result<Loaded, CrewError> {
        self.make_directories()?;
        let found = self.project.recover().await?;
        if !found.is_empty() {
            self.voice.say(Event::Recovered { found });
        }
        let (roadmap, mut notes) = self
            .project
            .git(|project| {
                let (mut head, mut notes) = project.prepare_integration()?;
                let decided = project.decide(head.clone(), &project.chosen)?;
                if decided != head {
                    notes.extend(project.publish(&decided)?);
                    head = project.integration_head()?.unwrap_or(decided);
                }
                Ok((project.roadmap_at(&head)?.0, notes))
            })
            .await?;
        notes.extend(self.uncommitted().await?);
        notes.extend(unread(&roadmap.not_understood));
        for note in &notes {
            self.voice.note(note.clone());
        }
        let items = self.project.post(&roadmap).await?;
        Ok(Loaded {
            items,
            not_understood: roadmap.not_understood,
            notes,
        })
    }

    /// Branches are made from commits: what is only in the user's files is not seen.
    async fn uncommitted(&self) -> Result<Option<String>, CrewError> {
        self.project
            .git(|project| {
                let dirty = project.repo.dirty_paths(1000)?;
                Ok(dirty.contains(&project.roadmap).then(|| {
                    format!(
                        "{} has changes that are not committed: they are not seen; commit them and run again",
                        project.roadmap.display()
                    )
                }))
            })
            .await
    }

    fn make_directories(&self) -> Result<(), CrewError> {
        for name in ["logs", "worktrees", "attempts"] {
            let path = self.project.board.join(name);
            std::fs::create_dir_all(&path).map_err(|error| CrewError::file(path, error))?;
        }
        Ok(())
    }

    async fn run_held(&self, stop: &CancellationToken, duty: &str) -> Result<Report, CrewError> {
        secrets::check(&self.project).await?;
        keys::check(&self.project).await?;
        let loaded = self.load_held().await?;
        let agents = self.project.config.run.agents.value;
        self.voice.say(Event::Started {
            project: self.project.root.to_string_lossy().into_owned(),
            board: self.project.board.to_string_lossy().into_owned(),
            agent: self.project.agent.name.clone(),
            agents,
            integration: self.project.integration.branch.clone(),
            items: loaded.items.len(),
        });
        // Ends the background work with this function, however it ends.
        let background = CancellationToken::new();
        let _ended = background.clone().drop_guard();
        let lost = stop.child_token();
        actor::spawn(
            self.clone()
                .keep_duty(duty.to_owned(), background.clone(), lost.clone()),
        );
        actor::spawn(upkeep::run(
            self.project.store.clone(),
            Arc::clone(&self.project.clock),
            background.clone(),
        ));
        let mut workers = tokio::task::JoinSet::new();
        for number in 1..=agents {
            // What a worker writes is written in the name of whoever had the crew work, for the agent it leads.
            let by = Actor::clone(&actor::current()).for_agent(&self.name_of(number));
            let work = self.clone().worker(number, lost.clone());
            workers.spawn(actor::scope(Arc::new(by), work));
        }
        let mut failed = None;
        while let Some(joined) = workers.join_next().await {
            let ended = joined.map_err(|error| CrewError::Internal(error.to_string()));
            if let Err(error) = ended.and_then(|ended| ended) {
                // The others end their attempts in order; what the failed one left is mended by recovery.
                lost.cancel();
                failed.get_or_insert(error);
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        if lost.is_cancelled() && !stop.is_cancelled() {
            return Err(CrewError::refused(
                "another process has taken over this project",
                "callboard run shows its progress when it has ended",
            ));
        }
        report(&self.project, &loaded.items, loaded.notes).await
    }

    /// One of the workers: claims and works until nothing is left.
    async fn worker(self, number: u32, stop: CancellationToken) -> Result<(), CrewError> {
        let mut changes = self.project.store.changes();
        let mut told: Option<String> = None;
        loop {
            if stop.is_cancelled() {
                return Ok(());
            }
            changes.mark_unchanged();
            match self.claim(number).await? {
                (Dispatched::Task(task), attempt) => {
                    told = None;
                    self.attempt(*task, attempt, &stop).await?;
                    continue;
                }
                (Dispatched::Stopped(stop), _) => {
                    // One of them tells it, and once for each reason.
                    if number == 1 && told.as_ref() != Some(&stop.why) {
                        let note = format!("{HELD}{}", stop.why);
                        self.voice.note(note);
                        told = Some(stop.why);
                    }
                }
                (Dispatched::Nothing, _) => {}
            }
            if self.nothing_left().await? {
                return Ok(());
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep(IDLE) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// What one of the agents works under.
    fn name_of(&self, number: u32) -> String {
        let name: String = self.project.agent.name.chars().take(60).collect();
        format!("{name}-{number}")
    }

    async fn claim(&self, number: u32) -> Result<(Dispatched, String), CrewError> {
        let now = self.project.now();
        let attempt = self.project.ids.next("a_", now);
        let claim = Claim {
            queue: self.project.queue(),
            worker: self.name_of(number),
            lease_ms: LEASE_MS,
            process: Some(upkeep::this_process()),
        };
        let id = attempt.clone();
        let claimed = self
            .project
            .store
            .write(move |c| callboard_models::dispatch(c, now, &id, &claim))
            .await?;
        Ok((claimed, attempt))
    }

    /// Nothing is ready, running or due later: what still waits, waits for a person.
    async fn nothing_left(&self) -> Result<bool, CrewError> {
        let queue = self.project.queue();
        Ok(!self
            .project
            .store
            .read(move |c| scheduling::queue_has_work(c, &queue))
            .await?)
    }

    async fn attempt(
        &self,
        task: Task,
        attempt: String,
        stop: &CancellationToken,
    ) -> Result<(), CrewError> {
        let lease = Lease {
            task: task.id.clone(),
            fence: task.fence,
        };
        let id = task.id.clone();
        let mut earlier = self
            .project
            .store
            .read(move |c| scheduling::attempts_of(c, &id))
            .await?;
        earlier.retain(|before| before.id != attempt);
        let item = item_of(&task);
        let ours = stop.child_token();
        let mut working = Working {
            project: self.project.clone(),
            voice: self.voice.clone(),
            item: item.clone().unwrap_or_else(|| "unknown".into()),
            attempt,
            lease: lease.clone(),
            facts: Facts::default(),
            earlier,
            stop: ours.clone(),
            task,
            key: None,
        };
        working.announce();
        if item.is_none() {
            let why = "the task names no roadmap item in its metadata".to_owned();
            return self
                .settle(&mut working, Trouble::Person { why }, stop)
                .await;
        }
        let heart = AbortOnDropHandle::new(actor::spawn(self.clone().heartbeat(lease, ours)));
        let worked = working.work().await;
        drop(heart);
        match worked {
            Ok(()) => {
                self.tidy(&mut working).await;
                Ok(())
            }
            Err(trouble) => self.settle(&mut working, trouble, stop).await,
        }
    }

    /// Extends the lease, and stops the attempt when it is gone: cancelled by a person, or taken over.
    async fn heartbeat(self, lease: Lease, attempt: CancellationToken) {
        let mut changes = self.project.store.changes();
        let mut extend = tokio::time::interval(HEARTBEAT);
        loop {
            tokio::select! {
                _ = extend.tick() => {
                    let (now, lease) = (self.project.now(), lease.clone());
                    let extended = self
                        .project
                        .store
                        .write(move |c| scheduling::lease_extend(c, now, &lease, LEASE_MS, None))
                        .await;
                    if matches!(extended, Err(SchedulingError::Stale { .. })) {
                        break;
                    }
                }
                _ = changes.changed() => {
                    if !self.still_ours(&lease) {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        attempt.cancel();
    }

    fn still_ours(&self, lease: &Lease) -> bool {
        match self
            .project
            .store
            .read_now(|c| scheduling::task_get(c, &lease.task))
        {
            Ok(task) => task.state == State::Running && task.fence == lease.fence,
            // A board that can't be read for a moment is no reason to give up.
            Err(_) => true,
        }
    }

    /// An attempt that did not end with a merge: its worktree goes, its work stays, the board is told.
    async fn settle(
        &self,
        working: &mut Working,
        trouble: Trouble,
        stop: &CancellationToken,
    ) -> Result<(), CrewError> {
        self.tidy(working).await;
        // An attempt that stopped although the run goes on has lost its lease.
        let trouble = match trouble {
            Trouble::Stopped if !stop.is_cancelled() => Trouble::Lost {
                why: "the task was cancelled or taken over".to_owned(),
            },
            other => other,
        };
        let conflicts = working.conflicts();
        let (now, lease) = (self.project.now(), working.lease.clone());
        let verdict = Verdict::of(&trouble, conflicts);
        let told = verdict.clone();
        let task = self
            .project
            .store
            .write(move |c| told.write(c, now, &lease))
            .await;
        match task {
            Ok(task) => working.tell(&verdict, task.as_ref()),
            Err(SchedulingError::Stale { why, .. }) => working.tell(&Verdict::lost(why), None),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Removes an attempt's worktree. What can't be removed now keeps its row, and the next run's recovery
    /// tries again.
    async fn tidy(&self, working: &mut Working) {
        if let Err(error) = working.clean_up().await {
            self.voice.note(format!(
                "the worktree of {} could not be removed: {error}",
                working.attempt
            ));
        }
    }

    async fn take_duty(&self) -> Result<String, CrewError> {
        let name = format!("crew:{}", self.project.key);
        let holder = {
            let name = name.clone();
            self.project
                .store
                .read(move |c| scheduling::duty_get(c, &name))
                .await?
        };
        let gone = holder
            .map(|duty| duty.process)
            .filter(|process| !upkeep::is_alive(*process));
        self.write_duty(name.clone(), gone)
            .await
            .map_err(|error| match error {
                SchedulingError::Held { pid, .. } => CrewError::refused(
                    format!(
                        "process {pid} is already at work on {}",
                        self.project.root.display()
                    ),
                    "let it finish, or stop it first; task_list shows what it does",
                ),
                other => other.into(),
            })?;
        Ok(name)
    }

    async fn write_duty(
        &self,
        name: String,
        gone: Option<scheduling::Process>,
    ) -> Result<scheduling::Duty, SchedulingError> {
        let (now, process) = (self.project.now(), upkeep::this_process());
        let note = self.project.root.to_string_lossy().into_owned();
        self.project
            .store
            .write(move |c| scheduling::duty_take(c, now, &name, process, DUTY_MS, &note, gone))
            .await
    }

    async fn keep_duty(self, name: String, end: CancellationToken, lost: CancellationToken) {
        loop {
            tokio::select! {
                () = end.cancelled() => return,
                () = tokio::time::sleep(DUTY_TICK) => {}
            }
            if let Err(SchedulingError::Held { .. }) = self.write_duty(name.clone(), None).await {
                lost.cancel();
                return;
            }
        }
    }

    async fn drop_duty(&self, name: &str) {
        let (name, process) = (name.to_owned(), upkeep::this_process());
        let dropped = self
            .project
            .store
            .write(move |c| scheduling::duty_drop(c, &name, process))
            .await;
        if let Err(error) = dropped {
            tracing::debug!(%error, "the right to work the project runs out by itself");
        }
    }
}

/// Lines of the roadmap that may matter and were not understood, the first of them.
fn unread(lines: &[NotUnderstood]) -> Vec<String> {
    const SHOWN: usize = 5;
    let mut notes: Vec<String> = lines
        .iter()
        .take(SHOWN)
        .map(|line| {
            format!(
                "line {} of the roadmap was not understood: {}: {}",
                line.line, line.text, line.reason
            )
        })
        .collect();
    if lines.len() > SHOWN {
        notes.push(format!(
            "{} more lines were not understood: roadmap_read lists them",
            lines.len() - SHOWN
        ));
    }
    notes
}

/// What the board is told about an attempt that did not merge.
#[derive(Debug, Clone)]
struct Verdict {
    outcome: Outcome,
    error: String,
    act: Act,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Fail(scheduling::Failure),
    Again,
    Park,
    Interrupt,
    Nothing,
}

impl Verdict {
    fn of(trouble: &Trouble, conflicts: usize) -> Verdict {
        let verdict = |outcome, error: &str, act| Verdict {
            outcome,
            error: error.to_owned(),
            act,
        };
        match trouble {
            Trouble::Failed {
                outcome,
                failure,
                error,
            } => verdict(*outcome, error, Act::Fail(*failure)),
            Trouble::Conflict { error } if conflicts == 0 => {
                verdict(Outcome::Conflict, error, Act::Again)
            }
            Trouble::Conflict { error } => verdict(
                Outcome::Conflict,
                &format!("it did not merge a second time; merge it by hand: {error}"),
                Act::Park,
            ),
            Trouble::Person { why } => verdict(Outcome::Parked, why, Act::Park),
            Trouble::PullRequest { url } => verdict(
                Outcome::Parked,
                &format!("the pull request {url} waits to be merged"),
                Act::Park,
            ),
            Trouble::Stopped => verdict(Outcome::Interrupted, "work was stopped", Act::Interrupt),
            Trouble::Lost { why } => Verdict::lost(why.clone()),
        }
    }

    fn lost(why: String) -> Verdict {
        Verdict {
            outcome: Outcome::Cancelled,
            error: why,
            act: Act::Nothing,
        }
    }

    fn write(
        &self,
        c: &mut dyn callboard_store::Conn,
        now: i64,
        lease: &Lease,
    ) -> Result<Option<Task>, SchedulingError> {
        let error = clip(&self.error);
        match self.act {
            Act::Fail(failure) => {
                scheduling::task_fail(c, now, lease, self.outcome, failure, &error).map(Some)
            }
            Act::Again => scheduling::task_release(c, now, lease, self.outcome, &error).map(Some),
            Act::Park => scheduling::task_park(c, now, lease, self.outcome, &error).map(Some),
            Act::Interrupt => scheduling::task_interrupt(c, now, lease, &error).map(Some),
            Act::Nothing => Ok(None),
        }
    }
}

fn clip(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .take(16_000)
        .collect()
}

impl Working {
    fn announce(&self) {
        self.voice.say(Event::Attempt {
            item: self.item.to_string(),
            title: self.task.title.clone(),
            task: self.task.id.clone(),
            attempt: self.attempt.clone(),
            number: self.task.attempts,
            after: self.earlier.last().map(|before| {
                let why = before
                    .error
                    .as_deref()
                    .unwrap_or("")
                    .lines()
                    .next()
                    .unwrap_or("")
                    .to_owned();
                format!("{}: {why}", before.outcome.as_str())
            }),
        });
    }

    fn tell(&self, verdict: &Verdict, task: Option<&Task>) {
        let next = match task.map(|task| task.state) {
            Some(State::Ready) => "tried again".to_owned(),
            Some(State::Scheduled) => "tried again after a pause".to_owned(),
            Some(State::Dead) => "out of retries".to_owned(),
            Some(State::Parked) => "left for a person".to_owned(),
            Some(state) => state.to_string(),
            None => "dropped".to_owned(),
        };
        if let Some(pr) = &self.facts.pr {
            self.voice.say(Event::Done {
                item: self.item.to_string(),
                attempt: self.attempt.clone(),
                merge: None,
                pr: Some(pr.clone()),
                tests: self.facts.tests.clone().unwrap_or_default(),
            });
            return;
        }
        self.voice.say(Event::Failed {
            item: self.item.to_string(),
            attempt: self.attempt.clone(),
            outcome: verdict.outcome.as_str().to_owned(),
            error: verdict.error.clone(),
            next,
        });
    }
}
