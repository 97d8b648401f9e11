//! Asking on the terminal for what must not be seen.
//! For: one line without echo, straight from the terminal, whatever standard input is.
//! Not for: texts that may be seen, or of several lines (standard input takes those).

use callboard_redact::Secret;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use std::fs::File;
use std::io::{Read as _, Write as _};
use zeroize::{Zeroize as _, Zeroizing};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// There is no terminal.
    #[error("there is no terminal to ask on")]
    NoTerminal,
    /// Ctrl-C, Ctrl-D, or the terminal is gone.
    #[error("nothing was typed, so nothing was changed")]
    Cancelled,
    /// A key that is no text.
    #[error("a control character was typed: give such a text on standard input")]
    Control,
    /// Too much.
    #[error("more than {0} bytes were typed: give a text that long on standard input")]
    TooLong(usize),
    /// Not UTF-8.
    #[error("what was typed is not UTF-8 text")]
    NotText,
    /// The terminal.
    #[error("the terminal: {0}")]
    Terminal(#[from] std::io::Error),
}

/// The terminal as it was, put back whatever happens; what was typed ahead is thrown away, so that the rest of a
/// paste does not become a command of the shell.
struct Quiet<'t> {
    terminal: &'t File,
    before: Termios,
}

impl<'t> Quiet<'t> {
    fn begin(terminal: &'t File) -> std::io::Result<Self> {
        let before = rustix::termios::tcgetattr(terminal)?;
        let mut quiet = before.clone();
        // Byte by byte, because a terminal's own lines end at 4095 bytes. Ctrl-C arrives as a byte, so that it can't
        // end the process between here and putting things back.
        quiet.local_modes -=
            LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        rustix::termios::tcsetattr(terminal, OptionalActions::Drain, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = rustix::termios::tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// Asks `question` and reads a line of at most `longest` bytes that nobody sees.
pub(crate) fn ask(question: &str, longest: usize) -> Result<Secret, NoAnswer> {
    let mut terminal = File::options()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .map_err(|_| NoAnswer::NoTerminal)?;
    terminal.write_all(question.as_bytes())?;
    let answer = {
        let quiet = Quiet::begin(&terminal)?;
        let mut keys = quiet.terminal;
        line(
            || {
                let mut key = [0_u8];
                Ok((keys.read(&mut key)? == 1).then_some(key[0]))
            },
            longest,
        )
    };
    terminal.write_all(b"\n")?;
    answer
}

/// Puts a line together from keys: Backspace and Ctrl-U work.
fn line(
    mut key: impl FnMut() -> std::io::Result<Option<u8>>,
    longest: usize,
) -> Result<Secret, NoAnswer> {
    // Room for all of it, so that no part is left behind where the text grew.
    let mut typed = Zeroizing::new(Vec::with_capacity(longest + 1));
    loop {
        match key()? {
            Some(b'\r' | b'\n') => break,
            None | Some(0x03) => return Err(NoAnswer::Cancelled),
            Some(0x04) if typed.is_empty() => return Err(NoAnswer::Cancelled),
            Some(0x7f | 0x08) => backspace(&mut typed),
            Some(0x15) => {
                typed.zeroize();
            }
            Some(byte) if byte < 0x20 && byte != b'\t' => return Err(NoAnswer::Control),
            Some(byte) => typed.push(byte),
        }
        if typed.len() > longest {
            return Err(NoAnswer::TooLong(longest));
        }
    }
    if typed.is_empty() {
        return Err(NoAnswer::Cancelled);
    }
    String::from_utf8(std::mem::take(&mut *typed))
        .map(Secret::new)
        .map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            NoAnswer::NotText
        })
}

/// Takes the last character away, however many bytes it has.
fn backspace(typed: &mut Vec<u8>) {
    while let Some(byte) = typed.pop() {
        if byte & 0xc0 != 0x80 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[u8], longest: usize) -> Result<String, NoAnswer> {
        let mut keys = keys.iter().copied();
        line(|| Ok(keys.next()), longest).map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn a_line_is_edited_as_people_expect() {
        assert_eq!(typed(b"sk-live\r", 99).unwrap(), "sk-live");
        assert_eq!(typed(b"wrong\x15right\n", 99).unwrap(), "right");
        assert_eq!(typed("aé\x7f\x7fbcd\x08\n".as_bytes(), 99).unwrap(), "bc");
        assert_eq!(typed(b"\x7fa\tb\n", 99).unwrap(), "a\tb");
    }

    #[test]
    fn what_is_no_answer_is_none() {
        assert!(matches!(typed(b"abc\x03", 99), Err(NoAnswer::Cancelled)));
        assert!(matches!(typed(b"abc", 99), Err(NoAnswer::Cancelled)));
        assert!(matches!(typed(b"\n", 99), Err(NoAnswer::Cancelled)));
        assert!(matches!(typed(b"\x04", 99), Err(NoAnswer::Cancelled)));
        assert!(matches!(typed(b"ab\x1b[A\n", 99), Err(NoAnswer::Control)));
        assert!(matches!(typed(b"\xff\n", 99), Err(NoAnswer::NotText)));
        assert!(matches!(typed(b"abcd\n", 3), Err(NoAnswer::TooLong(3))));
    }
}
