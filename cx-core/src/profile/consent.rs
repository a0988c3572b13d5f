//! Consent: what somebody agreed to, for each contact point, purpose and channel.
//!
//! A *contact point* is an address at which somebody can be reached. What was said counts so:
//!
//! - **For one contact point the latest explicit word wins**; a yes and a no at the same instant
//!   are a no. `unknown` is no word: it takes nothing back. People may opt in again, so a later yes
//!   lifts a no, unless it is a *stranger's*: an event whose name disagrees with that of the no, or
//!   that only states a contact point which the no had proved. Households and forms in which
//!   anybody can type anybody's address therefore lift nothing.
//! - A no on a contact point counts for whoever is reached there, whoever said it: a housemate, or
//!   nobody, as where a mail program reports an unsubscription of an address that two share.
//! - A word about no channel is about every channel of the contact point; one about no list is about
//!   every list. A no for no purpose is a no to every purpose; a yes for no purpose only lifts such
//!   a no.
//! - A yes is about the first contact point of its kind that the event names; a no about all of them.
//! - What is about the person and not about a contact point is **customer-wide**: the purposes
//!   `profiling` and `sharing`, and every word whose event names no contact point that fits the
//!   channel. It is answered for each *member* (the events that hang together by proved
//!   identifiers which no two disagreeing names use), by the rule above, and then the narrowest
//!   holds: deny before unknown before allow. A member that says nothing is unknown.
//! - A customer-wide no narrows every contact point. A customer-wide yes widens none.
//! - Where it is asked without a list, the narrowest of what is known of any list holds.
//! - An unsubscription, a complaint of spam or a new subscription that a mail program reports counts
//!   as a word on `marketing` by `email`, unless a `consent.changed` of the same source, instant and
//!   contact point, which proves it no less, says the same.
//!
//! So merging customers never turns unknown or deny into allow (P13). Customers of whom each has
//! contact points and identifiers of its own answer after a merge for each contact point no wider
//! than before, and customer-wide with the narrower of both. A contact point that both hold is
//! answered by the latest word on it, and by the narrower where their names disagree. After an
//! unmerge each side has its own again, since nothing is stored.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::member::{Member, Members};
use crate::event::identity::ConsentState;
use crate::event::{Event, Kind};
use crate::identifier::{Claim, Identifier, Namespace};
use crate::identity::PersonName;
use crate::text;
use crate::time::Timestamp;

/// Purposes that are about the person, whatever contact point an event names.
const CUSTOMER_WIDE: &[&str] = &["profiling", "sharing"];

/// How it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Basis {
    /// What somebody did says so: they unsubscribed, or called a mail spam.
    Observed,
    /// A source says so.
    Stated,
}

/// What is asked: may this be done?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<'q> {
    /// The contact point; `None` for the person as such.
    pub contact_point: Option<&'q Identifier>,
    /// For what: `marketing`.
    pub purpose: &'q str,
    /// On which channel: `email`; `None` for what was said of no channel in particular.
    pub channel: Option<&'q str>,
}

/// What holds for a contact point, a purpose, a channel and a list, and which word says so.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruling<'a> {
    /// The contact point; `None` where it holds for the customer as such.
    pub contact_point: Option<&'a Identifier>,
    /// For what, folded; `None` for every purpose.
    pub purpose: Option<String>,
    /// On which channel, folded, by its one name; `None` for every channel.
    pub channel: Option<String>,
    /// The list; `None` for every list.
    pub list: Option<&'a str>,
    /// What holds.
    pub state: ConsentState,
    /// How it is known.
    pub basis: Basis,
    /// What exactly was agreed to.
    pub wording: Option<&'a str>,
    /// The event that decides; its instant and source are those of the ruling. Of an unknown that
    /// comes from a silent member it is the latest word of another one.
    pub event: &'a Event,
}

