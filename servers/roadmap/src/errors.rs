//! The one place where errors of the core become what a caller is told.
//!
//! For: a kind, a message and what to do next for each. Not for: words of a single tool.

use callboard_config::{ConfigError, Untrusted};
use callboard_crew::CrewError;
use callboard_mcp::{ErrorKind, ToolError, clip};
use callboard_roadmap::{EditError, RoadmapError};
use callboard_scheduling::SchedulingError;
use callboard_worktree::GitError;

pub(crate) fn crew(error: CrewError) -> ToolError {
    match error {
        CrewError::Config(error) => config(error),
        CrewError::Git(error) => git(&error),
        CrewError::Roadmap(error) => roadmap(&error),
        CrewError::Scheduling(error) => scheduling(&error),
        CrewError::Refused { message, hint } => ToolError::conflict(message).hint(hint),
        CrewError::Environment(error) => ToolError::new(ErrorKind::NeedsPerson, error.to_string())
            .hint(
                "correct the agent's pass_env in the configuration (`callboard doctor` shows it)",
            ),
        CrewError::Vault(error) => ToolError::new(ErrorKind::NeedsPerson, error.to_string())
            .hint("only the user can do that; `callboard vault status` tells how the vault stands"),
        CrewError::Internal(message) => ToolError::internal(message).hint(BUG),
        CrewError::Open(error) => board(&error),
        other @ (CrewError::Console(_) | CrewError::File { .. }) => {
            ToolError::unavailable(other.to_string()).hint("mend that, then call again")
        }
    }
}

/// How long a message may be.
const MESSAGE_CHARS: usize = 2_000;
const BUG: &str = "this is a bug; nothing that was merged is lost, and calling again is safe";

pub(crate) fn config(error: ConfigError) -> ToolError {
    match error {
        ConfigError::Untrusted(untrusted) => self::untrusted(&untrusted),
        ConfigError::UnknownAgent { message, .. } => ToolError::invalid(message)
            .hint("name an agent of the user's configuration, or leave agent out"),
        other => ToolError::new(ErrorKind::NeedsPerson, other.to_string())
            .hint("correct the configuration there; `callboard doctor` shows what is in effect"),
    }
}

/// A project's own file that asks for more than the user has allowed.
pub(crate) fn untrusted(untrusted: &Untrusted) -> ToolError {
    let said = untrusted.to_string();
    let (message, hint) = said
        .rsplit_once('\n')
        .unwrap_or((&said, "Run `callboard trust`."));
    ToolError::new(ErrorKind::NeedsPerson, message)
        .hint(format!("{hint} Only the user can do that."))
}

pub(crate) fn git(error: &GitError) -> ToolError {
    let kind = match error {
        GitError::NotARepository { .. }
        | GitError::Bare { .. }
        | GitError::Unborn { .. }
        | GitError::Invalid { .. } => ErrorKind::InvalidInput,
        GitError::Moved { .. }
        | GitError::PathTaken { .. }
        | GitError::BranchTaken { .. }
        | GitError::Busy { .. } => ErrorKind::Conflict,
        _ => ErrorKind::Unavailable,
    };
    let told = ToolError::new(kind, error.to_string());
    match error.hint() {
        Some(hint) => told.hint(hint),
        None => told.hint("`callboard doctor` tells what is missing"),
    }
}

pub(crate) fn roadmap(error: &RoadmapError) -> ToolError {
    let (kind, hint) = match error {
        RoadmapError::Missing { .. } => (
            ErrorKind::NotFound,
            "the prompt plan_roadmap writes one; run.roadmap in callboard.toml names another",
        ),
        RoadmapError::TooLarge { .. } => (ErrorKind::Limit, "move what is done to another file"),
        RoadmapError::NotUtf8 { .. } => (ErrorKind::InvalidInput, "save the file as UTF-8"),
        RoadmapError::OutsideRoot { .. } | RoadmapError::NotAFile { .. } => (
            ErrorKind::InvalidInput,
            "name a regular file inside the repository, relative to its root",
        ),
        RoadmapError::Unreadable { .. } => (ErrorKind::Unavailable, "check the file's permissions"),
    };
    ToolError::new(kind, error.to_string()).hint(hint)
}

pub(crate) fn edit(error: &EditError) -> ToolError {
    let (kind, hint) = match error {
        EditError::Document(error) => return roadmap(error),
        EditError::Vanished { .. } => (
            ErrorKind::NotFound,
            "roadmap_read lists the items with their keys",
        ),
        EditError::NoDeliverable { .. } => (
            ErrorKind::NotFound,
            "roadmap_read with this item lists its deliverables with their numbers",
        ),
        EditError::AmbiguousDeliverable { .. } => {
            (ErrorKind::InvalidInput, "name it by its number")
        }
        EditError::NoMark { .. } => (
            ErrorKind::Conflict,
            "there is no mark to change; add a status line or a check-box by hand",
        ),
        EditError::Unsafe { .. } => (
            ErrorKind::Conflict,
            "nothing was changed; edit that line by hand",
        ),
    };
    // An item may have many deliverables to choose from.
    ToolError::new(kind, clip(&error.to_string(), MESSAGE_CHARS).into_owned()).hint(hint)
}

pub(crate) fn scheduling(error: &SchedulingError) -> ToolError {
    let kind = match error {
        SchedulingError::Store(_) => ErrorKind::Unavailable,
        SchedulingError::NotFound { .. } => ErrorKind::NotFound,
        SchedulingError::Invalid { .. } => ErrorKind::InvalidInput,
        SchedulingError::Cycle { .. }
        | SchedulingError::Illegal { .. }
        | SchedulingError::Held { .. } => ErrorKind::Conflict,
        SchedulingError::Stale { .. } => ErrorKind::StaleLease,
    };
    let told = ToolError::new(kind, error.to_string());
    match error.hint() {
        Some(hint) => told.hint(hint),
        None => told.hint("nothing was changed; correct that and call again"),
    }
}

/// The board can't be opened: another version, no permission, a full disk.
pub(crate) fn board(error: &callboard_store::OpenError) -> ToolError {
    ToolError::unavailable(error.to_string())
        .hint("`callboard doctor` tells where the board is and what is wrong with it")
}

/// A task of the runtime that did not come back.
pub(crate) fn lost(error: &tokio::task::JoinError) -> ToolError {
    ToolError::internal(error.to_string()).hint(BUG)
}
