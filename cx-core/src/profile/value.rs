//! Values: all that was said of a person, attribute by attribute, with who said it and when.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use super::survivorship::{Habit, Nature, Rank, Survivorship, Weight, priority};
use crate::event::identity::Address;
use crate::event::{Event, Kind};
use crate::identifier::Assurance;
use crate::identity::PersonName;
use crate::ids::EventKey;
use crate::text;
use crate::time::Timestamp;

/// What a value is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Attribute {
    /// The whole name.
    Name,
    /// The given name.
    GivenName,
    /// The family name.
    FamilyName,
    /// The language, as a BCP 47 tag.
    Language,
    /// The time zone, as an IANA name.
    Timezone,
    /// The company.
    Company,
    /// The date of birth.
    BirthDate,
    /// The postal address.
    Address,
    /// A field that has no place of its own.
    Field(String),
}

impl Attribute {
    /// The name as it stands in JSON: `birth_date`; `fields.tier` for the field `tier`.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Name => "name".into(),
            Self::GivenName => "given_name".into(),
            Self::FamilyName => "family_name".into(),
            Self::Language => "language".into(),
            Self::Timezone => "timezone".into(),
            Self::Company => "company".into(),
            Self::BirthDate => "birth_date".into(),
            Self::Address => "address".into(),
            Self::Field(name) => format!("fields.{name}").into(),
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// A company: its id at the source, its name, or both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Company {
    /// Its id at the source.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Deliberately nothing: the customer asked us to delete it.
    Blank,
    /// A text.
    Text(String),
    /// A company.
    Company(Company),
    /// A postal address.
    Address(Address),
    /// Whatever a field of no place of its own holds.
    Json(serde_json::Value),
}

/// A value with where it came from.
///
/// Spellings that are compared alike (case, width, white space; for names also accents, titles and
/// middle names) are one value, shown as its best telling wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// What was said, as the best telling wrote it.
    pub content: Content,
    /// The source of the best telling: `zendesk:acme`.
    pub source: String,
    /// The event of the best telling.
    pub event: EventKey,
    /// How well that event is proved to be about the person.
    pub assurance: Assurance,
    /// When that was said.
    pub at: Timestamp,
    /// Whether a steward has pinned it.
    pub pinned: bool,
    /// Every source that said it, sorted.
    pub sources: Vec<String>,
    /// When it was first said.
    pub first_seen: Timestamp,
    /// When it was last said.
    pub last_seen: Timestamp,
    /// On how many distinct days (UTC).
    pub n_days: u64,
    /// On how many events.
    pub n_events: u64,
}

/// The value that counts, and those that lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The winner.
    pub value: Value,
    /// The others, best first.
    pub others: Vec<Value>,
}

/// Something told that competes with nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told<T> {
    /// What was told.
    pub value: T,
    /// The source: `zendesk:acme`.
    pub source: String,
    /// When.
    pub at: Timestamp,
}

/// What is known of a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// What was said, by attribute.
    pub values: BTreeMap<Attribute, Known>,
    /// Tags and segments of all sources, sorted.
    pub tags: Vec<String>,
    /// Notes that colleagues should see first, oldest first, each text once.
    pub notes: Vec<Told<String>>,
    /// The latest word on whether a source blocks the person.
    pub blocked: Option<Told<bool>>,
}

impl Profile {
    /// The text that counts for an attribute; `None` where nothing is known, where it is
    /// deliberately blank, or where it is no text.
    pub fn text(&self, attribute: &Attribute) -> Option<&str> {
        match &self.values.get(attribute)?.value.content {
            Content::Text(text) => Some(text),
            Content::Blank | Content::Company(_) | Content::Address(_) | Content::Json(_) => None,
        }
    }

    /// The company that counts.
    pub fn company(&self) -> Option<&Company> {
        match &self.values.get(&Attribute::Company)?.value.content {
            Content::Company(company) => Some(company),
            Content::Blank | Content::Text(_) | Content::Address(_) | Content::Json(_) => None,
        }
    }
}

/// An attribute, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum About<'a> {
    Name,
    GivenName,
    FamilyName,
    Language,
    Timezone,
    Company,
    BirthDate,
    Address,
    Field(&'a str),
}

