//! The law of spellings: an address or a number is found however it is written, and nowhere else.

use std::collections::BTreeSet;
use std::ops::Range;

use cx_core::identifier::{Identifier, Namespace};
use cx_core::spelling::{Spelling, Spellings};
use proptest::prelude::*;
use proptest::sample::select;

fn all(namespace: &str, raw: &str, region: &str) -> Vec<Spelling> {
    let namespace = Namespace::from_name(namespace);
    Spelling::all(&Identifier::normalise(namespace, "", raw, Some(region)).unwrap())
}

/// The longest place in a text at which one of these is.
fn found(all: &[Spelling], text: &str) -> Option<String> {
    let places = (0..text.len()).flat_map(|at| {
        all.iter().filter_map(move |it| {
            let place = it.at(text.as_bytes(), at)?;
            assert!(it.may_begin_with(text.as_bytes()[at]), "{it:?} {text}");
            assert!(place.len() <= it.most_bytes());
            Some(place)
        })
    });
    places.max_by_key(ExactSizeIterator::len).map(|place| text[place].to_owned())
}

#[test]
fn a_number_is_found_however_it_is_written() {
    let dutch = all("phone", "06-1234 5678", "NL");
    for text in [
        "0612345678",
        "06-1234 5678",
        "06 12 34 56 78",
        "(06) 12 34 56 78",
        "+31612345678",
        "+31 6 12345678",
        "0031612345678",
        "00 31 6-12345678",
        "+31 (0)6 1234 5678",
        "31612345678",
        "+31\u{a0}6\u{a0}12345678",
        "+31‑6‑12345678",
        "%2B31612345678",
        "06%201234%205678",
        "612345678",
        "٠٦١٢٣٤٥٦٧٨",
        "\u{202a}+31 6 12345678",
    ] {
        let expected = text.trim_start_matches('\u{202a}');
        for around in
            [("bel ", " aub"), ("wa.me/", ""), ("tel:", ";"), ("?t=%3D", "&x"), ("5 x ", "x")]
        {
            let text = format!("{}{text}{}", around.0, around.1);
            assert_eq!(found(&dutch, &text).as_deref(), Some(expected), "{text}");
        }
    }
    for other in ["+316123456789", "10612345678", "+3161234567", "06123 456 7", "0612 a 345678"] {
        // That a text is a part of a longer one is for whoever looks for it to see.
        let mut numbers = dutch.clone();
        numbers.retain(Spelling::is_number);
        assert_eq!(found(&numbers, other), None, "{other}");
    }
    assert_eq!(all("phone", "+442079460000;ext=12", "GB").len(), 1, "another has the line");
    assert_eq!(
        found(&all("wa_id", "31612345678", ""), "06 12345678").as_deref(),
        Some("06 12345678")
    );
    assert!(found(&all("phone", "(212) 736-5000", "US"), "call 212.736.5000").is_some());
    assert!(found(&all("phone", "+55 11 98765-4321", "BR"), "(11) 8765-4321").is_some());
}

#[test]
fn what_a_text_has_in_it_is_told() {
    let known: BTreeSet<Spelling> = [("phone", "06 12345678"), ("email", "jan@müller.example")]
        .iter()
        .flat_map(|(namespace, raw)| all(namespace, raw, "NL"))
        .collect();
    for text in [
        "bel 06-1234 5678.",
        "12 x +31 6 12345678 5",
        "0031612345678",
        "to=%2B31612345678&x",
        "<Jan@Müller.example>",
        "mail:'jan@xn--mller-kva.example'.",
        "?to%3Djan%40m%C3%BCller.example&n=1",
        "x/jan@müller.example, and others",
        "jan@müller.example.pdf",
    ] {
        let told = Spelling::in_text(text);
        assert!(told.iter().any(|it| known.contains(it)), "{text}: {told:?}");
    }
    for text in ["+316123456789", "marijan@müller.example", "jan@müller.examples", "5 12345678"] {
        assert!(Spelling::in_text(text).is_disjoint(&known), "{text}");
    }
}

#[test]
fn a_date_is_no_number_and_a_part_of_another_number_is_none() {
    let danish = all("phone", "20 26 03 04", "DK");
    assert!(found(&danish, "20 26 03 04").is_some() && found(&danish, "20260304").is_some());
    for other in ["2026-03-04", "2026-03-04T10:00:00Z", "+49 30 20 26 03 04", "120260304"] {
        assert_eq!(found(&danish, other), None, "{other}");
    }
}

