//! For: one worktree of ours: what changed in it, committing it with the user's hooks, comparing it with its base.
//! The agent that worked in it has ended; what it left (a stale lock, a foreign `.git`) is met here.
//! Not for: making and removing worktrees (checkout).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::program::{Call, LONG_LIMIT};
use crate::repo::{records, to_path};
use crate::{Commit, GitError, Message, Oid, Repo};

/// Locks that a git process killed inside a worktree leaves behind.
const STALE_LOCKS: &[&str] = &["index.lock", "HEAD.lock", "ORIG_HEAD.lock"];

/// A linked worktree made by [`Repo::worktree_add`].
#[derive(Clone, Debug)]
pub struct Worktree {
    pub(crate) repo: Repo,
    pub(crate) path: PathBuf,
    pub(crate) admin: PathBuf,
    pub(crate) branch: Option<String>,
    pub(crate) base: Oid,
}

/// A path that differs from the worktree's HEAD.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Relative to the worktree.
    pub path: PathBuf,
    /// How it differs.
    pub kind: ChangeKind,
}

/// How a path differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// New to git and added.
    Added,
    /// Contents, mode or type changed.
    Modified,
    /// Gone.
    Deleted,
    /// Not known to git and not ignored.
    Untracked,
    /// Left in conflict.
    Conflicted,
}

/// A difference in numbers; lines of binary files are not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffStat {
    /// Files that differ.
    pub files: u64,
    /// Lines added.
    pub insertions: u64,
    /// Lines taken away.
    pub deletions: u64,
}

impl DiffStat {
    pub(crate) fn with_record(self, record: &[u8]) -> DiffStat {
        let text = String::from_utf8_lossy(record);
        let mut numbers = text
            .splitn(3, '\t')
            .map(|word| word.parse::<u64>().unwrap_or(0));
        DiffStat {
            files: self.files + 1,
            insertions: self.insertions + numbers.next().unwrap_or(0),
            deletions: self.deletions + numbers.next().unwrap_or(0),
        }
    }
}

impl Worktree {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The branch it was made for, without `refs/heads/`; `None` for a detached one.
    pub fn branch(&self) -> Option<&str> {
        self.branch.as_deref()
    }

    /// The commit it was made at.
    pub fn base(&self) -> &Oid {
        &self.base
    }

    /// The commit it is at.
    pub fn head(&self) -> Result<Oid, GitError> {
        self.read(["rev-parse", "--verify", "HEAD^{commit}"])?.oid()
    }

    /// What differs from its HEAD; ignored files are left out.
    pub fn status(&self) -> Result<Vec<Change>, GitError> {
        let call = self.read([
            "status",
            "--porcelain=v2",
            "-z",
            "--no-renames",
            "--untracked-files=all",
        ])?;
        Ok(parse_status(&call.run()?.stdout))
    }

    /// Commits everything that differs, with the user's hooks and signing; `None` when there is nothing to commit.
    ///
    /// Paths in `restore` go back to the base first (a file new since then disappears). Refused: a HEAD off the
    /// branch, unresolved conflicts, a repository inside the worktree.
    pub fn commit_all(
        &self,
        message: &Message,
        restore: &[PathBuf],
    ) -> Result<Option<Oid>, GitError> {
        self.stage_all(restore)?;
        self.commit_staged(message)
    }

    /// Puts everything that differs into the index, to be committed by [`Worktree::commit_staged`]: what is made
    /// after this (by tests, say) is not in the commit.
    ///
    /// Paths in `restore` go back to the base first. Refused as by [`Worktree::commit_all`].
    pub fn stage_all(&self, restore: &[PathBuf]) -> Result<(), GitError> {
        self.check_link()?;
        self.clear_stale_locks();
        self.check_branch()?;
        for path in restore {
            self.restore(path)?;
        }
        check_changes(&self.status()?)?;
        self.write(["add", "-A"])?.run().map(drop)
    }

    /// Commits what is in the index, with the user's hooks and signing; `None` when that is nothing.
    pub fn commit_staged(&self, message: &Message) -> Result<Option<Oid>, GitError> {
        self.check_link()?;
        self.clear_stale_locks();
        self.check_branch()?;
        if self
            .read(["diff", "--cached", "--quiet"])?
            .accept(&[0, 1])
            .run()?
            .code
            == 0
        {
            return Ok(None);
        }
        let call = self.repo.signed_by_someone(
            self.write(["commit", "--quiet", "--cleanup=whitespace", "-F", "-"])?,
            message,
        )?;
        call.stdin(message.render()).limit(LONG_LIMIT).run()?;
        self.head().map(Some)
    }

    /// What its commits change against `base`, in numbers.
    pub fn diff_stat(&self, base: &Oid) -> Result<DiffStat, GitError> {
        self.repo.diff_stat(base, &self.head()?)
    }

    /// The paths that differ from `base`, committed or not, in order.
    pub fn changed_files(&self, base: &Oid) -> Result<Vec<PathBuf>, GitError> {
        let committed = self.repo.changed_paths(base, &self.head()?)?;
        let open = self.status()?.into_iter().map(|change| change.path);
        Ok(committed
            .into_iter()
            .chain(open)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect())
    }