/// One word on a consent.
#[derive(Debug, Clone)]
struct Statement<'a> {
    point: Option<&'a Identifier>,
    subject: Subject<'a>,
    state: ConsentState,
    basis: Basis,
    is_proved: bool,
    name: Option<PersonName>,
    wording: Option<&'a str>,
    event: &'a Event,
}

/// What a word is about, contact points aside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Subject<'a> {
    purpose: Option<String>,
    channel: Option<String>,
    list: Option<&'a str>,
}

impl Subject<'_> {
    /// What the programs that send campaigns report on.
    fn marketing() -> Self {
        let (purpose, channel) = ("marketing".to_owned(), "email".to_owned());
        Self { purpose: Some(purpose), channel: Some(channel), list: None }
    }

    /// Whether a word on `self` is also one on `other`.
    fn covers(&self, other: &Self, state: ConsentState) -> bool {
        let purpose = match (&self.purpose, &other.purpose) {
            (None, Some(_)) => state == ConsentState::Denied,
            (mine, theirs) => mine == theirs,
        };
        purpose && self.reaches(other)
    }

    /// Whether a yes on `self` can lift a no on `other`: one for no purpose in particular can.
    fn relieves(&self, other: &Self) -> bool {
        (self.purpose.is_none() || self.purpose == other.purpose) && self.reaches(other)
    }

    fn reaches(&self, other: &Self) -> bool {
        (self.channel.is_none() || self.channel == other.channel)
            && (self.list.is_none() || self.list == other.list)
    }
}

impl Statement<'_> {
    /// Whether this yes lifts that no.
    fn lifts(&self, no: &Self) -> bool {
        let is_later = self.event.occurred_at > no.event.occurred_at;
        let is_stranger = match (&self.name, &no.name) {
            (Some(name), Some(other)) => !name.agrees(other),
            (None, _) | (_, None) => false,
        };
        is_later && !is_stranger && (self.is_proved || !no.is_proved)
    }

    fn order(&self) -> (Timestamp, Basis, std::cmp::Reverse<&crate::ids::EventKey>) {
        (self.event.occurred_at, self.basis, std::cmp::Reverse(&self.event.key))
    }
}

/// Gathers what was said of consents, in any order and as often as it comes.
#[derive(Debug, Clone, Default)]
pub struct ConsentFold<'a> {
    statements: Vec<Statement<'a>>,
    events: Vec<&'a Event>,
    /// Names as they were written, each read once.
    names: HashMap<&'a str, Option<PersonName>>,
}

impl<'a> ConsentFold<'a> {
    /// Takes an event. All of a customer's events belong here, also those that say nothing of
    /// consents: they tell which of the customer's parts are silent.
    pub fn push(&mut self, event: &'a Event) {
        self.events.push(event);
        let said = self.statements_of(event);
        self.statements.extend(said);
    }

    /// Takes an event of somebody else, or of nobody: a no on one of these contact points counts for
    /// the contact point, whoever said it. It says nothing of the customer besides.
    pub fn push_other(&mut self, event: &'a Event, points: &BTreeSet<&Identifier>) {
        let said = self.statements_of(event).into_iter().filter(|it| {
            it.state == ConsentState::Denied && it.point.is_some_and(|point| points.contains(point))
        });
        self.statements.extend(said);
    }

