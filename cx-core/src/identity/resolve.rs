//! `resolve`: a component divided into customers. A pure function of the set of facts.
//!
//! Every order in here is an order of the facts themselves (tier, instant, name, bytes), so the
//! outcome does not depend on the order in which facts arrived.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::assertion::{Subject, Verdict};
use super::component::{BundleFacts, Moments, Rules};
use super::hub::HubReason;
use super::name::{self, Brevity, PersonName};
use super::observation::ObservedClaim;
use super::policy::{Contest, Limit, Names, Tier};
use crate::identifier::{Identifier, Namespace};
use crate::ids::{AssertionId, BundleId, ObservationId};
use crate::time::{Micros, Timestamp};

/// One customer: bundles that are one person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cluster {
    /// The bundles, sorted.
    pub bundles: Vec<BundleId>,
    /// The observation that was recorded first: it gives the customer its id.
    pub anchor: (Timestamp, ObservationId),
}

/// What happened while a component was resolved, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A value joined these bundles' clusters.
    Joined {
        /// The value.
        identifier: Identifier,
        /// The first bundle of each cluster that was joined.
        bundles: Vec<BundleId>,
    },
    /// A person's word, or a model's, joined two bundles.
    Asserted {
        /// The assertion.
        assertion: AssertionId,
        /// The bundles.
        bundles: (BundleId, BundleId),
    },
    /// More persons carry the value than it has holders, as clusters show; it joins nobody.
    Hub {
        /// The value.
        identifier: Identifier,
        /// Why.
        reason: HubReason,
    },
    /// A device that several persons use.
    SharedDevice {
        /// The device.
        identifier: Identifier,
        /// The first bundle of each person's cluster.
        groups: Vec<BundleId>,
    },
    /// One of several holders has nearly all days of the value.
    Dominant {
        /// The value.
        identifier: Identifier,
        /// The first bundle of that holder's cluster.
        holder: BundleId,
    },
    /// The value had one holder after the other.
    Tenancy {
        /// The value.
        identifier: Identifier,
        /// The first bundle of each holder's cluster, and from when to when the value was seen
        /// with it.
        holders: Vec<(BundleId, Timestamp, Timestamp)>,
    },
    /// Several persons carry the value; those without a name stay apart.
    Contested {
        /// The value.
        identifier: Identifier,
        /// The first bundle of each person's cluster.
        groups: Vec<BundleId>,
    },
    /// A join that did not take place.
    Refused {
        /// What would have joined.
        by: Joiner,
        /// One side.
        left: BundleId,
        /// The other side.
        right: BundleId,
        /// Why not.
        because: Refusal,
    },
    /// A customer has more values of a namespace than the policy expects.
    ManyValues {
        /// The namespace.
        namespace: Namespace,
        /// The observation that names the customer.
        customer: ObservationId,
        /// How many.
        n: u32,
    },
}

/// What joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joiner {
    /// A value.
    Identifier(Identifier),
    /// A person's word.
    Assertion(AssertionId),
}

/// Why a join does not take place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A person said that they are two, or took a record of one from the holder of what the other
    /// is linked by.
    Different(AssertionId),
    /// Each has its own value of a namespace of which a person has only so many.
    Limit {
        /// The namespace.
        namespace: Namespace,
        /// Its scope.
        scope: String,
    },
}

/// The customers of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolution {
    /// The customers, sorted.
    pub clusters: Vec<Cluster>,
    /// Bundles of which no claim links: each of their observations is on its own.
    pub loose: Vec<BundleId>,
    /// Single observations that belong to the customer of another bundle than their own, by the
    /// time at which they happened.
    pub attributed: Vec<(ObservationId, BundleId)>,
    /// Values that several persons carry.
    pub contested: BTreeSet<Identifier>,
    /// What joined which two bundles, in order. Of the bundles of a cluster they make a tree: one
    /// way leads from each to each.
    pub joins: Vec<Join>,
    /// What happened, in order.
    pub records: Vec<Record>,
}

/// Two bundles that became one person's, and through what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// One bundle: it carries what joins.
    pub left: BundleId,
    /// The other one, which carries it too.
    pub right: BundleId,
    /// What joins.
    pub by: Joiner,
    /// What decides that it joins them.
    pub ground: Ground,
}

/// What decides that a value joins two bundles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// One person's it is: nothing about the two contradicts.
    Agreement,
    /// Of several holders one has nearly all days of it.
    Dominance,
    /// Of several holders, one after the other, it is whose time it was.
    Tenancy,
}

/// Divides a component into customers.
///
/// `bundles` are all bundles of the component; `hubs` the values that link nobody. Time is
/// O(k log k) for k bundles, plus for each value the product of its clusters and groups.
///
/// # Errors
/// Whatever `moments` fails with; it is asked only about values that several persons carry.
pub fn resolve<M: Moments>(
    bundles: &[BundleFacts],
    hubs: &BTreeSet<Identifier>,
    rules: Rules<'_>,
    moments: &mut M,
) -> Result<Resolution, M::Error> {
    let mut resolver = Resolver::new(bundles, hubs, rules);
    resolver.apply_assertions();
    for value in resolver.values() {
        resolver.apply(&value, moments)?;
    }
    resolver.apply_probable();
    Ok(resolver.finish())
}

