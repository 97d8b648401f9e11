//! For: merging and reverting without a checkout: trees are merged by `git merge-tree`, commits made by `commit-tree`.
//! Nothing is visible until the caller moves a ref; a crash before that leaves only objects that git collects later.
//! Not for: moving refs, pushing, or resolving conflicts.

use std::path::{Path, PathBuf};

use crate::program::Call;
use crate::repo::{records, to_path};
use crate::{DiffStat, GitError, Message, Oid, Repo};

const CONFLICT_TEXT: usize = 4_000;
const HUNK_LINES: usize = 40;

/// New contents of one file, exactly as they are to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Path relative to the repository's root.
    pub path: PathBuf,
    /// The whole file.
    pub bytes: Vec<u8>,
}

/// Two commits merged, as a tree that no commit names yet. Read it with [`Repo::file_at`] on `tree`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedTree {
    /// The merged tree.
    pub tree: Oid,
    /// The commit merged into: the first parent.
    pub base: Oid,
    /// The commit merged.
    pub head: Oid,
}

/// Files that could not be merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Their paths.
    pub paths: Vec<PathBuf>,
    /// What clashes, readable for an agent or a person, at most 4,000 characters.
    pub text: String,
}

/// The outcome of merging two commits' trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MergeTree {
    /// They fit.
    Clean(MergedTree),
    /// They clash.
    Conflict(Conflict),
    /// The base already contains the head.
    AlreadyContained,
}

/// A commit that exists but that no ref names yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeCommit {
    /// The commit.
    pub commit: Oid,
    /// Its tree.
    pub tree: Oid,
    /// What it changes against its first parent.
    pub diff: DiffStat,
}

/// The outcome of a merge or a revert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merge {
    /// The commit was made; move a ref to it with [`Repo::ref_update`].
    Made(MergeCommit),
    /// It clashes; nothing was made.
    Conflict(Conflict),
    /// There was nothing to do.
    AlreadyContained,
}

impl Repo {
    /// Merges `head` into `base` as far as the tree; the files can be looked at before the commit is made.
    pub fn merge_tree(&self, base: &Oid, head: &Oid) -> Result<MergeTree, GitError> {
        if self.is_ancestor(head, base)? {
            return Ok(MergeTree::AlreadyContained);
        }
        let merged = self.merge_trees(base, head)?;
        Ok(match merged {
            Ok(tree) => MergeTree::Clean(MergedTree {
                tree,
                base: base.clone(),
                head: head.clone(),
            }),
            Err(conflict) => MergeTree::Conflict(conflict),
        })
    }

    /// Makes the merge commit of a merged tree, with `edits` put into it. Signed if `commit.gpgsign` says so.
    pub fn merge_commit(
        &self,
        merged: &MergedTree,
        edits: &[Edit],
        message: &Message,
    ) -> Result<MergeCommit, GitError> {
        let tree = self.tree_with(&merged.tree, edits)?;
        self.commit_with_diff(&tree, &[&merged.base, &merged.head], message)
    }

    /// [`Repo::merge_tree`] and [`Repo::merge_commit`] in one. No ref moves.
    pub fn merge(
        &self,
        base: &Oid,
        head: &Oid,
        edits: &[Edit],
        message: &Message,
    ) -> Result<Merge, GitError> {
        Ok(match self.merge_tree(base, head)? {
            MergeTree::Clean(merged) => Merge::Made(self.merge_commit(&merged, edits, message)?),
            MergeTree::Conflict(conflict) => Merge::Conflict(conflict),
            MergeTree::AlreadyContained => Merge::AlreadyContained,
        })
    }

    /// A commit on `onto` that changes nothing but the files in `edits`; `None` when they are so already.
    pub fn edit_commit(
        &self,
        onto: &Oid,
        edits: &[Edit],
        message: &Message,
    ) -> Result<Option<MergeCommit>, GitError> {
        let before = self.tree_of(onto)?;
        let tree = self.tree_with(&before, edits)?;
        if tree == before {
            return Ok(None);
        }
        self.commit_with_diff(&tree, &[onto], message).map(Some)
    }

