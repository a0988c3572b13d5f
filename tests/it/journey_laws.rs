//! What journeys tell: which order and which question one is about, and when it was answered.

#![expect(clippy::needless_pass_by_value, reason = "what is made in place is given away")]

use cx_core::event::Event;
use cx_core::journey::instance::Deviation;
use cx_core::journey::{Definition, Instance, Outcome, instances, instances_among, shipped};
use cx_core::time::{Micros, Timestamp};
use cx_tests::story;
use proptest::prelude::*;
use serde_json::{Value, json};

const DAY: i64 = 24 * 60;

fn at(minute: i64) -> Timestamp {
    story::monday() + Micros::MINUTE.times(minute)
}

fn read(record: Value) -> Event {
    serde_json::from_value(record).unwrap()
}

/// An event: its key, when, what, and what else it has.
fn event(key: &str, minute: i64, kind: &str, more: Value) -> Event {
    read(story::record(key, minute, kind, more))
}

fn sorted(events: &[Event]) -> Vec<&Event> {
    let mut events: Vec<&Event> = events.iter().collect();
    events.sort_by(|a, b| a.timeline_cmp(b));
    events
}

fn journeys(definition: &Definition, events: &[Event], minute: i64) -> Vec<Instance> {
    instances(definition, &sorted(events), at(minute))
}

/// Each with its key, how it stands, and its steps.
fn told(found: &[Instance]) -> Vec<(String, &'static str, Vec<String>)> {
    let steps = |it: &Instance| it.steps.iter().map(|step| step.event.to_string()).collect();
    found.iter().map(|it| (it.key.clone(), it.outcome.name(), steps(it))).collect()
}

/// The purchase that comes with cx, one for each order.
fn by_order() -> Definition {
    let text = include_str!("../../cx-core/journeys/purchase.toml");
    Definition::from_toml(&text.replace("key = \"customer\"", "key = \"order\"")).unwrap()
}

fn service() -> &'static Definition {
    shipped().iter().find(|it| it.id == "service").unwrap()
}

fn claims(ids: &[(&str, &str)]) -> Value {
    let claims = ids
        .iter()
        .map(|(ns, value)| json!({"ns": ns, "scope": "shop", "value": value, "role": "subject"}));
    json!(claims.collect::<Vec<_>>())
}

fn cart(key: &str, minute: i64, id: &str) -> Event {
    event(key, minute, "cart.updated", json!({"who": claims(&[("cart", id)]), "data": {}}))
}

fn checkout(key: &str, minute: i64, cart: Option<&str>, id: &str) -> Event {
    let mut ids = vec![("checkout", id)];
    ids.extend(cart.map(|cart| ("cart", cart)));
    event(key, minute, "checkout.started", json!({"who": claims(&ids), "data": {}}))
}

fn order(key: &str, minute: i64, ids: &[(&str, &str)], id: &str) -> Event {
    let mut all = vec![("order", id)];
    all.extend(ids);
    event(key, minute, "order.placed", json!({"who": claims(&all), "data": {"order_id": id}}))
}

fn steps(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|&key| key.to_owned()).collect()
}

#[test]
fn a_cart_that_became_a_checkout_that_became_an_order_is_its_journey() {
    let purchase = by_order();
    for beside in [[("checkout", "k1")], [("cart", "c1")]] {
        let events = [
            cart("e1", 0, "c1"),
            checkout("e2", 5, Some("c1"), "k1"),
            checkout("e3", 6, None, "k1"),
            order("e4", 10, &beside, "o1"),
        ];
        let found = journeys(&purchase, &events, DAY);
        let one = ("order:shop:o1".to_owned(), "reached", steps(&["e1", "e2", "e3", "e4"]));
        assert_eq!(told(&found), [one], "{beside:?}");
    }
    let open =
        [checkout("e1", 0, Some("c1"), "k1"), checkout("e2", 1, None, "k1"), cart("e3", 2, "c1")];
    let one = ("cart:shop:c1".to_owned(), "open", steps(&["e1", "e2", "e3"]));
    assert_eq!(told(&journeys(&purchase, &open, DAY)), [one]);
}

