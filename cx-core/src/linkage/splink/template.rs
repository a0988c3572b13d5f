//! The comparisons of cx in conditions.

use super::super::compare::{Comparison, Level};
use super::super::condition::{Condition, Edit, Field, Likeness, Part};
use super::super::table::Attribute;

/// The levels of a comparison as conditions, missing values first, as far as the attributes are
/// there; none where none of them is.
pub(super) fn template(
    comparison: &Comparison,
    has: &impl Fn(&Attribute) -> bool,
) -> Option<Vec<(Option<Level>, Condition)>> {
    let of = |attribute: Attribute| has(&attribute).then_some(Of(attribute));
    let mut levels = match comparison {
        Comparison::GivenName => given(&of(Attribute::GivenName)?, of(Attribute::FamilyName)),
        Comparison::FamilyName => family(&of(Attribute::FamilyName)?, of(Attribute::GivenName)),
        Comparison::BirthDate => birth(&of(Attribute::BirthDate)?),
        Comparison::Place => place(of(Attribute::Postcode), of(Attribute::City))?,
        Comparison::Street => {
            let street = of(Attribute::Street)?;
            vec![
                street.missing(),
                street.exact(),
                (Some(Level::Close), street.like(0.92)),
                (Some(Level::Near), street.like(0.85)),
            ]
        }
        Comparison::Phone => number(&of(Attribute::Phone)?),
        Comparison::NationalId => number(&of(Attribute::NationalId)?),
        Comparison::Email => {
            let email = of(Attribute::Email)?;
            vec![
                email.missing(),
                email.exact(),
                (Some(Level::SameLocalPart), email.equal(Part::Local)),
                (Some(Level::OneEdit), email.edits(Edit::Damerau, 1)),
                (Some(Level::Close), email.edits(Edit::Levenshtein, 3)),
            ]
        }
        Comparison::Other(name) => {
            let other = of(Attribute::Other(name.clone()))?;
            let close = Condition::Any(vec![other.edits(Edit::Damerau, 1), other.like(0.9)]);
            vec![other.missing(), other.exact(), (Some(Level::Close), close)]
        }
    };
    levels.push((Some(Level::Other), Condition::Otherwise));
    Some(levels)
}

struct Of(Attribute);

impl Of {
    fn field(&self, part: Part) -> Field {
        Field { attribute: self.0.clone(), part }
    }

    fn missing(&self) -> (Option<Level>, Condition) {
        (None, Condition::Missing(self.0.clone()))
    }

    fn exact(&self) -> (Option<Level>, Condition) {
        (Some(Level::Exact), self.equal(Part::Whole))
    }

    fn equal(&self, part: Part) -> Condition {
        Condition::Equal(self.field(part))
    }

    fn like(&self, at_least: f64) -> Condition {
        Condition::Like { field: self.field(Part::Whole), by: Likeness::JaroWinkler, at_least }
    }

    fn edits(&self, by: Edit, at_most: u32) -> Condition {
        Condition::Edits { field: self.field(Part::Whole), by, at_most }
    }
}

fn swapped(given: &Of, family: &Of) -> Condition {
    Condition::Crossed(given.field(Part::Whole), family.field(Part::Whole))
}

type Levels = Vec<(Option<Level>, Condition)>;

fn given(given: &Of, family: Option<Of>) -> Levels {
    let mut levels = vec![
        given.missing(),
        given.exact(),
        (Some(Level::Nickname), Condition::Nickname(given.0.clone())),
    ];
    if let Some(family) = family {
        levels.push((Some(Level::Swapped), swapped(given, &family)));
    }
    let close = Condition::Any(vec![given.like(0.92), given.edits(Edit::Damerau, 1)]);
    levels.extend([
        (Some(Level::Close), close),
        (Some(Level::Near), given.like(0.85)),
        (Some(Level::Initial), Condition::Initial(given.0.clone())),
    ]);
    levels
}

/// Of swapped names the given name tells all there is to tell.
fn family(family: &Of, given: Option<Of>) -> Levels {
    let (none, missing) = family.missing();
    let missing = match given {
        Some(given) => Condition::Any(vec![missing, swapped(&given, family)]),
        None => missing,
    };
    vec![
        (none, missing),
        family.exact(),
        (Some(Level::OneEdit), family.edits(Edit::Damerau, 1)),
        (Some(Level::Close), family.like(0.92)),
        (Some(Level::Near), family.like(0.85)),
    ]
}

fn birth(birth: &Of) -> Levels {
    let (year, month, day) =
        (birth.equal(Part::Year), birth.equal(Part::Month), birth.equal(Part::Day));
    let turned = Condition::Crossed(birth.field(Part::Month), birth.field(Part::Day));
    let one_edit = Condition::Any(vec![
        birth.edits(Edit::Damerau, 1),
        Condition::All(vec![year.clone(), turned]),
    ]);
    let two_parts = Condition::Any(vec![
        Condition::All(vec![year.clone(), month.clone()]),
        Condition::All(vec![year, day.clone()]),
        Condition::All(vec![month, day]),
    ]);
    let apart = |days| Condition::Apart { attribute: birth.0.clone(), days };
    vec![
        birth.missing(),
        birth.exact(),
        (Some(Level::OneEdit), one_edit),
        (Some(Level::TwoParts), two_parts),
        (Some(Level::WithinMonth), apart(31.0)),
        (Some(Level::WithinYear), apart(366.0)),
    ]
}

fn place(postcode: Option<Of>, city: Option<Of>) -> Option<Levels> {
    let missing: Vec<Condition> = [&postcode, &city]
        .into_iter()
        .flatten()
        .map(|of| Condition::Missing(of.0.clone()))
        .collect();
    let missing = match missing.as_slice() {
        [] => return None,
        [one] => one.clone(),
        _ => Condition::All(missing),
    };
    let mut levels = vec![(None, missing)];
    if let Some(postcode) = postcode {
        levels.push(postcode.exact());
        levels.push((Some(Level::Close), postcode.edits(Edit::Damerau, 1)));
    }
    if let Some(city) = city {
        levels.push((Some(Level::SameCity), city.like(0.9)));
    }
    Some(levels)
}

fn number(number: &Of) -> Levels {
    vec![number.missing(), number.exact(), (Some(Level::OneEdit), number.edits(Edit::Damerau, 1))]
}
