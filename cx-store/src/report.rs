//! What an import did, counted so that nothing is swallowed.

use std::collections::BTreeMap;

use cx_core::event::Event;
use cx_core::identifier::Claim;
use serde::{Deserialize, Serialize};

/// Who recorded facts, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// When the facts are recorded. cx-store reads no clock.
    pub recorded_at: cx_core::time::Timestamp,
    /// What made the events: `zendesk`, `python`.
    pub adapter: String,
    /// Its version.
    pub adapter_version: String,
}

impl Recording {
    /// A recording by this adapter of this version of cx.
    pub fn new(recorded_at: cx_core::time::Timestamp, adapter: impl Into<String>) -> Self {
        let adapter_version = env!("CARGO_PKG_VERSION").to_owned();
        Self { recorded_at, adapter: adapter.into(), adapter_version }
    }
}

/// What became of the events of an import.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IngestReport {
    /// Keys that were not there before.
    pub new: u64,
    /// Records that were there already, to the letter.
    pub duplicate: u64,
    /// Records with another revision of a key that was there: newer ones are shown from now on,
    /// older ones are kept as history.
    pub revised: u64,
    /// Records with a key and revision that were there with other content. Both are kept; the
    /// same one is shown whatever the order in which they came.
    pub conflict: u64,
    /// Records of people who were erased; they are not taken in again.
    pub suppressed: u64,
    /// Records that are too old under the rules of retention in force; they are not taken in.
    pub expired: u64,
    /// Records that could not become events. Counted by whoever read them.
    pub rejected: u64,
    /// The keys in conflict, at most [`IngestReport::KEPT`] of them.
    pub conflicts: Vec<String>,
    /// What was wrong with the rejected records, with their places; at most
    /// [`IngestReport::KEPT`] of them.
    pub problems: Vec<String>,
    /// How many new events there are of each kind.
    pub kinds: BTreeMap<String, u64>,
    /// How many claims of what was taken in link nobody, by namespace: numbers without a country code
    /// where no region was said, and what is no address.
    pub unlinked: BTreeMap<String, u64>,
    /// How many customers are new, gone, or have other events than before: in each batch, so that
    /// whom several batches touch counts in each.
    pub customers: u64,
}

impl IngestReport {
    /// How many conflicts and problems are kept in words; all are counted.
    pub const KEPT: usize = 1_000;

    /// Counts a record that could not become an event.
    pub fn reject(&mut self, problem: impl std::fmt::Display) {
        self.rejected += 1;
        if self.problems.len() < Self::KEPT {
            self.problems.push(problem.to_string());
        }
    }

    /// Counts a new event of this kind.
    pub(crate) fn count(&mut self, kind: &str) {
        match self.kinds.get_mut(kind) {
            Some(n) => *n += 1,
            None => drop(self.kinds.insert(kind.to_owned(), 1)),
        }
    }

    /// Counts the claims of an event that is taken in, of which nobody is known by any.
    pub(crate) fn count_unlinked(&mut self, event: &Event) {
        let claims = event.who.iter().map(Claim::identifier).filter(|of| !of.is_linkable());
        for identifier in claims {
            *self.unlinked.entry(identifier.namespace().name().to_owned()).or_insert(0) += 1;
        }
    }

    /// How many records were read.
    pub const fn total(&self) -> u64 {
        let kept = self.new + self.duplicate + self.revised + self.conflict;
        kept + self.suppressed + self.expired + self.rejected
    }

    /// Adds what another batch of the same import did.
    pub fn add(&mut self, other: Self) {
        self.new += other.new;
        self.duplicate += other.duplicate;
        self.revised += other.revised;
        self.conflict += other.conflict;
        self.suppressed += other.suppressed;
        self.expired += other.expired;
        self.rejected += other.rejected;
        self.customers += other.customers;
        let room = Self::KEPT.saturating_sub(self.conflicts.len());
        self.conflicts.extend(other.conflicts.into_iter().take(room));
        let room = Self::KEPT.saturating_sub(self.problems.len());
        self.problems.extend(other.problems.into_iter().take(room));
        for (kind, n) in other.kinds {
            *self.kinds.entry(kind).or_insert(0) += n;
        }
        for (namespace, n) in other.unlinked {
            *self.unlinked.entry(namespace).or_insert(0) += n;
        }
    }
}
