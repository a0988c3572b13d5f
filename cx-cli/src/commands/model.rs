//! `cx model`: what linking weighs with.

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;

use cx_core::linkage::{Comparison, Model};

use super::{link, persons};
use crate::args::{Model as Asked, ModelCommand};
use crate::error::CliError;
use crate::output;

pub(crate) fn run(asked: &Asked) -> Result<ExitCode, CliError> {
    match &asked.command {
        ModelCommand::Train { tables, columns, out, from } => {
            let persons = persons::read(tables, columns, None, &[])?;
            let from = from.as_deref().map_or_else(|| Ok(Model::shipped()), link::read_model)?;
            let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
            let mut model = link::trained(&persons, &from, threads)?;
            model.columns = persons.names();
            output::write_new(out, &model.to_json())?;
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
        ModelCommand::Convert { from, to, records } => convert(from, to, *records)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A model of Splink becomes one of cx, and one of cx one of Splink.
fn convert(from: &Path, to: &Path, records: u32) -> Result<(), CliError> {
    let text = persons::text(from)?;
    let model = link::model_of(from, &text)?;
    let (kind, made) = if Model::is_splink(&text) {
        ("cx", model.to_json())
    } else {
        ("Splink", model.to_splink(records))
    };
    output::write_new(to, &made)?;
    let n = |n: usize| output::counted(u64::try_from(n).unwrap_or(u64::MAX), "comparison");
    let all = model.comparisons.len() + model.conditions.len();
    output::line(&format!(
        "{} → {}: a model of {kind} with {}",
        from.display(),
        to.display(),
        n(all)
    ))?;
    if kind == "cx" {
        output::line("its rules of blocking are not taken over: cx has its own")?;
    } else {
        output::line(&format!(
            "its prior is for a table of {} records: --records says how many",
            output::count(u64::from(records))
        ))?;
    }
    Ok(())
}

fn show(model: &Model) -> Result<(), CliError> {
    output::line(&format!("model {}", model.hash()))?;
    for weights in &model.comparisons {
        let compared = match &weights.comparison {
            Comparison::Other(column) => column.clone(),
            known => output::json(known)?.replace('"', ""),
        };
        output::line(&compared)?;
        for level in &weights.levels {
            let bits = f64::from(level.weight()) / 1000.0;
            let name = output::json(&level.level)?.replace('"', "");
            output::line(&shown(bits, &name, level.m, level.u))?;
        }
    }
    for conditions in &model.conditions {
        output::line(&conditions.name)?;
        for level in &conditions.levels {
            match level.shares {
                Some(shares) => {
                    let bits = f64::from(shares.weight()) / 1000.0;
                    output::line(&shown(bits, &level.label, shares.m, shares.u))?;
                }
                None => output::line(&format!("   weighs nothing  {}", level.label))?,
            }
        }
    }
    Ok(())
}

fn shown(bits: f64, level: &str, m: f64, u: f64) -> String {
    format!("  {bits:+7.2} bits  {level}  (m {m:.6}, u {u:.9})")
}
