//! Tables of persons: CSV files whose columns are recognised by their names.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use cx_core::linkage::{Attribute, Layout, Model, Table, TableBuilder};

use crate::args::Columns;
use crate::error::CliError;

/// A table with what is remembered of its rows.
pub(crate) struct Persons {
    pub(crate) table: Table,
    /// What each column was taken for, table by table.
    pub(crate) columns: Vec<Vec<(String, Option<Attribute>)>>,
    /// The truth of each row as a number, where a column was named for it.
    pub(crate) truth: Option<Vec<u32>>,
    /// The number of each row: those that could not be read count, and those of a second table
    /// follow those of the first.
    pub(crate) numbers: Vec<u32>,
    /// Rows that could not be read, with their places.
    pub(crate) problems: Vec<String>,
}

impl Persons {
    /// How the columns of each attribute are called; of several the first.
    pub(crate) fn names(&self) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        for (name, attribute) in self.columns.iter().flatten() {
            if let Some(attribute) = attribute {
                names.entry(attribute.name().to_owned()).or_insert_with(|| name.clone());
            }
        }
        names
    }
}

/// The column that tells the truth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Truth<'a> {
    pub(crate) column: &'a str,
    /// Which part of it counts.
    pub(crate) part: TruthPart,
}

/// Which part of the truth counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TruthPart {
    /// All of it.
    Whole,
    /// The first number in it.
    Number,
}

impl Truth<'_> {
    /// The column of one of the tables: `A,B` names one for each.
    fn of(&self, position: usize) -> String {
        match self.column.split_once(',') {
            Some((first, _)) if position == 0 => first.trim().to_owned(),
            Some((_, second)) => second.trim().to_owned(),
            None => self.column.to_owned(),
        }
    }
}

/// The columns that a model compares as they stand, by their names.
pub(crate) fn compared_by(model: &Model) -> Vec<String> {
    model.columns.values().cloned().collect()
}

/// The text of a file.
pub(crate) fn text(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|error| CliError::Read { path: path.to_owned(), error })
}

/// Reads one table or two. Columns of the names in `also` are compared as they stand, where
/// nothing else is known of them.
pub(crate) fn read(
    paths: &[PathBuf],
    columns: &Columns,
    truth: Option<Truth<'_>>,
    also: &[String],
) -> Result<Persons, CliError> {
    let recognised = recognised(paths, columns, truth, also)?;
    let said = |columns: &Recognised| columns.iter().map(|(_, of)| of.clone()).collect();
    let layout = Layout::of(&recognised.iter().map(said).collect::<Vec<_>>());
    let mut builder = TableBuilder::new(layout.places());
    if columns.month_first {
        builder = builder.month_first();
    }
    let mut known: HashMap<String, u32> = HashMap::new();
    let mut truths = Vec::new();
    let mut next = 0_u32;
    let mut problems = Vec::new();
    let mut numbers = Vec::new();
    let mut before = 0;
    for (position, (path, here)) in paths.iter().zip(&recognised).enumerate() {
        if position == 1 {
            builder.second_table();
        }
        let truth_at =
            truth.and_then(|truth| here.iter().position(|(name, _)| *name == truth.of(position)));
        before = each_row(path, columns, before, &mut problems, |number, record| {
            numbers.push(number);
            builder.push(&layout.row(position, record));
            if let (Some(at), Some(truth)) = (truth_at, truth) {
                let cell = record.get(at).unwrap_or_default();
                let cell = match truth.part {
                    TruthPart::Whole => cell,
                    TruthPart::Number => first_number(cell),
                };
                // Whose row it is that says nothing is not known: it is nobody else's.
                let one = match (cell.trim(), known.get(cell.trim())) {
                    ("", _) => next,
                    (_, Some(number)) => *number,
                    (said, None) => *known.entry(said.to_owned()).or_insert(next),
                };
                truths.push(one);
                next = next.saturating_add(u32::from(one == next));
            }
            Ok(())
        })?;
    }
    let truth = truth.map(|_| truths);
    Ok(Persons { table: builder.finish(), columns: recognised, truth, numbers, problems })
}

