//! Rows of a table: cells, some of them in quotation marks and over several lines.

use std::collections::VecDeque;
use std::io::BufRead;

use crate::RecordError;
use crate::lines::{LINE_LIMIT, Line, Lines};

/// A row, and the line on which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) cells: Vec<String>,
}

/// The rows of a table, blank lines left out.
///
/// A quotation mark that is never closed, and text behind one that closes a cell, spoil their own
/// row and no other: the lines after the first are read again.
#[derive(Debug)]
pub(super) struct Rows<R> {
    lines: Lines<R>,
    /// Lines that are to be read again.
    again: VecDeque<Line>,
    /// How many of them are known to close no cell that is open, and how long these are: what is
    /// read ahead in vain is not read again for each line of it.
    open: usize,
    open_bytes: usize,
    /// What went wrong with a line that was read ahead.
    failed: Option<RecordError>,
    limit: usize,
    delimiter: Option<u8>,
    is_first: bool,
}

impl<R: BufRead> Rows<R> {
    pub(super) const fn new(reader: R, limit: usize, delimiter: Option<u8>) -> Self {
        let lines = Lines::told_by_the_first(reader, LINE_LIMIT);
        Self {
            lines,
            again: VecDeque::new(),
            open: 0,
            open_bytes: 0,
            failed: None,
            limit,
            delimiter,
            is_first: true,
        }
    }

    fn line(&mut self) -> Option<Result<Line, RecordError>> {
        if let Some(line) = self.again.pop_front() {
            if self.open > 0 {
                self.open -= 1;
                self.open_bytes = self.open_bytes.saturating_sub(line.bytes.len());
            }
            return Some(Ok(line));
        }
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        self.lines.next()
    }

    /// The line at a place behind this one, read ahead if need be.
    fn ahead(&mut self, at: usize) -> Option<&Line> {
        while self.again.len() <= at {
            if self.failed.is_some() {
                return None;
            }
            match self.lines.next()? {
                Ok(line) => self.again.push_back(line),
                Err(error) => self.failed = Some(error),
            }
        }
        self.again.get(at)
    }

    fn row(&mut self, first: &Line) -> Result<Row, RecordError> {
        let number = first.number;
        let delimiter = self.delimiter.unwrap_or(b',');
        let mut quoted = Quoted::default();
        quoted.read(&first.bytes, delimiter);
        let mut more = 0;
        if quoted.is_open() && !quoted.is_trailing {
            more = self.open;
            let mut length = first.bytes.len() + self.open_bytes;
            while quoted.is_open() && !quoted.is_trailing && length <= self.limit {
                let Some(line) = self.ahead(more) else { break };
                quoted.read(&line.bytes, delimiter);
                let added = line.bytes.len();
                length += added;
                more += 1;
                if quoted.is_open() && !quoted.is_trailing {
                    (self.open, self.open_bytes) = (more, self.open_bytes + added);
                }
            }
        }
        if let Some(problem) = quoted.problem() {
            let start = String::from_utf8_lossy(first.content()).into_owned();
            return Err(RecordError::new(problem).on_line(number).with_value(&start));
        }
        let mut bytes = first.bytes.clone();
        for line in self.again.drain(..more) {
            bytes.extend_from_slice(&line.bytes);
        }
        if more > 0 {
            (self.open, self.open_bytes) = (0, 0);
        }
        if bytes.len() > self.limit {
            let (length, limit) = (bytes.len(), self.limit);
            let problem = format!("a row of {length} bytes; at most {limit} are read");
            return Err(RecordError::new(problem).on_line(number));
        }
        let cells = cells(&bytes, delimiter).map_err(|error| error.on_line(number))?;
        Ok(Row { line: number, cells })
    }

