//! What must hold in every file, and the check of it.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::identity::resolve::Record;
use cx_core::identity::{Assertion, Observation, Population, Recorded};
use cx_core::ids::{AssertionId, CustomerId, ObservationId};
use rusqlite::Connection;
use serde::Serialize;

use crate::codec;
use crate::compression::Unpacker;
use crate::corrections;
use crate::derived::Settings;
use crate::error::StoreError;
use crate::facts;
use crate::policy;
use crate::rebuild;
use crate::search;

/// What a check looked at, and what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// How many events there are, all revisions together.
    pub events: u64,
    /// How many of them are shown.
    pub current: u64,
    /// How many bundles.
    pub bundles: u64,
    /// How many customers.
    pub customers: u64,
    /// How many events belong to nobody yet.
    pub unattributed: u64,
    /// How many assertions, revoked ones too.
    pub assertions: u64,
    /// What is wrong, in words; empty where all is well.
    pub problems: Vec<String>,
    /// What is as the facts have it and should be looked at: customers with more values than one
    /// person has as a rule, and records that hang together in very great number. At most 100.
    pub notes: Vec<String>,
}

impl CheckReport {
    /// Whether all is well.
    pub const fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    fn expect(&mut self, holds: bool, problem: impl FnOnce() -> String) {
        if !holds && self.problems.len() < 100 {
            self.problems.push(problem());
        }
    }
}

/// Checks the file and everything derived in it against the facts.
pub(crate) fn check(
    connection: &Connection,
    settings: &Settings,
) -> Result<CheckReport, StoreError> {
    let mut report = CheckReport::default();
    let mut rows = connection.prepare("PRAGMA integrity_check(20)")?;
    let rows = rows.query_map([], |row| row.get::<_, String>(0))?;
    for row in rows {
        let row = row?;
        report.expect(row == "ok", || format!("file: {row}"));
    }
    if !report.is_clean() {
        return Ok(report);
    }
    count(connection, &mut report)?;
    references(connection, &mut report)?;
    said_and_issued(connection, settings, &mut report)?;
    readable(connection, &mut report)?;
    let facts = facts(connection, settings, &mut report)?;
    customers(connection, settings, &facts, &mut report)?;
    drop(facts);
    // Where a fact cannot be read, nothing can be made anew of all of them.
    if report.is_clean() {
        for difference in rebuild::differences(connection, settings)? {
            report.expect(false, || difference);
        }
    }
    let indexed = search::indexed_until(connection)?;
    let last: i64 =
        connection.query_row("SELECT coalesce(max(seq), 0) FROM event", [], |row| row.get(0))?;
    report.expect(indexed <= last, || "the full text index is ahead of the events".to_owned());
    Ok(report)
}

fn count(connection: &Connection, report: &mut CheckReport) -> Result<(), StoreError> {
    let n = |sql: &str| -> Result<u64, StoreError> {
        let n: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        Ok(u64::try_from(n).unwrap_or(0))
    };
    report.events = n("SELECT count(*) FROM event")?;
    report.current = n("SELECT count(*) FROM event WHERE standing = 0")?;
    report.bundles = n("SELECT count(*) FROM bundle")?;
    report.customers = n("SELECT count(*) FROM customer")?;
    report.assertions = n("SELECT count(*) FROM assertion")?;
    Ok(())
}

