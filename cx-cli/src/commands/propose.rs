//! `cx propose`: which customers a model takes for one person.

use std::num::NonZeroUsize;
use std::process::ExitCode;

use cx_core::linkage::Model;
use cx_store::{Fit, ProposeOptions, Proposed};

use super::link;
use crate::args::{Args, Propose};
use crate::error::CliError;
use crate::output;

pub(crate) fn run(args: &Args, asked: &Propose) -> Result<ExitCode, CliError> {
    let store = args.open_existing(&asked.file)?;
    let model = asked.model.as_deref().map(link::read_model).transpose()?;
    let mut options = ProposeOptions::new(model.unwrap_or_else(Model::shipped));
    options.fit = if asked.train { Fit::ToTheCustomers } else { Fit::AsItIs };
    options.review_at = asked.review_at;
    options.link_at = asked.accept;
    options.most = asked.most;
    let threads = asked.threads.or_else(|| std::thread::available_parallelism().ok());
    options.threads = threads.unwrap_or(NonZeroUsize::MIN);
    let done = store.propose(&options, args.now()?)?;
    output::told(&done, &sentences(&done, options.link_at.is_some()), asked.json)
}

fn sentences(done: &Proposed, links: bool) -> Vec<String> {
    let n = output::count;
    let mut told = vec![format!(
        "{} customers, {} pairs compared by model {}: {} may be one person, {} of one household.",
        n(done.customers),
        n(done.compared),
        done.model.get(..8).unwrap_or(&done.model),
        n(done.possible),
        n(done.households)
    )];
    if links || done.taken_back > 0 {
        let refused = match done.refused {
            0 => String::new(),
            1 => " (1 more is not: people's words or limits stand against it)".to_owned(),
            refused => {
                format!(
                    " ({} more are not: people's words or limits stand against them)",
                    n(refused)
                )
            }
        };
        told.push(format!(
            "{} pairs are linked by it{refused}; {} links of former runs are taken back.",
            n(done.linked),
            n(done.taken_back)
        ));
    }
    told
}
