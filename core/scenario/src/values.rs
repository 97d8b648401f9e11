//! Variables, and putting them where `${name}` stands.
//!
//! For: values that come out of one step and go into a later one. Not for: deciding anything about them.

use crate::format::{Amount, Capture, CaptureFrom};
use crate::judge::Evidence;
use crate::nearest::hint;
use crate::secrets::{PREFIX, Secrets};
use regex::Regex;
use serde_json::{Map, Value};
use serde_json_path::JsonPath;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is the same in the whole scenario.
#[derive(Debug, Default)]
pub(crate) struct Fixed {
    /// The caller's environment, for `${env:NAME}`.
    pub(crate) env: BTreeMap<String, String>,
    /// `${tmp}`, `${home}`, `${here}`, `${program}`.
    pub(crate) words: BTreeMap<&'static str, String>,
    /// Which of them were asked for.
    pub(crate) taken: Mutex<BTreeSet<String>>,
    /// For `${vault:NAME}`, where that may stand.
    pub(crate) secrets: Secrets,
}

/// The variables that a step sees.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    pub(crate) vars: Map<String, Value>,
    pub(crate) fixed: Arc<Fixed>,
}

/// What is wrong with a value, for a person.
pub(crate) type Wrong = String;

impl Scope {
    /// A text with its variables in place.
    pub(crate) fn text(&self, text: &str) -> Result<String, Wrong> {
        fill(text, |name| self.get(name).map(|value| plain(&value)))
    }

    /// A pattern; what variables hold is taken literally.
    pub(crate) fn pattern(&self, pattern: &str) -> Result<Regex, Wrong> {
        let filled = fill(pattern, |name| {
            self.get(name).map(|value| regex::escape(&plain(&value)))
        })?;
        Regex::new(&filled)
            .map_err(|error| format!("the pattern {filled:?} can't be read: {error}"))
    }

    /// A text for something that is not a server, where no secret may go: what a step captured may hold one.
    pub(crate) fn outside(&self, text: &str) -> Result<String, Wrong> {
        self.text(text).and_then(without_secrets)
    }

    /// A value with its variables in place: a text that is only `${name}` becomes the value as it is.
    pub(crate) fn value(&self, value: &Value) -> Result<Value, Wrong> {
        match value {
            Value::String(text) => match sole(text) {
                Some(name) => self.get(name),
                None => self.text(text).map(Value::String),
            },
            Value::Array(list) => list.iter().map(|inner| self.value(inner)).collect(),
            Value::Object(map) => self.map(map).map(Value::Object),
            other => Ok(other.clone()),
        }
    }

    /// A map with its variables in place, in keys and values.
    pub(crate) fn map(&self, map: &Map<String, Value>) -> Result<Map<String, Value>, Wrong> {
        map.iter()
            .map(|(key, inner)| Ok((self.text(key)?, self.value(inner)?)))
            .collect()
    }

