//! Records of persons, column by column, each value once.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::mix::{Mixed, Mixer, mixed};
use super::similarity::{jaro_winkler, one_edit};
use crate::identity::name::{given_and_family, nickname_mask, words};
use crate::text;

/// What a column says of a person.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attribute {
    /// The given name.
    GivenName,
    /// The family name.
    FamilyName,
    /// The whole name; it is taken apart.
    FullName,
    /// The date of birth, in any usual form.
    BirthDate,
    /// The street, with the number of the house or without.
    Street,
    /// The postcode.
    Postcode,
    /// The town.
    City,
    /// A telephone number.
    Phone,
    /// An e-mail address.
    Email,
    /// An id that a state, an insurer or the like gave to the person.
    NationalId,
    /// Something else that says a little of who it is, such as the company.
    Other(String),
}

impl Attribute {
    /// The name as it is written in options and models.
    pub fn name(&self) -> &str {
        match self {
            Self::GivenName => "given_name",
            Self::FamilyName => "family_name",
            Self::FullName => "full_name",
            Self::BirthDate => "birth_date",
            Self::Street => "street",
            Self::Postcode => "postcode",
            Self::City => "city",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::NationalId => "national_id",
            Self::Other(name) => name,
        }
    }

    /// The attribute of this name; any other name is [`Attribute::Other`].
    pub fn from_name(name: &str) -> Self {
        let known = [
            Self::GivenName,
            Self::FamilyName,
            Self::FullName,
            Self::BirthDate,
            Self::Street,
            Self::Postcode,
            Self::City,
            Self::Phone,
            Self::Email,
            Self::NationalId,
        ];
        let found = known.into_iter().find(|attribute| attribute.name() == name);
        found.unwrap_or_else(|| Self::Other(name.to_owned()))
    }

