//! Files of clients: read, replaced as a whole, put back.
//! For: safe writes with a backup, and a record that lets them be undone. Not for: what is in them.

use anyhow::{Context, bail};
use callboard_config::Environment;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

pub fn read(file: &Path) -> anyhow::Result<Option<String>> {
    if file.is_symlink() {
        bail!(
            "{} is a symbolic link: writing through it could change a file outside of the project; replace it by a \
             regular file",
            file.display()
        );
    }
    if file.exists() && !file.is_file() {
        bail!("{} is no regular file", file.display());
    }
    match std::fs::read(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| file.display().to_string()),
        Ok(bytes) => String::from_utf8(bytes)
            .map(Some)
            .with_context(|| format!("{} is not UTF-8; save it as UTF-8", file.display())),
    }
}

/// Refuses a file that a symbolic link below the project's root leads to: it may be outside of it.
pub fn stays_inside(root: &Path, file: &Path) -> anyhow::Result<()> {
    let Ok(below) = file.strip_prefix(root) else {
        return Ok(());
    };
    let mut at = root.to_owned();
    for part in below.parent().into_iter().flat_map(Path::components) {
        at.push(part);
        if at.is_symlink() {
            bail!(
                "{} is a symbolic link: writing through it could change a file outside of the project; replace it by a \
                 directory",
                at.display()
            );
        }
    }
    Ok(())
}

/// Refuses a file that its owner made read-only: replacing it would need no permission. And one that has another name:
/// replaced, it would part from that one; written in place, a crash would leave half of it, and a file outside of the
/// project might change, which symbolic links are refused for.
pub fn check_replaceable(file: &Path) -> anyhow::Result<()> {
    let Ok(meta) = file.metadata() else {
        return Ok(());
    };
    if meta.nlink() > 1 {
        bail!(
            "{} has another name (a hard link), which would keep the old text, so it is left as it is; make it a file \
             of its own (`cp -p` it and `mv` the copy over it) and run the command again",
            file.display()
        );
    }
    if meta.permissions().readonly()
        || rustix::fs::access(file, rustix::fs::Access::WRITE_OK).is_err()
    {
        bail!(
            "{} is read-only, so it is left as it is; `chmod u+w` it and run the command again",
            file.display()
        );
    }
    Ok(())
}

/// Replaces the file as a whole, after keeping what was there in a file of its own; returns that file's path.
fn write(file: &Path, before: Option<&str>, after: &str) -> anyhow::Result<Option<PathBuf>> {
    let context = || file.display().to_string();
    let backup = match before {
        Some(text) => Some(back_up(file, text).with_context(context)?),
        None => None,
    };
    replace(file, before, after)?;
    Ok(backup)
}

/// Replaces the file, if it still is as it was.
fn replace(file: &Path, before: Option<&str>, after: &str) -> anyhow::Result<()> {
    let context = || file.display().to_string();
    let dir = file.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(dir)
        .with_context(context)?;
    // The umask is for new files: one that is there stays open to whom it was open to.
    if let Ok(there) = file.metadata() {
        let mode = there.permissions();
        temporary
            .as_file()
            .set_permissions(mode)
            .with_context(context)?;
    }
    temporary
        .write_all(after.as_bytes())
        .with_context(context)?;
    temporary.as_file().sync_all().with_context(context)?;
    if read(file)?.as_deref() != before {
        bail!(
            "{} was changed meanwhile; run `callboard init` again",
            file.display()
        );
    }
    temporary
        .persist(file)
        .map_err(|error| error.error)
        .with_context(context)?;
    Ok(())
}

/// The first of `.bak`, `.bak1`, … that is free: an earlier backup is never overwritten.
fn back_up(file: &Path, text: &str) -> std::io::Result<PathBuf> {
    let mut number = 0_u32;
    loop {
        let mut name = file.as_os_str().to_owned();
        name.push(".bak");
        if number > 0 {
            name.push(number.to_string());
        }
        let path = PathBuf::from(name);
        match create_new(&path, file.metadata()?.permissions().mode()) {
            Ok(mut new) => {
                new.write_all(text.as_bytes())?;
                return Ok(path);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// A file that nobody can read who could not read the original.
fn create_new(path: &Path, mode: u32) -> std::io::Result<std::fs::File> {
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

/// What one writing did, so that it can be undone.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Written {
    file: PathBuf,
    /// Where the file as it was is; nothing where there was none.
    backup: Option<PathBuf>,
    /// Digest of what was written.
    digest: String,
}

/// The records of one file, the last writing last.
fn record_of(environment: &Environment, file: &Path) -> anyhow::Result<PathBuf> {
    let name = format!("{}.json", digest(file.as_os_str().as_encoded_bytes()));
    Ok(environment.data_dir()?.join("clients").join(name))
}

fn records(record: &Path) -> anyhow::Result<Vec<Written>> {
    match read(record)? {
        None => Ok(Vec::new()),
        Some(text) => {
            serde_json::from_str(&text).with_context(|| format!("{}: not ours", record.display()))
        }
    }
}

/// Replaces the file and remembers how to undo that; returns the backup's path.
pub fn write_undoable(
    environment: &Environment,
    file: &Path,
    before: Option<&str>,
    after: &str,
) -> anyhow::Result<Option<PathBuf>> {
    let record = record_of(environment, file)?;
    for dir in [record.parent(), file.parent()].into_iter().flatten() {
        std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    }
    let mut all = records(&record)?;
    let backup = write(file, before, after)?;
    all.push(Written {
        file: file.to_owned(),
        backup: backup.clone(),
        digest: digest(after.as_bytes()),
    });
    // A crash just before this leaves the new file and its backup, and nothing to undo by: the backup is told.
    save(&record, &all)?;
    Ok(backup)
}

fn save(record: &Path, all: &[Written]) -> anyhow::Result<()> {
    let before = read(record)?;
    replace(record, before.as_deref(), &serde_json::to_string(all)?)
}

/// Puts the file back as it was before the last writing, if it still is what was written.
pub fn undo(environment: &Environment, file: &Path) -> anyhow::Result<Undone> {
    let record = record_of(environment, file)?;
    let mut all = records(&record)?;
    let Some(last) = all.pop() else {
        bail!(
            "{}: `callboard init` has written nothing there that could be undone",
            file.display()
        );
    };
    let now = read(file)?;
    check_replaceable(file)?;
    let same = now
        .as_deref()
        .is_some_and(|text| digest(text.as_bytes()) == last.digest);
    if !same {
        let kept = match &last.backup {
            Some(backup) => format!("the file as it was before is {}", backup.display()),
            None => "before, there was none".to_owned(),
        };
        bail!(
            "{} was changed since, so it is left as it is; {kept}",
            file.display()
        );
    }
    let undone = match &last.backup {
        None => {
            std::fs::remove_file(file).with_context(|| file.display().to_string())?;
            Undone::Removed
        }
        Some(backup) => {
            let text = read(backup)?.with_context(|| {
                format!(
                    "{} is gone, so there is nothing to put back",
                    backup.display()
                )
            })?;
            replace(file, now.as_deref(), &text)?;
            // Gone only after the file is back.
            std::fs::remove_file(backup).with_context(|| backup.display().to_string())?;
            Undone::Restored
        }
    };
    if all.is_empty() {
        std::fs::remove_file(&record).with_context(|| record.display().to_string())?;
    } else {
        save(&record, &all)?;
    }
    Ok(undone)
}

/// What became of the file.
pub enum Undone {
    /// It had not been there before.
    Removed,
    /// It is as it was.
    Restored,
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
