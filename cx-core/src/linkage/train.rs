//! Training: what levels weigh in a table, learnt from the table itself.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use super::block::Blocks;
use super::compare::{Comparer, Comparison, Level, Pattern};
use super::model::{ComparisonWeights, FLOOR, LevelWeights, Model, Prior};
use super::table::{Attribute, Table, index};

/// How training is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainOptions {
    /// On how many threads; the outcome is the same.
    pub threads: NonZeroUsize,
    /// Which random pairs are looked at.
    pub seed: u64,
    /// How many times expectation and maximisation take turns at most.
    pub rounds: u32,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self { threads: NonZeroUsize::MIN, seed: 1, rounds: 60 }
    }
}

/// Why nothing can be learnt from a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// There are too few records.
    #[error("{rows} records are too few to learn from")]
    TooFew {
        /// How many there are.
        rows: u32,
    },
    /// The model to begin from states its levels itself, as models of Splink do: they are scored
    /// with, and trained where they were made.
    #[error("a model whose levels are conditions can be scored with, and not trained further")]
    Conditions,
    /// No column says anything of persons.
    #[error("no column says anything that records could be compared by")]
    NothingToCompare,
}

/// How many random pairs say how often levels occur by chance.
const RANDOM_PAIRS: u32 = 100_000;

/// How many pairs of blocks are learnt from, about. Of more every second, third, ... block counts.
const BLOCKED_PAIRS: u64 = 250_000;

/// So many pairs' worth of belief is put in what the model said before.
const BELIEF: f64 = 25.0;

/// Learns how alike the records of one person are in this table, beginning from a model.
///
/// How often levels occur by chance is counted on random pairs (and, for equal values, on the
/// values themselves); how often among records of one person, and how many such pairs there are,
/// by expectation maximisation over the patterns of all blocked pairs. Time is linear in these
/// pairs, and a round in the number of patterns.
///
/// # Errors
/// [`TrainError`] for a table of fewer than two records, or without any usable column.
pub fn train(table: &Table, from: &Model, options: &TrainOptions) -> Result<Model, TrainError> {
    if table.len() < 2 || table.n_pairs() < 1.0 {
        return Err(TrainError::TooFew { rows: table.len() });
    }
    if !from.conditions.is_empty() {
        return Err(TrainError::Conditions);
    }
    let comparisons = Comparison::of(table);
    if comparisons.is_empty() {
        return Err(TrainError::NothingToCompare);
    }
    let mut state = State::new(table, from, &comparisons);
    state.count_chance(table, &comparisons, options.seed);
    let patterns = blocked_patterns(table, &comparisons, options.threads);
    let before = state.chance.clone();
    for _ in 0..options.rounds {
        if !state.round(&patterns, &before) {
            break;
        }
    }
    Ok(state.model(from, table))
}

/// What is believed so far.
struct State {
    comparisons: Vec<Comparison>,
    /// m for each comparison and level.
    alike: Vec<Vec<f64>>,
    /// u for each comparison and level.
    chance: Vec<Vec<f64>>,
    /// What m was before anything was seen.
    believed: Vec<Vec<f64>>,
    probability: f64,
    believed_probability: f64,
    pairs: f64,
}

impl State {
    fn new(table: &Table, from: &Model, comparisons: &[Comparison]) -> Self {
        let column = |comparison: &Comparison, of: fn(&LevelWeights) -> f64| -> Vec<f64> {
            let said = from.of(comparison);
            let level = |level: &Level| {
                let known = said.and_then(|said| said.levels.iter().find(|k| k.level == *level));
                known.map_or(FLOOR, of)
            };
            comparison.levels().iter().map(level).collect()
        };
        let alike: Vec<Vec<f64>> = comparisons.iter().map(|c| column(c, |l| l.m)).collect();
        let chance = comparisons.iter().map(|c| column(c, |l| l.u)).collect();
        let probability = from.probability(f64::from(table.len()), table.n_pairs());
        Self {
            comparisons: comparisons.to_vec(),
            believed: alike.clone(),
            alike,
            chance,
            probability,
            believed_probability: probability,
            pairs: table.n_pairs(),
        }
    }

