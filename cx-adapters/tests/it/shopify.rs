//! Shopify: every trap of the samples.

use cx_adapters::Format::Shopify;
use cx_core::commerce::CommerceFold;
use cx_core::event::{Event, Visibility};
use cx_core::identifier::Assurance;

use crate::payloads::{both, data, events, golden, of, one, own, persons};

#[test]
fn every_payload_becomes_these_events() {
    insta::assert_snapshot!(golden(Shopify, "shopify"));
}

#[test]
fn a_cart_names_nobody_and_is_a_bridge() {
    for payload in both("shopify/carts.json", "shopify/carts.json") {
        let events = events(Shopify, &payload);
        assert_eq!(of(&events, "cart.updated").len(), 2);
        for cart in &events {
            assert_eq!(persons(cart), Vec::<String>::new());
            assert_eq!(cart.bridges().len(), 1);
        }
    }
}

#[test]
fn an_order_keeps_money_as_text_and_its_offset_and_a_failed_delivery() {
    for payload in both("shopify/order.json", "shopify/order.json") {
        let events = events(Shopify, &payload);
        let order = one(&events, "order.placed");
        assert!(data(order)["total"].is_string());
        assert_eq!(order.utc_offset.unwrap().to_string(), "-05:00");
        assert_eq!(data(one(&events, "order.fulfilled"))["fulfilment"], "failure");
        let claims: Vec<(&str, Assurance)> = order
            .who
            .iter()
            .map(|claim| (claim.identifier().namespace().name(), claim.assurance))
            .collect();
        assert_eq!(claims[0], ("shop", Assurance::ChannelProved), "the shop's own customer first");
        assert_eq!(claims[1], ("email", Assurance::ChannelProved), "which the shop has verified");
    }
}

#[test]
fn what_disagrees_with_the_customer_is_only_stated_and_another_receiver_is_not_the_buyer() {
    let events = events(Shopify, &own("shopify/order.json"));
    let order = one(&events, "order.placed");
    let stated: Vec<String> = order
        .who
        .iter()
        .filter(|claim| claim.assurance == Assurance::SelfStated)
        .map(|claim| claim.identifier().to_string())
        .collect();
    assert_eq!(stated, ["email:office@mulder.example", "phone:+31302314567"]);
    assert_eq!(order.name.as_deref(), Some("Daan Mulder"));
}

#[test]
fn a_checkout_with_an_order_is_no_open_cart_though_the_order_is_dated_earlier() {
    let pairs = [
        both("shopify/order.json", "shopify/order.json"),
        both("shopify/checkouts_abandoned.json", "shopify/checkouts_abandoned.json"),
    ];
    let [orders, checkouts] = pairs;
    for (order, checkout) in orders.iter().zip(&checkouts) {
        let mut all: Vec<Event> = events(Shopify, order);
        all.extend(events(Shopify, checkout));
        all.sort_by(Event::timeline_cmp);
        let mut fold = CommerceFold::default();
        for event in &all {
            fold.push(event);
        }
        let commerce = fold.finish();
        assert_eq!(commerce.cart, None);
        assert_eq!(commerce.checkout, None);
        assert_eq!(commerce.orders.len(), 1);
    }
}

#[test]
fn a_refund_names_only_its_order_and_adds_up_what_succeeded() {
    for payload in both("shopify/refund.json", "shopify/refund.json") {
        let events = events(Shopify, &payload);
        let refund = one(&events, "order.refunded");
        assert_eq!(persons(refund), Vec::<String>::new());
        assert_eq!(refund.bridges()[0].namespace().name(), "order");
        assert!(["75.00", "209.00"].contains(&data(refund)["amount"].as_str().unwrap()));
    }
}

#[test]
fn a_customer_is_a_profile_and_what_they_agreed_to() {
    let events = events(Shopify, &own("shopify/customer.json"));
    assert_eq!(data(one(&events, "profile.updated"))["name"], "Daan Mulder");
    let consents: Vec<_> = of(&events, "consent.changed")
        .into_iter()
        .map(|it| (data(it)["on"].clone(), data(it)["state"].clone()))
        .collect();
    assert_eq!(consents, [("email".into(), "granted".into()), ("sms".into(), "denied".into())]);
}

