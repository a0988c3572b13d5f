//! The laws of the store: whatever the order and the batches, it holds what all facts at once give.

use std::fmt::Write;

use cx_core::channel::Channel;
use cx_core::event::{Direction, Event, Kind, Visibility};
use cx_core::identifier::Who;
use cx_core::identity::{Assertion, MOST_CLAIMS, Subject, Verdict};
use cx_core::time::Timestamp;
use cx_store::{Cursor, Recording, Store, StoreOptions, TimelineQuery};
use cx_tests::asking::answers;
use cx_tests::story;
use cx_tests::strategies::{TENANT, asserted_world, assertion, cases, event, world};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};

fn store() -> Store {
    let options = StoreOptions { tenant: TENANT.to_owned(), ..StoreOptions::default() };
    Store::open_in_memory_with(options).unwrap()
}

fn now() -> Timestamp {
    "2029-01-01T00:00:00Z".parse().unwrap()
}

fn recording() -> Recording {
    Recording::new(now(), "test")
}

fn check(store: &Store) {
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{:#?}\n{}", report.problems, told(store));
}

/// The events of a store in a line each, in the order of arrival.
fn told(store: &Store) -> String {
    let mut text = String::new();
    for event in store.events() {
        let event = event.unwrap();
        let who: Vec<String> = event
            .who
            .iter()
            .map(|claim| format!("{} {:?}", claim.identifier(), claim.assurance))
            .collect();
        let conversation =
            event.conversation.as_ref().map(|conversation| conversation.key.to_string());
        let name = event.name.as_deref().unwrap_or("-");
        writeln!(text, "{} {} {name} {who:?} {conversation:?}", event.key, event.occurred_at)
            .unwrap();
    }
    for assertion in store.assertions().unwrap() {
        writeln!(text, "{:?}", assertion.verdict).unwrap();
    }
    text
}

/// A record in several revisions, some with the same revision and other content.
fn revised() -> impl Strategy<Value = Vec<Event>> {
    let aliases = subsequence(&["chat/1", "chat/2", "mail/1", "mail/2", "mail/3"][..], 0..3);
    vec((event(), 0..6_u32, 0..3_u8, aliases), 1..24).prop_map(|records| {
        let revision = |(mut event, key, rev, aliases): (Event, u32, u8, Vec<&str>)| {
            if let Some(talk) = &mut event.conversation {
                talk.aliases = aliases.into_iter().map(|key| key.parse().unwrap()).collect();
            }
            event.key = format!("story/{key}").parse().unwrap();
            event.rev = (rev > 0).then(|| rev.to_string());
            event
        };
        records.into_iter().map(revision).collect()
    })
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn p2_any_batches_give_what_a_rebuild_gives(events in world(40), sizes in vec(1_usize..9, 1..40)) {
        let store = store();
        let mut rest = events.as_slice();
        for size in sizes {
            let (batch, others) = rest.split_at(size.min(rest.len()));
            store.ingest(&recording(), batch.iter().cloned()).unwrap();
            rest = others;
        }
        store.ingest(&recording(), rest.iter().cloned()).unwrap();
        check(&store);
        let whole = self::store();
        whole.ingest(&recording(), events.iter().rev().cloned()).unwrap();
        prop_assert_eq!(answers(&store, now()), answers(&whole, now()));
    }

    #[test]
    fn twice_is_once(events in world(24)) {
        let store = store();
        store.ingest(&recording(), events.iter().cloned()).unwrap();
        let before = answers(&store, now());
        let report = store.ingest(&recording(), events.iter().cloned()).unwrap();
        prop_assert_eq!(report.duplicate, u64::try_from(events.len()).unwrap());
        prop_assert_eq!((report.new, report.revised, report.conflict, report.customers), (0, 0, 0, 0));
        prop_assert_eq!(answers(&store, now()), before);
    }

    #[test]
    fn revisions_and_conflicts_give_the_same_in_any_order(
        records in revised(), by in any::<Index>(), size in 1_usize..5,
    ) {
        let one = store();
        one.ingest(&recording(), records.iter().cloned()).unwrap();
        check(&one);
        let mut turned = records.clone();
        turned.rotate_left(by.index(records.len()));
        turned.reverse();
        let other = store();
        for batch in turned.chunks(size) {
            other.ingest(&recording(), batch.iter().cloned()).unwrap();
        }
        check(&other);
        prop_assert_eq!(answers(&one, now()), answers(&other, now()));
        prop_assert_eq!(one.who_is_waiting(now()).unwrap(), other.who_is_waiting(now()).unwrap());
    }

    #[test]
    fn assertions_before_among_and_after_the_facts_give_what_a_rebuild_gives(
        (events, assertions) in asserted_world(24), at in any::<Index>(), revoke in any::<bool>(),
    ) {
        let store = store();
        let cut = if events.is_empty() { 0 } else { at.index(events.len()) };
        store.ingest(&recording(), events[..cut].iter().cloned()).unwrap();
        let mut said = Vec::new();
        for assertion in &assertions {
            // What names an observation that is not there yet is refused, and changes nothing.
            if store.assert(assertion, now()).is_ok() {
                said.push(assertion.clone());
            }
            check(&store);
        }
        store.ingest(&recording(), events[cut..].iter().cloned()).unwrap();
        check(&store);
        if revoke {
            for assertion in said {
                let revocation = Assertion { verdict: Verdict::Revoke(assertion.id()), ..assertion };
                store.assert(&revocation, now()).unwrap();
                check(&store);
            }
            let untouched = self::store();
            untouched.ingest(&recording(), events.iter().cloned()).unwrap();
            prop_assert_eq!(answers(&store, now()), answers(&untouched, now()));
        }
    }

    #[test]
    fn p8_every_id_ever_issued_means_somebody(
        (events, said) in world(20).prop_flat_map(|events| {
            let said = vec(assertion(&events), 0..4);
            (Just(events), said)
        }),
    ) {
        let store = store();
        let mut issued = Vec::new();
        for event in &events {
            store.ingest(&recording(), [event.clone()]).unwrap();
            issued.extend(store.customers(None, 1_000).unwrap());
        }
        for assertion in said {
            drop(store.assert(&assertion, now()));
            issued.extend(store.customers(None, 1_000).unwrap());
        }
        let now_nobodys = store.check().unwrap().unattributed;
        for id in issued {
            let found = store.find(&Who::Customer(id)).unwrap();
            prop_assert!(found.customers.len() == 1 || now_nobodys > 0, "{id}");
        }
    }

    #[test]
    fn pages_give_the_same_as_the_whole(events in world(40), size in 1_usize..7, newest: bool) {
        let store = store();
        store.ingest(&recording(), events.iter().cloned()).unwrap();
        for customer in store.customers(None, 1_000).unwrap() {
            let who = Who::Customer(customer);
            let query = if newest { TimelineQuery::new().newest_first() } else { TimelineQuery::new() };
            let whole = store.timeline(&who, &query.clone().limit(1_000), None).unwrap();
            prop_assert_eq!(&whole.next, &None);
            let (mut pages, mut cursor) = (Vec::new(), None);
            loop {
                let page = store.timeline(&who, &query.clone().limit(size), cursor.as_ref()).unwrap();
                pages.extend(page.events);
                // A cursor survives being written down.
                cursor = page.next.map(|next| next.to_string().parse().unwrap());
                if cursor.is_none() {
                    break;
                }
            }
            prop_assert_eq!(&pages, &whole.events);
            let mut sorted = pages.clone();
            sorted.sort_by(Event::timeline_cmp);
            if newest {
                sorted.reverse();
            }
            prop_assert_eq!(pages, sorted);
        }
    }
}

#[test]
fn a_page_is_filled_with_what_was_asked_for_however_rare_it_is() {
    let mut events: Vec<Event> = (0..300)
        .map(|n| {
            let channel = if n % 97 == 3 { "phone" } else { "web" };
            story::message(&format!("e{n}"), n, channel, "", &["email ann@example.nl"])
        })
        .collect();
    for event in events.iter_mut().step_by(50) {
        event.visibility = Visibility::Internal;
    }
    for (event, name) in events.iter_mut().skip(100).zip(["mail.opened", "mailing"]) {
        event.kind = Kind::from_json(name, serde_json::Map::new()).unwrap();
        event.direction = Direction::Out;
    }
    let store = store();
    store.ingest(&recording(), events).unwrap();
    let ann = Who::parse("ann@example.nl", None).unwrap();
    let keys = |query: TimelineQuery, after: Option<&Cursor>| {
        let page = store.timeline(&ann, &query.limit(2), after).unwrap();
        let keys: Vec<String> = page.events.iter().map(|event| event.key.to_string()).collect();
        (keys.join(" "), page.next)
    };
    let by_phone = TimelineQuery::new().channel(Channel::Phone);
    let (first, next) = keys(by_phone.clone(), None);
    assert_eq!(first, "e3 e100");
    assert_eq!(keys(by_phone.clone(), next.as_ref()), ("e197 e294".to_owned(), None));
    assert_eq!(keys(by_phone.clone().kind("call"), None), (String::new(), None));
    assert_eq!(keys(by_phone.newest_first(), None).0, "e294 e197");
    assert_eq!(keys(TimelineQuery::new().kind("mail"), None), ("e100".to_owned(), None));
    assert_eq!(keys(TimelineQuery::new().direction(Direction::Out), None).0, "e100 e101");
    let internal = TimelineQuery::new().visibility(Visibility::Internal);
    assert_eq!(keys(internal, None).0, "e0 e50");
}

#[test]
fn an_event_that_goes_to_somebody_by_its_time_is_found_as_theirs() {
    let store = store();
    let visits = [
        story::message("a", 0, "web", "", &["cookie c1", "user_id ann"]),
        story::message("v", 10, "web", "", &["cookie c1"]),
        story::message("w", 300, "web", "", &["cookie c1"]),
        story::message("b", 600, "web", "", &["cookie c1", "user_id bob"]),
    ];
    store.ingest(&recording(), visits).unwrap();
    let found = store.find(&Who::parse("cookie:c1", None).unwrap()).unwrap();
    let counts: Vec<u64> = found.customers.iter().map(|customer| customer.n_events).collect();
    assert_eq!((counts, found.unattributed), (vec![2, 1, 1], 0));
}

#[test]
fn a_batch_of_nothing_changes_nothing() {
    let store = store();
    assert_eq!(store.ingest(&recording(), []).unwrap().total(), 0);
    check(&store);
}

#[test]
fn what_was_unattributed_is_found_when_its_identifier_becomes_known() {
    let store = store();
    let refund = story::message("refund", 9, "commerce", "", &["order o1"]);
    store.ingest(&recording(), [refund]).unwrap();
    assert_eq!(store.check().unwrap().unattributed, 1);
    let order =
        story::message("order", 1, "commerce", "Ann Prins", &["order o1", "email ann@example.nl"]);
    store.ingest(&recording(), [order]).unwrap();
    assert_eq!(store.check().unwrap().unattributed, 0);
    let ann = Who::parse("ann@example.nl", None).unwrap();
    let page = store.timeline(&ann, &TimelineQuery::new(), None).unwrap();
    assert_eq!(page.events.len(), 2);
    check(&store);
}

#[test]
fn what_is_revoked_and_revoked_again_holds_as_its_last_revocation_leaves_it() {
    let store = store();
    let mail = story::message("mail", 1, "mail", "Ann Prins", &["email ann@example.nl"]);
    store.ingest(&recording(), [mail]).unwrap();
    let Who::Identifier(address) = Who::parse("ann@example.nl", None).unwrap() else { panic!() };
    let by = "agent:7".to_owned();
    let mut said = Assertion { verdict: Verdict::Block(address), by, reason: None, at: now() };
    store.assert(&said, now()).unwrap();
    for _ in 0..4 {
        check(&store);
        said = Assertion { verdict: Verdict::Revoke(said.id()), ..said };
        store.assert(&said, now()).unwrap();
    }
    check(&store);
}

#[test]
fn a_thread_each_event_of_which_names_its_own_id_is_one_conversation() {
    let event = |n: i64| {
        let event = story::message(&format!("m/{n}"), n, "email", "", &["email jan@example.nl"]);
        let mut event = story::in_conversation(event, "root");
        if let Some(talk) = &mut event.conversation {
            talk.aliases.push(format!("mail/{n}").parse().unwrap());
        }
        event
    };
    let store = store();
    store.ingest(&recording(), (0..2_000).map(event)).unwrap();
    check(&store);
    let thread = store.conversation(&"mail/7".parse().unwrap()).unwrap().unwrap();
    assert_eq!((thread.key.as_str(), thread.aliases.len()), ("root", 2_000));
}

#[test]
fn a_record_of_very_many_values_is_kept_and_links_nobody() {
    let claims: Vec<String> = (0..=MOST_CLAIMS).map(|n| format!("user_id u{n}")).collect();
    let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
    let list = story::message("list", 0, "web", "", &claims);
    let one = story::message("one", 1, "web", "Jan", &claims[..1]);
    let store = store();
    store.ingest(&recording(), [list, one]).unwrap();
    check(&store);
    let Who::Identifier(first) = Who::parse("user_id:acme:u0", None).unwrap() else { panic!() };
    let found = store.find(&Who::Identifier(first)).unwrap();
    assert_eq!((found.customers.len(), found.customers[0].n_events, found.unattributed), (1, 1, 1));
}

#[test]
fn an_alias_holds_as_long_as_a_revision_is_shown_that_names_it() {
    let of = |key: &str, rev: &str, talk: &str, aliases: &[&str]| {
        let event = story::message(key, 0, "email", "", &["email jan@example.nl"]);
        let mut event = story::in_conversation(event, talk);
        event.rev = Some(rev.to_owned());
        if let Some(talk) = &mut event.conversation {
            talk.aliases = aliases.iter().map(|key| key.parse().unwrap()).collect();
        }
        event
    };
    let records = [of("m", "1", "a", &["b"]), of("m", "2", "a", &[]), of("n", "1", "b", &[])];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let store = store();
        for event in order.map(|it: usize| records[it].clone()) {
            store.ingest(&recording(), [event]).unwrap();
            check(&store);
        }
        assert_eq!(store.who_is_waiting(now()).unwrap().len(), 2, "{order:?}");
        assert!(store.conversation(&"a".parse().unwrap()).unwrap().unwrap().aliases.is_empty());
    }
}

