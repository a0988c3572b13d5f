//! Components: bundles that hang together through identifiers that are not hubs. The unit in which
//! customers are resolved.

use std::collections::{BTreeMap, BTreeSet};

use super::assertion::{Assertion, Subject, Verdict};
use super::hub::HubReason;
use super::name::PersonName;
use super::observation::{Caveat, ObservedClaim};
use super::policy::{Policy, Tier};
use crate::identifier::{Assurance, Identifier, Namespace, email};
use crate::ids::{AssertionId, BundleId, ObservationId};
use crate::time::Timestamp;

/// What is known of a bundle: what its observations have in common, and when they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleFacts {
    /// The bundle.
    pub id: BundleId,
    /// What all its observations claim, sorted.
    pub claims: Vec<ObservedClaim>,
    /// The name they all carry.
    pub name: Option<PersonName>,
    /// When the first of them happened.
    pub first_seen: Timestamp,
    /// Which of them was recorded first, and when; ties by the observation's id.
    pub anchor: (Timestamp, ObservationId),
    /// The one observation, where an assertion made it a bundle of its own.
    pub alone: Option<ObservationId>,
    /// Which sources tell of it, as `zendesk:acme`. May be empty where the policy does not ask
    /// more of any source.
    pub sources: BTreeSet<String>,
}

impl BundleFacts {
    /// Whether the bundle names somebody, or somebody singled it out. Others are carried by their
    /// bridges.
    pub const fn is_somebody(&self) -> bool {
        !self.claims.is_empty() || self.alone.is_some()
    }
}

/// The observations of a bundle in time. Asked for only where several persons carry one value.
pub trait Moments {
    /// What can go wrong while looking.
    type Error;

    /// When the bundle's observations happened, and which they are; in any order.
    ///
    /// # Errors
    /// Whatever went wrong while looking.
    fn of(&mut self, bundle: BundleId) -> Result<Vec<(Timestamp, ObservationId)>, Self::Error>;
}

/// The assertions in force: those that are not revoked, ready for look-up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assertions {
    in_force: BTreeMap<AssertionId, Assertion>,
    /// Those in force by what they name.
    about: BTreeMap<Subject, BTreeSet<AssertionId>>,
    alone: BTreeSet<ObservationId>,
    blocked: BTreeMap<Identifier, AssertionId>,
    trusted: BTreeMap<Identifier, AssertionId>,
    detached: BTreeMap<(ObservationId, Identifier), AssertionId>,
}

impl Assertions {
    /// Those of `all` that are in force. A revocation that is itself revoked has no effect.
    pub fn new(all: impl IntoIterator<Item = Assertion>) -> Self {
        let all: BTreeMap<AssertionId, Assertion> =
            all.into_iter().map(|assertion| (assertion.id(), assertion)).collect();
        let mut revoked_by: BTreeMap<AssertionId, Vec<AssertionId>> = BTreeMap::new();
        for (id, assertion) in &all {
            if let Verdict::Revoke(target) = assertion.verdict {
                revoked_by.entry(target).or_default().push(*id);
            }
        }
        let mut set = Self::default();
        for (id, assertion) in &all {
            if stands(*id, &revoked_by, &mut BTreeSet::new()) {
                set.admit(*id, assertion.clone());
            }
        }
        set
    }

    fn admit(&mut self, id: AssertionId, assertion: Assertion) {
        if matches!(assertion.verdict, Verdict::Revoke(_)) {
            return;
        }
        for observation in assertion.verdict.observations() {
            self.alone.insert(observation);
            self.about.entry(Subject::Observation(observation)).or_default().insert(id);
        }
        for identifier in assertion.verdict.identifiers() {
            self.about.entry(Subject::Identifier(identifier.clone())).or_default().insert(id);
        }
        match &assertion.verdict {
            // Of several words for the same the first in order is named.
            Verdict::Detach(observation, identifier) => {
                self.detached.entry((*observation, identifier.clone())).or_insert(id);
            }
            Verdict::Block(identifier) => {
                self.blocked.entry(identifier.clone()).or_insert(id);
            }
            Verdict::Trust(identifier) => {
                self.trusted.entry(identifier.clone()).or_insert(id);
            }
            Verdict::Same(..)
            | Verdict::Different(..)
            | Verdict::Rekey(..)
            | Verdict::Probable(..)
            | Verdict::Revoke(_) => {}
        }
        self.in_force.insert(id, assertion);
    }

