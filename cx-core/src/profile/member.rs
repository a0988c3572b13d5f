//! Members: the parts of a customer that hang together by what is proved.
//!
//! Events are one member where they share an identifier that both prove, that no source calls
//! shared and that no two disagreeing names use; what is only stated joins those that state it. So
//! events that stand together by an assertion, by a guess or by a contested value stay apart here.

use std::collections::{BTreeMap, HashMap};

use crate::event::Event;
use crate::identifier::{Claim, Identifier};
use crate::identity::PersonName;
use crate::ids::EventKey;

/// The part of a customer that an event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Member<'a> {
    /// One of the parts.
    Joined(usize),
    /// An event that names nobody stands alone.
    Alone(&'a EventKey),
}

/// Which events of a customer belong together.
#[derive(Debug, Clone, Default)]
pub(super) struct Members<'a> {
    by_event: HashMap<&'a EventKey, usize>,
    n: usize,
}

/// What joins: an identifier, whether it is proved, and the name beside it where that matters.
type Joint<'a> = (&'a Identifier, bool, Option<String>);

impl<'a> Members<'a> {
    /// The members among these events, in any order. Near O(n log n) for n claims.
    pub(super) fn among(events: &[&'a Event]) -> Self {
        let mut names: HashMap<&str, Option<PersonName>> = HashMap::new();
        let mut carried: BTreeMap<&Identifier, Vec<PersonName>> = BTreeMap::new();
        for event in events {
            let Some(written) = event.name.as_deref() else { continue };
            let name = names.entry(written).or_insert_with(|| PersonName::parse(written));
            let Some(name) = name else { continue };
            for claim in event.person_claims() {
                let known = carried.entry(claim.identifier()).or_default();
                if !known.contains(name) {
                    known.push(name.clone());
                }
            }
        }
        let contested = |identifier: &Identifier| {
            let Some(names) = carried.get(identifier) else { return false };
            names.iter().any(|name| !names.iter().all(|other| name.agrees(other)))
        };
        let contested: HashMap<&Identifier, bool> =
            carried.keys().map(|identifier| (*identifier, contested(identifier))).collect();
        let mut parts = Parts::default();
        let mut joints: HashMap<Joint<'_>, usize> = HashMap::new();
        let mut by_event: HashMap<&EventKey, usize> = HashMap::new();
        for event in events {
            let claims = event.person_claims();
            if claims.is_empty() {
                continue;
            }
            let part = *by_event.entry(&event.key).or_insert_with(|| parts.add());
            let written = event.name.as_deref();
            let name = written.and_then(|written| names.get(written)).and_then(Option::as_ref);
            for claim in claims {
                let identifier = claim.identifier();
                let is_contested = contested.get(identifier).copied().unwrap_or(false);
                let beside = if is_contested { name.map(PersonName::key) } else { None };
                // A contested value without a name is anybody's: it joins nothing.
                if is_contested && beside.is_none() || !identifier.is_linkable() {
                    continue;
                }
                let joint = (identifier, is_proved(claim), beside);
                let other = *joints.entry(joint).or_insert(part);
                parts.join(part, other);
            }
        }
        let n = (0..parts.0.len()).filter(|part| parts.root(*part) == *part).count();
        let by_event = events
            .iter()
            .filter_map(|event| Some((&event.key, parts.root(*by_event.get(&event.key)?))));
        Self { by_event: by_event.collect(), n }
    }

    /// The member that an event belongs to.
    pub(super) fn of(&self, event: &'a Event) -> Member<'a> {
        self.by_event
            .get(&event.key)
            .map_or(Member::Alone(&event.key), |part| Member::Joined(*part))
    }

    /// How many members there are whose events name somebody.
    pub(super) const fn n_joined(&self) -> usize {
        self.n
    }
}

fn is_proved(claim: &Claim) -> bool {
    claim.assurance.is_proved() && !claim.shared && !claim.on_behalf_of
}

/// Sets that only grow together; each part stands with the one it hangs under.
#[derive(Debug, Default)]
struct Parts(Vec<usize>);

impl Parts {
    fn add(&mut self) -> usize {
        self.0.push(self.0.len());
        self.0.len() - 1
    }

    fn root(&self, part: usize) -> usize {
        let mut at = part;
        while let Some(above) = self.0.get(at).copied().filter(|above| *above != at) {
            at = above;
        }
        at
    }

    /// The smaller root is that of both.
    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        let (least, most) = (one.min(other), one.max(other));
        if let Some(above) = self.0.get_mut(most) {
            *above = least;
        }
    }
}
