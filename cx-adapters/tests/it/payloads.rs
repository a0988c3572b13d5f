//! Where payloads stand, and what the adapters make of them.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use cx_adapters::{Format, Options, Record, RecordError, format};
use cx_core::event::Event;

/// What is known of the account that the payloads come from.
pub(crate) fn options() -> Options {
    Options {
        instance: "acme".to_owned(),
        region: Some("NL".to_owned()),
        own: vec!["acme.example".to_owned()],
        own_numbers: vec!["+31208080808".to_owned()],
        received_at: Some("2026-03-04T10:00:00Z".parse().unwrap()),
    }
}

/// A payload of this project: `zendesk/ticket.json`.
pub(crate) fn own(path: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/payloads");
    std::fs::read(root.join(path)).unwrap()
}

/// A sample of others, where it is there.
pub(crate) fn sample(path: &str) -> Option<Vec<u8>> {
    let beside = ["../../shared/data", "../../../shared/data"];
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let roots = std::env::var_os("CX_SHARED").map(PathBuf::from).into_iter();
    let found = roots
        .chain(beside.map(|root| here.join(root)))
        .find_map(|root| std::fs::read(root.join("payloads").join(path)).ok());
    if found.is_none() {
        println!("skipped: the sample {path} is not on this machine");
    }
    found
}

/// The payload of this project, and the sample of others where it is there.
pub(crate) fn both(ours: &str, theirs: &str) -> Vec<Vec<u8>> {
    std::iter::once(own(ours)).chain(sample(theirs)).collect()
}

pub(crate) fn records(format: Format, bytes: &[u8]) -> Vec<Record> {
    format::events(format, bytes, &options()).collect()
}

/// The events of a payload in which nothing is wrong.
pub(crate) fn events(format: Format, bytes: &[u8]) -> Vec<Event> {
    records(format, bytes).into_iter().map(Result::unwrap).collect()
}

/// What is wrong with a payload.
pub(crate) fn problems(format: Format, bytes: &[u8]) -> Vec<RecordError> {
    records(format, bytes).into_iter().filter_map(Result::err).collect()
}

/// The events of one kind.
pub(crate) fn of<'a>(events: &'a [Event], kind: &str) -> Vec<&'a Event> {
    events.iter().filter(|event| event.kind.name() == kind).collect()
}

/// The one event of a kind.
pub(crate) fn one<'a>(events: &'a [Event], kind: &str) -> &'a Event {
    let found = of(events, kind);
    assert_eq!(found.len(), 1, "{kind}: {found:#?}");
    found[0]
}

pub(crate) fn data(event: &Event) -> serde_json::Value {
    serde_json::Value::Object(event.kind.to_json())
}

/// Who an event is about: `email:jan@example.nl`.
pub(crate) fn persons(event: &Event) -> Vec<String> {
    event.person_claims().iter().map(|claim| claim.identifier().to_string()).collect()
}

/// All events of this project's payloads of a system, as they are kept: one JSON document each.
pub(crate) fn golden(format: Format, folder: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/payloads").join(folder);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut text = String::new();
    for file in files {
        writeln!(text, "== {}", file.file_name().unwrap().to_string_lossy()).unwrap();
        for record in records(format, &std::fs::read(&file).unwrap()) {
            match record {
                Ok(event) => writeln!(text, "{}", serde_json::to_string_pretty(&event).unwrap()),
                Err(error) => writeln!(text, "rejected: {error}"),
            }
            .unwrap();
        }
    }
    text
}
