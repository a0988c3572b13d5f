//! Customers as rows to compare: what is known of each of them, as sets of values.

use std::collections::BTreeSet;

use super::table::{Attribute, Table, TableBuilder};
use crate::event::identity::Profile;
use crate::identifier::{Identifier, Namespace};

/// What is known of a customer that says who it may be.
///
/// Values that link nobody, and values that several persons carry, are for the caller to leave
/// out: they neither weigh nor block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerRow {
    names: BTreeSet<String>,
    birth_dates: BTreeSet<String>,
    emails: BTreeSet<String>,
    phones: BTreeSet<String>,
    national_ids: BTreeSet<String>,
    streets: BTreeSet<String>,
    postcodes: BTreeSet<String>,
    cities: BTreeSet<String>,
}

/// How many values of a kind are compared; of more the first in order count.
const MOST: usize = 4;

impl CustomerRow {
    /// Takes in a name as it was written.
    pub fn name(&mut self, written: &str) {
        self.names.insert(written.to_owned());
    }

    /// Takes in a mail address, a telephone number or a national id; others say nothing here.
    pub fn identifier(&mut self, identifier: &Identifier) {
        let values = match identifier.namespace() {
            Namespace::Email => &mut self.emails,
            Namespace::Phone | Namespace::WaId => &mut self.phones,
            Namespace::NationalId => &mut self.national_ids,
            _ => return,
        };
        if identifier.is_linkable() {
            values.insert(identifier.key().to_owned());
        }
    }

    /// Takes in what a source has on record: names, the date of birth, the address.
    pub fn profile(&mut self, profile: &Profile) {
        let whole = match (&profile.given_name, &profile.family_name) {
            (Some(given), Some(family)) => Some(format!("{given} {family}")),
            _ => profile.name.clone(),
        };
        self.names.extend(whole);
        self.birth_dates.extend(profile.birth_date.clone());
        if let Some(address) = &profile.address {
            self.streets.extend(address.street.clone());
            self.postcodes.extend(address.postcode.clone());
            self.cities.extend(address.city.clone());
        }
    }

    fn sets(&self) -> [(Attribute, &BTreeSet<String>); 8] {
        [
            (Attribute::FullName, &self.names),
            (Attribute::BirthDate, &self.birth_dates),
            (Attribute::Email, &self.emails),
            (Attribute::Phone, &self.phones),
            (Attribute::NationalId, &self.national_ids),
            (Attribute::Street, &self.streets),
            (Attribute::Postcode, &self.postcodes),
            (Attribute::City, &self.cities),
        ]
    }
}

/// These customers as a table, in their order: of several values of a kind the best pair counts.
///
/// ```
/// # use cx_core::identifier::{Identifier, Namespace};
/// # use cx_core::linkage::{Attribute, CustomerRow, customers};
/// let mut anna = CustomerRow::default();
/// anna.name("Anna Bos");
/// anna.identifier(&Identifier::normalise(Namespace::Email, "", "anna@example.nl", None)?);
/// let table = customers(&[anna, CustomerRow::default()]);
/// assert_eq!(table.values(0, &Attribute::FamilyName), ["bos"]);
/// assert!(table.values(1, &Attribute::Email).is_empty());
/// # Ok::<(), cx_core::identifier::IdentifierError>(())
/// ```
pub fn customers(rows: &[CustomerRow]) -> Table {
    let kinds = CustomerRow::default().sets().map(|(attribute, _)| attribute);
    // What nobody has is no column.
    let most = |position: usize| {
        let lengths = rows.iter().filter_map(|row| Some(row.sets().get(position)?.1.len()));
        lengths.max().unwrap_or(0).min(MOST)
    };
    let widths: Vec<usize> = (0..kinds.len()).map(most).collect();
    let columns: Vec<Attribute> = kinds
        .iter()
        .zip(&widths)
        .flat_map(|(attribute, width)| std::iter::repeat_n(attribute.clone(), *width))
        .collect();
    let mut builder = TableBuilder::new(&columns);
    for row in rows {
        let sets = row.sets();
        let cells: Vec<&str> = sets
            .iter()
            .zip(&widths)
            .flat_map(|((_, values), width)| {
                let values = values.iter().map(String::as_str);
                values.chain(std::iter::repeat("")).take(*width)
            })
            .collect();
        builder.push(&cells);
    }
    builder.finish()
}
