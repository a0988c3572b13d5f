//! Users and their identities: what the helpdesk has on record about people.

use cx_core::actor::{Actor, ActorType};
use cx_core::event::identity::{IdentityLink, Profile, ProfileField};
use cx_core::event::{Event, Kind};
use cx_core::identifier::{Assurance, Claim, Namespace, Role};

use super::{File, Outcome};
use crate::RecordError;
use crate::json::{Moment, Object};
use crate::origin::{self, Part};

const MAPPED_USER: &[&str] = &[
    "id",
    "name",
    "email",
    "phone",
    "shared_phone_number",
    "external_id",
    "created_at",
    "updated_at",
    "locale",
    "iana_time_zone",
    "tags",
    "notes",
    "suspended",
    "user_fields",
    "organization_id",
];

/// What of a user is an identifier, where it is one.
pub(super) const IDENTIFIERS: &[&str] = &["email", "phone", "external_id"];

/// What the helpdesk has on record about a user, revised with every newer copy.
pub(super) fn user(file: &File<'_>, user: &Object<'_>) -> Outcome {
    let updated = user
        .first_moment(&["updated_at", "created_at"])?
        .ok_or_else(|| user.problem("updated_at", "missing"))?;
    Ok(profiles(file, user, updated)?.into_iter().map(Ok).collect())
}

/// The profile of a user as it stood at an instant, and since when the user is on record.
pub(super) fn profiles(
    file: &File<'_>,
    user: &Object<'_>,
    at: Moment,
) -> Result<Vec<Event>, RecordError> {
    let profile = profile(file, user, at)?;
    let seen = file.origin.seen(&profile, user.moment("created_at")?)?;
    Ok([Some(profile), seen].into_iter().flatten().collect())
}

/// The profile of a user as it stood at an instant.
pub(super) fn profile(
    file: &File<'_>,
    user: &Object<'_>,
    at: Moment,
) -> Result<Event, RecordError> {
    let id = user.need("id")?;
    let fields = user.object("user_fields").map(|fields| {
        let set = fields.fields().iter().filter(|(_, value)| !value.is_null());
        set.map(|(name, value)| ProfileField { name: name.clone(), value: value.clone() }).collect()
    });
    // Zendesk has put words of its own in place of the name of whom it erased.
    let is_erased = user.flag("permanently_deleted") == Some(true);
    let name = user.text("name").filter(|_| !is_erased);
    let data = Profile {
        name: name.clone(),
        language: user.text("locale"),
        timezone: user.text("iana_time_zone"),
        company_id: user.text("organization_id").filter(|id| id != "0"),
        tags: user.texts("tags"),
        notes: user.text("notes").into_iter().collect(),
        blocked: user.flag("suspended").filter(|suspended| *suspended),
        fields: fields.unwrap_or_default(),
        ..Profile::default()
    };
    let mut event =
        file.origin.event(Part::whole("user", &id), Kind::ProfileUpdated(data.into()), at)?;
    event.rev = Some(at.at.to_string());
    event.actor = Actor::of(ActorType::System);
    event.channel = cx_core::channel::Channel::System;
    event.name = name;
    event.who = claims(file, user, &id);
    event.extra = user.rest(MAPPED_USER);
    event.extra.extend(origin::unclaimed(user, IDENTIFIERS, &event.who));
    Ok(event)
}

/// The identifiers of a user who is a customer. The helpdesk has proved the address where it says
/// so; a telephone number is what somebody typed.
pub(super) fn claims(file: &File<'_>, user: &Object<'_>, id: &str) -> Vec<Claim> {
    let Some(record) = file.user(id, Role::Subject) else { return Vec::new() };
    let mut claims = vec![record];
    if let Some(email) = user.text("email") {
        let is_verified = user.flag("verified") == Some(true);
        let assurance = if is_verified { Assurance::ChannelProved } else { Assurance::SelfStated };
        claims.extend(file.origin.email(&email, Role::Subject, assurance));
    }
    if let Some(phone) = user.text("phone") {
        let claim = file.origin.phone(&phone, None, Role::Subject, Assurance::SelfStated);
        let is_shared = user.flag("shared_phone_number") == Some(true);
        claims.extend(claim.map(|claim| if is_shared { claim.shared() } else { claim }));
    }
    if let Some(external) = user.text("external_id") {
        claims.extend(file.origin.scoped(
            Namespace::ExternalId,
            &external,
            Role::Subject,
            Assurance::ChannelProved,
        ));
    }
    claims
}

