//! The change feed: what became of customers, in the order in which it did.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use cx_core::identifier::Identifier;
use cx_core::identity::{Join, Joiner};
use cx_core::ids::{AssertionId, BundleId, CustomerId, ObservationId};
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;

use crate::codec;
use crate::error::StoreError;
use crate::statements::Statements;

/// One entry of the change feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeRecord {
    /// Its place in the feed: larger than that of all before it. Go on after the last one seen.
    pub seq: u64,
    /// When what caused it was recorded, in UTC.
    pub at: Timestamp,
    /// What became of whom.
    #[serde(flatten)]
    pub change: Change,
    /// What caused it.
    pub cause: Cause,
}

/// What became of a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// There is a new customer.
    Created {
        /// The customer.
        customer: CustomerId,
    },
    /// One customer became part of another; the id is still found, and means the other.
    Merged {
        /// Who is gone.
        from: CustomerId,
        /// Who stays.
        into: CustomerId,
    },
    /// A part of a customer is a customer of its own.
    Split {
        /// Who the part was.
        from: CustomerId,
        /// Who it is now; an id that was there before a merge comes back.
        into: CustomerId,
    },
    /// Records went from one customer to another, and not as a whole; whoever is no more by it is
    /// told of by an entry behind this one.
    Moved {
        /// Whose they were; `None` if nobody's.
        from: Option<CustomerId>,
        /// Whose they are; `None` if nobody's.
        to: Option<CustomerId>,
        /// How many groups of records with the same claims and name.
        records: u64,
    },
    /// A customer has another id, which the old one means: the record that named it is gone, is
    /// nobody's, or is not the first any more.
    Renamed {
        /// The id before.
        from: CustomerId,
        /// The id now.
        into: CustomerId,
    },
    /// A customer is no more, though nothing was erased: what it had left is nobody's now. Nobody is
    /// known by its id, until one of its records is somebody's again.
    Dissolved {
        /// Who is gone.
        customer: CustomerId,
    },
    /// A customer was erased, or had nothing but what was too old to be kept. Where only a model's
    /// word made it a customer, that is dissolved first.
    Erased {
        /// Who is gone.
        customer: CustomerId,
    },
}

/// What caused a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Which kind of thing.
    pub by: By,
    /// What was imported, by its adapter's name.
    pub adapter: Option<String>,
    /// What somebody said.
    pub assertion: Option<AssertionId>,
    /// The values that joined, or that the records had in common, where they still are.
    pub values: Vec<String>,
}

/// What kind of thing causes a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum By {
    /// New events.
    Import,
    /// A person's word.
    Assertion,
    /// Another policy.
    Policy,
    /// An erasure.
    Erasure,
    /// Rules of retention: what was too old was taken out.
    Retention,
}

impl By {
    const fn name(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Assertion => "assertion",
            Self::Policy => "policy",
            Self::Erasure => "erasure",
            Self::Retention => "retention",
        }
    }
}

/// What derivation is done for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Occasion {
    pub(crate) at: Timestamp,
    pub(crate) by: By,
    pub(crate) adapter: Option<String>,
    pub(crate) assertion: Option<AssertionId>,
    /// Whether the feed tells of it; it does not of facts that are moved from another file, which
    /// bring the feed with them.
    pub(crate) is_told: bool,
}

impl Occasion {
    pub(crate) const fn new(at: Timestamp, by: By) -> Self {
        Self { at, by, adapter: None, assertion: None, is_told: true }
    }
}

/// How customers have changed while derived rows were brought up to date.
#[derive(Debug, Default)]
pub(crate) struct Movements {
    /// Whose each bundle was that has changed hands.
    before: BTreeMap<i64, Option<i64>>,
    /// Whose each of them is now.
    now: BTreeMap<i64, Option<i64>>,
    /// Customers that were made, with their ids.
    created: BTreeMap<i64, CustomerId>,
    /// Bundles that are new.
    arrived: BTreeSet<i64>,
    /// Bundles that are no more: their records have others now.
    removed: BTreeSet<i64>,
    /// Records that may have another bundle now, by their keys, and whose they were.
    handed: BTreeMap<String, Option<i64>>,
    /// Bundles whose records are all told of one by one.
    divided: BTreeSet<i64>,
    /// What joined which bundles.
    joins: Vec<(i64, i64, Joiner)>,
}

