//! Why two records are one person: the way from one to the other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;

use super::{Explainer, Person, Records, Said};
use crate::identifier::Identifier;
use crate::identity::assertion::Subject;
use crate::identity::component::{BundleFacts, Rules};
use crate::identity::neighbourhood::{Neighbourhood, Settlement, WholeBundle};
use crate::identity::policy::Tier;
use crate::identity::resolve::{Ground, Joiner};
use crate::ids::{AssertionId, BundleId, ObservationId};

/// How many ways from one record to the other are looked for.
const WAYS: usize = 12;

/// Up to this many bundles it is worth while to look for the few that are needed.
const FEW: usize = 48;

/// Why two records are one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Why {
    /// The customer that both belong to.
    pub customer: Person,
    /// The records at one end.
    pub a: Records,
    /// The records at the other end.
    pub b: Records,
    /// The ways from one to the other, the first that was found first. Each by itself makes them
    /// one person; without all that they name, they are two. Empty where both ends are the same
    /// records.
    pub paths: Vec<Path>,
    /// Whether there may be further ways.
    pub more: bool,
    /// The same in sentences.
    pub sentences: Vec<String>,
}

/// One way from one record to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Path {
    /// Its steps, from one end to the other.
    pub links: Vec<Link>,
    /// Further records without which the steps would not have been taken: with their names the
    /// others agree.
    pub support: Vec<Records>,
    /// What else people said about single events of these records.
    pub words: Vec<Said>,
    /// The bundles that the path names: facts of these alone give the same link.
    #[serde(skip)]
    pub bundles: BTreeSet<BundleId>,
}

/// One step: what two records have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The rule that made them one person.
    pub rule: Rule,
    /// The value, order or conversation that both carry, as `namespace:value`; `None` where a
    /// person's word joins them.
    pub value: Option<String>,
    /// The person's word.
    pub said: Option<Said>,
    /// The word of a person who said that the value is one person's, however many names are seen
    /// with it.
    pub trusted: Option<Said>,
    /// The records on one side.
    pub left: Records,
    /// The records on the other side.
    pub right: Records,
    /// The value as an identifier.
    #[serde(skip)]
    pub identifier: Option<Identifier>,
}

/// By which rule two records are one person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rule {
    /// A system's own id of a person.
    Exclusive,
    /// A proved value whose holders' names agree.
    Strong,
    /// A number, or a value that was only stated, whose holders' names agree.
    Corroborating,
    /// A device whose holders' names agree.
    Device,
    /// Several persons use the value, and one of them has nearly all days of it.
    Dominant,
    /// Several persons had the value, one after the other, and it was this one's then.
    Tenancy,
    /// Several persons use the value; this event is nearest in time to one of them.
    Time,
    /// The event names nobody, and goes with the order, cart or conversation it is in.
    Bridge,
    /// A person said that they are the same.
    Said,
    /// A person said that one value has replaced the other.
    Rekeyed,
    /// A model takes both for one person.
    Probable,
}

/// The graph of one customer's bundles: what leads from each to which.
type Steps = BTreeMap<BundleId, Vec<(BundleId, Step)>>;

#[derive(Debug, Clone)]
enum Step {
    Joined(Joiner, Ground),
    Time,
    Bridge(Identifier),
}

