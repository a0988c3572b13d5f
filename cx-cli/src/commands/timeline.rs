//! `cx timeline`: what happened with a customer.

use std::process::ExitCode;

use cx_core::event::{Direction, Event, Kind};
use cx_store::{Cursor, TimelineQuery, Words};

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
        page.events.iter().try_for_each(output::json_line)?;
    } else {
        for (event, words) in page.events.iter().zip(store.words(&page.events)?) {
            output::line(&describe(event, &words))?;
        }
    }
    if let Some(next) = page.next {
        anstream::eprintln!("more with --after {next}");
    }
    Ok(ExitCode::SUCCESS)
}

/// An event on one line: when, where, which way, what, who, and the first words.
pub(crate) fn describe(event: &Event, words: &Words) -> String {
    let at = event.occurred_at.to_string();
    let at = at.get(..19).unwrap_or(&at).replace('T', " ");
    let way = match event.direction {
        Direction::In => "in",
        Direction::Out => "out",
        Direction::None => "-",
    };
    let actor = event.actor.name.clone().unwrap_or_else(|| event.actor.kind.name().to_owned());
    let said = event.body.as_ref().map(|body| body.text.clone()).or_else(|| match &event.kind {
        Kind::ConversationStatus(status) => Some(format!("→ {}", status.to.name())),
        Kind::MailOpened(mail) | Kind::MailDelivered(mail) | Kind::MailQueued(mail) => {
            mail.subject.clone().or_else(|| mail.campaign.clone())
        }
        Kind::MailClicked(mail) => mail.url.clone(),
        Kind::OrderPlaced(order) => order.name.clone(),
        Kind::ProfileUpdated(profile) => profile.name.clone(),
        _ => event.conversation.as_ref().and_then(|conversation| conversation.subject.clone()),
    });
    let said = match words {
        Words::AsWritten => said,
        Words::Edited(now) => Some(format!("(edited) {}", now.as_deref().unwrap_or_default())),
        Words::TakenOut => Some("(taken out)".to_owned()),
    };
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
