//! Messages: what was said, receipts for it, and ratings given in a form.

use cx_core::actor::{Actor, ActorType};
use cx_core::channel::Channel;
use cx_core::event::feedback::{Answered, Asked, Scale, Survey};
use cx_core::event::talk::{Correction, Message, Note, Receipt};
use cx_core::event::{
    Attachment, Body, ConversationRef, Direction, Event, Kind, TimeOrigin, Visibility,
};
use cx_core::identifier::Role;
use cx_core::time::Timestamp;
use serde_json::Value;

use super::words::{self, MessageType};
use super::{Outcome, contact, conversation, internal, timed};
use crate::json::{Moment, Object};
use crate::origin::{Origin, Part};
use crate::{Record, RecordError};

const SCALE: Scale = Scale::high_is_good(1, 5);

const MAPPED: &[&str] = &[
    "event",
    "id",
    "content",
    "created_at",
    "updated_at",
    "message_type",
    "private",
    "sender",
    "contact",
    "conversation",
    "account",
    "attachments",
    "conversation_id",
    "sender_id",
    "sender_type",
    "inbox",
    "account_id",
    "processed_message_content",
];

/// A message with what stands around it.
struct Said<'a> {
    message: Object<'a>,
    conversation: Option<Object<'a>>,
    id: String,
    at: Moment,
    origin_of_time: TimeOrigin,
    rev: Moment,
}

/// A new message, and the other messages of its conversation that the payload carries. The
/// message of the webhook itself says more than its own copy further inside.
pub(super) fn created(origin: Origin<'_>, webhook: &Object<'_>) -> Outcome {
    let conversation = webhook.object("conversation");
    let inner: Vec<Object<'_>> =
        conversation.as_ref().map(|conversation| conversation.list("messages")).unwrap_or_default();
    let mut records = Vec::new();
    let own = webhook.text("id");
    if webhook.has("message_type") || own.is_some() {
        records.extend(all(origin, webhook, conversation.as_ref()));
    } else if inner.is_empty() {
        return Err(webhook.problem("id", "missing"));
    }
    let others = inner.iter().filter(|message| own.is_none() || message.text("id") != own);
    records.extend(others.flat_map(|message| nested(origin, message, conversation.as_ref())));
    Ok(records)
}

/// A message inside a conversation. It says less than the webhook of the message itself, such as
/// the time to the millisecond, so its revision is a number, which comes before any instant.
pub(super) fn nested(
    origin: Origin<'_>,
    message: &Object<'_>,
    conversation: Option<&Object<'_>>,
) -> Vec<Record> {
    ranked(all(origin, message, conversation), Timestamp::as_micros)
}

/// A message in a list of messages. It does not even say in which inbox it came, so it comes before
/// one inside a conversation: its revision counts seconds.
pub(super) fn listed(origin: Origin<'_>, message: &Object<'_>) -> Vec<Record> {
    ranked(all(origin, message, None), |at| at.as_micros().div_euclid(1_000_000))
}

/// The records with a number as revision in place of an instant.
fn ranked(records: Vec<Record>, number: impl Fn(Timestamp) -> i64) -> Vec<Record> {
    let numbered = records.into_iter().map(|record| {
        let mut event = record?;
        let instant: Option<Timestamp> = event.rev.as_ref().and_then(|rev| rev.parse().ok());
        event.rev = instant.map(|at| number(at).to_string()).or(event.rev);
        Ok(event)
    });
    numbered.collect()
}

/// The message, and the question where it asks for a rating.
pub(super) fn all(
    origin: Origin<'_>,
    message: &Object<'_>,
    conversation: Option<&Object<'_>>,
) -> Vec<Record> {
    let said = match said(origin, message, conversation) {
        Ok(said) => said,
        Err(error) => return vec![Err(error)],
    };
    if let Some(deleted) = deleted(origin, &said, said.rev) {
        return vec![deleted];
    }
    let mut records = vec![event(origin, &said)];
    if message.text("content_type").as_deref() == Some("input_csat") {
        records.push(asked(origin, &said));
        records.extend(csat(origin, &said));
    }
    records
}

fn said<'a>(
    origin: Origin<'_>,
    message: &Object<'a>,
    conversation: Option<&Object<'a>>,
) -> Result<Said<'a>, RecordError> {
    let told = message.first_moment(&["created_at", "updated_at"])?;
    let (at, origin_of_time) =
        origin.or_received(told, || message.problem("created_at", "missing"))?;
    Ok(Said {
        id: message.need("id")?,
        message: message.clone(),
        conversation: conversation.cloned(),
        at,
        origin_of_time,
        rev: message.moment("updated_at")?.unwrap_or(at),
    })
}

