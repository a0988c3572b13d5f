//! What a store remembers of the customers it was asked about changes no answer.

use cx_core::context::ContextOptions;
use cx_core::event::Event;
use cx_core::identifier::{Identifier, Namespace, Who};
use cx_core::identity::{Assertion, Subject, Verdict};
use cx_core::ids::ObservationId;
use cx_core::time::{Micros, Timestamp};
use cx_store::{EraseMode, Recording, Store};
use cx_tests::asking;
use cx_tests::story;
use cx_tests::strategies;
use cx_tests::strategies::cases;
use proptest::prelude::*;
use proptest::sample::{Index, select};

fn now() -> Timestamp {
    story::monday() + Micros::DAY.times(600)
}

const ADDRESSES: &[&str] = &["jan@example.nl", "eva@example.nl", "piet@example.org"];

fn who(address: &str) -> Who {
    Who::Identifier(Identifier::normalise(Namespace::Email, "", address, None).unwrap())
}

/// What happens to a store.
#[derive(Debug, Clone)]
enum Step {
    Ingest(Vec<Event>),
    /// An event that came in is written anew, under another name, by another person or at another
    /// time.
    Revise(Index, Box<Event>),
    Erase(&'static str),
    Assert(Index, Index, bool),
    /// Everybody is asked for, while so many bytes may be used.
    Ask(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => strategies::world(8).prop_map(Step::Ingest),
        2 => (any::<Index>(), strategies::event()).prop_map(|(of, new)| Step::Revise(of, Box::new(new))),
        1 => select(ADDRESSES).prop_map(Step::Erase),
        1 => (any::<Index>(), any::<Index>(), any::<bool>())
            .prop_map(|(one, other, same)| Step::Assert(one, other, same)),
        4 => select(&[64 << 20, 200_000, 20_000, 0][..]).prop_map(Step::Ask),
    ]
}

/// What has happened so far.
#[derive(Default)]
struct So {
    events: Vec<Event>,
    steps: i64,
}

fn take(store: &Store, step: Step, so: &mut So) {
    so.steps += 1;
    let at = now() + Micros::SECOND.times(so.steps);
    let recording = Recording::new(at, "test");
    match step {
        Step::Ingest(events) => {
            so.events.extend(events.iter().cloned());
            store.ingest(&recording, events).unwrap();
        }
        Step::Revise(of, mut new) => {
            if so.events.is_empty() {
                return;
            }
            new.key = of.get(&so.events).key.clone();
            new.rev = Some(so.steps.to_string());
            store.ingest(&recording, [*new]).unwrap();
        }
        // Nobody, or several, may be meant.
        Step::Erase(address) => drop(store.erase(&who(address), EraseMode::Delete, at)),
        Step::Assert(one, other, same) => {
            if so.events.is_empty() {
                return;
            }
            let subject = |of: Index| {
                let key = &of.get(&so.events).key;
                Subject::Observation(ObservationId::of(&store.tenant(), key))
            };
            let (a, b) = (subject(one), subject(other));
            let verdict = if same { Verdict::Same(a, b) } else { Verdict::Different(a, b) };
            let said = Assertion { verdict, by: "eva".to_owned(), reason: None, at: now() };
            // What it is about may have been erased.
            drop(store.assert(&said, at));
        }
        Step::Ask(bytes) => store.remember(bytes),
    }
}

/// Everything that is answered, by id and by address.
fn answers(store: &Store) -> String {
    let later = now() + Micros::DAY;
    let mut text = asking::answers(store, later);
    for address in ADDRESSES {
        let context = store.context(&who(address), &ContextOptions::at(later)).unwrap();
        text.push_str(&context.to_json());
    }
    text
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn whoever_wrote_last_a_store_answers_like_one_that_remembers_nothing(
        steps in proptest::collection::vec((step(), any::<bool>()), 1..16),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("asked.cx");
        // Two handles that know nothing of each other, as of two processes.
        let (one, other) = (Store::open(&path).unwrap(), Store::open(&path).unwrap());
        let mut so = So::default();
        for (step, by_one) in steps {
            let asks = matches!(step, Step::Ask(_));
            take(if by_one { &one } else { &other }, step, &mut so);
            if asks {
                let fresh = Store::open_read_only(&path, None).unwrap();
                fresh.remember(0);
                let expected = answers(&fresh);
                // The second time from memory.
                for store in [&one, &other, &one, &other] {
                    prop_assert_eq!(&answers(store), &expected);
                }
            }
        }
    }
}

#[test]
fn what_another_handle_writes_is_in_the_next_answer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asked.cx");
    let (one, other) = (Store::open(&path).unwrap(), Store::open(&path).unwrap());
    let message =
        |n: i64| story::message(&format!("m/{n}"), n, "email", "Jan", &["email jan@example.nl"]);
    let asked = || {
        let context = one.context(&who("jan@example.nl"), &ContextOptions::at(now())).unwrap();
        context.contacts.recent.len()
    };
    for n in 1..5 {
        other.ingest(&Recording::new(now(), "test"), [message(n)]).unwrap();
        assert_eq!(asked(), usize::try_from(n).unwrap());
        assert_eq!(asked(), usize::try_from(n).unwrap());
    }
    other.erase(&who("jan@example.nl"), EraseMode::Delete, now()).unwrap();
    assert_eq!(asked(), 0);
}

