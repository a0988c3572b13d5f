//! Mailboxes: many mails in one file, each after a line that begins with `From `.

use std::io::BufRead;

use super::date::{self, Moment};
use crate::RecordError;
use crate::lines::{Line, Lines};

/// The largest mail that is read, in bytes: 64 MiB.
pub const MESSAGE_LIMIT: usize = 64 << 20;

/// A mail as it stands in a mailbox.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// The line where it begins: its `From ` line where it has one.
    pub(super) line: u64,
    /// The mail.
    pub(super) bytes: Vec<u8>,
    /// What the `From ` line says after the word.
    pub(super) envelope: Option<String>,
}

impl Stored {
    /// When the `From ` line says that the mail was received.
    pub(super) fn received_at(&self) -> Option<Moment> {
        self.envelope.as_deref().and_then(date::of_envelope)
    }
}

/// The mails of a mailbox, one in memory at a time.
///
/// A mail begins at a `From ` line at the start or after an empty line, or, with a date in it, before
/// a header: some writers leave out the empty line. Where the first such line carries a date, as it
/// should, so must the others: a sentence that begins with `From ` and was not quoted by the writer
/// begins no mail. `>From ` loses one `>` (mboxrd).
#[derive(Debug)]
pub(super) struct Mbox<R> {
    lines: Lines<R>,
    /// The next line, where it was looked at.
    ahead: Option<Result<Line, RecordError>>,
    limit: usize,
    /// The mail that is being read.
    current: Option<Stored>,
    /// Whether the first `From ` line carries a date; `None` before there is one.
    is_dated: Option<bool>,
    is_after_blank: bool,
    /// How long the mail is so far.
    length: usize,
    /// Why the mail is none.
    failed: Option<RecordError>,
}

impl<R: BufRead> Mbox<R> {
    pub(super) const fn new(reader: R, limit: usize) -> Self {
        Self {
            lines: Lines::new(reader, limit),
            ahead: None,
            limit,
            current: None,
            is_dated: None,
            is_after_blank: true,
            length: 0,
            failed: None,
        }
    }

    /// The same in a file of which so many lines were read before.
    pub(super) fn after(self, lines: u64) -> Self {
        Self { lines: self.lines.after(lines), ..self }
    }

    fn line(&mut self) -> Option<Result<Line, RecordError>> {
        self.ahead.take().or_else(|| self.lines.next())
    }

    /// What a `From ` line that begins a mail says.
    fn envelope(&mut self, line: &Line) -> Option<String> {
        let rest = line.content().strip_prefix(b"From ")?;
        let text = String::from_utf8_lossy(rest).into_owned();
        let begins = match (&self.current, self.is_dated, self.is_after_blank) {
            (None, ..) | (Some(_), None | Some(false), true) => true,
            (Some(_), None | Some(false), false) => false,
            (Some(_), Some(true), is_after_blank) => {
                date::of_envelope(&text).is_some() && (is_after_blank || self.is_before_header())
            }
        };
        begins.then_some(text)
    }

    /// Whether the next line is a header.
    fn is_before_header(&mut self) -> bool {
        if self.ahead.is_none() {
            self.ahead = self.lines.next();
        }
        let Some(Ok(line)) = &self.ahead else { return false };
        let mut name = line.content().split(|byte| *byte == b':');
        let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        name.next().is_some_and(|name| !name.is_empty() && name.iter().all(is_of_name))
            && name.next().is_some()
    }

    fn begin(&mut self, line: u64, envelope: Option<String>) {
        if let (None, Some(text)) = (self.is_dated, &envelope) {
            self.is_dated = Some(date::of_envelope(text).is_some());
        }
        self.length = 0;
        self.failed = None;
        self.is_after_blank = false;
        self.current = Some(Stored { line, bytes: Vec::new(), envelope });
    }

    fn add(&mut self, line: &Line) {
        if self.current.is_none() {
            if line.content().is_empty() {
                return;
            }
            // No `From ` line at all: one mail.
            self.begin(line.number, None);
        }
        self.is_after_blank = line.content().is_empty();
        let unquoted = match &self.current {
            Some(Stored { envelope: Some(_), .. }) => unquoted(&line.bytes),
            _ => &line.bytes,
        };
        self.length = self.length.saturating_add(unquoted.len());
        if let Some(current) = &mut self.current {
            if self.length > self.limit {
                current.bytes = Vec::new();
            } else {
                current.bytes.extend_from_slice(unquoted);
            }
        }
    }

