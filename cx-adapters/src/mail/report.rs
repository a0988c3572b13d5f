//! Reports: what became of a mail of ours, told by the servers and programs that got it.

use cx_core::actor::{Actor, ActorType};
use cx_core::event::mail::{Bounce, Machine, MailEvent};
use cx_core::event::{Direction, Kind};
use cx_core::identifier::{Identifier, Namespace};
use mail_parser::{Message, MimeHeaders, PartType};

use super::headers::{Headers, MAIL_WITHIN, parsed_headers};
use super::thread::{self, Thread};

/// What became of one mail for one recipient.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    pub(super) kind: Kind,
    pub(super) direction: Direction,
    pub(super) actor: Actor,
    /// The address the mail was for.
    pub(super) recipient: Option<String>,
}

/// What a report tells, and the thread of the mail it is about.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Report {
    pub(super) outcomes: Vec<Outcome>,
    /// Whether a reader's program sent it, and no server on the way.
    pub(super) is_receipt: bool,
    pub(super) thread: Option<Thread>,
    /// Whom that mail is from and to, where the report holds it.
    from: Vec<String>,
    to: Vec<String>,
}

impl Report {
    /// Whether the mail that is reported on is from one of these addresses.
    pub(super) fn is_from(&self, is_one: impl Fn(&str) -> bool) -> bool {
        !self.from.is_empty() && self.from.iter().all(|from| is_one(from))
    }

    /// Whether it was sent to this address.
    pub(super) fn is_to(&self, address: &str) -> bool {
        let key = |address: &str| Identifier::normalise(Namespace::Email, "", address, None).ok();
        let meant = key(address);
        meant.is_some() && self.to.iter().any(|to| key(to) == meant)
    }
}

/// Reads a delivery status (RFC 3464), a disposition notification (RFC 8098) or a report of abuse
/// (RFC 5965); `None` for other mails.
///
/// Servers that write none of these (Exim, qmail) name whom a mail did not reach in a header.
pub(super) fn of(message: &Message<'_>) -> Option<Report> {
    if let Some(failed) = failed(Headers::of(message)) {
        return Some(failed);
    }
    if !message.is_content_type("multipart", "report") {
        return None;
    }
    let original = original(message);
    let find = |subtype: &str| {
        let is_it = |part: &&mail_parser::MessagePart<'_>| {
            part.is_content_type("message", subtype)
                || part.is_content_type("message", &format!("global-{subtype}"))
        };
        let part = message.parts.iter().find(is_it)?;
        Some(groups(&String::from_utf8_lossy(contents(part))))
    };
    let (outcomes, is_receipt): (Vec<Outcome>, bool) = if let Some(groups) = find("delivery-status")
    {
        (groups.iter().filter_map(|group| delivery(group, &original)).collect(), false)
    } else if let Some(groups) = find("disposition-notification") {
        (groups.iter().filter_map(|group| disposition(group, &original)).collect(), true)
    } else {
        let groups = find("feedback-report")?;
        (groups.iter().find_map(|group| complaint(group, &original)).into_iter().collect(), false)
    };
    let Original { thread, from, to, .. } = original;
    (!outcomes.is_empty()).then_some(Report { outcomes, is_receipt, thread, from, to })
}

/// A bounce that `X-Failed-Recipients` tells, in a mail that a server sent.
fn failed(headers: Headers<'_>) -> Option<Report> {
    let named = headers.raw("x-failed-recipients");
    let is_report =
        headers.raw("content-type").iter().any(|told| told.to_ascii_lowercase().contains("report"));
    if named.is_empty() || is_report || !super::people::is_automatic(headers) {
        return None;
    }
    let ids: Vec<String> = ["references", "in-reply-to"]
        .iter()
        .flat_map(|name| headers.raw(name))
        .flat_map(|value| thread::ids_in(&value))
        .collect();
    let data = MailEvent {
        mail_id: ids.last().cloned(),
        bounce: Some(Bounce::Hard),
        ..MailEvent::default()
    };
    let addresses = named.iter().flat_map(|value| value.split([',', ' ']));
    let addresses = addresses.map(str::trim).filter(|address| address.contains('@'));
    let outcomes: Vec<Outcome> = addresses
        .map(|address| Outcome {
            kind: Kind::MailBounced(data.clone()),
            direction: Direction::Out,
            actor: Actor::of(ActorType::System),
            recipient: Some(address.to_owned()),
        })
        .collect();
    let (thread, from, to) = (None, Vec::new(), Vec::new());
    (!outcomes.is_empty()).then_some(Report { outcomes, is_receipt: false, thread, from, to })
}

fn contents<'m>(part: &'m mail_parser::MessagePart<'_>) -> &'m [u8] {
    match &part.body {
        PartType::Text(text) | PartType::Html(text) => text.as_bytes(),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => bytes,
        PartType::Message(_) | PartType::Multipart(_) => b"",
    }
}

/// The mail that a report is about, as far as the report holds it.
#[derive(Debug, Default)]
struct Original {
    subject: Option<String>,
    from: Vec<String>,
    to: Vec<String>,
    thread: Option<Thread>,
}

fn original(message: &Message<'_>) -> Original {
    let types =
        [MAIL_WITHIN, "text/rfc822-headers", "message/rfc822-headers", "message/global-headers"];
    let is_one = |part: &&mail_parser::MessagePart<'_>| {
        types
            .iter()
            .filter_map(|name| name.split_once('/'))
            .any(|(name, subtype)| part.is_content_type(name, subtype))
    };
    message
        .parts
        .iter()
        .filter(is_one)
        .find_map(|part| Some(read_original(&parsed_headers(contents(part))?)))
        .unwrap_or_default()
}

