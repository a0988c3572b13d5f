//! What measures are taken of: all answers to surveys, all conversations.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::conversation::{self, Conversation};
use cx_core::event::feedback::Survey;
use cx_core::event::{Event, EventReader, Kind};
use cx_core::identifier::Identifier;
use cx_core::ids::{ConversationKey, CustomerId};
use cx_core::measure::Answer;
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use crate::codec;
use crate::error::StoreError;
use crate::waiting;

/// All answers to surveys until an instant, with the customers who gave them, in the order of the
/// file. The respondent of an answer of nobody known is the customer of whom another answer to the
/// same question is; else what the source calls the answer, or the conversation it was given in;
/// else its event.
pub(crate) fn answers(
    connection: &Connection,
    as_of: Timestamp,
) -> Result<Vec<Answer>, StoreError> {
    let Some(kind) = kind(connection, "feedback.answered")? else { return Ok(Vec::new()) };
    let mut rows = connection.prepare_cached(
        "SELECT iif(packed IS NULL, payload, cx_unpack(packed)), u.cid, o.key FROM event e
           LEFT JOIN conversation c ON c.id = e.conversation_id
           LEFT JOIN conversation o ON o.id = c.canonical_id
           LEFT JOIN attribution a ON a.event_seq = e.seq
           LEFT JOIN member m ON m.bundle_id = coalesce(a.bundle_id, e.bundle_id)
           LEFT JOIN customer u ON u.id = m.customer_id
         WHERE e.kind = ?1 AND e.standing = 0 AND e.ts <= ?2 ORDER BY e.seq",
    )?;
    let rows = rows.query_map([kind, as_of.as_micros()], |row| {
        Ok((
            row.get::<_, String>(0)?,
            row.get::<_, Option<[u8; 16]>>(1)?,
            row.get::<_, Option<String>>(2)?,
        ))
    })?;
    let mut answers = Vec::new();
    // Of each that nobody known gave: where it stands, and whether its question is one person's.
    let mut unknown = Vec::new();
    let mut known: BTreeMap<(Survey, (String, String)), BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        let (payload, customer, thread) = row?;
        let mut event = codec::event(&payload)?;
        // What was asked in a thread with several keys is one question.
        if let (Some(conversation), Some(thread)) = (&mut event.conversation, thread) {
            conversation.key =
                thread.parse().map_err(|error| StoreError::malformed("conversation key", error))?;
        }
        let customer = customer.map(|id| CustomerId::from_bytes(id).to_string());
        let respondent = customer.clone().unwrap_or_else(|| event.key.to_string());
        let Some(answer) = Answer::of(respondent, &event) else { continue };
        let question = (answer.survey, answer.question.clone());
        match customer {
            Some(customer) => {
                known.entry(question).or_default().insert(customer);
            }
            None if is_of_one(&event) => unknown.push((answers.len(), question)),
            None => {}
        }
        answers.push(answer);
    }
    for (number, question) in unknown {
        let Some(answer) = answers.get_mut(number) else { continue };
        let one = known.get(&question).filter(|known| known.len() == 1);
        let (_, (source, name)) = &question;
        let customer = one.and_then(BTreeSet::first).cloned();
        answer.respondent = customer.unwrap_or_else(|| format!("{source}/{name}"));
    }
    Ok(answers)
}

/// Whether the question of an answer is of one person: the source calls the answer by an id, or it
/// was given in a conversation. What it is about, others may have been asked of, too.
fn is_of_one(event: &Event) -> bool {
    let Kind::FeedbackAnswered(answered) = &event.kind else { return false };
    answered.feedback.is_some() || (answered.about.is_none() && event.conversation.is_some())
}

fn kind(connection: &Connection, name: &str) -> Result<Option<i64>, StoreError> {
    let mut kind =
        connection.prepare_cached("SELECT id FROM dict WHERE class = 3 AND name = ?1")?;
    Ok(kind.query_row([name], |row| row.get(0)).optional()?)
}

