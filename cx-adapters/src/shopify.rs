//! Shopify: orders, carts, checkouts, fulfilments, refunds and customers.
//!
//! A cart names nobody and a refund names only its order: carts, checkouts and orders are bridges
//! to the person who stands on them. An order with the same checkout or cart closes both, also
//! where it is dated earlier.

mod cart;
mod customer;
mod order;
mod refund;

use cx_core::event::commerce::Line;
use cx_core::identifier::{Assurance, Claim, Namespace, Role};
use cx_core::money::{Amount, Currency};
use serde_json::{Map, Value};

use crate::json::{self, Object};
use crate::origin::{self, Origin};
use crate::{Options, Record, RecordError};

/// The events in Shopify's records: API answers and webhook bodies.
///
/// ```
/// let cart = br#"{"token": "c1", "updated_at": "2026-03-02T20:10:00+01:00",
///     "line_items": [{"title": "Bread knife", "quantity": 1, "price": "24.95"}]}"#;
/// let options = cx_adapters::Options::of("acme");
/// let events: Vec<_> = cx_adapters::shopify::events(cart, &options).collect::<Result<_, _>>()?;
/// assert_eq!(events[0].kind.name(), "cart.updated");
/// # Ok::<(), cx_adapters::RecordError>(())
/// ```
pub fn events<'a>(bytes: &'a [u8], options: &'a Options) -> Box<dyn Iterator<Item = Record> + 'a> {
    let origin = Origin::new("shopify", options);
    json::records(bytes, move |document| records(origin, document))
}

/// The records of one object, or why it gives none.
type Outcome = Result<Vec<Record>, RecordError>;

type Read = fn(Origin<'_>, &Object<'_>) -> Outcome;

const WRAPPERS: &[([&str; 2], Read)] = &[
    (["order", "orders"], order::records),
    (["checkout", "checkouts"], cart::checkout),
    (["cart", "carts"], cart::records),
    (["refund", "refunds"], refund::records),
    (["fulfillment", "fulfillments"], order::fulfilment),
    (["customer", "customers"], customer::records),
];

fn records(origin: Origin<'_>, document: &Object<'_>) -> Vec<Record> {
    if let Some(wish) = wish(document) {
        return vec![Err(document.wrong(wish))];
    }
    if let Some(read) = bare(document) {
        return read(origin, document).unwrap_or_else(|error| vec![Err(error)]);
    }
    let mut records = Vec::new();
    let mut is_known = false;
    // A record of another kind may hold a customer, and is no page of customers.
    let is_page = !document.has("id") && !document.has("line_items");
    for (names, read) in WRAPPERS.iter().filter(|_| is_page) {
        for name in names {
            if !matches!(document.get(name), Some(Value::Array(_) | Value::Object(_))) {
                continue;
            }
            is_known = true;
            for item in document.objects(name) {
                let outcome = item.and_then(|item| read(origin, &item));
                records.extend(outcome.unwrap_or_else(|error| vec![Err(error)]));
            }
        }
    }
    if is_known {
        let names: Vec<&str> = WRAPPERS.iter().flat_map(|(names, _)| names).copied().collect();
        records.extend(document.unread(&names).into_iter().map(Err));
    } else {
        let fields: Vec<&str> = document.fields().keys().map(String::as_str).take(8).collect();
        let fields = fields.join(", ");
        records.push(Err(document.wrong(format!(
            "not a Shopify order, checkout, cart, refund, fulfilment or customer: it has {fields}"
        ))));
    }
    records
}

