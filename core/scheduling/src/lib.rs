//! What happens next: tasks, attempts, leases, and the duties that one process at a time holds.
//!
//! For: deciding, in pure functions over a transaction with the time passed in. Not for: reading a
//! clock, starting a process, touching git or the network, or knowing what MCP is. Functions are named
//! resource first, then verb; each is one step that a caller runs in one transaction.

mod add;
mod attempt;
mod claim;
mod control;
mod deps;
mod duty;
mod error;
mod model;
mod query;
mod rank;
mod schema;
mod task;
mod trace;

pub use add::{BulkTask, MAX_BULK, Posted, task_add, task_add_many};
pub use attempt::{
    Attempt, Ended, Facts, WorktreeRow, attempt_amend, attempt_get, attempt_record, attempts_ended,
    attempts_of, attempts_open, process_gone, processes_open, worktree_forget, worktree_intend,
    worktrees_idle,
};
pub use claim::{
    Claim, DEFAULT_LEASE_MS, Failure, Lease, MAX_LEASE_MS, Process, backoff, lease_extend,
    task_claim, task_claim_one, task_fail, task_finish, task_interrupt, task_park, task_release,
    task_resolve,
};
pub use control::{Change, Shelf, task_cancel, task_delay, task_rerun, task_shelve, task_update};
pub use deps::{task_depend, task_links, task_waits_for};
pub use duty::{Duty, Swept, duty_drop, duty_get, duty_take, sweep, sweep_due};
pub use error::SchedulingError;
pub use model::{Event, Outcome, State, next};
pub use query::{
    Filter, MAX_PAGE, Page, Ready, StateCount, board_counts, queue_has_work, queue_next,
    queue_ready, reason_of, span, task_by_key, task_get, task_list, task_reason,
};
pub use rank::{MAX_PRIORITY, STEP_MS, rank};
pub use schema::MIGRATIONS;
pub use task::{
    CREWS_QUEUE, DEFAULT_BACKOFF_MS, DEFAULT_PRIORITY, DEFAULT_QUEUE, DEFAULT_RETRIES,
    MAX_BACKOFF_MS, MAX_INTERRUPTIONS, NewTask, Task, is_crews_queue,
};
