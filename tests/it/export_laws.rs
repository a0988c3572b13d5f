//! Everything about one person: what is told of them is what the store tells.

use std::collections::BTreeSet;

use cx_core::identifier::Who;
use cx_core::identity::{Assertion, Verdict};
use cx_core::ids::CustomerId;
use cx_store::{Change, ChangeRecord, Recording, Store, StoreError, StoreOptions};
use cx_tests::story;
use cx_tests::strategies::{TENANT, asserted_world};
use proptest::prelude::*;

/// What the whole feed tells of a customer, and of whoever became part of them.
fn told_of(feed: &[ChangeRecord], id: CustomerId) -> Vec<ChangeRecord> {
    let mut ids = BTreeSet::from([id]);
    let mut told = Vec::new();
    for record in feed.iter().rev() {
        let named: Vec<CustomerId> = match &record.change {
            Change::Merged { from, into } | Change::Renamed { from, into } => {
                if ids.contains(into) {
                    ids.insert(*from);
                }
                vec![*from, *into]
            }
            Change::Split { from, into } => vec![*from, *into],
            Change::Created { customer }
            | Change::Dissolved { customer }
            | Change::Erased { customer } => vec![*customer],
            Change::Moved { from, to, .. } => from.iter().chain(to).copied().collect(),
            other => panic!("{other:?}"),
        };
        if named.iter().any(|customer| ids.contains(customer)) {
            told.insert(0, record.clone());
        }
    }
    told
}

fn is_by_model(said: &Assertion) -> bool {
    matches!(said.verdict, Verdict::Probable(..))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_became_of_a_person_is_told_as_the_feed_tells_it((events, said) in asserted_world(30)) {
        let options = StoreOptions { tenant: TENANT.to_owned(), ..StoreOptions::default() };
        let store = Store::open_in_memory_with(options).unwrap();
        let (first, rest) = events.split_at(events.len() / 2);
        for part in [rest, first] {
            store.ingest(&Recording::new(story::monday(), "test"), part.to_vec()).unwrap();
        }
        for said in &said {
            // What names nothing that is there is refused, and not said.
            drop(store.assert(said, said.at));
        }
        let feed = store.changes(0, usize::MAX).unwrap();
        for id in store.customers(None, 1_000).unwrap() {
            let export = match store.export(&Who::Customer(id), story::monday()) {
                // Without what only a model links, the record that names them is nobody's.
                Err(StoreError::NobodyMeant) if said.iter().any(is_by_model) => continue,
                export => export.unwrap(),
            };
            // Without what only a model links, it may be somebody else.
            prop_assert_eq!(export.changes, told_of(&feed, export.customer));
        }
    }
}
