//! `callboard doctor`: what is present, what is missing, who needs it, and what to type.
//! For: looking, with every outside program bounded in time. It exits 1 only for what stops `callboard run`.
//! Not for: mending or creating anything; a board that does not exist yet is not made.

mod access;

use anyhow::Context;
use callboard_config::{
    Config, ConfigError, Environment, Overrides, Project, ProjectFile, Projects, Source,
    config_files,
};
use callboard_store::Options;
use serde::Serialize;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// No program that answers `--version` needs longer.
const PROBE_LIMIT: Duration = Duration::from_secs(3);
const PROBE_PAUSE: Duration = Duration::from_millis(5);

/// Merges are computed with `git merge-tree --write-tree`, which came with this version.
const LEAST_GIT: (u32, u32) = (2, 38);

/// Below this a board is soon full of worktrees.
const LITTLE_SPACE: u64 = 1 << 30;

/// Arguments of `callboard doctor`.
#[derive(Debug, Clone, clap::Args)]
pub struct DoctorArgs {
    /// The project in question; by default the one around the current directory
    #[arg(long, value_name = "DIR")]
    pub path: Option<PathBuf>,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Present and in order.
    Ok,
    /// Absent, which stops nothing that the user may not care about.
    Missing,
    /// Worth knowing; stops nothing by itself.
    Note,
    /// Stops `callboard run`.
    Problem,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Note => "note",
            Self::Problem => "PROBLEM",
        }
    }
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    group: &'static str,
    name: String,
    state: State,
    /// What was found: a version, a path, a count.
    found: String,
    /// Who needs it; empty where that is plain.
    needed_by: &'static str,
    /// What to do or to type; empty when there is nothing to do.
    advice: String,
}

impl Check {
    pub(crate) fn new(
        group: &'static str,
        name: impl Into<String>,
        state: State,
        found: impl Into<String>,
    ) -> Self {
        Self {
            group,
            name: name.into(),
            state,
            found: found.into(),
            needed_by: "",
            advice: String::new(),
        }
    }

    pub(crate) fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    fn needed_by(mut self, who: &'static str) -> Self {
        self.needed_by = who;
        self
    }
}

/// A setting and the place it came from.
#[derive(Debug, Serialize)]
struct SettingRow {
    key: String,
    value: String,
    source: String,
}

#[derive(Debug, Serialize)]
struct Answer {
    version: &'static str,
    healthy: bool,
    project: Option<PathBuf>,
    checks: Vec<Check>,
    settings: Vec<SettingRow>,
}

/// Looks at everything and tells: 0 when nothing stops `callboard run`, else 1.
///
/// # Errors
/// Only when the answer can't be written.
pub fn doctor(
    args: &DoctorArgs,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let answer = examine(args, environment);
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &answer)?;
        writeln!(out)?;
    } else {
        tell(&answer, out)?;
    }
    Ok(if answer.healthy {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

fn examine(args: &DoctorArgs, environment: &Environment) -> Answer {
    let start = match &args.path {
        Some(path) => environment.cwd().join(path),
        None => environment.cwd().to_owned(),
    };
    let project = project_around(&start);
    let config = Config::load_cautious(environment, project.as_deref(), &Overrides::default());
    let mut checks = programs(environment);
    checks.extend(configuration(environment, project.as_deref(), &config));
    let board = match &config {
        Ok((config, _)) => Some(config.board.value.clone()),
        Err(_) => environment.default_board().ok(),
    };
    if let Some(board) = board {
        checks.extend(board_checks(&board));
    }
    checks.extend(crate::vault::standing(environment));
    if let Ok((config, _)) = &config {
        checks.extend(access::checks(environment, config));
    }
    checks.extend(projects(environment));
    let settings = config
        .map(|(config, _)| config.settings())
        .unwrap_or_default();
    Answer {
        version: env!("CARGO_PKG_VERSION"),
        healthy: checks.iter().all(|check| check.state != State::Problem),
        project,
        checks,
        settings: settings.into_iter().map(setting_row).collect(),
    }
}

fn setting_row((key, value, source): (String, String, Source)) -> SettingRow {
    SettingRow {
        key,
        value,
        source: source.to_string(),
    }
}

/// The directory, or the nearest one above it, that holds a repository.
fn project_around(start: &Path) -> Option<PathBuf> {
    let start = start.canonicalize().ok()?;
    start
        .ancestors()
        .find(|dir| dir.join(".git").exists())
        .map(Path::to_owned)
}

// --- Programs.

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

fn programs(environment: &Environment) -> Vec<Check> {
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

/// What a program said.
struct Said {
    success: bool,
    /// The first line, from standard output or else standard error.
    text: String,
}

/// Runs a program that ends by itself, and ends it with its children when it does not.
#[expect(
    clippy::disallowed_methods,
    reason = "asking for a version needs no supervised tree, log or lease; it is bounded here"
)]
fn probe(environment: &Environment, program: &Path, args: &[&str]) -> Result<Said, String> {
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .envs(environment.for_git())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("does not start: {error}"))?;
    let success = ended(&mut child)?;
    // It has ended and a first line fits into a pipe, so reading that much can't wait for it.
    let mut text = first_line(child.stdout.take());
    if text.is_empty() {
        text = first_line(child.stderr.take());
    }
    Ok(Said { success, text })
}

