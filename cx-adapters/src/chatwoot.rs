//! Chatwoot: its webhooks of messages, conversations, contacts and ratings, and the same objects
//! as its API gives them.
//!
//! Chatwoot's webhooks carry neither an event id nor, often, an instant: keys come from the object
//! and its time of change, else from the content; a record without any instant takes the one at
//! which it was received.

mod contact;
mod conversation;
mod message;
mod words;

use cx_core::event::{Event, Kind, TimeOrigin, Visibility};
use serde_json::Value;

use crate::json::{self, Moment, Object};
use crate::origin::{Origin, Part};
use crate::{Options, Record, RecordError};

/// The events in Chatwoot's records: one JSON document or several, in any order.
///
/// ```
/// let webhook = br#"{"event": "message_created", "id": 174, "content": "Where is my order?",
///     "message_type": "incoming", "created_at": "2026-03-03T13:05:57Z",
///     "conversation": {"id": 11, "channel": "Channel::WebWidget",
///         "meta": {"sender": {"id": 12, "name": "Jan", "email": "jan@example.nl"}}}}"#;
/// let options = cx_adapters::Options::of("acme");
/// let events: Vec<_> = cx_adapters::chatwoot::events(webhook, &options).collect::<Result<_, _>>()?;
/// assert_eq!(events[0].key.as_str(), "chatwoot:acme/message/174");
/// # Ok::<(), cx_adapters::RecordError>(())
/// ```
pub fn events<'a>(bytes: &'a [u8], options: &'a Options) -> Box<dyn Iterator<Item = Record> + 'a> {
    let origin = Origin::new("chatwoot", options);
    json::records(bytes, move |document| records(origin, document))
}

/// The records of one object, or why it gives none. Records may hold problems of their own.
type Outcome = Result<Vec<Record>, RecordError>;

fn records(origin: Origin<'_>, document: &Object<'_>) -> Vec<Record> {
    let outcome = match document.text("event") {
        Some(event) => webhook(origin, document, &event),
        None => object(origin, document),
    };
    outcome.unwrap_or_else(|error| vec![Err(error)])
}

fn webhook(origin: Origin<'_>, webhook: &Object<'_>, event: &str) -> Outcome {
    // Rules send the same bodies under names of their own.
    match event.strip_prefix("automation_event.").unwrap_or(event) {
        "message_created" => message::created(origin, webhook),
        "message_updated" => message::updated(origin, webhook),
        "conversation_created" => Ok(conversation::created(origin, webhook)),
        "conversation_updated"
        | "conversation_status_changed"
        | "conversation_contact_changed"
        | "conversation_opened"
        | "conversation_resolved"
        | "assignee_changed"
        | "team_changed" => conversation::changed(origin, webhook),
        "contact_created" | "contact_updated" => contact::profile(origin, webhook),
        "webwidget_triggered" => Ok(vec![contact::page(origin, webhook)]),
        "csat_survey_response"
        | "csat_survey_response_created"
        | "csat_survey_response_updated" => Ok(vec![message::survey(origin, webhook)]),
        // Somebody is typing or looking: gone in a moment, so never kept.
        "conversation_typing_on"
        | "conversation_typing_off"
        | "presence"
        | "presence_update"
        | "presence.update"
        // What an account sets up is about no customer.
        | "inbox_created"
        | "inbox_updated" => Ok(Vec::new()),
        "macro.executed" => Err(webhook.problem("event", "that a macro was run is not read")),
        _ => Err(webhook.problem("event", "not an event that Chatwoot sends")),
    }
}

/// An object as the API gives it, told by its fields.
fn object(origin: Origin<'_>, object: &Object<'_>) -> Outcome {
    let inner = object.object("data").or_else(|| object.object("payload"));
    if let Some(inner) = inner.filter(|_| !object.has("id")) {
        return Ok(records(origin, &inner.object("contact").unwrap_or(inner)));
    }
    if let Some(Value::Array(_)) = object.get("payload") {
        return Ok(object
            .objects("payload")
            .into_iter()
            .flat_map(|item| match item {
                Ok(item) => records(origin, &item),
                Err(error) => vec![Err(error)],
            })
            .collect());
    }
    if object.has("message_type") && !object.has("conversation") {
        Ok(message::listed(origin, object))
    } else if object.has("message_type") {
        message::created(origin, object)
    } else if object.has("rating") {
        Ok(vec![message::survey(origin, object)])
    } else if object.has("status") && object.has("id") {
        Ok(conversation::seen(origin, object))
    } else if object.has("id")
        && ["email", "phone_number", "identifier"]
            .iter()
            .any(|field| object.fields().contains_key(*field))
    {
        contact::profile(origin, object)
    } else {
        let fields: Vec<&str> = object.fields().keys().map(String::as_str).take(8).collect();
        let fields = fields.join(", ");
        Err(object.wrong(format!(
            "not a Chatwoot webhook, message, conversation or contact: it has {fields}"
        )))
    }
}

/// An event that carries an instant of its own, or takes the one of receipt.
fn timed(
    origin: Origin<'_>,
    record: Part<'_>,
    kind: Kind,
    (moment, of): (Moment, TimeOrigin),
) -> Result<Event, RecordError> {
    let mut event = origin.event(record, kind, moment)?;
    event.occurred_at_origin = of;
    Ok(event)
}

/// Something for the business's eyes only.
fn internal(mut event: Event) -> Event {
    event.visibility = Visibility::Internal;
    event
}
