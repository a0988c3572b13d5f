//! The text of a mail, and what hangs on it.

use cx_core::event::{Attachment, Body};
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, Message, MessagePart, MimeHeaders, PartType};

use super::charsets::decoded;
use super::headers::{Headers, MAIL_WITHIN, parsed_headers};
use super::quote;

/// What was written; `None` where the mail has no text.
pub(super) fn of(message: &Message<'_>) -> Option<Body> {
    let whole = text(message);
    if whole.is_empty() {
        return None;
    }
    let subject = Headers::of(message).text("subject").unwrap_or_default();
    Some(match quote::written(&whole, quote::is_forward(&subject)) {
        Some(text) => Body { text, whole: Some(whole), ..Body::default() },
        None => Body::text(whole),
    })
}

/// The whole text: plain parts where there are any, else HTML as text, else whatever is no file.
/// Lines end in `\n`.
fn text(message: &Message<'_>) -> String {
    let plain = joined(message, &message.text_body);
    if !plain.is_empty() {
        return plain;
    }
    let html = joined(message, &message.html_body);
    if html.is_empty() { joined(message, &nameless(message)) } else { html }
}

fn joined(message: &Message<'_>, parts: &[u32]) -> String {
    let parts = parts.iter().filter_map(|part| message.part(*part));
    let texts = parts.map(|part| match &part.body {
        PartType::Text(read) => {
            let text = meant(message, part, read);
            let is = |subtype: &str| part.is_content_type("text", subtype);
            if is("enriched") || is("richtext") || is("html") {
                readable(&crate::html::text(&text))
            } else {
                readable(&flowing(part, text))
            }
        }
        PartType::Html(read) => readable(&crate::html::text(&meant(message, part, read))),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) if is_nameless(part) => {
            readable(&decoded(bytes, &charset(part, bytes)))
        }
        PartType::Binary(_)
        | PartType::InlineBinary(_)
        | PartType::Message(_)
        | PartType::Multipart(_) => String::new(),
    });
    let texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
    texts.join("\n\n")
}

/// The parts that are taken for files though they may be all that was written: texts without a
/// name, and what has a type that is none.
fn nameless(message: &Message<'_>) -> Vec<u32> {
    let parts = message.attachments.iter().copied();
    parts.filter(|part| message.part(*part).is_some_and(is_nameless)).collect()
}

fn is_nameless(part: &MessagePart<'_>) -> bool {
    let is_file = part.attachment_name().is_some()
        || part.content_disposition().is_some_and(mail_parser::ContentType::is_attachment);
    let is_text = part.content_type().is_none_or(|found| match found.subtype() {
        None => true,
        Some(subtype) => {
            let is = |name: &str| found.ctype().eq_ignore_ascii_case(name);
            is("text") && !subtype.eq_ignore_ascii_case("rfc822-headers") || is("multipart")
        }
    });
    is_text && !is_file
}

/// The charset that a part names, in lower case. HTML may name it within itself; bytes that are
/// UTF-8 count before that, since servers that write them anew leave it as it was.
fn charset(part: &MessagePart<'_>, bytes: &[u8]) -> String {
    let named = part.content_type().and_then(|found| found.attribute("charset"));
    if let Some(named) = named {
        return named.trim().trim_matches(['"', '\'']).to_ascii_lowercase();
    }
    if !matches!(part.body, PartType::Html(_))
        || !bytes.is_ascii() && std::str::from_utf8(bytes).is_ok()
    {
        return String::new();
    }
    let start = bytes.get(..bytes.len().min(1024)).unwrap_or_default();
    let start = String::from_utf8_lossy(start).to_ascii_lowercase();
    let told = start.split("<meta").skip(1).find_map(|tag| {
        let tag = tag.split('>').next()?;
        let value = tag.split_once("charset")?.1.trim_start().strip_prefix('=')?;
        let is_end = |c: char| !(c.is_ascii_alphanumeric() || "-_.:".contains(c));
        value.trim_start().trim_start_matches(['"', '\'']).split(is_end).next()
    });
    told.unwrap_or_default().to_owned()
}

/// The text of a part, from its bytes.
fn meant(message: &Message<'_>, part: &MessagePart<'_>, read: &str) -> String {
    let place = usize::try_from(part.offset_body).ok().zip(usize::try_from(part.offset_end).ok());
    let raw = place.and_then(|(start, end)| message.raw_message.get(start..end));
    let encoding = part.content_transfer_encoding().unwrap_or_default();
    let bytes = raw.and_then(|raw| match part.encoding {
        Encoding::None if encoding.eq_ignore_ascii_case("base64") => Some(leading_base64(raw)),
        Encoding::None => Some(raw.to_vec()),
        Encoding::QuotedPrintable => quoted_printable_decode(raw),
        Encoding::Base64 => base64_decode(raw),
    });
    bytes.map_or_else(|| read.to_owned(), |bytes| decoded(&bytes, &charset(part, &bytes)))
}

/// What is in Base64 up to the first line that is not, and the rest as it is: servers of lists write
/// a line of their own below.
fn leading_base64(raw: &[u8]) -> Vec<u8> {
    let is_of_it = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    let (mut digits, mut at, mut width) = (Vec::new(), 0, None);
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        let content = line.trim_ascii();
        let width = *width.get_or_insert(content.len());
        if content.len() > width || !content.iter().all(is_of_it) {
            break;
        }
        digits.extend_from_slice(content);
        at += line.len();
        // The last line of it is shorter; what looks so below may be a word.
        if content.len() < width || content.ends_with(b"=") {
            break;
        }
    }
    match base64_decode(&digits).filter(|read| !read.is_empty() && digits.len() % 4 == 0) {
        Some(read) => [read.as_slice(), b"\n", raw.get(at..).unwrap_or_default()].concat(),
        None => raw.to_vec(),
    }
}

