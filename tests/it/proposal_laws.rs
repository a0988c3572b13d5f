//! The probabilistic stage in a store (IDENTITY.md 2.8): a model proposes, links only where
//! somebody says from which weight on, gives way to everything else, and shows nobody more.

use std::collections::BTreeSet;

use cx_core::context::{Audience, ContextOptions};
use cx_core::event::Event;
use cx_core::identifier::{Identifier, Namespace, Who};
use cx_core::identity::explain::Relation;
use cx_core::identity::{Assertion, Subject, Verdict};
use cx_core::ids::{CustomerId, ObservationId};
use cx_core::linkage::Model;
use cx_core::time::{Micros, Timestamp};
use cx_store::{EraseMode, Past, ProposeOptions, Proposed, Recording, Store, StoreOptions};
use cx_tests::story::message;
use cx_tests::strategies::{TENANT, asserted_world, cases};
use proptest::prelude::*;

fn options() -> StoreOptions {
    StoreOptions { tenant: TENANT.to_owned(), ..StoreOptions::default() }
}

fn now() -> Timestamp {
    "2029-01-01T00:00:00Z".parse().unwrap()
}

fn later(minutes: i64) -> Timestamp {
    now() + Micros::MINUTE.times(minutes)
}

fn mail(address: &str) -> Who {
    Who::Identifier(Identifier::normalise(Namespace::Email, "", address, None).unwrap())
}

fn loyalty(card: &str) -> Who {
    let words = format!("loyalty {card}");
    Who::Identifier(cx_tests::story::claim(&words).unwrap().identifier().clone())
}

/// What a shop has on record about somebody.
fn on_record(key: &str, name: &str, born: &str, street: &str, claims: &[&str]) -> Event {
    let mut event = message(key, 1, "web", "", claims);
    let data = serde_json::json!({
        "name": name, "birth_date": born,
        "address": { "street": street, "postcode": "3511 AA", "city": "Utrecht" },
    });
    let serde_json::Value::Object(data) = data else { unreachable!() };
    event.kind = cx_core::event::Kind::from_json("profile.updated", data).unwrap();
    event.name = Some(name.to_owned());
    event
}

/// Jan de Vries, who has written from a second address under a slip of the pen, Anna who lives with
/// him, and people of no interest.
fn street() -> Vec<Event> {
    let mut events = vec![
        on_record("jan/1", "Jan de Vries", "1980-04-27", "Kerkstraat 1", &["email jan@example.nl"]),
        on_record(
            "jan/2",
            "Jan de Vreis",
            "1980-04-27",
            "Kerkstraat 1",
            &["email jdv@example.org"],
        ),
        on_record(
            "anna/1",
            "Anna de Vries",
            "1983-11-02",
            "Kerkstraat 1",
            &["email anna@example.nl"],
        ),
        message("jan/3", 5, "email", "Jan de Vries", &["email jan@example.nl"]),
        message("jan/4", 6, "email", "Jan de Vreis", &["email jdv@example.org"]),
    ];
    for n in 0..20 {
        let (name, born) = (format!("Piet Smit{n}"), format!("19{}-01-02", 50 + n));
        let (street, address) = (format!("Dorpsweg {n}"), format!("email p{n}@example.com"));
        events.push(on_record(&format!("p/{n}"), &name, &born, &street, &[&address]));
    }
    events
}

fn store_of(events: &[Event]) -> Store {
    let store = Store::open_in_memory_with(options()).unwrap();
    store.ingest(&Recording::new(now(), "test"), events.iter().cloned()).unwrap();
    store
}

fn propose(store: &Store, link_at: Option<i32>, at: Timestamp) -> Proposed {
    let mut options = ProposeOptions::new(Model::shipped());
    options.link_at = link_at;
    store.propose(&options, at).unwrap()
}

fn customer(store: &Store, who: &Who) -> CustomerId {
    store.find(who).unwrap().customers[0].id
}

fn said(verdict: Verdict, minutes: i64) -> Assertion {
    Assertion { verdict, by: "agent:7".to_owned(), reason: None, at: later(minutes) }
}

fn anchor(store: &Store, who: &Who) -> Subject {
    Subject::Observation(store.anchor(who).unwrap().unwrap())
}

