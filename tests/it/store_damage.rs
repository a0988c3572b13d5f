//! Damaged files: a typed error, or right answers, or a check that notices; and what can be saved
//! is saved, and nothing else.
//!
//! Each page of a small file is spoilt in several ways, and it is cut at each page and within it.
//! `CX_DAMAGE` says at how many places of each page.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_core::identity::{Assertion, Subject, Verdict};
use cx_core::retention::Retention;
use cx_core::time::Timestamp;
use cx_store::{EraseMode, Recording, RetainOptions, Store, StoreError};
use cx_tests::asking::{answers, asked, facts};
use cx_tests::chance::Chance;
use cx_tests::story;

const PAGE: usize = 8192;

fn now() -> Timestamp {
    "2029-01-01T00:00:00Z".parse().unwrap()
}

/// A file with something in every table.
fn sound(path: &Path) -> Store {
    let store = Store::open(path).unwrap();
    let message = |number: i64| -> Event {
        let person = number % 11;
        let claims = [format!("email p{person}@example.nl"), format!("phone 06 123400{person:02}")];
        let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
        let name = if person == 3 { "Anna Vos" } else { "Jan de Vries" };
        let event = story::message(&format!("k{number}"), number, "chat", name, &claims);
        let mut event = story::in_conversation(event, &format!("c{person}"));
        if number == 24
            && let Some(conversation) = &mut event.conversation
        {
            conversation.aliases.push("c24".parse().unwrap());
        }
        // Some are longer than a page.
        if number % 29 == 0 {
            event.extra.insert("note".to_owned(), "waar is mijn pakket? ".repeat(700).into());
        }
        event
    };
    for (number, at) in [(0, "2026-03-04T10:00:00Z"), (60, "2026-03-05T10:00:00Z")] {
        let recording = Recording::new(at.parse().unwrap(), "test");
        store.ingest(&recording, (number..number + 60).map(message)).unwrap();
    }
    let mut revised = message(7);
    revised.rev = Some("2".to_owned());
    store.ingest(&Recording::new(now(), "test"), [revised]).unwrap();
    let anchor = |mail: &str| {
        Subject::Observation(store.anchor(&Who::parse(mail, None).unwrap()).unwrap().unwrap())
    };
    let said = Assertion {
        verdict: Verdict::Same(anchor("p1@example.nl"), anchor("p2@example.nl")),
        by: "agent:7".to_owned(),
        reason: Some("the same voice".to_owned()),
        at: now(),
    };
    store.assert(&said, now()).unwrap();
    let who = Who::parse("p5@example.nl", None).unwrap();
    store.erase(&who, EraseMode::Delete, now()).unwrap();
    store
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|words| words.parse().ok()).unwrap_or(otherwise)
}

/// Which facts cannot be missing without anybody saying so.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    All,
    /// Those that a hash or a sum is kept of: a bit inside a value of another one is as good as any.
    WithSums,
}

fn has_sum(line: &str) -> bool {
    ["event", "assertion"].iter().any(|fact| line.contains(&format!("\"fact\":\"{fact}\"")))
}

struct Damaged {
    folder: tempfile::TempDir,
    facts: BTreeSet<String>,
    asked: String,
    bytes: Vec<u8>,
    silent: Vec<String>,
    tried: u64,
    refused: u64,
    noticed: u64,
    complete: u64,
}

