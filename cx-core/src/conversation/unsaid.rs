//! What was said and is as if it had not been: it did not arrive, or was taken back.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{bare, threads};
use crate::event::mail::{Bounce, MailEvent};
use crate::event::{Direction, Event, Kind};
use crate::ids::EventKey;

/// What was said and is as if it had not been.
#[derive(Debug, Clone, Default)]
pub(super) struct Unsaid<'a> {
    /// Answers that did not arrive, each with what says so.
    failed: BTreeMap<&'a EventKey, &'a EventKey>,
    /// What says that an answer by a person did not arrive.
    pub(super) failures: BTreeSet<&'a EventKey>,
    /// Answers that were deleted.
    deleted: BTreeSet<&'a EventKey>,
    /// What the customer deleted before anybody answered.
    pub(super) withdrawn: BTreeSet<&'a EventKey>,
}

impl<'a> Unsaid<'a> {
    pub(super) fn of(events: &[&'a Event]) -> Self {
        let mut unsaid = Self::default();
        if !events.iter().any(|event| unsays(event)) {
            return unsaid;
        }
        let mut named: HashMap<&str, usize> = HashMap::new();
        for (place, event) in events.iter().enumerate().filter(|(_, event)| event.kind.is_talk()) {
            named.insert(event.key.as_str(), place);
            if let Kind::Message(message) = &event.kind
                && let Some(id) = &message.message_id
            {
                named.insert(bare(id), place);
            }
        }
        let find = |target: &str| {
            let place = named.get(target).or_else(|| named.get(bare(target)))?;
            Some((*place, *events.get(*place)?))
        };
        let mut answered = 0;
        for (place, event) in events.iter().enumerate() {
            match &event.kind {
                Kind::MessageFailed(receipt) => {
                    let said = find(&receipt.target);
                    unsaid.failed.extend(said.map(|(_, said)| (&said.key, &event.key)));
                }
                // It came back from whom it was for, and not from somebody in copy.
                Kind::MailBounced(mail) | Kind::MailDropped(mail) if is_for_good(event, mail) => {
                    let said = mail.mail_id.as_deref().and_then(find).map(|(_, said)| said);
                    let is_of = |said: &&Event| {
                        let whom = said.person_claims();
                        event.who.is_empty()
                            || whom.iter().any(|claim| {
                                event.who.iter().any(|it| it.identifier() == claim.identifier())
                            })
                    };
                    let failed = said.filter(is_of).map(|said| (&said.key, &event.key));
                    unsaid.failed.extend(failed);
                }
                Kind::MessageDelivered(receipt) | Kind::MessageRead(receipt) => {
                    if let Some((_, said)) = find(&receipt.target) {
                        unsaid.failed.remove(&said.key);
                    }
                }
                Kind::MessageDeleted(correction) => match find(&correction.target) {
                    Some((_, said)) if said.direction == Direction::Out => {
                        unsaid.deleted.insert(&said.key);
                    }
                    Some((of, said)) if of >= answered && event.actor.kind.is_customer_side() => {
                        unsaid.withdrawn.insert(&said.key);
                    }
                    _ => {}
                },
                _ if event.is_agent_answer() => answered = place,
                _ => {}
            }
        }
        let answers = events.iter().filter(|event| event.is_agent_answer());
        unsaid.failures =
            answers.filter_map(|event| unsaid.failed.get(&event.key).copied()).collect();
        unsaid
    }

    fn into_all(self) -> impl Iterator<Item = &'a EventKey> {
        self.failed.into_keys().chain(self.deleted).chain(self.withdrawn)
    }

    /// Whether the customer could hear it.
    pub(super) fn was_heard(&self, event: &Event) -> bool {
        !self.failed.contains_key(&event.key) && !self.deleted.contains(&event.key)
    }
}

/// Whether a mail that came back, or was not sent, will not arrive any more: a hard bounce, or one of
/// which nobody says how, and one that the service did not send.
fn is_for_good(event: &Event, mail: &MailEvent) -> bool {
    match event.kind {
        Kind::MailDropped(_) => true,
        _ => matches!(mail.bounce, Some(Bounce::Hard) | None),
    }
}

/// What among these events, which stand in timeline order, is as if it had not been said: answers
/// that did not arrive or were deleted, and what the customer took back before anybody answered.
pub(crate) fn as_if_not_said<'a>(events: &[&'a Event]) -> HashSet<&'a EventKey> {
    if !events.iter().any(|event| unsays(event)) {
        return HashSet::new();
    }
    let in_none: Vec<&Event> =
        events.iter().copied().filter(|event| event.conversation.is_none()).collect();
    let threads = threads(events);
    let each = threads.values().chain([&in_none]);
    each.flat_map(|events| Unsaid::of(events).into_all()).collect()
}

/// Whether an event may say that another one is as if it had not been said.
pub(crate) const fn unsays(event: &Event) -> bool {
    matches!(
        event.kind,
        Kind::MessageFailed(_)
            | Kind::MessageDeleted(_)
            | Kind::MailBounced(_)
            | Kind::MailDropped(_)
    )
}
