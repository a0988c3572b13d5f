//! `cx changes`: what became of customers.

use std::process::ExitCode;

use cx_store::{Change, ChangeRecord};

use crate::args::{Args, Changes};
use crate::error::CliError;
use crate::output;

pub(crate) fn run(args: &Args, asked: &Changes) -> Result<ExitCode, CliError> {
    let store = args.open_to_ask(&asked.file)?;
    let changes = store.changes(asked.after, asked.limit)?;
    for record in &changes {
        if asked.json {
            output::json_line(record)?;
        } else {
            output::line(&format!("{:>6}  {}  {}", record.seq, record.at, sentence(record)))?;
        }
    }
    if let Some(last) = changes.last()
        && changes.len() == asked.limit
    {
        anstream::eprintln!("go on with: --after {}", last.seq);
    }
    Ok(ExitCode::SUCCESS)
}

/// What became of whom, and through what.
pub(crate) fn sentence(record: &ChangeRecord) -> String {
    let what = match &record.change {
        Change::Created { customer } => format!("{customer} is new"),
        Change::Merged { from, into } => format!("{from} is {into} now"),
        Change::Split { from, into } => format!("{into} is no longer {from}"),
        Change::Moved { from, to, records } => {
            let side = |id: &Option<cx_core::ids::CustomerId>| {
                id.map_or_else(|| "nobody".to_owned(), |id| id.to_string())
            };
            let groups = output::counted(*records, "group");
            format!("{groups} of records went from {} to {}", side(from), side(to))
        }
        Change::Renamed { from, into } => format!("{from} is called {into} now"),
        Change::Dissolved { customer } => format!("{customer} is no more: what it had is nobody's"),
        Change::Erased { customer } => format!("{customer} was erased"),
        other => output::json(other).unwrap_or_default(),
    };
    let values = match record.cause.values.as_slice() {
        [] => String::new(),
        values => format!(" through {}", values.join(", ")),
    };
    let cause = match (&record.cause.assertion, &record.cause.adapter) {
        (Some(assertion), _) => format!("{assertion}"),
        (None, Some(adapter)) => format!("import of {adapter}"),
        (None, None) => output::json(&record.cause.by).unwrap_or_default().replace('"', ""),
    };
    format!("{what}{values} ({cause})")
}
