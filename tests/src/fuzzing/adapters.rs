//! Adapters: whatever the bytes, they come to an end, give the same twice, give events that can be
//! kept, name the place of what is wrong, and swallow nothing.

use cx_adapters::csv::{self, ColumnMap};
use cx_adapters::{Format, Options, Record, RecordError, format};
use serde_json::Value;

use super::{events, is_told};

/// What is known of the account that the records come from.
pub(super) fn options() -> Options {
    Options {
        instance: "acme".to_owned(),
        region: Some("NL".to_owned()),
        own: vec!["acme.example".to_owned()],
        own_numbers: vec!["+31208080808".to_owned()],
        received_at: "2026-03-04T10:00:00Z".parse().ok(),
    }
}

pub(super) fn zendesk(bytes: &[u8]) {
    json(bytes, &read(Format::Zendesk, bytes));
}

pub(super) fn chatwoot(bytes: &[u8]) {
    json(bytes, &read(Format::Chatwoot, bytes));
}

pub(super) fn shopify(bytes: &[u8]) {
    json(bytes, &read(Format::Shopify, bytes));
}

pub(super) fn sendgrid(bytes: &[u8]) {
    json(bytes, &read(Format::Sendgrid, bytes));
}

pub(super) fn twilio(bytes: &[u8]) {
    let records = read(Format::Twilio, bytes);
    let is_blank = |line: &[u8]| line.trim_ascii().is_empty();
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace() && byte.is_ascii()) {
        None | Some(b'{' | b'[') => json(bytes, &records),
        Some(_) => {
            let callbacks = bytes.split(|byte| *byte == b'\n').filter(|line| !is_blank(line));
            assert!(records.len() >= callbacks.count(), "a callback is swallowed");
        }
    }
}

pub(super) fn mail(bytes: &[u8]) {
    let records = read(Format::Mail, bytes);
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let is_blank = text.iter().all(u8::is_ascii_whitespace);
    assert!(is_blank || !records.is_empty(), "a mail is swallowed");
}

pub(super) fn jsonl(bytes: &[u8]) {
    let records = read(Format::Jsonl, bytes);
    let is_record = |line: &&[u8]| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let is_blank = |line: &str| line.trim_start_matches('\u{feff}').trim().is_empty();
        !std::str::from_utf8(line).is_ok_and(is_blank)
    };
    let lines = bytes.split(|byte| *byte == b'\n').filter(is_record);
    assert_eq!(records.len(), lines.count(), "a line is a record");
}

/// A table; the text before an empty line, where there is one, is the map of its columns.
pub(super) fn csv(bytes: &[u8]) {
    let split = bytes.windows(2).position(|pair| pair == b"\n\n");
    let (map, table) = match split {
        Some(at) => (&bytes[..at], &bytes[at + 2..]),
        None => (&b""[..], bytes),
    };
    let map: ColumnMap = match String::from_utf8_lossy(map).parse() {
        Ok(map) => map,
        Err(error) => return is_told(&error),
    };
    let options = options();
    let rows = |reader| csv::read(reader, map.clone(), &options).collect::<Vec<Record>>();
    let records = rows(table);
    sound(&records);
    assert_eq!(records, rows(table), "twice is the same");
    let piecewise = std::io::BufReader::with_capacity(3, table);
    let piecewise: Vec<Record> = csv::read(piecewise, map.clone(), &options).collect();
    assert_eq!(records, piecewise, "read piece by piece");
    if !table.contains(&b'"') && !table.contains(&b'\r') {
        swallows_no_row(table, &records);
    }
}

/// Without quotation marks each line behind the header line is a row. Where the header line cannot
/// be read there is nothing but that to tell.
fn swallows_no_row(table: &[u8], records: &[Record]) {
    let table = table.strip_prefix(b"\xef\xbb\xbf").unwrap_or(table);
    let is_blank = |line: &&[u8]| line.iter().all(u8::is_ascii_whitespace);
    let rows = table.split(|byte| *byte == b'\n').filter(|line| !is_blank(line)).count();
    let is_without_header = matches!(records, [Err(_)]);
    assert!(is_without_header || records.len() == rows.saturating_sub(1), "a row is swallowed");
}

/// The records of a file, which are sound and the same in any way of reading.
fn read(format: Format, bytes: &[u8]) -> Vec<Record> {
    let options = options();
    let records: Vec<Record> = format::events(format, bytes, &options).collect();
    sound(&records);
    let again: Vec<Record> = format::events(format, bytes, &options).collect();
    assert_eq!(records, again, "twice is the same");
    let piecewise = std::io::BufReader::with_capacity(3, bytes);
    let piecewise: Vec<Record> = format::read(format, piecewise, &options).collect();
    assert_eq!(records, piecewise, "read piece by piece");
    records
}

fn sound(records: &[Record]) {
    for record in records {
        match record {
            Ok(event) => events::survives(event),
            Err(error) => names_its_place(error),
        }
    }
}

fn names_its_place(error: &RecordError) {
    is_told(&error.problem);
    assert!(error.line.is_some(), "no line: {error}");
}

/// JSON documents, one after the other: what is no JSON is told, and so is a document without a
/// record in it.
fn json(bytes: &[u8], records: &[Record]) {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut least = 0_usize;
    for document in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        let Ok(document) = document else {
            let is_told = records.iter().any(Result::is_err);
            assert!(is_told, "broken JSON is not told");
            return;
        };
        let elements = match &document {
            Value::Array(items) => items.as_slice(),
            other => std::slice::from_ref(other),
        };
        least += elements.iter().filter(|element| is_flat(element)).count();
    }
    assert!(records.len() >= least, "{} records of {least} documents", records.len());
}

/// Whether there is no list or object in it that may hold the records, or hold none.
fn is_flat(value: &Value) -> bool {
    match value {
        Value::Object(fields) => {
            !fields.values().any(|field| matches!(field, Value::Array(_) | Value::Object(_)))
        }
        _ => true,
    }
}
