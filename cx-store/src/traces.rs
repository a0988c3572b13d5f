//! Traces: how somebody who is erased stands in what others wrote, and that without it.

use std::collections::BTreeSet;
use std::ops::Range;

use cx_core::event::{Event, Kind};
use cx_core::identifier::{Claim, Identifier};
use cx_core::spelling::{self, Spelling, Spellings};
use rusqlite::Connection;
use serde_json::{Map, Value};

use crate::error::StoreError;

/// What stands in the place of a person's identifiers in what others wrote.
const ERASED: &str = "[erased]";

/// What stands in the place of other people's identifiers in what a person is given.
const SOMEBODY: &str = "[somebody else]";

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

/// The addresses and numbers by which somebody was known, and all ways to write them.
pub(crate) struct Traces {
    /// As they are kept, and as they were written.
    pub(crate) strings: Vec<String>,
    /// The longest first.
    pub(crate) spellings: Vec<Spelling>,
    /// How many of the strings are a part of a longer value that somebody else has.
    pub(crate) part_of_others: u64,
    /// Those longer values, each with where in its bytes it has one of the spellings: within them
    /// nothing is meant.
    longer: Vec<(usize, Spelling)>,
    /// What stands in their place.
    instead: &'static str,
}

impl Traces {
    /// Of these identifiers, and of the texts in which their records wrote them. What is very short
    /// would be found everywhere.
    pub(crate) fn new(
        identifiers: &BTreeSet<&Identifier>,
        written: impl IntoIterator<Item = String>,
    ) -> Self {
        let (mut strings, mut spellings) = (BTreeSet::new(), BTreeSet::new());
        for identifier in identifiers {
            strings.insert(identifier.key().to_owned());
            spellings.extend(Spelling::all(identifier));
        }
        strings.extend(written);
        strings.retain(|text| text.len() > 4);
        spellings.extend(strings.iter().flat_map(|text| Spelling::of_written(text)));
        let spellings = spellings.into_iter().filter(|spelling| spelling.length() > 4);
        let of_spellings = Self::of_spellings(spellings.collect());
        Self { strings: strings.into_iter().collect(), ..of_spellings }
    }

    /// Only these.
    pub(crate) fn of_spellings(mut spellings: Vec<Spelling>) -> Self {
        spellings.sort_by_key(|spelling| std::cmp::Reverse(spelling.length()));
        Self {
            strings: Vec::new(),
            spellings,
            part_of_others: 0,
            longer: Vec::new(),
            instead: ERASED,
        }
    }

    /// Of other people, in what somebody is given.
    pub(crate) fn of_others(identifiers: &BTreeSet<&Identifier>) -> Self {
        Self { instead: SOMEBODY, ..Self::new(identifiers, []) }
    }

    /// Finds the longer values that others have, now that the person's are gone.
    pub(crate) fn know_others(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let (mut longer, mut n) = (BTreeSet::new(), 0);
        for string in &self.strings {
            let of_others = longer_of_others(connection, string)?;
            n += u64::from(!of_others.is_empty());
            longer.extend(of_others);
        }
        self.part_of_others = n;
        self.leave(&longer);
        Ok(())
    }

    /// Leaves these longer values as they are.
    pub(crate) fn leave(&mut self, longer: &BTreeSet<String>) {
        let any = Spellings::new(&self.in_files());
        let mut within = Vec::new();
        for value in longer {
            for value in [value.clone(), in_json(value)] {
                let bytes = value.as_bytes();
                let places = (0..bytes.len()).filter(|at| any.any_at(bytes, *at));
                within.extend(places.map(|at| (at, Spelling::of_text(&value))));
            }
        }
        within.sort();
        within.dedup();
        self.longer = within;
    }

    /// Whether what begins at this place stands within a longer value that somebody else has.
    fn is_of_others(&self, bytes: &[u8], at: usize) -> bool {
        self.longer.iter().any(|(within, value)| {
            at.checked_sub(*within).is_some_and(|start| value.at(bytes, start).is_some())
        })
    }