    /// Texts by name, with their variables in place.
    pub(crate) fn texts(
        &self,
        map: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, Wrong> {
        map.iter()
            .map(|(key, text)| Ok((key.clone(), self.text(text)?)))
            .collect()
    }

    /// The same for headers and environments of servers, the only places where a secret may stand.
    pub(crate) fn texts_with_secrets(
        &self,
        map: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, Wrong> {
        let get = |name: &str| match name.strip_prefix(PREFIX) {
            None => self.get(name).map(|value| plain(&value)),
            Some(secret) => match self.fixed.secrets.get(secret) {
                Some(value) => Ok(value.expose().to_owned()),
                None => Err(format!("nobody was asked for the secret {secret}")),
            },
        };
        map.iter()
            .map(|(key, text)| Ok((self.text(key)?, fill(text, get)?)))
            .collect()
    }

    /// Texts by name for something that is not a server.
    pub(crate) fn texts_outside(
        &self,
        map: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, Wrong> {
        map.iter()
            .map(|(key, text)| Ok((key.clone(), self.outside(text)?)))
            .collect()
    }

    /// A list of texts for something that is not a server.
    pub(crate) fn list_outside(&self, list: &[String]) -> Result<Vec<String>, Wrong> {
        list.iter().map(|text| self.outside(text)).collect()
    }

    /// A list of texts with their variables in place.
    pub(crate) fn list(&self, list: &[String]) -> Result<Vec<String>, Wrong> {
        list.iter().map(|text| self.text(text)).collect()
    }

    /// A number.
    pub(crate) fn amount(&self, amount: &Amount) -> Result<u64, Wrong> {
        match amount {
            Amount::Fixed(number) => Ok(*number),
            Amount::Variable(text) => {
                let value = self.value(&Value::String(text.clone()))?;
                value
                    .as_u64()
                    .or_else(|| value.as_str().and_then(|digits| digits.parse().ok()))
                    .ok_or_else(|| format!("{text} is {value}, not a whole number"))
            }
        }
    }

    fn get(&self, name: &str) -> Result<Value, Wrong> {
        if let Some(secret) = name.strip_prefix(PREFIX) {
            return Err(crate::read::misplaced(secret));
        }
        if let Some(variable) = name.strip_prefix("env:") {
            let Some(value) = self.fixed.env.get(variable) else {
                return Err(format!(
                    "the environment variable {variable} is not set; set it before the test is run"
                ));
            };
            let mut taken = self.taken();
            if !taken.contains(value) {
                taken.insert(value.clone());
            }
            return Ok(Value::String(value.clone()));
        }
        let (head, tail) = name
            .split_once('.')
            .map_or((name, None), |(head, tail)| (head, Some(tail)));
        let found = match (self.vars.get(head), self.fixed.words.get(head)) {
            (Some(value), _) => value.clone(),
            (None, Some(word)) => Value::String(word.clone()),
            (None, None) => return Err(self.unknown(head)),
        };
        let Some(tail) = tail else { return Ok(found) };
        tail.split('.')
            .try_fold(&found, |value, key| match value {
                Value::Array(list) => key.parse::<usize>().ok().and_then(|index| list.get(index)),
                Value::Object(map) => map.get(key),
                _ => None,
            })
            .cloned()
            .ok_or_else(|| {
                format!(
                    "${{{name}}}: {head} holds no {tail}; it is {}",
                    brief(&found)
                )
            })
    }

    /// What `${env:NAME}` stood for so far.
    pub(crate) fn taken(&self) -> MutexGuard<'_, BTreeSet<String>> {
        let taken = &self.fixed.taken;
        taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unknown(&self, name: &str) -> Wrong {
        let known = self
            .vars
            .keys()
            .map(String::as_str)
            .chain(self.fixed.words.keys().copied());
        let mut near = hint(name, known.clone());
        if near.is_empty() {
            let names: Vec<&str> = known.take(20).collect();
            near = format!("; set are {}", names.join(", "));
        }
        format!("${{{name}}} is not set; no step before this one captured it{near}")
    }
}

/// The text, unless it holds a secret.
pub(crate) fn without_secrets(text: String) -> Result<String, Wrong> {
    match callboard_redact::sighted(text.as_bytes()) {
        None => Ok(text),
        Some(name) => Err(format!(
            "what would stand here holds a secret: {}",
            crate::read::misplaced(&name)
        )),
    }
}

/// A text with what `show` says in the place of each `${name}`.
fn fill(text: &str, mut show: impl FnMut(&str) -> Result<String, Wrong>) -> Result<String, Wrong> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at]);
            out.push('{');
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let inner = &rest[at + 2..];
        let end = inner.find('}').ok_or_else(|| {
            format!("{text:?} has a ${{ without its }}; write $${{ for a plain one")
        })?;
        out.push_str(&show(&inner[..end])?);
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// The names that stand in a text as `${name}`.
pub(crate) fn references(text: &str) -> Result<Vec<String>, Wrong> {
    let mut names = Vec::new();
    fill(text, |name| {
        names.push(name.to_owned());
        Ok(String::new())
    })?;
    Ok(names)
}

/// The name, when the whole text is one reference.
fn sole(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    (!name.contains(['{', '}', '$'])).then_some(name)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value, short enough for a message.
pub(crate) fn brief(value: &Value) -> String {
    let text = value.to_string();
    // Before it is cut: half a secret is not found any more.
    let text = callboard_redact::scrub(&text);
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

/// What a JSON path finds: one value, or a list when the path may find several. Nothing found is `None`.
pub(crate) fn look(path: &str, value: &Value) -> Result<Option<Value>, Wrong> {
    let parsed =
        JsonPath::parse(path).map_err(|error| format!("{path:?} is no JSON path: {error}"))?;
    let nodes = parsed.query(value);
    if singular(path) {
        Ok(nodes.first().cloned())
    } else {
        Ok(Some(nodes.all().into_iter().cloned().collect()))
    }
}

/// Whether a path finds at most one value (RFC 9535, 2.3.5.1).
fn singular(path: &str) -> bool {
    let mut quote = None;
    let mut before = ' ';
    for c in path.chars() {
        match quote {
            Some(open) => {
                if c == open && before != '\\' {
                    quote = None;
                }
            }
            None => match c {
                '"' | '\'' => quote = Some(c),
                '*' | '?' | ':' | ',' => return false,
                '.' if before == '.' => return false,
                _ => {}
            },
        }
        before = if before == '\\' { ' ' } else { c };
    }
    true
}

/// What a capture keeps of a step.
pub(crate) fn capture(
    scope: &Scope,
    capture: &Capture,
    evidence: &Evidence,
) -> Result<Value, Wrong> {
    let nothing = |what: &str| Err(format!("there is no {what} to capture from"));
    let from = match capture.from {
        CaptureFrom::Value => evidence.value.clone(),
        CaptureFrom::Text => evidence.text.clone().map(Value::String),
        CaptureFrom::Json => evidence.json(),
        CaptureFrom::Result => evidence.result.clone(),
        CaptureFrom::Message => evidence.message.clone(),
    };
    let Some(mut value) = from else {
        return match capture.from {
            CaptureFrom::Value => nothing("value"),
            CaptureFrom::Text => nothing("text"),
            CaptureFrom::Json => nothing("text that is JSON"),
            CaptureFrom::Result => nothing("result"),
            CaptureFrom::Message => nothing("message"),
        };
    };
    if let Some(path) = &capture.path {
        let path = scope.text(path)?;
        value = look(&path, &value)?
            .ok_or_else(|| format!("{path} finds nothing in {}", brief(&value)))?;
    }
    if let Some(pattern) = &capture.matches {
        let regex = scope.pattern(pattern)?;
        let text = plain(&value);
        let found = regex
            .captures(&text)
            .ok_or_else(|| format!("the pattern {pattern:?} does not fit {}", brief(&value)))?;
        let group = found.get(1).or_else(|| found.get(0));
        value = Value::String(group.map_or_else(String::new, |group| group.as_str().to_owned()));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn scope(vars: &Value) -> Scope {
        Scope {
            vars: vars.as_object().unwrap().clone(),
            fixed: Arc::new(Fixed {
                env: BTreeMap::from([("TOKEN".to_owned(), "t0".to_owned())]),
                words: BTreeMap::from([("tmp", "/t".to_owned())]),
                ..Fixed::default()
            }),
        }
    }

    #[test]
    fn a_sole_reference_keeps_its_type_and_others_become_text() {
        let scope = scope(&json!({"n": 7, "list": [1, {"a": "b"}]}));
        assert_eq!(scope.value(&json!("${n}")).unwrap(), json!(7));
        assert_eq!(scope.value(&json!("n=${n}")).unwrap(), json!("n=7"));
        assert_eq!(
            scope.value(&json!({"${n}": ["${list.1.a}"]})).unwrap(),
            json!({"7": ["b"]})
        );
        assert_eq!(scope.text("${tmp}/x ${env:TOKEN}").unwrap(), "/t/x t0");
        assert_eq!(scope.text("$${n}").unwrap(), "${n}");
    }

    #[test]
    fn what_is_missing_is_named_with_its_neighbour() {
        let scope = scope(&json!({"fence": 1}));
        assert!(
            scope
                .text("${fense}")
                .unwrap_err()
                .contains("did you mean fence?")
        );
        assert!(
            scope
                .text("${env:NOPE}")
                .unwrap_err()
                .contains("NOPE is not set")
        );
        assert!(scope.text("${fence.x}").unwrap_err().contains("holds no x"));
        assert!(scope.text("${fence").unwrap_err().contains("without its }"));
    }

    #[test]
    fn secrets_are_filled_in_only_where_they_may_stand() {
        let mut scope = scope(&json!({"n": 7, "later": "${vault:KEY}"}));
        let secret = callboard_redact::Secret::new("canary-of-values".to_owned());
        scope.fixed = Arc::new(Fixed {
            secrets: Secrets::of([("KEY", secret)]),
            ..Fixed::default()
        });
        let texts = BTreeMap::from([("a".to_owned(), "${n} ${vault:KEY} $${n}".to_owned())]);
        let filled = scope.texts_with_secrets(&texts).unwrap();
        assert_eq!(filled["a"], "7 canary-of-values ${n}");
        let refused = scope.texts(&texts).unwrap_err();
        assert!(refused.contains("can stand only in"), "{refused}");
        assert!(scope.value(&json!("${vault:KEY}")).is_err());
        // What a variable holds is not looked at again: a server could write it.
        let texts = BTreeMap::from([("a".to_owned(), "${later}".to_owned())]);
        let filled = scope.texts_with_secrets(&texts).unwrap();
        assert_eq!(filled["a"], "${vault:KEY}");
    }

    #[test]
    fn variables_in_patterns_are_literal() {
        let scope = scope(&json!({"id": "a.b+"}));
        let regex = scope.pattern("^${id}$").unwrap();
        assert!(regex.is_match("a.b+") && !regex.is_match("axbb"));
    }

    #[test]
    fn paths_find_one_or_a_list() {
        let value = json!({"a": [{"b": 1}, {"b": 2}], "x:y": 3});
        assert_eq!(look("$.a[1].b", &value).unwrap(), Some(json!(2)));
        assert_eq!(look("$.a[*].b", &value).unwrap(), Some(json!([1, 2])));
        assert_eq!(look("$.a[7].b", &value).unwrap(), None);
        assert_eq!(look("$['x:y']", &value).unwrap(), Some(json!(3)));
        assert_eq!(look("$..b", &value).unwrap(), Some(json!([1, 2])));
    }
}
