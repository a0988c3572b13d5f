//! Reading events from JSON text without a tree of values in between.
//!
//! [`Event::from_json`] says what an event is in JSON, and which error is told. What is read here
//! is the same, or an error; then, and where a text has something on which the two might not
//! agree, the event is read by way of the tree.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Map;
use serde_json::value::RawValue;

use super::fields::{Glance, fill};
use super::{Event, Kind};
use crate::actor::{Actor, ActorType};
use crate::channel::Channel;
use crate::identifier::{Claim, Recent};
use crate::time::Timestamp;

/// Reads events from JSON text, one after the other. It remembers the identifiers it has read last,
/// which those of one person share.
///
/// ```
/// # use cx_core::event::EventReader;
/// let mut reader = EventReader::default();
/// let text = r#"{"key": "crm:acme/call/1", "source": {"system": "crm"}, "kind": "call",
///     "occurred_at": "2026-03-04T10:02:00+01:00", "data": {"duration_s": 240}}"#;
/// assert_eq!(reader.read(text)?.key.as_str(), "crm:acme/call/1");
/// let error = reader.read(&text.replace("240", "\"long\"")).unwrap_err();
/// assert!(error.to_string().starts_with("/data/duration_s: "));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct EventReader {
    recent: Recent,
}

impl EventReader {
    /// Reads the next event.
    ///
    /// # Errors
    /// As [`Event::from_text`].
    pub fn read(&mut self, text: &str) -> Result<Event, serde_json::Error> {
        if is_plain(text)
            && let Ok(event) = self.read_straight(text)
        {
            return Ok(event);
        }
        serde_json::from_str(text)
    }

    fn read_straight(&mut self, text: &str) -> Result<Event, serde_json::Error> {
        let mut from = serde_json::Deserializer::from_str(text);
        let event = from.deserialize_map(Reading { recent: &mut self.recent })?;
        from.end()?;
        Ok(event)
    }
}

/// Whether everything that is skipped in a text could also have been read. What is not looked at is
/// not checked: escapes of characters that do not exist, nesting that is too deep, and the name by
/// which the parser marks numbers.
fn is_plain(text: &str) -> bool {
    const DEEP: usize = 100;
    let opened = text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count();
    opened < DEEP && !text.contains("\\u") && !text.contains("$serde_json")
}

/// The actor of an event. With a field that is none of its own it is left to the tree, which keeps
/// that beside the event; the actors in the data of kinds are read as they are.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Doer {
    #[serde(rename = "type")]
    kind: ActorType,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

impl From<Doer> for Actor {
    fn from(Doer { kind, id, name }: Doer) -> Self {
        Self { kind, id, name }
    }
}

struct Reading<'r> {
    recent: &'r mut Recent,
}

/// The claims of an event, or null.
struct Claims<'r>(&'r mut Recent);

