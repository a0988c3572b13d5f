//! Comments: messages, notes and calls.

use cx_core::actor::{Actor, ActorType};
use cx_core::channel::Channel;
use cx_core::event::talk::{Call, CallOutcome, Message, Note, Voicemail};
use cx_core::event::{Attachment, Body, Direction, Event, Kind, Visibility};
use cx_core::identifier::{Assurance, Role};
use serde_json::Value;

use super::{File, Outcome, ticket, words};
use crate::RecordError;
use crate::json::{Moment, Object};
use crate::origin::Part;

const MAPPED: &[&str] = &[
    "id",
    "type",
    "body",
    "plain_body",
    "html_body",
    "public",
    "is_public",
    "comment_public",
    "author_id",
    "author",
    "attachments",
    "created_at",
    "audit_id",
    "ticket_id",
    "via",
];

/// Where a comment was read, by how much is told there. With what the file says around it, it is the
/// comment's revision, so that the fullest telling is shown and none of them is a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// A webhook: plain text only.
    Webhook,
    /// A list of comments that does not say of which ticket.
    List,
    /// An audit.
    Audit,
    /// A list of comments of a known ticket.
    TicketList,
}

impl Telling {
    const fn rev(self) -> &'static str {
        match self {
            Self::Webhook => "0-webhook",
            Self::List => "1-list",
            Self::Audit => "2-audit",
            Self::TicketList => "3-ticket",
        }
    }
}

/// What is known around a comment.
pub(super) struct Around<'a> {
    pub(super) telling: Telling,
    pub(super) ticket: Option<&'a str>,
    pub(super) author: Option<String>,
    /// Who put it into the ticket, where that is told: an agent may put in a customer's words.
    pub(super) sender: Option<String>,
    /// The channel of the comment, or of what it came in.
    pub(super) via: Option<Object<'a>>,
    /// What Zendesk says of how it came.
    pub(super) metadata: Option<Object<'a>>,
    pub(super) at: Moment,
    pub(super) seq: Option<u64>,
}

/// A comment from the list of comments.
pub(super) fn listed(file: &File<'_>, comment: &Object<'_>, ticket: Option<&str>) -> Outcome {
    let own = comment.text("ticket_id");
    let ticket = own.as_deref().or(ticket);
    let around = Around {
        telling: if ticket.is_some() { Telling::TicketList } else { Telling::List },
        ticket,
        author: comment.text("author_id"),
        sender: None,
        via: comment.object("via"),
        metadata: comment.object("metadata"),
        at: comment.need_moment("created_at")?,
        seq: None,
    };
    Ok(events(file, comment, &around)?.into_iter().map(Ok).collect())
}

/// The comment that an event of an audit says was made private.
pub(super) fn made_private(event: &Object<'_>) -> Option<String> {
    let kind = event.first_text(&["type", "event_type"])?;
    (kind == "CommentPrivacyChange" && is_public(event) == Some(false))
        .then(|| event.text("comment_id"))
        .flatten()
}

pub(super) fn is_public(comment: &Object<'_>) -> Option<bool> {
    ["public", "is_public", "comment_public"].iter().find_map(|field| comment.flag(field))
}

/// That a comment was made private: until a copy of it says its words as a note, nobody sees them.
pub(super) fn hidden(
    file: &File<'_>,
    id: &str,
    ticket: &str,
    at: Moment,
) -> Result<Event, RecordError> {
    let part = Part::whole("comment", id);
    let event = file.origin.event(part, Kind::Note(Note::default()), at)?;
    let mut event = ticket::internal(file, event, ticket)?;
    event.rev = Some(format!("{UNSEEN}/0-change"));
    Ok(event)
}

/// The revision of what the customer does not see: after all that they could see.
const UNSEEN: &str = "3-unseen";

/// Whether Zendesk warns that a mail may be by somebody else than it seems.
pub(super) fn is_untrusted(metadata: Option<&Object<'_>>) -> bool {
    let Some(metadata) = metadata else { return false };
    let options = metadata.object("flags_options");
    let mut flags = options.iter().flat_map(|options| {
        options.fields().keys().filter_map(|flag| options.object(flag)).collect::<Vec<_>>()
    });
    metadata.flag("trusted") == Some(false) || flags.any(|it| it.flag("trusted") == Some(false))
}

/// The events that a comment is: one, and for a call with words for colleagues a note beside it.
pub(super) fn events(
    file: &File<'_>,
    comment: &Object<'_>,
    around: &Around<'_>,
) -> Result<Vec<Event>, RecordError> {
    let id = comment.need("id")?;
    let is_public = is_public(comment).unwrap_or(true) && !file.made_private.contains(&id);
    if comment.text("type").as_deref() == Some("VoiceComment") {
        return voice(file, comment, around, &id, is_public);
    }
    Ok(vec![written(file, comment, around, &id, is_public)?])
}