/// The partition of a store's events.
fn partition(store: &Store) -> BTreeSet<Vec<String>> {
    let query = cx_store::TimelineQuery::new().limit(10_000);
    let keys = |id| {
        let page = store.timeline(&Who::Customer(id), &query, None).unwrap();
        let mut keys: Vec<String> = page.events.iter().map(|e| e.key.to_string()).collect();
        keys.sort();
        keys
    };
    store.customers(None, 10_000).unwrap().into_iter().map(keys).collect()
}

#[test]
fn a_model_proposes_and_links_nobody_unless_told_from_which_weight_on() {
    let store = store_of(&street());
    let (jan, other) = (mail("jan@example.nl"), mail("jdv@example.org"));
    let before = partition(&store);
    let done = propose(&store, None, later(1));
    assert_eq!((done.linked, done.taken_back), (0, 0), "{done:?}");
    assert!(done.changes.is_empty());
    assert_eq!(partition(&store), before);

    let candidates = store.candidates(&jan, Past::today()).unwrap();
    let found = &candidates[0];
    assert_eq!(found.customer.id, customer(&store, &other));
    assert_eq!(found.relation, Relation::Possible);
    let told = found.sentences.join("\n");
    assert!(told.contains("birth date"), "{told}");
    let anna = candidates.iter().find(|one| one.customer.names == ["Anna de Vries"]);
    assert_eq!(anna.map(|one| one.relation), Some(Relation::Household), "{candidates:#?}");
    let why_not = store.why_not(&jan, &other, Past::today()).unwrap().unwrap();
    assert!(why_not.model.is_some_and(|model| model.weight > 0));
    let proposal = &store.proposals_of(&jan).unwrap()[0];
    let bars: f64 = proposal.waterfall.bars.iter().map(|bar| bar.weight + bar.term_frequency).sum();
    assert!((proposal.waterfall.prior + bars - f64::from(proposal.weight) / 1000.0).abs() < 0.01);

    let done = propose(&store, Some(8_000), later(2));
    assert_eq!(done.linked, 1, "{done:?}");
    assert_eq!(done.changes.len(), 1);
    assert_eq!(customer(&store, &jan), customer(&store, &other));
    let why = store.why(&jan, &other, Past::today()).unwrap().unwrap();
    let told = why.sentences.join("\n");
    assert!(told.contains("probably one person") && told.contains("bits"), "{told}");
    assert_ne!(customer(&store, &jan), customer(&store, &mail("anna@example.nl")));
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn a_run_that_links_less_takes_back_what_an_earlier_one_linked() {
    let store = store_of(&street());
    let before = partition(&store);
    assert_eq!(propose(&store, Some(8_000), later(1)).linked, 1);
    let again = propose(&store, Some(8_000), later(2));
    assert_eq!((again.linked, again.taken_back, again.changes.len()), (1, 0, 0));
    let none = propose(&store, None, later(3));
    assert_eq!((none.linked, none.taken_back), (0, 1));
    assert_eq!(partition(&store), before);
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn a_link_that_a_person_took_back_no_model_makes_again() {
    let store = store_of(&street());
    propose(&store, Some(8_000), later(1));
    let by_model = |said: &Assertion| matches!(said.verdict, Verdict::Probable(..));
    let link = store.assertions().unwrap().into_iter().find(by_model).unwrap();
    store.assert(&said(Verdict::Revoke(link.id()), 2), later(2)).unwrap();
    assert_eq!(propose(&store, Some(8_000), later(3)).linked, 0);
    let (jan, other) = (mail("jan@example.nl"), mail("jdv@example.org"));
    assert_ne!(customer(&store, &jan), customer(&store, &other));
}

#[test]
fn what_was_taken_back_stays_apart_however_the_customers_have_grown() {
    let store = Store::open_in_memory_with(options()).unwrap();
    // Who is at the counter is recorded before Jan, and turns out to be him.
    let counter = message("counter", 0, "pos", "", &["loyalty 4711"]);
    let recording = |minutes| Recording::new(later(minutes), "test");
    store.ingest(&recording(-9), [counter]).unwrap();
    store.ingest(&recording(0), street()).unwrap();
    propose(&store, Some(8_000), later(1));
    let by_model = |said: &Assertion| matches!(said.verdict, Verdict::Probable(..));
    let link = store.assertions().unwrap().into_iter().find(by_model).unwrap();
    store.assert(&said(Verdict::Revoke(link.id()), 2), later(2)).unwrap();
    let both = message("both", 7, "web", "", &["loyalty 4711", "email jan@example.nl"]);
    store.ingest(&recording(3), [both]).unwrap();
    let (jan, other) = (mail("jan@example.nl"), mail("jdv@example.org"));
    assert_eq!(customer(&store, &jan), customer(&store, &loyalty("4711")));
    assert_eq!(propose(&store, Some(8_000), later(4)).linked, 0);
    assert_ne!(customer(&store, &jan), customer(&store, &other));
}

#[test]
fn a_revocation_that_was_revoked_keeps_no_model_from_linking() {
    let store = store_of(&street());
    propose(&store, Some(8_000), later(1));
    let by_model = |said: &Assertion| matches!(said.verdict, Verdict::Probable(..));
    let link = store.assertions().unwrap().into_iter().find(by_model).unwrap();
    let revoked = said(Verdict::Revoke(link.id()), 2);
    store.assert(&revoked, later(2)).unwrap();
    store.assert(&said(Verdict::Revoke(revoked.id()), 3), later(3)).unwrap();
    let done = propose(&store, Some(8_000), later(4));
    assert_eq!((done.linked, done.taken_back), (1, 0));
}

#[test]
fn a_person_s_different_goes_before_a_model() {
    let store = store_of(&street());
    let (jan, other) = (mail("jan@example.nl"), mail("jdv@example.org"));
    let apart = Verdict::Different(anchor(&store, &jan), anchor(&store, &other));
    store.assert(&said(apart, 1), later(1)).unwrap();
    let done = propose(&store, Some(8_000), later(2));
    assert_eq!((done.refused, done.linked), (1, 0), "{done:?}");
    assert_ne!(customer(&store, &jan), customer(&store, &other));
    // Nor is it proposed again, by the next run or of the one before.
    let is_pair = |it: &cx_store::Proposal| {
        let pair = [it.a, it.b];
        pair.contains(&customer(&store, &jan)) && pair.contains(&customer(&store, &other))
    };
    assert!(!store.proposals(100).unwrap().iter().any(is_pair));
    let candidates = store.candidates(&jan, Past::today()).unwrap();
    let other = customer(&store, &other);
    assert!(candidates.iter().all(|candidate| candidate.customer.id != other));
}

#[test]
fn a_pair_that_is_decided_is_no_proposal_any_more() {
    let store = store_of(&street());
    let proposed = propose(&store, None, later(1)).possible;
    assert_eq!(store.proposals(100).unwrap().len(), usize::try_from(proposed).unwrap());
    let (jan, other) = (mail("jan@example.nl"), mail("jdv@example.org"));
    let apart = Verdict::Different(anchor(&store, &jan), anchor(&store, &other));
    store.assert(&said(apart, 1), later(2)).unwrap();
    assert_eq!(store.proposals(100).unwrap().len(), usize::try_from(proposed).unwrap() - 1);
    assert_eq!(propose(&store, None, later(3)).possible, proposed - 1);
}

#[test]
fn a_record_that_was_detached_is_not_brought_back_by_what_it_was_detached_from() {
    let (address, number) = ("email jan@example.nl", "phone 06 12345678");
    let mut events = street();
    events.push(message("s1", 7, "web", "Jan de Vries", &[address]));
    events.push(message("s2", 8, "phone", "Jan de Vries", &[number]));
    let store = store_of(&events);
    let s1 = ObservationId::of(TENANT, &"s1".parse().unwrap());
    let Who::Identifier(jan) = mail("jan@example.nl") else { unreachable!() };
    store.assert(&said(Verdict::Detach(s1, jan), 1), later(1)).unwrap();
    let with_s1 = |store: &Store| {
        let id = customer(store, &mail("jan@example.nl"));
        let query = cx_store::TimelineQuery::new().limit(100);
        let page = store.timeline(&Who::Customer(id), &query, None).unwrap();
        page.events.iter().any(|event| event.key.as_str() == "s1")
    };
    assert!(!with_s1(&store));
    propose(&store, Some(-5_000), later(2));
    assert!(!with_s1(&store));
}

#[test]
fn a_customer_is_not_shown_what_only_a_model_takes_for_theirs() {
    let jan = mail("jan@example.nl");
    let shown = |store: &Store, audience| {
        let options = ContextOptions::at(later(9)).audience(audience);
        store.context(&jan, &options).unwrap().to_json()
    };
    // Also where what the model links lies behind all that an answer looks at.
    for later_on in [0, 5_100] {
        let messages = (0..later_on).map(|n| {
            message(&format!("m{n}"), 60 + n, "email", "Jan de Vries", &["email jan@example.nl"])
        });
        let store = store_of(&street().into_iter().chain(messages).collect::<Vec<_>>());
        let before = shown(&store, Audience::Customer);
        propose(&store, Some(8_000), later(1));
        assert!(shown(&store, Audience::Agent).contains("jdv@example.org"));
        let after = shown(&store, Audience::Customer);
        assert!(!after.contains("jdv@example.org"), "{after}");
        assert_eq!(after, before);
    }
}

#[test]
fn nothing_is_left_of_a_proposal_about_somebody_who_was_erased() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_with(folder.path().join("s.cx"), options()).unwrap();
    store.ingest(&Recording::new(now(), "test"), street()).unwrap();
    assert!(propose(&store, None, later(1)).possible > 0);
    for who in [mail("jan@example.nl"), mail("jdv@example.org")] {
        store.erase(&who, EraseMode::Delete, later(2)).unwrap();
    }
    store.compact(later(3)).unwrap();
    drop(store);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for secret in ["jdv@example.org", "vreis", "19800427"] {
            let hit = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!hit, "{secret}");
        }
    }
}

