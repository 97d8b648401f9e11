//! Small, fast, seedable random numbers (SplitMix64: Steele, Lea, Flood, "Fast splittable
//! pseudorandom number generators", 2014).
//!
//! For: spreading waits and filling ids. Not for: secrets; whoever sees one id can guess others.

/// A stream of random numbers.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The same numbers for the same seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// Other numbers in every process and every call.
    pub(crate) fn from_system() -> Self {
        Self(system_seed())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

fn system_seed() -> u64 {
    let mut bytes = [0; 8];
    // Asks for less than 256 bytes, so it fills all of them or none. Without it (a kernel that forbids
    // the call) the standard library's own random keys must do.
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(8) => u64::from_ne_bytes(bytes),
        _ => hasher_seed(),
    }
}

fn hasher_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}
