//! Outbound mail: what was sent, and what became of it.

use std::collections::BTreeMap;

use crate::event::mail::{Bounce, Machine, MailEvent};
use crate::event::{Direction, Event, Kind};
use crate::identifier::Namespace;
use crate::time::{Micros, Timestamp};

/// An outbound mail and what became of it.
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
    /// The links that were clicked, in the order of the first click.
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

/// An id without its brackets.
fn bare(id: &str) -> &str {
    id.trim_start_matches('<').trim_end_matches('>')
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

/// Whether a mail failed, and none that was delivered later shows that its address receives again.
pub(crate) fn is_undeliverable(mail: &OutboundMail, mails: &[OutboundMail]) -> bool {
    let Some(failed_at) = mail.failed_at else { return false };
    let address = |mail: &OutboundMail| mail.address.as_ref().map(|it| it.to_lowercase());
    let to = address(mail);
    !mails.iter().any(|other| {
        other.failed_at.is_none()
            && other.delivered_at.is_some_and(|at| at > failed_at)
            && to.is_some()
            && address(other) == to
    })
}

/// How soon after delivery an opening hints at a program.
const TOO_SOON: Micros = Micros::SECOND.times(2);

/// Folds outbound mail, in timeline order.
#[derive(Debug, Clone, Default)]
pub struct OutboundFold {
    mails: BTreeMap<String, OutboundMail>,
    /// What the sending services call mails that have a `Message-ID`.
    names: BTreeMap<String, String>,
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
                if matches!(mail.bounced, Some(Bounce::Soft | Bounce::Blocked)) {
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
                if !mail.clicked.contains(&url) {
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
            self.call(service, &id);
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
        let id = self.known(bare(id));
        let mail = self.mails.entry(id.clone()).or_default();
        mail.id = id;
        if mail.address.is_none() {
            let claim = event
                .person_claims()
                .into_iter()
                .find(|claim| *claim.identifier().namespace() == Namespace::Email);
            mail.address = claim.map(|claim| claim.raw().to_owned());
        }
        mail
    }

    /// A service calls this mail so: what was told under that name was told of it.
    fn call(&mut self, service: &str, id: &str) {
        let id = bare(id).to_owned();
        let known = self.names.entry(service.to_owned()).or_insert(id).clone();
        if known != service
            && let Some(told) = self.mails.remove(service)
        {
            let mail = self.mails.entry(known.clone()).or_default();
            mail.id = known;
            mail.take(told);
        }
    }

    /// The id under which a mail is known. Some senders call a mail by the first part of its
    /// `Message-ID` once it is on its way.
    fn known(&self, id: &str) -> String {
        if let Some(known) = self.names.get(id) {
            return known.clone();
        }
        let whole = format!("{id}@");
        let later = self.mails.range(whole.clone()..).next().map(|(known, _)| known);
        match later.filter(|known| !id.contains('@') && known.starts_with(&whole)) {
            Some(known) => known.clone(),
            None => id.to_owned(),
        }
    }

    /// The mails, newest first.
    pub fn finish(self) -> Vec<OutboundMail> {
        let mut mails: Vec<OutboundMail> = self.mails.into_values().collect();
        for mail in &mut mails {
            let heard = mail.delivered_at.or(mail.last_opened_at);
            mail.sent_at = mail.sent_at.or(heard);
        }
        mails.sort_by(|a, b| (b.sent_at, &b.id).cmp(&(a.sent_at, &a.id)));
        mails
    }
}
