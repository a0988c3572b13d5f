//! The person behind the customer: values with their origin, and what was agreed to, as each
//! audience may see them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::blocks::{Alert, AttributeBlock, ConsentBlock, ContactPoint, FieldBlock, ValueBlock};
use super::facts::{Audience, ContextOptions, IdentifierFact};
use super::masking::insert_beside;
use crate::event::Event;
use crate::event::identity::{Address, ConsentState};
use crate::identifier::{Identifier, Namespace};
use crate::profile::{
    Attribute, Consents, Content, Known, Profile, Question, Ruling, Value as Said,
};
use crate::text::folded;

/// What is known, attribute by attribute. Agents and models see all of it; customers and those who
/// write campaigns the values that count, without fields of no place of their own.
pub(super) fn profile(
    profile: &Profile,
    options: &ContextOptions,
    own: &[IdentifierFact],
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
    let block = |(attribute, known)| attribute_block(attribute, known, options, own, left_out);
    shown.map(block).collect()
}

fn attribute_block(
    attribute: &Attribute,
    known: &Known,
    options: &ContextOptions,
    own: &[IdentifierFact],
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
    } = value_block(attribute, &known.value, options.audience, own);
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
        others: others.map(|other| value_block(attribute, other, options.audience, own)).collect(),
    }
}

