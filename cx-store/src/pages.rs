//! Rows of a damaged file, read page by page without the database engine.
//!
//! A page that holds rows says so in its first byte and lists its rows itself, so each is read
//! whatever has become of the pages that lead to it. Rows that were deleted are in no list, so
//! nothing that was erased comes back. The format is told at
//! <https://www.sqlite.org/fileformat2.html>; what was committed to the log goes before the file.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use crate::beside;
use crate::kept::KeptFile;
use crate::log::{Log, PAGE, number_at};
use crate::new_file;

/// Pages of a table with numbered rows: those that hold the rows, and those that lead to them.
const TABLE_LEAF: u8 = 0x0d;
const TABLE_INTERIOR: u8 = 0x05;
/// Pages that hold rows of a table that is its own index: those without, and with pages below.
const INDEX_LEAF: u8 = 0x0a;
const INDEX_INTERIOR: u8 = 0x02;

/// A value in a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Real,
    Text(String),
    Blob(Vec<u8>),
    /// A text that is not UTF-8.
    Garbled,
}

impl Value {
    pub(crate) const fn integer(&self) -> Option<i64> {
        if let Self::Integer(value) = self { Some(*value) } else { None }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Text(value) = self { Some(value) } else { None }
    }

    pub(crate) fn blob(&self) -> Option<&[u8]> {
        if let Self::Blob(value) = self { Some(value) } else { None }
    }

    pub(crate) fn bytes<const N: usize>(&self) -> Option<[u8; N]> {
        self.blob().and_then(|value| value.try_into().ok())
    }
}

/// Where a row lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    page: u32,
    cell: u16,
}

/// A row: its number, where it has one, and its columns.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) place: Place,
    pub(crate) number: Option<i64>,
    pub(crate) columns: Vec<Value>,
}

/// What a page of a tree leads to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    /// The pages below it.
    pub(crate) below: Vec<u32>,
    /// Where its rows go on that are longer than it has room for, and on how many pages.
    pub(crate) further: Vec<(u32, usize)>,
    /// Whether it has no row and leads nowhere: only a table without any row has such a page.
    pub(crate) is_empty: bool,
}

/// The pages of a file, as its log leaves them.
#[derive(Debug)]
pub(crate) struct Pages {
    /// `None` where nothing is left but the log.
    file: Option<KeptFile>,
    log: Option<KeptFile>,
    /// What the log says.
    pub(crate) logged: Log,
    /// How many pages there are, in the file or in the log.
    n: u32,
    /// How many pages the database has, as it says itself: what the file has behind them was there
    /// before it was made shorter.
    pub(crate) whole: u32,
    /// Bytes at the end of the file that are less than a page.
    pub(crate) rest: u64,
}