#[test]
fn an_address_is_found_however_it_is_written() {
    let jose = all("email", "José.Ünal@müller.example", "");
    for text in [
        "José.Ünal@müller.example",
        "JOSÉ.ÜNAL@MÜLLER.EXAMPLE",
        "jose\u{301}.u\u{308}nal@mu\u{308}ller.example",
        "josé.ünal@xn--mller-kva.example",
        "JOSÉ.ÜNAL@XN--MLLER-KVA.EXAMPLE",
        "jos%C3%A9.%C3%BCnal%40m%C3%BCller.example",
        "jos%c3%a9.%c3%bcnal@xn--mller-kva.example",
        "ｊosé.ünal＠müller.example",
        "jo\u{ad}sé.ünal@müller.example",
    ] {
        assert_eq!(found(&jose, &format!("to <{text}>, please")).as_deref(), Some(text));
    }
    assert_eq!(found(&jose, "jose.unal@muller.example"), None);
    assert!(found(&all("email", "strasse@example.nl", ""), "STRAẞE@example.nl").is_some());
    assert!(found(&all("email", "jan@gmail.com", ""), "Jan@GoogleMail.com").is_some());
}

#[test]
fn a_number_over_two_lines_is_found_in_json_too() {
    let number = all("phone", "+31612345678", "NL");
    let any = Spellings::new(&number);
    for text in ["06 1234\n5678", "06\t12345678", "+31 6\n12345678", "06 1234\r\n5678"] {
        let json = serde_json::to_string(&format!("call {text} please")).unwrap();
        for text in [text, json.as_str()] {
            assert!((0..text.len()).any(|at| any.any_at(text.as_bytes(), at)), "{text}");
        }
    }
    let raw = Spelling::of_written("Jan.de.Vries@gmail.com");
    assert!(found(&raw, "to jan.de.vries@googlemail.com").is_some());
}

#[test]
fn few_digits_without_their_country_are_an_amount_as_well() {
    let number = Identifier::normalise(Namespace::Phone, "", "+298211234", None).unwrap();
    let all = Spelling::all(&number);
    assert_eq!(found(&all, "+298 21 12 34").as_deref(), Some("+298 21 12 34"));
    for text in ["order 211234", "EUR 2112.34", "21 12 34"] {
        assert_eq!(found(&all, text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn whatever_is_written_is_found_in_it(
        raw in "\\PC{1,12}", before in "\\PC{0,4}", after in "\\PC{0,4}",
    ) {
        let spelling = Spelling::of_text(&raw);
        prop_assume!(spelling.length() > 0);
        let text = format!("{before}{raw}{after}").into_bytes();
        let is_at = |at| spelling.at(&text, at).is_some();
        // What stands beside it may be read together with its ends.
        if before.is_empty() && after.is_empty() {
            prop_assert!((0..text.len()).any(is_at));
        }
        let places: Vec<Range<usize>> = (0..text.len()).filter_map(|at| spelling.at(&text, at)).collect();
        prop_assert!(places.iter().all(|place| place.end <= text.len() && !place.is_empty()));
    }

    #[test]
    fn several_are_found_where_one_of_them_is(
        raw in prop::collection::vec("[0-9+]{4,9}|\\PC{1,8}", 1..4), number in "6[1-9][0-9]{7}",
        parts in prop::collection::vec("\\PC{0,4}|[0-9 +%().-]{0,12}", 3),
    ) {
        let mut all: Vec<Spelling> = raw.iter().map(|raw| Spelling::of_text(raw)).collect();
        let number = Identifier::normalise(Namespace::Phone, "", &format!("0{number}"), Some("NL"));
        all.extend(number.iter().flat_map(Spelling::all));
        let any = Spellings::new(&all);
        let number = number.map_or_else(|_| String::new(), |number| number.key().to_owned());
        let text = [&parts[0], &raw[0], &parts[1], &number, &parts[2]].map(String::as_str).concat();
        for at in 0..=text.len() {
            let one = all.iter().any(|it| it.at(text.as_bytes(), at).is_some());
            prop_assert_eq!(any.any_at(text.as_bytes(), at), one, "{:?} at {}", text, at);
        }
    }

    #[test]
    fn joints_change_nothing(
        digits in "6[1-9][0-9]{7}", joints in prop::collection::vec(select(vec!["", "", " ", "-", "."]), 9),
    ) {
        let Ok(number) = Identifier::normalise(Namespace::Phone, "", &format!("0{digits}"), Some("NL")) else {
            return Ok(());
        };
        prop_assume!(number.is_linkable());
        let written: String = digits.chars().zip(&joints).flat_map(|(c, joint)| [c.to_string(), (*joint).to_owned()]).collect();
        let written = written.trim_end_matches([' ', '-', '.']);
        for text in [format!("0{written}"), format!("+31 {written}"), format!("0031{written}")] {
            let place = found(&Spelling::all(&number), &text);
            prop_assert_eq!(place.as_deref(), Some(text.as_str()));
        }
    }
}