impl Movements {
    pub(crate) fn moved(&mut self, bundle: i64, from: Option<i64>, to: Option<i64>) {
        self.before.entry(bundle).or_insert(from);
        self.now.insert(bundle, to);
    }

    /// Whether a bundle has changed hands.
    pub(crate) fn has_moved(&self, bundle: i64) -> bool {
        self.now.contains_key(&bundle)
    }

    /// Whose a bundle is now that has changed hands; `None` if nobody's.
    pub(crate) fn owner_now(&self, bundle: i64) -> Option<i64> {
        self.now.get(&bundle).copied().flatten()
    }

    /// Whose a bundle was that has changed hands; `None` if nobody's.
    pub(crate) fn owner_before(&self, bundle: i64) -> Option<i64> {
        self.before.get(&bundle).copied().flatten()
    }

    /// Takes note of whose records were that may have another bundle now.
    pub(crate) fn handed(&mut self, records: &BTreeMap<String, Option<i64>>) {
        for (key, owner) in records {
            self.handed.entry(key.clone()).or_insert(*owner);
        }
    }

    /// Takes note that the records of a bundle are told of one by one; says whether that is new.
    pub(crate) fn divided(&mut self, bundle: i64) -> bool {
        self.divided.insert(bundle)
    }

    pub(crate) fn created(&mut self, customer: i64, id: CustomerId) {
        self.created.insert(customer, id);
    }

    /// Customers who have a bundle that they did not have all the time.
    pub(crate) fn winners(&self) -> BTreeSet<i64> {
        self.now.values().flatten().copied().collect()
    }

    pub(crate) fn arrived(&mut self, bundle: i64) {
        self.arrived.insert(bundle);
    }

    pub(crate) fn removed(&mut self, bundle: i64) {
        self.removed.insert(bundle);
    }

    pub(crate) fn joined(&mut self, joins: Vec<Join>, row_of: &BTreeMap<BundleId, i64>) {
        self.joins.extend(joins.into_iter().filter_map(|join| {
            Some((*row_of.get(&join.left)?, *row_of.get(&join.right)?, join.by))
        }));
    }