    fn statements_of(&mut self, event: &'a Event) -> Vec<Statement<'a>> {
        let marketing = |state| (Subject::marketing(), state, Basis::Observed, None);
        let (subject, state, basis, wording) = match &event.kind {
            Kind::MailUnsubscribed(_) | Kind::MailComplained(_) => marketing(ConsentState::Denied),
            Kind::MailResubscribed(_) => marketing(ConsentState::Granted),
            Kind::ConsentChanged(told) => {
                let folded = |word: &Option<String>| {
                    word.as_deref().map(text::folded).filter(|word| !word.is_empty())
                };
                let subject = Subject {
                    purpose: folded(&told.purpose),
                    channel: folded(&told.on).map(channel),
                    list: told.list.as_deref(),
                };
                (subject, told.state, Basis::Stated, told.wording.as_deref())
            }
            _ => return Vec::new(),
        };
        let name = event.name.as_deref().and_then(|written| {
            self.names.entry(written).or_insert_with(|| PersonName::parse(written)).clone()
        });
        let about = points(event, &subject, state);
        let statement = |point: Option<&'a Claim>| Statement {
            point: point.map(Claim::identifier),
            subject: subject.clone(),
            state,
            basis,
            is_proved: point.is_some_and(|claim| claim.assurance.is_proved()),
            name: name.clone(),
            wording,
            event,
        };
        if about.is_empty() {
            return vec![statement(None)];
        }
        about.into_iter().map(|claim| statement(Some(claim))).collect()
    }

    /// What holds. O(n log n) for n events; [`Consents::rulings`] then reads the words on a contact
    /// point once for each purpose, channel and list that was named for it.
    pub fn finish(self) -> Consents<'a> {
        let place = |it: &Statement<'a>, is_proved: bool| {
            let event = it.event;
            let source = event.source.scope();
            (it.point, is_proved, it.state, event.occurred_at, source, event.name.as_deref())
        };
        let marketing = Subject::marketing();
        let has_observed = self.statements.iter().any(|it| it.basis == Basis::Observed);
        let told: BTreeSet<_> = self
            .statements
            .iter()
            .filter(|_| has_observed)
            .filter(|it| it.basis == Basis::Stated && it.point.is_some())
            .filter(|it| Subject { list: None, ..it.subject.clone() }.covers(&marketing, it.state))
            .map(|it| place(it, it.is_proved))
            .collect();
        // One that proves less does not take the place of what was observed: it is lifted sooner.
        let is_told = |it: &Statement<'a>| {
            told.contains(&place(it, true)) || !it.is_proved && told.contains(&place(it, false))
        };
        let mut consents = Consents::default();
        let mut by_point: BTreeMap<Option<&Identifier>, Vec<Statement<'_>>> = BTreeMap::new();
        let needs_members =
            |it: &Statement<'_>| it.point.is_none() && it.state == ConsentState::Granted;
        if self.statements.iter().any(needs_members) {
            consents.members = Members::among(&self.events);
        }
        for statement in self.statements {
            if statement.basis == Basis::Stated || !is_told(&statement) {
                by_point.entry(statement.point).or_default().push(statement);
            }
        }
        consents.statements = by_point.into_iter().collect();
        consents
    }
}

/// The one name of a channel, folded, that sources call in several ways.
fn channel(word: String) -> String {
    match word.as_str() {
        "e-mail" | "mail" => "email".to_owned(),
        "tel" | "telephone" => "phone".to_owned(),
        "text" => "sms".to_owned(),
        _ => word,
    }
}

/// The contact points that a word is about.
fn points<'a>(event: &'a Event, subject: &Subject<'_>, state: ConsentState) -> Vec<&'a Claim> {
    if subject.purpose.as_deref().is_some_and(|purpose| CUSTOMER_WIDE.contains(&purpose)) {
        return Vec::new();
    }
    let mut about: Vec<&Claim> = Vec::new();
    for claim in event.person_claims() {
        let namespace = claim.identifier().namespace();
        let is_second = || about.iter().any(|other| other.identifier().namespace() == namespace);
        if fits(namespace, subject.channel.as_deref())
            && (state == ConsentState::Denied || !is_second())
        {
            about.push(claim);
        }
    }
    about
}

