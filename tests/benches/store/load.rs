//! Events in: a bare table as the ceiling, and the store.

use std::io::Write;
use std::path::Path;

use cx_core::event::Event;
use cx_core::identifier::{Identifier, Who};
use cx_core::identity::{Assertion, Subject, Verdict};
use cx_core::ids::ObservationId;
use cx_core::synthetic::Company;
use cx_core::time::Timestamp;
use cx_store::{Recording, Store};
use cx_tests::agreement::float;
use rusqlite::Connection;

use crate::Options;
use crate::clock::{Clock, Laps};
use crate::figure::Figure;

/// How the figure begins by which the ceiling is told to the other sections.
pub(crate) const COST: &str = "CPU microseconds an event";

/// How many events are made at a time, outside the clock.
const CHUNK: usize = 100_000;

/// The same payloads into a plain rowid table: no index, one transaction, one prepared statement,
/// WAL, the checkpoint included.
pub(crate) fn ceiling(options: &Options) -> Vec<Figure> {
    let path = options.folder.join("ceiling.db");
    fresh(&path);
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "page_size", 8192).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.pragma_update(None, "synchronous", "full").unwrap();
    connection.pragma_update(None, "cache_size", -262_144).unwrap();
    connection.execute_batch("CREATE TABLE raw(id INTEGER PRIMARY KEY, payload TEXT)").unwrap();
    let (mut clock, mut bytes, mut n) = (Clock::default(), 0, 0_usize);
    clock.time(|| connection.execute_batch("BEGIN IMMEDIATE").unwrap());
    {
        let mut insert = connection.prepare("INSERT INTO raw(payload) VALUES(?1)").unwrap();
        for chunk in chunks(options, CHUNK) {
            let payloads: Vec<String> =
                chunk.iter().map(|event| serde_json::to_string(event).unwrap()).collect();
            bytes += payloads.iter().map(String::len).sum::<usize>();
            n += payloads.len();
            clock.time(|| {
                for payload in &payloads {
                    insert.execute([payload]).unwrap();
                }
            });
        }
    }
    clock.time(|| {
        connection.execute_batch("COMMIT").unwrap();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    });
    let size = std::fs::metadata(&path).unwrap().len();
    vec![
        Figure::new("events", count(n)),
        Figure::new("bytes of a payload", count(bytes) / count(n)),
        Figure::new(COST, clock.cpu * 1e6 / count(n)),
        Figure::new("wall seconds", clock.wall),
        Figure::new("bytes of the file an event", float(size) / count(n)),
    ]
}

/// The store, in batches of a hundred thousand.
pub(crate) fn bulk(options: &Options) -> Vec<Figure> {
    let path = options.folder.join("bulk.cx");
    fresh(&path);
    let (n, new, ingest, text) = in_bulk(options, &Store::open(&path).unwrap());
    let target = if is_long(options) { 1.0 / 4.0 } else { 1.0 / 3.0 };
    figures(options, &path, n, new, &ingest, &text, Some(target))
}

/// The share of the ceiling that is aimed at falls with the number of events.
const fn is_long(options: &Options) -> bool {
    options.events >= 5_000_000
}

/// The same, compressed.
pub(crate) fn compressed(options: &Options) -> Vec<Figure> {
    let path = options.folder.join("compressed.cx");
    fresh(&path);
    let store = Store::open(&path).unwrap();
    store.compress().unwrap();
    let (n, new, ingest, text) = in_bulk(options, &store);
    drop(store);
    let mut all = figures(options, &path, n, new, &ingest, &text, None);
    let length = |path: &Path| float(std::fs::metadata(path).unwrap().len());
    let share = length(&path) / length(&options.folder.join("bulk.cx"));
    all.push(Figure::new("share of the file that is not compressed", share).at_most(0.6));
    all
}

