//! Identity: who is who. Customers are a pure function of the facts.
//!
//! [`Observation`]s are what events say about persons, [`Assertion`]s what people say about
//! observations and identifiers. Observations with the same claims and the same name form a
//! bundle; bundles that hang together through identifiers form a component; `resolve` divides a
//! component into customers. See `docs/identity.md` for the whole function in words.

pub mod name;
pub mod observation;
pub mod assertion;

pub use assertion::{Assertion, Subject, Verdict};
pub use name::PersonName;
pub use observation::Observation;
