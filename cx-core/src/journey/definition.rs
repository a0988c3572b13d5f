//! Definitions: how a journey is meant to go.

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

use super::matcher::Matcher;
use crate::event::Event;
use crate::time::Span;

/// What a journey is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JourneyKind {
    /// Somebody buys.
    Buyer,
    /// Somebody needs help.
    Service,
    /// Anything else.
    Other,
}

/// What one instance is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// The customer: one journey at a time.
    Customer,
    /// An order, with the cart and the checkout it came from: two orders are two journeys.
    Order,
    /// A conversation.
    Conversation,
}

/// Whether a journey may begin again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reentry {
    /// Never.
    None,
    /// When the one before has ended.
    #[default]
    AfterEnd,
    /// Whenever the start matches again: the one before is then abandoned.
    OnNewStart,
}

/// What a touchpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Somebody says something to somebody.
    #[default]
    Communication,
    /// Somebody does something.
    Action,
    /// The customer only sees something: that keeps no journey open, and leads back to no earlier
    /// phase.
    Exposure,
    /// The customer sees nothing of it.
    Internal,
}

/// How often a touchpoint is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// At least once.
    Required,
    /// Once or never.
    #[default]
    Optional,
    /// As often as it takes.
    Repeatable,
}

/// How sure it is that the touchpoint is as planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Somebody thinks so.
    #[default]
    Assumed,
    /// It was seen.
    Observed,
    /// It was tested.
    Validated,
    /// It was tested, and is not so.
    Refuted,
}

/// A phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What the customer wants in it, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal: Option<String>,
    /// What shows that they got it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal_when: Option<Matcher>,
    /// How long it should take.
    #[serde(default, deserialize_with = "length", skip_serializing_if = "Option::is_none")]
    pub expected: Option<Span>,
}

/// A touchpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Touchpoint {
    /// Its id.
    pub id: String,
    /// The phase it belongs to.
    pub phase: String,
    /// Which events are it.
    pub when: Matcher,
    /// What it is.
    #[serde(default)]
    pub mode: Mode,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// How often it is planned.
    #[serde(default)]
    pub expected: Expected,
    /// How sure it is.
    #[serde(default)]
    pub evidence: Evidence,
}

/// How a journey is meant to go: a versioned document. A changed document is another version,
/// and has another hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: u32,
    /// What people call it.
    pub name: String,
    /// What it is.
    pub kind: JourneyKind,
    /// What one instance is about.
    pub key: Key,
    /// For whom it is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What begins it.
    pub start: Matcher,
    /// What ends it well.
    pub goal: Matcher,
    /// What ends it otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Matcher>,
    /// What settles a matter in it until the customer asks again. Where it is set, a goal or an exit
    /// in a conversation ends the journey only when no other conversation in it waits, and a
    /// journey that nobody goes on with after all was settled was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Matcher>,
    /// How long nothing may happen before it counts as abandoned.
    #[serde(deserialize_with = "length")]
    pub inactivity: Span,
    /// How long it may take in all.
    #[serde(default, deserialize_with = "length", skip_serializing_if = "Option::is_none")]
    pub max_length: Option<Span>,
    /// Whether it may begin again.
    #[serde(default)]
    pub reentry: Reentry,
    /// Its phases, in order.
    pub phases: Vec<Phase>,
    /// Its touchpoints. An event is the first one that matches.
    pub touchpoints: Vec<Touchpoint>,
}

/// A duration as text, with its unit: nobody knows what a number alone would mean.
fn length<'de, D: Deserializer<'de>, T: From<Span>>(from: D) -> Result<T, D::Error> {
    struct Text;
    impl Visitor<'_> for Text {
        type Value = Span;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a duration such as \"30d\" or \"24h\"")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Span, E> {
            text.parse().map_err(E::custom)
        }
    }
    from.deserialize_str(Text).map(T::from)
}

/// Why a document is no definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DefinitionError {
    /// It cannot be read; the text names line and field.
    #[error("{0}")]
    Malformed(String),
    /// A touchpoint names a phase that there is not.
    #[error("touchpoint {touchpoint:?}: no phase {phase:?}; there are {known}")]
    UnknownPhase {
        /// The touchpoint.
        touchpoint: String,
        /// The phase it names.
        phase: String,
        /// The phases there are.
        known: String,
    },
    /// Two phases or two touchpoints have one id.
    #[error("{what} {id:?} is there twice")]
    Twice {
        /// `phase` or `touchpoint`.
        what: &'static str,
        /// The id.
        id: String,
    },
    /// There is nothing in a place where something must be.
    #[error("{0}: empty")]
    Empty(&'static str),
}

