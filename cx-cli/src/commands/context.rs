//! `cx context`: everything that is known of a customer.

use std::process::ExitCode;

use cx_core::context::ContextOptions;
use cx_core::context::render::{self, Colour};

use crate::args::{Args, Context};
use crate::error::CliError;
use crate::output;

pub(crate) fn run(args: &Args, asked: &Context) -> Result<ExitCode, CliError> {
    let store = args.open_to_ask(&asked.whom.file)?;
    let as_of = match asked.as_of {
        Some(as_of) => as_of,
        None => args.now()?,
    };
    let options = ContextOptions::at(as_of).audience(asked.audience.into()).items(asked.items);
    let options = ContextOptions { known_at: asked.known_at, ..options };
    let context = store.context(&asked.whom.who()?, &options)?;
    if asked.json {
        output::print(&(output::tame_json(&context.to_json_pretty()) + "\n"))?;
    } else if asked.markdown {
        output::print(&render::markdown(&context, asked.max_tokens))?;
    } else if asked.html {
        output::line(&render::html(&context))?;
    } else {
        output::print_coloured(&render::terminal(&context, Colour::Ansi))?;
    }
    Ok(ExitCode::SUCCESS)
}