impl<'a> About<'a> {
    fn of_name(name: &'a str) -> Self {
        match name {
            "name" => Self::Name,
            "given_name" => Self::GivenName,
            "family_name" => Self::FamilyName,
            "language" => Self::Language,
            "timezone" => Self::Timezone,
            "company" => Self::Company,
            "birth_date" => Self::BirthDate,
            "address" => Self::Address,
            field => Self::Field(field.strip_prefix("fields.").unwrap_or(field)),
        }
    }

    fn attribute(self) -> Attribute {
        match self {
            Self::Name => Attribute::Name,
            Self::GivenName => Attribute::GivenName,
            Self::FamilyName => Attribute::FamilyName,
            Self::Language => Attribute::Language,
            Self::Timezone => Attribute::Timezone,
            Self::Company => Attribute::Company,
            Self::BirthDate => Attribute::BirthDate,
            Self::Address => Attribute::Address,
            Self::Field(name) => Attribute::Field(name.to_owned()),
        }
    }
}

/// What was said, borrowed from the event that says it.
#[derive(Debug, Clone)]
enum Words<'a> {
    Blank,
    Text(Cow<'a, str>),
    Company { id: Option<&'a str>, name: Option<&'a str> },
    Address(&'a Address),
    Json(&'a serde_json::Value),
}

impl Words<'_> {
    fn content(&self) -> Content {
        match self {
            Self::Blank => Content::Blank,
            Self::Text(text) => Content::Text(text.clone().into_owned()),
            Self::Company { id, name } => Content::Company(Company {
                id: id.map(str::to_owned),
                name: name.map(str::to_owned),
            }),
            Self::Address(address) => Content::Address((*address).clone()),
            Self::Json(json) => Content::Json((*json).clone()),
        }
    }

    /// How many words it has.
    fn count(&self) -> usize {
        match self {
            Self::Text(text) => text.split_whitespace().count(),
            Self::Blank | Self::Company { .. } | Self::Address(_) | Self::Json(_) => 0,
        }
    }

    /// What it looks like, to choose between spellings that weigh the same.
    fn spelling(&self) -> Cow<'_, str> {
        match self {
            Self::Blank => Cow::from(""),
            Self::Text(text) => Cow::from(&**text),
            Self::Company { id, name } => {
                Cow::from(format!("{}\n{}", name.unwrap_or_default(), id.unwrap_or_default()))
            }
            Self::Address(address) => Cow::from(serde_json::to_string(address).unwrap_or_default()),
            Self::Json(json) => Cow::from(json.to_string()),
        }
    }
}

/// One telling of a value.
#[derive(Debug, Clone)]
struct Telling<'a> {
    words: Words<'a>,
    event: &'a Event,
    assurance: Assurance,
    pinned: bool,
}

/// All tellings of one value.
#[derive(Debug, Clone)]
struct Group<'a> {
    about: About<'a>,
    form: String,
    nature: Nature,
    tellings: Vec<Telling<'a>>,
}

