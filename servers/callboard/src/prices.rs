//! `callboard prices`: what models cost, and how newer prices come in.
//! For: showing the table in force; putting a file in force, so that it can be undone.
//! Not for: fetching one: the file is brought by whoever runs this.

use anyhow::{Context as _, bail};
use callboard_config::{Config, Environment, Overrides};
use callboard_limits::price::{Price, Rates};
use callboard_models::prices::{Change, Files, InForce, Update, in_force, look, undo, update};
use callboard_store::actor::{Actor, scope_now};
use callboard_store::{Clock, Store, StoreError, SystemClock};
use callboard_telemetry::audit::audit_add;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Changes that are shown; the rest is counted.
const SHOWN: usize = 40;

/// Arguments of `callboard prices`.
#[derive(Debug, Clone, clap::Args)]
pub struct PricesArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Verb {
    /// Show what models cost, in dollars for a million tokens.
    Show {
        /// Models with this in their name, or in their vendor's; all without it.
        model: Option<String>,
    },
    /// Put a newer price file in force, and show what it changes.
    Update {
        /// The price file, in the form of core/limits/prices.toml.
        file: PathBuf,
        /// Only show what it would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// Go back to the prices before the last update.
    Undo,
}

/// Shows or changes the prices in force.
///
/// # Errors
/// A file that is no price file, or can't be read or written.
pub fn prices(
    args: &PricesArgs,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    // The prices are the user's, whatever project this is.
    let config = Config::load(environment, None, &Overrides::default())?;
    let files = Files::of(environment, &config)?;
    match &args.verb {
        Verb::Show { model } => show(&in_force(&files), model.as_deref(), out)?,
        Verb::Update { file, dry_run } => {
            let file = environment.cwd().join(file);
            let done = if *dry_run {
                look(&files, &file)?
            } else {
                let audit = Audit::open(environment, &config)?;
                let done = update(&files, &file)?;
                audit.row("update", &done.from, &done.to)?;
                done
            };
            tell_update(&done, out)?;
            if *dry_run {
                writeln!(out, "Nothing was changed.")?;
            } else {
                writeln!(
                    out,
                    "In force from now on, in running servers too within seconds: {}\n`callboard prices undo` goes back.",
                    files.updated.display()
                )?;
            }
        }
        Verb::Undo => {
            let audit = Audit::open(environment, &config)?;
            let before = in_force(&files).version().to_owned();
            let version = undo(&files)?;
            audit.row("undo", &before, &version)?;
            writeln!(out, "The prices of {version} are in force again.")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where it is written down who changed what everything costs from now on.
struct Audit {
    store: Store,
    user: String,
}

impl Audit {
    /// Before anything changes: what nobody could be told of must not be done.
    fn open(environment: &Environment, config: &Config) -> anyhow::Result<Self> {
        let store = callboard_board::open(&config.board)
            .with_context(|| format!("opening the board in {}", config.board.display()))?;
        let user = environment.user();
        Ok(Self { store, user })
    }

    fn row(self, word: &str, from: &str, to: &str) -> anyhow::Result<()> {
        let actor = Actor::command(&self.user, &format!("prices {word}"));
        let (verb, now) = (format!("prices_{word}"), SystemClock.now_ms());
        let (from, to) = (from.to_owned(), to.to_owned());
        let written: Result<(), StoreError> = scope_now(Arc::new(actor), || {
            self.store.write_blocking(move |c| {
                let detail = [("from", from.as_str().into()), ("to", to.as_str().into())];
                audit_add(c, now, &verb, "prices", &detail)
            })
        });
        written.context("the prices did change, but the audit does not have it")
    }
}

fn show(prices: &InForce, wanted: Option<&str>, out: &mut dyn Write) -> anyhow::Result<()> {
    let now = SystemClock.now_ms();
    let wanted = wanted.unwrap_or_default().to_lowercase();
    let fits = |price: &&Price| {
        let names = [&price.provider, &price.model].into_iter();
        let mut names = names.chain(&price.aliases);
        names.any(|name| name.to_lowercase().contains(&wanted))
    };
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header([
        "Vendor", "Model", "Input", "Cached", "Write", "Output", "From", "Note",
    ]);
    let mut rows = 0;
    for price in prices.table.prices().filter(fits) {
        let next = prices.table.price(&price.provider, &price.model, now);
        let note = match next {
            Some(held) if held.from == price.from => "",
            _ if price.from > now => "not yet",
            _ => "not any more",
        };
        table.add_row(row(price, note));
        rows += 1;
    }
    if rows == 0 {
        bail!(
            "no model of the table has {wanted:?} in its name, so what it costs is unknown; prices.file in your config.toml \
             can say it"
        );
    }
    writeln!(
        out,
        "{table}\n\nDollars for a million tokens; version {}",
        prices.version()
    )?;
    for part in &prices.parts {
        let (Some(file), Some(why)) = (&part.file, &part.unused) else {
            continue;
        };
        writeln!(out, "{} does not count: {why}", file.display())?;
    }
    Ok(())
}

fn row(price: &Price, note: &str) -> [String; 8] {
    let rates = &price.rates;
    let optional = |amount: Option<u64>| amount.map_or_else(|| "-".to_owned(), dollars);
    [
        price.provider.clone(),
        price.model.clone(),
        dollars(rates.input),
        optional(rates.cached),
        optional(rates.cache_write),
        dollars(rates.output),
        day(price.from),
        note.to_owned(),
    ]
}

fn tell_update(update: &Update, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(
        out,
        "Prices of {} over those of {}:",
        update.to, update.from
    )?;
    if update.changes.is_empty() {
        writeln!(out, "  no price changes")?;
    }
    for change in update.changes.iter().take(SHOWN) {
        writeln!(out, "  {}", change_text(change))?;
    }
    if let Some(more) = update.changes.len().checked_sub(SHOWN + 1) {
        writeln!(out, "  and {} more", more + 1)?;
    }
    Ok(())
}

fn change_text(change: &Change) -> String {
    let name = |price: &Price| {
        let from = match price.from {
            i64::MIN => String::new(),
            from => format!(" from {}", day(from)),
        };
        format!("{}/{}{from}", price.provider, price.model)
    };
    match (&change.before, &change.after) {
        (None, Some(new)) => format!("+ {}: {}", name(new), rates_text(&new.rates)),
        (Some(old), None) => format!("- {}: {}", name(old), rates_text(&old.rates)),
        (Some(old), Some(new)) => format!(
            "~ {}: {} (was {})",
            name(new),
            rates_text(&new.rates),
            rates_text(&old.rates)
        ),
        (None, None) => String::new(),
    }
}

fn rates_text(rates: &Rates) -> String {
    let mut text = format!("{} in, {} out", dollars(rates.input), dollars(rates.output));
    for (name, amount) in [
        ("cached", rates.cached),
        ("write", rates.cache_write),
        ("write for an hour", rates.cache_write_1h),
    ] {
        if let Some(amount) = amount {
            text.push_str(&format!(", {} {name}", dollars(amount)));
        }
    }
    text
}

fn dollars(micro: u64) -> String {
    let amount = i64::try_from(micro).unwrap_or(i64::MAX);
    callboard_telemetry::MicroDollars(amount).to_string()
}

fn day(from: i64) -> String {
    if from == i64::MIN {
        return "ever".to_owned();
    }
    crate::when::utc(from).chars().take(10).collect()
}
