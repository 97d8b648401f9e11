//! For: keeping the work of a worktree that goes away, as a commit under a ref of ours.
//! No hook runs and nothing of the worktree changes; ignored files (build results) are not work.
//! Not for: finished work, which is committed with hooks (work).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::checkout::COMPLETE;
use crate::merge::Signing;
use crate::program::{Call, LONG_LIMIT};
use crate::work::{is_nested, parse_status};
use crate::{Change, ChangeKind, GitError, Message, Oid, Repo, Rescued};

/// A look at a worktree through an index of our own, which works whatever state its own index and `.git` are in.
struct View<'a> {
    repo: &'a Repo,
    path: &'a Path,
    git_dir: PathBuf,
    index: PathBuf,
    head: Oid,
}

impl Repo {
    pub(crate) fn rescue(
        &self,
        path: &Path,
        reference: &str,
        safe: Option<&Oid>,
    ) -> Result<Option<Rescued>, GitError> {
        crate::check_ref(reference)?;
        let admin = self.admin_of(path);
        let scratch =
            tempfile::tempdir().map_err(|e| GitError::io("making a temporary directory", e))?;
        let own = match &admin {
            Some(admin) => self.head_in(admin)?,
            None => None,
        };
        // A worktree without a record, or with a half-written one, is looked at from the repository itself.
        let git_dir = if own.is_some() { admin.clone() } else { None };
        let git_dir = git_dir.unwrap_or_else(|| self.git_dir().to_owned());
        let Some(head) = own.map_or_else(|| self.stand_in(safe), |head| Ok(Some(head)))? else {
            return Ok(None);
        };
        let index = scratch.path().join("index");
        let view = View {
            repo: self,
            path,
            git_dir,
            index,
            head,
        };
        let tree = if path.is_dir() {
            view.tree(admin.as_deref())?
        } else {
            None
        };
        let commit = match tree {
            Some(tree) => self.commit_tree(&tree, &[&view.head], &note(path), Signing::Never)?,
            None if self.is_safe(&view.head, safe, admin.as_deref())? => return Ok(None),
            None => view.head,
        };
        self.keep(reference, commit).map(Some)
    }

    /// The commit that a worktree's record says it is at.
    fn head_in(&self, admin: &Path) -> Result<Option<Oid>, GitError> {
        let call = self.call().reading().env("GIT_DIR", admin);
        let answer = call
            .args(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])
            .accept(&[0, 1, 128])
            .run()?;
        let text = String::from_utf8_lossy(&answer.stdout);
        if answer.code == 0 {
            Oid::parse(&text).map(Some)
        } else {
            Ok(None)
        }
    }

    fn stand_in(&self, safe: Option<&Oid>) -> Result<Option<Oid>, GitError> {
        safe.map_or_else(|| self.resolve("HEAD"), |safe| Ok(Some(safe.clone())))
    }

    fn is_safe(
        &self,
        head: &Oid,
        safe: Option<&Oid>,
        admin: Option<&Path>,
    ) -> Result<bool, GitError> {
        match safe {
            Some(safe) => self.is_ancestor(head, safe),
            None => Ok(admin.is_none_or(|admin| !admin.join(COMPLETE).exists())),
        }
    }

    /// Stores the commit under the ref or, when other work is there, under the next free name. What an interrupted
    /// removal has already kept is found again by its tree and parents, so it is not kept twice.
    fn keep(&self, reference: &str, commit: Oid) -> Result<Rescued, GitError> {
        let mut number = 1;
        loop {
            let name = if number == 1 {
                reference.to_owned()
            } else {
                format!("{reference}-{number}")
            };
            match self.reference(&name)? {
                Some(kept) if self.is_same_work(&kept, &commit)? => {
                    return Ok(Rescued {
                        commit: kept,
                        reference: name,
                    });
                }
                Some(_) => number += 1,
                None => {
                    self.ref_update(&name, &commit, None)?;
                    return Ok(Rescued {
                        commit,
                        reference: name,
                    });
                }
            }
        }
    }

    fn is_same_work(&self, a: &Oid, b: &Oid) -> Result<bool, GitError> {
        let facts = |oid: &Oid| {
            self.call()
                .reading()
                .args(["log", "-1", "--format=%T %P"])
                .arg(oid)
                .arg("--")
                .text()
        };
        Ok(a == b || facts(a)? == facts(b)?)
    }
}

fn note(path: &Path) -> Message {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Message::new("chore", None, &format!("keep unfinished work of {name}")).with_body(
        "Kept by Callboard before the worktree was removed. It was neither tested nor merged.",
    )
}

