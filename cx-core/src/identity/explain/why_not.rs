//! Why two customers are two: what they have in common, and why it does not make them one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;

use super::{ByModel, Explainer, Person, Records, Said};
use crate::identifier::{Assurance, Identifier, Namespace};
use crate::identity::assertion::{Subject, Verdict};
use crate::identity::assertions::Assertions;
use crate::identity::observation::Caveat;
use crate::identity::policy::{Contest, Limit, Tier};
use crate::identity::resolve::Record;
use crate::ids::{AssertionId, BundleId, CustomerId};

/// How many customers a way between two that have nothing in common may lead over.
const STEPS: usize = 6;

/// Why two subjects are not one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhyNot {
    /// Whose the first one is; `None` where it is nobody's.
    pub a: Option<Person>,
    /// Whose the second one is.
    pub b: Option<Person>,
    /// What stands between them: a person's word first, then each value they have in common, the
    /// strongest first. Where they have nothing in common, the ways over others.
    pub obstacles: Vec<Obstacle>,
    /// What a model says of them, if one has compared them.
    pub model: Option<ByModel>,
    /// The same in sentences.
    pub sentences: Vec<String>,
}

impl WhyNot {
    /// The same with what a model says of the two.
    #[must_use]
    pub fn with_model(self, model: ByModel) -> Self {
        let mut told = Self { model: Some(model), ..self };
        told.sentences = super::words::why_not(&told);
        told
    }
}

/// Why something does not make one person of two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// The value that both carry, as `namespace:value`.
    pub value: Option<String>,
    /// The records on one side.
    pub left: Option<Records>,
    /// The records on the other side.
    pub right: Option<Records>,
    /// Why not.
    pub because: Because,
    /// The value as an identifier.
    #[serde(skip)]
    pub identifier: Option<Identifier>,
}

/// Why a value that two customers carry does not make them one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Because {
    /// A person said that they are two.
    Different {
        /// Who, when and why.
        said: Option<Said>,
    },
    /// A person said that the value links nobody.
    Blocked {
        /// Who, when and why.
        said: Option<Said>,
    },
    /// A person took a record from the holder of the value.
    Detached {
        /// Who, when and why.
        said: Option<Said>,
    },
    /// So many persons use the value that it links nobody.
    Hub {
        /// How many names or ids were seen with it; `None` for the address of a role.
        persons: Option<u32>,
    },
    /// The value is a placeholder, or has no valid form.
    NotAnIdentifier,
    /// The record claims more values than one person has.
    Crowded,
    /// Values of the namespace never link.
    NeverLinks {
        /// The namespace.
        namespace: String,
    },
    /// The source says that several people use the value.
    SaidToBeShared,
    /// Somebody acted for somebody else.
    OnBehalfOf,
    /// On one side nobody proved that the value is theirs.
    NotProved {
        /// How well it is proved there.
        assurance: Assurance,
        /// How well it would have to be.
        needs: Assurance,
    },
    /// Each has values of its own of which a person has only so many.
    Limit {
        /// The namespace, with its scope.
        of: String,
        /// The values on one side.
        left: Vec<String>,
        /// The values on the other side.
        right: Vec<String>,
    },
    /// The names do not agree.
    Names {
        /// The names on one side.
        left: Vec<String>,
        /// The names on the other side.
        right: Vec<String>,
    },
    /// On one side the value is only stated, beside what that one has proved of themselves, and
    /// no whole name of one is that of the other, who has proved other things.
    OnlyStated {
        /// Whether the other side has proved the value.
        proved: bool,
    },
    /// Several persons use the value, and records without a name may be of any of them.
    Contested {
        /// How many.
        persons: u32,
    },
    /// An event with the value belongs to somebody only by its time, and this one is near nobody.
    SharedDevice {
        /// How many persons use the device.
        persons: u32,
    },
    /// One of the two is nobody's: what it carries links nobody.
    Unattributed,
    /// There is no value that both carry.
    NothingInCommon,
}

/// One side of the question: a customer's bundles, or records that are nobody's.
struct Side {
    customer: Option<CustomerId>,
    bundles: BTreeSet<BundleId>,
}

