//! Each check of the format.

use super::compare::{Mismatch, holds, lacking, same};
use crate::format::{Check, Count, Expect, PathCheck};
use crate::values::{Scope, Wrong, brief, look};
use serde_json::Value;

impl Expect {
    /// The checks of the value, without what only a step has.
    pub(crate) fn check(&self) -> Check {
        Check {
            equals: self.equals.clone(),
            includes: self.includes.clone(),
            matches: self.matches.clone(),
            path: self.path.clone(),
            schema: self.schema.clone(),
            count: self.count.clone(),
            one_of: self.one_of.clone(),
            kind: self.kind.clone(),
            exists: self.exists,
            at_least: self.at_least.clone(),
            at_most: self.at_most.clone(),
            unique: self.unique,
            each: self.each.clone(),
            some: self.some.clone(),
            not: self.not.clone(),
            any_of: self.any_of.clone(),
        }
    }
}

impl Check {
    /// Whether there is a value that would not pass.
    pub(crate) fn says_something(&self) -> bool {
        self.wants_a_value()
            || self.exists.is_some()
            || !self.path.is_empty()
            || self.not.is_some()
            || !self.any_of.is_empty()
    }

    /// Whether anything is said about a value that must be there.
    fn wants_a_value(&self) -> bool {
        self.exists == Some(true)
            || self.equals.is_some()
            || self.includes.is_some()
            || self.matches.is_some()
            || self.schema.is_some()
            || self.count.is_some()
            || self.one_of.is_some()
            || self.kind.is_some()
            || self.at_least.is_some()
            || self.at_most.is_some()
            || self.unique.is_some()
            || self.each.is_some()
            || self.some.is_some()
    }
}

/// Adds what differs from a check.
pub(crate) fn check(
    scope: &Scope,
    wanted: &Check,
    value: Option<&Value>,
    at: &str,
    wrong: &mut Vec<Mismatch>,
) -> Result<(), Wrong> {
    let Some(value) = value else {
        return absent(scope, wanted, at, wrong);
    };
    if wanted.exists == Some(false) {
        wrong.push(differ(at, "must not be there", None, Some(value)));
    }
    plain(scope, wanted, value, at, wrong)?;
    if let Some(schema) = &wanted.schema {
        let schema = scope.value(schema)?;
        let validator = compile(&schema)?;
        for error in validator.iter_errors(value).take(5) {
            let place = error.instance_path().to_string().replace('/', ".");
            wrong.push(differ(
                &format!("{at}{place}"),
                &format!("schema: {error}"),
                None,
                None,
            ));
        }
    }
    if let Some(amount) = &wanted.count {
        let (many, unit) = match value {
            Value::Array(list) => (list.len(), "elements"),
            Value::Object(map) => (map.len(), "keys"),
            Value::String(text) => (text.chars().count(), "characters"),
            _ => {
                wrong.push(differ(at, "can't be counted", None, Some(value)));
                return Ok(());
            }
        };
        count(scope, amount, many as u64, at, unit, wrong)?;
    }
    lists(scope, wanted, value, at, wrong)?;
    for (path, inner) in &wanted.path {
        let path = scope.text(path)?;
        let found = look(&path, value)?;
        let place = format!("{at}{}", path.trim_start_matches('$'));
        value_or_check(scope, inner, found.as_ref(), &place, wrong)?;
    }
    combined(scope, wanted, Some(value), at, wrong)
}

fn absent(scope: &Scope, wanted: &Check, at: &str, wrong: &mut Vec<Mismatch>) -> Result<(), Wrong> {
    if wanted.wants_a_value() {
        let expected = wanted.equals.as_ref().or(wanted.includes.as_ref());
        wrong.push(differ(at, "is missing", expected, None));
    }
    for (path, inner) in &wanted.path {
        let place = format!("{at}{}", path.trim_start_matches('$'));
        value_or_check(scope, inner, None, &place, wrong)?;
    }
    combined(scope, wanted, None, at, wrong)
}

