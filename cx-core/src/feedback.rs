//! Feedback: what customers think, and whether somebody acted on it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::event::feedback::{Answered, GoodEnd, Scale, Survey};
use crate::event::{Event, Kind};
use crate::time::Timestamp;

/// An answer to a survey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rating {
    /// What makes question, answer and follow-up one: the source's id, else what it is about.
    pub id: String,
    /// What was asked.
    pub survey: Survey,
    /// The answer.
    pub score: Option<i32>,
    /// What could be answered.
    pub scale: Option<Scale>,
    /// What was written besides.
    pub comment: Option<String>,
    /// A reason chosen from a list.
    pub reason: Option<String>,
    /// What it is about.
    pub about: Option<String>,
    /// When it was answered.
    pub at: Timestamp,
}

impl Rating {
    /// Whether the answer lies in the lower half of its scale; `None` where nothing says.
    pub fn is_bad(&self) -> Option<bool> {
        let (score, scale) = (self.score?, self.scale?);
        let (from_bad, from_good) = match scale.good {
            GoodEnd::High => {
                (i64::from(score) - i64::from(scale.min), i64::from(scale.max) - i64::from(score))
            }
            GoodEnd::Low => {
                (i64::from(scale.max) - i64::from(score), i64::from(score) - i64::from(scale.min))
            }
        };
        Some(from_bad < from_good)
    }
}

/// How far a loop has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum LoopState {
    /// A bad answer came in and nothing was done yet.
    Received,
    /// Something was done, and the customer was not told.
    Acted,
}

/// A bad answer that is not dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLoop {
    /// The feedback.
    pub id: String,
    /// How far it has come.
    pub state: LoopState,
    /// When the answer came in.
    pub since: Timestamp,
}

/// What a customer thinks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Feedback {
    /// The latest answer to each question, newest first.
    pub ratings: Vec<Rating>,
    /// Bad answers that are not dealt with, oldest first.
    pub open_loops: Vec<OpenLoop>,
}

/// Folds feedback, in timeline order.
#[derive(Debug, Clone, Default)]
pub struct FeedbackFold {
    ratings: BTreeMap<String, Rating>,
    acted: BTreeMap<String, Option<bool>>,
}

impl FeedbackFold {
    /// Takes an event; those that are no feedback change nothing.
    pub fn push(&mut self, event: &Event) {
        match &event.kind {
            Kind::FeedbackAnswered(answered) => {
                let id = name(event, answered);
                self.acted.remove(&id);
                let rating = Rating {
                    id: id.clone(),
                    survey: answered.survey,
                    score: answered.score,
                    scale: answered.scale,
                    comment: answered
                        .comment
                        .clone()
                        .or_else(|| event.body.as_ref().map(|body| body.text.clone())),
                    reason: answered.reason.clone(),
                    about: answered.about.clone(),
                    at: event.occurred_at,
                };
                self.ratings.insert(id, rating);
            }
            Kind::FeedbackActed(acted) => {
                if let Some(id) = acted.feedback.clone() {
                    self.acted.entry(id).or_insert(None);
                }
            }
            Kind::FeedbackClosed(closed) => {
                if let Some(id) = closed.feedback.clone() {
                    self.acted.insert(id, Some(closed.told_customer.unwrap_or(true)));
                }
            }
            _ => {}
        }
    }

    /// What the customer thinks, as the events leave it.
    pub fn finish(self) -> Feedback {
        let mut ratings: Vec<Rating> = self.ratings.into_values().collect();
        ratings.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
        let open = |rating: &Rating| {
            let state = match self.acted.get(&rating.id) {
                Some(Some(true)) => return None,
                Some(_) => LoopState::Acted,
                None if rating.is_bad() == Some(true) => LoopState::Received,
                None => return None,
            };
            Some(OpenLoop { id: rating.id.clone(), state, since: rating.at })
        };
        let open_loops = ratings.iter().rev().filter_map(open).collect();
        Feedback { ratings, open_loops }
    }
}

fn name(event: &Event, answered: &Answered) -> String {
    let about = answered
        .about
        .clone()
        .or_else(|| event.conversation.as_ref().map(|conversation| conversation.key.to_string()));
    let named = answered.feedback.clone().or(about);
    named.unwrap_or_else(|| event.key.to_string())
}
