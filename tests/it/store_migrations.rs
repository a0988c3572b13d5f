//! Files of every earlier schema version, opened by today's: nothing is lost, and every answer is
//! that of a store that had been told the same today.

use std::path::{Path, PathBuf};

use cx_core::context::ContextOptions;
use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_core::identity::{Assertion, Verdict};
use cx_core::time::Timestamp;
use cx_store::{EraseMode, Past, Recording, Store, StoreError};
use cx_tests::asking;

const VERSIONS: [u32; 5] = [1, 2, 3, 4, 7];
const PEOPLE: [&str; 4] =
    ["rosa.before@example.nl", "rosa.after@example.nl", "+31612345678", "piet@example.nl"];

fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("files")
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn who(words: &str) -> Who {
    Who::parse(words, None).unwrap()
}

/// A copy of the kept file of that version.
fn kept(folder: &Path, version: u32) -> PathBuf {
    let name = format!("schema-{version}.cx");
    let copy = folder.join(&name);
    std::fs::copy(files().join(&name), &copy).unwrap();
    copy
}

fn version(path: &Path) -> u32 {
    let header = std::fs::read(path).unwrap();
    u32::from_be_bytes(header[60..64].try_into().unwrap())
}

/// A store that is told today what the kept files were told then.
fn told_today() -> Store {
    let store = Store::open_in_memory().unwrap();
    let lines = std::fs::read_to_string(files().join("kept.jsonl")).unwrap();
    let mut events: Vec<Event> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rest = events.split_off(1);
    store.ingest(&Recording::new(at("2026-02-01T10:00:00Z"), "jsonl"), events).unwrap();
    store.ingest(&Recording::new(at("2026-02-02T10:00:00Z"), "jsonl"), rest).unwrap();
    let anchor = |words: &str| {
        cx_core::identity::Subject::Observation(store.anchor(&who(words)).unwrap().unwrap())
    };
    let said = |verdict, reason: Option<&str>, when: &str| {
        let reason = reason.map(str::to_owned);
        let said = Assertion { verdict, by: "agent:7".to_owned(), reason, at: at(when) };
        store.assert(&said, at(when)).unwrap();
    };
    let same = Verdict::Same(anchor("rosa.after@example.nl"), anchor("+31612345678"));
    said(same, Some("she said so"), "2026-02-03T10:00:00Z");
    let different = Verdict::Different(anchor("rosa.after@example.nl"), anchor("piet@example.nl"));
    said(different, None, "2026-02-04T10:00:00Z");
    store
}

/// What a store answers about everybody, today and as it was known between the two imports.
fn answers(store: &Store) -> Vec<String> {
    let today = ContextOptions::at(at("2026-03-01T00:00:00Z"));
    let between = today.clone().known_at(at("2026-02-01T12:00:00Z"));
    let mut answers = Vec::new();
    for options in [today, between] {
        for words in PEOPLE {
            answers.push(store.context(&who(words), &options).unwrap().to_json());
        }
    }
    let past = Past::today().known_at(at("2026-02-01T12:00:00Z"));
    answers.push(format!("{:?}", store.why(&who(PEOPLE[0]), &who(PEOPLE[0]), past).unwrap()));
    answers.push(format!("{:?}", store.assertions().unwrap()));
    answers
}

#[test]
fn a_file_of_every_earlier_version_answers_as_if_it_was_told_today() {
    let folder = tempfile::tempdir().unwrap();
    let today = answers(&told_today());
    assert!(today[4].contains("rosa.before@example.nl"), "what was replaced since is known");
    for number in VERSIONS {
        let path = kept(folder.path(), number);
        assert_eq!(version(&path), number, "the kept file is of that version");
        let store = Store::open_existing(&path).unwrap();
        let report = store.check().unwrap();
        assert!(report.is_clean(), "schema {number}: {:?}", report.problems);
        assert_eq!(report.events, 4, "schema {number}");
        for (found, expected) in answers(&store).iter().zip(&today) {
            assert_eq!(found, expected, "schema {number}");
        }
        drop(store);
        assert!(version(&path) > number, "the file was brought forward");
        assert_eq!(answers(&Store::open_existing(&path).unwrap()), today, "and stays so");
    }
}

