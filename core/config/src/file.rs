//! One configuration file: its text checked against the table of keys, every problem with its line.
//! For: the user's `config.toml` and a project's `callboard.toml`, which differ only in what they may set.
//! Not for: deciding which file wins, or who is trusted.

use crate::error::{ConfigError, Problem, Source, UntrustedKey, shown};
use crate::keys::{Key, Trust};
use crate::kind::{Kind, Value};
use crate::tables::{Named, has_keys_below, named, nearest_key, siblings, written};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Name of a project's own configuration, at the root of its repository.
pub const PROJECT_FILE: &str = "callboard.toml";

/// Larger than any configuration; a bound on what an unknown repository can make us read.
const LARGEST: u64 = 1 << 20;

/// A value that has passed its check, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub path: String,
    pub key: &'static Key,
    pub value: Value,
    pub line: usize,
    pub raw: String,
}

/// Something wrong, before it is known which layer the file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub line: usize,
    pub key: String,
    pub message: String,
}

/// What a file says, in the order of its lines.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub entries: Vec<Entry>,
    /// Tables that the user named, such as `agents.<name>`, with their first line.
    pub tables: Vec<(Vec<String>, usize)>,
    pub faults: Vec<Fault>,
}

impl Parsed {
    /// Makes a fault of each key that no project may set, trusted or not.
    fn refuse_what_is_the_users(&mut self) {
        let users = |entry: &&Entry| entry.key.trust == Trust::Never;
        self.faults
            .extend(self.entries.iter().filter(users).map(|entry| Fault {
                line: entry.line,
                key: entry.path.clone(),
                message: format!(
                    "no project may set this, trusted or not: it names a program that knows your passphrase. Remove it \
                     here, and set it in your own config.toml or in {}",
                    entry.key.variable().unwrap_or_default()
                ),
            }));
        self.faults.sort_by_key(|fault| fault.line);
        self.entries.retain(|entry| entry.key.trust != Trust::Never);
    }
}

/// Checks a whole text. Never stops at the first fault.
pub(crate) fn parse(text: &str) -> Parsed {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut walk = Walk {
        text,
        parsed: Parsed::default(),
    };
    walk.table(&mut Vec::new(), document.get_ref());
    let mut parsed = walk.parsed;
    let broken: Vec<Fault> = errors
        .iter()
        .map(|error| Fault {
            line: line_at(text, error.span().map_or(0, |span| span.start)),
            key: String::new(),
            message: format!("this is no TOML: {}", shown(error.message())),
        })
        .collect();
    // What follows a broken line may be misread, so only what stands before it is worth telling.
    if let Some(first) = broken.iter().map(|fault| fault.line).min() {
        parsed.faults.retain(|fault| fault.line < first);
        parsed.faults.extend(broken);
    }
    parsed.faults.sort_by_key(|fault| fault.line);
    parsed.entries.sort_by_key(|entry| entry.line);
    parsed
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

struct Walk<'t> {
    text: &'t str,
    parsed: Parsed,
}