impl Pages {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = match KeptFile::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound && beside::has_journal(path) => None,
            opened => Some(opened?),
        };
        let length =
            file.as_ref().map_or(Ok(0), |file| file.file().metadata().map(|it| it.len()))?;
        let page = u64::try_from(PAGE).unwrap_or(u64::MAX);
        let mut n = u32::try_from(length / page).unwrap_or(u32::MAX);
        let (mut log, mut logged) = (None, Log::default());
        if beside::has_journal(path)
            && let Ok(mut opened) = KeptFile::open(&beside::beside(path, "-wal"))
        {
            logged = Log::read(&mut opened)?;
            n = logged.images.keys().copied().max().unwrap_or(0).max(n);
            log = Some(opened);
        }
        let mut pages = Self { file, log, logged, n, whole: n, rest: length % page };
        let whole = pages.logged.whole;
        let whole = if whole.is_some() { whole } else { pages.told_length()? };
        pages.whole = whole.unwrap_or(n);
        Ok(pages)
    }

    /// How many pages there are by the header of the file; `None` where that does not say it.
    fn told_length(&mut self) -> io::Result<Option<u32>> {
        let first = self.page(1)?;
        let number = |at: usize| number_at(&first, at, 4).unwrap_or(0);
        // It holds only as of the change that it was written with.
        let is_told = first.starts_with(b"SQLite format 3\0") && number(24) == number(92);
        Ok(u32::try_from(number(28)).ok().filter(|n| is_told && *n > 0))
    }

    pub(crate) const fn count(&self) -> u32 {
        self.n
    }

    /// Copies the file, and its log where there is one, onto the disk.
    pub(crate) fn copy_to(&mut self, file: &Path, log: &Path) -> io::Result<()> {
        for (from, to) in [(self.log.as_mut(), log), (self.file.as_mut(), file)] {
            let Some(from) = from else { continue };
            // What an earlier one has left that was stopped.
            match fs::remove_file(to) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut copy = new_file::create(to)?;
            copy.set_permissions(from.file().metadata()?.permissions())?;
            from.rewind()?;
            io::copy(from, &mut copy)?;
            copy.sync_all()?;
        }
        Ok(())
    }

    /// Whether these are copies of the file, and of its log where there is one.
    pub(crate) fn are_in(&mut self, file: &Path, log: &Path) -> io::Result<bool> {
        for (own, copy) in [(self.log.as_mut(), log), (self.file.as_mut(), file)] {
            let (Some(own), true) = (own, copy.exists()) else { continue };
            let mut copy = File::open(copy)?;
            let length = own.file().metadata()?.len();
            if copy.metadata()?.len() != length {
                return Ok(false);
            }
            own.rewind()?;
            let (mut here, mut there) = (vec![0; PAGE], vec![0; PAGE]);
            let mut left = length;
            while left > 0 {
                let n = usize::try_from(left).map_or(PAGE, |left| left.min(PAGE));
                let (Some(here), Some(there)) = (here.get_mut(..n), there.get_mut(..n)) else {
                    break;
                };
                own.read_exact(here)?;
                copy.read_exact(there)?;
                if here != there {
                    return Ok(false);
                }
                left -= u64::try_from(n).unwrap_or(u64::MAX);
            }
        }
        Ok(true)
    }

    /// Whether other pages may stand in the log than when it was opened.
    pub(crate) fn is_another_log(&mut self) -> io::Result<bool> {
        self.log.as_mut().map_or(Ok(false), |log| self.logged.is_another(log))
    }

    /// A page; numbers begin at 1. Zeros where the file ends before it.
    pub(crate) fn page(&mut self, number: u32) -> io::Result<Vec<u8>> {
        let mut page = vec![0; PAGE];
        let (file, at) =
            if let (Some(at), Some(log)) = (self.logged.images.get(&number), &mut self.log) {
                (log, *at)
            } else {
                let before = u64::from(number.saturating_sub(1));
                let Some(file) = &mut self.file else { return Ok(page) };
                (file, before * u64::try_from(PAGE).unwrap_or(u64::MAX))
            };
        file.seek(SeekFrom::Start(at))?;
        let mut read = 0;
        while let Some(room) = page.get_mut(read..).filter(|room| !room.is_empty()) {
            match file.read(room) {
                Ok(0) => break,
                Ok(n) => read += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(page)
    }

    /// What a page of a tree leads to; `None` where it is none, or is not whole: all of it is a
    /// header, rows in their order, and free space that it tells of.
    pub(crate) fn node(&mut self, number: u32) -> io::Result<Option<Node>> {
        Ok(node(&self.page(number)?, start(number)))
    }

    /// The rows that a page lists, and how many of them cannot be read.
    pub(crate) fn rows(&mut self, number: u32) -> io::Result<(Vec<Row>, u64)> {
        let page = self.page(number)?;
        let (mut rows, mut unreadable) = (Vec::new(), 0);
        let start = start(number);
        let kind = page.get(start).copied().unwrap_or_default();
        if !matches!(kind, TABLE_LEAF | INDEX_LEAF | INDEX_INTERIOR) {
            return Ok((rows, unreadable));
        }
        let n = number_at(&page, start + 3, 2).unwrap_or(0);
        let mut room = self.length();
        for cell in 0..n {
            let place = Place { page: number, cell: u16::try_from(cell).unwrap_or(u16::MAX) };
            match self.row(&page, place, &mut room)? {
                Some(row) => rows.push(row),
                None => unreadable += 1,
            }
        }
        Ok((rows, unreadable))
    }

    /// Reads a row again.
    pub(crate) fn row_at(&mut self, place: Place) -> io::Result<Option<Row>> {
        let page = self.page(place.page)?;
        self.row(&page, place, &mut self.length())
    }

    /// How long the file is, with its log.
    fn length(&self) -> usize {
        usize::try_from(self.n).unwrap_or(usize::MAX).saturating_mul(PAGE)
    }

    /// Reads a row, which has no more bytes than there is room; that gets less by as many.
    fn row(&mut self, page: &[u8], place: Place, room: &mut usize) -> io::Result<Option<Row>> {
        let start = start(place.page);
        let kind = page.get(start).copied().unwrap_or_default();
        let list = start + if kind == INDEX_INTERIOR { 12 } else { 8 };
        let Some(at) = number_at(page, list + 2 * usize::from(place.cell), 2) else {
            return Ok(None);
        };
        let mut at = usize::try_from(at).unwrap_or(usize::MAX);
        if kind == INDEX_INTERIOR {
            at = at.saturating_add(4);
        }
        let Some((length, next)) = varint(page, at) else { return Ok(None) };
        let mut at = next;
        let mut row_number = None;
        if kind == TABLE_LEAF {
            let Some((id, next)) = varint(page, at) else { return Ok(None) };
            row_number = Some(id.cast_signed());
            at = next;
        }
        // Rows that are longer together than the file are damage: they have bytes in common.
        let left = usize::try_from(length).ok().and_then(|length| room.checked_sub(length));
        let (Ok(length), Some(left)) = (usize::try_from(length), left) else { return Ok(None) };
        *room = left;
        let Some(record) = self.record(page, at, length, kind == TABLE_LEAF)? else {
            return Ok(None);
        };
        Ok(columns(&record).map(|columns| Row { place, number: row_number, columns }))
    }

    /// The bytes of a record, those on further pages too.
    fn record(
        &mut self,
        page: &[u8],
        at: usize,
        length: usize,
        is_table: bool,
    ) -> io::Result<Option<Vec<u8>>> {
        let here = here(length, is_table);
        if here == length {
            return Ok(page.get(at..at + length).map(<[u8]>::to_vec));
        }
        let Some(first) = page.get(at..at + here) else { return Ok(None) };
        let mut record = first.to_vec();
        let mut next = number_at(page, at + here, 4).unwrap_or(0);
        while record.len() < length {
            if next == 0 || next > u64::from(self.n) {
                return Ok(None);
            }
            let further = self.page(u32::try_from(next).unwrap_or(0))?;
            next = number_at(&further, 0, 4).unwrap_or(0);
            let part = (length - record.len()).min(PAGE - 4);
            record.extend_from_slice(further.get(4..4 + part).unwrap_or_default());
        }
        Ok(Some(record))
    }
}

/// Where the rows of a page begin to be told: the first one begins with the header of the file.
const fn start(page: u32) -> usize {
    if page == 1 { 100 } else { 0 }
}

/// How many bytes of a record of this length stand on its page.
const fn here(length: usize, is_table: bool) -> usize {
    // No reserved bytes at the end of a page: only encrypted files have any.
    let most = if is_table { PAGE - 35 } else { (PAGE - 12) * 64 / 255 - 23 };
    let least = (PAGE - 12) * 32 / 255 - 23;
    if length <= most {
        return length;
    }
    let here = least + (length - least) % (PAGE - 4);
    if here <= most { here } else { least }
}

fn node(page: &[u8], start: usize) -> Option<Node> {
    let short = |at: usize| number_at(page, at, 2).and_then(|it| usize::try_from(it).ok());
    let page_number = |at: usize| number_at(page, at, 4).and_then(|it| u32::try_from(it).ok());
    let kind = *page.get(start)?;
    let is_interior = matches!(kind, TABLE_INTERIOR | INDEX_INTERIOR);
    if !is_interior && !matches!(kind, TABLE_LEAF | INDEX_LEAF) {
        return None;
    }
    let list = start + if is_interior { 12 } else { 8 };
    let n = short(start + 3)?;
    let mut node = Node { is_empty: n == 0 && !is_interior, ..Node::default() };
    let mut parts: Vec<(usize, usize)> = Vec::new();
    let mut number_before = None;
    for cell in 0..n {
        let from = short(list + 2 * cell)?;
        let mut at = from;
        if is_interior {
            node.below.push(page_number(at)?);
            at += 4;
        }
        let (length, next) = varint(page, at)?;
        at = next;
        if kind == TABLE_LEAF {
            let (id, next) = varint(page, at)?;
            let id = id.cast_signed();
            if number_before.replace(id).is_some_and(|before| before >= id) {
                return None;
            }
            at = next;
        }
        if kind != TABLE_INTERIOR {
            let length = usize::try_from(length).ok()?;
            let here = here(length, kind == TABLE_LEAF);
            at = at.checked_add(here)?;
            if here < length {
                node.further.push((page_number(at)?, (length - here).div_ceil(PAGE - 4)));
                at += 4;
            }
        }
        // No cell is shorter than what stands in its place once it is free.
        parts.push((from, at.max(from + 4)));
    }
    if is_interior {
        node.below.push(page_number(start + 8)?);
    }
    let mut free = short(start + 1)?;
    while free != 0 {
        parts.push((free, free.checked_add(short(free + 2)?)?));
        let next = short(free)?;
        if next != 0 && next <= free {
            return None;
        }
        free = next;
    }
    parts.sort_unstable();
    let (mut end, mut loose) = (short(start + 5)?, 0);
    if end < list + 2 * n {
        return None;
    }
    for (from, to) in parts {
        loose += from.checked_sub(end)?;
        end = to;
    }
    loose += PAGE.checked_sub(end)?;
    (page.get(start + 7).copied().map(usize::from) == Some(loose)).then_some(node)
}

/// A number of one to nine bytes, and where it ends.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut number = 0_u64;
    for length in 0..9 {
        let byte = *bytes.get(at.checked_add(length)?)?;
        if length == 8 {
            return Some((number << 8 | u64::from(byte), at + 9));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some((number, at + length + 1));
        }
    }
    None
}

