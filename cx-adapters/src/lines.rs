//! Lines of a reader, each with its number, none longer than a limit.

use std::io::BufRead;

use crate::RecordError;

/// The longest line or record that is read, in bytes: 16 MiB.
pub const LINE_LIMIT: usize = 16 << 20;

/// What a file is that is no text in UTF-8, told by its first bytes, and what to do with it.
pub(crate) fn foreign(start: &[u8]) -> Option<&'static str> {
    match start {
        [0x1f, 0x8b, ..] => Some("packed (gzip): `gunzip -c FILE | cx import … -` reads it"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            Some("packed (zstd): `zstd -dc FILE | cx import … -` reads it")
        }
        [b'P', b'K', 3, 4, ..] => Some(
            "packed (zip): unpack it first, and save a spreadsheet as a table in UTF-8 (CSV UTF-8)",
        ),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(
            "UTF-16: save it as UTF-8; `iconv -f UTF-16 -t UTF-8 FILE | cx import … -` reads it",
        ),
        _ => None,
    }
}

/// What 0x80 to 0x9f stand for.
const C1: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Bytes read as Windows-1252, which nothing is lost in.
pub(crate) fn windows_1252(bytes: &[u8]) -> String {
    let character = |byte: &u8| match byte {
        0x80..=0x9f => C1.get(usize::from(*byte - 0x80)).copied().unwrap_or('\u{fffd}'),
        _ => char::from(*byte),
    };
    bytes.iter().map(character).collect()
}

/// A line with its ending, and its number counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) bytes: Vec<u8>,
}

impl Line {
    /// The line without its ending.
    pub(crate) fn content(&self) -> &[u8] {
        let line = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        line.strip_suffix(b"\r").unwrap_or(line)
    }
}

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// A line feed, with or without a carriage return before it.
    Feed,
    /// Whatever ends the first line.
    Unknown,
    /// The same, and the first line ended in a carriage return, which may belong to a line feed.
    Returned,
    /// A carriage return, as old programs write, or a line feed.
    Either,
}

impl Ends {
    /// Where the line ends in what was read, if it does: behind its end.
    fn find(&mut self, buffer: &[u8]) -> Option<usize> {
        let is_feed = |byte: &u8| *byte == b'\n';
        let is_either = |byte: &u8| matches!(*byte, b'\n' | b'\r');
        match *self {
            Self::Feed => buffer.iter().position(is_feed).map(|at| at + 1),
            Self::Either => buffer.iter().position(is_either).map(|at| at + 1),
            Self::Returned => {
                let is_pair = buffer.first() == Some(&b'\n');
                *self = if is_pair { Self::Feed } else { Self::Either };
                Some(usize::from(is_pair))
            }
            Self::Unknown => {
                let at = buffer.iter().position(is_either)?;
                if buffer.get(at) == Some(&b'\n') {
                    *self = Self::Feed;
                    return Some(at + 1);
                }
                *self = Self::Returned;
                let rest = buffer.get(at + 1..).filter(|rest| !rest.is_empty())?;
                self.find(rest).map(|more| at + 1 + more)
            }
        }
    }
}

/// The lines of a reader. A line above the limit is skipped and reported; a reader that fails
/// ends them with a report.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    number: u64,
    limit: usize,
    ends: Ends,
    is_over: bool,
}

impl<R: BufRead> Lines<R> {
    pub(crate) const fn new(reader: R, limit: usize) -> Self {
        Self { reader, number: 0, limit, ends: Ends::Feed, is_over: false }
    }

    /// The lines of a file of which the first line tells what ends them.
    pub(crate) const fn told_by_the_first(reader: R, limit: usize) -> Self {
        Self { reader, number: 0, limit, ends: Ends::Unknown, is_over: false }
    }

    /// The same lines, in a file of which so many were read before.
    pub(crate) const fn after(mut self, lines: u64) -> Self {
        self.number = lines;
        self
    }

    /// Reads to the end of the line, keeping `limit` bytes of it; gives how long it is.
    fn read(&mut self, kept: &mut Vec<u8>) -> std::io::Result<usize> {
        let mut length = 0_usize;
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                return Ok(length);
            }
            let end = self.ends.find(buffer);
            let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or(buffer);
            let room = self.limit.saturating_sub(kept.len());
            kept.extend_from_slice(part.get(..room).unwrap_or(part));
            let taken = part.len();
            length = length.saturating_add(taken);
            self.reader.consume(taken);
            if end.is_some() {
                return Ok(length);
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Line, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let mut bytes = Vec::new();
        self.number += 1;
        let read = self.read(&mut bytes);
        if let Some(problem) = foreign(&bytes).filter(|_| self.number == 1) {
            self.is_over = true;
            return Some(Err(RecordError::new(problem)));
        }
        match read {
            Ok(0) => {
                self.is_over = true;
                None
            }
            Ok(length) if length > self.limit => {
                let problem = format!("a line of {length} bytes; at most {} are read", self.limit);
                Some(Err(RecordError::new(problem).on_line(self.number)))
            }
            Ok(_) => Some(Ok(Line { number: self.number, bytes })),
            Err(error) => {
                self.is_over = true;
                Some(Err(RecordError::new(format!("cannot be read: {error}")).on_line(self.number)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, limit: usize) -> Vec<String> {
        // A buffer of two bytes, so that lines span many.
        let reader = std::io::BufReader::with_capacity(2, text.as_bytes());
        Lines::new(reader, limit)
            .map(|line| match line {
                Ok(line) => {
                    format!("{}:{}", line.number, String::from_utf8_lossy(line.content()))
                }
                Err(error) => error.to_string(),
            })
            .collect()
    }

    #[test]
    fn lines_have_numbers_and_any_ending() {
        assert_eq!(read("one\r\n\ntwo", 10), ["1:one", "2:", "3:two"]);
        assert_eq!(read("", 10), [""; 0]);
    }

    #[test]
    fn the_first_line_may_tell_what_ends_them_all() {
        let read = |text: &str, capacity: usize| -> Vec<String> {
            let reader = std::io::BufReader::with_capacity(capacity, text.as_bytes());
            Lines::told_by_the_first(reader, 10)
                .map(|line| {
                    let line = line.unwrap();
                    format!("{}:{}", line.number, String::from_utf8_lossy(line.content()))
                })
                .collect()
        };
        for capacity in 1..5 {
            assert_eq!(read("one\rtwo\rx\n", capacity), ["1:one", "2:two", "3:x"]);
            assert_eq!(read("one\r\ntw\ro\n", capacity), ["1:one", "2:tw\ro"]);
            assert_eq!(read("one\ntw\ro\r\n", capacity), ["1:one", "2:tw\ro"]);
            assert_eq!(read("one\r", capacity), ["1:one"]);
        }
    }

    #[test]
    fn a_file_that_is_no_text_is_told_as_what_it_is() {
        for start in [b"\x1f\x8b\x08\n\n".as_slice(), b"\xff\xfea\0\n\0", b"PK\x03\x04\n\n"] {
            let told: Vec<_> = Lines::new(start, 10).collect();
            let [Err(error)] = told.as_slice() else { panic!("{told:?}") };
            assert_eq!(Some(error.to_string().as_str()), foreign(start));
        }
        assert_eq!(read("x\nPK\u{3}\u{4}\n", 10).len(), 2);
    }

    #[test]
    fn a_line_above_the_limit_is_reported_and_the_next_is_read() {
        assert_eq!(
            read("0123456789\nok\n", 4),
            ["1: a line of 11 bytes; at most 4 are read", "2:ok"]
        );
    }
}
