//! What stands in the files, and which of them are opened with which key.

use std::collections::BTreeMap;
use std::path::Path;

use cx_store::{EncryptionKey, OpenOptions, Store, StoreError};
use cx_tests::chance::Chance;

use crate::stores::{STRINGS, bytes_in, fill, found_in, raw, right_answers, under};

/// Opening in every way there is.
fn opened(options: &OpenOptions, path: &Path) -> [Result<Store, StoreError>; 3] {
    [options.open(path), options.open_existing(path), options.open_read_only(path)]
}

/// Every file of a folder that says anything: an engine that reads leaves an empty log behind.
fn written(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = bytes_in(folder);
    files.retain(|name, bytes| !name.ends_with("-shm") && !bytes.is_empty());
    files
}

fn is_as_before(folder: &Path, before: &BTreeMap<String, Vec<u8>>) {
    let after = written(folder);
    assert!(after == *before, "{:?} where there were {:?}", after.keys(), before.keys());
}

#[test]
fn no_byte_of_an_event_stands_in_any_file_of_an_encrypted_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let store = under(raw(1)).open(&path).unwrap();
    fill(&store);
    let live = bytes_in(folder.path());
    assert!(live["a.cx-wal"].len() > 100_000, "the events are in the log");
    store.backup(folder.path().join("copy.cx")).unwrap();
    assert!(store.check().unwrap().is_clean());
    drop(store);
    let closed = bytes_in(folder.path());
    assert_eq!(closed.keys().collect::<Vec<_>>(), ["a.cx", "copy.cx"]);
    for (name, bytes) in live.iter().chain(&closed) {
        assert_eq!(found_in(bytes), [""; 0], "{name}");
    }
}

#[test]
fn the_same_search_finds_every_string_in_a_store_that_is_not_encrypted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let store = Store::open(&path).unwrap();
    fill(&store);
    let log = std::fs::read(path.with_extension("cx-wal")).unwrap();
    assert_eq!(found_in(&log)[..STRINGS.len()], STRINGS);
    drop(store);
    let found = found_in(&std::fs::read(&path).unwrap());
    assert_eq!(found[..STRINGS.len()], STRINGS);
    assert_eq!(found.last(), Some(&"SQLite format 3"));
}

#[test]
fn a_wrong_key_is_refused_and_no_file_is_changed_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let store = under(raw(1)).open(&path).unwrap();
    fill(&store);
    // As it is closed, and as it is left by a process that is killed: with a log.
    let killed = tempfile::tempdir().unwrap();
    for (name, bytes) in bytes_in(folder.path()) {
        if !name.ends_with("-shm") {
            std::fs::write(killed.path().join(name), bytes).unwrap();
        }
    }
    drop(store);
    let wrong = [raw(2), EncryptionKey::passphrase("01".repeat(32)).unwrap()];
    for folder in [folder.path(), killed.path()] {
        let path = folder.join("a.cx");
        let before = written(folder);
        for key in &wrong {
            for refused in opened(&under(key.clone()), &path) {
                assert!(matches!(refused, Err(StoreError::WrongKey { .. })), "{refused:?}");
            }
        }
        for refused in opened(&OpenOptions::new(), &path) {
            assert!(matches!(refused, Err(StoreError::Encrypted { .. })), "{refused:?}");
        }
        is_as_before(folder, &before);
        let store = under(raw(1)).open_existing(&path).unwrap();
        assert_eq!(cx_tests::asking::answers(&store, crate::stores::now()), right_answers());
    }
}

#[test]
fn a_key_is_refused_for_a_store_that_is_not_encrypted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let store = Store::open(&path).unwrap();
    fill(&store);
    drop(store);
    let before = written(folder.path());
    for refused in opened(&under(raw(1)), &path) {
        assert!(matches!(refused, Err(StoreError::NotEncrypted { .. })), "{refused:?}");
    }
    is_as_before(folder.path(), &before);
    let store = Store::open_existing(&path).unwrap();
    assert!(!store.is_encrypted() && store.check().unwrap().is_clean());
    assert_eq!(cx_tests::asking::answers(&store, crate::stores::now()), right_answers());
}

