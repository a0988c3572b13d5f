//! E-mail addresses: case, width and domain unified; provider rules only where the provider is known.

use std::str::FromStr;

use email_address::EmailAddress;
use unicode_normalization::UnicodeNormalization;

use super::IdentifierError;
use crate::text;

/// Local parts that stand for nobody: machines send from them and nobody reads them.
const NOBODY: &[&str] = &[
    "noreply",
    "asdf",
    "n/a",
    "nan",
    "test",
    "xxx",
    "no-reply",
    "no_reply",
    "no.reply",
    "donotreply",
    "do-not-reply",
    "do_not_reply",
    "mailer-daemon",
    "postmaster",
    "bounce",
    "bounces",
    "noemail",
    "no-email",
    "nomail",
    "none",
    "nobody",
    "anonymous",
    "unknown",
    "null",
    "undefined",
    "devnull",
    "geen",
    "keine",
];

/// Local parts that belong to a role in an organisation and not to a person.
const ROLES: &[&str] = &[
    "abuse",
    "accounting",
    "accounts",
    "admin",
    "administratie",
    "administrator",
    "ap",
    "ar",
    "billing",
    "boekhouding",
    "booking",
    "buchhaltung",
    "careers",
    "catchall",
    "contact",
    "contacto",
    "customerservice",
    "customersupport",
    "enquiries",
    "facturatie",
    "facturen",
    "finance",
    "hallo",
    "hello",
    "help",
    "helpdesk",
    "hi",
    "hr",
    "info",
    "inkoop",
    "inquiries",
    "invoice",
    "invoices",
    "it",
    "jobs",
    "kantoor",
    "klantenservice",
    "mail",
    "marketing",
    "media",
    "office",
    "order",
    "orders",
    "planning",
    "post",
    "press",
    "privacy",
    "procurement",
    "purchasing",
    "reception",
    "receptie",
    "root",
    "sales",
    "secretariat",
    "secretary",
    "security",
    "service",
    "shop",
    "staff",
    "support",
    "team",
    "verkoop",
    "vertrieb",
    "vendas",
    "ventas",
    "web",
    "webmaster",
    "welcome",
];

/// Providers that ignore dots in the local part, and the domain under which their addresses meet.
const DOTLESS: &[(&str, &str)] = &[("gmail.com", "gmail.com"), ("googlemail.com", "gmail.com")];

/// Providers that deliver `name+anything` to `name`.
const PLUS: &[&str] = &[
    "gmail.com",
    "googlemail.com",
    "outlook.com",
    "hotmail.com",
    "live.com",
    "msn.com",
    "icloud.com",
    "me.com",
    "mac.com",
    "fastmail.com",
    "fastmail.fm",
    "proton.me",
    "protonmail.com",
    "pm.me",
    "hey.com",
];

/// Providers of many names whose addresses are the same mailbox.
const SAME_DOMAIN: &[(&str, &str)] = &[
    ("me.com", "icloud.com"),
    ("mac.com", "icloud.com"),
    ("protonmail.com", "proton.me"),
    ("pm.me", "proton.me"),
];

/// The key of an address, and whether it may link.
///
/// Width, case and invisible characters are unified in the local part; the domain goes to its ASCII
/// form (IDNA 2008), which does that by rules of its own: `straße.de` is another than `strasse.de`. Dots and `+tag` go only for providers that ignore them. What is no
/// address keeps its folded text and does not link.
pub(super) fn normalise(raw: &str) -> Result<(String, bool), IdentifierError> {
    let bare = bare_address(raw);
    let folded = text::folded(bare);
    let plain: String = bare.nfkc().collect();
    let Some((local, domain)) = plain.rsplit_once('@') else { return Ok((folded, false)) };
    let local = text::folded(local);
    let local = local.trim_matches('"');
    if local.is_empty() || NOBODY.contains(&local) {
        return Err(IdentifierError::Nobody);
    }
    let Some(domain) = ascii(domain.trim()).or_else(|| ascii(&text::folded(domain))) else {
        return Ok((folded, false));
    };
    if folded.contains(' ') {
        return Ok((folded, false));
    }
    let (local, domain) = by_provider(local, &domain);
    let key = format!("{local}@{domain}");
    let linkable = domain.contains('.') && EmailAddress::from_str(&key).is_ok();
    Ok((key, linkable))
}

/// The domain of an address, or a domain itself, in the form in which its spellings meet; `None` where
/// there is none.
pub fn domain(text: &str) -> Option<String> {
    let plain: String = bare_address(text).nfkc().collect();
    let domain = plain.rsplit_once('@').map_or(plain.as_str(), |(_, domain)| domain).trim();
    let ascii = ascii(domain).or_else(|| ascii(&text::folded(domain)));
    ascii.filter(|domain| !domain.is_empty())
}

/// A domain in its ASCII form. One with marks that belong in no domain has none.
fn ascii(domain: &str) -> Option<String> {
    let domain = domain.trim_end_matches('.').as_bytes();
    let ascii = idna::domain_to_ascii_cow(domain, idna::AsciiDenyList::URL).ok()?;
    Some(ascii.into_owned())
}

/// `jan@example.nl` out of `Jan <jan@example.nl>` and `mailto:jan@example.nl`.
fn bare_address(raw: &str) -> &str {
    let raw = raw.trim();
    let inner = match (raw.rfind('<'), raw.ends_with('>')) {
        (Some(start), true) => raw.get(start + 1..raw.len() - 1).unwrap_or(raw),
        _ => raw,
    };
    inner.strip_prefix("mailto:").unwrap_or(inner)
}

