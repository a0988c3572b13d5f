//! Commerce: carts and orders as folds over events.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::commerce::{Cart, Checkout, Line, Order, Refund, Tracking};
use crate::event::{Event, Kind};
use crate::identifier::{Claim, Namespace};
use crate::money::{Amount, Currency, Money};
use crate::time::Timestamp;

/// A cart or a checkout that nobody has paid for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCart {
    /// Its id; `None` for the current cart of a source that names none.
    pub id: Option<String>,
    /// When it last changed.
    pub at: Timestamp,
    /// The currency of all amounts.
    pub currency: Option<Currency>,
    /// What it all costs: as the source says, else the sum of the lines.
    pub total: Option<Amount>,
    /// What is in it.
    pub lines: Vec<Line>,
    /// Where the customer can go on.
    pub url: Option<String>,
}

/// An order as its events leave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderState {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: Option<String>,
    /// When it was placed; when it was first heard of, if nothing says so.
    pub at: Timestamp,
    /// The state of payment, or `cancelled`, or `refunded`.
    pub state: String,
    /// The state of delivery, as the shop has it.
    pub fulfilment: Option<String>,
    /// The currency of all amounts.
    pub currency: Option<Currency>,
    /// What it all cost.
    pub total: Option<Amount>,
    /// How much was given back.
    pub refunded: Option<Amount>,
    /// What was ordered.
    pub lines: Vec<Line>,
    /// Where the parcels are.
    pub tracking: Vec<Tracking>,
}

/// What a customer buys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commerce {
    /// The cart that was changed last, unless it is empty or became an order.
    pub cart: Option<OpenCart>,
    /// The checkout that was begun last, unless it became an order.
    pub checkout: Option<OpenCart>,
    /// The orders, newest first.
    pub orders: Vec<OrderState>,
    /// How much was ordered and not cancelled, by currency.
    pub spent: Vec<Money>,
}

/// Folds the commerce events of one customer. The outcome does not depend on their order.
#[derive(Debug, Clone, Default)]
pub struct CommerceFold<'a>(Vec<&'a Event>);

/// A cart, a checkout or an order: an id means something only within its source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) scope: String,
    id: String,
}

/// What the events say, taken in timeline order.
#[derive(Debug, Default)]
struct Taken {
    /// By scope and id; the current cart of a source that names none has no id.
    carts: BTreeMap<(String, Option<String>), OpenCart>,
    /// The same, with the cart a checkout came from.
    checkouts: BTreeMap<(String, Option<String>), (OpenCart, Option<Place>)>,
    bought_carts: BTreeSet<Place>,
    bought_checkouts: BTreeSet<Place>,
    orders: BTreeMap<Place, OrderFold>,
}

/// An order; of each thing that is said of it the latest word.
#[derive(Debug, Default)]
struct OrderFold {
    placed_at: Option<Timestamp>,
    first_at: Option<Timestamp>,
    name: Option<String>,
    payment: Option<String>,
    cancelled: bool,
    fulfilment: Option<String>,
    currency: Option<Currency>,
    total: Option<Amount>,
    lines: Vec<Line>,
    /// The lines that were sent last.
    sent: Vec<Line>,
    tracking: Vec<Tracking>,
    refunds: BTreeMap<String, Refund>,
}

/// In which scope each source means its ids: that of the claims beside them, where some event of
/// the source has one; else its own.
pub(crate) struct Scopes(BTreeMap<(Namespace, Place), String>);

impl<'a> CommerceFold<'a> {
    /// Takes an event; those that are not about commerce change nothing.
    pub fn push(&mut self, event: &'a Event) {
        if !ids(event).is_empty() {
            self.0.push(event);
        }
    }

    /// What the customer buys, as the events leave it.
    pub fn finish(self) -> Commerce {
        let mut events = self.0;
        events.sort_by(|a, b| a.timeline_cmp(b));
        let scopes = Scopes::of(&events);
        let mut taken = Taken::default();
        for event in events {
            taken.take(event, &scopes);
        }
        taken.finish()
    }
}

