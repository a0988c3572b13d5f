//! One mail, as one event, or as one for each recipient that it reports on.

use std::collections::HashSet;

use cx_core::channel::Channel;
use cx_core::event::talk::Message as MessageData;
use cx_core::event::{ConversationRef, Event, Kind, Source, TimeOrigin};
use cx_core::identifier::{Assurance, Claim, Namespace, Role};
use cx_core::ids::{ConversationKey, EventKey, IdError};
use mail_parser::Message;
use serde_json::{Map, Value};

use super::date::Moment;
use super::headers::{
    HEADERS_LIMIT, Headers, decoded, end_of_headers, mailboxes, parsed, readable,
};
use super::mbox::Stored;
use super::thread::{self, Thread};
use super::{body, date, people, report};
use crate::{Options, Record, RecordError};

/// What has none of these headers is no mail.
const OF_A_MAIL: &[&str] = &["from", "date", "message-id", "subject", "references", "in-reply-to"];

/// Headers that say what other fields of the event say.
const MAPPED: &[&str] = &[
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
    "content-length",
];

/// Headers with people: what they say is elsewhere where all of them are among those whom the
/// event names.
const PEOPLE: &[&str] = &["from", "to", "cc", "bcc", "reply-to"];

/// Headers whose words are told without their encoding. One whose words cannot be read is kept as it
/// is written.
const DECODED: &[&str] = &["subject", "from", "to", "cc", "bcc", "reply-to"];

/// Headers that servers add on the way and mailboxes keep for themselves: they differ from copy to
/// copy of one mail, so they are no part of it.
const OF_THE_COPY: &[&str] = &[
    "authentication-results",
    "delivered-to",
    "delivery-date",
    "dkim-signature",
    "envelope-to",
    "lines",
    "received",
    "received-spf",
    "return-path",
    "status",
    "x-delivered-to",
    "x-envelope-from",
    "x-envelope-to",
    "x-evolution-source",
    "x-forwarded-encrypted",
    "x-gm-labels",
    "x-gm-message-state",
    "x-gm-thrid",
    "x-gmail-labels",
    "x-imap",
    "x-imapbase",
    "x-keywords",
    "x-original-to",
    "x-received",
    "x-status",
    "x-uid",
    "x-uidl",
];

/// How the names of more such headers begin.
const OF_THE_COPY_START: &[&str] =
    &["arc-", "x-google-", "x-mozilla-", "x-ms-exchange-", "x-spam-", "x-virus-"];

/// The events in a mail, or why there is none.
pub(super) fn records(stored: &Stored, options: &Options) -> Vec<Record> {
    let result = events(stored, options);
    result.map_or_else(
        |error| vec![Err(error.on_line(stored.line))],
        |events| events.into_iter().map(Ok).collect(),
    )
}

fn events(stored: &Stored, options: &Options) -> Result<Vec<Event>, RecordError> {
    let length = end_of_headers(&stored.bytes);
    if length > HEADERS_LIMIT {
        let problem =
            format!("no mail: {length} bytes of headers; at most {HEADERS_LIMIT} are read");
        return Err(RecordError::new(problem));
    }
    let bytes = readable(&stored.bytes);
    let message = parsed(&bytes).ok_or_else(|| no_mail(&bytes))?;
    let headers = Headers::of(&message);
    if !headers.all().any(|(name, _)| is_any_of(name, OF_A_MAIL)) {
        return Err(no_mail(&bytes));
    }
    let (moment, origin) = date::of(headers, stored.received_at(), options)?;
    let mail = Mail { message: &message, headers, options, moment, origin };
    let id = thread::message_id(headers);
    let own = id.clone().unwrap_or_else(|| mail.fingerprint(stored.envelope.as_deref()));
    let record = if id.is_some() { format!("msgid/{own}") } else { format!("sha/{own}") };
    let thread = Thread::of(headers, own);
    // A receipt that we sent tells of a mail that we read: it is a mail of ours, by a program.
    let is_ours = || headers.mailboxes("from").iter().any(|it| options.is_own_address(&it.address));
    let built = match report::of(&message).filter(|report| !(report.is_receipt && is_ours())) {
        Some(report) => mail.outcomes(&report, &record, &thread),
        None => mail.message(id, &record, &thread).map(|event| vec![event]),
    };
    built.map_err(|error| RecordError::new(error.to_string()))
}

fn no_mail(bytes: &[u8]) -> RecordError {
    let start = bytes.get(..bytes.len().min(200)).unwrap_or(bytes);
    let problem = "no mail: it has no From, Date, Message-ID, Subject or References";
    RecordError::new(problem).with_value(&String::from_utf8_lossy(start))
}

fn is_any_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// Whether a header is of one copy of a mail only.
fn is_of_the_copy(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    OF_THE_COPY.contains(&name.as_str())
        || OF_THE_COPY_START.iter().any(|start| name.starts_with(start))
}

struct Mail<'m> {
    message: &'m Message<'m>,
    headers: Headers<'m>,
    options: &'m Options,
    moment: Moment,
    origin: TimeOrigin,
}

