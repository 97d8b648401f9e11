//! Bringing a file's tables to the versions this program knows.
//!
//! For: any number of processes that start at once on one file, of which exactly one migrates. Not for:
//! going back: a file written by a newer program is refused.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::Connection;

use super::conn::engine_error;
use crate::{Migration, OpenError, StoreError};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS store_component (
    component TEXT PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID";

type Versions = HashMap<String, u32>;

/// Applies what is missing, in one transaction. A current file is only read.
pub(super) fn migrate(
    db: &Connection,
    path: &Path,
    lists: &[&[Migration]],
) -> Result<(), OpenError> {
    let known = known_versions(lists)?;
    if is_current(&found_versions(db)?, &known, path)? {
        return Ok(());
    }
    db.execute_batch("BEGIN IMMEDIATE").map_err(engine_error)?;
    let result = apply_missing(db, path, lists, &known);
    let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = db.execute_batch(end).map_err(engine_error);
    result?;
    Ok(ended?)
}

fn apply_missing(
    db: &Connection,
    path: &Path,
    lists: &[&[Migration]],
    known: &Versions,
) -> Result<(), OpenError> {
    // Looked at again under the lock: another process may just have done it.
    let found = found_versions(db)?;
    if is_current(&found, known, path)? {
        return Ok(());
    }
    db.execute_batch(TABLE).map_err(engine_error)?;
    for migration in lists.iter().copied().flatten() {
        if migration.version > found.get(migration.component).copied().unwrap_or(0) {
            apply(db, migration)?;
        }
    }
    Ok(())
}

fn apply(db: &Connection, migration: &Migration) -> Result<(), OpenError> {
    let record = "INSERT INTO store_component (component, version) VALUES (?1, ?2)
                  ON CONFLICT (component) DO UPDATE SET version = excluded.version";
    db.execute_batch(migration.sql)
        .and_then(|()| db.execute(record, (migration.component, migration.version)))
        .map(drop)
        .map_err(|error| OpenError::Migration {
            component: migration.component.to_owned(),
            version: migration.version,
            message: error.to_string(),
        })
}

/// The newest version of each component; refuses a list that is not 1, 2, 3, …
fn known_versions(lists: &[&[Migration]]) -> Result<Versions, OpenError> {
    let mut known = Versions::new();
    for migration in lists.iter().copied().flatten() {
        let version = known.entry(migration.component.to_owned()).or_insert(0);
        if migration.version != *version + 1 {
            return Err(OpenError::Misnumbered {
                component: migration.component.to_owned(),
                found: migration.version,
                wanted: *version + 1,
            });
        }
        *version = migration.version;
    }
    Ok(known)
}

fn is_current(found: &Versions, known: &Versions, path: &Path) -> Result<bool, OpenError> {
    for (component, &known) in known {
        let found = found.get(component).copied().unwrap_or(0);
        if found > known {
            return Err(OpenError::Newer {
                component: component.clone(),
                found,
                known,
                path: path.to_owned(),
            });
        }
    }
    Ok(known
        .iter()
        .all(|(component, version)| found.get(component) == Some(version)))
}

fn found_versions(db: &Connection) -> Result<Versions, StoreError> {
    let exists = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'store_component')";
    let exists: bool = db
        .query_row(exists, [], |row| row.get(0))
        .map_err(engine_error)?;
    if !exists {
        return Ok(Versions::new());
    }
    let mut statement = db
        .prepare("SELECT component, version FROM store_component")
        .map_err(engine_error)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.and_then(Iterator::collect).map_err(engine_error)
}
