//! Files that were killed, cut, spoilt: opened or refused with a typed error, never a panic.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use cx_core::context::ContextOptions;
use cx_core::identifier::Who;
use cx_core::identity::Policy;
use cx_core::time::{Micros, Span};
use cx_store::{EraseMode, Recording, Store, StoreError};
use cx_tests::story;
use cx_tests::strategies::cases;
use proptest::prelude::*;

const NOW: &str = "2026-03-04T10:00:00Z";

fn fill(path: &Path) -> Store {
    let store = Store::open(path).unwrap();
    let events = (0..40).map(|number| {
        let person = number % 5;
        let claims = [format!("email p{person}@example.nl"), "phone 020 624 1111".to_owned()];
        let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
        story::in_conversation(
            story::message(&format!("k{number}"), number, "chat", "Jan de Vries", &claims),
            &format!("c{person}"),
        )
    });
    store.ingest(&Recording::new(NOW.parse().unwrap(), "test"), events).unwrap();
    store
}

#[test]
fn a_file_whose_log_was_never_copied_back_holds_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.cx");
    let store = fill(&path);
    let copy = folder.path().join("copy.cx");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(path.with_extension("cx-wal"), copy.with_extension("cx-wal")).unwrap();
    let other = Store::open_existing(&copy).unwrap();
    assert_eq!(other.counts().unwrap(), store.counts().unwrap());
    assert!(other.check().unwrap().is_clean());
}

#[test]
fn a_folder_another_tenants_file_and_an_empty_file_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Store::open(folder.path()), Err(StoreError::NotOurs { .. })));
    let path = folder.path().join("a.cx");
    drop(fill(&path));
    let options = cx_store::StoreOptions { tenant: "other".to_owned(), ..Default::default() };
    assert!(matches!(Store::open_with(&path, options), Err(StoreError::OtherTenant { .. })));
    let empty = folder.path().join("empty.cx");
    std::fs::write(&empty, b"").unwrap();
    assert!(Store::open_existing(&empty).is_err());
    assert_eq!(Store::open(&empty).unwrap().counts().unwrap(), (0, 0));
}

#[test]
fn what_the_engine_takes_for_something_else_is_no_name_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = fill(&folder.path().join("a.cx"));
    for name in ["", ":memory:", ":", "file:a.cx", "file::memory:?cache=shared"] {
        let is_refused = |done: Result<(), StoreError>| {
            assert!(matches!(done, Err(StoreError::NoFileName { .. })), "{name:?}");
        };
        is_refused(Store::open(name).map(drop));
        is_refused(Store::open_existing(name).map(drop));
        is_refused(store.backup(name));
        assert!(name.is_empty() || !Path::new(name).exists(), "{name:?}");
    }
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn a_spoilt_file_is_opened_or_refused_and_nothing_panics(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spoilt.cx");
        drop(fill(&path));
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = byte;
        }
        std::fs::write(&path, &bytes).unwrap();
        let opened = Store::open_existing(&path);
        prop_assert!(!cut || opened.is_err(), "a file that is cut short is not whole");
        if let Ok(store) = opened {
            // Either is right here; what must not happen is a panic.
            let who = Who::parse("p1@example.nl", None).unwrap();
            drop(store.context(&who, &ContextOptions::at(NOW.parse().unwrap())));
            drop(store.check());
        }
    }
}

#[test]
fn a_backup_that_is_made_while_another_writes_is_whole_batches_and_clean() {
    const SIZE: u64 = 20;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("live.cx")).unwrap();
    let batch = |number: u64| {
        (0..SIZE).map(move |place| {
            let mail = format!("email p{}@example.nl", (number + place) % 7);
            let minutes = i64::try_from(number).unwrap();
            story::message(&format!("b{number}-{place}"), minutes, "chat", "", &[&mail])
        })
    };
    let write = |number| {
        store.ingest(&Recording::new(NOW.parse().unwrap(), "test"), batch(number)).unwrap();
    };
    write(0);
    let done = AtomicU64::new(1);
    let (first, last) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 1..60 {
                write(number);
                done.store(number + 1, Ordering::SeqCst);
            }
        });
        let mut seen = Vec::new();
        for copy in 0.. {
            let acknowledged = done.load(Ordering::SeqCst);
            let to = folder.path().join(format!("copy{copy}.cx"));
            store.backup(&to).unwrap();
            assert!(matches!(store.backup(&to), Err(StoreError::Exists { .. })));
            let copy = Store::open_existing(&to).unwrap();
            let report = copy.check().unwrap();
            assert!(report.is_clean(), "{:?}", report.problems);
            assert_eq!(report.events % SIZE, 0, "no batch is there by half");
            let batches = report.events / SIZE;
            assert!(batches >= acknowledged, "{batches} of {acknowledged} acknowledged batches");
            let newest = copy.events().map(|event| event.unwrap().key.to_string());
            let newest = newest.filter(|key| key.starts_with(&format!("b{}-", batches - 1)));
            assert_eq!(newest.count(), 20, "the batches are the first ones");
            seen.push(batches);
            if writer.is_finished() {
                break;
            }
        }
        (seen[0], seen[seen.len() - 1])
    });
    assert!(first < last, "the store was written to between the copies: {first}, {last}");
}

/// Where the file could not be rewritten nobody is erased without a certificate.
#[test]
fn whoever_reads_keeps_a_certified_erasure_from_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("read.cx");
    let store = Store::open(&path).unwrap();
    let mail = story::message("m/1", 0, "email", "Jan", &["email jan@example.nl"]);
    store.ingest(&Recording::new(story::monday(), "test"), [mail]).unwrap();
    let reader = rusqlite::Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM event").unwrap();
    let who = Who::parse("jan@example.nl", None).unwrap();
    let refused = store.erase_for_good(&who, EraseMode::Delete, story::monday()).unwrap_err();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    assert!(store.find(&who).unwrap().chosen().is_some());
    reader.execute_batch("COMMIT").unwrap();
    assert!(store.erase_for_good(&who, EraseMode::Delete, story::monday()).unwrap().is_clean());
}

#[test]
fn a_policy_that_another_has_put_in_force_is_the_policy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.cx");
    let (one, other) = (Store::open(&path).unwrap(), Store::open(&path).unwrap());
    let policy = Policy { session: Span(Micros::MINUTE), ..other.policy().unwrap() };
    one.set_policy(&policy, story::monday()).unwrap();
    assert_eq!(other.policy().unwrap(), policy);
}
