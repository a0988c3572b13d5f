//! Laws of the folds: states stay in their table, mirrors never fail, what arrives in any order
//! is folded alike, and a journey that goes on is never abandoned.

#![expect(clippy::float_cmp, reason = "these values are exact")]

use cx_core::commerce::CommerceFold;
use cx_core::conversation::state::{check, ways};
use cx_core::conversation::{Conversation, ConversationFold, Lifecycle, WaitingOn, fold};
use cx_core::event::conversation::State;
use cx_core::event::{Event, TimeOrigin};
use cx_core::feedback::{Feedback, FeedbackFold, LoopState};
use cx_core::ids::ConversationKey;
use cx_core::journey::{Definition, Instance, Outcome, instances, shipped};
use cx_core::measure::{first_resolution, first_response, full_resolution};
use cx_core::outbound::{OutboundFold, OutboundMail};
use cx_core::time::{Micros, Timestamp};
use cx_tests::story;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

const STATES: &[&str] = &[
    "new",
    "bot",
    "open",
    "waiting_customer",
    "waiting_third",
    "snoozed",
    "resolved",
    "closed",
    "merged",
    "spam",
    "deleted",
];

fn key() -> ConversationKey {
    ConversationKey::new("c").unwrap()
}

/// An event of one conversation: its kind, who did it, its data.
fn turn(number: usize, minute: i64, kind: &str, actor: &str, data: &Value) -> Event {
    let direction = match actor {
        "customer" => "in",
        "system" => "none",
        _ => "out",
    };
    let at = story::monday() + Micros::MINUTE.times(minute);
    serde_json::from_value(json!({
        "key": format!("e{number}"), "source": {"system": "s"}, "kind": kind, "channel": "chat",
        "direction": direction, "actor": {"type": actor}, "conversation": {"key": "c"},
        "occurred_at": at.to_string(), "data": data,
    }))
    .unwrap()
}

fn status(number: usize, minute: i64, to: &str) -> Event {
    turn(number, minute, "conversation.status", "system", &json!({"to": to}))
}

fn turns() -> impl Strategy<Value = Vec<Event>> {
    let one = (0..2_000_i64, 0..8_usize, select(STATES));
    proptest::collection::vec(one, 1..25).prop_map(|turns| {
        let made =
            turns.into_iter().enumerate().map(|(number, (minute, what, state))| match what {
                0 | 1 => turn(number, minute, "message", "customer", &json!({})),
                2 => turn(number, minute, "message", "agent", &json!({})),
                3 => turn(number, minute, "message", "bot", &json!({})),
                4 => turn(number, minute, "message", "automation", &json!({})),
                5 => turn(
                    number,
                    minute,
                    "conversation.handover",
                    "bot",
                    &json!({"from": {"type": "bot"}}),
                ),
                6 => turn(number, minute, "call", "customer", &json!({"outcome": "missed"})),
                _ => status(number, minute, state),
            });
        made.collect()
    })
}

fn sorted(events: &[Event]) -> Vec<&Event> {
    let mut events: Vec<&Event> = events.iter().collect();
    events.sort_by(|a, b| a.timeline_cmp(b));
    events
}