impl Definition {
    /// Reads a definition from JSON, which begins with a brace, or from TOML, which never does.
    ///
    /// # Errors
    /// [`DefinitionError`] with the line and the field, or with what does not fit together.
    pub fn from_text(text: &str) -> Result<Self, DefinitionError> {
        // Some editors begin a text with a mark of its encoding.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim_start().starts_with('{') {
            Self::from_json(text)
        } else {
            Self::from_toml(text)
        }
    }

    /// Reads a definition from TOML.
    ///
    /// # Errors
    /// [`DefinitionError`] with the line and the field, or with what does not fit together.
    ///
    /// ```
    /// use cx_core::journey::{Definition, shipped};
    /// assert_eq!(shipped().len(), 2);
    /// let error = Definition::from_toml("id = 'x'\nverson = 1").unwrap_err();
    /// assert!(error.to_string().contains("verson"));
    /// ```
    pub fn from_toml(text: &str) -> Result<Self, DefinitionError> {
        let read: Self = toml::from_str(text)
            .map_err(|error| DefinitionError::Malformed(error.to_string().trim().to_owned()))?;
        read.checked()
    }

    /// Reads a definition from JSON.
    ///
    /// # Errors
    /// [`DefinitionError`] with the line and the field, or with what does not fit together.
    pub fn from_json(text: &str) -> Result<Self, DefinitionError> {
        let read: Self = serde_json::from_str(text)
            .map_err(|error| DefinitionError::Malformed(error.to_string()))?;
        read.checked()
    }

    fn checked(self) -> Result<Self, DefinitionError> {
        for (place, is_empty) in
            [("id", self.id.trim().is_empty()), ("phases", self.phases.is_empty())]
        {
            if is_empty {
                return Err(DefinitionError::Empty(place));
            }
        }
        for (place, matcher) in self.matchers() {
            if matcher.says_nothing() {
                return Err(DefinitionError::Empty(place));
            }
        }
        let phases: Vec<&str> = self.phases.iter().map(|phase| phase.id.as_str()).collect();
        let touchpoints: Vec<&str> = self.touchpoints.iter().map(|it| it.id.as_str()).collect();
        for (what, ids) in [("phase", &phases), ("touchpoint", &touchpoints)] {
            if let Some(id) = twice(ids) {
                return Err(DefinitionError::Twice { what, id: id.to_owned() });
            }
        }
        for touchpoint in &self.touchpoints {
            if !phases.contains(&touchpoint.phase.as_str()) {
                return Err(DefinitionError::UnknownPhase {
                    touchpoint: touchpoint.id.clone(),
                    phase: touchpoint.phase.clone(),
                    known: phases.join(", "),
                });
            }
        }
        Ok(self)
    }

    /// Whether an event is one that ends it.
    pub(super) fn ends(&self, event: &Event) -> bool {
        self.goal.matches(event) || self.exit.as_ref().is_some_and(|exit| exit.matches(event))
    }

    /// All its matchers, with the names of their places.
    fn matchers(&self) -> impl Iterator<Item = (&'static str, &Matcher)> {
        let ends = [("exit", self.exit.as_ref()), ("settled", self.settled.as_ref())];
        [("start", Some(&self.start)), ("goal", Some(&self.goal))]
            .into_iter()
            .chain(ends)
            .chain(self.phases.iter().map(|phase| ("phases.goal_when", phase.goal_when.as_ref())))
            .chain(self.touchpoints.iter().map(|it| ("touchpoints.when", Some(&it.when))))
            .filter_map(|(place, matcher)| Some((place, matcher?)))
    }

    /// Names of kinds and channels in it that cx does not know, each told in a sentence: they may
    /// be somebody's own, or misspelt, and a misspelt one is never met.
    pub fn unknown_names(&self) -> Vec<String> {
        let mut told = Vec::new();
        for (place, matcher) in self.matchers() {
            matcher.unknown_names(&mut |what, name| {
                let text = format!("{place}: {what} {name:?} is none that cx knows");
                if !told.contains(&text) {
                    told.push(text);
                }
            });
        }
        told
    }

    /// The hash of everything the definition says, in hexadecimal digits.
    pub fn hash(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        blake3::hash(text.as_bytes()).to_hex().chars().take(32).collect()
    }

    /// The place of a phase in the order of the phases.
    pub(super) fn phase_index(&self, id: &str) -> Option<usize> {
        self.phases.iter().position(|phase| phase.id == id)
    }
}