/// Whether somebody is reached on a channel at an identifier of this kind.
fn fits(namespace: &Namespace, channel: Option<&str>) -> bool {
    match channel {
        Some("email") => *namespace == Namespace::Email,
        Some("sms" | "phone" | "rcs" | "mms" | "voice") => *namespace == Namespace::Phone,
        Some("whatsapp") => {
            matches!(namespace, Namespace::Phone | Namespace::WaId | Namespace::WaBsuid)
        }
        Some("letter") => *namespace == Namespace::Address,
        Some("app" | "push") => *namespace == Namespace::Device,
        Some(_) | None => matches!(
            namespace,
            Namespace::Email
                | Namespace::Phone
                | Namespace::WaId
                | Namespace::WaBsuid
                | Namespace::Social
                | Namespace::Sip
                | Namespace::Device
                | Namespace::Address
        ),
    }
}

/// What a customer agreed to.
///
/// ```
/// # use cx_core::event::{Event, identity::ConsentState};
/// # use cx_core::identifier::{Identifier, Namespace};
/// # use cx_core::profile::{ConsentFold, Question};
/// let said = |key: &str, at: &str, state: &str| -> Event {
///     serde_json::from_value(serde_json::json!({
///         "key": key, "source": {"system": "shop"}, "kind": "consent.changed", "occurred_at": at,
///         "who": [{"ns": "email", "value": "jan@example.nl"}],
///         "data": {"purpose": "marketing", "on": "email", "state": state},
///     })).unwrap()
/// };
/// let events = [said("2", "2026-03-02T08:00:00Z", "denied"), said("1", "2026-03-01T08:00:00Z", "granted")];
/// let mut fold = ConsentFold::default();
/// events.iter().for_each(|event| fold.push(event));
/// let jan = Identifier::normalise(Namespace::Email, "", "jan@example.nl", None).unwrap();
/// let asked = Question { contact_point: Some(&jan), purpose: "marketing", channel: Some("email") };
/// assert_eq!(fold.finish().state(asked), ConsentState::Denied);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Consents<'a> {
    /// By contact point, sorted.
    statements: Vec<(Option<&'a Identifier>, Vec<Statement<'a>>)>,
    /// Filled only where somebody said yes for the customer as such.
    members: Members<'a>,
}

impl<'a> Consents<'a> {
    /// Whether this may be done. `Unknown` where nothing was said.
    pub fn state(&self, asked: Question<'_>) -> ConsentState {
        let purpose = Some(text::folded(asked.purpose)).filter(|purpose| !purpose.is_empty());
        let folded = asked.channel.map(text::folded).filter(|channel| !channel.is_empty());
        let channel = folded.map(channel);
        let is_wide = purpose.as_deref().is_some_and(|it| CUSTOMER_WIDE.contains(&it));
        let point = asked.contact_point.filter(|_| !is_wide);
        let said = self.said(point).iter().chain(self.said(None));
        let mut lists: BTreeSet<Option<&str>> = said.map(|it| it.subject.list).collect();
        lists.insert(None);
        let rulings = lists.into_iter().filter_map(|list| {
            let subject = Subject { purpose: purpose.clone(), channel: channel.clone(), list };
            let own = self.own(point, &subject).map(|(state, _)| state);
            let wide = self.own(None, &subject).map(|(state, _)| state);
            // A customer-wide word is no answer for a contact point, but narrows it.
            if wide == Some(ConsentState::Denied) { wide } else { own }
        });
        rulings.min().unwrap_or(ConsentState::Unknown)
    }

