//! A stream of events across channels, with the truth beside it and the traps that mislead whoever
//! wants to know who is who.
//!
//! Households share a landline and a browser; kiosks are used by everybody; some write from role
//! mailboxes; counters type placeholders, the shop's own number and slips; numbers get new
//! holders, people new numbers and new names; agents type wrong numbers; and every name, address
//! and number is written in many ways. Everything is drawn by lot from a seed, numbers and
//! addresses too: any likeness is chance.

use cx_core::actor::{Actor, ActorType};
use cx_core::channel::Channel;
use cx_core::event::{Direction, Event, Kind, Source};
use cx_core::identifier::{Assurance, Claim, Namespace, Role};
use cx_core::ids::EventKey;
use cx_core::time::{Micros, Timestamp};
use serde_json::Map;

use crate::chance::Chance;
use crate::names::{Name, Names};
use crate::writing::{self, Country};

/// Which person an event is about, in truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PersonLabel(pub u32);

/// The tenant of the stream.
pub const TENANT: &str = "traps";

/// How long the stream is, in days.
const DAYS: u64 = 720;

/// The events of that many people over two years, about nine and a half each, by the time they
/// happened. The same people and seed give the same events.
///
/// ```
/// use cx_tests::trap_stream::trap_stream;
/// let stream = trap_stream(100, 1);
/// assert!(stream.len() > 500);
/// assert_eq!(stream, trap_stream(100, 1));
/// ```
pub fn trap_stream(n_people: u32, seed: u64) -> Vec<(Event, PersonLabel)> {
    let mut chance = Chance::seeded(seed);
    let world = World::of(n_people, &mut chance);
    let mut told = Vec::new();
    for (label, person) in (0..).zip(&world.people) {
        for _ in 0..chance.run(9_045).max(1) {
            told.extend(world.tell(&mut chance, person).map(|event| (event, PersonLabel(label))));
        }
    }
    told.sort_by_key(|(event, label)| (event.at, *label));
    (0..).zip(told).map(|(n, (told, label))| (told.event(n), label)).collect()
}

struct Person {
    name: Name,
    /// The name after a wedding, and the day of it.
    married: Option<(u64, Name)>,
    emails: Vec<String>,
    country: Country,
    /// The numbers and the days from which they are theirs; `None` while they have none.
    mobiles: Vec<(u64, Option<String>)>,
    landline: Option<String>,
    login: Option<String>,
    card: Option<String>,
    /// Where they hide their number from businesses.
    whatsapp_id: Option<String>,
    shop_ids: Vec<String>,
    browsers: Vec<String>,
}

impl Person {
    fn name(&self, day: u64) -> &Name {
        match &self.married {
            Some((from, name)) if day >= *from => name,
            _ => &self.name,
        }
    }

    fn mobile(&self, day: u64) -> Option<&str> {
        let held = self.mobiles.iter().rev().find(|(from, _)| day >= *from)?;
        held.1.as_deref()
    }
}

struct World {
    people: Vec<Person>,
    kiosks: Vec<String>,
    roles: Vec<String>,
}

/// What somebody told about one person at one moment.
struct Told {
    at: Timestamp,
    channel: Channel,
    name: Option<String>,
    who: Vec<Claim>,
}

impl World {
    fn of(n_people: u32, chance: &mut Chance) -> Self {
        let names = Names::new();
        let wanted = usize::try_from(n_people).unwrap();
        let mut people: Vec<Person> = Vec::with_capacity(wanted);
        while people.len() < wanted {
            let family = names.family(chance);
            let country = *chance.weighted(&[
                (48, Country::Netherlands),
                (40, Country::Britain),
                (12, Country::Brazil),
            ]);
            let landline = chance.happens(300).then(|| country.landline(chance));
            let browser = chance.happens(150).then(|| browser(chance));
            for _ in 0..*chance.weighted(&[(55, 1), (25, 2), (12, 3), (8, 4)]) {
                let name = names.person(chance, &family);
                let married = chance.happens(10).then(|| {
                    let family = names.family(chance).name;
                    (100 + chance.below(500), Name { given: name.given.clone(), family })
                });
                people.push(person(
                    chance,
                    name,
                    married,
                    country,
                    landline.as_deref(),
                    browser.as_deref(),
                ));
            }
        }
        people.truncate(wanted);
        pass_numbers_on(chance, &mut people);
        let kiosks = (0..=n_people / 300).map(|n| format!("kiosk-{n:04}")).collect();
        let role = |word: &str, n: u32| format!("{word}@company{n}.example");
        let roles = ["info", "support", "office", "sales", "reception"];
        let roles = (0..=n_people / 4_000).flat_map(|n| roles.map(|word| role(word, n))).collect();
        Self { people, kiosks, roles }
    }

