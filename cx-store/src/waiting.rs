//! Who is waiting: which conversations are open, kept up to date as facts come in.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::conversation::{self, Conversation, WaitingOn};
use cx_core::event::{Event, EventReader};
use cx_core::ids::{ConversationKey, CustomerId, EventKey};
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

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

/// Takes out those of these conversations of which nothing is told any more; gives them.
pub(crate) fn forget(
    tx: &Transaction<'_>,
    conversations: &BTreeSet<i64>,
) -> Result<BTreeSet<i64>, StoreError> {
    let mut gone = BTreeSet::new();
    for conversation in conversations {
        let is_left: bool = tx
            .prepare_cached(
                "SELECT EXISTS(SELECT 1 FROM event WHERE conversation_id = ?1 AND standing = 0)
                   OR EXISTS(SELECT 1 FROM event WHERE conversation_id = ?1 AND standing <> 0)
                   OR EXISTS(SELECT 1 FROM conversation_alias WHERE alias_id = ?1 OR of_id = ?1)",
            )?
            .query_row([conversation], |row| row.get(0))?;
        if is_left {
            continue;
        }
        for sql in [
            "DELETE FROM open_conversation WHERE conversation_id = ?1",
            "DELETE FROM conversation WHERE id = ?1",
        ] {
            tx.prepare_cached(sql)?.execute([conversation])?;
        }
        gone.insert(*conversation);
    }
    Ok(gone)
}

/// Notes whether a conversation is open, and since when somebody waits.
fn note(tx: &Transaction<'_>, id: i64, folded: Option<Conversation>) -> Result<(), StoreError> {
    let Some(conversation) = folded.filter(Conversation::is_open) else {
        tx.prepare_cached("DELETE FROM open_conversation WHERE conversation_id = ?1")?
            .execute([id])?;
        return Ok(());
    };
    let due = conversation.promises.first().and_then(|promise| promise.due_at);
    let since =
        conversation.waiting_since.filter(|_| conversation.waiting_on == Some(WaitingOn::Us));
    let (theirs, at) = turn(&conversation);
    let theirs = match conversation.snoozed_until {
        Some(_) => SNOOZED,
        None => i64::from(theirs),
    };
    tx.prepare_cached(
        "INSERT INTO open_conversation(conversation_id, waiting_since, due_at, theirs, at)
         VALUES(?1, ?2, ?3, ?4, ?5)
         ON CONFLICT(conversation_id) DO UPDATE SET waiting_since = ?2, due_at = ?3, theirs = ?4, at = ?5",
    )?
    .execute(params![
        id,
        since.map(Timestamp::as_micros),
        due.map(Timestamp::as_micros),
        theirs,
        at.as_micros()
    ])?;
    Ok(())
}

/// As whose a matter is noted that is snoozed: ours from its turn on, until then not.
const SNOOZED: i64 = 2;

/// When a matter's turn is: those that wait for us come first, and of these the one that is due, or
/// has waited, longest; of equal ones the smaller key. What is snoozed waits since it woke.
fn turn(conversation: &Conversation) -> (bool, Timestamp) {
    let due = conversation.promises.first().and_then(|promise| promise.due_at);
    let theirs = conversation.waiting_on != Some(WaitingOn::Us);
    let at = conversation.snoozed_until.or(due).or(conversation.waiting_since);
    (theirs, at.unwrap_or(conversation.since))
}

/// The conversations that these events, of one as it is known today, were at an instant: several
/// where what brings them together came later. Each with its events until then.
pub(crate) fn as_of(
    key: ConversationKey,
    events: &[Event],
    as_of: Timestamp,
) -> Vec<(Conversation, Vec<&Event>)> {
    let until: Vec<&Event> = events.iter().filter(|event| event.occurred_at <= as_of).collect();
    let threads = if until.len() == events.len() {
        BTreeMap::from([(key, until)])
    } else {
        conversation::threads(&until)
    };
    let folded = threads
        .into_iter()
        .filter_map(|(key, events)| Some((conversation::fold(key, &events)?.at(as_of), events)));
    folded.collect()
}

/// Folds all conversations again: where everything is filed anew, or another fold finds others
/// open.
pub(crate) fn refold_all(tx: &Transaction<'_>) -> Result<(), StoreError> {
    refold_these(tx, "SELECT DISTINCT canonical_id FROM conversation")
}

/// Folds all open conversations again, as after a step of the schema.
pub(crate) fn refold_open(tx: &Transaction<'_>) -> Result<(), StoreError> {
    refold_these(tx, "SELECT conversation_id FROM open_conversation")
}

