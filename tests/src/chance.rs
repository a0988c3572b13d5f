//! Chance: numbers that look random and are the same for one seed on every machine.

/// A stream of numbers from a seed (`SplitMix64`, Steele, Lea and Flood 2014). Not for secrets.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The stream of this seed.
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `n`; nought where `n` is.
    pub fn below(&mut self, n: u64) -> u64 {
        u64::try_from((u128::from(self.next()) * u128::from(n)) >> 64).unwrap_or(0)
    }

    /// A position in a list of this length; nought where it is empty.
    pub fn index(&mut self, length: usize) -> usize {
        let n = u64::try_from(length).unwrap_or(u64::MAX);
        usize::try_from(self.below(n)).unwrap_or(0)
    }

    /// Whether something happens that does so that often in a thousand times.
    pub fn happens(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of a list that is not empty.
    pub fn one_of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.index(list.len())]
    }

    /// One of a list that is not empty, each as often as its weight says.
    pub fn weighted<'a, T>(&mut self, list: &'a [(u64, T)]) -> &'a T {
        let mut left = self.below(list.iter().map(|(weight, _)| weight).sum());
        let found = list.iter().find(|(weight, _)| {
            let is_it = left < *weight;
            left = left.saturating_sub(*weight);
            is_it
        });
        &found.unwrap_or(&list[0]).1
    }

    /// How often something happens in a row that does so that often in ten thousand times.
    pub fn run(&mut self, per_myriad: u64) -> u64 {
        let mut n = 0;
        while n < 10_000 && self.below(10_000) < per_myriad {
            n += 1;
        }
        n
    }

    /// That many decimal digits.
    pub fn digits(&mut self, n: usize) -> String {
        (0..n).map(|_| char::from(b"0123456789"[self.index(10)])).collect()
    }

    /// Puts a list into another order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.index(last + 1));
        }
    }
}

/// Ranks below a number, the first ones more often: rank `r` with weight `1 / (r + flat)`, as words
/// and names are distributed (Zipf and Mandelbrot).
#[derive(Debug, Clone)]
pub struct Ranks(Vec<u64>);

impl Ranks {
    /// The ranks below `n`, which is at least 1; the higher `flat`, the more alike.
    pub fn new(n: usize, flat: u64) -> Self {
        let mut sum = 0;
        let weights = (flat.max(1)..).take(n.max(1));
        let sums = weights.map(|place| {
            sum += 1_000_000_000 / place;
            sum
        });
        Self(sums.collect())
    }

    /// One of the ranks.
    pub fn draw(&self, chance: &mut Chance) -> usize {
        let at = chance.below(self.0.last().copied().unwrap_or(1));
        self.0.partition_point(|sum| *sum <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_numbers_of_the_paper() {
        let mut chance = Chance::seeded(1_234_567);
        assert_eq!(
            [chance.next(), chance.next()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
    }

    #[test]
    fn the_first_ranks_come_more_often_and_all_come() {
        let (mut chance, ranks, mut seen) = (Chance::seeded(1), Ranks::new(5, 1), [0_u32; 5]);
        (0..5_000).for_each(|_| seen[ranks.draw(&mut chance)] += 1);
        assert!(seen.windows(2).all(|pair| pair[0] > pair[1]), "{seen:?}");
        assert!(seen[4] > 200, "{seen:?}");
    }

    #[test]
    fn a_list_in_another_order_has_the_same_members() {
        let mut list: Vec<u32> = (0..100).collect();
        Chance::seeded(7).shuffle(&mut list);
        assert!(!list.is_sorted());
        list.sort_unstable();
        assert_eq!(list, (0..100).collect::<Vec<_>>());
    }
}
