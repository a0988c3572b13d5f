//! Chance: numbers that look random and are the same for one seed on every machine.

/// A stream of numbers from a seed (`SplitMix64`, Steele, Lea and Flood 2014). Not for secrets.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    /// The stream of this seed.
    #[cfg(test)]
    pub(super) const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// What is always the same of one thing: a stream that depends on the seed and a number.
    pub(super) const fn of(seed: u64, what: u64, number: u64) -> Self {
        let what = what.wrapping_mul(0xd6e8_feb8_6659_fd93);
        Self(seed.wrapping_add(what) ^ number.wrapping_mul(0xa076_1d64_78bd_642f))
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `n`; nought where `n` is.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        u64::try_from((u128::from(self.next()) * u128::from(n)) >> 64).unwrap_or(0)
    }

    /// Whether something happens that does so that often in a thousand times.
    pub(super) fn happens(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of a list; an empty text where the list is empty.
    pub(super) fn one_of(&mut self, list: &[&'static str]) -> &'static str {
        let n = u64::try_from(list.len()).unwrap_or(u64::MAX);
        let position = usize::try_from(self.below(n)).unwrap_or(0);
        list.get(position).copied().unwrap_or_default()
    }

    /// A rank from nought to below `n`, the first the most often, the k-th so often as
    /// `k.powf(-0.8)` says (Zipf's law). In whole numbers, so that it is the same everywhere:
    /// the fifth power of a number that is evenly spread.
    pub(super) fn rank(&mut self, n: u64) -> u64 {
        const ONE: u64 = 1 << 16;
        let fifth = |root: u64| (u128::from(root)).pow(5) >> 80;
        let (mut low, mut high) = (ONE, ONE * 64);
        while low + 1 < high {
            let middle = u64::midpoint(low, high);
            if fifth(middle) <= u128::from(n) { low = middle } else { high = middle }
        }
        let root = ONE + self.below(low - ONE + 1);
        let rank = u64::try_from(fifth(root)).unwrap_or(u64::MAX) - 1;
        rank.min(n.saturating_sub(1))
    }
}