    /// Writes what has become of whom. Customers without bundles are still there; events behind
    /// this number are new.
    pub(crate) fn write(
        &self,
        tx: &Transaction<'_>,
        sql: &Statements<'_>,
        tenant: &str,
        after: i64,
        occasion: &Occasion,
    ) -> Result<(), StoreError> {
        if !occasion.is_told {
            return Ok(());
        }
        let mut hands: BTreeMap<(Option<i64>, Option<i64>), BTreeSet<i64>> = BTreeMap::new();
        let mut lost: BTreeSet<i64> = BTreeSet::new();
        for (bundle, from) in &self.before {
            if self.removed.contains(bundle) {
                lost.extend(from);
                continue;
            }
            // What is new was nobody's, which is no news.
            let is_news =
                from.is_some() || occasion.by == By::Policy || !self.arrived.contains(bundle);
            let to = self.now.get(bundle).copied().flatten();
            if to != *from
                && is_news
                && !self.divided.contains(bundle)
                && (from.is_none() || has_older(tx, *bundle, after)?)
            {
                hands.entry((*from, to)).or_default().insert(*bundle);
            }
        }
        for (key, from) in &self.handed {
            let Some((bundle, to)) = holder(tx, key)? else { continue };
            if to != *from {
                hands.entry((*from, to)).or_default().insert(bundle);
            }
        }
        let mut gone: BTreeMap<i64, bool> = BTreeMap::new();
        let mut sources: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
        for (from, to) in hands.keys() {
            let Some(from) = from else { continue };
            gone.insert(*from, is_empty(tx, *from)?);
            if let Some(to) = to {
                sources.entry(*to).or_default().insert(*from);
            }
        }
        for from in lost {
            if !gone.contains_key(&from) && is_empty(tx, from)? {
                // All its records have other bundles now: it is where the record is that named it.
                let to = heir(tx, from)?;
                gone.insert(from, true);
                hands.insert((Some(from), to), BTreeSet::new());
                if let Some(to) = to {
                    sources.entry(to).or_default().insert(from);
                }
            }
        }
        for (from, _) in gone.iter().filter(|(_, is_gone)| **is_gone) {
            if heir(tx, *from)?.is_some() || !is_named(tx, *from)? {
                continue;
            }
            // What named it is nobody's: its id goes with most of its records.
            let to = hands.iter().filter_map(|((of, to), bundles)| {
                to.filter(|_| *of == Some(*from)).map(|to| (bundles.len(), Reverse(to)))
            });
            if let Some((_, Reverse(to))) = to.max() {
                hand_down(tx, tenant, cid(tx, *from)?, to)?;
            }
        }
        let winners = self.winners();
        for (customer, id) in &self.created {
            if !sources.contains_key(customer) && winners.contains(customer) {
                append(sql, occasion, &Change::Created { customer: *id }, &[])?;
            }
        }
        let count = |of: &BTreeSet<i64>| u64::try_from(of.len()).unwrap_or(0);
        let ways = self.ways(tx)?;
        for ((from, to), bundles) in &hands {
            let is_gone = from.is_some_and(|from| gone.get(&from) == Some(&true));
            let is_new = to.is_some_and(|to| self.created.contains_key(&to));
            let change = match (from, to) {
                (None, None) => continue,
                // What is new came with its records, and is told by itself.
                (None, Some(_)) if is_new => continue,
                (None, Some(to)) => {
                    let to = Some(cid(tx, *to)?);
                    Change::Moved { from: None, to, records: count(bundles) }
                }
                (Some(from), Some(to)) => {
                    let (a, b) = (cid(tx, *from)?, cid(tx, *to)?);
                    // Whom the id of somebody who is gone means.
                    let is_meant = is_gone && heir(tx, *from)? == Some(*to);
                    match (is_meant, is_new) {
                        (true, true) if sources.get(to).is_some_and(|of| of.len() == 1) => {
                            Change::Renamed { from: a, into: b }
                        }
                        (true, _) => Change::Merged { from: a, into: b },
                        (false, true) => Change::Split { from: a, into: b },
                        (false, false) => {
                            Change::Moved { from: Some(a), to: Some(b), records: count(bundles) }
                        }
                    }
                }
                // Nobody is meant by it any more, which is told below.
                (Some(from), None) if is_gone && heir(tx, *from)?.is_none() => continue,
                (Some(from), None) => {
                    Change::Moved { from: Some(cid(tx, *from)?), to: None, records: count(bundles) }
                }
            };
            let via = ways.values(tx, *from, *to)?;
            append(sql, occasion, &change, &via)?;
        }
        for (from, _) in gone.iter().filter(|(_, is_gone)| **is_gone) {
            let customer = cid(tx, *from)?;
            let change = match (heir(tx, *from)?, occasion.by) {
                // It is merged or renamed, which is told above.
                (Some(to), _) if hands.contains_key(&(Some(*from), Some(to))) => continue,
                (Some(to), _) => Change::Merged { from: customer, into: cid(tx, to)? },
                (None, By::Erasure | By::Retention) => Change::Erased { customer },
                (None, By::Import | By::Assertion | By::Policy) => Change::Dissolved { customer },
            };
            append(sql, occasion, &change, &[])?;
        }
        Ok(())
    }

    /// By what the bundles that have been joined hang together, and whose they were.
    fn ways(&self, tx: &Transaction<'_>) -> Result<Ways<'_>, StoreError> {
        let mut ways = Ways::default();
        for (left, right, by) in &self.joins {
            ways.next_to.entry(*left).or_default().push((*right, by));
            ways.next_to.entry(*right).or_default().push((*left, by));
        }
        let mut of = tx.prepare_cached("SELECT customer_id FROM member WHERE bundle_id = ?1")?;
        for bundle in ways.next_to.keys() {
            // What has not changed hands was the customer's it is.
            let owner = match self.before.get(bundle) {
                Some(before) => *before,
                None => of.query_row([bundle], |row| row.get(0)).optional()?,
            };
            if let Some(owner) = owner {
                ways.owner.insert(*bundle, owner);
                ways.owned.entry(owner).or_default().push(*bundle);
            }
        }
        Ok(ways)
    }
}

/// Ways from bundle to bundle.
#[derive(Default)]
struct Ways<'a> {
    /// What each bundle was joined with, and by what.
    next_to: BTreeMap<i64, Vec<(i64, &'a Joiner)>>,
    /// Whose each bundle was before.
    owner: HashMap<i64, i64>,
    /// The bundles that each customer had before, in order.
    owned: HashMap<i64, Vec<i64>>,
}

impl Ways<'_> {
    /// The rows of the values by which records of two customers hang together now.
    fn values(
        &self,
        tx: &Transaction<'_>,
        from: Option<i64>,
        to: Option<i64>,
    ) -> Result<Vec<i64>, StoreError> {
        let (Some(from), Some(to)) = (from, to) else { return Ok(Vec::new()) };
        let mut came: BTreeMap<i64, Option<(i64, &Joiner)>> = BTreeMap::new();
        let mut next = VecDeque::new();
        for bundle in self.owned.get(&from).into_iter().flatten() {
            came.insert(*bundle, None);
            next.push_back(*bundle);
        }
        while let Some(bundle) = next.pop_front() {
            if self.owner.get(&bundle) == Some(&to) {
                let mut values = Vec::new();
                let mut here = bundle;
                while let Some(Some((before, by))) = came.get(&here) {
                    if let Joiner::Identifier(value) = by {
                        values.extend(row_of(tx, value)?);
                    }
                    here = *before;
                }
                values.reverse();
                return Ok(values);
            }
            for (other, by) in self.next_to.get(&bundle).into_iter().flatten() {
                if !came.contains_key(other) {
                    came.insert(*other, Some((bundle, by)));
                    next.push_back(*other);
                }
            }
        }
        Ok(Vec::new())
    }
}

