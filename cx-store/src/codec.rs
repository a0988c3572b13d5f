//! Values of the domain to columns and back: the one place where they meet.

use std::sync::LazyLock;

use cx_core::event::{Direction, Event, Visibility};
use cx_core::identifier::{Assurance, Identifier, Linkable, Namespace};
use cx_core::identity::{Caveat, Subject};
use cx_core::ids::{EventKey, IdKey};
use cx_core::time::Timestamp;
use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension};

use crate::error::StoreError;

/// How a payload stands: as JSON.
pub(crate) const WHOLE: i64 = 0;
/// How a payload stands: as JSON, with some of it blacked out. Its hash is that of the whole.
pub(crate) const BLACKED_OUT: i64 = 1;

/// A setting of the file, by its name; `None` where it has none.
pub(crate) fn setting<T: FromSql>(
    connection: &Connection,
    name: &str,
) -> Result<Option<T>, StoreError> {
    let mut value = connection.prepare_cached("SELECT v FROM meta WHERE k = ?1")?;
    Ok(value.query_row([name], |row| row.get(0)).optional()?)
}

/// Whose store it is, and the key of its ids; `None` where it is nobody's yet.
pub(crate) fn tenant(connection: &Connection) -> Result<Option<(String, IdKey)>, StoreError> {
    let Some(tenant) = setting::<Vec<u8>>(connection, "tenant")? else { return Ok(None) };
    let id_key = setting::<Vec<u8>>(connection, "id_key")?;
    let id_key: Option<[u8; 32]> = id_key.and_then(|key| key.try_into().ok());
    let id_key = id_key.ok_or_else(|| StoreError::malformed("id key", "not 32 bytes"))?;
    Ok(Some((String::from_utf8_lossy(&tenant).into_owned(), IdKey::new(id_key))))
}

/// Sixteen bytes that name an identifier, so that no address stands in a random-order index.
pub(crate) fn identifier_hash(identifier: &Identifier) -> [u8; 16] {
    static DOMAIN: LazyLock<blake3::Hasher> =
        LazyLock::new(|| blake3::Hasher::new_derive_key("cx store identifier 1"));
    let mut hasher = DOMAIN.clone();
    for part in [identifier.namespace().name(), identifier.scope(), identifier.key()] {
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default()
}

pub(crate) fn timestamp(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_micros(micros).map_err(|error| StoreError::malformed("instant", error))
}

pub(crate) fn event_key(text: &str) -> Result<EventKey, StoreError> {
    text.parse().map_err(|error| StoreError::malformed("event key", error))
}

pub(crate) fn event(payload: &str) -> Result<Event, StoreError> {
    Event::from_text(payload).map_err(|error| StoreError::malformed("event", error))
}

/// The record of this key as it is shown; `None` where there is none.
pub(crate) fn shown(connection: &Connection, key: &str) -> Result<Option<Event>, StoreError> {
    let mut shown = connection.prepare_cached(
        "SELECT iif(packed IS NULL, payload, cx_unpack(packed)) FROM event
         WHERE key = ?1 AND standing = 0",
    )?;
    let payload: Option<String> = shown.query_row([key], |row| row.get(0)).optional()?;
    payload.map(|payload| event(&payload)).transpose()
}

pub(crate) const fn assurance_code(assurance: Assurance) -> i64 {
    match assurance {
        Assurance::Inferred => 0,
        Assurance::SelfStated => 1,
        Assurance::ChannelProved => 2,
        Assurance::Authenticated => 3,
        Assurance::StaffVerified => 4,
    }
}

pub(crate) fn assurance(code: i64) -> Result<Assurance, StoreError> {
    Ok(match code {
        0 => Assurance::Inferred,
        1 => Assurance::SelfStated,
        2 => Assurance::ChannelProved,
        3 => Assurance::Authenticated,
        4 => Assurance::StaffVerified,
        other => return Err(StoreError::malformed("assurance", other)),
    })
}

pub(crate) const fn caveat_code(caveat: Caveat) -> i64 {
    match caveat {
        Caveat::None => 0,
        Caveat::Shared => 1,
        Caveat::OnBehalfOf => 2,
    }
}

pub(crate) fn caveat(code: i64) -> Result<Caveat, StoreError> {
    Ok(match code {
        0 => Caveat::None,
        1 => Caveat::Shared,
        2 => Caveat::OnBehalfOf,
        other => return Err(StoreError::malformed("caveat", other)),
    })
}

pub(crate) const fn direction_code(direction: Direction) -> i64 {
    match direction {
        Direction::None => 0,
        Direction::In => 1,
        Direction::Out => 2,
    }
}

pub(crate) const fn visibility_code(visibility: Visibility) -> i64 {
    match visibility {
        Visibility::Public => 0,
        Visibility::Internal => 1,
    }
}

/// An event's own order as a column: none comes first.
pub(crate) fn source_order(seq: Option<u64>) -> Option<i64> {
    seq.map(|seq| i64::try_from(seq).unwrap_or(i64::MAX))
}

/// One side of an assertion as text: `obs_…`, or namespace, scope and key parted by U+001F.
pub(crate) fn subject_text(subject: &Subject) -> String {
    match subject {
        Subject::Observation(observation) => observation.to_string(),
        Subject::Identifier(identifier) => identifier_text(identifier),
    }
}

pub(crate) fn identifier_text(identifier: &Identifier) -> String {
    let linkable = if identifier.is_linkable() { "1" } else { "0" };
    [linkable, identifier.namespace().name(), identifier.scope(), identifier.key()].join("\u{1f}")
}

pub(crate) fn subject(text: &str) -> Result<Subject, StoreError> {
    if let Ok(observation) = text.parse() {
        return Ok(Subject::Observation(observation));
    }
    identifier(text).map(Subject::Identifier)
}

pub(crate) fn identifier(text: &str) -> Result<Identifier, StoreError> {
    let mut parts = text.splitn(4, '\u{1f}');
    let (Some(linkable), Some(namespace), Some(scope), Some(key)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(StoreError::malformed("side of an assertion", text.len()));
    };
    let linkable = if linkable == "1" { Linkable::Yes } else { Linkable::No };
    Ok(Identifier::from_parts(
        Namespace::from_name(namespace),
        scope.to_owned(),
        key.to_owned(),
        linkable,
    ))
}

/// An identifier from its columns: namespace, scope, key, and whether it may link.
pub(crate) fn read_identifier(
    row: &rusqlite::Row<'_>,
    first: usize,
) -> rusqlite::Result<Identifier> {
    let namespace = Namespace::from_name(&row.get::<_, String>(first)?);
    let linkable = if row.get(first + 3)? { Linkable::Yes } else { Linkable::No };
    Ok(Identifier::from_parts(namespace, row.get(first + 1)?, row.get(first + 2)?, linkable))
}

/// A source as it stands in the dictionary, as one speaks of it: `zendesk:acme`.
pub(crate) fn source_scope(name: &str) -> String {
    let (system, instance) = name.split_once('\u{1f}').unwrap_or((name, ""));
    if instance.is_empty() { system.to_owned() } else { format!("{system}:{instance}") }
}

/// Bytes in digits of base 16.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.extend(
            [byte >> 4, byte & 15]
                .map(|digit| char::from_digit(digit.into(), 16).unwrap_or_default()),
        );
    }
    text
}

/// A sum over a payload and the import that it came with, by which damage is noticed: the content's
/// hash leaves out what may move on its own.
pub(crate) fn sum(payload: &str, batch: i64) -> i64 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&batch.to_le_bytes());
    sum.update(payload.as_bytes());
    sum.finalize().into()
}