impl Walk<'_> {
    fn table(&mut self, path: &mut Vec<String>, table: &DeTable<'_>) {
        for (name, value) in table {
            path.push(name.get_ref().to_string());
            let line = line_at(self.text, name.span().start);
            self.item(path, line, value);
            path.pop();
        }
    }

    fn item(&mut self, path: &mut Vec<String>, line: usize, value: &Spanned<DeValue<'_>>) {
        if let Some(named) = named(path)
            && !self.name(named, path, line)
        {
            return;
        }
        if let Some(key) = Key::find(path) {
            self.value(path, key, line, value);
        } else if !has_keys_below(path) {
            self.unknown(path, line);
        } else if let DeValue::Table(inner) = value.get_ref() {
            self.table(path, inner);
        } else {
            let message = format!("expected a table: write [{}]", shown(&written(path)));
            self.fault(line, path, message);
        }
    }

    /// Whether the name at the end of `path` can be used; what it names is noted.
    fn name(&mut self, named: &Named, path: &[String], line: usize) -> bool {
        let name = path.last().map_or("", String::as_str);
        match (named.check)(name) {
            Ok(()) if named.is_table => self.parsed.tables.push((path.to_owned(), line)),
            Ok(()) => {}
            Err(message) => {
                self.fault(line, path, message);
                return false;
            }
        }
        true
    }

    fn value(
        &mut self,
        path: &[String],
        key: &'static Key,
        line: usize,
        value: &Spanned<DeValue<'_>>,
    ) {
        match key.kind.check(value.get_ref()) {
            Err(message) => self.fault(line, path, message),
            Ok(checked) => self.parsed.entries.push(Entry {
                path: written(path),
                key,
                line,
                raw: match (&checked, key.kind) {
                    (Value::Template(text), Kind::Secret | Kind::HeaderValue) => text.shown(),
                    _ => shown(self.text.get(value.span()).unwrap_or_default()),
                },
                value: checked,
            }),
        }
    }

    fn unknown(&mut self, path: &[String], line: usize) {
        let message = match nearest_key(path) {
            Some(near) => format!("no such key; did you mean {near}?"),
            None => format!("no such key; there are {}", siblings(path)),
        };
        self.fault(line, path, message);
    }

    fn fault(&mut self, line: usize, path: &[String], message: String) {
        self.parsed.faults.push(Fault {
            line,
            key: shown(&written(path)),
            message,
        });
    }
}

/// Reads a file that may be absent.
pub(crate) fn read_text(file: &Path) -> Result<Option<String>, ConfigError> {
    let unreadable = |why: String| ConfigError::Unreadable {
        file: file.to_owned(),
        why,
    };
    let meta = match file.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
        Ok(meta) => meta,
    };
    if !meta.is_file() {
        return Err(unreadable("expected a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|open| open.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(unreadable(
            "larger than 1 MiB: no configuration is".to_owned(),
        ));
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        unreadable(format!("line {line} is not valid UTF-8: save it as UTF-8"))
    })
}

/// A project's own configuration as it stands on disk, whether trusted or not.
#[derive(Debug)]
pub struct ProjectFile {
    /// Root of the project.
    pub root: PathBuf,
    /// The file.
    pub file: PathBuf,
    /// SHA-256 of the content in lower-case hex.
    pub sha256: String,
    pub(crate) parsed: Parsed,
}

impl ProjectFile {
    /// Reads `callboard.toml` at `root`; `None` when there is none. A symbolic link is refused: what it points at
    /// could change without the repository changing.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`].
    pub fn read(root: &Path) -> Result<Option<Self>, ConfigError> {
        let file = root.join(PROJECT_FILE);
        if file.is_symlink() {
            return Err(ConfigError::Unreadable {
                file,
                why: "is a symbolic link: a project's configuration must be a regular file"
                    .to_owned(),
            });
        }
        let Some(text) = read_text(&file)? else {
            return Ok(None);
        };
        let mut parsed = parse(&text);
        parsed.refuse_what_is_the_users();
        Ok(Some(Self {
            root: root.to_owned(),
            sha256: hex_of(&Sha256::digest(text.as_bytes())),
            parsed,
            file,
        }))
    }

    /// The keys that need the user's trust.
    #[must_use]
    pub fn dangerous(&self) -> Vec<UntrustedKey> {
        self.parsed
            .entries
            .iter()
            .filter(|entry| entry.key.trust == Trust::Needed)
            .map(|entry| UntrustedKey {
                key: entry.path.clone(),
                line: entry.line,
                value: entry.raw.clone(),
            })
            .collect()
    }

    /// Everything wrong with it.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let place = |line| Source::Project {
            file: self.file.clone(),
            line,
        };
        faults_to_problems(&self.parsed.faults, place)
    }
}

pub(crate) fn faults_to_problems(
    faults: &[Fault],
    place: impl Fn(usize) -> Source,
) -> Vec<Problem> {
    faults
        .iter()
        .map(|fault| Problem {
            place: place(fault.line),
            key: fault.key.clone(),
            message: fault.message.clone(),
        })
        .collect()
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
