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
pub struct CommerceFold {
    carts: BTreeMap<Option<String>, (Timestamp, OpenCart)>,
    checkouts: BTreeMap<Option<String>, (Timestamp, OpenCart, Option<String>)>,
    bought: BTreeSet<String>,
    orders: BTreeMap<String, OrderFold>,
}

#[derive(Debug, Clone, Default)]
struct OrderFold {
    latest: Option<(Timestamp, Order)>,
    placed_at: Option<Timestamp>,
    first_at: Option<Timestamp>,
    paid: bool,
    cancelled: bool,
    fulfilment: Option<(Timestamp, Option<String>)>,
    tracking: Vec<Tracking>,
    refunds: BTreeMap<String, Refund>,
}

impl CommerceFold {
    /// Takes an event; those that are not about commerce change nothing.
    pub fn push(&mut self, event: &Event) {
        let at = event.occurred_at;
        match &event.kind {
            Kind::CartUpdated(cart) | Kind::CartViewed(cart) | Kind::CartAbandoned(cart) => {
                self.take_cart(at, cart);
            }
            Kind::CheckoutStarted(checkout) => self.take_checkout(at, checkout),
            Kind::CheckoutCompleted(checkout) => {
                self.buy(event);
                self.bought.extend(checkout.checkout_id.clone());
                self.bought.extend(checkout.cart_id.clone());
            }
            Kind::OrderPlaced(order) => {
                self.buy(event);
                let fold = self.order(at, order);
                fold.placed_at = Some(fold.placed_at.map_or(at, |placed| placed.min(at)));
            }
            Kind::OrderUpdated(order) => {
                self.buy(event);
                self.order(at, order);
            }
            Kind::OrderPaid(order) => self.order(at, order).paid = true,
            Kind::OrderCancelled(order) => self.order(at, order).cancelled = true,
            Kind::OrderFulfilled(order) => {
                let fold = self.order(at, order);
                if fold.fulfilment.as_ref().is_none_or(|(when, _)| *when <= at) {
                    fold.fulfilment = Some((at, order.fulfilment.clone()));
                }
                for parcel in &order.tracking {
                    if !fold.tracking.contains(parcel) {
                        fold.tracking.push(parcel.clone());
                    }
                }
            }
            Kind::OrderRefunded(refund) => {
                let fold = self.orders.entry(refund.order_id.clone()).or_default();
                fold.first_at = Some(fold.first_at.map_or(at, |first| first.min(at)));
                let id = refund.refund_id.clone().unwrap_or_else(|| event.key.to_string());
                fold.refunds.insert(id, refund.clone());
            }
            _ => {}
        }
    }

    fn take_cart(&mut self, at: Timestamp, cart: &Cart) {
        let known = self.carts.get(&cart.cart_id).is_some_and(|(when, _)| *when > at);
        // Looking at a cart says nothing about what is in it, unless the source says so.
        if known
            || cart.lines.is_empty()
                && self.carts.contains_key(&cart.cart_id)
                && cart.total.is_none()
        {
            return;
        }
        let open = OpenCart {
            id: cart.cart_id.clone(),
            at,
            currency: cart.currency,
            total: cart.total.or_else(|| sum(&cart.lines)),
            lines: cart.lines.clone(),
            url: cart.url.clone(),
        };
        self.carts.insert(cart.cart_id.clone(), (at, open));
    }

    fn take_checkout(&mut self, at: Timestamp, checkout: &Checkout) {
        if self.checkouts.get(&checkout.checkout_id).is_some_and(|(when, ..)| *when > at) {
            return;
        }
        let open = OpenCart {
            id: checkout.checkout_id.clone(),
            at,
            currency: checkout.currency,
            total: checkout.total.or_else(|| sum(&checkout.lines)),
            lines: checkout.lines.clone(),
            url: checkout.url.clone(),
        };
        if checkout.order_id.is_some() {
            self.bought.extend(checkout.checkout_id.clone());
        }
        self.checkouts.insert(checkout.checkout_id.clone(), (at, open, checkout.cart_id.clone()));
    }

