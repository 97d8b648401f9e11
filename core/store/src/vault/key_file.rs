//! Keys in files.
//! For: `<data>/keys/vault-<vault>-<key>.key`, made whole and flushed, read only when nobody else may.
//! Not for: deciding which one belongs to the vault: the board's row names it.
//!
//! Each key has a file of its own, named by the key. So a change of the key is the board's transaction and nothing
//! else: the new file is there before it, the old one goes after it, and a crash leaves a file too many at worst.

use super::error::VaultError;
use super::seal::{KEY, Key, hex};
use rustix::fs::{Mode, OFlags};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

const HEADER: &str = "callboard-vault-key-1";
const LONGEST: u64 = 1_024;
const LOCK_PAUSE: Duration = Duration::from_millis(10);
const LOCK_TRIES: u32 = 1_000;

/// Where the key `key_id` of a vault is.
pub(super) fn place(keys: &Path, vault_id: &[u8], key_id: &[u8]) -> PathBuf {
    keys.join(format!("{}{}.key", prefix(vault_id), hex(key_id)))
}

fn prefix(vault_id: &[u8]) -> String {
    format!("vault-{}-", hex(vault_id))
}

/// Every key file of a vault.
pub(super) fn all_of(keys: &Path, vault_id: &[u8]) -> Result<Vec<PathBuf>, VaultError> {
    let failed = |error: std::io::Error| VaultError::KeyFile {
        path: keys.to_owned(),
        why: error.to_string(),
    };
    let entries = match std::fs::read_dir(keys) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(failed)?,
    };
    let prefix = prefix(vault_id);
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if name.starts_with(&prefix) && name.ends_with(".key") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Writes a key's file. It is on the disk, with its name, when this returns.
pub(super) fn write(path: &Path, key: &Key) -> Result<(), VaultError> {
    let failed = |error: std::io::Error| VaultError::KeyFile {
        path: path.to_owned(),
        why: format!("can't be written: {error}"),
    };
    let dir = path.parent().unwrap_or(Path::new("/"));
    make_dir(dir)?;
    let text = Zeroizing::new(format!(
        "{HEADER} {}\n# Whoever reads this file can read the secrets in the vault of the board. Keep a copy of it \
         apart from copies of the board.\n",
        *Zeroizing::new(hex(key.as_slice()))
    ));
    // The name is new and random, so there is no half-written file to mistake for a key: one without its end is
    // refused, and the board does not name it yet.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| sync(dir));
    written
        .inspect_err(|_| drop(std::fs::remove_file(path)))
        .map_err(failed)
}

/// Removes a key's file, as far as that works.
pub(super) fn remove(path: &Path) {
    match std::fs::remove_file(path).and_then(|()| sync(path.parent().unwrap_or(Path::new("/")))) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "an old key file of the vault stays; remove it");
        }
        _ => {}
    }
}

/// Reads a key from a file that is its owner's alone.
pub(super) fn read(path: &Path) -> Result<Key, VaultError> {
    let refuse = |why: String| VaultError::KeyFile {
        path: path.to_owned(),
        why,
    };
    if let Some(dir) = path.parent() {
        check_dir(dir)?;
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(
        rustix::fs::open(path, flags, Mode::empty()).map_err(|error| {
            refuse(match error {
                rustix::io::Errno::NOENT => {
                    "is not there; put back the copy you kept. Without it the secrets can't be \
                                         read: set them again in a new board"
                        .to_owned()
                }
                rustix::io::Errno::LOOP => {
                    "is a symbolic link; put the file itself there".to_owned()
                }
                other => format!("can't be read: {other}"),
            })
        })?,
    );
    let meta = file.metadata().map_err(|error| refuse(error.to_string()))?;
    if !meta.is_file() {
        return Err(refuse("is no regular file".to_owned()));
    }
    check_owner(path, &meta)?;
    if meta.mode() & 0o077 != 0 {
        let mode = meta.mode() & 0o777;
        return Err(refuse(format!(
            "others may read or change it (mode {mode:04o}): chmod 600 {}",
            quoted(path)
        )));
    }
    let mut text = Zeroizing::new(String::new());
    let read = file.take(LONGEST).read_to_string(&mut text);
    read.map_err(|error| refuse(error.to_string()))?;
    parse(&text).ok_or_else(|| refuse("holds no key; put back the copy you kept".to_owned()))
}

fn parse(text: &str) -> Option<Key> {
    let digits = text
        .lines()
        .next()?
        .strip_prefix(HEADER)?
        .strip_prefix(' ')?;
    let whole = text.len() > HEADER.len() + 1 + 2 * KEY && digits.len() == 2 * KEY;
    let mut key = Key::default();
    for (byte, pair) in key.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    whole.then_some(key)
}

fn make_dir(dir: &Path) -> Result<(), VaultError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| VaultError::KeyFile {
        path: dir.to_owned(),
        why: error.to_string(),
    })?;
    check_dir(dir)
}

