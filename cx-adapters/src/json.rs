//! Reading JSON records: documents with their lines, fields with their pointers.
//!
//! Systems write the same field as a number today and as text tomorrow, so ids, texts and instants
//! are read leniently; what cannot be read names its place.

use cx_core::time::{Timestamp, UtcOffset};
use serde_json::{Map, Value};

use crate::{Record, RecordError};

/// One document of a file: the line on which it begins, and its value.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) line: u64,
    pub(crate) value: Value,
}

/// The JSON documents of a file, one after the other: a single document, JSON lines, or several
/// documents in a row. After a broken one it goes on at the next line that begins a document.
pub(crate) struct Documents<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Documents<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        Self { bytes, at: 0, line: 1 }
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn advance(&mut self, to: usize) {
        let passed = self.bytes.get(self.at..to).unwrap_or_default();
        self.line += count_lines(passed);
        self.at = to.max(self.at);
    }

    /// The next offset after the current line at which a line begins a document.
    fn next_start(&self) -> usize {
        let mut at = self.at;
        while let Some(end) =
            self.bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\n'))
        {
            at += end + 1;
            if matches!(self.bytes.get(at), Some(b'{' | b'[')) {
                return at;
            }
        }
        self.bytes.len()
    }
}

/// What is wrong with a document that begins on a line, with the place in the file.
fn syntax(error: &serde_json::Error, line: u64) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
    let below = u64::try_from(error.line().saturating_sub(1)).unwrap_or_default();
    format!("not JSON: {text} (line {}, column {})", line + below, error.column())
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

impl Iterator for Documents<'_> {
    type Item = Result<Document, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let blank = self.rest().iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.advance(self.at + blank);
        if self.rest().is_empty() {
            return None;
        }
        let line = self.line;
        let mut documents = serde_json::Deserializer::from_slice(self.rest()).into_iter::<Value>();
        match documents.next() {
            Some(Ok(value)) => {
                let read = documents.byte_offset();
                self.advance(self.at + read);
                Some(Ok(Document { line, value }))
            }
            Some(Err(error)) => {
                let problem = syntax(&error, line);
                self.advance(self.next_start());
                Some(Err(RecordError::new(problem).on_line(line)))
            }
            None => None,
        }
    }
}

/// The records of a file of JSON documents: `map` turns each document into its records, and where
/// a document is an array, each of its elements.
pub(crate) fn records<'a>(
    bytes: &'a [u8],
    map: impl Fn(&Object<'_>) -> Vec<Record> + 'a,
) -> Box<dyn Iterator<Item = Record> + 'a> {
    if let Some(problem) = crate::lines::foreign(bytes) {
        return Box::new(std::iter::once(Err(RecordError::new(problem))));
    }
    Box::new(Documents::new(bytes).flat_map(move |document| {
        let Document { line, value } = match document {
            Ok(document) => document,
            Err(error) => return vec![Err(error)],
        };
        let mut records = Vec::new();
        each(&value, String::new(), &mut |element| match element {
            Ok(object) => records.extend(map(&object)),
            Err(error) => records.push(Err(error)),
        });
        records
            .into_iter()
            .map(|record| {
                record.map_err(|error| RecordError { line: error.line.or(Some(line)), ..error })
            })
            .collect()
    }))
}

fn each(value: &Value, pointer: String, take: &mut impl FnMut(Result<Object<'_>, RecordError>)) {
    if let Value::Array(items) = value {
        for (position, item) in items.iter().enumerate() {
            take(Object::of(item, format!("{pointer}/{position}")));
        }
    } else {
        take(Object::of(value, pointer));
    }
}

/// A JSON object and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Object<'a> {
    fields: &'a Map<String, Value>,
    pointer: String,
}

/// An instant and the offset it was written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) at: Timestamp,
    pub(crate) offset: Option<UtcOffset>,
}

impl<'a> Object<'a> {
    pub(crate) fn of(value: &'a Value, pointer: String) -> Result<Self, RecordError> {
        match value {
            Value::Object(fields) => Ok(Self { fields, pointer }),
            other => {
                Err(RecordError::new("not an object").at(pointer).with_value(&other.to_string()))
            }
        }
    }

