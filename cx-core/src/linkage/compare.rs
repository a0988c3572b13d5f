//! Comparisons: into which level of likeness two records fall, attribute by attribute.

use serde::{Deserialize, Serialize};

use super::similarity::{edits_up_to_3, likeness, one_edit};
use super::table::{Attribute, Cell, Column, Table};

/// What of two records is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Given names, and whether given and family name are swapped.
    GivenName,
    /// Family names.
    FamilyName,
    /// Dates of birth.
    BirthDate,
    /// Where they live: postcode and town, as one.
    Place,
    /// Streets.
    Street,
    /// Telephone numbers.
    Phone,
    /// E-mail addresses.
    Email,
    /// Ids given by a state or the like.
    NationalId,
    /// Another attribute.
    Other(String),
}

/// How alike two values are. Level 0 of every comparison is that one of them is missing; the
/// others come from the most alike to the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// One of the two has no value, or only one that many use. Weighs nothing.
    Missing,
    /// The same; how rare the value is counts.
    Exact,
    /// One is a short form of the other.
    Nickname,
    /// Given and family name are swapped.
    Swapped,
    /// One character differs, two neighbours or day and month are swapped.
    OneEdit,
    /// The part before the `@` is the same, and has a number in it.
    SameLocalPart,
    /// Jaro–Winkler at least 0.92; of places, the same postcode or town nearly; of mail addresses,
    /// at most three characters differ.
    Close,
    /// Jaro–Winkler at least 0.85.
    Near,
    /// One is the initial of the other.
    Initial,
    /// Two of day, month and year are the same.
    TwoParts,
    /// At most 31 days apart.
    WithinMonth,
    /// At most 366 days apart.
    WithinYear,
    /// The same town, another postcode or none.
    SameCity,
    /// Nothing of these.
    Other,
}

impl Comparison {
    /// The levels, in the order of their numbers.
    pub const fn levels(&self) -> &'static [Level] {
        use Level::{
            Close, Exact, Initial, Missing, Near, Nickname, OneEdit, SameCity, SameLocalPart,
            Swapped, TwoParts, WithinMonth, WithinYear,
        };
        match self {
            Self::GivenName => {
                &[Missing, Exact, Nickname, Swapped, Close, Near, Initial, Level::Other]
            }
            Self::FamilyName => &[Missing, Exact, OneEdit, Close, Near, Level::Other],
            Self::BirthDate => {
                &[Missing, Exact, OneEdit, TwoParts, WithinMonth, WithinYear, Level::Other]
            }
            Self::Place => &[Missing, Exact, Close, SameCity, Level::Other],
            Self::Street => &[Missing, Exact, Close, Near, Level::Other],
            Self::Phone | Self::NationalId => &[Missing, Exact, OneEdit, Level::Other],
            Self::Email => &[Missing, Exact, SameLocalPart, OneEdit, Close, Level::Other],
            Self::Other(_) => &[Missing, Exact, Close, Level::Other],
        }
    }

    /// The comparisons that the records of a table allow, in a fixed order.
    pub fn of(table: &Table) -> Vec<Self> {
        let mut all: Vec<Self> = table
            .attributes()
            .filter_map(|attribute| {
                Some(match attribute {
                    Attribute::GivenName => Self::GivenName,
                    Attribute::FamilyName => Self::FamilyName,
                    Attribute::BirthDate => Self::BirthDate,
                    Attribute::Postcode | Attribute::City => Self::Place,
                    Attribute::Street => Self::Street,
                    Attribute::Phone => Self::Phone,
                    Attribute::Email => Self::Email,
                    Attribute::NationalId => Self::NationalId,
                    Attribute::Other(name) => Self::Other(name.clone()),
                    Attribute::FullName => return None,
                })
            })
            .collect();
        all.sort();
        all.dedup();
        // A pattern has room for sixteen.
        all.truncate(16);
        all
    }
}

/// The levels of a pair, four bits each, the first comparison in the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Pattern(u64);

impl Pattern {
    pub(super) const fn with(self, position: usize, level: u8) -> Self {
        #[expect(clippy::as_conversions, reason = "a widening that `From` cannot do in a const fn")]
        let level = level as u64;
        Self(self.0 | (level << (4 * position)))
    }

    /// The number of the level of a comparison, by its position.
    pub fn level(self, position: usize) -> usize {
        usize::try_from((self.0 >> (4 * position)) & 0xf).unwrap_or(0)
    }
}

/// Compares rows of one table.
#[derive(Debug)]
pub(super) struct Comparer<'a> {
    given: Option<&'a Column>,
    family: Option<&'a Column>,
    postcode: Option<&'a Column>,
    city: Option<&'a Column>,
    parts: Vec<(Part, Option<&'a Column>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Given,
    Family,
    Birth,
    Place,
    Street,
    Number,
    Email,
    Other,
}

