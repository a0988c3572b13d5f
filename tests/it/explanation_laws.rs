//! The laws of explanations (IDENTITY.md 2.10, P11): what they name is what decides.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::event::Event;
use cx_core::identifier::{Assurance, Identifier};
use cx_core::identity::explain::{Explainer, Path, Sighting};
use cx_core::identity::{
    Assertion, Assertions, Neighbourhood, Observation, Policy, Population, Recorded, Rules, Subject,
};
use cx_core::ids::{AssertionId, BundleId, IdKey, ObservationId};
use cx_tests::story;
use cx_tests::strategies::{TENANT, asserted_world, cases, recorded};
use proptest::prelude::*;
use proptest::sample::Index;

/// What there is to tell of the bundles of a world.
fn sightings(neighbourhood: &Neighbourhood, events: &[Event]) -> BTreeMap<BundleId, Sighting> {
    let of = |event: &Event| Observation::of(TENANT, event).id;
    let by_id: BTreeMap<ObservationId, &Event> = events.iter().map(|e| (of(e), e)).collect();
    let mut sightings = BTreeMap::new();
    for (id, whole) in &neighbourhood.bundles {
        let seen = || whole.moments.iter().map(|(at, _)| *at);
        let first = by_id[&whole.facts.anchor.1];
        let sighting = Sighting {
            name: first.name.clone(),
            sources: BTreeSet::from([first.source.scope()]),
            n_events: u64::try_from(whole.moments.len()).unwrap(),
            first_seen: seen().min().unwrap(),
            last_seen: seen().max().unwrap(),
            event: first.key.clone(),
        };
        sightings.insert(*id, sighting);
    }
    sightings
}

/// A world, ready to be asked about.
struct World {
    facts: Vec<Recorded>,
    assertions: Assertions,
    policy: Policy,
    id_key: IdKey,
    neighbourhood: Neighbourhood,
    sightings: BTreeMap<BundleId, Sighting>,
}

impl World {
    fn new(events: &[Event], assertions: &[Assertion]) -> Self {
        let assertions = Assertions::new(assertions.iter().cloned());
        let (facts, policy) = (recorded(events), Policy::default());
        let rules = Rules { policy: &policy, assertions: &assertions };
        let neighbourhood = Neighbourhood::of(&facts, rules);
        let sightings = sightings(&neighbourhood, events);
        let id_key = IdKey::of_tenant(TENANT);
        Self { facts, assertions, policy, id_key, neighbourhood, sightings }
    }

    fn explainer(&self) -> Explainer<'_> {
        let rules = Rules { policy: &self.policy, assertions: &self.assertions };
        Explainer::new(&self.neighbourhood, &self.sightings, rules, &self.id_key)
    }

    /// Whether these facts and assertions alone make the two one person.
    fn is_one(
        &self,
        facts: &[Recorded],
        said: &Assertions,
        a: ObservationId,
        b: ObservationId,
    ) -> bool {
        let population = Population::of(facts, said, &self.policy, &self.id_key);
        let holder = population.holder(a);
        holder.is_some() && holder == population.holder(b)
    }
}

fn said(path: &Path) -> BTreeSet<AssertionId> {
    let said = path.links.iter().flat_map(|link| [&link.said, &link.trusted]).flatten();
    said.chain(&path.words).map(|said| said.assertion).collect()
}