impl Explainer<'_> {
    /// Why two subjects are one person; `None` where they are not.
    ///
    /// An identifier that several customers carry counts as the one that both have in common.
    pub fn why(&self, a: &Subject, b: &Subject) -> Option<Why> {
        let (of_a, of_b) = (self.holders(a), self.holders(b));
        let customer = *of_a.intersection(&of_b).next()?;
        let ends = |subject: &Subject| -> BTreeSet<BundleId> {
            let carriers = self.carriers(subject).into_iter();
            match subject {
                Subject::Observation(_) => carriers.collect(),
                Subject::Identifier(_) => {
                    carriers.filter(|b| self.customer_of(*b) == Some(customer)).collect()
                }
            }
        };
        let (from, to) = (ends(a), ends(b));
        let asked: BTreeSet<ObservationId> =
            [a, b].into_iter().filter_map(Subject::observation).collect();
        let steps = steps(self.neighbourhood, &self.settled, &asked);
        let (start, way) = shortest(&steps, &from, &to)?;
        let end = way.last().map_or(start, |(bundle, _)| *bundle);
        let mut paths = Vec::new();
        let mut more = false;
        if !way.is_empty() {
            paths.push(self.path(start, &way)?);
            more = self.further(start, end, &mut paths);
        }
        let mut why = Why {
            customer: self.person(customer),
            a: self.records(&[start], a.identifier())?,
            b: self.records(&[end], b.identifier())?,
            paths,
            more,
            sentences: Vec::new(),
        };
        why.sentences = super::words::why(&why, a.identifier(), b.identifier());
        Some(why)
    }

    /// Takes away what the ways so far name, and looks for another one, until there is none.
    /// Gives whether it stopped before that.
    fn further(&self, start: BundleId, end: BundleId, paths: &mut Vec<Path>) -> bool {
        let mut values: BTreeSet<Identifier> = BTreeSet::new();
        let mut unsaid = BTreeSet::new();
        for _ in 0..WAYS {
            let Some(last) = paths.last() else { return false };
            for link in &last.links {
                values.extend(link.identifier.clone());
                unsaid.extend(link.said.as_ref().map(|said| said.assertion));
            }
            let assertions = self.rules.assertions.without(&unsaid);
            let rules = Rules { assertions: &assertions, ..self.rules };
            let (without, now) = self.neighbourhood.without(&values, rules);
            let settled = without.settle(rules, self.id_key);
            let (Some(from), Some(to)) = (now.get(&start), now.get(&end)) else { return false };
            let holder = |bundle: &BundleId| settled.customer_of.get(bundle);
            if from == to || holder(from).is_none() || holder(from) != holder(to) {
                return false;
            }
            let steps = steps(&without, &settled, &BTreeSet::new());
            let way = shortest(&steps, &BTreeSet::from([*from]), &BTreeSet::from([*to]));
            // The ways are told of the bundles as they are.
            let before = |bundle: BundleId| {
                now.iter()
                    .find(|(_, after)| **after == bundle)
                    .map_or(bundle, |(before, _)| *before)
            };
            let Some((_, way)) = way else { return false };
            let last = way.len().saturating_sub(1);
            let way: Vec<(BundleId, Step)> = way
                .into_iter()
                .enumerate()
                .map(|(n, (bundle, step))| (if n == last { end } else { before(bundle) }, step))
                .collect();
            match self.path(start, &way) {
                Some(path) if !path.links.is_empty() => paths.push(path),
                _ => return false,
            }
        }
        true
    }

    fn path(&self, start: BundleId, way: &[(BundleId, Step)]) -> Option<Path> {
        let mut links = Vec::new();
        let mut on_path = BTreeSet::from([start]);
        let mut here = start;
        for (next, step) in way {
            links.push(self.link(here, *next, step)?);
            on_path.insert(*next);
            here = *next;
        }
        let said: BTreeSet<AssertionId> = links
            .iter()
            .flat_map(|link| [&link.said, &link.trusted])
            .filter_map(|said| said.as_ref().map(|said| said.assertion))
            .collect();
        let (bundles, assertions) = self.enough((start, here), &on_path, &said);
        let support = bundles.difference(&on_path);
        let support = support.filter_map(|bundle| self.records(&[*bundle], None)).collect();
        let words = assertions.difference(&said).filter_map(|id| self.said(*id)).collect();
        Some(Path { links, support, words, bundles })
    }

    /// The assertions that single out an observation of these bundles.
    fn about(&self, bundles: &BTreeSet<BundleId>) -> BTreeSet<AssertionId> {
        let wholes = bundles.iter().filter_map(|bundle| self.neighbourhood.bundles.get(bundle));
        let facts: Vec<&BundleFacts> = wholes.map(|whole| &whole.facts).collect();
        let alone: BTreeSet<ObservationId> = facts.iter().filter_map(|facts| facts.alone).collect();
        let assertions = self.rules.assertions;
        let about = assertions.about(&facts).into_iter();
        let singled_out = about
            .filter(|(_, said)| said.verdict.observations().any(|id| alone.contains(&id)))
            .map(|(id, _)| id);
        let detached = facts.iter().flat_map(|facts| {
            facts.claims.iter().filter_map(|c| assertions.detached(facts, &c.identifier))
        });
        singled_out.chain(detached).collect()
    }

    fn link(&self, left: BundleId, right: BundleId, step: &Step) -> Option<Link> {
        let (rule, value) = match step {
            Step::Joined(by, ground) => return self.joined(left, right, by, *ground),
            Step::Time => (Rule::Time, self.common(left, right)),
            Step::Bridge(bridge) => (Rule::Bridge, Some(bridge.clone())),
        };
        Some(Link {
            rule,
            value: value.as_ref().map(Identifier::to_string),
            said: None,
            trusted: None,
            left: self.records(&[left], value.as_ref())?,
            right: self.records(&[right], value.as_ref())?,
            identifier: value,
        })
    }

    /// What two bundles have in common that were joined.
    pub(super) fn joined(
        &self,
        left: BundleId,
        right: BundleId,
        by: &Joiner,
        ground: Ground,
    ) -> Option<Link> {
        let (rule, identifier, said) = match by {
            Joiner::Identifier(value) => {
                let rule = match (ground, self.tier(value)) {
                    (Ground::Dominance, _) => Rule::Dominant,
                    (Ground::Tenancy, _) => Rule::Tenancy,
                    (Ground::Agreement, Tier::Exclusive) => Rule::Exclusive,
                    (Ground::Agreement, Tier::Strong) => Rule::Strong,
                    (Ground::Agreement, Tier::Corroborating) => Rule::Corroborating,
                    (Ground::Agreement, Tier::Device | Tier::Never) => Rule::Device,
                };
                (rule, Some(value.clone()), None)
            }
            Joiner::Assertion(assertion) => {
                let said = self.said(*assertion);
                let rule = match said.as_ref().map(|said| said.kind.as_str()) {
                    Some("rekey") => Rule::Rekeyed,
                    Some("probable") => Rule::Probable,
                    _ => Rule::Said,
                };
                (rule, None, said)
            }
        };
        Some(Link {
            rule,
            value: identifier.as_ref().map(Identifier::to_string),
            said,
            trusted: identifier.as_ref().and_then(|value| self.trusted(value)),
            left: self.records(&[left], identifier.as_ref())?,
            right: self.records(&[right], identifier.as_ref())?,
            identifier,
        })
    }

    /// A value that both bundles carry, the first in order.
    fn common(&self, left: BundleId, right: BundleId) -> Option<Identifier> {
        let left = self.neighbourhood.bundles.get(&left)?;
        let right = self.neighbourhood.bundles.get(&right)?;
        let claimed =
            |value: &Identifier| right.facts.claims.iter().any(|claim| claim.identifier == *value);
        left.facts.claims.iter().map(|claim| claim.identifier.clone()).find(claimed)
    }

    /// The bundles of a way and those without which it would not be there, and the same of what
    /// people said: few, and these facts alone give the same link.
    fn enough(
        &self,
        ends: (BundleId, BundleId),
        on_path: &BTreeSet<BundleId>,
        said: &BTreeSet<AssertionId>,
    ) -> (BTreeSet<BundleId>, BTreeSet<AssertionId>) {
        let own = self.customer_of(ends.1).and_then(|of| self.bundles_of.get(&of)).cloned();
        let mut own: BTreeSet<BundleId> = own.unwrap_or_default();
        own.extend(on_path);
        let all: BTreeSet<BundleId> = self.neighbourhood.bundles.keys().copied().collect();
        let everything: BTreeSet<AssertionId> =
            self.rules.assertions.in_force().map(|(id, _)| id).collect();
        let about = |bundles: &BTreeSet<BundleId>| -> BTreeSet<AssertionId> {
            said.union(&self.about(bundles)).copied().collect()
        };
        let tries = [
            (on_path.clone(), about(on_path)),
            (own.clone(), about(&own)),
            (on_path.clone(), everything.clone()),
            (own, everything.clone()),
        ];
        let is_enough =
            |(bundles, said): &(BTreeSet<_>, BTreeSet<_>)| self.is_linked(ends, bundles, said);
        let (mut bundles, mut words) =
            tries.into_iter().find(is_enough).unwrap_or((all, everything));
        if bundles.len() <= FEW {
            for bundle in bundles.clone().difference(on_path) {
                bundles.remove(bundle);
                if !self.is_linked(ends, &bundles, &words) {
                    bundles.insert(*bundle);
                }
            }
        }
        if words.len() <= FEW {
            for word in words.clone().difference(said) {
                words.remove(word);
                if !self.is_linked(ends, &bundles, &words) {
                    words.insert(*word);
                }
            }
        }
        (bundles, words)
    }

    /// Whether the facts of these bundles and these assertions alone make the two one person.
    fn is_linked(
        &self,
        (start, end): (BundleId, BundleId),
        bundles: &BTreeSet<BundleId>,
        said: &BTreeSet<AssertionId>,
    ) -> bool {
        let assertions = self.rules.assertions.only(said);
        let rules = Rules { assertions: &assertions, ..self.rules };
        let (part, now) = self.neighbourhood.part(bundles, rules);
        let settled = part.settle(rules, self.id_key);
        // An event that went to somebody by its time is looked for where it went.
        let holders = |bundle: BundleId| -> BTreeSet<_> {
            let whole = self.neighbourhood.bundles.get(&bundle);
            let each = whole.into_iter().flat_map(|whole| &whole.moments);
            let today = now.get(&bundle).copied().unwrap_or(bundle);
            each.filter_map(|(_, observation)| settled.holder(today, *observation)).collect()
        };
        !holders(start).is_disjoint(&holders(end))
    }
}

