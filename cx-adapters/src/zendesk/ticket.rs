//! Tickets: how they began, the state they are in, and what they hang together with.

use cx_core::actor::{Actor, ActorType};
use cx_core::channel::Channel;
use cx_core::event::conversation::{
    Assigned, Linked, Merged, Opened, Party, PartyType, Relation, State, Status,
};
use cx_core::event::{ConversationRef, Direction, Event, Kind, TimeOrigin, Visibility};
use cx_core::identifier::{Assurance, Claim, Role};
use cx_core::time::Timestamp;

use super::{File, Outcome, words};
use crate::json::{self, Moment, Object};
use crate::origin::Part;
use crate::{Record, RecordError};

/// Fields of a ticket that have a place of their own. The description is the first comment and
/// stays in `extra` for those who import tickets alone.
const MAPPED: &[&str] = &[
    "id",
    "created_at",
    "updated_at",
    "subject",
    "raw_subject",
    "status",
    "priority",
    "assignee_id",
    "group_id",
    "tags",
    "requester_id",
    "submitter_id",
    "actor_id",
    "comments",
    "requester",
];

/// A ticket as it stands: its beginning, revised with every newer copy; its state; its links.
pub(super) fn records(file: &File<'_>, ticket: &Object<'_>) -> Outcome {
    let id = ticket.need("id")?;
    let created = ticket.need_moment("created_at")?;
    let updated = ticket.moment("updated_at")?.unwrap_or(created);
    let mut records = vec![opened(file, ticket, &id, created, updated)];
    if let Some(status) = ticket.text("status") {
        let is_untouched = words::state(&status) == State::New && updated == created;
        if !is_untouched {
            records.push(stands(file, &id, &status, updated));
        }
    }
    if let Some(via) = ticket.path(&["via", "source"])
        && via.text("rel").as_deref() == Some("follow_up")
        && let Some(before) = via.object("from").and_then(|from| from.text("ticket_id"))
    {
        records.push(follow_up(file, &id, &before, created));
    }
    records.extend(ticket.misshapen(&["requester", "via"], &["comments"]).into_iter().map(Err));
    if let Some(told) = ticket.object("metric_set") {
        records.extend(solved(file, &told, &id).transpose());
    }
    if let Some(rating) = ticket.object("satisfaction_rating") {
        records.extend(super::rating::of_ticket(file, &rating, ticket, updated).transpose());
    }
    for comment in ticket.list("comments") {
        records.extend(
            super::comment::listed(file, &comment, Some(&id))
                .unwrap_or_else(|error| vec![Err(error)]),
        );
    }
    if let Some(user) = ticket.object("requester").filter(|user| user.has("email")) {
        let at = user.moment("updated_at")?.unwrap_or(created);
        records.extend(super::person::profiles(file, &user, at)?.into_iter().map(Ok));
    }
    if ticket.texts("tags").iter().any(|tag| tag == "closed_by_merge") {
        records.push(merged(file, &id, None, "0-tag", updated));
    }
    Ok(records)
}

/// How a ticket began, from the copy in a webhook. It says less than any copy from the API, such as
/// who mailed, so it never counts as later: its revision is a number, and those of copies from the
/// API are instants.
pub(super) fn told(file: &File<'_>, ticket: &Object<'_>, id: &str) -> Record {
    let created = ticket.need_moment("created_at")?;
    let updated = ticket.moment("updated_at")?.unwrap_or(created);
    let mut event = opened(file, ticket, id, created, updated)?;
    event.rev = Some(updated.at.as_micros().to_string());
    Ok(event)
}

/// How a ticket began, told with whose it is from now on: that is news to any earlier copy. One of
/// the same instant from the API says more, and comes after it: `Z` after `+`.
pub(super) fn handed_on(file: &File<'_>, ticket: &Object<'_>, id: &str, at: Moment) -> Record {
    let created = ticket.need_moment("created_at")?;
    let updated = ticket.moment("updated_at")?.unwrap_or(at);
    let mut event = opened(file, ticket, id, created, updated)?;
    event.rev = Some(updated.at.to_string().replace('Z', "+00:00"));
    Ok(event)
}

