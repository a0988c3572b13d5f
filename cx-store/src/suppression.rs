//! Suppression: what was erased may not come back with the next import.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::collections::{BTreeSet, HashMap};

use cx_core::event::{Event, TimeOrigin};
use cx_core::identifier::{Claim, Identifier, Namespace};
use cx_core::ids::IdKey;
use cx_core::spelling::Spelling;
use cx_core::text;
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::Value;

use crate::codec;
use crate::error::StoreError;
use crate::traces::{self, Traces};

/// Hashes that say nothing to somebody without the store's key.
pub(crate) struct Seal {
    id_key: IdKey,
}

impl Seal {
    pub(crate) fn new(id_key: &IdKey) -> Self {
        Self { id_key: id_key.clone() }
    }

    fn of(&self, kind: &str, parts: &[&str]) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_keyed(self.id_key.as_bytes());
        for part in std::iter::once(&kind).chain(parts) {
            hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let mut hash = [0; 16];
        hasher.finalize_xof().fill(&mut hash);
        hash
    }

    pub(crate) fn event(&self, key: &str) -> [u8; 16] {
        self.of("erased event", &[key])
    }

    pub(crate) fn identifier(&self, value: &Identifier) -> [u8; 16] {
        self.of("erased identifier", &[value.namespace().name(), value.scope(), value.key()])
    }

    /// One revision of a record that stays.
    pub(crate) fn revision(&self, key: &str, rev: Option<&str>, hash: &[u8; 16]) -> [u8; 16] {
        let hash = format!("{:032x}", u128::from_be_bytes(*hash));
        self.of("erased revision", &[key, rev.unwrap_or_default(), &hash])
    }

    /// A way in which others write an address or a number.
    pub(crate) fn spelling(&self, spelling: &Spelling) -> [u8; 16] {
        let (what, written) = spelling.told();
        self.of("erased spelling", &[what, &written])
    }

    pub(crate) fn token(&self, name: &str) -> String {
        let hash = self.of("erased name", &[name]);
        format!("erased/{:032x}", u128::from_be_bytes(hash))
    }
}

/// What may not come back, to be looked up while events come in.
pub(crate) struct Suppression {
    seal: Seal,
    is_empty: bool,
    /// When somebody was erased last.
    last: Option<i64>,
    /// How many spellings were looked up in the file.
    n_asked: Cell<usize>,
    /// All that is suppressed and until when, once many were looked up.
    all: OnceCell<HashMap<[u8; 16], i64>>,
}

/// So many spellings are looked up in the file, one by one; for more, all that is suppressed is read
/// at once.
const ONE_BY_ONE: usize = 256;

/// Fields of an event in which nothing is blacked out.
const NAMING: &[&str] = &[
    "key",
    "rev",
    "source",
    "kind",
    "channel",
    "direction",
    "visibility",
    "occurred_at",
    "occurred_at_origin",
    "seq",
    "actor",
    "who",
    "name",
];

impl Suppression {
    pub(crate) fn new(connection: &Connection, id_key: &IdKey) -> Result<Self, StoreError> {
        let mut any = connection.prepare_cached("SELECT NOT EXISTS(SELECT 1 FROM suppressed)")?;
        let is_empty = any.query_row([], |row| row.get(0))?;
        let mut last = connection.prepare_cached("SELECT max(at) FROM erasure")?;
        let last = last.query_row([], |row| row.get(0))?;
        let seal = Seal::new(id_key);
        Ok(Self { seal, is_empty, last, n_asked: Cell::new(0), all: OnceCell::new() })
    }

    /// Whether an event is a record that was erased, or a revision of one that was, or happened to
    /// somebody who was before that. The hash is that of the event as it was told.
    pub(crate) fn covers(
        &self,
        connection: &Connection,
        event: &Event,
        hash: &[u8; 16],
    ) -> Result<bool, StoreError> {
        if self.is_empty {
            return Ok(false);
        }
        let key = event.key.as_str();
        if until(connection, self.seal.event(key))?.is_some()
            || until(connection, self.seal.revision(key, event.rev.as_deref(), hash))?.is_some()
        {
            return Ok(true);
        }
        for claim in event.person_claims() {
            for value in [Some(claim.identifier().clone()), former(claim)].into_iter().flatten() {
                let found = until(connection, self.seal.identifier(&value))?;
                if found.is_some_and(|until| happened(event) <= until) {
                    return Ok(true);
                }
            }
            if self.is_written_otherwise(connection, event, claim)? {
                return Ok(true);
            }
        }
        // What names nobody is theirs who alone stand on its order or in its conversation.
        if !event.person_claims().is_empty() {
            return Ok(false);
        }
        let bridges = event.bridges();
        for bridge in &bridges {
            let until = self.until(connection, self.seal.identifier(bridge))?;
            if until.is_none_or(|until| happened(event) > until) {
                return Ok(false);
            }
        }
        Ok(!bridges.is_empty())
    }

