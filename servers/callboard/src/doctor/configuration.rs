//! The configuration files and what is wrong with them; the agents that they name.

use super::{Check, State};
use callboard_config::{Config, ConfigError, Environment, Untrusted, config_files};
use std::path::Path;

type Loaded = Result<(Config, Option<Untrusted>), ConfigError>;

pub(super) fn checks(
    environment: &Environment,
    project: Option<&Path>,
    loaded: &Loaded,
) -> Vec<Check> {
    let group = "configuration";
    let mut checks: Vec<Check> = config_files(environment, project)
        .into_iter()
        .filter(|file| file.role != "register")
        .map(|file| {
            let path = file.path.display();
            let found = if file.exists {
                path.to_string()
            } else {
                format!("none at {path}")
            };
            Check::new(group, format!("{} file", file.role), State::Ok, found)
        })
        .collect();
    match loaded {
        Ok((config, untrusted)) => {
            checks.extend(
                config
                    .warnings
                    .iter()
                    .map(|w| Check::new(group, "warning", State::Note, w.as_str())),
            );
            if let Some(untrusted) = untrusted {
                checks.push(
                    Check::new(group, "trust", State::Note, untrusted.to_string())
                        .needed_by("`callboard run` on this project"),
                );
            }
            checks.extend(agents(environment, config));
        }
        Err(ConfigError::Invalid { problems }) => {
            let each = problems.iter().map(ToString::to_string);
            checks.extend(each.map(|found| Check::new(group, "value", State::Problem, found)));
        }
        Err(error) => checks.push(Check::new(
            group,
            "loading",
            State::Problem,
            error.to_string(),
        )),
    }
    checks
}

fn agents(environment: &Environment, config: &Config) -> Vec<Check> {
    let mut checks: Vec<Check> = config
        .agents
        .values()
        .map(|agent| {
            let program = &agent.command[0];
            let name = format!("agent {}", agent.name);
            match environment.which(program) {
                Some(found) => Check::new(
                    "configuration",
                    name,
                    State::Ok,
                    found.display().to_string(),
                ),
                None => Check::new(
                    "configuration",
                    name,
                    State::Missing,
                    format!("{program} is not on PATH"),
                )
                .advice(format!(
                    "install it, or change the command at {}",
                    agent.command.source
                )),
            }
        })
        .collect();
    if let Err(error) = config.chosen_agent() {
        checks.push(Check::new(
            "configuration",
            "run.agent",
            State::Problem,
            error.to_string(),
        ));
    }
    checks
}
