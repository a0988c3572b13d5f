//! What measures count: a call back, a thread that nobody ever resolves, an answer of nobody known.

#![expect(clippy::float_cmp, reason = "these values are exact")]
#![expect(clippy::needless_pass_by_value, reason = "what is made in place is given away")]

use cx_core::event::Event;
use cx_core::measure::{Answer, Csat, Measured, Nps, Selection, first_resolution, first_response};
use cx_core::time::{Micros, Timestamp};
use cx_store::{Recording, Store};
use cx_tests::story;
use serde_json::{Value, json};

fn at(minute: i64) -> Timestamp {
    story::monday() + Micros::MINUTE.times(minute)
}

fn now() -> Timestamp {
    at(100_000)
}

fn store(events: &[Value]) -> Store {
    let store = Store::open_in_memory().unwrap();
    let events = events.iter().map(|event| serde_json::from_value::<Event>(event.clone()).unwrap());
    let report = store.ingest(&Recording::new(now(), "test"), events).unwrap();
    assert_eq!(report.rejected, 0, "{report:?}");
    store
}

fn call(key: &str, minute: i64, who: &str, number: &str, data: &Value) -> Value {
    let (direction, role) = if who == "customer" { ("in", "from") } else { ("out", "to") };
    story::record(
        key,
        minute,
        "call",
        json!({
            "direction": direction, "channel": "phone", "actor": {"type": who}, "conversation": {"key": key},
            "who": [{"ns": "phone", "value": number, "role": role}], "data": data,
        }),
    )
}

fn seconds(measured: &Measured) -> (u64, Option<f64>) {
    (measured.n, measured.value.map(|figure| figure.value))
}

#[test]
fn a_missed_call_that_was_called_back_was_answered_then() {
    let number = "+31612345678";
    let missed = call("pbx/1", 0, "customer", number, &json!({"outcome": "missed"}));
    let elsewhere = call("pbx/2", 10, "agent", "+31687654321", &json!({"outcome": "answered"}));
    let unheard = call("pbx/3", 20, "agent", number, &json!({"outcome": "busy"}));
    let taken = json!({"outcome": "answered", "duration_s": 60});
    let back = call("pbx/4", 30, "agent", number, &taken);
    let waits = store(&[missed.clone(), elsewhere.clone(), unheard.clone()]);
    let conversations = waits.conversations(now()).unwrap();
    assert_eq!(first_response(&conversations, now()).counts["still_waiting"], 1);
    let store = store(&[missed, elsewhere, unheard, back]);
    let then = store.conversations(at(25)).unwrap();
    assert_eq!(first_response(&then, at(25)).counts["still_waiting"], 1, "not yet");
    let conversations = store.conversations(now()).unwrap();
    let response = first_response(&conversations, now());
    assert_eq!((response.counts["over"], response.counts["still_waiting"]), (1, 0));
    assert_eq!(seconds(&response), (1, Some(30.0 * 60.0)));
    let missed = conversations.iter().find(|it| it.key.as_str() == "pbx/1").unwrap();
    assert_eq!(missed.cycles[0].resolved_at, Some(at(31)));
    assert!(!missed.is_open());
    assert_eq!(first_resolution(&conversations, now()).counts["still_waiting"], 0);
}

#[test]
fn the_mean_of_waits_takes_no_less_than_no_time() {
    let answered = |key: &str, wait: i64| {
        let asked = story::said(&format!("{key}q"), 0, "customer", key);
        [asked, story::said(&format!("{key}a"), wait, "agent", key)]
    };
    let events = [answered("c1", 1), answered("c2", 1_000)].concat();
    let conversations = store(&events).conversations(now()).unwrap();
    let mean = first_response(&conversations, now()).parts["mean_of_over"];
    assert_eq!(mean.interval.unwrap().low, 0.0);
}

fn rated(key: &str, minute: i64, score: Value, more: Value, who: Option<&str>) -> Value {
    let mut data = json!({"survey": "csat", "score": score, "scale": {"min": 1, "max": 5}});
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let who: Vec<Value> =
        who.iter().map(|value| json!({"ns": "email", "value": value, "role": "from"})).collect();
    story::record(key, minute, "feedback.answered", json!({"data": data, "who": who}))
}

