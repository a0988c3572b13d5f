//! Conversations: how they began, what changed, and when a bot handed over.

use cx_core::actor::{Actor, ActorType};
use cx_core::channel::Channel;
use cx_core::event::conversation::{
    Assigned, Changed, Fact, FieldChanged, Handover, Opened, Party, PartyType, State, Status, Tags,
};
use cx_core::event::{Direction, Kind, TimeOrigin};
use cx_core::identifier::Role;
use cx_core::time::Timestamp;
use serde_json::Value;

use super::{Outcome, contact, internal, message, timed, words};
use crate::json::{self, Moment, Object};
use crate::origin::{Origin, Part};
use crate::{Record, RecordError};

/// Fields that only say when something else was done.
const BOOKKEEPING: &[&str] = &[
    "updated_at",
    "last_activity_at",
    "waiting_since",
    "first_reply_created_at",
    "agent_last_seen_at",
    "contact_last_seen_at",
    "assignee_last_seen_at",
    "cached_label_list",
];

const MAPPED: &[&str] = &[
    "event",
    "id",
    "display_id",
    "status",
    "created_at",
    "updated_at",
    "timestamp",
    "messages",
    "meta",
    "contact_inbox",
    "changed_attributes",
    "account",
    "labels",
    "priority",
];

/// The id by which people know a conversation: the display id, within the account.
pub(super) fn id(conversation: &Object<'_>) -> Option<String> {
    conversation.first_text(&["display_id", "id"])
}

fn need_id(conversation: &Object<'_>) -> Result<String, RecordError> {
    id(conversation).ok_or_else(|| conversation.problem("id", "missing"))
}

/// A conversation that began, with the messages it carries.
pub(super) fn created(origin: Origin<'_>, conversation: &Object<'_>) -> Vec<Record> {
    let mut records = vec![opened(origin, conversation, Copy::First)];
    let messages = conversation.list("messages");
    records
        .extend(messages.iter().flat_map(|said| message::nested(origin, said, Some(conversation))));
    records
}

/// A conversation as it stands: how it began, the state in which it was seen, and its messages. The
/// changes themselves come from webhooks.
pub(super) fn seen(origin: Origin<'_>, conversation: &Object<'_>) -> Vec<Record> {
    let mut records = vec![opened(origin, conversation, Copy::Later)];
    records.push(stands(origin, conversation));
    let messages = conversation.list("messages");
    records
        .extend(messages.iter().flat_map(|said| message::nested(origin, said, Some(conversation))));
    records
}

/// The state in which a copy of the conversation was seen: one event, revised with every newer copy.
fn stands(origin: Origin<'_>, conversation: &Object<'_>) -> Record {
    let id = need_id(conversation)?;
    let fields = ["updated_at", "last_activity_at", "timestamp", "created_at"];
    let told = conversation.first_moment(&fields)?;
    let (at, _) = origin.or_received(told, || conversation.problem("updated_at", "missing"))?;
    let native = conversation.need("status")?.to_ascii_lowercase();
    let data = Status {
        to: words::state(&native),
        native: Some(native),
        snoozed_until: conversation.moment("snoozed_until")?.map(|until| until.at),
        ..Status::default()
    };
    let part = Part::of("conversation", &id, "status");
    let when = (at, TimeOrigin::Received);
    let mut event = timed(origin, part, Kind::ConversationStatus(data), when)?;
    event.rev = Some(at.at.to_string());
    event.channel = Channel::System;
    event.actor = Actor::of(ActorType::System);
    event.conversation = Some(origin.conversation("conversation", &id)?);
    Ok(event)
}

/// Which copy of a conversation: only the first one tells the state it began in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copy {
    First,
    Later,
}

fn opened(origin: Origin<'_>, conversation: &Object<'_>, copy: Copy) -> Record {
    let id = need_id(conversation)?;
    let told = conversation.first_moment(&["created_at", "timestamp", "updated_at"])?;
    let when = origin.or_received(told, || conversation.problem("created_at", "missing"))?;
    let status = conversation.text("status").map(|status| status.to_ascii_lowercase());
    let meta = conversation.object("meta");
    let data = Opened {
        state: status.as_deref().filter(|_| copy == Copy::First).map(words::state),
        native: status.filter(|_| copy == Copy::First),
        priority: conversation.text("priority"),
        assignee: meta.as_ref().and_then(|meta| person(meta, "assignee", PartyType::Agent)),
        team: meta.as_ref().and_then(|meta| person(meta, "team", PartyType::Team)),
        tags: conversation.texts("labels"),
        ..Opened::default()
    };
    let part = Part::of("conversation", &id, "opened");
    let mut event = timed(origin, part, Kind::ConversationOpened(data.into()), when)?;
    // The first copy stands: how it began does not change. Later ones are numbers, which come
    // before any instant.
    let updated = conversation.first_moment(&["updated_at", "last_activity_at", "timestamp"])?;
    event.rev = updated.map(|moment| match copy {
        Copy::First => moment.at.to_string(),
        Copy::Later => moment.at.as_micros().to_string(),
    });
    event.conversation = Some(origin.conversation("conversation", &id)?);
    event.channel = contact::channel(conversation, Some(conversation));
    event.direction = Direction::In;
    event.actor = Actor::of(ActorType::Customer);
    if let Some(known) = contact::of(conversation, Some(conversation)) {
        event.name = known.name();
        event.who = known.claims(origin, Role::Requester);
        event.extra.extend(known.unclaimed(&event.who));
    }
    event.extra.extend(conversation.rest(MAPPED));
    Ok(event)
}

