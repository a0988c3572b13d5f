//! `cx policy`: which identifiers link.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use cx_core::identifier::Who;
use cx_core::identity::Policy;

use super::changes;
use crate::args::{self, Args, Policy as Asked, PolicyCommand};
use crate::error::CliError;
use crate::output;

pub(crate) fn run(args: &Args, asked: &Asked) -> Result<ExitCode, CliError> {
    match &asked.command {
        PolicyCommand::Show { file, json } => {
            let policy = match file {
                Some(file) => args.open_to_ask(file)?.policy()?,
                None => Policy::default(),
            };
            output::print(&if *json { output::json(&policy)? + "\n" } else { policy.to_toml() })?;
        }
        PolicyCommand::Check { policy } => {
            let read = read(policy)?;
            for value in &read.blocked {
                if let Ok(Who::Identifier(identifier)) = Who::parse(value, None)
                    && let Some(missing) = args::missing(&identifier)
                {
                    anstream::eprintln!("blocked: {}: {missing}", output::tame(value, 100));
                }
            }
            let differences = Policy::default().differences(&read);
            let n = u64::try_from(differences.len()).unwrap_or(u64::MAX);
            output::line(&format!(
                "{}: {} to the default",
                policy.display(),
                output::counted(n, "difference")
            ))?;
        }
        PolicyCommand::Diff { a, b } => {
            for difference in either(args, a)?.differences(&either(args, b)?) {
                let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
                let (before, after) = (word(&difference.before), word(&difference.after));
                output::line(&format!("{}: {before} -> {after}", difference.field))?;
            }
        }
        PolicyCommand::Apply { file, policy, yes, json } => {
            let (store, policy) = (args.open_existing(file)?, read(policy)?);
            let report = if *yes {
                store.set_policy(&policy, args.now()?)?
            } else {
                store.preview_policy(&policy)?
            };
            if *json {
                output::json_line(&report)?;
                return Ok(ExitCode::SUCCESS);
            }
            let would = if *yes { "became" } else { "would be" };
            output::line(&format!(
                "{} {would} {}, {} {would} {}",
                output::counted(report.customers_before, "customer"),
                output::count(report.customers_after),
                output::counted(report.hubs_before, "shared value"),
                output::count(report.hubs_after)
            ))?;
            for (kind, n) in &report.changes {
                output::line(&format!("  {kind}: {}", output::count(*n)))?;
            }
            for record in report.first.iter().take(20) {
                output::line(&format!("    {}", changes::sentence(record)))?;
            }
            if !yes {
                output::line("put it in force with --yes")?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Policy, CliError> {
    let text = fs::read_to_string(path)
        .map_err(|error| CliError::Read { path: path.to_owned(), error })?;
    Policy::read(&text)
        .map_err(|error| CliError::Definition { path: path.to_owned(), problem: error.to_string() })
}

/// The policy in a policy file, or of a cx file.
fn either(args: &Args, path: &Path) -> Result<Policy, CliError> {
    let is_text = matches!(path.extension().and_then(|e| e.to_str()), Some("toml" | "json"));
    if is_text { read(path) } else { Ok(args.open_to_ask(path)?.policy()?) }
}
