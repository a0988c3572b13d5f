//! Everything about one person in one document, as a data-subject request asks for it.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::context::Context;
use cx_core::event::Event;
use cx_core::identifier::{Claim, Identifier};
use cx_core::identity::Assertion;
use cx_core::identity::explain::How;
use cx_core::ids::{AssertionId, ConversationKey, CustomerId, ObservationId};
use cx_core::time::Timestamp;
use rusqlite::{Connection, params};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::codec;
use crate::corrections;
use crate::derived::Settings;
use crate::erasure;
use crate::error::StoreError;
use crate::feed::{self, Change, ChangeRecord};
use crate::search::{self, Words};
use crate::traces::{self, Traces};
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
    /// The other ids that were given out and mean the customer: what became part of it had them.
    pub former_ids: Vec<CustomerId>,
    /// The answer that the people who serve the customer get, without who else there is and the
    /// addresses and numbers of others.
    pub context: Context,
    /// How the records came together.
    pub identity: How,
    /// Every event in every revision, in timeline order, in cx's own format, without the addresses
    /// and numbers of others.
    pub events: Vec<ExportedEvent>,
    /// What others said and did in the customer's conversations, by conversation: when, of what kind,
    /// and in which words, as corrections leave them, without their addresses and numbers.
    pub conversations: BTreeMap<String, Vec<Map<String, Value>>>,
    /// What people said of who the customer is, and what revokes it, without the addresses and
    /// numbers of others.
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
    settings: &Settings,
    keys: &BTreeSet<String>,
    id: CustomerId,
    context: &mut Context,
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
                event: Map::new(),
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
    let values: BTreeSet<&Identifier> =
        events.iter().flat_map(|(event, _)| event.person_claims()).map(Claim::identifier).collect();
    let mut of_others: BTreeMap<&ConversationKey, Vec<Event>> = BTreeMap::new();
    for talk in talks {
        let Some(canonical) = crate::read::canonical_id(connection, talk)? else { continue };
        let mut others = waiting::events(connection, canonical)?;
        others.retain(|event| !keys.contains(event.key.as_str()));
        if !others.is_empty() {
            of_others.insert(talk, others);
        }
    }
    let observations: BTreeSet<ObservationId> =
        events.iter().map(|(event, _)| ObservationId::of(&settings.tenant, &event.key)).collect();
    let all = corrections::all(connection)?;
    let mut of_them: BTreeSet<AssertionId> = BTreeSet::new();
    for said in &all {
        if said.verdict.observations().any(|id| observations.contains(&id))
            || said.verdict.identifiers().iter().any(|value| values.contains(value))
        {
            of_them.insert(said.id());
        }
    }
    erasure::add_revocations(&all, &mut of_them);
    // Whom others are reached by is not the person's to know.
    let said: Vec<&Assertion> = all.iter().filter(|said| of_them.contains(&said.id())).collect();
    let own = events.iter().map(|(event, _)| event);
    let claims = of_others.values().flatten().chain(own).flat_map(|event| &event.who);
    let claims = claims.map(Claim::identifier);
    let named = said.iter().flat_map(|said| said.verdict.identifiers());
    let named: BTreeSet<&Identifier> =
        claims.chain(named).filter(|value| !values.contains(value)).collect();
    let told_apart: BTreeSet<&Identifier> =
        named.iter().copied().filter(|value| erasure::tells_apart(value)).collect();
    let mut strangers = Traces::of_others(&told_apart);
    // An address of the person in which that of another stands is the person's.
    strangers.leave(&values.iter().map(|value| value.key().to_owned()).collect());
    let mut conversations = BTreeMap::new();
    for (talk, others) in &of_others {
        let words = search::words(connection, others)?;
        let told = others.iter().zip(words);
        let told = told.map(|(event, words)| told_of_others(event, words, &strangers)).collect();
        conversations.insert(talk.to_string(), told);
    }
    let own = events.iter();
    let own = own.map(|(event, _)| traces::blacked(event, &strangers, &named).to_json());
    let own: Vec<Map<String, Value>> = own.collect();
    context.leave_out_others();
    context.each_text(&mut |text| traces::black(text, &strangers));
    let assertions = said.iter().map(|said| {
        let (mut a, mut b) = said.verdict.sides();
        let mut reason = said.reason.clone();
        for text in [&mut a, &mut b].into_iter().chain(&mut reason) {
            traces::black(text, &strangers);
        }
        ExportedAssertion {
            id: said.id().to_string(),
            kind: said.verdict.name().to_owned(),
            a,
            b,
            by: said.by.clone(),
            reason,
            at: said.at,
        }
    });
    let assertions = assertions.collect();
    let mut theirs = BTreeSet::from([id]);
    for key in keys {
        theirs.extend(ids_of(connection, settings, key)?);
    }
    let mut told: Vec<u64> = Vec::new();
    let mut rows = connection.prepare("SELECT seq, kind, a, b, n FROM change ORDER BY seq")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let customer = |at: usize| -> Result<Option<CustomerId>, StoreError> {
            Ok(row.get::<_, Option<[u8; 16]>>(at)?.map(CustomerId::from_bytes))
        };
        let kind = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        let change = feed::change(kind, customer(2)?, customer(3)?, row.get(4)?)?;
        if told_of(&change).iter().any(|customer| theirs.contains(customer)) {
            told.push(u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0));
        }
    }
    let mut changes: Vec<ChangeRecord> = Vec::new();
    for seq in told {
        changes.extend(feed::after(connection, seq.saturating_sub(1), 1)?);
    }
    theirs.remove(&id);
    Ok(Parts {
        events: events
            .into_iter()
            .zip(own)
            .map(|((_, exported), event)| ExportedEvent { event, ..exported })
            .collect(),
        conversations,
        assertions,
        changes,
        former_ids: theirs.into_iter().collect(),
    })
}

/// What somebody else said or did, as far as it is the person's to know: when, what, and in which
/// words, without what others are reached by.
fn told_of_others(event: &Event, words: Words, strangers: &Traces) -> Map<String, Value> {
    let mut json = event.to_json();
    json.retain(|field, _| {
        matches!(
            field.as_str(),
            "kind" | "channel" | "direction" | "visibility" | "occurred_at" | "occurred_at_origin"
        )
    });
    json.insert("actor".to_owned(), json!({"type": event.actor.kind}));
    let text = match words {
        Words::AsWritten => event.body.as_ref().map(|body| body.text.clone()),
        Words::Edited(text) => text,
        Words::TakenOut => None,
    };
    if let Some(mut text) = text {
        traces::black(&mut text, strangers);
        json.insert("body".to_owned(), json!({"text": text}));
    }
    json
}

/// The ids that were given out and name this record today.
fn ids_of(
    connection: &Connection,
    settings: &Settings,
    key: &str,
) -> Result<Vec<CustomerId>, StoreError> {
    let observation = ObservationId::of(&settings.tenant, &codec::event_key(key)?);
    let mut ids = erasure::inherited(connection, observation)?;
    ids.push(CustomerId::issue(&settings.id_key, observation));
    let mut issued =
        connection.prepare_cached("SELECT 1 FROM issued WHERE cid = ?1 AND event_key = ?2")?;
    let mut named = Vec::new();
    for id in ids {
        if issued.exists(params![&id.as_bytes()[..], key])? {
            named.push(id);
        }
    }
    Ok(named)
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
