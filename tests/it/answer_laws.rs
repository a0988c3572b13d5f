//! Laws of the answer: what was taken back is gone, ids mean something only within their source,
//! nothing of another customer or for colleagues leaks, and amounts of two currencies are no sum.

use std::collections::BTreeMap;

use cx_core::context::blocks::Mail;
use cx_core::context::{Audience, Context, ContextOptions};
use cx_core::conversation::Corrections;
use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_core::time::Timestamp;
use cx_store::{Recording, SearchQuery, Store, Words};
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: &str = "2026-03-10T12:00:00Z";
const AUDIENCES: [Audience; 4] =
    [Audience::Agent, Audience::Customer, Audience::Marketing, Audience::Model];

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// An event of Jan's, on a day and in the hour of that number.
#[expect(clippy::needless_pass_by_value, reason = "what `json!` makes is handed on")]
fn event(number: usize, kind: &str, more: Value) -> Value {
    let (day, hour) = (number / 20 + 1, number % 20);
    let mut event = json!({
        "key": format!("k{number}"), "source": {"system": "desk", "instance": "a"}, "kind": kind,
        "occurred_at": format!("2026-03-{day:02}T{hour:02}:00:00Z"),
        "who": [{"ns": "email", "value": "jan@example.nl"}],
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

#[expect(clippy::needless_pass_by_value, reason = "what `json!` makes is handed on")]
fn message(number: usize, text: &str, more: Value) -> Value {
    let mut event = event(
        number,
        "message",
        json!({
            "channel": "chat", "direction": "in", "actor": {"type": "customer"},
            "conversation": {"key": "c"}, "body": {"text": text},
        }),
    );
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

#[expect(clippy::needless_pass_by_value, reason = "what `json!` makes is handed on")]
fn correction(number: usize, what: &str, target: &str, text: &str, more: Value) -> Value {
    let mut event = event(
        number,
        &format!("message.{what}"),
        json!({"conversation": {"key": "c"}, "data": {"target": target}}),
    );
    if what == "edited" {
        event["body"] = json!({"text": text});
    }
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

fn read(events: &[Value]) -> Vec<Event> {
    events.iter().map(|event| serde_json::from_value(event.clone()).unwrap()).collect()
}

fn store(events: &[Value]) -> Store {
    let store = Store::open_in_memory().unwrap();
    store.ingest(&Recording::new(now(), "test"), read(events)).unwrap();
    store
}

fn ask(store: &Store, audience: Audience) -> Context {
    let who = Who::parse("jan@example.nl", None).unwrap();
    store.context(&who, &ContextOptions::at(now()).audience(audience)).unwrap()
}

fn agent(events: &[Value]) -> Context {
    ask(&store(events), Audience::Agent)
}

/// Whether a word is told to anybody: in an answer, in the list of those who wait, by a search, or
/// in a conversation as it stands.
fn is_told(store: &Store, word: &str) -> bool {
    let answers = AUDIENCES.map(|audience| ask(store, audience).to_json());
    let waiting = format!("{:?}", store.who_is_waiting(now()).unwrap());
    answers.iter().any(|answer| answer.contains(word))
        || waiting.contains(word)
        || !store.search(&SearchQuery::new(word)).unwrap().is_empty()
}

#[test]
fn a_correction_of_a_correction_is_one_of_the_message() {
    let edited = |first: Value, second: Value| {
        let said = store(&[message(1, "firstword", json!({})), first, second]);
        ["firstword", "secondword", "thirdword"].map(|word| is_told(&said, word))
    };
    let edit =
        |number, target: &str, text: &str| correction(number, "edited", target, text, json!({}));
    let gone = |number, target: &str| correction(number, "redacted", target, "", json!({}));
    assert_eq!(edited(edit(2, "k1", "secondword"), gone(3, "k2")), [false; 3]);
    assert_eq!(
        edited(edit(2, "k1", "secondword"), edit(3, "k2", "thirdword")),
        [false, false, true]
    );
    // Wherever it stands on the timeline.
    assert_eq!(edited(gone(0, "k1"), edit(3, "k1", "thirdword")), [false; 3]);
}

#[test]
fn an_id_means_something_only_within_its_source_and_a_message_id_everywhere() {
    let other = |number: usize, id: &str, text: &str, system: &str| {
        message(
            number,
            text,
            json!({
                "source": {"system": system}, "conversation": {"key": format!("c{number}")},
                "channel": "email", "data": {"message_id": id},
            }),
        )
    };
    let deleted = |id: &str| {
        let more = json!({"source": {"system": "alpha"}, "conversation": {"key": "c1"}});
        correction(3, "deleted", id, "", more)
    };
    let alpha = [other(1, "1", "alphaword", "alpha"), other(2, "1", "betaword", "beta")];
    for order in [[0, 1], [1, 0]] {
        let mut events: Vec<Value> = order.iter().map(|place| alpha[*place].clone()).collect();
        events.push(deleted("1"));
        let said = store(&events);
        assert!(!is_told(&said, "alphaword") && is_told(&said, "betaword"));
    }
    let copies = [
        other(1, "<m@shop.nl>", "alphaword", "alpha"),
        other(2, "<m@shop.nl>", "betaword", "beta"),
        deleted("m@shop.nl"),
    ];
    let said = store(&copies);
    for word in ["alphaword", "betaword"] {
        assert!(said.search(&SearchQuery::new(word)).unwrap().is_empty());
        assert!(AUDIENCES.iter().all(|audience| !ask(&said, *audience).to_json().contains(word)));
    }
}

#[test]
fn what_stands_on_nothing_but_a_text_that_was_taken_out_is_gone_with_it() {
    let more = json!({
        "conversation": {"key": "c", "subject": "subjectword"},
        "attachments": [{"name": "fileword.jpg"}],
    });
    let facts = json!([
        {"name": "serial", "value": "factword", "event": "k1"},
        {"name": "order", "value": "keptword"},
    ]);
    let handed = event(
        2,
        "conversation.handover",
        json!({"conversation": {"key": "c"}, "data": {"from": {"type": "bot"}, "facts": facts}}),
    );
    let answered = json!({"survey": "csat", "score": 1, "scale": {"min": 1, "max": 5}});
    let rated =
        event(4, "feedback.answered", json!({"body": {"text": "ratedword"}, "data": answered}));
    let before = [message(1, "textword", more), handed, rated];
    let words = ["textword", "subjectword", "fileword", "factword", "ratedword"];
    let said = store(&before);
    assert!(words.iter().all(|word| is_told(&said, word)));
    let mut after = before.to_vec();
    after.push(correction(5, "redacted", "k1", "", json!({})));
    after.push(correction(6, "redacted", "k4", "", json!({})));
    let said = store(&after);
    let answer = ask(&said, Audience::Agent).to_json();
    for word in words {
        assert!(!answer.contains(word), "{word}: {answer}");
    }
    assert!(answer.contains("keptword"));
    let told = said.words(&read(&before)).unwrap();
    assert_eq!(told, [Words::TakenOut, Words::AsWritten, Words::TakenOut]);
}

proptest! {
    /// Corrections say the same of a message however they chain and wherever they stand: nothing
    /// where one of them takes it out, else the words of the last edit.
    #[test]
    fn the_last_edit_tells_the_words_unless_one_takes_them_out(
        steps in proptest::collection::vec((any::<prop::sample::Index>(), 0_u8..6), 1..8),
        at in proptest::collection::vec(0_usize..20, 9),
    ) {
        let mut events = vec![message(at[0], "text", json!({"key": "m0"}))];
        let mut keys = vec!["m0".to_owned()];
        let mut is_out = false;
        for (number, (target, what)) in steps.iter().enumerate() {
            let what = if *what == 0 { "redacted" } else { "edited" };
            is_out |= what == "redacted";
            let key = format!("m{}", number + 1);
            let more = json!({"key": key});
            events.push(correction(at[number + 1], what, target.get::<String>(&keys), &key, more));
            if what == "edited" {
                keys.push(key);
            }
        }
        let read = read(&events);
        let mut all: Vec<&Event> = read.iter().collect();
        all.sort_by(|a, b| a.timeline_cmp(b));
        let corrections = Corrections::of(&all);
        let is_edit = |event: &&&Event| event.kind.name() == "message.edited";
        let last = all.iter().rfind(is_edit).filter(|_| !is_out);
        for event in all.iter().filter(|event| is_edit(event) || event.key.as_str() == "m0") {
            let told = corrections.of_message(&event.key);
            match last {
                Some(last) if last.key == event.key => prop_assert_eq!(told, None),
                last => prop_assert_eq!(told, Some(last.copied())),
            }
        }
    }
}

#[test]
fn what_a_call_was_promised_for_is_no_business_of_marketing_nor_a_number_of_models() {
    let text = "call +31612345678 about the divorce";
    let promised = event(
        2,
        "callback.promised",
        json!({"conversation": {"key": "c"}, "data": {"text": text}}),
    );
    let said = store(&[message(1, "question", json!({})), promised]);
    let told = |audience| ask(&said, audience).open[0].due[0].metric.clone();
    assert_eq!(told(Audience::Agent), text);
    assert_eq!(told(Audience::Marketing), "call back");
    assert_eq!(told(Audience::Model), "call +31…678 about the divorce");
}

#[test]
fn a_model_sees_an_identifier_in_no_field_but_messages() {
    let phone = json!([
        {"ns": "email", "value": "jan@example.nl"}, {"ns": "phone", "value": "+31612345678"},
    ]);
    let key = "sms:acme/thread/+31612345678";
    let url = "https://s.nl/reset?email=jan%40example.nl&tel=+31612345678&next=/a";
    let answered =
        json!({"survey": "csat", "score": 1, "scale": {"min": 1, "max": 5}, "about": key});
    let said = store(&[
        message(
            1,
            "my words",
            json!({
                "key": "sms:jan@example.nl/1", "who": phone, "conversation": {"key": key},
                "actor": {"type": "customer", "name": "jan@example.nl"},
            }),
        ),
        event(2, "feedback.answered", json!({"data": answered})),
        event(3, "page.viewed", json!({"data": {"url": url, "title": "Hello jan@example.nl"}})),
        event(4, "mail.clicked", json!({"data": {"mail_id": "a@b", "url": url}})),
        event(
            5,
            "consent.changed",
            json!({"data": {
                "state": "granted", "purpose": "marketing", "wording": "write to JAN@example.nl",
            }}),
        ),
        event(
            6,
            "profile.updated",
            json!({"data": {
                "company": "0612345678", "tags": ["jan@example.nl"],
            }}),
        ),
        event(
            7,
            "incident.affects",
            json!({"data": {
                "incident": "1", "title": "+31612345678 is blocked",
            }}),
        ),
        event(
            8,
            "order.placed",
            json!({"data": {
                "order_id": "1", "name": "jan@example.nl's", "tracking": [{"number": "+31612345678"}],
            }}),
        ),
    ]);
    let answer = ask(&said, Audience::Model).to_json();
    for part in ["jan@example.nl", "JAN@", "jan%40", "612345678"] {
        assert!(!answer.contains(part), "{part}: {answer}");
    }
    for part in ["my words", "https://s.nl/reset?email=j…@example.nl&tel=+31…678&next=/a"] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
}

#[test]
fn in_a_conversation_of_several_customers_each_learns_what_was_said_to_them() {
    let with = |role: &str, who: &str| json!([{"ns": "email", "value": who, "role": role}]);
    let out = |who: Value| json!({"direction": "out", "actor": {"type": "agent"}, "who": who});
    let mut both = with("to", "piet@other.nl");
    both.as_array_mut().unwrap().extend(with("cc", "jan@example.nl").as_array().unwrap().clone());
    let said = store(&[
        message(1, "jansword", json!({"who": with("from", "jan@example.nl")})),
        message(2, "pietsword", json!({"who": with("from", "piet@other.nl")})),
        message(3, "topiet", out(with("to", "piet@other.nl"))),
        message(4, "toboth", out(both)),
        message(5, "toanybody", out(json!([]))),
    ]);
    let told = |audience| {
        let answer = ask(&said, audience).to_json();
        ["jansword", "pietsword", "topiet", "toboth", "toanybody"].map(|it| answer.contains(it))
    };
    assert_eq!(told(Audience::Agent), [true; 5]);
    assert_eq!(told(Audience::Customer), [true, false, false, true, true]);
}

fn mail(number: usize, kind: &str, address: &str, system: &str, data: &Value) -> Value {
    let mut event = event(number, kind, json!({"channel": "email", "data": data}));
    event["source"] = json!({"system": system});
    event["who"] =
        json!([{"ns": "email", "value": address, "role": "to", "assurance": "channel_proved"}]);
    event
}

/// Two addresses of Jan's.
fn both() -> Value {
    event(
        0,
        "identity.seen",
        json!({"who": [
            {"ns": "email", "value": "jan@example.nl", "assurance": "channel_proved"},
            {"ns": "email", "value": "jan@work.nl", "assurance": "channel_proved"},
        ]}),
    )
}

fn alerts(context: &Context, kind: &str) -> Vec<String> {
    let alerts = context.alerts.iter().filter(|alert| alert.kind == kind);
    alerts.map(|alert| alert.text.clone()).collect()
}

#[test]
fn what_became_of_a_mail_is_told_of_each_address() {
    let id = json!({"mail_id": "x@shop"});
    let context = agent(&[
        both(),
        mail(
            1,
            "mail.queued",
            "jan@example.nl",
            "s",
            &json!({"mail_id": "x@shop", "subject": "Bill"}),
        ),
        mail(2, "mail.delivered", "jan@example.nl", "s", &id),
        mail(3, "mail.bounced", "jan@work.nl", "s", &id),
    ]);
    let told: BTreeMap<&str, (bool, bool, Option<&str>)> = context
        .mails
        .iter()
        .map(|mail| {
            let told = (mail.delivered, mail.bounced, mail.subject.as_deref());
            (mail.address.as_deref().unwrap(), told)
        })
        .collect();
    let expected = BTreeMap::from([
        ("jan@example.nl", (true, false, Some("Bill"))),
        ("jan@work.nl", (false, true, Some("Bill"))),
    ]);
    assert_eq!(told, expected);
    assert_eq!(alerts(&context, "mail_bounce"), ["mail to jan@work.nl bounces"]);
    let since = context.alerts.iter().find(|it| it.kind == "mail_bounce").unwrap().since.clone();
    assert_eq!(since.as_deref(), Some("2026-03-01T03:00:00Z"));
}

#[test]
fn mails_of_two_services_with_one_id_are_two_and_programs_click_nothing() {
    let jan = "jan@example.nl";
    let context = agent(&[
        mail(
            1,
            "mail.opened",
            jan,
            "campaigns",
            &json!({"mail_id": "42", "subject": "Sale", "machine": "no"}),
        ),
        mail(
            2,
            "mail.clicked",
            jan,
            "campaigns",
            &json!({"mail_id": "42", "url": "u", "machine": "yes"}),
        ),
        mail(3, "mail.opened", jan, "campaigns", &json!({"mail_id": "42", "machine": "no"})),
        mail(4, "mail.bounced", jan, "letters", &json!({"mail_id": "42", "subject": "Reset"})),
    ]);
    let told = |mail: &Mail| {
        (mail.subject.clone().unwrap(), mail.opened.human, mail.bounced, mail.clicked.len())
    };
    let told: Vec<_> = context.mails.iter().map(told).collect();
    assert_eq!(told, [("Reset".to_owned(), 0, true, 0), ("Sale".to_owned(), 2, false, 0)]);
    // When it was first heard of.
    assert_eq!(context.mails[1].sent.as_deref(), Some("2026-03-01T01:00:00Z"));
    assert!(context.journeys.is_empty());
}

#[test]
fn the_short_name_of_a_mail_may_be_told_before_the_long_one() {
    let jan = "jan@example.nl";
    let short = json!({"mail_id": "abc"});
    let long = json!({"mail_id": "<abc@host>", "subject": "Hello"});
    for (first, second) in [(&short, &long), (&long, &short)] {
        let context = agent(&[
            mail(1, "mail.delivered", jan, "s", first),
            mail(2, "mail.opened", jan, "s", second),
        ]);
        let told: Vec<_> = context.mails.iter().map(|it| (it.delivered, it.id.as_str())).collect();
        assert_eq!(told, [(true, "abc@host")]);
    }
}

#[test]
fn an_address_that_does_not_receive_is_told_once_and_until_it_does() {
    let jan = "jan@example.nl";
    let linked = |number, is_so: bool| {
        event(number, "identity.linked", json!({"data": {"undeliverable": is_so}}))
    };
    let arrived = mail(4, "mail.delivered", "Jan@Example.nl", "s", &json!({"mail_id": "a@b"}));
    let told = |events: &[Value]| alerts(&agent(events), "mail_bounce").len();
    let (one, two) = (linked(1, true), linked(2, true));
    assert_eq!(told(&[one.clone(), two.clone()]), 1);
    assert_eq!(told(&[one.clone(), two.clone(), linked(3, false)]), 0);
    assert_eq!(told(&[one, two, arrived]), 0);
    // Two spellings of one address.
    let bounced = mail(1, "mail.bounced", "j.doe@googlemail.com", "s", &json!({"mail_id": "a@b"}));
    let arrived = mail(2, "mail.delivered", "j.doe@gmail.com", "s", &json!({"mail_id": "c@d"}));
    let doe = store(&[bounced, arrived]);
    let who = Who::parse("j.doe@gmail.com", None).unwrap();
    let context = doe.context(&who, &ContextOptions::at(now())).unwrap();
    assert_eq!(alerts(&context, "mail_bounce"), [""; 0], "{jan}");
}

fn lines() -> Value {
    json!([{"name": "Drill", "quantity": 2, "price": "10.00"}])
}

fn shop(number: usize, kind: &str, data: &Value) -> Value {
    event(number, kind, json!({"channel": "commerce", "data": data}))
}

#[test]
fn a_cart_or_checkout_that_was_bought_is_not_open() {
    let with_lines = |number, kind: &str, data: &Value| {
        let mut data = data.clone();
        data["lines"] = lines();
        shop(number, kind, &data)
    };
    let filled = |number, data: &Value| with_lines(number, "cart.updated", data);
    let begun = |number, data: &Value| with_lines(number, "checkout.started", data);
    let open = |events: &[Value]| {
        let commerce = agent(events).commerce;
        (commerce.cart.map(|it| it.id), commerce.checkout.map(|it| it.id))
    };
    let ordered = |number, data: &Value| {
        let mut data = data.clone();
        data["order_id"] = json!("o");
        shop(number, "order.placed", &data)
    };
    // Without ids.
    let events = [filled(1, &json!({})), begun(2, &json!({})), ordered(3, &json!({}))];
    assert_eq!(open(&events), (None, None));
    let again = [&events[..], &[filled(4, &json!({}))]].concat();
    assert_eq!(open(&again), (Some(None), None));
    let completed = shop(3, "checkout.completed", &json!({}));
    assert_eq!(open(&[filled(1, &json!({})), begun(2, &json!({})), completed]), (None, None));
    // An old one does not come back.
    let two = [filled(1, &json!({"cart_id": "c1"})), filled(2, &json!({"cart_id": "c2"}))];
    let bought = ordered(3, &json!({"cart_id": "c2"}));
    assert_eq!(open(&[&two[..], &[bought]].concat()), (None, None));
    let emptied = shop(3, "cart.updated", &json!({"cart_id": "c2", "lines": []}));
    assert_eq!(open(&[&two[..], &[emptied]].concat()), (None, None));
    // With the checkout its cart was bought.
    let from = json!({"checkout_id": "k1", "cart_id": "c2"});
    let bought = ordered(4, &json!({"checkout_id": "k1"}));
    assert_eq!(open(&[&two[..], &[begun(3, &from), bought]].concat()), (None, None));
}

#[test]
fn amounts_in_two_currencies_are_no_sum() {
    let back = |number: usize, amount: &str, currency: Option<&str>| {
        let id = number.to_string();
        let mut data = json!({"order_id": "o", "refund_id": id, "amount": amount});
        if let Some(currency) = currency {
            data["currency"] = json!(currency);
        }
        shop(number, "order.refunded", &data)
    };
    let placed =
        shop(1, "order.placed", &json!({"order_id": "o", "total": "100.00", "currency": "EUR"}));
    let order = |refunds: &[Value]| {
        let events = [std::slice::from_ref(&placed), refunds].concat();
        let order = agent(&events).commerce.orders.remove(0);
        let others = order.refunded_in.iter().map(|it| format!("{} {}", it.amount, it.currency));
        (order.state, order.refunded, others.collect::<Vec<_>>())
    };
    let told = |state: &str, refunded: Option<&str>, others: &[&str]| {
        let others = others.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        (state.to_owned(), refunded.map(str::to_owned), others)
    };
    assert_eq!(order(&[back(2, "100.00", Some("USD"))]), told("placed", None, &["100.00 USD"]));
    let mixed =
        [back(2, "60.00", Some("EUR")), back(3, "54.00", Some("USD")), back(4, "40.00", None)];
    assert_eq!(order(&mixed), told("refunded", Some("100.00"), &["54.00 USD"]));
    assert_eq!(order(&[back(2, "0", Some("EUR"))]), told("placed", None, &[]));
}

#[test]
fn what_is_told_of_a_parcel_is_not_told_of_the_order() {
    let parcel = |number, word: &str, quantity: u64| {
        let lines = json!([{"name": "Drill", "quantity": quantity}]);
        let lines = if quantity == 0 { json!([]) } else { lines };
        shop(
            number,
            "order.fulfilled",
            &json!({"order_id": "o", "fulfilment": word, "lines": lines}),
        )
    };
    let fulfilment = |own: Option<&str>, parcels: &[Value]| {
        let mut data = json!({"order_id": "o", "lines": lines()});
        if let Some(own) = own {
            data["fulfilment"] = json!(own);
        }
        let events = [&[shop(1, "order.placed", &data)], parcels].concat();
        agent(&events).commerce.orders.remove(0).fulfilment
    };
    let some = |word: &str| Some(word.to_owned());
    let sent = "fulfilled";
    assert_eq!(fulfilment(Some("partial"), &[parcel(2, sent, 1)]), some("partial"));
    assert_eq!(fulfilment(Some("partial"), &[parcel(2, sent, 0)]), some("partial"));
    assert_eq!(fulfilment(None, &[parcel(2, sent, 1)]), some("partial"));
    assert_eq!(fulfilment(None, &[parcel(2, sent, 1), parcel(3, sent, 1)]), some(sent));
    assert_eq!(fulfilment(Some("unfulfilled"), &[parcel(2, sent, 0)]), some(sent));
    let called_off = parcel(3, "cancelled", 1);
    assert_eq!(fulfilment(Some(sent), &[parcel(2, sent, 1), called_off.clone()]), some(sent));
    assert_eq!(fulfilment(None, &[called_off]), None);
    assert_eq!(fulfilment(Some(sent), &[parcel(2, "failure", 2)]), some("failure"));
}

#[test]
fn a_detractor_gave_a_bad_answer_and_an_incident_that_came_back_is_open() {
    let answered = |number: usize, score: i64, scale: bool| {
        let mut data = json!({"survey": "nps", "score": score, "feedback": number.to_string()});
        if scale {
            data["scale"] = json!({"min": 0, "max": 10});
        }
        event(number, "feedback.answered", json!({"data": data}))
    };
    let context = agent(&[answered(1, 0, false), answered(2, 6, true), answered(3, 7, true)]);
    let bad: Vec<&str> = context.feedback.open_loops.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(bad, ["1", "2"]);
    let incident = |number, what: &str, instance: &str| {
        let mut event =
            event(number, &format!("incident.{what}"), json!({"data": {"incident": "1"}}));
        event["source"]["instance"] = json!(instance);
        event
    };
    let context = agent(&[
        incident(1, "affects", "a"),
        incident(2, "affects", "b"),
        incident(3, "resolved", "a"),
        incident(4, "resolved", "b"),
        incident(5, "opened", "b"),
        incident(6, "affects", "a"),
    ]);
    let states: Vec<&str> = context.incidents.iter().map(|it| it.state.as_str()).collect();
    assert_eq!(states, ["resolved", "open"], "to touch one more opens nothing");
}

#[test]
fn contacts_are_what_the_customer_said_and_spam_is_none() {
    let sent = |number: usize, actor: &str, more: Value| {
        let mut event = message(
            number,
            "promo",
            json!({
                "channel": "email", "direction": "out", "actor": {"type": actor},
                "conversation": null, "data": {"message_id": format!("m{number}@shop")},
            }),
        );
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let mut events: Vec<Value> = (1..15).map(|n| sent(n, "automation", json!({}))).collect();
    events.push(message(16, "question", json!({})));
    events.push(message(17, "buy pills", json!({"conversation": {"key": "spam"}})));
    events.push(event(18, "conversation.spam", json!({"conversation": {"key": "spam"}})));
    events.push(sent(19, "agent", json!({})));
    let context = agent(&events);
    let counts: Vec<(&str, u64)> = context
        .contacts
        .by_channel
        .iter()
        .map(|(name, it)| (name.as_str(), it.count_90d))
        .collect();
    assert_eq!(counts, [("chat", 1), ("email", 0)]);
    assert_eq!((context.contacts.recent.len(), context.measures.contacts_90d), (2, 1));
    assert_eq!(context.provenance.left_out.get("removed"), Some(&1));
}

#[test]
fn a_message_with_only_a_file_tells_its_name_and_a_matter_why_it_waits() {
    let more = json!({"body": null, "attachments": [{"name": "photo.jpg"}]});
    let status =
        json!({"to": "waiting_third", "reason": "part ordered", "native": "With supplier"});
    let said = store(&[
        message(1, "", more),
        event(
            2,
            "conversation.tagged",
            json!({"conversation": {"key": "c"}, "data": {"tags": ["vip"]}}),
        ),
        event(3, "conversation.status", json!({"conversation": {"key": "c"}, "data": status})),
    ]);
    let context = ask(&said, Audience::Agent);
    let last = context.open[0].last.as_ref().unwrap();
    assert_eq!((&last.attachments[..], &last.text), (&["photo.jpg".to_owned()][..], &None));
    assert_eq!(context.contacts.recent[0].attachments, ["photo.jpg"]);
    let text =
        cx_core::context::render::terminal(&context, cx_core::context::render::Colour::Plain);
    for part in ["photo.jpg", "part ordered", "With supplier", "vip"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let customer = ask(&said, Audience::Customer);
    assert_eq!((customer.open[0].reason.as_deref(), customer.open[0].tags.len()), (None, 0));
    let marketing = ask(&said, Audience::Marketing);
    assert!(marketing.open[0].last.as_ref().unwrap().attachments.is_empty());
}

#[test]
fn a_channel_that_is_spelt_otherwise_is_the_same_for_consents() {
    let said = |number, on: &str, state: &str| {
        let data = json!({"purpose": "marketing", "on": on, "state": state});
        event(number, "consent.changed", json!({"data": data}))
    };
    let context = agent(&[said(1, "email", "denied"), said(2, "E-Mail", "granted")]);
    let told: Vec<_> = context.consent.iter().map(|it| it.channel.as_deref().unwrap()).collect();
    assert_eq!(told, ["email"]);
    assert!(alerts(&context, "do_not_contact").is_empty());
}

#[test]
fn a_search_finds_what_stands_behind_a_thousand_that_were_taken_back() {
    let n = SearchQuery::RANKED + 10;
    let at = |number: usize| format!("2026-02-01T{:02}:{:02}:00Z", number / 60 % 24, number % 60);
    let mut events =
        vec![message(0, "alpha stands", json!({"occurred_at": "2026-01-01T10:00:00Z"}))];
    for number in 1..=n {
        let more = json!({"occurred_at": at(number)});
        events.push(message(number, "alpha", more.clone()));
        let key = format!("d{number}");
        let more = json!({"key": key, "occurred_at": at(number)});
        events.push(correction(number, "deleted", &format!("k{number}"), "", more));
    }
    let said = store(&events);
    let hits = said.search(&SearchQuery::new("alpha")).unwrap();
    let keys: Vec<&str> = hits.iter().map(|hit| hit.event.as_str()).collect();
    assert_eq!(keys, ["k0"]);
}

/// A message of these, in a conversation; `!` before a value says that it was only stated.
fn said_by(
    number: usize,
    text: &str,
    conversation: &str,
    actor: &str,
    who: &[(&str, &str)],
) -> Value {
    let (direction, role) = if actor == "customer" { ("in", "from") } else { ("out", "to") };
    let claim = |(ns, value): &(&str, &str)| {
        let assurance = if value.starts_with('!') { "self_stated" } else { "channel_proved" };
        let role = if *ns == "order" { "subject" } else { role };
        let scope = if *ns == "order" { "shop:a" } else { "" };
        json!({"ns": ns, "scope": scope, "value": value.trim_start_matches('!'), "role": role,
            "assurance": assurance})
    };
    let who: Vec<Value> = who.iter().map(claim).collect();
    message(
        number,
        text,
        json!({
            "direction": direction, "actor": {"type": actor}, "who": who,
            "conversation": {"key": conversation},
        }),
    )
}

/// Which of these words the answer about somebody has, for an audience, and which a search finds.
fn learned(store: &Store, who: &str, audience: Audience, words: &[&str]) -> Vec<bool> {
    let who = Who::parse(who, None).unwrap();
    let options = ContextOptions::at(now()).audience(audience);
    let answer = store.context(&who, &options).unwrap().to_json();
    let is_found = |word: &str| {
        let query = SearchQuery::new(word).audience(audience);
        !store.search_of(&who, &query).unwrap().is_empty()
    };
    words.iter().map(|word| answer.contains(word) || is_found(word)).collect()
}

const TO_OTHERS: [Audience; 2] = [Audience::Customer, Audience::Model];

#[test]
fn whoever_writes_anothers_address_beside_their_own_reads_nothing_of_them() {
    let (jan, mallory) = (("email", "jan@example.nl"), ("email", "mallory@evil.test"));
    let thread = store(&[
        said_by(1, "janssecret", "m1", "customer", &[jan]),
        said_by(2, "tojan", "m1", "agent", &[jan]),
        said_by(3, "hello", "m1", "customer", &[mallory, ("email", "!jan@example.nl")]),
        said_by(4, "toall", "m1", "agent", &[]),
    ]);
    let words = ["janssecret", "tojan", "hello", "toall"];
    for audience in TO_OTHERS {
        let told = |who: &str| learned(&thread, who, audience, &words);
        assert_eq!(told("mallory@evil.test"), [false, false, true, true], "{audience:?}");
        assert_eq!(told("jan@example.nl")[..2], [true, true], "{audience:?}");
    }
    assert_eq!(learned(&thread, "mallory@evil.test", Audience::Agent, &words), [true; 4]);
}

#[test]
fn whoever_types_anothers_number_is_told_nothing_of_them() {
    let number = ("phone", "+31612345678");
    let mallory = ("email", "mallory@evil.test");
    let joined = store(&[
        said_by(1, "janssecret", "w1", "customer", &[number]),
        said_by(2, "tojan", "w1", "agent", &[number]),
        said_by(3, "hello", "c9", "customer", &[mallory, ("phone", "!+31612345678")]),
    ]);
    let words = ["janssecret", "tojan", "hello"];
    for audience in TO_OTHERS {
        let told = |who: &str| learned(&joined, who, audience, &words);
        assert_eq!(told("mallory@evil.test"), [false, false, true], "{audience:?}");
        assert_eq!(told("+31612345678"), [true, true, false], "{audience:?}");
    }
    // For those who serve both it is a hint.
    assert_eq!(learned(&joined, "mallory@evil.test", Audience::Agent, &words), [true; 3]);
    // Who proves it on two sides is one.
    let proved = store(&[
        said_by(1, "mine", "w1", "customer", &[number]),
        said_by(2, "too", "c9", "customer", &[mallory, number]),
    ]);
    let both = learned(&proved, "mallory@evil.test", Audience::Customer, &["mine", "too"]);
    assert_eq!(both, [true; 2]);
}

#[test]
fn whoever_states_the_number_of_an_order_is_not_told_of_it() {
    let (order, stated) = (("order", "1"), ("order", "!1"));
    let mallory = ("email", "mallory@evil.test");
    let of_shop = |number: usize, kind: &str, data: Value| {
        let mut event = shop(number, kind, &data);
        event["who"] = json!([{"ns": "order", "scope": "shop:a", "value": "1"}]);
        event
    };
    let buyer = |who: Value| {
        let mut placed = of_shop(
            1,
            "order.placed",
            json!({"order_id": "1", "lines": [{"name": "secrettest", "quantity": 1}]}),
        );
        placed["who"].as_array_mut().unwrap().extend(who.as_array().unwrap().clone());
        placed
    };
    let parcel = || {
        of_shop(2, "order.fulfilled", json!({"order_id": "1", "tracking": [{"number": "3SABC"}]}))
    };
    let words = ["secrettest", "3SABC", "code9999", "whereisit"];
    let guest = store(&[
        buyer(json!([])),
        parcel(),
        said_by(3, "code9999", "x1", "agent", &[order]),
        said_by(4, "whereisit", "c1", "customer", &[mallory, stated]),
    ]);
    let told = |audience| learned(&guest, "mallory@evil.test", audience, &words);
    assert_eq!(told(Audience::Customer), [false, false, false, true]);
    assert_eq!(told(Audience::Model), [false, false, false, true]);
    assert_eq!(told(Audience::Agent), [true; 4]);
    let marketing = learned(&guest, "mallory@evil.test", Audience::Marketing, &words[..3]);
    assert_eq!(marketing, [false; 3]);
    // The shop's record, or a proof, puts it on a customer.
    let jan = json!([{"ns": "email", "value": "jan@example.nl"}]);
    let known = store(&[buyer(jan), parcel(), said_by(3, "code9999", "x1", "agent", &[order])]);
    let told = learned(&known, "jan@example.nl", Audience::Customer, &words[..3]);
    assert_eq!(told, [true; 3]);
    let proved = store(&[parcel(), said_by(4, "whereisit", "c1", "customer", &[mallory, order])]);
    let told = learned(&proved, "mallory@evil.test", Audience::Customer, &words[1..2]);
    assert_eq!(told, [true]);
}

#[test]
fn how_the_desk_sorts_its_work_is_told_inside_alone() {
    let opened = json!({
        "state": "open", "native": "waiting for fraud", "priority": "fraudcheck",
        "assignee": {"type": "agent", "id": "id9", "name": "Ann"},
        "team": {"type": "team", "name": "fraudteam"},
    });
    let mut events = vec![
        event(1, "conversation.opened", json!({"conversation": {"key": "c"}, "data": opened})),
        message(2, "question", json!({})),
    ];
    let words = ["waiting for fraud", "fraudcheck", "id9", "fraudteam", "Ann"];
    let told = |events: &[Value], audience| {
        let answer = ask(&store(events), audience).to_json();
        words.map(|word| answer.contains(word))
    };
    assert_eq!(told(&events, Audience::Agent), [true; 5]);
    assert_eq!(told(&events, Audience::Customer), [false; 5]);
    assert_eq!(told(&events, Audience::Marketing), [false; 5]);
    let agent = json!({"direction": "out", "actor": {"type": "agent", "name": "Ann"}});
    events.push(message(3, "answer", agent));
    assert_eq!(told(&events, Audience::Customer), [false, false, false, false, true]);
}
