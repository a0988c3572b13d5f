//! `cx.Scan`: columns of all events of a store, as they stand in it.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Int32Array, RecordBatch, RecordBatchOptions, StringArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer};
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use cx_core::time::Timestamp;
use cx_store::{Holds, ScanColumn, ScanPage, ScanQuery, Values};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyList, PyString};

use crate::convert;
use crate::error::BindingError;
use crate::events::escaped;
use crate::table;

/// How many rows a notebook shows.
const SHOWN: usize = 10;

/// Gives the store that is scanned, or says that it was closed.
pub(crate) type OpenStore = dyn Fn() -> Result<cx_store::Store, BindingError> + Send + Sync;

/// Columns of all events of a store, as they stand in it: nothing is decoded.
///
/// Made by :meth:`Store.scan`. One row is one event. Any library that reads Arrow reads it, through
/// ``__arrow_c_stream__``, batch by batch, again and again: each reading is a fresh one.
///
/// Examples
/// --------
/// >>> import cxcontext as cx
/// >>> cx.open().scan(columns=("occurred_at", "kind"))
/// Scan(of ':memory:': occurred_at, kind)
#[pyclass(module = "cxcontext", frozen)]
pub(crate) struct Scan {
    store: Arc<OpenStore>,
    query: ScanQuery,
    /// The store's file, as it is shown.
    shown: String,
}

type Pages = Box<dyn Iterator<Item = Result<ScanPage, BindingError>> + Send>;

impl Scan {
    /// The scan of what `store` gives.
    pub(crate) fn new(
        store: impl Fn() -> Result<cx_store::Store, BindingError> + Send + Sync + 'static,
        query: ScanQuery,
        shown: String,
    ) -> Self {
        Self { store: Arc::new(store), query, shown }
    }

    fn pages(&self, query: ScanQuery) -> Result<Pages, BindingError> {
        let store = Arc::clone(&self.store);
        let mut pages = Some(store()?.scan(query));
        Ok(Box::new(std::iter::from_fn(move || {
            let reading = pages.as_mut()?;
            if let Err(closed) = store() {
                pages = None;
                return Some(Err(closed));
            }
            let page = reading.next();
            if page.is_none() {
                pages = None;
            }
            page.map(|page| page.map_err(Into::into))
        })))
    }

    fn names(&self) -> Vec<&'static str> {
        self.query.as_columns().iter().map(|column| column.name()).collect()
    }

    fn schema(&self) -> SchemaRef {
        let fields = self.query.as_columns().iter().map(|column| {
            let holds = match column.holds() {
                Holds::Instants => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
                Holds::Texts => DataType::Utf8,
                Holds::Names => {
                    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
                }
            };
            Field::new(column.name(), holds, column.is_optional())
        });
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}

#[pymethods]
impl Scan {
    /// The names of the columns, in order.
    #[getter]
    fn columns(&self) -> Vec<&'static str> {
        self.names()
    }

    /// The Arrow C stream of the rows: a fresh one for each call.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyCapsule>, BindingError> {
        // The interface calls it a wish; there is one schema.
        drop(requested_schema);
        let schema = self.schema();
        let of_batches = Arc::clone(&schema);
        let batches = self.pages(self.query.clone())?.map(move |page| {
            batch(&of_batches, page.map_err(|error| ArrowError::ExternalError(Box::new(error)))?)
        });
        Ok(table::stream_capsule(py, Box::new(table::Reader { schema, batches }))?)
    }

    /// The Arrow C schema of the columns.
    fn __arrow_c_schema__<'py>(
        &self,
        py: Python<'py>,
    ) -> Result<Bound<'py, PyCapsule>, BindingError> {
        let schema = FFI_ArrowSchema::try_from(self.schema().as_ref())?;
        Ok(PyCapsule::new_with_value(py, schema, c"arrow_schema")?)
    }

    /// The table as a ``polars.DataFrame``.
    ///
    /// Names that come again and again are of dtype ``Categorical``, ``occurred_at`` is of
    /// ``Datetime("us", "UTC")``.
    fn to_polars<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        table::hand_to(slf.as_any(), "polars", &["DataFrame"])
    }

    /// The table as a ``pandas.DataFrame``.
    ///
    /// Text is of dtype ``str``, names that come again and again of ``category``, ``occurred_at``
    /// of ``datetime64[us, UTC]``. Needs pyarrow.
    fn to_pandas<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        table::hand_to(slf.as_any(), "pandas", &["DataFrame", "from_arrow"])
    }

    /// The table as a ``pyarrow.Table``.
    fn to_arrow<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        table::hand_to(slf.as_any(), "pyarrow", &["table"])
    }

    /// The rows as plain dicts, one value for each column; ``occurred_at`` is an aware datetime in
    /// UTC.
    fn to_dicts<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyList>, BindingError> {
        let rows = PyList::empty(py);
        let mut pages = self.pages(self.query.clone())?;
        while let Some(page) = py.detach(|| pages.next()) {
            let page = page?;
            for row in 0..page.n_rows {
                let cells = PyDict::new(py);
                for (name, values) in self.names().into_iter().zip(&page.columns) {
                    cells.set_item(name, cell(py, values, row)?)?;
                }
                rows.append(cells)?;
            }
            py.check_signals()?;
        }
        Ok(rows)
    }

    fn __len__(&self, py: Python<'_>) -> Result<usize, BindingError> {
        py.detach(|| {
            if self.query.is_of_all_times() {
                let (_, n_events) = (self.store)()?.counts()?;
                return Ok(usize::try_from(n_events).unwrap_or(usize::MAX));
            }
            self.pages(self.query.clone().columns([]))?
                .try_fold(0_usize, |n, page| Ok(n.saturating_add(page?.n_rows)))
        })
    }

    fn __repr__(&self) -> String {
        format!("Scan(of '{}': {})", self.shown, self.names().join(", "))
    }

    fn _repr_html_(&self, py: Python<'_>) -> Result<String, BindingError> {
        let first = py.detach(|| self.pages(self.query.clone())?.next().transpose());
        let (first, closed) = match first {
            Err(BindingError::Closed { .. }) => (None, ", closed"),
            first => (first?, ""),
        };
        let mut out = format!(
            "<div class=\"cx-scan\"><table><tr><th>{}</th></tr>",
            self.names().join("</th><th>")
        );
        for row in 0..first.as_ref().map_or(0, |page| page.n_rows.min(SHOWN)) {
            out.push_str("<tr>");
            for values in first.iter().flat_map(|page| &page.columns) {
                let shown = match values {
                    Values::Instants(micros) => micros.get(row).map(|at| shown_instant(*at)),
                    Values::Texts(texts) => {
                        texts.get(row).map(|text| cx_core::text::first_words(text, 80))
                    }
                    Values::Names(names) => names.get(row).map(str::to_owned),
                };
                let _infallible = write!(out, "<td>{}</td>", escaped(&shown.unwrap_or_default()));
            }
            out.push_str("</tr>");
        }
        let more = first.is_some_and(|page| page.n_rows > SHOWN);
        let (more, title) = (if more { "… " } else { "" }, escaped(&self.__repr__()));
        let _infallible = write!(out, "</table><p>{more}{title}{closed}</p></div>");
        Ok(out)
    }
}