fn opened(
    file: &File<'_>,
    ticket: &Object<'_>,
    id: &str,
    created: Moment,
    updated: Moment,
) -> Result<Event, RecordError> {
    let data = Opened {
        state: None,
        native: ticket.text("status").map(|status| status.to_ascii_lowercase()),
        priority: ticket.text("priority").map(|priority| priority.to_ascii_lowercase()),
        assignee: ticket.text("assignee_id").map(|id| party(PartyType::Agent, id)),
        team: ticket.text("group_id").map(|id| party(PartyType::Team, id)),
        tags: ticket.texts("tags"),
        ..Opened::default()
    };
    let mut event = file.origin.event(
        Part::of("ticket", id, "opened"),
        Kind::ConversationOpened(data.into()),
        created,
    )?;
    event.rev = Some(updated.at.to_string());
    event.conversation = Some(ConversationRef {
        subject: ticket.first_text(&["subject", "raw_subject"]),
        ..conversation(file, id)?
    });
    let via = ticket.object("via");
    if let Some(channel) = via.as_ref().and_then(|via| via.text("channel")) {
        event.channel = words::channel(&channel);
    }
    let is_outbound = via.as_ref().is_some_and(is_outbound);
    event.direction = if is_outbound { Direction::Out } else { Direction::In };
    let requester = requester(ticket);
    let mut is_by_requester = true;
    if let Some(requester) = requester {
        event.who.extend(file.user(&requester, Role::Requester));
        let opener = ticket.text("submitter_id").unwrap_or_else(|| requester.clone());
        is_by_requester = opener == requester;
        event.actor = file.doer(&opener, Some(id)).actor;
        if file.role(&requester).is_some_and(ActorType::is_agent) {
            event.direction = Direction::None;
        }
    }
    // What the channel says of the sender is about the requester only where that is one person.
    if let Some(via) = via.as_ref().filter(|_| is_by_requester) {
        event.who.extend(sender(file, via, Role::Requester, true));
        event.name = other_side(via).and_then(|from| from.text("name"));
    }
    event.extra = ticket.rest(MAPPED);
    Ok(event)
}

/// Who asked for a ticket: by id, or as a whole user record.
pub(super) fn requester(ticket: &Object<'_>) -> Option<String> {
    ticket
        .text("requester_id")
        .or_else(|| ticket.object("requester").and_then(|requester| requester.text("id")))
}

/// Whether `via` is of something that went out, such as a call we made.
pub(super) fn is_outbound(via: &Object<'_>) -> bool {
    let word = |text: Option<String>| text.unwrap_or_default().to_ascii_lowercase();
    word(via.text("channel")).contains("outbound")
        || via.object("source").is_some_and(|source| word(source.text("rel")).contains("outbound"))
}

/// The customer's side of `via.source`.
fn other_side<'a>(via: &Object<'a>) -> Option<Object<'a>> {
    via.path(&["source", if is_outbound(via) { "to" } else { "from" }])
}

/// What `via.source` says of the customer's side. The channel vouches for an address by mail and for
/// a number by phone, unless Zendesk doubts it; what is written in a form anybody may write.
pub(super) fn sender(
    file: &File<'_>,
    via: &Object<'_>,
    role: Role,
    is_trusted: bool,
) -> Vec<Claim> {
    let Some(from) = other_side(via) else { return Vec::new() };
    let channel = words::channel(&via.text("channel").unwrap_or_default());
    let proves = |channels: &[Channel]| {
        if is_trusted && channels.contains(&channel) {
            Assurance::ChannelProved
        } else {
            Assurance::SelfStated
        }
    };
    let mut claims = Vec::new();
    let address = from.text("address");
    let number = from
        .first_text(&["phone", "formatted_phone"])
        .or_else(|| address.clone().filter(|address| !address.contains('@')));
    let address = address.filter(|address| address.contains('@') && !file.is_agents(address));
    if let Some(address) = address {
        claims.extend(file.origin.email(&address, role, proves(&[Channel::Email])));
    }
    if let Some(number) = number {
        let proved = proves(&[Channel::Phone, Channel::Sms, Channel::Whatsapp]);
        claims.extend(file.origin.phone(&number, None, role, proved));
    }
    claims
}

/// The state in which a copy of the ticket was seen. One event per ticket, revised with every
/// newer copy: the changes themselves come from audits and webhooks.
fn stands(file: &File<'_>, id: &str, status: &str, at: Moment) -> Result<Event, RecordError> {
    let native = status.to_ascii_lowercase();
    let data = Status { to: words::state(&native), native: Some(native), ..Status::default() };
    let mut event =
        file.origin.event(Part::of("ticket", id, "status"), Kind::ConversationStatus(data), at)?;
    event.rev = Some(at.at.to_string());
    event.occurred_at_origin = TimeOrigin::Received;
    finish(file, event, id)
}

/// When a ticket was solved, as its metrics tell it.
pub(super) fn metrics(file: &File<'_>, metrics: &Object<'_>) -> Outcome {
    let id = metrics.need("ticket_id")?;
    Ok(solved(file, metrics, &id)?.map(Ok).into_iter().collect())
}

fn solved(file: &File<'_>, metrics: &Object<'_>, id: &str) -> Result<Option<Event>, RecordError> {
    let at = metrics.moment("solved_at")?;
    at.map(|at| changed(file, id, None, "solved", at)).transpose()
}

/// Who tells of a change of state, those who say more last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// A webhook.
    Webhook,
    /// An audit: it knows what else was changed with it, and in which order.
    Audit,
}

/// A change of state with its place in the action it was part of, such as what a rule did after an
/// agent. The last one to the same state within a second stands.
pub(super) fn placed(event: Event, place: u64, telling: Telling) -> Event {
    let rev = match telling {
        Telling::Webhook => "0".to_owned(),
        Telling::Audit => place.saturating_add(1).to_string(),
    };
    Event { seq: Some(place), rev: Some(rev), ..event }
}