fn written(
    file: &File<'_>,
    comment: &Object<'_>,
    around: &Around<'_>,
    id: &str,
    is_public: bool,
) -> Result<Event, RecordError> {
    let via = around.via.as_ref().and_then(|via| via.text("channel"));
    let kind =
        if is_public { Kind::Message(Message::default()) } else { Kind::Note(Note::default()) };
    let mut event = file.origin.event(Part::whole("comment", id), kind, around.at)?;
    let ticket_via = around.ticket.and_then(|ticket| file.tickets.get(ticket)?.channel.clone());
    attribute(file, comment, around, &mut event);
    // `web` on an agent's comment only says where it was typed: it goes out as the ticket came in.
    let is_typed = event.direction != Direction::In && via.as_deref() == Some("web");
    let told = if is_typed { ticket_via.or(via) } else { via.or(ticket_via) };
    if let Some(via) = told {
        event.channel = words::channel(&via);
    }
    if !is_public {
        event.visibility = Visibility::Internal;
        event.direction = Direction::None;
    }
    event.body = body(comment);
    finish(file, comment, around, event, is_public)
}

/// Who wrote it, which way it went, and to whom.
fn attribute(file: &File<'_>, comment: &Object<'_>, around: &Around<'_>, event: &mut Event) {
    let written = comment.object("author");
    let author =
        around.author.clone().or_else(|| written.as_ref().and_then(|author| author.text("id")));
    let Some(author) = author else { return };
    let doer = file.doer(&author, around.ticket);
    event.actor = doer.actor;
    let is_staff = written.as_ref().and_then(|author| author.flag("is_staff"));
    match is_staff {
        Some(true) => event.actor.kind = ActorType::Agent,
        Some(false) => event.actor.kind = ActorType::Customer,
        None if doer.guessed => {
            event.extra.insert("role_guessed".to_owned(), Value::Bool(true));
        }
        None => {}
    }
    // Who mails from outside is no agent, whatever follows from who asked.
    if doer.guessed && is_staff.is_none() && is_mailed_from_outside(file, around) {
        event.actor.kind = ActorType::Customer;
    }
    if let Some(name) = written.as_ref().and_then(|author| author.text("name")) {
        event.actor.name = Some(name);
    }
    event.direction = words::direction(event.actor.kind);
    let requester = around.ticket.and_then(|ticket| file.requester(ticket));
    let asked = requester.filter(|requester| *requester != author);
    match event.actor.kind {
        ActorType::Customer => {
            event.who.extend(file.user(&author, Role::From));
            let via = around.via.as_ref().filter(|_| is_own_mail(file, around, &author));
            let is_trusted = !is_untrusted(around.metadata.as_ref());
            event.who.extend(
                via.into_iter().flat_map(|via| ticket::sender(file, via, Role::From, is_trusted)),
            );
            event.who.extend(asked.and_then(|asked| file.user(asked, Role::Requester)));
            event.name = event.actor.name.clone();
        }
        ActorType::Unknown => {}
        _ => {
            let role =
                if event.visibility == Visibility::Public { Role::To } else { Role::Requester };
            event.who.extend(asked.and_then(|asked| file.user(asked, role)));
        }
    }
}

/// Whether what the channel says of the sender is about the author: not where somebody else put the
/// comment into the ticket, as an agent does who forwards a customer's mail.
fn is_own_mail(file: &File<'_>, around: &Around<'_>, author: &str) -> bool {
    if let Some(sender) = &around.sender {
        return sender == author;
    }
    let ticket = around.ticket.and_then(|ticket| file.tickets.get(ticket));
    let is_first = ticket.is_some_and(|ticket| ticket.created == Some(around.at.at));
    let submitter = ticket.and_then(|ticket| ticket.submitter.as_deref());
    !is_first || submitter.is_none_or(|submitter| submitter == author)
}

fn is_mailed_from_outside(file: &File<'_>, around: &Around<'_>) -> bool {
    let Some(via) = &around.via else { return false };
    let address = via.path(&["source", "from"]).and_then(|from| from.text("address"));
    via.text("channel").as_deref() == Some("email")
        && address.is_some_and(|address| {
            !file.origin.options.is_own_address(&address) && !file.is_agents(&address)
        })
}

fn body(comment: &Object<'_>) -> Option<Body> {
    let text = comment.verbatim("plain_body").or_else(|| comment.verbatim("body"));
    let text =
        text.or_else(|| comment.verbatim("html_body").map(|html| crate::html::text(&html)))?;
    Some(Body::text(text.replace("&nbsp;", " ").trim().to_owned()))
}

fn finish(
    file: &File<'_>,
    comment: &Object<'_>,
    around: &Around<'_>,
    mut event: Event,
    is_public: bool,
) -> Result<Event, RecordError> {
    let is_told = !event.extra.contains_key("role_guessed");
    let is_of_known = around.ticket.is_some_and(|ticket| file.tickets.contains_key(ticket));
    let mut rev = around.telling.rev().to_owned();
    for part in [is_told.then_some("-told"), is_of_known.then_some("-asked")] {
        rev.push_str(part.unwrap_or_default());
    }
    // A comment may be made private, and never public again; what Zendesk blacked out stays so,
    // whoever tells it.
    let is_redacted = event.body.as_ref().is_some_and(|body| body.text.contains('\u{2587}'));
    event.rev = Some(match (is_redacted, is_public) {
        (true, _) => format!("4-redacted/{rev}"),
        (false, false) => format!("{UNSEEN}/{rev}"),
        (false, true) => rev,
    });
    event.seq = around.seq;
    if let Some(ticket) = around.ticket {
        event.conversation = Some(ticket::conversation(file, ticket)?);
    }
    event.attachments = comment.list("attachments").iter().map(attachment).collect();
    event.extra.extend(comment.rest(MAPPED));
    if let Some(via) = comment.get("via") {
        event.extra.insert("via".to_owned(), via.clone());
    }
    Ok(event)
}

