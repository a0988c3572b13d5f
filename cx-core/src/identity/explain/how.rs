//! How a customer came about, and who may be the same person.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Because, Explainer, Link, Obstacle, Person, Records, Rule};
use crate::identifier::Identifier;
use crate::identity::policy::Tier;
use crate::identity::{Joiner, PersonName, hub::HubReason};
use crate::ids::{BundleId, CustomerId, ObservationId};
use crate::time::Timestamp;

/// How a customer came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct How {
    /// The customer.
    pub customer: Person,
    /// The records that are the customer, those with the same claims and name together.
    pub records: Vec<Records>,
    /// What joined them, in the order in which it did: people's words first, then the values from
    /// the strongest to the weakest, then what follows orders and conversations.
    pub joins: Vec<Link>,
    /// Values on the records that play no part, and why.
    pub set_aside: Vec<SetAside>,
    /// How many events belong to the customer only by their time on a shared value.
    pub by_time: usize,
    /// The same in sentences.
    pub sentences: Vec<String>,
}

/// A value on a customer's records that plays no part in who the customer is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// The value, as `namespace:value`.
    pub value: String,
    /// The records that carry it.
    pub records: Records,
    /// Why it plays none.
    pub because: Because,
    /// The value as an identifier.
    #[serde(skip)]
    pub identifier: Identifier,
}

/// A customer who may be the same person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The other customer.
    pub customer: Person,
    /// What they may be to each other.
    pub relation: Relation,
    /// What both have in common, and why it does not make them one.
    pub evidence: Vec<Obstacle>,
    /// What a model says of them, if one has compared them.
    pub model: Option<ByModel>,
    /// The same in sentences.
    pub sentences: Vec<String>,
}

/// What a model says of two customers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ByModel {
    /// The hash of the model.
    pub model: String,
    /// When it compared them.
    pub at: Timestamp,
    /// What it takes them for.
    pub relation: Relation,
    /// The weight with the prior, in thousandths of a bit.
    pub weight: i32,
    /// How the weight adds up, in sentences.
    pub sentences: Vec<String>,
}

/// What two customers with something in common may be to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// They may be one person: a value of one is unproved on the other, or a limit or a name
    /// stands between them.
    Possible,
    /// They share a value under other given names.
    Household,
}

impl Relation {
    /// The name as it stands in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Household => "household",
        }
    }
}

