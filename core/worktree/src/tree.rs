//! For: contents of commits: reading a file at a commit, making a tree that differs in a few files.
//! Trees are edited level by level (`ls-tree`, `mktree`), so no index, no checkout and no temporary file is needed.
//! Not for: files in a work tree.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::merge::Edit;
use crate::name::tree_path;
use crate::repo::records;
use crate::{GitError, Oid, Repo};

const TREE: &str = "040000";
const PLAIN: &str = "100644";
const PROGRAM: &str = "100755";

struct Entry {
    mode: String,
    kind: String,
    oid: Oid,
}

type Entries = BTreeMap<OsString, Entry>;

impl Repo {
    /// The tree of a commit (a tree's own name comes back as it is).
    pub fn tree_of(&self, commit: &Oid) -> Result<Oid, GitError> {
        let tree = format!("{commit}^{{tree}}");
        self.call()
            .reading()
            .args(["rev-parse", "--verify", "--end-of-options", &tree])
            .oid()
    }

    /// The bytes of a regular file in a commit or tree; `None` when there is none (a symbolic link is none).
    pub fn file_at(&self, treeish: &Oid, path: &Path) -> Result<Option<Vec<u8>>, GitError> {
        let parts = tree_path(path)?;
        if let Some(known) = self
            .library()
            .and_then(|library| read_blob(&library, treeish, &parts))
        {
            return Ok(known);
        }
        match self.entry_at(treeish, &parts)? {
            Some(entry) if is_file(&entry.mode) => self.blob(&entry.oid).map(Some),
            _ => Ok(None),
        }
    }

    /// The paths of submodules in a commit. Worktrees are made without their contents.
    pub fn submodules(&self, commit: &Oid) -> Result<Vec<PathBuf>, GitError> {
        if self.file_at(commit, Path::new(".gitmodules"))?.is_none() {
            return Ok(Vec::new());
        }
        let blob = format!("--blob={commit}:.gitmodules");
        let call = self.call().reading().args([
            "config",
            "-z",
            &blob,
            "--get-regexp",
            r"^submodule\..*\.path$",
        ]);
        let answer = call.accept(&[0, 1]).run()?;
        let value = |record: &[u8]| {
            record
                .iter()
                .position(|b| *b == b'\n')
                .map(|at| crate::repo::to_path(&record[at + 1..]))
        };
        Ok(records(&answer.stdout).filter_map(value).collect())
    }

    fn blob(&self, oid: &Oid) -> Result<Vec<u8>, GitError> {
        Ok(self
            .call()
            .reading()
            .args(["cat-file", "blob"])
            .arg(oid)
            .run()?
            .stdout)
    }

    /// A tree equal to `tree` but for the edits. A file keeps its mode; a new one is a plain file.
    pub(crate) fn tree_with(&self, tree: &Oid, edits: &[Edit]) -> Result<Oid, GitError> {
        let mut tree = tree.clone();
        for edit in edits {
            let blob = self
                .call()
                .args(["hash-object", "-w", "--no-filters", "--stdin"])
                .stdin(edit.bytes.clone())
                .oid()?;
            let parts = tree_path(&edit.path)?;
            tree = self.tree_put(Some(&tree), &parts, &blob, &edit.path)?;
        }
        Ok(tree)
    }

    fn tree_put(
        &self,
        tree: Option<&Oid>,
        parts: &[&OsStr],
        blob: &Oid,
        whole: &Path,
    ) -> Result<Oid, GitError> {
        let mut entries = tree.map_or_else(|| Ok(Entries::new()), |tree| self.entries(tree))?;
        let refuse = |why| GitError::invalid("path to edit", &whole.to_string_lossy(), why);
        let (name, rest) = parts.split_first().ok_or_else(|| refuse("it is empty"))?;
        let present = entries.get(*name);
        let entry = if rest.is_empty() {
            let mode = present
                .map_or(PLAIN, |entry| entry.mode.as_str())
                .to_owned();
            if !is_file(&mode) {
                return Err(refuse(
                    "it is a directory, a symbolic link or a submodule there",
                ));
            }
            Entry {
                mode,
                kind: "blob".into(),
                oid: blob.clone(),
            }
        } else {
            if present.is_some_and(|entry| entry.mode != TREE) {
                return Err(refuse("a part of it is no directory there"));
            }
            let below = self.tree_put(present.map(|entry| &entry.oid), rest, blob, whole)?;
            Entry {
                mode: TREE.into(),
                kind: "tree".into(),
                oid: below,
            }
        };
        entries.insert((*name).to_owned(), entry);
        self.write_tree(&entries)
    }

    fn write_tree(&self, entries: &Entries) -> Result<Oid, GitError> {
        let mut lines = Vec::new();
        for (name, Entry { mode, kind, oid }) in entries {
            lines.extend_from_slice(format!("{mode} {kind} {oid}\t").as_bytes());
            lines.extend_from_slice(name.as_bytes());
            lines.push(0);
        }
        self.call()
            .args(["mktree", "-z", "--missing"])
            .stdin(lines)
            .oid()
    }

    fn entry_at(&self, treeish: &Oid, parts: &[&OsStr]) -> Result<Option<Entry>, GitError> {
        let mut tree = treeish.clone();
        let Some((name, above)) = parts.split_last() else {
            return Ok(None);
        };
        for part in above {
            match self.entries(&tree)?.remove(*part) {
                Some(entry) if entry.mode == TREE => tree = entry.oid,
                _ => return Ok(None),
            }
        }
        Ok(self.entries(&tree)?.remove(*name))
    }

    fn entries(&self, treeish: &Oid) -> Result<Entries, GitError> {
        let answer = self
            .call()
            .reading()
            .args(["ls-tree", "-z", "--full-tree"])
            .arg(treeish)
            .run()?;
        let parsed: Option<Entries> = records(&answer.stdout).map(parse_entry).collect();
        parsed.ok_or_else(|| answer.unexpected())
    }
}

fn is_file(mode: &str) -> bool {
    mode == PLAIN || mode == PROGRAM
}

fn parse_entry(record: &[u8]) -> Option<(OsString, Entry)> {
    let tab = record.iter().position(|byte| *byte == b'\t')?;
    let mut words = std::str::from_utf8(&record[..tab]).ok()?.split(' ');
    let (mode, kind) = (words.next()?.to_owned(), words.next()?.to_owned());
    let oid = Oid::parse(words.next()?).ok()?;
    Some((
        OsString::from_vec(record[tab + 1..].to_vec()),
        Entry { mode, kind, oid },
    ))
}

/// `None`: not known here (another object format, an object not fetched yet), ask git.
fn read_blob(
    library: &git2::Repository,
    treeish: &Oid,
    parts: &[&OsStr],
) -> Option<Option<Vec<u8>>> {
    let oid = git2::Oid::from_str(treeish.as_str()).ok()?;
    let tree = library.find_object(oid, None).ok()?.peel_to_tree().ok()?;
    let path: PathBuf = parts.iter().collect();
    let entry = match tree.get_path(&path) {
        Ok(entry) => entry,
        Err(error)
            if error.class() == git2::ErrorClass::Tree
                && error.code() == git2::ErrorCode::NotFound =>
        {
            return Some(None);
        }
        Err(_) => return None,
    };
    if !matches!(entry.filemode(), 0o100_644 | 0o100_755) {
        return Some(None);
    }
    Some(Some(library.find_blob(entry.id()).ok()?.content().to_vec()))
}
