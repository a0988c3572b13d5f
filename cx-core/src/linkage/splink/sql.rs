//! Conditions written in SQL, in the dialect of `DuckDB` and the words of Splink 5.

use super::super::condition::{Condition, Edit, Field, Likeness, Part};
use super::super::table::Attribute;
use crate::identity::name::nickname_groups;

/// The regular expressions that Splink takes parts of values with.
pub(super) const PATTERNS: &[(Part, &str)] = &[
    (Part::Local, "^[^@]+"),
    (Part::Domain, "@([^@]+)$"),
    (Part::Sector, "^[A-Za-z]{1,2}[0-9][A-Za-z0-9]? [0-9]"),
    (Part::District, "^[A-Za-z]{1,2}[0-9][A-Za-z0-9]?"),
    (Part::Area, "^[A-Za-z]{1,2}"),
];

/// A condition in SQL.
pub(super) fn text(condition: &Condition, column: &impl Fn(&Attribute) -> String) -> String {
    let of = |attribute: &Attribute| {
        let name = column(attribute);
        [quoted(&format!("{name}_l")), quoted(&format!("{name}_r"))]
    };
    let date = |attribute: &Attribute| {
        of(attribute).map(|name| format!("try_strptime({name}, '%Y-%m-%d')"))
    };
    let fields = |field: &Field| of(&field.attribute).map(|name| part(field, &name));
    match condition {
        Condition::Missing(attribute) => {
            let [l, r] = of(attribute);
            format!("{l} IS NULL OR {r} IS NULL")
        }
        Condition::NoDate(attribute) => {
            let [l, r] = date(attribute);
            format!("{l} IS NULL OR {r} IS NULL")
        }
        Condition::Equal(field) => {
            let [l, r] = fields(field);
            format!("{l} = {r}")
        }
        Condition::Like { field, by, at_least } => {
            let [l, r] = fields(field);
            let name = match by {
                Likeness::Jaro => "jaro_similarity",
                Likeness::JaroWinkler => "jaro_winkler_similarity",
                Likeness::Jaccard => "jaccard",
            };
            format!("{name}({l}, {r}) >= {at_least}")
        }
        Condition::Edits { field, by, at_most } => {
            let [l, r] = fields(field);
            let name = match by {
                Edit::Levenshtein => "levenshtein",
                Edit::Damerau => "damerau_levenshtein",
            };
            format!("{name}({l}, {r}) <= {at_most}")
        }
        Condition::Apart { attribute, days } => {
            let [l, r] = date(attribute);
            format!("ABS(EPOCH({l}) - EPOCH({r})) <= {}", days * 86_400.0)
        }
        Condition::Share { attribute, at_least } => {
            let [l, r] = of(attribute);
            format!("array_length(list_intersect({l}, {r})) >= {at_least}")
        }
        Condition::Crossed(one, other) => {
            let ([a, x], [b, y]) = (fields(one), fields(other));
            format!("{a} = {y} AND {x} = {b}")
        }
        Condition::HalfCrossed(one, other) => {
            let ([a, _], [_, y]) = (fields(one), fields(other));
            format!("{a} = {y}")
        }
        Condition::Both(attribute, value) => {
            let [l, r] = of(attribute);
            let value = literal(value);
            format!("{l} = {value} AND {r} = {value}")
        }
        Condition::Nickname(attribute) => short_names(&of(attribute)),
        Condition::Initial(attribute) => {
            let [l, r] = of(attribute);
            format!(
                "(length({l}) = 1 OR length({r}) = 1) AND substring({l}, 1, 1) = substring({r}, 1, 1)"
            )
        }
        Condition::All(all) => joined(all, " AND ", column),
        Condition::Any(all) => joined(all, " OR ", column),
        Condition::Not(one) => format!("NOT ({})", text(one, column)),
        Condition::Otherwise => "ELSE".to_owned(),
    }
}

/// A name in quotation marks.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn joined(all: &[Condition], by: &str, column: &impl Fn(&Attribute) -> String) -> String {
    let each: Vec<String> = all.iter().map(|one| format!("({})", text(one, column))).collect();
    each.join(by)
}

fn part(field: &Field, name: &str) -> String {
    let substring = |from: u32, n: u32| format!("substring({name}, {from}, {n})");
    match field.part {
        Part::Whole => name.to_owned(),
        Part::Year => substring(1, 4),
        Part::Month => substring(6, 2),
        Part::Day => substring(9, 2),
        // Of a date the first six digits are seven characters.
        Part::Begin(6) if field.attribute == Attribute::BirthDate => substring(1, 7),
        Part::Begin(n) => substring(1, n),
        part @ (Part::Local | Part::Domain | Part::Sector | Part::District | Part::Area) => {
            let pattern = PATTERNS.iter().find(|(known, _)| *known == part);
            let pattern = pattern.map_or("^.*$", |(_, pattern)| pattern);
            let group = u32::from(part == Part::Domain);
            format!("NULLIF(regexp_extract({name}, '{pattern}', {group}), '')")
        }
    }
}

/// Whether two names are in one group of short names.
fn short_names([l, r]: &[String; 2]) -> String {
    let group = |names: &&[&str]| {
        let names: Vec<String> = names.iter().map(|name| literal(name)).collect();
        let names = names.join(", ");
        format!("(lower({l}) IN ({names}) AND lower({r}) IN ({names}))")
    };
    nickname_groups().iter().map(group).collect::<Vec<_>>().join(" OR ")
}
