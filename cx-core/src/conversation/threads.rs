//! Threads: which events are of one conversation, under whichever of its keys.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::event::Event;
use crate::ids::ConversationKey;

/// The one key of each conversation that these events give several: the smallest of those that are
/// no other's alias, else the smallest, as a store has it.
pub(crate) fn one_key_each(events: &[&Event]) -> HashMap<ConversationKey, ConversationKey> {
    let of = events.iter().filter_map(|event| event.conversation.as_ref());
    let mut beside: BTreeMap<&ConversationKey, BTreeSet<&ConversationKey>> = BTreeMap::new();
    let mut aliases: BTreeSet<&ConversationKey> = BTreeSet::new();
    for conversation in of {
        for alias in conversation.aliases.iter().filter(|alias| **alias != conversation.key) {
            beside.entry(&conversation.key).or_default().insert(alias);
            beside.entry(alias).or_default().insert(&conversation.key);
            aliases.insert(alias);
        }
    }
    let mut one: HashMap<ConversationKey, ConversationKey> = HashMap::new();
    for start in beside.keys() {
        if one.contains_key(*start) {
            continue;
        }
        let mut together: BTreeSet<&ConversationKey> = BTreeSet::new();
        let mut next = vec![*start];
        while let Some(key) = next.pop() {
            if together.insert(key) {
                next.extend(beside.get(key).into_iter().flatten());
            }
        }
        let own = together.iter().find(|key| !aliases.contains(*key));
        let Some(key) = own.or_else(|| together.first()) else { continue };
        one.extend(together.iter().map(|other| ((*other).clone(), (*key).clone())));
    }
    one
}

/// The conversations of these events, which stand in timeline order: each with its one key and its
/// events, by key. Keys are one where these events say so.
pub fn threads<'a>(events: &[&'a Event]) -> BTreeMap<ConversationKey, Vec<&'a Event>> {
    let one = one_key_each(events);
    let mut threads: BTreeMap<ConversationKey, Vec<&Event>> = BTreeMap::new();
    for event in events {
        let Some(conversation) = &event.conversation else { continue };
        let key = one.get(&conversation.key).unwrap_or(&conversation.key);
        threads.entry(key.clone()).or_default().push(event);
    }
    threads
}
