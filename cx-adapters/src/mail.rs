//! Mail: single messages (`.eml`) and mailboxes (`mbox`).

mod date;
mod charsets;
mod headers;
mod mbox;
mod thread;
mod quote;
mod body;
mod authentication;
mod people;
mod report;
mod message;

use std::io::{BufRead, Read};

pub use mbox::MESSAGE_LIMIT;

use crate::{Options, Record, RecordError};
use mbox::{Mbox, Stored};

/// The events in a mail or a mailbox. What begins with `From ` is a mailbox.
///
/// Each mail is a message, keyed by its Message-ID; a report on mails of ours is one event for
/// each recipient. Threads come from `References` and `In-Reply-To`: a conversation carries the
/// ids of all its mails as aliases, so mails come together in any order of arrival, and never by
/// their subject.
///
/// ```
/// let mail = b"From: Jan <jan@example.nl>\nTo: help@acme.example\nMessage-ID: <1@example.nl>\n\
///     Date: Mon, 2 Mar 2026 09:00:00 +0100\nSubject: My order\n\nWhere is it?\n-- \nJan\n";
/// let options = cx_adapters::Options::of("help");
/// let event = cx_adapters::mail::events(mail, &options).next().unwrap()?;
/// assert_eq!(event.key.as_str(), "mail:help/msgid/1@example.nl");
/// assert_eq!(event.body.unwrap().text, "Where is it?");
/// # Ok::<(), cx_adapters::RecordError>(())
/// ```
pub fn events<'a>(bytes: &'a [u8], options: &'a Options) -> Box<dyn Iterator<Item = Record> + 'a> {
    Box::new(read(bytes, options))
}

/// The same from a reader: one mail at a time is in memory, none larger than [`MESSAGE_LIMIT`].
pub fn read<'a>(
    mut reader: impl BufRead + 'a,
    options: &'a Options,
) -> impl Iterator<Item = Record> + 'a {
    let mut start = Vec::new();
    let opened = skip_blank(&mut reader)
        .and_then(|lines| reader.by_ref().take(5).read_to_end(&mut start).map(|_| lines));
    let is_mailbox = start == b"From ";
    let whole = std::io::Cursor::new(start).chain(reader);
    let (mailbox, single) = match opened {
        Err(error) => (None, Some(Err(RecordError::new(format!("cannot be read: {error}"))))),
        Ok(lines) if is_mailbox => (Some(Mbox::new(whole, MESSAGE_LIMIT).after(lines)), None),
        Ok(lines) => (None, single(whole, lines + 1).transpose()),
    };
    let stored = mailbox.into_iter().flatten().chain(single);
    stored.flat_map(move |stored| match stored {
        Ok(stored) => message::records(&stored, options),
        Err(error) => vec![Err(error)],
    })
}

/// Passes over a byte order mark and the empty lines before the first mail; gives how many.
fn skip_blank(reader: &mut impl BufRead) -> std::io::Result<u64> {
    const MARK: [u8; 3] = *b"\xef\xbb\xbf";
    let mut lines = 0_u64;
    loop {
        let buffer = match reader.fill_buf() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        // What a mark may begin with begins no mail.
        let is_skipped = |byte: &u8| matches!(byte, b'\n' | b'\r') || MARK.contains(byte);
        let blank = buffer.iter().take_while(|byte| is_skipped(byte)).count();
        lines += buffer.iter().take(blank).map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
        let is_over = blank < buffer.len() || buffer.is_empty();
        reader.consume(blank);
        if is_over {
            return Ok(lines);
        }
    }
}

/// The mail in a file of Apple Mail (`.emlx`): a line with its length stands before it, and what the
/// program keeps of it behind it. `None` in any other file.
fn within_its_length(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().take(32).position(|byte| *byte == b'\n')?;
    let (first, mail) = bytes.split_at_checked(end + 1)?;
    let length: usize = std::str::from_utf8(first).ok()?.trim().parse().ok()?;
    mail.get(..length)
}

/// The one mail in a file, and the line where it begins; `None` for an empty one.
fn single(reader: impl Read, line: u64) -> Result<Option<Stored>, RecordError> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MESSAGE_LIMIT).unwrap_or(u64::MAX);
    let read = reader.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|error| RecordError::new(format!("cannot be read: {error}")))?;
    if bytes.len() > MESSAGE_LIMIT {
        let problem = format!("a mail of more than {MESSAGE_LIMIT} bytes");
        return Err(RecordError::new(problem));
    }
    if let Some(problem) = crate::lines::foreign(&bytes) {
        return Err(RecordError::new(problem));
    }
    let (bytes, line) = match within_its_length(&bytes) {
        Some(mail) => (mail.to_vec(), line + 1),
        None => (bytes, line),
    };
    let is_empty = bytes.iter().all(u8::is_ascii_whitespace);
    Ok((!is_empty).then_some(Stored { line, bytes, envelope: None }))
}
