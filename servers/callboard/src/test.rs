//! `callboard test`: runs scenario files against MCP servers.
//! For: finding the files, running them, and writing the report where it was asked for.
//! Not for: what a scenario may say, or how it is run; that is `core/scenario`.

mod report_file;
#[cfg(test)]
mod tests;

use anyhow::{Context, bail};
use callboard_config::{Config, Environment, Overrides};
use callboard_crew::users_vault;
use callboard_scenario::{
    LoadError, Options, Outcome, Refused, Report, Secrets, format::Scenario, report,
};
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
    let mut found = found(args);
    for wanted in &args.report {
        if let Some(path) = &wanted.path {
            report_file::is_no_scenario(path, &found.files)?;
            // Whatever becomes of this run: an earlier one's report must not be taken for its.
            report_file::clear(path)?;
        }
    }
    found.load(args)?;
    let secrets = found.secrets(environment)?;
    let Found {
        files,
        scenarios,
        unread,
    } = found;
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
    let unread: Vec<Outcome> = unread.iter().map(Outcome::unread).collect();
    if plain {
        for outcome in &unread {
            write!(out, "{}", report::to_text(outcome, colour))?;
        }
    }
    let mut done = runtime.block_on(async {
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
    done.outcomes.extend(unread);
    // A path that could not even be looked through comes first.
    done.outcomes
        .sort_by_key(|outcome| files.iter().position(|file| *file == outcome.file));
    if plain {
        write!(out, "{}", done.summary())?;
    }
    for wanted in &args.report {
        deliver(wanted, &done, out)?;
    }
    Ok(ExitCode::from(u8::from(!done.passed())))
}

/// What the arguments name. All of it is read before the first runs, so that a slip in the last one shows at once.
struct Found {
    files: Vec<PathBuf>,
    scenarios: Vec<(PathBuf, Scenario)>,
    /// What can't be used; it fails, and the others are run.
    unread: Vec<LoadError>,
}

fn found(args: &TestArgs) -> Found {
    let mut found = Found {
        files: Vec::new(),
        scenarios: Vec::new(),
        unread: Vec::new(),
    };
    for path in &args.files {
        match callboard_scenario::find(std::slice::from_ref(path)) {
            Ok(files) => found.files.extend(files),
            Err(error) => found.unread.push(error),
        }
    }
    let mut seen = BTreeSet::new();
    found.files.retain(|file| seen.insert(file.clone()));
    found
}

impl Found {
    fn load(&mut self, args: &TestArgs) -> anyhow::Result<()> {
        for file in &self.files {
            match callboard_scenario::load(file) {
                Ok(scenario) => self.scenarios.push((file.clone(), scenario)),
                Err(error) => self.unread.push(error),
            }
        }
        if !args.filter.is_empty() {
            self.scenarios.retain(|(file, scenario)| {
                args.filter.iter().any(|word| fits(word, file, scenario))
            });
            // Whether the filter means a file that can't be read is not known, so it counts.
            if self.scenarios.is_empty() && self.unread.is_empty() {
                bail!("no scenario fits the filter {}", args.filter.join(", "));
            }
        }
        Ok(())
    }

    /// What the scenarios name of the user's vault, which is opened only if they do. All of it is there before the
    /// first runs, so that a passphrase is asked for once. A scenario whose secret can't be had is not run.
    fn secrets(&mut self, environment: &Environment) -> anyhow::Result<Secrets> {
        if self
            .scenarios
            .iter()
            .all(|(_, scenario)| scenario.secrets.is_empty())
        {
            return Ok(Secrets::default());
        }
        let config = Config::load(environment, None, &Overrides::default())?;
        let asking = crate::vault::asking();
        let vault = users_vault(environment, &config, Arc::new(SystemClock), Some(asking))()?;
        let (secrets, wrong) = callboard_scenario::resolve(&self.scenarios, |name| {
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
        self.scenarios
            .retain(|(file, _)| wrong.iter().all(|error| error.file != *file));
        self.unread.extend(wrong);
        Ok(secrets)
    }
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
    match &wanted.path {
        None => Ok(write!(out, "{text}")?),
        Some(path) => report_file::write(path, &text, out),
    }
}
