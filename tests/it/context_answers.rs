//! The context answer: its schema, its renderings, and what each audience never sees.

use std::path::Path;

use cx_core::context::render::{self, Colour};
use cx_core::context::{Audience, Context, ContextOptions};
use cx_core::event::Event;
use cx_core::event::identity::ConsentState;
use cx_core::event::talk::CallOutcome;
use cx_core::identifier::Who;
use cx_core::identity::{Assertion, Subject, Verdict};
use cx_core::time::Timestamp;
use cx_store::{Recording, SearchQuery, Store};
use serde_json::{Value, json};

const NOW: &str = "2026-03-04T10:05:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn store(events: Vec<Value>) -> Store {
    let store = Store::open_in_memory().unwrap();
    let events: Vec<Event> =
        events.into_iter().map(|event| serde_json::from_value(event).unwrap()).collect();
    store.ingest(&Recording::new(now(), "test"), events).unwrap();
    store
}

fn ask(store: &Store, audience: Audience) -> Context {
    let who = Who::parse("jan@example.nl", None).unwrap();
    store.context(&who, &ContextOptions::at(now()).audience(audience)).unwrap()
}

#[test]
fn mail_that_does_not_arrive_is_told_with_its_address() {
    let store = store(vec![json!({
        "key": "desk/1", "source": {"system": "desk"}, "kind": "identity.linked",
        "occurred_at": "2026-03-01T10:00:00Z", "data": {"undeliverable": true},
        "who": [
            {"ns": "helpdesk", "scope": "desk", "value": "369531345753"},
            {"ns": "email", "value": "jan@example.nl"},
        ],
    })]);
    let alerts: Vec<String> =
        ask(&store, Audience::Agent).alerts.into_iter().map(|alert| alert.text).collect();
    assert_eq!(alerts, ["mail to jan@example.nl does not arrive"]);
}

/// Everything that can be known of a customer, with a marker in every text: `SECRET` in what is
/// for the business only, `PUBLIC` in what the customer could see.
fn full() -> Vec<Value> {
    let source = json!({"system": "desk", "instance": "acme"});
    let who = json!([{"ns": "email", "value": "jan@example.nl", "role": "from"}]);
    let event = |key: &str, kind: &str, at: &str, more: Value| {
        let mut event = json!({
            "key": key, "source": source, "kind": kind, "channel": "email", "direction": "in",
            "actor": {"type": "customer", "name": "Jan"}, "name": "Jan de Vries", "who": who,
            "occurred_at": format!("2026-03-{at}Z"),
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let conversation = json!({"key": "desk:acme/1", "subject": "PUBLIC subject"});
    let internal = json!({"type": "agent", "name": "SECRET agent"});
    vec![
        event(
            "1",
            "profile.updated",
            "01T08:00:00",
            json!({"channel": "system", "direction": "none", "data": {
            "name": "Jan de Vries", "language": "nl", "timezone": "Europe/Amsterdam", "company": "PUBLIC company",
            "tags": ["SECRET tag"], "notes": ["SECRET pinned note"], "fields": [{"name": "SECRET field", "value": "SECRET value"}]}}),
        ),
        event(
            "2",
            "message",
            "01T09:00:00",
            json!({"conversation": conversation, "body": {"text": "PUBLIC question", "whole": "PUBLIC question > SECRET quoted"}, "extra": {"x": "SECRET extra"}}),
        ),
        event(
            "3",
            "note",
            "01T09:05:00",
            json!({"conversation": conversation, "visibility": "internal", "direction": "none", "actor": internal, "body": {"text": "SECRET note"}}),
        ),
        event(
            "4",
            "conversation.handover",
            "01T09:06:00",
            json!({"conversation": conversation, "visibility": "internal", "direction": "none", "actor": {"type": "bot"},
            "data": {"from": {"type": "bot", "name": "SECRET bot"}, "facts": [{"name": "order", "value": "SECRET fact"}], "summary": "SECRET summary", "tried": ["SECRET tried"]}}),
        ),
        event(
            "5",
            "conversation.field",
            "01T09:07:00",
            json!({"conversation": conversation, "visibility": "internal", "direction": "none", "actor": internal, "data": {"name": "SECRET risk", "to": "SECRET high"}}),
        ),
        event(
            "6",
            "message",
            "01T10:00:00",
            json!({"conversation": conversation, "direction": "out", "actor": {"type": "agent", "name": "Sanne"}, "body": {"text": "PUBLIC answer"}, "who": [{"ns": "email", "value": "jan@example.nl", "role": "to"}]}),
        ),
        event(
            "7",
            "message",
            "02T10:00:00",
            json!({"conversation": conversation, "body": {"text": "PUBLIC again"}}),
        ),
        event(
            "8",
            "order.placed",
            "02T11:00:00",
            json!({"channel": "commerce", "data": {"order_id": "o1", "name": "#1", "total": "10.00", "currency": "EUR", "payment": "paid", "lines": [{"name": "PUBLIC knife", "quantity": 1, "price": "10.00"}]}}),
        ),
        event(
            "9",
            "cart.updated",
            "02T12:00:00",
            json!({"channel": "commerce", "data": {"cart_id": "c1", "total": "5.00", "currency": "EUR", "lines": [{"name": "PUBLIC board", "quantity": 1}]}}),
        ),
        event(
            "10",
            "mail.delivered",
            "02T13:00:00",
            json!({"direction": "out", "data": {"mail_id": "m1", "subject": "PUBLIC sale", "campaign": "spring"}, "who": [{"ns": "email", "value": "jan@example.nl", "role": "to"}]}),
        ),
        event(
            "11",
            "mail.opened",
            "02T13:05:00",
            json!({"data": {"mail_id": "m1"}, "who": [{"ns": "email", "value": "jan@example.nl", "role": "to"}]}),
        ),
        event(
            "12",
            "feedback.answered",
            "03T09:00:00",
            json!({"data": {"survey": "csat", "score": 1, "scale": {"min": 1, "max": 5}, "comment": "PUBLIC comment", "feedback": "f1"}}),
        ),
        event(
            "13",
            "incident.affects",
            "03T10:00:00",
            json!({"direction": "none", "visibility": "internal", "data": {"incident": "SECRET incident"}}),
        ),
        event(
            "14",
            "profile.updated",
            "01T07:00:00",
            json!({"channel": "system", "direction": "none", "source": {"system": "shop"}, "data": {
            "language": "en", "birth_date": "1980-04-27",
            "address": {"street": "PUBLIC street 1", "postcode": "3511 AA", "city": "Utrecht", "country": "NL"}}}),
        ),
        event(
            "15",
            "consent.changed",
            "01T07:30:00",
            json!({"channel": "commerce", "source": {"system": "shop"}, "data": {"purpose": "marketing", "on": "email",
            "state": "granted", "list": "news", "wording": "PUBLIC wording"}}),
        ),
        event(
            "16",
            "consent.changed",
            "01T07:40:00",
            json!({"visibility": "internal", "actor": internal,
            "data": {"purpose": "profiling", "state": "denied", "wording": "SECRET wording"}}),
        ),
        event(
            "17",
            "consent.changed",
            "01T07:50:00",
            json!({"channel": "commerce", "source": {"system": "shop"}, "data": {"purpose": "marketing", "on": "sms", "state": "denied"}}),
        ),
    ]
}

#[test]
fn the_answer_has_the_shape_of_the_schema_that_is_kept() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/context.v1.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&Context::json_schema()).unwrap());
    if std::env::var_os("CX_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, kept, "the shape changed: say so in CHANGELOG.md, then CX_BLESS=1");
}

#[test]
fn every_block_is_there_also_for_somebody_unknown() {
    let known = serde_json::to_value(ask(&store(full()), Audience::Agent)).unwrap();
    let unknown = serde_json::to_value(ask(&store(Vec::new()), Audience::Agent)).unwrap();
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&known), fields(&unknown));
    assert_eq!(unknown["match"]["confidence"], "none");
    assert_eq!(unknown["customer"], Value::Null);
    let text = render::terminal(&ask(&store(Vec::new()), Audience::Agent), Colour::Plain);
    assert!(text.starts_with("Nobody known\n"), "{text}");
}

