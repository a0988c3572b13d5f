//! Memory: the customers that were asked for last, as far as there is room for them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::history::{Edition, History};

/// Histories of customers by the number of their row, and as of which edition of the file each
/// was read. Those that were asked for least recently go first.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Asked for since the last time half of the room was full.
    young: HashMap<i64, Remembered>,
    /// The half before.
    old: HashMap<i64, Remembered>,
    /// How many bytes the young ones take.
    size: usize,
    /// How many bytes both may take.
    most: usize,
}

type Remembered = (Edition, Arc<History>);

/// What is remembered of a customer.
pub(crate) enum Recalled {
    /// The file is as it was.
    AsItStands(Arc<History>),
    /// Something was written since, and every number of an event still means what it did.
    Before(Option<Arc<History>>),
}

impl Memory {
    /// How many bytes are used where nothing else is said.
    pub(crate) const MOST: usize = 64 << 20;

    pub(crate) fn new(most: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), size: 0, most }
    }

    /// What is remembered of a customer, by somebody who sees this edition of the file.
    pub(crate) fn recall(&mut self, customer: i64, edition: Edition) -> Recalled {
        let Some((then, history)) = self.take(customer) else { return Recalled::Before(None) };
        if then == edition {
            self.keep(customer, edition, Arc::clone(&history));
            return Recalled::AsItStands(history);
        }
        if then.rewritten != edition.rewritten {
            // What was taken out of the file shall not live on here.
            self.clear(self.most);
            return Recalled::Before(None);
        }
        Recalled::Before(Some(history))
    }

    fn take(&mut self, customer: i64) -> Option<Remembered> {
        if let Some(remembered) = self.young.remove(&customer) {
            self.size = self.size.saturating_sub(remembered.1.size);
            return Some(remembered);
        }
        self.old.remove(&customer)
    }

    /// Remembers a customer, unless that would take more than half of the room.
    pub(crate) fn keep(&mut self, customer: i64, edition: Edition, history: Arc<History>) {
        let half = self.most / 2;
        let size = history.size;
        if size > half {
            return;
        }
        // Another thread may have been as quick.
        drop(self.take(customer));
        if self.size + size > half {
            self.old = std::mem::take(&mut self.young);
            self.size = 0;
        }
        self.size += size;
        self.young.insert(customer, (edition, history));
    }

    /// Forgets everything, and takes from now on so many bytes at most.
    pub(crate) fn clear(&mut self, most: usize) {
        *self = Self::new(most);
    }

    pub(crate) const fn most(&self) -> usize {
        self.most
    }
}
