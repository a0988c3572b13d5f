//! All facts of a store out of its file and into another one: for another version, another engine,
//! another machine.

use std::io::{BufRead, ErrorKind, Read, Write};
use std::path::Path;

use serde::Serialize;

use crate::beside;
use crate::compression;
use crate::encryption::{self, EncryptionKey};
use crate::error::StoreError;
use crate::facts::{self, Fact, FactCounts};
use crate::feed;
use crate::lines::{self, Head, Line};
pub(crate) use crate::new_file::remove;
use crate::new_file::{self, NewFile};
use crate::opening::OpenOptions;
use crate::schema;
use crate::store::{Store, StoreOptions};

/// How many facts are taken in at once, at most.
const BATCH: usize = 10_000;

/// With so many bytes of text a batch is full, whatever the number of its facts.
const BATCH_TEXT: usize = 32 << 20;

/// The longest line that is read, in bytes: 1 GiB. No row of a file is longer.
const LINE_LIMIT: u64 = 1 << 30;

/// What became of the facts of another store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MoveReport {
    /// How many of each kind were taken in.
    pub taken: FactCounts,
    /// Whether these are all that were written.
    pub ending: Ending,
    /// How many lines could not be read.
    pub rejected: u64,
    /// What is wrong with them, with the number of the line; at most [`MoveReport::KEPT`].
    pub problems: Vec<String>,
}

/// Whether the lines of facts are all that were written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The last line counts as many facts of each kind as were taken in.
    Whole,
    /// The last line counts others: lines are missing, or could not be read.
    Other(FactCounts),
    /// The last line, which counts the others, is missing: they were cut short.
    #[default]
    CutShort,
    /// They are of a version that wrote no such line: whether any are missing cannot be told.
    Untold,
}

impl MoveReport {
    /// How many problems are kept in words; all are counted.
    pub const KEPT: usize = 1_000;

    /// Whether everything went in, as far as the lines tell.
    pub fn is_whole(&self) -> bool {
        self.rejected == 0 && matches!(self.ending, Ending::Whole | Ending::Untold)
    }

    fn reject(&mut self, line: u64, problem: &str) {
        self.rejected += 1;
        if self.problems.len() < Self::KEPT {
            self.problems.push(format!("line {line}: {problem}"));
        }
    }
}

impl Store {
    /// Writes all facts as lines of JSON: what happened, what was said, what may not come back; and
    /// the key under which customer ids are issued. [`Store::import_facts`] makes a store of them
    /// with the same customers under the same ids. Whoever has the lines has everything: keep them
    /// as the file itself. The last line counts the facts: lines that were cut short are known by
    /// that.
    ///
    /// Reads one snapshot, whatever is written meanwhile; one fact is in memory at a time, but for
    /// the assertions.
    ///
    /// ```
    /// use cx_store::Store;
    ///
    /// let store = Store::open_in_memory()?;
    /// let mut lines = Vec::new();
    /// let counts = store.export_facts(&mut lines)?;
    /// assert_eq!(counts.events, 0);
    /// assert!(lines.starts_with(br#"{"fact":"store","v":2"#));
    /// # Ok::<(), cx_store::StoreError>(())
    /// ```
    ///
    /// # Errors
    /// [`StoreError::CannotWrite`], or where the file cannot be read.
    pub fn export_facts(&self, mut out: impl Write) -> Result<FactCounts, StoreError> {
        let mut counts = FactCounts::default();
        let mut write = |line: String| {
            let written = out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n"));
            written.map_err(|error| StoreError::CannotWrite { error })
        };
        self.read(|connection| {
            let known = self.known();
            write(lines::head(&Head {
                tenant: known.tenant.clone(),
                id_key: known.id_key.clone(),
                policy: known.policy.clone(),
            })?)?;
            facts::each(connection, |fact| {
                counts.count(&fact);
                write(lines::line(&fact)?)
            })?;
            write(lines::end(&counts)?)
        })?;
        out.flush().map_err(|error| StoreError::CannotWrite { error })?;
        Ok(counts)
    }

