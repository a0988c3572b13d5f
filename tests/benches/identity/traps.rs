//! The trap stream, all facts at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use cx_core::event::Event;
use cx_core::identity::{
    Assertion, Assertions, BundleFacts, Observation, Policy, Population, Recorded, Rules, Subject,
    Verdict,
};
use cx_core::ids::{BundleId, IdKey, ObservationId};
use cx_core::time::{Micros, Timestamp};
use cx_tests::agreement::{Pairs, float};
use cx_tests::chance::Chance;
use cx_tests::trap_stream::{PersonLabel, TENANT};

use crate::figure::Figure;

/// How many pairs are kept apart by somebody's word.
pub(crate) const SEPARATIONS: usize = 200;

/// In how many orders the facts arrive.
const ORDERS: u64 = 5;

/// The truth about observations.
pub(crate) type Labels = HashMap<ObservationId, PersonLabel>;

/// What observations say, and of whom they are in truth.
pub(crate) fn facts(stream: &[(Event, PersonLabel)]) -> (Vec<Recorded>, Labels) {
    let mut labels = Labels::new();
    let facts = stream.iter().map(|(event, label)| {
        let observation = Observation::of(TENANT, event);
        labels.insert(observation.id, *label);
        Recorded { recorded_at: event.occurred_at, observation }
    });
    (facts.collect(), labels)
}

/// The customers of these facts.
pub(crate) fn population(facts: &[Recorded], assertions: &Assertions) -> Population {
    Population::of(facts, assertions, &Policy::default(), &IdKey::of_tenant(TENANT))
}

/// The figures of the stream before the probabilistic stage.
pub(crate) fn figures(stream: Vec<(Event, PersonLabel)>) -> Vec<Figure> {
    let (facts, labels) = facts(&stream);
    drop(stream);
    let start = Instant::now();
    let whole = population(&facts, &Assertions::default());
    let seconds = start.elapsed().as_secs_f64();
    let n = float(facts.len().try_into().unwrap());
    let partition = whole.partition();
    let found = pairs(&partition, &labels);
    let ceiling = ceiling(&facts, &labels);
    let sizes = component_sizes(&facts, &whole);
    let people: BTreeSet<_> = labels.values().collect();
    let largest = partition.iter().map(Vec::len).max().unwrap_or(0);
    let count = |n: usize| float(n.try_into().unwrap());
    let mut figures = vec![
        Figure::new("events", n),
        Figure::new("people", count(people.len())),
        Figure::new("precision of pairs, exact identifiers", found.precision()).at_least(0.99),
        Figure::new("recall of pairs, exact identifiers", found.recall()).at_least(0.64),
        Figure::new("F1 of pairs", found.f1()),
        Figure::new("recall that exact identifiers can give (ceiling)", ceiling.recall()),
        Figure::new("events of the largest customer", count(largest)),
        Figure::new("values that link nobody (hubs)", count(whole.hubs.len())),
        Figure::new("bundles of the largest component", count(whole.largest_component)),
        Figure::new("bundles of the component of an event, 50 of 100", percentile(&sizes, 50)),
        Figure::new("bundles of the component of an event, 99 of 100", percentile(&sizes, 99))
            .at_most(100.0),
        Figure::new("microseconds an event, all at once", seconds * 1e6 / n),
    ];
    figures.push(order_dependence(&facts, &partition));
    figures.extend(separations(&facts, &labels, &partition));
    figures
}

/// How the groups agree with the truth.
pub(crate) fn pairs(partition: &BTreeSet<Vec<ObservationId>>, labels: &Labels) -> Pairs {
    let groups = (0_u64..).zip(partition);
    Pairs::of(groups.flat_map(|(group, members)| {
        members.iter().filter_map(move |member| Some((group, *labels.get(member)?)))
    }))
}

/// How many observations have other companions in `after` than in `before`.
pub(crate) fn moved(
    before: &BTreeSet<Vec<ObservationId>>,
    after: &BTreeSet<Vec<ObservationId>>,
) -> usize {
    before.difference(after).map(Vec::len).sum()
}

fn order_dependence(facts: &[Recorded], partition: &BTreeSet<Vec<ObservationId>>) -> Figure {
    let mut most = 0;
    for seed in 0..ORDERS {
        let mut arrived = facts.to_vec();
        Chance::seeded(seed).shuffle(&mut arrived);
        record_in_order(&mut arrived);
        let other = population(&arrived, &Assertions::default()).partition();
        most = most.max(moved(partition, &other));
    }
    let name = format!("events with other companions in {ORDERS} other orders of arrival");
    Figure::new(name, float(most.try_into().unwrap())).at_most(0.0)
}

/// Each fact was recorded a second after the one before it.
fn record_in_order(facts: &mut [Recorded]) {
    let start = Timestamp::from_seconds(1_800_000_000).unwrap();
    for (n, fact) in (0..).zip(facts) {
        fact.recorded_at = start + Micros::SECOND.times(n);
    }
}

/// Somebody says of 200 pairs that were together that they are two; then the rest arrives, in
/// another order.
fn separations(
    facts: &[Recorded],
    labels: &Labels,
    partition: &BTreeSet<Vec<ObservationId>>,
) -> Vec<Figure> {
    let mut arrived = facts.to_vec();
    Chance::seeded(99).shuffle(&mut arrived);
    let half = &arrived[..arrived.len() / 2];
    let then = population(half, &Assertions::default());
    let pairs = joined(&then.partition(), labels);
    let said = pairs.iter().map(|(a, b)| different(*a, *b));
    let said = Assertions::new(said);
    record_in_order(&mut arrived);
    let apart = population(&arrived, &said).partition();
    let held = n_apart(&apart, &pairs);
    let revoked = pairs.iter().map(|(a, b)| different(*a, *b)).flat_map(|said| {
        let revoked = Assertion { verdict: Verdict::Revoke(said.id()), ..said.clone() };
        [said, revoked]
    });
    let again = population(&arrived, &Assertions::new(revoked)).partition();
    let n = |n: usize| float(n.try_into().unwrap());
    vec![
        Figure::new("separations that hold whatever comes after", n(held)).at_least(n(SEPARATIONS)),
        Figure::new(
            "events with other companions after taking all of them back",
            n(moved(partition, &again)),
        )
        .at_most(0.0),
    ]
}

