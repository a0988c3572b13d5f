//! Instances: how a journey really went.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::definition::{Definition, Expected, Key, Mode, Reentry, Touchpoint};
use super::{StepSummary, Summary, count};
use crate::conversation;
use crate::event::{Event, Kind};
use crate::identifier::{Claim, Namespace};
use crate::ids::{ConversationKey, EventKey};
use crate::time::{Micros, Timestamp};

/// How a journey stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
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
    /// A touchpoint of an earlier phase came after one of a later phase.
    OutOfOrder {
        /// The touchpoint.
        touchpoint: String,
        /// The event.
        event: EventKey,
    },
    /// A phase took longer than it should.
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
    /// last planned step.
    pub ended: Option<Timestamp>,
    /// How it stands.
    pub outcome: Outcome,
    /// The phase of the last planned step.
    pub phase: Option<String>,
    /// Its events, in order.
    pub steps: Vec<Step>,
    /// Where it went another way than planned.
    pub deviations: Vec<Deviation>,
    /// The time in each phase, in order of the phases.
    pub in_phase: Vec<(String, Micros)>,
    /// On which channels people talked at its touchpoints; a channel that comes back is there
    /// again.
    pub channels: Vec<String>,
    /// How often the channel changed.
    pub switches: u64,
    /// How often the customer's side was in touch.
    pub contacts: u64,
    /// How long the customer waited for the business.
    pub customer_waited: Micros,
    /// How long the business waited for the customer.
    pub company_waited: Micros,
    /// How long until it counts as abandoned, or as too long, if nothing happens; `None` unless open.
    pub remaining: Option<Micros>,
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
    let lanes = walks(definition, &definition.hash(), events, as_of).into_iter().flatten();
    lanes.map(|walk| walk.told(definition)).collect()
}

