//! A company's events in bulk: batches of any size give what a rebuild gives.

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
