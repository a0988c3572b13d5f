//! Stores: whatever is taken in, the file is sound, twice is once, the order does not matter, and
//! all facts move to another store.

use cx_adapters::jsonl;
use cx_core::context::render::{Colour, html, markdown, terminal};
use cx_core::context::{Audience, ContextOptions};
use cx_core::event::{Direction, Event, Kind};
use cx_core::identifier::Who;
use cx_core::identity::{Assertion, Observation, Subject, Verdict};
use cx_core::ids::AssertionId;
use cx_core::time::{Micros, Timestamp};
use cx_store::{Ending, EraseMode, MoveReport, Recording, Store, StoreError};
use serde_json::{Map, json};

use super::{folder, is_told};
use crate::asking::answers;
use crate::story;

/// How many events of one input are looked at: more find nothing else, and take longer.
const MOST: usize = 16;

fn now() -> Timestamp {
    story::monday() + Micros::DAY.times(900)
}

fn recording() -> Recording {
    Recording::new(now(), "fuzz")
}

fn is_sound(store: &Store) {
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{:?}", report.problems);
}

/// Events of cx's own format: a store of them is sound, answers about everybody, and is the same
/// whether they come at once, again, or one by one from the last to the first.
pub(super) fn records(bytes: &[u8]) {
    let options = super::adapters::options();
    let events: Vec<Event> = jsonl::events(bytes, &options).flatten().take(MOST).collect();
    if events.is_empty() {
        return;
    }
    let store = Store::open_in_memory().unwrap();
    store.ingest(&recording(), events.clone()).unwrap();
    is_sound(&store);
    let told = answers(&store, now());
    let again = store.ingest(&recording(), events.clone()).unwrap();
    assert_eq!((again.new, again.revised), (0, 0), "twice is once");
    assert_eq!(answers(&store, now()), told, "twice is once");
    let other = Store::open_in_memory().unwrap();
    for event in events.iter().rev() {
        other.ingest(&recording(), [event.clone()]).unwrap();
    }
    is_sound(&other);
    assert_eq!(answers(&other, now()), told, "the order does not matter");
    for event in &events {
        let kept = store.event(&event.key).unwrap();
        assert!(kept.is_some_and(|kept| kept.key == event.key), "nothing is lost");
    }
    is_answered(&store);
}

/// Every question about everybody has an answer.
fn is_answered(store: &Store) {
    for customer in store.customers(None, 4).unwrap() {
        let who = Who::Customer(customer);
        for (audience, as_of) in [
            (Audience::Agent, Timestamp::MAX),
            (Audience::Agent, Timestamp::MIN),
            (Audience::Customer, story::monday()),
            (Audience::Marketing, now()),
        ] {
            let options = ContextOptions::at(as_of).audience(audience);
            let context = store.context(&who, &options).unwrap();
            assert!(!context.to_json().is_empty());
            assert!(!terminal(&context, Colour::Plain).is_empty());
            assert!(!html(&context).is_empty());
            drop(markdown(&context, Some(50)));
        }
        drop(store.how(&who, cx_store::Past::today()).unwrap());
    }
    drop(store.who_is_waiting(now()).unwrap());
    drop(store.conversations(now()).unwrap());
    drop(store.answers(now()).unwrap());
}

/// Bytes as choices.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn below(&mut self, n: u8) -> u8 {
        let (first, rest) =
            self.0.split_first().map_or((0, &[][..]), |(first, rest)| (*first, rest));
        self.0 = rest;
        first % n
    }

    fn one_of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        let n = u8::try_from(list.len()).unwrap();
        &list[usize::from(self.below(n))]
    }

    fn minutes(&mut self) -> i64 {
        let (days, minutes) = (self.below(u8::MAX), self.below(u8::MAX));
        i64::from(days) * 24 * 60 + i64::from(minutes)
    }
}

const NAMES: &[&str] = &["", "Jan de Vries", "J. de Vries", "Eva Bakker", "Anna Vos", "jan"];