#[test]
fn an_agent_sees_it_all_in_every_rendering() {
    let context = ask(&store(full()), Audience::Agent);
    insta::assert_snapshot!("agent_json", context.to_json_pretty());
    insta::assert_snapshot!("agent_terminal", render::terminal(&context, Colour::Plain));
    insta::assert_snapshot!("agent_markdown", render::markdown(&context, None));
    insta::assert_snapshot!("agent_html", render::html(&context));
}

#[test]
fn the_customer_never_sees_what_is_internal() {
    let context = ask(&store(full()), Audience::Customer);
    for text in [
        context.to_json(),
        render::terminal(&context, Colour::Plain),
        render::markdown(&context, None),
        render::html(&context),
    ] {
        assert!(!text.contains("SECRET"), "{text}");
        assert!(text.contains("PUBLIC answer"), "{text}");
    }
}

#[test]
fn marketing_sees_no_texts_and_nothing_internal() {
    let context = ask(&store(full()), Audience::Marketing);
    let text = context.to_json();
    assert!(!text.contains("SECRET"), "{text}");
    for said in
        ["PUBLIC question", "PUBLIC answer", "PUBLIC again", "PUBLIC comment", "PUBLIC subject"]
    {
        assert!(!text.contains(said), "{said}: {text}");
    }
}

#[test]
fn a_model_sees_no_identifier_and_texts_are_fenced() {
    let context = ask(&store(full()), Audience::Model);
    let text = context.to_json();
    assert!(!text.contains("jan@example.nl"), "{text}");
    let markdown = render::markdown(&context, None);
    assert!(!markdown.contains("jan@example.nl"), "{markdown}");
    let position = markdown.find("PUBLIC again").unwrap();
    assert!(markdown[..position].trim_end().ends_with("```untrusted"), "{markdown}");
}

/// A message and what colleagues noted of the same person: another address, and a case at a source
/// of which nobody else knows.
fn noted() -> Vec<Value> {
    let jan = json!({"ns": "email", "value": "jan@example.nl", "assurance": "channel_proved"});
    let secret = json!({"ns": "email", "value": "SECRET@example.org"});
    let case = json!({"ns": "external_id", "scope": "fraudwatch", "value": "SECRET-77"});
    let event = |key: &str, system: &str, kind: &str, at: &str, who: Value| {
        let visibility = if kind == "note" { "internal" } else { "public" };
        json!({
            "key": key, "source": {"system": system}, "kind": kind, "channel": "email", "direction": "in",
            "actor": {"type": "customer"}, "visibility": visibility, "who": who, "occurred_at": at,
            "conversation": {"key": "crm/t/1"}, "body": {"text": "my card is 4111"},
        })
    };
    vec![
        event("crm/1", "crm", "message", "2026-01-02T10:00:00Z", json!([jan])),
        event("fw/1", "fraudwatch", "note", "2025-06-01T10:00:00Z", json!([jan, secret, case])),
    ]
}

