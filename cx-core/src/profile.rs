//! Profiles: what is known of a customer, with where each value came from, which one counts, and
//! what the customer agreed to.
//!
//! Values hang on events and nothing is settled when they come in: [`ProfileFold`] gathers all that
//! was said, a total order picks the winner ([`Survivorship`]), and the others stay beside it. What
//! somebody agreed to is told by [`ConsentFold`]: merging customers can only narrow it.

pub mod survivorship;
pub mod value;
mod member;
pub mod consent;

pub use consent::{Basis, ConsentFold, Consents, Question, Ruling};
pub use survivorship::Survivorship;
pub use value::{Attribute, Company, Content, Known, Profile, ProfileFold, Told, Value};
