//! Events: one immutable record for each thing that happened.
//!
//! An [`Event`] has the same envelope whatever happened; [`Kind`] says what happened and carries
//! the fields that only such a thing has. Corrections, receipts and merges are further events
//! that point at earlier ones. The JSON of an event is the canonical format of cx: see
//! `docs/model.md`. Fields and kinds that cx does not know come back as they came.

mod canonical;
pub mod fields;
pub mod talk;
pub mod mail;
pub mod conversation;
pub mod promise;
pub mod feedback;
pub mod proactive;
pub mod web;
pub mod commerce;
pub mod identity;
pub mod kind;
mod reader;
mod anonymise;

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::actor::{Actor, ActorType};
use crate::channel::Channel;
use crate::identifier::{Claim, Identifier, Linkable, Namespace, Role, is_region};
use crate::ids::{ConversationKey, EventKey, domain, first16};
use crate::time::{Timestamp, UtcOffset};

pub use fields::FieldError;
pub use kind::Kind;
pub use reader::EventReader;

/// Where a record comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The system: `zendesk`.
    pub system: String,
    /// The account, shop or mailbox in that system: `acme`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instance: String,
    /// What kind of object the record is there: `comment`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// The object's id there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
}

impl Source {
    /// `zendesk:acme`: system and instance, the scope of ids that mean something only there.
    pub fn scope(&self) -> String {
        if self.instance.is_empty() {
            self.system.clone()
        } else {
            format!("{}:{}", self.system, self.instance)
        }
    }
}

/// Which way a thing went, seen from the business.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the customer to the business.
    In,
    /// From the business to the customer.
    Out,
    /// Neither.
    #[default]
    None,
}

impl Direction {
    /// The name as it stands in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::None => "none",
        }
    }
}

/// Whether the customer could see it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// The customer could see it.
    #[default]
    Public,
    /// For the business only.
    Internal,
}

/// How good `occurred_at` is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum TimeOrigin {
    /// The source says when it happened.
    #[default]
    Event,
    /// When the object was created at the source.
    Created,
    /// When a system received it.
    Received,
    /// When it was imported; nothing better is known.
    Import,
}

/// The conversation at its source that an event belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversationRef {
    /// The key of the conversation.
    pub key: ConversationKey,
    /// What it is about, as the source has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The key of the event, or the id of the message, that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Other keys that mean this conversation too. A mail that answers another one says here that
    /// whatever answers *it* belongs to the same thread, so threads come together whatever the
    /// order in which their mails arrive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<ConversationKey>,
}

impl ConversationRef {
    /// A conversation of which only the key is known.
    pub const fn of(key: ConversationKey) -> Self {
        Self { key, subject: None, reply_to: None, aliases: Vec::new() }
    }
}

/// What was written or said.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// The text a person reads: no quoted history, no signature.
    pub text: String,
    /// The whole text, where more than `text` was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<String>,
    /// Where the text stands as HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html_ref: Option<String>,
    /// The language, as a BCP 47 tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// Whether the source cut the text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

impl Body {
    /// A text that is all there is.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// How many bytes of text there are: what a person reads, and the whole.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.whole.as_ref().map_or(0, String::len)
    }
}

/// A file that came with an event. cx keeps the reference, never the file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// The file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Where it can be fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What makes two deliveries of one record the same event.
    pub key: EventKey,
    /// The version of the object at its source (an update time or a number); `None` where the
    /// object cannot change.
    pub rev: Option<String>,
    /// Where the record comes from.
    pub source: Source,
    /// What happened, with the fields that only such a thing has.
    pub kind: Kind,
    /// Where it happened.
    pub channel: Channel,
    /// Which way it went.
    pub direction: Direction,
    /// Whether the customer could see it.
    pub visibility: Visibility,
    /// Who did it.
    pub actor: Actor,
    /// Whom it is about: claimed identifiers with their roles. See [`Event::person_claims`].
    pub who: Vec<Claim>,
    /// The name of the person it is about, as written.
    pub name: Option<String>,
    /// The conversation it belongs to.
    pub conversation: Option<ConversationRef>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The offset from UTC with which that instant was written.
    pub utc_offset: Option<UtcOffset>,
    /// How good `occurred_at` is.
    pub occurred_at_origin: TimeOrigin,
    /// The order among events of one source that carry the same instant.
    pub seq: Option<u64>,
    /// What was written or said.
    pub body: Option<Body>,
    /// Files that came with it.
    pub attachments: Vec<Attachment>,
    /// What the source had beyond this, verbatim.
    pub extra: Map<String, Value>,
    /// Fields of the envelope that this version of cx does not know, verbatim.
    pub unknown: Map<String, Value>,
}

