//! The person behind the customer: values with their origin, and what was agreed to, as each
//! audience may see them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::blocks::{Alert, AttributeBlock, ConsentBlock, ContactPoint, FieldBlock, ValueBlock};
use super::facts::{Audience, ContextOptions};
use crate::event::Event;
use crate::event::identity::{Address, ConsentState};
use crate::identifier::{Identifier, Namespace};
use crate::profile::{
    Attribute, Consents, Content, Known, Profile, Question, Ruling, Value as Said,
};

/// What is known, attribute by attribute. Agents and models see all of it; customers and those who
/// write campaigns the values that count, without fields of no place of their own.
pub(super) fn profile(
    profile: &Profile,
    options: &ContextOptions,
    left_out: &mut BTreeMap<String, u64>,
) -> Vec<AttributeBlock> {
    let is_inner = matches!(options.audience, Audience::Agent | Audience::Model);
    let is_shown = |attribute: &Attribute| match attribute {
        Attribute::Field(_) => is_inner,
        Attribute::Name
        | Attribute::GivenName
        | Attribute::FamilyName
        | Attribute::Language
        | Attribute::Timezone
        | Attribute::Company
        | Attribute::BirthDate
        | Attribute::Address => true,
    };
    let shown = profile.values.iter().filter(|(attribute, _)| is_shown(attribute));
    shown.map(|(attribute, known)| attribute_block(attribute, known, options, left_out)).collect()
}

fn attribute_block(
    attribute: &Attribute,
    known: &Known,
    options: &ContextOptions,
    left_out: &mut BTreeMap<String, u64>,
) -> AttributeBlock {
    let most = match options.audience {
        Audience::Agent | Audience::Model => options.items,
        Audience::Marketing | Audience::Customer => 0,
    };
    if most > 0 && known.others.len() > most {
        let n = u64::try_from(known.others.len() - most).unwrap_or(u64::MAX);
        *left_out.entry("values".to_owned()).or_insert(0) += n;
    }
    let others = known.others.iter().take(most);
    let ValueBlock {
        value,
        blank,
        pinned,
        source,
        at,
        event,
        assurance,
        sources,
        first_seen,
        last_seen,
        n_days,
        n_events,
    } = value_block(attribute, &known.value, options.audience);
    AttributeBlock {
        attribute: attribute.to_string(),
        value,
        blank,
        pinned,
        source,
        at,
        event,
        assurance,
        sources,
        first_seen,
        last_seen,
        n_days,
        n_events,
        others: others.map(|other| value_block(attribute, other, options.audience)).collect(),
    }
}

fn value_block(attribute: &Attribute, said: &Said, audience: Audience) -> ValueBlock {
    ValueBlock {
        value: shown_value(attribute, &said.content, audience),
        blank: said.content == Content::Blank,
        pinned: said.pinned,
        source: said.source.clone(),
        at: said.at.to_string(),
        event: said.event.to_string(),
        assurance: said.assurance,
        sources: said.sources.clone(),
        first_seen: said.first_seen.to_string(),
        last_seen: said.last_seen.to_string(),
        n_days: said.n_days,
        n_events: said.n_events,
    }
}

fn shown_value(attribute: &Attribute, content: &Content, audience: Audience) -> Json {
    match audience {
        Audience::Model => masked(attribute, content),
        Audience::Agent | Audience::Marketing | Audience::Customer => json(content),
    }
}

fn json(content: &Content) -> Json {
    match content {
        Content::Blank => Json::Null,
        Content::Text(text) => text.as_str().into(),
        Content::Company(company) => {
            let parts = [("id", &company.id), ("name", &company.name)];
            let part = |(name, value): (&str, &Option<String>)| {
                (name.to_owned(), value.as_deref().map_or(Json::Null, Json::from))
            };
            Json::Object(parts.into_iter().map(part).collect::<Map<_, _>>())
        }
        Content::Address(address) => serde_json::to_value(address).unwrap_or_default(),
        Content::Json(value) => value.clone(),
    }
}

/// The same for a model: no street, no postcode, only the year of a birth, and nothing that can be
/// written to.
fn masked(attribute: &Attribute, content: &Content) -> Json {
    match content {
        Content::Text(text) if *attribute == Attribute::BirthDate => {
            let year: String = text.chars().take(4).collect();
            format!("{year}…").into()
        }
        Content::Text(text) | Content::Json(Json::String(text)) if text.contains('@') => {
            mask(text).into()
        }
        Content::Address(address) => {
            let hidden = |part: &Option<String>| part.as_ref().map(|_| "…".to_owned());
            let known = Address {
                text: hidden(&address.text),
                street: hidden(&address.street),
                postcode: hidden(&address.postcode),
                city: address.city.clone(),
                region: address.region.clone(),
                country: address.country.clone(),
                other: Map::new(),
            };
            json(&Content::Address(known))
        }
        Content::Blank | Content::Text(_) | Content::Company(_) | Content::Json(_) => json(content),
    }
}

