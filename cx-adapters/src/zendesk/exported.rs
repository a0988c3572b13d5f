//! Ticket events, as the incremental export gives them: audits under other names.

use serde_json::{Map, Value, json};

use super::{File, Outcome, audit};
use crate::RecordError;
use crate::json::Object;

/// Fields of a child event that are no changed field of the ticket.
const AROUND: &[&str] = &[
    "id",
    "type",
    "event_type",
    "via",
    "via_reference_id",
    "previous_value",
    "added_tags",
    "removed_tags",
];

/// The events of the audit that a ticket event is.
pub(super) fn records(file: &File<'_>, told: &Object<'_>) -> Outcome {
    let mut problems = Vec::new();
    let mut events = Vec::new();
    for child in told.objects("child_events") {
        match child.and_then(|child| children(&child)) {
            Ok(more) => events.extend(more),
            Err(error) => problems.push(Err(error)),
        }
    }
    let mut known = told.rest(&["child_events", "updater_id", "via", "event_type", "timestamp"]);
    let created = told.get("created_at").or_else(|| told.get("timestamp"));
    for (name, value) in [("created_at", created), ("author_id", told.get("updater_id"))] {
        known.extend(value.map(|value| (name.to_owned(), value.clone())));
    }
    known.extend(via(told).map(|via| ("via".to_owned(), via)));
    // What the export says of the place stands in an audit's metadata.
    if let Some(system) = known.remove("system") {
        let metadata = known.entry("metadata").or_insert_with(|| json!({}));
        if let Value::Object(metadata) = metadata {
            metadata.insert("system".to_owned(), system);
        }
    }
    known.insert("events".to_owned(), Value::Array(events));
    let known = Value::Object(known);
    let mut records = audit::records(file, &Object::of(&known, told.place_of_all())?, None)?;
    records.extend(problems);
    Ok(records)
}

/// `Web form` as the API writes it elsewhere: an object with the channel `web_form`.
fn via(told: &Object<'_>) -> Option<Value> {
    match told.get("via")? {
        Value::String(name) => {
            Some(json!({"channel": name.to_ascii_lowercase().replace(' ', "_")}))
        }
        other => Some(other.clone()),
    }
}

/// The events of an audit that a child event is: one for each field that it names.
fn children(child: &Object<'_>) -> Result<Vec<Value>, RecordError> {
    let kind = child.first_text(&["event_type", "type"]).unwrap_or_default();
    let mut event = child.rest(&["event_type", "via"]);
    event.insert("type".to_owned(), kind.clone().into());
    event.extend(via(child).map(|via| ("via".to_owned(), via)));
    let is_comment = kind == "Comment" || kind == "VoiceComment";
    if is_comment && !["body", "plain_body", "html_body", "data"].iter().any(|it| child.has(it)) {
        let problem = "a comment without its text: ask for ?include=comment_events";
        return Err(child.wrong(problem));
    }
    if is_comment || !["Change", "Create"].contains(&kind.as_str()) {
        return Ok(vec![Value::Object(event)]);
    }
    let id = child.need("id")?;
    let fields = child.fields().iter().filter(|(name, _)| !AROUND.contains(&name.as_str()));
    let changes = fields.enumerate().map(|(position, (name, value))| {
        let mut event = Map::new();
        let id = if position == 0 { id.clone() } else { format!("{id}.{name}") };
        event.insert("id".to_owned(), id.into());
        event.insert("type".to_owned(), kind.clone().into());
        event.insert("field_name".to_owned(), name.clone().into());
        event.insert("value".to_owned(), value.clone());
        let before = match tags_before(child, name, value) {
            Some(before) => Some(before),
            None => child.get("previous_value").cloned(),
        };
        event.extend(before.map(|before| ("previous_value".to_owned(), before)));
        event.extend(via(child).map(|via| ("via".to_owned(), via)));
        Value::Object(event)
    });
    Ok(changes.collect())
}

/// The tags before, where the child event names those that were put and taken.
fn tags_before(child: &Object<'_>, name: &str, now: &Value) -> Option<Value> {
    let is_told = child.has("added_tags") || child.has("removed_tags");
    let now = now.as_array().filter(|_| name == "tags" && is_told)?;
    let added = child.texts("added_tags");
    let kept =
        now.iter().filter(|tag| tag.as_str().is_none_or(|tag| !added.iter().any(|it| it == tag)));
    let taken = child.texts("removed_tags").into_iter().map(Value::String);
    Some(kept.cloned().chain(taken).collect())
}
