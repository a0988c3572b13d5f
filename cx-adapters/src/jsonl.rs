//! cx's own format: one event a line, as JSON.

use std::io::BufRead;

use cx_core::channel::Channel;
use cx_core::event::{Event, Kind};
use serde_json::{Map, Value};

use crate::json::DEPTH_LIMIT;
use crate::lines::{LINE_LIMIT, Line, Lines};
use crate::{Options, Record, RecordError};

/// The events in JSON lines, in their order.
///
/// Blank lines and a byte order mark are skipped. Nothing of the options is used: the events say
/// everything themselves. An error names the line, the field as a JSON pointer, and the value.
///
/// ```
/// let lines = br#"{"key": "till:1/receipt/7", "source": {"system": "till"}, "kind": "message",
/// "#;
/// let options = cx_adapters::Options::default();
/// let error = cx_adapters::jsonl::events(lines, &options).next().unwrap().unwrap_err();
/// assert_eq!(error.line, Some(1));
/// ```
pub fn events<'a>(bytes: &'a [u8], options: &'a Options) -> Box<dyn Iterator<Item = Record> + 'a> {
    Box::new(read(bytes, options))
}

/// The same from a reader: one line at a time is in memory, none longer than
/// [`LINE_LIMIT`].
pub fn read<'a>(
    reader: impl BufRead + 'a,
    _options: &'a Options,
) -> impl Iterator<Item = Record> + 'a {
    Lines::new(reader, LINE_LIMIT).filter_map(|line| match line {
        Ok(line) => event(&line).transpose(),
        Err(error) => Some(Err(error)),
    })
}

/// The event on a line; `None` for a blank one.
fn event(line: &Line) -> Result<Option<Event>, RecordError> {
    let here = |error: RecordError| error.on_line(line.number);
    let text = std::str::from_utf8(line.content()).map_err(|error| {
        let before = String::from_utf8_lossy(line.content());
        let problem = format!("not UTF-8 at byte {}", error.valid_up_to() + 1);
        here(RecordError::new(problem).with_value(&before))
    })?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Ok(None);
    }
    if is_deep(text) {
        let problem = format!("nested more than {DEPTH_LIMIT} levels deep");
        return Err(here(RecordError::new(problem)));
    }
    // Most lines are events; what is wrong with the others is told below.
    if let Ok(event) = Event::from_text(text) {
        return named(event).map(Some).map_err(here);
    }
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let problem = if line.number == 1 && matches!(text, "{" | "[") {
            "an event stands on one line: `jq -c .` writes it so, `jq -c '.[]'` those of a list"
                .to_owned()
        } else {
            format!("not JSON: {}", on_one_line(&error))
        };
        here(RecordError::new(problem).with_value(text))
    })?;
    let object: Map<String, Value> = match value {
        Value::Object(object) => object,
        other => {
            let error = RecordError::new("not a JSON object").with_value(&other.to_string());
            return Err(here(error));
        }
    };
    let event = Event::from_json(object).map_err(|error| here(error.into()))?;
    named(event).map(Some).map_err(here)
}

/// Whether brackets stand in each other more deeply than may be.
fn is_deep(text: &str) -> bool {
    if text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).nth(DEPTH_LIMIT).is_none() {
        return false;
    }
    let (mut depth, mut is_quoted, mut is_escaped) = (0_usize, false, false);
    text.bytes().any(|byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b'{' | b'[' if !is_quoted => depth += 1,
            b'}' | b']' if !is_quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > DEPTH_LIMIT
    })
}

/// The event, if all that it is asked for by has a name.
fn named(event: Event) -> Result<Event, RecordError> {
    event.check_names()?;
    // A name of cx's own in other letters would be one of somebody else's, and mean nothing.
    let otherwise = |place: &str, name: &str, is_own: &dyn Fn(&str) -> bool| {
        let small = name.to_ascii_lowercase();
        let is_meant = !is_own(name) && is_own(&small);
        let error = || RecordError::new(format!("written {small:?}")).at(place);
        is_meant.then(|| error().with_value(&format!("{name:?}")))
    };
    let kind = otherwise("/kind", &event.kind.name(), &|name| Kind::NAMES.contains(&name));
    let is_channel = |name: &str| !matches!(Channel::from_name(name), Channel::Other(_));
    let channel = match &event.channel {
        Channel::Other(name) => otherwise("/channel", name, &is_channel),
        _ => None,
    };
    kind.or(channel).map_or(Ok(event), Err)
}

/// The parser counts lines within the one line it is given, which would mislead.
fn on_one_line(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
}
