//! Memory: the customers that were asked for last, as far as there is room for them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::history::{Edition, History};

/// Histories of customers by the number of their row, and as of which edition of the file each
/// was read. Those that were asked for least recently go first.
#[derive(Debug)]
pub(crate) struct Memory {
    remembered: HashMap<i64, Remembered>,
    /// Whose each is, by the number of the question that asked for it last.
    by_use: BTreeMap<u64, i64>,
    /// How many questions there were.
    n_asked: u64,
    /// How many bytes they take.
    size: usize,
    /// How many bytes they may take.
    most: usize,
}

#[derive(Debug)]
struct Remembered {
    edition: Edition,
    history: Arc<History>,
    asked: u64,
}

/// What is remembered of a customer.
pub(crate) enum Recalled {
    /// The file is as it was.
    AsItStands(Arc<History>),
    /// Something was written since, and every number of an event still means what it did.
    Before(Option<Arc<History>>),
}

impl Memory {
    /// How many bytes are used where nothing else is said.
    pub(crate) const MOST: usize = 192 << 20;

    pub(crate) fn new(most: usize) -> Self {
        let (remembered, by_use) = (HashMap::new(), BTreeMap::new());
        Self { remembered, by_use, n_asked: 0, size: 0, most }
    }

    /// What is remembered of a customer, by somebody who sees this edition of the file.
    pub(crate) fn recall(&mut self, customer: i64, edition: Edition) -> Recalled {
        let Some((then, history)) = self.take(customer) else { return Recalled::Before(None) };
        if then == edition {
            self.put(customer, edition, Arc::clone(&history));
            return Recalled::AsItStands(history);
        }
        if then.rewritten != edition.rewritten {
            // What was taken out of the file shall not live on here.
            self.clear(self.most);
            return Recalled::Before(None);
        }
        Recalled::Before(Some(history))
    }

    fn take(&mut self, customer: i64) -> Option<(Edition, Arc<History>)> {
        let remembered = self.remembered.remove(&customer)?;
        self.by_use.remove(&remembered.asked);
        self.size = self.size.saturating_sub(remembered.history.size);
        Some((remembered.edition, remembered.history))
    }

    fn put(&mut self, customer: i64, edition: Edition, history: Arc<History>) {
        self.n_asked += 1;
        self.size += history.size;
        self.by_use.insert(self.n_asked, customer);
        self.remembered.insert(customer, Remembered { edition, history, asked: self.n_asked });
    }

    /// Remembers a customer, unless that would take more than half of the room.
    pub(crate) fn keep(&mut self, customer: i64, edition: Edition, history: Arc<History>) {
        if history.size > self.most / 2 {
            return;
        }
        // Another thread may have been as quick.
        drop(self.take(customer));
        while self.size + history.size > self.most
            && let Some((_, longest_ago)) = self.by_use.pop_first()
        {
            drop(self.take(longest_ago));
        }
        self.put(customer, edition, history);
    }

    /// Forgets everything, and takes from now on so many bytes at most.
    pub(crate) fn clear(&mut self, most: usize) {
        *self = Self::new(most);
    }

    pub(crate) const fn most(&self) -> usize {
        self.most
    }
}