fn refold_these(tx: &Transaction<'_>, sql: &str) -> Result<(), StoreError> {
    let these: BTreeSet<i64> = {
        let mut rows = tx.prepare(sql)?;
        let rows = rows.query_map([], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    refold(tx, &these)
}

/// The events of a conversation, all its keys together, in timeline order.
pub(crate) fn events(connection: &Connection, canonical: i64) -> Result<Vec<Event>, StoreError> {
    let rows = rows(connection, canonical, &mut EventReader::default())?;
    Ok(rows.into_iter().map(|(_, event)| event).collect())
}

/// The same with the number of each event.
fn rows(
    connection: &Connection,
    canonical: i64,
    reader: &mut EventReader,
) -> Result<Vec<(i64, Event)>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT e.seq, iif(packed IS NULL, payload, cx_unpack(packed))
         FROM conversation c JOIN event e ON e.conversation_id = c.id
         WHERE c.canonical_id = ?1 AND e.standing = 0",
    )?;
    let mut rows = rows.query([canonical])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let payload = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let event = reader.read(payload).map_err(|error| StoreError::malformed("event", error))?;
        events.push((row.get(0)?, event));
    }
    events.sort_by(|a, b| a.1.timeline_cmp(&b.1));
    Ok(events)
}

fn key(connection: &Connection, canonical: i64) -> Result<ConversationKey, StoreError> {
    let mut key = connection.prepare_cached("SELECT key FROM conversation WHERE id = ?1")?;
    let key: String = key.query_row([canonical], |row| row.get(0))?;
    key.parse().map_err(|error| StoreError::malformed("conversation key", error))
}

fn fold(connection: &Connection, canonical: i64) -> Result<Option<Conversation>, StoreError> {
    let events = events(connection, canonical)?;
    let key = key(connection, canonical)?;
    Ok(conversation::fold(key, &events.iter().collect::<Vec<_>>()))
}

/// The open matters as they stood at an instant, at most so many, in the order of their turns.
/// Where nothing happened later, only those that are given are read; else those that are open now,
/// and all in which anything happened later, which are found by looking at every conversation.
pub(crate) fn list(
    connection: &Connection,
    as_of: Timestamp,
    limit: usize,
) -> Result<Vec<Waiting>, StoreError> {
    let mut latest = connection.prepare_cached("SELECT max(last_event) FROM source_stat")?;
    let latest: Option<i64> = latest.query_row([], |row| row.get(0))?;
    let is_as_noted = latest.is_none_or(|latest| latest <= as_of.as_micros());
    let mut reader = EventReader::default();
    let mut waiting = Vec::new();
    if is_as_noted {
        // Ours, with what was snoozed and is awake; then theirs. Each is read in the order of the
        // index.
        for (theirs, awake) in [(0, "<="), (1, ">")] {
            let mut rows = connection.prepare_cached(&format!(
                "SELECT w.conversation_id, w.at, c.key
                 FROM open_conversation w JOIN conversation c ON c.id = w.conversation_id
                 WHERE w.theirs = {theirs}
                 UNION ALL SELECT w.conversation_id, w.at, c.key
                 FROM open_conversation w JOIN conversation c ON c.id = w.conversation_id
                 WHERE w.theirs = {SNOOZED} AND w.at {awake} ?1
                 ORDER BY 2, 3"
            ))?;
            let mut ids = rows.query([as_of.as_micros()])?;
            // Some that are noted are over: somebody was called back, or answered elsewhere.
            while waiting.len() < limit
                && let Some(row) = ids.next()?
            {
                waiting.extend(matters(connection, row.get(0)?, as_of, &mut reader)?);
            }
        }
        waiting.truncate(limit);
        return Ok(waiting);
    }
    let mut rows = connection.prepare_cached(
        "SELECT conversation_id FROM open_conversation
         UNION SELECT c.canonical_id FROM conversation c WHERE EXISTS(
           SELECT 1 FROM event e
           WHERE e.conversation_id = c.id AND e.standing = 0 AND e.ts > ?1)",
    )?;
    let ids = rows.query_map([as_of.as_micros()], |row| row.get(0))?;
    let ids: Vec<i64> = ids.collect::<Result<_, _>>()?;
    for id in ids {
        waiting.extend(matters(connection, id, as_of, &mut reader)?);
    }
    waiting
        .sort_by_cached_key(|matter| (turn(&matter.conversation), matter.conversation.key.clone()));
    waiting.truncate(limit);
    Ok(waiting)
}

