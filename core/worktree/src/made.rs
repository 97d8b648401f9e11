//! For: looking through everything that was made in a worktree: names, contents, and the commits of whoever worked there.
//! Not for: judging it; the caller is handed the bytes.

use crate::repo::records;
use crate::{GitError, Oid, Worktree};

/// Contents are read in groups of about this size, bytes.
const GROUP: u64 = 8 * 1024 * 1024;
/// A larger object is passed over: no text is that long.
const LARGEST: u64 = 48 * 1024 * 1024;

impl Worktree {
    /// Hands out what commits since `base` and the index hold that `base` has not: paths, contents of files, commits
    /// with their messages; several of them in one piece, perhaps. Files larger than 48 MiB are passed over.
    ///
    /// # Errors
    /// What git says.
    pub fn made_since(&self, base: &Oid, look: &mut dyn FnMut(&[u8])) -> Result<(), GitError> {
        let commits = self
            .read(["rev-list", "--objects", "HEAD", "--not"])?
            .arg(base.to_string())
            .run()?
            .stdout;
        look(&commits);
        let staged = self
            .read([
                "diff",
                "--cached",
                "--raw",
                "-z",
                "--no-renames",
                "--no-abbrev",
                "HEAD",
            ])?
            .run()?
            .stdout;
        look(&staged);
        let mut ids = String::new();
        for line in commits.split(|byte| *byte == b'\n') {
            push_id(&mut ids, line.split(|byte| *byte == b' ').next());
        }
        for record in records(&staged).filter(|record| record.starts_with(b":")) {
            push_id(&mut ids, record.split(|byte| *byte == b' ').nth(3));
        }
        for group in self.groups(ids)? {
            look(
                &self
                    .read(["cat-file", "--batch"])?
                    .stdin(group)
                    .run()?
                    .stdout,
            );
        }
        Ok(())
    }

    /// The ids in groups that can be read at once.
    fn groups(&self, ids: String) -> Result<Vec<String>, GitError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let check = self.read([
            "cat-file",
            "--batch-check=%(objectsize) %(objectname) %(objecttype)",
        ])?;
        let sizes = check.stdin(ids).run()?.stdout;
        let mut groups = vec![String::new()];
        let mut size = 0;
        for line in String::from_utf8_lossy(&sizes).lines() {
            let mut words = line.split(' ');
            let (bytes, id, kind) = (words.next(), words.next(), words.next());
            let bytes: u64 = bytes
                .and_then(|bytes| bytes.parse().ok())
                .unwrap_or(u64::MAX);
            // Names in directories are among the paths already.
            if bytes > LARGEST || kind == Some("tree") {
                continue;
            }
            if size > 0 && size + bytes > GROUP {
                groups.push(String::new());
                size = 0;
            }
            size += bytes;
            if let Some(last) = groups.last_mut() {
                last.push_str(id.unwrap_or_default());
                last.push('\n');
            }
        }
        groups.retain(|group| !group.is_empty());
        Ok(groups)
    }
}

/// Zeros stand for "nothing there".
fn push_id(ids: &mut String, id: Option<&[u8]>) {
    let id = id
        .and_then(|id| std::str::from_utf8(id).ok())
        .unwrap_or_default();
    if id.len() >= 40
        && id.bytes().all(|byte| byte.is_ascii_hexdigit())
        && id.bytes().any(|byte| byte != b'0')
    {
        ids.push_str(id);
        ids.push('\n');
    }
}
