//! For: object names that are known to be hexadecimal, so that they can never be read as an option or a range.
//! Both SHA-1 (40 digits) and SHA-256 (64 digits) repositories.
//! Not for: abbreviated names; resolve those first.

use serde::{Deserialize, Serialize};

use crate::GitError;

/// The full name of a git object: 40 or 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Oid(String);

impl Oid {
    /// Reads a full object name. Anything else is [`GitError::Invalid`].
    pub fn parse(text: &str) -> Result<Oid, GitError> {
        let text = text.trim();
        let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if digits && matches!(text.len(), 40 | 64) {
            Ok(Oid(text.to_owned()))
        } else {
            Err(GitError::invalid(
                "object name",
                text,
                "40 or 64 hexadecimal digits are needed",
            ))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first ten digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..10]
    }

    /// The name git uses for "no object", in the length of this one.
    pub(crate) fn zero(&self) -> String {
        "0".repeat(self.0.len())
    }
}

impl std::fmt::Display for Oid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<std::ffi::OsStr> for Oid {
    fn as_ref(&self) -> &std::ffi::OsStr {
        self.0.as_ref()
    }
}

impl TryFrom<String> for Oid {
    type Error = GitError;
    fn try_from(text: String) -> Result<Oid, GitError> {
        Oid::parse(&text)
    }
}

impl From<Oid> for String {
    fn from(oid: Oid) -> String {
        oid.0
    }
}