impl Event {
    /// An event with the four things that every event has; all else is empty, public, on the
    /// `other` channel, by an unknown actor.
    pub fn new(key: EventKey, source: Source, kind: Kind, occurred_at: Timestamp) -> Self {
        Self {
            key,
            rev: None,
            source,
            kind,
            channel: Channel::Other(String::new()),
            direction: Direction::None,
            visibility: Visibility::Public,
            actor: Actor::default(),
            who: Vec::new(),
            name: None,
            conversation: None,
            occurred_at,
            utc_offset: None,
            occurred_at_origin: TimeOrigin::Event,
            seq: None,
            body: None,
            attachments: Vec::new(),
            extra: Map::new(),
            unknown: Map::new(),
        }
    }

    /// The order on a timeline: instant, then the source's own order, then key. Total, and the
    /// same whatever the order of arrival. An event without `seq` comes before those with one.
    pub fn timeline_cmp(&self, other: &Self) -> Ordering {
        self.timeline_key().cmp(&other.timeline_key())
    }

    fn timeline_key(&self) -> (Timestamp, Option<u64>, &EventKey) {
        (self.occurred_at, self.seq, &self.key)
    }

    /// The claims that name the one person the event is about.
    ///
    /// They are those of the first of these roles that anybody has: `subject`; then the other
    /// side (`from` of what came in, `to` of what went out); then `requester`; then `from`, `to`.
    /// Of several recipients the first of each namespace is meant. Bridges (order, cart,
    /// checkout) are not among them: see [`Event::bridges`].
    ///
    /// So a colleague who answers in somebody's ticket, and the people in copy, are never taken
    /// for the person who asked.
    pub fn person_claims(&self) -> Vec<&Claim> {
        let order = match self.direction {
            Direction::Out => [Role::Subject, Role::To, Role::Requester, Role::From],
            Direction::In | Direction::None => {
                [Role::Subject, Role::From, Role::Requester, Role::To]
            }
        };
        let persons =
            || self.who.iter().filter(|claim| !claim.identifier().namespace().is_bridge());
        let Some(role) = order.into_iter().find(|role| persons().any(|claim| claim.role == *role))
        else {
            return Vec::new();
        };
        let mut claims: Vec<&Claim> = Vec::new();
        let mut known: BTreeSet<&Claim> = BTreeSet::new();
        for claim in persons().filter(|claim| claim.role == role) {
            let taken = role == Role::To
                && claims
                    .iter()
                    .any(|other| other.identifier().namespace() == claim.identifier().namespace());
            if !taken && known.insert(claim) {
                claims.push(claim);
            }
        }
        claims
    }

    /// The bridge by which a conversation with this key carries its events.
    pub fn bridge_of(conversation: &ConversationKey) -> Identifier {
        let (namespace, scope) = (Namespace::Conversation, String::new());
        Identifier::from_parts(namespace, scope, conversation.to_string(), Linkable::Yes)
    }

