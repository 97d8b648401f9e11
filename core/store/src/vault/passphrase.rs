//! Keys from passphrases.
//! For: Argon2id with stored parameters, and reading a passphrase from a file that the user names.
//! Not for: asking on a terminal or of a program (the command and the crew do), or keeping a passphrase.

use super::error::VaultError;
use super::seal::Key;
use argon2::{Algorithm, Argon2, Params, Version};
use callboard_redact::Secret;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use zeroize::Zeroizing;

/// A shorter passphrase is guessed. Bytes.
pub const SHORTEST_PASSPHRASE: usize = 8;
/// Longer ones are a mistake. Bytes.
pub const LONGEST_PASSPHRASE: usize = 1_024;

/// What a guess costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
    pub(super) lanes: u32,
}

impl Cost {
    /// RFC 9106, section 4, the second recommended option: 64 MiB, 3 passes, 4 lanes (about 0.3 s here).
    pub(super) const RECOMMENDED: Self = Self {
        memory_kib: 64 * 1024,
        passes: 3,
        lanes: 4,
    };
    /// For locks that stretch nothing.
    pub(super) const NONE: Self = Self {
        memory_kib: 0,
        passes: 0,
        lanes: 0,
    };

    /// Stored parameters are not trusted: too small ones would make guessing cheap, large ones fill the memory.
    fn is_sane(self) -> bool {
        (8 * 1024..=1024 * 1024).contains(&self.memory_kib)
            && (1..=64).contains(&self.passes)
            && (1..=16).contains(&self.lanes)
    }
}

/// The key of a passphrase.
pub(super) fn key(passphrase: &Secret, salt: &[u8], cost: Cost) -> Result<Key, VaultError> {
    if !cost.is_sane() {
        return Err(VaultError::BadLock(
            "the parameters of its passphrase are out of range",
        ));
    }
    let bad = |_| VaultError::BadLock("the parameters of its passphrase are out of range");
    let params = Params::new(
        cost.memory_kib,
        cost.passes,
        cost.lanes,
        Some(super::seal::KEY),
    )
    .map_err(bad)?;
    let mut key = Key::default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose().as_bytes(), salt, key.as_mut())
        .map_err(bad)?;
    Ok(key)
}

/// Whether a passphrase may lock a vault.
pub(super) fn check_new(passphrase: &Secret) -> Result<(), VaultError> {
    let length = passphrase.expose().len();
    if (SHORTEST_PASSPHRASE..=LONGEST_PASSPHRASE).contains(&length) {
        return Ok(());
    }
    Err(VaultError::BadPassphrase(format!(
        "a passphrase has {SHORTEST_PASSPHRASE} to {LONGEST_PASSPHRASE} bytes, this one has {length}; several words \
         are easier to remember than one with odd characters"
    )))
}

/// Reads a passphrase from a file, or a pipe such as `/dev/fd/3`: everything up to one line end at the end. A regular
/// file must be its owner's alone.
///
/// # Errors
/// [`VaultError::BadPassphrase`] with what to do.
pub fn read_passphrase(path: &Path) -> Result<Secret, VaultError> {
    let refuse = |why: String| {
        VaultError::BadPassphrase(format!("the passphrase file {}: {why}", path.display()))
    };
    let file = File::open(path).map_err(|error| refuse(error.to_string()))?;
    let meta = file.metadata().map_err(|error| refuse(error.to_string()))?;
    if meta.is_file() && meta.mode() & 0o077 != 0 {
        let mode = meta.mode() & 0o777;
        let shown = super::key_file::quoted(path);
        return Err(refuse(format!(
            "others may read or change it (mode {mode:04o}): chmod 600 {shown}"
        )));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST_PASSPHRASE + 3));
    file.take(LONGEST_PASSPHRASE as u64 + 3)
        .read_to_end(&mut bytes)
        .map_err(|error| refuse(error.to_string()))?;
    passphrase_of(&bytes).map_err(|why| refuse(why.to_owned()))
}

/// The passphrase in these bytes: all of them, less one line end at the end.
///
/// # Errors
/// What is wrong with them, to follow a name for them; never any of them.
pub fn passphrase_of(bytes: &[u8]) -> Result<Secret, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "is not UTF-8 text")?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    match text.len() {
        0 => Err("is empty"),
        1..=LONGEST_PASSPHRASE => Ok(Secret::new(text.to_owned())),
        _ => Err("holds more than 1024 bytes: that is no passphrase"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_must_be_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pass phrase");
        let put = |text: &[u8], mode: u32| {
            let mut file = File::create(&path).unwrap();
            file.write_all(text).unwrap();
            file.set_permissions(std::fs::Permissions::from_mode(mode))
                .unwrap();
        };
        put(b"correct horse \r\n", 0o600);
        assert_eq!(read_passphrase(&path).unwrap().expose(), "correct horse ");
        put(b"correct horse", 0o644);
        let why = read_passphrase(&path).unwrap_err().to_string();
        assert!(
            why.contains("mode 0644") && why.contains(&format!("chmod 600 '{}'", path.display())),
            "{why}"
        );
        assert!(!why.contains("correct"), "{why}");
        for bad in [&b"\n"[..], b"\xff\xfe", &[b'x'; 1_100]] {
            put(bad, 0o600);
            assert!(matches!(
                read_passphrase(&path),
                Err(VaultError::BadPassphrase(_))
            ));
        }
        assert!(read_passphrase(&dir.path().join("none")).is_err());
    }

    #[test]
    fn stored_parameters_are_bounded() {
        let word = Secret::new("correct horse".to_owned());
        for cost in [
            Cost::NONE,
            Cost {
                memory_kib: 8,
                ..Cost::RECOMMENDED
            },
            Cost {
                memory_kib: u32::MAX,
                ..Cost::RECOMMENDED
            },
            Cost {
                passes: u32::MAX,
                ..Cost::RECOMMENDED
            },
            Cost {
                lanes: 17,
                ..Cost::RECOMMENDED
            },
        ] {
            assert!(
                matches!(key(&word, &[0; 16], cost), Err(VaultError::BadLock(_))),
                "{cost:?}"
            );
        }
    }
}
