//! What a client's body asks for that has a price of its own.
//!
//! For: tiers of service, and tools that the provider runs, in the words of each wire. A tool of a kind that is new counts
//! as one whose price nobody knows. Not for: what it costs.

use std::collections::BTreeMap;

use super::node::Node;
use crate::chat::{COUNTED, Charged};
use crate::gateway::Unfit;
use crate::wire::Wire;

/// Anthropic's tools, without their versions, that the client runs or a server of somebody else's: they cost their tokens.
const ELSEWHERE: [&str; 6] = [
    "custom",
    "bash",
    "text_editor",
    "computer",
    "memory",
    "mcp_toolset",
];
/// Since this version, searching and fetching bring the running of code with them, for nothing.
const BRINGS_CODE: &str = "20260209";

/// What `body` asks for.
///
/// # Errors
/// When it says twice, or not in a word, what the price depends on.
pub(super) fn charged(wire: Wire, body: &Node<'_>) -> Result<Charged, Unfit> {
    let tier = word(body, "service_tier")?;
    let tools = body.only("tools")?.map_or(&[][..], Node::list);
    if wire == Wire::Anthropic {
        return Ok(Charged {
            tier,
            speed: word(body, "speed")?,
            place: word(body, "inference_geo")?,
            tools: anthropic(tools),
        });
    }
    Ok(Charged {
        tier,
        tools: openai(body, tools)?,
        ..Charged::default()
    })
}

fn word(body: &Node<'_>, key: &'static str) -> Result<Option<String>, Unfit> {
    let said = body.only(key)?;
    let wrong = || Unfit::Wrong {
        at: key.to_owned(),
        problem: "must be a word".to_owned(),
    };
    said.map(|said| said.text().map(str::to_owned).ok_or_else(wrong))
        .transpose()
}

/// Each kind of each tool: of one that is said twice either may be meant.
fn kinds<'b>(tools: &'b [Node<'b>]) -> impl Iterator<Item = (&'b Node<'b>, &'b str)> {
    tools.iter().flat_map(|tool| {
        let kinds = tool.all("type").filter_map(Node::text);
        kinds.map(move |kind| (tool, kind))
    })
}

fn anthropic<'b>(tools: &'b [Node<'b>]) -> BTreeMap<String, Option<u64>> {
    let mut found = BTreeMap::new();
    let mut code_is_free = false;
    for (tool, kind) in kinds(tools) {
        let (name, version) = versioned(kind);
        if ELSEWHERE.contains(&name) {
            continue;
        }
        let counted = COUNTED.contains(&name);
        code_is_free |= counted && version >= BRINGS_CODE;
        // The same tool twice may be used as often as both say.
        let most = most(tool).filter(|_| counted);
        let sum = |before: &mut Option<u64>| {
            *before = before
                .zip(most)
                .map(|(one, other)| one.saturating_add(other));
        };
        found.entry(name.to_owned()).and_modify(sum).or_insert(most);
    }
    if code_is_free {
        found.remove("code_execution");
    }
    found
}

/// A tool's name without its version: `web_search_20250305`.
fn versioned(kind: &str) -> (&str, &str) {
    let dated = |(_, version): &(&str, &str)| {
        version.len() == 8 && version.bytes().all(|byte| byte.is_ascii_digit())
    };
    kind.rsplit_once('_').filter(dated).unwrap_or((kind, ""))
}

/// How often it may be used, where that is said once.
fn most(tool: &Node<'_>) -> Option<u64> {
    let said = tool.only("max_uses").ok()??;
    said.count()
}