    /// Counts how often levels occur by chance.
    fn count_chance(&mut self, table: &Table, comparisons: &[Comparison], seed: u64) {
        let comparer = Comparer::new(table, comparisons);
        let mut counts: Vec<Vec<f64>> =
            comparisons.iter().map(|comparison| vec![0.0; comparison.levels().len()]).collect();
        let believed = self.chance.clone();
        // What a row says decides whether it is drawn, and not where it stands.
        let mut rows: Vec<u32> = (0..table.len()).collect();
        rows.sort_by_cached_key(|row| (*row >= table.first(), table.content(*row)));
        let drawn = |n: u32| rows.get(index(n)).copied().unwrap_or(n);
        let mut chance = Chance(seed);
        let wanted =
            RANDOM_PAIRS.min(u32::try_from(u64::from(table.len()) * 40).unwrap_or(u32::MAX));
        for _ in 0..wanted {
            let (a, b) = (drawn(chance.below(table.len())), drawn(chance.below(table.len())));
            if !table.may_meet(a, b) {
                continue;
            }
            let pattern = comparer.pattern(a, b);
            for (position, counts) in counts.iter_mut().enumerate() {
                if let Some(count) = counts.get_mut(pattern.level(position)) {
                    *count += 1.0;
                }
            }
        }
        for ((position, counts), chance) in counts.iter_mut().enumerate().zip(&mut self.chance) {
            // A pair that was drawn twice is still one pair.
            let drawn: f64 = counts.iter().skip(1).sum();
            let once = (self.pairs / drawn.max(1.0)).min(1.0);
            for count in counts.iter_mut() {
                *count *= once;
            }
            let seen = drawn * once;
            for (count, share) in counts.iter().zip(chance.iter_mut()).skip(1) {
                // What chance brings about once in a million pairs is in no sample, and namesakes
                // bring it about more often than strangers.
                let rarest = *share * 0.3;
                *share = ((count + BELIEF * *share) / (seen + BELIEF)).max(rarest);
            }
            // Equal values are rarer than any sample shows.
            let exact = comparisons.get(position).and_then(|of| exact_chance(table, of));
            if let (Some(exact), Some(share)) = (exact, chance.get_mut(1)) {
                let believed = believed.get(position).and_then(|levels| levels.get(1));
                let belief = BELIEF * believed.copied().unwrap_or_default();
                *share = ((exact * self.pairs + belief) / (self.pairs + BELIEF)).max(FLOOR);
            }
        }
    }

    /// One round; says whether anything has changed enough to go on.
    fn round(&mut self, patterns: &[(Pattern, f64)], before: &[Vec<f64>]) -> bool {
        let mut expected: Vec<Vec<f64>> =
            self.alike.iter().map(|levels| vec![0.0; levels.len()]).collect();
        let mut matches = 0.0;
        let prior = self.probability / (1.0 - self.probability);
        for (pattern, count) in patterns {
            let mut odds = prior;
            for (position, (alike, chance)) in self.alike.iter().zip(&self.chance).enumerate() {
                let level = pattern.level(position);
                if level > 0
                    && let (Some(m), Some(u)) = (alike.get(level), chance.get(level))
                {
                    odds *= m.max(FLOOR) / u.max(FLOOR);
                }
            }
            let share = if odds.is_finite() { odds / (1.0 + odds) } else { 1.0 };
            matches += share * count;
            for (position, levels) in expected.iter_mut().enumerate() {
                if let Some(n) = levels.get_mut(pattern.level(position)) {
                    *n += share * count;
                }
            }
        }
        let mut moved: f64 = 0.0;
        for ((alike, expected), believed) in
            self.alike.iter_mut().zip(&expected).zip(&self.believed)
        {
            let seen: f64 = expected.iter().skip(1).sum();
            let each = alike.iter_mut().zip(expected).zip(believed).skip(1);
            for ((m, n), belief) in each {
                let next = (n + BELIEF * belief) / (seen + BELIEF);
                moved = moved.max((next - *m).abs());
                *m = next.max(FLOOR);
            }
        }
        // A tenth of a record's worth of pairs is believed in, whatever is seen.
        let belief = self.believed_probability * self.pairs * 0.1;
        self.probability = ((matches + belief) / (self.pairs * 1.1)).clamp(1e-12, 0.5);
        // What random pairs have in common is chance only so far as they are two persons'.
        for ((chance, alike), before) in self.chance.iter_mut().zip(&self.alike).zip(before) {
            for ((u, m), seen) in chance.iter_mut().zip(alike).zip(before).skip(1) {
                *u = (seen - self.probability * m).max(seen * 0.05).max(FLOOR);
            }
        }
        moved > 1e-4
    }

