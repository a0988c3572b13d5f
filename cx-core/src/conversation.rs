//! Conversations: what is being talked of, and who waits on whom.
//!
//! A [`Conversation`] is folded from its events in timeline order. Where the source keeps the
//! state (tickets, chats), its word counts; where it keeps none (mail threads, calls), the state
//! follows from who spoke last. A state that the source reaches by an unusual way is kept and
//! noted as an anomaly: an import never fails for it.

pub mod corrections;
pub mod state;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::actor::ActorType;
use crate::channel::Channel;
use crate::event::conversation::{Assigned, Handover, Opened, Party, PartyType, State, Status};
use crate::event::mail::{Bounce, MailEvent};
use crate::event::promise::{Callback, Sla};
use crate::event::talk::Call;
use crate::event::{Direction, Event, Kind, Source, TimeOrigin, Visibility};
use crate::identifier::{Claim, Identifier};
use crate::ids::{ConversationKey, EventKey};
use crate::time::{Micros, Timestamp};

pub use corrections::{Corrections, bare};
pub use state::{IllegalTransition, Lifecycle};

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

/// A promise that is not kept yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// What is promised: a metric of a service level, or the words of a promised call.
    pub what: String,
    /// Whether it is a call; else it is a service level.
    pub is_call: bool,
    /// What tells it from others alike: the id of a promised call, the policy of a service level.
    pub id: Option<String>,
    /// When it was promised.
    pub promised_at: Timestamp,
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

/// A call that nobody took, or a voicemail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// The event.
    pub event: EventKey,
    /// When.
    pub at: Timestamp,
    /// From whom: nobody, where the number was withheld.
    pub from: Vec<Identifier>,
    /// Whether something was said: then it can be known who it was.
    pub was_spoken: bool,
}

impl Missed {
    /// When people talked who had missed each other, where they do in this call: then, or from then
    /// on. It is a call with whoever called in vain, be it under another number: see
    /// [`Missed::is_from`].
    pub fn called_back_in(&self, call: &Event) -> Option<Timestamp> {
        let Kind::Call(told) = &call.kind else { return None };
        let until = people_talked_until(call)?;
        let may_be = until >= self.at && call.occurred_at >= self.earliest_call();
        may_be.then(|| told.picked_up(call.occurred_at).max(self.at))
    }

    /// Since when a call may have begun that counts as calling back.
    pub fn earliest_call(&self) -> Timestamp {
        self.at - LONGEST_CALL
    }

    /// Whether an event names one of those it is from.
    pub fn is_from(&self, event: &Event) -> bool {
        event.who.iter().any(|claim| self.from.contains(claim.identifier()))
    }

    /// Until when it waits for us where nobody can be called back: for a day.
    fn waits_until(&self) -> Option<Timestamp> {
        (self.from.is_empty() && !self.was_spoken).then(|| self.at + Micros::DAY)
    }
}

/// After so long a call whose end was not told does not go on any more.
pub const LONGEST_CALL: Micros = Micros::HOUR.times(12);

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

/// Whether a call that began then, and of which no end was told, may go on.
pub(crate) fn goes_on(since: Timestamp, now: Timestamp) -> bool {
    now.since(since) <= LONGEST_CALL
}

/// Until when people talked in a call that the customer could hear, at the longest where its end is
/// not told; `None` where nobody picked up, or a program called, and for
/// whatever is no call. By such a call a missed one may have been called back.
pub fn people_talked_until(event: &Event) -> Option<Timestamp> {
    let Kind::Call(call) = &event.kind else { return None };
    let is_heard = event.visibility == Visibility::Public && !is_by_program(event);
    (call.was_taken() && is_heard).then(|| {
        if call.is_over() {
            call.end(event.occurred_at)
        } else {
            call.picked_up(event.occurred_at) + LONGEST_CALL
        }
    })
}

/// Whether a program called or was called: nobody talked with a person.
fn is_by_program(event: &Event) -> bool {
    match event.actor.kind {
        ActorType::Bot | ActorType::Ai | ActorType::Automation => true,
        ActorType::Integration | ActorType::System => event.direction == Direction::Out,
        ActorType::Customer
        | ActorType::Contact
        | ActorType::Agent
        | ActorType::ThirdParty
        | ActorType::Unknown => false,
    }
}

