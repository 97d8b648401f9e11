//! Files that a tool writes.
//! For: one directory, plain names, nothing overwritten, whole or not at all. Not for: what is in them.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use callboard_mcp::{ErrorKind, ToolError};
use tempfile::NamedTempFile;

const NAME_CHARS: usize = 100;

/// A file on its way: nobody sees it until it is [kept](Draft::keep), and it is gone if it never is.
pub(crate) struct Draft {
    file: io::BufWriter<NamedTempFile>,
    target: PathBuf,
    pub(crate) bytes: u64,
}

impl Draft {
    /// A draft of `name` in `directory`, which is made if it is missing, for its owner only.
    pub(crate) fn new(directory: &Path, name: &str) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        let mut made = std::fs::DirBuilder::new();
        made.recursive(true).mode(0o700).create(directory)?;
        let target = directory.join(name);
        if target.try_exists()? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(Draft {
            // For its owner only, as the board.
            file: io::BufWriter::new(NamedTempFile::new_in(directory)?),
            target,
            bytes: 0,
        })
    }

    pub(crate) fn write(&mut self, part: &[u8]) -> io::Result<()> {
        self.bytes += part.len() as u64;
        self.file.write_all(part)
    }

    /// Gives it its name, unless somebody has it already. A crash before leaves nothing that has the name.
    pub(crate) fn keep(self) -> io::Result<PathBuf> {
        let file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(&self.target)
            .map_err(|error| error.error)?;
        if let Some(directory) = self.target.parent() {
            std::fs::File::open(directory)?.sync_all()?;
        }
        Ok(self.target)
    }
}

/// A file's name with the ending that belongs to it.
pub(crate) fn named(name: &str, ending: &str) -> Result<String, ToolError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let plain = !name.starts_with(['.', '-']) && name.len() <= NAME_CHARS && name.chars().all(fits);
    if name.is_empty() || !plain {
        return Err(ToolError::invalid(format!(
            "file: {:?} is not a plain name",
            callboard_mcp::clip(name, 80)
        ))
        .hint("write a name of letters, digits, `.`, `_` and `-`, without directories; the answer says where the file is"));
    }
    let has = Path::new(name)
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case(ending));
    Ok(if has {
        name.to_owned()
    } else {
        format!("{name}.{ending}")
    })
}

/// Why there is no file.
pub(crate) fn unwritten(error: &io::Error, name: &str) -> ToolError {
    match error.kind() {
        io::ErrorKind::AlreadyExists => {
            ToolError::conflict(format!("file: {name} exists already; nothing was written"))
                .hint("choose another name; exports are never overwritten")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ToolError::new(ErrorKind::Unavailable, format!("{name} was not written: {error}"))
                .hint("free some space on the board's disk and call again")
        }
        _ => ToolError::new(ErrorKind::Unavailable, format!("{name} was not written: {error}"))
            .hint("look at the rights of the board's directory, or leave file out to get the rows in the answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        assert_eq!(named("calls", "csv").unwrap(), "calls.csv");
        assert_eq!(named("calls.CSV", "csv").unwrap(), "calls.CSV");
        assert_eq!(named("calls.txt", "csv").unwrap(), "calls.txt.csv");
        let long = "x".repeat(101);
        for wrong in [
            "",
            "../x",
            "a/b",
            "/etc/passwd",
            ".x",
            "..",
            "-rf",
            "a b",
            "ñ",
            &long,
        ] {
            let error = named(wrong, "csv").unwrap_err();
            assert!(error.message.contains("not a plain name"), "{wrong}");
        }
    }

    #[test]
    fn a_file_is_there_whole_once() {
        let dir = tempfile::tempdir().unwrap();
        let exports = dir.path().join("exports");
        let mut draft = Draft::new(&exports, "a.csv").unwrap();
        draft.write(b"one\n").unwrap();
        assert!(!exports.join("a.csv").exists());
        let twin = Draft::new(&exports, "a.csv").unwrap();
        let path = draft.keep().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\n");
        let exists = Some(io::ErrorKind::AlreadyExists);
        assert_eq!(twin.keep().err().map(|error| error.kind()), exists);
        assert_eq!(
            Draft::new(&exports, "a.csv")
                .err()
                .map(|error| error.kind()),
            exists
        );
        assert_eq!(
            std::fs::read_dir(&exports).unwrap().count(),
            1,
            "no draft is left"
        );
    }
}
