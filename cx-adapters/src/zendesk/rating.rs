//! Satisfaction ratings: asked, answered, changed.

use cx_core::actor::{Actor, ActorType};
use cx_core::event::feedback::{Answered, Asked, Scale, Survey};
use cx_core::event::{Direction, Event, Kind};
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
    let score = rating.need("score")?.to_ascii_lowercase();
    let ticket = rating.need("ticket_id")?;
    let about = file.origin.path("ticket", &ticket);
    let feedback = Some(format!("{about}#satisfaction"));
    let answer = |score: i32| {
        Kind::FeedbackAnswered(Answered {
            survey: Survey::Csat,
            feedback: feedback.clone(),
            score: Some(score),
            scale: Some(SCALE),
            comment: rating.text("comment"),
            reason: rating.text("reason").filter(|reason| reason != "No reason provided"),
            about: Some(about.clone()),
            ..Answered::default()
        })
    };
    let (part, kind, at) = match score.as_str() {
        "unoffered" => return Ok(Vec::new()),
        "offered" => {
            let asked = Asked {
                survey: Survey::Csat,
                feedback: feedback.clone(),
                scale: Some(SCALE),
                about: Some(about.clone()),
                ..Asked::default()
            };
            ("asked", Kind::FeedbackAsked(asked), created)
        }
        score if score.starts_with("good") => ("score", answer(1), updated),
        score if score.starts_with("bad") => ("score", answer(0), updated),
        _ => return Err(rating.problem("score", "not offered, good or bad")),
    };
    let rated = Rated { id: &id, ticket: &ticket, part, at, rev: updated };
    Ok(vec![event(file, rating, &rated, kind)])
}

struct Rated<'a> {
    id: &'a str,
    ticket: &'a str,
    part: &'a str,
    at: Moment,
    rev: Moment,
}

fn event(
    file: &File<'_>,
    rating: &Object<'_>,
    rated: &Rated<'_>,
    kind: Kind,
) -> Result<Event, RecordError> {
    let mut event = file.origin.event(Part::of("rating", rated.id, rated.part), kind, rated.at)?;
    event.rev = Some(rated.rev.at.to_string());
    event.conversation = Some(ticket::conversation(file, rated.ticket)?);
    event.channel = file
        .tickets
        .get(rated.ticket)
        .and_then(|ticket| ticket.channel.as_deref())
        .map_or(cx_core::channel::Channel::Web, super::words::channel);
    let is_answer = rated.part == "score";
    event.direction = if is_answer { Direction::In } else { Direction::Out };
    event.actor.kind = if is_answer { ActorType::Customer } else { ActorType::Automation };
    if let Some(requester) = rating.text("requester_id") {
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
    ]);
    Ok(event)
}