/// The row of a value; `None` where nobody has it.
pub(crate) fn row_of(tx: &Transaction<'_>, value: &Identifier) -> Result<Option<i64>, StoreError> {
    let mut row = tx.prepare_cached("SELECT id FROM identifier WHERE hash = ?1")?;
    let hash = codec::identifier_hash(value);
    Ok(row.query_row([&hash[..]], |row| row.get(0)).optional()?)
}

/// Whether a bundle has a record as it was, up to this number; the others are told of one by one, or
/// are new.
fn has_older(tx: &Transaction<'_>, bundle: i64, after: i64) -> Result<bool, StoreError> {
    let mut older = tx.prepare_cached(
        "SELECT EXISTS(SELECT 1 FROM event WHERE bundle_id = ?1 AND standing = 0 AND seq <= ?2)
           OR EXISTS(SELECT 1 FROM attribution a JOIN event e ON e.seq = a.event_seq
                     WHERE a.home_id = ?1 AND e.standing = 0 AND e.seq <= ?2)",
    )?;
    Ok(older.query_row([bundle, after], |row| row.get(0))?)
}

fn is_empty(tx: &Transaction<'_>, customer: i64) -> Result<bool, StoreError> {
    let mut any =
        tx.prepare_cached("SELECT NOT EXISTS(SELECT 1 FROM member WHERE customer_id = ?1)")?;
    Ok(any.query_row([customer], |row| row.get(0))?)
}

/// Whose a record is, by its row; `None` where it is nobody's.
pub(crate) fn owner(tx: &Transaction<'_>, seq: i64) -> Result<Option<i64>, StoreError> {
    let mut owner = tx.prepare_cached(
        "SELECT m.customer_id FROM event e LEFT JOIN attribution a ON a.event_seq = e.seq
           JOIN member m ON m.bundle_id = coalesce(a.bundle_id, e.bundle_id) WHERE e.seq = ?1",
    )?;
    Ok(owner.query_row([seq], |row| row.get(0)).optional()?)
}

