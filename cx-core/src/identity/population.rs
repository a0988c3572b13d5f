//! A population: the customers of a whole set of facts at once.
//!
//! The store derives customers component by component as facts come in; this is the same
//! function over all facts in memory, for checks, for batch work and for data that is in no
//! store.

use std::collections::{BTreeMap, BTreeSet};

use super::assertions::Assertions;
use super::component::Rules;
use super::hub::HubReason;
use super::neighbourhood::{Neighbourhood, Recorded, Settlement};
use super::policy::Policy;
use super::resolve::Record;
use crate::identifier::Identifier;
use crate::ids::{CustomerId, IdKey, ObservationId};

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
        let neighbourhood = Neighbourhood::of(facts, rules);
        let settled = neighbourhood.settle(rules, id_key);
        let mut population = Self::default();
        population.distribute(&neighbourhood, &settled);
        population.hubs = neighbourhood.hubs;
        population.records = settled.records;
        population.largest_component = settled.largest_component;
        population
    }

    fn distribute(&mut self, neighbourhood: &Neighbourhood, settled: &Settlement) {
        let mut members: BTreeMap<CustomerId, Vec<ObservationId>> = BTreeMap::new();
        for (id, bundle) in &neighbourhood.bundles {
            for (_, observation) in &bundle.moments {
                match settled.holder(*id, *observation) {
                    Some(customer) => members.entry(customer).or_default().push(*observation),
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