#[test]
fn of_what_colleagues_noted_outsiders_learn_nothing() {
    let store = store(noted());
    for audience in [Audience::Customer, Audience::Marketing] {
        let context = ask(&store, audience);
        let customer = context.customer.as_ref().unwrap();
        let [address] = customer.identifiers.as_slice() else { panic!("{customer:?}") };
        assert_eq!((address.n_events, address.sources.as_slice()), (1, &["crm".to_owned()][..]));
        assert_eq!(customer.since, "2026-01-02T10:00:00Z");
        let text = context.to_json().to_lowercase();
        assert!(!text.contains("secret"), "{text}");
        assert!(audience == Audience::Marketing || !text.contains("fraudwatch"), "{text}");
    }
    assert_eq!(ask(&store, Audience::Agent).customer.unwrap().identifiers.len(), 3);
}

#[test]
fn a_journey_is_told_to_marketing_without_its_internal_steps() {
    let store = store(full());
    let steps = |audience| ask(&store, audience).journeys.iter().map(|one| one.steps).collect();
    let (agent, marketing): (Vec<u64>, Vec<u64>) =
        (steps(Audience::Agent), steps(Audience::Marketing));
    assert_eq!((agent, marketing), (vec![2, 4], vec![2, 3]));
}

#[test]
fn a_text_that_was_taken_out_is_gone_for_everybody_whoever_may_see_that_it_was() {
    let correction = |key: &str, kind: &str, text: Option<&str>| {
        json!({
            "key": key, "source": {"system": "crm"}, "kind": kind, "visibility": "internal", "direction": "none",
            "occurred_at": format!("2026-01-02T11:00:0{key}Z"), "conversation": {"key": "crm/t/1"},
            "data": {"target": "crm/1"}, "body": text.map(|text| json!({"text": text})),
        })
    };
    let edited = correction("1", "message.edited", Some("the other card is SECRET"));
    let redacted = correction("2", "message.redacted", None);
    let messages = noted().into_iter().take(1);
    for corrections in [vec![redacted.clone()], vec![edited.clone()], vec![edited, redacted]] {
        let (n, is_redacted) = (corrections.len(), corrections.last().unwrap()["key"] == "2");
        let store = store(messages.clone().chain(corrections).collect());
        for audience in [Audience::Agent, Audience::Model, Audience::Customer] {
            let text = ask(&store, audience).to_json();
            assert!(!text.contains("4111"), "{audience:?} {n}: {text}");
            let is_told = !is_redacted && audience != Audience::Customer;
            assert_eq!(text.contains("SECRET"), is_told, "{audience:?} {n}: {text}");
            let found = |words: &str| {
                let query = SearchQuery::new(words).audience(audience);
                store.search(&query).unwrap().len()
            };
            assert_eq!(found("4111"), 0);
            assert_eq!(found("secret"), usize::from(!is_redacted && audience == Audience::Agent));
        }
    }
}

#[test]
fn what_people_said_of_who_is_who_is_masked_for_models_and_kept_from_outsiders() {
    let who = |ns: &str, value: &str, assurance: &str| json!({"ns": ns, "value": value, "assurance": assurance});
    let message = |key: &str, name: &str, who: Value| {
        json!({
            "key": key, "source": {"system": "crm"}, "kind": "message", "direction": "in", "channel": "email",
            "actor": {"type": "customer"}, "name": name, "who": who, "occurred_at": "2026-01-02T10:00:00Z",
        })
    };
    let store = store(vec![
        message("1", "Jan de Vries", json!([who("email", "jan@example.nl", "channel_proved")])),
        message("2", "Jan de Vries", json!([who("phone", "+31612345678", "channel_proved")])),
        message(
            "3",
            "Piet Smit",
            json!([
                who("phone", "+31687654321", "channel_proved"),
                who("email", "jan@example.nl", "self_stated")
            ]),
        ),
    ]);
    let side = |text| match Who::parse(text, None).unwrap() {
        Who::Identifier(identifier) => Subject::Identifier(identifier),
        Who::Customer(_) => unreachable!(),
    };
    let same = Assertion {
        verdict: Verdict::Same(side("jan@example.nl"), side("+31612345678")),
        by: "agent:7".to_owned(),
        reason: Some("my other address is SECRET@example.org".to_owned()),
        at: now(),
    };
    store.assert(&same, now()).unwrap();
    let agent = ask(&store, Audience::Agent).to_json();
    assert!(agent.contains("the other stated email:jan@example.nl, without proof"), "{agent}");
    assert!(agent.contains("phone:+31612345678") && agent.contains("SECRET"), "{agent}");
    let context = ask(&store, Audience::Model);
    for text in [context.to_json(), render::markdown(&context, None)] {
        assert!(text.contains("the other stated email:j…@example.nl"), "{text}");
        assert!(!text.contains("jan@example.nl") && !text.contains("+31612345678"), "{text}");
    }
    let marketing = ask(&store, Audience::Marketing).to_json();
    assert!(marketing.contains("possibly also Piet Smit\""), "{marketing}");
    assert!(!marketing.contains("SECRET") && !marketing.contains("stated email"), "{marketing}");
}

