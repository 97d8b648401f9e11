//! Names that nobody guesses.

use std::fmt::Write as _;

/// `prefix` and `BYTES` random bytes in hexadecimal digits.
#[expect(
    clippy::expect_used,
    reason = "without random numbers no session is safe; the system that lacks them does not run Rust's own hash maps either"
)]
pub(crate) fn hex<const BYTES: usize>(prefix: &str) -> String {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).expect("the system's random numbers");
    let mut text = String::with_capacity(prefix.len() + 2 * BYTES);
    text.push_str(prefix);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