/// In which bundle a record is, and whose it is; `None` where it is gone.
fn holder(tx: &Transaction<'_>, key: &str) -> Result<Option<(i64, Option<i64>)>, StoreError> {
    let mut holder = tx.prepare_cached(
        "SELECT coalesce(a.home_id, e.bundle_id), m.customer_id
         FROM event e LEFT JOIN attribution a ON a.event_seq = e.seq
           LEFT JOIN member m ON m.bundle_id = coalesce(a.bundle_id, e.bundle_id)
         WHERE e.key = ?1 AND e.standing = 0",
    )?;
    Ok(holder.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// The customer who has the record today that named this one.
fn heir(tx: &Transaction<'_>, customer: i64) -> Result<Option<i64>, StoreError> {
    let mut heir = tx.prepare_cached(
        "SELECT m.customer_id FROM customer u JOIN issued i ON i.cid = u.cid
           JOIN event e ON e.key = i.event_key AND e.standing = 0
           LEFT JOIN attribution a ON a.event_seq = e.seq
           JOIN member m ON m.bundle_id = coalesce(a.bundle_id, e.bundle_id)
         WHERE u.id = ?1",
    )?;
    Ok(heir.query_row([customer], |row| row.get(0)).optional()?)
}

/// Whether the record is there that named a customer, be it nobody's.
fn is_named(tx: &Transaction<'_>, customer: i64) -> Result<bool, StoreError> {
    let mut named = tx.prepare_cached(
        "SELECT EXISTS(SELECT 1 FROM customer u JOIN issued i ON i.cid = u.cid
           JOIN event e ON e.key = i.event_key AND e.standing = 0 WHERE u.id = ?1)",
    )?;
    Ok(named.query_row([customer], |row| row.get(0))?)
}

/// Lets an id name the newest record of a customer, which stays longest. Says whether there is one.
pub(crate) fn hand_down(
    tx: &Transaction<'_>,
    tenant: &str,
    id: CustomerId,
    to: i64,
) -> Result<bool, StoreError> {
    let Some(heir) = newest(tx, to)? else { return Ok(false) };
    let observation = ObservationId::of(tenant, &codec::event_key(&heir)?);
    tx.prepare_cached("UPDATE issued SET event_key = ?2, oid = ?3 WHERE cid = ?1")?
        .execute(params![&id.as_bytes()[..], heir, &observation.as_bytes()[..]])?;
    tx.prepare_cached("INSERT OR IGNORE INTO heir(oid, cid) VALUES(?1, ?2)")?
        .execute([&observation.as_bytes()[..], &id.as_bytes()[..]])?;
    Ok(true)
}

/// The key of a customer's newest record, but for those that say of nobody that they are theirs.
pub(crate) fn newest(tx: &Transaction<'_>, customer: i64) -> Result<Option<String>, StoreError> {
    let mut newest = tx.prepare_cached(
        "SELECT key FROM (
           SELECT e.ts AS ts, e.key AS key FROM member m JOIN event e ON e.bundle_id = m.bundle_id
             JOIN bundle b ON b.id = m.bundle_id
           WHERE m.customer_id = ?1 AND b.nobody = 0 AND e.standing = 0
             AND NOT EXISTS(SELECT 1 FROM attribution a WHERE a.event_seq = e.seq)
           UNION ALL
           SELECT e.ts, e.key FROM member m JOIN attribution a ON a.bundle_id = m.bundle_id
             JOIN event e ON e.seq = a.event_seq JOIN bundle b ON b.id = m.bundle_id
           WHERE m.customer_id = ?1 AND b.nobody = 0 AND e.standing = 0)
         ORDER BY ts DESC, key LIMIT 1",
    )?;
    Ok(newest.query_row([customer], |row| row.get(0)).optional()?)
}

fn cid(tx: &Transaction<'_>, customer: i64) -> Result<CustomerId, StoreError> {
    let mut cid = tx.prepare_cached("SELECT cid FROM customer WHERE id = ?1")?;
    Ok(CustomerId::from_bytes(cid.query_row([customer], |row| row.get(0))?))
}

/// Adds an entry. The values stand in it by their rows, so that nothing of a person is left in
/// the feed once the person is erased.
pub(crate) fn append(
    sql: &Statements<'_>,
    occasion: &Occasion,
    change: &Change,
    via: &[i64],
) -> Result<(), StoreError> {
    let (kind, a, b, n) = match change {
        Change::Created { customer } => ("created", Some(customer), None, 0),
        Change::Merged { from, into } => ("merged", Some(from), Some(into), 0),
        Change::Split { from, into } => ("split", Some(from), Some(into), 0),
        Change::Moved { from, to, records } => ("moved", from.as_ref(), to.as_ref(), *records),
        Change::Renamed { from, into } => ("renamed", Some(from), Some(into), 0),
        Change::Dissolved { customer } => ("dissolved", Some(customer), None, 0),
        Change::Erased { customer } => ("erased", Some(customer), None, 0),
    };
    let via: Vec<String> = via.iter().map(i64::to_string).collect();
    let cause = match &occasion.adapter {
        Some(adapter) => format!("{}:{adapter}", occasion.by.name()),
        None => occasion.by.name().to_owned(),
    };
    sql.execute(
        "INSERT INTO change(at, kind, a, b, n, cause, cause_id, via)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            occasion.at.as_micros(),
            kind,
            a.map(|id| &id.as_bytes()[..]),
            b.map(|id| &id.as_bytes()[..]),
            i64::try_from(n).unwrap_or(i64::MAX),
            cause,
            occasion.assertion.as_ref().map(|id| &id.as_bytes()[..]),
            via.join(" "),
        ],
    )?;
    Ok(())
}