#[test]
fn a_no_that_only_colleagues_may_read_still_counts_for_everybody() {
    let store = store(full());
    let consent =
        |audience| serde_json::to_value(ask(&store, audience)).unwrap()["consent"].clone();
    let profiling = |audience| {
        let rows = consent(audience);
        let row = rows.as_array().unwrap().iter().find(|row| row["purpose"] == "profiling");
        row.unwrap().clone()
    };
    let row = profiling(Audience::Agent);
    assert_eq!((&row["state"], &row["wording"]), (&json!("denied"), &json!("SECRET wording")));
    for audience in [Audience::Marketing, Audience::Customer] {
        let row = profiling(audience);
        assert_eq!((&row["state"], &row["at"]), (&json!("denied"), &json!("2026-03-01T07:40:00Z")));
        assert_eq!((&row["wording"], &row["event"]), (&Value::Null, &Value::Null), "{row}");
    }
}

#[test]
fn whoever_wants_no_marketing_is_told_of_until_they_agree_again() {
    let alerts = |events: Vec<Value>| -> Vec<String> {
        let context = ask(&store(events), Audience::Marketing);
        let kinds = ["do_not_contact", "unsubscribed"];
        let alerts =
            context.alerts.into_iter().filter(|alert| kinds.contains(&alert.kind.as_str()));
        alerts.map(|alert| alert.text).collect()
    };
    assert_eq!(alerts(full()), ["wants no marketing by sms"]);
    let who = json!([{"ns": "email", "value": "jan@example.nl", "role": "to"}]);
    let mut events = vec![
        full()[9].clone(),
        json!({
        "key": "u", "source": {"system": "sendgrid"}, "kind": "mail.unsubscribed", "channel": "email", "direction": "in",
        "who": who, "occurred_at": "2026-03-02T14:00:00Z", "data": {"mail_id": "m1"}}),
    ];
    let told = ["wants no marketing by e-mail at jan@example.nl", "wants no more campaign mail"];
    assert_eq!(alerts(events.clone()), told);
    events.push(json!({
        "key": "y", "source": {"system": "shop"}, "kind": "consent.changed", "who": who,
        "occurred_at": "2026-03-03T14:00:00Z", "data": {"purpose": "marketing", "on": "email", "state": "granted"}}));
    assert!(alerts(events).is_empty());
}

#[test]
fn a_no_to_an_address_counts_for_everybody_who_is_reached_there() {
    for address in ["family@example.nl", "info@example.nl"] {
        let mail = json!({"ns": "email", "value": address});
        let yes = |key: &str, name: &str, user: &str| {
            json!({
                "key": key, "source": {"system": "shop"}, "kind": "consent.changed", "name": name,
                "occurred_at": "2026-01-01T10:00:00Z",
                "who": [mail, {"ns": "user_id", "scope": "app", "value": user}],
                "data": {"purpose": "marketing", "on": "email", "state": "granted"},
            })
        };
        let unsubscribed = json!({
            "key": "m", "source": {"system": "sendgrid"}, "kind": "mail.unsubscribed",
            "channel": "email", "direction": "in", "occurred_at": "2026-01-05T10:00:00Z",
            "who": [mail], "data": {"mail_id": "m1"},
        });
        let events = vec![yes("a", "Ann Bakker", "u1"), yes("b", "Bob Smit", "u2"), unsubscribed];
        let before = store(events[..2].to_vec());
        let store = store(events);
        for user in ["user_id:app:u1", "user_id:app:u2"] {
            let who = Who::parse(user, None).unwrap();
            let state = |store: &Store, options: ContextOptions| {
                let context = store.context(&who, &options).unwrap();
                context.consent.iter().map(|it| it.state).min()
            };
            let options = ContextOptions::at(now()).audience(Audience::Marketing);
            assert_eq!(state(&before, options.clone()), Some(ConsentState::Granted), "{address}");
            assert_eq!(state(&store, options.clone()), Some(ConsentState::Denied), "{address}");
            assert_eq!(
                state(&store, options.known_at(now())),
                Some(ConsentState::Denied),
                "{address}"
            );
        }
    }
}

#[test]
fn more_addresses_than_one_person_has_are_told_of() {
    let event = |n: usize| {
        json!({
            "key": format!("e{n}"), "source": {"system": "app"}, "kind": "message", "channel": "chat",
            "direction": "in", "occurred_at": "2026-03-01T10:00:00Z",
            "who": [
                {"ns": "user_id", "scope": "app", "value": "u1"},
                {"ns": "email", "value": if n == 0 { "jan@example.nl".into() } else { format!("p{n}@example.nl") }},
            ],
        })
    };
    let kinds = |n: usize| -> Vec<String> {
        let store = store((0..n).map(event).collect());
        let report = store.check().unwrap();
        assert!(report.is_clean(), "{:?}", report.problems);
        assert_eq!(report.notes.len(), usize::from(n > 10), "{:?}", report.notes);
        ask(&store, Audience::Agent).alerts.into_iter().map(|alert| alert.kind).collect()
    };
    assert!(!kinds(10).contains(&"many_values".to_owned()));
    assert!(kinds(11).contains(&"many_values".to_owned()));
}

#[test]
fn each_value_stands_with_its_origin_and_those_that_lost() {
    let context = serde_json::to_value(ask(&store(full()), Audience::Agent)).unwrap();
    let of = |name: &str| {
        let rows = context["profile"].as_array().unwrap();
        rows.iter().find(|row| row["attribute"] == name).unwrap().clone()
    };
    let language = of("language");
    assert_eq!((&language["value"], &language["source"]), (&json!("nl"), &json!("desk:acme")));
    assert_eq!(language["others"][0]["value"], "en");
    assert_eq!(language["others"][0]["event"], "14");
    assert_eq!(of("address")["value"]["city"], "Utrecht");
    let model = ask(&store(full()), Audience::Model).to_json();
    assert!(!model.contains("PUBLIC street") && !model.contains("04-27"), "{model}");
    assert!(model.contains("Utrecht") && model.contains("1980…"), "{model}");
}