#[test]
fn a_cart_that_a_shop_keeps_is_of_the_next_order() {
    let events = [
        cart("e1", 0, "c1"),
        order("e2", 10, &[("cart", "c1")], "o1"),
        cart("e3", 30, "c1"),
        checkout("e4", 35, Some("c1"), "k2"),
        order("e5", 40, &[("checkout", "k2")], "o2"),
        // What is said of the first order later, with its cart, moves nothing.
        event(
            "e6",
            41,
            "order.paid",
            json!({"who": claims(&[("order", "o1"), ("cart", "c1")]), "data": {"order_id": "o1"}}),
        ),
        cart("e7", 50, "c1"),
    ];
    let found = journeys(&by_order(), &events, 60);
    let expected = [
        ("cart:shop:c1".to_owned(), "open", steps(&["e7"])),
        ("order:shop:o1".to_owned(), "reached", steps(&["e1", "e2"])),
        ("order:shop:o2".to_owned(), "reached", steps(&["e3", "e4", "e5"])),
    ];
    assert_eq!(told(&found), expected);
}

#[test]
fn an_order_that_only_its_data_name_is_a_journey() {
    let placed = |key: &str, minute: i64, data: Value| {
        event(key, minute, "order.placed", json!({"data": data}))
    };
    let updated = event("e1", 0, "cart.updated", json!({"data": {"cart_id": "c1"}}));
    let events = [
        updated,
        placed("e2", 1, json!({"order_id": "o1", "cart_id": "c1"})),
        placed("e3", 2, json!({"order_id": "o2"})),
    ];
    let expected = [
        ("order:s:o1".to_owned(), "reached", steps(&["e1", "e2"])),
        ("order:s:o2".to_owned(), "reached", steps(&["e3"])),
    ];
    assert_eq!(told(&journeys(&by_order(), &events, 10)), expected);
}

proptest! {
    /// Every event that names an order, a cart or a checkout is of one key, whatever came before;
    /// one that names an order is of that one.
    #[test]
    fn what_an_event_is_about_is_the_order_it_names(
        made in proptest::collection::vec((0_i64..60, 0..4_u8, 0..3_u8, 0..3_u8, 0..4_u8), 0..20),
    ) {
        let events: Vec<Event> = made.iter().enumerate().map(|(number, (minute, what, cart_id, checkout_id, order_id))| {
            let key = format!("e{number}");
            let (c, k, o) = (format!("c{cart_id}"), format!("k{checkout_id}"), format!("o{order_id}"));
            match what {
                0 => cart(&key, *minute, &c),
                1 => checkout(&key, *minute, Some(&c), &k),
                2 => order(&key, *minute, &[("checkout", &k)], &o),
                _ => order(&key, *minute, &[("cart", &c)], &o),
            }
        }).collect();
        let found = journeys(&by_order(), &events, 60);
        let n: usize = found.iter().map(|it| it.steps.len()).sum();
        prop_assert_eq!(n, events.len(), "each of them begins a journey or is in one");
        for instance in &found {
            for step in &instance.steps {
                let event = events.iter().find(|it| it.key == step.event).unwrap();
                for claim in event.who.iter().filter(|it| it.identifier().namespace().name() == "order") {
                    prop_assert_eq!(claim.identifier().to_string(), instance.key.clone());
                }
            }
        }
    }
}

fn talk(key: &str, minute: i64, who: &str, conversation: &str) -> Event {
    read(story::said(key, minute, who, conversation))
}

fn call(key: &str, minute: i64, who: &str, data: Value) -> Event {
    let (direction, role) = if who == "customer" { ("in", "from") } else { ("out", "to") };
    event(
        key,
        minute,
        "call",
        json!({
            "direction": direction, "channel": "phone", "actor": {"type": who}, "conversation": {"key": format!("pbx/{key}")},
            "who": [{"ns": "phone", "value": "+31612345678", "role": role}], "data": data,
        }),
    )
}

fn state(key: &str, minute: i64, to: &str, conversation: &str) -> Event {
    event(
        key,
        minute,
        "conversation.status",
        json!({
            "actor": {"type": "system"}, "conversation": {"key": conversation}, "data": {"to": to},
        }),
    )
}

fn outcomes(events: &[Event], minute: i64) -> Vec<&'static str> {
    journeys(service(), events, minute).iter().map(|it| it.outcome.name()).collect()
}

