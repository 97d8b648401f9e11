//! For: taking a roadmap's bytes from a repository, and refusing what is no roadmap before reading it.
//! Not for: finding the repository, or writing the document back (the branch's worktree is crew's).

use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// The largest document that is read or parsed: 4 MiB.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Why a document can't be taken.
#[derive(Debug, thiserror::Error)]
pub enum RoadmapError {
    /// It holds a byte that is no UTF-8.
    #[error("the roadmap is not UTF-8: line {line}, byte {offset}; save it as UTF-8 and try again")]
    NotUtf8 {
        /// The line of the first such byte, from 1.
        line: u32,
        /// Its offset in the document, from 0.
        offset: usize,
    },
    /// It is larger than [`MAX_BYTES`].
    #[error(
        "the roadmap has {bytes} bytes, more than the {limit} that are read; move what is done to another file"
    )]
    TooLarge {
        /// Its size, as far as known.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// There is no such file.
    #[error("there is no {path}; create it, or name the roadmap's path inside the project")]
    Missing {
        /// The path asked for.
        path: PathBuf,
    },
    /// The path is absolute, climbs with `..`, is in `.git`, or a symbolic link on it leads out of the project.
    #[error("{path} leads out of the project; name a file inside it")]
    OutsideRoot {
        /// The path asked for.
        path: PathBuf,
    },
    /// It is a directory, a device, a pipe or a socket.
    #[error("{path} is not a regular file; name the roadmap's file")]
    NotAFile {
        /// The path asked for.
        path: PathBuf,
    },
    /// The system refused to read it.
    #[error("{path} can't be read: {source}")]
    Unreadable {
        /// The path asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Reads the file `relative` of the project `root`, of at most [`MAX_BYTES`].
///
/// # Errors
/// Everything but [`RoadmapError::NotUtf8`]: the bytes are not looked at.
pub fn read_file(root: &Path, relative: &Path) -> Result<Vec<u8>, RoadmapError> {
    let inside = relative
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !inside {
        return Err(RoadmapError::OutsideRoot {
            path: relative.to_owned(),
        });
    }
    let real_root = root.canonicalize().map_err(|source| failed(root, source))?;
    let real = real_root
        .join(relative)
        .canonicalize()
        .map_err(|source| failed(relative, source))?;
    // What git keeps for itself (credentials in its config among it) is no part of the project's files.
    let mine = real
        .strip_prefix(&real_root)
        .is_ok_and(|inside| inside.components().all(|part| part.as_os_str() != ".git"));
    if !mine {
        return Err(RoadmapError::OutsideRoot {
            path: relative.to_owned(),
        });
    }
    read_regular(&real, relative)
}

fn read_regular(real: &Path, named: &Path) -> Result<Vec<u8>, RoadmapError> {
    // Asked before opening: opening a pipe waits for its writer.
    let metadata = real
        .symlink_metadata()
        .map_err(|source| failed(named, source))?;
    if !metadata.is_file() {
        return Err(RoadmapError::NotAFile {
            path: named.to_owned(),
        });
    }
    within_limit(metadata.len())?;
    let file = File::open(real).map_err(|source| failed(named, source))?;
    let mut bytes = Vec::new();
    // The file may grow while it is read; one byte past the limit is enough to know.
    file.take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| failed(named, source))?;
    within_limit(bytes.len() as u64)?;
    Ok(bytes)
}

pub(crate) fn within_limit(bytes: u64) -> Result<(), RoadmapError> {
    let limit = MAX_BYTES as u64;
    if bytes > limit {
        Err(RoadmapError::TooLarge { bytes, limit })
    } else {
        Ok(())
    }
}

fn failed(path: &Path, source: std::io::Error) -> RoadmapError {
    let path = path.to_owned();
    match source.kind() {
        std::io::ErrorKind::NotFound => RoadmapError::Missing { path },
        _ => RoadmapError::Unreadable { path, source },
    }
}
