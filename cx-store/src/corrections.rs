//! Corrections: what people say about who is who, kept as facts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cx_core::identity::resolve::Refusal;
use cx_core::identity::{Assertion, Assertions, Subject, Verdict};
use cx_core::ids::{AssertionId, CustomerId, IdKey, ObservationId};
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;

use crate::codec;
use crate::derived;
use crate::error::StoreError;
use crate::feed::{self, By, ChangeRecord, Occasion};
use crate::ingest::{self, Writing};
use crate::past::Past;

/// What became of an assertion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asserted {
    /// Its name: by it it can be revoked.
    pub id: AssertionId,
    /// What became of customers by it, in order; empty where it changed nothing.
    pub changes: Vec<ChangeRecord>,
    /// What stands against it, or what it stands against; empty where all agrees.
    pub conflicts: Vec<Conflict>,
}

/// What would become of customers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// What would become of whom, in order. Places in the feed are those it would have.
    pub changes: Vec<ChangeRecord>,
    /// What stands against what was said.
    pub conflicts: Vec<Conflict>,
}

/// Something that was said and does not hold, since something else stands against it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Conflict {
    /// What does not hold.
    pub assertion: AssertionId,
    /// The assertion that stands against it, where it is one.
    pub against: Option<AssertionId>,
    /// Why, in words.
    pub because: String,
}

/// Keeps what somebody says, and derives what follows.
pub(crate) fn assert(
    tx: &Transaction<'_>,
    writer: &mut Writing<'_>,
    assertion: &Assertion,
    recorded_at: Timestamp,
) -> Result<Asserted, StoreError> {
    let id = assertion.id();
    let before = feed::last(tx)?;
    let occasion = Occasion { assertion: Some(id), ..Occasion::new(recorded_at, By::Assertion) };
    let refused = tell(tx, writer, std::slice::from_ref(assertion), &occasion)?;
    let mut conflicts: Vec<Conflict> = refused
        .into_iter()
        .filter(|(refused, because)| {
            // What stood against others before is no news.
            *refused == id || matches!(because, Refusal::Different(by) if *by == id)
        })
        .map(|(refused, because)| refusal(refused, because))
        .chain(against(&writer.settings.assertions, id, assertion))
        .chain(in_vain(tx, writer.settings, assertion)?)
        .collect();
    conflicts.sort();
    conflicts.dedup();
    Ok(Asserted { id, changes: feed::after(tx, before, usize::MAX)?, conflicts })
}

/// Keeps what a model says, all at once, and derives what follows; gives what could not be done.
pub(crate) fn keep(
    tx: &Transaction<'_>,
    writer: &mut Writing<'_>,
    said: &[Assertion],
    recorded_at: Timestamp,
) -> Result<Vec<(AssertionId, Refusal)>, StoreError> {
    if said.is_empty() {
        return Ok(Vec::new());
    }
    let own: BTreeSet<AssertionId> = said.iter().map(Assertion::id).collect();
    let mut refused = tell(tx, writer, said, &Occasion::new(recorded_at, By::Assertion))?;
    refused.retain(|(id, _)| own.contains(id));
    Ok(refused)
}

