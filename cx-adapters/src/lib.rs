//! Other systems' records turned into cx events: pure functions from bytes, without network or
//! clock.
//!
//! Each source system has a folder: `payload.rs` holds its words, `map.rs` turns them into ours.
//! One bad record never stops the rest: every item is an event or a [`RecordError`] that names
//! the place.
#![forbid(unsafe_code)]

pub mod record_error;
pub mod options;
mod lines;
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