/// The place of the last entry; 0 where there is none.
pub(crate) fn last(connection: &Connection) -> Result<u64, StoreError> {
    let mut last = connection.prepare_cached("SELECT coalesce(max(seq), 0) FROM change")?;
    let last: i64 = last.query_row([], |row| row.get(0))?;
    Ok(u64::try_from(last).unwrap_or(0))
}

/// Lets the feed go on behind this place.
pub(crate) fn number_after(tx: &Transaction<'_>, last: i64) -> Result<(), StoreError> {
    let moved =
        tx.execute("UPDATE sqlite_sequence SET seq = max(seq, ?1) WHERE name = 'change'", [last])?;
    if moved == 0 {
        tx.execute("INSERT INTO sqlite_sequence(name, seq) VALUES('change', ?1)", [last])?;
    }
    Ok(())
}

/// The entries after a place, in order, at most `limit`.
pub(crate) fn after(
    connection: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<ChangeRecord>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT seq, at, kind, a, b, n, cause, cause_id, via FROM change WHERE seq > ?1
         ORDER BY seq LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = rows.query(params![i64::try_from(after).unwrap_or(i64::MAX), limit])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let customer = |at: usize| -> Result<Option<CustomerId>, StoreError> {
            Ok(row.get::<_, Option<[u8; 16]>>(at)?.map(CustomerId::from_bytes))
        };
        let kind: String = row.get(2)?;
        let change = change(&kind, customer(3)?, customer(4)?, row.get(5)?)?;
        let (by, adapter) = cause(&row.get::<_, String>(6)?)?;
        let via: String = row.get(8)?;
        let mut values = Vec::new();
        for value in via.split_whitespace().filter_map(|value| value.parse::<i64>().ok()) {
            values.extend(identifier(connection, value)?.map(|value| value.to_string()));
        }
        let assertion = row.get::<_, Option<[u8; 16]>>(7)?.map(AssertionId::from_bytes);
        records.push(ChangeRecord {
            seq: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
            at: codec::timestamp(row.get(1)?)?,
            change,
            cause: Cause { by, adapter, assertion, values },
        });
    }
    Ok(records)
}

/// What an entry says, from its columns.
pub(crate) fn change(
    kind: &str,
    a: Option<CustomerId>,
    b: Option<CustomerId>,
    n: i64,
) -> Result<Change, StoreError> {
    let missing = || StoreError::malformed("change", kind);
    let first = || a.ok_or_else(missing);
    let second = || b.ok_or_else(missing);
    Ok(match kind {
        "created" => Change::Created { customer: first()? },
        "merged" => Change::Merged { from: first()?, into: second()? },
        "split" => Change::Split { from: first()?, into: second()? },
        "moved" => Change::Moved { from: a, to: b, records: u64::try_from(n).unwrap_or(0) },
        "renamed" => Change::Renamed { from: first()?, into: second()? },
        "dissolved" => Change::Dissolved { customer: first()? },
        "erased" => Change::Erased { customer: first()? },
        _ => return Err(missing()),
    })
}

/// What caused an entry, from its column: what kind of thing, and by which adapter.
pub(crate) fn cause(cause: &str) -> Result<(By, Option<String>), StoreError> {
    let (by, adapter) = match cause.split_once(':') {
        Some((by, adapter)) => (by, Some(adapter.to_owned())),
        None => (cause, None),
    };
    let by = match by {
        "import" => By::Import,
        "assertion" => By::Assertion,
        "policy" => By::Policy,
        "erasure" => By::Erasure,
        "retention" => By::Retention,
        other => return Err(StoreError::malformed("cause of a change", other)),
    };
    Ok((by, adapter))
}

/// The value of a row; `None` where it is gone.
pub(crate) fn identifier(
    connection: &Connection,
    row: i64,
) -> Result<Option<Identifier>, StoreError> {
    let mut found = connection.prepare_cached(
        "SELECT d.name, i.scope, i.key, i.linkable FROM identifier i JOIN dict d ON d.id = i.ns
         WHERE i.id = ?1",
    )?;
    Ok(found.query_row([row], |row| codec::read_identifier(row, 0)).optional()?)
}