#[test]
fn an_answer_of_nobody_known_that_was_changed_counts_once() {
    let csat = |events: &[Value], selection| {
        let answers: Vec<Answer> = store(events).answers(now()).unwrap();
        let measured = Csat { selection, ..Csat::FIVE }.of(&answers, now());
        (measured.n, measured.value.map(|figure| figure.value))
    };
    let one = json!({"feedback": "F1"});
    let changed = [
        rated("a", 0, json!(1), one.clone(), None),
        rated("b", 1, json!(5), one.clone(), None),
        rated("c", 2, json!(2), json!({"feedback": "F2"}), None),
    ];
    assert_eq!(csat(&changed, Selection::All), (2, Some(0.5)));
    let later_known = [
        rated("a", 0, json!(1), one.clone(), None),
        rated("b", 1, json!(5), one.clone(), Some("jan@example.nl")),
    ];
    assert_eq!(csat(&later_known, Selection::Latest), (1, Some(1.0)));
    // Two who are known by one id are two, and so is whoever else has it.
    let shared = [
        rated("a", 0, json!(1), one.clone(), None),
        rated("b", 1, json!(5), one.clone(), Some("jan@example.nl")),
        rated("c", 2, json!(5), one, Some("els@example.nl")),
    ];
    assert_eq!(csat(&shared, Selection::All).0, 3);
    // What it is about tells nobody apart.
    let about = json!({"about": "product/1"});
    let two = [rated("a", 0, json!(1), about.clone(), None), rated("b", 1, json!(5), about, None)];
    assert_eq!(csat(&two, Selection::All).0, 2);
}

#[test]
fn a_whole_score_may_be_written_as_a_fraction() {
    let read = |score: &str| {
        let text = rated("a", 0, json!(0), json!({}), None).to_string();
        let text = text.replace("\"score\":0", &format!("\"score\":{score}"));
        serde_json::from_str::<Event>(&text.replace("\"min\":1", "\"min\":1.0"))
    };
    for score in ["5", "5.0", "5e0", "0.5e1"] {
        let answer = Answer::of("x", &read(score).unwrap()).unwrap();
        assert_eq!((answer.score, answer.scale), (Some(5), Some(Csat::FIVE.scale)), "{score}");
    }
    for score in ["4.5", "1e30", "\"five\""] {
        let error = read(score).unwrap_err().to_string();
        assert!(error.starts_with("/data/score: "), "{error}");
    }
}

#[test]
fn an_interval_holds_its_value_also_of_one_answer() {
    let answer =
        rated("a", 0, json!(10), json!({"survey": "nps", "scale": {"min": 0, "max": 10}}), None);
    let answers = store(&[answer]).answers(now()).unwrap();
    let figure = Nps::default().of(&answers, now()).value.unwrap();
    assert_eq!((figure.value, figure.interval.unwrap().high), (100.0, Some(100.0)));
}

fn status(key: &str, minute: i64, to: &str, conversation: &str) -> Value {
    let more = json!({
        "actor": {"type": "system"}, "conversation": {"key": conversation}, "data": {"to": to},
    });
    story::record(key, minute, "conversation.status", more)
}

fn response(events: &[Value]) -> Measured {
    first_response(&store(events).conversations(now()).unwrap(), now())
}

#[test]
fn what_was_resolved_without_an_answer_waited_at_least_so_long() {
    let mut events = Vec::new();
    for n in 0..10 {
        let conversation = format!("d/{n}");
        events.push(story::said(&format!("q{n}"), 0, "customer", &conversation));
        events.push(status(&format!("s{n}"), 8 * 60, "resolved", &conversation));
    }
    events.push(story::said("a0", 10, "agent", "d/0"));
    let measured = response(&events);
    assert_eq!((measured.n, measured.value.is_none()), (10, true));
    let counts = ["over", "still_waiting", "resolved_unanswered"].map(|name| measured.counts[name]);
    assert_eq!((counts, measured.excluded.len()), ([1, 0, 9], 0));
    assert!(measured.explain().contains("or got no answer"), "{}", measured.explain());
    for n in 1..8 {
        events.push(story::said(&format!("a{n}"), n * 60, "agent", &format!("d/{n}")));
    }
    // Eight of ten in time: of the others it is known that they waited longer than eight hours.
    let measured = response(&events);
    assert_eq!(measured.counts["resolved_unanswered"], 2);
    assert_eq!(seconds(&measured), (10, Some(4.0 * 3600.0)));
    // When it came to be resolved nobody knows: nor how long they waited.
    let mut seen = status("s", 60, "closed", "d/x");
    seen["occurred_at_origin"] = json!("received");
    let measured = response(&[story::said("q", 0, "customer", "d/x"), seen]);
    assert_eq!((measured.n, measured.excluded["resolved nobody knows when"]), (0, 1));
}

