//! `callboard test`: runs scenario files against MCP servers.
//! For: finding the files, running them, and writing the report where it was asked for.
//! Not for: what a scenario may say, or how it is run; that is `core/scenario`.

use anyhow::{Context, bail};
use callboard_config::{Config, Environment, Overrides};
use callboard_crew::users_vault;
use callboard_scenario::{LoadError, Options, Refused, Report, Secrets, format::Scenario, report};
use callboard_store::{SystemClock, actor};
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How many messages of each server a failure shows.
const TRAFFIC: usize = 20;

/// Arguments of `callboard test`.
#[derive(Debug, Clone, clap::Args)]
pub struct TestArgs {
    /// Scenario files (YAML), or directories of them
    #[arg(value_name = "FILE", required_unless_present = "schema")]
    pub files: Vec<PathBuf>,
    /// How to report: text, json or junit; `=PATH` writes it to a file besides the text
    #[arg(long, value_name = "FORMAT[=PATH]", default_value = "text")]
    pub report: Vec<Wanted>,
    /// Only scenarios whose path, name or tags contain this word; may be given several times
    #[arg(long, value_name = "WORD")]
    pub filter: Vec<String>,
    /// How many scenarios run at once [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Print the JSON Schema of the format, for editors
    #[arg(long)]
    pub schema: bool,
}

/// A report and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    format: Format,
    path: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Json,
    Junit,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Wanted, String> {
        let (name, path) = match text.split_once('=') {
            Some((_, "")) => return Err("the path after = is missing".to_owned()),
            Some((name, path)) => (name, Some(PathBuf::from(path))),
            None => (text, None),
        };
        let format = match name {
            "text" => Format::Text,
            "json" => Format::Json,
            "junit" => Format::Junit,
            _ => return Err(format!("{name:?} is none of text, json, junit")),
        };
        Ok(Wanted { format, path })
    }
}

/// Runs the scenarios; 0 when all passed.
///
/// # Errors
/// A file that is no scenario, or a report that can't be written.
pub fn test(
    args: &TestArgs,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    if args.schema {
        writeln!(
            out,
            "{}",
            serde_json::to_string_pretty(&callboard_scenario::schema())?
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let stdout = args
        .report
        .iter()
        .filter(|wanted| wanted.path.is_none())
        .count();
    if stdout > 1 {
        bail!(
            "only one report can go to standard output; write the others to files, --report junit=PATH"
        );
    }
    let scenarios = chosen(args)?;
    let secrets = secrets(&scenarios, environment)?;
    let options = options(args, environment, secrets)?;
    let colour = if std::io::stdout().is_terminal() && environment.get("NO_COLOR").is_none() {
        report::Colour::Always
    } else {
        report::Colour::Never
    };
    let plain = !args
        .report
        .iter()
        .any(|wanted| wanted.path.is_none() && wanted.format != Format::Text);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        let stop = options.stop.clone();
        let signals = actor::spawn(stop_on_signals(stop));
        let done = callboard_scenario::run(scenarios, &options, |outcome| {
            if plain {
                let _ = write!(out, "{}", report::to_text(outcome, colour));
                let _ = out.flush();
            }
        })
        .await;
        signals.abort();
        done
    });
    if plain {
        write!(out, "{}", done.summary())?;
    }
    for wanted in &args.report {
        deliver(wanted, &done, out)?;
    }
    Ok(ExitCode::from(u8::from(!done.passed())))
}

/// All files are read before the first runs, so that a slip in the last one shows at once.
fn chosen(args: &TestArgs) -> anyhow::Result<Vec<(PathBuf, Scenario)>> {
    let files = callboard_scenario::find(&args.files)?;
    let mut scenarios = Vec::new();
    let mut wrong: Vec<LoadError> = Vec::new();
    for file in files {
        match callboard_scenario::load(&file) {
            Ok(scenario) => scenarios.push((file, scenario)),
            Err(error) => wrong.push(error),
        }
    }
    refuse(&wrong)?;
    if !args.filter.is_empty() {
        scenarios
            .retain(|(file, scenario)| args.filter.iter().any(|word| fits(word, file, scenario)));
        if scenarios.is_empty() {
            bail!("no scenario fits the filter {}", args.filter.join(", "));
        }
    }
    Ok(scenarios)
}

