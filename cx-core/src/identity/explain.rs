//! Explanations: why two records are one person, why two customers are two, how a customer came
//! about, and who may be the same person.
//!
//! Nothing about them is stored. A neighbourhood is settled again, and the answer is read off
//! what joined and what did not.

mod why;
mod why_not;
mod how;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::assertion::{Assertion, Subject, Verdict};
use super::component::Rules;
use super::name::PersonName;
use super::neighbourhood::{Neighbourhood, Settlement};
use super::observation::ObservedClaim;
use super::policy::Tier;
use crate::identifier::{Assurance, Identifier};
use crate::ids::{AssertionId, BundleId, CustomerId, EventKey, IdKey};
use crate::time::Timestamp;

pub use how::{ByModel, Candidate, How, Relation, SetAside};
pub use why::{Link, Path, Rule, Why};
pub use why_not::{Because, Obstacle, WhyNot};

/// What can be told of the records of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The name as it was written.
    pub name: Option<String>,
    /// Where the records are from, sorted: `zendesk:acme`.
    pub sources: BTreeSet<String>,
    /// How many events there are.
    pub n_events: u64,
    /// When the first of them happened.
    pub first_seen: Timestamp,
    /// When the last of them happened.
    pub last_seen: Timestamp,
    /// The event that was recorded first.
    pub event: EventKey,
}

/// Records that claim the same and carry the same name, as an explanation shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Records {
    /// The name as it was written.
    pub name: Option<String>,
    /// Where they are from, sorted: `zendesk:acme`.
    pub sources: Vec<String>,
    /// How many events there are.
    pub n_events: u64,
    /// When the first of them happened, in UTC.
    pub first_seen: Timestamp,
    /// When the last of them happened, in UTC.
    pub last_seen: Timestamp,
    /// The event that was recorded first.
    pub event: EventKey,
    /// How well the value in question is proved on them; `None` where no value is in question.
    pub assurance: Option<Assurance>,
}

/// A person's word, as an explanation shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The assertion.
    pub assertion: AssertionId,
    /// Its kind: `same`, `different`, ...; `probable` where a model says so.
    pub kind: String,
    /// With what weight a model says so, in thousandths of a bit.
    pub weight: Option<i32>,
    /// Who said so.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// When it was said, in UTC.
    pub at: Timestamp,
}

impl Said {
    fn of(id: AssertionId, assertion: &Assertion) -> Self {
        Self {
            assertion: id,
            kind: assertion.verdict.name().to_owned(),
            weight: match assertion.verdict {
                Verdict::Probable(_, _, weight) => Some(weight),
                _ => None,
            },
            by: assertion.by.clone(),
            reason: assertion.reason.clone(),
            at: assertion.at,
        }
    }
}

/// A customer, as an explanation shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Person {
    /// The customer's id.
    pub id: CustomerId,
    /// The names on the customer's records as they were written, the most frequent first; one
    /// spelling of each.
    pub names: Vec<String>,
}

/// A settled neighbourhood that can be asked why.
#[derive(Debug)]
pub struct Explainer<'a> {
    neighbourhood: &'a Neighbourhood,
    sightings: &'a BTreeMap<BundleId, Sighting>,
    rules: Rules<'a>,
    id_key: &'a IdKey,
    settled: Settlement,
    hubs: BTreeSet<Identifier>,
    /// The bundles of each customer.
    bundles_of: BTreeMap<CustomerId, BTreeSet<BundleId>>,
}

impl<'a> Explainer<'a> {
    /// Settles a neighbourhood in order to explain it. Time is that of
    /// [`Neighbourhood::settle`]; each question costs about as much again.
    pub fn new(
        neighbourhood: &'a Neighbourhood,
        sightings: &'a BTreeMap<BundleId, Sighting>,
        rules: Rules<'a>,
        id_key: &'a IdKey,
    ) -> Self {
        let settled = neighbourhood.settle(rules, id_key);
        let mut bundles_of: BTreeMap<CustomerId, BTreeSet<BundleId>> = BTreeMap::new();
        for (bundle, customer) in &settled.customer_of {
            bundles_of.entry(*customer).or_default().insert(*bundle);
        }
        let hubs = neighbourhood.hubs.keys().cloned().collect();
        Self { neighbourhood, sightings, rules, id_key, settled, hubs, bundles_of }
    }

    /// Whose each bundle is.
    pub const fn settled(&self) -> &Settlement {
        &self.settled
    }

    /// The customers who hold a subject, sorted: who is linked by an identifier, or carries it where
    /// nobody is, or whose an observation is.
    pub fn holders(&self, subject: &Subject) -> BTreeSet<CustomerId> {
        match subject {
            Subject::Identifier(_) => {
                self.meant(subject).into_iter().filter_map(|b| self.customer_of(b)).collect()
            }
            Subject::Observation(observation) => {
                let home = why::home(self.neighbourhood, *observation);
                home.and_then(|home| self.settled.holder(home, *observation)).into_iter().collect()
            }
        }
    }

