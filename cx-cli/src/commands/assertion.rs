//! `cx same`, `cx different` and their like: what people say about who is who.

use std::process::ExitCode;

use cx_core::identifier::{Identifier, Who};
use cx_core::identity::{Assertion, Subject, Verdict};
use cx_core::ids::{EventKey, ObservationId};
use cx_store::{ChangeRecord, Conflict, Store};

use super::changes;
use crate::args::{
    self, Args, Detach, OneValue, Pair, Preview, Rekey, Revoke, Saying, VerdictName,
};
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
    let verdict = Verdict::Detach(event(&store, &it.event), value(&it.value, &it.saying)?);
    let what = format!("{} is not of the holder of {}", it.event, it.value);
    say(args, &store, verdict, &it.saying, &what)
}

pub(crate) fn block(args: &Args, it: &OneValue) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&it.file)?;
    let verdict = Verdict::Block(value(&it.value, &it.saying)?);
    say(args, &store, verdict, &it.saying, &format!("{} links nobody", it.value))
}

pub(crate) fn trust(args: &Args, it: &OneValue) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&it.file)?;
    let verdict = Verdict::Trust(value(&it.value, &it.saying)?);
    say(args, &store, verdict, &it.saying, &format!("{} is one person's", it.value))
}

pub(crate) fn rekey(args: &Args, it: &Rekey) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&it.file)?;
    let verdict = Verdict::Rekey(value(&it.from, &it.saying)?, value(&it.to, &it.saying)?);
    say(args, &store, verdict, &it.saying, &format!("{} has replaced {}", it.to, it.from))
}

pub(crate) fn revoke(args: &Args, it: &Revoke) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&it.file)?;
    let verdict = Verdict::Revoke(it.assertion);
    say(args, &store, verdict, &it.saying, &format!("{} holds no longer", it.assertion))
}

pub(crate) fn preview(args: &Args, it: &Preview) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&it.file)?;
    let side = |n: usize| {
        it.sides.get(n).ok_or_else(|| CliError::Usage(format!("{:?} takes two", it.verdict)))
    };
    let one = |text: &str| value(text, &it.saying);
    let verdict = match it.verdict {
        VerdictName::Same => same_or(&store, side(0)?, side(1)?, &it.saying, Verdict::Same)?,
        VerdictName::Different => {
            same_or(&store, side(0)?, side(1)?, &it.saying, Verdict::Different)?
        }
        VerdictName::Detach => {
            let key = side(0)?.parse().map_err(|error| CliError::Usage(format!("{error}")))?;
            Verdict::Detach(event(&store, &key), one(side(1)?)?)
        }
        VerdictName::Block => Verdict::Block(one(side(0)?)?),
        VerdictName::Trust => Verdict::Trust(one(side(0)?)?),
        VerdictName::Rekey => Verdict::Rekey(one(side(0)?)?, one(side(1)?)?),
        VerdictName::Revoke => {
            Verdict::Revoke(side(0)?.parse().map_err(|error| CliError::Usage(format!("{error}")))?)
        }
    };
    let preview = store.preview(&[assertion(args, verdict, &it.saying)?])?;
    if it.saying.json {
        output::line(&output::json(&preview)?)?;
    } else {
        tell(&preview.changes, &preview.conflicts, "Nothing would change.")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The two customers, as the observations that name them. Two identifiers of one customer are
/// meant as identifiers.
fn same_or(
    store: &Store,
    a: &str,
    b: &str,
    saying: &Saying,
    verdict: fn(Subject, Subject) -> Verdict,
) -> Result<Verdict, CliError> {
    let anchor = |text: &str| {
        let who = args::who(text, saying.region.as_deref())?;
        store.anchor(&who)?.ok_or_else(|| {
            CliError::Usage(format!("{text}: nobody is known by it, or several customers share it"))
        })
    };
    let (one, other) = (anchor(a)?, anchor(b)?);
    if one == other {
        let (a, b) = (value(a, saying)?, value(b, saying)?);
        return Ok(verdict(Subject::Identifier(a), Subject::Identifier(b)));
    }
    Ok(verdict(Subject::Observation(one), Subject::Observation(other)))
}

fn event(store: &Store, key: &EventKey) -> ObservationId {
    ObservationId::of(&store.tenant(), key)
}

fn value(text: &str, saying: &Saying) -> Result<Identifier, CliError> {
    match args::who(text, saying.region.as_deref())? {
        Who::Identifier(identifier) => Ok(identifier),
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
    let assertion = assertion(args, verdict, saying)?;
    let asserted = store.assert(&assertion, assertion.at)?;
    if saying.json {
        output::line(&output::json(&asserted)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(&format!("{what}: {}", asserted.id))?;
    tell(&asserted.changes, &asserted.conflicts, "That changes nobody.")?;
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
