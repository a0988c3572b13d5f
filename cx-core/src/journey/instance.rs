//! Instances: how a journey really went.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use serde::{Serialize, Serializer};

use super::definition::{Definition, Expected, Mode, Reentry, Touchpoint};
use super::keys::keys;
use super::matters::{Matters, Merges, answered_at, answered_first, tells_state, with_answers};
use super::{StepSummary, Summary, count};
use crate::conversation::{self, as_if_not_said};
use crate::event::{Event, Kind};
use crate::ids::{ConversationKey, EventKey};
use crate::time::{Micros, Timestamp};

/// How a journey stands. In JSON its name; the phase of one that was abandoned is the instance's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It goes on.
    Open,
    /// The goal was reached.
    Reached,
    /// Nothing happened for too long, in this phase.
    Abandoned {
        /// The phase; `None` before the first planned step.
        phase: Option<String>,
    },
    /// It ended otherwise.
    Exited,
    /// It took longer than it may.
    TooLong,
}

impl Outcome {
    /// The name as it stands in JSON.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Reached => "reached",
            Self::Abandoned { .. } => "abandoned",
            Self::Exited => "exited",
            Self::TooLong => "too_long",
        }
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

/// An event of a journey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The event.
    pub event: EventKey,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub kind: String,
    /// The touchpoint it is; `None` for an event that is not in the plan.
    pub touchpoint: Option<String>,
    /// The touchpoint's phase.
    pub phase: Option<String>,
}

/// Where a journey went another way than planned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Deviation {
    /// A required touchpoint never came, and the journey is over.
    Missing {
        /// The touchpoint.
        touchpoint: String,
    },
    /// A touchpoint that is planned once came again.
    Repeated {
        /// The touchpoint.
        touchpoint: String,
        /// The event.
        event: EventKey,
    },
    /// A touchpoint of an earlier phase came after one of a later phase: one that is not
    /// repeatable, or the first of its phase.
    OutOfOrder {
        /// The touchpoint.
        touchpoint: String,
        /// The event.
        event: EventKey,
    },
    /// A phase took longer than it should, the time included in which nobody went on.
    Late {
        /// The phase.
        phase: String,
    },
}

/// How a journey really went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Instance {
    /// The definition's id.
    pub definition: String,
    /// The definition's version.
    pub version: u32,
    /// The definition's hash.
    pub hash: String,
    /// What it is about: empty for the customer, else an order's id or a conversation's key.
    pub key: String,
    /// The number of the instance among those of its key, from 1.
    pub seq: u32,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; `None` while it is open. A journey that nobody went on with ended with its
    /// last planned step, of those in which somebody did or said something.
    pub ended: Option<Timestamp>,
    /// How it stands.
    pub outcome: Outcome,
    /// The phase of the last planned step.
    pub phase: Option<String>,
    /// Its events, in order.
    pub steps: Vec<Step>,
    /// Where it went another way than planned.
    pub deviations: Vec<Deviation>,
    /// The time in each phase until the end, in order of the phases; in JSON in seconds.
    #[serde(rename = "in_phase_s", serialize_with = "each_in_seconds")]
    pub in_phase: Vec<(String, Micros)>,
    /// The phases whose `goal_when` was met, and when first, in order of the phases.
    pub goals_met: Vec<(String, Timestamp)>,
    /// On which channels people talked at its touchpoints; a channel that comes back is there
    /// again.
    pub channels: Vec<String>,
    /// How often the channel changed.
    pub switches: u64,
    /// How often the customer's side was in touch.
    pub contacts: u64,
    /// How long the customer waited for the business; in JSON in seconds.
    #[serde(rename = "customer_waited_s", serialize_with = "in_seconds")]
    pub customer_waited: Micros,
    /// How long the business waited for the customer; in JSON in seconds.
    #[serde(rename = "company_waited_s", serialize_with = "in_seconds")]
    pub company_waited: Micros,
    /// How long until it ends by itself, or is too long, if nothing happens; `None` unless open. In
    /// JSON in seconds.
    #[serde(rename = "remaining_s", serialize_with = "perhaps_in_seconds")]
    pub remaining: Option<Micros>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde gives it")]
