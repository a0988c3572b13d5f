//! Customers: what the shop has on record, and the identifiers of whoever buys.

use cx_core::actor::{Actor, ActorType};
use cx_core::channel::Channel;
use cx_core::event::identity::{Address, Consent, ConsentState, Profile};
use cx_core::event::{Direction, Kind, TimeOrigin};
use cx_core::identifier::{Assurance, Claim, Namespace, Role};
use cx_core::identity::PersonName;
use serde_json::Value;

use super::{Outcome, name};
use crate::Record;
use crate::json::{Moment, Object};
use crate::origin::{self, Origin, Part};

const MAPPED: &[&str] = &[
    "id",
    "email",
    "phone",
    "first_name",
    "last_name",
    "created_at",
    "updated_at",
    "tags",
    "note",
    "verified_email",
    "email_marketing_consent",
    "sms_marketing_consent",
    "locale",
];

/// The record of a customer, and what they agreed to.
pub(super) fn records(origin: Origin<'_>, customer: &Object<'_>) -> Outcome {
    let id = customer.need("id")?;
    let at = customer
        .first_moment(&["updated_at", "created_at"])?
        .ok_or_else(|| customer.problem("updated_at", "missing"))?;
    let tags = customer.text("tags").unwrap_or_default();
    let is_default = |address: &Object<'_>| address.flag("default") == Some(true);
    let address = customer
        .object("default_address")
        .or_else(|| customer.list("addresses").into_iter().find(is_default))
        .filter(|address| is_for(name(customer).as_deref(), address));
    let data = Profile {
        name: name(customer),
        given_name: customer.text("first_name"),
        family_name: customer.text("last_name"),
        language: customer.text("locale"),
        tags: tags
            .split(',')
            .map(str::trim)
            .filter(|tag| !tag.is_empty())
            .map(str::to_owned)
            .collect(),
        notes: customer.text("note").into_iter().collect(),
        company: address.as_ref().and_then(|address| address.text("company")),
        address: address.as_ref().and_then(postal),
        ..Profile::default()
    };
    let mut event =
        origin.event(Part::whole("customer", &id), Kind::ProfileUpdated(data.into()), at)?;
    event.rev = Some(at.at.to_string());
    event.channel = Channel::Commerce;
    event.actor = Actor::of(ActorType::System);
    event.name = name(customer);
    event.who = claims(origin, customer);
    event.extra = customer.rest(MAPPED);
    event.extra.extend(origin::unclaimed(customer, IDENTIFIERS, &event.who));
    let seen = origin.seen(&event, customer.moment("created_at")?)?;
    let mut records: Vec<Record> =
        customer.misshapen(&["default_address"], &["addresses"]).into_iter().map(Err).collect();
    records.push(Ok(event));
    records.extend(seen.map(Ok));
    records.extend(consents(origin, customer, &id, None));
    Ok(records)
}

/// What of a customer is an identifier, where it is one.
pub(super) const IDENTIFIERS: &[&str] = &["email", "phone"];

/// What of a customer within an order or a checkout is read there.
pub(super) const CLAIMED: &[&str] = &[
    "id",
    "email",
    "phone",
    "first_name",
    "last_name",
    "verified_email",
    "email_marketing_consent",
    "sms_marketing_consent",
];

/// What the customer within an order or a checkout agreed to.
pub(super) fn consents_of(origin: Origin<'_>, order: &Object<'_>) -> Vec<Record> {
    let Some(customer) = order.object("customer").filter(|customer| customer.has("id")) else {
        return Vec::new();
    };
    let of_order = order.first_moment(&["updated_at", "created_at"]);
    match (customer.need("id"), of_order) {
        (Ok(id), Ok(of_order)) => consents(origin, &customer, &id, of_order),
        (Err(error), _) | (_, Err(error)) => vec![Err(error)],
    }
}

