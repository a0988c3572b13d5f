//! Conversations: what is being talked of, and who waits on whom.
//!
//! A [`Conversation`] is folded from its events in timeline order. Where the source keeps the
//! state (tickets, chats), its word counts; where it keeps none (mail threads, calls), the state
//! follows from who spoke last. A state that the source reaches by an unusual way is kept and
//! noted as an anomaly: an import never fails for it.

pub mod corrections;
pub mod state;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use crate::actor::ActorType;
use crate::channel::Channel;
use crate::event::conversation::{Handover, Party, PartyType, State};
use crate::event::talk::{Call, CallOutcome};
use crate::event::{Direction, Event, Kind, Source, TimeOrigin, Visibility};
use crate::identifier::{Claim, Identifier, Namespace};
use crate::ids::{ConversationKey, EventKey};
use crate::time::{Micros, Timestamp};

pub use corrections::Corrections;
pub use state::{IllegalTransition, Lifecycle};

/// Who has to act before the conversation can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
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

/// A promise that is not kept yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// What is promised: a metric of a service level, or the words of a promised call.
    pub what: String,
    /// By when.
    pub due_at: Option<Timestamp>,
    /// Who promised it.
    pub by: Option<String>,
    /// Whether the source says that it was not kept in time.
    pub is_breached: bool,
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
    /// Whether anything in it asks somebody to act: not so where there is only what we sent by
    /// itself, a rating, a note.
    pub asks: bool,
    /// Since when a call goes on whose end was not told.
    pub call_since: Option<Timestamp>,
    /// From which numbers calls came that nobody took, where it waits for us for nothing else and
    /// the source does not keep its state.
    pub missed_from: Vec<Identifier>,
    /// When the last of these calls came.
    pub missed_at: Option<Timestamp>,
    /// The last thing somebody said to somebody.
    pub last: Option<LastMessage>,
    /// Promises that are not kept yet, by due time.
    pub promises: Vec<Promise>,
    /// The last hand-over of the current cycle.
    pub handover: Option<HandedOver>,
    /// The conversation it lives on in.
    pub merged_into: Option<String>,
    /// From opening or reopening to resolution, in order; at least one.
    pub cycles: Vec<Cycle>,
    /// How many messages and calls the customer's side made.
    pub n_contacts: u32,
    /// Unusual steps of the state.
    pub anomalies: Vec<Anomaly>,
}

/// After so long a call whose end was not told does not go on any more.
const LONGEST_CALL: Micros = Micros::HOUR.times(12);

impl Conversation {
    /// Whether it stands open: somebody has to act in it, or will have to.
    pub const fn is_open(&self) -> bool {
        self.asks && self.state.is_open()
    }

    /// Whether it is over though nobody said so: it is a missed call, and among these events is a
    /// later one with the same number in which people talked.
    pub fn was_called_back(&self, events: &[&Event]) -> bool {
        let Some(since) = self.missed_at.filter(|_| !self.missed_from.is_empty()) else {
            return false;
        };
        let is_with = |event: &Event| {
            event.who.iter().any(|claim| self.missed_from.contains(claim.identifier()))
        };
        events.iter().any(|event| {
            matches!(&event.kind, Kind::Call(call) if call.outcome == Some(CallOutcome::Answered))
                && event.occurred_at > since
                && !event.actor.kind.is_bot()
                && event.actor.kind != ActorType::Automation
                && is_with(event)
        })
    }

    /// Whether they talk at this moment, as far as one can know: a call that began in the last
    /// twelve hours has no end.
    pub fn is_on_the_phone(&self, now: Timestamp) -> bool {
        self.call_since.is_some_and(|since| goes_on(since, now))
    }
}

/// Whether a call that began then, and of which no end was told, may go on.
pub(crate) fn goes_on(since: Timestamp, now: Timestamp) -> bool {
    now.since(since) <= LONGEST_CALL
}

/// Folds the events of one conversation, in timeline order. Texts are borrowed until the end.
#[derive(Debug, Clone)]
pub struct ConversationFold<'a> {
    key: ConversationKey,
    built: Option<Building<'a>>,
}

