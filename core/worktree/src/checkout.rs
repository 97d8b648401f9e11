//! For: making, listing and removing linked worktrees, one at a time per repository, and mending half-made ones.
//! A worktree is renamed away before it is deleted, so a crash never leaves a half-deleted one that looks like work.
//! Not for: what happens inside a worktree (work), or saving what it holds (rescue).

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::program::LONG_LIMIT;
use crate::repo::{records, to_path};
use crate::work::Worktree;
use crate::{GitError, Oid, Repo};

/// How long a list waits for a worktree that is being added.
const HALF_MADE: Duration = Duration::from_secs(2);

const LOCK_LIMIT: Duration = Duration::from_secs(300);
const LOCK_REASON: &str = "in use by Callboard";
/// Written into a worktree's admin directory when it is complete. A worktree without it never had an agent in it.
pub(crate) const COMPLETE: &str = "callboard-complete";
const DOOMED: &str = ".removing-";

/// One entry of `git worktree list`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkout {
    /// Its work tree (the git directory itself for a bare repository).
    pub path: PathBuf,
    /// The commit it is at; `None` before the first commit.
    pub head: Option<Oid>,
    /// The branch, without `refs/heads/`; `None` when detached.
    pub branch: Option<String>,
    /// Why it is locked against pruning, if it is.
    pub locked: Option<String>,
    /// Why git would prune it, if it would.
    pub prunable: Option<String>,
}

/// What is to become of the work in a worktree that is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: it was made to look at or test something.
    Nothing,
    /// Everything that is not yet safe, as a commit under a ref.
    Rescue {
        /// The ref (full name), such as `refs/callboard/kept/<attempt>`. Taken already: `-2`, `-3` and so on follow.
        reference: String,
        /// Commits contained in this one are safe. `None`: every commit is kept.
        merged_into: Option<Oid>,
    },
}

/// Work that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rescued {
    /// The commit that holds it.
    pub commit: Oid,
    /// The ref that keeps the commit.
    pub reference: String,
}

/// What a removal did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// The work that was kept, if there was any.
    pub rescued: Option<Rescued>,
}

impl Repo {
    /// Makes a worktree at `path` (absolute; its parent is made) on a new branch at `base`.
    ///
    /// A branch of that name that already is at `base` and is checked out nowhere is used, as a crash between the
    /// branch and the worktree leaves it. Otherwise [`GitError::BranchTaken`] or [`GitError::PathTaken`]. A crash
    /// during the call leaves a half-made worktree, which [`Repo::worktree_remove`] of the same path clears away.
    pub fn worktree_add(
        &self,
        path: &Path,
        branch: &str,
        base: &Oid,
    ) -> Result<Worktree, GitError> {
        crate::check_branch(branch)?;
        let lock = self.lock()?;
        let made = match self.branch(branch)? {
            None => true,
            Some(tip) => self.check_reusable(branch, tip, base).map(|()| false)?,
        };
        let options: &[OsString] = &["--no-track".into(), "-b".into(), branch.into()];
        // git takes the first two only together.
        let options = if made { options } else { &[] };
        let target = if made { base.as_str() } else { branch };
        let added = self.add(path, options, target, &lock);
        if added.is_err() && made {
            let _ = self.branch_delete_if_contained(branch, base);
        }
        added?;
        self.worktree_open(path, base)
    }

    /// Makes a worktree at `path` without a branch, at `commit`, for instance to test a merge.
    pub fn worktree_add_detached(&self, path: &Path, commit: &Oid) -> Result<Worktree, GitError> {
        let lock = self.lock()?;
        self.add(path, &["--detach".into()], commit.as_str(), &lock)?;
        self.worktree_open(path, commit)
    }

    /// A worktree that exists, for instance after a restart; `base` is the commit it was made at.
    pub fn worktree_open(&self, path: &Path, base: &Oid) -> Result<Worktree, GitError> {
        let path = settled(path)?;
        let admin = self
            .admin_of(&path)
            .filter(|admin| link_of(&path).as_ref() == Some(admin));
        let admin = admin.ok_or_else(|| GitError::Foreign { path: path.clone() })?;
        let branch = self.head_branch(&path)?;
        Ok(Worktree {
            repo: self.clone(),
            path,
            admin,
            branch,
            base: base.clone(),
        })
    }

