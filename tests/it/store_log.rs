//! The log beside the file: whoever reads for long does not keep it from being copied into the file.

use std::fs;
use std::path::{Path, PathBuf};

use cx_store::{Recording, ScanQuery, Store, StoreError};
use cx_tests::story;
use rusqlite::Connection;

fn log_of(path: &Path) -> PathBuf {
    path.with_extension("cx-wal")
}

/// Whether all of the log could be copied into the file, so that it is empty.
fn is_emptied(path: &Path) -> bool {
    let connection = Connection::open(path).unwrap();
    let busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    assert_eq!(busy == 0, fs::metadata(log_of(path)).unwrap().len() == 0);
    busy == 0
}

fn write(store: &Store, from: i64, to: i64) {
    let events = (from..to).map(|number| {
        story::message(&format!("k{number}"), number, "chat", "", &["email jan@example.nl"])
    });
    store.ingest(&Recording::new("2026-03-04T10:00:00Z".parse().unwrap(), "test"), events).unwrap();
}

#[test]
fn events_and_columns_that_are_handed_out_one_after_another_hold_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.cx");
    let store = Store::open(&path).unwrap();
    write(&store, 0, 3_000);
    let (mut events, mut pages) = (store.events(), store.scan(ScanQuery::new()));
    let first = events.next().unwrap().unwrap();
    assert_eq!(first.key.to_string(), "k0");
    let n_scanned = pages.next().unwrap().unwrap().n_rows;
    write(&store, 3_000, 3_100);
    assert!(fs::metadata(log_of(&path)).unwrap().len() > 0, "there is something to copy");
    assert!(is_emptied(&path));
    // They go on, and have what was there when they began.
    assert_eq!(1 + events.map(Result::unwrap).count(), 3_000);
    assert_eq!(n_scanned + pages.map(|page| page.unwrap().n_rows).sum::<usize>(), 3_000);
}

#[test]
#[cfg(unix)]
fn nothing_is_acknowledged_once_the_file_has_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("live.cx"), folder.path().join("other.cx"));
    let event = story::message("k11", 11, "chat", "", &["email jan@example.nl"]);
    let recording = Recording::new("2026-03-04T10:00:00Z".parse().unwrap(), "test");
    let store = Store::open(&path).unwrap();
    write(&store, 0, 10);
    let refused = || {
        let refused = store.ingest(&recording, [event.clone()]).unwrap_err();
        assert!(matches!(refused, StoreError::FileGone { .. }), "{refused}");
    };
    fs::rename(&path, &other).unwrap();
    refused();
    // What has the name since is another file.
    fs::copy(&other, &path).unwrap();
    refused();
    fs::rename(&other, &path).unwrap();
    write(&store, 10, 20);
    fs::remove_file(&path).unwrap();
    refused();
}

/// What another copy of SQLite in the process does as it closes the file: the two do not see each
/// other's locks.
#[test]
#[cfg(unix)]
fn nothing_is_acknowledged_once_the_log_was_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("live.cx"), folder.path().join("link.cx"));
    // The log stands beside the file, whatever it is opened by.
    std::os::unix::fs::symlink(&path, &link).unwrap();
    drop(Store::open(&path).unwrap());
    let store = Store::open(&link).unwrap();
    write(&store, 0, 10);
    assert!(is_emptied(&path));
    fs::remove_file(log_of(&path)).unwrap();
    let event = story::message("k11", 11, "chat", "", &["email jan@example.nl"]);
    let recording = Recording::new("2026-03-04T10:00:00Z".parse().unwrap(), "test");
    for _ in 0..2 {
        let refused = store.ingest(&recording, [event.clone()]).unwrap_err();
        assert!(matches!(refused, StoreError::LogGone { .. }), "{refused}");
        // One that somebody has made since is another one.
        fs::write(log_of(&path), "").unwrap();
    }
    fs::remove_file(log_of(&path)).unwrap();
    drop(store);
    let store = Store::open(&path).unwrap();
    assert_eq!(store.counts().unwrap().1, 10);
    write(&store, 10, 20);
}

/// The control: a snapshot that is held does keep the log.
#[test]
fn a_snapshot_that_is_held_holds_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.cx");
    let store = Store::open(&path).unwrap();
    write(&store, 0, 10);
    let reader = Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    reader.query_row("SELECT count(*) FROM event", [], |row| row.get::<_, i64>(0)).unwrap();
    write(&store, 10, 20);
    assert!(!is_emptied(&path));
    reader.execute_batch("COMMIT").unwrap();
    assert!(is_emptied(&path));
}
