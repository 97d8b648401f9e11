//! What was said in both directions, for the report of a failure.

use std::collections::{BTreeSet, VecDeque};
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

/// Words that no report may show.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets(Arc<Mutex<BTreeSet<String>>>);

impl Secrets {
    /// Remembers the secret of a header, if it is one.
    pub(crate) fn header(&self, name: &str, value: &str) {
        let name = name.to_ascii_lowercase();
        if ![
            "authorization",
            "proxy-authorization",
            "cookie",
            "x-api-key",
        ]
        .contains(&name.as_str())
        {
            return;
        }
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = value
            .split_once(' ')
            .map_or(value, |(_, secret)| secret.trim());
        // A short word would blot out half the report.
        if secret.len() >= 6 {
            words.insert(secret.to_owned());
        }
    }

    /// The text without them.
    pub(crate) fn mask(&self, text: &str) -> String {
        // Those of the vault first: they have names.
        let text = callboard_redact::scrub(text).into_owned();
        let words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        words
            .iter()
            .fold(text, |text, secret| text.replace(secret.as_str(), "***"))
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
        secrets.header("Authorization", "Bearer cb_abcdef123456");
        secrets.header("X-Plain", "visible-value");
        assert_eq!(
            secrets.mask("got Bearer cb_abcdef123456, visible-value"),
            "got Bearer ***, visible-value"
        );
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
