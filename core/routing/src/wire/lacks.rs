//! What a wire has no words for, seen before a request is written in it.
//! For: passing somebody over by name while another one is left. Not for: what a model can do; its offer says that.

use serde::de::IgnoredAny;

use super::Wire;
use crate::chat::{Chat, Image, Part, Role, ToolChoice};

impl Wire {
    /// What of a chat this wire has no words for; then [`Wire::encode`] refuses it. Not looked at is what
    /// [`fit`](crate::gateway::fit) bends, nor the model's name.
    #[must_use]
    pub fn lacks(self, chat: &Chat) -> Option<String> {
        let wish = wishes(self, chat).into_iter().find(|(_, wished)| *wished);
        if let Some((what, _)) = wish {
            return Some(what.to_owned());
        }
        let mut messages = chat.messages.iter();
        messages.find_map(|message| {
            let mut parts = message.parts.iter();
            parts.find_map(|part| in_part(self, chat, message.role, part))
        })
    }
}

/// What is not in every wire, and whether the chat wants it.
fn wishes(wire: Wire, chat: &Chat) -> Vec<(&'static str, bool)> {
    let sampling = &chat.sampling;
    let alone = chat.parallel_tools == Some(false) && !chat.tools.is_empty();
    let one_tool = "way to call one tool at a time";
    match wire {
        Wire::OpenAi => vec![("top_k", sampling.top_k.is_some())],
        Wire::Anthropic => vec![
            ("seed", sampling.seed.is_some()),
            ("frequency_penalty", sampling.frequency_penalty.is_some()),
            ("presence_penalty", sampling.presence_penalty.is_some()),
        ],
        Wire::Gemini => vec![(one_tool, alone)],
        Wire::Ollama => {
            let forced = matches!(chat.tool_choice, ToolChoice::Any | ToolChoice::Named(_));
            let offered = chat.tool_choice == ToolChoice::Auto;
            vec![
                ("way to force a tool call", forced),
                (one_tool, alone && offered),
            ]
        }
    }
}

fn in_part(wire: Wire, chat: &Chat, role: Role, part: &Part) -> Option<String> {
    let misplaced = |whose: &str| Some(format!("{} of {whose}", part.kind()));
    match (wire, role, part) {
        (Wire::OpenAi, Role::Assistant, Part::Image(_) | Part::ToolResult { .. }) => {
            misplaced("the model's")
        }
        (
            Wire::OpenAi,
            Role::User,
            Part::Thinking { .. } | Part::ToolCall { .. } | Part::Refusal { .. },
        ) => misplaced("the caller's"),
        (Wire::Gemini | Wire::Ollama, _, Part::Image(Image::Url { .. })) => {
            Some("picture by its address".to_owned())
        }
        (
            Wire::Anthropic | Wire::Gemini | Wire::Ollama,
            _,
            Part::ToolCall {
                name, arguments, ..
            },
        ) => (!is_object(arguments))
            .then(|| format!("words for a call of {name} whose arguments are no JSON object")),
        (
            _,
            _,
            Part::ToolResult {
                id, name, parts, ..
            },
        ) => {
            if wire == Wire::Gemini && name.is_empty() && !is_called(chat, id) {
                return Some(format!("words for the result {id}, which is of no call"));
            }
            parts.iter().find_map(|told| match told {
                Part::Text { .. } | Part::Image(_) => in_part(wire, chat, Role::User, told),
                other => Some(format!("{} in a tool result", other.kind())),
            })
        }
        _ => None,
    }
}

fn is_called(chat: &Chat, id: &str) -> bool {
    let mut parts = chat.messages.iter().flat_map(|message| &message.parts);
    parts.any(|part| matches!(part, Part::ToolCall { id: known, .. } if known == id))
}

/// Whether arguments are what the wires that want an object take.
fn is_object(arguments: &str) -> bool {
    let text = arguments.trim();
    text.is_empty() || text.starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}
