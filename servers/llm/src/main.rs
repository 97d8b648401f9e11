//! The llm server by itself: models by route, on standard input and output.

use callboard_config::{Config, Environment, Overrides};

fn main() -> anyhow::Result<()> {
    let environment = Environment::from_process();
    callboard_redact::inherit(|name| environment.get(name)?.to_str().map(str::to_owned))?;
    let config = Config::for_server(&environment, &Overrides::default())?;
    callboard_llm_server::serve(environment, config)
}