fn two(events: &[Event], a: Index, b: Index) -> (ObservationId, ObservationId) {
    let id = |index: Index| Observation::of(TENANT, &events[index.index(events.len())]).id;
    (id(a), id(b))
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn p11_the_facts_of_each_way_alone_give_the_same_link(
        (events, assertions) in asserted_world(24), a in any::<Index>(), b in any::<Index>(),
    ) {
        prop_assume!(!events.is_empty());
        let world = World::new(&events, &assertions);
        let (a, b) = two(&events, a, b);
        let why = world.explainer().why(&Subject::Observation(a), &Subject::Observation(b));
        prop_assert_eq!(why.is_some(), world.is_one(&world.facts, &world.assertions, a, b));
        let Some(why) = why else { return Ok(()) };
        for path in &why.paths {
            let named = world.assertions.only(&said(path));
            let bundles = path.bundles.iter().map(|bundle| &world.neighbourhood.bundles[bundle]);
            let of: BTreeSet<ObservationId> =
                bundles.flat_map(|whole| whole.moments.iter().map(|(_, id)| *id)).collect();
            let alone: Vec<Recorded> =
                world.facts.iter().filter(|fact| of.contains(&fact.observation.id)).cloned().collect();
            prop_assert!(world.is_one(&alone, &named, a, b), "{:#?}", why.sentences);
        }
    }

    #[test]
    fn p11_without_the_facts_of_all_ways_there_is_no_link(
        (events, assertions) in asserted_world(24), a in any::<Index>(), b in any::<Index>(),
    ) {
        prop_assume!(!events.is_empty());
        // What somebody only typed joins them to nobody who has proved other values: without these
        // it may join what it did not join before.
        let mut events = events;
        for claim in events.iter_mut().flat_map(|event| &mut event.who) {
            claim.assurance = Assurance::ChannelProved;
        }
        let world = World::new(&events, &assertions);
        let (a, b) = two(&events, a, b);
        let why = world.explainer().why(&Subject::Observation(a), &Subject::Observation(b));
        let Some(why) = why.filter(|why| !why.more && !why.paths.is_empty()) else { return Ok(()) };
        let links = why.paths.iter().flat_map(|path| &path.links);
        let values: BTreeSet<Identifier> = links.filter_map(|link| link.identifier.clone()).collect();
        let mut left = world.facts.clone();
        for fact in &mut left {
            fact.observation.claims.retain(|claim| !values.contains(&claim.identifier));
            fact.observation.bridges.retain(|bridge| !values.contains(bridge));
            if fact.observation.claims.is_empty() {
                fact.observation.name = None;
            }
        }
        let bundle = |id: ObservationId| {
            let found = left.iter().find(|fact| fact.observation.id == id).unwrap();
            found.observation.bundle()
        };
        // Those that nothing tells apart any more are one for another reason.
        prop_assume!(bundle(a) != bundle(b));
        let rest = world.assertions.without(&why.paths.iter().flat_map(said).collect());
        prop_assert!(!world.is_one(&left, &rest, a, b), "{:#?}", why.sentences);
    }

    #[test]
    fn two_subjects_are_one_person_or_there_is_something_between_them(
        (events, assertions) in asserted_world(24), a in any::<Index>(), b in any::<Index>(),
    ) {
        prop_assume!(!events.is_empty());
        let world = World::new(&events, &assertions);
        let (a, b) = two(&events, a, b);
        let (a, b) = (Subject::Observation(a), Subject::Observation(b));
        let explainer = world.explainer();
        if let Some(why_not) = explainer.why_not(&a, &b) {
            prop_assert!(explainer.why(&a, &b).is_none());
            prop_assert!(!why_not.obstacles.is_empty());
            prop_assert_eq!(why_not.sentences.len(), why_not.obstacles.len() + 1);
        }
    }

    #[test]
    fn every_record_of_a_customer_is_told_and_so_is_all_that_joined_them(
        (events, assertions) in asserted_world(24),
    ) {
        let world = World::new(&events, &assertions);
        let explainer = world.explainer();
        let customers: BTreeSet<_> = explainer.settled().customer_of.values().copied().collect();
        for customer in customers {
            let how = explainer.how(customer).unwrap();
            // A tree of n records has n - 1 joins.
            prop_assert_eq!(how.records.len(), how.joins.len() + 1, "{:#?}", how.sentences);
        }
    }
}

