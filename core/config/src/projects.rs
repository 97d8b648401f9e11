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
mod tests;