    /// Its commits since `base`, newest first.
    pub fn commits(&self, base: &Oid) -> Result<Vec<Commit>, GitError> {
        self.repo.commits_between(base, &self.head()?)
    }

    /// The difference between `base` and its HEAD as a patch, at most `limit` bytes, cut at a character.
    pub fn diff(&self, base: &Oid, limit: usize) -> Result<String, GitError> {
        let head = self.head()?;
        let call = self
            .read(["diff", "--no-ext-diff", "--no-textconv"])?
            .args([base, &head])
            .arg("--");
        let answer = call.run()?;
        Ok(String::from_utf8_lossy(&answer.stdout[..answer.stdout.len().min(limit)]).into_owned())
    }

    pub(crate) fn read<const N: usize>(&self, args: [&str; N]) -> Result<Call<'_>, GitError> {
        Ok(self.write(args)?.reading())
    }

    fn write<const N: usize>(&self, args: [&str; N]) -> Result<Call<'_>, GitError> {
        self.check_link()?;
        Ok(self.repo.call_in(&self.path).args(args))
    }

    /// An agent may have removed the worktree's `.git` or put a repository of its own there; git would then work
    /// on that, or on one further up.
    fn check_link(&self) -> Result<(), GitError> {
        let linked = crate::checkout::link_of(&self.path);
        if linked.as_deref() == Some(&self.admin) {
            return Ok(());
        }
        Err(GitError::Foreign {
            path: self.path.clone(),
        })
    }

    fn check_branch(&self) -> Result<(), GitError> {
        let Some(expected) = &self.branch else {
            return Ok(());
        };
        let found = self.repo.head_branch(&self.path)?;
        if found.as_ref() == Some(expected) {
            return Ok(());
        }
        let found = found.map_or_else(|| "detached".to_owned(), |name| format!("on {name}"));
        Err(GitError::WrongBranch {
            path: self.path.clone(),
            expected: expected.clone(),
            found,
        })
    }

    fn restore(&self, path: &Path) -> Result<(), GitError> {
        crate::name::tree_path(path)?;
        // Untracked and ignored ones first: what the base has comes back with the restore.
        self.write(["clean", "-ffdxq", "--"])?
            .literal()
            .arg(path)
            .run()?;
        let source = format!("--source={}", self.base);
        let call = self.write(["restore", &source, "--staged", "--worktree", "--"])?;
        let answer = call.literal().arg(path).accept(&[0, 1, 128]).run()?;
        if answer.code == 0 || answer.stderr.contains("did not match any file") {
            Ok(())
        } else {
            Err(answer.failure())
        }
    }

    /// Only in a worktree of ours whose processes have ended: there, a lock has no holder.
    fn clear_stale_locks(&self) {
        for name in STALE_LOCKS {
            if std::fs::remove_file(self.admin.join(name)).is_ok() {
                tracing::warn!(worktree = %self.path.display(), lock = name, "removed a lock left by a killed git");
            }
        }
    }
}

fn check_changes(changes: &[Change]) -> Result<(), GitError> {
    let conflicted = changes
        .iter()
        .filter(|change| change.kind == ChangeKind::Conflicted);
    let paths: Vec<PathBuf> = conflicted.map(|change| change.path.clone()).collect();
    if !paths.is_empty() {
        return Err(GitError::Unresolved { paths });
    }
    match changes.iter().find(|change| is_nested(change)) {
        Some(nested) => Err(GitError::Nested {
            path: nested.path.clone(),
        }),
        None => Ok(()),
    }
}

/// With every untracked file listed, only a repository of its own still shows as a directory.
pub(crate) fn is_nested(change: &Change) -> bool {
    use std::os::unix::ffi::OsStrExt;
    change.kind == ChangeKind::Untracked && change.path.as_os_str().as_bytes().ends_with(b"/")
}

/// Porcelain v2: `1 XY sub mH mI mW hH hI path`, `u XY sub m1 m2 m3 mW h1 h2 h3 path`, `? path`.
pub(crate) fn parse_status(bytes: &[u8]) -> Vec<Change> {
    records(bytes).filter_map(parse_change).collect()
}

fn parse_change(record: &[u8]) -> Option<Change> {
    let fields = match record.first()? {
        b'1' => 9,
        b'u' => 11,
        b'?' => 2,
        _ => return None,
    };
    let mut parts = record.splitn(fields, |byte| *byte == b' ');
    let (mark, state) = (parts.next()?, parts.next()?);
    let path = if fields == 2 {
        state
    } else {
        parts.nth(fields - 3)?
    };
    let kind = match (mark, state) {
        (b"?", _) => ChangeKind::Untracked,
        (b"u", _) => ChangeKind::Conflicted,
        (_, [_, b'D'] | [b'D', b'.']) => ChangeKind::Deleted,
        (_, [b'A', _]) => ChangeKind::Added,
        _ => ChangeKind::Modified,
    };
    Some(Change {
        path: to_path(path),
        kind,
    })
}