impl<'a> Comparer<'a> {
    pub(super) fn new(table: &'a Table, comparisons: &[Comparison]) -> Self {
        let column = |attribute: &Attribute| {
            table.column(attribute).and_then(|position| table.columns().get(position))
        };
        let part = |comparison: &Comparison| match comparison {
            Comparison::GivenName => (Part::Given, column(&Attribute::GivenName)),
            Comparison::FamilyName => (Part::Family, column(&Attribute::FamilyName)),
            Comparison::BirthDate => (Part::Birth, column(&Attribute::BirthDate)),
            Comparison::Place => (Part::Place, None),
            Comparison::Street => (Part::Street, column(&Attribute::Street)),
            Comparison::Phone => (Part::Number, column(&Attribute::Phone)),
            Comparison::NationalId => (Part::Number, column(&Attribute::NationalId)),
            Comparison::Email => (Part::Email, column(&Attribute::Email)),
            Comparison::Other(name) => (Part::Other, column(&Attribute::Other(name.clone()))),
        };
        Self {
            given: column(&Attribute::GivenName),
            family: column(&Attribute::FamilyName),
            postcode: column(&Attribute::Postcode),
            city: column(&Attribute::City),
            parts: comparisons.iter().map(part).collect(),
        }
    }

    pub(super) fn pattern(&self, a: u32, b: u32) -> Pattern {
        let mut pattern = Pattern::default();
        let swapped = self.is_swapped(a, b);
        for (position, (part, column)) in self.parts.iter().enumerate() {
            let level = match part {
                Part::Given if swapped => 3,
                Part::Family if swapped => 0,
                Part::Given => best(*column, a, b, given),
                Part::Family => best(*column, a, b, family),
                Part::Birth => best(*column, a, b, birth),
                Part::Place => self.place(a, b),
                Part::Street => best(*column, a, b, street),
                Part::Number => best(*column, a, b, number),
                Part::Email => match best(*column, a, b, email) {
                    // What two addresses have in common may be that they are made of one name.
                    3 | 4 if self.are_of_names(*column, a, b) => 5,
                    2 if self.are_of_names(*column, a, b) => 4,
                    level => level,
                },
                Part::Other => best(*column, a, b, other),
            };
            pattern = pattern.with(position, level);
        }
        pattern
    }

    /// The value that two records have in common in a comparison, the rarest of several.
    pub(super) fn common(&self, position: usize, a: u32, b: u32) -> Option<(&'a Column, u32)> {
        let (part, column) = self.parts.get(position)?;
        if *part == Part::Place {
            let of = |column: Option<&'a Column>| {
                column.and_then(|column| Some((column, shared_value(column, a, b)?)))
            };
            return of(self.postcode).or_else(|| of(self.city));
        }
        let column = (*column)?;
        shared_value(column, a, b).map(|value| (column, value))
    }

    /// Whether given and family name stand in each other's place, a slip of the hand aside.
    fn is_swapped(&self, a: u32, b: u32) -> bool {
        let (Some(given), Some(family)) = (self.given, self.family) else { return false };
        let (ga, gb) = (given.of(a).first(), given.of(b).first());
        let (fa, fb) = (family.of(a).first(), family.of(b).first());
        if ga.is_some() && ga == gb || fa.is_some() && fa == fb {
            return false;
        }
        let crossed = |one: Option<&u32>, other: Option<&u32>| match (one, other) {
            (Some(one), Some(other)) => Some(alike(given.text(*one), family.text(*other))),
            _ => None,
        };
        match (crossed(ga, fb), crossed(gb, fa)) {
            (Some(true), Some(true)) => true,
            // One of the two records has one name only, and it is the other's other name.
            (Some(true), None) => gb.is_none() || fa.is_none(),
            (None, Some(true)) => ga.is_none() || fb.is_none(),
            _ => false,
        }
    }

    /// Whether two rows have mail addresses that are made of their own names, and of a number of
    /// less than three digits or one that differs by more than a slip of the hand.
    fn are_of_names(&self, column: Option<&Column>, a: u32, b: u32) -> bool {
        match (self.number_beside_names(column, a), self.number_beside_names(column, b)) {
            (Some(one), Some(other)) => one.len().min(other.len()) < 3 || !one_edit(&one, &other),
            _ => false,
        }
    }

    /// Whether a row's mail address is made of its own names and of nothing else.
    pub(super) fn is_of_names_only(&self, column: Option<&Column>, row: u32) -> bool {
        self.number_beside_names(column, row).is_some_and(|number| number.is_empty())
    }

    fn number_beside_names(&self, column: Option<&Column>, row: u32) -> Option<String> {
        let column = column?;
        let value = column.telling(row).next()?;
        let name = |of: Option<&'a Column>| of.map_or(&[][..], |of| of.of(row));
        let given = name(self.given).iter().map(|v| self.given.map_or("", |c| c.text(*v)));
        let family = name(self.family).iter().map(|v| self.family.map_or("", |c| c.text(*v)));
        let given: Vec<&str> = given.collect();
        number_beside_names(local(column.text(value)), &given, &family.collect::<Vec<_>>())
    }

    /// Whether given names are of nearly the same letters, in any order: `hNoaN` is a slip of the
    /// hand that no likeness shows, and no twin of Noah.
    pub(super) fn are_garbled(&self, a: u32, b: u32) -> bool {
        let Some(given) = self.given else { return false };
        let are_alike = |one: &str, other: &str| {
            let mut left: Vec<u8> = other.bytes().collect();
            let in_common = one.bytes().filter(|byte| {
                let at = left.iter().position(|other| other == byte);
                at.map(|at| left.swap_remove(at)).is_some()
            });
            in_common.count() * 10 > one.len().max(other.len()) * 7
        };
        given
            .telling(a)
            .any(|one| given.telling(b).any(|other| are_alike(given.text(one), given.text(other))))
    }

    /// Whether two dates of birth are of one day, or nearly, in years between which a generation
    /// fits.
    pub(super) fn are_of_two_generations(&self, a: u32, b: u32) -> bool {
        let birth = self.parts.iter().find(|(part, _)| *part == Part::Birth);
        let Some(column) = birth.and_then(|(_, column)| *column) else { return false };
        let years = |row: u32| {
            let dates = column.telling(row).filter_map(|value| parts(column.text(value)));
            dates.map(|(year, ..)| year)
        };
        years(a).next().is_some()
            && years(b).next().is_some()
            && years(a).all(|one| years(b).all(|other| one.abs_diff(other) >= GENERATION))
    }

    /// Postcode and town: the same postcode, nearly the same, the same town under another one or
    /// none, others.
    fn place(&self, a: u32, b: u32) -> u8 {
        let postcode = self.postcode.map_or(0, |column| best(Some(column), a, b, number));
        if matches!(postcode, 1 | 2) {
            return postcode;
        }
        match (postcode, self.city.map_or(0, |column| best(Some(column), a, b, city))) {
            (0, 0) => 0,
            (_, 1 | 2) => 3,
            _ => 4,
        }
    }
}