/// Folds the events of one conversation, in timeline order. What an event means may follow from a
/// later one, so they are folded when all are there.
#[derive(Debug, Clone)]
pub struct ConversationFold<'a> {
    key: ConversationKey,
    events: Vec<&'a Event>,
}

#[derive(Debug, Clone)]
struct Building<'a> {
    /// All but the last message.
    conversation: Conversation,
    last: Option<&'a Event>,
    /// What corrects messages; it may stand before them.
    corrections: Vec<&'a Event>,
    unsaid: Unsaid<'a>,
    /// When the state was last told, or followed from what was said.
    told_at: Timestamp,
    /// The customer's first message that no person has answered.
    unanswered_since: Option<Timestamp>,
    /// The same, as it was when the state was told.
    asked_before_told: Option<Timestamp>,
    /// The same, of those that came after the state was told.
    asked_since_told: Option<Timestamp>,
    /// The same, as it was when it was merged into another one.
    asked_when_merged: Option<Timestamp>,
    /// The last answer of this cycle, by whomever.
    answered_at: Option<Timestamp>,
    bot_spoke_last: bool,
    /// Whether the customer has written since nobody answered.
    has_written: bool,
    /// Whether people only called.
    has_only_calls: bool,
    /// The states it goes back to when it is restored, the last one first to go back to.
    before_removal: Vec<State>,
}

/// What was said and is as if it had not been.
#[derive(Debug, Clone, Default)]
struct Unsaid<'a> {
    /// Answers that did not arrive, each with what says so.
    failed: BTreeMap<&'a EventKey, &'a EventKey>,
    /// What says that an answer by a person did not arrive.
    failures: BTreeSet<&'a EventKey>,
    /// Answers that were deleted.
    deleted: BTreeSet<&'a EventKey>,
    /// What the customer deleted before anybody answered.
    withdrawn: BTreeSet<&'a EventKey>,
}

impl<'a> Unsaid<'a> {
    fn of(events: &[&'a Event]) -> Self {
        let mut unsaid = Self::default();
        if !events.iter().any(|event| unsays(event)) {
            return unsaid;
        }
        let mut named: HashMap<&str, usize> = HashMap::new();
        for (place, event) in events.iter().enumerate().filter(|(_, event)| event.kind.is_talk()) {
            named.insert(event.key.as_str(), place);
            if let Kind::Message(message) = &event.kind
                && let Some(id) = &message.message_id
            {
                named.insert(bare(id), place);
            }
        }
        let find = |target: &str| {
            let place = named.get(target).or_else(|| named.get(bare(target)))?;
            Some((*place, *events.get(*place)?))
        };
        let mut answered = 0;
        for (place, event) in events.iter().enumerate() {
            match &event.kind {
                Kind::MessageFailed(receipt) => {
                    let said = find(&receipt.target);
                    unsaid.failed.extend(said.map(|(_, said)| (&said.key, &event.key)));
                }
                // It came back from whom it was for, and not from somebody in copy.
                Kind::MailBounced(mail) | Kind::MailDropped(mail) if is_for_good(event, mail) => {
                    let said = mail.mail_id.as_deref().and_then(find).map(|(_, said)| said);
                    let is_of = |said: &&Event| {
                        let whom = said.person_claims();
                        event.who.is_empty()
                            || whom.iter().any(|claim| {
                                event.who.iter().any(|it| it.identifier() == claim.identifier())
                            })
                    };
                    let failed = said.filter(is_of).map(|said| (&said.key, &event.key));
                    unsaid.failed.extend(failed);
                }
                Kind::MessageDelivered(receipt) | Kind::MessageRead(receipt) => {
                    if let Some((_, said)) = find(&receipt.target) {
                        unsaid.failed.remove(&said.key);
                    }
                }
                Kind::MessageDeleted(correction) => match find(&correction.target) {
                    Some((_, said)) if said.direction == Direction::Out => {
                        unsaid.deleted.insert(&said.key);
                    }
                    Some((of, said)) if of >= answered && event.actor.kind.is_customer_side() => {
                        unsaid.withdrawn.insert(&said.key);
                    }
                    _ => {}
                },
                _ if event.is_agent_answer() => answered = place,
                _ => {}
            }
        }
        let answers = events.iter().filter(|event| event.is_agent_answer());
        unsaid.failures =
            answers.filter_map(|event| unsaid.failed.get(&event.key).copied()).collect();
        unsaid
    }

    fn into_all(self) -> impl Iterator<Item = &'a EventKey> {
        self.failed.into_keys().chain(self.deleted).chain(self.withdrawn)
    }

