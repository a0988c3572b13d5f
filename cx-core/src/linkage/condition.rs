//! Conditions: levels of likeness that a model states itself, as models of Splink do.

use serde::{Deserialize, Serialize};

use super::similarity::jaro_winkler;
use super::table::{Attribute, Column};
use crate::identity::name::nickname_mask;

/// A comparison whose levels are conditions: the first that holds of two records is their level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// What is compared, as the model calls it.
    pub name: String,
    /// The levels, in the order in which they are asked for.
    pub levels: Vec<ConditionLevel>,
}

/// A level of likeness that a condition states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionLevel {
    /// What holds of two records in this level.
    pub condition: Condition,
    /// What people call it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// How often it occurs; none where it weighs nothing, as where a value is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares: Option<Shares>,
    /// How a value's being rare or frequent counts, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<Frequency>,
}

/// How often a level occurs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shares {
    /// Among records of one person.
    pub m: f64,
    /// Among records of two.
    pub u: f64,
}

/// How a value's being rare or frequent counts: `weight * log2(base / share of the value)` bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frequency<A = Attribute> {
    /// Whose value: of two different ones the more frequent counts.
    pub attribute: A,
    /// 1 for all of it, 0 for nothing.
    pub weight: f64,
    /// The u that a value of this share confirms: that of the level where the values are equal.
    pub base: f64,
    /// Values rarer than this count as this rare.
    pub least: f64,
}

/// What holds of two records.
///
/// A record may have several values: a condition holds if any two of them fulfil it. Values are
/// compared in normal form, so case, accents and the spelling of dates make no difference. All
/// conditions are symmetric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition<A = Attribute> {
    /// One of the two has no value.
    Missing(A),
    /// One of the two has no value that is a date.
    NoDate(A),
    /// The values, or these parts of them, are the same.
    Equal(Field<A>),
    /// They are at least so alike.
    Like {
        /// What is compared.
        field: Field<A>,
        /// How likeness is measured.
        by: Likeness,
        /// From 0 to 1.
        at_least: f64,
    },
    /// One becomes the other by at most so many edits.
    Edits {
        /// What is compared.
        field: Field<A>,
        /// What counts as one edit.
        by: Edit,
        /// How many.
        at_most: u32,
    },
    /// The dates are at most so many days apart.
    Apart {
        /// The attribute.
        attribute: A,
        /// How many days, 30.4375 for a month.
        days: f64,
    },
    /// At least so many values are the same.
    Share {
        /// The attribute.
        attribute: A,
        /// How many.
        at_least: u32,
    },
    /// Each has in one field what the other has in the other field.
    Crossed(Field<A>, Field<A>),
    /// One of the two has in one field what the other has in the other field.
    HalfCrossed(Field<A>, Field<A>),
    /// Both have this value.
    Both(A, String),
    /// Given names of which one is short for the other.
    Nickname(A),
    /// One is the initial of the other.
    Initial(A),
    /// All of these hold.
    All(Vec<Self>),
    /// Any of these holds.
    Any(Vec<Self>),
    /// This does not hold.
    Not(Box<Self>),
    /// Holds always.
    Otherwise,
}

/// An attribute, or a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field<A = Attribute> {
    /// The attribute.
    pub attribute: A,
    /// Which part of it.
    #[serde(default, skip_serializing_if = "Part::is_whole")]
    pub part: Part,
}

/// A part of a value. Two values that lack it are not alike in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// All of it.
    #[default]
    Whole,
    /// Of a mail address what stands before the `@`.
    Local,
    /// Of a mail address what stands behind the `@`.
    Domain,
    /// Of a date the year.
    Year,
    /// Of a date the month.
    Month,
    /// Of a date the day.
    Day,
    /// Of a British postcode all but the last two letters.
    Sector,
    /// Of a British postcode what stands before the space.
    District,
    /// Of a British postcode the letters it begins with.
    Area,
    /// The first characters.
    Begin(u32),
}

impl Part {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_whole(&self) -> bool {
        *self == Self::Whole
    }
}

/// How likeness is measured, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// Jaro 1989.
    Jaro,
    /// Winkler 1990.
    JaroWinkler,
    /// The share of characters that both have.
    Jaccard,
}