impl Damaged {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sound.cx");
        let store = sound(&path);
        let (facts, asked) = (facts(&store), asked(&store, now()).unwrap());
        drop(store);
        let bytes = std::fs::read(&path).unwrap();
        let (silent, tried, refused, noticed, complete) = (Vec::new(), 0, 0, 0, 0);
        Self { folder, facts, asked, bytes, silent, tried, refused, noticed, complete }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Opens, asks, checks and salvages a damaged copy.
    fn try_out(&mut self, bytes: &[u8], what: &str, seen: Seen) {
        self.tried += 1;
        let (path, to) = (self.path("damaged.cx"), self.path("saved.cx"));
        std::fs::write(&path, bytes).unwrap();
        let salvaged = Store::salvage(&path, &to);
        match salvaged {
            Ok((store, report)) => {
                let saved = facts(&store);
                let strange: Vec<&String> = saved.difference(&self.facts).collect();
                // What was lost in the head is made good by defaults, and told.
                let strange: Vec<&&String> =
                    strange.iter().filter(|line| !line.contains("\"fact\":\"store\"")).collect();
                let is_salvaged = |line: &str| line.contains("\"adapter\":\"salvage\"");
                assert!(
                    strange.iter().all(|line| is_salvaged(line)
                        || line.contains("\"fact\":\"change\"")
                        || line.contains("\"fact\":\"issued\"")),
                    "{what}: saved what never was: {strange:?}"
                );
                let missing: Vec<&String> = self
                    .facts
                    .difference(&saved)
                    .filter(|line| seen == Seen::All || has_sum(line))
                    .collect();
                assert!(
                    missing.is_empty() || !report.is_complete(),
                    "{what}: nobody says that these are missing: {missing:?}"
                );
                self.complete += u64::from(report.is_complete());
                let check = store.check().unwrap();
                assert!(check.is_clean(), "{what}: {:?}", check.problems);
                drop(store);
                for suffix in ["", "-wal", "-shm"] {
                    drop(std::fs::remove_file(self.path(&format!("saved.cx{suffix}"))));
                }
            }
            Err(error) => {
                assert!(
                    matches!(error, StoreError::NotOurs { .. }),
                    "{what}: cannot be salvaged: {error:?}"
                );
                assert!(!to.exists(), "{what}: half of it is left");
            }
        }
        let opened = Store::open_existing(&path);
        let Ok(store) = opened else {
            self.refused += 1;
            return;
        };
        let answer = asked(&store, now());
        let check = store.check();
        let is_noticed = !check.as_ref().is_ok_and(cx_store::CheckReport::is_clean);
        self.noticed += u64::from(is_noticed);
        if !answer.is_ok_and(|answer| answer == self.asked) && !is_noticed {
            self.silent.push(what.to_owned());
        }
        drop(store);
        for suffix in ["-wal", "-shm"] {
            drop(std::fs::remove_file(self.path(&format!("damaged.cx{suffix}"))));
        }
    }
}

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tried, refused, noticed, complete, .. } = self;
        let silent = self.silent.len();
        write!(
            f,
            "{tried} damaged files: {refused} not opened, {noticed} noticed by check, {silent} wrong \
             and not noticed; of {complete} all facts were saved"
        )
    }
}

#[test]
fn each_page_spoilt_gives_an_error_or_right_answers_or_is_noticed() {
    let mut damaged = Damaged::new();
    let mut chance = Chance::seeded(11);
    let bytes = damaged.bytes.clone();
    let places = number("CX_DAMAGE", 2);
    for page in 0..bytes.len() / PAGE {
        let (start, end) = (page * PAGE, (page + 1) * PAGE);
        let mut blank = bytes.clone();
        blank[start..end].fill(0);
        damaged.try_out(&blank, &format!("page {} blank", page + 1), Seen::All);
        for _ in 0..places {
            let at = start + chance.index(PAGE);
            let bit = 1_u8 << chance.below(8);
            let mut flipped = bytes.clone();
            flipped[at] ^= bit;
            let what = format!("page {}: byte {} ^ {bit}", page + 1, at - start);
            damaged.try_out(&flipped, &what, Seen::WithSums);
        }
    }
    println!("{damaged}");
    assert_eq!(damaged.silent, [""; 0], "{damaged}");
}

/// The first page of a table, from 0, which is all of it here.
fn page_of(path: &Path, table: &str) -> usize {
    let connection = rusqlite::Connection::open(path).unwrap();
    let sql = "SELECT rootpage - 1 FROM sqlite_schema WHERE name = ?1";
    let page: u32 = connection.query_row(sql, [table], |row| row.get(0)).unwrap();
    usize::try_from(page).unwrap()
}