/// A text of which the lines flow (RFC 3676): one that ends in a space goes on in the next.
fn flowing(part: &MessagePart<'_>, text: String) -> String {
    let told = |name: &str, value: &str| {
        let found = part.content_type().and_then(|found| found.attribute(name));
        found.is_some_and(|found| found.trim().eq_ignore_ascii_case(value))
    };
    if !told("format", "flowed") {
        return text;
    }
    let is_cut = told("delsp", "yes");
    let mut whole = String::with_capacity(text.len());
    // How deeply the line before is quoted, if it goes on.
    let mut open: Option<usize> = None;
    for line in text.lines() {
        let content = line.trim_start_matches('>');
        let depth = line.len() - content.len();
        let content = content.strip_prefix(' ').unwrap_or(content);
        let goes_on = content.ends_with(' ') && content != "-- ";
        if open.is_some_and(|before| before == depth && content != "-- ") {
            if is_cut {
                whole.pop();
            }
        } else {
            if !whole.is_empty() {
                whole.push('\n');
            }
            whole.push_str(&">".repeat(depth));
            if depth > 0 && !content.is_empty() {
                whole.push(' ');
            }
        }
        whole.push_str(content);
        open = goes_on.then_some(depth);
    }
    whole
}

/// Line ends unified; no NUL; nothing but words at both ends. A `-- ` keeps its space.
fn readable(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{0}'], "");
    text.trim_start_matches(['\n', ' ', '\u{feff}']).trim_end().to_owned()
}

/// The files that came with the mail, in its order.
pub(super) fn attachments(message: &Message<'_>) -> Vec<Attachment> {
    let has_text = !joined(message, &message.text_body).is_empty()
        || !joined(message, &message.html_body).is_empty();
    let read = if has_text { Vec::new() } else { nameless(message) };
    let files = message.attachments.iter().filter(|part| !read.contains(part));
    files.filter_map(|part| message.part(*part)).map(attachment).collect()
}

fn attachment(part: &MessagePart<'_>) -> Attachment {
    let written = part.content_type().map(|found| {
        let subtype = found.subtype().unwrap_or("*");
        format!("{}/{subtype}", found.ctype()).to_ascii_lowercase()
    });
    let (media_type, subject) = if written.as_deref() == Some(MAIL_WITHIN) {
        let subject = parsed_headers(part.contents())
            .and_then(|message| Headers::of(&message).text("subject"));
        (Some("message/rfc822".to_owned()), subject)
    } else {
        (written, None)
    };
    let name = part.attachment_name().map(str::to_owned).or(subject);
    let size = u64::try_from(part.len()).ok();
    Attachment { name, media_type, size, sha256: None, url: None }
}

#[cfg(test)]
mod tests {
    use super::super::headers::{parsed, readable};
    use super::*;

    fn read(mail: &str) -> (String, usize) {
        let mail = format!("From: a@example.nl\n{mail}");
        let bytes = readable(mail.as_bytes()).into_owned();
        let message = parsed(&bytes).unwrap();
        (text(&message), attachments(&message).len())
    }

    #[test]
    fn what_was_written_is_a_text_whatever_is_wrong_around_it() {
        let plain = "Content-Type: text/plain\n\n";
        for (mail, expected) in [
            (format!("Content-Type: multipart/mixed; boundary=b\n\n--b\n{plain}body"), "body"),
            (
                format!(
                    "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/alternative; \
                     boundary=c\n\n--c\n{plain}one\n--b\n{plain}two"
                ),
                "one\n\ntwo",
            ),
            (format!("Content-Type: multipart/mixed; boundary=b\n\n--b\n{plain}one\n--b\n{plain}two\n"), "one\n\ntwo"),
            ("Content-Type: text\n\nbody".to_owned(), "body"),
            ("Content-Type: text/enriched\n\n<bold>Hi</bold> there".to_owned(), "Hi there"),
            ("Content-Type: multipart/mixed; boundary=c\n\nbody\n".to_owned(), "body"),
            (
                "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/calendar\n\nBEGIN:VCALENDAR\n--b--\n".to_owned(),
                "BEGIN:VCALENDAR",
            ),
        ] {
            assert_eq!(read(&mail), (expected.to_owned(), 0), "of {mail}");
        }
        let file = "Content-Type: text/plain; name=log.txt\nContent-Disposition: attachment\n\nlog";
        assert_eq!(read(file), (String::new(), 1));
    }

    #[test]
    fn lines_flow_where_the_mail_says_so() {
        let flowed = |more: &str, text: &str| {
            read(&format!("Content-Type: text/plain; format=flowed{more}\n\n{text}")).0
        };
        assert_eq!(
            flowed(
                "",
                "This is a long \nline \n goes on.\nNext\n> quoted \n> more\n>> x\n-- \nJan"
            ),
            "This is a long line goes on.\nNext\n> quoted more\n>> x\n-- \nJan"
        );
        assert_eq!(flowed("; delsp=yes", "This is lo \nng\n\nx"), "This is long\n\nx");
    }

    #[test]
    fn a_line_below_base64_is_text() {
        let start = "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n";
        let read = |body: &str| read(&format!("{start}{body}")).0;
        assert_eq!(
            read("SGVsbG8gd29ybGQ=\n____\nlist mailing list"),
            "Hello world\n____\nlist mailing list"
        );
        assert_eq!(read("Hello world, this is none"), "Hello world, this is none");
    }
}
