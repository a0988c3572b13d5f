//! The law of the past (IDENTITY.md 2.10, P18): what is asked of an instant is answered as if
//! nothing had been taken in that came later.

use std::collections::BTreeSet;

use cx_core::actor::{Actor, ActorType};
use cx_core::context::facts::Weight;
use cx_core::context::{Confidence, ContextOptions};
use cx_core::event::{Direction, Event};
use cx_core::identifier::{Identifier, Who};
use cx_core::identity::{Assertion, Subject, Verdict};
use cx_core::ids::CustomerId;
use cx_core::time::{Micros, Timestamp};
use cx_store::{Past, Recording, Store, StoreOptions};
use cx_tests::story;
use cx_tests::strategies::{TENANT, asserted_world, cases};
use proptest::prelude::*;
use proptest::sample::Index;

fn store() -> Store {
    let options = StoreOptions { tenant: TENANT.to_owned(), ..StoreOptions::default() };
    Store::open_in_memory_with(options).unwrap()
}

/// When each fact is recorded: an hour after the one before it.
fn recorded(n: usize) -> Timestamp {
    story::monday() + Micros::HOUR.times(i64::try_from(n).unwrap())
}

/// Takes in events one by one, each recorded later than the one before, and then what people say.
fn told(events: &[Event], assertions: &[Assertion], past: Past) -> Store {
    let store = store();
    for (n, event) in events.iter().enumerate() {
        if recorded(n) <= past.recorded_by() && event.occurred_at <= past.happened_by() {
            store.ingest(&Recording::new(recorded(n), "test"), [event.clone()]).unwrap();
        }
    }
    for (n, assertion) in assertions.iter().enumerate() {
        let at = recorded(events.len() + n);
        // By when it was recorded, it was said.
        if at <= past.recorded_by() && assertion.at.min(at) <= past.happened_by() {
            drop(store.assert(assertion, at));
        }
    }
    store
}

/// Everybody that anything is claimed about.
fn everybody(events: &[Event]) -> Vec<Who> {
    let claims = events.iter().flat_map(|event| &event.who);
    let mut all: Vec<_> = claims.map(|claim| claim.identifier().clone()).collect();
    all.sort();
    all.dedup();
    all.into_iter().map(Who::Identifier).collect()
}

/// What a store answers about somebody, but for how fresh the sources are.
fn answer(store: &Store, who: &Who, options: &ContextOptions) -> String {
    let mut context = store.context(who, options).unwrap();
    context.provenance.sources.clear();
    context.to_json()
}

