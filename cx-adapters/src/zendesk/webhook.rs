//! Event webhooks: one thing that happened, with a copy of the ticket or user it happened to.

use cx_core::actor::{Actor, ActorType};
use cx_core::event::conversation::{FieldChanged, Removal};
use cx_core::event::identity::{People, Profile};
use cx_core::event::talk::Correction;
use cx_core::event::{Event, Kind};
use cx_core::identifier::Role;
use serde_json::Value;

use super::comment::{self, Around, Telling};
use super::{File, Outcome, audit, chat, person, ticket};
use crate::json::{Moment, Object};
use crate::origin::{self, Part};
use crate::{Record, RecordError};

/// The event in a webhook.
pub(super) fn records(file: &File<'_>, webhook: &Object<'_>) -> Outcome {
    let name = webhook.need("type")?;
    let detail =
        webhook.object("detail").ok_or_else(|| webhook.problem("detail", "not an object"))?;
    let at = webhook.need_moment("time")?;
    let name = name.rsplit(':').next().unwrap_or_default().to_ascii_lowercase();
    match name.split_once('.') {
        Some(("ticket", what)) => of_ticket(file, webhook, &detail, what, at),
        Some(("user", what)) => of_user(file, webhook, &detail, what, at),
        Some(("messaging_ticket", "message_added")) => {
            let ticket = detail.need("id")?;
            let said = chat::added(file, &told(webhook), &ticket, at)?;
            let unread = || {
                let built = other(file, webhook, &name, at)?;
                ticket::internal(file, built, &ticket)
            };
            Ok(vec![said.map_or_else(unread, Ok)])
        }
        _ => Ok(vec![other(file, webhook, &name, at)]),
    }
}

/// The comment that a webhook says was made private.
pub(super) fn made_private(webhook: &Object<'_>) -> Option<String> {
    let name = webhook.text("type").filter(|_| webhook.has("detail"))?;
    if !name.to_ascii_lowercase().ends_with("ticket.comment_made_private") {
        return None;
    }
    let event = told(webhook);
    event.object("comment").unwrap_or(event).text("id")
}

/// Where a webhook stands among those of one action.
fn place(webhook: &Object<'_>) -> Option<u64> {
    let sequence = webhook.path(&["event", "meta", "sequence"])?;
    sequence.number("position").and_then(|position| u64::try_from(position).ok())
}

/// A change of the ticket's state, as far as a webhook tells it.
fn changed_state(
    file: &File<'_>,
    webhook: &Object<'_>,
    id: &str,
    (from, to): (Option<&str>, &str),
    at: Moment,
) -> Record {
    Ok(placed(webhook, ticket::changed(file, id, from, to, at)?))
}

/// A change with its place among those of one action.
fn placed(webhook: &Object<'_>, event: Event) -> Event {
    let place = place(webhook);
    let placed = ticket::placed(event, place.unwrap_or_default(), ticket::Telling::Webhook);
    Event { seq: place, ..placed }
}

/// What happened, in the webhook's `event` field.
fn told<'a>(webhook: &Object<'a>) -> Object<'a> {
    webhook.object("event").unwrap_or_else(|| webhook.clone())
}

fn other(file: &File<'_>, webhook: &Object<'_>, name: &str, at: Moment) -> Record {
    let id = webhook.need("id")?;
    let data = webhook.rest(&["id", "time", "type", "zendesk_event_version", "account_id"]);
    file.origin.custom(Part::whole("event", &id), name, data, at)
}