    /// What a column of this name says, in the usual spellings of English, Dutch, German and
    /// French exports; `None` where the name is not among them.
    ///
    /// ```
    /// # use cx_core::linkage::Attribute;
    /// assert_eq!(Attribute::of_header("Geburtsdatum"), Some(Attribute::BirthDate));
    /// assert_eq!(Attribute::of_header("E-Mail Address"), Some(Attribute::Email));
    /// assert_eq!(Attribute::of_header("Prénom"), Some(Attribute::GivenName));
    /// assert_eq!(Attribute::of_header("cluster"), None);
    /// ```
    pub fn of_header(header: &str) -> Option<Self> {
        let latin = deunicode::deunicode_with_tofu(&text::folded(header), "");
        let bare: String =
            text::folded(&latin).chars().filter(char::is_ascii_alphanumeric).collect();
        // `E-mail 1 - Value`, as address books say.
        let bare = bare.strip_suffix("value").unwrap_or(&bare);
        let bare = bare.trim_end_matches(|c: char| c.is_ascii_digit());
        HEADERS
            .iter()
            .find(|(_, spellings)| spellings.contains(&bare))
            .map(|(attribute, _)| attribute.clone())
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

const HEADERS: &[(Attribute, &[&str])] = &[
    (
        Attribute::GivenName,
        &[
            "givenname",
            "firstname",
            "forename",
            "first",
            "fname",
            "voornaam",
            "roepnaam",
            "vorname",
            "prenom",
            "christianname",
            "nombre",
        ],
    ),
    (
        Attribute::FamilyName,
        &[
            "familyname",
            "lastname",
            "surname",
            "last",
            "lname",
            "achternaam",
            "nachname",
            "familienname",
            "nomdefamille",
            "nom",
            "apellido",
            "apellidos",
            "secondname",
        ],
    ),
    (
        Attribute::FullName,
        &[
            "name",
            "fullname",
            "naam",
            "customername",
            "personname",
            "contactname",
            "klantnaam",
            "displayname",
        ],
    ),
    (
        Attribute::BirthDate,
        &[
            "birthdate",
            "dateofbirth",
            "dob",
            "birthday",
            "geboortedatum",
            "geburtsdatum",
            "datedenaissance",
            "bday",
            "born",
            "geburtstag",
        ],
    ),
    (
        Attribute::Street,
        &[
            "street",
            "address",
            "addressline",
            "streetaddress",
            "straat",
            "adres",
            "strasse",
            "adresse",
            "rue",
            "addr",
            "straatnaam",
            "straatenhuisnummer",
            "homeaddress",
            "streetname",
        ],
    ),
    (
        Attribute::Postcode,
        &[
            "postcode",
            "postalcode",
            "zip",
            "zipcode",
            "plz",
            "postleitzahl",
            "codepostal",
            "postcd",
        ],
    ),
    (
        Attribute::City,
        &[
            "city",
            "town",
            "suburb",
            "plaats",
            "woonplaats",
            "stad",
            "ort",
            "stadt",
            "ville",
            "locality",
            "municipality",
            "place",
        ],
    ),
    (
        Attribute::Phone,
        &[
            "phone",
            "phonenumber",
            "telephone",
            "tel",
            "mobile",
            "mobilephone",
            "cell",
            "cellphone",
            "telefoon",
            "telefoonnummer",
            "mobiel",
            "telefon",
            "handy",
            "msisdn",
            "telefonnummer",
            "homephone",
            "workphone",
            "phoneno",
            "telephonenumber",
            "numerodetelephone",
            "customerphone",
        ],
    ),
    (
        Attribute::Email,
        &[
            "email",
            "emailaddress",
            "mail",
            "emailadres",
            "emailadresse",
            "adresseemail",
            "adressemail",
            "courriel",
            "mailaddress",
            "customeremail",
            "eposta",
        ],
    ),
    (
        Attribute::NationalId,
        &[
            "nationalid",
            "ssn",
            "socsecid",
            "socialsecuritynumber",
            "bsn",
            "nino",
            "nhsnumber",
            "nhsno",
            "ahv",
            "taxid",
            "passport",
            "passportnumber",
            "nationalidnumber",
            "personnummer",
            "dni",
            "nir",
        ],
    ),
];

/// A column of values: each distinct one once, and for each row which of them it has.
#[derive(Debug, Clone)]
pub struct Column {
    /// What it says.
    pub attribute: Attribute,
    texts: String,
    ends: Vec<usize>,
    starts: Vec<u32>,
    values: Vec<u32>,
    /// How many rows have each value.
    counts: Vec<u32>,
    /// What is worth knowing of each value beyond its text: groups of short names.
    masks: Vec<u128>,
    /// Values that many use: they neither weigh nor block.
    shared: Vec<bool>,
    /// For each row: 0 where it has no value that few use, its number and one where it has one,
    /// the largest number where it has several.
    cells: Vec<u32>,
}

/// What a row has of an attribute that few others have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    Empty,
    One(u32),
    Several,
}

impl Column {
    /// The values of a row; empty where it has none.
    pub(super) fn of(&self, row: u32) -> &[u32] {
        let row = index(row);
        match (self.starts.get(row), self.starts.get(row + 1)) {
            (Some(from), Some(to)) => self.values.get(index(*from)..index(*to)).unwrap_or_default(),
            _ => &[],
        }
    }

    /// What a row has that few use, at one glance.
    pub(super) fn cell(&self, row: u32) -> Cell {
        match self.cells.get(index(row)).copied() {
            None | Some(0) => Cell::Empty,
            Some(u32::MAX) => Cell::Several,
            Some(value) => Cell::One(value - 1),
        }
    }

