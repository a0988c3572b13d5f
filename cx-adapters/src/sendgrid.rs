//! SendGrid: its event webhooks about outbound mail.

use std::collections::HashMap;

use cx_core::actor::{Actor, ActorType};
use cx_core::channel::Channel;
use cx_core::event::identity::{Consent, ConsentState};
use cx_core::event::mail::{Bounce, Machine, MailEvent};
use cx_core::event::{Direction, Event, Kind};
use cx_core::identifier::{Assurance, Role};
use serde_json::Value;

use crate::json::{self, Documents, Moment, Object};
use crate::origin::{self, Origin, Part};
use crate::{Options, Record, RecordError};

const MAPPED: &[&str] = &[
    "email",
    "timestamp",
    "smtp-id",
    "event",
    "category",
    "sg_event_id",
    "url",
    "reason",
    "response",
    "subject",
    "sg_machine_open",
    "marketing_campaign_name",
    "type",
];

/// The events in SendGrid's webhooks: arrays of events, or single ones.
///
/// Events of one mail carry the same second, so their order is the natural one: queued, deferred,
/// delivered, opened, clicked. A bounce may follow a delivery.
///
/// ```
/// let webhook = br#"[{"email": "jan@example.nl", "timestamp": 1772445600, "event": "open",
///     "smtp-id": "<spring-1@acme.example>", "sg_event_id": "e1", "sg_machine_open": false}]"#;
/// let options = cx_adapters::Options::of("acme");
/// let events: Vec<_> = cx_adapters::sendgrid::events(webhook, &options).collect::<Result<_, _>>()?;
/// assert_eq!(events[0].kind.name(), "mail.opened");
/// # Ok::<(), cx_adapters::RecordError>(())
/// ```
pub fn events<'a>(bytes: &'a [u8], options: &'a Options) -> Box<dyn Iterator<Item = Record> + 'a> {
    let file = File { origin: Origin::new("sendgrid", options), mails: mails(bytes) };
    json::records(bytes, move |event| {
        records(&file, event).unwrap_or_else(|error| vec![Err(error)])
    })
}

/// What the file says as a whole: only some events of a mail carry its `Message-ID`.
struct File<'a> {
    origin: Origin<'a>,
    mails: Mails,
}

/// The `Message-ID` by SendGrid's own id and the address, in lower case: mails to several people that
/// were sent at once have one own id. `None` where the file names several.
type Mails = HashMap<(String, String), Option<String>>;

fn mails(bytes: &[u8]) -> Mails {
    let mut mails = Mails::new();
    for document in Documents::new(bytes).flatten() {
        let elements: Vec<&Value> = match &document.value {
            Value::Array(items) => items.iter().collect(),
            other => vec![other],
        };
        for element in elements {
            let Ok(event) = Object::of(element, String::new()) else { continue };
            if let (Some(sent), Some(id)) = (sent(&event), message_id(&event)) {
                let known = mails.entry(sent).or_insert_with(|| Some(id.clone()));
                if known.as_ref() != Some(&id) {
                    *known = None;
                }
            }
        }
    }
    mails
}

/// A word of SendGrid's: its place in the natural order, and whose doing it is.
struct Word {
    seq: u64,
    is_by_recipient: bool,
    consent: Option<ConsentState>,
    kind: fn(MailEvent) -> Kind,
}

const fn ours(seq: u64, kind: fn(MailEvent) -> Kind) -> Word {
    Word { seq, is_by_recipient: false, consent: None, kind }
}

const fn theirs(seq: u64, kind: fn(MailEvent) -> Kind) -> Word {
    Word { seq, is_by_recipient: true, consent: None, kind }
}

fn word(event: &str) -> Option<Word> {
    Some(match event {
        "processed" => ours(0, Kind::MailQueued),
        "deferred" => ours(1, Kind::MailDeferred),
        "delivered" => ours(2, Kind::MailDelivered),
        "open" => theirs(3, Kind::MailOpened),
        "click" => theirs(4, Kind::MailClicked),
        "bounce" | "blocked" => ours(5, Kind::MailBounced),
        "dropped" => ours(6, Kind::MailDropped),
        "spamreport" => theirs(7, Kind::MailComplained),
        "unsubscribe" | "group_unsubscribe" => {
            Word { consent: Some(ConsentState::Denied), ..theirs(8, Kind::MailUnsubscribed) }
        }
        "group_resubscribe" => {
            Word { consent: Some(ConsentState::Granted), ..theirs(9, Kind::MailResubscribed) }
        }
        _ => return None,
    })
}

fn records(file: &File<'_>, event: &Object<'_>) -> Result<Vec<Record>, RecordError> {
    let name = event.need("event")?;
    let word = word(&name)
        .ok_or_else(|| event.problem("event", "not an event that SendGrid sends about a mail"))?;
    let at = event.need_moment("timestamp")?;
    let id = id(event, &name, at);
    let mut records = vec![mail(file, event, &word, &id, at)];
    if let Some(state) = word.consent {
        records.push(consent(file.origin, event, state, &id, at));
    }
    Ok(records)
}

