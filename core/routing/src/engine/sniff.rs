//! What can be seen of a client's body without translating it.
//!
//! For: members that matter here, each by itself, so that an odd one hides no other; and about how many tokens the
//! prompt has. Not for: whether the body is right; its provider says that.

use super::asked;
use super::estimate;
use super::node::Node;
use crate::chat::Charged;
use crate::gateway::Unfit;
use crate::route::Format;
use crate::wire::Wire;

/// Tokens of a picture in a body, whose size is not looked for.
const PICTURE: u64 = 1_600;
/// Characters in base64 for each further token of a document: pages are kilobytes, and a thousand tokens or two.
const DOCUMENT: u64 = 64;
/// The same of a recording: a second is kilobytes, and ten tokens or so.
const RECORDING: u64 = 1_024;

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sniffed {
    /// Whether the answer is wanted as it is made.
    pub(super) stream: bool,
    /// The most tokens of one answer; `None` where none is said that can be read.
    pub(super) most: Option<u64>,
    /// How many answers are wanted.
    pub(super) answers: u64,
    pub(super) tools: bool,
    pub(super) images: bool,
    pub(super) format: Format,
    /// About how many tokens are sent.
    pub(super) tokens: u64,
    /// What it asks for that its price depends on, beside tokens.
    pub(super) charged: Charged,
}

impl Sniffed {
    /// Looks at a body.
    ///
    /// # Errors
    /// When it is no JSON object, or says twice what matters here: who reads it could take either.
    pub(super) fn of(wire: Wire, body: &[u8]) -> Result<Sniffed, Unfit> {
        let whole: Node<'_> =
            serde_json::from_slice(body).map_err(|error| Unfit::NotJson(error.to_string()))?;
        let Node::Map(_) = whole else {
            return Err(Unfit::NotJson("it is another kind of value".to_owned()));
        };
        let member = |key: &'static str| whole.only(key);
        let (mut most, mut open) = (None, false);
        for key in ["max_tokens", "max_completion_tokens", "max_output_tokens"] {
            if let Some(said) = member(key)? {
                let count = said.count();
                open |= count.is_none();
                most = most.max(count);
            }
        }
        let mut answers = 1;
        for key in ["n", "best_of"] {
            if let Some(said) = member(key)? {
                let count = said.count().filter(|count| *count > 0);
                answers = answers.max(count.ok_or_else(|| Unfit::Wrong {
                    at: key.to_owned(),
                    problem: "must be a whole number, 1 or more".to_owned(),
                })?);
            }
        }
        let stream = member("stream")?;
        let tools = member("tools")?;
        let format = member("response_format")?.and_then(|format| format.last("type"));
        let mut files = Files::default();
        if let Some(messages) = member("messages")? {
            for message in messages.list() {
                files.look(message);
            }
        }
        Ok(Sniffed {
            stream: stream.is_some_and(Node::is_true),
            // A number that can't be read may mean that there is no end.
            most: most.filter(|_| !open),
            answers,
            tools: tools.is_some_and(|tools| !tools.list().is_empty()),
            images: files.images,
            format: match format.and_then(Node::text) {
                Some("json_object") => Format::Json,
                Some("json_schema") => Format::Schema,
                _ => Format::Text,
            },
            tokens: files.tokens(body),
            charged: asked::charged(wire, &whole)?,
        })
    }
}

/// Pictures and other files in messages. What they hold are no words, and counts otherwise.
#[derive(Default)]
struct Files {
    images: bool,
    /// Tokens that they have.
    tokens: u64,
    /// Thousandths of tokens that they would have as words.
    as_words: u64,
}

impl Files {
    /// About how many tokens a body has: its names and signs count a little too much, which the correction learns.
    fn tokens(&self, body: &[u8]) -> u64 {
        let words = estimate::thousandths(body).saturating_sub(self.as_words);
        words.div_ceil(1_000).saturating_add(self.tokens)
    }

    /// Looks at a message, or at a part that holds others.
    fn look(&mut self, holder: &Node<'_>) {
        for part in holder.all("content").flat_map(Node::list) {
            self.part(part);
        }
    }

