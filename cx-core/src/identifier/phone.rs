//! Telephone numbers: the form of E.164, with a region for numbers written without a country.

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat, PhoneNumberType};

use super::IdentifierError;
use crate::text;

/// What telephone systems put where the caller is withheld: words, and the same words spelled
/// on a keypad (266696687 is "anonymous").
const WITHHELD: &[&str] = &[
    "266696687",
    "7378742833",
    "2562533",
    "8656696",
    "86282452253",
    "anonymous",
    "restricted",
    "unavailable",
    "unknown",
    "private",
    "withheld",
    "blocked",
    "no caller id",
    "private number",
    "privé",
    "anoniem",
    "unterdrückt",
    "payphone",
    "not available",
    "out of area",
    "nr uitgeschakeld",
    "onbekend",
    "unbekannt",
    "inconnu",
    "masqué",
];

/// Digits that people type to get past a form, without trunk zeros and country code.
const PLACEHOLDERS: &[&str] = &[
    "12345678",
    "123456789",
    "1234567890",
    "987654321",
    "7000000000",
    "5550100",
    "15550100",
    "600000000",
    "1111111",
    "700000000",
];

/// The key of a number, and whether it may link.
///
/// Valid numbers become E.164, with `;ext=` where an extension was given. A number written with
/// its country code, or with the zero that stands for it, links when it has a possible length for
/// that country, even where the number plan does not list it; any other must be valid in `region`.
/// Service numbers, short codes and everything else keep their text and do not link.
pub(super) fn normalise(
    raw: &str,
    region: Option<&str>,
) -> Result<(String, bool), IdentifierError> {
    let folded = text::folded(raw);
    let digits = digits(&folded);
    if WITHHELD.contains(&folded.as_str()) || WITHHELD.contains(&digits.as_str()) {
        return Err(IdentifierError::Placeholder);
    }
    if is_placeholder(&digits) {
        return Err(IdentifierError::Placeholder);
    }
    let number = folded.strip_prefix("tel:").unwrap_or(&folded);
    let number = with_plus(number);
    let region = region.and_then(|region| region.trim().to_ascii_uppercase().parse().ok());
    let Ok(parsed) = PHONE_NUMBER_UTIL.parse(&number, region) else { return Ok((folded, false)) };
    let extension = parsed.extension().to_owned();
    let parsed = one_form(parsed);
    // What is typed to get past a form stays that behind any country code.
    let is_typed_away = PLACEHOLDERS.contains(&parsed.national_number.to_string().as_str());
    let is_whole = number.starts_with('+') || digits.starts_with('0');
    let is_possible = || {
        PHONE_NUMBER_UTIL.is_possible_number(&parsed) && is_in_plan(&parsed) && is_own_form(&parsed)
    };
    if !(is_valid(&parsed) || is_whole && is_possible()) {
        return Ok((folded, false));
    }
    let mut key = PHONE_NUMBER_UTIL.format(&parsed, PhoneNumberFormat::E164).into_owned();
    if !extension.is_empty() {
        key.push_str(";ext=");
        key.push_str(&extension);
    }
    Ok((key, !is_service(&parsed) && !is_typed_away))
}

/// Whether it is a number with its country code that is valid there.
pub(super) fn is_international(raw: &str) -> bool {
    let folded = text::folded(raw);
    let number = with_plus(&folded);
    number.starts_with('+') && PHONE_NUMBER_UTIL.parse(&number, None).is_ok_and(|it| is_valid(&it))
}

/// The key of a WhatsApp number: the digits of its E.164 form.
pub(super) fn normalise_wa_id(raw: &str) -> Result<(String, bool), IdentifierError> {
    let folded = text::folded(raw);
    let number = if folded.starts_with('+') { folded } else { format!("+{folded}") };
    let (key, linkable) = normalise(&number, None)?;
    let key = key.trim_start_matches(['+', ' ']);
    if key.is_empty() { Err(IdentifierError::Placeholder) } else { Ok((key.to_owned(), linkable)) }
}