    /// Makes a store in a new file of the lines that [`Store::export_facts`] wrote. A line that
    /// cannot be read is reported with its number, and the rest goes in; so it is reported where
    /// lines are missing ([`MoveReport::is_whole`]). Nothing is left where it fails, and until all
    /// is taken in the store stands beside that name. Only the file's owner can read it.
    ///
    /// # Errors
    /// [`StoreError::Exists`] where anything stands there, if only the log of a file that is gone;
    /// [`StoreError::NotFacts`] where the first line does not name a store
    /// that this version can take in; or where the file cannot be written.
    pub fn import_facts(
        lines: impl BufRead,
        to: impl AsRef<Path>,
    ) -> Result<(Self, MoveReport), StoreError> {
        Self::import_facts_under(lines, to, None)
    }

    /// As [`Store::import_facts`], into a store that is encrypted under this key.
    ///
    /// # Errors
    /// As [`Store::import_facts`], and [`StoreError::NoEncryption`].
    pub fn import_facts_under(
        lines: impl BufRead,
        to: impl AsRef<Path>,
        key: Option<&EncryptionKey>,
    ) -> Result<(Self, MoveReport), StoreError> {
        let to = to.as_ref();
        schema::file_name(to)?;
        if key.is_some() {
            encryption::require_engine()?;
        }
        beside::expect_nothing(to, &["", "-wal", "-journal"])?;
        // Nobody finds half a store, or makes one of other settings there meanwhile.
        let file = NewFile::create(to)?;
        let (store, report) = import(lines, file.beside(), key)?;
        // All of it is in the file, and nothing in a log of another name.
        store.expect_to_compact()?;
        drop(store);
        file.finish()?;
        Ok((OpenOptions::new().key(key.cloned()).open_existing(to)?, report))
    }
}

/// Makes a store in a new file, of which nothing is left where that fails. What another one makes
/// there at the same time, or a log that is left there, is not touched.
pub(crate) fn make<T>(
    path: &Path,
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    beside::expect_nothing(path, &["", "-wal", "-journal"])?;
    new_file::create(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => StoreError::Exists { path: path.to_owned() },
        _ => StoreError::CannotOpen { path: path.to_owned(), detail: error.to_string() },
    })?;
    let made = work();
    if made.is_err() {
        remove(path);
    }
    made
}

fn import(
    lines: impl BufRead,
    to: &Path,
    key: Option<&EncryptionKey>,
) -> Result<(Store, MoveReport), StoreError> {
    let mut lines = Lines { reader: lines, number: 0, is_over: false };
    let not_facts = |detail: String| StoreError::NotFacts { detail };
    let (head, version) = match lines.next() {
        Some(Ok(line)) => lines::read_head(&line).map_err(not_facts)?,
        Some(Err(problem)) => return Err(not_facts(problem)),
        None => return Err(not_facts("there is no line".to_owned())),
    };
    let mut taking = Taking::new(to, head, key)?;
    let mut report = MoveReport::default();
    let mut told: Option<FactCounts> = None;
    while let Some(line) = lines.next() {
        let read = match &line {
            Ok(line) if line.trim().is_empty() => continue,
            Ok(text) => lines::read_line(text).map(|line| (line, text.len())),
            Err(problem) => Err(problem.clone()),
        };
        match read {
            Ok(_) if told.is_some() => report.reject(lines.number, "behind the last line"),
            Ok((Line::End(counts), _)) => told = Some(counts),
            Ok((Line::Fact(fact), n_bytes)) => {
                if let Err(problem) = taking.take(fact, n_bytes)? {
                    report.reject(lines.number, problem);
                }
            }
            Err(problem) => report.reject(lines.number, &problem),
        }
    }
    let (store, taken) = taking.finish()?;
    report.ending = match told {
        Some(counts) if counts == taken => Ending::Whole,
        Some(counts) => Ending::Other(counts),
        None if lines::has_end(version) => Ending::CutShort,
        None => Ending::Untold,
    };
    report.taken = taken;
    Ok((store, report))
}