proptest! {
    #![proptest_config(cases(40))]

    /// A link by a model and its revocation leave no trace, whatever else was said.
    #[test]
    fn probable_links_that_are_taken_back_were_never_made(
        (events, assertions) in asserted_world(16), pairs in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4),
    ) {
        prop_assume!(!events.is_empty());
        let told = |extra: &[Assertion]| {
            let store = store_of(&events);
            for assertion in assertions.iter().chain(extra) {
                drop(store.assert(assertion, now()));
            }
            store
        };
        let id = |event: &Event| ObservationId::of(TENANT, &event.key);
        let links: Vec<Assertion> = pairs
            .iter()
            .map(|(a, b)| {
                let (a, b) = (id(&events[a.index(events.len())]), id(&events[b.index(events.len())]));
                said(Verdict::Probable(a, b, 9_000), 1)
            })
            .collect();
        let with = told(&links);
        prop_assert!(with.check().unwrap().is_clean());
        let back: Vec<Assertion> =
            links.iter().map(|link| said(Verdict::Revoke(link.id()), 2)).collect();
        for assertion in &back {
            with.assert(assertion, now()).unwrap();
        }
        prop_assert_eq!(partition(&with), partition(&told(&[])));
    }

    /// Whatever order the events came in, a model finds the same.
    #[test]
    fn the_order_of_arrival_does_not_matter_to_a_model(shuffled in Just(street()).prop_shuffle()) {
        let (one, other) = (store_of(&street()), Store::open_in_memory_with(options()).unwrap());
        for event in shuffled {
            other.ingest(&Recording::new(now(), "test"), [event]).unwrap();
        }
        for store in [&one, &other] {
            propose(store, Some(8_000), later(1));
        }
        prop_assert_eq!(partition(&one), partition(&other));
        let told = |store: &Store| -> Vec<(i32, Vec<String>)> {
            let all = store.proposals(100).unwrap().into_iter();
            all.map(|proposal| (proposal.weight, proposal.waterfall.sentences)).collect()
        };
        prop_assert_eq!(told(&one), told(&other));
    }
}