/// The digits under which the number of this key is dialled and written, with where they may begin:
/// with its country code, behind the digits that call another country, and as at home. A number
/// with an extension is not: others have the same line.
pub(super) fn written(key: &str) -> Vec<(String, Start)> {
    let number = if key.starts_with('+') { key.to_owned() } else { format!("+{key}") };
    let Ok(parsed) = PHONE_NUMBER_UTIL.parse(&number, None) else { return Vec::new() };
    if !parsed.extension().is_empty() || !PHONE_NUMBER_UTIL.is_possible_number(&parsed) {
        return Vec::new();
    }
    let country = parsed.country_code.to_string();
    let national = parsed.get_national_significant_number();
    let at_home = digits(&PHONE_NUMBER_UTIL.format(&parsed, PhoneNumberFormat::National));
    let trunk = at_home.strip_suffix(national.as_str()).unwrap_or_default().to_owned();
    let mut all = vec![(at_home, Start::Alone)];
    // Without a nought or the country before them few digits are an amount or a postcode as well.
    let says_nothing = |digits: &str| digits.len() < LONG && !digits.starts_with('0');
    for national in [Some(national.clone()), other_form(&country, &national)].into_iter().flatten()
    {
        for prefix in ["", "00", "011"] {
            for trunk in ["", trunk.as_str()] {
                all.push((format!("{prefix}{country}{trunk}{national}"), Start::Anywhere));
            }
        }
        all.push((national.clone(), Start::Alone));
        all.push((format!("{trunk}{national}"), Start::Alone));
    }
    all.retain(|(digits, start)| *start == Start::Anywhere || !says_nothing(digits));
    for (digits, start) in &mut all {
        if digits.starts_with('0') {
            *start = Start::Anywhere;
        }
    }
    all.sort();
    all.dedup();
    all
}

/// Where a number may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Start {
    /// Its first digits say that it begins: a country code, a nought.
    Anywhere,
    /// Not behind other digits, be they set apart.
    Alone,
}

/// A number of so many digits is hardly another one that is written without its beginning.
const LONG: usize = 8;

/// The older form of a national number, where there is one: see [`one_form`].
fn other_form(country: &str, national: &str) -> Option<String> {
    match (country, national.len()) {
        ("55", 11) => {
            let (area, rest) = national.split_at_checked(2)?;
            Some(format!("{area}{}", rest.strip_prefix('9')?))
        }
        ("52", 10) => Some(format!("1{national}")),
        ("54", 10) => Some(format!("9{national}")),
        _ => None,
    }
}

/// Whether a text that somebody typed looks like a telephone number.
pub(super) fn looks_like_number(typed: &str) -> bool {
    let typed = text::folded(typed);
    digits(&typed).len() >= 6
        && typed.chars().all(|c| c.is_ascii_digit() || "+-.()/ x;=et".contains(c))
        && typed.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '(')
}

/// Whether numbers are known of a region.
pub(super) fn is_region(text: &str) -> bool {
    let region = text.trim().to_ascii_uppercase().parse().ok();
    region.is_some_and(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(region).is_some())
}

fn digits(text: &str) -> String {
    text.chars()
        .filter_map(|c| c.to_digit(10))
        .filter_map(|digit| char::from_digit(digit, 10))
        .collect()
}

fn is_placeholder(digits: &str) -> bool {
    let bare = digits.trim_start_matches('0');
    let national = bare.strip_prefix("44").or_else(|| bare.strip_prefix("31")).unwrap_or(bare);
    let last_seven: Vec<char> = digits.chars().rev().take(7).collect();
    let one_digit =
        last_seven.len() == 7 && last_seven.windows(2).all(|pair| matches!(pair, [a, b] if a == b));
    one_digit || PLACEHOLDERS.contains(&bare) || PLACEHOLDERS.contains(&national)
}

/// `00` is how most of the world dials a `+`.
fn with_plus(number: &str) -> String {
    match number.strip_prefix("00") {
        Some(rest) if !rest.starts_with('0') => format!("+{rest}"),
        _ => number.to_owned(),
    }
}

/// Whether a number is read from its E.164 form as itself: one with noughts behind the country code
/// that no plan knows loses them one by one, each time it is read.
fn is_own_form(number: &PhoneNumber) -> bool {
    let written = PHONE_NUMBER_UTIL.format(number, PhoneNumberFormat::E164);
    PHONE_NUMBER_UTIL
        .parse(&written, None)
        .is_ok_and(|again| PHONE_NUMBER_UTIL.format(&again, PhoneNumberFormat::E164) == written)
}

/// Whether a number can be one at all where the plan says so by its form: in North America neither
/// area nor exchange begins with 0 or 1.
fn is_in_plan(number: &PhoneNumber) -> bool {
    let national = number.national_number.to_string();
    let begins = |at: usize| national.as_bytes().get(at).is_some_and(|digit| *digit >= b'2');
    number.country_code != 1 || begins(0) && begins(3)
}

fn is_valid(number: &PhoneNumber) -> bool {
    PHONE_NUMBER_UTIL.is_valid_number(number)
}