    /// A commit on `onto` that takes back what `commit` changed against its first parent, with `edits` put into it.
    pub fn revert(
        &self,
        onto: &Oid,
        commit: &Oid,
        edits: &[Edit],
        message: &Message,
    ) -> Result<Merge, GitError> {
        let parent = self.resolve(&format!("{commit}^1"))?;
        let parent = parent.ok_or_else(|| {
            GitError::invalid("commit to revert", commit.as_str(), "it is the first one")
        })?;
        let tree = match self.merge_between(commit, onto, &parent)? {
            Ok(tree) => self.tree_with(&tree, edits)?,
            Err(conflict) => return Ok(Merge::Conflict(conflict)),
        };
        if tree == self.tree_of(onto)? {
            return Ok(Merge::AlreadyContained);
        }
        self.commit_with_diff(&tree, &[onto], message)
            .map(Merge::Made)
    }

    /// Three-way merge of trees with a base of our choice. `merge-tree --merge-base` came with git 2.40; three
    /// commits made for the purpose do the same in any version.
    fn merge_between(
        &self,
        base: &Oid,
        ours: &Oid,
        theirs: &Oid,
    ) -> Result<Result<Oid, Conflict>, GitError> {
        let note = Message::new("chore", None, "stand-in for a three-way merge");
        let base = self.commit_tree(&self.tree_of(base)?, &[], &note, Signing::Never)?;
        let ours = self.commit_tree(&self.tree_of(ours)?, &[&base], &note, Signing::Never)?;
        let theirs = self.commit_tree(&self.tree_of(theirs)?, &[&base], &note, Signing::Never)?;
        self.merge_trees(&ours, &theirs)
    }

    fn merge_trees(&self, ours: &Oid, theirs: &Oid) -> Result<Result<Oid, Conflict>, GitError> {
        let call = self.call().args([
            "merge-tree",
            "--write-tree",
            "-z",
            "--name-only",
            "--messages",
        ]);
        let answer = call.args([ours, theirs]).accept(&[0, 1]).run()?;
        let mut parts = answer.stdout.split(|byte| *byte == 0);
        let tree = parts
            .next()
            .map(|text| Oid::parse(&String::from_utf8_lossy(text)));
        let Some(Ok(tree)) = tree else {
            return Err(answer.unexpected());
        };
        if answer.code == 0 {
            return Ok(Ok(tree));
        }
        let paths: Vec<PathBuf> = parts
            .by_ref()
            .take_while(|part| !part.is_empty())
            .map(to_path)
            .collect();
        let said: Vec<String> = parts
            .map(|part| String::from_utf8_lossy(part).trim().to_owned())
            .collect();
        let text = self.describe_conflict(&tree, &paths, &said)?;
        Ok(Err(Conflict { paths, text }))
    }

    fn describe_conflict(
        &self,
        tree: &Oid,
        paths: &[PathBuf],
        said: &[String],
    ) -> Result<String, GitError> {
        let lines = said.iter().filter(|line| line.starts_with("CONFLICT"));
        let mut text: String = lines.map(|line| format!("{line}\n")).collect();
        for path in paths {
            let Some(bytes) = self.file_at(tree, path)? else {
                continue;
            };
            if bytes.contains(&0) {
                continue;
            }
            for hunk in hunks(&String::from_utf8_lossy(&bytes)) {
                text.push_str(&format!(
                    "\n{}:{}\n{}",
                    path.display(),
                    hunk.line,
                    hunk.text
                ));
            }
        }
        Ok(shorten(&text, CONFLICT_TEXT))
    }

    fn commit_with_diff(
        &self,
        tree: &Oid,
        parents: &[&Oid],
        message: &Message,
    ) -> Result<MergeCommit, GitError> {
        let commit = self.commit_tree(tree, parents, message, Signing::AsConfigured)?;
        let diff = parents
            .first()
            .map(|first| self.diff_stat(first, &commit))
            .transpose()?;
        Ok(MergeCommit {
            commit,
            tree: tree.clone(),
            diff: diff.unwrap_or_default(),
        })
    }