fn event(origin: Origin<'_>, said: &Said<'_>) -> Result<Event, RecordError> {
    let message = &said.message;
    let kind = words::message_type(message).ok_or_else(|| {
        message.problem("message_type", "not incoming, outgoing, activity or template")
    })?;
    let part = Part::whole("message", &said.id);
    let when = (said.at, said.origin_of_time);
    let text = message.verbatim("content").unwrap_or_default();
    if kind == MessageType::Activity {
        let data = message.rest(MAPPED);
        let kind = Kind::Custom { name: "custom.activity".to_owned(), data };
        let mut event = internal(timed(origin, part, kind, when)?);
        event.actor = Actor::of(ActorType::System);
        event.body = Some(Body::text(text));
        return place(origin, said, event);
    }
    let channel = contact::channel(message, said.conversation.as_ref());
    let is_private = message.flag("private") == Some(true);
    let source_id = message.text("source_id").filter(|_| channel == Channel::Email);
    let what = if is_private {
        Kind::Note(Note::default())
    } else {
        Kind::Message(Message { message_id: source_id, ..Message::default() })
    };
    let mut event = timed(origin, part, what, when)?;
    event.channel = channel;
    event.actor = actor(message, kind);
    let known = contact::of(message, said.conversation.as_ref());
    let role = if kind == MessageType::Incoming {
        event.direction = Direction::In;
        if let Some(known) = &known {
            event.actor = Actor { id: known.id(), name: known.name(), ..event.actor };
        }
        Role::From
    } else {
        event.direction = Direction::Out;
        Role::To
    };
    let mut unclaimed = None;
    if let Some(known) = known {
        event.name = known.name();
        event.who = known.claims(origin, if is_private { Role::Requester } else { role });
        unclaimed = known.unclaimed(&event.who);
    }
    if is_private {
        event.visibility = Visibility::Internal;
        event.direction = Direction::None;
    }
    event.body = (!text.is_empty()).then(|| Body::text(text));
    event.attachments = message.list("attachments").iter().map(attachment).collect();
    event.extra = message.rest(MAPPED);
    event.extra.extend(unclaimed);
    place(origin, said, event)
}

/// Who said it.
fn actor(message: &Object<'_>, kind: MessageType) -> Actor {
    let sender = message.object("sender");
    let class = sender
        .as_ref()
        .and_then(|sender| sender.text("type"))
        .or_else(|| message.text("sender_type"));
    let told = class.and_then(|class| words::sender(&class));
    // A campaign's message has the agent who set it up for its sender.
    let is_campaign = message
        .object("additional_attributes")
        .is_some_and(|attributes| attributes.has("campaign_id"));
    let actor = match (kind, told) {
        (MessageType::Incoming, _) => return Actor::of(ActorType::Customer),
        (MessageType::Template, _) => return Actor::of(ActorType::Automation),
        _ if is_campaign => Actor::of(ActorType::Automation),
        (MessageType::Outgoing | MessageType::Activity, Some(told)) => Actor::of(told),
        // A rule's message has no sender; one whose sender is not named is by a person of ours.
        (MessageType::Outgoing | MessageType::Activity, None) => match &sender {
            Some(_) => Actor::of(ActorType::Agent),
            None if message.has("sender_id") => Actor::of(ActorType::Agent),
            None => Actor::of(ActorType::Automation),
        },
    };
    let id = sender.as_ref().and_then(|sender| sender.text("id"));
    Actor {
        id: id.or_else(|| message.text("sender_id")),
        name: sender.and_then(|sender| sender.first_text(&["available_name", "name"])),
        ..actor
    }
}

/// The conversation, the message it answers, and the revision.
fn place(origin: Origin<'_>, said: &Said<'_>, mut event: Event) -> Result<Event, RecordError> {
    let id = said
        .conversation
        .as_ref()
        .and_then(conversation::id)
        .or_else(|| said.message.text("conversation_id"));
    if let Some(id) = id {
        let answers = said
            .message
            .object("content_attributes")
            .and_then(|attributes| attributes.text("in_reply_to"))
            .map(|target| origin.path("message", &target));
        event.conversation = Some(ConversationRef {
            reply_to: answers,
            ..origin.conversation("conversation", &id)?
        });
    }
    event.rev = (said.origin_of_time == TimeOrigin::Event).then(|| said.rev.at.to_string());
    Ok(event)
}

