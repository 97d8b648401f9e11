//! For: pull requests through GitHub's own program `gh`, where it is installed and logged in to the remote's host.
//! Otherwise the reason why there are none, to be shown; the pushed branch is then the result.
//! Not for: merging: that is done here, in order, and pushed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::process::{Input, Request};
use crate::program::{Answer, REPOSITORY_VARIABLES, describe, execute};
use crate::{Environment, GitError, Oid, Remote, Repo};

const LIMIT: Duration = Duration::from_secs(60);
const OUTPUT: usize = 4 * 1024 * 1024;

/// The way to open pull requests for one remote.
#[derive(Clone, Debug)]
pub struct PullRequests {
    gh: Gh,
    repository: String,
}

/// Why there are no pull requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// The remote is a path, so nobody could look at one.
    NoHost,
    /// `gh` is not on PATH.
    NoProgram,
    /// `gh` is not logged in to the host, or does not know it.
    NotLoggedIn {
        /// The host.
        host: String,
    },
}

/// Where a pull request stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullRequestState {
    /// Waiting.
    Open,
    /// Merged.
    Merged {
        /// The commit on the target branch, if the host says it.
        commit: Option<Oid>,
    },
    /// Closed without a merge.
    Closed,
}

/// A pull request to open.
#[derive(Clone, Copy, Debug)]
pub struct NewPullRequest<'a> {
    /// The branch to merge into, on the remote.
    pub base: &'a str,
    /// The branch to merge, pushed already.
    pub head: &'a str,
    /// One line.
    pub title: &'a str,
    /// Markdown.
    pub body: &'a str,
}

#[derive(Clone, Debug)]
struct Gh {
    environment: Environment,
    dir: PathBuf,
    tag: String,
}

#[derive(Deserialize)]
struct Listed {
    url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Viewed {
    state: String,
    merge_commit: Option<ViewedCommit>,
}

#[derive(Deserialize)]
struct ViewedCommit {
    oid: String,
}

impl PullRequests {
    /// Looks whether pull requests can be opened on a remote; asks `gh` alone, opens nothing.
    pub fn detect(repo: &Repo, remote: &Remote) -> Result<PullRequests, Unavailable> {
        let (host, owner, name) = remote.slug().ok_or(Unavailable::NoHost)?;
        let gh = Gh {
            environment: repo.git().environment().clone(),
            dir: repo.root().to_owned(),
            tag: repo.tag().to_owned(),
        };
        match gh.run(&["auth", "status", "--hostname", &host], None) {
            Ok(_) => Ok(PullRequests {
                gh,
                repository: format!("{host}/{owner}/{name}"),
            }),
            Err(GitError::NoProgram { .. }) => Err(Unavailable::NoProgram),
            Err(_) => Err(Unavailable::NotLoggedIn { host }),
        }
    }

    /// Opens a pull request and returns its address. One that is open already for the same branches is returned
    /// instead, so a call that a crash cut short can be repeated.
    pub fn create(&self, new: &NewPullRequest<'_>) -> Result<String, GitError> {
        crate::check_branch(new.base)?;
        crate::check_branch(new.head)?;
        if let Some(url) = self.open_one(new)? {
            return Ok(url);
        }
        let (base, head) = (
            format!("--base={}", new.base),
            format!("--head={}", new.head),
        );
        let title = format!("--title={}", crate::message::clean_value(new.title));
        let arguments = [
            "pr",
            "create",
            "--repo",
            &self.repository,
            &base,
            &head,
            &title,
            "--body-file",
            "-",
        ];
        let answer = self.gh.run(&arguments, Some(new.body))?;
        let text = String::from_utf8_lossy(&answer.stdout);
        let url = text
            .split_whitespace()
            .rev()
            .find(|word| word.starts_with("https://"))
            .map(str::to_owned);
        url.ok_or_else(|| answer.unexpected())
    }

    /// Where the pull request with an address returned by [`PullRequests::create`] stands.
    pub fn state(&self, url: &str) -> Result<PullRequestState, GitError> {
        if !url.starts_with("https://") || url.contains(char::is_whitespace) {
            return Err(GitError::invalid(
                "pull request address",
                url,
                "it must start with https://",
            ));
        }
        let answer = self
            .gh
            .run(&["pr", "view", url, "--json", "state,mergeCommit"], None)?;
        let Ok(viewed) = serde_json::from_slice::<Viewed>(&answer.stdout) else {
            return Err(answer.unexpected());
        };
        let commit = viewed
            .merge_commit
            .and_then(|commit| Oid::parse(&commit.oid).ok());
        Ok(match viewed.state.as_str() {
            "MERGED" => PullRequestState::Merged { commit },
            "CLOSED" => PullRequestState::Closed,
            _ => PullRequestState::Open,
        })
    }

    fn open_one(&self, new: &NewPullRequest<'_>) -> Result<Option<String>, GitError> {
        let (base, head) = (
            format!("--base={}", new.base),
            format!("--head={}", new.head),
        );
        let arguments = [
            "pr",
            "list",
            "--repo",
            &self.repository,
            "--state=open",
            &base,
            &head,
            "--json",
            "url",
        ];
        let answer = self.gh.run(&arguments, None)?;
        let Ok(listed) = serde_json::from_slice::<Vec<Listed>>(&answer.stdout) else {
            return Err(answer.unexpected());
        };
        Ok(listed.into_iter().next().map(|listed| listed.url))
    }
}

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unavailable::NoHost => f.write_str("the remote is not on a host"),
            Unavailable::NoProgram => f.write_str("gh is not installed"),
            Unavailable::NotLoggedIn { host } => write!(
                f,
                "gh is not logged in to {host}: `gh auth login --hostname {host}`"
            ),
        }
    }
}

impl Gh {
    fn run(&self, args: &[&str], stdin: Option<&str>) -> Result<Answer, GitError> {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let command = describe("gh", &args);
        let settings = [
            ("CALLBOARD_GIT", self.tag.as_str()),
            ("GH_PROMPT_DISABLED", "1"),
            ("GH_NO_UPDATE_NOTIFIER", "1"),
            ("NO_COLOR", "1"),
            ("GH_PAGER", "cat"),
        ];
        let request = Request {
            program: "gh".into(),
            args,
            dir: self.dir.clone(),
            base: self.environment.clone(),
            remove: REPOSITORY_VARIABLES,
            env: settings
                .iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
            stdin: stdin.map_or(Input::Nothing, |text| Input::Bytes(text.into())),
            limit: LIMIT,
            max_stdout: OUTPUT,
        };
        let answer = execute(request, &command)?;
        if answer.code == 0 {
            Ok(answer)
        } else {
            Err(answer.failure())
        }
    }
}