    /// The first line without its byte order mark; it tells the delimiter. Spreadsheets write that
    /// into a line of its own, `sep=;`, which is left blank.
    fn open(&mut self, mut line: Line) -> Line {
        if let Some(rest) = line.bytes.strip_prefix(b"\xef\xbb\xbf") {
            line.bytes = rest.to_vec();
        }
        let told = match line.content() {
            [name @ .., delimiter] if name.eq_ignore_ascii_case(b"sep=") => Some(*delimiter),
            _ => None,
        };
        if let Some(delimiter) = told {
            self.delimiter.get_or_insert(delimiter);
            line.bytes = Vec::new();
        } else if !is_blank(&line) {
            self.is_first = false;
            self.delimiter.get_or_insert_with(|| delimiter_of(&line.bytes));
        }
        line
    }
}

impl<R: BufRead> Iterator for Rows<R> {
    type Item = Result<Row, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = match self.line()? {
                Ok(line) if self.is_first => self.open(line),
                Ok(line) => line,
                Err(error) => return Some(Err(error)),
            };
            if !is_blank(&line) {
                return Some(self.row(&line));
            }
        }
    }
}

fn is_blank(line: &Line) -> bool {
    line.bytes.iter().all(u8::is_ascii_whitespace)
}

/// The cells of one row. A carriage return within it belongs to its cell.
fn cells(bytes: &[u8], delimiter: u8) -> Result<Vec<String>, RecordError> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .terminator(csv::Terminator::Any(b'\n'))
        .buffer_capacity(bytes.len().max(1))
        .from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    let read = reader.read_byte_record(&mut record);
    read.map_err(|error| RecordError::new(format!("no row: {error}")))?;
    let text = |(position, cell): (usize, &[u8])| {
        String::from_utf8(cell.to_vec()).map_err(|_| {
            let text = String::from_utf8_lossy(cell);
            let problem = "not UTF-8: save the table as UTF-8";
            RecordError::new(problem).at(format!("column {}", position + 1)).with_value(&text)
        })
    };
    record.iter().enumerate().map(text).collect()
}

/// Of comma, semicolon, tab and bar the one that stands most often in the header line, outside
/// quotation marks; the first of them where several do.
fn delimiter_of(header: &[u8]) -> u8 {
    let count = |delimiter: u8| {
        let mut is_quoted = false;
        let outside = header.iter().filter(|byte| {
            is_quoted ^= **byte == b'"';
            !is_quoted && **byte == delimiter
        });
        outside.count()
    };
    let mut best = (b',', count(b','));
    for delimiter in [b';', b'\t', b'|'] {
        let found = count(delimiter);
        if found > best.1 {
            best = (delimiter, found);
        }
    }
    best.0
}

/// Whether the bytes so far end inside quotation marks. A mark opens only at the start of a cell.
#[derive(Debug, Clone, Copy, Default)]
struct Quoted {
    place: Place,
    /// Whether text stood behind a mark that closed a cell.
    is_trailing: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    Bare,
    Open,
    /// After a mark inside: the end, or the first of two that stand for one.
    Mark,
    /// After the end, before the next cell.
    Behind,
}

impl Quoted {
    fn read(&mut self, bytes: &[u8], delimiter: u8) {
        for byte in bytes {
            self.place = match (self.place, *byte) {
                (Place::Open, b'"') => Place::Mark,
                (Place::Open, _) | (Place::Start | Place::Mark, b'"') => Place::Open,
                (_, byte) if byte == delimiter => Place::Start,
                (Place::Mark | Place::Behind, b' ' | b'\t' | b'\r' | b'\n') => Place::Behind,
                (Place::Mark | Place::Behind, _) => {
                    self.is_trailing = true;
                    Place::Bare
                }
                (Place::Start | Place::Bare, _) => Place::Bare,
            };
        }
    }

