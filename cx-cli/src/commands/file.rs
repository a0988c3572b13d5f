//! `cx backup`, `cx restore`, `cx completions`.

use std::process::ExitCode;

use clap::CommandFactory;
use cx_store::{EncryptionKey, Store};

use crate::args::{Args, Backup, Completions, Restore};
use crate::error::CliError;
use crate::output;

pub(crate) fn backup(args: &Args, asked: &Backup) -> Result<ExitCode, CliError> {
    let store = args.open_to_ask(&asked.file)?;
    match &asked.new_key_file {
        Some(file) => store.backup_under(&asked.to, Some(&EncryptionKey::read(file)?))?,
        None if asked.plain => store.backup_under(&asked.to, None)?,
        None => store.backup(&asked.to)?,
    }
    output::line(&format!("{} → {}", asked.file.display(), asked.to.display()))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn restore(args: &Args, asked: &Restore) -> Result<ExitCode, CliError> {
    let (copy, file) = (asked.copy.display(), asked.file.display());
    if !asked.yes && Store::has_something_at(&asked.file) {
        output::line(&format!(
            "This would put {copy} in the place of {file}, which is gone then."
        ))?;
        output::line("Keep it under another name if it may be needed; do it with --yes.")?;
        return Ok(ExitCode::from(1));
    }
    Store::restore_under(&asked.copy, &asked.file, args.key()?.as_ref())?;
    output::line(&format!("{copy} → {file}"))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn completions(asked: &Completions) -> Result<ExitCode, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(asked.shell, &mut Args::command(), "cx", &mut text);
    output::print(&String::from_utf8_lossy(&text))?;
    Ok(ExitCode::SUCCESS)
}
