//! cx's own events, one JSON object a line.

use std::str;

use cx_core::event::Event;
use serde_json::{Map, Value};

use crate::{Record, RecordError};

/// The longest line that is read. A longer one is no event.
const LONGEST: usize = 16 * 1024 * 1024;

/// The events of a file in cx's own format: see `docs/model.md`. Empty lines are skipped; a line
/// that is no event is an error with its number, and the other lines still come.
///
/// ```
/// let lines = br#"
/// {"key": "pbx/1", "source": {"system": "pbx"}, "kind": "call", "channel": "phone", "occurred_at": "2026-03-04T09:58:00Z"}
/// {"key": "pbx/2", "source": {"system": "pbx"}, "kind": "call", "channel": "phone", "occurred_at": "soon"}"#;
/// let records: Vec<_> = cx_adapters::jsonl::events(lines).collect();
/// assert!(records[0].is_ok());
/// let error = records[1].clone().unwrap_err().to_string();
/// assert!(error.starts_with("3: /occurred_at: \"soon\": "), "{error}");
/// ```
pub fn events(bytes: &[u8]) -> Box<dyn Iterator<Item = Record> + '_> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let lines = (1_u64..).zip(bytes.split(|byte| *byte == b'\n'));
    Box::new(
        lines
            .filter(|(_, line)| !line.trim_ascii().is_empty())
            .map(|(number, line)| event(line).map_err(|error| error.on_line(number))),
    )
}

fn event(line: &[u8]) -> Record {
    if line.len() > LONGEST {
        return Err(RecordError::new(format!("longer than {LONGEST} bytes")));
    }
    let text =
        str::from_utf8(line).map_err(|error| RecordError::new(format!("not UTF-8: {error}")))?;
    let object: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
        let problem = error.to_string();
        let problem = problem.rsplit_once(" at line ").map_or(problem.as_str(), |(text, _)| text);
        RecordError::new(format!("not a JSON object: {problem} (column {})", error.column()))
    })?;
    Ok(Event::from_json(object)?)
}