    fn part(&mut self, part: &Node<'_>) {
        // Of a type that is said twice either may be meant.
        for kind in part.all("type").filter_map(Node::text) {
            let (name, per, picture) = match kind {
                "image" => ("source", u64::MAX, true),
                "image_url" | "input_image" => ("image_url", u64::MAX, true),
                "document" => ("source", DOCUMENT, false),
                "file" => ("file", DOCUMENT, false),
                "input_file" => ("file_data", DOCUMENT, false),
                "input_audio" => ("input_audio", RECORDING, false),
                "tool_result" => {
                    self.look(part);
                    continue;
                }
                _ => continue,
            };
            self.images |= picture;
            let Some(source) = part.last(name) else {
                continue;
            };
            match source.last("type").and_then(Node::text) {
                // A document that is words, or parts.
                Some("text") => continue,
                Some("content") => self.look(source),
                _ => {
                    let inside = ["url", "data", "file_data"].map(|name| source.last(name));
                    let mut inside = inside.into_iter().flatten().filter_map(Node::text);
                    let data = source.text().or_else(|| inside.next()).unwrap_or("");
                    let long = data.len() as u64 / per;
                    self.tokens = self.tokens.saturating_add(PICTURE).saturating_add(long);
                    self.as_words += estimate::thousandths(data.as_bytes());
                }
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sniffed(body: &str) -> Sniffed {
        Sniffed::of(Wire::OpenAi, body.as_bytes()).unwrap()
    }

    fn refused(body: &str) -> String {
        Sniffed::of(Wire::OpenAi, body.as_bytes())
            .unwrap_err()
            .to_string()
    }

    fn tokens(parts: serde_json::Value) -> u64 {
        let said = json!({"role": "user", "content": parts});
        sniffed(&json!({"model": "m", "messages": [said]}).to_string()).tokens
    }

    #[test]
    fn an_odd_member_hides_no_other() {
        for odd in [
            r#""max_tokens":100.0"#,
            r#""max_tokens":"100""#,
            r#""max_tokens":99.5"#,
            r#""max_tokens":100,"tools":7"#,
            r#""max_tokens":100,"response_format":[]"#,
            r#""max_tokens":100,"x":1,"x":2"#,
            r#""max_tokens":null,"max_completion_tokens":100"#,
            r#""max_tokens":100,"max_completion_tokens":1"#,
            r#""max_tokens":1,"max_completion_tokens":100"#,
            r#""max_tokens":100,"n":null"#,
        ] {
            for on in ["true", "1", r#""true""#] {
                let seen = sniffed(&format!(r#"{{"stream":{on},{odd},"model":"m"}}"#));
                assert!(seen.stream && !seen.tools, "{odd}");
                assert_eq!((seen.most, seen.answers), (Some(100), 1), "{odd}");
            }
        }
        // What may mean that there is no end bounds nothing.
        for open in ["-1", "{}", r#""all""#, "true"] {
            let body = format!(r#"{{"max_tokens":{open},"max_completion_tokens":7}}"#);
            assert_eq!(sniffed(&body).most, None, "{open}");
        }
        assert_eq!(sniffed(r#"{"max_tokens":1e300}"#).most, Some(u64::MAX));
        assert!(!sniffed(r#"{"stream":false}"#).stream && !sniffed("{}").stream);
    }

    #[test]
    fn several_answers_are_counted_and_what_can_mean_either_is_refused() {
        assert_eq!(sniffed(r#"{"n":128,"best_of":3}"#).answers, 128);
        assert_eq!(sniffed(r#"{"n":2.0,"best_of":"9"}"#).answers, 9);
        for n in ["0", "-1", r#""many""#, "[3]", "true"] {
            let said = refused(&format!(r#"{{"n":{n}}}"#));
            assert_eq!(said, "n: must be a whole number, 1 or more");
        }
        for twice in [
            r#"{"max_tokens":1,"max_tokens":9}"#,
            r#"{"stream":true,"\u0073tream":false}"#,
            r#"{"n":1,"n":null}"#,
            r#"{"messages":[],"messages":[]}"#,
        ] {
            assert!(refused(twice).ends_with(": is there twice"), "{twice}");
        }
        for none in ["[]", "7", "", "{", r#"{"a":"\ud800"}"#, r#"{"a":1e999}"#] {
            assert!(refused(none).contains("no JSON object"), "{none}");
        }
        let deep = "[".repeat(500) + &"]".repeat(500);
        assert!(refused(&format!("{{\"a\":{deep}}}")).contains("recursion"));
    }

    #[test]
    fn a_picture_is_seen_however_its_type_is_written() {
        for (part, shows) in [
            (r#"{"type":"image\u005furl"}"#, true),
            (r#"{"type":"image","type":"text"}"#, true),
            (r#"{"\u0074ype":"input_image"}"#, true),
            (
                r#"{"type":"tool_result","content":[{"type":"image"}]}"#,
                true,
            ),
            (r#"{"type":"text","text":"\"type\":\"image\""}"#, false),
            (
                r#"{"type":"tool_use","input":{"content":[{"type":"image"}]}}"#,
                false,
            ),
        ] {
            let body = format!(r#"{{"messages":[{{"content":[{part}]}}]}}"#);
            assert_eq!(sniffed(&body).images, shows, "{part}");
        }
    }

    #[test]
    fn only_files_do_not_count_as_words() {
        let hex = "0123456789abcdef".repeat(2_500);
        let words = estimate::text(&hex);
        assert_eq!(words, 10_800);
        let url = format!("data:image/png;base64,{hex}");
        let inline = json!({"type": "base64", "media_type": "image/png", "data": hex});
        for picture in [
            json!({"type": "image_url", "image_url": {"url": url}}),
            json!({"type": "input_image", "image_url": url}),
            json!({"type": "image", "source": inline}),
            json!({"type": "tool_result", "content": [{"type": "image", "source": inline}]}),
        ] {
            let counted = tokens(json!([picture]));
            let near = PICTURE..PICTURE + 80;
            assert!(near.contains(&counted), "{counted}: {picture}");
        }
        // A document is as long as it is.
        let document = tokens(json!([{"type": "document", "source": inline}]));
        let pages = PICTURE + 40_000 / DOCUMENT;
        assert!(
            (pages..pages + 80).contains(&document),
            "{document}, {pages}"
        );
        for text in [
            json!(hex),
            json!([{"type": "text", "text": hex}]),
            json!([{"type": "text", "text": "x", "image_url": {"url": hex}}]),
            json!([{"type": "document", "source": {"type": "text", "data": hex}}]),
            json!([{"type": "tool_use", "input": {"type": "image", "source": inline}}]),
            json!([{"type": "redacted_thinking", "data": hex}]),
        ] {
            assert!(tokens(text.clone()) >= words, "{text}");
        }
        let elsewhere =
            json!({"image": hex, "input": [hex], "tools": [{"type": "image", "source": inline}]});
        assert!(sniffed(&elsewhere.to_string()).tokens >= 3 * words);
    }
}