    /// Takes a telephone number that is written without a country for the one with its country that
    /// there is, if there is but one.
    fn unite_numbers(&mut self) {
        let mut whole: HashMap<&str, u32> = HashMap::new();
        let mut at_home: HashMap<&str, u32> = HashMap::new();
        for value in 0..self.n_values() {
            let text = self.text(value);
            match text.strip_prefix('+') {
                Some(digits) => whole.insert(digits, value),
                None => at_home.insert(text, value),
            };
        }
        let mut meant: HashMap<u32, BTreeSet<u32>> = HashMap::new();
        for value in 0..self.n_values() {
            let text = self.text(value);
            let digits = text.strip_prefix('+').unwrap_or(text);
            let itself = whole.get(digits).copied().unwrap_or(value);
            if itself != value {
                meant.entry(value).or_default().insert(itself);
            }
            let shortest = if itself == value && digits == text { 8 } else { 7 };
            for rest in without_country(digits).filter(|rest| rest.len() >= shortest) {
                if let Some(short) = at_home.get(rest.trim_start_matches('0')) {
                    meant.entry(*short).or_default().insert(itself);
                }
            }
        }
        let one = |value: u32| match meant.get(&value) {
            Some(found) if found.len() == 1 => found.first().copied().unwrap_or(value),
            _ => value,
        };
        // A number may be short for one that is itself short for another.
        let now: Vec<u32> = (0..self.n_values()).map(|value| one(one(value))).collect();
        let rows = u32::try_from(self.starts.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let (mut values, mut starts) = (Vec::with_capacity(self.values.len()), vec![0]);
        let mut counts = vec![0_u32; self.counts.len()];
        for row in 0..rows {
            let mut of: Vec<u32> = Vec::new();
            for value in self.of(row) {
                let value = now.get(index(*value)).copied().unwrap_or(*value);
                if !of.contains(&value) {
                    of.push(value);
                    if let Some(count) = counts.get_mut(index(value)) {
                        *count = count.saturating_add(1);
                    }
                }
            }
            values.append(&mut of);
            starts.push(u32::try_from(values.len()).unwrap_or(u32::MAX));
        }
        (self.values, self.starts, self.counts) = (values, starts, counts);
    }

    fn settle(&mut self) {
        let rows = u32::try_from(self.starts.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let cell = |row: u32| {
            let mut telling = self.telling(row);
            match (telling.next(), telling.next()) {
                (None, _) => 0,
                (Some(value), None) => value + 1,
                (Some(_), Some(_)) => u32::MAX,
            }
        };
        let cells = (0..rows).map(cell).collect();
        self.cells = cells;
    }

    /// The values of a row that few use.
    pub(super) fn telling(&self, row: u32) -> impl Iterator<Item = u32> + '_ {
        self.of(row).iter().copied().filter(|value| !self.is_shared(*value))
    }

    pub(super) fn text(&self, value: u32) -> &str {
        let value = index(value);
        let from = if value == 0 { 0 } else { self.ends.get(value - 1).copied().unwrap_or(0) };
        let to = self.ends.get(value).copied().unwrap_or(0);
        self.texts.get(from..to).unwrap_or_default()
    }

    pub(super) fn count(&self, value: u32) -> u32 {
        self.counts.get(index(value)).copied().unwrap_or(0)
    }

    pub(super) fn mask(&self, value: u32) -> u128 {
        self.masks.get(index(value)).copied().unwrap_or(0)
    }

    pub(super) fn is_shared(&self, value: u32) -> bool {
        self.shared.get(index(value)).copied().unwrap_or(false)
    }

    pub(super) fn share(&mut self, value: u32) {
        if let Some(shared) = self.shared.get_mut(index(value)) {
            *shared = true;
        }
    }

    pub(super) fn n_values(&self) -> u32 {
        u32::try_from(self.ends.len()).unwrap_or(u32::MAX)
    }

    /// How many rows have a value; one that has several counts for each.
    pub(super) fn n_filled(&self) -> f64 {
        self.counts.iter().map(|n| f64::from(*n)).sum()
    }

    /// How likely two rows have the same value, if both have one.
    pub(super) fn coincidence(&self) -> f64 {
        let rows: f64 = self.counts.iter().map(|n| f64::from(*n)).sum();
        let equal: f64 = self.counts.iter().map(|n| f64::from(*n) * (f64::from(*n) - 1.0)).sum();
        if rows > 1.0 { equal / (rows * (rows - 1.0)) } else { 0.0 }
    }
}

pub(super) fn index(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// Records of persons. In linking two tables the rows of the second follow those of the first.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    n: u32,
    first: u32,
}

impl Table {
    /// How many rows there are.
    pub const fn len(&self) -> u32 {
        self.n
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// How many rows are of the first of two tables; all of them where there is one table.
    pub const fn first(&self) -> u32 {
        self.first
    }

    /// Whether rows are of two tables, of which none has a person twice.
    pub const fn is_two(&self) -> bool {
        self.first < self.n
    }

    /// The attributes that any row may have.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.columns.iter().map(|column| &column.attribute)
    }

