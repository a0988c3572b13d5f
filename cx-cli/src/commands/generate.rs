//! `cx generate`: the events of a company that does not exist.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use cx_core::synthetic::Company;
use cx_store::NewFile;

use crate::args::Generate;
use crate::error::CliError;

pub(crate) fn run(generate: &Generate) -> Result<ExitCode, CliError> {
    if generate.out == Path::new("-") {
        write(generate, io::stdout().lock())?;
    } else {
        let mut file = NewFile::create(&generate.out)?;
        write(generate, &mut file)?;
        file.finish()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One event a line, written as it is made.
fn write(generate: &Generate, to: impl Write) -> Result<(), CliError> {
    let mut to = BufWriter::with_capacity(1 << 16, to);
    let count = usize::try_from(generate.events).unwrap_or(usize::MAX);
    for event in Company::of_events(generate.seed, generate.events).take(count) {
        serde_json::to_writer(&mut to, &event).map_err(io::Error::from)?;
        to.write_all(b"\n")?;
    }
    to.flush()?;
    Ok(())
}
