//! For: the other side: what origin is, what a branch is there, fetching it aside, pushing under a condition.
//! Fetches land in `refs/callboard/remote/`, never in the user's own refs; a refused push is a value, not an error.
//! Not for: pull requests (pr).

use serde::Serialize;

use crate::name::check_remote;
use crate::program::redact;
use crate::{GitError, Oid, Repo, check_branch};

/// A remote as the user configured it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remote {
    /// Its name, such as `origin`.
    pub name: String,
    /// Its address for pushing, without user name and password.
    pub url: String,
    /// The host; `None` for a path or `file://`.
    pub host: Option<String>,
}

/// The condition of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lease {
    /// The branch there is an ancestor of what is pushed, or missing.
    FastForward,
    /// The branch does not exist there.
    MustNotExist,
    /// The branch is exactly there; it may be rewritten.
    At(Oid),
}

/// What a push did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushOutcome {
    /// The branch there is now at the commit.
    Pushed,
    /// It was there already.
    UpToDate,
    /// The other side, or the condition, refused; nothing changed there.
    Rejected {
        /// Which of the two.
        rejection: Rejection,
        /// In git's words.
        reason: String,
    },
}

/// Why a push was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The branch there is not where the condition wants it: fetch, and decide anew.
    Moved,
    /// The other side does not take it (a hook, a protected branch).
    Refused,
}

impl Remote {
    /// `host`, `owner`, `repository` of an address on a forge; `None` for paths and other forms.
    pub fn slug(&self) -> Option<(String, String, String)> {
        let host = self.host.clone()?;
        let path = address_path(&self.url)?.trim_matches('/');
        let (owner, name) = path.strip_suffix(".git").unwrap_or(path).rsplit_once('/')?;
        let plain = |part: &str| {
            !part.is_empty() && !part.starts_with('-') && !part.contains(char::is_whitespace)
        };
        (plain(owner) && plain(name)).then(|| (host, owner.to_owned(), name.to_owned()))
    }
}

impl Repo {
    /// The remote `origin`, if there is one.
    pub fn origin(&self) -> Result<Option<Remote>, GitError> {
        self.remote("origin")
    }

    /// A remote by name, if there is one.
    pub fn remote(&self, name: &str) -> Result<Option<Remote>, GitError> {
        check_remote(name)?;
        let names = self.call().reading().arg("remote").text()?;
        if !names.lines().any(|line| line == name) {
            return Ok(None);
        }
        let url = self
            .call()
            .reading()
            .args(["remote", "get-url", "--push", "--", name])
            .text()?;
        let url = redact(url.lines().next().unwrap_or_default());
        Ok(Some(Remote {
            name: name.to_owned(),
            host: host(&url),
            url,
        }))
    }

    /// Where a branch is on the other side, asked there.
    pub fn remote_branch(&self, remote: &str, branch: &str) -> Result<Option<Oid>, GitError> {
        let name = checked(remote, branch)?;
        let text = self
            .call()
            .network()
            .args(["ls-remote", "--", remote, &name])
            .text()?;
        let found = text
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .find(|(_, full)| *full == name);
        found.map(|(oid, _)| Oid::parse(oid)).transpose()
    }

    /// Fetches a branch into `refs/callboard/remote/<branch>`; `None` when the other side has none.
    pub fn fetch_branch(&self, remote: &str, branch: &str) -> Result<Option<Oid>, GitError> {
        let name = checked(remote, branch)?;
        if self.remote_branch(remote, branch)?.is_none() {
            return Ok(None);
        }
        let aside = format!("refs/callboard/remote/{branch}");
        let quiet = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--no-prune",
        ];
        let call = self
            .call()
            .network()
            .args(quiet)
            .args(["--refmap=", "--", remote]);
        call.arg(format!("+{name}:{aside}")).run()?;
        self.reference(&aside)
    }

    /// Pushes a commit to a branch there. The user's hooks run.
    pub fn push(
        &self,
        remote: &str,
        commit: &Oid,
        branch: &str,
        lease: &Lease,
    ) -> Result<PushOutcome, GitError> {
        let name = checked(remote, branch)?;
        let call = self.call().network().args([
            "push",
            "--porcelain",
            "--no-follow-tags",
            "--recurse-submodules=no",
        ]);
        let call = match lease {
            Lease::FastForward => call,
            Lease::MustNotExist => call.arg(format!("--force-with-lease={name}:")),
            Lease::At(expected) => call.arg(format!("--force-with-lease={name}:{expected}")),
        };
        let answer = call
            .args(["--", remote])
            .arg(format!("{commit}:{name}"))
            .accept(&[0, 1])
            .run()?;
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        match outcome(&text, &name, &answer.stderr) {
            Some(outcome) => Ok(outcome),
            None if answer.code != 0 => Err(answer.failure()),
            None => Err(answer.unexpected()),
        }
    }
}

