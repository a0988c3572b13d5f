//! The law of the change feed: it tells of every record that goes to somebody else, and of nothing
//! else; who is said to be somebody now is found under that id.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_core::identity::{Assertion, Observation, Policy, Verdict};
use cx_core::ids::CustomerId;
use cx_core::retention::Retention;
use cx_core::time::{Micros, Span, Timestamp};
use cx_store::{Change, EraseMode, Recording, RetainOptions, Store, StoreOptions, TimelineQuery};
use cx_tests::story::{self, message};
use cx_tests::strategies::{TENANT, assertion, cases};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

const CLAIMS: &[&str] = &[
    "email jan@example.nl",
    "email eva@example.nl",
    "user_id u1",
    "phone 06 12345678",
    "cookie c1",
    "order o1",
];

fn store() -> Store {
    let options = StoreOptions { tenant: TENANT.to_owned(), ..StoreOptions::default() };
    Store::open_in_memory_with(options).unwrap()
}

fn now(step: usize) -> Timestamp {
    let step = i64::try_from(step).unwrap();
    "2029-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + Micros::MINUTE.times(step)
}

/// A revision of one of a few records, all within two hours.
fn revision() -> impl Strategy<Value = Event> {
    let names = select(&["", "", "Jan de Vries", "Eva Bakker", "Piet Smit"][..]);
    (0..8_u32, 0..4_u32, 0..120_i64, names, subsequence(CLAIMS, 0..3)).prop_map(
        |(key, rev, minutes, name, claims)| {
            let mut event = message(&format!("r/{key}"), minutes, "chat", name, &claims);
            event.rev = Some(rev.to_string());
            event
        },
    )
}

/// Whose each record is.
fn owners(store: &Store) -> BTreeMap<String, Option<CustomerId>> {
    let keys = store.events().map(|event| (event.unwrap().key.to_string(), None));
    let mut owners: BTreeMap<_, _> = keys.collect();
    for customer in store.customers(None, 1_000).unwrap() {
        let query = TimelineQuery::new().limit(1_000);
        let page = store.timeline(&Who::Customer(customer), &query, None).unwrap();
        for event in page.events {
            owners.insert(event.key.to_string(), Some(customer));
        }
    }
    owners
}

/// Compares what the feed has told since then with what has become of the records.
fn compare(store: &Store, after: u64, before: &BTreeMap<String, Option<CustomerId>>) {
    let now = owners(store);
    let gone = before.iter().filter(|(key, owner)| now.get(*key).is_some_and(|now| now != *owner));
    let went: BTreeSet<_> = gone.map(|(key, owner)| (*owner, now[key])).collect();
    let (mut told, mut new) = (BTreeSet::new(), BTreeSet::new());
    for record in store.changes(after, 1_000).unwrap() {
        let (from, to) = match record.change {
            Change::Created { customer } => {
                new.insert(customer);
                continue;
            }
            Change::Moved { from, to, records } => {
                assert!(records > 0);
                (from, to)
            }
            Change::Merged { from, into } | Change::Renamed { from, into } => {
                let found = store.find(&Who::Customer(from)).unwrap();
                assert_eq!(found.customers.first().map(|found| found.id), Some(into));
                new.insert(into);
                (Some(from), Some(into))
            }
            Change::Split { from, into } => {
                new.insert(into);
                (Some(from), Some(into))
            }
            Change::Dissolved { customer } => {
                told.insert((Some(customer), None));
                continue;
            }
            other => panic!("{other:?}"),
        };
        assert!(went.contains(&(from, to)), "no record went from {from:?} to {to:?}: {went:?}");
        told.insert((from, to));
    }
    for (from, to) in went {
        let is_new = from.is_none() && to.is_some_and(|to| new.contains(&to));
        assert!(is_new || told.contains(&(from, to)), "{from:?} to {to:?} is not told: {told:?}");
    }
}

