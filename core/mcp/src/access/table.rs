//! The tokens in the board's file.
//!
//! For: adding, reading and revoking them, each change with its row in the audit. Not for: judging a
//! request, or keeping anything of a token but its hash.

use callboard_store::{Conn, Migration, Row, StoreError, Value, params};
use callboard_telemetry::audit::audit_add;

use super::token::{TokenHash, TokenText};
use crate::{Grant, Role};

/// The tokens' tables, oldest first. A published one is never edited.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        component: "access",
        version: 1,
        sql: "
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked_at IS NULL;
",
    },
    Migration {
        component: "access",
        version: 2,
        sql: "
ALTER TABLE tokens ADD COLUMN scope TEXT NOT NULL DEFAULT 'servers' CHECK (scope IN ('servers', 'gateway'));
ALTER TABLE tokens ADD COLUMN agent TEXT;
ALTER TABLE tokens ADD COLUMN project TEXT;
ALTER TABLE tokens ADD COLUMN task TEXT;
",
    },
    Migration {
        component: "access",
        version: 3,
        sql: "ALTER TABLE tokens ADD COLUMN work_role TEXT;",
    },
];

const DAY_MS: i64 = 24 * 3_600 * 1_000;
/// How long a token is good for unless its maker says otherwise: 90 days.
pub const DEFAULT_LIFETIME_MS: i64 = 90 * DAY_MS;
/// The longest that one may be good for: a year. Only the user's own, [`LOCAL_NAME`], has no end.
pub const MAX_LIFETIME_MS: i64 = 366 * DAY_MS;
/// The name of the token that the user's own clients share.
pub const LOCAL_NAME: &str = "local";

const MAX_NAME: usize = 60;
const MAX_LIST: u32 = 10_000;
/// A token's last use is written at most this often, so that reads do not become writes.
pub(super) const USE_WRITTEN_EVERY_MS: i64 = 60_000;

/// Why a token could not be added, found or revoked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// The name can't be accepted.
    #[error(
        "{0:?} is no name for a token: use letters, digits, `-`, `_` and `.`, at most 60, not beginning with a dash"
    )]
    Name(String),
    /// What it says of whom it is for can't be accepted.
    #[error(
        "{0:?} names no agent, project, task or role of work: use 1 to 120 characters, none of them a control character"
    )]
    For(String),
    /// The lifetime can't be accepted.
    #[error("a token is good for at least a minute and at most 366 days")]
    Lifetime,
    /// Another token has the name.
    #[error(
        "there is a token {name} already ({id}): choose another name, or `callboard token revoke {name}` first"
    )]
    Taken {
        /// The name.
        name: String,
        /// The id of the token that has it.
        id: String,
    },
    /// No token has that name or id.
    #[error("there is no token {0}: `callboard token list` shows them")]
    NotFound(String),
    /// The board's file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A token to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// What people call it.
    pub name: String,
    /// What its holder may do; of no account for a token of the gateway.
    pub role: Role,
    /// For whom, where it is to open the gateway and nothing else.
    pub grant: Option<Grant>,
    /// How long it is good for, ms; `None` only for [`LOCAL_NAME`].
    pub lifetime_ms: Option<i64>,
}

/// A token at rest.
#[derive(Debug, Clone)]
pub struct TokenRow {
    /// Its public part.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// For whom, where it opens the gateway and nothing else.
    pub grant: Option<Grant>,
    /// When it was made, ms since 1970 UTC.
    pub created_at: i64,
    /// When it ends by itself, ms since 1970 UTC.
    pub expires_at: Option<i64>,
    /// When it was revoked, ms since 1970 UTC.
    pub revoked_at: Option<i64>,
    /// About when it was used last, ms since 1970 UTC.
    pub used_at: Option<i64>,
    pub(super) hash: TokenHash,
}

