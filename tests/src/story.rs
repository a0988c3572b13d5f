//! Stories: events from a few words, so that a test says only what matters.

use cx_core::actor::{Actor, ActorType};
use cx_core::channel::Channel;
use cx_core::event::{Body, ConversationRef, Direction, Event, Kind, Source};
use cx_core::identifier::{Assurance, Claim, Namespace, Role};
use cx_core::ids::{ConversationKey, EventKey};
use cx_core::time::{Micros, Timestamp};
use serde_json::{Map, Value, json};

/// The instant from which stories count: 2026-03-02T08:00:00Z, a Monday.
pub fn monday() -> Timestamp {
    Timestamp::from_seconds(1_772_438_400).unwrap_or(Timestamp::MIN)
}

/// A message that came in that many minutes after Monday morning, on this channel, about the
/// person with these claims. A claim is `namespace value`, with `?` behind it where the value was
/// only stated: `email jan@example.nl`, `email jan@example.nl ?`.
///
/// Claims that are no identifiers (placeholders) are left out, as adapters do.
pub fn message(key: &str, minutes: i64, channel: &str, name: &str, claims: &[&str]) -> Event {
    let at = monday() + Micros::MINUTE.times(minutes);
    let key = EventKey::new(key).unwrap_or_else(|_| unreachable_key());
    let source = Source { system: "story".to_owned(), ..Source::default() };
    let kind = Kind::from_json("message", Map::new())
        .unwrap_or(Kind::Custom { name: "message".to_owned(), data: Map::new() });
    let mut event = Event::new(key, source, kind, at);
    event.channel = Channel::from_name(channel);
    event.direction = Direction::In;
    event.actor = Actor::of(ActorType::Customer);
    event.name = (!name.is_empty()).then(|| name.to_owned());
    event.who = claims.iter().filter_map(|claim| self::claim(claim)).collect();
    event.body = Some(Body::text(format!("message {minutes} of {name}")));
    event
}

/// An event as JSON lines have it, that many minutes after Monday morning: of this kind, with these
/// other fields.
pub fn record(key: &str, minutes: i64, kind: &str, more: Value) -> Value {
    let at = monday() + Micros::MINUTE.times(minutes);
    let mut record = json!({
        "key": key, "source": {"system": "s"}, "kind": kind, "occurred_at": at.to_string(),
    });
    if let (Value::Object(fields), Value::Object(more)) = (&mut record, more) {
        fields.extend(more);
    }
    record
}

/// The same of a mail in a conversation: by a customer, or to one.
pub fn said(key: &str, minutes: i64, who: &str, conversation: &str) -> Value {
    let direction = if who == "customer" { "in" } else { "out" };
    let more = json!({
        "direction": direction, "channel": "email", "actor": {"type": who},
        "conversation": {"key": conversation},
    });
    record(key, minutes, "message", more)
}

/// The same event in a conversation.
#[must_use]
pub fn in_conversation(mut event: Event, key: &str) -> Event {
    event.conversation = ConversationKey::new(key).ok().map(ConversationRef::of);
    event
}

/// A claim as stories write it.
pub fn claim(words: &str) -> Option<Claim> {
    let (words, assurance) = match words.strip_suffix(" ?") {
        Some(words) => (words, Assurance::SelfStated),
        None => (words, Assurance::ChannelProved),
    };
    let (namespace, value) = words.split_once(' ')?;
    let namespace = Namespace::from_name(namespace);
    if namespace == Namespace::Phone {
        return Claim::phone(value, Some("NL"), Role::Subject, assurance).ok();
    }
    let scope = if namespace.is_scoped() { "acme" } else { "" };
    Claim::scoped(namespace, scope, value, Role::Subject, assurance).ok()
}

fn unreachable_key() -> EventKey {
    EventKey::new("story").unwrap_or_else(|_| unreachable_key())
}
