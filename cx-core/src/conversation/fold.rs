//! The fold: from the events of one conversation to how it stands.

use super::calls::is_by_program;
use super::promise::{CALL_BACK, is_level, keep_call};
use super::unsaid::Unsaid;
use super::{
    Anomaly, Conversation, Corrections, Cycle, HandedOver, IllegalTransition, LastMessage,
    Lifecycle, Missed, Promise, WaitingOn, state,
};
use crate::actor::ActorType;
use crate::event::conversation::{Assigned, Handover, Opened, Party, PartyType, State, Status};
use crate::event::promise::{Callback, Sla};
use crate::event::talk::Call;
use crate::event::{Direction, Event, Kind, TimeOrigin, Visibility};
use crate::identifier::Claim;
use crate::ids::ConversationKey;
use crate::time::Timestamp;

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