/// So many years are between father and son at least.
const GENERATION: u32 = 15;

/// Whether two names are one, a slip of the hand aside.
fn alike(one: &str, other: &str) -> bool {
    one == other
        || one.len().min(other.len()) > 3 && (one_edit(one, other) || likeness(one, other) >= 0.9)
}

fn shared_value(column: &Column, a: u32, b: u32) -> Option<u32> {
    match (column.cell(a), column.cell(b)) {
        (Cell::Empty, _) | (_, Cell::Empty) => return None,
        (Cell::One(one), Cell::One(other)) => return (one == other).then_some(one),
        _ => {}
    }
    let others = column.of(b);
    let common = column.telling(a).filter(|value| others.contains(value));
    common.min_by_key(|value| (column.count(*value), *value))
}

/// The best level of any two values of two rows; 0 where one has none that few use.
fn best(column: Option<&Column>, a: u32, b: u32, level: fn(&Column, u32, u32) -> u8) -> u8 {
    let Some(column) = column else { return 0 };
    match (column.cell(a), column.cell(b)) {
        (Cell::Empty, _) | (_, Cell::Empty) => return 0,
        (Cell::One(one), Cell::One(other)) => {
            return if one == other { 1 } else { level(column, one, other) };
        }
        _ => {}
    }
    let mut best = 0;
    for one in column.telling(a) {
        for other in column.telling(b) {
            let this = if one == other { 1 } else { level(column, one, other) };
            if best == 0 || this < best {
                best = this;
            }
        }
    }
    best
}

fn given(column: &Column, one: u32, other: u32) -> u8 {
    if column.mask(one) & column.mask(other) != 0 {
        return 2;
    }
    let (a, b) = (column.text(one), column.text(other));
    if a.len() == 1 || b.len() == 1 {
        return if a.as_bytes().first() == b.as_bytes().first() { 6 } else { 7 };
    }
    match likeness(a, b) {
        s if s >= 0.92 || one_edit(a, b) && a.len().min(b.len()) > 3 => 4,
        s if s >= 0.85 => 5,
        _ => 7,
    }
}

fn family(column: &Column, one: u32, other: u32) -> u8 {
    let (a, b) = (column.text(one), column.text(other));
    if one_edit(a, b) && a.len().min(b.len()) > 3 {
        return 2;
    }
    // One of two names that somebody married into is enough.
    let has_word = |whole: &str, word: &str| {
        word.len() > 3 && whole.len() > word.len() && whole.split(' ').any(|part| part == word)
    };
    match likeness(a, b) {
        s if s >= 0.92 => 3,
        _ if has_word(a, b) || has_word(b, a) => 3,
        s if s >= 0.85 => 4,
        _ => 5,
    }
}