fn plain(
    scope: &Scope,
    wanted: &Check,
    value: &Value,
    at: &str,
    wrong: &mut Vec<Mismatch>,
) -> Result<(), Wrong> {
    if let Some(expected) = &wanted.equals {
        let expected = scope.value(expected)?;
        if !same(&expected, value) {
            wrong.push(differ(at, "differs", Some(&expected), Some(value)));
        }
    }
    if let Some(part) = &wanted.includes {
        let part = scope.value(part)?;
        match (&part, value) {
            (Value::String(words), Value::String(text)) => {
                if !text.contains(words.as_str()) {
                    wrong.push(differ(
                        at,
                        "does not contain these words",
                        Some(&part),
                        Some(value),
                    ));
                }
            }
            // One element that is no list may stand for itself.
            (one, Value::Array(list)) if !one.is_array() => {
                if !list.iter().any(|found| holds(one, found)) {
                    wrong.push(differ(at, "no element holds this", Some(one), Some(value)));
                }
            }
            _ => lacking(&part, value, at, wrong),
        }
    }
    if let Some(pattern) = &wanted.matches {
        let regex = scope.pattern(pattern)?;
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        if !regex.is_match(&text) {
            let pattern = Value::from(regex.as_str());
            wrong.push(differ(
                at,
                "does not fit the pattern",
                Some(&pattern),
                Some(value),
            ));
        }
    }
    if let Some(choices) = &wanted.one_of {
        let choices = scope.value(&Value::Array(choices.clone()))?;
        if !choices
            .as_array()
            .is_some_and(|all| all.iter().any(|one| same(one, value)))
        {
            wrong.push(differ(at, "is none of these", Some(&choices), Some(value)));
        }
    }
    if let Some(kind) = &wanted.kind
        && !is_a(kind, value)
    {
        wrong.push(differ(at, &format!("is no {kind}"), None, Some(value)));
    }
    for (bound, least) in [(&wanted.at_least, true), (&wanted.at_most, false)] {
        let Some(bound) = bound else { continue };
        let bound = scope.value(bound)?;
        let fits = match (bound.as_f64(), value.as_f64()) {
            (Some(bound), Some(actual)) if least => actual >= bound,
            (Some(bound), Some(actual)) => actual <= bound,
            _ => false,
        };
        if !fits {
            let word = if least {
                "is not at least this"
            } else {
                "is not at most this"
            };
            wrong.push(differ(at, word, Some(&bound), Some(value)));
        }
    }
    Ok(())
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => value.is_null(),
    }
}

fn lists(
    scope: &Scope,
    wanted: &Check,
    value: &Value,
    at: &str,
    wrong: &mut Vec<Mismatch>,
) -> Result<(), Wrong> {
    if wanted.unique.is_none() && wanted.each.is_none() && wanted.some.is_none() {
        return Ok(());
    }
    let Some(list) = value.as_array() else {
        wrong.push(differ(at, "is no list", None, Some(value)));
        return Ok(());
    };
    if let Some(unique) = wanted.unique {
        let twice = list
            .iter()
            .enumerate()
            .find(|(at, one)| list[..*at].iter().any(|other| same(one, other)));
        match (unique, twice) {
            (true, Some((_, one))) => {
                wrong.push(differ(at, "an element is there twice", None, Some(one)));
            }
            (false, None) => wrong.push(differ(at, "no element is there twice", None, Some(value))),
            _ => {}
        }
    }
    if let Some(inner) = &wanted.each {
        if list.is_empty() && wanted.count.is_none() {
            wrong.push(differ(
                at,
                "is empty, so `each` looked at nothing; `count: {at_least: 0}` beside it says that this may be",
                None,
                Some(value),
            ));
        }
        for (index, one) in list.iter().enumerate() {
            check(scope, inner, Some(one), &format!("{at}[{index}]"), wrong)?;
        }
    }
    if let Some(inner) = &wanted.some {
        let mut passes = false;
        for one in list {
            let mut aside = Vec::new();
            check(scope, inner, Some(one), at, &mut aside)?;
            passes |= aside.is_empty();
        }
        if !passes {
            wrong.push(differ(at, "no element passes the check", None, Some(value)));
        }
    }
    Ok(())
}

