//! The text of a mail, and what hangs on it.

use cx_core::event::{Attachment, Body};
use mail_parser::{Message, MessagePart, MimeHeaders, PartType};

use super::headers::{Headers, MAIL_WITHIN, parsed_headers};
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
        PartType::Text(text) => Some(readable(text)),
        PartType::Html(html) => Some(readable(&of_html(html))),
        PartType::Binary(_)
        | PartType::InlineBinary(_)
        | PartType::Message(_)
        | PartType::Multipart(_) => None,
    });
    let texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
    texts.join("\n\n")
}

/// Line ends unified; no NUL; nothing but words at both ends. A `-- ` keeps its space.
fn readable(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{0}'], "");
    text.trim_start_matches(['\n', ' ', '\u{feff}']).trim_end().to_owned()
}

/// The text of HTML, quotations marked with `>`; where it cannot be read, its tags cut out.
fn of_html(html: &str) -> String {
    let text = html2text::config::plain_no_decorate().string_from_read(html.as_bytes(), 100_000);
    text.unwrap_or_else(|_| {
        let parts = html.split('<').enumerate().map(|(position, part)| {
            if position == 0 { part } else { part.split_once('>').map_or("", |(_, text)| text) }
        });
        parts.collect()
    })
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