#[test]
fn what_is_resolved_elsewhere_answers_no_other_question() {
    let events = [
        talk("e1", 0, "customer", "d/1"),
        talk("e2", 120, "customer", "d/2"),
        state("e3", 180, "resolved", "d/1"),
    ];
    assert_eq!(outcomes(&events, 200), ["open"]);
    let both = [events.to_vec(), vec![state("e4", 300, "resolved", "d/2")]].concat();
    assert_eq!(outcomes(&both, 310), ["reached"]);
    let gone = event("e4", 180, "conversation.deleted", json!({"conversation": {"key": "d/2"}}));
    let deleted = [talk("e1", 0, "customer", "d/1"), talk("e2", 1, "customer", "d/2"), gone];
    assert_eq!(outcomes(&deleted, 200), ["open"]);
    let solved = [deleted.to_vec(), vec![state("e5", 190, "resolved", "d/1")]].concat();
    assert_eq!(outcomes(&solved, 200), ["reached"]);
}

#[test]
fn a_state_that_was_only_seen_answers_nothing_that_was_asked_elsewhere() {
    let mut seen = state("e3", DAY, "closed", "d/1");
    seen.occurred_at_origin = cx_core::event::TimeOrigin::Received;
    let events = [
        talk("e0", 0, "customer", "d/1"),
        state("e1", 10, "resolved", "d/1"),
        talk("e2", 20, "customer", "d/2"),
        seen,
    ];
    assert_eq!(outcomes(&events, 2 * DAY), ["reached", "open"]);
    let merged = event(
        "e4",
        DAY,
        "conversation.merged",
        json!({"conversation": {"key": "d/1"}, "data": {"into": "d/2"}}),
    );
    let closed = state("e5", DAY, "closed", "d/1");
    let events =
        [talk("e0", 0, "customer", "d/1"), talk("e2", 20, "customer", "d/2"), merged, closed];
    assert_eq!(outcomes(&events, 2 * DAY), ["open"]);
}

#[test]
fn silence_after_an_answer_is_an_end_that_was_reached() {
    let events = [talk("e1", 0, "customer", "t"), talk("e2", 60, "agent", "t")];
    assert_eq!(outcomes(&events, 13 * DAY), ["open"]);
    let found = journeys(service(), &events, 30 * DAY);
    assert_eq!((&found[0].outcome, found[0].ended), (&Outcome::Reached, Some(at(60))));
    assert_eq!((found[0].customer_waited, found[0].company_waited), (Micros::HOUR, Micros::ZERO));
    let again = [events.to_vec(), vec![talk("e3", 70, "customer", "t")]].concat();
    assert_eq!(outcomes(&again, 30 * DAY), ["abandoned"]);
    // Where the source keeps the state it would say so.
    let kept = [vec![state("e0", 0, "open", "t")], events.to_vec()].concat();
    assert_eq!(outcomes(&kept, 30 * DAY), ["abandoned"]);
}

#[test]
fn a_call_back_ends_the_journey_of_a_missed_call() {
    let missed = call("e1", 0, "customer", json!({"outcome": "missed"}));
    let unheard = call("e2", 10, "agent", json!({"outcome": "busy"}));
    let back = call("e3", 30, "agent", json!({"outcome": "answered"}));
    let found = journeys(service(), &[missed.clone(), unheard.clone()], DAY);
    assert_eq!((found[0].outcome.name(), found[0].phase.as_deref()), ("open", Some("contact")));
    let found = journeys(service(), &[missed.clone(), unheard, back.clone()], DAY);
    assert_eq!(
        (found[0].outcome.name(), found[0].customer_waited),
        ("reached", Micros::MINUTE.times(30))
    );
    // It answers nothing that was written.
    assert_eq!(outcomes(&[missed, talk("e2", 5, "customer", "t"), back], DAY), ["open"]);
}

