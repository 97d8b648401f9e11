//! Costs as a picture.
//!
//! For: bars of costs by day (upright) or by name (lying), stacked where there are two keys, with the calls of
//! unknown cost marked and counted, never drawn as nothing. Not for: adding anything up.

mod font;
mod layout;
mod paint;
mod scene;

use std::collections::BTreeMap;

use callboard_telemetry::query::{By, Costs};

use crate::views::{dollars, known, name};

pub(crate) use font::Font;

/// Series with a colour of their own; the rest are drawn together.
const MOST_SERIES: usize = 7;
/// Bars at most.
const MOST_COLUMNS: usize = 62;
const MOST_ROWS: usize = 20;

/// One bar.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Bar {
    /// What it stands for.
    label: String,
    /// Known dollars of each series.
    parts: Vec<f64>,
    /// Whether any cost of each series is known: nothing at all is an amount, too.
    known: Vec<bool>,
    /// Calls whose cost is not known.
    unknown: u64,
}

impl Bar {
    fn new(label: String, series: usize) -> Self {
        Bar {
            label,
            parts: vec![0.0; series],
            known: vec![false; series],
            unknown: 0,
        }
    }

    fn total(&self) -> f64 {
        self.parts.iter().sum()
    }

    /// The known dollars; `None` where nothing is known, or there was no call.
    fn amount(&self) -> Option<f64> {
        self.known.contains(&true).then(|| self.total())
    }
}

/// A chart of costs, ready to be laid out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) about: String,
    /// Names of the series; one without a name where nothing is stacked.
    series: Vec<String>,
    bars: Vec<Bar>,
    upright: bool,
    /// Bars that are not shown.
    left_out: usize,
}

impl Chart {
    /// Whether a series has a bar.
    fn shows(&self, series: usize) -> bool {
        self.bars.iter().any(|bar| bar.parts[series] > 0.0)
    }

    /// Whether anything of a series is known.
    fn knows(&self, series: usize) -> bool {
        self.bars.iter().any(|bar| bar.known[series])
    }
}

impl Chart {
    /// The chart of `costs`, which were added up by `by`; further keys than two are not drawn.
    pub(crate) fn of(costs: &Costs, by: &[By], title: String, about: String) -> Self {
        let upright = by.first().is_some_and(|by| by.is_time());
        let series = series_of(costs, by);
        let mut bars: Vec<Bar> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for row in &costs.rows {
            let label = label(row.key.first());
            let place = *places.entry(label.clone()).or_insert_with(|| {
                bars.push(Bar::new(label, series.len()));
                bars.len() - 1
            });
            let own = row.key.get(1).map(|part| label_or_none(part.as_ref()));
            let at = own.and_then(|own| series.iter().position(|name| *name == own));
            let bar = &mut bars[place];
            let at = at.unwrap_or(series.len() - 1);
            if let Some(cost) = known(&row.totals) {
                bar.parts[at] += dollars(cost);
                bar.known[at] = true;
            }
            bar.unknown += row.totals.unknown_cost;
        }
        let mut cut = 0;
        if upright {
            (bars, cut) = with_gaps(bars, by[0], series.len());
        } else {
            bars.sort_by(|a, b| b.total().total_cmp(&a.total()));
        }
        let most = if upright { MOST_COLUMNS } else { MOST_ROWS };
        let left_out = bars.len().saturating_sub(most);
        if upright {
            bars.drain(..left_out);
        } else {
            bars.truncate(most);
        }
        Chart {
            title,
            about,
            series,
            bars,
            upright,
            left_out: left_out + cut,
        }
    }

    /// As a PNG.
    pub(crate) fn png(&self) -> Option<Vec<u8>> {
        let font = Font::own()?;
        paint::png(&layout::lay_out(self, &font), &font)
    }

    /// As SVG.
    pub(crate) fn svg(&self) -> Option<String> {
        let font = Font::own()?;
        Some(paint::svg(&layout::lay_out(self, &font)))
    }
}

fn label(part: Option<&Option<String>>) -> String {
    part.map_or_else(
        || "all calls".to_owned(),
        |part| label_or_none(part.as_ref()),
    )
}

fn label_or_none(part: Option<&String>) -> String {
    part.map_or_else(|| "(none)".to_owned(), |part| name(part))
}

/// The second keys, the dearest first; the last one stands for the rest where there are many.
fn series_of(costs: &Costs, by: &[By]) -> Vec<String> {
    if by.len() < 2 {
        return vec![String::new()];
    }
    let mut sums: BTreeMap<String, (f64, u64)> = BTreeMap::new();
    for row in &costs.rows {
        let own = row.key.get(1).and_then(Option::as_ref);
        let sum = sums.entry(label_or_none(own)).or_default();
        sum.0 += known(&row.totals).map_or(0.0, dollars);
        sum.1 += row.totals.calls;
    }
    let mut series: Vec<(String, (f64, u64))> = sums.into_iter().collect();
    series.sort_by(|(_, a), (_, b)| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)));
    let many = series.len() > MOST_SERIES;
    let mut names: Vec<String> = series.into_iter().map(|(name, _)| name).collect();
    if many {
        let rest = names.len() - (MOST_SERIES - 1);
        names.truncate(MOST_SERIES - 1);
        names.push(format!("{rest} others"));
    }
    if names.is_empty() {
        names.push(String::new());
    }
    names
}

/// Days without calls are days too: their bars are empty. What lies before a gap that is wider than the chart is
/// left out; the number says how many bars that were.
fn with_gaps(bars: Vec<Bar>, by: By, series: usize) -> (Vec<Bar>, usize) {
    let step = |label: &str| -> Option<String> {
        match by {
            By::Hour => {
                let hour: jiff::civil::DateTime = format!("{label}:00").parse().ok()?;
                let next = hour.checked_add(jiff::SignedDuration::from_hours(1)).ok()?;
                Some(next.strftime("%Y-%m-%dT%H").to_string())
            }
            _ => {
                let day: jiff::civil::Date = label.parse().ok()?;
                Some(day.tomorrow().ok()?.to_string())
            }
        }
    };
    let mut all: Vec<Bar> = Vec::new();
    let mut cut = 0;
    for bar in bars {
        let mut gap = 0;
        while let Some(next) = all.last().and_then(|last| step(&last.label)) {
            if next >= bar.label {
                break;
            }
            if gap == MOST_COLUMNS {
                cut += all.len() - gap;
                all.clear();
                break;
            }
            gap += 1;
            all.push(Bar::new(next, series));
        }
        all.push(bar);
    }
    (all, cut)
}

#[cfg(test)]
mod tests;
