//! `cx why`, `cx how`, `cx candidates`: who is who, and why.

use std::process::ExitCode;

use crate::args::{self, Args, Candidates, How, Why};
use crate::error::CliError;
use crate::output;

/// What is said where nobody is meant.
const NOBODY: &str = "Nobody is known by it.";

pub(crate) fn why(args: &Args, asked: &Why) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&asked.file)?;
    let who = |text: &str| args::who(text, asked.region.as_deref());
    let (a, b, past) = (who(&asked.a)?, who(&asked.b)?, asked.when.past());
    if let Some(why) = store.why(&a, &b, past)? {
        return output::told(&why, &why.sentences, asked.json);
    }
    if let Some(why_not) = store.why_not(&a, &b, past)? {
        return output::told(&why_not, &why_not.sentences, asked.json);
    }
    let mut sentences = Vec::new();
    for (typed, who) in [(&asked.a, &a), (&asked.b, &b)] {
        if store.how(who, past)?.is_empty() {
            sentences.push(format!("Nobody is known by {typed}."));
        }
    }
    output::told(&None::<()>, &sentences, asked.json)
}

pub(crate) fn how(args: &Args, asked: &How) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&asked.whom.file)?;
    let all = store.how(&asked.whom.who()?, asked.when.past())?;
    if all.is_empty() && !asked.json {
        output::line(NOBODY)?;
    }
    for how in &all {
        output::told(how, &how.sentences, asked.json)?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn candidates(args: &Args, asked: &Candidates) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&asked.file)?;
    let past = asked.when.past();
    if let Some(who) = &asked.who {
        let who = args::who(who, asked.region.as_deref())?;
        let candidates = store.candidates(&who, past)?;
        if candidates.is_empty() && !asked.json {
            let is_known = !store.how(&who, past)?.is_empty();
            let nobody = if is_known { "Nobody else may be the same person." } else { NOBODY };
            output::line(nobody)?;
        }
        for candidate in candidates {
            output::told(&candidate, &candidate.sentences, asked.json)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (mut after, mut left) = (None, asked.limit);
    while left > 0 {
        let page = store.doubtful(after, 100)?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        for customer in page {
            let who = cx_core::identifier::Who::Customer(customer);
            for candidate in store.candidates(&who, past)? {
                // Each pair once.
                if candidate.customer.id < customer || left == 0 {
                    continue;
                }
                left -= 1;
                if asked.json {
                    let pair = serde_json::json!({ "customer": customer, "candidate": candidate });
                    output::line(&pair.to_string())?;
                } else {
                    output::line(&format!("{customer}:"))?;
                    output::told(&candidate, &candidate.sentences, false)?;
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
