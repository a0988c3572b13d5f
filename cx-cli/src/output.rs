//! Writing results: to the standard output, with colours where somebody looks at them.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use cx_core::text::{first_words, steers};
use cx_store::{FactCounts, NewFile};
use serde::Serialize;

use crate::error::CliError;

/// Writes a text as it is.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Writes a text with colours, which are taken out where nobody sees them.
pub(crate) fn print_coloured(text: &str) -> Result<(), CliError> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Writes a line for people, without what could steer their terminal: some of it may be of records.
pub(crate) fn line(text: &str) -> Result<(), CliError> {
    let shown = text.chars().filter(|c| *c == '\n' || !steers(*c));
    print(&(shown.collect::<String>() + "\n"))
}

/// Writes a value as a line of JSON.
pub(crate) fn json_line(value: &impl Serialize) -> Result<(), CliError> {
    print(&(json(value)? + "\n"))
}

/// Writes a text and a line end to a file where nothing stands yet.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), CliError> {
    let mut file = NewFile::create(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n"));
    written.map_err(|error| CliError::Read { path: path.to_owned(), error })?;
    Ok(file.finish()?)
}

/// A value as JSON on one line.
pub(crate) fn json(value: &impl Serialize) -> Result<String, CliError> {
    let text = serde_json::to_string(value).map_err(|error| CliError::Write(error.into()))?;
    Ok(tame_json(&text))
}

/// JSON with the characters escaped that could steer a terminal: it says the same.
pub(crate) fn tame_json(json: &str) -> String {
    let mut tamed = String::with_capacity(json.len());
    for c in json.chars() {
        // Such a character stands in a text, or is the line end between two parts.
        if steers(c) && c != '\n' {
            let escaped = format!("\\u{:04x}", u32::from(c));
            tamed.push_str(&escaped);
        } else {
            tamed.push(c);
        }
    }
    tamed
}

/// Writes an answer: as JSON, or in sentences, a line each.
pub(crate) fn told(
    answer: &impl Serialize,
    sentences: &[String],
    as_json: bool,
) -> Result<ExitCode, CliError> {
    if as_json {
        json_line(answer)?;
    } else {
        for sentence in sentences {
            line(&tame(sentence, 2_000))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A text that others wrote, on one line, without what could steer a terminal.
pub(crate) fn tame(text: &str, limit: usize) -> String {
    let shown = text.chars().map(|c| if c.is_whitespace() || c.is_control() { ' ' } else { c });
    first_words(&shown.filter(|c| !steers(*c)).collect::<String>(), limit)
}

/// `1,234`, as people read counts.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `12 events, 3 assertions …`: facts of each kind.
pub(crate) fn facts(counts: &FactCounts) -> String {
    format!(
        "{}, {}, {}, {} given out, {} of a model, {}, {}, {}",
        counted(counts.events, "event"),
        counted(counts.assertions, "assertion"),
        counted(counts.changes, "change"),
        counted(counts.issued, "customer id"),
        counted(counts.proposals, "proposal"),
        counted(counts.erasures, "erasure"),
        counted(counts.suppressed, "suppression"),
        counted(counts.retentions, "retention"),
    )
}

/// `1 event`, `2 events`.
pub(crate) fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), if n == 1 { "" } else { "s" })
}
