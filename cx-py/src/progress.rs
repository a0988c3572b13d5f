//! `progress=`: what a long import tells whoever waits for it.

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict};

use crate::convert::type_name;
use crate::error::BindingError;

/// Whom to tell how far it has come.
pub(crate) enum Progress {
    /// Nobody.
    Nobody,
    /// `callable(done, total)`; `total` is `None` where it is not known.
    Callable {
        /// What to call.
        callable: Py<PyAny>,
        /// How many records there are.
        total: Option<usize>,
    },
    /// A bar of tqdm.
    Bar(Py<PyAny>),
}

impl Progress {
    /// Reads `progress=`: `None`, `True` for a bar, or a callable. How many records there are is
    /// asked only where somebody is told.
    pub(crate) fn from_python(
        py: Python<'_>,
        progress: Option<&Bound<'_, PyAny>>,
        total: impl FnOnce() -> PyResult<Option<usize>>,
    ) -> Result<Self, BindingError> {
        let Some(progress) = progress else { return Ok(Self::Nobody) };
        if let Ok(flag) = progress.cast::<PyBool>() {
            return if flag.is_true() { Self::bar(py, total()?) } else { Ok(Self::Nobody) };
        }
        if progress.is_callable() {
            return Ok(Self::Callable { callable: progress.clone().unbind(), total: total()? });
        }
        let problem = "not None, True, or a callable that takes (done, total)";
        Err(BindingError::argument("progress", type_name(progress), problem))
    }

    fn bar(py: Python<'_>, total: Option<usize>) -> Result<Self, BindingError> {
        let tqdm = py.import("tqdm.auto").map_err(|error| {
            let hint = "progress=True shows a bar of tqdm: pip install tqdm, or give a callable";
            let missing = PyImportError::new_err(hint);
            missing.set_cause(py, Some(error));
            missing
        })?;
        let options = PyDict::new(py);
        options.set_item("total", total)?;
        options.set_item("unit", "records")?;
        Ok(Self::Bar(tqdm.getattr("tqdm")?.call((), Some(&options))?.unbind()))
    }

    /// Says that `done` records are taken in. What the callable raises stops the import.
    pub(crate) fn tell(&self, py: Python<'_>, done: u64) -> Result<(), BindingError> {
        py.check_signals()?;
        match self {
            Self::Nobody => {}
            Self::Callable { callable, total } => {
                callable.call1(py, (done, *total))?;
            }
            Self::Bar(bar) => {
                let bar = bar.bind(py);
                let shown: u64 = bar.getattr("n")?.extract()?;
                bar.call_method1("update", (done.saturating_sub(shown),))?;
            }
        }
        Ok(())
    }

    /// Says that there is nothing more to come.
    pub(crate) fn close(&self, py: Python<'_>) -> Result<(), BindingError> {
        if let Self::Bar(bar) = self {
            bar.call_method0(py, "close")?;
        }
        Ok(())
    }
}