/// All conversations as they stood at an instant, by key. To a missed call that was called back
/// belongs the call in which people talked.
pub(crate) fn conversations(
    connection: &Connection,
    as_of: Timestamp,
) -> Result<Vec<Conversation>, StoreError> {
    let mut rows = connection
        .prepare_cached("SELECT id, key FROM conversation WHERE id = canonical_id ORDER BY key")?;
    let rows = rows.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let mut conversations = Vec::new();
    let mut taken: Option<Taken> = None;
    for row in rows {
        let (id, key) = row?;
        let key: ConversationKey =
            key.parse().map_err(|error| StoreError::malformed("conversation key", error))?;
        let events = waiting::events(connection, id)?;
        for (conversation, events) in waiting::as_of(key, &events, as_of) {
            let back = if conversation.missed_from.is_empty() {
                None
            } else {
                let taken = match &mut taken {
                    Some(taken) => taken,
                    None => taken.insert(Taken::until(connection, as_of)?),
                };
                taken.back(&conversation)
            };
            let whole = back.and_then(|call| {
                let mut events = events;
                events.push(call);
                events.sort_by(|a, b| a.timeline_cmp(b));
                conversation::fold(conversation.key.clone(), &events)
            });
            conversations.push(whole.unwrap_or(conversation));
        }
    }
    conversations.sort_by(|a, b| a.key.cmp(&b.key));
    find_again(connection, &mut conversations)?;
    Ok(conversations)
}

/// Names the conversations in which others live on by their one keys.
fn find_again(
    connection: &Connection,
    conversations: &mut [Conversation],
) -> Result<(), StoreError> {
    let mut found: BTreeMap<usize, String> = BTreeMap::new();
    for (number, conversation) in conversations.iter().enumerate() {
        let Some(into) = conversation.merged_into.as_deref() else { continue };
        let is_there =
            |key: &str| conversations.binary_search_by(|other| other.key.as_str().cmp(key)).is_ok();
        let Ok(into) = into.parse::<ConversationKey>() else { continue };
        if is_there(into.as_str()) {
            found.insert(number, into.to_string());
            continue;
        }
        let mut one = connection.prepare_cached(
            "SELECT o.key FROM conversation c JOIN conversation o ON o.id = c.canonical_id
             WHERE c.key = ?1",
        )?;
        let one: Option<String> = one.query_row([into.as_str()], |row| row.get(0)).optional()?;
        found.extend(one.filter(|key| is_there(key)).map(|key| (number, key)));
    }
    for (number, key) in found {
        if let Some(conversation) = conversations.get_mut(number) {
            conversation.merged_into = Some(key);
        }
    }
    Ok(())
}

/// The calls in which people talked, and by each identifier which of them it took part in.
struct Taken {
    calls: Vec<Event>,
    with: BTreeMap<Identifier, Vec<usize>>,
}

impl Taken {
    fn until(connection: &Connection, as_of: Timestamp) -> Result<Self, StoreError> {
        let mut taken = Self { calls: Vec::new(), with: BTreeMap::new() };
        let Some(kind) = kind(connection, "call")? else { return Ok(taken) };
        let mut rows = connection.prepare_cached(
            "SELECT iif(packed IS NULL, payload, cx_unpack(packed)) FROM event
             WHERE kind = ?1 AND standing = 0 AND ts <= ?2",
        )?;
        let mut rows = rows.query([kind, as_of.as_micros()])?;
        let mut reader = EventReader::default();
        while let Some(row) = rows.next()? {
            let payload = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            let event = reader.read(payload).map_err(|e| StoreError::malformed("event", e))?;
            if conversation::people_talked_until(&event).is_some() {
                taken.calls.push(event);
            }
        }
        taken.calls.sort_by(Event::timeline_cmp);
        for (number, event) in taken.calls.iter().enumerate() {
            for claim in &event.who {
                taken.with.entry(claim.identifier().clone()).or_default().push(number);
            }
        }
        Ok(taken)
    }

    /// The first call by which a missed one was called back; none that began long before it.
    fn back(&self, missed: &Conversation) -> Option<&Event> {
        let since = missed.may_be_called_back_since()?;
        let with = missed.missed_from.iter().filter_map(|number| self.with.get(number));
        let first = with.filter_map(|calls| {
            let at = |number: &usize| self.calls.get(*number).map(|call| call.occurred_at);
            let later = calls.partition_point(|number| at(number).is_some_and(|at| at < since));
            let later = calls.iter().skip(later);
            later.copied().find(|number| {
                self.calls.get(*number).is_some_and(|call| missed.was_called_back(&[call]))
            })
        });
        self.calls.get(first.min()?)
    }
}