    /// What a row says of an attribute, in normal form.
    pub fn values(&self, row: u32, attribute: &Attribute) -> Vec<&str> {
        let column = self.columns.iter().find(|column| column.attribute == *attribute);
        let of = |column: &'_ Column| column.of(row).to_vec();
        column
            .map(|column| of(column).into_iter().map(|value| column.text(value)).collect())
            .unwrap_or_default()
    }

    /// A number that says what a row says, whatever its place in the table.
    pub(super) fn content(&self, row: u32) -> u64 {
        let mut hasher = Mixer::default();
        for column in &self.columns {
            for value in column.of(row) {
                column.text(*value).hash(&mut hasher);
            }
            0xff_u8.hash(&mut hasher);
        }
        hasher.finish()
    }

    /// For each row the first one that says the same; rows of two tables are never the same.
    pub(super) fn first_alike(&self) -> Vec<u32> {
        let mut first: HashMap<u64, u32, Mixed> = HashMap::default();
        let same = |a: u32, b: u32| self.columns.iter().all(|column| column.of(a) == column.of(b));
        let alike = |row: u32| match first.entry(self.content(row)) {
            Entry::Vacant(entry) => *entry.insert(row),
            Entry::Occupied(entry) if same(*entry.get(), row) => *entry.get(),
            Entry::Occupied(_) => row,
        };
        let rows = 0..self.n;
        if self.is_two() { rows.collect() } else { rows.map(alike).collect() }
    }

    pub(super) fn column(&self, attribute: &Attribute) -> Option<usize> {
        self.columns.iter().position(|column| column.attribute == *attribute)
    }

    pub(super) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Whether two rows may be compared: rows of one table, or one of each.
    pub(super) const fn may_meet(&self, a: u32, b: u32) -> bool {
        a != b && (!self.is_two() || (a < self.first) != (b < self.first))
    }

    /// How many pairs of rows there are.
    pub(super) fn n_pairs(&self) -> f64 {
        let (n, first) = (f64::from(self.n), f64::from(self.first));
        if self.is_two() { first * (n - first) } else { n * (n - 1.0) / 2.0 }
    }
}

/// What stands first in a date such as 03/04/1980.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DayOrder {
    DayFirst,
    MonthFirst,
}

/// Takes rows in and makes a table of them.
#[derive(Debug)]
pub struct TableBuilder {
    columns: Vec<Building>,
    /// Which columns of a row go where.
    sources: Vec<Attribute>,
    order: DayOrder,
    n: u32,
    first: Option<u32>,
}

#[derive(Debug)]
struct Building {
    column: Column,
    known: HashMap<u64, u32, Mixed>,
    row: Vec<u32>,
}

impl TableBuilder {
    /// A table whose rows have these attributes, in this order; several columns may say the same.
    pub fn new(sources: &[Attribute]) -> Self {
        let mut attributes: Vec<Attribute> = Vec::new();
        for source in sources {
            let parts = match source {
                Attribute::FullName => vec![Attribute::GivenName, Attribute::FamilyName],
                other => vec![other.clone()],
            };
            for part in parts {
                if !attributes.contains(&part) {
                    attributes.push(part);
                }
            }
        }
        let building = |attribute: Attribute| Building {
            column: Column {
                attribute,
                texts: String::new(),
                ends: Vec::new(),
                starts: vec![0],
                values: Vec::new(),
                counts: Vec::new(),
                masks: Vec::new(),
                shared: Vec::new(),
                cells: Vec::new(),
            },
            known: HashMap::default(),
            row: Vec::new(),
        };
        let columns = attributes.into_iter().map(building).collect();
        Self { columns, sources: sources.to_vec(), order: DayOrder::DayFirst, n: 0, first: None }
    }

    /// Reads dates such as 03/04/1980 with the month first.
    #[must_use]
    pub const fn month_first(mut self) -> Self {
        self.order = DayOrder::MonthFirst;
        self
    }

