//! Linkage: which records of persons are probably one person's, where no identifier says so.
//!
//! The model is that of Fellegi and Sunter (A Theory for Record Linkage, 1969): each attribute of
//! two records is compared and falls into a level; a level weighs log2(m / u) bits, where m is how
//! often it occurs among records of one person and u among records of two. Weights are added to
//! the prior. What is learnt (m, u, the prior) is learnt by expectation maximisation over the
//! patterns of levels; scoring learns nothing.
//!
//! [`Table`] holds the records, [`Model`] the weights, [`train()`] learns, [`link()`] scores and
//! gathers. The same records and the same model give the same answer, on any number of threads
//! and in any order of rows.

mod mix;
mod similarity;
pub mod table;
pub mod columns;
pub mod customer;
pub mod compare;
pub mod condition;
pub mod block;
pub mod model;
mod ask;
pub mod train;
pub mod gather;
pub mod waterfall;
pub mod evaluate;
pub mod splink;

pub use columns::Layout;
pub use compare::{Comparison, Level};
pub use condition::{Condition, ConditionLevel, Conditions};
pub use customer::{CustomerRow, customers};
pub use evaluate::{Quality, quality};
pub use gather::{Address, LinkOptions, Linkage, ScoredPair, link};
pub use model::{LevelWeights, Model, ModelError};
pub use splink::SplinkError;
pub use table::{Attribute, Table, TableBuilder};
pub use train::{TrainError, TrainOptions, train};
pub use waterfall::{Bar, Waterfall, waterfall};
