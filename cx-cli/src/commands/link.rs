//! `cx link`: which rows of a table of persons are one person's.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;

use cx_core::linkage::{
    LinkOptions, Linkage, Model, Quality, ScoredPair, TrainOptions, link, quality, train, waterfall,
};
use serde::Serialize;

use super::persons::{self, Persons, Truth};
use crate::args::Link;
use crate::error::CliError;
use crate::output;

/// What came of linking, in numbers.
#[derive(Serialize)]
struct Report<'a> {
    records: u32,
    persons: usize,
    compared: u64,
    links: usize,
    possible: usize,
    households: usize,
    model: String,
    blanked: &'a std::collections::BTreeMap<String, u32>,
    dropped: &'a [cx_core::linkage::block::Dropped],
    quality: Option<Quality>,
    /// How good it would be if all that is proposed were accepted.
    quality_with_possible: Option<Quality>,
    unreadable: usize,
}

pub(crate) fn run(asked: &Link) -> Result<ExitCode, CliError> {
    let truth = asked.truth.as_deref();
    let truth = truth.map(|column| Truth { column, is_number: asked.truth_number });
    let persons = persons::read(&asked.tables, &asked.columns, truth)?;
    let threads = asked.threads.or_else(|| std::thread::available_parallelism().ok());
    let threads = threads.unwrap_or(NonZeroUsize::MIN);
    let model = match &asked.model {
        Some(path) => read_model(path)?,
        None => trained(&persons, &Model::shipped(), threads)?,
    };
    if let Some([a, b]) = asked.explain.as_deref() {
        let last = persons.table.len();
        let row = |n: &u32| match n.checked_sub(1) {
            Some(row) if row < last => Ok(row),
            _ => Err(CliError::Usage(format!("row {n}: there are rows 1 to {last}"))),
        };
        let told = waterfall(&persons.table, &model, row(a)?, row(b)?);
        return output::told(&told, &told.sentences, asked.json);
    }
    let options = LinkOptions {
        link_at: milli(asked.accept),
        review_at: milli(asked.review_at.min(asked.accept)),
        threads,
        ..LinkOptions::default()
    };
    let linkage = link(&persons.table, &model, &options);
    if let Some(out) = &asked.out {
        write_rows(asked, out, &linkage)?;
    }
    if let Some(out) = &asked.pairs {
        write_pairs(out, &linkage)?;
    }
    report(asked, &persons, &model, &linkage)?;
    Ok(if persons.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A model trained on the table.
pub(super) fn trained(
    persons: &Persons,
    from: &Model,
    threads: NonZeroUsize,
) -> Result<Model, CliError> {
    let options = TrainOptions { threads, ..TrainOptions::default() };
    train(&persons.table, from, &options).map_err(|error| CliError::Usage(error.to_string()))
}

pub(super) fn read_model(path: &Path) -> Result<Model, CliError> {
    let text = fs::read_to_string(path)
        .map_err(|error| CliError::Read { path: path.to_owned(), error })?;
    Model::read(&text)
        .map_err(|error| CliError::Definition { path: path.to_owned(), problem: error.to_string() })
}

/// The weight of a probability, in thousandths of a bit.
fn milli(probability: f64) -> i32 {
    let bits = (probability / (1.0 - probability)).log2() * 1000.0;
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "between -40,000 and 40,000"
    )]
    let milli = bits.round().clamp(-40_000.0, 40_000.0) as i32;
    milli
}

fn report(
    asked: &Link,
    persons: &Persons,
    model: &Model,
    linkage: &Linkage,
) -> Result<(), CliError> {
    let mut distinct = linkage.persons.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let quality =
        |persons_of: &[u32]| persons.truth.as_ref().map(|truth| quality(persons_of, truth));
    let report = Report {
        records: persons.table.len(),
        persons: distinct.len(),
        compared: linkage.compared,
        links: linkage.links.len(),
        possible: linkage.possible.len(),
        households: linkage.households.len(),
        model: model.hash(),
        blanked: &linkage.blanked,
        dropped: &linkage.dropped,
        quality: quality(&linkage.persons),
        quality_with_possible: quality(&with_possible(linkage)),
        unreadable: persons.problems.len(),
    };
    if asked.json {
        return output::line(&output::json(&report)?);
    }
    for (table, columns) in asked.tables.iter().zip(&persons.columns) {
        let of = |(name, attribute): &(String, Option<cx_core::linkage::Attribute>)| {
            let taken = attribute.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            format!("{name}: {taken}")
        };
        let columns: Vec<String> = columns.iter().map(of).collect();
        output::line(&format!("{}: {}", table.display(), columns.join(", ")))?;
    }
    let n = |n: usize| output::count(u64::try_from(n).unwrap_or(u64::MAX));
    output::line(&format!(
        "{} records are {} persons; {} pairs compared, {} linked, {} proposed, {} of one household",
        output::count(u64::from(report.records)),
        n(report.persons),
        output::count(report.compared),
        n(report.links),
        n(report.possible),
        n(report.households),
    ))?;
    for (attribute, values) in report.blanked {
        output::line(&format!(
            "{} of {attribute} are used under several names: they do not count",
            output::counted(u64::from(*values), "value")
        ))?;
    }
    for dropped in report.dropped {
        output::line(&if dropped.above < 2 {
            format!("not compared by {}: other rules gave enough pairs", dropped.rule)
        } else {
            format!(
                "not compared by {}: {} records in {} blocks of more than {}",
                dropped.rule, dropped.records, dropped.blocks, dropped.above
            )
        })?;
    }
    if let (Some(links), Some(all)) = (report.quality, report.quality_with_possible) {
        let line = |what: &str, q: &Quality| {
            format!(
                "{what}: precision {:.4}, recall {:.4}, F0.5 {:.4}, F1 {:.4} ({} of {} true pairs)",
                q.precision, q.recall, q.f05, q.f1, q.right, q.true_pairs
            )
        };
        output::line(&line("links", &links))?;
        output::line(&line("with all proposals", &all))?;
    }
    for problem in persons.problems.iter().take(20) {
        anstream::eprintln!("left out: {}", output::tame(problem, 300));
    }
    Ok(())
}