fn merged(key: &str, minute: i64, from: &str, into: &str) -> Value {
    let more = json!({"conversation": {"key": from}, "data": {"into": into}});
    story::record(key, minute, "conversation.merged", more)
}

#[test]
fn what_was_merged_is_answered_where_it_lives_on() {
    let opened = |key: &str, minute, conversation: &str| {
        let more = json!({"conversation": {"key": conversation}, "data": {"state": "new"}});
        story::record(key, minute, "conversation.opened", more)
    };
    let day = 24 * 60;
    let events = vec![
        opened("a0", 0, "d/a"),
        story::said("a1", 0, "customer", "d/a"),
        story::said("a2", 5, "agent", "d/a"),
        status("a3", 6, "resolved", "d/a"),
        opened("b0", day, "d/b"),
        story::said("b1", day, "customer", "d/b"),
        merged("b2", day + 60, "d/b", "d/a"),
        status("a4", day + 60, "open", "d/a"),
    ];
    let waits = response(&events);
    assert_eq!((waits.counts["over"], waits.counts["still_waiting"]), (1, 1));
    let answer = story::said("a5", 4 * day, "agent", "d/a");
    let answered = response(&[events.clone(), vec![answer.clone()]].concat());
    assert_eq!((answered.counts["over"], answered.counts["still_waiting"]), (2, 0));
    let mean = |it: &Measured| it.parts["mean_of_over"].value;
    assert_eq!(mean(&answered), f64::from(u32::try_from(5 + 3 * day).unwrap()) * 60.0 / 2.0);
    // It was closed without an answer.
    let closed = response(&[events.clone(), vec![status("a6", 4 * day, "closed", "d/a")]].concat());
    assert_eq!((closed.counts["over"], closed.counts["resolved_unanswered"]), (1, 1));
    // Asked in both it is one question, which waits since the first.
    let both = [events, vec![story::said("a7", 2 * day, "customer", "d/a"), answer]].concat();
    let once = response(&both);
    assert_eq!((once.n, once.excluded.get("merged into another one")), (2, Some(&1)));
    assert_eq!(mean(&once), mean(&answered));
}

#[test]
fn likelihood_to_recommend_has_one_scale() {
    let answer =
        |scale: Value| rated("a", 0, json!(2), json!({"survey": "nps", "scale": scale}), None);
    for (scale, n) in [(Value::Null, 1), (json!({"min": 1, "max": 5}), 0)] {
        let answers = store(&[answer(scale)]).answers(now()).unwrap();
        assert_eq!(Nps::default().of(&answers, now()).n, n);
    }
    let csat = rated("a", 0, json!(2), json!({"scale": null}), None);
    let answers = store(&[csat]).answers(now()).unwrap();
    assert_eq!(Csat::FIVE.of(&answers, now()).excluded["without a scale"], 1);
}

#[test]
fn an_answer_that_was_changed_in_a_thread_with_two_keys_counts_once() {
    let jan = json!([{"ns": "email", "value": "jan@example.nl", "role": "from"}]);
    let nps = |key: &str, minute, score, conversation: Value| {
        let data = json!({"survey": "nps", "score": score, "scale": {"min": 0, "max": 10}});
        let more = json!({"data": data, "who": jan, "conversation": conversation});
        story::record(key, minute, "feedback.answered", more)
    };
    let mut second = story::said("m2", 1, "agent", "k2");
    second["conversation"] = json!({"key": "k2", "aliases": ["k1"]});
    let events = [
        story::said("m1", 0, "customer", "k1"),
        second,
        nps("f1", 2, 2, json!({"key": "k1"})),
        nps("f2", 3, 9, json!({"key": "k2"})),
    ];
    let store = store(&events);
    let measured = Nps::default().of(&store.answers(now()).unwrap(), now());
    assert_eq!(seconds(&measured), (1, Some(100.0)));
    let who = cx_core::identifier::Who::parse("jan@example.nl", None).unwrap();
    let options = cx_core::context::ContextOptions::at(now());
    let feedback = store.context(&who, &options).unwrap().feedback;
    assert_eq!((feedback.last.len(), feedback.open_loops.len()), (1, 0));
}
