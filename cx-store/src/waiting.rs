//! Who is waiting: which conversations are open, kept up to date as facts come in.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::conversation::{
    self, Conversation, LONGEST_CALL, LONGEST_SILENCE, Lapse, Missed, WaitingOn,
};
use cx_core::event::{Event, EventReader};
use cx_core::identifier::Identifier;
use cx_core::ids::{ConversationKey, CustomerId, EventKey};
use cx_core::time::{Micros, Timestamp};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

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
    let (theirs, at) = noted(&conversation);
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

/// As whose a matter is noted that is snoozed, or in which a call goes on that will have to be
/// followed: ours from that instant on, until then not.
const SNOOZED: i64 = 2;

/// As whose a matter is noted that nothing ends: a missed call of nobody known, ours for a day.
const NAMELESS: i64 = 3;

/// The same: an answer on which nothing more was said.
const SILENT: i64 = 4;

/// The same: a call whose end was not told.
const CALLING: i64 = 5;

/// As whose a matter is noted, and its instant: that of its turn, or from which on it is ours.
fn noted(conversation: &Conversation) -> (i64, Timestamp) {
    let (theirs, at) = turn(conversation);
    if let Some(until) = conversation.snoozed_until {
        return (SNOOZED, until);
    }
    let after_call = conversation.waiting_after_call();
    // Behind the instant of the turn stands that at which it lapses: where it does not, it is noted
    // as others are, and looked at each time.
    match conversation.lapses() {
        Some(Lapse::Nameless(until)) if until == at => (NAMELESS, at),
        Some(Lapse::Silence(until)) if until + PATIENCE == at + LONGEST_SILENCE => (SILENT, at),
        Some(Lapse::Call(until)) if after_call == Some(WaitingOn::Us) => (SNOOZED, until),
        Some(Lapse::Call(until))
            if after_call.is_none() && until + PATIENCE == at + LONGEST_CALL =>
        {
            (CALLING, at)
        }
        _ => (i64::from(theirs), at),
    }
}

/// How long somebody waits at most until it is their turn.
const PATIENCE: Micros = Micros::DAY;

/// Whether it waits for others than us, and the instant by which it comes.
type Turn = (bool, Timestamp);

