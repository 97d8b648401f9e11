//! How often somebody may come: one bucket for each, of which a request takes a piece and which fills up
//! again with time.
//!
//! For: requests of a token, requests of an address without one. Not for: quotas over days. The table is
//! bounded: whoever comes when it is full of the busy shares a bucket with all others who do.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Buckets at most.
const BUCKETS: usize = 4_096;
/// What may come at once, in seconds of the rate.
const BURST_SECONDS: f64 = 5.0;

pub(super) struct Limit<K> {
    per_second: u32,
    state: Mutex<State<K>>,
}

struct State<K> {
    buckets: HashMap<K, Bucket>,
    others: Bucket,
}

struct Bucket {
    left: f64,
    at_ms: i64,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    /// `per_second` requests each, five seconds' worth at once; 0 means no limit.
    pub(super) fn new(per_second: u32) -> Self {
        Limit {
            per_second,
            state: Mutex::new(State {
                buckets: HashMap::new(),
                others: Bucket::full(per_second),
            }),
        }
    }

    /// Takes one request of `who`, or says when to come again.
    pub(super) fn take(&self, now_ms: i64, who: &K) -> Result<(), Duration> {
        let rate = self.per_second;
        if rate == 0 {
            return Ok(());
        }
        // A number in a table is sound whoever panicked while holding it.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { buckets, others } = &mut *state;
        if buckets.len() >= BUCKETS && !buckets.contains_key(who) {
            buckets.retain(|_, bucket| !bucket.is_full_at(rate, now_ms));
        }
        let bucket = if buckets.len() < BUCKETS || buckets.contains_key(who) {
            buckets.entry(who.clone()).or_insert_with(|| Bucket {
                at_ms: now_ms,
                ..Bucket::full(rate)
            })
        } else {
            others
        };
        bucket.take(rate, now_ms)
    }
}

impl Bucket {
    fn full(rate: u32) -> Self {
        Bucket {
            left: capacity(rate),
            at_ms: 0,
        }
    }

    fn is_full_at(&self, rate: u32, now_ms: i64) -> bool {
        self.refilled(rate, now_ms) >= capacity(rate)
    }

    /// A clock that was set back gives nothing and takes nothing.
    fn refilled(&self, rate: u32, now_ms: i64) -> f64 {
        let waited_ms = u32::try_from(now_ms.saturating_sub(self.at_ms).max(0)).unwrap_or(u32::MAX);
        (self.left + f64::from(waited_ms) / 1_000.0 * f64::from(rate)).min(capacity(rate))
    }

    fn take(&mut self, rate: u32, now_ms: i64) -> Result<(), Duration> {
        self.left = self.refilled(rate, now_ms);
        self.at_ms = now_ms;
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.left) / f64::from(rate)))
    }
}

fn capacity(rate: u32) -> f64 {
    f64::from(rate) * BURST_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000_000;

    #[test]
    fn five_seconds_worth_at_once_then_as_many_as_time_gives() {
        let limit = Limit::new(2);
        for _ in 0..10 {
            assert_eq!(limit.take(NOW, &"a"), Ok(()));
        }
        assert_eq!(limit.take(NOW, &"a"), Err(Duration::from_millis(500)));
        assert_eq!(limit.take(NOW, &"b"), Ok(()), "each has its own");
        assert_eq!(limit.take(NOW + 500, &"a"), Ok(()));
        assert!(limit.take(NOW + 500, &"a").is_err());
        assert_eq!(limit.take(NOW + 3_600_000, &"a"), Ok(()));
    }

    #[test]
    fn a_clock_set_back_does_not_lock_anybody_out() {
        let limit = Limit::new(1);
        assert_eq!(limit.take(NOW, &"a"), Ok(()));
        for _ in 0..4 {
            assert_eq!(limit.take(NOW - 9_000_000, &"a"), Ok(()));
        }
        assert!(limit.take(NOW - 9_000_000, &"a").is_err());
        assert_eq!(limit.take(NOW - 9_000_000 + 1_000, &"a"), Ok(()));
    }

    #[test]
    fn nought_is_no_limit() {
        let limit = Limit::new(0);
        assert!((0..10_000).all(|_| limit.take(NOW, &"a").is_ok()));
    }

    #[test]
    fn the_table_is_bounded_and_the_busy_do_not_push_each_other_out() {
        let limit = Limit::new(1);
        for who in 0..BUCKETS {
            assert_eq!(limit.take(NOW, &who), Ok(()));
        }
        let strangers = (BUCKETS..BUCKETS + 100).filter(|who| limit.take(NOW, who).is_ok());
        assert_eq!(strangers.count(), 5, "they share one bucket");
        assert_eq!(limit.state.lock().unwrap().buckets.len(), BUCKETS);
        // The rest have come back to full by then, and make room.
        assert_eq!(limit.take(NOW + 1_000, &(BUCKETS + 7)), Ok(()));
        assert_eq!(limit.state.lock().unwrap().buckets.len(), 1);
    }
}
