//! Customer timelines and contexts kept in one SQLite file.
//!
//! Facts go in with [`Store::ingest`], in any order and any number of times; [`Store::context`]
//! gives everything that is known of a customer. The facts are never rewritten; who is who is
//! derived from them, in the same transaction, and can be derived again at any time
//! ([`Store::check`] does, and compares).
//!
//! ```
//! use cx_core::context::ContextOptions;
//! use cx_core::identifier::Who;
//! use cx_store::{Recording, Store};
//!
//! let store = Store::open_in_memory()?;
//! let now = "2026-03-04T10:00:00Z".parse()?;
//! let call = serde_json::from_str(
//!     r#"{"key": "pbx/1", "source": {"system": "pbx"}, "kind": "call", "channel": "phone",
//!         "direction": "in", "occurred_at": "2026-03-04T09:58:00Z", "name": "Jan de Vries",
//!         "who": [{"ns": "phone", "value": "+31612345678", "role": "from"}]}"#,
//! )?;
//! store.ingest(&Recording::new(now, "example"), [call])?;
//! let context = store.context(&Who::parse("+31 6 1234 5678", None)?, &ContextOptions::at(now))?;
//! assert_eq!(context.customer.unwrap().name.as_deref(), Some("Jan de Vries"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod error;
mod beside;
mod new_file;
mod codec;
mod compression;
mod encryption;
mod report;
mod past;
mod statements;
mod kept;
mod placing;
mod feed;
mod derived;
mod waiting;
mod traces;
mod suppression;
mod expiry;
mod taking_back;
mod ingest;
mod edition;
mod corrections;
mod policy;
mod log;
mod pages;
mod schema;
mod neighbourhood;
mod proposals;
mod explain;
mod view;
mod read;
mod history;
mod memory;
mod search;
mod blackout;
mod erasure;
mod export;
mod facts;
mod rebuild;
mod trees;
mod lack;
mod lines;
mod measured;
mod check;
mod store;
mod importing;
mod opening;
mod scan;
mod moving;
mod copying;
mod compressing;
mod retention;
mod certificate;
mod tenants;
mod salvage;
mod repair;

pub use certificate::{Certificate, TraceSearch};
pub use check::CheckReport;
pub use compressing::Compression;
pub use corrections::{Asserted, Conflict, Preview};
pub use encryption::{EncryptionKey, KeyError};
pub use erasure::{Compaction, EraseMode, Erasure, ErasureRecord};
pub use error::{EngineError, StoreError};
pub use export::{Export, ExportedAssertion, ExportedEvent};
pub use facts::FactCounts;
pub use feed::{By, Cause, Change, ChangeRecord};
pub use lack::Lack;
pub use moving::{Ending, MoveReport};
pub use new_file::NewFile;
pub use opening::OpenOptions;
pub use past::Past;
pub use policy::PolicyReport;
pub use proposals::{Fit, Proposal, ProposeOptions, Proposed};
pub use read::{Cursor, Found, FoundCustomer, Order, TimelinePage, TimelineQuery, Transcript};
pub use repair::RepairReport;
pub use report::{IngestReport, Recording};
pub use retention::{Due, RetainOptions, Retained, RetentionPreview};
pub use salvage::SalvageReport;
pub use scan::{Holds, Names, Scan, ScanColumn, ScanPage, ScanQuery, Texts, UnknownColumn, Values};
pub use search::{Hit, SearchQuery, Words};
pub use store::{Events, Store, StoreOptions};
pub use tenants::Tenants;
pub use waiting::Waiting;
