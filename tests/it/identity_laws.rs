//! The laws of identity (IDENTITY.md 2.10), each under its number, over facts in memory.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_core::identity::{
    Assertion, Assertions, Observation, Policy, Population, Recorded, Subject, Verdict,
};
use cx_core::ids::{CustomerId, IdKey, ObservationId};
use cx_core::time::Micros;
use cx_store::{Recording, Store, StoreOptions, TimelineQuery};
use cx_tests::strategies::{
    TENANT, asserted_world, assertion, cases, recorded, recorded_at, world,
};
use cx_tests::{model, story};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

type Partition = BTreeSet<Vec<ObservationId>>;

fn population(events: &[Event], assertions: &[Assertion]) -> Population {
    let assertions = Assertions::new(assertions.iter().cloned());
    Population::of(&recorded(events), &assertions, &Policy::default(), &IdKey::of_tenant(TENANT))
}

fn partition(events: &[Event], assertions: &[Assertion]) -> Partition {
    population(events, assertions).partition()
}

fn id(event: &Event) -> ObservationId {
    Observation::of(TENANT, event).id
}

fn together(partition: &Partition, a: ObservationId, b: ObservationId) -> bool {
    partition.iter().any(|set| set.contains(&a) && set.contains(&b))
}

fn said(verdict: Verdict) -> Assertion {
    Assertion { verdict, by: "agent:7".to_owned(), reason: None, at: story::monday() }
}

/// Names of which some agree with several that do not agree with each other.
const LIKE_NAMES: [&str; 6] =
    ["Anthony Bos", "Avthony Bos", "Tony Bos", "Antony Bosch", "Eva Smit", "Anthony Bos Vos"];

/// Values that say nothing of who somebody is: on a list, a role's, or of very many.
const WIDELY_USED: [&str; 7] = [
    "phone 0000000000",
    "email none@none.com",
    "user_id undefined",
    "cookie 0",
    "email info@kiosk.example",
    "email till@kiosk.example",
    "loyalty 99999",
];