#[derive(Debug, Clone)]
struct Building<'a> {
    /// All but the last message.
    conversation: Conversation,
    last: Option<Last<'a>>,
    /// Whether the source keeps the state.
    mirrored: bool,
    /// The customer's first message that no person has answered.
    unanswered_since: Option<Timestamp>,
    answered_at: Option<Timestamp>,
    bot_spoke_last: bool,
    /// Whether the customer has written since nobody answered.
    has_written: bool,
    before_removal: Option<State>,
}

/// The last thing somebody said, and its text as later corrections leave it.
#[derive(Debug, Clone, Copy)]
struct Last<'a> {
    event: &'a Event,
    text: Option<&'a str>,
    /// Whether it was taken out, which no edit takes back.
    is_gone: bool,
}

impl<'a> ConversationFold<'a> {
    /// A fold that has seen nothing.
    pub const fn new(key: ConversationKey) -> Self {
        Self { key, built: None }
    }

    /// Takes the next event, however the source got there.
    pub fn push(&mut self, event: &'a Event) {
        let key = &self.key;
        self.built.get_or_insert_with(|| Building::new(key.clone(), event)).take(event);
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// [`IllegalTransition`] where cx keeps the state and the event would leave the table. The
    /// event then changes nothing.
    pub fn apply(
        &mut self,
        event: &'a Event,
        lifecycle: Lifecycle,
    ) -> Result<(), IllegalTransition> {
        if let (Lifecycle::Own, Some(to)) = (lifecycle, named_state(event)) {
            let from = self.built.as_ref().map_or(State::New, |built| built.conversation.state);
            state::check(from, to)?;
        }
        self.push(event);
        Ok(())
    }

    /// The conversation as the events leave it; `None` if there were none.
    pub fn finish(self) -> Option<Conversation> {
        self.built.map(Building::finish)
    }
}

/// The conversation with this key, folded from its events in timeline order.
pub fn fold(key: ConversationKey, events: &[&Event]) -> Option<Conversation> {
    let mut fold = ConversationFold::new(key);
    for event in events {
        fold.push(event);
    }
    fold.finish()
}

/// The one key of each conversation that these events give several: the smallest of those that are
/// no other's alias, else the smallest, as a store has it.
pub(crate) fn one_key_each(events: &[&Event]) -> HashMap<ConversationKey, ConversationKey> {
    let of = events.iter().filter_map(|event| event.conversation.as_ref());
    let mut beside: BTreeMap<&ConversationKey, BTreeSet<&ConversationKey>> = BTreeMap::new();
    let mut aliases: BTreeSet<&ConversationKey> = BTreeSet::new();
    for conversation in of {
        for alias in conversation.aliases.iter().filter(|alias| **alias != conversation.key) {
            beside.entry(&conversation.key).or_default().insert(alias);
            beside.entry(alias).or_default().insert(&conversation.key);
            aliases.insert(alias);
        }
    }
    let mut one: HashMap<ConversationKey, ConversationKey> = HashMap::new();
    for start in beside.keys() {
        if one.contains_key(*start) {
            continue;
        }
        let mut together: BTreeSet<&ConversationKey> = BTreeSet::new();
        let mut next = vec![*start];
        while let Some(key) = next.pop() {
            if together.insert(key) {
                next.extend(beside.get(key).into_iter().flatten());
            }
        }
        let own = together.iter().find(|key| !aliases.contains(*key));
        let Some(key) = own.or_else(|| together.first()) else { continue };
        one.extend(together.iter().map(|other| ((*other).clone(), (*key).clone())));
    }
    one
}

/// The conversations of these events, which stand in timeline order: each with its one key and its
/// events, by key. Keys are one where these events say so.
pub fn threads<'a>(events: &[&'a Event]) -> BTreeMap<ConversationKey, Vec<&'a Event>> {
    let one = one_key_each(events);
    let mut threads: BTreeMap<ConversationKey, Vec<&Event>> = BTreeMap::new();
    for event in events {
        let Some(conversation) = &event.conversation else { continue };
        let key = one.get(&conversation.key).unwrap_or(&conversation.key);
        threads.entry(key.clone()).or_default().push(event);
    }
    threads
}

