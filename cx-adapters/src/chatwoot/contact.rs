//! Contacts: who they are, and how well that is proved.

use cx_core::actor::{Actor, ActorType};
use cx_core::channel::Channel;
use cx_core::event::identity::{Address, Profile, ProfileField};
use cx_core::event::web::View;
use cx_core::event::{Direction, Event, Kind};
use cx_core::identifier::{Assurance, Claim, Namespace, Role};

use serde_json::Value;

use super::{Outcome, timed, words};
use crate::RecordError;
use crate::json::Object;
use crate::origin::{self, Origin, Part};

/// What of a contact is an identifier, where it is one.
const IDENTIFIERS: &[&str] = &["email", "phone_number", "identifier"];

/// A contact and what its conversation proves of it.
pub(super) struct Known<'a> {
    contact: Option<Object<'a>>,
    /// The contact's id, where the record names no more than that.
    id: Option<String>,
    channel: Channel,
    /// Whether the business's own site vouched for the contact.
    is_verified: bool,
    /// The contact's id within the inbox.
    source_id: Option<String>,
    inbox: Option<String>,
}

impl Known<'_> {
    fn text(&self, field: &str) -> Option<String> {
        self.contact.as_ref().and_then(|contact| contact.text(field))
    }

    /// The contact's id in Chatwoot.
    pub(super) fn id(&self) -> Option<String> {
        self.text("id").or_else(|| self.id.clone())
    }

    /// The contact's name.
    pub(super) fn name(&self) -> Option<String> {
        self.text("name")
    }

    /// What of the contact identifies nobody, kept under its name.
    pub(super) fn unclaimed(&self, claims: &[Claim]) -> Option<(String, Value)> {
        let unclaimed = origin::unclaimed(self.contact.as_ref()?, IDENTIFIERS, claims);
        (!unclaimed.is_empty()).then(|| ("contact".to_owned(), Value::Object(unclaimed)))
    }

    /// The contact's identifiers. Its record in Chatwoot is proved; address, number and the
    /// business's own id are what somebody typed, unless the site signed for them, or the channel
    /// is that address or number.
    pub(super) fn claims(&self, origin: Origin<'_>, role: Role) -> Vec<Claim> {
        let stated =
            if self.is_verified { Assurance::Authenticated } else { Assurance::SelfStated };
        let on = |channels: &[Channel]| {
            if channels.contains(&self.channel) {
                stated.max(Assurance::ChannelProved)
            } else {
                stated
            }
        };
        let mut claims = Vec::new();
        if let Some(id) = self.id() {
            claims.extend(origin.record(Namespace::Helpdesk, &id, role));
        }
        if let Some(email) = self.text("email") {
            claims.extend(origin.email(&email, role, on(&[Channel::Email])));
        }
        if let Some(number) = self.text("phone_number") {
            let assurance = on(&[Channel::Whatsapp, Channel::Sms, Channel::Phone]);
            claims.extend(origin.phone(&number, None, role, assurance));
        }
        if let Some(external) = self.text("identifier") {
            claims.extend(origin.scoped(Namespace::ExternalId, &external, role, stated));
        }
        claims.extend(self.source(origin, role));
        claims
    }

    /// The contact's id within the inbox: a browser, a WhatsApp number, an account elsewhere.
    fn source(&self, origin: Origin<'_>, role: Role) -> Option<Claim> {
        let id = self.source_id.as_deref()?;
        let proved = Assurance::ChannelProved;
        let network = match &self.channel {
            Channel::Chat => {
                let inbox = self.inbox.as_deref().unwrap_or("widget");
                let scope = origin.path("inbox", inbox);
                return Claim::scoped(Namespace::Cookie, &scope, id, role, proved).ok();
            }
            Channel::Whatsapp => {
                let number = id.trim_start_matches("whatsapp:").trim_start_matches('+');
                return Claim::new(Namespace::WaId, number, role, proved).ok();
            }
            Channel::Sms | Channel::Phone => return origin.phone(id, None, role, proved),
            Channel::Email => return origin.email(id, role, proved),
            Channel::Messenger => "messenger",
            Channel::Instagram => "instagram",
            Channel::Telegram => "telegram",
            Channel::Line => "line",
            Channel::X => "x",
            _ => return None,
        };
        Claim::scoped(Namespace::Social, network, id, role, proved).ok()
    }
}

/// The contact of a conversation or message, wherever the payload puts it. The sender may be the
/// agent and is taken only where it says that it is a contact, or where it says nothing of that and the
/// message came in.
pub(super) fn of<'a>(record: &Object<'a>, conversation: Option<&Object<'a>>) -> Option<Known<'a>> {
    let word = record.text("message_type");
    let is_incoming = word.is_some_and(|word| ["incoming", "0"].contains(&word.as_str()));
    let is_contact = |sender: &Object<'_>| match sender.text("type") {
        Some(class) => words::sender(&class) == Some(ActorType::Customer),
        None => is_incoming,
    };
    let meta = conversation.and_then(|conversation| conversation.object("meta"));
    let contact = record
        .object("contact")
        .or_else(|| record.object("sender").filter(is_contact))
        .or_else(|| meta.as_ref().and_then(|meta| meta.object("sender")))
        .or_else(|| conversation.and_then(|conversation| conversation.object("contact")));
    let is_by_contact = record.text("sender_type").as_deref() == Some("Contact");
    let id = record.text("sender_id").filter(|_| is_by_contact);
    if contact.is_none() && id.is_none() {
        return None;
    }
    let inbox = conversation.and_then(|conversation| conversation.object("contact_inbox"));
    let is_verified = [meta.as_ref(), inbox.as_ref()]
        .into_iter()
        .flatten()
        .any(|object| object.flag("hmac_verified") == Some(true));
    Some(Known {
        contact,
        id,
        channel: channel(record, conversation),
        is_verified,
        source_id: inbox.as_ref().and_then(|inbox| inbox.text("source_id")),
        inbox: inbox
            .and_then(|inbox| inbox.text("inbox_id"))
            .or_else(|| record.object("inbox").and_then(|inbox| inbox.text("id")))
            .or_else(|| conversation.and_then(|conversation| conversation.text("inbox_id"))),
    })
}