/// A value and what decides its turn.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Value {
    tier: Tier,
    first_seen: Timestamp,
    identifier: Identifier,
    bundles: Vec<usize>,
}

/// What is known of a cluster: the union of what is known of its bundles.
#[derive(Debug, Clone, Default)]
struct Summary {
    members: Vec<usize>,
    limited: BTreeMap<(Namespace, String), BTreeSet<String>>,
    /// The names that tell who it is: what says less than another of them is not among them.
    names: BTreeSet<PersonName>,
    apart: BTreeMap<usize, AssertionId>,
    /// The proved values by which it is linked that say who it is: addresses, ids.
    own: BTreeSet<Identifier>,
    /// Whether a person said that some of these are one.
    asserted: bool,
}

impl Summary {
    /// Whether anything but a value is proved to be its own.
    fn has_own(&self, value: &Value) -> bool {
        self.own.iter().any(|own| *own != value.identifier)
    }

    /// Whether a whole name of it is that of another one.
    fn vouches_for(&self, other: &Self) -> bool {
        self.names.iter().any(|name| other.names.iter().any(|other| name.vouches_for(other)))
    }
}

/// So many persons with one value are told apart at least, before it is left at that.
const COUNTED: usize = 64;

struct Resolver<'a> {
    bundles: Vec<&'a BundleFacts>,
    linking: Vec<Vec<&'a Identifier>>,
    proved: Vec<BTreeSet<&'a Identifier>>,
    rules: Rules<'a>,
    hubs: &'a BTreeSet<Identifier>,
    cluster_of: Vec<usize>,
    summaries: Vec<Summary>,
    /// Of bundles whose observations were looked at one by one: those that stayed.
    left: BTreeMap<usize, BTreeSet<ObservationId>>,
    /// Of each cluster that carries the value whose turn it is: the first bundle that does.
    carrier: BTreeMap<usize, usize>,
    /// What decides about the joins that are under way.
    ground: Ground,
    resolution: Resolution,
}

impl<'a> Resolver<'a> {
    fn new(bundles: &'a [BundleFacts], hubs: &'a BTreeSet<Identifier>, rules: Rules<'a>) -> Self {
        let mut sorted: Vec<&BundleFacts> = bundles.iter().collect();
        sorted.sort_by_cached_key(|bundle| (bundle.first_seen, bundle.unnamed(), bundle.id));
        let mut linking = Vec::new();
        let mut proved = Vec::new();
        let mut summaries = Vec::new();
        for (position, bundle) in sorted.iter().enumerate() {
            let claims = rules.linking_but(bundle, hubs);
            let mut summary = Summary { members: vec![position], ..Summary::default() };
            summary.names.extend(bundle.name.clone());
            for claim in &claims {
                let identifier = &claim.identifier;
                let policy = rules.policy.of_identifier(identifier);
                if policy.tier <= Tier::Strong && claim.assurance.is_proved() {
                    summary.own.insert(identifier.clone());
                }
                if matches!(policy.limit, Limit::Hard(_)) {
                    let place = (identifier.namespace().clone(), identifier.scope().to_owned());
                    summary.limited.entry(place).or_default().insert(identifier.key().to_owned());
                }
            }
            summaries.push(summary);
            linking.push(claims.iter().map(|claim| &claim.identifier).collect());
            let proofs = claims.iter().filter(|claim| claim.assurance.is_proved());
            proved.push(proofs.map(|claim| &claim.identifier).collect());
        }
        let cluster_of = (0..sorted.len()).collect();
        let resolution = Resolution::default();
        Self {
            bundles: sorted,
            linking,
            proved,
            rules,
            hubs,
            cluster_of,
            summaries,
            left: BTreeMap::new(),
            carrier: BTreeMap::new(),
            ground: Ground::Agreement,
            resolution,
        }
    }

    /// Keeps apart what is different, then joins what is the same, each in the order of time.
    fn apply_assertions(&mut self) {
        let assertions = self.rules.assertions;
        let about = assertions.about(&self.bundles);
        let mut joining = Vec::new();
        for (assertion, said) in about {
            match &said.verdict {
                Verdict::Different(a, b) => {
                    let (left, right) = (self.holders(a), self.holders(b));
                    for (one, other) in
                        left.iter().flat_map(|l| right.iter().map(move |r| (*l, *r)))
                    {
                        if one != other {
                            self.keep_apart(one, other, assertion);
                            self.keep_apart(other, one, assertion);
                        }
                    }
                }
                Verdict::Probable(..) => {}
                verdict => {
                    joining.extend(verdict.joins().map(|(a, b)| (said.at, assertion, a, b)));
                }
            }
        }
        joining.sort_by_key(|(at, assertion, ..)| (*at, *assertion));
        for (at, assertion, a, b) in joining {
            self.join_asserted(assertion, at, &a, &b);
        }
    }

