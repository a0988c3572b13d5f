//! Models in the format of Splink (`splink_datasets`, versions 3 to 5): read, and written.
//!
//! Splink states each level as a condition in SQL. Those that its libraries of comparisons
//! generate are understood, whichever dialect they are in; see `splink/pattern.rs` for the list. Reading
//! keeps them as [`Conditions`]; a comparison that cx wrote itself becomes again what it was.
//! Writing is in the dialect of `DuckDB`.

mod parse;
mod sql;
mod pattern;
mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::compare::{Comparison, Level};
use super::condition::{Condition, ConditionLevel, Conditions, Field, Frequency, Part, Shares};
use super::model::{ComparisonWeights, LevelWeights, Model, Prior};
use super::table::Attribute;

/// What Splink takes where a level was not seen in training.
const NOT_SEEN: f64 = 1e-6;

/// What Splink takes for the prior where the model has none.
const PRIOR: f64 = 1e-4;

/// Why a text is no model of Splink that cx can score with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SplinkError {
    /// It is no JSON.
    #[error("the model cannot be read: {detail}")]
    Unreadable {
        /// What is wrong, and where.
        detail: String,
    },
    /// Something is missing that every model of Splink has.
    #[error("{place}: {wanted} is wanted")]
    Missing {
        /// The comparison and level, from 1 on.
        place: String,
        /// What is wanted there.
        wanted: &'static str,
    },
    /// What a level says of how often it occurs is no share.
    #[error("comparison {comparison:?}, level {level}: {field} is {said}, not between 0 and 1")]
    Share {
        /// The comparison, by the name of its column in the output.
        comparison: String,
        /// The level, from 1 on, the missing values included.
        level: usize,
        /// Which of the two: `m_probability` or `u_probability`.
        field: &'static str,
        /// What stands there.
        said: String,
    },
    /// The condition of a level is none that cx understands.
    #[error(
        "comparison {comparison:?}, level {level}: the condition is not understood: {condition}"
    )]
    Condition {
        /// The comparison, by the name of its column in the output.
        comparison: String,
        /// The level, from 1 on, the missing values included.
        level: usize,
        /// The condition, in SQL; of a long one the begin.
        condition: String,
    },
}

impl Model {
    /// Whether a text looks like a model of Splink.
    pub fn is_splink(json: &str) -> bool {
        let value: Result<Value, _> = serde_json::from_str(json);
        let first = |value: &Value| {
            Some(value.get("comparisons")?.get(0)?.get("comparison_levels")?.is_array())
        };
        value.ok().and_then(|value| first(&value)).unwrap_or(false)
    }

    /// Reads a model of Splink.
    ///
    /// Columns become what their names say (see [`Attribute::of_header`]), others are compared
    /// under their own names. Levels that were not seen in training have 10⁻⁶, as in Splink;
    /// those that were never trained weigh nothing. Blocking rules are not taken over: cx has
    /// its own. Conditions of one direction hold in both.
    ///
    /// ```
    /// # use cx_core::linkage::Model;
    /// let model = Model::from_splink(r#"{
    ///     "probability_two_random_records_match": 0.001,
    ///     "comparisons": [{"output_column_name": "surname", "comparison_levels": [
    ///         {"sql_condition": "\"surname_l\" IS NULL OR \"surname_r\" IS NULL", "is_null_level": true},
    ///         {"sql_condition": "\"surname_l\" = \"surname_r\"", "m_probability": 0.9, "u_probability": 0.01},
    ///         {"sql_condition": "ELSE", "m_probability": 0.1, "u_probability": 0.99}
    ///     ]}]
    /// }"#)?;
    /// assert_eq!(model.conditions[0].levels.len(), 3);
    /// # Ok::<(), cx_core::linkage::SplinkError>(())
    /// ```
    ///
    /// # Errors
    /// [`SplinkError`], which names the comparison and the level.
    pub fn from_splink(json: &str) -> Result<Self, SplinkError> {
        let settings: Value = serde_json::from_str(json)
            .map_err(|error| SplinkError::Unreadable { detail: error.to_string() })?;
        let missing =
            |place: &str, wanted| SplinkError::Missing { place: place.to_owned(), wanted };
        let all = settings.get("comparisons").and_then(Value::as_array);
        let all = all.ok_or_else(|| missing("the model", "a list \"comparisons\""))?;
        let prior = number(settings.get("probability_two_random_records_match")).unwrap_or(PRIOR);
        if !(prior > 0.0 && prior < 1.0) {
            let wanted = "a probability above 0 and below 1";
            return Err(missing("probability_two_random_records_match", wanted));
        }
        let mut model = Self {
            v: 1,
            prior: Prior::Probability(prior),
            comparisons: Vec::new(),
            conditions: Vec::new(),
            columns: BTreeMap::new(),
        };
        for (number, said) in all.iter().enumerate() {
            let conditions = comparison(said, number + 1, &mut model.columns)?;
            match own(&conditions) {
                Some(own) => model.comparisons.push(own),
                None => model.conditions.push(conditions),
            }
        }
        Ok(model)
    }

