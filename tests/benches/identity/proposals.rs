//! The probabilistic stage in a store: what its links cost in precision, and what its proposals
//! are worth to whoever decides about them.

use std::collections::{BTreeMap, BTreeSet};

use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_core::ids::{CustomerId, EventKey};
use cx_core::linkage::Model;
use cx_core::time::Timestamp;
use cx_store::{Fit, ProposeOptions, Proposed, Recording, Store, StoreOptions, TimelineQuery};
use cx_tests::agreement::{Pairs, float};
use cx_tests::trap_stream::{PersonLabel, TENANT};

use crate::figure::Figure;
use crate::linking::cpu_seconds;

/// From which weight on the model links.
const LINK_AT: i32 = 10_000;

/// From which weights on, in bits, people look at proposals.
const REVIEWED: [i32; 4] = [0, 4, 8, 12];

type Labels = BTreeMap<EventKey, PersonLabel>;

/// The figures of the stage over the stream.
pub(crate) fn figures(stream: Vec<(Event, PersonLabel)>) -> Vec<Figure> {
    let options = StoreOptions { tenant: TENANT.to_owned(), ..StoreOptions::default() };
    let store = Store::open_in_memory_with(options).unwrap();
    let labels: Labels = stream.iter().map(|(event, label)| (event.key.clone(), *label)).collect();
    let recorded_at = stream.iter().map(|(event, _)| event.occurred_at).max().unwrap();
    let events = stream.into_iter().map(|(event, _)| event);
    store.ingest(&Recording::new(recorded_at, "bench"), events).unwrap();
    let before = truths(&store, &labels);
    // Whose nobody's are counts too: they are found by nobody.
    let alone = unattributed(&before, &labels);
    let pairs = |of: &BTreeMap<CustomerId, Vec<PersonLabel>>| pairs(of, &alone);
    let plain = pairs(&before);
    let count = |n: usize| float(n.try_into().unwrap());
    let start = cpu_seconds().unwrap_or_default();
    let proposed = propose(&store, None, recorded_at);
    let cost = cpu_seconds().unwrap_or_default() - start;
    let queue = store.proposals(usize::MAX).unwrap();
    let linked = propose(&store, Some(LINK_AT), recorded_at);
    let after = pairs(&truths(&store, &labels));
    let mut figures = vec![
        Figure::new("customers", count(before.len())),
        Figure::new("precision of pairs, without a model", plain.precision()).at_least(0.99),
        Figure::new("recall of pairs, without a model", plain.recall()),
        Figure::new("CPU seconds to propose", cost),
        Figure::new("pairs compared", float(proposed.compared)),
        Figure::new(format!("links from {} bits on", LINK_AT / 1_000), float(linked.linked)),
        Figure::new("precision of pairs, with these links", after.precision()).at_least(0.99),
        Figure::new("recall gained by these links", after.recall() - plain.recall()),
    ];
    for bits in REVIEWED {
        let looked_at = queue.iter().filter(|pair| pair.weight >= bits * 1_000);
        let looked_at: Vec<(CustomerId, CustomerId)> = looked_at.map(|p| (p.a, p.b)).collect();
        let is_right = |(a, b): &&(_, _)| mostly(&before[a]) == mostly(&before[b]);
        let right: Vec<&(CustomerId, CustomerId)> = looked_at.iter().filter(is_right).collect();
        let precision = count(right.len()) / count(looked_at.len()).max(1.0);
        let gained = pairs(&joined(&before, &right)).recall() - plain.recall();
        figures.extend([
            Figure::new(format!("proposals from {bits} bits on"), count(looked_at.len())),
            Figure::new("  precision of these", precision),
            Figure::new("  recall gained, if the right ones are accepted", gained),
        ]);
    }
    figures
}

fn propose(store: &Store, link_at: Option<i32>, at: Timestamp) -> Proposed {
    let mut options = ProposeOptions::new(Model::shipped());
    options.fit = Fit::ToTheCustomers;
    options.link_at = link_at;
    store.propose(&options, at).unwrap()
}

/// Of whom the events of each customer are in truth.
fn truths(store: &Store, labels: &Labels) -> BTreeMap<CustomerId, Vec<PersonLabel>> {
    let query = TimelineQuery::new().limit(100_000);
    let mut truths = BTreeMap::new();
    for customer in store.customers(None, usize::MAX).unwrap() {
        let page = store.timeline(&Who::Customer(customer), &query, None).unwrap();
        let of = page.events.iter().filter_map(|event| labels.get(&event.key).copied());
        truths.insert(customer, of.collect());
    }
    truths
}

/// Whose the events are that no customer has.
fn unattributed(
    customers: &BTreeMap<CustomerId, Vec<PersonLabel>>,
    labels: &Labels,
) -> Vec<PersonLabel> {
    let mut left: BTreeMap<PersonLabel, usize> = BTreeMap::new();
    for label in labels.values() {
        *left.entry(*label).or_insert(0) += 1;
    }
    for label in customers.values().flatten() {
        *left.entry(*label).or_insert(1) -= 1;
    }
    left.into_iter().flat_map(|(label, n)| std::iter::repeat_n(label, n)).collect()
}

fn pairs(customers: &BTreeMap<CustomerId, Vec<PersonLabel>>, alone: &[PersonLabel]) -> Pairs {
    let alone = alone.iter().map(std::slice::from_ref);
    let groups = (0_u64..).zip(customers.values().map(Vec::as_slice).chain(alone));
    Pairs::of(groups.flat_map(|(group, labels)| labels.iter().map(move |label| (group, *label))))
}

/// Whose most of the events are.
fn mostly(labels: &[PersonLabel]) -> Option<PersonLabel> {
    let mut counts: BTreeMap<PersonLabel, usize> = BTreeMap::new();
    for label in labels {
        *counts.entry(*label).or_insert(0) += 1;
    }
    counts.into_iter().max_by_key(|(label, n)| (*n, std::cmp::Reverse(*label))).map(|(l, _)| l)
}

/// The customers after these pairs have become one.
fn joined(
    before: &BTreeMap<CustomerId, Vec<PersonLabel>>,
    pairs: &[&(CustomerId, CustomerId)],
) -> BTreeMap<CustomerId, Vec<PersonLabel>> {
    let mut next: BTreeMap<CustomerId, BTreeSet<CustomerId>> = BTreeMap::new();
    for (a, b) in pairs {
        next.entry(*a).or_default().insert(*b);
        next.entry(*b).or_default().insert(*a);
    }
    let mut seen = BTreeSet::new();
    let mut groups = BTreeMap::new();
    for start in before.keys() {
        let (mut labels, mut open) = (Vec::new(), vec![*start]);
        while let Some(customer) = open.pop() {
            if seen.insert(customer) {
                labels.extend(&before[&customer]);
                open.extend(next.get(&customer).into_iter().flatten());
            }
        }
        if !labels.is_empty() {
            groups.insert(*start, labels);
        }
    }
    groups
}
