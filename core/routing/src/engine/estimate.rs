//! How many tokens a chat may have, before anybody counted them.
//!
//! For: a quick guess without a tokenizer. Against the tokenizer of OpenAI's models a quarter of a token for each
//! character is 4 % too low for Rust, 10 % for English prose, 9 % for JSON and 42 % for Chinese and German, so
//! characters count by their kind. What the rest of the error is for a provider's model is learned from what it reports
//! (`callboard_limits::Factor`). Not for: what an answer will have; that is bounded by what is allowed.

use crate::chat::{Chat, Image, Output, Part, Reasoning};
use crate::route::Offer;

/// Tokens of an answer where neither the request nor the settings bound it. It is also what Anthropic's wire, which
/// wants a number, is told.
pub const USUAL_OUTPUT: u64 = 8_192;
/// Thousandths of a token that an ASCII character has.
pub(super) const ASCII: u64 = 270;
/// Tokens of a picture whose size is not seen.
const PICTURE: u64 = 1_600;
/// Tokens that a message costs beside its words.
const MESSAGE: u64 = 4;
/// Tokens that a tool costs beside its name, words and schema.
const TOOL: u64 = 12;

/// Tokens of all that a chat sends.
#[must_use]
pub fn input_tokens(chat: &Chat) -> u64 {
    let system = chat.system.iter().map(|words| text(words) + MESSAGE);
    let messages = chat.messages.iter().map(|message| {
        let parts: u64 = message.parts.iter().map(part).sum();
        parts + MESSAGE
    });
    let tools = chat.tools.iter().map(|tool| {
        let schema = tool.parameters.to_string();
        text(&tool.name) + text(&tool.description) + text(&schema) + TOOL
    });
    let output = match &chat.output {
        Output::Schema { schema, .. } => text(&schema.to_string()),
        Output::Text | Output::Json => 0,
    };
    system.sum::<u64>() + messages.sum::<u64>() + tools.sum::<u64>() + output
}

/// The most tokens that an answer may have: as the request says, or as the model allows, or [`USUAL_OUTPUT`]; with a
/// known window never more than is left of it.
#[must_use]
pub fn output_tokens(chat: &Chat, input: u64, offer: &Offer) -> u64 {
    if let Some(asked) = chat.max_output {
        return asked;
    }
    let thoughts = match chat.reasoning {
        Some(Reasoning::Budget(tokens)) => tokens,
        _ => 0,
    };
    let usual = offer.max_output.unwrap_or(USUAL_OUTPUT + thoughts);
    offer
        .window
        .map_or(usual, |window| usual.min(window.saturating_sub(input)))
}

fn part(part: &Part) -> u64 {
    match part {
        Part::Text { text: words, .. } | Part::Refusal { text: words } => text(words),
        Part::Thinking { text: words, kept } => {
            text(words) + kept.as_ref().map_or(0, |kept| text(&kept.payload) / 4)
        }
        Part::Image(image) => picture(image),
        Part::ToolCall {
            name, arguments, ..
        } => text(name) + text(arguments) + MESSAGE,
        Part::ToolResult { parts, .. } => parts.iter().map(self::part).sum::<u64>() + MESSAGE,
    }
}

/// Tokens of words, rounded up.
#[must_use]
pub fn text(words: &str) -> u64 {
    bytes(words.as_bytes())
}

/// The same of UTF-8 that nobody checked.
fn bytes(words: &[u8]) -> u64 {
    thousandths(words).div_ceil(1_000)
}

/// The same in thousandths, which add up.
pub(super) fn thousandths(words: &[u8]) -> u64 {
    let (mut latin, mut letters, mut signs, mut rare) = (0_u64, 0_u64, 0_u64, 0_u64);
    for byte in words {
        latin += u64::from(*byte < 0x80);
        // The first byte of a character says how long it is.
        letters += u64::from(matches!(byte, 0xc0..=0xdf));
        signs += u64::from(matches!(byte, 0xe0..=0xef));
        rare += u64::from(*byte >= 0xf0);
    }
    // ASCII, accented and Greek or Cyrillic letters, Chinese and the like, emoji.
    latin * ASCII + letters * 550 + signs * 900 + rare * 2_000
}

