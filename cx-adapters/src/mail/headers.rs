//! The headers of a mail: unfolded, decoded, in their order.

use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;
use mail_parser::parsers::MessageStream;
use mail_parser::{HeaderName, HeaderValue, Message, MessageParser};

use super::charsets;
use crate::lines::windows_1252;

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

/// The media type under which mails within a mail are read: as files, which nobody looks into
/// further than their headers. A mail may hold mails without end.
pub(super) const MAIL_WITHIN: &str = "application/x-mail-within";

/// The reader of a mail's parts. It reads what makes the parts, and leaves every other header as it
/// is written: its readers of dates and of texts may go past the end of a broken one, and take the
/// next header with it.
fn parser() -> MessageParser {
    MessageParser::new()
        .header_content_type(HeaderName::ContentType)
        .header_content_type(HeaderName::ContentDisposition)
        .default_header_raw()
}

/// A mail with its parts. `None` where there are no headers at all.
pub(super) fn parsed(bytes: &[u8]) -> Option<Message<'_>> {
    parser().parse(bytes).filter(|message| !message.parts.is_empty())
}

/// The headers of a mail within a mail.
pub(super) fn parsed_headers(bytes: &[u8]) -> Option<Message<'_>> {
    parser().parse_headers(bytes).filter(|message| !message.parts.is_empty())
}

/// The mail as the parser is to read it.
///
/// Headers that are not UTF-8 are read as Windows-1252, which is what programs that do not encode
/// their headers mostly write. Mails within the mail become files of the type [`MAIL_WITHIN`]. A list
/// of parts that is cut off ends where it is cut, or where the one around it goes on (RFC 2046,
/// 5.1.2).
/// Only the headers of the mail and of its parts are looked at: the same words in a text are text.
pub(super) fn readable(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut readable: Option<Vec<u8>> = None;
    let (mut at, end) = (0, end_of_headers(bytes));
    let mut boundaries = Boundaries::default();
    let mut is_header = true;
    while let Some(line) = next_header(bytes, at) {
        let is_head = at < end;
        let unclosed = boundaries.pass(line);
        if !unclosed.is_empty() {
            let start = || bytes.get(..at).unwrap_or_default().to_vec();
            readable.get_or_insert_with(start).extend(unclosed);
        }
        is_header = boundaries.begin(line) || is_header && !matches!(line, b"\n" | b"\r\n");
        let changed = if is_header {
            boundaries.learn(line);
            type_of_file(line).or_else(|| {
                is_head.then(|| as_windows_1252(line)).flatten().map(String::into_bytes)
            })
        } else {
            None
        };
        if let Some(changed) = changed {
            let start = || bytes.get(..at).unwrap_or_default().to_vec();
            readable.get_or_insert_with(start).extend(changed);
        } else if let Some(readable) = &mut readable {
            readable.extend_from_slice(line);
        }
        at += line.len();
    }
    let unclosed = boundaries.close_from(0);
    if !unclosed.is_empty() {
        let readable = readable.get_or_insert_with(|| bytes.to_vec());
        if !readable.ends_with(b"\n") {
            readable.push(b'\n');
        }
        readable.extend(unclosed);
    }
    readable.map_or(Cow::Borrowed(bytes), Cow::Owned)
}

/// The lines between the parts of a mail, as its headers name them so far.
#[derive(Debug, Default)]
struct Boundaries {
    /// Each with whether it has begun a part and ended none yet.
    named: Vec<(Vec<u8>, bool)>,
    /// Whether there are some whose name was not understood: any such line may be one then.
    is_any: bool,
}

/// The most boundaries that are told apart.
const BOUNDARIES: usize = 100;

impl Boundaries {
    /// Goes past a line; gives the ends of the lists that it leaves open, though they are within its
    /// own.
    fn pass(&mut self, line: &[u8]) -> Vec<u8> {
        if !line.starts_with(b"--") || self.is_any {
            return Vec::new();
        }
        let told = line.get(2..).unwrap_or_default().trim_ascii_end();
        let is = |name: &[u8]| told.strip_prefix(name).filter(|rest| matches!(*rest, b"" | b"--"));
        let found = self.named.iter().position(|(name, _)| is(name).is_some());
        let Some(found) = found else { return Vec::new() };
        let unclosed = self.close_from(found + 1);
        if let Some((name, is_open)) = self.named.get_mut(found) {
            *is_open = told.len() == name.len();
        }
        unclosed
    }

    /// The lines that end the lists that are open, from this one on: those within others first.
    fn close_from(&mut self, first: usize) -> Vec<u8> {
        let mut lines = Vec::new();
        for (name, is_open) in self.named.iter_mut().skip(first).rev().filter(|(_, open)| *open) {
            lines.extend([b"--", name.as_slice(), b"--\n"].concat());
            *is_open = false;
        }
        lines
    }

