//! `cx check`, `cx salvage`: what is wrong with a file, and what can be done about it.

use std::path::Path;
use std::process::ExitCode;

use cx_store::{CheckReport, RepairReport, SalvageReport, Store, StoreError};
use serde_json::json;

use crate::args::{Args, Check, Salvage};
use crate::error::CliError;
use crate::output;

/// How many losses are shown in words.
const SHOWN: usize = 20;

pub(crate) fn check(args: &Args, asked: &Check) -> Result<ExitCode, CliError> {
    let options = args.opening()?;
    let looked_at =
        || -> Result<CheckReport, StoreError> { options.open_existing(&asked.file)?.check() };
    let checked = looked_at();
    let is_damaged = match &checked {
        Ok(report) => !report.is_clean(),
        // A foreign file, a newer one, one that another holds: nothing that a repair is for.
        Err(
            StoreError::Corrupt { .. } | StoreError::MalformedRow { .. } | StoreError::Engine(_),
        ) => true,
        Err(_) => false,
    };
    if !is_damaged || !asked.repair {
        let report = checked?;
        return told(&asked.file, &report, asked.json);
    }
    let repair = Store::repair(&asked.file)?;
    let report = looked_at()?;
    if asked.json {
        let found = match &checked {
            Ok(report) => json!(report),
            Err(error) => json!({ "error": error.to_string() }),
        };
        output::json_line(&json!({
            "found": found, "repair": repair, "now": report,
        }))?;
    } else {
        match &checked {
            Ok(report) => problems(report)?,
            Err(error) => output::line(&format!("wrong: {error}"))?,
        }
        repaired(&asked.file, &repair)?;
        told(&asked.file, &report, false)?;
    }
    let is_whole = repair.salvage.is_complete() && report.is_clean();
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

pub(crate) fn salvage(args: &Args, asked: &Salvage) -> Result<ExitCode, CliError> {
    let (store, report) = Store::salvage_under(&asked.file, &asked.to, args.key()?.as_ref())?;
    let check = store.check()?;
    if asked.json {
        output::json_line(&json!({ "salvage": report, "now": check }))?;
    } else {
        saved(&asked.to, &report)?;
        told(&asked.to, &check, false)?;
    }
    let is_whole = report.is_complete() && check.is_clean();
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn told(file: &Path, report: &CheckReport, as_json: bool) -> Result<ExitCode, CliError> {
    let code = if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(1) };
    if as_json {
        output::json_line(report)?;
        return Ok(code);
    }
    problems(report)?;
    let counts = format!(
        "{}, {}",
        output::counted(report.customers, "customer"),
        output::counted(report.current, "event")
    );
    let file = file.display();
    if report.is_clean() {
        output::line(&format!(
            "{file}: clean; {counts}; everything derived equals a full rebuild"
        ))?;
    } else {
        output::line(&format!("{file}: not clean; {counts}"))?;
    }
    Ok(code)
}

fn problems(report: &CheckReport) -> Result<(), CliError> {
    for problem in &report.problems {
        output::line(&format!("wrong: {}", output::tame(problem, 400)))?;
    }
    for note in &report.notes {
        output::line(&format!("note: {}", output::tame(note, 400)))?;
    }
    Ok(())
}

fn repaired(file: &Path, repair: &RepairReport) -> Result<(), CliError> {
    saved(file, &repair.salvage)?;
    if let Some(kept) = &repair.kept {
        output::line(&format!("the file as it was: {}", kept.display()))?;
    }
    Ok(())
}

fn saved(to: &Path, report: &SalvageReport) -> Result<(), CliError> {
    for lost in report.lost.iter().take(SHOWN) {
        output::line(&format!("lost: {}", output::tame(lost, 400)))?;
    }
    let more = report.lost.len().saturating_sub(SHOWN);
    if more > 0 {
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        output::line(&format!("… and {} more", output::count(more)))?;
    }
    let all = if report.is_complete() { "all facts saved" } else { "saved" };
    output::line(&format!("{}: {all}: {}", to.display(), output::facts(&report.saved)))
}