    /// Everything that was said, as it holds: sorted by contact point (the customer as such first),
    /// purpose, channel and list.
    pub fn rulings(&self) -> Vec<Ruling<'a>> {
        let mut rulings = Vec::new();
        for (point, statements) in &self.statements {
            let subjects: BTreeSet<&Subject<'_>> =
                statements.iter().map(|it| &it.subject).collect();
            for subject in subjects {
                let Some((state, word)) = self.effective(*point, subject) else { continue };
                rulings.push(Ruling {
                    contact_point: *point,
                    purpose: subject.purpose.clone(),
                    channel: subject.channel.clone(),
                    list: subject.list,
                    state,
                    basis: word.basis,
                    wording: word.wording,
                    event: word.event,
                });
            }
        }
        rulings
    }

    /// The words on a contact point, or on the customer as such.
    fn said(&self, point: Option<&Identifier>) -> &[Statement<'a>] {
        let place = self.statements.binary_search_by(|(other, _)| (*other).cmp(&point));
        let found = place.ok().and_then(|place| self.statements.get(place));
        found.map_or(&[], |(_, statements)| statements)
    }

    /// What holds for a contact point, narrowed by what holds for the customer.
    fn effective(
        &self,
        point: Option<&Identifier>,
        subject: &Subject<'_>,
    ) -> Option<(ConsentState, &Statement<'a>)> {
        let wide = self.own(None, subject).filter(|(state, _)| *state == ConsentState::Denied);
        wide.or_else(|| self.own(point, subject))
    }

    /// What was said of a contact point, or of the customer as such.
    fn own(
        &self,
        point: Option<&Identifier>,
        subject: &Subject<'_>,
    ) -> Option<(ConsentState, &Statement<'a>)> {
        let statements = self.said(point);
        let is_meant = |it: &&Statement<'_>| it.subject.covers(subject, it.state);
        let meant: Vec<&Statement<'a>> = statements.iter().filter(is_meant).collect();
        let is_lifting =
            |it: &&Statement<'_>| it.state == ConsentState::Granted && it.subject.relieves(subject);
        let lifting: Vec<&Statement<'a>> = statements.iter().filter(is_lifting).collect();
        if point.is_some() {
            return latest(&meant, &lifting);
        }
        let mut by_member: BTreeMap<Member<'_>, Words<'_, 'a>> = BTreeMap::new();
        for statement in meant {
            by_member.entry(self.members.of(statement.event)).or_default().0.push(statement);
        }
        for statement in lifting {
            if let Some(member) = by_member.get_mut(&self.members.of(statement.event)) {
                member.1.push(statement);
            }
        }
        let is_one = |member: &&Member<'_>| matches!(member, Member::Joined(_));
        let n_speaking = by_member.keys().filter(is_one).count();
        let rulings = by_member.values().filter_map(|(meant, lifting)| latest(meant, lifting));
        let (state, word) = rulings.min_by(|(a, one), (b, other)| {
            a.cmp(b).then_with(|| other.order().cmp(&one.order()))
        })?;
        let is_silent = state == ConsentState::Granted && n_speaking < self.members.n_joined();
        Some((if is_silent { ConsentState::Unknown } else { state }, word))
    }
}

/// The words of one member: those that are meant, and those that may lift a no.
type Words<'s, 'a> = (Vec<&'s Statement<'a>>, Vec<&'s Statement<'a>>);

/// What holds of these words: a no that nothing lifts, else the latest yes.
fn latest<'s, 'a>(
    meant: &[&'s Statement<'a>],
    lifting: &[&'s Statement<'a>],
) -> Option<(ConsentState, &'s Statement<'a>)> {
    let of = |state: ConsentState| meant.iter().copied().filter(move |it| it.state == state);
    let lifting = last_words(lifting.iter().copied());
    let stands = |no: &&Statement<'_>| !lifting.iter().any(|yes| yes.lifts(no));
    let noes = last_words(of(ConsentState::Denied)).into_iter();
    let no = noes.filter(stands).max_by(|a, b| a.order().cmp(&b.order()));
    let word = |state| of(state).max_by(|a, b| a.order().cmp(&b.order()));
    no.map(|no| (ConsentState::Denied, no))
        .or_else(|| word(ConsentState::Granted).map(|yes| (ConsentState::Granted, yes)))
        .or_else(|| word(ConsentState::Unknown).map(|it| (ConsentState::Unknown, it)))
        .or_else(|| word(ConsentState::Denied).map(|no| (ConsentState::Unknown, no)))
}

