//! Feedback: what customers think, and whether somebody acted on it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::event::feedback::{Answered, GoodEnd, Scale, Survey};
use crate::event::{Event, Kind};
use crate::ids::EventKey;
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
    /// The event that says so.
    pub event: EventKey,
}

impl Rating {
    /// Whether the answer lies in the lower half of its scale, or is 0 to 6 where likelihood to
    /// recommend was asked; `None` where nothing says.
    pub fn is_bad(&self) -> Option<bool> {
        const RECOMMEND: Scale = Scale::high_is_good(0, 10);
        let is_nps = self.survey == Survey::Nps;
        let (score, scale) = (self.score?, self.scale.or(is_nps.then_some(RECOMMEND))?);
        if is_nps && scale == RECOMMEND {
            return Some(score <= 6);
        }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// The latest answer to each question, and how many events came before it.
    ratings: BTreeMap<Question, (usize, Names, Rating)>,
    words: Vec<Word>,
    n: usize,
}

/// What answers have to have in common to be answers to one question, of one customer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Question {
    /// Ids mean something only within their source.
    scope: String,
    survey: Survey,
    name: String,
}

/// By what a follow-up may mean an answer.
#[derive(Debug, Clone)]
struct Names {
    id: String,
    event: String,
}

/// That something was done about feedback.
#[derive(Debug, Clone)]
struct Word {
    n: usize,
    scope: String,
    id: String,
    /// Whether the customer was told; `None` while the loop is not closed.
    told: Option<bool>,
}

impl Question {
    /// The question that an event answers; a question of its own where nothing tells which.
    pub(crate) fn of(event: &Event, answered: &Answered) -> Self {
        Self { scope: event.source.scope(), survey: answered.survey, name: name(event, answered) }
    }

    /// The source and the name within it.
    pub(crate) fn source_and_name(self) -> (String, String) {
        (self.scope, self.name)
    }
}

impl Word {
    /// Whether an answer is meant: one of the same source, or, where that has none of this name,
    /// one of another.
    fn means(&self, question: &Question, names: &Names, known: &BTreeSet<(&str, &str)>) -> bool {
        (self.id == names.id || self.id == names.event)
            && (self.scope == question.scope || !known.contains(&(&self.scope, &self.id)))
    }
}

impl FeedbackFold {
    /// Takes an event; those that are no feedback change nothing.
    pub fn push(&mut self, event: &Event) {
        self.n += 1;
        match &event.kind {
            Kind::FeedbackAnswered(answered) => {
                let question = Question::of(event, answered);
                let names = Names { id: question.name.clone(), event: event.key.to_string() };
                let rating = Rating {
                    id: question.name.clone(),
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
                    event: event.key.clone(),
                };
                self.ratings.insert(question, (self.n, names, rating));
            }
            Kind::FeedbackActed(acted) => self.hear(event, acted.feedback.as_ref(), None),
            Kind::FeedbackClosed(closed) => {
                let told = Some(closed.told_customer.unwrap_or(true));
                self.hear(event, closed.feedback.as_ref(), told);
            }
            _ => {}
        }
    }

    fn hear(&mut self, event: &Event, id: Option<&String>, told: Option<bool>) {
        // One that names none means the answer that is about the same conversation.
        let conversation = event.conversation.as_ref().map(|it| it.key.to_string());
        let word = |id| Word { n: self.n, scope: event.source.scope(), id, told };
        self.words.extend(id.cloned().or(conversation).map(word));
    }

    /// What the customer thinks, as the events leave it.
    pub fn finish(self) -> Feedback {
        let known: BTreeSet<(&str, &str)> = self
            .ratings
            .iter()
            .flat_map(|(question, (_, names, _))| {
                [&names.id, &names.event].map(|name| (question.scope.as_str(), name.as_str()))
            })
            .collect();
        let mut open_loops: Vec<OpenLoop> = Vec::new();
        for (question, (n, names, rating)) in &self.ratings {
            // An answer that was changed since is to be dealt with anew.
            let later = |word: &&Word| word.n > *n && word.means(question, names, &known);
            let words = || self.words.iter().filter(later);
            let closed = words().filter_map(|word| word.told).next_back();
            let is_bad = rating.is_bad();
            if is_bad == Some(false) || closed == Some(true) {
                continue;
            }
            let state = if words().next().is_some() {
                LoopState::Acted
            } else if is_bad == Some(true) {
                LoopState::Received
            } else {
                continue;
            };
            open_loops.push(OpenLoop { id: rating.id.clone(), state, since: rating.at });
        }
        open_loops.sort_by(|a, b| (a.since, &a.id).cmp(&(b.since, &b.id)));
        let ratings = self.ratings.into_iter().map(|(question, (.., rating))| (question, rating));
        let mut ratings: Vec<(Question, Rating)> = ratings.collect();
        ratings.sort_by(|(a, x), (b, y)| (y.at, b).cmp(&(x.at, a)));
        Feedback { ratings: ratings.into_iter().map(|(_, rating)| rating).collect(), open_loops }
    }
}

/// What makes question, answer and follow-up one: the source's id, else what it is about.
fn name(event: &Event, answered: &Answered) -> String {
    let about = answered
        .about
        .clone()
        .or_else(|| event.conversation.as_ref().map(|conversation| conversation.key.to_string()));
    let named = answered.feedback.clone().or(about);
    named.unwrap_or_else(|| event.key.to_string())
}