#[test]
fn the_answer_of_the_instant_of_the_resolution_is_in_the_journey() {
    let events = [
        talk("e1", 0, "customer", "d/1"),
        state("e2", 10, "resolved", "d/1"),
        talk("e3", 10, "agent", "d/1"),
    ];
    let found = journeys(service(), &events, 20);
    assert_eq!(told(&found), [(String::new(), "reached", steps(&["e1", "e3", "e2"]))]);
    assert_eq!(found[0].goals_met, [("handling".to_owned(), at(10))]);
    // What the customer says in it is a new question, and so is all that follows it.
    let again = [
        events[0].clone(),
        events[1].clone(),
        talk("e3", 10, "customer", "d/1"),
        talk("e4", 10, "agent", "d/1"),
    ];
    let told_again: Vec<_> =
        told(&journeys(service(), &again, 20)).into_iter().map(|(.., steps)| steps).collect();
    assert_eq!(told_again, [steps(&["e1", "e2"]), steps(&["e3", "e4"])]);
}

#[test]
fn who_waits_on_the_phone_waits_until_somebody_picks_up() {
    let waited = |data: Value| {
        journeys(service(), &[call("e1", 0, "customer", data)], DAY)[0].customer_waited
    };
    let picked_up = at(20).to_string();
    assert_eq!(
        waited(json!({"outcome": "answered", "answered_at": picked_up})),
        Micros::MINUTE.times(20)
    );
    assert_eq!(waited(json!({"outcome": "answered", "duration_s": 60})), Micros::ZERO);
    assert_eq!(waited(json!({"outcome": "missed"})), Micros::DAY);
}

#[test]
fn a_phase_in_which_nobody_went_on_was_late() {
    let purchase = shipped().iter().find(|it| it.id == "purchase").unwrap();
    let begun = [checkout("e1", 0, None, "k")];
    for day in [5, 100] {
        let late = Deviation::Late { phase: "order".to_owned() };
        assert!(journeys(purchase, &begun, day * DAY)[0].deviations.contains(&late), "{day}");
    }
}

#[test]
fn a_return_that_is_planned_is_no_deviation() {
    let page =
        |key: &str, minute| event(key, minute, "page.viewed", json!({"data": {"url": "/x"}}));
    let purchase = shipped().iter().find(|it| it.id == "purchase").unwrap();
    let events = [page("e1", 0), cart("e2", 1, "c"), page("e3", 2)];
    assert_eq!(journeys(purchase, &events, 3)[0].deviations, []);
    // It never had been in that phase.
    let early =
        Deviation::OutOfOrder { touchpoint: "page".to_owned(), event: events[2].key.clone() };
    assert_eq!(journeys(purchase, &events[1..], 3)[0].deviations, [early]);
}

#[test]
fn a_mail_that_is_opened_keeps_no_cart() {
    let purchase = shipped().iter().find(|it| it.id == "purchase").unwrap();
    let opened = |week: i64| {
        event(&format!("m{week}"), week * 7 * DAY, "mail.opened", json!({"data": {"mail_id": "m"}}))
    };
    let events: Vec<Event> = [cart("e1", 0, "c")].into_iter().chain((1..26).map(opened)).collect();
    let found = &journeys(purchase, &events, 20 * DAY)[0];
    assert_eq!((found.outcome.name(), found.phase.as_deref()), ("open", Some("choice")));
    assert_eq!(found.deviations, []);
    let found = journeys(purchase, &events, 180 * DAY);
    assert_eq!(found.len(), 1);
    let phase = Some("choice".to_owned());
    assert_eq!((&found[0].outcome, found[0].ended), (&Outcome::Abandoned { phase }, Some(at(0))));
}

#[test]
fn what_ends_a_journey_begins_another_only_where_none_goes_on() {
    let text = include_str!("../../cx-core/journeys/purchase.toml");
    let purchase = Definition::from_toml(&text.replace("after_end", "on_new_start")).unwrap();
    let placed =
        |key: &str, minute| event(key, minute, "order.placed", json!({"data": {"order_id": key}}));
    let found = journeys(&purchase, &[cart("e1", 0, "c"), placed("e2", 1), placed("e3", 2)], 3);
    let told: Vec<_> =
        told(&found).into_iter().map(|(_, outcome, steps)| (outcome, steps)).collect();
    assert_eq!(told, [("reached", steps(&["e1", "e2"])), ("reached", steps(&["e3"]))]);
}