    /// What carries the event to a person without naming one: orders, carts, checkouts, and the
    /// conversation it belongs to. Sorted, without repeats.
    pub fn bridges(&self) -> Vec<Identifier> {
        let claimed = self.who.iter().map(Claim::identifier);
        let mut bridges: Vec<Identifier> =
            claimed.filter(|identifier| identifier.namespace().is_bridge()).cloned().collect();
        if let Some(conversation) = &self.conversation {
            let keys = std::iter::once(&conversation.key).chain(&conversation.aliases);
            bridges.extend(keys.map(Self::bridge_of));
        }
        bridges.sort();
        bridges.dedup();
        bridges
    }

    /// Whether a person on the customer's side said something to the business: a message, call
    /// or voicemail that came in. Automatic replies are by automation, so they do not count. What
    /// came in from nobody says whom is from the customer.
    pub fn is_from_customer(&self) -> bool {
        let is_theirs = self.actor.kind.is_customer_side() || self.actor.kind == ActorType::Unknown;
        self.kind.is_talk()
            && self.direction == Direction::In
            && self.visibility == Visibility::Public
            && is_theirs
    }

    /// The subjects that an event gives to what is talked of.
    pub fn subjects(&self) -> impl Iterator<Item = &str> {
        let of_kind = match &self.kind {
            Kind::Message(message) => message.subject.as_deref(),
            Kind::ConversationSubject(changed) => changed.to.as_deref(),
            _ => None,
        };
        let of_conversation = self.conversation.as_ref().and_then(|it| it.subject.as_deref());
        of_kind.into_iter().chain(of_conversation)
    }

    /// What an edit, a redaction or a deletion corrects: the key of a record, or the id of a message.
    pub const fn corrects(&self) -> Option<&str> {
        match &self.kind {
            Kind::MessageEdited(correction)
            | Kind::MessageRedacted(correction)
            | Kind::MessageDeleted(correction) => Some(correction.target.as_str()),
            _ => None,
        }
    }

    /// Whether a human of the business answered the customer, so that they could see or hear it. A
    /// call that reached nobody answers nothing.
    pub fn is_agent_answer(&self) -> bool {
        let is_unheard = matches!(&self.kind, Kind::Call(call)
            if call.outcome.is_some_and(|outcome| outcome != talk::CallOutcome::Answered));
        self.kind.is_talk()
            && !is_unheard
            && self.direction == Direction::Out
            && self.visibility == Visibility::Public
            && self.actor.kind.is_agent()
    }

    /// The hash of everything the record says, its revision aside: two deliveries with the same
    /// key and the same hash are one and the same. An instant of import is no part of what the
    /// record says, nor is `extra`: what cx does not understand may move on its own, such as a
    /// counter or the time of an export, and makes no other record of it.
    pub fn content_hash(&self) -> [u8; 16] {
        self.text_and_hash().1
    }

    /// The event's JSON as text together with its [`Event::content_hash`]. It is written once,
    /// without a tree of values.
    pub fn text_and_hash(&self) -> (String, [u8; 16]) {
        let mut text = Vec::with_capacity(512);
        let mut writer = fields::Writer::Text(canonical::Object::begin(&mut text));
        self.put(&mut writer);
        let placed = match writer {
            fields::Writer::Text(object) => object.end(),
            fields::Writer::Tree(_) => Vec::new(),
        };
        let is_said = |name: &str| match name {
            "rev" | "extra" => false,
            "occurred_at" => self.occurred_at_origin != TimeOrigin::Import,
            _ => true,
        };
        let hash = if placed.iter().all(|(name, _)| is_said(name)) {
            hash_of_content(&[&text])
        } else {
            let said = placed.iter().filter(|(name, _)| is_said(name));
            let said = said.filter_map(|(_, place)| text.get(place.clone()));
            let mut parts: Vec<&[u8]> = Vec::with_capacity(2 * placed.len() + 2);
            for field in said {
                parts.extend([if parts.is_empty() { &b"{"[..] } else { b"," }, field]);
            }
            parts.push(if parts.is_empty() { b"{}" } else { b"}" });
            hash_of_content(&parts)
        };
        (String::from_utf8(text).unwrap_or_default(), hash)
    }

