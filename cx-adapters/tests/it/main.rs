//! The adapters on payloads: those this project ships, and samples that others wrote, which are
//! read where they stand and never copied. Every trap that is named for the samples has a test.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a binary of tests: a panic is a failing test, and what is skipped is told"
)]

mod payloads;
mod zendesk;
mod chatwoot;
mod twilio;
mod shopify;
mod sendgrid;
mod hostile;