#[test]
fn a_price_written_as_a_number_is_read_digit_by_digit() {
    let cart = br#"{"token": "t", "updated_at": "2026-01-02T14:39:37Z", "line_items": [{"title": "a", "quantity": 1, "price": 0.1, "line_price": 0.1}, {"title": "b", "quantity": 1, "price": 0.2, "line_price": 0.2}]}"#;
    assert_eq!(data(&events(Shopify, cart)[0])["total"], "0.3");
}

#[test]
fn a_refund_that_succeeds_later_is_a_later_revision() {
    let of = |status: &str| {
        let refund = format!(
            r#"{{"refund": {{"id": 1, "order_id": "gid://shopify/Order/450", "created_at": "2026-01-02T10:00:00Z", "refund_line_items": [], "transactions": [{{"kind": "refund", "status": "{status}", "amount": "5.00", "currency": "EUR"}}]}}}}"#
        );
        let event = events(Shopify, refund.as_bytes()).remove(0);
        (event.rev.clone(), data(&event)["amount"].clone(), event.bridges()[0].key().to_owned())
    };
    assert_eq!(of("pending"), (Some("0".to_owned()), "0".into(), "450".to_owned()));
    assert_eq!(of("success"), (Some("1".to_owned()), "5.00".into(), "450".to_owned()));
}

/// What the records of a document become, errors as text.
fn told(document: &str) -> Vec<String> {
    cx_adapters::shopify::events(document.as_bytes(), &crate::payloads::options())
        .map(|record| match record {
            Ok(event) => event.kind.name().into_owned(),
            Err(error) => error.to_string(),
        })
        .collect()
}

#[test]
fn a_record_of_another_kind_is_no_page_of_customers() {
    let customer = r#"{"id": 7, "email": "jan@example.nl", "updated_at": "2026-03-02T10:00:00Z"}"#;
    let draft = format!(
        r#"{{"id": 9, "status": "open", "line_items": [], "email": "jan@example.nl", "customer": {customer}}}"#
    );
    let found = told(&draft);
    assert!(found.len() == 1 && found[0].contains("not a Shopify order"), "{found:?}");
    let page = format!(
        r#"{{"customers": [{customer}], "draft_orders": [{{"id": 9}}, {{"id": 8}}], "links": {{}}}}"#
    );
    assert_eq!(
        told(&page),
        ["profile.updated", "1: /draft_orders: 2 records of a kind that is not read"]
    );
}

#[test]
fn an_order_tells_what_its_customer_agreed_to_and_keeps_what_is_not_read() {
    let customer = r#"{"id": 7, "email": "jan@example.nl", "note": "VIP", "updated_at": "2026-03-01T10:00:00Z", "email_marketing_consent": {"state": "unsubscribed", "consent_updated_at": "2026-02-01T10:00:00Z"}}"#;
    let order = format!(
        r#"{{"id": 450, "financial_status": "pending", "order_number": 1, "created_at": "2026-03-02T10:00:00Z", "customer": {customer},
            "shipping_address": {{"address1": "Dorpsstraat 1"}}, "line_items": [{{"title": "Ring", "quantity": 1, "properties": [{{"name": "Engraving", "value": "Voor Sara"}}]}}]}}"#
    );
    let order = events(Shopify, order.as_bytes());
    let consent = one(&order, "consent.changed");
    assert_eq!(data(consent)["state"], "denied");
    assert_eq!(consent.occurred_at.to_string(), "2026-02-01T10:00:00Z");
    let extra = &one(&order, "order.placed").extra;
    assert_eq!(extra["shipping_address"]["address1"], "Dorpsstraat 1");
    assert_eq!(extra["line_items"][0]["properties"][0]["value"], "Voor Sara");
    assert_eq!(extra["customer"]["note"], "VIP");
    // The customer's own record tells the same answer: one event.
    let record = events(Shopify, format!(r#"{{"customer": {customer}}}"#).as_bytes());
    let same = one(&record, "consent.changed");
    assert_eq!((&same.key, &same.rev), (&consent.key, &consent.rev));
    assert_eq!(same.content_hash(), consent.content_hash());
}

#[test]
fn what_was_agreed_to_is_read_as_it_was_told_before_2022() {
    let state = |accepts: bool, at: &str| {
        let customer = format!(
            r#"{{"customer": {{"id": 8, "email": "piet@example.nl", "accepts_marketing": {accepts}, "accepts_marketing_updated_at": "{at}",
                "created_at": "2021-03-01T10:00:00Z", "updated_at": "2021-03-02T10:00:00Z", "marketing_opt_in_level": "single_opt_in"}}}}"#
        );
        let events = events(Shopify, customer.as_bytes());
        let consent = one(&events, "consent.changed");
        assert_eq!(data(consent)["wording"], "single_opt_in");
        data(consent)["state"].clone()
    };
    assert_eq!(state(true, "2021-03-01T10:00:00Z"), "granted");
    assert_eq!(state(false, "2021-03-02T09:00:00Z"), "denied");
    assert_eq!(state(false, "2021-03-01T10:00:00Z"), serde_json::Value::Null, "never asked");
}