    /// Joins what a model takes for one person, the heaviest first, after everything else.
    fn apply_probable(&mut self) {
        let about = self.rules.assertions.about(&self.bundles);
        let mut joining = Vec::new();
        for (assertion, said) in about {
            if let Verdict::Probable(a, b, weight) = &said.verdict {
                joining.push((Reverse(*weight), *a.min(b), *a.max(b), assertion, said.at));
            }
        }
        joining.sort_unstable();
        for (_, a, b, assertion, at) in joining {
            let (a, b) = (Subject::Observation(a), Subject::Observation(b));
            let first = |side: &Subject| self.holders(side).first().copied();
            let (left, right) = (first(&a), first(&b));
            match left.zip(right).and_then(|(left, right)| {
                let detached = self.detached(left, right).or_else(|| self.detached(right, left))?;
                Some((self.id(left), self.id(right), Refusal::Different(detached)))
            }) {
                Some((left, right, because)) => {
                    let by = Joiner::Assertion(assertion);
                    self.resolution.records.push(Record::Refused { by, left, right, because });
                }
                None => self.join_asserted(assertion, at, &a, &b),
            }
        }
    }

    /// The word by which a record of the one bundle's cluster was taken from the holder of a value
    /// that links the other one's.
    fn detached(&self, from: usize, holder: usize) -> Option<AssertionId> {
        let members = |bundle: usize| {
            let cluster = self.cluster_of.get(bundle).and_then(|of| self.summaries.get(*of));
            cluster.map(|summary| summary.members.as_slice()).unwrap_or_default()
        };
        let links = |value: &Identifier| {
            let of = |member: &usize| self.linking.get(*member);
            members(holder).iter().filter_map(of).any(|linking| linking.contains(&value))
        };
        members(from).iter().filter_map(|member| self.bundles.get(*member)).find_map(|facts| {
            facts.alone?;
            let taken = |claim: &ObservedClaim| {
                let word = self.rules.assertions.detached(facts, &claim.identifier)?;
                links(&claim.identifier).then_some(word)
            };
            facts.claims.iter().find_map(taken)
        })
    }

    fn join_asserted(&mut self, assertion: AssertionId, at: Timestamp, a: &Subject, b: &Subject) {
        if let (Some(one), Some(other)) = (self.holder_at(a, at), self.holder_at(b, at)) {
            let bundles = (self.id(one), self.id(other));
            self.carrier.clear();
            if self.join(one, other, &Joiner::Assertion(assertion)) {
                self.resolution.records.push(Record::Asserted { assertion, bundles });
            }
        }
    }

    /// Who is meant by a side of what was said at an instant: of those who hold an identifier
    /// whoever came to it last before that, or first after it. Who had it earlier, or has it since,
    /// is not meant, whenever their records come in.
    fn holder_at(&self, side: &Subject, at: Timestamp) -> Option<usize> {
        let holders = self.holders(side);
        let was_seen = |holder: &&usize| {
            self.bundles.get(**holder).is_some_and(|bundle| bundle.first_seen <= at)
        };
        holders.iter().rev().find(was_seen).or_else(|| holders.first()).copied()
    }

    fn keep_apart(&mut self, one: usize, other: usize, assertion: AssertionId) {
        if let Some(summary) = self.summaries.get_mut(one) {
            summary.apart.entry(other).or_insert(assertion);
        }
    }

    /// The bundles that an assertion's side means, earliest first: of an identifier those that are
    /// linked by it, and only where nobody is, those that may be its holder's.
    fn holders(&self, side: &Subject) -> Vec<usize> {
        let all = 0..self.bundles.len();
        let identifier = match side {
            Subject::Observation(observation) => {
                let is_it = |position: &usize| {
                    self.bundles.get(*position).is_some_and(|b| b.alone == Some(*observation))
                };
                return all.filter(is_it).collect();
            }
            Subject::Identifier(identifier) => identifier,
        };
        let linked = |position: &usize| {
            self.linking.get(*position).is_some_and(|linking| linking.contains(&identifier))
        };
        let linked: Vec<usize> = all.clone().filter(linked).collect();
        if !linked.is_empty() {
            return linked;
        }
        let may_hold = |position: &usize| {
            self.bundles.get(*position).is_some_and(|b| self.rules.may_hold(b, identifier))
        };
        all.filter(may_hold).collect()
    }

    /// The values of the component in the order in which they link.
    fn values(&self) -> Vec<Value> {
        let mut by: BTreeMap<&Identifier, Vec<usize>> = BTreeMap::new();
        for (position, identifiers) in self.linking.iter().enumerate() {
            for identifier in identifiers {
                by.entry(identifier).or_default().push(position);
            }
        }
        let mut values: Vec<Value> = Vec::new();
        for (identifier, bundles) in by {
            let policy = self.rules.policy.of_identifier(identifier);
            let is_proved =
                bundles.iter().any(|b| self.proved.get(*b).is_some_and(|p| p.contains(identifier)));
            let tier = if is_proved { policy.tier } else { policy.stated_tier() };
            let seen = bundles.iter().filter_map(|b| self.bundles.get(*b)).map(|b| b.first_seen);
            let first_seen = seen.min().unwrap_or(Timestamp::MIN);
            values.push(Value { tier, first_seen, identifier: identifier.clone(), bundles });
        }
        values.sort();
        values
    }

