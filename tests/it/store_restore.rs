//! Copies put in the place of a file, and who may read what was copied.

use std::fs;
use std::path::{Path, PathBuf};

use cx_store::{NewFile, Recording, Store, StoreError};
use cx_tests::asking::facts;
use cx_tests::story;

fn write(store: &Store, from: i64, to: i64) {
    let events = (from..to).map(|number| {
        let claim = format!("email p{}@example.nl", number % 7);
        story::message(&format!("k{number}"), number, "chat", "", &[&claim])
    });
    store.ingest(&Recording::new("2026-03-04T10:00:00Z".parse().unwrap(), "test"), events).unwrap();
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What stands in a folder, but for these.
fn others(folder: &Path, known: &[&str]) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    names.filter(|name| !known.contains(&name.as_str())).collect()
}

#[test]
fn the_log_of_a_lost_file_is_not_taken_for_one_of_the_copy() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("shop.cx"), folder.path().join("copy.cx"));
    let store = Store::open(&path).unwrap();
    write(&store, 0, 300);
    store.backup(&copy).unwrap();
    let before = facts(&store);
    let bytes = fs::read(&copy).unwrap();
    write(&store, 300, 600);
    // As a process leaves it that was killed.
    let lost = folder.path().join("lost");
    fs::create_dir(&lost).unwrap();
    let killed = lost.join("shop.cx");
    fs::copy(&path, &killed).unwrap();
    fs::copy(beside(&path, "-wal"), beside(&killed, "-wal")).unwrap();
    assert!(fs::metadata(beside(&killed, "-wal")).unwrap().len() > 0);
    Store::restore(&copy, &killed).unwrap();
    assert_eq!(others(&lost, &["shop.cx"]), [""; 0]);
    let restored = Store::open_existing(&killed).unwrap();
    assert_eq!(facts(&restored), before);
    assert!(restored.check().unwrap().is_clean());
    assert_eq!(fs::read(&copy).unwrap(), bytes, "the copy stays");
    assert!(!beside(&copy, "-wal").exists());
}

#[test]
fn a_copy_that_somebody_has_open_is_restored_with_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("shop.cx"), folder.path().join("copy.cx"));
    let open = Store::open(&copy).unwrap();
    write(&open, 0, 50);
    Store::restore(&copy, &path).unwrap();
    assert_eq!(facts(&Store::open_existing(&path).unwrap()), facts(&open));
    write(&open, 50, 60);
    assert!(open.check().unwrap().is_clean());
}

#[test]
fn nothing_is_put_in_the_place_of_what_is_open_or_foreign() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("shop.cx"), folder.path().join("copy.cx"));
    let store = Store::open(&path).unwrap();
    write(&store, 0, 50);
    store.backup(&copy).unwrap();
    write(&store, 50, 60);
    let refused = Store::restore(&copy, &path).unwrap_err();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    assert_eq!(store.counts().unwrap(), (7, 60));
    drop(store);
    let (notes, none) = (folder.path().join("notes.txt"), folder.path().join("none.cx"));
    fs::write(&notes, "somebody's notes").unwrap();
    let refused = Store::restore(&copy, &notes).unwrap_err();
    assert!(matches!(refused, StoreError::NotOurs { .. }), "{refused}");
    let refused = Store::restore(&notes, &path).unwrap_err();
    assert!(matches!(refused, StoreError::NotOurs { .. }), "{refused}");
    let refused = Store::restore(&none, &path).unwrap_err();
    assert!(matches!(refused, StoreError::NotFound { .. }), "{refused}");
    assert_eq!(fs::read_to_string(&notes).unwrap(), "somebody's notes");
    assert_eq!(others(folder.path(), &["shop.cx", "copy.cx", "notes.txt"]), [""; 0]);
    assert_eq!(Store::open_existing(&path).unwrap().counts().unwrap(), (7, 60));
    Store::restore(&copy, &none).unwrap();
    assert_eq!(Store::open_existing(&none).unwrap().counts().unwrap(), (7, 50));
}

