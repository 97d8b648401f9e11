//! The figures as tables.
//! For: people. Not for: programs; `--json` is for them.

use callboard_routing::evaluate::{Estimate, Grade, Model, Report, Router};
use callboard_telemetry::MicroDollars;
use comfy_table::{CellAlignment, Table, presets};
use std::io::{self, Write};

/// Writes the tables.
pub(super) fn show(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} prompts{}", report.lines, left_out(report))?;
    model("cheap", &report.cheap, out)?;
    model("strong", &report.strong, out)?;
    let alike = 1.0 - report.needs_strong - report.needs_cheap;
    writeln!(
        out,
        "The strong model does better on {}, the cheap one on {}; on {} they are alike.",
        percent(report.needs_strong),
        percent(report.needs_cheap),
        percent(alike)
    )?;
    if report.unpriced > 0 {
        writeln!(
            out,
            "{} prompts lack a cost, so what all of them cost, or could save, is not known.",
            report.unpriced
        )?;
    }
    writeln!(out)?;
    let mut table = table(&[
        "router",
        "strong",
        "quality",
        "cost",
        "saved",
        "gap recovered",
    ]);
    for router in &report.routers {
        table.add_row(row(router));
    }
    write_table(&table, out)?;
    writeln!(out)?;
    let mut table = self::table(&[
        "order",
        "APGR",
        "CPT 50 %",
        "CPT 80 %",
        "AUC",
        "saved at 90 %",
        "95 %",
        "100 %",
    ]);
    for router in &report.routers {
        if let Some(grade) = &router.grade {
            table.add_row(grade_row(&router.name, grade));
        }
    }
    write_table(&table, out)?;
    writeln!(out)?;
    for router in &report.routers {
        writeln!(out, "{}: {}.", router.name, router.about)?;
    }
    writeln!(
        out,
        "\nRouters that order prompts stand in the first table as they send half of them to the strong model. In brackets: \
         95 % of {} resamples (seed {}). What the figures mean: callboard evaluate --help",
        report.resamples, report.seed
    )
}

fn left_out(report: &Report) -> String {
    match report.left_out {
        0 => String::new(),
        some => format!("; {some} more lack an outcome of one of the two models"),
    }
}

fn model(which: &str, model: &Model, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{which:<7} {}: quality {:.3}, {}",
        plain(&model.name),
        model.quality,
        dollars(model.cost_micro)
    )
}

fn row(router: &Router) -> [String; 6] {
    let figures = &router.figures;
    let mut strong = percent(figures.strong_share);
    if figures.other_share > 0.0 {
        strong += &format!(", others {}", percent(figures.other_share));
    }
    [
        plain(&router.name),
        strong,
        estimate(figures.quality),
        dollars(figures.cost_micro),
        maybe(figures.saved, share),
        estimate(figures.gap_recovered),
    ]
}

fn grade_row(name: &str, grade: &Grade) -> [String; 8] {
    [
        plain(name),
        estimate(grade.apgr),
        share(grade.cpt_50),
        share(grade.cpt_80),
        maybe(grade.auc, estimate),
        maybe(grade.saved_at_90, share),
        maybe(grade.saved_at_95, share),
        maybe(grade.saved_at_100, share),
    ]
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn write_table(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    for line in table.to_string().lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn estimate(estimate: Estimate) -> String {
    let Estimate { value, low, high } = estimate;
    format!("{value:.3} [{low:.3}, {high:.3}]")
}

fn share(estimate: Estimate) -> String {
    let Estimate { value, low, high } = estimate;
    let whole = |part: f64| (part * 100.0).round() + 0.0;
    format!("{} [{}, {}]", percent(value), whole(low), whole(high))
}

fn maybe(figure: Option<Estimate>, shown: impl Fn(Estimate) -> String) -> String {
    figure.map_or_else(|| "not known".to_owned(), shown)
}

/// Adding 0 takes the sign from a rounded nothing.
fn percent(share: f64) -> String {
    format!("{} %", (share * 100.0).round() + 0.0)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "millionths of a dollar of a file of data"
)]
fn dollars(micro: Option<f64>) -> String {
    micro.map_or_else(
        || "cost not known".to_owned(),
        |micro| MicroDollars(micro.round() as i64).to_string(),
    )
}

/// Names come from a file: nothing in them may steer a terminal.
fn plain(text: &str) -> String {
    text.escape_debug().to_string()
}