fn of_ticket(
    file: &File<'_>,
    webhook: &Object<'_>,
    detail: &Object<'_>,
    what: &str,
    at: Moment,
) -> Outcome {
    let id = detail.need("id")?;
    let event = told(webhook);
    let (previous, current) = (event.text("previous"), event.text("current"));
    let removal = || Removal { reason: event.text("reason"), ..Removal::default() };
    let mut records = vec![ticket::told(file, detail, &id)];
    let kinds = match what {
        "created" => {
            records.extend(
                detail
                    .text("status")
                    .filter(|status| !status.eq_ignore_ascii_case("new"))
                    .map(|status| changed_state(file, webhook, &id, (None, &status), at)),
            );
            return Ok(records);
        }
        "comment_added" => {
            records.extend(commented(file, detail, &event, &id, at)?.into_iter().map(Ok));
            return Ok(records);
        }
        "status_changed" => {
            let to = current.ok_or_else(|| event.problem("current", "missing"))?;
            records.push(changed_state(file, webhook, &id, (previous.as_deref(), &to), at));
            return Ok(records);
        }
        "merged" => {
            let into = event.first_text(&["target_ticket_id", "current"]);
            records.push(ticket::merged(file, &id, into.as_deref(), "1-webhook", at));
            return Ok(records);
        }
        "agent_assignment_changed" => vec![("", ticket::agent_assigned(previous, current))],
        "group_assignment_changed" => vec![("", ticket::team_assigned(current))],
        "tags_changed" => {
            audit::tag_changes(event.texts("tags_added"), event.texts("tags_removed"))
        }
        "priority_changed" => {
            let lower = |text: Option<String>| text.map(|text| text.to_ascii_lowercase());
            vec![("", Kind::ConversationPriority(audit::changed(lower(previous), lower(current))))]
        }
        "subject_changed" => {
            vec![("", Kind::ConversationSubject(audit::changed(previous, current)))]
        }
        "custom_field_changed" => vec![(
            "",
            Kind::ConversationField(FieldChanged {
                name: event
                    .object("field")
                    .and_then(|field| field.first_text(&["title", "id"]))
                    .unwrap_or_else(|| "custom_field".to_owned()),
                from: event.get("previous").cloned(),
                to: event.get("current").cloned(),
                ..FieldChanged::default()
            }),
        )],
        "soft_deleted" | "permanently_deleted" => vec![("", Kind::ConversationDeleted(removal()))],
        "undeleted" => vec![("", Kind::ConversationRestored(removal()))],
        "marked_as_spam" => vec![("", Kind::ConversationSpam(removal()))],
        "comment_redacted" => {
            let comment = event.object("comment").unwrap_or_else(|| event.clone());
            let target = file.origin.path("comment", &comment.need("id")?);
            vec![("", Kind::MessageRedacted(Correction { target, ..Correction::default() }))]
        }
        unknown => {
            if unknown == "requester_changed" {
                records.push(ticket::handed_on(file, detail, &id, at));
            }
            if let Some(comment) = made_private(webhook) {
                records.push(comment::hidden(file, &comment, &id, at));
            }
            let built = other(file, webhook, &format!("ticket.{unknown}"), at)?;
            records.push(ticket::internal(file, built, &id));
            return Ok(records);
        }
    };
    let happened = webhook.need("id")?;
    records.extend(kinds.into_iter().map(|(part, kind)| {
        let Some(turn) = ticket::turn(&kind) else {
            let built = file.origin.event(Part::of("event", &happened, part), kind, at)?;
            return ticket::internal(file, acted(file, detail, built, &id), &id);
        };
        let built = ticket::turned(file, &id, &turn, kind, at)?;
        let built = ticket::internal(file, acted(file, detail, built, &id), &id)?;
        Ok(placed(webhook, built))
    }));
    Ok(records)
}

fn acted(file: &File<'_>, detail: &Object<'_>, mut event: Event, ticket: &str) -> Event {
    event.actor = match detail.text("actor_id") {
        Some(actor) => file.doer(&actor, Some(ticket)).actor,
        None => Actor::of(ActorType::System),
    };
    event
}

fn commented(
    file: &File<'_>,
    detail: &Object<'_>,
    event: &Object<'_>,
    ticket: &str,
    at: Moment,
) -> Result<Vec<Event>, RecordError> {
    let comment =
        event.object("comment").ok_or_else(|| event.problem("comment", "not an object"))?;
    let around = Around {
        telling: Telling::Webhook,
        ticket: Some(ticket),
        author: comment.object("author").and_then(|author| author.text("id")),
        sender: None,
        via: comment.object("via").or_else(|| detail.object("via")),
        metadata: comment.object("metadata"),
        at,
        seq: None,
    };
    comment::events(file, &comment, &around)
}