    /// Takes in a row: a text for each attribute, empty where there is none.
    pub fn push(&mut self, row: &[&str]) {
        for (attribute, text) in self.sources.iter().zip(row) {
            if text.trim().is_empty() || text::is_placeholder(text) {
                continue;
            }
            let parts = match attribute {
                Attribute::FullName => {
                    let (given, family) = name_parts(text);
                    vec![(Attribute::GivenName, given), (Attribute::FamilyName, family)]
                }
                other => vec![(other.clone(), normal(other, text, self.order))],
            };
            for (attribute, value) in parts.into_iter().filter(|(_, value)| !value.is_empty()) {
                let found = self.columns.iter_mut().find(|b| b.column.attribute == attribute);
                if let Some(building) = found {
                    building.take(&value);
                }
            }
        }
        for building in &mut self.columns {
            building.end_row();
        }
        self.n = self.n.saturating_add(1);
    }

    /// The rows that follow are of a second table: persons are looked for across both, never
    /// within one.
    pub const fn second_table(&mut self) {
        if self.first.is_none() {
            self.first = Some(self.n);
        }
    }

    /// The table. Telephone numbers and mail addresses that people of several given names use, and
    /// national ids of three names or more, are marked: they neither weigh nor block. Where there
    /// are no given names, birth dates that are nothing alike tell people apart.
    pub fn finish(self) -> Table {
        let columns = self.columns.into_iter().map(|building| building.column).collect();
        let mut table = Table { columns, n: self.n, first: self.first.unwrap_or(self.n) };
        let phones = table.columns.iter_mut().filter(|c| c.attribute == Attribute::Phone);
        phones.for_each(Column::unite_numbers);
        for (attribute, people) in
            [(Attribute::Phone, 2), (Attribute::Email, 2), (Attribute::NationalId, 3)]
        {
            table.mark_shared(&attribute, people);
        }
        table.columns.iter_mut().for_each(Column::settle);
        table
    }
}

/// How many of those with one value who say something else are looked at.
const LOOKED_AT: usize = 64;

impl Table {
    /// Marks values that at least so many people use.
    fn mark_shared(&mut self, attribute: &Attribute, people: usize) {
        let Some(column) = self.column(attribute).and_then(|at| self.columns.get(at)) else {
            return;
        };
        let name = |attribute: &Attribute| {
            self.column(attribute).and_then(|position| self.columns.get(position))
        };
        let (given, family) = (name(&Attribute::GivenName), name(&Attribute::FamilyName));
        let birth = name(&Attribute::BirthDate).filter(|_| given.is_none());
        let mut carried: Vec<(u32, u32)> = Vec::new();
        for row in 0..self.n {
            carried.extend(column.of(row).iter().map(|value| (*value, row)));
        }
        carried.retain(|(value, _)| column.count(*value) > 1);
        carried.sort_unstable();
        let mut shared = Vec::new();
        let nothing_tells = given.or(birth).is_none();
        for group in carried.chunk_by(|a, b| a.0 == b.0) {
            let mut persons: Vec<u32> = Vec::new();
            // In the order of what tells them apart, so that it does not matter which row stands first.
            let mut rows: Vec<u32> = group.iter().map(|(_, row)| *row).collect();
            let name_of = |column: Option<&Column>, row: u32| -> Vec<String> {
                let texts = column.into_iter().flat_map(|column| {
                    column.of(row).iter().map(|value| column.text(*value).to_owned())
                });
                texts.collect()
            };
            rows.sort_by_cached_key(|row| {
                (name_of(given, *row), name_of(family, *row), name_of(birth, *row))
            });
            // What says the same is one, however often it is there: an order for each row.
            if !nothing_tells {
                let told = |column: Option<&'_ Column>, row: u32| {
                    column.map(|column| column.of(row).to_vec()).unwrap_or_default()
                };
                rows.dedup_by_key(|row| (told(given, *row), told(family, *row), told(birth, *row)));
            }
            // A switchboard has hundreds of names.
            let are_many = rows.len() > LOOKED_AT;
            for row in rows.iter().take(LOOKED_AT) {
                let is_known = |other: &u32| match birth {
                    Some(birth) => may_be_one_date(birth, *other, *row),
                    None => may_be_one(given, family, *other, *row),
                };
                if given.or(birth).is_some_and(|tells| !tells.of(*row).is_empty())
                    && !persons.iter().any(is_known)
                {
                    persons.push(*row);
                }
            }
            if (persons.len() >= people || are_many)
                && let Some((value, _)) = group.first()
            {
                shared.push(*value);
            }
        }
        if let Some(column) =
            self.column(attribute).and_then(|position| self.columns.get_mut(position))
        {
            for value in shared {
                column.share(value);
            }
        }
    }
}