fn in_seconds<S: Serializer>(time: &Micros, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_i64(time.as_seconds())
}

#[expect(clippy::ref_option, reason = "as serde gives it")]
fn perhaps_in_seconds<S: Serializer>(time: &Option<Micros>, to: S) -> Result<S::Ok, S::Error> {
    time.map(Micros::as_seconds).serialize(to)
}

fn each_in_seconds<S: Serializer>(times: &[(String, Micros)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(times.iter().map(|(phase, time)| (phase, time.as_seconds())))
}

/// The instances of a journey in a customer's events, by key and then in order. `events` stand in
/// timeline order; those after `as_of` are not looked at. Linear in the events and touchpoints.
///
/// ```
/// use cx_core::journey::{instances, shipped};
/// let as_of = "2026-03-04T10:00:00Z".parse()?;
/// assert!(instances(&shipped()[0], &[], as_of).is_empty());
/// # Ok::<(), cx_core::time::TimeError>(())
/// ```
pub fn instances(definition: &Definition, events: &[&Event], as_of: Timestamp) -> Vec<Instance> {
    instances_among(definition, events, &[], as_of)
}

/// The same, with what others did in the conversations of these events, in timeline order: who asked
/// is answered also where somebody else is addressed. Only definitions with `settled` look at it.
pub fn instances_among(
    definition: &Definition,
    events: &[&Event],
    beside: &[&Event],
    as_of: Timestamp,
) -> Vec<Instance> {
    let events = &with_answers(definition, events, beside, as_of);
    let lanes = walks(definition, &definition.hash(), events, as_of).into_iter().flatten();
    lanes.map(|walk| walk.told(definition)).collect()
}

/// Of each key the last instance, by key, in short. `hash` is that of the definition.
pub(super) fn last_summaries(
    definition: &Definition,
    hash: &str,
    events: &[&Event],
    beside: &[&Event],
    as_of: Timestamp,
) -> Vec<Summary> {
    let events = &with_answers(definition, events, beside, as_of);
    let lanes = walks(definition, hash, events, as_of).into_iter();
    lanes.filter_map(|mut walks| Some(walks.pop()?.summary(definition))).collect()
}

/// The instances of each key, in order.
fn walks<'a>(
    definition: &Definition,
    hash: &str,
    events: &[&'a Event],
    as_of: Timestamp,
) -> Vec<Vec<Walk<'a>>> {
    let upto = events.partition_point(|event| event.occurred_at <= as_of);
    let events = events.get(..upto).unwrap_or_default();
    let mut lanes: HashMap<Cow<'a, str>, Vec<&'a Event>> = HashMap::new();
    for (event, key) in events.iter().zip(keys(definition.key, events)) {
        if let Some(key) = key {
            lanes.entry(key).or_default().push(event);
        }
    }
    let mut lanes: Vec<_> = lanes.into_iter().collect();
    lanes.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let one_key = match definition.settled {
        Some(_) => conversation::one_key_each(events),
        None => HashMap::new(),
    };
    let unsaid = as_if_not_said(events);
    let mut walks = Vec::new();
    for (key, events) in lanes {
        let mut lane = Lane {
            definition,
            hash,
            key: key.into_owned(),
            as_of,
            one_key: &one_key,
            unsaid: &unsaid,
            kept: BTreeSet::new(),
            merges: Merges::default(),
            current: None,
            ended: Vec::new(),
        };
        for event in answered_first(definition, events) {
            lane.take(event);
        }
        walks.push(lane.finish(as_of));
    }
    walks
}

/// An instance whose steps are not told yet.
struct Walk<'a> {
    /// All but the steps, and of the deviations those that no event makes.
    instance: Instance,
    steps: Vec<Taken<'a>>,
}

