//! Other systems' records turned into cx events: pure functions from bytes, without network or
//! clock.
//!
//! Each source system has a module with a folder: `words.rs` holds its words and ours for the same,
//! the other files turn its objects into events. One bad record never stops the rest: every item
//! is an event or a [`RecordError`] that names the place.
#![forbid(unsafe_code)]

pub mod record_error;
pub mod options;
mod lines;
mod html;
mod json;
mod origin;
pub mod zendesk;
pub mod chatwoot;
pub mod twilio;
pub mod shopify;
pub mod sendgrid;
pub mod mail;
pub mod jsonl;
pub mod csv;
pub mod format;

pub use format::Format;
pub use lines::LINE_LIMIT;
pub use options::Options;
pub use record_error::RecordError;

/// What an adapter gives for each record it finds.
pub type Record = Result<cx_core::event::Event, RecordError>;