#[test]
fn a_page_that_was_written_over_another_one_is_noticed() {
    let mut damaged = Damaged::new();
    let bytes = damaged.bytes.clone();
    let n = bytes.len() / PAGE;
    let is_empty = |page: usize| bytes[page * PAGE + 3..page * PAGE + 5] == [0, 0];
    // How long texts are only counts for which of them is found first.
    let sizes = page_of(&damaged.path("sound.cx"), "event_fts_docsize");
    let mut chance = Chance::seeded(14);
    for page in 0..n {
        for _ in 0..number("CX_DAMAGE", 2) {
            let from = chance.index(n);
            // Nothing tells that a table whose first page is empty had rows; nor does the engine
            // tell that an index without any has the page of a table, before it is asked.
            if from == 0 || is_empty(from) || is_empty(page) || page == sizes {
                continue;
            }
            let mut spoilt = bytes.clone();
            spoilt.copy_within(from * PAGE..(from + 1) * PAGE, page * PAGE);
            let what = format!("page {} over page {}", from + 1, page + 1);
            damaged.try_out(&spoilt, &what, Seen::All);
        }
    }
    println!("{damaged}");
    assert_eq!(damaged.silent, [""; 0], "{damaged}");
}

#[test]
fn a_file_cut_anywhere_gives_an_error_or_right_answers_or_is_noticed() {
    let mut damaged = Damaged::new();
    let bytes = damaged.bytes.clone();
    let mut chance = Chance::seeded(12);
    for page in 0..bytes.len() / PAGE {
        let places = number("CX_DAMAGE", 2) / 2;
        for at in std::iter::once(0).chain((0..places).map(|_| chance.index(PAGE))) {
            let length = page * PAGE + at;
            damaged.try_out(&bytes[..length], &format!("cut at {length}"), Seen::All);
        }
    }
    println!("{damaged}");
    assert_eq!(damaged.silent, [""; 0], "{damaged}");
}

#[test]
fn a_sound_file_is_salvaged_whole_from_its_log_too() {
    let folder = tempfile::tempdir().unwrap();
    let (path, to) = (folder.path().join("live.cx"), folder.path().join("saved.cx"));
    // It is still open: most of it is in the log.
    let store = sound(&path);
    let (saved, report) = Store::salvage(&path, &to).unwrap();
    assert!(report.is_complete(), "{:?}", report.lost);
    assert_eq!(facts(&store), facts(&saved));
    assert_eq!(answers(&store, now()), answers(&saved, now()));
    assert!(matches!(Store::salvage(&path, &to), Err(StoreError::Exists { .. })));
    assert!(matches!(Store::repair(&path), Err(StoreError::Locked { .. })));
}

#[test]
fn a_file_of_each_schema_is_salvaged_whole() {
    for version in 1..=4 {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("files/schema-{version}.cx"));
        let folder = tempfile::tempdir().unwrap();
        let (saved, report) = Store::salvage(&path, folder.path().join("saved.cx")).unwrap();
        assert!(report.is_complete(), "{version}: {:?}", report.lost);
        let copy = folder.path().join("copy.cx");
        std::fs::copy(&path, &copy).unwrap();
        let copy = Store::open(&copy).unwrap();
        assert_eq!(facts(&copy), facts(&saved), "schema {version}");
        assert!(answers(&copy, now()) == answers(&saved, now()), "schema {version}");
    }
}

