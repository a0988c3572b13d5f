//! Statements that one piece of work runs over and over, held while it lasts.

use std::cell::RefCell;

use rusqlite::{CachedStatement, Connection, Params, Row};

/// Statements of a connection, found again by where their text stands in the program. The
/// connection has a cache of its own, which compares all of the text each time.
pub(crate) struct Statements<'c> {
    connection: &'c Connection,
    held: RefCell<Vec<(Text, CachedStatement<'c>)>>,
}

/// Where a text begins and how long it is: no other text does both alike.
type Text = (usize, usize);

impl<'c> Statements<'c> {
    pub(crate) fn new(connection: &'c Connection) -> Self {
        Self { connection, held: RefCell::default() }
    }

    /// Runs a statement that changes something; gives how many rows it has changed.
    pub(crate) fn execute(
        &self,
        sql: &'static str,
        params: impl Params,
    ) -> rusqlite::Result<usize> {
        self.with(sql, |statement| statement.execute(params))
    }

    /// The first row of an answer; [`rusqlite::Error::QueryReturnedNoRows`] where there is none.
    pub(crate) fn query_row<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.with(sql, |statement| statement.query_row(params, read))
    }

    /// All rows of an answer.
    pub(crate) fn query_all<T, All: FromIterator<T>>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<All> {
        self.with(sql, |statement| statement.query_map(params, read)?.collect())
    }

    fn with<T>(
        &self,
        sql: &'static str,
        work: impl FnOnce(&mut CachedStatement<'c>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let text = (sql.as_ptr().addr(), sql.len());
        let known = {
            let mut held = self.held.borrow_mut();
            // What ran last mostly runs next.
            let at = held.iter().rposition(|(other, _)| *other == text);
            at.map(|at| held.swap_remove(at).1)
        };
        let mut statement = match known {
            Some(statement) => statement,
            None => self.connection.prepare_cached(sql)?,
        };
        let done = work(&mut statement);
        self.held.borrow_mut().push((text, statement));
        done
    }
}
