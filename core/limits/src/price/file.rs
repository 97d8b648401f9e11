//! The form of a price file, and what is wrong with one, by line.
//!
//! For: the table that comes with the program, newer ones, and a user's own prices; all have one form. Not for:
//! merging them (the table does).

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use super::mode::{Tier, ToolPrices};
use super::names::Names;
use super::{Price, Rates, WHOLE};
use crate::calendar::{DAY_MS, days_from_civil};

/// Why a price file was refused; then nothing of it counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct PriceFileError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, and what belongs there.
    pub message: String,
}

/// A price file that was read.
pub(super) struct PriceFile {
    pub version: String,
    pub providers: BTreeMap<String, Names>,
    pub prices: Vec<Price>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    version: Spanned<String>,
    #[serde(default)]
    provider: BTreeMap<String, RawProvider>,
    #[serde(default)]
    price: Vec<RawPrice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct RawProvider {
    also: Vec<String>,
    prefixes: Vec<String>,
    suffixes: Vec<String>,
    local: bool,
    remote_suffixes: Vec<String>,
    tiers: BTreeMap<String, Spanned<toml::Value>>,
    tools: BTreeMap<String, Spanned<f64>>,
    source: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPrice {
    provider: Spanned<String>,
    model: Spanned<String>,
    #[serde(default)]
    aliases: Vec<Spanned<String>>,
    from: Option<Spanned<Datetime>>,
    input: Spanned<f64>,
    output: Spanned<f64>,
    cached: Option<Spanned<f64>>,
    cache_write: Option<Spanned<f64>>,
    cache_write_1h: Option<Spanned<f64>>,
    batch_cached: Option<Spanned<f64>>,
    batch: Option<Spanned<f64>>,
    long: Option<RawLong>,
    #[serde(default)]
    tiers: BTreeMap<String, Spanned<toml::Value>>,
    source: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLong {
    above: u64,
    input: Spanned<f64>,
    output: Spanned<f64>,
    cached: Option<Spanned<f64>>,
    cache_write: Option<Spanned<f64>>,
    cache_write_1h: Option<Spanned<f64>>,
    batch_cached: Option<Spanned<f64>>,
}

macro_rules! rates {
    ($text:expr, $raw:expr) => {
        Rates {
            input: dollars($text, &$raw.input)?,
            output: dollars($text, &$raw.output)?,
            cached: optional($text, $raw.cached.as_ref())?,
            cache_write: optional($text, $raw.cache_write.as_ref())?,
            cache_write_1h: optional($text, $raw.cache_write_1h.as_ref())?,
            batch_cached: optional($text, $raw.batch_cached.as_ref())?,
        }
    };
}

/// Reads and checks a price file.
pub(super) fn read(text: &str) -> Result<PriceFile, PriceFileError> {
    let raw: RawFile = toml::from_str(text).map_err(|error| PriceFileError {
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    let version = named(text, "version", &raw.version)?;
    let mut seen = HashSet::new();
    let mut prices = Vec::with_capacity(raw.price.len());
    for row in &raw.price {
        let source = raw
            .provider
            .get(row.provider.as_ref())
            .and_then(|provider| provider.source.as_ref());
        let price = price(text, row, &version, source)?;
        if !seen.insert((price.provider.clone(), price.model.clone(), price.from)) {
            let message = format!(
                "{} of {} has a price from that day on already; give this one another `from`, or remove one",
                price.model, price.provider
            );
            return Err(wrong(text, &row.model, message));
        }
        prices.push(price);
    }
    aliases_are_clear(text, &raw.price)?;
    let mut providers = BTreeMap::new();
    for (name, raw) in raw.provider {
        providers.insert(name, names(text, raw)?);
    }
    Ok(PriceFile {
        version,
        providers,
        prices,
    })
}

fn names(text: &str, raw: RawProvider) -> Result<Names, PriceFileError> {
    Ok(Names {
        tiers: tiers(text, &raw.tiers)?,
        tools: tools(text, &raw.tools)?,
        also: raw.also,
        prefixes: raw.prefixes,
        suffixes: raw.suffixes,
        local: raw.local,
        remote_suffixes: raw.remote_suffixes,
    })
}

fn tiers(
    text: &str,
    raw: &BTreeMap<String, Spanned<toml::Value>>,
) -> Result<BTreeMap<String, Tier>, PriceFileError> {
    let tier = |(name, price): (&String, &Spanned<toml::Value>)| {
        let said = price.as_ref();
        #[expect(
            clippy::cast_precision_loss,
            reason = "a small number, or none that is allowed"
        )]
        let number = said
            .as_float()
            .or(said.as_integer().map(|times| times as f64));
        let tier = match (said.as_str(), number) {
            (Some("batch"), _) => Some(Tier::Batch),
            (None, Some(times)) => whole(times, 1_000.0, 1_000.0).map(Tier::Times),
            _ => None,
        };
        let tier = tier.ok_or_else(|| {
            let message = "a tier costs so many times the standard price, from 0 to 1000 with at most three decimals, or \"batch\"";
            wrong(text, price, message)
        })?;
        Ok((name.clone(), tier))
    };
    raw.iter().map(tier).collect()
}

fn tools(text: &str, raw: &BTreeMap<String, Spanned<f64>>) -> Result<ToolPrices, PriceFileError> {
    let tool = |(name, price): (&String, &Spanned<f64>)| {
        let each = whole(*price.as_ref(), 1_000_000.0, 1_000.0).ok_or_else(|| {
            let message = "a tool's price is in dollars for one use: from 0 to 1000, with at most six decimals";
            wrong(text, price, message)
        })?;
        Ok((name.clone(), each))
    };
    raw.iter().map(tool).collect()
}

fn price(
    text: &str,
    row: &RawPrice,
    version: &str,
    source: Option<&String>,
) -> Result<Price, PriceFileError> {
    let Some(source) = row.source.as_ref().or(source) else {
        let message = "say where the price was read, in `source`";
        return Err(wrong(text, &row.model, message));
    };
    let aliases = row.aliases.iter();
    let aliases = aliases.map(|alias| named(text, "an alias", alias));
    Ok(Price {
        provider: named(text, "provider", &row.provider)?,
        model: named(text, "model", &row.model)?,
        aliases: aliases.collect::<Result<_, _>>()?,
        from: row
            .from
            .as_ref()
            .map_or(Ok(i64::MIN), |from| day(text, from))?,
        rates: rates!(text, row),
        long: match &row.long {
            Some(long) => Some((long.above, rates!(text, long))),
            None => None,
        },
        batch: row
            .batch
            .as_ref()
            .map(|share| thousandths(text, share))
            .transpose()?,
        tiers: tiers(text, &row.tiers)?,
        source: source.clone(),
        version: version.to_owned(),
    })
}

/// No name means two models of one provider.
fn aliases_are_clear(text: &str, rows: &[RawPrice]) -> Result<(), PriceFileError> {
    let mut meaning: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for row in rows {
        meaning.insert(
            (row.provider.as_ref(), row.model.as_ref()),
            row.model.as_ref(),
        );
    }
    for row in rows {
        let model: &str = row.model.as_ref();
        for alias in &row.aliases {
            let key = (row.provider.as_ref().as_str(), alias.as_ref().as_str());
            let before = *meaning.entry(key).or_insert(model);
            if before != model {
                let message = format!("{} means {before} already", alias.as_ref());
                return Err(wrong(text, alias, message));
            }
        }
    }
    Ok(())
}

fn named(text: &str, what: &str, name: &Spanned<String>) -> Result<String, PriceFileError> {
    let value: &String = name.as_ref();
    if value.trim().is_empty() || value.trim() != value {
        let message = format!("{what} must not be empty, nor begin or end with a space");
        return Err(wrong(text, name, message));
    }
    Ok(value.clone())
}

fn day(text: &str, from: &Spanned<Datetime>) -> Result<i64, PriceFileError> {
    let value = from.as_ref();
    match (value.date, value.time, value.offset) {
        (Some(date), None, None) => {
            Ok(days_from_civil(i64::from(date.year), date.month, date.day) * DAY_MS)
        }
        _ => Err(wrong(
            text,
            from,
            "from must be a day, for example 2026-10-07",
        )),
    }
}

fn optional(text: &str, price: Option<&Spanned<f64>>) -> Result<Option<u64>, PriceFileError> {
    price.map(|price| dollars(text, price)).transpose()
}

/// Dollars for a million tokens, as micro-dollars.
fn dollars(text: &str, price: &Spanned<f64>) -> Result<u64, PriceFileError> {
    const MOST: f64 = 1_000_000.0;
    whole(*price.as_ref(), 1_000_000.0, MOST).ok_or_else(|| {
        let message = "a price is in dollars for a million tokens: from 0 to 1000000, with at most six decimals";
        wrong(text, price, message)
    })
}

fn thousandths(text: &str, share: &Spanned<f64>) -> Result<u64, PriceFileError> {
    #[expect(clippy::cast_precision_loss, reason = "1000 is exact")]
    whole(*share.as_ref(), WHOLE as f64, 1.0).ok_or_else(|| {
        let message =
            "batch is the share of the price that a batch costs: from 0 to 1, for example 0.5";
        wrong(text, share, message)
    })
}

/// `value` in units of which `units` make one; `None` outside 0 to `most`, or between two of them.
fn whole(value: f64, units: f64, most: f64) -> Option<u64> {
    if !(0.0..=most).contains(&value) {
        return None;
    }
    let scaled = value * units;
    // A decimal number with few digits comes out a hair beside the whole number that it means.
    let meant = scaled.round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 10^12, and whole"
    )]
    ((scaled - meant).abs() < 1e-3).then_some(meant as u64)
}

fn wrong<T>(text: &str, at: &Spanned<T>, message: impl Into<String>) -> PriceFileError {
    PriceFileError {
        line: line_of(text, at.span().start),
        message: message.into(),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    1 + before.filter(|&&b| b == b'\n').count()
}
