//! A chat as text, for those who keep the texts of calls.
//! For: reading it later. Not for: asking again; pictures and what providers sealed are only named.

use std::fmt::Write as _;

use crate::chat::{Chat, Part, Role};

/// The whole conversation.
pub(super) fn of(chat: &Chat) -> String {
    let mut text = String::new();
    for words in &chat.system {
        let _ = writeln!(text, "[system] {words}");
    }
    for message in &chat.messages {
        let role = match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        for part in &message.parts {
            let _ = write!(text, "[{role}] ");
            add(&mut text, part);
            text.push('\n');
        }
    }
    text
}

fn add(text: &mut String, part: &Part) {
    match part {
        Part::Text { text: words, .. }
        | Part::Thinking { text: words, .. }
        | Part::Refusal { text: words } => text.push_str(words),
        Part::Image(_) => text.push_str("[picture]"),
        Part::ToolCall {
            name, arguments, ..
        } => {
            let _ = write!(text, "[calls {name}] {arguments}");
        }
        Part::ToolResult { name, parts, .. } => {
            let _ = write!(text, "[{name} answers] ");
            parts.iter().for_each(|part| add(text, part));
        }
    }
}
