//! Typed ids that sort by time.
//!
//! For: `t_01jb…`: a prefix that names the kind, then a UUIDv7 (RFC 9562, section 5.7) as 26 characters
//! of lowercase Crockford base32. Not for: secrets; ids are unique, not unguessable.

use std::sync::{Arc, Mutex, PoisonError};

use crate::random::Random;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// The 74 bits of a UUIDv7 that are neither time, version nor variant.
const TAIL_BITS: u32 = 74;
const TAIL_MASK: u128 = (1 << TAIL_BITS) - 1;
const MAX_TIME: i64 = (1 << 48) - 1;

/// A source of ids; clones share it. Within one millisecond each id is greater than the one before.
#[derive(Debug, Clone)]
pub struct Ids(Arc<Mutex<Source>>);

#[derive(Debug)]
struct Source {
    random: Random,
    last_ms: i64,
    tail: u128,
}

impl Ids {
    /// Ids that no other process makes.
    #[must_use]
    pub fn system() -> Self {
        Self::from(Random::from_system())
    }

    /// The same ids for the same seed and the same calls, for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::from(Random::seeded(seed))
    }

    /// The next id: `prefix` followed by 26 characters. `now_ms` is milliseconds since 1970 UTC; ids
    /// made at a later time sort after those made earlier.
    #[must_use]
    pub fn next(&self, prefix: &str, now_ms: i64) -> String {
        let now_ms = now_ms.clamp(0, MAX_TIME);
        let tail = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .tail(now_ms);
        encode(prefix, uuid_v7(now_ms, tail))
    }

    fn from(random: Random) -> Self {
        Self(Arc::new(Mutex::new(Source {
            random,
            last_ms: -1,
            tail: 0,
        })))
    }
}

impl Source {
    /// Fresh random bits in a new millisecond; within one, a random step upwards, so that two
    /// processes that started alike do not walk on together.
    fn tail(&mut self, now_ms: i64) -> u128 {
        if now_ms == self.last_ms {
            let step = (self.random.next() >> 32) + 1;
            self.tail = (self.tail + u128::from(step)) & TAIL_MASK;
        } else {
            let wide = (u128::from(self.random.next()) << 64) | u128::from(self.random.next());
            // The top bit stays clear: room for 2^41 steps before the order could break.
            self.tail = wide & (TAIL_MASK >> 1);
            self.last_ms = now_ms;
        }
        self.tail
    }
}

fn uuid_v7(now_ms: i64, tail: u128) -> u128 {
    let time = u128::from(now_ms.unsigned_abs()) << 80;
    let high = (tail >> 62) << 64;
    let low = tail & ((1 << 62) - 1);
    time | (0x7 << 76) | high | (0b10 << 62) | low
}

fn encode(prefix: &str, value: u128) -> String {
    let mut id = String::with_capacity(prefix.len() + 26);
    id.push_str(prefix);
    for position in (0..26).rev() {
        let digit = usize::try_from((value >> (position * 5)) & 31).unwrap_or(0);
        id.push(char::from(ALPHABET[digit]));
    }
    id
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const NOW: i64 = 1_790_000_000_123;

    fn decode(id: &str) -> uuid::Uuid {
        let value = id.bytes().fold(0_u128, |value, digit| {
            let digit = ALPHABET.iter().position(|&other| other == digit).unwrap();
            (value << 5) | u128::try_from(digit).unwrap()
        });
        uuid::Uuid::from_u128(value)
    }

    #[test]
    fn an_id_is_a_prefix_and_a_uuid_of_version_7() {
        let id = Ids::system().next("t_", NOW);
        let (prefix, rest) = id.split_at(2);
        assert_eq!((prefix, rest.len()), ("t_", 26));
        let uuid = decode(rest);
        assert_eq!(uuid.get_version_num(), 7);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
        let (seconds, nanos) = uuid.get_timestamp().unwrap().to_unix();
        let millis = i64::try_from(seconds).unwrap() * 1000 + i64::from(nanos) / 1_000_000;
        assert_eq!(millis, NOW);
    }

    #[test]
    fn ids_sort_by_time_and_within_a_millisecond_by_order() {
        for ids in [Ids::system(), Ids::seeded(1)] {
            let mut made: Vec<String> = (0..10_000).map(|_| ids.next("", NOW)).collect();
            made.extend((1..1_000).map(|later| ids.next("", NOW + later)));
            assert!(made.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn a_seed_fixes_the_ids() {
        let made = |seed| {
            let ids = Ids::seeded(seed);
            [
                ids.next("a_", NOW),
                ids.next("b_", NOW),
                ids.next("a_", NOW + 1),
            ]
        };
        assert_eq!(made(7), made(7));
        assert_ne!(made(7), made(8));
    }

    #[test]
    fn ids_of_many_threads_and_sources_are_unique() {
        let shared = Ids::system();
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let ids = if n % 2 == 0 {
                    shared.clone()
                } else {
                    Ids::system()
                };
                std::thread::spawn(move || {
                    (0..10_000).map(|_| ids.next("", NOW)).collect::<Vec<_>>()
                })
            })
            .collect();
        let made: Vec<String> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), 80_000);
    }

    #[test]
    fn times_that_do_not_fit_are_clamped() {
        let ids = Ids::seeded(1);
        let (least, most) = (ids.next("", i64::MIN), ids.next("", i64::MAX));
        assert!(least < ids.next("", NOW));
        assert!(ids.next("", NOW) < most);
    }
}
