//! Columns: where the cells of one table or two stand in the rows that are compared.

use super::table::Attribute;

/// Which column of each table says what, brought together for a [`super::TableBuilder`].
///
/// ```
/// # use cx_core::linkage::{Attribute, Layout};
/// let shop = vec![Some(Attribute::FullName), None, Some(Attribute::Email)];
/// let club = vec![Some(Attribute::Email), Some(Attribute::Email)];
/// let layout = Layout::of(&[shop, club]);
/// assert_eq!(layout.places(), [Attribute::FullName, Attribute::Email, Attribute::Email]);
/// assert_eq!(layout.row(0, ["Jan Smit", "17", "jan@example.nl"]), ["Jan Smit", "jan@example.nl", ""]);
/// assert_eq!(layout.row(1, ["a@example.nl", "b@example.nl"]), ["", "a@example.nl", "b@example.nl"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    places: Vec<Attribute>,
    to: Vec<Vec<Option<usize>>>,
}

impl Layout {
    /// The layout of tables whose columns say this; `None` for what is not compared. There are as
    /// many places for an attribute as any table has columns of it.
    pub fn of(tables: &[Vec<Option<Attribute>>]) -> Self {
        let mut places: Vec<Attribute> = Vec::new();
        for attribute in tables.iter().flatten().flatten() {
            if !places.contains(attribute) {
                let n = |columns: &Vec<Option<Attribute>>| {
                    columns.iter().filter(|of| of.as_ref() == Some(attribute)).count()
                };
                let most = tables.iter().map(n).max().unwrap_or(0);
                places.extend(std::iter::repeat_n(attribute.clone(), most));
            }
        }
        let to = tables.iter().map(|columns| where_to(columns, &places)).collect();
        Self { places, to }
    }

    /// What the places of a row say.
    pub fn places(&self) -> &[Attribute] {
        &self.places
    }

    /// The cells of a row of one of the tables, each in its place; empty where there is none.
    pub fn row<'a>(&self, table: usize, cells: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        let mut row = vec![""; self.places.len()];
        for (cell, to) in cells.into_iter().zip(self.to.get(table).into_iter().flatten()) {
            if let Some(slot) = to.and_then(|to| row.get_mut(to)) {
                *slot = cell;
            }
        }
        row
    }
}

/// For each column of a table its place in a row.
fn where_to(columns: &[Option<Attribute>], places: &[Attribute]) -> Vec<Option<usize>> {
    let place = |(at, attribute): (usize, &Option<Attribute>)| {
        let attribute = attribute.as_ref()?;
        let before = columns.iter().take(at).filter(|of| of.as_ref() == Some(attribute)).count();
        let all = places.iter().enumerate().filter(|(_, of)| *of == attribute);
        all.map(|(place, _)| place).nth(before)
    };
    columns.iter().enumerate().map(place).collect()
}
