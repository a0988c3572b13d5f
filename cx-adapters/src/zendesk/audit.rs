//! Audits: everything that one action did to a ticket.

use cx_core::actor::{Actor, ActorType};
use cx_core::channel::Channel;
use cx_core::event::conversation::{Assigned, Changed, FieldChanged, Opened, PartyType, Tags};
use cx_core::event::mail::MailEvent;
use cx_core::event::talk::Correction;
use cx_core::event::{ConversationRef, Direction, Event, Kind, Visibility};
use cx_core::identifier::Role;
use serde_json::{Map, Value};

use super::comment::{self, Around, Telling};
use super::{File, Outcome, chat, kept, rating, ticket, words};
use crate::json::{Moment, Object};
use crate::origin::Part;
use crate::{Record, RecordError};

/// An audit and what is known around its events.
struct Audit<'a> {
    ticket: String,
    author: Option<String>,
    via: Option<Object<'a>>,
    metadata: Option<Object<'a>>,
    at: Moment,
}

/// Whether the events of an audit show its ticket to the customer: a public comment does, and one
/// that began with a private comment is kept from them. `None` where neither is told.
pub(super) fn shows(events: &[Object<'_>]) -> Option<bool> {
    let is = |event: &Object<'_>, kind: &str| {
        event.first_text(&["event_type", "type"]).is_some_and(|told| told == kind)
    };
    let comments = events.iter().filter(|event| is(event, "Comment"));
    let told: Vec<bool> = comments.filter_map(comment::is_public).collect();
    if told.contains(&true) {
        return Some(true);
    }
    let is_first = events.iter().any(|event| is(event, "Create"));
    (is_first && !told.is_empty()).then_some(false)
}

/// The events of an audit, in its order.
pub(super) fn records(file: &File<'_>, audit: &Object<'_>, parent: Option<&str>) -> Outcome {
    audit.need("id")?;
    let ticket = match (audit.text("ticket_id"), parent) {
        (Some(ticket), _) => ticket,
        (None, Some(parent)) => parent.to_owned(),
        (None, None) => return Err(audit.problem("ticket_id", "missing")),
    };
    let at = audit.need_moment("created_at")?;
    let known = Audit {
        ticket,
        author: audit.text("author_id"),
        via: audit.object("via"),
        metadata: audit.object("metadata"),
        at,
    };
    let mut records = Vec::new();
    let mut created = Created::default();
    for (seq, event) in (0_u64..).zip(audit.objects("events")) {
        match event.and_then(|event| one(file, &known, &event, seq, &mut created)) {
            Ok(events) => records.extend(events.into_iter().map(Ok)),
            Err(error) => records.push(Err(error)),
        }
    }
    // From where it was done: kept once, with what was said, else with the first event that only
    // the audit tells.
    let told: Vec<(String, Value)> =
        ["metadata"].iter().filter_map(|field| kept(audit, field)).collect();
    let of = |object: &str| {
        let is_of = |record: &Record| record.as_ref().is_ok_and(|it| it.source.object == object);
        records.iter().position(is_of)
    };
    let holder = of("comment").or_else(|| of("audit_event")).or_else(|| of("ticket"));
    if let Some(Ok(event)) = holder.and_then(|at| records.get_mut(at)) {
        for (name, value) in told {
            event.extra.entry(name).or_insert(value);
        }
    }
    if created.any {
        records.push(opened(file, &known, created));
    }
    records.extend(merge(file, &known));
    Ok(records)
}

/// What the `Create` events of the first audit say of the ticket.
#[derive(Default)]
struct Created {
    any: bool,
    data: Opened,
    subject: Option<String>,
    requester: Option<String>,
    extra: Map<String, Value>,
}

fn one(
    file: &File<'_>,
    audit: &Audit<'_>,
    event: &Object<'_>,
    seq: u64,
    created: &mut Created,
) -> Result<Vec<Event>, RecordError> {
    let kind = event.text("type").unwrap_or_default();
    let id = event.need("id")?;
    match kind.as_str() {
        "Comment" | "VoiceComment" | "FacebookComment" => {
            let around = Around {
                telling: Telling::Audit,
                ticket: Some(&audit.ticket),
                author: event.text("author_id").or_else(|| audit.author.clone()),
                sender: audit.author.clone(),
                via: event.object("via").or_else(|| audit.via.clone()),
                metadata: event.object("metadata").or_else(|| audit.metadata.clone()),
                at: event.moment("created_at")?.unwrap_or(audit.at),
                seq: Some(seq),
            };
            comment::events(file, event, &around)
        }
        "SatisfactionRating" if event.has("score") => {
            Ok(rating::audited(file, event, &audit.ticket, audit.at)?.into_iter().collect())
        }
        "Create" => create(file, audit, event, seq, created),
        "Change" => change(file, audit, event, &id, seq),
        "Notification" | "NotificationWithCcs" | "FollowerNotification" | "Cc" | "Error" => {
            Ok(vec![notification(file, audit, event, &id, seq, &kind)?])
        }
        "CommentRedactionEvent" | "RedactComment" => {
            let target = file.origin.path("comment", &event.need("comment_id")?);
            let data = Correction { target, ..Correction::default() };
            let built = file.origin.event(
                Part::whole("audit_event", &id),
                Kind::MessageRedacted(data),
                audit.at,
            )?;
            Ok(vec![acted(file, audit, event, built, seq)?])
        }
        other => {
            let mut data = event.rest(&["id", "type"]);
            data.insert("type".to_owned(), Value::String(other.to_owned()));
            let built =
                file.origin.custom(Part::whole("audit_event", &id), other, data, audit.at)?;
            let mut events = vec![acted(file, audit, event, built, seq)?];
            events.extend(chat::history(file, event, &audit.ticket)?);
            if let Some(comment) = comment::made_private(event) {
                events.push(comment::hidden(file, &comment, &audit.ticket, audit.at)?);
            }
            Ok(events)
        }
    }
}

