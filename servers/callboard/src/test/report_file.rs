//! Where a report is written to.
//! For: a regular file replaced as a whole, anything else written through. Not for: what a report says.

use anyhow::{Context, bail};
use rustix::fs::{FileType, Mode, OFlags, Stat};
use std::fs::{File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a pipe with a name may be without a reader.
const READER: Duration = Duration::from_secs(10);
/// How many symbolic links may lead to a file.
const LINKS: usize = 40;

/// Refuses a report in the place of a scenario, which would be lost.
pub(super) fn is_no_scenario(path: &Path, scenarios: &[PathBuf]) -> anyhow::Result<()> {
    let Ok(target) = path.canonicalize() else {
        return Ok(());
    };
    if scenarios
        .iter()
        .any(|file| file.canonicalize().is_ok_and(|file| file == target))
    {
        bail!(
            "{} is one of the scenarios; write the report to another file",
            path.display()
        );
    }
    Ok(())
}

/// Empties a report of an earlier run.
pub(super) fn clear(path: &Path) -> anyhow::Result<()> {
    if path.is_file() && standard(path).is_none() {
        let opened = File::options().write(true).truncate(true).open(path);
        opened.with_context(|| format!("the report can't be written to {}", path.display()))?;
    }
    Ok(())
}

/// Writes a report.
pub(super) fn write(path: &Path, text: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let written = match (standard(path), std::fs::metadata(path)) {
        (Some(Standard::Output), _) => out.write_all(text.as_bytes()).and_then(|()| out.flush()),
        (Some(Standard::Error), _) => std::io::stderr().write_all(text.as_bytes()),
        (None, Ok(there)) if there.is_dir() => Err(ErrorKind::IsADirectory.into()),
        (None, Ok(there)) if !there.is_file() => through(path, there.file_type().is_fifo(), text),
        (None, there) => replace(path, there.ok().map(|there| there.mode()), text),
    };
    written.with_context(|| {
        format!(
            "the report can't be written to {}; its directory must exist",
            path.display()
        )
    })
}

enum Standard {
    Output,
    Error,
}

/// Whether a path is what this process writes to anyway, `/dev/stdout` say: it goes where the rest goes, behind it.
fn standard(path: &Path) -> Option<Standard> {
    let there = std::fs::metadata(path).ok()?;
    let same = |open: rustix::io::Result<Stat>| {
        open.is_ok_and(|open| {
            open.st_dev == there.dev()
                && open.st_ino == there.ino()
                && FileType::from_raw_mode(open.st_mode) != FileType::CharacterDevice
        })
    };
    if same(rustix::fs::fstat(rustix::stdio::stdout())) {
        Some(Standard::Output)
    } else if same(rustix::fs::fstat(rustix::stdio::stderr())) {
        Some(Standard::Error)
    } else {
        None
    }
}

/// Into a device or a pipe, as it is.
fn through(path: &Path, fifo: bool, text: &str) -> std::io::Result<()> {
    let mut flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
    if fifo {
        flags |= OFlags::NONBLOCK;
    }
    let deadline = Instant::now() + READER;
    let open = loop {
        match rustix::fs::open(path, flags, Mode::empty()) {
            Err(rustix::io::Errno::NXIO) if fifo => {
                if Instant::now() >= deadline {
                    return Err(std::io::Error::new(
                        ErrorKind::TimedOut,
                        format!("nobody reads the pipe (waited {} s)", READER.as_secs()),
                    ));
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            other => break other?,
        }
    };
    if fifo {
        rustix::fs::fcntl_setfl(&open, OFlags::empty())?;
    }
    File::from(open).write_all(text.as_bytes())
}

/// A regular file, as a whole: what links lead to, with the permissions of what was there.
fn replace(path: &Path, mode: Option<u32>, text: &str) -> std::io::Result<()> {
    let target = followed(path)?;
    let directory = target
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    // The umask takes from what a new file gets.
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    if let Some(mode) = mode {
        file.as_file()
            .set_permissions(Permissions::from_mode(mode & 0o7777))?;
    }
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|error| error.error)?;
    Ok(())
}

/// Where a path's symbolic links lead, whether something is there or not.
fn followed(path: &Path) -> std::io::Result<PathBuf> {
    let mut at = path.to_owned();
    for _ in 0..LINKS {
        match std::fs::read_link(&at) {
            Ok(next) => at = at.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => return Ok(at),
        }
    }
    Err(std::io::Error::other("too many symbolic links"))
}
