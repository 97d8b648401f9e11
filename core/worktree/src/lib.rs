//! For: git as the crew needs it: worktrees, commits, merges without a checkout, refs, pushes, pull requests.
//! Writes go through the git program (hooks, signing and filters are the user's), reads partly through libgit2.
//! Not for: deciding what to merge or when, running agents, or touching the user's own checkout.

mod checkout;
mod create;
mod error;
mod history;
mod made;
mod merge;
mod message;
mod name;
mod oid;
pub mod pr;
mod process;
mod program;
mod refs;
mod remote;
mod repo;
mod rescue;
mod tree;
mod work;

pub use checkout::{Checkout, Keep, Removed, Rescued};
pub use create::create_with_origin;
pub use error::{Failure, GitError};
pub use history::{Commit, Lineage};
pub use merge::{Conflict, Edit, Merge, MergeCommit, MergeTree, MergedTree};
pub use message::{Message, Person};
pub use name::{branch_name, check_branch, check_ref};
pub use oid::Oid;
pub use program::{Environment, Git};
pub use remote::{Lease, PushOutcome, Rejection, Remote};
pub use repo::{Head, Repo};
pub use work::{Change, ChangeKind, DiffStat, Worktree};
