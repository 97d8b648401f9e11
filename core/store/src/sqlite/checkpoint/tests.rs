use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::Durability;

const LIMIT: Duration = Duration::from_secs(30);

fn board() -> (TempDir, PathBuf, Connection) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("board.db");
    connect::create(&path).unwrap();
    let (db, _) = connect::writer(&path, Durability::Normal, LIMIT).unwrap();
    db.execute_batch("CREATE TABLE item (body BLOB) STRICT;")
        .unwrap();
    (dir, path, db)
}

/// A commit of about so many pages.
fn grow(db: &Connection, pages: i32) {
    db.execute(
        "INSERT INTO item (body) VALUES (zeroblob(?1 * 4096))",
        [pages],
    )
    .unwrap();
}

/// Pages in the log, and how many of them are in the file too.
fn log(path: &Path) -> (i32, i32) {
    let db = connect::reader(path, LIMIT).unwrap();
    db.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| {
        Ok((row.get(1)?, row.get(2)?))
    })
    .unwrap()
}

#[test]
fn a_long_log_is_folded_beside_the_writer_and_begins_anew() {
    let (_dir, path, mut db) = board();
    let checkpointer = Checkpointer::watch(&mut db, path.clone(), LIMIT).unwrap();
    grow(&db, STEP / 2);
    assert!(checkpointer.thread.lock().unwrap().is_none());
    let (pages, folded) = log(&path);
    assert!(pages > STEP / 2 && folded == 0, "{pages} {folded}");
    grow(&db, STEP);
    // It ends only after what it was woken for.
    checkpointer.end();
    let (pages, folded) = log(&path);
    assert!(pages > STEP && folded == pages, "{pages} {folded}");
    assert_eq!(checkpointer.next.load(Ordering::Relaxed), STEP);
    grow(&db, 1);
    let (pages, _) = log(&path);
    assert!(pages < 10, "{pages}");
}

#[test]
fn what_somebody_reads_stays_in_the_log_and_is_tried_again_later() {
    let (_dir, path, mut db) = board();
    let checkpointer = Checkpointer::watch(&mut db, path.clone(), LIMIT).unwrap();
    let reading = connect::reader(&path, LIMIT).unwrap();
    reading.execute_batch("BEGIN; SELECT * FROM item;").unwrap();
    grow(&db, STEP);
    checkpointer.end();
    let (pages, folded) = log(&path);
    assert!(folded < pages, "{pages} {folded}");
    assert_eq!(checkpointer.next.load(Ordering::Relaxed), pages + STEP);
    grow(&db, 1);
    assert!(checkpointer.thread.lock().unwrap().is_none());
    reading.execute_batch("ROLLBACK").unwrap();
    grow(&db, STEP);
    checkpointer.end();
    let (pages, folded) = log(&path);
    assert_eq!(pages, folded);
}

#[test]
fn a_log_that_got_too_long_is_folded_by_the_writer() {
    let (_dir, path, mut db) = board();
    let checkpointer = Checkpointer::watch(&mut db, path.clone(), LIMIT).unwrap();
    // Nobody is ever woken.
    checkpointer.next.store(i32::MAX, Ordering::Relaxed);
    grow(&db, LONGEST);
    assert!(checkpointer.thread.lock().unwrap().is_none());
    let (pages, folded) = log(&path);
    assert_eq!(pages, folded);
    grow(&db, 1);
    assert!(log(&path).0 < 10);
}