#[test]
fn the_first_who_wait_are_the_first_of_all_who_wait() {
    let store = Store::open_in_memory().unwrap();
    let events: Vec<Event> = cx_core::synthetic::Company::new(7, 60).take(1_500).collect();
    let last = events.iter().map(|event| event.occurred_at).max().unwrap();
    let first = events.iter().map(|event| event.occurred_at).min().unwrap();
    store.ingest(&Recording::new(last, "test"), events).unwrap();
    let half = first + Micros::new(last.since(first).as_micros() / 2);
    for as_of in [last, half, Timestamp::MAX] {
        let all = store.who_is_waiting(as_of).unwrap();
        assert!(all.len() > 10);
        for limit in [0, 1, 7, all.len(), usize::MAX] {
            let some = store.first_waiting(as_of, limit).unwrap();
            assert_eq!(some, all[..limit.min(all.len())]);
        }
    }
}

#[test]
fn who_waited_in_the_past_is_who_waited_then() {
    let events: Vec<Event> = cx_core::synthetic::Company::new(7, 60).take(1_500).collect();
    let last = events.iter().map(|event| event.occurred_at).max().unwrap();
    let first = events.iter().map(|event| event.occurred_at).min().unwrap();
    let half = first + Micros::new(last.since(first).as_micros() / 2);
    let waiting = |events: Vec<Event>| {
        let store = Store::open_in_memory().unwrap();
        store.ingest(&Recording::new(last, "test"), events).unwrap();
        let all = store.who_is_waiting(half).unwrap().into_iter();
        all.map(|matter| matter.conversation).collect::<Vec<_>>()
    };
    let until = events.iter().filter(|event| event.occurred_at <= half).cloned().collect();
    assert_eq!(waiting(events), waiting(until));
}

fn by_eva(verdict: Verdict, seconds: i64) -> Assertion {
    let at = now() + Micros::SECOND.times(seconds);
    Assertion { verdict, by: "eva".to_owned(), reason: None, at }
}

fn mail(n: i64, address: &str) -> Event {
    story::message(&format!("m/{n}"), n, "email", "Jan", &[&format!("email {address}")])
}

fn same() -> Verdict {
    let holder = |address: &str| match who(address) {
        Who::Identifier(identifier) => Subject::Identifier(identifier),
        Who::Customer(_) => unreachable!(),
    };
    Verdict::Same(holder(ADDRESSES[0]), holder(ADDRESSES[1]))
}

#[test]
fn what_was_only_tried_out_is_not_known_afterwards_and_what_others_said_meanwhile_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tried.cx");
    let (one, other) = (Store::open(&path).unwrap(), Store::open(&path).unwrap());
    let events = [mail(1, ADDRESSES[0]), mail(2, ADDRESSES[1])];
    one.ingest(&Recording::new(now(), "test"), events).unwrap();
    let said = by_eva(same(), 1);
    assert!(!one.preview(std::slice::from_ref(&said)).unwrap().changes.is_empty());
    assert_eq!(one.customers(None, 10).unwrap().len(), 2);
    let revoked = by_eva(Verdict::Revoke(said.id()), 2);
    assert!(one.assert(&revoked, now()).is_err(), "it was only tried out");
    other.assert(&said, now()).unwrap();
    assert!(one.preview(std::slice::from_ref(&revoked)).unwrap().changes.len() == 1);
    // A write that fails after it has heard of the other's word.
    let unknown = by_eva(Verdict::Revoke(by_eva(same(), 9).id()), 3);
    assert!(one.assert(&unknown, now()).is_err());
    one.ingest(&Recording::new(now(), "test"), [mail(3, ADDRESSES[1])]).unwrap();
    for store in [&one, &other] {
        assert_eq!(store.customers(None, 10).unwrap().len(), 1);
        assert!(store.check().unwrap().problems.is_empty());
    }
}

#[test]
fn an_erasure_takes_revocations_of_revocations_along_in_any_order() {
    for times in [[1, 2, 3], [3, 2, 1], [2, 2, 2]] {
        let store = Store::open_in_memory().unwrap();
        let events = [mail(1, ADDRESSES[0]), mail(2, ADDRESSES[1])];
        store.ingest(&Recording::new(now(), "test"), events).unwrap();
        let said = by_eva(same(), times[0]);
        let revoked = by_eva(Verdict::Revoke(said.id()), times[1]);
        let again = by_eva(Verdict::Revoke(revoked.id()), times[2]);
        for word in [&said, &revoked, &again] {
            store.assert(word, now()).unwrap();
        }
        store.erase(&who(ADDRESSES[0]), EraseMode::Delete, now()).unwrap();
        assert_eq!(store.assertions().unwrap(), [], "said at {times:?}");
    }
}
