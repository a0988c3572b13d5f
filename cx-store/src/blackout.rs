//! Blacking out: somebody who is erased, in what others wrote.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::identifier::Identifier;
use cx_core::spelling::Spellings;
use rusqlite::{Transaction, params};

use crate::codec;
use crate::compression::{Packer, Unpacker};
use crate::error::StoreError;
use crate::search;
use crate::traces::{Search, Traces, blacked};

/// What was blacked out, and what was not.
#[derive(Default)]
pub(crate) struct BlackedOut {
    /// How many events had any of it.
    pub(crate) events: u64,
    /// The fields in which some of it still stands, be it within a longer word, with how many events
    /// have it there; `dict` counts names of sources, channels, kinds and namespaces.
    pub(crate) left_in: BTreeMap<String, u64>,
}

/// Blacks these out in what is left. Reads every event. What is spoilt is passed over.
///
/// They are whole words of what was written freely; and whoever was in copy and holds one of these
/// values is left out. Keys, revisions, conversations, sources, actors, names, and claims of others
/// stay as they are: they name things, or something is derived from them.
pub(crate) fn black_out(
    tx: &Transaction<'_>,
    traces: &Traces,
    values: &BTreeSet<&Identifier>,
) -> Result<BlackedOut, StoreError> {
    let mut done = BlackedOut::default();
    let mut packer = Packer::in_force(tx)?;
    let search = Search::new(traces);
    for row in holders(tx, traces)? {
        let (payload, batch): (String, i64) = tx
            .prepare_cached(
                "SELECT iif(packed IS NULL, payload, cx_unpack(packed)), batch
                 FROM event WHERE seq = ?1",
            )?
            .query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let Ok(event) = codec::event(&payload) else { continue };
        let left = blacked(&event, traces, values);
        for (field, value) in &left.to_json() {
            if search.is_in(&value.to_string()) {
                *done.left_in.entry(field.clone()).or_insert(0) += 1;
            }
        }
        if left == event {
            continue;
        }
        done.events += 1;
        let (left, _) = left.text_and_hash();
        let is_indexed = search::forget(tx, row)?;
        let sum = codec::sum(&left, batch);
        let packed = packer.as_mut().and_then(|packer| packer.pack(&left));
        let plain = if packed.is_none() { left.as_str() } else { "" };
        tx.prepare_cached(
            "UPDATE event SET payload = ?2, packed = ?3, codec = ?4, sum = ?5 WHERE seq = ?1",
        )?
        .execute(params![row, plain, packed, codec::BLACKED_OUT, sum])?;
        if is_indexed {
            search::index(tx, row)?;
        }
    }
    let mut names = tx.prepare_cached("SELECT name FROM dict")?;
    let mut names = names.query([])?;
    while let Some(row) = names.next()? {
        if search.is_in(&row.get::<_, String>(0)?) {
            *done.left_in.entry("dict".to_owned()).or_insert(0) += 1;
        }
    }
    Ok(done)
}

/// The rows of events in which any of these may stand. What is spoilt is passed over.
fn holders(tx: &Transaction<'_>, traces: &Traces) -> Result<Vec<i64>, StoreError> {
    let spellings = traces.in_files();
    let any = Spellings::new(&spellings);
    let mut found = Vec::new();
    if spellings.is_empty() {
        return Ok(found);
    }
    let mut unpacker = Unpacker::new()?;
    let mut rows = tx.prepare_cached("SELECT seq, payload, packed FROM event ORDER BY seq")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let Some(payload) = unpacker.payload(row, 1)? else { continue };
        let payload = payload.as_bytes();
        if (0..payload.len()).any(|at| any.any_at(payload, at)) {
            found.push(row.get(0)?);
        }
    }
    Ok(found)
}
