//! `cx same`, `cx different` and their like: what people say about who is who.

use std::process::ExitCode;

use clap::ValueEnum as _;
use cx_core::identifier::{Identifier, Who};
use cx_core::identity::{Assertion, Assertions, Subject, Verdict};
use cx_core::ids::{EventKey, ObservationId};
use cx_store::{Asserted, ChangeRecord, Conflict, Preview, Store};

use super::changes;
use crate::args::{self, Args, Detach, OneValue, Pair, Rekey, Revoke, Saying, VerdictName};
use crate::error::CliError;
use crate::output;

pub(crate) fn same(args: &Args, pair: &Pair) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&pair.file)?;
    let verdict = same_or(&store, &pair.a, &pair.b, &pair.saying, Verdict::Same)?;
    say(args, &store, verdict, &pair.saying, &format!("{} and {} are one person", pair.a, pair.b))
}

pub(crate) fn different(args: &Args, pair: &Pair) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&pair.file)?;
    let verdict = same_or(&store, &pair.a, &pair.b, &pair.saying, Verdict::Different)?;
    say(args, &store, verdict, &pair.saying, &format!("{} and {} are two persons", pair.a, pair.b))
}

pub(crate) fn detach(args: &Args, it: &Detach) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&it.file)?;
    let verdict = detached(&store, &it.event, &it.value, &it.saying)?;
    let what = format!("{} is not of the holder of {}", it.event, it.value);
    say(args, &store, verdict, &it.saying, &what)
}

pub(crate) fn block(args: &Args, it: &OneValue) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&it.file)?;
    let verdict = Verdict::Block(value(&store, &it.value, &it.saying)?);
    say(args, &store, verdict, &it.saying, &format!("{} links nobody", it.value))
}

pub(crate) fn trust(args: &Args, it: &OneValue) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&it.file)?;
    let verdict = Verdict::Trust(value(&store, &it.value, &it.saying)?);
    say(args, &store, verdict, &it.saying, &format!("{} is one person's", it.value))
}

pub(crate) fn rekey(args: &Args, it: &Rekey) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&it.file)?;
    let verdict = rekeyed(&store, &it.from, &it.to, &it.saying)?;
    say(args, &store, verdict, &it.saying, &format!("{} has replaced {}", it.to, it.from))
}

pub(crate) fn revoke(args: &Args, it: &Revoke) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&it.file)?;
    let verdict = Verdict::Revoke(it.assertion);
    say(args, &store, verdict, &it.saying, &format!("{} holds no longer", it.assertion))
}