    /// The model as settings of Splink, in the dialect of `DuckDB`, for a table of that many
    /// records: Splink's prior is a probability.
    ///
    /// Columns are called as they were where the model was trained; attributes that were not in
    /// that table are left out. In Splink values are compared as they stand: write them in lower
    /// case, dates as `1980-03-04`. What SQL cannot say is put more plainly: a local part
    /// counts with and without a number in it, swapped names must be swapped to the letter.
    pub fn to_splink(&self, records: u32) -> String {
        let column = |attribute: &Attribute| match self.columns.get(attribute.name()) {
            Some(column) => column.clone(),
            None => attribute.name().to_owned(),
        };
        let has = |attribute: &Attribute| {
            self.columns.is_empty() || self.columns.contains_key(attribute.name())
        };
        let mut comparisons = Vec::new();
        // What the model says of any other attribute is of none that there is.
        let general = Comparison::Other(String::new());
        for weights in self.comparisons.iter().filter(|weights| weights.comparison != general) {
            if let Some(conditions) = stated(weights, &has) {
                comparisons.push(conditions);
            }
        }
        comparisons.extend(self.conditions.iter().cloned());
        let records = f64::from(records.max(2));
        let prior = self.probability(records, records * (records - 1.0) / 2.0);
        let mut used: Vec<&Attribute> = comparisons
            .iter()
            .flat_map(|c| &c.levels)
            .flat_map(|l| l.condition.attributes())
            .collect();
        used.sort();
        used.dedup();
        let rules = BLOCKING.iter().filter(|rule| rule.iter().all(|a| used.contains(&a)));
        let rules: Vec<Value> = rules
            .map(|rule| {
                let equal = |attribute| {
                    let name = sql::quoted(&column(attribute));
                    format!("(l.{name} = r.{name})")
                };
                let all: Vec<String> = rule.iter().map(equal).collect();
                json!({"blocking_rule": all.join(" AND "), "sql_dialect": "duckdb"})
            })
            .collect();
        let comparisons: Vec<Value> = comparisons.iter().map(|c| written(c, &column)).collect();
        let settings = json!({
            "link_type": "dedupe_only",
            "sql_dialect": "duckdb",
            "unique_id_column_name": "unique_id",
            "probability_two_random_records_match": prior,
            "retain_matching_columns": true,
            "retain_intermediate_calculation_columns": false,
            "blocking_rules_to_generate_predictions": rules,
            "comparisons": comparisons,
        });
        serde_json::to_string_pretty(&settings).unwrap_or_default()
    }
}

/// The rules by which Splink is told to block, where the attributes are compared.
const BLOCKING: &[&[Attribute]] = &[
    &[Attribute::Email],
    &[Attribute::Phone],
    &[Attribute::NationalId],
    &[Attribute::GivenName, Attribute::FamilyName],
    &[Attribute::BirthDate],
    &[Attribute::GivenName, Attribute::City],
    &[Attribute::FamilyName, Attribute::City],
    &[Attribute::GivenName, Attribute::Postcode],
    &[Attribute::FamilyName, Attribute::Postcode],
];

fn number(value: Option<&Value>) -> Option<f64> {
    value.and_then(Value::as_f64).filter(|number| number.is_finite())
}

