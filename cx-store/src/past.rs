//! The past: what had happened, and what had been recorded, by an instant.

use cx_core::time::Timestamp;
use rusqlite::{Connection, params};

use crate::error::StoreError;

/// Which facts an answer may know of.
///
/// ```
/// use cx_store::Past;
///
/// let noon = "2026-03-04T12:00:00Z".parse()?;
/// // What had happened by noon, as far as it is known today.
/// let then = Past::today().as_of(noon);
/// // What somebody who asked at noon could know.
/// let known_then = Past::today().as_of(noon).known_at(noon);
/// # Ok::<(), cx_core::time::TimeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    as_of: Timestamp,
    known_at: Timestamp,
}

impl Default for Past {
    fn default() -> Self {
        Self::today()
    }
}

impl Past {
    /// Everything that is known.
    pub const fn today() -> Self {
        Self { as_of: Timestamp::MAX, known_at: Timestamp::MAX }
    }

    /// Only what had happened, or had been said, by this instant.
    #[must_use]
    pub const fn as_of(mut self, as_of: Timestamp) -> Self {
        self.as_of = as_of;
        self
    }

    /// Only what had been recorded by this instant, in the revision that was known then.
    #[must_use]
    pub const fn known_at(mut self, known_at: Timestamp) -> Self {
        self.known_at = known_at;
        self
    }

    /// By when it had happened.
    pub const fn happened_by(&self) -> Timestamp {
        self.as_of
    }

    /// By when it had been recorded.
    pub const fn recorded_by(&self) -> Timestamp {
        self.known_at
    }

    /// Whether every fact of the store may be known, so that what is derived today holds.
    pub(crate) fn is_today(&self, connection: &Connection) -> Result<bool, StoreError> {
        if *self == Self::today() {
            return Ok(true);
        }
        let mut later = connection.prepare_cached(
            "SELECT EXISTS(SELECT 1 FROM source_stat WHERE last_event > ?1 OR last_import > ?2)
                 OR EXISTS(SELECT 1 FROM assertion
                           WHERE min(said_at, recorded_at) > ?1 OR recorded_at > ?2)",
        )?;
        let later: bool = later
            .query_row(params![self.as_of.as_micros(), self.known_at.as_micros()], |row| {
                row.get(0)
            })?;
        Ok(!later)
    }
}
