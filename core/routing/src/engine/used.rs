//! What an attempt used, by how it ended.
//! For: what is counted and paid, decided from what was seen. Not for: prices.

use callboard_limits::{Estimate, Verdict};
use callboard_telemetry::{Counted, Tokens, Usage};

use super::estimate;
use crate::chat::{Charged, Event, Finish, Part, Reply, known};
use crate::failure::{Failure, FailureKind};

/// What was seen of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Seen {
    /// What the provider said that was used; of several times the last.
    pub(super) usage: Option<Usage>,
    /// What it said that its price depends on, beside tokens.
    pub(super) charged: Charged,
    /// The model that answered.
    pub(super) model: Option<String>,
    /// Why it ended, in the provider's word, or ours where it has none.
    pub(super) finish: Option<String>,
    /// The provider's id for the request.
    pub(super) request_id: Option<String>,
    /// How many answers were asked for; of those in one piece, the first is read.
    pub(super) answers: u64,
    /// Thousandths of tokens of what came, by our estimate.
    said: u64,
    /// The words that came, where they are kept.
    pub(super) words: Option<String>,
}

impl Seen {
    /// Nothing yet. `keeps`: the answer's words are remembered.
    pub(super) fn new(keeps: bool) -> Seen {
        Seen {
            words: keeps.then(String::new),
            answers: 1,
            ..Seen::default()
        }
    }

    /// The next event of a streamed answer.
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::Started { model, .. } => self.model.clone_from(model),
            Event::Text { text } | Event::Refusal { text } => self.says(text),
            Event::Thinking { text } => self.said += estimate::thousandths(text.as_bytes()),
            Event::ToolCallStarted { name, .. } => self.says(&format!("\n[calls {name}] ")),
            Event::ToolCallDelta { arguments, .. } => self.says(arguments),
            Event::Kept(_) | Event::Image(_) => {}
            Event::Usage(usage) => self.usage = known(*usage),
            Event::Charged(charged) => self.charged.clone_from(charged),
            Event::Finished { finish, word } => self.finishes(*finish, word.as_ref()),
        }
    }

    /// A whole answer.
    pub(super) fn reply(&mut self, reply: &Reply) {
        self.model.clone_from(&reply.model);
        self.usage = reply.usage;
        self.charged.clone_from(&reply.charged);
        self.request_id.clone_from(&reply.request_id);
        self.finishes(reply.finish, reply.finish_word.as_ref());
        for part in &reply.parts {
            match part {
                Part::Text { text, .. } | Part::Refusal { text } => self.says(text),
                Part::Thinking { text, .. } => self.said += estimate::thousandths(text.as_bytes()),
                Part::ToolCall {
                    name, arguments, ..
                } => self.says(&format!("\n[calls {name}] {arguments}")),
                Part::Image(_) | Part::ToolResult { .. } => {}
            }
        }
        self.said = self.said.saturating_mul(self.answers);
    }

    fn finishes(&mut self, finish: Finish, word: Option<&String>) {
        let word = word.map_or(finish.as_str(), String::as_str);
        self.finish = Some(word.to_owned());
    }

    pub(super) fn says(&mut self, text: &str) {
        self.said += estimate::thousandths(text.as_bytes());
        if let Some(words) = &mut self.words {
            words.push_str(text);
        }
    }

    fn said(&self) -> u64 {
        self.said.div_ceil(1_000)
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ended<'a> {
    /// With a whole answer.
    Well,
    /// With a failure.
    Badly(&'a Failure),
    /// Whoever asked has left.
    Left,
}

/// What is counted for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Used {
    /// It never reached the provider: nothing.
    Nothing,
    /// The provider refused it, for which none takes money: a request.
    Refused,
    /// So many tokens.
    Tokens(Usage),
}

/// What an attempt used. `sent`: the request was on its way.
pub(super) fn used(ended: Ended<'_>, sent: bool, seen: &Seen, estimate: &Estimate) -> Used {
    if let Ended::Badly(failure) = ended {
        if never_arrived(failure) {
            return Used::Nothing;
        }
        if refused(failure) && seen.usage.is_none() && seen.said == 0 {
            return Used::Refused;
        }
    }
    if !sent {
        return Used::Nothing;
    }
    let whole = matches!(ended, Ended::Well);
    Used::Tokens(match seen.usage {
        Some(usage) if whole => usage,
        Some(usage) => so_far(usage, seen.said()),
        None => Usage {
            tokens: Tokens {
                input: estimate.input,
                output: seen.said(),
                ..Tokens::default()
            },
            counted: Counted::Estimated,
        },
    })
}

/// What was used until an answer broke off: some providers say at its beginning what was sent, and nothing of what
/// they said since.
fn so_far(usage: Usage, said: u64) -> Usage {
    if said <= usage.tokens.output {
        return usage;
    }
    Usage {
        tokens: Tokens {
            output: said,
            ..usage.tokens
        },
        counted: Counted::Estimated,
    }
}

fn never_arrived(failure: &Failure) -> bool {
    failure.status.is_none()
        && matches!(
            failure.kind,
            FailureKind::Connect
                | FailureKind::StalledConnect
                | FailureKind::WrongUrl
                | FailureKind::BadRequest
                | FailureKind::BadKey
        )
}

