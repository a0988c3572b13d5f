//! Who is waiting: which conversations are open, kept up to date as facts come in.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::conversation::{self, Conversation, WaitingOn};
use cx_core::event::Event;
use cx_core::ids::{ConversationKey, CustomerId};
use cx_core::time::Timestamp;
use rusqlite::{Connection, Transaction, params};

use crate::codec;
use crate::error::StoreError;

/// A matter in which somebody has to act.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// The conversation.
    pub conversation: Conversation,
    /// The customer it is of; `None` where nobody is known.
    pub customer: Option<CustomerId>,
}

/// Folds touched conversations again and notes which of them are open.
pub(crate) fn refold(
    tx: &Transaction<'_>,
    conversations: &BTreeSet<i64>,
) -> Result<(), StoreError> {
    refold_with(tx, conversations, BTreeMap::new())
}

/// Folds touched conversations again and notes which of them are open. Of those that are new and
/// known by one key all events may be given, so that they need not be read.
pub(crate) fn refold_with(
    tx: &Transaction<'_>,
    conversations: &BTreeSet<i64>,
    mut told: BTreeMap<i64, Vec<&Event>>,
) -> Result<(), StoreError> {
    let mut canonical: BTreeSet<i64> = BTreeSet::new();
    for conversation in conversations {
        if told.contains_key(conversation) {
            canonical.insert(*conversation);
            continue;
        }
        let id: i64 = tx
            .prepare_cached("SELECT canonical_id FROM conversation WHERE id = ?1")?
            .query_row([conversation], |row| row.get(0))?;
        // A conversation that has become an alias is not listed by itself any more.
        tx.prepare_cached("DELETE FROM open_conversation WHERE conversation_id = ?1")?
            .execute([conversation])?;
        canonical.insert(id);
    }
    for id in canonical {
        let folded = match told.remove(&id) {
            Some(mut events) => {
                events.sort_by(|a, b| a.timeline_cmp(b));
                let key = events.first().and_then(|event| event.conversation.as_ref());
                let key = key.map(|conversation| conversation.key.clone());
                key.and_then(|key| conversation::fold(key, &events))
            }
            None => fold(tx, id)?,
        };
        note(tx, id, folded)?;
    }
    Ok(())
}

/// Notes whether a conversation is open, and since when somebody waits.
fn note(tx: &Transaction<'_>, id: i64, folded: Option<Conversation>) -> Result<(), StoreError> {
    let Some(conversation) = folded.filter(|conversation| conversation.state.is_open()) else {
        tx.prepare_cached("DELETE FROM open_conversation WHERE conversation_id = ?1")?
            .execute([id])?;
        return Ok(());
    };
    let due = conversation.promises.first().and_then(|promise| promise.due_at);
    let since =
        conversation.waiting_since.filter(|_| conversation.waiting_on == Some(WaitingOn::Us));
    tx.prepare_cached(
        "INSERT OR REPLACE INTO open_conversation(conversation_id, waiting_since, due_at)
         VALUES(?1, ?2, ?3)",
    )?
    .execute(params![id, since.map(Timestamp::as_micros), due.map(Timestamp::as_micros)])?;
    Ok(())
}

/// The events of a conversation, all its keys together, in timeline order.
pub(crate) fn events(connection: &Connection, canonical: i64) -> Result<Vec<Event>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT e.payload FROM conversation c JOIN event e ON e.conversation_id = c.id
         WHERE c.canonical_id = ?1 AND e.standing = 0",
    )?;
    let rows = rows.query_map([canonical], |row| row.get::<_, String>(0))?;
    let mut events = Vec::new();
    for payload in rows {
        events.push(codec::event(&payload?)?);
    }
    events.sort_by(Event::timeline_cmp);
    Ok(events)
}

fn fold(connection: &Connection, canonical: i64) -> Result<Option<Conversation>, StoreError> {
    let mut key = connection.prepare_cached("SELECT key FROM conversation WHERE id = ?1")?;
    let key: String = key.query_row([canonical], |row| row.get(0))?;
    let key: ConversationKey =
        key.parse().map_err(|error| StoreError::malformed("conversation key", error))?;
    let events = events(connection, canonical)?;
    Ok(conversation::fold(key, &events.iter().collect::<Vec<_>>()))
}

/// All open matters, those that are due or have waited for us longest first, as they stand at an
/// instant.
pub(crate) fn list(connection: &Connection, as_of: Timestamp) -> Result<Vec<Waiting>, StoreError> {
    let ids: Vec<i64> = {
        let mut rows =
            connection.prepare_cached("SELECT conversation_id FROM open_conversation")?;
        let rows = rows.query_map([], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    let mut waiting = Vec::new();
    for id in ids {
        let mut key = connection.prepare_cached("SELECT key FROM conversation WHERE id = ?1")?;
        let key: String = key.query_row([id], |row| row.get(0))?;
        let key: ConversationKey =
            key.parse().map_err(|error| StoreError::malformed("conversation key", error))?;
        let events = events(connection, id)?;
        let until: Vec<&Event> = events.iter().filter(|event| event.occurred_at <= as_of).collect();
        let Some(conversation) = conversation::fold(key, &until) else { continue };
        if conversation.state.is_open() {
            waiting.push(Waiting { conversation, customer: customer(connection, id)? });
        }
    }
    waiting.sort_by_key(|matter| {
        let conversation = &matter.conversation;
        let due = conversation.promises.first().and_then(|promise| promise.due_at);
        let ours = conversation.waiting_on == Some(WaitingOn::Us);
        (
            !ours,
            due.or(conversation.waiting_since).unwrap_or(conversation.since),
            conversation.key.clone(),
        )
    });
    Ok(waiting)
}

/// The customer who was first in a conversation.
fn customer(connection: &Connection, canonical: i64) -> Result<Option<CustomerId>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT u.cid FROM conversation c
           JOIN event e ON e.conversation_id = c.id AND e.standing = 0
           LEFT JOIN attribution a ON a.event_seq = e.seq
           JOIN member m ON m.bundle_id = coalesce(a.bundle_id, e.bundle_id)
           JOIN customer u ON u.id = m.customer_id
         WHERE c.canonical_id = ?1 ORDER BY e.ts, e.src_seq, e.key LIMIT 1",
    )?;
    let mut rows = rows.query_map([canonical], |row| row.get::<_, [u8; 16]>(0))?;
    Ok(rows.next().transpose()?.map(CustomerId::from_bytes))
}