    /// Whether an assertion in force names this observation, which then is a bundle of its own.
    pub fn names(&self, observation: ObservationId) -> bool {
        self.alone.contains(&observation)
    }

    /// The observations that assertions in force name, in order.
    pub fn named(&self) -> impl Iterator<Item = ObservationId> {
        self.alone.iter().copied()
    }

    /// Whether a person blocked this value.
    pub fn blocks(&self, identifier: &Identifier) -> bool {
        self.blocked.contains_key(identifier)
    }

    /// Whether a person trusts this value to be one person's. A block goes before.
    pub fn trusts(&self, identifier: &Identifier) -> bool {
        self.trusted.contains_key(identifier) && !self.blocks(identifier)
    }

    /// Whether none is in force.
    pub fn is_empty(&self) -> bool {
        self.in_force.is_empty()
    }

    /// The assertions in force, in the order of their ids.
    pub fn in_force(&self) -> impl Iterator<Item = (AssertionId, &Assertion)> {
        self.in_force.iter().map(|(id, assertion)| (*id, assertion))
    }

    /// An assertion in force.
    pub fn get(&self, id: AssertionId) -> Option<&Assertion> {
        self.in_force.get(&id)
    }

    /// The assertions in force that name one of these, in the order of their ids.
    pub fn naming(
        &self,
        subjects: impl IntoIterator<Item = Subject>,
    ) -> Vec<(AssertionId, &Assertion)> {
        if self.about.is_empty() {
            return Vec::new();
        }
        let ids: BTreeSet<AssertionId> = subjects
            .into_iter()
            .filter_map(|subject| self.about.get(&subject))
            .flatten()
            .copied()
            .collect();
        ids.into_iter().filter_map(|id| Some((id, self.in_force.get(&id)?))).collect()
    }

    /// The assertions in force that name one of these bundles or a value they claim, in the order
    /// of their ids. Time is that of the bundles' claims.
    pub fn about(&self, bundles: &[&BundleFacts]) -> Vec<(AssertionId, &Assertion)> {
        self.naming(bundles.iter().flat_map(|facts| {
            let claimed = facts.claims.iter().map(|claim| claim.identifier.clone());
            let named = claimed.map(Subject::Identifier);
            named.chain(facts.alone.map(Subject::Observation))
        }))
    }

    /// What is to be resolved together with a bundle, since an assertion joins it: both sides of
    /// every `Same`, `Rekey` and `Probable` that names it.
    pub fn joining(&self, bundle: &BundleFacts) -> Vec<(AssertionId, Subject, Subject)> {
        let about = self.about(&[bundle]).into_iter();
        let sides = about.filter_map(|(id, assertion)| Some((id, assertion.verdict.joins()?)));
        sides.map(|(id, (a, b))| (id, a, b)).collect()
    }

    /// These of those in force.
    #[must_use]
    pub fn only(&self, these: &BTreeSet<AssertionId>) -> Self {
        let kept = self.in_force().filter(|(id, _)| these.contains(id));
        Self::new(kept.map(|(_, assertion)| assertion.clone()))
    }

    /// Those in force but these.
    #[must_use]
    pub fn without(&self, unsaid: &BTreeSet<AssertionId>) -> Self {
        let left = self.in_force().filter(|(id, _)| !unsaid.contains(id));
        Self::new(left.map(|(_, assertion)| assertion.clone()))
    }

    /// The assertion by which an observation was taken from the holder of an identifier.
    pub fn detached(&self, bundle: &BundleFacts, identifier: &Identifier) -> Option<AssertionId> {
        if self.detached.is_empty() {
            return None;
        }
        self.detached.get(&(bundle.alone?, identifier.clone())).copied()
    }

    /// The assertion that blocks a value.
    pub fn blocked_by(&self, identifier: &Identifier) -> Option<AssertionId> {
        self.blocked.get(identifier).copied()
    }

    /// The assertion that trusts a value, be it blocked or not.
    pub fn trusted_by(&self, identifier: &Identifier) -> Option<AssertionId> {
        self.trusted.get(identifier).copied()
    }

    fn detaches(&self, bundle: &BundleFacts, identifier: &Identifier) -> bool {
        self.detached(bundle, identifier).is_some()
    }
}

