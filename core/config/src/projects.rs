//! The user's register of projects: which board each uses, and which content of its configuration is trusted.
//! For: `<data>/projects.toml`, changed under a lock, by temporary file, sync and rename.
//! Not for: what a project says of itself; nothing here is read from a repository.

use crate::environment::Environment;
use crate::error::{ConfigError, RegisterError, shown};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml_edit::{DocumentMut, Item, Table, value};

const FILE: &str = "projects.toml";
const LOCK: &str = "projects.lock";
const LOCK_PAUSE: Duration = Duration::from_millis(5);
const LOCK_TRIES: u32 = 2_000;

/// What the user has settled about one project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Project {
    /// Board of its own; the default one when `None`.
    pub board: Option<PathBuf>,
    /// SHA-256 (lower-case hex) of the content of its `callboard.toml` that is trusted.
    pub trusted: Option<String>,
}

impl Project {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The register. Cheap to make; every call reads the file anew.
#[derive(Debug, Clone)]
pub struct Projects {
    dir: PathBuf,
}

impl Projects {
    /// The register of this user.
    ///
    /// # Errors
    /// As [`Environment::data_dir`].
    pub fn of(environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self::at(&environment.data_dir()?))
    }

    /// The register in a data directory; nothing is created until something is recorded.
    #[must_use]
    pub fn at(data_dir: &Path) -> Self {
        Self {
            dir: data_dir.to_owned(),
        }
    }

    /// Path of the register.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    /// Every registered project by its canonical root.
    ///
    /// # Errors
    /// [`RegisterError::Broken`] with the line, or what the system says.
    pub fn all(&self) -> Result<BTreeMap<PathBuf, Project>, RegisterError> {
        let text = self.read()?;
        let document = parse(&self.file(), &text)?;
        read_all(&self.file(), &text, document.as_table())
    }

    /// One project; an unknown one has neither board nor trust.
    ///
    /// # Errors
    /// As [`Projects::all`].
    pub fn get(&self, root: &Path) -> Result<Project, RegisterError> {
        let mut all = self.all()?;
        Ok(all.remove(&canonical(root)).unwrap_or_default())
    }

    /// Records the board of a project.
    ///
    /// # Errors
    /// As [`Projects::all`]; on any error the register is as it was.
    pub fn set_board(&self, root: &Path, board: &Path) -> Result<(), RegisterError> {
        text_of(board)?;
        self.change(root, |project| project.board = Some(board.to_owned()))
            .map(drop)
    }

    /// Records that this content of the project's configuration is trusted.
    ///
    /// # Errors
    /// As [`Projects::all`]; on any error the register is as it was.
    pub fn trust(&self, root: &Path, sha256: &str) -> Result<(), RegisterError> {
        self.change(root, |project| project.trusted = Some(sha256.to_owned()))
            .map(drop)
    }

    /// Takes the trust back; true when there was some.
    ///
    /// # Errors
    /// As [`Projects::all`]; on any error the register is as it was.
    pub fn revoke(&self, root: &Path) -> Result<bool, RegisterError> {
        let before = self.change(root, |project| project.trusted = None)?;
        Ok(before.trusted.is_some())
    }

    /// Forgets a project; true when it was known.
    ///
    /// # Errors
    /// As [`Projects::all`]; on any error the register is as it was.
    pub fn forget(&self, root: &Path) -> Result<bool, RegisterError> {
        let before = self.change(root, |project| *project = Project::default())?;
        Ok(!before.is_empty())
    }

    /// Read, change, write under the lock. Returns what was there before. A crash leaves the old file or the new
    /// one, and at worst a stray temporary file beside it.
    fn change(
        &self,
        root: &Path,
        edit: impl FnOnce(&mut Project),
    ) -> Result<Project, RegisterError> {
        let root = canonical(root);
        let key = text_of(&root)?;
        let _lock = self.lock()?;
        let text = self.read()?;
        let mut document = parse(&self.file(), &text)?;
        let mut all = read_all(&self.file(), &text, document.as_table())?;
        let before = all.remove(&root).unwrap_or_default();
        let mut after = before.clone();
        edit(&mut after);
        if after != before {
            put(document.as_table_mut(), key, &after);
            self.write(&document.to_string())?;
        }
        Ok(before)
    }

