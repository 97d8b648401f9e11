//! For: the log of one command's output: the head as it comes, the tail at the end, a count of what is missing between.
//! Not for: reading it back (see `log`).

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// How much of the end is kept when the output is over the limit.
const TAIL_BYTES: usize = 64 * 1024;

/// The open log of a running command.
pub(crate) struct Output {
    file: File,
    head_left: u64,
    written: u64,
    tail: VecDeque<u8>,
    dropped: u64,
    last_byte: u8,
    error: Option<String>,
    /// Takes out what must not be kept, before anything is counted or cut.
    clean: callboard_redact::Stream,
}

/// What became of the output.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub log_bytes: u64,
    pub dropped_bytes: u64,
    pub error: Option<String>,
}

impl Output {
    /// Appends to the file, or creates it for its owner only: output may hold secrets.
    pub(crate) fn open(path: &Path, limit: u64) -> Result<Output, String> {
        let opened = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path);
        let file = opened.map_err(|error| {
            format!(
                "the log {} can't be opened ({error}); create its directory or make it writable",
                path.display()
            )
        })?;
        let (tail, last_byte) = (VecDeque::new(), b'\n');
        Ok(Output {
            file,
            head_left: limit,
            written: 0,
            tail,
            dropped: 0,
            last_byte,
            error: None,
            clean: callboard_redact::Stream::new(callboard_redact::scrubber()),
        })
    }

    /// Takes the next bytes of output, without the secrets in use.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        let mut clean = std::mem::take(&mut self.clean);
        clean.take(bytes, |bytes| self.keep(bytes));
        self.clean = clean;
    }

    fn keep(&mut self, bytes: &[u8]) {
        let fits = usize::try_from(self.head_left)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let (head, rest) = bytes.split_at(fits);
        self.head_left -= fits as u64;
        self.append(head);
        self.tail.extend(rest);
        let over = self.tail.len().saturating_sub(TAIL_BYTES);
        self.tail.drain(..over);
        self.dropped += over as u64;
    }

    /// Appends the marker and the tail. Bytes the disk refuses are counted as dropped.
    pub(crate) fn finish(mut self) -> Kept {
        let mut clean = std::mem::take(&mut self.clean);
        clean.finish(|bytes| self.keep(bytes));
        let mut tail: Vec<u8> = std::mem::take(&mut self.tail).into();
        if self.dropped > 0 && self.error.is_none() {
            let part = tail
                .iter()
                .take(3)
                .take_while(|byte| **byte & 0xC0 == 0x80)
                .count();
            tail.drain(..part);
            self.dropped += part as u64;
            let line_end = if self.last_byte == b'\n' { "" } else { "\n" };
            let marker = format!("{line_end}[… {} bytes omitted …]\n", self.dropped);
            self.append_own(marker.as_bytes());
        }
        self.append(&tail);
        Kept {
            log_bytes: self.written,
            dropped_bytes: self.dropped,
            error: self.error,
        }
    }

    fn append(&mut self, bytes: &[u8]) {
        let before = self.written;
        self.append_own(bytes);
        self.dropped += bytes.len() as u64 - (self.written - before);
    }

    /// Writes until the first error; after one nothing more is tried, so that the log has no hole in it.
    fn append_own(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.error.is_none() {
            match self.file.write(bytes) {
                Ok(0) => self.error = Some("the log takes no more bytes".to_owned()),
                Ok(count) => {
                    self.written += count as u64;
                    self.last_byte = bytes[count - 1];
                    bytes = &bytes[count..];
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.error = Some(format!(
                        "the log can't be written: {error}; free some disk space"
                    ))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(limit: u64, chunks: &[&[u8]]) -> (Kept, Vec<u8>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut output = Output::open(&path, limit).unwrap();
        chunks.iter().for_each(|chunk| output.take(chunk));
        (output.finish(), std::fs::read(&path).unwrap())
    }

    #[test]
    fn output_within_the_limit_is_kept_as_it_is() {
        let (kept, log) = keep(5, &[b"ab", b"cde"]);
        assert_eq!(log, b"abcde");
        assert_eq!(
            kept,
            Kept {
                log_bytes: 5,
                dropped_bytes: 0,
                error: None
            }
        );
    }

    #[test]
    fn what_the_tail_still_holds_is_not_omitted() {
        let (kept, log) = keep(3, &[b"abcdefgh"]);
        assert_eq!(log, b"abcdefgh");
        assert_eq!(kept.dropped_bytes, 0);
    }

    #[test]
    fn the_middle_is_counted_and_marked_on_a_line_of_its_own() {
        let middle = vec![b'm'; TAIL_BYTES];
        let (kept, log) = keep(4, &[b"head", &middle, b"end"]);
        let text = String::from_utf8(log).unwrap();
        assert!(
            text.starts_with("head\n[… 3 bytes omitted …]\nmmm"),
            "{}",
            &text[..40]
        );
        assert!(text.ends_with("mmmend"));
        assert_eq!(
            kept,
            Kept {
                log_bytes: text.len() as u64,
                dropped_bytes: 3,
                error: None
            }
        );
    }

    #[test]
    fn the_tail_starts_with_a_whole_character() {
        let euros = "€".repeat(TAIL_BYTES / 3 + 1);
        let (kept, log) = keep(0, &[euros.as_bytes()]);
        let text = String::from_utf8(log).unwrap();
        assert_eq!(
            text.matches('€').count() * 3 + kept.dropped_bytes as usize,
            euros.len()
        );
    }

    #[test]
    fn a_full_disk_drops_and_says_so() {
        let mut output = Output::open(Path::new("/dev/full"), 10).unwrap();
        output.take(b"0123456789abc");
        let kept = output.finish();
        assert_eq!((kept.log_bytes, kept.dropped_bytes), (0, 13));
        assert!(kept.error.unwrap().contains("free some disk space"));
    }
}