/// How many events went in, how many of them were new, and the time for them and their full text.
fn in_bulk(options: &Options, store: &Store) -> (usize, u64, Clock, Clock) {
    let mut ingest = Clock::default();
    let mut text = Clock::default();
    let (mut n, mut new) = (0, 0);
    for chunk in chunks(options, CHUNK) {
        n += chunk.len();
        let recording = recording(&chunk);
        let report = ingest.time(|| store.ingest(&recording, chunk).unwrap());
        new += report.new;
    }
    text.time(|| store.catch_up().unwrap());
    (n, new, ingest, text)
}

/// The store, in batches of ten thousand, and single events and merges at some sizes.
pub(crate) fn stream(options: &Options) -> Vec<Figure> {
    let path = options.folder.join("stream.cx");
    fresh(&path);
    let store = Store::open(&path).unwrap();
    let mut ingest = Clock::default();
    let mut text = Clock::default();
    let (mut n, mut new) = (0, 0);
    let mut grown = Vec::new();
    let mut singles = Company::of_events(options.seed + 1, 1_000_000);
    for chunk in chunks(options, 10_000) {
        n += chunk.len();
        let recording = recording(&chunk);
        let report = ingest.time(|| store.ingest(&recording, chunk).unwrap());
        new += report.new;
        if matches!(n, 10_000 | 100_000 | 1_000_000 | 5_000_000) {
            // Full text follows behind ingest, not inside it.
            text.time(|| store.catch_up().unwrap());
            grown.push(one_by_one(&store, &mut singles, n));
        }
    }
    text.time(|| store.catch_up().unwrap());
    drop(store);
    let target = if is_long(options) { 1.0 / 6.0 } else { 1.0 / 5.0 };
    let mut all = figures(options, &path, n, new, &ingest, &text, Some(target));
    if let [first, .., last] = grown.as_slice() {
        for (name, of) in [("one event", 1), ("one merge", 2)] {
            let growth = last[of].value / first[of].value;
            let name = format!("{name}, the last size against the first");
            all.push(Figure::new(name, growth).at_most(1.5));
        }
    }
    all.extend(grown.into_iter().flatten());
    all.extend(left_in_force(&Store::open(&path).unwrap(), &mut singles));
    all
}

/// What one event and one merge cost in a store of this size: most of it is the disk's, so that a
/// bare write to it stands beside.
fn one_by_one(store: &Store, singles: &mut Company, n: usize) -> [Figure; 3] {
    let (mut events, mut merges) = (Laps::default(), Laps::default());
    for event in singles.by_ref().take(200) {
        let recording = Recording::new(event.occurred_at, "benchmark");
        events.time(|| store.ingest(&recording, [event]).unwrap());
    }
    let mut known: Vec<Subject> = strangers(store, singles, 100)
        .into_iter()
        .map(|(_, identifier)| Subject::Identifier(identifier))
        .collect();
    known.sort();
    known.dedup();
    for pair in known.chunks_exact(2) {
        let said = says(Verdict::Same(pair[0].clone(), pair[1].clone()));
        let unsaid = says(Verdict::Revoke(said.id()));
        merges.time(|| store.assert(&said, said.at).unwrap());
        merges.time(|| store.assert(&unsaid, unsaid.at).unwrap());
    }
    let mut syncs = Laps::default();
    let mut file = tempfile::tempfile().unwrap();
    for _ in 0..50 {
        file.write_all(&[0; 8192]).unwrap();
        syncs.time(|| file.sync_data().unwrap());
    }
    [
        Figure::new(format!("µs of a bare write to this disk then, in {n}"), syncs.micros(50)),
        Figure::new(format!("µs of one event in {n}, a commit each, 50 of 100"), events.micros(50)),
        Figure::new(format!("µs of one merge or its undoing in {n}, 50 of 100"), merges.micros(50)),
    ]
}