impl TokenRow {
    /// Whether it opens anything at `now`.
    pub fn is_good(&self, now: i64) -> bool {
        self.revoked_at.is_none() && !self.has_expired(now)
    }

    /// Whether its time is over at `now`.
    pub fn has_expired(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Whether `token` is this one.
    pub fn is_of(&self, token: &TokenText) -> bool {
        self.hash.is(&token.hash())
    }
}

/// Adds `token`, of which only the hash is kept.
///
/// # Errors
/// [`TokenError`]; a name is free again once its token was revoked.
pub fn token_add(
    c: &mut dyn Conn,
    now: i64,
    token: &TokenText,
    new: &NewToken,
) -> Result<TokenRow, TokenError> {
    check_name(&new.name)?;
    let grant = new.grant.as_ref();
    let whom = |of: fn(&Grant) -> &Option<String>| grant.and_then(|grant| of(grant).as_deref());
    let (agent, project, task, work_role) = (
        whom(|grant| &grant.agent),
        whom(|grant| &grant.project),
        whom(|grant| &grant.task),
        whom(|grant| &grant.work_role),
    );
    for name in [agent, project, task, work_role].into_iter().flatten() {
        check_whom(name)?;
    }
    // A role that it does not need would open the servers where its scope is not looked at.
    let role = if grant.is_some() {
        Role::Viewer
    } else {
        new.role
    };
    let may_last = match new.lifetime_ms {
        Some(lifetime) => (60_000..=MAX_LIFETIME_MS).contains(&lifetime),
        None => new.name == LOCAL_NAME,
    };
    if !may_last {
        return Err(TokenError::Lifetime);
    }
    if let Some(other) = by_name(c, &new.name)? {
        return Err(TokenError::Taken {
            name: other.name,
            id: other.id,
        });
    }
    let expires_at = new.lifetime_ms.map(|lifetime| now + lifetime);
    let hash = token.hash();
    c.execute(
        "INSERT INTO tokens (id, name, role, hash, created_at, expires_at, scope, agent, project, task,
             work_role)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            token.id(),
            &new.name,
            role.as_str(),
            &hash.0[..],
            now,
            expires_at,
            scope_of(grant),
            agent,
            project,
            task,
            work_role
        ],
    )?;
    let mut detail = vec![
        ("name", Value::from(&new.name)),
        ("role", role.as_str().into()),
        ("expires_at", expires_at.into()),
    ];
    if grant.is_some() {
        detail.extend([
            ("scope", Value::from(scope_of(grant))),
            ("agent", agent.into()),
            ("project", project.into()),
            ("task", task.into()),
        ]);
    }
    audit_add(c, now, "token_add", token.id(), &detail)?;
    token_get(c, token.id())?.ok_or_else(|| TokenError::NotFound(token.id().to_owned()))
}

/// Ends a token for good; `which` is its name or its id. One that was revoked already stays as it is.
///
/// # Errors
/// [`TokenError::NotFound`].
pub fn token_revoke(c: &mut dyn Conn, now: i64, which: &str) -> Result<TokenRow, TokenError> {
    let found = match by_name(c, which)? {
        Some(found) => Some(found),
        None => token_get(c, which)?,
    };
    let row = found.ok_or_else(|| TokenError::NotFound(which.to_owned()))?;
    if row.revoked_at.is_some() {
        return Ok(row);
    }
    c.execute(
        "UPDATE tokens SET revoked_at = ?2 WHERE id = ?1",
        params![&row.id, now],
    )?;
    audit_add(
        c,
        now,
        "token_revoke",
        &row.id,
        &[("name", Value::from(&row.name))],
    )?;
    Ok(TokenRow {
        revoked_at: Some(now),
        ..row
    })
}

/// Adds `token` in place of the one that has its name, which is revoked.
///
/// # Errors
/// As [`token_add`].
pub fn token_renew(
    c: &mut dyn Conn,
    now: i64,
    token: &TokenText,
    new: &NewToken,
) -> Result<TokenRow, TokenError> {
    if let Some(old) = by_name(c, &new.name)? {
        token_revoke(c, now, &old.id)?;
    }
    token_add(c, now, token, new)
}

