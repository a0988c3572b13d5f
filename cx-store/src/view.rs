//! A view: all facts that decide what was known of a few subjects at an instant.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_core::identity::Assertion;
use cx_core::ids::{ConversationKey, CustomerId, ObservationId};
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::error::StoreError;
use crate::explain;
use crate::ingest::first_recorded;
use crate::neighbourhood::{self, Asking, event, revision_at, said};

/// Facts with the instants at which they were recorded.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) events: BTreeMap<Timestamp, Vec<Event>>,
    pub(crate) assertions: Vec<(Assertion, Timestamp)>,
    /// Ids that were ever given out to these, with the observations they name and their events.
    pub(crate) issued: Vec<Issued>,
}

/// An id, the observation it names, and that one's event.
type Issued = ([u8; 16], [u8; 16], String);

/// All facts that decide what was known of these then: with them a store gives the same answers
/// about them as one that had taken in nothing else.
pub(crate) fn facts(
    connection: &Connection,
    asking: &Asking,
    of: &[Who],
) -> Result<Facts, StoreError> {
    let mut subjects = Vec::new();
    for who in of {
        subjects.extend(explain::subject(connection, who)?);
    }
    let loaded = neighbourhood::around(connection, asking, &subjects)?;
    let mut taken: BTreeSet<i64> = BTreeSet::new();
    let mut talks: BTreeSet<ConversationKey> = BTreeSet::new();
    let mut facts = Facts::default();
    for (seq, recorded_at) in loaded.events.values() {
        let event = event(connection, *seq)?;
        taken.insert(*seq);
        talks.extend(event.conversation.iter().map(|talk| talk.key.clone()));
        facts.events.entry(*recorded_at).or_default().push(event);
    }
    // What others said in the same conversations is told beside it.
    let mut told = BTreeSet::new();
    while let Some(talk) = talks.pop_first() {
        if !told.insert(talk.clone()) {
            continue;
        }
        for key in keys_in(connection, &talk)? {
            let Some(seq) = revision_at(connection, &key, asking.past)? else { continue };
            let event = event(connection, seq)?;
            if event.occurred_at <= asking.past.happened_by() && taken.insert(seq) {
                // It may have had other names then.
                let names = event.conversation.iter();
                talks.extend(names.flat_map(|it| it.aliases.iter().chain([&it.key]).cloned()));
                facts.events.entry(first_recorded(connection, &key)?).or_default().push(event);
            }
        }
    }
    facts.assertions = said(connection, asking)?;
    facts.issued = issued(connection, asking, of, &facts.events)?;
    Ok(facts)
}

/// The ids that are asked for, and those under which these events are found.
fn issued(
    connection: &Connection,
    asking: &Asking,
    of: &[Who],
    events: &BTreeMap<Timestamp, Vec<Event>>,
) -> Result<Vec<Issued>, StoreError> {
    let mut ids: BTreeSet<[u8; 16]> = BTreeSet::new();
    for who in of {
        if let Who::Customer(id) = who {
            ids.insert(*id.as_bytes());
        }
    }
    let mut inherited = connection.prepare_cached("SELECT cid FROM heir WHERE oid = ?1")?;
    for event in events.values().flatten() {
        let named = ObservationId::of(&asking.tenant, &event.key);
        ids.insert(*CustomerId::issue(&asking.id_key, named).as_bytes());
        for id in inherited.query_map([&named.as_bytes()[..]], |row| row.get(0))? {
            ids.insert(id?);
        }
    }
    let mut known =
        connection.prepare_cached("SELECT cid, oid, event_key FROM issued WHERE cid = ?1")?;
    let mut issued = Vec::new();
    for id in ids {
        let id = known
            .query_row([&id[..]], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        issued.extend(id);
    }
    Ok(issued)
}

/// Takes ids into a store that was made of these facts: they mean there what they mean here.
pub(crate) fn admit_ids(tx: &Transaction<'_>, issued: &[Issued]) -> Result<(), StoreError> {
    let mut put = tx.prepare_cached(
        "INSERT INTO issued(cid, oid, event_key) VALUES(?1, ?2, ?3)
         ON CONFLICT(cid) DO UPDATE SET oid = excluded.oid, event_key = excluded.event_key",
    )?;
    for (cid, oid, key) in issued {
        put.execute(params![&cid[..], &oid[..], key])?;
    }
    Ok(())
}

/// The keys of the events that are in a conversation, under all its keys, or were in a revision
/// that is shown no longer.
fn keys_in(
    connection: &Connection,
    talk: &ConversationKey,
) -> Result<BTreeSet<String>, StoreError> {
    let mut canonical =
        connection.prepare_cached("SELECT canonical_id FROM conversation WHERE key = ?1")?;
    let canonical: Option<i64> =
        canonical.query_row([talk.as_str()], |row| row.get(0)).optional()?;
    let mut keys = connection.prepare_cached(
        "SELECT e.key FROM conversation c JOIN event e ON e.conversation_id = c.id
         WHERE c.canonical_id = ?1 AND e.standing = 0
         UNION ALL
         SELECT e.key FROM conversation c JOIN event e ON e.conversation_id = c.id
         WHERE c.canonical_id = ?1 AND e.standing <> 0",
    )?;
    let keys = keys.query_map([canonical], |row| row.get(0))?;
    Ok(keys.collect::<Result<_, _>>()?)
}
