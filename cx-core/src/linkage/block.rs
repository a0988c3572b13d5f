//! Blocking: which pairs are compared at all. Two records are, if they have any key in common.

use std::collections::HashMap;

use serde::Serialize;

use super::compare::local;
use super::mix::mixed;
use super::similarity::soundex;
use super::table::{Attribute, Column, Table, index};

/// How many records a block may hold.
pub const LARGEST: u32 = 200;

/// How many times the pairs of one rule all rules together may give.
const ALL: u64 = 3;

/// What was left out so that no table takes quadratic time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// The rule: what records of a block have in common.
    pub rule: String,
    /// Records in a block of more than this many were not compared for it.
    pub above: u32,
    /// How many blocks were dropped.
    pub blocks: u32,
    /// How many records were in them.
    pub records: u32,
}

/// The blocks of a table, rule by rule.
#[derive(Debug)]
pub(super) struct Blocks {
    n_rules: usize,
    /// For each row the number of its first block under each rule, row after row; 0 for none.
    block_of: Vec<u32>,
    /// Of rows that are in several blocks under one rule: the further ones.
    further: HashMap<u32, Vec<u32>>,
    /// The rows of all blocks, one block after the other.
    rows: Vec<u32>,
    /// Where each block begins, and under which rule it is.
    starts: Vec<(u32, u32)>,
    pub(super) dropped: Vec<Dropped>,
}

