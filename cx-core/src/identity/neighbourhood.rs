//! A neighbourhood: bundles with all that decides whose they are, settled together.
//!
//! All facts of a store are a neighbourhood, and so are the components of a few customers: since
//! components do not touch each other, both give the same answer about the same bundle.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::convert::Infallible;

use super::assertions::Assertions;
use super::bridge::{self, Carrier};
use super::component::{BundleFacts, Moments, Rules};
use super::hub::{DirectView, HubReason, counts_persons};
use super::observation::{Observation, bundle_id};
use super::policy::Limit;
use super::resolve::{Join, Record, resolve};
use crate::identifier::Identifier;
use crate::ids::{AssertionId, BundleId, CustomerId, IdKey, ObservationId};
use crate::time::Timestamp;

/// An observation and when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The observation.
    pub observation: Observation,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// A bundle with its observations in time, and what they stand on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeBundle {
    /// What its observations have in common.
    pub facts: BundleFacts,
    /// When its observations happened, and which they are; in any order.
    pub moments: Vec<(Timestamp, ObservationId)>,
    /// The orders, carts and conversations they stand on, and since when.
    pub bridges: BTreeMap<Identifier, Timestamp>,
}

/// Bundles that are settled together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Neighbourhood {
    /// The bundles. With a bundle all are there that it may hang together with.
    pub bundles: BTreeMap<BundleId, WholeBundle>,
    /// Which of their values link nobody, and why.
    pub hubs: BTreeMap<Identifier, HubReason>,
}

/// Whose each bundle of a neighbourhood is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settlement {
    /// The customer of each bundle; bundles of nobody are not in it.
    pub customer_of: BTreeMap<BundleId, CustomerId>,
    /// Single observations that belong to the customer of another bundle than their own.
    pub attributed: BTreeMap<ObservationId, BundleId>,
    /// Bundles that name nobody, and the bridge that carries each to its customer.
    pub carried: BTreeMap<BundleId, Identifier>,
    /// Values that several persons carry.
    pub contested: BTreeSet<Identifier>,
    /// What joined which two bundles, component by component, in order.
    pub joins: Vec<Join>,
    /// What happened, component by component, in order.
    pub records: Vec<Record>,
    /// How many bundles the largest component has.
    pub largest_component: usize,
}

impl Neighbourhood {
    /// All these facts. A fact that is among them twice counts once, as recorded first.
    pub fn of(facts: &[Recorded], rules: Rules<'_>) -> Self {
        let bundles = bundled(facts, rules.assertions);
        let hubs = hubs(&bundles, rules);
        Self { bundles, hubs }
    }

    /// Some of the bundles by themselves: what would be if there were no others. Says under which
    /// bundle each one is found then.
    #[must_use]
    pub fn part(
        &self,
        of: &BTreeSet<BundleId>,
        rules: Rules<'_>,
    ) -> (Self, BTreeMap<BundleId, BundleId>) {
        let kept: Vec<&WholeBundle> = of.iter().filter_map(|id| self.bundles.get(id)).collect();
        bundled_again(&kept, &BTreeSet::new(), rules)
    }

    /// What would be if nobody had ever claimed these values, nor stood on them. Says under which
    /// bundle each one is found then: those that differ in nothing else become one.
    #[must_use]
    pub fn without(
        &self,
        values: &BTreeSet<Identifier>,
        rules: Rules<'_>,
    ) -> (Self, BTreeMap<BundleId, BundleId>) {
        bundled_again(&self.bundles.values().collect::<Vec<_>>(), values, rules)
    }