fn refuse(wrong: &[LoadError]) -> anyhow::Result<()> {
    if wrong.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    bail!("{}", lines.join("\n"))
}

/// What the scenarios name of the user's vault, which is opened only if they do. All of it is there before the first
/// runs, so that a passphrase is asked for once.
fn secrets(
    scenarios: &[(PathBuf, Scenario)],
    environment: &Environment,
) -> anyhow::Result<Secrets> {
    if scenarios
        .iter()
        .all(|(_, scenario)| scenario.secrets.is_empty())
    {
        return Ok(Secrets::default());
    }
    let config = Config::load(environment, None, &Overrides::default())?;
    let asking = crate::vault::asking();
    let vault = users_vault(environment, &config, Arc::new(SystemClock), Some(asking))()?;
    let found = callboard_scenario::resolve(scenarios, |name| {
        // This needs no passphrase.
        vault
            .must_have(name)
            .map_err(|error| Refused::Missing(error.to_string()))?;
        vault
            .resolve(&BTreeSet::from([name.to_owned()]))
            .map_err(|error| Refused::Closed(error.to_string()))?
            .remove(name)
            .ok_or_else(|| Refused::Closed("the vault lost it: try again".to_owned()))
    });
    found.or_else(|wrong| refuse(&wrong).map(|()| Secrets::default()))
}

fn fits(word: &str, file: &Path, scenario: &Scenario) -> bool {
    file.to_string_lossy().contains(word)
        || scenario
            .name
            .as_ref()
            .is_some_and(|name| name.contains(word))
        || scenario.tags.iter().any(|tag| tag == word)
}

fn options(
    args: &TestArgs,
    environment: &Environment,
    secrets: Secrets,
) -> anyhow::Result<Options> {
    let jobs = match args.jobs {
        Some(jobs) => usize::from(jobs),
        None => std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
    };
    Ok(Options {
        program: std::env::current_exe().context("which program this is can't be found out")?,
        env: environment.texts(),
        secrets,
        jobs,
        traffic: TRAFFIC,
        stop: CancellationToken::new(),
    })
}

async fn stop_on_signals(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut end)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = end.recv() => {}
    }
    stop.cancel();
}

fn deliver(wanted: &Wanted, done: &Report, out: &mut dyn Write) -> anyhow::Result<()> {
    let text = match wanted.format {
        Format::Text => match wanted.path {
            // It was shown as it came.
            None => return Ok(()),
            Some(_) => {
                let lines: Vec<String> = done
                    .outcomes
                    .iter()
                    .map(|outcome| report::to_text(outcome, report::Colour::Never))
                    .collect();
                lines.concat() + &done.summary()
            }
        },
        Format::Json => serde_json::to_string_pretty(&report::to_json(done))? + "\n",
        Format::Junit => report::to_junit(done).map_err(anyhow::Error::msg)?,
    };
    let Some(path) = &wanted.path else {
        return Ok(write!(out, "{text}")?);
    };
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let written = || -> anyhow::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    written().with_context(|| {
        format!(
            "the report can't be written to {}; its directory must exist",
            path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_named_with_or_without_a_path() {
        let wanted: Wanted = "junit=out/report.xml".parse().unwrap();
        assert_eq!(wanted.format, Format::Junit);
        assert_eq!(wanted.path.as_deref(), Some(Path::new("out/report.xml")));
        assert_eq!("json".parse::<Wanted>().unwrap().path, None);
        assert!(
            "xml"
                .parse::<Wanted>()
                .unwrap_err()
                .contains("text, json, junit")
        );
        assert!("json=".parse::<Wanted>().is_err());
    }
}
