//! A view: all facts that decide what was known of a few subjects at an instant.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_core::identity::Assertion;
use cx_core::ids::ConversationKey;
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use crate::error::StoreError;
use crate::explain;
use crate::ingest::first_recorded;
use crate::neighbourhood::{self, Asking, event, revision_at, said};

/// Facts with the instants at which they were recorded.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) events: BTreeMap<Timestamp, Vec<Event>>,
    pub(crate) assertions: Vec<(Assertion, Timestamp)>,
}

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
        talks.extend(event.conversation.iter().map(|conversation| conversation.key.clone()));
        facts.events.entry(*recorded_at).or_default().push(event);
    }
    // What others said in the same conversations is told beside it.
    for talk in talks {
        for key in keys_in(connection, &talk)? {
            let Some(seq) = revision_at(connection, &key, asking.past)? else { continue };
            let event = event(connection, seq)?;
            if event.occurred_at <= asking.past.happened_by() && taken.insert(seq) {
                facts.events.entry(first_recorded(connection, &key)?).or_default().push(event);
            }
        }
    }
    facts.assertions = said(connection, asking)?;
    Ok(facts)
}

/// The keys of the events of a conversation, under all its keys.
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
         WHERE c.canonical_id = ?1 AND e.standing = 0",
    )?;
    let keys = keys.query_map([canonical], |row| row.get(0))?;
    Ok(keys.collect::<Result<_, _>>()?)
}