fn of_user(
    file: &File<'_>,
    webhook: &Object<'_>,
    detail: &Object<'_>,
    what: &str,
    at: Moment,
) -> Outcome {
    let event = told(webhook);
    match what {
        "identity_created" | "identity_changed" => {
            let identity = event
                .object("identity")
                .or_else(|| event.object("current"))
                .ok_or_else(|| event.problem("identity", "not an object"))?;
            let user = detail.need("id")?;
            // It does not say whether the address is verified, so a copy from the API is later.
            let rev = at.at.as_micros().to_string();
            Ok(vec![person::linked(file, &identity, &user, at, rev)])
        }
        "merged" => {
            let id = webhook.need("id")?;
            let gone = detail.need("id")?;
            let kept = event
                .object("user")
                .and_then(|user| user.text("id"))
                .or_else(|| event.first_text(&["target_user_id", "current"]));
            let data = People {
                from: Some(gone.clone()),
                to: kept.clone(),
                by: Some("zendesk".to_owned()),
                ..People::default()
            };
            let mut built =
                file.origin.event(Part::whole("event", &id), Kind::PeopleMerged(data), at)?;
            built.actor = Actor::of(ActorType::System);
            built.channel = cx_core::channel::Channel::System;
            // Zendesk's own word that both records are one person.
            let both = [Some(gone), kept].into_iter().flatten();
            built.who = both.filter_map(|id| file.user(&id, Role::Subject)).collect();
            built.extra = webhook.rest(&["id", "time", "type"]);
            Ok(vec![Ok(built)])
        }
        "deleted" | "password_changed" | "only_private_comments_changed" | "last_login_changed" => {
            let mut built = other(file, webhook, &format!("user.{what}"), at)?;
            built.who = person::claims(file, detail, &detail.need("id")?);
            Ok(vec![Ok(built)])
        }
        "identity_deleted" => {
            let identity = event
                .object("identity")
                .or_else(|| event.object("previous"))
                .filter(|identity| identity.has("id"));
            if let Some(identity) = identity {
                return Ok(vec![person::unlinked(file, &identity, &detail.need("id")?, at)]);
            }
            let mut built = other(file, webhook, "user.identity_deleted", at)?;
            built.who = person::claims(file, detail, &detail.need("id")?);
            Ok(vec![Ok(built)])
        }
        "created" => {
            let updated = detail.moment("updated_at")?.unwrap_or(at);
            let mut built = person::profiles(file, detail, updated)?;
            for event in &mut built {
                // A copy of the same instant from the API says more.
                event.rev = Some(updated.at.as_micros().to_string());
                event.extra.extend(happened(webhook, what));
            }
            Ok(built.into_iter().map(Ok).collect())
        }
        _ => Ok(vec![changed(file, webhook, detail, what, at)]),
    }
}

/// A change of a user's record: an event of its own, with what the webhook says of the new value.
/// The copy of the user beside it does not have it.
fn changed(
    file: &File<'_>,
    webhook: &Object<'_>,
    detail: &Object<'_>,
    what: &str,
    at: Moment,
) -> Record {
    let (id, user) = (webhook.need("id")?, detail.need("id")?);
    let event = told(webhook);
    let current = |wanted: &str| event.text("current").filter(|_| what == wanted);
    let data = Profile {
        name: current("name_changed").or_else(|| detail.text("name")),
        notes: current("notes_changed").into_iter().collect(),
        language: current("locale_changed"),
        timezone: current("time_zone_changed"),
        blocked: event.flag("current").filter(|_| what == "suspended_changed"),
        ..Profile::default()
    };
    let name = data.name.clone();
    let part = Part::whole("event", &id);
    let mut built = file.origin.event(part, Kind::ProfileUpdated(data.into()), at)?;
    built.actor = Actor::of(ActorType::System);
    built.channel = cx_core::channel::Channel::System;
    built.name = name;
    built.who = person::claims(file, detail, &user);
    built.extra = detail.rest(&["id", "name", "email", "phone", "external_id"]);
    built.extra.extend(origin::unclaimed(detail, person::IDENTIFIERS, &built.who));
    built.extra.extend(happened(webhook, what));
    Ok(built)
}

/// What happened to a user, whole.
fn happened(webhook: &Object<'_>, what: &str) -> Vec<(String, Value)> {
    let name = ("event".to_owned(), Value::String(format!("user.{what}")));
    let event = webhook.object("event").filter(|event| !event.fields().is_empty());
    let event = event.map(|event| ("change".to_owned(), Value::Object(event.rest(&[]))));
    [Some(name), event].into_iter().flatten().collect()
}
