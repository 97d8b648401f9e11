//! What was said in both directions, for the report of a failure.

use serde_json::Value;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many messages are kept.
const KEPT: usize = 400;
/// How much of one message is kept, in bytes.
const LONGEST: usize = 4_000;

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Sent,
    Received,
    Noted,
}

impl Way {
    pub(crate) fn arrow(self) -> &'static str {
        match self {
            Way::Sent => "->",
            Way::Received => "<-",
            Way::Noted => "--",
        }
    }
}

/// A shorter word would blot out half the report.
const SHORTEST: usize = 6;

/// Words that no report may show, the longest first: one may begin with another.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets(Arc<Mutex<Words>>);

type Words = BTreeSet<(Reverse<usize>, String)>;

impl Secrets {
    /// Remembers the secrets of headers: what their names tell, and whatever is from the caller's environment.
    pub(crate) fn headers(&self, headers: &BTreeMap<String, String>, env: &BTreeSet<String>) {
        for (name, value) in headers {
            self.header(&name.to_ascii_lowercase(), value);
            env.iter()
                .filter(|from_env| value.contains(from_env.as_str()))
                .for_each(|from_env| self.add(from_env));
        }
    }

    fn header(&self, name: &str, value: &str) {
        match name {
            // What stands before the blank is the scheme.
            "authorization" | "proxy-authorization" => {
                self.add(value.split_once(' ').map_or(value, |(_, secret)| secret));
            }
            "cookie" => value.split(';').for_each(|pair| {
                let worth = pair.split_once('=').map_or(pair, |(_, worth)| worth);
                self.add(worth);
                self.add(worth.trim().trim_matches('"'));
            }),
            _ if ["token", "api-key", "secret"]
                .iter()
                .any(|end| name.ends_with(end)) =>
            {
                self.add(value);
            }
            _ => {}
        }
    }

    fn add(&self, secret: &str) {
        let secret = secret.trim();
        if secret.len() < SHORTEST {
            return;
        }
        let quoted = Value::from(secret).to_string();
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // As it is, and as it stands in a message.
        for word in [secret, &quoted[1..quoted.len() - 1]] {
            words.insert((Reverse(word.len()), word.to_owned()));
        }
    }

    /// The text without them.
    pub(crate) fn mask(&self, text: &str) -> String {
        // Those of the vault first: they have names.
        let text = callboard_redact::scrub(text).into_owned();
        let words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        words.iter().fold(text, |text, (_, secret)| {
            text.replace(secret.as_str(), "***")
        })
    }
}

/// The last messages of one connection.
#[derive(Debug)]
pub(crate) struct Traffic {
    began: Instant,
    entries: Mutex<VecDeque<(Duration, Way, String)>>,
}

impl Traffic {
    pub(crate) fn new(began: Instant) -> Traffic {
        Traffic {
            began,
            entries: Mutex::new(VecDeque::new()),
        }
    }

    pub(crate) fn add(&self, way: Way, text: &str) {
        // Before it is cut: half a secret is not found any more.
        let text = callboard_redact::scrub(text.trim_end_matches(['\n', '\r']));
        let mut kept: String = text.chars().take(LONGEST).collect();
        if kept.len() < text.len() {
            kept.push_str(&format!("… ({} bytes)", text.len()));
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back((self.began.elapsed(), way, kept));
    }

    /// The last `count` messages, a line each.
    pub(crate) fn last(&self, count: usize) -> Vec<String> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = entries.len().saturating_sub(count);
        entries
            .iter()
            .skip(skipped)
            .map(|(at, way, text)| format!("{:>8.3} {} {text}", at.as_secs_f64(), way.arrow()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_headers_are_masked_everywhere() {
        let secrets = Secrets::default();
        let headers = [
            ("Authorization", "Bearer cb_abcdef123456"),
            (
                "Cookie",
                "session=s3cr3t-one; theme=dark-mode; id=\"qu\\oted-1\"",
            ),
            ("X-Auth-Token", "token of words"),
            ("X-Api-Key", "cb_abcdef123456-and-more"),
            ("X-Plain", "visible-value v1-from-env"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let env = BTreeSet::from(["from-env".to_owned(), "elsewhere".to_owned()]);
        secrets.headers(&headers.into(), &env);
        for (text, masked) in [
            (
                "got Bearer cb_abcdef123456, visible-value",
                "got Bearer ***, visible-value",
            ),
            (
                "session=s3cr3t-one; theme=dark-mode",
                "session=***; theme=***",
            ),
            (r#"{"id": "\"qu\\oted-1\""}"#, r#"{"id": "***"}"#),
            (r"it is qu\oted-1", "it is ***"),
            ("a token of words", "a ***"),
            ("cb_abcdef123456-and-more", "***"),
            ("v1-from-env, not elsewhere", "v1-***, not elsewhere"),
        ] {
            assert_eq!(secrets.mask(text), masked);
        }
    }

    #[test]
    fn only_the_last_are_kept_and_long_ones_are_cut() {
        let traffic = Traffic::new(Instant::now());
        for n in 0..500 {
            traffic.add(Way::Sent, &format!("{n}"));
        }
        traffic.add(Way::Received, &"x".repeat(10_000));
        let last = traffic.last(2);
        assert!(last[0].ends_with("-> 499"), "{last:?}");
        assert!(last[1].contains("(10000 bytes)") && last[1].len() < 5_000);
        assert_eq!(traffic.last(1_000).len(), 400);
    }
}
