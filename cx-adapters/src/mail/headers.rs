//! The headers of a mail: unfolded, decoded, in their order.

use std::borrow::Cow;

use mail_parser::parsers::MessageStream;
use mail_parser::{HeaderValue, Message, MessageParser};

/// Name and address of somebody, as a header has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mailbox {
    pub(super) name: Option<String>,
    pub(super) address: String,
}

/// The headers of a mail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Headers<'m> {
    message: &'m Message<'m>,
}

impl<'m> Headers<'m> {
    pub(super) const fn of(message: &'m Message<'m>) -> Self {
        Self { message }
    }

    /// Every header, name and value, unfolded but not decoded, in the order of the mail.
    pub(super) fn all(self) -> impl Iterator<Item = (&'m str, String)> {
        let message = self.message;
        let headers = message.parts.first().map(|part| part.headers.as_slice()).unwrap_or_default();
        headers.iter().map(|header| {
            let bytes = bytes(message, header.offset_start, header.offset_end);
            (header.name.as_str(), unfolded(&String::from_utf8_lossy(bytes)))
        })
    }

    /// The values of the headers with this name (in lower case), unfolded but not decoded.
    pub(super) fn raw(self, name: &str) -> Vec<String> {
        self.all()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    /// The first value with this name, without its encoded words; `None` where it is empty.
    pub(super) fn text(self, name: &str) -> Option<String> {
        let raw = self.raw(name).into_iter().next()?;
        Some(decoded(&raw)).filter(|text| !text.is_empty())
    }

    /// Whoever the headers with this name list. Entries without an address are left out.
    pub(super) fn mailboxes(self, name: &str) -> Vec<Mailbox> {
        self.raw(name).iter().flat_map(|raw| mailboxes(raw)).collect()
    }
}

/// A mail with its parts. `None` where there are no headers at all.
///
/// Headers that are not UTF-8 are read as Windows-1252, which is what programs that do not encode
/// their headers mostly write.
pub(super) fn parsed(bytes: &[u8]) -> Option<Message<'_>> {
    MessageParser::default().parse(bytes).filter(|message| !message.parts.is_empty())
}

/// The mail with headers in UTF-8.
pub(super) fn readable(bytes: &[u8]) -> Cow<'_, [u8]> {
    let end = end_of_headers(bytes);
    let (head, body) = bytes.split_at_checked(end).unwrap_or((bytes, b""));
    if std::str::from_utf8(head).is_ok() {
        return Cow::Borrowed(bytes);
    }
    let mut readable = Vec::with_capacity(bytes.len() + 64);
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        match std::str::from_utf8(line) {
            Ok(text) => readable.extend_from_slice(text.as_bytes()),
            Err(_) => readable.extend(windows_1252(line).bytes()),
        }
    }
    readable.extend_from_slice(body);
    Cow::Owned(readable)
}

fn end_of_headers(bytes: &[u8]) -> usize {
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if matches!(line, b"\n" | b"\r\n") {
            return at;
        }
        at += line.len();
    }
    at
}

/// What 0x80 to 0x9f stand for.
const C1: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

fn windows_1252(bytes: &[u8]) -> String {
    let character = |byte: &u8| match byte {
        0x80..=0x9f => C1.get(usize::from(*byte - 0x80)).copied().unwrap_or('\u{fffd}'),
        _ => char::from(*byte),
    };
    bytes.iter().map(character).collect()
}

fn bytes<'m>(message: &'m Message<'_>, start: u32, end: u32) -> &'m [u8] {
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    range.and_then(|(start, end)| message.raw_message.get(start..end)).unwrap_or_default()
}

fn unfolded(raw: &str) -> String {
    raw.replace("\r\n", "\n").replace("\n\t", " ").replace('\n', "").trim().to_owned()
}

/// A value without its encoded words (RFC 2047).
pub(super) fn decoded(raw: &str) -> String {
    let line = format!("{raw}\n");
    match MessageStream::new(line.as_bytes()).parse_unstructured() {
        HeaderValue::Text(text) => text.trim().to_owned(),
        _ => String::new(),
    }
}

fn mailboxes(raw: &str) -> Vec<Mailbox> {
    let line = format!("{raw}\n");
    let HeaderValue::Address(list) = MessageStream::new(line.as_bytes()).parse_address() else {
        return Vec::new();
    };
    let mailbox = |found: &mail_parser::Addr<'_>| {
        let address = found.address.as_deref()?.trim();
        let (local, domain) = address.rsplit_once('@')?;
        let is_one = !local.is_empty() && !domain.is_empty();
        let name = found.name.as_deref().and_then(|name| name_of(name, address));
        is_one.then(|| Mailbox { name, address: address.to_owned() })
    };
    list.iter().filter_map(mailbox).collect()
}

/// A display name: without quotation marks around it, and not the address again.
fn name_of(name: &str, address: &str) -> Option<String> {
    let name = name.trim().trim_matches(['\'', '"']).trim();
    let says_something = !name.is_empty() && !name.eq_ignore_ascii_case(address);
    says_something.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(mail: &[u8], read: impl Fn(Headers<'_>) -> T) -> T {
        let bytes = readable(mail);
        read(Headers::of(&parsed(&bytes).unwrap()))
    }

    #[test]
    fn headers_are_unfolded_and_decoded() {
        let mail = b"Subject: =?iso-8859-1?q?Caf=E9?=\r\n =?utf-8?b?4oKs?= now\r\n\r\n";
        assert_eq!(with(mail, |headers| headers.text("subject")).unwrap(), "Café€ now");
    }

    #[test]
    fn headers_in_eight_bits_are_read() {
        let mail = b"From: Ren\xe9 <rene@example.nl>\nSubject: Caf\xe9 \x80 5\n\nb\xf6dy";
        assert_eq!(with(mail, |headers| headers.text("subject")).unwrap(), "Café € 5");
        let from = with(mail, |headers| headers.mailboxes("from"));
        assert_eq!(from[0].name.as_deref(), Some("René"));
    }

    #[test]
    fn a_list_of_people_may_have_groups_and_junk() {
        let mail = b"To: undisclosed-recipients:;\nCc: Team: a@example.nl, 'Jan' <b@example.nl>; nobody\n\n";
        assert_eq!(with(mail, |headers| headers.mailboxes("to")), []);
        let cc: Vec<_> = with(mail, |headers| headers.mailboxes("cc"));
        let addresses: Vec<_> = cc.iter().map(|one| one.address.as_str()).collect();
        assert_eq!(addresses, ["a@example.nl", "b@example.nl"]);
        assert_eq!(cc[1].name.as_deref(), Some("Jan"));
    }
}
