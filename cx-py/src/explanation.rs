//! `cx.Explanation`: who is who and why, in fields and in sentences.

use std::borrow::Cow;

use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use serde::Serialize;

use crate::convert::pickled;
use crate::error::BindingError;
use crate::fields::Fields;

/// An answer about who is who: its fields, and the same in sentences.
///
/// Fields are attributes, as those of :class:`Fields`; instants are aware datetimes. ``print``
/// shows the sentences, a line each; a notebook shows them as a list.
///
/// Examples
/// --------
/// >>> import cxcontext as cx
/// >>> store = cx.open()
/// >>> record = {"kind": "message", "channel": "email", "direction": "in", "name": "Jan de Vries",
/// ...           "occurred_at": "2026-03-02T09:00:00Z",
/// ...           "who": [{"ns": "email", "value": "jan@example.nl", "role": "from",
/// ...                    "assurance": "channel_proved"}]}
/// >>> _ = store.ingest([record | {"key": "a"}], source="mail")
/// >>> _ = store.ingest([record | {"key": "b", "name": "J. de Vries"}], source="chat")
/// >>> how = store.how("jan@example.nl")[0]
/// >>> how.joins[0].rule, how.joins[0].value
/// ('strong', 'email:jan@example.nl')
#[pyclass(module = "cxcontext", frozen)]
pub(crate) struct Explanation {
    kind: Cow<'static, str>,
    fields: Fields,
    json: String,
    sentences: Vec<String>,
}

/// Its kind, its JSON and its sentences.
type Pickled = (String, String, Vec<String>);

impl Explanation {
    /// The answer as Python sees it.
    pub(crate) fn new(kind: &'static str, answer: &impl Serialize, sentences: &[String]) -> Self {
        let value = serde_json::to_value(answer).unwrap_or_default();
        let json = value.to_string();
        let kind = Cow::Borrowed(kind);
        Self { kind, fields: Fields::from_json(value), json, sentences: sentences.to_vec() }
    }
}

#[pymethods]
impl Explanation {
    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        self.fields.field(py, name)?.ok_or_else(|| {
            let problem = format!("{} has no field {name:?}", self.kind);
            PyAttributeError::new_err(problem)
        })
    }

    /// What is told: ``"why"``, ``"why_not"``, ``"how"``, ``"candidate"``.
    #[getter]
    fn kind(&self) -> &str {
        &self.kind
    }

    /// The answer in sentences that somebody who serves customers understands.
    #[getter]
    fn sentences<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.sentences)
    }

    /// The answer as plain ``dict``, ``list`` and text.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.import("json")?.call_method1("loads", (&self.json,))
    }

    /// The answer as JSON on one line.
    fn to_json(&self) -> &str {
        &self.json
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Pickled)> {
        let told = (self.kind.to_string(), self.json.clone(), self.sentences.clone());
        Ok((py.import("cxcontext._native")?.getattr("_explanation")?, told))
    }

    fn __str__(&self) -> String {
        self.sentences.join("\n")
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let first = self.sentences.first().map(String::as_str).unwrap_or_default();
        Ok(format!("Explanation({:?}, {})", self.kind, PyString::new(py, first).repr()?))
    }

    fn _repr_html_(&self) -> String {
        let item = |sentence: &String| format!("<li>{}</li>", escaped(sentence));
        let items: String = self.sentences.iter().skip(1).map(item).collect();
        let first = self.sentences.first().map(|first| escaped(first)).unwrap_or_default();
        format!(
            "<div class=\"cx-explanation\"><style scoped>.cx-explanation{{font-family:sans-serif;max-width:60em}}\
             .cx-explanation li{{margin:.2em 0}}</style><p><strong>{first}</strong></p><ul>{items}</ul></div>"
        )
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| self.json == other.get().json)
    }
}

/// The explanation that was pickled.
#[pyfunction]
#[pyo3(name = "_explanation")]
pub(crate) fn unpickled_explanation(
    kind: String,
    json: String,
    sentences: Vec<String>,
) -> Result<Explanation, BindingError> {
    let fields = Fields::from_json(pickled(&json)?);
    Ok(Explanation { kind: Cow::Owned(kind), fields, json, sentences })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
