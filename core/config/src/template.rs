//! Values that name secrets: `${vault:NAME}` inside a text.
//! For: finding the references when configuration is read, and filling them in when the value is used.
//! Not for: the secrets themselves; nothing here ever holds one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

const OPEN: &str = "${vault:";

/// A text with references to secrets in it. Its `Display` form is the text as it was written; its `Debug` form is
/// what may be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Secret(String),
}

impl Template {
    /// Reads a text. Only `${vault:` is special; `${HOME}` and the like stay as they are.
    ///
    /// # Errors
    /// What is wrong with a reference.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = find(rest) {
            let (before, reference) = rest.split_at(at);
            let Some(body) = reference.strip_prefix(OPEN) else {
                return Err(
                    "write a reference to a secret in small letters: ${vault:NAME}".to_owned(),
                );
            };
            let Some((name, after)) = body.split_once('}') else {
                return Err("a reference to a secret is not closed: write ${vault:NAME}".to_owned());
            };
            if !is_secret_name(name) {
                return Err(format!(
                    "{:?} can't be the name of a secret: write ${{vault:NAME}} with 1 to 64 of a-z, A-Z, 0-9, `_`, `.` \
                     and `-`",
                    crate::error::shown(name)
                ));
            }
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Secret(name.to_owned()));
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }

    /// The secrets it names.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        let name = |part: &Part| match part {
            Part::Secret(name) => Some(name.clone()),
            Part::Text(_) => None,
        };
        self.parts.iter().filter_map(name).collect()
    }

    /// As it may be shown: what names a secret as it is written, anything else by its length, because people put keys
    /// there.
    #[must_use]
    pub fn shown(&self) -> String {
        if self.is_all_secret() {
            self.text.clone()
        } else {
            format!("({} characters)", self.text.chars().count())
        }
    }

    /// Whether it is nothing but references.
    fn is_all_secret(&self) -> bool {
        self.parts
            .iter()
            .all(|part| matches!(part, Part::Secret(_)))
    }

    /// The text with the secrets in it.
    ///
    /// # Errors
    /// The name that `look_up` does not know.
    pub fn fill<'v>(&self, look_up: impl Fn(&str) -> Option<&'v str>) -> Result<String, String> {
        let length = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.len(),
            Part::Secret(name) => look_up(name).map_or(0, str::len),
        });
        // Room for all of it, so that no half of a secret is left behind where the text grew.
        let mut filled = String::with_capacity(length.sum());
        for part in &self.parts {
            filled.push_str(match part {
                Part::Text(text) => text,
                Part::Secret(name) => look_up(name).ok_or_else(|| name.clone())?,
            });
        }
        Ok(filled)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shown(), f)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a text tries to name a secret.
pub(crate) fn has_reference(text: &str) -> bool {
    find(text).is_some()
}

fn find(text: &str) -> Option<usize> {
    text.as_bytes()
        .windows(OPEN.len())
        .position(|part| part.eq_ignore_ascii_case(OPEN.as_bytes()))
}

fn is_secret_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

/// Variables or headers as they may be shown.
pub(crate) fn shown_values(variables: &BTreeMap<String, Template>) -> String {
    let one = |(name, value): (&String, &Template)| format!("{name}={}", value.shown());
    variables.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_and_filled() {
        let template = Template::parse("Bearer ${vault:API.key-1}, ${HOME} $${vault:B}").unwrap();
        assert_eq!(
            template.names().into_iter().collect::<Vec<_>>(),
            ["API.key-1", "B"]
        );
        let filled = template.fill(|name| {
            if name == "B" {
                Some("b")
            } else {
                Some("a-value")
            }
        });
        assert_eq!(filled.unwrap(), "Bearer a-value, ${HOME} $b");
        assert_eq!(
            template.fill(|name| (name == "B").then_some("b")),
            Err("API.key-1".to_owned())
        );
        assert_eq!(format!("{template:?}"), "\"(46 characters)\"");
    }

    #[test]
    fn a_filled_value_is_not_looked_at_again() {
        let template = Template::parse("${vault:A}").unwrap();
        assert_eq!(template.fill(|_| Some("${vault:A}")).unwrap(), "${vault:A}");
    }

    #[test]
    fn a_slip_in_a_reference_is_told() {
        for (text, why) in [
            ("${vault:}", "can't be the name"),
            ("${vault:a b}", "can't be the name"),
            ("x ${vault:A", "not closed"),
            ("${VAULT:A}", "small letters"),
        ] {
            let told = Template::parse(text).unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
        }
    }

    #[test]
    fn a_literal_is_shown_by_its_length() {
        let of = |text: &str| Template::parse(text).unwrap();
        let variables = BTreeMap::from([
            ("KEY".to_owned(), of("${vault:K}")),
            ("MODE".to_owned(), of("sk-secret")),
        ]);
        assert_eq!(
            shown_values(&variables),
            "KEY=${vault:K} MODE=(9 characters)"
        );
    }
}
