//! The names that a question may ask for: routes, and models by provider.

use std::collections::BTreeSet;

use callboard_mcp::http::{RequestId, Sent};
use callboard_routing::engine::{Settings, Target};
use callboard_routing::failure::{Failure, FailureKind};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::refuse::Speech;
use super::{Gateway, json as answer};

/// A name, and who stands behind it.
struct Named {
    name: String,
    owner: String,
}

/// Routes first: they are what most should ask for.
fn names(settings: &Settings) -> Vec<Named> {
    let routes = settings.routes.keys().map(|name| Named {
        name: name.clone(),
        owner: "callboard".to_owned(),
    });
    let declared = settings.providers.iter().flat_map(|(name, provider)| {
        let models = provider.models.keys();
        models.map(move |model| Target::new(name, model))
    });
    let routed = settings
        .routes
        .values()
        .flat_map(|route| route.candidates.iter().cloned());
    let targets: BTreeSet<Target> = declared.chain(routed).collect();
    let targets = targets.into_iter().map(|target| Named {
        name: target.to_string(),
        owner: target.provider,
    });
    routes.chain(targets).collect()
}

impl Named {
    fn value(&self, speech: Speech) -> Value {
        match speech {
            Speech::OpenAi => {
                json!({"id": self.name, "object": "model", "created": 0, "owned_by": self.owner})
            }
            Speech::Anthropic => json!({
                "type": "model", "id": self.name, "display_name": self.name,
                "created_at": "1970-01-01T00:00:00Z",
            }),
        }
    }
}

pub(super) fn all(gateway: &Gateway, speech: Speech) -> Response<Sent> {
    let names = names(&gateway.router.settings());
    let values: Vec<Value> = names.iter().map(|name| name.value(speech)).collect();
    let list = match speech {
        Speech::OpenAi => json!({"object": "list", "data": values}),
        Speech::Anthropic => json!({
            "data": values, "has_more": false,
            "first_id": names.first().map(|named| &named.name),
            "last_id": names.last().map(|named| &named.name),
        }),
    };
    answer(StatusCode::OK, list.to_string().into_bytes())
}

pub(super) fn one(gateway: &Gateway, speech: Speech, name: &str, id: &RequestId) -> Response<Sent> {
    let name = &plain(name);
    let names = names(&gateway.router.settings());
    match names.iter().find(|named| named.name == *name) {
        Some(named) => answer(StatusCode::OK, named.value(speech).to_string().into_bytes()),
        None => {
            let message = format!("there is no model {name:?} here: GET /v1/models lists them");
            speech.failure(&Failure::new(FailureKind::NoSuchModel, message), id)
        }
    }
}

/// A name as it is, from a path: clients write the slash as `%2F`.
fn plain(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let digits = more.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let code = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        match code {
            Some(code) if *first == b'%' => {
                bytes.push(code);
                rest = &more[2..];
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_path_is_read() {
        assert_eq!(plain("a%2Fb%3a1"), "a/b:1");
        assert_eq!(plain("a%2"), "a%2");
        assert_eq!(plain("a%zz%"), "a%zz%");
    }
}
