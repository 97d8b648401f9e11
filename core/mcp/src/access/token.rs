//! What a token looks like: `cb_<id>_<secret>`.
//!
//! For: making one from the system's random numbers, taking one apart, and its hash. The id is public and
//! finds the row; the secret has 256 bits, so a plain hash of it gives nothing away. Not for: storing it.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const PREFIX: &str = "cb_";
const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;
const LENGTH: usize = PREFIX.len() + 2 * ID_BYTES + 1 + 2 * SECRET_BYTES;

/// A token as its holder sends it. Never shown by `Debug`, wiped when dropped.
#[derive(Clone)]
pub struct TokenText(Zeroizing<String>);

impl fmt::Debug for TokenText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TokenText({PREFIX}{}_…)", self.id())
    }
}

impl TokenText {
    /// A new one, unlike any other.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0_u8; ID_BYTES + SECRET_BYTES]);
        getrandom::fill(bytes.as_mut_slice())?;
        let (id, secret) = bytes.split_at(ID_BYTES);
        // As long as it will get: a string that grows leaves copies behind.
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        text.push_str(PREFIX);
        push_hex(&mut text, id);
        text.push('_');
        push_hex(&mut text, secret);
        Ok(TokenText(text))
    }

    /// Takes what was sent; `None` when it has not the shape of a token.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let fits = id.len() == 2 * ID_BYTES && secret.len() == 2 * SECRET_BYTES;
        let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        (fits && id.bytes().chain(secret.bytes()).all(hex))
            .then(|| TokenText(Zeroizing::new(text.to_owned())))
    }

    /// Its public part.
    pub fn id(&self) -> &str {
        &self.0[PREFIX.len()..PREFIX.len() + 2 * ID_BYTES]
    }

    /// All of it, for whoever is to have it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> TokenHash {
        let mut hasher = Sha256::new();
        hasher.update(b"callboard token 1\0");
        hasher.update(self.0.as_bytes());
        TokenHash(hasher.finalize().into())
    }
}

fn push_hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            out.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
}

/// The hash of a token: what is at rest. Compares in constant time.
#[derive(Debug, Clone, Copy)]
pub struct TokenHash(pub(super) [u8; 32]);

impl TokenHash {
    /// A hash that no token has, for the comparison where there is none to compare with.
    pub(super) const NONE: TokenHash = TokenHash([0; 32]);

    /// Whether both are of the same token.
    pub fn is(&self, other: &TokenHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_again_and_no_other() {
        let one = TokenText::generate().unwrap();
        let two = TokenText::generate().unwrap();
        assert_eq!(one.reveal().len(), LENGTH);
        let again = TokenText::parse(one.reveal()).unwrap();
        assert_eq!(again.id(), one.id());
        assert!(again.hash().is(&one.hash()));
        assert!(!one.hash().is(&two.hash()));
        assert_ne!(one.id(), two.id());
    }

    #[test]
    fn what_is_not_of_its_shape_is_none() {
        let good = TokenText::generate().unwrap();
        let good = good.reveal();
        let upper = good.to_uppercase();
        let longer = format!("{good}0");
        let spaced = format!(" {good}");
        for text in [
            "",
            "cb_",
            "cb__",
            "Bearer",
            &good[1..],
            &good[..good.len() - 1],
            &upper,
            &longer,
            &spaced,
        ] {
            assert!(TokenText::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let token = TokenText::generate().unwrap();
        let secret = token.reveal().rsplit_once('_').unwrap().1;
        assert!(!format!("{token:?}").contains(&secret[..8]));
    }
}