fn birth(column: &Column, one: u32, other: u32) -> u8 {
    let (a, b) = (column.text(one), column.text(other));
    let (Some(x), Some(y)) = (parts(a), parts(b)) else {
        return if one_edit(a, b) { 2 } else { 6 };
    };
    if one_edit(a, b) || (x.0 == y.0 && x.1 == y.2 && x.2 == y.1) {
        return 2;
    }
    let same = u8::from(x.0 == y.0) + u8::from(x.1 == y.1) + u8::from(x.2 == y.2);
    let apart = days(x).abs_diff(days(y));
    match same {
        2 => 3,
        _ if apart <= 31 => 4,
        _ if apart <= 366 => 5,
        _ => 6,
    }
}

/// Year, month and day of a date in normal form.
fn parts(text: &str) -> Option<(i32, i32, i32)> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse().ok();
    (text.len() == 8).then_some(())?;
    Some((number(0, 4)?, number(4, 6)?, number(6, 8)?))
}

/// A count of days that is near enough for telling how far two dates are apart.
const fn days((year, month, day): (i32, i32, i32)) -> i32 {
    year * 365 + year / 4 + month * 30 + (month * 7) / 12 + day
}

fn street(column: &Column, one: u32, other: u32) -> u8 {
    let (a, b) = (column.text(one), column.text(other));
    match likeness(a, b) {
        s if s >= 0.92 => 2,
        s if s >= 0.85 => 3,
        _ => 4,
    }
}

fn number(column: &Column, one: u32, other: u32) -> u8 {
    if one_edit(column.text(one), column.text(other)) { 2 } else { 3 }
}

fn city(column: &Column, one: u32, other: u32) -> u8 {
    if likeness(column.text(one), column.text(other)) >= 0.9 { 2 } else { 3 }
}

fn email(column: &Column, one: u32, other: u32) -> u8 {
    let (a, b) = (column.text(one), column.text(other));
    let same = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).map(|(x, _)| x);
    let local = same.take_while(|byte| *byte != b'@');
    let (mut n, mut digits) = (0, 0);
    for byte in local {
        n += 1;
        digits += usize::from(byte.is_ascii_digit());
    }
    // Namesakes have local parts made of their names; a number in it is somebody's own.
    if digits > 0 && a.as_bytes().get(n) == Some(&b'@') && b.as_bytes().get(n) == Some(&b'@') {
        return 2;
    }
    match edits_up_to_3(a, b) {
        Some(0 | 1) => 3,
        Some(n) if a.len().min(b.len()) >= 6 * n => 4,
        _ => 5,
    }
}

/// The digits of a local part, if all else of it is made of a given and a family name: both in
/// either order, an initial and the other, or one of them.
fn number_beside_names(local: &str, given: &[&str], family: &[&str]) -> Option<String> {
    let letters: String = local.chars().filter(|c| c.is_alphabetic()).collect();
    let bare = |name: &str| name.replace(' ', "");
    let is_of = |one: &str, other: &str| {
        // The whole of one name, or its initial, and then the whole of the other, or its initial.
        let rest = |whole: &str, name: &str| {
            let begin = [name, name.get(..1).unwrap_or_default()];
            begin.into_iter().filter(|b| !b.is_empty()).find_map(|b| {
                let rest = whole.strip_prefix(b)?;
                Some((b.len() > 1, rest.to_owned()))
            })
        };
        match rest(&letters, one) {
            Some((true, left)) => {
                left.is_empty() || rest(&left, other).is_some_and(|r| r.1.is_empty())
            }
            Some((false, left)) => left == other,
            None => false,
        }
    };
    let is_made = |given: &str, family: &str| is_of(given, family) || is_of(family, given);
    let (given, family): (Vec<String>, Vec<String>) =
        (given.iter().map(|n| bare(n)).collect(), family.iter().map(|n| bare(n)).collect());
    let nothing = [String::new()];
    let or = |names: &'_ [String]| if names.is_empty() { nothing.to_vec() } else { names.to_vec() };
    let made = or(&given).iter().any(|g| or(&family).iter().any(|f| is_made(g, f)));
    made.then(|| local.chars().filter(char::is_ascii_digit).collect())
}

/// What stands before the `@`.
pub(super) fn local(address: &str) -> &str {
    address.split('@').next().unwrap_or_default()
}

fn other(column: &Column, one: u32, other: u32) -> u8 {
    let (a, b) = (column.text(one), column.text(other));
    if one_edit(a, b) && a.len() > 3 || likeness(a, b) >= 0.9 { 2 } else { 3 }
}