/// Writes assertions, and settles whatever they touch; gives what could not be done, of all that
/// was ever said about those.
fn tell(
    tx: &Transaction<'_>,
    writer: &mut Writing<'_>,
    said: &[Assertion],
    occasion: &Occasion,
) -> Result<Vec<(AssertionId, Refusal)>, StoreError> {
    for observation in said.iter().flat_map(|said| said.verdict.observations()) {
        let key = key_of(tx, &writer.settings.tenant, &writer.settings.id_key, observation)?;
        let Some(key) = key else { return Err(StoreError::UnknownObservation { observation }) };
        tx.prepare_cached("INSERT OR IGNORE INTO named(oid, event_key) VALUES(?1, ?2)")?
            .execute(params![&observation.as_bytes()[..], key])?;
    }
    let mut named_by: Vec<Verdict> = said.iter().map(|said| said.verdict.clone()).collect();
    for assertion in said {
        if let Verdict::Revoke(target) = assertion.verdict {
            let Some((_, meant)) = writer.settings.assertions.meant(target) else {
                return Err(StoreError::UnknownAssertion { assertion: target });
            };
            named_by.push(meant.verdict.clone());
        }
    }
    for assertion in said {
        insert_assertion(tx, assertion, occasion.at)?;
    }
    say(tx, writer, said.iter().cloned())?;
    let mut touched = derived::Touched::default();
    let mut alone: BTreeMap<ObservationId, String> = BTreeMap::new();
    for verdict in &named_by {
        for side in named(verdict) {
            touched.bundles.extend(derived::holders(tx, writer.settings, &side)?);
        }
        for observation in verdict.observations() {
            if let Some(key) =
                key_of(tx, &writer.settings.tenant, &writer.settings.id_key, observation)?
            {
                alone.insert(observation, key);
            }
        }
    }
    let moved = ingest::single_out(tx, writer.settings, writer.dictionary, &alone)?;
    touched.add(moved);
    Ok(derived::assess(tx, writer.settings, &touched, occasion)?.refused)
}

/// Keeps what was said, in a store that has no events yet.
pub(crate) fn admit(
    tx: &Transaction<'_>,
    writer: &mut Writing<'_>,
    said: &[(Assertion, Timestamp)],
) -> Result<(), StoreError> {
    for (assertion, recorded_at) in said {
        insert_assertion(tx, assertion, *recorded_at)?;
    }
    say(tx, writer, said.iter().map(|(assertion, _)| assertion.clone()))
}

/// Takes out what was said, as if it never had been, and lets something else have been said in the
/// place of some of the rest; these observations are gone already.
pub(crate) fn forget(
    tx: &Transaction<'_>,
    writer: &mut Writing<'_>,
    gone: &BTreeSet<AssertionId>,
    anew: &BTreeMap<AssertionId, Assertion>,
    erased: &BTreeSet<ObservationId>,
    at: Timestamp,
) -> Result<(), StoreError> {
    if gone.is_empty() && anew.is_empty() {
        return Ok(());
    }
    let mut touched = derived::Touched::default();
    let mut alone: BTreeMap<ObservationId, String> = BTreeMap::new();
    for id in gone {
        tx.prepare_cached("DELETE FROM assertion WHERE aid = ?1")?.execute([&id.as_bytes()[..]])?;
    }
    for (id, said) in anew {
        let (id, told) = (&id.as_bytes()[..], said.id());
        let (a, b) = columns(&said.verdict);
        tx.prepare_cached(
            "UPDATE OR REPLACE assertion SET aid = ?2, a = ?3, b = ?4, said_by = ?5, reason = ?6
             WHERE aid = ?1",
        )?
        .execute(params![id, &told.as_bytes()[..], a, b, said.by, said.reason])?;
        tx.prepare_cached("UPDATE change SET cause_id = ?2 WHERE cause_id = ?1")?
            .execute([id, &told.as_bytes()[..]])?;
    }
    for id in gone.iter().chain(anew.keys()) {
        let Some((_, meant)) = writer.settings.assertions.meant(*id) else { continue };
        for side in named(&meant.verdict) {
            touched.bundles.extend(derived::holders(tx, writer.settings, &side)?);
        }
        for observation in meant.verdict.observations().filter(|id| !erased.contains(id)) {
            let key = key_of(tx, &writer.settings.tenant, &writer.settings.id_key, observation)?;
            alone.extend(key.map(|key| (observation, key)));
        }
    }
    count(tx)?;
    (writer.settings.said, writer.settings.assertions) = in_force(tx)?;
    let moved = ingest::single_out(tx, writer.settings, writer.dictionary, &alone)?;
    touched.add(moved);
    derived::assess(tx, writer.settings, &touched, &Occasion::new(at, By::Erasure))?;
    Ok(())
}

