//! Profiles: what is known of a customer, with where each value came from.
//!
//! The latest word of a source counts here. Survivorship by source and assurance, and the values
//! that lost, have their place here too, and come with a later version.

use crate::event::{Event, Kind};
use crate::identity::PersonName;
use crate::text;
use crate::time::Timestamp;

/// A value with where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known<T> {
    /// The value.
    pub value: T,
    /// The source: `zendesk:acme`.
    pub source: String,
    /// When it was said.
    pub at: Timestamp,
}

/// What is known of a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// The name: the one written most often, the fuller and later one if several are.
    pub name: Option<Known<String>>,
    /// The language, as a BCP 47 tag.
    pub language: Option<Known<String>>,
    /// The time zone, as an IANA name.
    pub timezone: Option<Known<String>>,
    /// The company: its id at the source, and its name.
    pub company: Option<Known<(Option<String>, Option<String>)>>,
    /// Tags and segments, sorted.
    pub tags: Vec<String>,
    /// Fields that have no place of their own, by name; the latest value of each.
    pub fields: std::collections::BTreeMap<String, Known<serde_json::Value>>,
    /// Notes that colleagues should see first.
    pub notes: Vec<Known<String>>,
    /// Whether a source blocks the person.
    pub blocked: Option<Known<bool>>,
    names: Vec<(String, u32, Known<String>)>,
    /// The latest text that stands where a name should and is none.
    other_name: Option<Known<String>>,
}

impl Profile {
    /// Takes the next event, in timeline order.
    pub fn push(&mut self, event: &Event) {
        let source = || event.source.scope();
        let at = event.occurred_at;
        let known = |value: String| Known { value, source: source(), at };
        if let Some(written) = &event.name
            && !event.person_claims().is_empty()
        {
            self.name_seen(written, &known(written.clone()));
        }
        let Kind::ProfileUpdated(profile) = &event.kind else { return };
        if event.name.is_none()
            && let Some(written) = &profile.name
        {
            self.name_seen(written, &known(written.clone()));
        }
        if let Some(language) = &profile.language {
            self.language = Some(known(language.clone()));
        }
        if let Some(timezone) = &profile.timezone {
            self.timezone = Some(known(timezone.clone()));
        }
        if profile.company.is_some() || profile.company_id.is_some() {
            let company = (profile.company_id.clone(), profile.company.clone());
            self.company = Some(Known { value: company, source: source(), at });
        }
        self.tags.extend(profile.tags.iter().cloned());
        for field in &profile.fields {
            let value = Known { value: field.value.clone(), source: source(), at };
            self.fields.insert(field.name.clone(), value);
        }
        for note in &profile.notes {
            if !self.notes.iter().any(|other| other.value == *note) {
                self.notes.push(known(note.clone()));
            }
        }
        if let Some(blocked) = profile.blocked {
            self.blocked = Some(Known { value: blocked, source: source(), at });
        }
    }

    fn name_seen(&mut self, written: &str, known: &Known<String>) {
        // Most events carry the name as the one before them wrote it.
        if let Some((_, n, latest)) =
            self.names.iter_mut().find(|(.., latest)| latest.value == written)
        {
            *n = n.saturating_add(1);
            *latest = known.clone();
            return;
        }
        let Some(name) = PersonName::parse(written) else {
            // No person is called so, as far as cx can tell; still better than nothing.
            if !text::is_placeholder(written) && !written.contains('@') {
                self.other_name = Some(known.clone());
            }
            return;
        };
        let key = name.key();
        match self.names.iter_mut().find(|(other, ..)| *other == key) {
            Some((_, n, latest)) => {
                *n = n.saturating_add(1);
                *latest = known.clone();
            }
            None => self.names.push((key, 1, known.clone())),
        }
    }

    /// What is known, as the events leave it.
    #[must_use]
    pub fn finish(mut self) -> Self {
        self.tags.sort();
        self.tags.dedup();
        let best = self.names.iter().max_by(|a, b| {
            let words = |name: &str| name.split_whitespace().count();
            (a.1, words(&a.2.value), a.2.at, &a.0).cmp(&(b.1, words(&b.2.value), b.2.at, &b.0))
        });
        self.name = best.map(|(.., known)| known.clone()).or_else(|| self.other_name.take());
        self
    }
}
