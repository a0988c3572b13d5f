//! Reading JSON records: documents with their lines, fields with their pointers.
//!
//! Systems write the same field as a number today and as text tomorrow, so ids, texts and instants
//! are read leniently; what cannot be read names its place.

use std::borrow::Cow;
use std::collections::VecDeque;

use cx_core::time::{Timestamp, UtcOffset};
use serde_json::{Map, Value};

use crate::{Record, RecordError};

/// The deepest nesting of a record that is taken. What is stored is read again within other fields, and
/// the reader of JSON ends at 128.
pub(crate) const DEPTH_LIMIT: usize = 64;

/// Whether a value nests more deeply than so many levels.
pub(crate) fn nests(value: &Value, deeper_than: usize) -> bool {
    let Some(left) = deeper_than.checked_sub(1) else {
        return value.is_array() || value.is_object();
    };
    match value {
        Value::Array(items) => items.iter().any(|item| nests(item, left)),
        Value::Object(fields) => fields.values().any(|field| nests(field, left)),
        _ => false,
    }
}

/// A byte order mark.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// One document of a file: the line on which it begins, and its value.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) line: u64,
    pub(crate) value: Value,
}

/// The JSON documents of a file, one after the other: a single document, JSON lines, or several
/// documents in a row. Of a page that is broken in one of its records, or that the end of the file cuts,
/// the whole records before that come. Then it goes on at the next line that begins a document, or a
/// record of that page, and what a list was to hold together may stand between documents from then on.
/// A byte order mark may stand before each document, as where files were put together.
///
/// Bytes that are no UTF-8 and halves of characters (`\ud83d` alone, as where a program cut an
/// emoji in two) are read as U+FFFD and told, one problem for each document.
pub(crate) struct Documents<'a> {
    bytes: Cow<'a, [u8]>,
    at: usize,
    line: u64,
    /// What stands in place of what was no character: in which line and column of the file.
    mended: Option<VecDeque<(u64, usize)>>,
    is_broken: bool,
    /// What stands before each record of the page that was broken last, on its line.
    margin: Option<Vec<u8>>,
    /// The place of the last problem, so that it is told once.
    last: Option<(u64, usize)>,
    told: Option<RecordError>,
}

impl<'a> Documents<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes: Cow::Borrowed(bytes),
            at: 0,
            line: 1,
            mended: None,
            is_broken: false,
            margin: None,
            last: None,
            told: None,
        }
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn advance(&mut self, to: usize) {
        let passed = self.bytes.get(self.at..to).unwrap_or_default();
        self.line += count_lines(passed);
        self.at = to.max(self.at);
    }

    /// How long what stands between documents is here.
    fn between(&self) -> usize {
        let rest = self.rest();
        let mut length = 0;
        while let Some(byte) = rest.get(length) {
            let is_blank =
                byte.is_ascii_whitespace() || self.is_broken && matches!(byte, b',' | b']' | b'}');
            if is_blank {
                length += 1;
            } else if rest.get(length..).is_some_and(|rest| rest.starts_with(MARK)) {
                length += MARK.len();
            } else {
                break;
            }
        }
        length
    }

    /// The next offset after the current line at which a line begins a document, or a record of the
    /// page that was broken.
    fn next_start(&self) -> usize {
        let mut at = self.at;
        while let Some(end) =
            self.bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\n'))
        {
            at += end + 1;
            let line = self.bytes.get(at..).unwrap_or_default();
            let line = line.strip_prefix(MARK).unwrap_or(line);
            let record = self.margin.as_deref().and_then(|margin| line.strip_prefix(margin));
            if matches!(line.first(), Some(b'{' | b'['))
                || record.is_some_and(|record| record.first() == Some(&b'{'))
            {
                return at;
            }
        }
        self.bytes.len()
    }

    /// Goes up to what is broken in a page of records, and gives the whole ones before it, where there
    /// are any; then it stands where the next one begins. Of anything else it stays at the beginning.
    fn pass_fault(&mut self, error: &serde_json::Error) -> Option<Value> {
        let fault = offset(self.rest(), error.line(), error.column());
        let page = Page::of(self.rest().get(..fault).unwrap_or_default());
        if page.is_record || page.margin.is_none() && page.whole.is_none() {
            // A record by itself, or one of the page that was broken before it.
            if self.margin.as_deref() != margin(&self.bytes, self.at) {
                self.margin = None;
            }
            return None;
        }
        self.margin = page.margin;
        // The line end at which a text ends that was not closed begins the next line.
        self.advance(self.at + fault.saturating_sub(1));
        let whole = page.whole?;
        self.advance(self.next_start());
        Some(whole)
    }

    /// Replaces what is no character in all that is still to be read; whether there was any. Once.
    fn mend(&mut self) -> bool {
        if self.mended.is_some() {
            return false;
        }
        let (text, places) = mended(self.rest(), self.line);
        let is_mended = !places.is_empty();
        if is_mended {
            (self.bytes, self.at) = (Cow::Owned(text), 0);
        }
        self.mended = Some(places);
        is_mended
    }

    /// What was mended in the document that was just read, whose first line this is.
    fn tell_mended(&mut self, line: u64) {
        let mut passed = Vec::new();
        if let Some(places) = &mut self.mended {
            while places.front().is_some_and(|(of, _)| *of <= self.line) {
                passed.extend(places.pop_front());
            }
        }
        let Some((of, column)) = passed.first() else { return };
        let more = match passed.len() {
            1 => String::new(),
            count => format!(", and in {} more places", count - 1),
        };
        let problem = format!("no character (line {of}, column {column}{more}): read as U+FFFD");
        self.told = Some(RecordError::new(problem).on_line(line));
    }
}

