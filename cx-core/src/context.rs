//! The context: the whole answer about one customer.
//!
//! [`build()`] folds a customer's events once and fills the blocks of the answer, in order of
//! usefulness. The same facts and options give the same bytes. Every block is always there: empty
//! where nothing is known, never missing. The shape is a contract, kept as JSON Schema in
//! `docs/schema/context.v1.json`.

pub mod blocks;
pub mod facts;
mod masking;
mod person;
pub mod build;
pub mod render;

pub use blocks::Context;
pub use build::{build, carried_by_words, is_carried};
pub use facts::{
    Audience, Confidence, ContextFacts, ContextOptions, CustomerFacts, IdentifierFact, MergeFact,
    PossibleDuplicate, Sharing, SourceFreshness, StatedValue,
};