/// Gathers all that was said of a person: any order, any repetition and any batching of the same
/// events give the same profile. Texts are borrowed until the end.
///
/// ```
/// # use cx_core::event::Event;
/// # use cx_core::profile::{Attribute, ProfileFold, Survivorship};
/// let said = |key: &str, at: &str, language: &str| -> Event {
///     serde_json::from_value(serde_json::json!({
///         "key": key, "source": {"system": "shop"}, "kind": "profile.updated", "occurred_at": at,
///         "who": [{"ns": "email", "value": "jan@example.nl"}], "data": {"language": language},
///     })).unwrap()
/// };
/// let events = [said("1", "2026-03-01T08:00:00Z", "en"), said("2", "2026-03-02T08:00:00Z", "nl")];
/// let mut fold = ProfileFold::default();
/// events.iter().for_each(|event| fold.push(event));
/// let profile = fold.finish(&Survivorship::none());
/// assert_eq!(profile.text(&Attribute::Language), Some("nl"));
/// assert_eq!(profile.values[&Attribute::Language].others.len(), 1);
/// ```
#[derive(Debug, Clone, Default)]
pub struct ProfileFold<'a> {
    groups: Vec<Group<'a>>,
    /// The group of a text as it was written: most events carry the name as the one before.
    by_writing: HashMap<(About<'a>, &'a str), Option<usize>>,
    by_form: BTreeMap<(About<'a>, String), usize>,
    tags: BTreeSet<&'a str>,
    notes: BTreeSet<(Timestamp, &'a EventKey, &'a str, Cow<'a, str>)>,
    blocked: Option<(Timestamp, bool, Reverse<&'a EventKey>, String)>,
}

impl<'a> ProfileFold<'a> {
    /// Takes an event, in any order, as often as it comes.
    pub fn push(&mut self, event: &'a Event) {
        let profile = match &event.kind {
            Kind::ProfileUpdated(profile) => Some(profile),
            _ if event.name.is_none() => return,
            _ => None,
        };
        let claims = event.person_claims();
        let proofs = claims.iter().filter(|claim| !claim.on_behalf_of).map(|claim| claim.assurance);
        let assurance = proofs.max().unwrap_or(Assurance::Inferred);
        let pinned = profile.is_some_and(|profile| profile.pinned) && event.actor.kind.is_agent();
        let telling = |words| Telling { words, event, assurance, pinned };
        if let Some(name) = &event.name
            && !claims.is_empty()
        {
            self.text(About::Name, name, telling(Words::Text(Cow::from(name))));
        }
        let Some(profile) = profile else { return };
        if event.name.is_none() {
            let parts = [profile.given_name.as_deref(), profile.family_name.as_deref()];
            if let Some(name) = &profile.name {
                self.text(About::Name, name, telling(Words::Text(Cow::from(name))));
            } else if parts.iter().any(Option::is_some) {
                let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
                let (form, nature) = name_form(&name);
                self.group(About::Name, form, nature, telling(Words::Text(Cow::from(name))));
            }
        }
        for (about, text) in [
            (About::GivenName, &profile.given_name),
            (About::FamilyName, &profile.family_name),
            (About::Language, &profile.language),
            (About::Timezone, &profile.timezone),
            (About::BirthDate, &profile.birth_date),
        ] {
            if let Some(text) = text {
                self.text(about, text, telling(Words::Text(Cow::from(text))));
            }
        }
        let (id, name) = (profile.company_id.as_deref(), profile.company.as_deref());
        let form = match (name, id) {
            (Some(name), _) if !text::is_placeholder(name) => Some(text::folded(name)),
            (_, Some(id)) => Some(format!("{}\u{0}{id}", event.source.scope())),
            (_, None) => None,
        };
        if form.is_some() {
            let words = Words::Company { id, name };
            self.group(About::Company, form, Nature::Value, telling(words));
        }
        if let Some(address) = &profile.address {
            let form = Some(text::folded(&address.line()));
            self.group(About::Address, form, Nature::Value, telling(Words::Address(address)));
        }
        for field in &profile.fields {
            let about = About::Field(&field.name);
            if field.value.is_null() {
                self.blank(about, telling(Words::Blank));
            } else {
                let form = Some(field.value.to_string()).filter(|form| form != "\"\"");
                self.group(about, form, Nature::Value, telling(Words::Json(&field.value)));
            }
        }
        for name in &profile.blanks {
            self.blank(About::of_name(name), telling(Words::Blank));
        }
        self.tags.extend(profile.tags.iter().map(String::as_str));
        for note in &profile.notes {
            let scope = Cow::from(event.source.scope());
            self.notes.insert((event.occurred_at, &event.key, note, scope));
        }
        if let Some(blocked) = profile.blocked {
            let (at, key) = (event.occurred_at, Reverse(&event.key));
            self.blocked = self.blocked.take().max(Some((at, blocked, key, event.source.scope())));
        }
    }

    /// Takes all that another fold has taken: the same as one fold over both.
    pub fn absorb(&mut self, other: Self) {
        for group in other.groups {
            for telling in group.tellings {
                self.group(group.about, Some(group.form.clone()), group.nature, telling);
            }
        }
        self.tags.extend(other.tags);
        self.notes.extend(other.notes);
        self.blocked = self.blocked.take().max(other.blocked);
    }

    /// A text, whose form is made once for each way of writing it.
    fn text(&mut self, about: About<'a>, written: &'a str, telling: Telling<'a>) {
        if let Some(known) = self.by_writing.get(&(about, written)) {
            if let Some(group) = known.and_then(|at| self.groups.get_mut(at)) {
                group.tellings.push(telling);
            }
            return;
        }
        let (form, nature) = if about == About::Name {
            name_form(written)
        } else {
            let form = (!text::is_placeholder(written)).then(|| text::folded(written));
            (form, Nature::Value)
        };
        let group = self.group(about, form, nature, telling);
        self.by_writing.insert((about, written), group);
    }

    fn blank(&mut self, about: About<'a>, telling: Telling<'a>) {
        // No other value has an empty form.
        let form = (about, String::new());
        let at = *self.by_form.entry(form).or_insert(self.groups.len());
        self.put(at, about, String::new(), Nature::Value, telling);
    }

    /// Puts a telling to its value; an empty form says nothing.
    fn group(
        &mut self,
        about: About<'a>,
        form: Option<String>,
        nature: Nature,
        telling: Telling<'a>,
    ) -> Option<usize> {
        if matches!(telling.words, Words::Blank) {
            self.blank(about, telling);
            return None;
        }
        let form = form.filter(|form| !form.is_empty())?;
        let at = *self.by_form.entry((about, form.clone())).or_insert(self.groups.len());
        self.put(at, about, form, nature, telling);
        Some(at)
    }

    fn put(
        &mut self,
        at: usize,
        about: About<'a>,
        form: String,
        nature: Nature,
        telling: Telling<'a>,
    ) {
        match self.groups.get_mut(at) {
            Some(group) => group.tellings.push(telling),
            None => self.groups.push(Group { about, form, nature, tellings: vec![telling] }),
        }
    }

    /// What is known, under these rules. O(n log n) for n tellings.
    #[must_use]
    pub fn finish(self, rules: &Survivorship) -> Profile {
        let mut groups = self.groups;
        let blanks = groups.iter().filter(|group| group.about == About::Name);
        let blanked_at = blanks
            .filter(|group| group.form.is_empty())
            .flat_map(|group| &group.tellings)
            .map(|telling| telling.event.occurred_at)
            .max();
        let mut ranked: BTreeMap<About<'_>, Vec<(Rank<'_>, Value)>> = BTreeMap::new();
        groups.iter_mut().for_each(Group::settle);
        for group in &groups {
            let listed = rules.of(&group.about.attribute());
            let Some((telling, value)) = group.value(listed, blanked_at) else { continue };
            let rank = Rank { telling, n_days: value.n_days, form: Reverse(&group.form) };
            ranked.entry(group.about).or_default().push((rank, value));
        }
        let mut values = BTreeMap::new();
        for (about, mut ranked) in ranked {
            ranked.sort_by(|a, b| b.0.cmp(&a.0));
            let mut best_first = ranked.into_iter().map(|(_, value)| value);
            if let Some(value) = best_first.next() {
                values.insert(about.attribute(), Known { value, others: best_first.collect() });
            }
        }
        let mut notes: Vec<Told<String>> = Vec::new();
        let mut texts: BTreeSet<&str> = BTreeSet::new();
        for (at, _, note, source) in self.notes {
            if texts.insert(note) {
                notes.push(Told { value: note.to_owned(), source: source.into_owned(), at });
            }
        }
        let blocked = self.blocked.map(|(at, value, _, source)| Told { value, source, at });
        let tags = self.tags.into_iter().map(str::to_owned).collect();
        Profile { values, tags, notes, blocked }
    }
}

/// The form in which names are compared, and whether it is a person's. `None` where it says
/// nothing: a placeholder, an address.
fn name_form(written: &str) -> (Option<String>, Nature) {
    if let Some(name) = PersonName::parse(written) {
        return (Some(name.key()), Nature::Value);
    }
    let is_something = !text::is_placeholder(written) && !written.contains('@');
    // The mark keeps it apart from the name that has the same letters.
    (is_something.then(|| format!("\u{0}{}", text::folded(written))), Nature::NoName)
}

impl Group<'_> {
    /// Brings the tellings in order of time, each event once.
    fn settle(&mut self) {
        self.tellings.sort_by(|a, b| {
            let strength = |telling: &Telling<'_>| (telling.pinned, telling.assurance);
            a.place()
                .cmp(&b.place())
                .then_with(|| strength(b).cmp(&strength(a)))
                .then_with(|| a.words.spelling().cmp(&b.words.spelling()))
        });
        self.tellings.dedup_by(|a, b| a.place() == b.place());
    }

    /// The value, and the place that its best telling gives it.
    fn value(&self, listed: &[String], blanked_at: Option<Timestamp>) -> Option<(Weight, Value)> {
        let habit_days = match (self.about, blanked_at) {
            (About::Name, Some(_)) if self.form.is_empty() => 1,
            (About::Name, Some(blank)) => {
                n_days(self.tellings.iter().filter(|it| it.event.occurred_at > blank))
            }
            (About::Name, None) => n_days(self.tellings.iter()),
            _ => 0,
        };
        let weight = |telling: &Telling<'_>| Weight {
            pinned: telling.pinned,
            nature: self.nature,
            priority: priority(listed, &telling.event.source),
            assurance: telling.assurance,
            habit: if self.about == About::Name && !telling.pinned {
                Habit { n_days: habit_days, n_words: telling.words.count() }
            } else {
                Habit::default()
            },
            at: telling.event.occurred_at,
        };
        let weighed = self.tellings.iter().map(|telling| (weight(telling), telling));
        let (weight, best) = weighed.max_by(|(a, one), (b, other)| {
            a.cmp(b)
                .then_with(|| other.event.key.cmp(&one.event.key))
                .then_with(|| other.words.spelling().cmp(&one.words.spelling()))
        })?;
        let sources: BTreeSet<(&str, &str)> = self
            .tellings
            .iter()
            .map(|telling| &telling.event.source)
            .map(|source| (source.system.as_str(), source.instance.as_str()))
            .collect();
        let mut sources: Vec<String> = sources
            .into_iter()
            .map(|(system, instance)| {
                if instance.is_empty() { system.to_owned() } else { format!("{system}:{instance}") }
            })
            .collect();
        sources.sort();
        let seen_at = |telling: Option<&Telling<'_>>| telling.map(|it| it.event.occurred_at);
        let value = Value {
            content: best.words.content(),
            source: best.event.source.scope(),
            event: best.event.key.clone(),
            assurance: best.assurance,
            at: best.event.occurred_at,
            pinned: best.pinned,
            sources,
            first_seen: seen_at(self.tellings.first())?,
            last_seen: seen_at(self.tellings.last())?,
            n_days: n_days(self.tellings.iter()),
            n_events: u64::try_from(self.tellings.len()).unwrap_or(u64::MAX),
        };
        Some((weight, value))
    }
}

