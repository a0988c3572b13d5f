//! Asking a store everything, so that two of them can be compared.

use std::collections::BTreeSet;

use cx_core::context::ContextOptions;
use cx_core::identifier::Who;
use cx_core::time::Timestamp;
use cx_store::{SearchQuery, Store, StoreError};

/// Everything that a store answers about every customer, as one text.
///
/// # Panics
/// Where the store cannot be read.
pub fn answers(store: &Store, now: Timestamp) -> String {
    let mut text = String::new();
    for customer in store.customers(None, 1_000).unwrap() {
        let context = store.context(&Who::Customer(customer), &ContextOptions::at(now)).unwrap();
        text.push_str(&context.to_json());
        text.push('\n');
    }
    text
}

/// Everything a store answers about everybody, but for how fresh the sources are.
///
/// # Panics
/// Where the store cannot be read.
pub fn answers_but_for_sources(store: &Store, now: Timestamp) -> Vec<String> {
    let customers = store.customers(None, 1_000).unwrap();
    let answer = |id| {
        let mut context = store.context(&Who::Customer(id), &ContextOptions::at(now)).unwrap();
        context.provenance.sources.clear();
        context.to_json()
    };
    customers.into_iter().map(answer).collect()
}

/// The keys of all events.
///
/// # Panics
/// Where the store cannot be read.
pub fn keys(store: &Store) -> BTreeSet<String> {
    store.events().map(|event| event.unwrap().key.to_string()).collect()
}

/// The facts of a store, without the order of the file.
///
/// # Panics
/// Where the store cannot be read.
pub fn facts(store: &Store) -> BTreeSet<String> {
    let mut lines = Vec::new();
    store.export_facts(&mut lines).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    let is_fact = |line: &&str| !line.starts_with(r#"{"fact":"end""#);
    lines.lines().filter(is_fact).map(str::to_owned).collect()
}

/// What a search, whoever waits and every customer give of a store that may be damaged, in which
/// each event has a text with "message" in it.
///
/// # Errors
/// Whatever the store says of its damage.
pub fn asked(store: &Store, now: Timestamp) -> Result<String, StoreError> {
    let hits = store.search(&SearchQuery::new("message"))?;
    let hits: Vec<String> = hits.iter().map(|hit| hit.event.to_string()).collect();
    let mut text = format!("{hits:?}\n{:?}\n", store.who_is_waiting(now)?.len());
    for customer in store.customers(None, 1_000)? {
        let context = store.context(&Who::Customer(customer), &ContextOptions::at(now))?;
        text.push_str(&context.to_json());
    }
    Ok(text)
}