#[test]
fn a_test_order_is_no_order() {
    let order = r#"{"id": 450, "financial_status": "paid", "test": true, "order_number": 1, "created_at": "2026-03-02T10:00:00Z", "total_price": "24.95", "line_items": [],
        "customer": {"id": 7, "accepts_marketing": false, "accepts_marketing_updated_at": "2026-03-01T10:00:00Z"}}"#;
    assert_eq!(told(order), ["custom.shopify.test_order", "consent.changed"]);
}

#[test]
fn whoever_a_test_order_names_is_found_with_it() {
    let order = br#"{"id": 450, "financial_status": "paid", "test": true, "order_number": 1, "created_at": "2026-03-02T10:00:00Z", "email": "jan@example.nl", "line_items": [],
        "customer": {"id": 5, "first_name": "Jan"}, "refunds": [{"id": 1, "order_id": 450}]}"#;
    let told = events(Shopify, order);
    assert_eq!(persons(&told[0]), ["shop:shopify:acme:5", "email:jan@example.nl"]);
    assert_eq!(told[0].visibility, Visibility::Internal);
}

/// A refund with these transactions.
fn refund(transactions: &str) -> Vec<Event> {
    let refund = format!(
        r#"{{"refund": {{"id": 1, "order_id": 450, "created_at": "2026-03-02T10:00:00Z", "refund_line_items": [], "transactions": [{transactions}]}}}}"#
    );
    events(Shopify, refund.as_bytes())
}