/// Whether an event tells the state in which somebody saw the conversation, and no change.
fn is_only_seen(event: &Event) -> bool {
    event.occurred_at_origin == TimeOrigin::Received
        && matches!(&event.kind, Kind::ConversationStatus(status) if status.from.is_none())
}

/// The state that an event names.
const fn named_state(event: &Event) -> Option<State> {
    match &event.kind {
        Kind::ConversationStatus(status) => Some(status.to),
        Kind::ConversationMerged(_) => Some(State::Merged),
        Kind::ConversationSpam(_) => Some(State::Spam),
        Kind::ConversationDeleted(_) => Some(State::Deleted),
        _ => None,
    }
}

impl<'a> Building<'a> {
    fn new(key: ConversationKey, event: &Event) -> Self {
        let cycle = Cycle::from(event.occurred_at);
        let conversation = Conversation {
            key,
            source: event.source.clone(),
            subject: None,
            channels: Vec::new(),
            state: State::New,
            native_state: None,
            since: event.occurred_at,
            reason: None,
            opened_at: event.occurred_at,
            reopened: 0,
            assignee: None,
            team: None,
            priority: None,
            tags: Vec::new(),
            waiting_on: None,
            waiting_since: None,
            asks: false,
            call_since: None,
            missed_from: Vec::new(),
            missed_at: None,
            last: None,
            promises: Vec::new(),
            handover: None,
            merged_into: None,
            cycles: vec![cycle],
            n_contacts: 0,
            anomalies: Vec::new(),
        };
        Self {
            conversation,
            last: None,
            mirrored: false,
            unanswered_since: None,
            answered_at: None,
            bot_spoke_last: false,
            has_written: false,
            before_removal: None,
        }
    }

    fn take(&mut self, event: &'a Event) {
        if let Some(subject) = event.conversation.as_ref().and_then(|c| c.subject.as_ref())
            && self.conversation.subject.is_none()
        {
            self.conversation.subject = Some(subject.clone());
        }
        if event.kind.is_talk() && event.visibility == Visibility::Public {
            self.take_talk(event);
            return;
        }
        match &event.kind {
            Kind::ConversationOpened(opened) => {
                self.conversation.priority.clone_from(&opened.priority);
                self.conversation.assignee.clone_from(&opened.assignee);
                self.conversation.team.clone_from(&opened.team);
                self.tag(&opened.tags);
                self.conversation.source = event.source.clone();
                self.ask(event);
                if let Some(state) = opened.state {
                    self.mirrored = true;
                    self.conversation.native_state.clone_from(&opened.native);
                    self.conversation.state = state;
                    self.conversation.since = event.occurred_at;
                    // How long it took before anybody told of it, nobody knows.
                    if let Some(cycle) = self.conversation.cycles.last_mut()
                        && matches!(state, State::Resolved | State::Closed)
                    {
                        cycle.is_resolved = true;
                    }
                }
            }
            Kind::ConversationStatus(status) => {
                self.mirrored = true;
                self.ask(event);
                self.enter(event, status.to);
                self.conversation.native_state.clone_from(&status.native);
                self.conversation.reason.clone_from(&status.reason);
            }
            Kind::ConversationAssigned(assigned) => {
                self.ask(event);
                // An event that names only a team says nothing of the person.
                if assigned.to.is_some() || assigned.team.is_none() {
                    self.conversation.assignee.clone_from(&assigned.to);
                }
                if assigned.team.is_some() {
                    self.conversation.team.clone_from(&assigned.team);
                }
                let is_person = assigned.to.as_ref().is_some_and(|to| to.kind == PartyType::Agent);
                if is_person {
                    self.accept(event.occurred_at);
                }
                if is_person && self.conversation.state == State::New {
                    self.enter(event, State::Open);
                }
            }
            Kind::ConversationHandover(handover) => {
                self.ask(event);
                self.conversation.handover = Some(HandedOver {
                    at: event.occurred_at,
                    event: event.key.clone(),
                    handover: handover.as_ref().clone(),
                    accepted_at: handover.accepted_at,
                });
                let to_bot = handover
                    .to
                    .as_ref()
                    .is_some_and(|to| matches!(to.kind, PartyType::Bot | PartyType::Ai));
                if !self.mirrored && self.conversation.state == State::Bot && !to_bot {
                    self.enter(event, State::Open);
                }
            }
            Kind::ConversationMerged(merged) => {
                self.conversation.merged_into.clone_from(&merged.into);
                self.enter(event, State::Merged);
            }
            Kind::ConversationSpam(_) => self.remove(event, State::Spam),
            Kind::ConversationDeleted(_) => self.remove(event, State::Deleted),
            Kind::ConversationRestored(_) => {
                if let Some(before) = self.before_removal.take() {
                    self.enter(event, before);
                }
            }
            Kind::ConversationSubject(changed) => {
                self.conversation.subject.clone_from(&changed.to);
            }
            Kind::ConversationPriority(changed) => {
                self.conversation.priority.clone_from(&changed.to);
            }
            Kind::ConversationTagged(tags) => self.tag(&tags.tags),
            Kind::ConversationUntagged(tags) => {
                self.conversation.tags.retain(|tag| !tags.tags.contains(tag));
            }
            Kind::SlaApplied(sla) | Kind::SlaWarned(sla) => {
                self.ask(event);
                self.fulfil(&sla.metric);
                self.promise(&sla.metric, sla.due_at, None);
            }
            Kind::SlaMet(sla) => self.fulfil(&sla.metric),
            Kind::SlaBreached(sla) => {
                self.ask(event);
                self.breach(&sla.metric, sla.due_at);
            }
            Kind::CallbackPromised(call) => {
                self.ask(event);
                let what = call.text.clone().unwrap_or_else(|| "call back".to_owned());
                self.promise(&what, call.due_at, event.actor.name.clone());
            }
            Kind::CallbackDone(call) => {
                let what = call.text.clone().unwrap_or_else(|| "call back".to_owned());
                self.fulfil(&what);
            }
            Kind::MessageRedacted(correction)
            | Kind::MessageDeleted(correction)
            | Kind::MessageEdited(correction) => self.correct(event, &correction.target),
            _ => {}
        }
    }

