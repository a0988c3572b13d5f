//! Single calls of the store, each measured many times and compared with the run before:
//! `cargo xtask bench criterion [FILTER]`. The table against targets is `bench store`'s.

#![expect(clippy::unwrap_used, reason = "a benchmark stops where it cannot go on")]

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use cx_core::context::ContextOptions;
use cx_core::event::Event;
use cx_core::identifier::{Identifier, Namespace, Who};
use cx_core::identity::{Assertion, Subject, Verdict};
use cx_core::synthetic::Company;
use cx_core::time::Timestamp;
use cx_store::{Recording, ScanQuery, SearchQuery, Store};

/// As in the `cx` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many events the store has that is asked.
const EVENTS: u64 = 50_000;

fn events(seed: u64, n: u64) -> Vec<Event> {
    Company::of_events(seed, n).take(n.try_into().unwrap()).collect()
}

fn last(events: &[Event]) -> Timestamp {
    events.iter().map(|event| event.occurred_at).max().unwrap()
}

/// A store of a company in a folder that goes with it, and the mail addresses in it by how many
/// events name them.
struct Asked {
    store: Store,
    now: Timestamp,
    people: Vec<(u32, Who)>,
    _folder: tempfile::TempDir,
}

impl Asked {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("asked.cx")).unwrap();
        let events = events(1, EVENTS);
        let now = last(&events);
        let mut people: BTreeMap<Identifier, u32> = BTreeMap::new();
        for claim in events.iter().flat_map(|event| &event.who) {
            if *claim.identifier().namespace() == Namespace::Email {
                *people.entry(claim.identifier().clone()).or_insert(0) += 1;
            }
        }
        store.ingest(&Recording::new(now, "benchmark"), events).unwrap();
        store.catch_up().unwrap();
        let people = people.into_iter().map(|(person, n)| (n, Who::Identifier(person))).collect();
        Self { store, now, people, _folder: folder }
    }

    /// Who is named by so many events, give or take a third.
    fn of_size(&self, n: u32) -> Vec<&Who> {
        let is_near = |found: &u32| (n * 2 / 3..=n * 4 / 3).contains(found);
        self.people.iter().filter(|(found, _)| is_near(found)).map(|(_, who)| who).collect()
    }
}

fn ingest(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ingest");
    group.sample_size(10);
    for (name, n, is_compressed) in [
        ("10,000 events in one batch", 10_000, false),
        ("10,000 events in one batch, compressed", 10_000, true),
        ("100 events in one batch", 100, false),
    ] {
        let batch = events(2, n);
        let recording = Recording::new(last(&batch), "benchmark");
        group.throughput(Throughput::Elements(n));
        group.bench_function(name, |bencher| {
            let fresh = || {
                let folder = tempfile::tempdir().unwrap();
                let store = Store::open(folder.path().join("fresh.cx")).unwrap();
                if is_compressed {
                    store.compress().unwrap();
                }
                (folder, store, batch.clone())
            };
            let take_in = |(folder, store, batch): (tempfile::TempDir, Store, Vec<Event>)| {
                store.ingest(&recording, batch).unwrap();
                (folder, store)
            };
            bencher.iter_batched(fresh, take_in, BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn context(criterion: &mut Criterion) {
    let asked = Asked::new();
    let mut group = criterion.benchmark_group("context");
    for (memory, bytes) in [("remembered", 256 << 20), ("nothing remembered", 0)] {
        asked.store.remember(bytes);
        for n in [5, 20, 100] {
            let people = asked.of_size(n);
            let mut at = people.iter().cycle();
            let options = ContextOptions::at(asked.now);
            group.bench_function(format!("about {n} events, {memory}"), |bencher| {
                bencher.iter(|| black_box(asked.store.context(at.next().unwrap(), &options)));
            });
        }
    }
    group.finish();

    let mut group = criterion.benchmark_group("search");
    for words in ["reissverschluss defekt", "factura jacket", "Rechnung"] {
        group.bench_function(words, |bencher| {
            bencher.iter(|| black_box(asked.store.search(&SearchQuery::new(words))));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("who is waiting");
    group.sample_size(20);
    group.bench_function("the first 50", |bencher| {
        bencher.iter(|| black_box(asked.store.first_waiting(asked.now, 50)));
    });
    group.finish();

    let mut group = criterion.benchmark_group("scan");
    group.sample_size(10).throughput(Throughput::Elements(EVENTS));
    group.bench_function("all columns", |bencher| {
        bencher.iter(|| asked.store.scan(ScanQuery::new()).map(Result::unwrap).count());
    });
    group.finish();

    merge(criterion, &asked);
}

/// Two customers become one, and two again.
fn merge(criterion: &mut Criterion, asked: &Asked) {
    let mut group = criterion.benchmark_group("merge");
    group.sample_size(20);
    let mut number = 0;
    let subject = |who: &Who| match who {
        Who::Identifier(identifier) => Subject::Identifier(identifier.clone()),
        Who::Customer(_) => unreachable!("only identifiers are asked for"),
    };
    let pairs: Vec<(Subject, Subject)> = (asked.of_size(5).chunks_exact(2))
        .filter_map(|pair| Some((subject(pair.first()?), subject(pair.get(1)?))))
        .collect();
    let mut pairs = pairs.iter().cycle();
    group.bench_function("and its undoing", |bencher| {
        bencher.iter(|| {
            number += 1;
            let (a, b) = pairs.next().unwrap().clone();
            let by = format!("benchmark {number}");
            let verdict = Verdict::Same(a, b);
            let said = Assertion { verdict, by: by.clone(), reason: None, at: asked.now };
            let unsaid =
                Assertion { verdict: Verdict::Revoke(said.id()), by, reason: None, at: asked.now };
            asked.store.assert(&said, asked.now).unwrap();
            asked.store.assert(&unsaid, asked.now).unwrap();
        });
    });
    group.finish();
}

criterion_group!(store, ingest, context);
criterion_main!(store);