/// The ids by which an event names carts, checkouts and orders; one of them without an id where the
/// event is about commerce and names none.
pub(crate) fn ids(event: &Event) -> Vec<(Namespace, Option<&str>)> {
    use Namespace::{Cart, Checkout, Order};
    match &event.kind {
        Kind::CartUpdated(cart) | Kind::CartViewed(cart) | Kind::CartAbandoned(cart) => {
            vec![(Cart, cart.cart_id.as_deref())]
        }
        Kind::CheckoutStarted(checkout) | Kind::CheckoutCompleted(checkout) => vec![
            (Checkout, checkout.checkout_id.as_deref()),
            (Cart, checkout.cart_id.as_deref()),
            (Order, checkout.order_id.as_deref()),
        ],
        Kind::OrderPlaced(order)
        | Kind::OrderUpdated(order)
        | Kind::OrderPaid(order)
        | Kind::OrderCancelled(order)
        | Kind::OrderFulfilled(order) => vec![
            (Order, Some(&order.order_id)),
            (Cart, order.cart_id.as_deref()),
            (Checkout, order.checkout_id.as_deref()),
        ],
        Kind::OrderRefunded(refund) => vec![(Order, Some(&refund.order_id))],
        _ => Vec::new(),
    }
}

impl Scopes {
    pub(crate) fn of(events: &[&Event]) -> Self {
        let mut scopes: BTreeMap<(Namespace, Place), String> = BTreeMap::new();
        for event in events {
            for (namespace, id) in ids(event) {
                let Some(id) = id else { continue };
                let Some(scope) = claimed(event, &namespace, id) else { continue };
                let place = Place { scope: event.source.scope(), id: id.to_owned() };
                // Where a source says several, its events without a claim mean the smallest.
                let known = scopes.entry((namespace, place)).or_insert_with(|| scope.to_owned());
                if scope < known.as_str() {
                    scope.clone_into(known);
                }
            }
        }
        Self(scopes)
    }

    /// What an event means by an id.
    pub(crate) fn place(&self, event: &Event, namespace: Namespace, id: &str) -> Place {
        let own = Place { scope: event.source.scope(), id: id.to_owned() };
        let scope = match claimed(event, &namespace, id) {
            Some(scope) => Some(scope.to_owned()),
            None => self.0.get(&(namespace, own.clone())).cloned(),
        };
        match scope {
            Some(scope) => Place { scope, ..own },
            None => own,
        }
    }
}

/// The scope of the claim that names what an event calls by this id.
fn claimed<'a>(event: &'a Event, namespace: &Namespace, id: &str) -> Option<&'a str> {
    let claims = event.who.iter().filter(|claim| claim.identifier().namespace() == namespace);
    let mut scopes = claims
        .filter(|claim| claim.raw() == id || claim.identifier().key() == id)
        .map(|claim| claim.identifier().scope());
    scopes.next().filter(|scope| !scope.is_empty())
}

impl Taken {
    fn take(&mut self, event: &Event, scopes: &Scopes) {
        let at = event.occurred_at;
        match &event.kind {
            Kind::CartUpdated(cart) | Kind::CartViewed(cart) | Kind::CartAbandoned(cart) => {
                self.take_cart(event, cart, scopes);
            }
            Kind::CheckoutStarted(checkout) => self.take_checkout(event, checkout, scopes),
            Kind::CheckoutCompleted(checkout) => {
                self.buy(
                    event,
                    scopes,
                    checkout.cart_id.as_deref(),
                    checkout.checkout_id.as_deref(),
                );
            }
            Kind::OrderPlaced(order) => {
                let fold = self.order(event, order, scopes);
                fold.placed_at.get_or_insert(at);
            }
            Kind::OrderUpdated(order) => {
                self.order(event, order, scopes);
            }
            Kind::OrderPaid(order) => {
                let fold = self.order(event, order, scopes);
                fold.payment = Some(order.payment.clone().unwrap_or_else(|| "paid".to_owned()));
            }
            Kind::OrderCancelled(order) => self.order(event, order, scopes).cancelled = true,
            Kind::OrderFulfilled(order) => {
                let fold = self.order(event, order, scopes);
                let fulfilment = order.fulfilment.clone();
                fold.fulfilment = Some(fulfilment.unwrap_or_else(|| "fulfilled".to_owned()));
            }
            Kind::OrderRefunded(refund) => {
                let place = scopes.place(event, Namespace::Order, &refund.order_id);
                let fold = self.orders.entry(place).or_default();
                fold.first_at.get_or_insert(at);
                let id = refund.refund_id.clone().unwrap_or_else(|| event.key.to_string());
                fold.refunds.insert(id, refund.clone());
            }
            _ => {}
        }
    }