/// Takes in whom nobody knows, as customers of one event each, whatever the size of the store. Gives
/// that event and what it names.
fn strangers(store: &Store, singles: &mut Company, n: usize) -> Vec<(ObservationId, Identifier)> {
    let is_new = |event: &Event| {
        event.person_claims().into_iter().all(|claim| {
            let who = Who::Identifier(claim.identifier().clone());
            store.find(&who).unwrap().customers.is_empty()
        })
    };
    let mut known = Vec::new();
    while known.len() < n {
        let Some(event) = singles.next() else { break };
        let Some(claim) = event.person_claims().first().copied().cloned() else { continue };
        if is_new(&event) {
            let recording = Recording::new(event.occurred_at, "benchmark");
            known.push((ObservationId::of("", &event.key), claim.identifier().clone()));
            store.ingest(&recording, [event]).unwrap();
        }
    }
    known
}

fn says(verdict: Verdict) -> Assertion {
    let at = Timestamp::from_seconds(1_900_000_000).unwrap();
    Assertion { verdict, by: "benchmark".to_owned(), reason: None, at }
}

/// What a merge of two records costs as more and more of them are left in force.
fn left_in_force(store: &Store, singles: &mut Company) -> Vec<Figure> {
    const MERGES: usize = 1_000;
    let known = strangers(store, singles, 2 * MERGES);
    let mut medians = Vec::new();
    for hundred in known.chunks(200) {
        let mut merges = Laps::default();
        for pair in hundred.chunks_exact(2) {
            let [a, b] = [&pair[0], &pair[1]].map(|(record, _)| Subject::Observation(*record));
            let said = says(Verdict::Same(a, b));
            merges.time(|| store.assert(&said, said.at).unwrap());
        }
        medians.push(merges.micros(50));
    }
    let (first, last) = (medians[0], medians[medians.len() - 1]);
    let name = "one merge of two records";
    vec![
        Figure::new(format!("µs of {name}, the first 100, 50 of 100"), first),
        Figure::new(format!("µs of {name}, the last 100 of {MERGES} in force, 50 of 100"), last),
        Figure::new(format!("{name}, the last against the first"), last / first).at_most(1.5),
    ]
}

fn figures(
    options: &Options,
    path: &Path,
    n: usize,
    new: u64,
    ingest: &Clock,
    text: &Clock,
    target: Option<f64>,
) -> Vec<Figure> {
    let cost = ingest.cpu * 1e6 / count(n);
    let size = std::fs::metadata(path).unwrap().len();
    let mut all = vec![
        Figure::new("events", count(n)),
        Figure::new("of them new", float(new)),
        Figure::new(COST, cost),
        Figure::new("wall microseconds an event", ingest.wall * 1e6 / count(n)),
    ];
    if let Some(ceiling) = options.ceiling {
        let share = Figure::new("share of the ceiling", ceiling / cost);
        all.push(match target {
            Some(target) => share.at_least(target),
            None => share,
        });
    }
    all.push(Figure::new(
        "CPU microseconds an event, for the full text left behind",
        text.cpu * 1e6 / count(n),
    ));
    all.push(Figure::new("bytes of the file an event, full text included", float(size) / count(n)));
    all
}

/// The events, so many at a time.
pub(crate) fn chunks(options: &Options, of: usize) -> impl Iterator<Item = Vec<Event>> + use<> {
    let n = options.events;
    let mut events = Company::of_events(options.seed, float_free(n)).take(n);
    std::iter::from_fn(move || {
        let chunk: Vec<Event> = events.by_ref().take(of).collect();
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// Recorded when the last of them happened.
fn recording(chunk: &[Event]) -> Recording {
    let at = chunk.iter().map(|event| event.occurred_at).max().unwrap();
    Recording::new(at, "benchmark")
}

fn fresh(path: &Path) {
    for end in ["", "-wal", "-shm"] {
        let file = format!("{}{end}", path.display());
        if Path::new(&file).exists() {
            std::fs::remove_file(file).unwrap();
        }
    }
}

fn float_free(n: usize) -> u64 {
    n.try_into().unwrap()
}

pub(crate) fn count(n: usize) -> f64 {
    float(float_free(n))
}
