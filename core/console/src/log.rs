//! For: reading a log in pages, by byte position, without splitting a character.
//! Not for: knowing whether its writer is still at work; the log may grow between two calls.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use serde::Serialize;

/// The longest character in UTF-8: a page is at least this long, so that each call gets on.
const LONGEST_CHARACTER: usize = 4;

/// One page of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogChunk {
    /// The text; bytes that are no UTF-8 are replaced by `U+FFFD`.
    pub text: String,
    /// Byte position where this page starts.
    pub cursor: u64,
    /// Byte position where the next page starts.
    pub next_cursor: u64,
    /// Length of the log now, bytes.
    pub total_bytes: u64,
    /// Bytes from `next_cursor` to the end.
    pub remaining_bytes: u64,
    /// Nothing more can be read now. Up to 3 bytes may remain: the start of a character that was not written fully yet.
    pub end: bool,
}

/// Reads up to `max_bytes` (at least 4) from the byte position `cursor`; a position past the end is taken as the end.
///
/// # Errors
/// The file can't be opened or read.
pub fn read_log(path: &Path, cursor: u64, max_bytes: usize) -> io::Result<LogChunk> {
    let mut file = File::open(path)?;
    let total_bytes = file.metadata()?.len();
    read_page(
        &mut file,
        total_bytes,
        cursor.min(total_bytes),
        max_bytes.max(LONGEST_CHARACTER),
    )
}

/// Reads up to the last `max_bytes` (at least 4), from the start of a character.
///
/// # Errors
/// The file can't be opened or read.
pub fn tail_log(path: &Path, max_bytes: usize) -> io::Result<LogChunk> {
    let mut file = File::open(path)?;
    let total_bytes = file.metadata()?.len();
    let max_bytes = max_bytes.max(LONGEST_CHARACTER);
    let from = total_bytes.saturating_sub(max_bytes as u64);
    let from = if from == 0 {
        0
    } else {
        from + continuation_bytes(&mut file, from)?
    };
    read_page(&mut file, total_bytes, from, max_bytes)
}

fn read_page(
    file: &mut File,
    total_bytes: u64,
    cursor: u64,
    max_bytes: usize,
) -> io::Result<LogChunk> {
    let mut bytes = read_at(
        file,
        cursor,
        max_bytes.min(usize::try_from(total_bytes - cursor).unwrap_or(usize::MAX)),
    )?;
    bytes.truncate(whole_characters(&bytes));
    let next_cursor = cursor + bytes.len() as u64;
    let remaining_bytes = total_bytes - next_cursor;
    let end = bytes.is_empty() || remaining_bytes == 0;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(LogChunk {
        text,
        cursor,
        next_cursor,
        total_bytes,
        remaining_bytes,
        end,
    })
}

fn read_at(file: &mut File, from: u64, length: usize) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::with_capacity(length);
    file.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// How many bytes at this position belong to a character that began before it.
fn continuation_bytes(file: &mut File, from: u64) -> io::Result<u64> {
    let bytes = read_at(file, from, LONGEST_CHARACTER - 1)?;
    Ok(bytes
        .iter()
        .take_while(|byte| **byte & 0xC0 == 0x80)
        .count() as u64)
}

/// The length without a character at the end of which bytes are still missing.
fn whole_characters(bytes: &[u8]) -> usize {
    let last = bytes.len().saturating_sub(LONGEST_CHARACTER - 1);
    let unfinished =
        (last..bytes.len()).find(|start| match std::str::from_utf8(&bytes[*start..]) {
            Err(error) => error.valid_up_to() == 0 && error.error_len().is_none(),
            Ok(_) => false,
        });
    unfinished.unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_unfinished_character_is_held_back() {
        let euro = "€".as_bytes();
        assert_eq!(whole_characters(b""), 0);
        assert_eq!(whole_characters(b"abc"), 3);
        assert_eq!(whole_characters(euro), 3);
        assert_eq!(whole_characters(&euro[..2]), 0);
        assert_eq!(whole_characters(&[b"ab", &euro[..1]].concat()), 2);
        assert_eq!(whole_characters("a😀".as_bytes()), 5);
        assert_eq!(whole_characters(&"a😀".as_bytes()[..4]), 1);
        // Bytes that can become no character are text like any other, or a reader would wait for ever.
        assert_eq!(whole_characters(&[0xFF, 0xFF]), 2);
        assert_eq!(whole_characters(&[0x80, 0x80, 0x80]), 3);
    }
}
