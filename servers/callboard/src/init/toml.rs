//! Editing TOML: a server's table is put in or replaced, comments and order stay.
//! For: Codex's configuration. Not for: knowing what an entry should be.

use anyhow::{Context, bail};
use serde_json::{Map, Value};
use similar::{ChangeTag, TextDiff};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike};

use super::Change;

/// The table that holds the servers.
pub const MEMBER: &str = "mcp_servers";

const BOM: char = '\u{feff}';

/// The text with the server `name`; `merge` says how an entry that is there becomes ours. Lines that do not change keep
/// every byte, their ends too.
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
        format!("{mark}{}", with_line_ends(body, &plain, &after)),
        change,
    ))
}

/// `after`, which came from `plain`, with the lines of `text` where they are the same.
fn with_line_ends(text: &str, plain: &str, after: &str) -> String {
    let own: Vec<&str> = text.split_inclusive('\n').collect();
    let old: Vec<&str> = plain.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let diff = TextDiff::from_slices(&old, &new);
    diff.iter_all_changes()
        .filter_map(|change| match change.tag() {
            ChangeTag::Delete => None,
            ChangeTag::Insert => Some(change.value().replace('\n', end)),
            ChangeTag::Equal => Some(own[change.old_index()?].to_owned()),
        })
        .collect()
}

fn edited(
    text: &str,
    name: &str,
    entry: &Map<String, Value>,
    merge: impl FnOnce(&Value) -> anyhow::Result<Value>,
) -> anyhow::Result<(String, Change)> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error| anyhow::anyhow!("no TOML; mend it by hand: {error}"))?;
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