/// The fields that have no place of their own: of each the value that counts, blanks left out.
pub(super) fn fields(profile: &Profile, audience: Audience) -> Vec<FieldBlock> {
    let field = |(attribute, known): (&Attribute, &Known)| match (attribute, &known.value.content) {
        (Attribute::Field(name), content @ Content::Json(_)) => Some(FieldBlock {
            name: name.clone(),
            value: shown_value(attribute, content, audience),
            source: known.value.source.clone(),
            at: known.value.at.to_string(),
        }),
        _ => None,
    };
    profile.values.iter().filter_map(field).collect()
}

/// What was agreed to. Every audience sees what holds; who said it in which words only where it
/// may see the event.
pub(super) fn consent(
    rulings: &[Ruling<'_>],
    options: &ContextOptions,
    may_see: impl Fn(&Event) -> bool,
) -> Vec<ConsentBlock> {
    let block = |ruling: &Ruling<'_>| {
        let is_seen = may_see(ruling.event);
        ConsentBlock {
            contact_point: ruling.contact_point.map(|point| ContactPoint {
                ns: point.namespace().to_string(),
                scope: (!point.scope().is_empty()).then(|| point.scope().to_owned()),
                value: shown(point, options.audience),
            }),
            purpose: ruling.purpose.clone(),
            channel: ruling.channel.clone(),
            list: ruling.list.map(str::to_owned),
            state: ruling.state,
            basis: ruling.basis,
            at: ruling.event.occurred_at.to_string(),
            source: is_seen.then(|| ruling.event.source.scope()),
            wording: ruling.wording.filter(|_| is_seen).map(str::to_owned),
            event: is_seen.then(|| ruling.event.key.to_string()),
        }
    };
    rulings.iter().map(block).collect()
}

/// Who must not be written to for marketing, or for anything, and where: one alert for each contact
/// point and channel.
pub(super) fn refusals(
    rulings: &[Ruling<'_>],
    options: &ContextOptions,
    may_see: impl Fn(&Event) -> bool,
) -> Vec<Alert> {
    let mut alerts = Vec::new();
    let mut told: BTreeSet<(Option<&Identifier>, Option<&str>)> = BTreeSet::new();
    for ruling in rulings {
        let is_meant = matches!(ruling.purpose.as_deref(), None | Some("marketing"));
        let place = (ruling.contact_point, ruling.channel.as_deref());
        if !is_meant || ruling.state != ConsentState::Denied || !told.insert(place) {
            continue;
        }
        let mut text = match &ruling.purpose {
            Some(_) => "wants no marketing".to_owned(),
            None => "wants to hear nothing".to_owned(),
        };
        if let Some(channel) = &ruling.channel {
            text.push_str(" by ");
            text.push_str(if channel == "email" { "e-mail" } else { channel });
        }
        if let Some(point) = ruling.contact_point {
            text.push_str(" at ");
            text.push_str(&shown(point, options.audience));
        }
        if let Some(list) = ruling.list {
            text.push_str(" (list ");
            text.push_str(list);
            text.push(')');
        }
        alerts.push(Alert {
            kind: "do_not_contact".to_owned(),
            level: "warn".to_owned(),
            text,
            since: Some(ruling.event.occurred_at.to_string()),
            r#ref: may_see(ruling.event).then(|| ruling.event.key.to_string()),
        });
    }
    alerts
}

/// Whether campaign mail to an address is refused; where the address is not known, whether it is
/// refused at all.
pub(super) fn refuses_mail(consents: &Consents<'_>, address: Option<&str>) -> bool {
    let point = address.and_then(|it| Identifier::normalise(Namespace::Email, "", it, None).ok());
    let (purpose, channel) = ("marketing", Some("email"));
    let asked = Question { contact_point: point.as_ref(), purpose, channel };
    consents.state(asked) == ConsentState::Denied
}

fn shown(point: &Identifier, audience: Audience) -> String {
    match audience {
        Audience::Model => mask(point.key()),
        Audience::Agent | Audience::Marketing | Audience::Customer => point.key().to_owned(),
    }
}

/// An identifier with its namespace and scope: `email:jan@example.nl`.
pub(super) fn written(identifier: &Identifier, audience: Audience) -> String {
    let (namespace, value) = (identifier.namespace(), shown(identifier, audience));
    match identifier.scope() {
        "" => format!("{namespace}:{value}"),
        scope => format!("{namespace}:{scope}:{value}"),
    }
}

/// `j…@example.nl`, `+31…678`: enough to recognise, too little to use.
pub(super) fn mask(value: &str) -> String {
    if let Some((local, domain)) = value.split_once('@') {
        let first: String = local.chars().take(1).collect();
        return format!("{first}…@{domain}");
    }
    let n = value.chars().count();
    if n < 6 {
        return "…".to_owned();
    }
    let first: String = value.chars().take(3).collect();
    let last: String = value.chars().skip(n - 3).collect();
    format!("{first}…{last}")
}
