//! Zendesk: tickets, comments, audits, users, identities and satisfaction ratings as its API
//! gives them, and its event webhooks.
//!
//! A comment may come from three places: the list of comments, an audit, a webhook. All three
//! give one event; where they say more or less, the fuller one is shown. A status change may come
//! from an audit, from a webhook and from the ticket's metrics: it is one event of that ticket, that
//! state and that second.

mod audit;
mod chat;
mod comment;
mod exported;
mod person;
mod rating;
mod ticket;
mod webhook;
mod words;

use std::collections::{HashMap, HashSet};

use cx_core::actor::{Actor, ActorType};
use cx_core::event::{Direction, Event, Kind, Visibility};
use cx_core::identifier::{Claim, Namespace, Role};
use cx_core::ids::ConversationKey;
use cx_core::time::Timestamp;
use serde_json::Value;

use crate::json::{self, Documents, Object};
use crate::origin::{Origin, bare_address};
use crate::{Options, Record, RecordError};

/// The events in Zendesk's records: one JSON document or several, in any order.
///
/// Each record of a document becomes its own events; a field that cannot be read is an error with
/// the record's line and the field's pointer, and the other records still come.
///
/// ```
/// let ticket = br#"{"ticket": {"id": 5, "created_at": "2026-03-02T09:15:00Z",
///     "updated_at": "2026-03-02T09:15:00Z", "subject": "Order 1001", "status": "new",
///     "via": {"channel": "web"}, "requester_id": 71}}"#;
/// let options = cx_adapters::Options::of("acme");
/// let events: Vec<_> = cx_adapters::zendesk::events(ticket, &options).collect::<Result<_, _>>()?;
/// assert_eq!(events[0].key.as_str(), "zendesk:acme/ticket/5#opened");
/// # Ok::<(), cx_adapters::RecordError>(())
/// ```
pub fn events<'a>(bytes: &'a [u8], options: &'a Options) -> Box<dyn Iterator<Item = Record> + 'a> {
    let file = File::read(bytes, options);
    json::records(bytes, move |document| file.records(document))
}

/// The fields of a document in which its records stand.
const READ: &[&str] = &[
    "ticket",
    "tickets",
    "user",
    "users",
    "identity",
    "identities",
    "satisfaction_rating",
    "satisfaction_ratings",
    "audit",
    "audits",
    "ticket_event",
    "ticket_events",
    "comment",
    "comments",
    "metric_set",
    "metric_sets",
    "ticket_metric",
    "ticket_metrics",
];

/// What the file says as a whole, gathered before its records are read, so that it does not
/// matter which record stands first.
struct File<'a> {
    origin: Origin<'a>,
    roles: HashMap<String, ActorType>,
    tickets: HashMap<String, Ticket>,
    /// The addresses of those who work for the business.
    agents: HashSet<String>,
    /// Comments that were made private after they were written.
    made_private: HashSet<String>,
    /// Tickets of which a copy or a comment says that the customer can see them.
    shown: HashSet<String>,
    /// Tickets of which one says that the customer cannot.
    hidden: HashSet<String>,
    /// The conversations of the tickets that the customer cannot see.
    unseen: HashSet<ConversationKey>,
}

/// What comments and audits need to know of their ticket.
#[derive(Debug, Clone, Default)]
struct Ticket {
    requester: Option<String>,
    /// Who opened it, and when.
    submitter: Option<String>,
    created: Option<Timestamp>,
    channel: Option<String>,
}

/// Who did something, and how that is known.
struct Doer {
    actor: Actor,
    /// Whether the role was not told and follows from who asked.
    guessed: bool,
}

impl<'a> File<'a> {
    fn read(bytes: &[u8], options: &'a Options) -> Self {
        let mut file = Self {
            origin: Origin::new("zendesk", options),
            roles: HashMap::new(),
            tickets: HashMap::new(),
            agents: HashSet::new(),
            made_private: HashSet::new(),
            shown: HashSet::new(),
            hidden: HashSet::new(),
            unseen: HashSet::new(),
        };
        for document in Documents::new(bytes).flatten() {
            let elements: Vec<&Value> = match &document.value {
                Value::Array(items) => items.iter().collect(),
                other => vec![other],
            };
            for element in elements {
                if let Ok(object) = Object::of(element, String::new()) {
                    file.gather(&object);
                }
            }
        }
        let unseen = file.hidden.difference(&file.shown);
        let unseen = unseen.filter_map(|id| Some(ticket::conversation(&file, id).ok()?.key));
        file.unseen = unseen.collect();
        file
    }