/// A step, borrowed.
struct Taken<'a> {
    event: &'a Event,
    /// Which touchpoint it is.
    touchpoint: Option<usize>,
    is_again: bool,
    is_early: bool,
}

impl<'a> Taken<'a> {
    const fn unplanned(event: &'a Event) -> Self {
        Self { event, touchpoint: None, is_again: false, is_early: false }
    }
}

impl Walk<'_> {
    fn summary(&self, definition: &Definition) -> Summary {
        let planned = |taken: &Taken<'_>| definition.touchpoints.get(taken.touchpoint?);
        let last_step = self.steps.iter().rev().find_map(|taken| {
            let touchpoint = planned(taken)?.id.clone();
            let (at, event) = (taken.event.occurred_at.to_string(), taken.event.key.to_string());
            Some(StepSummary { touchpoint, at, event })
        });
        let steps = count(self.steps.iter().filter(|taken| planned(taken).is_some()));
        Summary::with(definition, &self.instance, last_step, steps)
    }

    fn told(self, definition: &Definition) -> Instance {
        let mut instance = self.instance;
        let late = std::mem::take(&mut instance.deviations);
        for taken in self.steps {
            let touchpoint = taken.touchpoint.and_then(|at| definition.touchpoints.get(at));
            let event = &taken.event.key;
            if let Some(it) = touchpoint.filter(|_| taken.is_again) {
                let (touchpoint, event) = (it.id.clone(), event.clone());
                instance.deviations.push(Deviation::Repeated { touchpoint, event });
            }
            if let Some(it) = touchpoint.filter(|_| taken.is_early) {
                let (touchpoint, event) = (it.id.clone(), event.clone());
                instance.deviations.push(Deviation::OutOfOrder { touchpoint, event });
            }
            instance.steps.push(Step {
                event: event.clone(),
                at: taken.event.occurred_at,
                kind: taken.event.kind.name().into_owned(),
                touchpoint: touchpoint.map(|it| it.id.clone()),
                phase: touchpoint.map(|it| it.phase.clone()),
            });
        }
        instance.deviations.extend(late);
        instance
    }
}

/// The journeys of one key, one after the other.
struct Lane<'d, 'a> {
    definition: &'d Definition,
    hash: &'d str,
    key: String,
    as_of: Timestamp,
    /// The one key of each conversation that has several.
    one_key: &'d HashMap<ConversationKey, ConversationKey>,
    /// What is as if it had not been said.
    unsaid: &'d HashSet<&'a EventKey>,
    /// The conversations whose state the source keeps.
    kept: BTreeSet<ConversationKey>,
    /// Which conversations live on in which.
    merges: Merges,
    current: Option<Going<'a>>,
    ended: Vec<Walk<'a>>,
}

/// A journey that goes on.
struct Going<'a> {
    instance: Instance,
    steps: Vec<Taken<'a>>,
    /// Which touchpoints have been.
    been: Vec<bool>,
    /// Which phases have been.
    phases_been: Vec<bool>,
    /// When the goal of each phase was met.
    goals: Vec<Option<Timestamp>>,
    /// What was asked in it, where the definition says what settles that.
    matters: Matters,
    last_activity: Timestamp,
    /// The latest phase so far.
    furthest: usize,
    asked_at: Option<Timestamp>,
    answered_at: Option<Timestamp>,
    phase_since: Timestamp,
    in_phase: Vec<Micros>,
}