/// Whether no revocation that stands itself revokes this one. A circle of revocations revokes
/// nothing.
fn stands(
    id: AssertionId,
    revoked_by: &BTreeMap<AssertionId, Vec<AssertionId>>,
    path: &mut BTreeSet<AssertionId>,
) -> bool {
    if !path.insert(id) {
        return false;
    }
    let revokers = revoked_by.get(&id).map(Vec::as_slice).unwrap_or_default();
    let stand = !revokers.iter().any(|revoker| stands(*revoker, revoked_by, path));
    path.remove(&id);
    stand
}

/// Everything that decides whether a claim links.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The assertions in force.
    pub assertions: &'a Assertions,
}

impl Rules<'_> {
    /// The claims of a bundle by which it may be linked, hubs not yet taken out.
    pub fn linking<'b>(&self, bundle: &'b BundleFacts) -> Vec<&'b ObservedClaim> {
        self.linking_but(bundle, &BTreeSet::new())
    }

    /// The claims of a bundle by which it is linked, where these values link nobody: nor does
    /// their proof vouch for what was stated beside them.
    pub fn linking_but<'b>(
        &self,
        bundle: &'b BundleFacts,
        hubs: &BTreeSet<Identifier>,
    ) -> Vec<&'b ObservedClaim> {
        let proved = bundle.claims.iter().filter(|claim| {
            let policy = self.policy.of_identifier(&claim.identifier);
            policy.tier <= Tier::Strong
                && may_link(claim)
                && !hubs.contains(&claim.identifier)
                && claim.assurance >= policy.min_assurance
                && claim.assurance.is_proved()
                && self.is_trusted(bundle, claim)
        });
        let beside: BTreeSet<&Identifier> = proved.map(|claim| &claim.identifier).collect();
        let links = |claim: &&ObservedClaim| {
            let policy = self.policy.of_identifier(&claim.identifier);
            let stated_beside_proved =
                policy.min_assurance_beside_proved.is_some_and(|min| claim.assurance >= min)
                    && beside.iter().any(|other| **other != claim.identifier);
            policy.tier < Tier::Never
                && may_link(claim)
                && !hubs.contains(&claim.identifier)
                && (claim.assurance >= policy.min_assurance || stated_beside_proved)
                && self.is_trusted(bundle, claim)
                && !self.assertions.detaches(bundle, &claim.identifier)
        };
        bundle.claims.iter().filter(links).collect()
    }

    /// Whether a claim is proved as well as the policy asks of the sources that make it.
    fn is_trusted(&self, bundle: &BundleFacts, claim: &ObservedClaim) -> bool {
        let asked = self.policy.asked_of(&bundle.sources, claim.identifier.namespace());
        claim.assurance >= asked
    }

    /// Whether a bundle is somebody even where no claim of it links: an observation that somebody
    /// singled out, or a name together with a value of a kind that links, be it only stated or a
    /// role's. Who wrote from an unproved address is a customer, and joins nobody. A name beside a
    /// postal address, or beside a value that strangers use, is nobody: namesakes have it too.
    pub fn stands_alone(&self, bundle: &BundleFacts, hubs: &BTreeSet<Identifier>) -> bool {
        let says_who = |claim: &ObservedClaim| {
            let identifier = &claim.identifier;
            let is_role =
                *identifier.namespace() == Namespace::Email && email::is_role(identifier.key());
            identifier.is_linkable()
                && !identifier.namespace().is_bridge()
                && claim.assurance >= Assurance::SelfStated
                && self.policy.of_identifier(identifier).tier < Tier::Never
                && (is_role || !hubs.contains(identifier))
                && !self.assertions.detaches(bundle, identifier)
        };
        bundle.alone.is_some() || bundle.name.is_some() && bundle.claims.iter().any(says_who)
    }

    /// Why a value links nobody, if it does not: a person's word first, then the numbers.
    pub fn hub(&self, identifier: &Identifier, view: &super::hub::DirectView) -> Option<HubReason> {
        if self.assertions.blocks(identifier) {
            return Some(HubReason::Blocked);
        }
        if !self.policy.blocked.is_empty() && self.policy.blocked.contains(&identifier.to_string())
        {
            return Some(HubReason::Blocked);
        }
        if self.assertions.trusts(identifier) {
            return None;
        }
        super::hub::hub(self.policy, identifier, view)
    }
}

fn may_link(claim: &ObservedClaim) -> bool {
    claim.caveat == Caveat::None
        && claim.identifier.is_linkable()
        && !claim.identifier.namespace().is_bridge()
}
