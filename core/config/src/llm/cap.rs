//! Budgets and limits: how much of what, for whom, in which window.
//! For: one value for each amount that is named. Not for: counting, or what a window is.

use super::Problems;
use super::route::{ModelName, unknown_provider};
use crate::error::{Source, shown};
use crate::take::{Take, named_in};
use std::collections::BTreeMap;

/// The word for each one of a scope separately.
const EACH: &str = "each";

/// One amount of a budget or a limit. The words are those of the tables that limits are kept in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cap {
    /// The key that says the amount: `budgets.<name>.day`.
    pub key: String,
    /// Where that is.
    pub source: Source,
    /// all, provider, model, account, project or task.
    pub scope: String,
    /// Which one; `None`: each one separately, or everything together.
    pub of: Option<String>,
    /// money, requests, input, output or concurrent.
    pub resource: &'static str,
    /// now, minute, day, week, month or ever.
    pub span: &'static str,
    /// Micro-dollars, calls or tokens.
    pub amount: i64,
    /// From how many percent on there is a warning.
    pub warn: u32,
    /// Whether calls whose price is not known are denied.
    pub deny_unpriced: bool,
}

impl Cap {
    /// Whether a project's file says it: then it stands beside the user's own.
    #[must_use]
    pub fn is_projects(&self) -> bool {
        matches!(self.source, Source::Project { .. })
    }

    /// For whom it is, in words.
    #[must_use]
    pub fn whom(&self) -> String {
        match (self.scope.as_str(), &self.of) {
            ("all", _) => "everything together".to_owned(),
            (scope, Some(of)) => format!("{scope} {of}"),
            (scope, None) => format!("each {scope}"),
        }
    }

    fn is_same_as(&self, other: &Self) -> bool {
        let what = |cap: &Self| (cap.scope.clone(), cap.of.clone(), cap.resource, cap.span);
        what(self) == what(other) && self.is_projects() == other.is_projects()
    }
}

/// A field of a table, and what it limits.
type Field = (&'static str, &'static str, &'static str);

const MONEY: [Field; 4] = [
    ("day", "money", "day"),
    ("week", "money", "week"),
    ("month", "money", "month"),
    ("ever", "money", "ever"),
];

const REST: [Field; 7] = [
    ("requests_per_minute", "requests", "minute"),
    ("requests_per_day", "requests", "day"),
    ("input_per_minute", "input", "minute"),
    ("input_per_day", "input", "day"),
    ("output_per_minute", "output", "minute"),
    ("output_per_day", "output", "day"),
    ("concurrent", "concurrent", "now"),
];

/// All budgets and limits that are named.
pub(super) fn take(
    take: &mut Take,
    problems: &mut Problems,
    tables: &BTreeMap<Vec<String>, Source>,
    providers: &[&str],
) -> Vec<Cap> {
    let mut caps: Vec<Cap> = Vec::new();
    for (table, fields) in [("budgets", &MONEY[..]), ("limits", &REST[..])] {
        for (name, source) in named_in(tables, table) {
            let here = format!("{table}.{name}");
            let found = of_table(take, &here, fields);
            if found.is_empty() {
                let names: Vec<&str> = fields.iter().map(|(field, ..)| *field).collect();
                let message = format!("no amount: say at least one of {}", names.join(", "));
                problems.add(source, &here, message);
            }
            let mut wrong = false;
            for cap in found {
                if let Some(message) = unfit(&cap, providers).filter(|_| !wrong) {
                    wrong = true;
                    problems.add(&cap.source, &format!("{here}.of"), message);
                }
                if let Some(twin) = caps.iter().find(|other| other.is_same_as(&cap)) {
                    let message = format!(
                        "{} ({}) limits the same, for {}: one of the two is enough",
                        twin.key,
                        twin.source,
                        twin.whom()
                    );
                    problems.add(&cap.source, &cap.key, message);
                }
                caps.push(cap);
            }
        }
    }
    caps
}

fn of_table(take: &mut Take, here: &str, fields: &[Field]) -> Vec<Cap> {
    let scope = take.text(&format!("{here}.scope")).value;
    let scope = scope.unwrap_or_else(|| "all".to_owned());
    let of = take.text(&format!("{here}.of")).value;
    let of = of.filter(|of| of != EACH);
    let warn = take.number(&format!("{here}.warn"), 80).value;
    let unpriced = take.text(&format!("{here}.unpriced")).value;
    let mut caps = Vec::new();
    for (field, resource, span) in fields {
        let key = format!("{here}.{field}");
        let said = match *resource {
            "money" => take.money(&key),
            _ => take
                .amount(&key)
                .map(|said| said.and_then(|amount| i64::try_from(amount).ok())),
        };
        let Some(amount) = said.value else { continue };
        caps.push(Cap {
            key,
            source: said.source,
            scope: scope.clone(),
            of: of.clone(),
            resource,
            span,
            amount,
            warn,
            deny_unpriced: unpriced.as_deref() == Some("deny"),
        });
    }
    caps
}

/// What does not fit between a scope and the name in it.
fn unfit(cap: &Cap, providers: &[&str]) -> Option<String> {
    let scope = cap.scope.as_str();
    let of = cap.of.as_deref()?;
    let known = |name: &str| {
        let there = providers.contains(&name);
        (!there).then(|| unknown_provider(name, providers))
    };
    match scope {
        "all" => Some("everything together has no name: leave `of` out, or say a scope".to_owned()),
        "provider" => known(of),
        "model" => match ModelName::of(of) {
            Some(model) => known(&model.provider),
            None => Some(format!(
                "{:?} is no model: write provider/model, or each",
                shown(of)
            )),
        },
        "account" => match of.split_once('/') {
            Some((provider, account)) if !account.is_empty() => known(provider),
            _ => Some(format!(
                "{:?} is no account: write provider/account, or each",
                shown(of)
            )),
        },
        _ => None,
    }
}
