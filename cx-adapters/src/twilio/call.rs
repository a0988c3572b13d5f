//! Calls: one event for each, whatever tells of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use cx_core::actor::{Actor, ActorType};
use cx_core::channel::Channel;
use cx_core::event::talk::{Call, CallOutcome};
use cx_core::event::{Direction, Event, Kind, TimeOrigin, Visibility};
use cx_core::identifier::{Assurance, Claim, Namespace, Role};
use cx_core::time::{Micros, Timestamp};
use serde_json::{Map, Value};

use crate::json::{Moment, Object};
use crate::origin::{Origin, Part};
use crate::{Record, RecordError};

const MAPPED_CALLBACK: &[&str] = &[
    "CallSid",
    "CallStatus",
    "Direction",
    "SequenceNumber",
    "Timestamp",
    "CallDuration",
    "RecordingUrl",
];

const MAPPED_RESOURCE: &[&str] = &[
    "sid",
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

/// How a status ends a call; `None` while it goes on. Where Twilio listened to who picked up, a
/// machine is nobody.
fn outcome(status: &str, answered_by: Option<&str>) -> Option<CallOutcome> {
    match status.trim().to_ascii_lowercase().as_str() {
        "completed" => Some(match answered_by {
            Some(by) if by.starts_with("machine") => CallOutcome::Voicemail,
            Some("fax") => CallOutcome::Missed,
            _ => CallOutcome::Answered,
        }),
        "no-answer" => Some(CallOutcome::Missed),
        "busy" => Some(CallOutcome::Busy),
        "failed" => Some(CallOutcome::Failed),
        "canceled" | "cancelled" => Some(CallOutcome::Abandoned),
        _ => None,
    }
}

/// Which way a call went: by Twilio's word, else by whose number placed it. A call that one of our
/// own softphones places goes out, though Twilio receives it; who calls us from our website comes in.
fn direction(
    origin: Origin<'_>,
    word: Option<&str>,
    from: Option<&str>,
    to: Option<&str>,
) -> Direction {
    let is_softphone = from.is_some_and(|from| from.starts_with("client:"))
        && to.is_some_and(|to| !origin.is_own_number(to));
    // Both ends are at our own SIP domain: a telephone of ours dials a number.
    let host = |address: Option<&str>| sip(address?).map(|(_, host)| host.to_ascii_lowercase());
    let is_in_house = host(from).is_some_and(|from| Some(from) == host(to));
    let is_out = match word.unwrap_or_default() {
        _ if is_softphone || is_in_house => true,
        "inbound" | "trunking-originating" => false,
        word if word.starts_with("outbound") || word == "trunking-terminating" => true,
        _ => from.is_some_and(|from| origin.is_own_number(from)),
    };
    if is_out { Direction::Out } else { Direction::In }
}

/// The calls of a file that hang together. An agent who dials in the browser makes two: the call of
/// the softphone, which Twilio receives and which has no number, and the one that Twilio dials for it,
/// which is the call to the customer.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Those of softphones that call nobody.
    of_softphones: HashSet<String>,
    /// Those that one of our numbers dials for another, each with that other.
    dialled: BTreeMap<String, String>,
    /// The first call that was dialled for a softphone, by the softphone's.
    by_softphone: HashMap<String, String>,
}

/// Whether a file may have a call that was dialled for another.
pub(super) fn has_legs(bytes: &[u8]) -> bool {
    let word = b"outbound-dial";
    bytes.windows(word.len()).any(|part| part == word)
}

impl Calls {
    pub(super) fn gather(&mut self, origin: Origin<'_>, call: &Object<'_>) {
        let Some(id) = call.first_text(&["CallSid", "sid"]) else { return };
        let word = call.first_text(&["Direction", "direction"]);
        let from = call.first_text(&["From", "Caller", "from"]);
        let to = call.first_text(&["To", "Called", "to"]);
        if is_softphone_alone(from.as_deref(), to.as_deref()) {
            self.of_softphones.insert(id.clone());
        }
        let is_address = |to: &String| to.contains(':');
        let is_dialled = word.as_deref() == Some("outbound-dial")
            && from.is_some_and(|from| origin.is_own_number(&from))
            && to.is_some_and(|to| !is_address(&to) && !origin.is_own_number(&to));
        let parent = call.first_text(&["ParentCallSid", "parent_call_sid"]);
        self.dialled.extend(parent.filter(|_| is_dialled).map(|parent| (id, parent)));
    }

