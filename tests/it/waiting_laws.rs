//! Who waits on whom: what the fold of a conversation makes of what was said, promised and told,
//! and that a store finds the same.

use cx_core::conversation::{Conversation, Corrections, WaitingOn, fold};
use cx_core::event::Event;
use cx_core::event::conversation::State;
use cx_core::ids::ConversationKey;
use cx_core::measure::{first_resolution, first_response};
use cx_core::time::{Micros, Timestamp};
use cx_store::{Recording, Store};
use cx_tests::story;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

fn minutes(minutes: i64) -> Timestamp {
    story::monday() + Micros::MINUTE.times(minutes)
}

/// An event of a conversation: its number gives its key.
fn turn_in(of: &str, number: usize, minute: i64, kind: &str, actor: &str, more: &Value) -> Event {
    let direction = match actor {
        "customer" | "unknown" => "in",
        "system" => "none",
        _ => "out",
    };
    let mut event = json!({
        "key": format!("e{number}"), "source": {"system": "s"}, "kind": kind, "channel": "chat",
        "direction": direction, "actor": {"type": actor}, "conversation": {"key": of},
        "occurred_at": minutes(minute).to_string(),
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(event).unwrap()
}

fn turn(number: usize, minute: i64, kind: &str, actor: &str, data: &Value) -> Event {
    turn_in("c", number, minute, kind, actor, &json!({"data": data}))
}

fn asks(number: usize, minute: i64) -> Event {
    turn(number, minute, "message", "customer", &json!({}))
}

fn answers(number: usize, minute: i64) -> Event {
    turn(number, minute, "message", "agent", &json!({}))
}

fn status(number: usize, minute: i64, to: &str) -> Event {
    turn(number, minute, "conversation.status", "system", &json!({"to": to}))
}

/// How the source last saw it, which is no change.
fn seen(number: usize, minute: i64, to: &str) -> Event {
    let more = json!({"data": {"to": to}, "occurred_at_origin": "received"});
    turn_in("c", number, minute, "conversation.status", "system", &more)
}

fn folded(events: &[Event]) -> Conversation {
    let mut events: Vec<&Event> = events.iter().collect();
    events.sort_by(|a, b| a.timeline_cmp(b));
    fold(ConversationKey::new("c").unwrap(), &events).unwrap()
}

/// On whom it waits, and since which minute.
fn waits(conversation: &Conversation) -> Option<(WaitingOn, i64)> {
    let since = conversation.waiting_since?.since(minutes(0)).as_seconds() / 60;
    Some((conversation.waiting_on?, since))
}

const fn us(minute: i64) -> (WaitingOn, i64) {
    (WaitingOn::Us, minute)
}

const fn customer(minute: i64) -> (WaitingOn, i64) {
    (WaitingOn::Customer, minute)
}

/// All that may happen in a conversation.
fn anything() -> impl Strategy<Value = Vec<Event>> {
    const STATES: &[&str] =
        &["bot", "open", "waiting_customer", "snoozed", "resolved", "closed", "merged", "spam"];
    const KINDS: &[(&str, &str)] = &[
        ("message", "customer"),
        ("message", "unknown"),
        ("message", "agent"),
        ("message", "bot"),
        ("message", "automation"),
        ("call", "customer"),
        ("call", "agent"),
        ("call", "bot"),
        ("conversation.opened", "system"),
        ("conversation.status", "system"),
        ("conversation.handover", "bot"),
        ("conversation.merged", "system"),
        ("conversation.spam", "system"),
        ("conversation.restored", "system"),
        ("callback.promised", "agent"),
        ("callback.done", "agent"),
        ("sla.applied", "system"),
        ("message.failed", "system"),
        ("message.deleted", "customer"),
        ("message.deleted", "agent"),
    ];
    let one = (0..60_i64, select(KINDS), select(STATES), 0..20_usize, any::<bool>());
    proptest::collection::vec(one, 1..20).prop_map(|all| {
        let made =
            all.into_iter().enumerate().map(|(number, (minute, (kind, actor), to, of, flag))| {
                let to_bot = json!({"type": if flag { "bot" } else { "agent" }});
                let data = match kind {
                    "call" => json!({"outcome": if flag { "answered" } else { "missed" }}),
                    "conversation.opened" => json!({"state": to}),
                    "conversation.status" => {
                        json!({"to": to, "snoozed_until": minutes(minute + 30).to_string()})
                    }
                    "conversation.handover" => json!({"to": to_bot}),
                    "conversation.merged" => json!({"into": "d"}),
                    "callback.promised" | "callback.done" => {
                        json!({"callback": format!("k{}", of % 2)})
                    }
                    "sla.applied" => json!({"metric": "first_response"}),
                    "message.failed" | "message.deleted" => json!({"target": format!("e{of}")}),
                    _ => json!({}),
                };
                turn(number, minute, kind, actor, &data)
            });
        made.collect()
    })
}

proptest! {
    #[test]
    fn whoever_waits_is_seen_and_waits_since_something_happened(events in anything(), rotate in 0..20_usize) {
        let conversation = folded(&events);
        prop_assert_eq!(conversation.waiting_on.is_some(), conversation.waiting_since.is_some());
        if let Some(since) = conversation.waiting_since {
            prop_assert!(events.iter().any(|event| event.occurred_at == since), "{conversation:?}");
            prop_assert!(conversation.is_open());
            prop_assert!(!matches!(conversation.state, State::Spam | State::Deleted));
        }
        prop_assert!(!conversation.cycles.is_empty());
        prop_assert_eq!(conversation.cycles.len(), usize::try_from(conversation.reopened).unwrap() + 1);
        for cycle in &conversation.cycles {
            prop_assert!(cycle.is_resolved || cycle.resolved_at.is_none());
            prop_assert!(cycle.answered_at.is_none() || cycle.asked_at.is_some());
        }
        let mut otherwise = events.clone();
        otherwise.rotate_left(rotate % events.len());
        prop_assert_eq!(&folded(&otherwise), &conversation, "in whatever order they came");
    }

    #[test]
    fn the_last_word_of_the_customer_waits_for_us_until_somebody_speaks(events in anything()) {
        let mut events = events;
        events.push(asks(90, 100));
        let before = folded(&events);
        let is_gone = matches!(before.state, State::Spam | State::Deleted);
        prop_assert_eq!(before.waiting_on == Some(WaitingOn::Us), !is_gone, "{:?}", before);
        events.push(answers(91, 110));
        let after = folded(&events);
        let owes_call = after.promises.iter().any(|promise| promise.is_call);
        prop_assert_eq!(after.waiting_on == Some(WaitingOn::Us), owes_call && !is_gone, "{:?}", after);
    }

    #[test]
    fn the_text_that_is_told_last_is_what_corrections_leave(events in anything()) {
        let mut all: Vec<&Event> = events.iter().collect();
        all.sort_by(|a, b| a.timeline_cmp(b));
        let Some(last) = folded(&events).last else { return Ok(()) };
        if Corrections::of(&all).of_message(&last.event) == Some(None) {
            prop_assert_eq!(last.text, None);
        }
    }
}

#[test]
fn a_promised_call_stands_until_the_one_that_it_names_was_made() {
    let promise =
        |number, minute, data: Value| turn(number, minute, "callback.promised", "agent", &data);
    let left = |made: Value, all: &[Event]| {
        let mut all = all.to_vec();
        all.push(called(&made));
        let promises = folded(&all).promises;
        promises.into_iter().map(|it| it.id.unwrap_or(it.what)).collect::<Vec<_>>()
    };
    let ids = [promise(1, 1, json!({"callback": "a"})), promise(2, 2, json!({"callback": "b"}))];
    assert_eq!(left(json!({"callback": "a"}), &ids), ["b"]);
    assert_eq!(left(json!({"callback": "b", "text": "call back"}), &ids), ["a"]);
    assert_eq!(left(json!({}), &ids), ["b"], "the first");
    assert_eq!(left(json!({"callback": "c"}), &ids), ["a", "b"]);
    let words = [promise(1, 1, json!({"text": "drill"})), promise(2, 2, json!({"text": "saw"}))];
    assert_eq!(left(json!({"text": "saw"}), &words), ["drill"]);
    assert_eq!(left(json!({"text": "other"}), &words), ["drill", "saw"]);
    assert_eq!(left(json!({"callback": "a"}), &words), ["saw"]);
    let both = [promise(1, 1, json!({"text": "drill", "callback": "a"}))];
    assert!(left(json!({"callback": "a"}), &both).is_empty());
    // Said again, it is one promise, at another time.
    let later = json!({"callback": "a", "due_at": minutes(50).to_string()});
    let promises = folded(&[both[0].clone(), promise(2, 2, later)]).promises;
    assert_eq!((promises.len(), promises[0].due_at), (1, Some(minutes(50))));
    assert_eq!(promises[0].what, "drill");
}

fn called(data: &Value) -> Event {
    turn(9, 90, "callback.done", "agent", data)
}

#[test]
fn whoever_is_owed_a_call_waits_for_us_also_where_all_else_is_done() {
    let promised = || turn(5, 5, "callback.promised", "agent", &json!({"callback": "a"}));
    let call = json!({"outcome": "answered"});
    for before in [
        vec![turn(0, 0, "call", "customer", &call)],
        vec![asks(0, 0), answers(1, 1)],
        vec![asks(0, 0), status(1, 1, "waiting_third")],
        vec![asks(0, 0), status(1, 1, "resolved")],
    ] {
        let mut events = before;
        events.push(promised());
        let owed = folded(&events);
        assert!(owed.is_open());
        assert_eq!(waits(&owed), Some(us(5)), "{events:?}");
        events.push(called(&json!({"callback": "a"})));
        assert_ne!(folded(&events).waiting_on, Some(WaitingOn::Us));
    }
    let gone = folded(&[promised(), turn(6, 6, "conversation.spam", "system", &json!({}))]);
    assert!(!gone.is_open());
}

#[test]
fn what_the_customer_says_after_the_source_spoke_waits_for_us() {
    for state in ["resolved", "closed", "snoozed", "waiting_customer", "waiting_third", "merged"] {
        let mut events = vec![asks(0, 0), status(1, 1, state)];
        assert_ne!(folded(&events).waiting_on, Some(WaitingOn::Us), "{state}");
        // One message at the same second, as the agent solves it, asks nothing more.
        let with_it = [events[0].clone(), events[1].clone(), asks(2, 1)];
        assert_ne!(folded(&with_it).waiting_on, Some(WaitingOn::Us), "{state}");
        events.push(asks(2, 5));
        events.push(asks(3, 6));
        let asked = folded(&events);
        assert!(asked.is_open(), "{state}");
        assert_eq!(waits(&asked), Some(us(5)), "{state}");
        for then in [answers(4, 9), status(4, 9, state)] {
            let mut events = events.clone();
            events.push(then);
            let then = folded(&events);
            if state != "merged" {
                assert_ne!(then.waiting_on, Some(WaitingOn::Us), "{state}");
            }
        }
    }
}

#[test]
fn a_question_that_opens_again_is_asked_in_the_new_cycle() {
    let first = || vec![asks(0, 0), answers(1, 60), status(2, 60, "resolved")];
    let reopened = |asked: i64, open: i64| {
        let mut events = first();
        events.extend([asks(3, asked), status(4, open, "open"), answers(5, 2_000)]);
        folded(&events)
    };
    for (asked, open) in [(1_000, 1_000), (1_000, 1_001), (1_001, 1_000)] {
        let conversation = reopened(asked, open);
        assert_eq!((conversation.cycles.len(), conversation.reopened), (2, 1));
        assert_eq!(conversation.cycles[0].asked_at, Some(minutes(0)));
        assert_eq!(conversation.cycles[1].asked_at, Some(minutes(asked)));
        assert_eq!(conversation.cycles[1].answered_at, Some(minutes(2_000)));
        let measured = first_response(&[conversation], minutes(9_000));
        assert_eq!((measured.n, measured.excluded.len()), (2, 0), "{asked} {open}");
    }
    // What was asked counts also where nobody opens it.
    let mut events = first();
    events.push(asks(3, 1_000));
    assert_eq!(first_response(&[folded(&events)], minutes(9_000)).counts["still_waiting"], 1);
    events.push(status(4, 1_200, "resolved"));
    let again = folded(&events);
    assert_eq!(again.cycles[1].resolved_at, Some(minutes(1_200)));
    // Opened again by us, it waits for us: the answer is of the cycle before.
    let mut events = first();
    events.push(status(3, 1_000, "open"));
    assert_eq!(waits(&folded(&events)), Some(us(1_000)));
}

#[test]
fn clocks_stop_when_it_is_resolved() {
    let sla = json!({"metric": "first_response", "due_at": minutes(5).to_string()});
    let events = [
        asks(0, 0),
        turn(1, 0, "sla.applied", "system", &sla),
        answers(2, 1),
        status(3, 2, "resolved"),
        status(4, 100, "open"),
    ];
    assert!(folded(&events).promises.is_empty());
}

#[test]
fn a_warning_tells_no_other_time_and_policies_are_several() {
    let sla = |number, kind: &str, data: Value| turn(number, 1, kind, "system", &data);
    let due = minutes(60).to_string();
    let applied = sla(0, "sla.applied", json!({"metric": "m", "due_at": due}));
    let warned = sla(2, "sla.warned", json!({"metric": "m"}));
    let promises = folded(&[applied.clone(), warned.clone()]).promises;
    assert_eq!((promises.len(), promises[0].due_at), (1, Some(minutes(60))));
    let breached = sla(1, "sla.breached", json!({"metric": "m"}));
    let promises = folded(&[applied, breached, warned]).promises;
    assert!(promises.len() == 1 && promises[0].is_breached, "{promises:?}");
    let of = |number, kind: &str, policy: &str| {
        sla(number, kind, json!({"metric": "m", "policy": policy}))
    };
    let two =
        [of(0, "sla.applied", "gold"), of(1, "sla.applied", "legal"), of(2, "sla.met", "legal")];
    let promises = folded(&two).promises;
    assert_eq!(promises.len(), 1);
    assert_eq!(promises[0].id.as_deref(), Some("gold"));
}

#[test]
fn what_was_merged_or_is_told_gone_is_restored_too() {
    let restored = || turn(8, 8, "conversation.restored", "system", &json!({}));
    let merged = || turn(1, 1, "conversation.merged", "system", &json!({"into": "d"}));
    for gone in [
        vec![merged()],
        vec![status(1, 1, "spam")],
        vec![
            merged(),
            status(2, 2, "deleted"),
            turn(3, 3, "conversation.restored", "system", &json!({})),
        ],
    ] {
        let mut events = vec![asks(0, 0)];
        events.extend(gone);
        events.push(restored());
        let conversation = folded(&events);
        assert_eq!((conversation.state, waits(&conversation)), (State::New, Some(us(0))));
        assert_eq!((conversation.merged_into, conversation.reopened), (None, 0));
    }
    // It is closed since it was merged: nothing was resolved.
    let closed = folded(&[asks(0, 0), merged(), status(2, 2, "closed"), seen(3, 3, "closed")]);
    assert_eq!((closed.state, closed.cycles[0].is_resolved), (State::Merged, false));
    assert_eq!(first_resolution(&[closed], minutes(60)).n, 0);
}

#[test]
fn an_answer_that_did_not_arrive_or_was_deleted_is_none() {
    let of = |number, minute, kind: &str, actor: &str| {
        turn(number, minute, kind, actor, &json!({"target": "e1"}))
    };
    for gone in [of(2, 3, "message.failed", "system"), of(2, 3, "message.deleted", "agent")] {
        let events = [asks(0, 0), answers(1, 2), gone];
        let conversation = folded(&events);
        assert_eq!((conversation.state, waits(&conversation)), (State::New, Some(us(0))));
        assert_eq!(conversation.cycles[0].answered_at, None);
    }
    let tried_again = [
        asks(0, 0),
        answers(1, 2),
        of(2, 3, "message.failed", "system"),
        of(3, 4, "message.delivered", "system"),
    ];
    assert_eq!(waits(&folded(&tried_again)), Some(customer(2)));
    let by_mail = turn(1, 2, "message", "agent", &json!({"message_id": "<m@x>"}));
    let bounced = |bounce: &str| {
        turn(2, 3, "mail.bounced", "system", &json!({"mail_id": "m@x", "bounce": bounce}))
    };
    assert_eq!(waits(&folded(&[asks(0, 0), by_mail.clone(), bounced("hard")])), Some(us(0)));
    assert_eq!(waits(&folded(&[asks(0, 0), by_mail, bounced("soft")])), Some(customer(2)));
}

#[test]
fn what_the_customer_took_back_before_anybody_answered_asks_nothing() {
    let deleted =
        |minute, actor: &str| turn(7, minute, "message.deleted", actor, &json!({"target": "e0"}));
    let alone = folded(&[asks(0, 0), deleted(1, "customer")]);
    assert_eq!((alone.is_open(), alone.n_contacts, waits(&alone)), (false, 0, None));
    let more = folded(&[asks(0, 0), asks(1, 1), deleted(2, "customer")]);
    assert_eq!(waits(&more), Some(us(1)));
    assert_eq!(waits(&folded(&[asks(0, 0), deleted(1, "agent")])), Some(us(0)));
    let answered = folded(&[asks(0, 0), answers(1, 1), deleted(2, "customer")]);
    assert_eq!(answered.cycles[0].answered_at, Some(minutes(1)));
}

#[test]
fn what_comes_in_is_from_the_customer_whoever_is_said_to_have_written_it() {
    let unknown = |number, minute| turn(number, minute, "message", "unknown", &json!({}));
    let conversation = folded(&[unknown(0, 0), answers(1, 1), unknown(2, 2)]);
    assert_eq!((conversation.n_contacts, waits(&conversation)), (2, Some(us(2))));
}

#[test]
fn a_bot_has_what_was_handed_back_and_a_person_what_it_let_go_of() {
    let to = |number, minute, whom: &str, data: Value| {
        let mut data = data;
        data["to"] = json!({"type": whom});
        turn(number, minute, "conversation.handover", "agent", &data)
    };
    let bot = |number, minute| turn(number, minute, "message", "bot", &json!({}));
    let back =
        folded(&[asks(0, 0), answers(1, 1), asks(2, 2), to(3, 3, "bot", json!({})), bot(4, 4)]);
    assert_eq!((back.state, waits(&back)), (State::Bot, Some(customer(4))));
    let told = [
        turn(0, 0, "conversation.opened", "system", &json!({"state": "bot"})),
        asks(1, 1),
        bot(2, 2),
        to(
            3,
            3,
            "team",
            json!({"facts": [{"name": "order", "value": "1"}, {"name": "age", "value": "2"}], "tried": ["restart"]}),
        ),
        to(4, 4, "agent", json!({"facts": [{"name": "age", "value": "3"}]})),
    ];
    let handed = folded(&told);
    assert_eq!((handed.state, waits(&handed)), (State::Open, Some(us(1))));
    let handover = handed.handover.unwrap().handover;
    let facts: Vec<&str> = handover.facts.iter().map(|fact| fact.value.as_str()).collect();
    assert_eq!((facts, handover.tried), (vec!["1", "3"], vec!["restart".to_owned()]));
}

#[test]
fn a_team_is_not_the_person_who_has_it() {
    let assigned = |number, data: Value| turn(number, 5, "conversation.assigned", "agent", &data);
    let ann = json!({"type": "agent", "name": "Ann"});
    let to_ann = assigned(1, json!({"to": ann}));
    let who = |then: Value| {
        let it = folded(&[asks(0, 0), to_ann.clone(), assigned(2, then)]);
        (it.assignee.and_then(|it| it.name), it.team.and_then(|it| it.name))
    };
    let team = json!({"type": "team", "name": "Billing"});
    let billing = Some("Billing".to_owned());
    assert_eq!(who(json!({"to": team})), (None, billing.clone()));
    assert_eq!(who(json!({"from": ann, "team": team})), (None, billing.clone()));
    assert_eq!(who(json!({"team": team})), (Some("Ann".to_owned()), billing));
}

#[test]
fn a_call_is_over_when_its_end_or_its_length_is_told() {
    let at = |minute| minutes(minute).to_string();
    for told in [json!({"ended_at": at(5)}), json!({"duration_s": 300})] {
        let mut data = told;
        data["answered_at"] = json!(at(0));
        let call = folded(&[turn(0, 0, "call", "customer", &data)]);
        assert_eq!((call.state, call.call_since, call.is_open()), (State::Resolved, None, false));
        assert_eq!(call.since, minutes(5));
    }
}

#[test]
fn a_call_by_a_program_answers_nothing() {
    for program in ["bot", "ai", "automation", "integration", "system"] {
        let more = json!({"direction": "out", "data": {"outcome": "answered", "duration_s": 60}});
        let called = turn_in("c", 1, 1, "call", program, &more);
        let conversation = folded(&[asks(0, 0), called]);
        assert_eq!(conversation.cycles[0].answered_at, None, "{program}");
        assert!(conversation.is_open() && !conversation.cycles[0].is_resolved, "{program}");
    }
}

#[test]
fn it_begins_with_what_asks_and_ends_where_something_tells() {
    let by_bot = turn(0, 0, "message", "bot", &json!({}));
    let after = folded(&[by_bot, asks(1, 7_000), answers(2, 7_010), status(3, 7_060, "resolved")]);
    let taken = first_resolution(&[after], minutes(9_000)).value.unwrap().value;
    assert!((taken - 3_600.0).abs() < 1e-9, "{taken}");
    let ours = folded(&[answers(0, 0)]);
    assert!(ours.is_open() && !ours.is_asked);
    let excluded = |of: Conversation| first_resolution(&[of], minutes(9_000)).excluded;
    assert_eq!(excluded(ours)["nothing to resolve"], 1);
    let thread = folded(&[asks(0, 0), answers(1, 30)]);
    assert_eq!(excluded(thread)["nobody says when it is resolved"], 1);
    let by_phone = json!({"channel": "phone", "data": {"outcome": "missed"}});
    let missed = folded(&[turn_in("c", 0, 0, "call", "customer", &by_phone)]);
    assert!(missed.can_be_resolved() && excluded(missed).is_empty());
}

#[test]
fn a_state_that_was_only_seen_does_not_tell_since_when() {
    let seen_closed = folded(&[asks(0, 0), answers(1, 60), seen(2, 40_000, "closed")]);
    assert_eq!((seen_closed.state, seen_closed.cycles[0].is_resolved), (State::Closed, true));
    assert_eq!(
        first_resolution(&[seen_closed], minutes(50_000)).excluded["resolved nobody knows when"],
        1
    );
    // The change itself at the same instant tells it, whichever of both stands first.
    for numbers in [(2, 3), (3, 2)] {
        let told = [asks(0, 0), seen(numbers.0, 60, "resolved"), status(numbers.1, 60, "resolved")];
        assert_eq!(folded(&told).cycles[0].resolved_at, Some(minutes(60)));
    }
}

#[test]
fn a_call_does_not_resolve_a_ticket_that_begins_at_the_same_instant() {
    let call = |number| {
        turn(number, 0, "call", "customer", &json!({"outcome": "answered", "duration_s": 120}))
    };
    for opened_at in [0, 1] {
        let opened = turn(5, opened_at, "conversation.opened", "system", &json!({"state": "open"}));
        let ticket = folded(&[call(1), opened.clone(), status(6, 4_000, "resolved")]);
        assert_eq!((ticket.reopened, ticket.cycles.len()), (0, 1));
        assert_eq!(ticket.cycles[0].resolved_at, Some(minutes(4_000)));
    }
}

fn store(events: &[Event]) -> Store {
    let store = Store::open_in_memory().unwrap();
    store.ingest(&Recording::new(minutes(0), "t"), events.to_vec()).unwrap();
    store
}

/// The conversations that wait at a minute, in the order of their turns, each with whether it waits
/// for us.
fn waiting(store: &Store, minute: i64) -> Vec<(String, bool)> {
    let told = |limit: usize| -> Vec<(String, bool)> {
        let waiting = store.first_waiting(minutes(minute), limit).unwrap();
        let told = waiting.into_iter().map(|it| {
            (it.conversation.key.to_string(), it.conversation.waiting_on == Some(WaitingOn::Us))
        });
        told.collect()
    };
    let all = told(usize::MAX);
    for limit in 0..all.len() {
        assert_eq!(told(limit), all[..limit]);
    }
    all
}

fn of_jan(of: &str, number: usize, minute: i64, kind: &str, actor: &str, data: &Value) -> Event {
    let who = json!([{"ns": "whatsapp", "scope": "w", "value": "31612345678", "role": "subject"}]);
    let more = json!({"data": data, "who": who, "channel": "whatsapp"});
    turn_in(of, number, minute, kind, actor, &more)
}

#[test]
fn what_is_snoozed_waits_for_us_when_its_time_comes() {
    let until = |minute| json!({"to": "snoozed", "snoozed_until": minutes(minute).to_string()});
    let events = [
        of_jan("a", 0, 0, "message", "customer", &json!({})),
        of_jan("a", 1, 1, "conversation.status", "system", &until(100)),
        of_jan("b", 2, 2, "message", "customer", &json!({})),
        of_jan("b", 3, 3, "message", "agent", &json!({})),
        of_jan("c", 4, 50, "message", "customer", &json!({})),
        of_jan("d", 5, 60, "conversation.status", "system", &until(70)),
    ];
    let mut now = store(&events);
    let (ours, theirs) = (|key: &str| (key.to_owned(), true), |key: &str| (key.to_owned(), false));
    for _ in 0..2 {
        let at_60 = waiting(&now, 60);
        assert_eq!(at_60, [ours("c"), theirs("b"), theirs("d"), theirs("a")]);
        assert_eq!(waiting(&now, 80), [ours("c"), ours("d"), theirs("b"), theirs("a")]);
        assert_eq!(waiting(&now, 100), [ours("c"), ours("d"), ours("a"), theirs("b")]);
        // The same where later events make it the past.
        let mut later = events.to_vec();
        later.push(of_jan("e", 9, 5_000, "order.placed", "system", &json!({"order_id": "1"})));
        now = store(&later);
    }
    let options = cx_core::context::ContextOptions::at(minutes(90));
    let who = cx_core::identifier::Who::parse("whatsapp:w:31612345678", None).unwrap();
    let open = now.context(&who, &options).unwrap().open;
    let woken = open.iter().find(|matter| matter.conversation == "d").unwrap();
    assert_eq!(woken.waiting_on, Some(WaitingOn::Us));
}

#[test]
fn what_was_asked_before_a_merge_waits_until_it_is_answered_there() {
    let merged =
        |into: Value| of_jan("a", 2, 2, "conversation.merged", "system", &json!({"into": into}));
    let mut events = vec![
        of_jan("b", 0, 0, "message", "customer", &json!({})),
        of_jan("b", 8, 0, "message", "agent", &json!({})),
        of_jan("a", 1, 1, "message", "customer", &json!({})),
    ];
    let keys = |events: &[Event]| -> Vec<String> {
        let store = store(events);
        let waiting = waiting(&store, 90).into_iter().filter(|(_, is_ours)| *is_ours);
        let waiting: Vec<String> = waiting.map(|(key, _)| key).collect();
        let options = cx_core::context::ContextOptions::at(minutes(90));
        let who = cx_core::identifier::Who::parse("whatsapp:w:31612345678", None).unwrap();
        let open = store.context(&who, &options).unwrap().open;
        let open = open.into_iter().filter(|it| it.waiting_on == Some(WaitingOn::Us));
        assert_eq!(open.map(|it| it.conversation).collect::<Vec<_>>(), waiting);
        waiting
    };
    let nowhere = [&events[..], &[merged(Value::Null)]].concat();
    assert!(keys(&nowhere).is_empty(), "where it lives on is not told");
    events.push(merged(json!("b")));
    assert_eq!(keys(&events), ["a"]);
    let answered = of_jan("b", 3, 3, "message", "agent", &json!({}));
    assert!(keys(&[&events[..], &[answered]].concat()).is_empty());
    let resolved = of_jan("b", 3, 3, "conversation.status", "system", &json!({"to": "resolved"}));
    assert!(keys(&[&events[..], &[resolved]].concat()).is_empty());
    let later = of_jan("a", 4, 4, "message", "customer", &json!({}));
    assert_eq!(keys(&[&nowhere[..], &[later]].concat()), ["a"]);
}

#[test]
fn whoever_was_called_back_is_called_back_on_any_channel_and_leg() {
    let call = |of: &str, number, minute, actor: &str, data: Value| {
        of_jan(of, number, minute, "call", actor, &data)
    };
    let missed = || call("a", 0, 10, "customer", json!({"outcome": "missed"}));
    let at = |minute| minutes(minute).to_string();
    let back = |other: Event| waiting(&store(&[missed(), other]), 500).is_empty();
    assert!(!waiting(&store(&[missed()]), 500).is_empty());
    assert!(back(call("b", 1, 15, "agent", json!({"outcome": "answered"}))));
    assert!(back(call("b", 1, 15, "agent", json!({"answered_at": at(15), "ended_at": at(16)}))));
    assert!(back(call("b", 1, 10, "customer", json!({"outcome": "answered"}))), "the other leg");
    let talk = json!({"outcome": "answered", "answered_at": at(5), "ended_at": at(12)});
    assert!(back(call("b", 1, 5, "customer", talk)), "they talked then");
    assert!(!back(call("b", 1, 5, "customer", json!({"outcome": "answered", "duration_s": 60}))));
    assert!(!back(call("b", 1, 15, "bot", json!({"outcome": "answered"}))));
    assert!(!back(call("b", 1, 15, "agent", json!({"outcome": "missed"}))));
}

#[test]
fn what_another_fold_noted_as_open_is_found_anew_when_the_file_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let events = [
        of_jan("a", 0, 0, "call", "customer", &json!({"outcome": "answered"})),
        of_jan("a", 1, 1, "callback.promised", "agent", &json!({"text": "call"})),
    ];
    let made = Store::open(&path).unwrap();
    made.ingest(&Recording::new(minutes(0), "t"), events.to_vec()).unwrap();
    drop(made);
    // As version 9 had it: what is resolved was not open.
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute_batch("DELETE FROM open_conversation; PRAGMA user_version = 9;").unwrap();
    drop(file);
    for _ in 0..2 {
        let opened = Store::open_read_only(&path, None).unwrap();
        assert_eq!(waiting(&opened, 9), [("a".to_owned(), true)]);
        drop(opened);
        let opened = Store::open_existing(&path).unwrap();
        assert_eq!(waiting(&opened, 9), [("a".to_owned(), true)]);
        assert!(opened.check().unwrap().is_clean());
    }
}

/// A call of these: the number, another number, a record of the contact.
fn call_of(
    of: &str,
    number: usize,
    minute: i64,
    actor: &str,
    names: &[(&str, &str)],
    data: &Value,
) -> Event {
    let role = if actor == "customer" { "from" } else { "to" };
    let who = names.iter().map(|(ns, value)| {
        json!({"ns": ns, "value": value, "role": role, "scope": if *ns == "crm" { "c" } else { "" }})
    });
    let more = json!({"data": data, "who": who.collect::<Vec<_>>(), "channel": "phone"});
    turn_in(of, number, minute, "call", actor, &more)
}

/// How many missed calls wait in the list, in the answer about this one, and by the measure: all
/// three say the same.
fn still_missed(events: &[Event], who: &str, minute: i64) -> usize {
    let store = store(events);
    let listed = waiting(&store, minute).iter().filter(|(_, is_ours)| *is_ours).count();
    let who = cx_core::identifier::Who::parse(who, None).unwrap();
    let options = cx_core::context::ContextOptions::at(minutes(minute));
    let mut open = store.context(&who, &options).unwrap().open;
    open.retain(|it| it.waiting_on == Some(WaitingOn::Us));
    assert_eq!(open.len(), listed, "{open:?}");
    let conversations = store.conversations(minutes(minute)).unwrap();
    let response = first_response(&conversations, minutes(minute));
    assert_eq!(response.counts["still_waiting"], u64::try_from(listed).unwrap());
    listed
}

#[test]
fn whoever_called_in_vain_is_reached_by_the_number_or_as_the_same_customer() {
    let (mobile, crm) = (("phone", "+31612345678"), ("crm", "1"));
    let names = |ns: &[(&str, &str)], number| {
        let mut event = call_of("known", number, -10, "system", ns, &json!({}));
        event.kind =
            cx_core::event::Kind::from_json("profile.updated", serde_json::Map::new()).unwrap();
        event.conversation = None;
        event
    };
    let jan = names(&[mobile, crm], 90);
    let missed = call_of("a", 1, 0, "customer", &[mobile], &json!({"outcome": "missed"}));
    let at = |minute| minutes(minute).to_string();
    let back = |minute, names: &[(&str, &str)], data: Value| {
        let other = call_of("b", 2, minute, "agent", names, &data);
        still_missed(&[jan.clone(), missed.clone(), other], "+31612345678", 3_000) == 0
    };
    let answered = || json!({"outcome": "answered", "duration_s": 60});
    assert_eq!(still_missed(&[jan.clone(), missed.clone()], "+31612345678", 3_000), 1);
    assert!(back(10, &[mobile], answered()));
    assert!(back(10, &[mobile], json!({"answered_at": at(10), "ended_at": at(11)})));
    assert!(back(10, &[crm], answered()), "by the record of the contact");
    assert!(back(-5, &[mobile], json!({"answered_at": at(-5)})), "a call that goes on");
    assert!(!back(10, &[("phone", "+31687654321")], answered()));
    assert!(!back(10, &[mobile], json!({"outcome": "busy"})));
    let long = json!({"outcome": "answered", "answered_at": at(-800), "ended_at": at(5)});
    assert!(!back(-800, &[mobile], long), "begun more than twelve hours before");
    let by_bot = call_of("b", 2, 10, "bot", &[mobile], &answered());
    assert_eq!(still_missed(&[jan.clone(), missed.clone(), by_bot], "+31612345678", 3_000), 1);
    let mut unheard = call_of("b", 2, 10, "agent", &[mobile], &answered());
    unheard.visibility = cx_core::event::Visibility::Internal;
    assert_eq!(still_missed(&[jan.clone(), missed.clone(), unheard], "+31612345678", 3_000), 1);
    // Two numbers in one conversation are two who called.
    let other =
        call_of("a", 3, 1, "customer", &[("phone", "+31687654321")], &json!({"outcome": "missed"}));
    let one = call_of("b", 2, 10, "agent", &[mobile], &answered());
    let both = [jan, missed, other, one];
    assert_eq!(waiting(&store(&both), 3_000), [("a".to_owned(), true)]);
    // Two people on one number: whoever is reached there is reached.
    let els = names(&[mobile, ("crm", "2")], 91);
    let piet = names(&[mobile, ("crm", "3")], 92);
    let missed = call_of("a", 1, 0, "customer", &[mobile], &json!({"outcome": "missed"}));
    let one = call_of("b", 2, 10, "agent", &[mobile, ("crm", "2")], &answered());
    assert!(waiting(&store(&[els, piet, missed, one]), 3_000).is_empty());
}

#[test]
fn a_call_missed_during_another_one_is_no_second_one() {
    let mobile = &[("phone", "+31612345678")];
    let at = |minute| minutes(minute).to_string();
    let talk = json!({"outcome": "answered", "answered_at": at(1), "ended_at": at(15)});
    let events = [
        call_of("a", 1, 0, "customer", mobile, &talk),
        call_of("b", 2, 10, "customer", mobile, &json!({"outcome": "missed"})),
    ];
    assert_eq!(still_missed(&events, "+31612345678", 3_000), 0);
    let conversations = store(&events).conversations(minutes(3_000)).unwrap();
    assert_eq!(first_response(&conversations, minutes(3_000)).n, 2);
    let second = &conversations[1].cycles;
    assert_eq!(second.len(), 1);
    assert_eq!(
        (second[0].answered_at, second[0].resolved_at),
        (Some(minutes(10)), Some(minutes(15)))
    );
}

#[test]
fn nothing_stands_open_for_ever_that_nobody_can_end() {
    let day = 24 * 60;
    let nameless = call_of("a", 1, 0, "customer", &[], &json!({"outcome": "missed"}));
    let open = store(&[nameless]);
    assert_eq!(waiting(&open, day), [("a".to_owned(), true)]);
    assert!(waiting(&open, day + 1).is_empty());
    let spoken = of_jan("v", 2, 0, "voicemail", "customer", &json!({}));
    assert_eq!(waiting(&store(&[spoken]), 40 * day).len(), 1);
    let going =
        call_of("a", 1, 0, "customer", &[], &json!({"answered_at": minutes(0).to_string()}));
    let open = store(&[going]);
    assert_eq!(waiting(&open, 12 * 60), [("a".to_owned(), false)]);
    assert!(waiting(&open, 12 * 60 + 1).is_empty());
    let answered = [
        of_jan("m", 1, 0, "message", "customer", &json!({})),
        of_jan("m", 2, 5, "message", "agent", &json!({})),
    ];
    let open = store(&answered);
    assert_eq!(waiting(&open, 14 * day + 5), [("m".to_owned(), false)]);
    assert!(waiting(&open, 14 * day + 6).is_empty());
    let again = of_jan("m", 3, 30 * day, "message", "customer", &json!({}));
    assert_eq!(waiting(&store(&[&answered[..], &[again]].concat()), 31 * day).len(), 1);
    // Where the source keeps the state, it says when it is over.
    let kept =
        of_jan("m", 3, 6, "conversation.status", "system", &json!({"to": "waiting_customer"}));
    assert_eq!(waiting(&store(&[&answered[..], &[kept]].concat()), 31 * day).len(), 1);
    // What was promised in a call is left when the call is over.
    let promised = [
        of_jan("p", 1, 0, "call", "customer", &json!({"answered_at": minutes(0).to_string()})),
        of_jan("p", 2, 1, "callback.promised", "agent", &json!({"text": "call"})),
    ];
    let open = store(&promised);
    assert_eq!(waiting(&open, 10), [("p".to_owned(), false)]);
    assert_eq!(waiting(&open, 2 * day), [("p".to_owned(), true)]);
}

#[test]
fn a_promised_time_brings_forward_and_never_puts_off() {
    let due =
        |minute: i64| json!({"metric": "first_response", "due_at": minutes(minute).to_string()});
    let day = 24 * 60;
    let events = [
        of_jan("old", 1, 0, "message", "customer", &json!({})),
        of_jan("old", 2, 1, "sla.applied", "system", &due(5 * day)),
        of_jan("new", 3, 100, "message", "customer", &json!({})),
        of_jan("soon", 4, 200, "message", "customer", &json!({})),
        of_jan("soon", 5, 201, "sla.applied", "system", &due(260)),
    ];
    let keys: Vec<String> = waiting(&store(&events), 250).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["soon", "old", "new"]);
}

