//! `cx.Frame`: a small table of an answer, which any library that speaks Arrow reads.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt8Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, Float64Array, RecordBatch, RecordBatchIterator, StringArray, UInt8Array,
    UInt32Array,
};
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
    title: Cow<'static, str>,
}

impl Frame {
    /// These columns, under this name.
    pub(crate) const fn new(title: &'static str, batch: RecordBatch) -> Self {
        Self { batch, title: Cow::Borrowed(title) }
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

/// The name of a column, what it holds, and its cells.
type Pickled<'py> = (String, u8, Bound<'py, PyAny>);

/// The name of a table, and its columns.
type Told<'py> = (String, Vec<Pickled<'py>>);

/// The table that was pickled.
#[pyfunction]
#[pyo3(name = "_frame")]
pub(crate) fn unpickled_frame(
    title: String,
    columns: Vec<Pickled<'_>>,
) -> Result<Frame, BindingError> {
    let columns = columns.into_iter().map(|(name, holds, cells)| -> Result<_, BindingError> {
        let array: ArrayRef = match holds {
            0 => Arc::new(UInt8Array::from(cells.extract::<Vec<u8>>()?)),
            1 => Arc::new(UInt32Array::from(cells.extract::<Vec<u32>>()?)),
            2 => Arc::new(Float64Array::from(cells.extract::<Vec<f64>>()?)),
            _ => Arc::new(StringArray::from(cells.extract::<Vec<String>>()?)),
        };
        Ok((name, array))
    });
    let batch = RecordBatch::try_from_iter(columns.collect::<Result<Vec<_>, _>>()?)?;
    Ok(Frame { batch, title: Cow::Owned(title) })
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

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Told<'py>)> {
        let mut columns = Vec::new();
        for (position, field) in self.batch.schema().fields().iter().enumerate() {
            let rows = 0..self.batch.num_rows();
            let cells =
                rows.map(|row| self.cell(py, position, row)).collect::<PyResult<Vec<_>>>()?;
            let holds = match field.data_type() {
                DataType::UInt8 => 0,
                DataType::UInt32 => 1,
                DataType::Float64 => 2,
                _ => 3,
            };
            columns.push((field.name().clone(), holds, PyList::new(py, cells)?.into_any()));
        }
        Ok((py.import("cxcontext._native")?.getattr("_frame")?, (self.title.to_string(), columns)))
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
