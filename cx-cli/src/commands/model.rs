//! `cx model`: what linking weighs with.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;

use cx_core::linkage::Model;

use super::{link, persons};
use crate::args::{Model as Asked, ModelCommand};
use crate::error::CliError;
use crate::output;

pub(crate) fn run(asked: &Asked) -> Result<ExitCode, CliError> {
    match &asked.command {
        ModelCommand::Train { tables, columns, out, from } => {
            let persons = persons::read(tables, columns, None)?;
            let from = from.as_deref().map_or_else(|| Ok(Model::shipped()), link::read_model)?;
            let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
            let model = link::trained(&persons, &from, threads)?;
            write(out, &(model.to_json() + "\n"))?;
            output::line(&format!("{}: {}", out.display(), model.hash()))?;
        }
        ModelCommand::Show { model, json } => {
            let model = model.as_deref().map_or_else(|| Ok(Model::shipped()), link::read_model)?;
            if *json {
                output::line(&model.to_json())?;
            } else {
                show(&model)?;
            }
        }
        ModelCommand::Convert { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn show(model: &Model) -> Result<(), CliError> {
    output::line(&format!("model {}", model.hash()))?;
    for weights in &model.comparisons {
        output::line(&output::json(&weights.comparison)?.replace('"', ""))?;
        for level in &weights.levels {
            let bits = f64::from(level.weight()) / 1000.0;
            let name = output::json(&level.level)?.replace('"', "");
            output::line(&format!(
                "  {bits:+7.2} bits  {name}  (m {:.6}, u {:.9})",
                level.m, level.u
            ))?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    fs::write(path, text).map_err(|error| CliError::Read { path: path.to_owned(), error })
}