    fn apply<M: Moments>(&mut self, value: &Value, moments: &mut M) -> Result<(), M::Error> {
        let policy = *self.rules.policy.of_identifier(&value.identifier);
        let trusted = self.rules.assertions.trusts(&value.identifier);
        let carrying = value.bundles.iter().rev();
        self.carrier = carrying.filter_map(|b| Some((*self.cluster_of.get(*b)?, *b))).collect();
        let mut clusters: BTreeSet<usize> = self.carrier.keys().copied().collect();
        let names = if trusted { Names::Ignored } else { policy.names };
        let (mut claimants, mut stating) = (Vec::new(), BTreeSet::new());
        if names == Names::MustAgree && value.tier == Tier::Device {
            stating.clone_from(&clusters);
        } else if names == Names::MustAgree && value.tier >= Tier::Strong {
            (claimants, stating) = self.claimants(value);
            for claimant in &claimants {
                clusters.remove(claimant);
            }
        }
        let (named, anonymous): (Vec<usize>, Vec<usize>) =
            clusters.into_iter().partition(|cluster| self.is_somebody(*cluster, &stating));
        // So many groups are counted, where with more the value joins nobody anyway.
        let above = policy.hub_above.filter(|_| !trusted && policy.contest != Contest::Session);
        let most = above.map(|above| usize::try_from(above).unwrap_or(usize::MAX).max(COUNTED));
        let groups = self.groups(named, names, &stating, value, most);
        if !claimants.is_empty() {
            // Who they are to the holders, people decide.
            self.resolution.contested.insert(value.identifier.clone());
        }
        let n_groups = u32::try_from(groups.len()).unwrap_or(u32::MAX);
        let heads: Vec<BundleId> =
            groups.iter().filter_map(|group| group.first()).map(|c| self.id(*c)).collect();
        let identifier = value.identifier.clone();
        if policy.contest == Contest::Session && n_groups > 1 {
            self.resolution.contested.insert(identifier.clone());
            self.resolution.records.push(Record::SharedDevice { identifier, groups: heads });
            return self.attribute_by_session(value, &groups, &anonymous, moments);
        }
        if !trusted && policy.hub_above.is_some_and(|above| n_groups > above) {
            let reason = HubReason::Names(n_groups);
            self.resolution.contested.insert(identifier.clone());
            self.resolution.records.push(Record::Hub { identifier, reason });
            return Ok(());
        }
        for group in &groups {
            self.join_all(group, &value.identifier);
        }
        match groups.as_slice() {
            [] => self.join_all(&anonymous, &value.identifier),
            [group] => {
                if let Some(first) = group.first() {
                    let all: Vec<usize> = std::iter::once(*first).chain(anonymous).collect();
                    self.join_all(&all, &value.identifier);
                }
            }
            _ => {
                self.resolution.contested.insert(identifier);
                // Who has something stronger is not looked for by what several share.
                let by_it: Vec<usize> =
                    anonymous.into_iter().filter(|of| !self.has_stronger(*of, value)).collect();
                self.divide(value, &groups, &heads, &by_it, policy.contest, moments)?;
            }
        }
        Ok(())
    }

    /// Whether anything says who the cluster is: a name, or a value of which a person has one; of
    /// those who have not proved what they are found by also a proved address.
    fn is_somebody(&self, cluster: usize, stating: &BTreeSet<usize>) -> bool {
        self.summaries.get(cluster).is_some_and(|summary| {
            !summary.names.is_empty()
                || !summary.limited.is_empty()
                || !summary.own.is_empty() && stating.contains(&cluster)
        })
    }

    /// Whether two clusters that carry a value, by what else they have proved of themselves, are two
    /// persons: neither has what the other has, and no whole name of one is that of the other.
    fn are_strangers(&self, one: usize, other: usize, value: &Value) -> bool {
        let (Some(one), Some(other)) = (self.summaries.get(one), self.summaries.get(other)) else {
            return false;
        };
        one.has_own(value)
            && other.has_own(value)
            && one.own.is_disjoint(&other.own)
            && !one.vouches_for(other)
    }

    /// Whether a cluster that only states a value is a stranger to another one of a group that does.
    /// `telling` are those of the group that have all its names between them.
    fn is_among_strangers(
        &self,
        cluster: usize,
        (group, telling): (&[usize], &[usize]),
        stating: &BTreeSet<usize>,
        value: &Value,
    ) -> bool {
        let Some(one) = self.summaries.get(cluster) else { return false };
        let vouches =
            |other: &usize| self.summaries.get(*other).is_some_and(|other| one.vouches_for(other));
        stating.contains(&cluster)
            && one.has_own(value)
            && !telling.iter().all(vouches)
            && group
                .iter()
                .any(|other| stating.contains(other) && self.are_strangers(cluster, *other, value))
    }

    /// The clusters that only state a value beside what they have proved of themselves; and first
    /// those of them to whom another one that has proved it is a stranger: whoever types somebody's
    /// number beside an address of their own is not shown what that one has said.
    fn claimants(&self, value: &Value) -> (Vec<usize>, BTreeSet<usize>) {
        let mut provers: BTreeSet<usize> = BTreeSet::new();
        let mut stating: BTreeSet<usize> = BTreeSet::new();
        for bundle in &value.bundles {
            let Some(cluster) = self.cluster_of.get(*bundle).copied() else { continue };
            let has_own = self.summaries.get(cluster).is_some_and(|s| !s.own.is_empty());
            let proves =
                self.proved.get(*bundle).is_some_and(|proved| proved.contains(&value.identifier));
            if has_own {
                (if proves { &mut provers } else { &mut stating }).insert(cluster);
            }
        }
        stating.retain(|cluster| !provers.contains(cluster));
        let mut claimants: Vec<usize> = stating.iter().copied().collect();
        // Whoever has another name is kept apart by it.
        let is_stranger = |one: usize, other: usize| {
            self.names_agree(one, other) && self.are_strangers(one, other, value)
        };
        claimants.retain(|one| provers.iter().any(|other| is_stranger(*one, *other)));
        (claimants, stating)
    }

