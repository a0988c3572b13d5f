//! Laws of the folds: states stay in their table, mirrors never fail, what arrives in any order
//! is folded alike, and a journey that goes on is never abandoned.

use cx_core::commerce::CommerceFold;
use cx_core::conversation::state::{check, ways};
use cx_core::conversation::{ConversationFold, Lifecycle, WaitingOn, fold};
use cx_core::event::Event;
use cx_core::event::conversation::State;
use cx_core::ids::ConversationKey;
use cx_core::journey::{Outcome, instances, shipped};
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
        let last = sorted(&events).into_iter().rev().find_map(|event| match &event.kind {
            cx_core::event::Kind::ConversationStatus(status) => Some(status.to),
            _ => None,
        });
        if let Some(last) = last {
            // Only the customer's own word may move it after that.
            let moved = conversation.state != last;
            prop_assert!(!moved || conversation.n_contacts > 0 || !conversation.anomalies.is_empty());
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
        prop_assert!(conversation.state.is_open() || conversation.waiting_on.is_none());
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
        turns in proptest::collection::vec((0..3_000_i64, 0..6_usize, 0..3_u8, 0..3_u8), 1..20), rotate in 0..20_usize,
    ) {
        let events: Vec<Event> = turns.iter().enumerate().map(|(number, (minute, what, cart, order))| {
            let (cart, order) = (format!("c{cart}"), format!("o{order}"));
            let money = json!({"currency": "EUR", "total": "10.00"});
            let mut data = match what {
                0 | 1 => json!({"cart_id": cart, "lines": [{"name": "x", "quantity": 1}]}),
                2 => json!({"checkout_id": format!("k{cart}"), "cart_id": cart}),
                3 => json!({"order_id": order, "cart_id": cart, "payment": "paid"}),
                4 => json!({"order_id": order, "amount": "2.00", "refund_id": format!("r{number}")}),
                _ => json!({"order_id": order, "reason": "changed mind"}),
            };
            if *what != 4 {
                data.as_object_mut().unwrap().extend(money.as_object().unwrap().clone());
            }
            let kind = ["cart.updated", "cart.updated", "checkout.started", "order.placed", "order.refunded", "order.cancelled"][*what];
            turn(number, *minute, kind, "system", &data)
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
