//! How people and programs write names, addresses and numbers: slips, short forms, formats.

use crate::chance::Chance;
use crate::names::{self, Name};

/// A country, as far as its telephone numbers go. All numbers are drawn by lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Country {
    /// The Netherlands.
    Netherlands,
    /// The United Kingdom.
    Britain,
    /// Brazil.
    Brazil,
}

impl Country {
    /// The code of ISO 3166.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Netherlands => "NL",
            Self::Britain => "GB",
            Self::Brazil => "BR",
        }
    }

    /// A mobile number in the form of E.164.
    pub fn mobile(self, chance: &mut Chance) -> String {
        match self {
            Self::Netherlands => format!("+316{}{}", 1 + chance.below(5), chance.digits(7)),
            Self::Britain => format!("+447{}{}", 7 + chance.below(3), chance.digits(8)),
            Self::Brazil => format!("+55119{}{}", 6 + chance.below(4), chance.digits(7)),
        }
    }

    /// A landline number in the form of E.164.
    pub fn landline(self, chance: &mut Chance) -> String {
        match self {
            Self::Netherlands => format!("+31206{}", chance.digits(6)),
            Self::Britain => format!("+44207{}", chance.digits(7)),
            Self::Brazil => format!("+55113{}", chance.digits(7)),
        }
    }
}

/// A text with one slip of the keyboard: another letter, one too few, one too many, or two
/// swapped. Digits slip to digits.
pub fn slip(chance: &mut Chance, text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if letters.is_empty() {
        return String::new();
    }
    let at = chance.index(letters.len());
    let other = if letters[at].is_ascii_digit() {
        char::from(*chance.one_of(b"0123456789"))
    } else {
        char::from(*chance.one_of(b"abcdefghijklmnopqrstuvwxyz"))
    };
    match chance.below(100) {
        0..35 => letters[at] = other,
        35..60 => drop(letters.remove(at)),
        60..80 => letters.insert(at, other),
        _ if letters.len() > 1 => {
            let at = at.min(letters.len() - 2);
            letters.swap(at, at + 1);
        }
        _ => {}
    }
    letters.into_iter().collect()
}

/// A name as its bearer writes it today.
pub fn name(chance: &mut Chance, name: &Name) -> String {
    let given = match names::short(&name.given) {
        Some(short) if chance.happens(150) => short.to_owned(),
        _ if chance.happens(15) => name.given.chars().take(1).chain(['.']).collect(),
        _ => name.given.clone(),
    };
    let family = if chance.happens(100) {
        name.family.replace("van der ", "").replace("van den ", "").replace("van ", "")
    } else {
        name.family.clone()
    };
    let written = match chance.below(100) {
        0..4 => format!("{family}, {given}"),
        4..7 => format!("{given} {family}").to_uppercase(),
        7..14 => format!("{given} {family}").to_lowercase(),
        _ => format!("{given} {family}"),
    };
    let written = if chance.happens(150) { plain(&written) } else { written };
    if chance.happens(50) { slip(chance, &written) } else { written }
}

/// A text without accents, as forms of old programs want it.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            'á' | 'à' | 'ä' | 'ã' | 'å' | 'â' | 'ą' => 'a',
            'Á' | 'Å' => 'A',
            'ç' | 'ć' => 'c',
            'Ç' => 'C',
            'é' | 'è' | 'ë' | 'ê' | 'ę' => 'e',
            'ğ' => 'g',
            'í' | 'ı' => 'i',
            'İ' => 'I',
            'ł' => 'l',
            'Ł' => 'L',
            'ñ' | 'ń' => 'n',
            'ó' | 'ö' | 'ø' | 'õ' => 'o',
            'Ö' => 'O',
            'ş' | 'ś' => 's',
            'Ş' => 'S',
            'ú' | 'ü' => 'u',
            'Ü' => 'U',
            'ź' | 'ż' => 'z',
            other => other,
        })
        .collect()
}

/// The local part of an address that somebody of this name takes.
pub fn local_part(chance: &mut Chance, name: &Name, numbered_per_mille: u64) -> String {
    let letters = |text: &str| -> String {
        plain(text).to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect()
    };
    let (given, family) = (letters(&name.given), letters(&name.family));
    let mut local = match chance.below(4) {
        0 => format!("{given}.{family}"),
        1 => format!("{}{family}", given.chars().take(1).collect::<String>()),
        2 => format!("{family}.{given}"),
        _ => format!("{given}{family}"),
    };
    if chance.happens(numbered_per_mille) {
        local.push_str(&(1 + chance.below(9_998)).to_string());
    }
    local
}

