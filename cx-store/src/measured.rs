//! What measures are taken of: all answers to surveys, all conversations.

use cx_core::conversation::Conversation;
use cx_core::ids::{ConversationKey, CustomerId};
use cx_core::measure::Answer;
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use crate::codec;
use crate::error::StoreError;
use crate::waiting;

/// All answers to surveys until an instant, with the customers who gave them, in the order of the
/// file. An answer of nobody known has its event's key for its respondent.
pub(crate) fn answers(
    connection: &Connection,
    as_of: Timestamp,
) -> Result<Vec<Answer>, StoreError> {
    let kind: Option<i64> = connection
        .prepare_cached("SELECT id FROM dict WHERE class = 3 AND name = 'feedback.answered'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let Some(kind) = kind else { return Ok(Vec::new()) };
    let mut rows = connection.prepare_cached(
        "SELECT iif(packed IS NULL, payload, cx_unpack(packed)), u.cid FROM event e
           LEFT JOIN attribution a ON a.event_seq = e.seq
           LEFT JOIN member m ON m.bundle_id = coalesce(a.bundle_id, e.bundle_id)
           LEFT JOIN customer u ON u.id = m.customer_id
         WHERE e.kind = ?1 AND e.standing = 0 AND e.ts <= ?2 ORDER BY e.seq",
    )?;
    let rows = rows.query_map([kind, as_of.as_micros()], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, Option<[u8; 16]>>(1)?))
    })?;
    let mut answers = Vec::new();
    for row in rows {
        let (payload, customer) = row?;
        let event = codec::event(&payload)?;
        let respondent = match customer {
            Some(id) => CustomerId::from_bytes(id).to_string(),
            None => event.key.to_string(),
        };
        answers.extend(Answer::of(respondent, &event));
    }
    Ok(answers)
}

/// All conversations as they stood at an instant, by key.
pub(crate) fn conversations(
    connection: &Connection,
    as_of: Timestamp,
) -> Result<Vec<Conversation>, StoreError> {
    let mut rows = connection
        .prepare_cached("SELECT id, key FROM conversation WHERE id = canonical_id ORDER BY key")?;
    let rows = rows.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let mut conversations = Vec::new();
    for row in rows {
        let (id, key) = row?;
        let key: ConversationKey =
            key.parse().map_err(|error| StoreError::malformed("conversation key", error))?;
        let events = waiting::events(connection, id)?;
        conversations.extend(waiting::as_of(key, &events, as_of).into_iter().map(|(it, _)| it));
    }
    conversations.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(conversations)
}
