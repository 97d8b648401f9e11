//! The table of every configuration key: its type, default, who may set it, and what it is for.
//! For: finding a key, and the generated reference.
//! Not for: checking values (`kind` does), reading files or deciding which layer wins.

use crate::kind::Kind;
use crate::llm;
use crate::serve;
use crate::tables::fits;

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

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// With dots; `<name>` and the like stand for any name that the user chooses.
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
    let mut all = [FIRST[0]; count()];
    let (mut group, mut at) = (0, 0);
    while group < GROUPS.len() {
        let mut next = 0;
        while next < GROUPS[group].len() {
            all[at] = GROUPS[group][next];
            (at, next) = (at + 1, next + 1);
        }
        group += 1;
    }
    all
};

/// In the order of the reference.
const GROUPS: [&[Key]; 7] = {
    let [providers, routes, money, rest] = llm::KEYS;
    [FIRST, &serve::KEYS, providers, routes, money, rest, LAST]
};

const fn count() -> usize {
    let (mut group, mut sum) = (0, 0);
    while group < GROUPS.len() {
        sum += GROUPS[group].len();
        group += 1;
    }
    sum
}

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
        name: "agents.<name>.gateway",
        kind: Kind::Switch,
        default: "false",
        trust: Trust::Needed,
        doc: "Whether the agent asks models through `callboard serve`: each attempt gets a key of its own, counted for its task and ended with it.",
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
        KEYS.iter().find(|key| fits(key.name, path))
    }

    /// The environment variable that sets it; tables that the user names have none.
    #[must_use]
    pub fn variable(&self) -> Option<String> {
        (!self.name.contains('<'))
            .then(|| format!("CALLBOARD_{}", self.name.replace('.', "_").to_uppercase()))
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
}
