//! The native half of the Python package `cxcontext`.
//!
//! Bound functions are thin: convert, release the interpreter lock, call, convert. Values are
//! converted in `convert`, errors become exceptions in `error`, and tables cross by Arrow's C
//! interface in `table`.
#![expect(clippy::doc_markdown, reason = "docstrings are read by Python, in numpy's style")]

mod error;
mod convert;
mod key;
mod fields;
mod event;
mod table;
mod incoming;
mod events;
mod progress;
mod report;
mod context;
mod explanation;
mod frame;
mod link;
mod answer;
mod scan;
mod store;
mod tenants;

use pyo3::pymodule;

/// The compiled part of cxcontext; import `cxcontext` instead.
#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::answer::{Hit, Transcript, unpickled_hit};
    #[pymodule_export]
    use super::context::{Context, unpickled_context};
    #[pymodule_export]
    use super::event::Event;
    #[pymodule_export]
    use super::events::{EventIterator, Events};
    #[pymodule_export]
    use super::explanation::{Explanation, unpickled_explanation};
    #[pymodule_export]
    use super::fields::{Fields, unpickled_fields};
    #[pymodule_export]
    use super::frame::{Frame, unpickled_frame};
    #[pymodule_export]
    use super::link::{LinkModel, Linkage, link};
    #[pymodule_export]
    use super::report::{CheckReport, IngestReport, unpickled_report};
    #[pymodule_export]
    use super::scan::Scan;
    #[pymodule_export]
    use super::store::{CustomerIterator, Store, open, reopen};
    #[pymodule_export]
    use super::tenants::Tenants;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
