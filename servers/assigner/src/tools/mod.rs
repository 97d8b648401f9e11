//! The tools: one file a verb, with its parameters, words, effect, handler, view and tests.

mod post;
mod task_add;
mod task_add_many;
mod task_claim;
mod task_control;
mod task_fail;
mod task_finish;
mod task_get;
mod task_heartbeat;
mod task_list;
mod task_release;
mod task_update;
mod task_wait;

pub use task_add::TaskAdd;
pub use task_add_many::TaskAddMany;
pub use task_claim::TaskClaim;
pub use task_control::TaskControl;
pub use task_fail::TaskFail;
pub use task_finish::TaskFinish;
pub use task_get::TaskGet;
pub(crate) use task_get::whole as whole_task;
pub use task_heartbeat::TaskHeartbeat;
pub use task_list::TaskList;
pub use task_release::TaskRelease;
pub use task_update::TaskUpdate;
pub use task_wait::TaskWait;