/// A text with U+FFFD where there is no character, and the lines and columns at which it stands.
fn mended(bytes: &[u8], line: u64) -> (Vec<u8>, VecDeque<(u64, usize)>) {
    let mut text: Vec<u8> = Vec::with_capacity(bytes.len());
    let mut places = VecDeque::new();
    let (mut line, mut line_start) = (line, 0);
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid().as_bytes();
        while let Some((first, behind)) = rest.split_first() {
            let taken = match first {
                b'\n' => {
                    line += 1;
                    line_start = text.len() + 1;
                    1
                }
                b'\\' if behind.first() == Some(&b'u') => match surrogate(rest) {
                    Some(_) if is_pair(rest) => 12,
                    Some(_) => {
                        places.push_back((line, text.len() - line_start + 1));
                        text.extend_from_slice(br"\ufffd");
                        rest = rest.get(6..).unwrap_or_default();
                        continue;
                    }
                    None => 2,
                },
                b'\\' => 2,
                _ => 1,
            };
            let (taken, after) = rest.split_at(taken.min(rest.len()));
            text.extend_from_slice(taken);
            rest = after;
        }
        if !chunk.invalid().is_empty() {
            places.push_back((line, text.len() - line_start + 1));
            text.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    (text, places)
}

/// The half of a character that an escape at the start of a text stands for.
fn surrogate(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(br"\u")?.get(..4)?;
    let half = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (0xd800..0xe000).contains(&half).then_some(half)
}

/// Whether a text begins with both halves of a character.
fn is_pair(text: &[u8]) -> bool {
    let second = text.get(6..).and_then(surrogate);
    surrogate(text).is_some_and(|first| first < 0xdc00) && second.is_some_and(|it| it >= 0xdc00)
}

/// What of a document stands before the place where it is cut or broken.
#[derive(Debug, Default)]
struct Page {
    /// The whole records: the elements of its list, or of the lists right within it. Its other fields
    /// do not come, for those that are missing could say more.
    whole: Option<Value>,
    /// What stands before the last record on its line, where that is nothing but space.
    margin: Option<Vec<u8>>,
    /// Whether it is a record itself: it has an id.
    is_record: bool,
}

impl Page {
    fn of(cut: &[u8]) -> Self {
        let mut page = Self::default();
        let mut open: Vec<u8> = Vec::new();
        let (mut begun, mut end) = (None, None);
        let mut bytes = cut.iter().enumerate();
        while let Some((at, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    let mut behind = at;
                    while let Some((at, byte)) = bytes.next() {
                        behind = at;
                        match byte {
                            b'"' => break,
                            b'\\' => drop(bytes.next()),
                            _ => {}
                        }
                    }
                    let text = cut.get(at..=behind).unwrap_or_default();
                    page.is_record |= open == [b'}'] && matches!(text, br#""id""# | br#""sid""#);
                }
                b'{' => {
                    if is_list(&open) {
                        begun = Some(at);
                    }
                    open.push(b'}');
                }
                b'[' => open.push(b']'),
                b'}' | b']' => {
                    open.truncate(open.len().saturating_sub(1));
                    if is_list(&open) {
                        end = Some((at + 1, open.clone()));
                    }
                }
                _ => {}
            }
        }
        page.margin = begun.and_then(|at| margin(cut, at)).map(<[u8]>::to_vec);
        page.whole = end.and_then(|(end, open)| whole_records(cut.get(..end)?, &open));
        page
    }
}

/// Whether what is open is the list of a document, or one right within it.
fn is_list(open: &[u8]) -> bool {
    matches!(open, [b']'] | [b'}', b']'])
}

/// What stands before a place on its line, if that is nothing but space.
fn margin(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let before = bytes.get(..at)?;
    let start = before.iter().rposition(|byte| *byte == b'\n')? + 1;
    before.get(start..).filter(|margin| margin.iter().all(|byte| matches!(byte, b' ' | b'\t')))
}

/// The records of a document that is cut behind one of them, with what is open there.
fn whole_records(cut: &[u8], open: &[u8]) -> Option<Value> {
    let mut text = cut.to_vec();
    text.extend(open.iter().rev());
    match serde_json::from_slice(&text).ok()? {
        Value::Object(mut fields) => {
            fields.retain(|_, value| value.is_array());
            Some(Value::Object(fields))
        }
        other => Some(other),
    }
}

/// Where in a text a line and a column of it are.
fn offset(text: &[u8], line: usize, column: usize) -> usize {
    let lines = text.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1));
    (lines.map(<[u8]>::len).sum::<usize>() + column).min(text.len())
}

