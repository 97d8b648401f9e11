//! The numbers that the board has to hold, each as a ratio measured within one run.
//!
//! For: `cargo bench --workspace`, which prints a table with the bound and the absolute figures beside;
//! `-- --check` makes a missed bound an error, `-- --quick` is a smoke test with small sizes, and words
//! (claim, cycle, processes, stdio, http, changes, disk, router, gateway, litellm) choose parts. Not for: tests; nothing here runs under them.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench reads the clock, starts processes, prints its table and fails loudly"
)]

mod changes;
mod claim;
mod cycle;
mod disk;
mod echo;
mod http;
mod llm;
mod processes;
mod raw;
mod report;
mod sample;
mod scratch;
mod script;
mod sizes;
mod stdio;

use report::Report;
use sizes::Sizes;
use std::process::ExitCode;

/// A part of the bench: measures, and adds its rows.
type Part = fn(&Sizes, &mut Report);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [processes::HIDDEN, board, millis] => {
            processes::work(board.as_ref(), millis.parse().unwrap())
        }
        [echo::HIDDEN, flavour] => echo::serve(flavour),
        [llm::provider::HIDDEN, _] => llm::provider::serve(),
        _ => return measure(&words),
    }
    ExitCode::SUCCESS
}

/// Runs the chosen parts. Unknown options are cargo's own and left alone.
fn measure(words: &[&str]) -> ExitCode {
    let sizes = if words.contains(&"--quick") {
        Sizes::quick()
    } else {
        Sizes::full()
    };
    let chosen: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| !word.starts_with('-'))
        .collect();
    let parts: [(&str, Part); 10] = [
        ("claim", claim::measure),
        ("cycle", cycle::measure),
        ("processes", processes::measure),
        ("stdio", stdio::measure),
        ("http", http::measure),
        ("changes", changes::measure),
        ("disk", disk::measure),
        ("router", llm::router),
        ("gateway", llm::gateway),
        ("litellm", llm::litellm),
    ];
    let mut report = Report::default();
    for (name, part) in parts {
        if chosen.is_empty() || chosen.contains(&name) {
            eprintln!("measuring {name} …");
            part(&sizes, &mut report);
        }
    }
    report.print();
    if words.contains(&"--check") && !report.held() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
