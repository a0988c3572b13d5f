//! What became of messages: edited, redacted, deleted.

use std::collections::{BTreeMap, HashMap};

use crate::event::{Event, Kind};
use crate::ids::EventKey;

/// By each message that was corrected, the edit that tells its words now; `None` where they were
/// taken out. So it is with an edit that a later correction replaced, or that was itself corrected.
///
/// A correction names a record by its key, or a message by its id: an id means something only
/// within its source or its conversation, but one with an `@` (a `Message-ID`) everywhere, and all
/// copies are meant. A correction holds whoever may see it, and wherever it stands on the timeline:
/// the words are gone for everybody.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Corrections<'a>(BTreeMap<&'a str, Option<&'a Event>>);

impl<'a> Corrections<'a> {
    /// What these events, in timeline order, correct among themselves.
    ///
    /// Time is O(n log n) for n events where no id is that of many messages, and O(n) where none is
    /// a correction.
    pub fn of(events: &[&'a Event]) -> Self {
        let correcting = events.iter().filter_map(|event| Some((*event, event.corrects()?)));
        let correcting: Vec<(&Event, &str)> = correcting.collect();
        if correcting.is_empty() {
            return Self::default();
        }
        let mut named: HashMap<&str, Vec<&Event>> = HashMap::new();
        for event in events {
            if let Some(id) = message_id(event) {
                named.entry(bare(id)).or_default().push(event);
            }
        }
        let of = |(event, target)| (event, targets(event, target, &named));
        let correcting: Vec<(&Event, Vec<&str>)> = correcting.into_iter().map(of).collect();
        // A message and its edits, and theirs, are one.
        let mut one = One::default();
        for (event, targets) in correcting.iter().filter(|(event, _)| is_edit(event)) {
            for target in targets {
                one.join(event.key.as_str(), target);
            }
        }
        let mut told: HashMap<&str, Option<&Event>> = HashMap::new();
        for (event, targets) in &correcting {
            let edit = is_edit(event).then_some(*event);
            for target in targets {
                // What was taken out stays out, whatever is said of it later.
                let now = told.entry(one.of(target)).or_insert(edit);
                *now = now.and(edit);
            }
        }
        let mut corrected = BTreeMap::new();
        let edits = correcting.iter().filter(|(event, _)| is_edit(event));
        let edits = edits.map(|(event, _)| event.key.as_str());
        for key in correcting.iter().flat_map(|(_, targets)| targets).copied().chain(edits) {
            let Some(now) = told.get(one.of(key)).copied() else { continue };
            if now.is_none_or(|edit| edit.key.as_str() != key) {
                corrected.insert(key, now);
            }
        }
        Self(corrected)
    }

    /// The edit that tells the words of a message, `Some(None)` where they were taken out; `None`
    /// where the message stands as it was written.
    pub fn of_message(&self, key: &EventKey) -> Option<Option<&'a Event>> {
        self.0.get(key.as_str()).copied()
    }

    /// Whether what a record said was taken out.
    pub(crate) fn took_out(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(Option::is_none)
    }
}

/// What is joined is one; each is called by one of its names.
#[derive(Default)]
struct One<'a>(HashMap<&'a str, &'a str>);

impl<'a> One<'a> {
    fn of(&mut self, name: &'a str) -> &'a str {
        let mut first = name;
        while let Some(next) = self.0.get(first) {
            first = next;
        }
        // The way is shorter the next time.
        let mut name = name;
        while name != first {
            let Some(next) = self.0.insert(name, first) else { break };
            name = next;
        }
        first
    }

    fn join(&mut self, a: &'a str, b: &'a str) {
        let (a, b) = (self.of(a), self.of(b));
        if a != b {
            self.0.insert(a, b);
        }
    }
}

/// The keys of what a correction names: of all messages of that id, or else what it says.
fn targets<'a>(
    event: &Event,
    target: &'a str,
    named: &HashMap<&str, Vec<&'a Event>>,
) -> Vec<&'a str> {
    let id = bare(target);
    let messages = named.get(id).map_or(&[][..], Vec::as_slice).iter();
    let here = |message: &&&Event| match (&message.conversation, &event.conversation) {
        (Some(one), Some(other)) => one.key == other.key,
        (None, _) | (_, None) => false,
    };
    // Some sources count the messages of each conversation.
    let is_here = messages.clone().any(|message| here(&message));
    let is_meant = |message: &&&Event| {
        id.contains('@')
            || if is_here {
                here(message)
            } else {
                message.source.system == event.source.system
                    && message.source.instance == event.source.instance
            }
    };
    let messages = messages.filter(is_meant).map(|message| message.key.as_str());
    let messages: Vec<&str> = messages.collect();
    if messages.is_empty() { vec![target] } else { messages }
}

const fn is_edit(event: &Event) -> bool {
    matches!(event.kind, Kind::MessageEdited(_))
}

/// The id under which others refer to a message.
fn message_id(event: &Event) -> Option<&str> {
    match &event.kind {
        Kind::Message(message) => message.message_id.as_deref(),
        _ => None,
    }
}

/// An id of a message without its brackets: some sources write them, and some do not.
pub fn bare(id: &str) -> &str {
    id.trim_start_matches('<').trim_end_matches('>')
}
