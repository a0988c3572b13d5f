//! Conversations: what is being talked of, and who waits on whom.
//!
//! A [`Conversation`] is folded from its events in timeline order. Where the source keeps the
//! state (tickets, chats), its word counts; where it keeps none (mail threads, calls), the state
//! follows from who spoke last. A state that the source reaches by an unusual way is kept and
//! noted as an anomaly: an import never fails for it.

mod calls;
pub mod corrections;
mod fold;
mod promise;
pub mod state;
mod threads;
mod unsaid;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::actor::ActorType;
use crate::channel::Channel;
use crate::event::conversation::{Handover, Party, State};
use crate::event::promise::Callback;
use crate::event::{Direction, Source};
use crate::ids::{ConversationKey, EventKey};
use crate::time::{Micros, Timestamp};

pub use calls::{LONGEST_CALL, Missed, people_talked_until};
pub use corrections::{Corrections, bare};
pub use fold::{ConversationFold, fold};
pub use promise::Promise;
pub use state::{IllegalTransition, Lifecycle};
pub use threads::threads;

use promise::keep_call;

pub(crate) use calls::goes_on;
pub(crate) use threads::one_key_each;
pub(crate) use unsaid::{as_if_not_said, unsays};

/// Who has to act before the conversation can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum WaitingOn {
    /// The business.
    Us,
    /// The customer.
    Customer,
    /// Somebody else.
    Third,
}

/// The last thing somebody said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastMessage {
    /// The event.
    pub event: EventKey,
    /// When.
    pub at: Timestamp,
    /// Where.
    pub channel: Channel,
    /// Which way.
    pub direction: Direction,
    /// Who, as a type.
    pub actor: ActorType,
    /// Who, by name.
    pub actor_name: Option<String>,
    /// The text; `None` where there is none, or it was taken out.
    pub text: Option<String>,
}

/// A hand-over and when it happened.
#[derive(Debug, Clone, PartialEq)]
pub struct HandedOver {
    /// When.
    pub at: Timestamp,
    /// The event.
    pub event: EventKey,
    /// From whom to whom, why, and what is known.
    pub handover: Handover,
    /// When a person first answered or took it afterwards; `None` while nobody has.
    pub accepted_at: Option<Timestamp>,
}

/// From opening, or reopening, to resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cycle {
    /// When it began.
    pub started_at: Timestamp,
    /// The customer's first message or call in it.
    pub asked_at: Option<Timestamp>,
    /// The first answer by a person after that.
    pub answered_at: Option<Timestamp>,
    /// The first answer by a bot or model after that.
    pub bot_answered_at: Option<Timestamp>,
    /// Whether it was resolved.
    pub is_resolved: bool,
    /// When it was resolved; `None` also where nobody knows: the first that was heard of it is that
    /// it was.
    pub resolved_at: Option<Timestamp>,
}

impl Cycle {
    const fn from(started_at: Timestamp) -> Self {
        Self {
            started_at,
            asked_at: None,
            answered_at: None,
            bot_answered_at: None,
            is_resolved: false,
            resolved_at: None,
        }
    }
}

/// A step of the state that is not in the table of `docs/model.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anomaly {
    /// The event that made it.
    pub event: EventKey,
    /// What was unusual.
    pub transition: IllegalTransition,
}

