//! Waterfalls: how the weight of a pair adds up.

use serde::{Deserialize, Serialize};

use super::compare::{Comparison, Level};
use super::gather::{Address, Judge, level};
use super::model::{Model, Weights, probability};
use super::table::{Attribute, Table};

/// How the weight of a pair adds up, from the prior to the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// What is compared.
    pub comparison: String,
    /// The values of one record, in normal form.
    pub a: Vec<String>,
    /// The values of the other.
    pub b: Vec<String>,
    /// How alike they are.
    pub level: String,
    /// How often that is so among records of one person; none where the level weighs nothing.
    pub m: Option<f64>,
    /// How often that is so among records of two.
    pub u: Option<f64>,
    /// What the level weighs, in bits: log2(m / u).
    pub weight: f64,
    /// What the value's being rare or frequent adds, in bits.
    pub term_frequency: f64,
}

/// How the weight of two rows adds up.
///
/// ```
/// # use cx_core::linkage::{Attribute, Model, TableBuilder, waterfall};
/// let mut builder = TableBuilder::new(&[Attribute::FullName, Attribute::Email]);
/// builder.push(&["Jan de Vries", "jan.devries7@example.nl"]);
/// builder.push(&["J. de Vries", "jan.devries7@example.nl"]);
/// builder.push(&["Eva Bos", "eva@example.org"]);
/// let told = waterfall(&builder.finish(), &Model::shipped(), 0, 1);
/// let sum: f64 = told.bars.iter().map(|bar| bar.weight + bar.term_frequency).sum();
/// assert!((told.prior + sum - told.weight).abs() < 0.001);
/// assert!(told.sentences.iter().any(|line| line.starts_with("email: ") && line.contains("exact")));
/// ```
pub fn waterfall(table: &Table, model: &Model, a: u32, b: u32) -> Waterfall {
    let comparisons = Comparison::of(table);
    let weights = Weights::new(model, &comparisons, f64::from(table.len()), table.n_pairs());
    let judge = Judge::new(table, model, &comparisons, &weights, Address::Counts);
    let pattern = judge.pattern(a, b);
    let mut bars = Vec::new();
    let mut sentences = vec![format!("any two records: {:+.1} bits", bits(weights.prior))];
    for (position, comparison) in comparisons.iter().enumerate() {
        let Some(said) = model.of(comparison) else { continue };
        let number = pattern.level(position);
        let level = level(comparison, number);
        let known = said.levels.iter().find(|known| known.level == level);
        let bar = Bar {
            comparison: name(comparison),
            a: values(table, comparison, a),
            b: values(table, comparison, b),
            level: level_name(level),
            m: known.map(|known| known.m),
            u: known.map(|known| known.u),
            weight: bits(weights.of(position, number)),
            term_frequency: bits(judge.adjustment(pattern, position, a, b)),
        };
        let common = judge.common(position, a, b).filter(|_| bar.term_frequency.abs() > 0.05);
        let rare = common.map(|(value, n)| {
            format!(", {:+.1} since {n} records have {value:?}", bar.term_frequency)
        });
        sentences.push(sentence(&bar, &rare.unwrap_or_default()));
        bars.push(bar);
    }
    for asked in &judge.conditions {
        let all = |row: u32| {
            let of = asked.attributes();
            let values = of.iter().flat_map(|attribute| table.values(row, attribute));
            values.map(str::to_owned).collect()
        };
        let answer = asked.answer(a, b);
        let shares = answer.and_then(|answer| answer.level.shares);
        let bar = Bar {
            comparison: asked.said.name.clone(),
            a: all(a),
            b: all(b),
            level: answer.map_or_else(|| "none".to_owned(), |answer| answer.level.label.clone()),
            m: shares.map(|shares| shares.m),
            u: shares.map(|shares| shares.u),
            weight: bits(answer.map_or(0, |answer| answer.weight)),
            term_frequency: bits(answer.map_or(0, |answer| answer.frequency)),
        };
        let rare = (bar.term_frequency.abs() > 0.05)
            .then(|| format!(", {:+.1} for how frequent the value is", bar.term_frequency));
        sentences.push(sentence(&bar, &rare.unwrap_or_default()));
        bars.push(bar);
    }
    let weight = judge.weigh(pattern, a, b);
    let probability = probability(weight);
    sentences.push(format!("together {:+.1} bits: probability {probability:.4}", bits(weight)));
    Waterfall { prior: bits(weights.prior), bars, weight: bits(weight), probability, sentences }
}

fn bits(milli: i32) -> f64 {
    f64::from(milli) / 1000.0
}

fn sentence(bar: &Bar, rare: &str) -> String {
    let shares = match (bar.m, bar.u) {
        (Some(m), Some(u)) => {
            format!(" (so are {} of one person's, {} of others')", share(m), share(u))
        }
        _ => String::new(),
    };
    // What both have and does not count is what several people have.
    let is_shared =
        bar.level == level_name(Level::Missing) && !bar.a.is_empty() && !bar.b.is_empty();
    let level = if is_shared { "used under several names" } else { &bar.level };
    format!(
        "{}: {} and {}, {level}{shares}: {:+.1} bits{rare}",
        bar.comparison,
        spoken(&bar.a),
        spoken(&bar.b),
        bar.weight,
    )
}

/// A share as people say it: `84 %`, `1 in 25,000`.
fn share(p: f64) -> String {
    if p >= 0.01 {
        format!("{:.0} %", p * 100.0)
    } else if p >= 1e-9 {
        format!("1 in {:.0}", 1.0 / p)
    } else {
        "none".to_owned()
    }
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
