//! `callboard evaluate`: how good a way of choosing models is, on data that says how well each model did.
//! For: reading the data line by line and asking `callboard_routing::evaluate` for the figures.
//! Not for: the figures themselves, or asking any model.

mod show;

use anyhow::{Context, bail};
use callboard_config::{Config, Environment, Overrides};
use callboard_limits::{Mode, PriceTable};
use callboard_models::measured_route;
use callboard_models::prices::{Files, in_force};
use callboard_routing::evaluate::{Asked, Evaluation, Labelled, Survey};
use callboard_store::{Clock, SystemClock};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The longest line: prompts are long, but a file without line ends is no data.
const LINE_MOST: u64 = 16 * 1024 * 1024;

const MORE: &str = "\
Each line of FILE is a prompt that several models have answered:

  {\"id\": \"1\", \"prompt\": \"…\", \"class\": \"simple\",
   \"outcomes\": {\"small\": {\"score\": 1, \"cost_micro\": 90}, \"large\": {\"score\": 1, \"cost_micro\": 2400}}}

in one line. Scores go from 0 to 1. `class` (simple, standard, complex) may be left out; costs are
millionths of a dollar; where there are none, `tokens` ({\"input\": 900, \"output\": 40}) of a model
named provider/model are priced.

quality        mean score
gap recovered  0 is the cheap model, 1 the strong one; chance recovers what its share of strong calls is
APGR           mean gap recovered over all shares of strong calls; chance: 0.5
CPT            least share of strong calls that recovers 50 % or 80 % of the gap
AUC            how well a router tells which prompts the strong model does better; chance: 0.5
saved at       cost saved, against asking the strong model always, at 90, 95, 100 % of its quality

A route is measured by whom it asks first, all candidates being well: the outcomes of provider/model,
or of model. Their costs are the means in the data. A cost strategy takes the cheapest by them.

In brackets: the middle 95 % of the figures over resampled prompts.";

/// Arguments of `callboard evaluate`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = MORE)]
pub struct EvaluateArgs {
    /// Labelled prompts, one JSON object a line (see --help)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The cheap model [default: the one that cost least, of those with an outcome in every line]
    #[arg(long, value_name = "MODEL")]
    cheap: Option<String>,
    /// The strong model [default: the one with the highest mean score]
    #[arg(long, value_name = "MODEL")]
    strong: Option<String>,
    /// Also what this route of the configuration would choose first
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// For programs
    #[arg(long)]
    json: bool,
    /// Chance begins with this: the same seed gives the same intervals
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// Compares ways of choosing between two models.
///
/// # Errors
/// A file that can't be read, a line that is no data (named), or models that can't be compared.
pub fn evaluate(
    args: &EvaluateArgs,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let config = Config::for_server(environment, &Overrides::default())?;
    let prices = in_force(&Files::of(environment, &config)?).table;
    let route = args
        .route
        .as_deref()
        .map(|name| configured(&config, name, &prices))
        .transpose()?;
    let now = SystemClock.now_ms();
    // Twice, so that no prompt is kept: first which models there are, then the figures between two of them.
    let mut survey = Survey::default();
    each_line(&args.file, &prices, now, |line, labelled| {
        Ok(survey.take(line, labelled)?)
    })?;
    let pair = survey
        .pair(args.cheap.as_deref(), args.strong.as_deref())
        .with_context(|| args.file.display().to_string())?;
    let mut evaluation = Evaluation::new(pair, route, &survey, args.seed);
    let mut again = 0;
    each_line(&args.file, &prices, now, |_, labelled| {
        again += 1;
        Ok(evaluation.take(labelled)?)
    })?;
    if again != survey.lines() {
        bail!(
            "{} was changed while it was read; run it again when nobody writes to it",
            args.file.display()
        );
    }
    let report = evaluation.report(args.seed)?;
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        show::show(&report, out)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn configured(config: &Config, name: &str, prices: &PriceTable) -> anyhow::Result<Asked> {
    measured_route(config, name, prices).with_context(|| {
        let names: Vec<&str> = config.models.routes.keys().map(String::as_str).collect();
        if names.is_empty() {
            format!("there is no route {name}: the configuration has none, write a [routes.{name}] in your config.toml")
        } else {
            format!("there is no route {name}; there are {}", names.join(", "))
        }
    })
}

fn each_line(
    path: &Path,
    prices: &PriceTable,
    now: i64,
    mut take: impl FnMut(u64, &Labelled) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let open = || {
        let file = File::open(path)?;
        file.metadata().map(|metadata| (file, metadata))
    };
    let (file, metadata) = open().with_context(|| format!("reading {}", path.display()))?;
    if !metadata.is_file() {
        bail!(
            "{} is no file; the data is read twice, so it has to be one",
            path.display()
        );
    }
    let mut reader = BufReader::new(file);
    let mut bytes = Vec::new();
    for line in 1_u64.. {
        bytes.clear();
        // One more than fits tells that it does not fit.
        let mut bounded = (&mut reader).take(LINE_MOST + 1);
        let read = bounded
            .read_until(b'\n', &mut bytes)
            .with_context(|| format!("reading {}", path.display()))?;
        if read == 0 {
            break;
        }
        let here = || format!("{}:{line}", path.display());
        if read as u64 > LINE_MOST {
            bail!("{}: a line is longer than 16 MiB", here());
        }
        let text = std::str::from_utf8(&bytes)
            .context("no UTF-8")
            .with_context(here)?
            .trim();
        if text.is_empty() {
            continue;
        }
        let mut labelled = Labelled::read(text).with_context(here)?;
        labelled.price(|name, tokens| {
            let (provider, model) = name.split_once('/')?;
            let priced = prices.cost(provider, model, now, tokens, &Mode::STANDARD)?;
            #[expect(clippy::cast_precision_loss, reason = "costs of a call are small")]
            Some(priced.cost.0 as f64)
        });
        take(line, &labelled).with_context(here)?;
    }
    Ok(())
}