impl<'de> DeserializeSeed<'de> for Claims<'_> {
    type Value = Option<Vec<Claim>>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        self.0.claims(from)
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
        let (mut key, mut rev, mut source, mut channel) = (None, None, None, None);
        let (mut direction, mut visibility, mut actor) = (None, None, None);
        let (mut who, mut name, mut conversation) = (None, None, None);
        let (mut occurred_at, mut utc_offset, mut origin, mut seq) = (None, None, None, None);
        let (mut body, mut attachments, mut extra) = (None, None, None);
        let mut kind: Option<Glance<'de>> = None;
        let mut data: Option<Option<&'de RawValue>> = None;
        let mut unknown = Map::new();
        while let Some(Glance(field)) = map.next_key()? {
            match &*field {
                "key" => fill(&mut key, &mut map)?,
                "rev" => fill(&mut rev, &mut map)?,
                "source" => fill(&mut source, &mut map)?,
                "channel" => fill(&mut channel, &mut map)?,
                "direction" => fill(&mut direction, &mut map)?,
                "visibility" => fill(&mut visibility, &mut map)?,
                "actor" => fill::<_, Option<Doer>>(&mut actor, &mut map)?,
                "name" => fill(&mut name, &mut map)?,
                "conversation" => fill(&mut conversation, &mut map)?,
                "utc_offset" => fill(&mut utc_offset, &mut map)?,
                "occurred_at_origin" => fill(&mut origin, &mut map)?,
                "seq" => fill(&mut seq, &mut map)?,
                "body" => fill(&mut body, &mut map)?,
                "attachments" => fill(&mut attachments, &mut map)?,
                "who" if who.is_none() => who = map.next_value_seed(Claims(self.recent))?,
                "kind" if kind.is_none() => kind = map.next_value()?,
                "data" if data.is_none() => data = map.next_value::<Option<_>>()?.map(Some),
                "extra" if extra.is_none() => extra = map.next_value()?,
                "occurred_at" if occurred_at.is_none() => {
                    let Glance(text) = map.next_value()?;
                    let at = Timestamp::parse_with_offset(&text).map_err(A::Error::custom)?;
                    occurred_at = Some(at);
                }
                "who" | "kind" | "data" | "extra" | "occurred_at" => {
                    return Err(A::Error::custom("written twice"));
                }
                _ => {
                    unknown.insert(field.into_owned(), map.next_value()?);
                }
            }
        }
        unknown.retain(|_, value: &mut serde_json::Value| !value.is_null());
        let missing = || A::Error::custom("missing");
        let Glance(kind) = kind.ok_or_else(missing)?;
        let (occurred_at, written_offset) = occurred_at.ok_or_else(missing)?;
        Ok(Event {
            key: key.flatten().ok_or_else(missing)?,
            rev: rev.flatten(),
            source: source.flatten().ok_or_else(missing)?,
            kind: Kind::read(&kind, data.flatten()).map_err(A::Error::custom)?,
            channel: channel.flatten().unwrap_or(Channel::Other(String::new())),
            direction: direction.flatten().unwrap_or_default(),
            visibility: visibility.flatten().unwrap_or_default(),
            actor: actor.flatten().map(Actor::from).unwrap_or_default(),
            who: who.unwrap_or_default(),
            name: name.flatten(),
            conversation: conversation.flatten(),
            occurred_at,
            utc_offset: utc_offset.flatten().or(written_offset),
            occurred_at_origin: origin.flatten().unwrap_or_default(),
            seq: seq.flatten(),
            body: body.flatten(),
            attachments: attachments.unwrap_or_default(),
            extra: extra.unwrap_or_default(),
            unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// Words that mean something somewhere, and words that mean nothing.
    const WORDS: &[&str] = &[
        "key",
        "rev",
        "source",
        "kind",
        "channel",
        "direction",
        "visibility",
        "actor",
        "who",
        "name",
        "conversation",
        "occurred_at",
        "utc_offset",
        "occurred_at_origin",
        "seq",
        "body",
        "attachments",
        "data",
        "extra",
        "system",
        "instance",
        "id",
        "type",
        "ns",
        "value",
        "scope",
        "region",
        "role",
        "assurance",
        "shared",
        "text",
        "lang",
        "aliases",
        "subject",
        "to",
        "from",
        "state",
        "lines",
        "quantity",
        "price",
        "total",
        "currency",
        "order_id",
        "target",
        "duration_s",
        "outcome",
        "score",
        "scale",
        "min",
        "max",
        "good",
        "address",
        "fields",
        "pinned",
        "message",
        "call",
        "order.placed",
        "profile.updated",
        "conversation.status",
        "conversation.field",
        "feedback.answered",
        "subscription.renewed",
        "consent.changed",
        "email",
        "phone",
        "in",
        "agent",
        "customer",
        "open",
        "public",
        "2026-03-04T10:02:00Z",
        "2026-03-04T10:02:00+01:00",
        "jan@example.nl",
        "06 12345678",
        "NL",
        "EUR",
        "19.95",
        "null",
        "whatever",
        "$serde_json::private::Number",
        "$serde_json::private::RawValue",
        "",
    ];

    const NUMBERS: &[&str] = &[
        "0",
        "-0",
        "1",
        "5",
        "-3",
        "1.50",
        "1e2",
        "1E400",
        "18446744073709551616",
        "0.1e-7",
        "123456789012345678901234567890",
        "01",
        "1.",
    ];

    /// What may stand in a text between quotation marks, most of it well.
    const WRITINGS: &[&str] =
        &["é", "\\n", "\\u0041", "\\ud800", "\\ud83d\\ude00", "\\x", "\t", "\\/"];

    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            12 => select(WORDS).prop_map(|word| format!("\"{word}\"")),
            1 => (select(WORDS), select(WRITINGS)).prop_map(|(word, more)| format!("\"{word}{more}\"")),
        ]
    }

    fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
        vec((text(), value), 0..5).prop_map(|fields| {
            let fields: Vec<String> =
                fields.into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
            format!("{{{}}}", fields.join(","))
        })
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            4 => text(),
            2 => select(NUMBERS).prop_map(str::to_owned),
            2 => select(&["null", "true", "false"][..]).prop_map(str::to_owned),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
                object(inner),
            ]
        })
    }

    /// Fields as they should be, by name.
    const FIELDS: &[(&str, &[&str])] = &[
        ("rev", &["\"7\"", "null"]),
        ("channel", &["\"email\"", "\"kiosk\""]),
        ("direction", &["\"in\"", "\"out\""]),
        ("visibility", &["\"internal\""]),
        ("actor", &[r#"{"type": "agent", "name": "Eva"}"#, r#"{"type": "agent", "x": [1]}"#]),
        (
            "who",
            &[
                r#"[{"ns": "email", "value": "Jan@Example.nl", "role": "from"}]"#,
                r#"[{"ns": "phone", "value": "06 12345678", "region": "NL"},
                    {"ns": "phone", "value": "06 12345678", "region": "BE"},
                    {"ns": "phone", "value": "06 12345678"},
                    {"ns": "helpdesk", "scope": " zendesk:acme", "value": "42"},
                    {"ns": "helpdesk", "scope": "zendesk:acme", "value": "42"},
                    {"ns": "crm", "scope": "zendesk:acme", "value": "42", "shared": true}]"#,
                r#"[{"ns": "email", "value": "null"}]"#,
            ],
        ),
        ("name", &["\"Jan\""]),
        ("source", &[r#"{"system": "crm", "shard": 7, "extra": null}"#]),
        ("conversation", &[r#"{"key": "c/1", "aliases": ["c/2"], "x": {}}"#, r#"{"key": ""}"#]),
        ("utc_offset", &["\"+01:00\"", "\"+25:00\""]),
        ("occurred_at_origin", &["\"import\""]),
        ("seq", &["3", "1.0"]),
        ("body", &[r#"{"text": "Hallo", "truncated": true}"#, r#"{"text": "Hallo", "x": [1.50]}"#]),
        ("attachments", &[r#"[{"name": "a.pdf", "size": 12, "x": 1}]"#, "[null]"]),
        ("extra", &[r#"{"big": 123456789012345678901234567890, "n": null}"#, "[]"]),
        ("tier", &["\"gold\"", "null", "1.10"]),
    ];

    const KINDS: &[(&str, &str)] = &[
        ("message", r#"{"message_id": "<1@x>", "subject": null, "more": {"a": [1.50]}}"#),
        ("note", "{}"),
        (
            "call",
            r#"{"duration_s": 240, "outcome": "answered", "started_at": "2026-03-04T10:02:00Z"}"#,
        ),
        ("call", r#"{"duration_s": 2.5}"#),
        ("conversation.status", r#"{"to": "open", "from": null}"#),
        ("conversation.status", r#"{"from": "open"}"#),
        ("conversation.field", r#"{"name": "vip", "from": {"a": 1}, "to": 1.0}"#),
        (
            "order.placed",
            r#"{"order_id": "1", "total": "19.95", "currency": "EUR", "lines": [{"name": "a", "quantity": 1}]}"#,
        ),
        ("feedback.answered", r#"{"survey": "csat", "score": 4, "scale": {"min": 1, "max": 5}}"#),
        (
            "profile.updated",
            r#"{"address": "Kerkstraat 1", "fields": [{"name": "x", "value": null}], "pinned": true}"#,
        ),
        ("mail.opened", r#"{"machine": "yes"}"#),
        ("subscription.renewed", r#"{"subscription_id": "s"}"#),
        ("loyalty.redeemed", r#"{"points": 1e3, "x": null}"#),
    ];

    /// Events that are nearly right: some fields arbitrary, twice or missing, in any order.
    fn event() -> impl Strategy<Value = String> {
        let fixed = prop_oneof![30 => Just(true), 1 => Just(false)];
        let field = prop_oneof![
            16 => select(FIELDS).prop_flat_map(|(name, values)| {
                select(values).prop_map(move |value| format!("\"{name}\": {value}"))
            }),
            1 => (text(), json()).prop_map(|(name, value)| format!("{name}: {value}")),
        ];
        (select(KINDS), vec(fixed, 4), vec(field, 0..6), proptest::option::weighted(0.1, json()))
            .prop_map(|((kind, data), has, mut fields, other)| {
                let data = other.as_deref().unwrap_or(data);
                let all = [
                    "\"key\": \"k/1\"".to_owned(),
                    "\"source\": {\"system\": \"crm\", \"instance\": \"acme\"}".to_owned(),
                    format!("\"kind\": \"{kind}\", \"data\": {data}"),
                    "\"occurred_at\": \"2026-03-04T10:02:00+01:00\"".to_owned(),
                ];
                let there = all.into_iter().zip(has).filter(|(_, has)| *has);
                fields.extend(there.map(|(field, _)| field));
                fields
            })
            .prop_shuffle()
            .prop_map(|fields| format!("{{{}}}", fields.join(", ")))
    }

    fn agrees(reader: &mut EventReader, text: &str) -> Result<(), TestCaseError> {
        let through = serde_json::from_str::<Event>(text).map_err(|error| error.to_string());
        let straight = reader.read(text).map_err(|error| error.to_string());
        prop_assert_eq!(straight, through, "{}", text);
        Ok(())
    }

    proptest! {
        #[test]
        fn what_is_read_straight_is_what_is_read_through_a_tree(texts in vec(event(), 1..4)) {
            let mut reader = EventReader::default();
            for text in texts {
                agrees(&mut reader, &text)?;
            }
        }

        #[test]
        fn any_other_text_is_refused_alike(text in json(), end in select(&["", "}", " ", "{}"][..])) {
            agrees(&mut EventReader::default(), &format!("{text}{end}"))?;
        }
    }

    #[test]
    fn nothing_that_is_skipped_goes_unchecked() {
        let event = |field: &str| {
            format!(
                r#"{{"key": "k", "source": {{"system": "s", "x": {field}}}, "kind": "note", "occurred_at": "2026-03-04T10:02:00Z"}}"#
            )
        };
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        for field in
            [deep.as_str(), "\"\\ud800\"", "{\"$serde_json::private::Number\": \"x\"}", "01"]
        {
            let text = event(field);
            let through = serde_json::from_str::<Event>(&text).map_err(|error| error.to_string());
            assert_eq!(Event::from_text(&text).map_err(|error| error.to_string()), through);
        }
    }

    #[test]
    fn what_cx_writes_is_read_straight() {
        let company = crate::synthetic::Company::new(1, 2_000);
        let mut reader = EventReader::default();
        for event in company.take(3_000) {
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(reader.read_straight(&text).unwrap(), event);
        }
    }
}
