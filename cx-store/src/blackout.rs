//! Blacking out: somebody who is erased, in what others wrote.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::event::{Event, Kind};
use cx_core::identifier::{Claim, Identifier};
use rusqlite::{Transaction, params};
use serde_json::{Map, Value};

use crate::codec;
use crate::compression::{Packer, Unpacker};
use crate::error::StoreError;
use crate::search;

/// What stands in the place of a person's identifiers in what others wrote.
const ERASED: &str = "[erased]";

/// Fields of an event's data that name a thing: what points at the same thing still does.
const NAMES: &[&str] = &[
    "about",
    "callback",
    "cart_id",
    "checkout_id",
    "feedback",
    "into",
    "mail_id",
    "message_id",
    "order_id",
    "refund_id",
    "service_id",
    "subscription_id",
    "target",
];

/// Fields of a profile that say what its person is called.
const NAMES_OF_PERSON: &[&str] = &["name", "given_name", "family_name"];

/// What was blacked out, and what was not.
#[derive(Default)]
pub(crate) struct BlackedOut {
    /// How many events had any of it.
    pub(crate) events: u64,
    /// The fields in which some of it still stands, with how many events have it there; `dict`
    /// counts names of sources, channels, kinds and namespaces.
    pub(crate) left_in: BTreeMap<String, u64>,
}