    /// Whether anything links the cluster that is stronger than a value.
    fn has_stronger(&self, cluster: usize, value: &Value) -> bool {
        let members = self.summaries.get(cluster).map(|summary| summary.members.as_slice());
        let linking = members.unwrap_or_default().iter().filter_map(|b| self.linking.get(*b));
        linking.flatten().any(|other| self.rules.policy.of_identifier(other).tier < value.tier)
    }

    /// Whether nothing but one value links a bundle.
    fn has_nothing_else(&self, bundle: usize) -> bool {
        self.linking.get(bundle).is_some_and(|linking| linking.len() <= 1)
    }

    /// Whether a person joined some of the cluster's bundles.
    fn is_asserted(&self, cluster: usize) -> bool {
        self.summaries.get(cluster).is_some_and(|summary| summary.asserted)
    }

    /// Clusters that may be one person. Where names must agree, no two of a group disagree: whole
    /// names come first, then shorter forms of them, then those with an id of their own and no
    /// name, each in the order of their first observation. Whoever fits several groups and says
    /// less than they do is of none of them, whichever was first.
    ///
    /// Of those who have not proved the value nobody is one person with a stranger. Time is the
    /// product of the clusters and of what differs between them: each is held against those of a
    /// group that say something else. With more groups than `most` the rest is not looked at.
    fn groups(
        &self,
        mut named: Vec<usize>,
        names: Names,
        stating: &BTreeSet<usize>,
        value: &Value,
        most: Option<usize>,
    ) -> Vec<Vec<usize>> {
        let must_agree = names == Names::MustAgree;
        let brevity = |cluster: &usize| {
            let names = self.summaries.get(*cluster).map(|summary| &summary.names);
            names.and_then(|names| names.iter().map(PersonName::brevity).min())
        };
        if must_agree {
            named.sort_by_cached_key(|cluster| {
                let brevity = brevity(cluster);
                (brevity.is_none(), brevity, *cluster)
            });
        }
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut telling: Vec<Vec<usize>> = Vec::new();
        for cluster in named {
            if most.is_some_and(|most| groups.len() > most) {
                break;
            }
            let fits = |(group, telling): (&Vec<usize>, &Vec<usize>)| {
                telling.iter().all(|other| {
                    self.refusal(cluster, *other).is_none()
                        && (!must_agree || self.names_agree(cluster, *other))
                }) && !self.is_among_strangers(cluster, (group, telling), stating, value)
            };
            let is_short = must_agree && brevity(&cluster) != Some(Brevity::Full);
            let both = groups.iter().zip(&telling);
            let mut fitting = (0..).zip(both).filter(|(_, both)| fits(*both));
            let (first, second) = (fitting.next().map(|(n, _)| n), fitting.next());
            let is_ambiguous = is_short && second.is_some();
            let first: Option<usize> = first;
            match first.and_then(|n| Some((groups.get_mut(n)?, telling.get_mut(n)?))) {
                Some(_) if is_ambiguous => {}
                Some((group, telling)) => {
                    group.push(cluster);
                    if !telling.iter().any(|other| self.says_the_same(cluster, *other)) {
                        telling.push(cluster);
                    }
                }
                None => {
                    groups.push(vec![cluster]);
                    telling.push(vec![cluster]);
                }
            }
        }
        groups
    }

    /// Whether whoever may be one person with one of two clusters may be with the other, but for
    /// what they have proved.
    fn says_the_same(&self, one: usize, other: usize) -> bool {
        match (self.summaries.get(one), self.summaries.get(other)) {
            (Some(one), Some(other)) => {
                one.apart.is_empty()
                    && other.apart.is_empty()
                    && one.limited == other.limited
                    && one.names == other.names
            }
            _ => false,
        }
    }

    /// A cluster without names agrees with all; otherwise at least half of the names of the side
    /// with fewer names must agree with one of the other side. Short forms of longer names count for
    /// nothing: `J. Bakker`, who is Jan Bakker, is not Johanna.
    fn names_agree(&self, one: usize, other: usize) -> bool {
        let (Some(one), Some(other)) = (self.summaries.get(one), self.summaries.get(other)) else {
            return false;
        };
        let (few, many) = if one.names.len() <= other.names.len() {
            (&one.names, &other.names)
        } else {
            (&other.names, &one.names)
        };
        let agreeing = few.iter().filter(|name| many.iter().any(|other| other.agrees(name)));
        few.is_empty() || agreeing.count() * 2 >= few.len()
    }