impl Mail<'_> {
    /// What stands for the Message-ID of a mail that has none: a hash of its date, sender,
    /// recipients, subject and text; of one without a date or a sender also of its other headers.
    /// Line endings do not matter.
    fn fingerprint(&self, envelope: Option<&str>) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("cx mail without an id 1");
        let mut add = |text: &str| {
            let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
            hasher.update(&length.to_le_bytes());
            hasher.update(text.as_bytes());
        };
        let date = self.headers.raw("date").into_iter().next();
        let date = date.or_else(|| envelope.map(str::to_owned)).unwrap_or_default();
        add(&date);
        for name in ["from", "to", "subject"] {
            add(&self.headers.raw(name).join("\n"));
        }
        let start =
            self.message.parts.first().and_then(|part| usize::try_from(part.offset_body).ok());
        let raw = start.and_then(|start| self.message.raw_message.get(start..)).unwrap_or_default();
        add(String::from_utf8_lossy(raw).replace('\r', "").trim());
        if date.is_empty() || self.headers.raw("from").is_empty() {
            for (name, value) in self.headers.all().filter(|(name, _)| !is_of_the_copy(name)) {
                add(&name.to_ascii_lowercase());
                add(&value);
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    fn path(&self, rest: &str) -> String {
        match self.options.instance.trim() {
            "" => format!("mail/{rest}"),
            account => format!("mail:{account}/{rest}"),
        }
    }

    fn conversation(&self, thread: &Thread) -> Result<ConversationRef, IdError> {
        let key = |id: &str| ConversationKey::new(self.path(&format!("thread/{id}")));
        let parent = thread.parent.as_ref().map(|id| self.path(&format!("msgid/{id}")));
        Ok(ConversationRef {
            key: key(thread.root())?,
            subject: self.headers.text("subject"),
            reply_to: parent,
            aliases: thread.others().map(key).collect::<Result<_, _>>()?,
        })
    }

    fn event(&self, key: &str, object: &str, id: &str, kind: Kind) -> Result<Event, IdError> {
        let source = Source {
            system: "mail".to_owned(),
            instance: self.options.instance.trim().to_owned(),
            object: object.to_owned(),
            id: id.to_owned(),
        };
        let mut event = Event::new(EventKey::new(self.path(key))?, source, kind, self.moment.at);
        event.channel = Channel::Email;
        event.utc_offset = self.moment.offset;
        event.occurred_at_origin = self.origin;
        Ok(event)
    }

    fn message(&self, id: Option<String>, record: &str, thread: &Thread) -> Result<Event, IdError> {
        let subject = self.headers.text("subject");
        let data = MessageData { message_id: id, subject, ..MessageData::default() };
        let mut event = self.event(record, "message", &thread.own, Kind::Message(data))?;
        let people = people::of(self.headers, self.options);
        event.direction = people.direction;
        event.visibility = people.visibility;
        event.actor = people.actor;
        event.who = people.who;
        event.name = people.name;
        event.conversation = Some(self.conversation(thread)?);
        event.body = body::of(self.message);
        event.attachments = body::attachments(self.message);
        event.extra = self.extra(&event);
        Ok(event)
    }

    /// One event for each recipient; in the thread of the mail that is reported on, where the
    /// report holds it.
    fn outcomes(
        &self,
        report: &report::Report,
        record: &str,
        own: &Thread,
    ) -> Result<Vec<Event>, IdError> {
        let thread = report.thread.as_ref().unwrap_or(own);
        let mut events = Vec::new();
        for (outcome, position) in report.outcomes.iter().cloned().zip(1_u64..) {
            let key = format!("{record}#{position}");
            let mut event = self.event(&key, "report", &own.own, outcome.kind)?;
            event.direction = outcome.direction;
            event.actor = outcome.actor;
            event.seq = Some(position);
            let recipient = outcome.recipient.filter(|it| !self.options.is_own_address(it));
            event.who.extend(recipient.and_then(|address| {
                // What we sent to a mailbox is about whoever holds it, and so is what became of it.
                let is_of_ours = report.is_from(|from| self.options.is_own_address(from))
                    && report.is_to(&address);
                let assurance =
                    if is_of_ours { Assurance::ChannelProved } else { Assurance::SelfStated };
                Claim::new(Namespace::Email, &address, Role::To, assurance).ok()
            }));
            let mut conversation = self.conversation(thread)?;
            // The report's own subject is no subject of the conversation.
            conversation.subject = None;
            conversation.reply_to = Some(self.path(&format!("msgid/{}", thread.own)))
                .filter(|_| report.thread.is_some())
                .or(conversation.reply_to);
            event.conversation = Some(conversation);
            // What somebody wrote into the report, once.
            event.body = Some(position).filter(|it| *it == 1).and_then(|_| body::of(self.message));
            event.extra = self.extra(&event);
            events.push(event);
        }
        Ok(events)
    }

    /// The headers that nothing else holds, in the order of the mail.
    fn extra(&self, event: &Event) -> Map<String, Value> {
        // Of whoever passed a mail on, the header says more than the address.
        let claimed = event.who.iter().filter(|claim| !claim.shared).map(Claim::raw);
        let known = claimed.chain(event.actor.id.as_deref());
        let known: HashSet<&str> = known.collect();
        // A date that cannot be read is told by nothing else.
        let is_dated = self.headers.raw("date").iter().any(|text| date::of_header(text).is_some());
        let headers: Vec<Value> = self
            .headers
            .all()
            .filter(|(name, value)| {
                let is_told = is_any_of(name, MAPPED) && (is_dated || !is_any_of(name, &["date"]))
                    || is_any_of(name, PEOPLE) && are_named(value, &known);
                let is_read = !is_any_of(name, DECODED) || !decoded(value).contains('\u{fffd}');
                !(is_told && is_read || is_of_the_copy(name))
            })
            .map(|(name, value)| Value::Array(vec![name.into(), value.into()]))
            .collect();
        let mut extra = Map::new();
        if !headers.is_empty() {
            extra.insert("headers".to_owned(), Value::Array(headers));
        }
        extra
    }
}

/// Whether all people in a header are among those whom the event names.
fn are_named(header: &str, known: &HashSet<&str>) -> bool {
    let people = mailboxes(header);
    !people.is_empty() && people.iter().all(|one| known.contains(one.address.as_str()))
}