/// The events in a line each.
fn in_words(events: &[Event]) -> String {
    let line = |event: &Event| {
        let claims =
            event.who.iter().map(|claim| format!("{} {:?}", claim.identifier(), claim.assurance));
        let name = event.name.as_deref().unwrap_or("-");
        let talk = event.conversation.as_ref().map(|talk| talk.key.to_string());
        format!(
            "{} {} {name} {:?} {talk:?}",
            event.key,
            event.occurred_at,
            claims.collect::<Vec<_>>()
        )
    };
    events.iter().map(line).collect::<Vec<_>>().join("\n")
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn p18_the_past_is_what_was_known_then(
        (events, assertions) in asserted_world(14), happened in any::<Index>(), known in any::<Index>(),
    ) {
        prop_assume!(!events.is_empty());
        let past = Past::today()
            .as_of(events[happened.index(events.len())].occurred_at)
            .known_at(recorded(known.index(events.len() + assertions.len())));
        let (all, then) = (told(&events, &assertions, Past::today()), told(&events, &assertions, past));
        let options = ContextOptions::at(past.happened_by()).known_at(past.recorded_by());
        let who = everybody(&events);
        for a in &who {
            prop_assert_eq!(answer(&all, a, &options), answer(&then, a, &options));
            prop_assert_eq!(all.how(a, past).unwrap(), then.how(a, Past::today()).unwrap());
            prop_assert_eq!(all.candidates(a, past).unwrap(), then.candidates(a, Past::today()).unwrap());
        }
        for (a, b) in who.iter().zip(who.iter().skip(1)) {
            prop_assert_eq!(all.why(a, b, past).unwrap(), then.why(a, b, Past::today()).unwrap());
            prop_assert_eq!(all.why_not(a, b, past).unwrap(), then.why_not(a, b, Past::today()).unwrap());
        }
    }

    #[test]
    fn every_id_that_an_answer_about_the_past_gives_is_understood(
        (events, _) in asserted_world(14), happened in any::<Index>(),
    ) {
        prop_assume!(!events.is_empty());
        let store = store();
        // All at once, so that who came first is not who wrote first.
        store.ingest(&Recording::new(recorded(0), "test"), events.clone()).unwrap();
        let as_of = events[happened.index(events.len())].occurred_at;
        for who in everybody(&events) {
            let then = store.context(&who, &ContextOptions::at(as_of)).unwrap();
            let Some(customer) = then.customer else { continue };
            let id = Who::parse(&customer.id, None).unwrap();
            let today = store.find(&id).unwrap();
            prop_assert_eq!(today.customers.len(), 1, "{} of {}", customer.id, in_words(&events));
            let again = store.context(&id, &ContextOptions::at(as_of)).unwrap();
            prop_assert_eq!(again.customer.map(|it| it.id), Some(customer.id));
            prop_assert!(store.anchor(&id).unwrap().is_some());
            prop_assert!(!store.how(&id, Past::today()).unwrap().is_empty());
        }
    }

    #[test]
    fn p18_a_revision_that_came_later_is_not_known_yet(
        (mut events, _) in asserted_world(10), of in any::<Index>(), by in any::<Index>(),
    ) {
        prop_assume!(!events.is_empty());
        let by = by.index(events.len());
        let key = events[by].conversation.as_ref().map(|talk| talk.key.clone());
        let of = of.index(events.len());
        // It may have brought two conversations together.
        if let Some(talk) = &mut events[of].conversation {
            talk.aliases.extend(key.filter(|key| *key != talk.key));
        }
        // The revised record says of itself what another one says.
        let mut revised = events[of].clone();
        let other = &events[by];
        revised.rev = Some("2".to_owned());
        revised.who.clone_from(&other.who);
        revised.name.clone_from(&other.name);
        revised.conversation.clone_from(&other.conversation);
        let before = recorded(events.len());
        let all = told(&events, &[], Past::today());
        let unrevised = told(&events, &[], Past::today());
        let later = before + Micros::DAY;
        all.ingest(&Recording::new(later, "test"), [revised]).unwrap();
        let options = ContextOptions::at("2030-01-01T00:00:00Z".parse().unwrap()).known_at(before);
        for who in everybody(&events) {
            prop_assert_eq!(answer(&all, &who, &options), answer(&unrevised, &who, &options));
            let past = Past::today().known_at(before);
            prop_assert_eq!(all.how(&who, past).unwrap(), unrevised.how(&who, Past::today()).unwrap());
        }
    }

    #[test]
    fn the_store_explains_what_it_holds((events, assertions) in asserted_world(20)) {
        let store = told(&events, &assertions, Past::today());
        let who = everybody(&events);
        for a in &who {
            let found = store.find(a).unwrap().customers;
            let told = |who: &Who| -> BTreeSet<CustomerId> {
                store.how(who, Past::today()).unwrap().iter().map(|how| how.customer.id).collect()
            };
            let held = told(a);
            let all: BTreeSet<_> = found.iter().map(|found| found.id).collect();
            let linked = found.iter().filter(|found| found.weight == Weight::Links);
            let linked: BTreeSet<_> = linked.map(|found| found.id).collect();
            // Of whom it is said are those whom it links; where it links nobody, all who said it.
            let is_told = held == all || !held.is_empty() && held.is_subset(&linked);
            prop_assert!(is_told, "{:?} in\n{}\n{:#?}", a, in_words(&events), assertions);
            for b in &who {
                let share = !held.is_disjoint(&told(b));
                prop_assert_eq!(store.why(a, b, Past::today()).unwrap().is_some(), share);
            }
        }
    }
}

fn email(address: &str) -> Identifier {
    story::claim(&format!("email {address}")).unwrap().identifier().clone()
}

fn by_hand(verdict: Verdict, minutes: i64) -> Assertion {
    let (by, reason) = ("agent/mia".to_owned(), None);
    Assertion { verdict, by, reason, at: story::monday() + Micros::MINUTE.times(minutes) }
}

