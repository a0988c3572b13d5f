//! What a condition in SQL means.
//!
//! Understood are, of columns, of their lower or upper case, of parts taken by `substr`, `left` or
//! the regular expressions of Splink's e-mail and postcode comparisons, and of dates made of them:
//!
//! - `a_l IS NULL OR a_r IS NULL`, the same of what is no date, and `IS NOT NULL` of both;
//! - `a_l = a_r`; columns reversed, `a_l = b_r AND b_l = a_r`, or one half of that; both a literal;
//! - `levenshtein` and `damerau_levenshtein` at most a number;
//! - `jaro`, `jaro_winkler` and `jaccard` at least a number, under their names in `DuckDB`, Spark,
//!   `SQLite` and Athena;
//! - `abs(epoch(…) - epoch(…))` and `abs(date_diff('day', …))` at most a number;
//! - the length of `list_intersect` at least a number;
//! - `AND`, `OR`, `NOT` of these, and `ELSE`.

use std::collections::BTreeMap;

use super::super::condition::{Condition, Edit, Field, Likeness, Part};
use super::super::table::Attribute;
use super::parse::{Expression, Order, Side, parsed};
use super::sql;

/// The condition that a text means; none where that is not understood. What columns are called is
/// remembered under the name of the attribute.
pub(super) fn condition(sql: &str, columns: &mut BTreeMap<String, String>) -> Option<Condition> {
    if let Some(listed) = listed(sql, columns) {
        return Some(listed);
    }
    meaning(&parsed(sql)?, columns)
}

/// What a column says.
pub(super) fn attribute(column: &str, columns: &mut BTreeMap<String, String>) -> Attribute {
    let within = |mark: char| column.strip_prefix(mark)?.strip_suffix(mark);
    let column = within('"').or_else(|| within('`')).unwrap_or(column);
    let attribute = match Attribute::from_name(column) {
        Attribute::Other(_) => Attribute::of_header(column)
            .filter(|attribute| *attribute != Attribute::FullName)
            .unwrap_or_else(|| Attribute::Other(column.to_owned())),
        known => known,
    };
    columns.entry(attribute.name().to_owned()).or_insert_with(|| column.to_owned());
    attribute
}

/// Conditions that cx writes and that are known by their look: short names, initials.
fn listed(sql: &str, columns: &mut BTreeMap<String, String>) -> Option<Condition> {
    let nickname = sql.strip_prefix("(lower(\"");
    let initial = sql.strip_prefix("(length(\"");
    let (name, _) = nickname.or(initial)?.split_once("_l\")")?;
    let attribute = Attribute::of_header(name).unwrap_or_else(|| Attribute::from_name(name));
    let condition = if nickname.is_some() {
        Condition::Nickname(attribute.clone())
    } else {
        Condition::Initial(attribute.clone())
    };
    (sql::text(&condition, &|_: &Attribute| name.to_owned()) == sql).then(|| {
        columns.entry(attribute.name().to_owned()).or_insert_with(|| name.to_owned());
        condition
    })
}

type Columns<'a> = &'a mut BTreeMap<String, String>;

fn meaning(of: &Expression, columns: Columns<'_>) -> Option<Condition> {
    match of {
        Expression::Else => Some(Condition::Otherwise),
        Expression::Not(one) => Some(Condition::Not(Box::new(meaning(one, columns)?))),
        Expression::Any(all) => together(all, columns, Condition::Any),
        Expression::All(all) => together(all, columns, Condition::All),
        Expression::Compare(order, left, right) => compared(*order, left, right, columns),
        _ => None,
    }
}