    /// The mail that was read, or why it is none.
    fn complete(&mut self) -> Option<Result<Stored, RecordError>> {
        let mut stored = self.current.take()?;
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        if self.length > self.limit {
            let (length, limit) = (self.length, self.limit);
            let problem = format!("a mail of {length} bytes; at most {limit} are read");
            return Some(Err(RecordError::new(problem).on_line(stored.line)));
        }
        // The empty line before the next `From ` line is no part of the mail.
        if stored.envelope.is_some() {
            for end in [b"\n\r\n".as_slice(), b"\n\n"] {
                if stored.bytes.ends_with(end) {
                    stored.bytes.truncate(stored.bytes.len() - (end.len() - 1));
                }
            }
        }
        Some(Ok(stored))
    }
}

/// `>From ` without its first `>`; any other line as it is.
fn unquoted(line: &[u8]) -> &[u8] {
    let bare = line.iter().position(|byte| *byte != b'>').and_then(|at| line.get(at..));
    let is_quoted = line.starts_with(b">") && bare.is_some_and(|bare| bare.starts_with(b"From "));
    if is_quoted { line.get(1..).unwrap_or_default() } else { line }
}

impl<R: BufRead> Iterator for Mbox<R> {
    type Item = Result<Stored, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.line() {
                None => return self.complete(),
                Some(Ok(line)) => match self.envelope(&line) {
                    None => self.add(&line),
                    Some(envelope) => {
                        let before = self.complete();
                        self.begin(line.number, Some(envelope));
                        if before.is_some() {
                            return before;
                        }
                    }
                },
                // The mail that holds the line goes with it.
                Some(Err(error)) => {
                    if self.current.is_none() {
                        self.begin(error.line.unwrap_or(1), None);
                    }
                    self.failed.get_or_insert(error);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mails(text: &str, limit: usize) -> Vec<String> {
        Mbox::new(text.as_bytes(), limit)
            .map(|stored| match stored {
                Ok(mail) => format!("{}:{}", mail.line, String::from_utf8_lossy(&mail.bytes)),
                Err(error) => error.to_string(),
            })
            .collect()
    }

    const FROM: &str = "From jan@example.nl Fri Feb 22 15:06:23 2008\n";

    #[test]
    fn a_mail_begins_at_a_from_line_after_an_empty_one() {
        let text = format!("{FROM}A: 1\n\nFrom here on\nx\n{FROM}\n{FROM}B: 2\n\ny\n");
        let quoted = FROM;
        assert_eq!(
            mails(&text, 1000),
            [format!("1:A: 1\n\nFrom here on\nx\n{quoted}"), "8:B: 2\n\ny\n".to_owned()]
        );
    }

    #[test]
    fn a_mail_may_follow_a_text_without_an_empty_line() {
        let text = format!("{FROM}A: 1\n\nx\n{FROM}B: 2\n\ny: {FROM}\n");
        assert_eq!(
            mails(&text, 1000),
            ["1:A: 1\n\nx\n".to_owned(), format!("5:B: 2\n\ny: {FROM}")]
        );
    }

    #[test]
    fn quoted_from_lines_lose_one_mark() {
        let text = format!("{FROM}A: 1\n\n>From me\n>>From you\n> From\n");
        assert_eq!(mails(&text, 1000), ["1:A: 1\n\nFrom me\n>From you\n> From\n"]);
    }

    #[test]
    fn a_file_without_from_lines_is_one_mail() {
        assert_eq!(mails("\n\nA: 1\n\n>From me\n", 1000), ["3:A: 1\n\n>From me\n"]);
    }

    #[test]
    fn a_mail_above_the_limit_is_reported_and_the_next_is_read() {
        let text = format!("{FROM}A: 1\n\n{}\n{FROM}B: 2\n", "0123456789\n".repeat(9));
        assert_eq!(mails(&text, 60), ["1: a mail of 106 bytes; at most 60 are read", "14:B: 2\n"]);
    }
}