#[test]
fn a_click_by_a_program_begins_nothing() {
    let purchase = shipped().iter().find(|it| it.id == "purchase").unwrap();
    let click = |machine: &str| {
        event("e1", 0, "mail.clicked", json!({"data": {"mail_id": "m", "machine": machine}}))
    };
    assert_eq!(journeys(purchase, &[click("yes")], 1), []);
    assert_eq!(journeys(purchase, &[click("no")], 1).len(), 1);
}

#[test]
fn a_journey_in_json_has_one_word_for_its_outcome_and_seconds() {
    let found = journeys(service(), &[talk("e1", 0, "customer", "t")], 30 * DAY);
    let json = serde_json::to_value(&found[0]).unwrap();
    assert_eq!((&json["outcome"], &json["phase"]), (&json!("abandoned"), &json!("contact")));
    assert_eq!(json["customer_waited_s"], json!(14 * 24 * 3600));
    assert_eq!(json["in_phase_s"][0], json!(["contact", 0]));
}

proptest! {
    /// Nobody waits longer than the journey goes on, whatever instants the records have.
    #[test]
    fn no_wait_is_longer_than_there_was_time(
        calls in proptest::collection::vec((0_i64..90 * DAY, 0..4_usize, 0..3_usize), 1..80),
    ) {
        let odd = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-03-02T09:00:00Z"];
        let events: Vec<Event> = calls.iter().enumerate().map(|(number, (minute, answered, outcome))| {
            let mut data = json!({"answered_at": odd.get(*answered)});
            if let Some(outcome) = ["answered", "missed"].get(*outcome) {
                data["outcome"] = json!(outcome);
            }
            call(&format!("e{number}"), *minute, "customer", data)
        }).collect();
        let as_of = 100 * DAY;
        for instance in journeys(service(), &events, as_of) {
            let most = instance.ended.unwrap_or(at(as_of)).since(instance.started) + Micros::DAY.times(14);
            for waited in [instance.customer_waited, instance.company_waited] {
                prop_assert!(waited >= Micros::ZERO && waited <= most, "{:?}", instance);
            }
        }
    }
}

#[test]
fn a_call_that_will_be_picked_up_is_not_yet() {
    let ringing = [call("e1", 0, "customer", json!({"answered_at": at(60).to_string()}))];
    assert_eq!(journeys(service(), &ringing, 10)[0].customer_waited, Micros::MINUTE.times(10));
    assert_eq!(journeys(service(), &ringing, 90)[0].customer_waited, Micros::HOUR);
}

fn about(key: &str, minute: i64, kind: &str, who: &str, target: &str, conversation: &str) -> Event {
    let direction = if who == "customer" { "in" } else { "none" };
    event(
        key,
        minute,
        kind,
        json!({
            "direction": direction, "actor": {"type": who}, "conversation": {"key": conversation},
            "data": {"target": target},
        }),
    )
}

#[test]
fn an_answer_that_did_not_arrive_or_was_deleted_answers_nothing() {
    for gone in [
        about("e3", 6, "message.failed", "system", "e2", "w"),
        about("e3", 6, "message.deleted", "agent", "e2", "w"),
    ] {
        let events = [
            talk("e1", 0, "customer", "w"),
            talk("e2", 5, "agent", "w"),
            gone,
            talk("x", 7, "bot", "w"),
        ];
        let found = journeys(service(), &events, 30 * DAY);
        assert_eq!(found[0].outcome.name(), "abandoned");
        assert_eq!(
            (found[0].customer_waited, found[0].goals_met.len()),
            (Micros::DAY.times(14) + Micros::MINUTE.times(7), 0)
        );
        let again = [events.to_vec(), vec![talk("e4", 60, "agent", "w")]].concat();
        let found = journeys(service(), &again, 30 * DAY);
        assert_eq!((found[0].outcome.name(), found[0].customer_waited), ("reached", Micros::HOUR));
    }
    // What happens in one conversation says nothing of another.
    let events = [
        talk("e1", 0, "customer", "w"),
        talk("e2", 5, "agent", "w"),
        about("e3", 6, "message.failed", "system", "e2", "v"),
    ];
    assert_eq!(outcomes(&events, 30 * DAY), ["reached"]);
}