/// An error in the place of an answer, or a page of somebody else.
fn refused(failure: &Failure) -> bool {
    let status = failure
        .status
        .is_some_and(|status| !(200..300).contains(&status));
    status || failure.kind == FailureKind::NotJson
}

/// What it says of the provider's health.
pub(super) fn verdict(ended: Ended<'_>, now: i64) -> Verdict<'static> {
    /// No pause that a provider asks for is longer than a day.
    const LONGEST_MS: u64 = 24 * 60 * 60 * 1_000;
    let failure = match ended {
        Ended::Well => return Verdict::Succeeded,
        Ended::Left => return Verdict::Nothing,
        Ended::Badly(failure) => failure,
    };
    if failure.counts_for_breaker() {
        return Verdict::Failed(failure.kind.as_str());
    }
    let limited = matches!(
        failure.kind,
        FailureKind::RateLimited | FailureKind::QuotaExhausted
    );
    match failure.retry_after_ms {
        Some(ms) if limited => {
            let ms = i64::try_from(ms.min(LONGEST_MS)).unwrap_or(0);
            Verdict::Cool(now + ms)
        }
        _ => Verdict::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESTIMATE: Estimate = Estimate {
        input: 100,
        output: 500,
        cost: None,
    };

    fn failure(kind: FailureKind, status: Option<u16>) -> Failure {
        let mut failure = Failure::new(kind, "x");
        failure.status = status;
        failure
    }

    fn usage(input: u64, output: u64, counted: Counted) -> Usage {
        let tokens = Tokens {
            input,
            output,
            ..Tokens::default()
        };
        Usage { tokens, counted }
    }

    fn estimated(input: u64, output: u64) -> Used {
        Used::Tokens(usage(input, output, Counted::Estimated))
    }

    #[test]
    fn what_never_arrived_costs_nothing_and_what_was_refused_no_tokens() {
        let seen = Seen::new(false);
        for (kind, status, expected) in [
            (FailureKind::Connect, None, Used::Nothing),
            (FailureKind::WrongUrl, None, Used::Nothing),
            (FailureKind::BadRequest, None, Used::Nothing),
            (FailureKind::BadRequest, Some(400), Used::Refused),
            (FailureKind::RateLimited, Some(429), Used::Refused),
            (FailureKind::Server, Some(500), Used::Refused),
            (FailureKind::NotJson, Some(200), Used::Refused),
            // Nobody knows what was done for these.
            (FailureKind::Server, Some(200), estimated(100, 0)),
            (FailureKind::Truncated, None, estimated(100, 0)),
            (FailureKind::StalledFirstByte, None, estimated(100, 0)),
        ] {
            let failure = failure(kind, status);
            let used = used(Ended::Badly(&failure), true, &seen, &ESTIMATE);
            assert_eq!(used, expected, "{kind} {status:?}");
        }
        assert_eq!(used(Ended::Left, false, &seen, &ESTIMATE), Used::Nothing);
        assert_eq!(used(Ended::Left, true, &seen, &ESTIMATE), estimated(100, 0));
    }

    #[test]
    fn what_was_said_counts_where_the_provider_did_not_come_to_say_it() {
        let mut seen = Seen::new(true);
        seen.event(&Event::Text {
            text: "a".repeat(1_000),
        });
        assert_eq!(seen.words.as_ref().map(String::len), Some(1_000));
        assert_eq!(
            used(Ended::Left, true, &seen, &ESTIMATE),
            estimated(100, 270)
        );
        assert_eq!(
            used(Ended::Well, true, &seen, &ESTIMATE),
            estimated(100, 270)
        );
        let said = usage(90, 1, Counted::Reported);
        seen.event(&Event::Usage(said));
        assert_eq!(
            used(Ended::Left, true, &seen, &ESTIMATE),
            estimated(90, 270)
        );
        let whole = usage(90, 400, Counted::Reported);
        seen.event(&Event::Usage(whole));
        for ended in [Ended::Left, Ended::Well] {
            let used = used(ended, true, &seen, &ESTIMATE);
            assert_eq!(used, Used::Tokens(whole));
        }
        let server = failure(FailureKind::Server, Some(500));
        let used = used(Ended::Badly(&server), true, &seen, &ESTIMATE);
        assert_eq!(used, Used::Tokens(whole));
    }

    #[test]
    fn only_the_providers_own_trouble_counts_against_it_and_limits_cool() {
        let mut limited = failure(FailureKind::RateLimited, Some(429));
        assert_eq!(verdict(Ended::Badly(&limited), 5), Verdict::Nothing);
        limited.retry_after_ms = Some(1_000);
        assert_eq!(verdict(Ended::Badly(&limited), 5), Verdict::Cool(1_005));
        let server = failure(FailureKind::Server, Some(500));
        assert_eq!(verdict(Ended::Badly(&server), 5), Verdict::Failed("server"));
        for kind in [FailureKind::BadKey, FailureKind::BadRequest] {
            let failure = failure(kind, Some(400));
            assert_eq!(verdict(Ended::Badly(&failure), 5), Verdict::Nothing);
        }
        assert_eq!(verdict(Ended::Well, 5), Verdict::Succeeded);
        assert_eq!(verdict(Ended::Left, 5), Verdict::Nothing);
    }
}
