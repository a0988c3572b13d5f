//! Tables of persons: CSV files whose columns are recognised by their names.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use cx_core::linkage::{Attribute, Table, TableBuilder};

use crate::args::Columns;
use crate::error::CliError;

/// A table with what is remembered of its rows.
pub(crate) struct Persons {
    pub(crate) table: Table,
    /// What each column was taken for, table by table.
    pub(crate) columns: Vec<Vec<(String, Option<Attribute>)>>,
    /// The truth of each row as a number, where a column was named for it.
    pub(crate) truth: Option<Vec<u32>>,
    /// Rows that could not be read, with their places.
    pub(crate) problems: Vec<String>,
}

/// The column that tells the truth.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Truth<'a> {
    pub(crate) column: &'a str,
    /// Whether only the first number in it counts.
    pub(crate) is_number: bool,
}

/// Reads one table or two.
pub(crate) fn read(
    paths: &[PathBuf],
    columns: &Columns,
    truth: Option<Truth<'_>>,
) -> Result<Persons, CliError> {
    let said = said(columns)?;
    let mut headers = Vec::new();
    for path in paths {
        headers.push(header(path, columns)?);
    }
    let truth_of = |position: usize| {
        let named = truth.map(|truth| truth.column)?;
        match named.split_once(',') {
            Some((first, second)) => {
                Some(if position == 0 { first } else { second }.trim().to_owned())
            }
            None => Some(named.to_owned()),
        }
    };
    let mut recognised = Vec::new();
    for (position, header) in headers.iter().enumerate() {
        let truth = truth_of(position);
        if let Some(truth) = &truth
            && !header.contains(truth)
        {
            let path = paths.get(position).cloned().unwrap_or_default();
            let problem = format!("there is no column {truth:?}; there are {}", header.join(", "));
            return Err(CliError::Definition { path, problem });
        }
        let of = |name: &String| match said.get(name) {
            Some(attribute) => attribute.clone(),
            None if Some(name) == truth.as_ref() => None,
            None => Attribute::of_header(name),
        };
        recognised.push(header.iter().map(|name| (name.clone(), of(name))).collect::<Vec<_>>());
    }
    if let Some(unknown) = said.keys().find(|name| !headers.iter().any(|h| h.contains(name))) {
        return Err(CliError::Usage(format!("--column {unknown}: there is no such column")));
    }
    let mut attributes: Vec<Attribute> = Vec::new();
    for (_, attribute) in recognised.iter().flatten() {
        attributes.extend(attribute.clone().filter(|attribute| !attributes.contains(attribute)));
    }
    // Several columns may say the same: as many places as any table has columns of it.
    let mut places: Vec<Attribute> = Vec::new();
    for attribute in attributes {
        let n = |columns: &Vec<(String, Option<Attribute>)>| {
            columns.iter().filter(|(_, of)| of.as_ref() == Some(&attribute)).count()
        };
        let most = recognised.iter().map(n).max().unwrap_or(0);
        places.extend(std::iter::repeat_n(attribute, most));
    }
    let mut builder = TableBuilder::new(&places);
    if columns.month_first {
        builder = builder.month_first();
    }
    let mut known: HashMap<String, u32> = HashMap::new();
    let mut truths = Vec::new();
    let mut problems = Vec::new();
    for (position, path) in paths.iter().enumerate() {
        if position == 1 {
            builder.second_table();
        }
        let columns_here = recognised.get(position).map(Vec::as_slice).unwrap_or_default();
        let mut where_to: Vec<Option<usize>> = Vec::new();
        for (at, (_, attribute)) in columns_here.iter().enumerate() {
            let before = columns_here.iter().take(at).filter(|(_, of)| of == attribute).count();
            let place = |attribute: &Attribute| {
                let all = places.iter().enumerate().filter(|(_, of)| *of == attribute);
                all.map(|(place, _)| place).nth(before)
            };
            where_to.push(attribute.as_ref().and_then(place));
        }
        let truth_at = truth_of(position)
            .and_then(|truth| columns_here.iter().position(|(name, _)| *name == truth));
        let mut reader = reader(path, columns)?;
        let mut record = csv::StringRecord::new();
        loop {
            match reader.read_record(&mut record) {
                Ok(false) => break,
                Err(error) => {
                    if !matches!(
                        error.kind(),
                        csv::ErrorKind::UnequalLengths { .. } | csv::ErrorKind::Utf8 { .. }
                    ) {
                        return Err(unreadable(path, &error));
                    }
                    problems.push(format!("{}: {error}", path.display()));
                    continue;
                }
                Ok(true) => {}
            }
            let mut row = vec![""; places.len()];
            for (cell, to) in record.iter().zip(&where_to) {
                if let Some(slot) = to.and_then(|to| row.get_mut(to)) {
                    *slot = cell;
                }
            }
            builder.push(&row);
            if let Some(at) = truth_at {
                let cell = record.get(at).unwrap_or_default();
                let cell = if truth.is_some_and(|truth| truth.is_number) {
                    first_number(cell)
                } else {
                    cell
                };
                let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
                truths.push(*known.entry(cell.to_owned()).or_insert(next));
            }
        }
    }
    let truth = truth.map(|_| truths);
    Ok(Persons { table: builder.finish(), columns: recognised, truth, problems })
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

fn header(path: &Path, columns: &Columns) -> Result<Vec<String>, CliError> {
    let mut reader = reader(path, columns)?;
    let header = reader.headers().map_err(|error| unreadable(path, &error))?;
    Ok(header.iter().map(str::to_owned).collect())
}

pub(crate) fn reader(path: &Path, columns: &Columns) -> Result<csv::Reader<File>, CliError> {
    let cannot = |error| CliError::Read { path: path.to_owned(), error };
    let delimiter = if let Some(delimiter) = columns.delimiter {
        u8::try_from(delimiter)
            .map_err(|_| CliError::Usage(format!("--delimiter {delimiter}: one ASCII character")))?
    } else {
        let mut head = vec![0; 4_096];
        let n = File::open(path).map_err(cannot)?.read(&mut head).map_err(cannot)?;
        head.truncate(n);
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let count = |of: u8| line.split(|byte| *byte == of).count();
        let most = [b',', b';', b'\t', b'|'].into_iter().max_by_key(|of| (count(*of), *of == b','));
        most.unwrap_or(b',')
    };
    let file = File::open(path).map_err(cannot)?;
    Ok(csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(file))
}

fn unreadable(path: &Path, error: &csv::Error) -> CliError {
    CliError::Definition { path: path.to_owned(), problem: error.to_string() }
}

fn first_number(text: &str) -> &str {
    let from = text.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
    let rest = text.get(from..).unwrap_or_default();
    let to = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..to).unwrap_or_default()
}
