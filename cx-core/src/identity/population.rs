//! A population: the customers of a whole set of facts at once.
//!
//! The store derives customers component by component as facts come in; this is the same
//! function over all facts in memory, for checks, for batch work and for data that is in no
//! store.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;

use super::bridge::{self, Carrier};
use super::component::{Assertions, BundleFacts, Moments, Rules};
use super::hub::{DirectView, HubReason};
use super::observation::Observation;
use super::policy::{Limit, Policy};
use super::resolve::{Record, resolve};
use crate::identifier::Identifier;
use crate::ids::{BundleId, CustomerId, IdKey, ObservationId};
use crate::time::Timestamp;

/// An observation and when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The observation.
    pub observation: Observation,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// One customer of a population.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// The customer's id.
    pub id: CustomerId,
    /// The customer's observations, sorted.
    pub observations: Vec<ObservationId>,
}

/// The customers of a set of facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Population {
    /// The customers, sorted by id.
    pub customers: Vec<Member>,
    /// Observations that belong to nobody yet, sorted: each is on its own until an identifier of
    /// it becomes known.
    pub unattributed: Vec<ObservationId>,
    /// Values that link nobody, and why.
    pub hubs: BTreeMap<Identifier, HubReason>,
    /// What happened in each component that was more than one bundle.
    pub records: Vec<Record>,
    /// How many bundles the largest component has.
    pub largest_component: usize,
}

struct Bundled {
    facts: BundleFacts,
    moments: Vec<(Timestamp, ObservationId)>,
    bridges: BTreeMap<Identifier, Timestamp>,
}

struct InMemory<'a>(&'a BTreeMap<BundleId, Bundled>);

impl Moments for InMemory<'_> {
    type Error = Infallible;

    fn of(&mut self, bundle: BundleId) -> Result<Vec<(Timestamp, ObservationId)>, Infallible> {
        Ok(self.0.get(&bundle).map(|bundle| bundle.moments.clone()).unwrap_or_default())
    }
}

impl Population {
    /// The customers of these facts. The same set of facts gives the same customers, whatever
    /// the order and however often a fact is in it; only ids depend on when facts were recorded.
    ///
    /// Time is O(n log n) for n observations, apart from values that many carry.
    pub fn of(
        facts: &[Recorded],
        assertions: &Assertions,
        policy: &Policy,
        id_key: &IdKey,
    ) -> Self {
        let rules = Rules { policy, assertions };
        let bundles = bundled(facts, assertions);
        let mut population = Self { hubs: hubs(&bundles, rules), ..Self::default() };
        let hubs: BTreeSet<Identifier> = population.hubs.keys().cloned().collect();
        let persons: BTreeMap<BundleId, &BundleFacts> = bundles
            .iter()
            .filter(|(_, bundle)| bundle.facts.is_somebody())
            .map(|(id, bundle)| (*id, &bundle.facts))
            .collect();
        let mut customer_of: BTreeMap<BundleId, CustomerId> = BTreeMap::new();
        let mut moved: BTreeMap<ObservationId, BundleId> = BTreeMap::new();
        for component in components(&persons, &hubs, rules) {
            population.largest_component = population.largest_component.max(component.len());
            let facts: Vec<BundleFacts> =
                component.iter().filter_map(|id| persons.get(id)).map(|f| (*f).clone()).collect();
            let Ok(resolution) = resolve(&facts, &hubs, rules, &mut InMemory(&bundles));
            for cluster in resolution.clusters {
                let id = CustomerId::issue(id_key, cluster.anchor.1);
                customer_of.extend(cluster.bundles.iter().map(|bundle| (*bundle, id)));
            }
            moved.extend(resolution.attributed);
            population.records.extend(resolution.records);
        }
        carry(&bundles, &mut customer_of);
        population.distribute(&bundles, &customer_of, &moved);
        population
    }

    fn distribute(
        &mut self,
        bundles: &BTreeMap<BundleId, Bundled>,
        customer_of: &BTreeMap<BundleId, CustomerId>,
        moved: &BTreeMap<ObservationId, BundleId>,
    ) {
        let mut members: BTreeMap<CustomerId, Vec<ObservationId>> = BTreeMap::new();
        for (id, bundle) in bundles {
            for (_, observation) in &bundle.moments {
                let bundle = moved.get(observation).unwrap_or(id);
                match customer_of.get(bundle) {
                    Some(customer) => members.entry(*customer).or_default().push(*observation),
                    None => self.unattributed.push(*observation),
                }
            }
        }
        self.unattributed.sort_unstable();
        self.customers = members
            .into_iter()
            .map(|(id, mut observations)| {
                observations.sort_unstable();
                Member { id, observations }
            })
            .collect();
    }

    /// Which customer holds an observation; `None` where it belongs to nobody or is not known.
    pub fn holder(&self, observation: ObservationId) -> Option<CustomerId> {
        self.customers
            .iter()
            .find(|customer| customer.observations.binary_search(&observation).is_ok())
            .map(|customer| customer.id)
    }

