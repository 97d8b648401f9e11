//! Priority with ageing, as a fixed key.
//!
//! A task's urgency is its priority plus a share of the time it has waited. Because every task ages at
//! the same speed, the order of two tasks never changes while they wait, so it can be stored once:
//! `rank = ready_at - priority * STEP`, smaller first. No time-dependent ORDER BY, one index.

/// How long a task must wait to overtake a newcomer one priority level above it: ten minutes.
pub const STEP_MS: i64 = 10 * 60 * 1000;

/// The highest priority; the lowest is 0.
pub const MAX_PRIORITY: u8 = 10;

/// The key by which ready tasks are ordered, smallest first.
///
/// `ready_at` is in milliseconds since 1970 UTC.
#[must_use]
pub fn rank(ready_at: i64, priority: u8) -> i64 {
    ready_at.saturating_sub(i64::from(priority.min(MAX_PRIORITY)) * STEP_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn more_urgent_goes_first_among_equals() {
        assert!(rank(1_000, 9) < rank(1_000, 3));
    }

    proptest! {
        /// However urgent the newcomers, after `10 * STEP` a task is ahead of every later one.
        #[test]
        fn nothing_waits_for_ever(ready in 0_i64..4_000_000_000_000, mine in 0_u8..=10, theirs in 0_u8..=10) {
            let bound = ready + i64::from(MAX_PRIORITY) * STEP_MS;
            prop_assert!(rank(ready, mine) <= rank(bound, theirs));
        }

        /// Two tasks keep their order: the key does not depend on when it is looked at.
        #[test]
        fn a_step_of_waiting_is_worth_a_level(ready in 0_i64..4_000_000_000_000, p in 0_u8..10) {
            prop_assert_eq!(rank(ready, p), rank(ready + STEP_MS, p + 1));
        }
    }
}
