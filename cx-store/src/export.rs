//! Everything about one person in one document, as a data-subject request asks for it.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::context::Context;
use cx_core::event::Event;
use cx_core::identity::explain::How;
use cx_core::ids::{ConversationKey, CustomerId};
use cx_core::time::Timestamp;
use rusqlite::Connection;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::codec;
use crate::corrections;
use crate::error::StoreError;
use crate::feed::{self, Change, ChangeRecord};
use crate::waiting;

/// Everything about one person.
#[derive(Debug, Clone, Serialize)]
pub struct Export {
    /// The version of this shape.
    pub v: u32,
    /// When it was made, in UTC.
    pub exported_at: Timestamp,
    /// The customer's id.
    pub customer: CustomerId,
    /// The ids the customer had before others became part of it.
    pub former_ids: Vec<CustomerId>,
    /// The answer that the people who serve the customer get.
    pub context: Context,
    /// How the records came together.
    pub identity: How,
    /// Every event in every revision, in timeline order, in cx's own format.
    pub events: Vec<ExportedEvent>,
    /// What others said and did in the customer's conversations, by conversation.
    pub conversations: BTreeMap<String, Vec<Map<String, Value>>>,
    /// What people said of who the customer is, revoked or not.
    pub assertions: Vec<ExportedAssertion>,
    /// What became of the customer, in order.
    pub changes: Vec<ChangeRecord>,
}

/// An event as it was recorded.
#[derive(Debug, Clone, Serialize)]
pub struct ExportedEvent {
    /// When it was recorded, in UTC.
    pub recorded_at: Timestamp,
    /// What recorded it.
    pub adapter: String,
    /// Whether this revision is the one that is shown.
    pub current: bool,
    /// The event.
    pub event: Map<String, Value>,
}

/// What somebody said.
#[derive(Debug, Clone, Serialize)]
pub struct ExportedAssertion {
    /// Its name.
    pub id: String,
    /// Its kind: `same`, `different`, ...
    pub kind: String,
    /// What it is about.
    pub a: String,
    /// The other side; empty where there is only one.
    pub b: String,
    /// Who said so.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// When, in UTC.
    pub at: Timestamp,
}

/// The parts of an export that are read from the file.
pub(crate) struct Parts {
    pub(crate) events: Vec<ExportedEvent>,
    pub(crate) conversations: BTreeMap<String, Vec<Map<String, Value>>>,
    pub(crate) assertions: Vec<ExportedAssertion>,
    pub(crate) changes: Vec<ChangeRecord>,
    pub(crate) former_ids: Vec<CustomerId>,
}

pub(crate) fn parts(
    connection: &Connection,
    tenant: &str,
    keys: &BTreeSet<String>,
    id: CustomerId,
) -> Result<Parts, StoreError> {
    let mut events: Vec<(Event, ExportedEvent)> = Vec::new();
    for key in keys {
        let mut rows = connection.prepare_cached(
            "SELECT
               iif(packed IS NULL, payload, cx_unpack(packed)), e.standing, b.recorded_at, b.adapter
            
             FROM event e JOIN batch b ON b.id = e.batch WHERE e.key = ?1 ORDER BY e.seq",
        )?;
        let mut rows = rows.query([key])?;
        while let Some(row) = rows.next()? {
            let event = codec::event(&row.get::<_, String>(0)?)?;
            let exported = ExportedEvent {
                recorded_at: codec::timestamp(row.get(2)?)?,
                adapter: row.get(3)?,
                current: row.get::<_, i64>(1)? == 0,
                event: event.to_json(),
            };
            events.push((event, exported));
        }
    }
    events.sort_by(|(a, _), (b, _)| a.timeline_cmp(b).then_with(|| a.rev.cmp(&b.rev)));
    let talks: BTreeSet<&ConversationKey> = events
        .iter()
        .filter_map(|(event, _)| event.conversation.as_ref())
        .map(|c| &c.key)
        .collect();
    let mut conversations: BTreeMap<String, Vec<Map<String, Value>>> = BTreeMap::new();
    for talk in talks {
        let Some(canonical) = crate::read::canonical_id(connection, talk)? else { continue };
        let others = waiting::events(connection, canonical)?;
        let others = others.into_iter().filter(|event| !keys.contains(event.key.as_str()));
        let others: Vec<_> = others.map(|event| event.to_json()).collect();
        if !others.is_empty() {
            conversations.insert(talk.to_string(), others);
        }
    }
    let observations: BTreeSet<_> = events
        .iter()
        .map(|(event, _)| cx_core::ids::ObservationId::of(tenant, &event.key))
        .collect();
    let values: BTreeSet<String> = events
        .iter()
        .flat_map(|(event, _)| event.person_claims())
        .map(|claim| claim.identifier().to_string())
        .collect();
    let mut assertions = Vec::new();
    for said in corrections::all(connection)? {
        let of_them = said.verdict.observations().any(|id| observations.contains(&id))
            || said.verdict.identifiers().iter().any(|value| values.contains(&value.to_string()));
        if of_them {
            let (a, b) = said.verdict.sides();
            assertions.push(ExportedAssertion {
                id: said.id().to_string(),
                kind: said.verdict.name().to_owned(),
                a,
                b,
                by: said.by.clone(),
                reason: said.reason.clone(),
                at: said.at,
            });
        }
    }
    let mut former = BTreeSet::from([id]);
    let mut told: Vec<u64> = Vec::new();
    // Back through the feed: whoever became part of them was them.
    let mut rows = connection.prepare("SELECT seq, kind, a, b, n FROM change ORDER BY seq DESC")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let customer = |at: usize| -> Result<Option<CustomerId>, StoreError> {
            Ok(row.get::<_, Option<[u8; 16]>>(at)?.map(CustomerId::from_bytes))
        };
        let kind = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let change = feed::change(kind, customer(2)?, customer(3)?, row.get(4)?)?;
        match change {
            Change::Merged { from, into } | Change::Renamed { from, into }
                if former.contains(&into) =>
            {
                former.insert(from);
            }
            _ => {}
        }
        if told_of(&change).iter().any(|customer| former.contains(customer)) {
            told.push(u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0));
        }
    }
    let mut changes: Vec<ChangeRecord> = Vec::new();
    for seq in told.into_iter().rev() {
        changes.extend(feed::after(connection, seq.saturating_sub(1), 1)?);
    }
    former.remove(&id);
    Ok(Parts {
        events: events.into_iter().map(|(_, exported)| exported).collect(),
        conversations,
        assertions,
        changes,
        former_ids: former.into_iter().collect(),
    })
}

fn told_of(change: &Change) -> Vec<CustomerId> {
    match change {
        Change::Created { customer }
        | Change::Dissolved { customer }
        | Change::Erased { customer } => vec![*customer],
        Change::Merged { from, into }
        | Change::Split { from, into }
        | Change::Renamed { from, into } => vec![*from, *into],
        Change::Moved { from, to, .. } => from.iter().chain(to).copied().collect(),
    }
}
