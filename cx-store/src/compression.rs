//! Compression: payloads as zstd, with a dictionary that comes with cx.
//!
//! The dictionary holds the frame of an event of each kind and what people at a service desk often
//! write, in six languages. None is trained on what is in a store: it would keep parts of what
//! customers wrote after they were erased.

use std::sync::{LazyLock, Mutex, PoisonError};

use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Transaction};
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

use crate::codec;
use crate::error::StoreError;

/// The number of the dictionary, the first byte of what is packed with it. A file keeps what it
/// was packed with, so that a dictionary never changes once it has a number.
const DICTIONARY: u8 = 1;
const TEXT: &[u8] = include_bytes!("compression/dictionary.txt");

/// Two levels further up an event is 9 bytes shorter, and costs a tenth more to take in.
const LEVEL: i32 = 4;

/// Longer payloads stay as they are, so that nothing that is damaged asks for more memory.
const LONGEST: usize = 16 << 20;

static ENCODER: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(TEXT, LEVEL));
static DECODER: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(TEXT));

/// Packs payloads.
pub(crate) struct Packer(Compressor<'static>);

impl Packer {
    pub(crate) fn new() -> Result<Self, StoreError> {
        let compressor = Compressor::with_prepared_dictionary(&ENCODER);
        compressor.map(Self).map_err(|error| StoreError::malformed("dictionary", error))
    }

    /// A packer where the payloads of this file are packed.
    pub(crate) fn in_force(connection: &Connection) -> Result<Option<Self>, StoreError> {
        if is_in_force(connection)? { Self::new().map(Some) } else { Ok(None) }
    }

    /// A payload, packed; `None` where it would not be shorter, and stays as it is.
    pub(crate) fn pack(&mut self, payload: &str) -> Option<Vec<u8>> {
        if payload.len() > LONGEST {
            return None;
        }
        let frame = self.0.compress(payload.as_bytes()).ok()?;
        if frame.len() + 1 >= payload.len() {
            return None;
        }
        let mut packed = Vec::with_capacity(frame.len() + 1);
        packed.push(DICTIONARY);
        packed.extend(frame);
        Some(packed)
    }
}

/// Why something packed cannot be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnpackError {
    #[error("it was packed with dictionary {0}, which this version of cx does not have")]
    Dictionary(u8),
    #[error("it cannot be unpacked")]
    Spoilt,
}

/// Unpacks payloads.
pub(crate) struct Unpacker {
    decompressor: Decompressor<'static>,
    /// What was unpacked last, and what it is: one statement asks for the same several times.
    last: (Vec<u8>, String),
}

impl Unpacker {
    pub(crate) fn new() -> Result<Self, StoreError> {
        let decompressor = Decompressor::with_prepared_dictionary(&DECODER)
            .map_err(|error| StoreError::malformed("dictionary", error))?;
        Ok(Self { decompressor, last: Default::default() })
    }

    pub(crate) fn unpack(&mut self, packed: &[u8]) -> Result<&str, UnpackError> {
        let (dictionary, frame) = packed.split_first().ok_or(UnpackError::Spoilt)?;
        if *dictionary != DICTIONARY {
            return Err(UnpackError::Dictionary(*dictionary));
        }
        if self.last.0 != packed {
            let length = Decompressor::upper_bound(frame).filter(|length| *length <= LONGEST);
            let length = length.ok_or(UnpackError::Spoilt)?;
            let payload = self.decompressor.decompress(frame, length);
            let payload = payload.map_err(|_| UnpackError::Spoilt)?;
            self.last.1 = String::from_utf8(payload).map_err(|_| UnpackError::Spoilt)?;
            packed.clone_into(&mut self.last.0);
        }
        Ok(&self.last.1)
    }

    /// The payload in these two columns of a row; `None` where it is spoilt.
    pub(crate) fn payload<'a>(
        &'a mut self,
        row: &'a Row<'_>,
        first: usize,
    ) -> rusqlite::Result<Option<&'a str>> {
        Ok(match row.get_ref(first + 1)? {
            ValueRef::Blob(packed) => self.unpack(packed).ok(),
            _ => row.get_ref(first)?.as_str().ok(),
        })
    }
}