/// Somebody's word that two observations are of two persons.
pub(crate) fn different(a: ObservationId, b: ObservationId) -> Assertion {
    let verdict = Verdict::Different(Subject::Observation(a), Subject::Observation(b));
    let at = Timestamp::from_seconds(1_900_000_000).unwrap();
    Assertion { verdict, by: "benchmark".to_owned(), reason: None, at }
}

/// Pairs of observations that are together, each of another group: wrongly joined ones first, at
/// most half of them.
pub(crate) fn joined(
    partition: &BTreeSet<Vec<ObservationId>>,
    labels: &Labels,
) -> Vec<(ObservationId, ObservationId)> {
    let mut chance = Chance::seeded(200);
    let (mut wrong, mut right) = (Vec::new(), Vec::new());
    for group in partition.iter().filter(|group| group.len() > 3) {
        let stranger = group.iter().find(|other| labels.get(other) != labels.get(&group[0]));
        if let Some(stranger) = stranger {
            wrong.push((group[0], *stranger));
        } else {
            let mut members = group.clone();
            chance.shuffle(&mut members);
            right.push((members[0], members[1]));
        }
    }
    chance.shuffle(&mut wrong);
    chance.shuffle(&mut right);
    wrong.truncate(SEPARATIONS / 2);
    wrong.into_iter().chain(right).take(SEPARATIONS).collect()
}

/// How many of the pairs are not together.
pub(crate) fn n_apart(
    partition: &BTreeSet<Vec<ObservationId>>,
    pairs: &[(ObservationId, ObservationId)],
) -> usize {
    let mut group_of: HashMap<ObservationId, usize> = HashMap::new();
    for (group, members) in partition.iter().enumerate() {
        group_of.extend(members.iter().map(|member| (*member, group)));
    }
    pairs.iter().filter(|(a, b)| group_of.get(a) != group_of.get(b)).count()
}

/// What linking by exact identifiers can find at most: values join as far as the truth allows.
fn ceiling(facts: &[Recorded], labels: &Labels) -> Pairs {
    let mut sets = Sets::default();
    let mut first: HashMap<_, usize> = HashMap::new();
    for (at, fact) in facts.iter().enumerate() {
        sets.add();
        let label = labels[&fact.observation.id];
        for claim in fact.observation.claims.iter().filter(|c| c.identifier.is_linkable()) {
            let other = *first.entry((label, &claim.identifier)).or_insert(at);
            sets.join(at, other);
        }
    }
    let groups = facts.iter().enumerate();
    let found: Vec<_> =
        groups.map(|(at, fact)| (sets.root(at), labels[&fact.observation.id])).collect();
    Pairs::of(found)
}

/// For each event the size, in bundles, of the component it belongs to; sorted.
fn component_sizes(facts: &[Recorded], population: &Population) -> Vec<usize> {
    let (policy, assertions) = (Policy::default(), Assertions::default());
    let rules = Rules { policy: &policy, assertions: &assertions };
    let mut n_events: BTreeMap<BundleId, (usize, usize)> = BTreeMap::new();
    let mut sets = Sets::default();
    let mut first: HashMap<_, usize> = HashMap::new();
    for fact in facts {
        let id = fact.observation.bundle();
        let next = sets.0.len();
        let (at, n) = n_events.entry(id).or_insert((next, 0));
        *n += 1;
        if *at < next {
            continue;
        }
        sets.add();
        let bundle = BundleFacts {
            id,
            claims: fact.observation.claims.clone(),
            name: fact.observation.name.clone(),
            first_seen: fact.observation.occurred_at,
            anchor: (fact.recorded_at, fact.observation.id),
            alone: None,
            sources: BTreeSet::from([fact.observation.source.clone()]),
        };
        for claim in rules.linking(&bundle) {
            if !population.hubs.contains_key(&claim.identifier) {
                let other = *first.entry(claim.identifier.clone()).or_insert(next);
                sets.join(next, other);
            }
        }
    }
    let mut sizes: HashMap<usize, usize> = HashMap::new();
    for (at, _) in n_events.values() {
        *sizes.entry(sets.root(*at)).or_insert(0) += 1;
    }
    let of_each = n_events.values().flat_map(|(at, n)| {
        let size = sizes[&sets.root(*at)];
        std::iter::repeat_n(size, *n)
    });
    let mut of_each: Vec<usize> = of_each.collect();
    of_each.sort_unstable();
    of_each
}

/// The value below which that many of a hundred lie, of a sorted list.
fn percentile(sorted: &[usize], of_hundred: usize) -> f64 {
    let at = (sorted.len() * of_hundred / 100).min(sorted.len().saturating_sub(1));
    float(sorted.get(at).copied().unwrap_or(0).try_into().unwrap())
}

/// Disjoint sets of positions.
#[derive(Default)]
struct Sets(Vec<usize>);

impl Sets {
    fn add(&mut self) {
        self.0.push(self.0.len());
    }

    fn root(&self, mut at: usize) -> usize {
        while self.0[at] != at {
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        // The lower one stays; halving the paths keeps them short enough.
        let (low, high) = (a.min(b), a.max(b));
        self.0[high] = low;
        for at in [a, b] {
            self.0[at] = low;
        }
    }
}