proptest! {
    #[test]
    fn where_cx_keeps_the_state_it_never_leaves_the_table(events in turns()) {
        let mut own = ConversationFold::new(key());
        let mut state: Option<State> = None;
        for event in sorted(&events) {
            let before = own.clone();
            let result = own.apply(event, Lifecycle::Own);
            let after = own.clone().finish().map(|it| it.state);
            match result {
                Ok(()) => {
                    if let (Some(from), Some(to)) = (state, after) {
                        prop_assert!(check(from, to).is_ok(), "{from:?} to {to:?} by {}", event.kind.name());
                    }
                }
                Err(illegal) => {
                    prop_assert!(!ways(illegal.from).contains(&illegal.to));
                    prop_assert_eq!(after, before.finish().map(|it| it.state), "a refused event changes nothing");
                }
            }
            state = after;
        }
    }

    #[test]
    fn where_the_source_keeps_it_every_way_is_taken_and_unusual_ones_are_noted(events in turns()) {
        let conversation = fold(key(), &sorted(&events)).unwrap();
        let sorted = sorted(&events);
        let told = sorted.iter().rposition(|event| event.kind.name() == "conversation.status");
        if let Some(cx_core::event::Kind::ConversationStatus(last)) = told.map(|at| &sorted[at].kind) {
            // What may move it after that: the customer's own word, and a bot that hands over. And
            // what was merged into another conversation stays so when it is closed, which is noted.
            let since = &sorted[told.unwrap()..];
            let heard = since.iter().any(|event| event.is_from_customer());
            let handed_over = last.to == State::Bot && conversation.state == State::Open
                && since.iter().any(|event| event.kind.name() == "conversation.handover");
            let is_merged = conversation.state == State::Merged && !conversation.anomalies.is_empty();
            let moved = conversation.state != last.to;
            prop_assert!(!moved || heard || handed_over || is_merged, "{conversation:?}");
        }
        for anomaly in &conversation.anomalies {
            prop_assert!(check(anomaly.transition.from, anomaly.transition.to).is_err());
        }
    }

    #[test]
    fn whoever_waits_waits_since_something_that_was_said(events in turns()) {
        let conversation = fold(key(), &sorted(&events)).unwrap();
        prop_assert_eq!(conversation.waiting_on.is_some(), conversation.waiting_since.is_some());
        if let Some(since) = conversation.waiting_since {
            prop_assert!(events.iter().any(|event| event.occurred_at == since));
        }
        prop_assert!(conversation.is_open() || conversation.waiting_on.is_none());
        if conversation.waiting_on == Some(WaitingOn::Us) && conversation.n_contacts > 0 {
            let since = conversation.waiting_since.unwrap();
            let answered = events.iter().any(|event| event.is_agent_answer() && event.occurred_at > since);
            let asked_since = events.iter().any(|event| event.is_from_customer() && event.occurred_at >= since);
            prop_assert!(!answered || asked_since || conversation.reopened > 0, "{conversation:?}");
        }
    }

    #[test]
    fn the_order_of_arrival_does_not_matter(events in turns(), seed in any::<u64>()) {
        let mut shuffled = events.clone();
        let n = shuffled.len();
        for at in 0..n {
            let other = usize::try_from(seed.rotate_left(u32::try_from(at % 60).unwrap()) % u64::try_from(n).unwrap()).unwrap();
            shuffled.swap(at, other);
        }
        prop_assert_eq!(fold(key(), &sorted(&shuffled)), fold(key(), &sorted(&events)));
    }

    #[test]
    fn commerce_does_not_know_the_order_of_its_events(
        turns in proptest::collection::vec((0..30_i64, 0..9_usize, 0..3_u8, 0..3_u8, 0..3_u8), 1..20), rotate in 0..20_usize,
    ) {
        let events: Vec<Event> = turns.iter().enumerate().map(|(number, (minute, what, cart, order, shop))| {
            let (cart, order) = (format!("c{cart}"), format!("o{order}"));
            let money = json!({"currency": "EUR", "total": "10.00"});
            let mut data = match what {
                0 | 1 => json!({"cart_id": cart, "lines": [{"name": "x", "quantity": 1}]}),
                2 => json!({"checkout_id": format!("k{cart}"), "cart_id": cart}),
                3 => json!({"order_id": order, "cart_id": cart, "payment": "paid"}),
                4 => json!({"order_id": order, "amount": "2.00", "refund_id": format!("r{number}")}),
                6 => json!({"order_id": order}),
                7 => json!({"order_id": order, "payment": "pending", "fulfilment": "shipped"}),
                8 => json!({"cart_id": cart, "lines": []}),
                _ => json!({"order_id": order, "reason": "changed mind"}),
            };
            if !matches!(*what, 4 | 6 | 7 | 8) {
                data.as_object_mut().unwrap().extend(money.as_object().unwrap().clone());
            }
            let kind = ["cart.updated", "cart.updated", "checkout.started", "order.placed", "order.refunded",
                "order.cancelled", "order.paid", "order.updated", "cart.updated"][*what];
            let mut event = turn(number, *minute, kind, "system", &data);
            event.source.instance = ["", "nl", "de"][usize::from(*shop)].to_owned();
            if *what == 3 {
                event.who = claims(&json!([{"ns": "order", "scope": "s:nl", "value": order}]));
            }
            event
        }).collect();
        let folded = |events: &[&Event]| {
            let mut fold = CommerceFold::default();
            for event in events {
                fold.push(event);
            }
            fold.finish()
        };
        let in_order = sorted(&events);
        let mut otherwise = in_order.clone();
        otherwise.rotate_left(rotate % in_order.len());
        prop_assert_eq!(folded(&otherwise), folded(&in_order));
        otherwise.reverse();
        prop_assert_eq!(folded(&otherwise), folded(&in_order));
    }

    #[test]
    fn an_open_journey_is_not_abandoned_and_later_events_change_nothing(events in turns(), minute in 0..60_000_i64) {
        let as_of: Timestamp = story::monday() + Micros::MINUTE.times(minute);
        let all = sorted(&events);
        let known: Vec<&Event> = all.iter().copied().filter(|event| event.occurred_at <= as_of).collect();
        for definition in shipped() {
            let found = instances(definition, &all, as_of);
            prop_assert_eq!(&found, &instances(definition, &known, as_of));
            for instance in &found {
                let last = instance.steps.iter().rev().find(|step| step.touchpoint.is_some()).map(|step| step.at);
                let idle = as_of.since(last.unwrap_or(instance.started));
                match &instance.outcome {
                    Outcome::Open => {
                        prop_assert!(idle <= definition.inactivity.0);
                        prop_assert!(instance.ended.is_none() && instance.remaining.is_some());
                    }
                    Outcome::Abandoned { .. } => {
                        prop_assert!(idle > definition.inactivity.0);
                        prop_assert_eq!(instance.ended, last);
                    }
                    _ => prop_assert!(instance.ended.is_some()),
                }
            }
            let mut seen: Vec<String> = found.iter().flat_map(|it| &it.steps).map(|step| step.event.to_string()).collect();
            let n = seen.len();
            seen.sort();
            seen.dedup();
            prop_assert_eq!(seen.len(), n, "an event is a step of one instance");
        }
    }
}

