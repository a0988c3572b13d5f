//! The facts of a store, one by one, on their way into another file: read from a sound file, from
//! lines of JSON, or from the pages of a damaged file; and taken into a new store.

use std::collections::BTreeMap;

use cx_core::event::Event;
use cx_core::identity::Assertion;
use cx_core::ids::{AssertionId, CustomerId, ObservationId};
use cx_core::retention::Retention;
use cx_core::time::Timestamp;
use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::codec;
use crate::corrections;
use crate::erasure::EraseMode;
use crate::error::StoreError;
use crate::expiry;
use crate::feed;
use crate::ingest::{self, Writing};
use crate::past::Past;
use crate::proposals::{self, LastRun};
use crate::report::Recording;

/// A fact, with everything that is known of it.
#[derive(Debug, Clone)]
pub(crate) enum Fact {
    /// What somebody said, and when it was recorded.
    Assertion(Assertion, Timestamp),
    /// A revision of an event.
    Event(Box<RecordedEvent>),
    /// An entry of the change feed.
    Change(StoredChange),
    /// A customer id that was given out, with the observation it names and the key of its event;
    /// the key is empty where the customer was erased.
    Issued { customer: CustomerId, observation: ObservationId, key: String },
    /// A pair that a model takes for one person, with the run that found it, where that is known.
    Proposal {
        a: ObservationId,
        b: ObservationId,
        relation: String,
        weight: i64,
        told: String,
        run: Option<LastRun>,
    },
    /// The keyed hash of what may not come back before an instant.
    Suppressed { hash: [u8; 16], until: Timestamp },
    /// An erasure.
    Erasure {
        at: Timestamp,
        mode: String,
        customer: CustomerId,
        events: i64,
        compacted_at: Option<Timestamp>,
    },
    /// A retention: the rules it put in force, and what it took out.
    Retention(StoredRetention),
}

impl Fact {
    /// Whether it says what a fact of its kind can say: what cannot be read is no fact.
    pub(crate) fn sound(&self) -> Result<(), StoreError> {
        match self {
            Self::Change(change) => {
                feed::change(&change.kind, change.a, change.b, change.n)?;
                feed::cause(&change.cause)?;
            }
            Self::Proposal { relation, told, .. } => {
                proposals::told(relation, told)?;
            }
            Self::Erasure { mode, .. } => {
                let modes = [EraseMode::Anonymise, EraseMode::Delete];
                if !modes.iter().any(|known| known.name() == mode) {
                    return Err(StoreError::malformed("erasure", mode));
                }
            }
            Self::Assertion(..)
            | Self::Event(_)
            | Self::Issued { .. }
            | Self::Suppressed { .. }
            | Self::Retention(_) => {}
        }
        Ok(())
    }
}

/// A retention as it stands in the file.
#[derive(Debug, Clone)]
pub(crate) struct StoredRetention {
    pub(crate) at: Timestamp,
    pub(crate) rules: Retention,
    pub(crate) events: i64,
    pub(crate) revisions: i64,
    pub(crate) customers: i64,
    pub(crate) compacted_at: Option<Timestamp>,
}

/// A revision of an event as it was recorded.
#[derive(Debug, Clone)]
pub(crate) struct RecordedEvent {
    pub(crate) recording: Recording,
    pub(crate) event: Event,
    /// The hash of the whole, where some of it was blacked out since.
    pub(crate) whole: Option<[u8; 16]>,
}

/// An entry of the change feed as it stands in the file, its values written out.
#[derive(Debug, Clone)]
pub(crate) struct StoredChange {
    pub(crate) seq: i64,
    pub(crate) at: Timestamp,
    pub(crate) kind: String,
    pub(crate) a: Option<CustomerId>,
    pub(crate) b: Option<CustomerId>,
    pub(crate) n: i64,
    pub(crate) cause: String,
    pub(crate) assertion: Option<AssertionId>,
    pub(crate) values: Vec<String>,
}

/// How many facts of each kind there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactCounts {
    /// Events, all revisions.
    pub events: u64,
    /// What was said of who is who, revoked or not.
    pub assertions: u64,
    /// Entries of the change feed.
    pub changes: u64,
    /// Customer ids that were ever given out.
    pub issued: u64,
    /// Pairs that a model takes for one person.
    pub proposals: u64,
    /// What may not come back after an erasure.
    pub suppressed: u64,
    /// Erasures.
    pub erasures: u64,
    /// Retentions.
    pub retentions: u64,
}

impl FactCounts {
    pub(crate) fn count(&mut self, fact: &Fact) {
        *match fact {
            Fact::Assertion(..) => &mut self.assertions,
            Fact::Event(_) => &mut self.events,
            Fact::Change(_) => &mut self.changes,
            Fact::Issued { .. } => &mut self.issued,
            Fact::Proposal { .. } => &mut self.proposals,
            Fact::Suppressed { .. } => &mut self.suppressed,
            Fact::Erasure { .. } => &mut self.erasures,
            Fact::Retention(_) => &mut self.retentions,
        } += 1;
    }
}