fn refusal(assertion: AssertionId, because: Refusal) -> Conflict {
    match because {
        Refusal::Different(against) => Conflict {
            assertion,
            against: Some(against),
            because: "somebody said that they are different persons, which goes before".to_owned(),
        },
        Refusal::Limit { namespace, scope } => {
            let of = if scope.is_empty() {
                namespace.name().to_owned()
            } else {
                format!("{}:{scope}", namespace.name())
            };
            let because = format!("each has an {of} of their own, of which a person has only one");
            Conflict { assertion, against: None, because }
        }
    }
}

/// What was said of the same value that cannot hold beside it.
fn against(all: &Assertions, id: AssertionId, said: &Assertion) -> Vec<Conflict> {
    let conflict = |assertion: AssertionId, against: AssertionId, because: &str| Conflict {
        assertion,
        against: Some(against),
        because: because.to_owned(),
    };
    let pair = |a: &Subject, b: &Subject| {
        if a <= b { (a.clone(), b.clone()) } else { (b.clone(), a.clone()) }
    };
    let mut conflicts = Vec::new();
    let named_too = all.naming(named(&said.verdict)).into_iter();
    for (other, assertion) in named_too.filter(|(other, _)| *other != id) {
        match (&said.verdict, &assertion.verdict) {
            (Verdict::Trust(a), Verdict::Block(b)) if a == b => {
                conflicts.push(conflict(id, other, "the value is blocked, which goes before"));
            }
            (Verdict::Block(a), Verdict::Trust(b)) if a == b => {
                conflicts.push(conflict(other, id, "the value is blocked, which goes before"));
            }
            (Verdict::Same(a, b), Verdict::Different(c, d)) if pair(a, b) == pair(c, d) => {
                let because = "somebody said that they are different persons, which goes before";
                conflicts.push(conflict(id, other, because));
            }
            (Verdict::Different(a, b), Verdict::Same(c, d)) if pair(a, b) == pair(c, d) => {
                let because = "somebody said that they are different persons, which goes before";
                conflicts.push(conflict(other, id, because));
            }
            _ => {}
        }
    }
    conflicts
}

/// Why what was said can do nothing whatever else was said.
fn in_vain(
    tx: &Transaction<'_>,
    settings: &derived::Settings,
    said: &Assertion,
) -> Result<Option<Conflict>, StoreError> {
    let id = said.id();
    let conflict = |against: Option<AssertionId>, because: &str| {
        Some(Conflict { assertion: id, against, because: because.to_owned() })
    };
    if !settings.assertions.stands(id) {
        let all = all(tx)?;
        let by = all
            .iter()
            .find(|it| it.verdict == Verdict::Revoke(id) && settings.assertions.stands(it.id()));
        return Ok(conflict(by.map(Assertion::id), "it was said before, and was revoked"));
    }
    Ok(match &said.verdict {
        Verdict::Rekey(from, to) if from == to => conflict(None, "a value cannot replace itself"),
        Verdict::Detach(observation, value) => {
            let key = key_of(tx, &settings.tenant, &settings.id_key, *observation)?;
            let event = key.map(|key| codec::shown(tx, &key)).transpose()?.flatten();
            let carries = event.is_none_or(|it| it.who.iter().any(|it| it.identifier() == value));
            if carries { None } else { conflict(None, "the event does not carry the value") }
        }
        _ => None,
    })
}

/// How often anything was said, or taken out: whoever has read the assertions at another number
/// has to read them again.
pub(crate) fn said(connection: &Connection) -> Result<u64, StoreError> {
    let said: Option<[u8; 8]> = codec::setting(connection, "said")?;
    Ok(said.map_or(0, u64::from_be_bytes))
}

/// What was said, as it counts together, with the number under which it was read.
pub(crate) fn in_force(connection: &Connection) -> Result<(u64, Arc<Assertions>), StoreError> {
    Ok((said(connection)?, Arc::new(Assertions::new(all(connection)?))))
}

