//! `cx.Context`: everything that is known of one customer.

use std::sync::Arc;

use cx_core::context::render::{self, Colour};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::convert::{count, pickled};
use crate::error::BindingError;
use crate::fields::Fields;

/// Everything that is known of one customer, at one instant, for one audience.
///
/// The blocks are attributes, in order of usefulness; what is in them is read by name
/// (``context.customer.name``), and every field is always there: empty or ``None`` where nothing
/// is known. Instants are aware datetimes. ``docs/schema/context.v1.json`` describes the JSON.
///
/// ``print(context)`` shows it as text; a notebook shows it as HTML.
///
/// Examples
/// --------
/// >>> import cxcontext as cx
/// >>> store = cx.open()
/// >>> _ = store.ingest([{
/// ...     "key": "pbx/1", "kind": "call", "channel": "phone", "direction": "in",
/// ...     "occurred_at": "2026-03-04T09:58:00Z", "name": "Jan de Vries",
/// ...     "who": [{"ns": "phone", "value": "+31612345678", "role": "from"}],
/// ... }], source="pbx")
/// >>> context = store.context("+31 6 1234 5678")
/// >>> context.customer.name, context.match.confidence
/// ('Jan de Vries', 'certain')
/// >>> context.contacts.recent[0].at.isoformat()
/// '2026-03-04T09:58:00+00:00'
#[pyclass(module = "cxcontext", frozen)]
pub(crate) struct Context {
    inner: cx_core::context::Context,
    fields: Fields,
}

impl Context {
    /// The answer as Python sees it.
    pub(crate) fn new(inner: cx_core::context::Context) -> Self {
        let fields = Fields::of(Arc::new(serde_json::to_value(&inner).unwrap_or_default()));
        Self { inner, fields }
    }

    fn block<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let block = self.fields.field(py, name)?;
        Ok(block.unwrap_or_else(|| py.None().into_bound(py)))
    }
}

#[pymethods]
impl Context {
    /// The version of the shape; it changes only when a field changes its meaning.
    #[getter]
    const fn v(&self) -> u32 {
        self.inner.v
    }

    /// The instant of the answer: nothing later is in it.
    #[getter]
    fn as_of<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.block(py, "as_of")
    }

    /// For whom it is: ``"agent"``, ``"marketing"``, ``"customer"`` or ``"model"``.
    #[getter]
    const fn audience(&self) -> &'static str {
        self.inner.audience.name()
    }

    /// Who was asked for, and how sure the answer is: ``by``, ``confidence``, ``others``,
    /// ``reasons``.
    #[getter]
    fn r#match<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.block(py, "match")
    }

    /// Who it is; ``None`` where nobody was found, or several are meant.
    #[getter]
    fn customer<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.block(py, "customer")
    }

    /// What must not be overlooked.
    #[getter]
    fn alerts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.block(py, "alerts")
    }

    /// Matters on all channels in which somebody has to act, the longest waiting for us first.
    #[getter]
    fn open<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.block(py, "open")
    }

    /// Matters that group conversations; empty in this version.
    #[getter]
    fn cases<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.block(py, "cases")
    }

    /// What a bot or a colleague already asked and got, in the latest hand-over.
    #[getter]
    fn handover<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.block(py, "handover")
    }

    /// The last contacts: ``recent``, newest first, and ``by_channel``.
    #[getter]
    fn contacts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.block(py, "contacts")
    }

    /// Cart, checkout, orders and totals.
    #[getter]
    fn commerce<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.block(py, "commerce")
    }

    /// Outbound mails and what became of them, newest first.
    #[getter]
    fn mails<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.block(py, "mails")
    }

    /// What the customer thinks: ``last`` answers and ``open_loops``.
    #[getter]
    fn feedback<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.block(py, "feedback")
    }

    /// Known problems that touch the customer.
    #[getter]
    fn incidents<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.block(py, "incidents")
    }

    /// Where the customer is on the way to a goal.
    #[getter]
    fn journeys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.block(py, "journeys")
    }

    /// What the customer looked at last.
    #[getter]
    fn behaviour<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.block(py, "behaviour")
    }

    /// What is known of the person, attribute by attribute: the value that counts with its source
    /// and time, and the ``others`` that lost.
    #[getter]
    fn profile<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.block(py, "profile")
    }

    /// What the customer agreed to: for the customer as such first, then by contact point.
    #[getter]
    fn consent<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.block(py, "consent")
    }

    /// Counts over the customer's history.
    #[getter]
    fn measures<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.block(py, "measures")
    }

    /// Where all this comes from, and what was left out.
    #[getter]
    fn provenance<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.block(py, "provenance")
    }

    /// The answer as plain ``dict``, ``list`` and text, in the order of the JSON.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.import("json")?.call_method1("loads", (self.inner.to_json(),))
    }

    /// The answer as JSON on one line; the same answer gives the same bytes.
    fn to_json(&self) -> String {
        self.inner.to_json()
    }

    /// The answer as Markdown, for notes and for models.
    ///
    /// What somebody wrote stands in fenced blocks marked ``untrusted``: it is data, never
    /// instructions.
    ///
    /// Parameters
    /// ----------
    /// max_tokens : int, optional
    ///     Leave out the least useful sections that no longer fit, and name them at the end. A
    ///     token is counted as four bytes. The heading and that line are there in any case: some
    ///     30 tokens.
    #[pyo3(signature = (*, max_tokens=None))]
    fn to_markdown(&self, max_tokens: Option<i64>) -> Result<String, BindingError> {
        let max_tokens = max_tokens.map(|most| count("max_tokens", most)).transpose()?;
        Ok(render::markdown(&self.inner, max_tokens))
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        Ok((py.import("cxcontext._native")?.getattr("_context")?, (self.inner.to_json(),)))
    }

    fn __str__(&self) -> String {
        render::terminal(&self.inner, Colour::Plain)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let confidence = self.fields.field(py, "match")?.map(|found| found.get_item("confidence"));
        let confidence = confidence.transpose()?.map(|name| name.to_string()).unwrap_or_default();
        let who = match &self.inner.customer {
            None => "None".to_owned(),
            Some(customer) => {
                let name = customer.name.as_ref().unwrap_or(&customer.id);
                PyString::new(py, name).repr()?.to_string()
            }
        };
        let (as_of, n_open) = (&self.inner.as_of, self.inner.open.len());
        Ok(format!("Context({who}, {confidence}, open={n_open}, as_of={as_of})"))
    }

    fn _repr_html_(&self) -> String {
        render::html(&self.inner)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| self.inner == other.get().inner)
    }
}

/// The answer that was pickled.
#[pyfunction]
#[pyo3(name = "_context")]
pub(crate) fn unpickled_context(json: &str) -> Result<Context, BindingError> {
    pickled(json).map(Context::new)
}
