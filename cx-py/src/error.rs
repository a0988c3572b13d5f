//! Rust errors as Python exceptions: the one place where they meet.

use cx_core::event::FieldError;
use pyo3::{PyErr, import_exception};

import_exception!(cxcontext.exceptions, InvalidArgumentError);
import_exception!(cxcontext.exceptions, InvalidEventError);

/// What a bound function returns when it fails; `?` turns it into a Python exception.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindingError {
    /// A record is not an event.
    #[error("{0}")]
    Row(RowError),
    /// An argument cannot be meant.
    #[error("{argument}: {value:?}: {problem}")]
    Argument {
        /// The argument's name.
        argument: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// An Arrow stream cannot be read or made.
    #[error("{0}")]
    Arrow(#[from] arrow_schema::ArrowError),
    /// Python raised it: pass it on.
    #[error(transparent)]
    Python(#[from] PyErr),
}

impl BindingError {
    /// An argument that cannot be meant.
    pub(crate) fn argument(
        argument: &'static str,
        value: impl Into<String>,
        problem: impl Into<String>,
    ) -> Self {
        Self::Argument { argument, value: value.into(), problem: problem.into() }
    }
}

/// What is wrong with one of several records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowError {
    /// Which one, counted from 0; `None` where the record was given alone, or all are meant.
    pub(crate) row: Option<u64>,
    /// The field, without a leading slash; empty where the record as a whole is meant.
    pub(crate) field: String,
    /// What stands there, shortened.
    pub(crate) value: Option<String>,
    /// What is wrong with it.
    pub(crate) problem: String,
}

impl RowError {
    /// The same problem in this row.
    pub(crate) fn in_row(self, row: u64) -> Self {
        Self { row: Some(row), ..self }
    }
}

impl std::fmt::Display for RowError {
    /// `row 3: occurred_at: "2026-03-02T09:00:00": no offset`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(row) = self.row {
            write!(f, "row {row}: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.problem)
    }
}

impl From<FieldError> for RowError {
    fn from(error: FieldError) -> Self {
        let field = error.pointer.trim_start_matches('/').to_owned();
        Self { row: None, field, value: error.value, problem: error.problem }
    }
}

impl From<RowError> for BindingError {
    fn from(error: RowError) -> Self {
        Self::Row(error)
    }
}

impl From<FieldError> for BindingError {
    fn from(error: FieldError) -> Self {
        Self::Row(error.into())
    }
}

impl From<BindingError> for PyErr {
    fn from(error: BindingError) -> Self {
        let message = error.to_string();
        match error {
            BindingError::Row(RowError { row, field, value, .. }) => {
                let field = (!field.is_empty()).then_some(field);
                InvalidEventError::new_err((message, row, field, value))
            }
            BindingError::Argument { argument, value, .. } => {
                InvalidArgumentError::new_err((message, argument, value))
            }
            BindingError::Arrow(_) => InvalidEventError::new_err((message,)),
            BindingError::Python(error) => error,
        }
    }
}
