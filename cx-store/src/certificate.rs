//! The certificate of an erasure: what was removed, when, and that nothing of it is in the files.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;

use cx_core::identifier::Who;
use cx_core::time::Timestamp;
use rusqlite::Connection;
use serde::Serialize;

use crate::beside;
use crate::compression::Unpacker;
use crate::erasure::{Compaction, EraseMode, Erased, Erasure};
use crate::error::StoreError;
use crate::store::Store;
use crate::traces::{Search, Traces};

/// What an erasure did, and that the file was rewritten and searched after it. It holds no value of
/// whoever was erased, but for the customer id, which means nobody any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// The version of this document.
    pub v: u32,
    /// The version of cx that wrote it.
    pub cx: String,
    /// The name of the file.
    pub file: String,
    /// Whose store it is; empty for the only tenant there is.
    pub tenant: String,
    /// What was erased; `compacted_at` is set.
    pub erasure: Erasure,
    /// How many rows fewer there are in each table, all that belonged to the erasure together.
    pub rows: BTreeMap<String, u64>,
    /// How large the file was before it was rewritten, in bytes.
    pub bytes_before: u64,
    /// How large it is.
    pub bytes_after: u64,
    /// What the search of the files gave.
    pub search: TraceSearch,
}

/// A search of the bytes of all files of a store for the strings by which somebody was known: the
/// addresses and numbers that nobody else has, as they were normalised and as they were written, in
/// UTF-8, and as they stand in JSON; in any case, and in every spelling that is blacked out in what
/// others wrote: telephone numbers with and without their country code and whatever stands between
/// the digits, addresses under both forms of their domain and percent-encoded. The pages of an encrypted store are searched as
/// they are decrypted, and events that are compressed as they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TraceSearch {
    /// How many strings were looked for. Where there were none, such as of somebody who was known
    /// by a cookie alone, nothing is proved.
    pub strings: u64,
    /// How many of them are a part of a longer value that somebody else has, as `an@example.nl` is
    /// of `jan@example.nl`: within that value they are not counted.
    pub part_of_others: u64,
    /// At how many places any of them was found. 0 is what an erasure promises, unless
    /// [`Erasure::left_in`] tells of fields in which some of it stays.
    pub hits: u64,
    /// The files that were read to the end, with their lengths in bytes: the database, and what
    /// stands beside it. Empty for a store in memory.
    pub files: BTreeMap<String, u64>,
}

impl Certificate {
    /// Whether the files were searched for something, and nothing was found.
    pub fn is_clean(&self) -> bool {
        let search = &self.search;
        search.hits == 0 && search.strings > 0 && !search.files.is_empty()
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (erasure, search) = (&self.erasure, &self.search);
        let how = match erasure.mode {
            EraseMode::Anonymise => "made anonymous",
            EraseMode::Delete => "deleted",
        };
        writeln!(f, "Certificate of erasure")?;
        writeln!(f)?;
        writeln!(f, "file:         {}", self.file)?;
        if !self.tenant.is_empty() {
            writeln!(f, "tenant:       {}", self.tenant)?;
        }
        writeln!(f, "customer:     {} (means nobody any more)", erasure.customer)?;
        writeln!(f, "erased:       {}", erasure.erased_at)?;
        if let Some(at) = erasure.compacted_at {
            let (before, after) = (self.bytes_before, self.bytes_after);
            writeln!(f, "rewritten:    {at} ({before} bytes before, {after} after)")?;
        }
        writeln!(f, "events:       {} {how}", erasure.events)?;
        let (gone, shared) = (erasure.identifiers, erasure.shared);
        writeln!(f, "identifiers:  {gone} gone, {shared} kept, since others have them too")?;
        writeln!(f, "assertions:   {} gone", erasure.assertions)?;
        writeln!(f, "blacked out:  {} events of others", erasure.blacked_out)?;
        for (field, n) in &erasure.left_in {
            writeln!(
                f,
                "still in:     {field} of {n} that are left, in what names things or within longer words"
            )?;
        }
        for (table, n) in &self.rows {
            writeln!(f, "rows fewer:   {n} {table}")?;
        }
        match (search.strings, search.part_of_others) {
            (0, _) => {
                writeln!(f, "searched for: nothing; no address or number was the person's alone")?;
            }
            (n, 0) => writeln!(f, "searched for: strings of the person: {n}")?,
            (n, part) => writeln!(
                f,
                "searched for: strings of the person: {n} (but not within longer values of others: {part})"
            )?,
        }
        for (file, bytes) in &search.files {
            writeln!(f, "searched:     {file} ({bytes} bytes)")?;
        }
        match search.strings {
            0 => writeln!(f, "found:        nothing is proved")?,
            _ => writeln!(f, "found:        {}", search.hits)?,
        }
        writeln!(f)?;
        writeln!(f, "Copies, backups, exports and the systems of origin are outside of this.")?;
        write!(f, "Written by cx {}.", self.cx)
    }
}

