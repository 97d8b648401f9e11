//! Editing TOML: a server's table is put in or replaced, comments and order stay.
//! For: Codex's configuration. Not for: knowing what an entry should be.

use anyhow::{Context, bail};
use serde_json::{Map, Value};
use similar::{ChangeTag, TextDiff};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, TomlError};

use super::Change;

/// The table that holds the servers.
pub const MEMBER: &str = "mcp_servers";

const BOM: char = '\u{feff}';

/// The text with the server `name`; `merge` says how an entry that is there becomes ours. Lines that do not change keep
/// every byte: their ends, and how their keys are written.
pub fn with_server(
    text: &str,
    name: &str,
    entry: &Map<String, Value>,
    merge: impl FnOnce(&Value) -> anyhow::Result<Value>,
) -> anyhow::Result<(String, Change)> {
    let body = text.strip_prefix(BOM).unwrap_or(text);
    // What edits TOML knows one kind of line end.
    let plain = body.replace("\r\n", "\n");
    let (after, change) = edited(&plain, name, entry, merge)?;
    if change == Change::Unchanged {
        return Ok((text.to_owned(), change));
    }
    let mark = &text[..text.len() - body.len()];
    Ok((
        format!("{mark}{}", with_own_lines(body, &plain, &after)?),
        change,
    ))
}

/// A server's table by itself, for people to read.
pub fn fresh(name: &str, entry: &Map<String, Value>) -> anyhow::Result<String> {
    Ok(edited("", name, entry, |present| Ok(present.clone()))?.0)
}

/// `after`, which came from `plain`, with the lines of `text` where they are the same.
fn with_own_lines(text: &str, plain: &str, after: &str) -> anyhow::Result<String> {
    let own: Vec<&str> = text.split_inclusive('\n').collect();
    let old: Vec<&str> = plain.split_inclusive('\n').collect();
    // What edits TOML writes all keys of one table as it found the first: that is what `after` is compared with.
    let respelled = document(plain)?.to_string();
    let respelled: Vec<&str> = respelled.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let places = places(&old, &respelled);
    let with = |own: &[&str], end: &str| -> String {
        let diff = TextDiff::from_slices(&respelled, &new);
        diff.iter_all_changes()
            .filter_map(|change| match change.tag() {
                ChangeTag::Delete => None,
                ChangeTag::Insert => Some(change.value().replace('\n', end)),
                ChangeTag::Equal => Some(match places[change.old_index()?] {
                    Some(place) => own[place].to_owned(),
                    None => change.value().replace('\n', end),
                }),
            })
            .collect()
    };
    // Lines were taken for one another by their words: what says something else as a whole is never written.
    let wanted = data(document(after)?.as_item());
    let same = document(&with(&old, "\n")).is_ok_and(|with| data(with.as_item()) == wanted);
    Ok(if same {
        with(&own, end)
    } else {
        after.replace('\n', end)
    })
}

/// What a document says, however its keys are written.
fn data(item: &Item) -> Value {
    let members = |table: &dyn TableLike| -> Value {
        let members = table.iter();
        members
            .map(|(key, one)| (key.to_owned(), data(one)))
            .collect()
    };
    if let Some(table) = item.as_table_like() {
        return members(table);
    }
    match item.as_array_of_tables() {
        Some(tables) => tables.iter().map(|table| members(table)).collect(),
        None => Value::from(item.to_string().trim()),
    }
}

/// For each line as it would be written, where the line is that it came from.
fn places(old: &[&str], respelled: &[&str]) -> Vec<Option<usize>> {
    let spoken = |line: &str| line.replace(['"', '\'', ' ', '\t'], "");
    let said: Vec<String> = old.iter().map(|line| spoken(line)).collect();
    let mut taken = vec![false; old.len()];
    let mut place = |at: usize, line: &str| {
        let line = spoken(line);
        let fits = |there: &usize| !taken[*there] && said[*there] == line;
        // A table in pieces is put together, so that a line may have come from elsewhere.
        let found = [at].into_iter().chain(0..old.len());
        let found = found.filter(|there| *there < old.len()).find(fits)?;
        taken[found] = true;
        Some(found)
    };
    let lines = respelled.iter().enumerate();
    lines.map(|(at, line)| place(at, line)).collect()
}