#[test]
fn a_repair_makes_everything_derived_anew_and_loses_nothing() {
    let spoil = [
        "DELETE FROM member WHERE bundle_id = 3",
        "UPDATE bundle SET n = n + 1 WHERE id = 2",
        "DELETE FROM bundle_claim",
        "DELETE FROM identifier WHERE id % 2 = 0",
        "DELETE FROM conversation",
        "DELETE FROM bundle_stat",
        "DELETE FROM customer",
        "DELETE FROM source_stat",
        "DELETE FROM open_conversation",
        "INSERT INTO event_fts(event_fts) VALUES('delete-all')",
        "DROP INDEX event_timeline",
        "UPDATE event SET ts = ts + 1 WHERE seq = 9",
        "UPDATE event SET bundle_id = 1 WHERE seq = 40",
        "UPDATE event SET conversation_id = NULL",
        "UPDATE conversation SET canonical_id = 1",
        "UPDATE identifier SET hub = 1 - hub",
        "DELETE FROM past_claim",
        "DELETE FROM conversation_alias",
        "UPDATE bundle SET registered = 0 WHERE id = 2",
        "DELETE FROM seen_with",
        "UPDATE bundle SET name = 'Mallory'",
        "UPDATE event SET channel = (SELECT id FROM dict WHERE class = 3 LIMIT 1) WHERE seq = 12",
        "UPDATE event SET direction = 2 WHERE seq < 20",
        "UPDATE event SET visibility = 1 WHERE seq < 20",
        "UPDATE event SET src_seq = 5 WHERE seq < 20",
        "UPDATE event SET standing = 2 WHERE seq = 21",
        "UPDATE open_conversation SET waiting_since = 0",
        "UPDATE source_stat SET last_event = last_event - 1000000",
        "UPDATE bundle_stat SET channel = channel + 1",
        "INSERT OR REPLACE INTO named VALUES(zeroblob(16), (SELECT max(key) FROM event))",
        "INSERT OR REPLACE INTO named VALUES(zeroblob(16), '')",
        "DELETE FROM issued WHERE cid NOT IN (SELECT cid FROM customer)",
    ];
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("sound.cx");
    let store = sound(&original);
    let (before, told) = (facts(&store), asked(&store, now()).unwrap());
    drop(store);
    let mut silent = Vec::new();
    for sql in spoil {
        let path = folder.path().join("spoilt.cx");
        std::fs::copy(&original, &path).unwrap();
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch(sql).unwrap();
        connection.close().unwrap();
        // An id that means nobody any more cannot be made anew, and is no part of an answer.
        if !sql.contains("issued") {
            let noticed = Store::open(&path)
                .and_then(|store| store.check())
                .map_or(true, |report| !report.is_clean());
            if !noticed {
                silent.push(sql);
            }
        }
        let repair = Store::repair(&path).unwrap();
        assert!(repair.salvage.is_complete(), "{sql}: {:?}", repair.salvage.lost);
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 2, "{sql}: {left:?}");
        let store = Store::open(&path).unwrap();
        let report = store.check().unwrap();
        assert!(report.is_clean(), "{sql}: {:?}", report.problems);
        assert_eq!(asked(&store, now()).unwrap(), told, "{sql}");
        // The feed names its values by rows that are derived.
        if !sql.contains("issued") && !sql.contains("identifier WHERE") {
            assert!(facts(&store) == before, "{sql}");
        }
    }
    assert_eq!(silent, [""; 0], "spoilt, and not noticed");
}

#[test]
fn a_repair_that_cannot_save_all_keeps_the_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spoilt.cx");
    drop(sound(&path));
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "UPDATE event SET payload = replace(payload, 'Vries', 'Vrees') WHERE seq = 8",
        )
        .unwrap();
    connection.close().unwrap();
    let before = std::fs::read(&path).unwrap();
    let repair = Store::repair(&path).unwrap();
    assert_eq!(repair.salvage.unreadable, 1);
    assert!(repair.salvage.lost[0].contains("it is not what was written"), "{repair:?}");
    let kept = repair.kept.unwrap();
    assert_eq!(std::fs::read(&kept).unwrap(), before);
    assert!(Store::open(&path).unwrap().check().unwrap().is_clean());
    assert!(matches!(Store::repair(&path), Err(StoreError::Exists { .. })));
    for foreign in ["hello", "SQLite format 3\0 and nothing else"] {
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, foreign).unwrap();
        assert!(matches!(Store::repair(&path), Err(StoreError::NotOurs { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), foreign);
    }
}

/// A file that has rules of retention too.
fn retained(path: &Path) -> Store {
    let store = sound(path);
    let rules = Retention::read("[[rule]]\nchannel = \"web\"\nkeep = \"13 months\"").unwrap();
    store.retain(&rules, RetainOptions::at(now()), |_| ControlFlow::Continue(())).unwrap();
    store
}

