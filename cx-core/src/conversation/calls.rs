//! Calls: how long one may go on, and who was missed and called back.

use crate::actor::ActorType;
use crate::event::{Direction, Event, Kind, Visibility};
use crate::identifier::Identifier;
use crate::ids::EventKey;
use crate::time::{Micros, Timestamp};

/// After so long a call whose end was not told does not go on any more.
pub const LONGEST_CALL: Micros = Micros::HOUR.times(12);

/// A call that nobody took, or a voicemail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// The event.
    pub event: EventKey,
    /// When.
    pub at: Timestamp,
    /// From whom: nobody, where the number was withheld.
    pub from: Vec<Identifier>,
    /// Whether something was said: then it can be known who it was.
    pub was_spoken: bool,
}

impl Missed {
    /// When people talked who had missed each other, where they do in this call: then, or from then
    /// on. It is a call with whoever called in vain, be it under another number: see
    /// [`Missed::is_from`].
    pub fn called_back_in(&self, call: &Event) -> Option<Timestamp> {
        let Kind::Call(told) = &call.kind else { return None };
        let until = people_talked_until(call)?;
        let may_be = until >= self.at && call.occurred_at >= self.earliest_call();
        may_be.then(|| told.picked_up(call.occurred_at).max(self.at))
    }

    /// Since when a call may have begun that counts as calling back.
    pub fn earliest_call(&self) -> Timestamp {
        self.at - LONGEST_CALL
    }

    /// Whether an event names one of those it is from.
    pub fn is_from(&self, event: &Event) -> bool {
        event.who.iter().any(|claim| self.from.contains(claim.identifier()))
    }

    /// Until when it waits for us where nobody can be called back: for a day.
    pub(super) fn waits_until(&self) -> Option<Timestamp> {
        (self.from.is_empty() && !self.was_spoken).then(|| self.at + Micros::DAY)
    }
}

/// Whether a call that began then, and of which no end was told, may go on.
pub(crate) fn goes_on(since: Timestamp, now: Timestamp) -> bool {
    now.since(since) <= LONGEST_CALL
}

/// Until when people talked in a call that the customer could hear, at the longest where its end is
/// not told; `None` where nobody picked up, or a program called, and for
/// whatever is no call. By such a call a missed one may have been called back.
pub fn people_talked_until(event: &Event) -> Option<Timestamp> {
    let Kind::Call(call) = &event.kind else { return None };
    let is_heard = event.visibility == Visibility::Public && !is_by_program(event);
    (call.was_taken() && is_heard).then(|| {
        if call.is_over() {
            call.end(event.occurred_at)
        } else {
            call.picked_up(event.occurred_at) + LONGEST_CALL
        }
    })
}

/// Whether a program called or was called: nobody talked with a person.
pub(super) fn is_by_program(event: &Event) -> bool {
    match event.actor.kind {
        ActorType::Bot | ActorType::Ai | ActorType::Automation => true,
        ActorType::Integration | ActorType::System => event.direction == Direction::Out,
        ActorType::Customer
        | ActorType::Contact
        | ActorType::Agent
        | ActorType::ThirdParty
        | ActorType::Unknown => false,
    }
}