    /// What is wrong with the marks of a row.
    fn problem(self) -> Option<&'static str> {
        if self.is_trailing {
            Some("text behind a quotation mark that closes a cell")
        } else {
            self.is_open().then_some("a quotation mark that is never closed")
        }
    }

    fn is_open(self) -> bool {
        self.place == Place::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<String> {
        Rows::new(text.as_bytes(), 60, None)
            .map(|row| match row {
                Ok(row) => format!("{}:{}", row.line, row.cells.join("/")),
                Err(error) => error.to_string(),
            })
            .collect()
    }

    #[test]
    fn the_header_line_tells_the_delimiter() {
        assert_eq!(rows("\u{feff}a,b\r\n1,2\r\n"), ["1:a/b", "2:1/2"]);
        assert_eq!(rows("\n\"a,b\";c\n1,5;2"), ["2:a,b/c", "3:1,5/2"]);
        assert_eq!(rows("a\tb\n1\t2"), ["1:a/b", "2:1/2"]);
        assert_eq!(rows("a\n1,2"), ["1:a", "2:1/2"]);
    }

    #[test]
    fn a_carriage_return_ends_a_line_only_where_it_ends_the_first() {
        assert_eq!(rows("a,b\r1,2\r3,\"x\ry\"\r"), ["1:a/b", "2:1/2", "3:3/x\ry"]);
        assert_eq!(rows("a,b\nx\ry,2\nz,\"3\"\r\n"), ["1:a/b", "2:x\ry/2", "3:z/3"]);
        assert_eq!(rows("a,b\r\nx\ry,2\r\n"), ["1:a/b", "2:x\ry/2"]);
    }

    #[test]
    fn a_line_of_its_own_may_tell_the_delimiter() {
        assert_eq!(rows("\u{feff}sep=;\r\na,b;c\r\n1;2\r\n"), ["2:a,b/c", "3:1/2"]);
        assert_eq!(rows("a\nsep=;\n"), ["1:a", "2:sep=;"]);
    }

    #[test]
    fn a_cell_may_have_lines_and_marks() {
        assert_eq!(
            rows("a,b\n\"x\ny\"\"z\",2\n5\" tube,3\n"),
            ["1:a/b", "2:x\ny\"z/2", "4:5\" tube/3"]
        );
    }

    #[test]
    fn a_mark_that_is_never_closed_spoils_its_own_row_only() {
        assert_eq!(
            rows("a,b\n\"x,1\ny,2\nz,3\n"),
            ["1:a/b", "2: \"x,1: a quotation mark that is never closed", "3:y/2", "4:z/3"]
        );
    }

    #[test]
    fn what_is_read_ahead_in_vain_is_read_once() {
        // With a second reading for each line it takes hours.
        let table = format!("a\n{}", "b\",c,\"d\n".repeat(200_000));
        let all = Rows::new(table.as_bytes(), 1 << 20, None);
        assert!(all.skip(1).all(|row| row.is_err()));
        let long = format!("a\n\"x\n\"y\n{}\"z\",1\nb\n", "w\n".repeat(40));
        assert_eq!(
            rows(&long)
                .iter()
                .map(|row| row.chars().take(2).collect())
                .collect::<Vec<String>>()
                .len(),
            45
        );
    }

    #[test]
    fn text_behind_a_closing_mark_spoils_its_own_row_only() {
        let told = "text behind a quotation mark that closes a cell";
        assert_eq!(
            rows("a,b\n\"x,1\ny,\"2\"\n\"z\" ,3\n"),
            [
                "1:a/b".to_owned(),
                format!("2: \"x,1: {told}"),
                "3:y/2".to_owned(),
                "4:z /3".to_owned()
            ]
        );
        assert_eq!(rows("a,b\n\"x\"y,1\n"), ["1:a/b".to_owned(), format!("2: \"x\"y,1: {told}")]);
    }

    #[test]
    fn a_row_above_the_limit_is_reported() {
        let long = "0123456789".repeat(8);
        assert_eq!(
            rows(&format!("a\n{long}\nb\n")),
            ["1:a", "2: a row of 81 bytes; at most 60 are read", "3:b"]
        );
    }
}
