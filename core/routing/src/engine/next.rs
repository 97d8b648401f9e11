//! What comes after a failure.

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, FailureKind};

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Patience {
    /// How often the same candidate is asked again.
    pub retries: u32,
    /// Milliseconds before the first time; each further pause is twice as long.
    pub pause_ms: u64,
    /// Milliseconds that a pause has at most. One that asks for a longer one is not waited for: whoever asked hears that
    /// at once, and when to come back.
    pub longest_pause_ms: u64,
    /// Milliseconds to wait for one candidate while there is another one; a longer pause that it asks for sends the
    /// call on.
    pub waits_beside_others_ms: u64,
    /// Whether an answer may begin anew after a part of it was handed on. Whoever reads along gets that part twice.
    pub restarts: bool,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            retries: 2,
            pause_ms: 250,
            longest_pause_ms: 8_000,
            waits_beside_others_ms: 1_000,
            restarts: false,
        }
    }
}

/// Where a call stands when a candidate fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plight {
    /// How often this candidate was asked again before.
    pub retried: u32,
    /// Whether another candidate is left.
    pub others: bool,
    /// Milliseconds until the call's deadline; `None`: it has none.
    pub left_ms: Option<u64>,
    /// Milliseconds that this candidate has left, all its retries together.
    pub here_ms: u64,
    /// 0 to 999: where in the second half of a pause this one ends, so that callers that failed together do not come
    /// back together.
    pub jitter: u64,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The same candidate, after a pause.
    Again {
        /// Milliseconds.
        after_ms: u64,
    },
    /// The next candidate, at once.
    Another,
    /// The call ends with this failure.
    Over,
}

/// Decides by the failure, the time that is left and who else there is.
#[must_use]
pub fn next(patience: &Patience, failure: &Failure, plight: &Plight) -> Step {
    if failure.after_bytes && !patience.restarts {
        return Step::Over;
    }
    if let Some(after_ms) = pause(patience, failure, plight) {
        return Step::Again { after_ms };
    }
    if failure.kind.may_fail_over() && plight.others && plight.left_ms != Some(0) {
        return Step::Another;
    }
    Step::Over
}

