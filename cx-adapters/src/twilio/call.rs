//! Calls: one event for each, whatever tells of it.

use cx_core::actor::{Actor, ActorType};
use cx_core::channel::Channel;
use cx_core::event::talk::{Call, CallOutcome};
use cx_core::event::{Direction, Event, Kind, TimeOrigin, Visibility};
use cx_core::identifier::{Assurance, Claim, Namespace, Role};
use cx_core::time::{Micros, Timestamp};

use crate::json::{Moment, Object};
use crate::origin::{Origin, Part};
use crate::{Record, RecordError};

const MAPPED_CALLBACK: &[&str] = &[
    "CallSid",
    "From",
    "To",
    "CallStatus",
    "Direction",
    "SequenceNumber",
    "Timestamp",
    "CallDuration",
    "RecordingUrl",
];

const MAPPED_RESOURCE: &[&str] = &[
    "sid",
    "from",
    "to",
    "status",
    "direction",
    "start_time",
    "end_time",
    "duration",
    "date_created",
    "date_updated",
    "parent_call_sid",
    "subresource_uris",
    "uri",
    "caller_name",
];

/// What both tellings of a call say.
struct Told {
    id: String,
    parent: Option<String>,
    direction: Direction,
    from: Option<String>,
    to: Option<String>,
    data: Call,
    when: (Moment, TimeOrigin),
    rev: Option<String>,
}

/// How a status ends a call; `None` while it goes on.
fn outcome(status: &str) -> Option<CallOutcome> {
    match status.trim().to_ascii_lowercase().as_str() {
        "completed" => Some(CallOutcome::Answered),
        "no-answer" => Some(CallOutcome::Missed),
        "busy" => Some(CallOutcome::Busy),
        "failed" => Some(CallOutcome::Failed),
        "canceled" | "cancelled" => Some(CallOutcome::Abandoned),
        _ => None,
    }
}

fn direction(word: Option<&str>) -> Direction {
    if word.is_some_and(|word| word.starts_with("outbound")) {
        Direction::Out
    } else {
        Direction::In
    }
}

/// A call that one of our own softphones places goes out, though Twilio receives it.
fn placed(direction: Direction, from: Option<&str>) -> Direction {
    if from.is_some_and(|from| from.starts_with("client:")) { Direction::Out } else { direction }
}

fn before(at: Timestamp, seconds: u64) -> Option<Timestamp> {
    let micros = Micros::SECOND.times(i64::try_from(seconds).ok()?);
    Timestamp::from_micros(at.as_micros().checked_sub(micros.as_micros())?).ok()
}

/// A status callback: what is known of the call at that point.
pub(super) fn callback(origin: Origin<'_>, callback: &Object<'_>) -> Record {
    let id = callback.need("CallSid")?;
    let status = callback.text("CallStatus").unwrap_or_default();
    let told = callback.moment("Timestamp")?;
    let (at, of) = origin.or_received(told, || callback.problem("Timestamp", "missing"))?;
    let duration_s = callback.first_text(&["CallDuration", "Duration"]);
    let duration_s: Option<u64> = duration_s.and_then(|seconds| seconds.parse().ok());
    let outcome = outcome(&status);
    let is_answered = outcome == Some(CallOutcome::Answered);
    let answered_at = match (status.as_str(), is_answered) {
        ("in-progress", _) => Some(at.at),
        (_, true) => duration_s.and_then(|seconds| before(at.at, seconds)),
        _ => None,
    };
    // The end is told, and the call stands on the timeline where it began.
    let began = answered_at.filter(|_| is_answered).unwrap_or(at.at);
    let data = Call {
        answered_at,
        ended_at: outcome.map(|_| at.at),
        duration_s,
        outcome,
        recording_ref: callback.text("RecordingUrl"),
        ..Call::default()
    };
    let told = Told {
        id,
        parent: callback.text("ParentCallSid"),
        direction: placed(
            direction(callback.text("Direction").as_deref()),
            callback.first_text(&["From", "Caller"]).as_deref(),
        ),
        from: callback.first_text(&["From", "Caller"]),
        to: callback.first_text(&["To", "Called"]),
        data,
        when: (Moment { at: began, ..at }, of),
        rev: callback.text("SequenceNumber"),
    };
    let mut event = event(origin, told)?;
    event.name = callback.text("CallerName");
    event.extra = callback.rest(MAPPED_CALLBACK);
    event.extra.insert("status".to_owned(), status.into());
    Ok(event)
}