fn letters(n: u32) -> String {
    let letter = |n: u32| char::from(b'A' + u8::try_from(n % 26).unwrap());
    format!("{}{}", letter(n), letter(n * 7 + 3).to_ascii_lowercase())
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn the_real_one_equals_the_naive_model((events, assertions) in asserted_world(24)) {
        let observations: Vec<_> = events.iter().map(|event| Observation::of(TENANT, event)).collect();
        let in_force = Assertions::new(assertions.iter().cloned());
        let expected = model::partition(&observations, &in_force, &Policy::default());
        prop_assert_eq!(partition(&events, &assertions), expected);
    }

    #[test]
    fn p1_the_order_of_facts_does_not_matter(
        (events, assertions) in asserted_world(30), seed in any::<Index>(),
    ) {
        let mut turned = events.clone();
        if !turned.is_empty() {
            let by = seed.index(turned.len());
            turned.rotate_left(by);
            turned.reverse();
        }
        let backwards: Vec<_> = assertions.iter().rev().cloned().collect();
        prop_assert_eq!(population(&events, &assertions), population(&turned, &backwards));
    }

    #[test]
    fn p3_a_fact_told_twice_changes_nothing((events, assertions) in asserted_world(20)) {
        let twice: Vec<_> = events.iter().chain(&events).cloned().collect();
        let said_twice: Vec<_> = assertions.iter().chain(&assertions).cloned().collect();
        prop_assert_eq!(population(&events, &assertions), population(&twice, &said_twice));
    }

    #[test]
    fn p4_the_union_of_replicas_is_the_same_in_any_order(
        (events, assertions) in asserted_world(20), cut in any::<Index>(),
    ) {
        let cut = if events.is_empty() { 0 } else { cut.index(events.len()) };
        let (here, there) = events.split_at(cut);
        let one: Vec<_> = here.iter().chain(there).chain(here).cloned().collect();
        let other: Vec<_> = there.iter().chain(here).cloned().collect();
        prop_assert_eq!(population(&one, &assertions), population(&other, &assertions));
    }

    #[test]
    fn p5_a_revoked_assertion_was_never_said(
        (events, assertions, extra) in asserted_world(20)
            .prop_flat_map(|(events, said)| { let one = assertion(&events); (Just(events), Just(said), one) }),
    ) {
        let revoked = said(Verdict::Revoke(extra.id()));
        let with: Vec<_> = assertions.iter().cloned().chain([extra.clone(), revoked]).collect();
        let without: Vec<_> = assertions.into_iter().filter(|other| other.id() != extra.id()).collect();
        prop_assert_eq!(population(&events, &with), population(&events, &without));
    }

    #[test]
    fn p6_different_holds_under_any_later_facts(
        (events, later) in (world(14), world(14)), a in any::<Index>(), b in any::<Index>(),
    ) {
        prop_assume!(events.len() > 1);
        let (a, b) = (id(&events[a.index(events.len())]), id(&events[b.index(events.len())]));
        prop_assume!(a != b);
        let apart = [said(Verdict::Different(Subject::Observation(a), Subject::Observation(b)))];
        let mut all = events;
        all.extend(later.into_iter().map(|mut event| {
            event.key = format!("later/{}", event.key).parse().unwrap();
            event
        }));
        prop_assert!(!together(&partition(&all, &apart), a, b));
    }

    #[test]
    fn p6_same_holds_unless_different_or_a_hard_limit_forbids(
        events in world(14), a in any::<Index>(), b in any::<Index>(),
    ) {
        prop_assume!(events.len() > 1);
        let (a, b) = (id(&events[a.index(events.len())]), id(&events[b.index(events.len())]));
        let one = [said(Verdict::Same(Subject::Observation(a), Subject::Observation(b)))];
        let population = population(&events, &one);
        let refused = population.records.iter().any(|record| {
            matches!(record, cx_core::identity::resolve::Record::Refused { by: cx_core::identity::resolve::Joiner::Assertion(_), .. })
        });
        prop_assert!(together(&population.partition(), a, b) != refused);
    }

    #[test]
    fn p7_no_customer_breaks_a_hard_limit((events, assertions) in asserted_world(24)) {
        for set in partition(&events, &assertions) {
            let users: BTreeSet<&str> = events
                .iter()
                .filter(|event| set.contains(&id(event)))
                .flat_map(|event| event.who.iter())
                .filter(|claim| claim.identifier().namespace().name() == "user_id")
                .map(|claim| claim.identifier().key())
                .collect();
            let one_event_has_two = events.iter().any(|event| {
                event.who.iter().filter(|c| c.identifier().namespace().name() == "user_id").count() > 1
            });
            prop_assert!(users.len() < 2 || one_event_has_two || !assertions.is_empty(), "{users:?}");
        }
    }

    #[test]
    fn p8_merge_and_undo_give_the_old_ids(events in world(20), a in any::<Index>(), b in any::<Index>()) {
        prop_assume!(events.len() > 1);
        let (a, b) = (id(&events[a.index(events.len())]), id(&events[b.index(events.len())]));
        let same = said(Verdict::Same(Subject::Observation(a), Subject::Observation(b)));
        let before = population(&events, &[]);
        let merged = population(&events, std::slice::from_ref(&same));
        let after = population(&events, &[same.clone(), said(Verdict::Revoke(same.id()))]);
        prop_assert_eq!(&before, &after);
        // Whoever holds an observation afterwards has the id of one of its observations.
        for customer in merged.customers {
            let issued = customer.observations.iter().any(|o| {
                CustomerId::issue(&IdKey::of_tenant(TENANT), *o) == customer.id
            });
            prop_assert!(issued);
        }
    }

    #[test]
    fn p10_a_placeholder_or_hub_value_on_every_observation_joins_nothing(
        events in world(20), value in select(&WIDELY_USED[..]),
    ) {
        // The crowd by whom a value that is on no list is known to be a hub.
        let crowd = (0..9_u32).map(|n| {
            let name = format!("{}a {}o", letters(n), letters(n + 11));
            story::message(&format!("crowd/{n}"), i64::from(n), "pos", &name, &[value])
        });
        let with_value = |event: &Event| {
            let mut event = event.clone();
            event.who.extend(story::claim(value));
            event
        };
        let before: Vec<Event> = events.iter().cloned().chain(crowd.clone()).collect();
        let after: Vec<Event> = events.iter().map(with_value).chain(crowd).collect();
        let (before, after) = (partition(&before, &[]), partition(&after, &[]));
        let name_of: BTreeMap<ObservationId, &Option<String>> =
            events.iter().map(|event| (id(event), &event.name)).collect();
        // Who writes under one name from one mailbox is one person there.
        let of_role = |a: &ObservationId, b: &ObservationId| {
            value.contains("@kiosk") && name_of[a].is_some() && name_of[a] == name_of[b]
        };
        for set in &after {
            let ours: Vec<_> = set.iter().filter(|id| name_of.contains_key(id)).collect();
            let mut reached: Vec<&ObservationId> = ours.first().copied().into_iter().collect();
            for _ in &ours {
                let hangs = |b: &&ObservationId| {
                    !reached.contains(b)
                        && reached.iter().any(|a| together(&before, **a, **b) || of_role(a, b))
                };
                let found = ours.iter().copied().find(hangs);
                reached.extend(found);
            }
            prop_assert_eq!(reached.len(), ours.len(), "{}", value);
        }
    }

    #[test]
    fn p17_the_same_facts_under_another_tenant_change_nothing(events in world(20)) {
        let of = |tenant: &str| -> (BTreeSet<Vec<String>>, BTreeSet<String>) {
            let options = StoreOptions { tenant: tenant.to_owned(), ..StoreOptions::default() };
            let store = Store::open_in_memory_with(options).unwrap();
            store.ingest(&Recording::new(story::monday(), "test"), events.iter().cloned()).unwrap();
            let customers = store.customers(None, 1_000).unwrap();
            let keys = |id: &CustomerId| {
                let query = TimelineQuery::new().limit(1_000);
                let page = store.timeline(&Who::Customer(*id), &query, None).unwrap();
                page.events.iter().map(|event| event.key.to_string()).collect()
            };
            let partition = customers.iter().map(keys).collect();
            (partition, customers.iter().map(CustomerId::to_string).collect())
        };
        let ((ours, our_ids), (theirs, their_ids)) = (of("acme"), of("globex"));
        prop_assert_eq!(ours, theirs);
        prop_assert!(our_ids.is_disjoint(&their_ids));
        let facts = recorded(&events);
        let other = events.iter().map(|event| Recorded {
            observation: Observation::of("globex", event),
            recorded_at: story::monday(),
        });
        let observations: BTreeSet<_> = facts.iter().map(|fact| fact.observation.id).collect();
        let others: BTreeSet<_> = other.map(|fact| fact.observation.id).collect();
        prop_assert!(observations.is_disjoint(&others));
    }

    #[test]
    fn p9_facts_of_others_change_nothing(events in world(20), others in world(20)) {
        // The others live in another town: none of their values is one of ours.
        let moved: Vec<Event> = others.iter().map(stranger).collect();
        let ours = partition(&events, &[]);
        let all: Vec<Event> = events.iter().cloned().chain(moved).collect();
        let together = partition(&all, &[]);
        prop_assert!(ours.is_subset(&together));
    }

    /// All at one instant, as rows of an import are: only what they say puts them in order.
    #[test]
    fn p9_a_word_about_a_stranger_leaves_everybody_else_as_they_are(
        who in vec((select(&LIKE_NAMES[..]), 0..2_u8, 0..3_u8), 1..9), of in any::<Index>(),
    ) {
        let event = |(n, (name, mail, phone)): (usize, &(&str, u8, u8))| {
            let claims = [
                format!("email m{mail}@x.example"),
                format!("phone +3120624111{phone}"),
                format!("cookie c{n}"),
            ];
            let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
            story::message(&format!("e{n}"), 0, "web", name, &claims)
        };
        let mut events: Vec<Event> = who.iter().enumerate().map(event).collect();
        let one = id(&events[of.index(events.len())]);
        events.push(story::message("zoe", 0, "email", "Zoe Quist", &["email zoe@q.example"]));
        let zoe = id(&events[events.len() - 1]);
        let apart = said(Verdict::Different(Subject::Observation(one), Subject::Observation(zoe)));
        prop_assert_eq!(partition(&events, &[apart]), partition(&events, &[]));
    }

    #[test]
    fn the_partition_does_not_know_when_things_were_recorded(
        (events, assertions) in asserted_world(20), days in 0_i64..900,
    ) {
        let in_force = Assertions::new(assertions.iter().cloned());
        let late = recorded_at(&events, story::monday() + Micros::DAY.times(days));
        let (policy, key) = (Policy::default(), IdKey::of_tenant(TENANT));
        let other = Population::of(&late, &in_force, &policy, &key);
        prop_assert_eq!(partition(&events, &assertions), other.partition());
    }
}

fn stranger(event: &Event) -> Event {
    let mut json = serde_json::to_value(event).unwrap();
    json["key"] = format!("elsewhere/{}", event.key).into();
    if let Some(who) = json["who"].as_array_mut() {
        for claim in who {
            let value = claim["value"].as_str().unwrap().to_owned();
            claim["value"] = match claim["ns"].as_str().unwrap() {
                "email" => format!("x{value}").into(),
                "phone" => format!("+4477009{}", 10_000 + value.len()).into(),
                _ => format!("x-{value}").into(),
            };
        }
    }
    if !json["conversation"].is_null() {
        json["conversation"]["key"] = format!("x/{}", json["conversation"]["key"]).into();
    }
    serde_json::from_value(json).unwrap()
}