impl<'a> Lane<'_, 'a> {
    fn take(&mut self, event: &'a Event) {
        self.expire(event.occurred_at);
        let definition = self.definition;
        if self.unsaid.contains(&event.key) {
            if let Some(going) = &mut self.current {
                going.steps.push(Taken::unplanned(event));
            }
            return;
        }
        let starts = || definition.start.matches(event);
        if definition.reentry == Reentry::OnNewStart
            && self.current.as_ref().is_some_and(|going| !going.steps.is_empty())
            && starts()
            // What ends a journey ends the one that goes on, and begins another only then.
            && !definition.ends(event)
        {
            self.end(event.occurred_at, |going| {
                let phase = going.instance.phase.clone();
                (Outcome::Abandoned { phase }, going.last_activity)
            });
        }
        let place = self.place(event);
        let goes_on = place.as_ref().is_some_and(|place| self.merge(place, event));
        if self.current.is_none() {
            let may_begin = definition.reentry != Reentry::None || self.ended.is_empty();
            if !may_begin || !starts() {
                return;
            }
            self.current = Some(self.begin(event.occurred_at));
        }
        let Some(going) = &mut self.current else { return };
        going.step(definition, event, self.as_of);
        let outcome = if goes_on {
            None
        } else if definition.goal.matches(event) {
            Some(Outcome::Reached)
        } else if definition.exit.as_ref().is_some_and(|exit| exit.matches(event)) {
            Some(Outcome::Exited)
        } else {
            None
        };
        let outcome = match &definition.settled {
            None => outcome,
            Some(settled) => {
                if starts() {
                    going.matters.ask(place.as_ref(), event);
                }
                let places = self.merges.places(place);
                // Who will pick up has not yet.
                let is_later = answered_at(event).is_some_and(|at| at > self.as_of);
                if !goes_on && !is_later && settled.matches(event) {
                    going.matters.settle(&places, event);
                }
                outcome.and_then(|outcome| going.matters.close(&places, event, outcome))
            }
        };
        if let Some(outcome) = outcome {
            self.end(event.occurred_at, |_| (outcome, event.occurred_at));
        }
    }

    /// The conversation of an event, where the definition says what settles one.
    fn place(&mut self, event: &Event) -> Option<ConversationKey> {
        self.definition.settled.as_ref()?;
        let key = &event.conversation.as_ref()?.key;
        let key = self.one_key.get(key).unwrap_or(key).clone();
        if tells_state(event) {
            self.kept.insert(key.clone());
        }
        Some(key)
    }

    /// Notes in which conversation another one lives on. Tells whether that is all that the event
    /// says: nothing ends where something is merged, nor where it is shut since it lives on
    /// elsewhere.
    fn merge(&mut self, place: &ConversationKey, event: &Event) -> bool {
        match &event.kind {
            Kind::ConversationMerged(merged) => {
                let into = merged.into.as_ref().and_then(|into| into.parse().ok());
                let Some(into) = into else { return false };
                let into = self.one_key.get(&into).cloned().unwrap_or(into);
                self.merges.note(place, into);
                self.kept.insert(place.clone());
                true
            }
            Kind::ConversationStatus(status) if status.to.is_open() => {
                self.merges.undo(place);
                false
            }
            Kind::ConversationStatus(_) => self.merges.is_merged(place),
            Kind::ConversationRestored(_) => {
                self.merges.undo(place);
                false
            }
            _ => false,
        }
    }

    fn begin(&self, at: Timestamp) -> Going<'a> {
        let seq = u32::try_from(self.ended.len()).unwrap_or(u32::MAX).saturating_add(1);
        let instance = Instance {
            definition: self.definition.id.clone(),
            version: self.definition.version,
            hash: self.hash.to_owned(),
            key: self.key.clone(),
            seq,
            started: at,
            ended: None,
            outcome: Outcome::Open,
            phase: None,
            steps: Vec::new(),
            deviations: Vec::new(),
            in_phase: Vec::new(),
            goals_met: Vec::new(),
            channels: Vec::new(),
            switches: 0,
            contacts: 0,
            customer_waited: Micros::ZERO,
            company_waited: Micros::ZERO,
            remaining: None,
        };
        Going {
            instance,
            steps: Vec::new(),
            been: vec![false; self.definition.touchpoints.len()],
            phases_been: vec![false; self.definition.phases.len()],
            goals: vec![None; self.definition.phases.len()],
            matters: Matters::default(),
            last_activity: at,
            furthest: 0,
            asked_at: None,
            answered_at: None,
            phase_since: at,
            in_phase: vec![Micros::ZERO; self.definition.phases.len()],
        }
    }

    /// Ends a journey that had been left alone, or had gone on, for too long before `now`. Whichever
    /// was first counts, so that an ended journey stays as it ended, whenever one asks.
    fn expire(&mut self, now: Timestamp) {
        let Some(going) = &self.current else { return };
        let (idle, longest) = going.limits(self.definition);
        let end = longest.map_or(idle, |longest| longest.min(idle));
        if now <= end {
            return;
        }
        // Nobody waited for what was settled.
        let is_settled = going.matters.are_settled(&self.kept);
        let until = if is_settled { going.last_activity } else { end };
        self.end(until, |going| {
            let phase = going.instance.phase.clone();
            let outcome = match () {
                () if is_settled => Outcome::Reached,
                () if end == idle => Outcome::Abandoned { phase },
                () => Outcome::TooLong,
            };
            (outcome, going.last_activity)
        });
    }

    /// Ends the journey; who still waits has waited until then.
    fn end(&mut self, until: Timestamp, how: impl FnOnce(&Going<'a>) -> (Outcome, Timestamp)) {
        let Some(mut going) = self.current.take() else { return };
        let (outcome, at) = how(&going);
        going.wait_until(until);
        going.close_phases(self.definition, at, until);
        let mut instance = going.instance;
        for (touchpoint, has_been) in self.definition.touchpoints.iter().zip(&going.been) {
            if touchpoint.expected == Expected::Required && !has_been {
                let touchpoint = touchpoint.id.clone();
                instance.deviations.push(Deviation::Missing { touchpoint });
            }
        }
        instance.outcome = outcome;
        instance.ended = Some(at);
        self.ended.push(Walk { instance, steps: going.steps });
    }

    fn finish(mut self, as_of: Timestamp) -> Vec<Walk<'a>> {
        self.expire(as_of);
        if let Some(mut going) = self.current.take() {
            // As it will have been when it ends, if nothing happens.
            let is_settled = going.matters.are_settled(&self.kept);
            let until = if is_settled { going.last_activity } else { as_of };
            going.wait_until(until);
            going.close_phases(self.definition, until, until);
            let (idle, longest) = going.limits(self.definition);
            let end = longest.map_or(idle, |longest| longest.min(idle));
            going.instance.remaining = Some(end.since(as_of));
            self.ended.push(Walk { instance: going.instance, steps: going.steps });
        }
        self.ended
    }
}