    /// All worktrees; the main one first.
    pub fn worktree_list(&self) -> Result<Vec<Checkout>, GitError> {
        let deadline = Instant::now() + HALF_MADE;
        loop {
            let listed = self
                .call()
                .reading()
                .args(["worktree", "list", "--porcelain", "-z"])
                .run();
            match listed {
                Ok(answer) => return Ok(parse_list(&answer.stdout)),
                // A worktree that is being added at this moment, by us or by the user, has a record that
                // git can't read yet. Ours is not locked out: an addition asks for this list itself.
                Err(GitError::Failed(failure))
                    if failure.stderr.contains("/worktrees/") && Instant::now() < deadline =>
                {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The work tree that has a branch checked out, the user's own included.
    pub fn checked_out_at(&self, branch: &str) -> Result<Option<PathBuf>, GitError> {
        let list = self.worktree_list()?;
        Ok(list
            .into_iter()
            .find(|entry| entry.branch.as_deref() == Some(branch))
            .map(|entry| entry.path))
    }

    /// Removes the worktree at `path`, after keeping its work as `keep` says. Gone already is fine. The branch stays.
    ///
    /// When the work cannot be kept the worktree is left as it is. Crash after the work was kept: the next call keeps
    /// nothing new. Crash after the rename: the next call, or [`Repo::worktree_sweep`], deletes the rest.
    pub fn worktree_remove(&self, path: &Path, keep: &Keep) -> Result<Removed, GitError> {
        let path = settled(path)?;
        // An addition that outlived the process that asked for it is waited for, not looked at half-done.
        drop(self.lock()?);
        self.check_removable(&path)?;
        let rescued = match keep {
            Keep::Nothing => None,
            Keep::Rescue {
                reference,
                merged_into,
            } => self.rescue(&path, reference, merged_into.as_ref())?,
        };
        let lock = self.lock()?;
        self.discard(&path, &lock)?;
        Ok(Removed { rescued })
    }

    /// Deletes what removals and additions that a crash cut short left in `directory` (where the worktrees are) and
    /// in the repository. Complete worktrees are not touched. Returns how many leftovers were deleted.
    pub fn worktree_sweep(&self, directory: &Path) -> Result<usize, GitError> {
        let _lock = self.lock()?;
        let mut swept = 0;
        for entry in entries(directory) {
            if entry
                .file_name()
                .is_some_and(|name| name.as_bytes().starts_with(DOOMED.as_bytes()))
            {
                delete(&entry)?;
                swept += 1;
            }
        }
        for admin in entries(&self.git_dir().join("worktrees")) {
            if is_abandoned(&admin) {
                delete(&admin)?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    fn check_reusable(&self, branch: &str, tip: Oid, base: &Oid) -> Result<(), GitError> {
        let at = self.checked_out_at(branch)?;
        if tip == *base && at.is_none() {
            Ok(())
        } else {
            Err(GitError::BranchTaken {
                branch: branch.to_owned(),
                tip,
                at,
            })
        }
    }

    fn add(
        &self,
        path: &Path,
        options: &[OsString],
        target: &str,
        lock: &File,
    ) -> Result<(), GitError> {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .map_err(|e| GitError::io(format!("making {}", parent.display()), e))?;
        }
        let path = settled(path)?;
        if path.symlink_metadata().is_ok() || self.admin_of(&path).is_some() {
            return Err(GitError::PathTaken { path });
        }
        let call = self.call().args([
            "worktree",
            "add",
            "--quiet",
            "--lock",
            "--reason",
            LOCK_REASON,
        ]);
        let made = call
            .args(options)
            .arg("--")
            .arg(&path)
            .arg(target)
            .limit(LONG_LIMIT)
            .holding(lock)?
            .run();
        let completed = made.and_then(|_| self.mark_complete(&path));
        if completed.is_err() {
            let _ = self.discard(&path, lock);
        }
        completed
    }

    fn mark_complete(&self, path: &Path) -> Result<(), GitError> {
        let admin = self.admin_of(path).ok_or_else(|| GitError::Foreign {
            path: path.to_owned(),
        })?;
        File::create(admin.join(COMPLETE))
            .map_err(|e| GitError::io("marking the worktree complete", e))?;
        Ok(())
    }

    /// Takes the worktree's directory and its record away. The lock is held.
    fn discard(&self, path: &Path, lock: &File) -> Result<(), GitError> {
        let doomed = doomed(path);
        delete(&doomed)?;
        let admin = self.admin_of(path);
        if path.symlink_metadata().is_ok() {
            std::fs::rename(path, &doomed)
                .map_err(|e| GitError::io(format!("moving {} away", path.display()), e))?;
        }
        if let Some(admin) = admin {
            let remove = self
                .call()
                .args(["worktree", "remove", "--force", "--force", "--"])
                .arg(path)
                .holding(lock)?
                .run();
            if remove.is_err() || admin.exists() {
                delete(&admin)?;
            }
        }
        delete(&doomed)
    }

    fn check_removable(&self, path: &Path) -> Result<(), GitError> {
        let foreign = || GitError::Foreign {
            path: path.to_owned(),
        };
        if self.root().starts_with(path) || self.git_dir().starts_with(path) {
            return Err(foreign());
        }
        let known = self.admin_of(path).is_some()
            || !path.is_dir()
            || is_empty(path)
            || self.was_linked(path);
        if known { Ok(()) } else { Err(foreign()) }
    }

    /// A directory whose `.git` points into this repository although the record there is gone.
    pub(crate) fn was_linked(&self, path: &Path) -> bool {
        link_of(path).is_some_and(|admin| admin.parent() == Some(&self.git_dir().join("worktrees")))
    }

    /// The admin directory of the worktree at `path`, found by what it says, since `.git` in `path` may be missing.
    pub(crate) fn admin_of(&self, path: &Path) -> Option<PathBuf> {
        let link = path.join(".git");
        let says = |admin: &PathBuf| {
            read_line(&admin.join("gitdir")).is_some_and(|line| admin.join(line) == link)
        };
        entries(&self.git_dir().join("worktrees"))
            .into_iter()
            .find(says)
    }

    /// One addition or removal at a time, across threads and processes: git's own locks make parallel ones fail.
    /// The git that adds or removes holds the lock too, so it is not free before that has ended.
    fn lock(&self) -> Result<File, GitError> {
        let directory = self.git_dir().join("callboard");
        let failed = |e| GitError::io(format!("locking {}", directory.display()), e);
        std::fs::create_dir_all(&directory).map_err(failed)?;
        let lock = directory.join("worktree.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&lock)
            .map_err(failed)?;
        let deadline = Instant::now() + LOCK_LIMIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Interrupted => {
                    return Err(failed(error));
                }
                Err(_) if Instant::now() >= deadline => {
                    return Err(GitError::Busy {
                        lock,
                        after: LOCK_LIMIT,
                    });
                }
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }
}

/// The path with its parent resolved: git records real paths.
fn settled(path: &Path) -> Result<PathBuf, GitError> {
    let refuse = |why| GitError::invalid("worktree path", &path.to_string_lossy(), why);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(refuse("it has no name"));
    };
    if !path.is_absolute() {
        return Err(refuse("it must be absolute"));
    }
    if path.as_os_str().as_bytes().contains(&b'\n') {
        return Err(refuse("it has a line end"));
    }
    let parent = parent.canonicalize().unwrap_or_else(|_| parent.to_owned());
    Ok(parent.join(name))
}

fn doomed(path: &Path) -> PathBuf {
    let mut name = OsString::from(DOOMED);
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

/// The admin directory that a worktree's `.git` file names.
pub(crate) fn link_of(worktree: &Path) -> Option<PathBuf> {
    let line = read_line(&worktree.join(".git"))?;
    let target = line.as_os_str().as_bytes().strip_prefix(b"gitdir: ")?;
    Some(worktree.join(to_path(target)))
}

fn read_line(file: &Path) -> Option<PathBuf> {
    let bytes = std::fs::read(file).ok()?;
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    (!line.is_empty()).then(|| to_path(line))
}

/// A record of ours that a killed `worktree add` left before it said what it belongs to.
fn is_abandoned(admin: &Path) -> bool {
    let ours =
        read_line(&admin.join("locked")).is_some_and(|reason| reason == Path::new(LOCK_REASON));
    ours && !admin.join("gitdir").exists()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(directory).into_iter().flatten().flatten();
    listed.map(|entry| entry.path()).collect()
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).is_ok_and(|mut listed| listed.next().is_none())
}

/// Deletes a file or a tree; missing is fine. Directories without write permission (module caches) are opened first.
fn delete(path: &Path) -> Result<(), GitError> {
    let gone = |result: std::io::Result<()>| match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    };
    let Ok(metadata) = path.symlink_metadata() else {
        return Ok(());
    };
    let deleted = if metadata.is_dir() {
        gone(std::fs::remove_dir_all(path)).or_else(|_| {
            open_up(path);
            gone(std::fs::remove_dir_all(path))
        })
    } else {
        gone(std::fs::remove_file(path))
    };
    deleted.map_err(|e| GitError::io(format!("deleting {}", path.display()), e))
}

fn open_up(directory: &Path) {
    let Ok(metadata) = directory.symlink_metadata() else {
        return;
    };
    if !metadata.is_dir() {
        return;
    }
    let mut permissions = metadata.permissions();
    permissions.set_mode(permissions.mode() | 0o700);
    let _ = std::fs::set_permissions(directory, permissions);
    for entry in entries(directory) {
        open_up(&entry);
    }
}

fn parse_list(bytes: &[u8]) -> Vec<Checkout> {
    let mut list: Vec<Checkout> = Vec::new();
    for record in records(bytes) {
        let at = record
            .iter()
            .position(|byte| *byte == b' ')
            .unwrap_or(record.len());
        let (key, value) = (&record[..at], record.get(at + 1..).unwrap_or_default());
        if key == b"worktree" {
            list.push(Checkout {
                path: to_path(value),
                ..Checkout::default()
            });
        }
        if let Some(entry) = list.last_mut() {
            entry.take(key, &String::from_utf8_lossy(value));
        }
    }
    list
}

impl Checkout {
    fn take(&mut self, key: &[u8], value: &str) {
        match key {
            b"HEAD" => {
                self.head = Oid::parse(value)
                    .ok()
                    .filter(|oid| oid.as_str() != oid.zero())
            }
            b"branch" => {
                self.branch = Some(
                    value
                        .strip_prefix("refs/heads/")
                        .unwrap_or(value)
                        .to_owned(),
                )
            }
            b"locked" => self.locked = Some(value.to_owned()),
            b"prunable" => self.prunable = Some(value.to_owned()),
            _ => {}
        }
    }
}
