//! Copies under the same key, under another one, and under none.

use std::path::Path;

use cx_store::{EncryptionKey, OpenOptions, Store, StoreError};
use cx_tests::asking::answers;

use crate::stores::{bytes_in, fill, found_in, now, raw, right_answers, under};

fn with(key: Option<EncryptionKey>) -> OpenOptions {
    OpenOptions::new().key(key)
}

#[test]
fn a_backup_of_an_encrypted_store_is_encrypted_under_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("a.cx"), folder.path().join("copy.cx"));
    let options = under(EncryptionKey::passphrase("swordfish").unwrap());
    let store = options.open(&path).unwrap();
    fill(&store);
    store.backup(&copy).unwrap();
    assert!(matches!(store.backup(&copy), Err(StoreError::Exists { .. })));
    assert!(matches!(Store::open(&copy), Err(StoreError::Encrypted { .. })));
    let copy = options.open_existing(&copy).unwrap();
    assert_eq!(answers(&copy, now()), right_answers());
    assert!(copy.check().unwrap().is_clean());
}

#[test]
fn a_copy_under_any_key_or_none_answers_as_the_store_does() {
    let folder = tempfile::tempdir().unwrap();
    let keys = [None, Some(raw(1)), Some(EncryptionKey::passphrase("O'Hara\"").unwrap())];
    for (number, from) in keys.iter().enumerate() {
        let path = folder.path().join(format!("{number}.cx"));
        let store = with(from.clone()).open(&path).unwrap();
        fill(&store);
        store.catch_up().unwrap();
        for (place, to) in keys.iter().enumerate() {
            let path = folder.path().join(format!("{number} to {place}.cx"));
            store.backup_under(&path, to.as_ref()).unwrap();
            let bytes = std::fs::read(&path).unwrap();
            assert!(bytes.len().is_multiple_of(8192));
            if to.is_some() {
                assert_eq!(found_in(&bytes), [""; 0]);
            } else {
                assert!(bytes.starts_with(b"SQLite format 3\0"));
                assert_eq!(bytes[16..18], 8192_u16.to_be_bytes(), "the size of a page");
                assert_eq!(bytes[20], 0, "reserved bytes, of which salvaging knows nothing");
            }
            let copy = with(to.clone()).open_existing(&path).unwrap();
            assert_eq!(copy.is_encrypted(), to.is_some());
            assert_eq!(answers(&copy, now()), right_answers());
            assert!(copy.check().unwrap().is_clean(), "{:?}", copy.check());
            assert_eq!(copy.changes(0, 1000).unwrap(), store.changes(0, 1000).unwrap());
            assert_eq!(facts(&copy), facts(&store));
            // It takes more in.
            fill(&copy);
            assert!(copy.check().unwrap().is_clean());
        }
    }
}

fn facts(store: &Store) -> String {
    let mut lines = Vec::new();
    store.export_facts(&mut lines).unwrap();
    String::from_utf8(lines).unwrap()
}

#[test]
fn a_store_in_memory_and_one_that_is_only_read_are_copied_under_a_key_too() {
    let folder = tempfile::tempdir().unwrap();
    let copied = |store: &Store, name: &str, key: Option<EncryptionKey>| {
        let path = folder.path().join(name);
        store.backup_under(&path, key.as_ref()).unwrap();
        let copy = with(key).open_existing(&path).unwrap();
        assert_eq!(answers(&copy, now()), right_answers());
        assert!(copy.check().unwrap().is_clean());
    };
    let memory = Store::open_in_memory().unwrap();
    fill(&memory);
    copied(&memory, "of memory.cx", Some(raw(1)));
    let before = bytes_in(folder.path());
    let read = under(raw(1)).open_read_only(folder.path().join("of memory.cx")).unwrap();
    copied(&read, "of read.cx", Some(raw(2)));
    copied(&read, "plain.cx", None);
    drop(read);
    let plain = Store::open_read_only(folder.path().join("plain.cx"), None).unwrap();
    copied(&plain, "of plain.cx", Some(raw(3)));
    assert!(bytes_in(folder.path())["of memory.cx"] == before["of memory.cx"]);
}

#[test]
fn where_something_stands_nothing_is_copied_and_where_copying_fails_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let store = under(raw(1)).open(&path).unwrap();
    fill(&store);
    let taken = folder.path().join("taken.cx");
    std::fs::write(&taken, b"kept").unwrap();
    for key in [None, Some(raw(1)), Some(raw(2))] {
        let refused = store.backup_under(&taken, key.as_ref());
        assert!(matches!(refused, Err(StoreError::Exists { .. })), "{refused:?}");
        assert_eq!(std::fs::read(&taken).unwrap(), b"kept");
        let nowhere = folder.path().join("no such folder").join("b.cx");
        let refused = store.backup_under(nowhere, key.as_ref());
        assert!(matches!(refused, Err(StoreError::CannotOpen { .. })), "{refused:?}");
    }
    // A page that cannot be read any more.
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let store = under(raw(1)).open_existing(&path).unwrap();
    for key in [None, Some(raw(1)), Some(raw(2))] {
        let copy = folder.path().join("copy.cx");
        let failed = store.backup_under(&copy, key.as_ref());
        let Err(StoreError::Corrupt { path: of, .. }) = &failed else { panic!("{failed:?}") };
        assert_eq!(*of, path);
        assert_eq!(
            bytes_in(folder.path()).keys().filter(|name| name.starts_with("copy")).count(),
            0
        );
    }
}

/// A copy of the kept file of that version of the schema.
fn kept(folder: &Path, version: u32) -> std::path::PathBuf {
    let name = format!("schema-{version}.cx");
    let copy = folder.join(&name);
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("files");
    std::fs::copy(files.join(&name), &copy).unwrap();
    copy
}

#[test]
fn a_file_of_an_older_schema_is_encrypted_as_it_is_and_brought_forward_when_it_is_opened() {
    for version in [1, 2, 3, 4] {
        let folder = tempfile::tempdir().unwrap();
        let old = kept(folder.path(), version);
        let (encrypted, plain) = (folder.path().join("e.cx"), folder.path().join("p.cx"));
        let read = Store::open_read_only(&old, None).unwrap();
        let expected = answers(&read, now());
        read.backup_under(&encrypted, Some(&raw(1))).unwrap();
        let before = std::fs::read(&encrypted).unwrap();
        // For reading, from a copy in memory.
        let read = under(raw(1)).open_read_only(&encrypted).unwrap();
        assert_eq!(answers(&read, now()), expected);
        read.backup_under(&plain, None).unwrap();
        let header = std::fs::read(&plain).unwrap();
        assert_eq!(header[60..64], version.to_be_bytes(), "as old as it was");
        drop(read);
        assert!(std::fs::read(&encrypted).unwrap() == before);
        for (path, key) in [(&encrypted, Some(raw(1))), (&plain, None)] {
            let store = with(key).open_existing(path).unwrap();
            assert_eq!(answers(&store, now()), expected);
            assert!(store.check().unwrap().is_clean());
        }
    }
}

#[test]
fn facts_are_moved_into_an_encrypted_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_in_memory().unwrap();
    fill(&store);
    let path = folder.path().join("a.cx");
    let lines = facts(&store);
    let (moved, report) =
        Store::import_facts_under(lines.as_bytes(), &path, Some(&raw(1))).unwrap();
    assert_eq!((report.taken.events, report.rejected), (60, 0));
    assert!(moved.is_encrypted());
    assert_eq!(answers(&moved, now()), right_answers());
    assert_eq!(found_in(&std::fs::read(&path).unwrap()), [""; 0]);
}