    /// Whose each bundle is. Time is O(n log n) for n observations, apart from values that many
    /// carry.
    pub fn settle(&self, rules: Rules<'_>, id_key: &IdKey) -> Settlement {
        let hubs: BTreeSet<Identifier> = self.hubs.keys().cloned().collect();
        let persons: BTreeMap<BundleId, &BundleFacts> = self
            .bundles
            .iter()
            .filter(|(_, bundle)| bundle.facts.is_somebody())
            .map(|(id, bundle)| (*id, &bundle.facts))
            .collect();
        let mut settled = Settlement::default();
        for component in components(&persons, &hubs, rules) {
            settled.largest_component = settled.largest_component.max(component.len());
            let facts: Vec<BundleFacts> =
                component.iter().filter_map(|id| persons.get(id)).map(|f| (*f).clone()).collect();
            let Ok(resolution) = resolve(&facts, &hubs, rules, &mut InMemory(&self.bundles));
            for cluster in resolution.clusters {
                let id = CustomerId::issue(id_key, cluster.anchor.1);
                settled.customer_of.extend(cluster.bundles.iter().map(|bundle| (*bundle, id)));
            }
            settled.attributed.extend(resolution.attributed);
            settled.contested.extend(resolution.contested);
            settled.joins.extend(resolution.joins);
            settled.records.extend(resolution.records);
        }
        carry(&self.bundles, &mut settled);
        settled
    }
}

impl Settlement {
    /// Whose an observation of this bundle is; `None` where it is nobody's.
    pub fn holder(&self, bundle: BundleId, observation: ObservationId) -> Option<CustomerId> {
        let bundle = self.attributed.get(&observation).unwrap_or(&bundle);
        self.customer_of.get(bundle).copied()
    }
}

struct InMemory<'a>(&'a BTreeMap<BundleId, WholeBundle>);

impl Moments for InMemory<'_> {
    type Error = Infallible;

    fn of(&mut self, bundle: BundleId) -> Result<Vec<(Timestamp, ObservationId)>, Infallible> {
        Ok(self.0.get(&bundle).map(|bundle| bundle.moments.clone()).unwrap_or_default())
    }
}

/// Bundles as they are without these values, under these rules.
fn bundled_again(
    wholes: &[&WholeBundle],
    values: &BTreeSet<Identifier>,
    rules: Rules<'_>,
) -> (Neighbourhood, BTreeMap<BundleId, BundleId>) {
    let mut bundles: BTreeMap<BundleId, WholeBundle> = BTreeMap::new();
    let mut now: BTreeMap<BundleId, BundleId> = BTreeMap::new();
    for whole in wholes {
        let id = whole.facts.id;
        let mut left = (*whole).clone();
        left.facts.claims.retain(|claim| !values.contains(&claim.identifier));
        left.bridges.retain(|bridge, _| !values.contains(bridge));
        left.facts.alone = left.facts.alone.filter(|alone| rules.assertions.names(*alone));
        if left.facts.claims.is_empty() {
            left.facts.name = None;
        }
        if left.facts.alone.is_none() && left != **whole {
            let bridges: Vec<Identifier> = left.bridges.keys().cloned().collect();
            let named = bundle_id(&left.facts.claims, left.facts.name.as_ref(), &bridges);
            left.facts.id = named.unwrap_or(id);
        }
        now.insert(id, left.facts.id);
        match bundles.entry(left.facts.id) {
            Entry::Vacant(entry) => {
                entry.insert(left);
            }
            Entry::Occupied(mut entry) => {
                let other = entry.get_mut();
                other.facts.first_seen = other.facts.first_seen.min(left.facts.first_seen);
                other.facts.anchor = other.facts.anchor.min(left.facts.anchor);
                other.facts.sources.extend(left.facts.sources);
                other.moments.extend(left.moments);
                for (bridge, since) in left.bridges {
                    let seen = other.bridges.entry(bridge).or_insert(since);
                    *seen = (*seen).min(since);
                }
            }
        }
    }
    let hubs = hubs(&bundles, rules);
    (Neighbourhood { bundles, hubs }, now)
}

