//! What was said about who is who, as it counts together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rpds::{RedBlackTreeMapSync as Map, RedBlackTreeSetSync as Set};

use super::assertion::{Assertion, Subject, Verdict};
use super::component::BundleFacts;
use crate::identifier::Identifier;
use crate::ids::{AssertionId, BundleId, ObservationId};

/// The assertions in force: those that are not revoked, ready for look-up.
///
/// A copy costs nothing and shares what is the same: whoever holds one is not touched by what is
/// said afterwards. To say one more of n takes time O(log n), and longer in the number of words about
/// the same subject and of revocations of each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assertions {
    /// Everything that was said, in force or not.
    told: Map<AssertionId, Arc<Assertion>>,
    /// What was said to revoke each of them.
    revoked_by: Map<AssertionId, Set<AssertionId>>,
    in_force: Map<AssertionId, Arc<Assertion>>,
    /// Those in force by what they name.
    about: Map<Subject, Set<AssertionId>>,
    /// The observations among what they name, by the bundles that each is of its own.
    alone: Map<BundleId, ObservationId>,
    // Of several words for the same the first in order is named.
    blocked: Map<Identifier, AssertionId>,
    trusted: Map<Identifier, AssertionId>,
    detached: Map<(ObservationId, Identifier), AssertionId>,
}

impl Assertions {
    /// Those of `all` that are in force. A revocation that is itself revoked has no effect.
    pub fn new(all: impl IntoIterator<Item = Assertion>) -> Self {
        let mut set = Self::default();
        for assertion in all {
            set.say(assertion);
        }
        set
    }

    /// Takes in one more. The order in which they come does not matter.
    pub fn say(&mut self, assertion: Assertion) {
        let id = assertion.id();
        if self.told.contains_key(&id) {
            return;
        }
        if let Verdict::Revoke(target) = assertion.verdict {
            let mut by = self.revoked_by.get(&target).cloned().unwrap_or_default();
            by.insert_mut(id);
            self.revoked_by.insert_mut(target, by);
        }
        self.told.insert_mut(id, Arc::new(assertion));
        if let Some((id, meant)) = self.meant(id) {
            match (self.stands(id), self.in_force.contains_key(&id)) {
                (true, false) => self.admit(id, &meant),
                (false, true) => self.retract(id, &meant),
                (true, true) | (false, false) => {}
            }
        }
    }

    /// What comes into force or goes out of it where this is revoked: a revocation may itself be
    /// revoked, and so on. `None` where nobody said it.
    pub fn meant(&self, mut id: AssertionId) -> Option<(AssertionId, Arc<Assertion>)> {
        let mut seen = BTreeSet::new();
        loop {
            let told = self.told.get(&id).filter(|_| seen.insert(id))?;
            match told.verdict {
                Verdict::Revoke(target) => id = target,
                _ => return Some((id, Arc::clone(told))),
            }
        }
    }

    /// Whether no revocation that stands itself revokes this one. A circle of revocations revokes
    /// nothing.
    pub fn stands(&self, id: AssertionId) -> bool {
        let mut known: BTreeMap<AssertionId, bool> = BTreeMap::new();
        let mut begun = BTreeSet::new();
        let mut next = vec![id];
        while let Some(at) = next.last().copied() {
            let revokers = || self.revoked_by.get(&at).into_iter().flat_map(Set::iter).copied();
            if begun.insert(at) {
                next.extend(revokers().filter(|revoker| !begun.contains(revoker)));
            } else {
                known.insert(at, !revokers().any(|revoker| known.get(&revoker) == Some(&true)));
                next.pop();
            }
        }
        known.get(&id).copied().unwrap_or_default()
    }

    fn admit(&mut self, id: AssertionId, assertion: &Arc<Assertion>) {
        for subject in subjects(&assertion.verdict) {
            let mut about = self.about.get(&subject).cloned().unwrap_or_default();
            about.insert_mut(id);
            if let Subject::Observation(observation) = subject {
                self.alone.insert_mut(BundleId::of_one(observation), observation);
            }
            self.about.insert_mut(subject, about);
        }
        self.in_force.insert_mut(id, Arc::clone(assertion));
        self.name_first(&assertion.verdict);
    }