/// A text as it stands in an error.
fn begin_of(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A comparison of Splink as conditions.
fn comparison(
    said: &Value,
    number_of: usize,
    columns: &mut BTreeMap<String, String>,
) -> Result<Conditions, SplinkError> {
    let text = |key: &str| said.get(key).and_then(Value::as_str);
    let name = text("output_column_name").or_else(|| text("comparison_description"));
    let name = name.map_or_else(|| format!("comparison {number_of}"), str::to_owned);
    let missing = |level: Option<usize>, wanted| {
        let place = level.map_or_else(|| name.clone(), |level| format!("{name}, level {level}"));
        SplinkError::Missing { place, wanted }
    };
    let all = said.get("comparison_levels").and_then(Value::as_array);
    let all = all.ok_or_else(|| missing(None, "a list \"comparison_levels\""))?;
    if all.is_empty() {
        return Err(missing(None, "a level"));
    }
    let mut levels = Vec::new();
    for (at, said) in all.iter().enumerate() {
        let text = |key: &str| said.get(key).and_then(Value::as_str);
        let sql = text("sql_condition");
        let sql = sql.ok_or_else(|| missing(Some(at + 1), "a text \"sql_condition\""))?;
        let condition = pattern::condition(sql, columns).ok_or_else(|| SplinkError::Condition {
            comparison: name.clone(),
            level: at + 1,
            condition: begin_of(sql),
        })?;
        let is_null = said.get("is_null_level").and_then(Value::as_bool).unwrap_or(false);
        let share = |field: &'static str| match said.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(said)) if said.contains("not observed") => Ok(Some(NOT_SEEN)),
            Some(other) => match other.as_f64() {
                Some(share) if (0.0..=1.0).contains(&share) => Ok(Some(share)),
                _ => Err(SplinkError::Share {
                    comparison: name.clone(),
                    level: at + 1,
                    field,
                    said: begin_of(&other.to_string()),
                }),
            },
        };
        let shares = match (share("m_probability")?, share("u_probability")?) {
            (Some(m), Some(u)) if !is_null => Some(Shares { m, u }),
            _ => None,
        };
        let frequency =
            text("tf_adjustment_column").filter(|_| shares.is_some()).map(|column| Frequency {
                attribute: pattern::attribute(column, columns),
                weight: number(said.get("tf_adjustment_weight")).unwrap_or(1.0),
                base: shares.map_or(NOT_SEEN, |shares| shares.u),
                least: number(said.get("tf_minimum_u_value")).unwrap_or(0.0).clamp(0.0, 1.0),
            });
        let keeps_own = said.get("disable_tf_exact_match_detection").and_then(Value::as_bool);
        let label = text("label_for_charts").unwrap_or(sql).to_owned();
        levels.push((
            ConditionLevel { condition, label, shares, frequency },
            keeps_own == Some(true),
        ));
    }
    // What a value's share is held against is the u of the level where that column is equal.
    let equal: Vec<(Attribute, f64)> = levels
        .iter()
        .filter_map(|(level, _)| match (&level.condition, level.shares) {
            (Condition::Equal(field), Some(shares)) if field.part == Part::Whole => {
                Some((field.attribute.clone(), shares.u))
            }
            _ => None,
        })
        .collect();
    let settled = levels.into_iter().map(|(mut level, keeps_own)| {
        if let Some(frequency) = &mut level.frequency
            && !keeps_own
            && let Some((_, u)) = equal.iter().find(|(of, _)| *of == frequency.attribute)
        {
            frequency.base = *u;
        }
        level
    });
    Ok(Conditions { name: name.clone(), levels: settled.collect() })
}