/// What somebody has who follows the feed and keeps a set of customers.
fn follow(store: &Store, after: u64, customers: &mut BTreeSet<CustomerId>) {
    // Who was one by a model's word alone is nobody any more before the record is erased.
    let mut parted = BTreeSet::new();
    for record in store.changes(after, 1_000).unwrap() {
        match record.change {
            Change::Created { customer } => assert!(customers.insert(customer)),
            Change::Split { into, .. } => {
                customers.insert(into);
            }
            Change::Merged { from, into } | Change::Renamed { from, into } => {
                assert!(customers.remove(&from), "{from}");
                customers.insert(into);
            }
            Change::Dissolved { customer } => {
                assert!(customers.remove(&customer), "{customer}");
                parted.insert(customer);
            }
            Change::Erased { customer } => {
                assert!(customers.remove(&customer) || parted.contains(&customer), "{customer}");
            }
            Change::Moved { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    let there: BTreeSet<_> = store.customers(None, 1_000).unwrap().into_iter().collect();
    assert_eq!(*customers, there);
}

/// The place of the last change.
fn last(store: &Store) -> u64 {
    store.changes(0, 10_000).unwrap().last().map_or(0, |record| record.seq)
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn every_record_that_goes_to_somebody_else_is_told_of_and_nothing_else(
        (batches, said) in vec(vec(revision(), 1..4), 1..10).prop_flat_map(|batches| {
            let said = vec(assertion(&batches.concat()), 0..4);
            (Just(batches), said)
        }),
    ) {
        let store = store();
        let mut step = 0;
        for batch in batches {
            let (after, before) = (last(&store), owners(&store));
            store.ingest(&Recording::new(now(step), "test"), batch).unwrap();
            compare(&store, after, &before);
            step += 1;
        }
        for said in said {
            let back = Assertion { verdict: Verdict::Revoke(said.id()), ..said.clone() };
            for word in [said, back] {
                let (after, before) = (last(&store), owners(&store));
                if store.assert(&word, now(step)).is_ok() {
                    compare(&store, after, &before);
                }
                step += 1;
            }
        }
    }
}

/// What is done to a store that somebody follows.
#[derive(Debug, Clone)]
enum Step {
    Ingest(Vec<Event>),
    Assert(Assertion),
    /// Takes a word back, or an earlier one's revocation.
    Back(Index),
    /// Takes out what is older than a day, a day and so many minutes after the first record.
    Retain(i64),
    Erase(Index, EraseMode),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Some of them in a conversation, with whom they go where they name nobody.
    let record = (revision(), any::<bool>()).prop_map(|(event, talks)| {
        if talks { story::in_conversation(event, "chat/1") } else { event }
    });
    vec(vec(record, 1..4), 1..8).prop_flat_map(|batches| {
        let all = batches.concat();
        let step = prop_oneof![
            4 => select(batches).prop_map(Step::Ingest),
            2 => assertion(&all).prop_map(Step::Assert),
            1 => any::<Index>().prop_map(Step::Back),
            1 => (0..130_i64).prop_map(Step::Retain),
            1 => (any::<Index>(), select(&[EraseMode::Delete, EraseMode::Anonymise][..]))
                .prop_map(|(who, mode)| Step::Erase(who, mode)),
        ];
        vec(step, 1..14)
    })
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn whoever_follows_the_feed_has_the_customers_that_there_are(steps in steps()) {
        let store = store();
        let mut customers = BTreeSet::new();
        let mut said: Vec<Assertion> = Vec::new();
        for (at, step) in steps.into_iter().enumerate() {
            let after = last(&store);
            match step {
                Step::Ingest(events) => {
                    store.ingest(&Recording::new(now(at), "test"), events).unwrap();
                }
                Step::Assert(word) => {
                    if store.assert(&word, now(at)).is_ok() {
                        said.push(word);
                    }
                }
                Step::Back(which) if !said.is_empty() => {
                    let word = which.get(&said).clone();
                    let back = Assertion { verdict: Verdict::Revoke(word.id()), ..word };
                    if store.assert(&back, now(at)).is_ok() {
                        said.push(back);
                    }
                }
                Step::Retain(minutes) => {
                    let rules = Retention::read("[[rule]]\nkeep = \"1 day\"").unwrap();
                    let now = story::monday() + Micros::DAY + Micros::MINUTE.times(minutes);
                    let options = RetainOptions { now, batch: 3 };
                    store.retain(&rules, options, |_| ControlFlow::Continue(())).unwrap();
                }
                Step::Erase(who, mode) if !customers.is_empty() => {
                    let customers: Vec<CustomerId> = customers.iter().copied().collect();
                    store.erase(&Who::Customer(*who.get(&customers)), mode, now(at)).unwrap();
                }
                Step::Back(_) | Step::Erase(..) => {}
            }
            follow(&store, after, &mut customers);
        }
    }
}

/// Ann and Bob, and a record of Ann's that has Bob's number too.
fn ann_and_bob() -> (Store, CustomerId, CustomerId) {
    let store = store();
    let (ann, bob) = (["email ann@example.nl", "user_id a"], ["phone 06 12345678", "user_id b"]);
    let first = [message("a", 0, "web", "", &ann), message("b", 1, "web", "", &bob)];
    store.ingest(&Recording::new(now(0), "test"), first).unwrap();
    store
        .ingest(
            &Recording::new(now(1), "test"),
            [both("1", &["email ann@example.nl", "phone 06 12345678"])],
        )
        .unwrap();
    let id = |claim| store.find(&who(claim)).unwrap().customers[0].id;
    let (ann, bob) = (id("user_id a"), id("user_id b"));
    (store, ann, bob)
}

fn both(rev: &str, claims: &[&str]) -> Event {
    let mut event = message("e", 2, "web", "", claims);
    event.rev = Some(rev.to_owned());
    event
}

fn who(claim: &str) -> Who {
    Who::Identifier(story::claim(claim).unwrap().identifier().clone())
}

#[test]
fn a_record_that_is_detached_from_one_and_goes_to_another_is_told_before_and_after() {
    let (store, ann, bob) = ann_and_bob();
    let Who::Identifier(address) = who("email ann@example.nl") else { panic!() };
    let record = Observation::of(TENANT, &both("1", &[])).id;
    let (by, reason, at) = ("agent:7".to_owned(), None, now(2));
    let said = Assertion { verdict: Verdict::Detach(record, address), by, reason, at };
    let moved = Change::Moved { from: Some(ann), to: Some(bob), records: 1 };
    let preview = store.preview(std::slice::from_ref(&said)).unwrap();
    assert_eq!(preview.changes.iter().map(|it| &it.change).collect::<Vec<_>>(), [&moved]);
    let done = store.assert(&said, now(2)).unwrap();
    assert_eq!(done.changes.iter().map(|it| &it.change).collect::<Vec<_>>(), [&moved]);
    let said = Assertion { verdict: Verdict::Revoke(said.id()), ..said };
    let back = store.assert(&said, now(3)).unwrap();
    let moved = Change::Moved { from: Some(bob), to: Some(ann), records: 1 };
    assert_eq!(back.changes.iter().map(|it| &it.change).collect::<Vec<_>>(), [&moved]);
}

#[test]
fn a_revision_by_which_a_record_is_somebody_else_s_or_nobody_s_is_told() {
    for claims in [&["phone 06 12345678"][..], &[]] {
        let (store, ann, bob) = ann_and_bob();
        let after = last(&store);
        store.ingest(&Recording::new(now(2), "test"), [both("2", claims)]).unwrap();
        let to = (!claims.is_empty()).then_some(bob);
        let moved = Change::Moved { from: Some(ann), to, records: 1 };
        let told: Vec<Change> =
            store.changes(after, 10).unwrap().into_iter().map(|it| it.change).collect();
        assert_eq!(told, [moved]);
    }
}

fn seen(key: &str, minutes: i64, name: &str, address: &str) -> Event {
    message(key, minutes, "web", name, &["cookie c1", address])
}

/// Ann and Bob use one device; a page on it is Bob's, who is nearer in time.
fn a_shared_device() -> Store {
    let store = store();
    let shared = [
        seen("ann", 0, "Ann Bos", "email ann@example.nl"),
        seen("bob", 6_000, "Bob Vos", "email bob@example.nl"),
        message("page", 6_009, "web", "", &["cookie c1"]),
    ];
    store.ingest(&Recording::new(now(0), "test"), shared).unwrap();
    store
}

#[test]
fn a_record_on_a_shared_device_that_somebody_nearer_gets_is_told() {
    let store = a_shared_device();
    let (after, before) = (last(&store), owners(&store));
    let cor = seen("cor", 6_008, "Cor Dam", "email cor@example.nl");
    store.ingest(&Recording::new(now(1), "test"), [cor]).unwrap();
    assert_ne!(owners(&store)["page"], before["page"]);
    compare(&store, after, &before);
}

#[test]
fn a_record_on_a_shared_device_that_goes_to_another_under_a_policy_is_told() {
    let store = a_shared_device();
    let (after, before) = (last(&store), owners(&store));
    let policy = Policy { session: Span(Micros::MINUTE), ..store.policy().unwrap() };
    store.set_policy(&policy, now(1)).unwrap();
    assert_ne!(owners(&store)["page"], before["page"]);
    compare(&store, after, &before);
}

#[test]
fn the_id_of_a_record_that_becomes_nobody_s_goes_with_the_others() {
    let store = store();
    let of = |key: &str, rev: &str, claims: &[&str]| {
        let mut event = message(key, 0, "web", "", claims);
        event.rev = Some(rev.to_owned());
        event
    };
    let address = ["email ann@example.nl"];
    let steps = [of("first", "1", &address), of("second", "1", &address)];
    for (step, event) in steps.into_iter().enumerate() {
        store.ingest(&Recording::new(now(step), "test"), [event]).unwrap();
    }
    let before = store.find(&who(address[0])).unwrap().customers[0].id;
    let after = last(&store);
    store.ingest(&Recording::new(now(2), "test"), [of("first", "2", &[])]).unwrap();
    let today = store.find(&who(address[0])).unwrap().customers[0].id;
    assert_ne!(before, today);
    let told: Vec<Change> =
        store.changes(after, 10).unwrap().into_iter().map(|it| it.change).collect();
    assert!(told.contains(&Change::Renamed { from: before, into: today }), "{told:?}");
    assert_eq!(store.find(&Who::Customer(before)).unwrap().customers[0].id, today);
    // Once it is theirs again, it names them.
    store.ingest(&Recording::new(now(3), "test"), [of("first", "3", &address)]).unwrap();
    assert_eq!(store.find(&who(address[0])).unwrap().customers[0].id, before);
    assert!(store.check().unwrap().is_clean());
}
