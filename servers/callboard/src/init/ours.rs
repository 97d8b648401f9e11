//! Which entries, and what in them, are ours.
//! For: how an entry that is there becomes what it should be, and whether it is another's.
//! Not for: what an entry should be (`client`), or how it is written.

use super::client::{FORWARDED, TOKEN_INPUT, TOKEN_VARIABLE};
use super::url::is_loopback;
use anyhow::bail;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Members of an entry that say how the server is reached; everything else in it is the user's.
const OURS: &[&str] = &[
    "type",
    "command",
    "args",
    "url",
    HEADERS,
    "headersHelper",
    "bearer_token_env_var",
];

const HEADERS: &str = "headers";

/// The header that is ours; the others are the user's.
const AUTHORIZATION: &str = "authorization";

/// Our entry as it should be: what the user added to it (environment, time limits, headers) stays, but for what its
/// client refuses in an entry of this kind.
pub fn merged(
    name: &str,
    present: &Value,
    entry: &Map<String, Value>,
    refused: &[&str],
) -> anyhow::Result<Value> {
    let Some(old) = present.as_object().filter(|old| is_ours(old, name, entry)) else {
        bail!(
            "{name} is another server already; rename it there, or add \"{name}\" under another name by hand"
        );
    };
    let mut merged = entry.clone();
    if let Some(names) = merged.get_mut(FORWARDED) {
        *names = with_all(old.get(FORWARDED), names);
    }
    if let Some(headers) = with_others(entry.get(HEADERS), old.get(HEADERS)) {
        merged.insert(HEADERS.to_owned(), headers);
    }
    let goes = |key: &str| OURS.contains(&key) || refused.contains(&key);
    for (key, one) in old.iter().filter(|(key, _)| !goes(key)) {
        merged.entry(key).or_insert_with(|| one.clone());
    }
    // A type that is not told is the right one.
    let all_there = merged.iter().all(|(key, one)| {
        old.get(key) == Some(one) || (key == "type" && !old.contains_key("type"))
    });
    let nothing_else = old.keys().all(|key| merged.contains_key(key));
    Ok(if all_there && nothing_else {
        present.clone()
    } else {
        Value::Object(merged)
    })
}

/// Our header, if there is one, and behind it the user's.
fn with_others(ours: Option<&Value>, present: Option<&Value>) -> Option<Value> {
    let headers = |from: Option<&Value>| from.and_then(Value::as_object).cloned();
    let mut all = headers(ours).unwrap_or_default();
    let others = headers(present).unwrap_or_default().into_iter();
    all.extend(others.filter(|(name, _)| !name.eq_ignore_ascii_case(AUTHORIZATION)));
    (!all.is_empty()).then_some(Value::Object(all))
}

/// The list that is there, and behind it what it does not name yet: by itself, or as the `name` of an object.
fn with_all(present: Option<&Value>, wanted: &Value) -> Value {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut all = present.map(list).unwrap_or_default();
    for one in list(wanted) {
        if !all
            .iter()
            .any(|there| *there == one || there["name"] == one)
        {
            all.push(one);
        }
    }
    Value::Array(all)
}

/// Whether an entry starts our program for this server, or reaches it where `callboard serve` may be.
fn is_ours(old: &Map<String, Value>, name: &str, entry: &Map<String, Value>) -> bool {
    let command = old.get("command").and_then(Value::as_str);
    let same = command.is_some() && old.get("command") == entry.get("command");
    let program = same || command.is_some_and(is_our_program);
    let starts = program && old.get("args") == Some(&json!([name]));
    starts || reaches(old, name, entry)
}

/// Whether this is our program, by its name.
pub fn is_our_program(command: &str) -> bool {
    Path::new(command)
        .file_name()
        .is_some_and(|file| file == "callboard")
}

/// Whether an entry's URL is this server's: on this machine, where it is to be now, or with our token.
fn reaches(old: &Map<String, Value>, name: &str, entry: &Map<String, Value>) -> bool {
    let Some(url) = old.get("url").and_then(Value::as_str) else {
        return false;
    };
    let Some(uri) = url.parse::<http::Uri>().ok() else {
        return false;
    };
    let here = uri.path() == format!("/{name}/mcp") && is_loopback(&uri);
    let token = [HEADERS, "headersHelper", "bearer_token_env_var"]
        .iter()
        .filter_map(|key| old.get(*key))
        .any(|value| {
            let text = value.to_string();
            [TOKEN_VARIABLE, TOKEN_INPUT, "token header"]
                .iter()
                .any(|ours| text.contains(ours))
        });
    let same = old.get("url") == entry.get("url");
    here || same || (token && uri.path().ends_with(&format!("/{name}/mcp")))
}