/// Several conditions of which all or any must hold. Some of them come in halves.
fn together(
    all: &[Expression],
    columns: Columns<'_>,
    of: fn(Vec<Condition>) -> Condition,
) -> Option<Condition> {
    let mut found = Vec::new();
    let mut rest: Vec<&Expression> = all.iter().collect();
    let is_any = matches!(of(Vec::new()), Condition::Any(_));
    while let Some(first) = rest.first().copied() {
        rest.remove(0);
        let half = if is_any { null_half(first) } else { value_half(first) };
        if let Some(wanted) = half {
            let same = |other: &&Expression| {
                let other = if is_any { null_half(other) } else { value_half(other) };
                other.is_some_and(|other| wanted.completes(&other))
            };
            let at = rest.iter().position(same)?;
            rest.remove(at);
            found.push(wanted.condition(columns)?);
            continue;
        }
        found.push(meaning(first, columns)?);
    }
    if found.len() == 1 { found.pop() } else { Some(of(found)) }
}

/// One of two conditions that mean something only together.
enum Half<'a> {
    /// One record has no value, or no date.
    Null(&'a str, Side, Kind),
    /// One record has a value.
    NotNull(&'a str, Side, Kind),
    /// One record's value is the other's of another column.
    Crossed(Place<'a>, Place<'a>),
    /// One record has this value.
    Literal(&'a str, Side, &'a str),
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Kind {
    Value,
    Date,
}

/// A column of the left record, or the right one, or a part of it.
#[derive(PartialEq, Clone, Copy)]
struct Place<'a> {
    column: &'a str,
    cut: Cut<'a>,
    side: Side,
}

#[derive(PartialEq, Clone, Copy)]
enum Cut<'a> {
    Whole,
    Date,
    Characters(f64, f64),
    Matching(&'a str),
}

impl Half<'_> {
    fn completes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null(a, one, kind), Self::Null(b, other, of))
            | (Self::NotNull(a, one, kind), Self::NotNull(b, other, of)) => {
                a == b && one != other && kind == of
            }
            (Self::Literal(a, one, text), Self::Literal(b, other, of)) => {
                a == b && one != other && text == of
            }
            (Self::Crossed(a, b), Self::Crossed(x, y)) => {
                let is = |one: &Place<'_>, other: &Place<'_>| {
                    one.column == other.column && one.cut == other.cut && one.side != other.side
                };
                is(a, x) && is(b, y) || is(a, y) && is(b, x)
            }
            _ => false,
        }
    }

    fn condition(&self, columns: Columns<'_>) -> Option<Condition> {
        let missing = |column: &str, kind: Kind, columns| {
            let attribute = attribute(column, columns);
            match kind {
                Kind::Value => Condition::Missing(attribute),
                Kind::Date => Condition::NoDate(attribute),
            }
        };
        Some(match self {
            Self::Null(column, _, kind) => missing(column, *kind, columns),
            Self::NotNull(column, _, kind) => {
                Condition::Not(Box::new(missing(column, *kind, columns)))
            }
            Self::Literal(column, _, text) => {
                Condition::Both(attribute(column, columns), crate::text::folded(text))
            }
            Self::Crossed(one, other) => {
                crossed(one.field(columns)?, other.field(columns)?, Condition::Crossed)
            }
        })
    }
}

fn null_half(of: &Expression) -> Option<Half<'_>> {
    let Expression::IsNull(value) = of else { return None };
    let (place, kind) = null_place(value)?;
    Some(Half::Null(place.column, place.side, kind))
}

fn value_half(of: &Expression) -> Option<Half<'_>> {
    match of {
        Expression::IsNotNull(value) => {
            let (place, kind) = null_place(value)?;
            Some(Half::NotNull(place.column, place.side, kind))
        }
        Expression::Compare(Order::Equal, left, right) => match (&**left, &**right) {
            (Expression::Text(text), value) | (value, Expression::Text(text)) => {
                let place = place(value)?;
                Some(Half::Literal(place.column, place.side, text))
            }
            _ => {
                let (one, other) = (place(left)?, place(right)?);
                let is_crossed = one.column != other.column || one.cut != other.cut;
                (is_crossed && one.side != other.side).then_some(Half::Crossed(one, other))
            }
        },
        _ => None,
    }
}