/// Rows that point at rows that are not there, and counts that do not add up.
fn references(connection: &Connection, report: &mut CheckReport) -> Result<(), StoreError> {
    let questions = [
        ("events of no bundle", "SELECT count(*) FROM event e WHERE standing = 0 AND NOT EXISTS(SELECT 1 FROM bundle b WHERE b.id = e.bundle_id)
            AND NOT EXISTS(SELECT 1 FROM attribution a WHERE a.event_seq = e.seq)"),
        ("events of no batch", "SELECT count(*) FROM event e WHERE NOT EXISTS(SELECT 1 FROM batch b WHERE b.id = e.batch)"),
        ("events of another import than those around them", "SELECT count(*) FROM (SELECT batch < lag(batch) OVER (ORDER BY seq) AS is_before FROM event) WHERE is_before"),
        ("events of no conversation", "SELECT count(*) FROM event e WHERE conversation_id IS NOT NULL AND NOT EXISTS(SELECT 1 FROM conversation c WHERE c.id = e.conversation_id)"),
        ("events of an unknown kind, channel or source", "SELECT count(*) FROM event e WHERE NOT EXISTS(SELECT 1 FROM dict d WHERE d.id = e.kind)
            OR NOT EXISTS(SELECT 1 FROM dict d WHERE d.id = e.channel) OR NOT EXISTS(SELECT 1 FROM dict d WHERE d.id = e.source)"),
        ("keys that show no revision, or two", "SELECT count(*) FROM (SELECT key FROM event GROUP BY key HAVING sum(standing = 0) <> 1)"),
        ("claims of no identifier", "SELECT count(*) FROM bundle_claim c WHERE NOT EXISTS(SELECT 1 FROM identifier i WHERE i.id = c.identifier_id)"),
        ("claims of no bundle", "SELECT count(*) FROM bundle_claim c WHERE NOT EXISTS(SELECT 1 FROM bundle b WHERE b.id = c.bundle_id)"),
        ("members of no bundle", "SELECT count(*) FROM member m WHERE NOT EXISTS(SELECT 1 FROM bundle b WHERE b.id = m.bundle_id)"),
        ("members without events", "SELECT count(*) FROM member m JOIN bundle b ON b.id = m.bundle_id WHERE b.n = 0"),
        ("members of no customer", "SELECT count(*) FROM member m WHERE NOT EXISTS(SELECT 1 FROM customer c WHERE c.id = m.customer_id)"),
        ("customers of no bundle", "SELECT count(*) FROM customer c WHERE NOT EXISTS(SELECT 1 FROM member m WHERE m.customer_id = c.id)"),
        ("customers whose id was never issued", "SELECT count(*) FROM customer c WHERE NOT EXISTS(SELECT 1 FROM issued i WHERE i.cid = c.cid)"),
        ("customers that were erased", "SELECT count(*) FROM customer c JOIN issued i ON i.cid = c.cid WHERE i.event_key = ''"),
        ("bundles whose channel counts do not add up", "SELECT count(*) FROM bundle b WHERE n <> (SELECT coalesce(sum(s.n), 0) FROM bundle_stat s WHERE s.bundle_id = b.id)"),
        ("bundles whose events do not add up", "SELECT count(*) FROM bundle b WHERE b.n <>
            (SELECT count(*) FROM event e WHERE e.bundle_id = b.id AND e.standing = 0
               AND NOT EXISTS(SELECT 1 FROM attribution a WHERE a.event_seq = e.seq AND a.home_id <> b.id))
            + (SELECT count(*) FROM attribution a JOIN event e ON e.seq = a.event_seq
               WHERE a.home_id = b.id AND e.bundle_id <> b.id AND e.standing = 0)"),
        ("conversations under a key that is not there", "SELECT count(*) FROM conversation c WHERE NOT EXISTS(SELECT 1 FROM conversation o WHERE o.id = c.canonical_id AND o.canonical_id = o.id)"),
    ];
    for (what, sql) in questions {
        let n: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        report.expect(n == 0, || format!("{n} {what}"));
    }
    Ok(())
}

/// Compares what was said with its name, the ids that were given out with the records they name, and
/// the policy with its hash.
fn said_and_issued(
    connection: &Connection,
    settings: &Settings,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let said = corrections::all(connection)?;
    let said: BTreeSet<AssertionId> = said.iter().map(Assertion::id).collect();
    let mut rows = connection.prepare("SELECT aid FROM assertion")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let id = AssertionId::from_bytes(row.get(0)?);
        report.expect(said.contains(&id), || format!("{id}: it is not what was said"));
    }
    let mut rows = connection.prepare(
        "SELECT cid, oid, event_key,
           EXISTS(SELECT 1 FROM heir h WHERE h.oid = issued.oid AND h.cid = issued.cid)
         FROM issued",
    )?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let customer = CustomerId::from_bytes(row.get(0)?);
        let (observation, key): ([u8; 16], String) = (row.get(1)?, row.get(2)?);
        let is_its = if key.is_empty() {
            observation == [0; 16]
        } else {
            let named = codec::event_key(&key).map(|key| ObservationId::of(&settings.tenant, &key));
            named.is_ok_and(|named| {
                *named.as_bytes() == observation
                    && (row.get(3) == Ok(true)
                        || CustomerId::issue(&settings.id_key, named) == customer)
            })
        };
        report.expect(is_its, || format!("{customer}: it names another record than its own"));
    }
    let mut rows = connection.prepare("SELECT oid, event_key FROM named")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let (observation, key): ([u8; 16], String) = (row.get(0)?, row.get(1)?);
        let named = codec::event_key(&key).map(|key| ObservationId::of(&settings.tenant, &key));
        report.expect(named.is_ok_and(|named| *named.as_bytes() == observation), || {
            format!("{key} is named by another observation than its own")
        });
    }
    report.expect(policy::is_as_written(connection)?, || {
        "the policy is not what was put in force".to_owned()
    });
    Ok(())
}

