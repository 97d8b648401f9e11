//! Tables that the user names: `[agents.<name>]` and the like, also within each other.
//! For: which parts of a key are names, what a name must look like, and how a key with names is written.
//! Not for: what stands in the tables (the table of keys says that).

use crate::environment::check_passed_name;
use crate::forms::{is_agent_name, is_model};
use crate::keys::KEYS;
use crate::nearest::did_you_mean;

/// A place in a key where the user chooses the name.
pub(crate) struct Named {
    /// The key up to the name, with `<…>` for each name.
    pattern: &'static str,
    /// Whether it is a table that exists by being named, and not a single value.
    pub(crate) is_table: bool,
    /// Why a name can't be used.
    pub(crate) check: fn(&str) -> Result<(), String>,
}

/// Every such place.
const NAMED: &[Named] = &[
    Named {
        pattern: "agents.<name>",
        is_table: true,
        check: agent,
    },
    Named {
        pattern: "agents.<name>.env.<variable>",
        is_table: false,
        check: |name| check_passed_name(name).map_err(|why| why.to_string()),
    },
    Named {
        pattern: "providers.<name>",
        is_table: true,
        check: |name| plain(name, "a provider's name"),
    },
    Named {
        pattern: "providers.<name>.headers.<header>",
        is_table: false,
        check: header,
    },
    Named {
        pattern: "providers.<name>.models.<model>",
        is_table: true,
        check: model,
    },
    Named {
        pattern: "routes.<name>",
        is_table: true,
        check: |name| plain(name, "a route's name"),
    },
    Named {
        pattern: "routes.<name>.roles.<role>",
        is_table: false,
        check: |name| plain(name, "a role's name"),
    },
    Named {
        pattern: "budgets.<name>",
        is_table: true,
        check: |name| plain(name, "a budget's name"),
    },
    Named {
        pattern: "limits.<name>",
        is_table: true,
        check: |name| plain(name, "a limit's name"),
    },
];

/// What HTTP says itself about a message.
const NOT_OURS: [&str; 7] = [
    "host",
    "content-length",
    "content-type",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
];

fn header(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 100 || !name.chars().all(plain) {
        return Err("a header's name uses a-z, 0-9, - and _, in small letters".to_owned());
    }
    if NOT_OURS.contains(&name) {
        return Err("this header belongs to the connection and can't be set".to_owned());
    }
    Ok(())
}

fn model(name: &str) -> Result<(), String> {
    if is_model(name) {
        return Ok(());
    }
    Err("a model's name is at most 200 characters long, without spaces; with dots, slashes or colons it is written in quotation marks".to_owned())
}

fn agent(name: &str) -> Result<(), String> {
    if name == crate::settings::STAND_IN {
        return Err("this name is taken by the embedded stand-in: choose another".to_owned());
    }
    plain(name, "an agent's name")
}

fn plain(name: &str, what: &str) -> Result<(), String> {
    if is_agent_name(name) {
        return Ok(());
    }
    Err(format!(
        "{what} uses a-z, 0-9, - and _, at most 40 characters"
    ))
}

/// The place of a name that `path` ends with.
pub(crate) fn named(path: &[String]) -> Option<&'static Named> {
    NAMED.iter().find(|named| fits(named.pattern, path))
}

/// Whether `path` is what the pattern says, with any names.
pub(crate) fn fits(pattern: &str, path: &[String]) -> bool {
    let (parts, said) = (pattern.split('.'), path.iter());
    parts.clone().count() == path.len() && parts.zip(said).all(|(want, have)| part(want, have))
}

fn part(want: &str, have: &str) -> bool {
    want.starts_with('<') || want == have
}

/// Whether keys live below this path: `run`, `agents`, `agents.<name>`.
pub(crate) fn has_keys_below(path: &[String]) -> bool {
    KEYS.iter().any(|key| {
        let mut parts = key.name.split('.');
        let begins = path
            .iter()
            .all(|have| parts.next().is_some_and(|want| part(want, have)));
        begins && parts.next().is_some()
    })
}

/// The known key nearest to an unknown one, with the names that were typed; of a table, the table.
pub(crate) fn nearest_key(path: &[String]) -> Option<String> {
    let names: Vec<String> = KEYS
        .iter()
        .filter_map(|key| with_names(key.name, path))
        .collect();
    did_you_mean(&written(path), names.iter().map(String::as_str)).map(str::to_owned)
}

/// The beginning of a key that is as long as `path`, with its names where it begins alike.
fn with_names(pattern: &str, path: &[String]) -> Option<String> {
    let parts: Vec<&str> = pattern.split('.').collect();
    let parts = parts.get(..path.len())?;
    let alike = path.len() == 1 || path.first().map(String::as_str) == parts.first().copied();
    let filled = parts.iter().zip(path).map(|(part, name)| {
        let chosen = alike && part.starts_with('<');
        if chosen {
            segment(name)
        } else {
            (*part).to_owned()
        }
    });
    Some(filled.collect::<Vec<_>>().join("."))
}

/// What could stand where an unknown key stands.
pub(crate) fn siblings(path: &[String]) -> String {
    let above = &path[..path.len().saturating_sub(1)];
    let mut names: Vec<&str> = Vec::new();
    for key in KEYS {
        let mut parts = key.name.split('.');
        let begins = above
            .iter()
            .all(|have| parts.next().is_some_and(|want| part(want, have)));
        if !begins {
            continue;
        }
        // At the top there are too many for whole names.
        let name = match above.is_empty() {
            true => key.name.split('.').next().unwrap_or_default(),
            false => key.name,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

/// A key as it is written in a file: names that are no bare words stand in quotation marks.
pub(crate) fn written(path: &[String]) -> String {
    let parts: Vec<String> = path.iter().map(|part| segment(part)).collect();
    parts.join(".")
}

fn segment(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(bare) {
        return name.to_owned();
    }
    let quoted: String = name
        .chars()
        .flat_map(|c| match c {
            '"' | '\\' => vec!['\\', c],
            _ => vec![c],
        })
        .collect();
    format!("\"{quoted}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|part| (*part).to_owned()).collect()
    }

    #[test]
    fn names_that_are_no_bare_words_are_quoted() {
        for (parts, text) in [
            (&["run", "agents"][..], "run.agents"),
            (&["a", "gpt-4.1", "window"], "a.\"gpt-4.1\".window"),
            (&["a", "x/y:z", "b"], "a.\"x/y:z\".b"),
            (&["a", "\"\\"], "a.\"\\\"\\\\\""),
            (&["a", ""], "a.\"\""),
        ] {
            assert_eq!(written(&path(parts)), text);
        }
    }

    #[test]
    fn every_name_of_a_key_has_its_rule() {
        for key in KEYS {
            let parts: Vec<&str> = key.name.split('.').collect();
            for (at, part) in parts.iter().enumerate() {
                let pattern = parts[..=at].join(".");
                let known = NAMED.iter().any(|named| named.pattern == pattern);
                assert_eq!(part.starts_with('<'), known, "{pattern}");
            }
        }
    }
}