#[test]
fn no_sum_is_of_two_currencies_and_a_test_gives_nothing_back() {
    let (usd, eur) = (
        r#"{"kind": "refund", "status": "success", "amount": "54.00", "currency": "USD"}"#,
        r#"{"kind": "refund", "status": "success", "amount": "10.00", "currency": "EUR"}"#,
    );
    let both = refund(&format!("{usd}, {eur}, {eur}"));
    let told: Vec<_> = both
        .iter()
        .map(|it| {
            (
                data(it)["amount"].clone(),
                data(it)["currency"].clone(),
                data(it)["refund_id"].clone(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("54.00".into(), "USD".into(), "1".into()),
            ("20.00".into(), "EUR".into(), "1/EUR".into())
        ]
    );
    let in_shop = refund(
        r#"{"kind": "refund", "status": "success", "amount": "54.00", "currency": "USD", "amount_set": {"shop_money": {"amount": "50.00", "currency_code": "EUR"}}}"#,
    );
    assert_eq!(
        (data(&in_shop[0])["amount"].clone(), data(&in_shop[0])["currency"].clone()),
        ("50.00".into(), "EUR".into())
    );
    let test = refund(
        r#"{"kind": "refund", "status": "success", "test": true, "amount": "5.00", "currency": "EUR"}"#,
    );
    assert_eq!(test[0].kind.name(), "custom.shopify.test_refund");
}

#[test]
fn a_parcel_that_is_not_on_its_way_fulfils_nothing() {
    let parcel = |status: &str| {
        let parcel = format!(
            r#"{{"id": 31, "order_id": 450, "status": "{status}", "created_at": "2026-03-02T10:00:00Z", "tracking_number": "3S1", "line_items": []}}"#
        );
        let event = events(Shopify, parcel.as_bytes()).remove(0);
        (event.key.to_string(), event.kind.name().into_owned())
    };
    let key = "shopify:acme/fulfillment/31".to_owned();
    assert_eq!(parcel("success"), (key.clone(), "order.fulfilled".to_owned()));
    assert_eq!(parcel("cancelled"), (key, "custom.shopify.fulfillment_cancelled".to_owned()));
}

#[test]
fn each_answer_is_a_fact_of_its_own_and_the_customer_is_known_since_the_record_was_made() {
    let customer = |state: &str, at: &str| {
        let customer = format!(
            r#"{{"customer": {{"id": 5, "email": "jan@example.nl", "created_at": "2026-01-01T00:00:00Z", "updated_at": "{at}",
                "email_marketing_consent": {{"state": "{state}", "consent_updated_at": "{at}"}}}}}}"#
        );
        events(Shopify, customer.as_bytes())
    };
    let yes = customer("subscribed", "2026-01-10T00:00:00Z");
    let no = customer("unsubscribed", "2026-03-10T00:00:00Z");
    assert_ne!(one(&yes, "consent.changed").key, one(&no, "consent.changed").key);
    let seen = one(&no, "identity.seen");
    assert_eq!(seen.key, one(&yes, "identity.seen").key);
    assert_eq!(seen.occurred_at.to_string(), "2026-01-01T00:00:00Z");
    assert_eq!(seen.who, one(&no, "profile.updated").who);
}

#[test]
fn an_order_from_another_shop_is_as_old_as_it_was_there() {
    let order = |processed: &str| {
        let order = format!(
            r#"{{"id": 450, "financial_status": "paid", "order_number": 1, "created_at": "2026-03-01T10:00:00Z", "processed_at": "{processed}", "line_items": []}}"#
        );
        one(&events(Shopify, order.as_bytes()), "order.placed").occurred_at.to_string()
    };
    assert_eq!(order("2019-05-05T10:00:00Z"), "2019-05-05T10:00:00Z");
    assert_eq!(order("2026-03-01T10:00:01Z"), "2026-03-01T10:00:00Z");
}

#[test]
fn an_address_for_somebody_else_is_not_the_buyers() {
    let customer = |name: &str| {
        let customer = format!(
            r#"{{"customer": {{"id": 5, "email": "unknown", "first_name": "Jan", "last_name": "de Vries", "updated_at": "2026-01-10T00:00:00Z",
                "default_address": {{"name": "{name}", "address1": "Kade 1", "city": "Utrecht", "phone": "+31629384756"}}}}}}"#
        );
        one(&events(Shopify, customer.as_bytes()), "profile.updated").clone()
    };
    let own = customer("J. de Vries");
    assert!(persons(&own).contains(&"phone:+31629384756".to_owned()));
    assert_eq!(data(&own)["address"]["city"], "Utrecht");
    assert_eq!(own.extra["email"], "unknown", "what identifies nobody is kept");
    let other = customer("Truus Bakker");
    assert_eq!(persons(&other), ["shop:shopify:acme:5"]);
    assert_eq!(data(&other).get("address"), None);
    assert_eq!(other.extra["default_address"]["name"], "Truus Bakker");
}

