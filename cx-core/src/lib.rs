//! The words, the rules and the folds of cx, the engine that knows a customer across every
//! channel.
//!
//! Everything here is a pure function of its arguments: no I/O, no clock, no randomness. Events
//! come in from `cx-adapters`, are kept by `cx-store`, and are folded here into customers,
//! conversations, journeys, measures and the context answer.
//!
//! The modules stand from the ground up: each uses only those above it.
#![forbid(unsafe_code)]

pub mod ids;
pub mod time;
pub mod money;
pub mod text;
pub mod channel;
pub mod actor;
pub mod identifier;
pub mod spelling;
pub mod event;
pub mod synthetic;
pub mod identity;
pub mod linkage;
pub mod conversation;
pub mod commerce;
pub mod outbound;
pub mod feedback;
pub mod profile;
pub mod journey;
pub mod measure;
pub mod retention;
pub mod context;