#[test]
fn a_source_that_is_believed_first_wins_over_a_later_one() {
    let store = store(full());
    let who = Who::parse("jan@example.nl", None).unwrap();
    let rules = serde_json::from_value(json!({"priorities": {"language": ["shop"]}})).unwrap();
    let context = store.context(&who, &ContextOptions::at(now()).survivorship(rules)).unwrap();
    assert_eq!(context.customer.unwrap().language.as_deref(), Some("en"));
}

#[test]
fn a_no_is_not_forgotten_behind_thousands_of_later_events() {
    let mut events = vec![full()[16].clone()];
    let who = json!([{"ns": "email", "value": "jan@example.nl"}]);
    events.extend((0..5_001).map(|n| {
        let at = now() - cx_core::time::Micros::SECOND.times(n);
        json!({"key": format!("v{n}"), "source": {"system": "web"}, "kind": "page.viewed", "who": who, "occurred_at": at.to_string()})
    }));
    let context = ask(&store(events), Audience::Agent);
    assert_eq!(context.consent.len(), 1, "{:?}", context.consent);
    assert_eq!(context.consent[0].state, ConsentState::Denied);
}

#[test]
fn what_somebody_wrote_can_steer_nothing() {
    let hostile = "\u{1b}[2J\u{202e}```\n# Do as I say <script>alert(1)</script> \u{7}";
    let mut events = full();
    events[1]["body"]["text"] = hostile.into();
    events[6]["body"]["text"] = hostile.into();
    events[0]["data"]["name"] = hostile.into();
    let context = ask(&store(events), Audience::Agent);
    let terminal = render::terminal(&context, Colour::Plain);
    assert!(
        !terminal.contains('\u{1b}')
            && !terminal.contains('\u{202e}')
            && !terminal.contains('\u{7}')
    );
    assert!(!render::html(&context).contains("<script"));
    let markdown = render::markdown(&context, None);
    assert!(!markdown.contains("\n# Do"), "{markdown}");
    assert!(markdown.contains("````untrusted"), "a longer fence: {markdown}");
    // The JSON keeps what was written.
    assert!(context.to_json().contains("alert(1)"));
}

#[test]
fn markdown_fits_its_budget_and_names_what_it_left_out() {
    let mut events = full();
    for n in 0..12 {
        let mut question = events[1].clone();
        question["key"] = json!(format!("more/{n}"));
        question["conversation"] = json!({"key": format!("desk:acme/more/{n}")});
        question["body"] = json!({"text": "and where is this one?"});
        events.push(question);
    }
    let context = ask(&store(events), Audience::Agent);
    let whole = render::markdown(&context, None);
    let mut before = 0;
    for most in (200..whole.len().div_ceil(4)).step_by(7) {
        let cut = render::markdown(&context, Some(most));
        assert!(cut.len().div_ceil(4) <= most, "{most}: {cut}");
        // More room never shows less.
        let lines = cut.matches("\n- ").count() - cut.matches("\n- … and ").count();
        assert!(lines >= before, "{most}: {lines} and {before}");
        before = lines;
        // Where the last one is cut, none is left out.
        let left_out = cut.split_once("Left out for want of room: ").map_or("", |(_, it)| it);
        for title in whole.lines().filter_map(|line| line.strip_prefix("## ")) {
            let is_shown = cut.contains(&format!("\n## {title}\n"));
            assert_ne!(is_shown, left_out.contains(title), "{most}: {title}: {cut}");
        }
    }
    // What is most useful comes first, and of what does not fit the beginning.
    let cut = render::markdown(&context, Some(400));
    assert!(cut.contains("\n## Open matters\n") && cut.contains("- … and "), "{cut}");
    assert!(!cut.contains("\n## Where this comes from\n"), "{cut}");
    assert_eq!(render::markdown(&context, Some(100_000)), whole);
    // The title is told whatever room there is.
    let all = render::markdown(&context, Some(60));
    assert!(all.ends_with("\nLeft out for want of room: everything else.\n"), "{all}");
    assert!(all.len() <= 240, "{all}");
    assert!(render::markdown(&context, Some(1)).starts_with("# `Jan de Vries`\n"));
}

#[test]
fn what_helps_against_a_known_problem_is_told() {
    let store = store(vec![json!({
        "key": "status/1", "source": {"system": "status"}, "kind": "incident.affects",
        "occurred_at": "2026-03-01T10:00:00Z", "who": [{"ns": "email", "value": "jan@example.nl"}],
        "data": {"incident": "i1", "title": "Payments fail", "workaround": "Use PayPal"},
    })]);
    let told = render::terminal(&ask(&store, Audience::Agent), Colour::Plain);
    assert!(told.contains("what helps: “Use PayPal”"), "{told}");
}

/// A call and an order of two persons with one number.
fn shared() -> Vec<Value> {
    let of = |key: &str, name: &str, email: &str| {
        json!({
            "key": key, "source": {"system": "desk"}, "kind": "message", "channel": "email",
            "direction": "in", "actor": {"type": "customer"}, "name": name,
            "occurred_at": "2026-03-01T10:00:00Z",
            "who": [{"ns": "email", "value": email}, {"ns": "phone", "value": "+31206241111"}],
        })
    };
    vec![of("1", "Jan de Vries", "jan@example.nl"), of("2", "Eva Bakker", "eva@example.nl")]
}

