//! Memory: the customers that were asked for last, as far as there is room for them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::edition::Edition;
use crate::history::History;

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

#[cfg(test)]
mod tests {
    use cx_core::context::ContextOptions;
    use cx_core::identifier::Who;
    use cx_core::ids::CustomerId;
    use cx_core::synthetic::Company;
    use cx_core::time::Timestamp;

    use super::*;
    use crate::{Recording, Store, Tenants};

    const NOW: i64 = 1_900_000_000;

    /// A store with eight customers to ask for.
    fn filled() -> (Store, Vec<CustomerId>) {
        let store = Store::open_in_memory().unwrap();
        let recording = Recording::new(Timestamp::from_seconds(NOW).unwrap(), "test");
        store.ingest(&recording, Company::of_events(1, 400).take(400)).unwrap();
        let customers = store.customers(None, 8).unwrap();
        (store, customers)
    }

    fn ask(store: &Store, customers: &[CustomerId]) {
        let now = ContextOptions::at(Timestamp::from_seconds(NOW).unwrap());
        for customer in customers {
            store.context(&Who::Customer(*customer), &now).unwrap();
        }
    }

    /// Whose history stands in memory, those first that go first, and how much it takes.
    fn remembered(store: &Store) -> (Vec<CustomerId>, usize) {
        let memory = store.memory();
        let histories = memory.by_use.values().map(|row| memory.remembered[row].history.as_ref());
        let size = histories.clone().map(|history| history.size).sum();
        assert_eq!((memory.size, memory.remembered.len()), (size, memory.by_use.len()));
        assert!(size <= memory.most);
        (histories.map(|history| history.customer.id).collect(), size)
    }

    #[test]
    fn those_go_first_that_were_asked_for_longest_ago_and_only_as_many_as_there_is_no_room_for() {
        let (store, customers) = filled();
        ask(&store, &customers);
        let (asked, all) = remembered(&store);
        assert_eq!(asked, customers);
        // One byte less than all of them take: the first goes, and only it.
        store.remember(all - 1);
        assert_eq!(remembered(&store), (Vec::new(), 0));
        ask(&store, &customers);
        assert_eq!(remembered(&store).0, customers[1..]);
        // Whoever is asked for again stays, and makes room for the one that went.
        ask(&store, &[customers[1], customers[0]]);
        let (asked, _) = remembered(&store);
        assert!(asked.ends_with(&[customers[1], customers[0]]), "{asked:?}");
        assert!(!asked.contains(&customers[2]), "{asked:?}");
    }

    #[test]
    fn nobody_takes_more_than_half_of_the_room() {
        let (store, customers) = filled();
        let customer = customers[0];
        ask(&store, &[customer]);
        let (_, size) = remembered(&store);
        store.remember(2 * size - 1);
        ask(&store, &[customer]);
        assert_eq!(remembered(&store), (Vec::new(), 0));
        store.remember(2 * size);
        ask(&store, &[customer]);
        assert_eq!(remembered(&store), (vec![customer], size));
    }

    #[test]
    fn tenants_share_the_room_of_one_store() {
        let folder = tempfile::TempDir::new().unwrap();
        let tenants = Tenants::open(folder.path(), 4).unwrap();
        assert_eq!(tenants.store("acme").unwrap().memory().most(), Memory::MOST / 4);
    }
}