/// By the rule of Anthropic's: a token for 750 pixels, of a picture that is made smaller first if it is large.
fn picture(image: &Image) -> u64 {
    let size = match image {
        Image::Inline { media_type, data } if media_type == "image/png" => png_size(data),
        _ => None,
    };
    size.map_or(PICTURE, |(width, height)| {
        (u64::from(width) * u64::from(height) / 750).clamp(85, PICTURE)
    })
}

/// Width and height, which a PNG has in its first 24 bytes.
fn png_size(base64: &str) -> Option<(u32, u32)> {
    let mut head = [0_u8; 24];
    for (four, three) in base64
        .as_bytes()
        .get(..32)?
        .chunks_exact(4)
        .zip(head.chunks_exact_mut(3))
    {
        let bits = four
            .iter()
            .try_fold(0_u32, |bits, digit| Some(bits << 6 | sextet(*digit)?))?;
        three.copy_from_slice(&bits.to_be_bytes()[1..]);
    }
    let number = |at: usize| {
        let bytes: [u8; 4] = head[at..at + 4].try_into().ok()?;
        Some(u32::from_be_bytes(bytes))
    };
    (head.starts_with(b"\x89PNG\r\n\x1a\n")).then_some((number(16)?, number(20)?))
}

fn sextet(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Message, ToolSpec};

    fn inline(data: &str) -> Part {
        Part::Image(Image::Inline {
            media_type: "image/png".to_owned(),
            data: data.to_owned(),
        })
    }

    #[test]
    fn words_count_by_their_kind() {
        assert_eq!(text(""), 0);
        assert_eq!(text("a"), 1);
        assert_eq!(text(&"a".repeat(1_000)), 270);
        assert_eq!(text(&"č".repeat(1_000)), 550);
        assert_eq!(text(&"漢".repeat(1_000)), 900);
        assert_eq!(text(&"🦀".repeat(1_000)), 2_000);
    }

    #[test]
    fn a_picture_counts_by_its_size_where_that_is_seen() {
        // The head of a PNG of 300 by 500.
        let head = "iVBORw0KGgoAAAANSUhEUgAAASwAAAH0CAYAAAA";
        assert_eq!(png_size(head), Some((300, 500)));
        assert_eq!(part(&inline(head)), 200);
        for unseen in ["", "AAAA", &"A".repeat(64), &"?".repeat(64)] {
            assert_eq!(part(&inline(unseen)), PICTURE, "{unseen:?}");
        }
    }

    #[test]
    fn everything_that_is_sent_counts() {
        let plain = input_tokens(&Chat::ask("m", &"word ".repeat(100)));
        assert_eq!(plain, 135 + MESSAGE);
        let mut chat = Chat::ask("m", &"word ".repeat(100));
        chat.system.push("Be brief.".to_owned());
        chat.tools.push(ToolSpec {
            name: "look".to_owned(),
            description: "Looks.".to_owned(),
            parameters: serde_json::json!({"type": "object"}),
            strict: None,
        });
        chat.messages.push(Message::user("more"));
        chat.messages.push(Message {
            role: crate::chat::Role::User,
            parts: vec![Part::ToolResult {
                id: "t".to_owned(),
                name: String::new(),
                parts: vec![inline("")],
                is_error: false,
            }],
        });
        assert!(input_tokens(&chat) > plain + PICTURE + TOOL);
    }

    #[test]
    fn an_answer_is_bounded_by_the_request_the_model_or_the_usual() {
        let mut chat = Chat::ask("m", "hi");
        let mut offer = Offer::default();
        assert_eq!(output_tokens(&chat, 10, &offer), USUAL_OUTPUT);
        chat.reasoning = Some(Reasoning::Budget(1_000));
        assert_eq!(output_tokens(&chat, 10, &offer), USUAL_OUTPUT + 1_000);
        offer.max_output = Some(2_000);
        assert_eq!(output_tokens(&chat, 10, &offer), 2_000);
        offer.window = Some(1_000);
        assert_eq!(output_tokens(&chat, 10, &offer), 990);
        chat.max_output = Some(7);
        assert_eq!(output_tokens(&chat, 10, &offer), 7);
    }
}
