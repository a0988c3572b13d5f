//! Service: how soon somebody answers, and how soon it is solved. In calendar time.

use std::collections::{BTreeMap, BTreeSet};

use super::result::{Figure, Interval, Measured, Unit};
use super::statistics::{Wait, mean, median, signed, survival_median, t_interval};
use crate::conversation::{Conversation, Cycle};
use crate::event::conversation::State;
use crate::ids::ConversationKey;
use crate::time::Timestamp;

/// From the customer's first message or call of each cycle to the first answer by a person. A
/// cycle goes from opening, or reopening, to resolution.
///
/// The value is the Kaplan–Meier median in seconds: who still waits counts as waiting longer than
/// until `as_of`, and whose question was resolved without an answer as longer than until then;
/// neither is left out. Bots, automatic replies, notes and receipts answer nothing. The mean and the
/// median of those answered stand beside it. What was asked in a conversation that was merged into
/// another one is answered there, and counts once.
pub fn first_response(conversations: &[Conversation], as_of: Timestamp) -> Measured {
    let mut measured = Measured::new("first_response", Unit::Seconds, as_of);
    measured.define(
        "First response: from the customer's first message or call of each cycle \
        to the first answer by a person, in calendar time; median by Kaplan-Meier, who still waits, \
        and who got no answer, is censored.",
    );
    let mut waits = Vec::new();
    let mut n_unanswered = 0;
    let carried = Carried::of(conversations, as_of);
    for asked in carried.alone.values() {
        waits.push(match asked.until {
            Some((resolved, false)) => {
                n_unanswered += 1;
                unanswered(asked.at, resolved)
            }
            until => wait(asked.at, until.map(|(answered, _)| answered), &mut measured),
        });
    }
    let told = |conversation: &Conversation| carried.told.contains(&conversation.key);
    for conversation in counted(conversations, told, &mut measured) {
        for (number, cycle) in conversation.cycles.iter().enumerate() {
            let sooner = carried.sooner.get(&(&conversation.key, number));
            let asked = cycle.asked_at.map(|asked| sooner.map_or(asked, |it| asked.min(*it)));
            let is_left = cycle.answered_at.is_none() && cycle.is_resolved;
            match asked {
                None => measured.exclude("nothing asked by the customer"),
                Some(asked) if asked > as_of => measured.exclude("after the instant of asking"),
                Some(asked) if is_left => match cycle.resolved_at {
                    None => measured.exclude("resolved nobody knows when"),
                    Some(resolved) => {
                        n_unanswered += 1;
                        waits.push(unanswered(asked, resolved.min(as_of)));
                    }
                },
                Some(asked) => waits.push(wait(asked, cycle.answered_at, &mut measured)),
            }
        }
    }
    measured.counts.insert(UNANSWERED, n_unanswered);
    waited(&waits, measured)
}

/// From the beginning of each conversation to its first resolution.
pub fn first_resolution(conversations: &[Conversation], as_of: Timestamp) -> Measured {
    let mut measured = Measured::new("first_resolution", Unit::Seconds, as_of);
    measured.define("First resolution: from the beginning of a conversation to the first time \
        it was resolved, in calendar time; median by Kaplan-Meier, what is not resolved is censored.");
    resolution(conversations, measured, |cycles| cycles.iter().find(|cycle| cycle.is_resolved))
}

/// From the beginning of each conversation to its last resolution: a reopening extends it.
pub fn full_resolution(conversations: &[Conversation], as_of: Timestamp) -> Measured {
    let mut measured = Measured::new("full_resolution", Unit::Seconds, as_of);
    measured.define(
        "Full resolution: from the beginning of a conversation to the last time it \
        was resolved, in calendar time; median by Kaplan-Meier, what is not resolved is censored.",
    );
    resolution(conversations, measured, <[Cycle]>::last)
}

/// Times to resolution, of each conversation to the end of one of its cycles.
fn resolution(
    conversations: &[Conversation],
    mut measured: Measured,
    of: impl Fn(&[Cycle]) -> Option<&Cycle>,
) -> Measured {
    let mut waits = Vec::new();
    for conversation in counted(conversations, |_| false, &mut measured) {
        let begun = conversation.cycles.first().map_or(conversation.opened_at, |it| it.started_at);
        let cycle = of(&conversation.cycles);
        let resolved_at = cycle.and_then(|cycle| cycle.resolved_at);
        if begun > measured.as_of {
            measured.exclude("after the instant of asking");
        } else if !conversation.is_asked {
            measured.exclude("nothing to resolve");
        } else if !conversation.can_be_resolved() {
            // It would wait for ever, whatever was done.
            measured.exclude("nobody says when it is resolved");
        } else if resolved_at.is_none() && cycle.is_some_and(|cycle| cycle.is_resolved) {
            measured.exclude("resolved nobody knows when");
        } else {
            waits.push(wait(begun, resolved_at, &mut measured));
        }
    }
    waited(&waits, measured)
}

/// The conversations that count: what is spam, was deleted, or lives on in another one, nobody
/// answered and nobody solved. Of some all is told already.
fn counted<'a>(
    conversations: &'a [Conversation],
    is_told: impl Fn(&Conversation) -> bool,
    measured: &mut Measured,
) -> Vec<&'a Conversation> {
    let reason = |conversation: &&Conversation| match conversation.state {
        State::Merged => Some("merged into another one"),
        State::Spam => Some("spam"),
        State::Deleted => Some("deleted"),
        State::New
        | State::Bot
        | State::Open
        | State::WaitingCustomer
        | State::WaitingThird
        | State::Snoozed
        | State::Resolved
        | State::Closed => None,
    };
    let mut counted = Vec::new();
    for conversation in conversations.iter().filter(|it| !is_told(it)) {
        match reason(&conversation) {
            Some(reason) => measured.exclude(reason),
            None => counted.push(conversation),
        }
    }
    counted
}