/// Gives a connection the function `cx_unpack`. The payload of an event as it was written is
/// `iif(packed IS NULL, payload, cx_unpack(packed))`.
pub(crate) fn teach(connection: &Connection) -> Result<(), StoreError> {
    // Made where something is packed: a file in which nothing is needs none.
    let unpacker: Mutex<Option<Unpacker>> = Mutex::default();
    let flags = FunctionFlags::SQLITE_UTF8
        | FunctionFlags::SQLITE_DETERMINISTIC
        | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("cx_unpack", 1, flags, move |call| {
        let packed = call.get_raw(0).as_blob()?;
        let mut made = unpacker.lock().unwrap_or_else(PoisonError::into_inner);
        let unpacker = match &mut *made {
            Some(unpacker) => unpacker,
            None => made.insert(
                Unpacker::new()
                    .map_err(|error| rusqlite::Error::UserFunctionError(Box::new(error)))?,
            ),
        };
        unpacker.unpack(packed).map(str::to_owned).map_err(|error| {
            let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
            rusqlite::Error::SqliteFailure(corrupt, Some(format!("a payload: {error}")))
        })
    })?;
    Ok(())
}

/// Whether payloads of this file are packed as they come in.
pub(crate) fn is_in_force(connection: &Connection) -> Result<bool, StoreError> {
    Ok(codec::setting::<Vec<u8>>(connection, PACKS)?.is_some())
}

/// Says whether payloads are packed from now on.
pub(crate) fn put_in_force(tx: &Transaction<'_>, packs: bool) -> Result<(), StoreError> {
    let sql = if packs {
        "INSERT OR REPLACE INTO meta(k, v) VALUES(?1, x'01')"
    } else {
        "DELETE FROM meta WHERE k = ?1"
    };
    tx.execute(sql, [PACKS])?;
    Ok(())
}

/// The setting's name in the file.
pub(crate) const PACKS: &str = "packs";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed(payload: &str) -> Option<Vec<u8>> {
        Packer::new().unwrap().pack(payload)
    }

    fn unpacked(packed: &[u8]) -> Result<String, UnpackError> {
        Unpacker::new().unwrap().unpack(packed).map(str::to_owned)
    }

    #[test]
    fn what_would_not_be_shorter_stays() {
        assert_eq!(packed(""), None);
        assert_eq!(packed("q"), None);
    }

    #[test]
    fn an_event_is_a_third_of_what_it_was() {
        let payload = r#"{"actor":{"type":"customer"},"body":{"lang":"en","text":"Is the blue one back in stock?"},"channel":"email","conversation":{"key":"zendesk:initech/ticket/815"},"direction":"in","key":"zendesk:initech/comment/4711","kind":"message","name":"Peggy Parker","occurred_at":"2026-03-04T09:12:45Z","source":{"id":"4711","instance":"initech","object":"comment","system":"zendesk"},"who":[{"assurance":"channel_proved","ns":"email","role":"from","value":"peggy@example.org"}]}"#;
        let packed = packed(payload).unwrap();
        assert!(3 * packed.len() < payload.len() + 60, "{} of {}", packed.len(), payload.len());
        assert_eq!(unpacked(&packed).as_deref(), Ok(payload));
    }

    #[test]
    fn another_dictionary_is_named() {
        assert_eq!(unpacked(&[7, 1, 2, 3]), Err(UnpackError::Dictionary(7)));
        assert_eq!(unpacked(&[]), Err(UnpackError::Spoilt));
    }

    #[test]
    fn a_file_keeps_what_it_was_packed_with() {
        // Files that were packed with it can be read by no other.
        let hash = blake3::hash(TEXT).to_hex();
        assert_eq!(
            hash.as_str(),
            "8c12788eed7d679b5c087e88c3418a8fad32961fd33b3be010b780673c2e554c",
            "a dictionary that has changed needs another number"
        );
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(payload in ".{0,400}") {
            if let Some(packed) = packed(&payload) {
                prop_assert!(packed.len() < payload.len());
                prop_assert_eq!(unpacked(&packed), Ok(payload));
            }
        }

        #[test]
        fn any_bytes_are_unpacked_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(unpacked(&bytes));
            let with_number: Vec<u8> = [DICTIONARY].into_iter().chain(bytes).collect();
            drop(unpacked(&with_number));
        }
    }
}