/// What a customer agreed to, told by the customer's record wherever it stands, and when the record
/// was told that it stands in.
fn consents(
    origin: Origin<'_>,
    customer: &Object<'_>,
    id: &str,
    within: Option<Moment>,
) -> Vec<Record> {
    let fields = [("email_marketing_consent", "email"), ("sms_marketing_consent", "sms")];
    let told = fields.into_iter().filter_map(|(field, channel)| {
        let told = customer.object(field)?;
        let state = match told.text("state")?.to_ascii_lowercase().as_str() {
            "subscribed" => ConsentState::Granted,
            "unsubscribed" | "redacted" | "invalid" => ConsentState::Denied,
            _ => ConsentState::Unknown,
        };
        let dated = told.moment("consent_updated_at");
        // A no without a date, as an import, an app or the shop itself sets it, is known since the copy
        // that says so: an earlier one may have said yes. Anything else may be as old as the record.
        let known = if state == ConsentState::Denied {
            customer.first_moment(&["updated_at", "created_at"])
        } else {
            customer.first_moment(&["created_at", "updated_at"])
        };
        let build = || {
            let (dated, known) = (dated?, known?.or(within));
            // Nothing was said, and nobody knows when.
            if state == ConsentState::Unknown && dated.or(known).is_none() {
                return Ok(None);
            }
            let wording = told.text("opt_in_level");
            consent(origin, customer, id, Answer { channel, state, dated, known, wording })
                .map(Some)
        };
        build().transpose()
    });
    let mut records: Vec<Record> = told.collect();
    if !customer.has("email_marketing_consent") {
        records.extend(accepted(origin, customer, id));
    }
    records
}

/// What a webhook of a changed answer tells: the answer alone, of a customer by id and address or
/// number. A copy of the customer's record that tells the same answer says more, so it comes after
/// this one: its revision is an instant, and that of this one a number.
pub(super) fn answered(origin: Origin<'_>, told: &Object<'_>) -> Outcome {
    let id = match told.text("customer_id") {
        Some(id) => id,
        None => told.need("id")?,
    };
    let mut customer = told.rest(&["customer_id", "email_id", "email_address"]);
    customer.insert("id".to_owned(), id.clone().into());
    let email = told.text("email_address");
    customer.extend(email.map(|email| ("email".to_owned(), email.into())));
    let customer = Value::Object(customer);
    let customer = Object::of(&customer, told.place_of_all())?;
    let received = origin.or_received(None, || told.problem("consent_updated_at", "missing"));
    let received = received.ok().map(|(received, _)| received);
    let mut records = consents(origin, &customer, &id, received);
    for event in records.iter_mut().flatten() {
        event.rev = Some(event.occurred_at.as_micros().to_string());
    }
    Ok(records)
}

/// The same as it was told before April 2022: yes or no, on email only. A no as old as the
/// record is nobody's answer.
fn accepted(origin: Origin<'_>, customer: &Object<'_>, id: &str) -> Option<Record> {
    let is_accepted = customer.flag("accepts_marketing")?;
    let build = || {
        let dated = customer.moment("accepts_marketing_updated_at")?;
        let created = customer.moment("created_at")?;
        let is_said = dated.is_some_and(|at| created.is_none_or(|created| at.at != created.at));
        let state = match (is_accepted, is_said) {
            (true, _) => ConsentState::Granted,
            (false, true) => ConsentState::Denied,
            (false, false) => ConsentState::Unknown,
        };
        let wording = customer.text("marketing_opt_in_level");
        let known = customer.first_moment(&["created_at", "updated_at"])?;
        consent(origin, customer, id, Answer { channel: "email", state, dated, known, wording })
    };
    Some(build())
}

/// What a customer answered.
struct Answer {
    channel: &'static str,
    state: ConsentState,
    /// When, as far as the shop says so.
    dated: Option<Moment>,
    /// Since when the record that holds the answer is known.
    known: Option<Moment>,
    wording: Option<String>,
}

/// One answer. Any copy of the customer's record tells it alike, so nothing stands in it that only
/// some of them have. One that has a date is a fact of its own, whatever is answered later.
fn consent(origin: Origin<'_>, customer: &Object<'_>, id: &str, answer: Answer) -> Record {
    let Answer { channel, state, dated, known, wording } = answer;
    let at = dated.or(known).ok_or_else(|| customer.problem("consent_updated_at", "missing"))?;
    let data = Consent {
        purpose: Some("marketing".to_owned()),
        on: Some(channel.to_owned()),
        state,
        wording,
        ..Consent::default()
    };
    let part = match dated {
        Some(at) => format!("consent/{channel}/{}", at.at),
        None => format!("consent/{channel}"),
    };
    let mut event =
        origin.event(Part::of("customer", id, &part), Kind::ConsentChanged(data), at)?;
    event.rev = Some(customer.moment("updated_at")?.unwrap_or(at).at.to_string());
    if dated.is_none() && state == ConsentState::Denied {
        event.occurred_at_origin = TimeOrigin::Received;
    }
    event.channel = Channel::Commerce;
    event.direction = Direction::In;
    event.actor = Actor::of(ActorType::Customer);
    event.who = named(origin, customer);
    Ok(event)
}