    /// The customer, with the names on the records.
    pub fn person(&self, customer: CustomerId) -> Person {
        let mut names: BTreeMap<String, (u64, String)> = BTreeMap::new();
        for bundle in self.bundles_of.get(&customer).into_iter().flatten() {
            let Some(whole) = self.neighbourhood.bundles.get(bundle) else { continue };
            let Some(key) = whole.facts.name.as_ref().map(PersonName::key) else { continue };
            let sighting = self.sightings.get(bundle);
            let written = sighting.and_then(|sighting| sighting.name.clone());
            let n = sighting.map_or(1, |sighting| sighting.n_events);
            let written = written.unwrap_or_else(|| key.clone());
            let entry = names.entry(key).or_insert((0, written.clone()));
            entry.0 = entry.0.saturating_add(n);
            entry.1 = entry.1.clone().max(written);
        }
        let mut names: Vec<(u64, String)> = names.into_values().collect();
        names.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        Person { id: customer, names: names.into_iter().map(|(_, name)| name).collect() }
    }

    fn customer_of(&self, bundle: BundleId) -> Option<CustomerId> {
        self.settled.customer_of.get(&bundle).copied()
    }

    /// The bundles that a subject means, sorted: of an identifier those that are linked by it, and
    /// where nobody is, those that carry it.
    fn meant(&self, subject: &Subject) -> Vec<BundleId> {
        let carriers = self.carriers(subject);
        let Subject::Identifier(value) = subject else { return carriers };
        let links = |bundle: &BundleId| {
            self.links_by(*bundle, value) && self.customer_of(*bundle).is_some()
        };
        let linked: Vec<BundleId> = carriers.iter().copied().filter(links).collect();
        if linked.is_empty() { carriers } else { linked }
    }

    /// The bundles that carry a subject, sorted.
    fn carriers(&self, subject: &Subject) -> Vec<BundleId> {
        let carries = |whole: &super::WholeBundle| match subject {
            Subject::Identifier(identifier) => {
                whole.facts.claims.iter().any(|claim| claim.identifier == *identifier)
                    || whole.bridges.contains_key(identifier)
            }
            Subject::Observation(observation) => {
                whole.moments.iter().any(|(_, other)| other == observation)
            }
        };
        let bundles = self.neighbourhood.bundles.iter();
        bundles.filter(|(_, whole)| carries(whole)).map(|(id, _)| *id).collect()
    }

    /// What is told of these bundles together, and of a value on them.
    fn records(&self, bundles: &[BundleId], value: Option<&Identifier>) -> Option<Records> {
        let mut told: Option<Records> = None;
        let mut bundles = bundles.to_vec();
        let anchor = |bundle: &BundleId| {
            self.neighbourhood.bundles.get(bundle).map(|whole| whole.facts.anchor)
        };
        bundles.sort_by_key(anchor);
        for bundle in &bundles {
            let Some(sighting) = self.sightings.get(bundle) else { continue };
            let facts = self.neighbourhood.bundles.get(bundle).map(|whole| &whole.facts);
            let claims = facts.into_iter().flat_map(|facts| &facts.claims);
            let of_value = claims.filter(|claim| Some(&claim.identifier) == value);
            let assurance = of_value.map(|claim| claim.assurance).max();
            match &mut told {
                None => {
                    told = Some(Records {
                        name: sighting.name.clone(),
                        sources: sighting.sources.iter().cloned().collect(),
                        n_events: sighting.n_events,
                        first_seen: sighting.first_seen,
                        last_seen: sighting.last_seen,
                        event: sighting.event.clone(),
                        assurance,
                    });
                }
                Some(told) => {
                    if told.name.is_none() {
                        told.name.clone_from(&sighting.name);
                    }
                    told.sources.extend(sighting.sources.iter().cloned());
                    told.sources.sort();
                    told.sources.dedup();
                    told.n_events = told.n_events.saturating_add(sighting.n_events);
                    told.first_seen = told.first_seen.min(sighting.first_seen);
                    told.last_seen = told.last_seen.max(sighting.last_seen);
                    told.assurance = told.assurance.max(assurance);
                }
            }
        }
        told
    }

    /// How strongly a value links, given how well it is proved on anybody's records.
    fn tier(&self, value: &Identifier) -> Tier {
        let policy = self.rules.policy.of_identifier(value);
        let claims = self.neighbourhood.bundles.values().flat_map(|whole| &whole.facts.claims);
        let mut of_value = claims.filter(|claim| claim.identifier == *value);
        let is_proved = of_value.any(|claim| claim.assurance.is_proved());
        if is_proved { policy.tier } else { policy.stated_tier() }
    }

    fn said(&self, assertion: AssertionId) -> Option<Said> {
        self.rules.assertions.get(assertion).map(|said| Said::of(assertion, said))
    }

    /// The word of a person who trusts a value.
    fn trusted(&self, value: &Identifier) -> Option<Said> {
        self.rules.assertions.trusted_by(value).and_then(|id| self.said(id))
    }

    /// Whether a bundle is linked by a value.
    fn links_by(&self, bundle: BundleId, value: &Identifier) -> bool {
        self.neighbourhood
            .bundles
            .get(&bundle)
            .is_some_and(|whole| self.linking(whole).iter().any(|claim| claim.identifier == *value))
    }

    /// The claims by which a bundle is linked.
    fn linking<'b>(&self, whole: &'b super::WholeBundle) -> Vec<&'b ObservedClaim> {
        self.rules.linking_but(&whole.facts, &self.hubs)
    }
}