/// What counts as one edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// A character changed, left out or put in (Levenshtein 1966).
    Levenshtein,
    /// Also two neighbours swapped (Damerau 1964).
    Damerau,
}

impl<A> Condition<A> {
    /// The same of other attributes.
    pub(super) fn map<B>(&self, of: &impl Fn(&A) -> B) -> Condition<B> {
        let field = |field: &Field<A>| Field { attribute: of(&field.attribute), part: field.part };
        let each = |all: &[Self]| all.iter().map(|one| one.map(of)).collect();
        match self {
            Self::Missing(a) => Condition::Missing(of(a)),
            Self::NoDate(a) => Condition::NoDate(of(a)),
            Self::Equal(f) => Condition::Equal(field(f)),
            Self::Like { field: f, by, at_least } => {
                Condition::Like { field: field(f), by: *by, at_least: *at_least }
            }
            Self::Edits { field: f, by, at_most } => {
                Condition::Edits { field: field(f), by: *by, at_most: *at_most }
            }
            Self::Apart { attribute, days } => {
                Condition::Apart { attribute: of(attribute), days: *days }
            }
            Self::Share { attribute, at_least } => {
                Condition::Share { attribute: of(attribute), at_least: *at_least }
            }
            Self::Crossed(one, other) => Condition::Crossed(field(one), field(other)),
            Self::HalfCrossed(one, other) => Condition::HalfCrossed(field(one), field(other)),
            Self::Both(a, text) => Condition::Both(of(a), text.clone()),
            Self::Nickname(a) => Condition::Nickname(of(a)),
            Self::Initial(a) => Condition::Initial(of(a)),
            Self::All(all) => Condition::All(each(all)),
            Self::Any(all) => Condition::Any(each(all)),
            Self::Not(one) => Condition::Not(Box::new(one.map(of))),
            Self::Otherwise => Condition::Otherwise,
        }
    }

    /// The attributes it is about, each as often as it is named.
    pub(super) fn attributes(&self) -> Vec<&A> {
        match self {
            Self::Missing(a)
            | Self::NoDate(a)
            | Self::Apart { attribute: a, .. }
            | Self::Share { attribute: a, .. }
            | Self::Both(a, _)
            | Self::Nickname(a)
            | Self::Initial(a) => vec![a],
            Self::Equal(f) | Self::Like { field: f, .. } | Self::Edits { field: f, .. } => {
                vec![&f.attribute]
            }
            Self::Crossed(one, other) | Self::HalfCrossed(one, other) => {
                vec![&one.attribute, &other.attribute]
            }
            Self::All(all) | Self::Any(all) => all.iter().flat_map(Self::attributes).collect(),
            Self::Not(one) => one.attributes(),
            Self::Otherwise => Vec::new(),
        }
    }
}