/// Numbers of one subscriber that are written in two ways, in the one form that has them all:
/// Brazilian mobiles with their ninth digit, Mexican ones without the old 1, Argentine ones
/// without the 9 that only callers from abroad dial.
fn one_form(number: PhoneNumber) -> PhoneNumber {
    let national = number.national_number.to_string();
    let rewritten = match (number.country_code, national.len()) {
        (55, 10) => match national.split_at_checked(2) {
            Some((area, rest)) if rest.starts_with(['6', '7', '8', '9']) => {
                format!("{area}9{rest}")
            }
            _ => return number,
        },
        (52, 11) => match national.strip_prefix('1') {
            Some(rest) => rest.to_owned(),
            None => return number,
        },
        (54, 11) => match national.strip_prefix('9') {
            Some(rest) => rest.to_owned(),
            None => return number,
        },
        _ => return number,
    };
    PHONE_NUMBER_UTIL.parse(format!("+{}{rewritten}", number.country_code), None).unwrap_or(number)
}

fn is_service(number: &PhoneNumber) -> bool {
    matches!(
        PHONE_NUMBER_UTIL.get_number_type(number),
        PhoneNumberType::TollFree
            | PhoneNumberType::PremiumRate
            | PhoneNumberType::SharedCost
            | PhoneNumberType::UAN
            | PhoneNumberType::VoiceMail
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(raw: &str, region: &str) -> String {
        let (key, linkable) = normalise(raw, Some(region)).unwrap();
        assert!(linkable, "{raw} does not link");
        key
    }

    #[test]
    fn spellings_of_one_number_meet() {
        for raw in
            ["020 7946 0000", "+44 20 7946 0000", "0044 (0)20 7946 0000", "tel:+44-20-7946-0000"]
        {
            assert_eq!(key(raw, "GB"), "+442079460000", "{raw}");
        }
        assert_eq!(key("06-1234 5678", "NL"), "+31612345678");
        assert_eq!(key("＋３１ ６ １２３４ ５６７８", "NL"), "+31612345678");
    }

    #[test]
    fn a_region_is_never_guessed() {
        let (_, linkable) = normalise("020 7946 0000", None).unwrap();
        assert!(!linkable);
    }

    #[test]
    fn the_brazilian_ninth_digit_is_for_mobiles_only() {
        assert_eq!(key("+55 11 8765-4321", "BR"), key("+55 11 98765-4321", "BR"));
        assert_eq!(key("+55 11 3333-4444", "BR"), "+551133334444");
    }

    #[test]
    fn old_mexican_and_argentine_spellings_meet_the_new() {
        assert_eq!(key("+52 1 55 1234 5678", "MX"), key("+52 55 1234 5678", "MX"));
        assert_eq!(key("+54 9 11 2345 6789", "AR"), key("+54 11 2345 6789", "AR"));
    }

    #[test]
    fn an_extension_is_another_line() {
        assert_eq!(key("020 7946 0000 ext. 12", "GB"), "+442079460000;ext=12");
        assert_eq!(key("+442079460000;ext=12", "GB"), "+442079460000;ext=12");
    }

    #[test]
    fn withheld_and_placeholder_numbers_are_no_identifiers() {
        for raw in [
            "anonymous",
            "+266696687",
            "Restricted",
            "0000000000",
            "1234567890",
            "07000000000",
            "+1 555 0100",
        ] {
            assert_eq!(normalise(raw, Some("GB")), Err(IdentifierError::Placeholder), "{raw}");
        }
    }

    #[test]
    fn a_placeholder_links_nobody_behind_a_country_code_either() {
        for raw in [
            "+1 123 456 7890",
            "+49 123456789",
            "+33 1 23 45 67 89",
            "+45 12 34 56 78",
            "+1 212 123 4567",
        ] {
            assert!(!matches!(normalise(raw, None), Ok((_, true))), "{raw}");
        }
        assert!(normalise("+1 212 555 0187", None).unwrap().1);
    }

    #[test]
    fn numbers_nobody_owns_keep_their_text_and_do_not_link() {
        for raw in ["0800 1111", "112", "12", "call me", "+1 800 555 0199"] {
            assert!(!normalise(raw, Some("GB")).unwrap().1, "{raw}");
        }
    }

    #[test]
    fn a_number_that_is_read_from_its_own_form_as_another_does_not_link() {
        for raw in ["+3100000000001", "00 31 0000 0000 01"] {
            let (once, linkable) = normalise(raw, Some("NL")).unwrap();
            assert!(!linkable, "{raw}: {once}");
            assert_eq!(normalise(&once, None).unwrap(), (once, false));
        }
    }

    #[test]
    fn a_whatsapp_number_is_a_number_without_its_plus() {
        assert_eq!(normalise_wa_id("31612345678").unwrap(), ("31612345678".to_owned(), true));
    }

    proptest! {
        #[test]
        fn normalising_twice_is_normalising_once(raw in "[+0-9 ()-]{0,20}|\\PC{0,20}") {
            if let Ok((once, true)) = normalise(&raw, Some("BR")) {
                prop_assert_eq!(normalise(&once, None), Ok((once, true)));
            }
        }
    }
}