const CLAIMS: &[&str] = &[
    "",
    "email jan@example.nl",
    "email jan@example.nl ?",
    "email eva@example.nl",
    "email info@bakkerij.example",
    "phone 020 624 1111",
    "phone 06 12345678",
    "phone 06 12345678 ?",
    "cookie c1",
    "cookie c2",
    "user_id u1",
    "user_id u2",
    "helpdesk h1",
    "order o1",
    "order o2",
    "cart k1",
];

const KINDS: &[&str] = &[
    "message",
    "message",
    "call",
    "note",
    "conversation.status_changed",
    "conversation.assigned",
    "order.placed",
    "order.cancelled",
    "cart.updated",
    "feedback.answered",
    "web.page",
    "identity.link",
    "consent.changed",
    "profile.updated",
    "incident.started",
];

/// An event of a small world, made of choices.
fn event(choices: &mut Choices<'_>) -> Event {
    let key = format!("k/{}", choices.below(24));
    let minutes = choices.minutes();
    let channel = *choices.one_of(&["chat", "phone", "email"]);
    let name = *choices.one_of(NAMES);
    let n_claims = choices.below(4);
    let claims: Vec<&str> = (0..n_claims).map(|_| *choices.one_of(CLAIMS)).collect();
    let mut event = story::message(&key, minutes, channel, name, &claims);
    let about = choices.below(5);
    if about > 0 {
        event = story::in_conversation(event, &format!("c/{about}"));
    }
    let rev = choices.below(4);
    event.rev = (rev > 0).then(|| rev.to_string());
    event.direction = *choices.one_of(&[Direction::In, Direction::Out, Direction::None]);
    let data = json!({"to": "open", "order_id": "o1", "amount": "1.00", "currency": "EUR"});
    let data = data.as_object().cloned().unwrap_or_default();
    let kind = *choices.one_of(KINDS);
    let kind = Kind::from_json(kind, data).or_else(|_| Kind::from_json("message", Map::new()));
    event.kind = kind.unwrap();
    event
}

fn assertion(
    choices: &mut Choices<'_>,
    events: &[Event],
    said: &[AssertionId],
) -> Option<Assertion> {
    let mut subject = |is_event: bool| {
        if is_event && !events.is_empty() {
            Some(Subject::Observation(Observation::of("", choices.one_of(events)).id))
        } else {
            let claim = story::claim(choices.one_of::<&str>(CLAIMS))?;
            let identifier = claim.identifier().clone();
            (!identifier.namespace().is_bridge()).then_some(Subject::Identifier(identifier))
        }
    };
    let (a, b, c) = (subject(true), subject(true), subject(false));
    let verdict = match (choices.below(9), a?, b?, c?) {
        (0 | 1, a, b, _) => Verdict::Same(a, b),
        (2, a, _, c) => Verdict::Same(a, c),
        (3, a, b, _) => Verdict::Different(a, b),
        (4, _, _, Subject::Identifier(c)) => Verdict::Block(c),
        (5, _, _, Subject::Identifier(c)) => Verdict::Trust(c),
        (6, Subject::Observation(a), _, Subject::Identifier(c)) => Verdict::Detach(a, c),
        (7, Subject::Observation(a), Subject::Observation(b), _) => Verdict::Probable(a, b, 3_000),
        (_, a, b, _) => match said.first() {
            Some(_) => Verdict::Revoke(*choices.one_of(said)),
            None => Verdict::Different(a, b),
        },
    };
    let at = story::monday() + Micros::MINUTE.times(choices.minutes());
    Some(Assertion { verdict, by: "agent:7".to_owned(), reason: None, at })
}

