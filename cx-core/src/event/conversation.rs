//! What happens to a conversation: its states, owners, hand-overs and links.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fields::{data, required_fields};
use crate::actor::Actor;
use crate::time::Timestamp;

/// The state of a conversation: who has to act.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum State {
    /// Nobody has taken it.
    #[default]
    New,
    /// A bot or model is handling it.
    Bot,
    /// A human has to act.
    Open,
    /// We answered; the customer has to act.
    WaitingCustomer,
    /// Somebody else has to act.
    WaitingThird,
    /// Hidden until a time or a reply.
    Snoozed,
    /// Answered; a reply reopens it.
    Resolved,
    /// Final; a reply makes a linked follow-up.
    Closed,
    /// Lives on in another conversation.
    Merged,
    /// Unwanted.
    Spam,
    /// Deleted at the source.
    Deleted,
}

/// What a state means for those who wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum StateCategory {
    /// We have to act.
    Open,
    /// Somebody else has to act first.
    Waiting,
    /// Done.
    Resolved,
}

impl State {
    /// The name as it stands in JSON and SQL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Bot => "bot",
            Self::Open => "open",
            Self::WaitingCustomer => "waiting_customer",
            Self::WaitingThird => "waiting_third",
            Self::Snoozed => "snoozed",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
            Self::Merged => "merged",
            Self::Spam => "spam",
            Self::Deleted => "deleted",
        }
    }

    /// What the state means for those who wait.
    pub const fn category(self) -> StateCategory {
        match self {
            Self::New | Self::Bot | Self::Open => StateCategory::Open,
            Self::WaitingCustomer | Self::WaitingThird | Self::Snoozed => StateCategory::Waiting,
            Self::Resolved | Self::Closed | Self::Merged | Self::Spam | Self::Deleted => {
                StateCategory::Resolved
            }
        }
    }

    /// Whether somebody still has to act.
    pub const fn is_open(self) -> bool {
        !matches!(self.category(), StateCategory::Resolved)
    }
}

/// One side of an assignment or hand-over.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Party {
    /// What it is: `agent`, `team`, `bot`, `ai`.
    #[serde(rename = "type")]
    pub kind: PartyType,
    /// Its id at the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What an assignee is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum PartyType {
    /// A person of the business.
    #[default]
    Agent,
    /// A group of persons of the business.
    Team,
    /// A scripted program.
    Bot,
    /// A model.
    Ai,
}

/// Why a conversation went from one hand to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum HandoverReason {
    /// The customer asked for a person.
    Asked,
    /// The bot was not sure.
    LowConfidence,
    /// A rule said so.
    Rule,
    /// The bot could not go on.
    Failed,
    /// The subject is not for bots.
    Policy,
    /// Nobody was there.
    OutOfHours,
    /// An important customer.
    Vip,
    /// The agent's shift ended.
    ShiftEnd,
}

/// Something that was asked and answered before a hand-over, so that nobody asks again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fact {
    /// What was asked: `order_number`.
    pub name: String,
    /// What was answered.
    pub value: String,
    /// Who said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_by: Option<Actor>,
    /// The key of the event in which it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
}

/// How two conversations hang together.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// This one goes on where the other stopped, on another channel.
    Continues,
    /// This one came after the other was closed.
    FollowUpOf,
    /// Both are about the same matter.
    #[default]
    SameMatter,
}

required_fields!(State, Relation);

data! {
    /// `conversation.opened`.
    Opened {
        /// The state it began in.
        state: Option<State>,
        /// What the source calls that state.
        native: Option<String>,
        /// Its priority, as the source has it.
        priority: Option<String>,
        /// Who has it.
        assignee: Option<Party>,
        /// The team that has it.
        team: Option<Party>,
        /// Its tags.
        tags: Vec<String>,
    }

    /// `conversation.status`.
    Status {
        /// The state before.
        from: Option<State>,
        /// The state now.
        to: State,
        /// What the source calls the state now.
        native: Option<String>,
        /// Until when it is hidden.
        snoozed_until: Option<Timestamp>,
        /// Why.
        reason: Option<String>,
    }

    /// `conversation.assigned`.
    Assigned {
        /// Who had it.
        from: Option<Party>,
        /// Who has it; `None` for nobody.
        to: Option<Party>,
        /// The team that has it.
        team: Option<Party>,
    }

    /// `conversation.handover`.
    Handover {
        /// Who had it.
        from: Option<Party>,
        /// Who shall have it.
        to: Option<Party>,
        /// Who asked for it.
        requested_by: Option<Actor>,
        /// Why.
        reason: Option<HandoverReason>,
        /// What was already asked and answered.
        facts: Vec<Fact>,
        /// What happened so far, in words.
        summary: Option<String>,
        /// What was already tried.
        tried: Vec<String>,
        /// When somebody took it.
        accepted_at: Option<Timestamp>,
        /// Who took it.
        accepted_by: Option<Actor>,
    }

    /// `conversation.merged`: it lives on in another one.
    Merged {
        /// The key of the conversation it lives on in; `None` where the source does not say.
        into: Option<String>,
    }

    /// `conversation.split`: part of it goes on in another one.
    Split {
        /// The key of the other conversation.
        into: Option<String>,
    }

    /// `conversation.linked`.
    Linked {
        /// How they hang together.
        relation: Relation,
        /// The key of the other conversation.
        target: String,
    }

    /// `conversation.subject`, `conversation.priority`: one text for another.
    Changed {
        /// What it was.
        from: Option<String>,
        /// What it is.
        to: Option<String>,
    }

    /// `conversation.tagged`, `conversation.untagged`.
    Tags {
        /// The tags that were put or taken.
        tags: Vec<String>,
    }

    /// `conversation.field`: a custom field.
    FieldChanged {
        /// The field's name.
        name: String,
        /// What it was.
        from: Option<Value>,
        /// What it is.
        to: Option<Value>,
    }

    /// `conversation.spam`, `conversation.deleted`, `conversation.restored`.
    Removal {
        /// Why.
        reason: Option<String>,
    }
}
