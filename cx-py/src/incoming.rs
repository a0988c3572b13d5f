//! Records as Python hands them over: an iterable of dicts or events, or an Arrow stream.

use std::collections::BTreeSet;

use cx_core::event::Event;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyIterator, PyString};

use crate::convert::{Defaults, object, type_name};
use crate::error::{BindingError, RowError};
use crate::event;
use crate::table::rows::{Dicts, Rows};

/// So many fields that are none of ours are told.
const UNKNOWN: usize = 1_000;

/// Records that become events batch by batch.
pub(crate) enum Incoming<'py> {
    /// Dicts of the canonical form, or events; or dicts that are rows of a table.
    Records {
        /// Where they come from.
        records: Bound<'py, PyIterator>,
        /// What they do not say.
        defaults: Defaults,
        /// How many were taken.
        row: u64,
        /// What the first of them is not an event, but a row of.
        table: Option<Box<Dicts>>,
        /// Fields of theirs that are none of ours, the first of them.
        unknown: BTreeSet<String>,
    },
    /// Rows of an Arrow stream. Boxed: it is much the larger one.
    Rows(Box<Rows>),
}

/// Some records, each an event or what is wrong with it.
pub(crate) type Batch = Vec<Result<Event, RowError>>;

impl<'py> Incoming<'py> {
    /// What `events=` holds.
    pub(crate) fn from_python(
        events: &Bound<'py, PyAny>,
        defaults: Defaults,
    ) -> Result<Self, BindingError> {
        if let Some(export) = events.getattr_opt("__arrow_c_stream__")? {
            let capsule = export.call0()?;
            let capsule = capsule.cast::<PyCapsule>().map_err(PyErr::from)?;
            return Ok(Self::Rows(Box::new(Rows::from_capsule(capsule, defaults)?)));
        }
        if events.is_instance_of::<PyDict>() || events.is_instance_of::<event::Event>() {
            return Err(refuse(events, "one record on its own: put it into a list"));
        }
        if events.is_instance_of::<PyString>() {
            return Err(refuse(events, "text: use import_file for files, or json.loads"));
        }
        match type_name(events).as_str() {
            "LazyFrame" => Err(refuse(events, "a lazy frame: call .collect() first")),
            "DataFrame" => Err(refuse(events, "a frame without Arrow: install pyarrow")),
            _ => match events.try_iter() {
                Ok(records) => Ok(Self::Records {
                    records,
                    defaults,
                    row: 0,
                    table: None,
                    unknown: BTreeSet::new(),
                }),
                Err(_) => Err(refuse(events, "not an iterable of dicts, nor a table of Arrow")),
            },
        }
    }

    /// Columns of a table that are none of ours: their cells are kept in `extra`; or such fields of
    /// records, that are kept as they are.
    pub(crate) fn unmapped(&self) -> Vec<String> {
        match self {
            Self::Records { table: Some(table), .. } => table.unmapped(),
            Self::Records { unknown, .. } => unknown.iter().cloned().collect(),
            Self::Rows(rows) => rows.unmapped(),
        }
    }

    /// The next records, at most about `size` of them; `None` at the end. Arrow streams are read
    /// with the interpreter lock released.
    pub(crate) fn next_batch(
        &mut self,
        py: Python<'py>,
        size: usize,
    ) -> Option<Result<Batch, BindingError>> {
        match self {
            Self::Rows(rows) => py.detach(|| rows.next_batch(size)),
            Self::Records { records, defaults, row, table, unknown } => {
                let mut batch = Vec::new();
                for record in records.take(size) {
                    let record = match record {
                        Ok(record) => record,
                        Err(error) => return Some(Err(error.into())),
                    };
                    let event = read(&record, defaults, table, *row == 0);
                    if table.is_none() {
                        for name in event.iter().flat_map(|event| event.unknown.keys()) {
                            if unknown.len() < UNKNOWN && !unknown.contains(name) {
                                unknown.insert(name.clone());
                            }
                        }
                    }
                    batch.push(event.map_err(|error| error.in_row(*row)));
                    *row = row.saturating_add(1);
                }
                (!batch.is_empty()).then_some(Ok(batch))
            }
        }
    }
}

/// Reads one of several records. What the first one is, all are.
fn read(
    record: &Bound<'_, PyAny>,
    defaults: &Defaults,
    table: &mut Option<Box<Dicts>>,
    is_first: bool,
) -> Result<Event, RowError> {
    if let Ok(event) = record.cast::<event::Event>() {
        return Ok(event.get().inner().clone());
    }
    let record = object(record, defaults.zone.as_ref())?;
    if is_first {
        *table = Dicts::of(&record, defaults).map(Box::new);
    }
    match table {
        Some(table) => table.event(record),
        None => Ok(event::of_object(record, defaults)?),
    }
}

fn refuse(events: &Bound<'_, PyAny>, problem: &str) -> BindingError {
    BindingError::argument("events", type_name(events), problem)
}
