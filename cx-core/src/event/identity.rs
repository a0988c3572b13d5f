//! Identity and profile: what a source says about who somebody is.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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

/// A postal address, in the parts that the source has.
///
/// Its JSON is an object of these parts, or a text where the source has it only as a whole.
/// Numbers are read as text (`1011` as a postcode); null parts count as absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Address {
    /// The whole address as written, where the source does not part it.
    pub text: Option<String>,
    /// Street, house number and what belongs to them.
    pub street: Option<String>,
    /// The postcode.
    pub postcode: Option<String>,
    /// The city.
    pub city: Option<String>,
    /// The state, province or region.
    pub region: Option<String>,
    /// The country, as the source writes it: best an ISO 3166 code.
    pub country: Option<String>,
    /// Parts that this version of cx does not know, verbatim.
    pub other: Map<String, Value>,
}

impl Address {
    /// Whether no part that cx knows is there.
    pub const fn is_empty(&self) -> bool {
        self.text.is_none()
            && self.street.is_none()
            && self.postcode.is_none()
            && self.city.is_none()
            && self.region.is_none()
            && self.country.is_none()
    }

    /// The address on one line: `Kerkstraat 1, 3511 AA Utrecht, NL`.
    ///
    /// ```
    /// # use cx_core::event::identity::Address;
    /// let address: Address =
    ///     serde_json::from_str(r#"{"street": "Kerkstraat 1", "postcode": "3511 AA", "city": "Utrecht"}"#)?;
    /// assert_eq!(address.line(), "Kerkstraat 1, 3511 AA Utrecht");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn line(&self) -> String {
        let join = |parts: &[&Option<String>], between: &str| {
            parts.iter().filter_map(|part| part.as_deref()).collect::<Vec<_>>().join(between)
        };
        let place = Some(join(&[&self.postcode, &self.city], " ")).filter(|it| !it.is_empty());
        join(&[&self.text, &self.street, &place, &self.region, &self.country], ", ")
    }

    /// The parts with their names in JSON.
    const fn parts(&self) -> [(&'static str, &Option<String>); 6] {
        [
            ("text", &self.text),
            ("street", &self.street),
            ("postcode", &self.postcode),
            ("city", &self.city),
            ("region", &self.region),
            ("country", &self.country),
        ]
    }
}

impl Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut json = self.other.clone();
        let told = self.parts().into_iter().filter_map(|(name, part)| Some((name, part.as_ref()?)));
        for (name, part) in told {
            json.insert(name.to_owned(), Value::String(part.clone()));
        }
        match (&self.text, json.len()) {
            (Some(text), 1) => to.serialize_str(text),
            _ => json.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut json = match Value::deserialize(from)? {
            Value::String(text) => return Ok(Self { text: Some(text), ..Self::default() }),
            Value::Object(json) => json,
            _ => return Err(serde::de::Error::custom("neither an address in parts nor a text")),
        };
        let mut take = |name: &str| match json.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(serde::de::Error::custom(format!("{name} is not a text"))),
        };
        let address = Self {
            text: take("text")?,
            street: take("street")?,
            postcode: take("postcode")?,
            city: take("city")?,
            region: take("region")?,
            country: take("country")?,
            other: Map::new(),
        };
        json.retain(|_, value| !value.is_null());
        Ok(Self { other: json, ..address })
    }
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
        /// The date of birth: `1980-04-27` where the source has it so, else as written.
        birth_date: Option<String>,
        /// The postal address.
        address: Option<Address>,
        /// Tags and segments.
        tags: Vec<String>,
        /// Notes that colleagues should see first.
        notes: Vec<String>,
        /// Whether the source blocks the person.
        blocked: Option<bool>,
        /// Fields that have no place of their own.
        fields: Vec<ProfileField>,
        /// What is deliberately left blank, by the names of these fields, as when a customer asked
        /// us to delete the name: `name`, `birth_date`. A blank is a value and can win over
        /// others; a field that is merely missing says nothing.
        blanks: Vec<String>,
        /// Whether a steward has settled these values: they then win over what any source says.
        /// Counts only where the event's actor is an agent; a newer revision of the event without
        /// it takes it back.
        pinned: bool,
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