fn attachment(file: &Object<'_>) -> Attachment {
    Attachment {
        name: file.text("file_name"),
        media_type: file.text("content_type"),
        size: file.number("size").and_then(|size| u64::try_from(size).ok()),
        sha256: None,
        url: file.text("content_url"),
    }
}

/// A call, or a message spoken on the machine. The customer was there, so it is public; what agents
/// wrote of it for each other is a note beside it, and what was said comes with it where Zendesk lets
/// it be seen.
fn voice(
    file: &File<'_>,
    comment: &Object<'_>,
    around: &Around<'_>,
    id: &str,
    is_public: bool,
) -> Result<Vec<Event>, RecordError> {
    let via = around.via.as_ref().and_then(|via| via.text("channel"));
    let data = comment.object("data");
    let field = |name: &str| data.as_ref().and_then(|data| data.text(name));
    let started = match &data {
        // The comment's own time stands in for one that cannot be read.
        Some(data) => data.moment("started_at").ok().flatten(),
        None => None,
    };
    let duration_s = field("call_duration").and_then(|seconds| seconds.parse().ok());
    let recording_ref = field("recording_url");
    let is_out = around.via.as_ref().is_some_and(ticket::is_outbound);
    let is_on_machine = via.as_ref().is_some_and(|via| via.eq_ignore_ascii_case("voicemail"))
        || around
            .via
            .as_ref()
            .and_then(|via| via.object("source"))
            .and_then(|source| source.text("rel"))
            .is_some_and(|rel| rel.eq_ignore_ascii_case("voicemail"));
    let kind = if is_on_machine {
        Kind::Voicemail(Voicemail { duration_s, recording_ref, ..Voicemail::default() })
    } else {
        let is_answered = field("answered_by_id").is_some() || field("answered_by_name").is_some();
        let is_missed = !is_out && duration_s == Some(0);
        let outcome = if is_answered {
            Some(CallOutcome::Answered)
        } else {
            is_missed.then_some(CallOutcome::Missed)
        };
        Kind::Call(Call {
            started_at: started.map(|started| started.at),
            duration_s,
            outcome,
            recording_ref,
            ..Call::default()
        })
    };
    let mut event =
        file.origin.event(Part::whole("comment", id), kind, started.unwrap_or(around.at))?;
    event.channel = Channel::Phone;
    let (direction, role, number) = if is_out {
        (Direction::Out, Role::To, field("to"))
    } else {
        (Direction::In, Role::From, field("from"))
    };
    event.direction = direction;
    event.actor.kind = if is_out { ActorType::Agent } else { ActorType::Customer };
    if is_out {
        event.actor.name = field("answered_by_name");
    }
    if let Some(number) = number {
        event.who.extend(file.origin.phone(&number, None, role, Assurance::ChannelProved));
    }
    let requester = around.ticket.and_then(|ticket| file.requester(ticket));
    // Where nobody says who asked, the author is the customer if that is one.
    let author = around.author.as_deref();
    let author = author.filter(|author| file.role(author) == Some(ActorType::Customer));
    let theirs = requester.or(author);
    event.who.extend(theirs.and_then(|theirs| file.user(theirs, role)));
    let is_heard = data.as_ref().and_then(|data| data.flag("transcription_visible")) == Some(true);
    let said = field("transcription_text").filter(|_| is_public || is_heard).map(Body::text);
    let written = body(comment);
    let note = written.clone().filter(|_| !is_public && said != written);
    event.body = said.or_else(|| written.filter(|_| is_public));
    let mut event = finish(file, comment, around, event, is_public)?;
    if let Some(data) = comment.get("data") {
        event.extra.insert("data".to_owned(), data.clone());
    }
    let Some(note) = note else { return Ok(vec![event]) };
    let part = Part::of("comment", id, "note");
    let built = file.origin.event(part, Kind::Note(Note::default()), around.at)?;
    let author = around.author.as_deref();
    // Whoever the comment is filed under, no customer writes a note.
    let author = author.map(|author| file.doer(author, around.ticket).actor);
    let author = author.filter(|author| author.kind.is_agent());
    let note = Event {
        rev: event.rev.clone(),
        seq: event.seq,
        channel: event.channel.clone(),
        visibility: Visibility::Internal,
        actor: author.unwrap_or_else(|| Actor::of(ActorType::Agent)),
        who: event.who.clone(),
        conversation: event.conversation.clone(),
        body: Some(note),
        ..built
    };
    Ok(vec![event, note])
}