    /// Whether the customer could hear it.
    fn was_heard(&self, event: &Event) -> bool {
        !self.failed.contains_key(&event.key) && !self.deleted.contains(&event.key)
    }
}

/// Whether a mail that came back, or was not sent, will not arrive any more: a hard bounce, or one of
/// which nobody says how, and one that the service did not send.
fn is_for_good(event: &Event, mail: &MailEvent) -> bool {
    match event.kind {
        Kind::MailDropped(_) => true,
        _ => matches!(mail.bounce, Some(Bounce::Hard) | None),
    }
}

impl<'a> ConversationFold<'a> {
    /// A fold that has seen nothing.
    pub const fn new(key: ConversationKey) -> Self {
        Self { key, events: Vec::new() }
    }

    /// Takes the next event, however the source got there.
    pub fn push(&mut self, event: &'a Event) {
        self.events.push(event);
    }

    /// Takes the next event. One that names a state costs as much as all that came before it.
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
            let built = self.clone().finish();
            let from = built.map_or(State::New, |conversation| conversation.state);
            state::check(from, to)?;
        }
        self.push(event);
        Ok(())
    }

    /// The conversation as the events leave it; `None` if there were none.
    pub fn finish(self) -> Option<Conversation> {
        let mut events = self.events;
        // A conversation begins before anything is said in it.
        let opens = |event: &Event| matches!(event.kind, Kind::ConversationOpened(_));
        events.sort_by_key(|event| (event.occurred_at, !opens(event)));
        let mut built = Building::new(self.key, events.first()?, Unsaid::of(&events));
        for event in events {
            built.take(event);
        }
        Some(built.finish())
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

/// What among these events, which stand in timeline order, is as if it had not been said: answers
/// that did not arrive or were deleted, and what the customer took back before anybody answered.
pub(crate) fn as_if_not_said<'a>(events: &[&'a Event]) -> HashSet<&'a EventKey> {
    if !events.iter().any(|event| unsays(event)) {
        return HashSet::new();
    }
    let in_none: Vec<&Event> =
        events.iter().copied().filter(|event| event.conversation.is_none()).collect();
    let threads = threads(events);
    let each = threads.values().chain([&in_none]);
    each.flat_map(|events| Unsaid::of(events).into_all()).collect()
}

