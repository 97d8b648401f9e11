//! The programs that something of ours may start.
//! For: which are here, who needs them, and what to type for those that are not. Not for: running them (`probe`).

use super::probe::probe;
use super::{Check, State};
use callboard_config::Environment;
use std::path::Path;

/// Merges are computed with `git merge-tree --write-tree`, which came with this version.
const LEAST_GIT: (u32, u32) = (2, 38);

/// A program that something of ours may start.
struct Tool {
    name: &'static str,
    /// Any of these is the program.
    programs: &'static [&'static str],
    version: &'static [&'static str],
    needed_by: &'static str,
    install: Install,
}

enum Install {
    /// Name of the package in Debian and its kin, and in Homebrew.
    Package(&'static str, &'static str),
    Line(&'static str),
}

const TOOLS: &[Tool] = &[
    Tool {
        name: "cargo",
        programs: &["cargo"],
        version: &["--version"],
        needed_by: "the tests of Rust projects, the example among them",
        install: Install::Line("see https://rustup.rs"),
    },
    Tool {
        name: "gh",
        programs: &["gh"],
        version: &["--version"],
        needed_by: "pull requests on GitHub; without it branches are pushed and merged",
        install: Install::Package("gh", "gh"),
    },
    Tool {
        name: "claude",
        programs: &["claude"],
        version: &["--version"],
        needed_by: "--agent 'claude -p'",
        install: Install::Line("npm install -g @anthropic-ai/claude-code"),
    },
    Tool {
        name: "codex",
        programs: &["codex"],
        version: &["--version"],
        needed_by: "--agent 'codex exec -'",
        install: Install::Line("npm install -g @openai/codex"),
    },
    Tool {
        name: "tmux",
        programs: &["tmux"],
        version: &["-V"],
        needed_by: "later versions: terminal sessions",
        install: Install::Package("tmux", "tmux"),
    },
    Tool {
        name: "chromium",
        programs: &["chromium", "chromium-browser", "google-chrome"],
        version: &["--version"],
        needed_by: "later versions: the browser",
        install: Install::Package("chromium", "chromium"),
    },
    Tool {
        name: "psql",
        programs: &["psql"],
        version: &["--version"],
        needed_by: "later versions: a board on PostgreSQL",
        install: Install::Package("postgresql-client", "libpq"),
    },
];

pub(super) fn checks(environment: &Environment) -> Vec<Check> {
    // Side by side: each may take as long as the limit.
    std::thread::scope(|scope| {
        let git = scope.spawn(|| vec![git(environment)]);
        let others: Vec<_> = TOOLS
            .iter()
            .map(|tool| scope.spawn(|| tool_checks(environment, tool)))
            .collect();
        let all = std::iter::once(git).chain(others);
        all.flat_map(|thread| thread.join().unwrap_or_default())
            .collect()
    })
}

fn git(environment: &Environment) -> Check {
    let check = |state, found: String| {
        Check::new("programs", "git", state, found).needed_by("everything that touches a project")
    };
    let install = installing(environment, "git", "git");
    let Some(program) = environment.which("git") else {
        return check(State::Problem, "not on PATH".to_owned()).advice(install);
    };
    let said = match probe(environment, &program, &["--version"]) {
        Ok(said) => said,
        Err(why) => return check(State::Problem, why).advice(install),
    };
    match version_in(&said.text) {
        Some(version) if version >= LEAST_GIT => check(State::Ok, said.text),
        _ => check(State::Problem, said.text).advice(format!(
            "git {}.{} or newer is needed: {install}",
            LEAST_GIT.0, LEAST_GIT.1
        )),
    }
}

/// The first `<number>.<number>` of a text.
fn version_in(text: &str) -> Option<(u32, u32)> {
    let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    let mut parts = text.split_whitespace().find(is_version)?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn tool_checks(environment: &Environment, tool: &Tool) -> Vec<Check> {
    let check = |state, found: String| {
        Check::new("programs", tool.name, state, found).needed_by(tool.needed_by)
    };
    let found = tool
        .programs
        .iter()
        .find_map(|name| environment.which(name));
    let Some(program) = found else {
        let install = match tool.install {
            Install::Package(apt, brew) => installing(environment, apt, brew),
            Install::Line(line) => line.to_owned(),
        };
        return vec![check(State::Missing, "not on PATH".to_owned()).advice(install)];
    };
    let mut checks = vec![match probe(environment, &program, tool.version) {
        Ok(said) if said.success => check(State::Ok, said.text),
        Ok(said) => check(
            State::Note,
            format!("{} fails: {}", program.display(), said.text),
        ),
        Err(why) => check(State::Note, format!("{} {why}", program.display())),
    }];
    if tool.name == "gh" {
        checks.push(gh_login(environment, &program));
    }
    checks
}

fn gh_login(environment: &Environment, gh: &Path) -> Check {
    let check = |state, found: &str| {
        Check::new("programs", "gh login", state, found).needed_by("pull requests on GitHub")
    };
    match probe(environment, gh, &["auth", "status"]) {
        Ok(said) if said.success => check(State::Ok, "logged in"),
        Ok(_) => check(State::Missing, "not logged in").advice("gh auth login"),
        Err(why) => check(State::Note, &format!("unknown: gh auth status {why}")),
    }
}

/// What to type to install a package here.
fn installing(environment: &Environment, apt: &str, brew: &str) -> String {
    let has = |program| environment.which(program).is_some();
    if has("apt-get") {
        format!("sudo apt-get install {apt}")
    } else if has("dnf") {
        format!("sudo dnf install {brew}")
    } else if has("pacman") {
        format!("sudo pacman -S {brew}")
    } else if has("brew") {
        format!("brew install {brew}")
    } else {
        format!("install {apt} with your package manager")
    }
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn versions() {
        assert_eq!(version_in("git version 2.47.3"), Some((2, 47)));
        assert_eq!(
            version_in("git version 2.39.5 (Apple Git-154)"),
            Some((2, 39))
        );
        assert_eq!(version_in("git version next"), None);
    }
}
