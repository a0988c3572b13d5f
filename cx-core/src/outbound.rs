//! Outbound mail: what was sent, and what became of it.

use std::collections::BTreeMap;

use crate::conversation::bare;
use crate::event::mail::{Bounce, Machine, MailEvent};
use crate::event::{Direction, Event, Kind};
use crate::identifier::{Claim, Identifier, Namespace};
use crate::time::{Micros, Timestamp};

/// An outbound mail to one address and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboundMail {
    /// Its id: the `Message-ID` where there is one.
    pub id: String,
    /// Its subject line.
    pub subject: Option<String>,
    /// The campaign it was sent by.
    pub campaign: Option<String>,
    /// The address it went to.
    pub address: Option<String>,
    /// When it was sent; when it was first heard of, if nothing says so.
    pub sent_at: Option<Timestamp>,
    /// When it was first heard of.
    pub heard_at: Option<Timestamp>,
    /// When it arrived.
    pub delivered_at: Option<Timestamp>,
    /// How often a person opened it.
    pub opened_by_human: u32,
    /// How often a program opened it.
    pub opened_by_machine: u32,
    /// How often it was opened by nobody knows whom.
    pub opened_by_unknown: u32,
    /// When it was last opened.
    pub last_opened_at: Option<Timestamp>,
    /// Why an opening by nobody knows whom may have been a program's: a hint, never a fact.
    pub machine_hint: Option<String>,
    /// The links that were clicked, by programs aside, in the order of the first click.
    pub clicked: Vec<String>,
    /// How it came back, unless it arrived after all.
    pub bounced: Option<Bounce>,
    /// When it came back, or was not sent.
    pub failed_at: Option<Timestamp>,
    /// Whether it was never sent.
    pub dropped: bool,
    /// Why it came back, or was never sent.
    pub reason: Option<String>,
    /// Whether it made somebody want no more of its kind.
    pub unsubscribed: bool,
    /// Whether it was called spam.
    pub complained: bool,
}

impl OutboundMail {
    /// Adds what was told of the same mail under another name.
    fn take(&mut self, other: Self) {
        let Self {
            id: _,
            subject,
            campaign,
            address,
            sent_at,
            heard_at,
            delivered_at,
            opened_by_human,
            opened_by_machine,
            opened_by_unknown,
            last_opened_at,
            machine_hint,
            clicked,
            bounced,
            failed_at,
            dropped,
            reason,
            unsubscribed,
            complained,
        } = other;
        let earlier = |one: Option<Timestamp>, other| one.into_iter().chain(other).min();
        self.subject = self.subject.take().or(subject);
        self.campaign = self.campaign.take().or(campaign);
        self.address = self.address.take().or(address);
        self.sent_at = earlier(self.sent_at, sent_at);
        self.heard_at = earlier(self.heard_at, heard_at);
        self.delivered_at = earlier(self.delivered_at, delivered_at);
        self.opened_by_human = self.opened_by_human.saturating_add(opened_by_human);
        self.opened_by_machine = self.opened_by_machine.saturating_add(opened_by_machine);
        self.opened_by_unknown = self.opened_by_unknown.saturating_add(opened_by_unknown);
        self.last_opened_at = self.last_opened_at.max(last_opened_at);
        self.machine_hint = self.machine_hint.take().or(machine_hint);
        for url in clicked {
            if !self.clicked.contains(&url) {
                self.clicked.push(url);
            }
        }
        self.bounced = self.bounced.or(bounced);
        self.failed_at = self.failed_at.max(failed_at);
        self.dropped |= dropped;
        self.reason = self.reason.take().or(reason);
        if matches!(self.bounced, Some(Bounce::Soft | Bounce::Blocked))
            && self.delivered_at > self.failed_at
        {
            (self.bounced, self.failed_at, self.reason) = (None, None, None);
        }
        self.unsubscribed |= unsubscribed;
        self.complained |= complained;
    }
}

/// When each address last received a mail that did not come back.
pub(crate) struct Received(BTreeMap<String, Timestamp>);

impl Received {
    pub(crate) fn of(mails: &[OutboundMail]) -> Self {
        let mut received: BTreeMap<String, Timestamp> = BTreeMap::new();
        for mail in mails.iter().filter(|mail| mail.failed_at.is_none()) {
            let (Some(address), Some(at)) = (&mail.address, mail.delivered_at) else { continue };
            let last = received.entry(spelt_alike(address)).or_insert(at);
            *last = at.max(*last);
        }
        Self(received)
    }

    /// Whether an address received a mail after this instant.
    pub(crate) fn since(&self, address: &str, at: Timestamp) -> bool {
        self.0.get(&spelt_alike(address)).is_some_and(|received| *received > at)
    }