impl<'a> Going<'a> {
    /// When it counts as abandoned if nothing happens, and when it has taken too long.
    fn limits(&self, definition: &Definition) -> (Timestamp, Option<Timestamp>) {
        let longest = definition.max_length.map(|most| self.instance.started + most.0);
        (self.last_activity + definition.inactivity.0, longest)
    }

    fn step(&mut self, definition: &Definition, event: &'a Event, as_of: Timestamp) {
        let found = definition.touchpoints.iter().position(|it| it.when.matches(event));
        let planned = found.and_then(|at| Some((at, definition.touchpoints.get(at)?)));
        let mut taken = Taken { touchpoint: found, ..Taken::unplanned(event) };
        for (phase, met) in definition.phases.iter().zip(&mut self.goals) {
            if met.is_none() && phase.goal_when.as_ref().is_some_and(|it| it.matches(event)) {
                *met = Some(event.occurred_at);
            }
        }
        if let Some((at, touchpoint)) = planned {
            self.planned(definition, touchpoint, &mut taken);
            if let Some(been) = self.been.get_mut(at) {
                taken.is_again = *been && touchpoint.expected != Expected::Repeatable;
                *been = true;
            }
        }
        self.steps.push(taken);
        if planned.is_some_and(|(_, it)| it.mode == Mode::Communication) {
            self.talk(event, as_of);
        }
    }