    fn refusal(&self, one: usize, other: usize) -> Option<Refusal> {
        let (one, other) = (self.summaries.get(one)?, self.summaries.get(other)?);
        let (few, many) =
            if one.members.len() <= other.members.len() { (one, other) } else { (other, one) };
        if let Some(assertion) = few.members.iter().find_map(|member| many.apart.get(member)) {
            return Some(Refusal::Different(*assertion));
        }
        for (place, values) in &few.limited {
            let Some(others) = many.limited.get(place) else { continue };
            let Limit::Hard(limit) = self.rules.policy.of(&place.0).limit else { continue };
            let together = values.union(others).count();
            if u32::try_from(together).unwrap_or(u32::MAX) > limit && values != others {
                let (namespace, scope) = place.clone();
                return Some(Refusal::Limit { namespace, scope });
            }
        }
        None
    }

    /// Joins clusters that a value brings together, each to the first, as far as allowed.
    fn join_all(&mut self, clusters: &[usize], identifier: &Identifier) {
        let Some((first, rest)) = clusters.split_first() else { return };
        let mut joined = vec![self.id(*first)];
        for cluster in rest {
            let bundle = self.id(*cluster);
            if self.join(*first, *cluster, &Joiner::Identifier(identifier.clone())) {
                joined.push(bundle);
            }
        }
        if joined.len() > 1 {
            let identifier = identifier.clone();
            self.resolution.records.push(Record::Joined { identifier, bundles: joined });
        }
    }

    /// Joins the clusters of two bundles; says whether they were two and now are one.
    fn join(&mut self, one: usize, other: usize, by: &Joiner) -> bool {
        let carrier = |cluster: usize| self.carrier.get(&cluster).copied().unwrap_or(cluster);
        let (left, right) = (self.id(carrier(one)), self.id(carrier(other)));
        let (Some(one), Some(other)) =
            (self.cluster_of.get(one).copied(), self.cluster_of.get(other).copied())
        else {
            return false;
        };
        if one == other {
            return false;
        }
        if let Some(because) = self.refusal(one, other) {
            let (left, right) = (self.id(one), self.id(other));
            self.resolution.records.push(Record::Refused { by: by.clone(), left, right, because });
            return false;
        }
        self.resolution.joins.push(Join { left, right, by: by.clone(), ground: self.ground });
        // A cluster is named by its earliest bundle; the smaller summary goes into the larger.
        let (name, gone) = if one < other { (one, other) } else { (other, one) };
        let mut small = self.take_summary(gone);
        for member in &small.members {
            if let Some(cluster) = self.cluster_of.get_mut(*member) {
                *cluster = name;
            }
        }
        let mut large = self.take_summary(name);
        if small.members.len() > large.members.len() {
            std::mem::swap(&mut small, &mut large);
        }
        large.members.append(&mut small.members);
        name::add_names(&mut large.names, small.names);
        large.own.append(&mut small.own);
        large.apart.append(&mut small.apart);
        large.asserted |= small.asserted || matches!(by, Joiner::Assertion(_));
        for (place, mut values) in small.limited {
            large.limited.entry(place).or_default().append(&mut values);
        }
        if let Some(summary) = self.summaries.get_mut(name) {
            *summary = large;
        }
        true
    }

    fn take_summary(&mut self, cluster: usize) -> Summary {
        self.summaries.get_mut(cluster).map(std::mem::take).unwrap_or_default()
    }

    /// Several persons carry the value: who gets those without a name?
    fn divide<M: Moments>(
        &mut self,
        value: &Value,
        groups: &[Vec<usize>],
        heads: &[BundleId],
        anonymous: &[usize],
        contest: Contest,
        moments: &mut M,
    ) -> Result<(), M::Error> {
        let gap = match contest {
            Contest::Refuse | Contest::Session => None,
            Contest::Dominant => Some(None),
            Contest::Tenancy { gap } => Some(Some(gap.0)),
        };
        let mut times: Vec<Vec<Timestamp>> = Vec::new();
        for group in groups {
            let mut of_group = Vec::new();
            if gap.is_some() {
                for bundle in self.carriers(value, group) {
                    let seen = moments.of(self.id(bundle))?;
                    of_group.extend(seen.into_iter().map(|(at, _)| at));
                }
            }
            of_group.sort_unstable();
            times.push(of_group);
        }
        let identifier = value.identifier.clone();
        if gap.is_some()
            && let Some(holder) = dominant(&times, self.rules.policy.dominant_percent)
            && let (Some(head), Some(first)) =
                (heads.get(holder), groups.get(holder).and_then(|group| group.first()))
        {
            self.resolution.records.push(Record::Dominant { identifier, holder: *head });
            let all: Vec<usize> =
                std::iter::once(*first).chain(anonymous.iter().copied()).collect();
            self.ground = Ground::Dominance;
            self.join_all(&all, &value.identifier);
            self.ground = Ground::Agreement;
            return Ok(());
        }
        if let Some(Some(gap)) = gap
            && let Some(tenancies) = tenancies(&times, gap)
        {
            return self.hand_over(value, groups, heads, anonymous, &tenancies, gap, moments);
        }
        let groups = heads.to_vec();
        self.resolution.records.push(Record::Contested { identifier, groups });
        Ok(())
    }

