//! Where a file names secrets.
//!
//! For: the line and column of each `${vault:NAME}`, and refusing one where it could get out. Not for: their values.

use crate::format::At;
use crate::secrets::PREFIX;
use crate::values::references;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value of a file whose texts know where they stand.
enum Tree {
    Text(String),
    List(Vec<At<Tree>>),
    Map(Vec<(Tree, At<Tree>)>),
    Other,
}

/// What is wrong, and where.
pub(super) type Misplaced = At<String>;

/// The secrets that a file names; `Ok(Err(…))` is one that stands where none may.
pub(super) fn secrets(
    text: &str,
    options: serde_saphyr::Options,
) -> Result<Result<Vec<At<String>>, Misplaced>, serde_saphyr::Error> {
    if !text.contains(PREFIX) {
        return Ok(Ok(Vec::new()));
    }
    let tree: At<Tree> = serde_saphyr::from_str_with_options(text, options)?;
    let mut found = Vec::new();
    let walked = walk(&tree, &mut Vec::new(), &mut found);
    Ok(walked.map(|()| found))
}

fn walk<'t>(
    at: &'t At<Tree>,
    path: &mut Vec<&'t str>,
    found: &mut Vec<At<String>>,
) -> Result<(), Misplaced> {
    match &at.value {
        Tree::Other => Ok(()),
        Tree::Text(text) => look(text, at, allowed(path), found),
        Tree::List(list) => list.iter().try_for_each(|inner| {
            path.push("");
            let walked = walk(inner, path, found);
            path.pop();
            walked
        }),
        Tree::Map(map) => map.iter().try_for_each(|(key, inner)| {
            let key = match key {
                Tree::Text(key) => key.as_str(),
                _ => "",
            };
            look(key, inner, Place::Elsewhere, found)?;
            path.push(key);
            let walked = walk(inner, path, found);
            path.pop();
            walked
        }),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A header or a variable of a server.
    Allowed,
    /// A text for readers, in which nothing is filled in.
    Prose,
    Elsewhere,
}

fn allowed(path: &[&str]) -> Place {
    match path {
        ["servers", _, "headers" | "env", _] => Place::Allowed,
        ["name" | "description"] | ["tags", ..] => Place::Prose,
        _ => Place::Elsewhere,
    }
}

fn look(
    text: &str,
    at: &At<Tree>,
    place: Place,
    found: &mut Vec<At<String>>,
) -> Result<(), Misplaced> {
    if place == Place::Prose || !text.contains(PREFIX) {
        return Ok(());
    }
    let here = |value: String| At {
        value,
        line: at.line,
        column: at.column,
    };
    for name in references(text).map_err(here)? {
        let Some(secret) = name.strip_prefix(PREFIX) else {
            continue;
        };
        if place != Place::Allowed {
            return Err(here(misplaced(secret)));
        }
        found.push(here(secret.to_owned()));
    }
    Ok(())
}

/// What is said of a reference that stands where none may.
pub(crate) fn misplaced(secret: &str) -> String {
    format!(
        "`${{{PREFIX}{secret}}}` can stand only in the `headers` and the `env` of a server: what stands elsewhere is told \
         to the server or shown; move it there, or write `$${{{PREFIX}{secret}}}` for this very text"
    )
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Tree;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::Text(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_bytes<E: Error>(self, _: &[u8]) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_none<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Other)
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Tree, D::Error> {
        Tree::deserialize(from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(inner) = from.next_element()? {
            list.push(inner);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = from.next_entry()? {
            map.push(entry);
        }
        Ok(Tree::Map(map))
    }
}
