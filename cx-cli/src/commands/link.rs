//! `cx link`: which rows of a table of persons are one person's.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cx_core::linkage::{
    LinkOptions, Linkage, Model, Quality, ScoredPair, TrainOptions, link, quality, train, waterfall,
};
use cx_store::NewFile;
use serde::Serialize;

use super::persons::{self, Persons, Truth, TruthPart};
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
    // That they can be written is known before anything is read.
    let new = |path: &Option<PathBuf>| path.as_ref().map(NewFile::create).transpose();
    let (out, pairs, household) = (new(&asked.out)?, new(&asked.pairs)?, new(&asked.household)?);
    let truth = asked.truth.as_deref();
    let part = if asked.truth_number { TruthPart::Number } else { TruthPart::Whole };
    let truth = truth.map(|column| Truth { column, part });
    let model = asked.model.as_deref().map(read_model).transpose()?;
    let also = model.as_ref().map(persons::compared_by).unwrap_or_default();
    let persons = persons::read(&asked.tables, &asked.columns, truth, &also)?;
    let threads = asked.threads.or_else(|| std::thread::available_parallelism().ok());
    let threads = threads.unwrap_or(NonZeroUsize::MIN);
    let model = match model {
        Some(model) if !asked.train => model,
        from => trained(&persons, &from.unwrap_or_else(Model::shipped), threads)?,
    };
    if let Some([a, b]) = asked.explain.as_deref() {
        let last = persons.numbers.last().copied().unwrap_or_default();
        let row = |n: &u32| {
            let found = persons.numbers.binary_search(n).ok();
            found.and_then(|row| u32::try_from(row).ok()).ok_or_else(|| {
                let problem = if (1..=last).contains(n) { "it was left out; " } else { "" };
                CliError::Usage(format!("row {n}: {problem}there are rows 1 to {last}"))
            })
        };
        let told = waterfall(&persons.table, &model, row(a)?, row(b)?);
        return output::told(&told, &told.sentences, asked.json);
    }
    let options = LinkOptions {
        link_at: asked.accept,
        review_at: asked.review_at.min(asked.accept),
        threads,
        ..LinkOptions::default()
    };
    let linkage = link(&persons.table, &model, &options);
    if let Some(out) = out {
        write_rows(asked, out, &linkage)?;
    }
    if let Some(out) = pairs {
        let kinds: [(&str, &[ScoredPair]); 3] = [
            ("linked", &linkage.links),
            ("possible", &linkage.possible),
            ("household", &linkage.households),
        ];
        write_pairs(out, &persons.numbers, &kinds)?;
    }
    if let Some(out) = household {
        write_pairs(out, &persons.numbers, &[("household", &linkage.households)])?;
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

/// Reads a model of cx or of Splink.
pub(super) fn read_model(path: &Path) -> Result<Model, CliError> {
    model_of(path, &persons::text(path)?)
}

/// The model of cx or of Splink that the text of a file is.
pub(super) fn model_of(path: &Path, text: &str) -> Result<Model, CliError> {
    let problem = |problem: String| CliError::Definition { path: path.to_owned(), problem };
    if Model::is_splink(text) {
        Model::from_splink(text).map_err(|error| problem(error.to_string()))
    } else {
        Model::read(text).map_err(|error| problem(error.to_string()))
    }
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
        quality_with_possible: quality(&linkage.with_possible()),
        unreadable: persons.problems.len(),
    };
    if asked.json {
        return output::json_line(&report);
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

/// Writes the rows that were read, each with its person, its number, and its table. Columns of a
/// second table stand under the same names of the first one, or behind them.
fn write_rows(asked: &Link, mut out: NewFile, linkage: &Linkage) -> Result<(), CliError> {
    let mut names: Vec<String> = Vec::new();
    let mut places = Vec::new();
    for path in &asked.tables {
        let mut of = Vec::new();
        for name in persons::header(path, &asked.columns)? {
            // A name that stands twice in a header has two places.
            let taken = |at: &usize| of.contains(at);
            let known = (0..names.len()).find(|at| names.get(*at) == Some(&name) && !taken(at));
            of.push(known.unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            }));
        }
        places.push(of);
    }
    let mut writer = csv::Writer::from_writer(&mut out);
    let own = ["person", "row", "table"].into_iter();
    writer.write_record(own.chain(names.iter().map(String::as_str))).map_err(cannot)?;
    let mut people = linkage.persons.iter();
    let mut before = 0;
    for (position, (path, places)) in asked.tables.iter().zip(&places).enumerate() {
        let table = (position + 1).to_string();
        before =
            persons::each_row(path, &asked.columns, before, &mut Vec::new(), |row, record| {
                let Some(person) = people.next() else { return Ok(()) };
                let (person, row) = (format!("{}", person + 1), row.to_string());
                let mut cells = vec![""; names.len()];
                for (cell, place) in record.iter().zip(places) {
                    if let Some(slot) = cells.get_mut(*place) {
                        *slot = cell;
                    }
                }
                let own = [person.as_str(), row.as_str(), table.as_str()].into_iter();
                writer.write_record(own.chain(cells)).map_err(cannot)
            })?;
    }
    writer.flush()?;
    drop(writer);
    Ok(out.finish()?)
}

fn cannot(error: csv::Error) -> CliError {
    CliError::Write(error.into())
}

/// Writes pairs by the numbers of their rows, those of a second table following those of the
/// first.
fn write_pairs(
    mut out: NewFile,
    numbers: &[u32],
    kinds: &[(&str, &[ScoredPair])],
) -> Result<(), CliError> {
    let number = |row: u32| {
        let at = usize::try_from(row).ok().and_then(|row| numbers.get(row));
        at.copied().unwrap_or(row).to_string()
    };
    let mut writer = csv::Writer::from_writer(&mut out);
    let names = ["verdict", "row_a", "row_b", "weight_bits", "probability"];
    writer.write_record(names).map_err(cannot)?;
    for (verdict, pairs) in kinds {
        for pair in *pairs {
            let bits = f64::from(pair.weight) / 1000.0;
            let probability = cx_core::linkage::model::probability(pair.weight);
            let cells = [
                (*verdict).to_owned(),
                number(pair.a),
                number(pair.b),
                format!("{bits:.3}"),
                format!("{probability:.6}"),
            ];
            writer.write_record(&cells).map_err(cannot)?;
        }
    }
    writer.flush()?;
    drop(writer);
    Ok(out.finish()?)
}