fn checked(remote: &str, branch: &str) -> Result<String, GitError> {
    check_remote(remote)?;
    check_branch(branch)?;
    Ok(format!("refs/heads/{branch}"))
}

/// Reads the line of `push --porcelain` that is about our branch: `<flag>\t<from>:<to>\t<summary>`.
fn outcome(text: &str, name: &str, stderr: &str) -> Option<PushOutcome> {
    let fields = text
        .lines()
        .map(|line| line.splitn(3, '\t').collect::<Vec<_>>());
    let ours = |fields: &Vec<&str>| {
        fields.len() == 3 && fields[1].rsplit_once(':').is_some_and(|(_, to)| to == name)
    };
    let line = fields.into_iter().find(ours)?;
    Some(match line[0] {
        "=" => PushOutcome::UpToDate,
        "!" => rejected(line[2], stderr),
        _ => PushOutcome::Pushed,
    })
}

fn rejected(summary: &str, stderr: &str) -> PushOutcome {
    let moved = [
        "stale info",
        "fetch first",
        "non-fast-forward",
        "cannot lock ref",
        "already exists",
        "needs force",
    ];
    let rejection = if moved.iter().any(|sign| summary.contains(sign)) {
        Rejection::Moved
    } else {
        Rejection::Refused
    };
    let words: Vec<&str> = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("remote: "))
        .map(str::trim)
        .collect();
    PushOutcome::Rejected {
        rejection,
        reason: [&[summary], &words[..]]
            .concat()
            .join("\n")
            .trim()
            .to_owned(),
    }
}

/// The host of `scheme://[user@]host[:port]/path` or of `[user@]host:path`.
fn host(url: &str) -> Option<String> {
    let authority = match url.split_once("://") {
        Some(("file", _)) => return None,
        Some((_, rest)) => rest.split('/').next()?,
        None => scp_parts(url)?.0,
    };
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let host = if host.starts_with('[') {
        host.split_inclusive(']').next()?
    } else {
        host.split(':').next()?
    };
    (!host.is_empty() && !host.starts_with('-')).then(|| host.to_ascii_lowercase())
}

fn address_path(url: &str) -> Option<&str> {
    match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map(|(_, path)| path),
        None => scp_parts(url).map(|(_, path)| path),
    }
}

/// `host:path` is an address only when no slash comes before the colon; otherwise it is a file's name.
fn scp_parts(url: &str) -> Option<(&str, &str)> {
    url.split_once(':')
        .filter(|(host, _)| !host.contains('/') && !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{Remote, host};

    #[test]
    fn hosts_are_told_from_paths() {
        let cases = [
            ("https://***@github.com/o/r.git", Some("github.com")),
            ("ssh://git@Host.example:2222/o/r.git", Some("host.example")),
            ("git@github.com:o/r.git", Some("github.com")),
            ("https://[::1]:8443/o/r", Some("[::1]")),
            ("/srv/git/r.git", None),
            ("../origin", None),
            ("./a:b", None),
            ("file:///srv/r.git", None),
            ("ssh://-oProxyCommand=x/r", None),
        ];
        for (url, expected) in cases {
            assert_eq!(host(url).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn forge_addresses_are_taken_apart() {
        for url in [
            "https://github.com/o/r.git",
            "git@github.com:o/r",
            "ssh://git@github.com/o/r.git/",
        ] {
            let remote = Remote {
                name: "origin".into(),
                url: url.into(),
                host: host(url),
            };
            assert_eq!(
                remote.slug(),
                Some(("github.com".into(), "o".into(), "r".into())),
                "{url}"
            );
        }
    }
}