    /// Where a spelling stands in a text as a whole word, from a place on. Behind an address a dot
    /// or a dash goes on with it only where somebody else has the longer one: nobody has
    /// `jan@example.nl.pdf`.
    fn find(&self, text: &str, spelling: &Spelling, from: usize) -> Option<Range<usize>> {
        let mut from = from;
        loop {
            let place = find(text, spelling, from, &[])?;
            if !self.is_of_others(text.as_bytes(), place.start) {
                return Some(place);
            }
            from = place.start + 1;
        }
    }

    /// The spellings, and those under which they stand between the quotation marks of JSON.
    pub(crate) fn in_files(&self) -> Vec<Spelling> {
        let mut all = self.spellings.clone();
        for text in &self.strings {
            let written = Spelling::of_text(&in_json(text));
            if !all.contains(&written) {
                all.push(written);
            }
        }
        all
    }
}

/// The longer addresses and numbers that somebody has in which this string stands, and not as a word
/// of its own. The key of a conversation or an order is nobody's value.
fn longer_of_others(connection: &Connection, string: &str) -> Result<Vec<String>, StoreError> {
    let mut longer = connection.prepare_cached(
        "SELECT DISTINCT i.key FROM identifier i JOIN dict d ON d.id = i.ns
         WHERE d.name IN ('email', 'phone', 'wa_id', 'sip', 'social', 'national_id', 'address')
           AND instr(lower(i.key), lower(?1)) > 0",
    )?;
    let longer = longer.query_map([string], |row| row.get(0))?;
    let longer: Vec<String> = longer.collect::<Result<_, _>>()?;
    let word = Spelling::of_text(string);
    Ok(longer.into_iter().filter(|value| find(value, &word, 0, &['.', '-']).is_none()).collect())
}

/// Traces, as they are looked for in bytes: wherever they stand, be it within a longer word.
pub(crate) struct Search<'a> {
    traces: &'a Traces,
    spellings: Vec<Spelling>,
    any: Spellings,
}

impl<'a> Search<'a> {
    pub(crate) fn new(traces: &'a Traces) -> Self {
        let spellings = traces.in_files();
        Self { traces, any: Spellings::new(&spellings), spellings }
    }

    /// Whether any of them stands in these bytes at this place, and not within a longer value that
    /// somebody else has.
    pub(crate) fn is_at(&self, bytes: &[u8], at: usize) -> bool {
        self.any.any_at(bytes, at) && !self.traces.is_of_others(bytes, at)
    }

    /// Whether any of them stands anywhere in a text.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        (0..text.len()).any(|at| self.is_at(text.as_bytes(), at))
    }

    pub(crate) fn most_bytes(&self) -> usize {
        let longer = self.traces.longer.iter().map(|(_, value)| value);
        self.spellings.iter().chain(longer).map(Spelling::most_bytes).max().unwrap_or(0)
    }
}

/// A text as it stands between the quotation marks of JSON.
fn in_json(text: &str) -> String {
    let written = Value::from(text).to_string();
    let inner = written.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

/// An event without these spellings and values, as far as they may go.
pub(crate) fn blacked(event: &Event, traces: &Traces, values: &BTreeSet<&Identifier>) -> Event {
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
        black(text, traces);
    }
    for fields in [&mut left.extra, &mut left.unknown] {
        black_fields(fields, traces, Numbers::Black);
    }
    // Where a number stands that has a meaning, it is none of the person's.
    let mut kinds = [Numbers::Black, Numbers::Keep].into_iter();
    if let Some(kind) = kinds.find_map(|numbers| blacked_kind(&event.kind, traces, numbers)) {
        left.kind = kind;
    }
    left
}

