//! A damaged log: where whole transactions stand behind the damage, the file is refused and left as
//! it is, and what is whole is saved; nothing that was acknowledged goes without a word.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use cx_store::{Recording, Store, StoreError};
use cx_tests::asking::facts;
use cx_tests::story;

/// A frame of the log: a page and what it begins with.
const FRAME: usize = 24 + 8192;

/// A store that was killed: its file, and its log with one transaction a record.
struct Killed {
    folder: tempfile::TempDir,
    file: Vec<u8>,
    log: Vec<u8>,
    facts: BTreeSet<String>,
}

impl Killed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("killed.cx");
        let store = Store::open(&path).unwrap();
        for number in 0..6 {
            let claims = [format!("email p{number}@example.nl")];
            let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
            let event = story::message(&format!("k{number}"), number, "chat", "Jan", &claims);
            store.ingest(&Recording::new(story::monday(), "test"), [event]).unwrap();
        }
        let log = fs::read(beside(&path, "-wal")).unwrap();
        let file = fs::read(&path).unwrap();
        Self { facts: facts(&store), folder, file, log }
    }

    /// The store with another log, in a file of its own.
    fn with_log(&self, name: &str, log: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, &self.file).unwrap();
        fs::write(beside(&path, "-wal"), log).unwrap();
        path
    }

    fn frames(&self) -> usize {
        (self.log.len() - 32) / FRAME
    }

    /// How many transactions end at a frame or behind it.
    fn ends(&self, frame: usize) -> usize {
        let ends = |frame: &usize| {
            let at = 32 + frame * FRAME + 4;
            self.log[at..at + 4] != [0; 4]
        };
        (frame..self.frames()).filter(ends).count()
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[test]
fn a_log_that_is_damaged_is_neither_thrown_away_nor_passed_over() {
    let killed = Killed::new();
    // In the salt, the sum, and the page.
    let (mut refused, mut tried, mut whole) = (0, 0, 0);
    let last = (0..killed.frames()).rfind(|frame| killed.ends(*frame) == 2).unwrap();
    let frames = (0..last).step_by(last / 10).chain([last, last + 1, killed.frames() - 1]);
    for (frame, within) in frames.flat_map(|it| [(it, 9), (it, 17), (it, 5_000)]) {
        tried += 1;
        // Where the salt is spoilt, nothing tells that a transaction ends there.
        let ends = if within == 9 { killed.ends(frame + 1) } else { killed.ends(frame) };
        let what = format!("frame {frame}, byte {within}");
        let mut log = killed.log.clone();
        log[32 + frame * FRAME + within] ^= 4;
        let path = killed.with_log("damaged.cx", &log);
        let to = killed.folder.path().join("saved.cx");
        let (saved, report) = Store::salvage(&path, &to).unwrap();
        let found = facts(&saved);
        let missing: Vec<&String> = killed.facts.difference(&found).collect();
        // Without its end the last one was never written as a whole, for all that can be seen.
        let is_told = ends == 0 || !report.is_complete();
        assert!(missing.is_empty() || is_told, "{what}: missing {missing:?}");
        whole += usize::from(missing.is_empty());
        drop(saved);
        fs::remove_file(to).unwrap();
        match Store::open_existing(&path) {
            Err(StoreError::Corrupt { detail, .. }) => {
                refused += 1;
                assert!(ends >= 2, "{what}: {detail}");
                assert!(fs::read(beside(&path, "-wal")).unwrap() == log, "{what}");
                assert!(fs::read(&path).unwrap() == killed.file, "{what}");
            }
            Err(error) => panic!("{what}: {error}"),
            // The last transaction may be what a power loss has torn.
            Ok(store) => {
                assert!(ends < 2, "{what}");
                assert!(facts(&store).is_subset(&killed.facts), "{what}");
            }
        }
    }
    assert!(refused > tried / 2 && whole > 0, "{tried} tried, {refused} refused, {whole} whole");
}

#[test]
fn a_damaged_log_is_repaired_and_kept() {
    let killed = Killed::new();
    for frame in [killed.frames() / 2, killed.frames() - 1] {
        let mut log = killed.log.clone();
        log[32 + frame * FRAME + 5_000] ^= 4;
        let path = killed.with_log(&format!("repaired-{frame}.cx"), &log);
        let done = Store::repair(&path).unwrap();
        let found = facts(&Store::open_existing(&path).unwrap());
        // What is spoilt may have been written again behind it, or another page.
        assert!(!done.salvage.is_complete(), "{:?}", done.salvage.lost);
        let is_last = frame == killed.frames() - 1;
        assert!((found == killed.facts) != is_last, "{:?}", done.salvage.lost);
        let kept = done.kept.unwrap();
        assert!(fs::read(&kept).unwrap() == killed.file);
        assert!(fs::read(beside(&kept, "-wal")).unwrap() == log);
        let store = Store::open_existing(&path).unwrap();
        assert!(store.check().unwrap().is_clean());
    }
}

#[test]
fn a_log_whose_beginning_is_spoilt_is_not_thrown_away() {
    let killed = Killed::new();
    let flips = [0, 2, 5, 10, 13, 17, 22, 25, 31].map(|at| {
        let mut log = killed.log.clone();
        log[at] ^= 4;
        (format!("byte {at}"), log)
    });
    let mut gone = killed.log.clone();
    gone[..32].fill(0);
    for (what, log) in flips.into_iter().chain([("all of it".to_owned(), gone)]) {
        let path = killed.with_log("headless.cx", &log);
        match Store::open_existing(&path) {
            Err(StoreError::Corrupt { detail, .. }) => assert!(detail.contains("spoilt"), "{what}"),
            other => panic!("{what}: {other:?}"),
        }
        assert!(fs::read(beside(&path, "-wal")).unwrap() == log, "{what}");
        let to = killed.folder.path().join("saved.cx");
        let (saved, report) = Store::salvage(&path, &to).unwrap();
        assert!(facts(&saved) == killed.facts || !report.is_complete(), "{what}");
        drop(saved);
        fs::remove_file(to).unwrap();
        Store::repair(&path).unwrap();
        let repaired = Store::open_existing(&path).unwrap();
        assert!(what == "all of it" || facts(&repaired) == killed.facts, "{what}");
        drop(repaired);
        for suffix in [".damaged", ".damaged-wal"] {
            drop(fs::remove_file(beside(&path, suffix)));
        }
    }
}

#[test]
fn a_log_whose_beginning_is_spoilt_may_go_where_the_file_has_all_of_it() {
    let killed = Killed::new();
    let path = killed.with_log("whole.cx", &killed.log);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(PASSIVE)").unwrap();
    let file = fs::read(&path).unwrap();
    drop(connection);
    let mut log = killed.log.clone();
    log[17] ^= 4;
    fs::write(&path, file).unwrap();
    fs::write(beside(&path, "-wal"), log).unwrap();
    assert_eq!(facts(&Store::open_existing(&path).unwrap()), killed.facts);
}

#[test]
fn a_newer_schema_that_stands_only_in_the_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (live, path) = (folder.path().join("live.cx"), folder.path().join("killed.cx"));
    drop(Store::open(&live).unwrap());
    let connection = rusqlite::Connection::open(&live).unwrap();
    connection.execute_batch("PRAGMA user_version = 1000; CREATE TABLE future(x)").unwrap();
    let copy = || {
        fs::copy(&live, &path).unwrap();
        fs::copy(beside(&live, "-wal"), beside(&path, "-wal")).unwrap();
    };
    copy();
    let log = fs::read(beside(&path, "-wal")).unwrap();
    for _ in 0..2 {
        let refused = [
            Store::open(&path).err(),
            Store::open_read_only(&path, None).err(),
            Store::restore(&path, folder.path().join("restored.cx")).err(),
        ];
        for error in refused {
            assert!(matches!(error, Some(StoreError::Newer { found: 1000, .. })), "{error:?}");
        }
        assert!(fs::read(beside(&path, "-wal")).unwrap() == log);
    }
}