#[test]
fn a_question_that_was_taken_back_before_anybody_answered_asks_nothing() {
    let asked =
        [talk("e1", 0, "customer", "w"), about("e2", 1, "message.deleted", "customer", "e1", "w")];
    assert_eq!(outcomes(&asked, DAY), [""; 0]);
    // An answer elsewhere is none to this.
    let others = [talk("a1", 0, "customer", "v"), talk("a2", 1, "agent", "v")];
    let both = [
        others.to_vec(),
        vec![
            talk("e1", 2, "customer", "w"),
            about("e2", 3, "message.deleted", "customer", "e1", "w"),
        ],
    ];
    assert_eq!(outcomes(&both.concat(), 30 * DAY), ["reached"]);
    let after = [
        talk("e1", 0, "customer", "w"),
        talk("e2", 1, "agent", "w"),
        about("e3", 2, "message.deleted", "customer", "e1", "w"),
    ];
    assert_eq!(outcomes(&after, 30 * DAY), ["reached"]);
}

#[test]
fn what_comes_in_is_the_customers_also_where_nobody_says_whose_it_is() {
    let events = [talk("e1", 0, "unknown", "k"), talk("e2", 30, "agent", "k")];
    let events = events.map(|mut event| {
        if event.key.as_str() == "e1" {
            event.direction = cx_core::event::Direction::In;
        }
        event
    });
    let found = journeys(service(), &events, 30 * DAY);
    assert_eq!((found[0].outcome.name(), found[0].contacts), ("reached", 1));
    assert_eq!(found[0].customer_waited, Micros::MINUTE.times(30));
}

fn merged(key: &str, minute: i64, from: &str, into: Option<&str>) -> Event {
    event(
        key,
        minute,
        "conversation.merged",
        json!({"conversation": {"key": from}, "data": {"into": into}}),
    )
}

#[test]
fn what_lives_on_in_another_conversation_is_answered_there() {
    let first = [
        talk("a1", 0, "customer", "d/a"),
        talk("a2", 5, "agent", "d/a"),
        state("a3", 6, "resolved", "d/a"),
        talk("b1", DAY, "customer", "d/b"),
    ];
    let into = |into| [first.to_vec(), vec![merged("b2", DAY + 60, "d/b", into)]].concat();
    assert_eq!(outcomes(&into(None), 2 * DAY), ["reached", "exited"]);
    let goes_on = [
        into(Some("d/a")),
        vec![state("a4", DAY + 60, "open", "d/a"), state("b3", DAY + 61, "closed", "d/b")],
    ]
    .concat();
    assert_eq!(outcomes(&goes_on, 2 * DAY), ["reached", "open"]);
    assert_eq!(outcomes(&goes_on, 40 * DAY), ["reached", "abandoned"]);
    let done = [
        goes_on.clone(),
        vec![talk("a5", 3 * DAY, "agent", "d/a"), state("a6", 3 * DAY + 1, "resolved", "d/a")],
    ]
    .concat();
    let found = journeys(service(), &done, 4 * DAY);
    assert_eq!(outcomes(&done, 4 * DAY), ["reached", "reached"]);
    assert_eq!(
        (found[1].customer_waited, found[1].ended),
        (Micros::DAY.times(2), Some(at(3 * DAY + 1)))
    );
    // An end of what was merged into it before, or by a third, is one of it.
    let third = [
        goes_on.clone(),
        vec![merged("a7", 2 * DAY, "d/a", Some("d/c")), state("c1", 3 * DAY, "resolved", "d/c")],
    ];
    assert_eq!(outcomes(&third.concat(), 4 * DAY), ["reached", "reached"]);
    // What goes on by itself again is not answered elsewhere any more.
    let apart =
        event("b4", 2 * DAY, "conversation.restored", json!({"conversation": {"key": "d/b"}}));
    let apart = [goes_on, vec![apart, state("a6", 3 * DAY, "resolved", "d/a")]].concat();
    assert_eq!(outcomes(&apart, 4 * DAY), ["reached", "open"]);
    let solved = [apart, vec![state("b5", 3 * DAY, "resolved", "d/b")]].concat();
    assert_eq!(outcomes(&solved, 4 * DAY), ["reached", "reached"]);
}