fn revision(key: &str, rev: &str, minutes: i64, name: &str, address: &str) -> Event {
    let mut event = story::message(key, minutes, "email", name, &[address]);
    event.rev = Some(rev.to_owned());
    event
}

/// So many seconds after an instant later than all that happened.
fn second(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_900_000_000 + seconds).unwrap()
}

/// Records, each recorded at its second, give the same customers in these orders.
fn expect_same_customers(records: &[(Event, i64); 3], orders: &[[usize; 3]]) {
    let mut named = Vec::new();
    for order in orders {
        let store = store();
        for (event, at) in order.map(|it| records[it].clone()) {
            store.ingest(&Recording::new(second(at), "test"), [event]).unwrap();
            check(&store);
        }
        named.push(store.customers(None, 10).unwrap());
    }
    named.dedup();
    assert_eq!(named.len(), 1, "{named:?}");
}

#[test]
fn a_revision_that_was_recorded_first_names_its_customer_whenever_it_comes() {
    let of = |key, rev, minutes| revision(key, rev, minutes, "", "email jan@example.nl");
    // Its second revision, its first one, and another record of the same person.
    let records = [(of("k", "2", 0), 20), (of("k", "1", 0), 10), (of("l", "1", 1), 15)];
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    expect_same_customers(&records, &orders);
}