/// Lines with their numbers, none longer than the limit.
struct Lines<R> {
    reader: R,
    number: u64,
    /// Whether the reader has failed: it may fail again for ever.
    is_over: bool,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Option<Result<String, String>> {
        if self.is_over {
            return None;
        }
        let mut bytes = Vec::new();
        self.number += 1;
        match self.reader.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut bytes) {
            Ok(0) => None,
            Ok(_) if !bytes.ends_with(b"\n") && u64::try_from(bytes.len()) == Ok(LINE_LIMIT) => {
                let skipped = self.reader.skip_until(b'\n');
                Some(Err(match skipped {
                    Ok(_) => format!("longer than {LINE_LIMIT} bytes"),
                    Err(error) => {
                        self.is_over = true;
                        error.to_string()
                    }
                }))
            }
            Ok(_) => {
                // Some programs write a mark before the first line.
                if self.number == 1 && bytes.starts_with(b"\xef\xbb\xbf") {
                    bytes.drain(..3);
                }
                Some(String::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned()))
            }
            Err(error) => {
                self.is_over = true;
                Some(Err(error.to_string()))
            }
        }
    }
}

/// Takes facts into a new store, many in one transaction.
pub(crate) struct Taking {
    store: Store,
    batch: Vec<Fact>,
    /// How many bytes of text the batch has.
    n_bytes: usize,
    taken: FactCounts,
    has_others: bool,
}

impl Taking {
    pub(crate) fn new(
        to: &Path,
        head: Head,
        key: Option<&EncryptionKey>,
    ) -> Result<Self, StoreError> {
        let Head { tenant, id_key, policy } = head;
        let options = StoreOptions { tenant, id_key: Some(id_key), policy };
        let store = OpenOptions::new().key(key.cloned()).settings(options).open(to)?;
        let taken = FactCounts::default();
        Ok(Self { store, batch: Vec::new(), n_bytes: 0, taken, has_others: false })
    }

    /// Packs the payloads of what is taken.
    pub(crate) fn pack(&self) -> Result<(), StoreError> {
        self.store.write(|tx, _| compression::put_in_force(tx, true))
    }

    /// Lets the change feed go on behind this place: numbers that were given out once are not given
    /// out again.
    pub(crate) fn number_changes_after(&mut self, last: i64) -> Result<(), StoreError> {
        self.flush()?;
        self.store.write(|tx, _| feed::number_after(tx, last))
    }

    /// Takes a fact the text of which has so many bytes; the inner error says why it cannot stand
    /// here.
    pub(crate) fn take(
        &mut self,
        fact: Fact,
        n_bytes: usize,
    ) -> Result<Result<(), &'static str>, StoreError> {
        match &fact {
            Fact::Assertion(..) if self.taken.events > 0 || self.has_others => {
                return Ok(Err("an assertion behind the events; they come first"));
            }
            Fact::Event(_) if self.has_others => {
                return Ok(Err("an event behind other facts; only assertions come before events"));
            }
            Fact::Assertion(..) | Fact::Event(_) => {}
            _ if !self.has_others => {
                self.has_others = true;
                self.flush()?;
                self.store.write(|tx, _| facts::forget_passing_ids(tx))?;
            }
            _ => {}
        }
        self.taken.count(&fact);
        self.batch.push(fact);
        self.n_bytes = self.n_bytes.saturating_add(n_bytes);
        if self.batch.len() >= BATCH || self.n_bytes >= BATCH_TEXT {
            self.flush()?;
        }
        Ok(Ok(()))
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let batch = std::mem::take(&mut self.batch);
        self.n_bytes = 0;
        self.store.write(|tx, writer| facts::restore(tx, writer, batch))
    }

    pub(crate) fn finish(mut self) -> Result<(Store, FactCounts), StoreError> {
        self.flush()?;
        self.store.catch_up()?;
        // A line that came twice is one event.
        let events: i64 = self.store.read(|connection| {
            Ok(connection.query_row("SELECT count(*) FROM event", [], |row| row.get(0))?)
        })?;
        self.taken.events = u64::try_from(events).unwrap_or_default();
        Ok((self.store, self.taken))
    }
}
