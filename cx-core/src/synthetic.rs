//! A company that does not exist: its events, as many as one likes, for benchmarks and trials.
//!
//! [`Company`] is an endless stream of events in the order in which they arrive: people with
//! several identifiers write, call, buy and look at pages, agents answer, parcels leave. A few
//! events come twice, and a few come late; some telephones and browsers have two people. The same
//! seed gives the same events, to the byte, on every machine. Memory does not grow with the
//! number of events: whatever is always the same of a person is computed from the seed.

mod chance;
mod words;

use std::collections::{BTreeMap, VecDeque};

use crate::actor::{Actor, ActorType};
use crate::channel::Channel;
use crate::event::commerce::{Line, Order};
use crate::event::conversation::{State, Status};
use crate::event::mail::MailEvent;
use crate::event::talk::{Call, CallOutcome, Message};
use crate::event::web::View;
use crate::event::{Body, ConversationRef, Direction, Event, Kind, Source};
use crate::identifier::{Assurance, Claim, Namespace, Role};
use crate::ids::{ConversationKey, EventKey};
use crate::time::Timestamp;
use chance::Chance;
use words::{ARTICLES, Tongue};

/// The first event: 2025-01-01T00:00:00Z, in microseconds.
const START: i64 = 1_735_689_600_000_000;
const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;

/// An endless stream of the events of an invented company.
///
/// ```
/// use cx_core::synthetic::Company;
///
/// let events: Vec<_> = Company::new(7, 1000).take(100).collect();
/// assert_eq!(events, Company::new(7, 1000).take(100).collect::<Vec<_>>());
/// ```
#[derive(Debug)]
pub struct Company {
    seed: u64,
    people: u64,
    chance: Chance,
    now: i64,
    /// How many events there were, and things that go on: numbers for keys.
    number: u64,
    /// What follows from what happened, by when it does.
    next: BTreeMap<(i64, u64), Step>,
    /// Events that come late, by when they come.
    late: BTreeMap<(i64, u64), Event>,
    /// The last events, one of which may come again.
    last: VecDeque<Event>,
}

/// What somebody does, or what is done for them.
#[derive(Debug, Clone, Copy)]
struct Step {
    person: u64,
    /// The number of what it is part of: a conversation, an order, a visit.
    thing: u64,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Asks { by: Medium, first: First },
    Answers { by: Medium },
    Closes { by: Medium },
    Calls,
    Looks,
    Buys,
    Pays,
    Ships,
    GetsMail,
    Opens,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Yes,
    No,
}

#[derive(Debug, Clone, Copy)]
enum Medium {
    Mail,
    Chat,
    Whatsapp,
}

/// What is always the same of a person.
struct Person {
    tongue: &'static Tongue,
    name: String,
    email: String,
    phone: String,
    cookie: String,
    number: String,
}

impl Company {
    /// A company with so many customers, at least one. The first customer is heard of the most
    /// often, the k-th as often as `k.powf(-0.8)` says, as with Zipf's law.
    pub fn new(seed: u64, people: u64) -> Self {
        Self {
            seed,
            people: people.clamp(1, 1 << 29),
            chance: Chance::of(seed, 0, 0),
            now: START,
            number: 0,
            next: BTreeMap::new(),
            late: BTreeMap::new(),
            last: VecDeque::new(),
        }
    }

    /// A company whose size goes with the number of events that are wanted of it: about ten to a
    /// customer.
    pub fn of_events(seed: u64, events: u64) -> Self {
        Self::new(seed, (events / 10).max(50))
    }