fn attachment(file: &Object<'_>) -> Attachment {
    Attachment {
        name: file.first_text(&["file_name", "fallback_title"]),
        media_type: file.text("file_type"),
        size: file.number("file_size").and_then(|size| u64::try_from(size).ok()),
        sha256: None,
        url: file.text("data_url"),
    }
}

/// A message that changed: whether it arrived, that it is gone, what was answered in its form.
pub(super) fn updated(origin: Origin<'_>, webhook: &Object<'_>) -> Outcome {
    let conversation = webhook.object("conversation");
    let said = said(origin, webhook, conversation.as_ref())?;
    let copy = conversation
        .iter()
        .flat_map(|conversation| conversation.list("messages"))
        .find(|message| message.text("id").as_deref() == Some(said.id.as_str()));
    let changed = match (webhook.moment("updated_at")?, &copy, &conversation) {
        (Some(at), ..) => at,
        (None, Some(copy), _) => copy.moment("updated_at")?.unwrap_or(said.at),
        (None, None, Some(conversation)) => {
            conversation.first_moment(&["last_activity_at", "updated_at"])?.unwrap_or(said.at)
        }
        (None, None, None) => said.at,
    };
    // The whole message again, as it is now.
    let said = Said { rev: changed, ..said };
    let mut records = Vec::new();
    if let Some(deleted) = deleted(origin, &said, changed) {
        return Ok(vec![deleted]);
    }
    records.push(event(origin, &said));
    if webhook.text("content_type").as_deref() == Some("input_csat") {
        records.push(asked(origin, &said));
        records.extend(csat(origin, &said));
    }
    let status = webhook.text("status").or_else(|| copy.and_then(|copy| copy.text("status")));
    if let Some((part, kind)) = receipt(origin, &said, status.as_deref()) {
        records.push(follow(origin, &said, part, kind, changed));
    }
    records.extend(answer(origin, &said, changed));
    Ok(records)
}

/// That a message is gone, where it is. What stands in its place is nobody's words.
fn deleted(origin: Origin<'_>, said: &Said<'_>, at: Moment) -> Option<Record> {
    let attributes = said.message.object("content_attributes")?;
    (attributes.flag("deleted") == Some(true)).then(|| {
        let target = origin.path("message", &said.id);
        let kind = Kind::MessageDeleted(Correction { target, ..Correction::default() });
        follow(origin, said, "deleted", kind, at)
    })
}

/// Something that became of a message.
fn follow(
    origin: Origin<'_>,
    said: &Said<'_>,
    part: &str,
    kind: Kind,
    at: Moment,
) -> Result<Event, RecordError> {
    let part = Part::of("message", &said.id, part);
    let mut event = timed(origin, part, kind, (at, said.origin_of_time))?;
    event.channel = contact::channel(&said.message, said.conversation.as_ref());
    event.actor = Actor::of(ActorType::System);
    let mut event = place(origin, said, event)?;
    // Told again at another instant it is the same, a little later.
    event.rev = (said.origin_of_time == TimeOrigin::Event).then(|| at.at.to_string());
    Ok(event)
}

/// The receipt that a status is: only what went out has receipts.
fn receipt(
    origin: Origin<'_>,
    said: &Said<'_>,
    status: Option<&str>,
) -> Option<(&'static str, Kind)> {
    if words::message_type(&said.message) == Some(MessageType::Incoming) {
        return None;
    }
    let error = said
        .message
        .object("content_attributes")
        .and_then(|attributes| attributes.text("external_error"));
    let receipt =
        Receipt { target: origin.path("message", &said.id), reason: error, ..Receipt::default() };
    Some(match status? {
        "sent" => ("sent", Kind::MessageSent(receipt)),
        "delivered" => ("delivered", Kind::MessageDelivered(receipt)),
        "read" => ("read", Kind::MessageRead(receipt)),
        "failed" => ("failed", Kind::MessageFailed(receipt)),
        _ => return None,
    })
}

/// What the customer chose or filled in, where the message was a form of the bot.
fn answer(origin: Origin<'_>, said: &Said<'_>, at: Moment) -> Option<Record> {
    if words::message_type(&said.message) == Some(MessageType::Incoming) {
        return None;
    }
    let words: Vec<String> = submitted(&said.message)
        .into_iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    if words.is_empty() {
        return None;
    }
    let build = || {
        let kind = Kind::Message(Message::default());
        let mut event = follow(origin, said, "answer", kind, at)?;
        event.direction = Direction::In;
        event.actor = Actor::of(ActorType::Customer);
        if let Some(known) = contact::of(&said.message, said.conversation.as_ref()) {
            event.name = known.name();
            event.who = known.claims(origin, Role::From);
        }
        event.body = Some(Body::text(words.join("\n")));
        Ok(event)
    };
    Some(build())
}