/// Brings the writer up to date after something was said, and lets all others know.
fn say(
    tx: &Transaction<'_>,
    writer: &mut Writing<'_>,
    said: impl IntoIterator<Item = Assertion>,
) -> Result<(), StoreError> {
    writer.settings.said = count(tx)?;
    let known = Arc::make_mut(&mut writer.settings.assertions);
    said.into_iter().for_each(|assertion| known.say(assertion));
    Ok(())
}

/// Counts that something was said, or taken out.
fn count(tx: &Transaction<'_>) -> Result<u64, StoreError> {
    let number = said(tx)?.wrapping_add(1);
    tx.prepare_cached("INSERT OR REPLACE INTO meta(k, v) VALUES('said', ?1)")?
        .execute([&number.to_be_bytes()[..]])?;
    Ok(number)
}

/// Everything that was ever said, by the time it was said.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Assertion>, StoreError> {
    let all = recorded(connection, Past::today())?;
    Ok(all.into_iter().map(|(assertion, _)| assertion).collect())
}

/// Everything that was said by then, by the time it was said, with the instant at which it was
/// recorded: by that it was said, whatever the clock of whoever said it told.
pub(crate) fn recorded(
    connection: &Connection,
    past: Past,
) -> Result<Vec<(Assertion, Timestamp)>, StoreError> {
    let mut rows = connection.prepare_cached(
        "SELECT kind, a, b, said_by, reason, said_at, recorded_at FROM assertion
         WHERE min(said_at, recorded_at) <= ?1 AND recorded_at <= ?2 ORDER BY said_at, aid",
    )?;
    let mut rows = rows.query([past.happened_by().as_micros(), past.recorded_by().as_micros()])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let (kind, a, b): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let assertion = Assertion {
            verdict: verdict(&kind, &a, &b)?,
            by: row.get(3)?,
            reason: row.get(4)?,
            at: codec::timestamp(row.get(5)?)?,
        };
        all.push((assertion, codec::timestamp(row.get(6)?)?));
    }
    Ok(all)
}

/// A verdict from its columns.
pub(crate) fn verdict(kind: &str, a: &str, b: &str) -> Result<Verdict, StoreError> {
    let observation =
        |text: &str| text.parse().map_err(|error| StoreError::malformed("observation", error));
    Ok(match kind {
        "same" => Verdict::Same(codec::subject(a)?, codec::subject(b)?),
        "different" => Verdict::Different(codec::subject(a)?, codec::subject(b)?),
        "detach" => Verdict::Detach(observation(a)?, codec::identifier(b)?),
        "block" => Verdict::Block(codec::identifier(a)?),
        "trust" => Verdict::Trust(codec::identifier(a)?),
        "rekey" => Verdict::Rekey(codec::identifier(a)?, codec::identifier(b)?),
        "revoke" => Verdict::Revoke(
            a.parse().map_err(|error| StoreError::malformed("assertion id", error))?,
        ),
        "probable" => {
            let weighed = b.split_once('@').and_then(|(b, weight)| Some((b, weight.parse().ok()?)));
            let Some((b, weight)) = weighed else {
                return Err(StoreError::malformed("probable", b));
            };
            Verdict::Probable(observation(a)?, observation(b)?, weight)
        }
        other => return Err(StoreError::malformed("assertion", other)),
    })
}

/// Both sides of a verdict as they stand in their columns.
pub(crate) fn columns(verdict: &Verdict) -> (String, String) {
    match verdict {
        Verdict::Same(a, b) | Verdict::Different(a, b) => {
            (codec::subject_text(a), codec::subject_text(b))
        }
        Verdict::Detach(observation, identifier) => {
            (observation.to_string(), codec::identifier_text(identifier))
        }
        Verdict::Block(identifier) | Verdict::Trust(identifier) => {
            (codec::identifier_text(identifier), String::new())
        }
        Verdict::Rekey(from, to) => (codec::identifier_text(from), codec::identifier_text(to)),
        Verdict::Revoke(_) | Verdict::Probable(..) => verdict.sides(),
    }
}

