//! A table of person records as systems keep them, with the truth in a column of its own: slips,
//! short names, swapped fields, married names, moves, households that share a telephone or an
//! address for mail, and blanks.

use crate::chance::{Chance, Ranks};
use crate::names::{self, Family, Name, Names};
use crate::writing::{self, Country};

/// One record of one person. Empty where a value is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonRecord {
    /// The record's id: `r00000042`.
    pub record: String,
    /// The person, in truth: `p00000017`.
    pub truth: String,
    /// Where the record comes from.
    pub channel: &'static str,
    /// The given name.
    pub given_name: String,
    /// The family name.
    pub family_name: String,
    /// The date of birth: `1984-03-12`.
    pub birth_date: String,
    /// The e-mail address.
    pub email: String,
    /// The telephone number.
    pub phone: String,
    /// The city.
    pub city: String,
    /// The postcode.
    pub postcode: String,
}

impl PersonRecord {
    /// The names of the columns, as a line of CSV.
    pub const HEADER: &'static str =
        "rec_id,truth,channel,first_name,surname,dob,email,phone,city,postcode";

    /// The record as a line of CSV. No value has a comma, a quote or a line break.
    pub fn to_csv(&self) -> String {
        [
            &self.record,
            &self.truth,
            self.channel,
            &self.given_name,
            &self.family_name,
            &self.birth_date,
            &self.email,
            &self.phone,
            &self.city,
            &self.postcode,
        ]
        .join(",")
    }
}

/// That many records, one household after the other; the same for the same seed. A little over
/// half belong to a person with several records.
///
/// ```
/// use cx_tests::people::people;
/// let records: Vec<_> = people(1_000, 1).collect();
/// assert_eq!(records.len(), 1_000);
/// assert!(people(1_000, 1).eq(records));
/// ```
pub fn people(n: usize, seed: u64) -> impl Iterator<Item = PersonRecord> {
    let mut towns = Towns::new(Chance::seeded(seed));
    let mut n_persons = 0_u32;
    let households = std::iter::repeat_with(move || towns.household(&mut n_persons));
    let numbered = (0_u32..).zip(households.flatten());
    let records = numbered.map(|(n, record)| PersonRecord { record: format!("r{n:08}"), ..record });
    records.take(n)
}

/// Where people live, and what they are called.
struct Towns {
    chance: Chance,
    names: Names,
    cities: Vec<String>,
    city_ranks: Ranks,
}

/// What a person is, before anybody writes it down.
#[derive(Clone)]
struct Person {
    name: Name,
    birth: (u64, u64, u64),
    email: String,
    phone: String,
    home: (String, String),
}

impl Towns {
    fn new(mut chance: Chance) -> Self {
        const STEMS: &[&str] = &[
            "Amster", "Rotter", "Haar", "Leeuw", "Nieuw", "Oude", "Zand", "Green", "North",
            "South", "East", "West", "King", "Queen", "Bridge", "Stone", "Ash", "Oak", "Mill",
            "Clay",
        ];
        const ENDINGS: &[&str] = &[
            "dam", "lem", "warden", "burg", "kerk", "voort", "ton", "ford", "bury", "wick", "ham",
            "port", "mouth", "field", "stad", "dorp", "hoven", "meer", "gate", "well",
        ];
        let names = Names::new();
        let mut cities: Vec<String> = STEMS
            .iter()
            .flat_map(|stem| ENDINGS.iter().map(move |ending| format!("{stem}{ending}")))
            .collect();
        chance.shuffle(&mut cities);
        let city_ranks = Ranks::new(cities.len(), 3);
        Self { chance, names, cities, city_ranks }
    }

    fn home(&mut self) -> (String, String) {
        let chance = &mut self.chance;
        let city = self.cities[self.city_ranks.draw(chance)].clone();
        let letters = |chance: &mut Chance| char::from(*chance.one_of(b"ABDEGHJKLNPRSTVWXZ"));
        // Digits first, then two letters, each city with numbers of its own.
        let area = u64::try_from(city.len()).unwrap() * 700 + u64::from(city.as_bytes()[0]) * 7;
        let postcode = format!(
            "{} {}{}",
            1_000 + (area + chance.below(60)) % 9_000,
            letters(chance),
            letters(chance)
        );
        (city, postcode)
    }

    /// The records of all who live together.
    fn household(&mut self, n_persons: &mut u32) -> Vec<PersonRecord> {
        let family = self.names.family(&mut self.chance);
        let home = self.home();
        let country = *self.chance.one_of(&[Country::Netherlands, Country::Britain]);
        let phone = self.chance.happens(330).then(|| country.landline(&mut self.chance));
        let email = self.chance.happens(20).then(|| {
            let of_all = Name { given: "familie".to_owned(), family: family.name.clone() };
            self.email(&of_all)
        });
        let mut records = Vec::new();
        for _ in 0..*self.chance.weighted(&[(55, 1), (25, 2), (12, 3), (8, 4)]) {
            let mut person = self.person(&family, &home, country);
            person.phone = phone.clone().unwrap_or(person.phone);
            person.email = email.clone().unwrap_or(person.email);
            let n_records =
                *self.chance.weighted(&[(62, 1), (18, 2), (9, 3), (6, 4), (3, 5), (2, 6)]);
            for n in 0..n_records {
                if n > 0 && self.chance.happens(80) {
                    person.home = self.home();
                }
                let kept = if n == 0 { person.clone() } else { self.changed(&person, country) };
                records.push(self.record(kept, n > 0, *n_persons));
            }
            *n_persons += 1;
        }
        records
    }