/// What leads from bundle to bundle; by its time, only one of these observations.
fn steps(
    neighbourhood: &Neighbourhood,
    settled: &Settlement,
    by_time: &BTreeSet<ObservationId>,
) -> Steps {
    let mut steps: Steps = BTreeMap::new();
    let mut add = |one: BundleId, other: BundleId, step: &Step| {
        steps.entry(one).or_default().push((other, step.clone()));
        steps.entry(other).or_default().push((one, step.clone()));
    };
    for join in &settled.joins {
        add(join.left, join.right, &Step::Joined(join.by.clone(), join.ground));
    }
    for (bundle, bridge) in &settled.carried {
        let owner = settled.customer_of.get(bundle);
        let on_bridge = neighbourhood.bundles.iter().find(|(id, whole)| {
            whole.facts.is_somebody()
                && whole.bridges.contains_key(bridge)
                && settled.customer_of.get(id) == owner
        });
        if let Some((carrier, _)) = on_bridge {
            add(*bundle, *carrier, &Step::Bridge(bridge.clone()));
        }
    }
    for observation in by_time {
        if let Some(owner) = settled.attributed.get(observation)
            && let Some(home) = home(neighbourhood, *observation)
        {
            add(home, *owner, &Step::Time);
        }
    }
    steps
}