impl Explainer<'_> {
    /// How a customer came about; `None` where nobody here has the id.
    pub fn how(&self, customer: CustomerId) -> Option<How> {
        let bundles = self.bundles_of.get(&customer)?;
        let mut joins = Vec::new();
        for join in &self.settled.joins {
            if bundles.contains(&join.left) && bundles.contains(&join.right) {
                joins.extend(self.joined(join.left, join.right, &join.by, join.ground));
            }
        }
        for (bundle, bridge) in &self.settled.carried {
            let on = bundles.iter().find(|other| {
                self.neighbourhood.bundles.get(other).is_some_and(|whole| {
                    whole.facts.is_somebody() && whole.bridges.contains_key(bridge)
                })
            });
            if let (true, Some(on)) = (bundles.contains(bundle), on) {
                let records = |bundle: BundleId| self.records(&[bundle], Some(bridge));
                if let (Some(left), Some(right)) = (records(*bundle), records(*on)) {
                    joins.push(Link {
                        rule: Rule::Bridge,
                        value: Some(bridge.to_string()),
                        said: None,
                        trusted: None,
                        left,
                        right,
                        identifier: Some(bridge.clone()),
                    });
                }
            }
        }
        let by_time = self.settled.attributed.values().filter(|to| bundles.contains(to)).count();
        let mut how = How {
            customer: self.person(customer),
            records: bundles.iter().filter_map(|bundle| self.left_of(*bundle)).collect(),
            joins,
            set_aside: self.set_aside(bundles),
            by_time,
            sentences: Vec::new(),
        };
        how.records.sort_by(|a, b| (a.first_seen, &a.event).cmp(&(b.first_seen, &b.event)));
        how.sentences = super::words::how(&how);
        Some(how)
    }

    /// What is told of a bundle, without the events of it that are others' by their time.
    fn left_of(&self, bundle: BundleId) -> Option<Records> {
        let mut told = self.records(&[bundle], None)?;
        let whole = self.neighbourhood.bundles.get(&bundle)?;
        let is_left = |id: &ObservationId| !self.settled.attributed.contains_key(id);
        let moments = whole.moments.iter().filter(|(_, id)| is_left(id)).map(|(at, _)| *at);
        let left: Vec<Timestamp> = moments.collect();
        if left.len() < whole.moments.len() {
            told.n_events = u64::try_from(left.len()).unwrap_or(u64::MAX);
            told.first_seen = left.iter().min().copied()?;
            told.last_seen = left.iter().max().copied()?;
        }
        Some(told)
    }

    fn joins_within(&self, bundles: &BTreeSet<BundleId>, value: &Identifier) -> bool {
        self.settled.joins.iter().any(|join| {
            matches!(&join.by, Joiner::Identifier(by) if by == value)
                && bundles.contains(&join.left)
                && bundles.contains(&join.right)
        })
    }

    fn set_aside(&self, bundles: &BTreeSet<BundleId>) -> Vec<SetAside> {
        let wholes = bundles.iter().filter_map(|bundle| self.neighbourhood.bundles.get(bundle));
        let claims = wholes.flat_map(|whole| &whole.facts.claims);
        let values: BTreeSet<&Identifier> = claims.map(|claim| &claim.identifier).collect();
        let mut set_aside = Vec::new();
        for value in values {
            let carries = |bundle: &&BundleId| {
                self.neighbourhood.bundles.get(bundle).is_some_and(|whole| {
                    whole.facts.claims.iter().any(|claim| claim.identifier == *value)
                })
            };
            let on: Vec<BundleId> = bundles.iter().filter(carries).copied().collect();
            let because = match self.neighbourhood.hubs.get(value) {
                Some(HubReason::Blocked) => {
                    let said = self.rules.assertions.blocked_by(value);
                    Some(Because::Blocked { said: said.and_then(|said| self.said(said)) })
                }
                Some(hub) => Some(Because::Hub { persons: hub.persons() }),
                None if !value.is_linkable() => Some(Because::NotAnIdentifier),
                None if self.rules.policy.of_identifier(value).tier == Tier::Never => {
                    let namespace = value.namespace().name().to_owned();
                    Some(Because::NeverLinks { namespace })
                }
                // What says so of these records goes before what others do with the value.
                None if self.not_linking(value, &on).is_some() => self.not_linking(value, &on),
                None if self.settled.contested.contains(value) => {
                    // What joined some of the records plays its part, and so does what nobody else
                    // has once all is joined.
                    let persons = self.persons_with(value);
                    let plays = persons < 2 || self.joins_within(bundles, value);
                    (!plays).then_some(Because::Contested { persons })
                }
                None => None,
            };
            if let (Some(because), Some(records)) = (because, self.records(&on, Some(value))) {
                let identifier = value.clone();
                set_aside.push(SetAside { value: value.to_string(), records, because, identifier });
            }
        }
        set_aside
    }

    /// The customers with whom this one has something in common, or whom a model says to be like
    /// it, the likeliest first: possible duplicates before housemates, what weighs more in a model
    /// before the rest, agreeing names before others, stronger values before weaker ones. Who was
    /// called different, or shares only a value that so many use, is none.
    pub fn candidates(
        &self,
        customer: CustomerId,
        models: &BTreeMap<CustomerId, ByModel>,
    ) -> Vec<Candidate> {
        let mut ranked = Vec::new();
        let mut others = self.neighbours(customer);
        others.extend(models.keys().filter(|other| self.bundles_of.contains_key(other)));
        for other in others {
            let model = models.get(&other).cloned();
            let evidence: Vec<Obstacle> = self.between_customers(customer, other);
            let is_no = |obstacle: &Obstacle| matches!(obstacle.because, Because::Different { .. });
            let says_nothing = |obstacle: &Obstacle| {
                matches!(
                    obstacle.because,
                    Because::Hub { .. }
                        | Because::Blocked { .. }
                        | Because::NotAnIdentifier
                        | Because::Crowded
                        | Because::NeverLinks { .. }
                        | Because::SaidToBeShared
                        | Because::OnBehalfOf
                )
            };
            let telling: Vec<&Obstacle> = evidence.iter().filter(|o| !says_nothing(o)).collect();
            if evidence.iter().any(is_no) || telling.is_empty() && model.is_none() {
                continue;
            }
            let person = self.person(other);
            let agree = names_agree(&self.person(customer), &person);
            let strongest =
                telling.iter().filter_map(|o| o.identifier.as_ref()).map(|v| self.tier(v));
            let strongest = strongest.min().unwrap_or(Tier::Never);
            let is_household = agree == Some(false)
                && !telling.is_empty()
                && telling.iter().all(|o| {
                    matches!(
                        o.because,
                        Because::Names { .. }
                            | Because::Contested { .. }
                            | Because::SharedDevice { .. }
                            | Because::Limit { .. }
                    )
                });
            let found = if is_household { Relation::Household } else { Relation::Possible };
            // Whoever has nothing in common is what the model says.
            let relation = match &model {
                Some(model) if telling.is_empty() => model.relation,
                _ => found,
            };
            let weight = model.as_ref().map_or(0, |model| model.weight);
            let rank = (
                relation,
                Reverse(weight),
                agree != Some(true),
                agree == Some(false),
                strongest,
                usize::MAX - telling.len(),
                other,
            );
            let mut candidate =
                Candidate { customer: person, relation, evidence, model, sentences: Vec::new() };
            candidate.sentences = super::words::candidate(&candidate);
            ranked.push((rank, candidate));
        }
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().map(|(_, candidate)| candidate).collect()
    }
}

/// Whether any name of one agrees with any of the other, short forms of longer ones left out;
/// `None` where one has none.
pub(super) fn names_agree(one: &Person, other: &Person) -> Option<bool> {
    let parsed = |person: &Person| -> BTreeSet<PersonName> {
        person.names.iter().filter_map(|name| PersonName::parse(name)).collect()
    };
    let (ours, theirs) = (parsed(one), parsed(other));
    let ours = crate::identity::name::telling(ours);
    let theirs = crate::identity::name::telling(theirs);
    if ours.is_empty() || theirs.is_empty() {
        return None;
    }
    Some(ours.iter().any(|name| theirs.iter().any(|other| name.agrees(other))))
}