/// Keys that records of a block have in common; a record has one for each of its values.
type Key = fn(&Keys<'_>, u32) -> Few;

/// A few keys.
#[derive(Debug, Clone, Copy, Default)]
struct Few([Option<u64>; MOST]);

/// So many keys of a record are looked at for one rule, and half as many values of one attribute.
const MOST: usize = 8;

impl FromIterator<u64> for Few {
    fn from_iter<I: IntoIterator<Item = u64>>(keys: I) -> Self {
        let mut few = Self::default();
        for (place, key) in few.0.iter_mut().zip(keys) {
            *place = Some(key);
        }
        few
    }
}

impl Few {
    fn keys(self) -> impl Iterator<Item = u64> {
        self.0.into_iter().flatten()
    }

    /// These, or the others where there are none.
    fn or(self, others: impl FnOnce() -> Self) -> Self {
        if self.0.iter().any(Option::is_some) { self } else { others() }
    }
}

const RULES: &[(&str, Key)] = &[
    ("national id", |keys, row| keys.one(&Attribute::NationalId, row)),
    ("e-mail address", |keys, row| keys.one(&Attribute::Email, row)),
    ("telephone number", |keys, row| keys.one(&Attribute::Phone, row)),
    ("birth date and sound of the given name", |keys, row| {
        both(keys.one(&Attribute::BirthDate, row), keys.sound(&Attribute::GivenName, row))
    }),
    ("birth date and sound of the family name", |keys, row| {
        both(keys.one(&Attribute::BirthDate, row), keys.sound(&Attribute::FamilyName, row))
    }),
    ("birth date and place", |keys, row| {
        both(keys.one(&Attribute::BirthDate, row), keys.place(row))
    }),
    ("sound of the family name, initial and year of birth", |keys, row| {
        let name = both(keys.sound(&Attribute::FamilyName, row), keys.initial(row));
        both(name, keys.start(&Attribute::BirthDate, row, 4))
    }),
    ("both names and town", |keys, row| {
        both(keys.names(row), keys.one(&Attribute::City, row).or(|| keys.place(row)))
    }),
    ("family name, initial and postcode", |keys, row| {
        let name = both(keys.one(&Attribute::FamilyName, row), keys.initial(row));
        both(name, keys.one(&Attribute::Postcode, row))
    }),
    ("given name and postcode", |keys, row| {
        let postcode = keys.one(&Attribute::Postcode, row);
        both(keys.one(&Attribute::GivenName, row), postcode)
    }),
    ("local part and initial", |keys, row| both(keys.local(row), keys.initial(row))),
    ("local part", |keys, row| keys.local(row)),
    ("begin of the address and year of birth", |keys, row| {
        let begin = keys.start(&Attribute::Email, row, 4);
        both(begin, keys.start(&Attribute::BirthDate, row, 4))
    }),
    ("names in either order and year of birth", |keys, row| {
        both(keys.either(row), keys.start(&Attribute::BirthDate, row, 4))
    }),
    ("names in either order and place", |keys, row| both(keys.either(row), keys.place(row))),
    ("both names", |keys, row| keys.names(row)),
    ("sounds of both names", |keys, row| keys.either(row)),
    ("street and initial", |keys, row| both(keys.one(&Attribute::Street, row), keys.initial(row))),
    ("street and sound of the family name", |keys, row| {
        both(keys.one(&Attribute::Street, row), keys.sound(&Attribute::FamilyName, row))
    }),
    ("street and place", |keys, row| both(keys.one(&Attribute::Street, row), keys.place(row))),
    ("begin of the street and postcode", |keys, row| {
        let begin = keys.start(&Attribute::Street, row, 5);
        both(begin, keys.one(&Attribute::Postcode, row))
    }),
    ("a name and the month of birth", |keys, row| {
        let month = keys.start(&Attribute::BirthDate, row, 6);
        both(keys.either_name(row), month)
    }),
    ("a name and the day of birth in any year", |keys, row| {
        let day = keys.end(&Attribute::BirthDate, row, 4);
        both(keys.either_name(row), day)
    }),
    ("a name and the place", |keys, row| {
        let place = keys.place(row);
        both(keys.either_name(row), place)
    }),
    ("a name and the year of birth", |keys, row| {
        let year = keys.start(&Attribute::BirthDate, row, 4);
        both(keys.either_name(row), year)
    }),
    ("a name and the begin of the address", |keys, row| {
        let begin = keys.start(&Attribute::Email, row, 3);
        both(keys.either_name(row), begin)
    }),
    ("begin of the address and town", |keys, row| {
        both(keys.start(&Attribute::Email, row, 4), keys.one(&Attribute::City, row))
    }),
    ("birth date alone", |keys, row| keys.one(&Attribute::BirthDate, row)),
    ("birth month and place", |keys, row| {
        both(keys.start(&Attribute::BirthDate, row, 6), keys.place(row))
    }),
    ("all other attributes", |keys, row| keys.others(row)),
];

impl Blocks {
    /// The blocks of these rows of a table. At most about `pairs_per_record` pairs for each record
    /// come of each rule: where there would be more, the largest blocks are dropped.
    pub(super) fn new(table: &Table, rows: &[u32], pairs_per_record: u64) -> Self {
        let keys = Keys::new(table);
        let records = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let n = index(table.len());
        let n_rules = RULES.len();
        let mut blocks = Self {
            n_rules,
            block_of: vec![0; n.saturating_mul(n_rules)],
            further: HashMap::new(),
            rows: Vec::new(),
            starts: vec![(0, 0)],
            dropped: Vec::new(),
        };
        // The first rules are the most telling; the last ones share what is left.
        let mut left = records * pairs_per_record * ALL;
        for (rule, (name, key)) in RULES.iter().enumerate() {
            let mut keyed: Vec<(u64, u32)> = rows
                .iter()
                .flat_map(|row| key(&keys, *row).keys().map(move |key| (key, *row)))
                .collect();
            keyed.sort_unstable();
            keyed.dedup();
            let groups = || keyed.chunk_by(|a, b| a.0 == b.0);
            let pairs = (records * pairs_per_record).min(left);
            let (largest, taken) = cap(groups().map(<[_]>::len), pairs);
            left = left.saturating_sub(taken);
            let mut dropped =
                Dropped { rule: (*name).to_owned(), above: largest, blocks: 0, records: 0 };
            for group in groups() {
                let size = u32::try_from(group.len()).unwrap_or(u32::MAX);
                if size < 2 {
                    continue;
                }
                if size > largest {
                    dropped.blocks += 1;
                    dropped.records = dropped.records.saturating_add(size);
                    continue;
                }
                let number = u32::try_from(blocks.starts.len()).unwrap_or(u32::MAX);
                for (_, row) in group {
                    blocks.rows.push(*row);
                    match blocks.block_of.get_mut(index(*row) * n_rules + rule) {
                        Some(of) if *of == 0 => *of = number,
                        Some(_) => blocks.further.entry(*row).or_default().push(number),
                        None => {}
                    }
                }
                let rule = u32::try_from(rule).unwrap_or(u32::MAX);
                blocks.starts.push((u32::try_from(blocks.rows.len()).unwrap_or(u32::MAX), rule));
            }
            if dropped.blocks > 0 {
                blocks.dropped.push(dropped);
            }
        }
        blocks
    }

    /// How many pairs they give at most.
    pub(super) fn n_pairs(&self) -> u64 {
        let pairs = |pair: &[(u32, u32)]| match pair {
            [(from, _), (to, _)] => {
                let n = u64::from(to.saturating_sub(*from));
                n * n.saturating_sub(1) / 2
            }
            _ => 0,
        };
        self.starts.windows(2).map(pairs).sum()
    }

    /// How many blocks there are.
    pub(super) fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// Every pair of some blocks, `(lower row, higher row)`; a pair that is in several blocks comes
    /// with the one of the first rule.
    pub(super) fn pairs(
        &self,
        table: &Table,
        blocks: impl Iterator<Item = usize>,
        mut each: impl FnMut(u32, u32),
    ) {
        for block in blocks {
            let (Some((from, _)), Some((to, rule))) =
                (self.starts.get(block), self.starts.get(block + 1))
            else {
                return;
            };
            let rows = self.rows.get(index(*from)..index(*to)).unwrap_or_default();
            for (position, a) in rows.iter().enumerate() {
                for b in rows.iter().skip(position + 1) {
                    if table.may_meet(*a, *b) && !self.met_before(*a, *b, block, index(*rule)) {
                        each(*a, *b);
                    }
                }
            }
        }
    }

    /// Whether two rows are in one block before this one, which is of that rule.
    fn met_before(&self, a: u32, b: u32, block: usize, rule: usize) -> bool {
        let of = |row: u32| {
            let from = index(row) * self.n_rules;
            self.block_of.get(from..=from + rule).unwrap_or_default()
        };
        let is_before = |number: u32| number != 0 && index(number) <= block;
        if of(a).iter().zip(of(b)).any(|(one, other)| one == other && is_before(*one)) {
            return true;
        }
        let further = |row: u32| self.further.get(&row).map(Vec::as_slice).unwrap_or_default();
        if further(a).is_empty() && further(b).is_empty() {
            return false;
        }
        let all = |row: u32| of(row).iter().chain(further(row)).copied();
        all(a).any(|one| is_before(one) && all(b).any(|other| other == one))
    }
}

/// The largest size at which blocks up to it give no more than that many pairs, and how many they
/// give.
fn cap(sizes: impl Iterator<Item = usize>, pairs: u64) -> (u32, u64) {
    let mut by_size = vec![0_u64; index(LARGEST) + 1];
    for size in sizes {
        if let Some(n) = by_size.get_mut(size) {
            *n += 1;
        }
    }
    let mut total = 0_u64;
    for (size, n) in by_size.iter().enumerate() {
        let wide = u64::try_from(size).unwrap_or(u64::MAX);
        let more = n.saturating_mul(wide * wide.saturating_sub(1) / 2);
        if total.saturating_add(more) > pairs {
            return (u32::try_from(size.saturating_sub(1)).unwrap_or(LARGEST), total);
        }
        total += more;
    }
    (LARGEST, total)
}

struct Keys<'a> {
    table: &'a Table,
    /// The sound of each given name and each family name.
    sounds: [Vec<[u8; 4]>; 2],
}

