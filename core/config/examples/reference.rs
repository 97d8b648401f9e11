//! Prints the table of settings that the README shows: `cargo run -p callboard-config --example reference`.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    write!(std::io::stdout(), "{}", callboard_config::reference())
}