/// The persons if all that is proposed were accepted.
fn with_possible(linkage: &Linkage) -> Vec<u32> {
    fn root(persons: &[u32], mut row: u32) -> u32 {
        let of = |row: u32| usize::try_from(row).ok().and_then(|row| persons.get(row)).copied();
        while let Some(next) = of(row).filter(|next| *next != row) {
            row = next;
        }
        row
    }
    let mut persons = linkage.persons.clone();
    for pair in &linkage.possible {
        let (a, b) = (root(&persons, pair.a), root(&persons, pair.b));
        let (low, high) = (a.min(b), a.max(b));
        if let Some(of) = usize::try_from(high).ok().and_then(|high| persons.get_mut(high)) {
            *of = low;
        }
    }
    let rows = u32::try_from(persons.len()).unwrap_or(u32::MAX);
    (0..rows).map(|row| root(&persons, row)).collect()
}

fn write_rows(asked: &Link, out: &Path, linkage: &Linkage) -> Result<(), CliError> {
    let cannot = |error: csv::Error| CliError::Definition {
        path: out.to_owned(),
        problem: error.to_string(),
    };
    let mut writer = csv::Writer::from_path(out).map_err(cannot)?;
    let mut row = linkage.persons.iter();
    for (position, path) in asked.tables.iter().enumerate() {
        let mut reader = persons::reader(path, &asked.columns)?;
        let header = reader.headers().map_err(cannot)?.clone();
        if position == 0 || asked.tables.len() > 1 {
            let mut first: Vec<&str> = vec!["person", "table"];
            first.extend(&header);
            if position == 0 {
                writer.write_record(&first).map_err(cannot)?;
            }
        }
        for record in reader.records().filter_map(Result::ok) {
            let person = row.next().map(|person| (person + 1).to_string()).unwrap_or_default();
            let table = (position + 1).to_string();
            let mut cells: Vec<&str> = vec![&person, &table];
            cells.extend(&record);
            cells.resize(header.len() + 2, "");
            // Rows of a second table with other columns are written as they stand.
            writer.write_record(&cells).or_else(|error| match error.kind() {
                csv::ErrorKind::UnequalLengths { .. } => Ok(()),
                _ => Err(cannot(error)),
            })?;
        }
    }
    writer.flush()?;
    Ok(())
}

fn write_pairs(out: &Path, linkage: &Linkage) -> Result<(), CliError> {
    let cannot = |error: csv::Error| CliError::Definition {
        path: out.to_owned(),
        problem: error.to_string(),
    };
    let mut writer = csv::Writer::from_path(out).map_err(cannot)?;
    writer
        .write_record(["verdict", "row_a", "row_b", "weight_bits", "probability"])
        .map_err(cannot)?;
    let kinds: [(&str, &[ScoredPair]); 3] = [
        ("linked", &linkage.links),
        ("possible", &linkage.possible),
        ("household", &linkage.households),
    ];
    for (verdict, pairs) in kinds {
        for pair in pairs {
            let bits = f64::from(pair.weight) / 1000.0;
            let probability = cx_core::linkage::model::probability(pair.weight);
            let cells = [
                verdict.to_owned(),
                (pair.a + 1).to_string(),
                (pair.b + 1).to_string(),
                format!("{bits:.3}"),
                format!("{probability:.6}"),
            ];
            writer.write_record(&cells).map_err(cannot)?;
        }
    }
    writer.flush()?;
    Ok(())
}
