//! Models: what levels of likeness weigh. Data, made by training, read and written as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::compare::{Comparison, Level, Pattern};
use super::condition::{Conditions, Frequency, Shares};
use crate::ids::{domain, hash16};

/// The least probability that a level has: what was never seen is rare, not impossible.
pub(super) const FLOOR: f64 = 1e-7;

/// The most that a level weighs either way, in thousandths of a bit.
const MOST: f64 = 25_000.0;

/// A model of how alike records of one person are, and records of two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The version of this shape: 1.
    pub v: u32,
    /// How likely two records are one person's before anything of them is compared.
    pub prior: Prior,
    /// What is compared, and what it weighs.
    pub comparisons: Vec<ComparisonWeights>,
    /// Comparisons whose levels the model states itself. They weigh beside the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Conditions>,
    /// How the columns of each attribute were called where the model was made: what
    /// [`Model::to_splink`](Self::to_splink) calls them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, String>,
}

/// How likely two records are one person's before anything of them is compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prior {
    /// That many pairs of one person for each record there is: fits tables of any size.
    PairsPerRecord(f64),
    /// This probability for any two records.
    Probability(f64),
}

/// What a comparison weighs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComparisonWeights {
    /// What is compared.
    pub comparison: Comparison,
    /// Whether a rare value that both have weighs more than a frequent one.
    #[serde(default)]
    pub term_frequency: bool,
    /// Its levels but that of missing values, which weighs nothing.
    pub levels: Vec<LevelWeights>,
}

/// What a level weighs: log2(m / u) bits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelWeights {
    /// The level.
    pub level: Level,
    /// How often it occurs among records of one person.
    pub m: f64,
    /// How often it occurs among records of two.
    pub u: f64,
}

/// Why a text is no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// It is no JSON of this shape.
    #[error("the model cannot be read: {detail}")]
    Unreadable {
        /// What is wrong, and where.
        detail: String,
    },
    /// A version that is not known.
    #[error("the model is of version {found}; this cx knows version 1")]
    Version {
        /// The version.
        found: u32,
    },
    /// A number makes no sense.
    #[error("{place}: {problem}")]
    Invalid {
        /// The comparison and level.
        place: String,
        /// What is wrong.
        problem: String,
    },
}

impl LevelWeights {
    /// What the level weighs, in thousandths of a bit.
    pub fn weight(&self) -> i32 {
        weight(self.m, self.u)
    }
}

impl Shares {
    /// What the level weighs, in thousandths of a bit.
    pub fn weight(self) -> i32 {
        weight(self.m, self.u)
    }
}

fn weight(m: f64, u: f64) -> i32 {
    milli((m.max(FLOOR) / u.max(FLOOR)).log2())
}

/// Bits as whole thousandths, within bounds.
pub(super) fn milli(bits: f64) -> i32 {
    let milli = (bits * 1000.0).round().clamp(-MOST, MOST);
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "within bounds")]
    let milli = milli as i32;
    milli
}

impl Model {
    /// The model that comes with cx: names, dates of birth, addresses, telephone numbers, mail
    /// addresses and national ids, as they are written in the exports of shops and helpdesks.
    pub fn shipped() -> Self {
        Self::read(include_str!("people.json")).unwrap_or_else(|_| Self {
            v: 1,
            prior: Prior::PairsPerRecord(0.3),
            comparisons: Vec::new(),
            conditions: Vec::new(),
            columns: BTreeMap::new(),
        })
    }

    /// Reads a model.
    ///
    /// # Errors
    /// [`ModelError`], which names the place.
    pub fn read(json: &str) -> Result<Self, ModelError> {
        let model: Self = serde_json::from_str(json)
            .map_err(|error| ModelError::Unreadable { detail: error.to_string() })?;
        if model.v != 1 {
            return Err(ModelError::Version { found: model.v });
        }
        model.check()?;
        Ok(model)
    }

    /// The model as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The name of the model: a hash of all that it says.
    pub fn hash(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        format!("{:032x}", u128::from_be_bytes(hash16(domain!("cx linkage model 1"), &[&json])))
    }

    fn check(&self) -> Result<(), ModelError> {
        let invalid = |place: String, problem: &str| {
            Err(ModelError::Invalid { place, problem: problem.to_owned() })
        };
        let (Prior::PairsPerRecord(prior) | Prior::Probability(prior)) = self.prior;
        if !prior.is_finite() || prior <= 0.0 {
            return invalid("prior".to_owned(), "must be above 0");
        }
        if matches!(self.prior, Prior::Probability(probability) if probability >= 1.0) {
            return invalid("prior".to_owned(), "a probability must be below 1");
        }
        for (n, weights) in self.comparisons.iter().enumerate() {
            let earlier = self.comparisons.iter().take(n);
            if earlier.into_iter().any(|other| other.comparison == weights.comparison) {
                return invalid(
                    format!("{:?}", weights.comparison),
                    "the comparison is there twice",
                );
            }
            for (n, level) in weights.levels.iter().enumerate() {
                let place = format!("{:?}, {:?}", weights.comparison, level.level);
                if weights.levels.iter().take(n).any(|other| other.level == level.level) {
                    return invalid(place, "the level is there twice");
                }
                if level.level == Level::Missing && level.weight() != 0 {
                    return invalid(place, "what is missing weighs nothing: leave the level out");
                }
                if !weights.comparison.levels().contains(&level.level) {
                    return invalid(place, "the comparison has no such level");
                }
                let is_share = |p: f64| (0.0..=1.0).contains(&p);
                if !is_share(level.m) || !is_share(level.u) {
                    return invalid(place, "m and u must be between 0 and 1");
                }
            }
        }
        for conditions in &self.conditions {
            for (number, level) in conditions.levels.iter().enumerate() {
                let place = format!("{}, level {}", conditions.name, number + 1);
                let is_share = |p: f64| (0.0..=1.0).contains(&p);
                if level.shares.is_some_and(|shares| !is_share(shares.m) || !is_share(shares.u)) {
                    return invalid(place, "m and u must be between 0 and 1");
                }
                let is_sound = |of: &Frequency| {
                    of.weight.is_finite() && is_share(of.base) && is_share(of.least)
                };
                if level.frequency.as_ref().is_some_and(|frequency| !is_sound(frequency)) {
                    return invalid(place, "the frequency of values cannot count so");
                }
            }
        }
        Ok(())
    }