/// The pause before the same candidate is asked again, if that makes sense.
fn pause(patience: &Patience, failure: &Failure, plight: &Plight) -> Option<u64> {
    if !failure.kind.may_retry() || plight.retried >= patience.retries {
        return None;
    }
    // A limit without a word about its end is not over in a moment.
    let asks_for_a_pause = failure.kind == FailureKind::RateLimited;
    if plight.others && asks_for_a_pause && failure.retry_after_ms.is_none() {
        return None;
    }
    let doubled = patience
        .pause_ms
        .saturating_mul(1 << plight.retried.min(20));
    let own = doubled.min(patience.longest_pause_ms);
    // Between half and all of it, but never before the provider says.
    let own = own / 2 + own / 2 * plight.jitter.min(999) / 999;
    let after_ms = own.max(failure.retry_after_ms.unwrap_or(0));
    let longest = match plight.others {
        true => patience.waits_beside_others_ms,
        false => patience.longest_pause_ms,
    };
    let too_long = after_ms > longest;
    let left_ms = plight.left_ms.unwrap_or(u64::MAX);
    let too_late = after_ms >= left_ms.min(plight.here_ms);
    (!too_long && !too_late).then_some(after_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert, proptest};
    use proptest::strategy::Strategy as _;

    fn failure(kind: FailureKind) -> Failure {
        Failure::new(kind, "x")
    }

    fn cooling(after_ms: u64) -> Failure {
        let mut failure = failure(FailureKind::RateLimited);
        failure.retry_after_ms = Some(after_ms);
        failure
    }

    const ALONE: Plight = Plight {
        retried: 0,
        others: false,
        left_ms: None,
        here_ms: 600_000,
        jitter: 999,
    };
    const BESIDE: Plight = Plight {
        others: true,
        ..ALONE
    };

    const RETRIED: Plight = Plight {
        retried: 2,
        ..BESIDE
    };

    fn left(left_ms: u64, plight: Plight) -> Plight {
        Plight {
            left_ms: Some(left_ms),
            ..plight
        }
    }

    fn after(failure: &Failure, plight: Plight) -> Step {
        next(&Patience::default(), failure, &plight)
    }

    #[test]
    fn what_may_pass_is_tried_again_after_growing_pauses() {
        let server = failure(FailureKind::Server);
        let once = Plight {
            retried: 1,
            ..BESIDE
        };
        let alone = Plight {
            others: false,
            ..RETRIED
        };
        assert_eq!(after(&server, BESIDE), Step::Again { after_ms: 250 });
        assert_eq!(after(&server, once), Step::Again { after_ms: 500 });
        assert_eq!(after(&server, RETRIED), Step::Another);
        assert_eq!(after(&server, alone), Step::Over);
        assert_eq!(after(&server, left(200, BESIDE)), Step::Another);
        assert_eq!(after(&server, left(200, ALONE)), Step::Over);
        assert_eq!(after(&server, left(0, BESIDE)), Step::Over);
    }

    #[test]
    fn a_provider_that_asks_for_a_pause_gets_it_or_is_passed_over() {
        assert_eq!(after(&cooling(900), BESIDE), Step::Again { after_ms: 900 });
        assert_eq!(after(&cooling(20_000), BESIDE), Step::Another);
        let waits = Step::Again { after_ms: 8_000 };
        assert_eq!(after(&cooling(8_000), ALONE), waits);
        assert_eq!(after(&cooling(8_000), left(8_000, ALONE)), Step::Over);
        // Nobody is held for as long as a provider likes.
        assert_eq!(after(&cooling(8_001), ALONE), Step::Over);
        assert_eq!(after(&cooling(u64::MAX), ALONE), Step::Over);
        let silent = failure(FailureKind::RateLimited);
        assert_eq!(after(&silent, BESIDE), Step::Another);
        assert_eq!(after(&silent, ALONE), Step::Again { after_ms: 250 });
    }

    #[test]
    fn a_candidate_has_its_time_for_all_its_retries() {
        let server = failure(FailureKind::Server);
        let spent = |here_ms, plight| Plight { here_ms, ..plight };
        assert_eq!(after(&server, spent(250, ALONE)), Step::Over);
        assert_eq!(after(&server, spent(250, BESIDE)), Step::Another);
        assert_eq!(after(&server, spent(0, BESIDE)), Step::Another);
        let again = Step::Again { after_ms: 250 };
        assert_eq!(after(&server, spent(251, ALONE)), again);
    }

    #[test]
    fn what_no_other_can_mend_ends_the_call() {
        let bad_key = failure(FailureKind::BadKey);
        assert_eq!(after(&bad_key, BESIDE), Step::Another);
        assert_eq!(after(&bad_key, ALONE), Step::Over);
        for kind in [
            FailureKind::BadRequest,
            FailureKind::Cancelled,
            FailureKind::Deadline,
        ] {
            assert_eq!(after(&failure(kind), BESIDE), Step::Over, "{kind}");
        }
    }

    #[test]
    fn what_was_handed_on_begins_anew_only_if_that_is_wanted() {
        let mut cut = failure(FailureKind::Truncated);
        cut.after_bytes = true;
        assert_eq!(after(&cut, BESIDE), Step::Over);
        let restarts = Patience {
            restarts: true,
            ..Patience::default()
        };
        let step = next(&restarts, &cut, &BESIDE);
        assert_eq!(step, Step::Again { after_ms: 250 });
    }

    proptest! {
        #[test]
        fn pauses_are_bounded_end_in_time_and_never_come_too_early(
            kind in (0..FailureKind::ALL.len()).prop_map(|at| FailureKind::ALL[at]),
            retry_after_ms in proptest::option::of(0..100_000_u64),
            retried in 0..40_u32,
            others in any::<bool>(),
            left_ms in proptest::option::of(0..100_000_u64),
            here_ms in 0..100_000_u64,
            jitter in any::<u64>(),
        ) {
            let patience = Patience { retries: 30, ..Patience::default() };
            let mut failure = failure(kind);
            failure.retry_after_ms = retry_after_ms;
            let plight = Plight { retried, others, left_ms, here_ms, jitter };
            match next(&patience, &failure, &plight) {
                Step::Again { after_ms } => {
                    prop_assert!(kind.may_retry() && retried < 30);
                    prop_assert!(after_ms <= patience.longest_pause_ms && after_ms < here_ms);
                    prop_assert!(retry_after_ms.is_none_or(|asked| after_ms >= asked));
                    prop_assert!(left_ms.is_none_or(|left| after_ms < left));
                    prop_assert!(!others || after_ms <= patience.waits_beside_others_ms);
                }
                Step::Another => prop_assert!(others && kind.may_fail_over()),
                Step::Over => prop_assert!(!others || !kind.may_fail_over() || left_ms == Some(0)),
            }
        }
    }
}
