//! Which models a provider has.

use super::{Head, Wire, errors, text};
use crate::failure::{Failure, FailureKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A model, as its provider describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// The name to ask for it by.
    pub id: String,
    /// The name for people.
    pub name: Option<String>,
    /// The most tokens it takes.
    pub context: Option<u64>,
    /// The most tokens it makes.
    pub max_output: Option<u64>,
}

/// A page of models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Those on it.
    pub models: Vec<Model>,
    /// The path of the next page.
    pub next: Option<String>,
}

impl Wire {
    /// Where the first page of models is, after the base URL.
    #[must_use]
    pub fn models_path(self) -> &'static str {
        match self {
            Wire::OpenAi => "/models",
            Wire::Anthropic => "/v1/models?limit=1000",
            Wire::Gemini => "/models?pageSize=1000",
            Wire::Ollama => "/api/tags",
        }
    }

    /// What is said there.
    ///
    /// # Errors
    /// What the provider says instead, or that it can't be read.
    pub fn decode_models(self, head: &Head, body: &[u8]) -> Result<Listing, Failure> {
        let value = self.value(head, body)?;
        // An array without an object around it is what some who took OpenAI's wire over answer.
        let list = match self {
            Wire::OpenAi | Wire::Anthropic => value.get("data").unwrap_or(&value),
            Wire::Gemini | Wire::Ollama => &value["models"],
        };
        let Some(list) = list.as_array() else {
            let message = "no list of models in the answer";
            return Err(errors::failure(head, FailureKind::Malformed, message));
        };
        let models = list.iter().filter_map(|model| self.model(model)).collect();
        let next = match self {
            Wire::Anthropic if value["has_more"] == true => text(&value["last_id"])
                .map(|last| format!("{}&after_id={}", self.models_path(), escaped(&last))),
            Wire::Gemini => text(&value["nextPageToken"])
                .map(|token| format!("{}&pageToken={}", self.models_path(), escaped(&token))),
            _ => None,
        };
        Ok(Listing { models, next })
    }

    fn model(self, model: &Value) -> Option<Model> {
        let first = |fields: &[&str]| fields.iter().find_map(|field| model[*field].as_u64());
        let chats = model["supportedGenerationMethods"].as_array();
        if chats.is_some_and(|methods| !methods.iter().any(|method| method == "generateContent")) {
            return None;
        }
        let id = text(&model["id"])
            .or_else(|| text(&model["model"]))
            .or_else(|| text(&model["name"]))?;
        Some(Model {
            id: id.strip_prefix("models/").unwrap_or(&id).to_owned(),
            name: text(&model["display_name"]).or_else(|| text(&model["displayName"])),
            context: first(&[
                "context_window",
                "context_length",
                "max_model_len",
                "max_input_tokens",
                "inputTokenLimit",
            ]),
            max_output: first(&["max_completion_tokens", "max_tokens", "outputTokenLimit"]),
        })
    }
}

/// For the query of a URL.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    fn listing(wire: Wire, body: &str) -> Result<Listing, Failure> {
        let head = Head {
            status: 200,
            headers: HeaderMap::new(),
            now_ms: 0,
        };
        wire.decode_models(&head, body.as_bytes())
    }

    fn model(id: &str, name: Option<&str>, context: Option<u64>, max_output: Option<u64>) -> Model {
        Model {
            id: id.to_owned(),
            name: name.map(str::to_owned),
            context,
            max_output,
        }
    }

    #[test]
    fn each_wire_lists_its_models() {
        let groq = r#"{"object":"list","data":[{"id":"llama-3.1-8b","object":"model","context_window":131072,"max_completion_tokens":8192}]}"#;
        let found = listing(Wire::OpenAi, groq).unwrap();
        assert_eq!(
            found.models,
            [model("llama-3.1-8b", None, Some(131_072), Some(8_192))]
        );
        let claude = r#"{"data":[{"type":"model","id":"claude-a","display_name":"Claude A"}],"has_more":true,"last_id":"claude a"}"#;
        let found = listing(Wire::Anthropic, claude).unwrap();
        assert_eq!(
            found.models,
            [model("claude-a", Some("Claude A"), None, None)]
        );
        assert_eq!(
            found.next.as_deref(),
            Some("/v1/models?limit=1000&after_id=claude%20a")
        );
        let gemini = r#"{"models":[{"name":"models/gemini-x","displayName":"Gemini X","inputTokenLimit":1048576,"outputTokenLimit":65536,"supportedGenerationMethods":["generateContent"]},{"name":"models/embed","supportedGenerationMethods":["embedContent"]}],"nextPageToken":"t"}"#;
        let found = listing(Wire::Gemini, gemini).unwrap();
        assert_eq!(
            found.models,
            [model(
                "gemini-x",
                Some("Gemini X"),
                Some(1_048_576),
                Some(65_536)
            )]
        );
        assert_eq!(
            found.next.as_deref(),
            Some("/models?pageSize=1000&pageToken=t")
        );
        let ollama = r#"{"models":[{"name":"llama3:latest","model":"llama3:latest","size":1}]}"#;
        let found = listing(Wire::Ollama, ollama).unwrap();
        assert_eq!(found.models, [model("llama3:latest", None, None, None)]);
    }

    #[test]
    fn what_is_no_list_is_said() {
        let kind = |wire, body| listing(wire, body).unwrap_err().kind;
        assert_eq!(kind(Wire::OpenAi, "<html>"), FailureKind::NotJson);
        assert_eq!(kind(Wire::Gemini, "{}"), FailureKind::Malformed);
        assert_eq!(kind(Wire::Ollama, "hello"), FailureKind::NotJson);
    }
}
