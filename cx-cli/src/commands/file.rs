//! `cx backup`, `cx completions`.

use std::process::ExitCode;

use clap::CommandFactory;
use cx_store::Store;

use crate::args::{Args, Backup, Completions};
use crate::error::CliError;
use crate::output;

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
