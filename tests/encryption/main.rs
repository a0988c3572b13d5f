//! Encryption at rest: what is written down, who can read it, and what is refused.
//!
//! A binary of its own, since it is built twice: with an engine that can encrypt
//! (`cargo xtask encryption`), and with one that cannot, where a key must be refused.

#![cfg_attr(
    feature = "encryption",
    expect(clippy::unwrap_used, reason = "a binary of tests: a panic is a failing test")
)]

#[cfg(feature = "encryption")]
mod copies;
#[cfg(feature = "encryption")]
mod damage;
#[cfg(feature = "encryption")]
mod files;
#[cfg(not(feature = "encryption"))]
mod refused;
#[cfg(feature = "encryption")]
mod stores;