/// All tokens, the newest first, those that are good before those that are not.
///
/// # Errors
/// Only when the store fails.
pub fn token_list(c: &mut dyn Conn) -> Result<Vec<TokenRow>, StoreError> {
    c.query(
        &format!("SELECT {COLUMNS} FROM tokens ORDER BY revoked_at IS NOT NULL, created_at DESC, id LIMIT ?1"),
        params![MAX_LIST],
        token_row,
    )
}

/// The token with that public id.
///
/// # Errors
/// Only when the store fails.
pub fn token_get(c: &mut dyn Conn, id: &str) -> Result<Option<TokenRow>, StoreError> {
    c.query_one(
        &format!("SELECT {COLUMNS} FROM tokens WHERE id = ?1"),
        params![id],
        token_row,
    )
}

/// The token that has the name and was not revoked.
pub(super) fn by_name(c: &mut dyn Conn, name: &str) -> Result<Option<TokenRow>, StoreError> {
    c.query_one(
        &format!("SELECT {COLUMNS} FROM tokens WHERE name = ?1 AND revoked_at IS NULL"),
        params![name],
        token_row,
    )
}

/// Writes that the token was used at `now`, if that was not written within the last minute.
pub(super) fn token_used(c: &mut dyn Conn, now: i64, id: &str) -> Result<(), StoreError> {
    c.execute(
        "UPDATE tokens SET used_at = ?2 WHERE id = ?1 AND (used_at IS NULL OR used_at <= ?2 - ?3)",
        params![id, now, USE_WRITTEN_EVERY_MS],
    )?;
    Ok(())
}

const COLUMNS: &str = "id, name, role, hash, created_at, expires_at, revoked_at, used_at, scope, agent, project, task, \
     work_role";

fn scope_of(grant: Option<&Grant>) -> &'static str {
    match grant {
        Some(_) => "gateway",
        None => "servers",
    }
}

fn token_row(row: &dyn Row) -> Result<TokenRow, StoreError> {
    let role = row.text(2)?;
    let grant = match row.text(8)?.as_str() {
        "servers" => None,
        "gateway" => Some(Grant {
            agent: row.opt_text(9)?,
            project: row.opt_text(10)?,
            task: row.opt_text(11)?,
            work_role: row.opt_text(12)?,
        }),
        other => {
            return Err(StoreError::Row(format!(
                "a token has the unknown scope {other:?}"
            )));
        }
    };
    Ok(TokenRow {
        grant,
        id: row.text(0)?,
        name: row.text(1)?,
        role: Role::parse(&role)
            .ok_or_else(|| StoreError::Row(format!("a token has the unknown role {role:?}")))?,
        hash: hash_from(row.value(3)?)?,
        created_at: row.int(4)?,
        expires_at: row.opt_int(5)?,
        revoked_at: row.opt_int(6)?,
        used_at: row.opt_int(7)?,
    })
}

fn hash_from(value: Value<'_>) -> Result<TokenHash, StoreError> {
    let bytes = match value {
        Value::Blob(bytes) => bytes.try_into().ok(),
        _ => None,
    };
    let bytes =
        bytes.ok_or_else(|| StoreError::Row("a token's hash has not 32 bytes".to_owned()))?;
    Ok(TokenHash(bytes))
}

fn check_whom(name: &str) -> Result<(), TokenError> {
    let fits = (1..=120).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if fits {
        return Ok(());
    }
    Err(TokenError::For(name.chars().take(80).collect()))
}

fn check_name(name: &str) -> Result<(), TokenError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.starts_with('-')
        && name.chars().all(plain)
    {
        return Ok(());
    }
    Err(TokenError::Name(name.chars().take(80).collect()))
}