/// Reads all facts of a sound file, in the order in which [`restore`] wants them: what was said,
/// what happened, and then the rest.
pub(crate) fn each(
    connection: &Connection,
    mut take: impl FnMut(Fact) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for (assertion, recorded_at) in corrections::recorded(connection, Past::today())? {
        take(Fact::Assertion(assertion, recorded_at))?;
    }
    events(connection, |event| take(Fact::Event(Box::new(event))))?;
    others(connection, take)
}

/// Reads all facts but for what was said and what happened.
pub(crate) fn others(
    connection: &Connection,
    mut take: impl FnMut(Fact) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let values = |via: String| -> Result<Vec<String>, StoreError> {
        let mut values = Vec::new();
        for row in via.split_whitespace().filter_map(|row| row.parse::<i64>().ok()) {
            values.extend(identifier_text(connection, row)?);
        }
        Ok(values)
    };
    let mut rows = connection
        .prepare("SELECT seq, at, kind, a, b, n, cause, cause_id, via FROM change ORDER BY seq")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        take(Fact::Change(StoredChange {
            seq: row.get(0)?,
            at: codec::timestamp(row.get(1)?)?,
            kind: row.get(2)?,
            a: row.get::<_, Option<[u8; 16]>>(3)?.map(CustomerId::from_bytes),
            b: row.get::<_, Option<[u8; 16]>>(4)?.map(CustomerId::from_bytes),
            n: row.get(5)?,
            cause: row.get(6)?,
            assertion: row.get::<_, Option<[u8; 16]>>(7)?.map(AssertionId::from_bytes),
            values: values(row.get(8)?)?,
        }))?;
    }
    let mut rows = connection.prepare("SELECT cid, oid, event_key FROM issued")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let customer = CustomerId::from_bytes(row.get(0)?);
        let observation = ObservationId::from_bytes(row.get(1)?);
        take(Fact::Issued { customer, observation, key: row.get(2)? })?;
    }
    let run = proposals::last_run(connection)?;
    let mut rows = connection.prepare("SELECT a, b, relation, weight, told FROM proposal")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let (a, b) =
            (ObservationId::from_bytes(row.get(0)?), ObservationId::from_bytes(row.get(1)?));
        let (relation, weight, told) = (row.get(2)?, row.get(3)?, row.get(4)?);
        take(Fact::Proposal { a, b, relation, weight, told, run: run.clone() })?;
    }
    let mut rows = connection.prepare("SELECT hash, until FROM suppressed")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        take(Fact::Suppressed { hash: row.get(0)?, until: codec::timestamp(row.get(1)?)? })?;
    }
    let mut rows = connection
        .prepare("SELECT at, mode, cid, events, compacted_at FROM erasure ORDER BY id")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        take(Fact::Erasure {
            at: codec::timestamp(row.get(0)?)?,
            mode: row.get(1)?,
            customer: CustomerId::from_bytes(row.get(2)?),
            events: row.get(3)?,
            compacted_at: row.get::<_, Option<i64>>(4)?.map(codec::timestamp).transpose()?,
        })?;
    }
    let mut rows = connection.prepare(
        "SELECT at, rules, events, revisions, customers, compacted_at FROM retention ORDER BY id",
    )?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        take(Fact::Retention(StoredRetention {
            at: codec::timestamp(row.get(0)?)?,
            rules: expiry::read(&row.get::<_, String>(1)?)?,
            events: row.get(2)?,
            revisions: row.get(3)?,
            customers: row.get(4)?,
            compacted_at: row.get::<_, Option<i64>>(5)?.map(codec::timestamp).transpose()?,
        }))?;
    }
    Ok(())
}

/// Reads all revisions of all events, in the order in which they came in.
pub(crate) fn events(
    connection: &Connection,
    mut take: impl FnMut(RecordedEvent) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut recordings: BTreeMap<i64, Recording> = BTreeMap::new();
    let mut rows =
        connection.prepare("SELECT id, recorded_at, adapter, adapter_version FROM batch")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let recorded_at = codec::timestamp(row.get(1)?)?;
        let recording =
            Recording { recorded_at, adapter: row.get(2)?, adapter_version: row.get(3)? };
        recordings.insert(row.get(0)?, recording);
    }
    let mut rows = connection.prepare(
        "SELECT batch, iif(packed IS NULL, payload, cx_unpack(packed)), codec, hash
         FROM event ORDER BY seq",
    )?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let recording = recordings.get(&row.get(0)?);
        let recording =
            recording.ok_or_else(|| StoreError::malformed("event", "no batch"))?.clone();
        let event = codec::event(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
        let is_whole = row.get::<_, i64>(2)? != codec::BLACKED_OUT;
        let whole = if is_whole { None } else { Some(row.get(3)?) };
        take(RecordedEvent { recording, event, whole })?;
    }
    Ok(())
}

fn identifier_text(connection: &Connection, row: i64) -> Result<Option<String>, StoreError> {
    let found = feed::identifier(connection, row)?;
    Ok(found.map(|identifier| codec::identifier_text(&identifier)))
}