    fn person(&self, person: u64) -> Person {
        let mut chance = Chance::of(self.seed, 1, person);
        let tongue = Tongue::of(&mut chance);
        let (first, last) = tongue.name(&mut chance);
        // Two in a household share what is theirs together: one in twenty-five households a
        // telephone, one in thirty a browser.
        let household = person / 2;
        let mut shared = Chance::of(self.seed, 2, household);
        let phone_of = if shared.happens(40) { household * 2 } else { person };
        let cookie_of = if shared.happens(33) { household * 2 } else { person };
        let phone = if phone_of == person {
            phone(tongue, self.seed, person)
        } else {
            let other = Tongue::of(&mut Chance::of(self.seed, 1, phone_of));
            phone(other, self.seed, phone_of)
        };
        Person {
            tongue,
            name: format!("{first} {last}"),
            email: format!("{}.{}{person}@{}", ascii(first), ascii(last), tongue.domain),
            phone,
            cookie: format!("v{:016x}", Chance::of(self.seed, 4, cookie_of).next()),
            number: format!("c-{}", 10_000 + person),
        }
    }

    fn then(&mut self, after: i64, step: Step) {
        let order = self.fresh();
        self.next.insert((self.now + after, order), step);
    }

    fn fresh(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    fn within(&mut self, seconds: u64) -> i64 {
        i64::try_from(self.chance.below(seconds)).unwrap_or(0) * SECOND
    }

    /// What begins anew, with somebody.
    fn beginning(&mut self) -> Step {
        let person = self.chance.rank(self.people);
        let by = match self.chance.below(10) {
            0..=5 => Medium::Mail,
            6..=7 => Medium::Chat,
            _ => Medium::Whatsapp,
        };
        let what = match self.chance.below(100) {
            0..=24 => What::Asks { by, first: First::Yes },
            25..=31 => What::Calls,
            32..=71 => What::Looks,
            72..=85 => What::Buys,
            _ => What::GetsMail,
        };
        Step { person, thing: self.fresh(), what }
    }

    /// The event of a step; what follows from it is put down for later.
    fn happen(&mut self, step: Step) -> Option<Event> {
        let Step { person: who, thing, what } = step;
        let person = self.person(who);
        let proved = Assurance::ChannelProved;
        match what {
            What::Asks { by, first } => {
                if self.chance.happens(850) {
                    let after = self.within(6 * 3600) + 60 * SECOND;
                    self.then(after, Step { what: What::Answers { by }, ..step });
                }
                let (system, channel) = by.place();
                let mut event = self.event(system, "message", thing, channel, Direction::In)?;
                event.actor = Actor::of(ActorType::Customer);
                event.who.extend(by.claim(&person, Role::From));
                event.name = Some(person.name.clone());
                event.kind = by.message(
                    (first == First::Yes).then(|| person.tongue.subject(&mut self.chance)),
                );
                event.body = Some(Body {
                    lang: Some(person.tongue.lang.to_owned()),
                    ..Body::text(person.tongue.question(&mut self.chance))
                });
                Some(event)
            }
            What::Answers { by } => {
                if self.chance.happens(350) {
                    let after = self.within(24 * 3600) + 60 * SECOND;
                    self.then(after, Step { what: What::Asks { by, first: First::No }, ..step });
                } else if self.chance.happens(700) {
                    let after = self.within(48 * 3600) + 60 * SECOND;
                    self.then(after, Step { what: What::Closes { by }, ..step });
                }
                let (system, channel) = by.place();
                let mut event = self.event(system, "message", thing, channel, Direction::Out)?;
                let agent = self.chance.below(40);
                event.actor = Actor::of(ActorType::Agent).with_id(format!("a-{agent}"));
                event.who.extend(by.claim(&person, Role::To));
                event.kind = by.message(None);
                event.body = Some(Body {
                    lang: Some(person.tongue.lang.to_owned()),
                    ..Body::text(person.tongue.answer(&mut self.chance))
                });
                Some(event)
            }
            What::Closes { by } => {
                let (system, channel) = by.place();
                let mut event = self.event(system, "status", thing, channel, Direction::None)?;
                event.actor = Actor::of(ActorType::Agent);
                event.who.extend(by.claim(&person, Role::Requester));
                event.kind =
                    Kind::ConversationStatus(Status { to: State::Closed, ..Status::default() });
                Some(event)
            }
            What::Calls => {
                let mut event = self.event("pbx", "call", thing, Channel::Phone, Direction::In)?;
                event.actor = Actor::of(ActorType::Customer);
                event.who.extend(claim(Namespace::Phone, "", &person.phone, Role::From, proved));
                event.conversation = None;
                let outcome = match self.chance.below(10) {
                    0 => CallOutcome::Missed,
                    1 => CallOutcome::Abandoned,
                    _ => CallOutcome::Answered,
                };
                let duration_s =
                    (outcome == CallOutcome::Answered).then(|| 20 + self.chance.below(900));
                event.kind =
                    Kind::Call(Call { duration_s, outcome: Some(outcome), ..Call::default() });
                Some(event)
            }
            What::Looks => {
                if self.chance.happens(550) {
                    let after = self.within(90) + 5 * SECOND;
                    self.then(after, step);
                }
                let mut event = self.event("site", "view", thing, Channel::Web, Direction::None)?;
                event.conversation = None;
                event.actor = Actor::of(ActorType::Customer);
                let role = Role::Subject;
                event.who.extend(claim(Namespace::Cookie, "", &person.cookie, role, proved));
                if thing % 6 == 0 {
                    // One visit in six is by somebody who has logged in.
                    let sure = Assurance::Authenticated;
                    event.who.extend(claim(Namespace::Email, "", &person.email, role, sure));
                }
                let (sku, name) = self.article();
                event.kind = Kind::PageViewed(View {
                    url: Some(format!("https://shop.example/{}/p/{sku}", person.tongue.lang)),
                    title: Some(name.to_owned()),
                    ..View::default()
                });
                Some(event)
            }
            What::Buys => {
                let after = self.within(1800) + SECOND;
                self.then(after, Step { what: What::Pays, ..step });
                self.order(&person, thing, "placed", "pending", None)
            }
            What::Pays => {
                let after = self.within(48 * 3600) + HOUR;
                self.then(after, Step { what: What::Ships, ..step });
                self.order(&person, thing, "paid", "paid", None)
            }
            What::Ships => self.order(&person, thing, "fulfilled", "paid", Some("success")),
            What::GetsMail | What::Opens => {
                let is_first = matches!(what, What::GetsMail);
                if is_first && self.chance.happens(300) {
                    let after = self.within(24 * 3600) + SECOND;
                    self.then(after, Step { what: What::Opens, ..step });
                }
                let mut event =
                    self.event("mailer", "event", thing, Channel::Email, Direction::Out)?;
                event.conversation = None;
                event.who.extend(claim(Namespace::Email, "", &person.email, Role::To, proved));
                let mail = MailEvent {
                    mail_id: Some(format!("m{thing}@mailer.example")),
                    campaign: Some(format!("news-{}", thing / 50_000)),
                    ..MailEvent::default()
                };
                event.kind =
                    if is_first { Kind::MailDelivered(mail) } else { Kind::MailOpened(mail) };
                Some(event)
            }
        }
    }

    fn order(
        &mut self,
        person: &Person,
        thing: u64,
        what: &str,
        payment: &str,
        fulfilment: Option<&str>,
    ) -> Option<Event> {
        let mut event =
            self.event("shopify", "order", thing, Channel::Commerce, Direction::None)?;
        event.conversation = None;
        event.actor = Actor::of(ActorType::Customer);
        event.name = Some(person.name.clone());
        let role = Role::Subject;
        let sure = Assurance::Authenticated;
        event.who.extend(claim(Namespace::Shop, "shopify:acme", &person.number, role, sure));
        let stated = Assurance::SelfStated;
        event.who.extend(claim(Namespace::Email, "", &person.email, role, stated));
        let id = format!("{}", 100_000 + thing);
        event.who.extend(claim(Namespace::Order, "shopify:acme", &id, role, sure));
        // An order is the same whenever it is looked at.
        let mut its = Chance::of(self.seed, 5, thing);
        let cents = 900 + its.below(40_000);
        let total = format!("{}.{:02}", cents / 100, cents % 100).parse().ok();
        let (sku, name) = article(&mut its);
        let order = Order {
            name: Some(format!("#{id}")),
            order_id: id,
            payment: Some(payment.to_owned()),
            fulfilment: fulfilment.map(str::to_owned),
            currency: "EUR".parse().ok(),
            total,
            lines: vec![Line {
                sku: Some(sku.to_owned()),
                name: name.to_owned(),
                quantity: 1,
                price: total,
            }],
            ..Order::default()
        };
        event.kind = match what {
            "placed" => Kind::OrderPlaced(order.into()),
            "paid" => Kind::OrderPaid(order.into()),
            _ => Kind::OrderFulfilled(order.into()),
        };
        Some(event)
    }

    fn article(&mut self) -> (&'static str, &'static str) {
        article(&mut self.chance)
    }

    /// An event with all that every event has; of a conversation of that number.
    fn event(
        &mut self,
        system: &str,
        object: &str,
        thing: u64,
        channel: Channel,
        direction: Direction,
    ) -> Option<Event> {
        let id = self.fresh().to_string();
        let key = EventKey::new(format!("{system}:acme/{object}/{id}")).ok()?;
        let source = Source {
            system: system.to_owned(),
            instance: "acme".to_owned(),
            object: object.to_owned(),
            id,
        };
        let at = Timestamp::from_micros(self.now).ok()?;
        let mut event =
            Event::new(key, source, Kind::from_json("note", serde_json::Map::new()).ok()?, at);
        event.channel = channel;
        event.direction = direction;
        event.conversation = ConversationKey::new(format!("{system}:acme/case/{thing}"))
            .ok()
            .map(ConversationRef::of);
        Some(event)
    }

    /// What arrives next because it was due: what was late, or what follows from something.
    fn due(&mut self, until: i64) -> Option<Event> {
        loop {
            let late = self.late.first_key_value().map(|(at, _)| *at);
            let next = self.next.first_key_value().map(|(at, _)| *at);
            let at = [late, next].into_iter().flatten().min().filter(|(at, _)| *at <= until)?;
            self.now = self.now.max(at.0);
            if late == Some(at) {
                return self.late.pop_first().map(|(_, event)| event);
            }
            let (_, step) = self.next.pop_first()?;
            if let Some(event) = self.happen(step).and_then(|event| self.on_time(event)) {
                return Some(event);
            }
        }
    }

    /// The event, unless it is one of those that come late.
    fn on_time(&mut self, event: Event) -> Option<Event> {
        if self.chance.happens(5) {
            let at = self.now + HOUR + self.within(48 * 3600);
            let order = self.fresh();
            self.late.insert((at, order), event);
            return None;
        }
        Some(event)
    }
}

impl Iterator for Company {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.chance.happens(10)
            && let Some(again) = self.last.pop_front()
        {
            return Some(again);
        }
        let event = loop {
            // What comes next by itself comes half a minute later, on an average.
            let begins = self.now + self.within(120);
            if let Some(event) = self.due(begins) {
                break event;
            }
            self.now = begins;
            let step = self.beginning();
            if let Some(event) = self.happen(step).and_then(|event| self.on_time(event)) {
                break event;
            }
        };
        if self.last.len() >= 64 {
            self.last.pop_front();
        }
        self.last.push_back(event.clone());
        Some(event)
    }
}

