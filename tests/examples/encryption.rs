//! What encryption costs: the same events taken in and the same questions asked, in the same
//! process, of a file that is not encrypted and of files that are.
//!
//! `cargo run --release -p cx-tests --features encryption --example encryption -- EVENTS`.

#![expect(clippy::print_stdout, reason = "a measurement reports to its user")]

use std::error::Error;
use std::time::{Duration, Instant};

use cx_core::context::ContextOptions;
use cx_core::event::Event;
use cx_core::identifier::Who;
use cx_store::{EncryptionKey, OpenOptions, Recording};

/// How many customers are asked for, one by one.
const ASKED: usize = 500;

/// As in the `cx` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let n = std::env::args().nth(1).ok_or("usage: encryption EVENTS")?.parse()?;
    let company = cx_core::synthetic::Company::of_events(1, n);
    let events: Vec<Event> = company.take(usize::try_from(n)?).collect();
    let folder = tempfile::tempdir()?;
    let keys = [
        ("not encrypted", None),
        ("raw key", Some(EncryptionKey::raw([7; 32]))),
        ("passphrase", Some(EncryptionKey::passphrase("correct horse battery staple")?)),
        ("not encrypted", None),
        ("raw key", Some(EncryptionKey::raw([7; 32]))),
    ];
    let now = "2030-01-01T00:00:00Z".parse()?;
    for (number, (what, key)) in keys.into_iter().enumerate() {
        let path = folder.path().join(format!("{number}.cx"));
        let options = OpenOptions::new().key(key);
        let store = options.open(&path)?;
        let began = Instant::now();
        for batch in events.chunks(10_000) {
            store.ingest(&Recording::new(now, "measured"), batch.to_vec())?;
        }
        let ingest = began.elapsed();
        store.catch_up()?;
        let customers = store.customers(None, ASKED)?;
        drop(store);
        let began = Instant::now();
        let store = options.open_existing(&path)?;
        let open = began.elapsed();
        // Nothing is remembered of a customer, so that the pages are read.
        store.remember(0);
        let ask = || -> Result<Duration, Box<dyn Error>> {
            let began = Instant::now();
            for customer in &customers {
                store.context(&Who::Customer(*customer), &ContextOptions::at(now))?;
            }
            Ok(began.elapsed())
        };
        // The second time all pages are in the cache of the engine, decrypted.
        let (first, second) = (ask()?, ask()?);
        println!(
            "{what:<14} ingest {ingest:>8.2?}  open {open:>8.2?}  {} contexts, first {first:>8.2?}, again {second:>8.2?}  {} bytes",
            customers.len(),
            std::fs::metadata(&path)?.len()
        );
    }
    Ok(())
}
