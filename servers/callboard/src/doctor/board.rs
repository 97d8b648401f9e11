//! The board: whether it can be written, where it lies, and what is on it.

use super::{Check, State};
use callboard_store::Options;
use std::path::{Path, PathBuf};

/// Below this a board is soon full of worktrees.
const LITTLE_SPACE: u64 = 1 << 30;

pub(super) fn checks(board: &Path) -> Vec<Check> {
    let group = "board";
    let place = nearest_existing(board);
    let mut checks = vec![writable(board, &place)];
    match rustix::fs::statvfs(&place) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let check = Check::new(
                group,
                "free space",
                State::Ok,
                format!("{:.1} GiB", gib(free)),
            );
            checks.push(if free >= LITTLE_SPACE {
                check
            } else {
                Check {
                    state: State::Note,
                    ..check
                }
                .advice("make room, or put the board elsewhere with `board` in config.toml")
            });
        }
        Err(error) => checks.push(Check::new(
            group,
            "free space",
            State::Note,
            error.to_string(),
        )),
    }
    if let Some(kind) = network_file_system(&place) {
        checks.push(
            Check::new(group, "file system", State::Problem, kind)
                .advice("locks of SQLite can't be relied on here: put the board on a local disk"),
        );
    }
    checks.extend(schema(board));
    checks.extend(worktrees(board));
    checks
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

fn nearest_existing(path: &Path) -> PathBuf {
    let existing = path.ancestors().find(|dir| dir.exists());
    existing.unwrap_or(Path::new("/")).to_owned()
}

/// Tries it with a nameless file: permission bits alone do not tell of read-only mounts.
fn writable(board: &Path, place: &Path) -> Check {
    let shown = board.display().to_string();
    let tried = if place.is_dir() {
        tempfile::tempfile_in(place).map(drop)
    } else {
        Err(std::io::Error::other("there is a file in its place"))
    };
    match tried {
        Ok(()) if board.exists() => Check::new("board", "directory", State::Ok, shown),
        Ok(()) => Check::new(
            "board",
            "directory",
            State::Ok,
            format!("{shown} (made when it is needed)"),
        ),
        Err(error) => Check::new(
            "board",
            "directory",
            State::Problem,
            format!("{shown}: {error}"),
        )
        .advice(format!(
            "make {} writable, or choose another with --board",
            place.display()
        )),
    }
}

/// Kinds on which locks or memory maps of SQLite are known to fail, by the numbers of `statfs`(2).
#[cfg(target_os = "linux")]
fn network_file_system(place: &Path) -> Option<&'static str> {
    // The numbers are 32 bits wide; the field is signed and its width differs between machines.
    #[expect(
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation,
        reason = "a bit pattern"
    )]
    let kind = rustix::fs::statfs(place).ok()?.f_type as u32;
    match kind {
        0x6969 => Some("NFS"),
        0x517B | 0xFE53_4D42 | 0xFF53_4D42 => Some("SMB"),
        0x0102_1997 => Some("9p"),
        0x5346_414F => Some("AFS"),
        0x00C3_6400 => Some("Ceph"),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
fn network_file_system(_place: &Path) -> Option<&'static str> {
    None
}

fn schema(board: &Path) -> Option<Check> {
    let options = Options {
        signal_dir: None,
        ..Options::board(board)
    };
    if !options.path.is_file() {
        return None;
    }
    let opened = callboard_board::open_with(options)
        .map_err(anyhow::Error::from)
        .and_then(|store| Ok(store.read_now(callboard_scheduling::board_counts)?));
    Some(match opened {
        Ok(counts) => {
            let known = callboard_scheduling::MIGRATIONS
                .last()
                .map_or(0, |m| m.version);
            let tasks: u64 = counts.iter().map(|row| u64::from(row.tasks)).sum();
            Check::new(
                "board",
                "schema",
                State::Ok,
                format!("version {known}, {tasks} tasks"),
            )
        }
        Err(error) => Check::new("board", "schema", State::Problem, format!("{error:#}")),
    })
}

fn worktrees(board: &Path) -> Option<Check> {
    let entries = std::fs::read_dir(board.join("worktrees")).ok()?;
    let count = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .count();
    let check = Check::new("board", "worktrees", State::Ok, format!("{count} on disk"));
    if count == 0 {
        return Some(check);
    }
    Some(
        Check {
            state: State::Note,
            ..check
        }
        .advice("of attempts that run or were cut short; `callboard run <project>` goes on and cleans up"),
    )
}
