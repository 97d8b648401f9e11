//! The tables that limits owns.

use callboard_store::Migration;

/// The migrations of limits, oldest first. A published one is never edited.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        component: "limits",
        version: 1,
        sql: FIRST,
    },
    Migration {
        component: "limits",
        version: 2,
        sql: FACTORS,
    },
    Migration {
        component: "limits",
        version: 3,
        sql: LIVE,
    },
    // A component of its own, as it stands on nothing of the others.
    Migration {
        component: "route_outcomes",
        version: 1,
        sql: OUTCOMES,
    },
];

const FIRST: &str = "
CREATE TABLE limit_rules (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    resource TEXT NOT NULL,
    span TEXT NOT NULL,
    origin TEXT NOT NULL,
    amount INTEGER NOT NULL,
    warn INTEGER NOT NULL,
    offset_min INTEGER NOT NULL,
    unpriced TEXT NOT NULL,
    PRIMARY KEY (scope, name, resource, span, origin)
) STRICT, WITHOUT ROWID;

-- One row for each call: held before it, ended after it.
CREATE TABLE reservations (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    provider TEXT,
    model TEXT,
    account TEXT,
    project TEXT,
    task TEXT,
    pid INTEGER NOT NULL,
    pid_start INTEGER NOT NULL,
    reserved_at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    ended_at INTEGER,
    held_input INTEGER NOT NULL,
    held_output INTEGER NOT NULL,
    held_money INTEGER,
    input INTEGER NOT NULL DEFAULT 0,
    cached INTEGER NOT NULL DEFAULT 0,
    cache_write INTEGER NOT NULL DEFAULT 0,
    cache_write_1h INTEGER NOT NULL DEFAULT 0,
    output INTEGER NOT NULL DEFAULT 0,
    reasoning INTEGER NOT NULL DEFAULT 0,
    counted TEXT,
    money INTEGER,
    price_version TEXT,
    detail TEXT NOT NULL DEFAULT '{}',
    logged INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX reservations_held ON reservations(until) WHERE state = 'held';
CREATE INDEX reservations_at ON reservations(reserved_at);
CREATE INDEX reservations_task ON reservations(task, reserved_at) WHERE task IS NOT NULL;
CREATE INDEX reservations_unlogged ON reservations(seq) WHERE state <> 'held' AND logged = 0;
CREATE INDEX reservations_unpriced ON reservations(seq) WHERE state = 'settled' AND money IS NULL;

-- What the reservations of a window add up to, for the windows that a limit was ever asked about. A row is
-- made from the reservations when it is first needed, and follows them from then on.
CREATE TABLE limit_counters (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    resource TEXT NOT NULL,
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    held INTEGER NOT NULL,
    used INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    PRIMARY KEY (scope, name, resource, ends_at, starts_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE breakers (
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    account TEXT NOT NULL,
    failures INTEGER NOT NULL,
    open_until INTEGER,
    cool_until INTEGER,
    probe TEXT,
    probe_until INTEGER,
    last_failure TEXT,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (provider, model, account)
) STRICT, WITHOUT ROWID;
";

const FACTORS: &str = "
CREATE TABLE token_factors (
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    millionths INTEGER NOT NULL,
    reports INTEGER NOT NULL,
    PRIMARY KEY (provider, model)
) STRICT, WITHOUT ROWID;
";

// A call moves the sums of the windows that it lies in, whatever they count.
const LIVE: &str = "
CREATE INDEX limit_counters_live ON limit_counters(scope, name, ends_at);
";

const OUTCOMES: &str = "
CREATE TABLE route_outcomes (
    attempt TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    class TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    succeeded INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX route_outcomes_at ON route_outcomes(at);
CREATE INDEX route_outcomes_class ON route_outcomes(class, at, provider, model, succeeded);

-- One row: how far ended attempts were looked at.
CREATE TABLE route_learned (
    one INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    seq INTEGER NOT NULL
) STRICT;
";
