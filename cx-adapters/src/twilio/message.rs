//! Messages by SMS, WhatsApp and other channels, and whether they arrived.

use cx_core::actor::{Actor, ActorType};
use cx_core::channel::Channel;
use cx_core::event::identity::{Consent, ConsentState, Profile};
use cx_core::event::talk::{Message, Receipt};
use cx_core::event::{Attachment, Body, Direction, Event, Kind, TimeOrigin, Visibility};
use cx_core::identifier::{Assurance, Claim, Namespace, Role};

use super::Outcome;
use super::call::{self, rest};
use crate::json::{Moment, Object};
use crate::origin::{Origin, Part};
use crate::{Record, RecordError};

const MAPPED: &[&str] = &[
    "sid",
    "body",
    "direction",
    "date_created",
    "date_sent",
    "date_updated",
    "uri",
    "subresource_uris",
    "MessageSid",
    "SmsSid",
    "SmsMessageSid",
    "Body",
];

/// What of a callback is read where it tells what became of a message.
const MAPPED_STATUS: &[&str] = &[
    "MessageSid",
    "SmsSid",
    "MessageStatus",
    "SmsStatus",
    "ErrorCode",
    "ErrorMessage",
    "Timestamp",
    "DateSent",
    "DateCreated",
];

/// States that only a message of ours is in.
const OUTGOING: &[&str] =
    &["sent", "delivered", "partially_delivered", "undelivered", "failed", "read", "canceled"];

/// States of a message that went to Twilio and no further: nothing became of it yet.
const ON_ITS_WAY: &[&str] = &["accepted", "scheduled", "queued", "sending"];

/// What both tellings of a message say.
struct Told {
    id: String,
    direction: Direction,
    sender: ActorType,
    from: String,
    to: String,
    status: String,
    problem: (Option<String>, Option<String>),
    when: (Moment, TimeOrigin),
    changed: (Moment, TimeOrigin),
}

/// Which way a message went, and who sent it. What goes out is sent by a program: whether a person
/// stood behind it, Twilio does not know, so it never counts as somebody's answer.
fn sent(direction: Option<&str>) -> (Direction, ActorType) {
    match direction {
        Some("outbound-reply") => (Direction::Out, ActorType::Automation),
        Some(word) if word.starts_with("outbound") => (Direction::Out, ActorType::Integration),
        _ => (Direction::In, ActorType::Customer),
    }
}

/// A message as the API gives it, and the receipt that its status is.
pub(super) fn resource(origin: Origin<'_>, message: &Object<'_>) -> Outcome {
    let told_at = message.first_moment(&["date_sent", "date_created"])?;
    let when = origin.or_received(told_at, || message.problem("date_sent", "missing"))?;
    let updated = message.moment("date_updated")?.unwrap_or(when.0);
    let (direction, sender) = sent(message.text("direction").as_deref());
    let told = Told {
        id: message.need("sid")?,
        direction,
        sender,
        from: message.text("from").unwrap_or_default(),
        to: message.text("to").unwrap_or_default(),
        status: message.text("status").unwrap_or_default(),
        problem: (code(message, "error_code"), message.text("error_message")),
        when,
        changed: (updated, when.1),
    };
    let media = message.number("num_media").and_then(|count| usize::try_from(count).ok());
    let url = message.object("subresource_uris").and_then(|uris| uris.text("media"));
    let attachments =
        vec![Attachment { url, ..Attachment::default() }; media.unwrap_or_default().min(10)];
    let mut event = said(origin, message, &told, message.verbatim("body"))?;
    event.rev = Some(updated.at.to_string());
    // What was not sent, or not yet, nobody has seen.
    if ["canceled", "scheduled"].contains(&told.status.as_str()) {
        event.visibility = Visibility::Internal;
    }
    event.attachments = attachments;
    let receipt = receipt(origin, &told);
    let about = receipt.as_ref().and_then(|receipt| receipt.as_ref().ok());
    let about = about.filter(|_| told.direction == Direction::Out).unwrap_or(&event);
    let consent = consent(origin, &told, None, about);
    let mut records = vec![Ok(event)];
    records.extend(receipt.into_iter().chain(consent));
    Ok(records)
}

