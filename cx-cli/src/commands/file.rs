//! `cx backup`, `cx completions`.

use std::process::ExitCode;

use clap::CommandFactory;
use cx_store::EncryptionKey;

use crate::args::{Args, Backup, Completions};
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

pub(crate) fn completions(asked: &Completions) -> Result<ExitCode, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(asked.shell, &mut Args::command(), "cx", &mut text);
    output::print(&String::from_utf8_lossy(&text))?;
    Ok(ExitCode::SUCCESS)
}
