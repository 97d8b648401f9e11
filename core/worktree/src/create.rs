//! For: making a repository out of a directory, with a bare remote beside it: how an example is worked
//! like anybody's project. Not for: repositories that exist already.

use std::path::Path;

use crate::program::Call;
use crate::{Git, GitError, Message, Repo};

/// Makes `directory` a git repository whose branch `main` holds everything in it, and `origin` a bare
/// repository that it pushes to.
///
/// # Errors
/// Whatever git refuses; nothing is undone then, so use a fresh directory.
pub fn create_with_origin(
    directory: &Path,
    origin: &Path,
    message: &Message,
) -> Result<Repo, GitError> {
    let git = Git::default();
    git.version()?;
    let call = || Call::new(&git, "callboard", directory);
    let run = |args: &[&str]| call().args(args).text().map(drop);
    run(&["init", "--quiet", "--initial-branch=main"])?;
    run(&["add", "--all"])?;
    let repo = Repo::discover(directory, "callboard")?;
    repo.signed_by_someone(repo.call(), message)?
        .setting("commit.gpgsign=false")
        .args(["commit", "--quiet", "--no-verify", "-F", "-"])
        .stdin(message.render())
        .text()?;
    call()
        .args(["clone", "--quiet", "--bare", "--no-hardlinks", "--"])
        .arg(directory)
        .arg(origin)
        .text()?;
    call()
        .args(["remote", "add", "--", "origin"])
        .arg(origin)
        .text()?;
    run(&["fetch", "--quiet", "origin"])?;
    run(&["branch", "--quiet", "--set-upstream-to=origin/main", "main"])?;
    Ok(repo)
}