/// A life made of choices: events in batches, what people say, erasures. The file is sound at the
/// end, and taking all in again changes nothing; without anything said, the order does not matter.
pub(super) fn store(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let store = Store::open_in_memory().unwrap();
    let (mut all, mut batch, mut said) = (Vec::new(), Vec::new(), Vec::new());
    let mut is_plain = true;
    while !choices.is_over() && all.len() < MOST {
        match choices.below(16) {
            0..=9 => {
                let event = event(&mut choices);
                all.push(event.clone());
                batch.push(event);
            }
            10 | 11 => drop(store.ingest(&recording(), std::mem::take(&mut batch)).unwrap()),
            12..=14 => {
                is_plain = false;
                if let Some(told) = assertion(&mut choices, &all, &said) {
                    match store.assert(&told, now()) {
                        Ok(_) => said.push(told.id()),
                        Err(
                            StoreError::UnknownObservation { .. }
                            | StoreError::UnknownAssertion { .. },
                        ) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                }
            }
            _ => {
                is_plain = false;
                erase(&store, &mut choices);
            }
        }
    }
    store.ingest(&recording(), batch).unwrap();
    is_sound(&store);
    let told = answers(&store, now());
    let again = store.ingest(&recording(), all.clone()).unwrap();
    let counts = (again.new, again.revised);
    assert!(!is_plain || counts == (0, 0), "twice is once: {again:?}");
    assert!(!is_plain || answers(&store, now()) == told, "twice is once");
    is_sound(&store);
    if is_plain {
        let other = Store::open_in_memory().unwrap();
        all.reverse();
        other.ingest(&recording(), all).unwrap();
        is_sound(&other);
        assert_eq!(answers(&other, now()), told, "the order does not matter");
    }
    is_answered(&store);
}

fn erase(store: &Store, choices: &mut Choices<'_>) {
    let customers = store.customers(None, 100).unwrap();
    let mode = *choices.one_of(&[EraseMode::Anonymise, EraseMode::Delete]);
    if customers.is_empty() {
        return;
    }
    let customer = *choices.one_of(&customers);
    store.erase(&Who::Customer(customer), mode, now()).unwrap();
    let found = store.find(&Who::Customer(customer)).unwrap();
    assert!(found.is_erased && found.customers.is_empty(), "{found:?}");
}

/// The facts of a store as lines: what cannot be read is told with its line, and what was taken in
/// can be written out and taken in again.
pub(super) fn facts(bytes: &[u8]) {
    let folder = folder();
    let path = folder.path().join("moved.cx");
    let (store, report) = match Store::import_facts(bytes, &path) {
        Ok(moved) => moved,
        Err(StoreError::NotFacts { detail }) => {
            is_told(&detail);
            assert!(!path.exists(), "half of it is left");
            return;
        }
        Err(error) => panic!("{error:?}"),
    };
    swallows_no_line(bytes, &report);
    is_sound(&store);
    let told = answers(&store, now());
    let lines = exported(&store);
    let path = folder.path().join("again.cx");
    let (again, report) = Store::import_facts(lines.as_bytes(), &path).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(sorted(&exported(&again)), sorted(&lines));
    assert_eq!(answers(&again, now()), told);
}

fn exported(store: &Store) -> String {
    let mut lines = Vec::new();
    store.export_facts(&mut lines).unwrap();
    String::from_utf8(lines).unwrap()
}

fn sorted(lines: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.sort_unstable();
    lines
}

fn swallows_no_line(bytes: &[u8], report: &MoveReport) {
    let is_blank =
        |line: &&[u8]| std::str::from_utf8(line).is_ok_and(|line| line.trim().is_empty());
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !is_blank(line)).count();
    let taken = &report.taken;
    let counts = [
        taken.events,
        taken.assertions,
        taken.changes,
        taken.issued,
        taken.proposals,
        taken.suppressed,
        taken.erasures,
        taken.retentions,
        report.rejected,
    ];
    // The first line, and the last.
    let others = 1 + u64::from(matches!(report.ending, Ending::Whole | Ending::Other(_)));
    assert_eq!(u64::try_from(lines), Ok(counts.iter().sum::<u64>() + others), "{report:?}");
    assert!(report.problems.iter().all(|problem| problem.starts_with("line ")));
}