/// The columns of a record; `None` where it is damaged.
fn columns(record: &[u8]) -> Option<Vec<Value>> {
    let (header, mut at) = varint(record, 0)?;
    let header = usize::try_from(header).ok().filter(|header| *header <= record.len())?;
    let mut body = header;
    let mut columns = Vec::new();
    while at < header {
        let (kind, next) = varint(record, at)?;
        at = next;
        let (value, length) = value(record, body, kind)?;
        columns.push(value);
        body = body.checked_add(length)?;
    }
    (at == header && body == record.len()).then_some(columns)
}

fn value(record: &[u8], at: usize, kind: u64) -> Option<(Value, usize)> {
    let signed = |length: usize| -> Option<(Value, usize)> {
        let number = number_at(record, at, length)?;
        let unused = 64 - 8 * u32::try_from(length).ok()?;
        Some((Value::Integer((number << unused).cast_signed() >> unused), length))
    };
    match kind {
        0 => Some((Value::Null, 0)),
        1..=4 => signed(usize::try_from(kind).ok()?),
        5 => signed(6),
        6 => signed(8),
        7 => record.get(at..at.checked_add(8)?).map(|_| (Value::Real, 8)),
        8 => Some((Value::Integer(0), 0)),
        9 => Some((Value::Integer(1), 0)),
        10 | 11 => None,
        _ => {
            let length = usize::try_from((kind - 12) / 2).ok()?;
            let bytes = record.get(at..at.checked_add(length)?)?.to_vec();
            let value = if kind.is_multiple_of(2) {
                Value::Blob(bytes)
            } else {
                String::from_utf8(bytes).map_or(Value::Garbled, Value::Text)
            };
            Some((value, length))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use rusqlite::Connection;

    use super::*;

    /// A database with rows of every kind, longer than pages too, half of it in its log.
    fn database(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "page_size", 8192).unwrap();
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        connection.pragma_update(None, "secure_delete", true).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE a(id INTEGER PRIMARY KEY, n INTEGER, t TEXT, b BLOB);
                 CREATE TABLE k(t TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID;",
            )
            .unwrap();
        for n in 0..400_i64 {
            let text = "é".repeat(usize::try_from(n * n % 13_000).unwrap());
            connection
                .execute(
                    "INSERT INTO a VALUES(?1, ?2, ?3, ?4)",
                    rusqlite::params![n, (n - 200).pow(7), text, vec![7_u8; 90]],
                )
                .unwrap();
            connection
                .execute(
                    "INSERT INTO k VALUES(?1, ?2)",
                    rusqlite::params![format!("k{n}{text}"), n],
                )
                .unwrap();
            if n == 200 {
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
            }
        }
        connection
    }

    #[test]
    fn every_row_of_a_sound_file_is_found_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let connection = database(&path);
        connection.execute("DELETE FROM a WHERE id % 7 = 3", []).unwrap();
        let mut pages = Pages::open(&path).unwrap();
        assert!(pages.logged.images.len() > 10, "half of it is in the log");
        let (mut numbered, mut own) = (Vec::new(), Vec::new());
        for page in 1..=pages.count() {
            let (rows, unreadable) = pages.rows(page).unwrap();
            assert_eq!(unreadable, 0);
            for row in rows {
                assert_eq!(pages.row_at(row.place).unwrap().unwrap().columns, row.columns);
                match row.columns.as_slice() {
                    [Value::Null, Value::Integer(n), Value::Text(text), Value::Blob(bytes)] => {
                        numbered.push((row.number.unwrap(), *n, text.len(), bytes.len()));
                    }
                    [Value::Text(text), Value::Integer(n)] => own.push((*n, text.len())),
                    _ => {}
                }
            }
        }
        numbered.sort_unstable();
        own.sort_unstable();
        let (mut expected, mut expected_own) = (Vec::new(), Vec::new());
        for n in 0..400_i64 {
            let length = 2 * usize::try_from(n * n % 13_000).unwrap();
            if n % 7 != 3 {
                expected.push((n, (n - 200).pow(7), length, 90));
            }
            let mut key = String::new();
            write!(key, "k{n}").unwrap();
            expected_own.push((n, key.len() + length));
        }
        assert!(numbered == expected, "{} rows, not {}", numbered.len(), expected.len());
        assert!(own == expected_own, "{} rows, not {}", own.len(), expected_own.len());
    }

    #[test]
    fn numbers_of_all_lengths_are_read() {
        assert_eq!(varint(&[0x81, 0x00], 0), Some((128, 2)));
        assert_eq!(varint(&[0xff; 9], 0), Some((u64::MAX, 9)));
        assert_eq!(varint(&[0x81], 0), None);
        assert_eq!(columns(&[2, 1, 0xff]), Some(vec![Value::Integer(-1)]));
        assert_eq!(columns(&[9, 1]), None);
    }
}