/// A comparison of conditions as Splink writes it.
fn written(said: &Conditions, column: &impl Fn(&Attribute) -> String) -> Value {
    let mut levels = Vec::new();
    for level in &said.levels {
        let mut object = Map::new();
        let condition = sql::text(&level.condition, column);
        object.insert("sql_condition".to_owned(), json!(condition));
        let label = if level.label.is_empty() { &condition } else { &level.label };
        object.insert("label_for_charts".to_owned(), json!(label));
        if let Some(shares) = level.shares {
            object.insert("m_probability".to_owned(), json!(shares.m));
            object.insert("u_probability".to_owned(), json!(shares.u));
        } else if level.condition != Condition::Otherwise {
            object.insert("is_null_level".to_owned(), json!(true));
        }
        if let Some(frequency) = &level.frequency {
            object.insert("tf_adjustment_column".to_owned(), json!(column(&frequency.attribute)));
            object.insert("tf_adjustment_weight".to_owned(), json!(frequency.weight));
            // Splink looks for a level of equal values, where it is not told to do without.
            let equal = Condition::Equal(Field {
                attribute: frequency.attribute.clone(),
                part: Part::Whole,
            });
            let of_equal = said.levels.iter().find(|level| level.condition == equal);
            let u = of_equal.and_then(|level| level.shares).map(|shares| shares.u);
            if u.is_none_or(|u| (u - frequency.base).abs() > f64::EPSILON) {
                object.insert("disable_tf_exact_match_detection".to_owned(), json!(true));
            }
            if frequency.least > 0.0 {
                object.insert("tf_minimum_u_value".to_owned(), json!(frequency.least));
            }
        }
        levels.push(Value::Object(object));
    }
    json!({"output_column_name": said.name, "comparison_levels": levels})
}

/// A comparison of cx in conditions; none where no attribute of it is there.
fn stated(weights: &ComparisonWeights, has: &impl Fn(&Attribute) -> bool) -> Option<Conditions> {
    let mut levels = Vec::new();
    for (level, condition) in template::template(&weights.comparison, has)? {
        let known = weights.levels.iter().find(|known| Some(known.level) == level);
        if level.is_some() && known.is_none() {
            continue;
        }
        let shares = known.map(|known| Shares { m: known.m, u: known.u });
        let counts =
            weights.term_frequency && matches!(level, Some(Level::Exact | Level::SameCity));
        let frequency = shares.filter(|_| counts).and_then(|shares| {
            let attribute = condition.attributes().first().copied().cloned()?;
            Some(Frequency { attribute, weight: 1.0, base: shares.u, least: 0.0 })
        });
        let label = level.map_or_else(|| "missing".to_owned(), spoken);
        levels.push(ConditionLevel { condition, label, shares, frequency });
    }
    Some(Conditions { name: name(&weights.comparison), levels })
}

/// The comparison of cx that these conditions were written from, if they were.
fn own(said: &Conditions) -> Option<ComparisonWeights> {
    let named: Vec<&Attribute> =
        said.levels.iter().flat_map(|level| level.condition.attributes()).collect();
    let has = |attribute: &Attribute| named.contains(&attribute);
    let all = [
        Comparison::GivenName,
        Comparison::FamilyName,
        Comparison::BirthDate,
        Comparison::Place,
        Comparison::Street,
        Comparison::Phone,
        Comparison::Email,
        Comparison::NationalId,
        Comparison::Other(said.name.clone()),
    ];
    let comparison = all.into_iter().find(|comparison| name(comparison) == said.name)?;
    let template = template::template(&comparison, &has)?;
    let mut levels = Vec::new();
    let mut term_frequency = false;
    let mut expected = template.into_iter();
    for level in &said.levels {
        // Levels that a model does not have are left out, never moved.
        let (of, _) = expected.find(|(_, condition)| *condition == level.condition)?;
        if let (Some(of), Some(shares)) = (of, level.shares) {
            levels.push(LevelWeights { level: of, m: shares.m, u: shares.u });
        }
        if let Some(frequency) = &level.frequency {
            let is_plain = (frequency.weight - 1.0).abs() < 1e-9 && frequency.least == 0.0;
            if !is_plain {
                return None;
            }
            term_frequency = true;
        }
    }
    (!levels.is_empty()).then_some(ComparisonWeights { comparison, term_frequency, levels })
}

fn name(comparison: &Comparison) -> String {
    match comparison {
        Comparison::GivenName => "cx_given_name".to_owned(),
        Comparison::FamilyName => "cx_family_name".to_owned(),
        Comparison::BirthDate => "cx_birth_date".to_owned(),
        Comparison::Place => "cx_place".to_owned(),
        Comparison::Street => "cx_street".to_owned(),
        Comparison::Phone => "cx_phone".to_owned(),
        Comparison::Email => "cx_email".to_owned(),
        Comparison::NationalId => "cx_national_id".to_owned(),
        Comparison::Other(name) => name.clone(),
    }
}

fn spoken(level: Level) -> String {
    let name = serde_json::to_value(level).ok();
    name.and_then(|value| value.as_str().map(|name| name.replace('_', " "))).unwrap_or_default()
}
