//! Rust errors as Python exceptions: the one place where they meet.

use std::error::Error as _;
use std::path::{Path, PathBuf};

use cx_adapters::RecordError;
use cx_core::event::FieldError;
use cx_store::StoreError as CxStoreError;
use pyo3::{PyErr, import_exception};

import_exception!(cxcontext.exceptions, CorruptStoreError);
import_exception!(cxcontext.exceptions, EncryptedStoreError);
import_exception!(cxcontext.exceptions, ExistingFileError);
import_exception!(cxcontext.exceptions, ForeignFileError);
import_exception!(cxcontext.exceptions, InvalidArgumentError);
import_exception!(cxcontext.exceptions, InvalidEventError);
import_exception!(cxcontext.exceptions, MissingFileError);
import_exception!(cxcontext.exceptions, NewerStoreError);
import_exception!(cxcontext.exceptions, NoEncryptionError);
import_exception!(cxcontext.exceptions, NotFoundError);
import_exception!(cxcontext.exceptions, ReadOnlyStoreError);
import_exception!(cxcontext.exceptions, StoreClosedError);
import_exception!(cxcontext.exceptions, StoreError);
import_exception!(cxcontext.exceptions, StoreLockedError);
import_exception!(cxcontext.exceptions, TableError);
import_exception!(cxcontext.exceptions, TenantError);
import_exception!(cxcontext.exceptions, UnencryptedStoreError);
import_exception!(cxcontext.exceptions, WrongKeyError);

/// What a bound function returns when it fails; `?` turns it into a Python exception.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindingError {
    /// A record is not an event.
    #[error("{0}")]
    Row(RowError),
    /// A record in a file is not an event.
    #[error("{0}")]
    Record(RecordError),
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
    #[error("the table cannot be read: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
    /// The store could not do it.
    #[error("{}", with_source(.0))]
    Store(#[from] CxStoreError),
    /// The store was closed before.
    #[error("{}: the store is closed: open it again with cx.open", path.display())]
    Closed {
        /// The store's file.
        path: PathBuf,
    },
    /// What was asked for by its name is not there.
    #[error("{name}: not in the {place}")]
    NotFound {
        /// Its name.
        name: String,
        /// Where it was looked for.
        place: &'static str,
    },
    /// Whoever is named is not one customer.
    #[error("{name}: {why}")]
    Nobody {
        /// What was typed.
        name: String,
        /// Whether it is nobody, or several.
        why: String,
    },
    /// A file of others cannot be read, or one cannot be written.
    #[error("{}: {}", path.display(), said(problem))]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        problem: std::io::Error,
    },
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
            BindingError::Record(RecordError { pointer, value, .. }) => {
                let field = pointer.map(|pointer| pointer.trim_start_matches('/').to_owned());
                InvalidEventError::new_err((message, None::<u64>, field, value))
            }
            BindingError::Argument { argument, value, .. } => {
                InvalidArgumentError::new_err((message, argument, value))
            }
            BindingError::Arrow(_) => TableError::new_err((message,)),
            BindingError::Store(error) => of_store(&error, message),
            BindingError::Closed { path } => StoreClosedError::new_err((message, text(&path))),
            BindingError::NotFound { .. } | BindingError::Nobody { .. } => {
                NotFoundError::new_err((message,))
            }
            BindingError::File { path, problem } => {
                let told = (message, text(&path));
                match problem.kind() {
                    std::io::ErrorKind::NotFound => MissingFileError::new_err(told),
                    std::io::ErrorKind::AlreadyExists => ExistingFileError::new_err(told),
                    _ => StoreError::new_err(told),
                }
            }
            BindingError::Python(error) => error,
        }
    }
}

fn of_store(error: &CxStoreError, message: String) -> PyErr {
    match error {
        CxStoreError::NotFound { path } => MissingFileError::new_err((message, text(path))),
        CxStoreError::NotOurs { path, .. } => ForeignFileError::new_err((message, text(path))),
        CxStoreError::Newer { path, .. } => NewerStoreError::new_err((message, text(path))),
        CxStoreError::WrongKey { path } => WrongKeyError::new_err((message, text(path))),
        CxStoreError::Encrypted { path } => EncryptedStoreError::new_err((message, text(path))),
        CxStoreError::NotEncrypted { path } => {
            UnencryptedStoreError::new_err((message, text(path)))
        }
        CxStoreError::NoEncryption => NoEncryptionError::new_err((message,)),
        CxStoreError::Corrupt { path, .. } => CorruptStoreError::new_err((message, text(path))),
        CxStoreError::ReadOnly { path } | CxStoreError::NotIndexed { path, .. } => {
            ReadOnlyStoreError::new_err((message, text(path)))
        }
        CxStoreError::Locked { path } => StoreLockedError::new_err((message, text(path))),
        CxStoreError::OtherTenant { path, .. } => TenantError::new_err((message, text(path))),
        CxStoreError::Exists { path } => ExistingFileError::new_err((message, text(path))),
        CxStoreError::CannotOpen { path, .. }
        | CxStoreError::DiskFull { path }
        | CxStoreError::FileGone { path }
        | CxStoreError::LogGone { path }
        | CxStoreError::OtherProcess { path } => StoreError::new_err((message, text(path))),
        CxStoreError::UnknownObservation { .. }
        | CxStoreError::UnknownAssertion { .. }
        | CxStoreError::NobodyMeant
        | CxStoreError::Gone { .. } => NotFoundError::new_err((message,)),
        CxStoreError::MalformedRow { .. } => CorruptStoreError::new_err((message,)),
        // Cursors do not reach Python, and later errors are errors of the store all the same.
        CxStoreError::MalformedCursor { .. } | CxStoreError::Engine(_) | _ => {
            StoreError::new_err((message,))
        }
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The error with what the database engine says about it.
fn with_source(error: &CxStoreError) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

fn said(problem: &std::io::Error) -> String {
    match problem.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        std::io::ErrorKind::AlreadyExists => "exists already".to_owned(),
        _ => problem.to_string(),
    }
}