    /// One event; `None` where the person had no number to call from.
    fn tell(&self, chance: &mut Chance, person: &Person) -> Option<Told> {
        let seconds = chance.below(DAYS * 86_400);
        let day = seconds / 86_400;
        let start = Timestamp::from_seconds(1_700_000_000).unwrap();
        let at = start + Micros::SECOND.times(i64::try_from(seconds).unwrap());
        let mut told = Told { at, channel: Channel::Web, name: None, who: Vec::new() };
        let says_name = match chance.below(100) {
            0..30 => {
                told.browses(chance, person);
                0
            }
            30..50 => {
                self.logs_in(chance, person, &mut told);
                500
            }
            50..64 => {
                self.mails(chance, person, day, &mut told);
                800
            }
            64..74 => {
                self.calls(chance, person, day, &mut told)?;
                600
            }
            74..84 => {
                told.messages(chance, person, day)?;
                500
            }
            84..90 => {
                told.pays(chance, person, day);
                900
            }
            90..94 => {
                told.orders(chance, person, day);
                1_000
            }
            _ => {
                told.chats(chance, person);
                500
            }
        };
        if chance.happens(says_name) {
            told.name = Some(writing::name(chance, person.name(day)));
        }
        Some(told)
    }

    fn logs_in(&self, chance: &mut Chance, person: &Person, told: &mut Told) {
        if chance.happens(30) {
            told.claim(
                Namespace::Cookie,
                chance.one_of(&self.kiosks).as_str(),
                Assurance::Inferred,
            );
        } else {
            told.browses(chance, person);
        }
        if let Some(login) = &person.login {
            told.claim(Namespace::UserId, login, Assurance::Authenticated);
        }
        if person.login.is_none() || chance.happens(400) {
            let address = writing::email(chance, &person.emails[0]);
            told.claim(Namespace::Email, &address, Assurance::Authenticated);
        }
    }

    fn mails(&self, chance: &mut Chance, person: &Person, day: u64, told: &mut Told) {
        told.channel = Channel::Email;
        if chance.happens(29) {
            told.claim(
                Namespace::Email,
                chance.one_of(&self.roles).as_str(),
                Assurance::ChannelProved,
            );
        } else {
            let address = chance.one_of(&person.emails);
            let address = writing::email(chance, address);
            told.claim(Namespace::Email, &address, Assurance::ChannelProved);
        }
        // The signature under the mail.
        if let Some(mobile) = person.mobile(day).filter(|_| chance.happens(150)) {
            told.phone(chance, mobile, person.country, Assurance::SelfStated);
        }
    }

    fn calls(&self, chance: &mut Chance, person: &Person, day: u64, told: &mut Told) -> Option<()> {
        told.channel = Channel::Phone;
        let landline = person.landline.as_deref().filter(|_| chance.happens(500));
        let mut number = landline.or(person.mobile(day))?;
        if chance.happens(20) {
            // The agent took the number of another call.
            let other = chance.one_of(&self.people);
            number = other.mobile(day).unwrap_or(number);
        }
        told.phone(chance, number, person.country, Assurance::ChannelProved);
        if let Some(card) = person.card.as_deref().filter(|_| chance.happens(300)) {
            told.claim(Namespace::Loyalty, card, Assurance::ChannelProved);
        }
        Some(())
    }
}

impl Told {
    fn browses(&mut self, chance: &mut Chance, person: &Person) {
        self.claim(
            Namespace::Cookie,
            chance.one_of(&person.browsers).as_str(),
            Assurance::Inferred,
        );
    }

    fn messages(&mut self, chance: &mut Chance, person: &Person, day: u64) -> Option<()> {
        self.channel = Channel::Whatsapp;
        let proved = Assurance::ChannelProved;
        if let Some(id) = &person.whatsapp_id {
            self.claim(Namespace::WaBsuid, id, proved);
            if chance.happens(700) {
                return Some(());
            }
        }
        let number = writing::whatsapp(chance, person.mobile(day)?);
        self.claim(Namespace::WaId, &number, proved);
        self.who.extend(Claim::phone(&format!("+{number}"), None, Role::Subject, proved));
        Some(())
    }