    /// Notes every cart and checkout that an event says became an order.
    fn buy(&mut self, event: &Event) {
        let bridges = event.who.iter().map(Claim::identifier);
        let bridges = bridges.filter(|identifier| {
            matches!(identifier.namespace(), Namespace::Cart | Namespace::Checkout)
        });
        self.bought.extend(bridges.map(|identifier| identifier.key().to_owned()));
    }

    fn order(&mut self, at: Timestamp, order: &Order) -> &mut OrderFold {
        self.bought.extend(order.cart_id.clone());
        self.bought.extend(order.checkout_id.clone());
        let fold = self.orders.entry(order.order_id.clone()).or_default();
        fold.first_at = Some(fold.first_at.map_or(at, |first| first.min(at)));
        let is_newer = fold.latest.as_ref().is_none_or(|(when, latest)| {
            // An event that says less does not take away what another one said.
            (*when <= at && (order.total.is_some() || latest.total.is_none()))
                || latest.total.is_none() && order.total.is_some()
        });
        if is_newer {
            fold.latest = Some((at, order.clone()));
        }
        fold
    }

    /// What the customer buys, as the events leave it.
    pub fn finish(self) -> Commerce {
        let bought = self.bought;
        let is_open = |id: &Option<String>| id.as_ref().is_none_or(|id| !bought.contains(id));
        let checkout = self
            .checkouts
            .into_values()
            .filter(|(_, open, cart)| is_open(&open.id) && is_open(cart))
            .max_by(|a, b| (a.0, &a.1.id).cmp(&(b.0, &b.1.id)))
            .map(|(_, open, _)| open);
        let cart = self
            .carts
            .into_values()
            .filter(|(_, open)| is_open(&open.id) && !open.lines.is_empty())
            .max_by(|a, b| (a.0, &a.1.id).cmp(&(b.0, &b.1.id)))
            .map(|(_, open)| open);
        let mut orders: Vec<OrderState> =
            self.orders.into_iter().filter_map(|(id, fold)| fold.finish(id)).collect();
        orders.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
        let spent = spent(&orders);
        Commerce { cart, checkout, orders, spent }
    }
}

impl OrderFold {
    fn finish(self, id: String) -> Option<OrderState> {
        let order = self.latest.map(|(_, order)| order).unwrap_or_default();
        let refunded = self.refunds.values().try_fold(Amount::default(), |sum, refund| {
            if sum.is_zero() { Ok(refund.amount) } else { sum.plus(refund.amount) }
        });
        let refunded = refunded.ok().filter(|_| !self.refunds.is_empty());
        let currency = order.currency.or_else(|| self.refunds.values().find_map(|r| r.currency));
        let state = if self.cancelled {
            "cancelled".to_owned()
        } else {
            let paid = if self.paid { "paid" } else { "placed" };
            order.payment.clone().unwrap_or_else(|| paid.to_owned())
        };
        let fulfilment = match self.fulfilment {
            Some((_, fulfilment)) => Some(fulfilment.unwrap_or_else(|| "fulfilled".to_owned())),
            None => order.fulfilment.clone(),
        };
        let mut tracking = self.tracking;
        tracking.extend(order.tracking.iter().cloned());
        tracking
            .sort_by(|a, b| (&a.number, &a.url, &a.carrier).cmp(&(&b.number, &b.url, &b.carrier)));
        tracking.dedup();
        Some(OrderState {
            id,
            name: order.name,
            at: self.placed_at.or(self.first_at)?,
            state,
            fulfilment,
            currency,
            total: order.total,
            refunded,
            lines: order.lines,
            tracking,
        })
    }
}

fn sum(lines: &[Line]) -> Option<Amount> {
    let mut sum: Option<Amount> = None;
    for line in lines {
        let price = line.price?;
        for _ in 0..line.quantity.min(10_000) {
            sum = Some(match sum {
                None => price,
                Some(sum) => sum.plus(price).ok()?,
            });
        }
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