impl Condition<Option<&Column>> {
    /// Whether it holds of two rows.
    pub(super) fn holds(&self, a: u32, b: u32) -> bool {
        match self {
            Self::Missing(column) => {
                is_missing(*column, a, |_| true) || is_missing(*column, b, |_| true)
            }
            Self::NoDate(column) => {
                let is_date = |text: &str| day_number(text).is_some();
                is_missing(*column, a, is_date) || is_missing(*column, b, is_date)
            }
            Self::Equal(field) => any(field, field, a, b, |one, other| one == other),
            Self::Like { field, by, at_least } => {
                any(field, field, a, b, |one, other| likeness(*by, one, other) >= *at_least)
            }
            Self::Edits { field, by, at_most } => any(field, field, a, b, |one, other| {
                let most = usize::try_from(*at_most).unwrap_or(usize::MAX);
                edits(*by, one, other) <= most
            }),
            Self::Apart { attribute, days } => {
                let field = Field { attribute: *attribute, part: Part::Whole };
                any(&field, &field, a, b, |one, other| match (day_number(one), day_number(other)) {
                    (Some(one), Some(other)) => f64::from(one.abs_diff(other)) <= *days,
                    _ => false,
                })
            }
            Self::Share { attribute, at_least } => {
                let common = attribute.map_or(0, |column| {
                    let others = column.of(b);
                    column.telling(a).filter(|value| others.contains(value)).count()
                });
                u32::try_from(common).unwrap_or(u32::MAX) >= *at_least
            }
            Self::Crossed(one, other) => {
                any(one, other, a, b, |x, y| x == y) && any(other, one, a, b, |x, y| x == y)
            }
            Self::HalfCrossed(one, other) => {
                any(one, other, a, b, |x, y| x == y) || any(other, one, a, b, |x, y| x == y)
            }
            Self::Both(column, text) => [a, b].into_iter().all(|row| {
                column.is_some_and(|c| c.telling(row).any(|value| c.text(value) == text))
            }),
            Self::Nickname(column) => column.is_some_and(|c| {
                c.telling(a).any(|one| c.telling(b).any(|other| is_short_for(c, one, other)))
            }),
            Self::Initial(column) => {
                let field = Field { attribute: *column, part: Part::Whole };
                any(&field, &field, a, b, |one, other| {
                    (one.len() == 1 || other.len() == 1)
                        && one.as_bytes().first() == other.as_bytes().first()
                })
            }
            Self::All(all) => all.iter().all(|one| one.holds(a, b)),
            Self::Any(all) => all.iter().any(|one| one.holds(a, b)),
            Self::Not(one) => !one.holds(a, b),
            Self::Otherwise => true,
        }
    }
}

fn is_short_for(column: &Column, one: u32, other: u32) -> bool {
    let mask = |value: u32| match column.mask(value) {
        0 => nickname_mask(column.text(value)),
        mask => mask,
    };
    mask(one) & mask(other) != 0
}

fn is_missing(column: Option<&Column>, row: u32, counts: impl Fn(&str) -> bool) -> bool {
    column.is_none_or(|column| !column.telling(row).any(|value| counts(column.text(value))))
}

/// Whether any value of one row and any of the other fulfil a condition.
fn any(
    one: &Field<Option<&Column>>,
    other: &Field<Option<&Column>>,
    a: u32,
    b: u32,
    fulfil: impl Fn(&str, &str) -> bool,
) -> bool {
    let (Some(ones), Some(others)) = (one.attribute, other.attribute) else { return false };
    ones.telling(a).any(|x| {
        let Some(x) = part(ones.text(x), one.part) else { return false };
        others.telling(b).any(|y| part(others.text(y), other.part).is_some_and(|y| fulfil(x, y)))
    })
}

fn part(text: &str, part: Part) -> Option<&str> {
    let date = |from: usize, to: usize| {
        let is_date = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_date.then(|| text.get(from..to)).flatten()
    };
    let found = match part {
        Part::Whole => Some(text),
        Part::Local => text.split('@').next(),
        Part::Domain => text.split_once('@').map(|(_, domain)| domain),
        Part::Year => date(0, 4),
        Part::Month => date(4, 6),
        Part::Day => date(6, 8),
        // In normal form a postcode has no space; the part behind it has three characters.
        Part::Sector => text.get(..text.len().checked_sub(2)?),
        Part::District => text.get(..text.len().checked_sub(3)?),
        Part::Area => text.get(..text.bytes().take_while(u8::is_ascii_alphabetic).take(2).count()),
        Part::Begin(n) => {
            let n = usize::try_from(n).ok()?;
            let to = text.char_indices().nth(n).map_or(text.len(), |(at, _)| at);
            text.get(..to)
        }
    };
    found.filter(|part| !part.is_empty())
}

/// Values that are compared are no longer than this: time is quadratic in it.
const LONGEST: usize = 128;

fn short(text: &str) -> &str {
    let to = text.char_indices().nth(LONGEST).map_or(text.len(), |(at, _)| at);
    text.get(..to).unwrap_or(text)
}

fn likeness(by: Likeness, one: &str, other: &str) -> f64 {
    // Jaro counts transpositions from one side; the better side counts, whichever row comes first.
    let both = |of: fn(&str, &str) -> f64| of(one, other).max(of(other, one));
    match by {
        Likeness::JaroWinkler => both(jaro_winkler),
        Likeness::Jaro => both(|one, other| strsim::jaro(short(one), short(other))),
        Likeness::Jaccard => jaccard(one, other),
    }
}