    /// The event as a JSON object; fields in alphabetical order, empty ones left out.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut json = Map::new();
        self.put(&mut fields::Writer::Tree(&mut json));
        json
    }

    /// Puts the fields in alphabetical order.
    fn put(&self, put: &mut fields::Writer<'_>) {
        put.all(&self.unknown);
        put.unless_default("actor", &self.actor);
        put.unless_empty("attachments", &self.attachments);
        put.value("body", &self.body);
        put.value("channel", &self.channel);
        put.value("conversation", &self.conversation);
        put.object("data", |data| self.kind.put(data));
        put.unless_default("direction", &self.direction);
        put.object("extra", |extra| extra.all(&self.extra));
        put.value("key", &self.key);
        put.value("kind", &self.kind.name());
        put.value("name", &self.name);
        put.value("occurred_at", &self.occurred_at);
        put.unless_default("occurred_at_origin", &self.occurred_at_origin);
        put.value("rev", &self.rev);
        put.value("seq", &self.seq);
        put.value("source", &self.source);
        put.value("utc_offset", &self.utc_offset);
        put.unless_default("visibility", &self.visibility);
        put.unless_empty("who", &self.who);
    }

    /// Reads an event from a JSON object. `occurred_at` may carry any offset, which is kept.
    ///
    /// # Errors
    /// [`FieldError`] with the JSON pointer of the field that is missing or malformed.
    ///
    /// ```
    /// # use cx_core::event::Event;
    /// let json = serde_json::json!({
    ///     "key": "crm:acme/call/1", "source": {"system": "crm", "instance": "acme"},
    ///     "kind": "call", "channel": "phone", "direction": "in",
    ///     "occurred_at": "2026-03-04T10:02:00+01:00",
    ///     "who": [{"ns": "phone", "value": "+31612345678", "role": "from", "assurance": "channel_proved"}],
    ///     "loyalty_tier": "gold"
    /// });
    /// let event = Event::from_json(json.as_object().unwrap().clone())?;
    /// assert_eq!(event.to_json()["loyalty_tier"], "gold");
    /// assert_eq!(event.to_json()["utc_offset"], "+01:00");
    /// # Ok::<(), cx_core::event::FieldError>(())
    /// ```
    ///
    /// Fields of `source`, `actor`, `conversation`, `body` and `attachments` that are none of cx's are
    /// kept in `extra`, as `actor.team`.
    pub fn from_json(mut json: Map<String, Value>) -> Result<Self, FieldError> {
        let aside = set_aside(&mut json);
        let mut take = fields::Reader::new(&mut json, "");
        let (occurred_at, written_offset) = take.instant("occurred_at")?;
        let name: String = take.required("kind")?;
        let data = take.object("data")?;
        let event = Self {
            key: take.required("key")?,
            rev: take.optional("rev")?,
            source: take.required("source")?,
            kind: Kind::from_json(&name, data)?,
            channel: take.optional("channel")?.unwrap_or(Channel::Other(String::new())),
            direction: take.optional("direction")?.unwrap_or_default(),
            visibility: take.optional("visibility")?.unwrap_or_default(),
            actor: take.optional("actor")?.unwrap_or_default(),
            who: take.list("who")?,
            name: take.optional("name")?,
            conversation: take.optional("conversation")?,
            occurred_at,
            utc_offset: take.optional("utc_offset")?.or(written_offset),
            occurred_at_origin: take.optional("occurred_at_origin")?.unwrap_or_default(),
            seq: take.optional("seq")?,
            body: take.optional("body")?,
            attachments: take.list("attachments")?,
            extra: take.object("extra")?,
            unknown: Map::new(),
        };
        json.retain(|_, value| !value.is_null());
        let mut event = Self { unknown: json, ..event };
        for (name, value) in aside {
            event.extra.entry(name).or_insert(value);
        }
        Ok(event)
    }

    /// Whether all that an event is asked for by has a name: its kind, and the namespaces and regions
    /// of its claims. What is read from a store is not looked at so; what comes from outside is.
    ///
    /// # Errors
    /// The first of them that has none, or a namespace that differs from one of cx's in case only: it
    /// would be one of somebody else's, and mean nothing.
    pub fn check_names(&self) -> Result<(), FieldError> {
        let kind = self.kind.name();
        if kind.trim().is_empty() {
            let (pointer, problem) = ("/kind".to_owned(), "missing".to_owned());
            return Err(FieldError { pointer, value: None, problem });
        }
        let malformed = |pointer: String, name: &str, problem: String| {
            Err(FieldError::malformed(pointer, &Value::from(name), problem))
        };
        let otherwise = |name: &str, is_own: &dyn Fn(&str) -> bool| {
            let small = name.to_ascii_lowercase();
            (!is_own(name) && is_own(&small)).then(|| format!("written {small:?}"))
        };
        let is_namespace = |name: &str| !matches!(Namespace::from_name(name), Namespace::Other(_));
        for (position, claim) in self.who.iter().enumerate() {
            let name = claim.identifier().namespace().name();
            let no_name = "no name of a namespace: a word, without spaces and colons";
            let problem = (!Namespace::is_name(name)).then(|| no_name.to_owned());
            if let Some(problem) = problem.or_else(|| otherwise(name, &is_namespace)) {
                return malformed(format!("/who/{position}/ns"), name, problem);
            }
            if let Some(region) = claim.region().filter(|region| !is_region(region)) {
                let problem = "no region; one is NL".to_owned();
                return malformed(format!("/who/{position}/region"), region, problem);
            }
        }
        Ok(())
    }

    /// Reads an event from JSON text. Several times as fast as by way of [`Event::from_json`], with
    /// the same outcome for every text; [`EventReader`] is faster still for many events.
    ///
    /// # Errors
    /// Where the text is no JSON, or what it says no event: then with the JSON pointer of the field.
    pub fn from_text(text: &str) -> Result<Self, serde_json::Error> {
        EventReader::default().read(text)
    }
}

