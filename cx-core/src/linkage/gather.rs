//! Scoring pairs, and gathering records into persons.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;

use serde::Serialize;

use super::ask::Asked;
use super::block::{Blocks, Dropped};
use super::compare::{Comparer, Comparison, Level, Pattern};
use super::model::{Model, Weights};
use super::table::{Attribute, Table, index};

/// How records are linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkOptions {
    /// Pairs that weigh at least this much are one person's, in thousandths of a bit.
    pub link_at: i32,
    /// Pairs that weigh less, and at least this much, are proposed to people.
    pub review_at: i32,
    /// Whether the same name at the same address may be enough.
    pub address: Address,
    /// On how many threads; the outcome is the same.
    pub threads: NonZeroUsize,
    /// How many pairs each rule of blocking may give for each record.
    pub pairs_per_record: u64,
}

impl Default for LinkOptions {
    /// Links from four to one on, proposes from one in eight on, on one thread.
    fn default() -> Self {
        Self {
            link_at: 2_000,
            review_at: -3_000,
            address: Address::Counts,
            threads: NonZeroUsize::MIN,
            pairs_per_record: 4,
        }
    }
}

/// Whether the same name at the same address may be enough to link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Address {
    /// Alike names, street and place may link, if they weigh enough.
    Counts,
    /// They never do, since junior and senior may live there: people decide.
    IsNotEnough,
}

/// Two records and what speaks for their being one person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ScoredPair {
    /// The row of one.
    pub a: u32,
    /// The row of the other, which is larger.
    pub b: u32,
    /// The weight with the prior, in thousandths of a bit.
    pub weight: i32,
}

/// What came of linking.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Linkage {
    /// For each row the person it belongs to, named by the person's first row.
    pub persons: Vec<u32>,
    /// The pairs that were linked, heaviest first.
    pub links: Vec<ScoredPair>,
    /// The pairs that are proposed, heaviest first: they weigh too little, or something stands
    /// between them.
    pub possible: Vec<ScoredPair>,
    /// Pairs that share an address or a number under other given names, by row.
    pub households: Vec<ScoredPair>,
    /// How many pairs were compared.
    pub compared: u64,
    /// Blocks that were too large.
    pub dropped: Vec<Dropped>,
    /// Values that several given names use, which neither weighed nor blocked: how many of each
    /// attribute.
    pub blanked: BTreeMap<String, u32>,
}

impl Linkage {
    /// For each row the person it would belong to, if all that is proposed were accepted; named by
    /// the person's first row.
    pub fn with_possible(&self) -> Vec<u32> {
        let mut persons = self.persons.clone();
        for pair in &self.possible {
            let (a, b) = (root(&persons, pair.a), root(&persons, pair.b));
            if let Some(of) = persons.get_mut(index(a.max(b))) {
                *of = a.min(b);
            }
        }
        let rows = u32::try_from(persons.len()).unwrap_or(u32::MAX);
        (0..rows).map(|row| root(&persons, row)).collect()
    }
}

fn root(persons: &[u32], mut row: u32) -> u32 {
    while let Some(next) = persons.get(index(row)).copied().filter(|next| *next != row) {
        row = next;
    }
    row
}

