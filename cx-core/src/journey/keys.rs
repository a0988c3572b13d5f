//! What each event is about: a customer, a conversation, an order.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::definition::Key;
use crate::commerce::{Scopes, ids};
use crate::conversation;
use crate::event::Event;
use crate::identifier::{Identifier, Namespace};
use crate::time::Timestamp;

/// The key of each of these events, which stand in timeline order; `None` for one that is about
/// nothing of this kind.
pub(super) fn keys<'a>(key: Key, events: &[&'a Event]) -> Vec<Option<Cow<'a, str>>> {
    match key {
        Key::Customer => events.iter().map(|_| Some(Cow::from(""))).collect(),
        Key::Conversation => {
            let one = conversation::one_key_each(events);
            let key = |event: &&'a Event| {
                let key = &event.conversation.as_ref()?.key;
                Some(match one.get(key) {
                    Some(one) => Cow::from(one.as_str().to_owned()),
                    None => Cow::from(key.as_str()),
                })
            };
            events.iter().map(key).collect()
        }
        Key::Order => Orders::of(events).keys(),
    }
}

/// The order, the checkouts and the carts that an event names.
#[derive(Default)]
struct Named {
    order: Option<String>,
    checkouts: Vec<String>,
    carts: Vec<String>,
}

impl Named {
    /// What an event names by its claims; where it has none of a kind, by its data.
    fn of(event: &Event, scopes: &Scopes) -> Self {
        let told = ids(event);
        let named = |namespace: Namespace| -> Vec<String> {
            let claims = event.who.iter().map(crate::identifier::Claim::identifier);
            let claims = claims.filter(|it| *it.namespace() == namespace);
            let claimed: Vec<String> = claims.map(Identifier::to_string).collect();
            if !claimed.is_empty() {
                return claimed;
            }
            let told = told.iter().filter(|(of, _)| *of == namespace);
            let told = told.filter_map(|(_, id)| {
                let scope = scopes.place(event, namespace.clone(), (*id)?).scope;
                Identifier::normalise(namespace.clone(), &scope, (*id)?, None).ok()
            });
            told.map(|id| id.to_string()).collect()
        };
        Self {
            order: named(Namespace::Order).into_iter().next(),
            checkouts: named(Namespace::Checkout),
            carts: named(Namespace::Cart),
        }
    }

    fn places(&self) -> impl Iterator<Item = &String> {
        self.checkouts.iter().chain(&self.carts)
    }
}

/// When an order was first heard of, and which event that was.
type First = (Timestamp, usize);

/// Which carts and checkouts became which orders.
struct Orders {
    named: Vec<(Timestamp, Named)>,
    /// By cart or checkout its orders: a cart that a shop keeps may become several.
    became: BTreeMap<String, BTreeMap<First, String>>,
    /// The cart that a checkout came from.
    cart_of: BTreeMap<String, String>,
}

impl Orders {
    fn of(events: &[&Event]) -> Self {
        let scopes = Scopes::of(events);
        let named = events.iter().map(|event| (event.occurred_at, Named::of(event, &scopes)));
        let named = named.collect();
        let mut orders = Self { named, became: BTreeMap::new(), cart_of: BTreeMap::new() };
        let mut first: BTreeMap<&str, First> = BTreeMap::new();
        for (number, (at, named)) in orders.named.iter().enumerate() {
            let Some(order) = &named.order else {
                if let Some(cart) = named.carts.first() {
                    for checkout in &named.checkouts {
                        orders.cart_of.entry(checkout.clone()).or_insert_with(|| cart.clone());
                    }
                }
                continue;
            };
            let first = *first.entry(order).or_insert((*at, number));
            for place in named.places() {
                orders.became.entry(place.clone()).or_default().insert(first, order.clone());
            }
        }
        // From the cart by the checkout to the order, and from a checkout by the cart: two steps.
        for _ in 0..2 {
            let mut more = Vec::new();
            for (at, named) in orders.named.iter().filter(|(_, named)| named.order.is_none()) {
                let Some((first, order)) = orders.first_of(named, *at) else { continue };
                // A cart that is used again became this order before it became a later one.
                let is_before = |place: &&String, may_be_later: bool| {
                    let next = orders.next(place, *at);
                    next.is_none_or(|(next, _)| may_be_later && first < next)
                };
                let checkouts = named.checkouts.iter().filter(|it| is_before(it, false));
                let carts = named.carts.iter().filter(|it| is_before(it, true));
                let places = checkouts.chain(carts);
                more.extend(places.map(|place| (place.clone(), *first, order.clone())));
            }
            for (place, first, order) in more {
                orders.became.entry(place).or_default().insert(first, order);
            }
        }
        orders
    }

    /// The next order that a cart or a checkout became, seen from an instant.
    fn next(&self, place: &str, at: Timestamp) -> Option<(&First, &String)> {
        self.became.get(place)?.range((at, 0)..).next()
    }

    /// The first order that the checkouts of an event became, else its carts.
    fn first_of(&self, named: &Named, at: Timestamp) -> Option<(&First, &String)> {
        let first = |places: &[String]| places.iter().filter_map(|it| self.next(it, at)).min();
        first(&named.checkouts).or_else(|| first(&named.carts))
    }

    /// The order; where it is none yet, the cart or the checkout. What is said of a checkout after
    /// its order is about that order, of a cart it is about what comes next.
    fn keys<'a>(&self) -> Vec<Option<Cow<'a, str>>> {
        let key = |(at, named): &(Timestamp, Named)| {
            let next = || self.first_of(named, *at);
            let last = || {
                named.checkouts.iter().find_map(|place| self.became.get(place)?.last_key_value())
            };
            let stands = || {
                let checkout = named.checkouts.first();
                let cart = named.carts.first();
                cart.or_else(|| checkout.map(|it| self.cart_of.get(it).unwrap_or(it)))
            };
            let order = named.order.as_ref();
            let order = order.or_else(|| next().or_else(last).map(|(_, order)| order));
            order.or_else(stands).cloned().map(Cow::from)
        };
        self.named.iter().map(key).collect()
    }
}