    fn take_cart(&mut self, event: &Event, cart: &Cart, scopes: &Scopes) {
        let place = where_it_is(event, Namespace::Cart, cart.cart_id.as_deref(), scopes);
        // Looking at a cart says nothing about what is in it, unless the source says so.
        let is_told = matches!(event.kind, Kind::CartUpdated(_))
            || !cart.lines.is_empty()
            || cart.total.is_some();
        if !is_told && self.carts.contains_key(&place) {
            return;
        }
        let open = OpenCart {
            id: cart.cart_id.clone(),
            at: event.occurred_at,
            currency: cart.currency,
            total: cart.total.or_else(|| sum(&cart.lines)),
            lines: cart.lines.clone(),
            url: cart.url.clone(),
        };
        self.carts.insert(place, open);
    }

    fn take_checkout(&mut self, event: &Event, checkout: &Checkout, scopes: &Scopes) {
        if checkout.order_id.is_some() {
            self.buy(event, scopes, None, checkout.checkout_id.as_deref());
        }
        let id = checkout.checkout_id.as_deref();
        let cart = checkout.cart_id.as_deref();
        let cart = cart.map(|id| scopes.place(event, Namespace::Cart, id));
        let open = OpenCart {
            id: checkout.checkout_id.clone(),
            at: event.occurred_at,
            currency: checkout.currency,
            total: checkout.total.or_else(|| sum(&checkout.lines)),
            lines: checkout.lines.clone(),
            url: checkout.url.clone(),
        };
        let place = where_it_is(event, Namespace::Checkout, id, scopes);
        self.checkouts.insert(place, (open, cart));
    }

    /// Notes which carts and checkouts an event says became an order.
    fn buy(&mut self, event: &Event, scopes: &Scopes, cart: Option<&str>, checkout: Option<&str>) {
        let place = |namespace, id: Option<&str>| Some(scopes.place(event, namespace, id?));
        self.bought_carts.extend(place(Namespace::Cart, cart));
        self.bought_checkouts.extend(place(Namespace::Checkout, checkout));
        // Those it stands on, also where its data name none.
        for identifier in event.who.iter().map(Claim::identifier) {
            let bought = match identifier.namespace() {
                Namespace::Cart => &mut self.bought_carts,
                Namespace::Checkout => &mut self.bought_checkouts,
                _ => continue,
            };
            bought.insert(scopes.place(event, identifier.namespace().clone(), identifier.key()));
        }
    }

    fn order(&mut self, event: &Event, order: &Order, scopes: &Scopes) -> &mut OrderFold {
        self.buy(event, scopes, order.cart_id.as_deref(), order.checkout_id.as_deref());
        let place = scopes.place(event, Namespace::Order, &order.order_id);
        let fold = self.orders.entry(place).or_default();
        fold.first_at.get_or_insert(event.occurred_at);
        // An event that says less does not take away what another one said.
        later(&mut fold.name, order.name.as_ref());
        later(&mut fold.payment, order.payment.as_ref());
        later(&mut fold.fulfilment, order.fulfilment.as_ref());
        later(&mut fold.currency, order.currency.as_ref());
        // What was sent may be a part of it.
        let is_sent = matches!(event.kind, Kind::OrderFulfilled(_));
        if !is_sent {
            later(&mut fold.total, order.total.as_ref());
        }
        if !order.lines.is_empty() {
            let lines = if is_sent { &mut fold.sent } else { &mut fold.lines };
            lines.clone_from(&order.lines);
        }
        fold.tracking.extend(order.tracking.iter().cloned());
        fold
    }