    fn lock(&self) -> Result<File, RegisterError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(at(&self.dir))?;
        let path = self.dir.join(LOCK);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(at(&path))?;
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(at(&path)(error)),
            }
        }
        Err(RegisterError::Busy {
            file: path,
            seconds: (LOCK_PAUSE * LOCK_TRIES).as_secs(),
        })
    }

    fn read(&self) -> Result<String, RegisterError> {
        let file = self.file();
        match std::fs::read_to_string(&file) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(at(&file)(error)),
        }
    }

    fn write(&self, text: &str) -> Result<(), RegisterError> {
        let file = self.file();
        // A temporary file is made with mode 0600, which the rename keeps.
        let mut temporary = tempfile::NamedTempFile::new_in(&self.dir).map_err(at(&self.dir))?;
        temporary
            .write_all(text.as_bytes())
            .and_then(|()| temporary.as_file().sync_all())
            .map_err(at(&file))?;
        temporary
            .persist(&file)
            .map_err(|error| at(&file)(error.error))?;
        File::open(&self.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(at(&self.dir))
    }
}

fn at(file: &Path) -> impl FnOnce(std::io::Error) -> RegisterError {
    let file = file.to_owned();
    move |source| RegisterError::Io { file, source }
}

/// One project has one key, however it was reached.
fn canonical(root: &Path) -> PathBuf {
    root.canonicalize().unwrap_or_else(|_| root.to_owned())
}

fn text_of(path: &Path) -> Result<&str, RegisterError> {
    path.to_str().ok_or_else(|| RegisterError::NotText {
        path: path.to_owned(),
    })
}

fn parse(file: &Path, text: &str) -> Result<DocumentMut, RegisterError> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let offset = error.span().map_or(0, |span| span.start);
        broken(
            file,
            text,
            offset,
            &format!("no TOML: {}", shown(error.message())),
        )
    })
}

fn broken(file: &Path, text: &str, offset: usize, message: &str) -> RegisterError {
    let before = &text.as_bytes()[..offset.min(text.len())];
    RegisterError::Broken {
        file: file.to_owned(),
        line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
        message: message.to_owned(),
    }
}

fn read_all(
    file: &Path,
    text: &str,
    table: &Table,
) -> Result<BTreeMap<PathBuf, Project>, RegisterError> {
    // Spans are lost once a document can be edited, so the place of a fault is found by the project's header.
    let fault = |root: &str, message: &str| {
        let offset = text.find(root).unwrap_or(0);
        broken(file, text, offset, message)
    };
    let mut all = BTreeMap::new();
    for (root, item) in table {
        let fields = item
            .as_table_like()
            .filter(|_| Path::new(root).is_absolute())
            .ok_or_else(|| {
                fault(
                    root,
                    "expected a table named by the absolute path of a project",
                )
            })?;
        let mut project = Project::default();
        for (name, field) in fields.iter() {
            let text = field
                .as_str()
                .ok_or_else(|| fault(root, &format!("{} must be a string", shown(name))))?;
            match name {
                "board" => project.board = Some(PathBuf::from(text)),
                "trusted" => project.trusted = Some(text.to_owned()),
                // Written by a newer version; kept as it is.
                _ => {}
            }
        }
        all.insert(PathBuf::from(root), project);
    }
    Ok(all)
}