/// The channel of a record: its inbox's, else its conversation's. What only names a browser came
/// through the widget.
pub(super) fn channel(record: &Object<'_>, conversation: Option<&Object<'_>>) -> Channel {
    let inbox = record.object("inbox");
    let class = inbox
        .as_ref()
        .and_then(|inbox| inbox.text("channel_type"))
        .or_else(|| conversation.and_then(|conversation| conversation.text("channel")))
        .or_else(|| record.text("channel"))
        .or_else(|| conversation.and_then(|it| it.object("meta")?.text("channel")));
    let medium = inbox.as_ref().and_then(|inbox| inbox.text("medium")).or_else(|| {
        let source = conversation?.object("contact_inbox")?.text("source_id")?;
        source.split_once(':').map(|(medium, _)| medium.to_owned())
    });
    if let Some(class) = class {
        return words::channel(&class, medium.as_deref());
    }
    let attributes = conversation.unwrap_or(record).object("additional_attributes");
    let is_widget =
        attributes.is_some_and(|attributes| attributes.has("browser") || attributes.has("referer"));
    if is_widget { Channel::Chat } else { Channel::Other(String::new()) }
}

const MAPPED: &[&str] = &[
    "event",
    "id",
    "name",
    "email",
    "phone_number",
    "identifier",
    "created_at",
    "updated_at",
    "custom_attributes",
    "blocked",
    "account",
];

/// What Chatwoot has on record about a contact, and since when.
pub(super) fn profile(origin: Origin<'_>, contact: &Object<'_>) -> Outcome {
    let id = contact.need("id")?;
    let told = contact.first_moment(&["updated_at", "last_activity_at", "created_at"])?;
    let at = origin.or_received(told, || contact.problem("updated_at", "missing"))?;
    let attributes = contact.object("additional_attributes");
    let attribute = |name: &str| attributes.as_ref().and_then(|fields| fields.text(name));
    let fields = contact.object("custom_attributes").map(|fields| {
        let set = fields.fields().iter().filter(|(_, value)| !value.is_null());
        set.map(|(name, value)| ProfileField { name: name.clone(), value: value.clone() }).collect()
    });
    let address = Address {
        city: attribute("city"),
        country: attribute("country_code").or_else(|| attribute("country")),
        ..Address::default()
    };
    let data = Profile {
        name: contact.text("name"),
        address: (!address.is_empty()).then_some(address),
        language: attribute("language"),
        timezone: attribute("timezone"),
        company: attribute("company_name"),
        blocked: contact.flag("blocked").filter(|blocked| *blocked),
        fields: fields.unwrap_or_default(),
        ..Profile::default()
    };
    let digest = contact.digest();
    let part = if told.is_some() {
        Part::whole("contact", &id)
    } else {
        Part::of("contact", &id, &digest)
    };
    let mut event = timed(origin, part, Kind::ProfileUpdated(data.into()), at)?;
    event.rev = told.map(|moment| moment.at.to_string());
    event.channel = Channel::System;
    event.actor = Actor::of(ActorType::System);
    event.name = contact.text("name");
    let known = Known {
        contact: Some(contact.clone()),
        id: None,
        channel: Channel::System,
        is_verified: contact.flag("hmac_verified") == Some(true),
        source_id: None,
        inbox: None,
    };
    event.who = known.claims(origin, Role::Subject);
    event.extra = contact.rest(MAPPED);
    event.extra.extend(origin::unclaimed(contact, IDENTIFIERS, &event.who));
    let created = contact.moment("created_at")?.filter(|_| told.is_some());
    let seen = origin.seen(&event, created)?;
    Ok([Some(event), seen].into_iter().flatten().map(Ok).collect())
}

/// A page on which somebody opened the widget.
pub(super) fn page(origin: Origin<'_>, trigger: &Object<'_>) -> Result<Event, RecordError> {
    let info = trigger.object("event_info");
    let told = match &info {
        Some(info) => match info.object("initiated_at") {
            Some(started) => started.moment("timestamp")?,
            None => info.moment("initiated_at")?,
        },
        None => None,
    };
    let told = told.or(trigger.first_moment(&["timestamp", "created_at"])?);
    let at = origin.or_received(told, || trigger.problem("event_info", "no instant in it"))?;
    let data = View {
        url: info.as_ref().and_then(|info| info.first_text(&["referer", "page_url", "url"])),
        ..View::default()
    };
    let digest = trigger.digest();
    let mut event = timed(origin, Part::whole("widget", &digest), Kind::PageViewed(data), at)?;
    event.channel = Channel::Web;
    event.direction = Direction::In;
    event.actor = Actor::of(ActorType::Customer);
    let known = trigger.object("contact").map(|contact| Known {
        contact: Some(contact),
        id: None,
        channel: Channel::Chat,
        is_verified: false,
        source_id: trigger.text("source_id"),
        inbox: trigger.object("inbox").and_then(|inbox| inbox.text("id")),
    });
    if let Some(known) = known {
        event.who = known.claims(origin, Role::Subject);
        event.name = known.name();
    }
    event.extra = trigger.rest(&["event", "contact", "account"]);
    Ok(event)
}
