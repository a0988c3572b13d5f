//! `Fields`: a JSON object of an answer, read by attribute.

use std::sync::Arc;

use chrono::DateTime;
use pyo3::exceptions::{PyAttributeError, PyKeyError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use serde_json::{Map, Value};

use crate::convert;
use crate::error::BindingError;

/// The fields that hold an instant, wherever cx names them. Other fields are never read as one,
/// whatever text a customer wrote into them; nor is what a source named so: see [`Named`].
const INSTANTS: &[&str] = &[
    "accepted_at",
    "as_of",
    "at",
    "blocked_at",
    "call_since",
    "compacted_at",
    "delivered_at",
    "due",
    "due_at",
    "ended",
    "erased_at",
    "exported_at",
    "first",
    "first_seen",
    "last",
    "last_event",
    "last_import",
    "last_seen",
    "local_time",
    "newest",
    "now",
    "occurred_at",
    "oldest",
    "opened_at",
    "recorded_at",
    "resolved_at",
    "retained_at",
    "sent",
    "since",
    "started",
    "told",
    "until",
    "waiting_since",
];

/// The read-only fields of one part of an answer.
///
/// A field is an attribute (``customer.name``) and an item (``customer["name"]``); a field whose
/// name is a word of Python (``handover.from_``) or a method of mappings (``change.cause.values_``)
/// has an underscore behind it. Instants are aware datetimes, lists are tuples, nested parts are
/// ``Fields`` again. They are mappings: ``pandas.DataFrame(store.who_is_waiting())`` is a table.
#[derive(Debug)]
#[pyclass(module = "cxcontext", frozen, mapping)]
pub(crate) struct Fields {
    root: Arc<Value>,
    path: Vec<Step>,
    named: Named,
}

/// Who gave the fields their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    /// cx did.
    ByUs,
    /// They are an event's: only the instants that every event has are instants.
    AsInAnEvent,
    /// The source did: what stands in `data` and `extra` of an event.
    ByTheSource,
}

impl Named {
    /// Who named what stands in the field of this name.
    fn within(self, name: &str) -> Self {
        match (self, name) {
            (Self::ByUs, "event") => Self::AsInAnEvent,
            (Self::ByUs, name) if !matches!(name, "data" | "extra") => Self::ByUs,
            _ => Self::ByTheSource,
        }
    }