/// Reads every fact that nothing is derived from.
fn readable(connection: &Connection, report: &mut CheckReport) -> Result<(), StoreError> {
    let read = facts::others(connection, |fact| {
        if let Err(error) = fact.sound() {
            report.expect(false, || error.to_string());
        }
        Ok(())
    });
    match read {
        Err(error @ StoreError::MalformedRow { .. }) => {
            report.expect(false, || error.to_string());
            Ok(())
        }
        read => read,
    }
}

/// Reads every fact again and compares it with its columns.
fn facts(
    connection: &Connection,
    settings: &Settings,
    report: &mut CheckReport,
) -> Result<Vec<Recorded>, StoreError> {
    let mut rows = connection.prepare(
        "SELECT e.seq, e.key, e.ts, e.rev, e.hash, e.payload, e.standing, b.recorded_at, e.bundle_id, u.hash, e.codec,
           e.sum, e.batch, e.packed
         FROM event e JOIN batch b ON b.id = e.batch LEFT JOIN bundle u ON u.id = e.bundle_id",
    )?;
    let mut rows = rows.query([])?;
    let mut unpacker = Unpacker::new()?;
    let mut facts: Vec<Recorded> = Vec::new();
    let mut first: BTreeMap<String, i64> = BTreeMap::new();
    let mut current: Vec<(String, Observation)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (seq, key): (i64, String) = (row.get(0)?, row.get(1)?);
        let recorded: i64 = row.get(7)?;
        let earliest = first.entry(key.clone()).or_insert(recorded);
        *earliest = (*earliest).min(recorded);
        let payload = match row.get::<_, Option<Vec<u8>>>(13)?.map(|it| unpacker.unpack(&it)) {
            None => row.get(5)?,
            Some(Ok(payload)) => payload.to_owned(),
            Some(Err(error)) => {
                report.expect(false, || format!("event row {seq}: {error}"));
                continue;
            }
        };
        let is_as_written = row
            .get::<_, Option<i64>>(11)?
            .is_none_or(|sum| row.get(12).is_ok_and(|batch| codec::sum(&payload, batch) == sum));
        report.expect(is_as_written, || format!("event row {seq}: it is not what was written"));
        let event = match codec::event(&payload) {
            Ok(event) => event,
            Err(error) => {
                report.expect(false, || format!("event row {seq}: {error}"));
                continue;
            }
        };
        let same = event.key.as_str() == key
            && event.occurred_at.as_micros() == row.get::<_, i64>(2)?
            && event.rev == row.get::<_, Option<String>>(3)?
            && (row.get::<_, i64>(10)? == codec::BLACKED_OUT
                || event.content_hash() == row.get::<_, [u8; 16]>(4)?);
        report.expect(same, || format!("event row {seq}: its columns are not what it says"));
        if row.get::<_, i64>(6)? == 0 {
            let observation = Observation::of(&settings.tenant, &event);
            let bundle: Option<[u8; 16]> = row.get(9)?;
            let arrived = bundle.is_none_or(|hash| hash == *observation.bundle().as_bytes());
            report.expect(arrived, || {
                format!("event row {seq}: it is in another bundle than its own")
            });
            current.push((key, observation));
        }
    }
    for (key, observation) in current {
        let recorded_at = codec::timestamp(first.get(&key).copied().unwrap_or_default())?;
        facts.push(Recorded { observation, recorded_at });
    }
    Ok(facts)
}