/// A conversation as its events leave it.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// Its key.
    pub key: ConversationKey,
    /// Where it was held.
    pub source: Source,
    /// What it is about.
    pub subject: Option<String>,
    /// On which channels people talked in it, in the order of first use.
    pub channels: Vec<Channel>,
    /// Who has to act.
    pub state: State,
    /// What the source calls that state.
    pub native_state: Option<String>,
    /// Since when it is in that state.
    pub since: Timestamp,
    /// Why it is in that state, as the source says.
    pub reason: Option<String>,
    /// When it began.
    pub opened_at: Timestamp,
    /// How often it was opened again.
    pub reopened: u32,
    /// The person who has it.
    pub assignee: Option<Party>,
    /// The team that has it.
    pub team: Option<Party>,
    /// Its priority, as the source has it.
    pub priority: Option<String>,
    /// Its tags, sorted.
    pub tags: Vec<String>,
    /// Who has to act before it can go on; `None` where nobody has to.
    pub waiting_on: Option<WaitingOn>,
    /// Since when.
    pub waiting_since: Option<Timestamp>,
    /// Until when nobody has to act, where it is snoozed and nothing happened since that asks
    /// sooner: see [`Conversation::at`].
    pub snoozed_until: Option<Timestamp>,
    /// Whether anything in it asks somebody to act: not so where there is only what we sent by
    /// itself, a rating, a note.
    pub asks: bool,
    /// Whether anything in it asks us to act: not so where only we spoke.
    pub is_asked: bool,
    /// When a person of the business last answered in it.
    pub answered_at: Option<Timestamp>,
    /// When people of the business answered in it, in the order of its events.
    pub answers: Vec<Timestamp>,
    /// Since when a call goes on whose end was not told.
    pub call_since: Option<Timestamp>,
    /// The calls that nobody took and the voicemails, where it waits for us for nothing else and the
    /// source does not keep its state.
    pub missed: Vec<Missed>,
    /// The last thing somebody said to somebody.
    pub last: Option<LastMessage>,
    /// Promises that are not kept yet, by due time.
    pub promises: Vec<Promise>,
    /// The last hand-over of the current cycle, with what was known at the earlier ones.
    pub handover: Option<HandedOver>,
    /// The conversation it lives on in.
    pub merged_into: Option<String>,
    /// From opening or reopening to resolution, in order; at least one.
    pub cycles: Vec<Cycle>,
    /// How many messages and calls the customer's side made.
    pub n_contacts: u32,
    /// Unusual steps of the state.
    pub anomalies: Vec<Anomaly>,
    /// Whether the source keeps the state.
    is_mirrored: bool,
    /// Where it was merged: since when something was unanswered then.
    asked_before_merge: Option<Timestamp>,
    /// And when something was asked in it since that nobody answered in it.
    asked_since_merge: Vec<Timestamp>,
    /// Calls that were made, as they were told, and kept no promise of this conversation.
    calls_made: Vec<(Timestamp, Callback)>,
    /// Who has to act, and since when, once a call does not go on any more whose end was not told.
    waiting_after_call: Option<(WaitingOn, Timestamp)>,
}

/// So long after an answer a conversation is open whose source keeps no state: nothing else will end
/// it.
pub const LONGEST_SILENCE: Micros = Micros::DAY.times(14);

/// Until when something stands open that nothing ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lapse {
    /// A call from nobody knows whom, a day after it.
    Nameless(Timestamp),
    /// A call whose end was not told.
    Call(Timestamp),
    /// An answer on which nothing more was said.
    Silence(Timestamp),
}

impl Lapse {
    const fn at(self) -> Timestamp {
        match self {
            Self::Nameless(at) | Self::Call(at) | Self::Silence(at) => at,
        }
    }
}

impl Conversation {
    /// Whether it stands open: somebody has to act in it, or will have to.
    pub const fn is_open(&self) -> bool {
        self.asks && (self.state.is_open() || matches!(self.waiting_on, Some(WaitingOn::Us)))
    }

    /// Whether anything will tell when it is resolved: its source keeps the state, or it is held by
    /// phone, where a call that somebody took resolves it.
    pub fn can_be_resolved(&self) -> bool {
        self.is_mirrored
            || self.channels.contains(&Channel::Phone)
            || self.cycles.iter().any(|cycle| cycle.is_resolved)
    }

