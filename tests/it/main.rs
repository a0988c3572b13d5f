//! What crosses crates, in one test binary.

mod identity_laws;
mod identity_traps;
