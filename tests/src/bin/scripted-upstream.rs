//! The scripted provider by itself, for scenarios: says where it is in one line; whoever starts it ends it. Its
//! standard error counts how often a client hung up.

#![expect(clippy::unwrap_used, reason = "a fixture fails loudly")]

use callboard_tests::upstream::Upstream;
use std::io::Write as _;
use std::time::Duration;

fn main() {
    let upstream = Upstream::start();
    let mut out = std::io::stdout();
    writeln!(out, "provider at {}", upstream.url()).unwrap();
    let mut told = 0;
    loop {
        std::thread::sleep(Duration::from_millis(20));
        let now = upstream.hung_up();
        if now != told {
            told = now;
            let mut err = std::io::stderr();
            writeln!(err, "hung up: {told}").unwrap();
        }
    }
}
