//! Damaged files: an error, right answers, or a check that notices; and what can be saved is saved,
//! and nothing else.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;

use cx_core::event::Event;
use cx_core::time::Timestamp;
use cx_store::{CheckReport, Recording, Store, StoreError};

use super::folder;
use crate::asking::{asked, facts};
use crate::story;

/// A sound file, and what is known of it.
struct Sound {
    bytes: Vec<u8>,
    facts: BTreeSet<String>,
    told: String,
}

fn now() -> Timestamp {
    story::monday() + cx_core::time::Micros::DAY.times(30)
}

fn sound() -> &'static Sound {
    static SOUND: OnceLock<Sound> = OnceLock::new();
    SOUND.get_or_init(|| {
        let folder = folder();
        let path = folder.path().join("sound.cx");
        let store = Store::open(&path).unwrap();
        let message = |number: i64| -> Event {
            let person = number % 4;
            let claims =
                [format!("email p{person}@example.nl"), format!("phone 06 1234000{person}")];
            let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
            let event = story::message(&format!("k{number}"), number, "chat", "Jan", &claims);
            story::in_conversation(event, &format!("c{person}"))
        };
        store.ingest(&Recording::new(story::monday(), "test"), (0..12).map(message)).unwrap();
        let (facts, told) = (facts(&store), asked(&store, now()).unwrap());
        drop(store);
        Sound { bytes: std::fs::read(&path).unwrap(), facts, told }
    })
}

/// The file with what the bytes say done to it: each five of them are a place and what is written
/// there, to at most four bytes at once; an odd rest cuts the file.
fn spoilt(edits: &[u8]) -> Vec<u8> {
    let mut bytes = sound().bytes.clone();
    let mut edits = edits.chunks_exact(5);
    for edit in edits.by_ref() {
        let at = edit[..3].iter().fold(0_usize, |at, byte| (at << 8) | usize::from(*byte));
        let at = at % bytes.len();
        let n = usize::from(edit[3] >> 6) + 1;
        let mask = edit[3] & 0x3f;
        for byte in bytes.iter_mut().skip(at).take(n) {
            *byte = if mask == 0 { edit[4] } else { *byte ^ edit[4] };
        }
    }
    if let [high, low, ..] = *edits.remainder() {
        let at = ((usize::from(high) << 8) | usize::from(low)) * bytes.len() / (1 << 16);
        bytes.truncate(at);
    }
    bytes
}

/// A damaged file is opened, asked, checked and salvaged.
pub(super) fn damaged(edits: &[u8]) {
    if edits.len() > 5 * 64 {
        return;
    }
    let folder = folder();
    let path = folder.path().join("damaged.cx");
    std::fs::write(&path, spoilt(edits)).unwrap();
    salvaged(&path, &folder.path().join("saved.cx"));
    let Ok(store) = Store::open_existing(&path) else { return };
    let answer = asked(&store, now());
    let is_noticed = !store.check().as_ref().is_ok_and(CheckReport::is_clean);
    assert!(
        is_noticed || answer.is_ok_and(|answer| answer == sound().told),
        "wrong answers that nobody notices"
    );
}

fn salvaged(path: &Path, to: &Path) {
    let (store, report) = match Store::salvage(path, to) {
        Ok(saved) => saved,
        Err(StoreError::NotOurs { .. }) => {
            assert!(!to.exists(), "half of it is left");
            return;
        }
        Err(error) => panic!("cannot be salvaged: {error:?}"),
    };
    let (saved, before) = (facts(&store), &sound().facts);
    let is_event = |line: &&String| line.contains("\"fact\":\"event\"");
    // Of an event whose import is lost it is told that it was salvaged.
    let is_salvaged = |line: &&String| line.contains("\"adapter\":\"salvage\"");
    let strange = saved.difference(before).filter(is_event).filter(|line| !is_salvaged(line));
    assert_eq!(strange.collect::<Vec<_>>(), [""; 0], "saved what never was");
    let is_whole = before.difference(&saved).find(is_event).is_none();
    assert!(is_whole || !report.is_complete(), "events are missing, and nobody says so");
    let check = store.check().unwrap();
    assert!(check.is_clean(), "{:?}", check.problems);
}
