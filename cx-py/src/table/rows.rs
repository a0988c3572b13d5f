//! Rows of any Arrow stream as events: from polars, pandas, pyarrow, DuckDB, or cx itself.

use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::{AsArray, as_primitive_array};
use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef, TimeUnit};
use cx_core::event::Event;
use cx_core::time::Timestamp;
use jiff::civil;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use serde_json::{Map, Number, Value};

use super::stream::Stream;
use super::{ACTOR, BODY, CONVERSATION, Column, Holds, Parts, SOURCE};
use crate::convert::{Defaults, Zone};
use crate::error::{BindingError, RowError};

/// Columns that cx writes into a table and that say nothing when they come back.
const DERIVED: &[&str] = &["customer", "recorded_at"];

/// A foreign Arrow stream, read batch by batch.
pub(crate) struct Rows {
    stream: Stream,
    defaults: Defaults,
    row: u64,
}

impl Rows {
    /// Takes the stream out of a capsule; the capsule is empty afterwards.
    pub(crate) fn from_capsule(
        capsule: &Bound<'_, PyCapsule>,
        defaults: Defaults,
    ) -> Result<Self, BindingError> {
        let stream = Stream::from_capsule(capsule)?;
        let rows = Self { stream, defaults, row: 0 };
        rows.check_columns()?;
        Ok(rows)
    }

    /// Columns that are none of ours: their cells are kept in `extra`.
    pub(crate) fn unmapped(&self) -> Vec<String> {
        let schema = self.stream.schema();
        let names = schema.fields().iter().map(|field| field.name().clone());
        names.filter(|name| column(name).is_none() && !DERIVED.contains(&&**name)).collect()
    }

    /// The next batch of rows; empty batches are skipped, `None` at the end.
    pub(crate) fn next_batch(
        &mut self,
    ) -> Option<Result<Vec<Result<Event, RowError>>, BindingError>> {
        loop {
            let batch = match self.stream.next()? {
                Ok(batch) => batch,
                Err(error) => return Some(Err(error.into())),
            };
            if batch.num_rows() > 0 {
                return Some(Ok(self.events(&batch)));
            }
        }
    }

    fn events(&mut self, batch: &RecordBatch) -> Vec<Result<Event, RowError>> {
        let schema = batch.schema();
        let mut events = Vec::with_capacity(batch.num_rows());
        for position in 0..batch.num_rows() {
            let event = self.event(&schema, batch.columns(), position);
            events.push(event.map_err(|error| error.in_row(self.row)));
            self.row = self.row.saturating_add(1);
        }
        events
    }

    fn event(
        &self,
        schema: &SchemaRef,
        columns: &[ArrayRef],
        position: usize,
    ) -> Result<Event, RowError> {
        let mut cells: BTreeMap<&str, Value> = BTreeMap::new();
        for (field, array) in schema.fields().iter().zip(columns) {
            let name = field.name().as_str();
            let value = self.cell(column(name), array.as_ref(), position).map_err(|problem| {
                RowError { row: None, field: name.to_owned(), value: None, problem }
            })?;
            if !value.is_null() {
                cells.insert(name, value);
            }
        }
        let mut json = object(cells.remove("rest"));
        let mut extra = object(cells.remove("extra"));
        if !cells.contains_key("source_system") {
            self.defaults.fill(&mut json);
        }
        join(&mut json, &mut cells, &mut extra, "source", SOURCE);
        join(&mut json, &mut cells, &mut extra, "actor", ACTOR);
        join(&mut json, &mut cells, &mut extra, "conversation", CONVERSATION);
        join(&mut json, &mut cells, &mut extra, "body", BODY);
        let addresses = [("email", cells.remove("email")), ("phone", cells.remove("phone"))];
        if !cells.contains_key("who") {
            let claims = addresses.into_iter().filter_map(|(namespace, value)| {
                Some(serde_json::json!({"ns": namespace, "value": value?}))
            });
            cells.insert("who", claims.collect());
        }
        for (name, value) in cells {
            if column(name).is_some() {
                json.insert(name.to_owned(), value);
            } else if !DERIVED.contains(&name) {
                extra.insert(name.to_owned(), value);
            }
        }
        if !extra.is_empty() {
            json.insert("extra".to_owned(), Value::Object(extra));
        }
        Ok(Event::from_json(json)?)
    }