/// Whether an event may say that another one is as if it had not been said.
const fn unsays(event: &Event) -> bool {
    matches!(
        event.kind,
        Kind::MessageFailed(_)
            | Kind::MessageDeleted(_)
            | Kind::MailBounced(_)
            | Kind::MailDropped(_)
    )
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
    fn new(key: ConversationKey, event: &Event, unsaid: Unsaid<'a>) -> Self {
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
            snoozed_until: None,
            asks: false,
            is_asked: false,
            answered_at: None,
            answers: Vec::new(),
            call_since: None,
            missed: Vec::new(),
            last: None,
            promises: Vec::new(),
            handover: None,
            merged_into: None,
            cycles: vec![cycle],
            n_contacts: 0,
            anomalies: Vec::new(),
            is_mirrored: false,
            asked_before_merge: None,
            asked_since_merge: Vec::new(),
            calls_made: Vec::new(),
            waiting_after_call: None,
        };
        Self {
            conversation,
            last: None,
            corrections: Vec::new(),
            unsaid,
            told_at: event.occurred_at,
            unanswered_since: None,
            asked_before_told: None,
            asked_since_told: None,
            asked_when_merged: None,
            answered_at: None,
            bot_spoke_last: false,
            has_written: false,
            has_only_calls: true,
            before_removal: Vec::new(),
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
        if self.unsaid.failures.contains(&event.key) {
            self.hear_failure(event);
        }
        match &event.kind {
            Kind::ConversationOpened(opened) => self.open(event, opened),
            Kind::ConversationStatus(status) => self.tell_state(event, status),
            Kind::ConversationAssigned(assigned) => self.assign(event, assigned),
            Kind::ConversationHandover(handover) => self.hand_over(event, handover),
            Kind::ConversationMerged(merged) => {
                if merged.into.is_some() || self.conversation.state != State::Merged {
                    self.conversation.merged_into.clone_from(&merged.into);
                }
                self.enter(event, State::Merged);
            }
            Kind::ConversationSpam(_) => self.enter(event, State::Spam),
            Kind::ConversationDeleted(_) => self.enter(event, State::Deleted),
            Kind::ConversationRestored(_) => {
                if let Some(before) = self.before_removal.pop() {
                    self.go(before, event.occurred_at, Some(event.occurred_at));
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
            Kind::SlaApplied(sla) | Kind::SlaWarned(sla) | Kind::SlaBreached(sla) => {
                self.promise_level(event, sla);
            }
            Kind::SlaMet(sla) => {
                self.conversation.promises.retain(|promise| !is_level(promise, sla));
            }
            Kind::CallbackPromised(call) => self.promise_call(event, call),
            Kind::CallbackDone(call) => self.make_call(event, call),
            Kind::MessageRedacted(_) | Kind::MessageDeleted(_) | Kind::MessageEdited(_) => {
                self.corrections.push(event);
            }
            _ => {}
        }
    }

    fn open(&mut self, event: &Event, opened: &Opened) {
        let (assignee, team) = owners(opened.assignee.as_ref(), opened.team.as_ref());
        self.conversation.assignee = assignee.cloned();
        self.conversation.team = team.cloned();
        self.conversation.priority.clone_from(&opened.priority);
        self.tag(&opened.tags);
        self.conversation.source = event.source.clone();
        self.ask(event);
        let Some(state) = opened.state else { return };
        if self.conversation.is_mirrored {
            self.enter(event, state);
            self.conversation.native_state.clone_from(&opened.native);
            return;
        }
        self.conversation.is_mirrored = true;
        self.told_at = event.occurred_at;
        self.asked_since_told = None;
        self.conversation.native_state.clone_from(&opened.native);
        self.conversation.state = state;
        self.conversation.since = event.occurred_at;
        if let Some(cycle) = self.conversation.cycles.last_mut() {
            // How long it took before anybody told of it, nobody knows. What is open is not done
            // with, though a call in it ended before.
            cycle.is_resolved = matches!(state, State::Resolved | State::Closed);
            cycle.resolved_at = None;
        }
    }

    fn tell_state(&mut self, event: &Event, status: &Status) {
        self.conversation.is_mirrored = true;
        self.ask(event);
        // It is closed since it lives on elsewhere: nothing was resolved.
        let is_merged = self.conversation.state == State::Merged;
        if is_merged && matches!(status.to, State::Resolved | State::Closed) {
            self.note_way(event, status.to);
            return;
        }
        // In which state it was last seen does not say when it came to be in it.
        let is_seen = matches!(event.occurred_at_origin, TimeOrigin::Received | TimeOrigin::Import);
        let at = event.occurred_at;
        self.note_way(event, status.to);
        self.go(status.to, at, Some(at).filter(|_| !is_seen));
        self.conversation.native_state.clone_from(&status.native);
        self.conversation.reason.clone_from(&status.reason);
        self.conversation.snoozed_until =
            status.snoozed_until.filter(|_| status.to == State::Snoozed);
    }

    fn assign(&mut self, event: &Event, assigned: &Assigned) {
        self.ask(event);
        let (to, team) = owners(assigned.to.as_ref(), assigned.team.as_ref());
        // An event that names only a team says nothing of the person, unless it names the one who
        // had it.
        let is_of_person = assigned.to.is_some()
            || team.is_none()
            || assigned.from.as_ref().is_some_and(|from| from.kind != PartyType::Team);
        if is_of_person {
            self.conversation.assignee = to.cloned();
        }
        if team.is_some() {
            self.conversation.team = team.cloned();
        }
        let is_person = to.is_some_and(|to| to.kind == PartyType::Agent);
        if is_person {
            self.accept(event.occurred_at);
        }
        if is_person && self.conversation.state == State::New {
            self.enter(event, State::Open);
        }
    }

    /// Nobody is asked twice: what was known at an earlier hand-over is still known.
    fn hand_over(&mut self, event: &Event, told: &Handover) {
        self.ask(event);
        let mut handover = told.clone();
        if let Some(before) = self.conversation.handover.take() {
            let is_told = |name: &str| told.facts.iter().any(|fact| fact.name == name);
            let mut facts = before.handover.facts;
            facts.retain(|fact| !is_told(&fact.name));
            facts.append(&mut handover.facts);
            handover.facts = facts;
            let mut tried = before.handover.tried;
            tried.retain(|it| !told.tried.contains(it));
            tried.append(&mut handover.tried);
            handover.tried = tried;
        }
        self.conversation.handover = Some(HandedOver {
            at: event.occurred_at,
            event: event.key.clone(),
            accepted_at: handover.accepted_at,
            handover,
        });
        let to_bot =
            told.to.as_ref().is_some_and(|to| matches!(to.kind, PartyType::Bot | PartyType::Ai));
        let state = self.conversation.state;
        if !to_bot {
            // A person has to act now, whatever the bot said last.
            self.bot_spoke_last = false;
            if state == State::Bot {
                self.enter(event, State::Open);
            }
        } else if !self.conversation.is_mirrored
            && matches!(state, State::New | State::Open | State::WaitingCustomer)
        {
            self.enter(event, State::Bot);
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
            self.last = Some(event);
            self.has_only_calls &= matches!(event.kind, Kind::Call(_) | Kind::Voicemail(_));
        }
        if self.unsaid.withdrawn.contains(&event.key) {
            return;
        }
        if event.direction == Direction::In && !automatic {
            self.ask(event);
        }
        let was_heard = self.unsaid.was_heard(event);
        if event.is_from_customer() {
            self.conversation.n_contacts = self.conversation.n_contacts.saturating_add(1);
            self.hear_customer(event);
        } else if event.is_agent_answer() && was_heard {
            self.answer(at);
            self.accept(at);
            let answered = self.conversation.state.is_open();
            if !self.conversation.is_mirrored && answered {
                self.enter(event, State::WaitingCustomer);
            }
        } else if event.actor.kind.is_bot() && event.direction == Direction::Out && was_heard {
            self.bot_spoke_last = true;
            self.answered_at = Some(at);
            if let Some(cycle) = self.conversation.cycles.last_mut()
                && cycle.asked_at.is_some()
            {
                cycle.bot_answered_at.get_or_insert(at);
            }
            if !self.conversation.is_mirrored && self.conversation.state == State::New {
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
            self.conversation.missed.clear();
            self.has_written = false;
        }
        self.unanswered_since.get_or_insert(at);
        self.bot_spoke_last = false;
        if matches!(event.kind, Kind::Call(_) | Kind::Voicemail(_)) {
            let claims = event.person_claims().into_iter().map(Claim::identifier);
            self.conversation.missed.push(Missed {
                event: event.key.clone(),
                at,
                from: claims.cloned().collect(),
                was_spoken: matches!(event.kind, Kind::Voicemail(_)),
            });
        } else {
            self.has_written = true;
        }
        let state = self.conversation.state;
        if !self.conversation.is_mirrored
            && matches!(
                state,
                State::Resolved | State::WaitingCustomer | State::WaitingThird | State::Snoozed
            )
        {
            self.enter(event, State::Open);
        }
        // What was said after the state was told, the state does not speak of.
        if at > self.told_at {
            self.asked_since_told.get_or_insert(at);
            if state == State::Merged {
                self.conversation.asked_since_merge.push(at);
            }
            let was_resolved =
                self.conversation.cycles.last().is_some_and(|cycle| cycle.is_resolved);
            if was_resolved && matches!(state, State::Resolved | State::Closed) {
                self.begin_again(at);
            }
        }
        if let Some(cycle) = self.conversation.cycles.last_mut()
            && !cycle.is_resolved
        {
            cycle.asked_at.get_or_insert(at);
        }
    }

    /// The customer never heard an answer of which the source told the state: the state speaks of
    /// what was known until then, so the question waits as if it were asked again.
    fn hear_failure(&mut self, event: &Event) {
        let asked = self.unanswered_since.or(self.asked_before_told);
        if let Some(asked) = asked.filter(|_| event.occurred_at > self.told_at) {
            self.unanswered_since = Some(asked);
            self.asked_since_told.get_or_insert(asked);
        }
    }

    /// Notes an answer by a person.
    fn answer(&mut self, at: Timestamp) {
        self.unanswered_since = None;
        self.asked_before_told = None;
        self.asked_since_told = None;
        self.asked_when_merged = None;
        self.conversation.asked_since_merge.clear();
        self.bot_spoke_last = false;
        self.answered_at = Some(at);
        self.conversation.answered_at = Some(at);
        self.conversation.answers.push(at);
        if let Some(cycle) = self.conversation.cycles.last_mut()
            && cycle.asked_at.is_some()
        {
            cycle.answered_at.get_or_insert(at);
        }
    }

    /// A call that somebody took answers, and is done with when it ends; one that nobody took waits
    /// for us.
    fn take_call(&mut self, event: &Event, call: &Call) {
        if !call.was_taken() || is_by_program(event) {
            return;
        }
        let picked_up = call.picked_up(event.occurred_at);
        self.conversation.call_since = Some(picked_up).filter(|_| !call.is_over());
        self.answer(picked_up);
        if self.conversation.is_mirrored {
            return;
        }
        if call.is_over() {
            let end = call.end(event.occurred_at);
            self.note_way(event, State::Resolved);
            self.go(State::Resolved, end, Some(end));
        } else {
            self.enter(event, State::Open);
        }
    }

    /// Notes that something asks somebody to act. Where only we spoke before by ourselves, it
    /// begins with that.
    fn ask(&mut self, event: &Event) {
        if !self.conversation.is_asked {
            if self.conversation.state == State::New {
                self.conversation.since = event.occurred_at;
            }
            if let [only] = self.conversation.cycles.as_mut_slice()
                && !only.is_resolved
            {
                only.started_at = event.occurred_at;
            }
        }
        self.conversation.is_asked = true;
        self.conversation.asks = true;
    }

    /// Goes to another state, and notes a way that is not in the table.
    fn enter(&mut self, event: &Event, to: State) {
        self.note_way(event, to);
        self.go(to, event.occurred_at, Some(event.occurred_at));
    }

    fn note_way(&mut self, event: &Event, to: State) {
        if let Err(transition) = state::check(self.conversation.state, to) {
            self.conversation.anomalies.push(Anomaly { event: event.key.clone(), transition });
        }
    }

    /// Goes to a state, in which it is since an instant; when it came to be in it may not be known.
    fn go(&mut self, to: State, since: Timestamp, known: Option<Timestamp>) {
        let from = self.conversation.state;
        let is_removed = |state| matches!(state, State::Merged | State::Spam | State::Deleted);
        if to == State::Merged && !is_removed(from) {
            let is_ours = matches!(from, State::New | State::Bot | State::Open);
            self.asked_when_merged =
                if is_ours { self.unanswered_since } else { self.asked_since_told };
        }
        self.told_at = since;
        self.asked_before_told = self.unanswered_since.or(self.asked_before_told);
        self.asked_since_told = None;
        self.conversation.asked_since_merge.clear();
        // What was spam, deleted or merged by mistake goes on as it was.
        let was_resolved = self.conversation.cycles.last().is_none_or(|cycle| cycle.is_resolved);
        if !from.is_open() && to.is_open() && was_resolved {
            self.begin_again(since);
        }
        if matches!(to, State::Resolved | State::Closed) {
            if from.is_open() || !was_resolved {
                self.unanswered_since = None;
                // No clock runs any more; a call is still to be made.
                self.conversation.promises.retain(|promise| promise.is_call);
            }
            if let Some(cycle) = self.conversation.cycles.last_mut() {
                // One instant may be told twice, and only once as that of the change.
                let is_same = from == to && self.conversation.since == since;
                if !was_resolved || (is_same && cycle.resolved_at.is_none()) {
                    cycle.is_resolved = true;
                    cycle.resolved_at = known;
                }
            }
        }
        if from == to {
            return;
        }
        if !is_removed(to) {
            self.before_removal.clear();
        } else if !matches!(from, State::Spam | State::Deleted) {
            self.before_removal.push(from);
        }
        if from == State::Merged && !is_removed(to) {
            self.conversation.merged_into = None;
        }
        if !to.is_open() {
            self.conversation.call_since = None;
        }
        self.conversation.state = to;
        self.conversation.native_state = None;
        self.conversation.reason = None;
        self.conversation.snoozed_until = None;
        // One that is seen open may have been so since it began.
        if known.is_some() || from != State::New || !to.is_open() {
            self.conversation.since = since;
        }
    }

    /// A new cycle: what was said and done in the one before is of that one. The message that opens
    /// it again may have come before the source says that it is open.
    fn begin_again(&mut self, at: Timestamp) {
        self.conversation.reopened = self.conversation.reopened.saturating_add(1);
        self.conversation.handover = None;
        self.answered_at = None;
        self.bot_spoke_last = false;
        let asked_at = self.unanswered_since;
        let started_at = asked_at.map_or(at, |asked| asked.min(at));
        self.conversation.cycles.push(Cycle { asked_at, ..Cycle::from(started_at) });
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

    /// A service level that was applied, warned of or broken. One that was broken stays so, and what
    /// an event leaves out is as it was.
    fn promise_level(&mut self, event: &Event, sla: &Sla) {
        self.ask(event);
        let is_breached = matches!(event.kind, Kind::SlaBreached(_));
        let promises = &mut self.conversation.promises;
        if let Some(known) = promises.iter_mut().find(|promise| is_level(promise, sla)) {
            known.due_at = if is_breached || !known.is_breached {
                sla.due_at.or(known.due_at)
            } else {
                known.due_at.or(sla.due_at)
            };
            known.is_breached |= is_breached;
            known.id = known.id.take().or_else(|| sla.policy.clone());
        } else {
            promises.push(Promise {
                what: sla.metric.clone(),
                is_call: false,
                id: sla.policy.clone(),
                promised_at: event.occurred_at,
                due_at: sla.due_at,
                by: None,
                is_breached,
            });
        }
    }

    /// A call that was made. What keeps no promise made here may keep one made elsewhere.
    fn make_call(&mut self, event: &Event, call: &Callback) {
        if !keep_call(&mut self.conversation.promises, call, event.occurred_at) {
            self.conversation.calls_made.push((event.occurred_at, call.clone()));
        }
    }

    /// A call that is promised. Said again with its id, or without one in the same words, it is the
    /// same promise.
    fn promise_call(&mut self, event: &Event, call: &Callback) {
        self.ask(event);
        let what = call.text.as_deref();
        let is_same = |promise: &&mut Promise| {
            promise.is_call
                && promise.id == call.callback
                && (promise.id.is_some() || promise.what == what.unwrap_or(CALL_BACK))
        };
        let promises = &mut self.conversation.promises;
        if let Some(known) = promises.iter_mut().find(is_same) {
            known.due_at = call.due_at.or(known.due_at);
            known.by = event.actor.name.clone().or_else(|| known.by.take());
            if let Some(what) = what {
                what.clone_into(&mut known.what);
            }
        } else {
            promises.push(Promise {
                what: what.unwrap_or(CALL_BACK).to_owned(),
                is_call: true,
                id: call.callback.clone(),
                promised_at: event.occurred_at,
                due_at: call.due_at,
                by: event.actor.name.clone(),
                is_breached: false,
            });
        }
    }

    fn finish(mut self) -> Conversation {
        let call_since = self.conversation.call_since.take();
        let after_call = call_since.and_then(|_| self.waiting());
        self.conversation.call_since = call_since;
        let waiting = self.waiting();
        let conversation = &mut self.conversation;
        conversation.waiting_after_call = after_call;
        conversation.last = self.last.map(|last| told(last, self.corrections));
        conversation.promises.sort_by(|a, b| {
            let place = |it: &Promise| (it.due_at.is_none(), it.due_at, it.promised_at);
            (place(a), &a.what, &a.id).cmp(&(place(b), &b.what, &b.id))
        });
        conversation.asks |= conversation.state != State::New;
        conversation.waiting_on = waiting.map(|(on, _)| on);
        conversation.waiting_since = waiting.map(|(_, since)| since);
        if conversation.waiting_on.is_some() {
            conversation.snoozed_until = None;
        }
        // A call does not answer what somebody wrote, nor keep what was promised.
        let is_more = self.has_written || !conversation.promises.is_empty();
        let is_ours = conversation.waiting_on == Some(WaitingOn::Us);
        if conversation.is_mirrored || !self.has_only_calls || is_more || !is_ours {
            conversation.missed.clear();
        }
        if conversation.state == State::Merged {
            conversation.asked_before_merge = self.asked_when_merged;
        } else {
            conversation.asked_since_merge.clear();
        }
        self.conversation
    }

    /// Who has to act, and since when.
    fn waiting(&self) -> Option<(WaitingOn, Timestamp)> {
        let conversation = &self.conversation;
        let (state, since) = (conversation.state, conversation.since);
        let asks = conversation.asks || state != State::New;
        let is_gone = matches!(state, State::Spam | State::Deleted);
        if conversation.call_since.is_some() || !asks || is_gone {
            return None;
        }
        let answered = self.answered_at.unwrap_or(since);
        let us = |since| (WaitingOn::Us, since);
        let asked = self.asked_since_told.map(us);
        let waiting = match state {
            State::New | State::Bot | State::Open => Some(match self.unanswered_since {
                Some(since) if !self.bot_spoke_last || state != State::Bot => us(since),
                Some(_) => (WaitingOn::Customer, answered),
                None if self.answered_at.is_some() => (WaitingOn::Customer, answered),
                None => us(since),
            }),
            State::WaitingCustomer => asked.or(Some((WaitingOn::Customer, answered))),
            State::WaitingThird => asked.or(Some((WaitingOn::Third, since))),
            // What was asked before it was merged waits there, if anybody says where.
            State::Merged => {
                let merged = self.asked_when_merged.filter(|_| conversation.merged_into.is_some());
                merged.map(us).or(asked)
            }
            State::Snoozed | State::Resolved | State::Closed => asked,
            State::Spam | State::Deleted => None,
        };
        if waiting.is_some_and(|(on, _)| on == WaitingOn::Us) {
            return waiting;
        }
        // Whoever promised to call has to act, whatever else is waited for.
        let calls = conversation.promises.iter().filter(|promise| promise.is_call);
        calls.map(|promise| promise.promised_at).min().map(us).or(waiting)
    }
}

/// A call that was made keeps the promise that it names by its id; else those without one of
/// the same words; else, where one of both says neither, the first that was made. Gives whether it
/// keeps one; none is kept before it was made.
fn keep_call(promises: &mut Vec<Promise>, call: &Callback, at: Timestamp) -> bool {
    let is_named =
        |promise: &Promise| promise.is_call && promise.id.is_some() && promise.id == call.callback;
    // Two ids are two promises.
    let may_be = |promise: &Promise| {
        let is_later = promise.promised_at > at;
        promise.is_call && !is_later && (promise.id.is_none() || call.callback.is_none())
    };
    let text = call.text.as_deref();
    let says_so = |promise: &Promise| may_be(promise) && Some(promise.what.as_str()) == text;
    let is_unsaid =
        |promise: &Promise| may_be(promise) && (text.is_none() || promise.what == CALL_BACK);
    let n = promises.len();
    if promises.iter().any(is_named) {
        promises.retain(|promise| !is_named(promise));
    } else if promises.iter().any(says_so) {
        promises.retain(|promise| !says_so(promise));
    } else if let Some(first) = promises.iter().position(is_unsaid) {
        promises.remove(first);
    }
    promises.len() < n
}

/// What a promised call is called of which no words are told.
const CALL_BACK: &str = "call back";

/// Whether a promise is the service level that an event speaks of. One without a policy may be that
/// of any.
fn is_level(promise: &Promise, sla: &Sla) -> bool {
    !promise.is_call
        && promise.what == sla.metric
        && (promise.id.is_none() || sla.policy.is_none() || promise.id == sla.policy)
}

/// The person and the team that have it: a team may be told as the one who has it.
fn owners<'p>(
    person: Option<&'p Party>,
    team: Option<&'p Party>,
) -> (Option<&'p Party>, Option<&'p Party>) {
    let is_team = |party: &&Party| party.kind == PartyType::Team;
    (person.filter(|party| !is_team(party)), team.or_else(|| person.filter(is_team)))
}

/// A message with its text as corrections leave it.
fn told<'a>(event: &'a Event, mut corrections: Vec<&'a Event>) -> LastMessage {
    corrections.push(event);
    let now = Corrections::of(&corrections).of_message(&event.key).unwrap_or(Some(event));
    LastMessage {
        event: event.key.clone(),
        at: event.occurred_at,
        channel: event.channel.clone(),
        direction: event.direction,
        actor: event.actor.kind,
        actor_name: speaker(event),
        text: now.and_then(|now| now.body.as_ref()).map(|body| body.text.clone()),
    }
}

/// Who said it, by name. Whom an event is about has said what comes from the customer's side only.
fn speaker(event: &Event) -> Option<String> {
    let is_theirs = match event.actor.kind {
        ActorType::Customer | ActorType::Contact => true,
        ActorType::Unknown => event.direction == Direction::In,
        _ => false,
    };
    event.actor.name.clone().or_else(|| event.name.clone().filter(|_| is_theirs))
}
