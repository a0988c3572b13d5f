//! `cx.IngestReport` and `cx.CheckReport`: what an import and a check found, counted.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use serde_json::Value;

use crate::convert;
use crate::error::BindingError;
use crate::events::escaped;

/// How many problems a report shows in a notebook.
const SHOWN: usize = 20;

/// What became of the records of an import.
///
/// Every record is counted once: ``total`` is the sum of ``new``, ``duplicate``, ``revised``,
/// ``conflict``, ``suppressed``, ``expired`` and ``rejected``. What was left out, what links nobody
/// and how many columns cx does not know is shown where there is any.
///
/// Examples
/// --------
/// >>> import cxcontext as cx
/// >>> store = cx.open()
/// >>> store.ingest([{"key": "crm/1", "kind": "note", "occurred_at": "soon"}], source="crm")
/// IngestReport(new=0, duplicate=0, revised=0, conflict=0, rejected=1)
#[pyclass(module = "cxcontext", frozen)]
pub(crate) struct IngestReport {
    inner: cx_store::IngestReport,
    unmapped: Vec<String>,
}

impl IngestReport {
    /// The report, and the columns of the table that are none of cx's.
    pub(crate) const fn new(inner: cx_store::IngestReport, unmapped: Vec<String>) -> Self {
        Self { inner, unmapped }
    }
}

#[pymethods]
impl IngestReport {
    /// Records that were not there before.
    #[getter(new)]
    const fn n_new(&self) -> u64 {
        self.inner.new
    }

    /// Records that were there already, to the letter.
    #[getter]
    const fn duplicate(&self) -> u64 {
        self.inner.duplicate
    }

    /// Other revisions of records that were there. The newest is shown, the others are history.
    #[getter]
    const fn revised(&self) -> u64 {
        self.inner.revised
    }

    /// Records with a key and revision that were there with other content. Both are kept.
    #[getter]
    const fn conflict(&self) -> u64 {
        self.inner.conflict
    }

    /// Records of people who were erased; they are not taken in again.
    #[getter]
    const fn suppressed(&self) -> u64 {
        self.inner.suppressed
    }

    /// Records that are too old under the rules of retention in force.
    #[getter]
    const fn expired(&self) -> u64 {
        self.inner.expired
    }

    /// Records that could not become events; ``problems`` says why.
    #[getter]
    const fn rejected(&self) -> u64 {
        self.inner.rejected
    }

    /// How many records were read.
    #[getter]
    const fn total(&self) -> u64 {
        self.inner.total()
    }

    /// How many customers are new, gone, or have other events than before.
    #[getter]
    const fn customers(&self) -> u64 {
        self.inner.customers
    }

    /// The keys in conflict, the first 1,000.
    #[getter]
    fn conflicts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.inner.conflicts)
    }

    /// What was wrong with the rejected records, with their places, the first 1,000.
    #[getter]
    fn problems<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.inner.problems)
    }

    /// How many new records there are of each kind.
    #[getter]
    fn kinds(&self) -> BTreeMap<String, u64> {
        self.inner.kinds.clone()
    }

    /// How many claims of what was taken in link nobody, by namespace: numbers without a country
    /// code where no ``region`` was said, and what is no address.
    #[getter]
    fn unlinked(&self) -> BTreeMap<String, u64> {
        self.inner.unlinked.clone()
    }

    /// Columns of the table that are none of cx's: their cells are kept in ``extra``. Of dicts the
    /// fields that are none, kept as they are.
    #[getter]
    fn unmapped<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.unmapped)
    }

    /// All of it as plain Python that ``json.dumps`` takes.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let mut json = object(serde_json::to_value(&self.inner).unwrap_or_default());
        json.insert("unmapped".to_owned(), self.unmapped.clone().into());
        convert::object_to_python(py, &json)
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| {
            let other = other.get();
            self.inner == other.inner && self.unmapped == other.unmapped
        })
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Pickled)> {
        let json = serde_json::to_string(&self.inner).unwrap_or_default();
        let told = (json, self.unmapped.clone());
        Ok((py.import("cxcontext._native")?.getattr("_ingest_report")?, told))
    }

    fn __repr__(&self) -> String {
        let counts = self.counts().into_iter().map(|(name, n)| format!("{name}={n}"));
        format!("IngestReport({})", counts.collect::<Vec<_>>().join(", "))
    }

    fn _repr_html_(&self) -> String {
        let counts = self.counts().into_iter().map(|(name, n)| (name, n.to_string()));
        let counts: Vec<_> = counts.collect();
        let conflicts = self.inner.conflicts.iter().map(|key| format!("in conflict: {key}"));
        let problems = self.inner.problems.iter().cloned().chain(conflicts);
        html("IngestReport", &counts, &problems.collect::<Vec<_>>())
    }
}

