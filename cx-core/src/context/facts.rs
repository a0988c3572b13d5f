//! What a context is built from, and what may be asked of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::identifier::{Assurance, Identifier};
use crate::identity::Verdict;
use crate::ids::{AssertionId, ConversationKey, CustomerId};
use crate::profile::Survivorship;
use crate::time::Timestamp;

/// How sure it is that the customer is the one who was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Confidence {
    /// One customer holds what was asked for.
    Certain,
    /// One customer holds it, and others may.
    Probable,
    /// Several customers share it; none is chosen.
    Ambiguous,
    /// Nobody is known by it.
    None,
}

/// For whom the answer is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Audience {
    /// People who serve the customer: everything.
    #[default]
    Agent,
    /// People who write campaigns: facts without texts.
    Marketing,
    /// The customer: only what was public.
    Customer,
    /// A language model: identifiers masked, texts marked as untrusted.
    Model,
}

impl Audience {
    /// The name as it stands in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Marketing => "marketing",
            Self::Customer => "customer",
            Self::Model => "model",
        }
    }
}

/// Another customer who may be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The customer.
    pub id: CustomerId,
    /// The customer's name.
    pub name: Option<String>,
    /// Why.
    pub reason: String,
}

/// Whether other customers use an identifier too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Nobody else does.
    Own,
    /// That many others do.
    Shared(u32),
    /// So many do that it links nobody.
    Hub,
}

/// Whether a claim counts as a link to the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// It links.
    Links,
    /// It was said, and does not link.
    Stated,
}

/// An identifier of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifierFact {
    /// The identifier.
    pub identifier: Identifier,
    /// The best proof there is.
    pub assurance: Assurance,
    /// When it was first seen with the customer.
    pub first_seen: Timestamp,
    /// When it was last seen with the customer.
    pub last_seen: Timestamp,
    /// Where it was seen: `zendesk:acme`, sorted.
    pub sources: Vec<String>,
    /// On how many events it was seen.
    pub n_events: u64,
    /// Whether others use it too.
    pub sharing: Sharing,
    /// Whether it links.
    pub weight: Weight,
}

/// A customer who may be the same person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PossibleDuplicate {
    /// The other customer.
    pub id: CustomerId,
    /// The other customer's name.
    pub name: Option<String>,
    /// What speaks for it: values that one of the two holds, and that the other only stated.
    pub stated: Vec<StatedValue>,
}

/// A value that one of two customers holds, and that the other only stated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedValue {
    /// The value.
    pub identifier: Identifier,
    /// Whether this customer stated it; else the other did.
    pub here: bool,
}

/// Who the customer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerFacts {
    /// The customer's id.
    pub id: CustomerId,
    /// When the customer was first seen.
    pub since: Timestamp,
    /// When the first public event was, where it is not among those that the context is built from.
    pub public_since: Option<Timestamp>,
    /// The customer's identifiers.
    pub identifiers: Vec<IdentifierFact>,
    /// Customers who may be the same person.
    pub possible: Vec<PossibleDuplicate>,
    /// Why the customer's records are one person, and who was kept apart, in words.
    pub reasons: Vec<String>,
}

/// How fresh a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFreshness {
    /// The system.
    pub system: String,
    /// The account in it.
    pub instance: String,
    /// The latest event it gave, of any customer.
    pub last_event: Timestamp,
    /// When it last gave one.
    pub last_import: Timestamp,
}

/// An assertion in force that touches the customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeFact {
    /// The assertion.
    pub assertion: AssertionId,
    /// What it says.
    pub verdict: Verdict,
    /// When it was said.
    pub at: Timestamp,
    /// Who said it.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
}

/// Everything a context is built from.
pub struct ContextFacts<'a> {
    /// What was asked for: namespace, scope and value.
    pub asked: Vec<Identifier>,
    /// How sure it is.
    pub confidence: Confidence,
    /// Who else may be meant.
    pub others: Vec<Candidate>,
    /// Who the customer is; `None` where nobody was found.
    pub customer: Option<CustomerFacts>,
    /// The customer's events in timeline order, none after `as_of`.
    pub events: &'a [Event],
    /// Events of the customer before those of `events` that speak for ever: profiles, names and
    /// consents are read of them too. Empty where `events` has all.
    pub earlier: &'a [Event],
    /// What others, or nobody, said of consents on the customer's contact points.
    pub words_of_others: &'a [Event],
    /// Further events of the customer's conversations, in timeline order: what colleagues, systems
    /// and other customers did in them.
    pub conversation_events: &'a [Event],
    /// Events that are not told of, and decide what stands open: those of conversations in which those
    /// of the customer live on, and calls with a number from which the customer called in vain.
    pub beside: &'a [Event],
    /// The one key of a conversation that is known by several.
    pub canonical: &'a dyn Fn(&ConversationKey) -> ConversationKey,
    /// How fresh each source is.
    pub sources: Vec<SourceFreshness>,
    /// Assertions in force that touch the customer.
    pub merges: Vec<MergeFact>,
    /// How many values of a namespace, by its name, one person has at most as a rule: more of them
    /// are told of.
    pub at_most: BTreeMap<String, u32>,
    /// What was left out before the events came here.
    pub left_out: BTreeMap<String, u64>,
}

impl std::fmt::Debug for ContextFacts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContextFacts")
            .field("confidence", &self.confidence)
            .field("customer", &self.customer.as_ref().map(|customer| customer.id))
            .field("events", &self.events.len())
            .finish_non_exhaustive()
    }
}

/// What may be asked of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextOptions {
    /// The instant of the answer: nothing later is in it.
    pub as_of: Timestamp,
    /// Only what had been recorded by then, in the revision that was known; `None` for all that
    /// is known today.
    pub known_at: Option<Timestamp>,
    /// For whom it is.
    pub audience: Audience,
    /// How many recent contacts, mails, orders and ratings there are at most, each.
    pub items: usize,
    /// How many characters of a text there are at most.
    pub characters: usize,
    /// Which sources are believed first.
    pub survivorship: Survivorship,
}

impl ContextOptions {
    /// The answer at an instant, for agents, with ten items a block and 280 characters a text.
    pub const fn at(as_of: Timestamp) -> Self {
        Self {
            as_of,
            known_at: None,
            audience: Audience::Agent,
            items: 10,
            characters: 280,
            survivorship: Survivorship::none(),
        }
    }

    /// The same answer of what had been recorded by an instant.
    #[must_use]
    pub const fn known_at(mut self, known_at: Timestamp) -> Self {
        self.known_at = Some(known_at);
        self
    }

    /// The same answer for another audience.
    #[must_use]
    pub const fn audience(mut self, audience: Audience) -> Self {
        self.audience = audience;
        self
    }

    /// The same answer by other rules on which sources are believed first.
    #[must_use]
    pub fn survivorship(mut self, rules: Survivorship) -> Self {
        self.survivorship = rules;
        self
    }

    /// The same answer with at most that many items a block.
    #[must_use]
    pub const fn items(mut self, items: usize) -> Self {
        self.items = items;
        self
    }
}
