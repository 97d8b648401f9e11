//! For: how git is called: the program, its environment, the options that make every call safe and repeatable.
//! Our settings ride on `-c`, so they hold for this call and its hooks and never enter the user's configuration.
//! Not for: what the calls mean.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Failure;
use crate::process::{self, Broken, Input, Request};
use crate::{GitError, Oid};

/// The usual limit of a call.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(120);
/// The limit of a call that uses the network, runs hooks or fills a work tree.
pub(crate) const LONG_LIMIT: Duration = Duration::from_secs(300);
const STDOUT_LIMIT: usize = 64 * 1024 * 1024;

/// The environment a program starts with, before the variables that would lead git elsewhere are taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Environment {
    /// Ours: credential helpers, `SSH_AUTH_SOCK` and the like work as for the user.
    Inherit,
    /// Exactly these variables.
    Exactly(Vec<(OsString, OsString)>),
}

impl Environment {
    #[expect(
        clippy::disallowed_methods,
        reason = "asks only whether the user chose an ssh command, which git inherits"
    )]
    fn has(&self, name: &str) -> bool {
        match self {
            Environment::Inherit => std::env::var_os(name).is_some(),
            Environment::Exactly(vars) => vars.iter().any(|(key, _)| key == name),
        }
    }
}

/// The git program and the environment it runs in.
#[derive(Clone, Debug)]
pub struct Git {
    program: PathBuf,
    environment: Environment,
}

impl Default for Git {
    fn default() -> Git {
        Git::new("git", Environment::Inherit)
    }
}

impl Git {
    /// A git program by name (looked up on the environment's PATH) or path.
    pub fn new(program: impl Into<PathBuf>, environment: Environment) -> Git {
        Git {
            program: program.into(),
            environment,
        }
    }

    /// The environment given at construction.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// What `git version` says, as `(major, minor)`, refused below 2.38.
    pub fn version(&self) -> Result<(u32, u32), GitError> {
        let text = Call::new(self, "", Path::new("/"))
            .args(["version"])
            .text()?;
        let found = parse_version(&text);
        found
            .filter(|version| *version >= (2, 38))
            .ok_or(GitError::TooOld { found: text })
    }
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_whitespace().nth(2)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Variables that point git at another repository, index or object store, or change the form of its answers.
/// `GIT_CONFIG_COUNT` stays: it is how containers hand git their configuration.
pub(crate) const REPOSITORY_VARIABLES: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ATTR_SOURCE",
    "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_DATE",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DEFAULT_HASH",
    "GIT_DEFAULT_REF_FORMAT",
    "GIT_DIFF_OPTS",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GLOB_PATHSPECS",
    "GIT_GRAFT_FILE",
    "GIT_ICASE_PATHSPECS",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INDEX_VERSION",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PAGER",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SEQUENCE_EDITOR",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Set on every call. `committed` alone leaves out refs in the manual's reading, so both are named. A file system
/// monitor would outlive us in every worktree; relative worktree links make a repository unreadable for older gits.
const SETTINGS: &[&str] = &[
    "core.fsync=committed,reference",
    "gc.auto=0",
    "maintenance.auto=false",
    "core.fsmonitor=false",
    "core.safecrlf=false",
    "core.quotePath=false",
    "core.splitIndex=false",
    "submodule.recurse=false",
    "color.ui=false",
    "log.showSignature=false",
    "i18n.commitEncoding=utf-8",
    "i18n.logOutputEncoding=utf-8",
    "worktree.useRelativePaths=false",
];

/// One call of git, being put together.
pub(crate) struct Call<'a> {
    git: &'a Git,
    tag: &'a str,
    dir: PathBuf,
    settings: Vec<OsString>,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    stdin: Input,
    limit: Duration,
    accepted: &'static [i32],
}

/// What an accepted call gave.
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
    pub(crate) command: String,
}

