//! `cx find`, `cx search`, `cx waiting`: who holds it, where it is written, who waits.

use std::process::ExitCode;

use cx_core::context::{Audience, Confidence};
use cx_core::conversation::WaitingOn;
use cx_core::identifier::{Namespace, Who};
use cx_core::identity::Assertions;
use cx_store::{Found, FoundCustomer, SearchQuery, Store, Words};

use super::timeline;
use crate::args::{self, Args, Find, Search, Waiting};
use crate::error::CliError;
use crate::output;

/// How sure it is who is meant.
pub(crate) const fn sure(found: &Found) -> &'static str {
    match found.confidence {
        Confidence::Certain => "One customer holds it.",
        Confidence::Probable => "One customer holds it, and others may.",
        Confidence::Ambiguous => "Several customers share it; none is chosen.",
        Confidence::None if found.is_erased => "The customer who had this id was erased.",
        Confidence::None => "Nobody is known by it.",
    }
}

/// What is said where nobody is meant: that whoever had an id is gone, or else this.
pub(crate) fn nobody(store: &Store, who: &Who, otherwise: &str) -> Result<String, CliError> {
    let found = store.find(who)?;
    Ok(if found.is_erased { sure(&found) } else { otherwise }.to_owned())
}

/// A customer on a line.
pub(crate) fn line(customer: &FoundCustomer) -> String {
    let name = customer.name.as_deref().unwrap_or("without a name");
    let events = output::counted(customer.n_events, "event");
    format!("{}  {}  {events}", customer.id, output::tame(name, 60))
}

pub(crate) fn find(args: &Args, asked: &Find) -> Result<ExitCode, CliError> {
    let store = args.open_to_ask(&asked.whom.file)?;
    let who = asked.whom.who()?;
    let found = store.find(&who)?;
    output::line(sure(&found))?;
    for customer in &found.customers {
        output::line(&line(customer))?;
    }
    if found.confidence == Confidence::None
        && let Who::Identifier(identifier) = &who
        && *identifier.namespace() == Namespace::Cookie
        && identifier.scope().is_empty()
    {
        anstream::eprintln!("a cookie that has a site is asked for as cookie:SITE:VALUE");
    }
    if found.is_hub {
        output::line(if is_blocked(&store, &who)? {
            "Somebody blocked it: it links nobody."
        } else {
            "It is used so widely that it links nobody."
        })?;
    }
    if found.unattributed > 0 {
        let events = output::counted(found.unattributed, "event");
        output::line(&format!("{events} with it cannot be put to anybody."))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether a person, or the policy, said that an identifier links nobody.
fn is_blocked(store: &Store, who: &Who) -> Result<bool, CliError> {
    let Who::Identifier(identifier) = who else { return Ok(false) };
    let is_said = Assertions::new(store.assertions()?).blocks(identifier);
    Ok(is_said || store.policy()?.blocked.contains(&identifier.to_string()))
}

pub(crate) fn search(args: &Args, asked: &Search) -> Result<ExitCode, CliError> {
    let audience: Audience = asked.audience.into();
    if audience == Audience::Customer && asked.who.is_none() {
        let text = "--for customer asks for --who: what others wrote is for no customer";
        return Err(CliError::Usage(text.to_owned()));
    }
    let store = args.open_to_ask(&asked.file)?;
    let query = SearchQuery::new(asked.words.join(" ")).audience(audience).limit(asked.limit);
    let hits = match &asked.who {
        Some(who) => store.search_of(&args::who(who, None)?, &query)?,
        None => store.search(&query)?,
    };
    if hits.is_empty() {
        output::line("Nothing with all these words.")?;
    }
    for hit in hits {
        let customer = hit.customer.map_or_else(|| "nobody known".to_owned(), |id| id.to_string());
        output::line(&format!(
            "{}  {customer}",
            timeline::describe(&hit.found, &Words::AsWritten)
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn waiting(args: &Args, asked: &Waiting) -> Result<ExitCode, CliError> {
    let store = args.open_to_ask(&asked.file)?;
    let as_of = match asked.as_of {
        Some(as_of) => as_of,
        None => args.now()?,
    };
    let matters = store.first_waiting(as_of, asked.limit.saturating_add(1))?;
    if matters.is_empty() {
        output::line("Nobody is waiting.")?;
    }
    for matter in matters.iter().take(asked.limit) {
        let conversation = &matter.conversation;
        let (on, since) = match conversation.waiting_on {
            Some(WaitingOn::Us) => ("for us", conversation.waiting_since),
            Some(WaitingOn::Customer) => ("for the customer", conversation.waiting_since),
            Some(WaitingOn::Third) => ("for somebody else", conversation.waiting_since),
            None if conversation.is_on_the_phone(as_of) => ("on the phone", None),
            None => ("for nobody", None),
        };
        let since = since.unwrap_or(conversation.since);
        let seconds = as_of.since(since).as_seconds().max(0);
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
        let customer =
            matter.customer.map_or_else(|| "nobody known".to_owned(), |id| id.to_string());
        let about = conversation
            .subject
            .clone()
            .or_else(|| conversation.last.as_ref().and_then(|last| last.text.clone()));
        let due = conversation.promises.iter().find_map(|promise| {
            let missed = if promise.is_breached_by(as_of) { ", missed" } else { "" };
            promise.due_at.map(|at| format!("  due {at}{missed}"))
        });
        output::line(&format!(
            "{days:>3} d {hours:>2} h {minutes:>2} min  {on:<17} {:<17} {customer}  {}  {}{}",
            conversation.state.name(),
            conversation.key,
            output::tame(&about.unwrap_or_default(), 60),
            due.unwrap_or_default(),
        ))?;
    }
    if matters.len() > asked.limit {
        anstream::eprintln!("… and more: --limit N shows N of them");
    }
    Ok(ExitCode::SUCCESS)
}