impl Medium {
    fn place(self) -> (&'static str, Channel) {
        match self {
            Self::Mail => ("mail", Channel::Email),
            Self::Chat => ("chatwoot", Channel::Chat),
            Self::Whatsapp => ("whatsapp", Channel::Whatsapp),
        }
    }

    fn claim(self, person: &Person, role: Role) -> Vec<Claim> {
        let proved = Assurance::ChannelProved;
        let found = match self {
            Self::Mail => claim(Namespace::Email, "", &person.email, role, proved),
            Self::Whatsapp => {
                let digits = person.phone.trim_start_matches('+');
                claim(Namespace::WaId, "", digits, role, proved)
            }
            Self::Chat => {
                let cookie = claim(Namespace::Cookie, "", &person.cookie, role, proved);
                let stated = Assurance::SelfStated;
                let email = claim(Namespace::Email, "", &person.email, role, stated);
                return cookie.into_iter().chain(email).collect();
            }
        };
        found.into_iter().collect()
    }

    fn message(self, subject: Option<&str>) -> Kind {
        let subject = subject.filter(|_| matches!(self, Self::Mail)).map(str::to_owned);
        Kind::Message(Message { subject, ..Message::default() })
    }
}

/// `None` where the value is no identifier, which none of the company's is.
fn claim(ns: Namespace, scope: &str, value: &str, role: Role, how: Assurance) -> Option<Claim> {
    Claim::scoped(ns, scope, value, role, how).ok()
}