impl<'a> Call<'a> {
    pub(crate) fn new(git: &'a Git, tag: &'a str, dir: &Path) -> Call<'a> {
        Call {
            git,
            tag,
            dir: dir.to_owned(),
            settings: Vec::new(),
            args: Vec::new(),
            env: Vec::new(),
            stdin: Input::Nothing,
            limit: CALL_LIMIT,
            accepted: &[0],
        }
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub(crate) fn arg(self, arg: impl AsRef<OsStr>) -> Self {
        self.args([arg])
    }

    /// A `-c` of this call.
    pub(crate) fn setting(mut self, setting: impl Into<OsString>) -> Self {
        self.settings.push(setting.into());
        self
    }

    pub(crate) fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((key.into(), value.as_ref().to_owned()));
        self
    }

    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Input::Bytes(bytes.into());
        self
    }

    /// Keeps a lock until this call has ended, even when we end first.
    pub(crate) fn holding(mut self, lock: &File) -> Result<Self, GitError> {
        let lock = lock
            .try_clone()
            .map_err(|e| GitError::io("passing on the lock", e))?;
        self.stdin = Input::Held(lock);
        Ok(self)
    }

    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Exit codes besides 0 that are answers, not failures.
    pub(crate) fn accept(mut self, codes: &'static [i32]) -> Self {
        self.accepted = codes;
        self
    }

    /// Takes no lock on the index, not even to refresh it.
    pub(crate) fn reading(self) -> Self {
        self.env("GIT_OPTIONAL_LOCKS", "0")
    }

    /// Paths mean themselves, never patterns. Not on calls that run hooks: they inherit it.
    pub(crate) fn literal(self) -> Self {
        self.env("GIT_LITERAL_PATHSPECS", "1")
    }

    /// Nobody answers a question: ssh has to fail instead, unless the user chose an ssh command.
    pub(crate) fn network(mut self) -> Self {
        let chosen = ["GIT_SSH_COMMAND", "GIT_SSH"]
            .iter()
            .any(|name| self.git.environment.has(name));
        if !chosen && !self.has_ssh_setting() {
            self = self.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
        }
        self.limit(LONG_LIMIT)
    }

    fn has_ssh_setting(&self) -> bool {
        let asked =
            Call::new(self.git, self.tag, &self.dir).args(["config", "--get", "core.sshCommand"]);
        asked
            .accept(&[0, 1])
            .run()
            .is_ok_and(|answer| answer.code == 0)
    }

    pub(crate) fn run(self) -> Result<Answer, GitError> {
        let command = self.describe();
        let accepted = self.accepted;
        let answer = execute(self.request(), &command)?;
        if accepted.contains(&answer.code) {
            Ok(answer)
        } else {
            Err(answer.failure())
        }
    }

    /// Standard output without its last line end.
    pub(crate) fn text(self) -> Result<String, GitError> {
        let answer = self.run()?;
        let text = String::from_utf8_lossy(&answer.stdout);
        Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
    }

    /// Standard output as one object name.
    pub(crate) fn oid(self) -> Result<Oid, GitError> {
        let answer = self.run()?;
        Oid::parse(&String::from_utf8_lossy(&answer.stdout)).map_err(|_| answer.unexpected())
    }

    fn request(self) -> Request {
        let mut args: Vec<OsString> = vec!["--no-pager".into()];
        let ours = SETTINGS.iter().map(OsString::from);
        for setting in ours.chain(self.settings) {
            args.push("-c".into());
            args.push(setting);
        }
        args.extend(self.args);
        let mut env: Vec<(OsString, OsString)> = vec![
            ("CALLBOARD_GIT".into(), self.tag.into()),
            ("GIT_TERMINAL_PROMPT".into(), "0".into()),
            ("GIT_EDITOR".into(), "true".into()),
            ("LC_ALL".into(), "C".into()),
        ];
        env.extend(self.env);
        Request {
            program: self.git.program.clone(),
            args,
            dir: self.dir,
            base: self.git.environment.clone(),
            remove: REPOSITORY_VARIABLES,
            env,
            stdin: self.stdin,
            limit: self.limit,
            max_stdout: STDOUT_LIMIT,
        }
    }

    fn describe(&self) -> String {
        describe("git", &self.args)
    }
}

