//! What a value must look like, and whether it does.
//! For: checking one value wherever it comes from: a file, a variable, a flag.
//! Not for: which keys there are, or who may set them.

mod models;

use crate::duration::{format_duration, parse_duration};
use crate::environment::check_passed_name;
use crate::error::shown;
use crate::forms;
use crate::nearest::did_you_mean;
use crate::serve;
use crate::template::{Template, has_reference};
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;
use toml::de::DeValue;

/// What a value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory; `~/` is the home directory.
    Directory,
    /// A file; `~/` is the home directory.
    File,
    /// A file inside the repository.
    FileInside,
    /// A whole number between the two, inclusive.
    Number(u64, u64),
    /// `true` or `false`.
    Switch,
    /// A length of time in seconds between the two, inclusive.
    Time(u64, u64),
    /// A branch of git.
    Branch,
    /// Name of a configured agent.
    AgentName,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A program and its arguments: an array, or one string split like a shell does (nothing is expanded).
    Command,
    /// Names of environment variables.
    VariableNames,
    /// Value of an environment variable, which may name secrets.
    VariableValue,
    /// An address and a port.
    Listen,
    /// Names or addresses, each with a port or without.
    Hosts,
    /// Origins of web pages.
    Origins,
    /// A short text on one line.
    Label,
    /// Short texts.
    Labels,
    /// Some of these words.
    Choices(&'static [&'static str]),
    /// `provider/model`.
    Target,
    /// Several `provider/model`.
    Targets,
    /// Where a provider is.
    BaseUrl,
    /// The name of an environment variable that holds a secret.
    VariableName,
    /// A text that names at least one secret, and so holds none itself.
    Secret,
    /// The value of a header, which may name secrets.
    HeaderValue,
    /// Dollars.
    Money,
    /// A length of time in milliseconds between the two, inclusive.
    ShortTime(u64, u64),
    /// How far a clock is ahead of UTC.
    Offset,
}
/// A value that has passed its check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Number(u64),
    Switch(bool),
    Text(String),
    Path(PathBuf),
    Time(Duration),
    Words(Vec<String>),
    Template(Template),
    /// Millionths of a dollar.
    Money(i64),
    /// Minutes ahead of UTC.
    Offset(i32),
}

impl Kind {
    /// What is allowed, to follow "expected".
    #[must_use]
    pub fn allowed(&self) -> String {
        match self {
            Self::Directory => "a directory path in quotes".to_owned(),
            Self::File => "a file's path in quotes".to_owned(),
            Self::FileInside => {
                "a path inside the repository, relative and without \"..\"".to_owned()
            }
            Self::Number(least, most) => format!("a whole number from {least} to {most}"),
            Self::Switch => "true or false".to_owned(),
            Self::Time(least, most) => format!(
                "a length of time with its unit from {} to {}, like \"90s\" or \"30m\"",
                format_duration(Duration::from_secs(*least)),
                format_duration(Duration::from_secs(*most))
            ),
            Self::Branch => {
                "a branch name git accepts, not main or master (those only by --onto)".to_owned()
            }
            Self::AgentName => "the name of a configured agent".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Command => {
                "a program and its arguments: [\"program\", \"argument\"] or \"program argument\""
                    .to_owned()
            }
            Self::VariableNames => {
                "names of environment variables, like [\"ANTHROPIC_API_KEY\"]".to_owned()
            }
            Self::VariableValue => {
                "a text in quotes; \"${vault:NAME}\" in it stands for a secret".to_owned()
            }
            Self::Listen => "an address and a port, like \"127.0.0.1:22552\"".to_owned(),
            Self::Hosts => "hosts, like [\"example.org\", \"10.0.0.7:8080\"]".to_owned(),
            Self::Origins => {
                "origins of pages, like [\"https://example.org\", \"http://localhost:*\"]"
                    .to_owned()
            }
            _ => self.allowed_of_models(),
        }
    }

