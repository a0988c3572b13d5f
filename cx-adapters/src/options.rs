//! What an adapter must be told, since the records do not say it.

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

    /// Whether an address is the business's own: named itself, or in one of its own domains.
    pub fn is_own_address(&self, address: &str) -> bool {
        let address = address.trim().to_ascii_lowercase();
        let domain = address.rsplit_once('@').map(|(_, domain)| domain);
        self.own.iter().map(|own| own.trim().to_ascii_lowercase()).any(|own| {
            own == address || domain.is_some_and(|domain| own.trim_start_matches('@') == domain)
        })
    }
}