    /// The bundles of these clusters that carry the value.
    fn carriers(&self, value: &Value, clusters: &[usize]) -> Vec<usize> {
        let of: BTreeSet<usize> =
            clusters.iter().filter_map(|cluster| self.cluster_of.get(*cluster)).copied().collect();
        let in_clusters =
            |bundle: &&usize| self.cluster_of.get(**bundle).is_some_and(|it| of.contains(it));
        value.bundles.iter().filter(in_clusters).copied().collect()
    }

    /// Gives those without a name to the holder of their time.
    #[expect(clippy::too_many_arguments, reason = "one step of `divide`, and of nothing else")]
    fn hand_over<M: Moments>(
        &mut self,
        value: &Value,
        groups: &[Vec<usize>],
        heads: &[BundleId],
        anonymous: &[usize],
        tenancies: &[Tenancy],
        gap: Micros,
        moments: &mut M,
    ) -> Result<(), M::Error> {
        let holders = tenancies
            .iter()
            .filter_map(|tenancy| Some((*heads.get(tenancy.group)?, tenancy.from, tenancy.to)))
            .collect();
        let identifier = value.identifier.clone();
        self.resolution.records.push(Record::Tenancy { identifier, holders });
        for cluster in anonymous {
            let mut seen: Vec<(Timestamp, ObservationId, usize)> = Vec::new();
            for bundle in self.carriers(value, &[*cluster]) {
                let of_bundle = moments.of(self.id(bundle))?;
                seen.extend(
                    of_bundle.into_iter().map(|(at, observation)| (at, observation, bundle)),
                );
            }
            seen.sort_unstable();
            let owners: Vec<Option<usize>> =
                seen.iter().map(|(at, ..)| tenant(tenancies, *at, gap)).collect();
            let first = |group: usize| groups.get(group).and_then(|group| group.first()).copied();
            match owners.first() {
                Some(Some(group)) if owners.iter().all(|owner| owner == &Some(*group)) => {
                    if let Some(first) = first(*group) {
                        self.ground = Ground::Tenancy;
                        self.join_all(&[first, *cluster], &value.identifier);
                        self.ground = Ground::Agreement;
                    }
                }
                // What a person joined stays whole, even if its events are of two tenancies, and so
                // does what something else holds together.
                _ if self.is_asserted(*cluster) => {}
                _ if !self
                    .carriers(value, &[*cluster])
                    .iter()
                    .all(|b| self.has_nothing_else(*b)) => {}
                _ => {
                    for ((_, observation, bundle), owner) in seen.iter().zip(&owners) {
                        let owner = owner.and_then(first).filter(|first| {
                            let holder = self.cluster_of.get(*first).copied();
                            holder.is_some_and(|of| self.refusal(*cluster, of).is_none())
                        });
                        let owner = owner.map(|first| self.id(first));
                        self.attribute(*bundle, *observation, owner);
                    }
                }
            }
        }
        Ok(())
    }

    /// Gives events without a person on a shared device to whoever was proved on it nearest in
    /// time, within a session. At equal distance the earlier one counts.
    fn attribute_by_session<M: Moments>(
        &mut self,
        value: &Value,
        groups: &[Vec<usize>],
        anonymous: &[usize],
        moments: &mut M,
    ) -> Result<(), M::Error> {
        if anonymous.is_empty() {
            return Ok(());
        }
        let mut proved: Vec<(Timestamp, usize, usize)> = Vec::new();
        for bundle in groups.iter().flat_map(|group| self.carriers(value, group)) {
            let of = self.cluster_of.get(bundle).copied().unwrap_or(bundle);
            proved.extend(moments.of(self.id(bundle))?.into_iter().map(|(at, _)| (at, bundle, of)));
        }
        proved.sort_unstable();
        let owners: BTreeSet<usize> = groups.iter().flatten().copied().collect();
        for cluster in anonymous {
            if self.is_asserted(*cluster) {
                continue;
            }
            // Whom a person called somebody else is not near, whatever the time.
            let refused = |of: &usize| self.refusal(*cluster, *of).is_some();
            let refused: BTreeSet<usize> = owners.iter().copied().filter(refused).collect();
            let proved: Vec<(Timestamp, usize)> = proved
                .iter()
                .filter(|(_, _, of)| !refused.contains(of))
                .map(|(at, bundle, _)| (*at, *bundle))
                .collect();
            // Only what carries nothing but this device is nobody's: other values may say more.
            for bundle in self.carriers(value, &[*cluster]) {
                if !self.has_nothing_else(bundle) {
                    continue;
                }
                for (at, observation) in moments.of(self.id(bundle))? {
                    let owner = nearest(&proved, at, self.rules.policy.session.0);
                    let owner = owner.map(|owner| self.id(owner));
                    self.attribute(bundle, observation, owner);
                }
            }
        }
        Ok(())
    }

    /// Gives one observation of a bundle to another one, or leaves it where it is.
    fn attribute(&mut self, bundle: usize, observation: ObservationId, to: Option<BundleId>) {
        let left = self.left.entry(bundle).or_default();
        match to {
            Some(owner) => self.resolution.attributed.push((observation, owner)),
            None => {
                left.insert(observation);
            }
        }
    }

    /// The observation that names whoever holds this bundle. Where single observations went to
    /// others, it is one of those that are left; `None` if none is.
    fn anchor(&self, bundle: usize) -> Option<(Timestamp, ObservationId)> {
        let (recorded, first) = self.bundles.get(bundle)?.anchor;
        match self.left.get(&bundle) {
            Some(left) if !left.contains(&first) => Some((recorded, *left.first()?)),
            Some(_) | None => Some((recorded, first)),
        }
    }

