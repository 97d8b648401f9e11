//! Prices: those that come with the program, newer ones that the user brought, and the user's own.
//! For: which files hold, putting one in force so that it can be undone, and what that changes.
//! Not for: what a call costs (limits knows), or fetching anything.

use crate::error::ModelsError;
use callboard_config::{Config, ConfigError, Environment};
use callboard_limits::{Price, PriceFileError, PriceTable};
use jiff::civil::Date;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

mod current;
pub use current::Current;

/// Larger than any price file.
const LARGEST: u64 = 4 << 20;

/// Where prices are, beside those in the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// What `callboard prices update` put in force.
    pub updated: PathBuf,
    /// What was in force before.
    pub previous: PathBuf,
    /// The user's own, named in the configuration.
    pub own: Option<PathBuf>,
}

impl Files {
    /// Those of this user.
    ///
    /// # Errors
    /// Where there is no data directory.
    pub fn of(environment: &Environment, config: &Config) -> Result<Self, ConfigError> {
        let data = environment.data_dir()?;
        Ok(Self {
            updated: data.join("prices.toml"),
            previous: data.join("prices.previous.toml"),
            own: config.models.prices_file.value.clone(),
        })
    }

    /// What changes when a file does.
    pub(crate) fn marks(&self) -> Vec<Option<(SystemTime, u64)>> {
        let mark = |file: &PathBuf| {
            let meta = std::fs::metadata(file).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        };
        [Some(&self.updated), self.own.as_ref()]
            .into_iter()
            .flatten()
            .map(mark)
            .collect()
    }
}

/// One list of prices that counts, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its file; `None`: the program's own.
    pub file: Option<PathBuf>,
    /// Its version.
    pub version: String,
    /// Why it does not count, where it does not.
    pub unused: Option<String>,
}

/// The prices in force.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The table.
    pub table: PriceTable,
    /// What it was made from, the later over the earlier.
    pub parts: Vec<Part>,
}

impl InForce {
    /// The version that is named for the whole: of the last part that counts.
    #[must_use]
    pub fn version(&self) -> &str {
        self.table.version()
    }

    /// Lays a file over them: unless it is older than `floor`, where there is one.
    fn add(&mut self, file: &Path, text: Result<Option<String>, ModelsError>, floor: Option<&str>) {
        let refused = |why: String| Part {
            file: Some(file.to_owned()),
            version: String::new(),
            unused: Some(why),
        };
        let text = match text {
            Ok(Some(text)) => text,
            Ok(None) => return,
            Err(error) => return self.parts.push(refused(error.to_string())),
        };
        let (table, version) = match laid_over(&self.table, &text) {
            Ok(laid) => laid,
            Err(error) => return self.parts.push(refused(error.to_string())),
        };
        let unused = floor.and_then(|floor| match dated(&version) {
            None => Some(format!("{version:?} is no day, as 2026-11-21 is")),
            day if day < dated(floor) => {
                Some(format!("the program's own prices of {floor} are newer"))
            }
            _ => None,
        });
        if unused.is_none() {
            self.table = table;
        }
        self.parts.push(Part {
            file: Some(file.to_owned()),
            version,
            unused,
        });
    }
}

/// What the program brings.
fn built_in() -> InForce {
    match PriceTable::built_in() {
        Ok(table) => InForce {
            parts: vec![Part {
                file: None,
                version: table.version().to_owned(),
                unused: None,
            }],
            table,
        },
        // A test holds that this does not happen; without prices every cost is unknown, which is true.
        Err(error) => InForce {
            table: PriceTable::empty(),
            parts: vec![Part {
                file: None,
                version: String::new(),
                unused: Some(error.to_string()),
            }],
        },
    }
}

/// The prices in force. A file that can't be read does not count, and says so in its part: a call whose price is not
/// known is better than no call.
#[must_use]
pub fn in_force(files: &Files) -> InForce {
    let mut prices = with_updated(files, read(&files.updated));
    if let Some(own) = &files.own {
        let text = read(own).and_then(|text| {
            text.map(Some)
                .ok_or_else(|| ModelsError::file(own, "there is no such file"))
        });
        prices.add(own, text, None);
    }
    prices
}

fn with_updated(files: &Files, text: Result<Option<String>, ModelsError>) -> InForce {
    let mut prices = built_in();
    let floor = prices.version().to_owned();
    prices.add(&files.updated, text, Some(&floor));
    prices
}

/// The day that a version of the program's prices or of an update is, and what follows: `2026-11-21`, `2026-11-21-b`.
fn dated(version: &str) -> Option<(Date, &str)> {
    let (day, rest) = version.split_at_checked("2026-11-21".len())?;
    let whole = rest.is_empty() || rest.starts_with(['-', '.']);
    let day = day.parse().ok().filter(|_| whole)?;
    Some((day, rest))
}

fn laid_over(table: &PriceTable, text: &str) -> Result<(PriceTable, String), PriceFileError> {
    let laid = table.clone().with(text)?;
    let version = laid.version().to_owned();
    Ok((laid, version))
}

/// A price that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// As it is; `None`: there is none.
    pub before: Option<Price>,
    /// As it will be; `None`: there is none any more.
    pub after: Option<Price>,
}

/// What a new file would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The version in force.
    pub from: String,
    /// The version of the file.
    pub to: String,
    /// Prices that change, by provider, model and day.
    pub changes: Vec<Change>,
}

