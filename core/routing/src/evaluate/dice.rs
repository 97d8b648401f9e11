//! Numbers by chance, the same for the same seed.
//! For: resampling and replays that can be repeated. Not for: secrets.

/// A stream of them (SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The stream of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// The stream of these words (their hash is FNV-1a).
    #[must_use]
    pub fn of(words: &[&str]) -> Dice {
        // A byte that is in no text ends each word.
        let bytes = words.iter().flat_map(|word| word.bytes().chain([0xff]));
        Dice(bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `most`; 0 when that is 0.
    pub fn below(&mut self, most: usize) -> usize {
        // The bias of the product's upper half is below one in 2^40 for what is counted here.
        let wide = u128::from(self.next()) * (most as u128);
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// From 0 up to, but not, 1.
    pub fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let part = (self.next() >> 11) as f64;
        part / (1_u64 << 53) as f64
    }
}
