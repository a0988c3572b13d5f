//! The context answer: its schema, its renderings, and what each audience never sees.

use std::path::Path;

use cx_core::context::render::{self, Colour};
use cx_core::context::{Audience, Context, ContextOptions};
use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_core::time::Timestamp;
use cx_store::{Recording, Store};
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
    let context = ask(&store(full()), Audience::Agent);
    let whole = render::markdown(&context, None);
    let cut = render::markdown(&context, Some(300));
    assert!(cut.len() < whole.len());
    assert!(cut.contains("Left out for want of room: "), "{cut}");
    assert_eq!(render::markdown(&context, Some(100_000)), whole);
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
