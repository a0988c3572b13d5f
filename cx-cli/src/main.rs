//! The `cx` command: everything the library does, on one file, from a shell.
//!
//! How it ends is told by its exit code: `args::EXIT_CODES`.
#![forbid(unsafe_code)]

mod args;
mod error;
mod output;
mod commands;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

/// Taking in events asks for memory some fifty times each; this one gives it in less time than
/// that of most systems.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(code) => code,
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("cx: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(args: &Args) -> Result<ExitCode, error::CliError> {
    match &args.command {
        Command::Import(it) => commands::import::run(args, it),
        Command::Context(it) => commands::context::run(args, it),
        Command::Timeline(it) => commands::timeline::run(args, it),
        Command::Journey(it) => commands::journey::run(args, it),
        Command::Measure(it) => commands::measure::run(args, it),
        Command::Find(it) => commands::find::find(args, it),
        Command::Search(it) => commands::find::search(args, it),
        Command::Waiting(it) => commands::find::waiting(args, it),
        Command::Same(it) => commands::assertion::same(args, it),
        Command::Different(it) => commands::assertion::different(args, it),
        Command::Detach(it) => commands::assertion::detach(args, it),
        Command::Block(it) => commands::assertion::block(args, it),
        Command::Trust(it) => commands::assertion::trust(args, it),
        Command::Rekey(it) => commands::assertion::rekey(args, it),
        Command::Revoke(it) => commands::assertion::revoke(args, it),
        Command::Preview(it) => commands::assertion::preview(args, it),
        Command::Why(it) => commands::explain::why(args, it),
        Command::How(it) => commands::explain::how(args, it),
        Command::Candidates(it) => commands::explain::candidates(args, it),
        Command::Propose(it) => commands::propose::run(args, it),
        Command::Changes(it) => commands::changes::run(args, it),
        Command::Policy(it) => commands::policy::run(args, it),
        Command::Link(it) => commands::link::run(it),
        Command::Model(it) => commands::model::run(it),
        Command::Export(it) => commands::privacy::export(args, it),
        Command::Erase(it) => commands::privacy::erase(args, it),
        Command::Erasures(it) => commands::privacy::erasures(args, it),
        Command::Retain(it) => commands::retain::run(args, it),
        Command::Compact(it) => commands::privacy::compact(args, it),
        Command::Compress(it) => commands::compress::compress(args, it),
        Command::Check(it) => commands::damage::check(args, it),
        Command::Salvage(it) => commands::damage::salvage(args, it),
        Command::Backup(it) => commands::file::backup(args, it),
        Command::Restore(it) => commands::file::restore(args, it),
        Command::Demo(it) => commands::demo::run(args, it),
        Command::Generate(it) => commands::generate::run(it),
        Command::Completions(it) => commands::file::completions(it),
    }
}