fn insert_assertion(
    tx: &Transaction<'_>,
    assertion: &Assertion,
    recorded_at: Timestamp,
) -> Result<(), StoreError> {
    let (a, b) = columns(&assertion.verdict);
    tx.prepare_cached(
        "INSERT OR IGNORE INTO assertion(aid, kind, a, b, said_by, reason, said_at, recorded_at)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        &assertion.id().as_bytes()[..],
        assertion.verdict.name(),
        a,
        b,
        assertion.by,
        assertion.reason,
        assertion.at.as_micros(),
        recorded_at.as_micros()
    ])?;
    Ok(())
}

/// Everything that a verdict names.
fn named(verdict: &Verdict) -> Vec<Subject> {
    match verdict {
        Verdict::Same(a, b) | Verdict::Different(a, b) => vec![a.clone(), b.clone()],
        Verdict::Detach(observation, identifier) => {
            vec![Subject::Observation(*observation), Subject::Identifier(identifier.clone())]
        }
        Verdict::Block(identifier) | Verdict::Trust(identifier) => {
            vec![Subject::Identifier(identifier.clone())]
        }
        Verdict::Rekey(from, to) => {
            vec![Subject::Identifier(from.clone()), Subject::Identifier(to.clone())]
        }
        Verdict::Probable(a, b, _) => vec![Subject::Observation(*a), Subject::Observation(*b)],
        Verdict::Revoke(_) => Vec::new(),
    }
}

/// The key of the event that made an observation.
///
/// Observations that assertions name, and those that name customers, are found at once; others by
/// looking through the anchors of bundles, and then through all keys.
pub(crate) fn key_of(
    connection: &Connection,
    tenant: &str,
    id_key: &IdKey,
    observation: ObservationId,
) -> Result<Option<String>, StoreError> {
    let oid = &observation.as_bytes()[..];
    let cid = CustomerId::issue(id_key, observation);
    let cid = &cid.as_bytes()[..];
    let known = [
        "SELECT event_key FROM named WHERE oid = ?1 AND ?2 IS NOT NULL",
        // An id may name another record by now.
        "SELECT event_key FROM issued WHERE cid = ?2 AND oid = ?1",
        "SELECT anchor_key FROM bundle WHERE anchor_oid = ?1 AND ?2 IS NOT NULL",
    ];
    for sql in known {
        let mut key = connection.prepare_cached(sql)?;
        if let Some(key) = key.query_row([oid, cid], |row| row.get(0)).optional()? {
            return Ok(Some(key));
        }
    }
    let mut keys = connection.prepare_cached("SELECT key FROM event WHERE standing = 0")?;
    let mut keys = keys.query([])?;
    while let Some(row) = keys.next()? {
        let key: String = row.get(0)?;
        if ObservationId::of(tenant, &codec::event_key(&key)?) == observation {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// Which observation an id names, and its event's key, which is empty where it is known to be gone;
/// `None` for an id that is no record's.
///
/// Of those that customers have or had it is written down which they are. An answer about the past
/// gives out others: the customer of then may be named after a record that names nobody today. These
/// are looked for among all records.
pub(crate) fn named_by(
    connection: &Connection,
    id: CustomerId,
) -> Result<Option<(ObservationId, String)>, StoreError> {
    let mut issued =
        connection.prepare_cached("SELECT oid, event_key FROM issued WHERE cid = ?1")?;
    let issued: Option<([u8; 16], String)> =
        issued.query_row([&id.as_bytes()[..]], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    if let Some((oid, key)) = issued {
        return Ok(Some((ObservationId::from_bytes(oid), key)));
    }
    let Some((tenant, id_key)) = codec::tenant(connection)? else { return Ok(None) };
    let mut keys = connection.prepare_cached("SELECT DISTINCT key FROM event")?;
    let mut keys = keys.query([])?;
    while let Some(row) = keys.next()? {
        let key: String = row.get(0)?;
        // One that is spoilt names nobody.
        let Ok(named) = codec::event_key(&key) else { continue };
        let observation = ObservationId::of(&tenant, &named);
        if CustomerId::issue(&id_key, observation) == id {
            return Ok(Some((observation, key)));
        }
    }
    Ok(None)
}
