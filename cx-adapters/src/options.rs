//! What an adapter must be told, since the records do not say it.

use cx_core::identifier::{Identifier, Namespace, email};
use cx_core::time::Timestamp;

/// What the caller knows about the records and the records do not say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// The account or shop the records come from: the instance in keys and scopes. All mailboxes of
    /// one business are one.
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

    /// Whether an address is the business's own: named itself, in whatever spelling and with whatever
    /// tag (`help+42@`), or in one of its own domains.
    pub fn is_own_address(&self, address: &str) -> bool {
        let domain = Some(address).filter(|it| it.contains(['@', '＠'])).and_then(email::domain);
        let Some(domain) = domain else { return false };
        self.own.iter().any(|own| {
            let own = own.trim().trim_start_matches('@');
            if own.contains('@') {
                let key = key(own);
                key == self::key(address) || key == without_tag(address)
            } else {
                email::domain(own).is_some_and(|own| own == domain)
            }
        })
    }

    /// Whether a telephone number, also one of WhatsApp, is the business's own, or an extension of it.
    pub fn is_own_number(&self, number: &Identifier) -> bool {
        let digits = |number: &Identifier| {
            let main = number.key().split(';').next().unwrap_or_default();
            main.trim_start_matches('+').to_owned()
        };
        let wanted = digits(number);
        let is_number = matches!(number.namespace(), Namespace::Phone | Namespace::WaId);
        is_number
            && self.own_numbers.iter().any(|own| {
                Identifier::normalise(Namespace::Phone, "", own, self.region.as_deref())
                    .is_ok_and(|own| own.key() == number.key() || digits(&own) == wanted)
            })
    }
}

/// The form in which the spellings of an address meet.
fn key(address: &str) -> String {
    Identifier::normalise(Namespace::Email, "", address, None)
        .map_or_else(|_| address.trim().to_ascii_lowercase(), |read| read.key().to_owned())
}

/// The same of the address without what stands behind a `+`.
fn without_tag(address: &str) -> String {
    let key = key(address);
    let parts = key.rsplit_once('@').and_then(|(local, domain)| {
        let (local, _) = local.split_once('+')?;
        Some(format!("{local}@{domain}"))
    });
    parts.unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_address_is_known_in_every_spelling() {
        let is_own = |own: &str, address: &str| {
            Options { own: vec![own.to_owned()], ..Options::default() }.is_own_address(address)
        };
        for (own, address) in [
            ("acmehelp@gmail.com", "acme.help+ticket42@gmail.com"),
            ("acme.help@googlemail.com", "AcmeHelp@gmail.com"),
            ("help@acme.example", "help+42@acme.example"),
            ("müller.example", "help@xn--mller-kva.example"),
            ("xn--mller-kva.example", "Help <help@Müller.example>"),
            ("@acme.example", "help@acme.example."),
            ("acme.example", "noreply@acme.example"),
            ("noreply@acme.example", "NoReply@acme.example"),
        ] {
            assert!(is_own(own, address), "{own} {address}");
        }
        for (own, address) in [
            ("help@acme.example", "sales@acme.example"),
            ("acme.example", "help@mail.acme.example"),
            ("acme.example", "acme.example"),
            ("help+x@acme.example", "help+y@acme.example"),
        ] {
            assert!(!is_own(own, address), "{own} {address}");
        }
    }

    #[test]
    fn an_own_number_is_known_with_its_extensions_and_on_whatsapp() {
        let options = Options {
            own_numbers: vec!["020-1234567".to_owned()],
            region: Some("NL".to_owned()),
            ..Options::default()
        };
        let is_own = |namespace, raw: &str| {
            options.is_own_number(&Identifier::normalise(namespace, "", raw, Some("NL")).unwrap())
        };
        for raw in ["+31 20 123 45 67", "020-1234567;ext=12", "020 1234567 x12"] {
            assert!(is_own(Namespace::Phone, raw), "{raw}");
        }
        assert!(is_own(Namespace::WaId, "31201234567"));
        assert!(
            !is_own(Namespace::Phone, "020-1234568") && !is_own(Namespace::Cookie, "31201234567")
        );
    }
}