fn openai(body: &Node<'_>, tools: &[Node<'_>]) -> Result<BTreeMap<String, Option<u64>>, Unfit> {
    let mut found = BTreeMap::new();
    // OpenAI's, xAI's, OpenRouter's.
    for key in ["web_search_options", "search_parameters", "plugins"] {
        if body.only(key)?.is_some() {
            found.insert(key.to_owned(), None);
        }
    }
    for (_, kind) in kinds(tools) {
        if !["function", "custom"].contains(&kind) {
            found.insert(kind.to_owned(), None);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(wire: Wire, body: &str) -> Result<String, String> {
        let body: Node<'_> = serde_json::from_str(body).unwrap();
        let charged = charged(wire, &body).map_err(|unfit| unfit.to_string())?;
        Ok(charged.mode().to_string())
    }

    #[test]
    fn a_body_says_what_has_a_price_of_its_own() {
        for (body, anthropic, openai) in [
            ("{}", "", ""),
            (r#"{"service_tier":null,"tools":null}"#, "", ""),
            (r#"{"service_tier":"auto"}"#, "", ""),
            (r#"{"service_tier":"flex"}"#, "flex", "flex"),
            (
                r#"{"service\u005ftier":"pri\u006frity"}"#,
                "priority",
                "priority",
            ),
            (r#"{"service_tier":"very special"}"#, "other", "other"),
            (r#"{"speed":"fast"}"#, "speed:fast", ""),
            (
                r#"{"inference_geo":"us","speed":"standard"}"#,
                "inference_geo:us",
                "",
            ),
            (r#"{"tools":[{"name":"x"},{"type":"custom"}]}"#, "", ""),
            (
                r#"{"tools":[{"type":"function","function":{}}]}"#,
                "function=?",
                "",
            ),
            (
                r#"{"tools":[{"type":"bash_20250124"},{"type":"text_editor_20250728"}]}"#,
                "",
                "bash_20250124=? text_editor_20250728=?",
            ),
            (
                r#"{"tools":[{"type":"web_search_20250305","max_uses":8}]}"#,
                "web_search=8",
                "web_search_20250305=?",
            ),
            (
                r#"{"tools":[{"type":"web_search_20250305"},{"type":"code_execution_20250825"}]}"#,
                "code_execution=? web_search=?",
                "code_execution_20250825=? web_search_20250305=?",
            ),
            (
                r#"{"tools":[{"type":"web_search_20260209","max_uses":1},{"type":"code_execution_20260120"}]}"#,
                "web_search=1",
                "code_execution_20260120=? web_search_20260209=?",
            ),
            // What can be read in two ways is read in the dearer one.
            (
                r#"{"tools":[{"type":"custom","type":"web_fetch_20250910","max_uses":1,"max_uses":9}]}"#,
                "web_fetch=?",
                "web_fetch_20250910=?",
            ),
            (
                r#"{"tools":[{"type":"web_search_20250305","max_uses":1},{"type":"web_search_20250305","max_uses":2}]}"#,
                "web_search=3",
                "web_search_20250305=?",
            ),
            (
                r#"{"tools":[{"type":"code_execution_20250825","max_uses":1}]}"#,
                "code_execution=?",
                "code_execution_20250825=?",
            ),
            (r#"{"tools":[{"type":"brand new"}]}"#, "other=?", "other=?"),
            (r#"{"web_search_options":{}}"#, "", "web_search_options=?"),
            (r#"{"plugins":[{"id":"web"}]}"#, "", "plugins=?"),
        ] {
            assert_eq!(
                asked(Wire::Anthropic, body).as_deref(),
                Ok(anthropic),
                "{body}"
            );
            assert_eq!(asked(Wire::OpenAi, body).as_deref(), Ok(openai), "{body}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for (body, says) in [
            (
                r#"{"service_tier":"auto","service_tier":"flex"}"#,
                "service_tier: is there twice",
            ),
            (r#"{"service_tier":1}"#, "service_tier: must be a word"),
            (
                r#"{"service_tier":["flex"]}"#,
                "service_tier: must be a word",
            ),
            (r#"{"speed":{"x":1}}"#, "speed: must be a word"),
        ] {
            assert_eq!(asked(Wire::Anthropic, body), Err(says.to_owned()), "{body}");
        }
    }
}
