//! Values that came in through the environment.
//! For: our programs below an agent: its environment names the variables that hold secrets, and what those programs
//! write must be free of them as well. Not for: reading the environment (the caller does).

use crate::{AtMost, Secret, register};

/// The variable that names those which hold secrets, with commas between them.
pub const SECRETS_VARIABLE: &str = "CALLBOARD_SECRETS";

/// Registers what the variables hold that [`SECRETS_VARIABLE`] names. First thing in `main`.
///
/// # Errors
/// [`AtMost`].
pub fn inherit(get: impl Fn(&str) -> Option<String>) -> Result<(), AtMost> {
    let names = get(SECRETS_VARIABLE).unwrap_or_default();
    for name in names.split(',').filter(|name| !name.is_empty()) {
        if let Some(value) = get(name) {
            register(name, &Secret::new(value))?;
        }
    }
    Ok(())
}