/// Compares the records of a table, or of two, and gathers them into persons.
///
/// A name alone never links: at least one of birth date, telephone, mail, national id must speak
/// for it, or, if [`LinkOptions::address`] lets it, the whole address. Records with another given
/// name, or of one name and born a generation apart, are no one's but a household's, unless a mail
/// address or national id speaks for them. Nobody is gathered who
/// has two national ids, or two dates of birth that are nothing alike.
///
/// Time is linear in the pairs compared: at most `pairs_per_record` for each record and rule.
pub fn link(table: &Table, model: &Model, options: &LinkOptions) -> Linkage {
    let comparisons = Comparison::of(table);
    let weights = Weights::new(model, &comparisons, f64::from(table.len()), table.n_pairs());
    let judge = Judge::new(table, model, &comparisons, &weights, options.address);
    // Rows that say the same, and enough to be one person's, are gathered at once: an export of
    // orders has each person as often as there are orders.
    let alike = table.first_alike();
    let mut copies: Vec<ScoredPair> = Vec::new();
    let mut rows: Vec<u32> = Vec::with_capacity(alike.len());
    for (row, first) in (0..table.len()).zip(alike) {
        if first == row {
            rows.push(row);
            continue;
        }
        match judge.score(first, row) {
            (weight, Verdict::May) if weight >= options.link_at => {
                copies.push(ScoredPair { a: first, b: row, weight });
            }
            _ => rows.push(row),
        }
    }
    let blocks = Blocks::new(table, &rows, options.pairs_per_record);
    let found = in_parallel(blocks.len(), options.threads, |range| {
        let mut found = Found::default();
        blocks.pairs(table, range, |a, b| {
            found.compared += 1;
            let (a, b) = (a.min(b), a.max(b));
            let (weight, verdict) = judge.score(a, b);
            let pair = ScoredPair { a, b, weight };
            match verdict {
                Verdict::Household => found.households.push(pair),
                Verdict::May if weight >= options.review_at => found.may.push(pair),
                Verdict::MayIfHeavy if weight >= options.link_at.saturating_add(HEAVY) => {
                    found.may.push(pair);
                }
                Verdict::Never | Verdict::MayIfHeavy if weight >= options.review_at => {
                    found.never.push(pair);
                }
                Verdict::May | Verdict::MayIfHeavy | Verdict::Never => {}
            }
        });
        found
    });
    let mut linkage = Linkage { dropped: blocks.dropped.clone(), ..Linkage::default() };
    linkage.compared = u64::try_from(copies.len()).unwrap_or(u64::MAX);
    drop(blocks);
    let mut may = Vec::new();
    for mut part in found {
        linkage.compared += part.compared;
        may.append(&mut part.may);
        linkage.possible.append(&mut part.never);
        linkage.households.append(&mut part.households);
    }
    may.sort_unstable();
    may.dedup();
    // Of pairs that weigh the same, what they say decides, and not where they stand.
    may.sort_by_cached_key(|pair| {
        let (one, other) = (table.content(pair.a), table.content(pair.b));
        (std::cmp::Reverse(pair.weight), one.min(other), one.max(other), pair.a, pair.b)
    });
    gather(&judge, &comparisons, may, options, &mut linkage);
    for pair in copies {
        let person = linkage.persons.get(index(pair.a)).copied();
        if let (Some(of), Some(person)) = (linkage.persons.get_mut(index(pair.b)), person) {
            *of = person;
        }
        linkage.links.push(pair);
    }
    linkage.links.sort_by_key(|pair| std::cmp::Reverse(pair.weight));
    linkage.possible.sort_unstable_by_key(|pair| (std::cmp::Reverse(pair.weight), pair.a, pair.b));
    linkage.possible.dedup();
    linkage.households.sort_unstable_by_key(|pair| (pair.a, pair.b));
    linkage.households.dedup();
    for column in table.columns() {
        let n = (0..column.n_values()).filter(|value| column.is_shared(*value)).count();
        if n > 0 {
            let n = u32::try_from(n).unwrap_or(u32::MAX);
            linkage.blanked.insert(column.attribute.name().to_owned(), n);
        }
    }
    linkage
}

#[derive(Default)]
struct Found {
    compared: u64,
    may: Vec<ScoredPair>,
    never: Vec<ScoredPair>,
    households: Vec<ScoredPair>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The weight decides.
    May,
    /// The weight decides, and must be larger than elsewhere: one has no given name.
    MayIfHeavy,
    /// Something stands between them: people decide.
    Never,
    /// They live together.
    Household,
}