fn null_place(value: &Expression) -> Option<(Place<'_>, Kind)> {
    let place = place(value)?;
    let kind = match place.cut {
        Cut::Date => Kind::Date,
        _ => Kind::Value,
    };
    Some((place, kind))
}

/// Functions that make dates of texts.
const DATES: &[&str] = &[
    "try_strptime",
    "strptime",
    "to_date",
    "to_timestamp",
    "try_to_timestamp",
    "date",
    "date_parse",
];

/// The column, or part of one, that an expression is.
fn place(value: &Expression) -> Option<Place<'_>> {
    match value {
        Expression::Column(column, side) => Some(Place { column, cut: Cut::Whole, side: *side }),
        Expression::Call(name, arguments) => {
            let inside = place(arguments.first()?)?;
            let cut = match (name.as_str(), arguments.get(1..)?) {
                ("lower" | "upper" | "trim", []) => inside.cut,
                ("nullif", [Expression::Text(text)]) if text.is_empty() => inside.cut,
                (name, _) if DATES.contains(&name) => Cut::Date,
                ("substr" | "substring", [Expression::Number(from), Expression::Number(n)]) => {
                    Cut::Characters(*from, *n)
                }
                ("left", [Expression::Number(n)]) => Cut::Characters(1.0, *n),
                (
                    "regexp_extract" | "regexp_substr",
                    [Expression::Text(pattern)]
                    | [Expression::Text(pattern), Expression::Number(_)],
                ) => Cut::Matching(pattern),
                _ => return None,
            };
            let is_new = cut != inside.cut;
            (!is_new || inside.cut == Cut::Whole).then_some(Place { cut, ..inside })
        }
        _ => None,
    }
}

impl Place<'_> {
    fn field(&self, columns: Columns<'_>) -> Option<Field> {
        let attribute = attribute(self.column, columns);
        let is_date = attribute == Attribute::BirthDate;
        let is = |a: f64, b: f64| (a - b).abs() < 1e-9;
        let part = match self.cut {
            Cut::Whole | Cut::Date => Part::Whole,
            Cut::Characters(from, n) if is_date => match () {
                () if is(from, 1.0) && is(n, 4.0) => Part::Year,
                () if is(from, 6.0) && is(n, 2.0) => Part::Month,
                () if is(from, 9.0) && is(n, 2.0) => Part::Day,
                () if is(from, 1.0) && is(n, 7.0) => Part::Begin(6),
                () if is(from, 1.0) && is(n, 10.0) => Part::Whole,
                () => return None,
            },
            Cut::Characters(from, n) => {
                let n = whole(n).filter(|n| is(from, 1.0) && *n > 0)?;
                Part::Begin(n)
            }
            Cut::Matching(pattern) => {
                let (part, _) = sql::PATTERNS.iter().find(|(_, known)| *known == pattern)?;
                *part
            }
        };
        Some(Field { attribute, part })
    }
}

/// A number without a fraction, up to a thousand.
fn whole(number: f64) -> Option<u32> {
    (0..=1_000_u32).find(|n| (f64::from(*n) - number).abs() < 1e-9)
}

/// The field that two expressions are of the two records.
fn same_field(one: &Expression, other: &Expression, columns: Columns<'_>) -> Option<Field> {
    let (one, other) = (place(one)?, place(other)?);
    let is_same = one.column == other.column && one.cut == other.cut && one.side != other.side;
    is_same.then(|| one.field(columns)).flatten()
}

fn compared(
    order: Order,
    left: &Expression,
    right: &Expression,
    columns: Columns<'_>,
) -> Option<Condition> {
    match (left, right) {
        (Expression::Call(name, arguments), Expression::Number(limit)) => {
            measured(order, name, arguments, *limit, columns)
        }
        (Expression::Number(limit), Expression::Call(name, arguments)) => {
            measured(order.turned(), name, arguments, *limit, columns)
        }
        _ if order == Order::Equal => {
            if let Some(field) = same_field(left, right, columns) {
                return Some(Condition::Equal(field));
            }
            let (one, other) = (place(left)?, place(right)?);
            (one.side != other.side).then_some(())?;
            Some(crossed(one.field(columns)?, other.field(columns)?, Condition::HalfCrossed))
        }
        _ => None,
    }
}