impl Answer {
    /// The answer as an error, for codes that are accepted but not in this case.
    pub(crate) fn failure(self) -> GitError {
        let code = Some(self.code).filter(|code| *code >= 0);
        GitError::Failed(Box::new(Failure {
            command: self.command,
            code,
            stderr: self.stderr,
        }))
    }

    pub(crate) fn unexpected(self) -> GitError {
        let what: String = String::from_utf8_lossy(&self.stdout)
            .chars()
            .take(200)
            .collect();
        GitError::Unexpected {
            command: self.command,
            what,
        }
    }
}

pub(crate) fn describe(program: &str, args: &[OsString]) -> String {
    let words = args.iter().map(|arg| arg.to_string_lossy().into_owned());
    let line = std::iter::once(program.to_owned())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ");
    redact(&line).chars().take(300).collect()
}

pub(crate) fn execute(request: Request, command: &str) -> Result<Answer, GitError> {
    let (program, limit, bound) = (request.program.clone(), request.limit, request.max_stdout);
    let dir = request.dir.clone();
    let command = command.to_owned();
    let finished = process::run(request).map_err(|broken| match broken {
        Broken::NotStarted(_) if !dir.is_dir() => GitError::NotARepository { path: dir },
        Broken::NotStarted(source) => GitError::NoProgram {
            program: program.display().to_string(),
            source,
        },
        Broken::TimedOut => GitError::TimedOut {
            command: command.clone(),
            after: limit,
        },
        Broken::TooMuchOutput => GitError::TooMuchOutput {
            command: command.clone(),
            limit: bound,
        },
        Broken::Io(source) => GitError::io(format!("talking to `{command}`"), source),
    })?;
    Ok(Answer {
        code: finished.status.code().unwrap_or(-1),
        stdout: finished.stdout,
        stderr: last(
            redact(String::from_utf8_lossy(&finished.stderr).trim()),
            4_000,
        ),
        command,
    })
}

fn last(text: String, max: usize) -> String {
    let surplus = text.chars().count().saturating_sub(max);
    text.chars().skip(surplus).collect()
}

/// Takes user names and passwords out of addresses: `https://name:token@host/` becomes `https://***@host/`.
pub(crate) fn redact(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        clean.push_str(before);
        let end = after
            .find(|c: char| c == '/' || c.is_whitespace() || "'\"`<>".contains(c))
            .unwrap_or(after.len());
        let authority = &after[..end];
        match authority.rsplit_once('@') {
            Some((_, host)) => clean.extend(["***@", host]),
            None => clean.push_str(authority),
        }
        rest = &after[end..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::{parse_version, redact};

    #[test]
    fn credentials_are_taken_out_of_addresses() {
        let text = "fatal: unable to access 'https://me:s3cret@host.example/a.git/': see http://x@y and ssh://h/p";
        let clean = "fatal: unable to access 'https://***@host.example/a.git/': see http://***@y and ssh://h/p";
        assert_eq!(redact(text), clean);
        assert_eq!(redact("https://a:b@c@host/p"), "https://***@host/p");
        assert_eq!(redact("nothing here"), "nothing here");
    }

    #[test]
    fn versions_of_distributions_are_read() {
        assert_eq!(parse_version("git version 2.39.5"), Some((2, 39)));
        assert_eq!(
            parse_version("git version 2.47.3 (Apple Git-1)"),
            Some((2, 47))
        );
        assert_eq!(parse_version("git version 3.0.rc1"), Some((3, 0)));
        assert_eq!(parse_version("hello"), None);
    }
}
