//! A disk that fails: power lost, writes torn and out of order, syncs that fail, no space left,
//! at every operation.
//!
//! A binary of its own, since SQLite's way to the files is another one in it. `CX_FAULT_POINTS`
//! says how many points are tried (`cargo xtask faults` tries 10,000 and all), `CX_FAULT_SEED` in
//! which way the disk fails.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a binary of tests: a panic is a failing test"
)]

mod disk;
mod vfs;
mod life;
mod power_loss;
mod failing_operations;