fn twice<'a>(ids: &[&'a str]) -> Option<&'a str> {
    let mut seen: Vec<&str> = Vec::new();
    for id in ids {
        if seen.contains(id) {
            return Some(id);
        }
        seen.push(id);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_definitions_are_definitions() {
        for text in [
            include_str!("../../journeys/purchase.toml"),
            include_str!("../../journeys/service.toml"),
        ] {
            let read = Definition::from_toml(text).unwrap();
            let json = serde_json::to_string(&read).unwrap();
            for text in [text.to_owned(), json] {
                for text in [format!("\u{feff}{text}"), format!("\n {text}")] {
                    assert_eq!(Definition::from_text(&text).unwrap().hash(), read.hash());
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_together_is_told() {
        let text = include_str!("../../journeys/service.toml");
        let unknown = text.replacen("phase = \"contact\"", "phase = \"contakt\"", 1);
        let error = Definition::from_toml(&unknown).unwrap_err().to_string();
        assert!(error.contains("no phase \"contakt\"; there are contact"), "{error}");
        let misspelt = text.replacen("inactivity", "inactivty", 1);
        let error = Definition::from_toml(&misspelt).unwrap_err().to_string();
        assert!(error.contains("inactivty"), "{error}");
        let endless = text.replacen("\"14d\"", "\"soon\"", 1);
        let error = Definition::from_toml(&endless).unwrap_err().to_string();
        assert!(error.contains("no duration"), "{error}");
        // A number without a unit would be some length nobody meant.
        let bare = text.replacen("\"14d\"", "14", 1);
        let error = Definition::from_toml(&bare).unwrap_err().to_string();
        assert!(error.contains("a duration such as"), "{error}");
    }

    #[test]
    fn a_matcher_that_says_nothing_is_an_error_wherever_it_stands() {
        let text = include_str!("../../journeys/service.toml");
        for (place, nothing) in [
            ("exit", "[exit]\n"),
            ("exit", "[exit]\nany = [{}]\n"),
            ("exit", "[exit]\nall = [{ kind = \"note\" }, {}]\n"),
            ("exit", "[exit]\nnot = {}\n"),
            ("exit", "[exit]\nfield = [{ name = \"url\" }]\n"),
        ] {
            let changed = text.replacen("[exit]\n", nothing, 1);
            let without = |line: &&str| !line.contains("conversation.spam");
            let changed: Vec<&str> = changed.lines().filter(without).collect();
            let error = Definition::from_toml(&changed.join("\n")).unwrap_err();
            assert_eq!(error, DefinitionError::Empty(place), "{nothing}");
        }
        let goal_when = text.replacen(
            "goal_when = { kind = [\"message\", \"call\"], direction = \"out\", actor = \"agent\", visibility = \"public\", not = { field = [{ name = \"outcome\", is = [\"missed\", \"busy\", \"failed\", \"voicemail\", \"abandoned\"] }] } }",
            "goal_when = {}",
            1,
        );
        let error = Definition::from_toml(&goal_when).unwrap_err();
        assert_eq!(error, DefinitionError::Empty("phases.goal_when"));
    }

    #[test]
    fn one_thing_is_as_good_as_a_list_of_it_and_an_empty_list_is_an_error() {
        let exit = |exit: &str| {
            let text = include_str!("../../journeys/service.toml").replace("\"14d\"", "\"15d\"");
            let (before, after) = text.split_once("[exit]\n").unwrap();
            let (_, after) = after.split_once('\n').unwrap();
            Definition::from_toml(&format!("{before}[exit]\n{exit}\n{after}"))
        };
        let list = exit(
            "kind = [\"order.paid\"]\nactor = [\"agent\"]\norigin = [\"event\"]\nfield = [{ name = \"x\", is = [\"10\", \"true\"] }]",
        );
        let one = exit(
            "kind = \"order.paid\"\nactor = \"agent\"\norigin = \"event\"\nfield = [{ name = \"x\", is = [10, true] }]",
        );
        assert_eq!(list, one);
        assert_eq!(
            exit("kind = \"note\"\nfield = [{ name = \"x\", is = 10 }]"),
            exit("kind = \"note\"\nfield = [{ name = \"x\", is = \"10\" }]")
        );
        for nothing in [
            "kind = []",
            "actor = []",
            "any = []",
            "field = []",
            "field = [{ name = \"x\", is = [] }]",
        ] {
            let error =
                exit(&format!("visibility = \"public\"\n{nothing}")).unwrap_err().to_string();
            assert!(error.contains("an empty list says nothing"), "{nothing}: {error}");
        }
        assert!(exit("actor = \"nobody\"").unwrap_err().to_string().contains("nobody"));
    }

    #[test]
    fn names_that_may_be_misspelt_are_told() {
        let text = include_str!("../../journeys/service.toml");
        assert!(Definition::from_toml(text).unwrap().unknown_names().is_empty());
        let misspelt =
            text.replacen("[\"conversation.spam\", ", "[\"conversation.spam*\", ", 1).replacen(
                "kind = \"message\", direction",
                "kind = \"mesage\", channel = [\"e-mail\", \"other:fax\"], direction",
                1,
            );
        assert_eq!(
            Definition::from_toml(&misspelt).unwrap().unknown_names(),
            [
                "exit: kind \"conversation.spam*\" is none that cx knows",
                "touchpoints.when: kind \"mesage\" is none that cx knows",
                "touchpoints.when: channel \"e-mail\" is none that cx knows",
            ]
        );
    }

    #[test]
    fn a_changed_definition_has_another_hash() {
        let text = include_str!("../../journeys/service.toml");
        let one = Definition::from_toml(text).unwrap();
        let other = Definition::from_toml(&text.replacen("\"14d\"", "\"15d\"", 1)).unwrap();
        assert_ne!(one.hash(), other.hash());
    }
}