/// What is wrong with a document that begins on a line, with the place in the file.
fn syntax(error: &serde_json::Error, (line, column): (u64, usize)) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
    format!("not JSON: {text} (line {line}, column {column})")
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

impl Iterator for Documents<'_> {
    type Item = Result<Document, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(told) = self.told.take() {
            return Some(Err(told));
        }
        loop {
            self.advance(self.at + self.between());
            if self.rest().is_empty() {
                return None;
            }
            let line = self.line;
            let mut documents =
                serde_json::Deserializer::from_slice(self.rest()).into_iter::<Value>();
            let error = match documents.next()? {
                Ok(value) => {
                    let read = documents.byte_offset();
                    self.advance(self.at + read);
                    self.tell_mended(line);
                    return Some(Ok(Document { line, value }));
                }
                Err(error) => error,
            };
            if self.mend() {
                continue;
            }
            let below = u64::try_from(error.line().saturating_sub(1)).unwrap_or_default();
            let place = (line + below, error.column());
            let problem = RecordError::new(syntax(&error, place)).on_line(line);
            if error.is_eof()
                && let Some(value) = Page::of(self.rest()).whole
            {
                self.advance(self.bytes.len());
                self.told = Some(problem);
                return Some(Ok(Document { line, value }));
            }
            self.is_broken = true;
            if !error.is_eof()
                && let Some(value) = self.pass_fault(&error)
            {
                self.last = Some(place);
                self.told = Some(problem);
                return Some(Ok(Document { line, value }));
            }
            self.advance(self.next_start());
            if self.last.replace(place) != Some(place) {
                return Some(Err(problem));
            }
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
            take(shallow(item, format!("{pointer}/{position}")));
        }
    } else {
        take(shallow(value, pointer));
    }
}

