//! Journeys: where a customer is on the way to a goal.
//!
//! A [`Definition`] is planned and versioned; an [`Instance`] is what really happened: a pure
//! function of a definition, a customer's events in timeline order, and the instant of asking. It
//! is never entered by hand. A journey that goes on is `open` and never counts as abandoned.

pub mod matcher;
pub mod definition;
pub mod instance;
mod keys;
mod matters;

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::time::Timestamp;

pub use definition::{Definition, DefinitionError};
pub use instance::{Instance, Outcome, instances, instances_among};

/// A journey in the context answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Summary {
    /// The definition's id.
    pub definition: String,
    /// The definition's version.
    pub version: u32,
    /// What people call it.
    pub name: String,
    /// What it is about where that is not the customer: an order's id, a conversation's key.
    pub key: Option<String>,
    /// How it stands: `open`, `reached`, `abandoned`, `exited`, `too_long`.
    pub outcome: String,
    /// The phase it is in, or was in when it ended.
    pub phase: Option<String>,
    /// When it began.
    pub started: String,
    /// When it ended; null while it is open.
    pub ended: Option<String>,
    /// The last planned step.
    pub last_step: Option<StepSummary>,
    /// How many planned steps were taken.
    pub steps: u64,
    /// On which channels people talked, in order; a channel that comes back is there again.
    pub channels: Vec<String>,
    /// How often the channel changed.
    pub switches: u64,
    /// How long the customer waited for the business, in seconds.
    pub customer_waited_s: i64,
    /// How long the business waited for the customer, in seconds.
    pub company_waited_s: i64,
    /// How long until it counts as abandoned if nothing happens, in seconds; null unless open.
    pub remaining_s: Option<i64>,
}

/// A step of a journey.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StepSummary {
    /// The touchpoint.
    pub touchpoint: String,
    /// When.
    pub at: String,
    /// The event.
    pub event: String,
}

static SHIPPED: LazyLock<Vec<Definition>> = LazyLock::new(|| {
    let files =
        [include_str!("../journeys/purchase.toml"), include_str!("../journeys/service.toml")];
    files.iter().filter_map(|text| Definition::from_toml(text).ok()).collect()
});

/// Their hashes, in the same order: every answer about a customer walks by them.
static HASHES: LazyLock<Vec<String>> =
    LazyLock::new(|| SHIPPED.iter().map(Definition::hash).collect());

/// The definitions that come with cx: `purchase` and `service`.
pub fn shipped() -> &'static [Definition] {
    &SHIPPED
}

/// The customer's journeys by the shipped definitions: of each definition and key the last one,
/// those that go on first, then the latest. `events` stand in timeline order, and so does what others
/// did `beside` them in their conversations.
pub fn summaries(events: &[&Event], beside: &[&Event], as_of: Timestamp) -> Vec<Summary> {
    let mut summaries: Vec<Summary> = Vec::new();
    for (definition, hash) in shipped().iter().zip(HASHES.iter()) {
        summaries.extend(instance::last_summaries(definition, hash, events, beside, as_of));
    }
    summaries.sort_by(|a, b| {
        let rank = |summary: &Summary| summary.outcome != "open";
        rank(a).cmp(&rank(b)).then_with(|| b.started.cmp(&a.started))
    });
    summaries
}

/// The customer's journeys by one definition, as [`summaries`] tells them: of each key the last one,
/// in order of the keys.
pub fn summaries_of(
    definition: &Definition,
    events: &[&Event],
    beside: &[&Event],
    as_of: Timestamp,
) -> Vec<Summary> {
    instance::last_summaries(definition, &definition.hash(), events, beside, as_of)
}

impl Summary {
    /// What the context tells of an instance.
    pub fn of(definition: &Definition, instance: &Instance) -> Self {
        let last_step = instance.steps.iter().rev().find_map(|step| {
            Some(StepSummary {
                touchpoint: step.touchpoint.clone()?,
                at: step.at.to_string(),
                event: step.event.to_string(),
            })
        });
        let steps = count(instance.steps.iter().filter(|step| step.touchpoint.is_some()));
        Self::with(definition, instance, last_step, steps)
    }

    /// What the context tells of an instance whose steps are not looked at.
    fn with(
        definition: &Definition,
        instance: &Instance,
        last_step: Option<StepSummary>,
        steps: u64,
    ) -> Self {
        Self {
            definition: definition.id.clone(),
            version: definition.version,
            name: definition.name.clone(),
            key: Some(instance.key.clone()).filter(|key| !key.is_empty()),
            outcome: instance.outcome.name().to_owned(),
            phase: instance.phase.clone(),
            started: instance.started.to_string(),
            ended: instance.ended.map(|ended| ended.to_string()),
            last_step,
            steps,
            channels: instance.channels.clone(),
            switches: instance.switches,
            customer_waited_s: instance.customer_waited.as_seconds(),
            company_waited_s: instance.company_waited.as_seconds(),
            remaining_s: instance.remaining.map(crate::time::Micros::as_seconds),
        }
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u64 {
    items.fold(0, |count, _| count + 1)
}