fn shown_instant(micros: i64) -> String {
    Timestamp::from_micros(micros).map_or_else(|_| micros.to_string(), |at| at.to_string())
}

fn cell<'py>(py: Python<'py>, values: &Values, row: usize) -> PyResult<Bound<'py, PyAny>> {
    let text = match values {
        Values::Instants(micros) => {
            let at = micros.get(row).and_then(|micros| Timestamp::from_micros(*micros).ok());
            return match at {
                Some(at) => Ok(convert::datetime(py, at)?.into_any()),
                None => Ok(py.None().into_bound(py)),
            };
        }
        Values::Texts(texts) => texts.get(row),
        Values::Names(names) => names.get(row),
    };
    Ok(match text {
        Some(text) => PyString::new(py, text).into_any(),
        None => py.None().into_bound(py),
    })
}

/// A page as a batch; the columns change hands, and are not copied.
fn batch(schema: &SchemaRef, page: ScanPage) -> Result<RecordBatch, ArrowError> {
    let columns = page.columns.into_iter().map(array).collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(page.n_rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
}

fn array(values: Values) -> Result<ArrayRef, ArrowError> {
    Ok(match values {
        Values::Instants(micros) => {
            Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("UTC"))
        }
        Values::Texts(texts) => {
            let (bounds, text, is_there) = texts.into_parts();
            let bounds = OffsetBuffer::new(bounds.into());
            let text = Buffer::from_vec(text.into_bytes());
            Arc::new(StringArray::try_new(bounds, text, is_there.map(NullBuffer::from))?)
        }
        Values::Names(names) => {
            let known = Arc::new(StringArray::from_iter_values(names.names.iter()));
            let codes = Int32Array::from(names.codes);
            Arc::new(DictionaryArray::<Int32Type>::try_new(codes, known)?)
        }
    })
}

/// Reads the argument that names columns: all of them, if it is left out.
pub(crate) fn columns(given: Option<&Bound<'_, PyAny>>) -> Result<Vec<ScanColumn>, BindingError> {
    if given.is_none() {
        return Ok(ScanColumn::ALL.to_vec());
    }
    let given = convert::texts("columns", given)?;
    if given.is_empty() {
        return Err(BindingError::argument("columns", "[]", "name at least one column"));
    }
    let mut columns: Vec<ScanColumn> = Vec::new();
    for name in given {
        let column = name.parse::<ScanColumn>().map_err(|unknown| {
            let meant = match unknown.nearest {
                Some(nearest) => format!(", is {:?} meant? There", nearest.name()),
                None => "; there".to_owned(),
            };
            let all = ScanColumn::ALL.map(ScanColumn::name).join(", ");
            let problem = format!("no such column{meant} are: {all}");
            BindingError::argument("columns", unknown.name, problem)
        })?;
        if columns.contains(&column) {
            return Err(BindingError::argument("columns", name, "named twice"));
        }
        columns.push(column);
    }
    Ok(columns)
}