/// One address or number of a user.
pub(super) fn identity(file: &File<'_>, identity: &Object<'_>) -> Outcome {
    let at = identity
        .first_moment(&["created_at", "updated_at"])?
        .ok_or_else(|| identity.problem("created_at", "missing"))?;
    let rev = identity.moment("updated_at")?.unwrap_or(at);
    let user = identity.need("user_id")?;
    Ok(vec![linked(file, identity, &user, at, rev.at.to_string())])
}

/// That an identifier belongs to a user.
pub(super) fn linked(
    file: &File<'_>,
    identity: &Object<'_>,
    user: &str,
    at: Moment,
    rev: String,
) -> Result<Event, RecordError> {
    let id = identity.need("id")?;
    let kind = identity.text("type").unwrap_or_default().to_ascii_lowercase();
    let is_undeliverable = identity.text("deliverable_state").as_deref() == Some("undeliverable")
        || identity.number("undeliverable_count").is_some_and(|count| count > 0);
    let data = IdentityLink {
        evidence: Some("listed in one user record".to_owned()),
        by: Some("zendesk".to_owned()),
        primary: identity.flag("primary"),
        undeliverable: is_undeliverable.then_some(true),
        ..IdentityLink::default()
    };
    let mut event =
        file.origin.event(Part::whole("identity", &id), Kind::IdentityLinked(data), at)?;
    event.rev = Some(rev);
    event.actor = Actor::of(ActorType::System);
    event.channel = cx_core::channel::Channel::System;
    if let Some(record) = file.user(user, Role::Subject) {
        event.who.push(record);
        let value = identity.need("value")?;
        let is_verified = identity.flag("verified") == Some(true);
        let assurance = if is_verified { Assurance::ChannelProved } else { Assurance::SelfStated };
        event.who.extend(value_claim(file, &kind, &value, assurance));
    }
    event.extra =
        identity.rest(&["id", "user_id", "created_at", "updated_at", "primary", "verified"]);
    Ok(event)
}

/// That an identifier belongs to a user no longer. It is a later state of what said that it did, so
/// that nothing joins them any more.
pub(super) fn unlinked(
    file: &File<'_>,
    identity: &Object<'_>,
    user: &str,
    at: Moment,
) -> Result<Event, RecordError> {
    let id = identity.need("id")?;
    let data = IdentityLink { by: Some("zendesk".to_owned()), ..IdentityLink::default() };
    let mut event =
        file.origin.event(Part::whole("identity", &id), Kind::IdentityUnlinked(data), at)?;
    event.rev = Some(at.at.to_string());
    event.actor = Actor::of(ActorType::System);
    event.channel = cx_core::channel::Channel::System;
    event.who.extend(file.user(user, Role::Subject));
    event.extra = identity.rest(&["id", "user_id"]);
    Ok(event)
}

fn value_claim(file: &File<'_>, kind: &str, value: &str, assurance: Assurance) -> Option<Claim> {
    match kind {
        "email" | "google" => file.origin.email(value, Role::Subject, assurance),
        "phone_number" | "phone" => file.origin.phone(value, None, Role::Subject, assurance),
        // An address at which an agent's mail is forwarded names no customer.
        "agent_forwarding" => None,
        "twitter" => Claim::scoped(Namespace::Social, "x", value, Role::Subject, assurance).ok(),
        network => Claim::scoped(Namespace::Social, network, value, Role::Subject, assurance).ok(),
    }
}