/// Blacks these strings out in what is left. Reads every event. What is spoilt is passed over.
///
/// They are whole words of what was written freely; and whoever was in copy and holds one of these
/// values is left out. Keys, revisions, conversations, sources, actors, names, and claims of others
/// stay as they are: they name things, or something is derived from them.
pub(crate) fn black_out(
    tx: &Transaction<'_>,
    strings: &[String],
    values: &BTreeSet<&Identifier>,
) -> Result<BlackedOut, StoreError> {
    let mut done = BlackedOut::default();
    let mut packer = Packer::in_force(tx)?;
    for row in holders(tx, strings)? {
        let (payload, batch): (String, i64) = tx
            .prepare_cached(
                "SELECT iif(packed IS NULL, payload, cx_unpack(packed)), batch
                 FROM event WHERE seq = ?1",
            )?
            .query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let Ok(event) = codec::event(&payload) else { continue };
        let left = blacked(&event, strings, values);
        for (field, value) in &left.to_json() {
            if stands_in_value(value, strings) {
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
        if stands_in(&row.get::<_, String>(0)?, strings) {
            *done.left_in.entry("dict".to_owned()).or_insert(0) += 1;
        }
    }
    Ok(done)
}

/// The rows of events in which any of these strings may stand. What is spoilt is passed over.
fn holders(tx: &Transaction<'_>, strings: &[String]) -> Result<Vec<i64>, StoreError> {
    let strings: Vec<String> =
        strings.iter().map(|text| in_json(text).to_ascii_lowercase()).collect();
    let mut found = Vec::new();
    if strings.is_empty() {
        return Ok(found);
    }
    let mut unpacker = Unpacker::new()?;
    let mut rows = tx.prepare_cached("SELECT seq, payload, packed FROM event ORDER BY seq")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let Some(payload) = unpacker.payload(row, 1)? else { continue };
        let payload = payload.to_ascii_lowercase();
        if strings.iter().any(|text| payload.contains(text)) {
            found.push(row.get(0)?);
        }
    }
    Ok(found)
}

/// A text as it stands between the quotation marks of JSON.
pub(crate) fn in_json(text: &str) -> String {
    let written = Value::from(text).to_string();
    let inner = written.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

/// An event without these strings and values, as far as they may go.
fn blacked(event: &Event, strings: &[String], values: &BTreeSet<&Identifier>) -> Event {
    let mut left = event.clone();
    let meant: Vec<&Claim> = event.person_claims();
    left.who.retain(|claim| {
        let value = claim.identifier();
        !values.contains(value) || value.namespace().is_bridge() || meant.contains(&claim)
    });
    let written = left.body.iter_mut().flat_map(|body| {
        [Some(&mut body.text), body.whole.as_mut(), body.html_ref.as_mut()].into_iter().flatten()
    });
    let subject = left.conversation.iter_mut().filter_map(|it| it.subject.as_mut());
    let files = left.attachments.iter_mut();
    let files = files.flat_map(|file| [&mut file.name, &mut file.url].into_iter().flatten());
    for text in written.chain(subject).chain(files) {
        black(text, strings);
    }
    for fields in [&mut left.extra, &mut left.unknown] {
        black_fields(fields, strings, Numbers::Black);
    }
    // Where a number stands that has a meaning, it is none of the person's.
    let mut kinds = [Numbers::Black, Numbers::Keep].into_iter();
    if let Some(kind) = kinds.find_map(|numbers| blacked_kind(&event.kind, strings, numbers)) {
        left.kind = kind;
    }
    left
}

/// What happened, without these strings; `None` where it would be something else.
fn blacked_kind(kind: &Kind, strings: &[String], numbers: Numbers) -> Option<Kind> {
    let is_name = |field: &str| {
        let is_profile = matches!(kind, Kind::ProfileUpdated(_));
        NAMES.contains(&field) || is_profile && NAMES_OF_PERSON.contains(&field)
    };
    let (names, mut free): (Map<_, _>, Map<_, _>) =
        kind.to_json().into_iter().partition(|(field, _)| is_name(field));
    black_fields(&mut free, strings, numbers);
    free.extend(names);
    Kind::from_json(&kind.name(), free).ok()
}

/// Whether a number that is one of the strings is blacked out as a whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    Black,
    Keep,
}

fn black_value(value: &mut Value, strings: &[String], numbers: Numbers) {
    match value {
        Value::String(text) => black(text, strings),
        Value::Array(values) => values.iter_mut().for_each(|it| black_value(it, strings, numbers)),
        Value::Object(fields) => black_fields(fields, strings, numbers),
        Value::Number(number) => {
            if numbers == Numbers::Black && stands_in(&number.to_string(), strings) {
                *value = Value::from(ERASED);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn black_fields(fields: &mut Map<String, Value>, strings: &[String], numbers: Numbers) {
    for (mut name, mut value) in std::mem::take(fields) {
        black(&mut name, strings);
        black_value(&mut value, strings, numbers);
        fields.insert(name, value);
    }
}

/// Takes these strings out of a text, longest first, wherever they are whole words.
pub(crate) fn black(text: &mut String, strings: &[String]) {
    for secret in strings {
        let mut from = 0;
        while let Some(at) = find(text, secret, from) {
            text.replace_range(at..at + secret.len(), ERASED);
            from = at + ERASED.len();
        }
    }
}

/// Whether any of these strings is a whole word of a text.
pub(crate) fn stands_in(text: &str, strings: &[String]) -> bool {
    strings.iter().any(|secret| find(text, secret, 0).is_some())
}

fn stands_in_value(value: &Value, strings: &[String]) -> bool {
    match value {
        Value::String(text) => stands_in(text, strings),
        Value::Array(values) => values.iter().any(|it| stands_in_value(it, strings)),
        Value::Object(fields) => {
            fields.iter().any(|(name, it)| stands_in(name, strings) || stands_in_value(it, strings))
        }
        Value::Number(number) => stands_in(&number.to_string(), strings),
        Value::Null | Value::Bool(_) => false,
    }
}

/// Where a text stands in another as a whole word, ASCII letters in either case, from a place on.
fn find(text: &str, secret: &str, from: usize) -> Option<usize> {
    let (bytes, wanted) = (text.as_bytes(), secret.as_bytes());
    let windows = bytes.windows(wanted.len().max(1)).enumerate().skip(from);
    let mut found = windows.filter(|(_, window)| window.eq_ignore_ascii_case(wanted));
    found.find(|(at, window)| is_whole(text, *at, at + window.len())).map(|(at, _)| at)
}

/// Whether a part of a text is a word, or words, of it: neither within a longer number, nor within a
/// longer address, such as `an@example.nl` within `jan@example.nl` or `x.an@example.nl`.
fn is_whole(text: &str, from: usize, to: usize) -> bool {
    let parts = [text.get(..from), text.get(from..to), text.get(to..)];
    let [before, word, after] = parts.map(Option::unwrap_or_default);
    let is_number = !word.contains(char::is_alphabetic);
    let goes_on = |end: Option<char>, beside: &mut dyn Iterator<Item = char>, joints: &[char]| {
        let Some(end) = end.filter(|end| end.is_alphanumeric()) else { return false };
        match beside.next() {
            Some(next) if is_number => end.is_ascii_digit() && next.is_ascii_digit(),
            Some(next) if joints.contains(&next) => {
                beside.next().is_some_and(char::is_alphanumeric)
            }
            next => next.is_some_and(char::is_alphanumeric),
        }
    };
    let joints = ['.', '-', '_', '+'];
    !goes_on(word.chars().next(), &mut before.chars().rev(), &joints)
        && !goes_on(word.chars().next_back(), &mut after.chars(), &['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_number_goes_where_it_is_a_whole_word() {
        let strings = ["+31612345678", "an@example.nl", "0612345678"].map(str::to_owned);
        for (text, left) in [
            ("an@example.nl", "[erased]"),
            ("<AN@example.nl>, mailto:an@example.nl.", "<[erased]>, mailto:[erased]."),
            ("_an@example.nl_ 'an@example.nl's", "_[erased]_ '[erased]'s"),
            ("jan@example.nl jan.an@example.nl x+an@example.nl", "="),
            ("an@example.nl.uk an@example.nlx an@example.nl-x.uk", "="),
            ("tel:+31612345678,0612345678", "tel:[erased],[erased]"),
            ("tel0612345678x wa +31612345678@c.us", "tel[erased]x wa [erased]@c.us"),
            ("+316123456789 10612345678", "="),
            ("één an@example.nl é", "één [erased] é"),
        ] {
            let mut blacked = text.to_owned();
            black(&mut blacked, &strings);
            assert_eq!(blacked, if left == "=" { text } else { left });
        }
    }

    #[test]
    fn a_text_stands_in_json_without_its_quotation_marks() {
        assert_eq!(in_json("\"e va\"@example.nl\n"), "\\\"e va\\\"@example.nl\\n");
    }
}