/// What happens in the course of a call and tells nothing of how it went: a recording is there, a
/// key was pressed. Kept for the business's eyes, with the call.
pub(super) fn aside(origin: Origin<'_>, callback: &Object<'_>) -> Record {
    let id = callback.need("CallSid")?;
    let told = callback.moment("Timestamp")?;
    let (at, of) = origin.or_received(told, || callback.problem("Timestamp", "missing"))?;
    let digest = callback.digest();
    let data = callback.rest(&["CallSid", "AccountSid", "ApiVersion"]);
    let mut event = origin.custom(Part::of("call", &id, &digest), "call_aside", data, at)?;
    event.occurred_at_origin = of;
    event.channel = Channel::Phone;
    event.conversation = Some(origin.conversation("call", &id)?);
    Ok(event)
}

/// The call as the API gives it.
pub(super) fn resource(origin: Origin<'_>, call: &Object<'_>) -> Record {
    let id = call.need("sid")?;
    let started = call.moment("start_time")?;
    let told = match started {
        Some(started) => Some(started),
        None => call.moment("date_created")?,
    };
    let when = origin.or_received(told, || call.problem("start_time", "missing"))?;
    let status = call.text("status").unwrap_or_default();
    let outcome = outcome(&status);
    let data = Call {
        started_at: started.map(|started| started.at),
        ended_at: call.moment("end_time")?.map(|ended| ended.at),
        duration_s: call.text("duration").and_then(|seconds| seconds.parse().ok()),
        outcome,
        ..Call::default()
    };
    let told = Told {
        id,
        parent: call.text("parent_call_sid"),
        direction: placed(
            direction(call.text("direction").as_deref()),
            call.text("from").as_deref(),
        ),
        from: call.text("from"),
        to: call.text("to"),
        data,
        when,
        rev: Some(call.moment("date_updated")?.unwrap_or(when.0).at.to_string()),
    };
    let mut event = event(origin, told)?;
    event.name = call.text("caller_name");
    event.extra = call.rest(MAPPED_RESOURCE);
    event.extra.insert("status".to_owned(), status.into());
    Ok(event)
}

fn event(origin: Origin<'_>, told: Told) -> Result<Event, RecordError> {
    let (moment, of) = told.when;
    let part = Part::whole("call", &told.id);
    if let Some(parent) = &told.parent {
        // One leg of a call that is told of itself: no second contact.
        let name = "custom.twilio.call_leg".to_owned();
        let mut data = told.data.to_json();
        for (field, number) in [("from", &told.from), ("to", &told.to)] {
            if let Some(number) = number {
                data.insert(field.to_owned(), number.clone().into());
            }
        }
        let kind = Kind::Custom { name, data };
        let mut event = origin.event(part, kind, moment)?;
        event.rev = told.rev;
        event.occurred_at_origin = of;
        event.channel = Channel::Phone;
        event.visibility = Visibility::Internal;
        event.actor = Actor::of(ActorType::System);
        event.conversation = Some(origin.conversation("call", parent)?);
        return Ok(event);
    }
    let mut event = origin.event(part, Kind::Call(told.data), moment)?;
    event.rev = told.rev;
    event.occurred_at_origin = of;
    event.channel = Channel::Phone;
    event.direction = told.direction;
    event.conversation = Some(origin.conversation("call", &told.id)?);
    let (actor, role, number) = if told.direction == Direction::Out {
        (ActorType::Agent, Role::To, told.to)
    } else {
        (ActorType::Customer, Role::From, told.from)
    };
    event.actor = Actor::of(actor);
    event.who.extend(number.and_then(|number| caller(origin, &number, role)));
    Ok(event)
}

/// Who is on the other end. A withheld number is nobody's.
pub(super) fn caller(origin: Origin<'_>, address: &str, role: Role) -> Option<Claim> {
    let proved = Assurance::ChannelProved;
    if let Some(client) = address.strip_prefix("client:") {
        return origin.scoped(Namespace::UserId, client, role, proved);
    }
    if address.starts_with("sip:") || address.starts_with("sips:") {
        return Claim::new(Namespace::Sip, address, role, proved).ok();
    }
    origin.phone(address, None, role, proved)
}