#[test]
fn a_housemate_is_of_the_household_and_a_stated_address_a_possible_duplicate() {
    let events = [
        story::message("a/1", 0, "email", "Jan de Vries", &["email jan@example.nl"]),
        story::message(
            "a/2",
            10,
            "phone",
            "Jan de Vries",
            &["phone 020 624 1111", "email jan@example.nl"],
        ),
        story::message("b/1", 20, "phone", "Eva Bakker", &["phone 020 624 1111"]),
        story::message("c/1", 30, "chat", "Jan de Vries", &["email jan@example.nl ?"]),
    ];
    let world = World::new(&events, &[]);
    let explainer = world.explainer();
    let jan = Subject::Observation(Observation::of(TENANT, &events[0]).id);
    let jan = *explainer.holders(&jan).first().unwrap();
    let told: Vec<String> = explainer
        .candidates(jan, &BTreeMap::new())
        .into_iter()
        .flat_map(|candidate| candidate.sentences)
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

/// The world of these events, and the value that these words are.
fn asked(events: &[Event]) -> World {
    World::new(events, &[])
}

fn value(words: &str) -> Subject {
    Subject::Identifier(story::claim(words).unwrap().identifier().clone())
}

#[test]
fn who_is_meant_by_an_address_is_who_is_linked_by_it() {
    let world = asked(&[
        story::message("eva", 0, "web", "Eva Bakker", &["email eva@x.nl", "email jan@x.nl ?"]),
        story::message("jan", 5, "email", "Jan Smit", &["email jan@x.nl"]),
    ]);
    let (jan, eva) = (value("email jan@x.nl"), value("email eva@x.nl"));
    let explainer = world.explainer();
    assert_eq!(explainer.why(&jan, &eva), None);
    let why_not = explainer.why_not(&jan, &eva).unwrap();
    assert!(why_not.sentences[0].contains("They are two: Jan Smit"), "{why_not:?}");
}

#[test]
fn the_rule_that_is_told_is_the_one_that_decided() {
    let number = "phone 06 12345678";
    let call = |key: &str, day: i64, name: &str| {
        story::message(key, day * 24 * 60, "phone", name, &[number])
    };
    let mut events: Vec<Event> = (0..12).map(|n| call(&format!("a{n}"), n, "Ann Bakker")).collect();
    events.extend([call("b", 20, "Bob Smit"), call("n", 51, "")]);
    let told = |events: &[Event]| {
        let world = asked(events);
        let explainer = world.explainer();
        let ann = Observation::of(TENANT, &events[0]).id;
        let ann = explainer.holders(&Subject::Observation(ann)).into_iter().next().unwrap();
        explainer.how(ann).unwrap().sentences.join("\n")
    };
    let dominant = told(&events);
    assert!(dominant.contains("nearly all days of it are this person's"), "{dominant}");
    assert!(!dominant.contains("plays no part"), "{dominant}");
    let tenancy = [call("a", 0, "Ann Bakker"), call("b", 200, "Bob Smit"), call("n", 5, "")];
    assert!(told(&tenancy).contains("it was this person's then"), "{}", told(&tenancy));
}

#[test]
fn what_stands_between_two_is_told_as_it_is() {
    let world = asked(&[
        story::message("s1", 0, "chat", "Piet Smit", &["cookie c2"]),
        story::message("s2", 60, "chat", "Piet Smit", &["cookie c2", "loyalty L1"]),
        story::message("s3", 120, "chat", "Eva Bakker", &["cookie c2"]),
    ]);
    let explainer = world.explainer();
    let Some(other) = explainer.holders(&value("loyalty L1")).into_iter().next() else { panic!() };
    let told = explainer.candidates(other, &BTreeMap::new());
    let told = format!("{:?}", told.iter().map(|it| &it.sentences).collect::<Vec<_>>());
    assert!(!told.contains("do not agree (Piet Smit and Piet Smit)"), "{told}");
    let mut policy = Policy::default();
    let asks = cx_core::identity::policy::SourcePolicy {
        min_assurance: Some(Assurance::Authenticated),
        ..Default::default()
    };
    policy.sources.insert("story".to_owned(), asks);
    let mut world = asked(&[
        story::message("a", 0, "email", "Piet Smit", &["email piet@x.nl"]),
        story::message("b", 5, "email", "Piet Smit", &["email piet@x.nl", "loyalty L1"]),
    ]);
    let rules = Rules { policy: &policy, assertions: &world.assertions };
    world.neighbourhood = Neighbourhood::of(&world.facts, rules);
    world.policy = policy;
    let explainer = world.explainer();
    let a = world.facts[0].observation.id;
    let a = explainer.holders(&Subject::Observation(a)).into_iter().next().unwrap();
    let told = format!("{:?}", explainer.candidates(a, &BTreeMap::new()));
    assert!(told.contains("it links from proved by a login on"), "{told}");
}

#[test]
fn what_is_only_stated_or_was_taken_back_is_told_of_a_value_that_others_use_too() {
    let number = "phone 020 624 1111";
    let events = [
        story::message("a", 0, "phone", "Ann Bos", &[number]),
        story::message("a2", 5, "phone", "Ann Bos", &[number]),
        story::message("b", 9, "phone", "Bob Smit", &[number]),
        story::message("s", 12, "web", "Ann Bos", &["phone 020 624 1111 ?"]),
    ];
    let taken = Observation::of(TENANT, &events[1]).id;
    let Subject::Identifier(of) = value(number) else { panic!() };
    let detach = Assertion {
        verdict: cx_core::identity::Verdict::Detach(taken, of),
        by: "agent:7".to_owned(),
        reason: None,
        at: story::monday(),
    };
    let world = World::new(&events, &[detach]);
    let explainer = world.explainer();
    let told = |event: &Event| {
        let record = Subject::Observation(Observation::of(TENANT, event).id);
        let holder = explainer.holders(&record).into_iter().next().unwrap();
        explainer.how(holder).unwrap().sentences.join("\n")
    };
    assert!(told(&events[1]).contains("agent:7 said"), "{}", told(&events[1]));
    assert!(told(&events[3]).contains("it is only stated"), "{}", told(&events[3]));
}

#[test]
fn who_only_typed_a_number_is_told_that_it_is_not_proved() {
    let events = [
        story::message("v", 0, "phone", "Jan", &["email a@x.nl", "phone 06 12345678"]),
        story::message("m", 5, "web", "Jan", &["email b@x.nl", "phone 06 12345678 ?"]),
    ];
    let world = asked(&events);
    let of = |event: &Event| Subject::Observation(Observation::of(TENANT, event).id);
    let why_not = world.explainer().why_not(&of(&events[0]), &of(&events[1])).unwrap();
    assert!(why_not.sentences.join(" ").contains("one has only stated it"), "{why_not:?}");
}