fn ended(child: &mut Child) -> Result<bool, String> {
    let until = Instant::now() + PROBE_LIMIT;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) if Instant::now() < until => std::thread::sleep(PROBE_PAUSE),
            Ok(None) => {
                end_group(child);
                return Err(format!(
                    "does not answer within {} s",
                    PROBE_LIMIT.as_secs()
                ));
            }
            Err(error) => return Err(format!("can't be waited for: {error}")),
        }
    }
}

fn end_group(child: &mut Child) {
    let group = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        // Gone already is as good.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// At most one read: a child of the program may keep the pipe open for ever.
fn first_line(pipe: Option<impl Read>) -> String {
    let mut buffer = [0_u8; 512];
    let read = pipe.and_then(|mut pipe| pipe.read(&mut buffer).ok());
    let text = String::from_utf8_lossy(&buffer[..read.unwrap_or(0)]).into_owned();
    let line = text.lines().find(|line| !line.trim().is_empty());
    line.unwrap_or_default()
        .trim()
        .chars()
        .filter(|c| !c.is_control())
        .collect()
}

// --- Configuration.

type Loaded = Result<(Config, Option<callboard_config::Untrusted>), ConfigError>;

fn configuration(environment: &Environment, project: Option<&Path>, loaded: &Loaded) -> Vec<Check> {
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

// --- The board.

fn board_checks(board: &Path) -> Vec<Check> {
    let group = "board";
    let place = nearest_existing(board);
    let mut checks = vec![writable(board, &place)];
    match rustix::fs::statvfs(&place) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let check = Check::new(
                group,
                "free space",
                State::Ok,
                format!("{:.1} GiB", gib(free)),
            );
            checks.push(if free >= LITTLE_SPACE {
                check
            } else {
                Check {
                    state: State::Note,
                    ..check
                }
                .advice("make room, or put the board elsewhere with `board` in config.toml")
            });
        }
        Err(error) => checks.push(Check::new(
            group,
            "free space",
            State::Note,
            error.to_string(),
        )),
    }
    if let Some(kind) = network_file_system(&place) {
        checks.push(
            Check::new(group, "file system", State::Problem, kind)
                .advice("locks of SQLite can't be relied on here: put the board on a local disk"),
        );
    }
    checks.extend(schema(board));
    checks.extend(worktrees(board));
    checks
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

fn nearest_existing(path: &Path) -> PathBuf {
    let existing = path.ancestors().find(|dir| dir.exists());
    existing.unwrap_or(Path::new("/")).to_owned()
}

/// Tries it with a nameless file: permission bits alone do not tell of read-only mounts.
fn writable(board: &Path, place: &Path) -> Check {
    let shown = board.display().to_string();
    let tried = if place.is_dir() {
        tempfile::tempfile_in(place).map(drop)
    } else {
        Err(std::io::Error::other("there is a file in its place"))
    };
    match tried {
        Ok(()) if board.exists() => Check::new("board", "directory", State::Ok, shown),
        Ok(()) => Check::new(
            "board",
            "directory",
            State::Ok,
            format!("{shown} (made when it is needed)"),
        ),
        Err(error) => Check::new(
            "board",
            "directory",
            State::Problem,
            format!("{shown}: {error}"),
        )
        .advice(format!(
            "make {} writable, or choose another with --board",
            place.display()
        )),
    }
}

/// Kinds on which locks or memory maps of SQLite are known to fail, by the numbers of `statfs`(2).
#[cfg(target_os = "linux")]
fn network_file_system(place: &Path) -> Option<&'static str> {
    // The numbers are 32 bits wide; the field is signed and its width differs between machines.
    #[expect(
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation,
        reason = "a bit pattern"
    )]
    let kind = rustix::fs::statfs(place).ok()?.f_type as u32;
    match kind {
        0x6969 => Some("NFS"),
        0x517B | 0xFE53_4D42 | 0xFF53_4D42 => Some("SMB"),
        0x0102_1997 => Some("9p"),
        0x5346_414F => Some("AFS"),
        0x00C3_6400 => Some("Ceph"),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
fn network_file_system(_place: &Path) -> Option<&'static str> {
    None
}