proptest! {
    /// Merged in any order and in circles, conversations come to an end when the last of them does.
    #[test]
    fn merges_of_any_order_are_walked_to_their_end(
        merges in proptest::collection::vec((0..5_u8, 0..5_u8), 0..8),
    ) {
        let mut events: Vec<Event> = (0..5).map(|n| talk(&format!("q{n}"), n, "customer", &format!("d/{n}"))).collect();
        for (number, (from, into)) in merges.iter().enumerate() {
            let minute = 10 + i64::try_from(number).unwrap();
            events.push(merged(&format!("m{number}"), minute, &format!("d/{from}"), Some(&format!("d/{into}"))));
        }
        prop_assert_eq!(outcomes(&events, 30), ["open"]);
        for n in 0..5 {
            events.push(talk(&format!("a{n}"), 40, "agent", &format!("d/{n}")));
        }
        let found = journeys(service(), &events, 60);
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(found[0].customer_waited, Micros::MINUTE.times(40));
        for n in 0..5 {
            events.push(event(&format!("o{n}"), 50, "conversation.restored", json!({"conversation": {"key": format!("d/{n}")}})));
            events.push(state(&format!("s{n}"), 51, "resolved", &format!("d/{n}")));
        }
        prop_assert_eq!(outcomes(&events, 60), ["reached"]);
    }
}

#[test]
fn a_call_in_which_people_talked_is_reached_when_it_is_over() {
    let answered = at(1).to_string();
    let going_on = [call("e1", 0, "customer", json!({"answered_at": answered}))];
    assert_eq!(outcomes(&going_on, 5), ["open"]);
    assert_eq!(outcomes(&going_on, 30 * DAY), ["reached"]);
    for end in [json!({"ended_at": at(9).to_string()}), json!({"duration_s": 60})] {
        let mut data = json!({"answered_at": answered});
        data.as_object_mut().unwrap().extend(end.as_object().unwrap().clone());
        let found = journeys(service(), &[call("e1", 0, "customer", data)], DAY);
        assert_eq!(
            (found[0].outcome.name(), found[0].customer_waited),
            ("reached", Micros::MINUTE)
        );
        assert_eq!(found[0].company_waited, Micros::ZERO);
    }
}

#[test]
fn a_call_that_a_program_took_answers_nothing() {
    let missed = call("e1", 0, "customer", json!({"outcome": "missed"}));
    let mut robot = call("e2", 30, "customer", json!({"outcome": "answered"}));
    robot.actor.kind = cx_core::actor::ActorType::Bot;
    let found = journeys(service(), &[missed, robot], DAY);
    assert_eq!((found[0].outcome.name(), found[0].customer_waited), ("open", Micros::DAY));
}

#[test]
fn what_the_customer_cannot_see_meets_no_goal() {
    let mut internal = talk("e2", 5, "agent", "t");
    internal.visibility = cx_core::event::Visibility::Internal;
    let found = journeys(service(), &[talk("e1", 0, "customer", "t"), internal], 30 * DAY);
    assert_eq!((found[0].outcome.name(), found[0].goals_met.len()), ("abandoned", 0));
}

#[test]
fn a_settled_journey_is_told_as_it_will_end() {
    let events = [talk("e1", 0, "customer", "t"), talk("e2", 5, "agent", "t")];
    let (open, over) =
        (&journeys(service(), &events, 4 * DAY)[0], &journeys(service(), &events, 30 * DAY)[0]);
    assert_eq!((open.outcome.name(), over.outcome.name()), ("open", "reached"));
    assert_eq!((&open.deviations, &open.in_phase), (&over.deviations, &over.in_phase));
    assert_eq!(
        (open.customer_waited, open.company_waited),
        (over.customer_waited, over.company_waited)
    );
}

#[test]
fn what_was_settled_in_time_does_not_take_too_long() {
    let text = include_str!("../../cx-core/journeys/service.toml");
    let short = Definition::from_toml(&text.replace("\"180d\"", "\"7d\"")).unwrap();
    let answered = [talk("e1", 0, "customer", "t"), talk("e2", 5, "agent", "t")];
    let found = journeys(&short, &answered, 30 * DAY);
    assert_eq!((found[0].outcome.name(), found[0].ended), ("reached", Some(at(5))));
    let found = journeys(&short, &answered[..1], 30 * DAY);
    assert_eq!(found[0].outcome.name(), "too_long");
}