impl<'a> Telling<'a> {
    fn place(&self) -> (Timestamp, &'a EventKey) {
        (self.event.occurred_at, &self.event.key)
    }
}

/// On how many distinct days (UTC), of tellings in order of time.
fn n_days<'b>(tellings: impl Iterator<Item = &'b Telling<'b>>) -> u64 {
    let (mut n, mut last) = (0, None);
    for day in tellings.map(|telling| telling.event.occurred_at.utc_day()) {
        n += u64::from(last != Some(day));
        last = Some(day);
    }
    n
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn event(n: u8, day: u8, more: &Json) -> Event {
        let mut event = json!({
            "key": format!("e{n}"), "source": {"system": "shop"}, "kind": "profile.updated",
            "who": [{"ns": "email", "value": "jan@example.nl"}],
            "occurred_at": format!("2026-03-{day:02}T08:00:00Z"),
        });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(event).unwrap()
    }

    fn known(events: &[Event]) -> Profile {
        let mut fold = ProfileFold::default();
        for event in events {
            fold.push(event);
        }
        fold.finish(&Survivorship::none())
    }

    fn named(n: u8, day: u8, name: &str) -> Event {
        event(n, day, &json!({"kind": "message", "name": name}))
    }

    fn name(events: &[Event]) -> Option<String> {
        known(events).text(&Attribute::Name).map(str::to_owned)
    }

    #[test]
    fn the_name_that_is_written_on_most_days_counts_and_of_its_spellings_the_fullest() {
        let events = [
            named(1, 1, "Jan de Vries"),
            named(2, 2, "Jan Vries"),
            named(3, 3, "Johan"),
            named(4, 3, "Johan"),
            named(5, 3, "Johan"),
        ];
        assert_eq!(name(&events).as_deref(), Some("Jan de Vries"));
        let known = known(&events);
        let value = &known.values[&Attribute::Name];
        assert_eq!((value.value.n_days, value.value.n_events), (2, 2));
        assert_eq!(value.others[0].content, Content::Text("Johan".to_owned()));
    }

    #[test]
    fn a_placeholder_is_no_name_and_a_made_up_one_only_better_than_none() {
        assert_eq!(name(&[named(1, 1, "null"), named(2, 2, "jan@example.nl")]), None);
        assert_eq!(name(&[named(1, 1, "Visitor")]).as_deref(), Some("Visitor"));
        let events = [named(1, 1, "Jan"), named(2, 2, "Visitor"), named(3, 3, "Visitor")];
        assert_eq!(name(&events).as_deref(), Some("Jan"));
    }

    #[test]
    fn given_and_family_name_make_a_name_where_none_is_written() {
        let data = json!({"given_name": "Jan", "family_name": "de Vries"});
        let known = known(&[event(1, 1, &json!({"data": data}))]);
        assert_eq!(known.text(&Attribute::Name), Some("Jan de Vries"));
        assert_eq!(known.text(&Attribute::FamilyName), Some("de Vries"));
    }

    #[test]
    fn a_name_that_was_deleted_comes_back_only_when_it_is_written_again() {
        let blank = event(9, 5, &json!({"data": {"blanks": ["name"]}}));
        let mut events = vec![named(1, 1, "Jan"), named(2, 2, "Jan"), named(3, 3, "Jan"), blank];
        assert_eq!(name(&events), None);
        let profile = known(&events);
        let value = &profile.values[&Attribute::Name];
        assert_eq!((&value.value.content, value.others.len()), (&Content::Blank, 1));
        events.push(named(4, 6, "Jan"));
        assert_eq!(name(&events).as_deref(), Some("Jan"));
    }

    #[test]
    fn what_an_agent_pins_wins_until_pinned_anew_and_nobody_else_can_pin() {
        let told = |n, day, language: &str, pinned: bool, actor: &str| {
            let data = json!({"language": language, "pinned": pinned});
            event(n, day, &json!({"actor": {"type": actor}, "data": data}))
        };
        let language =
            |events: &[Event]| known(events).text(&Attribute::Language).map(str::to_owned);
        let mut events = vec![told(1, 1, "nl", true, "agent"), told(2, 2, "en", true, "system")];
        assert_eq!(language(&events).as_deref(), Some("nl"));
        events.push(told(3, 3, "fr", true, "agent"));
        assert_eq!(language(&events).as_deref(), Some("fr"));
    }

    #[test]
    fn a_null_field_is_a_blank_and_an_empty_text_says_nothing() {
        let field = |n, day, value: &Json| {
            event(n, day, &json!({"data": {"fields": [{"name": "tier", "value": value}]}}))
        };
        let tier = Attribute::Field("tier".to_owned());
        let content = |events: &[Event]| known(events).values[&tier].value.content.clone();
        let gold = field(1, 1, &json!("gold"));
        assert_eq!(content(&[gold.clone(), field(2, 2, &json!(""))]), Content::Json(json!("gold")));
        assert_eq!(content(&[gold, field(2, 2, &Json::Null)]), Content::Blank);
    }

    #[test]
    fn an_address_comes_back_as_it_came_in_parts_or_as_a_whole() {
        for address in [
            json!("Kerkstraat 1, Utrecht"),
            json!({"street": "Kerkstraat 1", "postcode": "3511 AA", "floor": 3}),
        ] {
            let event = event(1, 1, &json!({"data": {"address": address}}));
            assert_eq!(event.kind.to_json()["address"], address);
            let known = known(&[event]);
            assert!(known.values.contains_key(&Attribute::Address));
        }
    }
}
