//! Layered configuration, where things live, and which projects are trusted.
//! For: the one reading of the environment, `config.toml`, `callboard.toml` and the register of projects.
//! Not for: deciding what to run. It starts no program and knows nothing of tasks, git or MCP.

mod duration;
mod environment;
mod error;
mod file;
mod keys;
mod layers;
mod nearest;
mod projects;
mod serve;
mod settings;
mod template;
mod vault;

pub use duration::{format_duration, parse_duration};
pub use environment::{Environment, EnvironmentError, PLACES, check_task_env};
pub use error::{ConfigError, Problem, RegisterError, Source, Untrusted, UntrustedKey};
pub use file::{PROJECT_FILE, ProjectFile};
pub use keys::{KEYS, Key, Kind, Trust, reference};
pub use layers::{ConfigFile, Overrides, config_files};
pub use nearest::did_you_mean;
pub use projects::{Project, Projects};
pub use serve::Serve;
pub use settings::{
    Access, AccessRole, Agent, Config, Log, LogLevel, LogStyle, Run, STAND_IN, Setting, Tests,
};
pub use template::Template;
pub use vault::{Passphrase, Vault};
