//! Standard input: lines, and the messages in them.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The first byte says in how large pieces the rest arrives.
fuzz_target!(|bytes: &[u8]| {
    if let [piece, rest @ ..] = bytes {
        callboard_mcp::fuzz::framing(rest, usize::from(*piece));
    }
});
