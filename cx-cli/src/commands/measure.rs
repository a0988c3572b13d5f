//! `cx measure`: measures over all customers.

use std::process::ExitCode;

use cx_core::measure::{
    Ces, Csat, Nps, Selection, first_resolution, first_response, full_resolution,
};

use crate::args::{Answers, Args, Measure, MeasureName};
use crate::error::CliError;
use crate::output;

const ALL: &[MeasureName] = &[
    MeasureName::Nps,
    MeasureName::Csat,
    MeasureName::Ces,
    MeasureName::FirstResponse,
    MeasureName::FirstResolution,
    MeasureName::FullResolution,
];

pub(crate) fn run(args: &Args, asked: &Measure) -> Result<ExitCode, CliError> {
    let store = args.open_to_ask(&asked.file)?;
    let as_of = match asked.as_of {
        Some(as_of) => as_of,
        None => args.now()?,
    };
    let names = if asked.measures.is_empty() { ALL } else { &asked.measures };
    let is_service = |name: &MeasureName| {
        !matches!(name, MeasureName::Nps | MeasureName::Csat | MeasureName::Ces)
    };
    let answers = if names.iter().all(is_service) { Vec::new() } else { store.answers(as_of)? };
    let conversations =
        if names.iter().any(is_service) { store.conversations(as_of)? } else { Vec::new() };
    let selection = match asked.answers {
        Answers::All => Selection::All,
        Answers::Latest => Selection::Latest,
        Answers::First => Selection::First,
    };
    for name in names {
        let results = match name {
            MeasureName::Nps => vec![Nps { selection, ..Nps::default() }.of(&answers, as_of)],
            MeasureName::Ces => vec![Ces { selection }.of(&answers, as_of)],
            MeasureName::Csat => Csat::of_each(&answers, selection, as_of),
            MeasureName::FirstResponse => vec![first_response(&conversations, as_of)],
            MeasureName::FirstResolution => vec![first_resolution(&conversations, as_of)],
            MeasureName::FullResolution => vec![full_resolution(&conversations, as_of)],
        };
        for result in results {
            if asked.json {
                output::json_line(&result)?;
            } else {
                output::line(&result.explain())?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
