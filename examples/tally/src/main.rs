use std::process::ExitCode;
use tally::journal::Journal;
use tally::report::report;

const USAGE: &str = "usage: tally JOURNAL";

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("tally: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Vec<String>) -> Result<String, String> {
    let [file] = args.as_slice() else {
        return Err(USAGE.to_owned());
    };
    let text = std::fs::read_to_string(file).map_err(|why| format!("{file}: {why}"))?;
    let journal: Journal = text.parse().map_err(|why| format!("{file}: {why}"))?;
    Ok(report(&journal))
}