/// Of each key the last instance, by key, in short. `hash` is that of the definition.
pub(super) fn last_summaries(
    definition: &Definition,
    hash: &str,
    events: &[&Event],
    as_of: Timestamp,
) -> Vec<Summary> {
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
    let keys = Keys::of(definition.key, events);
    let mut lanes: HashMap<Cow<'_, str>, Vec<&'a Event>> = HashMap::new();
    for event in events {
        if let Some(key) = keys.key(event) {
            lanes.entry(key).or_default().push(event);
        }
    }
    let mut lanes: Vec<_> = lanes.into_iter().collect();
    lanes.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let mut walks = Vec::new();
    for (key, events) in lanes {
        let key = key.into_owned();
        let mut lane = Lane { definition, hash, key, current: None, ended: Vec::new() };
        for event in events {
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

/// What each event is about.
struct Keys {
    key: Key,
    /// The order that a cart or a checkout became.
    orders: BTreeMap<String, String>,
    /// The one key of each conversation that has several.
    conversations: HashMap<ConversationKey, ConversationKey>,
}

impl Keys {
    fn of(key: Key, events: &[&Event]) -> Self {
        let mut orders = BTreeMap::new();
        if key == Key::Order {
            for event in events {
                let Some(order) = bridge(event, &Namespace::Order) else { continue };
                for namespace in [Namespace::Cart, Namespace::Checkout] {
                    for claim in claims(event, &namespace) {
                        orders.insert(claim.identifier().to_string(), order.clone());
                    }
                }
            }
        }
        let conversations = match key {
            Key::Conversation => conversation::one_key_each(events),
            Key::Customer | Key::Order => HashMap::new(),
        };
        Self { key, orders, conversations }
    }

    fn key<'k>(&'k self, event: &'k Event) -> Option<Cow<'k, str>> {
        match self.key {
            Key::Customer => Some(Cow::from("")),
            Key::Conversation => {
                let key = &event.conversation.as_ref()?.key;
                Some(self.conversations.get(key).unwrap_or(key).as_str().into())
            }
            Key::Order => {
                let order = bridge(event, &Namespace::Order).or_else(|| {
                    let stands = [Namespace::Cart, Namespace::Checkout]
                        .into_iter()
                        .find_map(|namespace| bridge(event, &namespace))?;
                    Some(self.orders.get(&stands).cloned().unwrap_or(stands))
                });
                order.map(Cow::from)
            }
        }
    }
}

fn claims<'a>(event: &'a Event, namespace: &Namespace) -> impl Iterator<Item = &'a Claim> {
    event.who.iter().filter(move |claim| claim.identifier().namespace() == namespace)
}

fn bridge(event: &Event, namespace: &Namespace) -> Option<String> {
    claims(event, namespace).next().map(|claim| claim.identifier().to_string())
}

/// The journeys of one key, one after the other.
struct Lane<'d, 'a> {
    definition: &'d Definition,
    hash: &'d str,
    key: String,
    current: Option<Going<'a>>,
    ended: Vec<Walk<'a>>,
}

/// A journey that goes on.
struct Going<'a> {
    instance: Instance,
    steps: Vec<Taken<'a>>,
    /// Which touchpoints have been.
    been: Vec<bool>,
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
        let starts = || definition.start.matches(event);
        if definition.reentry == Reentry::OnNewStart
            && self.current.as_ref().is_some_and(|going| !going.steps.is_empty())
            && starts()
        {
            self.end(event.occurred_at, |going| {
                let phase = going.instance.phase.clone();
                (Outcome::Abandoned { phase }, going.last_activity)
            });
        }
        if self.current.is_none() {
            let may_begin = definition.reentry != Reentry::None || self.ended.is_empty();
            if !may_begin || !starts() {
                return;
            }
            self.current = Some(self.begin(event.occurred_at));
        }
        let Some(going) = &mut self.current else { return };
        going.step(definition, event);
        if definition.goal.matches(event) {
            self.end(event.occurred_at, |_| (Outcome::Reached, event.occurred_at));
        } else if definition.exit.as_ref().is_some_and(|exit| exit.matches(event)) {
            self.end(event.occurred_at, |_| (Outcome::Exited, event.occurred_at));
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
        self.end(end, |going| {
            let phase = going.instance.phase.clone();
            let outcome = if end == idle { Outcome::Abandoned { phase } } else { Outcome::TooLong };
            (outcome, going.last_activity)
        });
    }

    /// Ends the journey; who still waits has waited until then.
    fn end(&mut self, until: Timestamp, how: impl FnOnce(&Going<'a>) -> (Outcome, Timestamp)) {
        let Some(mut going) = self.current.take() else { return };
        let (outcome, at) = how(&going);
        going.wait_until(until);
        going.close_phase(self.definition, at);
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
            going.wait_until(as_of);
            going.close_phase(self.definition, as_of);
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

    fn step(&mut self, definition: &Definition, event: &'a Event) {
        let found = definition.touchpoints.iter().position(|it| it.when.matches(event));
        let planned = found.and_then(|at| Some((at, definition.touchpoints.get(at)?)));
        let mut taken = Taken { event, touchpoint: found, is_again: false, is_early: false };
        if let Some((at, touchpoint)) = planned {
            self.planned(definition, touchpoint, &mut taken);
            if let Some(been) = self.been.get_mut(at) {
                taken.is_again = *been && touchpoint.expected != Expected::Repeatable;
                *been = true;
            }
        }
        self.steps.push(taken);
        if planned.is_some_and(|(_, it)| it.mode == Mode::Communication) {
            self.talk(event);
        }
    }

    fn planned(&mut self, definition: &Definition, touchpoint: &Touchpoint, taken: &mut Taken<'_>) {
        let index = definition.phase_index(&touchpoint.phase).unwrap_or_default();
        taken.is_early = index < self.furthest;
        let at = taken.event.occurred_at;
        if self.instance.phase.as_ref() != Some(&touchpoint.phase) {
            self.leave_phase(definition, at);
            self.instance.phase = Some(touchpoint.phase.clone());
        }
        self.furthest = self.furthest.max(index);
        self.last_activity = at;
    }

    fn leave_phase(&mut self, definition: &Definition, at: Timestamp) {
        let phase = self.instance.phase.as_deref().and_then(|id| definition.phase_index(id));
        if let Some(spent) = phase.and_then(|index| self.in_phase.get_mut(index)) {
            *spent = Micros::new(spent.as_micros() + at.since(self.phase_since).as_micros());
        }
        self.phase_since = at;
    }

    fn close_phase(&mut self, definition: &Definition, at: Timestamp) {
        self.leave_phase(definition, at.max(self.phase_since));
        for (phase, spent) in definition.phases.iter().zip(&self.in_phase) {
            if phase.expected.is_some_and(|expected| *spent > expected.0) {
                self.instance.deviations.push(Deviation::Late { phase: phase.id.clone() });
            }
            self.instance.in_phase.push((phase.id.clone(), *spent));
        }
    }

    /// Who spoke, where, and who waits now.
    fn talk(&mut self, event: &Event) {
        let at = event.occurred_at;
        let is_asked = event.is_from_customer();
        let is_answered = event.is_agent_answer();
        if !is_asked && !is_answered {
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
        let picked_up = matches!(&event.kind, Kind::Call(call) if call.answered_at.is_some());
        if is_answered || (is_asked && picked_up) {
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
    *to = Micros::new(to.as_micros() + more.as_micros().max(0));
}