/// The characters that both have, as a share of those that either has.
fn jaccard(one: &str, other: &str) -> f64 {
    let set = |text: &str| short(text).chars().collect::<std::collections::BTreeSet<char>>();
    let (a, b) = (set(one), set(other));
    let count = |n: usize| u32::try_from(n).map_or(0.0, f64::from);
    let either = a.union(&b).count();
    if either == 0 { 0.0 } else { count(a.intersection(&b).count()) / count(either) }
}

fn edits(by: Edit, one: &str, other: &str) -> usize {
    let (one, other) = (short(one), short(other));
    match by {
        Edit::Levenshtein => strsim::levenshtein(one, other),
        Edit::Damerau => strsim::damerau_levenshtein(one, other),
    }
}

/// The number of a day in the Gregorian calendar (Hinnant, days from civil), for `yyyymmdd`, with
/// or without signs between.
fn day_number(text: &str) -> Option<i32> {
    if text.len() > 12 {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.len() != 8 || text.chars().any(|c| c.is_ascii_alphabetic()) {
        return None;
    }
    let number = |from: usize, to: usize| digits.get(from..to)?.parse::<i32>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linkage::TableBuilder;

    fn holds(attribute: Attribute, condition: &Condition, one: &str, other: &str) -> bool {
        let mut builder = TableBuilder::new(&[attribute]);
        builder.push(&[one]);
        builder.push(&[other]);
        let table = builder.finish();
        let column = |of: &Attribute| table.column(of).map(|at| &table.columns()[at]);
        let asked = condition.map(&column);
        assert_eq!(asked.holds(0, 1), asked.holds(1, 0), "{condition:?} {one} {other}");
        asked.holds(0, 1)
    }

    fn field(attribute: Attribute, part: Part) -> Field {
        Field { attribute, part }
    }

    #[test]
    fn parts_of_dates_postcodes_and_addresses_are_what_they_are_called() {
        for (attribute, part, one, other, is_same) in [
            (Attribute::BirthDate, Part::Year, "1980-03-04", "5.6.1980", true),
            (Attribute::BirthDate, Part::Month, "1980-03-04", "1981-03-09", true),
            (Attribute::BirthDate, Part::Day, "1980-03-04", "1980-03-05", false),
            (Attribute::Email, Part::Local, "jan@example.nl", "Jan@example.org", true),
            (Attribute::Email, Part::Domain, "jan@example.nl", "eva@example.nl", true),
            (Attribute::Postcode, Part::Sector, "SW1A 1AA", "sw1a1bb", true),
            (Attribute::Postcode, Part::District, "SW1A 1AA", "SW1B 1AA", false),
            (Attribute::Postcode, Part::Area, "SW1A 1AA", "SW2 1AA", true),
            (Attribute::City, Part::Begin(3), "Utrecht", "Utre", true),
        ] {
            let equal = Condition::Equal(field(attribute.clone(), part));
            assert_eq!(holds(attribute, &equal, one, other), is_same, "{part:?} {one} {other}");
        }
    }

    #[test]
    fn days_are_counted_over_months_and_leap_years() {
        let apart = |days| Condition::Apart { attribute: Attribute::BirthDate, days };
        for (one, other, days) in [
            ("2000-02-28", "2000-03-01", 2.0),
            ("1900-02-28", "1900-03-01", 1.0),
            ("1979-12-31", "1980-12-31", 366.0),
        ] {
            assert!(holds(Attribute::BirthDate, &apart(days), one, other), "{one} {other}");
            assert!(!holds(Attribute::BirthDate, &apart(days - 1.0), one, other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_missing_fulfils_no_condition_but_that_of_being_missing() {
        let equal = Condition::Equal(field(Attribute::City, Part::Whole));
        assert!(!holds(Attribute::City, &equal, "", ""));
        assert!(holds(Attribute::City, &Condition::Missing(Attribute::City), "Delft", ""));
        assert!(holds(Attribute::BirthDate, &Condition::NoDate(Attribute::BirthDate), "soon", ""));
    }
}