impl View<'_> {
    /// The tree with everything that differs from HEAD; `None` when nothing does.
    fn tree(&self, admin: Option<&Path>) -> Result<Option<Oid>, GitError> {
        let own = admin
            .map(|admin| admin.join("index"))
            .filter(|index| index.exists());
        let changes = match own.map(|index| self.changes_by(&index)) {
            Some(Ok(changes)) => changes,
            _ => self.changes_by_head()?,
        };
        let unfinished = admin.is_none_or(|admin| !admin.join(COMPLETE).exists());
        let only_missing = changes
            .iter()
            .all(|change| change.kind == ChangeKind::Deleted);
        if changes.is_empty() || (unfinished && only_missing) {
            return Ok(None);
        }
        self.stage(&changes)?;
        let tree = self.call().arg("write-tree").oid()?;
        Ok(Some(tree).filter(|tree| self.repo.tree_of(&self.head).as_ref().ok() != Some(tree)))
    }

    /// With a copy of the worktree's own index: it knows which files are unchanged without reading them.
    fn changes_by(&self, own: &Path) -> Result<Vec<Change>, GitError> {
        std::fs::copy(own, &self.index).map_err(|e| GitError::io("copying the index", e))?;
        self.status()
    }

    fn changes_by_head(&self) -> Result<Vec<Change>, GitError> {
        let _ = std::fs::remove_file(&self.index);
        self.call().args(["read-tree", self.head.as_str()]).run()?;
        self.status()
    }

    fn status(&self) -> Result<Vec<Change>, GitError> {
        let args = [
            "status",
            "--porcelain=v2",
            "-z",
            "--no-renames",
            "--untracked-files=all",
        ];
        Ok(parse_status(&self.call().args(args).run()?.stdout))
    }

    fn stage(&self, changes: &[Change]) -> Result<(), GitError> {
        let (nested, plain): (Vec<&Change>, Vec<&Change>) =
            changes.iter().partition(|change| is_nested(change));
        let paths = plain
            .iter()
            .flat_map(|change| [change.path.as_os_str().as_bytes(), b"\0"]);
        let paths: Vec<u8> = paths.flatten().copied().collect();
        self.call()
            .args([
                "update-index",
                "--add",
                "--remove",
                "--replace",
                "-z",
                "--stdin",
            ])
            .stdin(paths)
            .run()?;
        let mut files = Vec::new();
        for change in nested {
            walk(&self.path.join(&change.path), &mut files)?;
        }
        self.stage_nested(&files)
    }

    /// Files of a repository inside the worktree: git itself would store only the name of its commit.
    fn stage_nested(&self, files: &[PathBuf]) -> Result<(), GitError> {
        let mut lines = Vec::new();
        for file in files {
            let (mode, bytes) = contents(file)?;
            let blob = self
                .call()
                .args(["hash-object", "-w", "--no-filters", "--stdin"])
                .stdin(bytes)
                .oid()?;
            let relative = file.strip_prefix(self.path).unwrap_or(file);
            lines.extend_from_slice(format!("{mode} {blob}\t").as_bytes());
            lines.extend_from_slice(relative.as_os_str().as_bytes());
            lines.push(0);
        }
        if lines.is_empty() {
            return Ok(());
        }
        self.call()
            .args(["update-index", "-z", "--index-info"])
            .stdin(lines)
            .run()
            .map(|_| ())
    }

    fn call(&self) -> Call<'_> {
        let call = self.repo.call_in(self.path).reading().limit(LONG_LIMIT);
        call.env("GIT_DIR", &self.git_dir)
            .env("GIT_WORK_TREE", self.path)
            .env("GIT_INDEX_FILE", &self.index)
    }
}

fn contents(file: &Path) -> Result<(&'static str, Vec<u8>), GitError> {
    let failed = |e| GitError::io(format!("reading {}", file.display()), e);
    let metadata = file.symlink_metadata().map_err(failed)?;
    if metadata.is_symlink() {
        let target = std::fs::read_link(file).map_err(failed)?;
        return Ok(("120000", target.as_os_str().as_bytes().to_vec()));
    }
    let mode = if metadata.permissions().mode() & 0o100 == 0 {
        "100644"
    } else {
        "100755"
    };
    Ok((mode, std::fs::read(file).map_err(failed)?))
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), GitError> {
    let failed = |e| GitError::io(format!("reading {}", directory.display()), e);
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() && entry.file_name() != OsStr::new(".git") {
            walk(&entry.path(), files)?;
        } else if kind.is_file() || kind.is_symlink() {
            files.push(entry.path());
        }
    }
    Ok(())
}
