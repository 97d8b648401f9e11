//! Changing bytes of a roadmap in the user's own checkout.
//!
//! For: one edit that either is there in whole or not at all, on top of whatever the file is at that moment.
//! Not for: knowing what to change (callboard_roadmap), or committing it (that is the user's).

use crate::errors;
use callboard_mcp::ToolError;
use callboard_roadmap::{EditError, Edited, RoadmapError, read_file};
use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often an edit begins anew when somebody else changes the file under it.
const TRIES: usize = 5;
/// How long another process of ours may take for its edit.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Applies `change` to the file and answers what it did. `change` sees the file again when it was changed
/// meanwhile, so an edit made by a person is kept.
pub(crate) fn edit(
    root: &Path,
    git_dir: &Path,
    relative: &Path,
    change: impl Fn(&[u8]) -> Result<Edited, EditError>,
) -> Result<Edited, ToolError> {
    let _held = lock(git_dir)?;
    for _ in 0..TRIES {
        let before = read_file(root, relative).map_err(|error| errors::roadmap(&error))?;
        let edited = change(&before).map_err(|error| errors::edit(&error))?;
        if !edited.changed || replace(root, relative, &before, &edited.bytes)? {
            return Ok(edited);
        }
    }
    Err(ToolError::conflict(format!(
        "{} is being changed by somebody else all the time",
        relative.display()
    ))
    .hint("nothing was changed; call again in a moment"))
}

/// Keeps edits of several server processes apart; people's editors do not know it.
fn lock(git_dir: &Path) -> Result<File, ToolError> {
    let directory = git_dir.join("callboard");
    std::fs::create_dir_all(&directory).map_err(|error| refused(&directory, &error))?;
    let path = directory.join("roadmap.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|error| refused(&path, &error))?;
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(refused(&path, &error)),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                return Err(ToolError::conflict(format!(
                    "another process holds {}",
                    path.display()
                ))
                .hint("nothing was changed; call again in a moment"));
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Puts `after` in place of `before`; `false` when the file is no longer `before`.
///
/// A crash before the rename leaves a file `.callboard-…` beside the roadmap and the roadmap as it was; after it,
/// the edit is done. A save between the last look and the rename, some microseconds, would be lost.
fn replace(root: &Path, relative: &Path, before: &[u8], after: &[u8]) -> Result<bool, ToolError> {
    let real = real_path(root, relative)?;
    let directory = real.parent().unwrap_or(root);
    let written = write_beside(&real, directory, after).map_err(|error| refused(&real, &error))?;
    let now = read_file(root, relative).map_err(|error| errors::roadmap(&error))?;
    if now != before {
        return Ok(false);
    }
    written
        .persist(&real)
        .map_err(|error| refused(&real, &error.error))?;
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|error| refused(directory, &error))?;
    Ok(true)
}

/// The file behind symbolic links, which must be inside the repository: the link itself is kept.
fn real_path(root: &Path, relative: &Path) -> Result<PathBuf, ToolError> {
    let real = root
        .join(relative)
        .canonicalize()
        .map_err(|error| refused(relative, &error))?;
    let root = root.canonicalize().map_err(|error| refused(root, &error))?;
    if !real.starts_with(&root) {
        return Err(errors::roadmap(&RoadmapError::OutsideRoot {
            path: relative.to_owned(),
        }));
    }
    Ok(real)
}

fn write_beside(
    real: &Path,
    directory: &Path,
    bytes: &[u8],
) -> io::Result<tempfile::NamedTempFile> {
    let permissions = real.metadata()?.permissions();
    if permissions.readonly() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the file is read-only",
        ));
    }
    let mut file = tempfile::Builder::new()
        .prefix(".callboard-")
        .tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(permissions)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn refused(path: &Path, error: &io::Error) -> ToolError {
    ToolError::unavailable(format!("{}: {error}", path.display()))
        .hint("nothing was changed; see that the file and its directory can be written")
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard_roadmap::{ItemKey, Status, set_status};
    use std::cell::Cell;
    use std::os::unix::fs::PermissionsExt as _;

    const TEXT: &str = "# R\n\n## PRIORITY 1: A\n**Status**: Planned\n\nwords\n";

    fn rig() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ROADMAP.md");
        put(&file, TEXT);
        (dir, file)
    }

    fn put(file: &Path, text: &str) {
        File::create(file)
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
    }

    fn done(bytes: &[u8]) -> Result<Edited, EditError> {
        set_status(bytes, &ItemKey::from("priority-1"), Status::Done)
    }

    #[test]
    fn an_edit_made_meanwhile_is_kept() {
        let (dir, file) = rig();
        let first = Cell::new(true);
        let change = |bytes: &[u8]| {
            if first.replace(false) {
                put(&file, &TEXT.replace("words", "other words"));
            }
            done(bytes)
        };
        let edited = edit(dir.path(), dir.path(), Path::new("ROADMAP.md"), change).unwrap();
        assert!(edited.changed);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            text.contains("other words") && text.contains("Done"),
            "{text}"
        );
        assert_eq!(files(dir.path()), ["ROADMAP.md", "callboard"]);
    }

    #[test]
    fn a_file_that_never_rests_is_left_alone() {
        let (dir, file) = rig();
        let round = Cell::new(0);
        let change = |bytes: &[u8]| {
            round.set(round.get() + 1);
            put(&file, &format!("{TEXT}{}\n", round.get()));
            done(bytes)
        };
        let error = edit(dir.path(), dir.path(), Path::new("ROADMAP.md"), change).unwrap_err();
        assert_eq!(error.kind, callboard_mcp::ErrorKind::Conflict);
        assert!(std::fs::read_to_string(&file).unwrap().contains("Planned"));
    }

    #[test]
    fn permissions_and_links_inside_survive() {
        let (dir, file) = rig();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("ROADMAP.md", dir.path().join("PLAN.md")).unwrap();
        edit(dir.path(), dir.path(), Path::new("PLAN.md"), done).unwrap();
        assert!(dir.path().join("PLAN.md").is_symlink());
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert!(std::fs::read_to_string(&file).unwrap().contains("Done"));
    }

    #[test]
    fn a_link_that_leads_out_and_a_read_only_file_are_refused() {
        let (dir, file) = rig();
        let inside = dir.path().join("repo");
        std::fs::create_dir(&inside).unwrap();
        std::os::unix::fs::symlink(&file, inside.join("ROADMAP.md")).unwrap();
        assert!(edit(&inside, dir.path(), Path::new("ROADMAP.md"), done).is_err());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o444)).unwrap();
        assert!(edit(dir.path(), dir.path(), Path::new("ROADMAP.md"), done).is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), TEXT);
    }

    fn files(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = dir
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}
