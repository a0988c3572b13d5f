//! Lines of a reader, each with its number, none longer than a limit.

use std::io::BufRead;

use crate::RecordError;

/// The longest line or record that is read, in bytes: 16 MiB.
pub const LINE_LIMIT: usize = 16 << 20;

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

/// The lines of a reader. A line above the limit is skipped and reported; a reader that fails
/// ends them with a report.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    number: u64,
    limit: usize,
    is_over: bool,
}

impl<R: BufRead> Lines<R> {
    pub(crate) const fn new(reader: R, limit: usize) -> Self {
        Self { reader, number: 0, limit, is_over: false }
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
            let end = buffer.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
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
        match self.read(&mut bytes) {
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
    fn a_line_above_the_limit_is_reported_and_the_next_is_read() {
        assert_eq!(
            read("0123456789\nok\n", 4),
            ["1: a line of 11 bytes; at most 4 are read", "2:ok"]
        );
    }
}
