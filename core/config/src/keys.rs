//! The table of every configuration key: its type, default, who may set it, and what it is for.
//! For: checking values wherever they come from, and the generated reference.
//! Not for: reading files or deciding which layer wins.

use crate::duration::{format_duration, parse_duration};
use crate::environment::check_passed_name;
use crate::error::shown;
use crate::nearest::did_you_mean;
use crate::serve;
use crate::template::{Template, has_reference};
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;
use toml::de::DeValue;

/// Who may set a key in a project's own `callboard.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Any project file.
    Safe,
    /// Only one whose path and content the user has trusted.
    Needed,
    /// None: it is the user's alone, in their own file or environment.
    Never,
}

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
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// With dots; `<name>` stands for any agent's name, `<variable>` for any variable's.
    pub name: &'static str,
    /// What its value must look like.
    pub kind: Kind,
    /// The default as one would write it, or in words when there is none.
    pub default: &'static str,
    /// Who may set it.
    pub trust: Trust,
    /// What it is for, in one or two sentences.
    pub doc: &'static str,
}

const HOUR: u64 = 3_600;

/// Every key there is.
pub const KEYS: &[Key] = &{
    let mut all = [FIRST[0]; FIRST.len() + serve::KEYS.len() + LAST.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < FIRST.len() {
            FIRST[at]
        } else if at < FIRST.len() + serve::KEYS.len() {
            serve::KEYS[at - FIRST.len()]
        } else {
            LAST[at - FIRST.len() - serve::KEYS.len()]
        };
        at += 1;
    }
    all
};

const FIRST: &[Key] = &[
    Key {
        name: "board",
        kind: Kind::Directory,
        default: "`$XDG_DATA_HOME/callboard`, else `~/.local/share/callboard`",
        trust: Trust::Needed,
        doc: "Directory of the board: tasks, logs and worktrees. In a project file it is relative to the repository.",
    },
    Key {
        name: "run.agents",
        kind: Kind::Number(1, 16),
        default: "3",
        trust: Trust::Safe,
        doc: "How many agents work at once.",
    },
    Key {
        name: "run.agent",
        kind: Kind::AgentName,
        default: "none: the prepared edits of an example",
        trust: Trust::Needed,
        doc: "Which of the configured agents does the work.",
    },
    Key {
        name: "run.attempts",
        kind: Kind::Number(1, 20),
        default: "4",
        trust: Trust::Safe,
        doc: "How often an item is tried before it is left for a person. Interrupted attempts do not count.",
    },
    Key {
        name: "run.task_timeout",
        kind: Kind::Time(1, 24 * HOUR),
        default: "30m",
        trust: Trust::Safe,
        doc: "How long one attempt of an agent may take before its processes are ended; the tests have their own limit.",
    },
    Key {
        name: "run.integration_branch",
        kind: Kind::Branch,
        default: "callboard/integration",
        trust: Trust::Needed,
        doc: "The branch that finished items are merged into. `main` and `master` only by `--onto`.",
    },
    Key {
        name: "run.roadmap",
        kind: Kind::FileInside,
        default: "ROADMAP.md",
        trust: Trust::Safe,
        doc: "The roadmap, relative to the root of the repository.",
    },
    Key {
        name: "run.test_merges",
        kind: Kind::Switch,
        default: "true",
        trust: Trust::Safe,
        doc: "Run the tests again on the merged tree before the integration branch moves.",
    },
    Key {
        name: "tests.command",
        kind: Kind::Command,
        default: "detected (`cargo test`, `npm test`, …)",
        trust: Trust::Needed,
        doc: "The command that runs the project's tests, in the root of a worktree; exit 0 means that they pass.",
    },
    Key {
        name: "tests.timeout",
        kind: Kind::Time(1, 24 * HOUR),
        default: "10m",
        trust: Trust::Safe,
        doc: "How long one run of the tests may take.",
    },
    Key {
        name: "agents.<name>.command",
        kind: Kind::Command,
        default: "none: needed for each agent",
        trust: Trust::Needed,
        doc: "The agent: a program that gets its prompt on standard input and in `$CALLBOARD_PROMPT_FILE`.",
    },
    Key {
        name: "agents.<name>.pass_env",
        kind: Kind::VariableNames,
        default: "[]",
        trust: Trust::Needed,
        doc: "Names of environment variables that the agent gets beyond the minimal set, such as its API key.",
    },
    Key {
        name: "agents.<name>.env.<variable>",
        kind: Kind::VariableValue,
        default: "none",
        trust: Trust::Needed,
        doc: "A variable that the agent gets. `${vault:NAME}` in it stands for a secret of the vault, filled in when the agent is started.",
    },
    Key {
        name: "agents.<name>.timeout",
        kind: Kind::Time(1, 24 * HOUR),
        default: "`run.task_timeout`",
        trust: Trust::Needed,
        doc: "How long one attempt of this agent may take.",
    },
    Key {
        name: "vault.passphrase_file",
        kind: Kind::File,
        default: "none: asked for on the terminal",
        trust: Trust::Needed,
        doc: "File with the passphrase of a vault that is locked with one, for programs without a terminal; readable by you alone.",
    },
    Key {
        name: "vault.passphrase_command",
        kind: Kind::Command,
        default: "none: asked for on the terminal",
        trust: Trust::Never,
        doc: "A program that prints the passphrase, such as one that asks the keyring of your desktop. It has your environment and 30 seconds.",
    },
    Key {
        name: "access.loopback",
        kind: Kind::Choice(&["token", "viewer", "developer", "admin"]),
        default: "token",
        trust: Trust::Needed,
        doc: "What a request from this machine needs: a token, or nothing, and then it has this role. Every program of every user of the machine can make such requests.",
    },
    Key {
        name: "access.rate",
        kind: Kind::Number(0, 100_000),
        default: "200",
        trust: Trust::Needed,
        doc: "Requests a second of each token, five seconds' worth of them at once; 0 is no limit.",
    },
    Key {
        name: "access.rate_unauthenticated",
        kind: Kind::Number(0, 100_000),
        default: "10",
        trust: Trust::Needed,
        doc: "Requests a second without a valid token, of each address; 0 is no limit.",
    },
    Key {
        name: "access.stdio_role",
        kind: Kind::Choice(&["viewer", "developer", "admin"]),
        default: "admin",
        trust: Trust::Needed,
        doc: "The role of a client that starts a server on standard input and output.",
    },
];