fn document(text: &str) -> anyhow::Result<DocumentMut> {
    // In full, the error shows the line, and there may be somebody's key in it.
    text.parse().map_err(|error: TomlError| {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let why = error.message();
        anyhow::anyhow!("line {line} is no TOML ({why}); mend it by hand")
    })
}

fn edited(
    text: &str,
    name: &str,
    entry: &Map<String, Value>,
    merge: impl FnOnce(&Value) -> anyhow::Result<Value>,
) -> anyhow::Result<(String, Change)> {
    let mut document = document(text)?;
    let mut servers = Table::new();
    servers.set_implicit(true);
    let servers = document
        .entry(MEMBER)
        .or_insert(Item::Table(servers))
        .as_table_like_mut()
        .with_context(|| format!("{MEMBER} is no table; mend it by hand"))?;
    let Some(present) = servers.get_mut(name) else {
        let mut table = Table::new();
        for (key, one) in entry {
            table.insert(key, Item::Value(value(one)?));
        }
        servers.insert(name, Item::Table(table));
        return Ok((document.to_string(), Change::Added));
    };
    let Some(present) = present.as_table_like_mut() else {
        bail!("{MEMBER}.{name} is no table; mend it by hand");
    };
    // Only what tells whose entry it is and what we would change is looked at; the rest is the user's.
    let known = present
        .iter()
        .filter_map(|(key, item)| Some((key.to_owned(), plain(item)?)))
        .collect();
    let now = Value::Object(known);
    let wanted = merge(&now)?;
    if wanted == now {
        return Ok((text.to_owned(), Change::Unchanged));
    }
    let (Some(now), Some(wanted)) = (now.as_object(), wanted.as_object()) else {
        bail!("{MEMBER}.{name} is no table; mend it by hand");
    };
    for key in now.keys().filter(|key| !wanted.contains_key(*key)) {
        present.remove(key);
    }
    for (key, one) in wanted {
        put(present, key, now.get(key), one)?;
    }
    Ok((document.to_string(), Change::Updated))
}

/// Sees to it that `key` is `wanted`; a list that only grows keeps its comments and line ends.
fn put(
    table: &mut dyn TableLike,
    key: &str,
    now: Option<&Value>,
    wanted: &Value,
) -> anyhow::Result<()> {
    if now == Some(wanted) {
        return Ok(());
    }
    let lists = now.and_then(Value::as_array).zip(wanted.as_array());
    let more = lists.and_then(|(now, wanted)| wanted.strip_prefix(now.as_slice()));
    match (more, table.get_mut(key).and_then(Item::as_array_mut)) {
        (Some(more), Some(list)) => {
            for one in more {
                list.push(value(one)?);
            }
        }
        _ => drop(table.insert(key, Item::Value(value(wanted)?))),
    }
    Ok(())
}

/// Texts, and lists and tables of them, which is all that entries are made of that concern us.
fn plain(item: &Item) -> Option<Value> {
    match item.as_table_like() {
        Some(table) => plain_table(table),
        None => plain_value(item.as_value()?),
    }
}

fn plain_value(one: &toml_edit::Value) -> Option<Value> {
    if let Some(text) = one.as_str() {
        return Some(Value::from(text));
    }
    if let Some(table) = one.as_inline_table() {
        return plain_table(table);
    }
    one.as_array()?.iter().map(plain_value).collect()
}

fn plain_table(table: &dyn TableLike) -> Option<Value> {
    let members = table
        .iter()
        .map(|(key, item)| Some((key.to_owned(), plain(item)?)));
    members.collect::<Option<_>>().map(Value::Object)
}

fn value(one: &Value) -> anyhow::Result<toml_edit::Value> {
    Ok(match one {
        Value::String(text) => text.into(),
        Value::Array(list) => {
            let list: anyhow::Result<Array> = list.iter().map(value).collect();
            list?.into()
        }
        Value::Object(table) => {
            let members = table.iter().map(|(key, one)| Ok((key, value(one)?)));
            members.collect::<anyhow::Result<InlineTable>>()?.into()
        }
        _ => bail!("an entry is made of texts, and lists and tables of them"),
    })
}