#[test]
fn what_reopens_and_what_does_not() {
    let resolved = |then: Event| {
        let events =
            [turn(0, 0, "message", "customer", &json!({})), status(1, 10, "resolved"), then];
        fold(key(), &events.iter().collect::<Vec<_>>()).unwrap().state
    };
    for (kind, actor) in [
        ("note", "agent"),
        ("message", "automation"),
        ("mail.opened", "customer"),
        ("page.viewed", "customer"),
        ("feedback.answered", "customer"),
    ] {
        assert_eq!(
            resolved(turn(2, 20, kind, actor, &json!({}))),
            State::Resolved,
            "{kind} by {actor}"
        );
    }
}

fn claims(json: &Value) -> Vec<cx_core::identifier::Claim> {
    let event = json!({
        "key": "k", "source": {"system": "s"}, "kind": "note", "occurred_at": "2026-03-02T00:00:00Z", "who": json,
    });
    serde_json::from_value::<Event>(event).unwrap().who
}

fn minutes(minutes: i64) -> Timestamp {
    story::monday() + Micros::MINUTE.times(minutes)
}

fn folded(events: &[Event]) -> Conversation {
    fold(key(), &sorted(events)).unwrap()
}

fn bought(events: &[Event]) -> cx_core::commerce::Commerce {
    let mut fold = CommerceFold::default();
    for event in sorted(events) {
        fold.push(event);
    }
    fold.finish()
}

fn thought(events: &[Event]) -> Feedback {
    let mut fold = FeedbackFold::default();
    for event in sorted(events) {
        fold.push(event);
    }
    fold.finish()
}

fn sent(events: &[Event]) -> Vec<OutboundMail> {
    let mut fold = OutboundFold::default();
    for event in sorted(events) {
        fold.push(event);
    }
    fold.finish()
}