/// Who did it: a rule, or the author of the audit.
fn acted(
    file: &File<'_>,
    audit: &Audit<'_>,
    event: &Object<'_>,
    mut built: Event,
    seq: u64,
) -> Result<Event, RecordError> {
    let rule = event.object("via").filter(|via| via.text("channel").as_deref() == Some("rule"));
    built.actor = match (&rule, &audit.author) {
        (Some(via), _) => {
            let title = via.path(&["source", "from"]).and_then(|from| from.text("title"));
            Actor::of(ActorType::Automation).with_name(title.unwrap_or_default())
        }
        (None, Some(author)) => file.doer(author, Some(&audit.ticket)).actor,
        (None, None) => Actor::of(ActorType::System),
    };
    built.seq = Some(seq);
    if let Some(via) = event.get("via") {
        built.extra.insert("via".to_owned(), via.clone());
    }
    ticket::internal(file, built, &audit.ticket)
}

/// Initial values: those that somebody acts upon are events, the others tell how it began.
fn create(
    file: &File<'_>,
    audit: &Audit<'_>,
    event: &Object<'_>,
    seq: u64,
    created: &mut Created,
) -> Result<Vec<Event>, RecordError> {
    created.any = true;
    let field = event.need("field_name")?;
    let value = event.text("value");
    match (field.as_str(), value) {
        ("status", Some(status)) => {
            created.data.native = Some(status.to_ascii_lowercase());
            if words::state(&status) == cx_core::event::conversation::State::New {
                return Ok(Vec::new());
            }
            let changed = ticket::changed(file, &audit.ticket, None, &status, audit.at)?;
            return Ok(vec![ticket::placed(changed, seq, ticket::Telling::Audit)]);
        }
        ("subject", value) => created.subject = value,
        ("priority", value) => created.data.priority = value.map(|text| text.to_ascii_lowercase()),
        ("requester_id", value) => created.requester = value,
        ("group_id", value) => {
            created.data.team = value.map(|id| ticket::party(PartyType::Team, id));
        }
        ("tags" | "current_tags", value) => created.data.tags = tags(event, "value", value),
        ("assignee_id", Some(assignee)) => {
            created.data.assignee = Some(ticket::party(PartyType::Agent, assignee.clone()));
            let id = event.need("id")?;
            let to = Some(ticket::party(PartyType::Agent, assignee));
            let data = Assigned { to, ..Assigned::default() };
            let part = Part::whole("audit_event", &id);
            let built = file.origin.event(part, Kind::ConversationAssigned(data), audit.at)?;
            return Ok(vec![acted(file, audit, event, built, seq)?]);
        }
        (_, None) => {}
        (_, Some(_)) => {
            if let Some(value) = event.get("value") {
                created.extra.insert(field, value.clone());
            }
        }
    }
    Ok(Vec::new())
}

/// Tags are a list, or one text with spaces between.
fn tags(event: &Object<'_>, field: &str, text: Option<String>) -> Vec<String> {
    let listed = event.texts(field);
    if listed.is_empty() {
        text.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    } else {
        listed
    }
}

/// How the ticket began, as far as the first audit says it. Any copy of the ticket itself says
/// more, so this is its first revision.
fn opened(file: &File<'_>, audit: &Audit<'_>, created: Created) -> Record {
    let part = Part::of("ticket", &audit.ticket, "opened");
    let mut event =
        file.origin.event(part, Kind::ConversationOpened(created.data.into()), audit.at)?;
    event.rev = Some("0".to_owned());
    event.conversation = Some(ConversationRef {
        subject: created.subject,
        ..ticket::conversation(file, &audit.ticket)?
    });
    if let Some(channel) = audit.via.as_ref().and_then(|via| via.text("channel")) {
        event.channel = words::channel(&channel);
    }
    let is_outbound = audit.via.as_ref().is_some_and(ticket::is_outbound);
    event.direction = if is_outbound { Direction::Out } else { Direction::In };
    let requester = created.requester.or_else(|| file.requester(&audit.ticket).map(str::to_owned));
    if let Some(author) = &audit.author {
        event.actor = file.doer(author, Some(&audit.ticket)).actor;
    }
    // What the channel says of the sender is about the requester only where that is one person.
    let via = audit.via.as_ref().filter(|_| requester.is_some() && requester == audit.author);
    let is_trusted = !comment::is_untrusted(audit.metadata.as_ref());
    event.who.extend(requester.and_then(|requester| file.user(&requester, Role::Requester)));
    event.who.extend(
        via.into_iter().flat_map(|via| ticket::sender(file, via, Role::Requester, is_trusted)),
    );
    event.extra = created.extra;
    Ok(event)
}

