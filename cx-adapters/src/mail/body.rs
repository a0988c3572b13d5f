//! The text of a mail, and what hangs on it.

use std::borrow::Cow;

use cx_core::event::{Attachment, Body};
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Encoding, Message, MessagePart, MimeHeaders, PartType};

use super::headers::{Headers, MAIL_WITHIN, parsed_headers, windows_1252};
use super::quote;

/// What was written; `None` where the mail has no text.
pub(super) fn of(message: &Message<'_>) -> Option<Body> {
    let whole = text(message);
    if whole.is_empty() {
        return None;
    }
    Some(match quote::written(&whole) {
        Some(text) => Body { text, whole: Some(whole), ..Body::default() },
        None => Body::text(whole),
    })
}

/// The whole text: plain parts where there are any, else HTML as text. Lines end in `\n`.
fn text(message: &Message<'_>) -> String {
    let plain = joined(message, &message.text_body);
    if plain.is_empty() { joined(message, &message.html_body) } else { plain }
}

fn joined(message: &Message<'_>, parts: &[u32]) -> String {
    let parts = parts.iter().filter_map(|part| message.part(*part));
    let texts = parts.filter_map(|part| match &part.body {
        PartType::Text(text) => Some(readable(&meant(message, part, text))),
        PartType::Html(html) => Some(readable(&crate::html::text(&meant(message, part, html)))),
        PartType::Binary(_)
        | PartType::InlineBinary(_)
        | PartType::Message(_)
        | PartType::Multipart(_) => None,
    });
    let texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
    texts.join("\n\n")
}

/// The text of a part. Where its charset is not named, or cannot be what it is, the bytes tell:
/// UTF-8, else Windows-1252, as in headers.
fn meant<'t>(message: &Message<'_>, part: &MessagePart<'_>, read: &'t str) -> Cow<'t, str> {
    let charset = part.content_type().and_then(|found| found.attribute("charset"));
    let charset = charset.unwrap_or_default().trim().to_ascii_lowercase();
    let is_ascii = ["", "us-ascii", "ascii", "ansi_x3.4-1968"].contains(&charset.as_str());
    let is_known = charset.starts_with("utf") || charset_decoder(charset.as_bytes()).is_some();
    if read.is_ascii() || is_known && !is_ascii {
        return Cow::Borrowed(read);
    }
    let place = usize::try_from(part.offset_body).ok().zip(usize::try_from(part.offset_end).ok());
    let raw = place.and_then(|(start, end)| message.raw_message.get(start..end));
    let bytes = raw.and_then(|raw| match part.encoding {
        Encoding::None => Some(raw.to_vec()),
        Encoding::QuotedPrintable => quoted_printable_decode(raw),
        Encoding::Base64 => base64_decode(raw),
    });
    match bytes.map(String::from_utf8) {
        Some(Ok(text)) => Cow::Owned(text),
        Some(Err(error)) => Cow::Owned(windows_1252(error.as_bytes())),
        None => Cow::Borrowed(read),
    }
}

/// Line ends unified; no NUL; nothing but words at both ends. A `-- ` keeps its space.
fn readable(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{0}'], "");
    text.trim_start_matches(['\n', ' ', '\u{feff}']).trim_end().to_owned()
}

/// The files that came with the mail, in its order.
pub(super) fn attachments(message: &Message<'_>) -> Vec<Attachment> {
    message.attachments.iter().filter_map(|part| message.part(*part)).map(attachment).collect()
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
