//! What must hold of any bytes: one check for each door through which something from outside
//! comes in.
//!
//! The targets of `fuzz/` call [`check`], and so does `tests/it/fuzz_corpus.rs`, over every seed
//! and over what fuzzing has found: what a target finds is seen again by `cargo test`.

mod adapters;
mod documents;
mod events;
mod questions;
mod stores;
mod damage;
mod seeds;

pub use seeds::{Seed, words};

/// A door: its name, what must hold of any bytes, and inputs to begin with.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name of the target in `fuzz/fuzz_targets`, and of the folder in `tests/fuzz-findings`.
    pub name: &'static str,
    /// What must hold; panics where it does not.
    pub check: fn(&[u8]),
    /// Inputs to begin with, from the project's own fixtures.
    pub seeds: fn() -> Vec<Seed>,
}

/// Every door.
pub const TARGETS: &[Target] = &[
    Target { name: "zendesk", check: adapters::zendesk, seeds: seeds::zendesk },
    Target { name: "chatwoot", check: adapters::chatwoot, seeds: seeds::chatwoot },
    Target { name: "twilio", check: adapters::twilio, seeds: seeds::twilio },
    Target { name: "shopify", check: adapters::shopify, seeds: seeds::shopify },
    Target { name: "sendgrid", check: adapters::sendgrid, seeds: seeds::sendgrid },
    Target { name: "mail", check: adapters::mail, seeds: seeds::mail },
    Target { name: "jsonl", check: adapters::jsonl, seeds: seeds::jsonl },
    Target { name: "csv", check: adapters::csv, seeds: seeds::csv },
    Target { name: "event", check: events::event, seeds: seeds::event },
    Target { name: "facts", check: stores::facts, seeds: seeds::facts },
    Target { name: "cursor", check: questions::cursor, seeds: seeds::cursor },
    Target { name: "search", check: questions::search, seeds: seeds::search },
    Target { name: "who", check: questions::who, seeds: seeds::who },
    Target { name: "values", check: documents::values, seeds: seeds::values },
    Target { name: "policy", check: documents::policy, seeds: seeds::policy },
    Target { name: "journey", check: documents::journey, seeds: seeds::journey },
    Target { name: "retention", check: documents::retention, seeds: seeds::retention },
    Target { name: "model", check: documents::model, seeds: seeds::model },
    Target { name: "store", check: stores::store, seeds: seeds::store },
    Target { name: "records", check: stores::records, seeds: seeds::records },
    Target { name: "damaged", check: damage::damaged, seeds: seeds::damaged },
];

/// Checks what must hold of these bytes at the door of that name.
///
/// # Panics
/// Where it does not hold, or where there is no such door.
pub fn check(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    (target.check)(bytes);
}

/// An error says something.
fn is_told(error: &impl std::fmt::Display) {
    assert!(!error.to_string().trim().is_empty(), "an error that says nothing");
}

/// A folder that is gone afterwards, in memory where the system has such a place.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
