//! `callboard backup` and `callboard restore`: the board and what was recorded of calls, as checked copies.
//! For: copies while everything goes on, and a board made of them where there is none. Not for: the vault's key file or
//! passphrase, which are no part of a board.

use anyhow::{Context as _, bail};
use callboard_config::{Config, Environment, Overrides};
use callboard_store::Store;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What the user's board consists of, what is written last being what makes it one.
const FILES: [&str; 2] = ["telemetry.db", "board.db"];

/// Arguments of `callboard backup`.
#[derive(Debug, clap::Args)]
pub struct BackupArgs {
    /// The directory that the copies go into; it is made, and nothing in it is overwritten
    to: PathBuf,
    /// The directory of the board
    #[arg(long, value_name = "DIR")]
    board: Option<PathBuf>,
}

/// Arguments of `callboard restore`.
#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// The directory that a backup was written into; it stays as it is
    from: PathBuf,
    /// The directory that the board goes into; there must be none
    #[arg(long, value_name = "DIR")]
    board: Option<PathBuf>,
}

/// Copies the board and the call log.
///
/// # Errors
/// No board, a copy that exists already, or no room for one.
pub fn backup(
    args: &BackupArgs,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let board = board(args.board.as_ref(), environment)?;
    if !board.join("board.db").is_file() {
        bail!(
            "there is no board in {}; name it with --board",
            board.display()
        );
    }
    let to = environment.cwd().join(&args.to);
    private(&to)?;
    for name in FILES {
        if to.join(name).symlink_metadata().is_ok() {
            bail!(
                "{} exists already; name another directory",
                to.join(name).display()
            );
        }
    }
    let copies = callboard_mcp::run(async {
        for name in FILES {
            let copy = to.join(name);
            open(name, &board)?
                .backup(&copy)
                .await
                .with_context(|| format!("copying {name}"))?;
        }
        anyhow::Ok(())
    })?;
    copies?;
    writeln!(
        out,
        "{}: the board and what was recorded of calls, checked.\nThe vault's key file or passphrase is not in it: without it the secrets can't be read.",
        to.display()
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Makes a board of a backup.
///
/// # Errors
/// No backup, a board that is there, or a copy that is broken; then there is no board.
pub fn restore(
    args: &RestoreArgs,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let board = board(args.board.as_ref(), environment)?;
    let from = environment.cwd().join(&args.from);
    if !from.join("board.db").is_file() {
        bail!("there is no backup in {}", from.display());
    }
    private(&board)?;
    for name in FILES {
        if board.join(name).symlink_metadata().is_ok() {
            bail!(
                "{} exists already: end what uses that board and move its directory away, or name another with --board",
                board.join(name).display()
            );
        }
    }
    let done = callboard_mcp::run(async {
        // The copy is opened, not the backup: opening one of an older program brings it up to date.
        let draft = tempfile::TempDir::new_in(&board)
            .with_context(|| format!("writing into {}", board.display()))?;
        for name in FILES {
            if !from.join(name).is_file() {
                continue;
            }
            std::fs::copy(from.join(name), draft.path().join(name))
                .with_context(|| format!("copying {name}"))?;
            open(name, draft.path())?
                .backup(&board.join(name))
                .await
                .with_context(|| format!("checking {name}"))?;
        }
        anyhow::Ok(())
    })?;
    done?;
    writeln!(
        out,
        "{}: restored from {}.",
        board.display(),
        from.display()
    )?;
    Ok(ExitCode::SUCCESS)
}

fn board(named: Option<&PathBuf>, environment: &Environment) -> anyhow::Result<PathBuf> {
    let flags = Overrides {
        board: named.cloned(),
        ..Overrides::default()
    };
    Ok(Config::for_server(environment, &flags)?.board.value)
}

/// The directory, for its owner only if it has to be made.
fn private(directory: &Path) -> anyhow::Result<()> {
    let mut made = std::fs::DirBuilder::new();
    made.recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("making {}", directory.display()))
}

fn open(name: &str, directory: &Path) -> anyhow::Result<Store> {
    let opened = match name {
        "board.db" => callboard_board::open(directory),
        _ => callboard_telemetry::open_events(directory),
    };
    opened.with_context(|| format!("opening {}", directory.join(name).display()))
}