fn by_provider<'a>(local: &'a str, domain: &'a str) -> (String, &'a str) {
    let mut local = local;
    if PLUS.contains(&domain) {
        local = local.split('+').next().filter(|name| !name.is_empty()).unwrap_or(local);
    }
    if let Some((_, meets)) = DOTLESS.iter().find(|(name, _)| *name == domain) {
        return (local.replace('.', ""), meets);
    }
    let domain =
        SAME_DOMAIN.iter().find(|(name, _)| *name == domain).map_or(domain, |(_, meets)| meets);
    (local.to_owned(), domain)
}

/// How else the address of this key is written: under the Unicode form of its domain, and under the
/// other names of its provider.
pub(super) fn written(key: &str) -> Vec<String> {
    let Some((local, domain)) = key.rsplit_once('@') else { return Vec::new() };
    let meeting = DOTLESS.iter().chain(SAME_DOMAIN).filter(|(_, meets)| *meets == domain);
    let mut domains: Vec<String> = meeting.map(|(name, _)| (*name).to_owned()).collect();
    let (unicode, is_read) = idna::domain_to_unicode(domain);
    domains.extend(is_read.is_ok().then_some(unicode));
    domains.into_iter().map(|domain| format!("{local}@{domain}")).collect()
}

/// The same address under the other names of its provider, with the dots that it was written with.
pub(super) fn elsewhere(address: &str) -> Vec<String> {
    let Some((local, _)) = bare_address(address).rsplit_once('@') else { return Vec::new() };
    let Some(domain) = domain(address) else { return Vec::new() };
    let names = || DOTLESS.iter().chain(SAME_DOMAIN);
    let meets = names().find(|(name, _)| *name == domain).map_or(domain.as_str(), |(_, it)| it);
    let others = names().filter(|(_, it)| *it == meets).map(|(name, _)| *name).chain([meets]);
    let mut others: Vec<&str> = others.filter(|name| *name != domain).collect();
    others.dedup();
    others.into_iter().map(|name| format!("{local}@{name}")).collect()
}

/// Whether the key is the address of a role (`info@`, `support@`) and not of a person.
pub fn is_role(key: &str) -> bool {
    let local = key.split('@').next().unwrap_or_default();
    ROLES.contains(&local) || NOBODY.contains(&local)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(raw: &str) -> String {
        normalise(raw).unwrap().0
    }

    #[test]
    fn case_width_and_invisible_characters_do_not_matter() {
        for raw in [
            "Jan@Example.NL",
            " jan@example.nl ",
            "ｊａｎ＠ｅｘａｍｐｌｅ．ｎｌ",
            "ja\u{200b}n@example.nl",
            "Jan <jan@example.nl>",
        ] {
            assert_eq!(key(raw), "jan@example.nl", "{raw:?}");
        }
    }

    #[test]
    fn dots_and_plus_go_only_where_the_provider_ignores_them() {
        assert_eq!(key("J.Doe+shop@googlemail.com"), "jdoe@gmail.com");
        assert_eq!(key("j.doe+shop@outlook.com"), "j.doe@outlook.com");
        assert_eq!(key("j.doe+shop@example.nl"), "j.doe+shop@example.nl");
    }

    #[test]
    fn an_address_is_written_under_every_name_of_its_provider() {
        assert_eq!(elsewhere("J.Doe@gmail.com"), ["J.Doe@googlemail.com"]);
        assert_eq!(elsewhere("J <j.doe@me.com>"), ["j.doe@mac.com", "j.doe@icloud.com"]);
        assert!(elsewhere("j.doe@example.nl").is_empty() && elsewhere("j.doe").is_empty());
    }

    #[test]
    fn international_domains_meet_in_their_ascii_form() {
        assert_eq!(key("jan@bücher.example"), key("jan@xn--bcher-kva.example"));
    }

    #[test]
    fn letters_that_fold_to_others_are_domains_of_their_own() {
        assert_eq!(key("jan@straße.de"), "jan@xn--strae-oqa.de");
        assert_eq!(key("jan@straße.de"), key("JAN@XN--STRAE-OQA.DE"));
        assert_ne!(key("jan@straße.de"), key("jan@strasse.de"));
        assert_eq!(key("jan@βόλος.com"), "jan@xn--nxasmm1c.com");
        // In a local part they fold, and what is invisible goes.
        assert_eq!(key("strauß@bücher.example"), key("STRAUSS@Bücher.example\u{200e}"));
    }

    #[test]
    fn what_is_no_address_keeps_its_text_and_links_nobody() {
        for raw in
            ["jan", "jan@", "@example.nl", "jan@localhost", "a b@example.nl", "jan@@example.nl"]
        {
            assert!(!matches!(normalise(raw), Ok((_, true))), "{raw:?}");
        }
    }

    #[test]
    fn nobody_is_nobody() {
        for raw in [
            "noreply@shop.example",
            "none@none.com",
            "noemail@shop.example",
            "MAILER-DAEMON@x.example",
        ] {
            assert_eq!(normalise(raw), Err(IdentifierError::Nobody), "{raw:?}");
        }
        assert!(is_role("info@example.nl") && !is_role("jan@example.nl"));
    }

    proptest! {
        #[test]
        fn normalising_twice_is_normalising_once(raw in "\\PC{0,30}(@\\PC{0,20})?") {
            if let Ok((once, true)) = normalise(&raw) {
                prop_assert_eq!(normalise(&once), Ok((once, true)));
            }
        }
    }
}
