//! What of a call its price depends on, beside its tokens.
//!
//! For: tiers of service and tools that the provider runs, as a request asks for them or an answer says that they were
//! used. Not for: what they cost.

use std::collections::BTreeMap;

use callboard_telemetry::Mode;
use serde::{Deserialize, Serialize};

/// Tiers by which a call is an ordinary one, whoever answers it: as OpenAI, Anthropic and Groq call theirs.
const ORDINARY_TIERS: [&str; 5] = ["auto", "default", "standard", "standard_only", "on_demand"];
/// Speeds by which it is.
const ORDINARY_SPEEDS: [&str; 1] = ["standard"];
/// Places where it is: anywhere, or nobody can choose.
const ORDINARY_PLACES: [&str; 2] = ["global", "not_available"];
/// Tools whose every use an answer reports. Of any other it is only known that it was there.
pub(crate) const COUNTED: [&str; 2] = ["web_search", "web_fetch"];

/// What a request asks for, or what an answer reports. What nobody said is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Charged {
    /// The tier of service (`service_tier`).
    pub tier: Option<String>,
    /// The speed (Anthropic's `speed`).
    pub speed: Option<String>,
    /// Where it is answered (Anthropic's `inference_geo`).
    pub place: Option<String>,
    /// Tools that the provider runs, and how often: asked, at most so often; `None`: nobody can say.
    pub tools: BTreeMap<String, Option<u64>>,
}

impl Charged {
    /// Whether nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Charged::default()
    }

    /// What was asked for, as far as the answer does not say that it was otherwise.
    #[must_use]
    pub fn after(&self, said: &Charged) -> Charged {
        // Who says "auto" does not say which.
        let tier = said.tier.as_ref().filter(|tier| *tier != "auto");
        let mut tools = said.tools.clone();
        for name in self.tools.keys() {
            let times = COUNTED.contains(&name.as_str()).then_some(0);
            tools.entry(name.clone()).or_insert(times);
        }
        Charged {
            tier: tier.or(self.tier.as_ref()).cloned(),
            speed: said.speed.as_ref().or(self.speed.as_ref()).cloned(),
            place: said.place.as_ref().or(self.place.as_ref()).cloned(),
            tools,
        }
    }

    /// The same as rows and prices know it.
    #[must_use]
    pub fn mode(&self) -> Mode {
        let mut mode = Mode::STANDARD;
        let said = |word: &Option<String>, ordinary: &[&str]| {
            let word = word.clone()?;
            (!ordinary.contains(&word.as_str())).then_some(word)
        };
        if let Some(tier) = said(&self.tier, &ORDINARY_TIERS) {
            mode.in_tier(&tier);
        }
        if let Some(speed) = said(&self.speed, &ORDINARY_SPEEDS) {
            mode.in_tier(&format!("speed:{speed}"));
        }
        if let Some(place) = said(&self.place, &ORDINARY_PLACES) {
            mode.in_tier(&format!("inference_geo:{place}"));
        }
        for (tool, times) in &self.tools {
            if *times != Some(0) {
                mode.uses(tool, *times);
            }
        }
        mode
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tier(word: &str) -> Charged {
        Charged {
            tier: Some(word.to_owned()),
            ..Charged::default()
        }
    }

    fn tools(tools: &[(&str, Option<u64>)]) -> Charged {
        let named = |(name, times): &(&str, Option<u64>)| ((*name).to_owned(), *times);
        Charged {
            tools: tools.iter().map(named).collect(),
            ..Charged::default()
        }
    }

    #[test]
    fn the_answer_says_which_tier_it_was() {
        let none = Charged::default();
        for (asked, said, mode) in [
            (none.clone(), none.clone(), ""),
            (tier("auto"), tier("default"), ""),
            (tier("standard_only"), none.clone(), ""),
            (tier("on_demand"), none.clone(), ""),
            (tier("flex"), none.clone(), "flex"),
            (tier("flex"), tier("flex"), "flex"),
            (tier("flex"), tier("auto"), "flex"),
            // Too much was asked of it, and the ordinary price is paid.
            (tier("priority"), tier("default"), ""),
            // A setting of the account's.
            (none.clone(), tier("priority"), "priority"),
            (tier("auto"), tier("priority"), "priority"),
            (none.clone(), tier("scale"), "scale"),
            (none.clone(), tier("so new"), "other"),
        ] {
            assert_eq!(
                asked.after(&said).mode().to_string(),
                mode,
                "{asked:?} {said:?}"
            );
        }
        let elsewhere = Charged {
            speed: Some("fast".to_owned()),
            place: Some("us".to_owned()),
            ..tier("standard")
        };
        let mode = elsewhere.mode().to_string();
        assert_eq!(mode, "inference_geo:us speed:fast");
        let back = Charged {
            speed: Some("standard".to_owned()),
            place: Some("not_available".to_owned()),
            ..Charged::default()
        };
        assert!(elsewhere.after(&back).mode().is_standard());
    }

    #[test]
    fn the_answer_says_how_often_a_tool_was_used_that_is_counted() {
        let none = Charged::default();
        for (asked, said, mode) in [
            (tools(&[("web_search", Some(8))]), none.clone(), ""),
            (
                tools(&[("web_search", None)]),
                tools(&[("web_search", Some(3))]),
                "web_search=3",
            ),
            (
                none.clone(),
                tools(&[("web_search", Some(1))]),
                "web_search=1",
            ),
            (
                tools(&[("code_execution", None)]),
                none.clone(),
                "code_execution=?",
            ),
            (
                tools(&[("code_execution", None), ("web_fetch", None)]),
                tools(&[("web_fetch", Some(2)), ("web_search", Some(0))]),
                "code_execution=? web_fetch=2",
            ),
        ] {
            assert_eq!(
                asked.after(&said).mode().to_string(),
                mode,
                "{asked:?} {said:?}"
            );
        }
        assert_eq!(
            tools(&[("web_search", None)]).mode().to_string(),
            "web_search=?"
        );
    }
}
