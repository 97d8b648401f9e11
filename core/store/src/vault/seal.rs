//! Sealing and opening bytes.
//! For: XChaCha20-Poly1305 under a 256-bit key with random 192-bit nonces, and what is bound to each box.
//! Not for: where keys come from.

use super::error::VaultError;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

pub(super) const KEY: usize = 32;
const NONCE: usize = 24;

/// A key, overwritten when it is dropped.
pub(super) type Key = Zeroizing<[u8; KEY]>;

/// A sealed text and its nonce.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sealed {
    pub(super) nonce: Vec<u8>,
    pub(super) bytes: Vec<u8>,
}

/// The box does not open: another key, another place, or changed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DoesNotOpen;

pub(super) fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| VaultError::Random(error.to_string()))?;
    Ok(bytes)
}

pub(super) fn new_key() -> Result<Key, VaultError> {
    let mut key = Key::default();
    getrandom::fill(key.as_mut()).map_err(|error| VaultError::Random(error.to_string()))?;
    Ok(key)
}

/// Seals `plain` so that it opens with the same key and the same `bound` bytes only.
pub(super) fn seal(key: &Key, bound: &[u8], plain: &[u8]) -> Result<Sealed, VaultError> {
    let nonce: [u8; NONCE] = random()?;
    // Room for the tag, so that the plain text is never moved and left behind.
    let mut bytes = Vec::with_capacity(plain.len() + 16);
    bytes.extend_from_slice(plain);
    XChaCha20Poly1305::new((&**key).into())
        .encrypt_in_place(&XNonce::from(nonce), bound, &mut bytes)
        .map_err(|_| VaultError::BadValue("the value is too long to be sealed"))?;
    Ok(Sealed {
        nonce: nonce.to_vec(),
        bytes,
    })
}

/// Opens a box; the text is overwritten when it is dropped.
pub(super) fn open(
    key: &Key,
    bound: &[u8],
    sealed: &Sealed,
) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
    let nonce: [u8; NONCE] = sealed
        .nonce
        .as_slice()
        .try_into()
        .map_err(|_| DoesNotOpen)?;
    let mut bytes = Zeroizing::new(sealed.bytes.clone());
    XChaCha20Poly1305::new((&**key).into())
        .decrypt_in_place(&XNonce::from(nonce), bound, &mut *bytes)
        .map_err(|_| DoesNotOpen)?;
    Ok(bytes)
}

/// What is bound to a secret's box: a row opens under its own name and version, in its own vault.
pub(super) fn bound_to_secret(vault: &[u8], name: &str, version: i64) -> Vec<u8> {
    let mut bound = b"callboard vault secret 1\0".to_vec();
    put(&mut bound, vault);
    bound.extend_from_slice(&version.to_be_bytes());
    put(&mut bound, name.as_bytes());
    bound
}

/// Appends a field with its length, so that two fields can't be read as two others.
pub(super) fn put(bound: &mut Vec<u8>, field: &[u8]) {
    bound.extend_from_slice(&(field.len() as u64).to_be_bytes());
    bound.extend_from_slice(field);
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            for half in [byte >> 4, byte & 15] {
                text.push(char::from(b"0123456789abcdef"[usize::from(half)]));
            }
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_opens_with_its_key_in_its_place_and_untouched() {
        let (key, other) = (new_key().unwrap(), new_key().unwrap());
        let bound = bound_to_secret(b"v", "NAME", 1);
        let sealed = seal(&key, &bound, b"the value").unwrap();
        assert_eq!(
            open(&key, &bound, &sealed).unwrap().as_slice(),
            b"the value"
        );
        assert_eq!(open(&other, &bound, &sealed), Err(DoesNotOpen));
        for elsewhere in [
            ("v", "NAME", 2),
            ("v", "NAMF", 1),
            ("w", "NAME", 1),
            ("vN", "AME", 1),
        ] {
            let bound = bound_to_secret(elsewhere.0.as_bytes(), elsewhere.1, elsewhere.2);
            assert_eq!(
                open(&key, &bound, &sealed),
                Err(DoesNotOpen),
                "{elsewhere:?}"
            );
        }
        for bit in 0..sealed.bytes.len() * 8 {
            let mut flipped = sealed.clone();
            flipped.bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&key, &bound, &flipped), Err(DoesNotOpen), "bit {bit}");
        }
        for bit in 0..sealed.nonce.len() * 8 {
            let mut flipped = sealed.clone();
            flipped.nonce[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                open(&key, &bound, &flipped),
                Err(DoesNotOpen),
                "nonce bit {bit}"
            );
        }
        for length in 0..sealed.bytes.len() {
            let cut = Sealed {
                nonce: sealed.nonce.clone(),
                bytes: sealed.bytes[..length].to_vec(),
            };
            assert_eq!(open(&key, &bound, &cut), Err(DoesNotOpen), "{length} bytes");
        }
        let no_nonce = Sealed {
            nonce: Vec::new(),
            ..sealed
        };
        assert_eq!(open(&key, &bound, &no_nonce), Err(DoesNotOpen));
    }
}