fn schema(board: &Path) -> Option<Check> {
    let options = Options {
        signal_dir: None,
        ..Options::board(board)
    };
    if !options.path.is_file() {
        return None;
    }
    let opened = callboard_board::open_with(options)
        .map_err(anyhow::Error::from)
        .and_then(|store| Ok(store.read_now(callboard_scheduling::board_counts)?));
    Some(match opened {
        Ok(counts) => {
            let known = callboard_scheduling::MIGRATIONS
                .last()
                .map_or(0, |m| m.version);
            let tasks: u64 = counts.iter().map(|row| u64::from(row.tasks)).sum();
            Check::new(
                "board",
                "schema",
                State::Ok,
                format!("version {known}, {tasks} tasks"),
            )
        }
        Err(error) => Check::new("board", "schema", State::Problem, format!("{error:#}")),
    })
}

fn worktrees(board: &Path) -> Option<Check> {
    let entries = std::fs::read_dir(board.join("worktrees")).ok()?;
    let count = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .count();
    let check = Check::new("board", "worktrees", State::Ok, format!("{count} on disk"));
    if count == 0 {
        return Some(check);
    }
    Some(
        Check {
            state: State::Note,
            ..check
        }
        .advice("of attempts that run or were cut short; `callboard run <project>` goes on and cleans up"),
    )
}

// --- Projects.

fn projects(environment: &Environment) -> Vec<Check> {
    let register = match Projects::of(environment) {
        Ok(register) => register,
        Err(error) => {
            return vec![Check::new(
                "projects",
                "register",
                State::Problem,
                error.to_string(),
            )];
        }
    };
    match register.all() {
        Ok(all) => all
            .iter()
            .map(|(root, project)| project_check(root, project))
            .collect(),
        Err(error) => vec![Check::new(
            "projects",
            "register",
            State::Problem,
            error.to_string(),
        )],
    }
}

fn project_check(root: &Path, project: &Project) -> Check {
    let name = root.display().to_string();
    if !root.is_dir() {
        return Check::new("projects", name, State::Note, "is gone")
            .advice("its entry in projects.toml does no harm");
    }
    let board = project
        .board
        .as_ref()
        .map_or_else(String::new, |board| format!("; board {}", board.display()));
    let (state, trust) = match (ProjectFile::read(root), &project.trusted) {
        (Err(error), _) => (State::Note, error.to_string()),
        (Ok(Some(file)), Some(trusted)) if file.sha256 == *trusted => {
            (State::Ok, "trusted".to_owned())
        }
        (Ok(Some(file)), _) if file.dangerous().is_empty() => {
            (State::Ok, "needs no trust".to_owned())
        }
        (Ok(Some(_)), Some(_)) => (State::Note, "changed since it was trusted".to_owned()),
        (Ok(Some(_)), None) => (State::Note, "not trusted".to_owned()),
        (Ok(None), _) => (State::Ok, "no configuration of its own".to_owned()),
    };
    let check = Check::new("projects", name.clone(), state, format!("{trust}{board}"));
    if trust.contains("not trusted") || trust.contains("changed") {
        return check.advice(format!(
            "review its callboard.toml, then `callboard trust {name}`"
        ));
    }
    check
}

