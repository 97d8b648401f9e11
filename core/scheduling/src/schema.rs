//! The tables that scheduling owns.

use callboard_store::Migration;

/// Scheduling's migrations, oldest first. A published one is never edited.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        component: "scheduling",
        version: 1,
        sql: FIRST,
    },
    Migration {
        component: "scheduling",
        version: 2,
        sql: ENDED,
    },
];

const FIRST: &str = "
CREATE TABLE tasks (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    queue TEXT NOT NULL,
    state TEXT NOT NULL,
    priority INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    ready_at INTEGER NOT NULL,
    due_at INTEGER,
    waiting_on INTEGER NOT NULL DEFAULT 0,
    fence INTEGER NOT NULL DEFAULT 0,
    attempt TEXT,
    worker TEXT,
    lease_until INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    interruptions INTEGER NOT NULL DEFAULT 0,
    max_retries INTEGER NOT NULL,
    backoff_ms INTEGER NOT NULL,
    timeout_ms INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    archived_at INTEGER,
    dedup_key TEXT,
    title TEXT NOT NULL,
    kind TEXT NOT NULL,
    project TEXT,
    branch TEXT,
    working_dir TEXT,
    tags TEXT NOT NULL DEFAULT '[]',
    progress TEXT,
    reason TEXT,
    env TEXT NOT NULL DEFAULT '{}',
    metadata TEXT NOT NULL DEFAULT '{}',
    result TEXT,
    prompt TEXT NOT NULL DEFAULT ''
);
-- The claim reads exactly this: the first entry of one queue.
CREATE INDEX tasks_ready ON tasks(queue, rank, seq) WHERE state = 'ready';
-- Delayed tasks stay out of the claim's way (100,000 of them in front cost 5.8 ms a claim).
CREATE INDEX tasks_due ON tasks(due_at) WHERE state = 'scheduled';
CREATE INDEX tasks_leases ON tasks(lease_until) WHERE state = 'running';
CREATE UNIQUE INDEX tasks_dedup ON tasks(dedup_key) WHERE dedup_key IS NOT NULL;
CREATE INDEX tasks_project ON tasks(project, seq) WHERE project IS NOT NULL;

CREATE TABLE task_deps (
    task INTEGER NOT NULL REFERENCES tasks(seq),
    needs INTEGER NOT NULL REFERENCES tasks(seq),
    PRIMARY KEY (task, needs)
);
CREATE INDEX task_deps_needs ON task_deps(needs, task);

CREATE TABLE attempts (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    task INTEGER NOT NULL REFERENCES tasks(seq),
    number INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    worker TEXT NOT NULL,
    pid INTEGER,
    pid_start INTEGER,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    outcome TEXT NOT NULL,
    error TEXT,
    facts TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX attempts_task ON attempts(task);
CREATE INDEX attempts_open ON attempts(pid) WHERE ended_at IS NULL;

-- A row is written before a worktree is made and deleted after it is removed, so that whoever comes
-- after a crash knows every path that may exist.
CREATE TABLE worktrees (
    attempt TEXT PRIMARY KEY,
    repo TEXT NOT NULL,
    path TEXT NOT NULL,
    branch TEXT,
    base TEXT NOT NULL,
    created_at INTEGER NOT NULL
);

-- Background work and serial steps: a row decides which process does them.
CREATE TABLE duties (
    name TEXT PRIMARY KEY,
    pid INTEGER NOT NULL,
    pid_start INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    note TEXT NOT NULL DEFAULT ''
);
";

/// Whoever counts what came of attempts reads on from where it was.
const ENDED: &str = "
CREATE INDEX attempts_ended ON attempts(ended_at, seq) WHERE ended_at IS NOT NULL;
";
