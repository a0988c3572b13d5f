//! Orders: placed, paid, fulfilled, cancelled.

use cx_core::actor::{Actor, ActorType};
use cx_core::channel::Channel;
use cx_core::event::commerce::{Order, Tracking};
use cx_core::event::{Direction, Event, Kind, TimeOrigin};
use cx_core::identifier::Namespace;

use super::{
    Outcome, amount, bridge, currency, customer, lines, order_bridge, refund, rest, rest_of_lines,
};
use crate::json::{Moment, Object};
use crate::origin::{Origin, Part};
use crate::{Record, RecordError};

const MAPPED: &[&str] = &[
    "id",
    "name",
    "created_at",
    "updated_at",
    "currency",
    "total_price",
    "financial_status",
    "fulfillment_status",
    "cart_token",
    "checkout_id",
    "checkout_token",
    "line_items",
    "email",
    "contact_email",
    "phone",
    "customer",
    "fulfillments",
    "refunds",
    "cancelled_at",
    "cancel_reason",
];

/// An order and what became of it, each at its own time.
pub(super) fn records(origin: Origin<'_>, order: &Object<'_>) -> Outcome {
    let id = order.need("id")?;
    let created = order.need_moment("created_at")?;
    let updated = order.moment("updated_at")?.unwrap_or(created);
    let mut records: Vec<Record> =
        order.misshapen(&["customer"], &["fulfillments", "refunds"]).into_iter().map(Err).collect();
    if order.flag("test") == Some(true) {
        // Nobody buys anything and no money moves. Whose record it is stays known, so that it is
        // found and erased with them.
        let part = Part::of("order", &id, "test");
        let mut event = origin.custom(part, "test_order", order.rest(&[]), created)?;
        event.rev = Some(updated.at.to_string());
        event.channel = Channel::Commerce;
        (event.who, event.name) = customer::buyer(origin, order);
        event.who.extend(order_bridge(origin, &id));
        records.push(Ok(event));
        records.extend(customer::consents_of(origin, order));
        return Ok(records);
    }
    let data = data(order, &id)?;
    // One that came from another shop is as old as it was there.
    let processed = order.moment("processed_at")?;
    let bought = processed.filter(|processed| processed.at < created.at).unwrap_or(created);
    records.push(placed(origin, order, &id, bought, updated, data.clone()));
    let turned = |part: &str, kind: Kind, at: Moment, of: TimeOrigin| {
        let mut event = origin.event(Part::of("order", &id, part), kind, at)?;
        event.occurred_at_origin = of;
        event.rev = Some(updated.at.to_string());
        Ok(by_the_shop(origin, event, &id))
    };
    let thin = Order { lines: Vec::new(), tracking: Vec::new(), ..data };
    if matches!(thin.payment.as_deref(), Some("paid" | "partially_refunded" | "refunded")) {
        // The order does not say when it was paid: payment goes with the purchase.
        let at = processed.unwrap_or(created);
        records.push(turned("paid", Kind::OrderPaid(thin.clone().into()), at, TimeOrigin::Created));
    }
    if let Some(at) = order.moment("cancelled_at")? {
        let reason = order.text("cancel_reason");
        let kind = Kind::OrderCancelled(Order { reason, ..thin }.into());
        records.push(turned("cancelled", kind, at, TimeOrigin::Event));
    }
    for sent in order.list("fulfillments") {
        records.extend(
            fulfilment_of(origin, &sent, Some(&id)).unwrap_or_else(|error| vec![Err(error)]),
        );
    }
    for back in order.list("refunds") {
        records.extend(refund::records(origin, &back).unwrap_or_else(|error| vec![Err(error)]));
    }
    records.extend(customer::consents_of(origin, order));
    Ok(records)
}