#[test]
fn an_id_is_the_same_whichever_interface_tells_it() {
    let order = |id: &str, checkout: &str| {
        let order = format!(
            r#"{{"id": 450, "financial_status": "paid", "order_number": 1, "created_at": "2026-03-02T10:00:00Z", "line_items": [], "customer": {{"id": {id}}}, "checkout_id": {checkout}}}"#
        );
        let events = events(Shopify, order.as_bytes());
        one(&events, "order.placed").who.clone()
    };
    assert_eq!(
        order(r#""gid://shopify/Customer/5""#, r#""gid://shopify/Checkout/77""#),
        order("5", "77")
    );
}

#[test]
fn a_wish_of_the_law_is_no_record_and_what_cannot_be_read_is_told() {
    let redact = r#"{"shop_id": 1, "shop_domain": "a.example", "customer": {"id": 5, "email": "jan@example.nl", "updated_at": "2026-03-02T10:00:00Z"}, "orders_to_redact": [1]}"#;
    let found = told(redact);
    assert!(found.len() == 1 && found[0].contains("cx erase"), "{found:?}");
    let order = r#"{"id": 450, "financial_status": "paid", "order_number": 1, "created_at": "2026-03-02T10:00:00Z", "line_items": [], "fulfillments": ["x"], "refunds": "oops", "customer": "jan"}"#;
    let found = told(order);
    assert_eq!(found.iter().filter(|it| it.starts_with("1: /")).count(), 3, "{found:?}");
}

#[test]
fn a_no_without_a_date_comes_after_the_yes_that_it_takes_back() {
    let copy = |updated: &str, consent: &str| {
        let customer = format!(
            r#"{{"id": 5, "created_at": "2025-12-01T10:00:00Z", "updated_at": "{updated}", "orders_count": 1,
            "email": "bob@biller.example", "email_marketing_consent": {{{consent}}}}}"#
        );
        let events = events(Shopify, customer.as_bytes());
        one(&events, "consent.changed").clone()
    };
    let dated = r#""state": "subscribed", "consent_updated_at": "2026-01-02T10:00:00Z""#;
    let undated = |state: &str| format!(r#""state": "{state}", "consent_updated_at": null"#);
    let yes = copy("2026-01-02T10:00:00Z", dated);
    let no = copy("2026-03-02T10:00:00Z", &undated("unsubscribed"));
    assert_eq!(data(&no)["state"], "denied");
    assert!(no.occurred_at > yes.occurred_at, "{} {}", no.occurred_at, yes.occurred_at);
    let never = copy("2026-03-02T10:00:00Z", &undated("not_subscribed"));
    assert_eq!(never.occurred_at.to_string(), "2025-12-01T10:00:00Z");
}

#[test]
fn a_webhook_of_a_changed_answer_is_that_answer() {
    let told = br#"{"customer_id": 5, "email_address": "bob@biller.example", "email_marketing_consent": {"state": "unsubscribed", "consent_updated_at": "2026-03-05T10:00:00Z"}}
        {"id": 5, "phone": "+31612345678", "sms_marketing_consent": {"state": "unsubscribed", "consent_updated_at": "2026-03-05T10:00:00Z", "consent_collected_from": "other"}}"#;
    let told = events(Shopify, told);
    let answers: Vec<_> = told.iter().map(|it| (data(it)["on"].clone(), persons(it))).collect();
    let shop = "shop:shopify:acme:5".to_owned();
    assert_eq!(
        answers,
        [
            ("email".into(), vec![shop.clone(), "email:bob@biller.example".to_owned()]),
            ("sms".into(), vec![shop, "phone:+31612345678".to_owned()]),
        ]
    );
    assert!(told.iter().all(|it| data(it)["state"] == "denied"));
    // The customer's record tells the same answer, and comes after it.
    let copy = br#"{"id": 5, "created_at": "2025-12-01T10:00:00Z", "updated_at": "2026-03-05T10:00:00Z", "orders_count": 1, "email": "bob@biller.example", "email_marketing_consent": {"state": "unsubscribed", "consent_updated_at": "2026-03-05T10:00:00Z"}}"#;
    let copy = events(Shopify, copy);
    let copy = one(&copy, "consent.changed");
    assert_eq!((&copy.key, copy.occurred_at), (&told[0].key, told[0].occurred_at));
    assert!(told[0].rev.as_ref().unwrap().parse::<u64>().is_ok());
    assert!(copy.rev.as_ref().unwrap().parse::<u64>().is_err());
}