/// Weighs a pair, and sees what stands between.
pub(super) struct Judge<'a> {
    table: &'a Table,
    comparer: Comparer<'a>,
    pub(super) conditions: Vec<Asked<'a>>,
    weights: &'a Weights,
    n_comparisons: usize,
    given: Option<usize>,
    family: Option<usize>,
    birth: Option<usize>,
    national: Option<usize>,
    phone: Option<usize>,
    email: Option<usize>,
    place: Option<usize>,
    street: Option<usize>,
    /// Comparisons that say who somebody is, and not only how they are called or where they live.
    telling: Vec<(usize, u8)>,
    address: Address,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        table: &'a Table,
        model: &'a Model,
        comparisons: &[Comparison],
        weights: &'a Weights,
        address: Address,
    ) -> Self {
        let at = |of: &Comparison| comparisons.iter().position(|comparison| comparison == of);
        // Up to which level each one speaks for a person.
        let telling = [
            (Comparison::BirthDate, 4),
            (Comparison::Phone, 2),
            (Comparison::Email, 4),
            (Comparison::NationalId, 2),
        ];
        Self {
            table,
            comparer: Comparer::new(table, comparisons),
            conditions: Asked::all(model, table),
            weights,
            n_comparisons: comparisons.len(),
            given: at(&Comparison::GivenName),
            family: at(&Comparison::FamilyName),
            birth: at(&Comparison::BirthDate),
            national: at(&Comparison::NationalId),
            phone: at(&Comparison::Phone),
            email: at(&Comparison::Email),
            place: at(&Comparison::Place),
            street: at(&Comparison::Street),
            telling: telling.iter().filter_map(|(of, up_to)| Some((at(of)?, *up_to))).collect(),
            address,
        }
    }

    fn score(&self, a: u32, b: u32) -> (i32, Verdict) {
        let pattern = self.comparer.pattern(a, b);
        let weight = self.weigh(pattern, a, b);
        (weight, self.verdict(pattern, a, b))
    }

    /// The weight of a pattern, with what rare values add.
    pub(super) fn weigh(&self, pattern: Pattern, a: u32, b: u32) -> i32 {
        let mut weight = self.weights.sum(pattern);
        for position in 0..self.n_comparisons {
            weight = weight.saturating_add(self.adjustment(pattern, position, a, b));
        }
        for answer in self.conditions.iter().filter_map(|asked| asked.answer(a, b)) {
            weight = weight.saturating_add(answer.weight).saturating_add(answer.frequency);
        }
        weight
    }

    pub(super) fn adjustment(&self, pattern: Pattern, position: usize, a: u32, b: u32) -> i32 {
        let level = pattern.level(position);
        if !self.weights.counts_values(position, level) {
            return 0;
        }
        let Some((column, value)) = self.comparer.common(position, a, b) else { return 0 };
        let share = f64::from(column.count(value)) / f64::from(self.table.len().max(1));
        self.weights.adjustment(position, level, share)
    }

    pub(super) fn pattern(&self, a: u32, b: u32) -> Pattern {
        self.comparer.pattern(a, b)
    }

    pub(super) fn common(&self, position: usize, a: u32, b: u32) -> Option<(&'a str, u32)> {
        let (column, value) = self.comparer.common(position, a, b)?;
        Some((column.text(value), column.count(value)))
    }

    fn verdict(&self, pattern: Pattern, a: u32, b: u32) -> Verdict {
        let level =
            |position: Option<usize>| position.map_or(0, |position| pattern.level(position));
        let tells = |(position, up_to): &(usize, u8)| {
            let level = pattern.level(*position);
            level > 0 && level <= usize::from(*up_to)
        };
        let other_given = level(self.given) == 7;
        let shares = matches!(level(self.family), 1..=3)
            && (level(self.street) == 1 || level(self.place) == 1)
            || self.shares_number(a, b);
        // Twins have one date of birth, and father and son one name and one telephone.
        let of_twins = |one: &(usize, u8)| Some(one.0) == self.birth;
        let of_a_family = |one: &(usize, u8)| of_twins(one) || Some(one.0) == self.phone;
        let is_slip = || level(self.birth) == 1 && self.comparer.are_garbled(a, b);
        if other_given && !is_slip() && !self.telling.iter().any(|one| !of_twins(one) && tells(one))
            || matches!(level(self.birth), 2 | 3)
                && self.comparer.are_of_two_generations(a, b)
                && !self.telling.iter().any(|one| !of_a_family(one) && tells(one))
        {
            return if shares { Verdict::Household } else { Verdict::Never };
        }
        if self.is_of_another(&level, a, b) {
            return if shares { Verdict::Household } else { Verdict::Never };
        }
        // A date of birth in the same year says a little, beside names and a place.
        let about_as_old = level(self.birth) == 5 && matches!(level(self.place), 1..=3);
        if self.telling.iter().any(tells) || about_as_old {
            return Verdict::May;
        }
        // The whole address counts, or a number that the household shares; the town alone does not.
        let alike = matches!(level(self.given), 1..=5) && matches!(level(self.family), 0..=4);
        let lives_there = matches!(level(self.street), 1 | 2) && matches!(level(self.place), 1..=3)
            || level(self.birth) == 0 && (level(self.place) == 1 || self.shares_number(a, b));
        let same_house = level(self.given) == 0
            && matches!(level(self.family), 1..=3)
            && matches!(level(self.street), 1 | 2)
            && matches!(level(self.place), 1 | 2);
        match self.address {
            Address::Counts if alike && lives_there => Verdict::May,
            Address::Counts if same_house => Verdict::MayIfHeavy,
            Address::Counts | Address::IsNotEnough => Verdict::Never,
        }
    }

    /// Whether what speaks for two records is what others of the name or of the family have too.
    ///
    /// Somebody born on another day without a given name is of the family, whatever number they
    /// share. A mail address that is made of a name says no more than the name does, where the
    /// place is another and so is the day of birth, or the number.
    fn is_of_another(&self, level: &dyn Fn(Option<usize>) -> usize, a: u32, b: u32) -> bool {
        if matches!(level(self.national), 1 | 2) || level(self.street) == 1 {
            return false;
        }
        let other_day = level(self.birth) == 6;
        let has_mail = matches!(level(self.email), 1..=4);
        if other_day && !has_mail && self.given.is_some() && level(self.given) == 0 {
            return true;
        }
        let other_number = level(self.phone) == 3 && matches!(level(self.birth), 0 | 5);
        let mail = self.table.column(&Attribute::Email);
        let mail = mail.and_then(|at| self.table.columns().get(at));
        let of_names = |row: u32| self.comparer.is_of_names_only(mail, row);
        (other_day && level(self.phone) != 1 || other_number)
            && level(self.place) > 3
            && of_names(a)
            && of_names(b)
    }

    /// Whether two records have a number or address that several use.
    fn shares_number(&self, a: u32, b: u32) -> bool {
        self.table.columns().iter().any(|column| {
            matches!(column.attribute, Attribute::Phone | Attribute::Email)
                && column.of(a).iter().any(|v| column.is_shared(*v) && column.of(b).contains(v))
        })
    }
}