    fn take_talk(&mut self, event: &'a Event) {
        let at = event.occurred_at;
        if !self.conversation.channels.contains(&event.channel) {
            self.conversation.channels.push(event.channel.clone());
        }
        let automatic = event.actor.kind == ActorType::Automation;
        if !automatic {
            // Whoever writes does not talk any more, though nobody told that the call ended.
            self.conversation.call_since = None;
            let text = event.body.as_ref().map(|body| body.text.as_str());
            self.last = Some(Last { event, text, is_gone: false });
        }
        if event.direction == Direction::In && !automatic {
            self.ask(event);
        }
        if event.is_from_customer() {
            self.conversation.n_contacts = self.conversation.n_contacts.saturating_add(1);
            self.hear_customer(event);
        } else if event.is_agent_answer() {
            self.unanswered_since = None;
            self.bot_spoke_last = false;
            self.answered_at = Some(at);
            self.accept(at);
            if let Some(cycle) = self.conversation.cycles.last_mut()
                && cycle.asked_at.is_some()
            {
                cycle.answered_at.get_or_insert(at);
            }
            let answered = self.conversation.state.is_open();
            if !self.mirrored && answered {
                self.enter(event, State::WaitingCustomer);
            }
        } else if event.actor.kind.is_bot() && event.direction == Direction::Out {
            self.bot_spoke_last = true;
            self.answered_at = Some(at);
            if let Some(cycle) = self.conversation.cycles.last_mut()
                && cycle.asked_at.is_some()
            {
                cycle.bot_answered_at.get_or_insert(at);
            }
            if !self.mirrored && self.conversation.state == State::New {
                self.enter(event, State::Bot);
            }
        }
        if let Kind::Call(call) = &event.kind {
            self.take_call(event, call);
        }
    }