    fn finish(self) -> Commerce {
        let (carts, checkouts) = (self.bought_carts, self.bought_checkouts);
        let is_bought = |bought: &BTreeSet<Place>, (scope, id): &(String, Option<String>)| {
            let place = |id: &String| Place { scope: scope.clone(), id: id.clone() };
            id.as_ref().is_some_and(|id| bought.contains(&place(id)))
        };
        let checkout = self
            .checkouts
            .into_iter()
            .filter(|(place, (_, cart))| {
                !is_bought(&checkouts, place)
                    && cart.as_ref().is_none_or(|cart| !carts.contains(cart))
            })
            .max_by(|(a, (x, _)), (b, (y, _))| (x.at, a).cmp(&(y.at, b)))
            .map(|(_, (open, _))| open);
        let cart = self
            .carts
            .into_iter()
            .filter(|(place, open)| !is_bought(&carts, place) && !open.lines.is_empty())
            .max_by(|(a, x), (b, y)| (x.at, a).cmp(&(y.at, b)))
            .map(|(_, open)| open);
        let orders = self.orders.into_iter();
        let mut orders: Vec<(Place, OrderState)> = orders
            .filter_map(|(place, fold)| Some((place.clone(), fold.finish(place.id)?)))
            .collect();
        orders.sort_by(|(a, x), (b, y)| (y.at, &b.id, &b.scope).cmp(&(x.at, &a.id, &a.scope)));
        let orders: Vec<OrderState> = orders.into_iter().map(|(_, order)| order).collect();
        let spent = spent(&orders);
        Commerce { cart, checkout, orders, spent }
    }
}

fn where_it_is(
    event: &Event,
    namespace: Namespace,
    id: Option<&str>,
    scopes: &Scopes,
) -> (String, Option<String>) {
    match id {
        Some(id) => {
            let place = scopes.place(event, namespace, id);
            (place.scope, Some(place.id))
        }
        None => (event.source.scope(), None),
    }
}

fn later<T: Clone>(known: &mut Option<T>, said: Option<&T>) {
    if let Some(said) = said {
        *known = Some(said.clone());
    }
}

impl OrderFold {
    fn finish(self, id: String) -> Option<OrderState> {
        let refunded = self.refunds.values().try_fold(Amount::default(), |sum, refund| {
            if sum.is_zero() { Ok(refund.amount) } else { sum.plus(refund.amount) }
        });
        let refunded = refunded.ok().filter(|_| !self.refunds.is_empty());
        let currency = self.currency.or_else(|| self.refunds.values().find_map(|r| r.currency));
        let total = self.total.or_else(|| sum(&self.lines));
        let is_given_back = match (refunded, total) {
            (Some(refunded), Some(total)) => !total.is_zero() && refunded >= total,
            _ => false,
        };
        let state = if self.cancelled {
            "cancelled".to_owned()
        } else if is_given_back {
            "refunded".to_owned()
        } else {
            self.payment.unwrap_or_else(|| "placed".to_owned())
        };
        let mut tracking = self.tracking;
        tracking
            .sort_by(|a, b| (&a.number, &a.url, &a.carrier).cmp(&(&b.number, &b.url, &b.carrier)));
        tracking.dedup();
        Some(OrderState {
            id,
            name: self.name,
            at: self.placed_at.or(self.first_at)?,
            state,
            fulfilment: self.fulfilment,
            currency,
            total,
            refunded,
            lines: if self.lines.is_empty() { self.sent } else { self.lines },
            tracking,
        })
    }
}

fn sum(lines: &[Line]) -> Option<Amount> {
    let mut sum: Option<Amount> = None;
    for line in lines.iter().filter(|line| line.quantity > 0) {
        let cost = line.price?.times(line.quantity).ok()?;
        sum = Some(match sum {
            None => cost,
            Some(sum) => sum.plus(cost).ok()?,
        });
    }
    sum
}

fn spent(orders: &[OrderState]) -> Vec<Money> {
    let mut spent: BTreeMap<Currency, Money> = BTreeMap::new();
    for order in orders.iter().filter(|order| order.state != "cancelled") {
        let (Some(total), Some(currency)) = (order.total, order.currency) else { continue };
        let Ok(money) = Money::new(total, currency) else { continue };
        let sum = spent.get(&currency).map_or(Ok(money), |sum| sum.plus(money));
        if let Ok(sum) = sum {
            spent.insert(currency, sum);
        }
    }
    spent.into_values().collect()
}
