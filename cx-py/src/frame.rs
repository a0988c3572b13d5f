//! `cx.Frame`: a small table of an answer, which any library that speaks Arrow reads.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt8Type, UInt32Type};
use arrow_array::{Array, RecordBatch, RecordBatchIterator};
use arrow_schema::DataType;
use arrow_schema::ffi::FFI_ArrowSchema;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyList};

use crate::error::BindingError;
use crate::table;

/// How many rows a notebook shows.
const SHOWN: usize = 10;

/// A table of an answer.
///
/// Give it to any library that reads Arrow (``polars.DataFrame(frame)``, ``pyarrow.table(frame)``,
/// a DuckDB query), or use the methods.
///
/// Examples
/// --------
/// >>> import cxcontext as cx
/// >>> people = [{"name": "Jan Smit", "email": "jan@example.nl"},
/// ...           {"name": "J. Smit", "email": "JAN@example.nl"}]
/// >>> persons = cx.link(people).persons
/// >>> persons.to_dicts()[1]
/// {'table': 0, 'row': 1, 'person': 0}
#[pyclass(module = "cxcontext", frozen, sequence)]
pub(crate) struct Frame {
    batch: RecordBatch,
    title: &'static str,
}

impl Frame {
    /// These columns, under this name.
    pub(crate) const fn new(title: &'static str, batch: RecordBatch) -> Self {
        Self { batch, title }
    }

    fn cell<'py>(&self, py: Python<'py>, column: usize, row: usize) -> PyResult<Bound<'py, PyAny>> {
        let Some(array) = self.batch.columns().get(column).filter(|array| row < array.len()) else {
            return Ok(py.None().into_bound(py));
        };
        Ok(match array.data_type() {
            DataType::UInt8 => {
                array.as_primitive::<UInt8Type>().value(row).into_pyobject(py)?.into_any()
            }
            DataType::UInt32 => {
                array.as_primitive::<UInt32Type>().value(row).into_pyobject(py)?.into_any()
            }
            DataType::Float64 => {
                array.as_primitive::<Float64Type>().value(row).into_pyobject(py)?.into_any()
            }
            _ => array.as_string::<i32>().value(row).into_pyobject(py)?.into_any(),
        })
    }
}

#[pymethods]
impl Frame {
    /// The names of the columns, in order.
    #[getter]
    fn columns(&self) -> Vec<String> {
        self.batch.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    /// The Arrow C stream of the rows: a fresh one for each call.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // The interface calls it a wish; there is one schema.
        drop(requested_schema);
        let batches = [Ok(self.batch.clone())];
        let reader = RecordBatchIterator::new(batches, self.batch.schema());
        table::stream_capsule(py, Box::new(reader))
    }

    /// The Arrow C schema of the columns.
    fn __arrow_c_schema__<'py>(
        &self,
        py: Python<'py>,
    ) -> Result<Bound<'py, PyCapsule>, BindingError> {
        let schema = FFI_ArrowSchema::try_from(self.batch.schema().as_ref())?;
        Ok(PyCapsule::new_with_value(py, schema, c"arrow_schema")?)
    }

    /// The table as a ``polars.DataFrame``.
    fn to_polars<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        table::hand_to(slf.as_any(), "polars", &["DataFrame"])
    }

    /// The table as a ``pandas.DataFrame``. Needs pyarrow.
    fn to_pandas<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        table::hand_to(slf.as_any(), "pandas", &["DataFrame", "from_arrow"])
    }

    /// The table as a ``pyarrow.Table``.
    fn to_arrow<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        table::hand_to(slf.as_any(), "pyarrow", &["table"])
    }

    /// The rows as plain dicts.
    fn to_dicts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let rows = PyList::empty(py);
        let names = self.columns();
        for row in 0..self.batch.num_rows() {
            let cells = PyDict::new(py);
            for (column, name) in names.iter().enumerate() {
                cells.set_item(name, self.cell(py, column, row)?)?;
            }
            rows.append(cells)?;
        }
        Ok(rows)
    }

    fn __len__(&self) -> usize {
        self.batch.num_rows()
    }

    fn __repr__(&self) -> String {
        let columns = self.columns().join(", ");
        format!("Frame({}: {columns}; rows={})", self.title, self.batch.num_rows())
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<String> {
        let head = format!("<th>{}</th>", self.columns().join("</th><th>"));
        let mut body = String::new();
        for row in 0..self.batch.num_rows().min(SHOWN) {
            let mut cells = Vec::new();
            for column in 0..self.batch.num_columns() {
                cells.push(self.cell(py, column, row)?.str()?.to_string_lossy().into_owned());
            }
            body.extend(["<tr><td>", &cells.join("</td><td>"), "</td></tr>"]);
        }
        Ok(format!(
            "<div class=\"cx-frame\"><p>{}: {} rows</p><table><tr>{head}</tr>{body}</table></div>",
            self.title,
            self.batch.num_rows()
        ))
    }
}