fn value_block(
    attribute: &Attribute,
    said: &Said,
    audience: Audience,
    own: &[IdentifierFact],
) -> ValueBlock {
    ValueBlock {
        value: shown_value(attribute, &said.content, audience, own),
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

fn shown_value(
    attribute: &Attribute,
    content: &Content,
    audience: Audience,
    own: &[IdentifierFact],
) -> Json {
    match audience {
        Audience::Model => masked(attribute, content, own),
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
/// written to or called.
fn masked(attribute: &Attribute, content: &Content, own: &[IdentifierFact]) -> Json {
    match content {
        Content::Text(text) if *attribute == Attribute::BirthDate => {
            let year: String = text.chars().take(4).collect();
            format!("{year}…").into()
        }
        Content::Text(text) => masked_text(text, own).into(),
        Content::Json(value) => masked_json(value, own),
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
        Content::Blank | Content::Company(_) => json(content),
    }
}

fn masked_json(value: &Json, own: &[IdentifierFact]) -> Json {
    match value {
        Json::String(text) => masked_text(text, own).into(),
        // A telephone number has no fraction.
        Json::Number(number) if !number.to_string().bytes().all(|byte| byte.is_ascii_digit()) => {
            value.clone()
        }
        Json::Number(number) => {
            let text = number.to_string();
            let masked = masked_text(&text, own);
            if masked == text { value.clone() } else { masked.into() }
        }
        Json::Array(values) => values.iter().map(|value| masked_json(value, own)).collect(),
        Json::Object(parts) => {
            let mut masked = Map::new();
            for (name, value) in parts {
                insert_beside(&mut masked, &masked_text(name, own), masked_json(value, own));
            }
            Json::Object(masked)
        }
        Json::Null | Json::Bool(_) => value.clone(),
    }
}

/// A text with every mail address, every telephone number that is written as one, and what the
/// customer is recognised by masked.
pub(super) fn masked_text(text: &str, own: &[IdentifierFact]) -> String {
    let whole = folded(text);
    if own.iter().any(|fact| fact.identifier.key() == whole) {
        return mask(text.trim());
    }
    let mut masked = String::with_capacity(text.len());
    let (mut rest, mut is_amid_a_word) = (text, false);
    while let Some(next) = rest.chars().next() {
        let found = if is_amid_a_word { None } else { address_at(rest).or(number_at(rest, own)) };
        let length = found.unwrap_or(next.len_utf8());
        let Some((piece, behind)) = rest.split_at_checked(length) else { break };
        masked.push_str(&if found.is_some() { mask(piece) } else { piece.to_owned() });
        is_amid_a_word = piece.ends_with(char::is_alphanumeric);
        rest = behind;
    }
    masked
}

/// How long the mail address is with which a text begins.
fn address_at(text: &str) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || "@._%+-!#$&*=?^{|}~'".contains(c);
    // The longest address that RFC 5321 knows has 254 characters.
    let parts = text.chars().take(320).take_while(|c| is_part(*c));
    let end = parts.map(char::len_utf8).sum();
    let address = text.get(..end)?.trim_end_matches(|c: char| !c.is_alphanumeric());
    let (local, domain) = address.split_once('@')?;
    (!local.is_empty() && !domain.is_empty()).then_some(address.len())
}

/// How long the telephone number is with which a text begins: one that has a country code or a
/// trunk zero, or that the customer is recognised by. Other figures may stand behind it.
fn number_at(text: &str, own: &[IdentifierFact]) -> Option<usize> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '(') {
        return None;
    }
    let (mut digits, mut end, mut longest) = (String::new(), 0, None);
    for (place, c) in text.char_indices().take(40) {
        if c.is_ascii_digit() {
            digits.push(c);
            end = place + c.len_utf8();
            continue;
        }
        let is_between = matches!(c, ' ' | '\u{a0}' | '-' | '.' | '/' | '(' | ')');
        if !(is_between || c == '+' && place == 0) {
            if c.is_alphanumeric() {
                return longest;
            }
            break;
        }
        if is_number(text.get(..end)?, &digits, own) {
            longest = Some(end);
        }
    }
    if is_number(text.get(..end)?, &digits, own) { Some(end) } else { longest }
}

/// Whether a text with these digits is such a number.
fn is_number(text: &str, digits: &str, own: &[IdentifierFact]) -> bool {
    let is_own = || {
        let national = digits.trim_start_matches('0');
        let is_it = |fact: &IdentifierFact| {
            let is_number =
                matches!(fact.identifier.namespace(), Namespace::Phone | Namespace::WaId);
            is_number && fact.identifier.key().ends_with(national)
        };
        national.len() >= 7 && own.iter().any(is_it)
    };
    let is_whole = text.starts_with('+')
        || digits.strip_prefix("00").is_some_and(|rest| !rest.starts_with('0'));
    let has_trunk = digits.starts_with('0') && !is_date(text);
    is_whole && (7..=15).contains(&digits.len())
        || has_trunk && (9..=12).contains(&digits.len())
        || is_own()
}

/// Whether a text begins with a date such as 01-03-2026.
fn is_date(text: &str) -> bool {
    let mut parts = text.split(['-', '.', '/', ' ']);
    let mut is_of = |lengths: &[usize]| parts.next().is_some_and(|it| lengths.contains(&it.len()));
    is_of(&[1, 2])
        && is_of(&[1, 2])
        && parts.next().is_some_and(|year| {
            year.len() == 4 && (year.starts_with("19") || year.starts_with("20"))
        })
}

/// The key of a conversation with what the customer is recognised by masked: in those of some
/// channels their number stands.
pub(super) fn masked_key(key: &str, own: &[IdentifierFact]) -> String {
    let mut masked = key.to_owned();
    for fact in own {
        let value = fact.identifier.key();
        for value in [value, value.trim_start_matches('+')] {
            if value.chars().count() >= 6 {
                masked = with_whole_words_masked(&masked, value);
            }
        }
    }
    masked
}

fn with_whole_words_masked(text: &str, value: &str) -> String {
    // Some sources keep the capital letters.
    let (lower, value) = (text.to_ascii_lowercase(), value.to_ascii_lowercase());
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = lower.get(text.len() - rest.len()..).and_then(|it| it.find(&value)) {
        let Some((before, behind)) = rest.split_at_checked(place) else { break };
        let Some((found, behind)) = behind.split_at_checked(value.len()) else { break };
        masked.push_str(before);
        let is_amid_a_word =
            masked.ends_with(char::is_alphanumeric) || behind.starts_with(char::is_alphanumeric);
        masked.push_str(&if is_amid_a_word { found.to_owned() } else { mask(found) });
        rest = behind;
    }
    masked.push_str(rest);
    masked
}

/// The fields that have no place of their own: of each the value that counts, blanks left out.
pub(super) fn fields(
    profile: &Profile,
    audience: Audience,
    own: &[IdentifierFact],
) -> Vec<FieldBlock> {
    let field = |(attribute, known): (&Attribute, &Known)| match (attribute, &known.value.content) {
        (Attribute::Field(name), content @ Content::Json(_)) => Some(FieldBlock {
            name: name.clone(),
            value: shown_value(attribute, content, audience, own),
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
