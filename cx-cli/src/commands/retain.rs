//! `cx retain`: what is too old, told and taken out.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;

use cx_core::retention::Retention;
use cx_store::{RetainOptions, Retained, RetentionPreview};

use super::privacy;
use crate::args::{Args, Retain};
use crate::error::CliError;
use crate::output;

pub(crate) fn run(args: &Args, asked: &Retain) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&asked.file)?;
    let rules = match &asked.rules {
        Some(path) => read(path)?,
        None => store.retention()?.ok_or_else(|| CliError::NoRules { file: asked.file.clone() })?,
    };
    let now = args.now()?;
    if !asked.yes {
        let preview = store.retention_preview(&rules, now)?;
        if asked.json {
            output::json_line(&preview)?;
        } else {
            tell(&preview)?;
        }
        if asked.preview {
            return Ok(ExitCode::SUCCESS);
        }
        anstream::eprintln!("Nothing was changed. It cannot be taken back; do it with --yes.");
        return Ok(ExitCode::from(1));
    }
    let options = RetainOptions::at(now);
    let mut done = store.retain(&rules, options, |_| ControlFlow::Continue(()))?;
    // What went is gone, whether or not the file can be rewritten now.
    let compaction = (!asked.no_compact).then(|| store.compact(now));
    let compacted = compaction.as_ref().and_then(|compaction| compaction.as_ref().ok());
    done.compacted_at = compacted.map(|compaction| compaction.compacted_at);
    if asked.json {
        output::json_line(&done)?;
    } else {
        output::line(&told(&done))?;
        match compacted {
            Some(compaction) => output::line(&privacy::rewritten(compaction))?,
            None => privacy::not_compacted(&asked.file)?,
        }
    }
    compaction.transpose()?;
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Retention, CliError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| CliError::Read { path: path.to_owned(), error })?;
    Retention::read(&text)
        .map_err(|error| CliError::Definition { path: path.to_owned(), problem: error.to_string() })
}

fn tell(preview: &RetentionPreview) -> Result<(), CliError> {
    output::line(&format!(
        "{} would go ({}), and {} with them",
        output::counted(preview.events, "event"),
        output::counted(preview.revisions, "revision"),
        output::counted(preview.customers, "customer"),
    ))?;
    for due in &preview.due {
        output::line(&output::tame(
            &format!(
                "{}: {} of {} on {}, {} to {}",
                due.rule,
                output::count(due.events),
                due.kind,
                due.channel,
                due.oldest,
                due.newest
            ),
            400,
        ))?;
    }
    if preview.kept_named > 0 {
        output::line(&format!(
            "kept although old: {} that people named when they said who is who",
            output::count(preview.kept_named)
        ))?;
    }
    if preview.kept_revised > 0 {
        output::line(&format!(
            "kept although old: {} with another revision that is not",
            output::count(preview.kept_revised)
        ))?;
    }
    for rule in &preview.idle {
        output::line(&format!("no record ever had its kind or channel: {rule}"))?;
    }
    if preview.kept_corrects > 0 {
        output::line(&format!(
            "kept although old: {} that took back what another record says that is not",
            output::count(preview.kept_corrects)
        ))?;
    }
    Ok(())
}

fn told(done: &Retained) -> String {
    format!(
        "{} gone ({}), and {} with them; {} in force",
        output::counted(done.events, "event"),
        output::counted(done.revisions, "revision"),
        output::counted(done.customers, "customer"),
        output::counted(u64::try_from(done.rules.rules.len()).unwrap_or(u64::MAX), "rule"),
    )
}