fn combined(
    scope: &Scope,
    wanted: &Check,
    value: Option<&Value>,
    at: &str,
    wrong: &mut Vec<Mismatch>,
) -> Result<(), Wrong> {
    if let Some(inner) = &wanted.not {
        let mut aside = Vec::new();
        check(scope, inner, value, at, &mut aside)?;
        if aside.is_empty() {
            wrong.push(differ(at, "passes what it must not pass", None, value));
        }
    }
    if wanted.any_of.is_empty() {
        return Ok(());
    }
    let mut told = Vec::new();
    for inner in &wanted.any_of {
        let mut aside = Vec::new();
        check(scope, inner, value, at, &mut aside)?;
        match aside.into_iter().next() {
            None => return Ok(()),
            Some(first) => told.push(format!(
                "{} {}{}",
                first.at,
                first.what,
                first
                    .expected
                    .map_or_else(String::new, |it| format!(" ({})", brief(&it)))
            )),
        }
    }
    wrong.push(differ(
        at,
        &format!("passes none of these: {}", told.join("; ")),
        None,
        value,
    ));
    Ok(())
}

/// Adds what differs from a plain value or from checks.
pub(super) fn value_or_check(
    scope: &Scope,
    wanted: &PathCheck,
    value: Option<&Value>,
    at: &str,
    wrong: &mut Vec<Mismatch>,
) -> Result<(), Wrong> {
    match wanted {
        PathCheck::Is(expected) => {
            let expected = scope.value(expected)?;
            match value {
                None => wrong.push(differ(at, "is missing", Some(&expected), None)),
                Some(value) if same(&expected, value) => {}
                Some(value) => wrong.push(differ(at, "differs", Some(&expected), Some(value))),
            }
            Ok(())
        }
        PathCheck::Passes(inner) => check(scope, inner, value, at, wrong),
    }
}

/// Adds a word when a number is out of bounds.
pub(crate) fn count(
    scope: &Scope,
    wanted: &Count,
    actual: u64,
    at: &str,
    unit: &str,
    wrong: &mut Vec<Mismatch>,
) -> Result<(), Wrong> {
    let amount = |amount: &Option<crate::format::Amount>| {
        amount
            .as_ref()
            .map(|amount| scope.amount(amount))
            .transpose()
    };
    let (least, most) = match wanted {
        Count::Exactly(exact) => {
            let exact = scope.amount(exact)?;
            (Some(exact), Some(exact))
        }
        Count::Between(least, most) => (amount(least)?, amount(most)?),
    };
    let fits = least.is_none_or(|least| actual >= least) && most.is_none_or(|most| actual <= most);
    if fits {
        return Ok(());
    }
    let bounds = match (least, most) {
        (Some(least), Some(most)) if least == most => format!("{least}"),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => String::new(),
    };
    wrong.push(differ(
        at,
        &format!("has {actual} {unit}, expected {bounds}"),
        None,
        None,
    ));
    Ok(())
}

/// A validator for a JSON Schema.
pub(crate) fn compile(schema: &Value) -> Result<jsonschema::Validator, Wrong> {
    // A `format` that nobody asserts would hold for anything.
    jsonschema::options()
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .build(schema)
        .map_err(|error| format!("the JSON Schema can't be used: {error}"))
}

fn differ(at: &str, what: &str, expected: Option<&Value>, actual: Option<&Value>) -> Mismatch {
    Mismatch {
        at: at.to_owned(),
        what: what.to_owned(),
        expected: expected.cloned(),
        actual: actual.cloned(),
    }
}