/// Calls for each row of a table that can be read, with its number: the first one has that after
/// `before`, and those that cannot be read count; of them the places are noted. Gives the last
/// number.
pub(crate) fn each_row(
    path: &Path,
    columns: &Columns,
    before: u32,
    problems: &mut Vec<String>,
    mut each: impl FnMut(u32, &csv::StringRecord) -> Result<(), CliError>,
) -> Result<u32, CliError> {
    let mut reader = reader(path, columns)?;
    reader.headers().map_err(|error| unreadable(path, &error))?;
    let mut record = csv::StringRecord::new();
    let mut last = before;
    loop {
        let number = last.saturating_add(1);
        match reader.read_record(&mut record) {
            Ok(false) => return Ok(last),
            Ok(true) => each(number, &record)?,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                let problem = match error.kind() {
                    csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                        format!("{len} fields where the header has {expected_len}")
                    }
                    csv::ErrorKind::Utf8 { .. } => "no UTF-8".to_owned(),
                    _ => return Err(unreadable(path, &error)),
                };
                problems.push(format!("{}:{line}: {problem}", path.display()));
            }
        }
        last = number;
    }
}

type Recognised = Vec<(String, Option<Attribute>)>;

/// What each column of each table says.
fn recognised(
    paths: &[PathBuf],
    columns: &Columns,
    truth: Option<Truth<'_>>,
    also: &[String],
) -> Result<Vec<Recognised>, CliError> {
    let said = said(columns)?;
    let mut recognised = Vec::new();
    for (position, path) in paths.iter().enumerate() {
        let header = header(path, columns)?;
        let truth = truth.map(|truth| truth.of(position));
        if let Some(truth) = &truth
            && !header.contains(truth)
        {
            let problem = format!("there is no column {truth:?}; there are {}", header.join(", "));
            return Err(CliError::Definition { path: path.clone(), problem });
        }
        let of = |name: &String| match said.get(name) {
            Some(attribute) => attribute.clone(),
            None if Some(name) == truth.as_ref() => None,
            None => Attribute::of_header(name)
                .or_else(|| also.contains(name).then(|| Attribute::Other(name.clone()))),
        };
        recognised.push(header.iter().map(|name| (name.clone(), of(name))).collect::<Recognised>());
    }
    let is_there = |name: &String| recognised.iter().flatten().any(|(known, _)| known == name);
    let mut unknown: Vec<&String> = said.keys().filter(|name| !is_there(name)).collect();
    unknown.sort();
    match unknown.first() {
        Some(name) => Err(CliError::Usage(format!("--column {name}: there is no such column"))),
        None => Ok(recognised),
    }
}

fn said(columns: &Columns) -> Result<HashMap<String, Option<Attribute>>, CliError> {
    let mut said = HashMap::new();
    for told in &columns.said {
        let Some((name, attribute)) = told.rsplit_once('=') else {
            return Err(CliError::Usage(format!("--column {told}: NAME=ATTRIBUTE is wanted")));
        };
        let attribute = (attribute != "ignore").then(|| Attribute::from_name(attribute));
        said.insert(name.to_owned(), attribute);
    }
    Ok(said)
}

/// The names of the columns of a table.
pub(crate) fn header(path: &Path, columns: &Columns) -> Result<Vec<String>, CliError> {
    let mut reader = reader(path, columns)?;
    let header = reader.headers().map_err(|error| unreadable(path, &error))?;
    Ok(header.iter().map(str::to_owned).collect())
}

fn reader(path: &Path, columns: &Columns) -> Result<csv::Reader<File>, CliError> {
    let cannot = |error| CliError::Read { path: path.to_owned(), error };
    let delimiter = if let Some(delimiter) = columns.delimiter {
        u8::try_from(delimiter)
            .map_err(|_| CliError::Usage(format!("--delimiter {delimiter}: one ASCII character")))?
    } else {
        let mut head = Vec::new();
        File::open(path).map_err(cannot)?.take(4_096).read_to_end(&mut head).map_err(cannot)?;
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let count = |of: u8| line.split(|byte| *byte == of).count();
        let most = [b',', b';', b'\t', b'|'].into_iter().max_by_key(|of| (count(*of), *of == b','));
        most.unwrap_or(b',')
    };
    let file = File::open(path).map_err(cannot)?;
    Ok(csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(file))
}

pub(crate) fn unreadable(path: &Path, error: &csv::Error) -> CliError {
    CliError::Definition { path: path.to_owned(), problem: error.to_string() }
}

fn first_number(text: &str) -> &str {
    let from = text.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
    let rest = text.get(from..).unwrap_or_default();
    let to = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..to).unwrap_or_default()
}
