//! `cx check`, `cx backup`, `cx completions`.

use std::process::ExitCode;

use clap::CommandFactory;
use cx_store::Store;

use crate::args::{Args, Backup, Completions, File};
use crate::error::CliError;
use crate::output;

pub(crate) fn check(asked: &File) -> Result<ExitCode, CliError> {
    let store = Store::open_existing(&asked.file)?;
    let report = store.check()?;
    for problem in &report.problems {
        output::line(&format!("wrong: {problem}"))?;
    }
    let (customers, events) = store.counts()?;
    let counts =
        format!("{}, {}", output::counted(customers, "customer"), output::counted(events, "event"));
    if report.is_clean() {
        output::line(&format!(
            "{}: clean; {counts}; everything derived equals a full rebuild",
            asked.file.display()
        ))?;
        Ok(ExitCode::SUCCESS)
    } else {
        output::line(&format!("{}: not clean; {counts}", asked.file.display()))?;
        Ok(ExitCode::from(1))
    }
}

pub(crate) fn backup(asked: &Backup) -> Result<ExitCode, CliError> {
    let store = Store::open_existing(&asked.file)?;
    store.backup(&asked.to)?;
    output::line(&format!("{} → {}", asked.file.display(), asked.to.display()))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn completions(asked: &Completions) -> Result<ExitCode, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(asked.shell, &mut Args::command(), "cx", &mut text);
    output::print(&String::from_utf8_lossy(&text))?;
    Ok(ExitCode::SUCCESS)
}