const LAST: &[Key] = &[
    Key {
        name: "log.level",
        kind: Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
        default: "info",
        trust: Trust::Safe,
        doc: "The least important kind of line written to standard error.",
    },
    Key {
        name: "log.format",
        kind: Kind::Choice(&["text", "json"]),
        default: "text",
        trust: Trust::Safe,
        doc: "Lines for people or for programs.",
    },
];

impl Key {
    /// The key that `path` (segments between dots) names.
    pub(crate) fn find(path: &[String]) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.matches(path))
    }

    fn matches(&self, path: &[String]) -> bool {
        let pattern: Vec<&str> = self.name.split('.').collect();
        pattern.len() == path.len()
            && pattern
                .iter()
                .zip(path)
                .all(|(want, have)| want.starts_with('<') || want == have)
    }

    /// The environment variable that sets it; the tables of agents have none.
    #[must_use]
    pub fn variable(&self) -> Option<String> {
        (!self.name.contains('<'))
            .then(|| format!("CALLBOARD_{}", self.name.replace('.', "_").to_uppercase()))
    }
}

/// The known key nearest to an unknown one.
pub(crate) fn nearest_key(path: &[String]) -> Option<String> {
    let agent = path.get(1).filter(|_| path[0] == "agents");
    let names: Vec<String> = KEYS
        .iter()
        .map(|key| match agent {
            Some(name) => key.name.replace("<name>", name),
            None => key.name.to_owned(),
        })
        .collect();
    let typed = path.join(".");
    did_you_mean(&typed, names.iter().map(String::as_str)).map(str::to_owned)
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
        }
    }

    /// Whether `${vault:NAME}` in a value stands for a secret.
    #[must_use]
    pub fn takes_secrets(&self) -> bool {
        *self == Self::VariableValue
    }

    /// Why a value may not name a secret.
    fn no_secret_here(&self) -> String {
        let why = match self {
            Self::Command => "a command line is in the list of processes for everybody to see",
            Self::VariableNames => "these are names of variables, which are no secret",
            Self::File | Self::Directory | Self::FileInside => {
                "a path is shown in logs, in errors and by `callboard doctor`"
            }
            _ => "this setting is shown in logs and by `callboard doctor`",
        };
        format!(
            "a secret can't be named here: {why}. Name it in a variable of [agents.<name>.env], which only the agent gets"
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
            (
                Self::Command | Self::VariableNames | Self::Hosts | Self::Origins,
                DeValue::Array(items),
            ) => {
                let words: Option<Vec<String>> = items
                    .iter()
                    .map(|item| item.get_ref().as_str().map(str::to_owned))
                    .collect();
                self.words(words.ok_or_else(|| self.expected("an array of something else"))?)
            }
            (
                Self::Switch | Self::Number(..) | Self::VariableNames | Self::Hosts | Self::Origins,
                _,
            ) => Err(self.expected(type_name(value))),
            (_, DeValue::String(text)) => self.check_text(text),
            (_, _) => Err(self.expected(type_name(value))),
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
            Self::VariableNames | Self::Hosts | Self::Origins => self.words(
                text.split([',', ' '])
                    .filter(|word| !word.is_empty())
                    .map(str::to_owned)
                    .collect(),
            ),
        }
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
        if !is_branch(text) || text == "main" || text == "master" {
            return Err(self.found(text));
        }
        Ok(Value::Text(text.to_owned()))
    }

    fn agent_name(&self, text: &str) -> Result<Value, String> {
        if !is_agent_name(text) {
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
            _ if words.first().is_none_or(String::is_empty) => {
                return Err(self.expected("nothing to run"));
            }
            _ => {}
        }
        Ok(Value::Words(words))
    }
}