#[test]
fn a_file_that_nobody_can_open_gives_way_to_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("shop.cx"), folder.path().join("copy.cx"));
    let store = Store::open(&path).unwrap();
    write(&store, 0, 50);
    store.backup(&copy).unwrap();
    drop(store);
    let whole = fs::read(&path).unwrap();
    let mut spoilt = whole.clone();
    spoilt[100..8_000].fill(7);
    for bytes in [&whole[..20_000], &spoilt[..]] {
        fs::write(&path, bytes).unwrap();
        Store::restore(&copy, &path).unwrap();
        assert_eq!(Store::open_existing(&path).unwrap().counts().unwrap(), (7, 50));
    }
}

#[cfg(unix)]
#[test]
fn what_is_written_can_be_read_by_its_owner_and_a_copy_by_who_may_read_the_store() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let path = folder.path().join("shop.cx");
    let store = Store::open(&path).unwrap();
    write(&store, 0, 10);
    for (number, (may, copied)) in
        [(0o600, 0o600), (0o640, 0o640), (0o644, 0o644), (0o400, 0o600)].into_iter().enumerate()
    {
        fs::set_permissions(&path, fs::Permissions::from_mode(may)).unwrap();
        let copy = folder.path().join(format!("copy{number}.cx"));
        store.backup(&copy).unwrap();
        assert_eq!(mode(&copy), copied, "of {may:o}");
    }
    let out = folder.path().join("facts.jsonl");
    let mut file = NewFile::create(&out).unwrap();
    store.export_facts(&mut file).unwrap();
    file.finish().unwrap();
    assert_eq!(mode(&out), 0o600);
    let moved = folder.path().join("moved.cx");
    let lines = fs::read(&out).unwrap();
    drop(Store::import_facts(lines.as_slice(), &moved).unwrap());
    assert_eq!(mode(&moved), 0o600);
    drop(store);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    Store::restore(folder.path().join("copy0.cx"), &path).unwrap();
    assert_eq!(mode(&path), 0o640, "as the file was in the place of which it came");
}

#[test]
fn a_damaged_copy_takes_no_files_place() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("shop.cx"), folder.path().join("copy.cx"));
    let store = Store::open(&path).unwrap();
    write(&store, 0, 300);
    store.backup(&copy).unwrap();
    drop(store);
    let before = fs::read(&path).unwrap();
    let mut bytes = fs::read(&copy).unwrap();
    let (from, to) = (bytes.len() / 2, bytes.len() / 2 + 4 * 8192);
    bytes[from..to].fill(0);
    fs::write(&copy, bytes).unwrap();
    match Store::restore(&copy, &path) {
        Err(StoreError::Corrupt { path: told, .. }) => assert_eq!(told, copy),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(others(folder.path(), &["shop.cx", "shop.cx-wal", "copy.cx"]), [""; 0]);
    assert_eq!(Store::open_existing(&path).unwrap().events().count(), 300);
}

#[cfg(unix)]
#[test]
fn a_file_that_a_link_means_is_made_where_it_is_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("link.cx"), folder.path().join("copy.cx"));
    write(&Store::open(&copy).unwrap(), 0, 5);
    std::os::unix::fs::symlink("meant.cx", &path).unwrap();
    Store::restore(&copy, &path).unwrap();
    assert!(path.is_symlink() && folder.path().join("meant.cx").is_file());
    assert_eq!(Store::open_existing(&path).unwrap().events().count(), 5);
}

#[test]
fn a_file_whose_place_was_to_be_taken_is_not_opened_without_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("shop.cx"), folder.path().join("copy.cx"));
    let store = Store::open(&path).unwrap();
    write(&store, 0, 10);
    store.backup(&copy).unwrap();
    write(&store, 10, 20);
    // As a process leaves it that was killed while it put the copy there.
    let lost = folder.path().join("lost.cx");
    fs::copy(&path, &lost).unwrap();
    fs::copy(beside(&path, "-wal"), beside(&lost, "-wal.before")).unwrap();
    let told = Store::open(&lost).unwrap_err().to_string();
    assert!(told.contains("lost.cx-wal.before"), "{told}");
    fs::rename(beside(&lost, "-wal.before"), beside(&lost, "-wal")).unwrap();
    assert_eq!(Store::open(&lost).unwrap().events().count(), 20);
    fs::write(beside(&lost, "-wal.before"), "x").unwrap();
    Store::restore(&copy, &lost).unwrap();
    assert_eq!(Store::open(&lost).unwrap().events().count(), 10);
}
