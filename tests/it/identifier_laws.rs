//! The laws of identifiers (IDENTITY.md 2.10, P12 and P16): normalisers give the same again when
//! applied to what they gave, the ways of writing one value meet, and no text makes them panic.

use cx_core::identifier::{Identifier, Namespace};
use cx_core::identity::PersonName;
use cx_tests::strategies::cases;
use proptest::prelude::*;
use proptest::sample::select;

fn key(namespace: &Namespace, raw: &str, region: Option<&str>) -> Option<String> {
    let scope = if namespace.is_scoped() { "acme" } else { "" };
    let identifier = Identifier::normalise(namespace.clone(), scope, raw, region).ok()?;
    Some(identifier.key().to_owned())
}

fn namespaces() -> impl Strategy<Value = Namespace> {
    let mut all = Namespace::NAMED.to_vec();
    all.push(Namespace::Other("clubcard".to_owned()));
    select(all)
}

/// A mobile number of the Netherlands, without its leading zero.
fn mobile() -> impl Strategy<Value = String> {
    (10_000_000..99_999_999_u32).prop_map(|n| format!("6{n}"))
}

/// The same letters in other case, width, and with what cannot be seen among them.
fn written(address: &str, how: &[u8]) -> String {
    let mut text = String::from(" ");
    for (c, how) in address.chars().zip(how.iter().cycle()) {
        match how % 4 {
            0 => text.push(c),
            1 => text.extend(c.to_uppercase()),
            2 => text.push(
                char::from_u32(u32::from(c) + 0xfee0)
                    .filter(|_| c.is_ascii_alphanumeric())
                    .unwrap_or(c),
            ),
            _ => {
                text.push(c);
                text.push('\u{200b}');
            }
        }
    }
    text
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn p12_normalising_twice_is_normalising_once(namespace in namespaces(), raw in "\\PC{0,40}|[+0-9 ()-]{0,20}|[a-z.+]{1,9}@[a-z.]{1,12}") {
        if let Some(once) = key(&namespace, &raw, Some("NL")) {
            let twice = key(&namespace, &once, Some("NL"));
            prop_assert_eq!(Some(&once), twice.as_ref(), "{:?}", namespace);
        }
    }

    #[test]
    fn p12_a_namespace_whose_name_is_written_out_is_that_namespace(namespace in namespaces(), raw in "[+0-9 ]{0,20}|[a-z.+]{1,9}@[a-z.]{1,12}") {
        let written_out = Namespace::Other(namespace.name().to_owned());
        let of = |namespace| Identifier::normalise(namespace, "s", &raw, Some("NL"));
        prop_assert_eq!(of(written_out), of(namespace));
    }

    #[test]
    fn p12_the_ways_of_writing_an_address_meet(local in "[a-z][a-z0-9]{1,9}", host in "[a-z]{2,9}", how in proptest::collection::vec(any::<u8>(), 1..12)) {
        let address = format!("{local}@{host}.example.nl");
        prop_assert_eq!(
            key(&Namespace::Email, &written(&address, &how), None),
            key(&Namespace::Email, &address, None)
        );
    }

    #[test]
    fn p12_the_ways_of_writing_a_number_meet(number in mobile(), arabic in any::<bool>()) {
        let (a, b) = number.split_at(1);
        let ways = [
            format!("+31{number}"), format!("0031 {a} {b}"), format!("0{a}-{b}"), format!("+31 (0){a} {b}"),
            format!("(0{a}) {b}"), format!("\u{202a}+31 {a} {b}\u{202c}"),
        ];
        let keys: std::collections::BTreeSet<_> = ways
            .iter()
            .map(|way| {
                let digit = |c: char| c.to_digit(10).and_then(|n| char::from_u32(0x660 + n)).unwrap_or(c);
                let way: String = if arabic { way.chars().map(digit).collect() } else { way.clone() };
                key(&Namespace::Phone, &way, Some("NL"))
            })
            .collect();
        prop_assert_eq!(keys.len(), 1, "{:?}", keys);
    }

    #[test]
    fn p16_no_text_makes_a_normaliser_panic(namespace in namespaces(), raw in any::<String>(), region in "[A-Z]{0,3}") {
        let _any = key(&namespace, &raw, Some(&region));
        let _name = PersonName::parse(&raw);
    }
}

#[test]
fn p16_ten_megabytes_are_refused_and_do_not_panic() {
    for text in [
        "x".repeat(10 << 20),
        "1".repeat(10 << 20),
        "\u{5d0}".repeat(5 << 20),
        format!("{}@example.nl", "y".repeat(10 << 20)),
    ] {
        for namespace in Namespace::NAMED {
            assert_eq!(key(namespace, &text, Some("NL")), None, "{namespace}");
        }
        drop(PersonName::parse(&text));
    }
}

#[test]
fn p16_nothing_is_no_identifier() {
    for namespace in Namespace::NAMED {
        for nothing in ["", " ", "\u{200b}", "\t\r\n", "\u{feff}"] {
            assert_eq!(key(namespace, nothing, None), None, "{namespace} {nothing:?}");
        }
    }
}
