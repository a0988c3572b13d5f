//! A view: all facts that decide what was known of a few subjects at an instant.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::event::{Event, Kind};
use cx_core::identifier::{Identifier, Namespace, Who};
use cx_core::identity::Assertion;
use cx_core::ids::{ConversationKey, CustomerId, ObservationId};
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::codec;
use crate::error::StoreError;
use crate::explain;
use crate::ingest::first_recorded;
use crate::neighbourhood::{self, Asking, event, revision_at, said};
use crate::schema;

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
        talks.extend(keys_of(&event).cloned().chain(lives_on_in(&event)));
        facts.events.entry(*recorded_at).or_default().push(event);
    }
    // A no to what is sent to a role's address counts for all who are reached there.
    for value in loaded.neighbourhood.hubs.keys() {
        if *value.namespace() != Namespace::Email {
            continue;
        }
        for key in words_on(connection, value)? {
            let Some(seq) = revision_at(connection, &key, asking.past)? else { continue };
            let event = event(connection, seq)?;
            if event.occurred_at <= asking.past.happened_by() && taken.insert(seq) {
                facts.events.entry(first_recorded(connection, &key)?).or_default().push(event);
            }
        }
    }
    // What others said in the same conversations is told beside it.
    let mut next: Vec<ConversationKey> = talks.iter().cloned().collect();
    while let Some(talk) = next.pop() {
        for key in records_of(connection, &talk)? {
            let Some(seq) = revision_at(connection, &key, asking.past)? else { continue };
            let event = event(connection, seq)?;
            let was_there = event.occurred_at <= asking.past.happened_by()
                && keys_of(&event).any(|key| *key == talk);
            if !was_there {
                continue;
            }
            for other in keys_of(&event).cloned().chain(lives_on_in(&event)) {
                if talks.insert(other.clone()) {
                    next.push(other);
                }
            }
            if taken.insert(seq) {
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

/// The keys of the records that say something of consents or profiles and claim this value: of
/// those that are shown now, and of those of which a revision did.
fn words_on(connection: &Connection, value: &Identifier) -> Result<BTreeSet<String>, StoreError> {
    let is_standing = schema::is_standing(connection)?;
    let mut keys = connection.prepare_cached(&format!(
        "SELECT e.key FROM identifier i JOIN bundle_claim c ON c.identifier_id = i.id
           JOIN event e ON e.bundle_id = c.bundle_id AND e.standing = 0
         WHERE i.hash = ?1 AND {is_standing}
         UNION SELECT e.key FROM identifier i JOIN past_claim p ON p.identifier_id = i.id
           JOIN event e ON e.seq = p.event_seq WHERE i.hash = ?1 AND {is_standing}"
    ))?;
    let hash = codec::identifier_hash(value);
    let keys = keys.query_map([&hash[..]], |row| row.get(0))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// All keys by which an event knows its conversation.
fn keys_of(event: &Event) -> impl Iterator<Item = &ConversationKey> {
    let of = event.conversation.iter();
    of.flat_map(|talk| std::iter::once(&talk.key).chain(&talk.aliases))
}

/// The conversation in which one lives on that an event merges: what is said there answers what was
/// asked here.
fn lives_on_in(event: &Event) -> Option<ConversationKey> {
    let Kind::ConversationMerged(merged) = &event.kind else { return None };
    merged.into.as_deref()?.parse().ok()
}

/// The keys of the records of which a revision knows a conversation by this key: of those that are
/// shown now, perhaps of a few more.
fn records_of(
    connection: &Connection,
    talk: &ConversationKey,
) -> Result<BTreeSet<String>, StoreError> {
    let bridge = codec::identifier_hash(&Event::bridge_of(talk));
    let mut keys = connection.prepare_cached(
        "SELECT e.key FROM conversation c JOIN event e ON e.conversation_id = c.id
         WHERE c.key = ?1 AND e.standing = 0
         UNION SELECT e.key FROM conversation c JOIN conversation_alias a ON a.alias_id = c.id
           JOIN event e ON e.conversation_id = a.of_id WHERE c.key = ?1 AND e.standing = 0
         UNION SELECT e.key FROM identifier i JOIN past_claim p ON p.identifier_id = i.id
           JOIN event e ON e.seq = p.event_seq WHERE i.hash = ?2",
    )?;
    let keys = keys.query_map(params![talk.as_str(), &bridge[..]], |row| row.get(0))?;
    Ok(keys.collect::<Result<_, _>>()?)
}