    fn gather(&mut self, document: &Object<'_>) {
        let users = document.list("user").into_iter().chain(document.list("users"));
        // A user's webhook has the user in `detail`.
        let users = users.chain(document.object("detail").filter(|detail| detail.has("role")));
        for user in users.chain(Some(document.clone()).filter(is_user)) {
            if let (Some(id), Some(role)) = (user.text("id"), user.text("role")) {
                let role = words::role(&role);
                if role.is_agent() {
                    self.agents.extend(user.text("email").map(|email| email.to_lowercase()));
                }
                self.roles.insert(id, role);
            }
        }
        let tickets = document.list("ticket").into_iter().chain(document.list("tickets"));
        let bare = Some(document.clone()).filter(is_ticket);
        for ticket in tickets.chain(bare).chain(document.object("detail")) {
            if let Some(id) = ticket.text("id") {
                self.note_whether_shown(Some(&id), ticket.flag("is_public"));
                let requester = ticket::requester(&ticket);
                let channel = ticket.object("via").and_then(|via| via.text("channel"));
                if requester.is_some() || channel.is_some() {
                    let submitter = ticket.text("submitter_id");
                    let created = ticket.moment("created_at").ok().flatten().map(|it| it.at);
                    self.tickets.insert(id, Ticket { requester, submitter, created, channel });
                }
            }
        }
        let audits = document.list("audit").into_iter().chain(document.list("audits"));
        let audits = audits.chain(Some(document.clone()).filter(is_audit));
        let audits = audits.map(|audit| (audit.text("ticket_id"), audit.list("events")));
        let exported = ["ticket_event", "ticket_events"].into_iter();
        let exported = exported.flat_map(|field| document.list(field));
        let exported = exported.map(|event| (event.text("ticket_id"), event.list("child_events")));
        let told: Vec<(Option<String>, Vec<Object<'_>>)> = audits.chain(exported).collect();
        for (ticket, events) in &told {
            self.note_whether_shown(ticket.as_deref(), audit::shows(events));
        }
        let told = told.into_iter().flat_map(|(_, events)| events);
        let hidden = told.filter_map(|event| comment::made_private(&event));
        self.made_private.extend(hidden.chain(webhook::made_private(document)));
    }

    fn note_whether_shown(&mut self, ticket: Option<&str>, is_shown: Option<bool>) {
        let Some((ticket, is_shown)) = ticket.zip(is_shown) else { return };
        let tickets = if is_shown { &mut self.shown } else { &mut self.hidden };
        tickets.insert(ticket.to_owned());
    }

    fn records(&self, document: &Object<'_>) -> Vec<Record> {
        let mut records = self.all_records(document);
        if !self.unseen.is_empty() {
            for event in records.iter_mut().flatten() {
                self.conceal(event);
            }
        }
        records
    }

    /// Keeps what happens to a ticket that the customer cannot see from the customer. What was said
    /// between both is known to both.
    fn conceal(&self, event: &mut Event) {
        let Some(conversation) = &event.conversation else { return };
        let is_between = event.kind.is_talk() || matches!(event.kind, Kind::FeedbackAnswered(_));
        if is_between || !self.unseen.contains(&conversation.key) {
            return;
        }
        if event.visibility == Visibility::Public
            && let Kind::ConversationStatus(_) = event.kind
            && let Some(place) = event.rev.as_deref().and_then(|rev| rev.parse::<u64>().ok())
            && let Some(before) = place.checked_sub(1)
        {
            // Should the ticket be shown later, the same telling of the change is a later one.
            event.rev = Some(format!("0{before}"));
        }
        event.visibility = Visibility::Internal;
        let is_opened = matches!(event.kind, Kind::ConversationOpened(_));
        if is_opened && event.actor.kind.is_agent() {
            event.direction = Direction::None;
        }
    }

    fn all_records(&self, document: &Object<'_>) -> Vec<Record> {
        let mut records = Vec::new();
        if document.has("type") && document.has("detail") {
            take(&mut records, webhook::records(self, document));
            return records;
        }
        let mut known = false;
        let mut each = |names: [&str; 2], read: &dyn Fn(&Object<'_>) -> Outcome| {
            for name in names {
                if !matches!(document.get(name), Some(Value::Array(_) | Value::Object(_))) {
                    continue;
                }
                known = true;
                for object in document.objects(name) {
                    match object {
                        Ok(object) => take(&mut records, read(&object)),
                        Err(error) => records.push(Err(error)),
                    }
                }
            }
        };
        let parent = document
            .text("ticket_id")
            .or_else(|| document.object("ticket").and_then(|ticket| ticket.text("id")))
            .or_else(|| of_pages(document));
        if !is_audit(document) && !is_comment(document) && !is_ticket(document) {
            each(["ticket", "tickets"], &|object| ticket::records(self, object));
            each(["user", "users"], &|object| person::user(self, object));
            each(["identity", "identities"], &|object| person::identity(self, object));
            each(["satisfaction_rating", "satisfaction_ratings"], &|object| {
                rating::records(self, object)
            });
            each(["ticket_event", "ticket_events"], &|object| exported::records(self, object));
            each(["audit", "audits"], &|object| audit::records(self, object, parent.as_deref()));
            each(["comment", "comments"], &|object| {
                comment::listed(self, object, parent.as_deref())
            });
            each(["metric_set", "metric_sets"], &|object| ticket::metrics(self, object));
            each(["ticket_metric", "ticket_metrics"], &|object| ticket::metrics(self, object));
        }
        if known {
            records.extend(document.unread(READ).into_iter().map(Err));
            return records;
        }
        let bare = if is_audit(document) {
            audit::records(self, document, None)
        } else if is_rating(document) {
            rating::records(self, document)
        } else if is_identity(document) {
            person::identity(self, document)
        } else if is_comment(document) {
            comment::listed(self, document, None)
        } else if is_user(document) {
            person::user(self, document)
        } else if is_ticket(document) {
            ticket::records(self, document)
        } else {
            let fields: Vec<&str> = document.fields().keys().map(String::as_str).take(8).collect();
            Err(document.wrong(format!(
                "not a Zendesk ticket, comment, audit, user, identity, satisfaction rating or event: it has {}",
                fields.join(", ")
            )))
        };
        take(&mut records, bare);
        records
    }

    fn role(&self, id: &str) -> Option<ActorType> {
        self.roles.get(id).copied()
    }

    /// Whether an address is that of somebody who works for the business.
    fn is_agents(&self, address: &str) -> bool {
        self.agents.contains(&bare_address(address).to_lowercase())
    }

    fn requester(&self, ticket: &str) -> Option<&str> {
        self.tickets.get(ticket).and_then(|ticket| ticket.requester.as_deref())
    }

    /// Who did something in a ticket: by the role of the user where it is known, else whoever
    /// asked is the customer and everybody else is one of us. `None` where neither is known.
    fn doer(&self, id: &str, ticket: Option<&str>) -> Doer {
        if id == "-1" {
            return Doer { actor: Actor::of(ActorType::System), guessed: false };
        }
        if let Some(role) = self.role(id) {
            return Doer { actor: Actor::of(role).with_id(id), guessed: false };
        }
        let kind = match ticket.and_then(|ticket| self.requester(ticket)) {
            Some(requester) if requester == id => ActorType::Customer,
            Some(_) => ActorType::Agent,
            None => ActorType::Unknown,
        };
        Doer { actor: Actor::of(kind).with_id(id), guessed: true }
    }

    /// The claim that somebody is this user. `None` for those who work for the business.
    fn user(&self, id: &str, role: Role) -> Option<Claim> {
        match self.role(id) {
            None | Some(ActorType::Customer) => self.origin.record(Namespace::Helpdesk, id, role),
            Some(_) => None,
        }
    }
}

/// The ticket that a page of comments or audits is of, by the addresses of the pages beside it.
fn of_pages(document: &Object<'_>) -> Option<String> {
    let links = document.object("links");
    let addresses = ["next_page", "previous_page", "url"].map(|field| document.text(field));
    let linked = ["next", "prev"].map(|field| links.as_ref().and_then(|links| links.text(field)));
    addresses.into_iter().chain(linked).flatten().find_map(|address| {
        let (_, rest) = address.split_once("/tickets/")?;
        let id: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some(id).filter(|id| !id.is_empty())
    })
}

/// The records of one object, or why it gives none. Records may hold problems of their own.
type Outcome = Result<Vec<Record>, RecordError>;

fn take(records: &mut Vec<Record>, outcome: Outcome) {
    match outcome {
        Ok(more) => records.extend(more),
        Err(error) => records.push(Err(error)),
    }
}

/// A whole field by its name, for `extra`.
fn kept(object: &Object<'_>, field: &str) -> Option<(String, Value)> {
    object.get(field).map(|value| (field.to_owned(), value.clone()))
}

fn is_ticket(object: &Object<'_>) -> bool {
    object.has("id")
        && (object.has("requester_id") || object.object("requester").is_some())
        && !is_rating(object)
}

fn is_user(object: &Object<'_>) -> bool {
    object.has("id") && object.has("role") && !object.has("requester_id")
}

fn is_comment(object: &Object<'_>) -> bool {
    object.has("id")
        && object.has("author_id")
        && (object.has("body")
            || object.has("plain_body")
            || object.has("html_body")
            || object.has("data"))
}

fn is_audit(object: &Object<'_>) -> bool {
    object.has("id") && object.has("events")
}

fn is_identity(object: &Object<'_>) -> bool {
    object.has("user_id") && object.has("value") && object.has("type")
}

fn is_rating(object: &Object<'_>) -> bool {
    object.has("id") && object.has("score") && object.has("ticket_id")
}