/// The bundle in which an observation arrived.
pub(super) fn home(neighbourhood: &Neighbourhood, observation: ObservationId) -> Option<BundleId> {
    let holds = |whole: &WholeBundle| whole.moments.iter().any(|(_, other)| *other == observation);
    neighbourhood.bundles.iter().find(|(_, whole)| holds(whole)).map(|(id, _)| *id)
}

/// The shortest way from one of these bundles to one of those, with where it starts.
fn shortest(
    steps: &Steps,
    from: &BTreeSet<BundleId>,
    to: &BTreeSet<BundleId>,
) -> Option<(BundleId, Vec<(BundleId, Step)>)> {
    let mut came: BTreeMap<BundleId, Option<(BundleId, Step)>> =
        from.iter().map(|bundle| (*bundle, None)).collect();
    let mut next: VecDeque<BundleId> = from.iter().copied().collect();
    while let Some(bundle) = next.pop_front() {
        if to.contains(&bundle) {
            let mut way = Vec::new();
            let mut here = bundle;
            while let Some(Some((before, step))) = came.get(&here) {
                way.push((here, step.clone()));
                here = *before;
            }
            way.reverse();
            return Some((here, way));
        }
        for (other, step) in steps.get(&bundle).into_iter().flatten() {
            if !came.contains_key(other) {
                came.insert(*other, Some((bundle, step.clone())));
                next.push_back(*other);
            }
        }
    }
    None
}