/// A change of state at an instant. Audits, webhooks and metrics give the same event for the same
/// change; the fuller telling is the later revision.
pub(super) fn changed(
    file: &File<'_>,
    id: &str,
    from: Option<&str>,
    to: &str,
    at: Moment,
) -> Result<Event, RecordError> {
    let native = to.to_ascii_lowercase();
    let data = Status {
        from: from.map(words::state),
        to: words::state(&native),
        native: Some(native.clone()),
        ..Status::default()
    };
    let event = turned(file, id, &format!("status/{native}"), Kind::ConversationStatus(data), at)?;
    finish(file, event, id)
}

/// A change of a ticket's field, one for each field, value and second, whoever tells it.
pub(super) fn turned(
    file: &File<'_>,
    id: &str,
    what: &str,
    kind: Kind,
    at: Moment,
) -> Result<Event, RecordError> {
    let second = Timestamp::from_seconds(at.at.as_micros().div_euclid(1_000_000)).unwrap_or(at.at);
    let part = format!("{what}/{second}");
    file.origin.event(Part::of("ticket", id, &part), kind, Moment { at: second, offset: None })
}

/// Names a change of a field in keys: the field and its value. `None` for what only one telling of it
/// names as it does.
pub(super) fn turn(kind: &Kind) -> Option<String> {
    let party = |party: &Option<Party>| party.as_ref().and_then(|party| party.id.clone());
    let (what, value) = match kind {
        Kind::ConversationAssigned(Assigned { to, team: None, .. }) => ("assignee", party(to)),
        Kind::ConversationAssigned(Assigned { team, .. }) => ("team", party(team)),
        Kind::ConversationPriority(changed) => ("priority", changed.to.clone()),
        // What somebody wrote stands in no key.
        Kind::ConversationSubject(changed) => ("subject", changed.to.as_deref().map(json::digest)),
        Kind::ConversationTagged(tags) => ("tagged", Some(json::digest(&tags.tags.join(" ")))),
        Kind::ConversationUntagged(tags) => ("untagged", Some(json::digest(&tags.tags.join(" ")))),
        _ => return None,
    };
    Some(format!("{what}/{}", value.unwrap_or_else(|| "none".to_owned())))
}

fn follow_up(file: &File<'_>, id: &str, before: &str, at: Moment) -> Result<Event, RecordError> {
    let data = Linked {
        relation: Relation::FollowUpOf,
        target: file.origin.path("ticket", before),
        ..Linked::default()
    };
    let part = Part::of("ticket", id, "follow_up_of");
    let event = file.origin.event(part, Kind::ConversationLinked(data), at)?;
    finish(file, event, id)
}

/// The ticket lives on in another one. The tag says that much, audits and webhooks say in which.
pub(super) fn merged(
    file: &File<'_>,
    id: &str,
    into: Option<&str>,
    rev: &str,
    at: Moment,
) -> Result<Event, RecordError> {
    let into = into.map(|into| file.origin.path("ticket", into));
    let data = Merged { into, ..Merged::default() };
    let part = Part::of("ticket", id, "merged");
    let mut event = file.origin.event(part, Kind::ConversationMerged(data), at)?;
    event.rev = Some(rev.to_owned());
    finish(file, event, id)
}

/// Whatever happens to a ticket and is said to nobody: on the system channel, by the system.
pub(super) fn finish(
    file: &File<'_>,
    mut event: Event,
    ticket: &str,
) -> Result<Event, RecordError> {
    event.channel = Channel::System;
    event.conversation = Some(conversation(file, ticket)?);
    if event.actor.kind == ActorType::Unknown && event.actor.id.is_none() {
        event.actor = Actor::of(ActorType::System);
    }
    Ok(event)
}

/// The same, for the business's eyes only.
pub(super) fn internal(file: &File<'_>, event: Event, ticket: &str) -> Result<Event, RecordError> {
    let mut event = finish(file, event, ticket)?;
    event.visibility = Visibility::Internal;
    Ok(event)
}

pub(super) fn conversation(file: &File<'_>, ticket: &str) -> Result<ConversationRef, RecordError> {
    file.origin.conversation("ticket", ticket)
}

pub(super) const fn party(kind: PartyType, id: String) -> Party {
    Party { kind, id: Some(id), name: None }
}

/// Another person has it.
pub(super) fn agent_assigned(from: Option<String>, to: Option<String>) -> Kind {
    let agent = |id: Option<String>| id.map(|id| party(PartyType::Agent, id));
    Kind::ConversationAssigned(Assigned { from: agent(from), to: agent(to), ..Assigned::default() })
}

/// Another team has it.
pub(super) fn team_assigned(to: Option<String>) -> Kind {
    let team = to.map(|id| party(PartyType::Team, id));
    Kind::ConversationAssigned(Assigned { team, ..Assigned::default() })
}