    /// The calls once all of a file are gathered.
    pub(super) fn read(mut self) -> Self {
        let of_softphones = &self.of_softphones;
        self.dialled.retain(|_, parent| of_softphones.contains(parent));
        for (id, parent) in &self.dialled {
            self.by_softphone.entry(parent.clone()).or_insert_with(|| id.clone());
        }
        self
    }

    /// The call that a call is only a leg of.
    fn whole(&self, id: &str, parent: Option<String>) -> Option<String> {
        match self.by_softphone.get(id) {
            Some(dialled) => Some(dialled.clone()),
            None => parent.filter(|_| !self.dialled.contains_key(id)),
        }
    }
}

/// Whether a softphone calls, and neither a number nor another softphone: what it dials is a call of
/// its own. (`AP…` is a program at Twilio.)
fn is_softphone_alone(from: Option<&str>, to: Option<&str>) -> bool {
    from.is_some_and(|from| ["client:", "sip:", "sips:"].iter().any(|it| from.starts_with(it)))
        && to.is_none_or(|to| to.starts_with("AP") || to.starts_with("app:"))
}

/// The name and the host in `sip:name@host;parameters`.
fn sip(address: &str) -> Option<(&str, &str)> {
    let address = address.strip_prefix("sip:").or_else(|| address.strip_prefix("sips:"))?;
    let (name, host) = address.split_once('@')?;
    Some((name, host.split([':', ';', '?', '>']).next().unwrap_or(host)))
}

fn before(at: Timestamp, seconds: u64) -> Option<Timestamp> {
    let micros = Micros::SECOND.times(i64::try_from(seconds).ok()?);
    Timestamp::from_micros(at.as_micros().checked_sub(micros.as_micros())?).ok()
}

/// A callback: what is known of the call at that point. Twilio's requests for what to do next are
/// none of its status and have no order among them: each tells that there is a call, and what else
/// it says stands beside it. So does what is told of a recording, a conference or a stream alone:
/// its numbers are counted apart from those of the call.
pub(super) fn callback(origin: Origin<'_>, calls: &Calls, callback: &Object<'_>) -> Vec<Record> {
    let is_of_recording = callback.has("RecordingStatus") || callback.has("TranscriptionSid");
    if is_of_recording || !callback.has("CallStatus") {
        return vec![aside(origin, calls, callback)];
    }
    if !is_request(callback) {
        return vec![status(origin, calls, callback)];
    }
    let mut records = vec![requested(origin, calls, callback)];
    if says_more(callback) {
        records.push(aside(origin, calls, callback));
    }
    records
}

/// Whether a callback asks what to do next, and does not tell how far the call is.
fn is_request(callback: &Object<'_>) -> bool {
    let of_status = ["SequenceNumber", "Timestamp", "CallDuration", "Duration"];
    let is_end = outcome(&callback.text("CallStatus").unwrap_or_default(), None).is_some();
    // What a step before it came to.
    let of_step = ["Dial", "Queue", "Digits", "Speech", "Recording"];
    let is_after =
        callback.fields().keys().any(|name| of_step.iter().any(|step| name.starts_with(step)));
    !of_status.iter().any(|name| callback.has(name)) && (!is_end || is_after)
}

/// Whether a request says more than the first one of a call does.
fn says_more(callback: &Object<'_>) -> bool {
    let is_usual = |name: &String| {
        let sides = ["From", "To", "Caller", "Called"];
        let rest = sides.iter().find_map(|side| name.strip_prefix(side)).unwrap_or(name);
        ["", "City", "State", "Zip", "Country", "Name"].contains(&rest)
            || ["AccountSid", "ApiVersion", "CallSid", "CallStatus", "Direction", "ParentCallSid"]
                .contains(&name.as_str())
            || ["Stir", "CallToken", "ForwardedFrom"].iter().any(|start| name.starts_with(start))
    };
    let status = callback.text("CallStatus").unwrap_or_default();
    !["", "queued", "initiated", "ringing"].contains(&status.as_str())
        || !callback.fields().keys().all(is_usual)
}

