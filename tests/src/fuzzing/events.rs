//! Events: what is read is written, what is written is read, and the hash of it stays.

use cx_core::event::Event;
use cx_core::identity::Observation;
use serde_json::{Map, Value};

use super::is_told;

/// An event from JSON of any form.
pub(super) fn event(bytes: &[u8]) {
    let Ok(object) = serde_json::from_slice::<Map<String, Value>>(bytes) else { return };
    match Event::from_json(object) {
        Ok(event) => survives(&event),
        Err(error) => {
            is_told(&error.problem);
            assert!(error.pointer.starts_with('/'), "no place: {error}");
        }
    }
}

/// An event can be kept: its JSON gives it back, with the same hash, about the same persons.
pub(super) fn survives(event: &Event) {
    let text = serde_json::to_string(event).unwrap();
    let back: Event = serde_json::from_str(&text).unwrap();
    assert_eq!(&back, event, "{text}");
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
    assert_eq!(back.content_hash(), event.content_hash());
    assert_eq!(event.text_and_hash(), (text, event.content_hash()));
    assert_eq!(Observation::of("acme", &back), Observation::of("acme", event));
}
