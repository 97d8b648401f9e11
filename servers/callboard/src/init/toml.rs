//! Editing TOML: a server's table is put in or replaced, comments and order stay.
//! For: Codex's configuration. Not for: knowing what an entry should be.

use anyhow::{Context, bail};
use serde_json::{Map, Value};
use toml_edit::{Array, DocumentMut, Item, Table, value};

use super::Change;

/// The table that holds the servers.
pub const MEMBER: &str = "mcp_servers";

/// The text with the server `name`; `merge` says how an entry that is there becomes ours.
pub fn with_server(
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
            table.insert(key, item(one)?);
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
        if now.get(key) != Some(one) {
            present.insert(key, item(one)?);
        }
    }
    Ok((document.to_string(), Change::Updated))
}

/// Strings and lists of strings, which is all that our entries are made of.
fn plain(item: &Item) -> Option<Value> {
    if let Some(text) = item.as_str() {
        return Some(Value::from(text));
    }
    let list: Option<Vec<&str>> = item.as_array()?.iter().map(|one| one.as_str()).collect();
    Some(Value::from(list?))
}

fn item(one: &Value) -> anyhow::Result<Item> {
    match one {
        Value::String(text) => Ok(value(text)),
        Value::Array(list) => {
            let texts: Option<Array> = list.iter().map(Value::as_str).collect();
            Ok(value(texts.context("only texts stand in lists")?))
        }
        _ => bail!("an entry is made of texts and lists of texts"),
    }
}
