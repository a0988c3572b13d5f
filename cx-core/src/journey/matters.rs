//! Matters: what was asked in a journey, and whether it was settled.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::definition::Definition;
use super::instance::Outcome;
use crate::conversation::Missed;
use crate::event::{Event, Kind};
use crate::identifier::Claim;
use crate::ids::ConversationKey;
use crate::time::Timestamp;

/// What was asked in a journey, by conversation; what was asked in none is one matter.
#[derive(Debug, Default)]
pub(super) struct Matters {
    asked: BTreeMap<Option<ConversationKey>, Matter>,
    /// Whether the goal was reached for any of them.
    is_reached: bool,
}

#[derive(Debug, Default)]
struct Matter {
    standing: Standing,
    /// Whether something was written: no call back answers that.
    is_written: bool,
    /// The calls that nobody took, and whether whoever made them was reached.
    missed: Vec<(Missed, bool)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Standing {
    /// The customer waits.
    #[default]
    Asked,
    /// Somebody answered.
    Answered,
    /// The source says that it is done.
    Done,
}

impl Matters {
    /// Notes that the customer asked something.
    pub(super) fn ask(&mut self, place: Option<&ConversationKey>, event: &Event) {
        let matter = self.asked.entry(place.cloned()).or_default();
        if matter.standing != Standing::Asked {
            *matter = Matter::default();
        }
        if matches!(event.kind, Kind::Call(_) | Kind::Voicemail(_)) {
            let claims = event.person_claims().into_iter().map(Claim::identifier);
            let missed = Missed {
                event: event.key.clone(),
                at: event.occurred_at,
                from: claims.cloned().collect(),
                was_spoken: matches!(event.kind, Kind::Voicemail(_)),
            };
            matter.missed.push((missed, false));
        } else {
            matter.is_written = true;
        }
    }

    /// Notes what settles a matter: until they ask again, or for good where the source says so.
    pub(super) fn settle(&mut self, place: Option<&ConversationKey>, event: &Event) {
        let standing = if tells_state(event) { Standing::Done } else { Standing::Answered };
        for matter in self.called_back(event) {
            if let Some(matter) = self.asked.get_mut(&matter) {
                matter.standing = Standing::Answered;
            }
        }
        if let Some(matter) = self.asked.get_mut(&place.cloned()) {
            matter.standing = standing;
        }
    }

    /// Takes an event that ends the matter of its conversation, and what was asked in none. One in
    /// no conversation ends all, a call only what was asked in none. Gives the outcome of the journey where nothing waits any
    /// more; an end of a conversation that this journey is not about ends nothing.
    pub(super) fn close(
        &mut self,
        place: Option<&ConversationKey>,
        event: &Event,
        outcome: Outcome,
    ) -> Option<Outcome> {
        let before = self.asked.len();
        if place.is_none() && !event.kind.is_talk() {
            self.asked.clear();
        }
        for matter in self.called_back(event).into_iter().chain([place.cloned(), None]) {
            self.asked.remove(&matter);
        }
        if self.asked.len() == before {
            return None;
        }
        self.is_reached |= outcome == Outcome::Reached;
        let is_over = match outcome {
            Outcome::Reached => self.asked.values().all(|it| it.standing != Standing::Asked),
            _ => self.asked.is_empty(),
        };
        is_over.then_some(if self.is_reached { Outcome::Reached } else { outcome })
    }

    /// Whether nobody waits, as far as one can know: where the source keeps the state of a
    /// conversation, an answer alone does not settle it for good.
    pub(super) fn are_settled(&self, kept: &BTreeSet<ConversationKey>) -> bool {
        let is_settled =
            |(place, matter): (&Option<ConversationKey>, &Matter)| match matter.standing {
                Standing::Asked => false,
                Standing::Answered => !place.as_ref().is_some_and(|place| kept.contains(place)),
                Standing::Done => true,
            };
        !self.asked.is_empty() && self.asked.iter().all(is_settled)
    }

    /// The matters that are only calls in vain, where people talk with whoever made them in this one
    /// or did before: all that is told here is of one customer.
    fn called_back(&mut self, event: &Event) -> Vec<Option<ConversationKey>> {
        let mut back = Vec::new();
        if !matches!(event.kind, Kind::Call(_)) {
            return back;
        }
        for (place, matter) in self.asked.iter_mut().filter(|(_, matter)| !matter.is_written) {
            for (missed, is_reached) in &mut matter.missed {
                *is_reached |= missed.called_back_in(event).is_some();
            }
            if !matter.missed.is_empty() && matter.missed.iter().all(|(_, is_reached)| *is_reached)
            {
                back.push(place.clone());
            }
        }
        back
    }
}

/// Whether the source tells the state of a conversation by this event.
pub(super) const fn tells_state(event: &Event) -> bool {
    match &event.kind {
        Kind::ConversationStatus(_) => true,
        Kind::ConversationOpened(opened) => opened.state.is_some(),
        _ => false,
    }
}

/// When somebody picked up, if anybody did.
pub(super) fn picked_up(event: &Event) -> Option<Timestamp> {
    let Kind::Call(call) = &event.kind else { return None };
    call.was_taken().then(|| call.picked_up(event.occurred_at))
}

/// The events with what was said in the instant in which a conversation ended before its end:
/// helpdesks tell the answer and the resolution of one click in any order. What begins a journey
/// stays where it is, and so does all that comes after it.
pub(super) fn answered_first<'a>(
    definition: &Definition,
    mut events: Vec<&'a Event>,
) -> Vec<&'a Event> {
    for instant in events.chunk_by_mut(|a, b| a.occurred_at == b.occurred_at) {
        if instant.len() < 2 {
            continue;
        }
        let mut ended: HashMap<&ConversationKey, usize> = HashMap::new();
        let mut begun: HashSet<&ConversationKey> = HashSet::new();
        let mut places: Vec<(usize, bool)> = Vec::with_capacity(instant.len());
        for (number, event) in instant.iter().enumerate() {
            let key = event.conversation.as_ref().map(|conversation| &conversation.key);
            let mut place = (number, true);
            if let Some(key) = key {
                let end = ended.get(key).copied();
                if definition.ends(event) {
                    ended.entry(key).or_insert(number);
                } else if let Some(end) = end {
                    if definition.start.matches(event) {
                        begun.insert(key);
                    } else if !begun.contains(key) {
                        place = (end, false);
                    }
                }
            }
            places.push(place);
        }
        let mut placed: Vec<_> = places.into_iter().zip(instant.iter().copied()).collect();
        placed.sort_by_key(|(place, _)| *place);
        for (slot, (_, event)) in instant.iter_mut().zip(placed) {
            *slot = event;
        }
    }
    events
}
