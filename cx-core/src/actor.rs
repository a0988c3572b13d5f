//! Actors: who did it. A type and not a name, since who answers decides what counts as an answer.

use serde::{Deserialize, Serialize};

/// What kind of actor did a thing.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ActorType {
    /// The customer.
    Customer,
    /// Another person on the customer's side.
    Contact,
    /// A person who works for the business.
    Agent,
    /// A scripted program that talks.
    Bot,
    /// A model that talks.
    Ai,
    /// A rule, trigger, campaign or automatic reply.
    Automation,
    /// Another program that acts on a record.
    Integration,
    /// The system of record itself.
    System,
    /// Somebody outside, in a side conversation.
    ThirdParty,
    /// Not known.
    #[default]
    Unknown,
}

impl ActorType {
    /// The name as it stands in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Contact => "contact",
            Self::Agent => "agent",
            Self::Bot => "bot",
            Self::Ai => "ai",
            Self::Automation => "automation",
            Self::Integration => "integration",
            Self::System => "system",
            Self::ThirdParty => "third_party",
            Self::Unknown => "unknown",
        }
    }

    /// Whether a human on the business's side did it: only such an answer is a response.
    pub const fn is_agent(self) -> bool {
        matches!(self, Self::Agent)
    }

    /// Whether a program that talks with the customer did it.
    pub const fn is_bot(self) -> bool {
        matches!(self, Self::Bot | Self::Ai)
    }

    /// Whether somebody on the customer's side did it.
    pub const fn is_customer_side(self) -> bool {
        matches!(self, Self::Customer | Self::Contact)
    }

    /// Whether it is one of the business's people or programs; nobody outside, and nobody unknown.
    pub const fn is_business_side(self) -> bool {
        match self {
            Self::Agent
            | Self::Bot
            | Self::Ai
            | Self::Automation
            | Self::Integration
            | Self::System => true,
            Self::Customer | Self::Contact | Self::ThirdParty | Self::Unknown => false,
        }
    }
}

/// Who did a thing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Actor {
    /// What kind of actor.
    #[serde(rename = "type")]
    pub kind: ActorType,
    /// The actor's id at the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The actor's name, as the source writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Actor {
    /// An actor of this kind of whom nothing else is known.
    pub const fn of(kind: ActorType) -> Self {
        Self { kind, id: None, name: None }
    }

    /// The same actor with an id at the source.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The same actor with a name; an empty name is none.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into()).filter(|name| !name.trim().is_empty());
        self
    }
}
