//! What a server remembers beyond one call.
//!
//! For: finding the board that holds questions, long calls and the key that seals states, and opening it
//! only when it is needed. Not for: the rows themselves (see `questions` and `long`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use callboard_store::{Conn, Migration, Options, Store, StoreError, Value, actor, params};
use callboard_telemetry::audit;
use rmcp::model::RequestStateCodec;
use tokio::sync::OnceCell;

use crate::ToolError;
use crate::call::BoxFuture;

/// The tables behind questions, long calls and sealed states, oldest first. A published one is never
/// edited.
pub const MIGRATIONS: &[Migration] = &[Migration {
    component: "mcp",
    version: 1,
    sql: "
CREATE TABLE mcp_keys (
    name TEXT PRIMARY KEY,
    key BLOB NOT NULL,
    created_at INTEGER NOT NULL
);

-- A question that no client could put to its user. The digest names tool, arguments and caller.
CREATE TABLE mcp_questions (
    id TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    key TEXT NOT NULL,
    server TEXT NOT NULL,
    tool TEXT NOT NULL,
    owner TEXT NOT NULL,
    caller TEXT NOT NULL,
    message TEXT NOT NULL,
    form TEXT NOT NULL,
    state TEXT NOT NULL,
    content TEXT,
    asked_at INTEGER NOT NULL,
    answered_at INTEGER,
    expires_at INTEGER NOT NULL,
    UNIQUE (digest, key)
);

-- A call that goes on after its first answer (an MCP task). The process is the one that runs it; none is
-- written as 0.
CREATE TABLE mcp_calls (
    id TEXT PRIMARY KEY,
    server TEXT NOT NULL,
    tool TEXT NOT NULL,
    arguments TEXT NOT NULL,
    owner TEXT NOT NULL,
    caller TEXT NOT NULL,
    client TEXT NOT NULL,
    state TEXT NOT NULL,
    message TEXT,
    wanted TEXT NOT NULL DEFAULT '{}',
    replies TEXT NOT NULL DEFAULT '{}',
    ending TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    pid_start INTEGER NOT NULL
);
CREATE INDEX mcp_calls_open ON mcp_calls(server) WHERE state IN ('working', 'input_required');
CREATE INDEX mcp_calls_owner ON mcp_calls(owner);
",
}];

/// The name of the key that seals states.
const STATE_KEY: &str = "request-state";
const KEY_BYTES: usize = RequestStateCodec::MIN_KEY_LENGTH;

/// Opens a board, with [`MIGRATIONS`] and the audit among its tables.
pub type OpenBoard = Box<dyn Fn() -> BoxFuture<'static, Result<Store, ToolError>> + Send + Sync>;

/// Where a server remembers; clones share it.
#[derive(Clone)]
pub struct Memory(Arc<Inner>);

struct Inner {
    place: Place,
    store: OnceCell<Store>,
    codec: OnceCell<RequestStateCodec>,
}

enum Place {
    Nowhere,
    Open,
    Board { directory: PathBuf, open: OpenBoard },
}

impl Memory {
    /// None: questions reach only clients that can ask, a state is good in this process alone, and no call
    /// becomes a long one.
    #[must_use]
    pub fn none() -> Self {
        Self::of_place(Place::Nowhere, None)
    }

    /// A board that is open, with [`MIGRATIONS`] and the audit among its tables.
    #[must_use]
    pub fn of(store: Store) -> Self {
        Self::of_place(Place::Open, Some(store))
    }

