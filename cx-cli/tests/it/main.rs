//! The `cx` command as a person uses it.

#![expect(clippy::unwrap_used, reason = "a binary of tests: a panic is a failing test")]

mod linking;
mod shell;
mod demo;
mod commands;
mod documents;
mod encryption;
mod identity;
mod usage;