    /// As it stands at an instant: what was snoozed until then waits for us since, and what nothing
    /// ends is over when its time is.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        if let Some(until) = self.snoozed_until.filter(|until| *until <= now) {
            self.waiting_on = Some(WaitingOn::Us);
            self.waiting_since = Some(until);
        }
        match self.lapses().filter(|lapse| lapse.at() < now) {
            // Nobody knows how long they talked.
            Some(Lapse::Call(at)) => {
                self.call_since = None;
                let waits = self.waiting_after_call.take();
                if !self.is_mirrored {
                    self.lapse(at);
                }
                let waits = waits.filter(|(on, _)| self.is_mirrored || *on == WaitingOn::Us);
                (self.waiting_on, self.waiting_since) = waits.unzip();
            }
            Some(Lapse::Nameless(at)) => {
                self.lapse(at);
                self.missed.clear();
            }
            Some(Lapse::Silence(_)) => self.asks = false,
            None => {}
        }
        self
    }

    /// Until when it stands open where nothing ends it.
    pub fn lapses(&self) -> Option<Lapse> {
        if let Some(since) = self.call_since {
            return Some(Lapse::Call(since + LONGEST_CALL));
        }
        if !self.promises.is_empty() || self.is_mirrored {
            return None;
        }
        let silence = self.waiting_since.filter(|_| self.waiting_on == Some(WaitingOn::Customer));
        if let Some(since) = silence {
            return Some(Lapse::Silence(since + LONGEST_SILENCE));
        }
        let nameless: Option<Vec<Timestamp>> =
            self.missed.iter().map(Missed::waits_until).collect();
        nameless.and_then(|until| until.into_iter().max()).map(Lapse::Nameless)
    }

    /// Who has to act once a call does not go on any more whose end was not told.
    pub fn waiting_after_call(&self) -> Option<WaitingOn> {
        let waits = self.waiting_after_call.map(|(on, _)| on);
        waits.filter(|on| self.is_mirrored || *on == WaitingOn::Us)
    }

    /// It is resolved since then, though nobody told when.
    fn lapse(&mut self, at: Timestamp) {
        self.state = State::Resolved;
        self.since = at;
        (self.waiting_on, self.waiting_since) = (None, None);
        if let Some(cycle) = self.cycles.last_mut() {
            cycle.is_resolved = true;
        }
    }

    /// Whether it is over though nobody said so: it has only missed calls, and whoever made each of
    /// them was reached then or later.
    pub fn was_called_back(&self, was_reached: impl FnMut(&Missed) -> bool) -> bool {
        !self.missed.is_empty() && self.missed.iter().all(was_reached)
    }

    /// As it stands where those who called in vain were reached: for each missed call when that was,
    /// and until when they talked.
    #[must_use]
    pub fn called_back(mut self, reached: &[Option<(Timestamp, Timestamp)>]) -> Self {
        let first = reached.iter().flatten().map(|(picked_up, _)| *picked_up).min();
        let whole: Option<Vec<Timestamp>> =
            reached.iter().map(|it| it.map(|(_, until)| until)).collect();
        let last = whole.and_then(|ends| ends.into_iter().max());
        let Some(cycle) = self.cycles.last_mut() else { return self };
        if let (Some(first), Some(asked)) = (first, cycle.asked_at) {
            cycle.answered_at.get_or_insert(first.max(asked));
        }
        if let Some(last) = last {
            let end = last.max(cycle.asked_at.unwrap_or(last));
            cycle.is_resolved = true;
            cycle.resolved_at = Some(end);
            self.state = State::Resolved;
            self.since = end;
            (self.waiting_on, self.waiting_since) = (None, None);
            self.missed.clear();
        }
        self
    }

    /// As it stands where it was merged into another one, and that perhaps into a third: what was
    /// asked before waits until somebody answers there or resolves that one, what was asked in it
    /// since until somebody answers after it, here or there, and a call that was made there keeps a
    /// promise of this one. Of these conversations, which are known by one key each, those are sought.
    #[must_use]
    pub fn living_on_among(mut self, among: &[Self]) -> Self {
        if self.state != State::Merged || self.merged_into.is_none() {
            return self;
        }
        let mut before = self.asked_before_merge;
        let mut since = std::mem::take(&mut self.asked_since_merge);
        let mut seen = BTreeSet::from([self.key.clone()]);
        let mut next = self.merged_into.clone();
        let mut there_since = self.since;
        let mut made: Vec<&(Timestamp, Callback)> = Vec::new();
        while let Some(other) =
            among.iter().find(|other| Some(other.key.as_str()) == next.as_deref())
            && seen.insert(other.key.clone())
        {
            let done = matches!(other.state, State::Resolved | State::Closed);
            let settled = other.answered_at.max(Some(other.since).filter(|_| done));
            let is_settled = |asked: &Timestamp| {
                settled.is_some_and(|settled| settled >= there_since.max(*asked))
            };
            before = before.filter(|asked| !is_settled(asked));
            since.retain(|asked| !is_settled(asked));
            made.extend(&other.calls_made);
            next.clone_from(&other.merged_into);
            there_since = there_since.max(other.since);
        }
        made.sort_by_key(|(at, _)| *at);
        for (at, call) in made {
            keep_call(&mut self.promises, call, *at);
        }
        let calls = self.promises.iter().filter(|promise| promise.is_call);
        let owed = calls.map(|promise| promise.promised_at).min();
        let asked = before.or(since.first().copied()).or(owed);
        self.waiting_on = asked.map(|_| WaitingOn::Us);
        self.waiting_since = asked;
        self
    }

    /// Whether they talk at this moment, as far as one can know: a call that began in the last
    /// twelve hours has no end.
    pub fn is_on_the_phone(&self, now: Timestamp) -> bool {
        self.call_since.is_some_and(|since| goes_on(since, now))
    }
}