/// A callback: a message that came in, or what became of one that went out.
pub(super) fn callback(origin: Origin<'_>, callback: &Object<'_>) -> Outcome {
    let told_at = callback.first_moment(&["Timestamp", "DateSent", "DateCreated"])?;
    let when = origin.or_received(told_at, || callback.problem("Timestamp", "missing"))?;
    let status = callback.first_text(&["MessageStatus", "SmsStatus"]).unwrap_or_default();
    let is_outgoing = [OUTGOING, ON_ITS_WAY].concat().contains(&status.as_str());
    let is_in =
        status == "received" || status == "receiving" || callback.has("Body") && !is_outgoing;
    let told = Told {
        id: callback
            .first_text(&["MessageSid", "SmsSid"])
            .ok_or_else(|| callback.problem("MessageSid", "missing"))?,
        direction: if is_in { Direction::In } else { Direction::Out },
        sender: if is_in { ActorType::Customer } else { ActorType::Integration },
        from: callback.text("From").unwrap_or_default(),
        to: callback.text("To").unwrap_or_default(),
        status,
        problem: (code(callback, "ErrorCode"), callback.text("ErrorMessage")),
        when,
        changed: when,
    };
    let mut records = Vec::new();
    if is_in {
        let mut event = said(origin, callback, &told, callback.verbatim("Body"))?;
        event.rev = Some("0".to_owned());
        let media = callback.number("NumMedia").unwrap_or_default().clamp(0, 10);
        event.attachments = (0..media)
            .map(|number| Attachment {
                url: callback.text(&format!("MediaUrl{number}")),
                media_type: callback.text(&format!("MediaContentType{number}")),
                ..Attachment::default()
            })
            .collect();
        event.name = callback.text("ProfileName");
        let word = callback.text("OptOutType");
        let beside = [profile(origin, &told, &event), consent(origin, &told, word, &event)];
        records.push(Ok(event));
        records.extend(beside.into_iter().flatten());
    }
    let receipt = receipt(origin, &told).map(|receipt| {
        let mut receipt = receipt?;
        if !is_in {
            let sides = ["From", "To"];
            receipt.extra = rest(callback, MAPPED_STATUS, sides, told.direction, &receipt);
        }
        Ok(receipt)
    });
    if !is_in && receipt.is_none() && !ON_ITS_WAY.contains(&told.status.as_str()) {
        let field = if callback.has("MessageStatus") { "MessageStatus" } else { "SmsStatus" };
        return Err(callback.problem(field, "not a status of a message"));
    }
    if let Some(Ok(receipt)) = receipt.as_ref().filter(|_| !is_in) {
        records.extend(consent(origin, &told, None, receipt));
    }
    records.extend(receipt);
    Ok(records)
}

/// The name a sender goes by. The message as the API gives it, which comes after its callback, does
/// not have it. One person with one name is one event.
fn profile(origin: Origin<'_>, told: &Told, message: &Event) -> Option<Record> {
    let name = message.name.clone().filter(|_| !message.who.is_empty())?;
    let build = || {
        let id = crate::json::digest(&format!("{}/{name}", told.from));
        let data = Profile { name: Some(name.clone()), ..Profile::default() };
        let part = Part::whole("profile", &id);
        let event = origin.event(part, Kind::ProfileUpdated(data.into()), told.when.0)?;
        Ok(Event {
            channel: message.channel.clone(),
            actor: Actor::of(ActorType::System),
            name: Some(name.clone()),
            who: message.who.clone(),
            occurred_at_origin: message.occurred_at_origin,
            ..event
        })
    };
    Some(build())
}

/// The code of an error. `0` is none.
fn code(told: &Object<'_>, field: &str) -> Option<String> {
    told.text(field).filter(|code| code != "0")
}

/// The error of a message to a number that is on Twilio's list of those who want none.
const UNSUBSCRIBED: &str = "21610";

/// The words to which Twilio takes a number off the list, where they are all that an SMS says. `YES`
/// puts back only who was off it, and is an answer to anything.
const LEAVING: &[&str] =
    &["STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"];

/// Those to which it puts the number back.
const RETURNING: &[&str] = &["START", "UNSTOP"];

/// What the sender's word to leave the list, or to come back, is an answer to, and what Twilio says
/// of the list where it sends nothing to a number that is on it.
fn consent(
    origin: Origin<'_>,
    told: &Told,
    word: Option<String>,
    message: &Event,
) -> Option<Record> {
    let is_refused = told.problem.0.as_deref() == Some(UNSUBSCRIBED);
    let is_sms_in = told.direction == Direction::In && message.channel == Channel::Sms;
    let text = message.body.as_ref().map(|body| body.text.trim().to_ascii_uppercase());
    let text = text.filter(|_| is_sms_in).unwrap_or_default();
    let state = match word.map(|word| word.to_ascii_uppercase()).as_deref() {
        Some("STOP") => ConsentState::Denied,
        Some("START") => ConsentState::Granted,
        None if is_refused || LEAVING.contains(&text.as_str()) => ConsentState::Denied,
        None if RETURNING.contains(&text.as_str()) => ConsentState::Granted,
        Some(_) | None => return None,
    };
    let build = || {
        let data = Consent {
            purpose: Some("marketing".to_owned()),
            on: Some(message.channel.name().into_owned()),
            state,
            ..Consent::default()
        };
        let at = Moment { at: message.occurred_at, offset: message.utc_offset };
        let part = Part::of("message", &message.source.id, "consent");
        let event = origin.event(part, Kind::ConsentChanged(data), at)?;
        // What the list says is Twilio's word, and nobody's in particular.
        let (direction, actor) = if told.direction == Direction::Out {
            (Direction::None, Actor::of(ActorType::System))
        } else {
            (message.direction, message.actor.clone())
        };
        Ok(Event {
            rev: message.rev.clone(),
            channel: message.channel.clone(),
            direction,
            actor,
            who: message.who.clone(),
            conversation: message.conversation.clone(),
            occurred_at_origin: message.occurred_at_origin,
            ..event
        })
    };
    Some(build())
}

