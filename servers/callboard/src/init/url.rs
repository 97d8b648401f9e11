//! Where `callboard serve` is.
//! For: which addresses may be written into a client's file, and which are this machine's.
//! Not for: what is at them.

use super::DEFAULT_URL;
use anyhow::bail;
use callboard_config::{is_exposed, wrong_url};

/// Refuses a base URL that a client can't reach safely with a token (loopback, or TLS), and one with more in it than
/// an address: the file may be the project's, for everybody to read. What it says is not told, for the same reason.
pub fn check(url: &str) -> anyhow::Result<()> {
    if let Some(why) = wrong_url(url) {
        bail!("--url: {why}; give it like {DEFAULT_URL}");
    }
    if is_exposed(url) {
        bail!("--url {url}: the token would cross the network in clear; use https");
    }
    Ok(())
}

/// Whether an address, which may be anybody's, is on this machine.
pub fn is_loopback(uri: &http::Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}