    /// Makes a commit object; no hook runs and no ref moves.
    pub(crate) fn commit_tree(
        &self,
        tree: &Oid,
        parents: &[&Oid],
        message: &Message,
        signing: Signing,
    ) -> Result<Oid, GitError> {
        let mut call = self
            .signed_by_someone(self.call(), message)?
            .arg("commit-tree");
        if signing == Signing::AsConfigured && self.config_is_true("commit.gpgsign")? {
            call = call.arg("-S");
        }
        for parent in parents {
            call = call.arg("-p").arg(parent);
        }
        call.args(["-F", "-"])
            .arg(tree)
            .stdin(message.render())
            .oid()
    }

    /// Sees to it that a commit has an author: the user as configured, or a name that says it was Callboard.
    pub(crate) fn signed_by_someone<'a>(
        &self,
        call: Call<'a>,
        message: &Message,
    ) -> Result<Call<'a>, GitError> {
        let mut call = call;
        if !(self.has_identity("GIT_AUTHOR_IDENT")? && self.has_identity("GIT_COMMITTER_IDENT")?) {
            call = call
                .setting("user.name=Callboard")
                .setting("user.email=callboard@localhost");
        }
        if let Some(author) = message.author() {
            call = call
                .env("GIT_AUTHOR_NAME", &author.name)
                .env("GIT_AUTHOR_EMAIL", &author.email);
        }
        Ok(call)
    }

    fn has_identity(&self, which: &str) -> Result<bool, GitError> {
        let call = self
            .call()
            .reading()
            .setting("user.useConfigOnly=true")
            .args(["var", which]);
        Ok(call.accept(&[0, 128]).run()?.code == 0)
    }

    /// How two commits differ, in numbers.
    pub fn diff_stat(&self, from: &Oid, to: &Oid) -> Result<DiffStat, GitError> {
        let call = self.call().reading().args([
            "diff",
            "--numstat",
            "-z",
            "--no-renames",
            "--no-ext-diff",
        ]);
        let answer = call.args([from, to]).arg("--").run()?;
        Ok(records(&answer.stdout).fold(DiffStat::default(), DiffStat::with_record))
    }

    /// The paths that differ between two commits.
    pub fn changed_paths(&self, from: &Oid, to: &Oid) -> Result<Vec<PathBuf>, GitError> {
        let call = self.call().reading().args([
            "diff",
            "--name-only",
            "-z",
            "--no-renames",
            "--no-ext-diff",
        ]);
        let answer = call.args([from, to]).arg("--").run()?;
        Ok(records(&answer.stdout).map(to_path).collect())
    }
}

impl Edit {
    /// New contents for the file at `path`.
    pub fn new(path: impl AsRef<Path>, bytes: impl Into<Vec<u8>>) -> Edit {
        Edit {
            path: path.as_ref().to_owned(),
            bytes: bytes.into(),
        }
    }
}

/// Whether a commit made here is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signing {
    /// As `commit.gpgsign` says.
    AsConfigured,
    /// Not: it is no commit of a branch, and a key that is locked must not keep us from saving work.
    Never,
}

struct Hunk {
    line: usize,
    text: String,
}

/// The marked parts of a file with conflicts, each cut to a readable length.
fn hunks(file: &str) -> Vec<Hunk> {
    let mut hunks = Vec::new();
    let mut open: Option<(usize, Vec<&str>)> = None;
    for (index, line) in file.lines().enumerate() {
        if line.starts_with("<<<<<<< ") {
            open = Some((index + 1, Vec::new()));
        }
        let Some((start, lines)) = &mut open else {
            continue;
        };
        lines.push(line);
        if line.starts_with(">>>>>>> ") {
            hunks.push(Hunk {
                line: *start,
                text: join_lines(lines),
            });
            open = None;
        }
    }
    hunks
}

fn join_lines(lines: &[&str]) -> String {
    let mut text: String = lines
        .iter()
        .take(HUNK_LINES)
        .map(|line| format!("{line}\n"))
        .collect();
    if lines.len() > HUNK_LINES {
        text.push_str(&format!("... {} more lines\n", lines.len() - HUNK_LINES));
    }
    text
}

fn shorten(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max - 20).collect();
    format!("{kept}\n... (shortened)\n")
}
