//! What became of messages: edited, redacted, deleted.

use std::collections::{BTreeMap, HashMap};

use crate::event::{Event, Kind};
use crate::ids::EventKey;

/// By each message that was corrected, the edit that tells its words now; `None` where they were
/// taken out. So it is with an edit that a later correction replaced.
///
/// A correction holds whoever may see it: the words are gone for everybody.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Corrections<'a>(BTreeMap<&'a str, Option<&'a Event>>);

impl<'a> Corrections<'a> {
    /// What these events, in timeline order, correct among themselves.
    ///
    /// Time is O(n log n) for n events, and O(n) where none is a correction.
    pub fn of(events: &[&'a Event]) -> Self {
        let mut corrected = Self::default();
        if !events.iter().any(|event| corrects(event).is_some()) {
            return corrected;
        }
        let named =
            events.iter().filter_map(|event| Some((message_id(event)?, event.key.as_str())));
        let named: HashMap<&str, &str> = named.collect();
        for event in events {
            let Some(target) = corrects(event) else { continue };
            let target = named.get(target).copied().unwrap_or(target);
            let edit = matches!(event.kind, Kind::MessageEdited(_)).then_some(*event);
            // What was taken out stays out, whatever is said of it later.
            let is_gone = corrected.0.get(target).is_some_and(Option::is_none);
            let now = edit.filter(|_| !is_gone);
            if let Some(Some(before)) = corrected.0.insert(target, now) {
                corrected.0.insert(before.key.as_str(), now);
            }
            if let Some(edit) = edit.filter(|_| is_gone) {
                corrected.0.insert(edit.key.as_str(), None);
            }
        }
        corrected
    }

    /// The edit that tells the words of a message, `Some(None)` where they were taken out; `None`
    /// where the message stands as it was written.
    pub fn of_message(&self, key: &EventKey) -> Option<Option<&'a Event>> {
        self.0.get(key.as_str()).copied()
    }
}

/// What an event corrects, by the key or the id of the message.
const fn corrects(event: &Event) -> Option<&str> {
    match &event.kind {
        Kind::MessageEdited(correction)
        | Kind::MessageRedacted(correction)
        | Kind::MessageDeleted(correction) => Some(correction.target.as_str()),
        _ => None,
    }
}

/// The id under which others refer to a message.
pub(super) fn message_id(event: &Event) -> Option<&str> {
    match &event.kind {
        Kind::Message(message) => message.message_id.as_deref(),
        _ => None,
    }
}
