//! A company's events in bulk: batches of any size give what a rebuild gives.

use std::ops::ControlFlow;

use cx_core::event::Event;
use cx_core::synthetic::Company;
use cx_core::time::Timestamp;
use cx_store::{Recording, Store};
use cx_tests::chance::Chance;

fn recording() -> Recording {
    Recording::new(Timestamp::from_seconds(1_800_000_000).unwrap(), "test")
}

/// Few people, so that bundles meet, and values are shared.
fn events(seed: u64) -> Vec<Event> {
    Company::new(seed, 80).take(2_400).collect()
}

fn in_batches(events: &[Event], sizes: &[usize]) -> Store {
    let store = Store::open_in_memory().unwrap();
    let mut rest = events;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (batch, others) = rest.split_at((*size).min(rest.len()));
        store.ingest(&recording(), batch.iter().cloned()).unwrap();
        rest = others;
    }
    store
}

#[test]
fn batches_of_any_size_and_order_give_what_a_rebuild_gives() {
    for seed in 1..4 {
        let mut events = events(seed);
        let whole = in_batches(&events, &[usize::MAX]);
        let report = whole.check().unwrap();
        assert!(report.is_clean(), "all at once, seed {seed}: {report:?}");
        let waiting = whole.who_is_waiting(Timestamp::MAX).unwrap();
        Chance::seeded(seed).shuffle(&mut events);
        let parts = in_batches(&events, &[1, 7, 300, 40]);
        let report = parts.check().unwrap();
        assert!(report.is_clean(), "in parts, seed {seed}: {report:?}");
        assert_eq!(
            parts.customers(None, usize::MAX).unwrap().len(),
            whole.customers(None, usize::MAX).unwrap().len()
        );
        assert_eq!(parts.who_is_waiting(Timestamp::MAX).unwrap(), waiting);
    }
}

#[test]
fn what_came_in_bulk_is_found_by_a_search() {
    let store = in_batches(&events(5), &[usize::MAX]);
    let found = store.search(&cx_store::SearchQuery::new("bestelling*").limit(3)).unwrap();
    assert_eq!(found.len(), 3);
}

/// Records with something in them that is no text of a message.
fn heavy(n: usize) -> impl Iterator<Item = Result<Event, String>> {
    events(6).into_iter().take(n).enumerate().map(|(at, mut event)| {
        if at % 100 == 99 {
            return Err(format!("record {at}"));
        }
        event.extra.insert("blob".to_owned(), "x".repeat(100_000).into());
        Ok(event)
    })
}

#[test]
fn an_import_is_cut_by_what_its_records_hold_and_loses_none() {
    let store = Store::open_in_memory().unwrap();
    let mut told = Vec::new();
    let report = store.import(&recording(), heavy(1_000), |so_far| {
        told.push(so_far.total());
        ControlFlow::Continue(())
    });
    let report = report.unwrap();
    // 1,000 records of 100 KB: 32 MiB each time.
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.is_sorted() && told.last() == Some(&report.total()), "{told:?}");
    assert_eq!((report.total(), report.rejected), (1_000, 10));
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn an_import_that_is_stopped_keeps_what_it_told_of() {
    let store = Store::open_in_memory().unwrap();
    let report = store.import(&recording(), heavy(1_000), |_| ControlFlow::Break(())).unwrap();
    assert!((1..900).contains(&report.new) && report.rejected > 0, "{report:?}");
    assert_eq!(store.events().count(), usize::try_from(report.new).unwrap());
}

#[test]
fn each_batch_of_an_import_is_told_once() {
    for (n, times) in [(0, 1), (10, 1), (10_000, 1), (10_001, 2)] {
        let store = Store::open_in_memory().unwrap();
        let mut told = Vec::new();
        let wrong = (0..n).map(|number| Err::<Event, _>(format!("record {number}")));
        let report = store.import(&recording(), wrong, |so_far| {
            told.push(so_far.total());
            ControlFlow::Continue(())
        });
        assert_eq!(told.len(), times, "of {n}");
        assert_eq!(told.last(), Some(&report.unwrap().total()), "of {n}");
    }
}

#[test]
fn what_is_in_is_told_where_the_full_text_cannot_be_caught_up_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("full.cx");
    let store = Store::open(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("DROP TABLE event_fts").unwrap();
    let mut told = 0;
    let records = events(6).into_iter().take(1_500).map(Ok::<_, String>);
    let failed = store.import(&recording(), records, |so_far| {
        told = so_far.new;
        ControlFlow::Continue(())
    });
    assert!(failed.is_err(), "{failed:?}");
    assert!(told > 1_000, "{told}");
    assert_eq!(store.events().count(), usize::try_from(told).unwrap());
}

#[test]
fn what_was_wrong_is_told_where_the_rest_of_a_batch_cannot_be_taken_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("less.cx");
    let store = Store::open(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("DROP TABLE bundle_claim").unwrap();
    let wrong = Err("no record".to_owned());
    let records = events(7).into_iter().take(3).map(Ok).chain([wrong]);
    let mut told = Vec::new();
    let failed = store.import(&recording(), records, |so_far| {
        told.push((so_far.new, so_far.rejected));
        ControlFlow::Continue(())
    });
    assert!(failed.is_err(), "{failed:?}");
    assert_eq!(told, [(0, 1)]);
}
