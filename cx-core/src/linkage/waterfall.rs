//! Waterfalls: how the weight of a pair adds up.

use serde::Serialize;

use super::compare::{Comparison, Level};
use super::gather::{Address, Judge, level};
use super::model::{Model, Weights, probability};
use super::table::{Attribute, Table};

/// How the weight of a pair adds up, from the prior to the whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Waterfall {
    /// What any two records weigh, in bits.
    pub prior: f64,
    /// What each comparison adds, in order.
    pub bars: Vec<Bar>,
    /// The sum, in bits.
    pub weight: f64,
    /// The probability that it stands for.
    pub probability: f64,
    /// The same in sentences.
    pub sentences: Vec<String>,
}

/// What a comparison adds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bar {
    /// What is compared.
    pub comparison: Comparison,
    /// The values of one record, in normal form.
    pub a: Vec<String>,
    /// The values of the other.
    pub b: Vec<String>,
    /// How alike they are.
    pub level: Level,
    /// What the level weighs, in bits.
    pub weight: f64,
    /// What the value's being rare or frequent adds, in bits.
    pub term_frequency: f64,
}

/// How the weight of two rows adds up.
pub fn waterfall(table: &Table, model: &Model, a: u32, b: u32) -> Waterfall {
    let comparisons = Comparison::of(table);
    let weights = Weights::new(model, &comparisons, f64::from(table.len()), table.n_pairs());
    let judge = Judge::new(table, &comparisons, &weights, Address::Counts);
    let pattern = judge.pattern(a, b);
    let bits = |milli: i32| f64::from(milli) / 1000.0;
    let mut bars = Vec::new();
    let mut sentences = vec![format!("any two records: {:+.1} bits", bits(weights.prior))];
    for (position, comparison) in comparisons.iter().enumerate() {
        let number = pattern.level(position);
        let bar = Bar {
            comparison: comparison.clone(),
            a: values(table, comparison, a),
            b: values(table, comparison, b),
            level: level(comparison, number),
            weight: bits(weights.of(position, number)),
            term_frequency: bits(judge.adjustment(pattern, position, a, b)),
        };
        let rare = judge.common(position, a, b).filter(|_| bar.term_frequency.abs() > 0.05);
        let rare = rare.map(|(value, n)| {
            format!(", {:+.1} since {n} records have {value:?}", bar.term_frequency)
        });
        sentences.push(format!(
            "{}: {} and {}, {}: {:+.1} bits{}",
            name(comparison),
            spoken(&bar.a),
            spoken(&bar.b),
            level_name(bar.level),
            bar.weight,
            rare.unwrap_or_default()
        ));
        bars.push(bar);
    }
    let weight = judge.weigh(pattern, a, b);
    let probability = probability(weight);
    sentences.push(format!("together {:+.1} bits: probability {probability:.4}", bits(weight)));
    Waterfall { prior: bits(weights.prior), bars, weight: bits(weight), probability, sentences }
}

fn values(table: &Table, comparison: &Comparison, row: u32) -> Vec<String> {
    let attributes = match comparison {
        Comparison::GivenName => vec![Attribute::GivenName],
        Comparison::FamilyName => vec![Attribute::FamilyName],
        Comparison::BirthDate => vec![Attribute::BirthDate],
        Comparison::Place => vec![Attribute::Postcode, Attribute::City],
        Comparison::Street => vec![Attribute::Street],
        Comparison::Phone => vec![Attribute::Phone],
        Comparison::Email => vec![Attribute::Email],
        Comparison::NationalId => vec![Attribute::NationalId],
        Comparison::Other(name) => vec![Attribute::Other(name.clone())],
    };
    let all = attributes.iter().flat_map(|attribute| table.values(row, attribute));
    all.map(str::to_owned).collect()
}

fn spoken(values: &[String]) -> String {
    if values.is_empty() { "nothing".to_owned() } else { format!("{:?}", values.join(" ")) }
}

fn name(comparison: &Comparison) -> String {
    match comparison {
        Comparison::Other(name) => name.clone(),
        other => serde_json::to_value(other)
            .ok()
            .and_then(|value| value.as_str().map(|name| name.replace('_', " ")))
            .unwrap_or_default(),
    }
}

fn level_name(level: Level) -> String {
    let name = serde_json::to_value(level).ok();
    name.and_then(|value| value.as_str().map(|name| name.replace('_', " "))).unwrap_or_default()
}
