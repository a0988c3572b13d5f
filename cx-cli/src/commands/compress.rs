//! `cx compress`: what events say, in less room.

use std::process::ExitCode;

use super::privacy;
use crate::args::{Args, Compress};
use crate::error::CliError;
use crate::output;

pub(crate) fn compress(args: &Args, asked: &Compress) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&asked.file)?;
    let done = if asked.undo { store.decompress()? } else { store.compress()? };
    output::line(&format!(
        "{}: what they say takes {} bytes, {} before",
        output::counted(done.events, "event"),
        output::count(done.bytes_after),
        output::count(done.bytes_before),
    ))?;
    if !asked.no_compact {
        let compaction = store.compact(args.now()?);
        if compaction.is_err() {
            privacy::not_compacted(&asked.file)?;
        }
        output::line(&privacy::rewritten(&compaction?))?;
    }
    Ok(ExitCode::SUCCESS)
}
