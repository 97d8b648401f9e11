//! The vault's two tables.
//! For: reading and writing their rows. Not for: keys, or what may be written.

use super::error::VaultError;
use super::key_file;
use super::lock::LockKind;
use super::passphrase::Cost;
use super::seal::{Sealed, put};
use crate::{Conn, Migration, StoreError, params};
use std::path::{Path, PathBuf};

/// The vault's tables.
pub const MIGRATIONS: &[Migration] = &[Migration {
    component: "vault",
    version: 1,
    sql: "CREATE TABLE vault (
              id INTEGER PRIMARY KEY CHECK (id = 1),
              vault_id BLOB NOT NULL,
              generation INTEGER NOT NULL,
              lock TEXT NOT NULL,
              key_id BLOB NOT NULL,
              memory_kib INTEGER NOT NULL,
              passes INTEGER NOT NULL,
              lanes INTEGER NOT NULL,
              nonce BLOB NOT NULL,
              wrapped BLOB NOT NULL,
              created_ms INTEGER NOT NULL,
              changed_ms INTEGER NOT NULL
          ) STRICT;
          CREATE TABLE vault_secret (
              name TEXT PRIMARY KEY,
              version INTEGER NOT NULL,
              nonce BLOB NOT NULL,
              sealed BLOB NOT NULL,
              created_ms INTEGER NOT NULL,
              changed_ms INTEGER NOT NULL
          ) STRICT, WITHOUT ROWID",
}];

/// The row that holds the data key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LockRow {
    pub(super) vault_id: Vec<u8>,
    /// Counts the changes of the lock.
    pub(super) generation: i64,
    pub(super) kind: LockKind,
    /// Names the key file; the salt of a passphrase.
    pub(super) key_id: Vec<u8>,
    pub(super) cost: Cost,
    pub(super) wrapped: Sealed,
    pub(super) created_ms: i64,
    pub(super) changed_ms: i64,
}

impl LockRow {
    /// What is bound to the sealed data key: everything that says how to open it.
    pub(super) fn bound(&self) -> Vec<u8> {
        let mut bound = b"callboard vault lock 1\0".to_vec();
        put(&mut bound, &self.vault_id);
        put(&mut bound, self.kind.as_str().as_bytes());
        put(&mut bound, &self.key_id);
        for number in [
            self.generation,
            self.cost.memory_kib.into(),
            self.cost.passes.into(),
            self.cost.lanes.into(),
        ] {
            bound.extend_from_slice(&number.to_be_bytes());
        }
        bound
    }

    /// The key file that opens it, if one does.
    pub(super) fn key_file(&self, keys: &Path) -> Option<PathBuf> {
        (self.kind == LockKind::KeyFile)
            .then(|| key_file::place(keys, &self.vault_id, &self.key_id))
    }
}

pub(super) fn lock_row(c: &mut dyn Conn) -> Result<Option<LockRow>, VaultError> {
    let sql = "SELECT vault_id, generation, lock, key_id, memory_kib, passes, lanes, nonce, wrapped, created_ms, \
               changed_ms FROM vault WHERE id = 1";
    let row = c.query_one(sql, params![], |row| {
        let small = |index| {
            row.int(index)
                .map(|number| u32::try_from(number).unwrap_or(u32::MAX))
        };
        let cost = Cost {
            memory_kib: small(4)?,
            passes: small(5)?,
            lanes: small(6)?,
        };
        let row = LockRow {
            vault_id: row.blob(0)?,
            generation: row.int(1)?,
            kind: match LockKind::parse(&row.text(2)?) {
                Some(kind) => kind,
                None => return Ok(Err(row.text(2)?)),
            },
            key_id: row.blob(3)?,
            cost,
            wrapped: Sealed {
                nonce: row.blob(7)?,
                bytes: row.blob(8)?,
            },
            created_ms: row.int(9)?,
            changed_ms: row.int(10)?,
        };
        Ok(Ok(row))
    })?;
    match row {
        Some(Ok(row)) => Ok(Some(row)),
        Some(Err(kind)) => Err(VaultError::Newer(
            kind.chars().filter(|c| !c.is_control()).take(40).collect(),
        )),
        None => Ok(None),
    }
}

/// Adds the row of a new vault; `false` when there is one already.
pub(super) fn insert_lock(c: &mut dyn Conn, row: &LockRow) -> Result<bool, StoreError> {
    let sql = "INSERT INTO vault (id, vault_id, generation, lock, key_id, memory_kib, passes, lanes, nonce, wrapped, \
               created_ms, changed_ms) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING";
    Ok(c.execute(
        sql,
        params![
            row.vault_id.as_slice(),
            row.generation,
            row.kind.as_str(),
            row.key_id.as_slice(),
            row.cost.memory_kib,
            row.cost.passes,
            row.cost.lanes,
            row.wrapped.nonce.as_slice(),
            row.wrapped.bytes.as_slice(),
            row.created_ms,
            row.changed_ms,
        ],
    )? == 1)
}