fn phone(tongue: &Tongue, seed: u64, person: u64) -> String {
    let digits = Chance::of(seed, 3, person).below(10_u64.pow(tongue.digits));
    let width = usize::try_from(tongue.digits).unwrap_or(8);
    format!("{}{digits:0width$}", tongue.mobile)
}

fn article(chance: &mut Chance) -> (&'static str, &'static str) {
    let n = u64::try_from(ARTICLES.len()).unwrap_or(1);
    let position = usize::try_from(chance.below(n)).unwrap_or(0);
    ARTICLES.get(position).copied().unwrap_or(("RJ-1", "Rain jacket"))
}

/// A name as it stands in an address.
fn ascii(name: &str) -> String {
    let plain = deunicode::deunicode(name).to_lowercase();
    plain.chars().filter(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn lines(seed: u64, n: usize) -> Vec<String> {
        Company::of_events(seed, 20_000)
            .take(n)
            .map(|event| serde_json::to_string(&event).unwrap())
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_one_others() {
        assert_eq!(lines(1, 500), lines(1, 500));
        assert_ne!(lines(1, 500), lines(2, 500));
    }

    #[test]
    fn every_line_reads_back_as_the_event_it_was() {
        for event in Company::of_events(3, 20_000).take(5_000) {
            let line = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
        }
    }

    #[test]
    fn one_in_a_hundred_comes_twice_and_one_in_two_hundred_late() {
        let mut seen = BTreeSet::new();
        let (mut twice, mut late, mut latest) = (0, 0, START);
        for event in Company::of_events(4, 20_000).take(20_000) {
            let at = event.occurred_at.as_micros();
            if !seen.insert(event.key.clone()) {
                twice += 1;
            } else if at + HOUR <= latest {
                late += 1;
            }
            latest = latest.max(at);
        }
        assert!((160..=240).contains(&twice), "{twice} of 20,000 twice");
        assert!((60..=140).contains(&late), "{late} of 20,000 late");
    }

    #[test]
    fn what_waits_to_happen_does_not_grow_with_the_number_of_events() {
        let mut company = Company::new(5, 2_000);
        for _ in company.by_ref().take(20_000) {}
        let early = company.next.len() + company.late.len();
        for _ in company.by_ref().take(60_000) {}
        let later = company.next.len() + company.late.len();
        assert!(later < early * 2, "{early} and then {later} things to come");
    }

    #[test]
    fn some_people_are_heard_of_far_more_often_than_most() {
        let mut times = vec![0_u32; 1000];
        let mut chance = Chance::seeded(6);
        for _ in 0..100_000 {
            times[usize::try_from(chance.rank(1000)).unwrap()] += 1;
        }
        // The first is heard of 100 ^ 0.8 = 39.8 times as often as the hundredth.
        let hundredth: u32 = times[90..110].iter().sum::<u32>() / 20;
        assert!((25..60).contains(&(times[0] / hundredth)), "{} to {hundredth}", times[0]);
        assert!(times.iter().all(|n| *n > 0));
    }
}