/// The names and the bytes of the first pages of some tables and indexes.
fn roots(path: &Path, which: &str) -> Vec<(String, Range<usize>)> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let sql = format!("SELECT name, rootpage FROM sqlite_master WHERE rootpage > 0 AND ({which})");
    let mut rows = connection.prepare(&sql).unwrap();
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let rows: Vec<(String, u32)> = rows.map(|row| row.unwrap()).collect();
    let bytes = |root: u32| {
        let root = usize::try_from(root).unwrap();
        (root - 1) * PAGE..root * PAGE
    };
    rows.into_iter().map(|(name, root)| (name, bytes(root))).collect()
}

#[test]
fn whichever_table_of_facts_is_spoilt_the_file_as_it_was_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let sound_path = folder.path().join("sound.cx");
    drop(retained(&sound_path));
    let bytes = std::fs::read(&sound_path).unwrap();
    let facts =
        "type = 'table' AND name IN ('meta', 'dict', 'batch', 'event', 'assertion', 'issued',
      'change', 'identifier', 'suppressed', 'erasure', 'retention')";
    let roots = roots(&sound_path, facts);
    assert_eq!(roots.len(), 11);
    for (table, root) in roots {
        for byte in [None, Some(0_u8), Some(5)] {
            let path = folder.path().join(format!("{table}-{byte:?}.cx"));
            let mut spoilt = bytes.clone();
            let page = &mut spoilt[root.clone()];
            match byte {
                None => page.fill(0),
                Some(byte) if page[0] == byte => continue,
                Some(byte) => page[0] = byte,
            }
            std::fs::write(&path, &spoilt).unwrap();
            let repair = Store::repair(&path).unwrap();
            assert!(!repair.salvage.is_complete(), "{table}");
            assert!(
                repair.salvage.lost.iter().any(|lost| lost.contains(&format!("\"{table}\""))),
                "{table}: {:?}",
                repair.salvage.lost
            );
            assert_eq!(std::fs::read(repair.kept.unwrap()).unwrap(), spoilt, "{table}");
            assert!(Store::open(&path).unwrap().check().unwrap().is_clean(), "{table}");
        }
    }
}

#[test]
fn the_change_feed_goes_on_behind_all_that_was_ever_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sound.cx");
    let last = sound(&path).changes(0, 1_000).unwrap().last().unwrap().seq;
    let bytes = std::fs::read(&path).unwrap();
    let tables = "name IN ('change', 'sqlite_sequence')";
    for spoilt in [&["change"][..], &["change", "sqlite_sequence"]] {
        let mut bytes = bytes.clone();
        for (table, root) in roots(&path, tables) {
            if spoilt.contains(&table.as_str()) {
                bytes[root].fill(0);
            }
        }
        let path = folder.path().join(format!("{}.cx", spoilt.len()));
        std::fs::write(&path, &bytes).unwrap();
        assert!(!Store::repair(&path).unwrap().salvage.is_complete());
        let store = Store::open(&path).unwrap();
        let event = story::message("later", 0, "chat", "Ann", &["email later@example.nl"]);
        store.ingest(&Recording::new(now(), "test"), [event]).unwrap();
        assert_eq!(store.changes(last, 10).unwrap().len(), 1, "{spoilt:?}");
    }
}

#[test]
fn a_spoilt_header_is_damage_and_no_foreign_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spoilt.cx");
    let before = facts(&sound(&path));
    let bytes = std::fs::read(&path).unwrap();
    for byte in 16..24 {
        let mut bytes = bytes.clone();
        bytes[byte] ^= 0x41;
        std::fs::write(&path, &bytes).unwrap();
        match Store::open_existing(&path) {
            Err(StoreError::Corrupt { .. }) => {
                Store::repair(&path).unwrap();
            }
            Err(error) => panic!("byte {byte}: {error}"),
            Ok(_) => {}
        }
        assert!(facts(&Store::open_existing(&path).unwrap()) == before, "byte {byte}");
    }
}