/// Whether the birth dates of two rows may be one person's: at least two of day, month and year
/// are the same, or they differ by a slip of the hand.
fn may_be_one_date(birth: &Column, a: u32, b: u32) -> bool {
    let alike = |one: &str, other: &str| {
        let part = |from: usize, to: usize| one.get(from..to) == other.get(from..to);
        let same = [part(0, 4), part(4, 6), part(6, 8)].into_iter().filter(|same| *same).count();
        one_edit(one, other) || same >= 2
    };
    let of = |row: u32| birth.of(row).iter().map(|value| birth.text(*value));
    of(a).any(|one| of(b).any(|other| alike(one, other)))
}

/// Whether the names of two rows may be one person's: given names alike, or swapped with family
/// names.
fn may_be_one(given: Option<&Column>, family: Option<&Column>, a: u32, b: u32) -> bool {
    let Some(given) = given else { return true };
    let alike = |one: &str, other: &str| {
        one == other
            || one.get(..1) == other.get(..1) && (one.len() == 1 || other.len() == 1)
            || one_edit(one, other)
            || jaro_winkler(one, other) >= 0.8
    };
    let texts = |column: &'_ Column, row: u32| -> Vec<String> {
        column.of(row).iter().map(|value| column.text(*value).to_owned()).collect()
    };
    let nick = given
        .of(a)
        .iter()
        .any(|x| given.of(b).iter().any(|y| given.mask(*x) & given.mask(*y) != 0));
    let (ga, gb) = (texts(given, a), texts(given, b));
    let any = |ones: &[String], others: &[String]| {
        ones.iter().any(|one| others.iter().any(|other| alike(one, other)))
    };
    let swapped = family.is_some_and(|family| {
        any(&ga, &texts(family, b)) && any(&gb, &texts(family, a))
            || ga.iter().any(|one| texts(family, b).contains(one))
            || gb.iter().any(|one| texts(family, a).contains(one))
    });
    nick || any(&ga, &gb) || swapped
}

impl Building {
    fn take(&mut self, value: &str) {
        let mut hash = mixed(&value);
        let column = &mut self.column;
        // Equal hashes of other texts are stepped over.
        let id = loop {
            match self.known.get(&hash) {
                Some(id) if column.text(*id) == value => break *id,
                Some(_) => hash = hash.wrapping_add(1),
                None => {
                    let id = column.n_values();
                    column.texts.push_str(value);
                    column.ends.push(column.texts.len());
                    column.counts.push(0);
                    column.shared.push(false);
                    if column.attribute == Attribute::GivenName {
                        column.masks.push(nickname_mask(value));
                    }
                    self.known.insert(hash, id);
                    break id;
                }
            }
        };
        if !self.row.contains(&id) {
            self.row.push(id);
        }
    }

    fn end_row(&mut self) {
        let column = &mut self.column;
        for id in self.row.drain(..) {
            column.values.push(id);
            if let Some(count) = column.counts.get_mut(index(id)) {
                *count = count.saturating_add(1);
            }
        }
        column.starts.push(u32::try_from(column.values.len()).unwrap_or(u32::MAX));
    }
}

/// A text without accents, signs and capitals: `Zoë-Marie` is `zoe marie`.
fn plain(text: &str) -> String {
    let latin = if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        text::folded(&deunicode::deunicode_with_tofu(&text::folded(text), " "))
    };
    let mut bare = String::with_capacity(latin.len());
    for c in latin.chars() {
        if c.is_ascii_alphanumeric() {
            bare.push(c);
        } else if c != '\'' && !bare.is_empty() && !bare.ends_with(' ') {
            bare.push(' ');
        }
    }
    bare.truncate(bare.trim_end().len());
    if bare.len() > 256 {
        bare.truncate(256);
    }
    bare
}

fn name_parts(text: &str) -> (String, String) {
    let Some((given, last)) = given_and_family(text) else { return (String::new(), family(text)) };
    (plain(&given), plain(&last))
}

/// A family name without particles, where anything else is left.
fn family(text: &str) -> String {
    plain(&words(text).join(" "))
}

