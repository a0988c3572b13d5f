//! Service: how soon somebody answers, and how soon it is solved. In calendar time.

use super::result::{Figure, Interval, Measured, Unit};
use super::statistics::{Wait, mean, median, signed, survival_median, t_interval};
use crate::conversation::{Conversation, Cycle};
use crate::event::conversation::State;
use crate::time::Timestamp;

/// From the customer's first message or call of each cycle to the first answer by a person. A
/// cycle goes from opening, or reopening, to resolution.
///
/// The value is the Kaplan–Meier median in seconds: who still waits counts as waiting longer than
/// until `as_of`, and is not left out. Bots, automatic replies, notes and receipts answer nothing. The
/// mean and the median of those answered stand beside it.
pub fn first_response(conversations: &[Conversation], as_of: Timestamp) -> Measured {
    let mut measured = Measured::new("first_response", Unit::Seconds, as_of);
    measured.define(
        "First response: from the customer's first message or call of each cycle \
        to the first answer by a person, in calendar time; median by Kaplan-Meier, who still waits \
        is censored.",
    );
    let mut waits = Vec::new();
    let counted = counted(conversations, &mut measured);
    for cycle in counted.iter().flat_map(|conversation| &conversation.cycles) {
        match cycle.asked_at {
            None => measured.exclude("nothing asked by the customer"),
            Some(asked) if asked > as_of => measured.exclude("after the instant of asking"),
            // Solved without an answer: nobody waits any more, and nobody answered.
            Some(_) if cycle.answered_at.is_none() && cycle.is_resolved => {
                measured.exclude("resolved without an answer");
            }
            Some(asked) => waits.push(wait(asked, cycle.answered_at, &mut measured)),
        }
    }
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
    for conversation in counted(conversations, &mut measured) {
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
/// answered and nobody solved.
fn counted<'a>(
    conversations: &'a [Conversation],
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
    for conversation in conversations {
        match reason(&conversation) {
            Some(reason) => measured.exclude(reason),
            None => counted.push(conversation),
        }
    }
    counted
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
    measured.counts.insert("still_waiting", count(waits.len() - over.len()));
    measured.value =
        survival_median(waits).map(|(value, interval)| Figure { value, interval: Some(interval) });
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
