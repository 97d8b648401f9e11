//! Layered configuration, where things live, and which projects are trusted.
//! For: the one reading of the environment, `config.toml`, `callboard.toml` and the register of projects.
//! Not for: deciding what to run. It starts no program and knows nothing of tasks, git or MCP.

mod access;
mod agent;
mod duration;
mod environment;
mod error;
mod file;
mod forms;
mod keys;
mod kind;
mod layers;
mod llm;
mod log;
mod nearest;
mod otlp;
mod projects;
mod serve;
mod settings;
mod tables;
mod take;
mod template;
mod vault;

pub use access::{Access, AccessRole};
pub use agent::Agent;
pub use duration::{format_duration, parse_duration};
pub use environment::{Environment, EnvironmentError, PLACES, check_task_env};
pub use error::{ConfigError, Problem, RegisterError, Source, Untrusted, UntrustedKey};
pub use file::{PROJECT_FILE, ProjectFile};
pub use forms::{is_exposed, wrong_url};
pub use keys::{KEYS, Key, Trust, reference};
pub use kind::Kind;
pub use layers::{ConfigFile, Overrides, config_files};
pub use llm::{
    Cap, Model, ModelName, Models, Provider, Retention, Route, Timeouts, VENDORS, Vendor, vendor,
};
pub use log::{Log, LogLevel, LogStyle};
pub use nearest::did_you_mean;
pub use otlp::{Otlp, OtlpProblem};
pub use projects::{Project, Projects};
pub use serve::Serve;
pub use settings::{Config, Run, STAND_IN, Setting, Tests};
pub use template::Template;
pub use vault::{Passphrase, Vault};