fn bundled(facts: &[Recorded], assertions: &Assertions) -> BTreeMap<BundleId, WholeBundle> {
    // A fact that is in the set twice counts once, as recorded first.
    let mut once: BTreeMap<ObservationId, &Recorded> = BTreeMap::new();
    for fact in facts {
        let kept = once.entry(fact.observation.id).or_insert(fact);
        if fact.recorded_at < kept.recorded_at {
            *kept = fact;
        }
    }
    let mut bundles: BTreeMap<BundleId, WholeBundle> = BTreeMap::new();
    for (id, fact) in once {
        let observation = &fact.observation;
        let alone = assertions.names(id);
        let bundle = if alone { observation.own_bundle() } else { observation.bundle() };
        let entry = bundles.entry(bundle).or_insert_with(|| WholeBundle {
            facts: BundleFacts {
                id: bundle,
                claims: observation.claims.clone(),
                name: observation.name.clone(),
                first_seen: observation.occurred_at,
                anchor: (fact.recorded_at, id),
                alone: alone.then_some(id),
                sources: BTreeSet::new(),
            },
            moments: Vec::new(),
            bridges: BTreeMap::new(),
        });
        entry.facts.first_seen = entry.facts.first_seen.min(observation.occurred_at);
        entry.facts.anchor = entry.facts.anchor.min((fact.recorded_at, id));
        entry.facts.sources.insert(observation.source.clone());
        entry.moments.push((observation.occurred_at, id));
        for bridge in &observation.bridges {
            let seen = entry.bridges.entry(bridge.clone()).or_insert(observation.occurred_at);
            *seen = (*seen).min(observation.occurred_at);
        }
    }
    bundles
}

/// What is seen with a value.
#[derive(Default)]
struct Seen<'a> {
    view: DirectView,
    ids: BTreeSet<&'a Identifier>,
    strong: BTreeSet<&'a Identifier>,
    strong_of_named: BTreeSet<&'a Identifier>,
}

fn hubs(
    bundles: &BTreeMap<BundleId, WholeBundle>,
    rules: Rules<'_>,
) -> BTreeMap<Identifier, HubReason> {
    let mut views: HashMap<&Identifier, Seen<'_>> = HashMap::new();
    let mut order: BTreeSet<&Identifier> = BTreeSet::new();
    for bundle in bundles.values() {
        let linking = rules.linking(&bundle.facts);
        let exclusive = linking.iter().map(|claim| &claim.identifier).filter(|identifier| {
            matches!(rules.policy.of_identifier(identifier).limit, Limit::Hard(_))
        });
        let exclusive: Vec<&Identifier> = exclusive.collect();
        order.extend(bundle.facts.claims.iter().map(|claim| &claim.identifier));
        for claim in &linking {
            let seen = views.entry(&claim.identifier).or_default();
            seen.view.names.extend(bundle.facts.name.clone());
            seen.ids.extend(exclusive.iter().filter(|other| ***other != claim.identifier));
            let others = linking.iter().map(|other| &other.identifier);
            let counts =
                |other: &&Identifier| counts_persons(rules.policy, &claim.identifier, other);
            let is_named = bundle.facts.name.is_some();
            let strong = if is_named { &mut seen.strong_of_named } else { &mut seen.strong };
            strong.extend(others.filter(counts));
        }
    }
    let mut hubs = BTreeMap::new();
    for identifier in order {
        let Seen { mut view, ids, strong, strong_of_named } =
            views.remove(identifier).unwrap_or_default();
        let place = |id: &Identifier| (id.namespace().clone(), id.scope().to_owned());
        for id in ids {
            *view.exclusive_ids.entry(place(id)).or_insert(0) += 1;
        }
        for value in strong {
            *view.strong_values.entry(place(value)).or_insert(0) += 1;
        }
        for value in strong_of_named {
            *view.strong_of_named.entry(place(value)).or_insert(0) += 1;
        }
        if let Some(reason) = rules.hub(identifier, &view) {
            hubs.insert(identifier.clone(), reason);
        }
    }
    hubs
}