    fn cell(
        &self,
        column: Option<&Column>,
        array: &dyn Array,
        position: usize,
    ) -> Result<Value, String> {
        let value = value(array, position, self.defaults.zone.as_ref())?;
        let (name, holds) = match column {
            Some(column) => (column.name, column.holds),
            None => return Ok(value),
        };
        match (holds, &value) {
            (Holds::Json, _) => {}
            // Ids are numbers in many tables and text everywhere else.
            (Holds::Text, Value::Number(number)) if number.is_i64() || number.is_u64() => {
                return Ok(number.to_string().into());
            }
            // And whole numbers are floats in pandas, as soon as one is missing.
            (Holds::Count, Value::Number(number)) if number.is_f64() => {
                let whole = number.to_string();
                let whole = whole.strip_suffix(".0").and_then(|whole| whole.parse::<u64>().ok());
                return whole.map(Value::from).ok_or_else(|| "not a whole number".to_owned());
            }
            (Holds::Text | Holds::Instant | Holds::Count, _) => return Ok(value),
        }
        let value = match value {
            Value::String(text) => {
                serde_json::from_str(&text).map_err(|error| format!("not JSON: {error}"))?
            }
            value => value,
        };
        let fits = match name {
            "who" | "attachments" => value.is_array(),
            _ => value.is_object(),
        };
        if fits || value.is_null() {
            Ok(value)
        } else if matches!(name, "who" | "attachments") {
            Err("not a list in JSON".to_owned())
        } else {
            Err("not an object in JSON".to_owned())
        }
    }

    /// What is wrong with the table as a whole is said once, before any row is read.
    fn check_columns(&self) -> Result<(), BindingError> {
        let schema = self.stream.schema();
        let mut seen = BTreeSet::new();
        for field in schema.fields() {
            if !seen.insert(field.name().as_str()) {
                return Err(whole(field.name(), "two columns have this name"));
            }
            if column(field.name()).is_some_and(|column| column.holds == Holds::Instant)
                && is_naive(field.data_type())
                && self.defaults.zone.is_none()
            {
                return Err(whole(
                    field.name(),
                    "times without a zone name no instant: give the column a zone, \
                     or say which zone is meant, as in tz=\"Europe/Amsterdam\"",
                ));
            }
        }
        let required = ["key", "kind", "occurred_at"];
        match required.into_iter().find(|name| !seen.contains(name)) {
            Some(name) => {
                let there = seen.into_iter().collect::<Vec<_>>().join(", ");
                Err(whole(name, &format!("no such column; there are: {there}")))
            }
            None => Ok(()),
        }
    }
}

/// The cells of any Arrow stream as text, empty where there is nothing.
pub(crate) struct Cells {
    /// The names of the columns.
    pub(crate) names: Vec<String>,
    /// The cells, row by row.
    pub(crate) rows: Vec<Vec<String>>,
}

impl Cells {
    /// Takes the stream out of a capsule and reads it to its end, without the interpreter lock.
    pub(crate) fn from_capsule(capsule: &Bound<'_, PyCapsule>) -> Result<Self, BindingError> {
        let stream = Stream::from_capsule(capsule)?;
        capsule.py().detach(|| Self::read(stream))
    }

    fn read(stream: Stream) -> Result<Self, BindingError> {
        let fields = stream.schema().fields().iter();
        let names: Vec<String> = fields.map(|field| field.name().clone()).collect();
        let mut seen = BTreeSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(whole(twice, "two columns have this name"));
        }
        let mut rows: Vec<Vec<String>> = Vec::new();
        for batch in stream {
            let batch = batch?;
            for position in 0..batch.num_rows() {
                let mut row = Vec::with_capacity(names.len());
                for (name, array) in names.iter().zip(batch.columns()) {
                    let cell =
                        value(array.as_ref(), position, None).map_err(|problem| RowError {
                            row: u64::try_from(rows.len()).ok(),
                            field: name.clone(),
                            value: None,
                            problem,
                        })?;
                    row.push(as_text(cell));
                }
                rows.push(row);
            }
        }
        Ok(Self { names, rows })
    }
}

/// A cell as one would write it. Whole numbers are floats in pandas, as soon as one is missing.
fn as_text(cell: Value) -> String {
    match cell {
        Value::Null => String::new(),
        Value::String(text) => text,
        Value::Number(number) if number.is_f64() => {
            let text = number.to_string();
            text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
        }
        other => other.to_string(),
    }
}

fn whole(column: &str, problem: &str) -> BindingError {
    let (field, problem) = (column.to_owned(), problem.to_owned());
    RowError { row: None, field, value: None, problem }.into()
}

fn column(name: &str) -> Option<&'static Column> {
    super::COLUMNS.iter().find(|column| column.name == name)
}

fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// Brings the columns of a part of the envelope together. A part is named by its first field;
/// without that, the others (a subject without a conversation) are kept in `extra`.
fn join(
    json: &mut Map<String, Value>,
    cells: &mut BTreeMap<&str, Value>,
    extra: &mut Map<String, Value>,
    part: &str,
    parts: Parts,
) {
    let mut fields = object(json.remove(part));
    for (field, column) in parts {
        fields.extend(cells.remove(column).map(|value| ((*field).to_owned(), value)));
    }
    if part == "actor" && !fields.is_empty() {
        fields.entry("type").or_insert_with(|| "unknown".into());
    }
    if parts.first().is_none_or(|(name, _)| fields.contains_key(*name)) {
        json.insert(part.to_owned(), Value::Object(fields));
    } else {
        extra.extend(
            parts
                .iter()
                .filter_map(|(field, column)| Some(((*column).to_owned(), fields.remove(*field)?))),
        );
    }
}

