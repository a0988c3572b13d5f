//! Marks by which one sees that somebody has written.

use rusqlite::Connection;

use crate::error::StoreError;

/// Marks in the file by which one sees whether anything was written since it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edition {
    /// Another one after every write.
    pub(crate) written: [u8; 8],
    /// Another one after every write by which the number of an event may mean another payload.
    pub(crate) rewritten: [u8; 8],
}

impl Edition {
    /// As the file stands in this snapshot.
    pub(crate) fn of(connection: &Connection) -> Result<Self, StoreError> {
        let mut marks = connection.prepare_cached(
            "SELECT (SELECT v FROM meta WHERE k = 'written'), (SELECT v FROM meta WHERE k = 'rewritten')",
        )?;
        Ok(marks.query_row([], |row| {
            let mark = |at| row.get::<_, Option<[u8; 8]>>(at).map(Option::unwrap_or_default);
            Ok(Self { written: mark(0)?, rewritten: mark(1)? })
        })?)
    }

    /// Says that something was written.
    pub(crate) fn end(connection: &Connection) -> Result<(), StoreError> {
        connection
            .prepare_cached("INSERT OR REPLACE INTO meta(k, v) VALUES('written', randomblob(8))")?
            .execute([])?;
        Ok(())
    }
}
