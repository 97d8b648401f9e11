//! Which endpoint a path is.

use callboard_mcp::{Refusal, ToolError};
use callboard_routing::gateway::Dialect;
use http::StatusCode;

/// An endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way<'p> {
    /// A question to a model.
    Chat(Dialect),
    /// How many tokens a question has.
    Count,
    /// Texts as vectors.
    Embeddings,
    /// All names that a question may ask for.
    Models,
    /// One of them.
    Model(&'p str),
}

impl<'p> Way<'p> {
    pub(super) fn of(path: &'p str) -> Option<Self> {
        Some(match path {
            "/v1/messages" => Way::Chat(Dialect::Messages),
            "/v1/messages/count_tokens" => Way::Count,
            "/v1/chat/completions" => Way::Chat(Dialect::Completions),
            "/v1/responses" => Way::Chat(Dialect::Responses),
            "/v1/embeddings" => Way::Embeddings,
            "/v1/models" => Way::Models,
            _ => {
                let name = path.strip_prefix("/v1/models/")?;
                return (!name.is_empty()).then_some(Way::Model(name));
            }
        })
    }

    pub(super) fn methods(self) -> &'static str {
        match self {
            Way::Models | Way::Model(_) => "GET",
            _ => "POST",
        }
    }
}

pub(super) fn nowhere() -> Refusal {
    let error = ToolError::not_found("there is no such endpoint");
    Refusal::new(StatusCode::NOT_FOUND, "nowhere", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_endpoint_or_none() {
        assert_eq!(Way::of("/v1/messages"), Some(Way::Chat(Dialect::Messages)));
        assert_eq!(Way::of("/v1/models/a/b"), Some(Way::Model("a/b")));
        for none in ["/v1/", "/v1/models/", "/v1/messages/", "/v1/completions"] {
            assert_eq!(Way::of(none), None, "{none}");
        }
        assert_eq!(Way::Models.methods(), "GET");
        assert_eq!(Way::Count.methods(), "POST");
    }
}
