//! Live chats and messaging: what was said there, message by message.

use cx_core::actor::{Actor, ActorType};
use cx_core::channel::Channel;
use cx_core::event::talk::Message;
use cx_core::event::{Body, Event, Kind};
use cx_core::identifier::Role;

use super::{File, ticket, words};
use crate::RecordError;
use crate::json::{self, Moment, Object};
use crate::origin::Part;

/// One message, as an audit or a webhook tells it.
struct Said<'a> {
    /// What it is in the chat.
    id: String,
    ticket: &'a str,
    at: Moment,
    text: String,
    by: Actor,
    /// An audit says of a message what its webhook said before.
    rev: &'static str,
}

/// The messages in the history of a chat, which the audits of its beginning and its end hold. A
/// message has no id there: it is known by its chat, its instant and its words, so that both may hold
/// it.
pub(super) fn history(
    file: &File<'_>,
    told: &Object<'_>,
    ticket: &str,
) -> Result<Vec<Event>, RecordError> {
    let kind = told.text("type").unwrap_or_default();
    if !["ChatStartedEvent", "ChatEndedEvent"].contains(&kind.as_str()) {
        return Ok(Vec::new());
    }
    let Some(value) = told.object("value") else { return Ok(Vec::new()) };
    let chat = value.first_text(&["chat_id", "conversation_id"]);
    let chat = chat.unwrap_or_else(|| ticket.to_owned());
    let mut events: Vec<Event> = Vec::new();
    for line in value.list("history") {
        if line.text("type").as_deref() != Some("ChatMessage") {
            continue;
        }
        let Some(text) = line.verbatim("message") else { continue };
        let at = line.need_moment("timestamp")?;
        let name = line.text("actor_name").unwrap_or_default();
        let by = actor(&line.text("actor_type").unwrap_or_default(), line.text("actor_id"), name);
        let digest = || json::digest(&format!("{}/{text}", by.kind.name()));
        let id = line.text("message_id");
        let id = id.unwrap_or_else(|| format!("{chat}/{}/{}", at.at, digest()));
        events.push(said(file, Said { id, ticket, at, text, by, rev: "1-audit" })?);
    }
    Ok(events)
}

/// The message in a webhook of messaging; `None` where it holds none.
pub(super) fn added(
    file: &File<'_>,
    event: &Object<'_>,
    ticket: &str,
    at: Moment,
) -> Result<Option<Event>, RecordError> {
    let Some(message) = event.object("message") else { return Ok(None) };
    let Some(text) = message.verbatim("body") else { return Ok(None) };
    let told = event.object("actor");
    let field = |name: &str| told.as_ref().and_then(|actor| actor.text(name));
    let by =
        actor(&field("type").unwrap_or_default(), field("id"), field("name").unwrap_or_default());
    let id = message.need("id")?;
    said(file, Said { id, ticket, at, text, by, rev: "0-webhook" }).map(Some)
}

/// Who says something in a chat, by Zendesk's word.
fn actor(kind: &str, id: Option<String>, name: String) -> Actor {
    let kind = match kind.to_ascii_lowercase().replace('-', "_").as_str() {
        "end_user" | "visitor" => ActorType::Customer,
        "agent" => ActorType::Agent,
        "" => ActorType::Unknown,
        // A trigger or a bot.
        _ => ActorType::Automation,
    };
    Actor { id, ..Actor::of(kind).with_name(name) }
}

fn said(file: &File<'_>, said: Said<'_>) -> Result<Event, RecordError> {
    let part = Part::whole("chat_message", &said.id);
    let mut event = file.origin.event(part, Kind::Message(Message::default()), said.at)?;
    event.rev = Some(said.rev.to_owned());
    event.channel = Channel::Chat;
    event.conversation = Some(ticket::conversation(file, said.ticket)?);
    event.direction = words::direction(said.by.kind);
    event.body = Some(Body::text(said.text));
    let asked = file.requester(said.ticket);
    if said.by.kind == ActorType::Customer {
        // The id of a user is a number; a visitor has one of the chat alone.
        let author = said.by.id.as_deref();
        let author = author.filter(|id| id.bytes().all(|byte| byte.is_ascii_digit())).or(asked);
        event.who.extend(author.and_then(|author| file.user(author, Role::From)));
        event.name.clone_from(&said.by.name);
    } else {
        event.who.extend(asked.and_then(|asked| file.user(asked, Role::To)));
    }
    event.actor = said.by;
    Ok(event)
}