#[test]
fn a_log_without_its_file_is_not_taken_away() {
    let killed = Killed::new();
    for is_there in [true, false] {
        let path = killed.with_log("lone.cx", &killed.log);
        if is_there {
            fs::write(&path, []).unwrap();
        } else {
            fs::remove_file(&path).unwrap();
        }
        for opened in [Store::open(&path), Store::open_existing(&path)] {
            assert!(matches!(opened, Err(StoreError::Corrupt { .. })), "{opened:?}");
        }
        assert!(fs::read(beside(&path, "-wal")).unwrap() == killed.log);
        let to = killed.folder.path().join("saved.cx");
        let (saved, report) = Store::salvage(&path, &to).unwrap();
        assert!(facts(&saved) == killed.facts, "{:?}", report.lost);
        drop(saved);
        fs::remove_file(&to).unwrap();
        if is_there {
            let done = Store::repair(&path).unwrap();
            assert!(facts(&Store::open_existing(&path).unwrap()) == killed.facts, "{done:?}");
        }
        fs::remove_file(&path).ok();
    }
}

#[test]
fn a_file_that_is_refused_keeps_its_log() {
    let killed = Killed::new();
    let path = killed.with_log("refused.cx", &killed.log);
    for at in [16, 18, 20, 21, 22, 23, 28, 30, 47, 59] {
        let mut file = killed.file.clone();
        file[at] ^= 0x55;
        fs::write(&path, &file).unwrap();
        fs::write(beside(&path, "-wal"), &killed.log).unwrap();
        drop(fs::remove_file(beside(&path, "-shm")));
        // The engine may mend what it knows from the log.
        let Err(error) = Store::open(&path) else { continue };
        assert!(!matches!(error, StoreError::Engine(_)), "{at}: {error}");
        assert!(fs::read(&path).unwrap() == file, "byte {at}: {error}");
        assert!(fs::read(beside(&path, "-wal")).unwrap() == killed.log, "byte {at}: {error}");
    }
}

