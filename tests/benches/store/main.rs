//! The benchmark of the store: what comes in, what is asked, and what it costs, against targets.
//!
//! `cargo xtask bench store [--events N] [--seed S] [--keep FOLDER]`. Each section runs in a
//! process of its own, so that its peak of memory is its own. Times of ingest are CPU seconds of
//! the whole process, user and system; events are made before the clock starts, batch by batch.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark reports to its user, and stops where it cannot go on"
)]

#[path = "../identity/figure.rs"]
mod figure;
mod clock;
mod load;
mod questions;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use cx_tests::agreement::float;

use crate::figure::Figure;

/// As in the `cx` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "\
usage: cargo xtask bench store [--events N] [--seed S] [--keep FOLDER]

  --events N     how many events (1000000)
  --seed S       the seed of the company (1)
  --keep FOLDER  where the files are made, and left; else they go";

/// What is measured, each in a process of its own. Later ones read what earlier ones have made.
const SECTIONS: &[(&str, &str)] = &[
    ("ceiling", "The ceiling: the same payloads into a bare table, in one transaction"),
    ("bulk", "Ingest in batches of 100,000"),
    ("compressed", "The same, compressed"),
    ("stream", "Ingest in batches of 10,000, and how single events and merges cost as it grows"),
    ("questions", "Questions"),
    ("one", "One customer with a long history"),
];

/// What the sections share.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) events: usize,
    pub(crate) seed: u64,
    /// The folder of the files.
    pub(crate) folder: PathBuf,
    /// What the ceiling cost, in CPU microseconds per event.
    pub(crate) ceiling: Option<f64>,
    section: Option<String>,
    keep: bool,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = options(&words).and_then(|options| match &options.section {
        Some(section) => measure(section, &options).map(|()| true),
        None => table(&options),
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
    let folder = std::env::temp_dir().join(format!("cx-bench-store-{}", std::process::id()));
    let mut options =
        Options { events: 1_000_000, seed: 1, folder, ceiling: None, section: None, keep: false };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        // Cargo says `--bench` to every benchmark.
        if word == "--bench" {
            continue;
        }
        let value = words.next().ok_or(USAGE)?;
        match word.as_str() {
            "--events" => options.events = value.parse().map_err(|_| USAGE)?,
            "--seed" => options.seed = value.parse().map_err(|_| USAGE)?,
            "--ceiling" => options.ceiling = value.parse().ok(),
            "--section" => options.section = Some(value.clone()),
            "--keep" => {
                options.folder = value.into();
                options.keep = true;
            }
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(options)
}

/// Prints the figures of every section; whether all are met.
fn table(options: &Options) -> Result<bool, String> {
    std::fs::create_dir_all(&options.folder).map_err(|error| error.to_string())?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut missed = 0;
    let mut ceiling = None;
    for (section, title) in SECTIONS {
        println!("\n{title}\n{:<62} {:>12} {:>12}", "", "figure", "target");
        let mut command = Command::new(&program);
        command.args(["--events", &options.events.to_string()]);
        command.args(["--seed", &options.seed.to_string(), "--section", section]);
        command.args(["--keep", &options.folder.to_string_lossy()]);
        if let Some(ceiling) = ceiling {
            command.args(["--ceiling", &format!("{ceiling}")]);
        }
        let output = command.output().map_err(|error| format!("{section}: {error}"))?;
        if !output.status.success() {
            return Err(format!("{section}: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        for figure in text.lines().filter_map(Figure::from_line) {
            println!("{figure}");
            missed += u32::from(!figure.is_met());
            if *section == "ceiling" && figure.name.starts_with(load::COST) {
                ceiling = Some(figure.value);
            }
        }
    }
    if !options.keep {
        std::fs::remove_dir_all(&options.folder).map_err(|error| error.to_string())?;
    }
    println!("\n{}", if missed == 0 { "all met".to_owned() } else { format!("{missed} missed") });
    Ok(missed == 0)
}

fn measure(section: &str, options: &Options) -> Result<(), String> {
    let mut figures = match section {
        "ceiling" => load::ceiling(options),
        "bulk" => load::bulk(options),
        "compressed" => load::compressed(options),
        "stream" => load::stream(options),
        "questions" => questions::figures(options),
        "one" => questions::one_customer(options),
        _ => return Err(USAGE.to_owned()),
    };
    figures.extend(peak_megabytes().map(|peak| Figure::new("peak memory, in megabytes", peak)));
    for figure in figures {
        println!("{}", figure.to_line());
    }
    Ok(())
}

/// The most memory this process ever had; where the system tells.
fn peak_megabytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(float(kilobytes) / 1024.0)
}