/// The parts of the envelope, and the fields that each of them has.
const PARTS: [(&str, &[&str]); 4] = [
    ("actor", &["type", "id", "name"]),
    ("body", &["text", "whole", "html_ref", "lang", "truncated"]),
    ("conversation", &["key", "subject", "reply_to", "aliases"]),
    ("source", &["system", "instance", "object", "id"]),
];

/// The fields of each of the attachments.
const ATTACHMENT: &[&str] = &["name", "media_type", "size", "sha256", "url"];

/// Takes the fields that cx does not know out of the parts of an envelope, by their places.
fn set_aside(json: &mut Map<String, Value>) -> Vec<(String, Value)> {
    let mut aside = Vec::new();
    let mut take = |place: &str, part: &mut Value, known: &[&str]| {
        let Value::Object(part) = part else { return };
        if part.keys().all(|name| known.contains(&name.as_str())) {
            return;
        }
        for (name, value) in std::mem::take(part) {
            if known.contains(&name.as_str()) {
                part.insert(name, value);
            } else if !value.is_null() {
                aside.push((format!("{place}.{name}"), value));
            }
        }
    };
    for (name, known) in PARTS {
        if let Some(part) = json.get_mut(name) {
            take(name, part, known);
        }
    }
    if let Some(Value::Array(files)) = json.get_mut("attachments") {
        for (position, file) in files.iter_mut().enumerate() {
            take(&format!("attachments.{position}"), file, ATTACHMENT);
        }
    }
    aside
}

fn hash_of_content(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = domain!("cx event content 1").clone();
    for part in parts {
        hasher.update(part);
    }
    first16(&hasher)
}

