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
    n_told: u64,
    in_force: BTreeMap<AssertionId, Assertion>,
    alone: BTreeSet<ObservationId>,
    blocked: BTreeSet<Identifier>,
    trusted: BTreeSet<Identifier>,
    detached: BTreeSet<(ObservationId, Identifier)>,
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
        let n_told = u64::try_from(all.len()).unwrap_or(u64::MAX);
        let mut set = Self { n_told, ..Self::default() };
        for (id, assertion) in &all {
            if stands(*id, &revoked_by, &mut BTreeSet::new()) {
                set.admit(*id, assertion.clone());
            }
        }
        set
    }

    fn admit(&mut self, id: AssertionId, assertion: Assertion) {
        match &assertion.verdict {
            Verdict::Same(a, b) | Verdict::Different(a, b) => {
                for side in [a, b] {
                    if let Subject::Observation(observation) = side {
                        self.alone.insert(*observation);
                    }
                }
            }
            Verdict::Detach(observation, identifier) => {
                self.alone.insert(*observation);
                self.detached.insert((*observation, identifier.clone()));
            }
            Verdict::Block(identifier) => {
                self.blocked.insert(identifier.clone());
            }
            Verdict::Trust(identifier) => {
                self.trusted.insert(identifier.clone());
            }
            Verdict::Rekey(..) => {}
            Verdict::Revoke(_) => return,
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
        self.blocked.contains(identifier)
    }

    /// Whether a person trusts this value to be one person's. A block goes before.
    pub fn trusts(&self, identifier: &Identifier) -> bool {
        self.trusted.contains(identifier) && !self.blocks(identifier)
    }

    /// How many assertions were told, those not in force too.
    pub const fn n_told(&self) -> u64 {
        self.n_told
    }

    /// The assertions in force, in the order of their ids.
    pub fn in_force(&self) -> impl Iterator<Item = (AssertionId, &Assertion)> {
        self.in_force.iter().map(|(id, assertion)| (*id, assertion))
    }

    /// The identifiers and observations that are to be resolved together, since an assertion
    /// joins them: both sides of every `Same` and `Rekey`.
    pub fn joining(&self) -> impl Iterator<Item = (AssertionId, Subject, Subject)> {
        self.in_force().filter_map(|(id, assertion)| match &assertion.verdict {
            Verdict::Same(a, b) => Some((id, a.clone(), b.clone())),
            Verdict::Rekey(from, to) => {
                Some((id, Subject::Identifier(from.clone()), Subject::Identifier(to.clone())))
            }
            Verdict::Different(..)
            | Verdict::Detach(..)
            | Verdict::Block(_)
            | Verdict::Trust(_)
            | Verdict::Revoke(_) => None,
        })
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

    /// Both sides of every `Different`.
    pub fn dividing(&self) -> impl Iterator<Item = (AssertionId, &Subject, &Subject)> {
        self.in_force().filter_map(|(id, assertion)| match &assertion.verdict {
            Verdict::Different(a, b) => Some((id, a, b)),
            Verdict::Same(..)
            | Verdict::Detach(..)
            | Verdict::Block(_)
            | Verdict::Trust(_)
            | Verdict::Rekey(..)
            | Verdict::Revoke(_) => None,
        })
    }

    /// The assertion by which an observation was taken from the holder of an identifier.
    pub fn detached(&self, bundle: &BundleFacts, identifier: &Identifier) -> Option<AssertionId> {
        let mut all = self.in_force();
        let found = all.find(|(_, said)| match &said.verdict {
            Verdict::Detach(observation, value) => {
                bundle.alone == Some(*observation) && value == identifier
            }
            _ => false,
        });
        found.map(|(id, _)| id)
    }

    /// The assertion that blocks a value.
    pub fn blocked_by(&self, identifier: &Identifier) -> Option<AssertionId> {
        let mut all = self.in_force();
        let blocks =
            |said: &Assertion| matches!(&said.verdict, Verdict::Block(v) if v == identifier);
        all.find(|(_, said)| blocks(said)).map(|(id, _)| id)
    }

    fn detaches(&self, bundle: &BundleFacts, identifier: &Identifier) -> bool {
        bundle
            .alone
            .is_some_and(|observation| self.detached.contains(&(observation, identifier.clone())))
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
        let proved = bundle.claims.iter().filter(|claim| {
            let policy = self.policy.of_identifier(&claim.identifier);
            policy.tier <= Tier::Strong
                && may_link(claim)
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
