//! Exact and partial comparison.

use serde_json::Value;

/// A difference, at a place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mismatch {
    /// Where: `value`, `value.items[0]`, `error.code`, …
    pub(crate) at: String,
    /// What is wrong, in words.
    pub(crate) what: String,
    pub(crate) expected: Option<Value>,
    pub(crate) actual: Option<Value>,
}

/// Whether two values are the same; 1 and 1.0 are.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => {
            x == y || (x.is_f64() || y.is_f64()) && x.as_f64() == y.as_f64()
        }
        (Value::Array(x), Value::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(a, b)| same(a, b))
        }
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len()
                && x.iter()
                    .all(|(key, a)| y.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// Whether `actual` holds at least what `wanted` does.
pub(crate) fn holds(wanted: &Value, actual: &Value) -> bool {
    match (wanted, actual) {
        (Value::Object(want), Value::Object(have)) => want
            .iter()
            .all(|(key, inner)| have.get(key).is_some_and(|found| holds(inner, found))),
        (Value::Array(want), Value::Array(have)) => {
            assign(want, have, &mut vec![false; have.len()])
        }
        _ => same(wanted, actual),
    }
}

/// Whether each wanted element has an element of its own.
fn assign(want: &[Value], have: &[Value], taken: &mut [bool]) -> bool {
    let Some((first, rest)) = want.split_first() else {
        return true;
    };
    for (at, candidate) in have.iter().enumerate() {
        if taken[at] || !holds(first, candidate) {
            continue;
        }
        taken[at] = true;
        if assign(rest, have, taken) {
            return true;
        }
        taken[at] = false;
        // A plain value is as good in one place as in another, so there is nothing else to try.
        if !first.is_object() && !first.is_array() {
            return false;
        }
    }
    false
}

/// The places where `actual` does not hold what `wanted` does.
pub(super) fn lacking(wanted: &Value, actual: &Value, at: &str, wrong: &mut Vec<Mismatch>) {
    match (wanted, actual) {
        (Value::Object(want), Value::Object(have)) => {
            for (key, inner) in want {
                let place = format!("{at}.{key}");
                match have.get(key) {
                    Some(found) => lacking(inner, found, &place, wrong),
                    None => wrong.push(Mismatch {
                        at: place,
                        what: "is missing".to_owned(),
                        expected: Some(inner.clone()),
                        actual: Some(Value::Array(
                            have.keys().cloned().map(Value::from).collect(),
                        )),
                    }),
                }
            }
        }
        (Value::Array(want), Value::Array(have)) => {
            if holds(wanted, actual) {
                return;
            }
            let alone = want
                .iter()
                .find(|one| !have.iter().any(|found| holds(one, found)));
            wrong.push(Mismatch {
                at: at.to_owned(),
                what: match alone {
                    Some(_) => "no element holds this".to_owned(),
                    None => "the elements are not all there".to_owned(),
                },
                expected: Some(alone.unwrap_or(wanted).clone()),
                actual: Some(actual.clone()),
            });
        }
        _ if same(wanted, actual) => {}
        _ => wrong.push(Mismatch {
            at: at.to_owned(),
            what: "differs".to_owned(),
            expected: Some(wanted.clone()),
            actual: Some(actual.clone()),
        }),
    }
}
