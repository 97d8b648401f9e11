//! Boards to measure on, on the disk that cargo builds on.

use callboard_scheduling::STEP_MS;
use callboard_store::{Clock as _, Store, StoreError, SystemClock, params};
use std::path::Path;
use tempfile::TempDir;

/// A board that is deleted when dropped.
pub struct Board {
    pub store: Store,
    pub dir: TempDir,
}

/// A directory beside what cargo builds: `/tmp` may be memory, where nothing waits for a disk.
pub fn directory() -> TempDir {
    TempDir::with_prefix_in("bench-", env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// An empty board.
pub fn board() -> Board {
    let dir = directory();
    Board {
        store: open(dir.path()),
        dir,
    }
}

/// A store as the servers open it.
pub fn open(dir: &Path) -> Store {
    callboard_board::open(dir).unwrap()
}

/// Milliseconds since 1970 UTC.
pub fn now() -> i64 {
    SystemClock.now_ms()
}

/// Adds ready tasks numbered from `first`, of all priorities, posted a second apart: the order in which
/// they are claimed is not the order of their rows.
pub async fn fill(store: &Store, first: u32, count: u32) {
    const BATCH: u32 = 20_000;
    let mut from = first;
    while from < first + count {
        let to = (from + BATCH).min(first + count);
        store.write(move |c| insert(c, from, to - 1)).await.unwrap();
        from = to;
    }
}

fn insert(c: &mut dyn callboard_store::Conn, first: u32, last: u32) -> Result<(), StoreError> {
    const BEGAN: i64 = 1_700_000_000_000;
    const SPACING_MS: i64 = 1_000;
    c.execute(
        "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
         INSERT INTO tasks (id, queue, state, priority, rank, ready_at, max_retries, backoff_ms, created_at, updated_at, title, kind)
         SELECT printf('t_%026d', i), 'default', 'ready', i * 7 % 11, ?3 + i * ?5 - (i * 7 % 11) * ?4, ?3 + i * ?5, 3, 5000, ?3 + i * ?5, ?3 + i * ?5,
                'the task with the number ' || i, 'task' FROM n",
        params![first, last, BEGAN, STEP_MS, SPACING_MS],
    )?;
    Ok(())
}