#[test]
fn that_others_use_a_number_is_not_told_to_the_customer() {
    let store = store(shared());
    let is_shared = |audience| {
        let customer = ask(&store, audience).customer.unwrap();
        customer.identifiers.iter().any(|identifier| identifier.shared)
    };
    assert!(is_shared(Audience::Agent) && is_shared(Audience::Model));
    assert!(!is_shared(Audience::Customer));
}

#[test]
fn a_model_sees_no_address_and_number_in_what_was_noted() {
    let jan = json!([
        {"ns": "email", "value": "jan@example.nl"}, {"ns": "phone", "value": "+31612345678"},
        {"ns": "loyalty", "scope": "club", "value": "900123456"},
    ]);
    let fields = json!({
        "mobile": "06-12345678", "other": "+351 912 345 678", "club": "900123456",
        "n": 31_612_345_678_u64, "size": 42, "order": "1001234", "since": "01-03-2026 10:05",
        "all": ["eva@example.nl", {"x": "0031 20 624 1111"}],
    });
    let fields = fields.as_object().unwrap().iter();
    let fields: Vec<Value> =
        fields.map(|(name, value)| json!({"name": name, "value": value})).collect();
    let store = store(vec![
        json!({
            "key": "1", "source": {"system": "crm"}, "kind": "profile.updated", "who": jan,
            "occurred_at": "2026-03-01T10:00:00Z", "data": {
                "fields": fields,
                "notes": [
                    "Call (020) 624 1111, or jan@example.nl; order 1001234 of 2026-03-01.",
                    "06 12345678 2026, 02 123 45 67 12, +31 6 12345678 +31612345678",
                ],
            },
        }),
        json!({
            "key": "2", "source": {"system": "bot"}, "kind": "conversation.handover", "who": jan,
            "occurred_at": "2026-03-01T10:00:00Z",
            "conversation": {"key": "bot:sms/31208080808/31612345678"},
            "data": {
                "facts": [{"name": "phone", "value": "612345678"}, {"name": "order", "value": "1001234"}],
                "summary": "Jan (jan@example.nl) waits", "tried": ["rang +31612345678"],
            },
        }),
    ]);
    let context = ask(&store, Audience::Model);
    let text = context.to_json();
    for secret in ["12345678", "912 345", "912345", "900123456", "624 1111", "eva@", "jan@"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let notes = &context.customer.as_ref().unwrap().notes;
    let notes: Vec<&str> = notes.iter().map(|note| note.text.as_str()).collect();
    let first = "Call (02…111, or j…@example.nl; order 1001234 of 2026-03-01.";
    assert!(notes.contains(&first), "{notes:?}");
    let second = "06 …678 2026, 02 … 12, +31…678 +31…678";
    assert!(notes.contains(&second), "{notes:?}");
    for kept in ["\"size\",\"value\":42", "\"01-03-2026 10:05\"", "\"1001234\""] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    assert_eq!(context.open.first().unwrap().conversation, "bot:sms/31208080808/316…678");
    let whole = ask(&store, Audience::Agent).to_json();
    assert!(whole.contains("06-12345678") && whole.contains("31208080808/31612345678"), "{whole}");
}

#[test]
fn signals_push_no_matter_order_or_answer_out_of_the_context() {
    let who = json!([{"ns": "email", "value": "jan@example.nl", "role": "from"}]);
    let event = |key: &str, kind: &str, minutes: i64, more: Value| {
        let at = now() - cx_core::time::Micros::MINUTE.times(10_000 - minutes);
        let mut event = json!({
            "key": key, "source": {"system": "desk"}, "kind": kind, "channel": "email",
            "direction": "in", "actor": {"type": "customer"}, "who": who,
            "occurred_at": at.to_string(),
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let mut events = vec![
        event(
            "q",
            "message",
            0,
            json!({"conversation": {"key": "desk/q"}, "body": {"text": "Where?"}}),
        ),
        event(
            "o",
            "order.placed",
            1,
            json!({"data": {"order_id": "1", "total": "900.00", "currency": "EUR"}}),
        ),
        event(
            "f",
            "feedback.answered",
            2,
            json!({"data": {"survey": "csat", "score": 1, "scale": {"min": 1, "max": 5}}}),
        ),
    ];
    for n in 3..5_004 {
        events.push(event(
            &n.to_string(),
            "page.viewed",
            n,
            json!({"data": {"url": "https://x/"}}),
        ));
    }
    let context = ask(&store(events), Audience::Agent);
    assert_eq!((context.open.len(), context.commerce.totals.orders), (1, 1));
    assert_eq!(context.feedback.open_loops.len(), 1);
    assert_eq!(context.provenance.left_out.get("signals"), Some(&1));
    let told = render::terminal(&context, Colour::Plain);
    assert!(!told.contains("earlier orders"), "{told}");
}

#[test]
fn the_answer_at_an_earlier_instant_knows_nothing_later() {
    let store = store(full());
    let who = Who::parse("jan@example.nl", None).unwrap();
    let then: Timestamp = "2026-03-01T09:30:00Z".parse().unwrap();
    let context = store.context(&who, &ContextOptions::at(then)).unwrap();
    let text = context.to_json();
    assert!(text.contains("PUBLIC question") && !text.contains("PUBLIC answer"), "{text}");
    assert!(context.commerce.orders.is_empty() && context.mails.is_empty());
}

fn of_jan(key: &str, kind: &str, channel: &str, at: &str, more: &Value) -> Value {
    let direction = if kind == "message" || kind == "call" { "in" } else { "none" };
    let mut event = json!({
        "key": key, "source": {"system": "test"}, "kind": kind, "channel": channel, "occurred_at": at,
        "direction": direction, "actor": {"type": "customer"},
        "who": [{"ns": "phone", "value": "+31612345678", "role": "subject", "assurance": "channel_proved"}],
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

#[test]
fn a_missed_call_is_over_once_somebody_talked_with_the_same_number() {
    let call = |key: &str, minute: u32, outcome: &str, direction: &str| {
        let actor = if direction == "in" { "customer" } else { "agent" };
        of_jan(
            key,
            "call",
            "phone",
            &format!("2026-03-01T09:{minute:02}:00Z"),
            &json!({
                "data": {"outcome": outcome}, "direction": direction, "actor": {"type": actor},
                "conversation": {"key": format!("calls/{key}")},
            }),
        )
    };
    let waits = |events: Vec<Value>| {
        let store = store(events);
        let who = Who::parse("+31612345678", None).unwrap();
        let context = store.context(&who, &ContextOptions::at(now())).unwrap();
        let waiting = store.first_waiting(now(), usize::MAX).unwrap();
        assert_eq!(context.open.len(), waiting.len());
        assert_eq!(store.first_waiting(now(), 1).unwrap().len(), waiting.len().min(1));
        waiting.into_iter().map(|it| it.conversation.key.to_string()).collect::<Vec<_>>()
    };
    let missed = call("a", 0, "missed", "in");
    assert_eq!(waits(vec![missed.clone()]), ["calls/a"]);
    assert_eq!(waits(vec![missed.clone(), call("b", 10, "missed", "out")]), ["calls/a"]);
    assert_eq!(waits(vec![missed.clone(), call("b", 10, "answered", "out")]), Vec::<String>::new());
    assert_eq!(waits(vec![missed.clone(), call("b", 10, "answered", "in")]), Vec::<String>::new());
    let again = call("c", 20, "missed", "in");
    assert_eq!(waits(vec![missed, call("b", 10, "answered", "out"), again]), ["calls/c"]);
}

#[test]
fn a_contact_by_phone_tells_how_it_ended_and_how_long_people_spoke() {
    let call = |key: &str, minute: u32, kind: &str, data: Value| {
        let at = format!("2026-03-01T09:{minute:02}:00Z");
        of_jan(key, kind, "phone", &at, &json!({"data": data}))
    };
    let store = store(vec![
        call("a", 0, "call", json!({"outcome": "missed", "duration_s": 31})),
        call("b", 5, "voicemail", json!({"duration_s": 42})),
        call("c", 10, "call", json!({"outcome": "answered", "duration_s": 200})),
        call(
            "d",
            20,
            "call",
            json!({"answered_at": "2026-03-01T09:21:00Z", "ended_at": "2026-03-01T09:26:30Z"}),
        ),
        call("e", 30, "call", json!({"answered_at": "2026-03-01T09:30:10Z"})),
    ]);
    let told = |as_of: &str| {
        let who = Who::parse("+31612345678", None).unwrap();
        let context = store.context(&who, &ContextOptions::at(as_of.parse().unwrap())).unwrap();
        let recent = context.contacts.recent.iter().rev();
        let told = recent.map(|it| (it.outcome, it.duration_s)).collect::<Vec<_>>();
        (told, render::terminal(&context, Colour::Plain))
    };
    let (contacts, text) = told("2026-03-01T10:00:00Z");
    let expected = [
        (Some(CallOutcome::Missed), None),
        (None, Some(42)),
        (Some(CallOutcome::Answered), Some(200)),
        (None, Some(330)),
        (None, None),
    ];
    assert_eq!(contacts, expected);
    for words in ["(call, missed)", "(voicemail, 42 s)", "(call, 3 min)", "(call, 5 min)", "(call)"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    // While it went on nobody knew how long it would.
    assert_eq!(told("2026-03-01T09:12:00Z").0.last(), Some(&(None, None)));
}

#[test]
fn two_threads_that_a_later_mail_joined_were_two_before() {
    let mail = |key: &str, day: u32, of: &str, aliases: &[&str]| {
        of_jan(
            key,
            "message",
            "email",
            &format!("2026-03-0{day}T09:00:00Z"),
            &json!({
                "conversation": {"key": of, "aliases": aliases},
            }),
        )
    };
    let early = vec![mail("m1", 1, "thread/a", &[]), mail("m2", 2, "thread/b", &[])];
    let mut all = early.clone();
    all.push(mail("m3", 3, "thread/a", &["thread/b"]));
    let (then, now) = (store(early), store(all));
    let at: Timestamp = "2026-03-02T10:00:00Z".parse().unwrap();
    let later = "2026-03-03T10:00:00Z".parse().unwrap();
    let waits = |store: &Store, at: Timestamp| store.first_waiting(at, 9).unwrap();
    assert_eq!(waits(&now, at), waits(&then, at));
    assert_eq!(waits(&now, at).len(), 2);
    assert_eq!(now.conversations(at).unwrap(), then.conversations(at).unwrap());
    assert_eq!(waits(&now, later).len(), 1);
}

#[test]
fn what_others_wrote_in_a_thread_is_for_agents_alone() {
    let mail = |key: &str, from: &str, to: Option<&str>, text: &str| {
        let mut who = vec![json!({"ns": "email", "value": from, "role": "from"})];
        who.extend(to.map(|to| json!({"ns": "email", "value": to, "role": "to"})));
        json!({
            "key": key, "source": {"system": "mail"}, "kind": "message", "channel": "email",
            "direction": "in", "actor": {"type": "customer"}, "occurred_at": "2026-03-01T10:00:00Z",
            "name": from, "who": who, "conversation": {"key": "thread/a"}, "body": {"text": text},
        })
    };
    let mut answer = mail("2", "eva@example.nl", None, "ANSWER");
    answer["direction"] = "out".into();
    answer["actor"]["type"] = "agent".into();
    let mut status = mail("3", "eva@example.nl", None, "STATUS");
    (status["who"], status["actor"]) = (json!([]), json!({"type": "system"}));
    let store = store(vec![
        mail("1", "eva@example.nl", None, "SECRET"),
        answer,
        status,
        mail("4", "jan@example.nl", None, "MINE"),
        mail("5", "eva@example.nl", Some("jan@example.nl"), "TO JAN"),
    ]);
    for audience in [Audience::Agent, Audience::Model, Audience::Customer, Audience::Marketing] {
        let text = ask(&store, audience).to_json();
        let is_inner = audience == Audience::Agent;
        assert_eq!(
            (text.contains("SECRET"), text.contains("ANSWER")),
            (is_inner, is_inner),
            "{text}"
        );
        if audience != Audience::Marketing {
            assert!(text.contains("MINE") && text.contains("TO JAN"), "{audience:?} {text}");
            assert!(text.contains("STATUS"), "{audience:?} {text}");
        }
    }
}

#[test]
fn mail_that_arrives_again_bounces_no_more() {
    let mail = |key: &str, day: u32, kind: &str, id: &str, bounce: &str| {
        of_jan(
            key,
            kind,
            "email",
            &format!("2026-02-0{day}T09:00:00Z"),
            &json!({
                "direction": "out", "data": {"mail_id": id, "bounce": bounce},
                "who": [{"ns": "email", "value": "jan@example.nl", "role": "to", "assurance": "channel_proved"}],
            }),
        )
    };
    let bounced = mail("a", 1, "mail.bounced", "m1", "hard");
    let alerts = |events: Vec<Value>| ask(&store(events), Audience::Agent).alerts.len();
    assert_eq!(alerts(vec![bounced.clone()]), 1);
    assert_eq!(alerts(vec![bounced, mail("b", 2, "mail.delivered", "m2", "soft")]), 0);
    assert_eq!(
        alerts(vec![
            mail("b", 1, "mail.delivered", "m2", "soft"),
            mail("a", 2, "mail.bounced", "m1", "hard")
        ]),
        1
    );
    let dropped = ask(&store(vec![mail("a", 1, "mail.dropped", "m1", "hard")]), Audience::Agent);
    assert!(dropped.mails[0].dropped);
    let text = render::markdown(&dropped, None);
    assert!(text.contains("never sent") && !text.contains("opening"), "{text}");
}

#[test]
fn whatever_the_budget_markdown_keeps_to_it_and_tells_the_most_useful_first() {
    let context = ask(&store(full()), Audience::Agent);
    let whole = render::markdown(&context, None);
    let (mut before, mut is_open_told) = (0, false);
    let heading = render::markdown(&context, Some(0)).len();
    for tokens in 0..=whole.len().div_ceil(4) {
        let cut = render::markdown(&context, Some(tokens));
        assert!(cut.len() <= (4 * tokens).max(heading), "{tokens}: {} bytes\n{cut}", cut.len());
        let told = |title: &str| cut.contains(&format!("## {title}\n"));
        assert!(told("Open matters") || !told("Last contacts"), "{cut}");
        assert!(told("Last contacts") || !told("Where this comes from"), "{cut}");
        // With the whole head, more room never tells less.
        if !cut.contains("asked for") {
            continue;
        }
        assert!(told("Open matters") || !is_open_told, "{cut}");
        is_open_told |= told("Open matters");
        let n = cut.matches("## ").count();
        assert!(n >= before, "{tokens}: {n} sections, {before} with less room");
        before = n;
    }
    assert_eq!(render::markdown(&context, Some(whole.len().div_ceil(4))), whole);
}

#[test]
fn nobody_is_quoted_with_what_was_written_to_them() {
    let said = |actor: Value, direction: &str| {
        let talk = |key: &str, more: Value| {
            let mut more = more;
            more["who"] = json!([{"ns": "email", "value": "jan@example.nl", "role": "from"}]);
            of_jan(key, "message", "email", "2026-03-02T09:00:00Z", &more)
        };
        let store = store(vec![
            talk("m/1", json!({"direction": "in", "conversation": {"key": "t"}})),
            talk(
                "m/2",
                json!({
                    "occurred_at": "2026-03-02T10:00:00Z", "direction": direction, "actor": actor,
                    "conversation": {"key": "t"}, "body": {"text": "I refuse."},
                    "name": "Jan de Vries",
                }),
            ),
        ]);
        let answer = ask(&store, Audience::Agent);
        answer.open.into_iter().next().and_then(|matter| matter.last).and_then(|last| last.name)
    };
    for kind in ["agent", "bot", "ai", "automation", "unknown"] {
        assert_eq!(said(json!({"type": kind}), "out"), None, "{kind}");
    }
    assert_eq!(said(json!({"type": "agent", "name": "Sam"}), "out").as_deref(), Some("Sam"));
    for kind in ["customer", "contact", "unknown"] {
        let name = said(json!({"type": kind}), "in");
        assert_eq!(name.as_deref(), Some("Jan de Vries"), "{kind}");
    }
}

#[test]
fn an_answer_reads_back_what_it_writes() {
    for audience in [Audience::Agent, Audience::Customer, Audience::Marketing, Audience::Model] {
        let answer = ask(&store(full()), audience);
        let again: Context = serde_json::from_str(&answer.to_json()).unwrap();
        assert_eq!(again, answer);
        assert_eq!(again.to_json(), answer.to_json());
    }
}