impl Store {
    /// Erases somebody, rewrites the file, and searches its bytes for the strings by which the
    /// person was known, while these are still known: [`Store::erase`], [`Store::compact`], and a
    /// certificate of both. It reads the whole file once more; an encrypted one as it is decrypted,
    /// which takes as much memory as the file is long.
    ///
    /// ```
    /// use cx_core::identifier::Who;
    /// use cx_store::{EraseMode, Recording, Store};
    ///
    /// # let folder = std::env::temp_dir().join(format!("cx-certificate-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// # let path = folder.join("support.cx");
    /// let store = Store::open(&path)?;
    /// let now = "2026-03-04T10:00:00Z".parse()?;
    /// let mail = serde_json::from_str(
    ///     r#"{"key": "mail/1", "source": {"system": "mail"}, "kind": "message", "channel": "email",
    ///         "occurred_at": "2026-03-04T09:58:00Z",
    ///         "who": [{"ns": "email", "value": "jan@example.nl", "role": "from"}]}"#,
    /// )?;
    /// store.ingest(&Recording::new(now, "example"), [mail])?;
    /// let who = Who::parse("jan@example.nl", None)?;
    /// let certificate = store.erase_for_good(&who, EraseMode::Delete, now)?;
    /// assert!(certificate.is_clean());
    /// assert_eq!((certificate.rows["event"], certificate.search.strings), (1, 1));
    /// assert!(!certificate.to_string().contains("jan@example.nl"));
    /// # drop(store);
    /// # std::fs::remove_dir_all(folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::erase`] and [`Store::compact`]. Where somebody else reads, so that the file could
    /// not be rewritten, [`StoreError::Locked`], and nobody is erased. Where it fails later, the
    /// person is erased all the same, and [`Store::compact`] can be called again.
    /// [`StoreError::CannotOpen`] where the files cannot be read after that.
    pub fn erase_for_good(
        &self,
        who: &Who,
        mode: EraseMode,
        at: Timestamp,
    ) -> Result<Certificate, StoreError> {
        self.expect_to_compact()?;
        let Erased { mut erasure, traces, rows } = self.erase_and_tell(who, mode, at)?;
        let Compaction { compacted_at, bytes_before, bytes_after, .. } = self.compact(at)?;
        erasure.compacted_at = Some(compacted_at);
        Ok(Certificate {
            v: 1,
            cx: env!("CARGO_PKG_VERSION").to_owned(),
            file: name(self.path()),
            tenant: self.tenant(),
            erasure,
            rows,
            bytes_before,
            bytes_after,
            search: self.search_traces(&traces)?,
        })
    }

    fn search_traces(&self, traces: &Traces) -> Result<TraceSearch, StoreError> {
        let mut search = TraceSearch {
            strings: u64::try_from(traces.strings.len()).unwrap_or(u64::MAX),
            part_of_others: traces.part_of_others,
            ..TraceSearch::default()
        };
        let wanted = Search::new(traces);
        search.hits += self.read(|connection| compressed_occurrences(connection, &wanted))?;
        if self.is_encrypted() {
            // The bytes of the file tell nothing: its pages are searched as they are decrypted,
            // with those in its log.
            let found = self.decrypted(|pages| occurrences(pages, &wanted))?;
            let (bytes, hits) = found.map_err(|error| {
                let path = self.path().to_owned();
                StoreError::CannotOpen { path, detail: error.to_string() }
            })?;
            search.files.insert(name(self.path()), bytes);
            search.hits += hits;
            return Ok(search);
        }
        // What a repair has kept, or a copy that was not finished, is the person's too.
        let file = beside::beside(self.file(), "");
        let beside = beside::all_beside(&file).map_err(|error| StoreError::CannotOpen {
            path: file.clone(),
            detail: error.to_string(),
        })?;
        for path in std::iter::once(file).chain(beside) {
            if !path.is_file() {
                continue;
            }
            let found = self.keep_open(&path).and_then(|file| occurrences(file, &wanted));
            let (bytes, hits) = found.map_err(|error| StoreError::CannotOpen {
                path: path.clone(),
                detail: error.to_string(),
            })?;
            search.files.insert(name(&path), bytes);
            search.hits += hits;
        }
        Ok(search)
    }
}