pub(crate) fn preview(args: &Args, it: &args::Preview) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&it.file)?;
    let side = |n: usize| {
        it.sides.get(n).ok_or_else(|| {
            let name = it.verdict.to_possible_value();
            let name = name.map(|name| name.get_name().to_owned()).unwrap_or_default();
            CliError::Usage(format!("{name} takes two"))
        })
    };
    let one = |text: &str| value(&store, text, &it.saying);
    let verdict = match it.verdict {
        VerdictName::Same => same_or(&store, side(0)?, side(1)?, &it.saying, Verdict::Same)?,
        VerdictName::Different => {
            same_or(&store, side(0)?, side(1)?, &it.saying, Verdict::Different)?
        }
        VerdictName::Detach => {
            let key = side(0)?.parse().map_err(|error| CliError::Usage(format!("{error}")))?;
            detached(&store, &key, side(1)?, &it.saying)?
        }
        VerdictName::Block => Verdict::Block(one(side(0)?)?),
        VerdictName::Trust => Verdict::Trust(one(side(0)?)?),
        VerdictName::Rekey => rekeyed(&store, side(0)?, side(1)?, &it.saying)?,
        VerdictName::Revoke => {
            Verdict::Revoke(side(0)?.parse().map_err(|error| CliError::Usage(format!("{error}")))?)
        }
    };
    let preview = store.preview(&[assertion(args, verdict, &it.saying)?])?;
    if it.saying.json {
        output::json_line(&preview)?;
    } else {
        tell(&preview.changes, &preview.conflicts, "Nothing would change.")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The two sides as they were typed: the record of whoever holds an identifier today, or the one
/// that a customer id names. So `same` and `different` mean the same two, whatever was said before
/// and whoever uses an address later.
fn same_or(
    store: &Store,
    a: &str,
    b: &str,
    saying: &Saying,
    verdict: fn(Subject, Subject) -> Verdict,
) -> Result<Verdict, CliError> {
    let side = |text: &str| {
        let who = args::who(text, saying.region.as_deref())?;
        let meant = store.meant(&who)?.ok_or_else(|| CliError::Nobody { who: text.to_owned() })?;
        Ok::<_, CliError>((who, Subject::Observation(meant)))
    };
    let ((who, one), (other_who, other)) = (side(a)?, side(b)?);
    apart(&who, &other_who, a, b)?;
    if one != other {
        return Ok(verdict(one, other));
    }
    // Both are on one record: of its identifiers, each by itself, it can be said all the same.
    let subject = |who: Who, meant: Subject| match who {
        Who::Customer(_) => meant,
        Who::Identifier(identifier) => Subject::Identifier(identifier),
    };
    Ok(verdict(subject(who, one), subject(other_who, other)))
}

/// Refuses to say of something what can be said of two only.
fn apart<T: PartialEq>(one: &T, other: &T, a: &str, b: &str) -> Result<(), CliError> {
    if one == other {
        return Err(CliError::Usage(format!("{a} and {b} are the same: two are wanted")));
    }
    Ok(())
}

fn rekeyed(store: &Store, from: &str, to: &str, saying: &Saying) -> Result<Verdict, CliError> {
    let (old, new) = (value(store, from, saying)?, value(store, to, saying)?);
    apart(&old, &new, from, to)?;
    // Of several holders nobody is chosen.
    for (text, value) in [(from, &old), (to, &new)] {
        let found = store.find(&Who::Identifier(value.clone()))?;
        if found.customers.len() > 1 && found.chosen().is_none() {
            return Err(CliError::Nobody { who: text.to_owned() });
        }
    }
    Ok(Verdict::Rekey(old, new))
}

fn detached(
    store: &Store,
    key: &EventKey,
    text: &str,
    saying: &Saying,
) -> Result<Verdict, CliError> {
    let (named, value) = (event(store, key)?, value(store, text, saying)?);
    let event = store.event(key)?;
    if !event.iter().flat_map(|event| &event.who).any(|claim| *claim.identifier() == value) {
        anstream::eprintln!("{}: this event does not carry it", output::tame(text, 100));
    }
    Ok(Verdict::Detach(named, value))
}

fn event(store: &Store, key: &EventKey) -> Result<ObservationId, CliError> {
    match store.event(key)? {
        Some(_) => Ok(ObservationId::of(&store.tenant(), key)),
        None => Err(CliError::NoEvent { key: key.clone() }),
    }
}

/// What was said before and says the same, if it is in force.
fn said_before(store: &Store, verdict: &Verdict) -> Result<Option<Assertion>, CliError> {
    let all = Assertions::new(store.assertions()?);
    let is_same =
        |other: &Verdict| other.name() == verdict.name() && other.sides() == verdict.sides();
    let said = all.in_force().find(|(_, assertion)| is_same(&assertion.verdict));
    Ok(said.map(|(_, assertion)| assertion.clone()))
}

/// An identifier that something may be said of. One that no event carries is told, since it may be
/// written otherwise than it is meant.
fn value(store: &Store, text: &str, saying: &Saying) -> Result<Identifier, CliError> {
    let who = args::read_who(text, saying.region.as_deref())?;
    match &who {
        Who::Identifier(identifier) => {
            let found = store.find(&who)?;
            let is_known = !found.customers.is_empty() || found.is_hub || found.unattributed > 0;
            match args::missing(identifier) {
                Some(missing) if !is_known => {
                    return Err(CliError::Usage(format!("{text}: {missing}")));
                }
                _ if !is_known => {
                    anstream::eprintln!("{}: no event carries it", output::tame(text, 100));
                }
                _ => {}
            }
            Ok(identifier.clone())
        }
        Who::Customer(_) => {
            Err(CliError::Usage(format!("{text} is a customer; an identifier is wanted")))
        }
    }
}

fn assertion(args: &Args, verdict: Verdict, saying: &Saying) -> Result<Assertion, CliError> {
    let (by, reason) = (saying.by.clone(), saying.reason.clone());
    Ok(Assertion { verdict, by, reason, at: args.now()? })
}

fn say(
    args: &Args,
    store: &Store,
    verdict: Verdict,
    saying: &Saying,
    what: &str,
) -> Result<ExitCode, CliError> {
    let is_revocation = matches!(verdict, Verdict::Revoke(_));
    let before = said_before(store, &verdict)?;
    let asserted = if let Some(said) = &before {
        // Said once more, it would change nothing; but something else may stand against it.
        let Preview { changes, conflicts } = store.preview(std::slice::from_ref(said))?;
        Asserted { id: said.id(), changes, conflicts }
    } else {
        let assertion = assertion(args, verdict, saying)?;
        store.assert(&assertion, assertion.at)?
    };
    if saying.json {
        output::json_line(&asserted)?;
        return Ok(ExitCode::SUCCESS);
    }
    let holds = !asserted.conflicts.iter().any(|it| it.assertion == asserted.id);
    let whether = if holds { "" } else { "It does not hold that " };
    output::line(&format!("{whether}{what}: {}", asserted.id))?;
    if let Some(said) = before {
        let by = output::tame(&said.by, 60);
        let nothing = format!("{by} said so at {}: nothing was recorded.", said.at);
        tell(&[], &asserted.conflicts, &nothing)?;
    } else {
        tell(&asserted.changes, &asserted.conflicts, "That changes nobody.")?;
    }
    if !is_revocation {
        let file = store.path().display();
        output::line(&format!("take it back with: cx revoke {file} {}", asserted.id))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(changes: &[ChangeRecord], conflicts: &[Conflict], nothing: &str) -> Result<(), CliError> {
    for record in changes {
        output::line(&format!("  {}", changes::sentence(record)))?;
    }
    if changes.is_empty() {
        output::line(nothing)?;
    }
    for conflict in conflicts {
        let against = conflict.against.map(|id| format!(" ({id})")).unwrap_or_default();
        let text = format!(
            "conflict: {} does not hold: {}{against}",
            conflict.assertion, conflict.because
        );
        output::line(&text)?;
    }
    Ok(())
}