/// A record, unless it nests too deeply.
fn shallow(value: &Value, pointer: String) -> Result<Object<'_>, RecordError> {
    if nests(value, DEPTH_LIMIT) {
        let problem = format!("nested more than {DEPTH_LIMIT} levels deep");
        return Err(RecordError::new(problem).at(pointer));
    }
    Object::of(value, pointer)
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
        digest(&serde_json::to_string(self.fields).unwrap_or_default())
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

    /// What stands in these fields and is no object, or no list of objects.
    pub(crate) fn misshapen(&self, objects: &[&str], lists: &[&str]) -> Vec<RecordError> {
        let objects = objects.iter().filter(|field| self.has(field));
        let wrong = objects.filter(|field| self.object(field).is_none());
        let wrong = wrong.map(|field| self.problem(field, "not an object"));
        let lists = lists.iter().flat_map(|field| self.objects(field)).filter_map(Result::err);
        wrong.chain(lists).collect()
    }

    /// The objects of the array in a field that are objects.
    pub(crate) fn list(&self, field: &str) -> Vec<Self> {
        self.objects(field).into_iter().filter_map(Result::ok).collect()
    }

    /// A text, a number or a truth value as text, without space around it; empty counts as absent.
    /// An id is written in one way: see [`id`].
    pub(crate) fn text(&self, field: &str) -> Option<String> {
        let value = self.get(field)?;
        let is_id = field == "id" || field.ends_with("_id") && field != "external_id";
        let text = if is_id { id(value) } else { scalar(value) };
        text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
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

    /// An id or a word that must be there: text or number.
    pub(crate) fn need(&self, field: &str) -> Result<String, RecordError> {
        let problem = if self.has(field) { "not an id" } else { "missing" };
        self.text(field).ok_or_else(|| self.problem(field, problem))
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

/// A short name for a text.
pub(crate) fn digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().chars().take(32).collect()
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// An id as text. Of a global id (`gid://shopify/Order/450`) the last part counts, which is the id
/// that the other interfaces give; a number with an empty fraction (`71.0`), as programs write it
/// that have no whole numbers with gaps, is a whole one.
fn id(value: &Value) -> Option<String> {
    let text = scalar(value)?;
    let global = text.trim().strip_prefix("gid://").and_then(|global| global.rsplit('/').next());
    let whole = text
        .split_once('.')
        .filter(|(_, fraction)| value.is_number() && fraction.bytes().all(|digit| digit == b'0'));
    Some(match (global, whole) {
        (Some(global), _) => global.to_owned(),
        (None, Some((whole, _))) => whole.to_owned(),
        (None, None) => text,
    })
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

    /// The documents of a text, problems as text.
    fn read(text: &[u8]) -> Vec<String> {
        let told = Documents::new(text).map(|document| match document {
            Ok(document) => format!("{}: {}", document.line, document.value),
            Err(error) => error.to_string(),
        });
        told.collect()
    }

    #[test]
    fn what_is_no_character_spoils_no_more_than_itself() {
        let text = b"{\"id\": 1}\n{\"a\": [\"hi \\ud83d\", \"\\ud83d\\ude00\", \"\\\\ud83d\"],\n \"b\": \"caf\xe9\"}\n{\"id\": 3}";
        assert_eq!(
            read(text),
            [
                "1: {\"id\":1}",
                "2: {\"a\":[\"hi \u{fffd}\",\"\u{1f600}\",\"\\\\ud83d\"],\"b\":\"caf\u{fffd}\"}",
                "2: no character (line 2, column 12, and in 1 more places): read as U+FFFD",
                "4: {\"id\":3}",
            ]
        );
    }

    #[test]
    fn of_a_page_that_is_cut_the_whole_records_come() {
        let cut = "not JSON: EOF while parsing an object";
        let list = read(b"[\n{\"id\": 1},\n{\"id\": 2},\n{\"id\": 3, \"a\": [{}]");
        assert_eq!(list[0], "1: [{\"id\":1},{\"id\":2}]");
        assert!(list.len() == 2 && list[1].starts_with(&format!("1: {cut}")), "{list:?}");
        let page = read(
            b"{\"count\": 3, \"users\": [{\"id\": 7}], \"tickets\": [{\"id\": 1}, {\"id\": \"}",
        );
        assert_eq!(page[0], "1: {\"tickets\":[{\"id\":1}],\"users\":[{\"id\":7}]}");
        assert_eq!(page.len(), 2, "{page:?}");
    }

    #[test]
    fn one_broken_element_of_a_list_is_told_once() {
        let list = read(b"[\n{\"id\": 1},\n{\"id\": x},\n{\"id\": 3}\n]\n{\"id\": 4}");
        assert_eq!(
            list,
            [
                "1: [{\"id\":1}]",
                "1: not JSON: expected value (line 3, column 8)",
                "4: {\"id\":3}",
                "6: {\"id\":4}",
            ]
        );
    }

    #[test]
    fn one_broken_record_of_a_page_spoils_no_other() {
        let record =
            |id: usize| serde_json::json!({"id": id, "s": format!("s{id}"), "f": [{"v": 1}]});
        let page =
            serde_json::json!({"count": 9, "tickets": (1..10).map(record).collect::<Vec<_>>()});
        let indented = serde_json::to_string_pretty(&page).unwrap();
        let lines: Vec<String> = (1..10).map(|id| format!("  {}", record(id))).collect();
        let lines = format!("{{\"tickets\": [\n{}\n]}}", lines.join(",\n"));
        for page in [indented, lines] {
            for broken in [vec![1], vec![5], vec![9], vec![1, 2, 9], vec![4, 6]] {
                for fault in ["\"s#", "\"s\t#\"", "\"s\n#\"", "x"] {
                    let mut page = page.clone();
                    for id in &broken {
                        let fault = fault.replace('#', &id.to_string());
                        page = page.replace(&format!("\"s{id}\""), &fault);
                    }
                    let told: Vec<_> = Documents::new(page.as_bytes()).collect();
                    let mut ids: Vec<u64> = Vec::new();
                    for document in told.iter().flatten() {
                        let value = &document.value;
                        let list = value.get("tickets").and_then(Value::as_array).cloned();
                        let records = list.unwrap_or_else(|| vec![value.clone()]);
                        ids.extend(records.iter().map(|record| record["id"].as_u64().unwrap()));
                    }
                    let whole: Vec<u64> = (1..10).filter(|id| !broken.contains(id)).collect();
                    assert_eq!(ids, whole, "{page}");
                    let problems = told.iter().filter(|it| it.is_err()).count();
                    assert_eq!(problems, broken.len(), "{page}");
                }
            }
        }
    }

    #[test]
    fn a_record_that_is_broken_gives_no_part_of_itself() {
        let order = "{\n  \"id\": 1,\n  \"lines\": [\n    {\"a\": 1},\n    {\"a\": x},\n    {\"a\": 3}\n  ]\n}\n{\"id\": 2}";
        let told = read(order.as_bytes());
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[1], "9: {\"id\":2}");
    }

    #[test]
    fn a_byte_order_mark_may_stand_before_each_document() {
        let mark = "\u{feff}";
        let files = format!(
            "{mark}{{\"id\": 1}}\n{mark}{{\"id\": 2}}{mark}[3]\n{mark}{{\"id\": x}}\n{mark}{{\"id\": 4}}\n"
        );
        let told = read(files.as_bytes());
        assert_eq!(told[..3], ["1: {\"id\":1}", "2: {\"id\":2}", "2: [3]"]);
        assert!(told.len() == 5 && told[4] == "4: {\"id\":4}", "{told:?}");
    }

    #[test]
    fn an_id_is_written_in_one_way() {
        let value: Value =
            serde_json::from_str(r#"{"id": 71.0, "order_id": "gid://shopify/Order/450", "external_id": "gid://x/1", "price": 24.0}"#)
                .unwrap();
        let object = Object::of(&value, String::new()).unwrap();
        let fields = ["id", "order_id", "external_id", "price"];
        let read = fields.map(|field| object.text(field).unwrap());
        assert_eq!(read, ["71", "450", "gid://x/1", "24.0"]);
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