/// The name of the count of those whose question was resolved without an answer.
const UNANSWERED: &str = "resolved_unanswered";

/// What was asked in conversations that were merged into others before anybody answered.
#[derive(Default)]
struct Carried<'a> {
    /// Of cycles in which the customer asked too: since when they had waited elsewhere.
    sooner: BTreeMap<(&'a ConversationKey, usize), Timestamp>,
    /// Of others what was asked first, by the conversation it lives on in and the answer.
    alone: BTreeMap<(&'a ConversationKey, Option<Timestamp>), Asked>,
    /// The conversations of which that tells all.
    told: BTreeSet<&'a ConversationKey>,
}

/// A question that was asked in one conversation and answered in another.
struct Asked {
    at: Timestamp,
    /// When somebody answered, or when it was resolved without that.
    until: Option<(Timestamp, bool)>,
}

impl<'a> Carried<'a> {
    fn of(conversations: &'a [Conversation], as_of: Timestamp) -> Self {
        let mut carried = Self::default();
        let merged = || conversations.iter().filter(|it| it.state == State::Merged);
        if merged().next().is_none() {
            return carried;
        }
        let by_key: BTreeMap<&str, &Conversation> =
            conversations.iter().map(|it| (it.key.as_str(), it)).collect();
        for from in merged() {
            let Some(asked) = open_question(from).filter(|asked| *asked <= as_of) else { continue };
            let Some((last, answers)) = lives_on(from, &by_key) else { continue };
            let answer = answers.into_iter().filter(|at| *at >= asked && *at <= as_of).min();
            let is_same = |(number, cycle): (usize, &Cycle)| {
                let is_last = number + 1 == last.cycles.len();
                let answered = cycle.answered_at.filter(|at| *at <= as_of);
                cycle.asked_at.is_some() && answered == answer && (answer.is_some() || is_last)
            };
            let cycle = last.cycles.iter().enumerate().find(|(number, it)| is_same((*number, *it)));
            if let Some((number, _)) = cycle {
                let sooner = carried.sooner.entry((&last.key, number)).or_insert(asked);
                *sooner = asked.min(*sooner);
                continue;
            }
            let is_done = matches!(last.state, State::Resolved | State::Closed);
            let resolved = Some(last.since).filter(|at| is_done && *at >= asked && *at <= as_of);
            let until = answer.map(|at| (at, true)).or(resolved.map(|at| (at, false)));
            let alone = carried.alone.entry((&last.key, answer));
            let alone = alone.or_insert_with(|| {
                carried.told.insert(&from.key);
                Asked { at: asked, until }
            });
            alone.at = asked.min(alone.at);
        }
        carried
    }
}

/// When the customer asked what nobody had answered when it was merged.
fn open_question(merged: &Conversation) -> Option<Timestamp> {
    let cycle = merged.cycles.last().filter(|cycle| !cycle.is_resolved)?;
    let was_answered = cycle.answered_at.is_some_and(|at| at < merged.since);
    cycle.asked_at.filter(|_| !was_answered)
}

/// The conversation in which a merged one lives on in the end, and all answers in it and on the way;
/// `None` where that is not known, or does not count.
fn lives_on<'a>(
    merged: &'a Conversation,
    by_key: &BTreeMap<&str, &'a Conversation>,
) -> Option<(&'a Conversation, Vec<Timestamp>)> {
    let mut answers = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut last = merged;
    while last.state == State::Merged && seen.insert(last.key.as_str()) {
        answers.extend(&last.answers);
        last = by_key.get(last.merged_into.as_deref()?)?;
    }
    answers.extend(&last.answers);
    let is_gone = matches!(last.state, State::Merged | State::Spam | State::Deleted);
    (!is_gone).then_some((last, answers))
}

/// A wait for an answer that never came: it would have been longer.
fn unanswered(from: Timestamp, until: Timestamp) -> Wait {
    Wait { seconds: signed(until.since(from).as_micros().max(0)) / 1e6, is_over: false }
}

/// A wait that ended, or goes on. Clocks that disagree make some end before they begin: those
/// count as nought and are reported.
fn wait(from: Timestamp, to: Option<Timestamp>, measured: &mut Measured) -> Wait {
    let to = to.filter(|to| *to <= measured.as_of);
    let micros = to.unwrap_or(measured.as_of).since(from).as_micros();
    if micros < 0 {
        *measured.counts.entry("negative_set_to_0").or_default() += 1;
    }
    Wait { seconds: signed(micros.max(0)) / 1e6, is_over: to.is_some() }
}

fn waited(waits: &[Wait], mut measured: Measured) -> Measured {
    let over: Vec<f64> =
        waits.iter().filter(|wait| wait.is_over).map(|wait| wait.seconds).collect();
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    measured.n = count(waits.len());
    measured.parameters.insert("time", "calendar".to_owned());
    measured.counts.insert("over", count(over.len()));
    let unanswered = measured.counts.get(UNANSWERED).copied().unwrap_or_default();
    let going_on = count(waits.len() - over.len()).saturating_sub(unanswered);
    measured.counts.insert("still_waiting", going_on);
    measured.value = survival_median(waits).map(|(value, interval)| Figure { value, interval });
    if let Some(value) = mean(&over) {
        let interval = t_interval(&over);
        let interval = interval.map(|it| Interval { low: it.low.max(0.0), ..it });
        measured.parts.insert("mean_of_over", Figure { value, interval });
    }
    if let Some(value) = median(&over) {
        measured.parts.insert("median_of_over", Figure { value, interval: None });
    }
    measured
}