    fn retract(&mut self, id: AssertionId, assertion: &Assertion) {
        for subject in subjects(&assertion.verdict) {
            let Some(mut about) = self.about.get(&subject).cloned() else { continue };
            about.remove_mut(&id);
            if about.is_empty() {
                self.about.remove_mut(&subject);
                if let Subject::Observation(observation) = subject {
                    self.alone.remove_mut(&BundleId::of_one(observation));
                }
            } else {
                self.about.insert_mut(subject, about);
            }
        }
        self.in_force.remove_mut(&id);
        self.name_first(&assertion.verdict);
    }

    /// Notes which is now the first that blocks, trusts or detaches what this did.
    fn name_first(&mut self, verdict: &Verdict) {
        let first = |subject: Subject| {
            let about = self.about.get(&subject)?.iter();
            about.copied().find(|id| self.get(*id).is_some_and(|said| said.verdict == *verdict))
        };
        match verdict {
            Verdict::Detach(observation, identifier) => {
                let id = first(Subject::Observation(*observation));
                put(&mut self.detached, (*observation, identifier.clone()), id);
            }
            Verdict::Block(identifier) => {
                let id = first(Subject::Identifier(identifier.clone()));
                put(&mut self.blocked, identifier.clone(), id);
            }
            Verdict::Trust(identifier) => {
                let id = first(Subject::Identifier(identifier.clone()));
                put(&mut self.trusted, identifier.clone(), id);
            }
            Verdict::Same(..)
            | Verdict::Different(..)
            | Verdict::Rekey(..)
            | Verdict::Probable(..)
            | Verdict::Revoke(_) => {}
        }
    }

    /// Whether an assertion in force names this observation, which then is a bundle of its own.
    pub fn names(&self, observation: ObservationId) -> bool {
        self.about.contains_key(&Subject::Observation(observation))
    }

    /// The observation that this bundle holds alone, since an assertion in force names it.
    pub fn alone_in(&self, bundle: BundleId) -> Option<ObservationId> {
        self.alone.get(&bundle).copied()
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
        self.in_force.iter().map(|(id, assertion)| (*id, &**assertion))
    }

