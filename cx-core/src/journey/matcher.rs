//! Matchers: which events a definition means. Data and not code, so they are hashed, shown and
//! carried to Python.

use std::marker::PhantomData;

use serde::de::{Error, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::actor::ActorType;
use crate::channel::Channel;
use crate::conversation::people_talked_until;
use crate::event::{Direction, Event, Kind, TimeOrigin, Visibility};

/// Matches an event when every condition that is set holds. A list means any of its elements.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Matcher {
    /// Kinds by name, or by family: `order.*`.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub kind: Vec<String>,
    /// Channels by name.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub channel: Vec<String>,
    /// Which way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Whether the customer could see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// Types of actors.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub actor: Vec<ActorType>,
    /// How good its time is: a state in which something was last seen is `received`.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub origin: Vec<TimeOrigin>,
    /// Whether it is a call in which people talked: somebody picked up, and no program called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken: Option<bool>,
    /// Fields of the kind's data.
    #[serde(deserialize_with = "some", skip_serializing_if = "Vec::is_empty")]
    pub field: Vec<FieldTest>,
    /// One of these matches.
    #[serde(deserialize_with = "some", skip_serializing_if = "Vec::is_empty")]
    pub any: Vec<Self>,
    /// All of these match.
    #[serde(deserialize_with = "some", skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<Self>,
    /// This one does not match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not: Option<Box<Self>>,
}

/// A condition on a field of an event's data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldTest {
    /// The field's name; dots go inside: `from.type`.
    pub name: String,
    /// The texts it may have. Numbers and truth values are compared as they are written.
    #[serde(default, deserialize_with = "as_written", skip_serializing_if = "Vec::is_empty")]
    pub is: Vec<String>,
    /// Whether it must be there, or must not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
}

/// Whether a kind, or a family of kinds, is one that cx knows, or one of somebody's own.
fn is_known(kind: &str) -> bool {
    let is_own = |name: &str| name.strip_prefix("custom").is_some_and(|it| it.starts_with('.'));
    match kind.strip_suffix(".*") {
        Some("custom") => true,
        Some(family) => {
            Kind::NAMES
                .iter()
                .any(|name| name.strip_prefix(family).is_some_and(|rest| rest.starts_with('.')))
                || family == "subscription"
        }
        None => Kind::NAMES.contains(&kind) || is_own(kind) || kind.starts_with("subscription."),
    }
}

/// One thing, or a list of them. An empty list would match nothing, or everything.
fn one_or_many<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    struct Things<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Things<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a text or a list of texts")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            T::deserialize(text.into_deserializer()).map(|thing| vec![thing])
        }

        fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
            T::deserialize(value.into_deserializer()).map(|thing| vec![thing])
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
            T::deserialize(number.into_deserializer()).map(|thing| vec![thing])
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
            T::deserialize(number.into_deserializer()).map(|thing| vec![thing])
        }

        fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
            T::deserialize(number.into_deserializer()).map(|thing| vec![thing])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut things = Vec::new();
            while let Some(thing) = items.next_element()? {
                things.push(thing);
            }
            not_empty(things)
        }
    }
    from.deserialize_any(Things(PhantomData))
}

fn some<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Vec::deserialize(from).and_then(not_empty)
}

fn not_empty<T, E: Error>(list: Vec<T>) -> Result<Vec<T>, E> {
    if list.is_empty() { Err(E::custom("an empty list says nothing")) } else { Ok(list) }
}

/// Texts, and numbers and truth values as they are written.
fn as_written<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Other(serde_json::Number),
        Truth(bool),
    }
    let written: Vec<Written> = one_or_many(from)?;
    let text = |written| match written {
        Written::Text(text) => text,
        Written::Other(number) => number.to_string(),
        Written::Truth(value) => value.to_string(),
    };
    Ok(written.into_iter().map(text).collect())
}

impl Matcher {
    /// Whether no condition is set: such a matcher would match everything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it, or a part of it, sets no condition: no event, or every one, would be meant.
    pub(super) fn says_nothing(&self) -> bool {
        let parts = self.any.iter().chain(&self.all).chain(self.not.as_deref());
        self.is_empty()
            || self.field.iter().any(|test| test.is.is_empty() && test.exists.is_none())
            || parts.into_iter().any(Self::says_nothing)
    }

    /// Tells each name of a kind or a channel that cx does not know, with the word for what it is.
    pub(super) fn unknown_names(&self, tell: &mut impl FnMut(&'static str, &str)) {
        for kind in self.kind.iter().filter(|kind| !is_known(kind)) {
            tell("kind", kind);
        }
        for channel in &self.channel {
            let is_own = channel.starts_with("other:");
            if let Channel::Other(name) = Channel::from_name(channel)
                && !is_own
                && !name.is_empty()
            {
                tell("channel", channel);
            }
        }
        for part in self.any.iter().chain(&self.all).chain(self.not.as_deref()) {
            part.unknown_names(tell);
        }
    }

    /// Whether the event is meant. Linear in the number of conditions.
    pub fn matches(&self, event: &Event) -> bool {
        let kind = || {
            let name = event.kind.name();
            self.kind.iter().any(|wanted| match wanted.strip_suffix(".*") {
                Some(family) => name.strip_prefix(family).is_some_and(|rest| rest.starts_with('.')),
                None => *wanted == name,
            })
        };
        let channel =
            || self.channel.iter().any(|wanted| Channel::from_name(wanted) == event.channel);
        (self.kind.is_empty() || kind())
            && (self.channel.is_empty() || channel())
            && self.direction.is_none_or(|wanted| wanted == event.direction)
            && self.visibility.is_none_or(|wanted| wanted == event.visibility)
            && (self.actor.is_empty() || self.actor.contains(&event.actor.kind))
            && (self.origin.is_empty() || self.origin.contains(&event.occurred_at_origin))
            && self.taken.is_none_or(|wanted| wanted == people_talked_until(event).is_some())
            && self.fields_match(event)
            && (self.any.is_empty() || self.any.iter().any(|matcher| matcher.matches(event)))
            && self.all.iter().all(|matcher| matcher.matches(event))
            && self.not.as_ref().is_none_or(|matcher| !matcher.matches(event))
    }

    fn fields_match(&self, event: &Event) -> bool {
        if self.field.is_empty() {
            return true;
        }
        let data = event.kind.to_json();
        self.field.iter().all(|test| {
            let mut names = test.name.split('.');
            let first = names.next().and_then(|name| data.get(name));
            let found = names
                .fold(first, |value, name| value.and_then(|value| value.get(name)))
                .filter(|value| !value.is_null());
            let written = found.map(|value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            test.exists.is_none_or(|wanted| wanted == found.is_some())
                && (test.is.is_empty() || written.is_some_and(|written| test.is.contains(&written)))
        })
    }
}