fn normal(attribute: &Attribute, text: &str, order: DayOrder) -> String {
    match attribute {
        Attribute::BirthDate => date(text, order).unwrap_or_else(|| plain(text)),
        Attribute::Phone => phone(text),
        Attribute::Email => {
            let folded = text::folded(text);
            if folded.is_ascii() { folded } else { plain(&folded) }
        }
        Attribute::FamilyName => family(text),
        Attribute::Postcode | Attribute::NationalId => {
            plain(text).chars().filter(|c| *c != ' ').collect()
        }
        _ => plain(text),
    }
}

/// The digits of a number: behind a `+` with its country code, otherwise without the zeros that are
/// dialled before it at home.
fn phone(text: &str) -> String {
    let bare = text.replace("(0)", "");
    let digits: String = bare.chars().filter(char::is_ascii_digit).collect();
    if digits.len() < 6 {
        return String::new();
    }
    let before = bare.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default();
    let abroad =
        if before.contains('+') { Some(digits.as_str()) } else { digits.strip_prefix("00") };
    match abroad {
        Some(abroad) => format!("+{}", abroad.trim_start_matches('0')),
        None => digits.trim_start_matches('0').to_owned(),
    }
}

/// The ways to take the code of a country from the begin of a number's digits.
fn without_country(digits: &str) -> impl Iterator<Item = &str> {
    (1..=3).filter_map(|length| {
        let (code, rest) = digits.split_at_checked(length)?;
        let is_code = match code.as_bytes() {
            [b'1' | b'7'] => true,
            [a, b] => match a {
                b'2' => matches!(b, b'0' | b'7'),
                b'3' => !matches!(b, b'5' | b'7' | b'8'),
                b'4' => *b != b'2',
                b'5' => !matches!(b, b'0' | b'9'),
                b'6' => *b <= b'6',
                b'8' => matches!(b, b'1' | b'2' | b'4' | b'6'),
                b'9' => !matches!(b, b'6' | b'7' | b'9'),
                _ => false,
            },
            [a, b, _] => match a {
                b'2' => !matches!(b, b'0' | b'7' | b'8'),
                b'3' => matches!(b, b'5' | b'7' | b'8'),
                b'4' => *b == b'2',
                b'5' => matches!(b, b'0' | b'9'),
                b'6' => *b > b'6',
                b'8' => matches!(b, b'0' | b'5' | b'7' | b'8'),
                b'9' => matches!(b, b'6' | b'7' | b'9'),
                _ => false,
            },
            _ => false,
        };
        is_code.then_some(rest)
    })
}

/// A date as `yyyymmdd`.
fn date(text: &str, order: DayOrder) -> Option<String> {
    // `04T00`: behind the day a time begins.
    let without_time = |part: &'_ str| match part.split_once(['T', 't']) {
        Some((day, time))
            if !day.is_empty()
                && day.bytes().all(|b| b.is_ascii_digit())
                && time.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            day.len()
        }
        _ => part.len(),
    };
    let parts: Vec<&str> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(|part| part.get(..without_time(part)).unwrap_or(part))
        .collect();
    let number = |part: &str| part.parse::<u32>().ok();
    let month = |part: &str| {
        let short = part.get(..3)?.to_ascii_lowercase();
        let at = MONTHS.iter().position(|names| names.contains(&short.as_str()))?;
        u32::try_from(at).ok().map(|at| at + 1)
    };
    let (year, month, day) = match parts.as_slice() {
        [whole] if whole.len() == 8 && whole.bytes().all(|b| b.is_ascii_digit()) => {
            (number(whole.get(..4)?)?, number(whole.get(4..6)?)?, number(whole.get(6..8)?)?)
        }
        [y, m, d, ..] if y.len() == 4 => (number(y)?, number(m).or_else(|| month(m))?, number(d)?),
        [a, b, y, ..] if y.len() == 4 || y.len() == 2 => {
            let year = number(y)?;
            let year = if y.len() == 2 { year + if year > 30 { 1900 } else { 2000 } } else { year };
            match (number(a), number(b)) {
                (Some(a), Some(b)) if a > 12 || (order == DayOrder::DayFirst && b <= 12) => {
                    (year, b, a)
                }
                (Some(a), Some(b)) => (year, a, b),
                (Some(a), None) => (year, month(b)?, a),
                (None, Some(b)) => (year, month(a)?, b),
                (None, None) => return None,
            }
        }
        _ => return None,
    };
    Some(format!("{year:04}{month:02}{day:02}"))
}

