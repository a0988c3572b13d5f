//! What an adapter must be told, since the records do not say it.

use cx_core::identifier::{Identifier, Namespace};
use cx_core::time::Timestamp;

/// What the caller knows about the records and the records do not say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// The account, shop or mailbox the records come from: the instance in keys and scopes.
    pub instance: String,
    /// The region (ISO 3166, `NL`) in which telephone numbers without a country code are read.
    /// Without one they are kept and link nobody.
    pub region: Option<String>,
    /// The business's own domains (`shop.example`) and addresses (`help@shop.example`): who
    /// writes from them is one of us, and they are nobody's identifiers.
    pub own: Vec<String>,
    /// The business's own telephone numbers, in any spelling.
    pub own_numbers: Vec<String>,
    /// When the records were received: the instant of last resort for those that carry none.
    pub received_at: Option<Timestamp>,
}

impl Options {
    /// Options for the records of this account, and nothing else known.
    pub fn of(instance: impl Into<String>) -> Self {
        Self { instance: instance.into(), ..Self::default() }
    }

    /// Whether a text can be one of [`Options::own`]: a domain, or an address.
    pub fn may_be_own(text: &str) -> bool {
        let own = text.trim();
        let domain = own.rsplit_once('@').map_or(own, |(_, domain)| domain);
        let is_label = |label: &str| {
            !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        };
        domain.split('.').all(is_label) && !own.contains(char::is_whitespace)
    }

    /// Whether a text can be one of [`Options::own_numbers`]: a telephone number, in a region where
    /// it has no country code, or a short code as it is dialled.
    pub fn may_be_own_number(text: &str, region: Option<&str>) -> bool {
        let is_short = text.len() < 7 && text.chars().all(|c| c.is_ascii_digit() || c == ' ');
        let read = Identifier::normalise(Namespace::Phone, "", text, region);
        is_short || read.is_ok_and(|read| read.key().starts_with('+'))
    }

    /// Whether an address is the business's own: named itself, or in one of its own domains.
    pub fn is_own_address(&self, address: &str) -> bool {
        let address = address.trim().to_ascii_lowercase();
        let domain = address.rsplit_once('@').map(|(_, domain)| domain);
        self.own.iter().map(|own| own.trim().to_ascii_lowercase()).any(|own| {
            own == address || domain.is_some_and(|domain| own.trim_start_matches('@') == domain)
        })
    }
}