/// What happened, without these spellings; `None` where it would be something else.
fn blacked_kind(kind: &Kind, traces: &Traces, numbers: Numbers) -> Option<Kind> {
    let is_name = |field: &str| {
        let is_profile = matches!(kind, Kind::ProfileUpdated(_));
        NAMES.contains(&field) || is_profile && NAMES_OF_PERSON.contains(&field)
    };
    let (names, mut free): (Map<_, _>, Map<_, _>) =
        kind.to_json().into_iter().partition(|(field, _)| is_name(field));
    black_fields(&mut free, traces, numbers);
    free.extend(names);
    Kind::from_json(&kind.name(), free).ok()
}

/// Whether a number that is one of the person's is blacked out as a whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    Black,
    Keep,
}

fn black_value(value: &mut Value, traces: &Traces, numbers: Numbers) {
    match value {
        Value::String(text) => black(text, traces),
        Value::Array(values) => values.iter_mut().for_each(|it| black_value(it, traces, numbers)),
        Value::Object(fields) => black_fields(fields, traces, numbers),
        Value::Number(number) => {
            if numbers == Numbers::Black && stands_in(&number.to_string(), traces) {
                *value = Value::from(traces.instead);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn black_fields(fields: &mut Map<String, Value>, traces: &Traces, numbers: Numbers) {
    for (mut name, mut value) in std::mem::take(fields) {
        black(&mut name, traces);
        black_value(&mut value, traces, numbers);
        // Two names may be one now.
        let blacked = name.clone();
        let mut n = 1_usize;
        while fields.contains_key(&name) {
            n += 1;
            name = format!("{blacked} {n}");
        }
        fields.insert(name, value);
    }
}

/// Takes these out of a text, longest first, wherever they are whole words. Linear in the length of
/// the text for each spelling.
pub(crate) fn black(text: &mut String, traces: &Traces) {
    // A number may begin right behind another one that is gone: `+31612345678+31612345678`.
    for spelling in traces.spellings.iter().flat_map(|spelling| [spelling, spelling]) {
        let Some(mut place) = traces.find(text, spelling, 0) else { continue };
        let (mut left, mut from) = (String::with_capacity(text.len()), 0);
        loop {
            left.push_str(text.get(from..place.start).unwrap_or_default());
            left.push_str(traces.instead);
            from = place.end;
            let Some(next) = traces.find(text, spelling, from) else { break };
            place = next;
        }
        left.push_str(text.get(from..).unwrap_or_default());
        *text = left;
    }
}

/// Whether any of these is a whole word of a text.
fn stands_in(text: &str, traces: &Traces) -> bool {
    traces.spellings.iter().any(|spelling| traces.find(text, spelling, 0).is_some())
}

/// Where a spelling stands in a text as a whole word, from a place on; behind an address with any of
/// these it is none.
fn find(text: &str, spelling: &Spelling, from: usize, joints: &[char]) -> Option<Range<usize>> {
    let bytes = text.as_bytes().iter().enumerate().skip(from);
    let mut places = bytes
        .filter(|(at, byte)| spelling.may_begin_with(**byte) && text.is_char_boundary(*at))
        .filter_map(|(at, _)| spelling.at(text.as_bytes(), at));
    let joints = if spelling.is_looked_for() { joints } else { &['.', '-'] };
    places.find(|place| {
        place.start >= from
            && (spelling.is_number() || is_whole(text, place.start, place.end, joints))
    })
}

/// Whether a part of a text is a word, or words, of it: neither within a longer number, nor within a
/// longer address, such as `an@example.nl` within `jan@example.nl` or `x.an@example.nl`.
/// Behind it, only these joints go on with it.
fn is_whole(text: &str, from: usize, to: usize, behind: &[char]) -> bool {
    // What is encoded before it is one character: `to%3Djan%40example.nl`, `\u003cjan@example.nl`.
    let encoded = spelling::encoded_before(text, from);
    let before_it = from.checked_sub(encoded.map_or(0, |(_, width)| width));
    let encoded = encoded.map(|(c, _)| c);
    let parts = [before_it.and_then(|from| text.get(..from)), text.get(from..to), text.get(to..)];
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
    !goes_on(word.chars().next(), &mut encoded.into_iter().chain(before.chars().rev()), &joints)
        && !goes_on(word.chars().next_back(), &mut after.chars(), behind)
}

#[cfg(test)]
mod tests {
    use cx_core::identifier::Namespace;

    use super::*;

    #[test]
    fn an_address_or_number_goes_where_it_is_a_whole_word() {
        let strings = ["+31612345678", "an@example.nl", "0612345678"].map(str::to_owned);
        let mut traces = Traces::new(&BTreeSet::new(), strings);
        traces.leave(&BTreeSet::from(["an@example.nl.uk".to_owned()]));
        for (text, left) in [
            ("an@example.nl", "[erased]"),
            ("<AN@example.nl>, mailto:an@example.nl.", "<[erased]>, mailto:[erased]."),
            ("_an@example.nl_ 'an@example.nl's", "_[erased]_ '[erased]'s"),
            ("jan@example.nl jan.an@example.nl x+an@example.nl", "="),
            ("an@example.nl.uk an@example.nlx an@example.nl2", "="),
            ("an@example.nl.pdf an@example.nl.Groeten", "[erased].pdf [erased].Groeten"),
            ("an@example.nl-x 0612345678.txt", "[erased]-x [erased].txt"),
            ("?to=an%40example.nl.pdf", "?to=[erased].pdf"),
            ("tel:+31612345678,0612345678", "tel:[erased],[erased]"),
            ("tel0612345678x wa +31612345678@c.us", "tel[erased]x wa [erased]@c.us"),
            ("+316123456789 10612345678", "="),
            (
                r"\u003can@example.nl\u003e hoi\nan@example.nl\ran@example.nl",
                r"\u003c[erased]\u003e hoi\n[erased]\r[erased]",
            ),
            ("één an@example.nl é", "één [erased] é"),
        ] {
            let mut blacked = text.to_owned();
            black(&mut blacked, &traces);
            assert_eq!(blacked, if left == "=" { text } else { left });
        }
    }

    #[test]
    fn an_address_or_number_goes_in_whatever_way_it_is_written() {
        let of = |namespace, raw| Identifier::normalise(namespace, "", raw, Some("NL")).unwrap();
        let number = of(Namespace::Phone, "06-1234 5678");
        let address = of(Namespace::Email, "José@müller.example");
        let traces = Traces::new(&BTreeSet::from([&number, &address]), []);
        for (text, left) in [
            ("bel 0612345678 of (06) 12 34 56 78!", "bel [erased] of [erased]!"),
            ("https://wa.me/31612345678?x=1", "https://wa.me/[erased]?x=1"),
            ("JOSÉ@MÜLLER.EXAMPLE, josé@xn--mller-kva.example", "[erased], [erased]"),
            ("?to%3Djos%C3%A9%40m%C3%BCller.example&n=1", "?to%3D[erased]&n=1"),
            ("maria.josé@müller.example +316123456789", "="),
        ] {
            let mut blacked = text.to_owned();
            black(&mut blacked, &traces);
            assert_eq!(blacked, if left == "=" { text } else { left });
        }
    }

    #[test]
    fn no_field_is_lost_where_two_names_become_one() {
        let traces = Traces::new(&BTreeSet::new(), ["an@example.nl".to_owned()]);
        let fields = r#"{"AN@example.nl": 1, "an@example.nl": 2, "x": 3}"#;
        let mut fields: Map<String, Value> = serde_json::from_str(fields).unwrap();
        black_fields(&mut fields, &traces, Numbers::Keep);
        let left = Value::from(fields).to_string();
        assert_eq!(left, r#"{"[erased]":1,"[erased] 2":2,"x":3}"#);
    }

    #[test]
    fn a_text_stands_in_json_without_its_quotation_marks() {
        assert_eq!(in_json("\"e va\"@example.nl\n"), "\\\"e va\\\"@example.nl\\n");
    }
}