    /// Where the object stands.
    pub(crate) fn place(&self, field: &str) -> String {
        format!("{}/{}", self.pointer, field.replace('~', "~0").replace('/', "~1"))
    }

    /// Where the object itself stands.
    pub(crate) fn place_of_all(&self) -> String {
        self.pointer.clone()
    }

    /// A problem with a field: its place and the value that stands there.
    pub(crate) fn problem(&self, field: &str, problem: impl Into<String>) -> RecordError {
        let error = RecordError::new(problem).at(self.place(field));
        match self.fields.get(field) {
            Some(value) => error.with_value(&value.to_string()),
            None => error,
        }
    }

    /// A problem with the object itself.
    pub(crate) fn wrong(&self, problem: impl Into<String>) -> RecordError {
        RecordError::new(problem).at(self.pointer.clone())
    }

    /// A short name for the object's whole content, for records without an id.
    pub(crate) fn digest(&self) -> String {
        let text = serde_json::to_string(self.fields).unwrap_or_default();
        blake3::hash(text.as_bytes()).to_hex().chars().take(32).collect()
    }

    pub(crate) const fn fields(&self) -> &'a Map<String, Value> {
        self.fields
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.get(field).is_some()
    }

    /// The value of a field; null counts as absent.
    pub(crate) fn get(&self, field: &str) -> Option<&'a Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    /// The object in a field; `None` where there is none.
    pub(crate) fn object(&self, field: &str) -> Option<Self> {
        self.get(field).and_then(|value| Object::of(value, self.place(field)).ok())
    }

    /// The object at the end of a path of fields.
    pub(crate) fn path(&self, fields: &[&str]) -> Option<Self> {
        fields.iter().try_fold(self.clone(), |object, field| object.object(field))
    }

    /// The elements of the array in a field.
    pub(crate) fn items(&self, field: &str) -> Vec<(&'a Value, String)> {
        let items = self.get(field).and_then(Value::as_array).into_iter().flatten();
        let place = self.place(field);
        items.enumerate().map(|(position, item)| (item, format!("{place}/{position}"))).collect()
    }

    /// The objects of the array in a field, and what is wrong with the other elements. A field
    /// that holds one object and no array gives that object.
    pub(crate) fn objects(&self, field: &str) -> Vec<Result<Self, RecordError>> {
        match self.get(field) {
            Some(object @ Value::Object(_)) => vec![Object::of(object, self.place(field))],
            Some(Value::Array(_)) => {
                self.items(field).into_iter().map(|(item, at)| Object::of(item, at)).collect()
            }
            Some(_) => vec![Err(self.problem(field, "not a list"))],
            None => Vec::new(),
        }
    }

    /// The objects of the array in a field that are objects.
    pub(crate) fn list(&self, field: &str) -> Vec<Self> {
        self.objects(field).into_iter().filter_map(Result::ok).collect()
    }

    /// A text, a number or a truth value as text, without space around it; empty counts as absent.
    pub(crate) fn text(&self, field: &str) -> Option<String> {
        scalar(self.get(field)?).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// A text exactly as it stands.
    pub(crate) fn verbatim(&self, field: &str) -> Option<String> {
        scalar(self.get(field)?).filter(|text| !text.trim().is_empty())
    }

    /// The first of several fields that has a text.
    pub(crate) fn first_text(&self, fields: &[&str]) -> Option<String> {
        fields.iter().find_map(|field| self.text(field))
    }

    /// The texts of the array in a field.
    pub(crate) fn texts(&self, field: &str) -> Vec<String> {
        self.items(field).into_iter().filter_map(|(item, _)| scalar(item)).collect()
    }

    /// An id that must be there: text or number. Of a global id (`gid://shopify/Order/450`) the
    /// last part counts, which is the id that the other interfaces give.
    pub(crate) fn need(&self, field: &str) -> Result<String, RecordError> {
        let id = self.text(field).map(|id| match id.strip_prefix("gid://") {
            Some(global) => global.rsplit('/').next().unwrap_or(global).to_owned(),
            None => id,
        });
        id.ok_or_else(|| self.problem(field, if self.has(field) { "not an id" } else { "missing" }))
    }

    /// A truth value, also where it is written as text.
    pub(crate) fn flag(&self, field: &str) -> Option<bool> {
        match self.get(field)? {
            Value::Bool(flag) => Some(*flag),
            other => match scalar(other)?.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" => Some(true),
                "false" | "0" | "no" => Some(false),
                _ => None,
            },
        }
    }

    /// A whole number, also where it is written as text.
    pub(crate) fn number(&self, field: &str) -> Option<i64> {
        scalar(self.get(field)?)?.trim().parse().ok()
    }

    /// An instant: see [`instant`].
    pub(crate) fn moment(&self, field: &str) -> Result<Option<Moment>, RecordError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let text = scalar(value).ok_or_else(|| self.problem(field, "not a date and time"))?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        instant(&text).map(Some).map_err(|problem| self.problem(field, problem))
    }

    /// An instant that must be there.
    pub(crate) fn need_moment(&self, field: &str) -> Result<Moment, RecordError> {
        self.moment(field)?.ok_or_else(|| self.problem(field, "missing"))
    }

    /// The first of several fields that holds an instant.
    pub(crate) fn first_moment(&self, fields: &[&str]) -> Result<Option<Moment>, RecordError> {
        for field in fields {
            if let Some(moment) = self.moment(field)? {
                return Ok(Some(moment));
            }
        }
        Ok(None)
    }

    /// The records that stand beside those that are read, a problem for each field: none is passed
    /// over in silence.
    pub(crate) fn unread(&self, read: &[&str]) -> Vec<RecordError> {
        let beside = self.fields.iter().filter(|(name, _)| !read.contains(&name.as_str()));
        let counted = beside.filter_map(|(name, value)| {
            let count = match value {
                Value::Array(items) => items.iter().filter(|item| item.is_object()).count(),
                Value::Object(fields) => usize::from(fields.contains_key("id")),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
            };
            (count > 0).then_some((name, count))
        });
        let told = counted.map(|(name, count)| {
            let records = if count == 1 { "1 record" } else { &format!("{count} records") };
            let problem = format!("{records} of a kind that is not read");
            RecordError::new(problem).at(self.place(name))
        });
        told.collect()
    }

    /// Every field that is not among those mapped, verbatim, unless it is null or an empty
    /// container.
    pub(crate) fn rest(&self, mapped: &[&str]) -> Map<String, Value> {
        let rest = self.fields.iter().filter(|(name, value)| {
            let empty = match value {
                Value::Null => true,
                Value::Array(items) => items.is_empty(),
                Value::Object(fields) => fields.is_empty(),
                Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
            };
            !empty && !mapped.contains(&name.as_str())
        });
        rest.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Reads an instant as helpdesks and shops write it: RFC 3339 with any fraction, RFC 2822, `2020-03-03
/// 13:05:57 UTC`, and seconds since the epoch with or without a fraction.
pub(crate) fn instant(text: &str) -> Result<Moment, String> {
    let text = text.trim();
    if let Some(at) = epoch(text) {
        return at.map(|at| Moment { at, offset: None });
    }
    let spelled = text
        .strip_suffix(" UTC")
        .or_else(|| text.strip_suffix(" GMT"))
        .or_else(|| text.strip_suffix(" +0000"))
        .map(|naive| format!("{}Z", naive.replacen(' ', "T", 1)));
    let candidate = spelled.unwrap_or_else(|| text.to_owned());
    match Timestamp::parse_with_offset(&candidate) {
        Ok((at, offset)) => Ok(Moment { at, offset }),
        Err(error) => rfc2822(text)
            .or_else(|| script_date(text))
            .or_else(|| short_offset(text))
            .ok_or_else(|| error.to_string()),
    }
}

/// An instant whose offset has no colon, or stands apart: `2026-03-02 09:00:00 +0100`.
fn short_offset(text: &str) -> Option<Moment> {
    let forms = ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f %z", "%Y-%m-%d %H:%M:%S%.f%z"];
    forms.iter().find_map(|form| moment(chrono::DateTime::parse_from_str(text, form).ok()?))
}

/// An instant as browsers print it: `Tue Mar 03 2020 18:37:38 GMT-0700 (Mountain Standard Time)`.
fn script_date(text: &str) -> Option<Moment> {
    let text = text.split('(').next().unwrap_or_default().trim();
    let at = chrono::DateTime::parse_from_str(text, "%a %b %d %Y %H:%M:%S GMT%z").ok()?;
    moment(at)
}

/// An instant as mails and calls write it: `Tue, 31 Aug 2010 20:36:28 +0000`.
fn rfc2822(text: &str) -> Option<Moment> {
    moment(chrono::DateTime::parse_from_rfc2822(text).ok()?)
}

fn moment(at: chrono::DateTime<chrono::FixedOffset>) -> Option<Moment> {
    let minutes = i16::try_from(at.offset().local_minus_utc() / 60).ok()?;
    let offset = UtcOffset::from_minutes(minutes).filter(|_| minutes != 0);
    Some(Moment { at: Timestamp::from_micros(at.timestamp_micros()).ok()?, offset })
}

/// Seconds since the epoch, or milliseconds where there are twelve digits or more, with at most
/// microseconds kept. `None` where the text is no number.
fn epoch(text: &str) -> Option<Result<Timestamp, String>> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole.strip_prefix('-').unwrap_or(whole)) || !digits(fraction) {
        return None;
    }
    if fraction.is_empty() && (12..=14).contains(&whole.len()) {
        let millis = whole.parse().ok().and_then(|millis| Timestamp::from_millis(millis).ok());
        return Some(millis.ok_or_else(|| "outside the years 0001 to 9999".to_owned()));
    }
    let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
    let read = || {
        let seconds: i64 = whole.parse().ok()?;
        let micros: i64 = micros.parse().ok()?;
        Timestamp::from_micros(seconds.checked_mul(1_000_000)?.checked_add(micros)?).ok()
    };
    Some(read().ok_or_else(|| "outside the years 0001 to 9999".to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_instant_in_every_spelling() {
        let same = [
            "2020-03-03T13:05:57Z",
            "2020-03-03 13:05:57 UTC",
            "2020-03-03T14:05:57.000000000+01:00",
            "Tue, 03 Mar 2020 13:05:57 +0000",
            "Tue Mar 03 2020 06:05:57 GMT-0700 (Mountain Standard Time)",
            "1583240757",
            "1583240757.0",
            "1583240757000",
            "2020-03-03T14:05:57+0100",
            "2020-03-03 14:05:57 +0100",
        ];
        for text in same {
            assert_eq!(instant(text).unwrap().at.to_string(), "2020-03-03T13:05:57Z", "{text}");
        }
        for text in ["soon", "2020-03-03 13:05:57", "99999999999999999999", "-", ""] {
            assert!(instant(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_broken_document_does_not_hide_the_next_one() {
        let text = b"{\"id\": 1}\n{\"id\": \n{\"id\": 3}\n\n[{\"id\": 4},\n 5]\n{\n  \"id\": x\n}\n{\"id\": 6}";
        let records: Vec<String> = Documents::new(text)
            .map(|document| match document {
                Ok(document) => format!("{}: {}", document.line, document.value),
                Err(error) => error.to_string(),
            })
            .collect();
        assert_eq!(
            records,
            [
                "1: {\"id\":1}",
                "2: not JSON: expected `,` or `}` (line 5, column 1)",
                "3: {\"id\":3}",
                "5: [{\"id\":4},5]",
                "7: not JSON: expected value (line 8, column 9)",
                "10: {\"id\":6}",
            ]
        );
    }

    #[test]
    fn a_packed_file_is_told_as_such() {
        let told: Vec<_> = records(b"\x1f\x8b\x08\0", |_| Vec::new()).collect();
        assert!(told.len() == 1 && told[0].as_ref().unwrap_err().problem.contains("gunzip"));
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            Documents::new(&bytes).for_each(drop);
        }

        #[test]
        fn any_text_is_an_instant_or_a_problem(text in "[-0-9T:.Z +A-Za-z,]{0,40}") {
            drop(instant(&text));
        }
    }
}
