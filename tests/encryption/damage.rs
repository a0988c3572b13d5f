//! Encrypted files that are damaged: a typed error, or right answers, and a check that notices.

use cx_core::context::ContextOptions;
use cx_core::identifier::Who;
use cx_store::{Store, StoreError};
use cx_tests::asking::answers;
use cx_tests::chance::Chance;

use crate::stores::{fill, now, raw, right_answers, under};

const PAGE: usize = 8192;

#[test]
fn a_bit_that_is_flipped_anywhere_is_noticed_and_no_answer_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let store = under(raw(1)).open(&path).unwrap();
    fill(&store);
    let people: Vec<Who> =
        (0..7).map(|n| Who::parse(&format!("p{n}@example.nl"), None).unwrap()).collect();
    let ask = |store: &Store, who: &Who| -> Result<String, StoreError> {
        Ok(store.context(who, &ContextOptions::at(now()))?.to_json())
    };
    let right: Vec<String> = people.iter().map(|who| ask(&store, who).unwrap()).collect();
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    let mut chance = Chance::seeded(7);
    for page in 0..whole.len() / PAGE {
        let mut bytes = whole.clone();
        bytes[page * PAGE + chance.index(PAGE)] ^= 1 << chance.below(8);
        std::fs::write(&path, &bytes).unwrap();
        let store = match under(raw(1)).open_existing(&path) {
            Ok(store) => store,
            Err(StoreError::WrongKey { .. } | StoreError::Corrupt { .. }) => continue,
            Err(other) => panic!("page {page}: {other:?}"),
        };
        for (who, right) in people.iter().zip(&right) {
            match ask(&store, who) {
                Ok(answer) => assert_eq!(answer, *right, "page {page}"),
                Err(StoreError::Corrupt { .. }) => {}
                Err(other) => panic!("page {page}: {other:?}"),
            }
        }
        match store.check() {
            Ok(report) => assert!(!report.is_clean(), "page {page}"),
            Err(StoreError::Corrupt { .. }) => {}
            Err(other) => panic!("page {page}: {other:?}"),
        }
    }
}

#[test]
fn a_file_that_is_cut_short_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let store = under(raw(1)).open(&path).unwrap();
    fill(&store);
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    let pages = whole.len() / PAGE;
    for length in (1..pages).flat_map(|page| [page * PAGE, page * PAGE + 5000]) {
        std::fs::write(&path, &whole[..length]).unwrap();
        let refused = under(raw(1)).open_existing(&path);
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{length}: {refused:?}");
        let refused = under(raw(1)).open_read_only(&path);
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{length}: {refused:?}");
        assert!(std::fs::read(&path).unwrap() == whole[..length]);
    }
    for (length, expected) in [(5000, "WrongKey"), (4000, "NotOurs"), (1, "NotOurs")] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let refused = format!("{:?}", under(raw(1)).open_existing(&path).unwrap_err());
        assert!(refused.starts_with(expected), "{length}: {refused}");
    }
}

#[test]
fn a_log_that_is_spoilt_gives_what_was_whole_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cx");
    let store = under(raw(1)).open(&path).unwrap();
    fill(&store);
    let (file, log) =
        (std::fs::read(&path).unwrap(), std::fs::read(path.with_extension("cx-wal")).unwrap());
    drop(store);
    let mut chance = Chance::seeded(11);
    for _ in 0..40 {
        let mut log = log.clone();
        let at = chance.index(log.len());
        log[at] ^= 1 << chance.below(8);
        let copy = folder.path().join("copy.cx");
        std::fs::write(&copy, &file).unwrap();
        std::fs::write(copy.with_extension("cx-wal"), &log).unwrap();
        match under(raw(1)).open_existing(&copy) {
            Ok(store) => {
                let n = store.counts().unwrap().1;
                assert!(n == 0 || n == 60, "{at}: {n}");
                assert!(store.check().unwrap().is_clean(), "{at}");
            }
            Err(StoreError::WrongKey { .. } | StoreError::Corrupt { .. }) => {}
            Err(other) => panic!("{at}: {other:?}"),
        }
        for suffix in ["cx", "cx-wal", "cx-shm"] {
            drop(std::fs::remove_file(copy.with_extension(suffix)));
        }
    }
}

#[test]
fn nothing_is_salvaged_of_an_encrypted_file_and_the_error_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (path, to) = (folder.path().join("a.cx"), folder.path().join("saved.cx"));
    let store = under(raw(1)).open(&path).unwrap();
    fill(&store);
    drop(store);
    let before = std::fs::read(&path).unwrap();
    for refused in [
        Store::salvage(&path, &to).map(drop),
        Store::salvage_under(&path, &to, Some(&raw(1))).map(drop),
        Store::repair(&path).map(drop),
    ] {
        assert!(matches!(refused, Err(StoreError::Unsalvageable { .. })), "{refused:?}");
    }
    assert!(std::fs::read(&path).unwrap() == before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_is_salvaged_of_a_plain_file_is_encrypted_where_a_key_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let (path, to) = (folder.path().join("a.cx"), folder.path().join("saved.cx"));
    let store = Store::open(&path).unwrap();
    fill(&store);
    drop(store);
    let (saved, report) = Store::salvage_under(&path, &to, Some(&raw(1))).unwrap();
    assert!(report.is_complete() && saved.is_encrypted());
    assert_eq!(answers(&saved, now()), right_answers());
    drop(saved);
    assert!(matches!(Store::open(&to), Err(StoreError::Encrypted { .. })));
}
