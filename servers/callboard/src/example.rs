//! Examples are worked in a copy: a git repository of its own, with a bare origin and a board beside it.

use anyhow::{Context as _, bail};
use callboard_config::{Environment, Projects};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What is never copied.
const LEFT_OUT: [&str; 2] = ["target", ".git"];

/// Whether a directory is an example: it ships prepared edits and is not the root of a repository.
#[must_use]
pub fn is_example(path: &Path) -> bool {
    callboard_crew::stand_in::has_prepared(path) && !path.join(".git").exists()
}

/// Makes the copy and says where it is.
///
/// # Errors
/// When the target exists, or files or git refuse.
pub fn copy(
    example: &Path,
    to: Option<&Path>,
    environment: &Environment,
    json: bool,
) -> anyhow::Result<PathBuf> {
    let example = example
        .canonicalize()
        .with_context(|| format!("{}", example.display()))?;
    let name = example
        .file_name()
        .map_or_else(|| "example".into(), |name| name.to_owned());
    let home = match to {
        Some(to) => fresh(&environment.cwd().join(to))?,
        None => numbered(
            &environment.data_dir()?.join("examples"),
            &name.to_string_lossy(),
        )?,
    };
    let project = home.join(&name);
    copy_tree(&example, &project)?;
    callboard_worktree::create_with_origin(
        &project,
        &home.join("origin.git"),
        &callboard_worktree::Message::new("chore", None, "start from the example"),
    )?;
    Projects::of(environment)?.set_board(&project, &home.join("board"))?;
    if json {
        let line = serde_json::json!({"event": "copied", "example": example, "project": project});
        writeln!(std::io::stdout(), "{line}")?;
    } else {
        writeln!(
            std::io::stdout(),
            "Copied {} to {}\nTo go on after an interruption: {}\n",
            name.to_string_lossy(),
            project.display(),
            crate::show::run_again(environment, &project)
        )?;
    }
    Ok(project)
}

fn fresh(path: &Path) -> anyhow::Result<PathBuf> {
    if path.exists() {
        bail!(
            "{} exists already; name a directory that does not",
            path.display()
        );
    }
    std::fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
    Ok(path.canonicalize()?)
}

/// The first of `name-1`, `name-2`, … that is free; making it is what takes it.
fn numbered(parent: &Path, name: &str) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    for number in 1..10_000 {
        let path = parent.join(format!("{name}-{number}"));
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path.canonicalize()?),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("making {}", path.display())),
        }
    }
    bail!(
        "{} is full of copies of {name}; remove some",
        parent.display()
    )
}

fn copy_tree(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&source, &target)?;
        } else if kind.is_file() {
            std::fs::copy(&source, &target)
                .with_context(|| format!("copying {}", source.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_up_and_nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let first = numbered(dir.path(), "tally").unwrap();
        let second = numbered(dir.path(), "tally").unwrap();
        assert!(first.ends_with("tally-1") && second.ends_with("tally-2"));
        assert!(fresh(&first).is_err());
    }

    #[test]
    fn build_results_and_history_stay_behind() {
        let dir = tempfile::tempdir().unwrap();
        for path in [
            "a/target/x",
            "a/.git/HEAD",
            "a/src/lib.rs",
            "a/.callboard/prepared.toml",
        ] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::File::create(path).unwrap();
        }
        copy_tree(&dir.path().join("a"), &dir.path().join("b")).unwrap();
        let b = dir.path().join("b");
        assert!(b.join("src/lib.rs").exists() && b.join(".callboard/prepared.toml").exists());
        assert!(!b.join("target").exists() && !b.join(".git").exists());
        assert!(!is_example(&dir.path().join("a")) && is_example(&b));
    }
}