#[test]
fn a_state_told_with_an_answer_that_did_not_arrive_does_not_hide_the_question() {
    let failed = |minute| turn(3, minute, "message.failed", "system", &json!({"target": "e1"}));
    for to in ["waiting_customer", "resolved"] {
        let told = [asks(0, 0), answers(1, 2), status(2, 2, to)];
        assert_ne!(waits(&folded(&told)), Some(us(0)));
        let mut unheard = told.to_vec();
        unheard.push(failed(3));
        assert_eq!(waits(&folded(&unheard)), Some(us(0)), "{to}");
        let again = turn(4, 4, "message", "agent", &json!({}));
        unheard.push(again);
        assert_ne!(waits(&folded(&unheard)).map(|(on, _)| on), Some(WaitingOn::Us), "{to}");
        // Who told the state later knew of it.
        let known = [asks(0, 0), answers(1, 2), failed(3), status(4, 5, to)];
        assert_ne!(waits(&folded(&known)), Some(us(0)), "{to}");
    }
    let by_mail = turn(1, 2, "message", "agent", &json!({"message_id": "<m@x>"}));
    for kind in ["mail.dropped", "mail.bounced"] {
        let came_back = turn(2, 3, kind, "system", &json!({"mail_id": "m@x"}));
        assert_eq!(
            waits(&folded(&[asks(0, 0), by_mail.clone(), came_back])),
            Some(us(0)),
            "{kind}"
        );
    }
}