/// That there is a call: all requests of one call say it alike.
fn requested(origin: Origin<'_>, calls: &Calls, callback: &Object<'_>) -> Record {
    let when = origin.or_received(None, || callback.problem("Timestamp", "missing"))?;
    let mut event = event(origin, told(origin, calls, callback, Call::default(), when)?)?;
    event.name = callback.text("CallerName");
    event.extra = rest(callback, MAPPED_CALLBACK, ["From", "To"], event.direction, &event);
    event.extra.insert("status".to_owned(), callback.text("CallStatus").into());
    Ok(event)
}

fn told(
    origin: Origin<'_>,
    calls: &Calls,
    callback: &Object<'_>,
    data: Call,
    when: (Moment, TimeOrigin),
) -> Result<Told, RecordError> {
    let from = callback.first_text(&["From", "Caller"]);
    let to = callback.first_text(&["To", "Called"]);
    let word = callback.text("Direction");
    let id = callback.need("CallSid")?;
    Ok(Told {
        parent: calls.whole(&id, callback.text("ParentCallSid")),
        id,
        direction: direction(origin, word.as_deref(), from.as_deref(), to.as_deref()),
        from,
        to,
        data,
        when,
        rev: None,
    })
}

/// The place of the end among the numbers of a call's callbacks.
const END: &str = "3";

/// The place of a status among the numbers of a call's callbacks.
fn rank(status: &str, outcome: Option<CallOutcome>) -> &'static str {
    match status {
        "ringing" => "1",
        "in-progress" => "2",
        _ if outcome.is_some() => END,
        _ => "0",
    }
}

fn status(origin: Origin<'_>, calls: &Calls, callback: &Object<'_>) -> Record {
    let status = callback.text("CallStatus").unwrap_or_default();
    let stamp = callback.moment("Timestamp")?;
    let (at, of) = origin.or_received(stamp, || callback.problem("Timestamp", "missing"))?;
    let duration_s = callback.first_text(&["CallDuration", "Duration"]);
    let duration_s: Option<u64> = duration_s.and_then(|seconds| seconds.parse().ok());
    let answered_by = callback.text("AnsweredBy");
    let outcome = outcome(&status, answered_by.as_deref());
    let is_by_machine = answered_by.is_some_and(|by| by.starts_with("machine") || by == "fax");
    // When it was imported is no part of what it says.
    let connected_at = stamp.and_then(|stamp| match status.as_str() {
        "in-progress" => Some(stamp.at),
        "completed" => duration_s.and_then(|seconds| before(stamp.at, seconds)),
        _ => None,
    });
    let answered_at = connected_at.filter(|_| !is_by_machine);
    // The end is told, and the call stands on the timeline where it began.
    let began = connected_at.unwrap_or(at.at);
    let data = Call {
        answered_at,
        ended_at: stamp.filter(|_| outcome.is_some()).map(|stamp| stamp.at),
        duration_s,
        outcome,
        recording_ref: callback.text("RecordingUrl"),
        ..Call::default()
    };
    // Old callbacks have no number: they come in this order, which is that of the numbers. Where
    // only the end is asked for, it may be the first that is counted.
    let number = callback.text("SequenceNumber");
    let is_early = number.as_deref().is_none_or(|number| ["0", "1", "2"].contains(&number));
    let rev = match number {
        Some(_) if outcome.is_some() && is_early => END.to_owned(),
        Some(number) => number,
        None => rank(&status, outcome).to_owned(),
    };
    let told = told(origin, calls, callback, data, (Moment { at: began, ..at }, of))?;
    let mut event = event(origin, Told { rev: Some(rev), ..told })?;
    event.name = callback.text("CallerName");
    event.extra = rest(callback, MAPPED_CALLBACK, ["From", "To"], event.direction, &event);
    event.extra.insert("status".to_owned(), status.into());
    Ok(event)
}

/// What a telling of a call says beyond what is read of it. A number or address of which no claim
/// came, such as the one of ours that was called, is kept too.
pub(super) fn rest(
    told: &Object<'_>,
    mapped: &[&str],
    [from, to]: [&str; 2],
    direction: Direction,
    event: &Event,
) -> Map<String, Value> {
    let mut rest = told.rest(mapped);
    if !event.who.is_empty() {
        drop(rest.remove(if direction == Direction::Out { to } else { from }));
    }
    rest
}