    /// Whether a part begins below this line.
    fn begin(&self, line: &[u8]) -> bool {
        let Some(rest) = line.strip_prefix(b"--") else { return false };
        self.is_any || self.named.iter().any(|(name, _)| rest.starts_with(name))
    }

    /// Takes the boundary that a content type names.
    fn learn(&mut self, header: &[u8]) {
        let Some(value) = content_type(header) else { return };
        let text = String::from_utf8_lossy(value);
        let lower = text.to_ascii_lowercase();
        if !lower.contains("multipart") {
            return;
        }
        let named = lower.find("boundary").and_then(|at| text.get(at + "boundary".len()..));
        let named = named.and_then(|rest| rest.trim_start().strip_prefix('=')).map(str::trim_start);
        let named = named.and_then(|rest| match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next().filter(|name| !name.contains('\\')),
            None => rest.split([';', ' ', '\t', '\r', '\n']).next(),
        });
        match named.filter(|name| !name.is_empty() && name.is_ascii()) {
            Some(name) if self.named.iter().any(|(known, _)| known == name.as_bytes()) => {}
            Some(name) if self.named.len() < BOUNDARIES => {
                self.named.push((name.as_bytes().to_vec(), false));
            }
            Some(_) | None => self.is_any = true,
        }
    }
}

/// What follows `Content-Type:`; `None` of any other header.
fn content_type(header: &[u8]) -> Option<&[u8]> {
    let (name, rest) = header.split_at_checked("content-type".len())?;
    let colon = rest.iter().position(|byte| *byte == b':')?;
    let (before, value) = rest.split_at_checked(colon)?;
    let is_one = name.eq_ignore_ascii_case(b"content-type") && before.trim_ascii().is_empty();
    is_one.then(|| value.get(1..)).flatten()
}

/// The line at a place; of a content type also the lines into which it is folded.
fn next_header(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
    let mut lines = rest.split_inclusive(|byte| *byte == b'\n');
    let mut length = lines.next()?.len();
    let is_type = rest.get(..12).is_some_and(|name| name.eq_ignore_ascii_case(b"content-type"));
    for line in lines.take_while(|_| is_type) {
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            break;
        }
        length += line.len();
    }
    rest.get(..length)
}

/// The line of a content type that is a mail itself, or a digest of mails, as that of a file or a
/// plain list of parts, with its parameters.
fn type_of_file(line: &[u8]) -> Option<Vec<u8>> {
    let value = content_type(line).filter(|_| line.len() < 10_000)?;
    let value = String::from_utf8_lossy(value).to_ascii_lowercase();
    // What follows are parameters, such as a boundary or a name with the same words.
    let value = value.split(';').next().unwrap_or_default();
    let is_any = |words: &[&str]| words.iter().any(|word| value.contains(word));
    let is_other = is_any(&["rfc822-headers", "global-headers", "global-d"]);
    if value.contains("message") && is_any(&["rfc822", "global"]) && !is_other {
        let parameters = line.iter().position(|byte| *byte == b';').and_then(|at| line.get(at..));
        let start = format!("Content-Type: {MAIL_WITHIN}").into_bytes();
        return Some([start.as_slice(), parameters.unwrap_or(b"\n")].concat());
    }
    let digest = value.contains("multipart") && value.contains("digest");
    digest.then(|| {
        // The boundary keeps its case.
        let line = String::from_utf8_lossy(line).into_owned();
        let place = line.to_ascii_lowercase().find("digest").unwrap_or(line.len());
        let (start, rest) = line.split_at_checked(place).unwrap_or((&line, ""));
        format!("{start}mixed{}", rest.get("digest".len()..).unwrap_or_default()).into_bytes()
    })
}

/// A line that is not UTF-8, read as Windows-1252.
fn as_windows_1252(line: &[u8]) -> Option<String> {
    std::str::from_utf8(line).is_err().then(|| windows_1252(line))
}

/// The longest headers that are read, in bytes: 1 MiB. Servers take far fewer.
pub(super) const HEADERS_LIMIT: usize = 1 << 20;

/// Where the headers end: at the first empty line.
pub(super) fn end_of_headers(bytes: &[u8]) -> usize {
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if matches!(line, b"\n" | b"\r\n") {
            return at;
        }
        at += line.len();
    }
    at
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
    let line = format!("{}\n", whole_words(raw));
    match MessageStream::new(line.as_bytes()).parse_unstructured() {
        HeaderValue::Text(text) => text.trim().to_owned(),
        _ => String::new(),
    }
}

