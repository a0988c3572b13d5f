//! Feedback: asked, answered, acted upon, closed.

use serde::{Deserialize, Serialize};

use super::fields::{data, defaulted_fields};

/// What was asked.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Survey {
    /// Satisfaction with something.
    Csat,
    /// Likelihood to recommend, 0 to 10.
    Nps,
    /// Effort it took.
    Ces,
    /// Words only.
    #[default]
    Free,
}

/// The whole numbers that can be answered, and which end is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Scale {
    /// The lowest answer.
    pub min: i32,
    /// The highest answer.
    pub max: i32,
    /// Which end is good.
    #[serde(default)]
    pub good: GoodEnd,
}

/// Which end of a scale is good.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum GoodEnd {
    /// A high answer is good: satisfaction, ease.
    #[default]
    High,
    /// A low answer is good: effort.
    Low,
}

impl Scale {
    /// A scale on which a high answer is good.
    pub const fn high_is_good(min: i32, max: i32) -> Self {
        Self { min, max, good: GoodEnd::High }
    }
}

defaulted_fields!(Survey);

data! {
    /// `feedback.asked`.
    Asked {
        /// What was asked.
        survey: Survey,
        /// What makes question, answer and follow-up one.
        feedback: Option<String>,
        /// What can be answered.
        scale: Option<Scale>,
        /// What it is about: the key of a conversation or order.
        about: Option<String>,
    }

    /// `feedback.answered`.
    Answered {
        /// What was asked.
        survey: Survey,
        /// What makes question, answer and follow-up one.
        feedback: Option<String>,
        /// The answer, on the scale.
        score: Option<i32>,
        /// What could be answered.
        scale: Option<Scale>,
        /// What was written besides.
        comment: Option<String>,
        /// A reason chosen from a list.
        reason: Option<String>,
        /// What it is about: the key of a conversation or order.
        about: Option<String>,
    }

    /// `feedback.acted`: something was done about it.
    Acted {
        /// The feedback it is about.
        feedback: Option<String>,
        /// What was done.
        action: Option<String>,
    }

    /// `feedback.closed`: the loop is closed.
    LoopClosed {
        /// The feedback it is about.
        feedback: Option<String>,
        /// Whether the customer was told what was done.
        told_customer: Option<bool>,
    }
}