    fn hear_customer(&mut self, event: &Event) {
        let at = event.occurred_at;
        if self.unanswered_since.is_none() {
            self.conversation.missed_from.clear();
            self.has_written = false;
        }
        self.unanswered_since.get_or_insert(at);
        self.bot_spoke_last = false;
        if matches!(event.kind, Kind::Call(_) | Kind::Voicemail(_)) {
            let claims = event.person_claims().into_iter().map(Claim::identifier);
            let numbers = claims.filter(|number| *number.namespace() == Namespace::Phone);
            self.conversation.missed_from.extend(numbers.cloned());
            self.conversation.missed_at = Some(at);
        } else {
            self.has_written = true;
        }
        if !self.mirrored {
            match self.conversation.state {
                State::Resolved | State::WaitingCustomer | State::WaitingThird | State::Snoozed => {
                    self.enter(event, State::Open);
                }
                State::New
                | State::Bot
                | State::Open
                | State::Closed
                | State::Merged
                | State::Spam
                | State::Deleted => {}
            }
        }
        if let Some(cycle) = self.conversation.cycles.last_mut() {
            cycle.asked_at.get_or_insert(at);
        }
    }

    /// A call that somebody took answers, and is done with when it ends; one that nobody took waits
    /// for us.
    fn take_call(&mut self, event: &Event, call: &Call) {
        let is_over = call.outcome == Some(CallOutcome::Answered);
        let picked_up = call.answered_at.unwrap_or(event.occurred_at);
        let goes_on = call.outcome.is_none() && call.answered_at.is_some();
        self.conversation.call_since = goes_on.then_some(picked_up);
        if !is_over && !goes_on {
            return;
        }
        self.unanswered_since = None;
        self.answered_at = Some(picked_up);
        if let Some(cycle) = self.conversation.cycles.last_mut()
            && cycle.asked_at.is_some()
        {
            cycle.answered_at.get_or_insert(picked_up);
        }
        if self.mirrored {
            return;
        }
        if is_over {
            let length = call.duration_s.and_then(|seconds| i64::try_from(seconds).ok());
            let talked = length.map(|seconds| picked_up + Micros::SECOND.times(seconds));
            let end = call.ended_at.or(talked).unwrap_or(event.occurred_at);
            self.enter_at(event, State::Resolved, end.max(event.occurred_at));
        } else {
            self.enter(event, State::Open);
        }
    }

    /// Notes that something asks somebody to act. Where only we spoke before by ourselves, it
    /// begins with that.
    fn ask(&mut self, event: &Event) {
        if !self.conversation.asks && self.conversation.state == State::New {
            self.conversation.since = event.occurred_at;
            if let [only] = self.conversation.cycles.as_mut_slice() {
                only.started_at = event.occurred_at;
            }
        }
        self.conversation.asks = true;
    }

    /// Goes to another state, and notes a way that is not in the table.
    fn enter(&mut self, event: &Event, to: State) {
        self.enter_at(event, to, event.occurred_at);
    }

    fn enter_at(&mut self, event: &Event, to: State, at: Timestamp) {
        let from = self.conversation.state;
        if from == to {
            return;
        }
        if let Err(transition) = state::check(from, to) {
            self.conversation.anomalies.push(Anomaly { event: event.key.clone(), transition });
        }
        // What was spam, deleted or merged by mistake goes on as it was.
        let was_resolved = self.conversation.cycles.last().is_none_or(|cycle| cycle.is_resolved);
        if !from.is_open() && to.is_open() && was_resolved {
            self.conversation.reopened = self.conversation.reopened.saturating_add(1);
            self.conversation.handover = None;
            self.conversation.cycles.push(Cycle::from(at));
        }
        if matches!(to, State::Resolved | State::Closed) && (from.is_open() || !was_resolved) {
            self.unanswered_since = None;
            self.conversation.promises.retain(|promise| !promise.is_breached);
            if let Some(cycle) = self.conversation.cycles.last_mut()
                && !was_resolved
            {
                cycle.is_resolved = true;
                // When it came into the state in which it was only seen, nobody knows.
                cycle.resolved_at = Some(at).filter(|_| !is_only_seen(event));
            }
        }
        if !to.is_open() {
            self.conversation.call_since = None;
        }
        self.conversation.state = to;
        self.conversation.native_state = None;
        self.conversation.reason = None;
        // One that is seen open may have been so since it began.
        if !(is_only_seen(event) && from == State::New && to.is_open()) {
            self.conversation.since = at;
        }
    }