/// When a matter's turn is: those that wait for us come first, and of these the one that is due
/// first; whoever was promised no time is due a day after asking, and nobody later. Of equal ones the
/// smaller key. What is snoozed waits since it woke.
fn turn(conversation: &Conversation) -> Turn {
    let theirs = conversation.waiting_on != Some(WaitingOn::Us);
    if let Some(until) = conversation.snoozed_until {
        return (theirs, until + PATIENCE);
    }
    let since = conversation.waiting_since.or(conversation.call_since);
    let at = since.unwrap_or(conversation.since) + PATIENCE;
    let due = conversation.promises.first().and_then(|promise| promise.due_at);
    (theirs, due.map_or(at, |due| due.min(at)))
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
    let all: BTreeSet<i64> = {
        let mut rows = tx.prepare("SELECT DISTINCT canonical_id FROM conversation")?;
        let rows = rows.query_map([], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    refold(tx, &all)
}

/// The events of a conversation, all its keys together, in timeline order.
pub(crate) fn events(connection: &Connection, canonical: i64) -> Result<Vec<Event>, StoreError> {
    let rows = rows(connection, canonical, &mut EventReader::default())?;
    Ok(rows.into_iter().map(|(_, event)| event).collect())
}

/// The same with the number of each event.
pub(crate) fn rows(
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
        let from = "FROM open_conversation w JOIN conversation c ON c.id = w.conversation_id";
        let patience = PATIENCE.as_micros();
        let quiet = (as_of + PATIENCE - LONGEST_SILENCE).as_micros();
        let calling = (as_of + PATIENCE - LONGEST_CALL).as_micros();
        let nameless = format!("w.theirs = {NAMELESS} AND w.at >= ?1");
        let lapsing = format!(
            "(w.theirs = {SILENT} AND w.at >= {quiet} OR w.theirs = {CALLING} AND w.at >= {calling})"
        );
        for (theirs, awake, lapsing) in [(0, "<=", nameless), (1, ">", lapsing)] {
            let mut rows = connection.prepare(&format!(
                "SELECT w.conversation_id, w.at, c.key {from} WHERE w.theirs = {theirs}
                 UNION ALL SELECT w.conversation_id, w.at, c.key {from} WHERE {lapsing}
                 UNION ALL SELECT w.conversation_id, w.at + {patience}, c.key {from}
                 WHERE w.theirs = {SNOOZED} AND w.at {awake} ?1
                 ORDER BY 2, 3"
            ))?;
            let mut ids = rows.query([as_of.as_micros()])?;
            // Some that are noted are over: somebody was called back, or answered elsewhere.
            while waiting.len() < limit
                && let Some(row) = ids.next()?
            {
                let found = matters(connection, row.get(0)?, as_of, &mut reader)?;
                waiting.extend(found.into_iter().map(|(_, matter)| matter));
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
    let mut found = Vec::new();
    for id in ids {
        found.extend(matters(connection, id, as_of, &mut reader)?);
    }
    found.sort_by_cached_key(|(turn, matter)| (*turn, matter.conversation.key.clone()));
    found.truncate(limit);
    Ok(found.into_iter().map(|(_, matter)| matter).collect())
}

/// What was open then of a conversation as it is known today, each with its turn.
fn matters(
    connection: &Connection,
    id: i64,
    then: Timestamp,
    reader: &mut EventReader,
) -> Result<Vec<(Turn, Waiting)>, StoreError> {
    let rows = rows(connection, id, reader)?;
    let numbers: BTreeMap<EventKey, i64> =
        rows.iter().map(|(seq, event)| (event.key.clone(), *seq)).collect();
    let events: Vec<Event> = rows.into_iter().map(|(_, event)| event).collect();
    let mut matters = Vec::new();
    for (mut conversation, events_then) in as_of(key(connection, id)?, &events, then) {
        if !conversation.is_open() {
            continue;
        }
        let turn = turn(&conversation);
        // Who it is of is known as it is today: of a conversation that is one, by all its events.
        let is_whole = events_then.len() == events.len() || {
            let until = |event: &&Event| event.occurred_at <= then;
            events.iter().filter(until).count() == events_then.len()
        };
        let of: Vec<&Event> = if is_whole { events.iter().collect() } else { events_then };
        let numbers_of = |events: &[&Event]| -> Vec<i64> {
            events.iter().filter_map(|event| numbers.get(&event.key)).copied().collect()
        };
        let mut reached = Vec::new();
        for missed in &conversation.missed {
            let number = numbers.get(&missed.event).copied();
            reached.push(reached_in(connection, missed, number, then, reader)?);
        }
        if !reached.is_empty() && reached.iter().all(Option::is_some) {
            continue;
        }
        if conversation.merged_into.is_some() {
            let among = lives_on_in(connection, &conversation, then, reader)?;
            if let Some((merged, others)) = among.split_first() {
                conversation = merged.clone().living_on_among(others);
            }
            if !conversation.is_open() {
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
        matters.push((turn, Waiting { conversation, customer }));
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

/// The first call until an instant in which whoever called in vain was reached, by the same number
/// or as the same customer: when that was, and until when they talked.
pub(crate) fn reached_in(
    connection: &Connection,
    missed: &Missed,
    number: Option<i64>,
    until: Timestamp,
    reader: &mut EventReader,
) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
    let mut bundles: BTreeSet<i64> = BTreeSet::new();
    let mut rows = connection.prepare_cached(
        "SELECT coalesce(o.bundle_id, m.bundle_id, a.bundle_id, e.bundle_id)
         FROM event e LEFT JOIN attribution a ON a.event_seq = e.seq
           JOIN member m ON m.bundle_id = coalesce(a.bundle_id, e.bundle_id)
           LEFT JOIN member o ON o.customer_id = m.customer_id
         WHERE e.seq = ?1",
    )?;
    for bundle in rows.query_map([number], |row| row.get(0))? {
        bundles.insert(bundle?);
    }
    let mut first = None;
    let since = missed.earliest_call();
    for (_, call) in calls_of(connection, &bundles, since, until, reader)? {
        first = earlier(first, missed, &call);
    }
    for (_, call) in calls_with(connection, &missed.from, since, until, reader)? {
        if missed.is_from(&call) {
            first = earlier(first, missed, &call);
        }
    }
    Ok(first)
}

fn earlier(
    first: Option<(Timestamp, Timestamp)>,
    missed: &Missed,
    call: &Event,
) -> Option<(Timestamp, Timestamp)> {
    let picked_up = missed.called_back_in(call);
    let until = conversation::people_talked_until(call);
    let this = picked_up.zip(until);
    first.into_iter().chain(this).min()
}

/// The calls that name one of these, of anybody, since an instant and until another, each with its
/// number.
pub(crate) fn calls_with(
    connection: &Connection,
    these: &[Identifier],
    since: Timestamp,
    until: Timestamp,
    reader: &mut EventReader,
) -> Result<Vec<(i64, Event)>, StoreError> {
    let mut bundles: BTreeSet<i64> = BTreeSet::new();
    let mut rows = connection.prepare_cached(
        "SELECT c.bundle_id FROM identifier i JOIN bundle_claim c ON c.identifier_id = i.id
         WHERE i.hash = ?1",
    )?;
    for identifier in these {
        let hash = codec::identifier_hash(identifier);
        for bundle in rows.query_map([&hash[..]], |row| row.get(0))? {
            bundles.insert(bundle?);
        }
    }
    calls_of(connection, &bundles, since, until, reader)
}

fn calls_of(
    connection: &Connection,
    bundles: &BTreeSet<i64>,
    since: Timestamp,
    until: Timestamp,
    reader: &mut EventReader,
) -> Result<Vec<(i64, Event)>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT seq, iif(packed IS NULL, payload, cx_unpack(packed))
         FROM event INDEXED BY event_timeline
         WHERE bundle_id = ?1 AND standing = 0 AND ts >= ?2 AND ts <= ?3
           AND kind = (SELECT id FROM dict WHERE class = 3 AND name = 'call')",
    )?;
    let mut calls = Vec::new();
    for bundle in bundles {
        let mut rows = rows.query([*bundle, since.as_micros(), until.as_micros()])?;
        while let Some(row) = rows.next()? {
            let payload = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            let event = reader.read(payload).map_err(|e| StoreError::malformed("event", e))?;
            calls.push((row.get(0)?, event));
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
