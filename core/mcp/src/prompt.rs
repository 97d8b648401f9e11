//! What a server author writes for a prompt: one type, one file.
//!
//! For: a text that a person picks by name to start a conversation with, filled in with the state of the
//! moment. Not for: anything that changes the state.

use std::sync::Arc;

use rmcp::model::JsonObject;
use serde_json::Value;

use crate::decode::{check_size, object_bytes};
use crate::param::is_unfit;
use crate::{Block, CallContext, Completing, Role, ToolError};

/// One prompt of a server whose state is `S`.
pub trait Prompt<S: Send + Sync + 'static>: Send + Sync + 'static {
    /// `verb_noun`, of `[a-z0-9_]`; clients show it as a command.
    const NAME: &'static str;
    /// A few words for people.
    const TITLE: &'static str;
    /// What it is for.
    const DESCRIPTION: &'static str;
    /// What a person may fill in. Clients pass them by position, so order matters.
    const ARGUMENTS: &'static [PromptArgument];
    /// What the caller must be.
    const ROLE: Role = Role::Viewer;
    /// The arguments that [`Prompt::complete`] knows values for.
    const COMPLETES: &'static [&'static str] = &[];

    /// Writes the messages.
    ///
    /// # Errors
    /// As in tools.
    fn messages(
        server: Arc<S>,
        arguments: PromptArguments,
        ctx: CallContext,
    ) -> impl Future<Output = Result<Vec<Message>, ToolError>> + Send;

    /// Values for one of the arguments in [`Prompt::COMPLETES`], the likeliest first.
    ///
    /// # Errors
    /// As in tools.
    fn complete(
        server: Arc<S>,
        completing: Completing,
        ctx: CallContext,
    ) -> impl Future<Output = Result<Vec<String>, ToolError>> + Send {
        let _ = (server, completing, ctx);
        std::future::ready(Ok(Vec::new()))
    }
}

/// One thing a person may fill in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PromptArgument {
    /// Its name.
    pub name: &'static str,
    /// What to write there.
    pub description: &'static str,
    /// Whether the prompt makes no sense without it.
    pub required: bool,
}

/// What was filled in: only known names, and all that are required.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PromptArguments(Vec<(String, String)>);

impl PromptArguments {
    /// What was filled in for `name`, if anything was.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn check(
        given: Option<JsonObject>,
        known: &'static [PromptArgument],
    ) -> Result<Self, ToolError> {
        let given = given.unwrap_or_default();
        check_size(object_bytes(&given))?;
        let filled = given
            .into_iter()
            .map(|(name, value)| check_one(name, value, known))
            .collect::<Result<Vec<_>, _>>()?;
        let missing = known.iter().find(|argument| {
            argument.required && !filled.iter().any(|(name, _)| name == argument.name)
        });
        match missing {
            Some(missing) => Err(ToolError::invalid(format!(
                "{}: is required and missing",
                missing.name
            ))
            .hint(missing.description)),
            None => Ok(PromptArguments(filled)),
        }
    }
}

fn check_one(
    name: String,
    value: Value,
    known: &[PromptArgument],
) -> Result<(String, String), ToolError> {
    if !known.iter().any(|argument| argument.name == name) {
        let names: Vec<&str> = known.iter().map(|argument| argument.name).collect();
        let shown = crate::clip(&name, 80).escape_debug().to_string();
        return Err(ToolError::invalid(format!("unknown argument `{shown}`"))
            .hint(format!("the arguments are: {}", names.join(", "))));
    }
    match value {
        Value::String(text) if !text.chars().any(is_unfit) => Ok((name, text)),
        _ => Err(ToolError::invalid(format!("{name}: expected plain text"))),
    }
}

/// One message of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub(crate) from_user: bool,
    pub(crate) block: Block,
}

impl Message {
    /// What the user says.
    pub fn user(text: impl Into<String>) -> Self {
        Self::user_shows(Block::text(text))
    }

    /// What the user shows: a picture, a resource.
    pub fn user_shows(block: Block) -> Self {
        Message {
            from_user: true,
            block,
        }
    }

    /// What the assistant is made to have said.
    pub fn assistant(text: impl Into<String>) -> Self {
        Message {
            from_user: false,
            block: Block::text(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KNOWN: &[PromptArgument] = &[
        PromptArgument {
            name: "path",
            description: "Where the roadmap is.",
            required: true,
        },
        PromptArgument {
            name: "tone",
            description: "How to write.",
            required: false,
        },
    ];

    fn check(given: Value) -> Result<PromptArguments, ToolError> {
        PromptArguments::check(given.as_object().cloned(), KNOWN)
    }

    #[test]
    fn arguments_are_known_text_and_complete() {
        assert_eq!(check(json!({"path": "a"})).unwrap().get("path"), Some("a"));
        assert_eq!(check(json!({"path": "a"})).unwrap().get("tone"), None);
        for (given, word) in [
            (json!({}), "path: is required"),
            (json!({"path": 1}), "path: expected plain text"),
            (json!({"path": "a\u{7}"}), "path: expected plain text"),
            (
                json!({"path": "a", "b\u{1b}": "c"}),
                "unknown argument `b\\u{1b}`",
            ),
            (json!({"path": "a".repeat(2 << 20)}), "bytes; at most"),
        ] {
            let error = check(given).unwrap_err();
            assert!(error.message.contains(word), "{}", error.message);
        }
    }
}