#[test]
fn a_later_order_takes_no_cart_of_an_earlier_one() {
    let first = vec![
        cart("e1", 0, "c1"),
        checkout("e2", 1, Some("c1"), "x1"),
        order("e3", 2, &[("checkout", "x1")], "o1"),
    ];
    let again = vec![cart("e4", DAY, "c1"), order("e5", DAY + 1, &[("cart", "c1")], "o2")];
    let one = ("order:shop:o1".to_owned(), "reached", steps(&["e1", "e2", "e3"]));
    assert_eq!(told(&journeys(&by_order(), &first, 10)), std::slice::from_ref(&one));
    let other = ("order:shop:o2".to_owned(), "reached", steps(&["e4", "e5"]));
    assert_eq!(told(&journeys(&by_order(), &[first, again].concat(), 2 * DAY)), [one, other]);
}

#[test]
fn who_asked_is_answered_also_where_somebody_else_is_addressed() {
    let who = |names: &[(&str, &str)]| {
        let claims = names.iter().map(|(name, role)| {
            json!({"ns": "email", "value": format!("{name}@example.nl"), "role": role})
        });
        json!(claims.collect::<Vec<_>>())
    };
    let said = |key: &str, minute, actor: &str, names: &[(&str, &str)]| {
        let mut record = story::said(key, minute, actor, "k1");
        record["who"] = who(names);
        read(record)
    };
    let events = [
        said("e0", 0, "agent", &[("jan", "to")]),
        said("e1", 1, "customer", &[("els", "from"), ("jan", "cc")]),
        said("e2", 2, "customer", &[("jan", "from")]),
        said("e3", 10, "agent", &[("jan", "to"), ("els", "to")]),
    ];
    let store = cx_store::Store::open_in_memory().unwrap();
    let report = store.ingest(&cx_store::Recording::new(at(DAY), "test"), events).unwrap();
    assert_eq!(report.rejected, 0, "{report:?}");
    let els = cx_core::identifier::Who::parse("els@example.nl", None).unwrap();
    let own = store.whole_timeline(&els).unwrap();
    let beside = store.beside(&own).unwrap();
    assert_eq!((own.len(), beside.len()), (1, 3));
    let (own, beside): (Vec<&Event>, Vec<&Event>) = (own.iter().collect(), beside.iter().collect());
    let found = instances_among(service(), &own, &beside, at(30 * DAY));
    let expected = ("reached", Micros::MINUTE.times(9), 1);
    assert_eq!((found[0].outcome.name(), found[0].customer_waited, found[0].contacts), expected);
    let options = cx_core::context::ContextOptions::at(at(30 * DAY));
    let context = store.context(&els, &options).unwrap();
    assert_eq!(context.journeys[0].outcome, "reached");
}

#[test]
fn an_answer_to_several_that_did_not_arrive_with_another_one_answers_nobody() {
    let els = json!([{"ns": "email", "value": "els@example.nl", "role": "from"}]);
    let both = json!([
        {"ns": "email", "value": "jan@example.nl", "role": "to"},
        {"ns": "email", "value": "els@example.nl", "role": "to"},
    ]);
    let mut asked = story::said("e1", 1, "customer", "k1");
    asked["who"] = els;
    let mut answer = story::said("e2", 10, "agent", "k1");
    answer["who"] = both;
    answer["data"] = json!({"message_id": "<m@x>"});
    let (asked, answer) = (read(asked), read(answer));
    assert_eq!(outcomes_among(&[&asked], &[&answer]), ["reached"]);
    for kind in ["mail.bounced", "mail.dropped"] {
        let gone = event(
            "e3",
            11,
            kind,
            json!({
                "direction": "none", "actor": {"type": "system"}, "conversation": {"key": "k1"},
                "who": [{"ns": "email", "value": "jan@example.nl", "role": "to"}],
                "data": {"mail_id": "m@x"},
            }),
        );
        assert_eq!(outcomes_among(&[&asked], &[&answer, &gone]), ["abandoned"], "{kind}");
    }
}

/// The outcomes of the service journeys of a customer, with what others were told.
fn outcomes_among(own: &[&Event], beside: &[&Event]) -> Vec<&'static str> {
    let found = instances_among(service(), own, beside, at(30 * DAY));
    found.iter().map(|instance| instance.outcome.name()).collect()
}
