//! `cx journey`: how a customer's journeys went.

use std::process::ExitCode;

use cx_core::journey::{Definition, Instance, Outcome, instances_among, shipped};
use cx_store::Past;

use super::find;
use crate::args::{Args, Journey};
use crate::error::CliError;
use crate::output;

pub(crate) fn run(args: &Args, asked: &Journey) -> Result<ExitCode, CliError> {
    let store = args.open_to_ask(&asked.whom.file)?;
    let as_of = match asked.as_of {
        Some(as_of) => as_of,
        None => args.now()?,
    };
    let own = asked.definition.as_ref().map(|path| {
        let text = std::fs::read_to_string(path)
            .map_err(|error| CliError::Read { path: path.clone(), error })?;
        let read = Definition::from_text(&text);
        read.map_err(|error| CliError::Definition {
            path: path.clone(),
            problem: error.to_string(),
        })
    });
    let own = own.transpose()?;
    let definitions: &[Definition] = match &own {
        Some(own) => std::slice::from_ref(own),
        None => shipped(),
    };
    for unknown in own.iter().flat_map(Definition::unknown_names) {
        anstream::eprintln!("warning: {}", output::tame(&unknown, 200));
    }
    let who = asked.whom.who()?;
    // Who was who then is known of what had happened by then.
    let store = match asked.as_of {
        Some(as_of) => store.view(std::slice::from_ref(&who), Past::today().as_of(as_of))?,
        None => store,
    };
    let events = store.whole_timeline(&who)?;
    let beside = store.beside(&events)?;
    let (events, beside): (Vec<_>, Vec<_>) = (events.iter().collect(), beside.iter().collect());
    let mut is_any = false;
    for definition in definitions {
        for instance in instances_among(definition, &events, &beside, as_of) {
            is_any = true;
            if asked.json {
                output::json_line(&instance)?;
            } else {
                output::line(describe(definition, &instance).trim_end_matches('\n'))?;
            }
        }
    }
    if !is_any && !asked.json {
        output::line(&if store.anchor(&who)?.is_none() {
            let nobody = "Nobody is known by it, or several customers share it.";
            find::nobody(&store, &who, nobody)?
        } else if events.is_empty() && asked.as_of.is_some() {
            "Nothing was known of it then.".to_owned()
        } else {
            "No journey: nothing that begins one has happened.".to_owned()
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(definition: &Definition, instance: &Instance) -> String {
    let outcome = match &instance.outcome {
        Outcome::Abandoned { phase: Some(phase) } => format!("abandoned in {phase}"),
        other => other.name().replace('_', " "),
    };
    let minute = |at: &cx_core::time::Timestamp| {
        let text = at.to_string();
        text.get(..16).unwrap_or(&text).replace('T', " ")
    };
    let ended = instance.ended.as_ref().map(|at| format!(" to {}", minute(at))).unwrap_or_default();
    let about = match instance.key.as_str() {
        "" => String::new(),
        key => format!(" of {}", output::tame(key, 200)),
    };
    let mut text = format!(
        "{} {}{about} (version {}): {outcome}, {}{ended}\n",
        definition.name,
        instance.seq,
        instance.version,
        minute(&instance.started),
    );
    for step in instance.steps.iter().filter(|step| step.touchpoint.is_some()) {
        let (phase, touchpoint) = (step.phase.as_deref(), step.touchpoint.as_deref());
        text.push_str(&format_step(&minute(&step.at), phase, touchpoint, &step.kind));
    }
    let ad_hoc = instance.steps.iter().filter(|step| step.touchpoint.is_none()).count();
    let hours = |micros: cx_core::time::Micros| {
        let minutes = micros.as_seconds() / 60;
        format!("{} h {} min", minutes / 60, minutes % 60)
    };
    let mut parts = Vec::new();
    if ad_hoc > 0 {
        let ad_hoc = output::counted(u64::try_from(ad_hoc).unwrap_or_default(), "event");
        parts.push(format!("{ad_hoc} not planned"));
    }
    if !instance.channels.is_empty() {
        parts.push(instance.channels.join(" → "));
        parts.push(format!("customer waited {}", hours(instance.customer_waited)));
        parts.push(format!("we waited {}", hours(instance.company_waited)));
    }
    if !parts.is_empty() {
        text.push_str(&format_end(&parts));
    }
    text
}

fn format_step(at: &str, phase: Option<&str>, touchpoint: Option<&str>, kind: &str) -> String {
    format!(
        "  {at}  {:<12} {:<14} {kind}\n",
        phase.unwrap_or_default(),
        touchpoint.unwrap_or_default()
    )
}

fn format_end(parts: &[String]) -> String {
    format!("  {}\n", parts.join(" · "))
}