#[test]
fn spam_deletion_and_merging_resolve_nothing() {
    for kind in ["conversation.merged", "conversation.spam", "conversation.deleted"] {
        let asked = turn(0, 0, "message", "customer", &json!({}));
        let gone = [folded(&[asked, turn(1, 1, kind, "system", &json!({}))])];
        for measure in [first_response, first_resolution, full_resolution] {
            let measured = measure(&gone, minutes(60));
            assert_eq!((measured.n, measured.excluded.values().sum::<u64>()), (0, 1), "{kind}");
        }
    }
}

#[test]
fn what_was_restored_goes_on_as_it_was_however_often_it_was_deleted() {
    let mut events = vec![
        turn(0, 0, "message", "customer", &json!({})),
        turn(1, 1, "conversation.deleted", "system", &json!({})),
        turn(2, 2, "conversation.deleted", "system", &json!({})),
        turn(3, 3, "conversation.restored", "system", &json!({})),
    ];
    let conversation = folded(&events);
    assert_eq!((conversation.state, conversation.reopened), (State::New, 0));
    assert_eq!(conversation.waiting_since, Some(minutes(0)));
    events.push(turn(4, 10, "message", "agent", &json!({})));
    let measured = first_response(&[folded(&events)], minutes(60));
    assert_eq!((measured.n, measured.value.unwrap().value), (1, 600.0));
}

#[test]
fn a_call_that_somebody_took_is_resolved_when_it_ends() {
    let call = |data: &Value| [folded(&[turn(0, 0, "call", "customer", data)])];
    let at = |minute| minutes(minute).to_string();
    let taken = json!({"outcome": "answered", "answered_at": at(1), "ended_at": at(10)});
    let long = json!({"outcome": "answered", "answered_at": at(1), "duration_s": 540});
    for taken in [taken, long] {
        for measure in [first_resolution, full_resolution] {
            assert_eq!(measure(&call(&taken), minutes(60)).value.unwrap().value, 600.0);
            assert_eq!(measure(&call(&taken), minutes(5)).counts["still_waiting"], 1);
        }
        assert_eq!(first_response(&call(&taken), minutes(60)).value.unwrap().value, 60.0);
    }
}

#[test]
fn a_call_that_somebody_took_answers_also_where_the_source_keeps_the_state() {
    let conversation = folded(&[
        turn(0, 0, "conversation.opened", "system", &json!({"state": "open"})),
        turn(
            1,
            1,
            "call",
            "customer",
            &json!({"outcome": "answered", "answered_at": minutes(2).to_string()}),
        ),
    ]);
    assert_eq!(conversation.state, State::Open);
    assert_eq!(conversation.waiting_on, Some(WaitingOn::Customer));
    assert_eq!(first_response(&[conversation], minutes(60)).value.unwrap().value, 60.0);
}

#[test]
fn where_nothing_asks_for_anybody_nobody_has_to_act() {
    for (kind, actor) in
        [("message", "automation"), ("feedback.answered", "customer"), ("note", "agent")]
    {
        let first = turn(0, 0, kind, actor, &json!({}));
        let alone = folded(std::slice::from_ref(&first));
        assert_eq!((alone.is_open(), alone.waiting_on), (false, None), "{kind} by {actor}");
        assert_eq!(first_resolution(&[alone], minutes(60)).excluded["nothing to resolve"], 1);
        // A reply asks, and it begins with that.
        let asked = folded(&[first, turn(1, 9, "message", "customer", &json!({}))]);
        assert!(asked.is_open());
        assert_eq!((asked.state, asked.waiting_since), (State::New, Some(minutes(9))));
        assert_eq!(first_resolution(&[asked], minutes(10)).value, None);
    }
}