#[test]
fn what_is_snoozed_no_more_has_no_time_to_wake() {
    let to = |state: &str| json!({"to": state, "snoozed_until": minutes(9).to_string()});
    let done = folded(&[asks(0, 0), turn(1, 1, "conversation.status", "agent", &to("resolved"))]);
    assert!(!done.at(minutes(60)).is_open());
}

/// The conversations that wait for us at a minute by the list, which the answer about Jan says, too.
fn ours(events: &[Event], minute: i64) -> Vec<(String, Timestamp)> {
    let store = store(events);
    let waiting = store.who_is_waiting(minutes(minute)).unwrap();
    let listed = waiting.iter().filter(|it| it.conversation.waiting_on == Some(WaitingOn::Us));
    let mut listed: Vec<(String, Timestamp)> = listed
        .map(|it| (it.conversation.key.to_string(), it.conversation.waiting_since.unwrap()))
        .collect();
    listed.sort();
    let options = cx_core::context::ContextOptions::at(minutes(minute));
    let who = cx_core::identifier::Who::parse("whatsapp:w:31612345678", None).unwrap();
    let context = store.context(&who, &options).unwrap();
    let told = context.open.into_iter().filter(|it| it.waiting_on == Some(WaitingOn::Us));
    let mut told: Vec<(String, String)> =
        told.map(|it| (it.conversation, it.waiting_since.unwrap())).collect();
    told.sort();
    let written: Vec<_> = listed.iter().map(|(key, at)| (key.clone(), at.to_string())).collect();
    assert_eq!(told, written);
    listed
}

