//! Survivorship: which of several values counts.
//!
//! One total order for every attribute, so that the winner is the greatest value and does not
//! depend on the order, the repetition or the batching of what was said:
//!
//! 1. pinned by a steward;
//! 2. the source's priority, where one is set ([`Survivorship`]);
//! 3. assurance: how well the event that says it is proved to be about the person;
//! 4. the latest word;
//! 5. the most distinct days (UTC) on which it was said;
//! 6. the smallest bytes of the form in which values are compared.
//!
//! Names are written on nearly every event, in short and long forms, by programs that make them up.
//! For the attribute `name` two steps are therefore put in, and hold as long as no steward has
//! pinned one:
//!
//! - after 1: what is a person's name comes before what is none (`Visitor`, `damp-sun-912`), and
//!   placeholders (`null`, `n/a`) and addresses are not taken at all;
//! - after 3: the name that was written on more distinct days, then the one of more words. Days up
//!   to the latest deliberate blank do not count, so that a name that was deleted is not brought
//!   back by its own past, but by being written again.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::value::Attribute;
use crate::event::Source;
use crate::identifier::Assurance;
use crate::time::Timestamp;

/// Which sources are believed first, for each attribute. Without any, all sources are alike.
///
/// ```
/// # use cx_core::profile::{Attribute, Survivorship};
/// let rules: Survivorship = serde_json::from_str(
///     r#"{"priorities": {"name": ["crm", "shopify:acme"], "*": ["crm"]}}"#)?;
/// assert_eq!(rules.of(&Attribute::Name), ["crm", "shopify:acme"]);
/// assert_eq!(rules.of(&Attribute::Language), ["crm"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Survivorship {
    /// By the name of an attribute (`name`, `fields.tier`; `*` for all that are not named) the
    /// sources, best first: `zendesk` for all accounts of a system, `zendesk:acme` for one. Sources
    /// that are not named come last, alike.
    pub priorities: BTreeMap<String, Vec<String>>,
}

impl Survivorship {
    /// The rules under which all sources are alike.
    pub const fn none() -> Self {
        Self { priorities: BTreeMap::new() }
    }

    /// The sources that are believed first for an attribute, best first.
    pub fn of(&self, attribute: &Attribute) -> &[String] {
        if self.priorities.is_empty() {
            return &[];
        }
        let named = self.priorities.get(attribute.name().as_ref());
        named.or_else(|| self.priorities.get("*")).map_or(&[], Vec::as_slice)
    }
}

/// How far before the end of the list a source stands; 0 where it is not in it.
pub(super) fn priority(listed: &[String], source: &Source) -> usize {
    let is_meant = |name: &String| match name.split_once(':') {
        None => *name == source.system,
        Some((system, instance)) => system == source.system && instance == source.instance,
    };
    listed.iter().position(is_meant).map_or(0, |position| listed.len() - position)
}

/// The place of a value in the order: the greatest wins. Fields stand in the order of the steps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank<'a> {
    pub(super) telling: Weight,
    pub(super) n_days: u64,
    pub(super) form: Reverse<&'a str>,
}

/// The part of a value's place that one telling of it gives; the value has that of its best one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Weight {
    pub(super) pinned: bool,
    pub(super) nature: Nature,
    pub(super) priority: usize,
    pub(super) assurance: Assurance,
    pub(super) habit: Habit,
    pub(super) at: Timestamp,
}

/// Whether a text in the place of a name is a person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Nature {
    /// No person is called so, as far as cx can tell.
    NoName,
    /// A person's name, a deliberate blank, or a value of any other attribute.
    Value,
}

/// How much a name is in use; nought for all other attributes and for what is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Habit {
    pub(super) n_days: u64,
    pub(super) n_words: usize,
}