fn data(order: &Object<'_>, id: &str) -> Result<Order, RecordError> {
    Ok(Order {
        order_id: id.to_owned(),
        name: order.text("name"),
        cart_id: order.text("cart_token"),
        checkout_id: order.first_text(&["checkout_id", "checkout_token"]),
        payment: order.text("financial_status"),
        fulfilment: order.text("fulfillment_status"),
        currency: currency(order, "currency")?,
        total: amount(order, "total_price")?,
        lines: lines(order)?,
        ..Order::default()
    })
}

fn placed(
    origin: Origin<'_>,
    order: &Object<'_>,
    id: &str,
    bought: Moment,
    updated: Moment,
    data: Order,
) -> Result<Event, RecordError> {
    let part = Part::of("order", id, "placed");
    let mut event = origin.event(part, Kind::OrderPlaced(data.into()), bought)?;
    event.rev = Some(updated.at.to_string());
    event.channel = Channel::Commerce;
    event.direction = Direction::In;
    event.actor = Actor::of(ActorType::Customer);
    (event.who, event.name) = customer::buyer(origin, order);
    event.who.extend(order_bridge(origin, id));
    event.who.extend(bridge(origin, Namespace::Cart, order.text("cart_token")));
    for field in ["checkout_id", "checkout_token"] {
        event.who.extend(bridge(origin, Namespace::Checkout, order.text(field)));
    }
    event.extra = rest(order, MAPPED, &event.who);
    Ok(event)
}

/// What the shop does to an order: it reaches the customer through the order.
pub(super) fn by_the_shop(origin: Origin<'_>, mut event: Event, order: &str) -> Event {
    event.channel = Channel::Commerce;
    event.direction = Direction::Out;
    event.actor = Actor::of(ActorType::System);
    event.who.extend(order_bridge(origin, order));
    event
}

/// States of a parcel that is not on its way: nothing of the order was sent with it.
const NOT_SENT: &[&str] = &["pending", "open", "cancelled"];

/// Parcels of an order.
pub(super) fn fulfilment(origin: Origin<'_>, sent: &Object<'_>) -> Outcome {
    fulfilment_of(origin, sent, None)
}

fn fulfilment_of(origin: Origin<'_>, sent: &Object<'_>, order: Option<&str>) -> Outcome {
    let id = sent.need("id")?;
    let order = match order {
        Some(order) => order.to_owned(),
        None => sent.need("order_id")?,
    };
    let created = sent.need_moment("created_at")?;
    let updated = sent.moment("updated_at")?.unwrap_or(created);
    let carrier = sent.text("tracking_company");
    let mut numbers = sent.texts("tracking_numbers");
    if numbers.is_empty() {
        numbers.extend(sent.text("tracking_number"));
    }
    let urls = sent.texts("tracking_urls");
    let tracking = numbers.into_iter().enumerate().map(|(position, number)| Tracking {
        carrier: carrier.clone(),
        number: Some(number),
        url: urls.get(position).cloned().or_else(|| sent.text("tracking_url")),
    });
    let data = Order {
        order_id: order.clone(),
        fulfilment: sent.text("status").map(|status| match status.as_str() {
            "success" => "fulfilled".to_owned(),
            _ => status,
        }),
        tracking: tracking.collect(),
        lines: lines(sent)?,
        ..Order::default()
    };
    let part = Part::whole("fulfillment", &id);
    let status = sent.text("status").unwrap_or_default();
    let mut event = if NOT_SENT.contains(&status.as_str()) {
        let name = format!("fulfillment_{status}");
        origin.custom(part, &name, data.to_json(), created)?
    } else {
        origin.event(part, Kind::OrderFulfilled(data.into()), created)?
    };
    event.rev = Some(updated.at.to_string());
    let mut event = by_the_shop(origin, event, &order);
    event.extra = sent.rest(&[
        "id",
        "order_id",
        "created_at",
        "updated_at",
        "status",
        "tracking_company",
        "tracking_number",
        "tracking_numbers",
        "tracking_url",
        "tracking_urls",
        "line_items",
    ]);
    event.extra.extend(rest_of_lines(sent).map(|lines| ("line_items".to_owned(), lines)));
    Ok(vec![Ok(event)])
}