#[test]
fn what_began_resolved_does_not_wait_for_ever() {
    let opened = turn(0, 0, "conversation.opened", "system", &json!({"state": "resolved"}));
    let measured = first_resolution(&[folded(std::slice::from_ref(&opened))], minutes(60));
    assert_eq!((measured.n, measured.excluded["resolved nobody knows when"]), (0, 1));
    let again = folded(&[opened, status(1, 5, "open"), status(2, 9, "resolved")]);
    assert_eq!(again.reopened, 1);
    assert_eq!(full_resolution(&[again], minutes(60)).value.unwrap().value, 540.0);
}

#[test]
fn a_state_that_was_only_seen_tells_no_time() {
    let opened = turn(0, 0, "conversation.opened", "customer", &json!({}));
    let seen = |number, minute, to: &str| {
        let mut seen = status(number, minute, to);
        seen.occurred_at_origin = TimeOrigin::Received;
        seen
    };
    let open = folded(&[opened.clone(), seen(1, 165, "open")]);
    assert_eq!((open.state, open.waiting_since), (State::Open, Some(minutes(0))));
    let closed = folded(&[opened.clone(), seen(1, 9000, "closed")]);
    let measured = full_resolution(std::slice::from_ref(&closed), minutes(9001));
    assert_eq!((closed.state, measured.n), (State::Closed, 0));
    assert_eq!(measured.excluded["resolved nobody knows when"], 1);
    // A change that was told counts, whatever is seen later.
    let solved = folded(&[opened, status(1, 9, "resolved"), seen(2, 9000, "closed")]);
    assert_eq!(full_resolution(&[solved], minutes(9001)).value.unwrap().value, 540.0);
}

#[test]
fn a_promise_that_was_broken_stays_until_it_is_kept_or_all_is_resolved() {
    let due = json!({"metric": "first_response", "due_at": minutes(60).to_string()});
    let mut events = vec![
        turn(0, 0, "message", "customer", &json!({})),
        turn(1, 1, "sla.applied", "system", &due),
        turn(2, 60, "sla.breached", "system", &json!({"metric": "first_response"})),
    ];
    let promises = folded(&events).promises;
    assert!(promises[0].is_breached && promises[0].due_at == Some(minutes(60)), "{promises:?}");
    let met = turn(3, 70, "sla.met", "system", &due);
    let kept: Vec<Event> = events.iter().cloned().chain([met]).collect();
    assert!(folded(&kept).promises.is_empty());
    events.push(status(3, 70, "resolved"));
    assert!(folded(&events).promises.is_empty());
}

#[test]
fn a_call_whose_end_was_not_told_does_not_go_on_for_ever() {
    let picked_up = json!({"answered_at": minutes(0).to_string()});
    let conversation = folded(&[turn(0, 0, "call", "customer", &picked_up)]);
    assert!(conversation.is_on_the_phone(minutes(30)) && conversation.is_open());
    assert!(!conversation.is_on_the_phone(minutes(13 * 60)));
    let snoozed =
        folded(&[turn(0, 0, "voicemail", "customer", &json!({})), status(1, 1, "snoozed")]);
    assert!(!snoozed.is_on_the_phone(minutes(2)));
    let written = turn(1, 5, "message", "customer", &json!({}));
    let written = folded(&[turn(0, 0, "call", "customer", &picked_up), written]);
    assert_eq!(written.waiting_on, Some(WaitingOn::Us));
}

#[test]
fn a_text_that_was_taken_out_does_not_come_back_by_an_edit() {
    let mut said = turn(0, 0, "message", "customer", &json!({}));
    said.body = Some(cx_core::event::Body::text("secret".to_owned()));
    for gone in ["message.deleted", "message.redacted"] {
        let mut edit = turn(2, 1, "message.edited", "customer", &json!({"target": "e0"}));
        edit.body = Some(cx_core::event::Body::text("secret too".to_owned()));
        let events = [said.clone(), turn(1, 1, gone, "customer", &json!({"target": "e0"})), edit];
        assert_eq!(folded(&events).last.unwrap().text, None);
        let all = sorted(&events);
        let corrections = cx_core::conversation::Corrections::of(&all);
        for key in [&events[0].key, &events[2].key] {
            assert_eq!(corrections.of_message(key), Some(None), "{gone} {key}");
        }
    }
}