    /// What the model says of a comparison; the most general where it says nothing of another
    /// attribute.
    pub fn of(&self, comparison: &Comparison) -> Option<&ComparisonWeights> {
        let same = |weights: &&ComparisonWeights| weights.comparison == *comparison;
        let general = |weights: &&ComparisonWeights| {
            matches!(comparison, Comparison::Other(_))
                && weights.comparison == Comparison::Other(String::new())
        };
        self.comparisons.iter().find(same).or_else(|| self.comparisons.iter().find(general))
    }

    /// How likely two rows of such a table are one person's.
    pub(super) fn probability(&self, rows: f64, pairs: f64) -> f64 {
        let probability = match self.prior {
            Prior::PairsPerRecord(per_record) => per_record * rows / pairs.max(1.0),
            Prior::Probability(probability) => probability,
        };
        probability.clamp(1e-12, 0.5)
    }
}

/// The weights of a model for some comparisons, ready for adding up.
#[derive(Debug)]
pub(super) struct Weights {
    /// For each comparison, for each level.
    levels: Vec<Vec<i32>>,
    /// For each comparison and level: m, where frequent values weigh less.
    alike: Vec<Vec<Option<f64>>>,
    pub(super) prior: i32,
}

impl Weights {
    pub(super) fn new(model: &Model, comparisons: &[Comparison], rows: f64, pairs: f64) -> Self {
        let mut levels = Vec::new();
        let mut alike = Vec::new();
        for comparison in comparisons {
            let said = model.of(comparison);
            let of = |level: &Level| {
                said.and_then(|said| said.levels.iter().find(|known| known.level == *level))
            };
            levels.push(
                comparison.levels().iter().map(|l| of(l).map_or(0, LevelWeights::weight)).collect(),
            );
            let counts = said.is_some_and(|said| said.term_frequency);
            // Of a place, the town alone may be what both have.
            let is_value = |level: &&Level| matches!(level, Level::Exact | Level::SameCity);
            let m = |level: &Level| {
                let counted = of(level).filter(|of| counts && of.u > 0.0 && is_value(&level));
                counted.map(|level| level.m)
            };
            alike.push(comparison.levels().iter().map(m).collect());
        }
        let probability = model.probability(rows, pairs);
        Self { levels, alike, prior: milli((probability / (1.0 - probability)).log2()) }
    }

    pub(super) fn of(&self, position: usize, level: usize) -> i32 {
        self.levels.get(position).and_then(|levels| levels.get(level)).copied().unwrap_or(0)
    }

    /// Whether frequent values weigh less in a level.
    pub(super) fn counts_values(&self, position: usize, level: usize) -> bool {
        self.alike.get(position).and_then(|alike| alike.get(level)).is_some_and(Option::is_some)
    }

    /// What a value in common weighs more or less than a level does on average, where this share of
    /// all rows has the value.
    pub(super) fn adjustment(&self, position: usize, level: usize, share: f64) -> i32 {
        let m = self.alike.get(position).and_then(|alike| alike.get(level)).copied().flatten();
        let Some(m) = m else { return 0 };
        let on_average = self.of(position, level);
        milli((m.max(FLOOR) / share.clamp(FLOOR, 1.0)).log2()).saturating_sub(on_average)
    }

    pub(super) fn sum(&self, pattern: Pattern) -> i32 {
        let each =
            (0..self.levels.len()).map(|position| self.of(position, pattern.level(position)));
        each.fold(self.prior, i32::saturating_add)
    }
}

/// The weight that stands for a probability, in thousandths of a bit; `None` where it is not
/// between 0 and 1.
///
/// ```
/// # use cx_core::linkage::model::{probability, weight_of};
/// assert_eq!(weight_of(0.5), Some(0));
/// assert_eq!(weight_of(0.8), Some(2_000));
/// assert!((probability(2_000) - 0.8).abs() < 1e-9);
/// assert_eq!(weight_of(1.0), None);
/// ```
pub fn weight_of(probability: f64) -> Option<i32> {
    let is_one = probability > 0.0 && probability < 1.0;
    is_one.then(|| milli((probability / (1.0 - probability)).log2()))
}

/// The probability that a weight stands for.
pub fn probability(weight: i32) -> f64 {
    let odds = (f64::from(weight) / 1000.0).exp2();
    odds / (1.0 + odds)
}
