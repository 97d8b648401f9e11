//! The token that the user's own clients share.
//! For: its one file in the user's data directory, made once, readable by nobody else; and its row on each board
//! of the user. Not for: tokens for others, or anything in a repository.

use anyhow::{Context, bail};
use callboard_config::Environment;
use callboard_mcp::Role;
use callboard_mcp::access::{
    LOCAL_NAME, NewToken, TokenError, TokenText, token_add, token_get, token_renew,
};
use callboard_store::{Clock, Store, SystemClock};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Name of the file in the data directory.
const FILE: &str = "token";
/// Says what git leaves alone.
const IGNORE: &str = ".gitignore";
/// Longer than any token.
const LARGEST: u64 = 1_024;

/// The user's own token, good on this board.
pub struct LocalToken {
    /// What clients send.
    pub text: TokenText,
    /// Where it is kept.
    pub file: PathBuf,
    /// The git repository that it would be in.
    pub kept_out: Option<KeptOut>,
}

/// How a directory inside a git work tree is kept out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptOut {
    /// The work tree.
    pub tree: PathBuf,
    /// The file that keeps all beside it out.
    pub ignore: PathBuf,
}

impl std::fmt::Display for KeptOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "That is inside the git work tree {}: {} keeps it out of the repository.",
            self.tree.display(),
            self.ignore.display()
        )
    }
}

/// The git work tree that a directory, which need not exist, is in.
pub fn work_tree(dir: &Path) -> Option<PathBuf> {
    let there = dir.ancestors().find_map(|dir| dir.canonicalize().ok())?;
    let root = there.ancestors().find(|dir| dir.join(".git").exists());
    root.map(Path::to_owned)
}

/// Whether git looks at nothing in a directory.
pub fn is_ignored(dir: &Path) -> bool {
    let rules = std::fs::read_to_string(dir.join(IGNORE)).unwrap_or_default();
    let rules: Vec<&str> = rules
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    // A later rule may take back an earlier one.
    rules.contains(&"*") && rules.iter().all(|rule| !rule.starts_with('!'))
}

/// Sees to it that git does not take up what is in the user's data directory, where that is inside a work tree.
fn keep_out(dir: &Path) -> anyhow::Result<Option<KeptOut>> {
    let Some(tree) = work_tree(dir) else {
        return Ok(None);
    };
    let ignore = dir.join(IGNORE);
    if !is_ignored(dir) {
        if ignore.symlink_metadata().is_ok() {
            bail!(
                "{} is inside the git work tree {}, so no token is put there: its {IGNORE} must say `*` and take nothing \
                 back with `!`; or set CALLBOARD_DATA_DIR to a directory elsewhere",
                dir.display(),
                tree.display()
            );
        }
        make_dir(dir)?;
        let mut temporary = tempfile::NamedTempFile::new_in(dir)?;
        temporary
            .write_all(b"# Tokens and keys: nothing in here belongs into a repository.\n*\n")?;
        temporary.as_file().sync_all()?;
        match temporary.persist_noclobber(&ignore) {
            Err(error) if error.error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(error.error).with_context(|| ignore.display().to_string());
            }
            _ => {}
        }
    }
    Ok(Some(KeptOut { tree, ignore }))
}

fn make_dir(dir: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

/// Where the token is kept.
pub fn file(environment: &Environment) -> anyhow::Result<PathBuf> {
    Ok(environment.data_dir()?.join(FILE))
}

/// The user's own token, made if there is none, and known to the board of `store`. One that was revoked there is
/// replaced by another.
pub fn ensure(environment: &Environment, store: &Store) -> anyhow::Result<LocalToken> {
    let file = file(environment)?;
    // Before it is there: a commit of everything may come at any time.
    let kept_out = keep_out(&environment.data_dir()?)?;
    let kept = match read(&file)? {
        Some(text) => text,
        None => write(&file, &TokenText::generate()?, Replace::Never)?,
    };
    if let Known::Good = introduce(store, &kept)? {
        return Ok(LocalToken {
            text: kept,
            file,
            kept_out,
        });
    }
    let text = write(&file, &TokenText::generate()?, Replace::Always)?;
    match introduce(store, &text)? {
        Known::Good => Ok(LocalToken {
            text,
            file,
            kept_out,
        }),
        Known::Ended => bail!("the new token was revoked at once; run the command again"),
    }
}

/// What a board says of a token.
enum Known {
    Good,
    /// It was revoked there.
    Ended,
}

/// Makes the token known to the board, in place of an older one of the same name.
fn introduce(store: &Store, token: &TokenText) -> Result<Known, TokenError> {
    let now = SystemClock.now_ms();
    let found = store.read_now(|c| token_get(c, token.id()))?;
    if let Some(row) = found {
        return Ok(if row.is_of(token) && row.is_good(now) {
            Known::Good
        } else {
            Known::Ended
        });
    }
    let token = token.clone();
    store.write_blocking(move |c| {
        let new = NewToken {
            name: LOCAL_NAME.to_owned(),
            role: Role::Admin,
            grant: None,
            lifetime_ms: None,
        };
        // Another process of the same user may have been first.
        match token_get(c, token.id())? {
            Some(_) => {}
            None => match token_add(c, now, &token, &new) {
                Err(TokenError::Taken { .. }) => drop(token_renew(c, now, &token, &new)?),
                added => drop(added?),
            },
        }
        Ok(Known::Good)
    })
}

/// The token in the file; `None` where there is no file.
pub fn read(file: &Path) -> anyhow::Result<Option<TokenText>> {
    let opened = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(file);
    let opened = match opened {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| {
            format!(
                "{}: the token can't be read; if this is no regular file, remove it and run the command again",
                file.display()
            )
        })?,
    };
    let meta = opened.metadata()?;
    if !meta.is_file() || meta.mode() & 0o077 != 0 {
        bail!(
            "{} can be read by others: remove it and run the command again, which makes another token",
            file.display()
        );
    }
    let mut text = Zeroizing::new(String::with_capacity(LARGEST as usize));
    opened.take(LARGEST).read_to_string(&mut text)?;
    let token = TokenText::parse(text.trim()).with_context(|| {
        format!(
            "{} holds no token: remove it and run the command again, which makes one",
            file.display()
        )
    })?;
    Ok(Some(token))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Replace {
    Never,
    Always,
}

/// Puts the token into the file, and answers what is in it then: another process may have been first.
fn write(file: &Path, token: &TokenText, replace: Replace) -> anyhow::Result<TokenText> {
    let context = || format!("{}: the token can't be kept", file.display());
    let dir = file.parent().unwrap_or(Path::new("/"));
    make_dir(dir).with_context(context)?;
    // Temporary files are readable by their owner only.
    let mut temporary = tempfile::NamedTempFile::new_in(dir).with_context(context)?;
    writeln!(temporary, "{}", token.reveal()).with_context(context)?;
    temporary.as_file().sync_all().with_context(context)?;
    let persisted = match replace {
        Replace::Always => temporary.persist(file),
        Replace::Never => temporary.persist_noclobber(file),
    };
    match persisted {
        Ok(_) => Ok(token.clone()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            read(file)?.with_context(context)
        }
        Err(error) => Err(error.error).with_context(context),
    }
}
