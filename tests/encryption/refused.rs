//! An engine that cannot encrypt.

use cx_core::identity::Policy;
use cx_store::{EncryptionKey, OpenOptions, Store, StoreError, Tenants};

fn key() -> EncryptionKey {
    EncryptionKey::raw([7; 32])
}

#[test]
fn without_the_feature_a_key_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let options = OpenOptions::new().key(key());
    let plain = Store::open_in_memory().unwrap();
    let mut facts = Vec::new();
    plain.export_facts(&mut facts).unwrap();
    let refused = [
        options.open(&path).map(drop),
        options.open_existing(&path).map(drop),
        options.open_read_only(&path).map(drop),
        plain.backup_under(&path, Some(&key())),
        Store::import_facts_under(facts.as_slice(), &path, Some(&key())).map(drop),
        Tenants::open_under(folder.path().join("t"), 1, Policy::default(), key()).map(drop),
    ];
    for refused in refused {
        assert!(matches!(refused, Err(StoreError::NoEncryption)), "{refused:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn without_the_feature_a_copy_under_no_key_is_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let store = Store::open(&path).unwrap();
    store.backup_under(folder.path().join("b.cx"), None).unwrap();
    assert!(!Store::open_existing(folder.path().join("b.cx")).unwrap().is_encrypted());
}

#[test]
fn without_the_feature_a_file_that_looks_encrypted_is_told_to_be_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let mut chance = cx_tests::chance::Chance::seeded(1);
    let bytes: Vec<u8> = (0..3 * 8192).map(|_| u8::try_from(chance.below(256)).unwrap()).collect();
    std::fs::write(&path, &bytes).unwrap();
    let opened = Store::open(&path);
    assert!(matches!(opened, Err(StoreError::Encrypted { .. })), "{opened:?}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}