fn person(meta: &Object<'_>, field: &str, kind: PartyType) -> Option<Party> {
    let person = meta.object(field)?;
    Some(Party {
        kind,
        id: person.text("id"),
        name: person.first_text(&["available_name", "name"]),
    })
}

/// One changed attribute: its name, what it was and what it is.
struct Change<'a> {
    name: &'a str,
    from: Option<&'a Value>,
    to: Option<&'a Value>,
}

/// The changed attributes: a list of objects with one field each, or one object.
fn changes<'a>(conversation: &Object<'a>) -> Vec<Change<'a>> {
    let mut changes = Vec::new();
    for entry in conversation.list("changed_attributes") {
        for (name, value) in entry.fields() {
            let side = |side: &str| value.get(side).filter(|value| !value.is_null());
            changes.push(Change { name, from: side("previous_value"), to: side("current_value") });
        }
    }
    changes
}

fn word(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn words_in(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(|item| word(Some(item))).collect(),
        Some(Value::String(text)) => {
            text.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect()
        }
        _ => Vec::new(),
    }
}

/// What a changed conversation's events share.
struct Turn<'a, 'b> {
    origin: Origin<'a>,
    conversation: &'b Object<'b>,
    id: String,
    when: (Moment, TimeOrigin),
    /// Names the moment of the change in keys: its second, else the payload's content.
    tick: String,
}

/// A conversation in which something changed: one event for each attribute, and a handover where
/// a bot let go of it.
pub(super) fn changed(origin: Origin<'_>, conversation: &Object<'_>) -> Outcome {
    let changes = changes(conversation);
    // The change's own instant, where it is among what changed: the conversation may be touched
    // again before a webhook is written. Webhooks of one change differ in the fraction, too.
    let own = changes.iter().find(|change| change.name == "updated_at");
    let own = own.and_then(|change| json::instant(&word(change.to)?).ok());
    let told = match own {
        Some(own) => Some(own),
        None => conversation.first_moment(&["updated_at", "timestamp", "last_activity_at"])?,
    };
    let second = |moment: Moment| {
        let at = Timestamp::from_seconds(moment.at.as_micros().div_euclid(1_000_000));
        Moment { at: at.unwrap_or(moment.at), ..moment }
    };
    let told = told.map(second);
    let when = origin.or_received(told, || conversation.problem("updated_at", "missing"))?;
    let tick = told.map_or_else(|| conversation.digest(), |moment| moment.at.to_string());
    let changed = Turn { origin, conversation, id: need_id(conversation)?, when, tick };
    let mut records = Vec::new();
    for change in &changes {
        records.extend(changed.one(change));
    }
    let is_status = conversation.text("event").is_some_and(|event| {
        matches!(
            event.as_str(),
            "conversation_status_changed" | "conversation_resolved" | "conversation_opened"
        )
    });
    if is_status && !changes.iter().any(|change| change.name == "status") {
        let status = conversation.need("status")?;
        records.push(changed.status(None, &status));
    }
    if conversation.has("created_at") {
        records.push(opened(origin, conversation, Copy::Later));
    }
    let messages = conversation.list("messages");
    records
        .extend(messages.iter().flat_map(|said| message::nested(origin, said, Some(conversation))));
    Ok(records)
}

impl Turn<'_, '_> {
    fn one(&self, change: &Change<'_>) -> Vec<Record> {
        let (from, to) = (word(change.from), word(change.to));
        match change.name {
            "status" => {
                let Some(to) = to else { return Vec::new() };
                let mut records = vec![self.status(from.as_deref(), &to)];
                let from = from.as_deref().map(words::state);
                if from == Some(State::Bot) && words::state(&to) == State::Open {
                    records.push(self.handover());
                }
                records
            }
            "assignee_id" => {
                let named = self.named("assignee", to.as_deref(), PartyType::Agent);
                let from = from.map(|id| party(PartyType::Agent, id));
                let data = Assigned { from, to: named, ..Assigned::default() };
                vec![self.event("assignee", Kind::ConversationAssigned(data)).map(internal)]
            }
            "team_id" => {
                let team = self.named("team", to.as_deref(), PartyType::Team);
                let data = Assigned { team, ..Assigned::default() };
                vec![self.event("team", Kind::ConversationAssigned(data)).map(internal)]
            }
            "priority" => {
                let data = Changed { from, to, ..Changed::default() };
                vec![self.event("priority", Kind::ConversationPriority(data)).map(internal)]
            }
            "label_list" | "labels" => self.labels(&words_in(change.from), &words_in(change.to)),
            "custom_attributes" | "additional_attributes" => self.fields(change),
            name if BOOKKEEPING.contains(&name) => Vec::new(),
            name => vec![self.field(name, change.from, change.to)],
        }
    }