fn order(number: usize, minute: i64, what: &str, instance: &str, data: &Value) -> Event {
    let mut event = turn(number, minute, what, "system", data);
    instance.clone_into(&mut event.source.instance);
    event
}

#[test]
fn one_number_in_two_shops_is_two_orders() {
    let euros =
        |total: &str| json!({"order_id": "1", "cart_id": "5", "currency": "EUR", "total": total});
    let commerce = bought(&[
        order(
            0,
            0,
            "cart.updated",
            "de",
            &json!({"cart_id": "5", "lines": [{"name": "x", "quantity": 1}]}),
        ),
        order(1, 1, "order.placed", "nl", &euros("10.00")),
        order(
            2,
            2,
            "order.placed",
            "de",
            &json!({"order_id": "1", "currency": "EUR", "total": "20.00"}),
        ),
        order(3, 3, "order.cancelled", "at", &json!({"order_id": "1"})),
    ]);
    assert_eq!(commerce.orders.iter().filter(|order| order.state == "placed").count(), 2);
    assert_eq!(commerce.spent[0].to_string(), "30.00 EUR");
    assert!(commerce.cart.is_some(), "another shop's cart was bought");
}

#[test]
fn an_order_that_another_source_names_is_that_of_its_claim() {
    let claim = claims(&json!([{"ns": "order", "scope": "s:nl", "value": "1"}]));
    let mut paid = order(1, 1, "order.paid", "bank", &json!({"order_id": "1"}));
    paid.who = claim;
    let euros = json!({"order_id": "1", "currency": "EUR", "total": "10.00"});
    let commerce = bought(&[order(0, 0, "order.placed", "nl", &euros), paid]);
    assert_eq!((commerce.orders.len(), commerce.orders[0].state.as_str()), (1, "paid"));
}

#[test]
fn of_an_order_the_latest_word_on_each_thing_counts() {
    let placed = json!({"order_id": "1", "name": "#1", "currency": "EUR", "total": "10.00", "payment": "pending",
        "lines": [{"name": "cup", "quantity": 2, "price": "5.00"}]});
    let placed = order(0, 0, "order.placed", "", &placed);
    let after = |later: &[Event]| {
        let mut events = vec![placed.clone()];
        events.extend_from_slice(later);
        bought(&events)
    };
    let paid = order(1, 1, "order.paid", "", &json!({"order_id": "1"}));
    assert_eq!(after(std::slice::from_ref(&paid)).orders[0].state, "paid");
    let updated = json!({"order_id": "1", "payment": "paid", "fulfilment": "shipped"});
    let commerce = after(&[order(1, 1, "order.updated", "", &updated)]);
    assert_eq!(commerce.orders[0].state, "paid");
    assert_eq!(commerce.orders[0].fulfilment.as_deref(), Some("shipped"));
    let dearer = json!({"order_id": "1", "total": "12.00"});
    let commerce = after(&[order(1, 1, "order.updated", "", &dearer)]);
    assert_eq!(commerce.orders[0].name.as_deref(), Some("#1"));
    assert_eq!(
        (commerce.orders[0].lines.len(), commerce.spent[0].to_string()),
        (1, "12.00 EUR".to_owned())
    );
    let given_back =
        order(2, 2, "order.refunded", "", &json!({"order_id": "1", "amount": "10.00"}));
    assert_eq!(after(&[paid, given_back]).orders[0].state, "refunded");
}

#[test]
fn what_has_no_total_costs_the_sum_of_its_lines() {
    let lines = json!({"order_id": "1", "currency": "EUR", "lines": [{"name": "nail", "quantity": 20_000, "price": "0.01"}]});
    let commerce = bought(&[order(0, 0, "order.placed", "", &lines)]);
    assert_eq!(commerce.orders[0].total.unwrap().to_string(), "200.00");
}

