//! `cx same`, `cx different`, `cx revoke`: what people say about who is who.

use std::process::ExitCode;

use cx_core::identity::{Assertion, Subject, Verdict};
use cx_store::Store;

use crate::args::{self, Args, Pair, Revoke};
use crate::error::CliError;
use crate::output;

pub(crate) fn same(args: &Args, pair: &Pair) -> Result<ExitCode, CliError> {
    say(args, pair, Verdict::Same)
}

pub(crate) fn different(args: &Args, pair: &Pair) -> Result<ExitCode, CliError> {
    say(args, pair, Verdict::Different)
}

fn say(
    args: &Args,
    pair: &Pair,
    verdict: fn(Subject, Subject) -> Verdict,
) -> Result<ExitCode, CliError> {
    let store = Store::open_existing(&pair.file)?;
    let anchor = |text: &str| {
        let who = args::who(text, pair.region.as_deref())?;
        store.anchor(&who)?.map(Subject::Observation).ok_or_else(|| {
            CliError::Usage(format!("{text}: nobody is known by it, or several customers share it"))
        })
    };
    let verdict = verdict(anchor(&pair.a)?, anchor(&pair.b)?);
    let what = if matches!(verdict, Verdict::Same(..)) { "one person" } else { "two persons" };
    let now = args.now()?;
    let assertion =
        Assertion { verdict, by: pair.by.clone(), reason: pair.reason.clone(), at: now };
    let id = store.assert(&assertion, now)?.id;
    output::line(&format!("{} and {} are {what}: {id}", pair.a, pair.b))?;
    output::line(&format!("take it back with: cx revoke {} {id}", pair.file.display()))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn revoke(args: &Args, revoke: &Revoke) -> Result<ExitCode, CliError> {
    let store = Store::open_existing(&revoke.file)?;
    let now = args.now()?;
    let assertion = Assertion {
        verdict: Verdict::Revoke(revoke.assertion),
        by: revoke.by.clone(),
        reason: revoke.reason.clone(),
        at: now,
    };
    let id = store.assert(&assertion, now)?.id;
    output::line(&format!("{} holds no longer: {id}", revoke.assertion))?;
    Ok(ExitCode::SUCCESS)
}