    fn is_instant(self, name: &str) -> bool {
        match self {
            Self::ByUs => INSTANTS.contains(&name),
            Self::AsInAnEvent => name == "occurred_at",
            Self::ByTheSource => false,
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Field(String),
    Item(usize),
}

impl Fields {
    /// The object itself.
    pub(crate) const fn of(root: Arc<Value>) -> Self {
        Self { root, path: Vec::new(), named: Named::ByUs }
    }

    /// The object in this JSON.
    pub(crate) fn from_json(json: Value) -> Self {
        Self::of(Arc::new(json))
    }

    /// The field of this name as Python has it; `None` where there is no such field.
    pub(crate) fn field<'py>(
        &self,
        py: Python<'py>,
        name: &str,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(value) = self.map().and_then(|map| map.get(name)) else { return Ok(None) };
        let mut path = self.path.clone();
        path.push(Step::Field(name.to_owned()));
        let place = Place { named: self.named.within(name), path };
        python(py, &self.root, place, value, self.named.is_instant(name)).map(Some)
    }

    /// The JSON value behind it.
    pub(crate) fn value(&self) -> Option<&Value> {
        self.path.iter().try_fold(&*self.root, |value, step| match step {
            Step::Field(name) => value.get(name),
            Step::Item(position) => value.get(position),
        })
    }

    fn map(&self) -> Option<&Map<String, Value>> {
        self.value().and_then(Value::as_object)
    }

    fn names(&self) -> Vec<&str> {
        self.map().into_iter().flat_map(Map::keys).map(String::as_str).collect()
    }
}

#[pymethods]
impl Fields {
    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        if let Some(value) = self.field(py, name.strip_suffix('_').unwrap_or(name))? {
            return Ok(value);
        }
        let names = self.names().join(", ");
        Err(PyAttributeError::new_err(format!("no field {name:?}; there are: {names}")))
    }

    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        self.field(py, name)?.ok_or_else(|| PyKeyError::new_err(name.to_owned()))
    }

    fn __len__(&self) -> usize {
        self.map().map_or(0, Map::len)
    }

    fn __contains__(&self, name: &Bound<'_, PyAny>) -> bool {
        let name: Option<String> = name.extract().ok();
        name.is_some_and(|name| self.map().is_some_and(|map| map.contains_key(&name)))
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(PyList::new(py, self.names())?.try_iter()?.into_any())
    }

    fn __dir__(&self) -> Vec<&str> {
        let mut names = self.names();
        names.extend(["get", "items", "keys", "to_dict", "values"]);
        names
    }

    fn __eq__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<bool> {
        match other.cast::<Self>() {
            Ok(other) => Ok(self.value() == other.get().value()),
            Err(_) if other.is_instance_of::<PyDict>() => self.to_dict(py)?.eq(other),
            Err(_) => Ok(false),
        }
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (String, u8))> {
        let json = self.value().unwrap_or(&Value::Null).to_string();
        let named = match self.named {
            Named::ByUs => 0,
            Named::AsInAnEvent => 1,
            Named::ByTheSource => 2,
        };
        Ok((py.import("cxcontext._native")?.getattr("_fields")?, (json, named)))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shown = self.names().into_iter().map(|name| {
            let value = self.field(py, name)?.unwrap_or_else(|| py.None().into_bound(py));
            Ok(format!("{name}={}", value.repr()?))
        });
        Ok(format!("Fields({})", shown.collect::<PyResult<Vec<_>>>()?.join(", ")))
    }

    /// The value of a field, or ``default`` where there is no such field.
    #[pyo3(signature = (name, default=None, /))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let value = self.field(py, name)?.or(default);
        Ok(value.unwrap_or_else(|| py.None().into_bound(py)))
    }

    /// The names of the fields.
    fn keys(&self) -> Vec<&str> {
        self.names()
    }

    /// The values of the fields.
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.names().into_iter().map(|name| self.__getitem__(py, name)).collect()
    }

    /// The names with their values.
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Vec<(&str, Bound<'py, PyAny>)>> {
        self.names().into_iter().map(|name| Ok((name, self.__getitem__(py, name)?))).collect()
    }

    /// The same as plain ``dict``, ``list`` and text, as in the JSON.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        convert::to_python(py, self.value().unwrap_or(&Value::Null))
    }
}

/// Where a value stands.
#[derive(Clone)]
struct Place {
    path: Vec<Step>,
    named: Named,
}

/// A value as Python has it, parts and all.
fn python<'py>(
    py: Python<'py>,
    root: &Arc<Value>,
    place: Place,
    value: &Value,
    instant: bool,
) -> PyResult<Bound<'py, PyAny>> {
    match value {
        Value::Object(_) => {
            let part = Fields { root: Arc::clone(root), path: place.path, named: place.named };
            Ok(Bound::new(py, part)?.into_any())
        }
        Value::Array(items) => {
            let items = items.iter().enumerate().map(|(position, item)| {
                let mut place = place.clone();
                place.path.push(Step::Item(position));
                python(py, root, place, item, false)
            });
            Ok(PyTuple::new(py, items.collect::<PyResult<Vec<_>>>()?)?.into_any())
        }
        Value::String(text) if instant => match DateTime::parse_from_rfc3339(text) {
            // An instant of the customer's own clock keeps its offset; all others are in UTC.
            Ok(at) if !text.ends_with('Z') => Ok(at.into_pyobject(py)?.into_any()),
            Ok(at) => Ok(at.to_utc().into_pyobject(py)?.into_any()),
            Err(_) => convert::to_python(py, value),
        },
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {
            convert::to_python(py, value)
        }
    }
}

/// The fields that were pickled.
#[pyfunction]
#[pyo3(name = "_fields")]
pub(crate) fn unpickled_fields(json: &str, named: u8) -> Result<Fields, BindingError> {
    let named = match named {
        0 => Named::ByUs,
        1 => Named::AsInAnEvent,
        _ => Named::ByTheSource,
    };
    let root = Arc::new(convert::pickled(json)?);
    Ok(Fields { root, path: Vec::new(), named })
}