#[test]
fn a_cart_that_was_emptied_is_empty_and_one_that_was_looked_at_is_not() {
    let full =
        json!({"cart_id": "c", "currency": "EUR", "lines": [{"name": "hat", "quantity": 1}]});
    let full = order(0, 0, "cart.updated", "", &full);
    let nothing = json!({"cart_id": "c", "currency": "EUR", "lines": []});
    for (kind, is_there) in
        [("cart.updated", false), ("cart.viewed", true), ("cart.abandoned", true)]
    {
        let commerce = bought(&[full.clone(), order(1, 1, kind, "", &nothing)]);
        assert_eq!(commerce.cart.is_some(), is_there, "{kind}");
    }
}

fn rated(number: usize, minute: i64, survey: &str, score: i32, more: &Value) -> Event {
    let mut data = json!({"survey": survey, "score": score, "scale": {"min": 0, "max": 10}});
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    turn(number, minute, "feedback.answered", "customer", &data)
}

#[test]
fn a_good_answer_to_another_survey_does_not_hide_a_bad_one() {
    let about = json!({"about": "order/1"});
    let feedback = thought(&[rated(0, 0, "csat", 1, &about), rated(1, 1, "nps", 9, &about)]);
    assert_eq!((feedback.ratings.len(), feedback.open_loops.len()), (2, 1));
    let again = thought(&[rated(0, 0, "csat", 1, &about), rated(1, 1, "csat", 9, &about)]);
    assert_eq!((again.ratings.len(), again.open_loops.len()), (1, 0));
}

#[test]
fn a_detractor_is_to_be_dealt_with() {
    let open = |score| thought(&[rated(0, 0, "nps", score, &json!({}))]).open_loops.len();
    assert_eq!((open(5), open(6), open(7)), (1, 1, 0));
}

#[test]
fn one_feedback_id_in_two_sources_is_two_questions() {
    let id = json!({"feedback": "1"});
    let mut elsewhere = rated(1, 1, "csat", 9, &id);
    elsewhere.source.instance = "other".to_owned();
    let mut acted = turn(2, 2, "feedback.acted", "agent", &id);
    acted.source.instance = "other".to_owned();
    let feedback = thought(&[rated(0, 0, "csat", 1, &id), elsewhere, acted.clone()]);
    assert_eq!((feedback.ratings.len(), feedback.open_loops[0].state), (2, LoopState::Received));
    // A source that has no such feedback means another's.
    let feedback = thought(&[rated(0, 0, "csat", 1, &id), acted]);
    assert_eq!(feedback.open_loops[0].state, LoopState::Acted);
}

#[test]
fn a_loop_is_of_a_bad_answer_and_closed_by_any_of_its_names() {
    let acted = turn(1, 1, "feedback.acted", "agent", &json!({"feedback": "f"}));
    let good = thought(&[rated(0, 0, "csat", 9, &json!({"feedback": "f"})), acted]);
    assert!(good.open_loops.is_empty());
    let closed = turn(1, 1, "feedback.closed", "agent", &json!({"feedback": "e0"}));
    let bad = thought(&[rated(0, 0, "csat", 1, &json!({})), closed]);
    assert!(bad.open_loops.is_empty());
}

#[test]
fn a_mail_that_arrived_at_the_second_attempt_did_not_come_back() {
    let mail = |number, minute, kind: &str, bounce: &str| {
        let data = json!({"mail_id": "m", "bounce": bounce});
        turn(number, minute, kind, "system", &data)
    };
    for (bounce, came_back) in [("soft", false), ("blocked", false), ("hard", true)] {
        let mails =
            sent(&[mail(0, 0, "mail.bounced", bounce), mail(1, 1, "mail.delivered", "soft")]);
        assert_eq!(mails[0].bounced.is_some(), came_back, "{bounce}");
    }
    let late = sent(&[mail(0, 0, "mail.delivered", "soft"), mail(1, 1, "mail.bounced", "soft")]);
    assert!(late[0].bounced.is_some() && late[0].failed_at.is_some());
}

const DAY: i64 = 24 * 60;

fn of_service(events: &[Event], days: i64) -> Vec<Instance> {
    let service = shipped().iter().find(|it| it.id == "service").unwrap();
    instances(service, &sorted(events), minutes(days * DAY))
}