/// An id that was given out means somebody also where the answer is derived anew.
#[test]
fn an_id_means_in_the_past_whom_it_means_today() {
    let store = store();
    let mail = |key: &str, n, who: &str| story::message(key, n, "email", "", &[who]);
    store.ingest(&Recording::new(recorded(0), "test"), [mail("a", 0, "email a@x.nl")]).unwrap();
    store.ingest(&Recording::new(recorded(1), "test"), [mail("b", 1, "email b@x.nl")]).unwrap();
    let b = store.find(&Who::Identifier(email("b@x.nl"))).unwrap().customers[0].id;
    let same =
        Verdict::Same(Subject::Identifier(email("a@x.nl")), Subject::Identifier(email("b@x.nl")));
    store.assert(&by_hand(same, 2), recorded(2)).unwrap();
    let (old, now) = (Who::Customer(b), story::monday() + Micros::MINUTE.times(10));
    let context = store.context(&old, &ContextOptions::at(now)).unwrap();
    assert_eq!(context.r#match.confidence, Confidence::Certain);

    // From now on not everything has happened yet.
    let later = story::message("c", 60_000, "email", "", &["email c@x.nl"]);
    store.ingest(&Recording::new(recorded(3), "test"), [later]).unwrap();
    let then = store.context(&old, &ContextOptions::at(now)).unwrap();
    assert_eq!(then.r#match.confidence, Confidence::Certain);
    assert_eq!(then.customer, context.customer);
}

/// Of sources that have told of later things since it is not made up how fresh they were.
#[test]
fn a_source_is_as_fresh_in_the_past_as_some_event_tells() {
    let store = store();
    let from = |key: &str, n, who: &str, system: &str| {
        let mut event = story::message(key, n, "email", "", &[who]);
        event.source.system = system.to_owned();
        event
    };
    let events = [
        from("1", 10, "email jan@x.nl", "zendesk"),
        from("2", 20, "email eva@x.nl", "pbx"),
        from("3", 90, "email eva@x.nl", "zendesk"),
        from("4", 95, "email eva@x.nl", "shopify"),
    ];
    store.ingest(&Recording::new(recorded(0), "test"), events).unwrap();
    let minutes = |n| story::monday() + Micros::MINUTE.times(n);
    let context =
        store.context(&Who::Identifier(email("jan@x.nl")), &ContextOptions::at(minutes(50)));
    let fresh = context.unwrap().provenance.sources;
    let fresh: Vec<_> = fresh.into_iter().map(|it| (it.system, it.last_event)).collect();
    let told = [("pbx", 20), ("zendesk", 10)];
    assert_eq!(fresh, told.map(|(system, n)| (system.to_owned(), minutes(n).to_string())));
}

/// What an agent wrote in a conversation stays known of a time before it was moved to another.
#[test]
fn a_talk_is_known_as_it_was_then() {
    let store = store();
    let talk = |key: &str, n, who: &[&str], of: &str, alias: Option<&str>| {
        let mut event = story::in_conversation(story::message(key, n, "email", "", who), of);
        let names = event.conversation.as_mut().unwrap();
        names.aliases.extend(alias.map(|alias| alias.parse().unwrap()));
        event
    };
    let mut reply = talk("z", 5, &[], "c4", None);
    reply.direction = Direction::Out;
    reply.actor = Actor::of(ActorType::Agent);
    let events = [
        talk("a", 1, &["email jan@x.nl"], "c1", None),
        talk("x", 2, &[], "c1", Some("c2")),
        talk("y", 3, &[], "c2", Some("c3")),
        talk("w", 4, &[], "c3", Some("c4")),
        reply.clone(),
    ];
    store.ingest(&Recording::new(recorded(0), "test"), events).unwrap();
    let known = || {
        let options = ContextOptions::at(story::monday() + Micros::HOUR).known_at(recorded(1));
        answer(&store, &Who::Identifier(email("jan@x.nl")), &options)
    };
    let before = known();
    (reply.rev, reply.conversation) = (Some("2".to_owned()), None);
    store.ingest(&Recording::new(recorded(9), "test"), [reply]).unwrap();
    assert_eq!(known(), before);
}

#[test]
fn what_was_said_at_a_later_instant_than_it_was_recorded_counts_from_then() {
    let store = store();
    let mail = |name: &str| story::message(name, 0, "email", "", &[&format!("email {name}@x.nl")]);
    store.ingest(&Recording::new(recorded(0), "test"), [mail("jan"), mail("eva")]).unwrap();
    let who = |name: &str| Who::parse(&format!("{name}@x.nl"), None).unwrap();
    let side = |name: &str| Subject::Observation(store.anchor(&who(name)).unwrap().unwrap());
    let said = Assertion {
        verdict: Verdict::Same(side("jan"), side("eva")),
        by: "agent:7".to_owned(),
        reason: None,
        at: "2999-01-01T00:00:00Z".parse().unwrap(),
    };
    store.assert(&said, recorded(1)).unwrap();
    let at = |instant| store.context(&who("jan"), &ContextOptions::at(instant)).unwrap().customer;
    let found = store.find(&who("eva")).unwrap().customers[0].id;
    assert_eq!(at(recorded(1)).unwrap().id, found.to_string());
    let before = store.view(&[who("eva")], Past::today().as_of(recorded(0))).unwrap();
    assert_eq!(before.counts().unwrap().0, 1);
}

#[test]
fn what_can_do_nothing_is_a_conflict() {
    let store = store();
    let mail = |name: &str| story::message(name, 0, "email", "", &[&format!("email {name}@x.nl")]);
    store.ingest(&Recording::new(recorded(0), "test"), [mail("jan"), mail("eva")]).unwrap();
    let value = |name: &str| match Who::parse(&format!("{name}@x.nl"), None).unwrap() {
        Who::Identifier(value) => value,
        Who::Customer(id) => panic!("{id}"),
    };
    let say = |verdict: Verdict| {
        let by = "agent:7".to_owned();
        let said = Assertion { verdict, by, reason: None, at: recorded(1) };
        store.assert(&said, recorded(1)).unwrap()
    };
    let jan = store.anchor(&Who::Identifier(value("jan"))).unwrap().unwrap();
    assert_eq!(say(Verdict::Rekey(value("jan"), value("jan"))).conflicts.len(), 1);
    assert_eq!(say(Verdict::Detach(jan, value("eva"))).conflicts.len(), 1);
    let same = Verdict::Same(Subject::Identifier(value("jan")), Subject::Identifier(value("eva")));
    let first = say(same.clone());
    assert!(first.conflicts.is_empty(), "{first:?}");
    let revoked = say(Verdict::Revoke(first.id));
    let again = say(same);
    assert_eq!((again.id, again.conflicts.len()), (first.id, 1));
    assert_eq!(again.conflicts[0].against, Some(revoked.id));
}