/// At how many places any of these stands in events that are compressed.
fn compressed_occurrences(connection: &Connection, wanted: &Search<'_>) -> Result<u64, StoreError> {
    let mut unpacker = Unpacker::new()?;
    let mut rows =
        connection.prepare("SELECT payload, packed FROM event WHERE packed IS NOT NULL")?;
    let mut rows = rows.query([])?;
    let mut hits = 0;
    while let Some(row) = rows.next()? {
        let Some(payload) = unpacker.payload(row, 0)? else { continue };
        let found = occurrences(payload.as_bytes(), wanted);
        let (_, found) = found.map_err(|error| StoreError::malformed("event", error))?;
        hits += found;
    }
    Ok(hits)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// How long this is, and at how many places any of these stands in it.
fn occurrences(mut file: impl Read, wanted: &Search<'_>) -> std::io::Result<(u64, u64)> {
    const CHUNK: u64 = 1 << 20;
    let longest = wanted.most_bytes();
    let (mut n, mut hits) = (0_u64, 0_u64);
    let mut window: Vec<u8> = Vec::new();
    // Up to where it was looked at.
    let mut from = 0;
    loop {
        let known = window.len();
        let read = file.by_ref().take(CHUNK).read_to_end(&mut window)?;
        n += u64::try_from(read).unwrap_or(0);
        // What begins near the end may go on in what comes next.
        let until = if read == 0 { known } else { window.len().saturating_sub(longest).max(from) };
        let found = (from..until).filter(|at| wanted.is_at(&window, *at)).count();
        hits += u64::try_from(found).unwrap_or(u64::MAX);
        if read == 0 {
            return Ok((n, hits));
        }
        // What stands before it tells whether it is within something longer.
        let passed = until.saturating_sub(longest);
        window.drain(..passed);
        from = until - passed;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use cx_core::spelling::Spelling;

    use super::*;

    #[test]
    fn a_string_across_two_chunks_is_found_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for at in [0, (1 << 20) - 7, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 2 << 20] {
            let mut bytes = vec![0_u8; 3 << 20];
            bytes[at..at + 7].copy_from_slice(b"JAN@Exa");
            fs::write(&path, &bytes).unwrap();
            let mut traces =
                Traces::of_spellings(["jan@exa", "an@", "eva"].map(Spelling::of_text).to_vec());
            let found = occurrences(&*bytes, &Search::new(&traces)).unwrap();
            assert_eq!(found, (3 << 20, 2), "{at}");
            // Within something longer that is somebody else's, it does not count.
            traces.leave(&["jan@exa", "eva@exa"].map(str::to_owned).into());
            let found = occurrences(&*bytes, &Search::new(&traces)).unwrap();
            assert_eq!(found, (3 << 20, 0), "{at}");
        }
    }

    #[test]
    fn the_pages_of_a_store_are_searched_as_they_are_decrypted_and_with_those_in_its_log() {
        use crate::{EncryptionKey, OpenOptions, Recording};

        let folder = tempfile::tempdir().unwrap();
        for (number, key) in [None, Some(EncryptionKey::raw([7; 32]))].into_iter().enumerate() {
            let path = folder.path().join(format!("{number}.cx"));
            let store = match OpenOptions::new().key(key).open(&path) {
                Ok(store) => store,
                Err(StoreError::NoEncryption) => return,
                Err(other) => panic!("{other}"),
            };
            let now: Timestamp = "2026-03-04T10:00:00Z".parse().unwrap();
            let mail = serde_json::from_str(
                r#"{"key": "mail/1", "source": {"system": "mail"}, "kind": "message",
                    "channel": "email", "occurred_at": "2026-03-04T09:58:00Z",
                    "who": [{"ns": "email", "value": "jan@example.nl", "role": "from"}]}"#,
            );
            store.ingest(&Recording::new(now, "test"), [mail.unwrap()]).unwrap();
            let traces = Traces::of_spellings(vec![Spelling::of_text("jan@example.nl")]);
            let wanted = Search::new(&traces);
            let (_, hits) = store.decrypted(|pages| occurrences(pages, &wanted)).unwrap().unwrap();
            assert!(hits > 0, "{number}");
        }
    }
}
