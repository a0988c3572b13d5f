//! `cx import`: the records of other systems taken into a file.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use cx_adapters::csv::{self, ColumnMap};
use cx_adapters::{Format, Options, Record, RecordError, format};
use cx_core::event::Event;
use cx_core::time::Timestamp;
use cx_store::{Ending, IngestReport, Recording, Store, StoreError};
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::{Args, FACTS, Import, Source};
use crate::error::CliError;
use crate::output;

/// How many problems are shown in words.
const SHOWN: usize = 20;

pub(crate) fn run(args: &Args, import: &Import) -> Result<ExitCode, CliError> {
    if import.from == FACTS {
        return facts(args, import);
    }
    let format: Format = import
        .from
        .parse()
        .map_err(|error: format::FormatError| CliError::Usage(error.to_string()))?;
    let now = args.now()?;
    let options = options(&import.source, now)?;
    let columns = columns(format, import.columns.as_deref())?;
    let files = files(&import.files)?;
    let store = args.open_or_make(&import.into)?;
    let recording = Recording::new(now, format.name());
    let bar = progress(files.len());
    let mut done = Done::default();
    let mut unknown = BTreeSet::new();
    let mut records_of = |file: &PathBuf| -> Result<Box<dyn Iterator<Item = Named>>, CliError> {
        let name = file.display().to_string();
        let reader = open(file)?;
        bar.set_message(name.clone());
        let records: Box<dyn Iterator<Item = Record>> = match &columns {
            Some(columns) => Box::new(csv::read(reader, columns.clone(), &options)),
            None => format::read(format, reader, &options),
        };
        // What comes in by a pipe cannot be read again.
        if format == Format::Csv && file.is_file() {
            let columns = columns.clone().unwrap_or_default();
            unknown.extend(csv::unknown_columns(open(file)?, columns));
        }
        Ok(Box::new(records.map(move |record| record.map_err(|error| error.in_file(&name)))))
    };
    // Many small files are taken in like one. What is before one that cannot be read goes in.
    let mut unread = None;
    let records = files.iter().map_while(|file| match records_of(file) {
        Ok(records) => Some(records),
        Err(error) => {
            unread = Some(error);
            None
        }
    });
    let taken = store.import(&recording, records.flatten(), |so_far| {
        // What is in by now is told even where the rest cannot be read.
        done.report = so_far.clone();
        done.batches += 1;
        bar.set_length(done.report.total());
        ControlFlow::Continue(())
    });
    let taken = taken.map_err(CliError::from).and_then(|_| unread.map_or(Ok(()), Err));
    bar.finish_and_clear();
    done.unknown = unknown;
    if taken.is_ok() || done.report.total() > 0 {
        tell(&done, files.len(), import)?;
    }
    taken?;
    Ok(if done.report.rejected > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// A record, or what is wrong with it and in which file.
type Named = Result<Event, RecordError>;

/// What an import has done.
#[derive(Default)]
struct Done {
    report: IngestReport,
    /// In how many transactions.
    batches: u64,
    /// The columns of tables that cx does not know.
    unknown: BTreeSet<String>,
}

/// Makes a file of the facts of another one.
fn facts(args: &Args, import: &Import) -> Result<ExitCode, CliError> {
    let [file] = import.files.as_slice() else {
        return Err(CliError::Usage(format!("--from {FACTS} takes one file")));
    };
    let made = Store::import_facts_under(open(file)?, &import.into, args.key()?.as_ref());
    let (_, report) = made.map_err(|error| match error {
        StoreError::NotFacts { .. } => {
            CliError::Definition { path: file.clone(), problem: error.to_string() }
        }
        other => other.into(),
    })?;
    for problem in report.problems.iter().take(SHOWN) {
        anstream::eprintln!("rejected: {}: {}", file.display(), output::tame(problem, 400));
    }
    let more = report.rejected.saturating_sub(u64::try_from(SHOWN).unwrap_or_default());
    if more > 0 {
        anstream::eprintln!("… and {} more", output::count(more));
    }
    let file_name = file.display();
    match &report.ending {
        Ending::Whole => {}
        Ending::Other(told) => anstream::eprintln!(
            "incomplete: {file_name}: by its last line it has {}",
            output::facts(told)
        ),
        Ending::CutShort => anstream::eprintln!(
            "incomplete: {file_name}: cut short: the last line, which counts the facts, is missing"
        ),
        Ending::Untold => anstream::eprintln!(
            "warning: {file_name}: of a version that does not count its facts: whether some are missing cannot be told"
        ),
    }
    output::line(&format!(
        "{} → {}: {}, {} rejected",
        file.display(),
        import.into.display(),
        output::facts(&report.taken),
        output::count(report.rejected)
    ))?;
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The names of a table's columns, where the command line has them.
fn columns(format: Format, map: Option<&str>) -> Result<Option<ColumnMap>, CliError> {
    let Some(map) = map else { return Ok(None) };
    if format != Format::Csv {
        return Err(CliError::Usage("--columns is for --from csv".to_owned()));
    }
    let read = map.parse::<ColumnMap>().map_err(|error| CliError::Usage(error.to_string()))?;
    Ok(Some(read))
}

fn options(source: &Source, now: Timestamp) -> Result<Options, CliError> {
    for number in &source.own_number {
        if !Options::may_be_own_number(number, source.region.as_deref()) {
            let problem = "no telephone number; without a country code it needs --region";
            return Err(CliError::Usage(format!("--own-number {number}: {problem}")));
        }
    }
    Ok(Options {
        instance: source.instance.clone(),
        region: source.region.clone(),
        own: source.own.clone(),
        own_numbers: source.own_number.clone(),
        received_at: Some(now),
    })
}

/// A bar that shows itself when the import is long and somebody looks.
fn progress(files: usize) -> ProgressBar {
    let files = u64::try_from(files).unwrap_or(u64::MAX);
    let style = ProgressStyle::with_template("{spinner} {elapsed} {len} records · {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new(files).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

fn open(file: &Path) -> Result<Box<dyn BufRead>, CliError> {
    if file == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let fail = |error| CliError::Read { path: file.to_owned(), error };
    if file.is_dir() {
        return Err(fail(std::io::ErrorKind::IsADirectory.into()));
    }
    let opened = std::fs::File::open(file).map_err(fail)?;
    Ok(Box::new(BufReader::with_capacity(1 << 20, opened)))
}

/// The files that are named, and those in the folders that are named, in order of their names. Of a
/// Maildir also its folders, whose names begin with a dot, but nothing that is still on its way.
fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    files_within(named, &mut Vec::new())
}

/// The same below these folders. A link to one of them is not followed.
fn files_within(named: &[PathBuf], above: &mut Vec<PathBuf>) -> Result<Vec<PathBuf>, CliError> {
    let mut files = Vec::new();
    for path in named {
        if path.is_dir() {
            let real = std::fs::canonicalize(path)
                .map_err(|error| CliError::Read { path: path.clone(), error })?;
            if above.contains(&real) {
                continue;
            }
            let is_maildir = path.join("cur").is_dir();
            let entries = std::fs::read_dir(path)
                .map_err(|error| CliError::Read { path: path.clone(), error })?;
            let mut inside = Vec::new();
            for entry in entries {
                let entry = entry.map_err(|error| CliError::Read { path: path.clone(), error })?;
                let path = entry.path();
                let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
                let is_on_its_way = is_maildir && entry.file_name() == "tmp";
                if is_on_its_way || is_hidden && !path.join("cur").is_dir() {
                    continue;
                }
                if path.exists() {
                    inside.push(path);
                } else {
                    let name = path.display().to_string();
                    let name = output::tame(&name, 400);
                    anstream::eprintln!("left out: {name}: a link that leads nowhere");
                }
            }
            inside.sort();
            above.push(real);
            files.extend(files_within(&inside, above)?);
            above.pop();
        } else {
            // That one is missing is told before anything is taken in.
            if path != Path::new("-") {
                std::fs::metadata(path)
                    .map_err(|error| CliError::Read { path: path.clone(), error })?;
            }
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn tell(done: &Done, files: usize, import: &Import) -> Result<(), CliError> {
    let (report, into) = (&done.report, &import.into);
    for problem in report.problems.iter().take(SHOWN) {
        anstream::eprintln!("rejected: {}", output::tame(problem, 400));
    }
    let more = report.rejected.saturating_sub(u64::try_from(SHOWN).unwrap_or_default());
    if more > 0 {
        anstream::eprintln!("… and {} more", output::count(more));
    }
    for key in report.conflicts.iter().take(SHOWN) {
        anstream::eprintln!(
            "conflict: {} came again with other content; both are kept",
            output::tame(key, 200)
        );
    }
    let more = report.conflict.saturating_sub(u64::try_from(SHOWN).unwrap_or_default());
    if more > 0 {
        anstream::eprintln!("… and {} more", output::counted(more, "conflict"));
    }
    if !done.unknown.is_empty() {
        let names: Vec<&str> = done.unknown.iter().map(String::as_str).collect();
        let names = output::tame(&names.join(", "), 400);
        anstream::eprintln!("columns that cx does not know, kept as they stand: {names}");
    }
    for (namespace, n) in &report.unlinked {
        let hint = match (namespace.as_str(), &import.source.region) {
            ("phone", None) => "; numbers without a country code need --region",
            _ => "",
        };
        let (n, namespace) = (output::count(*n), output::tame(namespace, 80));
        anstream::eprintln!("linking nobody: {n} of {namespace}{hint}");
    }
    // Who was touched by several batches is counted in each.
    let each = match done.batches {
        0 | 1 => String::new(),
        n => format!(", counted in each of {} batches", output::count(n)),
    };
    let files = output::counted(u64::try_from(files).unwrap_or_default(), "file");
    output::line(&format!("{files} → {}: {}{each}", into.display(), summary(report)))
}

/// `12 new, 3 duplicate …`, with the customers that were touched.
pub(crate) fn summary(report: &IngestReport) -> String {
    let suppressed = match report.suppressed {
        0 => String::new(),
        n => format!(", {} of erased people left out", output::count(n)),
    };
    let expired = match report.expired {
        0 => String::new(),
        n => format!(", {} too old left out", output::count(n)),
    };
    format!(
        "{} new, {} duplicate, {} revised, {} conflict{suppressed}{expired}, {} rejected; {} touched",
        output::count(report.new),
        output::count(report.duplicate),
        output::count(report.revised),
        output::count(report.conflict),
        output::count(report.rejected),
        output::counted(report.customers, "customer"),
    )
}