/// What was open then of a conversation as it is known today.
fn matters(
    connection: &Connection,
    id: i64,
    then: Timestamp,
    reader: &mut EventReader,
) -> Result<Vec<Waiting>, StoreError> {
    let rows = rows(connection, id, reader)?;
    let numbers: BTreeMap<EventKey, i64> =
        rows.iter().map(|(seq, event)| (event.key.clone(), *seq)).collect();
    let events: Vec<Event> = rows.into_iter().map(|(_, event)| event).collect();
    let mut matters = Vec::new();
    for (conversation, events_then) in as_of(key(connection, id)?, &events, then) {
        if !conversation.is_open() {
            continue;
        }
        // Who it is of is known as it is today: of a conversation that is one, by all its events.
        let is_whole = events_then.len() == events.len() || {
            let until = |event: &&Event| event.occurred_at <= then;
            events.iter().filter(until).count() == events_then.len()
        };
        let of: Vec<&Event> = if is_whole { events.iter().collect() } else { events_then };
        let numbers_of = |events: &[&Event]| -> Vec<i64> {
            events.iter().filter_map(|event| numbers.get(&event.key)).copied().collect()
        };
        if !conversation.missed_from.is_empty() {
            let calls = calls_beside(connection, &numbers_of(&of), &conversation, then, reader)?;
            if conversation.was_called_back(&calls.iter().collect::<Vec<_>>()) {
                continue;
            }
        }
        if conversation.merged_into.is_some() {
            let among = lives_on_in(connection, &conversation, then, reader)?;
            if among.first().is_some_and(|it| it.was_answered_elsewhere(&among)) {
                continue;
            }
        }
        let mut customer = None;
        for seq in numbers_of(&of) {
            customer = customer_of(connection, seq)?;
            if customer.is_some() {
                break;
            }
        }
        matters.push(Waiting { conversation, customer });
    }
    Ok(matters)
}

/// The conversations in which one lives on that was merged into another, and that one into a third,
/// as they were at an instant, each by its one key; itself first.
fn lives_on_in(
    connection: &Connection,
    merged: &Conversation,
    then: Timestamp,
    reader: &mut EventReader,
) -> Result<Vec<Conversation>, StoreError> {
    let mut among: Vec<Conversation> = vec![merged.clone()];
    let mut seen: BTreeSet<i64> = BTreeSet::new();
    let mut last = 0;
    while let Some(into) = among.get(last).and_then(|it| it.merged_into.clone()) {
        let mut id =
            connection.prepare_cached("SELECT canonical_id FROM conversation WHERE key = ?1")?;
        let id: Option<i64> = id.query_row([into], |row| row.get(0)).optional()?;
        let Some(id) = id.filter(|id| seen.insert(*id)) else { break };
        let own = key(connection, id)?;
        if let Some(it) = among.get_mut(last) {
            it.merged_into = Some(own.to_string());
        }
        let rows = rows(connection, id, reader)?;
        let events: Vec<&Event> = rows.iter().map(|(_, event)| event).collect();
        let until: Vec<&Event> =
            events.into_iter().filter(|event| event.occurred_at <= then).collect();
        let Some(next) = conversation::fold(own, &until) else { break };
        among.push(next);
        last += 1;
    }
    Ok(among)
}

/// The calls of whom these events are of, since a conversation waits and until an instant.
fn calls_beside(
    connection: &Connection,
    of: &[i64],
    conversation: &Conversation,
    until: Timestamp,
    reader: &mut EventReader,
) -> Result<Vec<Event>, StoreError> {
    let mut bundles: BTreeSet<i64> = BTreeSet::new();
    let mut rows = connection.prepare_cached(
        "SELECT coalesce(o.bundle_id, m.bundle_id, a.bundle_id, e.bundle_id)
         FROM event e LEFT JOIN attribution a ON a.event_seq = e.seq
           LEFT JOIN member m ON m.bundle_id = coalesce(a.bundle_id, e.bundle_id)
           LEFT JOIN member o ON o.customer_id = m.customer_id
         WHERE e.seq = ?1",
    )?;
    for seq in of {
        for bundle in rows.query_map([seq], |row| row.get(0))? {
            bundles.insert(bundle?);
        }
    }
    let mut rows = connection.prepare_cached(
        "SELECT iif(packed IS NULL, payload, cx_unpack(packed)) FROM event INDEXED BY event_timeline
         WHERE bundle_id = ?1 AND standing = 0 AND ts >= ?2 AND ts <= ?3
           AND kind = (SELECT id FROM dict WHERE class = 3 AND name = 'call')",
    )?;
    let since = conversation.may_be_called_back_since().unwrap_or(conversation.since).as_micros();
    let mut calls = Vec::new();
    for bundle in bundles {
        let mut rows = rows.query([bundle, since, until.as_micros()])?;
        while let Some(row) = rows.next()? {
            let payload = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            let event = reader.read(payload).map_err(|e| StoreError::malformed("event", e))?;
            calls.push(event);
        }
    }
    Ok(calls)
}

/// The customer of an event: the first in a conversation who is known is the one it is of.
fn customer_of(connection: &Connection, seq: i64) -> Result<Option<CustomerId>, StoreError> {
    let mut customer = connection.prepare_cached(
        "SELECT u.cid FROM event e LEFT JOIN attribution a ON a.event_seq = e.seq
           JOIN member m ON m.bundle_id = coalesce(a.bundle_id, e.bundle_id)
           JOIN customer u ON u.id = m.customer_id
         WHERE e.seq = ?1",
    )?;
    let customer = customer.query_row([seq], |row| row.get::<_, [u8; 16]>(0)).optional()?;
    Ok(customer.map(CustomerId::from_bytes))
}