#[test]
fn a_file_of_an_earlier_version_that_may_only_be_read_answers_the_same_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let today = answers(&told_today());
    for number in VERSIONS {
        let path = kept(folder.path(), number);
        let before = std::fs::read(&path).unwrap();
        let store = Store::open_read_only(&path, None).unwrap();
        assert_eq!(answers(&store), today, "schema {number}");
        let written = store.ingest(&Recording::new(at("2026-03-01T00:00:00Z"), "test"), Vec::new());
        assert_eq!(written.unwrap().new, 0);
        let erased = store.erase(&who(PEOPLE[3]), EraseMode::Delete, at("2026-03-01T00:00:00Z"));
        assert!(matches!(erased, Err(StoreError::ReadOnly { .. })), "{erased:?}");
        drop(store);
        assert!(std::fs::read(&path).unwrap() == before, "schema {number} was written to");
    }
}

#[test]
fn erasing_from_a_file_of_an_earlier_version_takes_what_was_replaced_before_it() {
    let folder = tempfile::tempdir().unwrap();
    for number in VERSIONS {
        let path = kept(folder.path(), number);
        let store = Store::open_existing(&path).unwrap();
        let now = at("2026-03-01T00:00:00Z");
        store.erase(&who("rosa.after@example.nl"), EraseMode::Delete, now).unwrap();
        store.compact(now).unwrap();
        assert!(store.check().unwrap().is_clean());
        drop(store);
        let bytes = std::fs::read(&path).unwrap();
        for word in ["rosa.before", "rosa.after", "31612345678", "Rosa Blom"] {
            let found = bytes.windows(word.len()).any(|bytes| bytes == word.as_bytes());
            assert!(!found, "schema {number} still holds {word}");
        }
    }
}

#[test]
fn what_is_open_in_a_file_of_version_7_is_open_in_it_today() {
    let now = at("2026-02-01T10:00:00Z");
    let lines = std::fs::read_to_string(files().join("talk.jsonl")).unwrap();
    let today = Store::open_in_memory().unwrap();
    let events = lines.lines().map(|line| serde_json::from_str::<Event>(line).unwrap());
    today.ingest(&Recording::new(now, "jsonl"), events).unwrap();
    let open = |store: &Store| format!("{:?}", store.who_is_waiting(now).unwrap());
    let expected = (open(&today), asking::answers(&today, now));
    assert_eq!(today.who_is_waiting(now).unwrap().len(), 5);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("talk-7.cx");
    std::fs::copy(files().join("talk-7.cx"), &path).unwrap();
    assert_eq!(version(&path), 7);
    // Only read, it is brought forward in memory; then in the file.
    let store = Store::open_read_only(&path, None).unwrap();
    assert_eq!((open(&store), asking::answers(&store, now)), expected);
    drop(store);
    let store = Store::open_existing(&path).unwrap();
    assert_eq!((open(&store), asking::answers(&store, now)), expected);
    assert!(store.check().unwrap().is_clean());
}

/// The keys of the events of each customer.
fn customers(store: &Store) -> std::collections::BTreeSet<Vec<String>> {
    let ids = store.customers(None, 100).unwrap();
    let keys = |id: &cx_core::ids::CustomerId| {
        let query = cx_store::TimelineQuery::new().limit(100);
        let page = store.timeline(&Who::Customer(*id), &query, None).unwrap();
        page.events.iter().map(|event| event.key.to_string()).collect()
    };
    ids.iter().map(keys).collect()
}

