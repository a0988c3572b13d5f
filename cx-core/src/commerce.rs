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
    /// The state of delivery, as the shop has it; `partial` where only a part was sent.
    pub fulfilment: Option<String>,
    /// The currency of all amounts.
    pub currency: Option<Currency>,
    /// What it all cost.
    pub total: Option<Amount>,
    /// How much was given back in the currency of the order.
    pub refunded: Option<Amount>,
    /// How much was given back in others.
    pub refunded_in: BTreeMap<Currency, Amount>,
    /// What was ordered.
    pub lines: Vec<Line>,
    /// Where the parcels are.
    pub tracking: Vec<Tracking>,
}

/// What a customer buys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commerce {
    /// The cart that was changed last, unless it is empty or became an order; of several shops the
    /// latest of these.
    pub cart: Option<OpenCart>,
    /// The checkout that was begun last, unless it became an order; of several shops the latest of
    /// these.
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
    /// What the latest parcel that is on its way, or was, says of the delivery.
    parcel: Option<String>,
    currency: Option<Currency>,
    total: Option<Amount>,
    lines: Vec<Line>,
    /// The lines that were sent last.
    sent: Vec<Line>,
    /// How many of each article were sent in all.
    n_sent: BTreeMap<String, u64>,
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
                if checkout.cart_id.is_none() {
                    self.buy_nameless_cart(event);
                }
                if checkout.checkout_id.is_none() {
                    self.buy_nameless_checkout(event);
                }
            }
            Kind::OrderPlaced(order) => {
                let claims = |namespace| {
                    event.who.iter().any(|it| *it.identifier().namespace() == namespace)
                };
                let is_cart_named = order.cart_id.is_some() || claims(Namespace::Cart);
                let is_checkout_named = order.checkout_id.is_some() || claims(Namespace::Checkout);
                if !is_cart_named {
                    self.buy_nameless_cart(event);
                }
                if !is_checkout_named {
                    self.buy_nameless_checkout(event);
                }
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
                fold.send(order);
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
        if !is_told {
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
            if checkout.checkout_id.is_none() {
                self.buy_nameless_checkout(event);
                if checkout.cart_id.is_none() {
                    self.buy_nameless_cart(event);
                }
                return;
            }
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

    /// Takes away the current cart of a source that names none: it became an order.
    fn buy_nameless_cart(&mut self, event: &Event) {
        self.carts.remove(&(event.source.scope(), None));
    }

    /// The same of a checkout.
    fn buy_nameless_checkout(&mut self, event: &Event) {
        self.checkouts.remove(&(event.source.scope(), None));
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
        later(&mut fold.currency, order.currency.as_ref());
        // What was sent may be a part of it.
        let is_sent = matches!(event.kind, Kind::OrderFulfilled(_));
        if !is_sent {
            later(&mut fold.total, order.total.as_ref());
            if order.fulfilment.is_some() {
                fold.fulfilment.clone_from(&order.fulfilment);
                // What is told of the whole later than of a parcel counts.
                if !matches!(event.kind, Kind::OrderPlaced(_)) {
                    fold.parcel = None;
                }
            }
        }
        if !order.lines.is_empty() {
            let lines = if is_sent { &mut fold.sent } else { &mut fold.lines };
            lines.clone_from(&order.lines);
        }
        fold.tracking.extend(order.tracking.iter().cloned());
        fold
    }

    fn finish(self) -> Commerce {
        let (mut carts, checkouts) = (self.bought_carts, self.bought_checkouts);
        let is_bought = |bought: &BTreeSet<Place>, (scope, id): &(String, Option<String>)| {
            let place = |id: &String| Place { scope: scope.clone(), id: id.clone() };
            id.as_ref().is_some_and(|id| bought.contains(&place(id)))
        };
        // With a checkout the cart it came from was bought.
        let bought = self.checkouts.iter().filter(|(place, _)| is_bought(&checkouts, place));
        carts.extend(bought.filter_map(|(_, (_, cart))| cart.clone()));
        let begun = self.checkouts.into_iter().map(|(place, (open, cart))| {
            let is_open = !is_bought(&checkouts, &place)
                && cart.as_ref().is_none_or(|cart| !carts.contains(cart));
            (place, open, is_open)
        });
        let checkout = last_if_open(begun);
        let filled = self.carts.into_iter().map(|(place, open)| {
            let is_open = !is_bought(&carts, &place) && !open.lines.is_empty();
            (place, open, is_open)
        });
        let cart = last_if_open(filled);
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

/// Of each source the one that was changed last, where it is open; of these the latest.
fn last_if_open(
    all: impl Iterator<Item = ((String, Option<String>), OpenCart, bool)>,
) -> Option<OpenCart> {
    let mut last: BTreeMap<String, (Option<String>, OpenCart, bool)> = BTreeMap::new();
    for ((scope, id), open, is_open) in all {
        let is_later =
            last.get(&scope).is_none_or(|(known, it, _)| (it.at, known) < (open.at, &id));
        if is_later {
            last.insert(scope, (id, open, is_open));
        }
    }
    let open = last.into_iter().filter(|(_, (.., is_open))| *is_open);
    let open = open.map(|(scope, (id, open, _))| (open.at, scope, id, open));
    let latest = open.max_by(|a, b| (a.0, &a.1, &a.2).cmp(&(b.0, &b.1, &b.2)));
    latest.map(|(.., open)| open)
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

/// What is said of an order, or of a parcel, that was sent.
const SENT: &str = "fulfilled";

/// By what a line of an order and one of a parcel are the same.
fn article(line: &Line) -> &str {
    line.sku.as_deref().unwrap_or(&line.name)
}

fn later<T: Clone>(known: &mut Option<T>, said: Option<&T>) {
    if let Some(said) = said {
        *known = Some(said.clone());
    }
}

impl OrderFold {
    /// Takes a parcel, or that all was sent.
    fn send(&mut self, order: &Order) {
        let word = order.fulfilment.as_deref().unwrap_or(SENT);
        // One that was called off says nothing of the others.
        if matches!(word, "cancelled" | "canceled" | "error") {
            return;
        }
        self.parcel = Some(word.to_owned());
        for line in &order.lines {
            let n = self.n_sent.entry(article(line).to_owned()).or_insert(0);
            *n = n.saturating_add(line.quantity);
        }
    }

    /// How far the delivery is: what is told of a parcel is not told of the whole order.
    fn delivery(&self) -> Option<String> {
        let (own, parcel) = (self.fulfilment.as_deref(), self.parcel.as_deref());
        let is_whole = matches!(parcel, Some(SENT | "success"));
        if !is_whole {
            return parcel.or(own).map(str::to_owned);
        }
        let mut missing: BTreeMap<&str, u64> = BTreeMap::new();
        for line in &self.lines {
            let n = missing.entry(article(line)).or_insert(0);
            *n = n.saturating_add(line.quantity);
        }
        let is_sent = |(article, n): (&&str, &u64)| self.n_sent.get(*article) >= Some(n);
        let is_known = !self.n_sent.is_empty() && !missing.is_empty();
        let is_part = is_known && !missing.iter().all(is_sent);
        let word = match own {
            Some(SENT) => SENT,
            Some(own) if own.starts_with("partial") && (is_part || !is_known) => own,
            Some(_) | None if is_part => "partial",
            Some(_) | None => parcel.unwrap_or(SENT),
        };
        Some(word.to_owned())
    }

    fn finish(self, id: String) -> Option<OrderState> {
        let fulfilment = self.delivery();
        let given: BTreeSet<Currency> =
            self.refunds.values().filter_map(|refund| refund.currency).collect();
        // Where only refunds tell a currency, and all the same one, it is the order's.
        let only = given.first().copied().filter(|_| given.len() == 1);
        let currency = self.currency.or(only);
        // Amounts in two currencies are no sum. One that tells none is in that of the order.
        let mut sums: BTreeMap<Option<Currency>, Option<Amount>> = BTreeMap::new();
        for refund in self.refunds.values() {
            let amount = Some(refund.amount);
            let sum = sums.entry(refund.currency.or(currency)).or_insert(Some(Amount::default()));
            *sum = match *sum {
                Some(sum) if sum.is_zero() => amount,
                sum => sum.zip(amount).and_then(|(sum, amount)| sum.plus(amount).ok()),
            };
        }
        let refunded = sums.remove(&currency).flatten().filter(|sum| !sum.is_zero());
        let others = sums.into_iter().filter_map(|(of, sum)| Some((of?, sum?)));
        let refunded_in = others.filter(|(_, sum)| !sum.is_zero()).collect();
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
            fulfilment,
            currency,
            total,
            refunded,
            refunded_in,
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