/// A value in which encoded words that belong together are one word, in UTF-8: many programs end a
/// word within a character, which the next one goes on with. Charsets are those that texts are read
/// in. Without such words the value is as it was.
fn whole_words(raw: &str) -> Cow<'_, str> {
    let mut whole = String::new();
    let (mut kept, mut at) = (0, 0);
    while let Some(start) = raw.get(at..).and_then(|rest| rest.find("=?")).map(|place| at + place) {
        let Some(first) = Word::at(raw, start) else {
            at = start + "=?".len();
            continue;
        };
        let mut bytes = first.bytes.clone();
        at = first.end;
        while let Some(next) = first.next(raw, at) {
            bytes.extend(next.bytes);
            at = next.end;
        }
        whole.push_str(raw.get(kept..start).unwrap_or_default());
        whole.push_str("=?utf-8?Q?");
        let text = charsets::decoded(&bytes, &first.charset);
        whole.extend(text.bytes().map(|byte| format!("={byte:02X}")));
        whole.push_str("?=");
        kept = at;
    }
    if kept == 0 {
        return Cow::Borrowed(raw);
    }
    whole.push_str(raw.get(kept..).unwrap_or_default());
    Cow::Owned(whole)
}

/// An encoded word: the bytes that it stands for, their charset in lower case, and where it ends.
struct Word {
    charset: String,
    bytes: Vec<u8>,
    end: usize,
}

impl Word {
    /// The word that begins at a place.
    fn at(raw: &str, start: usize) -> Option<Self> {
        let inner = raw.get(start..)?.strip_prefix("=?")?;
        let (charset, rest) = inner.split_once('?')?;
        let (encoding, rest) = rest.split_once('?')?;
        // A word has no question mark in it, so no search goes further than the next one.
        let (text, after) = rest.split_once('?')?;
        let after = after.strip_prefix('=')?;
        // A language may follow the charset (RFC 2231).
        let charset = charset.split('*').next().unwrap_or_default();
        let is_name = |c: char| c.is_ascii_graphic() && c != '=';
        if charset.len() < 2 || !charset.chars().all(is_name) {
            return None;
        }
        let bytes = match encoding {
            "b" | "B" => base64_decode(text.trim().as_bytes())?,
            "q" | "Q" => quoted(text.as_bytes()),
            _ => return None,
        };
        let (charset, end) = (charset.to_ascii_lowercase(), raw.len() - after.len());
        Some(Self { charset, bytes, end })
    }

    /// The word that goes on with this one, from a place on: with nothing but space between.
    fn next(&self, raw: &str, at: usize) -> Option<Self> {
        let rest = raw.get(at..)?;
        let space = rest.len() - rest.trim_ascii_start().len();
        Self::at(raw, at + space).filter(|next| next.charset == self.charset)
    }
}

/// The bytes of a word in the encoding `Q`. What is none of it stands for itself.
fn quoted(text: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let pair = digit(text.get(at + 1)).zip(digit(text.get(at + 2)));
        let coded = pair
            .filter(|_| *byte == b'=')
            .and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(coded.unwrap_or(if *byte == b'_' { b' ' } else { *byte }));
        at += if coded.is_some() { 3 } else { 1 };
    }
    bytes
}

