//! Blocking: which pairs are compared at all. Two records are, if they have any key in common.

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
    /// For each row the number of its block under each rule, row after row; 0 for none.
    block_of: Vec<u32>,
    /// The rows of all blocks, one block after the other.
    rows: Vec<u32>,
    /// Where each block begins, and under which rule it is.
    starts: Vec<(u32, u32)>,
    pub(super) dropped: Vec<Dropped>,
}

/// Keys that records of a block have in common; a record may have two.
type Key = fn(&Keys<'_>, u32) -> [Option<u64>; 2];

const fn once(key: Option<u64>) -> [Option<u64>; 2] {
    [key, None]
}

const RULES: &[(&str, Key)] = &[
    ("national id", |keys, row| once(keys.one(&Attribute::NationalId, row))),
    ("e-mail address", |keys, row| once(keys.one(&Attribute::Email, row))),
    ("telephone number", |keys, row| once(keys.one(&Attribute::Phone, row))),
    ("birth date and sound of the given name", |keys, row| {
        once(both(keys.one(&Attribute::BirthDate, row), keys.sound(&Attribute::GivenName, row)))
    }),
    ("birth date and sound of the family name", |keys, row| {
        once(both(keys.one(&Attribute::BirthDate, row), keys.sound(&Attribute::FamilyName, row)))
    }),
    ("birth date and place", |keys, row| {
        once(both(keys.one(&Attribute::BirthDate, row), keys.place(row)))
    }),
    ("sound of the family name, initial and year of birth", |keys, row| {
        let name = both(keys.sound(&Attribute::FamilyName, row), keys.initial(row));
        once(both(name, keys.start(&Attribute::BirthDate, row, 4)))
    }),
    ("both names and town", |keys, row| {
        once(both(keys.names(row), keys.one(&Attribute::City, row).or_else(|| keys.place(row))))
    }),
    ("family name, initial and postcode", |keys, row| {
        let name = both(keys.one(&Attribute::FamilyName, row), keys.initial(row));
        once(both(name, keys.one(&Attribute::Postcode, row)))
    }),
    ("given name and postcode", |keys, row| {
        let postcode = keys.one(&Attribute::Postcode, row);
        once(both(keys.one(&Attribute::GivenName, row), postcode))
    }),
    ("local part and initial", |keys, row| once(both(keys.local(row), keys.initial(row)))),
    ("local part", |keys, row| once(keys.local(row))),
    ("begin of the address and year of birth", |keys, row| {
        let begin = keys.start(&Attribute::Email, row, 4);
        once(both(begin, keys.start(&Attribute::BirthDate, row, 4)))
    }),
    ("names in either order and year of birth", |keys, row| {
        once(both(keys.either(row), keys.start(&Attribute::BirthDate, row, 4)))
    }),
    ("names in either order and place", |keys, row| once(both(keys.either(row), keys.place(row)))),
    ("both names", |keys, row| once(keys.names(row))),
    ("sounds of both names", |keys, row| once(keys.either(row))),
    ("street and initial", |keys, row| {
        once(both(keys.one(&Attribute::Street, row), keys.initial(row)))
    }),
    ("street and sound of the family name", |keys, row| {
        once(both(keys.one(&Attribute::Street, row), keys.sound(&Attribute::FamilyName, row)))
    }),
    ("street and place", |keys, row| {
        once(both(keys.one(&Attribute::Street, row), keys.place(row)))
    }),
    ("begin of the street and postcode", |keys, row| {
        let begin = keys.start(&Attribute::Street, row, 5);
        once(both(begin, keys.one(&Attribute::Postcode, row)))
    }),
    ("a name and the month of birth", |keys, row| {
        let month = keys.start(&Attribute::BirthDate, row, 6);
        keys.either_name(row).map(|name| both(name, month))
    }),
    ("a name and the day of birth in any year", |keys, row| {
        let day = keys.end(&Attribute::BirthDate, row, 4);
        keys.either_name(row).map(|name| both(name, day))
    }),
    ("a name and the place", |keys, row| {
        let place = keys.place(row);
        keys.either_name(row).map(|name| both(name, place))
    }),
    ("a name and the year of birth", |keys, row| {
        let year = keys.start(&Attribute::BirthDate, row, 4);
        keys.either_name(row).map(|name| both(name, year))
    }),
    ("a name and the begin of the address", |keys, row| {
        let begin = keys.start(&Attribute::Email, row, 3);
        keys.either_name(row).map(|name| both(name, begin))
    }),
    ("begin of the address and town", |keys, row| {
        once(both(keys.start(&Attribute::Email, row, 4), keys.one(&Attribute::City, row)))
    }),
    ("birth date alone", |keys, row| once(keys.one(&Attribute::BirthDate, row))),
    ("birth month and place", |keys, row| {
        once(both(keys.start(&Attribute::BirthDate, row, 6), keys.place(row)))
    }),
    ("all other attributes", |keys, row| once(keys.others(row))),
];

impl Blocks {
    /// The blocks of a table. At most about `pairs_per_record` pairs for each record come of each
    /// rule: where there would be more, the largest blocks are dropped.
    pub(super) fn new(table: &Table, pairs_per_record: u64) -> Self {
        let keys = Keys::new(table);
        let n = index(table.len());
        let n_rules = RULES.len();
        let mut blocks = Self {
            n_rules,
            block_of: vec![0; n.saturating_mul(n_rules)],
            rows: Vec::new(),
            starts: vec![(0, 0)],
            dropped: Vec::new(),
        };
        // The first rules are the most telling; the last ones share what is left.
        let mut left = u64::from(table.len()) * pairs_per_record * ALL;
        for (rule, (name, key)) in RULES.iter().enumerate() {
            let mut keyed: Vec<(u64, u32)> = (0..table.len())
                .flat_map(|row| key(&keys, row).into_iter().flatten().map(move |key| (key, row)))
                .collect();
            keyed.sort_unstable();
            keyed.dedup();
            let groups = || keyed.chunk_by(|a, b| a.0 == b.0);
            let pairs = (u64::from(table.len()) * pairs_per_record).min(left);
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
                    if let Some(of) = blocks.block_of.get_mut(index(*row) * n_rules + rule) {
                        *of = number;
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
                    if table.may_meet(*a, *b) && !self.met_before(*a, *b, index(*rule)) {
                        each(*a, *b);
                    }
                }
            }
        }
    }

    /// Whether two rows are in one block of an earlier rule.
    fn met_before(&self, a: u32, b: u32, rule: usize) -> bool {
        let of = |row: u32| {
            let from = index(row) * self.n_rules;
            self.block_of.get(from..from + rule).unwrap_or_default()
        };
        of(a).iter().zip(of(b)).any(|(one, other)| *one != 0 && one == other)
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

    fn value(&self, attribute: &Attribute, row: u32) -> Option<(&'a Column, u32)> {
        let column = self.table.columns().get(self.table.column(attribute)?)?;
        column.telling(row).next().map(|value| (column, value))
    }

    fn text(&self, attribute: &Attribute, row: u32) -> Option<&'a str> {
        self.value(attribute, row).map(|(column, value)| column.text(value))
    }

    /// The whole value, by its text, so that given and family names can be held together.
    fn one(&self, attribute: &Attribute, row: u32) -> Option<u64> {
        self.text(attribute, row).map(|text| mixed(&text))
    }

    fn start(&self, attribute: &Attribute, row: u32, bytes: usize) -> Option<u64> {
        self.text(attribute, row).map(|text| mixed(&text.get(..bytes).unwrap_or(text)))
    }

    fn heard(&self, attribute: &Attribute, row: u32) -> Option<[u8; 4]> {
        let [given, family] = &self.sounds;
        let sounds = if *attribute == Attribute::GivenName { given } else { family };
        sounds.get(index(self.value(attribute, row)?.1)).copied()
    }

    fn sound(&self, attribute: &Attribute, row: u32) -> Option<u64> {
        self.heard(attribute, row).map(|sound| mixed(&u32::from_le_bytes(sound)))
    }

    fn initial(&self, row: u32) -> Option<u64> {
        self.start(&Attribute::GivenName, row, 1)
    }

    fn names(&self, row: u32) -> Option<u64> {
        both(self.one(&Attribute::GivenName, row), self.one(&Attribute::FamilyName, row))
    }

    fn end(&self, attribute: &Attribute, row: u32, bytes: usize) -> Option<u64> {
        let text = self.text(attribute, row)?;
        text.get(text.len().saturating_sub(bytes)..).map(|end| mixed(&end))
    }

    /// The given name, and the family name, as if either could be the other.
    fn either_name(&self, row: u32) -> [Option<u64>; 2] {
        [self.one(&Attribute::GivenName, row), self.one(&Attribute::FamilyName, row)]
    }

    /// The sounds of both names, whichever stands first.
    fn either(&self, row: u32) -> Option<u64> {
        let given = self.sound(&Attribute::GivenName, row)?;
        let family = self.sound(&Attribute::FamilyName, row)?;
        Some(mixed(&(given.min(family), given.max(family))))
    }

    fn place(&self, row: u32) -> Option<u64> {
        self.one(&Attribute::Postcode, row).or_else(|| self.one(&Attribute::City, row))
    }

    fn local(&self, row: u32) -> Option<u64> {
        let local = local(self.text(&Attribute::Email, row)?);
        (local.len() > 3).then(|| mixed(&local))
    }

    /// What is no attribute of persons, all of it together.
    fn others(&self, row: u32) -> Option<u64> {
        let mut all: Option<u64> = None;
        for column in self.table.columns() {
            if matches!(column.attribute, Attribute::Other(_)) {
                let value = column.telling(row).next().map(|value| mixed(&column.text(value)));
                all = Some(mixed(&(all.unwrap_or(0), value?)));
            }
        }
        all
    }
}

fn both(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    Some(mixed(&(one?, other?)))
}
