//! Components: bundles that hang together through identifiers that are not hubs. The unit in which
//! customers are resolved.

use std::collections::BTreeSet;

use super::assertions::Assertions;
use super::hub::HubReason;
use super::name::PersonName;
use super::observation::{Caveat, ObservedClaim, bundle_id};
use super::policy::{Policy, Tier};
use crate::identifier::{Assurance, Identifier, Namespace, email};
use crate::ids::{BundleId, ObservationId};
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

/// A record that claims more values than this of one person is no one person's: it links nobody.
pub const MOST_CLAIMS: usize = 100;

impl BundleFacts {
    /// Whether it claims more than one person would have.
    pub const fn is_crowded(&self) -> bool {
        self.claims.len() > MOST_CLAIMS
    }

    /// The bundle that its observations would be in, had nobody singled one out: what people say of
    /// a record does not move it among others that are as old.
    pub(super) fn unnamed(&self) -> BundleId {
        let all = || bundle_id(&self.claims, self.name.as_ref(), &[]);
        if self.alone.is_some() { all().unwrap_or(self.id) } else { self.id }
    }

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
        if bundle.is_crowded() {
            return Vec::new();
        }
        let proved = bundle.claims.iter().filter(|claim| {
            let policy = self.policy.of_identifier(&claim.identifier);
            policy.tier <= Tier::Strong
                && may_link(claim)
                && !hubs.contains(&claim.identifier)
                && claim.assurance >= policy.min_assurance
                && claim.assurance.is_proved()
                && self.is_trusted(bundle, claim)
                && !self.assertions.detaches(bundle, &claim.identifier)
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

    /// Whether a bundle may be that of a value's holder, where the value links nobody: it claims it
    /// for itself, and nobody took it from there.
    pub fn may_hold(&self, bundle: &BundleFacts, identifier: &Identifier) -> bool {
        let claims = bundle.claims.iter().filter(|claim| claim.identifier == *identifier);
        claims.into_iter().any(|claim| claim.caveat != Caveat::OnBehalfOf)
            && !self.assertions.detaches(bundle, identifier)
    }

    /// Whether a claim is proved as well as the policy asks of the sources that make it.
    fn is_trusted(&self, bundle: &BundleFacts, claim: &ObservedClaim) -> bool {
        let asked = self.policy.asked_of(&bundle.sources, claim.identifier.namespace());
        claim.assurance >= asked
    }

    /// Whether a bundle is somebody even where no claim of it links: an observation that somebody
    /// singled out, or a name together with a value of a kind that links, be it only stated or a
    /// role's. Who wrote from an unproved address is a customer, and joins nobody. So is who wrote
    /// from a mailbox that a whole family uses. A name beside a postal address, or beside another
    /// value that strangers use, is nobody: namesakes have it too.
    pub fn stands_alone(&self, bundle: &BundleFacts, hubs: &BTreeSet<Identifier>) -> bool {
        let says_who = |claim: &ObservedClaim| {
            let identifier = &claim.identifier;
            let is_mailbox = *identifier.namespace() == Namespace::Email
                && (email::is_role(identifier.key())
                    || claim.assurance.is_proved() && !self.is_blocked(identifier));
            identifier.is_linkable()
                && !identifier.namespace().is_bridge()
                && claim.assurance >= Assurance::SelfStated
                && self.policy.of_identifier(identifier).tier < Tier::Never
                && (is_mailbox || !hubs.contains(identifier))
                && !self.assertions.detaches(bundle, identifier)
        };
        bundle.alone.is_some() || bundle.name.is_some() && bundle.claims.iter().any(says_who)
    }

    /// Whether a person, or the policy, says that a value links nobody.
    fn is_blocked(&self, identifier: &Identifier) -> bool {
        self.assertions.blocks(identifier)
            || !self.policy.blocked.is_empty()
                && self.policy.blocked.contains(&identifier.to_string())
    }

    /// Why a value links nobody, if it does not: a person's word first, then the numbers.
    pub fn hub(&self, identifier: &Identifier, view: &super::hub::DirectView) -> Option<HubReason> {
        if self.is_blocked(identifier) {
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