/// What git's `check-ref-format --branch` accepts, less what nobody should use (`HEAD`, a leading dash).
pub(crate) fn is_branch(name: &str) -> bool {
    let bad_part = |part: &str| {
        part.is_empty() || part.starts_with('.') || part.ends_with('.') || part.ends_with(".lock")
    };
    let bad_char = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    !(name.starts_with('-')
        || name == "HEAD"
        || name == "@"
        || name.len() > 200
        || name.contains("..")
        || name.contains("@{")
        || name.contains(bad_char)
        || name.split('/').any(bad_part))
}

/// Names are part of keys, logs and branch names, so they are plain.
pub(crate) fn is_agent_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    !name.is_empty() && name.len() <= 40 && name.chars().all(plain) && !name.starts_with('-')
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// A Markdown table of every key, for the documentation.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from(
        "| Key | Value | Default | In an untrusted project file | Environment | What it is for |\n\
         |---|---|---|---|---|---|\n",
    );
    for key in KEYS {
        let trust = match key.trust {
            Trust::Safe => "yes",
            Trust::Needed => "no",
            Trust::Never => "no, nor in a trusted one",
        };
        let variable = key
            .variable()
            .map_or_else(|| "-".to_owned(), |name| format!("`{name}`"));
        text.push_str(&format!(
            "| `{}` | {} | {} | {trust} | {variable} | {} |\n",
            key.name,
            key.kind.allowed(),
            key.default,
            key.doc
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_documented_once() {
        for key in KEYS {
            assert!(key.doc.len() > 20, "{} has no documentation", key.name);
            assert!(key.doc.ends_with('.'), "{}", key.name);
            assert!(!key.default.is_empty(), "{}", key.name);
            let row = format!("\n| `{}` |", key.name);
            assert_eq!(reference().matches(&row).count(), 1, "{}", key.name);
        }
        assert_eq!(reference().lines().count(), KEYS.len() + 2);
    }

    #[test]
    fn what_could_run_or_redirect_needs_trust() {
        let safe: Vec<&str> = KEYS
            .iter()
            .filter(|key| key.trust == Trust::Safe)
            .map(|key| key.name)
            .collect();
        assert_eq!(
            safe,
            [
                "run.agents",
                "run.attempts",
                "run.task_timeout",
                "run.roadmap",
                "run.test_merges",
                "tests.timeout",
                "log.level",
                "log.format"
            ]
        );
    }

    #[test]
    fn branches() {
        for good in ["callboard/integration", "release-1.2", "a/b/c"] {
            assert!(is_branch(good), "{good}");
        }
        for bad in [
            "", "-x", "a b", "a..b", "a/", "/a", "a//b", ".a", "a/.b", "a.lock", "a~1", "a:b", "@",
            "a@{1}", "HEAD", "a\nb", "a.",
        ] {
            assert!(!is_branch(bad), "{bad:?}");
        }
        assert!(Kind::Branch.check_text("main").is_err());
    }

    #[test]
    fn files_stay_inside() {
        for good in ["ROADMAP.md", "docs/ROADMAP.md"] {
            assert!(Kind::FileInside.check_text(good).is_ok(), "{good}");
        }
        for bad in ["", "/etc/passwd", "../x", "a/../../x", ".git/config", "./a"] {
            assert!(Kind::FileInside.check_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_hosts_and_origins() {
        for (kind, good, bad) in [
            (Kind::Listen, "127.0.0.1:22552", "localhost"),
            (Kind::Listen, "[::1]:0", "127.0.0.1"),
            (Kind::Listen, "0.0.0.0:80", "127.0.0.1:70000"),
            (
                Kind::Hosts,
                "example.org, 10.0.0.7:8080",
                "https://example.org",
            ),
            (Kind::Hosts, "[::1]:80", "a/b"),
            (Kind::Origins, "https://example.org", "example.org"),
            (
                Kind::Origins,
                "http://localhost:*",
                "https://example.org/page",
            ),
        ] {
            assert!(kind.check_text(good).is_ok(), "{good}");
            let why = kind.check_text(bad).unwrap_err();
            assert!(why.starts_with("expected "), "{why}");
        }
    }

    #[test]
    fn commands_are_split_and_never_empty() {
        assert_eq!(
            Kind::Command.check_text("claude -p 'do it'"),
            Ok(Value::Words(vec![
                "claude".into(),
                "-p".into(),
                "do it".into()
            ]))
        );
        for bad in ["", "  ", "a 'b"] {
            assert!(Kind::Command.check_text(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn messages_carry_no_control_characters() {
        let why = Kind::Choice(&["text"])
            .check_text("\u{1b}[2J\u{7}")
            .unwrap_err();
        assert!(!why.contains(char::is_control), "{why:?}");
    }
}
