//! Values that say which models are asked, where, and for how much.
//! For: what is allowed, and the check of one text. Not for: what the values mean to each other.

use super::{Kind, Value};
use crate::duration::{format_duration, parse_duration};
use crate::environment::check_passed_name;
use crate::error::shown;
use crate::forms::{is_label, micro_dollars, offset_minutes, target, wrong_url};
use crate::nearest::did_you_mean;
use crate::template::Template;
use std::time::Duration;

impl Kind {
    /// What is allowed, to follow "expected".
    pub(super) fn allowed_of_models(&self) -> String {
        match self {
            Self::Labels => "short texts in quotes, like [\"eu\", \"us\"]".to_owned(),
            Self::Choices(words) => format!("an array with some of {}", words.join(", ")),
            Self::Target => "a provider and a model, like \"anthropic/claude-haiku-4-5\"".to_owned(),
            Self::Targets => {
                "providers with models, like [\"anthropic/claude-haiku-4-5\", \"ollama/llama3.2:3b\"]"
                    .to_owned()
            }
            Self::BaseUrl => {
                "an address that begins with https://, or http:// on this machine, without user, password and query"
                    .to_owned()
            }
            Self::VariableName => {
                "the name of an environment variable, like \"OPENAI_API_KEY\"".to_owned()
            }
            Self::Secret => {
                "a secret of the vault by its name, like \"${vault:NAME}\"".to_owned()
            }
            Self::HeaderValue => {
                "a text in quotes on one line; \"${vault:NAME}\" in it stands for a secret".to_owned()
            }
            Self::Money => "dollars, like \"5.00\", at most 1000000".to_owned(),
            Self::ShortTime(least, most) => format!(
                "a length of time with its unit from {} to {}, like \"500ms\" or \"30s\"",
                format_duration(Duration::from_millis(*least)),
                format_duration(Duration::from_millis(*most))
            ),
            Self::Offset => "how far a clock is ahead of UTC, like \"+02:00\" or \"Z\"".to_owned(),
            _ => "a short text in quotes, on one line".to_owned(),
        }
    }

    /// Checks a value given as text. What may be a secret is not in the message.
    pub(super) fn check_of_models(&self, text: &str) -> Result<Value, String> {
        match self {
            Self::BaseUrl => match wrong_url(text.trim()) {
                None => Ok(Value::Text(text.trim().to_owned())),
                Some(why) => {
                    let key = text.contains(['@', '?', '#']);
                    let hint = if key {
                        " (a key belongs into `key`)"
                    } else {
                        ""
                    };
                    Err(format!("{why}{hint}; expected {}", self.allowed()))
                }
            },
            Self::Target if target(text).is_some() => Ok(Value::Text(text.to_owned())),
            Self::VariableName => match check_passed_name(text) {
                Ok(()) => Ok(Value::Text(text.to_owned())),
                // Somebody may have put the key itself here.
                Err(_) => Err(format!("this is none: expected {}", self.allowed())),
            },
            Self::Secret => {
                let template = Template::parse(text)?;
                if template.names().is_empty() {
                    return Err(
                        "a key does not stand in a file: store it with `callboard vault set NAME` and write \
                         \"${vault:NAME}\" here, or name an environment variable in key_env"
                            .to_owned(),
                    );
                }
                Ok(Value::Template(template))
            }
            Self::HeaderValue if text.contains(char::is_control) => Err(format!(
                "it has control characters; expected {}",
                self.allowed()
            )),
            Self::HeaderValue => Template::parse(text).map(Value::Template),
            Self::Money => micro_dollars(text)
                .map(Value::Money)
                .ok_or_else(|| self.found(text)),
            Self::ShortTime(least, most) => {
                let allowed = Duration::from_millis(*least)..=Duration::from_millis(*most);
                parse_duration(text)
                    .ok()
                    .filter(|length| allowed.contains(length))
                    .map(Value::Time)
                    .ok_or_else(|| self.found(text))
            }
            Self::Offset => offset_minutes(text)
                .map(Value::Offset)
                .ok_or_else(|| self.found(text)),
            Self::Label if is_label(text) => Ok(Value::Text(text.to_owned())),
            _ => Err(self.found(text)),
        }
    }

    pub(super) fn words_of_models(&self, words: &[String]) -> Result<(), String> {
        for (at, word) in words.iter().enumerate() {
            let hint = match self {
                Self::Choices(known) if !known.contains(&word.as_str()) => {
                    did_you_mean(word, known.iter().copied())
                        .map(|near| format!("; did you mean {near:?}?"))
                        .or_else(|| Some(String::new()))
                }
                Self::Targets if target(word).is_none() => Some(String::new()),
                Self::Labels if !is_label(word) => Some(String::new()),
                _ => None,
            };
            if let Some(hint) = hint {
                return Err(self.found(word) + &hint);
            }
            if words[..at].contains(word) {
                return Err(format!("{:?} stands there twice", shown(word)));
            }
        }
        Ok(())
    }
}
