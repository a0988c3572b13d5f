//! Measures: how well we do.
//!
//! Every result carries its definition, the number of answers it rests on, an interval where
//! there is one, and what was left out and why. Nothing answered gives no value, never nought. The
//! formulas are those of `docs/measures.md`, with their sources.

pub mod statistics;
pub mod result;
pub mod score;
pub mod service;

pub use result::{Figure, Interval, Measured};
pub use score::{Answer, Ces, Csat, Nps, NpsInterval, Selection};
pub use service::{first_resolution, first_response, full_resolution};