    /// At the counter: a card, or what the customer says and somebody types.
    fn pays(&mut self, chance: &mut Chance, person: &Person, day: u64) {
        self.channel = Channel::Store;
        if let Some(card) = &person.card {
            self.claim(Namespace::Loyalty, card, Assurance::ChannelProved);
        }
        if person.card.is_some() && !chance.happens(300) {
            return;
        }
        let typed = Assurance::ChannelProved;
        if chance.happens(100) {
            let (namespace, value) = chance
                .one_of(&[
                    (Namespace::Phone, "0000000000"),
                    (Namespace::Phone, "07000000000"),
                    (Namespace::Phone, "+31 20 624 5550"),
                    (Namespace::Email, "none@none.com"),
                    (Namespace::Email, "noemail@shop.example"),
                    (Namespace::Email, "passant@shop.example"),
                    (Namespace::UserId, "null"),
                ])
                .clone();
            self.claim(namespace, value, typed);
        } else if let Some(mobile) = person.mobile(day).filter(|_| chance.happens(500)) {
            let mobile =
                if chance.happens(20) { writing::slip(chance, mobile) } else { mobile.to_owned() };
            self.phone(chance, &mobile, person.country, typed);
        } else {
            let address = &person.emails[0];
            let address = if chance.happens(20) {
                writing::slip(chance, address)
            } else {
                writing::email(chance, address)
            };
            self.claim(Namespace::Email, &address, typed);
        }
    }

    /// In the online shop, by a customer record of the shop: guests get a new one each time.
    fn orders(&mut self, chance: &mut Chance, person: &Person, day: u64) {
        self.channel = Channel::Commerce;
        let proved = Assurance::ChannelProved;
        self.claim(Namespace::Shop, chance.one_of(&person.shop_ids).as_str(), proved);
        let address = chance.one_of(&person.emails);
        let address = writing::email(chance, address);
        self.claim(Namespace::Email, &address, proved);
        if let Some(mobile) = person.mobile(day).filter(|_| chance.happens(300)) {
            self.phone(chance, mobile, person.country, Assurance::SelfStated);
        }
    }

    fn chats(&mut self, chance: &mut Chance, person: &Person) {
        self.channel = Channel::Chat;
        self.browses(chance, person);
        if chance.happens(500) {
            let address = chance.one_of(&person.emails);
            let address = writing::email(chance, address);
            self.claim(Namespace::Email, &address, Assurance::SelfStated);
        }
    }

    /// Adds a claim; what is no identifier is left out, as adapters do.
    fn claim(&mut self, namespace: Namespace, value: &str, assurance: Assurance) {
        let scope = if namespace.is_scoped() { "traps" } else { "" };
        self.who.extend(Claim::scoped(namespace, scope, value, Role::Subject, assurance));
    }

    fn phone(&mut self, chance: &mut Chance, number: &str, country: Country, how: Assurance) {
        let written = writing::phone(chance, number, country);
        self.who.extend(Claim::phone(&written, Some(country.code()), Role::Subject, how));
    }

    fn event(self, n: u32) -> Event {
        let key = EventKey::new(format!("traps/{n:08}")).unwrap();
        let source = Source { system: "traps".to_owned(), ..Source::default() };
        let kind = Kind::from_json("message", Map::new()).unwrap();
        let mut event = Event::new(key, source, kind, self.at);
        event.channel = self.channel;
        event.direction = Direction::In;
        event.actor = Actor::of(ActorType::Customer);
        event.name = self.name;
        event.who = self.who;
        event
    }
}

