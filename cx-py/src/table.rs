//! Events as an Arrow table: the columns, and the two directions in which they cross.
//!
//! One row is one event. Text columns hold what an event has once; `who`, `data`, `attachments`,
//! `extra` and `rest` hold JSON, so that a table that is read back gives the very same events.

mod stream;
pub(crate) mod rows;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use arrow_array::builder::{StringBuilder, TimestampMicrosecondBuilder, UInt64Builder};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchReader};
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use cx_core::event::Event;
use cx_core::identifier::Namespace;
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use serde_json::{Map, Value};

use crate::error::BindingError;

/// The columns, in order.
pub(crate) const COLUMNS: [Column; 30] = [
    Column::text("key", Fill::Always),
    Column::text("kind", Fill::Always),
    Column::text("channel", Fill::Always),
    Column::text("direction", Fill::Always),
    Column::text("visibility", Fill::Always),
    Column { name: "occurred_at", holds: Holds::Instant, fill: Fill::Always },
    Column::text("utc_offset", Fill::Sometimes),
    Column::text("occurred_at_origin", Fill::Always),
    Column { name: "seq", holds: Holds::Count, fill: Fill::Sometimes },
    Column::text("rev", Fill::Sometimes),
    Column::text("name", Fill::Sometimes),
    Column::text("email", Fill::Sometimes),
    Column::text("phone", Fill::Sometimes),
    Column::text("conversation", Fill::Sometimes),
    Column::text("subject", Fill::Sometimes),
    Column::text("reply_to", Fill::Sometimes),
    Column::text("text", Fill::Sometimes),
    Column::text("lang", Fill::Sometimes),
    Column::text("actor", Fill::Always),
    Column::text("actor_id", Fill::Sometimes),
    Column::text("actor_name", Fill::Sometimes),
    Column::text("source_system", Fill::Always),
    Column::text("source_instance", Fill::Sometimes),
    Column::text("source_object", Fill::Sometimes),
    Column::text("source_id", Fill::Sometimes),
    Column { name: "who", holds: Holds::Json, fill: Fill::Sometimes },
    Column { name: "data", holds: Holds::Json, fill: Fill::Sometimes },
    Column { name: "attachments", holds: Holds::Json, fill: Fill::Sometimes },
    Column { name: "extra", holds: Holds::Json, fill: Fill::Sometimes },
    Column { name: "rest", holds: Holds::Json, fill: Fill::Sometimes },
];

/// One column of the table of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: &'static str,
    /// What stands in it.
    pub(crate) holds: Holds,
    fill: Fill,
}

impl Column {
    const fn text(name: &'static str, fill: Fill) -> Self {
        Self { name, holds: Holds::Text, fill }
    }
}

/// What stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Text.
    Text,
    /// Microseconds since the epoch, in UTC.
    Instant,
    /// A whole number, not negative.
    Count,
    /// JSON, as text.
    Json,
}

/// Whether every event has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fill {
    Always,
    Sometimes,
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let fields = COLUMNS.iter().map(|column| {
        let holds = match column.holds {
            Holds::Text | Holds::Json => DataType::Utf8,
            Holds::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Holds::Count => DataType::UInt64,
        };
        Field::new(column.name, holds, column.fill == Fill::Sometimes)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
});

/// The schema of every table of events.
pub(crate) fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// These events as one batch of rows.
///
/// # Errors
/// Where a text column grows beyond 2 GiB.
pub(crate) fn batch(events: &[Event]) -> Result<RecordBatch, ArrowError> {
    let mut builders: Vec<Builder> = COLUMNS.iter().map(Builder::of).collect();
    for event in events {
        let mut row = flat(event);
        for (column, builder) in COLUMNS.iter().zip(&mut builders) {
            builder.append(event, row.remove(column.name));
        }
    }
    let arrays = builders.into_iter().map(Builder::finish).collect();
    RecordBatch::try_new(schema(), arrays)
}

enum Builder {
    Text(StringBuilder),
    Instant(TimestampMicrosecondBuilder),
    Count(UInt64Builder),
}

impl Builder {
    fn of(column: &Column) -> Self {
        match column.holds {
            Holds::Text | Holds::Json => Self::Text(StringBuilder::new()),
            Holds::Instant => Self::Instant(TimestampMicrosecondBuilder::new()),
            Holds::Count => Self::Count(UInt64Builder::new()),
        }
    }

    fn append(&mut self, event: &Event, cell: Option<Value>) {
        match self {
            Self::Instant(to) => to.append_value(event.occurred_at.as_micros()),
            Self::Count(to) => to.append_option(event.seq),
            Self::Text(to) => match cell {
                None | Some(Value::Null) => to.append_null(),
                Some(Value::String(text)) => to.append_value(text),
                Some(json) => to.append_value(json.to_string()),
            },
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut builder) => Arc::new(builder.finish()),
            Self::Instant(mut builder) => Arc::new(builder.finish().with_timezone("UTC")),
            Self::Count(mut builder) => Arc::new(builder.finish()),
        }
    }
}