#[test]
fn a_file_of_earlier_normalisers_and_rules_is_derived_anew_when_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules-1.cx");
    std::fs::copy(files().join("rules-1.cx"), &path).unwrap();
    let lines = std::fs::read_to_string(files().join("rules.jsonl")).unwrap();
    let told: Vec<Event> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let today = Store::open_in_memory().unwrap();
    today.ingest(&Recording::new(at("2026-02-01T10:00:00Z"), "jsonl"), told).unwrap();
    let store = Store::open_read_only(&path, None).unwrap();
    let detach = store.assertions().unwrap().remove(0);
    today.assert(&detach, detach.at).unwrap();
    let expected = customers(&today);
    assert!(expected.contains(&vec!["k/1".to_owned(), "k/2".to_owned()]), "{expected:?}");
    assert!(expected.contains(&vec!["k/5".to_owned()]), "{expected:?}");
    assert!(expected.contains(&vec!["k/6".to_owned()]), "{expected:?}");
    assert_eq!(customers(&store), expected, "read only");
    assert!(store.check().unwrap().is_clean());
    drop(store);
    for _ in 0..2 {
        let store = Store::open_existing(&path).unwrap();
        let report = store.check().unwrap();
        assert!(report.is_clean(), "{:?}", report.problems);
        assert_eq!(customers(&store), expected);
        // Whoever reads the feed is told, once.
        let told = store.changes(0, 100).unwrap();
        let json = serde_json::to_string(&told).unwrap();
        assert!(json.contains("policy"), "{json}");
        let who = Who::parse("jan@straße.de", None).unwrap();
        assert_eq!(store.find(&who).unwrap().customers.len(), 1);
    }
}

#[test]
fn a_file_of_earlier_rules_is_derived_anew_when_it_is_opened() {
    let who = [&["k/2", "k/1"][..], &["k/1", "k/2"], &["k/3"], &["k/4"], &["k/5"], &["k/6"]];
    derived_anew("rules-2", &who);
}

#[test]
fn a_file_of_the_rules_before_todays_is_derived_anew_when_it_is_opened() {
    let who = [&["k/1", "k/2", "k/3"][..], &["k/4"], &["k/5", "k/6"], &["k/7"], &["k/8"]];
    derived_anew("rules-3", &who);
}

/// Opened for reading, it is derived anew in memory; opened for writing, in the file, and once.
fn derived_anew(name: &str, who: &[&[&str]]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("{name}.cx"));
    std::fs::copy(files().join(format!("{name}.cx")), &path).unwrap();
    let lines = std::fs::read_to_string(files().join(format!("{name}.jsonl"))).unwrap();
    let told: Vec<Event> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let today = Store::open_in_memory().unwrap();
    today.ingest(&Recording::new(at("2026-02-01T10:00:00Z"), "jsonl"), told).unwrap();
    let expected = customers(&today);
    let keys = |of: &[&str]| of.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
    let sorted = |mut keys: Vec<String>| {
        keys.sort();
        keys
    };
    let is_one = |one: &Vec<String>| who.iter().any(|of| sorted(keys(of)) == sorted(one.clone()));
    assert!(expected.iter().all(is_one), "{expected:?}");
    let before = std::fs::read(&path).unwrap();
    let options = cx_store::OpenOptions::new();
    assert!(options.is_of_earlier_schema(&path).unwrap());
    let store = Store::open_read_only(&path, None).unwrap();
    assert_eq!(customers(&store), expected, "read only");
    assert!(store.check().unwrap().is_clean());
    drop(store);
    assert!(std::fs::read(&path).unwrap() == before, "it was written to");
    let mut changes = Vec::new();
    for _ in 0..2 {
        let store = Store::open_existing(&path).unwrap();
        let report = store.check().unwrap();
        assert!(report.is_clean(), "{:?}", report.problems);
        assert_eq!(customers(&store), expected);
        changes.push(store.changes(0, 100).unwrap().len());
    }
    assert_eq!(changes[0], changes[1], "it was derived anew twice");
    assert!(!options.is_of_earlier_schema(&path).unwrap());
}