    /// Whether a mail failed, and its address has not received any since.
    pub(crate) fn is_undeliverable(&self, mail: &OutboundMail) -> bool {
        let is_later = |at| mail.address.as_ref().is_some_and(|address| self.since(address, at));
        mail.failed_at.is_some_and(|at| !is_later(at))
    }
}

/// An address in the one spelling by which it is known.
fn spelt_alike(address: &str) -> String {
    Identifier::normalise(Namespace::Email, "", address, None)
        .map_or_else(|_| address.to_lowercase(), |identifier| identifier.key().to_owned())
}

/// How soon after delivery an opening hints at a program.
const TOO_SOON: Micros = Micros::SECOND.times(2);

/// Folds outbound mail, in timeline order.
#[derive(Debug, Clone, Default)]
pub struct OutboundFold {
    /// By what they are called and to whom they went: what becomes of a mail is another thing for
    /// each address.
    mails: BTreeMap<(Name, Option<String>), OutboundMail>,
    /// What the sending services call mails that have a `Message-ID`.
    names: BTreeMap<Name, Name>,
}

/// What a mail is called. An id means something only within its source, but one with an `@`, such
/// as a `Message-ID`, everywhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    scope: String,
    id: String,
}

impl Name {
    fn of(event: &Event, id: &str) -> Self {
        let id = bare(id).to_owned();
        let scope = if id.contains('@') { String::new() } else { event.source.scope() };
        Self { scope, id }
    }
}

impl OutboundFold {
    /// Takes an event; those that are not about outbound mail change nothing.
    pub fn push(&mut self, event: &Event) {
        let at = event.occurred_at;
        match &event.kind {
            Kind::Message(message)
                if event.direction == Direction::Out
                    && event.channel == crate::channel::Channel::Email =>
            {
                let Some(id) = &message.message_id else { return };
                let subject = message.subject.clone().or_else(|| {
                    event
                        .conversation
                        .as_ref()
                        .and_then(|conversation| conversation.subject.clone())
                });
                let mail = self.mail(id, event);
                mail.sent_at = Some(at);
                mail.subject = subject.or_else(|| mail.subject.take());
                if message.campaign.is_some() {
                    mail.campaign.clone_from(&message.campaign);
                }
            }
            Kind::MailQueued(data) => {
                let Some(mail) = self.of(data, event) else { return };
                mail.sent_at.get_or_insert(at);
            }
            Kind::MailDelivered(data) => {
                let Some(mail) = self.of(data, event) else { return };
                mail.delivered_at.get_or_insert(at);
                // Tried again, and then it arrived.
                if mail.dropped || matches!(mail.bounced, Some(Bounce::Soft | Bounce::Blocked)) {
                    mail.dropped = false;
                    (mail.bounced, mail.failed_at, mail.reason) = (None, None, None);
                }
            }
            Kind::MailOpened(data) => {
                let Some(mail) = self.of(data, event) else { return };
                let opened = match data.machine {
                    Machine::Yes => &mut mail.opened_by_machine,
                    Machine::No => &mut mail.opened_by_human,
                    Machine::Unknown => &mut mail.opened_by_unknown,
                };
                *opened = opened.saturating_add(1);
                mail.last_opened_at = Some(at);
                if data.machine == Machine::Unknown && mail.machine_hint.is_none() {
                    let soon =
                        mail.delivered_at.is_some_and(|delivered| at - delivered <= TOO_SOON);
                    let hint = soon.then(|| "opened within two seconds of delivery".to_owned());
                    mail.machine_hint = data.machine_hint.clone().or(hint);
                }
            }
            Kind::MailClicked(data) => {
                let Some(mail) = self.of(data, event) else { return };
                let url = data.url.clone().unwrap_or_default();
                if data.machine != Machine::Yes && !mail.clicked.contains(&url) {
                    mail.clicked.push(url);
                }
            }
            Kind::MailBounced(data) => {
                let Some(mail) = self.of(data, event) else { return };
                mail.bounced = Some(data.bounce.unwrap_or(Bounce::Hard));
                mail.failed_at = Some(at);
                mail.reason.clone_from(&data.reason);
            }
            Kind::MailDropped(data) => {
                let Some(mail) = self.of(data, event) else { return };
                mail.dropped = true;
                mail.failed_at = Some(at);
                mail.reason.clone_from(&data.reason);
            }
            Kind::MailComplained(data) => {
                if let Some(mail) = self.of(data, event) {
                    mail.complained = true;
                }
            }
            Kind::MailUnsubscribed(data) => {
                if let Some(mail) = self.of(data, event) {
                    mail.unsubscribed = true;
                }
            }
            Kind::MailResubscribed(data) => {
                if let Some(mail) = self.of(data, event) {
                    mail.unsubscribed = false;
                }
            }
            Kind::MailDeferred(data) => {
                self.of(data, event);
            }
            _ => {}
        }
    }