/// Notes what a policy says is to be reported.
fn note(found: &Population, settings: &Settings, report: &mut CheckReport) {
    for record in &found.records {
        if let Record::ManyValues { namespace, customer, n } = record {
            let customer = CustomerId::issue(&settings.id_key, *customer);
            report.notes.push(format!(
                "{customer} has {n} values of {namespace}: several persons may be joined (cx how)"
            ));
        }
    }
    let (largest, at_most) = (found.largest_component, settings.policy.max_component);
    if u32::try_from(largest).unwrap_or(u32::MAX) > at_most {
        report.notes.insert(0, format!(
            "{largest} groups of records hang together, where {at_most} are expected at most: a value \
             that many use may have to be blocked (cx block)"
        ));
    }
    report.notes.truncate(100);
}

/// Compares who belongs to whom with what all facts at once give.
fn customers(
    connection: &Connection,
    settings: &Settings,
    facts: &[Recorded],
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    let expected = Population::of(facts, &settings.assertions, &settings.policy, &settings.id_key);
    note(&expected, settings, report);
    let mut rows = connection.prepare(
        "SELECT e.key, u.cid FROM event e LEFT JOIN attribution a ON a.event_seq = e.seq
           LEFT JOIN member m ON m.bundle_id = coalesce(a.bundle_id, e.bundle_id)
           LEFT JOIN customer u ON u.id = m.customer_id
         WHERE e.standing = 0",
    )?;
    let mut rows = rows.query([])?;
    let mut stored: BTreeMap<CustomerId, BTreeSet<ObservationId>> = BTreeMap::new();
    let mut key_of: BTreeMap<ObservationId, String> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let key = codec::event_key(&row.get::<_, String>(0)?)?;
        let observation = ObservationId::of(&settings.tenant, &key);
        key_of.insert(observation, key.to_string());
        match row.get::<_, Option<[u8; 16]>>(1)? {
            Some(customer) => {
                let customer = CustomerId::from_bytes(customer);
                stored.entry(customer).or_default().insert(observation);
            }
            None => report.unattributed += 1,
        }
    }
    for customer in &expected.customers {
        let of: BTreeSet<ObservationId> = customer.observations.iter().copied().collect();
        let has = stored.get(&customer.id).cloned().unwrap_or_default();
        report.expect(has == of, || {
            let some = |of: &BTreeSet<ObservationId>, but: &BTreeSet<ObservationId>| {
                let keys = of.difference(but).filter_map(|id| key_of.get(id)).take(5);
                keys.cloned().collect::<Vec<_>>().join(", ")
            };
            let (misses, strange) = (some(&of, &has), some(&has, &of));
            format!("{}: misses [{misses}] and has [{strange}] of others", customer.id)
        });
    }
    let (n_stored, n_expected) = (stored.len(), expected.customers.len());
    report.expect(n_stored == n_expected, || {
        format!("{n_stored} customers where the facts give {n_expected}")
    });
    Ok(())
}