const MONTHS: &[&[&str]] = &[
    &["jan"],
    &["feb", "fev"],
    &["mar", "maa", "mrt", "mae"],
    &["apr", "avr"],
    &["may", "mei", "mai"],
    &["jun"],
    &["jul"],
    &["aug", "aou"],
    &["sep"],
    &["oct", "okt"],
    &["nov"],
    &["dec", "dez"],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_the_same_however_it_is_written() {
        for text in [
            "1980-03-04",
            "19800304",
            "4 March 1980",
            "04/03/1980",
            "4.3.80",
            "1980/3/4",
            "1980-03-04 00:00:00",
            "1980-03-04T00:00:00",
            "1980-03-04T00:00:00.000000000",
            "1980-03-04t00:00:00+01:00",
            "04-03-1980T12:30",
            "19800304T000000",
        ] {
            assert_eq!(date(text, DayOrder::DayFirst).as_deref(), Some("19800304"), "{text}");
        }
        assert_eq!(date("03/04/1980", DayOrder::MonthFirst).as_deref(), Some("19800304"));
        assert_eq!(date("13/04/1980", DayOrder::MonthFirst).as_deref(), Some("19800413"));
        assert_eq!(date("4 Oct 1980", DayOrder::DayFirst).as_deref(), Some("19801004"));
        assert_eq!(date("soon", DayOrder::DayFirst), None);
    }

    #[test]
    fn a_number_without_its_country_is_the_one_with_it_that_there_is() {
        let table = |numbers: &[&str]| {
            let mut builder = TableBuilder::new(&[Attribute::Phone]);
            for number in numbers {
                builder.push(&[number]);
            }
            builder.finish()
        };
        let same = |one: &str, other: &str| {
            let table = table(&[one, other]);
            let of = |row| table.values(row, &Attribute::Phone).join(" ");
            of(0) == of(1)
        };
        assert!(!same("+1 212 736 5000", "+1 312 736 5000"));
        assert!(same("+45 12 34 56 79", "12 34 56 79"));
        assert!(same("+1 212 736 5000", "(212) 736-5000"));
        assert!(same("0031 6 12345678", "06-12345678") && same("31612345678", "0612345678"));
        assert!(same("+31 (0)6 12345678", "+31612345678"));
        assert!(!same("06 12345678", "12 34 56 78"), "6 is no country");
        // Of whom it is, nobody can tell where there are two.
        let two = table(&["+45 12345679", "+47 12345679", "12345679"]);
        assert_eq!(two.values(2, &Attribute::Phone), ["12345679"]);
    }

    #[test]
    fn who_shares_a_number_does_not_depend_on_the_order_of_rows() {
        let dates = ["1980-03-04", "1980-03-05", "1980-07-05"];
        let shared = |order: [usize; 3]| {
            let mut builder = TableBuilder::new(&[Attribute::BirthDate, Attribute::Phone]);
            for n in order {
                builder.push(&[dates[n], "0611111222"]);
            }
            let table = builder.finish();
            let phones = table.column(&Attribute::Phone).and_then(|at| table.columns.get(at));
            phones.unwrap().is_shared(phones.unwrap().of(0)[0])
        };
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        assert!(orders.iter().all(|order| shared(*order) == shared([0, 1, 2])));
    }

    #[test]
    fn values_are_kept_once_and_missing_ones_not_at_all() {
        let mut builder =
            TableBuilder::new(&[Attribute::FullName, Attribute::Phone, Attribute::Phone]);
        builder.push(&["Zoë de Vries", "+31 6 12345678", "06-12345678"]);
        builder.push(&["de Vries, Zoe", "n/a", ""]);
        let table = builder.finish();
        assert_eq!(table.values(0, &Attribute::GivenName), ["zoe"]);
        assert_eq!(table.values(0, &Attribute::Phone), ["+31612345678"]);
        assert_eq!(table.values(1, &Attribute::FamilyName), ["vries"]);
        assert!(table.values(1, &Attribute::Phone).is_empty());
    }
}
