//! Identity: who is who. Customers are a pure function of the facts.
//!
//! [`Observation`]s are what events say about persons, [`Assertion`]s what people say about
//! observations and identifiers. Observations with the same claims and the same name form a
//! bundle; bundles that hang together through identifiers form a component; `resolve` divides a
//! component into customers. See `docs/identity.md` for the whole function in words.

mod given;
pub mod name;
pub mod observation;
pub mod assertion;
pub mod policy;
pub mod hub;
pub mod assertions;
pub mod component;
pub mod resolve;
pub mod bridge;
pub mod neighbourhood;
pub mod population;
pub mod explain;

pub use assertion::{Assertion, Subject, Verdict};
pub use assertions::Assertions;
pub use component::{BundleFacts, MOST_CLAIMS, Moments, Rules};
pub use hub::{DirectView, HubReason};
pub use name::PersonName;
pub use neighbourhood::{Neighbourhood, Recorded, Settlement, WholeBundle};
pub use observation::{Caveat, Observation, ObservedClaim};
pub use policy::Policy;
pub use population::Population;
pub use resolve::{Cluster, Ground, Join, Joiner, Resolution, resolve};