    /// Whether a claim that links nobody is the address or number of somebody who was erased, as
    /// texts write it: a number without its country code.
    fn is_written_otherwise(
        &self,
        connection: &Connection,
        event: &Event,
        claim: &Claim,
    ) -> Result<bool, StoreError> {
        let value = claim.identifier();
        let may_be = matches!(value.namespace(), Namespace::Phone | Namespace::WaId);
        if value.is_linkable() || !may_be {
            return Ok(false);
        }
        for spelling in Spelling::in_text(claim.raw()) {
            let until = self.until(connection, self.seal.spelling(&spelling))?;
            if until.is_some_and(|until| happened(event) <= until) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Until when something may not come in, where many things are asked for.
    fn until(&self, connection: &Connection, hash: [u8; 16]) -> Result<Option<i64>, StoreError> {
        if let Some(all) = self.all.get() {
            return Ok(all.get(&hash).copied());
        }
        self.n_asked.set(self.n_asked.get().saturating_add(1));
        if self.n_asked.get() > ONE_BY_ONE {
            let mut rows = connection.prepare_cached("SELECT hash, until FROM suppressed")?;
            let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let all = rows.collect::<Result<_, _>>()?;
            return Ok(self.all.get_or_init(|| all).get(&hash).copied());
        }
        until(connection, hash)
    }

    /// Whether anybody was erased since an event happened.
    pub(crate) fn reaches(&self, event: &Event) -> bool {
        let is_older = |last| happened(event) <= last;
        !self.is_empty && self.last.is_some_and(is_older)
    }

    /// An event without the addresses and numbers of those who were erased since it happened, in
    /// what was written freely and in copy; `None` where there are none. Asked of those that the
    /// erasures [reach](Self::reaches).
    pub(crate) fn blacked(
        &self,
        connection: &Connection,
        event: &Event,
    ) -> Result<Option<Event>, StoreError> {
        let is_erased = |hash: [u8; 16]| -> Result<bool, StoreError> {
            let until = self.until(connection, hash)?;
            Ok(until.is_some_and(|until| happened(event) <= until))
        };
        let mut json = event.to_json();
        json.retain(|field, _| !NAMING.contains(&field.as_str()));
        let (json, mut written) = (Value::Object(json), Vec::new());
        texts(&json, &mut written);
        let mut spellings = BTreeSet::new();
        for text in written {
            spellings.extend(Spelling::in_text(&text));
        }
        let mut found = Vec::new();
        for spelling in &spellings {
            if is_erased(self.seal.spelling(spelling))? {
                found.push(spelling.clone());
            }
        }
        let mut values = BTreeSet::new();
        for claim in &event.who {
            if is_erased(self.seal.identifier(claim.identifier()))? {
                values.insert(claim.identifier());
            }
        }
        // Of those that are longer, somebody else's stay.
        for spelling in &found {
            spellings.remove(spelling);
        }
        let longer =
            if found.is_empty() { BTreeSet::new() } else { of_somebody(connection, &spellings)? };
        let mut traces = Traces::of_spellings(found);
        traces.leave(&longer);
        let left = traces::blacked(event, &traces, &values);
        Ok((left != *event).then_some(left))
    }
}

/// When an event happened, as far as an erasure asks: where the source does not tell, it may be as
/// old as can be. That it stands in a list again is nothing new.
fn happened(event: &Event) -> i64 {
    let at = match event.occurred_at_origin {
        TimeOrigin::Import => Timestamp::MIN,
        _ => event.occurred_at,
    };
    at.as_micros()
}

/// The addresses among these that somebody has.
fn of_somebody(
    connection: &Connection,
    spellings: &BTreeSet<Spelling>,
) -> Result<BTreeSet<String>, StoreError> {
    let mut known = connection.prepare_cached("SELECT 1 FROM identifier WHERE hash = ?1")?;
    let mut addresses = BTreeSet::new();
    for spelling in spellings.iter().filter(|spelling| !spelling.is_number()) {
        let (_, written) = spelling.told();
        let Ok(address) = Identifier::normalise(Namespace::Email, "", &written, None) else {
            continue;
        };
        if known.exists([&codec::identifier_hash(&address)[..]])? {
            addresses.insert(written);
        }
    }
    Ok(addresses)
}

/// What a claim was under version 1 of the normalisers, where it was something else: a hash that was
/// kept then cannot be made anew. Letters of domains were folded before their form was looked for.
fn former(claim: &Claim) -> Option<Identifier> {
    let now = claim.identifier();
    if *now.namespace() != Namespace::Email || claim.raw().is_ascii() {
        return None;
    }
    let folded = text::folded(claim.raw());
    let former = Identifier::normalise(Namespace::Email, now.scope(), &folded, None).ok()?;
    (former != *now).then_some(former)
}

/// Until when something may not come in.
fn until(connection: &Connection, hash: [u8; 16]) -> Result<Option<i64>, StoreError> {
    let mut until = connection.prepare_cached("SELECT until FROM suppressed WHERE hash = ?1")?;
    Ok(until.query_row([&hash[..]], |row| row.get(0)).optional()?)
}

/// The texts and numbers of a value, and the names of its fields.
fn texts<'a>(value: &'a Value, all: &mut Vec<Cow<'a, str>>) {
    match value {
        Value::String(text) => all.push(text.into()),
        Value::Number(number) => all.push(number.to_string().into()),
        Value::Array(values) => values.iter().for_each(|it| texts(it, all)),
        Value::Object(fields) => {
            for (name, it) in fields {
                all.push(name.into());
                texts(it, all);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// Keeps something from coming in until an instant.
pub(crate) fn suppress(
    tx: &Transaction<'_>,
    hash: &[u8; 16],
    until: Timestamp,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO suppressed(hash, until) VALUES(?1, ?2)
         ON CONFLICT(hash) DO UPDATE SET until = max(until, excluded.until)",
    )?
    .execute(params![&hash[..], until.as_micros()])?;
    Ok(())
}
