//! Where records come from: keys, scopes and claims for one account of one system.

use cx_core::actor::{Actor, ActorType};
use cx_core::event::identity::IdentityLink;
use cx_core::event::{ConversationRef, Event, Kind, Source, TimeOrigin};
use cx_core::identifier::{Assurance, Claim, Namespace, Role};
use cx_core::ids::{ConversationKey, EventKey};
use serde_json::{Map, Value};

use crate::json::{Moment, Object};
use crate::{Options, RecordError};

/// One account of one system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    system: &'static str,
    pub(crate) options: &'a Options,
}

/// A record of that account: what kind of object, and its id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) object: &'a str,
    pub(crate) id: &'a str,
    /// What of the object: `opened`. Empty where the object is one event.
    pub(crate) aspect: &'a str,
}

impl<'a> Part<'a> {
    pub(crate) const fn whole(object: &'a str, id: &'a str) -> Self {
        Self { object, id, aspect: "" }
    }

    pub(crate) const fn of(object: &'a str, id: &'a str, aspect: &'a str) -> Self {
        Self { object, id, aspect }
    }
}

impl<'a> Origin<'a> {
    pub(crate) const fn new(system: &'static str, options: &'a Options) -> Self {
        Self { system, options }
    }

    /// `zendesk:acme`, or `zendesk` where the caller names no account.
    pub(crate) fn scope(&self) -> String {
        match self.options.instance.trim() {
            "" => self.system.to_owned(),
            instance => format!("{}:{instance}", self.system),
        }
    }

    /// `zendesk:acme/ticket/5`; without the middle where the system has one kind of object only.
    pub(crate) fn path(&self, object: &str, id: &str) -> String {
        if object.is_empty() {
            format!("{}/{id}", self.scope())
        } else {
            format!("{}/{object}/{id}", self.scope())
        }
    }

    /// An event of a record. Its key is `system:instance/object/id#aspect`.
    pub(crate) fn event(
        &self,
        record: Part<'_>,
        kind: Kind,
        moment: Moment,
    ) -> Result<Event, RecordError> {
        let Part { object, id, aspect } = record;
        let path = self.path(object, id);
        let key = if aspect.is_empty() { path } else { format!("{path}#{aspect}") };
        let key = EventKey::new(key).map_err(|error| RecordError::new(error.to_string()))?;
        let source = Source {
            system: self.system.to_owned(),
            instance: self.options.instance.trim().to_owned(),
            object: object.to_owned(),
            id: id.to_owned(),
        };
        let mut event = Event::new(key, source, kind, moment.at);
        event.utc_offset = moment.offset;
        Ok(event)
    }

    /// Something that cx has no kind for, kept for the business's eyes: `custom.zendesk.push`.
    pub(crate) fn custom(
        &self,
        record: Part<'_>,
        name: &str,
        data: Map<String, Value>,
        moment: Moment,
    ) -> Result<Event, RecordError> {
        let name = format!("custom.{}.{}", self.system, name.to_ascii_lowercase());
        let mut event = self.event(record, Kind::Custom { name, data }, moment)?;
        event.visibility = cx_core::event::Visibility::Internal;
        event.actor = Actor::of(ActorType::System);
        Ok(event)
    }

    /// That a person was on record from the instant on at which the record was made, with the
    /// identifiers it has by now: on the timeline the record itself stands where it last changed.
    /// `None` where that is the same instant, or the record names nobody.
    pub(crate) fn seen(
        &self,
        record: &Event,
        created: Option<Moment>,
    ) -> Result<Option<Event>, RecordError> {
        let Some(created) = created.filter(|created| created.at < record.occurred_at) else {
            return Ok(None);
        };
        if record.who.is_empty() {
            return Ok(None);
        }
        let part = Part::of(&record.source.object, &record.source.id, "seen");
        let event = self.event(part, Kind::IdentitySeen(IdentityLink::default()), created)?;
        Ok(Some(Event {
            rev: record.rev.clone(),
            channel: record.channel.clone(),
            actor: record.actor.clone(),
            who: record.who.clone(),
            ..event
        }))
    }