/// An address as its holder types it: dots and tags where the provider ignores them, and any case.
pub fn email(chance: &mut Chance, address: &str) -> String {
    let (local, domain) = address.split_once('@').unwrap_or((address, ""));
    let mut local = local.to_owned();
    if domain == "gmail.com" {
        if chance.happens(150) && local.len() > 2 {
            let at = 1 + chance.index(local.len() - 1);
            if !local.get(at - 1..=at).unwrap_or(".").contains('.') {
                local.insert(at, '.');
            }
        }
        if chance.happens(80) {
            local = format!("{local}+{}", chance.one_of(&["shop", "news", "x"]));
        }
    }
    let domain =
        if domain == "gmail.com" && chance.happens(30) { "googlemail.com" } else { domain };
    let written = format!("{local}@{domain}");
    match chance.below(100) {
        0..4 => written.to_uppercase(),
        4..10 => {
            let mut letters = written.chars();
            letters.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(letters).collect()
        }
        _ => written,
    }
}

/// A number in the form of E.164 as people of its country write it.
pub fn phone(chance: &mut Chance, number: &str, country: Country) -> String {
    let digits = number.trim_start_matches('+');
    let national = digits.get(2..).unwrap_or_default();
    let (head, tail) = national.split_at_checked(3).unwrap_or((national, ""));
    match chance.below(100) {
        0..25 => match country {
            Country::Netherlands if national.starts_with('6') => {
                format!("06-{}", national.get(1..).unwrap_or_default())
            }
            Country::Netherlands | Country::Britain => format!("0{head} {tail}"),
            Country::Brazil => {
                let (area, rest) = national.split_at_checked(2).unwrap_or((national, ""));
                format!("({area}) {rest}")
            }
        },
        25..35 => format!("00{digits}"),
        35..50 => format!("+{} {head} {tail}", digits.get(..2).unwrap_or_default()),
        50..55 => format!("+{} ({head}) {tail}", digits.get(..2).unwrap_or_default()),
        _ => number.to_owned(),
    }
}

/// A number as WhatsApp gives it: digits, and Brazilian ones often as they were before they had a
/// ninth digit.
pub fn whatsapp(chance: &mut Chance, number: &str) -> String {
    let digits = number.trim_start_matches('+');
    match digits.strip_prefix("55119") {
        Some(old) if chance.happens(600) => format!("5511{old}"),
        _ => digits.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use cx_core::identifier::{Identifier, Namespace};

    use super::*;

    #[test]
    fn however_a_number_is_written_it_is_one_number() {
        let mut chance = Chance::seeded(5);
        for country in [Country::Netherlands, Country::Britain, Country::Brazil] {
            for _ in 0..300 {
                let numbers = [country.mobile(&mut chance), country.landline(&mut chance)];
                for number in numbers {
                    let key = Identifier::normalise(Namespace::Phone, "", &number, None);
                    // The lot may draw one of the numbers that people type to get past a form.
                    let Ok(key) = key else { continue };
                    let written = phone(&mut chance, &number, country);
                    let read =
                        Identifier::normalise(Namespace::Phone, "", &written, Some(country.code()));
                    assert_eq!(read, Ok(key), "{number} as {written}");
                }
            }
        }
    }

    #[test]
    fn however_an_address_is_written_it_is_one_address() {
        let mut chance = Chance::seeded(6);
        for address in ["jan.vries7@gmail.com", "jan.vries7@outlook.com", "jv@corp.example"] {
            let key = Identifier::normalise(Namespace::Email, "", address, None).unwrap();
            for _ in 0..300 {
                let written = email(&mut chance, address);
                let read = Identifier::normalise(Namespace::Email, "", &written, None);
                assert_eq!(read.as_ref(), Ok(&key), "{address} as {written}");
            }
        }
    }

    #[test]
    fn a_slip_is_one_slip() {
        let mut chance = Chance::seeded(7);
        for _ in 0..1_000 {
            let slipped = slip(&mut chance, "Hendrik");
            assert!((6..=8).contains(&slipped.chars().count()), "{slipped}");
        }
        assert_eq!(slip(&mut chance, ""), "");
    }
}
