//! Drives agents and works claimed tasks and roadmaps to their end.
//!
//! For: the loop from an open item to a merged branch, its recovery after a crash, and the background
//! duties of a board. Not for: deciding what a task may become (scheduling), parsing a roadmap
//! (roadmap), running git or processes itself (worktree, console), or knowing what MCP is.

mod agent;
mod brief;
mod checks;
mod child;
mod crew;
mod decide;
mod error;
mod events;
mod integration;
mod keys;
mod land;
mod learn;
mod passphrase;
mod posting;
mod project;
mod recover;
mod report;
mod secrets;
mod spans;
pub mod stand_in;
mod tabulate;
pub mod upkeep;
mod voice;
mod work;

pub use agent::{Agent, AgentReport, CommitWish, STAND_IN_ARGUMENT, agent_of, play_if_asked};
pub use checks::{Counted, TestCommand, count_tests, test_command};
pub use crew::{Crew, Loaded};
pub use decide::OpenChoice;
pub use error::CrewError;
pub use events::{Event, HELD, Step};
pub use keys::{GatewayKeys, IssuedKey, KeyFor};
pub use learn::{Learning, learn_secrets};
pub use passphrase::{PASSPHRASE_WITHIN, passphrase};
pub use posting::{Planned, PostedItem, ROADMAP_KIND, plan};
pub use project::{Again, Setup, project_key, queue_of};
pub use report::{AttemptReport, ItemOutcome, ItemReport, Report};
pub use secrets::{LookUp, OpenVault, look_up, names_of, users_vault};
pub use spans::{Sending, send_spans};