    fn model(&self, from: &Model, table: &Table) -> Model {
        let mut comparisons = Vec::new();
        for ((comparison, alike), chance) in
            self.comparisons.iter().zip(&self.alike).zip(&self.chance)
        {
            let levels = comparison.levels().iter().zip(alike).zip(chance).skip(1);
            comparisons.push(ComparisonWeights {
                comparison: comparison.clone(),
                term_frequency: from.of(comparison).is_some_and(|said| said.term_frequency),
                levels: levels
                    .map(|((level, m), u)| LevelWeights {
                        level: *level,
                        m: rounded(*m),
                        u: rounded(*u),
                    })
                    .collect(),
            });
        }
        let per_record = self.probability * self.pairs / f64::from(table.len());
        Model {
            v: 1,
            prior: Prior::PairsPerRecord(rounded(per_record.max(1e-6))),
            comparisons,
            conditions: Vec::new(),
            columns: from.columns.clone(),
        }
    }
}

/// Nine digits are more than is known, and the same on every machine.
fn rounded(share: f64) -> f64 {
    (share * 1e9).round() / 1e9
}

fn exact_chance(table: &Table, comparison: &Comparison) -> Option<f64> {
    let attribute = match comparison {
        Comparison::GivenName => Attribute::GivenName,
        Comparison::FamilyName => Attribute::FamilyName,
        Comparison::BirthDate => Attribute::BirthDate,
        Comparison::Street => Attribute::Street,
        Comparison::Phone => Attribute::Phone,
        Comparison::Email => Attribute::Email,
        Comparison::NationalId => Attribute::NationalId,
        Comparison::Other(name) => Attribute::Other(name.clone()),
        Comparison::Place => return None,
    };
    table.columns().get(table.column(&attribute)?).map(super::table::Column::coincidence)
}

/// How often each pattern occurs among blocked pairs.
fn blocked_patterns(
    table: &Table,
    comparisons: &[Comparison],
    threads: NonZeroUsize,
) -> Vec<(Pattern, f64)> {
    let rows: Vec<u32> = (0..table.len()).collect();
    let blocks = Blocks::new(table, &rows, 4);
    let step = blocks.n_pairs().div_ceil(BLOCKED_PAIRS).max(1);
    let counted = super::gather::in_parallel(blocks.len(), threads, |range| {
        let comparer = Comparer::new(table, comparisons);
        let is_taken = |block: &usize| u64::try_from(*block).is_ok_and(|n| n % step == 0);
        let mut patterns = Vec::new();
        blocks.pairs(table, range.filter(is_taken), |a, b| patterns.push(comparer.pattern(a, b)));
        patterns.sort_unstable();
        let count = |group: &[Pattern]| {
            let n = u64::try_from(group.len()).unwrap_or(u64::MAX).saturating_mul(step);
            group.first().map(|pattern| (*pattern, n))
        };
        patterns.chunk_by(|a, b| a == b).filter_map(count).collect::<Vec<_>>()
    });
    let mut all: BTreeMap<Pattern, u64> = BTreeMap::new();
    for counts in counted {
        for (pattern, n) in counts {
            *all.entry(pattern).or_insert(0) += n;
        }
    }
    let float = |n: u64| u32::try_from(n).map_or(f64::from(u32::MAX), f64::from);
    all.into_iter().map(|(pattern, n)| (pattern, float(n))).collect()
}

/// Numbers that look random and are the same for the same seed: `SplitMix64` (Steele, Lea and
/// Flood 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u32) -> u32 {
        u32::try_from(self.next() % u64::from(n.max(1))).unwrap_or(0)
    }
}
