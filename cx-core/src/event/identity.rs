//! Identity and profile: what a source says about who somebody is.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fields::{data, defaulted_fields};

/// Whether somebody agreed to something.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ConsentState {
    /// No.
    Denied,
    /// Not known.
    #[default]
    Unknown,
    /// Yes.
    Granted,
}

/// A field of a profile that has no place of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProfileField {
    /// The field's name.
    pub name: String,
    /// Its value; null is a deliberate blank.
    pub value: Value,
}

defaulted_fields!(ConsentState);

data! {
    /// `identity.seen`, `identity.linked`, `identity.unlinked`: the event's claims belong
    /// together, or no longer do.
    IdentityLink {
        /// Why the source thinks so.
        evidence: Option<String>,
        /// Who said so.
        by: Option<String>,
        /// Whether the source marks the identifier as its main one of the kind.
        primary: Option<bool>,
        /// Whether the source has found that mail or messages do not arrive there.
        undeliverable: Option<bool>,
    }

    /// `identity.changed`: one identifier was replaced by another, such as a new number.
    IdentityChange {
        /// The identifier before, as `namespace:value`.
        from: Option<String>,
        /// The identifier now, as `namespace:value`.
        to: Option<String>,
        /// Why the source thinks so.
        evidence: Option<String>,
        /// Who said so.
        by: Option<String>,
    }

    /// `profile.updated`: what a source has on record about a person.
    Profile {
        /// The whole name, as written.
        name: Option<String>,
        /// The given name.
        given_name: Option<String>,
        /// The family name.
        family_name: Option<String>,
        /// The language, as a BCP 47 tag.
        language: Option<String>,
        /// The time zone, as an IANA name.
        timezone: Option<String>,
        /// The company's name.
        company: Option<String>,
        /// The company's id at the source.
        company_id: Option<String>,
        /// Tags and segments.
        tags: Vec<String>,
        /// Notes that colleagues should see first.
        notes: Vec<String>,
        /// Whether the source blocks the person.
        blocked: Option<bool>,
        /// Fields that have no place of their own.
        fields: Vec<ProfileField>,
    }

    /// `people.merged`, `people.split`: what a source did to its own records.
    People {
        /// The record that is gone, or was cut out.
        from: Option<String>,
        /// The record that stays.
        to: Option<String>,
        /// Why.
        evidence: Option<String>,
        /// Who did it.
        by: Option<String>,
    }

    /// `consent.changed`.
    Consent {
        /// For what: `marketing`, `profiling`.
        purpose: Option<String>,
        /// On which channel: `email`, `sms`.
        on: Option<String>,
        /// Yes or no.
        state: ConsentState,
        /// The list or group it is about.
        list: Option<String>,
        /// What exactly was agreed to.
        wording: Option<String>,
    }
}
