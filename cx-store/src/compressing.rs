//! Compressing what is there: payloads are packed, or unpacked, step by step.

use rusqlite::types::Null;
use rusqlite::{Transaction, params};
use serde::Serialize;

use crate::compression::{Packer, Unpacker, is_in_force, put_in_force};
use crate::error::StoreError;
use crate::store::Store;

/// What a compression has done, or the undoing of one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Compression {
    /// How many events were rewritten, each revision of one for itself.
    pub events: u64,
    /// How many bytes their payloads were.
    pub bytes_before: u64,
    /// How many bytes they are.
    pub bytes_after: u64,
}

impl Compression {
    fn add(&mut self, before: usize, after: usize) {
        let bytes = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        self.events += 1;
        self.bytes_before += bytes(before);
        self.bytes_after += bytes(after);
    }
}

/// How many events are looked at in one transaction.
const STEP: i64 = 20_000;

impl Store {
    /// Compresses the payloads of all events, and from now on those that come in. What is answered
    /// stays the same to the byte. Where it was interrupted, it goes on with what is left.
    ///
    /// Runs in steps of 20,000 events, each a write of its own, beside which others may write.
    /// The file becomes smaller with [`Store::compact`]. An event costs some microseconds more when
    /// it comes in, and one or two when it is read.
    ///
    /// The dictionary comes with cx: nothing of what customers wrote is kept in it.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::DiskFull`], [`StoreError::Locked`]; the steps before
    /// the failing one stay.
    ///
    /// # Example
    /// ```
    /// use cx_store::Store;
    ///
    /// let store = Store::open_in_memory()?;
    /// store.compress()?;
    /// assert!(store.is_compressed()?);
    /// # Ok::<(), cx_store::StoreError>(())
    /// ```
    pub fn compress(&self) -> Result<Compression, StoreError> {
        self.repack(true)
    }

    /// Undoes [`Store::compress`]: payloads stand as JSON again, for whoever reads the file with
    /// other tools.
    ///
    /// # Errors
    /// As [`Store::compress`].
    pub fn decompress(&self) -> Result<Compression, StoreError> {
        self.repack(false)
    }

    /// Whether payloads are compressed as they come in.
    ///
    /// # Errors
    /// [`StoreError`] where the file cannot be read.
    pub fn is_compressed(&self) -> Result<bool, StoreError> {
        self.read(is_in_force)
    }

    fn repack(&self, packs: bool) -> Result<Compression, StoreError> {
        let mut done = Compression::default();
        let mut behind = Some(0);
        self.write(|tx, _| put_in_force(tx, packs))?;
        while let Some(row) = behind {
            behind = self.write(|tx, _| step(tx, row, &mut done))?;
        }
        Ok(done)
    }
}

/// Packs the payloads of some events, or unpacks them where it is not in force. Gives the row to go
/// on behind; `None` where there is none.
fn step(
    tx: &Transaction<'_>,
    behind: i64,
    done: &mut Compression,
) -> Result<Option<i64>, StoreError> {
    let (mut packer, mut unpacker) = (Packer::in_force(tx)?, Unpacker::new()?);
    let last: i64 = tx
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM event")?
        .query_row([], |row| row.get(0))?;
    if behind >= last {
        return Ok(None);
    }
    let until = last.min(behind.saturating_add(STEP));
    let mut rewrite =
        tx.prepare_cached("UPDATE event SET payload = ?2, packed = ?3 WHERE seq = ?1")?;
    let mut rows = tx.prepare_cached(
        "SELECT seq, payload, packed, length(packed)
         FROM event WHERE seq > ?1 AND seq <= ?2 AND (packed IS NULL) = ?3",
    )?;
    let mut rows = rows.query(params![behind, until, packer.is_some()])?;
    while let Some(row) = rows.next()? {
        // What is spoilt stays as it is: a check tells.
        let Some(payload) = unpacker.payload(row, 1)? else { continue };
        let seq: i64 = row.get(0)?;
        if let Some(packer) = &mut packer {
            let Some(packed) = packer.pack(payload) else { continue };
            done.add(payload.len(), packed.len());
            rewrite.execute(params![seq, "", packed])?;
        } else {
            let packed: i64 = row.get(3)?;
            done.add(usize::try_from(packed).unwrap_or(0), payload.len());
            rewrite.execute(params![seq, payload, Null])?;
        }
    }
    Ok(Some(until))
}
