//! Ids: one type for each kind of thing that has a name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// An id has at least one character.
    #[error("an empty id")]
    Empty,
    /// An id of this kind has another shape.
    #[error("{text:?} is not {expected}")]
    Malformed {
        /// What was read.
        text: String,
        /// What an id of this kind looks like.
        expected: &'static str,
    },
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
        pub struct $name(String);

        impl $name {
            /// Takes a text that is not empty.
            ///
            /// # Errors
            /// [`IdError::Empty`] for an empty text.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                if text.is_empty() { Err(IdError::Empty) } else { Ok(Self(text)) }
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(from)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_id! {
    /// The key of an event: what makes two deliveries of one record the same event.
    ///
    /// By convention `system:instance/object/id`, with `#part` where one object gives several
    /// events: `zendesk:acme/comment/9876`, `twilio:AC1/call/CA1#completed`.
    EventKey
}

text_id! {
    /// The key of a conversation at its source: `zendesk:acme/ticket/42`.
    ConversationKey
}

macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id with these sixteen bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The sixteen bytes of the id.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Reads what `Display` writes.
            fn from_str(text: &str) -> Result<Self, IdError> {
                let malformed = || IdError::Malformed {
                    text: text.to_owned(),
                    expected: concat!($prefix, " and 32 hexadecimal digits"),
                };
                let hex = text.strip_prefix($prefix).ok_or_else(malformed)?;
                if hex.len() != 32 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(malformed());
                }
                let number = u128::from_str_radix(hex, 16).map_err(|_| malformed())?;
                Ok(Self(number.to_be_bytes()))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hash_id! {
    /// The name of an observation: one record, whatever its revisions. A hash of the tenant and
    /// the event's key, so it is the same wherever and whenever the record arrives.
    ObservationId, "obs_"
}

hash_id! {
    /// The name of a bundle: all observations that carry the same claims and the same name.
    BundleId, "bnd_"
}

hash_id! {
    /// The name of an assertion: a hash of what it says, who said it and when.
    AssertionId, "ast_"
}

hash_id! {
    /// The name of a customer, issued from one observation (the anchor) of the customer.
    ///
    /// It names an observation and not a cluster, so it stays valid through every later merge
    /// and split: resolving it gives whoever holds that observation today.
    CustomerId, "cus_"
}

/// What a hash is of: hashes of different things never meet. Its key is derived once.
macro_rules! domain {
    ($name:literal) => {{
        static DOMAIN: std::sync::LazyLock<blake3::Hasher> =
            std::sync::LazyLock::new(|| blake3::Hasher::new_derive_key($name));
        &*DOMAIN
    }};
}

pub(crate) use domain;

/// The first sixteen bytes of a hash over parts, each with its length before it.
pub(crate) fn hash16(domain: &blake3::Hasher, parts: &[&[u8]]) -> [u8; 16] {
    // All in one: the hasher is slow where it is fed a few bytes at a time.
    let mut text = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        text.extend_from_slice(&length.to_le_bytes());
        text.extend_from_slice(part);
    }
    let mut hasher = domain.clone();
    hasher.update(&text);
    first16(&hasher)
}

/// The first sixteen bytes of what was hashed.
pub(crate) fn first16(hasher: &blake3::Hasher) -> [u8; 16] {
    hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default()
}

impl ObservationId {
    /// The observation that the event with this key makes in the store of this tenant.
    pub fn of(tenant: &str, key: &EventKey) -> Self {
        Self(hash16(domain!("cx observation 1"), &[tenant.as_bytes(), key.as_str().as_bytes()]))
    }
}

impl BundleId {
    /// The bundle that holds this observation alone.
    pub fn of_one(observation: ObservationId) -> Self {
        Self(hash16(domain!("cx bundle of one observation 1"), &[observation.as_bytes()]))
    }
}

impl CustomerId {
    /// The id issued for an anchor observation, under the id key of a store.
    ///
    /// The bytes have the form of a version 8 UUID ([RFC 9562]); without the key nobody can
    /// compute them from an event key.
    ///
    /// [RFC 9562]: https://www.rfc-editor.org/rfc/rfc9562
    pub fn issue(id_key: &IdKey, anchor: ObservationId) -> Self {
        let hash = blake3::keyed_hash(&id_key.0, anchor.as_bytes());
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
        Self(uuid::Uuid::new_v8(bytes).into_bytes())
    }
}

/// The key under which a store issues customer ids.
#[derive(Clone, PartialEq, Eq)]
pub struct IdKey([u8; 32]);

impl IdKey {
    /// A key of 32 bytes that the caller keeps.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key of a tenant that has no secret of its own: the same name gives the same ids.
    pub fn of_tenant(tenant: &str) -> Self {
        Self(blake3::derive_key("cx customer ids 1", tenant.as_bytes()))
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for IdKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_writes() {
        let key = EventKey::new("zendesk:acme/comment/1").unwrap();
        let observation = ObservationId::of("acme", &key);
        assert_eq!(observation.to_string().parse(), Ok(observation));
        let customer = CustomerId::issue(&IdKey::of_tenant("acme"), observation);
        assert_eq!(customer.to_string().parse(), Ok(customer));
        assert!("cus_0".parse::<CustomerId>().is_err());
        assert!("cus_+0000000000000000000000000000000".parse::<CustomerId>().is_err());
    }

    #[test]
    fn tenants_share_no_observation_and_no_customer() {
        let key = EventKey::new("zendesk:acme/comment/1").unwrap();
        let (here, there) = (ObservationId::of("a", &key), ObservationId::of("b", &key));
        assert_ne!(here, there);
        assert_ne!(
            CustomerId::issue(&IdKey::of_tenant("a"), here),
            CustomerId::issue(&IdKey::of_tenant("b"), here)
        );
    }

    #[test]
    fn a_customer_id_has_the_form_of_a_version_8_uuid() {
        let key = EventKey::new("x").unwrap();
        let id = CustomerId::issue(&IdKey::of_tenant("a"), ObservationId::of("a", &key));
        assert_eq!(uuid::Uuid::from_bytes(*id.as_bytes()).get_version_num(), 8);
    }
}
