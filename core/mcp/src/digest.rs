//! Which call something belongs to.
//!
//! For: tying a sealed state, a stored question or a long call to its tool, arguments and caller, so that
//! nothing asked for one call answers another. Not for: secrets; a digest of short arguments can be guessed.

use rmcp::model::JsonObject;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::Caller;

/// What tells one call from another, as 64 hexadecimal digits. Calls that differ only in their id, or in
/// the order of their arguments, are the same.
pub(crate) fn of_call(
    server: &str,
    target: &str,
    arguments: Option<&JsonObject>,
    caller: &Caller,
) -> String {
    let mut hash = Sha256::new();
    for part in [server, target, &owner(caller)] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut text = String::new();
    match arguments {
        Some(arguments) => write_object(arguments, &mut text),
        None => text.push_str("{}"),
    }
    hash.update(text.as_bytes());
    hex(&hash.finalize())
}

/// Whose call it is: the token where one was shown, else the user.
pub(crate) fn owner(caller: &Caller) -> String {
    match &caller.token {
        Some(token) => format!("token:{token}"),
        None => format!("user:{}", caller.name),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn write_object(object: &JsonObject, out: &mut String) {
    let mut entries: Vec<(&String, &Value)> = object.iter().collect();
    entries.sort_by_key(|(name, _)| *name);
    out.push('{');
    for (name, value) in entries {
        out.push_str(&Value::from(name.as_str()).to_string());
        out.push(':');
        write_value(value, out);
        out.push(',');
    }
    out.push('}');
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Object(object) => write_object(object, out),
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_value(item, out);
                out.push(',');
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;
    use serde_json::json;

    fn of(arguments: &Value, target: &str, caller: &Caller) -> String {
        of_call("s", target, arguments.as_object(), caller)
    }

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let user = Caller::local("ann", Role::Developer);
        let one = of(&json!({"a": 1, "b": {"c": [1, 2], "d": null}}), "t", &user);
        let same = of(&json!({"b": {"d": null, "c": [1, 2]}, "a": 1}), "t", &user);
        assert_eq!(one, same);
        let mut holder = user.clone();
        holder.token = Some("k1".to_owned());
        for other in [
            of(&json!({"a": 1, "b": {"c": [2, 1], "d": null}}), "t", &user),
            of(&json!({"a": 1, "b": {"c": [1, 2], "d": null}}), "u", &user),
            of(
                &json!({"a": 1, "b": {"c": [1, 2], "d": null}}),
                "t",
                &holder,
            ),
            of(&json!({}), "t", &user),
        ] {
            assert_ne!(one, other);
        }
        assert_eq!(of(&json!({}), "t", &user), of_call("s", "t", None, &user));
    }
}