/// What happens in the course of a call and tells nothing of how it went: a recording is there, a
/// key was pressed. Kept for the business's eyes, with the call and whose it is.
fn aside(origin: Origin<'_>, calls: &Calls, callback: &Object<'_>) -> Record {
    let id = callback.need("CallSid")?;
    let stamp = callback.moment("Timestamp")?;
    let when = origin.or_received(stamp, || callback.problem("Timestamp", "missing"))?;
    let digest = callback.digest();
    let data = callback.rest(&["CallSid", "AccountSid", "ApiVersion"]);
    let mut event = origin.custom(Part::of("call", &id, &digest), "call_aside", data, when.0)?;
    event.occurred_at_origin = when.1;
    event.channel = Channel::Phone;
    event.conversation = Some(origin.conversation("call", &id)?);
    let told = told(origin, calls, callback, Call::default(), when)?;
    if told.parent.is_none() {
        event.who.extend(other_side(origin, &told));
    }
    Ok(event)
}

/// The call as the API gives it.
pub(super) fn resource(origin: Origin<'_>, calls: &Calls, call: &Object<'_>) -> Record {
    let id = call.need("sid")?;
    let started = call.moment("start_time")?;
    let told = match started {
        Some(started) => Some(started),
        None => call.moment("date_created")?,
    };
    let when = origin.or_received(told, || call.problem("start_time", "missing"))?;
    let status = call.text("status").unwrap_or_default();
    let outcome = outcome(&status, call.text("answered_by").as_deref());
    // One that still goes on is a telling among those of the callbacks, before the one of its status.
    let rev = match outcome {
        Some(_) => call.moment("date_updated")?.unwrap_or(when.0).at.to_string(),
        None => format!("0{}", rank(&status, outcome)),
    };
    let data = Call {
        started_at: started.map(|started| started.at),
        ended_at: call.moment("end_time")?.map(|ended| ended.at),
        duration_s: call.text("duration").and_then(|seconds| seconds.parse().ok()),
        outcome,
        ..Call::default()
    };
    let told = Told {
        parent: calls.whole(&id, call.text("parent_call_sid")),
        id,
        direction: direction(
            origin,
            call.text("direction").as_deref(),
            call.text("from").as_deref(),
            call.text("to").as_deref(),
        ),
        from: call.text("from"),
        to: call.text("to"),
        data,
        when,
        rev: Some(rev),
    };
    let mut event = event(origin, told)?;
    event.name = call.text("caller_name");
    event.extra = rest(call, MAPPED_RESOURCE, ["from", "to"], event.direction, &event);
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
    let claim = other_side(origin, &told);
    let mut event = origin.event(part, Kind::Call(told.data), moment)?;
    event.rev = told.rev;
    event.occurred_at_origin = of;
    event.channel = Channel::Phone;
    event.direction = told.direction;
    event.conversation = Some(origin.conversation("call", &told.id)?);
    let is_out = told.direction == Direction::Out;
    event.actor = Actor::of(if is_out { ActorType::Agent } else { ActorType::Customer });
    event.who.extend(claim);
    Ok(event)
}

/// Whom we called, or who called us.
fn other_side(origin: Origin<'_>, told: &Told) -> Option<Claim> {
    let (role, address) = match told.direction {
        Direction::Out => (Role::To, &told.to),
        Direction::In | Direction::None => (Role::From, &told.from),
    };
    caller(origin, address.as_deref()?, role)
}

/// Who is on the other end. A withheld number is nobody's.
pub(super) fn caller(origin: Origin<'_>, address: &str, role: Role) -> Option<Claim> {
    let proved = Assurance::ChannelProved;
    if let Some(client) = address.strip_prefix("client:") {
        return origin.scoped(Namespace::UserId, client, role, proved);
    }
    // A number that is dialled by way of SIP is a number.
    let dialled = sip(address).map(|(name, _)| name).filter(|name| {
        let digits = name.strip_prefix('+').unwrap_or(name);
        role == Role::To && digits.len() >= 7 && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    if let Some(number) = dialled {
        return origin.phone(number, None, role, proved);
    }
    if address.starts_with("sip:") || address.starts_with("sips:") {
        return Claim::new(Namespace::Sip, address, role, proved).ok();
    }
    origin.phone(address, None, role, proved)
}