    /// Who is with whom: the sets of observations of the customers and of the unattributed ones,
    /// each by itself. Ids, and so the instants of recording, play no part in it.
    pub fn partition(&self) -> BTreeSet<Vec<ObservationId>> {
        let customers = self.customers.iter().map(|customer| customer.observations.clone());
        customers.chain(self.unattributed.iter().map(|alone| vec![*alone])).collect()
    }
}

fn bundled(facts: &[Recorded], assertions: &Assertions) -> BTreeMap<BundleId, Bundled> {
    // A fact that is in the set twice counts once, as recorded first.
    let mut once: BTreeMap<ObservationId, &Recorded> = BTreeMap::new();
    for fact in facts {
        let kept = once.entry(fact.observation.id).or_insert(fact);
        if fact.recorded_at < kept.recorded_at {
            *kept = fact;
        }
    }
    let mut bundles: BTreeMap<BundleId, Bundled> = BTreeMap::new();
    for (id, fact) in once {
        let observation = &fact.observation;
        let alone = assertions.names(id);
        let bundle = if alone { observation.own_bundle() } else { observation.bundle() };
        let entry = bundles.entry(bundle).or_insert_with(|| Bundled {
            facts: BundleFacts {
                id: bundle,
                claims: observation.claims.clone(),
                name: observation.name.clone(),
                first_seen: observation.occurred_at,
                anchor: (fact.recorded_at, id),
                alone: alone.then_some(id),
            },
            moments: Vec::new(),
            bridges: BTreeMap::new(),
        });
        entry.facts.first_seen = entry.facts.first_seen.min(observation.occurred_at);
        entry.facts.anchor = entry.facts.anchor.min((fact.recorded_at, id));
        entry.moments.push((observation.occurred_at, id));
        for bridge in &observation.bridges {
            let seen = entry.bridges.entry(bridge.clone()).or_insert(observation.occurred_at);
            *seen = (*seen).min(observation.occurred_at);
        }
    }
    bundles
}

fn hubs(
    bundles: &BTreeMap<BundleId, Bundled>,
    rules: Rules<'_>,
) -> BTreeMap<Identifier, HubReason> {
    let mut views: HashMap<&Identifier, (DirectView, BTreeSet<&Identifier>)> = HashMap::new();
    let mut order: BTreeSet<&Identifier> = BTreeSet::new();
    for bundle in bundles.values() {
        let linking = rules.linking(&bundle.facts);
        let exclusive = linking.iter().map(|claim| &claim.identifier).filter(|identifier| {
            matches!(rules.policy.of_identifier(identifier).limit, Limit::Hard(_))
        });
        let exclusive: Vec<&Identifier> = exclusive.collect();
        for claim in &linking {
            order.insert(&claim.identifier);
            let (view, ids) = views.entry(&claim.identifier).or_default();
            view.names.extend(bundle.facts.name.clone());
            ids.extend(exclusive.iter().filter(|other| ***other != claim.identifier));
        }
    }
    let mut hubs = BTreeMap::new();
    for identifier in order {
        let Some((mut view, ids)) = views.remove(identifier) else { continue };
        for id in ids {
            let place = (id.namespace().clone(), id.scope().to_owned());
            *view.exclusive_ids.entry(place).or_insert(0) += 1;
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
    for (_, a, b) in rules.assertions.joining() {
        let holders = |side: &super::Subject| -> Vec<BundleId> {
            persons.iter().filter(|(_, facts)| means(side, facts)).map(|(id, _)| *id).collect()
        };
        let all: Vec<BundleId> = holders(&a).into_iter().chain(holders(&b)).collect();
        for bundle in &all {
            asserted.entry(*bundle).or_default().extend(&all);
        }
    }
    let mut seen: BTreeSet<BundleId> = BTreeSet::new();
    let mut components = Vec::new();
    for start in persons.keys() {
        if !seen.insert(*start) {
            continue;
        }
        let (mut component, mut next) = (vec![*start], vec![*start]);
        while let Some(bundle) = next.pop() {
            let linked = links.get(&bundle).into_iter().flatten();
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

fn means(side: &super::Subject, facts: &BundleFacts) -> bool {
    match side {
        super::Subject::Observation(observation) => facts.alone == Some(*observation),
        super::Subject::Identifier(identifier) => {
            facts.claims.iter().any(|claim| claim.identifier == *identifier)
        }
    }
}

/// Gives bundles that name nobody to whoever stands on the same bridges.
fn carry(bundles: &BTreeMap<BundleId, Bundled>, customer_of: &mut BTreeMap<BundleId, CustomerId>) {
    let mut carriers: BTreeMap<&Identifier, Vec<Carrier<CustomerId>>> = BTreeMap::new();
    let mut nobodies: BTreeMap<BundleId, Vec<Identifier>> = BTreeMap::new();
    for (id, bundle) in bundles {
        if !bundle.facts.is_somebody() {
            nobodies.insert(*id, bundle.bridges.keys().cloned().collect());
            continue;
        }
        let Some(customer) = customer_of.get(id) else { continue };
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
        if let Some(owner) = bridge::owner(on) {
            customer_of.extend(group.iter().map(|bundle| (*bundle, owner)));
        }
    }
}
