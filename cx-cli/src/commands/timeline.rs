//! `cx timeline`: what happened with a customer.

use std::process::ExitCode;

use cx_core::conversation::Corrections;
use cx_core::event::{Direction, Event, Kind};
use cx_core::identifier::Who;
use cx_store::{Cursor, Store, TimelineQuery};

use super::find;
use crate::args::{Args, Timeline};
use crate::error::CliError;
use crate::output;

pub(crate) fn run(args: &Args, asked: &Timeline) -> Result<ExitCode, CliError> {
    let store = args.open_to_ask(&asked.whom.file)?;
    let who = asked.whom.who()?;
    let mut query = TimelineQuery::new().limit(asked.limit);
    if !asked.oldest_first {
        query = query.newest_first();
    }
    if let Some(channel) = &asked.channel {
        query = query.channel(channel.clone());
    }
    if let Some(kind) = &asked.kind {
        query = query.kind(kind.clone());
    }
    if let Some(since) = asked.since {
        query = query.since(since);
    }
    if let Some(until) = asked.until {
        query = query.until(until);
    }
    let cursor: Option<Cursor> = asked.after.as_deref().map(str::parse).transpose()?;
    let page = store.timeline(&who, &query, cursor.as_ref())?;
    if page.events.is_empty() && !asked.json {
        let whom = &asked.whom.who;
        output::line(&if store.find(&who)?.chosen().is_some() {
            format!("Nothing of what is known of {whom} was asked for.")
        } else {
            let nobody = format!("Nothing is known of {whom}, or several customers share it.");
            find::nobody(&store, &who, &nobody)?
        })?;
    }
    if asked.json {
        for event in &page.events {
            output::json_line(event)?;
        }
    } else {
        tell(&page.events, &corrections(&store, &who)?)?;
    }
    if let Some(next) = page.next {
        anstream::eprintln!("more with --after {next}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Whatever edits, redacts or deletes a message of a customer.
fn corrections(store: &Store, who: &Who) -> Result<Vec<Event>, CliError> {
    let kinds = ["message.edited", "message.redacted", "message.deleted"];
    let query = kinds.into_iter().fold(TimelineQuery::new().limit(1_000), TimelineQuery::kind);
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.timeline(who, &query, after.as_ref())?;
        all.extend(page.events);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// Tells events with the words that they have now: what was taken out is not shown.
fn tell(events: &[Event], corrections: &[Event]) -> Result<(), CliError> {
    let mut all: Vec<&Event> = events.iter().chain(corrections).collect();
    all.sort_by(|a, b| a.timeline_cmp(b));
    all.dedup_by(|a, b| a.key == b.key);
    let corrected = Corrections::of(&all);
    for event in events {
        let words = match corrected.of_message(&event.key) {
            None => None,
            Some(None) => Some("(taken out)".to_owned()),
            Some(Some(edit)) => edit.body.as_ref().map(|body| format!("{} (edited)", body.text)),
        };
        output::line(&described(event, words))?;
    }
    Ok(())
}

/// An event on one line: when, where, which way, what, who, and the first words.
pub(crate) fn describe(event: &Event) -> String {
    described(event, None)
}

/// The same, in other words.
fn described(event: &Event, words: Option<String>) -> String {
    let at = event.occurred_at.to_string();
    let at = at.get(..19).unwrap_or(&at).replace('T', " ");
    let way = match event.direction {
        Direction::In => "in",
        Direction::Out => "out",
        Direction::None => "-",
    };
    let actor = event.actor.name.clone().unwrap_or_else(|| event.actor.kind.name().to_owned());
    let written = || event.body.as_ref().map(|body| body.text.clone());
    let said = words.or_else(written).or_else(|| match &event.kind {
        Kind::ConversationStatus(status) => Some(format!("→ {}", status.to.name())),
        Kind::MailOpened(mail) | Kind::MailDelivered(mail) | Kind::MailQueued(mail) => {
            mail.subject.clone().or_else(|| mail.campaign.clone())
        }
        Kind::MailClicked(mail) => mail.url.clone(),
        Kind::OrderPlaced(order) => order.name.clone(),
        Kind::ProfileUpdated(profile) => profile.name.clone(),
        _ => event.conversation.as_ref().and_then(|conversation| conversation.subject.clone()),
    });
    format!(
        "{at}  {:<10} {way:<3}  {:<24} {}  {}",
        event.channel.name(),
        event.kind.name(),
        output::tame(&actor, 30),
        output::tame(&said.unwrap_or_default(), 100),
    )
    .trim_end()
    .to_owned()
}
