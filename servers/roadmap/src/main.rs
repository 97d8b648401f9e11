//! The roadmap server alone, on standard input and output.

use callboard_config::{Config, Environment, Overrides};
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    callboard_console::supervise_if_asked();
    let environment = Environment::from_process();
    callboard_redact::inherit(|name| environment.get(name)?.to_str().map(str::to_owned))?;
    if let Some(code) = callboard_crew::play_if_asked(&environment) {
        return Ok(code);
    }
    let config = Config::for_server(&environment, &Overrides::default())?;
    callboard_roadmap_server::serve(environment, config)?;
    Ok(ExitCode::SUCCESS)
}