/// The event by column. What has no column of its own is in `rest`.
pub(crate) fn flat(event: &Event) -> Map<String, Value> {
    let mut rest = event.to_json();
    let mut row = Map::new();
    for name in [
        "key",
        "kind",
        "channel",
        "utc_offset",
        "rev",
        "name",
        "who",
        "data",
        "attachments",
        "extra",
    ] {
        row.extend(rest.remove(name).map(|value| (name.to_owned(), value)));
    }
    let visibility = rest.remove("visibility").unwrap_or_else(|| "public".into());
    let origin = rest.remove("occurred_at_origin").unwrap_or_else(|| "event".into());
    row.insert("visibility".to_owned(), visibility);
    row.insert("occurred_at_origin".to_owned(), origin);
    row.insert("direction".to_owned(), event.direction.name().into());
    row.insert("actor".to_owned(), event.actor.kind.name().into());
    for gone in ["direction", "occurred_at", "seq"] {
        rest.remove(gone);
    }
    split(&mut rest, &mut row, "source", SOURCE);
    split(&mut rest, &mut row, "actor", ACTOR);
    split(&mut rest, &mut row, "conversation", CONVERSATION);
    split(&mut rest, &mut row, "body", BODY);
    for (column, namespace) in [("email", Namespace::Email), ("phone", Namespace::Phone)] {
        let claims = event.person_claims();
        let claim = claims.iter().find(|claim| *claim.identifier().namespace() == namespace);
        row.extend(claim.map(|claim| (column.to_owned(), claim.identifier().key().into())));
    }
    if !rest.is_empty() {
        row.insert("rest".to_owned(), Value::Object(rest));
    }
    row
}

/// Which column holds which field of a part of the envelope.
pub(crate) type Parts = &'static [(&'static str, &'static str)];

/// The columns of `source`.
pub(crate) const SOURCE: Parts = &[
    ("system", "source_system"),
    ("instance", "source_instance"),
    ("object", "source_object"),
    ("id", "source_id"),
];
/// The columns of `actor`.
pub(crate) const ACTOR: Parts = &[("type", "actor"), ("id", "actor_id"), ("name", "actor_name")];
/// The columns of `conversation`.
pub(crate) const CONVERSATION: Parts =
    &[("key", "conversation"), ("subject", "subject"), ("reply_to", "reply_to")];
/// The columns of `body`.
pub(crate) const BODY: Parts = &[("text", "text"), ("lang", "lang")];

/// Moves the fields of a part to their columns; the part stays, if it has others.
fn split(rest: &mut Map<String, Value>, row: &mut Map<String, Value>, part: &str, parts: Parts) {
    let Some(Value::Object(mut fields)) = rest.remove(part) else { return };
    for (field, column) in parts {
        row.extend(fields.remove(*field).map(|value| ((*column).to_owned(), value)));
    }
    if !fields.is_empty() {
        rest.insert(part.to_owned(), Value::Object(fields));
    }
}

/// A reader whose batches come from an iterator that may fail, and must not panic across C.
pub(crate) struct Reader<I> {
    /// What every batch holds.
    pub(crate) schema: SchemaRef,
    /// The batches.
    pub(crate) batches: I,
}

impl<I: Iterator<Item = Result<RecordBatch, ArrowError>>> Iterator for Reader<I> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        catch_unwind(AssertUnwindSafe(|| self.batches.next())).unwrap_or_else(|_| {
            Some(Err(ArrowError::ComputeError("cx failed while it read events".to_owned())))
        })
    }
}

impl<I: Iterator<Item = Result<RecordBatch, ArrowError>>> RecordBatchReader for Reader<I> {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// The capsule that `__arrow_c_stream__` returns: it owns the reader.
pub(crate) fn stream_capsule(
    py: Python<'_>,
    reader: Box<dyn RecordBatchReader + Send>,
) -> PyResult<Bound<'_, PyCapsule>> {
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(reader), c"arrow_array_stream")
}

/// The capsule that `__arrow_c_schema__` returns.
pub(crate) fn schema_capsule(py: Python<'_>) -> Result<Bound<'_, PyCapsule>, BindingError> {
    let schema = FFI_ArrowSchema::try_from(schema().as_ref())?;
    Ok(PyCapsule::new_with_value(py, schema, c"arrow_schema")?)
}

/// Calls `function` of `library` with a table.
pub(crate) fn hand_to<'py>(
    table: &Bound<'py, PyAny>,
    library: &str,
    function: &[&str],
) -> PyResult<Bound<'py, PyAny>> {
    let py = table.py();
    let module = py.import(library).map_err(|error| {
        if error.is_instance_of::<PyImportError>(py) {
            let hint = format!("{library} is not installed: pip install {library}");
            let missing = PyImportError::new_err(hint);
            missing.set_cause(py, Some(error));
            missing
        } else {
            error
        }
    })?;
    let mut callable = module.into_any();
    for name in function {
        callable = callable.getattr(*name)?;
    }
    callable.call1((table,))
}
