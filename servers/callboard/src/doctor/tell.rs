//! The answer as lines for a person.

use super::{Answer, Check, SettingRow, State};
use anyhow::Context;
use std::io::Write;

pub(super) fn tell(answer: &Answer, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "callboard {}", answer.version)?;
    if let Some(project) = &answer.project {
        writeln!(out, "project   {}", project.display())?;
    }
    let width = answer
        .checks
        .iter()
        .map(|c| c.name.chars().count().min(24))
        .max()
        .unwrap_or(0);
    let mut group = "";
    for check in &answer.checks {
        if check.group != group {
            group = check.group;
            writeln!(out, "\n{group}")?;
        }
        tell_check(check, width, out).context("the answer can't be written")?;
    }
    let said: Vec<&SettingRow> = answer
        .settings
        .iter()
        .filter(|row| row.source != "default")
        .collect();
    if !said.is_empty() {
        writeln!(out, "\nsettings that are not the default")?;
    }
    for row in said {
        writeln!(out, "  {} = {}   ({})", row.key, row.value, row.source)?;
    }
    let is_problem = |check: &&Check| check.state == State::Problem;
    match answer.checks.iter().filter(is_problem).count() {
        0 => writeln!(out, "\nNo problems.")?,
        1 => writeln!(out, "\n1 problem, which stops `callboard run`.")?,
        more => writeln!(out, "\n{more} problems, which stop `callboard run`.")?,
    }
    Ok(())
}

fn tell_check(check: &Check, width: usize, out: &mut dyn Write) -> std::io::Result<()> {
    let Check { name, found, .. } = check;
    let margin = format!("\n{:margin$}", "", margin = width + 13);
    let mut text = found.replace('\n', &margin);
    if !check.needed_by.is_empty() {
        text.push_str(&format!("   [for {}]", check.needed_by));
    }
    if !check.advice.is_empty() {
        text.push_str(&format!("{margin}-> {}", check.advice));
    }
    writeln!(out, "  {:<8} {name:<width$}  {text}", check.state.word())
}
