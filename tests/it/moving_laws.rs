//! The facts of a store, moved into another one: the same customers under the same ids, the same
//! answers to the byte, and nothing that was erased comes back.

use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_core::identity::Assertion;
use cx_core::time::{Micros, Timestamp};
use cx_store::{
    Ending, EraseMode, FactCounts, MoveReport, Past, Recording, Store, StoreError, StoreOptions,
};
use cx_tests::asking::answers;
use cx_tests::story;
use cx_tests::strategies::{TENANT, asserted_world, cases};
use proptest::prelude::*;

fn now() -> Timestamp {
    "2029-01-01T00:00:00Z".parse().unwrap()
}

/// A store that has taken in these events in two imports, was told these things, and has erased
/// whom it is told to.
fn lived(events: &[Event], said: &[Assertion], erased: Option<(usize, EraseMode)>) -> Store {
    let options = StoreOptions { tenant: TENANT.to_owned(), ..StoreOptions::default() };
    let store = Store::open_in_memory_with(options).unwrap();
    let (first, rest) = events.split_at(events.len() / 2);
    for (number, part) in [rest, first].into_iter().enumerate() {
        let at = story::monday() + Micros::HOUR.times(i64::try_from(number).unwrap());
        store.ingest(&Recording::new(at, format!("part{number}")), part.to_vec()).unwrap();
    }
    for said in said {
        // What names nothing that is there is refused, and not said.
        drop(store.assert(said, said.at));
    }
    if let Some((number, mode)) = erased {
        let customers = store.customers(None, 1_000).unwrap();
        if let Some(customer) = customers.get(number % customers.len().max(1)) {
            store.erase(&Who::Customer(*customer), mode, now()).unwrap();
        }
    }
    store
}

fn moved(store: &Store) -> (tempfile::TempDir, Store, Vec<u8>) {
    let mut lines = Vec::new();
    let counts = store.export_facts(&mut lines).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (other, report) =
        Store::import_facts(lines.as_slice(), folder.path().join("moved.cx")).unwrap();
    assert_eq!((report.rejected, &report.taken), (0, &counts), "{:?}", report.problems);
    assert_eq!(report.ending, Ending::Whole);
    (folder, other, lines)
}

fn erased() -> impl Strategy<Value = Option<(usize, EraseMode)>> {
    let mode = prop::sample::select(vec![EraseMode::Anonymise, EraseMode::Delete]);
    prop::option::of((any::<usize>(), mode))
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_store_of_the_same_facts_gives_the_same_answers((events, said) in asserted_world(30), erased in erased()) {
        let store = lived(&events, &said, erased);
        let (_folder, other, lines) = moved(&store);
        prop_assert_eq!(answers(&store, now()), answers(&other, now()));
        prop_assert_eq!(store.customers(None, 1_000).unwrap(), other.customers(None, 1_000).unwrap());
        prop_assert_eq!(store.changes(0, 1_000).unwrap(), other.changes(0, 1_000).unwrap());
        prop_assert_eq!(store.assertions().unwrap(), other.assertions().unwrap());
        prop_assert_eq!(store.erasures().unwrap(), other.erasures().unwrap());
        let mut twice = Vec::new();
        other.export_facts(&mut twice).unwrap();
        prop_assert_eq!(sorted(&lines), sorted(&twice));
        let report = other.check().unwrap();
        prop_assert!(report.is_clean(), "{:?}", report.problems);
        // Every id that was ever given out means the same.
        for change in store.changes(0, 1_000).unwrap() {
            let told = serde_json::to_value(&change).unwrap();
            for field in ["customer", "from", "into", "to"] {
                let Some(id) = told[field].as_str() else { continue };
                let who = Who::parse(id, None).unwrap();
                let meant = |store: &Store| {
                    let found = store.find(&who).unwrap();
                    let ids: Vec<_> = found.customers.iter().map(|customer| customer.id).collect();
                    (ids, found.confidence, found.is_erased)
                };
                prop_assert_eq!(meant(&store), meant(&other));
            }
        }
        // What was known at a moment of the past is the same.
        let past = Past::today().known_at(story::monday());
        for event in &events {
            for claim in &event.who {
                let who = Who::Identifier(claim.identifier().clone());
                prop_assert_eq!(store.how(&who, past).unwrap(), other.how(&who, past).unwrap());
            }
        }
        // Nobody who was erased comes back, here or there.
        let again = |store: &Store| store.ingest(&Recording::new(now(), "again"), events.clone()).unwrap();
        prop_assert_eq!(again(&store), again(&other));
        prop_assert_eq!(answers(&store, now()), answers(&other, now()));
    }
}

