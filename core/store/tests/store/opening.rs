//! Opening, migrating and backing up.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::rig::{SCHEMA, board, insert, items, number};
use callboard_store::{Durability, Migration, OpenError, Options, Store, StoreError, params};

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_made_is_readable_by_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let board = dir.path().join("deep/board");
    let store = Store::open(Options::board(&board), &[SCHEMA]).unwrap();
    store.write_blocking(|conn| insert(conn, "a")).unwrap();
    let _changes = store.changes();
    for directory in [dir.path().join("deep"), board.clone(), board.join("signal")] {
        assert_eq!(mode(&directory), 0o700, "{}", directory.display());
    }
    for file in ["board.db", "board.db-wal", "board.db-shm"] {
        assert_eq!(mode(&board.join(file)), 0o600, "{file}");
    }
}

#[test]
fn the_engine_is_set_up_as_promised() {
    let dir = tempfile::tempdir().unwrap();
    for (options, synchronous) in [
        (Options::board(dir.path()), 2),
        (Options::events(dir.path()), 1),
    ] {
        let store = Store::open(options, &[SCHEMA]).unwrap();
        let setting = |sql: &'static str| {
            let read = move |conn: &mut dyn callboard_store::Conn| {
                conn.query_one(sql, params![], |row| row.int(0))
            };
            store.write_blocking(read).unwrap().unwrap()
        };
        assert_eq!(
            setting("SELECT synchronous FROM pragma_synchronous"),
            synchronous
        );
        assert_eq!(setting("SELECT foreign_keys FROM pragma_foreign_keys"), 1);
        assert_eq!(
            setting("SELECT journal_mode = 'wal' FROM pragma_journal_mode"),
            1
        );
        assert_eq!(setting("SELECT temp_store FROM pragma_temp_store"), 2);
    }
}

#[test]
fn missing_versions_are_applied_and_present_ones_are_not() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(Options::board(dir.path()), &[&SCHEMA[..1]]).unwrap());
    for _ in 0..2 {
        let store = Store::open(Options::board(dir.path()), &[SCHEMA]).unwrap();
        assert_eq!(
            number(&store, "SELECT sum(version * 100 + 1) FROM migrated"),
            302
        );
    }
}

#[test]
fn a_newer_board_is_refused_with_the_way_out_and_stays_untouched() {
    let board = board();
    let Err(error) = Store::open(Options::board(board.dir.path()), &[&SCHEMA[..1]]) else {
        panic!("a newer board must not be opened");
    };
    assert!(
        matches!(&error, OpenError::Newer { component, found: 2, known: 1, .. } if component == "rig")
    );
    let text = error.to_string();
    for part in [
        "`rig`",
        "version 2",
        "up to 1",
        "Update callboard",
        "--board",
        "board.db",
    ] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
    board
        .store
        .write_blocking(|conn| insert(conn, "still works"))
        .unwrap();
}

#[test]
fn components_that_a_program_does_not_know_do_not_matter() {
    const OTHER: &[Migration] = &[Migration {
        component: "other",
        version: 1,
        sql: "CREATE TABLE other (id INTEGER PRIMARY KEY) STRICT",
    }];
    let board = board();
    let other = Store::open(Options::board(board.dir.path()), &[OTHER]).unwrap();
    assert_eq!(number(&other, "SELECT count(*) FROM other"), 0);
    assert_eq!(
        number(&board.store, "SELECT count(*) FROM store_component"),
        2
    );
}

#[test]
fn a_migration_that_fails_changes_nothing() {
    const BROKEN: &[Migration] = &[
        Migration {
            component: "broken",
            version: 1,
            sql: "CREATE TABLE half (id INTEGER PRIMARY KEY) STRICT",
        },
        Migration {
            component: "broken",
            version: 2,
            sql: "CREATE TABLE whole (id INTEGER PRIMARY KEY) STRICT; INSERT INTO nowhere VALUES (1);",
        },
    ];
    let dir = tempfile::tempdir().unwrap();
    let error = Store::open(Options::board(dir.path()), &[BROKEN]).unwrap_err();
    assert!(
        matches!(&error, OpenError::Migration { version: 2, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("nowhere"));
    let store = Store::open(Options::board(dir.path()), &[SCHEMA]).unwrap();
    assert_eq!(
        number(
            &store,
            "SELECT count(*) FROM sqlite_master WHERE name IN ('half', 'whole')"
        ),
        0
    );
}

#[test]
fn a_list_with_a_gap_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let error = Store::open(Options::board(dir.path()), &[&SCHEMA[1..]]).unwrap_err();
    assert!(matches!(
        error,
        OpenError::Misnumbered {
            found: 2,
            wanted: 1,
            ..
        }
    ));
}

#[test]
fn a_file_that_is_no_board_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    #[expect(clippy::disallowed_methods, reason = "a file for a test")]
    std::fs::write(
        &path,
        "a shopping list, much longer than the sixteen bytes of a header".repeat(50),
    )
    .unwrap();
    let options = |path: &Path| Options {
        path: path.to_owned(),
        durability: Durability::Full,
        readers: 1,
        signal_dir: None,
    };
    for (path, part) in [
        (path.as_path(), "not a database"),
        (dir.path(), "unable to open"),
        (&path.join("board.db"), "cannot keep a board here"),
    ] {
        let error = Store::open(options(path), &[SCHEMA])
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{error}");
        assert!(error.contains(dir.path().to_str().unwrap()), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_under_writes_is_whole_and_opens() {
    let board = board();
    let store = board.store.clone();
    let writing = tokio::spawn(async move {
        for n in 0..200 {
            let pair = move |conn: &mut dyn callboard_store::Conn| {
                insert(conn, &format!("left {n}"))?;
                insert(conn, &format!("right {n}"))
            };
            store.write(pair).await.unwrap();
        }
    });
    let copies = tempfile::tempdir().unwrap();
    for n in 0..5 {
        board
            .store
            .backup(&copies.path().join(format!("{n}/board.db")))
            .await
            .unwrap_err();
        std::fs::create_dir(copies.path().join(n.to_string())).unwrap();
        board
            .store
            .backup(&copies.path().join(format!("{n}/board.db")))
            .await
            .unwrap();
    }
    writing.await.unwrap();
    for n in 0..5 {
        let copy = copies.path().join(n.to_string());
        assert_eq!(mode(&copy.join("board.db")), 0o600);
        assert_eq!(
            std::fs::read_dir(&copy).unwrap().count(),
            1,
            "only the copy itself"
        );
        let restored = Store::open(Options::board(&copy), &[SCHEMA]).unwrap();
        assert_eq!(items(&restored) % 2, 0, "half a commit was copied");
        restored.write(|conn| insert(conn, "after")).await.unwrap();
    }
}

#[tokio::test]
async fn a_backup_replaces_nothing() {
    let board = board();
    board.store.write(|conn| insert(conn, "a")).await.unwrap();
    let copies = tempfile::tempdir().unwrap();
    let target = copies.path().join("copy.db");
    board.store.backup(&target).await.unwrap();
    let before = std::fs::read(&target).unwrap();
    board.store.write(|conn| insert(conn, "b")).await.unwrap();
    let error = board.store.backup(&target).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Backup(text) if text.contains("exists already")),
        "{error}"
    );
    assert_eq!(std::fs::read(&target).unwrap(), before);
    assert_eq!(std::fs::read_dir(copies.path()).unwrap().count(), 1);
}