#[test]
fn an_earlier_instant_of_recording_names_another_customer_without_any_other_record() {
    let of = |key, rev, name| revision(key, rev, 0, name, "email jan@example.nl");
    let records = [(of("k", "1", "Jan"), 20), (of("l", "1", ""), 30), (of("l", "2", ""), 10)];
    expect_same_customers(&records, &[[0, 1, 2], [2, 0, 1], [1, 2, 0]]);
}

#[test]
fn a_customer_whose_record_was_recorded_earlier_is_merged_and_parted_as_before() {
    let of = |key, rev, address| revision(key, rev, 0, "", address);
    let (jan, eva) = ("email jan@example.nl", "email eva@example.nl");
    let store = store();
    for (event, at) in [(of("k", "1", jan), 10), (of("l", "1", eva), 30), (of("l", "2", eva), 20)] {
        store.ingest(&Recording::new(second(at), "test"), [event]).unwrap();
        check(&store);
    }
    let side = |who: &str| Subject::Identifier(story::claim(who).unwrap().identifier().clone());
    let (by, reason) = ("agent:7".to_owned(), None);
    let same = Assertion { verdict: Verdict::Same(side(jan), side(eva)), by, reason, at: now() };
    store.assert(&same, now()).unwrap();
    check(&store);
    store.assert(&Assertion { verdict: Verdict::Revoke(same.id()), ..same }, now()).unwrap();
    check(&store);
}
