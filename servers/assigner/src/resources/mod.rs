//! What can be read: the board, a task, a task's log.

pub(crate) mod board;
mod task;
mod task_log;

pub use board::Board;
pub use task::Task;
pub use task_log::TaskLog;
