//! Bridges: events that name nobody go to whoever is on the same order, cart or conversation.
//!
//! A bridge carries an event to a person and never makes one person of two.

use std::collections::{BTreeMap, BTreeSet};

use crate::identifier::{Identifier, Namespace};
use crate::ids::BundleId;
use crate::time::Timestamp;

/// A bundle of a person that stands on a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Carrier<C> {
    /// When an observation of the bundle first stood on the bridge.
    pub first_seen: Timestamp,
    /// The bundle.
    pub bundle: BundleId,
    /// Whose bundle it is.
    pub customer: C,
}

/// To whom events go that name nobody and stand on these bridges.
///
/// Orders, carts and checkouts speak first: if all who stand on them are one customer, the
/// events are that customer's; if they are several, they are nobody's. Without them the events
/// are the customer's who was first in the conversation. `None` where nobody is known.
pub fn owner<C: Copy + Ord>(
    carriers: impl IntoIterator<Item = (Identifier, Carrier<C>)>,
) -> Option<C> {
    let mut in_trade: BTreeSet<C> = BTreeSet::new();
    let mut in_talk: BTreeSet<Carrier<C>> = BTreeSet::new();
    for (bridge, carrier) in carriers {
        if *bridge.namespace() == Namespace::Conversation {
            in_talk.insert(carrier);
        } else {
            in_trade.insert(carrier.customer);
        }
    }
    if in_trade.is_empty() {
        return in_talk.first().map(|carrier| carrier.customer);
    }
    in_trade.first().copied().filter(|_| in_trade.len() == 1)
}

/// Bundles that name nobody, in groups that hang together through their bridges. Groups and
/// their members come in order.
pub fn groups(bundles: &BTreeMap<BundleId, Vec<Identifier>>) -> Vec<Vec<BundleId>> {
    let mut on: BTreeMap<&Identifier, Vec<BundleId>> = BTreeMap::new();
    for (bundle, bridges) in bundles {
        for bridge in bridges {
            on.entry(bridge).or_default().push(*bundle);
        }
    }
    let mut seen: BTreeSet<BundleId> = BTreeSet::new();
    let mut groups = Vec::new();
    for start in bundles.keys() {
        if !seen.insert(*start) {
            continue;
        }
        let mut group = vec![*start];
        let mut next = vec![*start];
        while let Some(bundle) = next.pop() {
            let bridges = bundles.get(&bundle).map(Vec::as_slice).unwrap_or_default();
            for other in bridges.iter().filter_map(|bridge| on.get(bridge)).flatten() {
                if seen.insert(*other) {
                    group.push(*other);
                    next.push(*other);
                }
            }
        }
        group.sort_unstable();
        groups.push(group);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(namespace: Namespace, seconds: i64, customer: u8) -> (Identifier, Carrier<u8>) {
        let bridge = Identifier::normalise(namespace, "shop", "b-17", None).unwrap();
        let first_seen = Timestamp::from_seconds(seconds).unwrap();
        let bundle = BundleId::from_bytes([customer; 16]);
        (bridge, Carrier { first_seen, bundle, customer })
    }

    #[test]
    fn a_refund_goes_to_whoever_ordered() {
        assert_eq!(owner([on(Namespace::Order, 1, 1), on(Namespace::Cart, 2, 1)]), Some(1));
    }

    #[test]
    fn an_order_of_two_customers_is_nobodys() {
        let two = [on(Namespace::Order, 1, 1), on(Namespace::Order, 2, 2)];
        assert_eq!(owner(two.into_iter().chain([on(Namespace::Conversation, 0, 1)])), None);
    }

    #[test]
    fn a_conversation_is_its_first_participants() {
        let talk = [on(Namespace::Conversation, 5, 1), on(Namespace::Conversation, 3, 2)];
        assert_eq!(owner(talk), Some(2));
    }
}
