//! Commerce: carts, checkouts, orders, subscriptions. Money is decimal text and a currency.

use serde::{Deserialize, Serialize};

use super::fields::{data, required_fields};
use crate::money::{Amount, Currency};
use crate::time::Timestamp;

/// One line of a cart or an order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Line {
    /// The article's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Its name.
    pub name: String,
    /// How many.
    pub quantity: u64,
    /// The price of one, in the currency of the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Amount>,
}

/// Where a parcel is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Tracking {
    /// Who carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// The parcel's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Where it can be followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

required_fields!(Amount);

data! {
    /// `cart.updated`, `cart.viewed`, `cart.abandoned`.
    Cart {
        /// The cart's id; `None` means the current cart of the person.
        cart_id: Option<String>,
        /// The currency of all amounts.
        currency: Option<Currency>,
        /// What it all costs.
        total: Option<Amount>,
        /// What is in it.
        lines: Vec<Line>,
        /// Where the customer can go on.
        url: Option<String>,
    }

    /// `checkout.started`, `checkout.completed`.
    Checkout {
        /// The checkout's id.
        checkout_id: Option<String>,
        /// The cart it came from.
        cart_id: Option<String>,
        /// The order it became.
        order_id: Option<String>,
        /// The currency of all amounts.
        currency: Option<Currency>,
        /// What it all costs.
        total: Option<Amount>,
        /// What is in it.
        lines: Vec<Line>,
        /// Where the customer can go on.
        url: Option<String>,
    }

    /// `order.placed`, `order.updated`, `order.paid`, `order.fulfilled`, `order.cancelled`.
    Order {
        /// The order's id.
        order_id: String,
        /// What people call it: `#1001`.
        name: Option<String>,
        /// The cart it came from.
        cart_id: Option<String>,
        /// The checkout it came from.
        checkout_id: Option<String>,
        /// The state of payment, as the shop has it.
        payment: Option<String>,
        /// The state of delivery, as the shop has it: `failure` for a parcel that came back.
        fulfilment: Option<String>,
        /// The currency of all amounts.
        currency: Option<Currency>,
        /// What it all costs.
        total: Option<Amount>,
        /// What is in it.
        lines: Vec<Line>,
        /// Where the parcels are.
        tracking: Vec<Tracking>,
        /// Why it was cancelled.
        reason: Option<String>,
    }

    /// `order.refunded`: money given back.
    Refund {
        /// The order's id.
        order_id: String,
        /// What makes deliveries of one refund the same.
        refund_id: Option<String>,
        /// The currency of the amount.
        currency: Option<Currency>,
        /// How much was given back.
        amount: Amount,
        /// Why.
        reason: Option<String>,
        /// What was sent back.
        lines: Vec<Line>,
    }

    /// `subscription.*`: a recurring order.
    Subscription {
        /// The subscription's id.
        subscription_id: String,
        /// What it is.
        plan: Option<String>,
        /// Its state, as the source has it.
        state: Option<String>,
        /// The currency of the price.
        currency: Option<Currency>,
        /// What one period costs.
        price: Option<Amount>,
        /// When it renews.
        renews_at: Option<Timestamp>,
    }
}