/// The identifiers in a customer record. The shop proves its own id, and the address where it has
/// verified it; numbers are what somebody typed, written as in the country of their address.
pub(super) fn claims(origin: Origin<'_>, customer: &Object<'_>) -> Vec<Claim> {
    let mut claims = named(origin, customer);
    let address = customer.object("default_address");
    let address = address.filter(|address| is_for(name(customer).as_deref(), address));
    claims.extend(address.and_then(|address| number(origin, &address)));
    claims
}

/// The identifiers that a customer record itself names, its addresses aside.
fn named(origin: Origin<'_>, customer: &Object<'_>) -> Vec<Claim> {
    let role = Role::Subject;
    let mut claims = Vec::new();
    if let Some(id) = customer.text("id") {
        claims.extend(origin.record(Namespace::Shop, &id, role));
    }
    if let Some(email) = customer.text("email") {
        let assurance = if customer.flag("verified_email") == Some(true) {
            Assurance::ChannelProved
        } else {
            Assurance::SelfStated
        };
        claims.extend(origin.email(&email, role, assurance));
    }
    let address = customer.object("default_address");
    let region = address.as_ref().and_then(|address| address.text("country_code"));
    if let Some(number) = customer.text("phone") {
        claims.extend(origin.phone(&number, region.as_deref(), role, Assurance::SelfStated));
    }
    claims
}

/// Whether an address is for somebody of this name: one for another name is somebody else's, and so
/// is its number.
fn is_for(person: Option<&str>, address: &Object<'_>) -> bool {
    let (Some(person), Some(receiver)) = (person, name(address)) else { return true };
    match (PersonName::parse(person), PersonName::parse(&receiver)) {
        (Some(person), Some(receiver)) => person.agrees(&receiver),
        _ => cx_core::text::folded(person) == cx_core::text::folded(&receiver),
    }
}

/// A postal address in the shop's parts; `None` where it has none of them. Everything else that the
/// shop keeps of it stays in `extra`.
fn postal(address: &Object<'_>) -> Option<Address> {
    let lines: Vec<String> =
        ["address1", "address2"].iter().filter_map(|line| address.text(line)).collect();
    let told = Address {
        street: Some(lines.join(", ")).filter(|street| !street.is_empty()),
        postcode: address.text("zip"),
        city: address.text("city"),
        region: address.first_text(&["province_code", "province"]),
        country: address.first_text(&["country_code", "country"]),
        ..Address::default()
    };
    (!told.is_empty()).then_some(told)
}

/// The number in a postal address.
pub(super) fn number(origin: Origin<'_>, address: &Object<'_>) -> Option<Claim> {
    let region = address.text("country_code");
    let number = address.text("phone")?;
    origin.phone(&number, region.as_deref(), Role::Subject, Assurance::SelfStated)
}

/// The identifiers of whoever placed an order or began a checkout: the shop's customer first, then
/// what was typed.
pub(super) fn buyer(origin: Origin<'_>, order: &Object<'_>) -> (Vec<Claim>, Option<String>) {
    let customer = order.object("customer");
    let billing = order.object("billing_address");
    let shipping = order.object("shipping_address");
    let mut claims: Vec<Claim> =
        customer.as_ref().map(|customer| claims_of(origin, customer)).unwrap_or_default();
    for field in ["email", "contact_email"] {
        if let Some(email) = order.text(field) {
            push(&mut claims, origin.email(&email, Role::Subject, Assurance::SelfStated));
        }
    }
    let region = billing.as_ref().or(shipping.as_ref()).and_then(|it| it.text("country_code"));
    if let Some(number) = order.text("phone") {
        let claim = origin.phone(&number, region.as_deref(), Role::Subject, Assurance::SelfStated);
        push(&mut claims, claim);
    }
    let named = customer.as_ref().and_then(name).or_else(|| billing.as_ref().and_then(name));
    for address in [&billing, &shipping].into_iter().flatten() {
        if is_for(named.as_deref(), address) {
            push(&mut claims, number(origin, address));
        }
    }
    (claims, named.or_else(|| shipping.as_ref().and_then(name)))
}

fn claims_of(origin: Origin<'_>, customer: &Object<'_>) -> Vec<Claim> {
    let mut claims: Vec<Claim> = Vec::new();
    for claim in self::claims(origin, customer) {
        push(&mut claims, Some(claim));
    }
    claims
}

/// Adds a claim of an identifier that is not yet claimed: the first one is proved best.
fn push(claims: &mut Vec<Claim>, claim: Option<Claim>) {
    let Some(claim) = claim else { return };
    if !claims.iter().any(|known| known.identifier() == claim.identifier()) {
        claims.push(claim);
    }
}
