//! Figures as answers show them.
//! For: money with its unknown part, times, shares, names that are safe to print. Not for: adding anything up.

use callboard_telemetry::MicroDollars;
use callboard_telemetry::query::Totals;
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;

/// The schema of an object that shows itself: what an answer makes plain is not paid for in every conversation.
pub(crate) struct Open;

impl JsonSchema for Open {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Open".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "object"})
    }
}

/// What calls add up to, as an answer shows it. Costs that are not known are in no sum and are counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Sum {
    pub calls: u64,
    /// Known cost in US dollars; absent where none of the calls has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    pub unknown_cost_calls: u64,
    pub failed: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub cancelled_or_lost: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_share: Option<f64>,
    #[serde(skip_serializing_if = "is_zero")]
    pub unknown_tokens_calls: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub estimated_tokens_calls: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Sum {
    pub(crate) fn of(totals: &Totals) -> Self {
        Sum {
            calls: totals.calls,
            cost_usd: known(totals).map(dollars),
            unknown_cost_calls: totals.unknown_cost,
            failed: totals.failed,
            cancelled_or_lost: totals.ended_early,
            input_tokens: totals.tokens.input,
            output_tokens: totals.tokens.output,
            cached_share: totals.cache_share().map(rounded),
            unknown_tokens_calls: totals.unknown_tokens,
            estimated_tokens_calls: totals.estimated,
        }
    }
}

/// The known cost; none where calls were made and the cost of not one of them is known.
pub(crate) fn known(totals: &Totals) -> Option<MicroDollars> {
    (totals.calls == 0 || totals.unknown_cost < totals.calls).then_some(totals.cost)
}

/// `$1.25`, `$1.25 + 3 calls of unknown cost`, `unknown`.
pub(crate) fn money(totals: &Totals) -> String {
    match (known(totals), totals.unknown_cost) {
        (None, _) => "unknown".to_owned(),
        (Some(cost), 0) => short_money(cost),
        (Some(cost), unknown) => format!("{} + {unknown} unknown", short_money(cost)),
    }
}

/// Dollars for people: cents, or the first figures of less.
pub(crate) fn short_money(cost: MicroDollars) -> String {
    let micro = cost.0.unsigned_abs();
    if micro < 1_000_000 {
        return cost.to_string();
    }
    let cents = micro.saturating_add(5_000) / 10_000;
    let sign = if cost.0 < 0 { "-" } else { "" };
    format!("{sign}${}.{:02}", grouped(cents / 100), cents % 100)
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[expect(clippy::cast_precision_loss, reason = "dollars for people and charts")]
pub(crate) fn dollars(cost: MicroDollars) -> f64 {
    cost.0 as f64 / 1e6
}

/// Four figures behind the point.
pub(crate) fn rounded(share: f64) -> f64 {
    (share * 10_000.0).round() / 10_000.0
}

/// `12 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Milliseconds of microseconds.
#[expect(clippy::cast_precision_loss, reason = "a time for people")]
pub(crate) fn ms(us: u64) -> f64 {
    (us as f64 / 100.0).round() / 10.0
}

/// `850 ms`, `3.2 s`, `2 min 5 s`.
pub(crate) fn time(us: u64) -> String {
    match us {
        0..=99_999 => format!("{} ms", ms(us)),
        100_000..=999_999 => format!("{:.0} ms", ms(us)),
        1_000_000..=119_999_999 => format!("{:.1} s", ms(us) / 1_000.0),
        _ => format!("{} min {} s", us / 60_000_000, us / 1_000_000 % 60),
    }
}

/// Names come from whoever called: on one line, without control characters, not endless.
pub(crate) fn name(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| {
            if c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}') {
                '\u{FFFD}'
            } else {
                c
            }
        })
        .collect();
    callboard_mcp::clip(&plain, 80).into_owned()
}

/// A key of one or more parts; `-` where a call has none.
pub(crate) fn key(parts: &[Option<String>]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| part.as_deref().map_or_else(|| "-".to_owned(), name))
        .collect();
    parts.join(" / ")
}

/// A table in text: the first column to the left, the others to the right.
pub(crate) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(heads[column].chars().count())
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut out = String::new();
        for (column, (cell, width)) in cells.zip(&widths).enumerate() {
            let gap = " ".repeat(width - cell.chars().count());
            if column == 0 {
                out = format!("{cell}{gap}");
            } else {
                out.push_str(&format!("  {gap}{cell}"));
            }
        }
        out.trim_end().to_owned()
    };
    let mut lines = vec![line(&mut heads.iter().copied())];
    lines.extend(
        rows.iter()
            .map(|row| line(&mut row.iter().map(String::as_str))),
    );
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_never_nothing() {
        let totals = |calls, unknown_cost, cost| Totals {
            calls,
            unknown_cost,
            cost: MicroDollars(cost),
            ..Totals::default()
        };
        assert_eq!(money(&totals(0, 0, 0)), "$0.00");
        assert_eq!(money(&totals(2, 0, 1_234)), "$0.001234");
        assert_eq!(
            money(&totals(2, 1, 12_345_678_900)),
            "$12,345.68 + 1 unknown"
        );
        assert_eq!(money(&totals(2, 2, 0)), "unknown");
        assert_eq!(Sum::of(&totals(2, 2, 0)).cost_usd, None);
        assert_eq!(Sum::of(&totals(2, 0, 0)).cost_usd, Some(0.0));
    }

    #[test]
    fn figures_are_short() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(12), "12");
        for (us, shown) in [
            (1_234, "1.2 ms"),
            (456_789, "457 ms"),
            (3_210_000, "3.2 s"),
            (125_000_000, "2 min 5 s"),
        ] {
            assert_eq!(time(us), shown);
        }
        assert_eq!(name("a\u{1b}[2Jb\n"), "a\u{FFFD}[2Jb\u{FFFD}");
        let rows = [vec!["model".to_owned(), "1".to_owned()]];
        assert_eq!(table(&["", "calls"], &rows), "       calls\nmodel      1");
    }
}