/// Whoever a header lists. Entries without an address are left out.
pub(super) fn mailboxes(raw: &str) -> Vec<Mailbox> {
    let line = format!("{}\n", whole_words(raw));
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

/// A display name: without quotation marks around it, and not the address again. Groups write
/// `'Jan' via Support` for what they pass on.
fn name_of(name: &str, address: &str) -> Option<String> {
    let name = name.trim();
    let passed_on = name.strip_prefix('\'').and_then(|rest| rest.split_once("' via "));
    let name = passed_on.map_or(name, |(name, _)| name).trim_matches(['\'', '"']).trim();
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
    fn no_header_takes_the_next_one_with_it() {
        let broken = [
            "Date: Mon, 02 Mar 2026 09:00:00 UT",
            "Date: Mon, 02 Mar 2026 09:00:00 Z",
            "Date: Mon, 02 Mar 2026 09:00:00 GM",
            "Date: Mon, 02 Mar 2026 09:00:00 AM",
            "Date: =?utf-8?B?",
            "Date: ",
            "Resent-Date: Mon, 02 Mar 2026 09:00:00 A",
            "Received: from a by b; Mon, 02 Mar 2026 09:00:00 Z",
            "Subject: =?utf-8?B?",
            "Message-ID: <",
            "Content-Transfer-Encoding: =?utf-8?B?",
            "Content-Description: =?utf-8?q?",
            "Content-ID: <",
            "Keywords: \"",
            "To: \"Jan",
            "X-Odd: =?",
        ];
        for broken in broken {
            for end in ["\n", "\r\n"] {
                let mail =
                    format!("{broken}{end}From: Jan <jan@example.nl>{end}X-Last: 1{end}{end}Hi");
                let headers = with(mail.as_bytes(), |headers| {
                    headers
                        .all()
                        .map(|(name, value)| format!("{name}: {value}"))
                        .collect::<Vec<_>>()
                });
                assert_eq!(
                    headers,
                    [broken, "From: Jan <jan@example.nl>", "X-Last: 1"],
                    "{mail:?}"
                );
            }
        }
    }

    #[test]
    fn a_character_may_end_in_the_next_encoded_word() {
        let cut = "=?utf-8?B?5pel5g==?= =?UTF-8?B?nKzoqp7jg4bjgrnjg4g=?=";
        assert_eq!(decoded(cut), "日本語テスト");
        assert_eq!(decoded("Re: =?utf-8?Q?caf=C3?=\t=?utf-8?Q?=A9_au?= lait"), "Re: café au lait");
        // No UTF-8, a charset by another name, and one that nobody knows.
        assert_eq!(decoded("=?utf-8?Q?Caf=E9?="), "Café");
        assert_eq!(decoded("=?cp932?B?ko2VtodA?="), "注文①");
        assert_eq!(decoded("=?x-none?Q?a=20b?="), "a b");
        // Time grows with the length alone.
        for word in ["=?a", "=?aa?q?", "=?aa?b?", "=?aa?q?a?", "=?aa?q?a?= "] {
            let long = word.repeat(100_000);
            assert!(whole_words(&long).len() > 100_000);
        }
        // What is no encoded word is text.
        for text in ["=?utf-8?X?a?=", "=? b ?=", "a =?utf-8?Q?b", "=??Q?a?="] {
            assert_eq!(decoded(text), text);
        }
        let named = mailboxes("=?utf-8?B?5pel5g==?= =?utf-8?B?nKw=?= <a@example.jp>, b@example.jp");
        assert_eq!(named[0].name.as_deref(), Some("日本"));
        assert_eq!(named[1].address, "b@example.jp");
    }

    #[test]
    fn headers_in_eight_bits_are_read() {
        let mail = b"From: Ren\xe9 <rene@example.nl>\nSubject: Caf\xe9 \x80 5\n\nb\xf6dy";
        assert_eq!(with(mail, |headers| headers.text("subject")).unwrap(), "Café € 5");
        let from = with(mail, |headers| headers.mailboxes("from"));
        assert_eq!(from[0].name.as_deref(), Some("René"));
    }

    #[test]
    fn mails_within_a_mail_are_files() {
        let mail = "Content-Type: multipart/Digest;\n boundary=B\n\n--B\nCONTENT-TYPE: message/\n rfc822\n\nA: b\n--B--\n";
        assert_eq!(
            String::from_utf8_lossy(&readable(mail.as_bytes())),
            format!(
                "Content-Type: multipart/mixed;\n boundary=B\n\n--B\nContent-Type: {MAIL_WITHIN}\n\nA: b\n--B--\n"
            )
        );
        let report =
            b"Content-Type: message/delivery-status\n\nContent-Type: text/rfc822-headers\n";
        assert_eq!(*readable(report), *report.as_slice());
    }

    #[test]
    fn a_header_in_a_text_is_text() {
        for mail in [
            "Subject: a\n\nIt says:\nContent-Type: message/rfc822; name=x\nWhy?\n",
            "Content-Type: multipart/mixed; boundary=B\n\n--B\n\nIt says:\n--C\nContent-Type: message/rfc822\n--B--\n",
        ] {
            assert_eq!(*readable(mail.as_bytes()), *mail.as_bytes());
        }
        let within = "Content-Type: multipart/mixed; boundary=\"a b\"\n\n--a b\nContent-Type: message/rfc822;\n name=\"Order.eml\"\n\nContent-Type: message/rfc822\n--a b--\n";
        assert_eq!(
            String::from_utf8_lossy(&readable(within.as_bytes())),
            within.replacen("message/rfc822", MAIL_WITHIN, 1)
        );
        let odd = "Content-Type: multipart/mixed; boundary*0=a;\n boundary*1=b\n\n--ab\nContent-Type: message/rfc822\n\n--ab--\n";
        assert_eq!(
            String::from_utf8_lossy(&readable(odd.as_bytes())),
            odd.replacen("message/rfc822", MAIL_WITHIN, 1)
        );
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
