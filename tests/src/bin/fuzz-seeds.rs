//! Writes the cases in `tests/corpus` as seeds for the fuzz targets: `fuzz/corpus/<target>/`. `tests/run fuzz` does.

#![expect(
    clippy::disallowed_methods,
    reason = "half a seed is as good a seed as any"
)]

use callboard_tests::corpus::cases;
use callboard_tests::root;
use std::fs;
use std::io;

/// libFuzzer is best with small inputs.
const BYTES: usize = 4_096;

fn main() -> io::Result<()> {
    let to = root().join("fuzz/corpus");
    let (framing, arguments) = (to.join("framing"), to.join("arguments"));
    fs::create_dir_all(&framing)?;
    fs::create_dir_all(&arguments)?;
    let all = ["messages.json", "modern.json"].map(cases);
    for (number, case) in all.into_iter().flatten().enumerate() {
        let name = format!("case-{number:04}");
        if case.bytes.len() <= BYTES {
            fs::write(
                framing.join(&name),
                [b"\x40".as_slice(), &case.bytes].concat(),
            )?;
        }
        let given = case.ask.map(|(_, params)| params["arguments"].to_string());
        if let Some(given) = given.filter(|given| given != "null" && given.len() <= BYTES) {
            fs::write(arguments.join(&name), given)?;
        }
    }
    Ok(())
}
