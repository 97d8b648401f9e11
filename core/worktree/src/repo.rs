//! For: finding a repository and asking it simple questions: head, branches, ancestry, what the user has changed.
//! The user's own checkout is only ever read.
//! Not for: worktrees (checkout, work), merging (merge), remotes (remote).

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::program::Call;
use crate::{Git, GitError, Oid};

/// A git repository with a work tree. Cheap to clone; calls may come from several threads at once.
#[derive(Clone, Debug)]
pub struct Repo {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    git: Git,
    tag: String,
    root: PathBuf,
    common: PathBuf,
}

/// Where the user's checkout stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The branch, without `refs/heads/`; `None` when HEAD is detached.
    pub branch: Option<String>,
    /// The commit.
    pub commit: Oid,
}

impl Repo {
    /// Finds the repository that `path` is in. `tag` is put into the environment of every git call as
    /// `CALLBOARD_GIT`, so that a later process can recognise calls that outlived us.
    pub fn discover(path: &Path, tag: &str) -> Result<Repo, GitError> {
        Repo::discover_with(Git::default(), path, tag)
    }

    /// [`Repo::discover`] with a git program and environment of the caller's choice.
    pub fn discover_with(git: Git, path: &Path, tag: &str) -> Result<Repo, GitError> {
        if !path.is_dir() {
            return Err(GitError::NotARepository {
                path: path.to_owned(),
            });
        }
        git.version()?;
        let question = [
            "rev-parse",
            "--path-format=absolute",
            "--show-toplevel",
            "--git-common-dir",
        ];
        let answer = Call::new(&git, tag, path)
            .args(question)
            .accept(&[0, 128])
            .run()?;
        if answer.code != 0 {
            return Err(refusal(path, answer));
        }
        let text = answer.stdout.strip_suffix(b"\n").unwrap_or(&answer.stdout);
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        let [root, common] = lines[..] else {
            return Err(answer.unexpected());
        };
        // git records real paths in its worktrees, and they are compared with this one.
        let common = to_path(common);
        let common = common.canonicalize().unwrap_or(common);
        let inner = Inner {
            tag: tag.to_owned(),
            root: to_path(root),
            common,
            git,
        };
        Ok(Repo {
            inner: Arc::new(inner),
        })
    }

    /// The work tree that the path given to [`Repo::discover`] is in.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// The git directory that all worktrees of the repository share.
    pub fn git_dir(&self) -> &Path {
        &self.inner.common
    }

    /// The git program in use.
    pub fn git(&self) -> &Git {
        &self.inner.git
    }

    /// The name of the work tree's directory.
    pub fn name(&self) -> String {
        let name = self.root().file_name().unwrap_or(self.root().as_os_str());
        name.to_string_lossy().into_owned()
    }

    pub(crate) fn call(&self) -> Call<'_> {
        self.call_in(self.root())
    }

    pub(crate) fn call_in(&self, dir: &Path) -> Call<'_> {
        Call::new(self.git(), &self.inner.tag, dir)
    }

    pub(crate) fn tag(&self) -> &str {
        &self.inner.tag
    }

    /// Where the user's checkout stands; [`GitError::Unborn`] before the first commit.
    pub fn head(&self) -> Result<Head, GitError> {
        let commit = self.resolve("HEAD")?.ok_or_else(|| GitError::Unborn {
            root: self.root().to_owned(),
        })?;
        Ok(Head {
            branch: self.head_branch(self.root())?,
            commit,
        })
    }

    pub(crate) fn head_branch(&self, dir: &Path) -> Result<Option<String>, GitError> {
        let call = self
            .call_in(dir)
            .reading()
            .args(["symbolic-ref", "--quiet", "HEAD"]);
        let answer = call.accept(&[0, 1]).run()?;
        let name = String::from_utf8_lossy(&answer.stdout);
        Ok(name
            .trim_end()
            .strip_prefix("refs/heads/")
            .map(str::to_owned))
    }

    /// The commit a revision names, in any form git understands; `None` when it names none.
    pub fn resolve(&self, revision: &str) -> Result<Option<Oid>, GitError> {
        if revision.contains(|c: char| c.is_control()) {
            return Err(GitError::invalid(
                "revision",
                revision,
                "it has control characters",
            ));
        }
        let commit = format!("{revision}^{{commit}}");
        let call = self.call().reading().args([
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &commit,
        ]);
        let answer = call.accept(&[0, 1, 128]).run()?;
        if answer.code == 0 {
            Oid::parse(&String::from_utf8_lossy(&answer.stdout)).map(Some)
        } else {
            Ok(None)
        }
    }

    /// The tip of a local branch (name without `refs/heads/`).
    pub fn branch(&self, name: &str) -> Result<Option<Oid>, GitError> {
        crate::check_branch(name)?;
        self.reference(&format!("refs/heads/{name}"))
    }

    /// Whether `old` is `new` or one of its ancestors.
    pub fn is_ancestor(&self, old: &Oid, new: &Oid) -> Result<bool, GitError> {
        let call = self
            .call()
            .reading()
            .args(["merge-base", "--is-ancestor"])
            .args([old, new]);
        Ok(call.accept(&[0, 1]).run()?.code == 0)
    }

    /// The best common ancestor; `None` when the histories are unrelated.
    pub fn merge_base(&self, a: &Oid, b: &Oid) -> Result<Option<Oid>, GitError> {
        let answer = self
            .call()
            .reading()
            .arg("merge-base")
            .args([a, b])
            .accept(&[0, 1])
            .run()?;
        if answer.code == 1 {
            Ok(None)
        } else {
            Oid::parse(&String::from_utf8_lossy(&answer.stdout)).map(Some)
        }
    }

    /// What differs in the user's checkout from its HEAD, tracked or not, at most `limit` paths, relative to the root.
    pub fn dirty_paths(&self, limit: usize) -> Result<Vec<PathBuf>, GitError> {
        let call = self
            .call()
            .reading()
            .args(["status", "--porcelain=v1", "-z", "--no-renames"]);
        let answer = call.arg("--untracked-files=normal").run()?;
        Ok(records(&answer.stdout)
            .filter_map(|record| record.get(3..))
            .map(to_path)
            .take(limit)
            .collect())
    }

    /// Whether the user's checkout tracks a path (relative to the root, or absolute below it).
    pub fn is_tracked(&self, path: &Path) -> Result<bool, GitError> {
        let relative = path.strip_prefix(self.root()).unwrap_or(path);
        crate::name::tree_path(relative)?;
        let call = self
            .call()
            .reading()
            .literal()
            .args(["ls-files", "--error-unmatch", "-z", "--"])
            .arg(relative);
        Ok(call.accept(&[0, 1]).run()?.code == 0)
    }

    /// A configuration value as git sees it from the user's checkout.
    pub(crate) fn config_is_true(&self, key: &str) -> Result<bool, GitError> {
        let call = self
            .call()
            .reading()
            .args(["config", "--type=bool", "--get", key]);
        let answer = call.accept(&[0, 1]).run()?;
        Ok(answer.stdout.starts_with(b"true"))
    }
}

fn refusal(path: &Path, answer: crate::program::Answer) -> GitError {
    let path = path.to_owned();
    match &answer.stderr {
        text if text.contains("must be run in a work tree") => GitError::Bare { path },
        text if text.contains("not a git repository") => GitError::NotARepository { path },
        _ => answer.failure(),
    }
}

/// The parts of a `-z` answer.
pub(crate) fn records(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|byte| *byte == 0)
        .filter(|record| !record.is_empty())
}

pub(crate) fn to_path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}