/// A page in the log is known by its number, which may be what is spoilt: then another page is lost
/// than the one that it seems to be.
#[test]
fn a_page_whose_number_is_spoilt_is_not_taken_for_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("killed.cx");
    let store = Store::open(&path).unwrap();
    let take = |numbers: std::ops::Range<i64>| {
        let event = |number: i64| {
            let claim = format!("email p{}@example.nl", number % 9);
            story::message(&format!("k{number}"), number, "chat", "Jan", &[&claim])
        };
        store.ingest(&Recording::new(story::monday(), "test"), numbers.map(event)).unwrap();
    };
    take(0..12);
    let who = cx_core::identifier::Who::parse("p8@example.nl", None).unwrap();
    store.erase(&who, cx_store::EraseMode::Delete, story::monday()).unwrap();
    for at in 2..6 {
        take(at * 9..at * 9 + 4);
    }
    let log = fs::read(beside(&path, "-wal")).unwrap();
    let killed = Killed { file: fs::read(&path).unwrap(), log, facts: facts(&store), folder };
    let mut lost = 0;
    for frame in 0..killed.frames() {
        let mut log = killed.log.clone();
        log[32 + frame * FRAME + 3] ^= 1;
        let path = killed.with_log("spoilt.cx", &log);
        let to = killed.folder.path().join("saved.cx");
        // Where the first page is lost, the file may be none of cx.
        let Ok((saved, report)) = Store::salvage(&path, &to) else { continue };
        let is_less = !killed.facts.is_subset(&facts(&saved));
        lost += usize::from(is_less);
        // The end of the last transaction was never acknowledged, for all that can be seen.
        let is_told = !report.is_complete() || killed.ends(frame) == 0;
        assert!(!is_less || is_told, "frame {frame}");
        drop(saved);
        fs::remove_file(&to).unwrap();
    }
    assert!(lost > 0, "nothing was lost");
}

/// Where the last step of a repair fails, nothing that is damaged is gone: neither is the log cut, nor
/// what was kept taken away.
#[test]
fn a_repair_of_a_damaged_log_that_fails_leaves_file_and_log_as_they_were() {
    let killed = Killed::new();
    let mut log = killed.log.clone();
    log[32 + killed.frames() / 2 * FRAME + 5_000] ^= 4;
    let path = killed.with_log("failing.cx", &log);
    // Nothing can be put aside.
    fs::create_dir(beside(&path, ".put-aside")).unwrap();
    Store::repair(&path).unwrap_err();
    assert!(fs::read(&path).unwrap() == killed.file);
    assert!(fs::read(beside(&path, "-wal")).unwrap() == log);
    fs::remove_dir(beside(&path, ".put-aside")).unwrap();
    let done = Store::repair(&path).unwrap();
    assert!(facts(&Store::open_existing(&path).unwrap()) == killed.facts);
    assert!(fs::read(beside(&done.kept.unwrap(), "-wal")).unwrap() == log);
}
