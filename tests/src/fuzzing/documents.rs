//! Documents that people write: policies, journeys, rules of retention, models; and the values in
//! them. What is read is written, and gives the same when it is read again.

use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::sync::OnceLock;

use cx_core::event::Event;
use cx_core::identity::{Assertions, Policy, Population};
use cx_core::ids::IdKey;
use cx_core::journey::{self, Definition};
use cx_core::linkage::{Model, SplinkError};
use cx_core::money::{Amount, Currency};
use cx_core::retention::{Keep, Retention};
use cx_core::time::{Micros, Span, Timestamp, UtcOffset};

use super::is_told;
use crate::story;
use crate::strategies::recorded;

/// Instants, spans, amounts: what is written is read as the same.
pub(super) fn values(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    reads_back::<Timestamp>(text);
    reads_back::<UtcOffset>(text);
    reads_back::<Span>(text);
    reads_back::<Amount>(text);
    reads_back::<Currency>(text);
    reads_back::<Keep>(text);
    if let Ok(keep) = text.parse::<Keep>() {
        for now in [Timestamp::MIN, story::monday(), Timestamp::MAX] {
            assert!(keep.until(now) <= now);
        }
    }
}

fn reads_back<T: FromStr<Err: Display> + Display + PartialEq + Debug>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => {
            let again = value.to_string().parse::<T>();
            assert!(again.is_ok_and(|again| again == value), "{value:?} of {text:?}");
        }
        Err(error) => is_told(&error),
    }
}

/// A few events of a few people.
fn world() -> &'static [Event] {
    static WORLD: OnceLock<Vec<Event>> = OnceLock::new();
    WORLD.get_or_init(|| {
        let event = |number: i64| {
            let person = number % 5;
            let claims = [format!("email p{person}@example.nl"), "phone 020 624 1111".to_owned()];
            let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
            let name = if person == 3 { "Anna Vos" } else { "Jan de Vries" };
            let event = story::message(&format!("k{number}"), number * 600, "chat", name, &claims);
            story::in_conversation(event, &format!("c{person}"))
        };
        (0..20).map(event).collect()
    })
}

/// A policy is written and read again, in both languages, and derives customers.
pub(super) fn policy(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let policy = match Policy::read(&text) {
        Ok(policy) => policy,
        Err(error) => return is_told(&error),
    };
    let toml = policy.to_toml();
    assert_eq!(Policy::read(&toml).as_ref(), Ok(&policy), "{toml}");
    let json = serde_json::to_string(&policy).unwrap();
    assert_eq!(Policy::read(&json).as_ref(), Ok(&policy), "{json}");
    assert!(policy.differences(&policy).is_empty());
    let facts = recorded(world());
    let of = || Population::of(&facts, &Assertions::default(), &policy, &IdKey::new([7; 32]));
    let population = of();
    assert_eq!(population.partition(), of().partition());
    let attributed: usize = population.customers.iter().map(|it| it.observations.len()).sum();
    assert_eq!(attributed + population.unattributed.len(), facts.len(), "nobody is lost");
}

/// A definition is written and read again under the same hash, and events run through it.
pub(super) fn journey(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let read = if text.trim_start().starts_with('{') {
        Definition::from_json(&text)
    } else {
        Definition::from_toml(&text)
    };
    let definition = match read {
        Ok(definition) => definition,
        Err(error) => return is_told(&error),
    };
    let json = serde_json::to_string(&definition).unwrap();
    let again = Definition::from_json(&json).unwrap();
    assert_eq!((again.hash(), &again), (definition.hash(), &definition));
    let events: Vec<&Event> = world().iter().collect();
    for as_of in [Timestamp::MIN, story::monday() + Micros::DAY.times(5), Timestamp::MAX] {
        for instance in journey::instances(&definition, &events, as_of) {
            let summary = journey::Summary::of(&definition, &instance);
            assert!(serde_json::to_string(&summary).is_ok());
        }
    }
}

/// Rules are written and read again, and say the same of any record.
pub(super) fn retention(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let rules = match Retention::read(&text) {
        Ok(rules) => rules,
        Err(error) => return is_told(&error),
    };
    let json = serde_json::to_string(&rules).unwrap();
    assert_eq!(Retention::read(&json).as_ref(), Ok(&rules), "{json}");
    let toml = toml::to_string(&rules).unwrap();
    assert_eq!(Retention::read(&toml).as_ref(), Ok(&rules), "{toml}");
    for event in world() {
        let (kind, channel) = (event.kind.name(), event.channel.name());
        let channel = channel.as_ref();
        let is_over = |now| rules.is_over(&kind, channel, event.occurred_at, now);
        // What is too old stays so.
        assert!(!is_over(event.occurred_at) || is_over(Timestamp::MAX));
        let rule = rules.of(&kind, channel);
        let is_kept = rule.is_none_or(|rule| rule.keep.until(Timestamp::MAX) <= event.occurred_at);
        assert!(is_over(Timestamp::MAX) != is_kept);
    }
}

/// A model is written and read again, in cx's own format and in Splink's.
pub(super) fn model(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match Model::read(&text) {
        Ok(model) => keeps(&model),
        Err(error) => is_told(&error),
    }
    match Model::from_splink(&text) {
        Ok(model) => {
            let written = model.to_splink(1_000);
            match Model::from_splink(&written) {
                Ok(again) => {
                    assert_eq!(again.conditions.len(), model.conditions.len(), "{written}");
                }
                Err(error) => panic!("{error}: {written}"),
            }
        }
        Err(SplinkError::Unreadable { detail }) => is_told(&detail),
        Err(error) => is_told(&error),
    }
}

fn keeps(model: &Model) {
    let written = model.to_json();
    let again = Model::read(&written);
    assert_eq!(again.as_ref(), Ok(model), "{written}");
    assert_eq!(again.unwrap().hash(), model.hash());
    assert!(!model.to_splink(1_000).is_empty());
}
