//! Asking a store everything, so that two of them can be compared.

use cx_core::context::ContextOptions;
use cx_core::identifier::Who;
use cx_core::time::Timestamp;
use cx_store::Store;

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
