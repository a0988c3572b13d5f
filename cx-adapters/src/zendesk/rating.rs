//! Satisfaction ratings: asked, answered, changed.

use cx_core::actor::{Actor, ActorType};
use cx_core::event::feedback::{Answered, Asked, Scale, Survey};
use cx_core::event::{Direction, Event, Kind, TimeOrigin};
use cx_core::identifier::Role;

use super::{File, Outcome, ticket};
use crate::RecordError;
use crate::json::{Moment, Object};
use crate::origin::Part;

/// Bad is 0 and good is 1.
const SCALE: Scale = Scale::high_is_good(0, 1);

/// A rating: `offered` is a question and no answer. A ticket's ratings are one question, so the
/// latest answer stands and the earlier ones stay in the history.
pub(super) fn records(file: &File<'_>, rating: &Object<'_>) -> Outcome {
    let id = rating.need("id")?;
    let created = rating.need_moment("created_at")?;
    let updated = rating.moment("updated_at")?.unwrap_or(created);
    let ticket = rating.need("ticket_id")?;
    let Some((part, kind)) = said(file, rating, &ticket)? else { return Ok(Vec::new()) };
    let at = if part == "asked" { created } else { updated };
    let requester = rating.text("requester_id");
    let rev = updated.at.to_string();
    let rated = Rated { id: &id, ticket: &ticket, requester, part, at, rev };
    Ok(vec![event(file, rating, rated, kind)])
}

/// The rating that a copy of a ticket has. It says neither when it was given nor all of what the
/// rating itself says, so it comes before that: its revision is a number.
pub(super) fn of_ticket(
    file: &File<'_>,
    rating: &Object<'_>,
    ticket: &Object<'_>,
    updated: Moment,
) -> Result<Option<Event>, RecordError> {
    let (Some(id), Some(of)) = (rating.text("id"), ticket.text("id")) else { return Ok(None) };
    let Some((part, kind)) = said(file, rating, &of)? else { return Ok(None) };
    let requester = ticket::requester(ticket);
    let rev = updated.at.as_micros().to_string();
    let rated = Rated { id: &id, ticket: &of, requester, part, at: updated, rev };
    let mut event = event(file, rating, rated, kind)?;
    event.occurred_at_origin = TimeOrigin::Received;
    Ok(Some(event))
}

/// A rating as an audit tells it, which does not name the rating's own id.
pub(super) fn audited(
    file: &File<'_>,
    told: &Object<'_>,
    ticket: &str,
    at: Moment,
) -> Result<Option<Event>, RecordError> {
    let id = told.need("id")?;
    let Some((part, kind)) = said(file, told, ticket)? else { return Ok(None) };
    let requester = file.requester(ticket).map(str::to_owned);
    let rev = at.at.as_micros().to_string();
    let rated = Rated { id: &id, ticket, requester, part, at, rev };
    event(file, told, rated, kind).map(Some)
}

/// What a rating says: that it was asked for, or the answer; `None` where it was not even asked for.
fn said(
    file: &File<'_>,
    rating: &Object<'_>,
    ticket: &str,
) -> Result<Option<(&'static str, Kind)>, RecordError> {
    let score = rating.need("score")?.to_ascii_lowercase();
    let about = file.origin.path("ticket", ticket);
    let feedback = Some(format!("{about}#satisfaction"));
    let answer = |score: i32| {
        Kind::FeedbackAnswered(Answered {
            survey: Survey::Csat,
            feedback: feedback.clone(),
            score: Some(score),
            scale: Some(SCALE),
            comment: rating.first_text(&["comment", "body"]),
            reason: rating.text("reason").filter(|reason| reason != "No reason provided"),
            about: Some(about.clone()),
            ..Answered::default()
        })
    };
    Ok(Some(match score.as_str() {
        "unoffered" => return Ok(None),
        "offered" => {
            let asked = Asked {
                survey: Survey::Csat,
                feedback: feedback.clone(),
                scale: Some(SCALE),
                about: Some(about.clone()),
                ..Asked::default()
            };
            ("asked", Kind::FeedbackAsked(asked))
        }
        score if score.starts_with("good") => ("score", answer(1)),
        score if score.starts_with("bad") => ("score", answer(0)),
        _ => return Err(rating.problem("score", "not offered, good or bad")),
    }))
}

struct Rated<'a> {
    id: &'a str,
    ticket: &'a str,
    requester: Option<String>,
    part: &'a str,
    at: Moment,
    rev: String,
}

fn event(
    file: &File<'_>,
    rating: &Object<'_>,
    rated: Rated<'_>,
    kind: Kind,
) -> Result<Event, RecordError> {
    let mut event = file.origin.event(Part::of("rating", rated.id, rated.part), kind, rated.at)?;
    event.rev = Some(rated.rev);
    event.conversation = Some(ticket::conversation(file, rated.ticket)?);
    event.channel = file
        .tickets
        .get(rated.ticket)
        .and_then(|ticket| ticket.channel.as_deref())
        .map_or(cx_core::channel::Channel::Web, super::words::channel);
    let is_answer = rated.part == "score";
    event.direction = if is_answer { Direction::In } else { Direction::Out };
    event.actor.kind = if is_answer { ActorType::Customer } else { ActorType::Automation };
    if let Some(requester) = rated.requester {
        let role = if is_answer { Role::From } else { Role::To };
        event.who.extend(file.user(&requester, role));
        if is_answer {
            event.actor = Actor::of(ActorType::Customer).with_id(requester);
        }
    }
    event.extra = rating.rest(&[
        "id",
        "created_at",
        "updated_at",
        "score",
        "ticket_id",
        "requester_id",
        "comment",
        "reason",
        "body",
        "type",
    ]);
    Ok(event)
}
