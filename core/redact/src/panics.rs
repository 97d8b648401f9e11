//! What a panic says, without the values in it.
//! For: the hook of every program of ours. Not for: catching panics.

use crate::register::scrub;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write as _;
use std::panic::PanicHookInfo;

/// Replaces the message of panics: as before, on standard error, but scrubbed. Once, first thing in `main`.
pub fn guard_panics() {
    std::panic::set_hook(Box::new(tell));
}

fn tell(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let place = info
        .location()
        .map_or_else(String::new, |place| format!(" at {place}"));
    let payload = info.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let message = text.or_else(|| payload.downcast_ref::<&str>().copied());
    let message = message.unwrap_or("(no text)");
    let mut text = format!("\nthread '{name}' panicked{place}:\n{message}\n");
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        text.push_str(&format!("stack backtrace:\n{trace}"));
    } else {
        text.push_str("note: run with `RUST_BACKTRACE=1` to see where it came from\n");
    }
    // Nobody may be listening.
    drop(std::io::stderr().write_all(scrub(&text).as_bytes()));
}