fn read_original(message: &Message<'_>) -> Original {
    let headers = Headers::of(message);
    let id = thread::message_id(headers);
    let addresses = |name: &str| -> Vec<String> {
        headers.mailboxes(name).into_iter().map(|mailbox| mailbox.address).collect()
    };
    let (from, to) = (addresses("from"), addresses("to"));
    let thread = id.map(|id| Thread::of(headers, id));
    Original { subject: headers.text("subject"), from, to, thread }
}

/// A group of fields: names in lower case, values unfolded.
type Group = Vec<(String, String)>;

/// The groups of fields in a status, with empty lines between them.
fn groups(text: &str) -> Vec<Group> {
    let mut groups = vec![Group::new()];
    for line in text.lines() {
        let Some(group) = groups.last_mut() else { continue };
        if line.trim().is_empty() {
            groups.push(Group::new());
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = group.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            group.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    groups
}

fn field<'g>(group: &'g Group, name: &str) -> Option<&'g str> {
    let found = group.iter().find(|(other, value)| other == name && !value.is_empty())?;
    Some(found.1.as_str())
}

/// `jan@example.nl` of `rfc822; jan@example.nl`.
fn address(group: &Group) -> Option<String> {
    let fields = ["original-recipient", "final-recipient"];
    let values = fields.iter().filter_map(|name| field(group, name));
    let addresses = values.filter_map(|value| {
        let (kind, address) = value.split_once(';').unwrap_or(("rfc822", value));
        let is_mail = ["rfc822", "utf-8"].contains(&kind.trim().to_ascii_lowercase().as_str());
        let address = address.trim().trim_matches(['<', '>']);
        (is_mail && address.contains('@')).then(|| address.to_owned())
    });
    let mut addresses = addresses;
    addresses.next()
}

fn event(group: &Group, original: &Original) -> MailEvent {
    let named = field(group, "original-message-id")
        .and_then(|value| thread::ids_in(value).into_iter().next());
    MailEvent {
        mail_id: named.or_else(|| original.thread.as_ref().map(|thread| thread.own.clone())),
        subject: original.subject.clone(),
        ..MailEvent::default()
    }
}

fn delivery(group: &Group, original: &Original) -> Option<Outcome> {
    let recipient = address(group);
    let status = field(group, "status").unwrap_or_default();
    let action = field(group, "action").map(str::to_ascii_lowercase);
    if recipient.is_none() && action.is_none() {
        return None;
    }
    let reason = field(group, "diagnostic-code")
        .map(|code| code.split_once(';').map_or(code, |(_, text)| text).trim().to_owned());
    let reason = reason.or_else(|| Some(status.to_owned()).filter(|status| !status.is_empty()));
    let mut data = MailEvent { reason, ..event(group, original) };
    let kind = match action.as_deref() {
        Some("failed") => Kind::MailBounced,
        Some("delayed") => Kind::MailDeferred,
        Some("delivered" | "relayed" | "expanded") => Kind::MailDelivered,
        None | Some(_) => match status.as_bytes().first()? {
            b'5' => Kind::MailBounced,
            b'4' => Kind::MailDeferred,
            b'2' => Kind::MailDelivered,
            _ => return None,
        },
    };
    let kind = match kind(MailEvent::default()) {
        Kind::MailBounced(_) => {
            data.bounce = Some(bounce(status));
            Kind::MailBounced(data)
        }
        _ => kind(data),
    };
    let (direction, actor) = (Direction::Out, Actor::of(ActorType::System));
    Some(Outcome { kind, direction, actor, recipient })
}

/// By the status code (RFC 3463): 4 is for now, 5.7 is policy, and what says nothing is for good.
fn bounce(status: &str) -> Bounce {
    if status.starts_with('4') {
        Bounce::Soft
    } else if status.starts_with("5.7.") {
        Bounce::Blocked
    } else {
        Bounce::Hard
    }
}

/// Somebody called the mail spam, or wants no more of its kind.
fn complaint(group: &Group, original: &Original) -> Option<Outcome> {
    let what = field(group, "feedback-type")?.to_ascii_lowercase();
    let data = MailEvent { reason: Some(what.clone()), ..event(group, original) };
    let kind = match what.as_str() {
        "opt-out" | "opt-out-list" => Kind::MailUnsubscribed(data),
        "abuse" | "fraud" | "virus" | "other" => Kind::MailComplained(data),
        // `not-spam`, and whatever is yet to be made up, is no complaint.
        _ => return None,
    };
    let told = field(group, "original-rcpt-to").map(|told| told.trim_matches(['<', '>']));
    let recipient = told.filter(|told| told.contains('@')).map(str::to_owned);
    Some(Outcome {
        kind,
        direction: Direction::In,
        actor: Actor::of(ActorType::Customer),
        // Whom it was for, where that is one address.
        recipient: recipient.or_else(|| match original.to.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }),
    })
}

fn disposition(group: &Group, original: &Original) -> Option<Outcome> {
    let value = field(group, "disposition")?.to_ascii_lowercase();
    let (mode, what) = value.split_once(';').unwrap_or(("", value.as_str()));
    let is_shown = what.trim().starts_with("displayed");
    let data = event(group, original);
    let kind = if is_shown {
        // The program of the reader says it, for the reader, unless it acted by itself.
        let is_by_itself = mode.trim().starts_with("automatic-action");
        let machine = if is_by_itself { Machine::Unknown } else { Machine::No };
        Kind::MailOpened(MailEvent { machine, ..data })
    } else {
        Kind::MailDelivered(MailEvent { reason: Some(what.trim().to_owned()), ..data })
    };
    let (direction, actor) = (Direction::In, Actor::of(ActorType::Customer));
    Some(Outcome { kind, direction, actor, recipient: address(group) })
}