/// Of each who speaks, by name and proof, the last word: whatever lifts it lifts the earlier ones,
/// and it lifts whatever they lift.
fn last_words<'s, 'a: 's>(
    words: impl Iterator<Item = &'s Statement<'a>>,
) -> Vec<&'s Statement<'a>> {
    let mut last: BTreeMap<(Option<&PersonName>, bool), &'s Statement<'a>> = BTreeMap::new();
    for word in words {
        let known = last.entry((word.name.as_ref(), word.is_proved)).or_insert(word);
        if word.order() > known.order() {
            *known = word;
        }
    }
    last.into_values().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ANN: &str = r#"{"ns": "email", "value": "ann@example.nl"}"#;
    const NUMBER: &str = r#"{"ns": "phone", "value": "+31612345678"}"#;

    fn event(day: u8, kind: &str, who: &[&str], data: &Value) -> Event {
        let who: Vec<Value> =
            who.iter().map(|claim| serde_json::from_str(claim).unwrap()).collect();
        let key = blake3::hash(format!("{day}{kind}{who:?}{data}").as_bytes()).to_string();
        serde_json::from_value(json!({
            "key": key, "source": {"system": "s"}, "kind": kind, "who": who, "data": data,
            "occurred_at": format!("2026-03-{day:02}T08:00:00Z"),
        }))
        .unwrap()
    }

    fn said(day: u8, state: &str, who: &[&str], more: &Value) -> Event {
        let mut data = json!({"purpose": "marketing", "on": "email", "state": state});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event(day, "consent.changed", who, &data)
    }

    fn state(events: &[Event], point: Option<&str>, purpose: &str, channel: &str) -> ConsentState {
        let mut fold = ConsentFold::default();
        for event in events {
            fold.push(event);
        }
        let point = point.map(|claim| {
            let claim: Claim = serde_json::from_str(claim).unwrap();
            claim.identifier().clone()
        });
        let contact_point = point.as_ref();
        fold.finish().state(Question { contact_point, purpose, channel: Some(channel) })
    }

    #[test]
    fn a_word_is_about_the_contact_points_that_fit_its_channel() {
        let events = [said(1, "granted", &[ANN, NUMBER], &json!({}))];
        assert_eq!(state(&events, Some(ANN), "marketing", "email"), ConsentState::Granted);
        assert_eq!(state(&events, Some(NUMBER), "marketing", "sms"), ConsentState::Unknown);
        assert_eq!(state(&events, None, "marketing", "email"), ConsentState::Unknown);
    }

    #[test]
    fn a_yes_is_about_the_first_number_and_a_no_about_all() {
        let other = r#"{"ns": "phone", "value": "+31687654321"}"#;
        for (word, expected) in
            [("granted", ConsentState::Unknown), ("denied", ConsentState::Denied)]
        {
            let events = [said(1, word, &[NUMBER, other], &json!({"on": "sms"}))];
            assert_eq!(state(&events, Some(other), "marketing", "sms"), expected);
        }
    }

    #[test]
    fn a_complaint_counts_as_a_no_and_a_new_subscription_as_a_yes() {
        let mut events = vec![
            said(1, "granted", &[ANN], &json!({})),
            event(2, "mail.complained", &[ANN], &json!({})),
        ];
        assert_eq!(state(&events, Some(ANN), "Marketing", "email"), ConsentState::Denied);
        events.push(event(3, "mail.resubscribed", &[ANN], &json!({})));
        assert_eq!(state(&events, Some(ANN), "marketing", "email"), ConsentState::Granted);
    }

    #[test]
    fn leaving_one_list_is_no_word_on_another_also_where_the_mail_program_reports_it_too() {
        let events = [
            said(1, "granted", &[ANN], &json!({"list": "6"})),
            event(2, "mail.unsubscribed", &[ANN], &json!({})),
            said(2, "denied", &[ANN], &json!({"list": "5"})),
        ];
        let mut fold = ConsentFold::default();
        for event in &events {
            fold.push(event);
        }
        let rulings: Vec<_> =
            fold.finish().rulings().into_iter().map(|it| (it.list, it.state, it.basis)).collect();
        let expected = [
            (Some("5"), ConsentState::Denied, Basis::Stated),
            (Some("6"), ConsentState::Granted, Basis::Stated),
        ];
        assert_eq!(rulings, expected);
        assert_eq!(state(&events, Some(ANN), "marketing", "email"), ConsentState::Denied);
    }

    #[test]
    fn a_no_without_purpose_is_a_no_to_all_and_a_yes_without_one_only_lifts_it() {
        let no = event(1, "consent.changed", &[ANN], &json!({"state": "denied"}));
        let yes = event(2, "consent.changed", &[ANN], &json!({"state": "granted"}));
        let marketing = |events: &[Event]| state(events, Some(ANN), "marketing", "email");
        assert_eq!(marketing(std::slice::from_ref(&no)), ConsentState::Denied);
        assert_eq!(marketing(std::slice::from_ref(&yes)), ConsentState::Unknown);
        assert_eq!(marketing(&[no.clone(), yes.clone()]), ConsentState::Unknown);
        let asked = said(1, "granted", &[ANN], &json!({}));
        assert_eq!(marketing(&[asked, no, yes]), ConsentState::Granted);
    }

    #[test]
    fn a_no_on_a_contact_point_counts_whoever_said_it_and_a_yes_only_for_them() {
        let yes = said(1, "granted", &[ANN], &json!({}));
        let asked = |other: &Event| {
            let ann = Identifier::normalise(Namespace::Email, "", "ann@example.nl", None).unwrap();
            let mut fold = ConsentFold::default();
            fold.push(&yes);
            fold.push_other(other, &BTreeSet::from([&ann]));
            let asked = Question {
                contact_point: Some(&ann),
                purpose: "marketing",
                channel: Some("email"),
            };
            fold.finish().state(asked)
        };
        let no = event(2, "mail.unsubscribed", &[ANN], &json!({"mail_id": "m"}));
        assert_eq!(asked(&no), ConsentState::Denied);
        assert_eq!(asked(&said(2, "denied", &[ANN], &json!({}))), ConsentState::Denied);
        assert_eq!(
            asked(&said(2, "denied", &[NUMBER], &json!({"on": "phone"}))),
            ConsentState::Granted
        );
        let wide = said(2, "denied", &[ANN], &json!({"purpose": "profiling"}));
        assert_eq!(asked(&wide), ConsentState::Granted);
    }

    #[test]
    fn what_is_about_the_person_needs_a_yes_of_every_part_of_the_customer() {
        let profiling = json!({"purpose": "profiling", "on": null});
        let wide = |events: &[Event]| state(events, None, "profiling", "email");
        let yes = said(1, "granted", &[ANN], &profiling);
        assert_eq!(wide(std::slice::from_ref(&yes)), ConsentState::Granted);
        // The number stands apart, as when an assertion has joined it, and has said nothing.
        let call = event(2, "call", &[NUMBER], &json!({}));
        assert_eq!(wide(&[yes.clone(), call.clone()]), ConsentState::Unknown);
        let both = event(3, "message", &[ANN, NUMBER], &json!({}));
        assert_eq!(wide(&[yes.clone(), call.clone(), both]), ConsentState::Granted);
        let no = said(1, "denied", &[NUMBER], &profiling);
        assert_eq!(wide(&[yes, call, no]), ConsentState::Denied);
    }

    #[test]
    fn a_no_of_the_person_narrows_every_contact_point_and_a_yes_widens_none() {
        let user = r#"{"ns": "user_id", "value": "u1"}"#;
        let yes = said(1, "granted", &[ANN], &json!({}));
        let no = said(2, "denied", &[user], &json!({}));
        let asked = |events: &[Event]| state(events, Some(ANN), "marketing", "email");
        assert_eq!(asked(&[yes, no]), ConsentState::Denied);
        assert_eq!(asked(&[said(2, "granted", &[user], &json!({}))]), ConsentState::Unknown);
    }
}