/// Looks what a file would change; nothing is written.
///
/// # Errors
/// [`ModelsError::Prices`] with the line, when it is no price file; [`ModelsError::File`] when it can't be read, has no
/// prices, is not dated, or is older than the program's own prices.
pub fn look(files: &Files, new: &Path) -> Result<Update, ModelsError> {
    look_at(files, new).map(|(update, _)| update)
}

fn look_at(files: &Files, new: &Path) -> Result<(Update, String), ModelsError> {
    let text = read(new)?.ok_or_else(|| ModelsError::file(new, "there is no such file"))?;
    let base = built_in();
    let wrong = |wrong| ModelsError::Prices {
        file: new.to_owned(),
        wrong,
    };
    let (after, version) = laid_over(&base.table, &text).map_err(wrong)?;
    let alone = PriceTable::empty().with(&text).map_err(wrong)?;
    if alone.prices().next().is_none() {
        let why = "there is no price in it, and those of an earlier update would go; `callboard prices undo` takes one back";
        return Err(ModelsError::file(new, why));
    }
    let Some(day) = dated(&version) else {
        let why = format!(
            "its version is {version:?}; that of an update is the day of its prices, for example version = \
             \"2026-11-21\". For prices of your own name the file in prices.file of your config.toml"
        );
        return Err(ModelsError::file(new, why));
    };
    if Some(day) < dated(base.version()) {
        let why = format!(
            "it is of {version}, and the program's own prices of {} are newer. For prices of your own whatever their \
             age, name the file in prices.file of your config.toml",
            base.version()
        );
        return Err(ModelsError::file(new, why));
    }
    let before = with_updated(files, read(&files.updated));
    let update = Update {
        from: before.version().to_owned(),
        to: version,
        changes: changes(&before.table, &after),
    };
    Ok((update, text))
}

/// Puts a file in force: it is copied to the data directory, and what was there before is kept for [`undo`].
///
/// A crash in between leaves either the old prices or the new ones; the copy of the old ones may be there already.
///
/// # Errors
/// As [`look`], and when it can't be written.
pub fn update(files: &Files, new: &Path) -> Result<Update, ModelsError> {
    let (update, text) = look_at(files, new)?;
    match read(&files.updated)? {
        Some(before) => write(&files.previous, &before)?,
        None => forget(&files.previous)?,
    }
    write(&files.updated, &text)?;
    Ok(update)
}

/// Puts the prices back in force that were before the last [`update`]; says which version that is. The prices that the
/// program brings can't be undone.
///
/// # Errors
/// [`ModelsError::File`] when there is nothing to undo, or it can't be done.
pub fn undo(files: &Files) -> Result<String, ModelsError> {
    let failed = |error: std::io::Error| ModelsError::file(&files.updated, error);
    if files.previous.exists() {
        std::fs::rename(&files.previous, &files.updated).map_err(failed)?;
    } else if files.updated.exists() {
        forget(&files.updated)?;
    } else {
        return Err(ModelsError::file(
            &files.updated,
            "no prices were brought, so there is nothing to undo",
        ));
    }
    Ok(with_updated(files, read(&files.updated))
        .version()
        .to_owned())
}

/// Prices that differ, by provider, model and day.
fn changes(before: &PriceTable, after: &PriceTable) -> Vec<Change> {
    let key = |price: &Price| (price.provider.clone(), price.model.clone(), price.from);
    let find = |table: &PriceTable, wanted: &Price| {
        let mut prices = table.prices();
        prices.find(|price| key(price) == key(wanted)).cloned()
    };
    let same = |one: &Price, other: &Price| {
        (one.rates, &one.long, one.batch) == (other.rates, &other.long, other.batch)
    };
    let mut changes: Vec<Change> = after
        .prices()
        .map(|price| Change {
            before: find(before, price),
            after: Some(price.clone()),
        })
        .filter(|change| match (&change.before, &change.after) {
            (Some(one), Some(other)) => !same(one, other),
            _ => true,
        })
        .collect();
    let gone = before.prices().filter(|price| find(after, price).is_none());
    changes.extend(gone.map(|price| Change {
        before: Some(price.clone()),
        after: None,
    }));
    changes
}

fn read(file: &Path) -> Result<Option<String>, ModelsError> {
    let open = match std::fs::File::open(file) {
        Ok(open) => open,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(ModelsError::file(file, error)),
    };
    let mut text = String::new();
    open.take(LARGEST + 1)
        .read_to_string(&mut text)
        .map_err(|error| ModelsError::file(file, error))?;
    if text.len() as u64 > LARGEST {
        return Err(ModelsError::file(
            file,
            "larger than 4 MiB: no price file is",
        ));
    }
    Ok(Some(text))
}

/// Whoever reads it meanwhile sees the old text or the new one.
fn write(file: &Path, text: &str) -> Result<(), ModelsError> {
    let failed = |error: std::io::Error| ModelsError::file(file, error);
    let dir = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir).map_err(failed)?;
    let mut temporary = tempfile::NamedTempFile::new_in(dir).map_err(failed)?;
    temporary.write_all(text.as_bytes()).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    temporary
        .persist(file)
        .map_err(|error| failed(error.error))?;
    std::fs::File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(failed)
}

fn forget(file: &Path) -> Result<(), ModelsError> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(ModelsError::file(file, error))
        }
        _ => Ok(()),
    }
}