    /// Whether `${vault:NAME}` in a value stands for a secret.
    #[must_use]
    pub fn takes_secrets(&self) -> bool {
        matches!(self, Self::VariableValue | Self::Secret | Self::HeaderValue)
    }

    /// Why a value may not name a secret.
    fn no_secret_here(&self) -> String {
        let why = match self {
            Self::Command => "a command line is in the list of processes for everybody to see",
            Self::VariableNames | Self::VariableName => {
                "these are names of variables, which are no secret"
            }
            Self::File | Self::Directory | Self::FileInside => {
                "a path is shown in logs, in errors and by `callboard doctor`"
            }
            _ => "this setting is shown in logs and by `callboard doctor`",
        };
        format!(
            "a secret can't be named here: {why}. Name it in a variable of [agents.<name>.env], which only the agent gets, or in \
             the key or a header of a provider"
        )
    }

    /// Checks a value of a TOML file.
    pub(crate) fn check(&self, value: &DeValue<'_>) -> Result<Value, String> {
        if !self.takes_secrets() && value.as_str().is_some_and(has_reference) {
            return Err(self.no_secret_here());
        }
        match (self, value) {
            (Self::Switch, DeValue::Boolean(on)) => Ok(Value::Switch(*on)),
            (Self::Number(..), DeValue::Integer(number)) => {
                let digits = number.as_str().replace('_', "");
                let parsed = i64::from_str_radix(&digits, number.radix()).ok();
                self.number(parsed.and_then(|n| u64::try_from(n).ok()), &digits)
            }
            (Self::Money, DeValue::Integer(number)) => self.check_text(number.as_str()),
            (Self::Money, DeValue::Float(number)) => self.check_text(number.as_str()),
            (_, DeValue::Array(items)) if self.is_list() => {
                let words: Option<Vec<String>> = items
                    .iter()
                    .map(|item| item.get_ref().as_str().map(str::to_owned))
                    .collect();
                self.words(words.ok_or_else(|| self.expected("an array of something else"))?)
            }
            (Self::Switch | Self::Number(..), _) => Err(self.expected(forms::type_name(value))),
            (_, _) if self.is_list() && *self != Self::Command => {
                Err(self.expected(forms::type_name(value)))
            }
            (_, DeValue::String(text)) => self.check_text(text),
            (_, _) => Err(self.expected(forms::type_name(value))),
        }
    }

    /// Checks a value given as text: an environment variable, a flag, or a string of a file.
    pub(crate) fn check_text(&self, text: &str) -> Result<Value, String> {
        if !self.takes_secrets() && has_reference(text) {
            return Err(self.no_secret_here());
        }
        match self {
            Self::VariableValue if text.contains('\0') => Err(self.found(text)),
            Self::VariableValue => Template::parse(text).map(Value::Template),
            Self::Switch => match text {
                "true" | "1" => Ok(Value::Switch(true)),
                "false" | "0" => Ok(Value::Switch(false)),
                _ => Err(self.found(text)),
            },
            Self::Number(..) => self.number(text.trim().parse().ok(), text),
            Self::Time(least, most) => self.time(text, *least, *most),
            Self::Directory | Self::File => self.directory(text),
            Self::FileInside => self.file_inside(text),
            Self::Branch => self.branch(text),
            Self::AgentName => self.agent_name(text),
            Self::Choice(words) => self.choice(text, words),
            Self::Command => {
                let words = shlex::split(text).ok_or_else(|| {
                    format!(
                        "a quotation mark is not closed in {:?}; expected {}",
                        shown(text),
                        self.allowed()
                    )
                })?;
                self.words(words)
            }
            Self::Listen => match text.trim().parse::<SocketAddr>() {
                Ok(address) => Ok(Value::Text(address.to_string())),
                Err(_) => Err(self.found(text)),
            },
            _ if self.is_list() => self.words(
                text.split([',', ' '])
                    .filter(|word| !word.is_empty())
                    .map(str::to_owned)
                    .collect(),
            ),
            _ => self.check_of_models(text),
        }
    }