/// Takes facts into a store that had none before, inside a transaction. Customers are derived as
/// they come; nothing is told in the feed of it, since the feed is among the facts.
///
/// Assertions have to come before events, and events before all others.
pub(crate) fn restore(
    tx: &Transaction<'_>,
    writer: &mut Writing<'_>,
    facts: Vec<Fact>,
) -> Result<(), StoreError> {
    let mut said = Vec::new();
    let mut events: Vec<RecordedEvent> = Vec::new();
    let mut others = Vec::new();
    for fact in facts {
        match fact {
            Fact::Assertion(assertion, recorded_at) => said.push((assertion, recorded_at)),
            Fact::Event(event) => events.push(*event),
            other => others.push(other),
        }
    }
    if !said.is_empty() {
        corrections::admit(tx, writer, &said)?;
    }
    let mut batch: Vec<(Event, Option<[u8; 16]>)> = Vec::new();
    let mut recording: Option<Recording> = None;
    for recorded in events {
        if recording.as_ref().is_some_and(|known| *known != recorded.recording) {
            flush(tx, writer, recording.take(), &std::mem::take(&mut batch))?;
        }
        recording = Some(recorded.recording);
        batch.push((recorded.event, recorded.whole));
    }
    flush(tx, writer, recording, &batch)?;
    for other in &others {
        insert(tx, writer, other)?;
    }
    Ok(())
}

fn flush(
    tx: &Transaction<'_>,
    writer: &mut Writing<'_>,
    recording: Option<Recording>,
    events: &[(Event, Option<[u8; 16]>)],
) -> Result<(), StoreError> {
    let Some(recording) = recording else { return Ok(()) };
    ingest::restore(tx, writer.settings, writer.dictionary, &recording, events)
}

/// Takes out the ids of customers who came and went while events were restored: which ids were
/// ever given out is told by the facts.
pub(crate) fn forget_passing_ids(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.execute("DELETE FROM issued WHERE cid NOT IN (SELECT cid FROM customer)", [])?;
    Ok(())
}

/// Writes a fact that nothing is derived from.
fn insert(tx: &Transaction<'_>, writer: &Writing<'_>, fact: &Fact) -> Result<(), StoreError> {
    match fact {
        Fact::Assertion(..) | Fact::Event(_) => {}
        Fact::Change(change) => {
            let mut via = Vec::new();
            for value in &change.values {
                let row = feed::row_of(tx, &codec::identifier(value)?)?;
                via.extend(row.map(|row| row.to_string()));
            }
            tx.prepare_cached(
                "INSERT OR REPLACE INTO change(seq, at, kind, a, b, n, cause, cause_id, via)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                change.seq,
                change.at.as_micros(),
                change.kind,
                change.a.map(|id| id.as_bytes().to_vec()),
                change.b.map(|id| id.as_bytes().to_vec()),
                change.n,
                change.cause,
                change.assertion.map(|id| id.as_bytes().to_vec()),
                via.join(" "),
            ])?;
        }
        Fact::Issued { customer, observation, key } => {
            tx.prepare_cached(
                "INSERT OR REPLACE INTO issued(cid, oid, event_key) VALUES(?1, ?2, ?3)",
            )?
            .execute(params![
                &customer.as_bytes()[..],
                &observation.as_bytes()[..],
                key
            ])?;
            if !key.is_empty()
                && CustomerId::issue(&writer.settings.id_key, *observation) != *customer
            {
                tx.prepare_cached("INSERT OR IGNORE INTO heir(oid, cid) VALUES(?1, ?2)")?
                    .execute([&observation.as_bytes()[..], &customer.as_bytes()[..]])?;
            }
        }
        Fact::Proposal { a, b, relation, weight, told, run } => {
            tx.prepare_cached(
                "INSERT OR REPLACE INTO proposal(a, b, relation, weight, told)
                 VALUES(?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                &a.as_bytes()[..],
                &b.as_bytes()[..],
                relation,
                weight,
                told
            ])?;
            if let Some(run) = run {
                proposals::keep_run(tx, run)?;
            }
        }
        Fact::Suppressed { hash, until } => crate::suppression::suppress(tx, hash, *until)?,
        Fact::Erasure { at, mode, customer, events, compacted_at } => {
            tx.prepare_cached(
                "INSERT INTO erasure(at, mode, cid, events, compacted_at)
                 VALUES(?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                at.as_micros(),
                mode,
                &customer.as_bytes()[..],
                events,
                compacted_at.map(Timestamp::as_micros)
            ])?;
        }
        Fact::Retention(run) => {
            tx.prepare_cached(
                "INSERT INTO retention(at, rules, events, revisions, customers, compacted_at)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                run.at.as_micros(),
                expiry::written(&run.rules)?,
                run.events,
                run.revisions,
                run.customers,
                run.compacted_at.map(Timestamp::as_micros)
            ])?;
        }
    }
    Ok(())
}