#[test]
fn what_a_model_proposed_is_moved_and_salvaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("street.cx");
    let store = Store::open_with(&path, options()).unwrap();
    store.ingest(&Recording::new(now(), "test"), street()).unwrap();
    propose(&store, None, later(1));
    let proposed = store.proposals(10).unwrap();
    assert!(!proposed.is_empty());
    let mut lines = Vec::new();
    store.export_facts(&mut lines).unwrap();
    let moved = folder.path().join("moved.cx");
    let (moved, _) = Store::import_facts(lines.as_slice(), moved).unwrap();
    assert_eq!(moved.proposals(10).unwrap(), proposed);
    let (saved, report) = Store::salvage(&path, folder.path().join("saved.cx")).unwrap();
    assert!(report.is_complete(), "{:?}", report.lost);
    assert_eq!(saved.proposals(10).unwrap(), proposed);
}

#[test]
fn a_link_that_a_person_took_back_is_not_made_again_over_a_third() {
    let tim = |key: &str, mail: &str| {
        on_record(key, "Tim Zwartjes", "1990-05-06", "Kerkstraat 1", &[mail])
    };
    let store = store_of(&[tim("t", "email tim@x.example"), tim("a", "email tim2@x.example")]);
    let (one, other) = (mail("tim@x.example"), mail("tim2@x.example"));
    assert_eq!(propose(&store, Some(3_000), later(1)).linked, 1);
    let by_model = |said: &Assertion| matches!(said.verdict, Verdict::Probable(..));
    let link = store.assertions().unwrap().into_iter().find(by_model).unwrap();
    // Whatever the person is called.
    let mut revoked = said(Verdict::Revoke(link.id()), 2);
    revoked.by = "model team lead".to_owned();
    store.assert(&revoked, later(2)).unwrap();
    store.ingest(&Recording::new(later(3), "test"), [tim("c", "email tim3@x.example")]).unwrap();
    let done = propose(&store, Some(3_000), later(4));
    assert_eq!(done.linked, 1, "{done:?}");
    assert_ne!(customer(&store, &one), customer(&store, &other));
    let again = propose(&store, Some(3_000), later(5));
    assert_eq!((again.linked, again.taken_back, again.changes.len()), (1, 0, 0));
}

