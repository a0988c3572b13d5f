//! The benchmark of identity: what is right, what is found, and what it costs, against targets.
//!
//! `cargo xtask bench identity [--people N] [--seed S] [--stream FILE]`. Each section runs in a
//! process of its own, so that its peak of memory is its own.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark reports to its user, and stops where it cannot go on"
)]

mod figure;
mod growth;
mod linking;
mod proposals;
mod stream;
mod traps;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use cx_core::event::Event;
use cx_tests::agreement::float;
use cx_tests::trap_stream::{PersonLabel, trap_stream};

use crate::figure::Figure;

const USAGE: &str = "\
usage: cargo xtask bench identity [--people N] [--seed S] [--stream FILE]

  --people N     how many people the stream is about (20000)
  --seed S       the seed of the stream (1)
  --stream FILE  another stream, as gen_events.py writes it, instead of our own";

/// What is measured, each in a process of its own.
const SECTIONS: &[(&str, &str)] = &[
    ("traps", "The trap stream, all facts at once"),
    ("growth", "A store in memory that grows"),
    ("proposals", "A model over the customers of that stream"),
    ("tables", "Tables of persons that others made"),
    ("people", "Invented people"),
    ("crowd", "Very many invented people"),
];

#[derive(Debug, Clone)]
struct Options {
    people: u32,
    seed: u64,
    stream: Option<PathBuf>,
    section: Option<String>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = options(&words).and_then(|options| match &options.section {
        Some(section) => measure(section, &options).map(|()| true),
        None => table(&words),
    });
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

fn options(words: &[String]) -> Result<Options, String> {
    let mut options = Options { people: 20_000, seed: 1, stream: None, section: None };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        // Cargo says `--bench` to every benchmark.
        if word == "--bench" {
            continue;
        }
        let value = words.next().ok_or(USAGE)?;
        match word.as_str() {
            "--people" => options.people = value.parse().map_err(|_| USAGE)?,
            "--seed" => options.seed = value.parse().map_err(|_| USAGE)?,
            "--stream" => options.stream = Some(value.into()),
            "--section" => options.section = Some(value.clone()),
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(options)
}

/// Prints the figures of every section; whether all are met.
fn table(words: &[String]) -> Result<bool, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut missed = 0;
    for (section, title) in SECTIONS {
        println!("\n{title}\n{:<62} {:>12} {:>12}", "", "figure", "target");
        let output = Command::new(&program)
            .args(words)
            .args(["--section", section])
            .output()
            .map_err(|error| format!("{section}: {error}"))?;
        if !output.status.success() {
            return Err(format!("{section}: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        for figure in text.lines().filter_map(Figure::from_line) {
            println!("{figure}");
            missed += u32::from(!figure.is_met());
        }
    }
    println!("\n{}", if missed == 0 { "all met".to_owned() } else { format!("{missed} missed") });
    Ok(missed == 0)
}

fn measure(section: &str, options: &Options) -> Result<(), String> {
    let mut figures = match section {
        "traps" => traps::figures(stream(options, options.people)?),
        "growth" => growth::figures(stream(options, options.people.min(2_000))?),
        "proposals" => proposals::figures(stream(options, options.people)?),
        "tables" => linking::shared(),
        "people" => linking::invented(100_000, options.seed),
        "crowd" => linking::invented(1_000_000, options.seed),
        _ => return Err(USAGE.to_owned()),
    };
    figures.extend(peak_megabytes().map(|peak| Figure::new("peak memory, in megabytes", peak)));
    for figure in figures {
        println!("{}", figure.to_line());
    }
    Ok(())
}

/// The stream that is measured; of one from a file the events of the first people.
fn stream(options: &Options, people: u32) -> Result<Vec<(Event, PersonLabel)>, String> {
    match &options.stream {
        Some(path) => {
            let mut stream = stream::of_file(path)?;
            stream.retain(|(_, label)| label.0 < people);
            Ok(stream)
        }
        None => Ok(trap_stream(people, options.seed)),
    }
}

/// The most memory this process ever had; where the system tells.
fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(float(kilobytes) / 1024.0)
}
