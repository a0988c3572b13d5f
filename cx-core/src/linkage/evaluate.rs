//! How good a division into persons is, where the truth is known.

use std::collections::BTreeMap;

use serde::Serialize;

/// Pairwise quality: of all pairs of records that are, or are said to be, one person's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quality {
    /// How many pairs are said to be one person's and are.
    pub right: u64,
    /// How many pairs are said to be one person's.
    pub found: u64,
    /// How many pairs are one person's.
    pub true_pairs: u64,
    /// Of those found, the share that is right; 1 where nothing is found.
    pub precision: f64,
    /// Of those that are, the share that is found; 1 where there are none.
    pub recall: f64,
    /// F with precision counting twice as much as recall (van Rijsbergen 1979, beta 0.5).
    pub f05: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
}

/// Compares persons with the truth, row by row. Counted on the sizes of groups and their overlaps,
/// so that time is O(n log n) for n rows.
pub fn quality(persons: &[u32], truth: &[u32]) -> Quality {
    let pairs = |sizes: &BTreeMap<(u32, u32), u64>| -> u64 {
        sizes.values().map(|n| n * n.saturating_sub(1) / 2).sum()
    };
    let mut found: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    let mut there: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    let mut both: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for (person, known) in persons.iter().zip(truth) {
        *found.entry((*person, 0)).or_insert(0) += 1;
        *there.entry((*known, 0)).or_insert(0) += 1;
        *both.entry((*person, *known)).or_insert(0) += 1;
    }
    of(pairs(&both), pairs(&found), pairs(&there))
}

/// The quality that these counts of pairs give.
pub fn of(right: u64, found: u64, true_pairs: u64) -> Quality {
    let float = |n: u64| {
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a count of pairs")]
        let n = n as f64;
        n
    };
    let share = |part: u64, whole: u64| if whole == 0 { 1.0 } else { float(part) / float(whole) };
    let (precision, recall) = (share(right, found), share(right, true_pairs));
    let f = |beta: f64| {
        let squared = beta * beta;
        let below = squared * precision + recall;
        if below == 0.0 { 0.0 } else { (1.0 + squared) * precision * recall / below }
    };
    Quality { right, found, true_pairs, precision, recall, f05: f(0.5), f1: f(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted_not_records() {
        let quality = quality(&[0, 0, 0, 3, 3], &[1, 1, 2, 2, 2]);
        assert_eq!((quality.right, quality.found, quality.true_pairs), (2, 4, 4));
        assert!((quality.precision - 0.5).abs() < 1e-9 && (quality.f1 - 0.5).abs() < 1e-9);
    }

    #[test]
    fn nothing_found_is_precise_and_finds_nothing() {
        let quality = quality(&[0, 1, 2], &[7, 7, 7]);
        assert!(
            (quality.precision - 1.0).abs() < 1e-9
                && quality.recall.abs() < 1e-9
                && quality.f1.abs() < 1e-9
        );
    }
}
