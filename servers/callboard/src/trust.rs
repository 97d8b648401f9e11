//! `callboard trust`: the user vouches for what a project's own configuration asks for.
//! For: showing it, and recording the path with the hash of exactly the content shown.
//! Not for: judging it, or trusting anything that changes later.

use anyhow::{Context, bail};
use callboard_config::{Environment, PROJECT_FILE, ProjectFile, Projects};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `callboard trust`.
#[derive(Debug, Clone, clap::Args)]
pub struct TrustArgs {
    /// Root of the project, or its callboard.toml
    pub path: PathBuf,
    /// Take the trust back
    #[arg(long)]
    pub revoke: bool,
}

/// Records or takes back the trust in a project's configuration, and says what that means.
///
/// # Errors
/// No configuration there, one that is broken, or a register that can't be changed.
pub fn trust(
    args: &TrustArgs,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let root = root_of(&environment.cwd().join(&args.path));
    let projects = Projects::of(environment)?;
    if args.revoke {
        return revoke(&projects, &root, out);
    }
    let root = root
        .canonicalize()
        .with_context(|| format!("{}", root.display()))?;
    let Some(file) = ProjectFile::read(&root)? else {
        bail!(
            "{} has no {PROJECT_FILE}, so there is nothing to trust; give the root of the project",
            root.display()
        );
    };
    let problems = file.problems();
    if !problems.is_empty() {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        bail!(
            "{}\nMend the file first; nothing was recorded.",
            lines.join("\n")
        );
    }
    record(&projects, &file, out)
}

fn root_of(path: &Path) -> PathBuf {
    let named = path.file_name().is_some_and(|name| name == PROJECT_FILE);
    match path.parent() {
        Some(parent) if named => parent.to_owned(),
        _ => path.to_owned(),
    }
}

fn revoke(projects: &Projects, root: &Path, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let had = projects.revoke(root)?;
    let what = if had {
        "is no longer trusted"
    } else {
        "was not trusted; nothing changed"
    };
    writeln!(out, "{} {what}.", root.join(PROJECT_FILE).display())?;
    Ok(ExitCode::SUCCESS)
}

fn record(
    projects: &Projects,
    file: &ProjectFile,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let keys = file.dangerous();
    if keys.is_empty() {
        writeln!(
            out,
            "{} sets nothing that needs trust; nothing was recorded.",
            file.file.display()
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{} sets:", file.file.display())?;
    for key in &keys {
        writeln!(out, "  line {}: {} = {}", key.line, key.key, key.value)?;
    }
    projects.trust(&file.root, &file.sha256)?;
    writeln!(out, "sha256 {}", file.sha256)?;
    writeln!(
        out,
        "Trusted, as recorded in {}. Any change of the file asks again; `callboard trust --revoke` takes it back.",
        projects.file().display()
    )?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard_config::{Config, Overrides};

    struct Rig {
        dir: tempfile::TempDir,
        environment: Environment,
    }

    fn rig(text: &str) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment::of([("HOME", dir.path())], dir.path());
        std::fs::create_dir(dir.path().join("project")).unwrap();
        let rig = Rig { dir, environment };
        rig.put(text);
        rig
    }

    impl Rig {
        fn root(&self) -> PathBuf {
            self.dir.path().join("project")
        }

        fn put(&self, text: &str) {
            let mut file = std::fs::File::create(self.root().join(PROJECT_FILE)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn run(&self, path: &str, revoke: bool) -> anyhow::Result<String> {
            let args = TrustArgs {
                path: path.into(),
                revoke,
            };
            let mut out = Vec::new();
            trust(&args, &self.environment, &mut out)?;
            Ok(String::from_utf8(out)?)
        }

        fn is_trusted(&self) -> bool {
            Config::load(&self.environment, Some(&self.root()), &Overrides::default()).is_ok()
        }
    }

    const ASKS: &str = "[tests]\ncommand = \"make check\"\n";

    #[test]
    fn shows_what_is_trusted_and_records_it() {
        let rig = rig(ASKS);
        assert!(!rig.is_trusted());
        let shown = rig.run("project", false).unwrap();
        assert!(
            shown.contains("line 2: tests.command = \"make check\""),
            "{shown}"
        );
        assert!(rig.is_trusted());
        rig.put("[tests]\ncommand = \"make other\"\n");
        assert!(!rig.is_trusted());
    }

    #[test]
    fn takes_the_file_for_the_project() {
        let rig = rig(ASKS);
        rig.run("project/callboard.toml", false).unwrap();
        assert!(rig.is_trusted());
    }

    #[test]
    fn trust_can_be_taken_back_even_without_the_file() {
        let rig = rig(ASKS);
        rig.run("project", false).unwrap();
        std::fs::remove_file(rig.root().join(PROJECT_FILE)).unwrap();
        assert!(
            rig.run("project", true)
                .unwrap()
                .contains("no longer trusted")
        );
        assert!(
            rig.run("project", true)
                .unwrap()
                .contains("was not trusted")
        );
        rig.put(ASKS);
        assert!(!rig.is_trusted());
    }

    #[test]
    fn nothing_dangerous_needs_no_record() {
        let rig = rig("[run]\nagents = 2\n");
        let said = rig.run("project", false).unwrap();
        assert!(said.contains("nothing that needs trust"), "{said}");
        assert!(!Projects::of(&rig.environment).unwrap().file().exists());
    }

    #[test]
    fn a_broken_or_missing_file_is_not_trusted() {
        let rig = rig("[tests]\ncommand = \"x\"\ntimeuot = \"1m\"\n");
        let why = rig.run("project", false).unwrap_err().to_string();
        assert!(
            why.contains("callboard.toml:3: tests.timeuot") && why.contains("nothing was recorded"),
            "{why}"
        );
        let why = rig.run(".", false).unwrap_err().to_string();
        assert!(why.contains("has no callboard.toml"), "{why}");
        assert!(rig.run("nowhere", false).is_err());
    }
}