impl IngestReport {
    /// What is counted, and of the rest what there is.
    fn counts(&self) -> Vec<(&'static str, u64)> {
        let inner = &self.inner;
        let rest = [
            ("suppressed", inner.suppressed),
            ("expired", inner.expired),
            ("unlinked", inner.unlinked.values().sum()),
            ("unmapped", u64::try_from(self.unmapped.len()).unwrap_or(u64::MAX)),
        ];
        let always = [
            ("new", inner.new),
            ("duplicate", inner.duplicate),
            ("revised", inner.revised),
            ("conflict", inner.conflict),
            ("rejected", inner.rejected),
        ];
        always.into_iter().chain(rest.into_iter().filter(|(_, n)| *n > 0)).collect()
    }
}

/// The counts as JSON, and the columns.
type Pickled = (String, Vec<String>);

/// The report that was pickled.
#[pyfunction]
#[pyo3(name = "_ingest_report")]
pub(crate) fn unpickled_report(
    json: &str,
    unmapped: Vec<String>,
) -> Result<IngestReport, BindingError> {
    Ok(IngestReport { inner: convert::pickled(json)?, unmapped })
}

/// What a check of a store looked at, and what is wrong.
///
/// Examples
/// --------
/// >>> import cxcontext as cx
/// >>> report = cx.open().check()
/// >>> report.is_clean, report.problems
/// (True, ())
#[pyclass(module = "cxcontext", frozen)]
pub(crate) struct CheckReport {
    inner: cx_store::CheckReport,
}

impl CheckReport {
    /// The report as Python sees it.
    pub(crate) const fn new(inner: cx_store::CheckReport) -> Self {
        Self { inner }
    }
}

#[pymethods]
impl CheckReport {
    /// Whether all is well.
    #[getter]
    const fn is_clean(&self) -> bool {
        self.inner.is_clean()
    }

    /// What is wrong, in words; empty where all is well.
    #[getter]
    fn problems<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.inner.problems)
    }

    /// What is no fault and should be looked at: customers with more values than one person has as a
    /// rule, and records that hang together in very great number.
    #[getter]
    fn notes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.inner.notes)
    }

    /// How many events there are, all revisions together.
    #[getter]
    const fn events(&self) -> u64 {
        self.inner.events
    }

    /// How many of them are shown.
    #[getter]
    const fn current(&self) -> u64 {
        self.inner.current
    }

    /// How many customers there are.
    #[getter]
    const fn customers(&self) -> u64 {
        self.inner.customers
    }

    /// How many events belong to nobody yet.
    #[getter]
    const fn unattributed(&self) -> u64 {
        self.inner.unattributed
    }

    /// How many assertions there are, revoked ones too.
    #[getter]
    const fn assertions(&self) -> u64 {
        self.inner.assertions
    }

    /// All of it as plain Python that ``json.dumps`` takes.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        convert::object_to_python(
            py,
            &object(serde_json::to_value(&self.inner).unwrap_or_default()),
        )
    }

    fn __repr__(&self) -> String {
        let (events, customers) = (self.inner.current, self.inner.customers);
        let problems = self.inner.problems.len();
        format!("CheckReport(events={events}, customers={customers}, problems={problems})")
    }

    fn _repr_html_(&self) -> String {
        let counts = [
            ("events", self.inner.current.to_string()),
            ("customers", self.inner.customers.to_string()),
            ("problems", self.inner.problems.len().to_string()),
        ];
        html("CheckReport", &counts, &self.inner.problems)
    }
}

fn object(value: Value) -> serde_json::Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => serde_json::Map::new(),
    }
}

/// Counts and problems for a notebook: no script, and nothing from outside.
fn html(title: &str, counts: &[(&str, String)], problems: &[String]) -> String {
    let mut out = String::from(
        "<div class=\"cx-report\"><style>\
         .cx-report table{border-collapse:collapse;font-size:.9em}\
         .cx-report th,.cx-report td{text-align:right;padding:.2em .6em;\
         border-bottom:1px solid color-mix(in srgb,currentColor 20%,transparent)}\
         </style>",
    );
    let _infallible = write!(out, "<p>{title}</p><table><thead><tr>");
    for (name, _) in counts {
        let _infallible = write!(out, "<th>{name}</th>");
    }
    out.push_str("</tr></thead><tbody><tr>");
    for (_, n) in counts {
        let _infallible = write!(out, "<td>{n}</td>");
    }
    out.push_str("</tr></tbody></table>");
    if !problems.is_empty() {
        out.push_str("<ul>");
        for problem in problems.iter().take(SHOWN) {
            let _infallible = write!(out, "<li>{}</li>", escaped(problem));
        }
        out.push_str("</ul>");
        if problems.len() > SHOWN {
            let _infallible = write!(out, "<p>… and {} more</p>", problems.len() - SHOWN);
        }
    }
    out.push_str("</div>");
    out
}