    fn remove(&mut self, event: &Event, to: State) {
        // Told twice, it is still restored to what it was.
        if !matches!(self.conversation.state, State::Spam | State::Deleted) {
            self.before_removal = Some(self.conversation.state);
        }
        self.enter(event, to);
    }

    fn accept(&mut self, at: Timestamp) {
        if let Some(handover) = &mut self.conversation.handover {
            handover.accepted_at.get_or_insert(at);
        }
    }

    fn tag(&mut self, tags: &[String]) {
        self.conversation.tags.extend(tags.iter().cloned());
        self.conversation.tags.sort();
        self.conversation.tags.dedup();
    }

    fn promise(&mut self, what: &str, due_at: Option<Timestamp>, by: Option<String>) {
        let promise = Promise { what: what.to_owned(), due_at, by, is_breached: false };
        self.conversation.promises.push(promise);
    }

    /// A promise that was not kept stays one.
    fn breach(&mut self, what: &str, due_at: Option<Timestamp>) {
        let known = self.conversation.promises.iter().find(|promise| promise.what == what);
        let due_at = due_at.or_else(|| known.and_then(|promise| promise.due_at));
        self.fulfil(what);
        let promise = Promise { what: what.to_owned(), due_at, by: None, is_breached: true };
        self.conversation.promises.push(promise);
    }

    fn fulfil(&mut self, what: &str) {
        self.conversation.promises.retain(|promise| promise.what != what);
    }

    fn correct(&mut self, event: &'a Event, target: &str) {
        let Some(last) = &mut self.last else { return };
        let message_id = corrections::message_id(last.event);
        if last.event.key.as_str() == target || message_id == Some(target) {
            last.is_gone |= !matches!(event.kind, Kind::MessageEdited(_));
            let text = event.body.as_ref().map(|body| body.text.as_str());
            last.text = text.filter(|_| !last.is_gone);
        }
    }

    fn finish(mut self) -> Conversation {
        let conversation = &mut self.conversation;
        conversation.last = self.last.map(Last::told);
        conversation.promises.sort_by(|a, b| {
            (a.due_at.is_none(), a.due_at, &a.what).cmp(&(b.due_at.is_none(), b.due_at, &b.what))
        });
        let answered = self.answered_at.unwrap_or(conversation.since);
        conversation.asks |= conversation.state != State::New;
        let waiting = match conversation.state {
            _ if conversation.call_since.is_some() || !conversation.asks => None,
            State::New | State::Bot | State::Open => Some(match self.unanswered_since {
                Some(since) if !self.bot_spoke_last || conversation.state != State::Bot => {
                    (WaitingOn::Us, since)
                }
                Some(_) => (WaitingOn::Customer, answered),
                None if self.answered_at.is_some() => (WaitingOn::Customer, answered),
                None => (WaitingOn::Us, conversation.since),
            }),
            State::WaitingCustomer => Some((WaitingOn::Customer, answered)),
            State::WaitingThird => Some((WaitingOn::Third, conversation.since)),
            State::Snoozed
            | State::Resolved
            | State::Closed
            | State::Merged
            | State::Spam
            | State::Deleted => None,
        };
        conversation.waiting_on = waiting.map(|(on, _)| on);
        conversation.waiting_since = waiting.map(|(_, since)| since);
        let is_by_phone = conversation.channels.iter().all(|channel| *channel == Channel::Phone);
        // A call does not answer what somebody wrote, nor keep what was promised.
        let is_more = self.has_written || !conversation.promises.is_empty();
        let is_ours = conversation.waiting_on == Some(WaitingOn::Us);
        if self.mirrored || !is_by_phone || is_more || !is_ours {
            conversation.missed_from.clear();
        }
        if conversation.missed_from.is_empty() {
            conversation.missed_at = None;
        }
        conversation.missed_from.sort();
        conversation.missed_from.dedup();
        self.conversation
    }
}

impl Last<'_> {
    fn told(self) -> LastMessage {
        let event = self.event;
        LastMessage {
            event: event.key.clone(),
            at: event.occurred_at,
            channel: event.channel.clone(),
            direction: event.direction,
            actor: event.actor.kind,
            actor_name: event.actor.name.clone().or_else(|| event.name.clone()),
            text: self.text.map(str::to_owned),
        }
    }
}