fn said(
    origin: Origin<'_>,
    message: &Object<'_>,
    told: &Told,
    text: Option<String>,
) -> Result<Event, RecordError> {
    let part = Part::whole("message", &told.id);
    let mut event = origin.event(part, Kind::Message(Message::default()), told.when.0)?;
    event.occurred_at_origin = told.when.1;
    event.direction = told.direction;
    let role = if told.direction == Direction::Out { Role::To } else { Role::From };
    event.actor = Actor::of(told.sender);
    place(origin, told, &mut event, role)?;
    event.body = text.map(Body::text);
    let sides = if message.has("sid") { ["from", "to"] } else { ["From", "To"] };
    event.extra = rest(message, MAPPED, sides, event.direction, &event);
    Ok(event)
}

/// The channel, the thread and whose it is.
fn place(
    origin: Origin<'_>,
    told: &Told,
    event: &mut Event,
    role: Role,
) -> Result<(), RecordError> {
    let (theirs, ours) = match told.direction {
        Direction::Out => (&told.to, &told.from),
        Direction::In | Direction::None => (&told.from, &told.to),
    };
    let prefix = theirs.split_once(':').map(|(prefix, _)| prefix);
    event.channel = match prefix {
        Some("whatsapp") => Channel::Whatsapp,
        Some("messenger") => Channel::Messenger,
        Some("rcs") => Channel::Rcs,
        _ => Channel::Sms,
    };
    let name = event.channel.name().into_owned();
    let bare = |address: &str| address.rsplit(':').next().unwrap_or(address).to_owned();
    let claims = claims(origin, theirs, role);
    if !claims.is_empty() {
        let thread = format!("{}/{}", bare(ours), bare(theirs));
        event.conversation = Some(origin.conversation(&name, &thread)?);
    }
    event.who = claims;
    Ok(())
}

fn claims(origin: Origin<'_>, address: &str, role: Role) -> Vec<Claim> {
    let proved = Assurance::ChannelProved;
    match address.split_once(':') {
        // Who hides the number has an id with a country in front.
        Some(("whatsapp", id)) if id.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            origin.scoped(Namespace::WaBsuid, id, role, proved).into_iter().collect()
        }
        Some(("whatsapp", number)) => {
            let id = Claim::new(Namespace::WaId, number.trim_start_matches('+'), role, proved).ok();
            id.into_iter().chain(origin.phone(number, None, role, proved)).collect()
        }
        Some(("messenger", id)) => {
            Claim::scoped(Namespace::Social, "messenger", id, role, proved).into_iter().collect()
        }
        _ => call::caller(origin, address, role).into_iter().collect(),
    }
}

/// What became of a message. A message without an error that came in has no receipt.
fn receipt(origin: Origin<'_>, told: &Told) -> Option<Result<Event, RecordError>> {
    let (code, reason) = told.problem.clone();
    let target = origin.path("message", &told.id);
    let receipt =
        |code, reason| Receipt { target: target.clone(), reason, code, ..Receipt::default() };
    let (part, kind) = match (told.status.as_str(), &code) {
        ("canceled", _) => {
            let reason = reason.or_else(|| Some("canceled".to_owned()));
            ("failed", Kind::MessageFailed(receipt(code, reason)))
        }
        // What arrived has arrived, whatever else is told.
        ("partially_delivered", _) => {
            ("delivered", Kind::MessageDelivered(receipt(code, Some(told.status.clone()))))
        }
        ("sent", _) => ("sent", Kind::MessageSent(receipt(code, reason))),
        ("delivered", _) => ("delivered", Kind::MessageDelivered(receipt(code, reason))),
        ("read", _) => ("read", Kind::MessageRead(receipt(code, reason))),
        ("failed" | "undelivered", _) | (_, Some(_)) => {
            ("failed", Kind::MessageFailed(receipt(code, reason)))
        }
        (_, None) => return None,
    };
    let build = || {
        let part = Part::of("message", &told.id, part);
        let mut event = origin.event(part, kind, told.changed.0)?;
        event.occurred_at_origin = told.changed.1;
        // A callback carries no instant; the message as the API gives it comes after it.
        event.rev = Some(match told.changed.1 {
            TimeOrigin::Import => "0".to_owned(),
            _ => told.changed.0.at.to_string(),
        });
        event.actor = Actor::of(ActorType::System);
        let role = if told.direction == Direction::Out { Role::To } else { Role::From };
        place(origin, told, &mut event, role)?;
        Ok(event)
    };
    Some(build())
}
