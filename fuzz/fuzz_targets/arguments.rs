//! The arguments of a tool.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| callboard_mcp::fuzz::arguments(bytes));