    fn of(&mut self, data: &MailEvent, event: &Event) -> Option<&mut OutboundMail> {
        let id = data.mail_id.clone().or_else(|| data.service_id.clone())?;
        if let Some(service) = data.service_id.as_ref().filter(|service| **service != id) {
            self.call(&Name::of(event, service), Name::of(event, &id));
        }
        let mail = self.mail(&id, event);
        if data.subject.is_some() {
            mail.subject.clone_from(&data.subject);
        }
        if data.campaign.is_some() {
            mail.campaign.clone_from(&data.campaign);
        }
        Some(mail)
    }

    fn mail(&mut self, id: &str, event: &Event) -> &mut OutboundMail {
        let name = self.known(Name::of(event, id));
        let claims = event.person_claims().into_iter();
        let mut claims = claims.filter(|it| *it.identifier().namespace() == Namespace::Email);
        let claim: Option<&Claim> = claims.next();
        let address = claim.map(|claim| claim.identifier().key().to_owned());
        let id = name.id.clone();
        let mail = self.mails.entry((name, address)).or_default();
        mail.id = id;
        if mail.address.is_none() {
            mail.address = claim.map(|claim| claim.raw().to_owned());
        }
        let at = event.occurred_at;
        mail.heard_at = Some(mail.heard_at.map_or(at, |heard| heard.min(at)));
        mail
    }

    /// A service calls this mail so: what was told under that name was told of it.
    fn call(&mut self, service: &Name, name: Name) {
        let known = self.names.entry(service.clone()).or_insert(name).clone();
        if known != *service {
            self.rename(service, &known);
        }
    }

    fn rename(&mut self, from: &Name, to: &Name) {
        let first = (from.clone(), None);
        let told = self.mails.range(first..).take_while(|((name, _), _)| name == from);
        let told: Vec<Option<String>> = told.map(|((_, address), _)| address.clone()).collect();
        for address in told {
            let Some(told) = self.mails.remove(&(from.clone(), address.clone())) else { continue };
            let mail = self.mails.entry((to.clone(), address)).or_default();
            mail.id.clone_from(&to.id);
            mail.take(told);
        }
    }

    /// The name under which a mail is known.
    fn known(&self, name: Name) -> Name {
        match self.names.get(&name) {
            Some(known) => known.clone(),
            None => self.whole(&name).unwrap_or(name),
        }
    }

    /// Some senders call a mail by the first part of its `Message-ID` once it is on its way.
    fn whole(&self, name: &Name) -> Option<Name> {
        if name.scope.is_empty() {
            return None;
        }
        let begin = format!("{}@", name.id);
        let whole = Name { scope: String::new(), id: begin.clone() };
        let ((known, _), _) = self.mails.range((whole, None)..).next()?;
        (known.scope.is_empty() && known.id.starts_with(&begin)).then(|| known.clone())
    }

    /// The mails, newest first.
    pub fn finish(mut self) -> Vec<OutboundMail> {
        // A part of a name may have been told before the whole.
        let names: Vec<Name> = self.mails.keys().map(|(name, _)| name.clone()).collect();
        for name in names {
            if let Some(whole) = self.whole(&name) {
                self.rename(&name, &whole);
            }
        }
        let mut by_name: BTreeMap<Name, Vec<OutboundMail>> = BTreeMap::new();
        for ((name, _), mail) in self.mails {
            by_name.entry(name).or_default().push(mail);
        }
        let mut mails: Vec<OutboundMail> = by_name.into_values().flat_map(of_one_mail).collect();
        for mail in &mut mails {
            mail.sent_at = mail.sent_at.or(mail.heard_at);
        }
        mails.sort_by(|a, b| (b.sent_at, &b.id, &b.address).cmp(&(a.sent_at, &a.id, &a.address)));
        mails
    }
}

/// A mail, by the addresses to which it went, none first: what is told of it without one is told of
/// the only one there is, and what it is and when it was sent is told of all.
fn of_one_mail(mut to: Vec<OutboundMail>) -> Vec<OutboundMail> {
    if let [nowhere, only] = to.as_mut_slice()
        && nowhere.address.is_none()
    {
        only.take(std::mem::take(nowhere));
        to.remove(0);
    }
    let subject = to.iter().find_map(|mail| mail.subject.clone());
    let campaign = to.iter().find_map(|mail| mail.campaign.clone());
    let sent_at = to.iter().filter_map(|mail| mail.sent_at).min();
    for mail in &mut to {
        mail.subject = mail.subject.take().or_else(|| subject.clone());
        mail.campaign = mail.campaign.take().or_else(|| campaign.clone());
        mail.sent_at = mail.sent_at.or(sent_at);
    }
    to
}
