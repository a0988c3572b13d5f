//! Strategies: small worlds full of traps, for property tests.

use cx_core::event::Event;
use cx_core::identity::{Assertion, Observation, Recorded, Subject, Verdict};
use cx_core::time::{Micros, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::story;

/// The settings of a law that tries so many cases in every test run; `cargo xtask laws` multiplies
/// them by `CX_LAWS`.
///
/// # Panics
/// Where `CX_LAWS` is no number.
pub fn cases(count: u32) -> ProptestConfig {
    let times = std::env::var("CX_LAWS").map_or(1, |times| times.parse().unwrap());
    ProptestConfig { cases: count.saturating_mul(times), ..ProptestConfig::default() }
}

/// The tenant of every story.
pub const TENANT: &str = "story";

const NAMES: &[&str] = &[
    "",
    "",
    "Jan de Vries",
    "J. de Vries",
    "Eva Bakker",
    "Piet Smit",
    "Anna Vos",
    "Kees Mol",
    "Mia Prins",
    "Jan",
    "Johanna de Vries",
    "Mevr. de Vries",
];

const CLAIMS: &[&str] = &[
    "email jan@example.nl",
    "email jan@example.nl ?",
    "email eva@example.nl",
    "email info@bakkerij.example",
    "email piet@example.org",
    "email kees@example.org",
    "phone 020 624 1111",
    "phone 06 12345678",
    "phone 06 12345678 ?",
    "cookie c1",
    "cookie c2",
    "user_id u1",
    "user_id u2",
    "helpdesk h1",
    "helpdesk h2",
    "loyalty 4711",
    "order o1",
    "cart k1",
    "order o2",
];

const CONVERSATIONS: &[&str] = &["", "", "", "chat/1", "chat/2", "mail/1"];

/// One event of a small world: few people, few values, a year and a half.
pub fn event() -> impl Strategy<Value = Event> {
    (
        0..5_000_u32,
        0..780_000_i64,
        select(NAMES),
        subsequence(CLAIMS, 0..4),
        select(CONVERSATIONS),
        select(&["email", "phone", "chat"][..]),
    )
        .prop_map(|(key, minutes, name, claims, conversation, channel)| {
            let event = story::message(&format!("story/{key}"), minutes, channel, name, &claims);
            if conversation.is_empty() {
                event
            } else {
                story::in_conversation(event, conversation)
            }
        })
}

/// A small world: events with distinct keys.
pub fn world(most: usize) -> impl Strategy<Value = Vec<Event>> {
    vec(event(), 0..most).prop_map(|mut events| {
        events.sort_by(|a, b| a.key.cmp(&b.key));
        events.dedup_by(|a, b| a.key == b.key);
        events
    })
}

/// A small world and what people say about it.
pub fn asserted_world(most: usize) -> impl Strategy<Value = (Vec<Event>, Vec<Assertion>)> {
    world(most).prop_flat_map(|events| {
        let assertions = vec(assertion(&events), 0..5);
        (Just(events), assertions)
    })
}

/// Something said about these events or about the values of the small world.
pub fn assertion(events: &[Event]) -> impl Strategy<Value = Assertion> + use<> {
    let observations: Vec<Subject> = events
        .iter()
        .map(|event| Subject::Observation(Observation::of(TENANT, event).id))
        .collect();
    let identifiers: Vec<Subject> = CLAIMS
        .iter()
        .filter_map(|claim| story::claim(claim))
        .filter(|claim| !claim.identifier().namespace().is_bridge())
        .map(|claim| Subject::Identifier(claim.identifier().clone()))
        .collect();
    let all: Vec<Subject> = observations.into_iter().chain(identifiers).collect();
    (select(all.clone()), select(all), 0..8_u8, 0..1_000_i64).prop_map(|(a, b, which, minutes)| {
        let verdict = match (which, a, b) {
            (0 | 1, a, b) => Verdict::Same(a, b),
            (2, Subject::Observation(a), Subject::Identifier(b)) => Verdict::Detach(a, b),
            (3, Subject::Identifier(a), _) => Verdict::Block(a),
            (4, Subject::Identifier(a), _) => Verdict::Trust(a),
            (5, Subject::Identifier(a), Subject::Identifier(b)) => Verdict::Rekey(a, b),
            (6 | 7, Subject::Observation(a), Subject::Observation(b)) => {
                Verdict::Probable(a, b, i32::try_from(minutes % 7).unwrap_or(0) * 1_000)
            }
            (_, a, b) => Verdict::Different(a, b),
        };
        let at = story::monday() + Micros::MINUTE.times(minutes);
        Assertion { verdict, by: "agent:7".to_owned(), reason: None, at }
    })
}

/// What these events say about persons, all recorded at once.
pub fn recorded(events: &[Event]) -> Vec<Recorded> {
    recorded_at(events, story::monday())
}

/// What these events say about persons, recorded at this instant.
pub fn recorded_at(events: &[Event], recorded_at: Timestamp) -> Vec<Recorded> {
    events
        .iter()
        .map(|event| Recorded { observation: Observation::of(TENANT, event), recorded_at })
        .collect()
}