impl Explainer<'_> {
    /// Why two subjects are not one person; `None` where they are, or where one is not known.
    pub fn why_not(&self, a: &Subject, b: &Subject) -> Option<WhyNot> {
        let (of_a, of_b) = (self.holders(a), self.holders(b));
        if !of_a.is_disjoint(&of_b) {
            return None;
        }
        let (left, right) = (self.side(a, &of_a)?, self.side(b, &of_b)?);
        let mut obstacles = self.between(&left, &right);
        if obstacles.is_empty() {
            obstacles = self.over_others(&left, &right);
        }
        if obstacles.is_empty() {
            let nobody = left.customer.is_none() || right.customer.is_none();
            let because = if nobody { Because::Unattributed } else { Because::NothingInCommon };
            let told =
                |side: &Side| self.records(&side.bundles.iter().copied().collect::<Vec<_>>(), None);
            obstacles.push(Obstacle {
                value: None,
                left: told(&left),
                right: told(&right),
                because,
                identifier: None,
            });
        }
        let mut why_not = WhyNot {
            a: left.customer.map(|customer| self.person(customer)),
            b: right.customer.map(|customer| self.person(customer)),
            obstacles,
            model: None,
            sentences: Vec::new(),
        };
        why_not.sentences = super::words::why_not(&why_not);
        Some(why_not)
    }

    fn side(&self, subject: &Subject, holders: &BTreeSet<CustomerId>) -> Option<Side> {
        let carriers = self.carriers(subject);
        // Of several holders the one with most of it is meant.
        let most = holders.iter().max_by_key(|customer| {
            let of = |bundle: &&BundleId| self.customer_of(**bundle) == Some(**customer);
            let n = carriers.iter().filter(of).filter_map(|bundle| self.sightings.get(bundle));
            (n.map(|sighting| sighting.n_events).sum::<u64>(), std::cmp::Reverse(**customer))
        });
        match most {
            Some(customer) => {
                let bundles = self.bundles_of.get(customer).cloned().unwrap_or_default();
                Some(Side { customer: Some(*customer), bundles })
            }
            None if carriers.is_empty() => None,
            None => Some(Side { customer: None, bundles: carriers.into_iter().collect() }),
        }
    }

    /// What stands between two sides that have something in common.
    fn between(&self, left: &Side, right: &Side) -> Vec<Obstacle> {
        let mut obstacles = Vec::new();
        let wholes = left.bundles.iter().filter_map(|id| self.neighbourhood.bundles.get(id));
        let facts: Vec<_> = wholes.map(|whole| &whole.facts).collect();
        for (assertion, said) in self.rules.assertions.about(&facts) {
            let Verdict::Different(a, b) = &said.verdict else { continue };
            let on = |side: &Side, subject: &Subject| {
                self.meant(subject).iter().any(|bundle| side.bundles.contains(bundle))
            };
            if (on(left, a) && on(right, b)) || (on(left, b) && on(right, a)) {
                obstacles.push(Obstacle {
                    value: None,
                    left: None,
                    right: None,
                    because: Because::Different { said: self.said(assertion) },
                    identifier: None,
                });
            }
        }
        let (ours, theirs) = (self.values(left), self.values(right));
        let mut shared: Vec<Identifier> =
            ours.keys().filter(|value| theirs.contains_key(*value)).map(|v| (*v).clone()).collect();
        shared.sort_by_cached_key(|value| (self.tier(value), value.clone()));
        for value in shared {
            let with = |of: &BTreeMap<&Identifier, Vec<BundleId>>| {
                of.get(&value).cloned().unwrap_or_default()
            };
            let (l, r) = (with(&ours), with(&theirs));
            obstacles.push(Obstacle {
                value: Some(value.to_string()),
                left: self.records(&l, Some(&value)),
                right: self.records(&r, Some(&value)),
                because: self.because(&value, left, &l, right, &r),
                identifier: Some(value),
            });
        }
        obstacles
    }

    fn values(&self, side: &Side) -> BTreeMap<&Identifier, Vec<BundleId>> {
        let mut values: BTreeMap<&Identifier, Vec<BundleId>> = BTreeMap::new();
        for bundle in &side.bundles {
            let Some(whole) = self.neighbourhood.bundles.get(bundle) else { continue };
            for claim in &whole.facts.claims {
                values.entry(&claim.identifier).or_default().push(*bundle);
            }
        }
        values
    }

    /// Why a value that both sides carry does not join them.
    fn because(
        &self,
        value: &Identifier,
        left: &Side,
        on_left: &[BundleId],
        right: &Side,
        on_right: &[BundleId],
    ) -> Because {
        let assertions: &Assertions = self.rules.assertions;
        let policy = self.rules.policy.of_identifier(value);
        if let Some(blocked) = assertions.blocked_by(value) {
            return Because::Blocked { said: self.said(blocked) };
        }
        if !value.is_linkable() {
            return Because::NotAnIdentifier;
        }
        if policy.tier == Tier::Never || value.namespace().is_bridge() {
            return Because::NeverLinks { namespace: value.namespace().name().to_owned() };
        }
        if let Some(hub) = self.neighbourhood.hubs.get(value) {
            return Because::Hub { persons: hub.persons() };
        }
        for bundles in [on_left, on_right] {
            if let Some(because) = self.not_linking(value, bundles) {
                return because;
            }
        }
        if let Some(because) = self.limit(left, right) {
            return because;
        }
        let hub = self.settled.records.iter().find_map(|record| match record {
            Record::Hub { identifier, reason } if identifier == value => Some(reason.persons()),
            _ => None,
        });
        if let Some(persons) = hub {
            return Because::Hub { persons };
        }
        let person = |side: &Side| side.customer.map(|of| self.person(of));
        let (l, r) = (person(left), person(right));
        let agree = l.as_ref().zip(r.as_ref()).and_then(|(l, r)| super::how::names_agree(l, r));
        let persons = self.persons_with(value);
        let is_contested = self.settled.contested.contains(value);
        match (policy.contest, agree, l, r) {
            (Contest::Session, ..) if is_contested || agree.is_none() => {
                Because::SharedDevice { persons }
            }
            (_, Some(false), Some(l), Some(r)) => Because::Names { left: l.names, right: r.names },
            _ => self
                .only_stated(value, left, on_left, right, on_right)
                .unwrap_or(Because::Contested { persons }),
        }
    }

    /// Whether what only one side has proved, or neither, keeps the two apart: each has proved
    /// something else of themselves.
    fn only_stated(
        &self,
        value: &Identifier,
        left: &Side,
        on_left: &[BundleId],
        right: &Side,
        on_right: &[BundleId],
    ) -> Option<Because> {
        let whole = |bundle: &BundleId| self.neighbourhood.bundles.get(bundle);
        let proves = |bundles: &[BundleId]| {
            let claims = bundles.iter().filter_map(whole).flat_map(|whole| self.linking(whole));
            let mut of_value = claims.filter(|claim| claim.identifier == *value);
            of_value.any(|claim| claim.assurance.is_proved())
        };
        let has_own = |side: &Side| {
            let claims = side.bundles.iter().filter_map(whole).flat_map(|w| self.linking(w));
            let mut proved = claims.filter(|claim| claim.assurance.is_proved());
            proved.any(|claim| {
                let tier = self.rules.policy.of_identifier(&claim.identifier).tier;
                claim.identifier != *value && tier <= Tier::Strong
            })
        };
        let (l, r) = (proves(on_left), proves(on_right));
        let is_so = !(l && r) && has_own(left) && has_own(right);
        is_so.then_some(Because::OnlyStated { proved: l || r })
    }

    /// Why a value links none of these bundles, if it links none.
    pub(super) fn not_linking(&self, value: &Identifier, bundles: &[BundleId]) -> Option<Because> {
        if bundles.iter().any(|bundle| self.links_by(*bundle, value)) {
            return None;
        }
        let facts = bundles.iter().filter_map(|bundle| self.neighbourhood.bundles.get(bundle));
        let mut best: Option<(Assurance, Caveat, Option<AssertionId>)> = None;
        let mut asked: Option<Assurance> = None;
        for facts in facts.map(|whole| &whole.facts) {
            let claim = facts.claims.iter().find(|claim| claim.identifier == *value)?;
            if facts.is_crowded() {
                return Some(Because::Crowded);
            }
            let detached = self.rules.assertions.detached(facts, value);
            let this = (claim.assurance, claim.caveat, detached);
            best = best.max(Some(this));
            // A policy may ask more of the sources that say so.
            let of_sources = self.rules.policy.asked_of(&facts.sources, value.namespace());
            asked = Some(asked.map_or(of_sources, |asked| asked.min(of_sources)));
        }
        let (assurance, caveat, detached) = best?;
        Some(match (detached, caveat) {
            (Some(said), _) => Because::Detached { said: self.said(said) },
            (None, Caveat::Shared) => Because::SaidToBeShared,
            (None, Caveat::OnBehalfOf) => Because::OnBehalfOf,
            (None, Caveat::None) => {
                let needs = self.rules.policy.of_identifier(value).min_assurance.max(asked?);
                Because::NotProved { assurance, needs }
            }
        })
    }

    /// A namespace of which each side has values of its own, and a person only so many.
    fn limit(&self, left: &Side, right: &Side) -> Option<Because> {
        let (ours, theirs) = (self.limited(left), self.limited(right));
        for (place, values) in &ours {
            let Some(others) = theirs.get(place) else { continue };
            let Limit::Hard(limit) = self.rules.policy.of(&place.0).limit else { continue };
            let together = values.union(others).count();
            if u32::try_from(together).unwrap_or(u32::MAX) > limit && values != others {
                let (namespace, scope) = place;
                let of = if scope.is_empty() {
                    namespace.name().to_owned()
                } else {
                    format!("{}:{scope}", namespace.name())
                };
                let list = |values: &BTreeSet<String>| values.iter().cloned().collect();
                return Some(Because::Limit { of, left: list(values), right: list(others) });
            }
        }
        None
    }

    fn limited(&self, side: &Side) -> BTreeMap<(Namespace, String), BTreeSet<String>> {
        let mut limited: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        let bundles = side.bundles.iter().filter_map(|b| self.neighbourhood.bundles.get(b));
        for claim in bundles.flat_map(|whole| self.linking(whole)) {
            let identifier = &claim.identifier;
            if matches!(self.rules.policy.of_identifier(identifier).limit, Limit::Hard(_))
                && !self.neighbourhood.hubs.contains_key(identifier)
            {
                let place = (identifier.namespace().clone(), identifier.scope().to_owned());
                limited.entry(place).or_default().insert(identifier.key().to_owned());
            }
        }
        limited
    }

    /// How many customers are linked by a value, or would be.
    pub(super) fn persons_with(&self, value: &Identifier) -> u32 {
        let carriers = self.carriers(&Subject::Identifier(value.clone()));
        let linked = carriers.into_iter().filter(|bundle| self.links_by(*bundle, value));
        let customers: BTreeSet<CustomerId> = linked.filter_map(|b| self.customer_of(b)).collect();
        u32::try_from(customers.len()).unwrap_or(u32::MAX)
    }

    /// The customers who carry a value of this one, sorted.
    pub(super) fn neighbours(&self, customer: CustomerId) -> BTreeSet<CustomerId> {
        let bundles = self.bundles_of.get(&customer).cloned().unwrap_or_default();
        let side = Side { customer: Some(customer), bundles };
        let values = self.values(&side);
        let is_shared = |whole: &&crate::identity::WholeBundle| {
            whole.facts.claims.iter().any(|claim| values.contains_key(&claim.identifier))
        };
        let around = self.neighbourhood.bundles.values().filter(is_shared);
        let around = around.filter_map(|whole| self.customer_of(whole.facts.id));
        around.filter(|other| *other != customer).collect()
    }

    /// What stands between two customers.
    pub(super) fn between_customers(&self, a: CustomerId, b: CustomerId) -> Vec<Obstacle> {
        let side = |customer: CustomerId| Side {
            customer: Some(customer),
            bundles: self.bundles_of.get(&customer).cloned().unwrap_or_default(),
        };
        self.between(&side(a), &side(b))
    }

    /// Two customers who have nothing in common may hang together over others: what stands
    /// between each and the next on the shortest way.
    fn over_others(&self, left: &Side, right: &Side) -> Vec<Obstacle> {
        let (Some(from), Some(to)) = (left.customer, right.customer) else { return Vec::new() };
        let mut came: BTreeMap<CustomerId, (CustomerId, usize)> =
            BTreeMap::from([(from, (from, 0))]);
        let mut next = VecDeque::from([from]);
        while let Some(here) = next.pop_front() {
            let far = came.get(&here).map_or(0, |(_, far)| *far);
            if here == to {
                let mut way = vec![to];
                while let Some((before, _)) = way.last().and_then(|last| came.get(last)) {
                    if way.last() == Some(before) {
                        break;
                    }
                    way.push(*before);
                }
                way.reverse();
                let pairs = way.windows(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?)));
                return pairs.flat_map(|(a, b)| self.between_customers(a, b)).collect();
            }
            if far < STEPS {
                for other in self.neighbours(here) {
                    came.entry(other).or_insert_with(|| {
                        next.push_back(other);
                        (here, far + 1)
                    });
                }
            }
        }
        Vec::new()
    }
}
