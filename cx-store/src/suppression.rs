//! Suppression: what was erased may not come back with the next import.

use cx_core::event::Event;
use cx_core::identifier::Identifier;
use cx_core::ids::IdKey;
use cx_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::error::StoreError;

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

    pub(crate) fn token(&self, name: &str) -> String {
        let hash = self.of("erased name", &[name]);
        format!("erased/{:032x}", u128::from_be_bytes(hash))
    }
}

/// What may not come back, to be looked up while events come in.
pub(crate) struct Suppression {
    seal: Seal,
    is_empty: bool,
}

impl Suppression {
    pub(crate) fn new(connection: &Connection, id_key: &IdKey) -> Result<Self, StoreError> {
        let mut any = connection.prepare_cached("SELECT NOT EXISTS(SELECT 1 FROM suppressed)")?;
        let is_empty = any.query_row([], |row| row.get(0))?;
        Ok(Self { seal: Seal::new(id_key), is_empty })
    }

    /// Whether an event is a record that was erased, or happened to somebody who was before that.
    pub(crate) fn covers(
        &self,
        connection: &Connection,
        event: &Event,
    ) -> Result<bool, StoreError> {
        if self.is_empty {
            return Ok(false);
        }
        let mut until =
            connection.prepare_cached("SELECT until FROM suppressed WHERE hash = ?1")?;
        let mut until = |hash: [u8; 16]| -> Result<Option<i64>, StoreError> {
            Ok(until.query_row([&hash[..]], |row| row.get(0)).optional()?)
        };
        if until(self.seal.event(event.key.as_str()))?.is_some() {
            return Ok(true);
        }
        for claim in event.person_claims() {
            let found = until(self.seal.identifier(claim.identifier()))?;
            if found.is_some_and(|until| event.occurred_at.as_micros() <= until) {
                return Ok(true);
            }
        }
        Ok(false)
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
