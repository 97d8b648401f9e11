//! What a scenario starts and speaks to.

use super::{OneOrMany, Time};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A server: a command that speaks MCP on its standard input and output, or a URL.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// A server of Callboard's, run by the very program that runs the test: `assigner`, `roadmap`.
    pub callboard: Option<String>,
    /// The program of any other server.
    pub command: Option<String>,
    /// Arguments.
    pub args: Vec<String>,
    /// Environment besides the scenario's. `${vault:NAME}` stands for a secret of the vault.
    pub env: BTreeMap<String, String>,
    /// Where it is started; the scenario's working directory unless given.
    pub cwd: Option<String>,
    /// The endpoint, when it is served over HTTP.
    pub url: Option<String>,
    /// A process of this scenario that must be ready first.
    pub process: Option<String>,
    /// How a URL is spoken to; Streamable HTTP unless it says `sse`.
    pub transport: Option<Transport>,
    /// Headers of every request over HTTP. `${vault:NAME}` stands for a secret of the vault.
    pub headers: BTreeMap<String, String>,
    /// The revision to speak, and no other. Unless given it is 2025-11-25, or an older one if the server says so.
    /// 2026-07-28 is spoken without `initialize`; `auto` asks with `server/discover` and falls back; `none` says nothing
    /// by itself.
    pub protocol: Option<Protocol>,
    /// What the client says it is and can do, and what it answers.
    pub client: ClientSpec,
    /// How long it may take until it is ready: 30s.
    pub start_timeout: Option<Time>,
    /// What a line on its standard output that is no JSON means: `strict` (the scenario fails) unless given.
    pub stdout: StdoutRule,
}

/// A program beside the steps, ended as a whole tree with the scenario.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Process {
    /// A command of Callboard's, run by the very program that runs the test: `serve`.
    pub callboard: Option<String>,
    /// The program.
    pub command: Option<String>,
    /// Arguments.
    pub args: Vec<String>,
    /// Environment besides the scenario's.
    pub env: BTreeMap<String, String>,
    /// Where it is started; the scenario's working directory unless given.
    pub cwd: Option<String>,
    /// What must hold before a step may rely on it.
    pub ready: Ready,
    /// How long it may take until it is ready: 30s.
    pub start_timeout: Option<Time>,
}

/// When a process is ready: all that is said here must hold.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ready {
    /// A pattern that its standard output must show. Named groups, `(?<port>[0-9]+)`, become variables.
    pub stdout: Option<String>,
    /// A pattern that its standard error must show. Named groups become variables.
    pub stderr: Option<String>,
    /// A URL that must answer with a status below 400.
    pub http: Option<String>,
    /// An address, `127.0.0.1:8080`, that must take connections.
    pub tcp: Option<String>,
    /// A file that must exist.
    pub file: Option<String>,
}

/// How a URL is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Standard input and output.
    Stdio,
    /// Streamable HTTP.
    Http,
    /// HTTP with server-sent events, as in 2024-11-05.
    Sse,
}

/// A revision of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
pub enum Protocol {
    /// With `initialize`.
    #[serde(rename = "2024-11-05")]
    V2024_11_05,
    /// With `initialize`.
    #[serde(rename = "2025-03-26")]
    V2025_03_26,
    /// With `initialize`.
    #[serde(rename = "2025-06-18")]
    V2025_06_18,
    /// With `initialize`.
    #[default]
    #[serde(rename = "2025-11-25")]
    V2025_11_25,
    /// Without `initialize`: each request carries what it needs.
    #[serde(rename = "2026-07-28")]
    V2026_07_28,
    /// Asks with `server/discover`, then speaks 2026-07-28 or 2025-11-25.
    #[serde(rename = "auto")]
    Auto,
    /// Says nothing by itself.
    #[serde(rename = "none")]
    None,
}

impl Protocol {
    /// The name of the revision; nothing for `auto` and `none`.
    #[must_use]
    pub fn revision(self) -> Option<&'static str> {
        match self {
            Protocol::V2024_11_05 => Some("2024-11-05"),
            Protocol::V2025_03_26 => Some("2025-03-26"),
            Protocol::V2025_06_18 => Some("2025-06-18"),
            Protocol::V2025_11_25 => Some("2025-11-25"),
            Protocol::V2026_07_28 => Some("2026-07-28"),
            Protocol::Auto | Protocol::None => None,
        }
    }
}

/// The client that the scenario plays.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientSpec {
    /// Its name; `callboard-test` unless given.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Capabilities besides those that the answers below stand for.
    pub capabilities: Map<String, Value>,
    /// What to answer when the server asks.
    pub answers: Answers,
}

/// What the client answers when the server asks, in both ways that a server may ask. What has no answer here is a
/// capability that the client does not claim.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Answers {
    /// Answers to questions for the user: the first whose pattern fits is given.
    pub elicitation: Option<Vec<ElicitationAnswer>>,
    /// Answers to requests for a model's words: the first whose pattern fits is given.
    pub sampling: Option<Vec<SamplingAnswer>>,
    /// The client's roots.
    pub roots: Option<Roots>,
}

/// An answer to a question for the user.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ElicitationAnswer {
    /// A pattern for the question's message; any question unless given.
    pub when: Option<String>,
    /// `accept`, `decline` or `cancel`; `accept` unless given.
    pub action: Option<String>,
    /// What the user filled in.
    pub content: Option<Value>,
    /// How long the user takes.
    pub after: Option<Time>,
}

/// An answer to a request for a model's words.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SamplingAnswer {
    /// A pattern for the request's messages (as JSON); any request unless given.
    pub when: Option<String>,
    /// The model's words.
    pub text: Option<String>,
    /// The whole result, when words are not enough.
    pub result: Option<Value>,
    /// How long the model takes.
    pub after: Option<Time>,
}

/// URIs of the client's roots.
pub type Roots = OneOrMany;

/// What a line that is no JSON means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StdoutRule {
    /// The scenario fails: standard output is the protocol.
    #[default]
    Strict,
    /// It is only shown in the traffic.
    Lenient,
}