    /// The board in `directory`, opened (and made) when first there is something to remember. Looking
    /// makes none.
    #[must_use]
    pub fn at(directory: &Path) -> Self {
        let path = directory.to_owned();
        let open = move || -> BoxFuture<'static, Result<Store, ToolError>> {
            let path = path.clone();
            Box::pin(async move { open(path).await })
        };
        Self::opened_by(directory, Box::new(open))
    }

    /// As [`Memory::at`], through a server that opens boards itself.
    #[must_use]
    pub fn opened_by(directory: &Path, open: OpenBoard) -> Self {
        let directory = directory.to_owned();
        Self::of_place(Place::Board { directory, open }, None)
    }

    fn of_place(place: Place, store: Option<Store>) -> Self {
        Memory(Arc::new(Inner {
            place,
            store: OnceCell::new_with(store),
            codec: OnceCell::new(),
        }))
    }

    /// Whether anything is remembered.
    pub(crate) fn keeps(&self) -> bool {
        !matches!(self.0.place, Place::Nowhere)
    }

    /// The board, made if it is missing; nothing where nothing is remembered.
    pub(crate) async fn store(&self) -> Result<Option<&Store>, ToolError> {
        match &self.0.place {
            Place::Nowhere => Ok(None),
            Place::Open => Ok(self.0.store.get()),
            Place::Board { open, .. } => self.0.store.get_or_try_init(open).await.map(Some),
        }
    }

    /// The board, if there is one already.
    pub(crate) async fn if_there(&self) -> Result<Option<&Store>, ToolError> {
        match &self.0.place {
            Place::Board { directory, .. }
                if self.0.store.get().is_none() && !directory.join("board.db").exists() =>
            {
                Ok(None)
            }
            _ => self.store().await,
        }
    }

    /// What seals and opens states: with the board's key, so that a state outlives a restart and is good
    /// in every process on the board.
    pub(crate) async fn codec(&self, now: i64) -> Result<&RequestStateCodec, ToolError> {
        let make = || async {
            let fresh = random_key()?;
            let key = match self.store().await? {
                Some(store) => store
                    .write(move |c| key(c, now, &fresh))
                    .await
                    .map_err(unsaved)?,
                None => fresh.to_vec(),
            };
            RequestStateCodec::try_new(key).map_err(|error| ToolError::internal(error.to_string()))
        };
        self.0.codec.get_or_try_init(make).await
    }
}

async fn open(directory: PathBuf) -> Result<Store, ToolError> {
    let shown = directory.display().to_string();
    let opening = actor::spawn_blocking(move || {
        Store::open(Options::board(&directory), &[audit::MIGRATIONS, MIGRATIONS])
    });
    let opened = opening
        .await
        .map_err(|error| ToolError::internal(error.to_string()))?;
    opened.map_err(|error| {
        ToolError::unavailable(format!("the board in {shown}: {error}"))
            .hint("`callboard doctor` looks at the board's directory")
    })
}

/// The stored key; `fresh` where there is none yet.
fn key(c: &mut dyn Conn, now: i64, fresh: &[u8]) -> Result<Vec<u8>, StoreError> {
    c.execute(
        "INSERT INTO mcp_keys (name, key, created_at) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO NOTHING",
        params![STATE_KEY, fresh, now],
    )?;
    let stored = c.query_one(
        "SELECT key FROM mcp_keys WHERE name = ?1",
        params![STATE_KEY],
        |row| match row.value(0)? {
            Value::Blob(key) => Ok(key.to_vec()),
            other => Err(StoreError::Row(format!("a key is no blob but {other:?}"))),
        },
    )?;
    stored.ok_or_else(|| StoreError::Row("the key that was just written is missing".to_owned()))
}

fn random_key() -> Result<[u8; KEY_BYTES], ToolError> {
    let mut key = [0; KEY_BYTES];
    fill_random(&mut key)?;
    Ok(key)
}

pub(crate) fn fill_random(bytes: &mut [u8]) -> Result<(), ToolError> {
    getrandom::fill(bytes).map_err(|error| {
        ToolError::unavailable(format!("the system gives no random numbers: {error}"))
    })
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// `prefix` and `length` random characters that are easy to type.
pub(crate) fn random_id(prefix: &str, length: usize) -> Result<String, ToolError> {
    let mut bytes = vec![0; length];
    fill_random(&mut bytes)?;
    let characters = bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    Ok(prefix.chars().chain(characters).collect())
}

/// Why something could not be remembered or looked up.
pub(crate) fn unsaved(error: StoreError) -> ToolError {
    let kind_is_ours = matches!(error, StoreError::Row(_) | StoreError::Panicked(_));
    let message = format!("the board: {error}");
    if kind_is_ours {
        return ToolError::internal(message).hint("this is a bug; nothing was saved");
    }
    ToolError::unavailable(message).hint(
        "nothing was saved; call again, or let `callboard doctor` look at the board's directory",
    )
}