    /// An assertion in force.
    pub fn get(&self, id: AssertionId) -> Option<&Assertion> {
        self.in_force.get(&id).map(Arc::as_ref)
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
            .flat_map(Set::iter)
            .copied()
            .collect();
        ids.into_iter().filter_map(|id| Some((id, self.get(id)?))).collect()
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

    /// What is to be resolved together with a bundle, since an assertion is about both: the sides
    /// of every `Same`, `Rekey` and `Probable` that names it, and of every `Different` that means
    /// the holder of a value, who is known only where all are looked at who claim it.
    pub fn joining(&self, bundle: &BundleFacts) -> Vec<(AssertionId, Subject, Subject)> {
        let about = self.about(&[bundle]).into_iter();
        let sides = about.filter_map(|(id, assertion)| {
            let sides = match &assertion.verdict {
                Verdict::Different(a, b) if a.identifier().or(b.identifier()).is_some() => {
                    Some((a.clone(), b.clone()))
                }
                verdict => verdict.joins(),
            };
            Some((id, sides?))
        });
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

    /// Whether a person took this observation from the holder of an identifier.
    pub fn is_taken(&self, observation: ObservationId, identifier: &Identifier) -> bool {
        self.detached.contains_key(&(observation, identifier.clone()))
    }

    /// The assertion that blocks a value.
    pub fn blocked_by(&self, identifier: &Identifier) -> Option<AssertionId> {
        self.blocked.get(identifier).copied()
    }

    /// The assertion that trusts a value, be it blocked or not.
    pub fn trusted_by(&self, identifier: &Identifier) -> Option<AssertionId> {
        self.trusted.get(identifier).copied()
    }

    pub(super) fn detaches(&self, bundle: &BundleFacts, identifier: &Identifier) -> bool {
        self.detached(bundle, identifier).is_some()
    }
}

/// Everything that a verdict names.
fn subjects(verdict: &Verdict) -> impl Iterator<Item = Subject> {
    let identifiers: Vec<Identifier> = verdict.identifiers().into_iter().cloned().collect();
    let observations = verdict.observations().map(Subject::Observation);
    observations.chain(identifiers.into_iter().map(Subject::Identifier))
}

fn put<K: Ord, V>(map: &mut Map<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => map.insert_mut(key, value),
        None => drop(map.remove_mut(&key)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::identifier::Namespace;
    use crate::time::Timestamp;

    fn identifier(n: u8) -> Identifier {
        Identifier::normalise(Namespace::Cookie, "", &format!("c{n}"), None).unwrap()
    }

    fn observation(n: u8) -> ObservationId {
        ObservationId::of("", &crate::ids::EventKey::new(format!("e/{n}")).unwrap())
    }

    fn verdict() -> impl Strategy<Value = Verdict> {
        (0_u8..6, 0_u8..3, 0_u8..3).prop_map(|(kind, a, b)| match kind {
            0 => Verdict::Block(identifier(a)),
            1 => Verdict::Trust(identifier(a)),
            2 => Verdict::Detach(observation(a), identifier(b)),
            3 => Verdict::Rekey(identifier(a), identifier(b)),
            // Whichever way round it is said it is the same assertion.
            4 => Verdict::Probable(observation(a.min(b)), observation(a.max(b)), 7),
            _ => Verdict::Same(
                Subject::Observation(observation(a)),
                Subject::Identifier(identifier(b)),
            ),
        })
    }

    /// What several people said, and then which of all that is revoked, revocations too.
    fn said() -> impl Strategy<Value = Vec<Assertion>> {
        let words = prop::collection::vec((verdict(), 0_u8..3), 0..8);
        let revoked = prop::collection::vec((any::<Index>(), 0_u8..3), 0..8);
        (words, revoked).prop_map(|(words, revoked)| {
            let by = |verdict, by: u8| Assertion {
                verdict,
                by: format!("agent:{by}"),
                reason: None,
                at: Timestamp::MIN,
            };
            let mut all: Vec<Assertion> = words.into_iter().map(|(v, n)| by(v, n)).collect();
            for (of, n) in revoked {
                if !all.is_empty() {
                    all.push(by(Verdict::Revoke(of.get(&all).id()), n));
                }
            }
            all
        })
    }

    /// Whether nothing that stands revokes it, by looking through everything.
    fn stands(id: AssertionId, all: &[Assertion]) -> bool {
        !all.iter().any(|other| other.verdict == Verdict::Revoke(id) && stands(other.id(), all))
    }

    proptest! {
        #[test]
        fn what_is_said_one_by_one_in_any_order_counts_as_if_all_were_looked_through(
            (all, shuffled) in said().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        ) {
            let set = Assertions::new(all.clone());
            prop_assert_eq!(&Assertions::new(shuffled), &set);
            let in_force: BTreeSet<AssertionId> = all
                .iter()
                .filter(|said| !matches!(said.verdict, Verdict::Revoke(_)) && stands(said.id(), &all))
                .map(Assertion::id)
                .collect();
            let found: BTreeSet<AssertionId> = set.in_force().map(|(id, _)| id).collect();
            prop_assert_eq!(&found, &in_force);
            let first = |verdict: Verdict| {
                let same = all.iter().filter(|said| said.verdict == verdict).map(Assertion::id);
                same.filter(|id| in_force.contains(id)).min()
            };
            let names = |observation| all.iter().any(|said| {
                in_force.contains(&said.id())
                    && said.verdict.observations().any(|named| named == observation)
            });
            for a in 0..3 {
                prop_assert_eq!(set.blocked_by(&identifier(a)), first(Verdict::Block(identifier(a))));
                prop_assert_eq!(set.trusted_by(&identifier(a)), first(Verdict::Trust(identifier(a))));
                prop_assert_eq!(set.names(observation(a)), names(observation(a)));
                let alone = set.alone_in(BundleId::of_one(observation(a)));
                prop_assert_eq!(alone, names(observation(a)).then_some(observation(a)));
                for b in 0..3 {
                    let pair = (observation(a), identifier(b));
                    let detach = first(Verdict::Detach(pair.0, pair.1.clone()));
                    prop_assert_eq!(set.detached.get(&pair).copied(), detach);
                }
            }
        }
    }

    #[test]
    fn a_long_chain_of_revocations_of_revocations_is_followed_to_its_end() {
        let say = |verdict| Assertion {
            verdict,
            by: "agent:1".to_owned(),
            reason: None,
            at: Timestamp::MIN,
        };
        let mut last = say(Verdict::Block(identifier(1)));
        let mut all = vec![last.clone()];
        for _ in 0..100_000 {
            last = say(Verdict::Revoke(last.id()));
            all.push(last.clone());
        }
        // Whoever comes last is heard first, so that each is looked at once only.
        let mut set = Assertions::new(all.iter().rev().cloned());
        assert!(set.blocks(&identifier(1)));
        set.say(say(Verdict::Revoke(last.id())));
        assert!(!set.blocks(&identifier(1)));
    }
}