    fn planned(&mut self, definition: &Definition, touchpoint: &Touchpoint, taken: &mut Taken<'_>) {
        let index = definition.phase_index(&touchpoint.phase).unwrap_or_default();
        // Who only sees something goes on with nothing, and back to nothing.
        let is_only_seen = touchpoint.mode == Mode::Exposure;
        if let Some(been) = self.phases_been.get_mut(index) {
            let is_return = *been && touchpoint.expected == Expected::Repeatable;
            taken.is_early = index < self.furthest && !is_return && !is_only_seen;
            *been = true;
        }
        if is_only_seen && index < self.furthest {
            return;
        }
        let at = taken.event.occurred_at;
        if self.instance.phase.as_ref() != Some(&touchpoint.phase) {
            self.leave_phase(definition, at);
            self.instance.phase = Some(touchpoint.phase.clone());
        }
        self.furthest = self.furthest.max(index);
        if !is_only_seen {
            self.last_activity = at;
        }
    }

    fn leave_phase(&mut self, definition: &Definition, at: Timestamp) {
        let phase = self.instance.phase.as_deref().and_then(|id| definition.phase_index(id));
        if let Some(spent) = phase.and_then(|index| self.in_phase.get_mut(index)) {
            *spent = *spent + at.since(self.phase_since);
        }
        self.phase_since = at;
    }

    /// Ends the last phase. Whether it was late is judged by the time until nobody could go on.
    fn close_phases(&mut self, definition: &Definition, at: Timestamp, until: Timestamp) {
        self.leave_phase(definition, at.max(self.phase_since));
        let idle = until.since(at).max(Micros::ZERO);
        let phases = definition.phases.iter().zip(&self.in_phase).zip(&self.goals);
        for ((phase, spent), met) in phases {
            let is_last = self.instance.phase.as_ref() == Some(&phase.id);
            let mut taken = *spent;
            add(&mut taken, if is_last { idle } else { Micros::ZERO });
            if phase.expected.is_some_and(|expected| taken > expected.0) {
                self.instance.deviations.push(Deviation::Late { phase: phase.id.clone() });
            }
            self.instance.in_phase.push((phase.id.clone(), *spent));
            self.instance.goals_met.extend(met.map(|met| (phase.id.clone(), met)));
        }
    }

    /// Who spoke, where, and who waits now. What comes after `as_of` has not come.
    fn talk(&mut self, event: &Event, as_of: Timestamp) {
        let at = event.occurred_at;
        let is_asked = event.is_from_customer();
        let answered_at = answered_at(event);
        if !is_asked && answered_at.is_none() {
            return;
        }
        let channel = event.channel.name();
        if self.instance.channels.last().is_none_or(|last| *last != channel) {
            self.instance.switches += u64::from(!self.instance.channels.is_empty());
            self.instance.channels.push(channel.into_owned());
        }
        if is_asked {
            self.instance.contacts += 1;
            if let Some(since) = self.answered_at.take() {
                add(&mut self.instance.company_waited, at.since(since));
            }
            self.asked_at.get_or_insert(at);
        }
        if let Some(at) = answered_at.filter(|at| *at <= as_of) {
            if let Some(since) = self.asked_at.take() {
                add(&mut self.instance.customer_waited, at.since(since));
            }
            self.answered_at.get_or_insert(at);
        }
    }

    fn wait_until(&mut self, at: Timestamp) {
        if let Some(since) = self.asked_at.take() {
            add(&mut self.instance.customer_waited, at.since(since));
        }
        if let Some(since) = self.answered_at.take() {
            add(&mut self.instance.company_waited, at.since(since));
        }
    }
}

fn add(to: &mut Micros, more: Micros) {
    *to = *to + more.max(Micros::ZERO);
}