fn change(
    file: &File<'_>,
    audit: &Audit<'_>,
    event: &Object<'_>,
    id: &str,
    seq: u64,
) -> Result<Vec<Event>, RecordError> {
    let field = event.need("field_name")?;
    let (from, to) = (event.text("previous_value"), event.text("value"));
    let kinds = match field.as_str() {
        "status" => {
            let to = to.ok_or_else(|| event.problem("value", "missing"))?;
            let changed = ticket::changed(file, &audit.ticket, from.as_deref(), &to, audit.at)?;
            return Ok(vec![ticket::placed(changed, seq, ticket::Telling::Audit)]);
        }
        "assignee_id" => vec![("", ticket::agent_assigned(from, to))],
        "group_id" => vec![("", ticket::team_assigned(to))],
        "tags" => {
            let before = tags(event, "previous_value", from);
            let now = tags(event, "value", to);
            tag_changes(
                now.iter().filter(|tag| !before.contains(tag)).cloned().collect(),
                before.iter().filter(|tag| !now.contains(tag)).cloned().collect(),
            )
        }
        "priority" => {
            let lower = |text: Option<String>| text.map(|text| text.to_ascii_lowercase());
            vec![("", Kind::ConversationPriority(changed(lower(from), lower(to))))]
        }
        "subject" => vec![("", Kind::ConversationSubject(changed(from, to)))],
        _ => vec![(
            "",
            Kind::ConversationField(FieldChanged {
                name: field,
                from: event.get("previous_value").cloned(),
                to: event.get("value").cloned(),
                ..FieldChanged::default()
            }),
        )],
    };
    kinds
        .into_iter()
        .map(|(part, kind)| {
            let Some(turn) = ticket::turn(&kind) else {
                let part = Part::of("audit_event", id, part);
                let built = file.origin.event(part, kind, audit.at)?;
                return acted(file, audit, event, built, seq);
            };
            let built = ticket::turned(file, &audit.ticket, &turn, kind, audit.at)?;
            let mut built = acted(file, audit, event, built, seq)?;
            built.extra.insert("audit_event".to_owned(), Value::String(id.to_owned()));
            Ok(ticket::placed(built, seq, ticket::Telling::Audit))
        })
        .collect()
}

/// Tags that were put and tags that were taken, each an event of its own.
pub(super) fn tag_changes(put: Vec<String>, taken: Vec<String>) -> Vec<(&'static str, Kind)> {
    let mut kinds = Vec::new();
    if !put.is_empty() {
        kinds.push(("tagged", Kind::ConversationTagged(Tags { tags: put, ..Tags::default() })));
    }
    if !taken.is_empty() {
        kinds.push((
            "untagged",
            Kind::ConversationUntagged(Tags { tags: taken, ..Tags::default() }),
        ));
    }
    kinds
}

pub(super) fn changed(from: Option<String>, to: Option<String>) -> Changed {
    Changed { from, to, ..Changed::default() }
}

/// A mail that a rule sends: never an answer, and for nobody's eyes but ours.
fn notification(
    file: &File<'_>,
    audit: &Audit<'_>,
    event: &Object<'_>,
    id: &str,
    seq: u64,
    kind: &str,
) -> Result<Event, RecordError> {
    let data = MailEvent {
        subject: event.text("subject"),
        reason: event.text("message").filter(|_| kind == "Error"),
        ..MailEvent::default()
    };
    let kind = if kind == "Error" { Kind::MailDropped(data) } else { Kind::MailQueued(data) };
    let built = file.origin.event(Part::whole("audit_event", id), kind, audit.at)?;
    let mut built = acted(file, audit, event, built, seq)?;
    built.channel = Channel::Email;
    built.direction = Direction::Out;
    built.visibility = Visibility::Internal;
    if built.actor.kind != ActorType::Automation {
        built.actor = Actor::of(ActorType::Automation);
    }
    let recipients = event.texts("recipients");
    let asked = file.requester(&audit.ticket).map(str::to_owned);
    let customers = recipients.iter().filter(|id| {
        file.role(id).map_or(asked.as_ref() == Some(*id), |role| role == ActorType::Customer)
    });
    built.who.extend(customers.filter_map(|id| file.user(id, Role::To)));
    built.extra.extend(event.rest(&["id", "type", "subject", "via", "message"]));
    Ok(built)
}

/// An audit that says another ticket was merged into this one.
fn merge(file: &File<'_>, audit: &Audit<'_>) -> Option<Record> {
    let source = audit.via.as_ref()?.object("source")?;
    if source.text("rel").as_deref() != Some("merge") {
        return None;
    }
    let gone = source.object("from")?.text("ticket_id")?;
    Some(ticket::merged(file, &gone, Some(&audit.ticket), "2-audit", audit.at))
}
