//! Carts and checkouts: what somebody is about to buy.

use cx_core::actor::{Actor, ActorType};
use cx_core::channel::Channel;
use cx_core::event::commerce::{Cart, Checkout};
use cx_core::event::{Direction, Event, Kind};
use cx_core::identifier::Namespace;
use cx_core::money::Amount;

use super::{Outcome, amount, bridge, currency, customer, lines, rest};
use crate::RecordError;
use crate::json::{Moment, Object};
use crate::origin::{Origin, Part};

/// A cart as it stood: each time it changed is an event. It names nobody.
pub(super) fn records(origin: Origin<'_>, cart: &Object<'_>) -> Outcome {
    let token =
        cart.first_text(&["token", "id"]).ok_or_else(|| cart.problem("token", "missing"))?;
    let told = cart.first_moment(&["updated_at", "created_at"])?;
    let (at, of) = origin.or_received(told, || cart.problem("updated_at", "missing"))?;
    let data = Cart {
        cart_id: Some(token.clone()),
        currency: currency(cart, "currency")?,
        total: total(cart)?,
        lines: lines(cart)?,
        url: cart.text("url"),
        ..Cart::default()
    };
    let part = if told.is_some() { at.at.to_string() } else { cart.digest() };
    let part = Part::of("cart", &token, &part);
    let mut event = origin.event(part, Kind::CartUpdated(data), at)?;
    event.occurred_at_origin = of;
    event.who.extend(bridge(origin, Namespace::Cart, Some(token)));
    event.extra = rest(
        cart,
        &["id", "token", "updated_at", "created_at", "line_items", "currency", "customer"],
        &event.who,
    );
    Ok(vec![Ok(by_the_customer(event))])
}

/// What the lines cost together; `None` where a line has no price.
fn total(cart: &Object<'_>) -> Result<Option<Amount>, RecordError> {
    if let Some(total) = amount(cart, "total_price")? {
        return Ok(Some(total));
    }
    let mut sum: Option<Amount> = None;
    for line in cart.list("line_items") {
        let Some(price) = amount(&line, "line_price")? else { return Ok(None) };
        sum = match sum {
            None => Some(price),
            Some(sum) => Some(
                sum.plus(price).map_err(|error| line.problem("line_price", error.to_string()))?,
            ),
        };
    }
    Ok(sum)
}

fn by_the_customer(mut event: Event) -> Event {
    event.channel = Channel::Commerce;
    event.direction = Direction::In;
    event.actor = Actor::of(ActorType::Customer);
    event
}

const MAPPED: &[&str] = &[
    "id",
    "token",
    "cart_token",
    "created_at",
    "updated_at",
    "completed_at",
    "currency",
    "total_price",
    "line_items",
    "email",
    "phone",
    "customer",
    "abandoned_checkout_url",
];

/// A checkout: begun, and completed where it says so.
pub(super) fn checkout(origin: Origin<'_>, checkout: &Object<'_>) -> Outcome {
    let id =
        checkout.first_text(&["id", "token"]).ok_or_else(|| checkout.problem("id", "missing"))?;
    let created = checkout.need_moment("created_at")?;
    let updated = checkout.moment("updated_at")?.unwrap_or(created);
    let data = Checkout {
        checkout_id: Some(id.clone()),
        cart_id: checkout.text("cart_token"),
        order_id: checkout.text("order_id"),
        currency: currency(checkout, "currency")?,
        total: amount(checkout, "total_price")?,
        lines: lines(checkout)?,
        url: checkout.text("abandoned_checkout_url"),
        ..Checkout::default()
    };
    let completed = checkout.moment("completed_at")?;
    let turn = |part: &str, kind: Kind, at: Moment| {
        let mut event = origin.event(Part::of("checkout", &id, part), kind, at)?;
        event.rev = Some(updated.at.to_string());
        (event.who, event.name) = customer::buyer(origin, checkout);
        for field in ["id", "token"] {
            event.who.extend(bridge(origin, Namespace::Checkout, checkout.text(field)));
        }
        event.who.extend(bridge(origin, Namespace::Cart, checkout.text("cart_token")));
        event.extra = rest(checkout, MAPPED, &event.who);
        Ok(by_the_customer(event))
    };
    let mut records: Vec<Result<Event, RecordError>> =
        checkout.misshapen(&["customer"], &[]).into_iter().map(Err).collect();
    records.push(turn("started", Kind::CheckoutStarted(data.clone()), created));
    if let Some(at) = completed {
        records.push(turn("completed", Kind::CheckoutCompleted(data), at));
    }
    records.extend(customer::consents_of(origin, checkout));
    Ok(records)
}