    fn id(&self, bundle: usize) -> BundleId {
        self.bundles.get(bundle).map_or(BundleId::from_bytes([0; 16]), |bundle| bundle.id)
    }

    fn finish(mut self) -> Resolution {
        // One value may leave where it is what another one gives away.
        for (observation, _) in &self.resolution.attributed {
            for left in self.left.values_mut() {
                left.remove(observation);
            }
        }
        let mut clusters: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (bundle, cluster) in self.cluster_of.iter().enumerate() {
            clusters.entry(*cluster).or_default().push(bundle);
        }
        for members in clusters.into_values() {
            let is_loose = |bundle: &usize| {
                self.linking.get(*bundle).is_some_and(Vec::is_empty)
                    && self
                        .bundles
                        .get(*bundle)
                        .is_some_and(|facts| !self.rules.stands_alone(facts, self.hubs))
            };
            if let [only] = members.as_slice()
                && is_loose(only)
            {
                self.resolution.loose.push(self.id(*only));
                continue;
            }
            let anchor = members.iter().filter_map(|b| self.anchor(*b)).min();
            let mut bundles: Vec<BundleId> = members.iter().map(|b| self.id(*b)).collect();
            bundles.sort_unstable();
            match anchor {
                Some(anchor) => {
                    self.resolution.clusters.push(Cluster { bundles, anchor });
                    self.report_many(anchor.1, &members);
                }
                // All of it went to others, one by one.
                None => self.resolution.loose.extend(bundles),
            }
        }
        self.resolution.clusters.sort();
        self.resolution.loose.sort_unstable();
        self.resolution.attributed.sort_unstable();
        self.resolution
    }

    fn report_many(&mut self, customer: ObservationId, members: &[usize]) {
        let mut values: BTreeMap<&Namespace, BTreeSet<&Identifier>> = BTreeMap::new();
        for identifier in members.iter().filter_map(|b| self.linking.get(*b)).flatten() {
            values.entry(identifier.namespace()).or_default().insert(identifier);
        }
        for (namespace, values) in values {
            let n = u32::try_from(values.len()).unwrap_or(u32::MAX);
            if matches!(self.rules.policy.of(namespace).limit, Limit::Report(limit) if n > limit) {
                let namespace = namespace.clone();
                self.resolution.records.push(Record::ManyValues { namespace, customer, n });
            }
        }
    }
}

/// Which group holds at least that share of the days on which the value was seen with anybody.
fn dominant(times: &[Vec<Timestamp>], percent: u32) -> Option<usize> {
    let days: Vec<BTreeSet<i64>> =
        times.iter().map(|times| times.iter().map(|at| at.utc_day()).collect()).collect();
    let all: BTreeSet<i64> = days.iter().flatten().copied().collect();
    let percent = usize::try_from(percent).unwrap_or(usize::MAX);
    let (group, most) = days.iter().enumerate().rev().max_by_key(|(_, days)| days.len())?;
    let runner_up =
        days.iter().enumerate().any(|(other, d)| other != group && d.len() == most.len());
    (!runner_up && most.len() * 100 >= all.len() * percent).then_some(group)
}

/// One holder of a value, from when to when it was seen with that holder.
struct Tenancy {
    group: usize,
    from: Timestamp,
    to: Timestamp,
}

/// The holders one after the other, if nobody used the value for that long between them.
fn tenancies(times: &[Vec<Timestamp>], gap: Micros) -> Option<Vec<Tenancy>> {
    let mut spans = Vec::new();
    for (group, times) in times.iter().enumerate() {
        spans.push(Tenancy { group, from: *times.first()?, to: *times.last()? });
    }
    spans.sort_by_key(|span| (span.from, span.to));
    let apart = |pair: &[Tenancy]| match pair {
        [before, after] => after.from - before.to >= gap,
        _ => true,
    };
    spans.windows(2).all(apart).then_some(spans)
}

/// Who held the value at that time: whose tenancy it is, else whoever's is nearest and less than
/// the gap away. At equal distance the earlier one.
fn tenant(tenancies: &[Tenancy], at: Timestamp, gap: Micros) -> Option<usize> {
    let away = |tenancy: &Tenancy| (tenancy.from - at).max(at - tenancy.to).max(Micros::ZERO);
    let nearest = tenancies.iter().min_by_key(|tenancy| away(tenancy))?;
    (away(nearest) < gap).then_some(nearest.group)
}

fn nearest(proved: &[(Timestamp, usize)], at: Timestamp, within: Micros) -> Option<usize> {
    let split = proved.partition_point(|(other, _)| *other <= at);
    let before = split.checked_sub(1).and_then(|before| proved.get(before));
    // Of several at one instant the first in order counts.
    let before = before.and_then(|(when, _)| proved.iter().find(|(other, _)| other == when));
    let after = proved.get(split);
    let away = |found: &&(Timestamp, usize)| (found.0 - at).max(at - found.0);
    let found = before.into_iter().chain(after).min_by_key(away)?;
    (away(&found) <= within).then_some(found.1)
}