/// Bundles that hang together through values that are not hubs and through people's words.
fn components(
    persons: &BTreeMap<BundleId, &BundleFacts>,
    hubs: &BTreeSet<Identifier>,
    rules: Rules<'_>,
) -> Vec<Vec<BundleId>> {
    let mut by: HashMap<&Identifier, Vec<BundleId>> = HashMap::new();
    let mut links: BTreeMap<BundleId, Vec<&Identifier>> = BTreeMap::new();
    let mut asserted: BTreeMap<BundleId, Vec<BundleId>> = BTreeMap::new();
    for (id, facts) in persons {
        for claim in rules.linking(facts) {
            if !hubs.contains(&claim.identifier) {
                by.entry(&claim.identifier).or_default().push(*id);
                links.entry(*id).or_default().push(&claim.identifier);
            }
        }
    }
    let mut together: BTreeMap<AssertionId, Vec<BundleId>> = BTreeMap::new();
    for (id, facts) in persons {
        for (assertion, ..) in rules.assertions.joining(facts) {
            together.entry(assertion).or_default().push(*id);
        }
    }
    for all in together.values() {
        for bundle in all {
            asserted.entry(*bundle).or_default().extend(all);
        }
    }
    let mut seen: BTreeSet<BundleId> = BTreeSet::new();
    let mut followed: HashSet<&Identifier> = HashSet::new();
    let mut components = Vec::new();
    for start in persons.keys() {
        if !seen.insert(*start) {
            continue;
        }
        let (mut component, mut next) = (vec![*start], vec![*start]);
        while let Some(bundle) = next.pop() {
            let linked = links.get(&bundle).into_iter().flatten();
            let linked = linked.filter(|identifier| followed.insert(**identifier));
            let neighbours = linked.filter_map(|identifier| by.get(identifier)).flatten();
            for other in neighbours.chain(asserted.get(&bundle).into_iter().flatten()) {
                if seen.insert(*other) {
                    component.push(*other);
                    next.push(*other);
                }
            }
        }
        components.push(component);
    }
    components
}

/// Gives bundles that name nobody to whoever stands on the same bridges.
fn carry(bundles: &BTreeMap<BundleId, WholeBundle>, settled: &mut Settlement) {
    let mut carriers: BTreeMap<&Identifier, Vec<Carrier<CustomerId>>> = BTreeMap::new();
    let mut nobodies: BTreeMap<BundleId, Vec<Identifier>> = BTreeMap::new();
    for (id, bundle) in bundles {
        if !bundle.facts.is_somebody() {
            nobodies.insert(*id, bundle.bridges.keys().cloned().collect());
            continue;
        }
        let Some(customer) = settled.customer_of.get(id) else { continue };
        for (bridge, first_seen) in &bundle.bridges {
            let carrier = Carrier { first_seen: *first_seen, bundle: *id, customer: *customer };
            carriers.entry(bridge).or_default().push(carrier);
        }
    }
    for group in bridge::groups(&nobodies) {
        let bridges = group.iter().filter_map(|bundle| nobodies.get(bundle)).flatten();
        let on = bridges.flat_map(|bridge| {
            let carriers = carriers.get(bridge).into_iter().flatten();
            carriers.map(|carrier| (bridge.clone(), *carrier))
        });
        let on: Vec<(Identifier, Carrier<CustomerId>)> = on.collect();
        let Some(owner) = bridge::owner(on.iter().cloned()) else { continue };
        settled.customer_of.extend(group.iter().map(|bundle| (*bundle, owner)));
        let carries = |bridge: &&Identifier| {
            on.iter().any(|(other, carrier)| other == *bridge && carrier.customer == owner)
        };
        for bundle in &group {
            let own = nobodies.get(bundle).into_iter().flatten();
            let own = own.chain(on.iter().map(|(bridge, _)| bridge));
            if let Some(bridge) = own.into_iter().find(carries) {
                settled.carried.insert(*bundle, bridge.clone());
            }
        }
    }
}