impl Serialize for Event {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::from_json(Map::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::identifier::Assurance;

    fn read(json: Value) -> Event {
        serde_json::from_value(json).unwrap()
    }

    fn minimal(extra: &Value) -> Value {
        let mut json = json!({
            "key": "crm:acme/call/1", "source": {"system": "crm"}, "kind": "call",
            "channel": "phone", "occurred_at": "2026-03-04T10:02:00Z"
        });
        json.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json
    }

    #[test]
    fn what_cx_does_not_know_comes_back_as_it_came() {
        let json = minimal(&json!({
            "kind": "loyalty.redeemed", "data": {"points": 12_000_000_000_000_000_000_000_f64, "x": [1.50, null]},
            "tier": {"name": "gold"}, "extra": {"via": {"channel": "sms"}}
        }));
        assert_eq!(serde_json::to_value(read(json.clone())).unwrap(), json);
        let text = r#"{"channel":"phone","data":{"big":123456789012345678901234567890,"f":1.10},"key":"k","kind":"call","occurred_at":"2026-03-04T10:02:00Z","source":{"system":"crm"}}"#;
        let event: Event = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
    }

    #[test]
    fn what_is_not_known_of_a_part_is_kept_beside_the_event() {
        let json = minimal(&json!({
            "source": {"system": "crm", "shard": "7", "gone": null},
            "actor": {"type": "agent", "team": {"name": "B"}},
            "conversation": {"key": "q", "bar": [1]},
            "body": {"text": "x", "zz": 1.50},
            "attachments": [{"name": "a"}, {"name": "b", "inline": true}],
            "extra": {"actor.team": "said already", "own": 1}
        }));
        let bare = minimal(&json!({
            "actor": {"type": "agent"}, "conversation": {"key": "q"}, "body": {"text": "x"},
            "attachments": [{"name": "a"}, {"name": "b"}]
        }));
        let event = read(json.clone());
        let extra = json!({
            "actor.team": "said already", "own": 1, "source.shard": "7", "conversation.bar": [1],
            "body.zz": 1.50, "attachments.1.inline": true
        });
        assert_eq!(Value::Object(event.extra.clone()), extra);
        assert_eq!(Event::from_text(&json.to_string()).unwrap(), event);
        assert_eq!(read(event.to_json().into()), event);
        assert_eq!(event.content_hash(), read(bare).content_hash(), "no other record");
    }

    #[test]
    fn every_kind_reads_back_what_it_writes() {
        for name in Kind::NAMES.iter().copied().chain(["subscription.renewed", "custom.x"]) {
            let data = json!({
                "target": "t", "to": "open", "relation": "continues", "metric": "first_response",
                "incident": "i", "order_id": "o", "amount": "1.00", "subscription_id": "s",
                "name": "n", "unheard_of": {"a": [1]}
            });
            let json = minimal(&json!({"kind": name, "data": data}));
            let event: Result<Event, _> = serde_json::from_value(json.clone());
            // `to` is a state in one kind and a party in others: such kinds refuse the word.
            let Ok(event) = event else { continue };
            assert_eq!(event.kind.name(), name);
            assert_eq!(serde_json::to_value(&event).unwrap(), json, "{name}");
        }
    }

    #[test]
    fn an_error_names_the_place_and_the_value() {
        let cases = [
            (json!({"occurred_at": "2026-03-04T10:02:00"}), "/occurred_at: "),
            (json!({"data": {"duration_s": "long"}}), "/data/duration_s: "),
            (json!({"who": [{"ns": "email"}]}), "/who/0: missing field"),
            (json!({"who": [{"ns": "email", "value": "null"}]}), "/who/0: a placeholder"),
            (json!({"direction": "sideways"}), "/direction: "),
        ];
        for (extra, start) in cases {
            let error = Event::from_json(minimal(&extra).as_object().unwrap().clone()).unwrap_err();
            assert!(error.to_string().starts_with(start), "{error}");
        }
        let mut json = minimal(&json!({}));
        json.as_object_mut().unwrap().remove("key");
        let error = Event::from_json(json.as_object().unwrap().clone()).unwrap_err();
        assert_eq!(error.to_string(), "/key: missing");
    }

    /// What the hash was before text was written without a tree: files hold it.
    fn hash_as_of_a_tree(event: &Event) -> [u8; 16] {
        let mut json = event.to_json();
        json.remove("rev");
        json.remove("extra");
        if event.occurred_at_origin == TimeOrigin::Import {
            json.remove("occurred_at");
        }
        let mut hash = [0; 16];
        blake3::Hasher::new_derive_key("cx event content 1")
            .update(&serde_json::to_vec(&json).unwrap())
            .finalize_xof()
            .fill(&mut hash);
        hash
    }

    #[test]
    fn text_and_hash_are_those_of_the_tree() {
        let told = minimal(&json!({
            "kind": "call", "rev": "7", "extra": {"z": 1.0, "a": null}, "aa": 1, "zz": [{"b": 1, "a": 2}],
            "occurred_at_origin": "import", "data": {"zeta": {}, "outcome": "missed", "alpha": [1]},
            "conversation": {"key": "k", "subject": "\"s\"", "aliases": ["c", "b"]},
            "who": [{"ns": "email", "value": "A@Example.nl", "role": "from"}]
        }));
        let company = crate::synthetic::Company::new(3, 50).take(500);
        for event in company.chain([read(told)]) {
            let text = serde_json::to_string(&event.to_json()).unwrap();
            assert_eq!(event.text_and_hash(), (text, hash_as_of_a_tree(&event)));
        }
    }

    fn claim(value: &str, role: Role) -> Claim {
        Claim::new(Namespace::Email, value, role, Assurance::ChannelProved).unwrap()
    }

    fn persons(direction: Direction, who: Vec<Claim>) -> Vec<String> {
        let event = Event { direction, who, ..read(minimal(&json!({}))) };
        event.person_claims().iter().map(|claim| claim.identifier().key().to_owned()).collect()
    }

    #[test]
    fn the_one_who_writes_is_the_person_and_the_one_who_asked_is_not() {
        let who = vec![
            claim("asker@example.nl", Role::Requester),
            claim("writer@example.nl", Role::From),
        ];
        assert_eq!(persons(Direction::In, who), ["writer@example.nl"]);
    }

    #[test]
    fn a_mail_to_several_people_is_about_the_first_and_makes_nobody_one() {
        let who = vec![
            claim("a@example.nl", Role::To),
            claim("b@example.nl", Role::To),
            claim("c@example.nl", Role::Cc),
        ];
        assert_eq!(persons(Direction::Out, who), ["a@example.nl"]);
    }

    #[test]
    fn an_automatic_reply_is_not_from_the_customer() {
        let message =
            minimal(&json!({"kind": "message", "direction": "in", "actor": {"type": "customer"}}));
        let mut event = read(message);
        assert!(event.is_from_customer());
        event.actor.kind = ActorType::Automation;
        assert!(!event.is_from_customer());
    }

    proptest! {
        #[test]
        fn json_reads_back_whatever_the_texts(text in "\\PC{0,40}", micros in 0_i64..4_000_000_000_000_000) {
            let at = Timestamp::from_micros(micros).unwrap();
            let key = EventKey::new(format!("k{text}")).unwrap();
            let mut event = Event::new(key, Source::default(), Kind::from_json("message", Map::new()).unwrap(), at);
            event.body = Some(Body::text(text.clone()));
            event.extra.insert(text.clone(), Value::String(text.clone()));
            event.conversation = ConversationKey::new(text).ok().map(ConversationRef::of);
            let written = serde_json::to_string(&event).unwrap();
            prop_assert_eq!(event.text_and_hash(), (written.clone(), hash_as_of_a_tree(&event)));
            let bare = Event { extra: Map::new(), ..event.clone() };
            let text = serde_json::to_string(&bare).unwrap();
            prop_assert_eq!(bare.text_and_hash(), (text, hash_as_of_a_tree(&event)));
            prop_assert_eq!(serde_json::from_str::<Event>(&written).unwrap(), event);
        }
    }
}
