//! Agents as they are configured.
//! For: the tables below `agents`, and an agent that is only a command line. Not for: choosing one.

use crate::duration::format_duration;
use crate::error::{Problem, Source};
use crate::settings::{Setting, command_line};
use crate::take::{Take, by_default, row};
use crate::template::{Template, shown_values};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// One configured agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its name.
    pub name: String,
    /// Program and arguments, at least the program.
    pub command: Setting<Vec<String>>,
    /// Names of variables it gets beyond the minimal environment.
    pub pass_env: Setting<Vec<String>>,
    /// Variables of its own, by name; their values may name secrets.
    pub env: BTreeMap<String, Template>,
    /// Its own limit of one attempt; `None`: [`crate::Run::task_timeout`].
    pub timeout: Setting<Option<Duration>>,
    /// Whether each attempt gets a key for models, and is told to use it.
    pub gateway: Setting<bool>,
}

impl Agent {
    /// An agent that is only a command line; its name is made of the program's.
    pub(crate) fn of_words(words: Vec<String>, source: Source) -> Agent {
        Agent {
            name: name_of(&words[0]),
            command: Setting {
                value: words,
                source,
            },
            pass_env: by_default(Vec::new()),
            env: BTreeMap::new(),
            timeout: by_default(None),
            gateway: by_default(false),
        }
    }

    pub(crate) fn rows(&self) -> Vec<(String, String, Source)> {
        let name = &self.name;
        let mut rows = vec![
            row(&format!("agents.{name}.command"), &self.command, |w| {
                command_line(w)
            }),
            row(
                &format!("agents.{name}.pass_env"),
                &self.pass_env,
                |names| names.join(" "),
            ),
        ];
        if !self.env.is_empty() {
            let source = self.command.source.clone();
            rows.push((
                format!("agents.{name}.env"),
                shown_values(&self.env),
                source,
            ));
        }
        rows.push(row(
            &format!("agents.{name}.timeout"),
            &self.timeout,
            |limit| limit.map_or_else(|| "(run.task_timeout)".to_owned(), format_duration),
        ));
        rows.push(row(
            &format!("agents.{name}.gateway"),
            &self.gateway,
            bool::to_string,
        ));
        rows
    }
}

/// All that are declared; those without a command are problems.
pub(crate) fn take_all<'t>(
    take: &mut Take,
    declared: impl Iterator<Item = (&'t str, &'t Source)>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Agent> {
    let mut agents = BTreeMap::new();
    for (name, place) in declared {
        let key = |field: &str| format!("agents.{name}.{field}");
        let said = take.words(&key("command"));
        let Some(command) = said.value else {
            problems.push(Problem {
                place: place.clone(),
                key: key("command"),
                message: "this agent has no command: add command = [\"program\", \"argument\"]"
                    .to_owned(),
            });
            continue;
        };
        let agent = Agent {
            command: Setting {
                value: command,
                source: said.source,
            },
            pass_env: take.words(&key("pass_env")).map(Option::unwrap_or_default),
            env: take.variables(&key("env")),
            timeout: take.time_if(&key("timeout")),
            gateway: take.switch(&key("gateway"), false),
            name: name.to_owned(),
        };
        agents.insert(name.to_owned(), agent);
    }
    agents
}

/// The program's file name, made plain enough for a log or a commit.
fn name_of(program: &str) -> String {
    let file = Path::new(program).file_name().unwrap_or_default();
    let plain: String = file
        .to_string_lossy()
        .to_lowercase()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .take(40)
        .collect();
    let trimmed = plain.trim_matches('-');
    if trimmed.is_empty() {
        return "agent".to_owned();
    }
    trimmed.to_owned()
}