// --- Telling.

fn tell(answer: &Answer, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "callboard {}", answer.version)?;
    if let Some(project) = &answer.project {
        writeln!(out, "project   {}", project.display())?;
    }
    let width = answer
        .checks
        .iter()
        .map(|c| c.name.chars().count().min(24))
        .max()
        .unwrap_or(0);
    let mut group = "";
    for check in &answer.checks {
        if check.group != group {
            group = check.group;
            writeln!(out, "\n{group}")?;
        }
        tell_check(check, width, out).context("the answer can't be written")?;
    }
    let said: Vec<&SettingRow> = answer
        .settings
        .iter()
        .filter(|row| row.source != "default")
        .collect();
    if !said.is_empty() {
        writeln!(out, "\nsettings that are not the default")?;
    }
    for row in said {
        writeln!(out, "  {} = {}   ({})", row.key, row.value, row.source)?;
    }
    let is_problem = |check: &&Check| check.state == State::Problem;
    match answer.checks.iter().filter(is_problem).count() {
        0 => writeln!(out, "\nNo problems.")?,
        1 => writeln!(out, "\n1 problem, which stops `callboard run`.")?,
        more => writeln!(out, "\n{more} problems, which stop `callboard run`.")?,
    }
    Ok(())
}

fn tell_check(check: &Check, width: usize, out: &mut dyn Write) -> std::io::Result<()> {
    let Check { name, found, .. } = check;
    let margin = format!("\n{:margin$}", "", margin = width + 13);
    let mut text = found.replace('\n', &margin);
    if !check.needed_by.is_empty() {
        text.push_str(&format!("   [for {}]", check.needed_by));
    }
    if !check.advice.is_empty() {
        text.push_str(&format!("{margin}-> {}", check.advice));
    }
    writeln!(out, "  {:<8} {name:<width$}  {text}", check.state.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rig {
        dir: tempfile::TempDir,
    }

    /// A machine with a home, a project that is a repository, and a `bin` with these programs.
    fn rig(programs: &[(&str, &str)]) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let rig = Rig { dir };
        std::fs::create_dir_all(rig.path("project/.git")).unwrap();
        std::fs::create_dir(rig.path("bin")).unwrap();
        for (name, script) in programs {
            install(&rig.path(&format!("bin/{name}")), script);
        }
        rig
    }

    /// Another process writes the script: while a thread of ours starts a program, no file that we have open for
    /// writing can be executed.
    #[expect(clippy::disallowed_methods, reason = "a test makes a program")]
    fn install(path: &Path, script: &str) {
        let write = r#"printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod +x "$1""#;
        let status = Command::new("/bin/sh")
            .args(["-c", write, "sh"])
            .arg(path)
            .arg(script)
            .status();
        assert!(status.unwrap().success());
    }

    const GIT: (&str, &str) = ("git", "echo git version 2.39.5");

    impl Rig {
        fn path(&self, below: &str) -> PathBuf {
            self.dir.path().join(below)
        }

        fn put(&self, below: &str, text: &str) {
            std::fs::create_dir_all(self.path(below).parent().unwrap()).unwrap();
            let mut file = std::fs::File::create(self.path(below)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn environment(&self) -> Environment {
            let vars = [("HOME", self.path("home")), ("PATH", self.path("bin"))];
            Environment::of(vars, self.path("project"))
        }

        fn answer(&self) -> Answer {
            let args = DoctorArgs {
                path: None,
                json: false,
            };
            examine(&args, &self.environment())
        }

        fn check(&self, name: &str) -> Check {
            let found = self
                .answer()
                .checks
                .into_iter()
                .find(|check| check.name == name);
            found.unwrap_or_else(|| panic!("no check {name}"))
        }
    }

    #[test]
    fn a_machine_with_git_alone_is_healthy() {
        let rig = rig(&[GIT]);
        let answer = rig.answer();
        assert!(answer.healthy, "{:#?}", answer.checks);
        assert_eq!(rig.check("git").found, "git version 2.39.5");
        let gh = rig.check("gh");
        assert_eq!(gh.state, State::Missing);
        assert!(!gh.advice.is_empty() && !gh.needed_by.is_empty());
        assert!(!rig.path("home").exists(), "looking must create nothing");
    }

    #[test]
    fn every_missing_program_says_who_needs_it_and_what_to_type() {
        for check in rig(&[GIT]).answer().checks {
            if check.group == "programs" {
                assert!(!check.needed_by.is_empty(), "{}", check.name);
                assert!(
                    check.state == State::Ok || !check.advice.is_empty(),
                    "{}",
                    check.name
                );
            }
        }
    }

    #[test]
    fn git_is_needed_and_must_be_new_enough() {
        assert_eq!(rig(&[]).check("git").state, State::Problem);
        let old = rig(&[("git", "echo git version 2.37.9 (Apple Git-1)")]);
        assert_eq!(old.check("git").state, State::Problem);
        assert!(old.check("git").advice.contains("2.38"));
        assert!(!old.answer().healthy);
        assert_eq!(rig(&[("git", "exit 1")]).check("git").state, State::Problem);
    }

    #[test]
    fn versions() {
        assert_eq!(version_in("git version 2.47.3"), Some((2, 47)));
        assert_eq!(
            version_in("git version 2.39.5 (Apple Git-154)"),
            Some((2, 39))
        );
        assert_eq!(version_in("git version next"), None);
    }

    #[test]
    fn what_to_type_fits_the_machine() {
        let apt = rig(&[GIT, ("apt-get", "")]);
        assert_eq!(apt.check("tmux").advice, "sudo apt-get install tmux");
        let brew = rig(&[GIT, ("brew", "")]);
        assert_eq!(brew.check("psql").advice, "brew install libpq");
    }

    #[test]
    fn gh_may_be_there_and_not_logged_in() {
        let rig = rig(&[GIT, ("gh", "test \"$1\" != auth && echo gh version 2.23.0")]);
        assert_eq!(rig.check("gh").state, State::Ok);
        assert_eq!(rig.check("gh login").advice, "gh auth login");
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_its_children() {
        let rig = rig(&[
            GIT,
            ("tmux", "/bin/sleep 600 & echo $! > \"$HOME/child\"; wait"),
        ]);
        std::fs::create_dir(rig.path("home")).unwrap();
        let check = rig.check("tmux");
        assert_eq!(check.state, State::Note);
        assert!(check.found.contains("does not answer"), "{}", check.found);
        let child = std::fs::read_to_string(rig.path("home/child")).unwrap();
        let dead = || match std::fs::read_to_string(format!("/proc/{}/stat", child.trim())) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        // A killed process is gone when the kernel comes to it.
        let deadline = Instant::now() + Duration::from_secs(20);
        while !dead() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(dead(), "the child is still there");
    }

    #[test]
    fn a_program_that_leaves_its_pipe_open_is_no_trouble() {
        let rig = rig(&[
            GIT,
            (
                "tmux",
                "/bin/sleep 600 & echo $! > \"$HOME/child\"; echo tmux 3.3a",
            ),
        ]);
        std::fs::create_dir(rig.path("home")).unwrap();
        assert_eq!(rig.check("tmux").found, "tmux 3.3a");
        let child = std::fs::read_to_string(rig.path("home/child")).unwrap();
        let child = rustix::process::Pid::from_raw(child.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(child, rustix::process::Signal::KILL).unwrap();
    }

    #[test]
    fn every_problem_of_the_configuration_is_told() {
        let rig = rig(&[GIT]);
        rig.put("home/.config/callboard/config.toml", "[run]\nagnets = 2\n");
        rig.put("project/callboard.toml", "[tests]\ntimeout = 3\n");
        let problems: Vec<String> = rig
            .answer()
            .checks
            .into_iter()
            .filter(|check| check.state == State::Problem)
            .map(|check| check.found)
            .collect();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].contains("config.toml:2: run.agnets"));
        assert!(problems[1].contains("callboard.toml:2: tests.timeout"));
    }

    #[test]
    fn an_untrusted_project_is_a_note_with_what_to_type() {
        let rig = rig(&[GIT]);
        rig.put("project/callboard.toml", "[tests]\ncommand = \"make\"\n");
        let trust = rig.check("trust");
        assert_eq!(trust.state, State::Note);
        assert!(trust.found.contains("callboard trust"), "{}", trust.found);
        assert!(rig.answer().healthy);
    }

    #[test]
    fn registered_projects_and_their_trust() {
        let rig = rig(&[GIT]);
        rig.put("project/callboard.toml", "[tests]\ncommand = \"make\"\n");
        let root = rig.path("project").canonicalize().unwrap();
        let name = root.display().to_string();
        let register = Projects::of(&rig.environment()).unwrap();
        let file = ProjectFile::read(&root).unwrap().unwrap();
        register.trust(&root, &file.sha256).unwrap();
        assert_eq!(rig.check(&name).found, "trusted");
        rig.put("project/callboard.toml", "[tests]\ncommand = \"other\"\n");
        assert!(rig.check(&name).found.contains("changed"));
        std::fs::remove_dir_all(&root).unwrap();
        let args = DoctorArgs {
            path: Some("/".into()),
            json: false,
        };
        let gone = examine(&args, &rig.environment());
        assert!(gone.healthy && gone.checks.iter().any(|check| check.found == "is gone"));
    }

    #[test]
    fn a_board_that_cannot_be_written_stops_everything() {
        let rig = rig(&[GIT]);
        rig.put("home/.local/share/callboard", "a file in its place");
        let check = rig.check("directory");
        assert_eq!(check.state, State::Problem);
        assert!(check.advice.contains("--board"), "{}", check.advice);
    }

    #[test]
    fn a_board_from_the_future_is_told() {
        let rig = rig(&[GIT]);
        let board = rig.path("home/.local/share/callboard");
        std::fs::create_dir_all(&board).unwrap();
        let options = || Options {
            signal_dir: None,
            ..Options::board(&board)
        };
        drop(callboard_board::open_with(options()).unwrap());
        assert_eq!(rig.check("schema").state, State::Ok);
        let mut newer = callboard_scheduling::MIGRATIONS.to_vec();
        let last = newer[newer.len() - 1];
        newer.push(callboard_store::Migration {
            component: last.component,
            version: last.version + 1,
            sql: "CREATE TABLE later (x INTEGER)",
        });
        drop(callboard_store::Store::open(options(), &[&newer]).unwrap());
        assert_eq!(rig.check("schema").state, State::Problem);
    }

    #[test]
    fn an_agent_whose_program_is_missing() {
        let rig = rig(&[GIT]);
        rig.put(
            "home/.config/callboard/config.toml",
            "[run]\nagent = \"b\"\n[agents.a]\ncommand = \"nowhere-to-be-found\"\n",
        );
        assert_eq!(rig.check("agent a").state, State::Missing);
        assert_eq!(rig.check("run.agent").state, State::Problem);
    }

    #[test]
    fn both_forms_tell_the_same() {
        let rig = rig(&[GIT]);
        rig.put("project/callboard.toml", "[run]\nagents = 2\n");
        let run = |json| {
            let mut out = Vec::new();
            let code = doctor(
                &DoctorArgs { path: None, json },
                &rig.environment(),
                &mut out,
            )
            .unwrap();
            assert_eq!(code, ExitCode::SUCCESS);
            String::from_utf8(out).unwrap()
        };
        let text = run(false);
        assert!(
            text.contains("No problems") && text.contains("run.agents = 2"),
            "{text}"
        );
        let json: serde_json::Value = serde_json::from_str(&run(true)).unwrap();
        assert_eq!(json["healthy"], true);
        for check in json["checks"].as_array().unwrap() {
            assert!(text.contains(check["name"].as_str().unwrap()), "{check}");
        }
    }
}