/// The answers given in a form: an object of names and values, or a list of titles and values.
pub(super) fn submitted(message: &Object<'_>) -> Vec<(String, String)> {
    let Some(attributes) = message.object("content_attributes") else { return Vec::new() };
    let listed = attributes.list("submitted_values").into_iter().filter_map(|entry| {
        let name = entry.first_text(&["name", "title"])?;
        Some((name.clone(), entry.first_text(&["value", "title"]).unwrap_or(name)))
    });
    match attributes.get("submitted_values") {
        Some(Value::Array(_)) => listed.collect(),
        Some(Value::Object(fields)) => fields
            .iter()
            .filter(|(name, value)| {
                name.as_str() != "csat_survey_response" && !value.is_null() && !value.is_object()
            })
            .map(|(name, value)| {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                (name.clone(), text)
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The question for a rating.
fn asked(origin: Origin<'_>, said: &Said<'_>) -> Record {
    let data = Asked {
        survey: Survey::Csat,
        feedback: Some(origin.path("message", &said.id)),
        scale: Some(SCALE),
        about: about(origin, said),
        ..Asked::default()
    };
    // Seconds: a copy inside a conversation tells no more.
    let second = Timestamp::from_seconds(said.at.at.as_micros().div_euclid(1_000_000));
    let at = Moment { at: second.unwrap_or(said.at.at), offset: None };
    let mut event = follow(origin, said, "asked", Kind::FeedbackAsked(data), at)?;
    event.direction = Direction::Out;
    event.actor = Actor::of(ActorType::Automation);
    Ok(event)
}

fn about(origin: Origin<'_>, said: &Said<'_>) -> Option<String> {
    let id = said.conversation.as_ref().and_then(conversation::id);
    id.or_else(|| said.message.text("conversation_id")).map(|id| origin.path("conversation", &id))
}

/// The rating given in the form that the message is.
fn csat(origin: Origin<'_>, said: &Said<'_>) -> Option<Record> {
    let values =
        said.message.path(&["content_attributes", "submitted_values", "csat_survey_response"])?;
    let build = || {
        let data = rating(origin, &values, &said.id, about(origin, said))?;
        let mut event = follow(origin, said, "csat", Kind::FeedbackAnswered(data), said.rev)?;
        event.direction = Direction::In;
        event.actor = Actor::of(ActorType::Customer);
        Ok(event)
    };
    Some(build())
}

fn rating(
    origin: Origin<'_>,
    values: &Object<'_>,
    message: &str,
    about: Option<String>,
) -> Result<Answered, RecordError> {
    let score = values.number("rating").and_then(|score| i32::try_from(score).ok());
    Ok(Answered {
        survey: Survey::Csat,
        feedback: Some(origin.path("message", message)),
        score: Some(score.ok_or_else(|| values.problem("rating", "not a whole number"))?),
        scale: Some(SCALE),
        comment: values.text("feedback_message"),
        about,
        ..Answered::default()
    })
}

/// A rating as an object of its own.
pub(super) fn survey(origin: Origin<'_>, survey: &Object<'_>) -> Record {
    let id = survey.need("id")?;
    let told = survey.first_moment(&["created_at", "updated_at"])?;
    let when = origin.or_received(told, || survey.problem("created_at", "missing"))?;
    let in_conversation = survey
        .text("conversation_id")
        .or_else(|| survey.object("conversation").and_then(|it| conversation::id(&it)));
    let about = in_conversation.as_ref().map(|id| origin.path("conversation", id));
    let message = survey.text("message_id").unwrap_or_else(|| id.clone());
    let data = rating(origin, survey, &message, about)?;
    let mut event = timed(origin, Part::whole("csat", &id), Kind::FeedbackAnswered(data), when)?;
    event.rev = survey.moment("updated_at")?.map(|moment| moment.at.to_string());
    event.channel = Channel::Web;
    event.direction = Direction::In;
    event.actor = Actor::of(ActorType::Customer);
    if let Some(known) = contact::of(survey, None) {
        event.name = known.name();
        event.who = known.claims(origin, Role::From);
    }
    if let Some(id) = in_conversation {
        event.conversation = Some(origin.conversation("conversation", &id)?);
    }
    event.extra = survey.rest(&[
        "id",
        "event",
        "rating",
        "feedback_message",
        "contact",
        "conversation",
        "conversation_id",
        "created_at",
        "updated_at",
        "message_id",
        "account",
    ]);
    Ok(event)
}