/// A value is another column's. Two spellings of a column, or two columns of one meaning, are one
/// attribute, which is then equal.
fn crossed(one: Field, other: Field, of: fn(Field, Field) -> Condition) -> Condition {
    if one == other { Condition::Equal(one) } else { of(one, other) }
}

/// A function of two records that is held against a number.
fn measured(
    order: Order,
    name: &str,
    arguments: &[Expression],
    limit: f64,
    columns: Columns<'_>,
) -> Option<Condition> {
    let at_least = match order {
        Order::AtLeast => Some(limit),
        Order::More => Some(limit.next_up()),
        _ => None,
    };
    let at_most = match order {
        Order::AtMost => Some(limit.floor()),
        Order::Less => Some(limit.ceil() - 1.0),
        _ => None,
    };
    let likeness = match name {
        "jaro_winkler_similarity" | "jaro_winkler" | "jaro_winkler_sim" => {
            Some(Likeness::JaroWinkler)
        }
        "jaro_similarity" | "jaro" | "jaro_sim" => Some(Likeness::Jaro),
        "jaccard" | "jaccard_sim" | "jaccard_similarity" => Some(Likeness::Jaccard),
        _ => None,
    };
    let edit = match name {
        "levenshtein" | "levenshtein_distance" | "editdist3" => Some(Edit::Levenshtein),
        "damerau_levenshtein" | "damerau_levenshtein_distance" => Some(Edit::Damerau),
        _ => None,
    };
    match (name, arguments) {
        (_, [one, other]) if let Some(by) = likeness => {
            let field = same_field(one, other, columns)?;
            Some(Condition::Like { field, by, at_least: at_least? })
        }
        (_, [one, other]) if let Some(by) = edit => {
            let field = same_field(one, other, columns)?;
            Some(Condition::Edits { field, by, at_most: whole(at_most?)? })
        }
        ("abs", [Expression::Minus(one, other)]) => match (&**one, &**other) {
            (Expression::Call(a, one), Expression::Call(b, other))
                if is_epoch(a) && is_epoch(b) =>
            {
                apart(one.first()?, other.first()?, limit_of(order, limit)? / 86_400.0, columns)
            }
            _ => None,
        },
        ("abs", [Expression::Call(name, arguments)]) => {
            let days = limit_of(order, limit)?;
            match (name.as_str(), arguments.as_slice()) {
                ("date_diff" | "datediff", [Expression::Text(unit), one, other])
                    if unit.eq_ignore_ascii_case("day") =>
                {
                    apart(one, other, days, columns)
                }
                ("datediff", [one, other]) => apart(one, other, days, columns),
                _ => None,
            }
        }
        ("array_length" | "len" | "length" | "cardinality" | "size", [list, ..]) => match list {
            Expression::Call(name, lists)
                if matches!(name.as_str(), "list_intersect" | "array_intersect") =>
            {
                let field = same_field(lists.first()?, lists.get(1)?, columns)?;
                let at_least = whole(at_least?.ceil())?;
                Some(Condition::Share { attribute: field.attribute, at_least })
            }
            _ => None,
        },
        _ => None,
    }
}

fn is_epoch(name: &str) -> bool {
    matches!(name, "epoch" | "unix_timestamp" | "to_unixtime")
}

const fn limit_of(order: Order, limit: f64) -> Option<f64> {
    match order {
        Order::AtMost | Order::Less => Some(limit),
        _ => None,
    }
}

fn apart(
    one: &Expression,
    other: &Expression,
    days: f64,
    columns: Columns<'_>,
) -> Option<Condition> {
    let field = same_field(one, other, columns)?;
    let is_whole = field.part == Part::Whole && days.is_finite();
    is_whole.then_some(Condition::Apart { attribute: field.attribute, days })
}
