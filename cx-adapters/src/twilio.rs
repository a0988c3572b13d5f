//! Twilio: calls and messages, as its API gives them and as its callbacks tell them.
//!
//! Callbacks are form-encoded; they are read as such, one a line, or as JSON maps of their
//! parameters. They may repeat and overtake each other: all callbacks of a call are one event,
//! whose revision is the callback's sequence number, and the call as the API gives it comes
//! after all of them once it is over.

mod call;
mod message;

use serde_json::{Map, Value};

use crate::json::{self, Documents, Object};
use crate::origin::Origin;
use crate::{Options, Record, RecordError};
use call::Calls;

/// The events in Twilio's records: JSON documents, or form-encoded callbacks, one a line.
///
/// ```
/// let callback = b"CallSid=CA1&From=%2B31612345678&To=%2B31208080808&CallStatus=completed\
///     &Direction=inbound&SequenceNumber=3&CallDuration=61\
///     &Timestamp=Wed%2C+04+Mar+2026+09%3A03%3A07+%2B0000";
/// let options = cx_adapters::Options::of("acme");
/// let events: Vec<_> = cx_adapters::twilio::events(callback, &options).collect::<Result<_, _>>()?;
/// assert_eq!(events[0].key.as_str(), "twilio:acme/call/CA1");
/// assert_eq!(events[0].who[0].identifier().key(), "+31612345678");
/// # Ok::<(), cx_adapters::RecordError>(())
/// ```
pub fn events<'a>(bytes: &'a [u8], options: &'a Options) -> Box<dyn Iterator<Item = Record> + 'a> {
    let origin = Origin::new("twilio", options);
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace() && byte.is_ascii());
    if crate::lines::foreign(bytes).is_some() || matches!(first, None | Some(b'{' | b'[')) {
        let mut calls = Calls::default();
        if call::has_legs(bytes) {
            for document in Documents::new(bytes).flatten() {
                gather(&mut calls, origin, &document.value);
            }
        }
        let calls = calls.read();
        json::records(bytes, move |document| records(origin, &calls, document))
    } else {
        let mut calls = Calls::default();
        if call::has_legs(bytes) {
            forms(bytes).for_each(|(_, form)| gather(&mut calls, origin, &form));
        }
        let calls = calls.read();
        Box::new(forms(bytes).flat_map(move |(number, form)| {
            let records = match Object::of(&form, String::new()) {
                Ok(callback) => records(origin, &calls, &callback),
                Err(error) => vec![Err(error)],
            };
            records.into_iter().map(move |record| record.map_err(|error| error.on_line(number)))
        }))
    }
}

/// Form-encoded bodies, one a line, each with its number.
fn forms(bytes: &[u8]) -> impl Iterator<Item = (u64, Value)> {
    let lines = (1_u64..).zip(bytes.split(|byte| *byte == b'\n'));
    lines.filter(|(_, line)| !line.trim_ascii().is_empty()).map(|(number, line)| {
        let fields: Map<String, Value> = form_urlencoded::parse(line.trim_ascii())
            .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
            .collect();
        (number, Value::Object(fields))
    })
}

/// What a document says of calls that hang together.
fn gather(calls: &mut Calls, origin: Origin<'_>, document: &Value) {
    let documents = document.as_array().map_or(std::slice::from_ref(document), Vec::as_slice);
    for document in documents {
        let Ok(document) = Object::of(document, String::new()) else { continue };
        calls.gather(origin, &document);
        document.list("calls").iter().for_each(|call| calls.gather(origin, call));
    }
}

/// The records of one object, or why it gives none.
type Outcome = Result<Vec<Record>, RecordError>;

fn records(origin: Origin<'_>, calls: &Calls, document: &Object<'_>) -> Vec<Record> {
    for list in ["calls", "messages"] {
        if let Some(Value::Array(_)) = document.get(list) {
            let items = document.objects(list).into_iter();
            return items
                .flat_map(|item| match item {
                    Ok(item) => records(origin, calls, &item),
                    Err(error) => vec![Err(error)],
                })
                .collect();
        }
    }
    one(origin, calls, document).unwrap_or_else(|error| vec![Err(error)])
}

fn one(origin: Origin<'_>, calls: &Calls, object: &Object<'_>) -> Outcome {
    if object.has("ConversationSid") {
        Err(object.problem("ConversationSid", "Twilio Conversations are not read"))
    } else if object.has("CallSid") {
        Ok(call::callback(origin, calls, object))
    } else if object.has("MessageSid") || object.has("SmsSid") {
        message::callback(origin, object)
    } else if object.text("sid").is_some_and(|sid| sid.starts_with("CA")) {
        Ok(vec![call::resource(origin, calls, object)])
    } else if object.text("sid").is_some_and(|sid| sid.starts_with("SM") || sid.starts_with("MM")) {
        message::resource(origin, object)
    } else {
        let fields: Vec<&str> = object.fields().keys().map(String::as_str).take(8).collect();
        Err(object.wrong(format!("not a Twilio call or message: it has {}", fields.join(", "))))
    }
}
