//! What is wrong with a record of another system, and where it stands.

use std::fmt;

use cx_core::event::FieldError;

/// A record, or a part of one, that could not become an event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordError {
    /// The file, as the caller named it.
    pub file: Option<String>,
    /// The line, counted from 1, where the format has lines.
    pub line: Option<u64>,
    /// Where in the record the field stands: a JSON pointer, a column or a header name.
    pub pointer: Option<String>,
    /// The value that stands there, shortened.
    pub value: Option<String>,
    /// What is wrong with it.
    pub problem: String,
}

impl RecordError {
    /// A problem whose place is still to be told.
    pub fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), ..Self::default() }
    }

    /// The same problem in this file.
    #[must_use]
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// The same problem on this line.
    #[must_use]
    pub const fn on_line(mut self, line: u64) -> Self {
        self.line = Some(line);
        self
    }

    /// The same problem in this field.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// The same problem with the value that stands there, shortened to 80 characters.
    #[must_use]
    pub fn with_value(mut self, value: &str) -> Self {
        self.value = Some(cx_core::text::first_words(value, 80));
        self
    }

    /// The same problem inside a larger record, at `prefix`.
    #[must_use]
    pub fn inside(mut self, prefix: &str) -> Self {
        self.pointer = Some(format!("{prefix}{}", self.pointer.unwrap_or_default()));
        self
    }
}

impl From<FieldError> for RecordError {
    fn from(error: FieldError) -> Self {
        Self {
            pointer: Some(error.pointer),
            value: error.value,
            problem: error.problem,
            ..Self::default()
        }
    }
}

impl fmt::Display for RecordError {
    /// `tickets.jsonl:12: /comments/3/created_at: "soon": not a date and time`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
        }
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if self.file.is_some() || self.line.is_some() {
            f.write_str(" ")?;
        }
        if let Some(pointer) = self.pointer.as_deref().filter(|pointer| !pointer.is_empty()) {
            write!(f, "{pointer}: ")?;
        }
        if let Some(value) = &self.value {
            write!(f, "{value}: ")?;
        }
        f.write_str(&self.problem)
    }
}

impl std::error::Error for RecordError {}
