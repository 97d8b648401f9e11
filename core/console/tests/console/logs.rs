//! Reading a log in pages.

use std::io::Write;

use callboard_console::{read_log, tail_log};

use crate::stage::Stage;

fn write(stage: &Stage, bytes: &[u8]) -> std::path::PathBuf {
    let path = stage.path("text");
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .unwrap();
    file.write_all(bytes).unwrap();
    path
}

#[test]
fn pages_of_any_size_join_to_the_whole_text() {
    let stage = Stage::new();
    let text = "aé€😀\nz".repeat(50);
    let path = write(&stage, text.as_bytes());
    for size in 0..40 {
        let (mut joined, mut cursor) = (String::new(), 0);
        loop {
            let page = read_log(&path, cursor, size).unwrap();
            assert!(page.text.len() <= size.max(4));
            assert_eq!((page.cursor, page.total_bytes), (cursor, text.len() as u64));
            assert_eq!(page.remaining_bytes, page.total_bytes - page.next_cursor);
            joined.push_str(&page.text);
            cursor = page.next_cursor;
            if page.end {
                break;
            }
        }
        assert_eq!(joined, text, "pages of {size} bytes");
    }
}

#[test]
fn an_unfinished_character_waits_for_its_rest() {
    let stage = Stage::new();
    let euro = "€".as_bytes();
    let path = write(&stage, &[b"ab", &euro[..2]].concat());
    let page = read_log(&path, 0, 100).unwrap();
    assert_eq!(
        (page.text.as_str(), page.next_cursor, page.remaining_bytes),
        ("ab", 2, 2)
    );
    let nothing = read_log(&path, 2, 100).unwrap();
    assert_eq!(
        (nothing.text.as_str(), nothing.next_cursor, nothing.end),
        ("", 2, true)
    );
    write(&stage, &euro[2..]);
    let rest = read_log(&path, 2, 100).unwrap();
    assert_eq!(
        (rest.text.as_str(), rest.remaining_bytes, rest.end),
        ("€", 0, true)
    );
}

#[test]
fn bytes_that_are_no_text_are_replaced_and_passed() {
    let stage = Stage::new();
    let path = write(&stage, b"a\xFF\xFEb\x80");
    let page = read_log(&path, 0, 100).unwrap();
    assert_eq!(
        (page.text.as_str(), page.next_cursor, page.end),
        ("a\u{FFFD}\u{FFFD}b\u{FFFD}", 5, true)
    );
}

#[test]
fn past_the_end_there_is_nothing() {
    let stage = Stage::new();
    let path = write(&stage, b"abc");
    let page = read_log(&path, 99, 100).unwrap();
    assert_eq!(
        (page.text.as_str(), page.cursor, page.next_cursor, page.end),
        ("", 3, 3, true)
    );
    assert!(read_log(&stage.path("none"), 0, 100).is_err());
}

#[test]
fn the_tail_starts_with_a_whole_character() {
    let stage = Stage::new();
    let path = write(&stage, "x€€€".as_bytes());
    for (size, tail) in [
        (4, "€"),
        (5, "€"),
        (6, "€€"),
        (9, "€€€"),
        (10, "x€€€"),
        (99, "x€€€"),
    ] {
        let page = tail_log(&path, size).unwrap();
        assert_eq!(
            (page.text.as_str(), page.end),
            (tail, true),
            "the last {size} bytes"
        );
        assert_eq!(page.cursor, 10 - tail.len() as u64);
    }
}
