//! One repository as the crew works it: its board, its configuration, its branch of results.

use crate::agent::Agent;
use crate::error::CrewError;
use crate::keys::GatewayKeys;
use crate::secrets::OpenVault;
use callboard_config::{Config, Environment};
use callboard_roadmap::ItemKey;
use callboard_store::{Clock, Ids, Store, actor};
use callboard_worktree::{Remote, Repo};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is needed to work a repository.
pub struct Setup {
    /// A path inside the repository.
    pub path: PathBuf,
    /// The process's environment, read once.
    pub environment: Environment,
    /// The configuration, loaded for this repository.
    pub config: Config,
    /// Who does the work.
    pub agent: Agent,
    /// The program that runs [`callboard_console::supervise_if_asked`].
    pub supervisor: PathBuf,
    /// The open board.
    pub store: Store,
    /// Opens the user's vault.
    pub vault: OpenVault,
    /// How keys for models are issued to attempts of agents that are to have them.
    pub keys: Option<GatewayKeys>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of ids.
    pub ids: Ids,
    /// What to do with items that ended without success in an earlier run.
    pub again: Again,
    /// Options that a person has chosen; see [`Crew::choices`](crate::Crew::choices).
    pub chosen: Vec<ItemKey>,
}

/// What to do with items that failed or were left for a person in an earlier run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Leave them as they are.
    Leave,
    /// Try them again, with all their retries.
    Retry,
}

/// A repository, its board and its settings; cheap to clone.
#[derive(Clone)]
pub(crate) struct Project(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) repo: Repo,
    pub(crate) root: PathBuf,
    pub(crate) key: String,
    pub(crate) environment: Environment,
    pub(crate) config: Config,
    pub(crate) agent: Agent,
    pub(crate) supervisor: PathBuf,
    pub(crate) store: Store,
    pub(crate) vault: OpenVault,
    pub(crate) keys: Option<GatewayKeys>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Ids,
    pub(crate) again: Again,
    pub(crate) chosen: Vec<ItemKey>,
    pub(crate) board: PathBuf,
    pub(crate) roadmap: PathBuf,
    pub(crate) integration: Integration,
    /// Held while a result is merged: one at a time.
    pub(crate) merging: Arc<tokio::sync::Mutex<()>>,
}

/// The branch that results are merged into.
#[derive(Debug, Clone)]
pub(crate) struct Integration {
    /// Its name, here and at the remote.
    pub(crate) branch: String,
    /// The ref of ours that holds the results. The branch follows it, unless somebody has it checked out.
    pub(crate) reference: String,
    /// Where it is pushed.
    pub(crate) remote: Option<Remote>,
}

impl std::ops::Deref for Project {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Project {
    pub(crate) fn open(setup: Setup) -> Result<Project, CrewError> {
        let repo = discover(&setup.path)?;
        let root = repo.root().to_path_buf();
        check_program(&setup.agent.argv, &setup.environment)?;
        let board = setup.config.board.value.clone();
        let integration = Integration::of(&repo, &setup.config)?;
        Ok(Project(Arc::new(Inner {
            key: project_key(&root),
            roadmap: setup.config.run.roadmap.value.clone(),
            integration,
            merging: Arc::new(tokio::sync::Mutex::new(())),
            repo,
            root,
            board,
            environment: setup.environment,
            config: setup.config,
            agent: setup.agent,
            supervisor: setup.supervisor,
            store: setup.store,
            vault: setup.vault,
            keys: setup.keys,
            clock: setup.clock,
            ids: setup.ids,
            again: setup.again,
            chosen: setup.chosen,
        })))
    }

    /// The queue that only this project's crew claims from.
    pub(crate) fn queue(&self) -> String {
        queue_of(&self.root)
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Runs git on a blocking thread.
    pub(crate) async fn git<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Project) -> Result<T, CrewError> + Send + 'static,
    ) -> Result<T, CrewError> {
        let project = self.clone();
        actor::spawn_blocking(move || work(&project))
            .await
            .map_err(|error| CrewError::Internal(error.to_string()))?
    }

    pub(crate) fn worktree_path(&self, attempt: &str) -> PathBuf {
        self.board.join("worktrees").join(attempt)
    }

    pub(crate) fn log_path(&self, attempt: &str) -> PathBuf {
        self.board.join("logs").join(format!("{attempt}.log"))
    }

    pub(crate) fn desk_path(&self, attempt: &str) -> PathBuf {
        self.board.join("attempts").join(attempt)
    }
}

/// A slip in the agent's name is told once, before anything is posted, and not by every attempt.
fn check_program(argv: &[String], environment: &Environment) -> Result<(), CrewError> {
    let program = argv.first().map_or("", String::as_str);
    let found = if program.contains('/') {
        Path::new(program).is_file()
    } else {
        environment.which(program).is_some()
    };
    if found {
        return Ok(());
    }
    Err(CrewError::refused(
        format!("the agent's program {program:?} was not found"),
        "check its name, install it, or give its path; only programs on your PATH are found by name",
    ))
}

/// The repository at `path`, with our mark on the git processes we start for it.
pub(crate) fn discover(path: &Path) -> Result<Repo, CrewError> {
    let first = Repo::discover(path, "callboard")?;
    Ok(Repo::discover(path, &project_key(first.root()))?)
}

/// The queue of a repository's roadmap tasks.
#[must_use]
pub fn queue_of(root: &Path) -> String {
    format!("{}{}", callboard_scheduling::CREWS_QUEUE, project_key(root))
}

/// A short name for a repository that is the same in every process: its directory's name and a hash of
/// its whole path.
#[must_use]
pub fn project_key(root: &Path) -> String {
    let name: String = root
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(40)
        .collect();
    format!("{name}-{:08x}", fnv1a(root.to_string_lossy().as_bytes()))
}

/// FNV-1a, 64 bits folded to 32: stable across versions and machines, which std's hasher is not.
fn fnv1a(bytes: &[u8]) -> u32 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    u32::try_from((hash >> 32) ^ (hash & 0xffff_ffff)).unwrap_or(0)
}

impl Integration {
    fn of(repo: &Repo, config: &Config) -> Result<Integration, CrewError> {
        let branch = config.run.integration_branch.value.clone();
        callboard_worktree::check_branch(&branch)?;
        let remote = repo.origin()?;
        let reference = format!("refs/callboard/onto/{branch}");
        if remote.is_none()
            && let Some(path) = repo.checked_out_at(&branch)?
        {
            return Err(CrewError::refused(
                format!("the branch {branch} is checked out in {}", path.display()),
                "switch that checkout to another branch (git switch), or leave out --onto: results then \
                 go to callboard/integration",
            ));
        }
        Ok(Integration {
            branch,
            reference,
            remote,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_differ_by_path_and_are_plain() {
        let a = project_key(Path::new("/home/me/My Project"));
        let b = project_key(Path::new("/srv/My Project"));
        assert_ne!(a, b);
        assert!(a.starts_with("my-project-"), "{a}");
        assert_eq!(a, project_key(Path::new("/home/me/My Project")));
    }
}
