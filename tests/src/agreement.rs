//! How well a division of things into groups agrees with the truth: counted in pairs.

use std::collections::BTreeMap;

/// Pairs of things: those put together, those that belong together, and those that are both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pairs {
    /// Put together, rightly.
    pub right: u64,
    /// Put together.
    pub found: u64,
    /// Belong together.
    pub wanted: u64,
}

impl Pairs {
    /// Counts the pairs of things of which each has a group and a truth. Every pair that the groups
    /// imply counts. Time is O(n log n): pairs are counted from the sizes of groups.
    ///
    /// ```
    /// use cx_tests::agreement::Pairs;
    /// let pairs = Pairs::of([(1, "ann"), (1, "ann"), (1, "bob"), (2, "bob")]);
    /// assert_eq!(pairs, Pairs { right: 1, found: 3, wanted: 2 });
    /// assert!((pairs.recall() - 0.5).abs() < 1e-9);
    /// ```
    pub fn of<G: Ord + Copy, T: Ord + Copy>(things: impl IntoIterator<Item = (G, T)>) -> Self {
        let mut cells: BTreeMap<(G, T), u64> = BTreeMap::new();
        for cell in things {
            *cells.entry(cell).or_insert(0) += 1;
        }
        let (mut groups, mut truths) = (BTreeMap::new(), BTreeMap::new());
        for ((group, truth), n) in &cells {
            *groups.entry(*group).or_insert(0) += n;
            *truths.entry(*truth).or_insert(0) += n;
        }
        let pairs = |sizes: &mut dyn Iterator<Item = u64>| sizes.map(|n| n * (n - 1) / 2).sum();
        Self {
            right: pairs(&mut cells.into_values()),
            found: pairs(&mut groups.into_values()),
            wanted: pairs(&mut truths.into_values()),
        }
    }

    /// The share of the pairs put together that belong together; 1 where none was.
    pub fn precision(&self) -> f64 {
        share(self.right, self.found)
    }

    /// The share of the pairs that belong together that were put together; 1 where none do.
    pub fn recall(&self) -> f64 {
        share(self.right, self.wanted)
    }

    /// The harmonic mean of both (van Rijsbergen 1979); 0 where both are.
    pub fn f1(&self) -> f64 {
        let (p, r) = (self.precision(), self.recall());
        if p + r > 0.0 { 2.0 * p * r / (p + r) } else { 0.0 }
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { float(part) / float(whole) }
}

/// A count as a float, to 53 bits.
pub fn float(n: u64) -> f64 {
    let half = |bits: u64| f64::from(u32::try_from(bits & 0xffff_ffff).unwrap_or(u32::MAX));
    half(n >> 32) * 4_294_967_296.0 + half(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_group_of_all_finds_everything_and_is_mostly_wrong() {
        let pairs = Pairs::of((0..10_u32).map(|n| (0, n / 2)));
        assert_eq!(pairs, Pairs { right: 5, found: 45, wanted: 5 });
        assert!((pairs.recall() - 1.0).abs() < 1e-12);
        assert!((pairs.precision() - 1.0 / 9.0).abs() < 1e-12);
    }

    #[test]
    fn nobody_with_anybody_is_precise_and_finds_nothing() {
        let pairs = Pairs::of((0..10_u32).map(|n| (n, n / 2)));
        assert_eq!((pairs.precision(), pairs.recall(), pairs.f1()), (1.0, 0.0, 0.0));
    }

    #[test]
    fn a_great_count_keeps_its_size() {
        assert!((float(3_000_000_000_000) - 3e12).abs() < 1.0);
    }
}