    /// The conversation that an object is.
    pub(crate) fn conversation(
        &self,
        object: &str,
        id: &str,
    ) -> Result<ConversationRef, RecordError> {
        conversation(self.path(object, id))
    }

    /// Somebody's record in this system: proved, since the system itself names it.
    pub(crate) fn record(&self, namespace: Namespace, id: &str, role: Role) -> Option<Claim> {
        Claim::scoped(namespace, &self.scope(), id, role, Assurance::ChannelProved).ok()
    }

    /// A value that only means something in this system, such as an order's id.
    pub(crate) fn scoped(
        &self,
        namespace: Namespace,
        value: &str,
        role: Role,
        assurance: Assurance,
    ) -> Option<Claim> {
        Claim::scoped(namespace, &self.scope(), value, role, assurance).ok()
    }

    /// Somebody's address, also out of `Name <address>`; `None` for what is no address of a
    /// person: placeholders, `noreply@`, the business's own.
    pub(crate) fn email(&self, raw: &str, role: Role, assurance: Assurance) -> Option<Claim> {
        let address = bare_address(raw);
        if self.options.is_own_address(address) {
            return None;
        }
        Claim::new(Namespace::Email, address, role, assurance).ok()
    }

    /// Somebody's telephone number; `None` for withheld ones and the business's own.
    pub(crate) fn phone(
        &self,
        raw: &str,
        region: Option<&str>,
        role: Role,
        assurance: Assurance,
    ) -> Option<Claim> {
        let region = region.or(self.options.region.as_deref());
        let claim = Claim::phone(raw, region, role, assurance).ok()?;
        (!self.options.is_own_number(claim.identifier())).then_some(claim)
    }

    /// Whether a telephone number is the business's own.
    pub(crate) fn is_own_number(&self, raw: &str) -> bool {
        let region = self.options.region.as_deref();
        Claim::phone(raw, region, Role::Subject, Assurance::SelfStated)
            .is_ok_and(|number| self.options.is_own_number(number.identifier()))
    }

    /// The instant of a record that carries none: when the records were received.
    pub(crate) fn or_received(
        &self,
        told: Option<Moment>,
        missing: impl FnOnce() -> RecordError,
    ) -> Result<(Moment, TimeOrigin), RecordError> {
        match (told, self.options.received_at) {
            (Some(moment), _) => Ok((moment, TimeOrigin::Event)),
            (None, Some(at)) => Ok((Moment { at, offset: None }, TimeOrigin::Import)),
            (None, None) => Err(missing()),
        }
    }
}

/// A conversation by its key.
pub(crate) fn conversation(key: String) -> Result<ConversationRef, RecordError> {
    ConversationKey::new(key)
        .map(ConversationRef::of)
        .map_err(|error| RecordError::new(error.to_string()))
}

/// The address in `Name <address>`, or the text itself.
pub(crate) fn bare_address(raw: &str) -> &str {
    let inner = raw.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or(raw, |(address, _)| address).trim()
}

/// The fields of a record that hold somebody's identifiers and of which no claim came: what
/// identifies nobody is kept all the same.
pub(crate) fn unclaimed(
    object: &Object<'_>,
    fields: &[&str],
    claims: &[Claim],
) -> Map<String, Value> {
    let is_claimed = |text: &str| {
        let bare = bare_address(text);
        claims.iter().any(|claim| [bare, text].contains(&claim.raw().trim()))
    };
    let unclaimed = fields.iter().filter_map(|field| {
        let text = object.text(field).filter(|text| !is_claimed(text))?;
        Some(((*field).to_owned(), object.get(field).cloned().unwrap_or(Value::String(text))))
    });
    unclaimed.collect()
}
