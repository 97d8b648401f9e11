//! Values within JSON, however its writer escapes.
//! For: reading a text as it is once layers of JSON's escapes are taken off, from any place on: `\u0026` is Go's `&`, `\/`
//! PHP's `/`, `\u00e9` Python's `é`, and `\\u0026` is `&` where JSON stands in JSON.
//! Not for: a text without backslashes, nor checking whether something is JSON.

use crate::Scrubber;

/// How deep JSON in JSON is looked through.
const LAYERS: usize = 3;

/// What stands at one place of a text.
#[derive(Clone, Copy)]
enum Piece {
    Byte(u8),
    /// One that is no byte by itself.
    Char(char),
}

/// The bytes end before it is clear what stands there.
struct Cut;

/// What begins at one place of a text.
#[derive(Default)]
pub(crate) struct Look {
    /// Where the longest value that begins there ends, and its pattern.
    pub(crate) found: Option<(usize, usize)>,
    /// Whether more bytes could make it a value, or a longer one.
    pub(crate) open: bool,
}

impl Scrubber {
    /// The values that begin at `at`, with one layer of escapes taken off and with more.
    pub(crate) fn look(&self, bytes: &[u8], at: usize) -> Look {
        let mut look = Look::default();
        for layers in 1..=LAYERS {
            // Without an escape on the way, every further layer reads the same.
            if !self.walk(bytes, at, layers, &mut look) {
                break;
            }
        }
        look
    }

    /// Reads on as long as a value may be there; answers whether an escape was met.
    fn walk(&self, bytes: &[u8], at: usize, layers: usize, look: &mut Look) -> bool {
        let mut here = self.all();
        let (mut place, mut known, mut escapes) = (at, 0, false);
        while !here.is_empty() {
            let Some(byte) = bytes.get(place).copied() else {
                look.open = true;
                break;
            };
            escapes |= byte == b'\\';
            let (piece, next) = read(bytes, place, layers).unwrap_or_else(|Cut| {
                look.open = true;
                // As far as it goes it may be meant as it is.
                (Piece::Byte(byte), place + 1)
            });
            let mut buffer = [0; 4];
            let bytes_of: &[u8] = match piece {
                Piece::Byte(byte) => &[byte],
                Piece::Char(c) => c.encode_utf8(&mut buffer).as_bytes(),
            };
            if known == 0 && !self.may_begin(bytes_of[0]) {
                break;
            }
            for byte in bytes_of {
                here = self.narrowed(here, known, *byte);
                known += 1;
            }
            place = next;
            while !here.is_empty() && self.length(here.start) == known {
                if look.found.is_none_or(|(end, _)| end < place) {
                    look.found = Some((place, here.start));
                }
                here.start += 1;
            }
        }
        escapes
    }
}

/// What stands at `at` once so many layers are taken off, and where that ends. A backslash that escapes nothing is one.
fn read(bytes: &[u8], at: usize, layers: usize) -> Result<(Piece, usize), Cut> {
    let byte = bytes.get(at).copied().ok_or(Cut)?;
    if layers == 0 || byte != b'\\' {
        return Ok((Piece::Byte(byte), at + 1));
    }
    let below = layers - 1;
    let (first, next) = read(bytes, at, below)?;
    let Piece::Byte(b'\\') = first else {
        return Ok((first, next));
    };
    let (kind, after) = read(bytes, next, below)?;
    match kind {
        Piece::Byte(b'u') => {
            let character = character(bytes, after, below)?;
            Ok(character.map_or((first, next), |(c, end)| (of(c), end)))
        }
        Piece::Byte(kind) => Ok(match meant(kind) {
            Some(meant) => (Piece::Byte(meant), after),
            None => (first, next),
        }),
        Piece::Char(_) => Ok((first, next)),
    }
}

/// What a backslash and this byte mean.
pub(crate) fn meant(kind: u8) -> Option<u8> {
    match kind {
        b'"' | b'\'' | b'\\' | b'/' => Some(kind),
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b'b' => Some(0x08),
        b'f' => Some(0x0c),
        _ => None,
    }
}

fn of(c: char) -> Piece {
    match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() => Piece::Byte(byte),
        _ => Piece::Char(c),
    }
}

/// The character of the digits at `at`, and where it ends; one of two surrogates is none.
fn character(bytes: &[u8], at: usize, layers: usize) -> Result<Option<(char, usize)>, Cut> {
    let Some((unit, end)) = unit(bytes, at, layers)? else {
        return Ok(None);
    };
    if !(0xd800..0xdc00).contains(&unit) {
        return Ok(char::from_u32(unit).map(|c| (c, end)));
    }
    let mut place = end;
    for wanted in [b'\\', b'u'] {
        match read(bytes, place, layers)? {
            (Piece::Byte(byte), next) if byte == wanted => place = next,
            _ => return Ok(None),
        }
    }
    let low = self::unit(bytes, place, layers)?;
    Ok(low
        .filter(|(low, _)| (0xdc00..0xe000).contains(low))
        .and_then(|(low, end)| {
            let whole = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            char::from_u32(whole).map(|c| (c, end))
        }))
}

/// The number of four hexadecimal digits, and where they end.
fn unit(bytes: &[u8], at: usize, layers: usize) -> Result<Option<(u32, usize)>, Cut> {
    let (mut unit, mut place) = (0, at);
    for _ in 0..4 {
        let (piece, next) = read(bytes, place, layers)?;
        let digit = match piece {
            Piece::Byte(byte) => char::from(byte).to_digit(16),
            Piece::Char(_) => None,
        };
        let Some(digit) = digit else {
            return Ok(None);
        };
        (unit, place) = (unit << 4 | digit, next);
    }
    Ok(Some((unit, place)))
}

#[cfg(test)]
#[path = "escaped_tests.rs"]
mod tests;