impl<'a> Keys<'a> {
    fn new(table: &'a Table) -> Self {
        let sounds = [Attribute::GivenName, Attribute::FamilyName].map(|attribute| {
            let column = table.column(&attribute).and_then(|at| table.columns().get(at));
            let of = |column: &Column| {
                (0..column.n_values()).map(|value| soundex(column.text(value))).collect()
            };
            column.map_or_else(Vec::new, of)
        });
        Self { table, sounds }
    }

    fn values(&self, attribute: &Attribute, row: u32) -> impl Iterator<Item = (&'a Column, u32)> {
        let at = self.table.column(attribute);
        let column = at.and_then(|at| self.table.columns().get(at));
        let values = column.map(|column| column.telling(row).map(move |value| (column, value)));
        values.into_iter().flatten().take(MOST / 2)
    }

    fn texts(&self, attribute: &Attribute, row: u32) -> impl Iterator<Item = &'a str> {
        self.values(attribute, row).map(|(column, value)| column.text(value))
    }

    /// The whole values, by their texts, so that given and family names can be held together.
    fn one(&self, attribute: &Attribute, row: u32) -> Few {
        self.texts(attribute, row).map(|text| mixed(&text)).collect()
    }

    fn start(&self, attribute: &Attribute, row: u32, bytes: usize) -> Few {
        let start = |text: &'a str| mixed(&text.get(..bytes).unwrap_or(text));
        self.texts(attribute, row).map(start).collect()
    }

    fn heard(&self, attribute: &Attribute, row: u32) -> impl Iterator<Item = [u8; 4]> {
        let [given, family] = &self.sounds;
        let sounds = if *attribute == Attribute::GivenName { given } else { family };
        self.values(attribute, row).filter_map(|(_, value)| sounds.get(index(value)).copied())
    }

    fn sound(&self, attribute: &Attribute, row: u32) -> Few {
        self.heard(attribute, row).map(|sound| mixed(&u32::from_le_bytes(sound))).collect()
    }

    fn initial(&self, row: u32) -> Few {
        self.start(&Attribute::GivenName, row, 1)
    }

    fn names(&self, row: u32) -> Few {
        both(self.one(&Attribute::GivenName, row), self.one(&Attribute::FamilyName, row))
    }

    fn end(&self, attribute: &Attribute, row: u32, bytes: usize) -> Few {
        let end = |text: &'a str| {
            let from = text.len().saturating_sub(bytes);
            text.get(from..).map(|end| mixed(&end))
        };
        self.texts(attribute, row).filter_map(end).collect()
    }

    /// The given names, and the family names, as if either could be the other.
    fn either_name(&self, row: u32) -> Few {
        let given = self.one(&Attribute::GivenName, row);
        given.keys().chain(self.one(&Attribute::FamilyName, row).keys()).collect()
    }

    /// The sounds of both names, whichever stands first.
    fn either(&self, row: u32) -> Few {
        let family = self.sound(&Attribute::FamilyName, row);
        let given = self.sound(&Attribute::GivenName, row).keys();
        let pairs = given.flat_map(|given| {
            family.keys().map(move |family| mixed(&(given.min(family), given.max(family))))
        });
        pairs.collect()
    }

    fn place(&self, row: u32) -> Few {
        self.one(&Attribute::Postcode, row).or(|| self.one(&Attribute::City, row))
    }

    fn local(&self, row: u32) -> Few {
        let locals = self.texts(&Attribute::Email, row).map(local);
        locals.filter(|local| local.len() > 3).map(|local| mixed(&local)).collect()
    }

    /// What is no attribute of persons, all of it together.
    fn others(&self, row: u32) -> Few {
        let mut all: Option<u64> = None;
        for column in self.table.columns() {
            if matches!(column.attribute, Attribute::Other(_)) {
                let Some(value) = column.telling(row).next() else { return Few::default() };
                all = Some(mixed(&(all.unwrap_or(0), mixed(&column.text(value)))));
            }
        }
        all.into_iter().collect()
    }
}

/// A key for each pair of the one and of the other.
fn both(ones: Few, others: Few) -> Few {
    ones.keys().flat_map(|one| others.keys().map(move |other| mixed(&(one, other)))).collect()
}
