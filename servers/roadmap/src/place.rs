//! From the `path` of a call to a repository and its settings.
//!
//! For: the same rules for every tool: absolute paths, the client's project where none is named, what an
//! untrusted project may not set. Not for: the board or the crew.

use crate::errors;
use crate::state::Roadmaps;
use callboard_config::{Config, Environment, Overrides, Source, Untrusted};
use callboard_mcp::{Line, ToolError};
use callboard_store::actor;
use callboard_worktree::{GitError, Repo};
use std::path::{Path, PathBuf};

/// A path on this machine.
pub(crate) type PathText = Line<4096>;

/// A repository, and what is configured for it.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) repo: Repo,
    pub(crate) root: PathBuf,
    /// The same in every process: names the repository's run and its duty on the board.
    pub(crate) key: String,
    pub(crate) config: Config,
    /// What its own file sets and the user has not allowed; not in `config`.
    pub(crate) untrusted: Option<Untrusted>,
}

impl Place {
    /// Refuses a project whose own file sets what only the user may allow.
    pub(crate) fn trusted(self) -> Result<Place, ToolError> {
        match &self.untrusted {
            Some(untrusted) => Err(errors::untrusted(untrusted)),
            None => Ok(self),
        }
    }

    /// The roadmap's file, relative to the root: the one named in the call, else the configured one.
    pub(crate) fn document(&self, named: Option<&str>) -> PathBuf {
        named.map_or_else(|| self.config.run.roadmap.value.clone(), PathBuf::from)
    }

    /// What to type so that work goes on without a client.
    pub(crate) fn command(&self) -> String {
        let root = self.root.to_string_lossy();
        let quoted = shlex::try_quote(&root)
            .map_or_else(|_| format!("{root:?}"), std::borrow::Cow::into_owned);
        format!("callboard run {quoted}")
    }
}

impl Roadmaps {
    /// The repository that `path` is in, or the client's project.
    pub(crate) async fn place(&self, path: Option<&PathText>) -> Result<Place, ToolError> {
        self.place_with(path, Overrides::default()).await
    }

    /// As [`Roadmaps::place`], with what the call itself says about the run.
    pub(crate) async fn place_with(
        &self,
        path: Option<&PathText>,
        flags: Overrides,
    ) -> Result<Place, ToolError> {
        let named = path.map(|path| path.to_string());
        let environment = self.environment.clone();
        let flags = Overrides {
            board: self.board_flag(),
            ..flags
        };
        blocking(move || find(&environment, named.as_deref(), &flags)).await
    }

    /// A board named when the server was started holds for every project.
    fn board_flag(&self) -> Option<PathBuf> {
        let board = &self.config.board;
        matches!(board.source, Source::Flag { .. }).then(|| board.value.clone())
    }
}

fn find(
    environment: &Environment,
    named: Option<&str>,
    flags: &Overrides,
) -> Result<Place, ToolError> {
    let path = directory(environment, named)?;
    let repo =
        Repo::discover(&path, "callboard").map_err(|error| not_there(&error, named.is_some()))?;
    let root = repo.root().to_path_buf();
    let (config, untrusted) =
        Config::load_cautious(environment, Some(&root), flags).map_err(errors::config)?;
    Ok(Place {
        key: callboard_crew::project_key(&root),
        repo,
        root,
        config,
        untrusted,
    })
}

fn not_there(error: &GitError, named: bool) -> ToolError {
    let told = errors::git(error);
    if named {
        return told;
    }
    told.hint("no path was given and the client's directory is no repository: give path, the repository's absolute path")
}

/// Where the client works: what Claude Code says, else where the server was started.
fn client_directory(environment: &Environment) -> PathBuf {
    match environment.get("CLAUDE_PROJECT_DIR") {
        Some(directory) => environment.cwd().join(directory),
        None => environment.cwd().to_path_buf(),
    }
}

fn directory(environment: &Environment, named: Option<&str>) -> Result<PathBuf, ToolError> {
    let ours = client_directory(environment);
    let Some(named) = named else { return Ok(ours) };
    let path = Path::new(named);
    if !path.is_absolute() {
        return Err(relative(&ours, path));
    }
    if path.is_dir() {
        return Ok(path.to_path_buf());
    }
    if path.exists() {
        return Err(
            ToolError::invalid(format!("path: {named:?} is not a directory")).hint(
                "name the repository's directory; the file is run.roadmap of its configuration",
            ),
        );
    }
    Err(
        ToolError::not_found(format!("path: there is no directory {named:?}"))
            .hint("give the absolute path of a git repository on this machine"),
    )
}

/// A client and its servers need not share a working directory, so a relative path may mean another place.
fn relative(ours: &Path, path: &Path) -> ToolError {
    let meant = ours.join(path);
    let told = ToolError::invalid(format!("path: {path:?} is not an absolute path"));
    if meant.is_dir() {
        return told.hint(format!("if you mean {}, say so in full", meant.display()));
    }
    told.hint(format!(
        "give the repository's absolute path; leave path out for {}",
        ours.display()
    ))
}

/// Runs what waits for the disk or for git on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ToolError> + Send + 'static,
) -> Result<T, ToolError> {
    actor::spawn_blocking(work)
        .await
        .map_err(|error| errors::lost(&error))?
}