#[test]
fn what_is_no_store_is_told_to_be_none_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let expect = |bytes: &[u8], with_key: &str, without: &str| {
        std::fs::write(&path, bytes).unwrap();
        for (options, expected) in [(under(raw(1)), with_key), (OpenOptions::new(), without)] {
            for refused in opened(&options, &path) {
                let refused = format!("{:?}", refused.unwrap_err());
                assert!(refused.starts_with(expected), "{refused}, where {expected} was expected");
            }
            assert!(std::fs::read(&path).unwrap() == bytes);
        }
    };
    let mut chance = Chance::seeded(3);
    let random: Vec<u8> = (0..4 * 8192).map(|_| u8::try_from(chance.below(256)).unwrap()).collect();
    expect(&random, "WrongKey", "Encrypted");
    expect(&random[..4 * 8192 - 1], "WrongKey", "NotOurs");
    expect(&random[..1000], "NotOurs", "NotOurs");
    expect("Beste mevrouw, ".repeat(8192).as_bytes(), "NotOurs", "NotOurs");
    expect(&[0; 16384], "NotOurs", "NotOurs");
    std::fs::remove_file(&path).unwrap();
    let foreign = rusqlite::Connection::open(&path).unwrap();
    foreign.execute_batch("CREATE TABLE t(x)").unwrap();
    drop(foreign);
    let foreign = std::fs::read(&path).unwrap();
    expect(&foreign, "NotOurs", "NotOurs");
}

/// A connection of the engine to a database that is encrypted under `raw(1)`.
fn engine(path: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).unwrap();
    let key = format!("PRAGMA key = \"x'{}'\"; PRAGMA cipher_page_size = 8192;", "01".repeat(32));
    connection.execute_batch(&key).unwrap();
    connection
}

#[test]
fn a_wrong_key_spoils_nothing_where_a_journal_is_to_take_a_change_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let store = under(raw(1)).open(&path).unwrap();
    fill(&store);
    drop(store);
    let half = engine(&path);
    half.execute_batch(
        "PRAGMA journal_mode = delete; PRAGMA cache_size = 5; BEGIN;
         UPDATE event SET payload = 'half'; DELETE FROM bundle;",
    )
    .unwrap();
    let killed = tempfile::tempdir().unwrap();
    for (name, bytes) in bytes_in(folder.path()) {
        std::fs::write(killed.path().join(name), bytes).unwrap();
    }
    drop(half);
    let path = killed.path().join("a.cx");
    assert!(std::fs::metadata(path.with_extension("cx-journal")).unwrap().len() > 8192);
    for refused in opened(&under(raw(2)), &path) {
        assert!(refused.is_err(), "{refused:?}");
    }
    let store = under(raw(1)).open_existing(&path).unwrap();
    assert_eq!(cx_tests::asking::answers(&store, crate::stores::now()), right_answers());
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn an_encrypted_database_of_another_program_or_a_newer_version_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let foreign = "PRAGMA journal_mode = wal; CREATE TABLE t(x); INSERT INTO t VALUES(1)";
    engine(&path).execute_batch(foreign).unwrap();
    let before = written(folder.path());
    for refused in opened(&under(raw(1)), &path) {
        assert!(matches!(refused, Err(StoreError::NotOurs { .. })), "{refused:?}");
    }
    is_as_before(folder.path(), &before);

    let path = folder.path().join("b.cx");
    drop(under(raw(1)).open(&path).unwrap());
    engine(&path).execute_batch("PRAGMA user_version = 999").unwrap();
    let before = written(folder.path());
    for refused in opened(&under(raw(1)), &path) {
        assert!(matches!(refused, Err(StoreError::Newer { found: 999, .. })), "{refused:?}");
    }
    is_as_before(folder.path(), &before);
}

#[test]
fn where_there_is_no_file_nothing_is_made_but_by_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let options = under(raw(1));
    assert!(matches!(options.open_existing(&path), Err(StoreError::NotFound { .. })));
    assert!(matches!(options.open_read_only(&path), Err(StoreError::NotFound { .. })));
    assert!(!path.exists());
    std::fs::write(&path, b"").unwrap();
    assert!(matches!(options.open_existing(&path), Err(StoreError::NotOurs { .. })));
    let store = options.open(&path).unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() >= 8192);
    assert_eq!(found_in(&std::fs::read(&path).unwrap()), [""; 0], "from its first byte on");
    drop(store);
}
