//! Standard output, and whether anybody still reads it.
//!
//! For: ending quietly when a reader such as `head` has seen enough. Not for: what is written.

use std::io::{self, ErrorKind, Stdout, Write};

/// Standard output that remembers that its reader is gone.
pub(crate) struct Out<W = Stdout> {
    inner: W,
    unread: bool,
}

impl Out {
    pub(crate) fn new() -> Self {
        Out::to(io::stdout())
    }
}

impl<W: Write> Out<W> {
    fn to(inner: W) -> Self {
        Out {
            inner,
            unread: false,
        }
    }

    /// Whether something could not be written because nobody reads it.
    pub(crate) fn is_unread(&self) -> bool {
        self.unread
    }

    fn noted<T>(&mut self, written: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &written {
            self.unread |= error.kind() == ErrorKind::BrokenPipe;
        }
        written
    }
}

impl<W: Write> Write for Out<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        self.noted(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.noted(flushed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_is_gone_is_noticed_and_one_that_reads_is_not() {
        let (reader, writer) = io::pipe().unwrap();
        let mut out = Out::to(writer);
        out.write_all(b"one").unwrap();
        assert!(!out.is_unread());
        drop(reader);
        assert!(out.write_all(b"two").is_err());
        assert!(out.is_unread());
    }

    #[test]
    fn another_error_is_no_gone_reader() {
        let mut room = [0_u8; 1];
        let mut out = Out::to(room.as_mut_slice());
        assert!(out.write_all(b"two").is_err());
        assert!(!out.is_unread());
    }
}
