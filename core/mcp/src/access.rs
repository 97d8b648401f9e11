//! Tokens, and the gate that asks for them.
//!
//! For: making, listing and revoking tokens in the board's file, and letting requests in by them: the one
//! place where a request over a network is judged. Not for: transports, or what a role may call (the call
//! wrapper checks that).

mod gate;
mod limit;
mod table;
mod token;

pub use gate::{Loopback, Policy, TokenGate};
pub use table::{
    DEFAULT_LIFETIME_MS, LOCAL_NAME, MAX_LIFETIME_MS, MIGRATIONS, NewToken, TokenError, TokenRow,
    token_add, token_get, token_list, token_renew, token_revoke,
};
pub use token::{TokenHash, TokenText};

#[cfg(test)]
mod tests;
