//! `cx why`, `cx how`, `cx candidates`: who is who, and why.

use std::collections::BTreeSet;
use std::process::ExitCode;

use cx_core::identifier::Who;
use cx_core::ids::CustomerId;
use cx_store::{Past, Store};

use super::find;
use crate::args::{self, Args, Candidates, How, Why};
use crate::error::CliError;
use crate::output;

/// What is said where nobody is meant.
const NOBODY: &str = "Nobody is known by it.";

pub(crate) fn why(args: &Args, asked: &Why) -> Result<ExitCode, CliError> {
    let store = args.open_to_ask(&asked.file)?;
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
            let nobody = format!("Nobody is known by {typed}.");
            sentences.push(find::nobody(&store, who, &nobody)?);
        }
    }
    output::told(&None::<()>, &sentences, asked.json)
}

pub(crate) fn how(args: &Args, asked: &How) -> Result<ExitCode, CliError> {
    let store = args.open_to_ask(&asked.whom.file)?;
    let who = asked.whom.who()?;
    let all = store.how(&who, asked.when.past())?;
    if all.is_empty() && !asked.json {
        output::line(&find::nobody(&store, &who, NOBODY)?)?;
    }
    for how in &all {
        output::told(how, &how.sentences, asked.json)?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn candidates(args: &Args, asked: &Candidates) -> Result<ExitCode, CliError> {
    let store = args.open_to_ask(&asked.file)?;
    let past = asked.when.past();
    let mut pairs = Pairs { store: &store, past, told: BTreeSet::new(), as_json: asked.json };
    if let Some(who) = &asked.who {
        let who = args::who(who, asked.region.as_deref())?;
        let found = if past == Past::today() {
            store.find(&who)?
        } else {
            store.view(std::slice::from_ref(&who), past)?.find(&who)?
        };
        if let Some(one) = found.chosen() {
            let candidates = store.candidates(&Who::Customer(one.id), past)?;
            if candidates.is_empty() && !asked.json {
                output::line("Nobody else may be the same person.")?;
            }
            for candidate in candidates {
                output::told(&candidate, &candidate.sentences, asked.json)?;
            }
        } else {
            if !asked.json {
                output::line(find::sure(&found))?;
            }
            for customer in &found.customers {
                if !asked.json {
                    output::line(&find::line(customer))?;
                }
            }
            for customer in &found.customers {
                pairs.tell(customer.id, usize::MAX)?;
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (mut after, mut left) = (None, asked.limit);
    // What a model has weighed comes first, the heaviest before the rest.
    let proposed = if past == Past::today() { store.proposals(asked.limit)? } else { Vec::new() };
    for pair in proposed {
        left -= pairs.tell_of(pair.a, |other| other == pair.b, left)?;
    }
    while left > 0 {
        let page = store.doubtful(after, 100)?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        for customer in page {
            left -= pairs.tell(customer, left)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells of pairs, each once.
struct Pairs<'a> {
    store: &'a Store,
    past: Past,
    told: BTreeSet<[CustomerId; 2]>,
    as_json: bool,
}

impl Pairs<'_> {
    /// Who may be the same person as this customer, at most so many; how many that were.
    fn tell(&mut self, customer: CustomerId, most: usize) -> Result<usize, CliError> {
        self.tell_of(customer, |_| true, most)
    }

    /// The same, of those of whom that holds.
    fn tell_of(
        &mut self,
        customer: CustomerId,
        holds: impl Fn(CustomerId) -> bool,
        most: usize,
    ) -> Result<usize, CliError> {
        let mut n = 0;
        let candidates = self.store.candidates(&Who::Customer(customer), self.past)?;
        for candidate in candidates.into_iter().filter(|one| holds(one.customer.id)) {
            let mut pair = [customer, candidate.customer.id];
            pair.sort();
            if n == most || !self.told.insert(pair) {
                continue;
            }
            n += 1;
            if self.as_json {
                let pair = serde_json::json!({ "customer": customer, "candidate": candidate });
                output::json_line(&pair)?;
            } else {
                output::line(&format!("{customer}:"))?;
                output::told(&candidate, &candidate.sentences, false)?;
            }
        }
        Ok(n)
    }
}