    fn person(&mut self, family: &Family, home: &(String, String), country: Country) -> Person {
        let name = self.names.person(&mut self.chance, family);
        let chance = &mut self.chance;
        let birth = (1935 + chance.below(73), 1 + chance.below(12), 1 + chance.below(28));
        let phone = country.mobile(chance);
        let email = self.email(&name);
        Person { name, birth, email, phone, home: home.clone() }
    }

    fn email(&mut self, name: &Name) -> String {
        let local = writing::local_part(&mut self.chance, name, 600);
        let provider = self.chance.weighted(&[
            (9, "gmail.com"),
            (4, "outlook.com"),
            (3, "yahoo.com"),
            (2, "icloud.com"),
            (1, "example.org"),
            (1, "mail.example"),
            (1, "corp.example"),
        ]);
        format!("{local}@{provider}")
    }

    /// What has changed about a person since the first record, or was always so elsewhere.
    fn changed(&mut self, person: &Person, country: Country) -> Person {
        let mut person = person.clone();
        if let Some(short) = names::short(&person.name.given)
            && self.chance.happens(150)
        {
            short.clone_into(&mut person.name.given);
        }
        if self.chance.happens(40) {
            person.name.family = self.names.family(&mut self.chance).name;
        }
        if self.chance.happens(250) {
            person.email = self.email(&person.name.clone());
        }
        if self.chance.happens(250) {
            person.phone = country.mobile(&mut self.chance);
        }
        person
    }

    /// A record as somebody writes it down: later ones in haste.
    fn record(&mut self, person: Person, in_haste: bool, truth: u32) -> PersonRecord {
        let chance = &mut self.chance;
        let Person { name: Name { mut given, mut family }, birth, mut email, phone, home } = person;
        let (mut city, postcode) = home;
        let (year, mut month, mut day) = birth;
        let mut phone = phone;
        if in_haste {
            let mut slips = |per_mille: u64, text: &mut String| {
                if chance.happens(per_mille) {
                    *text = writing::slip(chance, text);
                }
            };
            slips(120, &mut given);
            slips(120, &mut family);
            slips(60, &mut email);
            slips(10, &mut phone);
            slips(80, &mut city);
            if chance.happens(30) {
                std::mem::swap(&mut given, &mut family);
            }
            if chance.happens(100) {
                (given, family) = (writing::plain(&given), writing::plain(&family));
            }
            match chance.below(1_000) {
                0..50 => month = 1 + chance.below(12),
                50..60 => day = 1 + chance.below(28),
                // Only days that are months too can be mistaken.
                60..70 if day <= 12 => (month, day) = (day, month),
                _ => {}
            }
        }
        let mut unless_blank = |per_mille: u64, text: String| {
            if chance.happens(per_mille) { String::new() } else { text }
        };
        PersonRecord {
            record: String::new(),
            truth: format!("p{truth:08}"),
            given_name: unless_blank(50, given),
            family_name: unless_blank(20, family),
            birth_date: unless_blank(300, format!("{year:04}-{month:02}-{day:02}")),
            email: unless_blank(250, email),
            phone: unless_blank(300, phone),
            city: unless_blank(150, city),
            postcode: unless_blank(250, postcode),
            channel: chance.one_of::<&str>(&["email", "phone", "web", "pos", "chat", "whatsapp"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn by_truth(records: &[PersonRecord]) -> BTreeMap<&str, Vec<&PersonRecord>> {
        let mut persons: BTreeMap<&str, Vec<&PersonRecord>> = BTreeMap::new();
        for record in records {
            persons.entry(&record.truth).or_default().push(record);
        }
        persons
    }

    #[test]
    fn over_half_of_the_records_have_another_of_the_same_person() {
        let records: Vec<_> = people(20_000, 1).collect();
        let persons = by_truth(&records);
        let twins: usize = persons.values().map(Vec::len).filter(|n| *n > 1).sum();
        assert!((10_500..14_500).contains(&twins), "{twins}");
        let ids: BTreeSet<_> = records.iter().map(|record| &record.record).collect();
        assert_eq!(ids.len(), records.len());
    }

    #[test]
    fn fields_are_blank_slipped_and_swapped_and_households_share_numbers() {
        let records: Vec<_> = people(20_000, 1).collect();
        let blank = records.iter().filter(|record| record.birth_date.is_empty()).count();
        assert!((5_400..6_600).contains(&blank), "{blank}");
        let mut swapped = 0;
        for persons in by_truth(&records).values() {
            let first = persons[0];
            swapped += persons
                .iter()
                .filter(|other| {
                    !first.given_name.is_empty()
                        && first.given_name == other.family_name
                        && first.family_name == other.given_name
                })
                .count();
        }
        assert!(swapped > 50, "{swapped}");
        let mut holders: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for record in records.iter().filter(|record| !record.phone.is_empty()) {
            holders.entry(&record.phone).or_default().insert(&record.truth);
        }
        let shared = holders.values().filter(|persons| persons.len() > 1).count();
        assert!(shared > 500, "{shared}");
    }

    #[test]
    fn a_line_has_as_many_values_as_columns() {
        let columns = PersonRecord::HEADER.split(',').count();
        assert!(people(5_000, 2).all(|record| record.to_csv().split(',').count() == columns));
    }
}