#[test]
fn what_a_limit_stands_against_is_proposed_and_weighs_all_that_both_have() {
    let record = |key: &str, id: &str| {
        let claims = [&format!("crm {id}"), "email tim@x.example", "phone 06 12345678"];
        on_record(key, "Tim Zwartjes", "1990-05-06", "Kerkstraat 1", &claims)
    };
    let store = store_of(&[record("t", "1"), record("a", "2")]);
    for link_at in [None, Some(3_000)] {
        let done = propose(&store, link_at, later(1));
        assert_eq!((done.linked, done.possible), (0, 1), "{done:?}");
        let proposal = store.proposals(10).unwrap().remove(0);
        let told = proposal.waterfall.sentences.join("\n");
        assert!(told.contains("tim@x.example") && told.contains("612345678"), "{told}");
    }
}

#[test]
fn twins_are_proposed_to_nobody_and_never_linked() {
    let twin = |key: &str, name: &str, mail: &str| {
        on_record(key, name, "1990-05-06", "Kerkstraat 1", &[mail])
    };
    let store = store_of(&[
        twin("t", "Tim Zwartjes", "email tim@x.example"),
        twin("a", "Ann Zwartjes", "email ann@y.example"),
    ]);
    let done = propose(&store, Some(1_000), later(1));
    assert_eq!((done.linked, done.households), (0, 1), "{done:?}");
}

#[test]
fn a_run_on_an_unchanged_store_finds_what_the_one_before_found() {
    // All at one instant, as in an import, so that only what records say puts them in order.
    let mut events = Vec::new();
    for n in 0..60 {
        let (given, family) = (["Anthony", "Avthony", "Tony", "Ann"][n % 4], n / 12);
        let (mail, phone) =
            (format!("email m{}@x.example", n / 3), format!("phone 06 1234567{}", n / 9));
        let born = format!("19{}-05-06", 60 + n / 4);
        let name = format!("{given} Bosma{}", char::from(b'a' + u8::try_from(family).unwrap()));
        events.push(on_record(&format!("k/{n}"), &name, &born, "Kerkstraat 1", &[&mail, &phone]));
    }
    let store = store_of(&events);
    let first = propose(&store, Some(1_000), later(1));
    assert!(first.linked > 0, "{first:?}");
    let before = partition(&store);
    for minutes in 2..5 {
        let again = propose(&store, Some(1_000), later(minutes));
        assert_eq!((again.taken_back, again.changes.len()), (0, 0), "{again:?}");
        assert_eq!((again.linked, again.compared), (first.linked, first.compared));
        assert_eq!(partition(&store), before);
    }
}
