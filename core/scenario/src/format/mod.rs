//! What a scenario file may say. The JSON Schema of the format is derived from these types.
//!
//! For: the shape, with the words that editors show. Not for: what happens when it is run.

mod capture;
mod expect;
mod located;
mod server;
mod step;
mod words;

pub use capture::{Capture, CaptureFrom};
pub use expect::{Check, Count, ErrorExpect, Expect, PathCheck, Took};
pub use located::At;
pub use server::{
    Answers, ClientSpec, ElicitationAnswer, Process, Protocol, Ready, Roots, SamplingAnswer,
    Server, StdoutRule, Transport,
};
pub use step::{Await, HttpRaw, ListKind, Raw, Step};
pub(crate) use words::turns;
pub use words::{Amount, Command, OneOrMany, Time};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A scenario: servers, and what to do with them, step by step.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// The name in reports; the file's name unless given.
    pub name: Option<String>,
    /// What it tells, for a reader.
    pub description: Option<String>,
    /// Words that `--filter` finds besides the name and the path.
    pub tags: Vec<String>,
    /// Programs that must be found in PATH, or the scenario fails at once and says so.
    pub requires: Vec<String>,
    /// How long each step may take unless it says otherwise: 30s.
    pub timeout: Option<Time>,
    /// How long the whole scenario may take: 5m.
    pub limit: Option<Time>,
    /// Environment of everything that is started, besides PATH, HOME and the temporary directories.
    pub env: BTreeMap<String, String>,
    /// Names of variables of the caller's environment that what is started gets as well.
    pub inherit: Vec<String>,
    /// Values to begin with, used as `${name}`.
    pub vars: Map<String, Value>,
    /// Programs that run beside the steps without speaking MCP on their own pipes, as a server on HTTP does.
    pub processes: BTreeMap<String, Process>,
    /// The servers by name. Each is started when the first step uses it.
    pub servers: BTreeMap<String, Server>,
    /// Steps before the steps; when one fails the scenario has failed.
    pub setup: Vec<At<Step>>,
    /// The steps, in order.
    pub steps: Vec<At<Step>>,
    /// Steps that always run at the end, each of them even if another fails.
    pub cleanup: Vec<At<Step>>,
    /// The secrets that its servers name, with where they do.
    #[serde(skip)]
    pub secrets: Vec<At<String>>,
}