/// Whoever may write into the directory can put another file in the place of the key's.
fn check_dir(dir: &Path) -> Result<(), VaultError> {
    let Ok(meta) = std::fs::metadata(dir) else {
        return Ok(());
    };
    check_owner(dir, &meta)?;
    if meta.mode() & 0o077 == 0 {
        return Ok(());
    }
    let mode = meta.mode() & 0o777;
    Err(VaultError::KeyFile {
        path: dir.to_owned(),
        why: format!(
            "others may enter the directory (mode {mode:04o}): chmod 700 {}",
            quoted(dir)
        ),
    })
}

fn check_owner(path: &Path, meta: &std::fs::Metadata) -> Result<(), VaultError> {
    let us = rustix::process::geteuid().as_raw();
    if meta.uid() == us {
        return Ok(());
    }
    Err(VaultError::KeyFile {
        path: path.to_owned(),
        why: format!(
            "belongs to the user {} and not to you ({us}): chown {us} {}",
            meta.uid(),
            quoted(path)
        ),
    })
}

/// Held while the lock of a vault is changed, by one process of this user at a time.
pub(super) fn hold(keys: &Path) -> Result<File, VaultError> {
    make_dir(keys)?;
    let path = keys.join("vault.lock");
    let failed = |error: std::io::Error| VaultError::KeyFile {
        path: path.clone(),
        why: error.to_string(),
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
    Err(VaultError::Busy(path))
}

fn sync(dir: &Path) -> std::io::Result<()> {
    File::open(dir)?.sync_all()
}

/// A path as it can be pasted into a shell.
pub(super) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c))
    {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::seal::new_key;
    use std::os::unix::fs::PermissionsExt;

    struct Rig {
        _dir: tempfile::TempDir,
        path: PathBuf,
        key: Key,
    }

    fn rig() -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let path = place(&dir.path().join("keys"), b"v", b"k");
        let key = new_key().unwrap();
        write(&path, &key).unwrap();
        Rig {
            _dir: dir,
            path,
            key,
        }
    }

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn why(path: &Path) -> String {
        let error = read(path).unwrap_err();
        assert!(matches!(error, VaultError::KeyFile { .. }), "{error:?}");
        error.to_string()
    }

    #[test]
    fn a_key_is_written_for_its_owner_alone_and_read_back() {
        let rig = rig();
        assert_eq!(read(&rig.path).unwrap(), rig.key);
        let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
        assert_eq!(mode(&rig.path), 0o600);
        assert_eq!(mode(rig.path.parent().unwrap()), 0o700);
        assert!(
            write(&rig.path, &rig.key).is_err(),
            "a key is never overwritten"
        );
    }

    #[test]
    fn wrong_modes_are_refused_with_the_command_that_mends_them() {
        let rig = rig();
        for mode in [0o640, 0o604, 0o620, 0o666] {
            chmod(&rig.path, mode);
            let why = why(&rig.path);
            assert!(
                why.contains(&format!("chmod 600 {}", rig.path.display())),
                "{why}"
            );
        }
        chmod(&rig.path, 0o400);
        assert!(read(&rig.path).is_ok());
        let dir = rig.path.parent().unwrap();
        chmod(dir, 0o755);
        assert!(why(&rig.path).contains(&format!("chmod 700 {}", dir.display())));
    }

    #[test]
    fn what_is_no_key_is_no_key() {
        let rig = rig();
        let whole = std::fs::read(&rig.path).unwrap();
        let key_line = HEADER.len() + 1 + 2 * KEY;
        for length in [0, 5, HEADER.len(), key_line - 1, key_line] {
            File::create(&rig.path)
                .unwrap()
                .write_all(&whole[..length])
                .unwrap();
            assert!(why(&rig.path).contains("holds no key"), "{length} bytes");
        }
        std::fs::remove_file(&rig.path).unwrap();
        assert!(why(&rig.path).contains("is not there"));
        std::os::unix::fs::symlink("/etc/hostname", &rig.path).unwrap();
        assert!(why(&rig.path).contains("symbolic link"));
    }
}