fn person(
    chance: &mut Chance,
    name: Name,
    married: Option<(u64, Name)>,
    country: Country,
    landline: Option<&str>,
    household_browser: Option<&str>,
) -> Person {
    let providers = [(5, "gmail.com"), (1, "outlook.com"), (1, "yahoo.com"), (1, "corp.example")];
    let emails = (0..*chance.weighted(&[(70, 1), (23, 2), (7, 3)]))
        .map(|_| {
            let provider = *chance.weighted(&providers);
            // A lot of five more digits: no two people share an address.
            let local = writing::local_part(chance, &name, 0);
            format!("{local}{}@{provider}", chance.below(100_000_000))
        })
        .collect();
    let mut mobiles = vec![(0, Some(country.mobile(chance)))];
    if chance.happens(30) {
        mobiles.push((100 + chance.below(500), Some(country.mobile(chance))));
    }
    let n_browsers = *chance.weighted(&[(40, 1), (25, 2), (18, 3), (12, 5), (5, 8)]);
    let mut browsers: Vec<String> = (0..n_browsers).map(|_| browser(chance)).collect();
    browsers.extend(household_browser.map(str::to_owned));
    let n_shop_ids = *chance.weighted(&[(40, 1), (25, 2), (35, 4)]);
    Person {
        name,
        married,
        emails,
        country,
        mobiles,
        landline: landline.map(str::to_owned),
        login: chance.happens(600).then(|| format!("u{}", chance.digits(12))),
        card: chance.happens(400).then(|| format!("L{}", chance.digits(12))),
        whatsapp_id: chance.happens(50).then(|| format!("B{}", chance.digits(16))),
        shop_ids: (0..n_shop_ids).map(|_| chance.digits(13)).collect(),
        browsers,
    }
}

fn browser(chance: &mut Chance) -> String {
    format!("c{}", chance.digits(14))
}

/// Some numbers are given up, and go to somebody else after a rest.
fn pass_numbers_on(chance: &mut Chance, people: &mut [Person]) {
    for old in 0..people.len() {
        let new = chance.index(people.len());
        let passes = chance.happens(30) && old != new;
        if passes && people[old].country == people[new].country {
            let number = people[old].mobiles[0].1.clone();
            people[old].mobiles.push((250, None));
            people[new].mobiles.push((400, number));
            people[old].mobiles.sort_by_key(|(from, _)| *from);
            people[new].mobiles.sort_by_key(|(from, _)| *from);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// For each value of a namespace the people who carry it.
    fn holders(
        stream: &[(Event, PersonLabel)],
        namespace: &Namespace,
    ) -> BTreeMap<String, BTreeSet<PersonLabel>> {
        let mut holders: BTreeMap<String, BTreeSet<PersonLabel>> = BTreeMap::new();
        for (event, label) in stream {
            for claim in event.who.iter().filter(|c| c.identifier().namespace() == namespace) {
                holders.entry(claim.identifier().key().to_owned()).or_default().insert(*label);
            }
        }
        holders
    }

    #[test]
    fn people_have_about_nine_and_a_half_events_in_the_order_of_time() {
        let stream = trap_stream(2_000, 1);
        assert!((18_000..20_000).contains(&stream.len()), "{}", stream.len());
        assert!(stream.is_sorted_by_key(|(event, _)| event.occurred_at));
        let keys: BTreeSet<_> = stream.iter().map(|(event, _)| &event.key).collect();
        assert_eq!(keys.len(), stream.len());
        assert_ne!(stream[..50], trap_stream(2_000, 2)[..50]);
    }

    #[test]
    fn numbers_browsers_and_mailboxes_are_shared_and_ids_and_addresses_are_not() {
        let stream = trap_stream(2_000, 1);
        let most = |namespace| {
            let sizes: Vec<usize> =
                holders(&stream, &namespace).values().map(BTreeSet::len).collect();
            let shared = sizes.iter().filter(|n| **n > 1).count();
            (shared, sizes.into_iter().max().unwrap_or(0))
        };
        let (numbers, _) = most(Namespace::Phone);
        let (browsers, kiosk) = most(Namespace::Cookie);
        let (mailboxes, role) = most(Namespace::Email);
        assert!(numbers > 40 && browsers > 40, "{numbers} numbers, {browsers} browsers");
        assert!(kiosk > 10 && role > 5 && mailboxes < 20, "{kiosk} {role} {mailboxes}");
        for namespace in [Namespace::UserId, Namespace::Loyalty, Namespace::WaBsuid] {
            assert_eq!(most(namespace).1, 1);
        }
    }

    #[test]
    fn one_person_writes_names_and_numbers_in_many_ways() {
        let stream = trap_stream(300, 1);
        let mut raw: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut names: BTreeMap<PersonLabel, BTreeSet<&str>> = BTreeMap::new();
        for (event, label) in &stream {
            names.entry(*label).or_default().extend(event.name.as_deref());
            for claim in &event.who {
                raw.entry(claim.identifier().key()).or_default().insert(claim.raw());
            }
        }
        assert!(raw.values().filter(|ways| ways.len() > 2).count() > 40);
        assert!(names.values().filter(|ways| ways.len() > 1).count() > 120);
    }
}