#[test]
fn a_file_that_nobody_can_open_is_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spoilt.cx");
    let store = sound(&path);
    let before = facts(&store);
    drop(store);
    let bytes = std::fs::read(&path).unwrap();
    // The first page begins with the header of the file, and lists all tables.
    for (spoilt, is_lost) in [(0..16, false), (100..PAGE, true), (0..PAGE, true)] {
        let mut bytes = bytes.clone();
        bytes[spoilt.clone()].fill(0);
        std::fs::write(&path, &bytes).unwrap();
        let repair = Store::repair(&path).unwrap();
        assert_eq!(repair.salvage.is_complete(), !is_lost, "{spoilt:?}: {repair:?}");
        assert_eq!(facts(&Store::open(&path).unwrap()), before, "{spoilt:?}");
        if let Some(kept) = repair.kept {
            assert_eq!(std::fs::read(&kept).unwrap(), bytes, "{spoilt:?}");
            std::fs::remove_file(kept).unwrap();
        }
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{spoilt:?}: {left:?}");
    }
}

#[test]
fn a_page_of_what_is_derived_is_no_loss() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spoilt.cx");
    let store = sound(&path);
    let before = facts(&store);
    drop(store);
    let derived = "type = 'index' OR name IN ('bundle', 'member', 'seen_with', 'conversation')";
    let mut bytes = std::fs::read(&path).unwrap();
    for (_, root) in roots(&path, derived) {
        bytes[root].fill(0);
    }
    std::fs::write(&path, &bytes).unwrap();
    let repair = Store::repair(&path).unwrap();
    assert!(repair.salvage.is_complete(), "{:?}", repair.salvage.lost);
    assert_eq!(facts(&Store::open(&path).unwrap()), before);
}

#[test]
fn a_fact_that_is_not_what_was_written_is_noticed_and_told() {
    let alterations = [
        "UPDATE assertion SET reason = 'another voice'",
        "UPDATE assertion SET said_by = 'agent:8'",
        "UPDATE assertion SET aid = zeroblob(16)",
        "UPDATE issued SET event_key = (SELECT max(key) FROM event)
         WHERE cid = (SELECT min(cid) FROM issued WHERE event_key <> '')",
        "UPDATE issued SET oid = zeroblob(16) WHERE event_key <> ''",
        "UPDATE meta SET v = zeroblob(16) WHERE k = 'policy_hash'",
        "UPDATE change SET kind = 'xreated' WHERE seq = 1",
        "UPDATE change SET cause = 'chance' WHERE seq = 1",
        "UPDATE change SET a = NULL WHERE seq = 1",
        "UPDATE erasure SET mode = 'xelete'",
        "UPDATE retention SET rules = '[]'",
        "INSERT INTO proposal VALUES(zeroblob(16), randomblob(16), 'possible', 1, '{')",
        "DELETE FROM meta WHERE k = 'tenant'",
        "DELETE FROM meta WHERE k = 'policy'",
    ];
    let folder = tempfile::tempdir().unwrap();
    let original = folder.path().join("sound.cx");
    drop(retained(&original));
    for sql in alterations {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("altered.cx");
        std::fs::copy(&original, &path).unwrap();
        let connection = rusqlite::Connection::open(&path).unwrap();
        assert!(connection.execute(sql, []).unwrap() > 0, "{sql}");
        connection.close().unwrap();
        let checked = Store::open(&path).and_then(|store| store.check());
        let is_noticed = match &checked {
            Ok(report) => !report.is_clean(),
            Err(error) => {
                matches!(error, StoreError::MalformedRow { .. } | StoreError::Corrupt { .. })
            }
        };
        assert!(is_noticed, "{sql}: {checked:?}");
        let repair = Store::repair(&path).unwrap();
        assert!(!repair.salvage.is_complete(), "{sql}");
        assert!(repair.kept.is_some(), "{sql}");
        let report = Store::open(&path).unwrap().check().unwrap();
        assert!(report.is_clean(), "{sql}: {:?}", report.problems);
    }
}