#[test]
fn whoever_was_never_answered_has_waited_until_the_journey_counted_as_abandoned() {
    let asked = [turn(0, 0, "message", "customer", &json!({}))];
    let before = &of_service(&asked, 13)[0];
    assert_eq!((before.outcome.name(), before.customer_waited), ("open", Micros::DAY.times(13)));
    for day in [15, 40] {
        let after = &of_service(&asked, day)[0];
        assert_eq!(after.outcome.name(), "abandoned");
        assert_eq!(after.customer_waited, Micros::DAY.times(14));
        assert_eq!(after.ended, Some(minutes(0)));
    }
}

#[test]
fn an_old_ticket_that_closes_by_itself_answers_no_new_question() {
    let service = shipped().iter().find(|it| it.id == "service").unwrap();
    let events = [
        turn(0, 0, "message", "customer", &json!({})),
        turn(1, 10, "conversation.status", "system", &json!({"from": "resolved", "to": "closed"})),
    ];
    assert_eq!(instances(service, &sorted(&events), minutes(20))[0].outcome, Outcome::Open);
    let solved =
        turn(2, 15, "conversation.status", "system", &json!({"from": "open", "to": "resolved"}));
    let events = [events[0].clone(), solved];
    assert_eq!(instances(service, &sorted(&events), minutes(20))[0].outcome, Outcome::Reached);
}

fn definition(key: &str) -> Definition {
    Definition::from_toml(&format!(
        r#"
        id = "d"
        version = 1
        name = "D"
        kind = "other"
        key = "{key}"
        inactivity = "30d"
        max_length = "180d"
        start = {{ kind = "page.viewed" }}
        goal = {{ kind = "order.placed" }}
        phases = [{{ id = "p", name = "P" }}]
        touchpoints = [{{ id = "look", phase = "p", expected = "repeatable", when = {{ kind = "page.viewed" }} }}]
        "#
    ))
    .unwrap()
}

proptest! {
    #[test]
    fn an_ended_journey_stays_as_it_ended(gaps in proptest::collection::vec(1_i64..40, 0..20), asked in 0_i64..300, later in 0_i64..300) {
        let mut day = 0;
        let mut events = vec![turn(0, 0, "page.viewed", "customer", &json!({}))];
        for (number, gap) in gaps.iter().enumerate() {
            day += gap;
            events.push(turn(number + 1, day * DAY, "page.viewed", "customer", &json!({})));
        }
        let at = |day: i64| {
            let past: Vec<&Event> = sorted(&events).into_iter().filter(|it| it.occurred_at <= minutes(asked * DAY)).collect();
            instances(&definition("customer"), &past, minutes(day * DAY))
        };
        let (now, then) = (at(asked), at(asked + later));
        for (one, other) in now.iter().zip(&then) {
            match one.remaining {
                None => prop_assert_eq!(one, other),
                // It ends when it was said to, unless something happens.
                Some(left) => prop_assert_eq!(other.remaining.is_some(), left >= Micros::DAY.times(later)),
            }
        }
    }
}

#[test]
fn a_thread_with_several_keys_is_one_journey() {
    let in_thread = |number: usize, key: &str, aliases: &[&str]| -> Event {
        let mut event = serde_json::to_value(turn(
            number,
            i64::try_from(number).unwrap(),
            "page.viewed",
            "customer",
            &json!({}),
        ))
        .unwrap();
        event["conversation"] = json!({"key": key, "aliases": aliases});
        serde_json::from_value(event).unwrap()
    };
    let events = [
        in_thread(0, "thread/m1", &["thread/m1", "thread/m2"]),
        in_thread(1, "thread/m2", &["thread/m3"]),
        in_thread(2, "thread/m3", &[]),
        in_thread(3, "thread/x", &[]),
    ];
    let found = instances(&definition("conversation"), &sorted(&events), minutes(10));
    let told: Vec<(&str, usize)> =
        found.iter().map(|it| (it.key.as_str(), it.steps.len())).collect();
    assert_eq!(told, [("thread/m1", 3), ("thread/x", 1)]);
}