/// How much more than elsewhere a family name at an address must weigh, where one of the two has no
/// given name.
const HEAVY: i32 = 8_000;

/// Two records with dates of birth that are nothing alike are never gathered over others, if they
/// weigh less than this.
const AGAINST: i32 = -8_000;

/// Gathers pairs into persons, the heaviest first, as far as nothing stands between.
fn gather(
    judge: &Judge<'_>,
    comparisons: &[Comparison],
    may: Vec<ScoredPair>,
    options: &LinkOptions,
    linkage: &mut Linkage,
) {
    let birth = comparisons.iter().position(|comparison| *comparison == Comparison::BirthDate);
    let national = comparisons.iter().position(|comparison| *comparison == Comparison::NationalId);
    let mut members: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let table = judge.table;
    let mut person: Vec<u32> = (0..table.len()).collect();
    let of = |person: &[u32], row: u32| person.get(index(row)).copied().unwrap_or(row);
    for pair in may {
        if pair.weight < options.link_at {
            linkage.possible.push(pair);
            continue;
        }
        let (one, other) = (of(&person, pair.a), of(&person, pair.b));
        if one == other {
            linkage.links.push(pair);
            continue;
        }
        let rows = |members: &BTreeMap<u32, Vec<u32>>, of: u32| {
            members.get(&of).cloned().unwrap_or_else(|| vec![of])
        };
        let (ones, others) = (rows(&members, one), rows(&members, other));
        let stands_between = |a: u32, b: u32| {
            let pattern = judge.pattern(a, b);
            let is_last = |of: Option<usize>, comparison: &Comparison| {
                of.is_some_and(|of| pattern.level(of) + 1 == comparison.levels().len())
            };
            is_last(national, &Comparison::NationalId)
                || is_last(birth, &Comparison::BirthDate) && judge.weigh(pattern, a, b) < AGAINST
        };
        let is_two_of_one_table =
            table.is_two() && (ones.len() + others.len() > 2 || !table.may_meet(pair.a, pair.b));
        let pairs = || ones.iter().flat_map(|a| others.iter().map(move |b| (*a, *b)));
        let direct =
            |(a, b): &(u32, u32)| (*a, *b) == (pair.a, pair.b) || (*b, *a) == (pair.a, pair.b);
        if is_two_of_one_table
            || pairs().filter(|pair| !direct(pair)).take(2_500).any(|(a, b)| stands_between(a, b))
        {
            linkage.possible.push(pair);
            continue;
        }
        let (stays, goes) = (one.min(other), one.max(other));
        let mut all = if stays == one { ones } else { others.clone() };
        let gone = if stays == one { others } else { rows(&members, one) };
        for row in &gone {
            if let Some(of) = person.get_mut(index(*row)) {
                *of = stays;
            }
        }
        all.extend(gone);
        members.remove(&goes);
        members.insert(stays, all);
        linkage.links.push(pair);
    }
    linkage.persons = person;
}

/// Runs over ranges of some work on several threads; what comes of them comes in their order.
pub(super) fn in_parallel<T: Send>(
    n: usize,
    threads: NonZeroUsize,
    work: impl Fn(Range<usize>) -> T + Sync,
) -> Vec<T> {
    // More parts than threads: some blocks take longer than others.
    let parts = 64.min(n.max(1));
    let bounds = |part: usize| (n * part / parts)..(n * (part + 1) / parts);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let done: std::sync::Mutex<BTreeMap<usize, T>> = std::sync::Mutex::new(BTreeMap::new());
    let run = || {
        loop {
            let part = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if part >= parts {
                return;
            }
            let result = work(bounds(part));
            done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(part, result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.get() {
            scope.spawn(run);
        }
        run();
    });
    let done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.into_values().collect()
}

/// The level of a comparison by its number.
pub(super) fn level(comparison: &Comparison, number: usize) -> Level {
    comparison.levels().get(number).copied().unwrap_or(Level::Missing)
}
