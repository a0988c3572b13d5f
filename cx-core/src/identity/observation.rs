//! Observations: what one event says about one person.

use std::collections::BTreeSet;

use super::name::PersonName;
use crate::event::{Event, Kind};
use crate::identifier::{Assurance, Claim, Identifier};
use crate::ids::{BundleId, ObservationId, domain, hash16};
use crate::time::Timestamp;

/// A claim as identity resolution sees it: which identifier, how well proved.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObservedClaim {
    /// The identifier.
    pub identifier: Identifier,
    /// How well it is proved; the best proof, where an event claims it twice.
    pub assurance: Assurance,
    /// What the source says against linking by it.
    pub caveat: Caveat,
}

/// What a source says about a claim that keeps it from linking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Caveat {
    /// Nothing.
    None,
    /// Several people use the value.
    Shared,
    /// Somebody else acted for the holder.
    OnBehalfOf,
}

/// What one event says about one person.
///
/// Two revisions of a record are one observation: the newest speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The name of the observation.
    pub id: ObservationId,
    /// When the event happened.
    pub occurred_at: Timestamp,
    /// The person's claims, sorted, one for each identifier. Empty where the event names nobody.
    pub claims: Vec<ObservedClaim>,
    /// The person's name.
    pub name: Option<PersonName>,
    /// What carries the observation to a person without naming one, sorted: the conversation, an
    /// order, a cart.
    pub bridges: Vec<Identifier>,
    /// The source, as `zendesk:acme`.
    pub source: String,
}

impl Observation {
    /// What this event says about the person it is about, in the store of this tenant.
    pub fn of(tenant: &str, event: &Event) -> Self {
        let mut claims: Vec<ObservedClaim> =
            event.person_claims().into_iter().map(observed).collect();
        claims.sort();
        claims.dedup_by(|one, first| {
            let is_same = one.identifier == first.identifier;
            if is_same {
                first.assurance = first.assurance.max(one.assurance);
                first.caveat = first.caveat.max(one.caveat);
            }
            is_same
        });
        Self {
            id: ObservationId::of(tenant, &event.key),
            occurred_at: event.occurred_at,
            name: if claims.is_empty() { None } else { written_name(event) },
            claims,
            bridges: event.bridges(),
            source: event.source.scope(),
        }
    }

    /// The bundle that the observation belongs to.
    ///
    /// All observations with the same claims (identifier, assurance, caveat) and the same name
    /// are one bundle. Those without claims bundle by what carries them, and those without that
    /// either are each a bundle of their own.
    pub fn bundle(&self) -> BundleId {
        bundle_id(&self.claims, self.name.as_ref(), &self.bridges)
            .unwrap_or_else(|| self.own_bundle())
    }

    /// The bundle that holds this observation alone, as when an assertion names it.
    pub fn own_bundle(&self) -> BundleId {
        BundleId::of_one(self.id)
    }
}

/// The bundle of all observations with these claims and this name, or on these bridges; `None`
/// where there is nothing that others could have in common with it.
pub(super) fn bundle_id(
    claims: &[ObservedClaim],
    name: Option<&PersonName>,
    bridges: &[Identifier],
) -> Option<BundleId> {
    let mut parts: Vec<&[u8]> = Vec::with_capacity(5 * claims.len() + 1);
    for claim in claims {
        let identifier = &claim.identifier;
        let caveat = match claim.caveat {
            Caveat::None => "",
            Caveat::Shared => "shared",
            Caveat::OnBehalfOf => "on behalf of",
        };
        let named = [identifier.namespace().name(), identifier.scope(), identifier.key()];
        parts.extend(named.map(str::as_bytes));
        parts.extend([claim.assurance.name(), caveat].map(str::as_bytes));
    }
    let (mut name_key, mut keys) = (String::new(), BTreeSet::new());
    if claims.is_empty() {
        if bridges.is_empty() {
            return None;
        }
        keys.extend(bridges.iter().map(Identifier::to_string));
        parts.push(b"bridges");
        parts.extend(keys.iter().map(String::as_bytes));
    } else {
        name_key.extend(name.map(PersonName::key));
        parts.push(name_key.as_bytes());
    }
    Some(BundleId::from_bytes(hash16(domain!("cx bundle 1"), &parts)))
}

fn observed(claim: &Claim) -> ObservedClaim {
    let caveat = match (claim.on_behalf_of, claim.shared) {
        (true, _) => Caveat::OnBehalfOf,
        (false, true) => Caveat::Shared,
        (false, false) => Caveat::None,
    };
    ObservedClaim { identifier: claim.identifier().clone(), assurance: claim.assurance, caveat }
}

/// The person's name: what the event says it is, else what a profile says, else the actor's, if
/// the actor is the customer.
fn written_name(event: &Event) -> Option<PersonName> {
    let profile = match &event.kind {
        Kind::ProfileUpdated(profile) => profile.name.clone().or_else(|| {
            let parts = [profile.given_name.as_deref(), profile.family_name.as_deref()];
            let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
            (!name.is_empty()).then_some(name)
        }),
        _ => None,
    };
    let actor = event.actor.name.clone().filter(|_| event.actor.kind.is_customer_side());
    let names = [event.name.clone(), profile, actor];
    names.into_iter().flatten().find_map(|name| PersonName::parse(&name))
}
