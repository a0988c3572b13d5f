//! Whether payloads are compressed changes nothing that is answered.

use cx_core::event::Event;
use cx_core::identifier::{Identifier, Namespace, Who};
use cx_core::time::{Micros, Timestamp};
use cx_store::{Compression, EraseMode, Recording, ScanColumn, ScanQuery, SearchQuery, Store};
use cx_tests::strategies::cases;
use cx_tests::{asking, story, strategies};
use proptest::prelude::*;
use rusqlite::Connection;

fn now() -> Timestamp {
    story::monday() + Micros::DAY.times(600)
}

fn jan() -> Who {
    let jan = Identifier::normalise(Namespace::Email, "", "jan@example.nl", None);
    Who::Identifier(jan.unwrap())
}

/// When payloads are compressed, and no longer.
#[derive(Debug, Clone, Copy)]
enum When {
    Never,
    First,
    Between,
    Last,
    AndBack,
}

/// The same things happen, whatever is compressed.
fn life(store: &Store, batches: &[Vec<Event>; 2], erases: bool, when: When) {
    let recording = Recording::new(now(), "test");
    let [first, last] = batches;
    if let When::First | When::AndBack = when {
        store.compress().unwrap();
    }
    store.ingest(&recording, first.clone()).unwrap();
    if let When::Between = when {
        store.compress().unwrap();
    }
    store.ingest(&recording, last.clone()).unwrap();
    // What is sent again is not taken for something else.
    store.ingest(&recording, first.clone()).unwrap();
    if erases {
        // Nobody, or several, may be meant.
        drop(store.erase(&jan(), EraseMode::Anonymise, now()));
    }
    match when {
        When::Last => drop(store.compress().unwrap()),
        When::AndBack => drop(store.decompress().unwrap()),
        When::Never | When::First | When::Between => {}
    }
}

/// Everything that a store answers.
fn told(store: &Store) -> Vec<String> {
    let later = now() + Micros::DAY;
    let mut told = vec![asking::answers(store, later)];
    told.extend(asking::facts(store));
    for words in ["message", "test*", "order"] {
        told.push(format!("{:?}", store.search(&SearchQuery::new(words)).unwrap()));
    }
    told.push(format!("{:?}", store.who_is_waiting(later).unwrap()));
    let columns = ScanQuery::new().columns([ScanColumn::Key, ScanColumn::Json]);
    for page in store.scan(columns) {
        told.push(format!("{:?}", page.unwrap()));
    }
    told
}

/// How many payloads stand compressed in a file, and how many do not.
fn packed(path: &std::path::Path) -> (i64, i64) {
    let file = Connection::open(path).unwrap();
    let count = "SELECT count(packed), count(*) - count(packed) FROM event";
    file.query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn it_is_answered_the_same_to_the_byte(
        batches in [strategies::world(24), strategies::world(24)],
        erases: bool,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = |when: When| {
            let store = Store::open(folder.path().join(format!("{when:?}.cx"))).unwrap();
            life(&store, &batches, erases, when);
            let report = store.check().unwrap();
            assert!(report.is_clean(), "{when:?}: {report:?}");
            store
        };
        let plain = told(&store(When::Never));
        for when in [When::First, When::Between, When::Last, When::AndBack] {
            let store = store(when);
            prop_assert_eq!(&told(&store), &plain, "{:?}", when);
            let is_compressed = !matches!(when, When::AndBack);
            prop_assert_eq!(store.is_compressed().unwrap(), is_compressed);
            let (compressed, not) = packed(store.path());
            // An event is longer than its frame, and so is never left as it is.
            prop_assert_eq!(if is_compressed { not } else { compressed }, 0);
        }
    }
}

#[test]
fn a_file_is_shorter_when_it_is_compressed_and_compacted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.cx");
    let store = Store::open(&path).unwrap();
    let events: Vec<Event> = cx_core::synthetic::Company::of_events(1, 3_000).take(3_000).collect();
    store.ingest(&Recording::new(now(), "test"), events).unwrap();
    store.compact(now()).unwrap();
    let before = std::fs::metadata(&path).unwrap().len();
    let done = store.compress().unwrap();
    assert!(5 * done.bytes_after < 2 * done.bytes_before, "{done:?}");
    assert_eq!(store.compress().unwrap(), Compression::default(), "there is nothing left to do");
    store.compact(now()).unwrap();
    let after = std::fs::metadata(&path).unwrap().len();
    assert!(after * 100 < before * 70, "{after} of {before}");
    // What is repaired stays compressed.
    drop(store);
    Store::repair(&path).unwrap();
    assert_eq!(packed(&path).1, 0);
    assert!(Store::open(&path).unwrap().is_compressed().unwrap());
}

#[test]
fn a_payload_that_is_spoilt_is_noticed_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spoilt.cx");
    let store = Store::open(&path).unwrap();
    store.compress().unwrap();
    let [first, second] = ["test/1", "test/2"]
        .map(|key| story::message(key, 0, "email", "Jan", &["email jan@example.nl"]));
    store.ingest(&Recording::new(now(), "test"), [first, second]).unwrap();
    drop(store);
    for spoil in [
        "UPDATE event SET packed = CAST(substr(packed, 1, length(packed) - 3) AS BLOB) WHERE seq = 1",
        "UPDATE event SET packed = CAST(x'09' || substr(packed, 2) AS BLOB) WHERE seq = 1",
        "UPDATE event SET packed = (SELECT packed FROM event WHERE seq = 2) WHERE seq = 1",
        "UPDATE event SET packed = NULL WHERE seq = 1",
    ] {
        let copy = folder.path().join("copy.cx");
        std::fs::copy(&path, &copy).unwrap();
        Connection::open(&copy).unwrap().execute(spoil, []).unwrap();
        let store = Store::open(&copy).unwrap();
        let report = store.check().unwrap();
        assert!(!report.is_clean(), "{spoil}");
        drop(store);
        let repaired = Store::repair(&copy).unwrap();
        assert!(!repaired.salvage.is_complete(), "{spoil}");
        let store = Store::open(&copy).unwrap();
        assert!(store.check().unwrap().is_clean(), "{spoil}");
        drop(store);
        for left in std::fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().path()) {
            if left != path && left.is_file() {
                std::fs::remove_file(left).unwrap();
            }
        }
    }
}
