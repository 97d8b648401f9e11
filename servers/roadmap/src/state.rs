//! What the tools of one server process share: settings, open boards, and the runs of this process.
//!
//! For: finding or opening these once. Not for: anything that must hold across processes; that is on the board.

use crate::desk::{Desk, Run};
use crate::errors;
use crate::place::{Place, blocking};
use callboard_config::{Config, Environment};
use callboard_crew::{Again, Agent, Crew, Setup, upkeep};
use callboard_mcp::ToolError;
use callboard_roadmap::ItemKey;
use callboard_scheduling::{self as scheduling, Duty, SchedulingError};
use callboard_store::{Clock, Ids, Store, SystemClock, actor};
use callboard_telemetry::audit::audit_add;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What runs have to end by themselves when the connection has ended; after that their process ends, and their
/// supervisors end what they lead.
const CLOSING: Duration = Duration::from_millis(700);

/// The state of a roadmap server.
pub struct Roadmaps {
    pub(crate) environment: Environment,
    pub(crate) config: Config,
    program: PathBuf,
    clock: Arc<dyn Clock>,
    ids: Ids,
    boards: tokio::sync::Mutex<HashMap<PathBuf, Store>>,
    desks: Mutex<HashMap<String, Arc<Desk>>>,
    closing: CancellationToken,
}

impl Roadmaps {
    /// A server's state. Nothing is opened yet.
    ///
    /// `config` is what holds without a project; each call loads its project's own. `program` is started again
    /// for each child, as supervisor and as stand-in: one that begins with
    /// [`callboard_console::supervise_if_asked`] and [`callboard_crew::play_if_asked`].
    #[must_use]
    pub fn new(environment: Environment, config: Config, program: PathBuf) -> Self {
        Roadmaps {
            environment,
            config,
            program,
            clock: Arc::new(SystemClock),
            ids: Ids::system(),
            boards: tokio::sync::Mutex::default(),
            desks: Mutex::default(),
            closing: CancellationToken::new(),
        }
    }

    /// Stops every run and waits a moment for them to end.
    pub async fn close(&self) {
        let runs = self.runs();
        runs.iter().for_each(|run| run.stop());
        let ends = async {
            for run in &runs {
                run.ended_within(CLOSING).await;
            }
        };
        let _ = tokio::time::timeout(CLOSING, ends).await;
        self.closing.cancel();
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    pub(crate) fn next_run_id(&self) -> String {
        self.ids.next("r_", self.clock.now_ms())
    }

    /// The project's place in this process.
    pub(crate) fn desk(&self, place: &Place) -> Arc<Desk> {
        let mut desks = self.desks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(desks.entry(place.key.clone()).or_default())
    }

    fn runs(&self) -> Vec<Arc<Run>> {
        let desks = self.desks.lock().unwrap_or_else(PoisonError::into_inner);
        desks.values().filter_map(|desk| desk.last()).collect()
    }

    /// A run of this process by its id.
    pub(crate) fn run(&self, id: &str) -> Result<Arc<Run>, ToolError> {
        self.runs()
            .into_iter()
            .find(|run| run.id == id)
            .ok_or_else(|| {
                ToolError::not_found(format!("this server process has no run {id}"))
                    .hint("a run ends with the server process that started it; give path instead")
            })
    }

    /// Whether the project has a board at all; looking must not make one.
    pub(crate) fn has_board(place: &Place) -> bool {
        place.config.board.value.join("board.db").exists()
    }

    /// The project's board, opened once.
    pub(crate) async fn board(&self, place: &Place) -> Result<Store, ToolError> {
        self.board_in(place.config.board.value.clone()).await
    }

    /// The board in a directory, opened once.
    pub(crate) async fn board_in(&self, directory: PathBuf) -> Result<Store, ToolError> {
        let mut boards = self.boards.lock().await;
        if let Some(store) = boards.get(&directory) {
            return Ok(store.clone());
        }
        let at = directory.clone();
        let store =
            blocking(move || callboard_board::open(&at).map_err(|error| errors::board(&error)))
                .await?;
        actor::spawn(upkeep::run(
            store.clone(),
            Arc::clone(&self.clock),
            self.closing.clone(),
        ));
        boards.insert(directory, store.clone());
        Ok(store)
    }

    /// A row in the audit of the project's board, for what is not itself a write to it. `detail` is scrubbed.
    pub(crate) async fn write_down(
        &self,
        place: &Place,
        verb: &'static str,
        subject: &str,
        detail: &[(&'static str, String)],
    ) -> Result<(), ToolError> {
        let (now, subject, detail) = (self.clock.now_ms(), subject.to_owned(), detail.to_vec());
        let store = self.board(place).await?;
        let written = store.write(move |c| {
            let detail: Vec<_> = detail
                .iter()
                .map(|(name, text)| (*name, text.as_str().into()))
                .collect();
            audit_add(c, now, verb, &subject, &detail)
        });
        written
            .await
            .map_err(|error| errors::scheduling(&SchedulingError::from(error)))
    }

    /// The project's crew. Nothing begins yet.
    pub(crate) async fn crew(
        &self,
        place: &Place,
        agent: Agent,
        again: Again,
        chosen: Vec<ItemKey>,
    ) -> Result<Crew, ToolError> {
        let setup = Setup {
            path: place.root.clone(),
            environment: self.environment.clone(),
            config: place.config.clone(),
            agent,
            supervisor: self.program.clone(),
            store: self.board(place).await?,
            vault: callboard_crew::users_vault(
                &self.environment,
                &place.config,
                Arc::clone(&self.clock),
                None,
            ),
            keys: Some(crate::keys::GATEWAY_KEYS),
            clock: Arc::clone(&self.clock),
            ids: self.ids.clone(),
            again,
            chosen,
        };
        blocking(move || Crew::open(setup).map_err(errors::crew)).await
    }

    /// A crew that is only asked, so that it does not matter which agent it would have.
    pub(crate) async fn onlooker(&self, place: &Place) -> Result<Crew, ToolError> {
        self.crew(
            place,
            Agent::stand_in(&self.program),
            Again::Leave,
            Vec::new(),
        )
        .await
    }

    /// The process, other than this one, that is at work on the project.
    pub(crate) async fn elsewhere(&self, place: &Place) -> Result<Option<u32>, ToolError> {
        if !Self::has_board(place) {
            return Ok(None);
        }
        let name = format!("crew:{}", place.key);
        let now = self.clock.now_ms();
        let duty = self
            .board(place)
            .await?
            .read(move |c| scheduling::duty_get(c, &name))
            .await;
        let duty = duty.map_err(|error| errors::scheduling(&error))?;
        Ok(duty
            .filter(|duty| is_held_by_another(duty, now))
            .map(|duty| duty.process.pid))
    }
}

fn is_held_by_another(duty: &Duty, now: i64) -> bool {
    duty.until >= now && duty.process != upkeep::this_process() && upkeep::is_alive(duty.process)
}

/// What a caller is told who wants to begin what another process is at.
pub(crate) fn busy_elsewhere(place: &Place, pid: u32) -> ToolError {
    ToolError::conflict(format!(
        "process {pid} is already at work on {}",
        place.root.display()
    ))
    .hint("roadmap_wait and roadmap_status follow it; to stop it, interrupt that process")
}