/// What a webhook asks for that the law makes a shop answer, and that is no record.
fn wish(document: &Object<'_>) -> Option<&'static str> {
    let has = |field| document.fields().contains_key(field);
    if document.has("id") || !has("shop_domain") || !has("shop_id") {
        None
    } else if has("orders_to_redact") {
        Some("a request to erase a customer, and no record: `cx erase` forgets them")
    } else if has("orders_requested") || has("data_request") {
        Some("a customer's request for their data, and no record: `cx export` gives it")
    } else {
        Some("a request to erase all data of the shop, and no record")
    }
}

/// What an object without a wrapper is: webhooks send it so.
fn bare(object: &Object<'_>) -> Option<Read> {
    let has = |field| object.has(field);
    if has("refund_line_items") && has("order_id") {
        Some(refund::records)
    } else if has("order_id")
        && (has("tracking_company") || has("tracking_number") || has("tracking_numbers"))
    {
        Some(order::fulfilment)
    } else if has("line_items")
        && (has("financial_status") || has("order_number") || has("order_status_url"))
    {
        Some(order::records)
    } else if has("line_items")
        && (has("abandoned_checkout_url") || (has("cart_token") && has("token")))
    {
        Some(cart::checkout)
    } else if has("line_items")
        && (has("token") || has("id"))
        && !["customer", "email", "invoice_url"].into_iter().any(has)
    {
        Some(cart::records)
    } else if has("customer_id") && has("email_marketing_consent")
        || has("id")
            && has("sms_marketing_consent")
            && !["email_marketing_consent", "created_at", "updated_at"].into_iter().any(has)
    {
        Some(customer::answered)
    } else if has("id")
        && [
            "orders_count",
            "verified_email",
            "default_address",
            "email_marketing_consent",
            "multipass_identifier",
        ]
        .into_iter()
        .any(has)
    {
        Some(customer::records)
    } else {
        None
    }
}

/// The amount in a field: decimal text, or a number, digit by digit.
fn amount(object: &Object<'_>, field: &str) -> Result<Option<Amount>, RecordError> {
    object
        .text(field)
        .map(|text| text.parse().map_err(|error| object.problem(field, format!("{error}"))))
        .transpose()
}

fn currency(object: &Object<'_>, field: &str) -> Result<Option<Currency>, RecordError> {
    object
        .text(field)
        .map(|text| text.parse().map_err(|error| object.problem(field, format!("{error}"))))
        .transpose()
}

fn lines(object: &Object<'_>) -> Result<Vec<Line>, RecordError> {
    object.objects("line_items").into_iter().map(|line| self::line(&line?)).collect()
}

fn line(line: &Object<'_>) -> Result<Line, RecordError> {
    let quantity = line.number("quantity").unwrap_or(1);
    Ok(Line {
        sku: line.text("sku"),
        name: line.first_text(&["name", "title", "sku"]).unwrap_or_default(),
        quantity: u64::try_from(quantity).map_err(|_| line.problem("quantity", "negative"))?,
        price: amount(line, "price")?,
    })
}

/// What the lines of an object say beyond what is read of them, line by line; `None` where that is
/// nothing.
fn rest_of_lines(object: &Object<'_>) -> Option<Value> {
    let rests = object.list("line_items").into_iter().map(|line| {
        let mut rest = line.rest(&["sku", "name", "quantity", "price"]);
        if !line.has("name") || line.text("name") == line.text("title") {
            drop(rest.remove("title"));
        }
        rest
    });
    let rests: Vec<Map<String, Value>> = rests.collect();
    let says_more = rests.iter().any(|rest| !rest.is_empty());
    says_more.then(|| rests.into_iter().map(Value::Object).collect())
}

/// What an order or a checkout says beyond what is read of it: its other fields, and those of its
/// lines and its customer, and what of it identifies nobody.
fn rest(object: &Object<'_>, mapped: &[&str], claims: &[Claim]) -> Map<String, Value> {
    let mut rest = object.rest(mapped);
    rest.extend(origin::unclaimed(object, &["email", "contact_email", "phone"], claims));
    rest.extend(rest_of_lines(object).map(|lines| ("line_items".to_owned(), lines)));
    let customer = object.object("customer").map(|customer| {
        let mut rest = customer.rest(customer::CLAIMED);
        rest.extend(origin::unclaimed(&customer, customer::IDENTIFIERS, claims));
        rest
    });
    let customer = customer.filter(|customer| !customer.is_empty());
    rest.extend(customer.map(|customer| ("customer".to_owned(), Value::Object(customer))));
    rest
}

/// A bridge to whoever stands on an order, a checkout or a cart.
fn bridge(origin: Origin<'_>, namespace: Namespace, id: Option<String>) -> Option<Claim> {
    origin.scoped(namespace, &id?, Role::Subject, Assurance::ChannelProved)
}

/// The order an object is about.
fn order_bridge(origin: Origin<'_>, id: &str) -> Option<Claim> {
    bridge(origin, Namespace::Order, Some(id.to_owned()))
}

/// A person's name, from its two parts or as one.
fn name(person: &Object<'_>) -> Option<String> {
    let parts = [person.text("first_name"), person.text("last_name")];
    let joined = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    Some(joined).filter(|joined| !joined.is_empty()).or_else(|| person.text("name"))
}