    fn event(&self, part: &str, kind: Kind) -> Record {
        let part = format!("{part}/{}", self.tick);
        let part = Part::of("conversation", &self.id, &part);
        let mut event = timed(self.origin, part, kind, self.when)?;
        event.channel = Channel::System;
        event.actor = Actor::of(ActorType::System);
        event.conversation = Some(self.origin.conversation("conversation", &self.id)?);
        Ok(event)
    }

    /// A change of state. Two webhooks tell of the same change, and only one of them may know the
    /// state before: it is the later revision.
    fn status(&self, from: Option<&str>, to: &str) -> Record {
        let native = to.to_ascii_lowercase();
        let data = Status {
            from: from.map(words::state),
            to: words::state(&native),
            native: Some(native.clone()),
            snoozed_until: self.conversation.moment("snoozed_until")?.map(|until| until.at),
            ..Status::default()
        };
        let mut event = self.event(&format!("status/{native}"), Kind::ConversationStatus(data))?;
        event.rev = Some(if from.is_some() { "1" } else { "0" }.to_owned());
        Ok(event)
    }

    /// A bot let go of the conversation. What it asked stands in the conversation's attributes
    /// and in the forms that were filled in.
    fn handover(&self) -> Record {
        let mut facts = Vec::new();
        if let Some(attributes) = self.conversation.object("custom_attributes") {
            for (name, value) in attributes.fields() {
                if let Some(value) = word(Some(value)) {
                    facts.push(Fact { name: name.clone(), value, said_by: None, event: None });
                }
            }
        }
        for said in self.conversation.list("messages") {
            let event = said.text("id").map(|id| self.origin.path("message", &id));
            for (name, value) in message::submitted(&said) {
                let said_by = Some(Actor::of(ActorType::Customer));
                facts.push(Fact { name, value, said_by, event: event.clone() });
            }
        }
        let meta = self.conversation.object("meta");
        let data = Handover {
            from: Some(Party { kind: PartyType::Bot, id: None, name: None }),
            to: meta.as_ref().and_then(|meta| {
                person(meta, "assignee", PartyType::Agent)
                    .or_else(|| person(meta, "team", PartyType::Team))
            }),
            facts,
            ..Handover::default()
        };
        let mut event = self.event("handover", Kind::ConversationHandover(data.into()))?;
        event.actor = Actor::of(ActorType::Bot);
        Ok(internal(event))
    }

    fn labels(&self, before: &[String], now: &[String]) -> Vec<Record> {
        let put: Vec<String> = now.iter().filter(|tag| !before.contains(tag)).cloned().collect();
        let taken: Vec<String> = before.iter().filter(|tag| !now.contains(tag)).cloned().collect();
        let mut records = Vec::new();
        if !put.is_empty() {
            let data = Tags { tags: put, ..Tags::default() };
            let part = format!("tagged/{}", put_names(&data.tags));
            records.push(self.event(&part, Kind::ConversationTagged(data)).map(internal));
        }
        if !taken.is_empty() {
            let data = Tags { tags: taken, ..Tags::default() };
            let part = format!("untagged/{}", put_names(&data.tags));
            records.push(self.event(&part, Kind::ConversationUntagged(data)).map(internal));
        }
        records
    }

    /// The attributes that differ, each an event of its own.
    fn fields(&self, change: &Change<'_>) -> Vec<Record> {
        let empty = serde_json::Map::new();
        let object =
            |value: Option<&'_ Value>| value.and_then(Value::as_object).unwrap_or(&empty).clone();
        let (before, now) = (object(change.from), object(change.to));
        let mut names: Vec<&String> = before.keys().chain(now.keys()).collect();
        names.sort();
        names.dedup();
        let differing = names.into_iter().filter(|name| before.get(*name) != now.get(*name));
        differing.map(|name| self.field(name, before.get(name), now.get(name))).collect()
    }

    fn field(&self, name: &str, from: Option<&Value>, to: Option<&Value>) -> Record {
        let data = FieldChanged {
            name: name.to_owned(),
            from: from.cloned(),
            to: to.cloned(),
            ..FieldChanged::default()
        };
        self.event(&format!("field/{name}"), Kind::ConversationField(data)).map(internal)
    }

    /// The new owner, with the name where the payload has it.
    fn named(&self, field: &str, id: Option<&str>, kind: PartyType) -> Option<Party> {
        let id = id?;
        let meta = self.conversation.object("meta");
        let known = meta.as_ref().and_then(|meta| person(meta, field, kind));
        Some(
            known
                .filter(|known| known.id.as_deref() == Some(id))
                .unwrap_or_else(|| party(kind, id.to_owned())),
        )
    }
}

/// Tags in a key: two changes in one second are two.
fn put_names(tags: &[String]) -> String {
    tags.join("+")
}

const fn party(kind: PartyType, id: String) -> Party {
    Party { kind, id: Some(id), name: None }
}