#[test]
fn what_was_merged_lives_on_by_one_rule() {
    let message = |of: &str, number, minute, actor: &str| {
        of_jan(of, number, minute, "message", actor, &json!({}))
    };
    let merged = |of: &str, number, minute, into: &str| {
        of_jan(of, number, minute, "conversation.merged", "system", &json!({"into": into}))
    };
    let waits = |events: &[Event]| -> Vec<(String, i64)> {
        let micros = |at: Timestamp| (at.as_micros() - minutes(0).as_micros()) / 60_000_000;
        ours(events, 90).into_iter().map(|(key, at)| (key, micros(at))).collect()
    };
    let a = |minute| ("a".to_owned(), minute);
    // What was answered there before the merge was another question.
    let mut events = vec![
        message("a", 1, 0, "customer"),
        message("b", 2, 10, "customer"),
        message("b", 3, 20, "agent"),
        merged("a", 4, 30, "b"),
    ];
    assert_eq!(waits(&events), [a(0)]);
    events.push(message("b", 5, 40, "agent"));
    assert!(waits(&events).is_empty());
    // What is written on in it was not answered before.
    events.push(message("a", 6, 50, "customer"));
    assert_eq!(waits(&events), [a(50)]);
    let here = message("a", 7, 60, "agent");
    assert!(waits(&[&events[..], &[here]].concat()).is_empty());
    events.push(message("b", 7, 60, "agent"));
    assert!(waits(&events).is_empty());
    // And so it is behind a second merge.
    events.push(message("a", 8, 61, "customer"));
    events.push(merged("b", 9, 62, "c"));
    let third = [message("c", 10, 55, "customer"), message("c", 11, 61, "agent")];
    events.extend(third);
    assert_eq!(waits(&events), [a(61)]);
    events.push(message("c", 12, 63, "agent"));
    assert!(waits(&events).is_empty());
    // A promised call is kept where it lives on.
    let call = |of: &str, number, minute, kind: &str, id: &str| {
        of_jan(of, number, minute, kind, "agent", &json!({"callback": id}))
    };
    let mut events = vec![
        message("a", 1, 0, "customer"),
        call("a", 2, 1, "callback.promised", "cb1"),
        merged("a", 3, 2, "b"),
        message("b", 4, 3, "customer"),
        message("b", 5, 4, "agent"),
    ];
    assert_eq!(waits(&events), [a(1)]);
    events.push(call("b", 6, 5, "callback.done", "cb2"));
    assert_eq!(waits(&events), [a(1)]);
    events.push(call("b", 7, 6, "callback.done", "cb1"));
    assert!(waits(&events).is_empty());
    // It lives on also in what is another customer's.
    let piet = |number, minute, actor: &str| {
        let who = json!([{"ns": "email", "value": "piet@example.nl", "role": "subject"}]);
        turn_in("b", number, minute, "message", actor, &json!({"who": who, "data": {}}))
    };
    let mut events =
        vec![message("a", 1, 0, "customer"), piet(2, 1, "customer"), merged("a", 3, 2, "b")];
    let both = ["a", "b"].map(|key| (key.to_owned(), true));
    assert_eq!(waiting(&store(&events), 90), both);
    events.push(piet(4, 5, "agent"));
    assert!(waits(&events).is_empty());
}

#[test]
fn what_was_taken_out_by_a_record_of_the_customer_is_not_told_of_who_waits() {
    let mut asked = of_jan("c", 0, 0, "message", "customer", &json!({}));
    asked.conversation.as_mut().unwrap().subject = Some("card 4111".to_owned());
    asked.body = Some(cx_core::event::Body::text("my card is 4111"));
    let mut taken_out =
        of_jan("c", 1, 1, "message.redacted", "agent", &json!({"target": asked.key.as_str()}));
    taken_out.conversation = None;
    for all in [vec![asked.clone()], vec![asked.clone(), taken_out]] {
        let store = store(&all);
        let matters = store.who_is_waiting(minutes(60)).unwrap();
        assert_eq!(matters.len(), 1);
        let told = &matters[0].conversation;
        let text = told.last.as_ref().unwrap().text.as_deref();
        let expected = (all.len() == 1).then_some("my card is 4111");
        assert_eq!(text, expected);
        assert_eq!(told.subject.as_deref(), expected.map(|_| "card 4111"));
    }
}
