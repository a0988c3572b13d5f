//! The certificate of an erasure: what was removed, when, and that nothing of it is in the files.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use cx_core::identifier::Who;
use cx_core::time::Timestamp;
use rusqlite::Connection;
use serde::Serialize;

use crate::compression::Unpacker;
use crate::erasure::{Compaction, EraseMode, Erased, Erasure};
use crate::error::StoreError;
use crate::store::Store;

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
/// either case, in UTF-8. The pages of an encrypted store are searched as they are decrypted, and
/// events that are compressed as they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TraceSearch {
    /// How many strings were looked for.
    pub strings: u64,
    /// How many were not looked for, since they are a part of what somebody else has.
    pub part_of_others: u64,
    /// How often any of them was found. 0 is what an erasure promises.
    pub hits: u64,
    /// The files that were read to the end, with their lengths in bytes: the database, and what
    /// stands beside it. Empty for a store in memory.
    pub files: BTreeMap<String, u64>,
}

impl Certificate {
    /// Whether the files were searched and nothing was found.
    pub fn is_clean(&self) -> bool {
        self.search.hits == 0 && !self.search.files.is_empty()
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
        writeln!(f, "identifiers:  {} gone, {} kept", erasure.identifiers, erasure.shared)?;
        writeln!(f, "assertions:   {} gone", erasure.assertions)?;
        writeln!(f, "blacked out:  {} events of others", erasure.blacked_out)?;
        for (table, n) in &self.rows {
            writeln!(f, "rows fewer:   {n} {table}")?;
        }
        writeln!(
            f,
            "searched for: strings of the person: {} ({} more are a part of what others have)",
            search.strings, search.part_of_others
        )?;
        for (file, bytes) in &search.files {
            writeln!(f, "searched:     {file} ({bytes} bytes)")?;
        }
        writeln!(f, "found:        {}", search.hits)?;
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
        let Erased { mut erasure, strings, rows } = self.erase_and_tell(who, mode, at)?;
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
            search: self.search_traces(strings)?,
        })
    }

    fn search_traces(&self, strings: Vec<String>) -> Result<TraceSearch, StoreError> {
        let mut search = TraceSearch::default();
        let mut wanted = Vec::new();
        for string in strings {
            if self.read(|connection| is_part_of_others(connection, &string))? {
                search.part_of_others += 1;
            } else {
                wanted.push(string.to_ascii_lowercase().into_bytes());
            }
        }
        search.strings = u64::try_from(wanted.len()).unwrap_or(u64::MAX);
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
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let mut path = self.path().as_os_str().to_owned();
            path.push(suffix);
            let path = PathBuf::from(path);
            if !path.is_file() {
                continue;
            }
            let found = fs::File::open(&path).and_then(|file| occurrences(file, &wanted));
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

/// How often any of these strings stands in events that are compressed.
fn compressed_occurrences(connection: &Connection, wanted: &[Vec<u8>]) -> Result<u64, StoreError> {
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

/// Whether a value that is left has this string in it.
fn is_part_of_others(connection: &Connection, string: &str) -> Result<bool, StoreError> {
    let mut any = connection.prepare_cached(
        "SELECT EXISTS(SELECT 1 FROM identifier WHERE instr(lower(key), lower(?1)) > 0)",
    )?;
    Ok(any.query_row([string], |row| row.get(0))?)
}

/// How long this is, and how often any of these strings stands in it, ASCII letters in either
/// case.
fn occurrences(mut file: impl Read, wanted: &[Vec<u8>]) -> std::io::Result<(u64, u64)> {
    const CHUNK: u64 = 1 << 20;
    let longest = wanted.iter().map(Vec::len).max().unwrap_or(0);
    let (mut n, mut hits) = (0_u64, 0_u64);
    let mut window: Vec<u8> = Vec::new();
    loop {
        // What may be the beginning of a string stays in front of what comes next.
        let kept = window.len().min(longest.saturating_sub(1));
        window.drain(..window.len() - kept);
        let read = file.by_ref().take(CHUNK).read_to_end(&mut window)?;
        if read == 0 {
            return Ok((n, hits));
        }
        n += u64::try_from(read).unwrap_or(0);
        window.make_ascii_lowercase();
        for string in wanted {
            // What ends in the kept part was counted before.
            let from = kept.saturating_sub(string.len().saturating_sub(1));
            let searched = window.get(from..).unwrap_or_default();
            let found = searched.windows(string.len().max(1)).filter(|it| it == string).count();
            hits += u64::try_from(found).unwrap_or(u64::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_across_two_chunks_is_found_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for at in [0, (1 << 20) - 7, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 2 << 20] {
            let mut bytes = vec![0_u8; 3 << 20];
            bytes[at..at + 7].copy_from_slice(b"JAN@Exa");
            fs::write(&path, &bytes).unwrap();
            let wanted = [b"jan@exa".to_vec(), b"an@".to_vec(), b"eva".to_vec()];
            assert_eq!(occurrences(&*bytes, &wanted).unwrap(), (3 << 20, 2), "{at}");
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
            let wanted = [b"jan@example.nl".to_vec()];
            let (_, hits) = store.decrypted(|pages| occurrences(pages, &wanted)).unwrap().unwrap();
            assert!(hits > 0, "{number}");
        }
    }
}