fn is_naive(holds: &DataType) -> bool {
    match holds {
        DataType::Timestamp(_, zone) => zone.is_none(),
        DataType::Dictionary(_, values) => is_naive(values),
        _ => false,
    }
}

/// The value of a cell. Null fields of nested values are left out.
fn value(array: &dyn Array, position: usize, zone: Option<&Zone>) -> Result<Value, String> {
    if array.is_null(position) {
        return Ok(Value::Null);
    }
    macro_rules! number {
        ($type:ty) => {
            as_primitive_array::<$type>(array).value(position).into()
        };
    }
    Ok(match array.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => array.as_boolean().value(position).into(),
        DataType::Int8 => number!(Int8Type),
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Int64 => number!(Int64Type),
        DataType::UInt8 => number!(UInt8Type),
        DataType::UInt16 => number!(UInt16Type),
        DataType::UInt32 => number!(UInt32Type),
        DataType::UInt64 => number!(UInt64Type),
        DataType::Float32 => float(as_primitive_array::<Float32Type>(array).value(position).into()),
        DataType::Float64 => float(as_primitive_array::<Float64Type>(array).value(position)),
        DataType::Utf8 => array.as_string::<i32>().value(position).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(position).into(),
        DataType::Utf8View => array.as_string_view().value(position).into(),
        DataType::Date32 => as_primitive_array::<Date32Type>(array)
            .value_as_date(position)
            .map_or(Value::Null, |date| date.to_string().into()),
        DataType::Timestamp(unit, of) => {
            instant(micros(array, *unit, position)?, of.is_some(), zone)?.into()
        }
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            let index = value(dictionary.keys(), position, None)?;
            let index = index.as_u64().and_then(|index| usize::try_from(index).ok());
            let values = dictionary.values();
            match index.filter(|index| *index < values.len()) {
                Some(index) => value(values.as_ref(), index, zone)?,
                None => return Err("a category that its dictionary does not have".to_owned()),
            }
        }
        DataType::List(_) => list(&array.as_list::<i32>().value(position), zone)?,
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(position), zone)?,
        DataType::Struct(fields) => {
            let mut map = Map::new();
            for (field, array) in fields.iter().zip(array.as_struct().columns()) {
                let value = value(array.as_ref(), position, zone)?;
                if !value.is_null() {
                    map.insert(field.name().clone(), value);
                }
            }
            Value::Object(map)
        }
        other => return Err(format!("a column of type {other} cannot be read: cast it to text")),
    })
}

fn list(items: &ArrayRef, zone: Option<&Zone>) -> Result<Value, String> {
    (0..items.len()).map(|position| value(items.as_ref(), position, zone)).collect()
}

/// A number that is none is a missing value, as in pandas.
fn float(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}

fn micros(array: &dyn Array, unit: TimeUnit, position: usize) -> Result<i64, String> {
    let micros = match unit {
        TimeUnit::Second => {
            as_primitive_array::<TimestampSecondType>(array).value(position).checked_mul(1_000_000)
        }
        TimeUnit::Millisecond => {
            as_primitive_array::<TimestampMillisecondType>(array).value(position).checked_mul(1_000)
        }
        TimeUnit::Microsecond => {
            Some(as_primitive_array::<TimestampMicrosecondType>(array).value(position))
        }
        TimeUnit::Nanosecond => Some(
            as_primitive_array::<TimestampNanosecondType>(array).value(position).div_euclid(1_000),
        ),
    };
    micros.ok_or_else(|| "the instant lies outside the years 0001 to 9999".to_owned())
}

/// An instant as RFC 3339; `absolute` where the column itself has a zone.
fn instant(micros: i64, absolute: bool, zone: Option<&Zone>) -> Result<String, String> {
    let at = Timestamp::from_micros(micros).map_err(|error| error.to_string())?;
    if absolute {
        return Ok(at.to_string());
    }
    let written = at.to_string();
    let written = written.trim_end_matches('Z');
    let Some(zone) = zone else {
        // Only `occurred_at` must be an instant, and that was seen to before; elsewhere such a
        // time is kept as it stands.
        return Ok(written.to_owned());
    };
    let written: civil::DateTime = written.parse().map_err(|_| "not a date and time".to_owned())?;
    zone.instant(written).ok_or_else(|| "no instant in that time zone".to_owned())
}
