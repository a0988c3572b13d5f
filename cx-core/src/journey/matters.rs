//! Matters: what was asked in a journey, and whether it was settled.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::definition::Definition;
use super::instance::Outcome;
use crate::conversation::{Missed, one_key_each, people_talked_until, unsays};
use crate::event::{Direction, Event, Kind};
use crate::identifier::Claim;
use crate::ids::{ConversationKey, EventKey};
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

/// Which conversations live on in which.
#[derive(Debug, Default)]
pub(super) struct Merges {
    into: HashMap<ConversationKey, ConversationKey>,
    from: HashMap<ConversationKey, BTreeSet<ConversationKey>>,
}

impl Merges {
    pub(super) fn note(&mut self, place: &ConversationKey, into: ConversationKey) {
        self.undo(place);
        if *place != into {
            self.from.entry(into.clone()).or_default().insert(place.clone());
            self.into.insert(place.clone(), into);
        }
    }

    /// It goes on by itself again.
    pub(super) fn undo(&mut self, place: &ConversationKey) {
        if let Some(into) = self.into.remove(place)
            && let Some(from) = self.from.get_mut(&into)
        {
            from.remove(place);
        }
    }

    pub(super) fn is_merged(&self, place: &ConversationKey) -> bool {
        self.into.contains_key(place)
    }

    /// A place with all that live on in it.
    pub(super) fn places(&self, place: Option<ConversationKey>) -> Vec<Option<ConversationKey>> {
        let mut places = vec![place];
        let mut next = 0;
        let mut seen: HashSet<&ConversationKey> = HashSet::new();
        while let Some(place) = places.get(next) {
            let from = place.as_ref().and_then(|place| self.from.get(place)).into_iter().flatten();
            let more: Vec<_> = from.filter(|it| seen.insert(*it)).cloned().map(Some).collect();
            places.extend(more);
            next += 1;
        }
        places
    }
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

    /// Notes what settles the matters of these places: until they ask again, or for good where the
    /// source says so.
    pub(super) fn settle(&mut self, places: &[Option<ConversationKey>], event: &Event) {
        let standing = if tells_state(event) { Standing::Done } else { Standing::Answered };
        for matter in self.called_back(event) {
            if let Some(matter) = self.asked.get_mut(&matter) {
                matter.standing = Standing::Answered;
            }
        }
        for place in places {
            if let Some(matter) = self.asked.get_mut(place) {
                matter.standing = standing;
            }
        }
    }

    /// Takes an event that ends the matters of its conversation and of those that live on in it, and
    /// what was asked in none. One in no conversation ends all, a call only what was asked in none.
    /// Gives the outcome of the journey where nothing waits any more; an end of a conversation that
    /// this journey is not about ends nothing.
    pub(super) fn close(
        &mut self,
        places: &[Option<ConversationKey>],
        event: &Event,
        outcome: Outcome,
    ) -> Option<Outcome> {
        let before = self.asked.len();
        if matches!(places, [None]) && !event.kind.is_talk() {
            self.asked.clear();
        }
        for matter in self.called_back(event).iter().chain(places).chain([&None]) {
            self.asked.remove(matter);
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

/// When a person of the business answered by this event: when somebody picked up, not before it
/// happened.
pub(super) fn answered_at(event: &Event) -> Option<Timestamp> {
    match &event.kind {
        Kind::Call(call) if people_talked_until(event).is_some() => {
            Some(call.picked_up(event.occurred_at).max(event.occurred_at))
        }
        _ => event.is_agent_answer().then_some(event.occurred_at),
    }
}

/// The events with the answers and states that others were told in the conversations in which the
/// customer asked before. No other question is the customer's.
pub(super) fn with_answers<'e, 'a>(
    definition: &Definition,
    events: &'e [&'a Event],
    beside: &[&'a Event],
    as_of: Timestamp,
) -> Cow<'e, [&'a Event]> {
    if definition.settled.is_none() || beside.is_empty() {
        return Cow::from(events);
    }
    let events = events.get(..events.partition_point(|it| it.occurred_at <= as_of));
    let events = events.unwrap_or_default();
    let own: HashSet<&EventKey> = events.iter().map(|event| &event.key).collect();
    let beside = beside.iter().copied().filter(|it| it.occurred_at <= as_of);
    let beside = beside.filter(|event| !own.contains(&event.key));
    let mut all: Vec<(&Event, bool)> = events.iter().map(|event| (*event, true)).collect();
    all.extend(beside.filter(|event| tells_others(event)).map(|event| (event, false)));
    if all.len() == events.len() {
        return Cow::from(events);
    }
    all.sort_by(|(a, _), (b, _)| a.timeline_cmp(b));
    let one_key = one_key_each(&all.iter().map(|(event, _)| *event).collect::<Vec<_>>());
    let mut asked: HashSet<&ConversationKey> = HashSet::new();
    all.retain(|(event, is_own)| {
        let Some(conversation) = &event.conversation else { return *is_own };
        let key = one_key.get(&conversation.key).unwrap_or(&conversation.key);
        if *is_own && definition.start.matches(event) {
            asked.insert(key);
        }
        *is_own || asked.contains(key)
    });
    all.into_iter().map(|(event, _)| event).collect::<Vec<_>>().into()
}

/// Whether an event that is another customer's may be an answer, a state, or what became of one.
fn tells_others(event: &Event) -> bool {
    match &event.kind {
        Kind::ConversationOpened(_)
        | Kind::ConversationStatus(_)
        | Kind::ConversationMerged(_)
        | Kind::ConversationSpam(_)
        | Kind::ConversationDeleted(_)
        | Kind::ConversationRestored(_)
        | Kind::MessageDelivered(_)
        | Kind::MessageRead(_) => true,
        kind => unsays(event) || kind.is_talk() && event.direction == Direction::Out,
    }
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