fn put(table: &mut Table, root: &str, project: &Project) {
    let entry = table
        .entry(root)
        .or_insert_with(|| Item::Table(Table::new()));
    let Some(fields) = entry.as_table_like_mut() else {
        return;
    };
    let board = project.board.as_ref().and_then(|path| path.to_str());
    for (name, text) in [("board", board), ("trusted", project.trusted.as_deref())] {
        match text {
            Some(text) => drop(fields.insert(name, value(text))),
            None => drop(fields.remove(name)),
        }
    }
    if fields.is_empty() {
        table.remove(root);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    struct Rig {
        dir: tempfile::TempDir,
        projects: Projects,
    }

    fn rig() -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let projects = Projects::at(&dir.path().join("data"));
        Rig { dir, projects }
    }

    impl Rig {
        fn root(&self, name: &str) -> PathBuf {
            let root = self.dir.path().join(name);
            std::fs::create_dir_all(&root).unwrap();
            root.canonicalize().unwrap()
        }

        fn put_file(&self, text: &str) {
            std::fs::create_dir_all(&self.projects.dir).unwrap();
            let mut file = File::create(self.projects.file()).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn text(&self) -> String {
            std::fs::read_to_string(self.projects.file()).unwrap()
        }
    }

    #[test]
    fn an_unknown_project_has_nothing_and_leaves_nothing() {
        let rig = rig();
        assert_eq!(
            rig.projects.get(&rig.root("a")).unwrap(),
            Project::default()
        );
        assert!(!rig.projects.file().exists());
    }

    #[test]
    fn board_and_trust_are_kept_apart() {
        let rig = rig();
        let (a, b) = (rig.root("a"), rig.root("b"));
        rig.projects.set_board(&a, Path::new("/boards/a")).unwrap();
        rig.projects.trust(&a, "aa").unwrap();
        rig.projects.trust(&b, "bb").unwrap();
        assert!(rig.projects.revoke(&a).unwrap());
        assert!(!rig.projects.revoke(&a).unwrap());
        let expected = Project {
            board: Some("/boards/a".into()),
            trusted: None,
        };
        assert_eq!(rig.projects.get(&a).unwrap(), expected);
        assert_eq!(rig.projects.get(&b).unwrap().trusted.as_deref(), Some("bb"));
        assert!(rig.projects.forget(&b).unwrap());
        assert_eq!(rig.projects.all().unwrap().len(), 1);
    }

    #[test]
    fn a_project_is_the_same_however_it_is_reached() {
        let rig = rig();
        let root = rig.root("a");
        let link = rig.dir.path().join("link");
        std::os::unix::fs::symlink(&root, &link).unwrap();
        rig.projects.trust(&link, "aa").unwrap();
        assert_eq!(
            rig.projects.get(&root).unwrap().trusted.as_deref(),
            Some("aa")
        );
        assert_eq!(
            rig.projects
                .get(&root.join("../a"))
                .unwrap()
                .trusted
                .as_deref(),
            Some("aa")
        );
    }

    #[test]
    fn only_the_user_can_read_it() {
        let rig = rig();
        rig.projects.trust(&rig.root("a"), "aa").unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&rig.projects.file()), 0o600);
        assert_eq!(mode(&rig.projects.dir), 0o700);
    }

    #[test]
    fn what_others_wrote_survives() {
        let rig = rig();
        rig.put_file("# mine\n[\"/x\"]\nboard = \"/b\" # why\nlater = \"kept\"\n");
        rig.projects.trust(&rig.root("a"), "aa").unwrap();
        let text = rig.text();
        assert!(
            text.starts_with("# mine\n[\"/x\"]\nboard = \"/b\" # why\nlater = \"kept\"\n"),
            "{text}"
        );
        assert_eq!(rig.projects.all().unwrap().len(), 2);
    }

    #[test]
    fn a_broken_register_is_named_by_line_and_left_alone() {
        for (text, line) in [
            ("[\"/x\"]\nboard = \"/b\"\nnonsense\n", 3),
            ("[\"/x\"]\nboard = \"/b\"\n\n[\"/y\"]\ntrusted = 3\n", 4),
            ("\nrelative = 1\n", 2),
        ] {
            let rig = rig();
            rig.put_file(text);
            let failed = rig.projects.trust(&rig.root("a"), "aa").unwrap_err();
            assert!(
                matches!(&failed, RegisterError::Broken { line: found, .. } if *found == line),
                "{failed}"
            );
            assert_eq!(rig.text(), text);
        }
    }

    #[test]
    fn concurrent_writers_lose_nothing() {
        let rig = rig();
        let roots: Vec<PathBuf> = (0..8).map(|n| rig.root(&format!("p{n}"))).collect();
        std::thread::scope(|scope| {
            for root in &roots {
                let projects = rig.projects.clone();
                scope.spawn(move || {
                    for round in 0..5 {
                        projects.trust(root, &format!("{round}")).unwrap();
                        projects.set_board(root, Path::new("/b")).unwrap();
                    }
                });
            }
        });
        let all = rig.projects.all().unwrap();
        assert_eq!(all.len(), roots.len());
        assert!(
            all.values()
                .all(|p| p.trusted.as_deref() == Some("4") && p.board.is_some())
        );
        let leftovers: Vec<_> = std::fs::read_dir(&rig.projects.dir).unwrap().collect();
        assert_eq!(leftovers.len(), 2, "only the register and its lock");
    }
}