/// Replaces the lock if it is still the one before `row`.
pub(super) fn replace_lock(c: &mut dyn Conn, row: &LockRow) -> Result<bool, StoreError> {
    let sql = "UPDATE vault SET generation = ?2, lock = ?3, key_id = ?4, memory_kib = ?5, passes = ?6, lanes = ?7, \
               nonce = ?8, wrapped = ?9, changed_ms = ?10 WHERE id = 1 AND vault_id = ?1 AND generation = ?2 - 1";
    Ok(c.execute(
        sql,
        params![
            row.vault_id.as_slice(),
            row.generation,
            row.kind.as_str(),
            row.key_id.as_slice(),
            row.cost.memory_kib,
            row.cost.passes,
            row.cost.lanes,
            row.wrapped.nonce.as_slice(),
            row.wrapped.bytes.as_slice(),
            row.changed_ms,
        ],
    )? == 1)
}

/// A secret as it is stored.
pub(super) struct SecretRow {
    pub(super) name: String,
    pub(super) version: i64,
    pub(super) sealed: Sealed,
}

fn secret_of(row: &dyn crate::Row) -> Result<SecretRow, StoreError> {
    Ok(SecretRow {
        name: row.text(0)?,
        version: row.int(1)?,
        sealed: Sealed {
            nonce: row.blob(2)?,
            bytes: row.blob(3)?,
        },
    })
}

pub(super) fn secret(c: &mut dyn Conn, name: &str) -> Result<Option<SecretRow>, StoreError> {
    let sql = "SELECT name, version, nonce, sealed FROM vault_secret WHERE name = ?1";
    c.query_one(sql, params![name], secret_of)
}

pub(super) fn secrets(c: &mut dyn Conn) -> Result<Vec<SecretRow>, StoreError> {
    c.query(
        "SELECT name, version, nonce, sealed FROM vault_secret ORDER BY name",
        params![],
        secret_of,
    )
}

/// One of each sealed value, which is new whenever one is sealed.
pub(super) fn nonces(c: &mut dyn Conn) -> Result<Vec<Vec<u8>>, StoreError> {
    let sql = "SELECT nonce FROM vault_secret ORDER BY name";
    c.query(sql, params![], |row| row.blob(0))
}

pub(super) fn count(c: &mut dyn Conn) -> Result<usize, StoreError> {
    let count = c.query_one("SELECT count(*) FROM vault_secret", params![], |row| {
        row.int(0)
    })?;
    Ok(usize::try_from(count.unwrap_or(0)).unwrap_or(usize::MAX))
}

/// Writes a secret's row, new or in the place of the old one.
pub(super) fn put_secret(c: &mut dyn Conn, row: &SecretRow, now_ms: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO vault_secret (name, version, nonce, sealed, created_ms, changed_ms) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?5) ON CONFLICT (name) DO UPDATE SET version = excluded.version, \
               nonce = excluded.nonce, sealed = excluded.sealed, changed_ms = excluded.changed_ms";
    let (nonce, sealed) = (row.sealed.nonce.as_slice(), row.sealed.bytes.as_slice());
    c.execute(sql, params![&row.name, row.version, nonce, sealed, now_ms])
        .map(drop)
}

/// Replaces a secret's box; name, version and times stay.
pub(super) fn reseal(c: &mut dyn Conn, name: &str, sealed: &Sealed) -> Result<(), StoreError> {
    let sql = "UPDATE vault_secret SET nonce = ?2, sealed = ?3 WHERE name = ?1";
    c.execute(
        sql,
        params![name, sealed.nonce.as_slice(), sealed.bytes.as_slice()],
    )
    .map(drop)
}

pub(super) fn delete_secret(c: &mut dyn Conn, name: &str) -> Result<bool, StoreError> {
    Ok(c.execute("DELETE FROM vault_secret WHERE name = ?1", params![name])? == 1)
}

/// A secret as it is listed: everything but its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// 1 for the first value, one more with each rotation.
    pub version: i64,
    /// When it was set, ms since 1970 UTC.
    pub created_ms: i64,
    /// When its value was changed last, ms since 1970 UTC.
    pub changed_ms: i64,
}

pub(super) fn list(c: &mut dyn Conn) -> Result<Vec<Listed>, StoreError> {
    let sql = "SELECT name, version, created_ms, changed_ms FROM vault_secret ORDER BY name";
    c.query(sql, params![], |row| {
        Ok(Listed {
            name: row.text(0)?,
            version: row.int(1)?,
            created_ms: row.int(2)?,
            changed_ms: row.int(3)?,
        })
    })
}