    /// Whether an array of texts is what it wants.
    fn is_list(&self) -> bool {
        matches!(
            self,
            Self::Command
                | Self::VariableNames
                | Self::Hosts
                | Self::Origins
                | Self::Labels
                | Self::Choices(_)
                | Self::Targets
        )
    }

    fn expected(&self, found: &str) -> String {
        format!("expected {}, found {found}", self.allowed())
    }

    fn found(&self, text: &str) -> String {
        self.expected(&format!("{:?}", shown(text)))
    }

    fn number(&self, number: Option<u64>, text: &str) -> Result<Value, String> {
        let Self::Number(least, most) = self else {
            return Err(self.found(text));
        };
        number
            .filter(|n| (least..=most).contains(&n))
            .map(Value::Number)
            .ok_or_else(|| self.expected(&shown(text)))
    }

    fn time(&self, text: &str, least: u64, most: u64) -> Result<Value, String> {
        let allowed = Duration::from_secs(least)..=Duration::from_secs(most);
        parse_duration(text)
            .ok()
            .filter(|length| allowed.contains(length))
            .map(Value::Time)
            .ok_or_else(|| self.found(text))
    }

    fn directory(&self, text: &str) -> Result<Value, String> {
        if text.is_empty() || text.contains('\0') {
            return Err(self.found(text));
        }
        Ok(Value::Path(PathBuf::from(text)))
    }

    fn file_inside(&self, text: &str) -> Result<Value, String> {
        let path = Path::new(text);
        let mut parts = path.components();
        let plain = parts.all(|part| matches!(part, Component::Normal(name) if name != ".git"));
        if text.is_empty() || text.contains('\0') || !plain {
            return Err(self.found(text));
        }
        Ok(Value::Path(path.to_owned()))
    }

    fn branch(&self, text: &str) -> Result<Value, String> {
        if !forms::is_branch(text) || text == "main" || text == "master" {
            return Err(self.found(text));
        }
        Ok(Value::Text(text.to_owned()))
    }

    fn agent_name(&self, text: &str) -> Result<Value, String> {
        if !forms::is_agent_name(text) {
            return Err(format!(
                "{:?} is no agent's name: use a-z, 0-9, - and _, at most 40 characters",
                shown(text)
            ));
        }
        Ok(Value::Text(text.to_owned()))
    }

    fn choice(&self, text: &str, words: &[&str]) -> Result<Value, String> {
        if words.contains(&text) {
            return Ok(Value::Text(text.to_owned()));
        }
        let hint = did_you_mean(text, words.iter().copied())
            .map(|word| format!("; did you mean {word:?}?"))
            .unwrap_or_default();
        Err(self.found(text) + &hint)
    }

    fn words(&self, words: Vec<String>) -> Result<Value, String> {
        if words.iter().any(|word| has_reference(word)) {
            return Err(self.no_secret_here());
        }
        if let Some(bad) = words.iter().find(|word| word.contains('\0')) {
            return Err(format!("{:?} holds a NUL character", shown(bad)));
        }
        let all = |fits: fn(&str) -> bool| words.iter().find(|word| !fits(word));
        match self {
            Self::VariableNames => {
                for name in &words {
                    check_passed_name(name).map_err(|why| why.to_string())?;
                }
            }
            Self::Hosts | Self::Origins => {
                let misfit = match self {
                    Self::Hosts => all(serve::is_host),
                    _ => all(serve::is_origin),
                };
                if let Some(misfit) = misfit {
                    return Err(self.found(misfit));
                }
            }
            Self::Labels | Self::Choices(_) | Self::Targets => self.words_of_models(&words)?,
            _ if words.first().is_none_or(String::is_empty) => {
                return Err(self.expected("nothing to run"));
            }
            _ => {}
        }
        Ok(Value::Words(words))
    }
}

#[cfg(test)]
mod tests;