fn taken(lines: &[&str]) -> MoveReport {
    let folder = tempfile::tempdir().unwrap();
    let text = lines.join("\n");
    Store::import_facts(text.as_bytes(), folder.path().join("moved.cx")).unwrap().1
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn facts_that_are_cut_short_or_lack_a_line_are_not_taken_for_whole((events, said) in asserted_world(12), erased in erased(), at in any::<prop::sample::Index>()) {
        let store = lived(&events, &said, erased);
        let mut lines = Vec::new();
        store.export_facts(&mut lines).unwrap();
        let lines: Vec<&str> = std::str::from_utf8(&lines).unwrap().lines().collect();
        prop_assert_eq!(taken(&lines).ending, Ending::Whole);
        let at = 1 + at.index(lines.len() - 1);
        let cut = taken(&lines[..at]);
        prop_assert_eq!((&cut.ending, cut.is_whole()), (&Ending::CutShort, false));
        let within = taken(&[&lines[..at], &[&lines[at][..lines[at].len() / 2]]].concat());
        prop_assert_eq!((&within.ending, within.is_whole()), (&Ending::CutShort, false));
        let without = taken(&[&lines[..at], &lines[at + 1..]].concat());
        prop_assert!(!without.is_whole(), "{without:?}");
    }
}

#[test]
fn facts_of_a_version_that_did_not_count_them_are_taken_in() {
    let events = [story::message("k", 1, "chat", "Jan", &["email jan@example.nl"])];
    let store = lived(&events, &[], None);
    let mut lines = Vec::new();
    store.export_facts(&mut lines).unwrap();
    let text = String::from_utf8(lines).unwrap().replacen("\"v\":2", "\"v\":1", 1);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[lines.len() - 1].starts_with(r#"{"fact":"end","counts":{"events":1,"#));
    let report = taken(&lines[..lines.len() - 1]);
    assert_eq!(
        (&report.ending, report.is_whole(), report.taken.events),
        (&Ending::Untold, true, 1)
    );
    // Behind the last line there is nothing.
    let report = taken(&[&lines[..], &lines[1..2]].concat());
    assert_eq!((&report.ending, report.rejected), (&Ending::Whole, 1));
    let none = taken(&[lines[0], r#"{"fact":"end","counts":{}}"#]);
    assert_eq!((none.rejected, none.taken), (1, FactCounts::default()), "a count is missing");
}

/// The lines in an order of their own: how events of one batch lie in a file is not told.
fn sorted(lines: &[u8]) -> Vec<&str> {
    let mut lines: Vec<&str> = std::str::from_utf8(lines).unwrap().lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_line_that_cannot_be_read_is_told_and_the_rest_goes_in() {
    let events: Vec<Event> = (0..5)
        .map(|n| story::message(&format!("k{n}"), n, "chat", "Jan", &["email jan@example.nl"]))
        .collect();
    let store = lived(&events, &[], None);
    let mut lines = Vec::new();
    store.export_facts(&mut lines).unwrap();
    let text = String::from_utf8(lines).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[2] = lines[2].replace("\"kind\":\"message\"", "\"kind\":7");
    lines.insert(4, "\u{feff}{".to_owned());
    lines.push(r#"{"fact": "weather"}"#.to_owned());
    let event = lines[1].clone();
    lines.push(event);
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("moved.cx");
    let (other, report) = Store::import_facts(lines.join("\n").as_bytes(), &to).unwrap();
    assert_eq!((report.taken.events, report.rejected), (4, 4), "{:?}", report.problems);
    assert!(matches!(&report.ending, Ending::Other(told) if told.events == 5), "{report:?}");
    let places: Vec<&str> =
        report.problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
    let last = lines.len();
    assert_eq!(places[..2], ["line 3", "line 5"]);
    assert_eq!(places[2..], [format!("line {}", last - 1), format!("line {last}")]);
    assert!(other.check().unwrap().is_clean());
    drop(other);
    let refused = Store::import_facts(text.as_bytes(), &to);
    assert!(matches!(refused, Err(StoreError::Exists { .. })), "{refused:?}");
}

#[test]
fn what_is_no_facts_is_refused_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("moved.cx");
    let event = r#"{"key": "till:1/7", "source": {"system": "till"}, "kind": "message"}"#;
    let newer = r#"{"fact":"store","v":3,"cx":"9","tenant":"","id_key":"00","policy":{}}"#;
    for lines in ["", "\n", event, newer, "{\"fact\":\"store\",\"v\":1}", "PK\u{3}\u{4}"] {
        let refused = Store::import_facts(lines.as_bytes(), &to);
        assert!(matches!(refused, Err(StoreError::NotFacts { .. })), "{lines}: {refused:?}");
        assert!(!to.exists());
    }
}

#[test]
fn the_longest_facts_are_moved() {
    let mut long = story::message("long", 1, "chat", "Jan", &["email jan@example.nl"]);
    long.extra.insert("note".to_owned(), "x".repeat(17 << 20).into());
    let store = lived(&[long], &[], None);
    let (_folder, other, _lines) = moved(&store);
    assert_eq!(other.counts().unwrap(), (1, 1));
}

#[test]
fn what_stands_where_a_store_is_to_be_made_is_left_alone() {
    let store = lived(&[], &[], None);
    let mut lines = Vec::new();
    store.export_facts(&mut lines).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (to, log) = (folder.path().join("moved.cx"), folder.path().join("moved.cx-wal"));
    std::fs::write(&log, "somebody's log").unwrap();
    let refused = Store::import_facts(lines.as_slice(), &to);
    assert!(matches!(refused, Err(StoreError::Exists { .. })), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "somebody's log");
    assert!(!to.exists());
    std::fs::remove_file(&log).unwrap();
    let made = std::thread::scope(|scope| {
        let make = || Store::import_facts(lines.as_slice(), &to).is_ok();
        let all: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
        all.into_iter().map(|made| u32::from(made.join().unwrap())).sum::<u32>()
    });
    assert_eq!(made, 1, "of four at once");
}

#[test]
fn facts_may_begin_with_a_byte_order_mark() {
    let store = lived(&[story::message("a", 0, "email", "", &["email a@x.nl"])], &[], None);
    let mut lines = b"\xef\xbb\xbf".to_vec();
    store.export_facts(&mut lines).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (moved, _) = Store::import_facts(lines.as_slice(), folder.path().join("a.cx")).unwrap();
    assert_eq!(moved.counts().unwrap(), (1, 1));
}

#[test]
fn a_reader_that_fails_ends_the_facts() {
    /// What a terminal gives that was hung up, or a disk: an error each time.
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("gone"))
        }
    }
    let store = lived(&[story::message("a", 0, "email", "", &["email a@x.nl"])], &[], None);
    let mut lines = Vec::new();
    store.export_facts(&mut lines).unwrap();
    let two = lines.split_inclusive(|byte| *byte == b'\n').take(2).collect::<Vec<_>>().concat();
    let folder = tempfile::tempdir().unwrap();
    let reader = std::io::BufReader::new(std::io::Read::chain(two.as_slice(), Broken));
    let (made, report) = Store::import_facts(reader, folder.path().join("moved.cx")).unwrap();
    assert_eq!(report.ending, Ending::CutShort);
    assert_eq!((report.rejected, report.problems), (1, vec!["line 3: gone".to_owned()]));
    assert_eq!(made.events().count(), 1);
}