/// The mail an event is about: the Message-ID, else SendGrid's own id without the parts that its
/// servers add.
fn mail_id(file: &File<'_>, event: &Object<'_>) -> Option<String> {
    message_id(event).or_else(|| {
        let told = sent(event).and_then(|sent| file.mails.get(&sent).cloned().flatten());
        told.or_else(|| own_id(event))
    })
}

/// SendGrid's own id of what was sent, and to which address.
fn sent(event: &Object<'_>) -> Option<(String, String)> {
    Some((own_id(event)?, event.text("email")?.to_lowercase()))
}

fn message_id(event: &Object<'_>) -> Option<String> {
    let id = event.text("smtp-id")?.trim_matches(['<', '>']).to_owned();
    Some(id).filter(|id| !id.is_empty())
}

fn own_id(event: &Object<'_>) -> Option<String> {
    let id = event.text("sg_message_id")?;
    let end = [".filter", ".recv"].iter().filter_map(|part| id.find(part)).min();
    Some(end.and_then(|end| id.get(..end)).unwrap_or(&id).to_owned())
}

/// The event's own id; else what it says itself, whatever stands beside it.
fn id(event: &Object<'_>, name: &str, at: Moment) -> String {
    event.text("sg_event_id").unwrap_or_else(|| {
        let parts = [
            message_id(event).or_else(|| own_id(event)).unwrap_or_default(),
            event.text("email").unwrap_or_default(),
            name.to_owned(),
            at.at.to_string(),
            event.text("url").unwrap_or_default(),
        ];
        parts.join("/")
    })
}

fn mail(
    file: &File<'_>,
    event: &Object<'_>,
    word: &Word,
    id: &str,
    at: Moment,
) -> Result<Event, RecordError> {
    let name = event.text("event").unwrap_or_default();
    let category = event.text("category").or_else(|| event.texts("category").into_iter().next());
    let machine = match event.flag("sg_machine_open") {
        Some(true) => Machine::Yes,
        Some(false) => Machine::No,
        None => Machine::Unknown,
    };
    let data = MailEvent {
        mail_id: mail_id(file, event),
        service_id: own_id(event),
        subject: event.text("subject"),
        campaign: event.text("marketing_campaign_name").or(category),
        url: event.text("url").filter(|_| name == "click"),
        machine,
        bounce: (name == "bounce" || name == "blocked").then(|| bounce(event, &name)),
        reason: event.first_text(&["reason", "response"]),
        ..MailEvent::default()
    };
    let mut built = file.origin.event(Part::whole("", id), (word.kind)(data), at)?;
    // What other events of the file say of the mail makes a fuller telling of this one.
    let is_known = message_id(event).is_some()
        || sent(event).is_some_and(|sent| file.mails.get(&sent).is_some_and(Option::is_some));
    built.rev = Some(if is_known { "1" } else { "0" }.to_owned());
    built.seq = Some(word.seq);
    built.channel = Channel::Email;
    (built.direction, built.actor) = if word.is_by_recipient {
        let actor =
            if machine == Machine::Yes { ActorType::Automation } else { ActorType::Customer };
        (Direction::In, Actor::of(actor))
    } else {
        (Direction::Out, Actor::of(ActorType::System))
    };
    recipient(file.origin, event, &mut built)?;
    built.extra = event.rest(MAPPED);
    built.extra.extend(origin::unclaimed(event, &["email"], &built.who));
    if let Some(Value::Array(categories)) = event.get("category") {
        built.extra.insert("category".to_owned(), Value::Array(categories.clone()));
    }
    Ok(built)
}

/// A bounce is for good unless SendGrid says that the mail was blocked or that the other server
/// may change its mind.
fn bounce(event: &Object<'_>, name: &str) -> Bounce {
    let status = event.text("status").unwrap_or_default();
    match event.text("type").as_deref() {
        Some("blocked") => Bounce::Blocked,
        None if name == "blocked" => Bounce::Blocked,
        _ if status.starts_with('4') => Bounce::Soft,
        _ => Bounce::Hard,
    }
}

/// Whom the mail was for: the channel reports on that very mailbox.
fn recipient(origin: Origin<'_>, event: &Object<'_>, built: &mut Event) -> Result<(), RecordError> {
    let email = event.need("email")?;
    built.who.extend(origin.email(&email, Role::To, Assurance::ChannelProved));
    Ok(())
}

fn consent(
    origin: Origin<'_>,
    event: &Object<'_>,
    state: ConsentState,
    id: &str,
    at: Moment,
) -> Result<Event, RecordError> {
    let data = Consent {
        purpose: Some("marketing".to_owned()),
        on: Some("email".to_owned()),
        state,
        list: event.text("asm_group_id"),
        ..Consent::default()
    };
    let mut built = origin.event(Part::of("", id, "consent"), Kind::ConsentChanged(data), at)?;
    built.seq = Some(10);
    built.channel = Channel::Email;
    built.direction = Direction::In;
    built.actor = Actor::of(ActorType::Customer);
    recipient(origin, event, &mut built)?;
    Ok(built)
}
